//! Files that the user asked for: all of one, or what was there before.

use crate::io::{FileError, private};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Writes a file under another name beside it, and renames it: whoever looks finds the old one or all of the new one. It
/// keeps the mode of the old one. What is no plain file (a pipe, a device) is written to as it is.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let fail = |e: std::io::Error| FileError::new(path, format!("cannot be written: {e}"));
    // Through a link the file that it names is written, not the link.
    let target = if path.is_symlink() { std::fs::canonicalize(path).map_err(fail)? } else { path.to_owned() };
    let there = std::fs::metadata(&target).ok();
    if there.as_ref().is_some_and(|there| !there.is_file()) {
        return OpenOptions::new().write(true).open(&target).and_then(|mut file| file.write_all(bytes)).map_err(fail);
    }
    let (mut file, beside) = beside(&target).map_err(fail)?;
    let written = file.write_all(bytes).and_then(|()| keep_mode(&file, there.as_ref()));
    written.and_then(|()| std::fs::rename(&beside, &target)).map_err(|e| {
        let _ = std::fs::remove_file(&beside);
        fail(e)
    })
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
