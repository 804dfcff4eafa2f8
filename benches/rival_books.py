"""What the rivals that do the whole job have in common: the hash of every file, the conservation
law, the manifest.

Their engines tell what they read back from the files that they wrote: nothing here looks into a
table.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

from blake3 import blake3

CLASSES = ("rated", "free", "duplicate", "ignored", "suspended")
RUN = "000001-00000000"  # what a run is called


def hashed(path):
    """A file's name, size and BLAKE3. Read a MiB at a time: mapped, a file would count as memory of
    the process."""
    hasher, buffer = blake3(), bytearray(1 << 20)
    with open(path, "rb", buffering=0) as file:
        while taken := file.readinto(buffer):
            hasher.update(memoryview(buffer)[:taken])
    return {"path": str(path), "bytes": Path(path).stat().st_size, "blake3": hasher.hexdigest()}


def publish(out, inputs, read, others, log, legs, ids):
    """Holds what was written against what was read; then writes OUT/manifest.json and
    OUT/totals.csv.

    `others` counts the records that are in no file, by class. From the files: `log` is (class,
    calls, amount) row by row, `legs`
    is (account, legs, amount), `ids` is how many there are and how many different ones.
    """
    counts = {**dict.fromkeys(CLASSES, 0), **others, **{name: calls for name, calls, _ in log}}
    booked, of_log, of_legs = (
        sum(row[1] for row in log),
        sum(Decimal(row[2]) for row in log),
        sum(Decimal(row[2]) for row in legs),
    )
    laws = {
        f"{read} records were read, and these are accounted for: {counts}": (
            read == sum(counts.values())
        ),
        f"the log comes to {of_log}, the legs to {of_legs}": of_log == of_legs,
        f"of {booked} calls in the log there are {ids[0]} ids, {ids[1]} different ones": (
            tuple(ids) == (booked, booked)
        ),
    }
    for broken in (words for words, holds in laws.items() if not holds):
        raise SystemExit(f"{out}: {broken}")
    out = Path(out)
    with ThreadPoolExecutor() as pool:  # hashing lets go of Python's lock
        read_files, written = (
            list(pool.map(hashed, paths)) for paths in (inputs, sorted(out.rglob("*.parquet")))
        )
    manifest = {
        "run_id": RUN,
        "counts": {"read": read, **counts},
        "legs": sum(row[1] for row in legs),
        "amount": str(of_legs),
        "inputs": read_files,
        "files": written,
    }
    (out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    (out / "totals.csv").write_text("".join(f"{account},{amount}\n" for account, _, amount in legs))
