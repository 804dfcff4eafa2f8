//! Some rows of a row group, gathered from its pages: of a column only those rows become values.
//!
//! ```text
//! rows ─▶ of each column: its page ─▶ places among its values, by the levels ─▶ those values
//! ```
//!
//! **Invariant:** the frame is what polars reads of these rows. Pages that [`super::pages`] does
//! not write are left to polars.
//!
//! # Why
//! A number that a row group has in thirty rows made polars decode nineteen columns of 65,536 rows:
//! 25 ms of CPU, a fifth of it for memory that the system had to clear. Here the pages are
//! decompressed, which is most of what is left, and thirty values of each are read.

use super::columns::ColumnType;
use super::file::{Footer, not_read};
use super::frame::{self, TextsBuilder};
use super::needles::{GATHERED, pages_of, texts_of};
use super::text_pages::{corrupt, deltas};
use crate::catch_panic::guarded;
use crate::ledger::error::LedgerError;
use polars::prelude::{Column, DataFrame, PolarsResult};
use polars_parquet::parquet::encoding::Encoding;
use polars_parquet::parquet::encoding::hybrid_rle::HybridRleDecoder;
use polars_parquet::parquet::metadata::ColumnChunkMetadata;
use polars_parquet::parquet::page::{DataPage, split_buffer};

/// A value of a column, or null.
#[derive(Debug, Clone, PartialEq, Eq)]
enum GatheredCell {
    Null,
    Text(String),
    Number(i64),
}

impl Footer<'_> {
    /// Some rows of a row group, counted from its first, in ascending order; `None` if they are
    /// many, or written in another way than ours.
    ///
    /// # Errors
    /// If the file cannot be read, or is corrupt.
    pub fn gathered(
        &self,
        columns: &[(&str, ColumnType)],
        group: usize,
        rows: &[usize],
    ) -> Result<Option<DataFrame>, LedgerError> {
        if rows.len() > GATHERED {
            return Ok(None);
        }
        assert!(rows.is_sorted(), "levels are counted from one row to the next");
        let mut frame = Vec::with_capacity(columns.len());
        for (name, kind) in columns {
            let (chunk, bytes) = self.chunk(group, name)?;
            let cells = guarded(self.path(), || cells_of(chunk, bytes, rows));
            let Some(cells) = cells.map_err(|e| not_read(self.path(), e))? else {
                return Ok(None);
            };
            let Some(column) = column_of(name, *kind, cells) else { return Ok(None) };
            assert_eq!(column.len(), rows.len(), "a column has a cell for each wanted row");
            frame.push(column);
        }
        Ok(Some(frame::frame_of(frame)))
    }
}

/// Cells as a column of their type; `None` if one has another type.
fn column_of(name: &str, kind: ColumnType, cells: Vec<GatheredCell>) -> Option<Column> {
    if kind == ColumnType::Text {
        let mut texts = TextsBuilder::new(name, cells.len());
        for cell in cells {
            match cell {
                GatheredCell::Null => texts.push_str(""),
                GatheredCell::Text(text) => texts.push_str(&text),
                GatheredCell::Number(_) => return None,
            }
        }
        return Some(texts.finish());
    }
    let number = |cell: GatheredCell| match cell {
        GatheredCell::Null => Some(None),
        GatheredCell::Number(number) => Some(Some(number)),
        GatheredCell::Text(_) => None,
    };
    let numbers: Vec<Option<i64>> = cells.into_iter().map(number).collect::<Option<_>>()?;
    Some(match kind {
        ColumnType::Integer => frame::optional_integers(name, numbers),
        ColumnType::Instant => frame::times(name, numbers),
        ColumnType::Decimal(scale) => frame::decimals(name, numbers, scale),
        ColumnType::Text | ColumnType::Flag => return None,
    })
}

/// The cells of some rows of a column; `None` if it is written in another way than ours.
fn cells_of(
    chunk: &ColumnChunkMetadata,
    bytes: Vec<u8>,
    rows: &[usize],
) -> PolarsResult<Option<Vec<GatheredCell>>> {
    let mut pages = pages_of(chunk, bytes);
    let dictionary = pages.read_dict_page()?.map(|page| page.buffer.to_vec());
    let Some(page) = pages.next() else { return Ok(None) };
    let page = page?.decompress(&mut pages)?;
    if pages.next().is_some() {
        return Ok(None);
    }
    let parts = split_buffer(&page)?;
    let places = places_of(&page, parts.def, rows)?;
    let values: Vec<usize> = places.iter().flatten().copied().collect();
    let found = match page.encoding() {
        _ if values.is_empty() => Some(Vec::new()),
        Encoding::RleDictionary => {
            let Some(dictionary) = dictionary else { return Ok(None) };
            of_dictionary(&dictionary, parts.values, &page, &values, is_text(chunk))?
        }
        Encoding::DeltaBinaryPacked => {
            let (numbers, _) = deltas(parts.values)?;
            let number = |value: &usize| numbers.get(*value).copied().map(GatheredCell::Number);
            Some(all_of(values.iter().map(number).collect())?)
        }
        Encoding::DeltaLengthByteArray => {
            let (lengths, bytes) = deltas(parts.values)?;
            Some(texts_at(&[], &lengths, bytes, &values)?)
        }
        Encoding::DeltaByteArray => {
            let (prefixes, rest) = deltas(parts.values)?;
            let (suffixes, bytes) = deltas(rest)?;
            if prefixes.len() != suffixes.len() {
                return Err(corrupt("has not as many prefixes as texts"));
            }
            Some(texts_at(&prefixes, &suffixes, bytes, &values)?)
        }
        _ => None,
    };
    let Some(found) = found else { return Ok(None) };
    assert_eq!(found.len(), values.len(), "each place has one value");
    let mut found = found.into_iter();
    let cell = |place: Option<usize>| match place {
        None => Ok(GatheredCell::Null),
        Some(_) => found.next().ok_or_else(|| corrupt("lacks a value")),
    };
    Ok(Some(places.into_iter().map(cell).collect::<PolarsResult<_>>()?))
}

fn is_text(chunk: &ColumnChunkMetadata) -> bool {
    use polars_parquet::parquet::schema::types::PhysicalType;
    chunk.physical_type() == PhysicalType::ByteArray
}

fn all_of(cells: Option<Vec<GatheredCell>>) -> PolarsResult<Vec<GatheredCell>> {
    cells.ok_or_else(|| corrupt("has fewer values than rows with one"))
}

/// The place of each row's value among the values of a page; `None` for null.
fn places_of(page: &DataPage, def: &[u8], rows: &[usize]) -> PolarsResult<Vec<Option<usize>>> {
    let count = page.num_values();
    if rows.iter().any(|row| *row >= count) {
        return Err(corrupt("has fewer rows than its group"));
    }
    if page.null_count() == Some(0) {
        return Ok(rows.iter().copied().map(Some).collect());
    }
    let levels = HybridRleDecoder::new(def, 1, count).collect()?;
    if levels.len() != count {
        return Err(corrupt("has fewer levels than rows"));
    }
    let (mut places, mut before, mut at) = (Vec::with_capacity(rows.len()), 0, 0);
    for row in rows {
        before += levels[at..*row].iter().filter(|level| **level == 1).count();
        at = *row;
        places.push((levels[*row] == 1).then_some(before));
    }
    Ok(places)
}

/// Values by their places in a dictionary.
fn of_dictionary(
    dictionary: &[u8],
    values: &[u8],
    page: &DataPage,
    wanted: &[usize],
    is_text: bool,
) -> PolarsResult<Option<Vec<GatheredCell>>> {
    let Some((width, packed)) = values.split_first() else { return Ok(None) };
    let count = page.num_values() - page.null_count().unwrap_or(0);
    let places = HybridRleDecoder::new(packed, u32::from(*width), count).collect()?;
    if !is_text {
        let (numbers, cut) = dictionary.as_chunks::<8>();
        if !cut.is_empty() {
            return Ok(None);
        }
        let number = |value: &usize| {
            let place = *places.get(*value)? as usize;
            numbers.get(place).map(|bytes| GatheredCell::Number(i64::from_le_bytes(*bytes)))
        };
        return Ok(Some(all_of(wanted.iter().map(number).collect())?));
    }
    let texts = texts_of(dictionary)?;
    let text = |value: &usize| {
        let place = *places.get(*value)? as usize;
        texts.get(place).map(|text| GatheredCell::Text((*text).to_owned()))
    };
    Ok(Some(all_of(wanted.iter().map(text).collect())?))
}

/// Some of many texts, each of which begins with a part of the one before; without prefixes each is
/// whole.
fn texts_at(
    prefixes: &[i64],
    suffixes: &[i64],
    bytes: &[u8],
    wanted: &[usize],
) -> PolarsResult<Vec<GatheredCell>> {
    let number =
        |length: i64| usize::try_from(length).map_err(|_| corrupt("has a length that cannot be"));
    let prefix_at = |value: usize| prefixes.get(value).map_or(Ok(0), |prefix| number(*prefix));
    let mut found = Vec::with_capacity(wanted.len());
    // As much of the text before as the next one begins with.
    let (mut before, mut at) = (Vec::new(), 0_usize);
    let mut wanted = wanted.iter().copied().peekable();
    for (value, suffix) in suffixes.iter().enumerate() {
        let Some(next) = wanted.peek() else { break };
        let (prefix, end) = (prefix_at(value)?, at.checked_add(number(*suffix)?));
        let own = end.and_then(|end| bytes.get(at..end));
        let own = own.ok_or_else(|| corrupt("has texts that are cut off"))?;
        at += own.len();
        if prefix > before.len() {
            return Err(corrupt("has a prefix longer than the text before"));
        }
        if value == *next {
            let text = [&before[..prefix], own].concat();
            let text = String::from_utf8(text);
            found.push(GatheredCell::Text(
                text.map_err(|_| corrupt("has a text that is no UTF-8"))?,
            ));
            wanted.next();
        }
        let kept = prefix_at(value + 1)?;
        if kept > prefix + own.len() {
            return Err(corrupt("has a prefix longer than the text before"));
        }
        before.truncate(prefix.min(kept));
        before.extend_from_slice(&own[..kept.saturating_sub(prefix)]);
    }
    if wanted.peek().is_some() {
        return Err(corrupt("has fewer values than rows with one"));
    }
    Ok(found)
}
