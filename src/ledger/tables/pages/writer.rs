//! Columns as pages, and pages as a file.

use super::encode::{self, Present, TextPlaces};
use super::schema::{NONE, TableSchema};
use super::{frames, scratch};
use crate::fit::must_fit;
use polars::error::PolarsResult;
use polars_parquet::parquet::compression::Compression;
use polars_parquet::parquet::encoding::Encoding;
use polars_parquet::parquet::metadata::ColumnDescriptor;
use polars_parquet::parquet::page::{
    CompressedDataPage, CompressedDictPage, CompressedPage, DataPageHeader, DataPageHeaderV2,
};
use polars_parquet::parquet::schema::types::PhysicalType;
use polars_parquet::parquet::statistics::ParquetStatistics;
use polars_parquet::parquet::write::{
    DynIter, DynStreamingIterator, FileWriter, Version, WriteOptions,
};
use polars_parquet::parquet::{CowBuffer, error::ParquetError};
use polars_parquet::write::fallible_streaming_iterator::convert;
use std::cell::Cell;
use std::io::Write;

/// The bytes of a page, and their number before compression.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    pub(crate) bytes: Vec<u8>,
    pub(crate) raw: usize,
    pub(crate) compressed: bool,
}

/// A column of a row group, as it goes into the file.
#[derive(Debug, Clone)]
pub struct Encoded {
    pub(crate) rows: usize,
    pub(crate) nulls: usize,
    pub(crate) text: bool,
    /// The values that ids denote, and their number.
    pub(crate) dictionary: Option<(Packed, usize)>,
    /// Definition levels and values.
    pub(crate) data: Packed,
    /// The number of bytes of the definition levels.
    pub(crate) levels: usize,
    pub(crate) encoding: Encoding,
    /// The least and greatest of integers.
    pub(crate) range: Option<(i64, i64)>,
}

impl Encoded {
    /// The number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn new(present: &Present, content: Content<'_>) -> Self {
        let mut bytes = Vec::new();
        present.levels(&mut bytes);
        let levels = bytes.len();
        let (encoding, text, mut values, tail, dictionary) = match content {
            Content::Nothing { text } => (Encoding::Plain, text, Vec::new(), None, None),
            Content::Texts { head, tail, encoding } => (encoding, true, head, Some(tail), None),
            Content::Integers(values) => (Encoding::DeltaBinaryPacked, false, values, None, None),
            Content::Places { places, text, dictionary } => {
                (Encoding::RleDictionary, text, places, None, Some(dictionary))
            }
        };
        let raw = levels + values.len() + tail.as_ref().map_or(0, Tail::len);
        let compressed = match tail {
            Some(Tail::Text(text)) => encode::compress_texts(&mut bytes, &mut values, text),
            Some(Tail::Ids(ids)) => {
                frames::hex(&mut bytes, &values, ids);
                true
            }
            None => encode::compress_packed(&mut bytes, &values),
        };
        if !compressed {
            bytes.reserve_exact(values.len());
            bytes.extend_from_slice(&values);
        }
        let data = Packed { bytes, raw, compressed };
        scratch::recycle(values);
        let dictionary = dictionary.map(|Dictionary { values, count }| {
            let mut bytes = Vec::new();
            // A column has one codec, and only a data page can be marked as not compressed.
            let compressed = encode::compress_dictionary(&mut bytes, &values, data.compressed);
            if !compressed {
                bytes.extend_from_slice(&values);
            }
            let raw = values.len();
            scratch::recycle(values);
            (Packed { bytes, raw, compressed }, count)
        });
        Self {
            rows: present.rows,
            nulls: present.rows - present.count,
            text,
            dictionary,
            data,
            levels,
            encoding,
            range: None,
        }
    }
}

/// Values as Parquet encodes them, before compression.
pub(crate) enum Content<'a> {
    /// All rows are null.
    Nothing {
        text: bool,
    },
    /// Lengths, and the texts that they belong to.
    Texts {
        head: Vec<u8>,
        tail: Tail<'a>,
        encoding: Encoding,
    },
    Integers(Vec<u8>),
    Places {
        places: Vec<u8>,
        text: bool,
        dictionary: Dictionary,
    },
}

/// The bytes of texts.
pub(crate) enum Tail<'a> {
    Text(&'a [u8]),
    /// 32 hex digits each.
    Ids(&'a [u128]),
}

impl Tail<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Ids(ids) => ids.len() * frames::DIGITS,
        }
    }
}

/// The values that places denote, and their number.
pub(crate) struct Dictionary {
    values: Vec<u8>,
    count: usize,
}

impl Dictionary {
    fn integers(integers: &[i64]) -> Self {
        let mut values = scratch::buffer();
        values.extend(integers.iter().flat_map(|value| value.to_le_bytes()));
        Self { values, count: integers.len() }
    }
}

thread_local! {
    /// By id: its place in the dictionary, or [`NONE`]. Left filled with [`NONE`] after use:
    /// refilling it for all rates in each row group costs more than encoding the ids.
    static PLACES: Cell<Vec<u32>> = const { Cell::new(Vec::new()) };
}

/// Numbers ids by first use: the used ids, and for each row with a value its place among them.
fn by_first_use(ids: &[u32], count_of_ids: usize) -> (Vec<u32>, Vec<u32>) {
    let mut places = PLACES.take();
    if places.len() < count_of_ids {
        places.resize(count_of_ids, NONE);
    }
    let mut used = Vec::new();
    let mut place_of = |id: u32| {
        let place = &mut places[id as usize];
        if *place == NONE {
            *place = u32::try_from(used.len()).expect("no more ids than a u32 counts");
            used.push(id);
        }
        *place
    };
    // The number of rows is known beforehand only if none is filtered out.
    let rows: Vec<u32> = if ids.contains(&NONE) {
        ids.iter().filter(|id| **id != NONE).map(|id| place_of(*id)).collect()
    } else {
        ids.iter().map(|id| place_of(*id)).collect()
    };
    for id in &used {
        places[*id as usize] = NONE;
    }
    PLACES.set(places);
    assert!(used.len() <= rows.len() && rows.len() <= ids.len(), "what is used has a row");
    (used, rows)
}

/// Encodes places in a dictionary of `count`, as the page holds them.
fn places(rows: &[u32], count: usize) -> Vec<u8> {
    let width = encode::width(
        must_fit::<_, u32>(count, "a dictionary is counted in 32 bits").saturating_sub(1),
    )
    .max(1);
    let mut values = scratch::buffer();
    assert!(values.is_empty(), "a buffer that was given back is empty");
    values.push(width.to_le_bytes()[0]);
    encode::hybrid(&mut values, rows, width);
    values
}

fn append_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&u32::try_from(text.len()).expect("a text below 4 GiB").to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// Texts that repeat: for each row an id below `count_of_ids`, or [`NONE`]. Only used texts are
/// written, in the order of their first use, and twice if they have two ids. An empty text is null.
///
/// # Panics
/// If an id is not below `count_of_ids`.
#[must_use]
pub fn dictionary<'a>(ids: &[u32], count_of_ids: usize, text: impl Fn(u32) -> &'a str) -> Encoded {
    let (used, rows) = by_first_use(ids, count_of_ids);
    if used.len() > most_distinct(rows.len()) {
        let mut column = TextColumn {
            lengths: Vec::with_capacity(ids.len()),
            bytes: scratch::buffer(),
            again: false,
        };
        for id in ids {
            column.push(if *id == NONE { &[] } else { text(*id).as_bytes() });
        }
        let encoded = texts(&column);
        scratch::recycle(column.bytes);
        return encoded;
    }
    let used: Vec<&str> = used.into_iter().map(&text).collect();
    if used.iter().any(|text| text.is_empty()) {
        let ids: Vec<u32> = ids
            .iter()
            .map(|id| if *id == NONE || text(*id).is_empty() { NONE } else { *id })
            .collect();
        return dictionary(&ids, count_of_ids, text);
    }
    let mut values = scratch::buffer();
    for text in &used {
        append_text(&mut values, text);
    }
    Encoded::new(
        &present_ids(ids, rows.len()),
        of_places(&rows, true, Dictionary { values, count: used.len() }),
    )
}

/// Integers that repeat, of any kind but text: like [`dictionary`], but no integer is written
/// twice.
///
/// # Panics
/// If an id is not below `count_of_ids`.
#[must_use]
pub fn integer_dictionary(ids: &[u32], count_of_ids: usize, value: impl Fn(u32) -> i64) -> Encoded {
    Ids::new(ids, count_of_ids).integers(value)
}

/// Ids that several columns are derived from: the used ids, and the rows that use them, are found
/// once for all of them (30 instructions a row and column).
#[derive(Debug)]
pub struct Ids {
    /// The used ids in the order of their first use.
    used: Vec<u32>,
    /// For each row with a value, its place in `used`.
    rows: Vec<u32>,
    present: Present,
}

impl Ids {
    /// Takes for each row an id below `count_of_ids`, or [`NONE`].
    ///
    /// # Panics
    /// If an id is not below `count_of_ids`.
    #[must_use]
    pub fn new(ids: &[u32], count_of_ids: usize) -> Self {
        let (used, rows) = by_first_use(ids, count_of_ids);
        let present = present_ids(ids, rows.len());
        assert_eq!(rows.len(), present.count, "a place for each row with a value");
        Self { used, rows, present }
    }

    /// The column of an integer for each id. Many rates have one price, and most have no fee: no
    /// integer is written twice.
    #[must_use]
    pub fn integers(&self, value: impl Fn(u32) -> i64) -> Encoded {
        let (values, places) = self.distinct(value);
        if values.len() > most_distinct(self.rows.len()) {
            let values: Vec<i64> =
                self.rows.iter().map(|row| values[places[*row as usize] as usize]).collect();
            return present_integers(&self.present, &values);
        }
        let content = self.content(&places, false, Dictionary::integers(&values));
        Encoded { range: range(&values), ..Encoded::new(&self.present, content) }
    }

    /// The column of a text for each id, by the number of the text; no number is written twice. An
    /// empty text is null.
    #[must_use]
    pub fn texts<'a>(&self, number: impl Fn(u32) -> u32, text: impl Fn(u32) -> &'a str) -> Encoded {
        let (numbers, places) = self.distinct(|id| number(id).into());
        let texts: Vec<&str> = numbers
            .into_iter()
            .map(|number| text(must_fit(number, "the number of a text fits 32 bits")))
            .collect();
        if texts.len() > most_distinct(self.rows.len()) || texts.iter().any(|text| text.is_empty())
        {
            let mut rows = self.rows.iter().map(|row| places[*row as usize]);
            let mut id = |row| {
                if self.present.has(row) {
                    rows.next().expect("an id for each row with a value")
                } else {
                    NONE
                }
            };
            let ids: Vec<u32> = (0..self.present.rows).map(&mut id).collect();
            assert!(rows.next().is_none(), "a row with a value for each id");
            return dictionary(&ids, texts.len(), |id| texts[id as usize]);
        }
        let mut values = scratch::buffer();
        for text in &texts {
            append_text(&mut values, text);
        }
        let content = self.content(&places, true, Dictionary { values, count: texts.len() });
        Encoded::new(&self.present, content)
    }

    /// The different values of the used ids, in the order of their first use, and each id's place
    /// among them.
    fn distinct(&self, value: impl Fn(u32) -> i64) -> (Vec<i64>, Vec<u32>) {
        let mut distinct = TextPlaces::new(self.used.len());
        let places =
            self.used.iter().map(|id| distinct.place(value(*id)).expect("room for all")).collect();
        (distinct.values, places)
    }

    fn content(&self, places: &[u32], text: bool, dictionary: Dictionary) -> Content<'static> {
        if dictionary.count == places.len() {
            return of_places(&self.rows, text, dictionary);
        }
        if dictionary.count == 1 {
            return Content::Places { places: one_place(self.rows.len()), text, dictionary };
        }
        let rows: Vec<u32> = self.rows.iter().map(|row| places[*row as usize]).collect();
        of_places(&rows, text, dictionary)
    }
}

/// The first place of a dictionary, repeated in `rows` rows.
fn one_place(rows: usize) -> Vec<u8> {
    let mut places = scratch::buffer();
    places.push(1);
    encode::run(&mut places, rows, 0, 1);
    places
}

/// The most values for which a dictionary pays, by the number of rows: with more, it costs more
/// than texts one by one.
fn most_distinct(rows: usize) -> usize {
    (rows / 2).max(8)
}

fn present_ids(ids: &[u32], present: usize) -> Present {
    if present == ids.len() { Present::all(present) } else { Present::of(ids, |id| *id != NONE) }
}

fn of_places(rows: &[u32], text: bool, dictionary: Dictionary) -> Content<'static> {
    match dictionary.count {
        0 => Content::Nothing { text },
        count => Content::Places { places: places(rows, count), text, dictionary },
    }
}

/// A column of texts that hardly repeat, as it grows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextColumn {
    bytes: Vec<u8>,
    /// The length of each row, or [`AGAIN`].
    lengths: Vec<u32>,
    again: bool,
}

/// The length of a row that equals the row before. No text is that long.
const AGAIN: u32 = u32::MAX;

impl TextColumn {
    /// An empty column.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a row of UTF-8; an empty one becomes null.
    pub fn push(&mut self, text: &[u8]) {
        self.push_with(|bytes| bytes.extend_from_slice(text));
    }

    /// Adds a row of the UTF-8 that `fill` appends; an empty one becomes null.
    ///
    /// # Panics
    /// If `fill` removes bytes, or adds 2 GiB or more.
    pub fn push_with(&mut self, fill: impl FnOnce(&mut Vec<u8>)) {
        let before = self.bytes.len();
        fill(&mut self.bytes);
        let length =
            self.bytes.len().checked_sub(before).and_then(|length| i32::try_from(length).ok());
        self.lengths.push(length.expect("a text below 2 GiB").cast_unsigned());
    }

    /// Adds a row equal to the one before; null, if there is none.
    pub fn push_again(&mut self) {
        let null = matches!(self.lengths.last(), None | Some(0));
        self.again |= !null;
        self.lengths.push(if null { 0 } else { AGAIN });
    }

    /// Makes room for some more rows of so many bytes.
    pub fn reserve(&mut self, rows: usize, bytes_a_row: usize) {
        self.lengths.reserve(rows);
        self.bytes.reserve(rows * bytes_a_row);
    }

    /// Removes the rows, and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.lengths.clear();
        self.again = false;
    }
}

/// Texts that hardly repeat, as lengths and then bytes: zstd takes 20 ns for a call id instead of
/// 65 with a length before each, and 8 to 21 instead of 37 for a telephone number. Texts that
/// repeat belong in a [`dictionary`]: 2 ns. A text equal to the one before is stored as a length:
/// finding one in thirteen costs zstd 30 ns a row more.
#[must_use]
pub fn texts(column: &TextColumn) -> Encoded {
    let lengths = &column.lengths;
    let mut head = scratch::buffer();
    let some = || lengths.iter().copied().filter(|length| *length != 0);
    let present = if lengths.contains(&0) {
        Present::of(lengths, |length| *length != 0)
    } else {
        Present::all(lengths.len())
    };
    let encoding = if column.again {
        let mut before = 0;
        let (as_before, new): (Vec<u32>, Vec<u32>) = some()
            .map(|length| match length {
                AGAIN => (before, 0),
                length => {
                    before = length;
                    (0, length)
                }
            })
            .unzip();
        encode::delta(&mut head, &as_before);
        encode::delta(&mut head, &new);
        Encoding::DeltaByteArray
    } else {
        if present.count == lengths.len() {
            encode::delta(&mut head, lengths);
        } else {
            encode::delta(&mut head, &some().collect::<Vec<_>>());
        }
        Encoding::DeltaLengthByteArray
    };
    assert_eq!(present.rows, lengths.len(), "a length for each row");
    let tail = Tail::Text(&column.bytes);
    let content = if present.count == 0 {
        Content::Nothing { text: true }
    } else {
        Content::Texts { head, tail, encoding }
    };
    Encoded::new(&present, content)
}

/// Integers of any kind, without nulls: 2 to 3 ns each as differences of few bits, where eight
/// bytes each through zstd take 13 to 21 ns and as much room.
#[must_use]
pub fn integers(values: &[i64]) -> Encoded {
    present_integers(&Present::all(values.len()), values)
}

/// Integers of any kind, some of them null.
#[must_use]
pub fn optional_integers(values: impl ExactSizeIterator<Item = Option<i64>>) -> Encoded {
    let mut present = Vec::with_capacity(values.len());
    let mut some = Vec::with_capacity(values.len());
    for value in values {
        present.push(value.is_some());
        some.extend(value);
    }
    present_integers(&Present::of(&present, |present| *present), &some)
}

fn present_integers(present: &Present, values: &[i64]) -> Encoded {
    assert_eq!(values.len(), present.count, "an integer for each row that has one");
    if values.is_empty() {
        return Encoded::new(present, Content::Nothing { text: false });
    }
    if let Some((content, distinct)) = few_integers(values) {
        return Encoded { range: range(&distinct), ..Encoded::new(present, content) };
    }
    let mut bytes = scratch::buffer();
    encode::delta(&mut bytes, values);
    Encoded { range: range(values), ..Encoded::new(present, Content::Integers(bytes)) }
}

/// A dictionary and its integers, if there is at most one for 16 rows: billed seconds take 0.8
/// bytes instead of 1.6, amounts of which half are zero 0.6 instead of 1.7. If there are more, that
/// mostly shows within as many rows.
fn few_integers(values: &[i64]) -> Option<(Content<'static>, Vec<i64>)> {
    let mut distinct = TextPlaces::new(values.len() / 16);
    let mut rows = Vec::with_capacity(values.len());
    for value in values {
        rows.push(distinct.place(*value)?);
    }
    Some((of_places(&rows, false, Dictionary::integers(&distinct.values)), distinct.values))
}

fn range(values: &[i64]) -> Option<(i64, i64)> {
    let (first, rest) = values.split_first()?;
    Some(rest.iter().fold((*first, *first), |(least, greatest), value| {
        (least.min(*value), greatest.max(*value))
    }))
}

/// One text in every row; null if it is empty.
#[must_use]
pub fn constant_text(text: &str, rows: usize) -> Encoded {
    if text.is_empty() || rows == 0 {
        return Encoded::new(
            &Present::of(&vec![(); rows], |()| false),
            Content::Nothing { text: true },
        );
    }
    let mut dictionary = scratch::buffer();
    append_text(&mut dictionary, text);
    let dictionary = Dictionary { values: dictionary, count: 1 };
    Encoded::new(
        &Present::all(rows),
        Content::Places { places: one_place(rows), text: true, dictionary },
    )
}

/// Writes a file of row groups.
pub struct Writer<W: Write> {
    file: FileWriter<W>,
}

impl<W: Write> Writer<W> {
    /// Begins a file.
    #[must_use]
    pub fn new(file: W, schema: &TableSchema) -> Self {
        let options = WriteOptions { write_statistics: false, version: Version::V2 };
        let created_by = concat!("trunkrate ", env!("CARGO_PKG_VERSION")).to_owned();
        Self { file: FileWriter::new(file, schema.0.clone(), options, Some(created_by)) }
    }

    /// Writes some rows: one column for each of the schema, in its order. Without rows it writes no
    /// row group.
    ///
    /// # Errors
    /// If the file cannot be written, or a page has 2 GiB or more.
    ///
    /// # Panics
    /// If the columns do not match the schema or the number of rows.
    pub fn write_row_group(&mut self, rows: usize, columns: Vec<Encoded>) -> PolarsResult<()> {
        let descriptors = self.file.schema().columns();
        assert_eq!(columns.len(), descriptors.len(), "a column for each of the schema");
        assert!(columns.iter().all(|column| column.rows == rows), "columns of {rows} rows");
        if rows == 0 {
            return Ok(());
        }
        let pages: Result<Vec<Vec<CompressedPage>>, ParquetError> = columns
            .into_iter()
            .zip(descriptors)
            .map(|(column, descriptor)| column.into_pages(descriptor))
            .collect();
        let pages = pages?;
        let columns =
            pages.iter().map(|pages| Ok(DynStreamingIterator::new(convert(pages.iter().map(Ok)))));
        Ok(self.file.write::<ParquetError>(rows as u64, DynIter::new(columns))?)
    }

    /// Writes the footer, and returns the flushed file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn finish(mut self) -> PolarsResult<W> {
        self.file.end(None)?;
        Ok(self.file.into_inner())
    }
}

impl Encoded {
    fn into_pages(
        self,
        descriptor: &ColumnDescriptor,
    ) -> Result<Vec<CompressedPage>, ParquetError> {
        let descriptor = descriptor.descriptor.clone();
        let name = &descriptor.primitive_type.field_info.name;
        assert_eq!(
            self.text,
            descriptor.primitive_type.physical_type == PhysicalType::ByteArray,
            "column {name} is text"
        );
        let compressed = self.data.compressed
            || self.dictionary.as_ref().is_some_and(|(page, _)| page.compressed);
        let codec = if compressed { Compression::Zstd } else { Compression::Uncompressed };
        let mut pages = Vec::new();
        if let Some((page, count)) = self.dictionary {
            let page = CompressedDictPage::new(
                CowBuffer::Owned(page.bytes),
                codec,
                page.raw,
                count,
                false,
            );
            pages.push(CompressedPage::Dict(page));
        }
        let value = |value: i64| value.to_le_bytes().to_vec();
        let statistics = ParquetStatistics {
            null_count: Some(i64::try_from(self.nulls)?),
            min_value: self.range.map(|(least, _)| value(least)),
            max_value: self.range.map(|(_, greatest)| value(greatest)),
            distinct_count: None,
            min: None,
            max: None,
            is_max_value_exact: None,
            is_min_value_exact: None,
        };
        let header = DataPageHeader::V2(DataPageHeaderV2 {
            num_values: i32::try_from(self.rows)?,
            num_nulls: i32::try_from(self.nulls)?,
            num_rows: i32::try_from(self.rows)?,
            encoding: self.encoding.into(),
            definition_levels_byte_length: i32::try_from(self.levels)?,
            repetition_levels_byte_length: 0,
            is_compressed: Some(self.data.compressed),
            statistics: Some(statistics),
        });
        let (bytes, raw) = (CowBuffer::Owned(self.data.bytes), self.data.raw);
        pages.push(CompressedPage::Data(CompressedDataPage::new(
            header, bytes, codec, raw, descriptor, self.rows,
        )));
        Ok(pages)
    }
}
