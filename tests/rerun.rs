//! Runs taken back and booked anew in their place: what it changes in money, what it refuses, and a
//! step that is whole or not there at all (`faults` has it among its steps).

use crate::support::{Done, Night, call_file};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const PARENT: &str = "CA1,,AC1,TK1,trunking-terminating,+12025550101,+14155550102,2026-11-20T21:15:00Z,,300,completed";
const CHILD: &str = "CA2,CA1,AC1,,,,+13035550103,2026-11-20T21:20:00Z,,370,completed";
const OTHER: &str =
    "CA4,,AC2,,trunking-originating,+12025550101,+14155550102,2026-11-21T09:00:00Z,,61,completed";
/// A second export of the parent: dependents find its call again.
const LATER: &str =
    "CA5,,AC2,,trunking-originating,+12025550101,+14155550102,2026-11-22T09:00:00Z,,61,completed";
/// A number that the deck does not have.
const FAR: &str =
    "CA6,,AC2,,trunking-terminating,+12025550101,+493012345678,2026-11-21T10:00:00Z,,60,completed";

/// Twice the price of a termination.
fn dearer(night: &Night) {
    let header = crate::support::DECK_HEADER;
    night.file("dearer/deck.toml", "name = \"dearer\"\ncurrency = \"USD\"\n");
    night.file(
        "dearer/prices.csv",
        format!(
            "{header}\nUS,United States,US,0.0200,,1,termination,,,,,,\nUS,United States,US in,0.0034,,1,origination,,,,,,\n"
        ),
    );
}

/// Books files night by night; gives the folder and the runs' ids.
fn nights(files: &[(&str, &[&str])]) -> (Night, Vec<String>) {
    let night = Night::with_plain_deck();
    dearer(&night);
    let book = |(name, rows): &(&str, &[&str])| {
        night.file(name, call_file(rows));
        let args = ["run", "--cdrs", name, "--rates", "rates", "--format", "json"];
        night.trunkrate(&args).json()["run_id"].as_str().expect("a run").to_owned()
    };
    let ids = files.iter().map(book).collect();
    (night, ids)
}

fn rerun(night: &Night, run: &str, files: &[&str], more: &[&str]) -> Done {
    let begin = ["undo", run, "--reason", "wrong deck", "--rerun"];
    night.trunkrate(&[&begin[..], files, more].concat())
}

/// Every file of the books with its bytes.
fn books(night: &Night) -> BTreeMap<PathBuf, Vec<u8>> {
    let root = night.path().join("ledger");
    let mut folders: Vec<PathBuf> = ["runs", "undone"].map(|name| root.join(name)).into();
    let mut found = BTreeMap::new();
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.clone(), std::fs::read(&path).expect("a file"));
            }
        }
    }
    found
}

/// An export without the name of the run.
fn export(night: &Night, what: &str) -> Vec<String> {
    let text = night.trunkrate(&["export", what, "--format", "csv"]).ok();
    text.lines().map(|line| line.rsplit_once(',').expect("a row").0.to_owned()).collect()
}

#[test]
fn the_calls_of_a_run_are_booked_anew_and_the_money_stands_beside() {
    let (night, ids) = nights(&[("a.csv", &[OTHER]), ("b.csv", &[PARENT])]);
    let done = rerun(&night, "last", &["b.csv"], &["--rates", "dearer", "--format", "json"]);
    // Another deck prices what was billed: that is said, and wants consent.
    assert_eq!(done.code, 1, "{}", done.shown());
    let more = ["--rates", "dearer", "--accept-changes", "--format", "json"];
    let told = rerun(&night, "last", &["b.csv"], &more).json();
    assert_eq!(told["undone"], serde_json::json!([ids[1]]));
    // Five minutes at 0.0100, then at 0.0200.
    let sums =
        serde_json::json!({"before": "0.05000", "after": "0.10000", "difference": "0.05000"});
    assert_eq!(told["amount"]["USD"], sums);
    let new = told["run"]["run_id"].as_str().expect("a run").to_owned();
    assert!(new.starts_with("000002-") && new != ids[1], "{new}");
    let list = night.trunkrate(&["runs", "--format", "json"]).json();
    let states: Vec<(&str, &str)> = (list.as_array().expect("a list").iter())
        .map(|row| {
            (row["run_id"].as_str().expect("an id"), row["state"].as_str().expect("a state"))
        })
        .collect();
    assert!(
        states.contains(&(&new, "booked")) && states.contains(&(&ids[1], "undone")),
        "{states:?}"
    );
    // 0.10000, and two started minutes at 0.0034.
    let legs = night.trunkrate(&["export", "legs", "--format", "csv"]).ok();
    assert!(legs.contains(",0.10000,") && legs.contains(",0.00680,"), "{legs}");
    assert!(!legs.contains(",0.05000,"), "{legs}");
    night.trunkrate(&["verify"]).ok();
    assert_eq!(night.trunkrate(&["status"]).code, 0);
}

#[test]
fn several_runs_are_booked_as_one() {
    let files: [(&str, &[&str]); 3] =
        [("a.csv", &[OTHER]), ("b.csv", &[CHILD]), ("c.csv", &[PARENT, LATER])];
    let (night, ids) = nights(&files);
    let alone = rerun(&night, &ids[1], &["b.csv", "c.csv"], &["--rates", "rates"]);
    assert_eq!(alone.code, 1, "a run that stands on it is named first: {}", alone.shown());
    assert!(alone.stderr.contains(&ids[2]), "{}", alone.stderr);
    let more = ["--rates", "rates", "--with-dependents"];
    let text = rerun(&night, &ids[1], &["b.csv", "c.csv"], &more).ok();
    assert!(
        text.starts_with(&format!("undone: run {}\nundone: run {}\n", ids[2], ids[1])),
        "{text}"
    );
    let (other, _) = nights(&[("a.csv", &[OTHER]), ("both.csv", &[CHILD, PARENT, LATER])]);
    for what in ["legs", "calls"] {
        assert_eq!(export(&night, what), export(&other, what), "{what}");
    }
    night.trunkrate(&["verify"]).ok();
    // Nothing but the names of the runs changed: the same money.
    assert!(text.contains("0.00000"), "{text}");
}

#[test]
fn a_call_file_that_is_not_given_again_stops_it() {
    let (night, _) = nights(&[("a.csv", &[OTHER]), ("b.csv", &[PARENT, CHILD])]);
    night.file("c.csv", call_file(&[PARENT, CHILD, LATER]));
    let before = books(&night);
    let done = rerun(&night, "last", &["c.csv"], &["--rates", "rates"]);
    assert_eq!(done.code, 1, "{}", done.shown());
    assert!(done.stderr.contains("b.csv: 2 records"), "{}", done.stderr);
    assert!(done.stderr.contains("nothing was undone"), "{}", done.stderr);
    assert_eq!(books(&night), before);
    // A name that is none of them is a slip.
    let slip = rerun(&night, "last", &["c.csv"], &["--rates", "rates", "--without", "x.csv"]);
    assert_eq!((slip.code, books(&night)), (2, before));
    let done = rerun(&night, "last", &["c.csv"], &["--rates", "rates", "--without", "b.csv"]);
    assert_eq!(done.code, 0, "{}", done.shown());
    assert!(done.stderr.contains("left out: its calls are booked no more"), "{}", done.stderr);
    // The same export, mended: it is noted, and wants no consent.
    night.file("c.csv", call_file(&[PARENT, CHILD]));
    let done = rerun(&night, "last", &["c.csv"], &["--rates", "rates"]);
    assert_eq!(done.code, 0, "{}", done.shown());
    assert!(done.stderr.contains("another file of this name is given"), "{}", done.stderr);
    night.trunkrate(&["verify"]).ok();
}

#[test]
fn a_new_run_that_cannot_be_booked_undoes_nothing() {
    let (night, ids) = nights(&[("a.csv", &[OTHER]), ("b.csv", &[PARENT, FAR])]);
    night.file("accounts.csv", "account_sid,name\nAC1,One\nAC2,Two\n");
    night.file("broken.csv", "what,is,this\n1,2,3\n");
    let before = books(&night);
    let cases: [(i32, &[&str], &[&str]); 4] = [
        (3, &["b.csv"], &["--rates", "rates", "--max-suspended", "0"]),
        (1, &["b.csv", "broken.csv"], &["--rates", "rates"]),
        (1, &["b.csv", "gone.csv"], &["--rates", "rates"]),
        (1, &["b.csv"], &["--rates", "nowhere"]),
    ];
    for (code, files, more) in cases {
        let done = rerun(&night, "last", files, more);
        assert_eq!(done.code, code, "{files:?} {more:?}: {}", done.shown());
        assert_eq!(books(&night), before, "{files:?} {more:?}");
    }
    // The same again gives the same run: nothing is done, and it is said.
    let same = rerun(&night, "last", &["b.csv"], &["--rates", "rates"]).ok();
    assert_eq!(
        same,
        format!(
            "run {} stays: its calls, rated anew, give the same run; nothing was done\n",
            ids[1]
        )
    );
    assert_eq!(books(&night), before);
    night.trunkrate(&["verify"]).ok();
}

/// Lists that the run was given stop a rerun without them: every trunk would allow transfers.
#[test]
fn lists_that_are_missing_stop_it() {
    let night = Night::with_plain_deck();
    night.file("accounts.csv", "account_sid,name\nAC1,One\n");
    night.file("b.csv", call_file(&[PARENT]));
    let args = ["run", "--cdrs", "b.csv", "--rates", "rates", "--accounts", "accounts.csv"];
    night.trunkrate(&args).ok();
    let before = books(&night);
    let done = rerun(&night, "last", &["b.csv"], &["--rates", "rates"]);
    assert_eq!((done.code, books(&night)), (1, before), "{}", done.stderr);
    assert!(done.stderr.contains("accounts were given then"), "{}", done.stderr);
    rerun(&night, "last", &["b.csv"], &["--rates", "rates", "--accept-changes"]).ok();
    night.trunkrate(&["verify"]).ok();
}

/// What waited before is taken up by the new run as it was by the one that left, and the new one
/// can be undone like any.
#[test]
fn suspense_follows_and_the_new_run_can_be_undone() {
    let (night, ids) = nights(&[("a.csv", &[CHILD, FAR]), ("b.csv", &[PARENT])]);
    let more = ["--rates", "dearer", "--accept-changes", "--format", "json"];
    let told = rerun(&night, "last", &["b.csv"], &more).json();
    assert_eq!((&told["run"]["retried"], &told["run"]["rated"]), (&2.into(), &2.into()));
    // The parent: 5 minutes; the child: two legs of 7 minutes. 19 minutes at 0.0100, then at
    // 0.0200.
    let sums =
        serde_json::json!({"before": "0.19000", "after": "0.38000", "difference": "0.19000"});
    assert_eq!(told["amount"]["USD"], sums);
    let waiting = night.trunkrate(&["suspense", "--all", "--format", "json"]).json();
    let of = |waiting: &Value| -> Vec<(Value, Value)> {
        let rows = waiting.as_array().expect("a list").iter();
        rows.map(|row| (row["call_sid"].clone(), row["tries"].clone())).collect()
    };
    assert_eq!(of(&waiting), [("CA6".into(), 2.into())], "tried once, and once more");
    night.trunkrate(&["undo", "last", "--reason", "again"]).ok();
    let waiting = night.trunkrate(&["suspense", "--all", "--format", "json"]).json();
    assert_eq!(of(&waiting), [("CA2".into(), 1.into()), ("CA6".into(), 1.into())]);
    night.trunkrate(&["verify"]).ok();
    // And once more, as it was at first: the run of before, by its name.
    let args = ["run", "--cdrs", "b.csv", "--rates", "rates", "--format", "json"];
    assert_eq!(night.trunkrate(&args).json()["run_id"], ids[1].as_str());
    night.trunkrate(&["verify"]).ok();
}

/// People's decisions are in no call file.
#[test]
fn what_people_decided_is_not_booked_anew() {
    let (night, ids) = nights(&[("a.csv", &[PARENT, FAR])]);
    night.trunkrate(&["suspense", "close", "CA6", "--reason", "not ours"]).ok();
    let before = books(&night);
    let done = rerun(&night, &ids[0], &["a.csv"], &["--rates", "dearer", "--with-dependents"]);
    assert_eq!((done.code, books(&night)), (1, before), "{}", done.stderr);
    assert!(done.stderr.contains("what a person decided"), "{}", done.stderr);
}

/// A process that died between the rename and the move of what it replaced: all readers see the new
/// state, and the next writer moves it. One that died before the rename: they see the old state.
#[test]
fn the_rename_of_the_new_run_decides() {
    let (night, ids) = nights(&[("a.csv", &[OTHER]), ("b.csv", &[PARENT])]);
    let more = ["--rates", "dearer", "--accept-changes", "--format", "json"];
    let new = rerun(&night, "last", &["b.csv"], &more).json()["run"]["run_id"].clone();
    let new = new.as_str().expect("a run").to_owned();
    let ledger = night.path().join("ledger");
    let seen = |night: &Night| {
        let args: [&[&str]; 4] =
            [&["export", "legs"], &["runs", "--format", "csv"], &["log"], &["explain", "CA1"]];
        args.map(|args| night.trunkrate(args).ok())
    };
    let after = seen(&night);
    let kept = ledger.join("undone").join(format!("000001-{}", ids[1]));
    let old = ledger.join("runs").join(&ids[1]);
    std::fs::rename(&kept, &old).expect("it is put where it was");
    assert_eq!(seen(&night), after);
    night.trunkrate(&["verify"]).ok();
    night.file("d.csv", call_file(&[LATER]));
    let args = ["run", "--cdrs", "d.csv", "--rates", "dearer", "--accept-changes"];
    night.trunkrate(&args).ok();
    assert!(kept.is_dir() && !old.exists(), "the next writer moved it");
    night.trunkrate(&["verify"]).ok();
    night.trunkrate(&["undo", "last", "--reason", "back"]).ok();
    // Without the new run, and the old one where it was, the record counts for nothing.
    let other = Night::new();
    copy(&ledger, &other.path().join("ledger"));
    let ledger = other.path().join("ledger");
    std::fs::rename(
        ledger.join("undone").join(format!("000001-{}", ids[1])),
        ledger.join("runs").join(&ids[1]),
    )
    .expect("moved");
    std::fs::remove_dir_all(ledger.join("runs").join(&new)).expect("removed");
    for record in std::fs::read_dir(ledger.join("undone")).expect("a folder") {
        let path = record.expect("an entry").path();
        if !path.to_string_lossy().contains(&format!("000001-{}", ids[1])) {
            if path.is_dir() {
                std::fs::remove_dir_all(path).expect("removed");
            } else {
                std::fs::remove_file(path).expect("removed");
            }
        }
    }
    std::fs::remove_file(ledger.join("catalog.sqlite")).expect("removed");
    let legs = other.trunkrate(&["export", "legs", "--format", "csv"]).ok();
    assert!(legs.contains(",0.05000,") && !legs.contains(",0.10000,"), "{legs}");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder is made");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("a file is copied");
        }
    }
}

/// An export that is overwritten each night has one name in several runs: given once it is the last
/// of these nights, and the calls of the others do not leave the books without consent.
#[test]
fn a_file_stands_for_one_night_only() {
    const ALL: [&str; 3] = ["--with-dependents", "--rates", "rates"];
    let (night, _) = nights(&[("today.csv", &[PARENT]), ("today.csv", &[OTHER, PARENT])]);
    let before = books(&night);
    let done = rerun(&night, "1", &["today.csv"], &ALL);
    assert!(done.code == 1 && done.stderr.contains("are not given again"), "{}", done.shown());
    assert_eq!(books(&night), before, "nothing was undone");
    // With consent it leaves the books, and that is said: by its name, or by its hash.
    let done =
        rerun(&night, "1", &["today.csv"], &[&ALL[..], &["--without", "today.csv"]].concat());
    assert_eq!(done.code, 0, "{}", done.shown());
    assert!(done.stderr.contains("its calls are booked no more"), "{}", done.shown());

    // Two folders with a file of one name: a third of that name is neither.
    let (night, ids) = nights(&[("a/calls.csv", &[PARENT]), ("b/calls.csv", &[OTHER, PARENT])]);
    night.file("c/calls.csv", call_file(&[LATER]));
    let done = rerun(&night, &ids[0], &["c/calls.csv"], &ALL);
    assert!(done.code == 1 && done.stderr.contains("are not given again"), "{}", done.shown());
    // Each mended in its own place is each.
    night.file("a/calls.csv", call_file(&[&PARENT.replace(",300,", ",301,")]));
    let files = ["a/calls.csv", "b/calls.csv", "c/calls.csv"];
    let done = rerun(&night, &ids[0], &files, &ALL);
    assert_eq!(done.code, 0, "{}", done.shown());
    for told in ["another file of this name is given", "none of the runs that leave booked it"] {
        assert!(done.stderr.contains(told), "{told}: {}", done.shown());
    }
}
