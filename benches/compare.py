#!/usr/bin/env python3
"""Runs `trunkrate run`, the floors and the rivals in turn over the same calls; then the commands
that work on the ledger it made.

    compare.py [--sizes 1000000,10000000] [--repeat 3] [--without postgres,parquet]
    [--trunkrate-args "..."]
    compare.py --quick              a million calls without PostgreSQL

Run it with a Python that has polars, duckdb, pyarrow and blake3 (requirements.txt). It generates
the calls if they are not there
yet, measures each run as a child process (wall time, CPU seconds, peak resident memory, minor page
faults), prints tables, as text
and as Markdown, and writes every measure as JSON, a picture of the medians (picture.py) and the
figures of `plan` (figures.py).

All must agree on every account's total, to the last decimal. A rival that does the whole job must
count as the generator does and
write the rows that the ledger has (same_books.py), on the measured calls and on a night of oddities
(rehearsal.py).
Exit codes: 0 measured, 1 a run failed, its summary is wrong, totals or rows differ, 2 usage.
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
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from statistics import median

sys.dont_write_bytecode = True  # no __pycache__ among the sources
import figures  # noqa: E402
import generate  # noqa: E402
import next_to_run  # noqa: E402
import picture  # noqa: E402
import rehearsal  # noqa: E402
from measuring import check_summary, fail, first_line, machine, measure  # noqa: E402

HERE = Path(__file__).resolve().parent
MEASURES = ("wall_seconds", "cpu_seconds", "peak_mib", "minor_faults")
# In this order they run, round after round. `start` is contained in what the Python scripts take.
ENGINES = {
    "floor": "floor: polars copies, computes nothing",
    "floor-duckdb": "floor: DuckDB copies",
    "floor-pyarrow": "floor: pyarrow copies",
    "trunkrate": "trunkrate run, everything on",
    "trunkrate-lean": f"trunkrate run --memory {figures.LEAN}",
    "duckdb-whole": "DuckDB, the same job",
    "polars-whole": "polars, the same job",
    "duckdb": "DuckDB, the legs alone",
    "polars": "polars, the legs alone",
    "postgres": "PostgreSQL, the legs alone",
    "start": "start of Python with polars",
}
OURS = ("trunkrate", "trunkrate-lean")
WHOLE = ("duckdb-whole", "polars-whole")
FLOORS = ("floor", "floor-duckdb", "floor-pyarrow")
LEAVABLE = ("postgres", "duckdb", "polars", "pyarrow", "whole", "next", "csv", "parquet")
POSTGRES_CALLS = 1_000_000  # no more: it would take an hour


# ---- The comparison ------------------------------------------------------------------------------


def ensure_data(data, calls, seed):
    """Generates the calls unless these very ones are there. Other data in `data` are never
    overwritten."""
    wanted = {"format": generate.FORMAT, "calls": calls, "seed": seed}
    if (data / "calls.csv").exists():
        try:
            meta = json.loads((data / "meta.json").read_text())
        except (OSError, ValueError):
            fail(
                f"{data}/calls.csv is not generate.py's (no meta.json beside it); hint: another"
                " --data DIR"
            )
        found = {key: meta.get(key) for key in wanted}
        if found != wanted:
            fail(f"{data} holds {found}, expected {wanted}; hint: another --data DIR, or remove it")
        generate.write_billing(data / "billing", seed)
        if not (data / "calls.parquet").exists():
            command = [
                sys.executable,
                HERE / "floor.py",
                data / "calls.csv",
                data / "calls.parquet.partial",
            ]
            if subprocess.run(command).returncode != 0:
                fail("the calls could not be written as Parquet")
            os.replace(data / "calls.parquet.partial", data / "calls.parquet")
        return meta
    # In its own process: a child's peak memory cannot be seen below this one's.
    command = [
        sys.executable,
        HERE / "generate.py",
        "--calls",
        str(calls),
        "--out",
        data,
        "--seed",
        str(seed),
        "--parquet",
    ]
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

    def takes_part(engine, source):
        name = engine.removeprefix("floor-").removesuffix("-whole")
        if (
            engine == "postgres"
            and calls > POSTGRES_CALLS
            or engine in ("postgres", "trunkrate-lean")
            and source != "csv"
        ):
            return False
        return engine == "floor" or not (name in without or engine in WHOLE and "whole" in without)

    sources = [source for source in ("csv", "parquet") if source not in without]
    pairs = [
        (engine, source)
        for source in sources
        for engine in ENGINES
        if engine != "start" and takes_part(engine, source)
    ]
    return [*pairs, ("start", None)]


def command_of(engine, calls, rates, out, args):
    """What one contestant is started with."""
    if engine in OURS:
        lean = ["--memory", figures.LEAN] if engine == "trunkrate-lean" else []
        return [
            args.trunkrate,
            "run",
            "--cdrs",
            calls,
            "--rates",
            rates,
            "--ledger",
            out,
            "--format",
            "json",
            *lean,
            *args.trunkrate_args,
        ]
    if engine in FLOORS:
        return [
            sys.executable,
            HERE / "floor.py",
            "--engine",
            engine.removeprefix("floor-") if engine != "floor" else "polars",
            calls,
            out,
        ]
    if engine == "start":
        return [sys.executable, "-c", "import polars"]
    script = HERE / f"rival_{engine.removesuffix('-whole')}.py"
    return [sys.executable, script, *(["--whole"] if engine in WHOLE else []), calls, rates, out]


def one_run(engine, source, data, args, expected, books):
    """Runs one contestant in a folder of its own. Returns (its measures, what it says each account
    owes or None).

    The first ledger is kept as BOOKS/ledger. The first that a rival writes of a source is held
    against it, row by row.
    """
    name = f"{engine} from {source}"
    # Beside the calls, so that it finds neither a ledger nor a trunkrate.toml.
    with tempfile.TemporaryDirectory(prefix="run-", dir=data) as folder:
        folder = Path(folder)
        out = folder / "out"
        if engine not in (*OURS, *FLOORS, "start"):
            out.mkdir()
            folder.chmod(0o711)  # PostgreSQL's server may run as another user
        command = command_of(engine, data / f"calls.{source}", data / "rates", out, args)
        measures, output = measure(name, command, folder, dict(os.environ))
        if engine in (*FLOORS, "start"):
            return measures, None
        if engine == "postgres":
            measures = json.loads(output) | {
                "minor_faults": None
            }  # of the server, without its start: it is no child of ours
        if engine in OURS:
            measures["summary"] = check_summary(output, expected)
            measures["ledger_bytes"] = sum(
                path.stat().st_size for path in (out / "runs").rglob("*") if path.is_file()
            )
            ledger = subprocess.run(
                [sys.executable, HERE / "totals.py", out], stdout=subprocess.PIPE
            )
            if ledger.returncode != 0:
                fail("the ledger's legs could not be added up")
            if not (books / "ledger").exists():
                out.rename(books / "ledger")
            return measures, totals(ledger.stdout.decode())
        if engine in WHOLE:
            manifest = json.loads((out / "manifest.json").read_text())
            measures["summary"] = check_summary(
                json.dumps(manifest["counts"] | {"legs": manifest["legs"]}), expected, name
            )
            held = books / f"{engine}-{source}"
            if not held.exists():
                if (
                    subprocess.run(
                        [sys.executable, HERE / "same_books.py", books / "ledger", out],
                        stdout=subprocess.DEVNULL,
                    ).returncode
                    != 0
                ):
                    fail(f"{name} did not write the rows that the ledger has")
                held.touch()
        return measures, totals((out / "totals.csv").read_text())


def totals(text):
    return {
        account: Decimal(amount)
        for account, amount in (line.split(",") for line in text.splitlines())
    }


def check_totals(found, expected, who, first):
    """Every account, to the last decimal."""
    differing = [
        account
        for account in sorted(found.keys() | expected.keys())
        if found.get(account) != expected.get(account)
    ]
    if differing:
        account = differing[0]
        fail(
            f"{len(differing)} accounts' totals differ, such as {account}: {found.get(account)}"
            f" says {who}, {expected.get(account)} says {first}"
        )


class Agreement:
    """Every account's total, as the first said that has one."""

    def __init__(self):
        self.owed = self.first = None

    def hold(self, owed, name):
        if not owed:
            fail(f"{name} names no account's total")
        if self.owed is None:
            self.owed, self.first = owed, name
        check_totals(owed, self.owed, name, self.first)

    def total(self):
        return str(sum(self.owed.values()).quantize(Decimal("0.00001")))


def rehearse(args):
    """Oddities that the measured calls lack, counted and written alike by all that do the whole
    job."""
    with tempfile.TemporaryDirectory(prefix="rehearsal-", dir=args.data) as folder:
        data, books, agreement = Path(folder) / "data", Path(folder) / "books", Agreement()
        books.mkdir()
        expected = rehearsal.write(data, args.seed)
        engines = [
            engine
            for engine, source in contestants(0, args.without - {"csv"})
            if source == "csv" and engine in ("trunkrate", *WHOLE)
        ]
        for engine in engines:
            _, owed = one_run(engine, "csv", data, args, expected, books)
            agreement.hold(owed, engine)
    print(f"rehearsal: {', '.join(engines)} agree on {expected}", file=sys.stderr)


def spread(measured, measure):
    values = [run[measure] for run in measured]
    return (
        None
        if None in values
        else {"min": min(values), "median": median(values), "max": max(values)}
    )


def told(calls, number, args, name, measures):
    print(
        f"{calls:,} calls, round {number + 1} of {args.repeat}: {name}:"
        f" {measures['cpu_seconds']:.2f} s CPU, {measures['wall_seconds']:.2f} s wall,"
        f" {measures['peak_mib']:.0f} MiB",
        file=sys.stderr,
    )


def compare(calls, data, args):
    """Returns what is to be reported of one size."""
    meta = ensure_data(data, calls, args.seed)
    pairs = contestants(calls, args.without)
    runs, commands, agreement = {pair: [] for pair in pairs}, {}, Agreement()
    for source in {source for _, source in pairs if source}:
        warm(data / f"calls.{source}")
    with tempfile.TemporaryDirectory(prefix="books-", dir=data) as books:
        books = Path(books)
        for number in range(args.repeat):
            for engine, source in pairs:
                measures, owed = one_run(engine, source, data, args, meta["expected"], books)
                name = f"{engine} from {source}" if source else engine
                if engine not in (*FLOORS, "start"):
                    agreement.hold(owed, name)
                runs[engine, source].append(measures)
                told(calls, number, args, name, measures)
            if "next" not in args.without:
                if number == 0:
                    next_to_run.prepare(books, data, pairs[0][1])
                for command, pair in next_round(books, data, args, meta, agreement.total()):
                    commands.setdefault(command, []).append(pair)
                    told(calls, number, args, command, pair[0])
    ledger_bytes = [
        run["ledger_bytes"]
        for (engine, _), measured in runs.items()
        if engine in OURS
        for run in measured
    ]
    return {
        "calls": calls,
        "children": meta["children"],
        "csv_bytes": meta["bytes"],
        "parquet_bytes": (data / "calls.parquet").stat().st_size,
        "ledger_bytes": max(ledger_bytes),
        "accounts": len(agreement.owed),
        "total": agreement.total(),
        "rows": rows_of(calls, runs),
        "next": next_rows(calls, runs, commands),
    }


def rows_of(calls, runs):
    """A row for each contestant: what it took, and how that is to the floor from the same
    source."""
    rows = []
    for (engine, source), measured in runs.items():
        found = {measure: spread(measured, measure) for measure in MEASURES}
        cpu = found["cpu_seconds"]["median"]
        floor = spread(runs["floor", source], "cpu_seconds")["median"] if source else None
        rows.append(
            {
                "engine": engine,
                "source": source,
                **found,
                "calls_per_cpu_second": round(calls / cpu) if source else None,
                "cpu_to_floor": cpu / floor if floor else None,
                "runs": measured,
            }
        )
    return rows


def next_round(books, data, args, meta, total):
    """(command, (its measures, those of the scan of what it must read)) of one round."""
    for name, command in next_to_run.COMMANDS.items():
        with tempfile.TemporaryDirectory(prefix="next-", dir=data) as folder:
            work = next_to_run.Round(
                args.trunkrate, books, data, Path(folder), meta["expected"], total
            )
            scan = work.scan(name)
            yield name, (command(work, name), scan)


def next_rows(calls, runs, commands):
    """A row for each command, to the scan of its bytes and to `run`."""
    run = min(
        spread(measured, "cpu_seconds")["median"]
        for (engine, _), measured in runs.items()
        if engine == "trunkrate"
    )
    rows = []
    for name, pairs in commands.items():
        measured, scans = zip(*pairs)
        found = {measure: spread(measured, measure) for measure in MEASURES}
        cpu, scan = found["cpu_seconds"]["median"], spread(scans, "cpu_seconds")
        rows.append(
            {
                "command": name,
                **found,
                "bytes": scans[0]["bytes"],
                "scan_cpu_seconds": scan,
                "cpu_seconds_per_million": cpu * 1e6 / calls,
                "cpu_to_scan": cpu / scan["median"],
                "cpu_to_run": cpu / run,
                "runs": measured,
                "scans": scans,
            }
        )
    return rows


# ---- The report ----------------------------------------------------------------------------------


def per_million(faults, calls):
    return f"{faults['median'] * 1e6 / calls:,.0f}" if faults else ""


def cells(calls, row):
    """One line of the table."""
    cpu, wall, peak = (row[measure] for measure in ("cpu_seconds", "wall_seconds", "peak_mib"))
    return [
        ENGINES[row["engine"]],
        (row["source"] or "").replace("csv", "CSV").replace("parquet", "Parquet"),
        f"{cpu['median']:.2f}",
        f"{cpu['min']:.2f} to {cpu['max']:.2f}",
        f"{wall['median']:.2f}",
        f"{peak['median']:,.0f}",
        f"{row['calls_per_cpu_second']:,}" if row["source"] else "",
        f"{row['cpu_to_floor']:.2f}" if row["source"] else "",
        per_million(row["minor_faults"], calls) if row["engine"] in OURS else "",
    ]


def next_cells(calls, row):
    cpu, wall, peak, scan = (
        row[measure] for measure in ("cpu_seconds", "wall_seconds", "peak_mib", "scan_cpu_seconds")
    )
    return [
        f"trunkrate {row['command']}",
        f"{row['bytes'] / 1024**2:,.0f}",
        f"{cpu['median']:.2f}",
        f"{cpu['min']:.2f} to {cpu['max']:.2f}",
        f"{wall['median']:.2f}",
        f"{peak['median']:,.0f}",
        f"{row['cpu_seconds_per_million']:.2f}",
        f"{scan['median']:.2f}",
        f"{row['cpu_to_scan']:.2f}",
        f"{row['cpu_to_run']:.2f}",
        per_million(row["minor_faults"], calls),
    ]


FAULTS = "page faults per million"
HEADINGS = [
    "",
    "from",
    "CPU s",
    "min to max",
    "wall s",
    "peak MiB",
    "calls per CPU s",
    "to the floor",
    FAULTS,
]
NEXT_HEADINGS = [
    "",
    "MiB read",
    "CPU s",
    "min to max",
    "wall s",
    "peak MiB",
    "CPU s per million",
    "scan CPU s",
    "to the scan",
    "to `run`",
    FAULTS,
]


def as_text(table):
    widths = [max(map(len, column)) for column in zip(*table)]
    aligned = (
        (
            text.ljust(width) if column < 1 else text.rjust(width)
            for column, (text, width) in enumerate(zip(line, widths))
        )
        for line in table
    )
    return "\n".join("  ".join(line).rstrip() for line in aligned)


def as_markdown(table):
    lines = ["| " + " | ".join(line) + " |" for line in table]
    return "\n".join([lines[0], "|---|" + "---:|" * (len(table[0]) - 1), *lines[1:]])


def ratios(size):
    """Like with like, in words: to the fastest copy, and to the rivals that do the same job."""
    cpu = {(row["engine"], row["source"]): row["cpu_seconds"]["median"] for row in size["rows"]}
    lines = []
    for source, name in (("csv", "CSV"), ("parquet", "Parquet")):
        ours = cpu.get(("trunkrate", source))
        if ours is None:
            continue
        fastest = min(
            (engine for engine in FLOORS if (engine, source) in cpu),
            key=lambda engine: cpu[engine, source],
        )
        copy = (
            f"{ours / cpu[fastest, source]:.2f} of the fastest copy's"
            f" ({ENGINES[fastest].removeprefix('floor: ').split()[0]})"
        )
        same = [
            f"{ours / cpu[engine, source]:.2f} of {whose} for the same job"
            for engine, whose in zip(WHOLE, ("DuckDB's", "polars'"))
            if (engine, source) in cpu
        ]
        lines.append(f"From {name} `run` takes {', '.join([copy, *same])}, in CPU seconds.")
    lines += [
        f"`verify` takes {row['cpu_to_run']:.2f} of `run`'s CPU seconds; the limit is 2."
        for row in size["next"]
        if row["command"] == "verify"
    ]
    return "\n".join(lines)


def ran_on(report):
    machine, versions = report["machine"], report["versions"]
    versions = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB,"
        f" {machine['system']}; {versions}; {report['when'][:10]}"
    )


def tables(report, render):
    """The tables of all sizes, with what was rated and on which machine."""
    parts = []
    for size in report["sizes"]:
        agree = f"; all agree on each of {size['accounts']} accounts, {size['total']} USD together"
        parts.append(
            f"{size['calls']:,} calls, {size['children']:,} of them children,"
            f" {size['csv_bytes'] / 1024**2:,.0f} MiB as CSV,"
            f" {size['parquet_bytes'] / 1024**2:,.0f} MiB as Parquet; medians of"
            f" {report['repeat']}{agree}:"
        )
        parts.append(render([HEADINGS, *(cells(size["calls"], row) for row in size["rows"])]))
        if size["next"]:
            parts.append(
                "Next to `run`, on the ledger that it made; the scan reads the same bytes and"
                " unpacks the same columns, and does nothing with them:"
            )
            parts.append(
                render([NEXT_HEADINGS, *(next_cells(size["calls"], row) for row in size["next"])])
            )
        parts.append(ratios(size))
    return "\n\n".join([*parts, ran_on(report)])


def versions(trunkrate, without):
    """What was compared; fails if something is missing that is asked for."""
    found = {"trunkrate": (first_line([trunkrate, "--version"]) or "").removeprefix("trunkrate ")}
    for engine in ("polars", "duckdb", "pyarrow", "blake3"):
        found[engine] = first_line(
            [sys.executable, "-c", f"import {engine}; print({engine}.__version__)"]
        )
        if found[engine] is None and engine not in without - {
            "polars"
        }:  # the floor and the checks are polars
            fail(
                f"{sys.executable} has no {engine}; hint: pip install -r"
                f" {HERE / 'requirements.txt'} in a venv, and its python"
            )
    if "postgres" not in without:
        server = first_line(["/usr/lib/postgresql/15/bin/postgres", "--version"])
        if server is None:
            fail(
                "no PostgreSQL 15; hint: apt install postgresql-15 postgresql-15-prefix, or"
                " --without postgres"
            )
        found["PostgreSQL"] = server.split()[2]
    return {**found, "python": platform.python_version()}


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--sizes",
        default="1000000,10000000",
        metavar="N,N",
        help="numbers of calls (1000000,10000000)",
    )
    parser.add_argument("--repeat", type=int, default=3, metavar="R", help="runs of each (3)")
    parser.add_argument(
        "--without",
        default="",
        metavar="NAME,NAME",
        help=f"leave out some of {', '.join(LEAVABLE)}",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a million calls without PostgreSQL; picture and figures stay as they are",
    )
    parser.add_argument(
        "--trunkrate", type=Path, default=Path("target/release/trunkrate"), metavar="FILE"
    )
    parser.add_argument(
        "--trunkrate-args",
        default="",
        metavar="ARGS",
        help='more arguments for `trunkrate run`, such as "--threads 1"',
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("target/bench"),
        metavar="DIR",
        help="a folder for each size, written if absent",
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path, metavar="FILE", help="(target/bench/results.json)")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="(benches/results.svg)")
    parser.add_argument(
        "--figures",
        type=Path,
        metavar="FILE",
        help="the figures of `plan` (benches/figures.json; --quick leaves it as it is)",
    )
    args = parser.parse_args()
    try:
        args.sizes = [1_000_000] if args.quick else [int(size) for size in args.sizes.split(",")]
    except ValueError:
        parser.error(f"--sizes takes numbers with commas between them, found {args.sizes!r}")
    args.without = {name for name in args.without.split(",") if name} | (
        {"postgres"} if args.quick else set()
    )
    unknown = args.without - set(LEAVABLE)
    if min(args.sizes) < 100 or args.repeat < 1:
        parser.error("--sizes must be 100 or more, --repeat 1 or more")
    if unknown or {"csv", "parquet"} <= args.without:
        parser.error(
            f"--without takes {', '.join(LEAVABLE)}, but not both csv and parquet; found"
            f" {','.join(sorted(args.without))}"
        )
    if max(args.sizes) > POSTGRES_CALLS and min(args.sizes) > POSTGRES_CALLS:
        args.without.add("postgres")
    args.trunkrate_args = shlex.split(args.trunkrate_args)
    args.json = args.json or Path("target/bench") / (
        "results-quick.json" if args.quick else "results.json"
    )
    args.svg = args.svg or (
        Path("target/bench/results-quick.svg") if args.quick else HERE / "results.svg"
    )
    args.figures = args.figures or (None if args.quick else figures.PATH)
    args.trunkrate, args.data = args.trunkrate.resolve(), args.data.resolve()
    return args


def main():
    args = arguments()
    # A kill must leave no temporary ledger and no server behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if not os.access(args.trunkrate, os.X_OK):
        fail(f"no program at {args.trunkrate}; hint: cargo build --release")
    report = {
        "when": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "seed": args.seed,
        "repeat": args.repeat,
        "trunkrate_args": args.trunkrate_args,
        "machine": machine(),
        "versions": versions(args.trunkrate, args.without),
    }
    args.data.mkdir(parents=True, exist_ok=True)
    rehearse(args)
    report["sizes"] = [compare(calls, args.data / str(calls), args) for calls in args.sizes]
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps(report, indent=2) + "\n")
    args.json.with_suffix(".md").write_text(tables(report, as_markdown) + "\n")
    args.svg.write_text(picture.draw(report))
    print(tables(report, as_text))
    print()
    print(tables(report, as_markdown))
    written = [args.json, args.json.with_suffix(".md"), args.svg]
    if args.figures and figures.of_report(report, args.figures):
        written.append(args.figures)
    print(f"\nwritten: {', '.join(map(str, written))}")
    if report["machine"]["load_before"] > 0.5:
        print(
            f"warning: the load was {report['machine']['load_before']} before the first run: the"
            " machine was not quiet, the CPU seconds are too high"
        )


if __name__ == "__main__":
    main()
