#!/usr/bin/env python3
"""Writes one invented night of trunk calls and the rates that price it, for the benchmarks.

    generate.py --calls 1000000 --out DIR [--seed 7] [--parquet]
    generate.py --calls 100000000 --out DIR --parts 20

DIR/calls.csv     the calls, 14 columns, in no order; one row in six is a transferred call's child
DIR/calls.parquet with --parquet, the same calls: every column text, zstd level 1
DIR/calls-000.csv.zst …  with --parts, the calls cut into so many files; parents are anywhere among
them
DIR/rates/        one deck: deck.toml, termination.csv (40,000 destination prefixes),
origination.csv
DIR/billing/      accounts.csv and trunkrate.toml, for `invoice issue`; not beside the calls, where
every run would find them
DIR/meta.json     what was written and what a right run must count: written before the calls appear

The same arguments give the same text, whatever the number of parts and of cores. Memory does not
grow with --calls:
what a call is follows from a hash of its index, so a child finds its parent's facts by hashing the
parent's index,
and nothing is remembered.
"""

import argparse
import csv
import importlib.util
import json
import os
import random
import re
import signal
import struct
import subprocess
import sys
import time
from collections import Counter, deque
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timedelta, timezone
from hashlib import blake2b
from math import exp
from pathlib import Path
from statistics import NormalDist

FORMAT = 1  # raised when the same arguments would give other bytes
ACCOUNTS = 200
TRUNKS = 400
PREFIXES = 40_000
NIGHT_START = datetime(2026, 11, 20, 18, tzinfo=timezone.utc)
NIGHT_SECONDS = 12 * 3600
LONGEST_CALL = 3600
LONGEST_RING = 31
ROWS_PER_CHUNK = 50_000

# The facts of a call: 16 bytes of sid, then trunk, bits, length, stem of A, stem of B; start,
# offset of A, offset of B.
FACTS = struct.Struct("<16sHHHHHxxIII")

CALL_COLUMNS = "sid,parent_call_sid,account_sid,trunk_sid,direction,from,to,start_time,end_time,duration,status,price,price_unit,refer_to"
RATE_COLUMNS = [
    "ISO",
    "Country",
    "Description",
    "Price / min",
    "Origination Prefixes",
    "Destination Prefixes",
    "Service",
]

# ISO, name, country code, digits of a whole number, share of the calls, share of the prefixes.
COUNTRIES = [
    ("US", "United States & Canada", "1", 11, 400, 90),
    ("BS", "Bahamas", "1242", 11, 1, 2),
    ("DO", "Dominican Republic", "1809", 11, 4, 4),
    ("JM", "Jamaica", "1876", 11, 3, 3),
    ("GB", "United Kingdom", "44", 12, 90, 60),
    ("DE", "Germany", "49", 12, 70, 50),
    ("FR", "France", "33", 11, 60, 40),
    ("IT", "Italy", "39", 12, 35, 30),
    ("ES", "Spain", "34", 11, 35, 25),
    ("NL", "Netherlands", "31", 11, 25, 20),
    ("BE", "Belgium", "32", 11, 20, 20),
    ("AT", "Austria", "43", 12, 18, 25),
    ("CH", "Switzerland", "41", 11, 15, 12),
    ("IE", "Ireland", "353", 12, 20, 8),
    ("PT", "Portugal", "351", 12, 12, 10),
    ("SE", "Sweden", "46", 11, 14, 15),
    ("NO", "Norway", "47", 10, 9, 8),
    ("DK", "Denmark", "45", 10, 9, 10),
    ("FI", "Finland", "358", 12, 8, 12),
    ("PL", "Poland", "48", 11, 16, 15),
    ("CZ", "Czech Republic", "420", 12, 8, 8),
    ("SK", "Slovakia", "421", 12, 4, 6),
    ("HU", "Hungary", "36", 11, 6, 6),
    ("RO", "Romania", "40", 11, 8, 8),
    ("BG", "Bulgaria", "359", 12, 4, 7),
    ("GR", "Greece", "30", 12, 6, 8),
    ("HR", "Croatia", "385", 12, 3, 5),
    ("SI", "Slovenia", "386", 11, 2, 4),
    ("LT", "Lithuania", "370", 11, 2, 4),
    ("LV", "Latvia", "371", 11, 2, 4),
    ("EE", "Estonia", "372", 11, 2, 3),
    ("LU", "Luxembourg", "352", 12, 2, 3),
    ("MT", "Malta", "356", 11, 1, 2),
    ("CY", "Cyprus", "357", 11, 2, 2),
    ("IS", "Iceland", "354", 10, 1, 2),
    ("AD", "Andorra", "376", 9, 1, 1),
    ("UA", "Ukraine", "380", 12, 6, 10),
    ("TR", "Turkey", "90", 12, 8, 12),
    ("IL", "Israel", "972", 12, 8, 6),
    ("AE", "United Arab Emirates", "971", 12, 6, 5),
    ("SA", "Saudi Arabia", "966", 12, 5, 6),
    ("EG", "Egypt", "20", 12, 4, 6),
    ("MA", "Morocco", "212", 12, 3, 6),
    ("NG", "Nigeria", "234", 13, 4, 8),
    ("KE", "Kenya", "254", 12, 3, 5),
    ("ZA", "South Africa", "27", 11, 8, 10),
    ("IN", "India", "91", 12, 30, 40),
    ("PK", "Pakistan", "92", 12, 5, 10),
    ("PH", "Philippines", "63", 12, 8, 10),
    ("ID", "Indonesia", "62", 12, 5, 15),
    ("MY", "Malaysia", "60", 11, 4, 8),
    ("SG", "Singapore", "65", 10, 6, 3),
    ("TH", "Thailand", "66", 11, 4, 6),
    ("VN", "Vietnam", "84", 11, 4, 8),
    ("CN", "China", "86", 13, 10, 30),
    ("HK", "Hong Kong", "852", 11, 6, 3),
    ("JP", "Japan", "81", 12, 12, 20),
    ("KR", "South Korea", "82", 12, 5, 10),
    ("AU", "Australia", "61", 11, 20, 15),
    ("NZ", "New Zealand", "64", 11, 6, 6),
    ("SB", "Solomon Islands", "677", 10, 1, 1),
    ("MX", "Mexico", "52", 12, 25, 40),
    ("BR", "Brazil", "55", 13, 15, 30),
    ("AR", "Argentina", "54", 13, 6, 15),
    ("CL", "Chile", "56", 11, 4, 6),
    ("CO", "Colombia", "57", 12, 5, 8),
    ("PE", "Peru", "51", 11, 3, 6),
]
AREA_CODES = (
    "201 202 203 205 206 207 208 209 210 212 213 214 215 216 217 218 219 224 225 228 229 231 234"
    " 239 240 248 251 252 253 254 256 260 262 267 269 270 276 281 301 302 303 304 305 307 308 309"
    " 310 312 313 314 315 316 317 318 319 320 321 323 325 330 331 334 336 337 339 347 351 352 360"
    " 361 386 401 402 404 405 406 407 408 409 410 412 413 414 415 416 417 419 423 424 425 432 434"
    " 435 440 443 469 478 479 480 484 501 502 503 504 505 507 508 509 510 512 513 514 515 516 517"
    " 518 520 530 540 541 551 559 561 562 563 567 570 571 573 574 575 580 585 586 601 602 603 604"
    " 605 606 607 608 609 610 612 613 614 615 616 617 618 619 620 623 626"
).split()
TOLL_FREE = ["800", "833", "844", "855", "866", "877", "888"]

# The origin groups of the published list. A blank group is any origin, the unknown one included.
FROM_EEA = (
    "30, 31, 32, 33, 34, 351, 352, 353, 354, 356, 357, 358, 359, 36, 370, 371, 372, 385, 386, 39,"
    " 40, 420, 421, 423, 43, 44, 45, 46, 47, 48, 49"
)
FROM_US = "1"
FROM_CARIBBEAN = (
    "1242, 1246, 1264, 1268, 1284, 1340, 1345, 1441, 1473, 1649, 1664, 1670, 1671, 1684, 1721,"
    " 1758, 1767, 1784, 1787"
)
EEA_CODES = set(FROM_EEA.split(", "))


# ---- The deck ------------------------------------------------------------------------------------


def price(rng, low, high):
    """A price per minute as text; `low` and `high` are in hundred-thousandths, so no float is
    involved."""
    value = rng.randrange(low, high, 10)
    return f"{value // 100_000}.{value % 100_000:05d}"


def national_prefixes(rng, code, digits, count):
    """`count` distinct prefixes longer than the country code, each leaving three or more digits of
    the number free."""
    found = set()
    if code == "1":
        found.update("1" + area for area in AREA_CODES + TOLL_FREE)
        while len(found) < count:
            found.add(f"1{rng.choice(AREA_CODES)}{rng.randrange(200, 1000)}")
    while len(found) < count:
        length = min(rng.choice((2, 3, 3, 3, 4, 4, 4, 5, 5)), digits - len(code) - 3)
        found.add(f"{code}{rng.randrange(10 ** (length - 1), 10 ** length)}")
    return sorted(found)


def write_rates(folder, rng):
    """Writes the deck. Returns (its number of termination destination prefixes, the prefixes of
    each country).

    Every country code has a row with a blank origin group, so every number of these countries has a
    rate from any origin.
    A prefix stands in one class of its country, a class in one row per origin group, and no two
    origin groups share a
    prefix: so no (destination, origin) is priced twice.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "deck.toml").write_text(
        'name = "bench"\ncurrency = "USD"\ninitial_increment = 60\nincrement = 60\nminimum ='
        ' 0\nconnection_fee = "0"\n'
    )
    share = sum(country[5] for country in COUNTRIES)
    by_country = []
    prefixes = 0
    with open(folder / "termination.csv", "w", newline="", encoding="ascii") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(RATE_COLUMNS)
        for iso, name, code, digits, _, part in COUNTRIES:
            deep = national_prefixes(rng, code, digits, (PREFIXES - len(COUNTRIES)) * part // share)
            by_country.append([code, *deep])
            prefixes += 1 + len(deep)
            title = f"Outbound Trunking Minute - {name}"
            dear = 1 if code == "1" else 4

            def row(description, low, high, origins, destinations):
                out.writerow(
                    [
                        iso,
                        name,
                        description,
                        price(rng, low * dear, high * dear),
                        origins,
                        ", ".join(destinations),
                        "termination",
                    ]
                )

            row(title, 500, 3000, "", [code])
            if code in EEA_CODES:
                row(f"{title} - from EEA", 200, 900, FROM_EEA, [code])
            shuffled = deep[:]
            rng.shuffle(shuffled)
            start = 0
            number = 0
            while start < len(shuffled):
                number += 1
                taken = sorted(shuffled[start : start + rng.randrange(1, 40)])
                start += len(taken)
                kind = rng.choice(("Mobile", "Mobile", "Mobile Other", "Fixed", "Special Services"))
                described = f"{title} - {kind} - Network {number}"
                if code in EEA_CODES and number % 8 == 0:
                    # Only some origins may use these: for the others a shorter prefix answers.
                    row(f"{described} - from EEA", 800, 5000, FROM_EEA, taken)
                    continue
                row(described, 1000, 9000, "", taken)
                if code in EEA_CODES and kind.startswith("Mobile"):
                    row(f"{described} - from EEA", 800, 5000, FROM_EEA, taken)
                if number % 3 == 0:
                    row(f"{described} - from US/CA", 800, 5000, FROM_US, taken)
                if number % 9 == 0:
                    row(f"{described} - from the Caribbean", 1000, 9000, FROM_CARIBBEAN, taken)
    with open(folder / "origination.csv", "w", newline="", encoding="ascii") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(RATE_COLUMNS)
        for iso, name, code, _, _, _ in COUNTRIES:
            title = f"Inbound Trunking Minute - {name}"
            out.writerow(
                [iso, name, f"{title} - Local", price(rng, 300, 1200), "", code, "origination"]
            )
            if code == "1":
                out.writerow(
                    [
                        iso,
                        name,
                        f"{title} - Toll Free",
                        "0.02200",
                        "",
                        ", ".join("1" + t for t in TOLL_FREE),
                        "origination",
                    ]
                )
    return prefixes, by_country


# ---- Who is billed, and by whom ------------------------------------------------------------------

SELLER = """\
[seller]
name = "Bench Telecom"
address = ["1 Meter Road"]
postcode = "50667"
city = "Cologne"
country = "DE"
tax_id = "DE000000018"
email = "billing@bench.example"

[invoice]
number_prefix = "B-"
due_days = 14
account_name = "Bench Telecom"
iban = "DE02370502990000684712"
bic = "COKSDE33XXX"
tax_category = "standard"
tax_rate = "19"
"""


def write_billing(folder, seed):
    """Writes the accounts with all that an invoice must say of a buyer, and the seller."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "trunkrate.toml").write_text(SELLER)
    with open(folder / "accounts.csv", "w", newline="", encoding="ascii") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(
            ["account_sid", "name", "address", "postcode", "city", "country", "email", "reference"]
        )
        for number, sid in enumerate(account_sids(random.Random(seed + 1)), 1):
            out.writerow(
                [
                    sid,
                    f"Customer {number:03d}",
                    f"{number} Market Street",
                    f"{10_000 + number}",
                    "Berlin",
                    "DE",
                    f"bills@c{number:03d}.example",
                    f"PO-{number:03d}",
                ]
            )


# ---- The calls -----------------------------------------------------------------------------------


def number_stems(rng, by_country):
    """65,536 pairs (first number, how many numbers follow it): a random pair and a random offset
    are a called number.

    Most stems are prefixes of the deck with the missing digits set to zero: purely random digits
    would hardly ever
    reach the deep prefixes, and calls do go to mobile networks.
    """
    stems = []
    weights = [country[4] for country in COUNTRIES]
    for (_, _, code, digits, _, _), prefixes in rng.choices(
        list(zip(COUNTRIES, by_country)), weights, k=65_536
    ):
        prefix = rng.choice(prefixes)
        if prefix == code:
            prefix = f"{code}{rng.randrange(2, 10)}"
        free = digits - len(prefix)
        stems.append((int(prefix) * 10**free, 10**free))
    return stems


def durations():
    """65,536 durations, ascending: 1 in 100 is zero, the others log-normal, median a minute and a
    half, cut at an hour."""
    normal = NormalDist(4.5, 1.25)
    count = 65_536
    zeros = count // 100
    tail = [
        max(1, min(LONGEST_CALL, int(exp(normal.inv_cdf((i + 0.5) / (count - zeros))))))
        for i in range(count - zeros)
    ]
    return [0] * zeros + tail


def account_sids(rng):
    """The first draws of a night's generator."""
    return [f"AC{rng.getrandbits(128):032x}" for _ in range(ACCOUNTS)]


class Night:
    """The tables that a call's hash points into: all that the calls of one seed share."""

    def __init__(self, seed, by_country):
        rng = random.Random(seed + 1)
        accounts = account_sids(rng)
        trunk_sids = [f"TK{rng.getrandbits(128):032x}" for _ in range(TRUNKS)]
        # One string for the two columns, and a block of a hundred US numbers: one trunk in ten is
        # toll-free.
        self.owners = [f"{accounts[t * ACCOUNTS // TRUNKS]},{trunk_sids[t]}" for t in range(TRUNKS)]
        self.blocks = []
        for t in range(TRUNKS):
            area = rng.choice(TOLL_FREE if t % 10 == 0 else AREA_CODES)
            self.blocks.append(int(f"1{area}{rng.randrange(200, 1000)}{rng.randrange(100):02d}00"))
        # Large and small customers; the overwritten start of the list gives the smallest some calls
        # too.
        ranks = rng.sample(range(1, TRUNKS + 1), TRUNKS)
        self.trunk_of = rng.choices(range(TRUNKS), [1 / (rank + 2) for rank in ranks], k=65_536)
        self.trunk_of[:TRUNKS] = range(TRUNKS)
        self.stems = number_stems(rng, by_country)
        self.seconds = durations()
        last = NIGHT_SECONDS + LONGEST_RING + LONGEST_CALL
        self.stamps = [
            f"{NIGHT_START + timedelta(seconds=s):%Y-%m-%dT%H:%M:%SZ}" for s in range(last + 1)
        ]
        self.statuses = ["completed"] * 58 + ["no-answer"] * 4 + ["busy"] * 2
        self.key = f"trunkrate bench {FORMAT} {seed}".encode()
        self.state = rng.getstate()  # the draws go on from here

    def facts(self, index):
        """What a call is: a hash of its index, cut into FACTS."""
        return FACTS.unpack(
            blake2b(index.to_bytes(8, "little"), key=self.key, digest_size=FACTS.size).digest()
        )


def drawn(night, calls, chunk):
    """The draws, row by row: is it a child, and of which root? Yields (its own index, its parent's
    or None) of `chunk` rows.

    `chunk` is a dictionary that says where the draws go on; afterwards it says where the next chunk
    does. This walk is
    all that must be done in order, and costs a tenth of writing the rows: see chunks().
    """
    rng = random.Random()
    rng.setstate(chunk["state"])
    uniform, facts, seconds = rng.random, night.facts, night.seconds
    all_roots = calls - calls // 6
    roots, children = chunk["roots"], chunk["children"]
    rows_left, children_left = calls - roots - children, calls // 6 - children
    for _ in range(chunk["rows"]):
        if uniform() * rows_left < children_left:
            # Only an answered root can have been transferred: one draw in ten is repeated.
            while True:
                parent = int(uniform() * all_roots)
                _, _, bits, length, *_ = facts(parent)
                if bits & 63 < 58 and seconds[length]:
                    break
            yield all_roots + children, parent
            children += 1
            children_left -= 1
        else:
            yield roots, None
            roots += 1
        rows_left -= 1
    chunk.update(state=rng.getstate(), roots=roots, children=children)


def rows(night, calls, chunk):
    """The lines of a chunk. Returns (bytes, what a run over them must count).

    Rows need no shuffling: a row's facts, its start among them, follow from a hash, a child's
    parent is any root
    that was answered, and which rows are children is drawn row by row.
    """
    trunk_of, blocks, stems, owners = night.trunk_of, night.blocks, night.stems, night.owners
    seconds, stamps, statuses, facts = night.seconds, night.stamps, night.statuses, night.facts
    rated = free = legs = 0
    lines = [CALL_COLUMNS] if chunk["header"] else []
    for index, parent in drawn(night, calls, dict(chunk)):
        # The root's facts: this row's own, or its parent's.
        root_id, trunk, bits, length, stem_a, stem_b, start, offset_a, offset_b = facts(
            index if parent is None else parent
        )
        trunk = trunk_of[trunk]
        start %= NIGHT_SECONDS
        ring = bits >> 6 & 31
        base, count = stems[stem_b]
        far = base + offset_b % count
        near = blocks[trunk] + offset_a % 100
        if bits & 2048:
            direction = "trunking-terminating"
            if bits & 12288:
                a, b = near, far
            else:
                # One caller in four shows a number of elsewhere: the origin groups have something
                # to decide.
                base, count = stems[stem_a]
                a, b = base + offset_a % count, far
        else:
            direction = "trunking-originating"
            a, b = far, near

        if parent is None:
            sid, parent_sid, refer_to, to, caller, leg_count = root_id, "", "", f"+{b}", a, 1
        else:
            talk = seconds[length]
            caller = b if bits & 2048 else a
            parent_sid = f"CA{root_id.hex()}"
            sid, _, bits, length, stem_a, _, after, offset_a, offset_b = facts(index)
            # Transferred while the parent talks, and in this night.
            start = min(start + ring + 1 + after % talk, NIGHT_SECONDS)
            ring = bits >> 6 & 31
            if bits & 2048:
                base, count = stems[stem_a]
                to = f"+{base + offset_a % count}"
                refer_to = f"<sip:{to}@trunk{trunk}.pstn.twilio.com>"
                leg_count = 2
            else:
                to = refer_to = f"sip:agent{offset_b % 500}@pbx.example.com"
                leg_count = 1

        status = statuses[bits & 63]
        cost = ""
        duration = seconds[length] if status == "completed" else 0
        if duration:
            rated += 1
            legs += leg_count
            if not bits & 0xC000 and not bits & 0x0600:
                # The carrier's price is there for one answered call in sixteen.
                cost = f"-0.{13 * (1 + duration // 60):05d}"
        else:
            free += 1
        lines.append(
            f"CA{sid.hex()},{parent_sid},{owners[trunk]},{direction},+{caller},{to},{stamps[start]},"
            f"{stamps[start + ring + duration]},{duration},{status},{cost},USD,{refer_to}"
        )
    lines.append("")
    return "\n".join(lines).encode("ascii"), {"rated": rated, "free": free, "legs": legs}


def chunks(night, calls, parts):
    """The work in pieces, in order: each says where its draws begin, so that another process can do
    it."""
    chunk = {"state": night.state, "roots": 0, "children": 0}
    for part in range(parts):
        left = calls * (part + 1) // parts - calls * part // parts
        chunk["header"] = True
        while left:
            chunk.update(part=part, rows=min(left, ROWS_PER_CHUNK))
            left -= chunk["rows"]
            yield dict(chunk)
            deque(drawn(night, calls, chunk), maxlen=0)  # walks on to the next
            chunk["header"] = False


def start_worker(seed, by_country, calls, compressed):
    """What each worker process keeps."""
    global worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is told, and ends
    compress = None
    if compressed:
        import zstandard

        compress = zstandard.ZstdCompressor(level=1).compress
    worker = Night(seed, by_country), calls, compress


def work(chunk):
    night, calls, compress = worker
    text, counts = rows(night, calls, chunk)
    return chunk["part"], len(text), compress(text) if compress else text, counts


def write_calls(names, seed, by_country, calls, compressed):
    """Writes the calls to the files of these names, one after the other. Returns (bytes of text,
    what a run must count).

    One process per core makes the rows; here they are only drawn and written. No more than a few
    chunks are in memory.
    """
    size, expected = 0, Counter(
        read=calls, rated=0, free=0, duplicate=0, ignored=0, suspended=0, legs=0
    )
    cores = os.cpu_count() or 1
    pending, file, open_part = deque(), None, None
    with ProcessPoolExecutor(
        cores, initializer=start_worker, initargs=(seed, by_country, calls, compressed)
    ) as pool:

        def write_first():
            nonlocal size, file, open_part
            part, length, data, counts = pending.popleft().result()
            if part != open_part:
                if file:
                    file.close()
                file, open_part = open(names[part], "wb"), part
            file.write(data)  # a .zst file is its chunks' frames, one after the other
            size += length
            expected.update(counts)

        for chunk in chunks(Night(seed, by_country), calls, len(names)):
            pending.append(pool.submit(work, chunk))
            if len(pending) > cores + 1:
                write_first()
        while pending:
            write_first()
        file.close()
    return size, dict(expected)


def write_parquet(source, target):
    """The same calls as Parquet: every column text, in row groups of 131,072, zstd level 1."""
    command = [sys.executable, Path(__file__).resolve().parent / "floor.py", source, target]
    if subprocess.run(command).returncode != 0:
        sys.exit(
            f"generate.py: {target} could not be written; hint: --parquet needs polars"
            " (benches/requirements.txt)"
        )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, required=True, metavar="N")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--parts",
        type=int,
        metavar="P",
        help="calls-000.csv.zst and so on instead of calls.csv (needs zstandard)",
    )
    parser.add_argument("--parquet", action="store_true", help="calls.parquet too (needs polars)")
    args = parser.parse_args()
    if args.calls < 100:
        parser.error("--calls must be 100 or more")
    if args.parts is not None and not 1 <= args.parts <= min(1000, args.calls):
        parser.error("--parts must be 1 to 1000")
    if args.parts and args.parquet:
        parser.error("--parquet goes with one file, not with --parts")
    if args.parts and importlib.util.find_spec("zstandard") is None:
        sys.exit(
            "generate.py: --parts needs zstandard; hint: pip install -r benches/requirements.txt"
        )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends the workers too
    began = time.perf_counter()
    args.out.mkdir(parents=True, exist_ok=True)
    for old in args.out.iterdir():
        if re.fullmatch(r"calls(\.csv|\.parquet|-[0-9]{3}\.csv\.zst)(\.partial)?", old.name):
            old.unlink()

    # Two generators: the deck is the same for any number of calls.
    prefixes, by_country = write_rates(args.out / "rates", random.Random(args.seed))
    write_billing(args.out / "billing", args.seed)
    names = [
        args.out / (f"calls-{part:03d}.csv.zst" if args.parts else "calls.csv")
        for part in range(args.parts or 1)
    ]
    partial = [name.with_name(f"{name.name}.partial") for name in names]
    size, expected = write_calls(partial, args.seed, by_country, args.calls, bool(args.parts))
    meta = {
        "format": FORMAT,
        "calls": args.calls,
        "seed": args.seed,
        "children": args.calls // 6,
        "bytes": size,
        "termination_prefixes": prefixes,
        "expected": expected,
    }
    (args.out / "meta.json").write_text(json.dumps(meta, indent=2) + "\n")
    for name in names:
        os.replace(f"{name}.partial", name)
    if args.parquet:
        write_parquet(names[0], args.out / "calls.parquet")
    print(
        f"{args.out}: {args.calls:,} calls ({args.calls // 6:,} children), {size:,} bytes,"
        f" {size / args.calls:.0f} a row; {prefixes:,} termination prefixes;"
        f" {time.perf_counter() - began:.1f} s",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
