//! Calls from CSV: `,` `;` tab or `|`, by header name.
//!
//! The `csv` crate splits records into fields and says where each stands. Before it, [`scan`] walks blocks that hold
//! quotes and checks RFC 4180, because a reader that forgives a stray quote lets it swallow the calls after it.
//!
//! **Invariant:** a broken record costs one line. The next line is a record of its own again.

use super::FileError;
use crate::call::Calls;
use crate::policy::Policy;
use crate::record::{Field, Fields, LONGEST_FIELD, Record};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// Longest line that is kept at all.
pub const LONGEST_LINE: usize = 1 << 20;

/// The header of a CSV file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// As it stands in the file, without the line's end.
    pub text: Arc<str>,
    /// The delimiter.
    pub delimiter: u8,
    /// Names of all columns.
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
            Err(FileError::new(path, format!("is not a call file: {problem}"))
                .at(1)
                .hint("the first line names the columns: sid, account_sid, direction, from, to, start_time, duration, status, …"))
        };
        let Ok(text) = std::str::from_utf8(line) else {
            return refuse("its first line is not UTF-8".to_owned());
        };
        let text = text.trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n']);
        let read = |delimiter: u8| {
            let mut record = csv::StringRecord::new();
            let mut reader = reader(delimiter, text.as_bytes());
            reader.read_record(&mut record).ok().map(|_| (delimiter, record.iter().map(str::to_owned).collect::<Vec<_>>()))
        };
        let known = |names: &[String]| names.iter().filter(|name| Field::named(name).is_some()).count();
        let Some((delimiter, names)) =
            b",;\t|".iter().filter_map(|d| read(*d)).max_by_key(|(d, names)| (known(names), *d == b','))
        else {
            return refuse("its first line is no header".to_owned());
        };
        let columns: Vec<(usize, Field)> =
            names.iter().enumerate().filter_map(|(at, name)| Field::named(name).map(|field| (at, field))).collect();
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

    /// The fields of a record; `None` if it has not as many as the header, or one of them is no usable text. What stands
    /// in other columns does not matter.
    fn fields<'a>(&self, record: &'a csv::ByteRecord) -> Option<Fields<'a>> {
        if record.len() != self.names.len() {
            return None;
        }
        let mut fields = Fields::default();
        match std::str::from_utf8(record.as_slice()) {
            Ok(text) => {
                for (column, field) in &self.columns {
                    fields.0[*field as usize] = text.get(record.range(*column)?)?;
                }
            }
            Err(_) => {
                for (column, field) in &self.columns {
                    fields.0[*field as usize] = std::str::from_utf8(record.get(*column)?).ok()?;
                }
            }
        }
        fields.are_usable().then_some(fields)
    }
}

fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(80).filter(|c| !c.is_control()).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

fn reader(delimiter: u8, bytes: &[u8]) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(bytes)
}

/// What a walk through a block found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// Where the last whole record ends.
    pub end: usize,
    /// Lines that are broken by themselves.
    pub broken: Vec<Range<usize>>,
}

/// Finds the end of the last whole record of a block that starts with a record, and the lines with broken quotes.
///
/// A quoted field may hold line ends; it is followed by at most [`LONGEST_FIELD`]. Where a quote is not closed within
/// that, or is followed by anything but a delimiter or a line's end, the line in which the record starts is broken.
#[must_use]
pub fn scan(bytes: &[u8], delimiter: u8, at_end: bool) -> Scan {
    let mut scan = Scan::default();
    if memchr::memchr(b'"', bytes).is_none() {
        scan.end =
            last_line_end(bytes).map_or(if at_end { bytes.len() } else { 0 }, |end| if at_end { bytes.len() } else { end });
        return scan;
    }
    while scan.end < bytes.len() {
        let rest = &bytes[scan.end..];
        match record_end(rest, delimiter) {
            RecordEnd::At(end) => scan.end += end,
            RecordEnd::Open if !at_end && rest.len() <= LONGEST_FIELD => return scan,
            RecordEnd::Text if !at_end => return scan,
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

enum RecordEnd {
    /// Just past the line's end.
    At(usize),
    /// The bytes end in plain text.
    Text,
    /// The bytes end inside quotes.
    Open,
    /// A quote stands where none may.
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
                let Some(quote) = bytes.get(at..limit).and_then(|rest| memchr::memchr(b'"', rest)) else {
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
                Some(b'\r') => return RecordEnd::At(at + 1 + usize::from(bytes.get(at + 1) == Some(&b'\n'))),
                Some(_) => return RecordEnd::Broken,
            }
        } else {
            let Some(next) = memchr::memchr3(delimiter, b'\n', b'\r', &bytes[at..]) else { return RecordEnd::Text };
            at += next + 1;
            match bytes[at - 1] {
                b'\n' => return RecordEnd::At(at),
                b'\r' => return RecordEnd::At(at + usize::from(bytes.get(at) == Some(&b'\n'))),
                _ => {}
            }
        }
    }
}

/// Just past the first line's end.
fn line_end(bytes: &[u8]) -> Option<usize> {
    memchr::memchr(b'\n', bytes).or_else(|| memchr::memchr(b'\r', bytes)).map(|at| at + 1)
}

/// Just past the last line's end; `\r` counts only in a file without `\n`.
pub(crate) fn last_line_end(bytes: &[u8]) -> Option<usize> {
    memchr::memrchr(b'\n', bytes).or_else(|| memchr::memrchr(b'\r', bytes)).map(|at| at + 1)
}

/// Counts the records of a block by its line ends and quotes alone, blank lines left out.
#[must_use]
pub fn count(bytes: &[u8], broken: &[Range<usize>], delimiter: u8) -> u64 {
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

/// Reads the records of a block. The place of a record is its offset in the block.
#[must_use]
pub fn parse_block(bytes: &[u8], broken: &[Range<usize>], header: &Header, policy: &Policy) -> Calls {
    let mut calls = Calls::default();
    let mut start = 0;
    for line in broken {
        parse_records(&bytes[start..line.start], start, header, policy, &mut calls);
        push_malformed(&bytes[line.clone()], line.start, &mut calls);
        start = line.end;
    }
    parse_records(&bytes[start..], start, header, policy, &mut calls);
    calls
}

fn parse_records(bytes: &[u8], offset: usize, header: &Header, policy: &Policy, calls: &mut Calls) {
    let mut reader = reader(header.delimiter, bytes);
    let mut record = csv::ByteRecord::new();
    while reader.read_byte_record(&mut record).expect("memory can be read, and every text is a record to a flexible reader") {
        let start = record_start(bytes, record.position().map_or(0, csv::Position::byte));
        let end = usize::try_from(reader.position().byte()).unwrap_or(bytes.len()).min(bytes.len());
        match header.fields(&record) {
            Some(fields) => calls.push(&Record::read(&fields, policy), place(offset + start)),
            None => push_malformed(&bytes[start..end.max(start)], offset + start, calls),
        }
    }
}

/// The reader gives the place before the blank lines that it skips.
fn record_start(bytes: &[u8], byte: u64) -> usize {
    let start = usize::try_from(byte).unwrap_or(bytes.len()).min(bytes.len());
    start + bytes[start..].iter().take_while(|b| matches!(b, b'\n' | b'\r')).count()
}

fn push_malformed(line: &[u8], offset: usize, calls: &mut Calls) {
    let text = without_line_end(line);
    if !text.is_empty() {
        calls.push(&Record::malformed(text), place(offset));
    }
}

/// A record without its line's end; a tab there is an empty column.
fn without_line_end(mut line: &[u8]) -> &[u8] {
    while let [rest @ .., b'\n' | b'\r'] = line {
        line = rest;
    }
    line
}

fn place(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

/// The text of the record that starts a slice of a block, without its line's end.
#[must_use]
pub fn record_text(bytes: &[u8], header: &Header) -> String {
    let end = match record_end(bytes, header.delimiter) {
        RecordEnd::At(end) => end,
        RecordEnd::Text => bytes.len(),
        RecordEnd::Open | RecordEnd::Broken => line_end(bytes).unwrap_or(bytes.len()),
    };
    String::from_utf8_lossy(without_line_end(&bytes[..end])).into_owned()
}

/// Reads one record's text, as [`record_text`] gave it, into its fields.
#[must_use]
pub fn read_one<T>(text: &str, header: &Header, then: impl FnOnce(Option<Fields<'_>>) -> T) -> T {
    // Nearly every record has no quote: it is split without a reader, which costs ten times a record to set up.
    if !text.is_empty() && !text.bytes().any(|byte| matches!(byte, b'"' | b'\n' | b'\r')) {
        let record: csv::ByteRecord = text.as_bytes().split(|byte| *byte == header.delimiter).collect();
        return then(header.fields(&record));
    }
    let mut record = csv::ByteRecord::new();
    let whole = matches!(record_end(text.as_bytes(), header.delimiter), RecordEnd::Text | RecordEnd::At(_));
    let read = whole && reader(header.delimiter, text.as_bytes()).read_byte_record(&mut record).unwrap_or(false);
    then(header.fields(&record).filter(|_| read))
}

/// What is wrong with a record's text, if its columns or quotes say it.
#[must_use]
pub fn why_malformed(text: &str, header: &Header) -> Option<String> {
    if matches!(record_end(text.as_bytes(), header.delimiter), RecordEnd::Open | RecordEnd::Broken) {
        return Some("a quote is not closed within 64 KiB, or stands where none may".to_owned());
    }
    let mut record = csv::ByteRecord::new();
    let _ = reader(header.delimiter, text.as_bytes()).read_byte_record(&mut record);
    let (found, expected) = (record.len(), header.names.len());
    (found != expected).then(|| format!("it has {found} columns, the header has {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header::parse(Path::new("x.csv"), b"sid,account_sid,start_time,status\n").unwrap()
    }

    fn reasons(text: &str) -> Vec<(u32, Option<crate::reject::Reason>)> {
        let scan = scan(text.as_bytes(), b',', true);
        assert_eq!(scan.end, text.len());
        let calls = parse_block(text.as_bytes(), &scan.broken, &header(), &Policy::default());
        calls.place.into_iter().zip(calls.reason).collect()
    }

    #[test]
    fn a_stray_quote_costs_one_line() {
        use crate::reject::Reason::{MalformedRecord, MissingField};
        let text = "CA1,AC,,x\n\"CA2,AC,,x\nCA3,\"AC\",,x\n\nCA4,\"A\nC\",,x\nCA5,\"A\"C,,x\nCA6,A\"C,,x";
        let expected = [
            (0, Some(MissingField)),
            (10, Some(MalformedRecord)),
            (21, Some(MissingField)),
            (34, Some(MissingField)),
            (47, Some(MalformedRecord)),
            (59, Some(MissingField)),
        ];
        assert_eq!(reasons(text), expected);
    }

    #[test]
    fn blocks_end_where_records_do() {
        let cut = |text: &str| scan(text.as_bytes(), b',', false).end;
        assert_eq!(cut("a,b\nc,d\ne"), 8);
        assert_eq!(cut("a,b\nc,\"d\ne"), 4);
        assert_eq!(cut("a,b\nc,\"d\ne\"\n"), 12);
        assert_eq!(cut("a,b"), 0);
        let open = format!("a,\"b\n{}", "x\n".repeat(LONGEST_FIELD));
        assert_eq!(scan(open.as_bytes(), b',', false).broken, vec![0..5]);
    }

    #[test]
    fn delimiters_are_found_and_other_files_refused() {
        for (line, delimiter) in
            [("Sid;AccountSid;Status", b';'), ("\u{feff}sid\taccount_sid\tstatus\r\n", b'\t'), ("sid|account sid|STATUS", b'|')]
        {
            assert_eq!(Header::parse(Path::new("x"), line.as_bytes()).unwrap().delimiter, delimiter);
        }
        for bad in ["ISO,Country,Description", "sid", "sid,SID,status,to", "%PDF-1.7", "", "<html>"] {
            assert!(Header::parse(Path::new("x"), bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
