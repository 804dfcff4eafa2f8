//! The desk: what people do about waiting records, and that each of it is counted and kept.

use crate::support::{Done, Night};
use serde_json::Value;

const GOOD: &str = "CA1,,AC1,TK1,trunking-terminating,+12025550101,+14155550102,2026-11-20T21:15:00Z,,300,completed";
const LOST_CHILD: &str = "CA2,CA9,AC1,,,,+13035550103,2026-11-20T21:20:00Z,,370,completed";
const NO_RATE: &str =
    "CA3,,AC2,,trunking-terminating,+12025550101,+442071838750,2026-11-20T22:00:00Z,,61,completed";
const RINGING: &str =
    "CA4,,AC2,,trunking-terminating,+12025550101,+14155550102,2026-11-20T23:00:00Z,,,ringing";
const ONE: &str =
    "CA5,,AC1,,trunking-terminating,+12025550101,+14155550102,2026-11-20T20:00:00Z,,60,completed";
const TWO: &str =
    "CA5,,AC1,,trunking-terminating,+12025550101,+14155550102,2026-11-20T20:00:00Z,,61,completed";
const BROKEN: &str = "CA6,\"";
const DAYS_LATER: &str =
    "CA7,,AC1,,trunking-terminating,+12025550101,+14155550102,2026-11-24T10:00:00Z,,60,completed";

/// A ledger in which one record of every kind waits, and a later night.
fn waiting() -> Night {
    let night = Night::with_plain_deck();
    night.calls(&[GOOD, LOST_CHILD, NO_RATE, RINGING, ONE, TWO, BROKEN]);
    night.run(&[]);
    night.calls(&[DAYS_LATER]);
    night.run(&[]);
    night
}

fn run(night: &Night, args: &[&str]) -> Done {
    night.trunkrate(args)
}

fn suspense(night: &Night, more: &[&str]) -> Vec<String> {
    let rows = run(night, &[&["suspense", "--format", "json"], more].concat()).json();
    let id = |row: &Value| row["call_sid"].as_str().unwrap_or("-").to_owned();
    rows.as_array().expect("a list").iter().map(id).collect()
}

#[test]
fn filters() {
    let night = waiting();
    let cases: [(&[&str], &[&str]); 10] = [
        (&[], &["-", "CA2", "CA3", "CA4", "CA5", "CA5"]),
        (&["--reason", "no-rate"], &["CA3"]),
        (&["--reason", "no-rate", "--reason", "not-final"], &["CA3", "CA4"]),
        (&["--account", "AC2"], &["CA3", "CA4"]),
        (&["--source", "calls.csv"], &["-", "CA2", "CA3", "CA4", "CA5", "CA5"]),
        (&["--source", "other.csv"], &[]),
        (&["--older-than", "2"], &["-", "CA2", "CA3", "CA4", "CA5", "CA5"]),
        (&["--older-than", "3"], &[]),
        (&["--from", "2026-11-20T22:00:00Z"], &["CA3", "CA4"]),
        (&["--to", "2026-11-20T21:00:00Z", "--account", "AC1"], &["CA5", "CA5"]),
    ];
    for (args, expected) in cases {
        assert_eq!(suspense(&night, args), expected, "{args:?}");
    }
}

#[test]
fn counts_and_ages() {
    let night = waiting();
    let counts = run(&night, &["suspense", "--counts", "--format", "csv"]).ok();
    let expected = "reason,records,seconds,oldest_days\n\
                    malformed-record,1,0,3\n\
                    not-final,1,0,3\n\
                    conflicting-duplicate,2,121,3\n\
                    parent-missing,1,370,3\n\
                    no-rate,1,61,3\n";
    assert_eq!(counts, expected);
    insta::assert_snapshot!(run(&night, &["suspense", "--counts"]).ok(), @r"
    reason                 records  seconds  oldest days
    ────────────────────────────────────────────────────
    malformed-record             1        0            3
    not-final                    1        0            3
    conflicting-duplicate        2      121            3
    parent-missing               1      370            3
    no-rate                      1       61            3
    ");
}

#[test]
fn versions_side_by_side() {
    let night = waiting();
    insta::assert_snapshot!(run(&night, &["suspense", "show", "CA5"]).ok());
    let json = run(&night, &["suspense", "show", "CA5", "--format", "json"]).json();
    let duration = |at: usize| {
        (
            json["versions"][at]["version"].clone(),
            json["versions"][at]["fields"]["duration"].clone(),
        )
    };
    assert_eq!((duration(0), duration(1)), ((1.into(), "60".into()), (2.into(), "61".into())));
    assert_eq!(
        (&json["differing"], &json["booked"]),
        (&serde_json::json!(["duration"]), &Value::Null)
    );
}

/// Marked is what is meant otherwise: the same instant, number and seconds in another spelling are
/// not, nor is a field that one of them lacks.
#[test]
fn a_version_beside_the_booked_one() {
    let night = Night::with_plain_deck();
    night.calls(&[GOOD]);
    let run_id = night.run(&[])["run_id"].as_str().expect("a run").to_owned();
    night.calls(&["CA1,,AC1,,Trunking-Terminating,tel:+12025550101,+14155550103,\"Fri, 20 Nov 2026 21:15:00 +0000\",2026-11-20T21:21:00Z,300.0,completed"]);
    night.run(&[]);
    let shown = run(&night, &["suspense", "show", "CA1"]).ok();
    insta::assert_snapshot!(shown.replace(&run_id, "RUN"));
    let json = run(&night, &["suspense", "show", "CA1", "--format", "json"]).json();
    assert_eq!(json["differing"], serde_json::json!(["to"]));
    let booked = &json["booked"]["fields"];
    let names =
        ["from", "to", "start_time", "end_time", "duration", "status", "trunk_sid", "account_sid"];
    let expected = serde_json::json!([
        "+12025550101",
        "+14155550102",
        "2026-11-20T21:15:00Z",
        null,
        "300",
        "completed",
        "TK1",
        "AC1"
    ]);
    assert_eq!(serde_json::json!(names.map(|name| &booked[name])), expected);
    // Of a child the log shows the table's cell as its caller: B of the root here, which no record
    // says.
    let child = "CA2,CA1,AC1,TK1,,+15550001111,sip:+13035550103@acme.pstn.twilio.com,2026-11-20T21:20:00Z,,370,completed";
    night.calls(&[child]);
    night.run(&[]);
    night.calls(&[&child.replace(",370,", ",371,")]);
    night.run(&[]);
    let json = run(&night, &["suspense", "show", "CA2", "--format", "json"]).json();
    assert_eq!(json["differing"], serde_json::json!(["duration"]));
    assert_eq!(
        (&json["booked"]["fields"]["from"], &json["booked"]["fields"]["to"]),
        (&"+14155550102".into(), &"+13035550103".into())
    );
}

#[test]
fn a_record_without_an_id_is_named_by_its_source() {
    let night = waiting();
    let shown = run(&night, &["suspense", "show", "calls.csv:8"]).ok();
    assert!(shown.contains("malformed-record") && shown.contains("CA6"), "{shown}");
    run(&night, &["suspense", "close", "calls.csv:8", "--reason", "torn line"]).ok();
    assert_eq!(suspense(&night, &["--reason", "malformed-record"]), Vec::<String>::new());
    // The same text again is a copy of what was written off.
    night.calls(&[BROKEN]);
    let summary = night.run(&[]);
    assert_eq!((&summary["read"], &summary["duplicate"]), (&1.into(), &1.into()));
    run(&night, &["verify"]).ok();
}

/// Another export of a call that was written off lacks a field: it was booked, 0.90000 for nothing.
#[test]
fn what_is_closed_stays_closed_where_another_export_says_less() {
    let night = Night::with_plain_deck();
    let call = "CA1,,AC1,TK1,trunking-terminating,+12025550101,+850212345678,2026-11-20T10:00:00Z,2026-11-20T10:01:00Z,60,completed";
    night.calls(&[call]);
    assert_eq!(night.run(&[])["suspended_by_reason"]["no-rate"], 1);
    run(&night, &["suspense", "close", "CA1", "--reason", "fraud, not ours"]).ok();
    let plain = "US,United States,US,0.0100,,1,termination,,,,,,\nUS,United States,US in,0.0034,,1,origination,,,,,,\n";
    night.deck(&format!("{plain}KP,North Korea,KP,0.9000,,850,termination,,,,,,\n"));
    for less in [
        call.replace(",TK1,", ",,"),
        call.replace(",2026-11-20T10:01:00Z", ","),
        call.replace("+12025550101", ""),
    ] {
        night.calls(&[&less]);
        let summary = night.run(&[]);
        assert_eq!((&summary["duplicate"], &summary["legs"]), (&1.into(), &0.into()), "{less}");
    }
    // What says something else is another version, which nobody has written off. It is billed, and
    // that is said.
    night.calls(&[&call.replace(",60,", ",59,")]);
    let done = run(&night, &["run", "--cdrs", "calls.csv", "--rates", "rates", "--format", "json"]);
    let told = "1 call is billed of which another version was written off (CA1: 59 s)";
    assert!(done.stderr.contains(told), "{}", done.shown());
    assert_eq!(done.json()["amount"]["USD"], "0.90000");
    run(&night, &["verify"]).ok();
}

/// Written off: kept with the reason, counted, and it does not come back with the next export.
#[test]
fn what_is_closed_stays_closed() {
    let night = waiting();
    let said =
        run(&night, &["suspense", "close", "CA2", "CA3", "--reason", "agreed with the carrier"])
            .ok();
    assert!(said.contains(": 2 records written off\nhead "), "{said}");
    assert_eq!(suspense(&night, &[]), ["-", "CA4", "CA5", "CA5"]);
    run(&night, &["verify"]).ok();
    let list = run(&night, &["runs", "--format", "json"]).json();
    let last = &list[2];
    assert_eq!(
        (&last["kind"], &last["reason"]),
        (&"close".into(), &"agreed with the carrier".into())
    );
    assert_eq!(last["counts"]["closed"], serde_json::json!({"records": 2, "seconds": 431}));
    let account = &last["suspense"];
    let records = ["opening", "new", "taken_up", "closed", "closing"]
        .map(|entry| account[entry]["records"].as_u64());
    assert_eq!(records, [Some(6), Some(0), Some(0), Some(2), Some(4)]);

    night.calls(&[LOST_CHILD, NO_RATE]);
    let summary = night.run(&[]);
    assert_eq!((&summary["duplicate"], &summary["suspended"]), (&2.into(), &4.into()));
    let hint = run(&night, &["suspense", "show", "CA2"]);
    assert!(hint.code == 1 && hint.stderr.contains("agreed with the carrier"), "{}", hint.shown());
    // Another version is another record.
    night.calls(&[&NO_RATE.replace("+442071838750", "+14155550102")]);
    assert_eq!(night.run(&[])["rated"], 1);
    run(&night, &["verify"]).ok();
}

#[test]
fn a_chosen_version_is_booked_by_the_next_run() {
    for (take, amount) in [("1", "0.01000"), ("2", "0.02000")] {
        let night = waiting();
        run(&night, &["suspense", "resolve", "CA5", "--take", take]).ok();
        assert_eq!(suspense(&night, &["--reason", "conflicting-duplicate"]), ["CA5"]);
        let summary =
            run(&night, &["suspense", "retry", "--rates", "rates", "--format", "json"]).json();
        assert_eq!((&summary["rated"], &summary["amount"]["USD"]), (&1.into(), &amount.into()));
        // Both versions come again with the next export: copies, both of them.
        night.calls(&[ONE, TWO]);
        let summary = night.run(&[]);
        assert_eq!((&summary["duplicate"], &summary["suspended"]), (&2.into(), &4.into()));
        run(&night, &["verify"]).ok();
    }
}

/// A person chose one version; another one that comes later is not billed in its place without a
/// word.
#[test]
fn a_version_that_comes_after_the_choice_waits_beside_it() {
    let night = waiting();
    run(&night, &["suspense", "resolve", "CA5", "--take", "1"]).ok();
    night.calls(&[&ONE.replace(",60,", ",3600,")]);
    let summary = night.run(&[]);
    assert_eq!(
        (&summary["rated"], &summary["suspended_by_reason"]["conflicting-duplicate"]),
        (&0.into(), &2.into())
    );
    assert_eq!(suspense(&night, &["--reason", "conflicting-duplicate"]), ["CA5", "CA5"]);
    let none = run(&night, &["suspense", "close", "calls.csv:8/0", "--reason", "x"]);
    assert!(
        none.code == 1 && none.stderr.contains("no record of calls.csv:8/0 waits"),
        "{}",
        none.shown()
    );
    let shown = run(&night, &["suspense", "show", "CA5", "--format", "json"]).json();
    let lengths: Vec<&str> = shown["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v["fields"]["duration"].as_str().unwrap())
        .collect();
    let take = if lengths[0] == "60" { "1" } else { "2" };
    let said = run(&night, &["suspense", "resolve", "CA5", "--take", take]).ok();
    assert!(said.contains(&format!("version {take} stands (duration 60)")), "{said}");
    let summary =
        run(&night, &["suspense", "retry", "--rates", "rates", "--format", "json"]).json();
    assert_eq!(
        (&summary["rated"], &summary["amount"]["USD"]),
        (&1.into(), &"0.01000".into()),
        "60 s are a minute at 0.0100"
    );
    run(&night, &["verify"]).ok();
}

/// What was written off stays so when another export says a field more of it, or when a zone is
/// set: it is the same record.
#[test]
fn what_was_written_off_does_not_come_back_under_another_spelling() {
    let night = Night::with_plain_deck();
    let call = |end: &str, seconds: u32, trunk: &str| {
        format!(
            "CA1,,AC1,{trunk},trunking-terminating,+12025550101,+14155550102,2026-11-20T10:00:00Z,{end},{seconds},completed"
        )
    };
    night.calls(&[&call("", 60, ""), &call("", 3600, "")]);
    night.run(&[]);
    run(&night, &["suspense", "close", "CA1", "--reason", "not ours"]).ok();
    for (end, trunk) in [("2026-11-20T11:00:00Z", ""), ("", "TK1"), ("2026-11-20T11:00:00Z", "TK1")]
    {
        night.calls(&[&call(end, 3600, trunk)]);
        let summary = night.run(&["--no-transfers"]);
        assert_eq!(
            (&summary["duplicate"], &summary["rated"]),
            (&1.into(), &0.into()),
            "{end} {trunk}"
        );
    }
    // What says anything else is another version.
    night.calls(&[&call("2026-11-20T10:30:00Z", 1800, "TK1")]);
    assert_eq!(night.run(&[])["rated"], 1);
    run(&night, &["verify"]).ok();

    let zone = Night::with_plain_deck();
    zone.calls(&["CA77,,AC1,,trunking-terminating,+12025550101,+14155550102,2026-11-20 10:00:00,,3600,completed", GOOD]);
    assert_eq!(zone.run(&[])["suspended_by_reason"], serde_json::json!({"invalid-time": 1}));
    run(&zone, &["suspense", "close", "CA77", "--reason", "a test call"]).ok();
    zone.file("trunkrate.toml", "[input]\ntimezone = \"Europe/Berlin\"\n");
    let summary = zone.run(&[]);
    assert_eq!((&summary["duplicate"], &summary["rated"]), (&2.into(), &0.into()));
    run(&zone, &["verify"]).ok();
}

#[test]
fn retry_after_the_deck_was_mended() {
    let night = waiting();
    night.deck("US,United States,US,0.0100,,1,termination,,,,,,\nGB,United Kingdom,UK,0.0150,,44,termination,,,,,,\n");
    // A row of billed dates is gone with it: that is said first.
    let refused = run(&night, &["suspense", "retry", "--rates", "rates"]);
    assert!(
        refused.code == 1 && refused.stderr.contains("origination to 1: 0.0034 USD (60/60) → gone"),
        "{}",
        refused.stderr
    );
    let summary = run(
        &night,
        &["suspense", "retry", "--rates", "rates", "--accept-changes", "--format", "json"],
    )
    .json();
    let counts = ["read", "retried", "rated", "suspended"].map(|name| summary[name].as_u64());
    assert_eq!(counts, [Some(0), Some(6), Some(1), Some(5)]);
    assert_eq!(summary["amount"]["USD"], "0.03000", "61 s are two minutes at 0.0150");
    run(&night, &["verify"]).ok();
    let none = Night::with_plain_deck();
    none.calls(&[GOOD]);
    none.run(&[]);
    assert_eq!(run(&none, &["suspense", "retry", "--rates", "rates"]).ok(), "nothing waits\n");
    assert_eq!(
        run(&none, &["runs", "--format", "json"]).json().as_array().map(Vec::len),
        Some(1),
        "no empty run"
    );
}

/// What waits in one ledger is a call file for another.
#[test]
fn exported_records_are_a_call_file() {
    let night = waiting();
    let done = run(&night, &["suspense", "--export", "waiting.jsonl"]);
    assert!(
        done.code == 0 && done.stderr.contains("1 record is no record of fields"),
        "{}",
        done.shown()
    );
    let args = [
        "run",
        "--cdrs",
        "waiting.jsonl",
        "--rates",
        "rates",
        "--ledger",
        "other",
        "--format",
        "json",
    ];
    let summary = run(&night, &args).json();
    assert_eq!((&summary["read"], &summary["suspended"]), (&5.into(), &5.into()));
    let reasons = |ledger: &str| {
        let rows = run(&night, &["suspense", "--ledger", ledger, "--format", "json"]).json();
        let row =
            |row: &Value| (row["call_sid"].clone().to_string(), row["reason"].clone().to_string());
        let mut rows: Vec<_> = rows.as_array().expect("a list").iter().map(row).collect();
        rows.retain(|(_, reason)| reason != "\"malformed-record\"");
        rows.sort();
        rows
    };
    assert_eq!(reasons("other"), reasons("ledger"));
    // In its own ledger each is a copy of what waits already.
    let again =
        run(&night, &["run", "--cdrs", "waiting.jsonl", "--rates", "rates", "--format", "json"])
            .json();
    assert_eq!((&again["duplicate"], &again["suspended"]), (&5.into(), &6.into()));
    assert_eq!(
        run(&night, &["suspense", "--export", "-", "--reason", "not-final"]).ok().lines().count(),
        1
    );
}

#[test]
fn what_makes_no_sense_is_said_and_changes_nothing() {
    let night = waiting();
    night.calls(&[&GOOD.replace(",300,", ",301,")]);
    night.run(&[]);
    let before = run(&night, &["runs"]).ok();
    let cases: [(i32, &[&str], &str); 11] = [
        (1, &["suspense", "show", "CA99"], "no record of CA99 waits"),
        (1, &["suspense", "show", "CA7"], "was booked by run 000002-"),
        (1, &["suspense", "close", "CA99", "--reason", "x"], "no record of CA99 waits"),
        (2, &["suspense", "close", "CA2", "--reason", ""], "say why"),
        (2, &["suspense", "close", "CA2"], "--reason"),
        (1, &["suspense", "resolve", "CA2", "--take", "1"], "one version only"),
        (2, &["suspense", "resolve", "CA5", "--take", "3"], "expected 1 to 2"),
        (2, &["suspense", "resolve", "CA5", "--take", "0"], "expected 1 to 2"),
        (2, &["suspense", "resolve", "CA1", "--take", "1"], "--reason must say why"),
        (2, &["suspense", "retry"], "--rates"),
        (2, &["suspense", "--counts", "--export", "x"], "cannot be used with"),
    ];
    for (code, args, says) in cases {
        let done = run(&night, args);
        assert_eq!(done.code, code, "{args:?}: {}", done.shown());
        assert!(done.stderr.contains(says), "{args:?}: {}", done.stderr);
    }
    assert_eq!(run(&night, &["runs"]).ok(), before);
}

/// A record whose start has no offset dropped out of every list by time, though the project says
/// its zone.
#[test]
fn a_start_without_an_offset_is_of_the_zone() {
    let night = Night::with_plain_deck();
    night.file("trunkrate.toml", "[input]\ntimezone = \"Europe/Berlin\"\n");
    // Nothing prices it, so it waits; 00:30 in Berlin is 23:30 of the day before in UTC.
    night.calls(&[
        "W1,,AC1,,trunking-terminating,+12025550101,+9990001,2026-11-20 00:30:00,,60,completed",
    ]);
    night.run(&[]);
    let listed = |from: &str, to: &str| {
        let list = night
            .trunkrate(&["suspense", "--all", "--from", from, "--to", to, "--format", "json"])
            .json();
        let export = night
            .trunkrate(&["export", "suspense", "--from", from, "--to", to, "--format", "csv"])
            .ok();
        (list.as_array().expect("a list").len(), export.lines().count() - 1)
    };
    assert_eq!(listed("2026-11-19T23:00:00Z", "2026-11-20T00:00:00Z"), (1, 1));
    assert_eq!(listed("2026-11-20T00:00:00Z", "2026-11-20T02:00:00Z"), (0, 0));
}
