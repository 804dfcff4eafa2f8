//! What a person decides about waiting records, as a run of its own: it takes all that waits in hand, writes some of it
//! off, and leaves the rest as it was.
//!
//! **Invariant:** `read` is 0, and opening = closed + closing. What was written off is kept whole, with the reason.

use super::frames::{self, SuspenseRow};
use super::manifest::{Manifest, ManifestCount, RunKind, SuspenseAccount};
use super::write::Staged;
use super::{Dataset, History, Ledger, LedgerError, Lock, Run};
use crate::night::{Class, Count, Tally};
use std::collections::BTreeMap;

/// Writes waiting records off: those of `rows` (all that waits) at the places `chosen`. Gives the run.
///
/// # Errors
/// If anything cannot be written; nothing is changed then.
pub fn close(
    ledger: &Ledger,
    lock: &Lock,
    history: &History,
    kind: RunKind,
    rows: Vec<SuspenseRow>,
    chosen: &[usize],
    reason: &str,
) -> Result<Run, LedgerError> {
    let previous = history.last();
    let (mut closed, mut kept) = (Vec::new(), Vec::new());
    for (at, row) in rows.into_iter().enumerate() {
        if chosen.contains(&at) {
            closed.push(SuspenseRow { close_reason: reason.to_owned(), ..row });
        } else {
            kept.push(row);
        }
    }
    let mut tally = Tally { closed: count(&closed), ..Tally::default() };
    tally.by_class[Class::Suspended as usize] = count(&kept);
    tally.retried = tally.closed.plus(count(&kept));
    let run_id = run_id(kind, reason, &closed, previous);
    let mut staged = Staged::begin(lock, &run_id)?;
    staged.write_frame(Dataset::Suspense, &frames::suspense(&mut kept))?;
    staged.write_frame(Dataset::Closed, &frames::suspense(&mut closed))?;
    let mut by_reason: BTreeMap<String, u64> = BTreeMap::new();
    for row in &kept {
        *by_reason.entry(row.reason.clone()).or_default() += 1;
    }
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

fn count(rows: &[SuspenseRow]) -> Count {
    let mut count = Count::default();
    for row in rows {
        count.add(row.seconds);
    }
    count
}

/// A sequence number, and a hash of what is done: the same decision gives the same name.
fn run_id(kind: RunKind, reason: &str, closed: &[SuspenseRow], previous: Option<&Manifest>) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut texts = vec![kind.as_str(), reason, previous.map_or("", |m| &m.run_id)];
    texts.extend(closed.iter().flat_map(|row| [row.call_sid.as_str(), &row.record]));
    for text in texts {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    Manifest::next_id(previous, &hasher)
}
