"""From call files to records: every input is read once, here.

Parquet is read by Spark. CSV is read file by file, in executors, by the command line's own reader,
since what is a broken
line there must be one here. A CSV file must fit in the memory of a task, unpacked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from trunkrate_spark.errors import NightError
from trunkrate_spark.files import CallFile, is_local, local_path
from trunkrate_spark.schemas import RETRIED, ddl
from trunkrate_spark.session import kernel_finder

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

CSV_TASKS = 10_000
"""Tasks that read CSV, at most; with more files a task reads several."""


def records_of(spark: Any, files: list[CallFile], no_transfers: bool) -> DataFrame:
    """The records of all files, as they came: the kernel's RECORD without `first_seen` and
    `tries`."""
    import trunkrate

    schema = ddl(trunkrate.RECORD_SCHEMA, without=RETRIED)
    csv = [file.path for file in files if file.format == "csv"]
    parquet = [file.path for file in files if file.format == "parquet"]
    frames = [
        scan.mapInArrow(_to_records(no_transfers), schema)
        for scan in _scans(spark, parquet, no_transfers)
    ]
    if csv:
        tasks = min(len(csv), CSV_TASKS)
        frames.append(
            spark.range(0, tasks, 1, tasks).mapInArrow(_read_csv(csv, tasks, no_transfers), schema)
        )
    if not frames:
        raise NightError("no call file was named; expected at least one")
    whole = frames[0]
    for frame in frames[1:]:
        whole = whole.unionAll(frame)
    return whole


def _scans(spark: Any, paths: list[str], no_transfers: bool) -> list[DataFrame]:
    """Scans of Parquet files: one if they have the same columns of the same types, else one per
    file."""
    if not paths:
        return []
    uris = ["file://" + _quoted(local_path(path)) if is_local(path) else path for path in paths]
    if len(uris) > 1:
        first = spark.read.parquet(uris[0])
        try:
            merged = spark.read.option("mergeSchema", "true").parquet(*uris)
            if sorted(merged.dtypes) == sorted(first.dtypes):
                return [_with_source(merged, paths, no_transfers)]
        except (
            Exception
        ) as problem:  # noqa: BLE001 - types that cannot be merged: each file is read with its own
            if "merge" not in str(problem).lower():
                raise
    return [
        _with_source(spark.read.parquet(uri), [path], no_transfers)
        for uri, path in zip(uris, paths)
    ]


def _quoted(path: str) -> str:
    """Spark takes a path for a glob."""
    return "".join("\\" + letter if letter in "{}[]*?\\" else letter for letter in path)


def _with_source(scan: DataFrame, paths: list[str], no_transfers: bool) -> DataFrame:
    """Only the columns that are read, with the file and the row of each record, as far as the
    engine knows them."""
    import trunkrate
    from pyspark.sql import functions as F

    columns = [F.col(f"`{name}`") for name in scan.columns if trunkrate.field_of(name)]
    if not columns:
        raise NightError(
            f"{paths[0]}: has none of the fields of a call; expected columns such as sid, from, to,"
            " start_time"
        )
    try:
        trunkrate.check_columns(scan.columns, no_transfers=no_transfers)
    except trunkrate.TrunkrateError as problem:
        raise NightError(f"{paths[0]}: {problem}") from problem
    try:
        sources = [
            F.col("_metadata.file_path").alias("source_file"),
            (F.col("_metadata.row_index") + 1).alias("source_line"),
        ]
        scan.select(*sources).schema
    except Exception:  # noqa: BLE001 - an engine without these columns
        sources = [F.lit(paths[0] if len(paths) == 1 else None).cast("string").alias("source_file")]
        sources.append(F.lit(None).cast("bigint").alias("source_line"))
    return scan.select(*columns, *sources)


# What runs in executors is made by functions, so that it travels whole and this package need not be
# installed there.


def _to_records(
    no_transfers: bool,
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    find_kernel, dropped = kernel_finder(), RETRIED

    def to_records(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from urllib.parse import unquote

        import pyarrow as pa

        find_kernel()
        import trunkrate

        for batch in batches:
            if not batch.num_rows:
                continue
            at = batch.schema.get_field_index("source_file")
            files = batch.column(at).dictionary_encode()
            named = [
                unquote(name[7:]) if name and name.startswith("file:///") else name
                for name in files.dictionary.to_pylist()
            ]
            files = pa.DictionaryArray.from_arrays(
                files.indices, pa.array(named, pa.string())
            ).cast(pa.string())
            yield trunkrate.records(
                batch.set_column(at, "source_file", files), no_transfers=no_transfers
            ).drop_columns(list(dropped))

    return to_records


def _read_csv(
    paths: list[str], tasks: int, no_transfers: bool
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    find_kernel, dropped = kernel_finder(), RETRIED

    def opened(path: str) -> Any:
        if "://" in path and not path.startswith("file:"):
            from pyarrow import fs

            system, name = fs.FileSystem.from_uri(path)
            return system.open_input_stream(name, compression=None)
        from urllib.parse import unquote, urlparse

        return open(unquote(urlparse(path).path) if path.startswith("file:") else path, "rb")

    def whole(path: str) -> bytes:
        import gzip

        import pyarrow as pa

        with opened(path) as file:
            if path.lower().endswith(".gz"):
                return bytes(gzip.decompress(file.read()))
            if path.lower().endswith(".zst"):
                with pa.CompressedInputStream(pa.BufferReader(file.read()), "zstd") as unpacked:
                    return bytes(unpacked.read())
            return bytes(file.read())

    def read_csv(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        find_kernel()
        import trunkrate

        for batch in batches:
            for task in batch.column(0).to_pylist():
                for path in paths[task::tasks]:
                    try:
                        data = whole(path)
                    except (OSError, EOFError) as problem:
                        raise ValueError(
                            f"{path}: cannot be read whole by an executor: {problem}"
                        ) from problem
                    proved = path.lower().endswith((".gz", ".zst"))
                    for records in trunkrate.read_csv(
                        data, path, no_transfers=no_transfers, may_be_cut=not proved
                    ):
                        yield records.drop_columns(list(dropped))

    return read_csv
