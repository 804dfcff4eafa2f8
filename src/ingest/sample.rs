//! The beginning of a call file: its columns and first records, read as the run reads them, even if
//! the run would refuse the file.

use super::calls_parquet::CallTable;
use super::source::{CallPath, Compression, Source, format_ending};
use crate::inputs::calls_csv::{self, Header, LONGEST_LINE};
use crate::inputs::calls_json::{self, Shape};
use crate::inputs::file::FileError;
use crate::inputs::record_text::{Format, RecordText};
use crate::policy::Policy;
use std::sync::Arc;

/// The most bytes that are read of a document.
const LARGEST_DOCUMENT: u64 = 256 << 20;

/// The beginning of a call file.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The names of its columns, as written; of JSON those of the objects.
    pub columns: Vec<String>,
    /// The first records.
    pub records: Vec<RecordText>,
    /// Its format, in words.
    pub form: String,
}

impl Sample {
    /// Reads at most `most` records.
    ///
    /// # Errors
    /// If it cannot be read, or is no call file at all.
    pub fn of(file: &CallPath, most: usize) -> Result<Self, FileError> {
        let path = &file.path;
        let mut source = Source::open(path, &Arc::default())?.at_most(Policy::default().max_ratio);
        let packed = match source.compression {
            Compression::Plain => "",
            Compression::Gzip => ", gzip",
            Compression::Zstd => ", zstd",
        };
        let mut bytes = vec![0; LONGEST_LINE];
        let got = source.fill(&mut bytes)?;
        let at_end = got < bytes.len();
        bytes.truncate(got);
        if bytes.starts_with(b"PAR1") {
            return Self::of_table(file, &mut source, bytes, most, packed);
        }
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes).trim_ascii_start();
        if text.is_empty() {
            return Err(FileError::new(path, "is not a call file: it is empty"));
        }
        if !matches!(text.first(), Some(b'{' | b'[')) {
            return Self::of_csv(file, text, at_end, most, packed);
        }
        let objects: Vec<String> = match calls_json::shape(text, &format_ending(path)) {
            Shape::Lines => lines(text, at_end, most),
            Shape::Document => {
                bytes.extend(source.read_to_end(LARGEST_DOCUMENT)?);
                let text =
                    String::from_utf8(bytes).map_err(|_| FileError::new(path, "is not UTF-8"))?;
                calls_json::document(path, &text)?
                    .calls
                    .into_iter()
                    .take(most)
                    .map(|(_, object)| object.to_owned())
                    .collect()
            }
        };
        Ok(Self::of_objects(&file.name, objects, &Format::Json, format!("JSON{packed}")))
    }

    fn of_table(
        file: &CallPath,
        source: &mut Source,
        mut bytes: Vec<u8>,
        most: usize,
        packed: &str,
    ) -> Result<Self, FileError> {
        let unpacked = if source.compression == Compression::Plain {
            None
        } else {
            bytes.extend(source.read_to_end(LARGEST_DOCUMENT)?);
            Some(bytes)
        };
        let table = CallTable::open(&file.path, unpacked)?;
        let rows = table.pieces().first().map_or(0, |piece| piece.end.min(most));
        let objects = table.rows_as_json(&(0..rows).collect::<Vec<_>>())?;
        Ok(Self::of_objects(&file.name, objects, &Format::Parquet, format!("Parquet{packed}")))
    }

    #[allow(clippy::disallowed_methods, reason = "what is no object has no keys")]
    fn of_objects(name: &str, objects: Vec<String>, format: &Format, form: String) -> Self {
        let mut columns: Vec<String> = Vec::new();
        for object in &objects {
            let object = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(object)
                .unwrap_or_default();
            for key in
                object.keys().filter(|key| !columns.contains(key)).cloned().collect::<Vec<_>>()
            {
                columns.push(key);
            }
        }
        let text = |(line, record)| RecordText {
            record,
            format: format.clone(),
            file: name.to_owned(),
            line,
        };
        Self { columns, records: (1..).zip(objects).map(text).collect(), form }
    }

    fn of_csv(
        file: &CallPath,
        text: &[u8],
        at_end: bool,
        most: usize,
        packed: &str,
    ) -> Result<Self, FileError> {
        let line = memchr::memchr2(b'\n', b'\r', text).map_or(text.len(), |at| at + 1);
        let end =
            line + usize::from(text[..line].ends_with(b"\r") && text[line..].starts_with(b"\n"));
        let header = Arc::new(Header::parse(&file.path, &text[..end])?);
        let body = &text[end..];
        let scan = calls_csv::scan(body, header.delimiter, header.names.len(), at_end);
        let format = Format::Csv(Arc::clone(&header));
        let mut records = Vec::new();
        calls_csv::walk(&body[..scan.end], &scan.broken, &header, |at, _, _| {
            if records.len() < most {
                let line = 2 + memchr::memchr_iter(b'\n', &body[..at]).count() as u64;
                let record = calls_csv::record_text(&body[at..], &header);
                records.push(RecordText {
                    record,
                    format: format.clone(),
                    file: file.name.clone(),
                    line,
                });
            }
        });
        let between = match header.delimiter {
            b'\t' => "tabs".to_owned(),
            delimiter => format!("`{}`", char::from(delimiter)),
        };
        Ok(Self {
            columns: header.names.clone(),
            records,
            form: format!("CSV, {between} between columns{packed}"),
        })
    }
}

/// The first whole lines.
fn lines(text: &[u8], at_end: bool, most: usize) -> Vec<String> {
    let end =
        if at_end { text.len() } else { calls_csv::last_line_end(text).unwrap_or(text.len()) };
    let lines = text[..end]
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty());
    lines.take(most).map(|line| String::from_utf8_lossy(line).into_owned()).collect()
}
