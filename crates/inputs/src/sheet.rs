//! Side files: lists under a header, as people write them in spreadsheets. Accounts and monthly
//! items are such.
//!
//! They have the freedom of call files: the delimiter is detected among `,` `;` tab and `|`; a
//! byte-order mark is skipped; names of columns match without case, blanks and underscores; values
//! are trimmed, of non-breaking and zero-width blanks too.
//!
//! **Invariant:** a column that could be meant for a known one is refused with both names, and so
//! is a line whose quotes would swallow the next ones: either would silently bill other amounts
//! than the file says.

use super::header::{reader, split_header};
use crate::calls_csv;
use crate::file::{FileError, Lines};
use std::path::Path;
use trunkrate_kernel::resemble::{meaning, resembling};
use trunkrate_kernel::words::plain_name;

/// The columns of a kind of list.
pub struct Columns {
    /// The known ones, the necessary ones first.
    pub known: &'static [&'static str],
    /// The number of necessary ones.
    pub necessary: usize,
    /// The ones that decide money: a row must not leave one empty and fill another column that
    /// means it.
    pub decisive: &'static [&'static str],
    /// Other names of the known ones.
    pub synonyms: &'static [(&'static str, &'static str)],
    /// True if other columns are allowed beside them.
    pub others: bool,
    /// The expected columns, in words.
    pub expected: &'static str,
}

/// The strictness of reading a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// For a list that will be billed by.
    Full,
    /// For a list of the archive, which was billed by: columns that were accepted then must be read
    /// now, or nothing could be explained.
    Archived,
}

/// A list, parsed.
pub struct Sheet {
    names: Vec<String>,
    /// The place of each known column.
    places: Vec<Option<usize>>,
    known: &'static [&'static str],
    rows: Vec<(u64, csv::StringRecord)>,
}

/// A row of a list.
#[derive(Clone, Copy)]
pub struct SheetRow<'a> {
    /// Its line in the file.
    pub line: u64,
    sheet: &'a Sheet,
    cells: &'a csv::StringRecord,
}

/// A value without blanks around it: non-breaking ones too, and zero-width characters, which come
/// along when an id is copied from a page.
pub(crate) fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| {
        c.is_whitespace() || matches!(c, '\u{200b}' | '\u{2060}' | '\u{feff}')
    })
}

/// The warning for a list, or for a table of a deck, whose last line has no end: half a price may
/// be there. It is no error, since many are written by hand.
#[must_use]
pub fn open_end(path: &Path, text: &[u8]) -> Option<String> {
    let is_open = !matches!(text.last(), None | Some(b'\n' | b'\r'));
    is_open.then(|| {
        format!(
            "{}: its last line has no line end: if the file was cut there, so is its last value",
            path.display()
        )
    })
}

/// The warning for a list, or for a table of a deck, that has nothing below its header: it may have
/// been cut there.
#[must_use]
pub fn no_row(path: &Path, becomes: &str) -> String {
    format!("{}: has no row below its header: {becomes}", path.display())
}

impl Columns {
    fn place(&self, name: &str) -> Option<usize> {
        let plain = plain_name(name);
        self.known.iter().position(|known| plain_name(known) == plain)
    }

    /// A score of how well names fit: a known one counts for more than any number of those that
    /// only resemble one.
    fn score(&self, names: &[String]) -> usize {
        let known = names.iter().filter(|name| self.place(name).is_some()).count();
        let alike =
            |name: &&String| resembling(name, self.known.iter().copied(), self.synonyms).is_some();
        known * (names.len() + 1) + names.iter().filter(alike).count()
    }

    fn wrong(&self, path: &Path, problem: String) -> FileError {
        FileError::new(path, problem).at(1).hint(self.expected)
    }

    /// The place of each known column; an error for a column that is there twice, is missing, or
    /// may be meant for one that is missing.
    fn places(
        &self,
        path: &Path,
        names: &[String],
        strictness: Strictness,
    ) -> Result<Vec<Option<usize>>, FileError> {
        let mut places = vec![None; self.known.len()];
        for (at, name) in names.iter().enumerate() {
            if let Some(place) = self.place(name) {
                if places[place].is_none() {
                    places[place] = Some(at);
                } else if strictness == Strictness::Full {
                    return Err(
                        FileError::new(path, format!("has the column `{name}` twice")).at(1)
                    );
                }
            }
        }
        let lacking =
            || self.known.iter().copied().enumerate().filter(|(at, _)| places[*at].is_none());
        if strictness == Strictness::Full {
            for name in names.iter().filter(|name| self.place(name).is_none()) {
                let known: Vec<&'static str> = lacking().map(|(_, name)| name).collect();
                if let Some(meant) = resembling(name, known.iter().copied(), self.synonyms) {
                    let other =
                        if self.others { ", or another name if it is something else" } else { "" };
                    let problem = format!("has the column `{name}`, which resembles `{meant}`");
                    return Err(FileError::new(path, problem)
                        .at(1)
                        .hint(format!("write `{meant}`{other}")));
                }
                if !self.others {
                    return Err(self.wrong(path, format!("has the unknown column `{name}`")));
                }
            }
        }
        match lacking().find(|(at, _)| *at < self.necessary) {
            Some((_, name)) => Err(self.wrong(path, format!("has no column `{name}`"))),
            None => Ok(places),
        }
    }
}

impl Sheet {
    /// Reads a list.
    ///
    /// # Errors
    /// If a column is missing, is there twice, or resembles one that is missing; if a row has
    /// another number of columns, or quotes that are not closed.
    pub fn read(
        path: &Path,
        text: &str,
        columns: &Columns,
        strictness: Strictness,
    ) -> Result<Self, FileError> {
        let text = text.trim_start_matches('\u{feff}');
        let Some((delimiter, names)) = split_header(text, |names| columns.score(names)) else {
            return Err(columns.wrong(path, "is no list: its first line is no header".to_owned()));
        };
        let names: Vec<String> = names.iter().map(|name| trimmed(name).to_owned()).collect();
        check_quotes(path, text.as_bytes(), (delimiter, names.len()), strictness)?;
        let places = columns.places(path, &names, strictness)?;
        let mut sheet = Self { names, places, known: columns.known, rows: Vec::new() };
        let mut lines = Lines::of(text.as_bytes());
        for row in reader(delimiter, text.as_bytes()).into_records().skip(1) {
            let row = row.map_err(|e| {
                let error = FileError::new(path, format!("cannot be read: {e}"));
                FileError { line: e.position().map(csv::Position::line), ..error }
            })?;
            let line = lines.line_of(row.position());
            if row.len() != sheet.names.len() {
                let problem =
                    format!("has {} columns, the header has {}", row.len(), sheet.names.len());
                return Err(FileError::new(path, problem)
                    .at(line)
                    .hint("a value with the delimiter in it needs quotes"));
            }
            sheet.rows.push((line, row));
        }
        if strictness == Strictness::Full {
            sheet.check_rivals(path, columns)?;
        }
        Ok(sheet)
    }

    /// Refuses a row that leaves a decisive column empty and fills one of another name that can
    /// only mean it.
    fn check_rivals(&self, path: &Path, columns: &Columns) -> Result<(), FileError> {
        let others =
            || self.names.iter().enumerate().filter(|(_, name)| columns.place(name).is_none());
        for decisive in columns.decisive {
            let means = |name: &str| meaning(name, [*decisive], columns.synonyms).is_some();
            for (at, name) in others().filter(|(_, name)| means(name)) {
                let value = |row: &SheetRow<'_>| row.cells.get(at).map_or("", trimmed).to_owned();
                if let Some(row) =
                    self.rows().find(|row| row.get(decisive).is_empty() && !value(row).is_empty())
                {
                    let problem = format!(
                        "{decisive} is empty, and `{name}`, which resembles it, is `{}`",
                        value(&row)
                    );
                    let hint = format!(
                        "fill {decisive}, or give `{name}` another name if it is something else"
                    );
                    return Err(FileError::new(path, problem).at(row.line).hint(hint));
                }
            }
        }
        Ok(())
    }

    /// Its rows.
    pub fn rows(&self) -> impl Iterator<Item = SheetRow<'_>> {
        self.rows.iter().map(|(line, cells)| SheetRow { line: *line, sheet: self, cells })
    }
}

/// Refuses quotes that are not closed, or are where none may be, or that hold a whole line of the
/// list: the lines after them would be part of a value.
///
/// # Errors
/// The line of the first one.
pub(crate) fn check_quotes(
    path: &Path,
    text: &[u8],
    (delimiter, columns): (u8, usize),
    strictness: Strictness,
) -> Result<(), FileError> {
    if strictness == Strictness::Archived {
        return Ok(());
    }
    let scan = calls_csv::scan(text, delimiter, columns, true);
    let Some(broken) = scan.broken.first() else { return Ok(()) };
    let line = memchr::memchr_iter(b'\n', &text[..broken.start]).count() as u64 + 1;
    Err(FileError::new(path, "a quote is not closed, or stands where none may")
        .at(line)
        .hint("a quote inside a value is written twice, and the value in quotes"))
}

impl<'a> SheetRow<'a> {
    /// The value in a known column, trimmed; empty if the list has no such column.
    pub fn get(&self, name: &str) -> &'a str {
        let known = self
            .sheet
            .known
            .iter()
            .position(|known| *known == name)
            .expect("a column of this kind of list");
        self.sheet.places[known].and_then(|at| self.cells.get(at)).map_or("", trimmed)
    }

    /// The names of all columns as written in the file, and the row's values.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.sheet.names.iter().map(String::as_str).zip(self.cells.iter().map(trimmed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: Columns = Columns {
        known: &["account_sid", "deck", "tax_rate"],
        necessary: 1,
        decisive: &["deck"],
        synonyms: trunkrate_kernel::resemble::ACCOUNT_SYNONYMS,
        others: true,
        expected: "expected account_sid",
    };

    fn read(text: &str) -> Result<Vec<(u64, String, String)>, String> {
        let sheet = Sheet::read(Path::new("x.csv"), text, &COLUMNS, Strictness::Full)
            .map_err(|e| e.to_string())?;
        Ok(sheet
            .rows()
            .map(|row| (row.line, row.get("account_sid").to_owned(), row.get("deck").to_owned()))
            .collect())
    }

    #[test]
    fn delimiters_marks_and_blanks() {
        for delimiter in [",", ";", "\t", "|"] {
            let text = "\u{feff}Account Sid;Name;DECK\r\n AC1\u{a0};\"One; or, another | one\t\";eur\u{200b}\r\n\r\nAC2;Two;\r\n";
            let text = text.replace(';', delimiter);
            let expected =
                [(2, "AC1".to_owned(), "eur".to_owned()), (4, "AC2".to_owned(), String::new())];
            assert_eq!(read(&text).as_deref(), Ok(&expected[..]), "{delimiter:?}");
        }
    }

    #[test]
    fn what_would_be_read_as_something_else_is_refused() {
        for (text, problem) in [
            (
                "account_sid,tariff\nAC1,eur\n",
                "x.csv:1: has the column `tariff`, which resembles `deck`",
            ),
            (
                "acct_sid;deck\nAC1;eur\n",
                "x.csv:1: has the column `acct_sid`, which resembles `account_sid`",
            ),
            ("account_sid,deck,Deck\nAC1,a,b\n", "x.csv:1: has the column `Deck` twice"),
            ("name,deck\nOne,\n", "x.csv:1: has no column `account_sid`"),
            ("", "x.csv:1: has no column `account_sid`"),
            ("account_sid,deck\nAC1,eur\nAC2\n", "x.csv:3: has 1 columns, the header has 2"),
            (
                "account_sid,deck\nAC1,\"eur\nAC2,eur\n",
                "x.csv:2: a quote is not closed, or stands where none may",
            ),
            (
                "account_sid,deck,tariff\nAC1,eur,x\nAC2,,usd\n",
                "x.csv:3: deck is empty, and `tariff`, which resembles it, is `usd`",
            ),
        ] {
            assert_eq!(read(text), Err(problem.to_owned()), "{text}");
        }
        assert!(
            read("account_sid,deck,tariff,phone,,\nAC1,eur,x,1,,\nAC2,,,2,,\n").is_ok(),
            "a deck that is said counts"
        );
    }
}
