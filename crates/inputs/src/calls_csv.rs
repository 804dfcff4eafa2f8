//! Calls from CSV: `,` `;` tab or `|`, by header name.
//!
//! `split` cuts records into fields and gives the place of each. Before it, [`scan`] walks blocks
//! that hold quotes and checks RFC 4180, because a reader that forgives a stray quote lets it
//! swallow the calls after it.
//!
//! **Invariant:** a broken record costs one line. The next line is a record of its own again.

pub(crate) mod split;

use super::header;
use crate::file::FileError;
use crate::header::reader;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use trunkrate_kernel::call::Calls;
use trunkrate_kernel::columns;
use trunkrate_kernel::fit::must_fit;
use trunkrate_kernel::policy::Policy;
use trunkrate_kernel::record::{Field, Fields, FilledFields, LONGEST_FIELD, Record};

use self::split::{FieldPlace, RowSplitter, RowText};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The longest line that is kept at all.
pub const LONGEST_LINE: usize = 1 << 20;

/// The header of a CSV file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The line as written, without its line end.
    pub text: Arc<str>,
    /// The delimiter.
    pub delimiter: u8,
    /// The names of all columns.
    pub names: Vec<String>,
    columns: Vec<(usize, Field)>,
}

impl Header {
    /// Reads a header line.
    ///
    /// # Errors
    /// If it is not the header of a call file.
    pub fn parse(path: &Path, line: &[u8]) -> Result<Self, FileError> {
        let refuse = |problem: String| {
            Err(FileError::new(path, format!("is not a call file: {problem}")).at(1).hint(
                "the first line names the columns: sid, account_sid, direction, from, to, \
                       start_time, duration, status, …",
            ))
        };
        let Ok(text) = std::str::from_utf8(line) else {
            return refuse("its first line is not UTF-8".to_owned());
        };
        let text = text.trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n']);
        let known =
            |names: &[String]| names.iter().filter(|name| Field::named(name).is_some()).count();
        let Some((delimiter, names)) = header::split_header(text, known) else {
            return refuse("its first line is no header".to_owned());
        };
        let columns: Vec<(usize, Field)> = names
            .iter()
            .enumerate()
            .filter_map(|(at, name)| Field::named(name).map(|field| (at, field)))
            .collect();
        let has = |field: Field| columns.iter().any(|(_, f)| *f == field);
        if !has(Field::Sid) || columns.len() < 3 {
            return refuse(format!(
                "its first line names no column `sid`, or too few of a call's fields; found `{}`",
                shorten(text)
            ));
        }
        for (place, (_, field)) in columns.iter().enumerate() {
            if columns[..place].iter().any(|(_, f)| f == field) {
                return refuse(format!("two columns are named `{}`", field.as_str()));
            }
        }
        Ok(Self { text: Arc::from(text), delimiter, names, columns })
    }

    /// Checks that a file under this header has the columns that a bill needs.
    ///
    /// # Errors
    /// The columns that are missing ([`columns::check`]).
    pub fn check(&self, path: &Path, policy: &Policy) -> Result<(), FileError> {
        columns::check(self.names.iter().map(String::as_str), policy.no_transfers).map_err(
            |missing| {
                FileError::new(path, format!("cannot be billed: {missing}"))
                    .at(1)
                    .hint(missing.hint())
            },
        )
    }

    fn fields_of_record<'a>(&'a self, record: &'a csv::ByteRecord) -> Option<Fields<'a>> {
        let range = |column| record.range(column).expect("a column of the record");
        let places: Vec<FieldPlace> = (0..record.len())
            .map(range)
            .map(|range| (place(range.start), place(range.end)))
            .collect();
        let (header, text) = (self, BlockText::Bytes(record.as_slice()));
        let row = CsvRow { header, text, places: &places };
        row.is_record().then(|| row.fields())
    }
}

/// A row of a CSV file, cut into columns.
#[derive(Debug, Clone, Copy)]
pub struct CsvRow<'a, 'p> {
    header: &'a Header,
    text: BlockText<'a>,
    /// The places of the columns in the text.
    places: &'p [FieldPlace],
}

impl<'a> CsvRow<'a, '_> {
    /// True if it has the columns of the header, and each field is a usable text. The content of
    /// other columns does not matter.
    #[inline]
    fn is_record(&self) -> bool {
        let [(start, _), .., (_, end)] = self.places else { return false };
        if self.places.len() != self.header.names.len() {
            return false;
        }
        // A row that is short as a whole has no long field.
        let is_short = (end - start) as usize <= LONGEST_FIELD;
        matches!(self.text, BlockText::Clean(_)) && is_short || self.has_usable_fields()
    }

    #[cold]
    fn has_usable_fields(&self) -> bool {
        self.header.columns.iter().all(|(column, _)| {
            let text = self.text.get(self.places[*column]);
            text.is_some_and(|text| text.len() <= LONGEST_FIELD && !text.contains('\0'))
        })
    }

    /// Its fields, each with its text as it came.
    #[inline]
    fn texts(&self) -> impl Iterator<Item = (Field, &'a str)> {
        self.header.columns.iter().map(|(column, field)| {
            let text = self.text.get(self.places[*column]);
            (*field, text.expect("a record has usable fields"))
        })
    }

    /// The fields of a record.
    #[must_use]
    pub fn fields(&self) -> Fields<'a> {
        let mut fields = Fields::default();
        self.texts().for_each(|(field, text)| fields.0[field as usize] = text);
        fields
    }

    /// The fields of a record, as they count.
    #[inline]
    #[must_use]
    pub fn filled(&self) -> FilledFields<'a> {
        let mut fields = FilledFields::default();
        self.texts().for_each(|(field, text)| fields.set(field, text));
        fields
    }
}

/// The text that holds the fields, checked once for a whole block and not for each field.
#[derive(Debug, Clone, Copy)]
enum BlockText<'a> {
    /// UTF-8 without NUL.
    Clean(&'a str),
    /// Anything.
    Bytes(&'a [u8]),
}

impl<'a> BlockText<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) if memchr::memchr(0, bytes).is_none() => Self::Clean(text),
            _ => Self::Bytes(bytes),
        }
    }

    /// The text of a field; `None` if it is not UTF-8.
    #[inline]
    fn get(self, (start, end): FieldPlace) -> Option<&'a str> {
        let place = start as usize..end as usize;
        match self {
            Self::Clean(text) => text.get(place),
            Self::Bytes(bytes) => std::str::from_utf8(bytes.get(place)?).ok(),
        }
    }
}

fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(80).filter(|c| !c.is_control()).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// The result of a walk through a block.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// The end of the last whole record.
    pub end: usize,
    /// The lines that are broken by themselves.
    pub broken: Vec<Range<usize>>,
    /// The start of the last record.
    pub last: usize,
}

impl Scan {
    /// Counts the last record as broken, if it has no line end: the file may have been cut there.
    pub fn break_open_end(&mut self, bytes: &[u8]) {
        let is_open =
            self.end == bytes.len() && !matches!(bytes.last(), None | Some(b'\n' | b'\r'));
        if is_open && self.broken.last().is_none_or(|line| line.end <= self.last) {
            self.broken.push(self.last..self.end);
        }
    }

    /// Counts each line of the next record as broken.
    fn break_lines(&mut self, bytes: &[u8], length: usize) {
        let end = self.end + length;
        while self.end < end {
            let line = line_end(&bytes[self.end..end]).unwrap_or(end - self.end);
            self.last = self.end;
            self.broken.push(self.end..self.end + line);
            self.end += line;
        }
    }
}

/// Finds the end of the last whole record of a block that starts with a record, and the lines with
/// broken quotes.
///
/// A quoted field may hold line ends; it is followed for at most [`LONGEST_FIELD`]. If a quote is
/// not closed within that, or is followed by anything but a delimiter or a line end, the line in
/// which the record starts is broken. If a quote swallows lines, all of them are.
#[must_use]
pub fn scan(bytes: &[u8], delimiter: u8, columns: usize, at_end: bool) -> Scan {
    let mut scan = Scan::default();
    if memchr::memchr(b'"', bytes).is_none() {
        let last_end = last_line_end(bytes).unwrap_or(0);
        scan.end = if at_end { bytes.len() } else { last_end };
        scan.last = last_end;
        return scan;
    }
    while scan.end < bytes.len() {
        let rest = &bytes[scan.end..];
        scan.last = scan.end;
        match record_end(rest, delimiter) {
            RecordEnd::At(end) if swallows(&rest[..end], delimiter, columns) => {
                scan.break_lines(bytes, end);
            }
            RecordEnd::At(end) => scan.end += end,
            RecordEnd::Open if !at_end && rest.len() <= LONGEST_FIELD => return scan,
            RecordEnd::Text if !at_end => return scan,
            RecordEnd::Text if swallows(rest, delimiter, columns) => {
                scan.break_lines(bytes, rest.len());
            }
            RecordEnd::Text => scan.end = bytes.len(),
            RecordEnd::Broken | RecordEnd::Open => {
                let Some(line) = line_end(rest) else {
                    if at_end {
                        scan.broken.push(scan.end..bytes.len());
                        scan.end = bytes.len();
                    }
                    return scan;
                };
                scan.broken.push(scan.end..scan.end + line);
                scan.end += line;
            }
        }
    }
    scan
}

/// True if a quote joins lines of which the first and another one have all columns of the header
/// by themselves.
///
/// # Why
/// Programs that never quote write a caller's name `"HQ` as it is: up to the next quote, which may
/// be in the name of a later call, all would be one field, and the calls between were no calls any
/// more, though each line looks whole. A line of a real text with as many delimiters as that waits
/// with its record, which costs a look; the other reading costs money that nobody misses.
fn swallows(record: &[u8], delimiter: u8, columns: usize) -> bool {
    let Some(first) = memchr::memchr2(b'\n', b'\r', record) else { return false };
    let is_whole =
        |line: &[u8]| memchr::memchr_iter(delimiter, line).count() + 1 >= columns && columns > 1;
    let (line, rest) = record.split_at(first);
    !rest.trim_ascii().is_empty()
        && is_whole(line)
        && rest.split(|byte| matches!(byte, b'\n' | b'\r')).any(is_whole)
}

enum RecordEnd {
    /// Just past the line end.
    At(usize),
    /// The bytes end in plain text.
    Text,
    /// The bytes end inside quotes.
    Open,
    /// A quote is in a place where none may be.
    Broken,
}

fn record_end(bytes: &[u8], delimiter: u8) -> RecordEnd {
    let mut at = 0;
    loop {
        // A field starts here.
        if bytes.get(at) == Some(&b'"') {
            at += 1;
            let limit = bytes.len().min(at + LONGEST_FIELD);
            loop {
                let Some(quote) = bytes.get(at..limit).and_then(|rest| memchr::memchr(b'"', rest))
                else {
                    return RecordEnd::Open;
                };
                at += quote + 1;
                if bytes.get(at) != Some(&b'"') {
                    break;
                }
                at += 1;
            }
            match bytes.get(at) {
                None => return RecordEnd::Text,
                Some(b) if *b == delimiter => at += 1,
                Some(b'\n') => return RecordEnd::At(at + 1),
                Some(b'\r') => {
                    return RecordEnd::At(at + 1 + usize::from(bytes.get(at + 1) == Some(&b'\n')));
                }
                Some(_) => return RecordEnd::Broken,
            }
        } else {
            // Fields without quotes are skipped in one go, up to a field that starts with one.
            loop {
                let Some(next) = memchr::memchr3(b'"', b'\n', b'\r', &bytes[at..]) else {
                    return RecordEnd::Text;
                };
                at += next + 1;
                match bytes[at - 1] {
                    b'\n' => return RecordEnd::At(at),
                    b'\r' => return RecordEnd::At(at + usize::from(bytes.get(at) == Some(&b'\n'))),
                    _ if next > 0 && bytes[at - 2] == delimiter => break,
                    _ => {}
                }
            }
            at -= 1;
        }
    }
}

/// Just past the first line end.
fn line_end(bytes: &[u8]) -> Option<usize> {
    memchr::memchr(b'\n', bytes).or_else(|| memchr::memchr(b'\r', bytes)).map(|at| at + 1)
}

/// Just past the last line end; `\r` counts only in a file without `\n`.
#[must_use]
pub fn last_line_end(bytes: &[u8]) -> Option<usize> {
    memchr::memrchr(b'\n', bytes).or_else(|| memchr::memrchr(b'\r', bytes)).map(|at| at + 1)
}

/// Counts the records of a block by its line ends and quotes alone, blank lines left out.
#[must_use]
pub fn count(bytes: &[u8], broken: &[Range<usize>], delimiter: u8) -> u64 {
    if broken.is_empty() && memchr::memchr(b'"', bytes).is_none() {
        return count_lines(bytes);
    }
    let blank = |line: &[u8]| without_line_end(line).is_empty();
    let mut count = broken.iter().filter(|line| !blank(&bytes[(*line).clone()])).count() as u64;
    let mut start = 0;
    for end in broken.iter().map(|line| line.start).chain([bytes.len()]) {
        let mut rest = &bytes[start..end];
        while !rest.is_empty() {
            let length = match record_end(rest, delimiter) {
                RecordEnd::At(length) => length,
                RecordEnd::Text | RecordEnd::Open | RecordEnd::Broken => rest.len(),
            };
            count += u64::from(!blank(&rest[..length]));
            rest = &rest[length..];
        }
        start = broken.iter().find(|line| line.start == end).map_or(end, |line| line.end);
    }
    count
}

/// Counts the lines that are not blank.
///
/// Where no line is blank and each ends in `\n`, they are as many as the line ends: 230
/// instructions a record instead of 320.
fn count_lines(bytes: &[u8]) -> u64 {
    let has_blank = || bytes.starts_with(b"\n") || memchr::memmem::find(bytes, b"\n\n").is_some();
    if memchr::memchr(b'\r', bytes).is_some() || has_blank() {
        return count_line_starts(bytes);
    }
    let is_open = !matches!(bytes.last(), None | Some(b'\n'));
    count_byte(b'\n', bytes) + u64::from(is_open)
}

/// Counts the places that have a byte.
///
/// The compiler vectorises sums below 256: 110 instructions a record of CSV, where an iterator over
/// the places takes 140.
#[must_use]
pub fn count_byte(byte: u8, bytes: &[u8]) -> u64 {
    let of_chunk = |chunk: &[u8]| {
        let hits = chunk.iter().map(|other| u8::from(*other == byte));
        u64::from(hits.fold(0_u8, u8::wrapping_add))
    };
    bytes.chunks(240).map(of_chunk).sum()
}

/// Counts the places where a line end, or nothing, is followed by text.
fn count_line_starts(bytes: &[u8]) -> u64 {
    let ends = |byte: u8| byte == b'\n' || byte == b'\r';
    let Some(first) = bytes.first() else { return 0 };
    let mut count = u64::from(!ends(*first));
    // The compiler vectorises sums below 256: 320 instructions and 25 ns a record; a search from
    // line end to line end takes 1,400 and 95.
    for (before, after) in bytes.chunks(240).zip(bytes[1..].chunks(240)) {
        let starts = before
            .iter()
            .zip(after)
            .map(|(before, after)| u8::from(ends(*before)) & u8::from(!ends(*after)));
        count += u64::from(starts.fold(0_u8, u8::wrapping_add));
    }
    count
}

/// Reads the records of a block. The place of a record is its offset in the block.
#[must_use]
pub fn parse_block(
    bytes: &[u8],
    broken: &[Range<usize>],
    header: &Header,
    policy: &Policy,
) -> Calls {
    let mut calls = Calls::default();
    // A row has about 230 bytes; columns that grow are copied twice on the way.
    calls.reserve(bytes.len() / 200);
    walk(bytes, broken, header, |offset, text, row| match row {
        Some(row) => {
            let record = Record::read_typed(&row.filled(), [None; 3], policy);
            calls.push(&record, place(offset));
        }
        None => calls.push(&Record::malformed(text), place(offset)),
    });
    calls
}

/// Walks the records of a block: the offset of each, its text without the line end, and its
/// columns, if it is a record.
#[inline]
pub fn walk(
    bytes: &[u8],
    broken: &[Range<usize>],
    header: &Header,
    mut each: impl FnMut(usize, &[u8], Option<CsvRow<'_, '_>>),
) {
    let mut start = 0;
    for line in broken {
        walk_sound(&bytes[start..line.start], start, header, &mut each);
        let text = without_line_end(&bytes[line.clone()]);
        if !text.is_empty() {
            each(line.start, text, None);
        }
        start = line.end;
    }
    walk_sound(&bytes[start..], start, header, &mut each);
}

#[inline]
fn walk_sound(
    bytes: &[u8],
    offset: usize,
    header: &Header,
    each: &mut impl FnMut(usize, &[u8], Option<CsvRow<'_, '_>>),
) {
    let whole = BlockText::of(bytes);
    let mut rows = RowSplitter::new(bytes, header.delimiter);
    while let Some(row) = rows.next() {
        let at = offset + row.place.start;
        let text = &bytes[row.place];
        let of_fields = match row.text {
            RowText::Whole => whole,
            RowText::Unquoted(text) => BlockText::Bytes(text),
        };
        let row = CsvRow { header, text: of_fields, places: row.fields };
        if row.is_record() {
            each(at, text, Some(row));
        } else {
            let text = without_line_end(text);
            if !text.is_empty() {
                each(at, text, None);
            }
        }
    }
}

/// A record without its line end; a tab there is an empty column.
fn without_line_end(mut line: &[u8]) -> &[u8] {
    while let [rest @ .., b'\n' | b'\r'] = line {
        line = rest;
    }
    line
}

fn place(offset: usize) -> u32 {
    must_fit(offset, "a block is shorter than 4 GiB")
}

/// The text of the record that starts a slice of a block, without its line end.
#[must_use]
pub fn record_text(bytes: &[u8], header: &Header) -> String {
    let end = match record_end(bytes, header.delimiter) {
        RecordEnd::At(end) => Some(end),
        RecordEnd::Text => Some(bytes.len()),
        RecordEnd::Open | RecordEnd::Broken => None,
    };
    let end = end
        .filter(|end| !swallows(&bytes[..*end], header.delimiter, header.names.len()))
        .or_else(|| line_end(bytes))
        .unwrap_or(bytes.len());
    String::from_utf8_lossy(without_line_end(&bytes[..end])).into_owned()
}

/// Reads one record's text, as [`record_text`] gave it, into its fields.
pub fn read_one<T>(text: &str, header: &Header, then: impl FnOnce(Option<Fields<'_>>) -> T) -> T {
    let mut record = csv::ByteRecord::new();
    let whole =
        matches!(record_end(text.as_bytes(), header.delimiter), RecordEnd::Text | RecordEnd::At(_));
    let read = whole && read_record(text, header.delimiter, &mut record);
    then(header.fields_of_record(&record).filter(|_| read))
}

/// Splits a record's text into its columns; returns true if there are any.
fn read_record(text: &str, delimiter: u8, record: &mut csv::ByteRecord) -> bool {
    // Nearly every record has no quote and is split without a reader, whose setup costs ten times
    // as much as a record.
    if !text.is_empty() && !text.bytes().any(|byte| matches!(byte, b'"' | b'\n' | b'\r')) {
        *record = text.as_bytes().split(|byte| *byte == delimiter).collect();
        return true;
    }
    reader(delimiter, text.as_bytes()).read_byte_record(record).unwrap_or(false)
}

/// The fault of a record's text, if its columns or quotes show it.
#[must_use]
pub fn why_malformed(text: &str, header: &Header) -> Option<String> {
    if matches!(record_end(text.as_bytes(), header.delimiter), RecordEnd::Open | RecordEnd::Broken)
    {
        return Some("a quote is not closed within 64 KiB, or stands where none may".to_owned());
    }
    let mut record = csv::ByteRecord::new();
    read_record(text, header.delimiter, &mut record);
    let (found, expected) = (record.len(), header.names.len());
    (found != expected).then(|| format!("it has {found} columns, the header has {expected}"))
}

/// The message for a malformed record whose text reads well: its line end is missing, or a quote
/// of an earlier line swallows it. (A text with a NUL, or that was no UTF-8, does not read
/// well.)
#[must_use]
pub fn may_be_cut(text: &str, header: &Header) -> Option<String> {
    let reads_well =
        !text.contains(['\0', '\u{fffd}']) && read_one(text, header, |fields| fields.is_some());
    reads_well.then(|| {
        "it is the last line of its file and has no line end: it may have been cut (under \
         `input.final_newline = \"optional\"` its file, read again, is taken; then close this \
         one); or a quote that opens in a line before it closes in it or below it (mend that line)"
            .to_owned()
    })
}

#[cfg(test)]
mod tests;
