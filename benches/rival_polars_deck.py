"""The deck in polars, for the legs alone and for the whole job: arrays in which a leg finds its
price without any join.

Longest prefix: a number's first nine digits are a point on a line, a prefix is a span of it. Plain
Python cuts the nested
spans into disjoint ones, once; then a binary search among their beginnings (search_sorted) gives
the longest prefix of
every number at once. Origins that are in the same groups are one class, and there are few of them:
a table holds the answer
for each span and class, and rating a leg is two searches and a few look-ups.
"""

import csv
import tomllib
from functools import cache

import polars as pl

DIGITS = 9  # of a number are looked at: no prefix may be longer
END = 10**DIGITS


def disjoint(prefixes):
    """Cuts the spans of prefixes into disjoint ones. Returns (where each begins, its longest prefix
    or '')."""

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

    for prefix in [
        *sorted(prefixes),
        None,
    ]:  # sorted as text: a prefix comes before those that are longer
        begin, end = span(prefix) if prefix else (END, END)
        while open_spans and open_spans[-1][0] <= begin:
            closed, _ = open_spans.pop()
            if open_spans:
                change(closed, open_spans[-1][1])
        if prefix:
            change(begin, prefix)
            open_spans.append((end, prefix))
    return begins, longest


def at(values, index):
    """The values of a series at these places."""
    return pl.lit(values).gather(index)


class Deck:
    """The rates as arrays: which place in them a number has, and what stands there."""

    def __init__(self, folder):
        self.terms = tomllib.loads((folder / "deck.toml").read_text())
        groups, rows, lines = {}, {}, []
        for path in sorted(folder.glob("*.csv")):
            with open(path, newline="", encoding="utf-8") as file:
                for number, row in enumerate(csv.DictReader(file), 2):
                    group = groups.setdefault(row["Origination Prefixes"], len(groups))
                    for destination in row["Destination Prefixes"].split(", "):
                        rows.setdefault((row["Service"] or "termination", destination), {})[
                            group
                        ] = len(lines)
                    lines.append((row["Price / min"], row["Description"], path.name, number))
        members = [text.split(", ") for text in groups]

        # Origins: their class, and the prefix by which each group admits them.
        begins, origins = disjoint({origin for group in members for origin in group if origin})
        admitted = [
            [
                max((p for p in group if origin.startswith(p)), key=len, default=None)
                for group in members
            ]
            for origin in origins
        ]
        classes = {}
        class_of = []
        for prefixes in admitted:
            usable = sorted(
                (group for group, prefix in enumerate(prefixes) if prefix is not None),
                key=lambda group: -len(prefixes[group]),
            )
            class_of.append(classes.setdefault(tuple(usable), len(classes)))
        self.origin_begins, self.class_of = pl.Series(begins, dtype=pl.Int32), pl.Series(
            class_of, dtype=pl.UInt32
        )
        self.admitted_by = pl.Series(
            [prefix for prefixes in admitted for prefix in prefixes], dtype=pl.String
        )

        # Destinations: the answer for each span and class. The line of origination follows that of
        # termination.
        @cache
        def answer(service, prefix, usable):
            """(line, destination prefix, group): the longest prefix that the class may use, its
            first group."""
            if not prefix:
                return None, None, 0
            own = rows.get((service, prefix), {})
            group = next((group for group in usable if group in own), None)
            return (
                answer(service, prefix[:-1], usable)
                if group is None
                else (own[group], prefix, group)
            )

        begins, answers = [], []
        for service, offset in (("termination", 0), ("origination", END)):
            spans, longest = disjoint(
                {destination for name, destination in rows if name == service}
            )
            begins += [begin + offset for begin in spans]
            answers += [answer(service, prefix, usable) for prefix in longest for usable in classes]
        line, destination, group = zip(*answers)
        self.groups, self.classes = len(groups), len(classes)
        self.begins = pl.Series(begins, dtype=pl.Int32)
        self.destination, self.group = pl.Series(destination, dtype=pl.String), pl.Series(
            group, dtype=pl.UInt32
        )
        self.line = pl.Series(line, dtype=pl.UInt32)
        # Of each line: price, description, file, number.
        price, self.description, self.file, self.number = (
            pl.Series(column) for column in zip(*lines)
        )
        self.price = price.cast(pl.Decimal(18, 5)).gather(self.line)

    def rate(self, legs):
        """Adds price, prefixes, the price list's line, billed seconds and amount to the legs; nulls
        where nothing is rated."""

        def place(begins, head):
            return pl.lit(begins).search_sorted(head, side="right") - 1

        def head(number):
            return (
                pl.col(number)
                .str.slice(1, DIGITS)
                .str.pad_end(DIGITS, "0")
                .cast(pl.Int32)
                .fill_null(0)
            )

        offset = pl.when(pl.col("service") == "origination").then(END).otherwise(0).cast(pl.Int32)
        legs = legs.with_columns(
            span=place(self.begins, head("rated_number") + offset),
            origin=place(self.origin_begins, head("origin_number")),
        )
        legs = legs.with_columns(cell=pl.col("span") * self.classes + at(self.class_of, "origin"))
        first, step = self.terms["initial_increment"], self.terms["increment"]
        seconds = pl.max_horizontal("duration_seconds", pl.lit(self.terms["minimum"], pl.Int32))
        legs = legs.with_columns(
            price_per_minute=at(self.price, "cell"),
            line=at(self.line, "cell"),
            destination_prefix=at(self.destination, "cell"),
            origin_prefix=at(
                self.admitted_by, pl.col("origin") * self.groups + at(self.group, "cell")
            ),
            billed_seconds=pl.when(seconds <= first)
            .then(first)
            .otherwise(first + (seconds - first + step - 1) // step * step)
            .cast(pl.Int32),
        )
        # Half up at the fifth decimal in whole numbers, which is exact and cheap.
        units = (pl.col("price_per_minute") * 100_000).cast(pl.Int64)
        amount = ((2 * units * pl.col("billed_seconds") + 60) // 120).cast(
            pl.Decimal(18, 0)
        ) * pl.lit("0.00001").cast(pl.Decimal(6, 5))
        fee = pl.lit(self.terms["connection_fee"]).cast(pl.Decimal(18, 5))
        return legs.with_columns(amount=(amount + fee).cast(pl.Decimal(18, 5))).drop(
            "span", "origin", "cell"
        )
