//! Why a ledger cannot be used.

use crate::inputs::file::FileError;
use std::path::Path;

/// What to do about a ledger that is not as it was written.
pub(crate) const RESTORE: &str = "the ledger was changed after it was written; restore it from a copy";

/// Why a ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another run has it.
    #[error("the ledger {folder} is in use by another run (process {holder})")]
    InUse {
        /// The ledger.
        folder: String,
        /// The process that holds the lock, as it wrote it.
        holder: String,
    },
    /// A file of it.
    #[error(transparent)]
    File(#[from] FileError),
    /// The catalog.
    #[error("{path}: {error}")]
    Catalog {
        /// The file.
        path: String,
        /// What SQLite says.
        error: rusqlite::Error,
    },
    /// polars.
    #[error("{path}: {error}")]
    Polars {
        /// The file or folder.
        path: String,
        /// What polars says.
        error: polars::error::PolarsError,
    },
    /// Money that does not fit.
    #[error("call {call}: {error}; nothing was booked")]
    Overflow {
        /// The call.
        call: String,
        /// What does not fit.
        error: crate::money::Overflow,
    },
    /// A law that does not hold: a bug, and nothing is booked.
    #[error("the books do not balance: {0}; nothing was booked. This is a bug of trunkrate")]
    Unbalanced(String),
}

impl LedgerError {
    /// A sum that does not fit.
    pub(crate) fn of_sum(error: crate::money::Overflow) -> Self {
        Self::Overflow { call: "(sum)".to_owned(), error }
    }
}

pub(crate) fn polars_error(path: &Path) -> impl Fn(polars::error::PolarsError) -> LedgerError + '_ {
    move |error| LedgerError::Polars { path: path.display().to_string(), error }
}
