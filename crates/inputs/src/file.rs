//! Errors of files: the file, the place in it, the problem, and the remedy.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use trunkrate_kernel::fit::must_fit;

/// A file that cannot be used: its path, the place in it, the problem, and the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// The line, counted from 1, if there is one.
    pub line: Option<u64>,
    /// The problem: expected, found.
    pub problem: String,
    /// The remedy.
    pub hint: Option<String>,
}

impl FileError {
    /// A problem with a file as a whole.
    #[must_use]
    pub fn new(path: &Path, problem: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: None, problem: problem.into(), hint: None }
    }

    /// Adds the line.
    #[must_use]
    pub fn at(mut self, line: u64) -> Self {
        self.line = Some(line);
        self
    }

    /// Adds the remedy.
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

/// The largest list, deck or configuration: ten million rows of a hundred bytes.
const LARGEST: u64 = 1 << 30;

/// Reads a file whole that is held in memory: a list, a deck, a configuration.
///
/// # Errors
/// A file that cannot be read, is no regular file, or is larger than 1 GiB.
pub fn read_list(path: &Path) -> Result<Vec<u8>, FileError> {
    let fail = |e: std::io::Error| FileError::new(path, format!("cannot be read: {e}"));
    let mut file = open_regular(path)?;
    let there = file.metadata().map_err(fail)?;
    if there.len() > LARGEST {
        let problem = format!("has {} bytes; expected a list of at most {LARGEST}", there.len());
        return Err(FileError::new(path, problem).hint("is it the right file?"));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(fail)?;
    Ok(bytes)
}

/// Opens a file that is one: opening a pipe would wait until somebody writes to it.
///
/// # Errors
/// A file that cannot be opened, or is no regular file.
pub fn open_regular(path: &Path) -> Result<File, FileError> {
    let fail = |e: std::io::Error| FileError::new(path, format!("cannot be read: {e}"));
    if !std::fs::metadata(path).map_err(fail)?.is_file() {
        return Err(FileError::new(path, "is no regular file").hint("write it to a file first"));
    }
    File::open(path).map_err(fail)
}

/// Reads a small text file whole.
///
/// # Errors
/// A file that cannot be read, is no regular file, or is not UTF-8.
pub fn read_text(path: &Path) -> Result<String, FileError> {
    let bytes = read_list(path)?;
    String::from_utf8(bytes).map_err(|e| {
        FileError::new(path, format!("is not UTF-8 at byte {}", e.utf8_error().valid_up_to()))
            .hint("save it as UTF-8")
    })
}

/// Counts the lines of CSV records, one after the other. The reader's own count stops before the
/// blank lines that it skips.
pub(crate) struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    pub(crate) fn of(text: &'a [u8]) -> Self {
        Self { text, at: 0, line: 1 }
    }

    /// The line of a record after the last one asked for.
    pub(crate) fn line_of(&mut self, position: Option<&csv::Position>) -> u64 {
        let start = position
            .map_or(0, |p| must_fit(p.byte(), "a place in a text fits memory"))
            .clamp(self.at, self.text.len());
        let blank = self.text[start..].iter().take_while(|b| matches!(b, b'\n' | b'\r')).count();
        self.line += memchr::memchr_iter(b'\n', &self.text[self.at..start + blank]).count() as u64;
        self.at = start + blank;
        self.line
    }
}
