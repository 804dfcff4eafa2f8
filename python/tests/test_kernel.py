"""The wheel beside the command line: the same rows, the same decimals, in whatever form calls
come."""

from __future__ import annotations

import gzip
import json
import pickle
import random
import subprocess
import sys
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from books import ACCOUNTS, RATES, ROOT, TRUNKS, Ledger, assert_same, tariff

import trunkrate

FIXTURES = ROOT / "fixtures/night/calls"
NOON = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)
NEWEST = datetime(2026, 11, 22, tzinfo=timezone.utc)


def text_of(file: Path) -> bytes:
    codecs = {
        ".gz": gzip.decompress,
        ".zst": lambda data: pa.CompressedInputStream(pa.BufferReader(data), "zstd").read(),
    }
    return codecs.get(file.suffix, bytes)(file.read_bytes())


def of_json(rows: list[dict[str, Any]], name: str) -> pa.RecordBatch:
    """Rows as an export has them: numbers keep their digits, objects are nobody's business."""
    texts = [
        {
            key: value if value is None or isinstance(value, str) else json.dumps(value)
            for key, value in row.items()
        }
        for row in rows
    ]
    return trunkrate.records(pa.Table.from_pylist(texts).combine_chunks().to_batches()[0], name)


def fixtures() -> pa.Table:
    """The fixtures' night, in five formats."""
    found = []
    for file in sorted(FIXTURES.iterdir()):
        if file.suffix == ".parquet":
            found += [
                trunkrate.records(batch, str(file)) for batch in pq.read_table(file).to_batches()
            ]
        elif ".csv" in file.name:
            found += trunkrate.read_csv(text_of(file), str(file))
        elif ".jsonl" in file.name:
            found.append(
                of_json(
                    [json.loads(line) for line in text_of(file).splitlines() if line.strip()],
                    str(file),
                )
            )
        else:
            found.append(of_json(json.loads(text_of(file))["calls"], str(file)))
    return pa.Table.from_batches(found)


def call(number: int, **fields: Any) -> dict[str, Any]:
    """A completed termination of a minute."""
    root = {
        "sid": f"CA{number:032x}",
        "parent_call_sid": "",
        "account_sid": "AC20261120000000000000000000000001",
        "trunk_sid": "TK20261120000000000000000000000001",
        "direction": "trunking-terminating",
        "from": "+12025550101",
        "to": "+14155550102",
        "start_time": "2026-11-20T12:00:00Z",
        "end_time": "2026-11-20T12:01:00Z",
        "duration": "60",
        "status": "completed",
    }
    return {**root, **fields}


def family(
    *families: tuple[str | None, list[dict[str, Any]], list[dict[str, Any]] | None]
) -> pa.RecordBatch:
    schema = pa.schema([field.with_nullable(True) for field in trunkrate.FAMILY_SCHEMA])
    rows = [{"family": key, "records": records, "known": known} for key, records, known in families]
    return pa.RecordBatch.from_pylist(rows, schema=schema)


def joined(*families: Any) -> list[dict[str, Any]]:
    return trunkrate.rate_joined(family(*families), tariff()).to_pylist()


def test_the_fixtures_are_rated_as_by_the_command_line(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    summary = ledger.run(FIXTURES)
    night = trunkrate.rate(fixtures(), tariff())
    for name, table in (("legs", night.legs), ("calls", night.log)):
        assert table.to_pylist() == ledger.rows(name), name
    columns = [
        "call_sid",
        "parent_call_sid",
        "account_sid",
        "reason",
        "detail",
        "source_file",
        "first_seen",
        "tries",
    ]
    assert (
        assert_same(night.suspense.to_pylist(), ledger.rows("suspense"), columns)
        == summary["suspended"]
    )
    # As in tests/fixtures_night.rs, added up by hand there.
    amount = {
        row["currency"]: row["amount_sum"]
        for row in night.legs.group_by("currency").aggregate([("amount", "sum")]).to_pylist()
    }
    assert {currency: Decimal(text) for currency, text in summary["amount"].items()} == amount


def test_a_filter_of_another_reader_skips_no_row(tmp_path: Path) -> None:
    """Readers skip groups and pages of rows by their statistics: what these say must be true."""
    import polars as pl
    import pyarrow.dataset as ds

    calls = tmp_path / "calls.csv"
    rows = [
        call(
            number,
            start_time=(
                f"2026-11-20T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}Z"
            ),
            end_time="",
            duration=str(number % 900),
        )
        for number in range(1, 80_000)
    ]
    random.Random(7).shuffle(rows)
    calls.write_text(
        "\n".join([",".join(rows[0]), *(",".join(row.values()) for row in rows)]) + "\n"
    )
    ledger = Ledger(tmp_path / "ledger")
    assert ledger.run(calls)["read"] == 79_999
    for what, number, to in (
        ("legs", "billed_seconds", "leg_to"),
        ("calls", "duration_seconds", "to"),
    ):
        (file,) = (ledger.folder / "runs").glob(f"*/{what}/*/*.parquet")
        whole = pl.read_parquet(file)
        some = whole["call_sid"][len(whole) // 2]
        start = whole["start_time"][len(whole) // 3]
        filters = [
            (pl.col("start_time") >= start)
            & (pl.col("start_time") < start.replace(microsecond=999_999)),
            pl.col("start_time") < whole["start_time"][0],
            pl.col("call_sid") == some,
            pl.col("call_sid").is_in([some, whole["call_sid"][0], whole["call_sid"][-1]]),
            pl.col(number) > 890,
            pl.col(to).is_null() | (pl.col(to) == "+14155550102"),
        ]
        for wanted in filters:
            assert (
                pl.scan_parquet(file).filter(wanted).collect().equals(whole.filter(wanted))
            ), wanted
        at = ds.field("start_time") == pa.scalar(start, pa.timestamp("us", tz="UTC"))
        assert (
            ds.dataset(file).to_table(filter=at).num_rows
            == len(whole.filter(pl.col("start_time") == start))
            > 0
        )
        assert (
            ds.dataset(file).to_table(filter=ds.field("call_sid") == some).num_rows
            == len(whole.filter(pl.col("call_sid") == some))
            > 0
        )


def test_one_transfer_costs_what_is_computed_by_hand(tmp_path: Path) -> None:
    (tmp_path / "deck.toml").write_text('name = "hand"\ncurrency = "USD"\n')
    header = "ISO,Country,Description,Price / min,Origination Prefixes,Destination Prefixes\n"
    (tmp_path / "rates.csv").write_text(
        f"{header}US,United States,US,0.0130,,1\nGB,United Kingdom,GB,0.0217,,44\n"
    )
    root = call(1, duration="61", end_time="2026-11-20T12:01:01Z")
    child = call(
        2, parent_call_sid=root["sid"], direction="", to="tel:+442079460000", duration="30"
    )
    legs, log, suspense = trunkrate.rate(
        pa.Table.from_pylist([child, {**root, "parent_call_sid": None}]), tmp_path
    )
    # 61 s are two minutes: 2 × 0.0130. The child is A→B and A→C, a minute each: 0.0130 + 0.0217.
    assert [row["amount"] for row in legs.to_pylist()] == [
        Decimal("0.02600000"),
        Decimal("0.01300000"),
        Decimal("0.02170000"),
    ]
    assert [row["scenario"] for row in legs.to_pylist()] == [
        "termination",
        "termination-to-pstn",
        "termination-to-pstn",
    ]
    assert [(row["from"], row["to"]) for row in log.to_pylist()] == [
        ("+12025550101", "+14155550102"),
        ("+14155550102", "+442079460000"),
    ]
    assert suspense.num_rows == 0


@pytest.mark.parametrize(
    "form", ["table", "batch", "reader", "polars", "pandas", "large", "views", "names", "slices"]
)
def test_calls_come_in_any_form(form: str) -> None:
    table = fixtures().select([name for name in trunkrate.FIELDS])
    expected = trunkrate.rate(table, tariff())
    if form == "batch":
        table = table.combine_chunks().to_batches()[0]
    elif form == "reader":
        table = table.to_reader(max_chunksize=3)
    elif form == "polars":
        table = pytest.importorskip("polars").from_arrow(table)
    elif form == "pandas":
        table = table.to_pandas()
    elif form == "large":
        table = table.cast(pa.schema([(name, pa.large_string()) for name in table.column_names]))
    elif form == "views":
        table = table.cast(pa.schema([(name, pa.string_view()) for name in table.column_names]))
    elif form == "names":
        table = table.rename_columns(
            ["".join(word.title() for word in name.split("_")) for name in table.column_names]
        ).append_column("uri", pa.nulls(table.num_rows))
    elif form == "slices":
        table = pa.concat_tables([table.slice(at, 1) for at in range(table.num_rows)])
    found = trunkrate.rate(table, tariff())
    assert found.legs.equals(expected.legs)
    assert found.log.equals(expected.log)
    assert found.suspense.num_rows == expected.suspense.num_rows


def test_typed_columns_say_what_their_texts_say() -> None:
    text = call(1)
    typed = {**text, "start_time": NOON, "end_time": NOON.replace(minute=1), "duration": 60}
    for unit in ("s", "ms", "us", "ns"):
        schema = pa.schema(
            [
                (
                    name,
                    (
                        pa.timestamp(unit, "UTC")
                        if "_time" in name
                        else pa.int64() if name == "duration" else pa.string()
                    ),
                )
                for name in typed
            ]
        )
        night = trunkrate.rate(pa.Table.from_pylist([text]), tariff())
        assert trunkrate.rate(pa.Table.from_pylist([typed], schema=schema), tariff()) == night
        both = [
            *trunkrate.records(pa.RecordBatch.from_pylist([text])).to_pylist(),
            *trunkrate.records(pa.RecordBatch.from_pylist([typed], schema=schema)).to_pylist(),
        ]
        # The same content, so that one is a copy of the other.
        assert sorted(row["class"] for row in joined(("f", both, None))) == ["duplicate", "rated"]


def test_families_may_stand_in_any_order_and_batch() -> None:
    rows = fixtures().to_pylist()
    whole = by_sid(joined(("all", rows, None)))
    for seed in range(5):
        random.Random(seed).shuffle(rows)
        assert by_sid(joined(("all", rows, None))) == whole, seed


def by_sid(rated: list[dict[str, Any]]) -> list[str]:
    return sorted(repr(row) for row in rated)


def test_the_same_batch_gives_the_same_batch() -> None:
    batch = family(("all", fixtures().to_pylist(), None))
    first = trunkrate.rate_joined(batch, tariff())
    assert first.schema.equals(trunkrate.RATED_SCHEMA)
    assert first.equals(trunkrate.rate_joined(batch, pickle.loads(pickle.dumps(tariff()))))


def test_a_family_without_a_key_is_refused() -> None:
    for key in (None, "", "  "):
        with pytest.raises(trunkrate.TrunkrateError, match="row 1 is null or empty.*coalesce"):
            trunkrate.rate_joined(family(("a", [], None), (key, [call(1)], None)), tariff())


def test_an_empty_parent_is_none_and_the_key_is_the_calls_own() -> None:
    record = trunkrate.records(
        pa.RecordBatch.from_pylist([call(1, parent_call_sid="")])
    ).to_pylist()[0]
    assert (record["parent_call_sid"], record["sid"]) == (None, call(1)["sid"])


def test_numbers_that_lost_their_plus_are_refused() -> None:
    for name in ("from", "to", "refer_to"):
        with pytest.raises(trunkrate.TrunkrateError, match=f"`{name}` holds numbers.*dtype=str"):
            trunkrate.rate(pa.Table.from_pylist([call(1, **{name: 4930123456})]), tariff())


def test_a_record_that_cannot_be_read_has_no_id() -> None:
    waiting = trunkrate.rate(
        pa.Table.from_pylist([call(1, trunk_sid="a\0b")]), tariff()
    ).suspense.to_pylist()[0]
    assert (waiting["reason"], waiting["call_sid"], waiting["account_sid"]) == (
        "malformed-record",
        None,
        None,
    )


def test_what_was_known_decides_about_copies_children_and_ignored() -> None:
    root, foreign = call(1), call(2, direction="inbound")
    known = [row["known"] for row in joined(("f", [root], None), ("g", [foreign], None))]
    child = call(3, parent_call_sid=root["sid"], direction="", to="tel:+442079460000")
    stray = call(4, parent_call_sid=foreign["sid"], direction="", to="tel:+442079460000")
    dearer = {**root, "price": "-0.05"}
    other = {**root, "to": "+14155550103"}
    ends = {
        (row["class"], row["reason"])
        for row in joined(("f", [child, dearer, other], known[:1]), ("g", [stray], known[1:]))
    }
    assert ends == {
        ("rated", None),
        ("duplicate", None),
        ("suspended", "conflicting-duplicate"),
        ("ignored", None),
    }
    late = [row["late_price"] for row in joined(("f", [dearer], known[:1]))]
    assert late == [{"call_sid": root["sid"], "carrier_price": Decimal("-0.0500000000")}]
    # Known twice, as a join may bring it, is known once; without it, the parent is missing.
    assert [row["class"] for row in joined(("f", [child], known[:1] * 2))] == ["rated"]
    assert [row["reason"] for row in joined(("f", [child], None))] == ["parent-missing"]


def test_a_parent_is_given_up_when_the_newest_call_is_known() -> None:
    child = call(3, parent_call_sid="CA" + "f" * 32, direction="", to="tel:+442079460000")
    batch = trunkrate.rate_joined(family(("f", [child], None)), tariff())
    early = trunkrate.finish_suspense(batch, tariff(), NEWEST).to_pylist()[0]
    assert (early["reason"], early["tries"], early["first_seen"]) == (
        "parent-missing",
        1,
        "2026-11-22T00:00:00Z",
    )
    # It is tried again as it came, and keeps when it was first seen.
    again = trunkrate.rate_joined(family(("f", [early["fields"]], None)), tariff())
    assert again["is_retried"].to_pylist() == [True]
    late = trunkrate.finish_suspense(again, tariff(), NEWEST.replace(day=28)).to_pylist()[0]
    assert (late["reason"], late["tries"], late["first_seen"]) == (
        "parent-never-arrived",
        2,
        "2026-11-22T00:00:00Z",
    )
    assert late["detail"] == f"the parent CA{'f' * 32} was not seen for 7 days"
    with pytest.raises(trunkrate.TrunkrateError, match="time zone"):
        trunkrate.finish_suspense(batch, tariff(), datetime(2026, 11, 22))


def test_csv_lines_are_read_or_kept() -> None:
    text = (
        "\ufeffSid;ParentCallSid;AccountSid;Direction;From;To;StartTime;EndTime;Duration;Status\r\n"
    )
    text += f'CA1;;AC1;"trunking-terminating";+12025550101;"+14155550102\n";{NOON.isoformat()};;60;completed\r\n'
    text += 'CA2;;AC1;"open\r\nCA3;only three;columns\r\n'
    found = [
        row for batch in trunkrate.read_csv(text.encode(), "a.csv") for row in batch.to_pylist()
    ]
    assert [(row["sid"], row["source_line"], row["malformed"]) for row in found] == [
        ("CA1", 2, None),
        (None, 4, 'CA2;;AC1;"open'),
        (None, 5, "CA3;only three;columns"),
    ]
    assert found[2]["why_malformed"] == "it has 3 columns, the header has 10"
    ends = [(row["class"], row["detail"]) for row in joined(("f", found[1:], None))]
    assert ("suspended", "it has 3 columns, the header has 10") in ends


def test_a_column_that_a_bill_needs_is_asked_for() -> None:
    """A transfer under a column of another name was billed as two plain calls."""
    transfer = {**call(2, to="tel:+442079460000"), "Parent Call": call(1)["sid"]}
    del transfer["parent_call_sid"]
    root = {**call(1), "Parent Call": ""}
    del root["parent_call_sid"]
    table = pa.Table.from_pylist([root, transfer])
    for refused in (
        lambda: trunkrate.rate(table, tariff()),
        lambda: trunkrate.records(table.to_batches()[0]),
    ):
        with pytest.raises(trunkrate.TrunkrateError, match="`parent_call_sid`.*`Parent Call`"):
            refused()
    text = (
        "sid,parent_call_sid,account_sid,direction,from,to,start_time,Duration (seconds),status\n"
    )
    with pytest.raises(trunkrate.TrunkrateError, match="`duration`.*`Duration .seconds.`"):
        trunkrate.read_csv(text.encode(), "a.csv")
    plain = pa.Table.from_pylist(
        [{name: value for name, value in call(1).items() if name != "parent_call_sid"}]
    )
    assert trunkrate.rate(plain, tariff(), no_transfers=True).legs.num_rows == 1


def test_what_is_wrong_is_said_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(trunkrate.TrunkrateError, match="no deck.*deck.toml"):
        trunkrate.Tariff(tmp_path)
    with pytest.raises(trunkrate.TrunkrateError, match="cannot be read"):
        trunkrate.Tariff(RATES, trunks=tmp_path / "none.json")
    (tmp_path / "trunkrate.toml").write_text("[policy]\nwait = 1\n")
    with pytest.raises(trunkrate.TrunkrateError, match="trunkrate.toml:2: unknown field"):
        trunkrate.Tariff(RATES, config=tmp_path / "trunkrate.toml")
    with pytest.raises(trunkrate.TrunkrateError, match="these are no calls"):
        trunkrate.rate(pa.table({"a": [1]}), RATES)
    with pytest.raises(trunkrate.TrunkrateError, match="two columns are named `sid`"):
        trunkrate.rate(pa.table({"sid": ["a"], "Sid": ["b"], "from": ["c"], "to": ["d"]}), RATES)
    for other in ("calls.csv", None, [call(1)]):
        with pytest.raises(trunkrate.TrunkrateError, match="is no table of calls"):
            trunkrate.rate(other, tariff())
    with pytest.raises(trunkrate.TrunkrateError, match="it is empty"):
        trunkrate.read_csv(b"", "a.csv")
    with pytest.raises(trunkrate.TrunkrateError, match="a Tariff has its own trunks"):
        trunkrate.rate(pa.table({"sid": ["a"], "from": ["c"], "to": ["d"]}), tariff(), TRUNKS)


def test_no_calls_are_no_legs() -> None:
    empty = trunkrate.rate(trunkrate.RECORD_SCHEMA.empty_table(), tariff())
    assert [table.num_rows for table in empty] == [0, 0, 0]
    assert (empty.legs.schema, empty.log.schema) == (trunkrate.LEG_SCHEMA, trunkrate.LOG_SCHEMA)
    assert trunkrate.rate_joined(family(), tariff()).num_rows == 0


def test_a_tariff_is_what_it_was_made_of() -> None:
    one, other = tariff(), trunkrate.Tariff(RATES)
    assert one.hash == tariff().hash != other.hash
    assert one.files["accounts.csv"] == ACCOUNTS.read_bytes()
    assert one.files["rates/default/deck.toml"] == (RATES / "default/deck.toml").read_bytes()
    assert pickle.loads(pickle.dumps(one)).files == one.files


def test_the_example_rates_the_fixtures_and_draws(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    example = ROOT / "python/examples/night.py"
    statements = [line for line in example.read_text().splitlines() if line.strip()]
    assert len(statements) < 20
    for folder in ("fixtures", "rates"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    environment = {"MPLBACKEND": "Agg", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, str(example)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "legs" in done.stdout
    picture = (tmp_path / "night.png").read_bytes()
    assert picture.startswith(b"\x89PNG") and len(picture) > 5_000
