//! Everything that touches a file.
//!
//! ```text
//! source       which files, opened, decompressed, hashed, watched for change
//! calls_*      CSV, JSON, Parquet → Calls        one reader per format
//! decks        rates/ → Deck
//! trunks, accounts                               the two optional lists
//! ledger       what is booked: runs, their datasets and manifests, the catalog
//! ```
//!
//! **Invariant:** the kernel never names this module; here nothing is rated. polars and csv are known only here.

pub mod accounts;
pub mod calls;
pub mod calls_csv;
pub mod calls_json;
pub mod calls_parquet;
pub mod decks;
pub mod job;
pub mod ledger;
pub mod source;
pub mod trunks;

use std::fmt;
use std::path::{Path, PathBuf};

/// A file that cannot be used: which, where in it, what is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// The line, counted from 1, if there is one.
    pub line: Option<u64>,
    /// What is wrong: expected, found.
    pub problem: String,
    /// What to do.
    pub hint: Option<String>,
}

impl FileError {
    /// A problem with a file as a whole.
    #[must_use]
    pub fn new(path: &Path, problem: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: None, problem: problem.into(), hint: None }
    }

    /// The same at a line.
    #[must_use]
    pub fn at(mut self, line: u64) -> Self {
        self.line = Some(line);
        self
    }

    /// The same with a way out.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path.display(), self.problem),
            None => write!(f, "{}: {}", self.path.display(), self.problem),
        }
    }
}

impl std::error::Error for FileError {}

/// Reads a small text file whole.
pub(crate) fn read_text(path: &Path) -> Result<String, FileError> {
    let bytes = std::fs::read(path).map_err(|e| FileError::new(path, format!("cannot be read: {e}")))?;
    String::from_utf8(bytes).map_err(|e| {
        FileError::new(path, format!("is not UTF-8 at byte {}", e.utf8_error().valid_up_to())).hint("save it as UTF-8")
    })
}

/// The line of a CSV record. The reader's own count stops before the blank lines that it skips.
pub(crate) fn line_of(text: &[u8], position: Option<&csv::Position>) -> u64 {
    let start = position.and_then(|p| usize::try_from(p.byte()).ok()).unwrap_or_default().min(text.len());
    let blank = text[start..].iter().take_while(|b| matches!(b, b'\n' | b'\r')).count();
    1 + memchr::memchr_iter(b'\n', &text[..start + blank]).count() as u64
}
