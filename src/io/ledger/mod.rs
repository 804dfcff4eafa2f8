//! The ledger: a folder in which every run is a folder.
//!
//! ```text
//! ledger/
//! ├── runs/000001-5f0c…/               published by one rename; never changed again
//! │   ├── manifest.json                 inputs, decks, counts, sums, files with their hashes
//! │   ├── legs/date=2026-11-20/         Parquet, by UTC start date
//! │   ├── calls/date=2026-11-20/        the call log
//! │   ├── fingerprints/date=…/          of the same rows: tells a copy from a conflict
//! │   ├── suspense/                     all that waits after this run
//! │   └── prices/, ignored/             prices that came late; ids of calls that are no trunk calls
//! ├── archive/<hash>/                   decks, trunks and accounts as they were used
//! ├── catalog.sqlite                    the index, rebuilt from the runs where it is behind
//! ├── staging/                          runs that are being written, or that died
//! └── lock
//! ```
//!
//! **Protocol.** A run takes the lock, empties `staging`, writes and syncs every file there, then the manifest, then
//! renames the folder into `runs` and syncs that. Only then it is booked; the catalog follows. Whoever reads looks only
//! into `runs`, so half a run is never seen.
//!
//! **Invariant:** no clock and no host goes into a run, and of paths only the call files' as the user named them: the same
//! runs give the same bytes.
//!
//! What fails after the rename (the sync of `runs`, the catalog) cannot unbook the run: it is told as a note, and the exit
//! code stays 0.

pub mod catalog;
pub mod frames;
pub mod manifest;
pub mod read;
pub mod write;

use super::FileError;
use manifest::Manifest;
use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

/// What to do about a ledger that is not as it was written.
pub(crate) const RESTORE: &str = "the ledger was changed after it was written; restore it from a copy";

/// What of a run is stored: the folders below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dataset {
    /// Billed legs.
    Legs,
    /// The call log.
    Calls,
    /// Fingerprints, row by row as the call log.
    Fingerprints,
    /// All that waits.
    Suspense,
    /// Late prices.
    Prices,
    /// Ids of ignored calls.
    Ignored,
}

impl Dataset {
    /// The folder's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Legs => "legs",
            Self::Calls => "calls",
            Self::Fingerprints => "fingerprints",
            Self::Suspense => "suspense",
            Self::Prices => "prices",
            Self::Ignored => "ignored",
        }
    }
}

/// A ledger on disk.
#[derive(Debug, Clone)]
pub struct Ledger {
    folder: PathBuf,
}

/// A published run.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its folder.
    pub folder: PathBuf,
    /// What it says of itself.
    pub manifest: Manifest,
}

/// Why a ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another run has it.
    #[error("the ledger {folder} is in use by another run (process {holder})")]
    InUse {
        /// The ledger.
        folder: String,
        /// The process that holds the lock, as it wrote it.
        holder: String,
    },
    /// A file of it.
    #[error(transparent)]
    File(#[from] FileError),
    /// The catalog.
    #[error("{path}: {error}")]
    Catalog {
        /// The file.
        path: String,
        /// What SQLite says.
        error: rusqlite::Error,
    },
    /// polars.
    #[error("{path}: {error}")]
    Polars {
        /// The file or folder.
        path: String,
        /// What polars says.
        error: polars::error::PolarsError,
    },
    /// Money that does not fit.
    #[error("call {call}: {error}; nothing was booked")]
    Overflow {
        /// The call.
        call: String,
        /// What does not fit.
        error: crate::money::Overflow,
    },
    /// A law that does not hold: a bug, and nothing is booked.
    #[error("the books do not balance: {0}; nothing was booked. This is a bug of trunkrate")]
    Unbalanced(String),
}

impl Ledger {
    /// A ledger in a folder, which need not exist yet.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of runs.
    #[must_use]
    pub fn runs_folder(&self) -> PathBuf {
        self.folder.join("runs")
    }

    /// The folder of files kept by their hash.
    #[must_use]
    pub fn archive_folder(&self) -> PathBuf {
        self.folder.join("archive")
    }

    /// Whether there is a ledger.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.runs_folder().is_dir()
    }

    /// The published runs, oldest first.
    ///
    /// # Errors
    /// If a manifest cannot be read.
    pub fn runs(&self) -> Result<Vec<Run>, FileError> {
        let folder = self.runs_folder();
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        let fail = |e: std::io::Error| FileError::new(&folder, format!("cannot be read: {e}"));
        let mut folders = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            if !path.is_dir() {
                continue;
            }
            if !path.join(manifest::FILE_NAME).is_file() {
                return Err(FileError::new(&path, "has no manifest: it is no whole run").hint(RESTORE));
            }
            folders.push(path);
        }
        folders.sort();
        let mut runs = Vec::with_capacity(folders.len());
        for folder in folders {
            let manifest = Manifest::load(&folder)?;
            runs.push(Run { folder, manifest });
        }
        runs.sort_by_key(|run| run.manifest.sequence);
        for (place, run) in runs.iter().enumerate() {
            check_chain(place.checked_sub(1).map(|before| &runs[before].manifest), run)?;
        }
        Ok(runs)
    }

    /// Takes the ledger for writing; makes its folders if they are not there, and clears what a dead run left.
    ///
    /// # Errors
    /// [`LedgerError::InUse`] if another run has it.
    pub fn lock(&self) -> Result<Lock, LedgerError> {
        for folder in [self.runs_folder(), self.archive_folder()] {
            make_folder(&folder)?;
        }
        sync_folder(&self.folder)?;
        if let Some(parent) = self.folder.canonicalize().ok().as_deref().and_then(Path::parent) {
            sync_folder(parent)?;
        }
        let path = self.folder.join("lock");
        let fail = |e: std::io::Error| FileError::new(&path, format!("cannot be locked: {e}"));
        let mut file = File::options().create(true).truncate(false).read(true).write(true).open(&path).map_err(fail)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = std::fs::read_to_string(&path).unwrap_or_default().trim().to_owned();
                return Err(LedgerError::InUse { folder: self.folder.display().to_string(), holder });
            }
            Err(TryLockError::Error(e)) => return Err(fail(e).into()),
        }
        // Who holds it is for the message only; the lock itself ends with the process.
        file.set_len(0).map_err(fail)?;
        writeln!(file, "{}", std::process::id()).map_err(fail)?;
        let staging = self.folder.join("staging");
        if staging.exists() {
            std::fs::remove_dir_all(&staging).map_err(|e| FileError::new(&staging, format!("cannot be emptied: {e}")))?;
        }
        make_folder(&staging)?;
        Ok(Lock { _file: file, staging })
    }
}

/// Runs follow each other without a gap, each holding the hash of the one before: a lost run is seen.
fn check_chain(before: Option<&Manifest>, run: &Run) -> Result<(), FileError> {
    let m = &run.manifest;
    let folder = run.folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (previous, sequence) = before.map_or((None, 1), |before| (Some(&before.run_id), before.sequence + 1));
    let problem = if folder != m.run_id {
        format!("its manifest says that it is run {}", m.run_id)
    } else if m.previous.as_ref() != previous || m.sequence != sequence {
        format!("it is run {} after {:?}; expected run {sequence} after {previous:?}", m.sequence, m.previous)
    } else if m.previous_manifest.as_ref() != before.map(|before| &before.own_hash) {
        "the manifest of the run before it is not the one that it followed".to_owned()
    } else {
        return Ok(());
    };
    Err(FileError::new(&run.folder, problem).hint(RESTORE))
}

/// The right to write to a ledger; ends with the value, or with the process.
#[derive(Debug)]
pub struct Lock {
    _file: File,
    /// Where a run is written before it is published.
    pub staging: PathBuf,
}

pub(crate) fn make_folder(folder: &Path) -> Result<(), FileError> {
    std::fs::create_dir_all(folder).map_err(|e| FileError::new(folder, format!("cannot be made: {e}")))
}

pub(crate) fn sync_folder(folder: &Path) -> Result<(), FileError> {
    let sync = || File::open(folder)?.sync_all();
    sync().map_err(|e| FileError::new(folder, format!("cannot be synced: {e}")))
}

pub(crate) fn polars_error(path: &Path) -> impl Fn(polars::error::PolarsError) -> LedgerError + '_ {
    move |error| LedgerError::Polars { path: path.display().to_string(), error }
}
