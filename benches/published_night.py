#!/usr/bin/env python3
"""A night as the Spark job publishes it, made from a ledger's only run: what `ledger import` is
measured on.

    published_night.py LEDGER CALLS.csv|CALLS.parquet RATES NIGHT

No Spark is needed: legs and log are the run's without its name, the records are the calls with
their file and line, and the
counts are the run's. The layout is that of src/job/import.rs.
"""

import hashlib
import json
import shutil
import sys
from pathlib import Path

import polars as pl

PARQUET = {"compression": "zstd", "compression_level": 1, "row_group_size": 131_072}


def records(source):
    """The calls as they came, each with its file and its line; a text that is no record, of which
    there is none here."""
    is_parquet = source.suffix == ".parquet"
    calls = pl.scan_parquet(source) if is_parquet else pl.scan_csv(source, infer_schema=False)
    line = pl.col("source_line").cast(pl.Int64)
    return calls.with_row_index("source_line", offset=1 if is_parquet else 2).select(
        pl.exclude("source_line"),
        source_file=pl.lit(str(source)),
        malformed=pl.lit(None, pl.String),
        source_line=line,
    )


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    ledger, source, rates, night = map(Path, sys.argv[1:])
    (run,) = (ledger / "runs").iterdir()
    manifest = json.loads((run / "manifest.json").read_text())
    (night / "records").mkdir(parents=True)
    records(source).sink_parquet(night / "records/part-0.parquet", **PARQUET)
    for table in ("legs", "calls"):
        for path in sorted((run / table).rglob("*.parquet")):
            target = night / path.relative_to(run)
            target.parent.mkdir(parents=True)
            pl.scan_parquet(path, hive_partitioning=False).drop("run_id").sink_parquet(
                target, **PARQUET
            )
    shutil.copytree(rates, night / "rates")
    suspense = manifest["suspense"]
    counts = {name: count for name, count in manifest["counts"].items() if name != "closed"}
    counts |= {"new_in_suspense": suspense["new"], "taken_up": suspense["taken_up"]}
    files = [
        {"path": str(path.relative_to(night)), "bytes": path.stat().st_size}
        for path in sorted(night.rglob("*"))
        if path.is_file()
    ]
    published = {
        "format": 1,
        "id": hashlib.sha256(manifest["run_id"].encode()).hexdigest(),
        "sequence": 1,
        "previous": None,
        "engine": "benches/published_night.py",
        "kernel": manifest["version"],
        "counts": counts,
        "suspended_by_reason": manifest["suspended_by_reason"],
        "legs": manifest["legs"],
        "amount": manifest["amount"],
        "files": files,
    }
    (night / "manifest.json").write_text(json.dumps(published, indent=2) + "\n")


if __name__ == "__main__":
    main()
