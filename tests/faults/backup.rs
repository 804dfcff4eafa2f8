//! A backup or a restore that is cut off: the backup before it or its own, the ledger or none.

use super::bench::{Bench, CLOSE, Desk, FIRST_NIGHT, ISSUE, SECOND_NIGHT, UNDO, copy_folder};
use super::strace::{At, Ended, Fault, ended, run_with_fault, trace};
use super::{CLASSES, assert_none, on_two_threads, spread};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A place for a fault, below the desk's folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Cut {
    syscall: String,
    path: PathBuf,
    nth: usize,
}

impl Cut {
    fn faults(&self) -> &'static [Fault] {
        let class = CLASSES.iter().find(|(name, _)| *name == self.syscall);
        class.map_or(&[], |(_, faults)| *faults)
    }

    fn is_pivot(&self) -> bool {
        self.syscall.contains("sync") || self.syscall.contains("rename")
    }
}

fn backup_of(desk: &Desk) -> PathBuf {
    desk.folder().join("backup")
}

fn restored_at(desk: &Desk) -> PathBuf {
    desk.folder().join("restored")
}

fn command(words: &[&str], ledger: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trunkrate"));
    command.args(words).arg("--ledger").arg(ledger);
    command.env("POLARS_MAX_THREADS", "1").env("RAYON_NUM_THREADS", "1").env("RUST_BACKTRACE", "0");
    command
}

fn backup(desk: &Desk) -> Command {
    let place = backup_of(desk);
    command(&["ledger", "backup", place.to_str().expect("UTF-8"), "--check"], &desk.ledger())
}

fn restore(desk: &Desk, ledger: &Path) -> Command {
    command(&["ledger", "restore", backup_of(desk).to_str().expect("UTF-8")], ledger)
}

/// The desk with its backup, once more.
fn copy(desk: &Desk) -> Desk {
    let copy = desk.copy();
    for place in [backup_of, restored_at] {
        if place(desk).exists() {
            copy_folder(&place(desk), &place(&copy));
        }
    }
    copy
}

/// What a ledger is, but for its journal, which has the clock in it.
fn books(ledger: &Path) -> Vec<(String, Vec<u8>)> {
    let below = |path: &PathBuf| {
        let name = path.strip_prefix(ledger).expect("below the ledger").display().to_string();
        (!name.starts_with("staging")).then(|| (name, std::fs::read(path).expect("a file")))
    };
    super::bench::files(ledger).iter().filter_map(below).collect()
}

/// What a backup gives back.
fn given_back(desk: &Desk) -> Result<Vec<(String, Vec<u8>)>, String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ledger = folder.path().join("ledger");
    let ended = ended(&mut restore(desk, &ledger));
    if ended.code == Some(0) { Ok(books(&ledger)) } else { Err(ended.shown()) }
}

fn cuts(traced: &Command, desk: &Desk, below: &[PathBuf]) -> Vec<Cut> {
    let calls = trace(traced, &CLASSES.map(|(name, _)| name));
    let cut = |call: super::strace::Call| {
        let path = call.path()?;
        below.iter().any(|place| path.starts_with(place)).then_some(())?;
        let path = path.strip_prefix(desk.folder()).ok()?.to_owned();
        Some(Cut { syscall: call.name, path, nth: call.nth })
    };
    let all: BTreeSet<Cut> = calls.into_iter().filter_map(cut).collect();
    all.into_iter().filter(|cut| !cut.faults().is_empty()).collect()
}

/// The syncs and renames, and some of the rest; or all, each with every fault of its class.
fn chosen(cuts: Vec<Cut>, all: bool) -> Vec<(Cut, Fault)> {
    if all {
        let each = |cut: Cut| cut.faults().iter().map(move |fault| (cut.clone(), *fault));
        return cuts.into_iter().flat_map(each).collect();
    }
    let (pivots, others): (Vec<Cut>, Vec<Cut>) = cuts.into_iter().partition(Cut::is_pivot);
    let some = spread(&pivots, 40).into_iter().chain(spread(&others, 40)).enumerate();
    some.map(|(place, cut)| {
        let fault = cut.faults()[place % cut.faults().len()];
        (cut, fault)
    })
    .collect()
}

fn fault_in(make: fn(&Desk) -> Command, desk: &Desk, cut: &Cut, fault: Fault) -> (Ended, bool) {
    let path = desk.folder().join(&cut.path).components().collect();
    let at = At { syscall: cut.syscall.clone(), path, nth: Some(cut.nth) };
    let (ended, hit) = run_with_fault(&make(desk), &at, fault);
    (ended, hit.is_some())
}

/// A second backup, after a night, invoices, an undo and a write-off, is cut off.
fn a_backup_is_cut_off(all: bool) {
    let bench = Bench::new();
    let before = bench.after(&[FIRST_NIGHT, SECOND_NIGHT]);
    ended(&mut backup(&before)).ok();
    let old = given_back(&before).expect("the first backup is whole");
    for words in [UNDO, CLOSE, ISSUE] {
        bench.run(words, &before).ok();
    }
    let traced = copy(&before);
    let cuts = cuts(&backup(&traced), &traced, &[backup_of(&traced), traced.ledger()]);
    let new = given_back(&traced).expect("the second backup is whole");
    assert_eq!(new, books(&before.ledger()));
    assert_ne!(new, old);
    assert!(cuts.len() > 100, "a backup reads, writes, syncs and renames: {}", cuts.len());
    let broken = on_two_threads(chosen(cuts, all), |(cut, fault): (Cut, Fault)| {
        let desk = copy(&before);
        let (ended, reached) = fault_in(backup, &desk, &cut, fault);
        let judge = || -> Result<(), String> {
            if !reached {
                return Err("not reached".to_owned());
            }
            let found = given_back(&desk)?;
            let held = match (ended.code, ended.signal) {
                (Some(0), _) => found == new,
                // The rename may be done, and its sync or what is cleared away after it has failed.
                (Some(1), _) | (_, Some(9)) => found == old || found == new,
                _ => false,
            };
            if !held {
                return Err("the backup gives back neither what it should".to_owned());
            }
            if books(&desk.ledger()) != books(&before.ledger()) {
                return Err("the ledger was changed".to_owned());
            }
            let again = super::strace::ended(&mut backup(&desk));
            if again.code != Some(0) || given_back(&desk)? != new {
                return Err(format!("the next backup: {}", again.shown()));
            }
            Ok(())
        };
        let told = |why: String| format!("{fault:?} {cut:?}: {why}: {}", ended.shown());
        judge().err().map(told).into_iter().collect()
    });
    assert_none(&broken);
}

/// A restore is cut off.
fn a_restore_is_cut_off(all: bool) {
    let restore_it: fn(&Desk) -> Command = |desk| restore(desk, &restored_at(desk));
    let bench = Bench::new();
    let before = bench.after(&[FIRST_NIGHT, ISSUE, SECOND_NIGHT]);
    ended(&mut backup(&before)).ok();
    let whole = books(&before.ledger());
    let traced = copy(&before);
    let places =
        [backup_of(&traced), traced.folder().join(".restored.restoring"), restored_at(&traced)];
    let cuts = cuts(&restore_it(&traced), &traced, &places);
    assert_eq!(books(&restored_at(&traced)), whole);
    assert!(cuts.len() > 100, "a restore reads, writes, syncs and renames: {}", cuts.len());
    let broken = on_two_threads(chosen(cuts, all), |(cut, fault): (Cut, Fault)| {
        let desk = copy(&before);
        let (ended, reached) = fault_in(restore_it, &desk, &cut, fault);
        let place = restored_at(&desk);
        let judge = || -> Result<(), String> {
            let is_there = place.exists();
            if !reached {
                return Err("not reached".to_owned());
            }
            if is_there && books(&place) != whole || ended.code == Some(0) && !is_there {
                return Err("the ledger is neither whole nor absent".to_owned());
            }
            let again = super::strace::ended(&mut restore_it(&desk));
            match (is_there, again.code) {
                (false, Some(0)) if books(&place) == whole => Ok(()),
                (true, Some(1)) if again.stderr.contains("is a ledger") => Ok(()),
                _ => Err(format!("the next restore: {}", again.shown())),
            }
        };
        let told = |why: String| format!("{fault:?} {cut:?}: {why}: {}", ended.shown());
        judge().err().map(told).into_iter().collect()
    });
    assert_none(&broken);
}

#[test]
fn a_backup_that_is_cut_off_leaves_the_one_before_or_its_own() {
    a_backup_is_cut_off(false);
}

#[test]
#[ignore = "make faults"]
fn a_backup_that_is_cut_off_anywhere_leaves_the_one_before_or_its_own() {
    a_backup_is_cut_off(true);
}

#[test]
fn a_restore_that_is_cut_off_leaves_a_whole_ledger_or_none() {
    a_restore_is_cut_off(false);
}

#[test]
#[ignore = "make faults"]
fn a_restore_that_is_cut_off_anywhere_leaves_a_whole_ledger_or_none() {
    a_restore_is_cut_off(true);
}
