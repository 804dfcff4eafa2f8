"""What earlier nights know: published nights in order, booked calls, late prices, and what waits.

**Invariant:** the history of a night is all published nights before it, each of which names the one
before it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trunkrate_spark.errors import NightError
from trunkrate_spark.schemas import ddl
from trunkrate_spark.store import NIGHTS, Store

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

FORMAT = 1
"""Of a published night. A night of another format is refused."""


@dataclass(frozen=True)
class Night:
    """A published night: its folder's name and its manifest."""

    name: str
    manifest: dict[str, Any]


class History:
    """The published nights, in order."""

    def __init__(self, store: Store, nights: list[Night]) -> None:
        self.store = store
        self.nights = nights

    @classmethod
    def load(cls, store: Store) -> History:
        """Reads the manifests of all nights. Raises NightError for a gap, a broken chain, or
        another format."""
        nights: list[Night] = []
        for name in store.names(NIGHTS):
            where = f"{store.path(NIGHTS, name)}/manifest.json"
            try:
                manifest = json.loads(store.read(NIGHTS, name, "manifest.json"))
            except (OSError, ValueError) as problem:
                raise NightError(
                    f"{where}: cannot be read ({problem}); expected the manifest of a published"
                    " night. Restore it"
                ) from problem
            if manifest.get("format") != FORMAT:
                raise NightError(
                    f"{where}: has format {manifest.get('format')}; this version reads {FORMAT}."
                    " Use the version that wrote it"
                )
            previous = nights[-1].manifest["id"] if nights else None
            if manifest["sequence"] != len(nights) + 1 or manifest["previous"] != previous:
                raise NightError(
                    f"{where}: is night {manifest['sequence']} after {manifest['previous']};"
                    f" expected night {len(nights) + 1} after {previous}. A night is missing, or"
                    " was put there by hand: restore it"
                )
            nights.append(Night(name, manifest))
        return cls(store, nights)

    @property
    def sequence(self) -> int:
        """The number of the next night."""
        return len(self.nights) + 1

    @property
    def last(self) -> Night | None:
        """The last night."""
        return self.nights[-1] if self.nights else None

    def published(self, tariff_hash: str, records_digest: str) -> Night | None:
        """The night that published these records with this tariff."""
        wanted = (tariff_hash, records_digest)
        same = (
            night
            for night in self.nights
            if (night.manifest["tariff_hash"], night.manifest["records_digest"]) == wanted
        )
        return next(same, None)

    def _read(self, spark: Any, part: str, schema: str, nights: list[Night]) -> DataFrame | None:
        folders = [(NIGHTS, night.name, part) for night in nights]
        uris = [self.store.uri(*folder) for folder in folders if self.store.names(*folder)]
        return spark.read.schema(schema).parquet(*uris) if uris else None

    def waiting(self, spark: Any) -> DataFrame | None:
        """What the last night left open, as records to be taken up; None if nothing waits."""
        import trunkrate
        from pyspark.sql import functions as F

        open_ = self._read(spark, "suspense", ddl(trunkrate.SUSPENSE_SCHEMA), self.nights[-1:])
        if open_ is None:
            return None
        own = ("source_file", "source_line", "first_seen", "tries")
        columns = [
            F.col(name) if name in own else F.col(f"fields.`{name}`").alias(name)
            for name in trunkrate.RECORD_SCHEMA.names
        ]
        return open_.select(*columns)

    def known(self, spark: Any, names: DataFrame) -> DataFrame | None:
        """What is known of some ids (`name`, a key), with the columns of `names`: KNOWN, each call
        with its latest price.

        None if nothing can be known yet.
        """
        import trunkrate
        from pyspark.sql import functions as F

        known = self._read(spark, "known", ddl(trunkrate.KNOWN_SCHEMA), self.nights)
        if known is None:
            return None
        columns = trunkrate.KNOWN_SCHEMA.names
        known = known.withColumn("name", F.xxhash64("call_sid")).join(names, "name")
        prices = self._read(
            spark, "prices", "call_sid string, carrier_price decimal(18,10)", self.nights
        )
        if prices is not None:
            # A charge is a negative price: the greatest charge is the least price. `least` passes
            # over null.
            late = prices.groupBy("call_sid").agg(F.min("carrier_price").alias("late"))
            known = known.join(late, "call_sid", "left").withColumn(
                "carrier_price", F.least("carrier_price", "late")
            )
        # A call is booked once, but the same foreign call may be ignored every night.
        others = [name for name in names.columns if name != "name"]
        known = known.groupBy("call_sid", "is_ignored", *others).agg(
            F.max(F.struct(*columns)).alias("one")
        )
        return known.select(*others, "one.*")
