#!/usr/bin/env python3
"""Runs `trunkrate run`, the floor and the rivals in turn over the same calls; all must agree on every account's total.

    compare.py [--sizes 1000000,10000000] [--repeat 3] [--without postgres,parquet] [--trunkrate-args "..."]
    compare.py --quick              a million calls without PostgreSQL

Run it with a Python that has polars and duckdb (requirements.txt). It generates the calls if they are not there yet,
measures each run as a child process (wall time, CPU seconds, peak resident memory), prints a table, as text and as
Markdown, and writes every measure as JSON and a picture of the medians (picture.py).
Exit codes: 0 measured, 1 a run failed, its summary is wrong or the totals differ, 2 usage.
"""

import argparse
import json
import os
import platform
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from statistics import median

sys.dont_write_bytecode = True  # no __pycache__ among the sources
import generate  # noqa: E402
import picture  # noqa: E402

HERE = Path(__file__).resolve().parent
CLASSES = ("rated", "free", "duplicate", "ignored", "suspended")
MEASURES = ("wall_seconds", "cpu_seconds", "peak_mib")
# In this order they run, round after round. `start` is contained in what the Python scripts take.
ENGINES = {
    "floor": "floor: polars copies, computes nothing",
    "trunkrate": "trunkrate run, everything on",
    "polars": "polars, the whole job",
    "duckdb": "DuckDB, the whole job",
    "postgres": "PostgreSQL, the whole job",
    "start": "start of Python with polars",
}
POSTGRES_CALLS = 1_000_000  # no more: it would take an hour


def fail(message):
    """Ends the comparison: exit code 1, whatever the temporary folders' owners have to clean up on the way out."""
    print(f"{Path(sys.argv[0]).name}: {message}", file=sys.stderr)
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
            child.terminate()  # it may have a server to stop
            try:
                child.wait(60)
            except subprocess.TimeoutExpired:
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
            fail(f"{data}/calls.csv is not generate.py's (no meta.json beside it); hint: another --data DIR")
        found = {key: meta.get(key) for key in wanted}
        if found != wanted:
            fail(f"{data} holds {found}, expected {wanted}; hint: another --data DIR, or remove it")
        if not (data / "calls.parquet").exists():
            command = [sys.executable, HERE / "floor.py", data / "calls.csv", data / "calls.parquet.partial"]
            if subprocess.run(command).returncode != 0:
                fail("the calls could not be written as Parquet")
            os.replace(data / "calls.parquet.partial", data / "calls.parquet")
        return meta
    # In its own process: a child's peak memory cannot be seen below this one's.
    command = [sys.executable, HERE / "generate.py", "--calls", str(calls), "--out", data, "--seed", str(seed), "--parquet"]
    if subprocess.run(command).returncode != 0:
        fail("the calls could not be generated")
    return json.loads((data / "meta.json").read_text())


def warm(path):
    """Reads the file once, so that the first run does not pay for the disk."""
    buffer = bytearray(1 << 20)
    with open(path, "rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def contestants(calls, without):
    """(engine, source) in the order in which they run."""
    sources = [source for source in ("csv", "parquet") if source not in without]
    pairs = [(engine, source) for source in sources for engine in ("floor", "trunkrate", "polars", "duckdb") if engine not in without]
    if "postgres" not in without and "csv" not in without and calls <= POSTGRES_CALLS:
        pairs.append(("postgres", "csv"))
    return [*pairs, ("start", None)]


def one_run(engine, source, data, args, expected):
    """Runs one contestant in a folder of its own. Returns (its measures, what it says each account owes or None)."""
    # Beside the calls, so that it finds neither a ledger nor a trunkrate.toml.
    with tempfile.TemporaryDirectory(prefix="run-", dir=data) as folder:
        folder = Path(folder)
        out, calls, rates = folder / "out", data / f"calls.{source}", data / "rates"
        if engine == "trunkrate":
            command = [args.trunkrate, "run", "--cdrs", calls, "--rates", rates, "--ledger", out, "--format", "json", *args.trunkrate_args]
        elif engine == "floor":
            command = [sys.executable, HERE / "floor.py", calls, out]
        elif engine == "start":
            command = [sys.executable, "-c", "import polars"]
        else:
            out.mkdir()
            folder.chmod(0o711)  # PostgreSQL's server may run as another user
            command = [sys.executable, HERE / f"rival_{engine}.py", calls, rates, out]
        measures, output = measure(f"{engine} from {source}", command, folder, dict(os.environ))
        if engine == "postgres":
            measures = json.loads(output)  # of the server, without its start; the kernel does not count it as a child of ours
        if engine == "trunkrate":
            measures["summary"] = check_summary(output, expected)
            ledger = subprocess.run([sys.executable, HERE / "totals.py", out], stdout=subprocess.PIPE)
            if ledger.returncode != 0:
                fail("the ledger's legs could not be added up")
            return measures, totals(ledger.stdout.decode())
        return measures, totals((out / "totals.csv").read_text()) if engine not in ("floor", "start") else None


def totals(text):
    return {account: Decimal(amount) for account, amount in (line.split(",") for line in text.splitlines())}


def check_totals(found, expected, who, first):
    """Every account, to the last decimal."""
    differing = [account for account in sorted(found.keys() | expected.keys()) if found.get(account) != expected.get(account)]
    if differing:
        account = differing[0]
        fail(
            f"{len(differing)} accounts' totals differ, such as {account}: {found.get(account)} says {who}, {expected.get(account)} says {first}"
        )


def compare(calls, data, args):
    """Returns what is to be reported of one size."""
    meta = ensure_data(data, calls, args.seed)
    pairs = contestants(calls, args.without)
    runs = {pair: [] for pair in pairs}
    agreed = first = None
    for source in {source for _, source in pairs if source}:
        warm(data / f"calls.{source}")
    for number in range(args.repeat):
        for engine, source in pairs:
            measures, owed = one_run(engine, source, data, args, meta["expected"])
            name = f"{engine} from {source}" if source else engine
            if owed is not None and agreed is None:
                agreed, first = owed, name
            elif owed is not None:
                check_totals(owed, agreed, name, first)
            runs[engine, source].append(measures)
            print(
                f"{calls:,} calls, round {number + 1} of {args.repeat}: {name}: {measures['cpu_seconds']:.2f} s CPU,"
                f" {measures['wall_seconds']:.2f} s wall, {measures['peak_mib']:.0f} MiB",
                file=sys.stderr,
            )
    rows = []
    for (engine, source), measured in runs.items():
        spread = {m: {"min": min(v), "median": median(v), "max": max(v)} for m in MEASURES for v in [[run[m] for run in measured]]}
        cpu = spread["cpu_seconds"]["median"]
        floor = median(run["cpu_seconds"] for run in runs["floor", source]) if source else None
        rows.append({
            "engine": engine, "source": source, **spread, "calls_per_cpu_second": round(calls / cpu) if source else None,
            "cpu_to_floor": cpu / floor if floor else None, "runs": measured,
        })
    return {
        "calls": calls, "children": meta["children"], "csv_bytes": meta["bytes"], "parquet_bytes": (data / "calls.parquet").stat().st_size,
        "accounts": len(agreed) if agreed else None, "total": str(sum(agreed.values()).quantize(Decimal("0.00001"))) if agreed else None, "rows": rows,
    }


# ---- The report -----------------------------------------------------------------------------------------------------


def cells(row):
    """One line of the table."""
    cpu, wall, peak = (row[measure] for measure in ("cpu_seconds", "wall_seconds", "peak_mib"))
    return [
        ENGINES[row["engine"]], (row["source"] or "").replace("csv", "CSV").replace("parquet", "Parquet"),
        f"{cpu['median']:.2f}", f"{cpu['min']:.2f} to {cpu['max']:.2f}", f"{wall['median']:.2f}", f"{peak['median']:,.0f}",
        f"{row['calls_per_cpu_second']:,}" if row["source"] else "", f"{row['cpu_to_floor']:.2f}" if row["source"] else "",
    ]


HEADINGS = ["", "from", "CPU s", "min to max", "wall s", "peak MiB", "calls per CPU s", "to the floor"]


def as_text(table):
    widths = [max(len(line[column]) for line in table) for column in range(len(HEADINGS))]
    aligned = ((text.ljust(width) if column < 2 else text.rjust(width) for column, (text, width) in enumerate(zip(line, widths))) for line in table)
    return "\n".join("  ".join(line).rstrip() for line in aligned)


def as_markdown(table):
    lines = ["| " + " | ".join(line) + " |" for line in table]
    return "\n".join([lines[0], "|---|---|" + "---:|" * (len(HEADINGS) - 2), *lines[1:]])


def ran_on(report):
    machine, versions = report["machine"], report["versions"]
    versions = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    return f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}; {versions}; {report['when'][:10]}"


def tables(report, render):
    """The tables of all sizes, with what was rated and on which machine."""
    parts = []
    for size in report["sizes"]:
        agree = f"; all agree on each of {size['accounts']} accounts, {size['total']} USD together" if size["total"] else ""
        parts.append(
            f"{size['calls']:,} calls, {size['children']:,} of them children, {size['csv_bytes'] / 1024**2:,.0f} MiB as CSV,"
            f" {size['parquet_bytes'] / 1024**2:,.0f} MiB as Parquet; medians of {report['repeat']}{agree}:"
        )
        parts.append(render([HEADINGS, *map(cells, size["rows"])]))
    return "\n\n".join([*parts, ran_on(report)])


def versions(trunkrate, without):
    """What was compared; fails if something is missing that is asked for."""
    found = {"trunkrate": (first_line([trunkrate, "--version"]) or "").removeprefix("trunkrate ")}
    for engine in ("polars", "duckdb"):
        found[engine] = first_line([sys.executable, "-c", f"import {engine}; print({engine}.__version__)"])
        if found[engine] is None and (engine == "polars" or engine not in without):
            fail(f"{sys.executable} has no {engine}; hint: pip install -r {HERE / 'requirements.txt'} in a venv, and its python")
    if "postgres" not in without:
        server = first_line(["/usr/lib/postgresql/15/bin/postgres", "--version"])
        if server is None:
            fail("no PostgreSQL 15; hint: apt install postgresql-15 postgresql-15-prefix, or --without postgres")
        found["PostgreSQL"] = server.split()[2]
    return {**found, "python": platform.python_version()}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000000,10000000", metavar="N,N", help="numbers of calls (1000000,10000000)")
    parser.add_argument("--repeat", type=int, default=3, metavar="R", help="runs of each (3)")
    parser.add_argument("--without", default="", metavar="NAME,NAME", help="leave out postgres, duckdb, polars, csv or parquet")
    parser.add_argument("--quick", action="store_true", help="a million calls without PostgreSQL; the README's picture stays as it is")
    parser.add_argument("--trunkrate", type=Path, default=Path("target/release/trunkrate"), metavar="FILE")
    parser.add_argument("--trunkrate-args", default="", metavar="ARGS", help='more arguments for `trunkrate run`, such as "--threads 1"')
    parser.add_argument("--data", type=Path, default=Path("target/bench"), metavar="DIR", help="a folder for each size, written if absent")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path, metavar="FILE", help="(target/bench/results.json)")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="(benches/results.svg)")
    args = parser.parse_args()
    try:
        args.sizes = [1_000_000] if args.quick else [int(size) for size in args.sizes.split(",")]
    except ValueError:
        parser.error(f"--sizes takes numbers with commas between them, found {args.sizes!r}")
    args.without = {name for name in args.without.split(",") if name} | ({"postgres"} if args.quick else set())
    unknown = args.without - {"postgres", "duckdb", "polars", "csv", "parquet"}
    if min(args.sizes) < 100 or args.repeat < 1:
        parser.error("--sizes must be 100 or more, --repeat 1 or more")
    if unknown or {"csv", "parquet"} <= args.without:
        parser.error(f"--without takes postgres, duckdb, polars, and csv or parquet; found {','.join(sorted(args.without))}")
    if max(args.sizes) > POSTGRES_CALLS and min(args.sizes) > POSTGRES_CALLS:
        args.without.add("postgres")
    args.trunkrate_args = shlex.split(args.trunkrate_args)
    args.json = args.json or Path("target/bench") / ("results-quick.json" if args.quick else "results.json")
    args.svg = args.svg or (Path("target/bench/results-quick.svg") if args.quick else HERE / "results.svg")
    args.trunkrate, args.data = args.trunkrate.resolve(), args.data.resolve()
    return args


def main():
    args = arguments()
    # A kill must leave no temporary ledger and no server behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if not os.access(args.trunkrate, os.X_OK):
        fail(f"no program at {args.trunkrate}; hint: cargo build --release")
    report = {
        "when": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"), "seed": args.seed, "repeat": args.repeat,
        "trunkrate_args": args.trunkrate_args, "machine": machine(), "versions": versions(args.trunkrate, args.without),
    }
    report["sizes"] = [compare(calls, args.data / str(calls), args) for calls in args.sizes]
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps(report, indent=2) + "\n")
    args.json.with_suffix(".md").write_text(tables(report, as_markdown) + "\n")
    args.svg.write_text(picture.draw(report))
    print(tables(report, as_text))
    print()
    print(tables(report, as_markdown))
    print(f"\nwritten: {args.json}, {args.json.with_suffix('.md')}, {args.svg}")
    if report["machine"]["load_before"] > 0.5:
        print(f"warning: the load was {report['machine']['load_before']} before the first run: the machine was not quiet, the CPU seconds are too high")


if __name__ == "__main__":
    main()
