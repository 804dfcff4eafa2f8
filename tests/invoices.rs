//! The life of invoices: drafts, numbers, late calls, credit notes, and what stands on them.

use crate::support::{Done, Night};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;

const SELLER: &str = "[seller]\nname = \"Carrier\"\naddress = [\"1 Street\"]\ncountry = \"DE\"\ntax_id = \"DE000000018\"\n[invoice]\ntax_category = \"standard\"\ntax_rate = \"19\"\n";

/// A call of one started minute: 0.01000.
fn call(id: &str, account: &str, start: &str) -> String {
    format!(
        "{id},,{account},TK1,trunking-terminating,+12025550101,+14155550102,{start},,30,completed"
    )
}

/// A folder with a seller, and nights of calls that are run one by one.
struct Books {
    night: Night,
}

impl Books {
    fn new() -> Self {
        let night = Night::with_plain_deck();
        night.file("trunkrate.toml", SELLER);
        Self { night }
    }

    /// Books calls; gives the run's name.
    #[track_caller]
    fn book(&self, calls: &[(&str, &str, &str)]) -> String {
        let rows: Vec<String> =
            calls.iter().map(|(id, account, start)| call(id, account, start)).collect();
        self.night.calls(&rows.iter().map(String::as_str).collect::<Vec<_>>());
        self.night.run(&[])["run_id"].as_str().expect("a name").to_owned()
    }

    fn invoice(&self, args: &[&str]) -> Done {
        self.night.trunkrate(&[&["invoice"], args].concat())
    }

    #[track_caller]
    fn issue(&self, period: &str, date: &str, more: &[&str]) -> String {
        self.invoice(
            &[&["issue", "--period", period, "--date", date, "--allow-incomplete"], more].concat(),
        )
        .ok()
    }

    /// Number, state, other, account, usage and total of all that was issued.
    #[track_caller]
    fn list(&self) -> Vec<String> {
        let list = self.invoice(&["list", "--format", "json"]).json();
        let shown = |row: &Value| {
            let text = |name: &str| row[name].as_str().expect("a text").to_owned();
            ["number", "state", "other", "account_sid", "usage", "total"].map(text).join(" ")
        };
        list.as_array().expect("a list").iter().map(shown).collect()
    }

    #[track_caller]
    fn document(&self, number: &str) -> Value {
        self.invoice(&["show", number, "--format", "json"]).json()
    }

    #[track_caller]
    fn verify(&self) {
        self.night.trunkrate(&["verify"]).ok();
    }
}

#[test]
fn numbers_have_no_gaps_and_issuing_twice_gives_nothing_new() {
    let books = Books::new();
    books.book(&[
        ("A", "AC1", "2026-11-20T10:00:00Z"),
        ("B", "AC2", "2026-11-21T10:00:00Z"),
        ("C", "AC1", "2026-12-02T10:00:00Z"),
    ]);
    let before = books.list();
    let draft = books.invoice(&["draft", "--period", "2026-11"]).ok();
    assert!(
        draft.contains("AC1") && draft.contains("0.01000") && before == books.list(),
        "{draft}"
    );
    books.issue("2026-11", "2026-12-01", &[]);
    let issued =
        ["INV-2026-000001 issued  AC1 0.01000 0.01", "INV-2026-000002 issued  AC2 0.01000 0.01"];
    assert_eq!(books.list(), issued);
    assert!(books.issue("2026-11", "2026-12-01", &[]).contains("nothing to issue"));
    assert_eq!(books.list(), issued);
    books.issue("2026-12", "2027-01-01", &[]);
    assert_eq!(
        books.list()[2],
        "INV-2027-000001 issued  AC1 0.01000 0.01",
        "a series of its own each year"
    );
    books.verify();
    let document = books.document("INV-2026-000001");
    // 0.01 × 0.19 = 0.0019
    assert_eq!(
        (&document["totals"]["net"], &document["totals"]["tax"]),
        (&"0.01".into(), &"0.00".into())
    );
    assert_eq!(document["usage"][0]["scenario_words"], "Termination: outbound leg");
}

#[test]
fn what_comes_late_stands_under_its_own_heading_or_on_an_invoice_of_its_own() {
    let books = Books::new();
    books.book(&[("A", "AC1", "2026-11-20T10:00:00Z")]);
    books.issue("2026-11", "2026-12-01", &[]);
    books.book(&[
        ("L", "AC1", "2026-11-30T23:59:59Z"),
        ("N", "AC2", "2026-11-02T00:00:00Z"),
        ("D", "AC1", "2026-12-01T00:00:00Z"),
    ]);
    assert!(
        books.issue("2026-11", "2026-12-02", &[]).contains("nothing to issue"),
        "the month was issued for all"
    );
    books.issue("2026-11", "2026-12-02", &["--supplementary", "--account", "AC2"]);
    assert_eq!(books.list()[1], "INV-2026-000002 supplementary  AC2 0.01000 0.01");
    books.issue("2026-12", "2027-01-01", &[]);
    let document = books.document("INV-2027-000001");
    let lates: Vec<&Value> =
        document["usage"].as_array().expect("lines").iter().map(|line| &line["late"]).collect();
    assert_eq!(lates, [&Value::Null, &"2026-11".into()]);
    assert_eq!(document["totals"]["usage"], "0.02000");
    assert_eq!(books.list().len(), 3);
    books.verify();
}

#[test]
fn a_credit_note_takes_an_invoice_back_and_may_let_its_legs_go() {
    let books = Books::new();
    let run =
        books.book(&[("A", "AC1", "2026-11-20T10:00:00Z"), ("B", "AC2", "2026-11-20T10:00:00Z")]);
    books.issue("2026-11", "2026-12-01", &[]);
    let undo = || books.night.trunkrate(&["undo", &run, "--reason", "an old deck"]);
    let refused = undo();
    assert!(refused.code == 1 && refused.stderr.contains("INV-2026-000001"), "{}", refused.shown());
    books
        .invoice(&[
            "credit",
            "INV-2026-000001",
            "--reason",
            "goodwill",
            "--write-off",
            "--date",
            "2026-12-02",
        ])
        .ok();
    books
        .invoice(&[
            "credit",
            "INV-2026-000002",
            "--reason",
            "wrong name",
            "--rebill",
            "--date",
            "2026-12-02",
        ])
        .ok();
    assert!(
        books
            .invoice(&[
                "credit",
                "INV-2026-000001",
                "--reason",
                "again",
                "--write-off",
                "--date",
                "2026-12-02"
            ])
            .code
            == 1
    );
    assert!(
        books
            .invoice(&[
                "credit",
                "INV-2026-000003",
                "--reason",
                "a note",
                "--write-off",
                "--date",
                "2026-12-02"
            ])
            .code
            == 1
    );
    assert!(
        books
            .invoice(&[
                "credit",
                "INV-2026-000009",
                "--reason",
                "none",
                "--write-off",
                "--date",
                "2026-12-02"
            ])
            .code
            == 1
    );
    books.issue("2026-11", "2026-12-03", &[]);
    assert_eq!(
        books.list(),
        [
            "INV-2026-000001 credited INV-2026-000003 AC1 0.01000 0.01",
            "INV-2026-000002 credited INV-2026-000004 AC2 0.01000 0.01",
            "INV-2026-000003 credit-note INV-2026-000001 AC1 -0.01000 -0.01",
            "INV-2026-000004 credit-note INV-2026-000002 AC2 -0.01000 -0.01",
            "INV-2026-000005 issued  AC2 0.01000 0.01",
        ]
    );
    let note = books.document("INV-2026-000004");
    assert_eq!(
        (&note["corrects"]["number"], &note["corrects"]["reason"]),
        (&"INV-2026-000002".into(), &"wrong name".into())
    );
    books.verify();
    let told = books.night.trunkrate(&["rerate", "B"]).ok();
    assert!(told.contains("invoiced   INV-2026-000002, credited by INV-2026-000004\n  invoiced   INV-2026-000005\n"), "{told}");
    books
        .invoice(&[
            "credit",
            "INV-2026-000005",
            "--reason",
            "all again",
            "--rebill",
            "--date",
            "2026-12-04",
        ])
        .ok();
    assert_eq!(undo().code, 1, "INV-2026-000001 was credited for good: its leg is still on it");
}

/// A run that nothing stands on any more is undone, rated again, and billed again.
#[test]
fn a_night_can_be_rated_again_once_its_invoices_were_taken_back() {
    let books = Books::new();
    let run = books.book(&[("A", "AC1", "2026-11-20T10:00:00Z")]);
    books.issue("2026-11", "2026-12-01", &[]);
    books
        .invoice(&[
            "credit",
            "INV-2026-000001",
            "--reason",
            "wrong price",
            "--rebill",
            "--date",
            "2026-12-02",
        ])
        .ok();
    books.night.trunkrate(&["undo", &run, "--reason", "wrong price"]).ok();
    books.verify();
    books.night.deck("US,United States,US,0.0200,,1,termination,,,,,,\n");
    let again = books.book(&[("A", "AC1", "2026-11-20T10:00:00Z")]);
    assert_ne!(run, again);
    books.issue("2026-11", "2026-12-03", &[]);
    assert_eq!(books.list()[2], "INV-2026-000003 issued  AC1 0.02000 0.02");
    assert_eq!(
        books.document("INV-2026-000001")["totals"]["usage"],
        "0.01000",
        "it stays what it was"
    );
    books.verify();
}

#[test]
fn what_cannot_be_issued_is_refused() {
    let books = Books::new();
    books.book(&[("O", "AC1", "2026-10-31T10:00:00Z"), ("A", "AC1", "2026-11-20T10:00:00Z")]);
    let refused = |args: &[&str], said: &str, code: i32| {
        let done = books.invoice(args);
        assert!(done.code == code && done.stderr.contains(said), "{args:?}: {}", done.shown());
    };
    refused(&["issue", "--period", "2026-11", "--date", "2026-11-30"], "is not over", 1);
    refused(&["issue", "--period", "2026-13", "--date", "2026-12-01"], "expected YYYY-MM", 2);
    refused(&["issue", "--period", "2026-11", "--date", "2026-12-1"], "expected YYYY-MM-DD", 2);
    refused(
        &["issue", "--period", "2026-11", "--date", "2026-12-01"],
        "of 2026-10 in USD, which was never issued",
        1,
    );
    books.issue("2026-10", "2026-12-01", &[]);
    refused(&["issue", "--period", "2026-11", "--date", "2026-11-30"], "is not over", 1);
    books.issue("2026-11", "2026-12-01", &[]);
    refused(
        &["credit", "INV-2026-000001", "--reason", "r", "--rebill", "--date", "2026-11-30"],
        "is before 2026-12-01, the date of",
        1,
    );
    refused(
        &["credit", "INV-2026-000001", "--reason", " ", "--rebill", "--date", "2026-12-30"],
        "--reason is empty",
        2,
    );
    books.night.file("trunkrate.toml", "[seller]\nname = \"Carrier\"\n");
    books.book(&[("D", "AC1", "2026-12-20T10:00:00Z")]);
    refused(
        &["issue", "--period", "2026-12", "--date", "2027-01-01"],
        "[seller] lacks address, country",
        1,
    );
    let other = SELLER.replace("[seller]", "[seller]\nid = \"other\"");
    books.night.file("trunkrate.toml", other.replace("\"Carrier\"", "\"Other\""));
    books.night.file("late.csv", "");
    books.issue("2026-12", "2027-01-01", &[]);
    books.night.file("trunkrate.toml", SELLER);
    books.book(&[("E", "AC1", "2027-01-20T10:00:00Z")]);
    let incomplete = ["issue", "--period", "2027-01", "--date", "2027-02-01", "--allow-incomplete"];
    refused(&incomplete, "is given already, by seller other", 1);
    books
        .night
        .file("trunkrate.toml", SELLER.replace("[invoice]", "[invoice]\nnumber_prefix = \"M-\""));
    books.issue("2027-01", "2027-02-01", &[]);
    assert_eq!(
        books.list().last().map(String::as_str),
        Some("M-2027-000001 issued  AC1 0.01000 0.01")
    );
    books.verify();
}

/// A year that was mistyped blocked its seller's series until that year, even when credited.
#[test]
fn a_wrong_date_blocks_the_series_of_its_year_alone() {
    let books = Books::new();
    books.book(&[("A", "AC1", "2026-11-20T10:00:00Z"), ("B", "AC2", "2026-11-20T10:00:00Z")]);
    // The clock is asked for nothing else, and long before 2098. A period is issued in the weeks
    // after its end.
    let far = [
        ("issue", "2026-11", "2027-12-01"),
        ("issue", "2098-12", "2099-01-01"),
        ("draft", "2098-12", "2099-01-01"),
        ("check", "2098-11", "2099-06-01"),
    ];
    for (command, period, date) in far {
        let args = [command, "--period", period, "--date", date];
        let refused = books.invoice(&args);
        let said = format!("error: --date {date} lies after today, ");
        assert!(refused.code == 1 && refused.stderr.starts_with(&said), "{}", refused.shown());
        assert!(
            refused.stderr.contains("hint: if it is meant, --future takes it"),
            "{}",
            refused.shown()
        );
        assert!(
            !books.invoice(&[&args[..], &["--future"]].concat()).stderr.contains("after today")
        );
    }
    books.issue("2026-11", "2027-12-01", &["--account", "AC1", "--future"]);
    let late =
        ["credit", "INV-2027-000001", "--reason", "typo", "--rebill", "--date", "2029-12-01"];
    assert!(
        books.invoice(&late).stderr.contains("more than 92 days after it or after INV-2027-000001")
    );
    books.issue("2026-11", "2026-12-02", &["--account", "AC2"]);
    books
        .invoice(&[
            "credit",
            "INV-2027-000001",
            "--reason",
            "typo",
            "--rebill",
            "--date",
            "2027-12-01",
            "--future",
        ])
        .ok();
    books.issue("2026-11", "2026-12-03", &["--account", "AC1"]);
    let wrong = ["issue", "--period", "2026-11", "--date", "2026-12-02", "--allow-incomplete"];
    books.book(&[("C", "AC1", "2026-11-21T10:00:00Z")]);
    let done = books.invoice(&[&wrong[..], &["--supplementary"]].concat());
    let said = "error: --date: the date 2026-12-02 is before 2026-12-03, the date of INV-2026-000002; numbers follow dates\nhint: ";
    assert!(done.code == 1 && done.stderr.starts_with(said), "{}", done.shown());
    let series = [
        "INV-2027-000001 credited INV-2027-000002 AC1 0.01000 0.01",
        "INV-2026-000001 issued  AC2 0.01000 0.01",
        "INV-2027-000002 credit-note INV-2027-000001 AC1 -0.01000 -0.01",
        "INV-2026-000002 issued  AC1 0.01000 0.01",
    ];
    assert_eq!(books.list(), series);
    books.verify();
}

/// What a credit note of 2027 let go was billed again under a date of 2026, before it was free.
#[test]
fn what_a_credit_note_let_go_is_not_billed_before_it() {
    let books = Books::new();
    books.book(&[("A", "AC1", "2026-11-20T10:00:00Z"), ("B", "AC2", "2026-11-20T10:00:00Z")]);
    books.issue("2026-11", "2026-12-01", &[]);
    books
        .invoice(&[
            "credit",
            "INV-2026-000001",
            "--reason",
            "typo",
            "--rebill",
            "--date",
            "2027-01-10",
        ])
        .ok();
    let early = books.invoice(&[
        "issue",
        "--period",
        "2026-11",
        "--date",
        "2026-12-20",
        "--allow-incomplete",
    ]);
    let said = "error: account AC1: the date 2026-12-20 is before 2027-01-10, the date of INV-2027-000001, which let go what this \
                invoice would bill in USD\nhint: date it 2027-01-10 or later";
    assert!(early.code == 1 && early.stderr.contains(said), "{}", early.shown());
    let check = books.invoice(&["check", "--period", "2026-11", "--date", "2026-12-20"]);
    assert!(check.code == 1 && check.stdout.contains("date:AC1"), "{}", check.shown());
    // A draft is no invoice yet.
    books.invoice(&["draft", "--period", "2026-11", "--date", "2026-12-20"]).ok();
    books.issue("2026-11", "2027-01-10", &[]);
    let series = [
        "INV-2026-000001 credited INV-2027-000001 AC1 0.01000 0.01",
        "INV-2026-000002 issued  AC2 0.01000 0.01",
        "INV-2027-000001 credit-note INV-2026-000001 AC1 -0.01000 -0.01",
        "INV-2027-000002 issued  AC1 0.01000 0.01",
    ];
    assert_eq!(books.list(), series);
    books.verify();
}

/// The same where the run was undone and rated again under another name, and where what was billed
/// again was let go on its own day.
#[test]
fn no_way_leads_round_a_credit_note() {
    let early = ["issue", "--period", "2026-11", "--date", "2026-12-20", "--allow-incomplete"];
    let refused = |books: &Books| {
        let done = books.invoice(&early);
        assert!(
            done.code == 1
                && done.stderr.contains("is before 2027-01-10, the date of INV-2027-000001"),
            "{}",
            done.shown()
        );
    };
    let books = Books::new();
    let run = books.book(&[("A", "AC1", "2026-11-20T10:00:00Z")]);
    books.issue("2026-11", "2026-12-01", &[]);
    let credit = |books: &Books, number: &str| {
        books
            .invoice(&["credit", number, "--reason", "price", "--rebill", "--date", "2027-01-10"])
            .ok();
    };
    credit(&books, "INV-2026-000001");
    books.night.trunkrate(&["undo", &run, "--reason", "price"]).ok();
    books.night.deck("US,United States,US,0.0200,,1,termination,,,,,,\n");
    books.book(&[("A", "AC1", "2026-11-20T10:00:00Z")]);
    refused(&books);
    books.issue("2026-11", "2027-01-10", &[]);
    books.verify();
    let books = Books::new();
    books.book(&[("A", "AC1", "2026-11-20T10:00:00Z")]);
    books.issue("2026-11", "2026-12-01", &[]);
    credit(&books, "INV-2026-000001");
    books.issue("2026-11", "2027-01-10", &[]);
    credit(&books, "INV-2027-000002");
    refused(&books);
}

/// Charges that are added once their month is billed are billed by nothing: that was no finding,
/// and no word.
#[test]
fn charges_that_no_invoice_bills_are_said() {
    let books = Books::new();
    books.book(&[("A", "AC1", "2026-11-20T10:00:00Z"), ("B", "AC1", "2027-01-20T10:00:00Z")]);
    let header = "account_sid,description,quantity,unit_price,currency\n";
    books.night.file("items.csv", format!("{header}AC1,Number,1,5,USD\n"));
    books.issue("2026-11", "2026-12-01", &["--items", "items.csv"]);
    let said = |args: &[&str]| {
        let done = books.invoice(&[args, &["--items", "items.csv"]].concat());
        format!("{}{}", done.stdout, done.stderr)
    };
    let check = ["check", "--period", "2026-11", "--date", "2026-12-02"];
    let issue = ["issue", "--period", "2026-11", "--date", "2026-12-02", "--allow-incomplete"];
    for args in [&check[..], &issue] {
        assert!(!said(args).contains("items-changed"), "{}", said(args));
    }
    books.night.file("items.csv", format!("{header}AC1,Number,1,5,USD\nAC1,Setup,1,7,USD\n"));
    let words =
        "AC1 has 2 charges for 2026-11 in USD, and INV-2026-000001 bills 1 charge, or others";
    for args in [&check[..], &issue, &["draft", "--period", "2026-11"]] {
        assert!(
            said(args).contains("items-changed:AC1:USD") && said(args).contains(words),
            "{}",
            said(args)
        );
    }
    // December was passed over.
    let january = said(&["check", "--period", "2027-01", "--date", "2027-02-01"]);
    assert!(january.contains("2 charges for 2026-12 are billed by no invoice"), "{january}");
    assert!(!january.contains("items-changed"), "{january}");
}

#[test]
fn an_account_that_nothing_knows_is_no_account() {
    let books = Books::new();
    books.book(&[("A", "AC1", "2026-11-20T10:00:00Z")]);
    for command in ["check", "draft", "issue"] {
        let args = [command, "--period", "2026-11", "--date", "2026-12-01", "--account"];
        let done = books.invoice(&[&args[..], &["ac1"]].concat());
        assert!(
            done.code == 1 && done.stderr.contains("error: --account ac1: no call of it is there"),
            "{}",
            done.shown()
        );
        assert!(!books.invoice(&[&args[..], &["AC1"]].concat()).stderr.contains("no call of it"));
    }
}

/// A check that takes a date which `issue` refuses would say that nothing stands against it.
#[test]
fn a_check_and_a_draft_take_the_dates_that_issue_takes() {
    let books = Books::new();
    books.book(&[("A", "AC1", "2026-11-20T10:00:00Z"), ("B", "AC2", "2026-11-20T10:00:00Z")]);
    books.issue("2026-11", "2026-12-02", &["--account", "AC1"]);
    for command in ["check", "draft", "issue"] {
        let done = books.invoice(&[command, "--period", "2026-11", "--date", "2028-01-06"]);
        assert!(
            done.code == 1
                && done.stderr.contains("--date 2028-01-06 is more than 400 days after 2026-11"),
            "{}",
            done.shown()
        );
    }
    let check = books.invoice(&["check", "--period", "2026-11", "--date", "2026-12-01"]);
    let said = "the date 2026-12-01 is before 2026-12-02, the date of INV-2026-000001; numbers follow dates";
    assert!(check.code == 1 && check.stdout.contains(said), "{}", check.shown());
}

#[test]
fn items_stand_beside_usage_in_their_months() {
    let books = Books::new();
    books.book(&[("A", "AC1", "2026-11-20T10:00:00Z")]);
    let header =
        "account_sid,description,quantity,unit_price,currency,tax_category,tax_rate,from,to";
    books.night.file(
        "items.csv",
        format!("{header}\nAC1,Number,2,1.15,USD,,,,2026-11\nAC2,Trunk,1,900,JPY,zero,,,\nAC1,Later,1,1,USD,,,2026-12,\n"),
    );
    books.night.file("accounts.csv", "account_sid,name\nAC2,Two\n");
    books.issue("2026-11", "2026-12-01", &["--items", "items.csv", "--accounts", "accounts.csv"]);
    // 0.01 + 2.30 = 2.31; × 0.19 = 0.4389
    assert_eq!(
        books.list(),
        ["INV-2026-000001 issued  AC1 0.01000 2.75", "INV-2026-000002 issued  AC2 0.00000 900"]
    );
    books.verify();
    for (row, said) in [
        ("AC1,Number,2,1.15,XXY,,,,", "items.csv:2: currency is `XXY`"),
        ("AC1,Number,-2,1.15,USD,,,,", "items.csv:2: quantity is `-2`"),
        ("AC1,Number,2,1e3,USD,,,,", "items.csv:2: unit_price is `1e3`"),
        ("AC1,Number,2,1,USD,vat,,,", "tax_category is `vat`"),
        ("AC1,Number,2,1,USD,zero,7,,", "tax_rate is 7 with tax_category zero"),
        ("AC1,Number,2,1,USD,,,2026,", "from is `2026`"),
        (",Number,2,1,USD,,,,", "account_sid or description is empty"),
    ] {
        books.night.file("items.csv", format!("{header}\n{row}\n"));
        let done = books.invoice(&["draft", "--period", "2026-12", "--items", "items.csv"]);
        assert!(done.code == 1 && done.stderr.contains(said), "{row}: {}", done.shown());
    }
}

/// Items are billed once a month, whatever becomes of the legs beside them.
#[test]
fn items_are_neither_lost_nor_billed_twice() {
    let books = Books::new();
    books.book(&[
        ("A", "AC1", "2026-11-20T10:00:00Z"),
        ("B", "AC2", "2026-11-20T10:00:00Z"),
        ("C", "AC1", "2026-12-20T10:00:00Z"),
    ]);
    books.night.file(
        "items.csv",
        "account_sid,description,quantity,unit_price,currency\nAC1,Number,1,1.00,USD\n",
    );
    let items = ["--items", "items.csv"];
    books.issue("2026-11", "2026-12-01", &[]);
    books.issue("2026-11", "2026-12-01", &items);
    assert_eq!(books.list()[2], "INV-2026-000003 issued  AC1 0.00000 1.19", "they were forgotten");
    assert!(books.issue("2026-11", "2026-12-01", &items).contains("nothing to issue"));
    books.issue("2026-12", "2027-01-01", &items);
    books
        .invoice(&[
            "credit",
            "INV-2026-000003",
            "--reason",
            "twice",
            "--rebill",
            "--date",
            "2027-01-01",
        ])
        .ok();
    books.issue("2026-11", "2027-01-02", &items);
    assert_eq!(
        books.list().last().map(String::as_str),
        Some("INV-2027-000003 issued  AC1 0.00000 1.19"),
        "billed again"
    );
    books.verify();
}

/// Charges that were forgotten in a month, or that a credit note let go, were never heard of again:
/// a later month said nothing.
#[test]
fn charges_that_were_forgotten_or_let_go_are_said() {
    let books = Books::new();
    books.book(&[("A", "AC1", "2026-10-20T10:00:00Z"), ("B", "AC1", "2026-11-20T10:00:00Z")]);
    let header = "account_sid,description,quantity,unit_price,currency,from";
    books.night.file(
        "items.csv",
        format!("{header}\nAC1,Number,1,1.00,USD,\nAC2,Trunk,1,50.00,USD,2026-10\n"),
    );
    books.night.file("accounts.csv", "account_sid,name\nAC1,One\nAC2,Two\n");
    books.issue("2026-10", "2026-11-01", &["--account", "AC1"]);
    let november = [
        "--period",
        "2026-11",
        "--date",
        "2026-12-01",
        "--items",
        "items.csv",
        "--accounts",
        "accounts.csv",
        "--allow-incomplete",
    ];
    // AC1 is billed since October; AC2's charge says from when it is owed.
    let skipped = "items-skipped:2026-10: 2 charges for 2026-10 are billed by no invoice, and 2026-11 comes after it";
    let said = books.invoice(&[&["check"], &november[..8]].concat()).shown();
    assert!(said.contains("items-skipped:2026-10"), "{said}");
    let done = books.invoice(&[&["issue"], &november[..]].concat());
    assert!(done.code == 0 && done.stderr.contains(skipped), "{}", done.shown());
    books.issue("2026-10", "2026-12-01", &["--items", "items.csv", "--accounts", "accounts.csv"]);
    assert_eq!(
        books.list().last().map(String::as_str),
        Some("INV-2026-000005 issued  AC2 0.00000 59.50")
    );
    let credit =
        ["credit", "INV-2026-000005", "--reason", "wrong", "--rebill", "--date", "2026-12-01"];
    let said = books.invoice(&credit).ok();
    assert!(said.contains("; its monthly charges wait until 2026-10 is issued again\n"), "{said}");
    let said = books
        .invoice(&[
            "draft",
            "--period",
            "2026-12",
            "--items",
            "items.csv",
            "--accounts",
            "accounts.csv",
        ])
        .shown();
    assert!(said.contains("items-skipped:2026-10: 1 charge for 2026-10"), "{said}");
    books.verify();
}

/// A journal that was imported from the folder of the batch before held another month, and no word
/// said so.
#[test]
fn an_index_that_holds_less_than_before_says_so() {
    let books = Books::new();
    books.book(&[("A", "AC1", "2026-10-20T10:00:00Z"), ("B", "AC1", "2026-11-20T10:00:00Z")]);
    let issue = |period: &str, date: &str| {
        let args = [
            "issue",
            "--period",
            period,
            "--date",
            date,
            "--allow-incomplete",
            "--out",
            "out",
            "--format",
            "csv,hledger",
        ];
        books.invoice(&args)
    };
    assert!(!issue("2026-10", "2026-11-01").stderr.contains("no more"));
    let said =
        "note: out: index and journals hold what was written now, and no more INV-2026-000001; ";
    let done = issue("2026-11", "2026-12-01");
    assert!(done.code == 0 && done.stderr.contains(said), "{}", done.shown());
    let all = books.invoice(&["write", "--out", "out", "--format", "csv,hledger"]);
    assert!(all.code == 0 && !all.stderr.contains("no more"), "{}", all.shown());
    let journal = std::fs::read_to_string(books.night.path().join("out/journal.hledger")).unwrap();
    assert!(
        journal.contains("INV-2026-000001") && journal.contains("INV-2026-000002"),
        "{journal}"
    );
}

/// What came late to some accounts says nothing of the others.
#[test]
fn a_supplementary_batch_closes_no_period() {
    let books = Books::new();
    books.book(&[("A", "AC1", "2026-11-20T10:00:00Z"), ("B", "AC2", "2026-11-20T10:00:00Z")]);
    books.issue("2026-11", "2026-12-01", &["--account", "AC2"]);
    books.book(&[("L", "AC2", "2026-11-21T10:00:00Z")]);
    books.issue("2026-11", "2026-12-02", &["--supplementary"]);
    books.issue("2026-11", "2026-12-02", &[]);
    let states: Vec<String> = books
        .list()
        .iter()
        .map(|row| row.split(" AC").next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(
        states,
        ["INV-2026-000001 issued ", "INV-2026-000002 supplementary ", "INV-2026-000003 issued "]
    );
    books.verify();
}

/// A credit note is of its invoice's series, whoever sells now.
#[test]
fn a_credit_note_has_the_prefix_of_its_invoice() {
    let books = Books::new();
    books.book(&[("A", "AC1", "2026-11-20T10:00:00Z")]);
    books.issue("2026-11", "2026-12-01", &[]);
    books.night.file(
        "trunkrate.toml",
        SELLER.replace("[invoice]", "id = \"other\"\n[invoice]\nnumber_prefix = \"B-\""),
    );
    books
        .invoice(&[
            "credit",
            "INV-2026-000001",
            "--reason",
            "x\ny",
            "--write-off",
            "--date",
            "2027-01-03",
        ])
        .ok();
    assert_eq!(books.list()[1], "INV-2027-000001 credit-note INV-2026-000001 AC1 -0.01000 -0.01");
    assert_eq!(books.document("INV-2027-000001")["corrects"]["reason"], "x y");
    books.verify();
}

#[test]
fn slips_are_told_before_anything_is_issued() {
    let books = Books::new();
    books.book(&[("A", "AC1", "2026-11-20T10:00:00Z")]);
    let refused = |more: &[&str], said: &str| {
        let done = books
            .invoice(&[&["issue", "--period", "2026-11", "--allow-incomplete"], more].concat());
        assert!(done.code == 1 && done.stderr.contains(said), "{more:?}: {}", done.shown());
        assert_eq!(books.list(), Vec::<String>::new());
    };
    let on = ["--date", "2026-12-01"];
    refused(&["--date", "9999-12-31"], "more than 400 days after 2026-11");
    books.night.file("accounts.csv", "account_sid,name,tax_rat\nAC1,One,7\n");
    refused(
        &[&on[..], &["--accounts", "accounts.csv"]].concat(),
        "accounts.csv:1: has the column `tax_rat`",
    );
    books.night.file("accounts.csv", format!("account_sid,name\nAC1,{}\n", "x".repeat(1001)));
    refused(
        &[&on[..], &["--accounts", "accounts.csv"]].concat(),
        "accounts.csv:2: account AC1: `xxxx",
    );
    books.night.file("a-file", "");
    refused(&[&on[..], &["--out", "a-file"]].concat(), "a-file: cannot be made");
    for own in ["ledger/staging", "ledger/undone", "ledger/invoices/new", "ledger/../ledger/runs"] {
        refused(&[&on[..], &["--out", own]].concat(), "is in the ledger's own folder");
    }
    books.night.file("trunkrate.toml", SELLER.split("[invoice]").next().expect("a seller"));
    refused(&on, "[invoice] lacks tax_category");
    books.night.file("trunkrate.toml", SELLER.replace("Carrier", "  "));
    refused(&on, "[seller] lacks name");
    books.night.file("trunkrate.toml", SELLER);
    books
        .night
        .file("items.csv", "account_sid,description,quantity,unit_price,currency\nAC1,N,999999999.999999,999999999.999999,USD\n");
    refused(&[&on[..], &["--items", "items.csv"]].concat(), "does not fit");
}

/// Values that nest so deep that the stack ends, in either kind of template, ended the command with
/// 134 and no word of them; and one that takes all memory took it.
#[test]
fn a_template_that_ends_its_process_is_an_error() {
    let books = Books::new();
    books.book(&[("A", "AC1", "2026-11-20T10:00:00Z")]);
    let chain = format!("{{{{ 1{} }}}}", "+1".repeat(100_000));
    let nested = "#let a = ()\n#for i in range(200000) { a = (a,) }\n#repr(a)\n";
    for (name, text, format) in
        [("invoice.html", chain.as_str(), "html"), ("invoice.typ", nested, "pdf")]
    {
        let folder = format!("templates-{format}");
        books.night.file(&format!("{folder}/{name}"), text);
        let on = [
            "issue",
            "--period",
            "2026-11",
            "--date",
            "2026-12-01",
            "--allow-incomplete",
            "--out",
            "out",
        ];
        let done =
            books.invoice(&[&on[..], &["--format", format, "--templates", &folder]].concat());
        let said =
            format!("error: {folder}: these templates were drawn with by a process that SIG");
        assert!(done.code == 1 && done.stderr.contains(&said), "{}", done.shown());
        assert!(done.stderr.contains("they nest too deep"), "{}", done.shown());
        assert_eq!(books.list(), Vec::<String>::new());
    }
    // What is no template's fault has the code that it always had.
    let done = books.invoice(&["issue", "--period", "2026-13", "--templates", "templates-html"]);
    assert!(done.code == 1 || done.code == 2, "{}", done.shown());
    assert!(!done.stderr.contains("these templates"), "{}", done.shown());
}

/// A template that failed at the second document left both issued, and one of them without a file.
#[test]
fn a_template_that_fails_at_one_document_issues_none() {
    let books = Books::new();
    books.book(&[("A", "AC1", "2026-11-20T10:00:00Z"), ("B", "AC2", "2026-11-20T10:00:00Z")]);
    let fails_at_second =
        "{% if document.buyer.account_sid == 'AC2' %}{{ document.totl }}{% endif %}";
    for (name, text, format, said) in [
        (
            "invoice.html",
            fails_at_second,
            "html",
            "invoice.html:1: the template cannot be used: undefined value",
        ),
        ("invoice.typ", "#let x =\n", "pdf", "invoice.typ:1: "),
    ] {
        let folder = format!("templates-{format}");
        books.night.file(&format!("{folder}/{name}"), text);
        let issue = [
            "issue",
            "--period",
            "2026-11",
            "--date",
            "2026-12-01",
            "--allow-incomplete",
            "--out",
            "out",
            "--format",
            format,
        ];
        let done = books.invoice(&[&issue[..], &["--templates", &folder]].concat());
        assert!(done.code == 1 && done.stderr.contains(said), "{}", done.shown());
        assert!(done.stderr.contains("hint: nothing is issued"), "{}", done.shown());
        assert_eq!(
            (books.list(), std::fs::read_dir(books.night.path().join("out")).unwrap().count()),
            (Vec::new(), 0)
        );
    }
    let done = books.invoice(&[
        "issue",
        "--period",
        "2026-11",
        "--date",
        "2026-12-01",
        "--allow-incomplete",
        "--out",
        "out",
        "--format",
        "html",
    ]);
    assert!(
        done.code == 0
            && done.stderr.contains("note: out: 2 documents, with index.csv and index.json"),
        "{}",
        done.shown()
    );
    let mut files: Vec<String> = std::fs::read_dir(books.night.path().join("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, ["INV-2026-000001.html", "INV-2026-000002.html", "index.csv", "index.json"]);
    assert_eq!(std::fs::read_dir(books.night.path().join("ledger/staging")).unwrap().count(), 0);
    books.verify();
}

/// What is there stays, or is replaced whole; a link and a pipe are what they were.
#[cfg(unix)]
#[test]
fn files_are_written_whole() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let books = Books::new();
    books.book(&[("A", "AC1", "2026-11-20T10:00:00Z")]);
    books.issue("2026-11", "2026-12-01", &[]);
    let there = books.night.file("there.json", "old");
    std::fs::set_permissions(&there, std::fs::Permissions::from_mode(0o600)).expect("a mode");
    symlink("there.json", books.night.path().join("link")).expect("a link");
    books.invoice(&["show", "INV-2026-000001", "--format", "json", "--out", "link"]).ok();
    let meta = std::fs::symlink_metadata(books.night.path().join("link")).expect("the link");
    let text = std::fs::read_to_string(&there).expect("the file");
    assert!(meta.is_symlink() && text.contains("INV-2026-000001"), "{text}");
    assert_eq!(std::fs::metadata(&there).expect("the file").permissions().mode() & 0o777, 0o600);
    books.invoice(&["show", "INV-2026-000001", "--format", "json", "--out", "/dev/null"]).ok();
    books.night.file("victim", "mine");
    std::fs::create_dir(books.night.path().join("out")).expect("a folder");
    symlink("../victim", books.night.path().join("out/.index.csv.part")).expect("a link");
    books.invoice(&["write", "--out", "out", "--format", "json"]).ok();
    assert_eq!(
        std::fs::read_to_string(books.night.path().join("victim")).expect("the file"),
        "mine"
    );
    let full =
        books.invoice(&["show", "INV-2026-000001", "--format", "json", "--out", "/dev/full"]);
    assert!(
        full.code == 1 && full.stderr.contains("/dev/full: cannot be written"),
        "{}",
        full.shown()
    );
}

/// The catalog knows a batch that is gone, and `verify` one that is not as it was.
#[test]
fn a_lost_batch_is_missed() {
    let books = Books::new();
    books.book(&[("A", "AC1", "2026-11-20T10:00:00Z")]);
    books.issue("2026-11", "2026-12-01", &[]);
    let invoices = books.night.path().join("ledger/invoices");
    std::fs::rename(&invoices, books.night.path().join("elsewhere")).expect("moved");
    for args in
        [&["verify"][..], &["invoice", "issue", "--period", "2026-11", "--date", "2026-12-01"]]
    {
        let done = books.night.trunkrate(args);
        assert!(
            done.code == 1 && done.stderr.contains("is missing or was changed"),
            "{}",
            done.shown()
        );
    }
}

// ---- the claims, by a model that marks legs
// -----------------------------------------------------------------------

/// What may happen in a month of books.
#[derive(Debug, Clone)]
enum Act {
    /// A night with calls: account and month.
    Night(Vec<(u8, u8)>),
    Issue {
        month: u8,
        account: Option<u8>,
        supplementary: bool,
    },
    /// Credits the nth invoice, if there is one.
    Credit {
        nth: usize,
        rebill: bool,
    },
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let night = proptest::collection::vec((1..3_u8, 0..3_u8), 1..5).prop_map(Act::Night);
    let issue = (0..3_u8, proptest::option::of(1..3_u8), any::<bool>())
        .prop_map(|(month, account, supplementary)| Act::Issue { month, account, supplementary });
    let credit = (0..6_usize, any::<bool>()).prop_map(|(nth, rebill)| Act::Credit { nth, rebill });
    proptest::collection::vec(prop_oneof![2 => night, 4 => issue, 2 => credit], 2..14)
}

/// What closes a month of an account, or opens it.
enum Event {
    Issued(Option<u8>, u8),
    LetGo(usize),
}

struct Invoice {
    account: u8,
    month: u8,
    supplementary: bool,
    credited: bool,
}

#[derive(Default)]
struct Model {
    /// Account, month, and the invoice that bills it.
    legs: Vec<(u8, u8, Option<usize>)>,
    invoices: Vec<Invoice>,
    events: Vec<Event>,
}

impl Model {
    fn billed_until(&self, account: u8) -> Option<i16> {
        let mut until = None;
        for event in &self.events {
            match event {
                Event::Issued(only, month) if only.is_none_or(|only| only == account) => {
                    until = until.max(Some(i16::from(*month)));
                }
                Event::LetGo(at) => {
                    let Invoice { account: own, month, supplementary, .. } = self.invoices[*at];
                    if own == account && !supplementary && until == Some(i16::from(month)) {
                        until = Some(i16::from(month) - 1);
                    }
                }
                Event::Issued(..) => {}
            }
        }
        until
    }

    /// What an issue gives: account and legs; `None` if a month before was never issued.
    fn issue(
        &mut self,
        month: u8,
        account: Option<u8>,
        supplementary: bool,
    ) -> Option<Vec<(u8, usize)>> {
        let mut given = Vec::new();
        for own in (1..3).filter(|own| account.is_none_or(|account| account == *own)) {
            let billed = self.billed_until(own);
            let is_open =
                |leg: &(u8, u8, Option<usize>)| leg.0 == own && leg.1 <= month && leg.2.is_none();
            let open: Vec<usize> =
                (0..self.legs.len()).filter(|at| is_open(&self.legs[*at])).collect();
            if (billed >= Some(i16::from(month))) != supplementary || open.is_empty() {
                continue;
            }
            if open
                .iter()
                .any(|at| self.legs[*at].1 < month && Some(i16::from(self.legs[*at].1)) > billed)
            {
                return None;
            }
            given.push((own, open));
        }
        let mut shown = Vec::new();
        for (own, open) in given {
            for at in &open {
                self.legs[*at].2 = Some(self.invoices.len());
            }
            shown.push((own, open.len()));
            self.invoices.push(Invoice { account: own, month, supplementary, credited: false });
        }
        if !shown.is_empty() && !supplementary {
            self.events.push(Event::Issued(account, month));
        }
        Some(shown)
    }

    fn credit(&mut self, nth: usize, rebill: bool) {
        self.invoices[nth].credited = true;
        if rebill {
            self.events.push(Event::LetGo(nth));
            for leg in self.legs.iter_mut().filter(|leg| leg.2 == Some(nth)) {
                leg.2 = None;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever happens, each leg is on one invoice that stands or waits for one, and `verify`
    /// agrees.
    #[test]
    fn legs_are_billed_once(acts in acts()) {
        let books = Books::new();
        books.book(&[("START", "AC1", "2026-10-01T00:00:00Z")]);
        let (mut model, mut numbers, mut next): (Model, BTreeMap<usize, String>, u32) = (Model::default(), BTreeMap::new(), 0);
        model.legs.push((1, 0, None));
        for act in acts {
            match act {
                Act::Night(calls) => {
                    let mut rows = Vec::new();
                    for (account, month) in calls {
                        next += 1;
                        rows.push((format!("C{next}"), format!("AC{account}"), format!("2026-{:02}-05T00:00:{:02}Z", 10 + month, next % 60)));
                        model.legs.push((account, month, None));
                    }
                    let rows: Vec<_> = rows.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str())).collect();
                    books.book(&rows);
                }
                Act::Issue { month, account, supplementary } => {
                    let (period, name) = (format!("2026-{:02}", 10 + month), account.map(|a| format!("AC{a}")));
                    let accounts = name.map_or(vec![], |name| vec!["--account".to_owned(), name]);
                    // A month of six calls after one of a single call is more than five times that.
                    let mut args =
                        vec!["issue", "--period", &period, "--date", "2027-02-01", "--allow-incomplete", "--accept", "jump"];
                    args.extend(accounts.iter().map(String::as_str));
                    if supplementary {
                        args.push("--supplementary");
                    }
                    let before = books.list().len();
                    let is_unknown = account.is_some_and(|account| model.legs.iter().all(|(own, ..)| *own != account));
                    let expected = if is_unknown { None } else { model.issue(month, account, supplementary) };
                    let done = books.invoice(&args);
                    prop_assert_eq!(done.code, i32::from(expected.is_none()), "{:?}: {}", args, done.shown());
                    let list = books.list();
                    let expected = expected.unwrap_or_default();
                    prop_assert_eq!(list.len() - before, expected.len(), "{:?} {:?}", args, list);
                    for (at, (own, legs)) in expected.iter().enumerate() {
                        let row = &list[before + at];
                        let usage = format!(" AC{own} 0.{legs:02}000 ");
                        prop_assert!(row.contains(&usage), "{} {}", row, usage);
                        numbers.insert(model.invoices.len() - expected.len() + at, row.split(' ').next().unwrap_or_default().to_owned());
                    }
                }
                Act::Credit { nth, rebill } => {
                    let Some(number) = numbers.get(&nth) else { continue };
                    let legs = if rebill { "--rebill" } else { "--write-off" };
                    let args = ["credit", number, "--reason", "r", legs, "--date", "2027-02-01"];
                    let done = books.invoice(&args);
                    prop_assert_eq!(done.code, i32::from(model.invoices[nth].credited), "{}", done.shown());
                    if !model.invoices[nth].credited {
                        model.credit(nth, rebill);
                    }
                }
            }
        }
        let done = books.night.trunkrate(&["verify"]);
        prop_assert_eq!(done.code, 0, "{}", done.shown());
    }
}

/// A charge whose currency was corrected after its month was issued was billed a second time, in
/// the other currency.
#[test]
fn a_charge_that_changes_its_currency_is_billed_once() {
    let books = Books::new();
    books.book(&[("A", "AC1", "2026-10-20T10:00:00Z")]);
    let list = |currency: &str| {
        let header = "account_sid,description,quantity,unit_price,currency";
        books.night.file("items.csv", format!("{header}\nAC1,Trunk,1,10.00,{currency}\n"));
    };
    let items = ["--items", "items.csv"];
    list("USD");
    books.issue("2026-10", "2026-11-01", &items);
    let before = books.list();
    list("EUR");
    let issue = [
        "issue",
        "--period",
        "2026-10",
        "--date",
        "2026-11-01",
        "--allow-incomplete",
        "--items",
        "items.csv",
    ];
    let done = books.invoice(&issue);
    let said = "items-changed:AC1:USD: AC1 has no charge for 2026-10 in USD any more, and INV-2026-000001 bills 1 charge: ";
    assert!(done.code == 0 && done.stderr.contains(said), "{}", done.shown());
    assert_eq!(books.list(), before);
    // Credited, it is billed anew.
    books
        .invoice(&[
            "credit",
            "INV-2026-000001",
            "--reason",
            "currency",
            "--rebill",
            "--date",
            "2026-11-01",
        ])
        .ok();
    books.issue("2026-10", "2026-11-01", &items);
    let rows = books.list();
    assert_eq!(rows[rows.len() - 2], "INV-2026-000003 issued  AC1 0.00000 11.90", "{rows:?}");
    books.verify();
}

/// What cannot be written is told before a number is given, and another document of a number is not
/// replaced without a word.
#[test]
fn files_that_are_in_the_way_are_told() {
    let books = Books::new();
    books.book(&[("A", "AC1", "2026-11-20T10:00:00Z")]);
    let issue = [
        "issue",
        "--period",
        "2026-11",
        "--date",
        "2026-12-01",
        "--allow-incomplete",
        "--out",
        "out",
        "--format",
        "json",
    ];
    books.night.file("out/INV-2026-000001.json/in-the-way.txt", "");
    let done = books.invoice(&issue);
    assert!(
        done.code == 1 && done.stderr.contains("INV-2026-000001.json: is a folder"),
        "{}",
        done.shown()
    );
    assert!(done.stderr.contains("hint: nothing is issued"), "{}", done.shown());
    assert_eq!(books.list(), Vec::<String>::new());
    let left = std::fs::read_dir(books.night.path().join("out")).unwrap().count();
    assert_eq!(left, 1, "nothing is left beside it");
    std::fs::remove_dir_all(books.night.path().join("out")).unwrap();
    books.night.file("out/INV-2026-000001.json", "{\"another\": \"document\"}\n");
    let done = books.invoice(&issue);
    let said = "warning: out/INV-2026-000001.json: held another document of this number, which is replaced";
    assert!(done.code == 0 && done.stderr.contains(said), "{}", done.shown());
    let again = books.invoice(&["write", "--out", "out", "--format", "json"]);
    assert!(again.code == 0 && !again.stderr.contains("another document"), "{}", again.shown());
}
