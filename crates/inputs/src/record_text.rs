//! The text of one record as it came, with all that is needed to read it again.

use super::{calls_csv, calls_json};
use crate::calls_csv::Header;
use crate::file::FileError;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use trunkrate_kernel::record::Fields;

/// The place at which the text of a record is found again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RecordSpot {
    /// The record's number in the run.
    pub number: u32,
    /// Its place, as its reader gave it.
    pub place: u32,
}

/// The text of a record and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordText {
    /// The record as it came.
    pub record: String,
    /// The format to read it in.
    pub format: Format,
    /// The file.
    pub file: String,
    /// The line (of Parquet: the row), from 1.
    pub line: u64,
}

/// The format of a record's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// CSV under this header.
    Csv(Arc<Header>),
    /// A JSON object.
    Json,
    /// A row of Parquet, kept as a JSON object.
    Parquet,
    /// A record of a published night: its fields as a JSON object, or the text of a malformed one.
    Published,
}

impl Format {
    /// The name in manifests.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Csv(_) => "csv",
            Self::Json => "json",
            Self::Parquet => "parquet",
            Self::Published => "published",
        }
    }

    /// The format of a record that is kept under this header; JSON, if there is none.
    ///
    /// # Errors
    /// If it is no header.
    pub fn of_header(header: &str) -> Result<Self, FileError> {
        if header.is_empty() {
            return Ok(Self::Json);
        }
        Header::parse(Path::new("suspense"), header.as_bytes())
            .map(|header| Self::Csv(Arc::new(header)))
    }

    /// The CSV header that a record needs to be read again; empty for JSON.
    #[must_use]
    pub fn header(&self) -> Arc<str> {
        match self {
            Self::Csv(header) => Arc::clone(&header.text),
            Self::Json | Self::Parquet | Self::Published => Arc::from(""),
        }
    }
}

thread_local! {
    /// The header that was parsed last: most kept records have the same header as their neighbour,
    /// and parsing one, with all the misspellings of its columns, takes 0.1 ms.
    static LAST_HEADER: RefCell<Option<(String, Format)>> = const { RefCell::new(None) };
}

impl RecordText {
    /// A record that is kept under a CSV header, or under none: see [`Format::of_header`]. `None`
    /// if that is no header.
    #[must_use]
    pub fn kept(record: &str, header: &str) -> Option<Self> {
        let format = LAST_HEADER.with_borrow_mut(|last| match last {
            Some((known, format)) if known == header => Some(format.clone()),
            _ => {
                let format = Format::of_header(header).ok()?;
                *last = Some((header.to_owned(), format.clone()));
                Some(format)
            }
        })?;
        Some(Self { record: record.to_owned(), format, file: String::new(), line: 0 })
    }

    /// Reads the record's fields; `None` if it is malformed.
    pub fn with_fields<T>(&self, then: impl FnOnce(Option<&Fields<'_>>) -> T) -> T {
        match &self.format {
            Format::Csv(header) => {
                calls_csv::read_one(&self.record, header, |fields| then(fields.as_ref()))
            }
            Format::Json | Format::Parquet | Format::Published => {
                match calls_json::parse_object(&self.record) {
                    Ok(record) => then(Some(&record.fields())),
                    Err(_) => then(None),
                }
            }
        }
    }

    /// The reason why the text is no record.
    #[must_use]
    pub fn why_malformed(&self) -> String {
        let why = match &self.format {
            Format::Csv(header) => calls_csv::why_malformed(&self.record, header)
                .or_else(|| calls_csv::may_be_cut(&self.record, header)),
            Format::Json | Format::Parquet => {
                calls_json::parse_object(&self.record).err().map(|e| e.to_string())
            }
            Format::Published => Some("the engine that published it could not read it".to_owned()),
        };
        why.unwrap_or_else(|| {
            "a field is no UTF-8, holds a NUL, or is longer than 64 KiB".to_owned()
        })
    }
}
