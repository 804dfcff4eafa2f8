//! The errors of a ledger.

use crate::inputs::file::FileError;
use std::path::Path;

/// The hint for a ledger that was changed after it was written.
pub(crate) const RESTORE: &str =
    "the ledger was changed after it was written; restore it from a copy";

/// The error of a file of the ledger that cannot be read. Only a file that is gone or too short was
/// changed; a missing permission or too many open files say nothing about the ledger.
pub(crate) fn unread(path: &Path, error: &std::io::Error) -> FileError {
    let unread = FileError::new(path, format!("cannot be read: {error}"));
    let is_changed =
        matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::UnexpectedEof);
    if is_changed { unread.hint(RESTORE) } else { unread }
}

/// A reason why a ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another run holds the lock.
    #[error("the ledger {folder} is in use by another run (process {holder})")]
    InUse {
        /// The ledger.
        folder: String,
        /// The process that holds the lock, as it wrote it.
        holder: String,
    },
    /// A file of the ledger.
    #[error(transparent)]
    File(#[from] FileError),
    /// The catalog.
    #[error("{path}: {error}")]
    Catalog {
        /// The file.
        path: String,
        /// The error of SQLite.
        error: rusqlite::Error,
    },
    /// An error of polars.
    #[error("{path}: {error}")]
    Polars {
        /// The file or folder.
        path: String,
        /// The error itself.
        error: polars::error::PolarsError,
    },
    /// Money that overflows.
    #[error("call {call}: {error}; nothing was booked")]
    Overflow {
        /// The call.
        call: String,
        /// The value that overflows.
        error: crate::money::Overflow,
    },
    /// A broken balance: a bug, and nothing is booked.
    #[error("the books do not balance: {0}; nothing was booked. This is a bug of trunkrate")]
    Unbalanced(String),
}

impl LedgerError {
    /// The overflow of a sum.
    pub(crate) fn of_sum(error: crate::money::Overflow) -> Self {
        Self::Overflow { call: "(sum)".to_owned(), error }
    }
}

pub(crate) fn polars_error(path: &Path) -> impl Fn(polars::error::PolarsError) -> LedgerError + '_ {
    move |error| LedgerError::Polars { path: path.display().to_string(), error }
}
