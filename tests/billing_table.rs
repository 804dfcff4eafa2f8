//! The published table, row by row, against amounts that were computed by hand.
//!
//! A snapshot says what the code did, not what is owed: so each row also asserts its total as a
//! literal, whose arithmetic stands in `fixtures/table/*/README.md` or in a comment beside it.

use crate::support::Night;
use serde_json::Value;
use std::fmt::Write;
use std::path::PathBuf;
use trunkrate::table::BILLING_TABLE;

/// A row of the table and what its fixture costs.
struct Row {
    fixture: &'static str,
    scenario: &'static str,
    /// Parent 300 s and child 370 s together, in USD.
    total: &'static str,
}

const T01: Row =
    Row { fixture: "T01_termination_to_sip", scenario: "termination-to-sip", total: "0.12000" };
const T02: Row =
    Row { fixture: "T02_termination_to_pstn", scenario: "termination-to-pstn", total: "0.19000" };
const T03: Row =
    Row { fixture: "T03_origination_to_sip", scenario: "origination-to-sip", total: "0.04080" };
const T04: Row =
    Row { fixture: "T04_origination_to_pstn", scenario: "origination-to-pstn", total: "0.11080" };
const ROWS: [&Row; 4] = [&T01, &T02, &T03, &T04];

const A: &str = "+12025550101";
const B: &str = "+14155550102";
const SIP: &str = "sip:agent@pbx.example.com";
const PSTN: &str = "+13035550103";

#[test]
fn t01_termination_to_sip() {
    check(&T01);
}

#[test]
fn t02_termination_to_pstn() {
    check(&T02);
}

#[test]
fn t03_origination_to_sip() {
    check(&T03);
}

#[test]
fn t04_origination_to_pstn() {
    check(&T04);
}

/// Rates the row's fixture, holds its workings against the snapshot and its total against the
/// hand-computed one.
fn check(row: &Row) {
    let night = Night::with_plain_deck();
    night.file(
        "calls.csv",
        std::fs::read(fixtures().join(row.fixture).join("calls.csv"))
            .expect("the fixture is there"),
    );
    let summary = night.run(&[]);
    assert_eq!(summary["amount"]["USD"], row.total, "by hand, see the fixture's README");
    let (calls, legs) = (exported(&night, "calls"), exported(&night, "legs"));
    assert_eq!(calls[1]["scenario"], row.scenario);
    insta::with_settings!({ snapshot_path => "snapshots/table", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(row.fixture, workings(row, &calls, &legs, &summary));
    });
}

/// Family, scenario, and for parent and child the legs billed and the line in the log.
fn workings(row: &Row, calls: &[Value], legs: &[Value], summary: &Value) -> String {
    let mut text = format!("scenario  {}\n", row.scenario);
    for call in calls {
        let parent = call["parent_call_sid"]
            .as_str()
            .map_or(String::new(), |sid| format!(", child of {sid}"));
        let _ = writeln!(
            text,
            "\n{:<8}  {}{parent}, {} s",
            str(&call["role"]),
            str(&call["call_sid"]),
            call["duration_seconds"]
        );
        for leg in legs.iter().filter(|leg| leg["call_sid"] == call["call_sid"]) {
            let cell = format!(
                "{}({}→{})",
                title(str(&leg["service"])),
                letter(&leg["leg_from"]),
                letter(&leg["leg_to"])
            );
            let _ = writeln!(
                text,
                "  bills   {cell}: {} s × {} a minute, by {} from {} = {} {}",
                leg["billed_seconds"],
                str(&leg["price_per_minute"]),
                str(&leg["rated_number"]),
                leg["origin_number"].as_str().unwrap_or("an unknown origin"),
                str(&leg["amount"]),
                str(&leg["currency"]),
            );
        }
        let _ = writeln!(
            text,
            "  log     {}→{}: {} → {}, shown as {}, {} {}",
            letter(&call["from"]),
            letter(&call["to"]),
            str(&call["from"]),
            str(&call["to"]),
            str(&call["caller_id"]),
            str(&call["amount"]),
            str(&call["currency"]),
        );
    }
    let _ = writeln!(
        text,
        "\ntotal     {} legs, {} USD",
        summary["legs"],
        str(&summary["amount"]["USD"])
    );
    text
}

fn letter(party: &Value) -> char {
    match str(party) {
        A => 'A',
        B => 'B',
        SIP | PSTN => 'C',
        other => panic!("{other} is no party of the fixture"),
    }
}

fn title(service: &str) -> &'static str {
    match service {
        "termination" => "Termination",
        "origination" => "Origination",
        other => panic!("{other} is no service"),
    }
}

#[test]
fn every_row_has_a_fixture_and_there_is_no_stray_one() {
    let mut found: Vec<String> = std::fs::read_dir(fixtures())
        .expect("fixtures/table is there")
        .map(|entry| entry.expect("a folder").file_name().to_string_lossy().into_owned())
        .collect();
    found.sort();
    let expected: Vec<String> = (1..)
        .zip(&BILLING_TABLE)
        .map(|(number, row)| format!("T{number:02}_{}", row.id.replace('-', "_")))
        .collect();
    assert_eq!(found, expected);
    assert_eq!(ROWS.map(|row| row.fixture).to_vec(), expected, "every row has its test");
    assert_eq!(ROWS.map(|row| row.scenario).to_vec(), BILLING_TABLE.map(|row| row.id).to_vec());
    for folder in found {
        for file in ["calls.csv", "README.md"] {
            assert!(fixtures().join(&folder).join(file).is_file(), "{folder}/{file}");
        }
    }
}

/// A transfer under the plain deck: the parent from 21:15:00 to 21:20:00, 300 s.
fn transfer(scenario: &str, child: &str) -> [String; 2] {
    let (direction, target) = sides(scenario);
    [
        format!(
            "CA1,,AC1,TK1,{direction},{A},{B},2026-11-20T21:15:00Z,2026-11-20T21:20:00Z,300,completed"
        ),
        format!("CA2,CA1,AC1,TK1,{direction},{B},{target},{child}"),
    ]
}

fn sides(scenario: &str) -> (&'static str, &'static str) {
    let direction = if scenario.starts_with("termination") {
        "trunking-terminating"
    } else {
        "trunking-originating"
    };
    (direction, if scenario.ends_with("sip") { SIP } else { PSTN })
}

/// The child's fields from `start_time` on, by the name of the case.
const CHILDREN: [(&str, &str); 7] = [
    ("0 s", "2026-11-20T21:20:00Z,2026-11-20T21:20:00Z,0,completed"),
    ("1 s", "2026-11-20T21:20:00Z,2026-11-20T21:20:01Z,1,completed"),
    ("59 s", "2026-11-20T21:20:00Z,2026-11-20T21:20:59Z,59,completed"),
    ("60 s", "2026-11-20T21:20:00Z,2026-11-20T21:21:00Z,60,completed"),
    ("61 s", "2026-11-20T21:20:00Z,2026-11-20T21:21:01Z,61,completed"),
    ("unanswered", "2026-11-20T21:20:00Z,,,busy"),
    // Starts while the parent still goes on, ends 11 minutes after it.
    ("outlives", "2026-11-20T21:16:00Z,2026-11-20T21:31:00Z,900,completed"),
];

/// Per scenario: what the parent costs, and what the child of each of [`CHILDREN`] does.
///
/// Billed minutes of the child: 0 s and unanswered nothing, 1, 59 and 60 s one, 61 s two, 900 s
/// fifteen.
#[rustfmt::skip]
const GRID: [(&str, &str, [&str; 7]); 4] = [
    // Parent 5 × 0.0100. Child m × 0.0100: 1 → 0.0100, 2 → 0.0200, 15 → 0.1500.
    ("termination-to-sip",  "0.05000", ["0.00000", "0.01000", "0.01000", "0.01000", "0.02000", "0.00000", "0.15000"]),
    // Parent 5 × 0.0100. Child m × (0.0100 + 0.0100): 1 → 0.0200, 2 → 0.0400, 15 → 0.3000.
    ("termination-to-pstn", "0.05000", ["0.00000", "0.02000", "0.02000", "0.02000", "0.04000", "0.00000", "0.30000"]),
    // Parent 5 × 0.0034. Child m × 0.0034: 1 → 0.0034, 2 → 0.0068, 15 → 0.0510.
    ("origination-to-sip",  "0.01700", ["0.00000", "0.00340", "0.00340", "0.00340", "0.00680", "0.00000", "0.05100"]),
    // Parent 5 × 0.0034. Child m × (0.0034 + 0.0100): 1 → 0.0134, 2 → 0.0268, 15 → 0.2010.
    ("origination-to-pstn", "0.01700", ["0.00000", "0.01340", "0.01340", "0.01340", "0.02680", "0.00000", "0.20100"]),
];

#[test]
fn every_row_at_every_duration() {
    let mut grid = String::new();
    for (scenario, parent_amount, child_amounts) in GRID {
        let _ = writeln!(grid, "{scenario}");
        for ((case, child), expected) in CHILDREN.into_iter().zip(child_amounts) {
            let (calls, legs) = rated(&transfer(scenario, child));
            let [parent, child] = [by_sid(&calls, "CA1"), by_sid(&calls, "CA2")];
            assert_eq!(parent["amount"], parent_amount, "{scenario}, {case}: the parent");
            assert_eq!(child["amount"], expected, "{scenario}, {case}: the child");
            assert_eq!(child["scenario"], scenario, "{case}");
            let class = if expected == "0.00000" { "free" } else { "rated" };
            assert_eq!(child["class"], class, "{scenario}, {case}");
            let legs: Vec<String> =
                legs.iter().filter(|leg| leg["call_sid"] == "CA2").map(shown_leg).collect();
            let line = format!(
                "  {case:<10}  {class:<5}  {}  {}",
                str(&child["amount"]),
                legs.join("  +  ")
            );
            let _ = writeln!(grid, "{}", line.trim_end());
        }
    }
    insta::with_settings!({ snapshot_path => "snapshots/table", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("every_row_at_every_duration", grid);
    });
}

fn shown_leg(leg: &Value) -> String {
    format!(
        "{} {} s × {}",
        str(&leg["service"]),
        leg["billed_seconds"],
        str(&leg["price_per_minute"])
    )
}

#[test]
fn a_call_that_is_not_transferred_bills_its_parent_cell() {
    for (scenario, amount) in [("termination-to-sip", "0.05000"), ("origination-to-sip", "0.01700")]
    {
        let [parent, _] = transfer(scenario, "");
        let (calls, legs) = rated(&[parent]);
        assert_eq!((calls.len(), legs.len()), (1, 1));
        assert_eq!(calls[0]["amount"], amount);
        assert_eq!(calls[0]["scenario"], scenario.split('-').next().expect("a direction"));
    }
}

#[test]
fn the_caller_id_is_the_transferees_or_the_transferors() {
    // The trunk's side transfers: A in a termination, B in an origination. The other one is
    // transferred.
    let table = [
        ("termination-to-sip", "from-transferee", B),
        ("termination-to-sip", "from-transferor", A),
        ("termination-to-pstn", "from-transferee", B),
        ("termination-to-pstn", "from-transferor", A),
        ("origination-to-sip", "from-transferee", A),
        ("origination-to-sip", "from-transferor", B),
        ("origination-to-pstn", "from-transferee", A),
        ("origination-to-pstn", "from-transferor", B),
    ];
    for (scenario, setting, expected) in table {
        let trunks = format!(
            r#"{{"trunks":[{{"sid":"TK1","domain_name":"mytrunk.pstn.twilio.com","transfer_mode":"enable-all","transfer_caller_id":"{setting}"}}]}}"#
        );
        let night = Night::with_plain_deck();
        night.file("trunks.json", trunks);
        let rows = transfer(scenario, CHILDREN[3].1);
        night.calls(&rows.each_ref().map(String::as_str));
        night.run(&["--trunks", "trunks.json"]);
        let calls = exported(&night, "calls");
        let child = by_sid(&calls, "CA2");
        assert_eq!(child["caller_id"], expected, "{scenario}, {setting}");
        assert_eq!(by_sid(&calls, "CA1")["caller_id"], A, "a root shows its own caller");
        // The log's cells are the table's, whatever the setting.
        let (_, target) = sides(scenario);
        let log_from = if scenario.starts_with("termination") { B } else { A };
        assert_eq!(
            (str(&child["from"]), str(&child["to"])),
            (log_from, target),
            "{scenario}, {setting}"
        );
    }
}

/// Rates rows with a deck of one row for `+1` and more; the legs.
fn legs_with(deck: &str, rows: &[String]) -> Vec<Value> {
    let night = Night::new();
    night.deck(deck);
    night.calls(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    night.run(&[]);
    exported(&night, "legs")
}

fn root(to: &str, seconds: u32) -> String {
    format!(
        "CA1,,AC1,TK1,trunking-terminating,+13035550103,{to},2026-11-20T21:15:00Z,,{seconds},completed"
    )
}

#[test]
fn increments_bill_the_first_once_and_then_whole_ones() {
    // 91 s under 90/60: 90 + 60. 31 s under 30/18: 30 + 18.
    for (initial, increment, seconds, billed) in
        [(90, 60, 91, 150), (90, 60, 90, 90), (30, 18, 31, 48), (30, 18, 30, 30)]
    {
        let legs = legs_with(
            &format!("US,United States,US,0.0100,,1,,{initial},{increment},,,,\n"),
            &[root(B, seconds)],
        );
        assert_eq!(legs[0]["billed_seconds"], billed, "{initial}/{increment} at {seconds} s");
    }
}

#[test]
fn minimum_and_fee_are_rounded_once_with_the_rest() {
    // 7 s count as 10: 0.033335 × 10 / 60 = 0.00555583…; + 0.000015 = 0.00557083…; once to 5
    // decimals: 0.00557. (Rounded in parts it would be 0.00556 + 0.00002 = 0.00558.)
    let legs = legs_with("US,United States,US,0.033335,,1,,1,1,10,0.000015,,\n", &[root(B, 7)]);
    assert_eq!(legs[0]["billed_seconds"], 10);
    assert_eq!(legs[0]["amount"], "0.00557");
}

#[test]
fn a_row_that_the_origin_may_not_use_is_out_before_the_longest_is_taken() {
    let deck = "BE,Belgium,Belgium,0.1375,,32,,,,,,,\nBE,Belgium,Belgium Mobile from EEA,0.0387,\"32, 33, 49\",32455,,,,,,,\n";
    let legs = legs_with(deck, &[root("+32455123456", 60)]);
    assert_eq!(legs[0]["destination_prefix"], "32", "+1303 is not in the origin list of 32455");
    assert_eq!(legs[0]["amount"], "0.13750");
    let european = root("+32455123456", 60).replace("+13035550103", "+4930123456");
    let legs = legs_with(deck, &[european]);
    assert_eq!(
        (str(&legs[0]["destination_prefix"]), str(&legs[0]["origin_prefix"])),
        ("32455", "49")
    );
}

#[test]
fn india_is_no_emergency() {
    let deck = "IN,India,India,0.0405,,91,,,,,,,\nUS,United States,US,0.0100,,1,,,,,,,\nUS,United States,Emergency call,0.0750,,emergency,,,,,,,\n";
    let legs = legs_with(deck, &[root("+911123456789", 60)]);
    assert_eq!(
        (str(&legs[0]["description"]), str(&legs[0]["rated_number"])),
        ("India", "+911123456789")
    );
    let [parent, child] = transfer("termination-to-pstn", CHILDREN[3].1)
        .map(|row| row.replace(PSTN, "tel:+911123456789"));
    let legs = legs_with(deck, &[parent, child]);
    assert_eq!(
        (str(&legs[2]["description"]), str(&legs[2]["scenario"])),
        ("India", "termination-to-pstn")
    );
}

#[test]
fn the_target_is_decided_by_its_host_and_not_by_its_looks() {
    // Refer-To of a child, what it is, and where the child ends.
    let table = [
        ("sip:+14155550100@pbx.example.com", "sip", "termination-to-sip"),
        ("sip:+14155550100@mytrunk.pstn.twilio.com.evil.example", "sip", "termination-to-sip"),
        ("sip:9%311@mytrunk.pstn.twilio.com", "emergency-target", "emergency-target"),
        ("tel:+911123456789", "pstn", "no-rate"),
        ("sip:+14155550100@mytrunk.pstn.twilio.com", "pstn", "termination-to-pstn"),
    ];
    for (refer_to, kind, end) in table {
        let night = Night::with_plain_deck();
        let domain = "mytrunk.pstn.twilio.com";
        let said =
            night.trunkrate(&["classify", "--domain", domain, "--format", "json", refer_to]).json();
        assert_eq!(said[0]["kind"], kind, "{refer_to}");
        let [parent, child] = transfer("termination-to-sip", CHILDREN[3].1);
        let child = format!("{child},,,{refer_to}");
        night.calls(&[&parent, &child]);
        let summary = night.run(&[]);
        match exported(&night, "calls").iter().find(|call| call["call_sid"] == "CA2") {
            Some(call) => assert_eq!(call["scenario"], end, "{refer_to}"),
            None => assert_eq!(summary["suspended_by_reason"][end], 1, "{refer_to}"),
        }
    }
}

/// The usage has the options after the values.
#[test]
fn classify_takes_options_after_the_values_as_its_usage_says() {
    let night = Night::new();
    let said = night
        .trunkrate(&[
            "classify",
            "tel:+13035550103",
            "--domain",
            "mytrunk.pstn.twilio.com",
            "--format",
            "json",
        ])
        .json();
    assert_eq!((said.as_array().map(Vec::len), &said[0]["kind"]), (Some(1), &Value::from("pstn")));
}

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/table")
}

/// Rates rows under the plain deck: the log and the legs.
fn rated(rows: &[String]) -> (Vec<Value>, Vec<Value>) {
    let night = Night::with_plain_deck();
    night.calls(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    night.run(&[]);
    (exported(&night, "calls"), exported(&night, "legs"))
}

/// An export as JSON, row by row.
pub fn exported(night: &Night, what: &str) -> Vec<Value> {
    let text = night.trunkrate(&["export", what, "--format", "jsonl"]).ok();
    text.lines().map(|line| serde_json::from_str(line).expect("a row of JSON")).collect()
}

fn by_sid<'a>(calls: &'a [Value], sid: &str) -> &'a Value {
    calls.iter().find(|call| call["call_sid"] == sid).expect("the call is in the log")
}

fn str(value: &Value) -> &str {
    value.as_str().expect("a text")
}
