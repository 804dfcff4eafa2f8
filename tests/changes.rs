//! What changed since the last run: it stops the next one, names what it is, and is kept with the
//! run if it is accepted.

use crate::support::{DECK_HEADER, Done, Night};
use serde_json::Value;

/// One minute from a US number to a US number, of account 1 or 2, on the 20th or later.
fn call(number: u32, account: &str, day: u32) -> String {
    format!(
        "CA{number},,{account},,trunking-terminating,+12025550101,+14155550102,2026-11-{day}T10:00:00Z,2026-11-{day}T10:01:00Z,60,completed"
    )
}

fn deck(night: &Night, folder: &str, currency: &str, rows: &str) {
    night.file(
        &format!("rates/{folder}/deck.toml"),
        format!("name = \"{folder}\"\ncurrency = \"{currency}\"\n"),
    );
    night.file(&format!("rates/{folder}/prices.csv"), format!("{DECK_HEADER}\n{rows}"));
}

/// Dollars by default, euros for who has the deck `eur`: AC1 has it.
fn two_currencies() -> Night {
    let night = Night::new();
    deck(&night, "default", "USD", "US,United States,US,0.0100,,1,,,,,,,\n");
    deck(&night, "eur", "EUR", "US,United States,US,0.0900,,1,,,,,,,\n");
    night.file("accounts.csv", "account_sid,name,deck\nAC1,One,eur\n");
    night.calls(&[&call(1, "AC1", 20), &call(2, "AC2", 20)]);
    let first = run(&night, &["--accounts", "accounts.csv"]);
    assert_eq!(amount(&first), r#"{"EUR":"0.09000","USD":"0.01000"}"#);
    night
}

fn try_run(night: &Night, more: &[&str]) -> Done {
    night.trunkrate(
        &[&["run", "--cdrs", "calls.csv", "--rates", "rates", "--format", "json"], more].concat(),
    )
}

#[track_caller]
fn run(night: &Night, more: &[&str]) -> Value {
    try_run(night, more).json()
}

fn amount(summary: &Value) -> String {
    summary["amount"].to_string()
}

/// The run stops with these lines, and books nothing.
#[track_caller]
fn stops(night: &Night, more: &[&str], lines: &[&str]) {
    let runs = || night.trunkrate(&["runs", "--format", "csv"]).ok();
    let before = runs();
    let done = try_run(night, more);
    assert_eq!((done.code, done.stdout.as_str()), (1, ""), "{}", done.stderr);
    let said: Vec<&str> = done.stderr.lines().filter_map(|line| line.strip_prefix("  ")).collect();
    assert_eq!(said, lines, "{}", done.stderr);
    assert!(
        done.stderr.contains("\nnothing was booked\n") && done.stderr.contains("--accept-changes"),
        "{}",
        done.stderr
    );
    assert_eq!(runs(), before);
}

fn accepted(night: &Night) -> Value {
    let runs: Value = night.trunkrate(&["runs", "--format", "json"]).json();
    runs.as_array().and_then(|runs| runs.last()).expect("a run")["accepted_changes"].clone()
}

// ---- accounts and trunks
// ------------------------------------------------------------------------------------------

/// Euros billed as dollars, at a ninth of the price: `--accounts` was forgotten the second night.
#[test]
fn forgotten_accounts_stop_the_run() {
    let night = two_currencies();
    night.calls(&[&call(3, "AC1", 21), &call(4, "AC2", 21)]);
    let given = "accounts were given then, and none are now: the default deck would price them all";
    let moved = "account AC1: the deck was `eur`, is `default`";
    stops(&night, &[], &[given, moved]);
    // As it was meant.
    assert_eq!(
        amount(&run(&night, &["--accounts", "accounts.csv"])),
        r#"{"EUR":"0.09000","USD":"0.01000"}"#
    );
    assert_eq!(accepted(&night), serde_json::json!([]));
    // Or as a person says that it is.
    night.calls(&[&call(5, "AC1", 22)]);
    let done = try_run(&night, &["--accept-changes"]);
    assert!(
        done.stderr.contains("note: accepted, and kept with the run: changed since run 000002-"),
        "{}",
        done.stderr
    );
    assert_eq!(amount(&done.json()), r#"{"USD":"0.01000"}"#);
    assert_eq!(accepted(&night), serde_json::json!([given, moved]));
    night.trunkrate(&["verify"]).ok();
    // It is the state of things now.
    night.calls(&[&call(6, "AC1", 23)]);
    assert_eq!(amount(&run(&night, &[])), r#"{"USD":"0.01000"}"#);
}

#[test]
fn forgotten_trunks_stop_the_run() {
    let night = Night::with_plain_deck();
    night.file(
        "trunks.json",
        r#"{"trunks": [{"sid": "TK1", "domain_name": "x.pstn.twilio.com", "transfer_mode": "enable-all"}]}"#,
    );
    night.calls(&[&call(1, "AC1", 20)]);
    run(&night, &["--trunks", "trunks.json"]);
    night.calls(&[&call(2, "AC1", 21)]);
    stops(
        &night,
        &[],
        &["a trunk list was given then, and none is now: every trunk would allow transfers"],
    );
    assert_eq!(amount(&run(&night, &["--accept-changes"])), r#"{"USD":"0.01000"}"#);
    // More is no change.
    night.calls(&[&call(3, "AC1", 22)]);
    run(&night, &["--trunks", "trunks.json"]);
}

/// The target of a transfer hangs on the trunk's domain; the carrier's list is what it is.
#[test]
fn another_trunk_is_said_aloud() {
    let night = Night::with_plain_deck();
    let trunks = |domain: &str| {
        night.file(
            "trunks.json",
            format!(r#"{{"trunks": [{{"sid": "TK1", "domain_name": "{domain}", "transfer_mode": "enable-all"}}]}}"#),
        )
    };
    trunks("x.pstn.twilio.com");
    night.calls(&[&call(1, "AC1", 20)]);
    let id =
        run(&night, &["--trunks", "trunks.json"])["run_id"].as_str().expect("an id").to_owned();
    trunks("y.pstn.twilio.com");
    night.calls(&[&call(2, "AC1", 21)]);
    let done = try_run(&night, &["--trunks", "trunks.json"]);
    let was = format!("trunk TK1 was x.pstn.twilio.com, enable-all, from-transferee in run {id}");
    assert_eq!(
        (done.code, done.stderr),
        (0, format!("note: {was}, is y.pstn.twilio.com, enable-all, from-transferee\n"))
    );
}

#[test]
fn an_account_that_moves_to_another_deck_stops_the_run() {
    let night = two_currencies();
    let accounts =
        |rows: &str| night.file("accounts.csv", format!("account_sid,name,deck\n{rows}"));
    let with = ["--accounts", "accounts.csv"];
    night.calls(&[&call(3, "AC1", 21)]);
    accounts("AC1,One,default\n");
    stops(&night, &with, &["account AC1: the deck was `eur`, is `default`"]);
    accounts("AC1,One,\n");
    stops(&night, &with, &["account AC1: the deck was `eur`, is `default`"]);
    accounts("AC9,Nine,\n");
    stops(&night, &with, &["account AC1: the deck was `eur`, is `default`"]);
    // It was billed, though no list had it.
    accounts("AC1,One,eur\nAC2,Two,eur\n");
    stops(&night, &with, &["account AC2: the deck was `default`, is `eur`"]);
    // A new customer is no change; nor is another name.
    accounts("AC1,Uno,eur\nAC3,Three,eur\nAC2,Two,default\n");
    assert_eq!(amount(&run(&night, &with)), r#"{"EUR":"0.09000"}"#);
}

#[test]
fn many_accounts_are_named_up_to_ten() {
    let night = two_currencies();
    let rows = |deck: &str| -> String {
        (10..30).map(|account| format!("AC{account},,{deck}\n")).collect::<Vec<_>>().concat()
    };
    night.file("accounts.csv", format!("account_sid,name,deck\nAC1,One,eur\n{}", rows("eur")));
    night.calls(&[&call(3, "AC1", 21)]);
    run(&night, &["--accounts", "accounts.csv"]);
    night.file("accounts.csv", format!("account_sid,name,deck\nAC1,One,eur\n{}", rows("default")));
    let done = try_run(&night, &["--accounts", "accounts.csv"]);
    assert_eq!(
        done.stderr.matches("the deck was `eur`, is `default`").count(),
        10,
        "{}",
        done.stderr
    );
    assert!(
        done.stderr.contains("\n  and 10 more: in all 20 accounts have another deck\n"),
        "{}",
        done.stderr
    );
}

#[test]
fn another_default_deck_stops_the_run() {
    let night = two_currencies();
    night.calls(&[&call(3, "AC2", 21)]);
    std::fs::remove_dir_all(night.path().join("rates/default")).expect("removed");
    // The only deck is the default one: dollars would be euros.
    let line = "account AC2 without a deck of its own: the deck was `default`, is `eur`";
    stops(&night, &["--accounts", "accounts.csv"], &[line]);
}

// ---- decks
// --------------------------------------------------------------------------------------------------------

/// Each change of a row, and what is said of it. The newest call starts on the 20th at 10:00.
#[test]
fn rows_that_are_billed_stop_the_run() {
    let row =
        |price: &str, more: &str| format!("US,United States,US,{price},,1,termination,{more}\n");
    let base = row("0.0100", "60,60,0,0,,")
        + "GB,United Kingdom,GB,0.0200,\"1, 44\",44,termination,60,60,0,0,,\n";
    let line = |old: &str, new: &str| {
        format!("deck `test`, prices.csv:2: termination to 1: {old} → {new}")
    };
    let was = "0.0100 USD (60/60)";
    let cases: [(&str, String, Vec<String>); 8] = [
        ("price", base.replacen("0.0100", "0.0150", 1), vec![line(was, "0.0150 USD (60/60)")]),
        ("increments", base.replacen("60,60,0,0", "30,6,0,0", 1), vec![line(was, "0.0100 USD (30/6)")]),
        ("minimum", base.replacen("60,60,0,0", "60,60,90,0", 1), vec![line(was, "0.0100 USD (60/60, minimum 90 s)")]),
        ("fee", base.replacen("60,60,0,0", "60,60,0,0.05", 1), vec![line(was, "0.0100 USD and 0.0500 a leg (60/60)")]),
        ("ended on a billed date", base.replacen("0,0,,", "0,0,,2026-11-20", 1), vec![line(was, "gone, or no more in force")]),
        (
            "gone",
            row("0.0100", "60,60,0,0,,"),
            vec!["deck `test`, prices.csv:3: termination to 44: 0.0200 USD (60/60) → gone, or no more in force".to_owned()],
        ),
        (
            "an origin gone",
            base.replace("\"1, 44\"", "44"),
            vec![
                "deck `test`, prices.csv:3: termination to 44 from 1: 0.0200 USD (60/60) → gone, or no more in force".to_owned(),
            ],
        ),
        (
            "a row that takes its calls",
            base.clone() + "US,United States,SF,0.0300,,1415,termination,60,60,0,0,,\n",
            vec![format!(
                "deck `test`, prices.csv:4, new: termination to 1415, priced by prices.csv:2 before: {was} → 0.0300 USD (60/60)"
            )],
        ),
    ];
    for (what, rows, lines) in cases {
        let night = Night::new();
        night.deck(&base);
        night.calls(&[&call(1, "AC1", 20)]);
        assert_eq!(amount(&run(&night, &[])), r#"{"USD":"0.01000"}"#);
        night.deck(&rows);
        night.calls(&[&call(2, "AC1", 21)]);
        println!("{what}");
        stops(&night, &[], &lines.iter().map(String::as_str).collect::<Vec<_>>());
        run(&night, &["--accept-changes"]);
        assert_eq!(accepted(&night), serde_json::json!(lines), "{what}");
        night.trunkrate(&["verify"]).ok();
    }
}

#[test]
fn what_is_dated_after_the_newest_call_is_no_change() {
    let row = |price: &str, from: &str, to: &str| {
        format!("US,United States,US,{price},,1,termination,,,,,{from},{to}\n")
    };
    let base = row("0.0100", "", "");
    let cases = [
        ("dated", row("0.0100", "", "2026-11-21") + &row("0.0200", "2026-11-21", "")),
        (
            "dated to the second",
            row("0.0100", "", "2026-11-20T10:00:01Z") + &row("0.0200", "2026-11-20T10:00:01Z", ""),
        ),
        ("ended", row("0.0100", "", "2026-12-01")),
        ("another line", format!("GB,United Kingdom,GB,0.0200,,44,termination,,,,,,\n{base}")),
        ("described otherwise", base.replace("United States,US", "USA,North America")),
        (
            "the same in two rows",
            row("0.0100", "", "2026-01-01") + &row("0.0100", "2026-01-01", ""),
        ),
        (
            "a place that had no row",
            base.clone() + "GB,United Kingdom,GB,0.0200,,44,termination,,,,,,\n",
        ),
        (
            "a new row for later",
            base.clone() + "US,United States,SF,0.0300,,1415,termination,,,,,2026-11-21,\n",
        ),
    ];
    for (what, rows) in cases {
        let night = Night::new();
        night.deck(&base);
        night.calls(&[&call(1, "AC1", 20)]);
        run(&night, &[]);
        night.deck(&rows);
        night.calls(&[&call(2, "AC1", 20)]);
        let done = try_run(&night, &[]);
        assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{what}");
        assert_eq!(accepted(&night), serde_json::json!([]), "{what}");
    }
}

#[test]
fn another_currency_stops_the_run() {
    let night = Night::with_plain_deck();
    night.calls(&[&call(1, "AC1", 20)]);
    run(&night, &[]);
    night.file("rates/deck.toml", "name = \"test\"\ncurrency = \"EUR\"\n");
    night.calls(&[&call(2, "AC1", 21)]);
    stops(&night, &[], &["deck `test`: the currency was USD, is EUR"]);
}

#[test]
fn many_rows_are_named_up_to_ten() {
    let rows = |price: &str| -> String {
        (200..225)
            .map(|code| format!("US,United States,US,{price},,1{code},termination,,,,,,\n"))
            .collect::<Vec<_>>()
            .concat()
    };
    let night = Night::new();
    night.deck(&(rows("0.0100") + "US,United States,US,0.0100,,1,,,,,,,\n"));
    night.calls(&[&call(1, "AC1", 20)]);
    run(&night, &[]);
    night.deck(&(rows("0.0200") + "US,United States,US,0.0100,,1,,,,,,,\n"));
    let done = try_run(&night, &[]);
    assert_eq!(
        done.stderr.matches("0.0100 USD (60/60) → 0.0200 USD (60/60)").count(),
        10,
        "{}",
        done.stderr
    );
    let more = "and 15 more: in all 25 rows of deck `test` changed for dates that are billed (to 2026-11-20T10:00:00Z)";
    assert!(done.stderr.contains(more), "{}", done.stderr);
}

/// Write-offs rate nothing: what comes after them is held against the run before them.
#[test]
fn it_looks_through_runs_that_rate_nothing() {
    let night = Night::with_plain_deck();
    night.calls(&[
        &call(1, "AC1", 20),
        "CA9,CA8,AC1,,,,+13035550103,2026-11-20T21:05:00Z,,10,completed",
    ]);
    run(&night, &[]);
    night.trunkrate(&["suspense", "close", "CA9", "--reason", "a test"]).ok();
    night.deck("US,United States,US,0.0500,,1,termination,,,,,,\n");
    night.calls(&[&call(2, "AC1", 21)]);
    let done = try_run(&night, &[]);
    assert!(
        done.code == 1 && done.stderr.starts_with("error: changed since run 000001-"),
        "{}",
        done.stderr
    );
}

#[test]
fn retry_is_held_against_the_last_run_too() {
    let night = Night::with_plain_deck();
    night.calls(&[
        &call(1, "AC1", 20),
        &call(2, "AC1", 20).replace("+14155550102", "+442079460110"),
    ]);
    assert_eq!(run(&night, &[])["suspended"], 1);
    night.deck("US,United States,US,0.0500,,1,termination,,,,,,\nGB,United Kingdom,GB,0.0700,,44,termination,,,,,,\n");
    let retry = |more: &[&str]| {
        night.trunkrate(
            &[&["suspense", "retry", "--rates", "rates", "--format", "json"], more].concat(),
        )
    };
    let done = retry(&[]);
    assert!(
        done.code == 1 && done.stderr.contains("0.0100 USD (60/60) → 0.0500 USD (60/60)"),
        "{}",
        done.stderr
    );
    assert_eq!(amount(&retry(&["--accept-changes"]).json()), r#"{"USD":"0.07000"}"#);
}

/// Who accepted is not what was done: with nothing to accept the flag changes no byte.
#[test]
fn accepting_nothing_changes_nothing() {
    let manifests = [&[][..], &["--accept-changes"]].map(|more| {
        let night = Night::with_plain_deck();
        night.calls(&[&call(1, "AC1", 20)]);
        let id = run(&night, more)["run_id"].as_str().expect("an id").to_owned();
        std::fs::read_to_string(night.path().join(format!("ledger/runs/{id}/manifest.json")))
            .expect("a manifest")
    });
    assert_eq!(manifests[0], manifests[1]);
    assert!(!manifests[0].contains("accepted_changes"));
}

#[test]
fn another_policy_is_said_aloud() {
    let night = Night::with_plain_deck();
    night.calls(&[&call(1, "AC1", 20)]);
    let first = run(&night, &[]);
    night.file(
        "trunkrate.toml",
        "[money]\nleg_decimals = 2\n[input]\ntimezone = \"Europe/Berlin\"\n",
    );
    night.calls(&[&call(2, "AC1", 21)]);
    let done = try_run(&night, &[]);
    let run = first["run_id"].as_str().expect("an id");
    let expected = format!(
        "note: input.timezone was not set in run {run}, is `Europe/Berlin`\nnote: money.leg_decimals was `5` in run {run}, is `2`\n"
    );
    assert_eq!((done.code, done.stderr), (0, expected));
}
