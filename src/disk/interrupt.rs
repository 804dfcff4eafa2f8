//! The end of a writer on SIGINT and SIGTERM.
//!
//! **Invariant:** a folder that is being published is published whole, with its syncs; nothing is
//! published after; staged files are removed. (A writer that is killed leaves them, and the next
//! one removes them.)

use crate::disk::folder::entries;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Held while something is moved into place.
static PUBLISHING: Mutex<()> = Mutex::new(());
/// The folder in which the writer of this process stages.
static STAGING: Mutex<Option<PathBuf>> = Mutex::new(None);

/// True once what was written is given up.
static GIVEN_UP: AtomicBool = AtomicBool::new(false);

/// The action at the first signal, instead of ending the process.
static INSTEAD: OnceLock<Box<dyn Fn() + Send + Sync>> = OnceLock::new();

/// Has the first signal do this and not end the process: it ends by itself soon. Said once.
pub fn end_by(stop: impl Fn() + Send + Sync + 'static) {
    let _ = INSTEAD.set(Box::new(stop));
}

/// Does what is to be done instead of ending the process; false if nothing is.
pub fn ends_by_itself() -> bool {
    INSTEAD.get().is_some_and(|stop| {
        stop();
        true
    })
}

/// Waits for the end of the process, if it has given up what it writes: what fails from then on
/// fails for want of the files that were removed, and whoever gave up says why it ends.
pub fn wait_if_given_up() {
    while GIVEN_UP.load(Ordering::Acquire) {
        std::thread::park();
    }
}

pub(crate) fn publishing() -> MutexGuard<'static, ()> {
    PUBLISHING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Registers the folder that the process writes in from now on; `None` ends its writing.
pub(crate) fn writes_in(staging: Option<&Path>) {
    *STAGING.lock().unwrap_or_else(PoisonError::into_inner) = staging.map(Path::to_owned);
}

/// Gives up the staged files of a writing process, and returns true if it writes. The process must
/// end then; it publishes nothing more.
pub fn give_up() -> bool {
    std::mem::forget(publishing());
    let Some(staging) = STAGING.lock().unwrap_or_else(PoisonError::into_inner).take() else {
        return false;
    };
    GIVEN_UP.store(true, Ordering::Release);
    // The next writer removes files that another thread makes meanwhile.
    if let Ok((folders, files)) = entries(&staging) {
        for folder in folders {
            let _ = std::fs::remove_dir_all(folder);
        }
        for file in files {
            let _ = std::fs::remove_file(file);
        }
    }
    true
}
