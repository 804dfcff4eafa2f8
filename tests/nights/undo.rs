//! Runs taken back: what is left is a ledger in which they never were, and their nights again give
//! the same bytes.

use super::random::{config, random_nights, random_words};
use super::words::{folder, lines};
use super::{Books, Folder, Line, cell, rate, shown};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Rates nights into one ledger; the runs' names.
fn rate_all(ledger: &Folder, nights: &[Vec<Line>]) -> Vec<String> {
    nights.iter().map(|night| cell(&rate(ledger, night, &[]), "run_id").to_owned()).collect()
}

/// Every file below the ledger's runs, with its bytes.
fn bytes_of_runs(ledger: &Folder) -> BTreeMap<PathBuf, Vec<u8>> {
    fn collect(folder: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                collect(&path, found);
            } else {
                let bytes = std::fs::read(&path).expect("a file");
                found.insert(path, bytes);
            }
        }
    }
    let mut found = BTreeMap::new();
    let runs = ledger.path().join("ledger/runs");
    collect(&runs, &mut found);
    found
        .into_iter()
        .map(|(path, bytes)| (path.strip_prefix(&runs).expect("below").to_owned(), bytes))
        .collect()
}

/// The names of the runs that are booked, oldest first.
fn booked_runs(ledger: &Folder) -> Vec<String> {
    let list = ledger.trunkrate(&["runs", "--format", "json"]).json();
    let booked = list.as_array().expect("a list").iter().filter(|run| run["state"] == "booked");
    booked.map(|run| cell(run, "run_id").to_owned()).collect()
}

/// Takes back a run and all that stand on it; the nights (by number) whose runs are left.
fn undo_with_dependents(ledger: &Folder, runs: &[String], at: usize) -> Vec<usize> {
    ledger.trunkrate(&["undo", &runs[at], "--reason", "a test", "--with-dependents"]).ok();
    let booked = booked_runs(ledger);
    (0..runs.len()).filter(|night| booked.contains(&runs[*night])).collect()
}

/// What is wrong after one run of some nights was taken back, if anything. The second half says
/// which nights are left.
fn undone_complaint(config: &str, nights: &[Vec<Line>], at: usize) -> (Option<String>, Vec<usize>) {
    let (ledger, never) = (folder(config), folder(config));
    let runs = rate_all(&ledger, nights);
    let left = undo_with_dependents(&ledger, &runs, at);
    let kept: Vec<Vec<Line>> = left.iter().map(|night| nights[*night].clone()).collect();
    rate_all(&never, &kept);
    let books = |ledger: &Folder| if left.is_empty() { None } else { Some(Books::of(ledger)) };
    let difference = match (books(&ledger), books(&never)) {
        (Some(here), Some(there)) => here.against_one_run(&there),
        _ => (ledger.trunkrate(&["export", "legs"]).ok().lines().count() != 1)
            .then(|| "legs are left".to_owned()),
    };
    let verified = ledger.trunkrate(&["verify"]);
    let unsound = (verified.code != 0).then_some(verified.stderr);
    (difference.or(unsound), left)
}

/// From the last to the first: after each the ledger is the one before that night, to the byte.
fn last_to_first(config: &str, nights: &[Vec<Line>]) {
    let ledger = folder(config);
    let mut runs = Vec::new();
    let mut before = vec![BTreeMap::new()];
    for night in nights {
        runs.push(cell(&rate(&ledger, night, &[]), "run_id").to_owned());
        before.push(bytes_of_runs(&ledger));
    }
    assert_eq!(booked_runs(&ledger), runs);
    let last = before.pop().expect("a night");
    for (run, before) in runs.iter().zip(&before).rev() {
        ledger.trunkrate(&["undo", run, "--reason", "a test"]).ok();
        assert_eq!(bytes_of_runs(&ledger), *before, "undone: {run}{}", shown(nights));
        ledger.trunkrate(&["verify"]).ok();
    }
    assert_eq!(ledger.trunkrate(&["export", "legs"]).ok().lines().count(), 1, "the header");
    assert_eq!(rate_all(&ledger, nights), runs);
    assert_eq!(bytes_of_runs(&ledger), last, "rated again{}", shown(nights));
    ledger.trunkrate(&["verify"]).ok();
}

#[test]
fn runs_undone_from_last_to_first_leave_nothing_and_come_again_to_the_byte() {
    let nights = [
        "C<P, X +1d, F inbound, _",
        "P, Q ringing, G<F, R, R 301s",
        "Q $-0.05, C<P $-0.09, H<Q +3d, D<C",
        "",
        "P $-0.02, Q $-0.07, R 301s, R, Y +9d, !cut",
    ];
    let nights: Vec<Vec<Line>> = nights.iter().map(|night| lines(night)).collect();
    last_to_first("", &nights);
    last_to_first("[policy]\nchained_transfers = \"root\"\n", &nights);
}

/// Nights, the run that is undone (from 1), and the runs that are left then.
#[test]
fn what_a_later_run_knew_of_an_undone_run_goes_with_it_and_nothing_else() {
    let table: [(&[&str], usize, &[usize]); 13] = [
        (&["P", "Q"], 1, &[2]),
        (&["P", "P, Q", "X"], 1, &[3]),
        (&["P", "C<P", "X +1d"], 1, &[3]),
        (&["P", "Q", "C<P", "X +1d", "D<C"], 1, &[2, 4]),
        (&["P", "C<P", "D<C"], 2, &[1]),
        // Suspense goes on from run to run.
        (&["X", "C<P", "P", "Y"], 2, &[1]),
        (&["P", "C<N", "X"], 1, &[2, 3]),
        // The greater charge is that of a run in between.
        (&["P", "P $-0.09", "P $-0.05"], 2, &[1]),
        (&["P", "P $-0.05", "X", "P $-0.09"], 2, &[1, 3]),
        // An ignored call is known to its children, by whichever night it came.
        (&["F inbound", "X", "G<F"], 1, &[2]),
        (&["F inbound", "F inbound, X", "G<F", "Y"], 1, &[4]),
        // Who is too late is told by the newest start.
        (&["X +9d", "C<P", "Y +9d"], 1, &[]),
        (&["X +9d", "Y +9d", "C<P"], 1, &[2, 3]),
    ];
    let mut wrong = Vec::new();
    for (nights, at, expected) in table {
        let nights_of: Vec<Vec<Line>> = nights.iter().map(|night| lines(night)).collect();
        let (complaint, left) =
            undone_complaint("[policy]\nchained_transfers = \"root\"\n", &nights_of, at - 1);
        let left: Vec<usize> = left.into_iter().map(|night| night + 1).collect();
        wrong.extend(
            complaint
                .map(|complaint| format!("{nights:?} without {at}, left {left:?}: {complaint}")),
        );
        if left != expected {
            wrong.push(format!("{nights:?} without {at}: left {left:?}, expected {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The command says no, names the runs that stand on it, and changes nothing.
#[test]
fn an_undo_that_would_break_later_runs_is_refused() {
    let ledger = folder("");
    let nights: Vec<Vec<Line>> = ["P", "C<P", "X +1d"].iter().map(|night| lines(night)).collect();
    let runs = rate_all(&ledger, &nights);
    let before = bytes_of_runs(&ledger);
    let done = ledger.trunkrate(&["undo", &runs[0], "--reason", "a test"]);
    assert_eq!(done.code, 1, "{}", done.shown());
    assert!(done.stderr.contains(&runs[1]) && !done.stderr.contains(&runs[2]), "{}", done.stderr);
    assert_eq!(ledger.trunkrate(&["undo", &runs[1]]).code, 2, "no reason given");
    assert_eq!(
        ledger.trunkrate(&["undo", "000009-00000000", "--reason", "a test"]).code,
        1,
        "no such run"
    );
    assert_eq!(bytes_of_runs(&ledger), before);
    assert_eq!(
        ledger.trunkrate(&["runs", "--format", "json"]).json().as_array().map(Vec::len),
        Some(3)
    );
    assert_ne!(ledger.trunkrate(&["suspense", "--format", "json"]).json(), Value::Null);
}

proptest! {
    #![proptest_config(config(12, 0x81))]

    #[test]
    fn a_random_run_undone_leaves_a_ledger_in_which_it_never_was(nights in random_words(), at in any::<prop::sample::Index>()) {
        let at = at.index(nights.len());
        let (complaint, left) = undone_complaint("[policy]\nchained_transfers = \"root\"\n", &nights, at);
        if let Some(complaint) = complaint {
            let nights = shown(&nights);
            return Err(TestCaseError::fail(format!("without night {}, left {left:?} (from 0): {complaint}{nights}", at + 1)));
        }
    }
}

proptest! {
    #![proptest_config(config(2, 0x82))]

    #[test]
    fn random_runs_undone_from_last_to_first_come_again_to_the_byte(nights in random_nights()) {
        last_to_first("", &nights);
    }
}
