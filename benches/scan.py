#!/usr/bin/env python3
"""What a command must read, and nothing else: the floor of the commands that work on a ledger.

    scan.py PATTERN[=COLUMN,COLUMN] ...     such as
    'ledger/runs/*/legs/**/*.parquet=account_sid,amount'

Reads every byte of these files, and unpacks the named columns of Parquet (without names: all of
them) with polars, batch by
batch. Nothing is computed, nothing is kept. Prints how many bytes and rows that were; a pattern
without a file is an error.
"""

import glob
import sys
from pathlib import Path

import polars as pl


def scan(path, columns):
    buffer, size, rows = bytearray(1 << 20), 0, 0
    with open(path, "rb", buffering=0) as file:
        while taken := file.readinto(buffer):
            size += taken
    if path.endswith(".parquet"):
        frame = pl.scan_parquet(path, hive_partitioning=False)
        frame = frame.select(columns) if columns else frame
        rows = sum(batch.height for batch in frame.collect_batches(maintain_order=False))
    return size, rows


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    size = rows = 0
    for argument in sys.argv[1:]:
        pattern, _, columns = argument.partition("=")
        paths = [
            path for path in sorted(glob.glob(pattern, recursive=True)) if Path(path).is_file()
        ]
        if not paths:
            sys.exit(f"scan.py: no file is {pattern}")
        for path in paths:
            more, more_rows = scan(path, columns.split(",") if columns else None)
            size, rows = size + more, rows + more_rows
    print(f"{size},{rows}")


if __name__ == "__main__":
    main()
