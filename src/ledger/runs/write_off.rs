//! Decisions of a person about suspense, as runs that rate nothing: the suspense is copied, without
//! the records that are written off; times that were set stand in the manifest.
//!
//! **Invariant:** `read` is 0, and opening = closed + closing. Records written off are kept whole,
//! with the reason. No more than a slice of the records is in memory.

use crate::ledger::error::LedgerError;
use crate::ledger::history::History;
use crate::ledger::lock::Lock;
use crate::ledger::manifest::{Manifest, ManifestCount, RunKind, SetTime, SuspenseAccount};
use crate::ledger::place::{Dataset, Ledger};
use crate::ledger::run::Run;
use crate::ledger::runs::stage::Staged;
use crate::ledger::tables::places::{Places, each_at};
use crate::ledger::tables::suspense::{self, SuspenseRow};
use crate::night::{Class, Count, Tally};
use std::collections::BTreeMap;

/// A decision.
#[derive(Debug, Clone)]
pub struct Decision<'a> {
    /// Its kind.
    pub kind: RunKind,
    /// The reason, in a person's words.
    pub reason: &'a str,
    /// The records that are written off.
    pub closed: &'a Places,
    /// The times that are set.
    pub set_times: Vec<SetTime>,
}

/// Publishes a decision as a run, and returns it.
///
/// # Errors
/// If anything cannot be read or written; nothing is changed then.
pub fn decide(
    ledger: &Ledger,
    lock: &Lock,
    history: &History,
    decision: Decision<'_>,
) -> Result<Run, LedgerError> {
    let Decision { kind, reason, closed, set_times } = decision;
    let previous = history.last();
    let waiting = history.runs.last();
    let run_id = run_id((kind, reason), (closed, &set_times), waiting)?;
    let mut staged = Staged::begin(lock, &run_id)?;
    let (kept, suspended_by_reason) = match waiting {
        Some(run) if run.manifest.suspense.closing.records > closed.count() => {
            write_kept(&mut staged, run, closed)?
        }
        _ => (Count::default(), BTreeMap::new()),
    };
    let mut tally = Tally::default();
    if let Some(run) = waiting {
        tally.closed = write_closed(&mut staged, run, closed, reason)?;
    }
    tally.by_class[Class::Suspended as usize] = kept;
    tally.retried = tally.closed.plus(kept);
    let manifest = Manifest {
        reason: Some(reason.to_owned()),
        set_times,
        counts: Manifest::counts_of(&tally),
        suspense: SuspenseAccount {
            opening: tally.retried.into(),
            closed: tally.closed.into(),
            closing: tally.of(Class::Suspended).into(),
            new: ManifestCount::default(),
            taken_up: ManifestCount::default(),
        },
        suspended_by_reason,
        files: std::mem::take(&mut staged.files),
        ..Manifest::next(kind, &run_id, previous)
    };
    staged.publish(ledger, manifest)
}

/// Copies the records that remain suspended, at least one, and counts them, by reason too.
///
/// # Errors
/// If they cannot be read or written.
pub fn write_kept(
    staged: &mut Staged,
    run: &Run,
    closed: &Places,
) -> Result<(Count, BTreeMap<String, u64>), LedgerError> {
    let (mut kept, mut by_reason) = (Count::default(), BTreeMap::new());
    staged.write_frames(Dataset::Suspense, &suspense::suspense(&mut []), |write| {
        each_at(
            run,
            |at| !closed.has(at),
            |mut rows| {
                for row in &rows {
                    kept.add(row.seconds);
                    *by_reason.entry(row.reason.clone()).or_default() += 1;
                }
                write(&suspense::suspense(&mut rows))
            },
        )
    })?;
    Ok((kept, by_reason))
}

/// Writes the records that a run writes off, with the reason, and counts them.
///
/// # Errors
/// If they cannot be read or written.
pub fn write_closed(
    staged: &mut Staged,
    run: &Run,
    closed: &Places,
    reason: &str,
) -> Result<Count, LedgerError> {
    let mut count = Count::default();
    if closed.is_empty() {
        return Ok(count);
    }
    staged.write_frames(Dataset::Closed, &suspense::suspense(&mut []), |write| {
        each_at(
            run,
            |at| closed.has(at),
            |mut rows| {
                for row in &mut rows {
                    count.add(row.seconds);
                    reason.clone_into(&mut row.close_reason);
                }
                write(&suspense::suspense(&mut rows))
            },
        )
    })?;
    assert_eq!(count.records, closed.count(), "each place that is written off has a record");
    Ok(count)
}

/// Adds some suspended records to a hash.
///
/// # Errors
/// If they cannot be read.
pub fn hash_records(
    hasher: &mut blake3::Hasher,
    run: &Run,
    places: &Places,
) -> Result<(), LedgerError> {
    if places.is_empty() {
        return Ok(());
    }
    each_at(
        run,
        |at| places.has(at),
        |rows: Vec<SuspenseRow>| {
            for text in rows.iter().flat_map(|row| [&row.call_sid, &row.record]) {
                hash_text(hasher, text);
            }
            Ok::<_, LedgerError>(())
        },
    )
}

/// Adds a text behind its length to a hash.
pub fn hash_text(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}

/// A sequence number, and a hash of the decision: the same decision gives the same name.
fn run_id(
    (kind, reason): (RunKind, &str),
    (closed, set_times): (&Places, &[SetTime]),
    waiting: Option<&Run>,
) -> Result<String, LedgerError> {
    let previous = waiting.map(|run| &*run.manifest);
    let mut hasher = blake3::Hasher::new();
    for text in [kind.as_str(), reason, previous.map_or("", |m| &m.run_id)] {
        hash_text(&mut hasher, text);
    }
    if let Some(run) = waiting {
        hash_records(&mut hasher, run, closed)?;
    }
    for set in set_times {
        for text in [&set.call_sid, &set.field, &set.text, &set.time] {
            hash_text(&mut hasher, text);
        }
    }
    Ok(Manifest::next_id(previous, &hasher))
}
