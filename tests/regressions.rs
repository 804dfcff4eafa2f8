//! Faults that were found once, each by the smallest night that shows it.

use crate::support::{Night, call_file};
use serde_json::{Value, json};

const PARENT: &str = "P,,AC1,TK1,trunking-terminating,+12025550101,+14155550102,2026-11-20T21:00:00Z,,61,completed";
const CHILD: &str = "C,P,AC1,TK1,,,sip:bob@pbx.example.com,2026-11-20T21:01:00Z,,61,completed";

/// Runs one file after the other, each a night of its own; the summaries.
fn nights(night: &Night, files: &[&[&str]]) -> Vec<Value> {
    files
        .iter()
        .map(|rows| {
            night.calls(rows);
            night.run(&[])
        })
        .collect()
}

fn column(night: &Night, name: &str, sid: &str) -> String {
    let csv = night.trunkrate(&["export", "calls"]).ok();
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let at = reader.headers().expect("a header").iter().position(|header| header == name).expect("the column");
    let row = reader.records().map(|row| row.expect("a row")).find(|row| &row[0] == sid).expect("the call");
    row[at].to_owned()
}

/// The child of a booked call was ignored, because another version of its parent once came with a foreign direction.
#[test]
fn a_foreign_version_of_a_booked_call_does_not_take_its_children_along() {
    let night = Night::with_plain_deck();
    let foreign = PARENT.replace("trunking-terminating", "inbound");
    let summaries = nights(&night, &[&[PARENT], &[&foreign], &[CHILD]]);
    assert_eq!(summaries[1]["ignored"], 1);
    assert_eq!(summaries[2]["rated"], 1);
}

/// A price that came while its record waited was lost; in one run it hung on the order of the rows.
#[test]
fn a_price_that_comes_while_its_record_waits_is_kept() {
    let priced = format!("{CHILD},-0.07,USD");
    for files in [[&[CHILD][..], &[&priced], &[PARENT]], [&[CHILD, &priced], &[], &[PARENT]], [&[&priced, CHILD], &[], &[PARENT]]]
    {
        let night = Night::with_plain_deck();
        nights(&night, &files);
        assert_eq!(column(&night, "carrier_price", "C"), "-0.0700");
    }
}

/// A text that is no price won over one that is.
#[test]
fn a_price_that_is_none_does_not_win() {
    let night = Night::with_plain_deck();
    nights(&night, &[&[&format!("{PARENT},n/a,USD"), &format!("{PARENT},-0.01,USD")]]);
    assert_eq!(column(&night, "carrier_price", "P"), "-0.0100");
}

/// Of two versions in one run one was billed, because the other waited already.
#[test]
fn two_versions_in_one_run_are_a_conflict_also_if_one_of_them_waits() {
    let night = Night::with_plain_deck();
    let other = CHILD.replace(",61,", ",3600,");
    let summaries = nights(&night, &[&[CHILD], &[CHILD, &other, PARENT]]);
    assert_eq!(summaries[1]["suspended_by_reason"], json!({ "conflicting-duplicate": 2 }));
    assert_eq!((&summaries[1]["rated"], &summaries[1]["duplicate"]), (&json!(1), &json!(1)));
}

/// The `\r` of the header's line end counted as a line of its own.
#[test]
fn lines_are_counted_right_after_a_crlf_header() {
    let night = Night::with_plain_deck();
    night.file("calls.csv", call_file(&[PARENT, CHILD, &CHILD.replace("C,P", "D,Q")]).replace('\n', "\r\n"));
    night.run(&[]);
    assert_eq!(night.trunkrate(&["suspense", "--format", "json"]).json()[0]["source_line"], 4);
}

/// JSON was told apart by the next line's brace, or by the file's ending.
#[test]
fn pages_are_pages_however_they_are_broken_into_lines() {
    let call = |sid: &str| {
        format!(
            r#"{{"sid":"{sid}","account_sid":"AC1","direction":"trunking-terminating","to":"+14155550102","start_time":"2026-11-20T21:00:00Z","duration":61,"status":"completed"}}"#
        )
    };
    let (a, b) = (call("A"), call("B"));
    for text in
        [format!("{{\"calls\": [\n{a},\n{b}\n]}}\n"), format!("{{\"page\":0,\"calls\":[{a},{b}]}}\n"), format!("[\n{a},\n{b}\n]")]
    {
        for name in ["calls.json", "calls.jsonl"] {
            let night = Night::with_plain_deck();
            night.file(name, &text);
            let summary = night.trunkrate(&["run", "--cdrs", name, "--rates", "rates", "--format", "json"]).json();
            assert_eq!((&summary["read"], &summary["rated"]), (&json!(2), &json!(2)), "{name}: {text}");
        }
    }
}

/// A `\r` within a line of JSON cut the record that was kept.
#[test]
fn a_json_record_with_a_carriage_return_in_it_is_kept_whole() {
    let night = Night::with_plain_deck();
    let child = "{\"sid\":\"C\",\r\"parent_call_sid\":\"P\",\"account_sid\":\"AC1\",\"to\":\"sip:bob@pbx.example.com\",\"start_time\":\"2026-11-20T21:01:00Z\",\"duration\":61,\"status\":\"completed\"}";
    night.file("calls.jsonl", format!("{child}\n"));
    night.trunkrate(&["run", "--cdrs", "calls.jsonl", "--rates", "rates"]).ok();
    assert_eq!(night.trunkrate(&["suspense", "--format", "json"]).json()[0]["record"], child);
    assert_eq!(nights(&night, &[&[PARENT]])[0]["rated"], 2);
}

/// A run that was lost together with the catalog was not noticed, and its calls were booked again.
#[test]
fn a_lost_run_is_noticed_without_the_catalog_too() {
    let night = Night::with_plain_deck();
    nights(&night, &[&[PARENT], &[CHILD], &[]]);
    let runs = night.path().join("ledger/runs");
    let second = std::fs::read_dir(&runs)
        .expect("runs")
        .map(|e| e.expect("a run").path())
        .find(|p| p.to_string_lossy().contains("000002-"));
    std::fs::remove_dir_all(second.expect("the second run")).expect("removed");
    for name in std::fs::read_dir(night.path().join("ledger")).expect("a ledger").map(|e| e.expect("an entry").path()) {
        if name.to_string_lossy().contains("catalog.sqlite") {
            std::fs::remove_file(name).expect("removed");
        }
    }
    night.calls(&[CHILD]);
    let done = night.trunkrate(&["run", "--cdrs", "calls.csv", "--rates", "rates"]);
    assert_eq!(done.code, 1);
    assert!(done.stderr.contains("000003-"), "{}", done.stderr);
}

/// Two links to the folder that they stand in made an endless walk.
#[cfg(unix)]
#[test]
fn linked_folders_are_left_out() {
    let night = Night::with_plain_deck();
    night.file("q/calls.csv", call_file(&[PARENT]));
    for name in ["q/a", "q/b"] {
        std::os::unix::fs::symlink(".", night.path().join(name)).expect("a link");
    }
    let summary = night.trunkrate(&["run", "--cdrs", "q", "--rates", "rates", "--format", "json"]).json();
    assert_eq!(summary["read"], 1);
}
