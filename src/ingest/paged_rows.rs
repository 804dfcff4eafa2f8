//! Rows of a row group whose columns are all text, read page by page into [`Calls`].
//!
//! **Invariant:** a record is what [`super::call_rows`] makes of the same rows.
//!
//! # Why
//! A few rows are taken column by column, and then read record by record: the pages that their
//! cells lie in are read once, from the beginning to the end, and the waits for memory overlap.

use super::paged_texts::{AT_ONCE, CellTexts, PagedTexts};
use crate::call::{Calls, NONE};
use crate::fit::must_fit;
use crate::intern::Interner;
use crate::policy::Policy;
use crate::record::{Field, FilledFields, LONGEST_FIELD, Record};
use polars_parquet::parquet::metadata::RowGroupMetadata;
use std::ops::Range;

/// The rows of a row group that are not read yet.
pub(super) struct PagedRows {
    columns: Vec<(Field, PagedTexts)>,
    rows: usize,
    accounts: KnownTexts,
    trunks: KnownTexts,
}

/// The ids, in a block of calls, of a dictionary's texts: such a text is hashed and compared once a
/// block, and not once a record (310 instructions a call less, of accounts and trunks).
struct KnownTexts {
    ids: Vec<u32>,
    /// The place in the dictionary of each row's text, or [`NONE`].
    codes: [u32; AT_ONCE],
}

impl KnownTexts {
    fn new() -> Self {
        Self { ids: Vec::new(), codes: [NONE; AT_ONCE] }
    }

    /// Takes the next cells; forgets the ids, if they are those of another block.
    fn begin(&mut self, is_new: bool, cells: Option<CellTexts<'_>>) {
        let entries = cells.map_or(0, |cells| cells.entries);
        if is_new || self.ids.len() != entries {
            self.ids.clear();
            self.ids.resize(entries, NONE);
        }
        self.codes = [NONE; AT_ONCE];
        for (at, code) in cells.into_iter().flat_map(CellTexts::codes) {
            self.codes[at] = code;
        }
    }

    /// The id of a record's text.
    #[inline]
    fn id(&mut self, at: usize, ids: &mut Interner, text: &str) -> u32 {
        match self.ids.get_mut(self.codes[at] as usize) {
            Some(known) if *known == NONE => {
                *known = ids.id(text);
                *known
            }
            Some(known) => *known,
            None => ids.id(text),
        }
    }
}

impl PagedRows {
    /// Opens some rows of a row group; `bytes` reads a part of the file.
    pub(super) fn open(
        group: &RowGroupMetadata,
        columns: &[(String, Field)],
        rows: &Range<usize>,
        bytes: &impl Fn(Range<u64>) -> Option<Vec<u8>>,
    ) -> Option<Self> {
        let open = |(name, field): &(String, Field)| {
            let mut chunks = group.columns_under_root_iter(name)?;
            let (chunk, None) = (chunks.next()?, chunks.next()) else { return None };
            let mut texts = PagedTexts::open(chunk, bytes(chunk.byte_range())?)?;
            texts.skip(rows.start)?;
            Some((*field, texts))
        };
        let columns = columns.iter().map(open).collect::<Option<_>>()?;
        let (accounts, trunks) = (KnownTexts::new(), KnownTexts::new());
        Some(Self { columns, rows: rows.len(), accounts, trunks })
    }

    /// The number of rows that are not read yet.
    pub(super) fn len(&self) -> usize {
        self.rows
    }

    /// The bytes of all texts that were read.
    pub(super) fn bytes(&self) -> u64 {
        self.columns.iter().map(|(_, texts)| texts.bytes()).sum()
    }

    /// Reads the next rows, at most `most`; `place` is that of the first. Returns their number.
    pub(super) fn read(
        &mut self,
        most: usize,
        place: usize,
        policy: &Policy,
        calls: &mut Calls,
    ) -> Option<usize> {
        let mut rows = self.rows.min(most).min(AT_ONCE);
        for (_, texts) in &mut self.columns {
            rows = rows.min(texts.left()?);
        }
        for (_, texts) in &mut self.columns {
            texts.take(rows)?;
        }
        self.rows -= rows;
        let mut fields = [FilledFields::default(); AT_ONCE];
        let mut is_unusable = [false; AT_ONCE];
        for (field, texts) in &self.columns {
            let texts = texts.texts()?;
            for (at, text) in texts.iter() {
                fields[at].set(*field, text);
                is_unusable[at] |= text.len() > LONGEST_FIELD;
                if texts.has_nul {
                    is_unusable[at] |= text.contains('\0');
                }
            }
        }
        let cells = |wanted| {
            let column = self.columns.iter().find(|(field, _)| *field == wanted)?;
            column.1.texts()
        };
        let (account, trunk) = (cells(Field::AccountSid), cells(Field::TrunkSid));
        self.accounts.begin(calls.is_empty(), account);
        self.trunks.begin(calls.is_empty(), trunk);
        for (at, fields) in fields[..rows].iter().enumerate() {
            let place = must_fit(place + at, "a piece has fewer than 2^32 rows");
            if is_unusable[at] {
                calls.push(&Record::malformed(self.all_texts(at)?.as_bytes()), place);
            } else {
                let record = Record::read_typed(fields, [None; 3], policy);
                let ids = [
                    self.accounts.id(at, &mut calls.accounts, record.account_sid),
                    self.trunks.id(at, &mut calls.trunks, record.trunk_sid),
                ];
                calls.push_known(&record, ids, place);
            }
        }
        Some(rows)
    }

    /// The texts of a row that cannot be read, concatenated in the order of the fields.
    fn all_texts(&self, at: usize) -> Option<String> {
        let mut texts = [""; Field::ALL.len()];
        for (field, column) in &self.columns {
            let text = column.texts()?.iter().find(|(row, _)| *row == at);
            texts[*field as usize] = text.map_or("", |(_, text)| text);
        }
        Some(texts.concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::calls_parquet::CallTable;
    use crate::packed::{TextIds, pack};
    use crate::record::Field;
    use polars::prelude::*;
    use std::path::Path;

    const FIELDS: [Field; 7] = [
        Field::Sid,
        Field::ParentCallSid,
        Field::AccountSid,
        Field::TrunkSid,
        Field::StartTime,
        Field::Duration,
        Field::To,
    ];

    /// Texts, no value, and marks for a text that is too long and one that differs from row to row.
    const CELLS: [Option<&str>; 13] = [
        None,
        Some(""),
        Some(" 60 "),
        Some("NULL"),
        Some("CA0bdc88b056e88bb6c1e8637a637f44cf"),
        Some("2026-11-20T23:56:39Z"),
        Some("+14155550100"),
        Some("sip:1000@pbx.example.com"),
        Some("Zoë"),
        Some("with a \0"),
        Some("two hundred"),
        Some("too long"),
        Some("own"),
    ];

    /// A file with so many rows in a row group, and so many bytes in a page, about.
    fn file(cells: &[Vec<Option<&str>>], (rows_a_group, page): (usize, usize)) -> Vec<u8> {
        let text = |row: usize, cell: Option<&str>| {
            Some(match cell? {
                "two hundred" => "é".repeat(100),
                "too long" => "x".repeat(LONGEST_FIELD + 1),
                "own" => format!("CA{row:032x}"),
                text => text.to_owned(),
            })
        };
        let column = |(at, field): (usize, &Field)| {
            let texts = cells.iter().enumerate().map(|(row, cells)| text(row, cells[at]));
            let texts: StringChunked = texts.collect();
            texts.with_name(field.as_str().into()).into_column()
        };
        let columns = FIELDS.iter().enumerate().map(column).collect();
        let mut frame = DataFrame::new(cells.len(), columns).expect("columns of one length");
        let mut bytes = Vec::new();
        let writer = ParquetWriter::new(&mut bytes)
            .with_row_group_size(Some(rows_a_group))
            .with_data_page_size(Some(page));
        writer.finish(&mut frame).expect("a file");
        bytes
    }

    /// The records of all blocks, packed, and the length of each block.
    fn packed(blocks: &[Calls]) -> (Vec<u8>, Vec<usize>) {
        let mut bytes = Vec::new();
        for calls in blocks {
            let ids = TextIds::same(calls);
            (0..calls.len())
                .for_each(|record| pack(calls, record, calls.number[record], &ids, &mut bytes));
        }
        (bytes, blocks.iter().map(Calls::len).collect())
    }

    proptest::proptest! {
        #[test]
        fn rows_read_page_by_page_are_those_that_polars_reads(
            cells in proptest::collection::vec(
                proptest::collection::vec(proptest::sample::select(&CELLS[..]), FIELDS.len()),
                1..5 * AT_ONCE,
            ),
            (rows_a_group, page) in (1..3 * AT_ONCE, 10..3_000_usize),
            (from, to) in (0..5 * AT_ONCE, 0..5 * AT_ONCE),
        ) {
            let table = CallTable::open(
                Path::new("calls.parquet"),
                Some(file(&cells, (rows_a_group, page))),
            );
            let (table, policy) = (table.expect("a file of calls"), Policy::default());
            let (start, end) = (from.min(to).min(cells.len()), from.max(to).min(cells.len()));
            let paged = table.paged(&(start..end), &policy);
            let (paged, texts) = paged.expect("it is written as usual");
            let columns = table.slice(start, end - start).expect("rows");
            assert_eq!(packed(&paged), packed(&columns.parse(&policy)));
            assert_eq!(texts, columns.text_bytes());
        }
    }
}
