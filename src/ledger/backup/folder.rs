//! The folder of a backup: its lock, its state, and its files under their hashes.

use crate::disk::durable::{make_folder, make_folder_synced, sync_folder, write_new, write_synced};
use crate::disk::folder::{entries, is_there};
use crate::disk::{interrupt, private};
use crate::inputs::file::FileError;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// The layout of a backup that this version writes.
const BACKUP_FORMAT: u32 = 1;
const STATE: &str = "state.json";
const FILES: &str = "files";
const STAGING: &str = "staging";
/// A folder that a file system puts into its own root.
const LOST_AND_FOUND: &str = "lost+found";

/// The hint for a backup that was changed after it was written.
pub(super) const BROKEN: &str = "the backup was changed after it was made; \
    `trunkrate ledger backup DIR --check` copies what is broken anew, while the ledger is there";

/// A state of a ledger, as a backup holds it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupState {
    /// Version of the backup's layout.
    pub backup_format: u32,
    /// Version of trunkrate that made it.
    pub version: String,
    /// When it was made.
    pub taken_at: String,
    /// The head of the ledger ([`crate::ledger::History::head`]).
    pub head: String,
    /// Every file, in the order of paths.
    pub files: Vec<BackedUpFile>,
}

/// A file of a ledger in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackedUpFile {
    /// Its path below the ledger, with `/`.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// BLAKE3 of it, which is its name in the backup.
    pub blake3: String,
}

/// A backup's folder, locked until the value ends.
#[derive(Debug)]
pub(super) struct BackupFolder {
    folder: PathBuf,
    _lock: File,
}

impl BackupFolder {
    /// Opens a backup to write to it, and makes it where nothing is yet.
    pub(super) fn to_write(folder: &Path) -> Result<Self, FileError> {
        refuse_others(folder)?;
        make_folder_synced(folder)?;
        let lock = opened(folder)?;
        let backup =
            Self { folder: folder.to_owned(), _lock: locked(folder, lock, File::try_lock)? };
        let staging = backup.staging();
        if is_there(&staging)? {
            std::fs::remove_dir_all(&staging)
                .map_err(|e| FileError::new(&staging, format!("cannot be emptied: {e}")))?;
        }
        for own in [staging, folder.join(FILES)] {
            make_folder(&own)?;
        }
        interrupt::writes_in(Some(&backup.staging()));
        Ok(backup)
    }

    /// Opens a backup to read it.
    pub(super) fn to_read(folder: &Path) -> Result<(Self, BackupState), FileError> {
        let lock = opened(folder)?;
        let lock = locked(folder, lock, File::try_lock_shared)?;
        let backup = Self { folder: folder.to_owned(), _lock: lock };
        let state = backup.state()?.ok_or_else(|| {
            FileError::new(folder, "is no backup of a ledger: it has no state.json")
                .hint("`trunkrate ledger backup DIR` makes one")
        })?;
        Ok((backup, state))
    }

    fn staging(&self) -> PathBuf {
        self.folder.join(STAGING)
    }

    /// Where a file lies, by its hash.
    pub(super) fn path_of(&self, blake3: &str) -> PathBuf {
        let group = blake3.get(..2).unwrap_or(blake3);
        self.folder.join(FILES).join(group).join(blake3)
    }

    /// The state that it holds; `None` if it holds none yet.
    pub(super) fn state(&self) -> Result<Option<BackupState>, FileError> {
        let path = self.folder.join(STATE);
        let read = private::read_own(&path);
        let read = read.map_err(|e| FileError::new(&path, format!("cannot be read: {e}")))?;
        let Some(bytes) = read else { return Ok(None) };
        let wrong = |problem: String| FileError::new(&path, problem).hint(BROKEN);
        let state: BackupState = serde_json::from_slice(&bytes)
            .map_err(|e| wrong(format!("is no state of a backup: {e}")))?;
        if state.backup_format > BACKUP_FORMAT {
            let problem = format!(
                "was written by trunkrate {}: backup format {}",
                state.version, state.backup_format
            );
            return Err(FileError::new(&path, problem).hint("use that version or a later one"));
        }
        let is_hash =
            |hash: &str| hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        match state.files.iter().find(|file| !is_hash(&file.blake3)) {
            Some(file) => Err(wrong(format!("names `{}`, which is no hash", file.blake3))),
            None => Ok(Some(state)),
        }
    }

    /// True if it holds a file of this hash and size; with `check`, also that the hash is right.
    pub(super) fn holds(&self, file: &BackedUpFile, check: bool) -> Result<bool, FileError> {
        let path = self.path_of(&file.blake3);
        match std::fs::symlink_metadata(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(FileError::new(&path, format!("cannot be read: {e}"))),
            Ok(meta) if !meta.is_file() || meta.len() != file.bytes => Ok(false),
            Ok(_) if check => Ok(self.read(file, &mut std::io::sink()).is_ok()),
            Ok(_) => Ok(true),
        }
    }

    /// Copies a file out of the backup, and refuses one that is not as it was copied in.
    pub(super) fn read(&self, file: &BackedUpFile, into: &mut impl Write) -> Result<(), FileError> {
        let path = self.path_of(&file.blake3);
        let unread = |e: std::io::Error| {
            FileError::new(&path, format!("cannot be read: {e} ({})", file.path)).hint(BROKEN)
        };
        let source = private::open_own(&path, OpenOptions::new().read(true)).map_err(unread)?;
        let unwritten =
            |e| FileError::new(Path::new(&file.path), format!("cannot be written: {e}"));
        let (bytes, hash) = copy(source, into, unread, unwritten)?;
        if bytes == file.bytes && hash == file.blake3 {
            return Ok(());
        }
        let problem = format!(
            "is not as it was backed up: {bytes} bytes, BLAKE3 {hash}; it is {} of the ledger",
            file.path
        );
        Err(FileError::new(&path, problem).hint(BROKEN))
    }

    /// Copies a file of the ledger in, and syncs it; `expected` is its hash, if anybody knows it.
    /// It is no part of the backup before a state names it.
    pub(super) fn add(
        &self,
        source: &Path,
        expected: Option<&str>,
    ) -> Result<(u64, String), FileError> {
        let staged = self.staging().join("file");
        let unread = |e: std::io::Error| FileError::new(source, format!("cannot be read: {e}"));
        let unwritten = |e: std::io::Error| {
            FileError::new(&staged, format!("cannot be written: {e}"))
                .hint("the backup that was there before stays as it was")
        };
        let from = private::open_own(source, OpenOptions::new().read(true)).map_err(unread)?;
        let mut into = write_new(&staged, b"")?;
        let (bytes, hash) = copy(from, &mut into, unread, unwritten)?;
        into.sync_all().map_err(unwritten)?;
        if let Some(expected) = expected.filter(|expected| *expected != hash) {
            let problem = format!(
                "is not as it was written: {bytes} bytes, BLAKE3 {hash}; expected {expected}"
            );
            return Err(FileError::new(source, problem).hint(
                "the ledger was changed after it was written, and nothing was backed up; the \
                 backup before this one is whole: `trunkrate ledger restore` puts it elsewhere",
            ));
        }
        let kept = self.path_of(&hash);
        make_folder(kept.parent().expect("a file lies in the folder of its group"))?;
        std::fs::rename(&staged, &kept).map_err(unwritten)?;
        Ok((bytes, hash))
    }

    /// Puts a state in place of the one before: **now it is the backup.**
    pub(super) fn publish(&self, mut state: BackupState) -> Result<BackupState, FileError> {
        state.backup_format = BACKUP_FORMAT;
        let files = self.folder.join(FILES);
        // Also folders of a backup that died: what it renamed into them may not be on the disk.
        for group in entries(&files)?.0 {
            sync_folder(&group)?;
        }
        sync_folder(&files)?;
        let (staged, path) = (self.staging().join(STATE), self.folder.join(STATE));
        let fail = |e: std::io::Error| FileError::new(&path, format!("cannot be published: {e}"));
        let text = serde_json::to_string_pretty(&state).map_err(|e| fail(e.into()))? + "\n";
        write_synced(&staged, text.as_bytes())?;
        let _whole = interrupt::publishing();
        std::fs::rename(&staged, &path).map_err(fail)?;
        sync_folder(&self.folder)?;
        Ok(state)
    }

    /// Removes the files that a state does not name; returns how many.
    pub(super) fn clear(&self, state: &BackupState) -> Result<u64, FileError> {
        let named: HashSet<&str> = state.files.iter().map(|file| file.blake3.as_str()).collect();
        let mut removed = 0;
        for group in entries(&self.folder.join(FILES))?.0 {
            for path in entries(&group)?.1 {
                let name = path.file_name().and_then(|name| name.to_str());
                if name.is_none_or(|name| !named.contains(name)) {
                    std::fs::remove_file(&path)
                        .map_err(|e| FileError::new(&path, format!("cannot be removed: {e}")))?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }
}

/// Refuses a folder in which something else lies.
fn refuse_others(folder: &Path) -> Result<(), FileError> {
    let (folders, files) = entries(folder)?;
    let others = folders.iter().chain(&files).filter(|path| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_none_or(|name| ![STATE, FILES, STAGING, LOST_AND_FOUND].contains(&name))
    });
    match others.min() {
        None => Ok(()),
        Some(other) => Err(FileError::new(other, "is no part of a backup")
            .hint("name a folder that is not there yet, is empty, or is the backup before")),
    }
}

fn opened(folder: &Path) -> Result<File, FileError> {
    File::open(folder).map_err(|e| FileError::new(folder, format!("cannot be opened: {e}")))
}

fn locked(
    folder: &Path,
    file: File,
    lock: impl Fn(&File) -> Result<(), TryLockError>,
) -> Result<File, FileError> {
    match lock(&file) {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(FileError::new(folder, "is in use by another backup or restore")
                .hint("wait until it has ended"))
        }
        Err(TryLockError::Error(e)) => {
            Err(FileError::new(folder, format!("cannot be locked: {e}")))
        }
    }
}

/// Copies all bytes; returns how many, and their BLAKE3.
fn copy(
    mut from: impl Read,
    into: &mut impl Write,
    unread: impl Fn(std::io::Error) -> FileError,
    unwritten: impl Fn(std::io::Error) -> FileError,
) -> Result<(u64, String), FileError> {
    let (mut hasher, mut buffer) = (blake3::Hasher::new(), vec![0; 1 << 20]);
    loop {
        let read = from.read(&mut buffer).map_err(&unread)?;
        if read == 0 {
            return Ok((hasher.count(), hasher.finalize().to_hex().to_string()));
        }
        hasher.update(&buffer[..read]);
        into.write_all(&buffer[..read]).map_err(&unwritten)?;
    }
}
