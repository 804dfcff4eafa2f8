//! Local times that the clock shows twice or never, set by hand.

use crate::support::Night;

const BERLIN: &str = "[input]\ntimezone = \"Europe/Berlin\"\n";

/// A night in Berlin, with these rows; times are local.
fn berlin(rows: &[&str]) -> Night {
    let night = Night::with_plain_deck();
    night.file("trunkrate.toml", BERLIN);
    night.calls(rows);
    night.run(&[]);
    night
}

fn root(sid: &str, start: &str, end: &str, seconds: u32) -> String {
    format!(
        "{sid},,AC1,,trunking-terminating,+12025550101,+14155550102,{start},{end},{seconds},completed"
    )
}

fn set(night: &Night, more: &[&str]) -> crate::support::Done {
    night.trunkrate(&[&["suspense", "set"], more, &["--reason", "the switch says so"]].concat())
}

const TWICE: &str = "2026-10-25 02:30:00";
const FIRST: &str = "2026-10-25T02:30:00+02:00";
const SECOND: &str = "2026-10-25T02:30:00+01:00";

/// The deck costs more from 01:00 UTC on, the instant at which the clock goes back: the choice is
/// money.
#[test]
fn the_chosen_instant_prices_the_call() {
    for (given, start, amount) in [
        (FIRST, "2026-10-25T00:30:00Z", "0.01000"),
        (SECOND, "2026-10-25T01:30:00Z", "0.05000"),
        ("2026-10-25T01:30:00Z", "2026-10-25T01:30:00Z", "0.05000"),
    ] {
        let night = berlin(&[&root("CA1", TWICE, "", 60)]);
        night.deck(
            "US,United States,US,0.0100,,1,termination,,,,,,2026-10-25T01:00:00Z\n\
             US,United States,US,0.0500,,1,termination,,,,,2026-10-25T01:00:00Z,\n",
        );
        let before = night.trunkrate(&["export", "suspense"]).ok();
        let said = set(&night, &["CA1", "--start", given]).ok();
        assert!(said.contains(&format!("start_time is {start}")), "{said}");
        assert_eq!(night.trunkrate(&["export", "suspense"]).ok(), before, "the record stays whole");
        night.trunkrate(&["verify"]).ok();
        let summary = night
            .trunkrate(&[
                "suspense",
                "retry",
                "--rates",
                "rates",
                "--accept-changes",
                "--format",
                "json",
            ])
            .json();
        assert_eq!(
            (&summary["rated"], &summary["amount"]["USD"]),
            (&1.into(), &amount.into()),
            "{given}"
        );
        let legs = night.trunkrate(&["export", "legs"]).ok();
        assert!(legs.contains(start), "{legs}");
        // Every copy of the record is a duplicate from now on, in another spelling too, and with a
        // price.
        for copy in [TWICE, "2026-10-25T02:30"] {
            night.calls(&[&format!("{},-0.0100,USD", root("CA1", copy, "", 60))]);
            let summary = night.run(&["--accept-changes"]);
            assert_eq!(
                (&summary["duplicate"], &summary["suspended"]),
                (&1.into(), &0.into()),
                "{copy}"
            );
        }
        let log = night.trunkrate(&["export", "calls"]).ok();
        assert!(log.contains("-0.0100"), "the carrier's price came with a copy: {log}");
        // What says anything else is another version.
        night.calls(&[&root("CA1", TWICE, "", 61)]);
        assert_eq!(
            night.run(&["--accept-changes"])["suspended_by_reason"],
            serde_json::json!({"conflicting-duplicate": 1})
        );
        night.trunkrate(&["verify"]).ok();
    }
}

/// In spring the clock goes from 02:00 to 03:00: a device that had not turned it meant 01:30 UTC,
/// one that had turned it too early 00:30 UTC.
#[test]
fn a_time_that_never_was_has_two_meanings_too() {
    for given in ["2026-03-29T01:30:00Z", "2026-03-29T00:30:00Z"] {
        let night = berlin(&[&root("CA1", "2026-03-29T02:30:00", "", 60)]);
        set(&night, &["CA1", "--start", given]).ok();
        let summary =
            night.trunkrate(&["suspense", "retry", "--rates", "rates", "--format", "json"]).json();
        assert_eq!((&summary["rated"], &summary["amount"]["USD"]), (&1.into(), &"0.01000".into()));
        assert!(night.trunkrate(&["export", "calls"]).ok().contains(given));
        night.trunkrate(&["verify"]).ok();
    }
}

#[test]
fn start_and_end_in_the_hour_are_set_together() {
    let night = berlin(&[&root("CA1", TWICE, "2026-10-25 02:40:00", 600)]);
    let alone = set(&night, &["CA1", "--start", SECOND]);
    assert!(
        alone.code == 1 && alone.stderr.contains("set it in the same command: --end"),
        "{}",
        alone.shown()
    );
    let turned = set(&night, &["CA1", "--start", SECOND, "--end", "2026-10-25T02:40:00+02:00"]);
    assert!(turned.code == 1 && turned.stderr.contains("before it starts"), "{}", turned.shown());
    // From the first 02:30 to the second 02:40 is an hour more.
    set(&night, &["CA1", "--start", FIRST, "--end", "2026-10-25T02:40:00+01:00"]).ok();
    let summary =
        night.trunkrate(&["suspense", "retry", "--rates", "rates", "--format", "json"]).json();
    assert_eq!(
        (&summary["rated"], &summary["amount"]["USD"]),
        (&1.into(), &"0.10000".into()),
        "600 s are ten minutes"
    );
    night.trunkrate(&["verify"]).ok();
}

#[test]
fn what_cannot_be_set_is_refused() {
    let night = berlin(&[
        &root("CA1", TWICE, "", 60),
        &root("CA2", "soon", "", 60),
        &root("CA3", "2026-10-25 02:30:00", "2026-10-25T00:35:00Z", 300),
        &root("CA4", TWICE, "", 60),
        &root("CA4", TWICE, "", 61),
        &root("CA5", "2026-10-25 04:30:00", "", 60),
    ]);
    let before = night.trunkrate(&["runs", "--format", "json"]).json();
    let cases: [(i32, &[&str], &str); 9] = [
        (
            1,
            &["CA1", "--start", "2026-10-25T02:31:00+02:00"],
            "is 2026-10-25T00:30:00Z or 2026-10-25T01:30:00Z",
        ),
        (2, &["CA1", "--start", "2026-10-25T02:30:00"], "expected an instant with an offset"),
        (2, &["CA1"], "no time is given"),
        (1, &["CA1", "--start", FIRST, "--end", SECOND], "end_time is ``"),
        (1, &["CA2", "--start", FIRST], "no time that the clock shows twice or never"),
        // It would end 55 minutes before it starts.
        (1, &["CA3", "--start", SECOND], "before it starts"),
        (1, &["CA4", "--start", FIRST], "2 versions of the call CA4 wait"),
        (1, &["CA5", "--start", FIRST], "no record of CA5 waits"),
        (1, &["CA9", "--start", FIRST], "no record of CA9 waits"),
    ];
    for (code, args, says) in cases {
        let done = set(&night, args);
        assert!(done.code == code && done.stderr.contains(says), "{args:?}: {}", done.shown());
    }
    let silent = night.trunkrate(&["suspense", "set", "CA1", "--start", FIRST, "--reason", " "]);
    assert!(silent.code == 2 && silent.stderr.contains("--reason is empty"), "{}", silent.shown());
    assert_eq!(night.trunkrate(&["runs", "--format", "json"]).json(), before);
}

#[test]
fn a_set_time_is_shown_and_taken_back() {
    let night = berlin(&[&root("CA1", TWICE, "", 60)]);
    let (before, shown) = (
        night.trunkrate(&["export", "suspense"]).ok(),
        night.trunkrate(&["suspense", "show", "CA1"]).ok(),
    );
    set(&night, &["CA1", "--start", FIRST]).ok();
    let again = set(&night, &["CA1", "--start", FIRST]);
    assert!(
        again.code == 1 && again.stderr.contains("are set to that already"),
        "{}",
        again.shown()
    );
    // Another answer is another decision; the later one counts.
    set(&night, &["CA1", "--start", SECOND]).ok();
    for command in ["show", "explain"] {
        let args: &[&str] =
            if command == "show" { &["suspense", "show", "CA1"] } else { &["explain", "CA1"] };
        let text = night.trunkrate(args).ok();
        assert!(
            text.contains("start_time is 2026-10-25T01:30:00Z, set by hand: the switch says so"),
            "{text}"
        );
        assert!(text.contains(TWICE), "the record as it came: {text}");
    }
    let causes = night.trunkrate(&["suspense", "--by-cause", "--format", "json"]).json();
    assert_eq!(causes[0]["cause"], "invalid-time:set", "{causes}");
    let journal = night.trunkrate(&["runs", "--journal"]).ok();
    assert!(journal.contains("suspense set CA1 --start"), "{journal}");
    let runs = night.trunkrate(&["runs", "--format", "json"]).json();
    assert_eq!(
        (&runs[2]["kind"], &runs[2]["reason"]),
        (&"set".into(), &"the switch says so".into())
    );
    night.trunkrate(&["suspense", "retry", "--rates", "rates"]).ok();
    let booked = night.trunkrate(&["explain", "CA1"]).ok();
    assert!(
        booked.contains("start_time is 2026-10-25T01:30:00Z, set by hand: the switch says so"),
        "{booked}"
    );
    night.trunkrate(&["verify"]).ok();
    // Undone: the record waits as before.
    night.trunkrate(&["undo", "2", "--with-dependents", "--reason", "asked again"]).ok();
    assert_eq!(night.trunkrate(&["export", "suspense"]).ok(), before);
    assert_eq!(night.trunkrate(&["suspense", "show", "CA1"]).ok(), shown);
    night.calls(&[&root("CA1", TWICE, "", 60)]);
    assert_eq!(night.run(&[])["suspended_by_reason"], serde_json::json!({"invalid-time": 1}));
    night.trunkrate(&["verify"]).ok();
}

/// A later version replaces the record with its set time if it says anything else; a copy of it
/// does not.
#[test]
fn a_later_version_counts_if_it_says_something_else() {
    let cases = [
        // The carrier sends it again as it was: the set time stays.
        (root("CA1", TWICE, "", 60), "2026-10-25T01:30:00Z", "0.01000"),
        // It says now which of the two it was: the one that was set.
        (root("CA1", SECOND, "", 60), "2026-10-25T01:30:00Z", "0.01000"),
        // It says the other one.
        (root("CA1", FIRST, "", 60), "2026-10-25T00:30:00Z", "0.01000"),
        // It says other seconds: 121 s are three minutes. The start is still the one that was set.
        (root("CA1", TWICE, "", 121), "2026-10-25T01:30:00Z", "0.03000"),
    ];
    for (later, start, amount) in cases {
        let night = berlin(&[&root("CA1", TWICE, "", 60)]);
        set(&night, &["CA1", "--start", SECOND]).ok();
        night.calls(&[&later]);
        let summary = night.run(&[]);
        assert_eq!(
            (&summary["rated"], &summary["amount"]["USD"]),
            (&1.into(), &amount.into()),
            "{later}"
        );
        assert!(night.trunkrate(&["export", "calls"]).ok().contains(start), "{later}");
        // What a person set and nobody booked is not shown as if it counted.
        let explained = night.trunkrate(&["explain", "CA1"]).ok();
        let is_other = start != "2026-10-25T01:30:00Z";
        assert_eq!(explained.contains("and does not count"), is_other, "{explained}");
        night.trunkrate(&["verify"]).ok();
    }
}

#[test]
fn a_run_says_that_it_books_another_time_than_the_one_that_was_set() {
    let night = berlin(&[&root("CA1", TWICE, "", 60)]);
    set(&night, &["CA1", "--start", SECOND]).ok();
    night.calls(&[&root("CA1", FIRST, "", 60)]);
    let done = night.trunkrate(&["run", "--cdrs", "calls.csv", "--rates", "rates"]);
    let told = "start_time was set by hand to 2026-10-25T01:30:00Z, and is booked as \
                2026-10-25T00:30:00Z";
    assert!(done.code == 0 && done.stderr.contains(told), "{}", done.shown());
}

/// `undo --rerun` reads calls as `run` does: what a person set counts there, too.
#[test]
fn a_set_time_counts_where_a_run_is_booked_anew() {
    let night = berlin(&[&root("CA1", TWICE, "", 60)]);
    set(&night, &["CA1", "--start", SECOND]).ok();
    let booked = night.run(&[]);
    assert_eq!((&booked["retried"], &booked["rated"]), (&1.into(), &1.into()), "{booked}");
    let again = ["--rerun", "calls.csv", "--rates", "rates", "--format", "json"];
    night.file("other.csv", crate::support::call_file(&[&root("CA2", TWICE, "", 60)]));
    let begin = ["undo", "last", "--reason", "one more"];
    let done = night.trunkrate(&[&begin[..], &again, &["--rerun", "other.csv"]].concat());
    let done = done.json();
    // CA1 is billed as before, one minute of 0.0100; of CA2 nobody has said which time it was.
    assert_eq!(
        (&done["run"]["rated"], &done["run"]["suspended"]),
        (&1.into(), &1.into()),
        "{done}"
    );
    assert_eq!(done["run"]["amount"]["USD"], "0.01000", "{done}");
    assert!(night.trunkrate(&["export", "calls"]).ok().contains("2026-10-25T01:30:00Z"));
}
