#!/usr/bin/env python3
"""The same calls on four engines: the command line, the wheel in one process, Spark on two
executors, Sail.

    scale.py --calls 2000000 [--repeat 3] [--engines cli,wheel,spark,sail] [--spark-python P]
    [--sail-python P]

Each engine reads one Parquet file of calls, rates it and writes what its user gets: the command
line a ledger, the wheel
legs, log and suspense, Spark and Sail a published night. The sums must be the same, or there is no
result (exit code 1).
CPU seconds are of the process and all below it: Spark's driver, executors and Python workers,
Sail's server.

`--spark-python` and `--sail-python` name a Python with pyspark, or pysail; both with trunkrate,
pyarrow and psutil. The
calls are made once, by benches/generate.py, into target/bench/<calls>/. Results:
target/bench/scale.json and scale.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MASTER = "local-cluster[2,1,2048]"
SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.executor.memory": "2g",
    "spark.sql.shuffle.partitions": "16",
}


class Cpu:
    """CPU seconds of this process and all below it, also of those that end meanwhile: looked at
    five times a second."""

    def __init__(self) -> None:
        import psutil

        self._psutil = psutil
        self._own = psutil.Process()
        self._seen: dict[tuple[int, float], float] = {}
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            self._look()
            time.sleep(0.2)

    def _look(self) -> None:
        for process in [self._own, *self._own.children(recursive=True)]:
            try:
                times = process.cpu_times()
                self._seen[process.pid, process.create_time()] = times.user + times.system
            except self._psutil.Error:
                pass

    def seconds(self) -> float:
        """So far."""
        self._look()
        return sum(self._seen.values())


def repeated(
    repeat: int, once: Callable[[Path], dict[str, str]], before: float = 0.0
) -> list[dict[str, Any]]:
    """Runs something in fresh folders. `before`: seconds that the start of the engine took, for the
    first."""
    cpu, found = Cpu(), []
    start_cpu = cpu.seconds()
    for number in range(repeat):
        with tempfile.TemporaryDirectory(dir=os.environ.get("TRUNKRATE_BENCH", None)) as folder:
            start, cpu_before = time.perf_counter(), cpu.seconds()
            amount = once(Path(folder))
            wall, used = time.perf_counter() - start, cpu.seconds() - cpu_before
        found.append({"wall": wall, "cpu": used, "amount": amount, "cold": number == 0})
    found[0]["wall"] += before
    found[0]["cpu"] += start_cpu
    return found


def of_cli(calls: Path, repeat: int) -> list[dict[str, Any]]:
    """The command line: a process per run."""
    trunkrate = os.environ.get("TRUNKRATE", str(ROOT / "target/release/trunkrate"))

    def once(folder: Path) -> dict[str, str]:
        command = [
            trunkrate,
            "run",
            "--cdrs",
            calls / "calls.parquet",
            "--rates",
            calls / "rates",
            "--ledger",
            folder / "ledger",
            "--format",
            "json",
        ]
        return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["amount"]

    return repeated(repeat, once)


def of_wheel(calls: Path, repeat: int) -> list[dict[str, Any]]:
    """The wheel: one process, everything in memory."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
    import trunkrate

    def once(folder: Path) -> dict[str, str]:
        rated = trunkrate.rate(
            pq.read_table(calls / "calls.parquet"), trunkrate.Tariff(str(calls / "rates"))
        )
        for name in ("legs", "log", "suspense"):
            pq.write_table(
                getattr(rated, name),
                folder / f"{name}.parquet",
                compression="zstd",
                compression_level=1,
            )
        sums = rated.legs.group_by("currency").aggregate([("amount", "sum")]).to_pylist()
        assert pc.all(pc.is_valid(rated.legs["amount"])).as_py()
        return {row["currency"]: shown(row["amount_sum"]) for row in sums}

    return repeated(repeat, once)


def of_spark(calls: Path, repeat: int, remote: str | None = None) -> list[dict[str, Any]]:
    """Spark, one session for all runs; the first pays for the start. Or another engine by Spark
    Connect."""
    from trunkrate import Tariff

    from trunkrate_spark import rate_night, session

    start = time.perf_counter()
    spark = session(remote=remote) if remote else session(MASTER, settings=SETTINGS)
    started = time.perf_counter() - start

    def once(folder: Path) -> dict[str, str]:
        return dict(
            rate_night(
                spark, str(calls / "calls.parquet"), Tariff(str(calls / "rates")), str(folder)
            ).manifest["amount"]
        )

    found = repeated(repeat, once, started)
    spark.stop()
    return found


def of_sail(calls: Path, repeat: int) -> list[dict[str, Any]]:
    """Sail, in this process."""
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    host, port = server.listening_address
    found = of_spark(calls, repeat, f"sc://{host}:{port}")
    server.stop()
    return found


ENGINES = {"cli": of_cli, "wheel": of_wheel, "spark": of_spark, "sail": of_sail}
NAMES = {
    "cli": "`trunkrate run`",
    "wheel": "wheel, one process (`trunkrate.rate`)",
    "spark": f"Spark, `{MASTER}`",
    "sail": "Sail, one process",
}


def shown(amount: Any) -> str:
    """At least five decimals."""
    text = f"{amount:.8f}"
    return text[:-3] + text[-3:].rstrip("0")


def calls_of(count: int) -> Path:
    """The calls, made if they are not there."""
    folder = ROOT / "target/bench" / str(count)
    if not (folder / "calls.parquet").exists():
        python = os.environ.get("TRUNKRATE_BENCH_PYTHON", sys.executable)
        subprocess.run(
            [
                python,
                ROOT / "benches/generate.py",
                "--calls",
                str(count),
                "--out",
                folder,
                "--parquet",
            ],
            check=True,
        )
    return folder


def table(results: dict[str, list[dict[str, Any]]], count: int) -> str:
    """Markdown: the first run, and the median of the others."""
    lines = [
        "| engine | first run | wall s | calls/s | CPU s | µs of CPU a call |",
        "|---|---|---|---|---|---|",
    ]
    for engine, runs in results.items():
        warm = runs[1:] or runs
        wall, cpu = (median(run[name] for run in warm) for name in ("wall", "cpu"))
        lines.append(
            f"| {NAMES[engine]} | {runs[0]['wall']:.1f} s | {wall:.1f} | {count / wall:,.0f} |"
            f" {cpu:.1f} | {cpu / count * 1e6:.1f} |"
        )
    return "\n".join(lines)


def main() -> int:
    """Measures; the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=2_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--engines", default="cli,wheel,spark,sail")
    parser.add_argument("--spark-python", default=sys.executable)
    parser.add_argument("--sail-python", default=sys.executable)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    calls = calls_of(options.calls)
    if options.one:
        print("RESULT " + json.dumps(ENGINES[options.one](calls, options.repeat)))
        return 0
    results: dict[str, list[dict[str, Any]]] = {}
    loads: dict[str, list[float]] = {}
    for engine in options.engines.split(","):
        python = {"spark": options.spark_python, "sail": options.sail_python}.get(
            engine, options.spark_python
        )
        own = [
            python,
            __file__,
            "--calls",
            str(options.calls),
            "--repeat",
            str(options.repeat),
            "--one",
            engine,
        ]
        before = os.getloadavg()[0]
        done = subprocess.run(own, check=False, stdout=subprocess.PIPE, text=True)
        result = next(
            (line[7:] for line in done.stdout.splitlines() if line.startswith("RESULT ")), None
        )
        if done.returncode or result is None:
            print(
                f"scale.py: {engine} failed with exit code {done.returncode}; expected a result."
                " What it said stands above",
                file=sys.stderr,
            )
            return 1
        results[engine], loads[engine] = json.loads(result), [before, os.getloadavg()[0]]
        print(f"{engine}: {results[engine]} load {loads[engine]}", file=sys.stderr)
    amounts = {engine: runs[0]["amount"] for engine, runs in results.items()}
    if any(
        run["amount"] != next(iter(amounts.values())) for runs in results.values() for run in runs
    ):
        print(
            f"scale.py: the engines' sums differ: {amounts}; expected the same. Find out which is"
            " wrong",
            file=sys.stderr,
        )
        return 1
    text = table(results, options.calls)
    (ROOT / "target/bench/scale.md").write_text(text + "\n")
    (ROOT / "target/bench/scale.json").write_text(
        json.dumps({"calls": options.calls, "results": results, "load": loads}, indent=1) + "\n"
    )
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
