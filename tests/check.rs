//! What waits, by cause and with an estimate; what stands against issuing; and what becomes of a
//! credited invoice's legs.

use crate::support::{DECK_HEADER, Done, Night};
use serde_json::{Value, json};

const SELLER: &str = "[seller]\nname = \"Carrier\"\naddress = [\"1 Street\"]\npostcode = \"10115\"\ncity = \"Berlin\"\ncountry = \"DE\"\ntax_id = \"DE000000018\"\nemail = \"a@carrier.example\"\n[invoice]\niban = \"DE02370502990000684712\"\ntax_category = \"standard\"\ntax_rate = \"19\"\n";

const ACCOUNTS: &str = "account_sid,name,deck,address,postcode,city,country,tax_id,email,reference\n\
    AC1,One Ltd,,1 Lane,10115,Berlin,DE,DE000000018,one@example.org,R1\n\
    AC2,Two Ltd,,2 Lane,10115,Berlin,DE,DE000000018,two@example.org,R2\n\
    AC3,Three Ltd,,3 Lane,10115,Berlin,DE,DE000000018,three@example.org,R3\n";

const TRUNKS: &str = r#"{"trunks": [{"sid": "TK1", "domain_name": "one.pstn.twilio.com", "transfer_mode": "MODE", "transfer_caller_id": "from-transferee"}]}"#;

/// Terminations at 0.0100 to +1, 0.0200 to +44 and 0.0900 to +353, so that 0.0200 is the middle;
/// originations at 0.0034.
fn night() -> Night {
    let night = Night::new();
    night.deck(
        "US,United States,US,0.0100,,1,,,,,,,\nGB,United Kingdom,GB,0.0200,,44,,,,,,,\n\
         IE,Ireland,IE,0.0900,,353,,,,,,,\nUS,United States,US in,0.0034,,1,origination,,,,,,\n",
    );
    night.file("trunks.json", TRUNKS.replace("MODE", "disable-all"));
    night.file("trunkrate.toml", SELLER);
    night.file("accounts.csv", ACCOUNTS);
    night
}

fn run(night: &Night, calls: &[&str]) {
    night.calls(calls);
    night.run(&["--trunks", "trunks.json", "--accounts", "accounts.csv"]);
}

/// The sentences of `suspense`, one per cause.
fn causes(night: &Night, more: &[&str]) -> Vec<String> {
    let text = night.trunkrate(&[&["suspense"], more].concat()).ok();
    let is_sentence =
        |line: &&str| !line.is_empty() && !line.starts_with(' ') && !line.contains("--all");
    text.lines().filter(is_sentence).map(str::to_owned).collect()
}

const ROOT: &str = "CA4,,AC1,TK1,trunking-terminating,+12025550101,+14155550102,2026-11-20T12:00:00Z,,300,completed";
/// Of a trunk that allows no transfers.
const DISABLED: &str =
    "CA5,CA4,AC1,TK1,,+12025550101,+13035550103,2026-11-20T12:05:00Z,,61,completed";

/// A night in which a call waits for each of many causes.
const WAITING: [&str; 11] = [
    "CA1,,AC1,TK1,trunking-terminating,+12025550101,+541123456789,2026-11-20T10:00:00Z,,61,completed",
    "CA2,,AC1,TK1,trunking-terminating,+12025550101,+541198765432,2026-11-19T10:00:00Z,,300,completed",
    "CA3,CA99,AC1,TK1,,+12025550101,+442071838750,2026-11-20T11:00:00Z,,90,completed",
    ROOT,
    DISABLED,
    "CA6,,AC2,TK1,trunking-terminating,+12025550101,+14155550102,2026-11-20T13:00:00Z,,,ringing",
    "CA7,,AC2,TK1,trunking-terminating,+12025550101,+14155550102,2026-11-20T14:00:00Z,,60,completed",
    "CA7,,AC2,TK1,trunking-terminating,+12025550101,+14155550102,2026-11-20T14:00:00Z,,61,completed",
    "CA8,,AC2,TK1,trunking-originating,+12025550101,+442071838750,2026-11-20T15:00:00Z,,60,completed",
    "CA10,CA1,AC1,TK1,,+12025550101,+14155550104,2026-11-20T10:01:00Z,,60,completed",
    "CA9,\"",
];

#[test]
fn what_waits_stands_by_cause_with_what_it_would_cost() {
    let night = night();
    run(&night, &WAITING);
    assert_eq!(
        causes(&night, &[]),
        [
            // 61 s are 2 minutes and 300 s are 5: 7 × 0.0200, the middle of 0.0100, 0.0200 and
            // 0.0900.
            "2 calls: no price for +54, about 0.14 USD, since 2026-11-19",
            // The leg to +44 alone, 2 × 0.0200.
            "1 call: transfers of 2026-11-20 whose parents were not seen yet, about 0.04 USD, since 2026-11-20",
            // (A→B) and (A→C), 2 × 0.0100 each.
            "1 call: the trunk TK1 allows no transfers, about 0.04 USD, since 2026-11-20",
            // (A→B) to +54 by the middle, 0.0200, and (A→C) 0.0100.
            "1 call: transfers whose parents wait (no-rate), about 0.03 USD, since 2026-11-20",
            // 61 s cost more than 60 s: 2 × 0.0100.
            "1 call: several versions of one call, account AC2, about 0.02 USD, since 2026-11-20",
            // 1 × 0.0034, of which a cent is not the half.
            "1 call: no origination price for +44, about 0.0034 USD, since 2026-11-20",
            "1 call: text that is no record, in calls.csv, money not known",
            "1 call: status is `ringing`, money not known, since 2026-11-20",
        ]
    );
    insta::assert_snapshot!(night.trunkrate(&["suspense"]).ok());
    // Any filter holds for causes too.
    assert_eq!(
        causes(&night, &["--reason", "no-rate", "--account", "AC2"]),
        ["1 call: no origination price for +44, about 0.0034 USD, since 2026-11-20"]
    );
    assert_eq!(causes(&night, &["--source", "other.csv"]), ["nothing waits"]);
}

#[test]
fn scripts_find_the_list_where_it_was() {
    let night = night();
    run(&night, &WAITING);
    let list = night.trunkrate(&["suspense", "--format", "json"]).json();
    assert_eq!(list.as_array().map(Vec::len), Some(10));
    assert_eq!(list[1]["call_sid"], "CA1");
    let csv = night.trunkrate(&["suspense", "--format", "csv"]).ok();
    assert!(csv.starts_with("call_sid,parent_call_sid,account_sid,reason,detail,"), "{csv}");
    let all = night.trunkrate(&["suspense", "--all"]).ok();
    assert!(all.starts_with("reason ") && all.contains("CA10"), "{all}");
    let causes = night.trunkrate(&["suspense", "--by-cause", "--format", "json"]).json();
    assert_eq!(causes[0]["cause"], "no-rate:test:termination:54");
    assert_eq!(causes[0]["estimate"], json!([{ "currency": "USD", "amount": "0.14000" }]));
    assert_eq!(
        (&causes[0]["calls"], &causes[0]["records"], &causes[0]["seconds"]),
        (&json!(2), &json!(2), &json!(361))
    );
    assert_eq!(causes[4]["records"], 2);
    assert_eq!(causes[7]["estimate"], json!([]));
    for args in [["--by-cause", "--all"], ["--by-cause", "--counts"], ["--counts", "--all"]] {
        assert_eq!(night.trunkrate(&[&["suspense"][..], &args].concat()).code, 2, "{args:?}");
    }
    let report = night.trunkrate(&["report", "--format", "json"]).json();
    assert_eq!(report["suspense"]["causes"], causes);
    assert_eq!(report["suspense"]["reasons"].as_array().map(Vec::len), Some(7));
    let page = night.trunkrate(&["report", "--format", "html"]).ok();
    assert!(page.contains("no price for +54") && page.contains("about 0.14 USD"), "{page}");
}

/// The parent is booked by the same run, or by an earlier one; and when the obstacle goes, the
/// estimate is what is booked.
#[test]
fn an_estimate_is_what_is_booked_when_the_obstacle_goes() {
    let said = ["1 call: the trunk TK1 allows no transfers, about 0.04 USD, since 2026-11-20"];
    let apart = night();
    run(&apart, &[ROOT]);
    run(&apart, &[DISABLED]);
    assert_eq!(causes(&apart, &[]), said);
    let night = night();
    run(&night, &[ROOT, DISABLED]);
    assert_eq!(causes(&night, &[]), said);
    night.file("trunks.json", TRUNKS.replace("MODE", "enable-all"));
    let retry = [
        "suspense",
        "retry",
        "--rates",
        "rates",
        "--trunks",
        "trunks.json",
        "--accounts",
        "accounts.csv",
    ];
    let booked = night.trunkrate(&[&retry[..], &["--format", "json"]].concat()).json();
    assert_eq!(booked["amount"], json!({ "USD": "0.04000" }));
    assert_eq!(causes(&night, &[]), ["nothing waits"]);
}

/// A destination that has rows for other callers costs about what it costs them.
#[test]
fn a_row_for_other_callers_is_nearer_than_the_middle() {
    let night = night();
    night.deck(
        "US,United States,US,0.0100,,1,,,,,,,\nDE,Germany,DE,0.0300,\"49, 33\",49,,,,,,,\n\
         FR,France,FR,0.0500,,33,,,,,,2027-01-01,\n",
    );
    run(
        &night,
        &[
            "CA1,,AC1,,trunking-terminating,+12025550101,+493012345678,2026-11-20T10:00:00Z,,60,completed",
            "CA2,,AC1,,trunking-terminating,anonymous,+493012345678,2026-11-20T10:00:00Z,,61,completed",
            "CA3,,AC1,,trunking-terminating,+12025550101,+33123456789,2026-11-20T10:00:00Z,,60,completed",
        ],
    );
    assert_eq!(
        causes(&night, &[]),
        [
            "1 call: no price for +49 from an unknown caller, about 0.06 USD, since 2026-11-20",
            "1 call: no price for +33 on 2026-11-20, about 0.05 USD, since 2026-11-20",
            "1 call: no price for +49 from +1, about 0.03 USD, since 2026-11-20",
        ]
    );
}

#[test]
fn two_currencies_are_never_added() {
    let night = two_decks();
    assert_eq!(
        causes(&night, &[]),
        [
            "1 call: no price for +54 in the deck `euros`, about 0.05 EUR, since 2026-11-20",
            "1 call: no price for +54 in the deck `dollars`, about 0.01 USD, since 2026-11-20",
        ]
    );
    let checked = check(&night, "2026-11", &["--format", "json"]);
    assert_eq!(checked.code, 1);
    let found: Value = serde_json::from_str(&checked.stdout).expect("JSON");
    assert_eq!(
        found["against"][0]["words"],
        "2 calls of 2026-11 wait as no-rate, about 0.05 EUR and 0.01 USD"
    );
}

fn two_decks() -> Night {
    let night = night();
    for (folder, currency, row) in [
        ("dollars", "USD", "US,United States,US,0.0100,,1"),
        ("euros", "EUR", "DE,Germany,DE,0.0500,,49"),
    ] {
        night.file(
            &format!("rates/{folder}/deck.toml"),
            format!("name = \"{folder}\"\ncurrency = \"{currency}\"\n"),
        );
        night.file(&format!("rates/{folder}/prices.csv"), format!("{DECK_HEADER}\n{row},,,,,,,\n"));
    }
    for file in ["rates/deck.toml", "rates/prices.csv"] {
        std::fs::remove_file(night.path().join(file)).expect("a file");
    }
    night.file(
        "accounts.csv",
        ACCOUNTS
            .replace("One Ltd,,", "One Ltd,dollars,")
            .replace("Two Ltd,,", "Two Ltd,euros,")
            .replace("Three Ltd,,", "Three Ltd,euros,"),
    );
    let to = "trunking-terminating,+12025550101,+541123456789,2026-11-20T10:00:00Z,,60,completed";
    run(&night, &[&format!("CA1,,AC1,,{to}"), &format!("CA2,,AC2,,{to}")]);
    night
}

// ---- invoice check and issue
// ------------------------------------------------------------------------------------

/// So many calls of one started minute, 0.01000 each.
fn month(night: &Night, calls: &[(&str, usize, &str)], more: &[&str]) {
    let row = |(account, count, month): &(&str, usize, &str)| -> Vec<String> {
        let one = |n| {
            format!(
                "{account}-{month}-{n},,{account},TK1,trunking-terminating,+12025550101,+14155550102,{month}-02T10:00:{n:02}Z,,30,completed"
            )
        };
        (0..*count).map(one).collect()
    };
    let rows: Vec<String> = calls.iter().flat_map(row).collect();
    run(night, &rows.iter().map(String::as_str).chain(more.iter().copied()).collect::<Vec<_>>());
}

fn invoice(night: &Night, args: &[&str]) -> Done {
    night.trunkrate(&[&["invoice"], args].concat())
}

/// `check` on the first of December.
fn check(night: &Night, period: &str, more: &[&str]) -> Done {
    invoice(night, &[&["check", "--period", period, "--date", "2026-12-01"], more].concat())
}

const NO_RATE: &str = "CA1,,AC1,TK1,trunking-terminating,+12025550101,+541123456789,2026-11-20T10:00:00Z,,61,completed";

/// October is issued; in November AC1 jumps from 0.01 to 0.06, AC2 is gone but for a late call of
/// October, AC3 has just five times as much, and a call of AC1 waits.
fn books() -> Night {
    let night = night();
    month(&night, &[("AC1", 1, "2026-10"), ("AC2", 2, "2026-10"), ("AC3", 1, "2026-10")], &[]);
    invoice(&night, &["issue", "--period", "2026-10", "--date", "2026-11-01"]).ok();
    let late = "L,,AC2,TK1,trunking-terminating,+12025550101,+14155550102,2026-10-31T10:00:00Z,,0,completed";
    month(
        &night,
        &[("AC1", 6, "2026-11"), ("AC3", 5, "2026-11")],
        &[NO_RATE, late, &late.replace("L,,", "M,,").replace(",0,", ",30,")],
    );
    night
}

fn ids(check: &Value) -> Vec<String> {
    let id = |against: &Value| {
        format!("{} {}", against["id"].as_str().expect("an id"), against["stops"])
    };
    check["against"].as_array().expect("a list").iter().map(id).collect()
}

#[test]
fn a_check_lists_what_stands_against_issuing() {
    let night = books();
    let checked = check(&night, "2026-11", &["--format", "json"]);
    assert_eq!(
        (checked.code, checked.stderr.as_str()),
        (1, "error: 4 things stand against issuing 2026-11, 2 of which stop it\n")
    );
    let found: Value = serde_json::from_str(&checked.stdout).expect("JSON");
    // Just five times, as AC3 has it, is no jump.
    assert_eq!(
        ids(&found),
        ["waiting:no-rate true", "jump:AC1:USD true", "gone:AC2 false", "late:2026-10 false"]
    );
    assert_eq!(
        found["against"][0]["causes"][0]["estimate"],
        json!([{ "currency": "USD", "amount": "0.04000" }])
    );
    let jump = &found["against"][1];
    assert_eq!(
        jump["words"],
        "AC1 has 0.06000 USD in 2026-11, over five times the 0.01000 USD of 2026-10"
    );
    assert_eq!(
        (&jump["before"][0]["amount"], &jump["now"][0]["amount"]),
        (&json!("0.01000"), &json!("0.06000"))
    );
    insta::assert_snapshot!(check(&night, "2026-11", &[]).shown());
    let other = check(&night, "2026-11", &["--account", "AC2", "--format", "json"]);
    assert_eq!(
        ids(&serde_json::from_str(&other.stdout).expect("JSON")),
        ["gone:AC2 false", "late:2026-10 false"]
    );
}

#[test]
fn issuing_stops_on_what_cannot_be_right() {
    let night = books();
    let issue = |more: &[&str]| {
        invoice(&night, &[&["issue", "--period", "2026-11", "--date", "2026-12-01"], more].concat())
    };
    let batches =
        || std::fs::read_dir(night.path().join("ledger/invoices")).expect("batches").count();
    let stopped = issue(&[]);
    insta::assert_snapshot!(stopped.shown());
    assert_eq!((stopped.code, batches()), (1, 1));
    assert_eq!((issue(&["--accept", "waiting:no-rate"]).code, batches()), (1, 1));
    assert_eq!(
        (issue(&["--accept", "jump:AC1:USD", "--accept", "waiting:not-final"]).code, batches()),
        (1, 1)
    );
    for slip in ["waiting:no-rates", "jmp:AC1:USD", "all", "jump:AC1", "gone:AC2", ""] {
        assert_eq!((issue(&["--accept", slip]).code, batches()), (2, 1), "{slip}");
    }
    let done = issue(&[
        "--accept",
        "waiting:no-rate",
        "--accept",
        "jump:AC1:USD",
        "--accept",
        "jump:AC9:USD",
    ]);
    assert!(
        done.code == 0
            && done.stderr.contains("--accept jump:AC9:USD: nothing of that kind stands"),
        "{}",
        done.shown()
    );
    let mut kept: Vec<Value> = std::fs::read_dir(night.path().join("ledger/invoices"))
        .expect("batches")
        .map(|batch| {
            std::fs::read_to_string(batch.expect("a batch").path().join("manifest.json"))
                .expect("a manifest")
        })
        .map(|text| serde_json::from_str(&text).expect("JSON"))
        .collect();
    kept.sort_by_key(|batch| batch["sequence"].as_u64());
    assert_eq!(kept[0].get("accepted"), None, "absent where nothing was accepted");
    assert_eq!(kept[1]["accepted"], json!(["jump:AC1:USD", "waiting:no-rate"]));
    night.trunkrate(&["verify"]).ok();
    // Again it gives nothing new, and stops on nothing.
    assert!(issue(&[]).ok().contains("nothing to issue"));
}

#[test]
fn a_kind_alone_accepts_all_of_it() {
    let night = books();
    let args = [
        "issue",
        "--period",
        "2026-11",
        "--date",
        "2026-12-01",
        "--accept",
        "waiting",
        "--accept",
        "jump",
    ];
    invoice(&night, &args).ok();
    let list = invoice(&night, &["list", "--period", "2026-11", "--format", "json"]).json();
    assert_eq!(list.as_array().map(Vec::len), Some(3));
}

/// What settles itself is said, and does not stop: the final record, the parent's export.
#[test]
fn what_settles_itself_does_not_stop() {
    let night = night();
    let ringing = "CA6,,AC2,TK1,trunking-terminating,+12025550101,+14155550102,2026-11-20T13:00:00Z,,,ringing";
    let lost = "CA3,CA99,AC1,TK1,,+12025550101,+442071838750,2026-11-20T11:00:00Z,,90,completed";
    month(&night, &[("AC1", 1, "2026-11")], &[ringing, lost]);
    let done = invoice(&night, &["issue", "--period", "2026-11", "--date", "2026-12-01"]);
    assert_eq!(done.code, 0, "{}", done.shown());
    let said = "note: waiting:not-final: 1 call of 2026-11 waits as not-final, money not known (1 call: status is `ringing`)\n\
                note: waiting:parent-missing: 1 call of 2026-11 waits as parent-missing, about 0.04 USD \
                (1 call: transfers of 2026-11-20 whose parents were not seen yet)\n";
    assert!(done.stderr.starts_with(said), "{}", done.stderr);
}

/// A record whose start cannot be read may be of the month, unless it waited before it; one of an
/// earlier month is said.
#[test]
fn what_has_no_month_may_be_of_this_one() {
    let night = night();
    month(&night, &[("AC1", 1, "2026-10")], &["CA9,\""]);
    month(&night, &[("AC1", 1, "2026-11")], &[&NO_RATE.replace("2026-11-20", "2026-10-20")]);
    let of = |period: &str| {
        let checked = check(&night, period, &["--format", "json"]);
        ids(&serde_json::from_str(&checked.stdout).expect("JSON"))
    };
    assert_eq!(of("2026-10"), ["waiting:malformed-record true", "waiting:no-rate true"]);
    assert_eq!(of("2026-11"), ["unissued:2026-10 true", "waiting-earlier false"]);
}

#[test]
fn a_month_without_a_fault_is_good() {
    let night = night();
    month(&night, &[("AC1", 1, "2026-10"), ("AC1", 1, "2026-11")], &[]);
    invoice(&night, &["issue", "--period", "2026-10", "--date", "2026-11-01"]).ok();
    for period in ["2026-10", "2026-11"] {
        let good = format!(
            "exit code: 0\n--- stdout\nnothing stands against issuing {period}\n--- stderr\n"
        );
        assert_eq!(check(&night, period, &[]).shown(), good);
    }
    let early = check(&night, "2026-12", &["--format", "json"]);
    assert_eq!(
        ids(&serde_json::from_str(&early.stdout).expect("JSON")),
        ["period true", "unissued:2026-11 true", "gone:AC1 false"]
    );
    // Without a date it is today.
    let later = invoice(&night, &["check", "--period", "2190-01"]);
    assert!(later.code == 1 && later.stdout.contains("2190-01 is not over"), "{}", later.shown());
}

#[test]
fn accounts_that_lack_something_and_invoices_over_nothing() {
    let night = night();
    night.deck("US,United States,US,0.0000,,1,,,,,,,\n");
    night.file(
        "accounts.csv",
        ACCOUNTS
            .replace("Two Ltd,,2 Lane,10115,Berlin,DE", "Two Ltd,,,10115,Berlin,")
            .replace("AC3", "AC4"),
    );
    month(&night, &[("AC1", 1, "2026-10"), ("AC2", 1, "2026-10"), ("AC3", 1, "2026-10")], &[]);
    let checked = check(&night, "2026-10", &["--format", "json"]);
    let found: Value = serde_json::from_str(&checked.stdout).expect("JSON");
    let expected = [
        "incomplete:AC2 false",
        "incomplete:AC3 false",
        "zero:AC1:USD false",
        "zero:AC2:USD false",
        "zero:AC3:USD false",
    ];
    assert_eq!(ids(&found), expected);
}

// ---- credit notes
// -----------------------------------------------------------------------------------------------

#[test]
fn a_credit_note_says_what_becomes_of_the_legs() {
    let night = night();
    month(&night, &[("AC1", 1, "2026-10"), ("AC2", 1, "2026-10")], &[]);
    invoice(&night, &["issue", "--period", "2026-10", "--date", "2026-11-01"]).ok();
    let credit = |number: &str, more: &[&str]| {
        invoice(
            &night,
            &[&["credit", number, "--reason", "r", "--date", "2026-11-02"], more].concat(),
        )
    };
    let neither = credit("INV-2026-000001", &[]);
    let said = "error: one of --rebill and --write-off is missing: say what becomes of the invoice's legs\n\
                hint: --rebill lets the next invoice bill them again; --write-off credits them for good: no invoice bills them again; --lines, --calls or --amount credit a part\n";
    assert_eq!((neither.code, neither.stderr.as_str()), (2, said));
    assert_eq!(credit("INV-2026-000001", &["--rebill", "--write-off"]).code, 2);
    assert_eq!(
        invoice(&night, &["list", "--format", "json"]).json().as_array().map(Vec::len),
        Some(2),
        "nothing was credited"
    );
    let off = credit("INV-2026-000001", &["--write-off"]).ok();
    let said = "issued: credit note INV-2026-000003 over 0.01 USD, for INV-2026-000001; its legs are written off\nhead ";
    assert!(off.starts_with(said), "{off}");
    let again = credit("INV-2026-000002", &["--rebill"]).ok();
    assert!(again.contains("for INV-2026-000002; its legs wait for the next invoice\n"), "{again}");
    let issued = invoice(&night, &["issue", "--period", "2026-10", "--date", "2026-11-03"]).ok();
    assert!(issued.contains("AC2") && !issued.contains("AC1"), "{issued}");
}
