//! Errors of files: which, where in it, what is wrong, and what to do about it.

use std::fmt;
use std::path::{Path, PathBuf};
use trunkrate_kernel::fit::must_fit;

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
///
/// # Errors
/// A file that cannot be read, is no regular file, or is not UTF-8.
pub fn read_text(path: &Path) -> Result<String, FileError> {
    let fail = |e: std::io::Error| FileError::new(path, format!("cannot be read: {e}"));
    if !std::fs::metadata(path).map_err(fail)?.is_file() {
        return Err(FileError::new(path, "is no regular file").hint("write it to a file first"));
    }
    let bytes = std::fs::read(path).map_err(fail)?;
    String::from_utf8(bytes).map_err(|e| {
        FileError::new(path, format!("is not UTF-8 at byte {}", e.utf8_error().valid_up_to())).hint("save it as UTF-8")
    })
}

/// The lines of CSV records, one after the other. The reader's own count stops before the blank lines that it skips.
pub(crate) struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    pub(crate) fn of(text: &'a [u8]) -> Self {
        Self { text, at: 0, line: 1 }
    }

    /// The line of a record that stands after the last one asked for.
    pub(crate) fn line_of(&mut self, position: Option<&csv::Position>) -> u64 {
        let start = position.map_or(0, |p| must_fit(p.byte(), "a place in a text fits memory")).clamp(self.at, self.text.len());
        let blank = self.text[start..].iter().take_while(|b| matches!(b, b'\n' | b'\r')).count();
        self.line += memchr::memchr_iter(b'\n', &self.text[self.at..start + blank]).count() as u64;
        self.at = start + blank;
        self.line
    }
}
