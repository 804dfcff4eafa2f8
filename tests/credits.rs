//! Credit notes of a part of an invoice: by lines, by calls, over an amount; never more than it.

use crate::einvoice::{python, script};
use crate::support::{Done, Night};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::process::Command;

/// 19 % on usage; a monthly charge without tax beside it.
const SELLER: &str = "[seller]\nname = \"Carrier\"\naddress = [\"1 Street\"]\ncountry = \"DE\"\ntax_id = \"DE123456789\"\n[invoice]\ntax_category = \"standard\"\ntax_rate = \"19\"\nterms = \"14 days\"\n";
const DECK: &str = "US,United States,US,0.5000,,1,termination,,,,,,\n\
                    GB,United Kingdom,UK,0.2500,,44,termination,,,,,,\n";
const ITEMS: &str = "account_sid,description,quantity,unit_price,currency,tax_category,tax_rate\n\
                     AC1,Number,2,1.15,USD,zero,\n";
const ACCOUNTS: &str = "account_sid,name,deck,address,city,country\nAC1,One,,1 Lane,Berlin,DE\n";

/// | line | legs | amount |
/// |---|---|---|
/// | 1 | CA3: 4 min × 0.25 | 1.00000 |
/// | 2 | CA1: 2 min × 0.50, CA2: 3 min × 0.50 | 2.50000 |
/// | 3 | Number: 2 × 1.15 | 2.30 |
///
/// 3.50 and 19 % of it, 0.665, which is 0.67; 2.30 without tax: 6.47.
fn issued() -> Night {
    let night = Night::new();
    night.deck(DECK);
    night.file("trunkrate.toml", SELLER);
    night.file("items.csv", ITEMS);
    night.file("accounts.csv", ACCOUNTS);
    night.calls(&[
        "CA1,,AC1,,trunking-terminating,+12025550101,+14155550102,2026-11-20T10:00:00Z,,120,completed",
        "CA2,,AC1,,trunking-terminating,+12025550101,+14155550102,2026-11-21T10:00:00Z,,180,completed",
        "CA3,,AC1,,trunking-terminating,+12025550101,+442071838750,2026-11-22T10:00:00Z,,240,completed",
    ]);
    night.run(&["--accounts", "accounts.csv"]);
    let words = ["invoice", "issue", "--period", "2026-11", "--date", "2026-12-01", "--out", "out"];
    let lists = ["--items", "items.csv", "--accounts", "accounts.csv", "--allow-incomplete"];
    night.trunkrate(&[&words[..], &lists].concat()).ok();
    let invoice = show(&night, "INV-2026-000001");
    assert_eq!(totals(&invoice), ["3.50000", "2.30", "5.80", "0.67", "6.47"], "{invoice}");
    night
}

fn credit(night: &Night, more: &[&str]) -> Done {
    let words =
        ["invoice", "credit", "INV-2026-000001", "--reason", "agreed", "--date", "2026-12-05"];
    night.trunkrate(&[&words[..], more].concat())
}

fn show(night: &Night, number: &str) -> Value {
    night.trunkrate(&["invoice", "show", number, "--format", "json"]).json()
}

/// Usage, items, net, tax and total of a document.
fn totals(document: &Value) -> [&str; 5] {
    ["usage", "items", "net", "tax", "total"].map(|name| document["totals"][name].as_str().unwrap())
}

/// Holds a document as UBL and as CII to the rules of EN 16931, by a validator that is not ours.
fn hold_to_standard(night: &Night, number: &str) {
    for format in ["ubl", "cii"] {
        let xml = night.trunkrate(&["invoice", "show", number, "--format", format]).ok();
        let file = night.file(&format!("{number}.{format}.xml"), xml);
        let judged = Command::new(python()).arg(script("einvoice.py")).arg(file).output();
        let judged = judged.expect("the validator runs");
        assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stdout));
    }
}

fn refused(done: &Done, told: &str) {
    assert!(done.code == 1 && done.stderr.contains(told), "{}", done.shown());
}

#[test]
fn lines_are_credited_with_their_own_tax() {
    let night = issued();
    let said = credit(&night, &["--lines", "1,3"]).ok();
    // 1.00 and 19 % of it; 2.30 without tax.
    assert!(
        said.contains("credit note INV-2026-000002 over 3.49 USD, for INV-2026-000001; the rest"),
        "{said}"
    );
    let note = show(&night, "INV-2026-000002");
    assert_eq!(totals(&note), ["1.00000", "2.30", "3.30", "0.19", "3.49"], "{note}");
    assert_eq!(
        note["corrects"],
        json!({
            "number": "INV-2026-000001",
            "issue_date": "2026-12-01",
            "reason": "agreed",
            "in_part": true,
        })
    );
    assert_eq!(note["days"], json!([{"date": "2026-11-22", "amount": "1.00000"}]));
    hold_to_standard(&night, "INV-2026-000002");
    night.trunkrate(&["verify"]).ok();
    // Each once; what is not there is named.
    refused(&credit(&night, &["--lines", "1"]), "line 1 of INV-2026-000001 is credited already");
    refused(&credit(&night, &["--lines", "3"]), "line 3 of INV-2026-000001 is credited already");
    refused(&credit(&night, &["--lines", "4"]), "has no line 4: it has 3");
    refused(&credit(&night, &["--rebill"]), "credited in part already, by INV-2026-000002");
    refused(&credit(&night, &["--calls", "CA3"]), "bills no leg of it that is not credited");
    credit(&night, &["--lines", "2"]).ok();
    // 2.50 and 0.475, which is 0.48: 0.19 + 0.48 is the tax of the invoice.
    assert_eq!(
        totals(&show(&night, "INV-2026-000003")),
        ["2.50000", "0.00", "2.50", "0.48", "2.98"]
    );
    night.trunkrate(&["verify"]).ok();
    refused(&credit(&night, &["--amount", "0.01", "--lines", "2"]), "0.00 USD");
    // What was credited stays billed.
    let later = night.trunkrate(&["invoice", "draft", "--period", "2026-12"]).ok();
    assert_eq!(later, "nothing would be issued\n");
}

#[test]
fn calls_are_credited_by_their_legs() {
    let night = issued();
    night.file("disputed.csv", "call_sid,why\nCA2,one-sided audio\n");
    credit(&night, &["--calls", "disputed.csv"]).ok();
    let note = show(&night, "INV-2026-000002");
    // 3 min × 0.50, and 19 %: 0.285, which is 0.29.
    assert_eq!(totals(&note), ["1.50000", "0.00", "1.50", "0.29", "1.79"], "{note}");
    assert_eq!(
        ["calls", "legs", "billed_minutes"].map(|name| note["usage"][0][name].clone()),
        [json!(1), json!(1), json!("3")]
    );
    let calls =
        night.trunkrate(&["invoice", "calls", "INV-2026-000002", "--format", "json"]).json();
    assert_eq!(calls.as_array().map(Vec::len), Some(1), "{calls}");
    assert_eq!(calls[0]["call_sid"], "CA2");
    refused(&credit(&night, &["--calls", "CA1,CA2"]), "CA2: INV-2026-000001 bills no leg");
    // What is left of its line.
    credit(&night, &["--lines", "2"]).ok();
    assert_eq!(
        totals(&show(&night, "INV-2026-000003")),
        ["1.00000", "0.00", "1.00", "0.19", "1.19"]
    );
    night.trunkrate(&["verify"]).ok();
    let list = night.trunkrate(&["invoice", "list", "--format", "json"]).json();
    let states: Vec<(&str, &str)> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["state"].as_str().unwrap(), row["total"].as_str().unwrap()))
        .collect();
    assert_eq!(
        states,
        [("credited-in-part", "6.47"), ("credit-note", "-1.79"), ("credit-note", "-1.19")]
    );
}

#[test]
fn an_amount_is_credited_by_a_tax_and_never_more_than_is_left() {
    let night = issued();
    refused(&credit(&night, &["--amount", "1"]), "has lines of 2 taxes");
    refused(&credit(&night, &["--amount", "3.51", "--lines", "1"]), "3.50 USD of INV-2026-000001");
    refused(&credit(&night, &["--amount", "0.001", "--lines", "1"]), "more than 2 decimals");
    credit(&night, &["--amount", "2.00", "--lines", "1"]).ok();
    let note = show(&night, "INV-2026-000002");
    assert_eq!(totals(&note), ["0.00000", "2.00", "2.00", "0.38", "2.38"], "{note}");
    assert_eq!(note["items"][0]["description"], "Credit on invoice INV-2026-000001, line 1");
    // 1.50 of what was taxed by 19 % are left: the line of 2.50 is more.
    refused(&credit(&night, &["--lines", "2"]), "2.50 USD would be credited, and 1.50 USD");
    credit(&night, &["--amount", "1.50", "--lines", "2"]).ok();
    assert_eq!(totals(&show(&night, "INV-2026-000003"))[3..], ["0.29", "1.79"]);
    refused(&credit(&night, &["--amount", "0.01", "--lines", "2"]), "0.00 USD of INV-2026-000001");
    credit(&night, &["--amount", "2.30", "--lines", "3"]).ok();
    assert_eq!(totals(&show(&night, "INV-2026-000004"))[3..], ["0.00", "2.30"]);
    night.trunkrate(&["verify"]).ok();
}

#[test]
fn what_cannot_be_credited_in_part() {
    let night = issued();
    for (args, told) in [
        (&["--lines", "1", "--rebill"][..], "cannot be used with"),
        (&["--calls", "CA1", "--lines", "1"], "cannot be used with"),
        (&["--amount", "-1"], "--amount"),
        (&["--amount", "0"], "above zero"),
        (&["--amount", "1", "--lines", "1,2"], "by the tax of which line"),
        (&["--calls", ","], "names no call"),
        (&[], "one of --rebill and --write-off is missing"),
    ] {
        let done = credit(&night, args);
        assert!(done.code == 2 && done.stderr.contains(told), "{args:?}: {}", done.shown());
    }
    credit(&night, &["--write-off"]).ok();
    refused(&credit(&night, &["--lines", "1"]), "is credited already, by INV-2026-000002");
    refused(
        &night.trunkrate(&[
            "invoice",
            "credit",
            "INV-2026-000002",
            "--lines",
            "1",
            "--reason",
            "x",
            "--date",
            "2026-12-05",
        ]),
        "is a credit note itself",
    );
}

/// A charge with a price below zero says what it is, and takes tax back with it.
#[test]
fn goodwill_is_a_line_of_its_own() {
    let night = issued();
    night.calls(&[
        "DEC,,AC1,,trunking-terminating,+12025550101,+14155550102,2026-12-02T10:00:00Z,,120,completed",
    ]);
    night.run(&["--accounts", "accounts.csv"]);
    night.file(
        "items.csv",
        "account_sid,description,quantity,unit_price,currency,from,to\n\
         AC1,for the outage of 2 December,1,-0.40,USD,2026-12,2026-12\n\
         AC1,Goodwill of November,1,-0.10,USD,2026-12,2026-12\n",
    );
    let words = ["invoice", "issue", "--period", "2026-12", "--date", "2027-01-01", "--out", "out"];
    let lists = ["--items", "items.csv", "--accounts", "accounts.csv", "--allow-incomplete"];
    night.trunkrate(&[&words[..], &lists].concat()).ok();
    let invoice = show(&night, "INV-2027-000001");
    // 2 min × 0.50, less 0.40 and 0.10; 19 % of 0.50 is 0.095, which is 0.10.
    assert_eq!(totals(&invoice), ["1.00000", "-0.50", "0.50", "0.10", "0.60"], "{invoice}");
    assert_eq!(
        [0, 1].map(|at| invoice["items"][at]["description"].clone()),
        ["Goodwill: for the outage of 2 December".into(), Value::from("Goodwill of November")]
    );
    night.trunkrate(&["verify"]).ok();
    hold_to_standard(&night, "INV-2027-000001");
    for format in ["html", "csv", "pdf", "hledger", "beancount"] {
        let shown = night.trunkrate(&["invoice", "show", "INV-2027-000001", "--format", format]);
        assert!(shown.code == 0, "{format}: {}", shown.shown());
    }
}

/// Calls of an issued invoice that cost less now: the next one is over less than nothing.
#[test]
fn an_invoice_over_less_than_nothing_holds_the_standard() {
    let night = issued();
    night.file("cheaper/deck.toml", "name = \"test\"\ncurrency = \"USD\"\n");
    let rows = DECK.replace("0.5000", "0.3000");
    night.file("cheaper/prices.csv", format!("{}\n{rows}", crate::support::DECK_HEADER));
    let words = ["rerate", "--period", "2026-11", "--rates", "cheaper", "--book", "--reason", "x"];
    night.trunkrate(&words).ok();
    let words = ["invoice", "issue", "--period", "2026-12", "--date", "2027-01-01", "--out", "out"];
    let lists = ["--accounts", "accounts.csv", "--allow-incomplete"];
    night.trunkrate(&[&words[..], &lists].concat()).ok();
    // CA1 and CA2: 5 min × 0.30, less 5 min × 0.50; 19 % of 1.00.
    let invoice = show(&night, "INV-2027-000001");
    assert_eq!(totals(&invoice), ["-1.00000", "0.00", "-1.00", "-0.19", "-1.19"], "{invoice}");
    hold_to_standard(&night, "INV-2027-000001");
    night.trunkrate(&["verify"]).ok();
}

/// A changed part is found: of another line than the one that it credits.
#[test]
fn verify_holds_a_credit_note_against_the_lines_that_it_names() {
    let night = issued();
    credit(&night, &["--lines", "1"]).ok();
    let folder = std::fs::read_dir(night.path().join("ledger/invoices")).unwrap();
    let last = folder.map(|entry| entry.unwrap().path()).max().expect("a batch");
    let manifest = last.join("manifest.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let changed = text.replace("\"lines\": [\n          1\n", "\"lines\": [\n          2\n");
    assert_ne!(changed, text, "{text}");
    std::fs::write(&manifest, changed).unwrap();
    let found = night.trunkrate(&["verify"]);
    assert!(found.code == 1, "{}", found.shown());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, ..ProptestConfig::default() })]

    /// Whatever is credited, in whatever order: what was accepted is never more than the invoice,
    /// and the ledger is proved.
    #[test]
    fn credits_never_add_up_to_more_than_the_invoice(
        wishes in prop::collection::vec((0_u8..3, 1_u32..4, 1_u32..400), 1..6),
    ) {
        let night = issued();
        for (kind, line, cents) in wishes {
            let (line, amount) = (line.to_string(), format!("{}.{:02}", cents / 100, cents % 100));
            let call = format!("CA{line}");
            let part: Vec<&str> = match kind {
                0 => vec!["--lines", &line],
                1 => vec!["--calls", &call],
                _ => vec!["--lines", &line, "--amount", &amount],
            };
            let done = credit(&night, &part);
            prop_assert!(done.code == 0 || done.code == 1, "{}", done.shown());
        }
        let list = night.trunkrate(&["invoice", "list", "--format", "json"]).json();
        for name in ["net", "tax", "total"] {
            let cents = |row: &Value| -> i64 {
                row[name].as_str().unwrap().replace('.', "").parse().expect("cents")
            };
            let left: i64 = list.as_array().unwrap().iter().map(cents).sum();
            prop_assert!(left >= 0, "{name}: {list}");
        }
        night.trunkrate(&["verify"]).ok();
    }
}
