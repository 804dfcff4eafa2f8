//! Write-off: a run that copies the suspense without the records that a person closed.
//!
//! **Invariant:** `read` is 0, and opening = closed + closing. Records written off are kept whole,
//! with the reason.

use crate::ledger::error::LedgerError;
use crate::ledger::history::History;
use crate::ledger::lock::Lock;
use crate::ledger::manifest::{Manifest, ManifestCount, RunKind, SuspenseAccount};
use crate::ledger::place::{Dataset, Ledger};
use crate::ledger::run::Run;
use crate::ledger::runs::stage::Staged;
use crate::ledger::tables::read::each_suspended;
use crate::ledger::tables::suspense::{self, SuspenseRow};
use crate::night::{Class, Count, Tally};
use std::collections::BTreeMap;

/// Writes off suspended records: those at the places `chosen` in the suspense. Returns the run.
///
/// # Errors
/// If anything cannot be read or written; nothing is changed then.
pub fn close(
    ledger: &Ledger,
    lock: &Lock,
    history: &History,
    kind: RunKind,
    chosen: &BTreeMap<usize, SuspenseRow>,
    reason: &str,
) -> Result<Run, LedgerError> {
    let previous = history.last();
    let mut closed: Vec<SuspenseRow> = chosen
        .values()
        .map(|row| SuspenseRow { close_reason: reason.to_owned(), ..row.clone() })
        .collect();
    let run_id = run_id(kind, reason, &closed, previous);
    let mut staged = Staged::begin(lock, &run_id)?;
    let (kept, by_reason) = write_kept(&mut staged, history, chosen)?;
    let mut tally = Tally { closed: count(&closed), ..Tally::default() };
    tally.by_class[Class::Suspended as usize] = kept;
    tally.retried = tally.closed.plus(kept);
    staged.write_frame(Dataset::Closed, &suspense::suspense(&mut closed))?;
    let manifest = Manifest {
        reason: Some(reason.to_owned()),
        counts: Manifest::counts_of(&tally),
        suspense: SuspenseAccount {
            opening: tally.retried.into(),
            closed: tally.closed.into(),
            closing: tally.of(Class::Suspended).into(),
            new: ManifestCount::default(),
            taken_up: ManifestCount::default(),
        },
        suspended_by_reason: by_reason,
        files: std::mem::take(&mut staged.files),
        ..Manifest::next(kind, &run_id, previous)
    };
    staged.publish(ledger, manifest)
}

/// Copies the records that remain suspended, a slice at a time, and counts them, by reason too.
fn write_kept(
    staged: &mut Staged,
    history: &History,
    chosen: &BTreeMap<usize, SuspenseRow>,
) -> Result<(Count, BTreeMap<String, u64>), LedgerError> {
    let (mut kept, mut by_reason) = (Count::default(), BTreeMap::new());
    let waits = |run: &&Run| run.manifest.suspense.closing.records > chosen.len() as u64;
    let Some(run) = history.runs.last().filter(waits) else { return Ok((kept, by_reason)) };
    let mut before = 0;
    staged.write_frames(Dataset::Suspense, &suspense::suspense(&mut []), |write| {
        each_suspended(run, Dataset::Suspense, |rows| {
            let places = before..;
            before += rows.len();
            let mut rest: Vec<SuspenseRow> = places
                .zip(rows)
                .filter(|(at, _)| !chosen.contains_key(at))
                .map(|(_, row)| row)
                .collect();
            for row in &rest {
                kept.add(row.seconds);
                *by_reason.entry(row.reason.clone()).or_default() += 1;
            }
            if rest.is_empty() { Ok(()) } else { write(&suspense::suspense(&mut rest)) }
        })
    })?;
    Ok((kept, by_reason))
}

fn count(rows: &[SuspenseRow]) -> Count {
    let mut count = Count::default();
    for row in rows {
        count.add(row.seconds);
    }
    count
}

/// A sequence number, and a hash of the decision: the same decision gives the same name.
fn run_id(
    kind: RunKind,
    reason: &str,
    closed: &[SuspenseRow],
    previous: Option<&Manifest>,
) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut texts = vec![kind.as_str(), reason, previous.map_or("", |m| &m.run_id)];
    texts.extend(closed.iter().flat_map(|row| [row.call_sid.as_str(), &row.record]));
    for text in texts {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    Manifest::next_id(previous, &hasher)
}
