//! A text of CSV records into rows of fields, without a copy.
//!
//! Delimiters, line ends and quotes are found 64 bytes at a time, and a field is what stands between two of them. Only a
//! row in which quotes hold quotes is read by `csv-core`, which also says what any other row would be: a test holds the
//! two against each other.

use std::ops::Range;

/// Where a field stands in its row's text.
pub(super) type Place = (u32, u32);

/// One row: where it stands, and its fields.
#[derive(Debug)]
pub(super) struct Row<'a> {
    /// In the whole text; a line's end after it may be within or not.
    pub place: Range<usize>,
    /// The text that holds the fields.
    pub text: RowText<'a>,
    /// The fields, in order.
    pub fields: &'a [Place],
}

/// The text that holds the fields of a row.
#[derive(Debug, Clone, Copy)]
pub(super) enum RowText<'a> {
    /// The whole text that is read.
    Whole,
    /// Fields without their quotes, one after the other.
    Unquoted(&'a [u8]),
}

/// Reads row by row; blank lines are none.
pub(super) struct Rows<'a> {
    bytes: &'a [u8],
    delimiter: u8,
    marks: Marks<'a>,
    /// Where the next row starts, or line ends before it.
    at: usize,
    fields: Vec<Place>,
    odd: Option<Box<OddReader>>,
}

impl<'a> Rows<'a> {
    /// The rows of a text below 4 GiB. A byte order mark at its start is no content, though of the first row's place.
    pub(super) fn new(bytes: &'a [u8], delimiter: u8) -> Self {
        assert!(u32::try_from(bytes.len()).is_ok(), "a block is below 4 GiB");
        let at = if bytes.starts_with(super::BYTE_ORDER_MARK) { super::BYTE_ORDER_MARK.len() } else { 0 };
        Self { bytes, delimiter, marks: Marks::new(bytes, delimiter), at, fields: Vec::with_capacity(32), odd: None }
    }

    /// The next row.
    pub(super) fn next(&mut self) -> Option<Row<'_>> {
        let first = self.at == super::BYTE_ORDER_MARK.len() && self.bytes.starts_with(super::BYTE_ORDER_MARK);
        while matches!(self.bytes.get(self.at), Some(b'\n' | b'\r')) {
            self.at += 1;
            self.marks.next();
        }
        let start = self.at;
        if start == self.bytes.len() {
            return None;
        }
        let place = if first { 0 } else { start };
        self.fields.clear();
        if let Some(end) = self.plain_row(start) {
            self.at = end;
            return Some(Row { place: place..end, text: RowText::Whole, fields: &self.fields });
        }
        let odd = self.odd.get_or_insert_with(|| Box::new(OddReader::new(self.delimiter)));
        self.fields.clear();
        let (end, text) = odd.read(&self.bytes[start..], &mut self.fields);
        self.at = start + end;
        self.marks = Marks::from(self.bytes, self.delimiter, self.at);
        Some(Row { place: place..self.at, text: RowText::Unquoted(text), fields: &self.fields })
    }

    /// Splits the row at `start`, up to its line's end; `None` if a quoted field is not simply what stands between its
    /// quotes.
    fn plain_row(&mut self, start: usize) -> Option<usize> {
        let mut from = start;
        loop {
            let mut end = self.marks.next();
            if self.bytes.get(from) == Some(&b'"') {
                // `end` is the opening quote: the next one closes.
                end = self.marks.next();
                while self.bytes.get(end)? != &b'"' {
                    end = self.marks.next();
                }
                self.add(from + 1, end);
                end += 1;
                match self.bytes.get(end) {
                    None => {}
                    Some(byte) if *byte == self.delimiter || matches!(byte, b'\n' | b'\r') => {
                        self.marks.next();
                    }
                    Some(_) => return None,
                }
            } else {
                // A quote inside of text is text.
                while self.bytes.get(end) == Some(&b'"') {
                    end = self.marks.next();
                }
                self.add(from, end);
            }
            match self.bytes.get(end) {
                Some(byte) if *byte == self.delimiter => from = end + 1,
                // The line's end is left: before a row, any number of them is skipped.
                Some(_) => {
                    self.marks.again(end);
                    return Some(end);
                }
                None => return Some(end),
            }
        }
    }

    fn add(&mut self, start: usize, end: usize) {
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        self.fields.push((place(start), place(end)));
    }
}

/// The places of delimiters, line ends and quotes, in order.
struct Marks<'a> {
    bytes: &'a [u8],
    delimiter: u8,
    /// Where the 64 bytes start that are looked at.
    base: usize,
    /// Which of them are marks that are still to come.
    coming: u64,
}

impl<'a> Marks<'a> {
    fn new(bytes: &'a [u8], delimiter: u8) -> Self {
        Self::from(bytes, delimiter, 0)
    }

    /// The marks from `at` on.
    fn from(bytes: &'a [u8], delimiter: u8, at: usize) -> Self {
        let base = at - at % 64;
        let mut marks = Self { bytes, delimiter, base, coming: 0 };
        marks.coming = marks.look() & u64::MAX << (at % 64);
        marks
    }

    /// The next mark; the text's end, if there is none.
    #[inline]
    fn next(&mut self) -> usize {
        while self.coming == 0 {
            if self.base + 64 >= self.bytes.len() {
                return self.bytes.len();
            }
            self.base += 64;
            self.coming = self.look();
        }
        let mark = self.base + self.coming.trailing_zeros() as usize;
        self.coming &= self.coming - 1;
        mark
    }

    /// Makes the mark that came last come again.
    #[inline]
    fn again(&mut self, mark: usize) {
        self.coming |= 1 << (mark - self.base);
    }

    /// The marks of the 64 bytes at `base`, the first in the lowest bit.
    #[inline]
    fn look(&self) -> u64 {
        let rest = self.bytes.get(self.base..).unwrap_or_default();
        if let Some(chunk) = rest.first_chunk::<64>() {
            return marks_of(chunk, self.delimiter);
        }
        let mut padded = [0; 64];
        padded[..rest.len()].copy_from_slice(rest);
        marks_of(&padded, self.delimiter)
    }
}

/// One bit for each byte that is a mark. The compiler makes vectors of the comparisons; 85 instructions for 64 bytes.
#[inline]
fn marks_of(chunk: &[u8; 64], delimiter: u8) -> u64 {
    let mut hits = [0_u8; 64];
    for (hit, byte) in hits.iter_mut().zip(chunk) {
        *hit = u8::from(*byte == delimiter) | u8::from(*byte == b'\n') | u8::from(*byte == b'\r') | u8::from(*byte == b'"');
    }
    let mut marks = 0;
    for eight in hits.as_chunks::<8>().0.iter().rev() {
        // Gathers the lowest bit of each byte in the highest byte.
        marks = marks << 8 | u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    }
    marks
}

/// The reader of rows in which quotes hold quotes.
struct OddReader {
    core: csv_core::Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl OddReader {
    fn new(delimiter: u8) -> Self {
        let mut core = csv_core::ReaderBuilder::new().delimiter(delimiter).build();
        // It drops a byte order mark from the first text that it gets: now it got one.
        core.read_record(b"\n", &mut [0], &mut [0]);
        Self { core, text: vec![0; 1024], ends: vec![0; 32] }
    }

    /// Reads the row that starts a text; gives its length, with its line's end, and the text of its fields.
    fn read(&mut self, bytes: &[u8], fields: &mut Vec<Place>) -> (usize, &[u8]) {
        let (mut read, mut written, mut count) = (0, 0, 0);
        loop {
            let (result, more_read, more_written, more_ends) =
                self.core.read_record(&bytes[read..], &mut self.text[written..], &mut self.ends[count..]);
            read += more_read;
            written += more_written;
            count += more_ends;
            match result {
                csv_core::ReadRecordResult::InputEmpty => {}
                csv_core::ReadRecordResult::OutputFull => self.text.resize(self.text.len() * 2, 0),
                csv_core::ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                csv_core::ReadRecordResult::Record | csv_core::ReadRecordResult::End => break,
            }
        }
        let mut start = 0;
        for end in &self.ends[..count] {
            let end = u32::try_from(*end).unwrap_or(u32::MAX);
            fields.push((start, end));
            start = end;
        }
        (read, &self.text[..written])
    }
}
