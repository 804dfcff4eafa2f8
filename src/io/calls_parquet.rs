//! Calls from Parquet, by column name, through polars.
//!
//! Every column that trunkrate knows is taken as text, so that one reader (of [`crate::record`]) decides what a field
//! means. Times become ISO 8601 with the offset that the column states, or none; numbers keep their digits.

use super::FileError;
use crate::call::Calls;
use crate::policy::Policy;
use crate::record::{Field, Fields, Record};
use crate::time;
use polars::prelude::*;
use std::fs::File;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Rows that are read at a time.
pub const SLICE: usize = 1 << 18;

/// A Parquet file of calls, read slice by slice.
#[derive(Debug, Clone)]
pub struct CallTable {
    path: PathBuf,
    /// The content, where the file as stored is compressed again.
    unpacked: Option<Vec<u8>>,
    /// How many rows it has.
    pub rows: usize,
    columns: Vec<(String, Field)>,
}

impl CallTable {
    /// Opens a file; `unpacked` is its content if it was compressed.
    ///
    /// # Errors
    /// If it is no Parquet file, or none of calls.
    pub fn open(path: &Path, unpacked: Option<Vec<u8>>) -> Result<Self, FileError> {
        let mut table = Self { path: path.to_owned(), unpacked, rows: 0, columns: Vec::new() };
        let (rows, names) = table.guarded(|table| {
            let facts = |schema: &ArrowSchema| schema.iter_names().map(ToString::to_string).collect::<Vec<_>>();
            if let Some(bytes) = &table.unpacked {
                let mut reader = ParquetReader::new(Cursor::new(bytes.as_slice()));
                Ok((reader.num_rows()?, facts(&*reader.schema()?)))
            } else {
                let mut reader = ParquetReader::new(File::open(&table.path)?);
                Ok((reader.num_rows()?, facts(&*reader.schema()?)))
            }
        })?;
        table.rows = rows;
        for name in names {
            let Some(field) = Field::named(&name) else { continue };
            if table.columns.iter().any(|(_, known)| *known == field) {
                return Err(FileError::new(path, format!("is not a call file: two columns are named `{}`", field.as_str())));
            }
            table.columns.push((name, field));
        }
        if !table.columns.iter().any(|(_, field)| *field == Field::Sid) || table.columns.len() < 3 {
            return Err(FileError::new(path, "is not a call file: it has no column `sid`, or too few of a call's fields"));
        }
        Ok(table)
    }

    /// Reads rows from `start`.
    ///
    /// # Errors
    /// If a page is corrupt, or a known column is no plain value.
    pub fn slice(&self, start: usize, rows: usize) -> Result<CallRows, FileError> {
        let frame = self.frame(start, rows, Some(self.columns.iter().map(|(name, _)| name.clone()).collect()))?;
        let mut texts: [Option<StringChunked>; Field::ALL.len()] = std::array::from_fn(|_| None);
        for (name, field) in &self.columns {
            let text = self.guarded(|_| column_text(frame.column(name)?.as_materialized_series()))?;
            texts[*field as usize] = Some(text);
        }
        Ok(CallRows { start, rows: frame.height(), texts })
    }

    /// One row with all its columns, as a JSON object: the record as it came.
    ///
    /// # Errors
    /// As [`CallTable::slice`].
    pub fn row_as_json(&self, row: usize) -> Result<String, FileError> {
        let frame = self.frame(row, 1, None)?;
        let mut object = serde_json::Map::new();
        for column in frame.columns() {
            let value = self.guarded(|_| column_text(column.as_materialized_series())).ok();
            let text = value.and_then(|v| v.get(0).map(str::to_owned));
            object.insert(column.name().to_string(), text.map_or(serde_json::Value::Null, serde_json::Value::String));
        }
        Ok(serde_json::Value::Object(object).to_string())
    }

    fn frame(&self, start: usize, rows: usize, columns: Option<Vec<String>>) -> Result<DataFrame, FileError> {
        self.guarded(|table| {
            if let Some(bytes) = &table.unpacked {
                let reader = ParquetReader::new(Cursor::new(bytes.as_slice()));
                reader.with_columns(columns).with_slice(Some((start, rows))).set_rechunk(true).finish()
            } else {
                let reader = ParquetReader::new(File::open(&table.path)?);
                reader.with_columns(columns).with_slice(Some((start, rows))).set_rechunk(true).finish()
            }
        })
    }

    /// Runs a step of polars; what it cannot read, and where it panics on a corrupt page, is an error of the file.
    fn guarded<T>(&self, step: impl FnOnce(&Self) -> PolarsResult<T>) -> Result<T, FileError> {
        let fail = |why: String| {
            FileError::new(&self.path, format!("is truncated or corrupt Parquet: {why}"))
                .hint("nothing was booked; fetch the file again")
        };
        catch_unwind(AssertUnwindSafe(|| step(self)))
            .map_err(|_| fail("a page cannot be decoded".to_owned()))?
            .map_err(|e| fail(e.to_string()))
    }
}

/// Rows of calls, each field as text.
#[derive(Debug)]
pub struct CallRows {
    /// Number of the first row in the file.
    pub start: usize,
    rows: usize,
    texts: [Option<StringChunked>; Field::ALL.len()],
}

impl CallRows {
    /// Reads the rows. The place of a record is its row in the slice.
    #[must_use]
    pub fn parse(&self, policy: &Policy) -> Calls {
        let mut calls = Calls::default();
        for row in 0..self.rows {
            let texts = &self.texts;
            let fields =
                Fields(std::array::from_fn(|at| texts[at].as_ref().and_then(|column| column.get(row)).unwrap_or_default()));
            let place = u32::try_from(row).unwrap_or(u32::MAX);
            if fields.are_usable() {
                calls.push(&Record::read(&fields, policy), place);
            } else {
                calls.push(&Record::malformed(fields.0.concat().as_bytes()), place);
            }
        }
        calls
    }
}

/// A column as text: numbers with their digits, times as ISO 8601.
fn column_text(series: &Series) -> PolarsResult<StringChunked> {
    match series.dtype() {
        DataType::String => Ok(series.str()?.clone()),
        DataType::Datetime(unit, zone) => {
            let suffix = if zone.is_some() { "Z" } else { "" };
            let physical = series.to_physical_repr();
            let ticks = physical.i64()?;
            let text = |tick: i64| {
                let micros = match unit {
                    TimeUnit::Nanoseconds => tick.div_euclid(1_000),
                    TimeUnit::Microseconds => tick,
                    TimeUnit::Milliseconds => tick.checked_mul(1_000)?,
                };
                Some(format!("{}{suffix}", time::text(micros).trim_end_matches('Z')))
            };
            let texts: StringChunked = ticks.iter().map(|tick| tick.and_then(text)).collect();
            Ok(texts)
        }
        DataType::List(_) | DataType::Binary => {
            Err(PolarsError::ComputeError(format!("the column `{}` is no plain value", series.name()).into()))
        }
        _ => Ok(series.cast(&DataType::String)?.str()?.clone()),
    }
}
