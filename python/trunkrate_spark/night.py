"""A night, step by step.

    files ─▶ records/ ─▶ digest, id ─▶ families, history ─▶ kernel ─▶ RATED ─▶ legs/ calls/
    suspense/ known/ prices/
             staging     published     one row each                 staging   conservation law,
             manifest, one rename
                         already?

Inputs are read once, into `records/`; all else reads those. Rated records are written once, beside
the night; all that is
published is made of them. A task that is lost is run again by Spark, and gives the same rows: so a
night is right
whichever executors die. If the driver dies, nothing is published, and the next run starts afresh.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from trunkrate_spark import families, files, ingest, rating
from trunkrate_spark.errors import NightError
from trunkrate_spark.history import FORMAT, History
from trunkrate_spark.schemas import RETRIED, ddl
from trunkrate_spark.store import NIGHTS, STAGING, Store, store_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from trunkrate import Tariff

SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
}
"""What a night needs of the session; put back afterwards."""


@dataclass(frozen=True)
class Published:
    """A published night."""

    path: str
    """Its folder: what `trunkrate ledger import` takes."""
    manifest: dict[str, Any]
    already: bool
    """Whether it was published before; then nothing was written."""
    left_out: tuple[str, ...] = ()
    """Files in the named folders that hold no calls."""


def rate_night(
    spark: Any, calls: str | Iterable[str], tariff: Tariff, out: str, *, no_transfers: bool = False
) -> Published:
    """Rates calls and publishes the night as `out`/nights/NNNNNN-xxxxxxxx.

    `spark`: a session, classic or of Spark Connect. `calls`: files, folders or globs of CSV (also
    .gz, .zst) and Parquet.
    `tariff`: rates, trunks, accounts and policy. The same records with the same tariff are
    published once: again, it
    returns the night that has them. `no_transfers` says that the calls know no transfers: then
    `parent_call_sid` may be absent.
    Raises NightError if the night cannot be rated whole; then nothing is published.
    """
    store = store_of(spark, out)
    with store.locked(), _settings(spark, SETTINGS):
        found, left_out = files.find(spark, [calls] if isinstance(calls, str) else calls)
        # Whoever wrote this is dead: the lock says so.
        for name in store.names(STAGING):
            store.remove(STAGING, name)
        night = _Night(spark, tariff, store, History.load(store))
        night.read(found, no_transfers)
        published = night.history.published(tariff.hash, night.digest)
        if published:
            store.remove(STAGING)
            return Published(
                store.path(NIGHTS, published.name), published.manifest, True, tuple(left_out)
            )
        night.rate()
        night.write()
        night.check()
        return Published(night.publish(), night.manifest, False, tuple(left_out))


class _Night:
    """A night on its way."""

    def __init__(self, spark: Any, tariff: Tariff, store: Store, history: History) -> None:
        self.spark, self.tariff, self.store, self.history = spark, tariff, store, history
        last = history.last
        self.previous: str | None = last.manifest["id"] if last else None
        # Until the records are read, the night has no name.
        self.stage = (STAGING, "reading")
        self.digest = ""
        self.id = ""
        self.went_in: dict[str, dict[str, int]] = {}
        self.tally: rating.Tally | None = None
        self.suspended_by_reason: dict[str, int] = {}
        self.newest_start: datetime | None = None
        self.manifest: dict[str, Any] = {}

    def _frame(self, part: str, schema: str, stage: tuple[str, str] | None = None) -> DataFrame:
        frame: DataFrame = self.spark.read.schema(schema).parquet(
            self.store.uri(*(stage or self.stage), part)
        )
        return frame

    def read(self, found: list[files.CallFile], no_transfers: bool) -> None:
        """Every input, once, to `records/`; the digest of what was read, and the night's id."""
        with _step(self.spark, "read", f"{len(found)} call files"):
            ingest.records_of(self.spark, found, no_transfers).write.parquet(
                self.store.uri(*self.stage, "records")
            )
        with _step(self.spark, "digest", "what was read"):
            count, seconds, self.digest = _digest(self._records())
        self.went_in = {
            "read": {"records": count, "seconds": seconds},
            "retried": {"records": 0, "seconds": 0},
        }
        text = "\n".join(
            ("trunkrate night", str(FORMAT), self.previous or "", self.tariff.hash, self.digest)
        )
        self.id = hashlib.sha256(text.encode()).hexdigest()
        self.store.rename(self.stage, (STAGING, self.id))
        self.stage = (STAGING, self.id)

    def _records(self) -> DataFrame:
        import trunkrate

        return self._frame("records", ddl(trunkrate.RECORD_SCHEMA, without=RETRIED))

    def rate(self) -> None:
        """Families to the kernel; what it says of each record to the staging folder, once."""
        from pyspark.sql import functions as F

        records = self._records()
        for name in RETRIED:
            records = records.withColumn(
                name, F.lit(None).cast("bigint" if name == "tries" else "string")
            )
        waiting = self.history.waiting(self.spark)
        if waiting is not None and self.history.last:
            records = records.unionByName(waiting)
            self.went_in["retried"] = self.history.last.manifest["counts"]["suspended"]
        keyed = families.with_keys(records)
        with _step(self.spark, "families", "keys that are joined"):
            joined = families.joined_keys(keyed)
        keyed = families.with_families(keyed, joined)
        known = None
        if self.history.nights:
            names = families.names(keyed, "family").select("name", "family").distinct()
            known = self.history.known(self.spark, names)
        rows = rating.grouped(keyed, known)
        with _step(self.spark, "rate", "the kernel on whole families"):
            rating.rate(rows, self.tariff).write.parquet(
                self.store.uri(STAGING, f"{self.id}-rated", "rated")
            )

    def write(self) -> None:
        """Legs, log, suspense and what later nights must know, each to its folder."""
        import trunkrate

        rated = self._frame("rated", ddl(trunkrate.RATED_SCHEMA), (STAGING, f"{self.id}-rated"))
        with _step(self.spark, "count", "where every record ended"):
            self.tally = rating.Tally.of(rated)
        before = self.history.last.manifest["newest_start"] if self.history.last else None
        self.newest_start = self.tally.newest_start(_parse(before) if before else None)
        for part, frame in rating.parts(rated, self.tariff, self.newest_start).items():
            by_date = ["date"] if part in ("legs", "calls") else []
            with _step(self.spark, part, f"to {part}/"):
                frame.write.partitionBy(*by_date).parquet(self.store.uri(*self.stage, part))
        for name, content in self.tariff.files.items():
            self.store.write(content, *self.stage, *name.split("/"))

    def check(self) -> None:
        """The conservation law, in what is about to be published. Raises NightError."""
        import trunkrate
        from pyspark.sql import functions as F

        assert self.tally is not None, "check comes after write"
        self.tally.check(self.went_in)
        legs = self._frame("legs", ddl(trunkrate.LEG_SCHEMA))
        calls = self._frame("calls", ddl(trunkrate.LOG_SCHEMA))
        suspense = self._frame("suspense", ddl(trunkrate.SUSPENSE_SCHEMA))
        with _step(self.spark, "check", "the conservation law in the files"):
            of_legs, of_calls = rating.amounts(legs), rating.amounts(calls)
            waiting = (
                suspense.groupBy("reason")
                .agg(F.count(F.lit(1)).alias("records"), F.sum("seconds").alias("seconds"))
                .collect()
            )
            found = {"legs": legs.count(), "calls": calls.count()}
        booked = self.tally.counts["rated"]["records"] + self.tally.counts["free"]["records"]
        _same("legs in the files", found["legs"], "of rated records", self.tally.legs)
        _same("calls in the files", found["calls"], "rated and free records", booked)
        for unit in ("records", "seconds"):
            _same(
                f"{unit} in suspense/",
                sum(row[unit] for row in waiting),
                "suspended",
                self.tally.counts["suspended"][unit],
            )
        for currency in sorted({*of_legs, *of_calls}):
            amount = (of_legs.get(currency, Decimal(0)), of_calls.get(currency, Decimal(0)))
            _same(f"{currency} in legs/", amount[0], "in calls/", amount[1])
        self.suspended_by_reason = {
            row["reason"]: row["records"] for row in sorted(waiting, key=lambda row: row["reason"])
        }
        self.amount = {currency: _decimal(amount) for currency, amount in of_legs.items()}

    def publish(self) -> str:
        """The manifest, and the one rename. The folder's path."""
        import trunkrate

        assert self.tally is not None, "publish comes after write"
        # Checksums and markers of Hadoop's are no part of a night.
        for path, _ in self.store.files(*self.stage):
            if os.path.basename(path).startswith((".", "_")):
                self.store.remove(*self.stage, path)
        self.manifest = {
            "format": FORMAT,
            "id": self.id,
            "sequence": self.history.sequence,
            "previous": self.previous,
            "engine": _engine(self.spark),
            "kernel": trunkrate.__version__,
            "tariff_hash": self.tariff.hash,
            "rates_name": self.tariff.rates_name,
            "records_digest": self.digest,
            "counts": self.tally.counts,
            "suspended_by_reason": self.suspended_by_reason,
            "legs": self.tally.legs,
            "amount": self.amount,
            "newest_start": _text(self.newest_start) if self.newest_start else None,
            "files": self._files(),
        }
        text = json.dumps(self.manifest, indent=1, ensure_ascii=False) + "\n"
        self.store.write(text.encode(), *self.stage, "manifest.json")
        self.store.keep(*self.stage)
        name = f"{self.history.sequence:06}-{self.id[:8]}"
        taken = [other for other in self.store.names(NIGHTS) if other.startswith(name[:7])]
        if taken:
            raise NightError(
                f"{self.store.path(NIGHTS, taken[0])}: another publisher took the number"
                f" {self.history.sequence} meanwhile; expected it to be free. Run again: the night"
                " will follow that one"
            )
        self.store.rename(self.stage, (NIGHTS, name))
        self.store.remove(STAGING)
        return self.store.path(NIGHTS, name)

    def _files(self) -> list[dict[str, Any]]:
        """Every file but the manifest, with its bytes and, if it is a table, its rows."""
        rows: dict[str, int] = {}
        with _step(self.spark, "rows", "rows of each file"):
            for part in ("records", "legs", "calls", "suspense", "known", "prices"):
                rows.update(self._rows(part))
        listed = [
            (path, size) for path, size in self.store.files(*self.stage) if path != "manifest.json"
        ]
        table = [
            (
                {"path": path, "bytes": size, "rows": rows.get(path, 0)}
                if path.endswith(".parquet")
                else {"path": path, "bytes": size}
            )
            for path, size in listed
        ]
        return sorted(table, key=lambda file: file["path"])

    def _rows(self, part: str) -> dict[str, int]:
        root = self.store.path(*self.stage)
        if os.path.isdir(root):
            import pyarrow.parquet as pq

            paths = [
                path for path, _ in self.store.files(*self.stage, part) if path.endswith(".parquet")
            ]
            return {
                f"{part}/{path}": pq.read_metadata(os.path.join(root, part, path)).num_rows
                for path in paths
            }
        from pyspark.sql import functions as F

        counted = (
            self.spark.read.parquet(self.store.uri(*self.stage, part))
            .groupBy(F.input_file_name().alias("file"))
            .count()
            .collect()
        )
        return {f"{part}/{row['file'].split(f'/{part}/', 1)[1]}": row["count"] for row in counted}


def _digest(records: DataFrame) -> tuple[int, int, str]:
    """How many records, of how many seconds; and a digest of what they say, whatever their order
    and files."""
    import trunkrate
    from pyspark.sql import functions as F

    # An empty text and none are the same. The sum in three parts, so that none of them leaves 64
    # bits.
    texts = [F.coalesce(F.col(f"`{name}`"), F.lit("")) for name in (*trunkrate.FIELDS, "malformed")]
    hashed = records.select(
        F.xxhash64(*texts).alias("hash"), rating.seconds_of(records).alias("seconds")
    )
    places = {0: 22, 22: 22, 44: 20}
    sums = [
        F.expr(f"sum(shiftright(hash, {at}) & {2**bits - 1}L)").alias(f"part{at}")
        for at, bits in places.items()
    ]
    row = hashed.agg(
        F.count(F.lit(1)).alias("records"), F.sum("seconds").alias("seconds"), *sums
    ).collect()[0]
    total = sum((row[f"part{at}"] or 0) << at for at in places)
    return row["records"], row["seconds"] or 0, f"{row['records']}:{total}"


def _same(one: str, found: Any, other: str, expected: Any) -> None:
    if found != expected:
        raise NightError(
            f"{one}: {found:,}; {other}: {expected:,}; expected the same. Nothing was published;"
            " report this"
        )


def _engine(spark: Any) -> str:
    # A server of Spark Connect may be another engine; it has a version of its own.
    server = spark.sql("select version()").collect()[0][0].split()[0]
    return (
        f"spark {spark.version}"
        if server == spark.version
        else f"spark connect {spark.version}, server {server}"
    )


def _decimal(amount: Decimal) -> str:
    """At least five decimals, as the command line shows amounts."""
    text = f"{amount:.8f}"
    return text[:-3] + text[-3:].rstrip("0")


def _text(instant: datetime) -> str:
    return (
        instant.strftime("%Y-%m-%dT%H:%M:%S")
        + (f".{instant.microsecond:06}" if instant.microsecond else "")
        + "Z"
    )


def _parse(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


@contextmanager
def _settings(spark: Any, wanted: dict[str, str]) -> Iterator[None]:
    before = {name: spark.conf.get(name, None) for name in wanted}
    for name, value in wanted.items():
        spark.conf.set(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                spark.conf.unset(name)
            else:
                spark.conf.set(name, value)


@contextmanager
def _step(spark: Any, name: str, text: str) -> Iterator[None]:
    """Names the jobs of a step, for those who watch Spark. Spark Connect has no such names."""
    context = getattr(spark, "_sc", None)
    if context is not None:
        context.setJobGroup(f"trunkrate {name}", f"trunkrate: {name}, {text}")
    try:
        yield
    finally:
        if context is not None:
            context.setLocalProperty("spark.jobGroup.id", None)
            context.setLocalProperty("spark.job.description", None)
