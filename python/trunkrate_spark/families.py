"""Families: which records must be seen together to know where each ends.

A record's **key** is its parent's id, else its own; so a parent and its children share one. Two
things join keys:
a child that is a parent itself, and versions of one id that name other parents. Such keys are few;
they come to the
driver, and a union-find over them gives each its family.

Keys are 64-bit hashes of the trimmed ids. Two ids with one hash make two families one, which costs
nothing: a family
only has to be whole. **Invariant:** a key is never null. A record without any id gets one of its
own, of texts
that are part of its content: so a copy of it that waits in suspense has the same key.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from trunkrate_spark.errors import NightError

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

EDGES_AT_MOST = 2_000_000
"""Joined keys that the driver takes: about 300 MB of memory there. A usual night has some hundreds."""

ORPHAN_TEXTS = ("malformed", "account_sid", "trunk_sid", "from", "to", "refer_to")


def trimmed(name: str) -> Column:
    """A text without white space around it, as the kernel trims it: never null."""
    from pyspark.sql import functions as F

    text = F.coalesce(F.col(name), F.lit(""))
    # Nearly no id has white space around it, and to look for it in all of Unicode costs as much as
    # the join itself.
    is_bare = F.ascii(text).between(33, 126) & F.ascii(F.substring(text, -1, 1)).between(33, 126)
    # Not every `trim` knows more than the space. The class is spelt so that Java and Rust read it
    # alike.
    spaces = r"^\p{IsWhite_Space}+|\p{IsWhite_Space}+$"
    return F.when((text == "") | is_bare, text).otherwise(F.regexp_replace(text, spaces, ""))


def with_keys(records: DataFrame) -> DataFrame:
    """Adds `sid_key` (of the record's own id, null if it has none) and `key` (never null)."""
    from pyspark.sql import functions as F

    sid, parent = trimmed("sid"), trimmed("parent_call_sid")
    # The number of fields in front keeps these apart from ids.
    orphan = F.xxhash64(F.lit(len(ORPHAN_TEXTS)), *(trimmed(name) for name in ORPHAN_TEXTS))
    key = (
        F.when(parent != "", F.xxhash64(parent)).when(sid != "", F.xxhash64(sid)).otherwise(orphan)
    )
    return records.withColumn("sid_key", F.when(sid != "", F.xxhash64(sid))).withColumn("key", key)


def names(keyed: DataFrame, *more: str) -> DataFrame:
    """Every id that a record names, as `name` beside its `key`."""
    from pyspark.sql import functions as F

    both = F.array_distinct(F.array("key", F.coalesce("sid_key", "key")))
    return keyed.select("key", *more, F.explode(both).alias("name"))


def joined_keys(keyed: DataFrame) -> dict[int, int]:
    """The family of each key that is not one by itself.

    Raises NightError above `EDGES_AT_MOST` joined keys.
    """
    from pyspark.sql import functions as F

    ranges = names(keyed).groupBy("name").agg(F.min("key").alias("low"), F.max("key").alias("high"))
    several = ranges.where("low <> high").select("name")
    children = keyed.where("sid_key <> key").select(F.col("sid_key").alias("name"), "key")
    edges = (
        children.join(several, "name", "left_semi").distinct().limit(EDGES_AT_MOST + 1).collect()
    )
    if len(edges) > EDGES_AT_MOST:
        raise NightError(
            f"more than {EDGES_AT_MOST:,} children are parents themselves or come in versions with"
            " other parents; the driver joins such families in its memory. Rate the calls in"
            " several nights, parents first"
        )
    return union_find((row["name"], row["key"]) for row in edges)


def union_find(edges: Iterable[tuple[int, int]]) -> dict[int, int]:
    """The least member of each node's set: of nodes that are not the least themselves.

    >>> union_find([(5, 3), (7, 5), (9, 9), (4, 8)])
    {5: 3, 7: 3, 8: 4}
    """
    parent: dict[int, int] = {}

    def find(node: int) -> int:
        root = node
        while parent.get(root, root) != root:
            root = parent[root]
        while parent.get(node, node) != root:
            parent[node], node = root, parent[node]
        return root

    for left, right in edges:
        low, high = sorted((find(left), find(right)))
        if low != high:
            parent[high] = low
    return {node: find(node) for node in sorted(parent) if find(node) != node}


def with_families(keyed: DataFrame, joined: dict[int, int]) -> DataFrame:
    """Adds `family`, never null."""
    from pyspark.sql import functions as F

    if not joined:
        return keyed.withColumn("family", F.col("key"))
    rows = keyed.sparkSession.createDataFrame(sorted(joined.items()), "key bigint, joined bigint")
    with_joined = keyed.join(F.broadcast(rows), "key", "left")
    return with_joined.withColumn("family", F.coalesce("joined", "key")).drop("joined")
