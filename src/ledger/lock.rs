//! The lock: one writer at a time. It also clears the remains of a dead writer.

use crate::disk::durable::{make_folder, make_folder_synced, sync_above, sync_folder, write_new};
use crate::disk::folder::{entries, is_there};
use crate::inputs::file::FileError;
use crate::ledger::error::LedgerError;
use crate::ledger::history::History;
use crate::ledger::place::{CATALOG, Ledger, OWN_FOLDERS};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

impl Ledger {
    /// Locks the ledger for writing, and makes its folders if they are missing. Nothing in them
    /// changes until [`Lock::begin`].
    ///
    /// # Errors
    /// [`LedgerError::InUse`] if another run has it.
    pub fn lock(&self) -> Result<Lock, LedgerError> {
        self.refuse_links()?;
        self.refuse_strangers()?;
        for folder in [self.runs_folder(), self.archive_folder()] {
            make_folder_synced(&folder)?;
        }
        let fail =
            |e: std::io::Error| FileError::new(&self.folder, format!("cannot be locked: {e}"));
        let file = File::open(&self.folder).map_err(fail)?;
        let staging = self.folder.join("staging");
        let holder = staging.join("holder");
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                // The holder is for the message only, and may not be written yet.
                let holder =
                    std::fs::read_to_string(&holder).ok().map(|text| text.trim().to_owned());
                let holder = holder
                    .filter(|text| !text.is_empty())
                    .unwrap_or_else(|| "not known yet".to_owned());
                return Err(LedgerError::InUse {
                    folder: self.folder.display().to_string(),
                    holder,
                });
            }
            Err(TryLockError::Error(e)) => return Err(fail(e).into()),
        }
        make_folder(&staging)?;
        // The holder is for the message only; the lock itself ends with the process.
        write_new(&holder, format!("{}\n", std::process::id()).as_bytes())?;
        Ok(Lock { _file: file, staging, has_begun: AtomicBool::new(false) })
    }
}

impl Ledger {
    /// True if a process of this machine holds the lock; `None` if the system does not say.
    ///
    /// # Why `/proc/locks`
    /// To try the lock would take it for an instant, and a run that begins in that instant would
    /// find it taken: a reader never stops a run.
    #[must_use]
    pub fn is_locked(&self) -> Option<bool> {
        use std::os::unix::fs::MetadataExt;
        let place = format!(":{}", std::fs::metadata(&self.folder).ok()?.ino());
        let locks = std::fs::read_to_string("/proc/locks").ok()?;
        // `1: FLOCK  ADVISORY  WRITE 1632 fe:00:5309325 0 EOF`; one that waits has `->` before it.
        let holder = locks.lines().find_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                [_, "FLOCK", _, "WRITE", pid, at, ..] if at.ends_with(&place) => {
                    Some((*pid).to_owned())
                }
                _ => None,
            }
        });
        let Some(pid) = holder else { return Some(false) };
        // Two file systems may number a file alike: the holder says who it is.
        let told = std::fs::read_to_string(self.folder.join("staging/holder"));
        Some(told.map_or(true, |told| told.trim().is_empty() || told.trim() == pid))
    }

    /// Refuses a folder that is no ledger but has a `staging`: a writer would empty somebody else's
    /// folder.
    fn refuse_strangers(&self) -> Result<(), FileError> {
        let staging = self.folder.join("staging");
        let (folders, files) = entries(&staging)?;
        if folders.is_empty() && files.is_empty() {
            return Ok(());
        }
        // `runs` is made first, and synced: a dead writer leaves no `staging` without it.
        for own in OWN_FOLDERS.into_iter().filter(|own| *own != "staging").chain([CATALOG]) {
            if is_there(&self.folder.join(own))? {
                return Ok(());
            }
        }
        let hint = "name an empty folder, or one that is not there yet, with --ledger";
        Err(FileError::new(&staging, "is not a ledger's: the folder has no runs beside it")
            .hint(hint))
    }
}

/// The right to write to a ledger; ends with the value, or with the process.
#[derive(Debug)]
pub struct Lock {
    _file: File,
    /// The folder in which a run is written before it is published.
    pub staging: PathBuf,
    has_begun: AtomicBool,
}

impl Lock {
    /// Clears the remains of a dead run, and moves the runs that a dead one replaced, once the
    /// ledger is known to be complete: a writer that is refused destroys no evidence.
    ///
    /// # Errors
    /// If something cannot be cleared or synced.
    pub fn begin(&self, ledger: &Ledger, history: &mut History) -> Result<(), LedgerError> {
        self.has_begun.store(true, Ordering::Relaxed);
        crate::disk::interrupt::writes_in(Some(&self.staging));
        self.clear(Some(&self.staging.join("holder")))?;
        crate::ledger::undone::clear_dead(ledger)?;
        // Renames of a dead run may not be on disk yet, and the next run builds on them.
        for folder in [
            ledger.runs_folder(),
            ledger.archive_folder(),
            ledger.undone_folder(),
            ledger.invoices_folder(),
        ] {
            if is_there(&folder)? {
                sync_folder(&folder)?;
            }
        }
        sync_folder(ledger.folder())?;
        // Their replacement is on the disk for good now.
        crate::ledger::undone::finish(ledger, &mut history.undone)?;
        if history.is_empty() {
            sync_above(ledger.folder());
        }
        Ok(())
    }

    /// Empties `staging`, except for one file.
    fn clear(&self, except: Option<&Path>) -> Result<(), FileError> {
        let fail =
            |e: std::io::Error| FileError::new(&self.staging, format!("cannot be emptied: {e}"));
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
        // The next run clears anything that cannot be cleared now.
        if self.has_begun.load(Ordering::Relaxed) {
            crate::disk::interrupt::writes_in(None);
            let _ = self.clear(None);
        } else {
            let _ = std::fs::remove_file(self.staging.join("holder"));
        }
    }
}
