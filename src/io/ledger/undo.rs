//! Taking a run back as if it had never been, and keeping it all the same.
//!
//! ```text
//! undone/000001-000003-5f0c….json   why, and which: written first
//! undone/000001-000003-5f0c…/       the run, as it was: moved here by one rename
//! ```
//!
//! **Invariant:** what is left is a ledger in which the run never happened: the next night gives the bytes that it would
//! have given. A record of an undo without its run is an undo that died before its rename; it counts for nothing, and the
//! next writer removes it.

use super::issued::{Batch, Entry};
use super::manifest::{FILE_NAME, Manifest};
use super::{
    History, Ledger, LedgerError, Lock, RESTORE, Run, entries, is_run_name, is_there, make_folder_synced, move_synced,
    sync_folder, write_synced,
};
use crate::io::{FileError, read_text};
use crate::time::Micros;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// A run that was taken back.
#[derive(Debug, Clone)]
pub struct Undone {
    /// Which undo it was, from 1.
    pub number: u64,
    /// Why.
    pub reason: String,
    /// The run, where it is kept.
    pub run: Run,
    /// BLAKE3 of the record of the undo.
    pub record_hash: String,
}

/// What is written of an undo.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    number: u64,
    run_id: String,
    /// BLAKE3 of the run's manifest.
    manifest: String,
    reason: String,
    /// BLAKE3 of the record before: undos are a chain.
    previous: Option<String>,
}

/// All undone runs, in the order in which they were.
///
/// # Errors
/// If one is not as it was written.
pub(super) fn all(ledger: &Ledger) -> Result<Vec<Undone>, FileError> {
    let mut found: Vec<Undone> = Vec::new();
    let (folders, records) = entries(&ledger.undone_folder())?;
    let mut folders: HashSet<PathBuf> = folders.into_iter().filter(|folder| is_run_name(folder)).collect();
    for path in records.into_iter().filter(|path| is_record(path)) {
        let kept = path.with_extension("");
        if is_dead(ledger, &path)? {
            continue;
        }
        folders.remove(&kept);
        found.push(load(&path, kept, found.last())?);
    }
    match folders.into_iter().min() {
        Some(folder) => Err(FileError::new(&folder, "has no record beside it that says why it was undone").hint(RESTORE)),
        None => Ok(found),
    }
}

/// Whether a file has the name of a record: file managers leave files of their own.
pub(super) fn is_record(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "json")
}

/// Whether a record is of an undo that died: it has no run, and the run that it names is still in place, with that
/// manifest.
fn is_dead(ledger: &Ledger, path: &Path) -> Result<bool, FileError> {
    if is_there(&path.with_extension(""))? {
        return Ok(false);
    }
    let Ok(record) = serde_json::from_str::<Record>(&read_text(path)?) else { return Ok(false) };
    let run = ledger.runs_folder().join(&record.run_id);
    Ok(is_there(&run)? && Manifest::load(&run)?.own_hash == record.manifest)
}

fn load(path: &Path, kept: PathBuf, before: Option<&Undone>) -> Result<Undone, FileError> {
    let wrong = |problem: String| FileError::new(path, problem).hint(RESTORE);
    let text = read_text(path)?;
    let record: Record = serde_json::from_str(&text).map_err(|e| wrong(format!("is no record of an undo: {e}")))?;
    let number = before.map_or(1, |before| before.number + 1);
    let name = record_name(record.number, &record.run_id);
    if record.number != number || kept.file_name().is_none_or(|file| *file != *name) {
        return Err(wrong(format!("is undo {} of run {}; expected undo {number}", record.number, record.run_id)));
    }
    if record.previous.as_deref() != before.map(|before| before.record_hash.as_str()) {
        return Err(wrong("the record before it is not the one that it followed".to_owned()));
    }
    if !is_there(&kept.join(FILE_NAME))? {
        return Err(wrong(format!("the run that it took back is missing: {}", kept.display())));
    }
    let manifest = Manifest::load(&kept)?;
    if manifest.own_hash != record.manifest || manifest.run_id != record.run_id {
        return Err(FileError::new(&kept.join(FILE_NAME), "is not the manifest of the run that was undone").hint(RESTORE));
    }
    let record_hash = blake3::hash(text.as_bytes()).to_hex().to_string();
    Ok(Undone { number, reason: record.reason, run: Run::new(kept, manifest), record_hash })
}

fn record_name(number: u64, run_id: &str) -> String {
    format!("{number:06}-{run_id}")
}

/// Removes the record of an undo that died.
///
/// # Errors
/// If it cannot be removed.
pub(super) fn clear_dead(ledger: &Ledger) -> Result<(), FileError> {
    for path in entries(&ledger.undone_folder())?.1.into_iter().filter(|path| is_record(path)) {
        if is_dead(ledger, &path)? {
            std::fs::remove_file(&path).map_err(|e| FileError::new(&path, format!("cannot be removed: {e}")))?;
            sync_folder(&ledger.undone_folder())?;
        }
    }
    Ok(())
}

/// The later runs that stand on a run, oldest first: they found its calls again or have its calls as parents, they came
/// after it had anything in suspense (it changed what waits, or at least how often that was tried), or they judged what
/// waits by a newest start that only it has seen; and all that stand on those.
#[must_use]
pub fn dependents(history: &History, at: usize) -> Vec<usize> {
    let mut gone: HashSet<&str> = HashSet::new();
    let mut kept_newest: Option<Micros> = history.runs[..at].iter().filter_map(|run| run.manifest.own_newest()).max();
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

/// The numbers of invoices that stand and bill legs of a run: such a run cannot be taken back.
#[must_use]
pub fn invoices_on<'a>(history: &'a History, run_id: &str) -> Vec<&'a str> {
    let entries = || history.issued.iter().flat_map(|batch| batch.manifest.entries.iter().map(move |entry| (batch, entry)));
    let released: HashSet<&str> =
        entries().filter(|(_, entry)| entry.rebill).filter_map(|(_, entry)| entry.corrects.as_deref()).collect();
    let bills = |(batch, entry): &(&Batch, &Entry)| {
        let of_run = |at: &usize| batch.manifest.runs.get(*at).is_some_and(|run| run.run_id == run_id);
        entry.corrects.is_none() && !released.contains(entry.number.as_str()) && entry.runs.iter().any(of_run)
    };
    entries().filter(bills).map(|(_, entry)| entry.number.as_str()).collect()
}

/// Takes one run back, and moves it in the history too. (No later run may stand on it, see [`dependents`], and no invoice:
/// see [`invoices_on`].)
///
/// # Errors
/// If anything cannot be written or synced; the run stands then.
pub fn undo(ledger: &Ledger, lock: &Lock, history: &mut History, at: usize, reason: &str) -> Result<(), LedgerError> {
    let run = &history.runs[at];
    let before = history.undone.last();
    let record = Record {
        number: before.map_or(1, |before| before.number + 1),
        run_id: run.manifest.run_id.clone(),
        manifest: run.manifest.own_hash.clone(),
        reason: reason.to_owned(),
        previous: before.map(|before| before.record_hash.clone()),
    };
    let folder = ledger.undone_folder();
    make_folder_synced(&folder)?;
    let name = record_name(record.number, &record.run_id);
    let fail = |path: &Path, e: std::io::Error| FileError::new(path, format!("cannot be published: {e}"));
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
