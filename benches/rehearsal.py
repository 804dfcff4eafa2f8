"""A small night with all that the measured ones lack: calls twice, records to ignore, records that
cannot be billed.

Before compare.py measures anything, trunkrate and the rivals that do the whole job must count it
alike and write the same rows: so
that a rival checks duplicates, and rates a call whole or not at all, is not only said.
"""

import json
import subprocess
import sys

import generate
from measuring import fail

CALLS, REPEATED = 2_000, 100
COLUMNS = generate.CALL_COLUMNS.split(",")


def odd_records(records):
    """One record for each way to end that is neither rated nor free nor a duplicate. Returns
    (records, how they are counted)."""
    answered = {"status": "completed", "duration": "60", "end_time": "2026-11-20T23:30:00Z"}
    root = next(
        record
        for record in records
        if not record["parent_call_sid"]
        and record["direction"] == "trunking-terminating"
        and record["duration"] not in ("", "0")
    )
    of_root = {
        "account_sid": root["account_sid"],
        "trunk_sid": root["trunk_sid"],
        "parent_call_sid": root["sid"],
        "start_time": root["end_time"],
        "end_time": "",
    }
    numbers = iter(range(1, 100))

    def record(like, **changes):
        return like | {"sid": f"CA{next(numbers):032x}", "price": ""} | changes

    child = next(record for record in records if record["parent_call_sid"])
    unpriced = "+999555000111"  # no country has this code
    inbound = record(root, direction="inbound", **answered)
    return [
        inbound,
        record(child, parent_call_sid=inbound["sid"], account_sid=root["account_sid"], **answered),
        record(root, status="in-progress", duration="", end_time=""),
        record(child, parent_call_sid=f"CA{'f' * 32}", **answered),
        record(root, to=unpriced, **answered),
        # Its first leg has a price, its second has none: it is rated whole or not at all.
        record(
            child,
            **of_root,
            status="completed",
            duration="60",
            refer_to=f"<sip:{unpriced}@trunk1.pstn.twilio.com>",
            to=unpriced,
        ),
    ], {"ignored": 2, "suspended": 4}


def write(folder, seed):
    """Returns what a run over FOLDER/calls.csv must count."""
    command = [
        sys.executable,
        generate.__file__,
        "--calls",
        str(CALLS),
        "--out",
        folder,
        "--seed",
        str(seed),
    ]
    if subprocess.run(command, stderr=subprocess.DEVNULL).returncode != 0:
        fail("the calls of the rehearsal could not be generated")
    path = folder / "calls.csv"
    header, *lines = path.read_text().splitlines()
    records = [dict(zip(COLUMNS, line.split(","))) for line in lines]
    odd, counts = odd_records(records)
    lines += [",".join(record[name] for name in COLUMNS) for record in odd] + lines[:REPEATED]
    path.write_text("\n".join([header, *lines, ""]))
    expected = json.loads((folder / "meta.json").read_text())["expected"]
    return expected | counts | {"duplicate": REPEATED, "read": len(lines)}
