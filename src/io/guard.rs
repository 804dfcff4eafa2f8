//! Steps of polars on files that may be corrupt.

use super::FileError;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many guarded steps are going on.
static GUARDED: AtomicUsize = AtomicUsize::new(0);

/// Keeps a panic quiet that [`guarded`] makes an error of; any other is told as ever.
pub(crate) fn keep_guarded_panics_quiet() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if GUARDED.load(Ordering::Relaxed) == 0 {
            tell(panic);
        }
    }));
}

/// Runs a step of polars on a file; what it cannot read, and where it panics on a corrupt page, is an error of the file.
pub(crate) fn guarded<T>(path: &Path, step: impl FnOnce() -> polars::prelude::PolarsResult<T>) -> Result<T, FileError> {
    let fail = |why: String| FileError::new(path, format!("is truncated or corrupt Parquet: {why}"));
    GUARDED.fetch_add(1, Ordering::Relaxed);
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(step));
    GUARDED.fetch_sub(1, Ordering::Relaxed);
    done.map_err(|_| fail("a page cannot be decoded".to_owned()))?.map_err(|e| fail(e.to_string()))
}
