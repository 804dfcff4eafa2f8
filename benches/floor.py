#!/usr/bin/env python3
"""The floor: an engine reads the calls, CSV or Parquet, and writes them as Parquet. Every column
stays text, nothing is computed.

    floor.py [--engine polars|duckdb|pyarrow] CALLS.csv|CALLS.parquet OUT.parquet

polars is what the ratios are taken to. The others are here so that nobody has to believe that it is
the fastest.

Tried on a busy machine, in CPU seconds per million calls from CSV, so take them as orders of size:
  DuckDB (this: 1.3)    in the order of the rows +0.4; dictionaries for everything +0.3
  pyarrow (this: 1.3)   dictionaries for everything +0.3; blocks of 32 MiB +0.1 and 120 MiB; the
  whole file at once +0.1 and 1 GiB
"""

import argparse

REPEATED = [
    "account_sid",
    "trunk_sid",
    "direction",
    "start_time",
    "end_time",
    "duration",
    "status",
    "price",
    "price_unit",
]


def polars(source, target):
    import polars as pl

    calls = (
        pl.scan_parquet(source)
        if source.endswith(".parquet")
        else pl.scan_csv(source, infer_schema=False)
    )
    calls.sink_parquet(target, compression="zstd", compression_level=1, row_group_size=131_072)


def duckdb(source, target):
    import duckdb

    calls = (
        f"'{source}'"
        if source.endswith(".parquet")
        else f"read_csv('{source}', header = true, all_varchar = true, delim = ',', quote = '\"')"
    )
    duckdb.execute("SET preserve_insertion_order = false")
    duckdb.execute(
        f"COPY (SELECT * FROM {calls}) TO '{target}' (FORMAT parquet, COMPRESSION zstd,"
        " COMPRESSION_LEVEL 1, PARQUET_VERSION v2, DICTIONARY_SIZE_LIMIT 5000)"
    )


def pyarrow(source, target):
    import pyarrow as pa
    from pyarrow import csv, parquet

    if source.endswith(".parquet"):
        file = parquet.ParquetFile(source)
        schema, batches = file.schema_arrow, file.iter_batches(131_072)
    else:
        with open(source, encoding="utf-8") as file:
            names = file.readline().strip().split(",")
        options = csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True
        )
        batches = csv.open_csv(
            source, read_options=csv.ReadOptions(block_size=1 << 23), convert_options=options
        )
        schema = batches.schema
    with parquet.ParquetWriter(
        target, schema, compression="zstd", compression_level=1, use_dictionary=REPEATED
    ) as writer:
        for batch in batches:
            writer.write_batch(batch)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", choices=["polars", "duckdb", "pyarrow"], default="polars")
    parser.add_argument("source", metavar="CALLS")
    parser.add_argument("target", metavar="OUT.parquet")
    args = parser.parse_args()
    {"polars": polars, "duckdb": duckdb, "pyarrow": pyarrow}[args.engine](args.source, args.target)


if __name__ == "__main__":
    main()
