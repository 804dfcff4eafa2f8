//! The hostile night of `fixtures/night`, end to end, and the carrier's samples as they are
//! published.
//!
//! The amounts that are asserted stand in `fixtures/night/README.md` with their workings; none of
//! them comes from the program. The snapshots show the outputs whole.

use crate::billing_table::exported;
use crate::support::Night;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use trunkrate::reject::Reason;

/// Where the fixtures and the example decks are.
fn shipped(path: &str) -> String {
    format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))
}

/// Rates the night as its README says; the summary.
fn rate(night: &Night, calls: &[&str], more: &[&str]) -> serde_json::Value {
    let calls: Vec<String> =
        calls.iter().map(|path| shipped(&format!("fixtures/night/{path}"))).collect();
    let [rates, trunks, accounts] =
        ["rates", "fixtures/night/trunks.json", "fixtures/night/accounts.csv"].map(shipped);
    let mut args = vec![
        "run",
        "--rates",
        &rates,
        "--trunks",
        &trunks,
        "--accounts",
        &accounts,
        "--format",
        "json",
    ];
    args.extend(calls.iter().flat_map(|path| ["--cdrs", path.as_str()]));
    args.extend(more);
    night.trunkrate(&args).json()
}

/// The number of a record: the end of its id.
fn number(sid: &str) -> u32 {
    sid.strip_prefix("CA20261120")
        .and_then(|digits| digits.parse().ok())
        .expect("an id of the fixture")
}

/// Holds an output against its file in `snapshots/night`.
fn snapshot(name: &str, text: &str) {
    insta::with_settings!({ snapshot_path => "snapshots/night", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, text);
    });
}

/// Amounts of the rated records by hand, legs together.
#[rustfmt::skip]
const AMOUNTS: [(u32, &str); 30] = [
    (101, "0.05000"), (102, "0.07000"), (103, "0.03750"), (104, "0.04500"), (105, "0.00680"), (106, "0.00340"),
    (107, "0.13000"), (108, "0.25300"), (110, "0.07500"), (113, "0.17400"), (114, "0.03000"), (115, "0.13200"),
    (116, "0.08700"),
    (201, "0.00256"), (202, "0.02063"), (203, "0.00465"), (204, "0.19700"), (205, "0.00566"), (206, "0.00260"),
    (207, "0.00333"), (208, "0.03629"), (209, "0.00304"), (210, "0.00008"),
    (304, "0.00340"), (305, "0.00680"), (307, "0.01000"), (309, "0.01000"),
    (501, "0.01000"), (502, "0.00680"), (503, "0.01380"),
];

#[test]
fn the_night_comes_to_its_amounts() {
    let night = Night::new();
    let summary = rate(&night, &["calls"], &[]);
    assert_eq!(summary["amount"], json!({ "USD": "1.14070", "EUR": "0.28964" }));
    assert_eq!(summary["legs"], 35);
    let counts = ["read", "retried", "rated", "free", "duplicate", "ignored", "suspended"]
        .map(|name| &summary[name]);
    assert_eq!(counts, [64, 0, 30, 3, 5, 3, 23].map(|count| json!(count)).each_ref());
    let calls = exported(&night, "calls");
    let rated = calls.iter().filter(|call| call["class"] == "rated");
    let amounts: BTreeMap<u32, &str> = rated
        .map(|call| {
            (
                number(call["call_sid"].as_str().expect("an id")),
                call["amount"].as_str().expect("an amount"),
            )
        })
        .collect();
    assert_eq!(amounts, BTreeMap::from(AMOUNTS));
    let free: BTreeSet<u32> = calls
        .iter()
        .filter(|call| call["class"] == "free")
        .map(|call| number(call["call_sid"].as_str().expect("an id")))
        .collect();
    assert_eq!(free, BTreeSet::from([109, 111, 112]));
    night.trunkrate(&["verify"]).ok();
}

#[test]
fn the_night_reads_as_it_did() {
    let night = Night::new();
    let summary = rate(&night, &["calls"], &[]);
    snapshot("summary", &serde_json::to_string_pretty(&summary).expect("JSON"));
    for what in ["legs", "calls"] {
        snapshot(what, &night.trunkrate(&["export", what, "--format", "csv"]).ok());
    }
    snapshot("log", &night.trunkrate(&["log", "--format", "table"]).ok());
}

#[test]
fn every_reason_but_one_is_in_the_night() {
    let night = Night::new();
    let summary = rate(&night, &["calls"], &[]);
    let found: BTreeSet<&str> = summary["suspended_by_reason"]
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    let mut expected: BTreeSet<&str> = Reason::ALL.map(Reason::as_str).into();
    // These have nights of their own: `doors`, `side_files`.
    for other in [Reason::UnknownDirection, Reason::AmbiguousTarget, Reason::UnlistedAccount] {
        expected.remove(other.as_str());
    }
    assert!(expected.remove("parent-never-arrived"), "it takes a week");
    assert_eq!(found, expected);
}

#[test]
fn order_of_files_and_threads_change_nothing() {
    let files =
        ["harbor.csv", "nordwind.jsonl.gz", "pebble.json", "hostile.csv.zst", "annex.parquet"]
            .map(|file| format!("calls/{file}"));
    let whole = Night::new();
    rate(&whole, &["calls"], &[]);
    let forward: Vec<&str> = files.iter().map(String::as_str).collect();
    let backward: Vec<&str> = forward.iter().rev().copied().collect();
    for (calls, threads) in [(&forward, "1"), (&backward, "8"), (&backward, "1")] {
        let night = Night::new();
        rate(&night, calls, &["--threads", threads]);
        for what in ["legs", "calls"] {
            let export = |night: &Night| night.trunkrate(&["export", what, "--format", "csv"]).ok();
            assert_eq!(export(&night), export(&whole), "{what}, {threads} threads");
        }
    }
}

#[test]
fn the_same_night_again_books_nothing() {
    let night = Night::new();
    rate(&night, &["calls"], &[]);
    let export =
        || ["legs", "calls"].map(|what| night.trunkrate(&["export", what, "--format", "csv"]).ok());
    let first = export();
    let again = rate(&night, &["calls"], &[]);
    assert_eq!(
        (&again["rated"], &again["free"], &again["legs"]),
        (&json!(0), &json!(0), &json!(0))
    );
    assert_eq!(export(), first);
    night.trunkrate(&["verify"]).ok();
}

#[test]
fn the_carriers_samples_are_read_as_they_are() {
    // Neither is a root, and no file has their parents.
    for (file, records, seconds) in [("call.json", 1, 4), ("calls_page.json", 2, 7)] {
        let night = Night::new();
        let [calls, rates, trunks] = [
            format!("fixtures/samples/{file}"),
            "fixtures/samples/price_list".to_owned(),
            "fixtures/samples/trunks.json".to_owned(),
        ]
        .map(|path| shipped(&path));
        let args =
            ["run", "--cdrs", &calls, "--rates", &rates, "--trunks", &trunks, "--format", "json"];
        let summary = night.trunkrate(&args).json();
        assert_eq!(summary["suspended_by_reason"], json!({ "parent-missing": records }), "{file}");
        assert_eq!(summary["seconds"]["read"], seconds, "{file}");
    }
}

#[test]
fn the_carriers_price_list_is_a_deck() {
    let deck = shipped("fixtures/samples/price_list");
    let night = Night::new();
    night.trunkrate(&["rates", "check", &deck]).ok();
    // Origin, number, and the published price of one minute.
    let table = [
        ("+12425550116", "+4312288000", "0.17810"), // 1242 before 1
        ("+12025550101", "+4312288000", "0.01760"), // from US/CA
        ("+493023125010", "+4312288000", "0.01760"), // from EEA
        ("anonymous", "+4312288000", "0.17810"),
        ("+12025550101", "+32455000102", "0.13750"), // 32455 is for the EEA only
        ("+493023125010", "+32455000102", "0.03870"),
        ("+12025550101", "+37633000000", "0.29400"), // the second prefix of a list would be 3764
        ("+12025550101", "+17875550100", "0.02000"),
    ];
    let row = |(place, (from, to, _)): (usize, &(&str, &str, &str))| {
        format!(
            "CA{place},,AC1,TK1,trunking-terminating,{from},{to},2026-11-20T21:15:00Z,,60,completed"
        )
    };
    let rows: Vec<String> = table.iter().enumerate().map(row).collect();
    night.calls(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    night.trunkrate(&["run", "--cdrs", "calls.csv", "--rates", &deck]).ok();
    let legs = exported(&night, "legs");
    let amounts: Vec<&str> =
        legs.iter().map(|leg| leg["amount"].as_str().expect("an amount")).collect();
    assert_eq!(amounts, table.map(|(_, _, amount)| amount));
}

#[test]
fn the_carriers_trunk_list_decides() {
    // Its only trunk allows no transfers.
    let night = Night::with_plain_deck();
    let trunk = "TKaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    let root = format!(
        "CA1,,AC1,{trunk},trunking-terminating,+12025550101,+14155550102,2026-11-20T21:15:00Z,,60,completed"
    );
    let child = format!(
        "CA2,CA1,AC1,{trunk},,,sip:agent@pbx.example.com,2026-11-20T21:16:00Z,,60,completed"
    );
    night.calls(&[&root, &child]);
    let summary = night.run(&["--trunks", &shipped("fixtures/samples/trunks.json")]);
    assert_eq!(
        (&summary["rated"], &summary["suspended_by_reason"]),
        (&json!(1), &json!({ "transfer-disabled": 1 }))
    );
}
