//! A waiting version of a call in place of the booked one: legs taken back, one call, one price.

use crate::support::{Done, Night};
use serde_json::Value;
use std::collections::BTreeMap;

const SELLER: &str = "[seller]\nname = \"Carrier\"\naddress = [\"1 Street\"]\ncountry = \"DE\"\n[invoice]\ntax_category = \"zero\"\n";
const DECK: &str = "US,United States,US,0.0100,,1,termination,,,,,,\n\
                    US,United States,US in,0.0034,,1,origination,,,,,,\n\
                    GB,United Kingdom,UK,0.0150,,44,termination,,,,,,\n";

fn root(account: &str, to: &str, start: &str, seconds: &str, status: &str) -> String {
    format!("CA1,,{account},,trunking-terminating,+12025550101,{to},{start},,{seconds},{status}")
}

const US: &str = "+14155550102";
const DAY: &str = "2026-11-20T10:00:00Z";

fn books() -> Night {
    let night = Night::new();
    night.deck(DECK);
    night.file("trunkrate.toml", SELLER);
    night
}

/// A version is booked, and another one waits.
fn doubted(before: &[&str], waiting: &[&str]) -> Night {
    let night = books();
    night.calls(before);
    night.run(&[]);
    night.calls(waiting);
    night.run(&[]);
    night
}

fn resolve(night: &Night, call: &str) -> Done {
    night.trunkrate(&[
        "suspense",
        "resolve",
        call,
        "--take",
        "1",
        "--reason",
        "the carrier's second export is right",
    ])
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

/// The sum of all legs by account, and their number; zero sums are left out.
fn sums(night: &Night) -> (BTreeMap<String, i64>, usize) {
    let legs = rows(night, "legs");
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    for leg in &legs {
        *sums.entry(leg["account_sid"].as_str().unwrap().to_owned()).or_default() +=
            units(&leg["amount"]);
    }
    sums.retain(|_, sum| *sum != 0);
    (sums, legs.len())
}

/// What was booked, what waits, the sums by account, the number of legs, class and amount of the
/// row of the log.
type Chosen = (String, String, &'static [(&'static str, i64)], usize, (&'static str, &'static str));

/// One row a case: what was booked, what waits, the sums by account afterwards in 10⁻⁵, the legs,
/// and the row of the log.
#[test]
fn the_sum_of_the_legs_is_what_the_chosen_version_costs() {
    let cases: [Chosen; 8] = [
        // One minute, three minutes: 0.01000 − 0.01000 + 0.03000.
        (
            root("AC1", US, DAY, "60", "completed"),
            root("AC1", US, DAY, "121", "completed"),
            &[("AC1", 3000)],
            3,
            ("rated", "0.03000"),
        ),
        (
            root("AC1", US, DAY, "121", "completed"),
            root("AC1", US, DAY, "60", "completed"),
            &[("AC1", 1000)],
            3,
            ("rated", "0.01000"),
        ),
        // It was not answered after all: nothing is billed, and nothing is left of what was.
        (
            root("AC1", US, DAY, "60", "completed"),
            root("AC1", US, DAY, "", "no-answer"),
            &[],
            2,
            ("free", "0.00000"),
        ),
        (
            root("AC1", US, DAY, "", "no-answer"),
            root("AC1", US, DAY, "60", "completed"),
            &[("AC1", 1000)],
            1,
            ("rated", "0.01000"),
        ),
        // Another destination: 0.0150 a minute.
        (
            root("AC1", US, DAY, "60", "completed"),
            root("AC1", "+442071838750", DAY, "60", "completed"),
            &[("AC1", 1500)],
            3,
            ("rated", "0.01500"),
        ),
        // Another customer's call.
        (
            root("AC1", US, DAY, "60", "completed"),
            root("AC2", US, DAY, "60", "completed"),
            &[("AC2", 1000)],
            3,
            ("rated", "0.01000"),
        ),
        // Another day, of another month.
        (
            root("AC1", US, DAY, "60", "completed"),
            root("AC1", US, "2026-12-01T00:00:00Z", "60", "completed"),
            &[("AC1", 1000)],
            3,
            ("rated", "0.01000"),
        ),
        // The other side: an origination, 0.0034 a minute.
        (
            root("AC1", US, DAY, "60", "completed"),
            root("AC1", US, DAY, "60", "completed").replace("terminating", "originating"),
            &[("AC1", 340)],
            3,
            ("rated", "0.00340"),
        ),
    ];
    for (booked, waiting, expected, legs, (class, amount)) in cases {
        let told = format!("{booked} → {waiting}");
        let night = doubted(&[&booked], &[&waiting]);
        let before =
            ["legs", "calls", "suspense"].map(|what| night.trunkrate(&["export", what]).ok());
        let said = resolve(&night, "CA1").ok();
        assert!(said.contains("in place of that of run 000001-"), "{said}");
        let expected: BTreeMap<String, i64> =
            expected.iter().map(|(a, sum)| ((*a).to_owned(), *sum)).collect();
        assert_eq!(sums(&night), (expected, legs), "{told}");
        let log = rows(&night, "calls");
        assert_eq!(log.len(), 1, "one call: {told}");
        assert_eq!(
            (&log[0]["class"], &log[0]["amount"]),
            (&class.into(), &amount.into()),
            "{told}"
        );
        assert_eq!(rows(&night, "suspense").len(), 0);
        night.trunkrate(&["verify"]).ok();
        let found = night.trunkrate(&["calls", "CA1", "--format", "json"]).json();
        assert_eq!(found.as_array().map(Vec::len), Some(1), "{found}");
        if class == "rated" {
            let explained = night.trunkrate(&["explain", "CA1", "--format", "json"]).json();
            assert_eq!(
                (&explained["booked"]["amount"], &explained["difference"]),
                (&amount.into(), &"0.00000".into()),
                "{told}"
            );
            assert!(
                explained["by_hand"][0]
                    .as_str()
                    .unwrap()
                    .contains("the carrier's second export is right"),
                "{explained}"
            );
        }
        night.trunkrate(&["report", "--format", "json"]).json();
        // Twice books nothing.
        let again = resolve(&night, "CA1");
        assert!(
            again.code == 1 && again.stderr.contains("no record of CA1 waits"),
            "{}",
            again.shown()
        );
        // Both versions come again with the next export: copies, both of them. A third one waits.
        night.calls(&[&booked, &waiting]);
        let summary = night.run(&[]);
        assert_eq!((&summary["duplicate"], &summary["legs"]), (&2.into(), &0.into()), "{told}");
        night.calls(&[&root("AC1", US, DAY, "3600", "completed")]);
        assert_eq!(
            night.run(&[])["suspended_by_reason"],
            serde_json::json!({"conflicting-duplicate": 1}),
            "{told}"
        );
        night.trunkrate(&["verify"]).ok();
        night
            .trunkrate(&["undo", "3", "--with-dependents", "--reason", "the first was right"])
            .ok();
        assert_eq!(
            ["legs", "calls", "suspense"].map(|what| night.trunkrate(&["export", what]).ok()),
            before,
            "{told}"
        );
        night.trunkrate(&["verify"]).ok();
    }
}

#[test]
fn legs_that_take_back_are_the_booked_ones_with_the_opposite_signs() {
    let night = doubted(
        &[&root("AC1", US, DAY, "60", "completed")],
        &[&root("AC1", US, DAY, "121", "completed")],
    );
    resolve(&night, "CA1").ok();
    let legs = rows(&night, "legs");
    let numbers: Vec<(i64, i64, i64)> = legs
        .iter()
        .map(|leg| {
            (
                leg["duration_seconds"].as_i64().unwrap(),
                leg["billed_seconds"].as_i64().unwrap(),
                units(&leg["amount"]),
            )
        })
        .collect();
    assert_eq!(numbers, [(60, 60, 1000), (121, 180, 3000), (-60, -60, -1000)]);
    let same = |leg: &BTreeMap<String, Value>| {
        let mut leg = leg.clone();
        for column in ["duration_seconds", "billed_seconds", "amount", "run_id"] {
            leg.remove(column);
        }
        leg
    };
    assert_eq!(same(&legs[0]), same(&legs[2]));
    assert_eq!(legs[1]["run_id"], legs[2]["run_id"]);
    assert_ne!(legs[0]["run_id"], legs[2]["run_id"]);
    let runs = night.trunkrate(&["runs", "--format", "json"]).json();
    assert_eq!(
        (&runs[2]["kind"], &runs[2]["amount"]["USD"], &runs[2]["legs"], &runs[2]["reason"]),
        (
            &"resolve".into(),
            &"0.02000".into(),
            &2.into(),
            &"the carrier's second export is right".into()
        )
    );
}

/// Issues a month, whatever waits and whatever is said of its customers.
fn issue(night: &Night, period: &str, date: &str) -> Value {
    let words = ["invoice", "issue", "--period", period, "--date", date, "--out", date];
    let flags = ["--allow-incomplete", "--accept", "waiting"];
    night.trunkrate(&[&words[..], &flags].concat()).ok();
    night.trunkrate(&["invoice", "list", "--format", "json"]).json()
}

/// The only JSON document in a folder, beside its index.
fn document(night: &Night, folder: &str) -> Value {
    let found = std::fs::read_dir(night.path().join(folder)).expect("a folder");
    let names = found.map(|entry| entry.expect("an entry").path()).filter(|path| {
        path.extension().is_some_and(|end| end == "json") && !path.ends_with("index.json")
    });
    let [path] = names.collect::<Vec<_>>().try_into().expect("one document");
    serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON")
}

/// Not billed yet: the next invoice bills the chosen version, as one call, and the legs stay
/// provable.
#[test]
fn an_invoice_bills_the_chosen_version_once() {
    let other = "CA2,,AC1,,trunking-terminating,+12025550101,+14155550102,2026-11-20T12:00:00Z,,60,completed";
    let night = doubted(
        &[&root("AC1", US, DAY, "60", "completed"), other],
        &[&root("AC1", US, DAY, "121", "completed")],
    );
    resolve(&night, "CA1").ok();
    let draft = ["invoice", "draft", "--period", "2026-11", "--out", "drafts", "--format", "json"];
    night.trunkrate(&draft).ok();
    let draft = document(&night, "drafts");
    let line = |usage: &Value| {
        assert_eq!(usage.as_array().map(Vec::len), Some(1), "{usage}");
        ["calls", "billed_minutes", "amount"].map(|name| usage[0][name].clone())
    };
    // CA1 three minutes, CA2 one, at 0.0100.
    let expected = [Value::from(2), Value::from("4"), Value::from("0.04000")];
    assert_eq!(line(&draft["usage"]), expected, "{draft}");
    assert_eq!(draft["calls"], 2);
    let issued = issue(&night, "2026-11", "2026-12-01");
    assert_eq!(issued.as_array().map(Vec::len), Some(1), "{issued}");
    night.trunkrate(&["verify"]).ok();
    let month = night.trunkrate(&["invoice", "--period", "2026-11", "--out", "month"]).ok();
    assert!(month.contains("0.04"), "{month}");
    assert_eq!(line(&document(&night, "month")["lines"]), expected);
    // Billed: neither the run that took back nor the one whose legs it took back can be undone.
    for run in ["1", "3"] {
        let undone = night.trunkrate(&["undo", run, "--with-dependents", "--reason", "x"]);
        assert!(
            undone.code == 1 && undone.stderr.contains("bills its legs"),
            "{run}: {}",
            undone.shown()
        );
    }
    // December has nothing left of it.
    let later = night.trunkrate(&["invoice", "draft", "--period", "2026-12"]).ok();
    assert_eq!(later, "nothing would be issued\n");
}

/// Billed already: refused with what to do; after that the difference is billed, and nothing twice.
#[test]
fn a_billed_version_is_credited_first() {
    let night = doubted(
        &[&root("AC1", US, DAY, "60", "completed")],
        &[&root("AC1", US, DAY, "121", "completed")],
    );
    issue(&night, "2026-11", "2026-12-01");
    let before = night.trunkrate(&["export", "legs"]).ok();
    let refused = resolve(&night, "CA1");
    assert!(
        refused.code == 1 && refused.stderr.contains("is on the invoice INV-2026-000001"),
        "{}",
        refused.shown()
    );
    assert!(
        refused.stderr.contains("trunkrate invoice credit INV-2026-000001 --rebill"),
        "{}",
        refused.shown()
    );
    assert_eq!(night.trunkrate(&["export", "legs"]).ok(), before);
    night
        .trunkrate(&[
            "invoice",
            "credit",
            "INV-2026-000001",
            "--rebill",
            "--reason",
            "wrong seconds",
            "--date",
            "2026-12-02",
        ])
        .ok();
    resolve(&night, "CA1").ok();
    night.trunkrate(&["verify"]).ok();
    issue(&night, "2026-11", "2026-12-03");
    let list = night.trunkrate(&["invoice", "list", "--format", "json"]).json();
    let usage: Vec<&Value> = list.as_array().unwrap().iter().map(|row| &row["usage"]).collect();
    assert_eq!(usage.len(), 3, "{list}");
    night.trunkrate(&["verify"]).ok();
    let shown = night.trunkrate(&["invoice", "show", "INV-2026-000003", "--format", "json"]).json();
    assert_eq!(
        (&shown["usage"][0]["amount"], &shown["calls"]),
        (&"0.03000".into(), &1.into()),
        "{shown}"
    );
}

const PARENT: &str =
    "CA1,,AC1,,trunking-terminating,+12025550101,+14155550102,2026-11-20T10:00:00Z,,300,completed";
const CHILD: &str = "CA2,CA1,AC1,,,,+13035550103,2026-11-20T10:05:00Z,,60,completed";

/// Transfers hang on the parties of their parent, not on its seconds.
#[test]
fn transfers_stop_a_version_that_says_otherwise_of_their_parent() {
    // 300 s are five minutes, 420 s seven; the child bills (A→B) and (A→C) of a minute each.
    let night = doubted(&[PARENT, CHILD], &[&PARENT.replace(",300,", ",420,")]);
    resolve(&night, "CA1").ok();
    assert_eq!(sums(&night).0, BTreeMap::from([("AC1".to_owned(), 9000)]), "0.07 + 0.02");
    night.trunkrate(&["verify"]).ok();
    let family = night.trunkrate(&["calls", "CA2", "--format", "json"]).json();
    assert!(
        family.to_string().contains("\"420\"") || family.to_string().contains("420"),
        "{family}"
    );
    // A transfer that comes now finds the version that counts.
    night.calls(&["CA3,CA1,AC1,,,,+13035550103,2026-11-20T10:06:00Z,,60,completed"]);
    assert_eq!(night.run(&[])["amount"]["USD"], "0.02000");
    night.trunkrate(&["verify"]).ok();

    for (what, other) in [
        ("from", PARENT.replace("+12025550101", "+12025550199")),
        ("to", PARENT.replace("+14155550102", "+442071838750")),
        ("account_sid", PARENT.replace("AC1", "AC2")),
        ("direction", PARENT.replace("terminating", "originating")),
        ("start_time", PARENT.replace("T10:00", "T10:07")),
    ] {
        let night = doubted(&[PARENT, CHILD], &[&other]);
        let before = night.trunkrate(&["export", "legs"]).ok();
        let refused = resolve(&night, "CA1");
        assert!(
            refused.code == 1 && refused.stderr.contains("says otherwise"),
            "{what}: {}",
            refused.shown()
        );
        assert!(
            refused.stderr.contains(what) && refused.stderr.contains("undo the runs"),
            "{what}: {}",
            refused.shown()
        );
        assert_eq!(night.trunkrate(&["export", "legs"]).ok(), before);
        night.trunkrate(&["verify"]).ok();
    }
}

/// A transfer that waits is rated by the version that counts when it is tried again, not by what
/// was kept of the other one.
#[test]
fn a_waiting_transfer_takes_the_parties_of_the_version_that_counts() {
    let night = books();
    night.deck("US,United States,US,0.0100,,1,termination,,,,,,\n");
    let far = CHILD.replace("+13035550103", "+442071838750");
    night.calls(&[PARENT, &far]);
    assert_eq!(night.run(&[])["suspended_by_reason"], serde_json::json!({"no-rate": 1}));
    // The parent is booked; the child waits, and what it needs of the parent is kept with it.
    night.calls(&[&PARENT.replace("+14155550102", "+15145550102")]);
    night.run(&[]);
    resolve(&night, "CA1").ok();
    night.deck(&format!("{DECK}CA,Canada,Montreal,0.0700,,1514,termination,,,,,,\n"));
    let retry = ["suspense", "retry", "--rates", "rates", "--accept-changes", "--format", "json"];
    // (A→B) to +1514 at 0.0700 and (A→C) to +44 at 0.0150, a minute each. By the version before it
    // would be 0.0100 + 0.0150.
    assert_eq!(night.trunkrate(&retry).json()["amount"]["USD"], "0.08500");
    night.trunkrate(&["verify"]).ok();
}

/// A child's own version is chosen: both of its legs are taken back.
#[test]
fn a_transfer_is_chosen_over_its_booked_version() {
    let night = doubted(&[PARENT, CHILD], &[&CHILD.replace(",60,", ",61,")]);
    resolve(&night, "CA2").ok();
    // The parent 0.05000; the child two minutes of two legs, 0.04000.
    assert_eq!(sums(&night), (BTreeMap::from([("AC1".to_owned(), 9000)]), 7));
    assert_eq!(rows(&night, "calls").len(), 2);
    night.trunkrate(&["verify"]).ok();
    // And once more, over the one that was chosen.
    night.calls(&[&CHILD.replace(",60,", ",121,")]);
    night.run(&[]);
    resolve(&night, "CA2").ok();
    assert_eq!(sums(&night), (BTreeMap::from([("AC1".to_owned(), 11000)]), 11), "0.05 + 3 × 0.02");
    assert_eq!(rows(&night, "calls").len(), 2);
    night.trunkrate(&["verify"]).ok();
    night.trunkrate(&["invoice", "draft", "--period", "2026-11"]).ok();
}

#[test]
fn what_cannot_be_chosen_is_refused() {
    let night = doubted(
        &[&root("AC1", US, DAY, "60", "completed")],
        &[&root("AC1", "+850212345678", DAY, "60", "completed")],
    );
    let before = night.trunkrate(&["runs", "--format", "json"]).json();
    let unpriced = resolve(&night, "CA1");
    assert!(
        unpriced.code == 1 && unpriced.stderr.contains("cannot be billed: no-rate"),
        "{}",
        unpriced.shown()
    );
    let silent = night.trunkrate(&["suspense", "resolve", "CA1", "--take", "1"]);
    assert!(
        silent.code == 2 && silent.stderr.contains("--reason must say why"),
        "{}",
        silent.shown()
    );
    let none = night.trunkrate(&["suspense", "resolve", "CA1", "--take", "2", "--reason", "x"]);
    assert!(none.code == 2 && none.stderr.contains("expected 1 to 1"), "{}", none.shown());
    assert_eq!(night.trunkrate(&["runs", "--format", "json"]).json(), before);
    night.trunkrate(&["verify"]).ok();
}

/// Two versions wait beside the booked one: one is chosen, the other is written off.
#[test]
fn the_other_waiting_versions_are_written_off() {
    let night = doubted(
        &[&root("AC1", US, DAY, "60", "completed")],
        &[
            &root("AC1", US, DAY, "121", "completed"),
            &root("AC1", US, DAY, "181", "completed"),
            "CA7,,AC1,,trunking-terminating,+12025550101,+850212345678,2026-11-20T10:00:00Z,,60,completed",
        ],
    );
    resolve(&night, "CA1").ok();
    let runs = night.trunkrate(&["runs", "--format", "json"]).json();
    let account = ["opening", "new", "taken_up", "closed", "closing"]
        .map(|entry| runs[2]["suspense"][entry]["records"].as_u64());
    assert_eq!(account, [Some(3), Some(0), Some(1), Some(1), Some(1)], "CA7 waits as before");
    night.trunkrate(&["verify"]).ok();
}
