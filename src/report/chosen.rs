//! Suspended records chosen by their cause, account or time, for one decision about all of them.
//!
//! ```text
//! the wanted records ──▶ all versions of their calls ──▶ to be written off
//!                   └──▶ their families ──▶ to be rated again
//! ```
//!
//! **Invariant:** a call is chosen whole. In memory are a bit for each suspended record, the ids of
//! the chosen calls, and for families two ids for each suspended transfer.
//!
//! # Why
//! A version of a call that is left behind alone would be booked by the next run as if nobody had
//! ever doubted it, though a person only decided about the other one. And a transfer is rated by
//! its parent: without it, it would be told that its parent never arrived.

use crate::ledger::tables::places::{Places, each_at};
use crate::ledger::tables::suspense::SuspenseRow;
use crate::ledger::{History, Ledger, LedgerError};
use crate::report::causes::{ByCause, CauseLine};
use crate::report::waiting_causes::{self, Diagnosed, each_diagnosed};
use crate::sid::Sid;
use std::collections::HashSet;

/// The records that are chosen with the wanted ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The other versions of their calls.
    Calls,
    /// Their families: parents, transfers, and transfers of those, with all their versions.
    Families,
}

/// Chosen records.
#[derive(Debug, Clone, Default)]
pub struct Chosen {
    /// Their places in the suspense.
    pub places: Places,
    /// The number of them that were wanted themselves.
    pub wanted: u64,
}

/// Chooses records of the suspense after the last run.
///
/// # Errors
/// If the ledger or its archive cannot be read.
pub fn choose(
    ledger: &Ledger,
    history: &History,
    reach: Reach,
    is_wanted: impl Fn(&Diagnosed<'_>) -> bool,
) -> Result<Chosen, LedgerError> {
    let (mut places, mut calls, mut at) = (Places::default(), HashSet::new(), 0);
    each_diagnosed(ledger, history, |found| {
        if is_wanted(found) {
            places.insert(at);
            calls.extend(id(&found.row.call_sid));
        }
        at += 1;
        Ok::<_, LedgerError>(())
    })?;
    let wanted = places.count();
    if reach == Reach::Families && !calls.is_empty() {
        add_families(history, &mut calls)?;
    }
    if !calls.is_empty() {
        let mut at = 0;
        each_row(history, |row| {
            if id(&row.call_sid).is_some_and(|sid| calls.contains(&sid)) {
                places.insert(at);
            }
            at += 1;
        })?;
    }
    Ok(Chosen { places, wanted })
}

/// The chosen records by cause, and all others: with estimates of their money.
///
/// # Errors
/// If the ledger or its archive cannot be read, or a sum does not fit.
pub fn by_cause(
    ledger: &Ledger,
    history: &History,
    places: &Places,
) -> Result<[Vec<CauseLine>; 2], LedgerError> {
    let newest = history.newest_start();
    let (mut chosen, mut left, mut at) = (ByCause::new(newest), ByCause::new(newest), 0);
    each_diagnosed(ledger, history, |found| {
        let side = if places.has(at) { &mut chosen } else { &mut left };
        at += 1;
        found.add_to(side)
    })?;
    Ok([waiting_causes::lines(chosen)?, waiting_causes::lines(left)?])
}

fn id(text: &str) -> Option<Sid> {
    (!text.is_empty()).then(|| Sid::of(text).0)
}

fn each_row(history: &History, mut then: impl FnMut(&SuspenseRow)) -> Result<(), LedgerError> {
    let Some(run) = history.runs.last() else { return Ok(()) };
    each_at(
        run,
        |_| true,
        |rows| {
            rows.iter().for_each(&mut then);
            Ok(())
        },
    )
}

/// Adds the suspended parents and transfers of some calls, theirs, and so on.
fn add_families(history: &History, calls: &mut HashSet<Sid>) -> Result<(), LedgerError> {
    // Call and parent of each transfer.
    let mut by_call: Vec<(Sid, Sid)> = Vec::new();
    each_row(history, |row| by_call.extend(id(&row.call_sid).zip(id(&row.parent_call_sid))))?;
    let mut by_parent: Vec<(Sid, Sid)> =
        by_call.iter().map(|(call, parent)| (*parent, *call)).collect();
    by_call.sort_unstable();
    by_parent.sort_unstable();
    let beside = |links: &[(Sid, Sid)], of: Sid| -> Vec<Sid> {
        let first = links.partition_point(|(from, _)| *from < of);
        links[first..].iter().take_while(|(from, _)| *from == of).map(|(_, to)| *to).collect()
    };
    // A parent that does not wait itself makes no family of its transfers: it is booked, or gone.
    let mut waiting: HashSet<Sid> = HashSet::new();
    each_row(history, |row| {
        let parent = id(&row.call_sid).filter(|sid| !beside(&by_parent, *sid).is_empty());
        waiting.extend(parent);
    })?;
    let mut todo: Vec<Sid> = calls.iter().copied().collect();
    while let Some(call) = todo.pop() {
        let parents = beside(&by_call, call).into_iter().filter(|sid| waiting.contains(sid));
        for sid in parents.chain(beside(&by_parent, call)) {
            if calls.insert(sid) {
                todo.push(sid);
            }
        }
    }
    Ok(())
}
