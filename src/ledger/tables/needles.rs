//! Digits and words searched in columns of text, in their pages as they are stored: which rows of a
//! row group have them.
//!
//! ```text
//! column chunk ─▶ its pages, decompressed ─▶ memmem ─▶ the digits are there: the rows, by `text_pages`
//!                                              └─────▶ they are not: nothing is decoded
//! ```
//!
//! **Invariant:** a row that has a wanted text with the digits, one after the other, is always
//! found, or its column is named as one that is to be decoded.
//!
//! # Why
//! The columns of parties are written as texts one after the other, or as a dictionary of them
//! (`pages::texts`, `pages::dictionary`), and a text is never cut: of two equal neighbours the
//! second may be left out as a whole. So bytes that stand in a text stand so in its page. 1.2
//! million calls are searched in 0.06 CPU seconds, the hashes of their files included (six nights
//! of 200,000 rows).

use crate::catch_panic::guarded;
use crate::inputs::file::FileError;
use crate::ledger::error::{LedgerError, unread};
use crate::ledger::tables::file::{Footer, not_read};
use crate::ledger::tables::text_pages::{self, Needles};
use polars::prelude::{PolarsResult, polars_err};
use polars_parquet::parquet::metadata::ColumnChunkMetadata;
use polars_parquet::parquet::read::{BasicDecompressor, PageReader};
use std::fs::File;
use std::io::Cursor;
use std::os::unix::fs::FileExt;

/// More rows than these of a group are read by polars, which reads all of them at less a row.
pub(super) const GATHERED: usize = 1 << 12;

/// The rows of a row group that have a wanted text.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FoundRows<'c> {
    /// Rows, counted from the first of the group, ascending.
    pub rows: Vec<usize>,
    /// Columns that may have more, and are to be decoded.
    pub undecided: Vec<&'c str>,
}

impl FoundRows<'_> {
    /// True if they are all, and few enough to be gathered.
    #[must_use]
    pub fn are_few(&self) -> bool {
        self.undecided.is_empty() && self.rows.len() <= GATHERED
    }
}

impl Footer<'_> {
    /// The rows of a row group in which a column has a text that `is` wanted; each of those has one
    /// of the needles in it. A column that is stored like one before it has no other rows, and is
    /// left out.
    ///
    /// # Errors
    /// If the file cannot be read, or is corrupt.
    pub fn rows_with<'c>(
        &self,
        group: usize,
        columns: &[&'c str],
        needles: &Needles,
        is: &(dyn Fn(&str) -> bool + Sync),
    ) -> Result<FoundRows<'c>, LedgerError> {
        let (mut searched, mut found): (Vec<Vec<u8>>, FoundRows<'c>) = Default::default();
        for column in columns {
            let (chunk, bytes) = self.chunk(group, column)?;
            // The caller's number is mostly what the target was shown: the same bytes.
            if searched.contains(&bytes) {
                continue;
            }
            let rows = guarded(self.path(), || rows_in(chunk, bytes.clone(), needles, is));
            match rows.map_err(|e| not_read(self.path(), e))? {
                Some(rows) => found.rows.extend(rows),
                None => found.undecided.push(*column),
            }
            searched.push(bytes);
        }
        found.rows.sort_unstable();
        found.rows.dedup();
        Ok(found)
    }

    /// The different values of a text column in a row group, from its dictionary; `None` if it has
    /// none.
    ///
    /// # Errors
    /// If the file cannot be read, or is corrupt.
    pub fn dictionary(
        &self,
        group: usize,
        column: &str,
    ) -> Result<Option<Vec<String>>, LedgerError> {
        let (chunk, bytes) = self.chunk(group, column)?;
        let values = guarded(self.path(), || values_of(chunk, bytes));
        Ok(values.map_err(|e| not_read(self.path(), e))?)
    }

    /// A column of a row group, as it is stored.
    pub(super) fn chunk(
        &self,
        group: usize,
        column: &str,
    ) -> Result<(&ColumnChunkMetadata, Vec<u8>), LedgerError> {
        let path = self.path();
        let found = self.metadata().row_groups[group].columns_under_root_iter(column);
        let Some(chunk) = found.and_then(|mut found| found.next()) else {
            let error = FileError::new(path, format!("has no column {column}"));
            return Err(not_read(path, error).into());
        };
        let range = chunk.byte_range();
        let file = File::open(path).map_err(|e| not_read(path, unread(path, &e)))?;
        let size = file.metadata().map_err(|e| unread(path, &e))?.len();
        if range.end > size || range.start > range.end {
            let problem = format!("{column} ends at byte {}, and the file has {size}", range.end);
            return Err(not_read(path, FileError::new(path, problem)).into());
        }
        let length = crate::fit::must_fit(range.end - range.start, "a part of a file fits memory");
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, range.start).map_err(|e| unread(path, &e))?;
        Ok((chunk, bytes))
    }
}

pub(super) fn pages_of(chunk: &ColumnChunkMetadata, bytes: Vec<u8>) -> BasicDecompressor {
    let length = bytes.len();
    let reader = PageReader::new(Cursor::new(bytes.into()), chunk, Vec::new(), length);
    BasicDecompressor::new(reader, Vec::new())
}

/// The rows with a wanted text; `None` if the column is to be decoded.
fn rows_in(
    chunk: &ColumnChunkMetadata,
    bytes: Vec<u8>,
    needles: &Needles,
    is: &dyn Fn(&str) -> bool,
) -> PolarsResult<Option<Vec<usize>>> {
    let mut pages = pages_of(chunk, bytes);
    if pages.read_dict_page()?.is_some_and(|page| needles.are_in(&page.buffer)) {
        return Ok(None);
    }
    let (mut rows, mut first, mut is_known) = (Vec::new(), 0, true);
    while let Some(page) = pages.next() {
        let page = page?.decompress(&mut pages)?;
        if needles.are_in(page.buffer()) {
            is_known &= text_pages::rows_with(&page, needles, is, first, &mut rows)?;
        }
        first += page.num_values();
        pages.reuse_page_buffer(page);
        if !is_known {
            return Ok(None);
        }
    }
    Ok(Some(rows))
}

/// The values of a dictionary of texts.
fn values_of(chunk: &ColumnChunkMetadata, bytes: Vec<u8>) -> PolarsResult<Option<Vec<String>>> {
    let Some(page) = pages_of(chunk, bytes).read_dict_page()? else { return Ok(None) };
    let texts = texts_of(&page.buffer)?;
    Ok(Some(texts.into_iter().map(str::to_owned).collect()))
}

/// The texts of a dictionary: each follows its length, in four bytes.
pub(super) fn texts_of(dictionary: &[u8]) -> PolarsResult<Vec<&str>> {
    let (mut rest, mut values): (&[u8], Vec<&str>) = (dictionary, Vec::new());
    while let Some((length, after)) = rest.split_first_chunk() {
        let length = u32::from_le_bytes(*length) as usize;
        let (value, others) = after
            .split_at_checked(length)
            .ok_or_else(|| polars_err!(ComputeError: "a value of a dictionary is cut off"))?;
        let value = str::from_utf8(value)
            .map_err(|e| polars_err!(ComputeError: "a value of a dictionary is no text: {e}"))?;
        values.push(value);
        rest = others;
    }
    Ok(values)
}
