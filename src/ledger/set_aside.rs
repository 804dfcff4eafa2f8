//! Call files that were refused: where each lies, and why, until it is mended.
//!
//! ```text
//! set-aside.json      the files that the last runs with `--set-aside` refused
//! ```
//!
//! The list is outside of what is hashed, like the journal. A file is mended once it is gone from
//! where it lies, or a run has booked it from there. If the folder that it lay in is gone too, or
//! another has its name (of a disk that is not mounted, its mount point), nobody knows, and it
//! stays on the list.

use crate::disk::durable::{sync_folder, write_synced};
use crate::disk::private;
use crate::inputs::file::FileError;
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
    /// Its present path, from the root of the file system.
    pub lies: PathBuf,
    /// Why it was refused.
    pub why: String,
    /// When.
    pub since: String,
    /// The folder that it lies in, as the system numbers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<FolderId>,
}

/// A folder, by the numbers of its file system and of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderId {
    /// The file system (`st_dev`).
    pub dev: u64,
    /// The folder (`st_ino`).
    pub ino: u64,
}

impl FolderId {
    /// The folder that a path lies in.
    #[must_use]
    pub fn above(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let there = std::fs::metadata(path.parent()?).ok()?;
        there.is_dir().then(|| Self { dev: there.dev(), ino: there.ino() })
    }
}

impl Refused {
    /// True if it is still where it was put; also if its folder is gone, is another one, or cannot
    /// say.
    #[must_use]
    pub fn is_there(&self) -> bool {
        !self.is_gone() || !self.folder_is_there()
    }

    /// True if it is not seen where it was put.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        std::fs::symlink_metadata(&self.lies)
            .is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound)
    }

    fn folder_is_there(&self) -> bool {
        let there = FolderId::above(&self.lies);
        there.is_some() && (self.folder.is_none() || self.folder == there)
    }

    /// True if a run that booked the files of some paths has booked this one: from where it lies,
    /// or, of a link, from where that leads to.
    #[must_use]
    pub fn is_among(&self, booked: &[PathBuf]) -> bool {
        let real = |path: &Path| path.canonicalize().ok();
        let lies = real(&self.lies);
        booked.iter().any(|path| {
            std::path::absolute(path).is_ok_and(|path| path == self.lies)
                || real(path).is_some_and(|path| path == self.lies || Some(&path) == lies.as_ref())
        })
    }
}

/// The refused files of a ledger that are not mended, oldest first.
///
/// # Errors
/// If the list is there and cannot be read.
pub fn unmended(ledger: &Ledger) -> Result<Vec<Refused>, FileError> {
    Ok(listed(ledger)?.into_iter().filter(Refused::is_there).collect())
}

/// All files of the list, also those that were mended since it was written.
///
/// # Errors
/// If the list is there and cannot be read.
pub fn listed(ledger: &Ledger) -> Result<Vec<Refused>, FileError> {
    let path = ledger.folder().join(LIST);
    let hint = "look into the folder of `--set-aside` for what was refused, then move the list \
                away: it is no part of the books";
    let read = private::read_own(&path)
        .map_err(|e| FileError::new(&path, format!("cannot be read: {e}")).hint(hint))?;
    let Some(bytes) = read else { return Ok(Vec::new()) };
    serde_json::from_slice(&bytes).map_err(|e| {
        FileError::new(&path, format!("is no list of refused files: {e}"))
            .at(e.line() as u64)
            .hint(hint)
    })
}

/// Writes the list of a locked ledger anew, by one rename.
///
/// # Errors
/// If it cannot be written or synced.
pub fn keep(ledger: &Ledger, lock: &Lock, list: &[Refused]) -> Result<(), FileError> {
    let path = ledger.folder().join(LIST);
    if list.is_empty() && std::fs::symlink_metadata(&path).is_err() {
        return Ok(());
    }
    let fail = |e: std::io::Error| FileError::new(&path, format!("cannot be written: {e}"));
    let staged = lock.staging.join(LIST);
    let text = serde_json::to_string_pretty(list).map_err(|e| fail(e.into()))? + "\n";
    write_synced(&staged, text.as_bytes())?;
    std::fs::rename(&staged, &path).map_err(fail)?;
    sync_folder(ledger.folder())
}
