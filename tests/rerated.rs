//! A period rated again by other decks: what it comes to, by hand; booked as legs beside those that
//! were booked; taken back; and what the next invoice says of it.

use crate::support::{DECK_HEADER, Night};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const SELLER: &str = "[seller]\nname = \"Carrier\"\naddress = [\"1 Street\"]\ncountry = \"DE\"\n[invoice]\ntax_category = \"zero\"\n";
const DECK: &str = "US,United States,US,0.0100,,1,termination,,,,,,\n\
                    US,United States,US in,0.0034,,1,origination,,,,,,\n\
                    GB,United Kingdom,UK,0.0150,,44,termination,,,,,,\n";
/// Calls to the United States cost a fifth more, and the United Kingdom has no price any more.
const MENDED: &str = "US,United States,US,0.0120,,1,termination,,,,,,\n\
                      US,United States,US in,0.0034,,1,origination,,,,,,\n";

/// Booked, minute by minute:
///
/// | call | legs | booked |
/// |---|---|---|
/// | CA1 | 1 min × 0.0100 | 0.01000 |
/// | CA2 | 3 min × 0.0150, United Kingdom | 0.04500 |
/// | CA3 | 2 min × 0.0100, of AC2 | 0.02000 |
/// | O1 | 5 min × 0.0034 | 0.01700 |
/// | O1P | 7 min × 0.0034 + 7 min × 0.0100 | 0.02380 + 0.07000 |
/// | NO | not answered | – |
const CALLS: [&str; 6] = [
    "CA1,,AC1,,trunking-terminating,+12025550101,+14155550102,2026-11-20T10:00:00Z,,60,completed",
    "CA2,,AC1,,trunking-terminating,+12025550101,+442071838750,2026-11-20T11:00:00Z,,121,completed",
    "CA3,,AC2,,trunking-terminating,+12025550101,+14155550102,2026-11-21T10:00:00Z,,61,completed",
    "O1,,AC1,,trunking-originating,+12025550101,+14155550102,2026-11-21T23:55:00Z,,300,completed",
    "O1P,O1,AC1,,,,+13035550103,2026-11-22T00:00:00Z,,370,completed",
    "NO,,AC1,,trunking-terminating,+12025550101,+14155550102,2026-11-22T10:00:00Z,,,no-answer",
];

fn deck(night: &Night, folder: &str, rows: &str) {
    night.file(&format!("{folder}/deck.toml"), "name = \"test\"\ncurrency = \"USD\"\n");
    night.file(&format!("{folder}/prices.csv"), format!("{DECK_HEADER}\n{rows}"));
}

fn booked() -> Night {
    let night = Night::new();
    night.deck(DECK);
    deck(&night, "mended", MENDED);
    night.file("trunkrate.toml", SELLER);
    night.calls(&CALLS);
    night.run(&[]);
    night
}

fn rerate(night: &Night, rates: &str, more: &[&str]) -> Value {
    let words = ["rerate", "--period", "2026-11", "--rates", rates, "--format", "json"];
    night.trunkrate(&[&words[..], more].concat()).json()
}

fn book(night: &Night, rates: &str) -> Value {
    rerate(night, rates, &["--book", "--reason", "the carrier's mended list"])
}

/// The rows of an export, by column.
fn rows(night: &Night, what: &str) -> Vec<BTreeMap<String, Value>> {
    let text = night.trunkrate(&["export", what, "--format", "jsonl"]).ok();
    text.lines().map(|row| serde_json::from_str(row).expect("a row")).collect()
}

/// An amount in units of 10⁻⁵.
fn units(amount: &Value) -> i64 {
    let text = amount.as_str().expect("an amount");
    text.replace('.', "").parse().expect("five decimals")
}

/// The sums of all legs, by call and number of the leg.
fn sums(night: &Night) -> BTreeMap<(String, i64), i64> {
    let mut sums = BTreeMap::new();
    for leg in rows(night, "legs") {
        let key = (leg["call_sid"].as_str().unwrap().to_owned(), leg["leg"].as_i64().unwrap());
        *sums.entry(key).or_default() += units(&leg["amount"]);
    }
    sums
}

fn exports(night: &Night) -> [String; 3] {
    ["legs", "calls", "suspense"].map(|what| night.trunkrate(&["export", what]).ok())
}

#[test]
fn a_period_is_shown_by_account_destination_and_scenario() {
    let night = booked();
    let before = exports(&night);
    let shown = rerate(&night, "mended", &["--calls"]);
    assert_eq!(
        (&shown["calls"], &shown["changed"], &shown["without_rate"]),
        (&5.into(), &3.into(), &1.into()),
        "{shown}"
    );
    // 0.01 + 0.045 + 0.02 + 0.017 + 0.0238 + 0.07; the United Kingdom stays as it is booked.
    assert_eq!(
        shown["totals"],
        json!({"USD": {"booked": "0.18580", "new": "0.20580", "difference": "0.02000"}})
    );
    assert_eq!(shown["without_rate_booked"], json!({"USD": "0.04500"}));
    let sums: Vec<[&str; 6]> = shown["sums"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sum| {
            ["account", "destination", "scenario", "booked", "new", "difference"]
                .map(|name| sum[name].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        sums,
        [
            ["AC1", "UK", "termination", "0.04500", "0.04500", "0.00000"],
            ["AC1", "US", "origination-to-pstn", "0.07000", "0.08400", "0.01400"],
            ["AC1", "US", "termination", "0.01000", "0.01200", "0.00200"],
            ["AC1", "US in", "origination", "0.01700", "0.01700", "0.00000"],
            ["AC1", "US in", "origination-to-pstn", "0.02380", "0.02380", "0.00000"],
            ["AC2", "US", "termination", "0.02000", "0.02400", "0.00400"],
        ]
    );
    // Behind them: the legs that differ, and those without a rate. One leg of O1P stays as it is.
    let legs: Vec<(&str, i64, Value)> = shown["legs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|leg| {
            let sid = leg["call_sid"].as_str().unwrap();
            (sid, leg["leg"].as_i64().unwrap(), leg["difference"].clone())
        })
        .collect();
    assert_eq!(
        legs,
        [
            ("CA1", 1, "0.00200".into()),
            ("CA2", 1, Value::Null),
            ("CA3", 1, "0.00400".into()),
            ("O1P", 2, "0.01400".into()),
        ]
    );
    let only = rerate(&night, "mended", &["--account", "AC2"]);
    assert_eq!(only["totals"]["USD"]["difference"], "0.00400");
    for (destination, difference) in [("uk", "0.00000"), ("+1303", "0.01400"), ("1415", "0.00600")]
    {
        let only = rerate(&night, "mended", &["--destination", destination]);
        assert_eq!(only["totals"]["USD"]["difference"], difference, "{destination}");
    }
    let words = ["rerate", "--from", "2026-11-21", "--to", "2026-11-22", "--rates", "mended"];
    let text = night.trunkrate(&words).ok();
    assert!(text.contains("USD: booked 0.03700, new 0.04100, difference 0.00400"), "{text}");
    let csv = night.trunkrate(&[&words[..], &["--calls", "--format", "csv"]].concat()).ok();
    assert_eq!(
        csv.lines()
            .nth(1)
            .unwrap()
            .replace(rows(&night, "legs")[0]["run_id"].as_str().unwrap(), "RUN"),
        "CA3,1,2026-11-21T10:00:00Z,AC2,US,termination,RUN,USD,0.02000,USD,0.02400,0.00400"
    );
    assert_eq!(exports(&night), before, "nothing was changed");
    // With the booked deck there is no difference.
    let same = rerate(&night, "rates", &["--calls"]);
    assert_eq!(
        (&same["changed"], &same["without_rate"], &same["legs"]),
        (&0.into(), &0.into(), &json!([])),
        "{same}"
    );
    assert_eq!(same["totals"]["USD"]["difference"], "0.00000");
}

#[test]
fn the_differences_are_booked_once_and_taken_back() {
    let night = booked();
    // A record that waits goes through the run as it is.
    night.calls(&[
        "WAIT,,AC1,,trunking-terminating,+12025550101,+493012345678,2026-11-20T12:00:00Z,,60,completed",
    ]);
    night.run(&[]);
    let before = exports(&night);
    let shown = book(&night, "mended");
    let run_id = shown["run_id"].as_str().expect("a run").to_owned();
    assert!(run_id.starts_with("000003-"), "{run_id}");
    // 0.012, 0.045, 0.024, 0.017; O1P: 0.0238 and 0.084.
    let expected = [
        (("CA1", 1), 1200),
        (("CA2", 1), 4500),
        (("CA3", 1), 2400),
        (("O1", 1), 1700),
        (("O1P", 1), 2380),
        (("O1P", 2), 8400),
    ];
    let expected: BTreeMap<(String, i64), i64> =
        expected.into_iter().map(|((sid, leg), sum)| ((sid.to_owned(), leg), sum)).collect();
    assert_eq!(sums(&night), expected);
    let runs = night.trunkrate(&["runs", "--format", "json"]).json();
    assert_eq!(
        (&runs[2]["kind"], &runs[2]["amount"], &runs[2]["legs"], &runs[2]["reason"]),
        (
            &"rerate".into(),
            &json!({"USD": "0.02000"}),
            // CA1, CA3: one leg each; O1P: two. Booked, and taken back.
            &8.into(),
            &"the carrier's mended list".into()
        )
    );
    night.trunkrate(&["verify"]).ok();
    // A call is one call, and costs what it costs now.
    let log: BTreeMap<String, String> = rows(&night, "calls")
        .into_iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            (text("call_sid"), text("amount"))
        })
        .collect();
    assert_eq!(
        log,
        [
            ("CA1", "0.01200"),
            ("CA2", "0.04500"),
            ("CA3", "0.02400"),
            ("NO", "0.00000"),
            ("O1", "0.01700"),
            ("O1P", "0.10780"),
        ]
        .map(|(sid, amount)| (sid.to_owned(), amount.to_owned()))
        .into()
    );
    assert_eq!(rows(&night, "calls").len(), 6);
    let found = night.trunkrate(&["calls", "O1", "--format", "json"]).json();
    assert_eq!(found.as_array().map(Vec::len), Some(2), "{found}");
    let explained = night.trunkrate(&["explain", "O1P", "--format", "json"]).json();
    assert_eq!(
        (&explained["booked"]["amount"], &explained["difference"]),
        (&"0.10780".into(), &"0.00000".into()),
        "{explained}"
    );
    assert!(explained["by_hand"].to_string().contains("the carrier's mended list"), "{explained}");
    assert!(explained.to_string().contains("calls.csv"), "its record is found: {explained}");
    for run in ["1", "3"] {
        night.trunkrate(&["report", "--run", run, "--format", "json"]).json();
    }
    // Twice books nothing.
    let again = book(&night, "mended");
    assert_eq!((&again["run_id"], &again["changed"]), (&Value::Null, &0.into()), "{again}");
    // The same calls again are copies, and the next night is compared with the night before.
    night.calls(&CALLS);
    let summary = night.run(&[]);
    assert_eq!((&summary["duplicate"], &summary["legs"]), (&6.into(), &0.into()), "{summary}");
    night.trunkrate(&["verify"]).ok();
    // That night does not stand on it.
    night.trunkrate(&["undo", &run_id, "--reason", "the list was right"]).ok();
    night.trunkrate(&["verify"]).ok();
    night.trunkrate(&["undo", "last", "--reason", "copies"]).ok();
    assert_eq!(exports(&night), before);
    // A night that goes takes what was rated again with it.
    book(&night, "mended");
    let refused = night.trunkrate(&["undo", "1", "--reason", "x"]);
    assert!(refused.code == 1 && refused.stderr.contains("000003-"), "{}", refused.shown());
}

#[test]
fn there_and_back_is_nothing_for_every_leg() {
    let night = booked();
    let (before, log) = (sums(&night), rows(&night, "calls").len());
    book(&night, "mended");
    assert_ne!(sums(&night), before);
    let back = book(&night, "rates");
    assert_eq!(back["totals"]["USD"]["difference"], "-0.02000");
    assert_eq!(sums(&night), before);
    assert_eq!(rows(&night, "calls").len(), log);
    night.trunkrate(&["verify"]).ok();
    // And there again: the last version counts.
    assert_eq!(book(&night, "mended")["totals"]["USD"]["booked"], "0.18580");
    night.trunkrate(&["verify"]).ok();
    assert_eq!(book(&night, "mended")["run_id"], Value::Null);
}

#[test]
fn another_currency_is_no_difference_in_money() {
    let night = booked();
    deck(&night, "euro", DECK);
    night.file("euro/deck.toml", "name = \"euro\"\ncurrency = \"EUR\"\n");
    let shown = book(&night, "euro");
    assert_eq!(
        shown["totals"],
        json!({
            "EUR": {"booked": "0.00000", "new": "0.18580", "difference": "0.18580"},
            "USD": {"booked": "0.18580", "new": "0.00000", "difference": "-0.18580"},
        })
    );
    night.trunkrate(&["verify"]).ok();
    let runs = night.trunkrate(&["runs", "--format", "json"]).json();
    assert_eq!(runs[1]["amount"], json!({"EUR": "0.18580", "USD": "-0.18580"}));
}

/// Issues a month, and gives the document of AC1.
fn issue(night: &Night, period: &str, date: &str) -> Value {
    let words = ["invoice", "issue", "--period", period, "--date", date, "--out", date];
    night.trunkrate(&[&words[..], &["--allow-incomplete", "--accept", "waiting"]].concat()).ok();
    let list = night.trunkrate(&["invoice", "list", "--format", "json"]).json();
    let own = list.as_array().unwrap().iter().rev().find(|row| row["account_sid"] == "AC1");
    let number = own.expect("an invoice of AC1")["number"].as_str().unwrap().to_owned();
    night.trunkrate(&["invoice", "show", &number, "--format", "json"]).json()
}

/// The lines of a document: late month, destination, price, calls, minutes, amount.
fn lines(document: &Value) -> Vec<[String; 6]> {
    let text = |line: &Value, name: &str| match &line[name] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let names = ["late", "description", "price_per_minute", "calls", "billed_minutes", "amount"];
    document["usage"].as_array().unwrap().iter().map(|line| names.map(|n| text(line, n))).collect()
}

/// Not billed yet: the invoice has the new prices alone, and no line of nothing.
#[test]
fn an_invoice_that_comes_after_it_bills_the_new_prices() {
    let night = booked();
    book(&night, "mended");
    let invoice = issue(&night, "2026-11", "2026-12-01");
    assert_eq!(
        lines(&invoice),
        [
            ["null", "US in", "0.0034", "1", "5", "0.01700"],
            ["null", "US in", "0.0034", "1", "7", "0.02380"],
            ["null", "US", "0.0120", "1", "7", "0.08400"],
            ["null", "UK", "0.0150", "1", "3", "0.04500"],
            ["null", "US", "0.0120", "1", "1", "0.01200"],
        ],
        "{invoice}"
    );
    // 0.017 + 0.084 + 0.0238 + 0.045 + 0.012.
    assert_eq!(invoice["totals"]["usage"], "0.18180");
    assert_eq!(invoice["calls"], 4);
    night.trunkrate(&["verify"]).ok();
    let calls =
        night.trunkrate(&["invoice", "calls", "INV-2026-000001", "--format", "json"]).json();
    assert_eq!(calls.as_array().map(Vec::len), Some(5), "{calls}");
}

/// Billed already: the next invoice takes the calls back and bills them anew, in lines of their
/// month; nobody else's is touched, and no run is undone.
#[test]
fn an_invoice_that_is_issued_gets_the_difference_on_the_next_one() {
    let night = booked();
    issue(&night, "2026-11", "2026-12-01");
    let first = night.trunkrate(&["invoice", "show", "INV-2026-000001", "--format", "json"]).ok();
    book(&night, "mended");
    night.trunkrate(&["verify"]).ok();
    night.calls(&[
        "DEC,,AC1,,trunking-terminating,+12025550101,+14155550102,2026-12-02T10:00:00Z,,60,completed",
    ]);
    night.run(&[]);
    let next = issue(&night, "2026-12", "2027-01-01");
    assert_eq!(
        lines(&next),
        [
            ["null", "US", "0.0100", "1", "1", "0.01000"],
            ["2026-11", "US", "0.0100", "-1", "-7", "-0.07000"],
            ["2026-11", "US", "0.0120", "1", "7", "0.08400"],
            ["2026-11", "US", "0.0100", "-1", "-1", "-0.01000"],
            ["2026-11", "US", "0.0120", "1", "1", "0.01200"],
        ],
        "{next}"
    );
    // 0.01 of December; 0.014 and 0.002 of November.
    assert_eq!(next["totals"]["usage"], "0.02600");
    night.trunkrate(&["verify"]).ok();
    assert_eq!(
        night.trunkrate(&["invoice", "show", "INV-2026-000001", "--format", "json"]).ok(),
        first
    );
    // Each line is explained by its legs: the two that are nothing together are on none.
    let number = next["number"].as_str().unwrap().to_owned();
    let calls = night.trunkrate(&["invoice", "calls", &number, "--format", "json"]).json();
    let amounts: Vec<(&str, &str)> = calls
        .as_array()
        .unwrap()
        .iter()
        .map(|leg| (leg["call_sid"].as_str().unwrap(), leg["amount"].as_str().unwrap()))
        .collect();
    assert_eq!(
        amounts,
        [
            ("DEC", "0.01000"),
            ("O1P", "-0.07000"),
            ("O1P", "0.08400"),
            ("CA1", "-0.01000"),
            ("CA1", "0.01200"),
        ]
    );
    let explained = night.trunkrate(&["explain", "CA1", "--format", "json"]).json();
    let invoices = explained["booked"]["invoices"].to_string();
    assert!(invoices.contains("INV-2026-000001") && invoices.contains(&number), "{invoices}");
    // Billed: it cannot be undone, and goes back by booking the old prices.
    let refused = night.trunkrate(&["undo", "2", "--reason", "x"]);
    assert!(refused.stderr.contains("bills its legs"), "{}", refused.shown());
    book(&night, "rates");
    let back = issue(&night, "2027-01", "2027-02-01");
    assert_eq!(back["totals"]["usage"], "-0.01600", "{back}");
    night.trunkrate(&["verify"]).ok();
    for format in ["text", "csv", "html", "hledger", "beancount"] {
        let number = back["number"].as_str().unwrap();
        night.trunkrate(&["invoice", "show", number, "--format", format]).ok();
    }
}

#[test]
fn what_cannot_be_asked() {
    let night = booked();
    for (args, code, told) in [
        (&["rerate"][..], 2, "CALL_SID"),
        (&["rerate", "--period", "2026-11"], 2, "--rates"),
        (&["rerate", "--from", "2026-11-01"], 2, "--rates is missing"),
        (&["rerate", "CA1", "--period", "2026-11", "--rates", "mended"], 2, "cannot be used with"),
        (&["rerate", "--period", "November", "--rates", "mended"], 2, "expected YYYY-MM"),
        (&["rerate", "--period", "2026-11", "--rates", "mended", "--book"], 2, "--reason"),
        (&["rerate", "CA1", "--format", "csv"], 2, "of a period"),
        (
            &["rerate", "--period", "2026-11", "--rates", "mended", "--book", "--reason", " "],
            2,
            "--reason is empty",
        ),
        (&["rerate", "--period", "2026-11", "--rates", "mended", "--account", "AC9"], 1, "AC9"),
    ] {
        let done = night.trunkrate(args);
        assert!(done.code == code && done.stderr.contains(told), "{args:?}: {}", done.shown());
    }
    let later = rerate(&night, "mended", &["--account", "AC2", "--destination", "UK"]);
    assert_eq!((&later["calls"], &later["totals"]), (&0.into(), &json!({})));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Whatever the prices: what is shown is what is booked, old to new and back is nothing for
    /// every leg, and the ledger is proved at every step.
    #[test]
    fn prices_at_random_are_booked_and_taken_back(
        prices in prop::collection::vec((1_u32..500, 0_u32..60), 3),
        durations in prop::collection::vec(1_u32..4000, 6),
    ) {
        let night = Night::new();
        night.deck(DECK);
        let rows = [("US", "1", "termination"), ("US in", "1", "origination"), ("UK", "44", "termination")];
        let row = |((name, prefix, service), (price, fee)): (&(&str, &str, &str), &(u32, u32))| {
            format!("XX,X,{name},0.{price:04},,{prefix},{service},1,1,0,0.{fee:04},,\n")
        };
        let other: String = rows.iter().zip(&prices).map(row).collect();
        deck(&night, "mended", &other);
        let calls: Vec<String> = CALLS
            .iter()
            .zip(&durations)
            .map(|(call, seconds)| {
                let mut fields: Vec<String> = call.split(',').map(str::to_owned).collect();
                if fields[10] == "completed" {
                    fields[9] = seconds.to_string();
                }
                fields.join(",")
            })
            .collect();
        night.calls(&calls.iter().map(String::as_str).collect::<Vec<_>>());
        night.run(&[]);
        let before = sums(&night);
        let shown = book(&night, "mended");
        let difference = |shown: &Value| units(&shown["totals"]["USD"]["difference"]);
        let sum = |sums: &BTreeMap<(String, i64), i64>| sums.values().sum::<i64>();
        prop_assert_eq!(sum(&sums(&night)) - sum(&before), difference(&shown));
        night.trunkrate(&["verify"]).ok();
        let back = book(&night, "rates");
        prop_assert_eq!(difference(&back), -difference(&shown));
        prop_assert_eq!(sums(&night), before);
        night.trunkrate(&["verify"]).ok();
    }
}
