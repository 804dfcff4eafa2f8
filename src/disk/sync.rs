//! A thread that syncs finished files while others are still written.
//!
//! **Invariant:** after [`Syncer::finish`] all bytes of all files that were handed over are on the
//! disk; no run is published before it.
//!
//! # Why
//! Each file waits some milliseconds for its sync, and a night of many days has many files. Where
//! the file system cannot bypass its cache (`direct`), only the bytes of the last days remain to be
//! synced at the end.

use crate::inputs::file::FileError;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

/// Files that wait for their sync at most: each is open, and a process may open a thousand.
const MOST_OPEN: usize = 64;

/// A thread that syncs files, one after the other.
pub(crate) struct Syncer {
    files: SyncSender<(PathBuf, File)>,
    thread: JoinHandle<Result<(), FileError>>,
}

/// The sender that hands files over.
#[derive(Clone)]
pub(crate) struct Behind(SyncSender<(PathBuf, File)>);

impl Behind {
    /// Has a file synced, now or later. [`Syncer::finish`] returns its error.
    pub(crate) fn sync(&self, path: &Path, file: File) {
        // The thread stops at its first error, and keeps it.
        let _ = self.0.send((path.to_owned(), file));
    }
}

impl Syncer {
    /// Starts the thread, for files below `folder`.
    ///
    /// # Errors
    /// If there is no thread to be had.
    pub(crate) fn begin(folder: &Path) -> Result<Self, FileError> {
        let (files, handed_over) = sync_channel::<(PathBuf, File)>(MOST_OPEN);
        let sync = move || handed_over.into_iter().try_for_each(|(path, file)| sync(&path, &file));
        let thread = Builder::new().name("sync".to_owned()).spawn(sync);
        let thread = thread.map_err(|e| {
            FileError::new(folder, format!("cannot be written: no thread for it ({e})"))
        })?;
        Ok(Self { files, thread })
    }

    /// A sender for files.
    pub(crate) fn behind(&self) -> Behind {
        Behind(self.files.clone())
    }

    /// Waits until all files are on the disk. All [`Behind`] must be dropped before.
    ///
    /// # Errors
    /// The first file that could not be synced.
    pub(crate) fn finish(self) -> Result<(), FileError> {
        drop(self.files);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

fn sync(path: &Path, file: &File) -> Result<(), FileError> {
    file.sync_all().map_err(|e| FileError::new(path, format!("cannot be written: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_synced_is_an_error_and_stops_nobody() {
        let syncer = Syncer::begin(Path::new("run")).expect("a thread");
        let behind = syncer.behind();
        for name in ["/dev/null", "Cargo.toml", "/dev/null"] {
            behind.sync(Path::new(name), File::open(name).expect("it is there"));
        }
        drop(behind);
        let error = syncer.finish().expect_err("nothing is kept there");
        assert!(error.to_string().contains("/dev/null"), "{error}");
    }
}
