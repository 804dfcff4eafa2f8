//! Files that the user asked for: all of one, or what was there before.

use crate::io::{FileError, private};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// A file that is written under another name beside it, and renamed when it is whole: whoever looks finds the old one or all
/// of the new one. It keeps the mode of the old one. What is no plain file (a pipe, a device) is written to as it is.
pub struct Whole {
    path: PathBuf,
    file: File,
    /// The name beside it, and the file that it becomes.
    beside: Option<(PathBuf, PathBuf)>,
}

impl Whole {
    /// Begins the file.
    pub fn create(path: &Path) -> Result<Self, FileError> {
        let fail = |e: std::io::Error| failed(path, &e);
        // Through a link the file that it names is written, not the link.
        let target = if path.is_symlink() { std::fs::canonicalize(path).map_err(fail)? } else { path.to_owned() };
        let there = std::fs::metadata(&target).ok();
        if there.as_ref().is_some_and(|there| !there.is_file()) {
            let file = OpenOptions::new().write(true).open(&target).map_err(fail)?;
            return Ok(Self { path: path.to_owned(), file, beside: None });
        }
        let (file, beside) = beside(&target).map_err(fail)?;
        let whole = Self { path: path.to_owned(), file, beside: Some((beside, target)) };
        keep_mode(&whole.file, there.as_ref()).map_err(fail)?;
        Ok(whole)
    }

    /// Puts it in its place, once all of it is written.
    pub fn finish(mut self) -> Result<(), FileError> {
        let Some((beside, target)) = self.beside.take() else { return Ok(()) };
        std::fs::rename(&beside, &target).map_err(|e| {
            let _ = std::fs::remove_file(&beside);
            failed(&self.path, &e)
        })
    }
}

impl Write for Whole {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.write(bytes).map_err(|e| std::io::Error::new(e.kind(), failed(&self.path, &e).to_string()))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        if let Some((beside, _)) = &self.beside {
            let _ = std::fs::remove_file(beside);
        }
    }
}

fn failed(path: &Path, error: &std::io::Error) -> FileError {
    FileError::new(path, format!("cannot be written: {error}"))
}

/// Writes a whole file: see [`Whole`].
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let mut whole = Whole::create(path)?;
    whole.file.write_all(bytes).map_err(|e| failed(path, &e))?;
    whole.finish()
}

fn keep_mode(file: &File, there: Option<&Metadata>) -> std::io::Result<()> {
    there.map_or(Ok(()), |there| file.set_permissions(there.permissions()))
}

/// A new file beside another, under a name that nobody has.
fn beside(path: &Path) -> std::io::Result<(File, PathBuf)> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut number = 0_u32;
    loop {
        let beside = path.with_file_name(format!(".{name}.{}-{number}.part", std::process::id()));
        // Never through a link that somebody else put there.
        match private::create_new(&beside) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists && number < 1000 => number += 1,
            opened => return opened.map(|file| (file, beside)),
        }
    }
}
