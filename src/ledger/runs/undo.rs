//! Undo: takes a run back, and those that depend on it. [`crate::ledger::undone`] describes what is
//! kept of it.

use crate::disk::durable::{make_folder_synced, move_synced, sync_folder, write_synced};
use crate::inputs::file::FileError;
use crate::ledger::batch::{Batch, Entry};
use crate::ledger::error::LedgerError;
use crate::ledger::history::History;
use crate::ledger::lock::Lock;
use crate::ledger::manifest::{Manifest, RunKind};
use crate::ledger::place::Ledger;
use crate::ledger::run::Run;
use crate::ledger::undone::{Successor, Undone, UndoneRun, record_name};
use crate::time::Micros;
use std::collections::HashSet;
use std::path::Path;

/// The later runs that depend on a run, oldest first: they found its calls again or have its calls
/// as parents; or they came after it had anything in suspense (it changed the suspended records, or
/// at least their number of tries); or they judged suspended records by a newest start that only it
/// has seen; and all that depend on those.
#[must_use]
pub fn dependents(history: &History, at: usize) -> Vec<usize> {
    let mut gone: HashSet<&str> = HashSet::new();
    let mut kept_newest: Option<Micros> =
        history.runs[..at].iter().filter_map(|run| run.manifest.own_newest()).max();
    let mut gone_newest: Option<Micros> = None;
    let mut touched = false;
    let mut found = Vec::new();
    for (place, run) in history.runs.iter().enumerate().skip(at) {
        let m = &run.manifest;
        let own = m.own_newest();
        let stands = touched
            || m.stands_on.iter().any(|id| gone.contains(id.as_str()))
            || m.suspense.touched() && gone_newest > kept_newest.max(own);
        if place == at || stands {
            gone.insert(&m.run_id);
            gone_newest = gone_newest.max(own);
            // What waits goes through a run that rates calls again as it is.
            touched |= m.suspense.touched() && m.kind != RunKind::Rerate;
            if stands {
                found.push(place);
            }
        } else {
            kept_newest = kept_newest.max(own);
        }
    }
    found
}

/// The numbers of invoices in force that bill legs of a run: such a run cannot be undone.
#[must_use]
pub fn invoices_on<'a>(history: &'a History, run_id: &str) -> Vec<&'a str> {
    let entries = || {
        history
            .issued
            .iter()
            .flat_map(|batch| batch.manifest.entries.iter().map(move |entry| (batch, entry)))
    };
    let released: HashSet<&str> = entries()
        .filter(|(_, entry)| entry.rebill)
        .filter_map(|(_, entry)| entry.corrects.as_deref())
        .collect();
    let bills = |(batch, entry): &(&Batch, &Entry)| {
        let of_run =
            |at: &usize| batch.manifest.runs.get(*at).is_some_and(|run| run.run_id == run_id);
        entry.corrects.is_none()
            && !released.contains(entry.number.as_str())
            && entry.runs.iter().any(of_run)
    };
    entries().filter(bills).map(|(_, entry)| entry.number.as_str()).collect()
}

/// Undoes one run, and moves it in the history too. (No later run may depend on it, see
/// [`dependents`], and no invoice: see [`invoices_on`].)
///
/// # Errors
/// If anything cannot be written or synced; the run is kept then.
pub fn undo(
    ledger: &Ledger,
    lock: &Lock,
    history: &mut History,
    at: usize,
    reason: &str,
) -> Result<(), LedgerError> {
    let run = &history.runs[at];
    let before = history.undone.last();
    let record = UndoneRun {
        number: before.map_or(1, |before| before.number + 1),
        run_id: run.manifest.run_id.clone(),
        manifest: run.manifest.own_hash.clone(),
        reason: reason.to_owned(),
        previous: before.map(|before| before.record_hash.clone()),
        replaced_by: None,
    };
    let folder = ledger.undone_folder();
    make_folder_synced(&folder)?;
    let record_hash = write_record(lock, &folder, &record)?;
    let kept = folder.join(record_name(record.number, &record.run_id));
    move_synced(&run.folder, &kept, &[&folder, &ledger.runs_folder()], "undone")?;
    let run = Run::new(kept, history.runs.remove(at).manifest);
    let (number, reason) = (record.number, record.reason);
    history.undone.push(Undone { number, reason, run, record_hash, replaced_by: None });
    Ok(())
}

/// Writes a record of an undo among the others, and syncs it; returns its hash.
fn write_record(lock: &Lock, folder: &Path, record: &UndoneRun) -> Result<String, FileError> {
    let name = record_name(record.number, &record.run_id);
    let (staged, written) = (lock.staging.join("undo.json"), folder.join(format!("{name}.json")));
    let fail = |e: std::io::Error| FileError::new(&written, format!("cannot be published: {e}"));
    let text = serde_json::to_string_pretty(record).map_err(|e| fail(e.into()))? + "\n";
    write_synced(&staged, text.as_bytes())?;
    std::fs::rename(&staged, &written).map_err(fail)?;
    sync_folder(folder)?;
    Ok(blake3::hash(text.as_bytes()).to_hex().to_string())
}

/// Runs that leave once another one is booked in their place, by one rename: see
/// [`crate::ledger::undone`].
#[derive(Debug)]
pub struct Replacement {
    /// They, oldest first.
    leaving: Vec<Run>,
    reason: String,
    /// The number and the hash of the last undo before.
    before: Option<(u64, String)>,
}

impl Replacement {
    /// Takes runs of the history out, by their places. What is left is what the new run is rated
    /// against. (No later run may depend on them, see [`dependents`], and no invoice: see
    /// [`invoices_on`].)
    #[must_use]
    pub fn take(history: &mut History, places: &[usize], reason: &str) -> Self {
        let before = history.undone.last().map(|last| (last.number, last.record_hash.clone()));
        let all = std::mem::take(&mut history.runs);
        let (mut leaving, mut place) = (Vec::new(), 0);
        for run in all {
            let list = if places.contains(&place) { &mut leaving } else { &mut history.runs };
            list.push(run);
            place += 1;
        }
        assert_eq!(leaving.len(), places.len(), "each run that is to leave is of the history");
        Self { leaving, reason: reason.to_owned(), before }
    }

    /// The manifests of the runs that leave, oldest first.
    #[must_use]
    pub fn manifests(&self) -> impl DoubleEndedIterator<Item = &Manifest> {
        self.leaving.iter().map(|run| &*run.manifest)
    }

    /// Writes the records, from the last run to the first, each of which names the run that is
    /// about to be booked; they count once that is.
    ///
    /// # Errors
    /// If one cannot be written or synced; none counts then.
    pub(crate) fn record(
        &self,
        ledger: &Ledger,
        lock: &Lock,
        successor: &Manifest,
    ) -> Result<Vec<Undone>, FileError> {
        let folder = ledger.undone_folder();
        make_folder_synced(&folder)?;
        let mut before = self.before.clone();
        let mut written = Vec::new();
        for run in self.leaving.iter().rev() {
            let record = UndoneRun {
                number: before.as_ref().map_or(1, |(number, _)| number + 1),
                run_id: run.manifest.run_id.clone(),
                manifest: run.manifest.own_hash.clone(),
                reason: self.reason.clone(),
                previous: before.map(|(_, hash)| hash),
                replaced_by: Some(Successor {
                    run_id: successor.run_id.clone(),
                    manifest: successor.own_hash.clone(),
                }),
            };
            let record_hash = write_record(lock, &folder, &record)?;
            before = Some((record.number, record_hash.clone()));
            let (number, reason) = (record.number, record.reason);
            let replaced_by = record.replaced_by.map(|successor| successor.run_id);
            written.push(Undone { number, reason, run: run.clone(), record_hash, replaced_by });
        }
        Ok(written)
    }
}
