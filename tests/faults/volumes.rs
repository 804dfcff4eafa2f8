//! Old runs put into a volume, and a change added to a large catalog: cut off anywhere, the run is
//! booked or it is not, and the next one goes on.

use super::bench::{Desk, copy_folder, files};
use super::strace::{At, Fault, ended, run_with_fault, trace};
use super::{CLASSES, assert_none, on_two_threads, spread};
use crate::support::{Night, call_file};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The night that fills the third volume.
const LAST: usize = 96;

struct Nights {
    inputs: Night,
    before: Desk,
}

impl Nights {
    fn new() -> Self {
        let inputs = Night::with_plain_deck();
        for number in 1..=LAST + 1 {
            let row = format!(
                "N{number},,AC1,TK1,trunking-terminating,+12025550101,+14155550102,2026-{:02}-{:02}T10:00:00Z,,61,completed",
                number / 28 + 1,
                number % 28 + 1
            );
            inputs.file(&format!("{number}.csv"), call_file(&[&row]));
        }
        let nights = Self { inputs, before: Desk::new() };
        for number in 1..LAST {
            ended(&mut nights.command(number, &nights.before)).ok();
        }
        nights
    }

    fn command(&self, number: usize, desk: &Desk) -> Command {
        let mut command = self.words(
            &["run", "--cdrs", &format!("{number}.csv"), "--rates", "rates", "--threads", "1"],
            desk,
        );
        command.env("POLARS_MAX_THREADS", "1").env("RAYON_NUM_THREADS", "1");
        command
    }

    fn words(&self, words: &[&str], desk: &Desk) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trunkrate"));
        command.args(words).arg("--ledger").arg(desk.ledger()).current_dir(self.inputs.path());
        command.env("RUST_BACKTRACE", "0");
        command
    }
}

fn copy(desk: &Desk) -> Desk {
    let copy = Desk::new();
    copy_folder(&desk.ledger(), &copy.ledger());
    copy
}

/// All files but the catalog, whose pages may lie otherwise; `verify` proves its rows.
fn books(desk: &Desk) -> BTreeMap<PathBuf, Vec<u8>> {
    let of = |path: PathBuf| {
        let below = path.strip_prefix(desk.ledger()).expect("below it").to_owned();
        let counts = !below.starts_with("staging") && !below.ends_with("catalog.sqlite");
        counts.then(|| (below, std::fs::read(path).expect("a file")))
    };
    files(&desk.ledger()).into_iter().filter_map(of).collect()
}

fn a_volume_is_cut_off(count: usize) {
    let nights = Nights::new();
    let traced = copy(&nights.before);
    let calls = trace(&nights.command(LAST, &traced), &CLASSES.map(|(name, _)| name));
    let is_of_index = |path: &Path| {
        let text = path.to_string_lossy();
        text.contains("/volumes")
            || text.contains("/staging/volume")
            || text.contains("catalog.sqlite")
    };
    let cut = |call: super::strace::Call| {
        let path = call.path().filter(|path| is_of_index(path))?;
        let below = path.strip_prefix(traced.folder()).ok()?.to_owned();
        CLASSES.iter().any(|(name, _)| *name == call.name).then_some(())?;
        Some((call.name, below, call.nth))
    };
    let cuts: BTreeSet<(String, PathBuf, usize)> = calls.into_iter().filter_map(cut).collect();
    let cuts: Vec<_> = cuts.into_iter().collect();
    assert!(cuts.len() > 20, "volumes are read and made, the catalog is copied: {}", cuts.len());
    let made = std::fs::read_dir(traced.ledger().join("volumes")).expect("volumes");
    let made = made.filter(|entry| entry.as_ref().is_ok_and(|entry| entry.path().is_dir())).count();
    assert_eq!(made, 3);
    ended(&mut nights.words(&["verify"], &traced)).ok();
    ended(&mut nights.command(LAST + 1, &traced)).ok();
    let whole = books(&traced);
    let run = |desk: &Desk| desk.runs().len();
    let broken = on_two_threads(spread(&cuts, count), |(syscall, below, nth)| {
        let faults =
            CLASSES.iter().find(|(name, _)| *name == syscall).map_or(&[][..], |(_, all)| *all);
        let each = |fault: &Fault| -> Option<String> {
            let desk = copy(&nights.before);
            let path = desk.folder().join(&below).components().collect();
            let at = At { syscall: syscall.clone(), path, nth: Some(nth) };
            let (ended, hit) = run_with_fault(&nights.command(LAST, &desk), &at, *fault);
            let judge = || -> Result<(), String> {
                if hit.is_none() {
                    return Err("not reached".to_owned());
                }
                let is_booked = run(&desk) == LAST;
                match (ended.code, ended.signal) {
                    (Some(0), _) if is_booked => {}
                    (Some(1), _) if !is_booked => {}
                    (_, Some(9)) => {}
                    _ => return Err(format!("{} runs", run(&desk))),
                }
                if !is_booked {
                    let again = super::strace::ended(&mut nights.command(LAST, &desk));
                    if again.code != Some(0) {
                        return Err(format!("the same night: {}", again.shown()));
                    }
                }
                let next = super::strace::ended(&mut nights.command(LAST + 1, &desk));
                if next.code != Some(0) {
                    return Err(format!("the next night: {}", next.shown()));
                }
                let verified = super::strace::ended(&mut nights.words(&["verify"], &desk));
                if verified.code != Some(0) {
                    return Err(format!("verify: {}", verified.shown()));
                }
                if books(&desk) != whole {
                    return Err("other books than without the fault".to_owned());
                }
                Ok(())
            };
            let told = |why: String| {
                format!(
                    "{fault:?} in {syscall} no. {nth} of {}: {why}: {}",
                    below.display(),
                    ended.shown()
                )
            };
            judge().err().map(told)
        };
        faults.iter().filter_map(each).collect()
    });
    assert_none(&broken);
}

#[test]
fn a_volume_that_is_cut_off_changes_no_books() {
    a_volume_is_cut_off(16);
}

#[test]
#[ignore = "make faults"]
fn a_volume_that_is_cut_off_anywhere_changes_no_books() {
    a_volume_is_cut_off(usize::MAX);
}
