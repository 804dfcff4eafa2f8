"""Nights on Spark, beside the command line's own: whole, with an executor killed, with the driver
killed.

The engine is the one that is installed: PySpark on `local-cluster[2,1,1024]`, or Sail. The kernel
and the command line
are the real ones; the command line is `target/release/trunkrate`, or what `TRUNKRATE` names.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hostile
import psutil
import pyarrow as pa
import pytest
import trunkrate
from books import ACCOUNTS, RATES, TRUNKS, Ledger, assert_same_books, assert_same_summary, tariff

import trunkrate_spark.families
from trunkrate_spark import NightError, files, ingest, rate_night, rating, session
from trunkrate_spark.families import names, union_find, with_families, with_keys
from trunkrate_spark.store import HadoopStore

SAIL = importlib.util.find_spec("pysail") is not None
FAMILIES = int(os.environ.get("TRUNKRATE_FAMILIES", "180"))
SMALL_BOX = {
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "1g",
    "spark.driver.extraJavaOptions": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData",
    "spark.executor.extraJavaOptions": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData",
    "spark.sql.shuffle.partitions": "8",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "7",
    "spark.sql.autoBroadcastJoinThreshold": "-1",
    "spark.eventLog.enabled": "true",
    "spark.eventLog.compress": "false",
    "spark.eventLog.rolling.enabled": "false",
}
MASTER = "local-cluster[2,1,1024]"
classic = pytest.mark.skipif(
    SAIL, reason="Sail's workers are threads of one process, and it has no JVM"
)
whole = pytest.mark.skipif(
    not os.environ.get("TRUNKRATE_WHOLE"), reason="part of `make spark-test`"
)


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Spark writes its event log."""
    return tmp_path_factory.mktemp("events")


@pytest.fixture(scope="module")
def spark(events: Path) -> Iterator[Any]:
    """One session for all tests."""
    if SAIL:
        from pysail.spark import SparkConnectServer

        server = SparkConnectServer("127.0.0.1", 0)
        server.start(background=True)
        host, port = server.listening_address
        running = session(remote=f"sc://{host}:{port}")
        yield running
        running.stop()
        server.stop()
        return
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    running = session(MASTER, settings={**SMALL_BOX, "spark.eventLog.dir": f"file://{events}"})
    yield running
    running.stop()


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two hostile nights, as files."""
    folder = tmp_path_factory.mktemp("calls")
    for number, night in enumerate(hostile.nights(seed=7, families=FAMILIES)):
        hostile.write(night, folder / str(number))
    return [folder / "0", folder / "1"]


@pytest.fixture
def through_root(tmp_path: Path) -> Path:
    """A configuration that bills chains."""
    config = tmp_path / "trunkrate.toml"
    config.write_text('[policy]\nchained_transfers = "root"\n')
    return config


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    """All files below a folder, with size and time."""
    return {
        str(path): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def of_csv(folder: Path, records: list[hostile.Record]) -> Path:
    """Records, in this order, in one CSV file."""
    folder.mkdir(parents=True)
    (folder / "calls.csv").write_text(hostile._csv(records, ",", hostile.FIELDS), encoding="utf-8")
    return folder


def rates_at(parents: int, children: int) -> list[list[hostile.Record]]:
    """Families that are rated whole: each a root and its children."""
    hand = hostile._Hand(11)
    found = []
    for _ in range(parents):
        root = hand.root(
            account_sid=hostile.ACCOUNTS[0],
            trunk_sid=hostile.TRUNKS[hostile.ACCOUNTS[0]],
            to="+12025550150",
            status="completed",
        )
        found.append(
            [
                root,
                *(
                    hand.child(root, to=hostile.SIP_TARGETS[0], refer_to="", status="completed")
                    for _ in range(children)
                ),
            ]
        )
    return found


def test_two_hostile_nights_are_those_of_the_command_line(
    spark: Any, nights: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Families that share a batch by chance must not help each other out.
    monkeypatch.setattr(rating, "kernel_call", row_by_row(rating.kernel_call))
    out, ledger = tmp_path / "out", Ledger(tmp_path / "ledger")
    reasons: set[str] = set()
    for night in nights:
        done = rate_night(spark, str(night), tariff(), str(out))
        assert not done.already
        assert_same_summary(done.manifest, ledger.run(night))
        assert_same_books(out, ledger)
        reasons |= set(done.manifest["suspended_by_reason"])
    assert len(reasons) == 20, f"the nights lack a reason: {sorted(reasons)}"
    assert done.manifest["counts"]["retried"]["records"] > 0
    assert done.manifest["counts"]["taken_up"]["records"] > 0
    assert (
        sum(file["rows"] for file in done.manifest["files"] if file["path"].startswith("prices/"))
        > 0
    )

    before = tree(out)
    for night in nights:
        again = rate_night(spark, str(night), tariff(), str(out))
        assert again.already
        assert again.manifest["sequence"] == nights.index(night) + 1
    assert tree(out) == before, "a night that is published already wrote something"


def row_by_row(kernel_call: Any) -> Any:
    """The kernel's call on each row of a batch, alone."""

    def alone(name: str, *arguments: Any) -> Any:
        call = kernel_call(name, *arguments)

        def one_by_one(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            yield from call(
                batch.slice(row, 1) for batch in batches for row in range(batch.num_rows)
            )

        return one_by_one

    return alone


@classic
def test_an_executor_is_killed_while_rating(
    spark: Any,
    events: Path,
    nights: list[Path],
    through_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The tasks of the stage are known in number without AQE, and a nap in each makes the window.
    monkeypatch.setattr(rating, "kernel_call", slow(rating.kernel_call))
    spark.conf.set("spark.sql.adaptive.enabled", "false")
    killed: list[int] = []
    watch = threading.Thread(
        target=kill_an_executor, args=(spark, "trunkrate rate", killed), daemon=True
    )
    watch.start()
    out, ledger = tmp_path / "out", Ledger(tmp_path / "ledger", through_root)
    try:
        done = rate_night(spark, str(nights[0]), tariff(through_root), str(out))
    finally:
        spark.conf.unset("spark.sql.adaptive.enabled")
    watch.join(timeout=10)
    assert killed, "no executor was killed: the rating stage was over too soon"
    assert_same_summary(done.manifest, ledger.run(nights[0]))
    assert_same_books(out, ledger)
    lost = lost_in(events, "trunkrate rate")
    assert {"ExecutorLostFailure", "FetchFailed", "Resubmitted"} & set(
        lost
    ), f"the event log tells of no lost executor: {lost}"
    monkeypatch.undo()
    rate_night(spark, str(nights[1]), tariff(through_root), str(out))
    ledger.run(nights[1])
    assert_same_books(out, ledger)


def slow(kernel_call: Any) -> Any:
    """The kernel's call, with a nap at the start of each task."""

    def with_naps(name: str, *arguments: Any) -> Any:
        call = kernel_call(name, *arguments)

        def napping(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            time.sleep(0.7)
            yield from call(batches)

        return napping

    return with_naps


def kill_an_executor(spark: Any, group: str, killed: list[int]) -> None:
    """Kills an executor of this process once two tasks of a group's last stage are done and others
    run."""
    tracker = spark.sparkContext.statusTracker()
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for job in tracker.getJobIdsForGroup(group):
            info = tracker.getJobInfo(job)
            stage = tracker.getStageInfo(max(info.stageIds)) if info and info.stageIds else None
            if stage and stage.numCompletedTasks >= 2 and stage.numActiveTasks:
                executor = next(filter(is_executor, psutil.Process().children(recursive=True)))
                executor.send_signal(signal.SIGKILL)
                killed.append(executor.pid)
                return
        time.sleep(0.02)


def is_executor(process: psutil.Process) -> bool:
    """Whether a process is an executor of Spark's, and still there."""
    try:
        return "CoarseGrainedExecutorBackend" in " ".join(process.cmdline())
    except psutil.Error:
        return False


def lost_in(events: Path, group: str) -> dict[str, int]:
    """How many tasks of a group's stages ended for want of an executor or of its files, by Spark's
    event log."""
    stages, ends = set(), []
    for path in events.iterdir():
        for line in path.read_text(encoding="utf-8").splitlines():
            event = json.loads(line)
            if (
                event["Event"] == "SparkListenerStageSubmitted"
                and (event.get("Properties") or {}).get("spark.jobGroup.id") == group
            ):
                stages.add(event["Stage Info"]["Stage ID"])
            elif event["Event"] == "SparkListenerTaskEnd":
                ends.append((event["Stage ID"], event["Task End Reason"]["Reason"]))
    reasons = [reason for stage, reason in ends if stage in stages]
    return {reason: reasons.count(reason) for reason in sorted(set(reasons)) if reason != "Success"}


@classic
def test_the_driver_is_killed_while_writing(spark: Any, nights: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    with_what = [
        "--rates",
        RATES,
        "--trunks",
        TRUNKS,
        "--accounts",
        ACCOUNTS,
        "--out",
        out,
        "--master",
        MASTER,
    ]
    conf = [
        part
        for name, value in SMALL_BOX.items()
        if "eventLog" not in name
        for part in ("--conf", f"{name}={value}")
    ]
    command = [sys.executable, "-m", "trunkrate_spark", "--calls", nights[0], *with_what, *conf]
    with open(tmp_path / "driver.log", "wb") as log:
        driver = subprocess.Popen(
            [str(part) for part in command],
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        deadline = time.monotonic() + 170
        while not list(out.glob("staging/*/legs/_temporary")):
            assert driver.poll() is None, (tmp_path / "driver.log").read_text()
            assert time.monotonic() < deadline, "the driver did not come to writing"
            time.sleep(0.01)
        own = psutil.Process(driver.pid)
        for process in [own, *own.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        assert driver.wait() == -signal.SIGKILL
    assert not list((out / "nights").iterdir()), "a night was published that no driver finished"
    assert list((out / "staging").iterdir()), "the driver was killed before it wrote anything"

    ledger = Ledger(tmp_path / "ledger")
    done = rate_night(spark, str(nights[0]), tariff(), str(out))
    assert_same_summary(done.manifest, ledger.run(nights[0]))
    assert_same_books(out, ledger)
    assert not (out / "staging").exists(), "what the dead driver left is still there"


def test_null_join_keys(spark: Any, tmp_path: Path) -> None:
    """A join on the parent's id alone loses every root: its key is null."""
    families = rates_at(parents=60, children=1)
    nameless = [{**families[0][0], "sid": "", "to": f"+1202555{at:04}"} for at in range(20)]
    night = of_csv(
        tmp_path / "calls", [record for family in families for record in family] + nameless
    )
    from pyspark.sql import functions as F

    found, _ = files.find(spark, [str(night)])
    records = ingest.records_of(spark, found, no_transfers=False)
    joined = records.alias("child").join(
        records.alias("parent"), F.col("child.parent_call_sid") == F.col("parent.sid")
    )
    lost = records.count() - joined.count()
    assert lost == 60 + 20

    done = rate_night(spark, str(night), tariff(), str(tmp_path / "out"))
    counts = done.manifest["counts"]
    assert (
        counts["rated"]["records"] + counts["free"]["records"],
        counts["suspended"]["records"],
    ) == (120, 20)
    keyed = with_keys(records)
    assert keyed.where("key is null").count() == 0
    assert (
        max(row["count"] for row in keyed.groupBy("key").count().collect()) == 2
    ), "records without an id share a key"


def test_families_across_batch_borders(spark: Any, tmp_path: Path) -> None:
    """A kernel that takes each Arrow batch for itself loses the children whose parent stands in
    another."""
    families = rates_at(parents=40, children=4)
    records = [record for family in families for record in family]
    night = of_csv(tmp_path / "calls", records)
    found, _ = files.find(spark, [str(night)])
    rows = 33
    batches = [records[at : at + rows] for at in range(0, len(records), rows)]
    sids = [{record["sid"] for record in batch} for batch in batches]
    lost = sum(
        "parent_call_sid" in r and r["parent_call_sid"] not in own
        for batch, own in zip(batches, sids)
        for r in batch
    )

    schema = ", ".join(
        f"`{field.name}` string"
        for field in trunkrate.RATED_SCHEMA
        if field.name in ("class", "reason")
    )
    in_order = (
        ingest.records_of(spark, found, no_transfers=False)
        .coalesce(1)
        .sortWithinPartitions("source_line")
    )
    before = spark.conf.get("spark.sql.execution.arrow.maxRecordsPerBatch", None)
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(rows))
    try:
        naive = in_order.mapInArrow(each_batch_for_itself(tariff()), schema).collect()
    finally:
        spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", before or "10000")
    # Sail cuts batches by a setting of the server's, not by the session's: at 8,192 rows nothing is
    # lost of so small a night.
    assert sum(row["reason"] == "parent-missing" for row in naive) == (0 if SAIL else lost)
    assert lost == 12

    done = rate_night(spark, str(night), tariff(), str(tmp_path / "out"))
    assert done.manifest["counts"]["suspended"]["records"] == 0
    assert done.manifest["counts"]["rated"]["records"] + done.manifest["counts"]["free"][
        "records"
    ] == len(records)


def each_batch_for_itself(tariff: Any) -> Any:
    """The naive kernel: a batch is taken for whole families."""

    def rate(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa
        import trunkrate

        for batch in batches:
            nulls = {
                name: pa.nulls(batch.num_rows, trunkrate.RECORD_SCHEMA.field(name).type)
                for name in ("first_seen", "tries")
            }
            columns = [
                nulls[field.name] if field.name in nulls else batch.column(field.name)
                for field in trunkrate.RECORD_SCHEMA
            ]
            records = pa.StructArray.from_arrays(columns, fields=list(trunkrate.RECORD_SCHEMA))
            listed = pa.ListArray.from_arrays(pa.array([0, batch.num_rows], pa.int32()), records)
            lists = [
                listed.cast(trunkrate.FAMILY_SCHEMA.field("records").type),
                pa.nulls(1, trunkrate.FAMILY_SCHEMA.field("known").type),
            ]
            family = pa.RecordBatch.from_arrays(
                [pa.array(["one"]), *lists], schema=trunkrate.FAMILY_SCHEMA
            )
            yield trunkrate.rate_joined(family, tariff).select(["class", "reason"])

    return rate


def test_children_before_parents(spark: Any, tmp_path: Path) -> None:
    """A pass over the calls in the order of the file, or of time, loses the children whose parent
    comes later."""
    families = rates_at(parents=40, children=3)
    for family in families:
        family[1]["start_time"] = family[0]["start_time"] - hostile.timedelta(seconds=60)
        hostile.moved(family[1])
    records = [record for family in families for record in family[::-1]]

    def lost(in_order: list[hostile.Record]) -> int:
        seen: set[str] = set()
        count = 0
        for record in in_order:
            count += bool(record.get("parent_call_sid")) and record["parent_call_sid"] not in seen
            seen.add(record["sid"])
        return count

    assert lost(records) == 120
    assert lost(sorted(records, key=lambda record: record["start_time"])) >= 40
    done = rate_night(
        spark, str(of_csv(tmp_path / "calls", records)), tariff(), str(tmp_path / "out")
    )
    assert done.manifest["counts"]["suspended"]["records"] == 0
    assert (
        done.manifest["counts"]["rated"]["records"] + done.manifest["counts"]["free"]["records"]
        == 160
    )


def test_chains(
    spark: Any, through_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys that are not joined lose every call below the first child: its parent has another
    key."""
    chains = rates_at(parents=12, children=1)
    hand = hostile._Hand(12)
    for chain in chains:
        for _ in range(5):
            chain.append(
                hand.child(
                    chain[-1],
                    sid=f"CH{hand.sid()}",
                    to=hostile.SIP_TARGETS[0],
                    refer_to="",
                    status="completed",
                )
            )
    night = of_csv(tmp_path / "calls", [record for chain in chains for record in chain[::-1]])
    done = rate_night(spark, str(night), tariff(through_root), str(tmp_path / "out"))
    assert done.manifest["counts"]["suspended"]["records"] == 0
    assert (
        done.manifest["counts"]["rated"]["records"] + done.manifest["counts"]["free"]["records"]
        == 12 * 7
    )

    # Families that share a batch by chance would be right by chance.
    monkeypatch.setattr(rating, "kernel_call", row_by_row(rating.kernel_call))
    monkeypatch.setattr(trunkrate_spark.families, "joined_keys", lambda keyed: {})
    naive = rate_night(spark, str(night), tariff(through_root), str(tmp_path / "naive"))
    assert naive.manifest["suspended_by_reason"] == {"parent-missing": 12 * 5}


def test_parents_of_the_night_before(spark: Any, tmp_path: Path) -> None:
    """A night that knows no other loses the children of the night before's calls, and books copies
    of them again."""
    families = rates_at(parents=30, children=2)
    first = of_csv(tmp_path / "first", [family[0] for family in families])
    second = of_csv(
        tmp_path / "second",
        [r for family in families for r in family[1:]] + [family[0] for family in families[:10]],
    )
    assert (
        rate_night(spark, str(first), tariff(), str(tmp_path / "out")).manifest["counts"][
            "suspended"
        ]["records"]
        == 0
    )
    done = rate_night(spark, str(second), tariff(), str(tmp_path / "out"))
    counts = done.manifest["counts"]
    assert (counts["duplicate"]["records"], counts["suspended"]["records"]) == (10, 0)

    naive = rate_night(spark, str(second), tariff(), str(tmp_path / "naive")).manifest
    assert naive["suspended_by_reason"] == {"parent-missing": 2 * 20}
    assert naive["counts"]["duplicate"]["records"] == 0


@whole
def test_the_same_records_in_other_files_are_the_same_night(spark: Any, tmp_path: Path) -> None:
    records = [record for family in rates_at(parents=10, children=2) for record in family]
    out = str(tmp_path / "out")
    first = rate_night(spark, str(of_csv(tmp_path / "one", records)), tariff(), out)
    of_csv(tmp_path / "two" / "a", records[20:])
    of_csv(tmp_path / "two" / "b", records[:20][::-1])
    again = rate_night(spark, str(tmp_path / "two"), tariff(), out)
    assert again.already
    assert again.path == first.path
    assert not rate_night(spark, str(tmp_path / "two" / "a"), tariff(), out).already


@pytest.mark.parametrize(
    "what", ["a record", pytest.param("a second", marks=whole), pytest.param("a leg", marks=whole)]
)
def test_a_night_that_does_not_add_up_is_not_published(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(rating, "kernel_call", faulty(rating.kernel_call, what))
    night = of_csv(
        tmp_path / "calls",
        [record for family in rates_at(parents=5, children=1) for record in family],
    )
    with pytest.raises(NightError, match="expected the same. Nothing was published"):
        rate_night(spark, str(night), tariff(), str(tmp_path / "out"))
    assert not list((tmp_path / "out" / "nights").iterdir())


def faulty(kernel_call: Any, what: str) -> Any:
    """A kernel that loses something."""

    def losing(name: str, *arguments: Any) -> Any:
        call = kernel_call(name, *arguments)

        def lose(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            import pyarrow as pa

            for batch in call(batches):
                rows = batch.to_pylist()
                at = next(
                    (at for at, row in enumerate(rows) if row.get("legs") and row["seconds"]), None
                )
                if at is not None and what == "a record":
                    del rows[at]
                elif at is not None and what == "a second":
                    rows[at]["seconds"] -= 1
                elif at is not None:
                    rows[at]["legs"] = None
                yield pa.RecordBatch.from_pylist(rows, schema=batch.schema)

        return lose

    return losing


def test_one_publisher_at_a_time(spark: Any, tmp_path: Path) -> None:
    from trunkrate_spark.store import LocalStore

    night = of_csv(tmp_path / "calls", rates_at(parents=1, children=0)[0])
    with LocalStore(str(tmp_path / "out")).locked(), pytest.raises(
        NightError, match="another publisher is at work"
    ):
        rate_night(spark, str(night), tariff(), str(tmp_path / "out"))


@whole
def test_a_number_that_was_taken_meanwhile(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trunkrate_spark.store import LocalStore

    night = of_csv(tmp_path / "calls", rates_at(parents=1, children=0)[0])
    keep = LocalStore.keep

    def keep_and_be_late(store: LocalStore, *parts: str) -> None:
        keep(store, *parts)
        (tmp_path / "out/nights/000001-00000000").mkdir()

    monkeypatch.setattr(LocalStore, "keep", keep_and_be_late)
    with pytest.raises(NightError, match="took the number 1 meanwhile"):
        rate_night(spark, str(night), tariff(), str(tmp_path / "out"))
    assert [path.name for path in (tmp_path / "out/nights").iterdir()] == ["000001-00000000"]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("calls.jsonl", "{}", "is json; expected CSV"),
        ("notes.txt", "", "no call file was found there"),
        ("calls.parquet.gz", "", "is parquet.gz; expected CSV"),
    ],
)
def test_files_that_are_refused(
    spark: Any, tmp_path: Path, name: str, content: str, problem: str
) -> None:
    (tmp_path / "calls").mkdir()
    (tmp_path / "calls" / name).write_text(content)
    with pytest.raises(NightError, match=problem):
        rate_night(spark, str(tmp_path / "calls"), tariff(), str(tmp_path / "out"))


def test_a_store_without_rename_is_refused(spark: Any) -> None:
    with pytest.raises(NightError, match="s3a cannot rename a folder in one step"):
        rate_night(spark, "calls", tariff(), "s3a://bucket/out")


@classic
@whole
def test_the_hadoop_file_system_publishes_the_same(
    spark: Any, nights: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hadoop's own way to the local disk: what HDFS is reached by, but for the disk."""
    import trunkrate_spark.night

    monkeypatch.setattr(
        trunkrate_spark.night, "store_of", lambda spark, out: HadoopStore(spark, out)
    )
    out, ledger = tmp_path / "out", Ledger(tmp_path / "ledger")
    for night in nights:
        done = rate_night(spark, str(night), tariff(), f"file://{out}")
        assert_same_summary(done.manifest, ledger.run(night))
    assert_same_books(out, ledger)
    assert rate_night(spark, str(nights[1]), tariff(), f"file://{out}").already
    store = HadoopStore(spark, f"file://{out}")
    with store.locked(), pytest.raises(NightError, match="another publisher"), store.locked():
        pass
    with pytest.raises(NightError, match="is there already"):
        store.rename(("nights", Path(done.path).name), ("nights", Path(done.path).name))


def test_a_published_night_is_imported(spark: Any, nights: list[Path], tmp_path: Path) -> None:
    """The ledger that imports both nights is the ledger that ran them: run ids, and bytes of legs
    and calls."""
    out, own, imported = tmp_path / "out", Ledger(tmp_path / "own"), Ledger(tmp_path / "imported")
    commands = subprocess.run(
        [own_command(), "--help"], capture_output=True, text=True, check=True
    ).stdout
    if "\n  ledger " not in commands:
        pytest.skip("this command line has no `ledger import`")
    for night in nights:
        done = rate_night(spark, str(night), tariff(), str(out))
        summary = own.run(night)
        printed = json.loads(imported.call("ledger", "import", done.path, "--format", "json"))
        assert printed["run_id"] == summary["run_id"]
    imported.call("verify")
    for part in ("legs", "calls"):
        files_of = [
            {
                str(path.relative_to(ledger.folder)): path.read_bytes()
                for path in ledger.folder.rglob(f"{part}/**/*.parquet")
            }
            for ledger in (own, imported)
        ]
        assert files_of[0]
        assert files_of[0] == files_of[1]
    assert_same_books(out, imported, is_imported=True)


def own_command() -> str:
    """The command line."""
    from books import TRUNKRATE

    return TRUNKRATE


def test_seconds_without_the_kernel(spark: Any) -> None:
    """What the conservation law is checked with is not the kernel's own."""
    seconds = {
        "60": 60, "59.2": 60, " 007.50\t": 8, "0.0000001": 1, "0": 0, "0.0": 0, "": 0, "5.": 0, ".5": 0, "1e3": 0, "-1": 0, "+5": 0, "٣": 0,
        "4294967296": 4294967295, "18446744073709.551615": 4294967295, "18446744073709.551616": 0, "18446744073709.5516151": 0,
        "99999999999999999999999": 0, "00000000000000000000000000000000012.5": 13,
    }  # fmt: skip
    columns = ", ".join(f"`{name}` string" for name in trunkrate.FIELDS)
    texts = [{"duration": text} for text in [*seconds, None]] + [
        {"duration": "\0", "to": "x" * 70_000},
        {"duration": "7", "sid": "a\0"},
    ]
    rows = [tuple(text.get(name) for name in trunkrate.FIELDS) for text in texts]
    frame = spark.createDataFrame(rows, columns)
    found = {
        row["duration"]: row["seconds"]
        for row in frame.select("duration", rating.seconds_of(frame).alias("seconds")).collect()
    }
    assert found == {**seconds, None: 0, "\0": 0, "7": 0}
    calls = [
        dict.fromkeys(trunkrate.FIELDS, "x") | {"duration": text, "sid": f"CA{at}"}
        for at, text in enumerate(seconds)
    ]
    whole = trunkrate.records(pa.RecordBatch.from_pylist(calls))
    records = pa.StructArray.from_arrays(whole.columns, fields=list(whole.schema))
    row = [
        pa.array(["f"]),
        pa.ListArray.from_arrays(pa.array([0, len(seconds)], pa.int32()), records),
        pa.nulls(1, trunkrate.FAMILY_SCHEMA.field("known").type),
    ]
    rated = trunkrate.rate_joined(
        pa.RecordBatch.from_arrays(row, schema=trunkrate.FAMILY_SCHEMA), tariff()
    )
    assert {r["record"]["duration"] or "": r["seconds"] for r in rated.to_pylist()} == seconds


def test_texts_that_no_record_may_have(spark: Any, tmp_path: Path) -> None:
    """A NUL, and a text past all bounds, in CSV and in Parquet."""
    import pyarrow.parquet as pq

    hand = hostile._Hand(13)
    records = [hand.root(**{"from": "+1202\0"}), hand.root(to="9" * 70_000), hand.root()]
    night = of_csv(tmp_path / "calls", records)
    again = [{**record, "sid": hand.sid()} for record in records]
    texts = {
        name: pa.array([hostile._text(record.get(name)) for record in again], pa.string())
        for name in hostile.FIELDS
    }
    pq.write_table(pa.table(texts), night / "calls.parquet")
    out, ledger = tmp_path / "out", Ledger(tmp_path / "ledger")
    assert_same_summary(
        rate_night(spark, str(night), tariff(), str(out)).manifest, ledger.run(night)
    )
    assert_same_books(out, ledger)


@pytest.mark.parametrize("seed", range(20))
def test_union_find_finds_what_a_slow_search_finds(seed: int) -> None:
    import random

    dice = random.Random(seed)
    edges = [(dice.randrange(40), dice.randrange(40)) for _ in range(dice.randrange(60))]
    nodes = {node: {node} for node in range(40)}
    for _ in nodes:
        for left, right in edges:
            nodes[left] = nodes[right] = nodes[left] | nodes[right]
    expected = {node: min(together) for node, together in nodes.items() if min(together) != node}
    assert union_find(edges) == expected


def test_families_hold_all_that_hangs_together(
    spark: Any, nights: list[Path], tmp_path: Path
) -> None:
    """Beside a plain search over the ids of a hostile night: records are one family if, and only
    if, they hang together."""
    found, _ = files.find(spark, [str(nights[0])])
    ingest.records_of(spark, found, no_transfers=False).write.parquet(f"file://{tmp_path}/records")
    keyed = with_keys(spark.read.parquet(f"file://{tmp_path}/records"))
    rows = (
        with_families(keyed, trunkrate_spark.families.joined_keys(keyed))
        .select("sid", "parent_call_sid", "family")
        .collect()
    )
    groups: dict[str, set[int]] = {}
    for row in rows:
        for text in ((row["sid"] or "").strip(), (row["parent_call_sid"] or "").strip()):
            if text:
                groups.setdefault(text, set()).add(row["family"])
    assert all(len(of_id) == 1 for of_id in groups.values()), "an id stands in two families"
    together = union_find((hash(a), hash(b)) for a, b in ids(rows))
    assert len({together.get(hash(text), hash(text)) for text in groups}) == len(
        {family for of_id in groups.values() for family in of_id}
    )
    assert None not in {row["name"] for row in names(keyed).collect()}


def ids(rows: list[Any]) -> Iterator[tuple[str, str]]:
    """The ids that records join."""
    for row in rows:
        sid, parent = (row["sid"] or "").strip(), (row["parent_call_sid"] or "").strip()
        if sid and parent:
            yield sid, parent
