//! Undo: removes a run from the books, and keeps its files.
//!
//! ```text
//! undone/000001-000003-5f0c….json   why, and which: written first
//! undone/000001-000003-5f0c…/       the run, as it was: moved here by one rename
//! ```
//!
//! **Invariant:** the ledger is as if the run had never happened: the next night gives the bytes
//! that it would have given. The record of an undo without its run is an undo that died before its
//! rename; it is ignored, and the next writer removes it.
//!
//! # Runs that are replaced
//! The record of a run that `undo --rerun` takes back names the run that is booked in its place.
//! Such records are written and synced first, and count for nothing. One rename then books the new
//! run, and **from that rename on they count**, though the runs that they name still lie in `runs`.
//! They are moved after it, by the same process or, if that dies, by the next writer
//! (`finish`). So a reader decides by what is there, and writes nothing:
//!
//! | `runs/NEW` | `undone/NUMBER-RUN/` | the record |
//! |---|---|---|
//! | not there | not there | counts for nothing |
//! | there, with the manifest that the record names | not there | counts: the run in `runs` is undone |
//! | either | there | counts, as that of any undo |
//!
//! Programs that read `runs/*/legs` by themselves see both runs from that rename until the move: an
//! instant, or after a crash until the next writer.

use crate::disk::durable::{move_synced, sync_folder};
use crate::disk::folder::{entries, is_there};
use crate::inputs::file::{FileError, read_text};
use crate::ledger::error::RESTORE;
use crate::ledger::manifest::{FILE_NAME, Manifest};
use crate::ledger::place::{Ledger, is_run_name};
use crate::ledger::run::Run;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// An undone run.
#[derive(Debug, Clone)]
pub struct Undone {
    /// The number of the undo, from 1.
    pub number: u64,
    /// The reason.
    pub reason: String,
    /// The run, in the folder where it is kept.
    pub run: Run,
    /// BLAKE3 of the record of the undo.
    pub record_hash: String,
    /// The run that was booked in its place by the same rename.
    pub replaced_by: Option<String>,
}

impl Undone {
    /// The folder that keeps it; it may lie in `runs` still ([`finish`]).
    pub(crate) fn kept(&self, ledger: &Ledger) -> PathBuf {
        ledger.undone_folder().join(record_name(self.number, &self.run.manifest.run_id))
    }
}

/// The stored record of an undo.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct UndoneRun {
    pub(crate) number: u64,
    pub(crate) run_id: String,
    /// BLAKE3 of the run's manifest.
    pub(crate) manifest: String,
    pub(crate) reason: String,
    /// BLAKE3 of the record before: undos are a chain.
    pub(crate) previous: Option<String>,
    /// The run that is booked in its place: without that run the record counts for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) replaced_by: Option<Successor>,
}

/// The run that is booked in the place of others.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Successor {
    pub(crate) run_id: String,
    /// BLAKE3 of its manifest.
    pub(crate) manifest: String,
}

impl UndoneRun {
    /// True if the run that replaces it is booked.
    fn is_replaced(&self, ledger: &Ledger) -> Result<bool, FileError> {
        let Some(successor) = &self.replaced_by else { return Ok(false) };
        is_booked(ledger, &successor.run_id, &successor.manifest)
    }
}

/// True if a run lies in `runs` with this manifest.
fn is_booked(ledger: &Ledger, run_id: &str, manifest: &str) -> Result<bool, FileError> {
    let run = ledger.runs_folder().join(run_id);
    Ok(is_there(&run)? && Manifest::load(&run)?.own_hash == manifest)
}

/// All undone runs, in the order of their undos.
///
/// # Errors
/// If one is not as it was written.
pub(crate) fn all(ledger: &Ledger) -> Result<Vec<Undone>, FileError> {
    let mut found: Vec<Undone> = Vec::new();
    let (folders, records) = entries(&ledger.undone_folder())?;
    let mut folders: HashSet<PathBuf> =
        folders.into_iter().filter(|folder| is_run_name(folder)).collect();
    for path in records.into_iter().filter(|path| is_record(path)) {
        let kept = path.with_extension("");
        if is_dead(ledger, &path)? {
            continue;
        }
        folders.remove(&kept);
        found.push(load(ledger, &path, kept, found.last())?);
    }
    match folders.into_iter().min() {
        Some(folder) => {
            Err(FileError::new(&folder, "has no record beside it that says why it was undone")
                .hint(RESTORE))
        }
        None => Ok(found),
    }
}

/// True if a file has the name of a record: file managers add files of their own.
pub(crate) fn is_record(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "json")
}

/// True if the record's undo died: it has no run, and the run that it names is still in place, with
/// that manifest, and was not replaced.
fn is_dead(ledger: &Ledger, path: &Path) -> Result<bool, FileError> {
    if is_there(&path.with_extension(""))? {
        return Ok(false);
    }
    let Ok(record) = serde_json::from_str::<UndoneRun>(&read_text(path)?) else { return Ok(false) };
    Ok(is_booked(ledger, &record.run_id, &record.manifest)? && !record.is_replaced(ledger)?)
}

fn load(
    ledger: &Ledger,
    path: &Path,
    kept: PathBuf,
    before: Option<&Undone>,
) -> Result<Undone, FileError> {
    let wrong = |problem: String| FileError::new(path, problem).hint(RESTORE);
    let text = read_text(path)?;
    let record: UndoneRun =
        serde_json::from_str(&text).map_err(|e| wrong(format!("is no record of an undo: {e}")))?;
    let number = before.map_or(1, |before| before.number + 1);
    let name = record_name(record.number, &record.run_id);
    if record.number != number || kept.file_name().is_none_or(|file| *file != *name) {
        return Err(wrong(format!(
            "is undo {} of run {}; expected undo {number}",
            record.number, record.run_id
        )));
    }
    if record.previous.as_deref() != before.map(|before| before.record_hash.as_str()) {
        return Err(wrong("the record before it is not the one that it followed".to_owned()));
    }
    let kept = if !is_there(&kept)? && record.is_replaced(ledger)? {
        ledger.runs_folder().join(&record.run_id)
    } else {
        kept
    };
    if !is_there(&kept.join(FILE_NAME))? {
        return Err(wrong(format!("the run that it took back is missing: {}", kept.display())));
    }
    let manifest = Manifest::load(&kept)?;
    if manifest.own_hash != record.manifest || manifest.run_id != record.run_id {
        return Err(FileError::new(
            &kept.join(FILE_NAME),
            "is not the manifest of the run that was undone",
        )
        .hint(RESTORE));
    }
    let record_hash = blake3::hash(text.as_bytes()).to_hex().to_string();
    let replaced_by = record.replaced_by.map(|successor| successor.run_id);
    let (reason, run) = (record.reason, Run::new(kept, manifest));
    Ok(Undone { number, reason, run, record_hash, replaced_by })
}

pub(crate) fn record_name(number: u64, run_id: &str) -> String {
    format!("{number:06}-{run_id}")
}

/// Removes the record of an undo that died.
///
/// # Errors
/// If it cannot be removed.
pub(crate) fn clear_dead(ledger: &Ledger) -> Result<(), FileError> {
    for path in entries(&ledger.undone_folder())?.1.into_iter().filter(|path| is_record(path)) {
        if is_dead(ledger, &path)? {
            std::fs::remove_file(&path)
                .map_err(|e| FileError::new(&path, format!("cannot be removed: {e}")))?;
            sync_folder(&ledger.undone_folder())?;
        }
    }
    Ok(())
}

/// Moves the runs that were replaced, and still lie in `runs`, to where undone runs are kept.
///
/// # Errors
/// If one cannot be moved; it is undone all the same.
pub(crate) fn finish(ledger: &Ledger, undone: &mut [Undone]) -> Result<(), FileError> {
    for one in undone {
        let kept = one.kept(ledger);
        if one.run.folder != kept {
            let holders = [&*ledger.undone_folder(), &*ledger.runs_folder()];
            move_synced(&one.run.folder, &kept, &holders, "moved")?;
            one.run = Run::new(kept, one.run.manifest.clone());
        }
    }
    Ok(())
}
