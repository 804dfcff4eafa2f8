#!/usr/bin/env python3
"""Writes many invented nights of trunk calls that hang together, and the rates that price them, for
nights.py.

    nights_data.py --nights 30 --calls 100000 --out DIR [--seed 7]

DIR/night-001.csv …  the calls of each night, in no order, as many rows as --calls says
DIR/rates/           the deck of generate.py
DIR/trunkrate.toml   chained transfers go to the root
DIR/meta.json        what was written, which nights must come before which, and what a right ledger
holds in the end

The same arguments give the same bytes. Nights are written one after the other; what later nights
need of earlier ones
(a week of rows that come again, what comes late) is all that is remembered.
"""

import argparse
import json
import random
import sys
import time
from datetime import timedelta
from pathlib import Path

sys.dont_write_bytecode = True  # no __pycache__ among the sources
import generate  # noqa: E402

FORMAT = 1  # raised when the same arguments would give other bytes

# Of 100,000 rows of a night:
REPEATED = 4000  # rows of the night before, as they came
REPEATED_OF_LAST_WEEK = 1000
CHILDREN_LATER = 800  # the child comes 1 to 5 nights after its parent
PARENTS_LATER = 200  # the parent comes in the next night
# in every other night only, so that there are other orders that keep the final version last
NOT_FINAL = 300
# a copy brings the price 1 to 3 nights later; for 1 in 20 another copy brings another price
PRICED_LATER = 2000
CHAINS = 100  # three calls, each transferred to the next, in up to four nights
FOREIGN = 40  # no trunk call, with a child in the night before, the same or the next
CONFLICTS = 20  # two versions in this night, and the same two again in a later one
UNTARGETED, UNPRICED, ORPHANED = 20, 20, 10  # wait for ever
MALFORMED, WITHOUT_SID = 5, 3
DAYS_OF_A_WEEK = 7


# ---- Calls ---------------------------------------------------------------------------------------


class Call:
    """One call. Times are seconds after its night's start."""

    __slots__ = (
        "sid",
        "parent",
        "trunk",
        "direction",
        "a",
        "to",
        "start",
        "ring",
        "duration",
        "status",
        "price",
        "refer_to",
    )

    def with_(self, **changes):
        other = Call()
        for name in Call.__slots__:
            setattr(other, name, changes.get(name, getattr(self, name)))
        return other


class Calls:
    """Invents calls: all of them follow from one stream of random numbers."""

    def __init__(self, seed, by_country):
        rng = self.rng = random.Random(seed)
        accounts = [f"AC{rng.getrandbits(128):032x}" for _ in range(generate.ACCOUNTS)]
        trunks = [f"TK{rng.getrandbits(128):032x}" for _ in range(generate.TRUNKS)]
        self.owners = [
            f"{accounts[t * generate.ACCOUNTS // generate.TRUNKS]},{trunks[t]}"
            for t in range(generate.TRUNKS)
        ]
        codes = [
            rng.choice(generate.TOLL_FREE if t % 10 == 0 else generate.AREA_CODES)
            for t in range(generate.TRUNKS)
        ]
        self.blocks = [
            int(f"1{code}{rng.randrange(200, 1000)}{rng.randrange(100):02d}00") for code in codes
        ]
        self.trunk_of = rng.choices(
            range(generate.TRUNKS), [1 / (rank + 3) for rank in range(generate.TRUNKS)], k=65_536
        )
        self.stems = generate.number_stems(rng, by_country)
        self.seconds = generate.durations()
        self.stamps = []

    def begin(self, night):
        """Moves on to a night: the texts of all its seconds."""
        first = generate.NIGHT_START + timedelta(days=night)
        last = generate.NIGHT_SECONDS + 4 * (generate.LONGEST_RING + generate.LONGEST_CALL)
        self.stamps = [
            f"{first + timedelta(seconds=s):%Y-%m-%dT%H:%M:%SZ}" for s in range(last + 1)
        ]

    def below(self, bound):
        return int(self.rng.random() * bound)

    def sid(self):
        """The carrier's form, but for one in a hundred."""
        bits = self.rng.getrandbits(128)
        return f"CA{bits:032x}" if bits % 100 else f"call-{bits % 10**30}"

    def number(self):
        base, count = self.stems[self.below(65_536)]
        return base + self.below(count)

    def root(self, answered=False):
        call = Call()
        call.sid, call.parent, call.refer_to = self.sid(), "", ""
        call.trunk = self.trunk_of[self.below(65_536)]
        near, far = self.blocks[call.trunk] + self.below(100), self.number()
        if self.below(2):
            call.direction = "trunking-terminating"
            call.a, call.to = (near if self.below(4) else self.number()), f"+{far}"
        else:
            call.direction, call.a, call.to = "trunking-originating", far, f"+{near}"
        call.start = self.below(generate.NIGHT_SECONDS)
        return self.talk(call, answered)

    def talk(self, call, answered):
        call.ring = self.below(generate.LONGEST_RING)
        place = self.below(64)
        call.status = (
            "completed" if place < 58 or answered else "no-answer" if place < 62 else "busy"
        )
        call.duration = self.seconds[self.below(65_536)] if call.status == "completed" else 0
        if answered and not call.duration:
            call.duration = 61
        call.price = cost(call.duration) if call.duration and self.below(16) == 0 else ""
        return call

    def child(self, parent):
        """A call to which its parent, an answered call, was transferred."""
        call = Call()
        call.sid, call.parent, call.trunk, call.direction = (
            self.sid(),
            parent.sid,
            parent.trunk,
            parent.direction,
        )
        call.a = (
            int(parent.to[1:])
            if parent.direction == "trunking-terminating" and parent.to[1:].isdigit()
            else parent.a
        )
        call.start = parent.start + parent.ring + 1 + self.below(parent.duration)
        if self.below(2):
            call.to = f"+{self.number()}"
            call.refer_to = f"<sip:{call.to}@trunk{call.trunk}.pstn.twilio.com>"
        else:
            call.to = call.refer_to = f"sip:agent{self.below(500)}@pbx.example.com"
        return self.talk(call, False)

    def row(self, call):
        end = (
            self.stamps[call.start + call.ring + call.duration]
            if call.status != "in-progress"
            else ""
        )
        duration = call.duration if call.status != "in-progress" else ""
        return (
            f"{call.sid},{call.parent},{self.owners[call.trunk]},{call.direction},+{call.a},{call.to},{self.stamps[call.start]},"
            f"{end},{duration},{call.status},{call.price},USD,{call.refer_to}"
        )


def cost(duration, cents=13):
    return f"-0.{cents * (1 + duration // 60):05d}"


# ---- Nights --------------------------------------------------------------------------------------


class Nights:
    """Puts calls into nights. `plain` rows may come again alone; the rows `apart` come only as they
    are told to."""

    def __init__(self, calls, count, size):
        self.calls, self.count, self.size = calls, count, size
        self.plain = [[] for _ in range(count)]
        self.apart = [[] for _ in range(count)]
        self.repeatable = {}
        self.booked = 0
        self.after = set()
        self.samples = []
        self.waiting = dict.fromkeys(
            ("conflicting-duplicate", "invalid-target", "no-rate", "orphans"), 0
        )

    def some(self, per_100_000):
        return max(1, per_100_000 * self.size // 100_000)

    def later(self, night, first, last):
        """A night so much later, or the last one."""
        return min(self.count - 1, night + first + self.calls.below(last - first + 1))

    def put(self, call, night):
        self.plain[night].append(self.calls.row(call))

    def put_copy(self, call, night):
        """A copy that would come after the last night never comes: the last night must be like the
        others."""
        if night < self.count:
            self.put(call, night)

    def families_over_midnight(self, night):
        calls = self.calls
        for at in range(self.some(CHILDREN_LATER) + self.some(PARENTS_LATER)):
            parent = calls.root(answered=True)
            child = calls.child(parent)
            parent_first = at < self.some(CHILDREN_LATER)
            others = (
                self.later(night, 1, 1 if at % 10 else 5)
                if parent_first
                else self.later(night, 1, 1)
            )
            self.put(parent, night if parent_first else others)
            self.put(child, others if parent_first else night)
            self.booked += 2
            if at == 0 and child.duration:
                self.samples.append(child.sid)
        for _ in range(self.some(CHAINS)):
            links = [calls.root(answered=True)]
            for _ in range(2):
                links.append(calls.talk(calls.child(links[-1]), True))
            for link in links:
                self.put(link, self.later(night, 0, 3))
            self.booked += 3

    def versions(self, night):
        calls = self.calls
        for at in range(self.some(NOT_FINAL) if night % 2 == 0 and night + 1 < self.count else 0):
            final = calls.root(answered=True)
            others = night + 1 if at % 4 or night + 3 >= self.count else night + 3
            self.apart[night].append(calls.row(final.with_(status="in-progress", price="")))
            self.after.add((night, others))
            self.put(final, others)
            self.booked += 1
            if at % 3 == 0:
                self.put(calls.child(final), night)
                self.booked += 1
        for at in range(self.some(PRICED_LATER)):
            call = calls.root(answered=True).with_(price="")
            self.put(call, night)
            self.put_copy(call.with_(price=cost(call.duration)), night + 1 + calls.below(3))
            if at % 20 == 0:
                self.put_copy(
                    call.with_(price=cost(call.duration, (7, 19)[at % 40 // 20])),
                    night + 1 + calls.below(6),
                )
            self.booked += 1
        for at in range(self.some(CONFLICTS)):
            call = calls.root(answered=True)
            other = (
                call.with_(start=call.start + 7)
                if at % 2
                else call.with_(duration=call.duration + 60)
            )
            for place in {night, self.later(night, 1, 9)}:
                self.apart[place] += [calls.row(call), calls.row(other)]
            self.waiting["conflicting-duplicate"] += 2

    def never_billed(self, night):
        calls = self.calls
        for at in range(self.some(FOREIGN)):
            root = calls.root(answered=True)
            nights = sorted((night, self.later(night, at % 2, at % 2)), reverse=at % 4 == 1)
            self.put(root.with_(direction="outbound-api"), nights[0])
            self.put(calls.child(root), nights[1])
        for _ in range(self.some(UNTARGETED)):
            root = calls.root(answered=True)
            self.put(root, night)
            self.put(calls.child(root).with_(refer_to="sip:desk@trunk1.pstn.twilio.com"), night)
            self.booked += 1
        for at in range(self.some(UNPRICED)):
            # No deck row begins with 7.
            root = calls.root(answered=True).with_(
                direction="trunking-terminating", to=f"+7916{calls.below(10**7):07d}"
            )
            self.put(root, night)
        for at in range(self.some(ORPHANED)):
            self.put(calls.child(calls.root(answered=True)), night)
        counts = {"invalid-target": UNTARGETED, "no-rate": UNPRICED, "orphans": ORPHANED}
        for reason, count in counts.items():
            self.waiting[reason] += self.some(count)
        for at in range(self.some(MALFORMED)):
            self.plain[night].append(
                f"CA{calls.rng.getrandbits(128):032x},,AC1,cut off in the"
                f" middle{',' * (20 * (at % 2))}"
            )
        for at in range(self.some(WITHOUT_SID)):
            self.put(calls.root(answered=True).with_(sid=""), night)

    def repeat(self, night):
        """Rows of nights before, as they came."""
        week = night - DAYS_OF_A_WEEK
        if night:
            last = (
                self.some(REPEATED)
                if week >= 0
                else self.some(REPEATED) + self.some(REPEATED_OF_LAST_WEEK)
            )
            self.plain[night] += self.repeatable[night - 1][:last]
        if week >= 0:
            self.plain[night] += self.repeatable.pop(week)[-self.some(REPEATED_OF_LAST_WEEK) :]

    def fill(self, night):
        """Calls and families of this night alone, up to its size: one row in six is a child."""
        calls, rows = self.calls, self.plain[night]
        room = self.size - len(rows) - len(self.apart[night])
        while room > 0:
            root = calls.root()
            rows.append(calls.row(root))
            room -= 1
            self.booked += 1
            if room > 0 and root.duration and calls.below(100) < 23:
                rows.append(calls.row(calls.child(root)))
                room -= 1
                self.booked += 1

    def write(self, night, path):
        """One night's file. The nights must be written in order."""
        self.calls.begin(night)
        self.families_over_midnight(night)
        self.versions(night)
        self.never_billed(night)
        self.repeat(night)
        self.fill(night)
        plain, self.plain[night] = self.plain[night], None
        self.calls.rng.shuffle(plain)
        self.repeatable[night] = plain[: self.some(REPEATED) + 2 * self.some(REPEATED_OF_LAST_WEEK)]
        rows = plain + self.apart[night]
        self.calls.rng.shuffle(rows)
        path.write_text("\n".join([generate.CALL_COLUMNS, *rows, ""]), encoding="ascii")
        return len(rows)


def write_data(data, args):
    """Writes rates, configuration, nights and what a right ledger holds in the end (`meta.json`,
    last)."""
    data.mkdir(parents=True, exist_ok=True)
    _, by_country = generate.write_rates(data / "rates", random.Random(args.seed))
    (data / "trunkrate.toml").write_text('[policy]\nchained_transfers = "root"\n')
    nights = Nights(Calls(args.seed + 1, by_country), args.nights, args.calls)
    rows = [
        nights.write(night, data / f"night-{night + 1:03d}.csv") for night in range(args.nights)
    ]
    meta = {
        "format": FORMAT,
        "nights": args.nights,
        "calls": args.calls,
        "seed": args.seed,
        "rows": rows,
        "booked": nights.booked,
        "waiting": nights.waiting,
        "after": sorted(nights.after),
        "samples": nights.samples,
    }
    (data / "meta.json").write_text(json.dumps(meta, indent=2) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--nights", type=int, required=True, metavar="N")
    parser.add_argument("--calls", type=int, required=True, metavar="C", help="rows of a night")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    if args.nights < 6 or args.calls < 1000:
        parser.error("--nights must be 6 or more, --calls 1000 or more")
    began = time.perf_counter()
    write_data(args.out, args)
    print(
        f"{args.out}: {args.nights} nights of {args.calls:,} rows;"
        f" {time.perf_counter() - began:.1f} s",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
