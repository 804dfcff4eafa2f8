//! The catalog is a function of the runs; a ledger explains itself wherever it lies.

use crate::support::Night;
use rusqlite::Connection;
use serde_json::Value;

const PARENT: &str = "CA1,,AC1,TK1,trunking-terminating,+12025550101,+14155550102,2026-11-20T21:15:00Z,,300,completed";
const CHILD: &str = "CA2,CA1,AC1,,,,+13035550103,2026-11-20T21:20:00Z,,370,completed";
const WAITING: &str = "CA5,CA9,AC2,,,,+13035550103,2026-11-21T09:05:00Z,,10,completed";

fn two_runs() -> Night {
    let night = Night::with_plain_deck();
    night.calls(&[PARENT, WAITING]);
    night.run(&[]);
    night.calls(&[CHILD, WAITING]);
    night.run(&[]);
    night
}

fn catalog(night: &Night) -> Vec<u8> {
    std::fs::read(night.path().join("ledger/catalog.sqlite")).expect("the catalog")
}

fn sql(night: &Night, text: &str) {
    let connection =
        Connection::open(night.path().join("ledger/catalog.sqlite")).expect("the catalog");
    connection.execute_batch(text).expect("SQL");
}

/// Everything that an auditor asks of a run, by SQL.
#[test]
fn provenance_by_sql() {
    let night = two_runs();
    let connection =
        Connection::open(night.path().join("ledger/catalog.sqlite")).expect("the catalog");
    let rows = |query: &str| -> Vec<String> {
        let mut statement = connection.prepare(query).expect("SQL");
        let columns = statement.column_count();
        let row = |row: &rusqlite::Row<'_>| {
            let cells = (0..columns).map(|at| {
                Ok(match row.get(at)? {
                    rusqlite::types::Value::Null => "-".to_owned(),
                    rusqlite::types::Value::Integer(number) => number.to_string(),
                    rusqlite::types::Value::Text(text) => text,
                    other => format!("{other:?}"),
                })
            });
            Ok(cells.collect::<rusqlite::Result<Vec<_>>>()?.join(" "))
        };
        statement.query_map([], row).expect("rows").map(|row| row.expect("a row")).collect()
    };
    let counts = "SELECT sequence, class, records, seconds FROM runs JOIN counts USING (run_id) WHERE records > 0 ORDER BY 1, 2";
    let expected = [
        "1 rated 1 300",
        "1 read 2 310",
        "1 suspended 1 10",
        "2 duplicate 1 10",
        "2 rated 1 370",
        "2 read 2 380",
        "2 retried 1 10",
        "2 suspended 1 10",
    ];
    assert_eq!(rows(counts), expected);
    assert_eq!(
        rows("SELECT sequence, currency, amount FROM runs JOIN amounts USING (run_id) ORDER BY 1"),
        ["1 USD 0.05000", "2 USD 0.14000"]
    );
    let entries = "SELECT entry, s.records FROM suspense s JOIN runs USING (run_id) WHERE sequence = 2 ORDER BY entry";
    assert_eq!(rows(entries), ["closed 0", "closing 1", "new 0", "opening 1", "taken_up 0"]);
    assert_eq!(
        rows("SELECT name, format, rows FROM inputs ORDER BY run_id"),
        ["calls.csv csv 2", "calls.csv csv 2"]
    );
    assert_eq!(rows("SELECT DISTINCT name, currency FROM decks"), ["test USD"]);
    assert_eq!(rows("SELECT count(*) FROM configuration WHERE run_id LIKE '000001-%'"), ["13"]);
    assert_eq!(
        rows(
            "SELECT count(*) FROM stands_on WHERE run_id LIKE '000002-%' AND earlier LIKE '000001-%'"
        ),
        ["1"]
    );
    let chained = "SELECT count(*) FROM runs a JOIN runs b ON b.previous = a.run_id AND b.previous_manifest = a.manifest";
    assert_eq!(rows(chained), ["1"]);
    assert_eq!(
        rows(
            "SELECT count(*) FROM runs WHERE length(tzdb) > 0 AND length(tzdb_blake3) = 64 AND length(decks) = 64"
        ),
        ["2"]
    );
    let files = "SELECT path FROM files JOIN runs USING (run_id) WHERE sequence = 2 ORDER BY path";
    let expected = [
        "calls/date=2026-11-20/part-0.parquet",
        "ids/children-0.bin",
        "ids/part-0.bin",
        "ids/rest-0.bin",
        "legs/date=2026-11-20/part-0.parquet",
        "suspense/part-0.parquet",
    ];
    assert_eq!(rows(files), expected);
}

#[test]
fn a_lost_catalog_is_made_again_bit_by_bit() {
    let night = two_runs();
    let before = catalog(&night);
    std::fs::remove_file(night.path().join("ledger/catalog.sqlite")).expect("removed");
    let done = night.trunkrate(&["verify"]);
    assert!(done.code == 1 && done.stderr.contains("catalog.sqlite"), "{}", done.shown());
    // Whatever writes next brings it back.
    night.calls(&[PARENT]);
    let done =
        night.trunkrate(&["run", "--cdrs", "calls.csv", "--rates", "rates", "--format", "json"]);
    assert!(done.stderr.contains("the catalog was lost"), "{}", done.shown());
    night.trunkrate(&["verify"]).ok();
    assert_eq!(catalog(&two_runs()), before, "the same runs make the same catalog");
}

/// As after a crash between the rename that books a run and the catalog.
#[test]
fn a_catalog_that_is_behind_is_no_fault() {
    let night = Night::with_plain_deck();
    night.calls(&[PARENT]);
    night.run(&[]);
    let behind = catalog(&night);
    night.calls(&[CHILD]);
    let second = night.run(&[]);
    std::fs::write(night.path().join("ledger/catalog.sqlite"), behind).expect("written");
    let done = night.trunkrate(&["verify"]);
    assert!(
        done.code == 0 && done.stderr.contains("does not know of run 000002-"),
        "{}",
        done.shown()
    );
    let before_undo = catalog(&night);
    night.trunkrate(&["undo", second["run_id"].as_str().expect("a run"), "--reason", "test"]).ok();
    night.trunkrate(&["verify"]).ok();
    assert_ne!(catalog(&night), before_undo);
}

#[test]
fn a_newer_schema_is_refused_and_an_older_one_made_anew() {
    let night = two_runs();
    let ours = catalog(&night);
    sql(&night, "PRAGMA user_version = 99");
    for args in [&["run", "--cdrs", "calls.csv", "--rates", "rates"][..], &["verify"]] {
        let done = night.trunkrate(args);
        assert_eq!(done.code, 1, "{}", done.shown());
        assert!(done.stderr.contains("has schema 99, this version knows 3"), "{}", done.stderr);
    }
    // Version 1 had fewer tables, and the hash of each manifest.
    std::fs::write(night.path().join("ledger/catalog.sqlite"), &ours).expect("written");
    sql(
        &night,
        "DROP TABLE counts; DROP TABLE suspense; DROP TABLE made_by; PRAGMA user_version = 1",
    );
    night.calls(&[PARENT]);
    night.run(&[]);
    night.trunkrate(&["verify"]).ok();
}

#[test]
fn a_ledger_of_another_format_is_refused_in_one_line() {
    for (format, says) in
        [("99", "ledger format 99, this version knows 2"), ("1", "of before the first release")]
    {
        let night = two_runs();
        let runs = std::fs::read_dir(night.path().join("ledger/runs")).expect("runs");
        let manifest =
            runs.map(|run| run.expect("a run").path()).max().expect("a run").join("manifest.json");
        let text = std::fs::read_to_string(&manifest).expect("a manifest");
        let text = text.replace("\"ledger_format\": 2", &format!("\"ledger_format\": {format}"));
        std::fs::write(
            &manifest,
            text.replace("\"kind\": \"run\"", "\"kind\": \"some later thing\""),
        )
        .expect("written");
        let done = night.trunkrate(&["log"]);
        assert_eq!(
            (done.code, done.stderr.lines().count()),
            (1, 2),
            "one line and a hint: {}",
            done.stderr
        );
        assert!(done.stderr.contains(says), "{}", done.stderr);
    }
}

/// Decks, trunks and accounts are in the ledger: it explains each call wherever it lies, years
/// later.
#[test]
fn a_ledger_that_moved_explains_itself() {
    let night = two_runs();
    // But for the call file, which is no part of the ledger.
    let without_source = |mut call: serde_json::Value| {
        call["source"].take();
        call
    };
    let before = night.trunkrate(&["rerate", "CA2", "--format", "json"]).json();
    assert_eq!(before["source"]["booked"]["as_booked"], true);
    let before = without_source(before);
    std::fs::create_dir(night.path().join("elsewhere")).expect("a folder");
    std::fs::rename(night.path().join("ledger"), night.path().join("elsewhere/moved"))
        .expect("moved");
    for gone in ["rates", "calls.csv"] {
        std::fs::rename(night.path().join(gone), night.path().join(format!("{gone}.gone")))
            .expect("moved");
    }
    night.trunkrate(&["verify", "--ledger", "elsewhere/moved"]).ok();
    let after = night
        .trunkrate(&["rerate", "CA2", "--ledger", "elsewhere/moved", "--format", "json"])
        .json();
    let state = &after["source"]["files"][0]["state"];
    assert_eq!(state, "gone", "and it is said");
    let after = without_source(after);
    assert_eq!(after, before);
    assert_eq!((&after["amount"], &after["difference"]), (&"0.14000".into(), &"0.00000".into()));
    night.calls(&[PARENT]);
    std::fs::rename(night.path().join("rates.gone"), night.path().join("rates")).expect("moved");
    let args = [
        "run",
        "--cdrs",
        "calls.csv",
        "--rates",
        "rates",
        "--ledger",
        "elsewhere/moved",
        "--format",
        "json",
    ];
    let summary: Value = night.trunkrate(&args).json();
    assert_eq!(summary["duplicate"], 1);
}

#[test]
fn a_sample_looks_at_some_calls_only() {
    let night = two_runs();
    let said = night.trunkrate(&["verify", "--sample", "1"]).ok();
    assert!(
        said.starts_with(
            "good: 2 runs; 1 of 2 calls recomputed (1 leg); no law is broken there\nhead "
        ),
        "{said}"
    );
    assert!(
        night
            .trunkrate(&["verify", "--sample", "100"])
            .ok()
            .contains("2 of 2 calls recomputed (3 legs)")
    );
}

/// A catalog of no bytes, as a full disk or a copy that broke off leaves it, stopped every command
/// as `out of memory`.
#[test]
fn an_empty_catalog_is_a_lost_one() {
    let night = Night::with_plain_deck();
    night.calls(&["CA1,,AC1,,trunking-terminating,+12025550101,+14155550102,2026-11-20T10:00:00Z,,60,completed"]);
    night.run(&[]);
    let path = night.path().join("ledger/catalog.sqlite");
    std::fs::write(&path, "").expect("written");
    assert!(night.trunkrate(&["log"]).ok().contains("CA1"));
    let done = night.trunkrate(&["verify"]);
    assert!(
        done.code == 1 && done.stderr.contains("catalog.sqlite: is missing"),
        "{}",
        done.shown()
    );
    night.calls(&["CA2,,AC1,,trunking-terminating,+12025550101,+14155550102,2026-11-21T10:00:00Z,,60,completed"]);
    night.run(&[]);
    night.trunkrate(&["verify"]).ok();
}
