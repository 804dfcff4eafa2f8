//! A backup proved, and put where no ledger is.

use super::folder::{BROKEN, BackedUpFile, BackupFolder, BackupState};
use crate::disk::durable::{make_folder, make_folder_synced, sync_folder};
use crate::disk::folder::entries;
use crate::disk::{interrupt, private};
use crate::inputs::file::FileError;
use crate::ledger::error::LedgerError;
use crate::ledger::index::catalog;
use crate::ledger::place::Ledger;
use crate::ledger::verify::{Proof, prove};
use std::path::{Component, Path, PathBuf};

/// Restores a backup as a ledger: into a folder beside it first, where every file is held against
/// its hash and the whole is proved (`verify`); one rename then puts it in place.
///
/// # Errors
/// If something lies there already; if the backup is not as it was made, or its ledger breaks a
/// law. Nothing is restored then.
pub fn restore(backup: &Path, into: &Path) -> Result<(BackupState, Proof), LedgerError> {
    refuse_full(into)?;
    let (backup, state) = BackupFolder::to_read(backup)?;
    let holder = holder_of(into);
    make_folder_synced(&holder)?;
    let name = into.file_name().ok_or_else(|| {
        FileError::new(into, "is no folder that a ledger can be restored to")
            .hint("name one that is not there yet")
    })?;
    let beside = holder.join(format!(".{}.restoring", name.to_string_lossy()));
    // What a dead restore left is cleared under the ledger's own lock.
    let ledger = Ledger::at(&beside);
    let lock = ledger.lock()?;
    let proof = clear(&beside).map_err(LedgerError::from).and_then(|()| {
        copy_all(&backup, &state, &beside)?;
        let history = ledger.history()?;
        if !history.is_empty() {
            catalog::follow(&ledger, &lock, &history)?;
        }
        sync_all(&beside)?;
        prove(&ledger, None, Some(&state.head))
    });
    drop(lock);
    let moved = proof.and_then(|proof| {
        let _whole = interrupt::publishing();
        std::fs::rename(&beside, into).map_err(|e| {
            FileError::new(into, format!("cannot be put in place: {e}"))
                .hint("if a disk is mounted there, name a folder on it")
        })?;
        sync_folder(&holder)?;
        Ok(proof)
    });
    if moved.is_err() {
        // What cannot be removed now, the next restore removes.
        let _ = std::fs::remove_dir_all(&beside);
    }
    Ok((state, moved?))
}

/// The folder that a ledger will lie in.
fn holder_of(into: &Path) -> PathBuf {
    let holder = into.parent().filter(|holder| !holder.as_os_str().is_empty());
    holder.unwrap_or(Path::new(".")).to_owned()
}

/// Refuses a place where something lies already.
fn refuse_full(into: &Path) -> Result<(), FileError> {
    let hint = "name a folder that is not there yet, or is empty, with --ledger; \
                move the old ledger away if this one is to take its place";
    if Ledger::at(into).exists()? {
        return Err(FileError::new(into, "is a ledger; nothing was restored").hint(hint));
    }
    let meta = std::fs::symlink_metadata(into);
    if meta.is_ok_and(|meta| !meta.is_dir()) {
        return Err(FileError::new(into, "is no folder; nothing was restored").hint(hint));
    }
    let (folders, files) = entries(into)?;
    if folders.is_empty() && files.is_empty() {
        return Ok(());
    }
    Err(FileError::new(into, "is not empty; nothing was restored").hint(hint))
}

/// Clears what a dead restore left, but for the lock's own folders.
fn clear(beside: &Path) -> Result<(), FileError> {
    let (folders, files) = entries(beside)?;
    let fail = |path: &Path, e: std::io::Error| {
        FileError::new(path, format!("cannot be cleared away: {e}"))
    };
    for file in files {
        std::fs::remove_file(&file).map_err(|e| fail(&file, e))?;
    }
    for folder in folders.iter().filter(|folder| !folder.ends_with("staging")) {
        std::fs::remove_dir_all(folder).map_err(|e| fail(folder, e))?;
    }
    [beside.join("runs"), beside.join("archive")].iter().try_for_each(|own| make_folder(own))
}

fn copy_all(backup: &BackupFolder, state: &BackupState, beside: &Path) -> Result<(), FileError> {
    for file in &state.files {
        let path = beside.join(below(file, backup)?);
        make_folder(path.parent().expect("a file lies in a folder"))?;
        let fail = |e: std::io::Error| FileError::new(&path, format!("cannot be written: {e}"));
        let mut into = private::create_new(&path).map_err(fail)?;
        backup.read(file, &mut into)?;
        into.sync_all().map_err(fail)?;
    }
    Ok(())
}

/// The path of a file below the ledger; one that leads out of it is refused.
fn below<'a>(file: &'a BackedUpFile, backup: &BackupFolder) -> Result<&'a Path, FileError> {
    let path = Path::new(&file.path);
    let mut parts = path.components();
    if !file.path.is_empty() && parts.all(|part| matches!(part, Component::Normal(_))) {
        return Ok(path);
    }
    let problem = format!("is said to be `{}`, which lies in no ledger", file.path);
    Err(FileError::new(&backup.path_of(&file.blake3), problem).hint(BROKEN))
}

/// Syncs a folder and all below it.
fn sync_all(folder: &Path) -> Result<(), FileError> {
    for below in entries(folder)?.0 {
        sync_all(&below)?;
    }
    sync_folder(folder)
}
