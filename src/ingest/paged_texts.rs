//! A text column of a row group, read page by page, a few cells at a time.
//!
//! ```text
//! chunk ─▶ page, decompressed ─▶ levels: is there a value? ─┐
//!                                plain: length, text …      ├─▶ cells: places in the page,
//!                                codes, run by run          ┘          or in the dictionary
//! ```
//!
//! **Invariant:** the texts are those that polars reads. What is written in another way than plain
//! or by dictionary, or is not as it should be, is `None`: then polars reads it, and says what is
//! wrong.
//!
//! # Why
//! polars makes a view of 16 bytes of each cell, and keeps the pages of all columns until their
//! rows are read: 28 MiB for 131,072 calls, twice with two cores. Here a column is one page, which
//! is read from its beginning to its end while it is in the cache.

use crate::call::NONE;
use crate::fit::must_fit;
use crate::inputs::calls_csv::count_byte;
use polars_parquet::parquet::encoding::Encoding;
use polars_parquet::parquet::metadata::ColumnChunkMetadata;
use polars_parquet::parquet::page::{DataPage, split_buffer};
use polars_parquet::parquet::read::{BasicDecompressor, PageReader};
use polars_parquet::parquet::schema::types::PhysicalType;
use std::io::Cursor;

/// The number of cells that are taken at a time: the fields of so many records stay in the cache.
pub(super) const AT_ONCE: usize = 1 << 6;

/// A text of fewer bytes has a length, in four bytes before it, that is four ASCII characters: then
/// texts are checked together with their lengths.
const SHORT: usize = 1 << 7;

/// A place in a page, in a dictionary or in texts that were copied.
#[derive(Debug, Clone, Copy, Default)]
struct CellPlace {
    start: u32,
    end: u32,
}

impl CellPlace {
    fn of(start: usize, end: usize) -> Self {
        let place = |at: usize| must_fit(at, "a page is shorter than 4 GiB");
        Self { start: place(start), end: place(end) }
    }
}

/// A text column of a row group.
pub(super) struct PagedTexts {
    pages: BasicDecompressor,
    dictionary: PageDictionary,
    page: Option<DataPage>,
    /// The number of cells of the page that are not taken yet.
    left: usize,
    /// The levels of the page, if a cell may be empty.
    levels: Option<HybridRuns>,
    values: PageValues,
    /// The rows that were taken last and have a value, a bit each.
    present: u64,
    /// Their cells, and the places of those in the dictionary, if they are from there.
    cells: [CellPlace; AT_ONCE],
    codes: [u32; AT_ONCE],
    source: TextSource,
    /// Texts of a page with long ones among them.
    copied: String,
    has_nul: bool,
    /// The bytes of all texts so far.
    bytes: u64,
}

/// The values of a page that are not taken yet.
#[derive(Debug, Clone, Copy)]
enum PageValues {
    /// Each after its length; they go on at a place in the page.
    Plain(usize),
    Codes(HybridRuns),
}

/// Where the cells that were taken last have their texts.
#[derive(Debug, Clone, Copy)]
enum TextSource {
    /// In a part of the page.
    Page(usize, usize),
    Dictionary,
    Copied,
}

/// The texts of a dictionary.
#[derive(Default)]
struct PageDictionary {
    texts: String,
    cells: Vec<CellPlace>,
    has_nul: bool,
}

impl PageDictionary {
    fn of(bytes: &[u8], count: usize) -> Option<Self> {
        let mut dictionary = Self { texts: String::with_capacity(bytes.len()), ..Self::default() };
        let mut at = 0;
        while at < bytes.len() {
            let (start, end) = plain_text(bytes, at)?;
            let text = str::from_utf8(&bytes[start..end]).ok()?;
            let from = dictionary.texts.len();
            dictionary.texts.push_str(text);
            dictionary.cells.push(CellPlace::of(from, dictionary.texts.len()));
            at = end;
        }
        dictionary.has_nul = memchr::memchr(0, dictionary.texts.as_bytes()).is_some();
        (dictionary.cells.len() == count).then_some(dictionary)
    }
}

/// The texts of the cells that were taken last.
#[derive(Debug, Clone, Copy)]
pub(super) struct CellTexts<'a> {
    text: &'a str,
    present: u64,
    cells: &'a [CellPlace; AT_ONCE],
    codes: &'a [u32; AT_ONCE],
    /// The number of texts in the dictionary.
    pub(super) entries: usize,
    /// True if one of them may hold a NUL.
    pub(super) has_nul: bool,
}

impl<'a> CellTexts<'a> {
    /// The rows that have a value, each with its text.
    #[inline]
    pub(super) fn iter(self) -> impl Iterator<Item = (usize, &'a str)> {
        let all = self.text;
        let text = move |cell: &CellPlace| &all[cell.start as usize..cell.end as usize];
        set_bits(self.present).zip(self.cells.iter().map(text))
    }

    /// The rows that have a value, each with the number of its text in the dictionary; [`NONE`] if
    /// the text is not from there.
    pub(super) fn codes(self) -> impl Iterator<Item = (usize, u32)> {
        set_bits(self.present).zip(self.codes.iter().copied())
    }
}

/// The places of the bits that are set, from the lowest up.
#[inline]
fn set_bits(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = (bits != 0).then(|| bits.trailing_zeros() as usize);
        bits &= bits.wrapping_sub(1);
        place
    })
}

/// So many bits that are set, 1 to 64.
fn ones(count: usize) -> u64 {
    u64::MAX >> (AT_ONCE - count)
}

impl PagedTexts {
    /// Opens a column of a row group; `bytes` are those of its chunk.
    pub(super) fn open(chunk: &ColumnChunkMetadata, bytes: Vec<u8>) -> Option<Self> {
        let descriptor = &chunk.descriptor().descriptor;
        let is_flat = descriptor.max_rep_level == 0 && descriptor.max_def_level <= 1;
        if !is_flat || descriptor.primitive_type.physical_type != PhysicalType::ByteArray {
            return None;
        }
        let length = bytes.len();
        let reader = PageReader::new(Cursor::new(bytes.into()), chunk, Vec::new(), length);
        let mut pages = BasicDecompressor::new(reader, Vec::new());
        let dictionary = match pages.read_dict_page().ok()? {
            Some(page) => PageDictionary::of(&page.buffer, page.num_values)?,
            None => PageDictionary::default(),
        };
        Some(Self {
            pages,
            dictionary,
            page: None,
            left: 0,
            levels: (descriptor.max_def_level == 1).then(HybridRuns::default),
            values: PageValues::Plain(0),
            present: 0,
            cells: [CellPlace::default(); AT_ONCE],
            codes: [NONE; AT_ONCE],
            source: TextSource::Dictionary,
            copied: String::new(),
            has_nul: false,
            bytes: 0,
        })
    }

    /// The bytes of all texts that were taken.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Passes over some rows.
    pub(super) fn skip(&mut self, mut rows: usize) -> Option<()> {
        while rows > 0 {
            while self.left == 0 {
                let page = self.pages.next()?.ok()?;
                if page.num_values() <= rows {
                    // Nothing of it is wanted: it is not decompressed.
                    rows -= page.num_values();
                    if rows == 0 {
                        return Some(());
                    }
                } else {
                    let page = page.decompress(&mut self.pages).ok()?;
                    self.begin(page)?;
                }
            }
            let now = rows.min(self.left).min(AT_ONCE);
            self.take(now)?;
            rows -= now;
        }
        self.bytes = 0;
        Some(())
    }

    /// The number of rows that can be taken from the open page; opens the next one if none is left.
    pub(super) fn left(&mut self) -> Option<usize> {
        while self.left == 0 {
            let page = self.pages.next()?.ok()?.decompress(&mut self.pages).ok()?;
            self.begin(page)?;
        }
        Some(self.left)
    }

    fn begin(&mut self, page: DataPage) -> Option<()> {
        if let Some(before) = self.page.take() {
            self.pages.reuse_page_buffer(before);
        }
        if page.definition_level_encoding() != Encoding::Rle {
            return None;
        }
        let parts = split_buffer(&page).ok()?;
        let end = page.buffer().len();
        let values = end - parts.values.len();
        if let Some(levels) = &mut self.levels {
            *levels = HybridRuns::new(values - parts.def.len(), values, 1);
        }
        self.values = match page.encoding() {
            Encoding::Plain => PageValues::Plain(values),
            Encoding::PlainDictionary | Encoding::RleDictionary => {
                let width = parts.values.first().copied().map_or(0, usize::from);
                PageValues::Codes(HybridRuns::new(end.min(values + 1), end, width))
            }
            _ => return None,
        };
        self.left = page.num_values();
        self.page = Some(page);
        Some(())
    }

    /// Takes the next cells, no more than are left in the page.
    pub(super) fn take(&mut self, rows: usize) -> Option<()> {
        assert!(
            (1..=AT_ONCE).contains(&rows) && rows <= self.left,
            "cells are taken from one page, no more than there are bits"
        );
        let page = self.page.as_ref()?.buffer();
        self.present = match &mut self.levels {
            Some(levels) => levels.take_bits(page, rows)?,
            None => ones(rows),
        };
        let count = self.present.count_ones() as usize;
        self.left -= rows;
        let (cells, codes) = (&mut self.cells[..count], &mut self.codes[..count]);
        match &mut self.values {
            PageValues::Codes(runs) => {
                runs.take(page, codes)?;
                for (cell, code) in cells.iter_mut().zip(&*codes) {
                    *cell = *self.dictionary.cells.get(*code as usize)?;
                }
                (self.source, self.has_nul) = (TextSource::Dictionary, self.dictionary.has_nul);
            }
            PageValues::Plain(at) => {
                codes.fill(NONE);
                let (first, mut longest, mut nuls) = (*at, 0, 0);
                for cell in &mut *cells {
                    let (start, end) = plain_text(page, *at)?;
                    *cell = CellPlace::of(start - first, end - first);
                    longest = longest.max(end - start);
                    // The length of a short text has so many bytes that are 0.
                    nuls += if start == end { 4 } else { 3 };
                    *at = end;
                }
                if longest < SHORT {
                    self.source = TextSource::Page(first, *at);
                    self.has_nul = count_byte(0, &page[first..*at]) != nuls;
                } else {
                    self.copied.clear();
                    for cell in &mut *cells {
                        let bytes = &page[first..][cell.start as usize..cell.end as usize];
                        let start = self.copied.len();
                        self.copied.push_str(str::from_utf8(bytes).ok()?);
                        *cell = CellPlace::of(start, self.copied.len());
                    }
                    self.source = TextSource::Copied;
                    self.has_nul = memchr::memchr(0, self.copied.as_bytes()).is_some();
                }
            }
        }
        self.bytes += cells.iter().map(|cell| u64::from(cell.end - cell.start)).sum::<u64>();
        Some(())
    }

    /// The texts of the cells that were taken last.
    pub(super) fn texts(&self) -> Option<CellTexts<'_>> {
        let text = match self.source {
            TextSource::Page(start, end) => {
                str::from_utf8(&self.page.as_ref()?.buffer()[start..end]).ok()?
            }
            TextSource::Dictionary => &self.dictionary.texts,
            TextSource::Copied => &self.copied,
        };
        let entries = self.dictionary.cells.len();
        let Self { present, cells, codes, has_nul, .. } = self;
        Some(CellTexts { text, present: *present, cells, codes, entries, has_nul: *has_nul })
    }
}

/// The place of a text, whose length begins at `at`.
#[inline]
fn plain_text(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let length = u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?);
    let (start, end) = (at + 4, at + 4 + length as usize);
    (end <= bytes.len()).then_some((start, end))
}

/// Runs of numbers: one that is repeated, or some that are packed side by side.
#[derive(Debug, Clone, Copy, Default)]
struct HybridRuns {
    /// The beginning of the next run in the page, and the end of all.
    at: usize,
    end: usize,
    /// The bits of a number.
    width: usize,
    run: HybridRun,
    /// The numbers of the open run that are not taken yet.
    left: usize,
}

#[derive(Debug, Clone, Copy)]
enum HybridRun {
    Repeated(u32),
    /// They go on at a bit of the page.
    Packed(usize),
}

impl Default for HybridRun {
    fn default() -> Self {
        Self::Repeated(0)
    }
}

impl HybridRuns {
    fn new(at: usize, end: usize, width: usize) -> Self {
        // Numbers without bits are all 0.
        Self {
            at,
            end,
            width,
            run: HybridRun::Repeated(0),
            left: if width == 0 { usize::MAX } else { 0 },
        }
    }

    fn take(&mut self, page: &[u8], mut numbers: &mut [u32]) -> Option<()> {
        while !numbers.is_empty() {
            while self.left == 0 {
                self.open(page)?;
            }
            let now = numbers.len().min(self.left);
            let (own, later) = std::mem::take(&mut numbers).split_at_mut(now);
            match &mut self.run {
                HybridRun::Repeated(number) => own.fill(*number),
                HybridRun::Packed(bit) => {
                    let mask = (1 << self.width) - 1;
                    for number in own {
                        let value = eight_bytes(page, *bit / 8)? >> (*bit % 8) & mask;
                        *number = must_fit(value, "a number has at most 32 bits");
                        *bit += self.width;
                    }
                }
            }
            self.left -= now;
            numbers = later;
        }
        Some(())
    }

    /// Takes levels, up to 64: a bit each.
    fn take_bits(&mut self, page: &[u8], count: usize) -> Option<u64> {
        let (mut bits, mut at) = (0, 0);
        while at < count {
            while self.left == 0 {
                self.open(page)?;
            }
            // Eight bytes have 57 bits, if the first is the last bit of its byte.
            let now = (count - at).min(self.left).min(57);
            let own = match &mut self.run {
                HybridRun::Repeated(0) => 0,
                HybridRun::Repeated(1) => u64::MAX,
                HybridRun::Repeated(_) => return None,
                HybridRun::Packed(bit) => {
                    let value = eight_bytes(page, *bit / 8)? >> (*bit % 8);
                    *bit += now;
                    value
                }
            };
            bits |= (own & ones(now)) << at;
            self.left -= now;
            at += now;
        }
        Some(bits)
    }

    #[cold]
    fn open(&mut self, page: &[u8]) -> Option<()> {
        let bytes = page.get(self.at..self.end)?;
        let (mut header, mut length) = (0, 0);
        loop {
            let byte = *bytes.get(length)?;
            header |= u64::from(byte & 0x7f).checked_shl(7 * must_fit::<_, u32>(length, "five"))?;
            length += 1;
            if byte & 0x80 == 0 {
                break;
            }
            if length == 5 {
                return None;
            }
        }
        self.at += length;
        let count = usize::try_from(header >> 1).ok()?;
        if self.width > 32 {
            return None;
        }
        let taken = if header & 1 == 1 {
            self.run = HybridRun::Packed(self.at * 8);
            self.left = count * 8;
            count * self.width
        } else {
            let width = self.width.div_ceil(8);
            let mut number = [0; 4];
            number[..width].copy_from_slice(page.get(self.at..self.at + width)?);
            self.run = HybridRun::Repeated(u32::from_le_bytes(number));
            self.left = count;
            width
        };
        self.at += taken;
        // A last run that is cut short is left to polars.
        (self.at <= self.end).then_some(())
    }
}

/// Eight bytes of a page as a number, the first in its lowest bits; 0 for those past the end.
#[inline]
fn eight_bytes(page: &[u8], at: usize) -> Option<u64> {
    let bytes = page.get(at..)?;
    Some(bytes.first_chunk().map_or_else(|| last_bytes(bytes), |bytes| u64::from_le_bytes(*bytes)))
}

#[cold]
fn last_bytes(bytes: &[u8]) -> u64 {
    let mut eight = [0; 8];
    let length = bytes.len().min(8);
    eight[..length].copy_from_slice(&bytes[..length]);
    u64::from_le_bytes(eight)
}
