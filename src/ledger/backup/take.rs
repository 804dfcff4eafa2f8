//! A state of a ledger into a backup, while others write to the ledger.

use super::folder::{BackedUpFile, BackupFolder, BackupState};
use crate::disk::folder::{entries, is_there, resolved};
use crate::inputs::file::FileError;
use crate::ledger::batch;
use crate::ledger::error::LedgerError;
use crate::ledger::history::History;
use crate::ledger::manifest::FILE_NAME;
use crate::ledger::place::Ledger;
use crate::ledger::verify::is_as_used;
use crate::ledger::{journal, looks, set_aside};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// How often a state is read again because a run was taken back while it was copied.
const TRIES: u32 = 20;

/// What a backup did.
#[derive(Debug, Clone, Default)]
pub struct BackupDone {
    /// The head of the ledger that it holds.
    pub head: String,
    /// Runs that count.
    pub runs: usize,
    /// Batches of invoices and credit notes.
    pub batches: usize,
    /// Files of the ledger that it holds.
    pub files: u64,
    /// Of these, the files that were copied now, and their bytes.
    pub copied: (u64, u64),
    /// Files of earlier states that were removed.
    pub removed: u64,
    /// Files in the backup that were broken, and were copied anew (`--check`).
    pub mended: u64,
}

/// Backs a ledger up into a folder; `at` is the time that it says. With `check`, what lies there
/// already is read again, and copied anew where it is broken.
///
/// # Errors
/// If the ledger is not as it was written, or lacks what the backup has; or the folder is something
/// else, in use, or cannot be written. The backup before stays whole then.
pub fn take(
    ledger: &Ledger,
    folder: &Path,
    at: &str,
    check: bool,
) -> Result<BackupDone, LedgerError> {
    refuse_inside(ledger, folder)?;
    let backup = BackupFolder::to_write(folder)?;
    let before = backup.state()?;
    let mut copy = Copied::new(&backup, ledger, before.as_ref(), check);
    let mut tries = 1;
    let (history, files) = loop {
        let published = ledger.published()?;
        let history = ledger.history()?;
        if let Some(before) = &before {
            is_later(ledger, &history, before, folder)?;
        }
        match copy.state(&history) {
            Ok(files) => break (history, files),
            // A run that was taken back meanwhile lies elsewhere now.
            Err(_) if tries < TRIES && ledger.published()? != published => tries += 1,
            Err(error) => return Err(error),
        }
    };
    let state = backup.publish(BackupState {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        taken_at: at.to_owned(),
        head: history.head(),
        files,
        ..BackupState::default()
    })?;
    let removed = backup.clear(&state)?;
    Ok(BackupDone {
        head: state.head,
        runs: history.runs.len(),
        batches: history.issued.len(),
        files: state.files.len() as u64,
        removed,
        ..copy.done
    })
}

/// Refuses a backup in the ledger, and a ledger in the backup.
fn refuse_inside(ledger: &Ledger, folder: &Path) -> Result<(), FileError> {
    let (own, there) = (resolved(ledger.folder())?, resolved(folder)?);
    if own.starts_with(&there) || there.starts_with(&own) {
        return Err(FileError::new(folder, "would lie in the ledger, or the ledger in it")
            .hint("name a folder elsewhere, best on another disk"));
    }
    Ok(())
}

/// Refuses a ledger that lacks what the backup has: it would be lost with the state before.
fn is_later(
    ledger: &Ledger,
    history: &History,
    before: &BackupState,
    folder: &Path,
) -> Result<(), FileError> {
    history.has_head(ledger, &before.head).map_err(|error| {
        let hint = format!(
            "it is an older copy, or another ledger; `trunkrate ledger restore {}` gives the newer \
             one back, or name another folder for this one",
            folder.display()
        );
        FileError::new(folder, format!("backs up another state: {error}")).hint(hint)
    })
}

/// A state while it is copied.
struct Copied<'a> {
    backup: &'a BackupFolder,
    ledger: &'a Ledger,
    /// The files of the state before, by their paths.
    before: HashMap<&'a str, &'a BackedUpFile>,
    /// The files in the backup that were found whole.
    whole: BTreeSet<String>,
    check: bool,
    done: BackupDone,
}

impl<'a> Copied<'a> {
    fn new(
        backup: &'a BackupFolder,
        ledger: &'a Ledger,
        before: Option<&'a BackupState>,
        check: bool,
    ) -> Self {
        let files = before.map_or(&[][..], |state| &state.files);
        let before = files.iter().map(|file| (file.path.as_str(), file)).collect();
        Self { backup, ledger, before, whole: BTreeSet::new(), check, done: BackupDone::default() }
    }

    /// Copies all files of a state; returns them in the order of their paths.
    fn state(&mut self, history: &History) -> Result<Vec<BackedUpFile>, LedgerError> {
        let mut files = BTreeMap::new();
        let mut archived = BTreeSet::new();
        for run in history.all_runs() {
            let m = &run.manifest;
            let manifest = run.folder.join(FILE_NAME);
            self.known(&mut files, &manifest, size(&manifest)?, &m.own_hash)?;
            for file in &m.files {
                self.known(&mut files, &run.folder.join(&file.path), file.bytes, &file.blake3)?;
            }
            archived
                .extend([&m.decks_hash, &m.trunks_hash, &m.accounts_hash].into_iter().flatten());
        }
        for undone in &history.undone {
            let record = undone.kept(self.ledger).with_extension("json");
            self.known(&mut files, &record, size(&record)?, &undone.record_hash)?;
        }
        for batch in &history.issued {
            let m = &batch.manifest;
            let manifest = batch.folder.join(batch::MANIFEST);
            self.known(&mut files, &manifest, size(&manifest)?, &m.own_hash)?;
            for file in &m.files {
                self.known(&mut files, &batch.folder.join(&file.path), file.bytes, &file.blake3)?;
            }
            archived.extend([&m.accounts_hash, &m.items_hash].into_iter().flatten());
        }
        for hash in archived {
            self.archive(&mut files, &self.ledger.archive_folder().join(hash))?;
        }
        // Files that grow, and are no part of the books: as they are now.
        for name in journal::FILES.into_iter().chain(looks::FILES).chain([set_aside::LIST]) {
            let path = self.ledger.folder().join(name);
            if is_there(&path)? {
                self.unknown(&mut files, &path)?;
            }
        }
        Ok(files.into_values().collect())
    }

    /// A folder of the archive. It is named by the hash of what it holds, so one that the state
    /// before has is not read again.
    fn archive(
        &mut self,
        files: &mut BTreeMap<String, BackedUpFile>,
        folder: &Path,
    ) -> Result<(), LedgerError> {
        let is_new = |name: &str| !self.before.keys().any(|path| path.starts_with(name));
        if is_new(&format!("{}/", self.name_of(folder))) {
            is_as_used(folder)?;
        }
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            let (more, found) = entries(&folder)?;
            folders.extend(more);
            for path in found {
                let name = self.name_of(&path);
                match self.before.get(name.as_str()).copied() {
                    Some(file) => self.known(files, &path, file.bytes, &file.blake3)?,
                    None => self.unknown(files, &path)?,
                }
            }
        }
        Ok(())
    }

    /// A file whose hash is known: it is copied if the backup lacks it.
    fn known(
        &mut self,
        files: &mut BTreeMap<String, BackedUpFile>,
        path: &Path,
        bytes: u64,
        blake3: &str,
    ) -> Result<(), LedgerError> {
        let name = self.name_of(path);
        let file = BackedUpFile { path: name.clone(), bytes, blake3: blake3.to_owned() };
        if !self.whole.contains(blake3) {
            if !self.backup.holds(&file, self.check)? {
                let is_broken = self.check && is_there(&self.backup.path_of(blake3))?;
                self.backup.add(path, Some(blake3))?;
                self.count(bytes);
                self.done.mended += u64::from(is_broken);
            }
            self.whole.insert(blake3.to_owned());
        }
        files.insert(name, file);
        Ok(())
    }

    /// A file that nothing says the hash of.
    fn unknown(
        &mut self,
        files: &mut BTreeMap<String, BackedUpFile>,
        path: &Path,
    ) -> Result<(), LedgerError> {
        let name = self.name_of(path);
        let (bytes, blake3) = self.backup.add(path, None)?;
        let is_new = self.before.get(name.as_str()).is_none_or(|file| file.blake3 != blake3);
        if is_new && self.whole.insert(blake3.clone()) {
            self.count(bytes);
        }
        files.insert(name.clone(), BackedUpFile { path: name, bytes, blake3 });
        Ok(())
    }

    fn count(&mut self, bytes: u64) {
        self.done.copied.0 += 1;
        self.done.copied.1 += bytes;
    }

    /// The path below the ledger.
    fn name_of(&self, path: &Path) -> String {
        let below = path.strip_prefix(self.ledger.folder()).map(PathBuf::from);
        let below = below.expect("a file of a ledger lies in its folder");
        let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
        parts.join("/")
    }
}

fn size(path: &Path) -> Result<u64, FileError> {
    let meta = std::fs::metadata(path);
    Ok(meta.map_err(|e| FileError::new(path, format!("cannot be read: {e}")))?.len())
}
