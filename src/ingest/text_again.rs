//! The texts of records that are kept whole (suspended and ignored ones), read again from their
//! files.

use crate::fit::must_fit;
use crate::ingest::calls_parquet::CallTable;
use crate::ingest::reader::{BLOCK, LARGEST_DOCUMENT, Reading, lines};
use crate::ingest::source::{Compression, Source};
use crate::inputs::file::FileError;
use crate::inputs::record_text::Format;
use crate::inputs::record_text::{RecordSpot, RecordText};
use crate::inputs::{calls_csv, calls_json};
use std::sync::Arc;

/// Takes one text after the other.
type Then<'a, E> = &'a mut dyn FnMut(RecordText) -> Result<(), E>;

impl Reading {
    /// The texts of some records, in ascending order of their numbers, with their origins.
    ///
    /// # Errors
    /// If a file cannot be read again.
    pub fn texts_of(&self, records: &[RecordSpot]) -> Result<Vec<RecordText>, FileError> {
        let mut texts = Vec::with_capacity(records.len());
        self.each_text(records, &mut |text| {
            texts.push(text);
            Ok(())
        })?;
        assert_eq!(texts.len(), records.len(), "each record has its text");
        Ok(texts)
    }

    /// Passes the texts to `then` one after the other: at most one piece of a file is in memory.
    ///
    /// # Errors
    /// If a file cannot be read again, or `then` fails.
    pub fn each_text<E: From<FileError>>(
        &self,
        records: &[RecordSpot],
        then: Then<'_, E>,
    ) -> Result<(), E> {
        let mut rest = records;
        while let Some(first) = rest.first() {
            let record = first.number as usize;
            if record < self.waiting.len() {
                let (waiting, read) = rest.split_at(
                    rest.partition_point(|spot| (spot.number as usize) < self.waiting.len()),
                );
                self.waiting.each_text(waiting.iter().map(|spot| spot.number), then)?;
                rest = read;
                continue;
            }
            let (_, block) =
                self.block_of(record).expect("a record that did not wait is of a block");
            let file = block.file;
            let until = rest
                .iter()
                .take_while(|r| {
                    self.block_of(r.number as usize).is_some_and(|(_, b)| b.file == file)
                })
                .count();
            self.texts_of_file(file as usize, &rest[..until], then)?;
            rest = &rest[until..];
        }
        Ok(())
    }

    fn texts_of_file<E: From<FileError>>(
        &self,
        file: usize,
        records: &[RecordSpot],
        then: Then<'_, E>,
    ) -> Result<(), E> {
        let read_file = &self.files[file];
        let path = &read_file.path.path;
        let mut source = Source::open(path, &Arc::default())?;
        let make = |record: String, line: u64| RecordText {
            record,
            format: read_file.format.clone(),
            file: read_file.path.name.clone(),
            line,
        };
        if matches!(read_file.format, Format::Parquet | Format::Published) {
            let is_published = read_file.format == Format::Published;
            let unpacked = match source.compression {
                Compression::Plain => None,
                _ => Some(source.read_to_end(LARGEST_DOCUMENT)?),
            };
            let open = if is_published { CallTable::open_published } else { CallTable::open };
            let table = open(path, unpacked)?.at_most(read_file.size, self.max_ratio)?;
            // A slice at a time: a single row would cost as much as its whole row group.
            for group in records.chunk_by(|a, b| {
                self.block_of(a.number as usize).map(|f| f.0)
                    == self.block_of(b.number as usize).map(|f| f.0)
            }) {
                let (_, block) = self
                    .block_of(group[0].number as usize)
                    .expect("a record of a file is of a block");
                let start: usize = must_fit(block.offset, "a row of a table fits memory");
                let rows: Vec<usize> =
                    group.iter().map(|record| start + record.place as usize).collect();
                if is_published {
                    let texts = table.published_texts(&rows)?;
                    assert_eq!(texts.len(), rows.len(), "each row has its text");
                    for (published, row) in texts.into_iter().zip(&rows) {
                        let text =
                            make(published.record, published.line.unwrap_or(*row as u64 + 1));
                        then(RecordText { file: published.file.unwrap_or(text.file), ..text })?;
                    }
                    continue;
                }
                let objects = table.rows_as_json(&rows)?;
                assert_eq!(objects.len(), rows.len(), "each row has its text");
                for (row, object) in rows.iter().zip(objects) {
                    then(make(object, *row as u64 + 1))?;
                }
            }
            return Ok(());
        }
        let mut at = 0;
        let mut held: Option<(usize, Vec<u8>)> = None;
        // The number of line ends before the last record, so that each byte of a block is counted
        // once.
        let mut counted = (0, 0);
        for record in records {
            let (number, block) =
                self.block_of(record.number as usize).expect("a record of a file is of a block");
            if held.as_ref().is_none_or(|(n, _)| *n != number) {
                skip(&mut source, block.offset - at)?;
                let mut bytes = vec![0; must_fit(block.length, "a block was in memory before")];
                if source.fill(&mut bytes)? < bytes.len() {
                    return Err(FileError::new(path, "changed while it was read").into());
                }
                at = block.offset + block.length;
                held = Some((number, bytes));
                counted = (0, 0);
            }
            let (_, bytes) = held.as_ref().expect("a block is held");
            let place = record.place as usize;
            let text = match &read_file.format {
                Format::Csv(header) => calls_csv::record_text(&bytes[place..], header),
                _ if block.document => json_value_text(&bytes[place..]),
                Format::Json | Format::Parquet | Format::Published => {
                    calls_json::line_text(bytes, place)
                }
            };
            counted = (place, counted.1 + lines(&bytes[counted.0..place]));
            then(make(text, block.first_line + counted.1))?;
        }
        Ok(())
    }
}

/// The JSON value that starts a slice of a document.
fn json_value_text(bytes: &[u8]) -> String {
    let mut values =
        serde_json::Deserializer::from_slice(bytes).into_iter::<&serde_json::value::RawValue>();
    match values.next() {
        Some(Ok(value)) => value.get().to_owned(),
        _ => calls_json::line_text(bytes, 0),
    }
}

fn skip(source: &mut Source, mut bytes: u64) -> Result<(), FileError> {
    let mut buffer = vec![0; BLOCK];
    while bytes > 0 {
        let want: usize = must_fit(bytes.min(buffer.len() as u64), "no more than a buffer");
        let got = source.fill(&mut buffer[..want])?;
        if got == 0 {
            return Ok(());
        }
        bytes -= got as u64;
    }
    Ok(())
}
