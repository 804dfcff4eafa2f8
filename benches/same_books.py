#!/usr/bin/env python3
"""Whether a rival that does the whole job wrote what a ledger's only run holds: every row of legs
and log, in order, and the ids.

    same_books.py LEDGER OUT        exit code 1, and the first difference, if they differ

Compared are all columns but the run's name, by value: decimals of another scale and texts kept as a
dictionary are the same. What
the rival's ids say is held against the log: the n-th row of a day is where its id says that it is.
"""

import sys
from pathlib import Path

import polars as pl

ROWS = 1 << 18  # compared at a time


def fail(message):
    print(f"same_books.py: {message}", file=sys.stderr)
    raise SystemExit(1)


def plain(frame):
    """Dictionaries as texts, decimals as wide as any, integers of 64 bits."""
    kinds = {
        name: (
            pl.String
            if kind in (pl.Categorical, pl.Enum)
            else (
                pl.Decimal(38, 10)
                if kind == pl.Decimal
                else pl.Int64 if kind.is_integer() else kind
            )
        )
        for name, kind in frame.schema.items()
    }
    return frame.cast(kinds)


def check_rows(ours, theirs, table):
    columns = [name for name in pl.read_parquet_schema(ours) if name != "run_id"]
    ours, theirs = pl.scan_parquet(ours, hive_partitioning=False), pl.scan_parquet(
        theirs, hive_partitioning=False
    )
    rows, others = (frame.select(pl.len()).collect().item() for frame in (ours, theirs))
    if rows != others:
        fail(f"{table}: {rows:,} rows in the ledger, {others:,} of the rival")
    for start in range(0, rows, ROWS):
        left, right = (
            plain(frame.slice(start, ROWS).select(columns).collect()) for frame in (ours, theirs)
        )
        if not left.equals(right):
            for column in columns:
                differs = left[column].ne_missing(right[column])
                if differs.any():
                    row = differs.arg_true()[0]
                    fail(
                        f"{table}, row {start + row}, {column}: {left[column][row]!r} in the"
                        f" ledger, {right[column][row]!r} of the"
                        f" rival\n{left.row(row)}\n{right.row(row)}"
                    )
            fail(f"{table}, from row {start}: other types, {left.schema} and {right.schema}")
    return rows


def check_ids(out, days):
    """The ids are in order, and lead to their calls; so do the children's."""

    def in_hex(name):  # DuckDB's UUID is 16 bytes too
        return pl.col(name).bin.encode("hex")

    log = pl.concat(
        [
            pl.scan_parquet(path, hive_partitioning=False)
            .select("call_sid", "parent_call_sid")
            .with_row_index("row")
            .with_columns(date=pl.lit(day).str.to_date())
            for day, path in days.items()
        ]
    ).with_columns(pl.col("call_sid", "parent_call_sid").str.slice(2), pl.col("row").cast(pl.Int64))
    of_calls = log.select("date", "row", id="call_sid").sort("id").collect()
    of_children = (
        log.filter(pl.col("parent_call_sid").is_not_null())
        .select("date", "row", root="parent_call_sid")
        .sort("root", "date", "row")
        .collect()
    )
    for name, expected in (("part-0", of_calls), ("children-0", of_children)):
        found = pl.read_parquet(out / f"ids/{name}.parquet")
        key = expected.columns[-1]
        found = found.select("date", pl.col("row").cast(pl.Int64), in_hex(key))
        if not found.equals(expected):
            fail(f"ids/{name}: they are not in order, or do not lead to their calls")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    ledger, out = map(Path, sys.argv[1:])
    (run,) = (ledger / "runs").iterdir()
    found = {}
    for table in ("legs", "calls"):
        here, there = (
            {
                path.parent.name.removeprefix("date="): path
                for path in sorted((folder / table).rglob("*.parquet"))
            }
            for folder in (run, out)
        )
        if here.keys() != there.keys() or not here:
            fail(
                f"{table}: the days {', '.join(here)} in the ledger, {', '.join(there)} of the"
                " rival"
            )
        found[table] = sum(check_rows(here[day], there[day], f"{table} of {day}") for day in here)
    check_ids(out, there)
    print(f"the same: {found['legs']:,} legs, {found['calls']:,} calls, and their ids")


if __name__ == "__main__":
    main()
