"""Rates the calls of a SIP trunk that supports call transfer (SIP REFER), by the kernel of
trunkrate's command line.

    import pyarrow.parquet as pq
    import trunkrate

    legs, log, suspense = trunkrate.rate(pq.read_table("calls.parquet"), "rates")

A transferred call is two records, a parent and a child; the carrier publishes which legs are billed
for each. `rate` takes
a whole night, joins it, finds each scenario and gives what the command line would book: the same
rows, the same decimals.
Engines that hold a night on many machines call `rate_joined` on whole families instead.

Tables are Arrow's. Money is decimal, never a float. Times are UTC. Nothing here reads a clock or
keeps a state.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any, NamedTuple

import pyarrow as pa

from trunkrate import _kernel
from trunkrate._kernel import FIELDS, Tariff, TrunkrateError, __version__

__all__ = [
    "FAMILY_SCHEMA",
    "FIELDS",
    "KNOWN_SCHEMA",
    "LEG_SCHEMA",
    "LOG_SCHEMA",
    "RATED_SCHEMA",
    "RECORD_SCHEMA",
    "SUSPENSE_SCHEMA",
    "Rated",
    "Tariff",
    "TrunkrateError",
    "__version__",
    "check_columns",
    "field_of",
    "finish_suspense",
    "newest_start",
    "rate",
    "rate_joined",
    "read_csv",
    "records",
]

RECORD_SCHEMA: pa.Schema = _kernel.schema("record")
"""One record as it came: the fields of the carrier's Call resource as text, the file and line where it stood, the text of one
that cannot be read (`malformed`), and why; and of one that is taken up from suspense, when it came first and how often it
was tried."""
KNOWN_SCHEMA: pa.Schema = _kernel.schema("known")
"""What a later night must know of a call that was booked or ignored: to know its copies again, and to bill its children."""
LEG_SCHEMA: pa.Schema = _kernel.schema("leg")
"""Legs: one row for each billed stretch of a call, with the row of the deck that priced it."""
LOG_SCHEMA: pa.Schema = _kernel.schema("log")
"""The call log: one row for each call that was billed or is free, as the published table shows it."""
SUSPENSE_SCHEMA: pa.Schema = _kernel.schema("suspense")
"""Records that cannot be billed now, with the reason; `fields` is the record, for the night that tries it again."""
FAMILY_SCHEMA: pa.Schema = _kernel.schema("family")
"""What `rate_joined` takes: a key that is never null, records, and what earlier nights know of their calls and parents."""
RATED_SCHEMA: pa.Schema = _kernel.schema("rated")
"""What `rate_joined` gives: where each record ended, and what is to be written of it."""


class Rated(NamedTuple):
    """A night, rated."""

    legs: pa.Table
    """LEG_SCHEMA, by start, call and leg."""
    log: pa.Table
    """LOG_SCHEMA, by start and call."""
    suspense: pa.Table
    """SUSPENSE_SCHEMA, by call."""


def rate(
    calls: Any,
    rates: Tariff | str | os.PathLike[str],
    trunks: str | os.PathLike[str] | None = None,
    *,
    accounts: str | os.PathLike[str] | None = None,
    config: str | os.PathLike[str] | None = None,
    no_transfers: bool = False,
) -> Rated:
    """Rates a night that fits in memory, as if there had been none before.

    `calls`: a pyarrow Table, RecordBatch or RecordBatchReader, a polars or pandas DataFrame, or
    anything else that has
    `__arrow_c_stream__`; columns are found by the carrier's names, without case, space or
    underscore. `rates`: a Tariff, or the
    folder of a deck or of decks; then `trunks`, `accounts` and `config` are files. What is billed
    twice or never, no table
    shows: copies of a call are left out, as are calls that no trunk made. Raises TrunkrateError if
    a file is wrong, or if a
    column is missing without which a bill would be; `no_transfers=True` says that the calls know no
    transfers, so that
    `parent_call_sid` may be absent.
    """
    if isinstance(rates, Tariff):
        if trunks is not None or accounts is not None or config is not None:
            raise TrunkrateError(
                "a Tariff has its own trunks, accounts and config: give them to it"
            )
        tariff = rates
    else:
        tariff = Tariff(rates, trunks, accounts, config)
    if isinstance(calls, pa.RecordBatch):
        calls = pa.Table.from_batches([calls])
    elif not hasattr(calls, "__arrow_c_stream__"):
        # An older pandas has no such method.
        if not hasattr(calls, "dtypes") or hasattr(calls, "collect"):
            raise TrunkrateError(
                f"{type(calls).__name__} is no table of calls; expected a pyarrow Table, a polars"
                " or pandas DataFrame (a LazyFrame: collect it first), or anything with"
                " __arrow_c_stream__"
            )
        calls = pa.Table.from_pandas(calls, preserve_index=False)
    legs, log, suspense = _kernel.rate(calls, tariff, no_transfers)
    waiting = pa.Table.from_batches(suspense, SUSPENSE_SCHEMA)
    names = list(zip(waiting["call_sid"].to_pylist(), waiting["record"].to_pylist()))
    order = sorted(range(len(names)), key=lambda row: (names[row][0] or "", names[row][1] or ""))
    return Rated(
        pa.Table.from_batches(legs, LEG_SCHEMA),
        pa.Table.from_batches(log, LOG_SCHEMA),
        waiting.take(pa.array(order, pa.int64())),
    )


def field_of(name: str) -> str | None:
    """The field of a call that a column of this name is, without case, space or underscore; None if
    it is none."""
    return _kernel.field_of(name)


def check_columns(names: Iterable[str], *, no_transfers: bool = False) -> None:
    """Raises TrunkrateError if calls with these columns cannot be billed: it names the missing
    ones, and what resembles them."""
    _kernel.check_columns(list(names), no_transfers)


def newest_start(days: Iterable[tuple[int, int, int]], known: int | None) -> int | None:
    """The newest start that can be believed, in microseconds since 1970: a few bogus dates (1970,
    2062) do not move it.

    `days` has, of each UTC day on which sound calls start, its number since 1970, how many they
    are, and when the last of them
    starts; `known` is the newest start of the nights before.
    """
    return _kernel.newest_start(list(days), known)


def records(
    batch: pa.RecordBatch, source_file: str | None = None, *, no_transfers: bool = False
) -> pa.RecordBatch:
    """Any batch of calls as RECORD_SCHEMA: names without case, space or underscore; times and
    numbers as text.

    Columns `source_file` and `source_line` are taken over; else `source_file` stands for all rows.
    Raises TrunkrateError if
    the columns are no call's, or one is missing without which no bill is right (see
    `check_columns`).
    """
    return _kernel.records(batch, source_file, no_transfers)


def read_csv(
    data: bytes, source_file: str, *, no_transfers: bool = False, may_be_cut: bool = True
) -> list[pa.RecordBatch]:
    """A whole CSV file, unpacked, as RECORD_SCHEMA: by the reader of the command line, with lines
    counted from 1.

    Delimiter and columns are found in the header. A line that is no record comes as `malformed`;
    none is left out. Raises
    TrunkrateError if the header is no call file's, or lacks a column without which no bill is
    right.

    `may_be_cut`: nothing proves the end of the text, as the checksum of a .gz or .zst would; then a
    last line without a line end
    comes as `malformed`.
    """
    return _kernel.read_csv(data, source_file, no_transfers, may_be_cut)


def rate_joined(batch: pa.RecordBatch, tariff: Tariff) -> pa.RecordBatch:
    """Rates whole families: FAMILY_SCHEMA in, RATED_SCHEMA out, one row for each record.

    A family holds every record that can decide about another: copies and versions of a call, its
    parent, its children, and
    theirs. For nearly all, the key is `coalesce(parent_call_sid, sid)`, without white space around
    it; of a record without both
    it is made of its texts, so that copies meet. It is never null or empty (TrunkrateError), since
    a null joins nothing. A row
    may hold several families, if each is whole.

    Stateless: the same batch gives the same batch, so an engine may try it as often as it likes.
    Nothing depends on the order
    of rows, or on where a batch ends.
    """
    return _kernel.rate_joined(batch, tariff)


def finish_suspense(
    batch: pa.RecordBatch, tariff: Tariff, newest_start: datetime | None
) -> pa.RecordBatch:
    """Rows of RATED_SCHEMA with the class `suspended` as SUSPENSE_SCHEMA.

    `newest_start`: when the newest readable call started, of this night and all before, with a time
    zone; only then can be said
    which parents will never arrive.
    """
    micros = None
    if newest_start is not None:
        if not isinstance(newest_start, datetime) or newest_start.tzinfo is None:
            raise TrunkrateError(
                f"newest_start is {newest_start!r}, which has no time zone; expected an instant,"
                " such as datetime(…, tzinfo=timezone.utc)"
            )
        since = newest_start.astimezone(timezone.utc) - datetime(1970, 1, 1, tzinfo=timezone.utc)
        micros = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return _kernel.finish_suspense(batch, tariff, micros)
