"""Two hostile nights of invented calls, from a seed: every reason for suspense, and every way in
which records hang together.

    nights = hostile.nights(seed=7, families=300)
    hostile.write(nights[0], folder)          # CSV in three forms, gzip and zstd, and two shapes of
    Parquet

The second night brings what makes the first one's records known again: copies and versions of
booked calls, prices that
come late, children of its calls, parents for children that wait, and a call eight days later.
"""

from __future__ import annotations

import csv
import gzip
import io
import random
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

FIELDS = (
    "sid parent_call_sid account_sid trunk_sid direction from to start_time end_time duration"
    " status price price_unit refer_to answer_time"
).split()
ACCOUNTS = [f"AC2026112000000000000000000000000{n}" for n in (1, 2, 3, 4)]
TRUNKS = {
    account: f"TK2026112000000000000000000000000{n}" for account, n in zip(ACCOUNTS, (1, 2, 3, 1))
}
DOMAINS = {
    ACCOUNTS[0]: "harborlane",
    ACCOUNTS[1]: "nordwind",
    ACCOUNTS[2]: "pebble",
    ACCOUNTS[3]: "harborlane",
}
FIRST_NIGHT = datetime(2026, 11, 20, 20, tzinfo=timezone.utc)
CALLERS = [
    "+12025550101",
    "+442079460101",
    "+493023125001",
    "+12425550101",
    "anonymous",
    "sip:bob@PBX.example.com:5060",
    "sip:+13035550101@h.example",
]
NUMBERS = [
    "+14155550102",
    "+442079460102",
    "+493023125002",
    "+32455000102",
    "+33199001234",
    "+18005550123",
]
SIP_TARGETS = [
    "sip:agent@pbx.example.com",
    "<sip:agent@PBX.example.com;transport=tls>",
    '"Desk; 3, west" <sip:+13035550103@far.example>',
]
OWN_NUMBERS = [
    "+12025550150",
    "sip:+12025550150@public-vip.ie1.twilio.com",
    "+18005550151",
    "+493023125050",
]

Record = dict[str, Any]


class _Hand:
    """Writes records into nights."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.made = 0
        self.nights: list[list[Record | str]] = [[], []]

    def sid(self) -> str:
        """Ids of many forms: the carrier's, and others."""
        self.made += 1
        at = self.made
        return {1: f"CA{at:032X}", 2: f"ca{at:032x}", 3: f'call "{at}", Zürich', 4: f"{at}"}.get(
            at % 13, f"CA20261120{at:024x}"
        )

    def start(self) -> datetime:
        return FIRST_NIGHT + timedelta(seconds=self.dice.randrange(8 * 3600))

    def root(self, **changes: Any) -> Record:
        dice = self.dice
        account, start, seconds = (
            dice.choice(ACCOUNTS),
            self.start(),
            dice.choice([0, 1, 59, 60, 61, 91, 600, dice.randrange(3600)]),
        )
        origination = dice.random() < 0.4
        record = {
            "sid": self.sid(),
            "account_sid": account,
            "trunk_sid": TRUNKS[account],
            "direction": (
                dice.choice(["trunking-originating", "Trunking_Originating"])
                if origination
                else "trunking-terminating"
            ),
            "from": dice.choice(CALLERS),
            "to": dice.choice(OWN_NUMBERS) if origination else dice.choice(NUMBERS),
            "start_time": start,
            "end_time": start + timedelta(seconds=seconds),
            "duration": str(seconds),
            "status": (
                "completed"
                if dice.random() < 0.9
                else dice.choice(["busy", "no-answer", "failed", "canceled"])
            ),
        }
        return moved({**record, **changes})

    def child(self, parent: Record, **changes: Any) -> Record:
        dice = self.dice
        start = parent["start_time"] if isinstance(parent["start_time"], datetime) else self.start()
        start += timedelta(seconds=dice.choice([0, 30, 300, 3600]))
        seconds = dice.randrange(1, 900)
        record = {
            "sid": self.sid(),
            "parent_call_sid": parent["sid"],
            "account_sid": parent["account_sid"],
            "trunk_sid": dice.choice([parent.get("trunk_sid"), ""]),
            "from": parent["from"],
            "start_time": start,
            "end_time": start + timedelta(seconds=seconds),
            "duration": str(seconds),
            "status": "completed" if dice.random() < 0.9 else "no-answer",
        }
        domain = DOMAINS.get(parent["account_sid"], "harborlane")
        pstn = f"sip:{dice.choice(NUMBERS)}@{domain}.pstn.ashburn.twilio.com"
        target = dice.choice(
            [*SIP_TARGETS, dice.choice(NUMBERS), f"tel:{dice.choice(NUMBERS)}", pstn]
        )
        record[dice.choice(["to", "refer_to"])] = target
        return moved({**record, **changes})

    def put(self, night: int, *records: Record | str) -> None:
        self.nights[night].extend(records)


def moved(record: Record) -> Record:
    """Keeps the end behind a start that was changed."""
    start, end, seconds = record["start_time"], record.get("end_time"), record["duration"]
    if isinstance(start, datetime) and isinstance(end, datetime) and seconds.isdigit():
        record["end_time"] = start + timedelta(seconds=int(seconds))
    return record


def nights(seed: int, families: int) -> list[list[Record | str]]:
    """Two nights of about 5 records a family, in no order. A text in place of a record is a line of
    CSV."""
    hand = _Hand(seed)
    for number in range(families):
        KINDS[number % len(KINDS)](hand)
    for night in hand.nights:
        hand.dice.shuffle(night)
    return hand.nights


def plain(hand: _Hand) -> None:
    """Roots and their children, some of the night after, with copies."""
    root = hand.root()
    children = [hand.child(root) for _ in range(hand.dice.randrange(4))]
    hand.put(0, root, *children)
    hand.put(1, hand.child(root), dict(root), *(dict(child) for child in children[:1]))


def crowd(hand: _Hand) -> None:
    """A parent of many."""
    root = hand.root(status="completed")
    hand.put(0, *(hand.child(root) for _ in range(25)), root)
    hand.put(1, *(hand.child(root) for _ in range(5)))


def chain(hand: _Hand) -> None:
    """Children of children, eight deep; the last ones come the night after."""
    call = hand.root()
    hand.put(0, call)
    for depth in range(8):
        call = hand.child(call)
        hand.put(0 if depth < 5 else 1, call)


def cycle(hand: _Hand) -> None:
    """Calls that are their own ancestors, and what hangs below them."""
    root = hand.root()
    ring = [hand.child(root) for _ in range(3)]
    for call, parent in zip(ring, ring[1:] + ring[:1]):
        call["parent_call_sid"] = parent["sid"]
    hand.put(0, *ring, hand.child(ring[0]))
    alone = hand.child(root)
    alone["parent_call_sid"] = alone["sid"]
    hand.put(1, alone)


def versions(hand: _Hand) -> None:
    """Copies, conflicts, also with other parents, and records that were not final."""
    first, other, third = hand.root(), hand.root(), hand.root()
    child = hand.child(first)
    hand.put(0, first, other, dict(first), third)
    hand.put(
        0, child, {**child, "parent_call_sid": other["sid"]}, hand.child(child), hand.child(other)
    )
    early = {"status": "in-progress", "duration": "", "end_time": None}
    late = hand.root()
    hand.put(0, {**third, **early}, {**late, **early}, hand.child(late))
    hand.put(1, late, {**first, "duration": "7"}, {**third, "status": "ringing"})
    conflict = hand.root()
    hand.put(0, conflict, {**conflict, "from": "+12025550109"}, hand.child(conflict))
    hand.put(1, dict(conflict))
    twice = hand.child(third)
    hand.put(0, twice)
    hand.put(1, {**twice, "parent_call_sid": other["sid"]}, hand.child(twice))


def prices(hand: _Hand) -> None:
    """The carrier's price, in copies of the same night and the next."""
    root, silent = hand.root(), hand.root()
    hand.put(
        0,
        root,
        {**root, "price": "-0.0500", "price_unit": "USD"},
        {**root, "price": "-0.3"},
        silent,
    )
    hand.put(
        1,
        {**root, "price": "-10"},
        {**root, "price": "-0.2"},
        {**silent, "price": "-0.01"},
        {**silent, "price": "n/a"},
    )


def missing_parents(hand: _Hand) -> None:
    """Parents that come a night late, or never."""
    late, never = hand.root(), hand.root()
    child = hand.child(late)
    hand.put(0, child, hand.child(child), hand.child(never))
    hand.put(1, late)
    hand.put(
        0,
        hand.child(never, start_time=FIRST_NIGHT - timedelta(days=9), refer_to="tel:+442079460102"),
    )


def before_parents(hand: _Hand) -> None:
    """Children that start before their parents: a little, and too much."""
    root = hand.root()
    for seconds in (30, 60, 61, 3600):
        hand.put(
            0,
            hand.child(
                root, start_time=root["start_time"] - timedelta(seconds=seconds), to=SIP_TARGETS[0]
            ),
        )
    hand.put(0, root)


def foreign(hand: _Hand) -> None:
    """Calls of another direction, with children, tonight and tomorrow."""
    root = hand.root(direction="inbound")
    child = hand.child(root)
    hand.put(0, root, child, hand.child(child))
    hand.put(1, hand.child(root), dict(root), hand.child(child))


def accounts(hand: _Hand) -> None:
    """Children of another account; an account that the list lacks."""
    root = hand.root(account_sid=ACCOUNTS[0])
    hand.put(0, root, hand.child(root, account_sid=ACCOUNTS[1]), hand.root(account_sid="AC9"))
    hand.put(1, hand.child(root, account_sid=ACCOUNTS[2]))


def targets(hand: _Hand) -> None:
    """Transfers to where none may go, by trunks that allow none, or that nobody knows."""
    root = hand.root(account_sid=ACCOUNTS[0], trunk_sid=TRUNKS[ACCOUNTS[0]])
    hand.put(0, root)
    for target in (
        "tel:+911",
        "sip:9%311@harborlane.pstn.twilio.com",
        "sip:reception@harborlane.pstn.twilio.com",
        "anonymous",
        "+85021234567",
    ):
        hand.put(0, hand.child(root, refer_to=target))
    for trunk in (
        "TK20261120000000000000000000000003",
        "TK20261120000000000000000000000004",
        "TK9",
    ):
        other = hand.root(account_sid=ACCOUNTS[2], trunk_sid=trunk)
        hand.put(0, other, hand.child(other, refer_to="+442079460103"))


def no_rate(hand: _Hand) -> None:
    """A parent that no deck prices, with children; an emergency call; a rated number that is
    none."""
    root = hand.root(
        direction="trunking-terminating", to="+85021234567", status="completed", duration="60"
    )
    hand.put(0, root, hand.child(root))
    hand.put(1, hand.child(root))
    hand.put(0, hand.root(direction="trunking-terminating", to="911", account_sid=ACCOUNTS[0]))
    hand.put(0, hand.root(direction="trunking-terminating", to="anonymous"))


def without_ids(hand: _Hand) -> None:
    """Records without an id, without a parent's id, without both; spaces around ids."""
    root = hand.root()
    nameless = hand.root(sid="")
    hand.put(
        0,
        root,
        nameless,
        dict(nameless),
        hand.child(root, sid=""),
        hand.child(root, parent_call_sid=" "),
        hand.root(account_sid=""),
    )
    hand.put(
        0,
        hand.child(root, parent_call_sid=f"  {root['sid']}\t"),
        {**root, "sid": f" {root['sid']} ", "price": "-0.7"},
    )
    hand.put(1, dict(nameless), {**nameless, "duration": "1"}, hand.child(root, sid=" "))


def broken(hand: _Hand) -> None:
    """Fields that say nothing, and lines that are no records."""
    hand.put(
        0,
        hand.root(start_time="soon"),
        hand.root(duration="-1"),
        hand.root(duration="86401", end_time=None),
        hand.root(duration="59.2"),
    )
    hand.put(
        0,
        hand.root(duration="1e3"),
        hand.root(duration="007.50"),
        hand.root(duration="", end_time=None),
        hand.root(duration="0.0000001"),
    )
    line = f"{hand.sid()},cut off{',' * 30}"
    hand.put(0, line, f"{hand.sid()},,AC1", "")
    hand.put(1, line)


def a_week_later(hand: _Hand) -> None:
    """What lets waiting children give up."""
    hand.put(1, hand.root(start_time=FIRST_NIGHT + timedelta(days=9)))


KINDS = [
    plain, crowd, chain, cycle, versions, prices, missing_parents, before_parents, foreign, accounts, targets, no_rate,
    without_ids, broken, plain, plain, a_week_later, plain,
]  # fmt: skip


def write(night: list[Record | str], folder: Path) -> None:
    """A night as files, in the forms in which exports arrive; broken lines go to the first CSV
    file."""
    folder.mkdir(parents=True)
    lines = [line for line in night if isinstance(line, str)]
    records = [record for record in night if not isinstance(record, str)]
    a, b, c, d, e = (records[n::5] for n in range(5))
    (folder / "a.csv").write_text(
        _csv(a, ",", FIELDS) + "".join(line + "\n" for line in lines), encoding="utf-8"
    )
    (folder / "b.csv.gz").write_bytes(gzip.compress(_csv(b, ";", FIELDS[::-1]).encode(), mtime=0))
    with pa.CompressedOutputStream(str(folder / "c.csv.zst"), "zstd") as file:
        file.write(_csv(c, "\t", ["CallSid", "ParentCallSid", *FIELDS[2:]]).encode())
    texts = {
        name: pa.array([_text(record.get(name)) for record in d], pa.string()) for name in FIELDS
    }
    pq.write_table(pa.table(texts), folder / "d.parquet", row_group_size=100)
    _typed(e, folder / "e.parquet")


def _typed(records: list[Record], path: Path) -> None:
    """Times as instants, durations as numbers, and no empty texts. A record that does not fit goes
    to another file, as text."""
    fits = [r for r in records if isinstance(r["start_time"], datetime) and r["duration"].isdigit()]
    times = pa.timestamp("us", "UTC")
    columns: dict[str, Any] = {}
    for name in FIELDS:
        values = [record.get(name) for record in fits]
        if name in ("start_time", "end_time"):
            columns[name.replace("_", "")] = pa.array(values, times)
        elif name == "duration":
            columns[name] = pa.array([int(value) for value in values], pa.int32())
        else:
            columns[name.title()] = pa.array(
                [_text(value) or None for value in values], pa.string()
            )
    columns["uri"] = pa.array([f"/calls/{at}" for at in range(len(fits))])
    pq.write_table(pa.table(columns), path)
    rest = [record for record in records if not any(record is fit for fit in fits)]
    (path.parent / "f.csv").write_text(_csv(rest, "|", FIELDS), encoding="utf-8")


def _csv(records: list[Record], delimiter: str, header: list[str]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerow(header)
    fields = [
        {"CallSid": "sid", "ParentCallSid": "parent_call_sid"}.get(name, name) for name in header
    ]
    writer.writerows([_text(record.get(name)) for name in fields] for record in records)
    return out.getvalue()


def _text(value: Any) -> str:
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime) else value or ""
