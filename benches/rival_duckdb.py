#!/usr/bin/env python3
"""The job in DuckDB, with as many threads as DuckDB likes: the legs alone, or the whole of what
`trunkrate run` does with them.

    rival_duckdb.py CALLS.csv|CALLS.parquet RATES OUT             writes OUT/legs.parquet and
    OUT/totals.csv
    rival_duckdb.py --whole CALLS.csv|CALLS.parquet RATES OUT     writes OUT/legs, calls and ids,
    manifest.json and totals.csv

The legs alone are rival_duckdb.sql. The whole job is rival_duckdb_whole.sql and `whole` below: also
duplicates, the call log, both
sorted and cut by day, sorted ids, the conservation law and the BLAKE3 of every file that was read
or written (rival_books.py).
"""

import re
import sys
import tomllib
from pathlib import Path
from string import Template

import duckdb

import rival_books

HERE = Path(__file__).resolve().parent


def terms(rates):
    """What the deck says for all its rows; the fee in hundred-thousandths, which must be a whole
    number."""
    deck = tomllib.loads((Path(rates) / "deck.toml").read_text())
    whole, _, fraction = deck["connection_fee"].partition(".")
    return deck | {"fee_units": int(whole + fraction.ljust(5, "0"))}


def lookups():
    """A join per prefix length, longest first. A prefix longer than the number must not match the
    zeros that fill it up."""
    joins, found = [], {"d": [], "o": []}
    for n in range(9, 0, -1):
        cut = 10 ** (9 - n)
        for alias, table, key, number in (
            (
                "d",
                "destinations",
                f"CASE WHEN l.termination THEN 1 ELSE -1 END * (l.head // {cut})",
                "l.rated_number",
            ),
            ("o", "origins", f"l.origin_head // {cut}", "l.origin_number"),
        ):
            longer = (
                f" AND length({number}) > {n}" if n > 7 else ""
            )  # a number has 7 digits at least, and a plus
            joins.append(
                f"  LEFT JOIN (SELECT longest FROM {table} WHERE digits = {n}) {alias}{n} ON"
                f" {alias}{n}.longest = {key}{longer}"
            )
            found[alias].append(f"{alias}{n}.longest")
    return {
        "lookups": "\n".join(joins),
        "destination_found": ", ".join(found["d"]),
        "origin_found": ", ".join(found["o"]),
    }


class Script:
    """SQL files with what stands after a dollar sign filled in. A section begins with a line `--
    ==== its name`."""

    def __init__(self, calls, rates, out):
        self.engine = duckdb.connect()
        reader = (
            f"'{calls}'"
            if calls.endswith(".parquet")
            else (
                f"read_csv('{calls}', header = true, all_varchar = true, delim = ',', quote = '\"')"
            )
        )
        self.values = {
            **terms(rates),
            **lookups(),
            "calls": reader,
            "rates": rates,
            "out": out,
            "run": rival_books.RUN,
        }
        self.values["parquet"] = (
            "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, PARQUET_VERSION v2,"
            " DICTIONARY_SIZE_LIMIT 5000"
        )

    def run(self, sql, **more):
        """The rows of the last statement."""
        return self.engine.execute(Template(sql).substitute(self.values, **more)).fetchall()

    def sections(self, name):
        _, *parts = re.split(r"^-- ==== (.*)$", (HERE / name).read_text(), flags=re.MULTILINE)
        return dict(zip(parts[::2], parts[1::2]))


def whole(script, calls, rates, out):
    part = script.sections("rival_duckdb_whole.sql")
    script.run(part["records"])
    ((read, repeated),) = script.run(part["repeated"])
    script.run(part["calls, one of each id" if repeated else "calls, none repeated"])
    script.run(part["rows"])
    for (date,) in script.engine.execute(
        "SELECT DISTINCT date FROM booked ORDER BY date"
    ).fetchall():
        for table in ("legs", "calls", "ids"):
            (Path(out) / table / (f"date={date}" if table != "ids" else "")).mkdir(
                parents=True, exist_ok=True
            )
        script.run(part["a day"], date=date)
    script.run(part["ids"])
    others = {"duplicate": repeated, **dict(script.run(part["waits"]))}
    inputs = [calls, *sorted(path for path in Path(rates).iterdir() if path.is_file())]
    rival_books.publish(
        out,
        inputs,
        read,
        others,
        script.run(part["log"]),
        script.run(part["legs"]),
        script.run(part["ids read back"])[0],
    )


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--whole"]
    if len(arguments) != 3:
        sys.exit(__doc__)
    script = Script(*arguments)
    script.run((HERE / "rival_duckdb_deck.sql").read_text())
    if "--whole" in sys.argv:
        whole(script, *arguments)
    else:
        script.run((HERE / "rival_duckdb.sql").read_text())


if __name__ == "__main__":
    main()
