#!/usr/bin/env python3
"""Runs `trunkrate run` and the floor (polars: CSV to Parquet, nothing computed) in turn over the same calls.

    compare.py --calls 1000000 [--repeat 3] [--trunkrate target/release/trunkrate] [--data DIR] [--json FILE]

Run it with a Python that has polars (benches/requirements.txt). It generates the calls if they are not there yet,
measures each run as a child process (wall time, user and system CPU seconds, peak resident memory) and checks
trunkrate's summary. Exit codes: 0 measured, 1 a run failed or its summary is wrong, 2 usage.
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path
from statistics import median

sys.dont_write_bytecode = True  # no __pycache__ among the sources
import generate  # noqa: E402

HERE = Path(__file__).resolve().parent
CLASSES = ("rated", "free", "duplicate", "ignored", "suspended")
MEASURES = ("wall_seconds", "cpu_seconds", "peak_mib")
START_ONLY = "start python, import polars"
TRUNKRATE = "trunkrate run"
FLOOR = "floor: polars CSV to Parquet"


def fail(message):
    """Ends the comparison: exit code 1, whatever the temporary folders' owners have to clean up on the way out."""
    print(f"compare.py: {message}", file=sys.stderr)
    raise SystemExit(1)


# ---- One child process ----------------------------------------------------------------------------------------------


def measure(name, command, folder, environment):
    """Runs `command` in `folder`. Returns (its measures, its standard output); a failure ends the comparison.

    The kernel's own account of the child is used: with os.wait4 nothing of another run slips in. ru_maxrss is in KiB
    on Linux, in bytes on macOS. A child cannot show less than this process had when it started it, some 20 MiB.
    """
    with open(folder / "stdout", "w+b") as out, open(folder / "stderr", "w+b") as err:
        began = time.perf_counter()
        child = subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        try:
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:
            child.kill()
            child.wait()
            raise
        wall = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if child.returncode != 0:
            complaint = err.read().decode(errors="replace").strip()
            fail(f"{name} failed with {child.returncode}: {' '.join(map(str, command))}\n{complaint[-4000:]}")
        unit = 1024 if sys.platform != "darwin" else 1
        return {
            "wall_seconds": wall,
            "cpu_seconds": usage.ru_utime + usage.ru_stime,
            "user_seconds": usage.ru_utime,
            "system_seconds": usage.ru_stime,
            "peak_mib": usage.ru_maxrss * unit / 1024**2,
        }, out.read()


def bytes_below(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def check_summary(text, expected):
    """The conservation law, and the counts the generator knows: a run that skips work must not look fast."""
    try:
        summary = json.loads(text)
        total = sum(summary[name] for name in CLASSES)
        taken = summary["read"] + summary.get("retried", 0)
    except (ValueError, KeyError, TypeError) as error:
        fail(f"trunkrate's summary is no JSON object with read, {', '.join(CLASSES)}: {error!r}\n{text[:2000]!r}")
    if taken != total:
        fail(f"trunkrate took {taken} records and accounts for {total}: {summary}")
    wrong = [
        f"{name}: expected {count}, found {summary[name]}"
        for name, count in expected.items()
        if name in summary and summary[name] != count
    ]
    if wrong:
        fail(f"trunkrate's summary is wrong: {'; '.join(wrong)}; suspended_by_reason: {summary.get('suspended_by_reason')}")
    return summary


# ---- What it ran on -------------------------------------------------------------------------------------------------


def first_line(command):
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    lines = answer.stdout.splitlines()
    return lines[0] if lines else None


def field(path, name):
    """The value of `name: value` in a file of /proc, or None."""
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return None
    return next((line.split(":", 1)[1].strip() for line in lines if line.split(":")[0].strip() == name), None)


def machine():
    memory = field("/proc/meminfo", "MemTotal")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cpu": field("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        "cores": cores,
        "memory_gib": round(int(memory.split()[0]) / 1024**2, 1) if memory else None,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load_before": round(os.getloadavg()[0], 2),
    }


# ---- The comparison -------------------------------------------------------------------------------------------------


def ensure_data(data, calls, seed):
    """Generates the calls unless these very ones are there. Other data in `data` are never overwritten."""
    wanted = {"format": generate.FORMAT, "calls": calls, "seed": seed}
    if (data / "calls.csv").exists():
        try:
            meta = json.loads((data / "meta.json").read_text())
        except (OSError, ValueError):
            fail(f"{data}/calls.csv is not generate.py's (no meta.json beside it); expected another --data DIR")
        found = {key: meta.get(key) for key in wanted}
        if found != wanted:
            fail(f"{data} holds {found}, expected {wanted}; hint: another --data DIR, or remove it")
        return meta
    # In its own process: a child's peak memory cannot be seen below this one's.
    command = [sys.executable, HERE / "generate.py", "--calls", str(calls), "--out", data, "--seed", str(seed)]
    if subprocess.run(command).returncode != 0:
        fail("the calls could not be generated")
    return json.loads((data / "meta.json").read_text())


def warm(path):
    """Reads the file once, so that the first run does not pay for the disk."""
    buffer = bytearray(1 << 20)
    with open(path, "rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def compare(data, trunkrate, repeat, threads, expected):
    """Returns (name -> list of measures, trunkrate's last summary, bytes written by each)."""
    calls = data / "calls.csv"
    runs = {TRUNKRATE: [], FLOOR: [], START_ONLY: []}
    environment = dict(os.environ)
    if threads:
        environment["POLARS_MAX_THREADS"] = str(threads)
    summary, written = None, {}
    warm(calls)
    for number in range(repeat):
        for name in runs:
            # Each run has a folder of its own beside the calls, so that it neither finds a ledger nor a trunkrate.toml.
            with tempfile.TemporaryDirectory(prefix="run-", dir=data) as folder:
                folder = Path(folder)
                if name == TRUNKRATE:
                    target = folder / "ledger"
                    command = [trunkrate, "run", "--cdrs", calls, "--rates", data / "rates", "--ledger", target, "--format", "json"]
                    command += ["--threads", str(threads)] if threads else []
                elif name == FLOOR:
                    target = folder / "calls.parquet"
                    command = [sys.executable, HERE / "floor.py", calls, target]
                else:
                    target = None
                    command = [sys.executable, "-c", "import polars"]
                measures, output = measure(name, command, folder, environment)
                runs[name].append(measures)
                if name == TRUNKRATE:
                    summary = check_summary(output, expected)
                if target is not None:
                    written[name] = bytes_below(target) if target.is_dir() else target.stat().st_size
                print(
                    f"round {number + 1} of {repeat}: {name}: {measures['wall_seconds']:.2f} s wall,"
                    f" {measures['cpu_seconds']:.2f} s CPU, {measures['peak_mib']:.0f} MiB",
                    file=sys.stderr,
                )
    return runs, summary, written


def spread(runs):
    """name -> measure -> (min, median, max)."""
    result = {}
    for name, measured in runs.items():
        columns = {measure: [run[measure] for run in measured] for measure in MEASURES}
        result[name] = {measure: (min(values), median(values), max(values)) for measure, values in columns.items()}
    return result


def print_table(spreads):
    width = max(map(len, spreads))
    groups = (("wall s", "wall_seconds", 2), ("CPU s", "cpu_seconds", 2), ("peak MiB", "peak_mib", 0))
    print(" " * width + "".join(f"  {title:^23}" for title, _, _ in groups))
    print(" " * width + "".join(f"  {'min':>7} {'median':>7} {'max':>7}" for _ in groups))
    for name, by_measure in spreads.items():
        cells = ("".join(f" {value:>7,.{digits}f}" for value in by_measure[measure]) for _, measure, digits in groups)
        print(f"{name:<{width}}" + "".join(f" {cell}" for cell in cells))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--repeat", type=int, default=3, metavar="R", help="runs of each (3)")
    parser.add_argument("--trunkrate", type=Path, default=Path("target/release/trunkrate"), metavar="FILE")
    parser.add_argument("--data", type=Path, metavar="DIR", help="the calls, generated if absent (target/bench/N)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, metavar="T", help="for both sides; without it each takes what it likes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="writes every single measure too")
    args = parser.parse_args()
    if args.calls < 100 or args.repeat < 1 or (args.threads is not None and args.threads < 1):
        parser.error("--calls must be 100 or more, --repeat and --threads 1 or more")
    # A kill must leave no temporary ledger behind either.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    trunkrate = args.trunkrate.resolve()
    if not os.access(trunkrate, os.X_OK):
        fail(f"no program at {args.trunkrate}; hint: cargo build --release")
    polars = first_line([sys.executable, "-c", "import polars; print(polars.__version__)"])
    if polars is None:
        fail(f"{sys.executable} has no polars; hint: pip install -r {HERE / 'requirements.txt'} in a venv, and its python")
    data = (args.data or Path("target/bench") / str(args.calls)).resolve()
    meta = ensure_data(data, args.calls, args.seed)

    ran_on = machine()
    versions = {"trunkrate": first_line([trunkrate, "--version"]), "polars": polars, "python": platform.python_version()}
    when = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    runs, summary, written = compare(data, trunkrate, args.repeat, args.threads, meta["expected"])
    spreads = spread(runs)
    cpu = {name: spreads[name]["cpu_seconds"][1] for name in runs}
    ratio = cpu[TRUNKRATE] / cpu[FLOOR]
    # The floor's own work is what is left without the start of Python, which a Rust program does not have.
    net = cpu[TRUNKRATE] / (cpu[FLOOR] - cpu[START_ONLY]) if cpu[FLOOR] > cpu[START_ONLY] else None
    rate = args.calls / cpu[TRUNKRATE]

    print(f"{args.calls:,} calls, {meta['children']:,} of them children; {meta['bytes'] / 1024**2:,.0f} MiB of CSV; {args.repeat} runs of each, in turn")
    print()
    print_table(spreads)
    print()
    print(f"trunkrate's CPU / the floor's  {ratio:.2f}    (medians; {net:.2f} without the start of Python)" if net else f"trunkrate's CPU / the floor's  {ratio:.2f}    (medians)")
    print(f"calls per CPU second           {rate:,.0f}    (the floor: {args.calls / cpu[FLOOR]:,.0f})")
    print(f"written                        {written[TRUNKRATE] / 1024**2:,.1f} MiB    (the floor: {written[FLOOR] / 1024**2:,.1f} MiB)")
    print(f"trunkrate counted              read {summary['read']:,}: " + ", ".join(f"{name} {summary[name]:,}" for name in CLASSES))
    print(f"machine                        {ran_on['cpu']}, {ran_on['cores']} cores, {ran_on['memory_gib']} GiB, {ran_on['system']}")
    print(f"versions                       {versions['trunkrate'] or 'trunkrate ?'}, polars {polars}, Python {versions['python']}; {when}")
    if ran_on["load_before"] > 0.5:
        print(f"warning: the load was {ran_on['load_before']} before the first run: the machine was not quiet, the CPU seconds are too high")
    if args.json:
        report = {
            "when": when, "calls": args.calls, "seed": args.seed, "repeat": args.repeat, "threads": args.threads,
            "csv_bytes": meta["bytes"], "machine": ran_on, "versions": versions, "cpu_ratio": ratio, "cpu_ratio_without_python_start": net,
            "calls_per_cpu_second": rate, "bytes_written": written, "summary": summary,
            "spread": {name: {m: dict(zip(("min", "median", "max"), v)) for m, v in by.items()} for name, by in spreads.items()},
            "runs": runs,
        }
        args.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
