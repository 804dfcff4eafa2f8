//! Waiting records settled by their cause: thousands by one command, all or none.

use crate::support::Night;
use serde_json::Value;

const HEAD: &str = "trunking-terminating,+12025550101";

/// A call of an account to a number at a time of 2026-11-20.
fn call(sid: &str, account: &str, to: &str, time: &str, seconds: u32) -> String {
    format!("{sid},,{account},,{HEAD},{to},2026-11-20T{time}:00Z,,{seconds},completed")
}

/// Four calls lack a price for +44, one of them a parent with a transfer; one lacks one for +49;
/// two versions of one call; a booked call.
fn waiting() -> Night {
    let night = Night::with_plain_deck();
    let rows = [
        call("UK1", "AC1", "+442071838750", "10:00", 61),
        call("UK2", "AC1", "+442071838751", "11:00", 60),
        call("UK3", "AC2", "+442071838752", "12:00", 60),
        call("UKP", "AC2", "+442071838753", "13:00", 60),
        "UKC,UKP,AC2,,,,+14155550102,2026-11-20T13:00:30Z,,60,completed".to_owned(),
        call("DE1", "AC1", "+493012345678", "14:00", 60),
        call("TWO", "AC1", "+14155550102", "15:00", 60),
        call("TWO", "AC1", "+14155550102", "15:00", 61),
        call("US1", "AC1", "+14155550102", "16:00", 60),
    ];
    night.calls(&rows.each_ref().map(String::as_str));
    assert_eq!(night.run(&[])["suspended"], 8);
    night
}

const UK: &str = "no-rate:test:termination:44";

fn sids(night: &Night, args: &[&str]) -> Vec<String> {
    let rows = night.trunkrate(&[args, &["--format", "jsonl"]].concat()).ok();
    let sid = |line: &str| {
        let row: Value = serde_json::from_str(line).expect("a row");
        row["call_sid"].as_str().unwrap_or("-").to_owned()
    };
    rows.lines().map(sid).collect()
}

fn left(night: &Night) -> Vec<String> {
    sids(night, &["export", "suspense"])
}

#[test]
fn causes_are_named_as_they_are_shown() {
    let night = waiting();
    let shown = night.trunkrate(&["suspense"]).ok();
    assert!(shown.contains(&format!("  cause       {UK}\n")), "{shown}");
    let causes = night.trunkrate(&["suspense", "--by-cause", "--format", "json"]).json();
    let ids: Vec<&str> =
        causes.as_array().unwrap().iter().map(|c| c["cause"].as_str().unwrap()).collect();
    assert!(ids.contains(&UK) && ids.contains(&"no-rate:test:termination:49"), "{ids:?}");
    let cases: [(&[&str], &[&str]); 8] = [
        (&["--cause", UK], &["UK1", "UK2", "UK3", "UKP"]),
        (&["--cause", UK, "--account", "AC1"], &["UK1", "UK2"]),
        (
            &["--cause", UK, "--from", "2026-11-20T11:00:00Z", "--to", "2026-11-20T13:00:00Z"],
            &["UK2", "UK3"],
        ),
        (&["--cause", "no-rate"], &["DE1", "UK1", "UK2", "UK3", "UKP"]),
        (
            &["--cause", "no-rate:test:termination:49", "--cause", "parent-suspended"],
            &["DE1", "UKC"],
        ),
        (&["--reason", "conflicting-duplicate"], &["TWO", "TWO"]),
        // The beginning of an id names nothing.
        (&["--cause", "no-rate:test"], &[]),
        (&["--cause", "no-rate:test:termination:4"], &[]),
    ];
    for (flags, expected) in cases {
        for what in [&["export", "suspense"][..], &["suspense", "--all"]] {
            assert_eq!(sids(&night, &[what, flags].concat()), expected, "{what:?} {flags:?}");
        }
    }
    for (args, says) in [
        (&["suspense", "--cause", "no-rat:x"][..], "--cause no-rat: there is no such reason"),
        (&["export", "legs", "--cause", UK], "choose suspended records"),
        (
            &["export", "suspense", "--reason", "nothing"],
            "--reason nothing: there is no such reason",
        ),
    ] {
        let done = night.trunkrate(args);
        assert!(done.code == 2 && done.stderr.contains(says), "{args:?}: {}", done.shown());
    }
}

/// The columns are those of the contract, by whichever flag the rows were chosen.
#[test]
fn an_export_by_cause_has_the_columns_of_every_export() {
    let night = waiting();
    let all = night.trunkrate(&["export", "suspense"]).ok();
    let some = night.trunkrate(&["export", "suspense", "--cause", UK]).ok();
    assert_eq!(all.lines().next(), some.lines().next());
    let rows = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (all, some) = (rows(&all), rows(&some));
    assert!(some.len() == 5 && some.iter().all(|row| all.contains(row)), "{some:?}");
    night
        .trunkrate(&[
            "export",
            "suspense",
            "--cause",
            UK,
            "--format",
            "parquet",
            "--out",
            "uk.parquet",
        ])
        .ok();
    assert!(night.path().join("uk.parquet").metadata().unwrap().len() > 0);
}

#[test]
fn a_dry_run_says_how_many_and_how_much_and_does_nothing() {
    let night = waiting();
    let shown = night.trunkrate(&["suspense", "close", "--cause", UK, "--dry-run"]).ok();
    // 61 s are two minutes, 60 s are one: five minutes at the deck's only termination price,
    // 0.0100. Left are DE1 (0.01), the dearer version of TWO (0.02), and UKC: a minute of A→B,
    // guessed at 0.0100, and one of A→C.
    insta::assert_snapshot!(shown, @r"
      4 calls: no price for +44, about 0.05 USD, since 2026-11-20
        no-rate:test:termination:44
    to be written off: 4 records, 241 s, about 0.05 USD
    left waiting: 4 records, 241 s, about 0.05 USD
    nothing was done
    ");
    assert_eq!(left(&night).len(), 8);
    let runs = night.trunkrate(&["runs", "--format", "json"]).json();
    assert_eq!(runs.as_array().map(Vec::len), Some(1));
    let journal = std::fs::read_to_string(night.path().join("ledger/journal.jsonl")).unwrap();
    assert!(!journal.contains("--dry-run"), "{journal}");
}

#[test]
fn a_cause_is_written_off_whole_and_taken_back() {
    let night = waiting();
    let before = night.trunkrate(&["export", "suspense"]).ok();
    let close = ["suspense", "close", "--cause", UK, "--reason", "the carrier credits them"];
    let said = night.trunkrate(&close).ok();
    assert!(said.contains("to be written off: 4 records, 241 s, about 0.05 USD"), "{said}");
    assert!(said.contains(": 4 records written off\nhead "), "{said}");
    assert_eq!(left(&night), ["DE1", "TWO", "TWO", "UKC"]);
    night.trunkrate(&["verify"]).ok();
    let runs = night.trunkrate(&["runs", "--format", "json"]).json();
    assert_eq!(
        (&runs[1]["kind"], &runs[1]["reason"], &runs[1]["counts"]["closed"]),
        (
            &"close".into(),
            &"the carrier credits them".into(),
            &serde_json::json!({"records": 4, "seconds": 241})
        )
    );
    // Twice does nothing, and says so.
    let again = night.trunkrate(&close);
    assert!(
        again.code == 1 && again.stderr.contains("no record waits that the flags pick"),
        "{}",
        again.shown()
    );
    // A copy of what was written off is a duplicate.
    night.calls(&[&call("UK1", "AC1", "+442071838750", "10:00", 61)]);
    assert_eq!(night.run(&[])["duplicate"], 1);
    night.trunkrate(&["undo", "2", "--with-dependents", "--reason", "they were ours"]).ok();
    assert_eq!(night.trunkrate(&["export", "suspense"]).ok(), before);
    night.trunkrate(&["verify"]).ok();
}

/// A version that is left alone would be booked by the next run, as if nobody had doubted it.
#[test]
fn a_call_is_written_off_with_all_its_versions() {
    let night = Night::with_plain_deck();
    night.calls(&[
        "CA1,,AC1,,trunking-terminating,+12025550101,+14155550102,20 November 2026,,60,completed",
        &call("CA1", "AC1", "+14155550102", "10:00", 60),
    ]);
    night.run(&[]);
    let reasons = night.trunkrate(&["suspense", "--counts", "--format", "csv"]).ok();
    assert!(
        reasons.contains("invalid-time,1,") && reasons.contains("conflicting-duplicate,1,"),
        "{reasons}"
    );
    let said =
        night.trunkrate(&["suspense", "close", "--cause", "invalid-time", "--reason", "x"]).ok();
    assert!(said.contains("of these 1 record: other versions of the same calls"), "{said}");
    assert!(said.contains("2 records written off"), "{said}");
    night.calls(&[]);
    assert_eq!(night.run(&[])["rated"], 0);
    night.trunkrate(&["verify"]).ok();
}

#[test]
fn closing_needs_a_reason_and_a_choice() {
    let night = waiting();
    let before = left(&night);
    let cases: [(i32, &[&str], &str); 6] = [
        (2, &["--cause", UK], "--reason"),
        (2, &["--cause", UK, "--reason", " "], "say why"),
        (2, &["--reason", "x"], "CALL_SID"),
        (2, &["UK1", "--cause", UK, "--reason", "x"], "cannot be used with"),
        (1, &["--cause", "invalid-time", "--reason", "x"], "no record waits that the flags pick"),
        (1, &["--account", "AC9", "--reason", "x"], "there is no such account"),
    ];
    for (code, flags, says) in cases {
        let done = night.trunkrate(&[&["suspense", "close"], flags].concat());
        assert!(done.code == code && done.stderr.contains(says), "{flags:?}: {}", done.shown());
    }
    assert_eq!(left(&night), before);
}

/// A deck has a price for +44 and +49 now. Only +44 is tried: with the transfer of its parent, and
/// nothing else.
#[test]
fn a_cause_is_tried_again_with_its_families() {
    let night = waiting();
    let plain = "US,United States,US,0.0100,,1,termination,,,,,,\nUS,United States,US in,0.0034,,1,origination,,,,,,\n";
    night.deck(&format!("{plain}GB,United Kingdom,UK,0.0150,,44,termination,,,,,,\nDE,Germany,DE,0.0200,,49,termination,,,,,,\n"));
    let other = |night: &Night| {
        night.trunkrate(&["export", "suspense", "--reason", "conflicting-duplicate"]).ok()
    };
    let before = other(&night);
    let retry = ["suspense", "retry", "--rates", "rates", "--cause", UK, "--format", "json"];
    let summary = night.trunkrate(&retry).json();
    let counts =
        ["read", "retried", "rated", "suspended", "left"].map(|name| summary[name].as_u64());
    assert_eq!(counts, [Some(0), Some(8), Some(5), Some(3), Some(3)]);
    // UK1 two minutes, UK2, UK3 and UKP one: 5 × 0.0150. UKC one minute of A→B at 0.0150 and of A→C
    // at 0.0100.
    assert_eq!(summary["amount"]["USD"], "0.10000");
    assert_eq!(left(&night), ["DE1", "TWO", "TWO"]);
    assert_eq!(other(&night), before, "what was left is as it was, its tries too");
    night.trunkrate(&["verify"]).ok();
    let again = night.trunkrate(&retry);
    assert!(
        again.code == 1 && again.stderr.contains("no record waits that the flags pick"),
        "{}",
        again.shown()
    );
    night.trunkrate(&["undo", "last", "--reason", "x"]).ok();
    assert_eq!(left(&night).len(), 8);
    // Another choice after the same run has another name.
    let de = night
        .trunkrate(&[
            "suspense",
            "retry",
            "--rates",
            "rates",
            "--account",
            "AC1",
            "--reason",
            "no-rate",
            "--format",
            "json",
        ])
        .json();
    assert_eq!(
        (&de["rated"], &de["amount"]["USD"]),
        (&3.into(), &"0.06500".into()),
        "0.030 + 0.015 + 0.020"
    );
    assert_ne!(de["run_id"], summary["run_id"]);
    // The rest goes with the next run.
    night.calls(&[]);
    let rest = night.run(&[]);
    assert_eq!((&rest["rated"], &rest["suspended"]), (&3.into(), &2.into()));
    night.trunkrate(&["verify"]).ok();
}

/// The books are those of a full retry, if all that waits is picked.
#[test]
fn a_retry_of_everything_by_flags_books_what_a_full_one_books() {
    let [one, other] = [(); 2].map(|()| {
        let night = waiting();
        let plain = "US,United States,US,0.0100,,1,termination,,,,,,\nUS,United States,US in,0.0034,,1,origination,,,,,,\n";
        night.deck(&format!("{plain}GB,United Kingdom,UK,0.0150,,44,termination,,,,,,\n"));
        night
    });
    one.trunkrate(&["suspense", "retry", "--rates", "rates"]).ok();
    let all =
        ["suspense", "retry", "--rates", "rates", "--from", "2026-11-20", "--to", "2026-11-21"];
    other.trunkrate(&all).ok();
    for what in ["suspense", "legs", "calls"] {
        let rows = |night: &Night| {
            let text = night.trunkrate(&["export", what, "--format", "csv"]).ok();
            // But for the name of the run.
            text.lines().map(|row| row.rsplit_once(',').unwrap().0.to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(rows(&one), rows(&other), "{what}");
    }
}
