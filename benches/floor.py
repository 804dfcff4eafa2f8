#!/usr/bin/env python3
"""The floor: polars alone reads the calls' CSV and writes it as Parquet. Nothing is parsed beyond text, nothing computed.

    floor.py CALLS.csv OUT.parquet
"""

import sys

import polars as pl


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, target = sys.argv[1:]
    pl.scan_csv(source, infer_schema=False).sink_parquet(target, compression="zstd", compression_level=1)


if __name__ == "__main__":
    main()
