//! Undo: takes a run back, and those that depend on it. [`crate::ledger::undone`] describes what is
//! kept of it.

use crate::disk::durable::{make_folder_synced, move_synced, sync_folder, write_synced};
use crate::inputs::file::FileError;
use crate::ledger::batch::{Batch, Entry};
use crate::ledger::error::LedgerError;
use crate::ledger::history::History;
use crate::ledger::lock::Lock;
use crate::ledger::place::Ledger;
use crate::ledger::run::Run;
use crate::ledger::undone::{Undone, UndoneRun, record_name};
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
            touched |= m.suspense.touched();
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
    };
    let folder = ledger.undone_folder();
    make_folder_synced(&folder)?;
    let name = record_name(record.number, &record.run_id);
    let fail =
        |path: &Path, e: std::io::Error| FileError::new(path, format!("cannot be published: {e}"));
    let text = serde_json::to_string_pretty(&record).map_err(|e| fail(&folder, e.into()))? + "\n";
    let (staged, written) = (lock.staging.join("undo.json"), folder.join(format!("{name}.json")));
    write_synced(&staged, text.as_bytes())?;
    std::fs::rename(&staged, &written).map_err(|e| fail(&written, e))?;
    sync_folder(&folder)?;
    let kept = folder.join(&name);
    move_synced(&run.folder, &kept, &[&folder, &ledger.runs_folder()], "undone")?;
    let run = Run::new(kept, history.runs.remove(at).manifest);
    let record_hash = blake3::hash(text.as_bytes()).to_hex().to_string();
    history.undone.push(Undone { number: record.number, reason: record.reason, run, record_hash });
    Ok(())
}
