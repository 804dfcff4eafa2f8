//! An auditor's walk: from a line of an invoice to its calls, and from a call to the line of its
//! call file and the row of its deck.

use crate::support::{Night, call_file};
use rust_decimal::Decimal;
use serde_json::Value;
use std::path::Path;

/// The demo night, booked and invoiced.
#[cfg(unix)]
fn demo() -> Night {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let night = Night::new();
    for folder in ["fixtures", "rates"] {
        std::os::unix::fs::symlink(root.join(folder), night.path().join(folder)).expect("a link");
    }
    let run = "run --cdrs fixtures/night/calls --rates rates --trunks fixtures/night/trunks.json --accounts fixtures/night/accounts.csv";
    let issue = "invoice issue --period 2026-11 --date 2026-12-01 --items fixtures/night/items.csv --config fixtures/night/trunkrate.toml --accept waiting --out invoices";
    for command in [run, issue] {
        night.trunkrate(&command.split(' ').collect::<Vec<_>>()).ok();
    }
    night
}

fn decimal(value: &Value) -> Decimal {
    Decimal::from_str_exact(value.as_str().expect("a text")).expect("a decimal")
}

fn count(value: &Value) -> usize {
    value.as_u64().and_then(|number| usize::try_from(number).ok()).expect("a number")
}

fn json(night: &Night, args: &[&str]) -> Value {
    night.trunkrate(&[args, &["--format", "json"]].concat()).json()
}

/// Three commands from the amount of a line to the text that the carrier sent: `invoice show`,
/// `invoice calls`, `explain`. Every line of every invoice of the demo adds up, and every call on
/// it is found in its file, in every format.
#[cfg(unix)]
#[test]
fn from_every_line_of_an_invoice_to_the_line_of_the_call_file() {
    let night = demo();
    let mut formats = std::collections::BTreeSet::new();
    let mut legs_found = 0;
    for entry in json(&night, &["invoice", "list"]).as_array().expect("a list") {
        let number = entry["number"].as_str().expect("a number");
        let document = json(&night, &["invoice", "show", number]);
        let shown = night.trunkrate(&["invoice", "show", number]).ok();
        for (at, line) in (1..).zip(document["usage"].as_array().expect("lines")) {
            assert!(shown.lines().any(|text| text.trim_start().starts_with(&format!("{at}  "))));
            let legs = json(&night, &["invoice", "calls", number, "--line", &at.to_string()]);
            let legs = legs.as_array().expect("legs");
            let sum: Decimal = legs.iter().map(|leg| decimal(&leg["amount"])).sum();
            assert_eq!(sum, decimal(&line["amount"]), "{number}, line {at}");
            assert_eq!(legs.len() as u64, line["legs"].as_u64().expect("a number"));
            for leg in legs {
                legs_found += 1;
                let sid = leg["call_sid"].as_str().expect("an id");
                let call = json(&night, &["explain", sid]);
                let booked = &call["source"]["booked"];
                assert_eq!(booked["as_booked"], true, "{sid}: {}", call["source"]);
                let record = booked["record"].as_str().expect("a text");
                assert!(record.contains(sid), "{record}");
                formats.insert(booked["file"].as_str().expect("a name").to_owned());
                // The row of the deck, as it stands in its file.
                let own = &call["legs"][count(&leg["leg"]) - 1];
                let deck =
                    night.path().join("rates").join(own["deck_file"].as_str().expect("a file"));
                let line = count(&own["deck_line"]);
                let text = std::fs::read_to_string(deck).expect("a deck");
                assert_eq!(own["deck_row"].as_str(), text.lines().nth(line - 1), "{sid}");
                assert_eq!(own["amount"], leg["amount"], "{sid}");
            }
        }
        let all = json(&night, &["invoice", "calls", number]);
        let sum: Decimal =
            all.as_array().expect("legs").iter().map(|leg| decimal(&leg["amount"])).sum();
        assert_eq!(sum, decimal(&document["totals"]["usage"]), "{number}");
    }
    assert_eq!(legs_found, 35, "all legs of the night");
    let names: Vec<String> =
        formats.iter().map(|name| name.rsplit('/').next().expect("a name").to_owned()).collect();
    assert_eq!(
        names,
        ["annex.parquet", "harbor.csv", "hostile.csv.zst", "nordwind.jsonl.gz", "pebble.json"]
    );
}

/// The walk as it is typed, with the line of the file beside what is shown of it.
#[cfg(unix)]
#[test]
fn the_walk_as_it_is_typed() {
    let night = demo();
    let text = night.trunkrate(&["explain", "CA20261120000000000000000000000108"]).ok();
    let file = night.path().join("fixtures/night/calls/harbor.csv");
    let lines = std::fs::read_to_string(&file).expect("a file");
    let (at, line) = (1..)
        .zip(lines.lines())
        .find(|(_, line)| line.starts_with("CA20261120000000000000000000000108"))
        .expect("the call's line");
    assert!(
        text.contains(&format!(
            "  file       fixtures/night/calls/harbor.csv, line {at}, of run 0"
        )),
        "{text}"
    );
    assert!(text.contains(&format!("  record     {line}\n")), "{text}");
    let hash = blake3::hash(lines.as_bytes()).to_hex();
    assert!(text.contains(&format!("  as booked  BLAKE3 {hash} matches\n")), "{text}");
    // 601 s are 11 started minutes, at 0.0130 and at 0.0100.
    assert!(text.contains("\ntotal 0.25300 USD\n"), "{text}");
}

const CALL: &str = "CA1,,AC1,TK1,trunking-terminating,+12025550101,+14155550102,2026-11-20T21:15:00Z,,300,completed";
const OTHER: &str =
    "CA4,,AC2,,trunking-originating,+12025550101,+14155550102,2026-11-21T09:00:00Z,,61,completed";

fn source(night: &Night, more: &[&str]) -> Value {
    json(night, &[&["explain", "CA1"], more].concat())["source"].clone()
}

#[test]
fn a_file_proves_something_only_as_it_was_booked() {
    let night = Night::with_plain_deck();
    night.calls(&[OTHER, CALL]);
    night.run(&[]);
    let booked = source(&night, &[])["booked"].clone();
    assert_eq!((&booked["as_booked"], &booked["line"]), (&true.into(), &3.into()));
    // Another file under its name: shown, and no evidence.
    night.calls(&[CALL, OTHER]);
    let found = source(&night, &[]);
    assert_eq!(
        (&found["booked"]["as_booked"], &found["booked"]["line"]),
        (&false.into(), &2.into())
    );
    assert_eq!(found["files"][0]["state"], "changed");
    let text = night.trunkrate(&["explain", "CA1"]).ok();
    assert!(text.contains("what stands there is no evidence"), "{text}");
    // The call says something else there.
    night.calls(&[&CALL.replace(",300,", ",301,")]);
    let found = source(&night, &[]);
    assert_eq!(
        (&found["booked"], &found["others"][0]["same_content"]),
        (&Value::Null, &false.into())
    );
    // As it was, but elsewhere and under another name: known by its hash.
    night.file("kept/old.csv", call_file(&[OTHER, CALL]));
    let found = source(&night, &["--call-files", "kept"]);
    assert_eq!(
        (&found["booked"]["as_booked"], &found["files"][0]["lies"]),
        (&true.into(), &"kept/old.csv".into())
    );
    // Gone: it is said which file it was.
    std::fs::remove_file(night.path().join("calls.csv")).expect("removed");
    let text = night.trunkrate(&["explain", "CA1"]).ok();
    let hash = blake3::hash(call_file(&[OTHER, CALL]).as_bytes()).to_hex();
    assert!(text.contains("  file       calls.csv, of run 000001-"), "{text}");
    assert!(text.contains(&format!("BLAKE3 {hash} when it was booked")), "{text}");
    assert!(text.contains("--call-files PATH"), "{text}");
    // What is no call file, or cannot be read, stops nothing.
    night.file("calls.csv", [0xff, 0xfe, 0x00]);
    assert_eq!(source(&night, &[])["files"][0]["state"], "unreadable");
    assert_eq!(source(&night, &["--no-call-files"]), Value::Null);
}

#[test]
fn the_record_that_was_booked_stands_before_its_copies() {
    let night = Night::with_plain_deck();
    // A version that lacks the trunk: the fuller one is booked.
    night.file("a.csv", call_file(&[&CALL.replace(",TK1,", ",,")]));
    night.file("b.csv", call_file(&[OTHER, CALL]));
    night.file("c.jsonl", "{\"sid\":\"CA1\",\"parent_call_sid\":\"\",\"account_sid\":\"AC1\",\"trunk_sid\":\"TK1\",\"direction\":\"trunking-terminating\",\"from\":\"+12025550101\",\"to\":\"+14155550102\",\"start_time\":\"2026-11-20T21:15:00Z\",\"duration\":\"300\",\"status\":\"completed\"}\n");
    night.trunkrate(&["run", "--cdrs", "a.csv", "b.csv", "c.jsonl", "--rates", "rates"]).ok();
    let found = source(&night, &[]);
    assert_eq!((&found["booked"]["file"], &found["booked"]["line"]), (&"b.csv".into(), &3.into()));
    let others: Vec<(&Value, &Value)> = (found["others"].as_array().expect("others").iter())
        .map(|other| (&other["file"], &other["same_content"]))
        .collect();
    assert_eq!(others, [(&"a.csv".into(), &false.into()), (&"c.jsonl".into(), &true.into())]);
}

/// A record that waited is kept by the ledger itself.
#[test]
fn a_record_that_waited_is_shown_from_the_ledger() {
    let night = Night::with_plain_deck();
    let child = "CA1,P1,AC1,,,,+13035550103,2026-11-20T21:20:00Z,,370,completed";
    night.file("first.csv", call_file(&[child]));
    night.trunkrate(&["run", "--cdrs", "first.csv", "--rates", "rates"]).ok();
    night.file("second.csv", call_file(&[&CALL.replace("CA1,", "P1,")]));
    night.trunkrate(&["run", "--cdrs", "second.csv", "--rates", "rates"]).ok();
    let found = source(&night, &[]);
    assert_eq!((&found["kept"]["file"], &found["kept"]["line"]), (&"first.csv".into(), &2.into()));
    assert!(found["kept"]["record"].as_str().expect("a text").starts_with(child));
    assert_eq!(found["booked"]["file"], "first.csv");
    std::fs::remove_file(night.path().join("first.csv")).expect("removed");
    let text = night.trunkrate(&["explain", "CA1"]).ok();
    assert!(text.contains("  waited     from first.csv, line 2"), "{text}");
    assert!(text.contains("the ledger keeps the record itself"), "{text}");
    assert!(text.contains("  gone       "), "{text}");
}

/// Lines that are no calls, and lines that are not there.
#[cfg(unix)]
#[test]
fn lines_without_calls_are_said() {
    let night = demo();
    let document = json(&night, &["invoice", "show", "BT-2026-000001"]);
    let usage = document["usage"].as_array().expect("lines").len();
    let charge = night.trunkrate(&[
        "invoice",
        "calls",
        "BT-2026-000001",
        "--line",
        &(usage + 1).to_string(),
    ]);
    assert_eq!(charge.code, 1);
    assert!(charge.stderr.contains("is a monthly charge"), "{}", charge.stderr);
    for line in ["0", "99"] {
        let none = night.trunkrate(&["invoice", "calls", "BT-2026-000001", "--line", line]);
        assert!(none.code == 1 && none.stderr.contains("has no line"), "{}", none.stderr);
    }
    assert_eq!(night.trunkrate(&["invoice", "calls", "BT-2026-000009"]).code, 1);
}
