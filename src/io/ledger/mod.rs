//! The ledger: a folder in which every run is a folder.
//!
//! ```text
//! ledger/
//! ├── runs/000001-5f0c…/               published by one rename; never changed again
//! │   ├── manifest.json                 inputs, decks, counts, sums, files with their hashes
//! │   ├── legs/date=2026-11-20/         Parquet, by UTC start date
//! │   ├── calls/date=2026-11-20/        the call log
//! │   ├── prices/date=2026-11-20/       prices that came after their call was booked
//! │   ├── ids/                          the ids of all of them, sorted: tells a copy from a conflict, finds a call and its children
//! │   ├── suspense/                     all that waits after this run
//! │   └── closed/                       what was written off out of suspense
//! ├── invoices/000001-9c41…/            a batch of invoices, or a credit note; published like a run, never changed again
//! ├── archive/<hash>/                   decks, trunks, accounts and items as they were used
//! ├── undone/000001-…/                  runs that were taken back, each beside why
//! ├── catalog.sqlite                    the index: a function of all of the above, made anew after each change
//! └── staging/                          what is being written, or what a dead run left; files without a name hold what
//!                                       finds no room in memory
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

pub mod agree;
mod behind;
pub mod books;
pub mod catalog;
mod direct;
pub mod events;
pub mod family;
pub mod frames;
pub mod ids;
pub mod interrupt;
pub mod issued;
pub mod known;
pub mod manifest;
pub mod pages;
pub mod proof;
pub mod read;
pub mod stored;
pub mod undo;
pub mod write;

use super::{FileError, private};
use manifest::Manifest;
use std::collections::{BTreeMap, HashSet};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

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
    /// Calls that are no trunk's.
    Ignored,
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
            Self::Ignored => "ignored",
        }
    }
}

/// Digits of a hash in [`History::head`]: nobody makes another chain with the same 64 bits.
const HEAD_DIGITS: usize = 16;

/// A ledger on disk.
#[derive(Debug, Clone)]
pub struct Ledger {
    folder: PathBuf,
}

/// The folders in a ledger's folder.
pub(crate) const OWN_FOLDERS: [&str; 5] = ["staging", "runs", "undone", "invoices", "archive"];

/// A published run.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its folder.
    pub folder: PathBuf,
    /// What it says of itself.
    pub manifest: Manifest,
    /// The files that are known to be as they were written.
    checked: Arc<Mutex<HashSet<String>>>,
}

impl Run {
    /// A run in a folder.
    #[must_use]
    pub fn new(folder: PathBuf, manifest: Manifest) -> Self {
        Self { folder, manifest, checked: Arc::default() }
    }
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

impl LedgerError {
    /// A sum that does not fit.
    pub(crate) fn of_sum(error: crate::money::Overflow) -> Self {
        Self::Overflow { call: "(sum)".to_owned(), error }
    }
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

    /// The folder of invoices and credit notes.
    #[must_use]
    pub fn invoices_folder(&self) -> PathBuf {
        self.folder.join("invoices")
    }

    /// Whether there is a ledger.
    ///
    /// # Errors
    /// If that cannot be told.
    pub fn exists(&self) -> Result<bool, FileError> {
        is_there(&self.runs_folder())
    }

    /// Refuses folders and files of the ledger that are links: what they lead to is a stranger's, and would be emptied or
    /// written to.
    fn refuse_links(&self) -> Result<(), FileError> {
        for name in OWN_FOLDERS.into_iter().chain([catalog::FILE_NAME]) {
            let path = self.folder.join(name);
            if std::fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_symlink()) {
                return Err(FileError::new(&path, "is a link; a ledger's folders and files are its own")
                    .hint("link the ledger's folder as a whole, or move what the link leads to here"));
            }
        }
        Ok(())
    }

    /// All that was ever published: the runs, oldest first, and those that were taken back.
    ///
    /// # Errors
    /// If a manifest cannot be read, or a run is missing between two others.
    pub fn history(&self) -> Result<History, FileError> {
        self.refuse_links()?;
        // Read first, it can only be behind; what it knows and the runs lack is missing, and no bill is right without it.
        let mut catalog = catalog::Stored::read(self)?;
        loop {
            let history = self.history_now()?;
            let Err(error) = catalog.check(&history) else { return Ok(history) };
            // Another process may have written between the two.
            let now = catalog::Stored::read(self)?;
            if now != catalog {
                catalog = now;
                continue;
            }
            return Err(match error {
                LedgerError::File(error) => error,
                error => FileError::new(&self.folder.join(catalog::FILE_NAME), error.to_string())
                    .hint("it is only an index: move it away, and the next run makes it again from the runs"),
            });
        }
    }

    /// The history as it stood at one moment.
    ///
    /// # Why twice
    /// The folders are read one after another. A run that is undone in between would be in both lists or in none, and one
    /// that was undone and booked again has its old name. The undos only ever grow in number: if the names are the same
    /// before and after, nothing was moved.
    fn history_now(&self) -> Result<History, FileError> {
        const TRIES: u32 = 20;
        let mut names = self.names()?;
        let mut tries = 1;
        loop {
            let history = self.history_of(&names[0].0);
            let after = self.names()?;
            if after == names || tries == TRIES {
                return history;
            }
            (names, tries) = (after, tries + 1);
        }
    }

    /// The folders and files of the runs, the undos and the invoices.
    fn names(&self) -> Result<[(Vec<PathBuf>, Vec<PathBuf>); 3], FileError> {
        Ok([entries(&self.runs_folder())?, entries(&self.undone_folder())?, entries(&self.invoices_folder())?])
    }

    fn history_of(&self, listed: &[PathBuf]) -> Result<History, FileError> {
        let mut runs = Vec::new();
        for folder in listed.iter().filter(|folder| is_run_name(folder)) {
            if !is_there(&folder.join(manifest::FILE_NAME))? {
                return Err(FileError::new(folder, "has no manifest: it is no whole run").hint(RESTORE));
            }
            let manifest = Manifest::load(folder)?;
            runs.push(Run::new(folder.clone(), manifest));
        }
        runs.sort_by_key(|run| run.manifest.sequence);
        let history = History { runs, undone: undo::all(self)?, issued: issued::all(self)? };
        history.check_chain()?;
        history.check_billed()?;
        Ok(history)
    }

    /// Takes the ledger for writing, and makes its folders if they are not there. Nothing in them is changed until
    /// [`Lock::begin`].
    ///
    /// # Errors
    /// [`LedgerError::InUse`] if another run has it.
    pub fn lock(&self) -> Result<Lock, LedgerError> {
        self.refuse_links()?;
        for folder in [self.runs_folder(), self.archive_folder()] {
            make_folder_synced(&folder)?;
        }
        let fail = |e: std::io::Error| FileError::new(&self.folder, format!("cannot be locked: {e}"));
        let file = File::open(&self.folder).map_err(fail)?;
        let staging = self.folder.join("staging");
        let holder = staging.join("holder");
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                // It is for the message only, and may not be written yet.
                let holder = std::fs::read_to_string(&holder).ok().map(|text| text.trim().to_owned());
                let holder = holder.filter(|text| !text.is_empty()).unwrap_or_else(|| "not known yet".to_owned());
                return Err(LedgerError::InUse { folder: self.folder.display().to_string(), holder });
            }
            Err(TryLockError::Error(e)) => return Err(fail(e).into()),
        }
        make_folder(&staging)?;
        // Who holds it is for the message only; the lock itself ends with the process.
        write_new(&holder, format!("{}\n", std::process::id()).as_bytes())?;
        Ok(Lock { _file: file, staging, has_begun: AtomicBool::new(false) })
    }
}

/// Everything that was published. A writer reads it once, and keeps it up with what it publishes itself.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// The runs that count, oldest first.
    pub runs: Vec<Run>,
    /// Those that were taken back, in that order.
    pub undone: Vec<undo::Undone>,
    /// Invoices and credit notes, in the order in which they were issued.
    pub issued: Vec<issued::Batch>,
}

impl History {
    /// All runs, those that count and those that do not.
    pub fn all_runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().chain(self.undone.iter().map(|undone| &undone.run))
    }

    /// The manifests of all of them.
    pub fn manifests(&self) -> impl Iterator<Item = &Manifest> {
        self.all_runs().map(|run| &run.manifest)
    }

    /// Whether nothing was ever published.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.undone.is_empty() && self.issued.is_empty()
    }

    /// The manifest of the last run.
    #[must_use]
    pub fn last(&self) -> Option<&Manifest> {
        self.runs.last().map(|run| &run.manifest)
    }

    /// The newest call start that the runs have seen.
    #[must_use]
    pub fn newest_start(&self) -> Option<crate::time::Micros> {
        self.runs.iter().filter_map(|run| run.manifest.own_newest()).max()
    }

    /// What an invoice bills is there: without it, its calls would be booked again and billed twice.
    fn check_billed(&self) -> Result<(), FileError> {
        let known: HashSet<&str> = self.manifests().map(|manifest| manifest.run_id.as_str()).collect();
        for batch in &self.issued {
            if let Some(gone) = batch.manifest.runs.iter().find(|run| !known.contains(run.run_id.as_str())) {
                let problem = format!("bills calls of run {}, which is missing", gone.run_id);
                return Err(FileError::new(&batch.folder, problem).hint(RESTORE));
            }
        }
        Ok(())
    }

    /// Where the history stands, in three hashes: of its last run, undo and batch of invoices; `-` where there is none. Each
    /// is a link of a chain, so a head that was noted elsewhere proves all that came before it.
    #[must_use]
    pub fn head(&self) -> String {
        let short = |hash: Option<&str>| hash.map_or("-", |hash| &hash[..HEAD_DIGITS]).to_owned();
        let run = self.last().map(|manifest| manifest.own_hash.as_str());
        let undone = self.undone.last().map(|undone| undone.record_hash.as_str());
        let batch = self.issued.last().map(|batch| batch.manifest.own_hash.as_str());
        [run, undone, batch].map(short).join(".")
    }

    /// Proves that a head which was noted earlier lies in this history: that every link it names is still there.
    ///
    /// # Errors
    /// The link that is not there; or that the text is no head.
    pub fn has_head(&self, ledger: &Ledger, head: &str) -> Result<(), FileError> {
        let runs: Vec<&str> = self.manifests().map(|manifest| manifest.own_hash.as_str()).collect();
        let undone: Vec<&str> = self.undone.iter().map(|undone| undone.record_hash.as_str()).collect();
        let batches: Vec<&str> = self.issued.iter().map(|batch| batch.manifest.own_hash.as_str()).collect();
        let lower = head.to_ascii_lowercase();
        let links: Vec<&str> = lower.split('.').collect();
        let is_link = |link: &str| link == "-" || link.len() == HEAD_DIGITS && link.bytes().all(|b| b.is_ascii_hexdigit());
        if links.len() != 3 || !links.iter().all(|link| is_link(link)) {
            let problem =
                format!("`{head}` is no head; expected three groups of {HEAD_DIGITS} hex digits or `-`, with points between");
            return Err(FileError::new(ledger.folder(), problem).hint("`trunkrate runs` prints one"));
        }
        let kinds =
            [("run", ledger.runs_folder()), ("undo", ledger.undone_folder()), ("batch of invoices", ledger.invoices_folder())];
        for ((link, known), (kind, folder)) in links.iter().zip([runs, undone, batches]).zip(kinds) {
            if *link != "-" && !known.iter().any(|hash| hash.starts_with(link)) {
                let problem = format!("lacks the {kind} {link}, which the ledger had when the head was noted");
                return Err(
                    FileError::new(&folder, problem).hint("it is an older copy, or another ledger; restore the newer one")
                );
            }
        }
        Ok(())
    }

    /// Every run holds the hash of the run before it; between two that count, all others were taken back. A lost run
    /// is seen.
    fn check_chain(&self) -> Result<(), FileError> {
        let undone: BTreeMap<&str, &Manifest> =
            self.undone.iter().map(|undone| (undone.run.manifest.own_hash.as_str(), &undone.run.manifest)).collect();
        let mut before: Option<&Manifest> = None;
        for run in &self.runs {
            let m = &run.manifest;
            if run.folder.file_name().is_none_or(|name| *name != *m.run_id) {
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
    has_begun: AtomicBool,
}

impl Lock {
    /// Clears what a dead run left, once the ledger is known to be whole: a writer that is refused destroys nothing that
    /// would explain why.
    ///
    /// # Errors
    /// If something cannot be cleared or synced.
    pub fn begin(&self, ledger: &Ledger, history: &History) -> Result<(), LedgerError> {
        self.has_begun.store(true, Ordering::Relaxed);
        interrupt::writes_in(Some(&self.staging));
        self.clear(Some(&self.staging.join("holder")))?;
        undo::clear_dead(ledger)?;
        // What a dead run renamed into place may not be on the disk yet, and the next run builds on it.
        for folder in [ledger.runs_folder(), ledger.archive_folder(), ledger.undone_folder(), ledger.invoices_folder()] {
            if is_there(&folder)? {
                sync_folder(&folder)?;
            }
        }
        sync_folder(ledger.folder())?;
        if history.is_empty() {
            sync_above(ledger.folder());
        }
        Ok(())
    }

    /// Empties `staging`, but for one file.
    fn clear(&self, except: Option<&Path>) -> Result<(), FileError> {
        let fail = |e: std::io::Error| FileError::new(&self.staging, format!("cannot be emptied: {e}"));
        let (folders, files) = entries(&self.staging)?;
        for file in files.iter().filter(|file| Some(file.as_path()) != except) {
            std::fs::remove_file(file).map_err(fail)?;
        }
        for folder in folders {
            std::fs::remove_dir_all(&folder).map_err(fail)?;
        }
        Ok(())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // What cannot be cleared now, the next run clears.
        if self.has_begun.load(Ordering::Relaxed) {
            interrupt::writes_in(None);
            let _ = self.clear(None);
        } else {
            let _ = std::fs::remove_file(self.staging.join("holder"));
        }
    }
}

/// Whether a folder has the name of a run, `000017-5f0c1234`, or of an undone one, `000001-000017-5f0c1234`: file managers and file systems leave folders of their own.
pub(crate) fn is_run_name(folder: &Path) -> bool {
    let name = folder.file_name().and_then(|name| name.to_str()).and_then(|name| name.split_once('-'));
    name.is_some_and(|(number, hash)| {
        number.len() >= 6
            && number.bytes().all(|b| b.is_ascii_digit())
            && hash.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
    })
}

/// Whether a path is there. A disk that cannot say is an error: a run that is overlooked would be booked again.
pub(crate) fn is_there(path: &Path) -> Result<bool, FileError> {
    path.try_exists().map_err(|e| FileError::new(path, format!("cannot be read: {e}")))
}

/// The folders and the files in a folder, each sorted; none if it is not there.
pub(crate) fn entries(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), FileError> {
    let (mut folders, mut files) = (Vec::new(), Vec::new());
    if is_there(folder)? {
        let fail = |e: std::io::Error| FileError::new(folder, format!("cannot be read: {e}"));
        for entry in std::fs::read_dir(folder).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let kind = if entry.file_type().map_err(fail)?.is_dir() { &mut folders } else { &mut files };
            kind.push(entry.path());
        }
    }
    folders.sort();
    files.sort();
    Ok((folders, files))
}

/// Writes a small file whole and syncs it. What an earlier try left there is removed first, never written into: it may be a
/// link to something else.
pub(crate) fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let file = write_new(path, bytes)?;
    file.sync_all().map_err(|e| FileError::new(path, format!("cannot be written: {e}")))
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<File, FileError> {
    use std::io::Write;
    let write = || {
        match std::fs::remove_file(path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut file = private::create_new(path)?;
        file.write_all(bytes)?;
        Ok(file)
    };
    write().map_err(|e| FileError::new(path, format!("cannot be written: {e}")))
}

pub(crate) fn make_folder(folder: &Path) -> Result<(), FileError> {
    private::make_folders(folder).map_err(|e| FileError::new(folder, format!("cannot be made: {e}")))
}

/// Makes a folder and those above it that are not there, and syncs the folder that holds each new one.
pub(crate) fn make_folder_synced(folder: &Path) -> Result<(), FileError> {
    let mut missing = vec![folder.to_owned()];
    while let Some(parent) = missing.last().and_then(|path| path.parent())
        && !parent.as_os_str().is_empty()
        && !is_there(parent)?
    {
        missing.push(parent.to_owned());
    }
    for folder in missing.iter().rev() {
        make_folder(folder)?;
        let holder = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
        sync_folder(holder.unwrap_or(Path::new(".")))?;
    }
    Ok(())
}

/// Syncs the folders above a first ledger, whose entries a process that died may have made and not synced. One that may not
/// be read is not its own.
fn sync_above(folder: &Path) {
    if let Ok(folder) = folder.canonicalize() {
        for above in folder.ancestors().skip(1) {
            let _ = sync_folder(above);
        }
    }
}

pub(crate) fn sync_folder(folder: &Path) -> Result<(), FileError> {
    let sync = || File::open(folder)?.sync_all();
    sync().map_err(|e| FileError::new(folder, format!("cannot be synced: {e}")))
}

/// Moves a folder by one rename, and syncs the folders that hold it and held it: **now it counts.** If a sync fails, it may
/// not survive a loss of power; so it does not count, and is moved back.
pub(crate) fn move_synced(from: &Path, to: &Path, holders: &[&Path], done: &str) -> Result<(), FileError> {
    let _whole = interrupt::publishing();
    std::fs::rename(from, to).map_err(|e| FileError::new(to, format!("cannot be published: {e}")))?;
    holders.iter().try_for_each(|holder| sync_folder(holder)).map_err(|e| match std::fs::rename(to, from) {
        Ok(()) => e,
        Err(back) => FileError::new(to, format!("is {done}, but {e}, and it cannot be moved back: {back}")),
    })
}

pub(crate) fn polars_error(path: &Path) -> impl Fn(polars::error::PolarsError) -> LedgerError + '_ {
    move |error| LedgerError::Polars { path: path.display().to_string(), error }
}
