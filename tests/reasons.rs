//! Every reason for which a record waits, each by the smallest night that gives it; and their
//! order.
//!
//! Each test names its reason as a literal and says that nothing was booked for the record. The
//! snapshots show what a person sees of it: the words, the source and the record as it came.

use crate::billing_table::exported;
use crate::support::{DECK_HEADER, Night};
use serde_json::Value;
use std::collections::BTreeSet;
use trunkrate::reject::Reason;

const HEADER: &str = "sid,parent_call_sid,account_sid,trunk_sid,direction,from,to,start_time,end_time,duration,status";

/// A call that is rated.
const ROOT: &str = "CA1,,AC1,TK1,trunking-terminating,+12025550101,+14155550102,2026-11-20T21:15:00Z,,300,completed";
/// A child of it that is rated.
const CHILD: &str = "CA2,CA1,AC1,TK1,,,+13035550103,2026-11-20T21:20:00Z,,370,completed";

/// A night of some rows under [`HEADER`] and the plain deck.
fn night(rows: &[&str]) -> Night {
    let night = Night::with_plain_deck();
    night.file("calls.csv", format!("{HEADER}\n{}\n", rows.join("\n")));
    night
}

/// A trunk list of one trunk.
fn trunk_list(sid: &str, mode: &str) -> String {
    format!(
        r#"{{"trunks":[{{"sid":"{sid}","domain_name":"mytrunk.pstn.twilio.com","transfer_mode":"{mode}"}}]}}"#
    )
}

/// Runs a night in which some records get this reason and all others are booked; `booked` are those
/// others.
fn check(reason: &str, night: &Night, more: &[&str], booked: &[&str]) {
    let summary = night.run(more);
    let waiting = night.trunkrate(&["suspense", "--format", "json"]).json();
    let waiting = waiting.as_array().expect("a list");
    assert!(
        !waiting.is_empty() && waiting.iter().all(|row| row["reason"] == reason),
        "expected {reason}, found {waiting:#?}"
    );
    assert_eq!(summary["suspended_by_reason"], serde_json::json!({ reason: waiting.len() }));
    let sids = |what| {
        exported(night, what)
            .iter()
            .map(|row| row["call_sid"].to_string().replace('"', ""))
            .collect::<BTreeSet<_>>()
    };
    let booked: BTreeSet<String> = booked.iter().map(ToString::to_string).collect();
    assert_eq!(sids("calls"), booked, "nothing is in the log for a record in suspense");
    assert_eq!(sids("legs"), booked, "nothing is booked for a record in suspense");
    let place = Reason::parse(reason).expect("a reason of the contract") as usize;
    insta::with_settings!({ snapshot_path => "snapshots/reasons", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(format!("{place:02}_{reason}"), shown(waiting));
    });
}

/// What waits, without what every record has.
fn shown(waiting: &[Value]) -> String {
    let fields = ["reason", "detail", "source_file", "source_line", "record"];
    let row = |row: &Value| fields.map(|field| format!("{field}: {}\n", row[field])).concat();
    waiting.iter().map(row).collect::<Vec<_>>().join("\n")
}

#[test]
fn malformed_record() {
    // One column more than the header has.
    check("malformed-record", &night(&[&format!("{ROOT},more")]), &[], &[]);
}

#[test]
fn missing_field() {
    check("missing-field", &night(&[&ROOT.replace("AC1", "")]), &[], &[]);
}

#[test]
fn unknown_direction() {
    check(
        "unknown-direction",
        &night(&[&ROOT.replace("trunking-terminating", "outbound")]),
        &[],
        &[],
    );
}

#[test]
fn ambiguous_target() {
    let to = "sip:+13035550103@public-vip.ie1.twilio.com";
    check("ambiguous-target", &night(&[ROOT, &CHILD.replace("+13035550103", to)]), &[], &["CA1"]);
}

#[test]
fn unlisted_account() {
    let night = night(&[ROOT]);
    night.file("accounts.csv", "account_sid,name,deck\nAC9,Other,\n");
    night.file("suspend.toml", "[policy]\nunlisted_accounts = \"suspend\"\n");
    check(
        "unlisted-account",
        &night,
        &["--accounts", "accounts.csv", "--config", "suspend.toml"],
        &[],
    );
}

#[test]
fn invalid_time() {
    // No offset, and no input.timezone.
    check("invalid-time", &night(&[&ROOT.replace("21:15:00Z", "21:15:00")]), &[], &[]);
}

#[test]
fn invalid_duration() {
    check("invalid-duration", &night(&[&ROOT.replace(",300,", ",-300,")]), &[], &[]);
}

#[test]
fn not_final() {
    check("not-final", &night(&[&ROOT.replace("completed", "in-progress")]), &[], &[]);
}

#[test]
fn conflicting_duplicate() {
    check("conflicting-duplicate", &night(&[ROOT, &ROOT.replace(",300,", ",301,")]), &[], &[]);
}

#[test]
fn invalid_number() {
    check("invalid-number", &night(&[&ROOT.replace("+14155550102", "anonymous")]), &[], &[]);
}

#[test]
fn parent_missing() {
    check("parent-missing", &night(&[CHILD]), &[], &[]);
}

#[test]
fn parent_never_arrived() {
    // A call that starts 7 days and 1 second after the child.
    let newer = ROOT.replace("CA1", "CA3").replace("2026-11-20T21:15:00Z", "2026-11-27T21:20:01Z");
    check("parent-never-arrived", &night(&[CHILD, &newer]), &[], &["CA3"]);
}

#[test]
fn parent_cycle() {
    let other = CHILD.replace("CA2,CA1", "CA1,CA2");
    check("parent-cycle", &night(&[&other, CHILD]), &[], &[]);
}

#[test]
fn parent_suspended() {
    // The parent waits for a reason of its own, so there are two of them; shown is the child.
    let night = night(&[&ROOT.replace("completed", "in-progress"), CHILD]);
    let summary = night.run(&[]);
    assert_eq!(
        summary["suspended_by_reason"],
        serde_json::json!({ "not-final": 1, "parent-suspended": 1 })
    );
    assert!(exported(&night, "calls").is_empty() && exported(&night, "legs").is_empty());
    let waiting =
        night.trunkrate(&["suspense", "--reason", "parent-suspended", "--format", "json"]).json();
    let waiting = waiting.as_array().expect("a list");
    assert_eq!((waiting.len(), &waiting[0]["call_sid"]), (1, &Value::from("CA2")));
    insta::with_settings!({ snapshot_path => "snapshots/reasons", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("12_parent-suspended", shown(waiting));
    });
}

#[test]
fn parent_account_mismatch() {
    check("parent-account-mismatch", &night(&[ROOT, &CHILD.replace("AC1", "AC2")]), &[], &["CA1"]);
}

#[test]
fn child_before_parent() {
    // 61 s before the parent.
    check(
        "child-before-parent",
        &night(&[ROOT, &CHILD.replace("21:20:00", "21:13:59")]),
        &[],
        &["CA1"],
    );
}

#[test]
fn chained_transfer() {
    let grandchild = CHILD.replace("CA2,CA1", "CA3,CA2");
    check("chained-transfer", &night(&[ROOT, CHILD, &grandchild]), &[], &["CA1", "CA2"]);
}

#[test]
fn invalid_target() {
    // At the trunk's own domain, but no number.
    let child = CHILD.replace("+13035550103", "sip:agent@mytrunk.pstn.twilio.com");
    check("invalid-target", &night(&[ROOT, &child]), &[], &["CA1"]);
}

#[test]
fn emergency_target() {
    let child = CHILD.replace("+13035550103", "sip:9%311@mytrunk.pstn.twilio.com");
    check("emergency-target", &night(&[ROOT, &child]), &[], &["CA1"]);
}

#[test]
fn unknown_trunk() {
    let night = night(&[ROOT, CHILD]);
    night.file("trunks.json", trunk_list("TK9", "enable-all"));
    check("unknown-trunk", &night, &["--trunks", "trunks.json"], &["CA1"]);
}

#[test]
fn transfer_disabled() {
    let night = night(&[ROOT, &CHILD.replace("+13035550103", "sip:agent@pbx.example.com")]);
    night.file("trunks.json", trunk_list("TK1", "disable-all"));
    check("transfer-disabled", &night, &["--trunks", "trunks.json"], &["CA1"]);
}

#[test]
fn pstn_transfer_disabled() {
    let night = night(&[ROOT, CHILD]);
    night.file("trunks.json", trunk_list("TK1", "sip-only"));
    check("pstn-transfer-disabled", &night, &["--trunks", "trunks.json"], &["CA1"]);
}

#[test]
fn no_rate() {
    // One of the child's two legs has a rate; neither is booked.
    check("no-rate", &night(&[ROOT, &CHILD.replace("+13035550103", "+4930123456")]), &[], &["CA1"]);
}

#[test]
fn every_reason_has_its_snapshot_and_there_is_no_stray_one() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots/reasons");
    let mut found: Vec<String> = std::fs::read_dir(folder)
        .expect("the snapshots are there")
        .map(|entry| entry.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "snap"))
        .map(|path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned())
        .collect();
    found.sort();
    let expected = Reason::ALL.map(|reason| format!("{:02}_{reason}", reason as usize));
    assert_eq!(found, expected);
}

#[test]
fn limits_are_where_the_contract_puts_them() {
    // What stands just within a limit, and just beyond it.
    let newer = |start: &str| ROOT.replace("CA1", "CA3").replace("2026-11-20T21:15:00Z", start);
    let table: [(&[&str], &str); 8] = [
        (&[CHILD, &newer("2026-11-27T21:20:00Z")], "parent-missing"),
        (&[CHILD, &newer("2026-11-27T21:20:01Z")], "parent-never-arrived"),
        (&[ROOT, &CHILD.replace("21:20:00", "21:14:00")], ""),
        (&[ROOT, &CHILD.replace("21:20:00", "21:13:59")], "child-before-parent"),
        (&[&ROOT.replace(",,300,", ",2026-11-20T21:19:59Z,300,")], ""),
        (&[&ROOT.replace(",,300,", ",2026-11-20T21:19:58Z,300,")], "invalid-duration"),
        (&[&ROOT.replace(",300,", ",86400,")], ""),
        (&[&ROOT.replace(",300,", ",86401,")], "invalid-duration"),
    ];
    for (rows, reason) in table {
        let summary = night(rows).run(&[]);
        let reasons = summary["suspended_by_reason"].as_object().expect("an object");
        let expected: Vec<&str> = if reason.is_empty() { vec![] } else { vec![reason] };
        assert_eq!(reasons.keys().collect::<Vec<_>>(), expected, "{rows:?}");
    }
}

/// Of a list of wrong things, those that are not mended yet: `wrong` up to and with its own step,
/// then `right`.
struct Step(usize);

impl Step {
    fn mended<T>(&self, at: usize, wrong: T, right: T) -> T {
        if self.0 > at { right } else { wrong }
    }
}

/// Rates one step of a walk; the reasons of the record `sid` (of all without an id, if that is
/// lost).
fn reasons_of(sid: &str, rows: &[String], prefix: &str, trunks: Option<&str>) -> Vec<String> {
    let night = Night::new();
    night.file("rates/deck.toml", "name = \"test\"\ncurrency = \"USD\"\n");
    night.file(
        "rates/prices.csv",
        format!("{DECK_HEADER}\nUS,United States,US,0.0100,,{prefix},,,,,,,\n"),
    );
    night.file("calls.csv", format!("{HEADER}\n{}\n", rows.join("\n")));
    match trunks {
        Some(trunks) => {
            night.file("trunks.json", trunks);
            night.run(&["--trunks", "trunks.json"]);
        }
        None => {
            night.run(&[]);
        }
    }
    let waiting = night.trunkrate(&["suspense", "--format", "json"]).json();
    let waiting = waiting.as_array().expect("a list").iter();
    let own = waiting.filter(|row| row["call_sid"] == sid || row["call_sid"].is_null());
    own.map(|row| row["reason"].as_str().expect("a reason").to_owned()).collect()
}

#[test]
fn the_first_reason_that_holds_is_given_to_a_root() {
    let reasons = [
        "malformed-record",
        "missing-field",
        "invalid-time",
        "invalid-duration",
        "not-final",
        "conflicting-duplicate",
        "invalid-number",
        "no-rate",
    ];
    for step in 0..=reasons.len() {
        let s = Step(step);
        let version = |from: &str| {
            format!(
                "CA1,,{},TK1,trunking-terminating,{from},{},{},,{},{}{}",
                s.mended(1, "", "AC1"),
                s.mended(6, "anonymous", s.mended(7, "+4930123456", "+14155550102")),
                s.mended(2, "yesterday", "2026-11-20T21:15:00Z"),
                s.mended(3, "-300", "300"),
                s.mended(4, "ringing", "completed"),
                s.mended(0, ",more", ""),
            )
        };
        let mut rows = vec![version("+12025550101")];
        if step <= 5 {
            rows.push(version("+12025550199"));
        }
        let found = reasons_of("CA1", &rows, "1", None);
        let expected =
            reasons.get(step).map_or(vec![], |reason| vec![reason.to_string(); rows.len()]);
        assert_eq!(found, expected, "step {step}: {rows:#?}");
    }
}

#[test]
fn the_first_reason_that_holds_is_given_to_a_child() {
    let reasons = [
        "malformed-record",
        "missing-field",
        "invalid-time",
        "invalid-duration",
        "not-final",
        "conflicting-duplicate",
        "parent-missing",
        "parent-cycle",
        "parent-suspended",
        "parent-account-mismatch",
        "child-before-parent",
        "chained-transfer",
        "invalid-target",
        "emergency-target",
        "unknown-trunk",
        "transfer-disabled",
        "pstn-transfer-disabled",
        "no-rate",
    ];
    for step in 0..=reasons.len() {
        let s = Step(step);
        // Nowhere; its own child; a child of CA5 that has a listed trunk; at last a root.
        let parent = s.mended(6, "CA9", s.mended(7, "CA3", s.mended(11, "CA4", "CA6")));
        let version = |from: &str| {
            format!(
                "CA2,{parent},{},TK1,,{from},{},{},,{},{}{}",
                s.mended(1, "", s.mended(9, "AC1", "AC2")),
                s.mended(12, "nobody", s.mended(13, "tel:911", "+13035550103")),
                s.mended(
                    2,
                    "yesterday",
                    s.mended(10, "2026-11-20T18:00:00Z", "2026-11-20T21:20:00Z")
                ),
                s.mended(3, "-300", "300"),
                s.mended(4, "ringing", "completed"),
                s.mended(0, ",more", ""),
            )
        };
        let mut rows = vec![version("+12025550101")];
        if step <= 5 {
            rows.push(version("+12025550199"));
        }
        let copies = rows.len();
        rows.push("CA3,CA2,AC2,TK1,,,+13035550103,2026-11-20T21:20:00Z,,300,completed".to_owned());
        let status = s.mended(8, "ringing", "completed");
        rows.push(format!(
            "CA4,CA5,AC2,TK5,,,sip:agent@pbx.example.com,2026-11-20T21:15:00Z,,300,{status}"
        ));
        for (root, trunk) in [("CA5", "TK5"), ("CA6", "TK1")] {
            let start = "2026-11-20T21:15:00Z";
            rows.push(format!("{root},,AC2,{trunk},trunking-terminating,+12025550101,+14155550102,{start},,300,completed"));
        }
        let mode = s.mended(15, "disable-all", s.mended(16, "sip-only", "enable-all"));
        let sid = s.mended(14, "TK9", "TK1");
        let trunks = format!(
            r#"{{"trunks":[{{"sid":"{sid}","domain_name":"mytrunk.pstn.twilio.com","transfer_mode":"{mode}"}},{{"sid":"TK5","transfer_mode":"enable-all"}}]}}"#
        );
        let found = reasons_of("CA2", &rows, s.mended(17, "1415", "1"), Some(&trunks));
        let expected = reasons.get(step).map_or(vec![], |reason| vec![reason.to_string(); copies]);
        assert_eq!(found, expected, "step {step}: {rows:#?}");
    }
}

#[test]
fn another_direction_is_ignored_before_anything_else_is_looked_at() {
    // Everything that a readable root can have wrong, and children of such roots.
    let rows = [
        "CA1,,,,inbound,,anonymous,yesterday,,-300,ringing",
        "CA2,CA1,,,,,nobody,yesterday,,-300,ringing",
        "CA3,CA2,AC1,,trunking-terminating,,+14155550102,2026-11-20T21:20:00Z,,10,completed",
    ];
    let summary = night(&rows).run(&[]);
    assert_eq!(
        (&summary["ignored"], &summary["suspended"]),
        (&Value::from(3), &Value::from(0)),
        "{summary}"
    );
}

#[test]
fn a_reason_holds_even_where_nothing_would_be_billed_but_for_no_rate() {
    let free = ROOT.replace("300,completed", ",busy");
    let table = [
        (vec![free.replace("+14155550102", "anonymous")], Some("invalid-number")),
        (
            vec![
                ROOT.to_owned(),
                CHILD.replace("+13035550103", "nobody").replace("370,completed", ",busy"),
            ],
            Some("invalid-target"),
        ),
        (vec![free.replace("+14155550102", "+4930123456")], None),
        (vec![free, CHILD.to_owned()], None),
    ];
    for (rows, reason) in table {
        let summary = night(&rows.iter().map(String::as_str).collect::<Vec<_>>()).run(&[]);
        match reason {
            Some(reason) => assert_eq!(
                summary["suspended_by_reason"],
                serde_json::json!({ reason: 1 }),
                "{rows:?}"
            ),
            None => assert_eq!(
                (&summary["suspended"], &summary["free"]),
                (&Value::from(0), &Value::from(1)),
                "{rows:?}"
            ),
        }
    }
}
