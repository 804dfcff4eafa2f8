"""The kernel on whole families, and what comes of it.

A family is one row: a list of records beside a list of what is known of them. So the kernel sees it
whole wherever Spark
puts the row, however it cuts batches, whatever the order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from trunkrate_spark.errors import NightError
from trunkrate_spark.schemas import ddl, struct
from trunkrate_spark.session import kernel_finder

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import Column, DataFrame
    from trunkrate import Tariff

LONGEST_FIELD = 64 << 10
"""Bytes of a field that is read; a record with a longer one is malformed."""
DAY = 86_400_000_000
"""Microseconds."""
CLASSES = ("rated", "free", "duplicate", "ignored", "suspended")


def grouped(records: DataFrame, known: DataFrame | None) -> DataFrame:
    """One row per family, as the kernel wants it: FAMILY. `records` and `known` have a column
    `family`."""
    import trunkrate
    from pyspark.sql import functions as F

    no_record, no_known = (
        F.lit(None).cast(struct(schema))
        for schema in (trunkrate.RECORD_SCHEMA, trunkrate.KNOWN_SCHEMA)
    )
    record = F.struct(*(F.col(f"`{name}`") for name in trunkrate.RECORD_SCHEMA.names))
    rows = records.select("family", record.alias("record"), no_known.alias("known"))
    if known is not None:
        found = F.struct(*trunkrate.KNOWN_SCHEMA.names)
        rows = rows.unionAll(
            known.select("family", no_record.alias("record"), found.alias("known"))
        )
    # A list leaves out what is null.
    lists = rows.groupBy("family").agg(
        F.collect_list("record").alias("records"), F.collect_list("known").alias("known")
    )
    return lists.select(F.col("family").cast("string").alias("family"), "records", "known")


def rate(families: DataFrame, tariff: Tariff) -> DataFrame:
    """The kernel on every family: RATED."""
    import trunkrate

    return families.mapInArrow(kernel_call("rate_joined", tariff), ddl(trunkrate.RATED_SCHEMA))


def kernel_call(
    name: str, *arguments: Any
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """A function of the kernel that takes a batch, for `mapInArrow`. It travels whole: nothing of
    this package is needed there."""
    find_kernel = kernel_finder()

    def sound(batch: pa.RecordBatch) -> pa.RecordBatch:
        # Where all lists of a batch are empty, Spark 3.5 does not write the offsets of the texts
        # that they would hold: what
        # stands there instead is no offset, and Arrow's checks in Rust say so.
        import pyarrow as pa

        for at, column in enumerate(batch.columns):
            if pa.types.is_list(column.type) and not len(column.values):
                batch = batch.set_column(
                    at, batch.schema.field(at), pa.array([[]] * batch.num_rows, column.type)
                )
        return batch

    def call(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        find_kernel()
        import trunkrate

        function = getattr(trunkrate, name)
        for batch in batches:
            if batch.num_rows:
                yield function(sound(batch), *arguments)

    return call


def parts(rated: DataFrame, tariff: Tariff, newest_start: datetime | None) -> dict[str, DataFrame]:
    """What is published of rated records, by folder: `legs`, `calls`, `suspense`, `known`,
    `prices`."""
    import trunkrate
    from pyspark.sql import functions as F

    date = F.date_format("start_time", "yyyy-MM-dd").alias("date")
    suspended = rated.where("class = 'suspended'")
    late = rated.where("late_price is not null").select("late_price.*")
    return {
        "legs": (
            rated.where("legs is not null")
            .select(F.explode("legs").alias("leg"))
            .select("leg.*")
            .select("*", date)
        ),
        "calls": rated.where("log is not null").select("log.*").select("*", date),
        "suspense": suspended.mapInArrow(
            kernel_call("finish_suspense", tariff, newest_start), ddl(trunkrate.SUSPENSE_SCHEMA)
        ),
        "known": rated.where("known is not null").select("known.*"),
        "prices": late.groupBy("call_sid").agg(F.min("carrier_price").alias("carrier_price")),
    }


@dataclass
class Tally:
    """Records and seconds of a night, by what became of them."""

    counts: dict[str, dict[str, int]]
    """`read`, `retried`, each class, `new_in_suspense`, `taken_up`: records and seconds."""
    legs: int
    days: list[tuple[int, int, int]]
    """Of each UTC day on which sound calls start: its number, how many they are, when the last of them starts."""

    @classmethod
    def of(cls, rated: DataFrame) -> Tally:
        """Counts rated records."""
        from pyspark.sql import functions as F

        legs = F.sum(F.when(F.col("legs").isNotNull(), F.size("legs")).otherwise(0)).alias("legs")
        # The instant as a number: a timestamp would come to the driver in the driver's own zone.
        start = F.unix_micros("start_time")
        newest, day = F.max(start).alias("newest"), F.floor(start / F.lit(DAY)).alias("day")
        sums = [F.count(F.lit(1)).alias("records"), F.sum("seconds").alias("seconds"), legs, newest]
        rows = rated.groupBy("class", "is_retried", day).agg(*sums).collect()
        counts = {
            name: {"records": 0, "seconds": 0}
            for name in ("read", "retried", *CLASSES, "new_in_suspense", "taken_up")
        }
        for row in rows:
            if row["class"] not in CLASSES:
                raise NightError(
                    f"a record ended as {row['class']!r}; expected one of {', '.join(CLASSES)}. The"
                    " kernel of the executors is not the driver's: install one"
                )
            where = ["retried" if row["is_retried"] else "read", row["class"]]
            if row["is_retried"] and row["class"] != "suspended":
                where.append("taken_up")
            if not row["is_retried"] and row["class"] == "suspended":
                where.append("new_in_suspense")
            for name in where:
                counts[name]["records"] += row["records"]
                counts[name]["seconds"] += row["seconds"]
        days = [
            (int(row["day"]), row["records"], row["newest"])
            for row in rows
            if row["day"] is not None
        ]
        return cls(counts, sum(row["legs"] for row in rows), days)

    def newest_start(self, before: datetime | None) -> datetime | None:
        """The newest start that can be believed, of this night and those before."""
        import trunkrate

        known = micros(before) if before else None
        starts = (trunkrate.newest_start(self.days, known), known)
        return max((instant(start) for start in starts if start is not None), default=None)

    def check(self, records: dict[str, dict[str, int]]) -> None:
        """The conservation law, beside what was counted in the records themselves. Raises
        NightError."""
        for name in ("read", "retried"):
            if self.counts[name] != records[name]:
                raise NightError(
                    f"{name}: {_said(records[name])} went in, {_said(self.counts[name])} came out;"
                    " expected the same. Nothing was published; report this"
                )
        for unit in ("records", "seconds"):
            before = self.counts["read"][unit] + self.counts["retried"][unit]
            after = sum(self.counts[name][unit] for name in CLASSES)
            if before != after:
                raise NightError(
                    f"{before:,} {unit} were read or retried, {after:,} ended; expected the same."
                    " Nothing was published; report this"
                )


def _said(count: dict[str, int]) -> str:
    return f"{count['records']:,} records of {count['seconds']:,} seconds"


def instant(micros: int) -> datetime:
    """The instant of so many microseconds since 1970, UTC."""
    from datetime import timedelta, timezone

    return datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=micros)


def micros(when: datetime) -> int:
    """Microseconds since 1970 of an instant."""
    from datetime import timezone

    since = when - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def amounts(frame: DataFrame) -> dict[str, Decimal]:
    """The sum of amounts by currency; a call without a currency has no amount."""
    from pyspark.sql import functions as F

    rows = (
        frame.where("currency is not null")
        .groupBy("currency")
        .agg(F.sum("amount").alias("amount"))
        .collect()
    )
    return {row["currency"]: row["amount"] for row in sorted(rows, key=lambda row: row["currency"])}


def seconds_of(records: DataFrame) -> Column:
    """Whole seconds of a record by its `duration`, without the kernel: to check it. A text that is
    no duration has none.

    Nor has a record that is malformed for a NUL or a text past all bounds.
    """
    import trunkrate
    from pyspark.sql import functions as F

    from trunkrate_spark.families import trimmed

    fields = [F.coalesce(F.col(f"`{name}`"), F.lit("")) for name in trunkrate.FIELDS]
    is_usable = (F.instr(F.concat(*fields), "\0") == 0) & (
        F.greatest(*map(F.octet_length, fields)) <= LONGEST_FIELD
    )

    text = trimmed("duration")
    whole = F.regexp_extract(text, r"^0*([0-9]+?)(\.[0-9]+)?$", 1)
    fraction = F.regexp_extract(text, r"^[0-9]+\.([0-9]+)$", 1)
    # 64 bits of microseconds, a finer fraction rounded up, or it is no duration.
    most, most_micros = divmod(2**64 - 1, 10**6)
    sixth = F.rpad(F.substring(fraction, 1, 6), 6, "0").cast("bigint") + F.substring(
        fraction, 7, 100_000
    ).rlike("[1-9]").cast("bigint")
    number = F.when((whole != "") & (F.length(whole) <= 14), whole).cast("bigint")
    fits = (number < most) | ((number == most) & (F.coalesce(sixth, F.lit(0)) <= most_micros))
    seconds = F.when(
        is_usable & fits, F.least(number + fraction.rlike("[1-9]").cast("bigint"), F.lit(2**32 - 1))
    )
    return F.coalesce(seconds.cast("bigint"), F.lit(0))
