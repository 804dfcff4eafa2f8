//! The amounts of a row group of legs, added up from its pages: no row is made.
//!
//! **Invariant:** a sum is that of the values which polars reads. Pages that [`super::pages`] does
//! not write for amounts in one currency are left to polars.
//!
//! # Why
//! A run adds its legs up a second time, from the files that it wrote. polars makes a text of each
//! leg's currency, and a column of its amount, in memory that the system has to clear first.

use super::file::{Footer, not_read};
use super::needles::{pages_of, texts_of};
use super::text_pages::deltas;
use crate::catch_panic::guarded;
use crate::ledger::error::LedgerError;
use polars::prelude::PolarsResult;
use polars_parquet::parquet::encoding::Encoding;
use polars_parquet::parquet::encoding::hybrid_rle::{HybridRleChunk, HybridRleDecoder};
use polars_parquet::parquet::metadata::ColumnChunkMetadata;
use polars_parquet::parquet::page::{DataPage, split_buffer};

impl Footer<'_> {
    /// The currency of all legs of a row group, and the sum of their amounts; `None` if they have
    /// several currencies, or are not written as ours.
    ///
    /// # Errors
    /// If the file cannot be read, or is corrupt.
    pub(super) fn sum_of_amounts(
        &self,
        group: usize,
    ) -> Result<Option<(String, i128)>, LedgerError> {
        let rows = self.metadata().row_groups[group].num_rows();
        let (currencies, amounts) = (self.chunk(group, "currency")?, self.chunk(group, "amount")?);
        let sum = guarded(self.path(), || {
            let Some(currency) = only_text(currencies.0, currencies.1, rows)? else {
                return Ok(None);
            };
            Ok(sum(amounts.0, amounts.1, rows)?.map(|sum| (currency, sum)))
        });
        Ok(sum.map_err(|e| not_read(self.path(), e))?)
    }
}

/// The text that is in every row of a column, if its dictionary has no other.
fn only_text(
    chunk: &ColumnChunkMetadata,
    bytes: Vec<u8>,
    rows: usize,
) -> PolarsResult<Option<String>> {
    let mut pages = pages_of(chunk, bytes);
    let Some(dictionary) = pages.read_dict_page()? else { return Ok(None) };
    let texts = texts_of(&dictionary.buffer)?;
    let ([text], Some(page)) = (texts.as_slice(), pages.next()) else { return Ok(None) };
    let page = page?.decompress(&mut pages)?;
    if page.encoding() != Encoding::RleDictionary || !has_all(&page, rows) {
        return Ok(None);
    }
    let Some((width, packed)) = split_buffer(&page)?.values.split_first() else { return Ok(None) };
    let mut places = HybridRleDecoder::new(packed, u32::from(*width), rows);
    let is_first =
        matches!(places.next_chunk()?, Some(HybridRleChunk::Rle(0, length)) if length == rows);
    Ok(is_first.then(|| (*text).to_owned()))
}

/// The sum of the integers of a column.
fn sum(chunk: &ColumnChunkMetadata, bytes: Vec<u8>, rows: usize) -> PolarsResult<Option<i128>> {
    let mut pages = pages_of(chunk, bytes);
    if pages.read_dict_page()?.is_some() {
        return Ok(None);
    }
    let Some(page) = pages.next() else { return Ok(None) };
    let page = page?.decompress(&mut pages)?;
    if page.encoding() != Encoding::DeltaBinaryPacked || !has_all(&page, rows) {
        return Ok(None);
    }
    let (amounts, _) = deltas(split_buffer(&page)?.values)?;
    let sum = amounts.iter().map(|amount| i128::from(*amount)).sum();
    Ok((amounts.len() == rows).then_some(sum))
}

/// True if a page has a value in every row of its group.
fn has_all(page: &DataPage, rows: usize) -> bool {
    page.num_values() == rows && page.null_count() == Some(0)
}
