//! Taking runs back: which later runs stand on a run, what is left when it is gone, and what is
//! kept of it.

use crate::support::Night;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const PARENT: &str = "CA1,,AC1,TK1,trunking-terminating,+12025550101,+14155550102,2026-11-20T21:15:00Z,,300,completed";
const CHILD: &str = "CA2,CA1,AC1,,,,+13035550103,2026-11-20T21:20:00Z,,370,completed";
const GRANDCHILD: &str = "CA3,CA2,AC1,,,,+13035550104,2026-11-20T21:21:00Z,,60,completed";
const OTHER: &str =
    "CA4,,AC2,,trunking-originating,+12025550101,+14155550102,2026-11-21T09:00:00Z,,61,completed";
const LATER: &str =
    "CA5,,AC2,,trunking-originating,+12025550101,+14155550102,2026-11-22T09:00:00Z,,61,completed";
const LATEST: &str =
    "CA6,,AC2,,trunking-originating,+12025550101,+14155550102,2026-11-23T09:00:00Z,,61,completed";
const FOREIGN: &str =
    "CA7,,AC1,,outbound-api,+12025550101,+14155550102,2026-11-20T21:15:00Z,,1,completed";
const OF_FOREIGN: &str = "CA8,CA7,AC1,,,,+13035550104,2026-11-22T21:21:00Z,,60,completed";

/// Rates nights into one ledger; gives the folder and the runs' ids.
fn nights(nights: &[&[&str]]) -> (Night, Vec<String>) {
    let folder = Night::with_plain_deck();
    let ids = nights.iter().map(|rows| night(&folder, rows)).collect();
    (folder, ids)
}

fn night(folder: &Night, rows: &[&str]) -> String {
    folder.calls(rows);
    folder.run(&[])["run_id"].as_str().expect("a run").to_owned()
}

fn undo(folder: &Night, run: &str, more: &[&str]) -> crate::support::Done {
    folder.trunkrate(&[&["undo", run, "--reason", "wrong deck"], more].concat())
}

/// Every file below a folder with its bytes.
fn bytes_below(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut folders, mut found) = (vec![folder.to_owned()], BTreeMap::new());
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(
                    path.strip_prefix(folder).expect("below").to_owned(),
                    std::fs::read(&path).expect("a file"),
                );
            }
        }
    }
    found
}

/// What a later run shares with the first one, and whether it stands on it.
#[test]
fn a_later_run_stands_on_a_run_whose_calls_it_knows() {
    let cases: [(&str, &[&[&str]], bool); 10] = [
        ("calls of its own", &[&[PARENT], &[OTHER]], false),
        ("a copy", &[&[PARENT], &[PARENT, OTHER]], true),
        ("a parent", &[&[PARENT], &[CHILD]], true),
        ("a root behind its parent's parent", &[&[PARENT], &[CHILD, GRANDCHILD]], true),
        ("a record that waited", &[&[PARENT, GRANDCHILD], &[OTHER]], true),
        ("nothing, though later calls came first", &[&[PARENT], &[OTHER], &[LATER]], false),
        ("the newest start, where something waits", &[&[LATEST], &[OTHER, GRANDCHILD]], true),
        ("the newest start, where nothing waits", &[&[LATEST], &[OTHER]], false),
        ("what waits, and comes later than the run", &[&[OTHER], &[LATER, GRANDCHILD]], false),
        ("an ignored parent", &[&[FOREIGN, PARENT], &[OF_FOREIGN]], true),
    ];
    for (shared, runs, stands) in cases {
        let (folder, ids) = nights(runs);
        let done = undo(&folder, &ids[0], &[]);
        assert_eq!(done.code, i32::from(stands), "{shared}: {}", done.shown());
        if stands {
            assert!(done.stderr.contains(&ids[1]), "the later run is named: {}", done.stderr);
            assert!(done.stderr.contains("--with-dependents"), "{}", done.stderr);
            let said = undo(&folder, &ids[0], &["--with-dependents"]).ok();
            let lines: Vec<String> =
                ids.iter().rev().map(|id| format!("undone: run {id}\n")).collect();
            assert!(said.starts_with(&format!("{}head -.", lines.concat())), "{said}");
        }
        folder.trunkrate(&["verify"]).ok();
    }
}

/// What stands on a run that stands on the run goes too; what stands on neither stays.
#[test]
fn dependents_of_dependents_go_and_others_stay() {
    let (folder, ids) = nights(&[&[PARENT], &[CHILD], &[LATER], &[CHILD, LATEST]]);
    let done = undo(&folder, &ids[0], &[]);
    assert!(done.stderr.contains(&format!("{}, {}", ids[1], ids[3])), "{}", done.stderr);
    assert!(!done.stderr.contains(&ids[2]), "{}", done.stderr);
    undo(&folder, &ids[0], &["--with-dependents"]).ok();
    let legs = folder.trunkrate(&["export", "legs"]).ok();
    assert_eq!(legs.lines().count(), 2, "one leg of one call: {legs}");
    assert!(legs.contains("\nCA5,"), "{legs}");
    folder.trunkrate(&["verify"]).ok();
    // The chain goes on over the gap, and what left can come again.
    let again = night(&folder, &[PARENT, CHILD]);
    assert!(again.starts_with("000004-"), "{again}");
    folder.trunkrate(&["verify"]).ok();
    assert_eq!(folder.trunkrate(&["export", "calls"]).ok().lines().count(), 4);
}

#[test]
fn a_run_undone_and_done_again_gives_the_same_bytes() {
    let priced = format!("{PARENT},-0.05");
    let all: [&[&str]; 3] = [&[PARENT, GRANDCHILD, FOREIGN], &[CHILD, OTHER], &[&priced, LATER]];
    let (folder, ids) = nights(&all);
    let runs = folder.path().join("ledger/runs");
    let before = bytes_below(&runs);
    for id in ids.iter().rev() {
        undo(&folder, id, &[]).ok();
        folder.trunkrate(&["verify"]).ok();
    }
    assert_eq!(bytes_below(&runs), BTreeMap::new());
    assert_eq!(folder.trunkrate(&["export", "legs"]).ok().lines().count(), 1, "the header only");
    assert_eq!(folder.trunkrate(&["suspense"]).ok(), "nothing waits\n");
    for rows in all {
        night(&folder, rows);
    }
    assert_eq!(bytes_below(&runs), before);
    folder.trunkrate(&["verify"]).ok();
}

/// A call that waits, waits again after its booking was undone: as it did before, tries and all.
#[test]
fn suspense_is_as_before() {
    let (folder, ids) = nights(&[&[CHILD], &[PARENT]]);
    assert_eq!(folder.trunkrate(&["suspense"]).ok(), "nothing waits\n");
    undo(&folder, &ids[1], &[]).ok();
    let waiting = folder.trunkrate(&["suspense", "--format", "json"]).json();
    assert_eq!((&waiting[0]["call_sid"], &waiting[0]["tries"]), (&"CA2".into(), &1.into()));
    let summary = {
        folder.calls(&[PARENT]);
        folder.run(&[])
    };
    assert_eq!((&summary["retried"], &summary["rated"]), (&1.into(), &2.into()));
}

#[test]
fn undone_runs_stay_listed() {
    let (folder, ids) = nights(&[&[PARENT], &[OTHER]]);
    undo(&folder, &ids[1], &[]).ok();
    let list = folder.trunkrate(&["runs", "--format", "json"]).json();
    let state = |at: usize| {
        (list[at]["run_id"].clone(), list[at]["state"].clone(), list[at]["undo_reason"].clone())
    };
    assert_eq!(state(0), (ids[0].clone().into(), "booked".into(), Value::Null));
    assert_eq!(state(1), (ids[1].clone().into(), "undone".into(), "wrong deck".into()));
    let table = folder.trunkrate(&["runs"]).ok();
    assert!(table.contains("undone: wrong deck"), "{table}");
    let csv = folder.trunkrate(&["runs", "--format", "csv"]).ok();
    assert_eq!(
        csv.lines().nth(2).expect("a row").split(',').take(3).collect::<Vec<_>>(),
        [&ids[1], "run", "undone"]
    );
    // Its files are all there still.
    let kept = folder.path().join(format!("ledger/undone/000001-{}", ids[1]));
    assert!(kept.join("manifest.json").is_file() && kept.with_extension("json").is_file());
}

#[test]
fn an_undo_that_makes_no_sense_changes_nothing() {
    let (folder, ids) = nights(&[&[PARENT], &[OTHER]]);
    undo(&folder, &ids[1], &[]).ok();
    let before = bytes_below(&folder.path().join("ledger"));
    let cases: [(i32, &[&str], &str); 5] = [
        (1, &["undo", "000009-0badcafe", "--reason", "x"], "there is no run 000009-0badcafe"),
        (1, &["undo", &ids[1], "--reason", "x"], "it was undone: wrong deck"),
        (2, &["undo", &ids[0]], "--reason"),
        (2, &["undo", &ids[0], "--reason", " "], "say why"),
        (1, &["undo", &ids[0], "--reason", "x", "--ledger", "none"], "there is no ledger"),
    ];
    for (code, args, says) in cases {
        let done = folder.trunkrate(args);
        assert_eq!(done.code, code, "{args:?}: {}", done.shown());
        assert!(done.stderr.contains(says), "{args:?}: {}", done.stderr);
    }
    let journal = Path::new("journal.jsonl");
    let books = |mut bytes: BTreeMap<PathBuf, Vec<u8>>| {
        bytes.remove(journal).expect("a journal");
        bytes
    };
    assert_eq!(books(bytes_below(&folder.path().join("ledger"))), books(before));
}

/// A run may be named by its number, by the beginning of its id, and as the last one.
#[test]
fn a_run_has_several_names() {
    let cases: [(&str, Result<usize, &str>); 8] = [
        ("last", Ok(2)),
        ("2", Ok(1)),
        ("000002", Ok(1)),
        ("000001-", Ok(0)),
        ("00000", Err("3 runs begin with 00000: 000001-")),
        ("4", Err("there is no run 4")),
        ("", Err("there is no run ")),
        ("000002-zz", Err("there is no run 000002-zz")),
    ];
    let (folder, ids) = nights(&[&[PARENT], &[OTHER], &[LATER]]);
    for (name, expected) in cases {
        let args = ["undo", name, "--dry-run", "--format", "json"];
        let done = folder.trunkrate(&args);
        match expected {
            Ok(at) => assert_eq!(done.json()["runs"][0]["run_id"], ids[at], "{name}"),
            Err(says) => assert!(done.code == 1 && done.stderr.contains(says), "{}", done.shown()),
        }
    }
    undo(&folder, "last", &[]).ok();
    let list = folder.trunkrate(&["runs", "--format", "json"]).json();
    assert_eq!((&list[2]["run_id"], &list[2]["state"]), (&ids[2].clone().into(), &"undone".into()));
    assert_eq!(
        folder.trunkrate(&["report", "--run", "1", "--format", "json"]).json()["run"]["run_id"],
        ids[0]
    );
}

/// What would leave is shown, and nothing is done.
#[test]
fn a_dry_run_shows_what_leaves_and_what_must_be_given_again() {
    let folder = Night::with_plain_deck();
    // 300 s = 5 min × 0.0100 = 0.05; 370 s = 7 min × 2 × 0.0100 = 0.14; 61 s = 2 min × 0.0034 =
    // 0.0068.
    for (name, rows) in [("one.csv", &[PARENT][..]), ("two.csv", &[OTHER]), ("three.csv", &[CHILD])]
    {
        folder.file(name, crate::support::call_file(rows));
        folder.trunkrate(&["run", "--cdrs", name, "--rates", "rates"]).ok();
    }
    let before = bytes_below(&folder.path().join("ledger"));
    let shown = folder.trunkrate(&["undo", "1", "--dry-run", "--format", "json"]).json();
    assert_eq!(shown["runs"].as_array().map(Vec::len), Some(2), "{shown}");
    assert_eq!(shown["needs_with_dependents"], true);
    assert_eq!((&shown["legs"], &shown["amount"]["USD"]), (&3.into(), &"0.19000".into()));
    let again = [
        "trunkrate run --cdrs one.csv --rates rates",
        "trunkrate run --cdrs three.csv --rates rates",
    ];
    assert_eq!(shown["again"], serde_json::json!(again));
    assert_eq!(shown["runs"][1]["files"][0]["name"], "three.csv");
    let text = folder.trunkrate(&["undo", "1", "--dry-run"]).ok();
    assert!(text.contains("2 runs would leave"), "{text}");
    assert!(text.contains("0.19000 USD; nothing was done"), "{text}");
    assert_eq!(bytes_below(&folder.path().join("ledger")), before, "nothing was done");
    let done = undo(&folder, "1", &["--with-dependents"]);
    assert!(done.stderr.contains(&again.join("\n  ")), "{}", done.shown());
    // In that order they come to what they were, but for the run between.
    for name in ["one.csv", "three.csv"] {
        folder.trunkrate(&["run", "--cdrs", name, "--rates", "rates"]).ok();
    }
    let legs = folder.trunkrate(&["export", "legs"]).ok();
    assert_eq!(legs.lines().count(), 1 + 4, "{legs}");
    folder.trunkrate(&["verify"]).ok();
}

/// A run that is undone and rated again without its lists would cost something else: the command is
/// given as it was typed, and what is missing is said.
#[test]
fn a_rerun_without_the_lists_of_the_undone_run_is_told() {
    let folder = Night::with_plain_deck();
    folder.file("accounts.csv", "account_sid,name,deck\nAC1,Harbor,\n");
    folder.calls(&[PARENT]);
    let id = folder.run(&["--accounts", "accounts.csv"])["run_id"].as_str().unwrap().to_owned();
    let done = undo(&folder, "last", &[]);
    assert!(
        done.stderr.contains("--rates rates") && done.stderr.contains("--accounts accounts.csv")
    );
    let run = ["run", "--cdrs", "calls.csv", "--rates", "rates"];
    let told = folder.trunkrate(&run);
    let note = format!("run {id}, which was undone: accounts were given then, and none are now");
    assert!(told.code == 0 && told.stderr.contains(&note), "{}", told.shown());
    // Without a journal the command is put together from what the run knows.
    std::fs::remove_file(folder.path().join("ledger/journal.jsonl")).expect("a journal");
    folder.trunkrate(&["undo", "last", "--reason", "once more"]).ok();
    folder.run(&["--accounts", "accounts.csv"]);
    std::fs::remove_file(folder.path().join("ledger/journal.jsonl")).expect("a journal");
    let shown = folder.trunkrate(&["undo", "last", "--dry-run"]).ok();
    assert!(
        shown.contains("trunkrate run --cdrs calls.csv --rates … --accounts …, with the lists"),
        "{shown}"
    );
}
