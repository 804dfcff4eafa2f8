//! Checks that every file is as it was written, and that there is no other.

use super::part::wrong;
use crate::disk::folder::{entries, is_there};
use crate::inputs::decks;
use crate::inputs::file::FileError;
use crate::ledger::error::LedgerError;
use crate::ledger::history::History;
use crate::ledger::manifest::{DeckEntry, FILE_NAME, RunKind, StoredFile};
use crate::ledger::place::Ledger;
use crate::ledger::place::{TAKEN_BACK, is_run_name};
use crate::ledger::run::Run;
use crate::ledger::tables::file::hash_file;
use crate::ledger::undone::is_record;
use rayon::prelude::*;
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

/// Checks that every file of the manifest is as it was written (one that is not `chosen`: has its
/// size), and that there is no other.
pub(crate) fn all_there(
    run: &Run,
    chosen: impl Fn(&str) -> bool + Sync,
) -> Result<(), LedgerError> {
    let wrong_file = |file: &StoredFile| {
        let path = run.folder.join(&file.path);
        if !chosen(&file.path) {
            let there = std::fs::metadata(&path).is_ok_and(|meta| meta.len() == file.bytes);
            return (!there)
                .then(|| wrong(&path, format!("is not there with {} bytes", file.bytes)));
        }
        run.check_stored(file).err().map(LedgerError::from)
    };
    if let Some(error) = run.manifest.files.par_iter().find_map_first(wrong_file) {
        return Err(error);
    }
    let known: HashSet<PathBuf> =
        run.manifest.files.iter().map(|file| run.folder.join(&file.path)).collect();
    let stray = |path: &Path| !known.contains(path) && path != run.folder.join(FILE_NAME);
    match all_files(&run.folder)?.into_iter().find(|path| stray(path)) {
        Some(path) => Err(wrong(&path, "the run does not know this file")),
        None => Ok(()),
    }
}

/// Checks that the manifest names only files that a run has, so that nothing else can pass for
/// legs.
pub(crate) fn are_of_a_run(run: &Run) -> Result<(), LedgerError> {
    let mut days: [BTreeSet<&str>; 2] = [BTreeSet::new(), BTreeSet::new()];
    for file in &run.manifest.files {
        let parts: Vec<&str> = file.path.split('/').collect();
        let known = match parts.as_slice() {
            [dataset @ ("legs" | "calls"), day, "part-0.parquet"] if day.starts_with("date=") => {
                days[usize::from(*dataset == "legs")].insert(day)
            }
            ["legs", day, TAKEN_BACK] => {
                let takes_back =
                    run.manifest.replaces.is_some() || run.manifest.kind == RunKind::Rerate;
                day.starts_with("date=") && takes_back
            }
            ["prices", day, "part-0.parquet"] => day.starts_with("date="),
            ["suspense" | "closed" | "ignored", "part-0.parquet"]
            | ["ids", "part-0.bin" | "rest-0.bin" | "children-0.bin"] => true,
            _ => false,
        };
        if !known {
            return Err(wrong(
                &run.folder.join(&file.path),
                "is no file that a run has, or is named twice",
            ));
        }
    }
    if days[0] != days[1] {
        return Err(wrong(&run.folder, "has legs and calls of different days"));
    }
    Ok(())
}

/// All files below a folder, sorted.
fn all_files(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
    let (mut folders, mut found) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        let (more, files) = entries(&folder)?;
        folders.extend(more);
        found.extend(files);
    }
    found.sort();
    Ok(found)
}

/// Checks that nothing else lies among runs, undos and batches: a reader of `runs/*/legs` would
/// count it.
pub(crate) fn no_strays(ledger: &Ledger) -> Result<(), LedgerError> {
    let (runs, files) = entries(&ledger.runs_folder())?;
    let (undone, records) = entries(&ledger.undone_folder())?;
    let (batches, others) = entries(&ledger.invoices_folder())?;
    let folders = runs.iter().chain(&undone).chain(&batches).filter(|folder| !is_run_name(folder));
    let files = files.iter().chain(records.iter().filter(|file| !is_record(file))).chain(&others);
    match folders.chain(files).min() {
        Some(stray) => Err(FileError::new(stray, "is no run and no batch of this ledger")
            .hint("move it away")
            .into()),
        None => Ok(()),
    }
}

/// Checks that the archive has every file that the runs used, and that each entry has the hash that
/// is its name.
pub(crate) fn archive(ledger: &Ledger, history: &History) -> Result<(), LedgerError> {
    let folder = ledger.archive_folder();
    let mut known: HashMap<(&str, &str), Vec<DeckEntry>> = HashMap::new();
    for run in history.all_runs() {
        let m = &run.manifest;
        for hash in [&m.decks_hash, &m.trunks_hash, &m.accounts_hash].into_iter().flatten() {
            if !is_there(&folder.join(hash))? {
                return Err(wrong(
                    &folder.join(hash),
                    format!("is missing; run {} was rated with it", m.run_id),
                ));
            }
        }
        let Some(hash) = &m.decks_hash else { continue };
        let own_name = m.decks.first().map_or("", |deck| &deck.folder);
        let decks = match known.entry((hash, own_name)) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                entry.insert(DeckEntry::of_all(&decks::archived(&folder.join(hash), own_name)?))
            }
        };
        if *decks != m.decks {
            let problem =
                format!("says that it was rated with {:?}; the archive has {decks:?}", m.decks);
            return Err(wrong(&run.folder.join(FILE_NAME), problem));
        }
    }
    for m in history.issued.iter().map(|batch| &batch.manifest) {
        for hash in [&m.accounts_hash, &m.items_hash].into_iter().flatten() {
            if !is_there(&folder.join(hash))? {
                return Err(wrong(
                    &folder.join(hash),
                    format!("is missing; batch {} was issued with it", m.batch_id),
                ));
            }
        }
    }
    entries(&folder)?.0.iter().try_for_each(|kept| is_as_used(kept))
}

/// Checks that a folder of the archive holds what its name is the hash of, and nothing else.
///
/// # Errors
/// If it does not.
pub(crate) fn is_as_used(kept: &Path) -> Result<(), LedgerError> {
    let name = kept.file_name().expect("an entry of a folder has a name").to_string_lossy();
    let lists = ["trunks.json", "accounts.csv", "items.csv"].map(|list| kept.join(list));
    let list = lists.iter().find(|path| path.is_file());
    let expected = if let Some(path) = list {
        (path.clone(), 1, hash_file(path)?.1)
    } else {
        let (files, hash) = decks::archived_files(kept)?;
        (kept.to_owned(), files.len(), hash)
    };
    if expected.2 != name {
        return Err(wrong(
            &expected.0,
            format!("is not as it was used: BLAKE3 {}, expected {name}", expected.2),
        ));
    }
    if all_files(kept)?.len() != expected.1 {
        return Err(wrong(kept, "holds a file that was not archived"));
    }
    Ok(())
}
