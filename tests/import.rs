//! Nights that Spark published, imported: what is booked is what the CLI's own run books, to the
//! byte; what differs in one cell is refused. (Many nights, with what waits between them:
//! `nights::import`.)

pub mod night;

use crate::billing_table::exported;
use crate::support::{Done, Night};
use night::{Style, Told, below, id_of, publish, seal, table, write};
use polars::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// The hostile night of `fixtures/`, rated by the CLI and published.
struct Fixture {
    folder: Night,
    run_id: String,
    /// The published night.
    night: PathBuf,
}

impl Fixture {
    fn new(style: Style) -> Self {
        let folder = Night::new();
        let [calls, rates, trunks, accounts] = [
            "fixtures/night/calls",
            "rates",
            "fixtures/night/trunks.json",
            "fixtures/night/accounts.csv",
        ]
        .map(shipped);
        let args =
            ["run", "--cdrs", text(&calls), "--rates", text(&rates), "--trunks", text(&trunks)];
        let summary = folder
            .trunkrate(&[&args[..], &["--accounts", text(&accounts), "--format", "json"]].concat())
            .json();
        let run_id = summary["run_id"].as_str().expect("a run").to_owned();
        let told = Told {
            run: folder.path().join("ledger/runs").join(&run_id),
            calls: vec![calls],
            rates,
            trunks: Some(trunks),
            accounts: Some(accounts),
            config: None,
            previous: None,
            sequence: 1,
            style,
        };
        let night = publish(&told, &folder.path().join("nights"));
        Self { folder, run_id, night }
    }

    fn import(&self, into: &Night, more: &[&str]) -> Done {
        into.trunkrate(&[&["ledger", "import", text(&self.night)], more].concat())
    }

    /// A file of the night.
    fn file(&self, dataset: &str) -> PathBuf {
        below(&self.night.join(dataset))
            .into_iter()
            .find(|file| text(file).ends_with(".parquet"))
            .expect("a table")
    }

    /// Changes the first table of a dataset, and the manifest with it.
    fn change(&self, dataset: &str, change: impl FnOnce(DataFrame) -> DataFrame) {
        let path = self.file(dataset);
        write(&mut change(table(&path)), &path, ParquetCompression::Zstd(None), None);
        seal(&self.night, |_| ());
    }
}

/// The bytes of what a run booked; not of suspense, whose records are kept in another form.
pub fn booked_bytes(ledger: &Path, run_id: &str) -> BTreeMap<String, Vec<u8>> {
    let run = ledger.join("runs").join(run_id);
    let files =
        ["legs", "calls", "ids", "prices"].iter().flat_map(|dataset| below(&run.join(dataset)));
    files
        .map(|file| {
            (
                file.strip_prefix(&run).expect("below").display().to_string(),
                std::fs::read(&file).expect("a file"),
            )
        })
        .collect()
}

#[track_caller]
pub fn assert_same_bytes(cli: &BTreeMap<String, Vec<u8>>, imported: &BTreeMap<String, Vec<u8>>) {
    assert_eq!(cli.keys().collect::<Vec<_>>(), imported.keys().collect::<Vec<_>>());
    assert!(cli.iter().all(|(name, bytes)| imported[name] == *bytes), "the bytes differ");
}

/// What waits, without the text of the record, which is a JSON object here, and without the detail
/// of a text that is none.
pub fn waiting(folder: &Night) -> Vec<Value> {
    let mut rows = exported(folder, "suspense");
    for row in &mut rows {
        let is_text = row["reason"] == "malformed-record";
        let row = row.as_object_mut().expect("a row");
        row.remove("record");
        if is_text {
            row.remove("detail");
        }
    }
    let mut rows: Vec<Value> = rows;
    rows.sort_by_key(Value::to_string);
    rows
}

#[test]
fn an_imported_night_is_the_clis_own_run() {
    for style in [Style::Plain, Style::Other] {
        let fixture = Fixture::new(style);
        let ledger = Night::new();
        let summary = fixture.import(&ledger, &["--format", "json"]).json();
        assert_eq!(summary["run_id"], fixture.run_id.as_str(), "{style:?}");
        assert_eq!(
            (&summary["already_imported"], &summary["read"]),
            (&Value::Bool(false), &Value::from(64))
        );
        let [cli, imported] = [&fixture.folder, &ledger]
            .map(|folder| booked_bytes(&folder.path().join("ledger"), &fixture.run_id));
        assert!(cli.len() > 6, "{:?}", cli.keys());
        assert_same_bytes(&cli, &imported);
        assert_eq!(waiting(&fixture.folder), waiting(&ledger));
    }
}

/// Every command on it says what it says on the CLI's own run.
#[test]
fn an_imported_night_is_verified_rerated_invoiced_and_undone_as_any_other() {
    let fixture = Fixture::new(Style::Other);
    let ledger = Night::new();
    let said = fixture.import(&ledger, &[]).ok();
    assert!(said.contains("= rated      30 records"), "{said}");
    assert!(said.contains("rated by spark 4.2.1, trunkrate "), "{said}");
    // The manifests differ, which say where each is from, and with them where the ledgers stand.
    let without_head = |text: String| {
        text.split_inclusive('\n').filter(|line| !line.starts_with("head ")).collect::<String>()
    };
    let both = |args: &[&str]| {
        [&fixture.folder, &ledger].map(|folder| without_head(folder.trunkrate(args).ok()))
    };
    let same = |args: &[&str]| {
        let [cli, imported] = both(args);
        assert_eq!(cli, imported, "{args:?}");
    };
    same(&["verify"]);
    same(&["log", "--format", "csv"]);
    same(&["export", "legs"]);
    same(&["export", "calls"]);
    for call in exported(&fixture.folder, "calls") {
        // The two were booked from files of their own.
        same(&["rerate", call["call_sid"].as_str().expect("an id"), "--no-call-files"]);
    }
    let config = shipped("fixtures/night/trunkrate.toml");
    let items = shipped("fixtures/night/items.csv");
    let issue = [
        "invoice",
        "issue",
        "--period",
        "2026-11",
        "--date",
        "2026-12-01",
        "--config",
        text(&config),
        "--accept",
        "waiting",
    ];
    same(&[&issue[..], &["--items", text(&items), "--out", "out"]].concat());
    let invoices = |folder: &Night| -> Vec<(String, Vec<u8>)> {
        let files = below(&folder.path().join("out")).into_iter();
        files
            .map(|file| {
                (
                    text(file.strip_prefix(folder.path()).expect("below")).to_owned(),
                    std::fs::read(&file).expect("a file"),
                )
            })
            .collect()
    };
    assert!(!invoices(&ledger).is_empty());
    assert!(invoices(&fixture.folder) == invoices(&ledger), "the invoices differ");
    ledger.trunkrate(&["verify"]).ok();
    ledger.trunkrate(&["report", "--format", "json"]).json();
    let html = ledger.trunkrate(&["report"]).ok();
    assert!(html.contains("Imported night"));
    let runs = ledger.trunkrate(&["runs", "--format", "json"]).json();
    assert_eq!(
        (&runs[0]["kind"], &runs[0]["imported"]["id"]),
        (&Value::from("import"), &Value::from(id_of(&fixture.night)))
    );
    assert!(ledger.trunkrate(&["runs"]).ok().contains("published night 1 of spark 4.2.1"));
    // An invoice holds it; without that it can be taken back, and imported again.
    let undo = |folder: &Night| folder.trunkrate(&["undo", &fixture.run_id, "--reason", "a test"]);
    assert_eq!(undo(&ledger).code, 1);
    let other = Night::new();
    fixture.import(&other, &[]).ok();
    undo(&other).ok();
    assert!(exported(&other, "legs").is_empty());
    assert_eq!(
        fixture.import(&other, &["--format", "json"]).json()["run_id"],
        fixture.run_id.as_str()
    );
    other.trunkrate(&["verify"]).ok();
}

#[test]
fn a_second_import_books_nothing() {
    let fixture = Fixture::new(Style::Plain);
    let ledger = Night::new();
    fixture.import(&ledger, &[]).ok();
    let said = fixture.import(&ledger, &[]).ok();
    assert!(
        said.starts_with(&format!(
            "already imported as run {}; nothing was booked\n",
            fixture.run_id
        )),
        "{said}"
    );
    let said = fixture.import(&ledger, &["--format", "json"]).json();
    assert_eq!(
        (&said["already_imported"], &said["run_id"]),
        (&Value::Bool(true), &Value::from(fixture.run_id.as_str()))
    );
    assert_eq!(
        ledger.trunkrate(&["runs", "--format", "json"]).json().as_array().map(Vec::len),
        Some(1)
    );
    // Where `run` has booked its calls, they are all duplicates: not what was published.
    let done = fixture.import(&fixture.folder, &[]);
    assert_eq!(done.code, 1, "{}", done.shown());
    assert!(
        done.stderr.contains("hint: calls of it are booked in this ledger already"),
        "{}",
        done.stderr
    );
}

/// Imports what must be refused: nothing is booked, and it is said why.
#[track_caller]
fn refused(fixture: &Fixture, because: &[&str]) {
    let ledger = Night::new();
    let done = fixture.import(&ledger, &[]);
    assert_eq!(done.code, 1, "{because:?}: {}", done.shown());
    assert!(!done.stderr.contains("panicked"), "{}", done.stderr);
    for text in because {
        assert!(done.stderr.contains(text), "{text}: {}", done.stderr);
    }
    let runs = below(&ledger.path().join("ledger/runs"));
    assert!(runs.is_empty(), "{runs:?}");
}

/// A column with one cell changed, by its units.
fn with_cell(
    mut frame: DataFrame,
    name: &str,
    row: usize,
    change: impl Fn(i128) -> i128,
) -> DataFrame {
    let series = frame.column(name).expect("a column").as_materialized_series().clone();
    let DataType::Decimal(precision, scale) = *series.dtype() else {
        panic!("{name} is no decimal")
    };
    let units = series.to_physical_repr().i128().expect("units").clone();
    let changed: Vec<Option<i128>> = units
        .iter()
        .enumerate()
        .map(|(at, v)| v.map(|v| if at == row { change(v) } else { v }))
        .collect();
    let column = Int128Chunked::new(name.into(), changed).into_decimal_unchecked(precision, scale);
    frame.replace(name, column.into_column()).expect("replaced");
    frame
}

fn with_text(mut frame: DataFrame, name: &str, row: usize, text: &str) -> DataFrame {
    let texts = frame.column(name).expect("a column").str().expect("texts").clone();
    let changed: Vec<Option<String>> = texts
        .iter()
        .enumerate()
        .map(|(at, v)| if at == row { Some(text.to_owned()) } else { v.map(str::to_owned) })
        .collect();
    frame.replace(name, Column::new(name.into(), changed)).expect("replaced");
    frame
}

#[test]
fn a_row_that_differs_is_refused_and_named() {
    let fixture = Fixture::new(Style::Plain);
    let good = below(&fixture.night)
        .into_iter()
        .map(|file| (file.clone(), std::fs::read(&file).expect("a file")))
        .collect::<Vec<_>>();
    let back = || {
        for file in below(&fixture.night) {
            std::fs::remove_file(file).expect("removed");
        }
        for (file, bytes) in &good {
            std::fs::write(file, bytes).expect("written");
        }
    };
    // The smallest difference that a leg can have, in units of 10⁻⁸.
    fixture.change("legs", |legs| with_cell(legs, "amount", 3, |amount| amount + 1));
    refused(
        &fixture,
        &[
            "\nlegs: call CA2026",
            "amount is ",
            "001 published, ",
            "hint: it was changed after it was published",
        ],
    );
    back();
    fixture.change("legs", |legs| legs.slice(1, usize::MAX));
    refused(
        &fixture,
        &["\nlegs: call CA2026", "is found here, and not published: call_sid CA2026"],
    );
    back();
    fixture.change("legs", |legs| legs.vstack(&legs.slice(2, 1)).expect("rows"));
    refused(
        &fixture,
        &["\nlegs: call CA2026", "is published, and not found here: call_sid CA2026"],
    );
    back();
    fixture.change("calls", |calls| with_text(calls, "caller_id", 0, "+12025550199"));
    refused(&fixture, &["\ncalls: call CA2026", "caller_id is +12025550199 published, "]);
    back();
    fixture.change("calls", |calls| with_text(calls, "call_sid", 0, "CA1"));
    refused(&fixture, &["\ncalls: call ", "and not found here"]);
    back();
    fixture.change("calls", |calls| {
        let prices = calls
            .column("carrier_price")
            .expect("prices")
            .as_materialized_series()
            .to_physical_repr()
            .into_owned();
        let row = prices
            .i128()
            .expect("units")
            .iter()
            .position(|price| price.is_some())
            .expect("a price");
        with_cell(calls, "carrier_price", row, |price| price * 2)
    });
    refused(&fixture, &["\ncalls: call CA2026", "carrier_price is -"]);
    back();
    // A record that was changed after it was rated.
    fixture.change("records", |records| {
        let texts = records.column("duration").expect("a column").str().expect("texts").clone();
        let changed: Vec<Option<String>> = texts
            .iter()
            .map(|v| v.map(|v| if v == "300" { "301".to_owned() } else { v.to_owned() }))
            .collect();
        let mut records = records;
        records.replace("duration", Column::new("duration".into(), changed)).expect("replaced");
        records
    });
    refused(
        &fixture,
        &[
            "rated: ",
            " s published, ",
            "\ncalls: call ",
            "duration_seconds is 300 published, 301 here",
        ],
    );
    back();
    fixture.import(&Night::new(), &[]).ok();
}

#[test]
fn counts_that_differ_are_refused() {
    let fixture = Fixture::new(Style::Plain);
    let wrong = |change: &dyn Fn(&mut Value), because: &str| {
        let path = fixture.night.join("manifest.json");
        let good = std::fs::read_to_string(&path).expect("a manifest");
        seal(&fixture.night, change);
        refused(&fixture, &[because]);
        std::fs::write(path, good).expect("a manifest");
    };
    let of = |class: &'static str, what: &'static str, value: u64| {
        move |manifest: &mut Value| manifest["counts"][class][what] = value.into()
    };
    wrong(
        &of("rated", "records", 31),
        "\nrated: 31 records and 3300 s published, 30 records and 3300 s here",
    );
    wrong(&of("suspended", "seconds", 1), "\nsuspended: 23 records and 1 s published");
    wrong(&of("new_in_suspense", "records", 1), "\nnew in suspense: 1 records");
    wrong(
        &of("retried", "records", 1),
        "\nretried: 1 records and 0 s published, 0 records and 0 s here",
    );
    wrong(
        &|manifest| manifest["suspended_by_reason"]["no-rate"] = 3.into(),
        "\nsuspended as no-rate: 3 published, 2 here",
    );
    wrong(&|manifest| manifest["legs"] = 36.into(), "\nlegs: 36 published, 35 here");
    wrong(
        &|manifest| manifest["amount"]["EUR"] = "0.28965".into(),
        "\nsum of legs in EUR: 0.28965 published, 0.28964 here",
    );
    wrong(
        &|manifest| manifest["amount"]["EUR"] = "NaN".into(),
        "says that the legs come to `NaN` EUR; expected a decimal",
    );
    wrong(
        &|manifest| manifest["tariff_hash"] = "00".into(),
        "\nhash of what it was rated with: 00 published, ",
    );
    wrong(
        &|manifest| manifest["format"] = 2.into(),
        "is a published night of format 2; this version reads 1",
    );
    wrong(&|manifest| manifest["kernel"] = Value::Null, "is no manifest of a published night");
    wrong(
        &|manifest| manifest["files"][0]["path"] = "../manifest.json".into(),
        "which is not below the night's folder",
    );
    // A sum may be written with more decimals.
    seal(&fixture.night, |manifest| manifest["amount"]["EUR"] = "0.28964000".into());
    fixture.import(&Night::new(), &[]).ok();
}

/// A deck row that this night does not use may price the next one.
#[test]
fn what_it_was_rated_with_is_what_is_booked() {
    let fixture = Fixture::new(Style::Plain);
    let accounts = fixture.night.join("accounts.csv");
    let list = std::fs::read_to_string(&accounts).expect("a text");
    assert!(list.contains("Nordwind"), "the name is there to be changed");
    std::fs::write(&accounts, list.replace("Nordwind", "Sudwinds")).expect("written");
    refused(&fixture, &["hash of what it was rated with: "]);
}

#[test]
fn a_night_with_the_id_of_another_is_refused_and_no_ledger_stands_in_a_night() {
    let fixture = Fixture::new(Style::Plain);
    let ledger = Night::new();
    fixture.import(&ledger, &[]).ok();
    seal(&fixture.night, |manifest| manifest["sequence"] = 7.into());
    let done = fixture.import(&ledger, &[]);
    assert!(
        done.code == 1
            && done.stderr.contains("is night 7 with the id of night 1, which is imported"),
        "{}",
        done.shown()
    );
    let inside = fixture.night.join("ledger");
    let done = Night::new().trunkrate(&[
        "ledger",
        "import",
        text(&fixture.night),
        "--ledger",
        text(&inside),
    ]);
    assert!(
        done.code == 2 && done.stderr.contains("would stand in the published night"),
        "{}",
        done.shown()
    );
    assert!(!inside.exists());
}

#[test]
fn a_night_that_is_not_whole_or_not_published_is_refused() {
    let fixture = Fixture::new(Style::Plain);
    let legs = fixture.file("legs");
    let good = std::fs::read(&legs).expect("a file");
    std::fs::write(&legs, &good[..good.len() - 1]).expect("cut");
    refused(&fixture, &["bytes; it was published with"]);
    std::fs::remove_file(&legs).expect("removed");
    refused(&fixture, &["cannot be read", "the night is not whole"]);
    std::fs::write(&legs, &good).expect("put back");
    let new = legs.with_file_name("part-7.parquet");
    std::fs::copy(&legs, &new).expect("copied");
    refused(&fixture, &["part-7.parquet: is not named in the night's manifest"]);
    std::fs::remove_file(&new).expect("removed");
    let extra = fixture.night.join("rates/default/extra.csv");
    std::fs::write(&extra, "").expect("written");
    refused(&fixture, &["extra.csv: is not named in the night's manifest"]);
    std::fs::remove_file(&extra).expect("removed");
    // A float is no amount, whatever it holds.
    fixture.change("legs", |mut legs| {
        let floats =
            legs.column("amount").expect("amounts").cast(&DataType::Float64).expect("floats");
        legs.replace("amount", floats).expect("replaced");
        legs
    });
    refused(&fixture, &["has the column `amount` as f64; expected decimals"]);
    fixture.change("legs", |legs| legs.drop("deck_line").expect("a column"));
    refused(&fixture, &["has no column `deck_line`"]);
    std::fs::write(&legs, &good).expect("put back");
    seal(&fixture.night, |_| ());
    let staging = fixture.folder.path().join("staging");
    std::fs::create_dir(&staging).expect("a folder");
    let staged = staging.join("night");
    std::fs::rename(&fixture.night, &staged).expect("moved");
    let done = Night::new().trunkrate(&["ledger", "import", text(&staged)]);
    assert!(done.code == 1 && done.stderr.contains("is not published"), "{}", done.shown());
    let done = Night::new().trunkrate(&["ledger", "import", text(&staging)]);
    assert!(done.code == 1 && done.stderr.contains("it has no manifest.json"), "{}", done.shown());
}
