//! The ledger: a folder in which every run is a folder.
//!
//! ```text
//! ledger/
//! ├── runs/000001-5f0c…/               published by one rename; never changed again
//! │   ├── manifest.json                 inputs, decks, counts, sums, files with their hashes
//! │   ├── legs/date=2026-11-20/         Parquet, by UTC start date
//! │   ├── calls/date=2026-11-20/        the call log
//! │   ├── prices/date=2026-11-20/       prices that came after their call was booked
//! │   ├── ids/                          the ids of all of them, sorted: tells a copy from a conflict, finds a call
//! │   ├── suspense/                     all that waits after this run
//! │   └── closed/                       what was written off out of suspense
//! ├── archive/<hash>/                   decks, trunks and accounts as they were used
//! ├── undone/000001-…/                  runs that were taken back, each beside why
//! ├── catalog.sqlite                    the index: a function of all of the above, made anew after each change
//! └── staging/                          what is being written, or what a dead run left
//! ```
//!
//! # Protocol
//!
//! 1. Take the lock: `flock` on the ledger's folder. It ends with the process, however that ends. Empty `staging`.
//! 2. Write every file of the run into `staging` and sync it; then the manifest, which names them all with their hashes;
//!    then sync the folders. A sync that fails ends the run; it is never tried twice.
//! 3. Rename the run's folder into `runs` and sync that. **Now it is booked.** If the sync fails, the folder is renamed
//!    back and the run has failed.
//! 4. Make the catalog anew in `staging`, sync it, rename it over the old one.
//!
//! Whoever reads looks only into `runs`, so half a run is never seen, and nobody who reads waits. `undo` goes the same way
//! in the other direction: why it was done is written first, one rename takes the run out.
//!
//! **Invariant:** no clock and no host goes into a run, and of paths only the call files' as the user named them: the same
//! runs give the same bytes, in any folder on any machine.
//!
//! What fails after step 3 (the catalog) cannot unbook the run: it is told as a note, and the exit code stays 0.

pub mod catalog;
pub mod events;
pub mod frames;
pub mod ids;
pub mod known;
pub mod manifest;
pub mod proof;
pub mod read;
pub mod undo;
pub mod write;

use super::FileError;
use manifest::Manifest;
use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// What to do about a ledger that is not as it was written.
pub(crate) const RESTORE: &str = "the ledger was changed after it was written; restore it from a copy";

/// What of a run is stored: the folders below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dataset {
    /// Billed legs, by date.
    Legs,
    /// The call log, by date.
    Calls,
    /// Late prices, by the date of their call.
    Prices,
    /// Ids of booked and of ignored calls.
    Ids,
    /// All that waits.
    Suspense,
    /// What was written off.
    Closed,
}

impl Dataset {
    /// The folder's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Legs => "legs",
            Self::Calls => "calls",
            Self::Prices => "prices",
            Self::Ids => "ids",
            Self::Suspense => "suspense",
            Self::Closed => "closed",
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

    /// The folder of runs that were taken back.
    #[must_use]
    pub fn undone_folder(&self) -> PathBuf {
        self.folder.join("undone")
    }

    /// Whether there is a ledger.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.runs_folder().is_dir()
    }

    /// All that was ever published: the runs, oldest first, and those that were taken back.
    ///
    /// # Errors
    /// If a manifest cannot be read, or a run is missing between two others.
    pub fn history(&self) -> Result<History, FileError> {
        let mut runs = Vec::new();
        for folder in sub_folders(&self.runs_folder())? {
            if !folder.join(manifest::FILE_NAME).is_file() {
                return Err(FileError::new(&folder, "has no manifest: it is no whole run").hint(RESTORE));
            }
            let manifest = Manifest::load(&folder)?;
            runs.push(Run { folder, manifest });
        }
        runs.sort_by_key(|run| run.manifest.sequence);
        let history = History { runs, undone: undo::all(self)? };
        history.check_chain()?;
        Ok(history)
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
        let fail = |e: std::io::Error| FileError::new(&self.folder, format!("cannot be locked: {e}"));
        let file = File::open(&self.folder).map_err(fail)?;
        let staging = self.folder.join("staging");
        let holder = staging.join("holder");
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let text = std::fs::read_to_string(&holder).unwrap_or_default();
                let holder = if text.trim().is_empty() { "not known yet".to_owned() } else { text.trim().to_owned() };
                return Err(LedgerError::InUse { folder: self.folder.display().to_string(), holder });
            }
            Err(TryLockError::Error(e)) => return Err(fail(e).into()),
        }
        make_folder(&staging)?;
        // Who holds it is for the message only; the lock itself ends with the process.
        std::fs::write(&holder, format!("{}\n", std::process::id()))
            .map_err(|e| FileError::new(&holder, format!("cannot be written: {e}")))?;
        let lock = Lock { _file: file, staging };
        lock.clear(Some(&holder))?;
        undo::clear_dead(self)?;
        Ok(lock)
    }
}

/// Everything that was published.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// The runs that count, oldest first.
    pub runs: Vec<Run>,
    /// Those that were taken back, in that order.
    pub undone: Vec<undo::Undone>,
}

impl History {
    /// The manifest of the last run.
    #[must_use]
    pub fn last(&self) -> Option<&Manifest> {
        self.runs.last().map(|run| &run.manifest)
    }

    /// The newest call start that the runs have seen.
    #[must_use]
    pub fn newest_start(&self) -> Option<crate::time::Micros> {
        self.runs
            .iter()
            .filter_map(|run| run.manifest.own_newest_start.as_deref())
            .filter_map(crate::time::parse_date_or_instant)
            .max()
    }

    /// Every run holds the hash of the run before it; between two that count, all others were taken back. A lost run
    /// is seen.
    fn check_chain(&self) -> Result<(), FileError> {
        let undone: BTreeMap<&str, &Manifest> =
            self.undone.iter().map(|undone| (undone.run.manifest.own_hash.as_str(), &undone.run.manifest)).collect();
        let mut before: Option<&Manifest> = None;
        for run in &self.runs {
            let m = &run.manifest;
            let folder = run.folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if folder != m.run_id {
                let problem = format!("its manifest says that it is run {}", m.run_id);
                return Err(FileError::new(&run.folder, problem).hint(RESTORE));
            }
            let expected = before.map(|before| before.own_hash.as_str());
            let (mut hash, mut sequence) = (m.previous_manifest.as_deref(), m.sequence);
            while hash != expected
                && let Some(taken_back) = hash.and_then(|hash| undone.get(hash))
            {
                (hash, sequence) = (taken_back.previous_manifest.as_deref(), taken_back.sequence);
            }
            if hash != expected || sequence != before.map_or(1, |before| before.sequence + 1) {
                let (previous, wanted) = (m.previous.as_deref(), before.map(|before| before.run_id.as_str()));
                let problem = format!(
                    "it is run {} after {}; found {} before it: a run is missing, or a manifest was changed",
                    m.sequence,
                    previous.unwrap_or("none"),
                    wanted.unwrap_or("none")
                );
                return Err(FileError::new(&run.folder, problem).hint(RESTORE));
            }
            before = Some(m);
        }
        Ok(())
    }
}

/// The right to write to a ledger; ends with the value, or with the process.
#[derive(Debug)]
pub struct Lock {
    _file: File,
    /// Where a run is written before it is published.
    pub staging: PathBuf,
}

impl Lock {
    /// Empties `staging`, but for one file.
    fn clear(&self, except: Option<&Path>) -> Result<(), FileError> {
        let fail = |e: std::io::Error| FileError::new(&self.staging, format!("cannot be emptied: {e}"));
        for entry in std::fs::read_dir(&self.staging).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            if Some(path.as_path()) == except {
                continue;
            }
            if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) }.map_err(fail)?;
        }
        Ok(())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // What cannot be cleared now, the next run clears.
        let _ = self.clear(None);
    }
}

/// The folders in a folder, sorted; none if it is not there.
pub(crate) fn sub_folders(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let fail = |e: std::io::Error| FileError::new(folder, format!("cannot be read: {e}"));
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

/// Writes a small file whole and syncs it.
pub(crate) fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    use std::io::Write;
    let write = || {
        let mut file = File::create_new(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|e| FileError::new(path, format!("cannot be written: {e}")))
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
