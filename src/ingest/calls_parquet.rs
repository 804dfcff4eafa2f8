//! Calls from Parquet, by column name, through polars.
//!
//! Every known column is taken as text, so that one reader (of [`crate::record`]) decides the
//! meaning of a field: numbers keep their digits; times are ISO 8601 with the offset that the
//! column states, or none. A time that is an instant by its type is not written as text and read
//! again, which saves 390 ns each.

#![allow(clippy::disallowed_methods, reason = "a cell without a value is empty")]

use super::call_rows::{CallColumn, CallRows, ROWS, column_text};
use super::page_counts::{self, PageCounts};
use super::paged_rows::PagedRows;
use crate::call::Calls;
use crate::columns;
use crate::inputs::file::FileError;
use crate::policy::Policy;
use crate::record::Field;
use polars::io::mmap::MmapBytesReader;
use polars::io::parquet::metadata::FileMetadataRef;
use polars::prelude::*;
use std::fs::File;
use std::io::{Cursor, Read, Seek};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The most rows that are read at a time: with their columns as text, 55 MiB.
pub const SLICE: usize = 1 << 17;

/// A Parquet file of calls, read slice by slice.
#[derive(Debug, Clone)]
pub struct CallTable {
    path: PathBuf,
    /// The unpacked content of a file that is compressed as a whole.
    unpacked: Option<Vec<u8>>,
    /// The number of its rows.
    pub rows: usize,
    /// The names of all columns.
    pub names: Vec<String>,
    columns: Vec<(String, Field)>,
    /// True if all of them are text, and nothing stands beside them.
    has_plain_texts: bool,
    /// The columns beside the fields, if it holds records of a published night.
    origin: Option<Origin>,
    metadata: Option<FileMetadataRef>,
    pieces: Vec<Range<usize>>,
    /// The size of its pages, unpacked.
    unpacked_bytes: u64,
    limit: Limit,
}

/// A limit on the text that the rows of a file may give: any number of rows may share one value of
/// a dictionary, and a run of a few bytes may give billions of rows.
#[derive(Debug, Clone, Default)]
struct Limit {
    /// The limit in bytes; `None` for any number.
    most: Option<u64>,
    /// The limit as a multiple of the file's size.
    ratio: u32,
    given: Arc<AtomicU64>,
}

impl Limit {
    /// A size that is never too much: 64 MiB.
    const ALWAYS: u64 = 64 << 20;

    fn add(&self, path: &Path, bytes: u64) -> Result<(), FileError> {
        let given = self.given.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        match self.most {
            Some(most) if given > most => Err(self.exceeded(path)),
            _ => Ok(()),
        }
    }

    fn exceeded(&self, path: &Path) -> FileError {
        FileError::new(path, format!("gives more than {} times its size in text", self.ratio)).hint(
            "calls are not so much alike: fetch the file again; if it is as it should be, \
                   raise `input.max_ratio`",
        )
    }
}

/// Columns that records of a published night may have beside their fields; the names of those that
/// are there.
#[derive(Debug, Clone, Default)]
struct Origin {
    /// The text of a record that cannot be read; its fields are null.
    malformed: Option<String>,
    /// The file that it came from, and the line there.
    file: Option<String>,
    line: Option<String>,
}

impl Origin {
    fn named(&mut self, name: &str) -> Option<&mut Option<String>> {
        match name {
            "malformed" => Some(&mut self.malformed),
            "source_file" => Some(&mut self.file),
            "source_line" => Some(&mut self.line),
            _ => None,
        }
    }

    fn names(&self) -> impl Iterator<Item = &String> {
        [&self.malformed, &self.file, &self.line].into_iter().flatten()
    }
}

/// A record of a published night, as it is kept, and its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedText {
    /// A JSON object of the fields that are not empty; or the text of a malformed record.
    pub record: String,
    /// The file that it came from, if that is known.
    pub file: Option<String>,
    /// The line there, from 1.
    pub line: Option<u64>,
}

impl CallTable {
    /// Opens a file; `unpacked` is its content if it was compressed.
    ///
    /// # Errors
    /// If it is no Parquet file, or none of calls.
    pub fn open(path: &Path, unpacked: Option<Vec<u8>>) -> Result<Self, FileError> {
        Self::open_as(path, unpacked, None)
    }

    /// Opens a file of records of a published night.
    ///
    /// # Errors
    /// As [`CallTable::open`].
    pub fn open_published(path: &Path, unpacked: Option<Vec<u8>>) -> Result<Self, FileError> {
        Self::open_as(path, unpacked, Some(Origin::default()))
    }

    fn open_as(
        path: &Path,
        unpacked: Option<Vec<u8>>,
        origin: Option<Origin>,
    ) -> Result<Self, FileError> {
        let (path, names, columns) = (path.to_owned(), Vec::new(), Vec::new());
        let mut table = Self {
            path,
            unpacked,
            rows: 0,
            names,
            columns,
            has_plain_texts: false,
            origin,
            metadata: None,
            pieces: Vec::new(),
            unpacked_bytes: 0,
            limit: Limit::default(),
        };
        let path = &table.path.clone();
        let (metadata, columns, pages) = table.guarded(|table| {
            if let Some(bytes) = &table.unpacked {
                facts(
                    ParquetReader::new(Cursor::new(bytes.as_slice())),
                    Cursor::new(bytes.as_slice()),
                )
            } else {
                facts(ParquetReader::new(File::open(&table.path)?), File::open(&table.path)?)
            }
        })?;
        table.rows = metadata.num_rows;
        #[allow(
            clippy::redundant_closure_for_method_calls,
            reason = "polars does not re-export the type of a row group"
        )]
        let groups = metadata.row_groups.iter().map(|group| group.num_rows());
        table.pieces = pieces(groups, rows_at_a_time(pages.row_text));
        table.unpacked_bytes = pages.unpacked;
        table.metadata = Some(metadata);
        table.names = columns.iter().map(|(name, _)| name.clone()).collect();
        table.has_plain_texts = table.origin.is_none();
        for (name, is_text) in columns {
            if let Some(column) = table.origin.as_mut().and_then(|origin| origin.named(&name)) {
                *column = Some(name);
                continue;
            }
            let Some(field) = Field::named(&name) else { continue };
            if table.columns.iter().any(|(_, known)| *known == field) {
                return Err(FileError::new(
                    path,
                    format!("is not a call file: two columns are named `{}`", field.as_str()),
                ));
            }
            table.has_plain_texts &= is_text;
            table.columns.push((name, field));
        }
        if !table.columns.iter().any(|(_, field)| *field == Field::Sid) || table.columns.len() < 3 {
            return Err(FileError::new(
                path,
                "is not a call file: it has no column `sid`, or too few of a call's fields",
            ));
        }
        Ok(table)
    }

    /// Refuses to unpack to more than `ratio` times the `size` of the file as stored, or to give
    /// more text than that.
    ///
    /// # Errors
    /// If its pages say that they are more.
    pub fn at_most(self, size: u64, ratio: u32) -> Result<Self, FileError> {
        let most = size.saturating_mul(ratio.into()).max(Limit::ALWAYS);
        let limit = Limit { most: Some(most), ratio, given: Arc::default() };
        if self.unpacked_bytes > most {
            return Err(limit.exceeded(&self.path));
        }
        Ok(Self { limit, ..self })
    }

    /// Checks that the file has the columns that a bill needs.
    ///
    /// # Errors
    /// The columns that are missing ([`columns::check`]).
    pub fn check(&self, policy: &Policy) -> Result<(), FileError> {
        columns::check(self.names.iter().map(String::as_str), policy.no_transfers).map_err(
            |missing| {
                FileError::new(&self.path, format!("cannot be billed: {missing}"))
                    .hint(missing.hint())
            },
        )
    }

    /// The rows in pieces of at most [`SLICE`], cut at the ends of row groups: no page is unpacked
    /// for two of them, unless a row group is larger.
    #[must_use]
    pub fn pieces(&self) -> &[Range<usize>] {
        &self.pieces
    }

    /// The records of some rows, in blocks of a few thousand. The place of a record is its row,
    /// counted from the first of them.
    ///
    /// # Errors
    /// If a page is corrupt, or a known column has no plain values.
    pub fn calls(&self, rows: Range<usize>, policy: &Policy) -> Result<Vec<Calls>, FileError> {
        if self.has_plain_texts {
            let paged = self.guarded(|table| Ok(table.paged(&rows, policy)));
            // Whatever is wrong, polars is to find it, and has the words for it.
            if let Ok(Some((calls, texts))) = paged {
                self.given(rows.len(), texts)?;
                return Ok(calls);
            }
        }
        Ok(self.slice(rows.start, rows.len())?.parse(policy))
    }

    /// The records of some rows whose columns are all text, and the bytes of those texts; `None`
    /// if they are not written in one of the usual ways.
    pub(super) fn paged(&self, rows: &Range<usize>, policy: &Policy) -> Option<(Vec<Calls>, u64)> {
        let bytes = self.bytes()?;
        let (mut blocks, mut texts, mut first, mut place) = (Vec::new(), 0, 0, 0);
        let mut calls = Calls::default();
        for group in &self.metadata.as_ref()?.row_groups {
            let own = rows.start.max(first)..rows.end.min(first + group.num_rows());
            first += group.num_rows();
            if own.is_empty() {
                continue;
            }
            let before = first - group.num_rows();
            let own = own.start - before..own.end - before;
            let mut paged = PagedRows::open(group, &self.columns, &own, &bytes)?;
            while paged.len() > 0 {
                if calls.is_empty() {
                    calls.reserve(ROWS.min(rows.len() - place));
                }
                place += paged.read(ROWS - calls.len(), place, policy, &mut calls)?;
                if calls.len() == ROWS {
                    blocks.push(std::mem::take(&mut calls));
                }
            }
            texts += paged.bytes();
        }
        if !calls.is_empty() {
            blocks.push(calls);
        }
        (place == rows.len()).then_some((blocks, texts))
    }

    /// A reader of parts of the file.
    fn bytes(&self) -> Option<impl Fn(Range<u64>) -> Option<Vec<u8>>> {
        let file = match self.unpacked {
            Some(_) => None,
            None => Some(File::open(&self.path).ok()?),
        };
        Some(move |range: Range<u64>| {
            let (start, end) =
                (usize::try_from(range.start).ok()?, usize::try_from(range.end).ok()?);
            match (&file, &self.unpacked) {
                (Some(file), _) => {
                    let mut bytes = vec![0; end.checked_sub(start)?];
                    file.read_exact_at(&mut bytes, range.start).ok()?;
                    Some(bytes)
                }
                (None, Some(unpacked)) => unpacked.get(start..end).map(<[u8]>::to_vec),
                (None, None) => None,
            }
        })
    }

    /// Counts the text that some rows gave.
    ///
    /// # Errors
    /// If the file gave more than it may.
    fn given(&self, rows: usize, texts: u64) -> Result<(), FileError> {
        // A null is counted as one byte.
        let least = (rows as u64).saturating_mul(self.columns.len() as u64);
        self.limit.add(&self.path, least.saturating_add(texts))
    }

    /// Reads rows from `start`.
    ///
    /// # Errors
    /// If a page is corrupt, or a known column has no plain values.
    pub fn slice(&self, start: usize, rows: usize) -> Result<CallRows, FileError> {
        let malformed = self.origin.as_ref().and_then(|origin| origin.malformed.as_ref());
        let names = self.columns.iter().map(|(name, _)| name).chain(malformed).cloned().collect();
        let frame = self.frame(start, rows, Some(names))?;
        let malformed = malformed.map(|name| self.text_column(&frame, name)).transpose()?;
        let cells = self.columns.iter().map(|(name, field)| {
            let cells = self.guarded(|_| {
                CallColumn::of(frame.column(name)?.as_materialized_series(), *field)
            })?;
            Ok((*field, cells))
        });
        let columns = cells.collect::<Result<Vec<(Field, CallColumn)>, FileError>>()?;
        let rows = CallRows { rows: frame.height(), columns, malformed };
        self.given(frame.height(), rows.text_bytes())?;
        Ok(rows)
    }

    fn text_column(&self, frame: &DataFrame, name: &str) -> Result<StringChunked, FileError> {
        self.guarded(|_| {
            Ok(column_text(frame.column(name)?.as_materialized_series())?.rechunk().into_owned())
        })
    }

    /// The texts of records of a published night, and the origin of each. `rows` ascend, within one
    /// slice.
    ///
    /// # Errors
    /// As [`CallTable::slice`].
    pub fn published_texts(&self, rows: &[usize]) -> Result<Vec<PublishedText>, FileError> {
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(Vec::new()) };
        let origin = self.origin.clone().unwrap_or_default();
        let names =
            self.columns.iter().map(|(name, _)| name).chain(origin.names()).cloned().collect();
        let frame = self.frame(*first, last - first + 1, Some(names))?;
        let column = |name: &Option<String>| {
            name.as_ref().map(|name| self.text_column(&frame, name)).transpose()
        };
        let (malformed, file, line) =
            (column(&origin.malformed)?, column(&origin.file)?, column(&origin.line)?);
        let fields =
            self.columns.iter().map(|(name, field)| Ok((*field, self.text_column(&frame, name)?)));
        let mut fields = fields.collect::<Result<Vec<_>, FileError>>()?;
        fields.sort_by_key(|(field, _)| *field);
        let text = |row: usize| {
            let cell =
                |column: &Option<StringChunked>| column.as_ref()?.get(row).map(str::to_owned);
            let filled =
                || fields.iter().filter_map(|(field, texts)| Some((*field, texts.get(row)?)));
            let object = || {
                filled()
                    .filter(|(_, text)| !text.is_empty())
                    .map(|(field, text)| (field.as_str().to_owned(), text.into()))
            };
            PublishedText {
                record: cell(&malformed)
                    .unwrap_or_else(|| serde_json::Value::Object(object().collect()).to_string()),
                file: cell(&file).filter(|file| !file.is_empty()),
                line: cell(&line).and_then(|line| line.parse().ok()),
            }
        };
        Ok(rows.iter().map(|row| text(row - first)).collect())
    }

    /// Rows with all their columns, each as a JSON object: the records as they came. `rows` ascend,
    /// within one slice.
    ///
    /// # Errors
    /// As [`CallTable::slice`].
    pub fn rows_as_json(&self, rows: &[usize]) -> Result<Vec<String>, FileError> {
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(Vec::new()) };
        let frame = self.frame(*first, last - first + 1, None)?;
        let text = |column: &Column| {
            (
                column.name().to_string(),
                self.guarded(|_| column_text(column.as_materialized_series())).ok(),
            )
        };
        let columns: Vec<(String, Option<StringChunked>)> =
            frame.columns().iter().map(text).collect();
        let object = |row: &usize| {
            let value = |column: &Option<StringChunked>| {
                column.as_ref()?.get(row - first).map(str::to_owned)
            };
            let fields = columns.iter().map(|(name, column)| (name.clone(), value(column).into()));
            let text = serde_json::Value::Object(fields.collect()).to_string();
            self.limit.add(&self.path, text.len() as u64)?;
            Ok(text)
        };
        rows.iter().map(object).collect()
    }

    fn frame(
        &self,
        start: usize,
        rows: usize,
        columns: Option<Vec<String>>,
    ) -> Result<DataFrame, FileError> {
        self.guarded(|table| {
            let frame = if let Some(bytes) = &table.unpacked {
                table.read(
                    ParquetReader::new(Cursor::new(bytes.as_slice())),
                    start,
                    rows,
                    columns,
                )?
            } else {
                table.read(ParquetReader::new(File::open(&table.path)?), start, rows, columns)?
            };
            // The runs of a damaged page may end early.
            match frame.columns().iter().find(|column| column.len() != rows) {
                Some(column) => Err(polars_err!(
                    ComputeError: "the column `{}` has {} values in {rows} rows from {start}",
                    column.name(), column.len()
                )),
                None => Ok(frame),
            }
        })
    }

    fn read<R: MmapBytesReader>(
        &self,
        mut reader: ParquetReader<R>,
        start: usize,
        rows: usize,
        columns: Option<Vec<String>>,
    ) -> PolarsResult<DataFrame> {
        if let Some(metadata) = &self.metadata {
            reader.set_metadata(metadata.clone());
        }
        reader.with_columns(columns).with_slice(Some((start, rows))).set_rechunk(true).finish()
    }

    fn guarded<T>(&self, step: impl FnOnce(&Self) -> PolarsResult<T>) -> Result<T, FileError> {
        crate::catch_panic::guarded(&self.path, || step(self))
            .map_err(|e| e.hint("nothing was booked; fetch the file again"))
    }
}

/// Names of columns, each with true if it is text.
type NamedColumns = Vec<(String, bool)>;

/// The facts about a file as a whole: its metadata, checked against its pages, and its columns.
fn facts<R: MmapBytesReader>(
    mut reader: ParquetReader<R>,
    file: impl Read + Seek,
) -> PolarsResult<(FileMetadataRef, NamedColumns, PageCounts)> {
    let columns = reader
        .schema()?
        .iter_values()
        .map(|field| (field.name.to_string(), field.dtype == ArrowDataType::Utf8View))
        .collect();
    let metadata = reader.get_metadata()?.clone();
    let pages = page_counts::check(file, &metadata)?;
    Ok((metadata, columns, pages))
}

/// The number of rows that are read at a time, if a row has at most `row_text` bytes of text: a
/// dictionary's value is copied for each.
fn rows_at_a_time(row_text: u64) -> usize {
    usize::try_from(Limit::ALWAYS / row_text.max(1)).unwrap_or(SLICE).clamp(1, SLICE)
}

/// Cuts the rows into pieces: row groups together while they fit into `most` rows; a larger one in
/// equal parts.
fn pieces(groups: impl Iterator<Item = usize>, most: usize) -> Vec<Range<usize>> {
    let mut pieces: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    for rows in groups.filter(|rows| *rows > 0) {
        match pieces.last_mut() {
            Some(last) if last.len() + rows <= most => last.end += rows,
            _ => {
                let parts = rows.div_ceil(most);
                pieces
                    .extend((0..parts).map(|part| {
                        start + rows * part / parts..start + rows * (part + 1) / parts
                    }));
            }
        }
        start += rows;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_end_where_row_groups_do() {
        assert_eq!(
            pieces([SLICE, SLICE, 7].into_iter(), SLICE),
            [0..SLICE, SLICE..2 * SLICE, 2 * SLICE..2 * SLICE + 7]
        );
        assert_eq!(
            pieces([50_000, 50_000, 0, 50_000].into_iter(), SLICE),
            [0..100_000, 100_000..150_000]
        );
        assert_eq!(pieces([5, 250_000].into_iter(), SLICE), [0..5, 5..125_005, 125_005..250_005]);
        assert!(pieces([].into_iter(), SLICE).is_empty());
        assert_eq!(pieces([3, 1].into_iter(), rows_at_a_time(60 << 20)), [0..1, 1..2, 2..3, 3..4]);
        assert_eq!(
            [rows_at_a_time(0), rows_at_a_time(200), rows_at_a_time(60_000)],
            [SLICE, SLICE, 1118]
        );
    }
}
