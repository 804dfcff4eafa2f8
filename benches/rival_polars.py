#!/usr/bin/env python3
"""The job in Python polars: the legs alone, or the whole of what `trunkrate run` does with them
(rival_polars_whole.py).

    rival_polars.py CALLS.csv|CALLS.parquet RATES OUT             writes OUT/legs.parquet and
    OUT/totals.csv
    rival_polars.py --whole CALLS.csv|CALLS.parquet RATES OUT     writes OUT/legs, calls and ids,
    manifest.json and totals.csv

How prices are found is told in rival_polars_deck.py.

Tried with polars 2.1 on a busy machine, in CPU seconds per million calls (this: 2.3), so take them
as orders of size:
  everything lazy to the end, the calls' file read anew for each kind of leg      +4.1, and 3 GiB
  the engine in memory instead of the streaming one                               +0.3, and 200 MiB
"""

import sys
from pathlib import Path

import polars as pl

from rival_polars_deck import Deck


def read(path):
    calls = (
        pl.scan_parquet(path)
        if path.endswith(".parquet")
        else pl.scan_csv(path, infer_schema=False)
    )
    return calls.select(
        "sid",
        "parent_call_sid",
        "account_sid",
        "trunk_sid",
        "start_time",
        "refer_to",
        a="from",
        b="to",
        termination=pl.col("direction") == "trunking-terminating",
        duration=pl.col("duration").cast(pl.Int32),
        bills=(pl.col("status") == "completed") & (pl.col("duration") != "0"),
    )


def with_parents(calls):
    """The children that bill: A and B are their parent's, C is the transfer's target, a number or a
    SIP endpoint."""
    roots = calls.filter(pl.col("parent_call_sid").is_null()).select("sid", "termination", "a", "b")
    children = calls.filter(pl.col("parent_call_sid").is_not_null() & pl.col("bills")).drop(
        "termination", "a", "b"
    )
    pstn = pl.col("refer_to").str.contains(".pstn.twilio.com>", literal=True)
    number = pl.col("refer_to").str.split_exact("@", 1).struct[0].str.strip_prefix("<sip:")
    return children.join(roots, left_on="parent_call_sid", right_on="sid").with_columns(
        pstn=pstn, c=pl.when(pstn).then(number).otherwise(pl.col("refer_to"))
    )


def legs_of(roots, children):
    """The published table, line by line: from and to of the leg, the number that is rated, the
    origin (none: unknown)."""
    termination, pstn = pl.col("termination"), pl.col("pstn")

    def leg(calls, scenario, number, service, leg_from, leg_to, rated, origin):
        return calls.select(
            "parent_call_sid",
            "account_sid",
            "trunk_sid",
            "start_time",
            call_sid="sid",
            scenario=pl.lit(scenario),
            leg=pl.lit(number, pl.Int8),
            service=pl.lit(service),
            leg_from=leg_from,
            leg_to=leg_to,
            rated_number=rated,
            origin_number=pl.col(origin) if origin else pl.lit(None, pl.String),
            duration_seconds="duration",
            currency=pl.lit("USD"),
        )

    to_sip, to_pstn = children.filter(termination & ~pstn), children.filter(termination & pstn)
    from_pstn_to_sip, from_pstn_to_pstn = children.filter(~termination & ~pstn), children.filter(
        ~termination & pstn
    )
    return pl.concat(
        [
            leg(roots.filter(termination), "termination", 1, "termination", "a", "b", "b", "a"),
            leg(roots.filter(~termination), "origination", 1, "origination", "a", "b", "b", "a"),
            leg(to_sip, "termination-to-sip", 1, "termination", "c", "b", "b", None),
            leg(to_pstn, "termination-to-pstn", 1, "termination", "a", "b", "b", "a"),
            leg(to_pstn, "termination-to-pstn", 2, "termination", "a", "c", "c", "a"),
            leg(from_pstn_to_sip, "origination-to-sip", 1, "origination", "a", "c", "b", "a"),
            leg(from_pstn_to_pstn, "origination-to-pstn", 1, "origination", "a", "b", "b", "a"),
            leg(from_pstn_to_pstn, "origination-to-pstn", 2, "termination", "b", "c", "c", "b"),
        ]
    )


def legs_alone(source, rates, out):
    deck = Deck(Path(rates))
    # Calls and children are collected on the way: each is used more than once.
    calls = read(source).collect(engine="streaming").lazy()
    children = with_parents(calls).collect(engine="streaming").lazy()
    roots = calls.filter(pl.col("parent_call_sid").is_null() & pl.col("bills"))
    legs = Path(out) / "legs.parquet"
    deck.rate(legs_of(roots, children)).drop("line").sink_parquet(
        legs, compression="zstd", compression_level=1
    )
    totals = (
        pl.scan_parquet(legs)
        .group_by("account_sid")
        .agg(pl.col("amount").sum())
        .sort("account_sid")
    )
    totals.collect(engine="streaming").write_csv(Path(out) / "totals.csv", include_header=False)


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--whole"]
    if len(arguments) != 3:
        sys.exit(__doc__)
    if "--whole" in sys.argv:
        from rival_polars_whole import whole

        whole(*arguments)
    else:
        legs_alone(*arguments)


if __name__ == "__main__":
    main()
