#!/usr/bin/env python3
"""Measures the small work that people wait for, and holds it against its limits.

    small.py [--calls 100000] [--nights 30] [--repeat 5] [--bin target/release/trunkrate] [--data
    DIR] [--json FILE]

- `--version`: the start of the program
- a night of 1,000 calls into a fresh ledger, with the repository's own small deck
- `rates check` of a deck of 40,000 prefixes
- `rerate` of one call from the middle of a ledger of 30 nights of --calls calls each (1000000: by
hand, an hour)

Exit codes: 0 all limits hold, 1 one does not or a run failed, 2 usage. Needs no more than Python
3.11 and the binary.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from statistics import median

sys.dont_write_bytecode = True  # no __pycache__ among the sources
import nights  # noqa: E402
from measuring import check_summary, fail, first_line, machine, measure  # noqa: E402

HERE = Path(__file__).resolve().parent
CALLS = 1000
# What is measured, of which the median counts, and its limit in seconds.
LIMITS = {
    "--version": ("wall_seconds", 0.010),
    f"run: {CALLS:,} calls, a fresh ledger, a small deck": ("cpu_seconds", 0.1),
    "rates check: 40,000 prefixes": ("cpu_seconds", 0.1),
    "rerate: one call of many nights": ("cpu_seconds", 0.3),
}


def start(args, folder, _):
    return measure("trunkrate --version", [args.bin, "--version"], folder, dict(os.environ))[0]


def small_night(args, folder, number):
    command = [
        args.bin,
        "run",
        "--cdrs",
        folder / "night" / "calls.csv",
        "--rates",
        HERE.parent / "rates",
        "--ledger",
        folder / f"ledger-{number}",
    ]
    measures, output = measure(
        "trunkrate run", [*command, "--format", "json"], folder, dict(os.environ)
    )
    if check_summary(output, {})["read"] != CALLS:
        fail(f"trunkrate did not read {CALLS} calls: {output.decode(errors='replace')}")
    return measures


def rates_check(args, folder, _):
    return measure(
        "trunkrate rates check",
        [args.bin, "rates", "check", folder / "night" / "rates"],
        folder,
        dict(os.environ),
    )[0]


def ledger_of_nights(args, folder):
    """Rates the nights, one after the other. Returns (the ledger, ids of calls in it)."""
    meta = nights.ensure_data(args.data, args)
    ledger = nights.Ledger(args.bin, args.data, folder / "nights")
    for night in range(args.nights):
        measures, _ = ledger.run([night])
        print(f"night {night + 1} of {args.nights}: {nights.in_short(measures)}", file=sys.stderr)
    return ledger, meta["samples"]


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    nights.add_arguments(parser)
    parser.add_argument("--repeat", type=int, default=5, metavar="R", help="runs of each (5)")
    args = nights.parsed(parser)
    if args.repeat < 1:
        parser.error("--repeat must be 1 or more")
    return args


def main():
    args = arguments()
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(143)
    )  # a kill must leave no temporary ledger behind
    if not os.access(args.bin, os.X_OK):
        fail(f"no program at {args.bin}; hint: cargo build --release")
    ran_on = machine()
    args.data.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="small-", dir=args.data.parent) as folder:
        folder = Path(folder)
        command = [
            sys.executable,
            HERE / "generate.py",
            "--calls",
            str(CALLS),
            "--out",
            folder / "night",
            "--seed",
            str(args.seed),
        ]
        if subprocess.run(command, stderr=subprocess.DEVNULL).returncode != 0:
            fail("the calls could not be generated")
        ledger, samples = ledger_of_nights(args, folder)

        def rerate(_, __, number):
            return ledger.command("rerate", samples[(len(samples) // 2 + number) % len(samples)])[0]

        runs = {
            name: [work(args, folder, number) for number in range(args.repeat)]
            for name, work in zip(LIMITS, (start, small_night, rates_check, rerate))
        }
    broken = 0
    width = max(map(len, LIMITS))
    for name, (kind, limit) in LIMITS.items():
        found = median(run[kind] for run in runs[name])
        broken += found > limit
        others = ", ".join(f"{run[kind]:.3f}" for run in runs[name])
        clock = "wall" if kind == "wall_seconds" else "CPU"
        print(
            f"{name:<{width}}  {found:.3f} s {clock:<4}  limit {limit:.3f} "
            f" {'holds' if found <= limit else 'BROKEN'}  ({others})"
        )
    print(
        f"{args.nights} nights of {args.calls:,} calls; {ran_on['cpu']}, {ran_on['cores']} cores;"
        f" {first_line([args.bin, '--version'])}"
    )
    if ran_on["load_before"] > 0.5:
        print(
            f"warning: the load was {ran_on['load_before']} before the first run: the machine was"
            " not quiet, the figures are too high"
        )
    if args.json:
        report = {
            "when": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "nights": args.nights,
            "calls": args.calls,
            "machine": ran_on,
            "limits": {
                name: dict(zip(("measure", "seconds"), limit)) for name, limit in LIMITS.items()
            },
            "runs": runs,
        }
        args.json.write_text(json.dumps(report, indent=2) + "\n")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
