#!/usr/bin/env python3
"""Checks generated benchmark data, and rates it slowly and simply: an oracle that shares no code
with trunkrate.

    check.py DIR

Checks that the deck prices no (service, destination, origin) twice, that the calls are what
generate.py promises
and that every leg has a rate. Prints the counts and the amount that `trunkrate run` must report for
the same data.
Takes about half a minute and 1 GiB per million calls.
"""

import csv
import json
import re
import sys
import tomllib
from collections import Counter
from datetime import datetime
from pathlib import Path

COLUMNS = "sid,parent_call_sid,account_sid,trunk_sid,direction,from,to,start_time,end_time,duration,status,price,price_unit,refer_to".split(
    ","
)
NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
PSTN_TARGET = re.compile(r"<sip:(\+[1-9][0-9]{6,14})@trunk[0-9]+\.pstn\.twilio\.com>")
SIP_TARGET = re.compile(r"sip:agent[0-9]+@pbx\.example\.com")
SHAPE = {
    "sid": re.compile("CA[0-9a-f]{32}"),
    "account_sid": re.compile("AC[0-9a-f]{32}"),
    "trunk_sid": re.compile("TK[0-9a-f]{32}"),
    "direction": re.compile("trunking-(terminating|originating)"),
    "from": NUMBER,
    "status": re.compile("completed|busy|no-answer"),
    "price": re.compile(r"(-0\.[0-9]{5})?"),
    "price_unit": re.compile("USD"),
}
NIGHT = ("2026-11-20T18:00:00Z", "2026-11-21T06:00:00Z")


class Deck:
    """The deck as nested dictionaries: service, destination prefix, origin prefix ('' is any),
    price in 1/100000."""

    def __init__(self, folder):
        self.terms = tomllib.loads((folder / "deck.toml").read_text())
        self.prices = {"termination": {}, "origination": {}}
        self.rows = self.entries = 0
        for path in sorted(folder.glob("*.csv")):
            with open(path, newline="", encoding="ascii") as file:
                for row in csv.DictReader(file):
                    self.rows += 1
                    price = int(row["Price / min"].replace(".", ""))
                    assert re.fullmatch(r"[0-9]+\.[0-9]{5}", row["Price / min"]), row
                    for destination in row["Destination Prefixes"].split(", "):
                        by_origin = self.prices[row["Service"]].setdefault(destination, {})
                        for origin in row["Origination Prefixes"].split(", "):
                            assert destination.isdecimal() and (
                                origin.isdecimal() or not origin
                            ), row
                            assert origin not in by_origin, (
                                f"priced twice: {row['Service']} {destination} from"
                                f" {origin or 'anywhere'}"
                            )
                            by_origin[origin] = price
                            self.entries += 1

    def price(self, service, destination, origin):
        """(price, destination prefix, origin prefix): longest destination the origin may use, then
        longest origin."""
        prices = self.prices[service]
        destination, origin = destination.lstrip("+"), origin.lstrip("+")
        for length in range(len(destination), 0, -1):
            by_origin = prices.get(destination[:length])
            if by_origin:
                for o in range(len(origin), -1, -1):
                    if origin[:o] in by_origin:
                        return by_origin[origin[:o]], length, o
        raise AssertionError(f"no rate: {service} to {destination} from {origin}")

    def amount(self, price, duration):
        first, step = self.terms["initial_increment"], self.terms["increment"]
        d = max(duration, self.terms["minimum"])
        billed = first if d <= first else first - (first - d) // step * step
        return (2 * price * billed + 60) // 120


def legs_of(root, target):
    """The published table: (service, rated number, origin) of each leg. `root` is (direction, A,
    B); no target: the root."""
    direction, a, b = root
    termination = direction == "trunking-terminating"
    if target is None:
        return "root", [("termination", b, a)] if termination else [("origination", b, a)]
    number = PSTN_TARGET.fullmatch(target)
    if number is None:
        assert SIP_TARGET.fullmatch(target), target
        return (
            ("termination-to-sip", [("termination", b, "")])
            if termination
            else ("origination-to-sip", [("origination", b, a)])
        )
    c = number[1]
    if termination:
        return "termination-to-pstn", [("termination", b, a), ("termination", c, a)]
    return "origination-to-pstn", [("origination", b, a), ("termination", c, b)]


def seconds_between(start, end):
    return int((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds())


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    meta = json.loads((folder / "meta.json").read_text())
    deck = Deck(folder / "rates")

    # First all roots, as a child may come before its parent.
    roots, sids, children = {}, set(), 0
    with open(folder / "calls.csv", newline="", encoding="ascii") as file:
        reader = csv.DictReader(file)
        assert reader.fieldnames == COLUMNS, reader.fieldnames
        for row in reader:
            sids.add(row["sid"])
            if row["parent_call_sid"]:
                children += 1
            else:
                roots[row["sid"]] = (
                    (row["direction"], row["from"], row["to"]),
                    row["account_sid"],
                    row["trunk_sid"],
                    row["start_time"],
                    row["status"] == "completed" and row["duration"] != "0",
                )
    assert len(sids) == meta["calls"], "a sid stands twice"
    assert children == meta["children"] == meta["calls"] // 6

    counts, scenarios, depths, statuses, total = Counter(), Counter(), Counter(), Counter(), 0
    accounts, trunks = set(), set()
    with open(folder / "calls.csv", newline="", encoding="ascii") as file:
        for row in csv.DictReader(file):
            for column, shape in SHAPE.items():
                assert shape.fullmatch(row[column]), (column, row)
            assert NIGHT[0] <= row["start_time"] <= NIGHT[1], row
            duration = int(row["duration"])
            assert (
                0 <= duration <= 3600
                and 0 <= seconds_between(row["start_time"], row["end_time"]) - duration <= 31
            ), row
            if row["parent_call_sid"]:
                root, account, trunk, start, answered = roots[row["parent_call_sid"]]
                assert (
                    (account, trunk) == (row["account_sid"], row["trunk_sid"])
                    and start < row["start_time"]
                    and answered
                ), row
                target = row["refer_to"]
            else:
                root, target = (row["direction"], row["from"], row["to"]), None
                assert NUMBER.fullmatch(row["to"]) and not row["refer_to"], row
            if root[0] == "trunking-originating":
                assert root[2].startswith("+1") and len(root[2]) == 12, row
            accounts.add(row["account_sid"])
            trunks.add(row["trunk_sid"])
            statuses[row["status"]] += 1
            counts["read"] += 1
            scenario, legs = legs_of(root, target)
            if row["status"] != "completed" or duration == 0:
                counts["free"] += 1
                continue
            counts["rated"] += 1
            scenarios[scenario] += 1
            for service, number, origin in legs:
                price, matched, by_origin = deck.price(service, number, origin)
                counts["legs"] += 1
                depths[matched, by_origin > 0] += service == "termination"
                total += deck.amount(price, duration)
    for name in ("read", "rated", "free", "legs"):
        assert counts[name] == meta["expected"][name], name
    print(
        f"deck       {deck.rows:,} rows, {len(deck.prices['termination']):,} termination prefixes,"
        f" {deck.entries:,} (destination, origin) pairs, none priced twice"
    )
    print(
        f"calls      {dict(counts)}; {len(accounts)} accounts, {len(trunks)} trunks;"
        f" {dict(statuses)}"
    )
    print(f"scenarios  {dict(scenarios)}")
    deepest = Counter()
    for (matched, _), n in depths.items():
        deepest[matched] += n
    print(
        "matched    termination legs by digits of the destination prefix:"
        f" {dict(sorted(deepest.items()))}"
    )
    print(f"           by an origin group: {sum(n for (_, own), n in depths.items() if own):,}")
    print(f"amount     {total // 100_000}.{total % 100_000:05d} {deck.terms['currency']}")


if __name__ == "__main__":
    main()
