#!/usr/bin/env python3
"""The floor: polars alone reads the calls, CSV or Parquet, and writes them as Parquet. Every column stays text, nothing is computed.

    floor.py CALLS.csv|CALLS.parquet OUT.parquet
"""

import sys

import polars as pl


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, target = sys.argv[1:]
    calls = pl.scan_parquet(source) if source.endswith(".parquet") else pl.scan_csv(source, infer_schema=False)
    calls.sink_parquet(target, compression="zstd", compression_level=1, row_group_size=131_072)


if __name__ == "__main__":
    main()
