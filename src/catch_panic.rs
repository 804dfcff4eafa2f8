//! Steps of polars on files that may be corrupt.

use crate::inputs::file::FileError;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The number of guarded steps in progress.
static GUARDED: AtomicUsize = AtomicUsize::new(0);

/// Silences a panic that [`guarded`] turns into an error; any other is reported as usual.
pub(crate) fn keep_guarded_panics_quiet() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if GUARDED.load(Ordering::Relaxed) == 0 {
            tell(panic);
        }
    }));
}

/// Runs a step of polars on a file. An error of polars, or its panic on a corrupt page, becomes an
/// error of the file.
pub(crate) fn guarded<T>(
    path: &Path,
    step: impl FnOnce() -> polars::prelude::PolarsResult<T>,
) -> Result<T, FileError> {
    let fail =
        |why: String| FileError::new(path, format!("is truncated or corrupt Parquet: {why}"));
    GUARDED.fetch_add(1, Ordering::Relaxed);
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(step));
    GUARDED.fetch_sub(1, Ordering::Relaxed);
    done.map_err(|_| fail("a page cannot be decoded".to_owned()))?.map_err(|e| fail(e.to_string()))
}

/// Runs [`guarded`] on a thread of its own if called on one of rayon's.
///
/// # Why
/// polars works on threads of its own. A thread of rayon that waits for them steals other work
/// meanwhile, such as the next file, on the same stack, and so on: a run of 730 days overflowed it.
/// A thread that joins another steals no work.
pub(crate) fn guarded_apart<T: Send>(
    path: &Path,
    step: impl FnOnce() -> polars::prelude::PolarsResult<T> + Send,
) -> Result<T, FileError> {
    if rayon::current_thread_index().is_none() {
        return guarded(path, step);
    }
    std::thread::scope(|scope| {
        let apart = std::thread::Builder::new().spawn_scoped(scope, || guarded(path, step));
        let apart = apart.map_err(|e| {
            FileError::new(path, format!("cannot be read: no thread for it can be started: {e}"))
        })?;
        apart.join().expect("a panic of the step is an error of the file already")
    })
}
