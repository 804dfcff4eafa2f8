//! A user's file moved to another folder: never lost, and never over another.

use super::durable::sync_folder;
use super::private;
use crate::inputs::file::FileError;
use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// A place in a folder that is kept for a file by a text beside it, which says why it is there.
#[derive(Debug)]
pub struct AsidePlace {
    /// The path that the file is to have.
    pub file: PathBuf,
    /// The text: its name with `.why`.
    why: PathBuf,
}

impl AsidePlace {
    /// Keeps a place of the file's own name, or of that name with a number, and writes the text.
    ///
    /// # Errors
    /// If the text cannot be written and synced.
    pub fn keep(folder: &Path, name: &str, why: &str) -> Result<Self, FileError> {
        for number in 1..=9999_u32 {
            let name = if number == 1 { name.to_owned() } else { numbered(name, number) };
            let place = Self { file: folder.join(&name), why: folder.join(format!("{name}.why")) };
            let fail = |e: Error| FileError::new(&place.why, format!("cannot be written: {e}"));
            if std::fs::symlink_metadata(&place.file).is_ok() {
                continue;
            }
            let mut text = match private::create_new(&place.why) {
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                    // A process that was killed before its move left the same text, or its
                    // beginning.
                    let left = private::read_own(&place.why).ok().flatten();
                    if !left.is_some_and(|left| why.as_bytes().starts_with(&left)) {
                        continue;
                    }
                    private::open_own(&place.why, OpenOptions::new().write(true)).map_err(fail)?
                }
                made => made.map_err(fail)?,
            };
            text.write_all(why.as_bytes()).and_then(|()| text.sync_all()).map_err(fail)?;
            sync_folder(folder)?;
            return Ok(place);
        }
        Err(FileError::new(&folder.join(name), "is there 9,999 times").hint("clear the folder"))
    }

    /// Gives the place up: the text is removed.
    pub fn give_up(&self) {
        let _ = std::fs::remove_file(&self.why);
    }

    /// Moves the file to its place, and syncs both folders. To another file system it is copied,
    /// synced, and only then removed.
    ///
    /// # Errors
    /// If it cannot be moved: then it is where it was.
    pub fn take(&self, from: &Path) -> Result<(), FileError> {
        let fail = |e: Error| FileError::new(from, format!("cannot be set aside: {e}"));
        let there = std::fs::symlink_metadata(from).map_err(fail)?;
        if !there.is_file() {
            return Err(fail(Error::new(ErrorKind::InvalidInput, "it is a link or no plain file")));
        }
        match rename_new(from, &self.file) {
            Err(e) if e.kind() == ErrorKind::CrossesDevices => copy(from, &self.file),
            moved => moved,
        }
        .map_err(fail)?;
        for folder in [self.file.parent(), from.parent()].into_iter().flatten() {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            sync_folder(folder)?;
        }
        Ok(())
    }
}

/// `calls.2.csv.gz`: the number stands before the endings, which name the format.
fn numbered(name: &str, number: u32) -> String {
    match name.split_once('.') {
        Some((stem, endings)) if !stem.is_empty() => format!("{stem}.{number}.{endings}"),
        _ => format!("{name}.{number}"),
    }
}

/// Renames a file to a name that is not taken.
#[cfg(target_os = "linux")]
fn rename_new(from: &Path, to: &Path) -> std::io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Not every file system knows the flag; the text beside it keeps the name for us.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => std::fs::rename(from, to),
        renamed => Ok(renamed?),
    }
}

#[cfg(not(target_os = "linux"))]
fn rename_new(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::rename(from, to)
}

/// Copies a file, and removes it if it has not changed meanwhile.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    let stamp = |path: &Path| -> std::io::Result<_> {
        let meta = std::fs::metadata(path)?;
        Ok((meta.len(), meta.modified()?))
    };
    let before = stamp(from)?;
    let mut copy = private::create_new(to)?;
    let mut copied = || {
        std::io::copy(&mut File::open(from)?, &mut copy)?;
        copy.sync_all()?;
        if let Some(folder) = to.parent() {
            sync_folder(folder).map_err(|e| Error::other(e.to_string()))?;
        }
        if stamp(from)? != before {
            return Err(Error::other("it changed while it was copied"));
        }
        std::fs::remove_file(from)
    };
    copied().inspect_err(|_| {
        let _ = std::fs::remove_file(to);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_moved_and_replaces_none() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut names = Vec::new();
        for text in ["one", "two", "three"] {
            let file = from.path().join("calls.csv.gz");
            std::fs::write(&file, text).unwrap();
            let place = AsidePlace::keep(to.path(), "calls.csv.gz", "torn\n").unwrap();
            place.take(&file).unwrap();
            assert!(!file.exists());
            assert_eq!(std::fs::read_to_string(&place.file).unwrap(), text);
            assert_eq!(std::fs::read_to_string(&place.why).unwrap(), "torn\n");
            names.push(place.file.file_name().unwrap().to_string_lossy().into_owned());
        }
        assert_eq!(names, ["calls.csv.gz", "calls.2.csv.gz", "calls.3.csv.gz"]);
    }

    #[test]
    fn a_text_without_its_file_is_taken_again() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let file = from.path().join("bad.csv");
        std::fs::write(&file, "calls").unwrap();
        // As after a kill before the move, and in the midst of the text.
        for left in ["torn\n", "to", ""] {
            std::fs::write(to.path().join("bad.csv.why"), left).unwrap();
            let place = AsidePlace::keep(to.path(), "bad.csv", "torn\n").unwrap();
            assert_eq!(place.file, to.path().join("bad.csv"));
            assert_eq!(std::fs::read_to_string(&place.why).unwrap(), "torn\n");
        }
        std::fs::write(to.path().join("bad.csv.why"), "another\n").unwrap();
        let place = AsidePlace::keep(to.path(), "bad.csv", "torn\n").unwrap();
        assert_eq!(place.file, to.path().join("bad.2.csv"));
    }

    #[test]
    fn a_copy_takes_the_files_place_and_overwrites_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
        std::fs::write(&from, "calls").unwrap();
        copy(&from, &to).unwrap();
        assert!(!from.exists() && std::fs::read(&to).unwrap() == b"calls");
        std::fs::write(&from, "others").unwrap();
        let place = AsidePlace { file: to.clone(), why: folder.path().join("why") };
        assert!(place.take(&from).is_err());
        assert!(from.exists() && std::fs::read(&to).unwrap() == b"calls");
    }

    #[test]
    fn a_link_stays() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link] = ["file", "link"].map(|name| folder.path().join(name));
        std::fs::write(&file, "calls").unwrap();
        std::os::unix::fs::symlink("file", &link).unwrap();
        let place = AsidePlace::keep(folder.path(), "aside", "").unwrap();
        assert!(place.take(&link).is_err() && link.is_symlink());
    }
}
