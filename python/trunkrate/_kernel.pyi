"""The kernel of trunkrate, in Rust. Use `trunkrate`, which documents it."""

import os

import pyarrow as pa

__version__: str
FIELDS: list[str]

class TrunkrateError(ValueError):
    """What was given cannot be used; the message says what to do."""

class Tariff:
    """What calls are rated with: decks, trunks, accounts and policy. Can be pickled; contents travel, not paths.

    `rates` is a folder that is a deck or holds decks, `trunks` the carrier's trunk list as JSON, `accounts` the list of accounts as
    CSV, `config` a `trunkrate.toml`. Raises TrunkrateError, with file and line, if one of them is wrong.
    """

    def __new__(
        cls,
        rates: str | os.PathLike[str],
        trunks: str | os.PathLike[str] | None = None,
        accounts: str | os.PathLike[str] | None = None,
        config: str | os.PathLike[str] | None = None,
    ) -> Tariff: ...
    @property
    def hash(self) -> str:
        """Over decks, trunks, accounts and policy, as hex."""
    @property
    def rates_name(self) -> str:
        """What the folder of the rates was called: it names a deck that names itself not."""
    @property
    def files(self) -> dict[str, bytes]:
        """Every file that was given: `rates/…`, `trunks.json`, `accounts.csv`, `trunkrate.toml`."""

def field_of(name: str) -> str | None: ...
def check_columns(names: list[str], no_transfers: bool = False) -> None: ...
def newest_start(days: list[tuple[int, int, int]], known: int | None) -> int | None: ...
def records(batch: pa.RecordBatch, source_file: str | None = None, no_transfers: bool = False) -> pa.RecordBatch: ...
def read_csv(
    data: bytes, source_file: str, no_transfers: bool = False, may_be_cut: bool = True
) -> list[pa.RecordBatch]: ...
def rate(calls: object, tariff: Tariff, no_transfers: bool = False) -> tuple[list[pa.RecordBatch], list[pa.RecordBatch], list[pa.RecordBatch]]: ...
def rate_joined(batch: pa.RecordBatch, tariff: Tariff) -> pa.RecordBatch: ...
def finish_suspense(batch: pa.RecordBatch, tariff: Tariff, newest_start: int | None) -> pa.RecordBatch: ...
def schema(name: str) -> pa.Schema: ...
