//! Splits a text of CSV records into rows of fields, without a copy.
//!
//! Delimiters, line ends and quotes are found 64 bytes at a time, and a field is the text between
//! two of them. Only a row in which quotes hold quotes is read by `csv-core`, the reference for all
//! other rows too: a test compares the two.

use std::ops::Range;
use trunkrate_kernel::fit::must_fit;

/// The place of a field in its row's text.
pub(crate) type FieldPlace = (u32, u32);

/// One row: its place, and its fields.
#[derive(Debug)]
pub struct FieldRow<'a> {
    /// The place in the whole text; with or without the line end.
    pub place: Range<usize>,
    /// The text that holds the fields.
    pub text: RowText<'a>,
    /// The fields, in order.
    pub fields: &'a [FieldPlace],
}

/// The text that holds the fields of a row.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RowText<'a> {
    /// The whole text.
    Whole,
    /// The fields without their quotes, one after the other.
    Unquoted(&'a [u8]),
}

/// Reads row by row; blank lines are skipped.
pub(crate) struct RowSplitter<'a> {
    marks: Marks<'a>,
    /// The start of the next row, or of line ends before it.
    at: u32,
    fields: Vec<FieldPlace>,
    odd: Option<Box<OddReader>>,
}

impl<'a> RowSplitter<'a> {
    /// The rows of a text below 4 GiB. A byte-order mark at its start is no content, but is within
    /// the first row's place.
    pub(crate) fn new(bytes: &'a [u8], delimiter: u8) -> Self {
        let at = if bytes.starts_with(super::BYTE_ORDER_MARK) { 3 } else { 0 };
        Self { marks: Marks::new(bytes, delimiter), at, fields: Vec::with_capacity(32), odd: None }
    }

    /// The next row.
    pub(crate) fn next(&mut self) -> Option<FieldRow<'_>> {
        let bytes = self.marks.bytes;
        let first = self.at == 3 && bytes.starts_with(super::BYTE_ORDER_MARK);
        while matches!(bytes.get(self.at as usize), Some(b'\n' | b'\r')) {
            self.at += 1;
            self.marks.next();
        }
        let start = self.at as usize;
        if start == bytes.len() {
            return None;
        }
        let place = if first { 0 } else { start };
        self.fields.clear();
        if let Some(end) = plain_row(&mut self.marks, self.at, &mut self.fields) {
            // The mark of the line end is passed, so the line end is too.
            self.at = self.marks.length.min(end + 1);
            return Some(FieldRow {
                place: place..end as usize,
                text: RowText::Whole,
                fields: &self.fields,
            });
        }
        let odd = self.odd.get_or_insert_with(|| Box::new(OddReader::new(self.marks.delimiter)));
        self.fields.clear();
        let (length, text) = odd.read(&bytes[start..], &mut self.fields);
        self.at += length;
        self.marks.seek(self.at);
        Some(FieldRow {
            place: place..self.at as usize,
            text: RowText::Unquoted(text),
            fields: &self.fields,
        })
    }
}

/// Splits the row that starts at `from`, up to its line end; `None` if a quoted field is not simply
/// the text between its quotes.
#[inline]
fn plain_row(coming: &mut Marks<'_>, mut from: u32, fields: &mut Vec<FieldPlace>) -> Option<u32> {
    // A copy stays in registers.
    let mut marks = *coming;
    loop {
        let mut end = marks.next();
        let mut kind = marks.kind(end);
        if kind == Some(b'"') {
            let opens = end == from;
            if opens {
                end = marks.next();
                while marks.kind(end)? != b'"' {
                    end = marks.next();
                }
                fields.push((from + 1, end));
                if marks.next() != end + 1 {
                    return None;
                }
                end += 1;
            } else {
                // A quote inside text is text.
                while marks.kind(end) == Some(b'"') {
                    end = marks.next();
                }
                fields.push((from, end));
            }
            kind = marks.kind(end);
        } else {
            fields.push((from, end));
        }
        if kind != Some(marks.delimiter) {
            *coming = marks;
            // A quote after the closing one means a quote in the field.
            return (kind != Some(b'"')).then_some(end);
        }
        from = end + 1;
    }
}

/// The places of delimiters, line ends and quotes, in order.
#[derive(Clone, Copy)]
struct Marks<'a> {
    bytes: &'a [u8],
    length: u32,
    delimiter: u8,
    /// The start of the current 64 bytes.
    base: u32,
    /// The marks among them that are still to come, one bit each.
    coming: u64,
}

impl<'a> Marks<'a> {
    fn new(bytes: &'a [u8], delimiter: u8) -> Self {
        let length = u32::try_from(bytes.len()).expect("a block is below 4 GiB");
        let mut marks = Self { bytes, length, delimiter, base: 0, coming: 0 };
        marks.seek(0);
        marks
    }

    /// Continues with the marks from `at` on.
    fn seek(&mut self, at: u32) {
        self.base = at - at % 64;
        self.coming = self.look() & u64::MAX << (at % 64);
    }

    /// The next mark; the end of the text, if there is none.
    #[inline]
    fn next(&mut self) -> u32 {
        if self.coming == 0 {
            self.look_on();
            if self.coming == 0 {
                return self.length;
            }
        }
        let mark = self.base + self.coming.trailing_zeros();
        self.coming &= self.coming - 1;
        mark
    }

    /// Goes to the next 64 bytes that have a mark; stays at the last, if there are none.
    #[inline(never)]
    fn look_on(&mut self) {
        while self.coming == 0 && self.base.saturating_add(64) < self.length {
            self.base += 64;
            self.coming = self.look();
        }
    }

    #[inline]
    fn kind(&self, mark: u32) -> Option<u8> {
        self.bytes.get(mark as usize).copied()
    }

    /// The marks of the 64 bytes at `base`, the first in the lowest bit.
    #[inline]
    fn look(&self) -> u64 {
        let rest = self.bytes.get(self.base as usize..).unwrap_or(&[]);
        match rest.first_chunk::<64>() {
            Some(chunk) => marks_of(chunk, self.delimiter),
            None => marks_of_last(rest, self.delimiter),
        }
    }
}

#[cold]
fn marks_of_last(rest: &[u8], delimiter: u8) -> u64 {
    let mut padded = [0; 64];
    padded[..rest.len()].copy_from_slice(rest);
    marks_of(&padded, delimiter)
}

/// One bit for each byte that is a mark. The compiler vectorises the comparisons: 130 instructions
/// for 64 bytes.
#[inline]
fn marks_of(chunk: &[u8; 64], delimiter: u8) -> u64 {
    let mut hits = [0_u8; 64];
    for (hit, byte) in hits.iter_mut().zip(chunk) {
        *hit = u8::from(*byte == delimiter)
            | u8::from(*byte == b'\n')
            | u8::from(*byte == b'\r')
            | u8::from(*byte == b'"');
    }
    let mut marks = 0;
    for eight in hits.as_chunks::<8>().0.iter().rev() {
        // Gathers the lowest bit of each byte in the highest byte.
        marks = marks << 8 | u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    }
    marks
}

/// The reader for rows in which quotes hold quotes.
struct OddReader {
    core: csv_core::Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl OddReader {
    fn new(delimiter: u8) -> Self {
        let mut core = csv_core::ReaderBuilder::new().delimiter(delimiter).build();
        // The reader drops a byte-order mark from the first text that it gets: this is that text.
        core.read_record(b"\n", &mut [0], &mut [0]);
        Self { core, text: vec![0; 1024], ends: vec![0; 32] }
    }

    /// Reads the row that starts a text; returns its length with its line end, and the text of its
    /// fields.
    fn read(&mut self, bytes: &[u8], fields: &mut Vec<FieldPlace>) -> (u32, &[u8]) {
        let (mut read, mut written, mut count) = (0, 0, 0);
        loop {
            let (result, more_read, more_written, more_ends) = self.core.read_record(
                &bytes[read..],
                &mut self.text[written..],
                &mut self.ends[count..],
            );
            read += more_read;
            written += more_written;
            count += more_ends;
            match result {
                csv_core::ReadRecordResult::InputEmpty => {}
                csv_core::ReadRecordResult::OutputFull => self.text.resize(self.text.len() * 2, 0),
                csv_core::ReadRecordResult::OutputEndsFull => {
                    self.ends.resize(self.ends.len() * 2, 0);
                }
                csv_core::ReadRecordResult::Record | csv_core::ReadRecordResult::End => break,
            }
        }
        let place = |at: usize| -> u32 { must_fit(at, "a block is shorter than 4 GiB") };
        let mut start = 0;
        for end in &self.ends[..count] {
            fields.push((start, place(*end)));
            start = place(*end);
        }
        (place(read), &self.text[..written])
    }
}
