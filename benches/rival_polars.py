#!/usr/bin/env python3
"""The whole job in Python polars: rates and calls in, rated legs and totals out.

    rival_polars.py CALLS.csv|CALLS.parquet RATES OUT       writes OUT/legs.parquet and OUT/totals.csv

Longest prefix: a number's first nine digits are a point on a line, a prefix is a span of it. Plain Python cuts the nested
spans into disjoint ones, once; then a binary search among their beginnings (search_sorted) gives the longest prefix of
every number at once. Origins that are in the same groups are one class, and there are few of them: a table holds the answer
for each span and class, and rating a leg is two searches and a few look-ups, without any join.

Tried with polars 2.1 on a busy machine, in CPU seconds per million calls (this: 2.3), so take them as orders of size:
  everything lazy to the end, the calls' file read anew for each kind of leg      +4.1, and 3 GiB
  the engine in memory instead of the streaming one                               +0.3, and 200 MiB
"""

import csv
import sys
import tomllib
from functools import cache
from pathlib import Path

import polars as pl

DIGITS = 9  # of a number are looked at: no prefix may be longer
END = 10**DIGITS


# ---- The deck -------------------------------------------------------------------------------------------------------


def disjoint(prefixes):
    """Cuts the spans of prefixes into disjoint ones. Returns (where each begins, its longest prefix or '')."""
    def span(prefix):
        width = 10 ** (DIGITS - len(prefix))
        return int(prefix) * width, (int(prefix) + 1) * width

    begins, longest, open_spans = [0], [""], [(END, "")]

    def change(at, prefix):
        if begins[-1] == at:
            longest[-1] = prefix
        else:
            begins.append(at)
            longest.append(prefix)

    for prefix in [*sorted(prefixes), None]:  # sorted as text: a prefix comes before those that are longer
        begin, end = span(prefix) if prefix else (END, END)
        while open_spans and open_spans[-1][0] <= begin:
            closed, _ = open_spans.pop()
            if open_spans:
                change(closed, open_spans[-1][1])
        if prefix:
            change(begin, prefix)
            open_spans.append((end, prefix))
    return begins, longest


class Deck:
    """The rates as arrays: which place in them a number has, and what stands there."""

    def __init__(self, folder):
        self.terms = tomllib.loads((folder / "deck.toml").read_text())
        groups, rows = {}, {}
        for path in sorted(folder.glob("*.csv")):
            with open(path, newline="", encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    group = groups.setdefault(row["Origination Prefixes"], len(groups))
                    for destination in row["Destination Prefixes"].split(", "):
                        rows.setdefault((row["Service"] or "termination", destination), {})[group] = row["Price / min"]
        members = [text.split(", ") for text in groups]

        # Origins: their class, and the prefix by which each group admits them.
        begins, origins = disjoint({origin for group in members for origin in group if origin})
        admitted = [[max((p for p in group if origin.startswith(p)), key=len, default=None) for group in members] for origin in origins]
        classes = {}
        class_of = []
        for prefixes in admitted:
            usable = sorted((group for group, prefix in enumerate(prefixes) if prefix is not None), key=lambda group: -len(prefixes[group]))
            class_of.append(classes.setdefault(tuple(usable), len(classes)))
        self.origin_begins, self.class_of = pl.Series(begins, dtype=pl.Int32), pl.Series(class_of, dtype=pl.UInt32)
        self.admitted_by = pl.Series([prefix for prefixes in admitted for prefix in prefixes], dtype=pl.String)

        # Destinations: the answer for each span and class. The line of origination follows that of termination.
        @cache
        def answer(service, prefix, usable):
            """(price, destination prefix, group): the longest prefix that the class may use, its first group."""
            if not prefix:
                return None, None, 0
            own = rows.get((service, prefix), {})
            group = next((group for group in usable if group in own), None)
            return answer(service, prefix[:-1], usable) if group is None else (own[group], prefix, group)

        begins, answers = [], []
        for service, offset in (("termination", 0), ("origination", END)):
            spans, longest = disjoint({destination for name, destination in rows if name == service})
            begins += [begin + offset for begin in spans]
            answers += [answer(service, prefix, usable) for prefix in longest for usable in classes]
        price, destination, group = zip(*answers)
        self.groups, self.classes = len(groups), len(classes)
        self.begins = pl.Series(begins, dtype=pl.Int32)
        self.price = pl.Series(price, dtype=pl.String).cast(pl.Decimal(18, 5))
        self.destination, self.group = pl.Series(destination, dtype=pl.String), pl.Series(group, dtype=pl.UInt32)

    def rate(self, legs):
        """Adds price, prefixes, billed seconds and amount to the legs."""
        def place(begins, head):
            return pl.lit(begins).search_sorted(head, side="right") - 1

        def head(number):
            return pl.col(number).str.slice(1, DIGITS).str.pad_end(DIGITS, "0").cast(pl.Int32)

        def at(values, index):
            return pl.lit(values).gather(index)

        offset = pl.when(pl.col("service") == "origination").then(END).otherwise(0).cast(pl.Int32)
        legs = legs.with_columns(span=place(self.begins, head("rated_number") + offset), origin=place(self.origin_begins, head("origin_number").fill_null(0)))
        legs = legs.with_columns(cell=pl.col("span") * self.classes + at(self.class_of, "origin"))
        first, step = self.terms["initial_increment"], self.terms["increment"]
        seconds = pl.max_horizontal("duration_seconds", pl.lit(self.terms["minimum"], pl.Int32))
        legs = legs.with_columns(
            price_per_minute=at(self.price, "cell"),
            destination_prefix=at(self.destination, "cell"),
            origin_prefix=at(self.admitted_by, pl.col("origin") * self.groups + at(self.group, "cell")),
            billed_seconds=pl.when(seconds <= first).then(first).otherwise(first + (seconds - first + step - 1) // step * step).cast(pl.Int32),
        )
        # Half up at the fifth decimal in whole numbers, which is exact and cheap.
        units = (pl.col("price_per_minute") * 100_000).cast(pl.Int64)
        amount = ((2 * units * pl.col("billed_seconds") + 60) // 120).cast(pl.Decimal(18, 0)) * pl.lit("0.00001").cast(pl.Decimal(6, 5))
        fee = pl.lit(self.terms["connection_fee"]).cast(pl.Decimal(18, 5))
        return legs.with_columns(amount=(amount + fee).cast(pl.Decimal(18, 5))).drop("span", "origin", "cell")


# ---- The calls ------------------------------------------------------------------------------------------------------


def read(path):
    calls = pl.scan_parquet(path) if path.endswith(".parquet") else pl.scan_csv(path, infer_schema=False)
    return calls.select(
        "sid", "parent_call_sid", "account_sid", "trunk_sid", "start_time", "refer_to", a="from", b="to",
        termination=pl.col("direction") == "trunking-terminating",
        duration=pl.col("duration").cast(pl.Int32), bills=(pl.col("status") == "completed") & (pl.col("duration") != "0"),
    )


def with_parents(calls):
    """The children that bill: A and B are their parent's, C is the transfer's target, a number or a SIP endpoint."""
    roots = calls.filter(pl.col("parent_call_sid").is_null()).select("sid", "termination", "a", "b")
    children = calls.filter(pl.col("parent_call_sid").is_not_null() & pl.col("bills")).drop("termination", "a", "b")
    pstn = pl.col("refer_to").str.contains(".pstn.twilio.com>", literal=True)
    number = pl.col("refer_to").str.split_exact("@", 1).struct[0].str.strip_prefix("<sip:")
    return children.join(roots, left_on="parent_call_sid", right_on="sid").with_columns(
        pstn=pstn, c=pl.when(pstn).then(number).otherwise(pl.col("refer_to"))
    )


def legs_of(roots, children):
    """The published table, line by line: from and to of the leg, the number that is rated, the origin (none: unknown)."""
    termination, pstn = pl.col("termination"), pl.col("pstn")

    def leg(calls, scenario, number, service, leg_from, leg_to, rated, origin):
        return calls.select(
            "parent_call_sid", "account_sid", "trunk_sid", "start_time", call_sid="sid", scenario=pl.lit(scenario), leg=pl.lit(number, pl.Int8),
            service=pl.lit(service), leg_from=leg_from, leg_to=leg_to, rated_number=rated,
            origin_number=pl.col(origin) if origin else pl.lit(None, pl.String), duration_seconds="duration", currency=pl.lit("USD"),
        )

    to_sip, to_pstn = children.filter(termination & ~pstn), children.filter(termination & pstn)
    from_pstn_to_sip, from_pstn_to_pstn = children.filter(~termination & ~pstn), children.filter(~termination & pstn)
    return pl.concat([
        leg(roots.filter(termination), "termination", 1, "termination", "a", "b", "b", "a"),
        leg(roots.filter(~termination), "origination", 1, "origination", "a", "b", "b", "a"),
        leg(to_sip, "termination-to-sip", 1, "termination", "c", "b", "b", None),
        leg(to_pstn, "termination-to-pstn", 1, "termination", "a", "b", "b", "a"),
        leg(to_pstn, "termination-to-pstn", 2, "termination", "a", "c", "c", "a"),
        leg(from_pstn_to_sip, "origination-to-sip", 1, "origination", "a", "c", "b", "a"),
        leg(from_pstn_to_pstn, "origination-to-pstn", 1, "origination", "a", "b", "b", "a"),
        leg(from_pstn_to_pstn, "origination-to-pstn", 2, "termination", "b", "c", "c", "b"),
    ])


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    source, rates, out = sys.argv[1:]
    deck = Deck(Path(rates))
    # Calls and children are collected on the way: each is used more than once.
    calls = read(source).collect(engine="streaming").lazy()
    children = with_parents(calls).collect(engine="streaming").lazy()
    roots = calls.filter(pl.col("parent_call_sid").is_null() & pl.col("bills"))
    legs = Path(out) / "legs.parquet"
    deck.rate(legs_of(roots, children)).sink_parquet(legs, compression="zstd", compression_level=1)
    totals = pl.scan_parquet(legs).group_by("account_sid").agg(pl.col("amount").sum()).sort("account_sid")
    totals.collect(engine="streaming").write_csv(Path(out) / "totals.csv", include_header=False)


if __name__ == "__main__":
    main()
