#!/usr/bin/env python3
"""Each account's total, from the legs that a ledger keeps as Parquet.

totals.py LEDGER        prints account,amount
"""

import sys

import polars as pl


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    legs = pl.scan_parquet(f"{sys.argv[1]}/runs/*/legs/**/*.parquet")
    totals = legs.group_by("account_sid").agg(pl.col("amount").sum()).sort("account_sid")
    totals.collect(engine="streaming").write_csv(sys.stdout, include_header=False)


if __name__ == "__main__":
    main()
