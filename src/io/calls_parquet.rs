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
        Ok(CallRows { rows: frame.height(), texts })
    }

    /// Rows with all their columns, each as a JSON object: the records as they came. `rows` ascend, within one slice.
    ///
    /// # Errors
    /// As [`CallTable::slice`].
    pub fn rows_as_json(&self, rows: &[usize]) -> Result<Vec<String>, FileError> {
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(Vec::new()) };
        let frame = self.frame(*first, last - first + 1, None)?;
        let text =
            |column: &Column| (column.name().to_string(), self.guarded(|_| column_text(column.as_materialized_series())).ok());
        let columns: Vec<(String, Option<StringChunked>)> = frame.columns().iter().map(text).collect();
        let object = |row: &usize| {
            let value = |column: &Option<StringChunked>| column.as_ref()?.get(row - first).map(str::to_owned);
            let fields = columns.iter().map(|(name, column)| (name.clone(), value(column).into()));
            serde_json::Value::Object(fields.collect()).to_string()
        };
        Ok(rows.iter().map(object).collect())
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

    fn guarded<T>(&self, step: impl FnOnce(&Self) -> PolarsResult<T>) -> Result<T, FileError> {
        super::guarded(&self.path, || step(self)).map_err(|e| e.hint("nothing was booked; fetch the file again"))
    }
}

/// Rows of calls, each field as text.
#[derive(Debug)]
pub struct CallRows {
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
                // An instant out of range (a database's "infinity") stays a number, which is no time.
                let in_range = chrono::DateTime::from_timestamp_micros(micros).is_some();
                Some(if in_range { format!("{}{suffix}", time::text(micros).trim_end_matches('Z')) } else { tick.to_string() })
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
