//! Call files that were refused: where each lies, and why, until it is mended.
//!
//! ```text
//! set-aside.json      the files that the last runs with `--set-aside` refused
//! ```
//!
//! The list is outside of what is hashed, like the journal. A file is mended once it is gone from
//! where it lies, or a run has booked it from there. If the folder that it lay in is gone too,
//! nobody knows, and it stays on the list.

use crate::disk::durable::{sync_folder, write_synced};
use crate::inputs::file::{FileError, read_text};
use crate::ledger::lock::Lock;
use crate::ledger::place::Ledger;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The list's file name in a ledger's folder.
pub(crate) const LIST: &str = "set-aside.json";

/// A call file that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Its name, as the run named it.
    pub file: String,
    /// Where it lies now, from the root of the file system.
    pub lies: PathBuf,
    /// Why it was refused.
    pub why: String,
    /// When.
    pub since: String,
}

impl Refused {
    /// True if it is still where it was put; also if its folder is gone, or cannot say.
    #[must_use]
    pub fn is_there(&self) -> bool {
        let folder_is_gone = || {
            let folder = self.lies.parent().map(Path::try_exists);
            !matches!(folder, Some(Ok(true)))
        };
        let is_gone = std::fs::symlink_metadata(&self.lies)
            .is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound);
        !is_gone || folder_is_gone()
    }
}

/// The refused files of a ledger that are not mended, oldest first.
///
/// # Errors
/// If the list is there and cannot be read.
pub fn unmended(ledger: &Ledger) -> Result<Vec<Refused>, FileError> {
    let path = ledger.folder().join(LIST);
    if !crate::disk::folder::is_there(&path)? {
        return Ok(Vec::new());
    }
    let list: Vec<Refused> = serde_json::from_str(&read_text(&path)?).map_err(|e| {
        FileError::new(&path, format!("is no list of refused files: {e}"))
            .at(e.line() as u64)
            .hint("move it away: it is no part of the books")
    })?;
    Ok(list.into_iter().filter(Refused::is_there).collect())
}

/// Writes the list of a locked ledger anew, by one rename.
///
/// # Errors
/// If it cannot be written or synced.
pub fn keep(ledger: &Ledger, lock: &Lock, list: &[Refused]) -> Result<(), FileError> {
    let path = ledger.folder().join(LIST);
    if list.is_empty() && !crate::disk::folder::is_there(&path)? {
        return Ok(());
    }
    let fail = |e: std::io::Error| FileError::new(&path, format!("cannot be written: {e}"));
    let staged = lock.staging.join(LIST);
    let text = serde_json::to_string_pretty(list).map_err(|e| fail(e.into()))? + "\n";
    write_synced(&staged, text.as_bytes())?;
    std::fs::rename(&staged, &path).map_err(fail)?;
    sync_folder(ledger.folder())
}
