#!/usr/bin/env python3
"""The whole job in DuckDB: rival_duckdb.sql over these calls and rates, with as many threads as DuckDB likes.

    rival_duckdb.py CALLS.csv|CALLS.parquet RATES OUT       writes OUT/legs.parquet and OUT/totals.csv
"""

import sys
import tomllib
from pathlib import Path
from string import Template

import duckdb


def terms(rates):
    """What the deck says for all its rows; the fee in hundred-thousandths, which must be a whole number."""
    deck = tomllib.loads((Path(rates) / "deck.toml").read_text())
    whole, _, fraction = deck["connection_fee"].partition(".")
    return {name: deck[name] for name in ("initial_increment", "increment", "minimum")} | {"fee_units": int(whole + fraction.ljust(5, "0"))}


def lookups():
    """A join per prefix length, longest first. A prefix longer than the number must not match the zeros that fill it up."""
    joins, found = [], {"d": [], "o": []}
    for n in range(9, 0, -1):
        cut = 10 ** (9 - n)
        for alias, table, key, number in (
            ("d", "destinations", f"CASE WHEN l.termination THEN 1 ELSE -1 END * (l.head // {cut})", "l.rated_number"),
            ("o", "origins", f"l.origin_head // {cut}", "l.origin_number"),
        ):
            longer = f" AND length({number}) > {n}" if n > 7 else ""  # a number has 7 digits at least, and a plus
            joins.append(f"  LEFT JOIN (SELECT longest FROM {table} WHERE digits = {n}) {alias}{n} ON {alias}{n}.longest = {key}{longer}")
            found[alias].append(f"{alias}{n}.longest")
    return {"lookups": "\n".join(joins), "destination_found": ", ".join(found["d"]), "origin_found": ", ".join(found["o"])}


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    calls, rates, out = sys.argv[1:]
    reader = f"'{calls}'" if calls.endswith(".parquet") else f"read_csv('{calls}', header = true, all_varchar = true, delim = ',', quote = '\"')"
    sql = Template(Path(__file__).with_suffix(".sql").read_text())
    duckdb.connect().execute(sql.substitute(terms(rates), **lookups(), calls=reader, rates=rates, out=out))


if __name__ == "__main__":
    main()
