"""What two engines made of the same nights, side by side: the command line's ledger and the nights
that Spark published."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[2]
TRUNKRATE = os.environ.get("TRUNKRATE", str(ROOT / "target/release/trunkrate"))
"""The command line."""
RATES = ROOT / "rates"
TRUNKS = ROOT / "fixtures/night/trunks.json"
ACCOUNTS = ROOT / "fixtures/night/accounts.csv"

Row = dict[str, Any]


def tariff(config: Path | None = None) -> Any:
    """What both rate with."""
    from trunkrate import Tariff

    return Tariff(
        str(RATES),
        trunks=str(TRUNKS),
        accounts=str(ACCOUNTS),
        config=str(config) if config else None,
    )


class Ledger:
    """A ledger of the command line."""

    def __init__(self, folder: Path, config: Path | None = None) -> None:
        self.folder = folder
        self.config = ["--config", str(config)] if config else []

    def call(self, *arguments: Any, code: int = 0) -> str:
        """Runs a command with this ledger; what it printed."""
        done = subprocess.run(
            [TRUNKRATE, *map(str, arguments), "--ledger", self.folder],
            capture_output=True,
            text=True,
            cwd=self.folder.parent,
            check=False,
        )
        assert (
            done.returncode == code
        ), f"{arguments}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def run(self, calls: Path) -> dict[str, Any]:
        """Rates call files; the summary."""
        with_what = ["--rates", RATES, "--trunks", TRUNKS, "--accounts", ACCOUNTS, *self.config]
        return json.loads(self.call("run", "--cdrs", calls, *with_what, "--format", "json"))

    def rows(self, what: str) -> list[Row]:
        """`legs`, `calls` or `suspense`, as exported."""
        file = self.folder.with_suffix(f".{what}.parquet")
        self.call("export", what, "--format", "parquet", "--out", file)
        return [_without(row, "run_id") for row in pq.read_table(file).to_pylist()]


def published(out: Path, what: str) -> list[Row]:
    """The rows of all published nights; `suspense` is the last night's, and late prices stand in
    `calls`."""
    nights = sorted((out / "nights").iterdir())
    rows = [
        row
        for night in (nights[-1:] if what == "suspense" else nights)
        for row in _rows(night / what)
    ]
    if what != "calls":
        return rows
    late: dict[str, Any] = {}
    for row in (row for night in nights for row in _rows(night / "prices")):
        late[row["call_sid"]] = min(
            row["carrier_price"], late.get(row["call_sid"], row["carrier_price"])
        )
    return [
        {**row, "carrier_price": late.get(row["call_sid"], row["carrier_price"])} for row in rows
    ]


def _rows(folder: Path) -> list[Row]:
    files = sorted(map(str, folder.rglob("*.parquet")))
    return ds.dataset(files).to_table().to_pylist() if files else []


def _without(row: Row, *names: str) -> Row:
    return {name: value for name, value in row.items() if name not in names}


def assert_same(
    ours: Iterable[Row], theirs: Iterable[Row], columns: Iterable[str] | None = None
) -> int:
    """Row by row, whatever their order: all columns, or some. How many there are."""
    wanted = list(columns) if columns else None

    def comparable(rows: Iterable[Row]) -> list[tuple[tuple[str, str], ...]]:
        picked = ({name: row[name] for name in wanted} if wanted else row for row in rows)
        return sorted(
            tuple((name, _shown(value)) for name, value in sorted(row.items())) for row in picked
        )

    left, right = comparable(ours), comparable(theirs)
    only_left, only_right = (
        sorted((Counter(one) - Counter(other)).elements())
        for one, other in ((left, right), (right, left))
    )
    for one, other in zip(only_left, only_right):
        different = [(a, b) for a, b in zip(one, other) if a != b]
        assert (
            one == other
        ), f"rows differ: {different}\nSpark:        {dict(one)}\ncommand line: {dict(other)}"
    alone = (only_left or only_right)[:1]
    assert not alone, f"only {'Spark' if only_left else 'the command line'} has {dict(alone[0])}"
    return len(left)


def _shown(value: Any) -> str:
    if value is None or value == "":
        return ""
    return format(value.normalize(), "f") if hasattr(value, "normalize") else str(value)


def assert_same_books(out: Path, ledger: Ledger, is_imported: bool = False) -> None:
    """All legs and calls of all nights, and what waits after the last."""
    assert assert_same(published(out, "legs"), ledger.rows("legs")) > 0
    assert assert_same(published(out, "calls"), ledger.rows("calls")) > 0
    waiting = [
        "call_sid",
        "parent_call_sid",
        "account_sid",
        "reason",
        "detail",
        "first_seen",
        "tries",
    ]
    rows = [published(out, "suspense"), ledger.rows("suspense")]
    if is_imported:
        # What is imported has the text of a malformed record, but not the header that it does not
        # fit under.
        rows = [
            [row | {"detail": ""} if row["reason"] == "malformed-record" else row for row in side]
            for side in rows
        ]
    assert_same(*rows, waiting)


def assert_same_summary(manifest: dict[str, Any], summary: dict[str, Any]) -> None:
    """A night's counts, in records and seconds."""
    names = ("read", "retried", "rated", "free", "duplicate", "ignored", "suspended")
    assert {name: manifest["counts"][name]["records"] for name in names} == {
        name: summary[name] for name in names
    }
    assert {name: manifest["counts"][name]["seconds"] for name in names} == {
        name: summary["seconds"][name] for name in names
    }
    for name in ("suspended_by_reason", "legs", "amount"):
        assert manifest[name] == summary[name], name
