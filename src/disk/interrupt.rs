//! What a writer does when it is told to end: SIGINT and SIGTERM.
//!
//! **Invariant:** what is being published is published whole, with its syncs; nothing is published after; what was staged is
//! removed. (A writer that is killed leaves it, and the next one removes it.)

use crate::disk::folder::entries;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Held while something is moved into place.
static PUBLISHING: Mutex<()> = Mutex::new(());
/// Where the writer of this process stages.
static STAGING: Mutex<Option<PathBuf>> = Mutex::new(None);

pub(crate) fn publishing() -> MutexGuard<'static, ()> {
    PUBLISHING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The process writes in this folder from now on, or writes no more.
pub(crate) fn writes_in(staging: Option<&Path>) {
    *STAGING.lock().unwrap_or_else(PoisonError::into_inner) = staging.map(Path::to_owned);
}

/// Gives up what the process writes, if it writes: says whether it does. The process must end then; it publishes nothing more.
pub fn give_up() -> bool {
    std::mem::forget(publishing());
    let Some(staging) = STAGING.lock().unwrap_or_else(PoisonError::into_inner).take() else { return false };
    // What another thread makes meanwhile, the next writer removes.
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
