#!/usr/bin/env python3
"""Rates many nights, one after the other, then all at once, then in other orders: the books must be
the same.

    nights.py [--nights 30] [--calls 100000] [--orders 2] [--bin target/release/trunkrate] [--data
    DIR] [--json FILE]

The nights hang together as real exports do: records that come again, families and chains cut at
midnight, records that
were not final, prices that come late, versions that contradict each other, calls that are no trunk
calls, and some that
nobody can ever bill. Laws, each held against the binary:

- legs, call log (both without the run's name), sums by currency and what waits are those of one run
over all files,
  in this and in `--orders` other orders that keep each record's final version last;
- the last night again books nothing and changes no export;
- `verify` finds nothing wrong; `undo` of the last night and that night again give the same books;
- the last nights take no more CPU and memory than the second (`--cpu-limit`, `--memory-limit`: 0
for no limit).

Exit codes: 0 all laws hold, 1 one does not or a run failed, 2 usage.
"""

import argparse
import csv
import hashlib
import json
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from datetime import datetime, timezone
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path
from statistics import median

sys.dont_write_bytecode = True  # no __pycache__ among the sources
from measuring import CLASSES, check_summary, first_line, machine, measure  # noqa: E402
from nights_data import FORMAT  # noqa: E402

HERE = Path(__file__).resolve().parent
PARTS = ("legs", "calls", "carrier prices")


def ensure_data(data, args):
    """Writes the nights unless these very ones are there. Other data in `data` are never
    overwritten."""
    wanted = {"format": FORMAT, "nights": args.nights, "calls": args.calls, "seed": args.seed}
    if not (data / "meta.json").exists():
        if any(data.glob("*.csv")):
            fail(
                f"{data} has call files but no meta.json: a run was cut off, or they are not ours;"
                " hint: another --data DIR, or remove it"
            )
        # In its own process: a child's peak memory cannot be seen below this one's.
        command = [sys.executable, HERE / "nights_data.py", "--out", data, "--seed", str(args.seed)]
        command += ["--nights", str(args.nights), "--calls", str(args.calls)]
        if subprocess.run(command).returncode != 0:
            fail("the nights could not be written")
    meta = json.loads((data / "meta.json").read_text())
    found = {key: meta.get(key) for key in wanted}
    if found != wanted:
        fail(f"{data} holds {found}, expected {wanted}; hint: another --data DIR, or remove it")
    return meta


# ---- A ledger ------------------------------------------------------------------------------------


def fail(message):
    """Ends the benchmark: exit code 1, whatever the temporary folders' owners have to clean up on
    the way out."""
    print(f"nights.py: {message}", file=sys.stderr)
    raise SystemExit(1)


class Ledger:
    """A ledger in a folder of its own, with the binary and the data that it is fed with."""

    def __init__(self, binary, data, folder):
        self.binary, self.data, self.folder = binary, data, folder
        folder.mkdir()
        shutil.copy(data / "trunkrate.toml", folder)

    def command(self, name, *arguments):
        """Runs a command in the folder, on the ledger in it. Returns (its measures, its output)."""
        return measure(
            f"trunkrate {name}",
            [self.binary, name, *arguments],
            self.folder,
            {**os.environ, "TRUNKRATE_LEDGER": "ledger"},
        )

    def run(self, nights):
        """Rates nights in one run. Returns (measures, summary); the conservation law is checked."""
        cdrs = [
            argument
            for night in nights
            for argument in ("--cdrs", self.data / f"night-{night + 1:03d}.csv")
        ]
        measures, output = self.command(
            "run", *cdrs, "--rates", self.data / "rates", "--format", "json"
        )
        return measures, check_summary(output, {})

    def rows(self, what):
        """The lines of an export, without the run's name: it is the last column of legs and
        calls."""
        command = [self.binary, "export", what, "--format", "csv"]
        export = subprocess.Popen(
            command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        with export.stdout as lines:
            for line in lines:
                yield line.rpartition(b",")[0]
        if export.wait() != 0:
            fail(f"export {what} failed with {export.returncode}")

    def parts(self, part):
        """The lines of a part of the books: the carrier's prices are a part of their own, the last
        column of the log."""
        if part == "legs":
            return self.rows("legs")
        rows = (row.rpartition(b",") for row in self.rows("calls"))
        return (
            (row for row, _, _ in rows)
            if part == "calls"
            else (row.partition(b",")[0] + b"," + price for row, _, price in rows)
        )

    def books(self):
        """What must not depend on how the calls came: hashes of legs, log and prices, sums by
        currency, what waits."""
        sums, hashes = {}, {}
        for part in PARTS:
            digest = hashlib.blake2b(digest_size=16)
            for number, row in enumerate(self.parts(part)):
                digest.update(row + b"\n")
                if part == "legs" and number:
                    _, currency, amount = row.rsplit(b",", 2)
                    sums[currency.decode()] = sums.get(currency.decode(), 0) + int(
                        amount.replace(b".", b"")
                    )
            hashes[part] = digest.hexdigest()
        return {**hashes, "sums": sums, "waiting": self.waiting()}

    def waiting(self):
        """(call, reason) of all that waits. Copies of a record without an id cannot be told apart:
        once is enough."""
        _, output = self.command("export", "suspense", "--format", "csv")
        rows = list(csv.reader(output.decode().splitlines(keepends=True)))
        call, reason = (rows[0].index(name) for name in ("call_sid", "reason"))
        return sorted({(row[call], row[reason]) for row in rows[1:]})


class Laws:
    """What holds, and what does not."""

    def __init__(self):
        self.held = {}

    def check(self, law, complaint):
        """`complaint` is None if the law holds."""
        self.held[law] = complaint
        print(
            f"{'holds' if complaint is None else 'BROKEN'}: {law}"
            + (f"\n  {complaint}" if complaint else ""),
            file=sys.stderr,
        )

    def same(self, name, ledger, other, expected):
        """The books of a ledger are those of another one, whose books are known already."""
        books = ledger.books()
        for part in PARTS:
            complaint = (
                None
                if books[part] == expected[part]
                else first_difference(ledger.parts(part), other.parts(part))
            )
            self.check(f"{name}: {part}", complaint)
        self.check(
            f"{name}: sums",
            (
                None
                if books["sums"] == expected["sums"]
                else f"{books['sums']}, expected {expected['sums']}"
            ),
        )
        here, there = (set(of["waiting"]) for of in (books, expected))
        some = lambda pairs: f"{len(pairs)}, such as {sorted(pairs)[:2]}"  # noqa: E731
        self.check(
            f"{name}: what waits",
            (
                None
                if here == there
                else f"too many: {some(here - there)}; missing: {some(there - here)}"
            ),
        )


def first_difference(found, expected):
    for number, (here, there) in enumerate(zip_longest(found, expected), 1):
        if here != there:
            return f"line {number} of the export\n    here     {here}\n    expected {there}"
    return "the export is another one each time"


def wrong_counts(meta, books, booked):
    """How a ledger differs from what the generator knows of its calls; None if it does not."""
    counts = {}
    for _, reason in books["waiting"]:
        counts[reason] = counts.get(reason, 0) + 1
    found = {reason: counts.get(reason, 0) for reason in ("invalid-target", "no-rate")}
    # Two versions of one call are one pair of id and reason.
    found["conflicting-duplicate"] = 2 * counts.get("conflicting-duplicate", 0)
    found["orphans"] = counts.get("parent-missing", 0) + counts.get("parent-never-arrived", 0)
    found["booked"] = booked
    wanted = {**meta["waiting"], "booked": meta["booked"]}
    return None if found == wanted else f"found {found}, expected {wanted}"


def books_nothing(summary):
    names = ("rated", "free", "legs")
    return (
        None
        if not any(summary[name] for name in names)
        else f"{ {name: summary[name] for name in names} }"
    )


def other_order(count, after, rng):
    """A random order of the nights that keeps every pair of `after`."""
    order, left = [], set(range(count))
    while left:
        ready = [
            night
            for night in sorted(left)
            if not any(first in left for first, second in after if second == night)
        ]
        order.append(rng.choice(ready))
        left.remove(order[-1])
    return order


# ---- The benchmark -------------------------------------------------------------------------------


def rate_nights(ledger, order):
    """Rates nights one by one. Returns a list of (night, measures, summary)."""
    nights = []
    for place, night in enumerate(order, 1):
        measures, summary = ledger.run([night])
        nights.append((night, measures, summary))
        print(
            f"run {place} of {len(order)}: night {night + 1}: {in_short(measures)}", file=sys.stderr
        )
    return nights


def in_short(measures):
    return (
        f"{measures['cpu_seconds']:.2f} s CPU, {measures['wall_seconds']:.2f} s wall,"
        f" {measures['peak_mib']:.0f} MiB"
    )


def verify(ledger, laws, name):
    measures, _ = ledger.command("verify")
    laws.check(f"verify finds nothing wrong: {name}", None)
    return measures


def summed(nights):
    """Sums of the runs' own summaries: calls booked, legs, amounts."""
    amounts = {}
    for _, _, summary in nights:
        for currency, amount in summary["amount"].items():
            amounts[currency] = amounts.get(currency, Decimal(0)) + Decimal(amount)
    booked = sum(summary["rated"] + summary["free"] for _, _, summary in nights)
    return booked, sum(summary["legs"] for _, _, summary in nights), amounts


def knows(binary, command):
    return subprocess.run([binary, "help", command], capture_output=True).returncode == 0


def undo_and_again(ledger, laws, expected, other, last_night, last_run, run_again):
    """Takes the repeated and the last night back, and rates the last one again. Returns the
    measures of the undo."""
    undo = lambda run: ledger.command("undo", run, "--reason", "benchmark")[0]  # noqa: E731
    undo(run_again)
    measures = undo(last_run)
    verify(ledger, laws, "after undo of the last night")
    ledger.run([last_night])
    laws.same("the last night undone and rated again", ledger, other, expected)
    return measures


def one_by_one(ledger, meta, laws):
    """The nights in order, then the last again, and the commands. Returns (nights, commands'
    measures, the two last runs)."""
    nights = rate_nights(ledger, range(meta["nights"]))
    commands = {"verify": verify(ledger, laws, "nights in order")}
    before = ledger.books()
    commands["the last night again"], again = ledger.run([meta["nights"] - 1])
    laws.check("the last night again books nothing", books_nothing(again))
    laws.check(
        "the last night again changes no export",
        None if ledger.books() == before else "an export changed",
    )
    # A call from the middle: its run is neither the first nor the last that is looked into.
    sid = meta["samples"][len(meta["samples"]) // 2]
    commands["rerate SID"], _ = ledger.command("rerate", sid)
    commands["log --call SID"], _ = ledger.command("log", "--call", sid)
    commands.update(finds(ledger, sid))
    return nights, commands, (nights[-1][2]["run_id"], again["run_id"])


def finds(ledger, sid):
    """Calls found by what a support agent knows. Returns the measures of each way."""
    _, output = ledger.command("log", "--call", sid, "--format", "json")
    parent = json.loads(output)[0]
    number, day = parent["from"], parent["start_time"][:10]
    ways = {
        "calls PREFIX": [sid[:14]],
        "calls NUMBER DAY": [number, day],
        "calls NUMBER": [number],
        "calls last DIGITS": [number[-7:]],
    }
    return {
        name: ledger.command("calls", *words, "--format", "jsonl")[0]
        for name, words in ways.items()
    }


def prove(args, meta, folder, laws):
    """Fills the ledgers and holds the laws against them. Returns all measures."""
    ledger = Ledger(args.bin, args.data, folder / "nights")
    nights, commands, (last_run, run_again) = one_by_one(ledger, meta, laws)
    big = Ledger(args.bin, args.data, folder / "big")
    commands["one run over all nights"], summary = big.run(range(meta["nights"]))
    print(
        f"one run over all nights: {in_short(commands['one run over all nights'])}", file=sys.stderr
    )
    commands["verify of that one run"] = verify(big, laws, "one run over all nights")
    expected = big.books()
    laws.check(
        "one run over all nights books what the generator knows",
        wrong_counts(meta, expected, summary["rated"] + summary["free"]),
    )
    laws.same("the nights in order, and one run over all", ledger, big, expected)
    whole = summed([(None, None, summary)])
    laws.check(
        "the nights in order: the summaries add up to that of one run",
        None if summed(nights) == whole else f"{summed(nights)}, expected {whole}",
    )
    if knows(args.bin, "undo"):
        commands["undo of the last night"] = undo_and_again(
            ledger, laws, expected, big, meta["nights"] - 1, last_run, run_again
        )
    orders = []
    rng = random.Random(args.seed + 2)
    for number in range(1, args.orders + 1):
        order = other_order(meta["nights"], [tuple(pair) for pair in meta["after"]], rng)
        other = Ledger(args.bin, args.data, folder / f"order-{number}")
        other_nights = rate_nights(other, order)
        verify(other, laws, f"order {number}")
        laws.same(f"order {number}, and one run over all", other, big, expected)
        same = summed(other_nights) == whole
        laws.check(
            f"order {number}: the summaries add up to that of one run",
            None if same else f"{summed(other_nights)}, expected {whole}",
        )
        orders.append({"order": [night + 1 for night in order], "nights": report_of(other_nights)})
        shutil.rmtree(other.folder)
    return nights, commands, orders


def ratios(nights):
    """Last night to second night, and the same of medians of three: CPU and memory."""
    of = lambda name, places: median(nights[place][1][name] for place in places)  # noqa: E731
    last = len(nights) - 1
    ends = {"one night": ([1], [last]), "median of three": ([1, 2, 3], [last - 2, last - 1, last])}
    return {
        way: {name: of(name, late) / of(name, early) for name in ("cpu_seconds", "peak_mib")}
        for way, (early, late) in ends.items()
    }


def report_of(nights):
    return [
        {"night": night + 1, **measures, "summary": summary} for night, measures, summary in nights
    ]


def print_tables(nights, commands, found):
    print(
        f"{'night':>5} {'CPU s':>7} {'wall s':>7} {'MiB':>6} {'read':>8} {'retried':>8}"
        + "".join(f" {name:>9}" for name in CLASSES)
    )
    for night, measures, summary in nights:
        counts = "".join(f" {summary[name]:>9,}" for name in CLASSES)
        print(
            f"{night + 1:>5} {measures['cpu_seconds']:>7.2f} {measures['wall_seconds']:>7.2f}"
            f" {measures['peak_mib']:>6.0f} {summary['read']:>8,} {summary['retried']:>8,}{counts}"
        )
    print()
    width = max(map(len, commands))
    for name, measures in commands.items():
        print(f"{name:<{width}}  {in_short(measures)}")
    print()
    for way, ratio in found.items():
        print(
            f"last nights / second night, {way:<15}  CPU {ratio['cpu_seconds']:.2f}  memory"
            f" {ratio['peak_mib']:.2f}"
        )


def check_limits(args, found, laws):
    ratio = found["median of three"]
    for name, limit, measure_of in (
        ("CPU", args.cpu_limit, "cpu_seconds"),
        ("memory", args.memory_limit, "peak_mib"),
    ):
        if limit:
            complaint = None if ratio[measure_of] <= limit else f"{ratio[measure_of]:.2f} times"
            laws.check(
                f"the last nights take at most {limit} times the {name} of the second", complaint
            )


def add_arguments(parser):
    """The arguments that every measure of many nights takes."""
    parser.add_argument("--nights", type=int, default=30, metavar="N")
    parser.add_argument(
        "--calls", type=int, default=100_000, metavar="C", help="rows of a night (100000)"
    )
    parser.add_argument(
        "--bin", type=Path, default=Path("target/release/trunkrate"), metavar="FILE"
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="the nights, written if absent (target/bench/nights-NxC)",
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path, metavar="FILE", help="writes every single measure too")


def parsed(parser):
    """Parses and checks them."""
    args = parser.parse_args()
    if args.nights < 6 or args.calls < 1000:
        parser.error("--nights must be 6 or more, --calls 1000 or more")
    args.data = (args.data or Path("target/bench") / f"nights-{args.nights}x{args.calls}").resolve()
    args.bin = args.bin.resolve()
    return args


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser)
    parser.add_argument("--orders", type=int, default=2, metavar="K", help="other orders (2)")
    parser.add_argument(
        "--cpu-limit",
        type=float,
        default=1.3,
        metavar="X",
        help="of the last nights, in second nights (1.3)",
    )
    parser.add_argument(
        "--memory-limit",
        type=float,
        default=1.1,
        metavar="X",
        help="the same for memory (1.1: noise)",
    )
    args = parsed(parser)
    if args.orders < 0:
        parser.error("--orders must be 0 or more")
    return args


def main():
    args = arguments()
    # A kill must leave no temporary ledger behind either.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if not os.access(args.bin, os.X_OK):
        fail(f"no program at {args.bin}; hint: cargo build --release")
    meta = ensure_data(args.data, args)
    laws, ran_on = Laws(), machine()
    when = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    with tempfile.TemporaryDirectory(prefix="run-", dir=args.data) as folder:
        nights, commands, orders = prove(args, meta, Path(folder), laws)
    found = ratios(nights)
    check_limits(args, found, laws)
    print_tables(nights, commands, found)
    versions = {
        "trunkrate": first_line([args.bin, "--version"]),
        "python": platform.python_version(),
    }
    print(
        f"{args.nights} nights of {args.calls:,} rows, {meta['booked']:,} calls; {ran_on['cpu']},"
        f" {ran_on['cores']} cores; {versions['trunkrate']}; {when}"
    )
    if ran_on["load_before"] > 0.5:
        print(
            f"warning: the load was {ran_on['load_before']} before the first run: the machine was"
            " not quiet, the CPU seconds are too high"
        )
    if args.json:
        report = {
            "when": when,
            "nights": args.nights,
            "calls": args.calls,
            "seed": args.seed,
            "machine": ran_on,
            "versions": versions,
            "laws": laws.held,
            "ratios": found,
            "commands": commands,
            "in_order": report_of(nights),
            "orders": orders,
        }
        args.json.write_text(json.dumps(report, indent=2) + "\n")
    broken = [law for law, complaint in laws.held.items() if complaint]
    print(
        f"{len(laws.held) - len(broken)} laws hold"
        + (f", BROKEN: {'; '.join(broken)}" if broken else "")
    )
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
