//! Output files: a file is written whole, or the old one is left as it was.

use super::inputs;
use crate::disk::folder::real_folder;
use crate::disk::private;
use crate::inputs::file::FileError;
use crate::ledger::journal::is_journal;
use crate::ledger::set_aside::LIST;
use crate::ledger::{CATALOG, OWN_FOLDERS};
use std::ffi::OsStr;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// An atomic file: written under another name beside it, and renamed when complete. A reader finds
/// the old file or all of the new one. It keeps the mode of the old one. A target that is no plain
/// file (a pipe, a device) is written to directly.
pub struct Whole {
    path: PathBuf,
    file: File,
    /// The rename that is left to do; none if the target is written to directly.
    ready: Option<Ready>,
}

impl Whole {
    /// Begins a file that the user named. A symbolic link is followed: its target is replaced, not
    /// the link.
    pub fn create(path: &Path) -> Result<Self, FileError> {
        let fail = |e: std::io::Error| failed(path, &e);
        let target =
            if path.is_symlink() { path.canonicalize().map_err(fail)? } else { path.to_owned() };
        refuse_ledgers(path, &target)?;
        inputs::refuse(path, &target)?;
        let there = std::fs::metadata(&target).ok();
        if there.as_ref().is_some_and(|there| !there.is_file()) {
            let file = OpenOptions::new().write(true).open(&target).map_err(fail)?;
            return Ok(Self { path: path.to_owned(), file, ready: None });
        }
        Self::beside(path, target, there.as_ref())
    }

    /// Begins a file whose name is ours, in a folder that the user named. A symbolic link of that
    /// name is replaced, never followed: anyone else with write access there could have guessed the
    /// name.
    fn create_own(path: &Path) -> Result<Self, FileError> {
        let there = std::fs::symlink_metadata(path).ok();
        if there.as_ref().is_some_and(Metadata::is_dir) {
            return Err(FileError::new(path, "is a folder; a file of this name is to be written")
                .hint("move it away"));
        }
        Self::beside(path, path.to_owned(), there.as_ref().filter(|there| there.is_file()))
    }

    /// Begins a file beside its target, with the mode of the one that is there.
    fn beside(path: &Path, target: PathBuf, there: Option<&Metadata>) -> Result<Self, FileError> {
        let fail = |e: std::io::Error| failed(path, &e);
        let (file, beside) = beside(&target).map_err(fail)?;
        let ready = Some(Ready { path: path.to_owned(), names: Some((beside, target)) });
        let whole = Self { path: path.to_owned(), file, ready };
        keep_mode(&whole.file, there).map_err(fail)?;
        Ok(whole)
    }

    /// Renames the complete file into place.
    pub fn finish(self) -> Result<(), FileError> {
        self.ready.map_or(Ok(()), Ready::finish)
    }
}

/// A complete file under a temporary name beside its place, ready to be renamed. It holds no open
/// file. Dropped, it is removed.
pub struct Ready {
    path: PathBuf,
    /// The temporary name, and the file that it becomes.
    names: Option<(PathBuf, PathBuf)>,
}

impl Ready {
    /// Writes a file whose name is ours: see [`Whole::create_own`].
    pub fn own(path: &Path, bytes: &[u8]) -> Result<Self, FileError> {
        let mut whole = Whole::create_own(path)?;
        whole.file.write_all(bytes).map_err(|e| failed(path, &e))?;
        Ok(whole.ready.expect("a file of our own is written beside its place"))
    }

    /// Renames it into place.
    pub fn finish(mut self) -> Result<(), FileError> {
        let (beside, target) = self.names.take().expect("it is put there once");
        std::fs::rename(&beside, &target).map_err(|e| {
            let _ = std::fs::remove_file(&beside);
            failed(&self.path, &e)
        })
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        if let Some((beside, _)) = &self.names {
            let _ = std::fs::remove_file(beside);
        }
    }
}

impl Write for Whole {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file
            .write(bytes)
            .map_err(|e| std::io::Error::new(e.kind(), failed(&self.path, &e).to_string()))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

fn failed(path: &Path, error: &std::io::Error) -> FileError {
    FileError::new(path, format!("cannot be written: {error}"))
}

/// Refuses a file that no output may replace, before anything is done: see [`Whole::create`].
pub fn refuse_early(path: &Path) -> Result<(), FileError> {
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    refuse_ledgers(path, &target)?;
    inputs::refuse(path, &target)
}

/// Writes a whole file: see [`Whole`].
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let mut whole = Whole::create(path)?;
    whole.file.write_all(bytes).map_err(|e| failed(path, &e))?;
    whole.finish()
}

/// Writes a whole file whose name is ours: see [`Whole::create_own`].
pub fn write_own(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    Ready::own(path, bytes)?.finish()
}

/// Refuses the files of any ledger: only the ledger's own code writes there. `path` is the target
/// as the user named it.
pub fn refuse_ledgers(path: &Path, target: &Path) -> Result<(), FileError> {
    let Some(folder) = real_folder(target) else { return Ok(()) };
    let is_ledger = |folder: &Path| ["runs", "archive"].iter().all(|own| folder.join(own).is_dir());
    let is_own_file = |name: &OsStr| name == CATALOG || is_journal(name) || name == LIST;
    let is_catalog = target.file_name().is_some_and(is_own_file) && is_ledger(&folder);
    let is_own = |inner: &Path| {
        let named =
            inner.file_name().is_some_and(|name| OWN_FOLDERS.iter().any(|own| name == *own));
        named && inner.parent().is_some_and(is_ledger)
    };
    if is_catalog || folder.ancestors().any(is_own) {
        return Err(FileError::new(path, "is a place of a ledger's own files")
            .hint("name a file elsewhere"));
    }
    Ok(())
}

fn keep_mode(file: &File, there: Option<&Metadata>) -> std::io::Result<()> {
    there.map_or(Ok(()), |there| file.set_permissions(there.permissions()))
}

/// Creates a new file beside another, under an unused name.
fn beside(path: &Path) -> std::io::Result<(File, PathBuf)> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut number = 0_u32;
    loop {
        let beside = path.with_file_name(format!(".{name}.{}-{number}.part", std::process::id()));
        // Never through a symbolic link that somebody else put there.
        match private::create_new(&beside) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists && number < 1000 => number += 1,
            opened => return opened.map(|file| (file, beside)),
        }
    }
}
