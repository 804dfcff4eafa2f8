#!/usr/bin/env python3
"""One run over a night in parts, by hand: a hundred million calls. Its counts are checked, its
figures go to figures.json.

    generate.py --calls 100000000 --out target/bench/100000000 --parts 20
    once.py target/bench/100000000 [--trunkrate FILE] [--figures FILE]

Takes some 25 GB below DIR (ledger and spill are removed afterwards) and, on two cores, three
minutes beside the quarter of an hour that the
calls take to be made. Needs no more than Python 3.11 and the binary.
Exit codes: 0 measured, 1 the run failed or its counts are wrong, 2 usage.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

sys.dont_write_bytecode = True  # no __pycache__ among the sources
import figures  # noqa: E402
from measuring import check_summary, fail, machine, measure  # noqa: E402


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, metavar="DIR", help="what generate.py --parts wrote")
    parser.add_argument(
        "--trunkrate", type=Path, default=Path("target/release/trunkrate"), metavar="FILE"
    )
    parser.add_argument(
        "--figures", type=Path, default=figures.PATH, metavar="FILE", help="(benches/figures.json)"
    )
    args = parser.parse_args()
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(143)
    )  # a kill must leave no temporary ledger behind
    data, ran_on = args.data.resolve(), machine()
    if not any(data.glob("calls-*.csv.zst")):
        fail(
            f"{data} has no calls-000.csv.zst; hint: generate.py --calls 100000000 --out"
            f" {args.data} --parts 20"
        )
    meta = json.loads((data / "meta.json").read_text())
    calls = meta["calls"]
    with tempfile.TemporaryDirectory(prefix="run-", dir=data) as folder:
        command = [
            args.trunkrate.resolve(),
            "run",
            "--cdrs",
            data / "calls-*.csv.zst",
            "--rates",
            data / "rates",
            "--ledger",
            Path(folder) / "out",
            "--format",
            "json",
        ]
        measures, output = measure("trunkrate run", command, Path(folder), dict(os.environ))
        check_summary(output, meta["expected"])
    report = {
        "when": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "machine": ran_on,
        "repeat": 1,
    }
    cpu, wall, peak = (measures[name] for name in ("cpu_seconds", "wall_seconds", "peak_mib"))
    if calls >= figures.SMALLEST:
        figures.take(
            [
                figures.night(
                    calls, "CSV in zstd", cpu, wall, peak, figures.source_of(report, "once.py")
                )
            ],
            args.figures,
        )
    faults = measures["minor_faults"] * 1_000_000 // calls
    print(
        f"{calls:,} calls: {cpu:.2f} s CPU, {wall:.2f} s wall, {peak:,.0f} MiB, {faults:,} page"
        " faults per million calls"
    )
    if ran_on["load_before"] > 0.5:
        print(
            f"warning: the load was {ran_on['load_before']} before the run: the machine was not"
            " quiet, the figures are too high"
        )


if __name__ == "__main__":
    main()
