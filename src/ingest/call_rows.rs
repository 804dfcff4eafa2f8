//! Rows of Parquet, column by column, into [`Calls`].
//!
//! **Invariant:** a record is what the same texts would be in a CSV file; a time that is an instant
//! by its type counts as the instant, as its text would.
//!
//! # Why
//! A few rows are first taken column by column, and then read record by record. The cells of a
//! record lie in fourteen arrays: taken row by row each waits for memory, while the waits for those
//! of one column overlap. 3 % less CPU outside the kernel for a run (measured).

#![allow(clippy::disallowed_methods, reason = "a cell without a value is empty")]

use crate::call::Calls;
use crate::fit::must_fit;
use crate::policy::Policy;
use crate::record::{Field, FilledFields, LONGEST_FIELD, Record};
use crate::time::{self, Micros};
use polars::prelude::*;
use std::ops::Range;

/// The number of rows in one block of calls.
pub(super) const ROWS: usize = 1 << 13;

/// The number of rows that are taken column by column at a time: their fields stay in the cache.
const AT_ONCE: usize = 1 << 6;

/// Rows of calls, column by column.
#[derive(Debug)]
pub struct CallRows {
    pub(super) rows: usize,
    pub(super) columns: Vec<(Field, CallColumn)>,
    /// The texts of malformed records, of a published night.
    pub(super) malformed: Option<StringChunked>,
}

/// A column.
#[derive(Debug)]
pub(super) enum CallColumn {
    Text(CallTexts),
    Times(CallTimes),
}

/// A column of texts.
#[derive(Debug)]
pub(super) struct CallTexts {
    column: StringChunked,
    /// True if no text holds a NUL. Checking each field by itself took 6 % of a run.
    has_no_nul: bool,
}

impl CallTexts {
    fn new(column: StringChunked) -> Self {
        let has_no_nul = column.downcast_iter().all(|array| {
            let short = |view: u128| {
                // The length is below the text, and at most twelve bytes above it. Other bytes
                // become 255.
                let text = view >> 32
                    | u128::MAX
                        .checked_shl(must_fit::<_, u32>(view & 15, "four bits fit 32") * 8)
                        .unwrap_or(0);
                (text.wrapping_sub(ONES) & !text & ONES << 7) == 0
            };
            array.views().iter().all(|view| !view.is_inline() || short(view.as_u128()))
                && array.data_buffers().iter().all(|buffer| memchr::memchr(0, buffer).is_none())
        });
        Self { column, has_no_nul }
    }
}

/// A 1 in each byte.
const ONES: u128 = u128::from_le_bytes([1; 16]);

/// A column of times, each a count of units since 1970.
#[derive(Debug)]
pub(super) struct CallTimes {
    ticks: Int64Chunked,
    unit: TimeUnit,
    /// True for instants, false for local times.
    in_utc: bool,
}

impl CallRows {
    /// The total size of all texts, in bytes.
    pub(super) fn text_bytes(&self) -> u64 {
        let malformed = self.malformed.as_ref().map_or(0, text_bytes);
        self.columns.iter().map(|(_, cells)| cells.text_bytes()).sum::<u64>() + malformed
    }

    /// Reads the rows, a few thousand at a time: dealing them out accesses them in random order.
    /// The place of a record is its row in the slice.
    #[must_use]
    pub fn parse(&self, policy: &Policy) -> Vec<Calls> {
        let columns = TypedColumns::of(self);
        let block = |first: usize| {
            let (mut calls, end) = (Calls::default(), self.rows.min(first + ROWS));
            calls.reserve(end - first);
            for first in (first..end).step_by(AT_ONCE) {
                self.read(first..end.min(first + AT_ONCE), &columns, policy, &mut calls);
            }
            calls
        };
        (0..self.rows).step_by(ROWS).map(block).collect()
    }

    /// Reads a few rows, first column by column, then row by row.
    fn read(
        &self,
        rows: Range<usize>,
        columns: &TypedColumns<'_>,
        policy: &Policy,
        calls: &mut Calls,
    ) {
        let mut known = [[None; 3]; AT_ONCE];
        // Times that are no instants count by their texts.
        let mut written = Vec::new();
        for (field, column) in &columns.times {
            for (at, row) in rows.clone().enumerate() {
                let Some(tick) = column.ticks.get(row) else { continue };
                match column.instant(tick, policy) {
                    Some(instant) => known[at][time_number(*field)] = Some(instant),
                    None => written.push((at, *field, column.text(tick).unwrap_or_default())),
                }
            }
        }
        let mut fields = [FilledFields::default(); AT_ONCE];
        let mut is_unusable = [false; AT_ONCE];
        for (field, array) in &columns.texts {
            for ((row, fields), is_unusable) in rows.clone().zip(&mut fields).zip(&mut is_unusable)
            {
                let text = array.get(row).unwrap_or("");
                fields.set(*field, text);
                *is_unusable |= text.len() > LONGEST_FIELD;
                if !columns.have_no_nul {
                    *is_unusable |= text.contains('\0');
                }
            }
        }
        for (field, _) in &columns.times {
            for (fields, known) in fields.iter_mut().zip(&known) {
                fields.set(*field, known[time_number(*field)].map_or("", |_| "known"));
            }
        }
        for (at, field, text) in &written {
            fields[*at].set(*field, text);
        }
        for (at, row) in rows.enumerate() {
            let place = must_fit(row, "a slice has fewer than 2^32 rows");
            if let Some(text) = self.malformed.as_ref().and_then(|texts| texts.get(row)) {
                calls.push(&Record::malformed(text.as_bytes()), place);
            } else if is_unusable[at] {
                calls.push(&Record::malformed(self.all_texts(row).as_bytes()), place);
            } else {
                calls.push(&Record::read_typed(&fields[at], known[at], policy), place);
            }
        }
    }

    /// The texts of a row that cannot be read, concatenated in the order of the fields.
    fn all_texts(&self, row: usize) -> String {
        let mut texts: [String; Field::ALL.len()] = Default::default();
        for (field, cells) in &self.columns {
            texts[*field as usize] = match cells {
                CallColumn::Text(cells) => cells.column.get(row).unwrap_or("").to_owned(),
                CallColumn::Times(column) => {
                    column.ticks.get(row).and_then(|tick| column.text(tick)).unwrap_or_default()
                }
            };
        }
        texts.concat()
    }
}

/// The texts of a column.
type TextArray = <StringType as PolarsDataType>::Array;

/// The columns of some rows by their type, each as one array: read directly, they take 50 ns a
/// record less than through the column.
struct TypedColumns<'a> {
    texts: Vec<(Field, &'a TextArray)>,
    times: Vec<(Field, &'a CallTimes)>,
    /// True if no text holds a NUL.
    have_no_nul: bool,
}

impl<'a> TypedColumns<'a> {
    fn of(rows: &'a CallRows) -> Self {
        let mut columns = Self { texts: Vec::new(), times: Vec::new(), have_no_nul: true };
        for (field, cells) in &rows.columns {
            match cells {
                CallColumn::Text(cells) => {
                    columns.have_no_nul &= cells.has_no_nul;
                    let array = cells.column.downcast_iter().next();
                    columns.texts.extend(array.map(|array| (*field, array)));
                }
                CallColumn::Times(column) => columns.times.push((*field, column)),
            }
        }
        let mut lengths = columns.texts.iter().map(|(_, array)| array.len());
        assert!(
            lengths.all(|length| length == rows.rows),
            "a column is one array, with a cell in each row"
        );
        columns
    }
}

/// The index of a time among those that [`Record::read_typed`] takes.
fn time_number(field: Field) -> usize {
    match field {
        Field::StartTime => 0,
        Field::EndTime => 1,
        _ => 2,
    }
}

/// The total size of a column's texts, in bytes.
fn text_bytes(column: &StringChunked) -> u64 {
    column.downcast_iter().map(|array| array.total_bytes_len() as u64).sum()
}

impl CallColumn {
    fn text_bytes(&self) -> u64 {
        match self {
            Self::Text(texts) => text_bytes(&texts.column),
            Self::Times(_) => 0,
        }
    }

    pub(super) fn of(series: &Series, field: Field) -> PolarsResult<Self> {
        let is_time = matches!(field, Field::StartTime | Field::EndTime | Field::AnswerTime);
        match CallTimes::of(series)? {
            Some(times) if is_time => Ok(Self::Times(times)),
            _ => Ok(Self::Text(CallTexts::new(column_text(series)?.rechunk().into_owned()))),
        }
    }
}

impl CallTimes {
    /// Reads a column of times; `None` if it is none.
    fn of(series: &Series) -> PolarsResult<Option<Self>> {
        let DataType::Datetime(unit, zone) = series.dtype() else { return Ok(None) };
        let ticks = series.to_physical_repr().i64()?.rechunk().into_owned();
        Ok(Some(Self { ticks, unit: *unit, in_utc: zone.is_some() }))
    }

    fn micros(&self, tick: i64) -> Option<Micros> {
        match self.unit {
            TimeUnit::Nanoseconds => Some(tick.div_euclid(1_000)),
            TimeUnit::Microseconds => Some(tick),
            TimeUnit::Milliseconds => tick.checked_mul(1_000),
        }
    }

    /// The instant that [`time::parse`] would find in the text.
    fn instant(&self, tick: i64, policy: &Policy) -> Option<Micros> {
        let micros = self.micros(tick)?;
        if self.in_utc {
            time::in_years(micros)
        } else {
            time::of_local(micros, policy.zone.as_ref()?)
        }
    }

    fn text(&self, tick: i64) -> Option<String> {
        let micros = self.micros(tick)?;
        let suffix = if self.in_utc { "Z" } else { "" };
        // An instant out of range (a database's "infinity") stays a number, which is no time.
        let in_range = chrono::DateTime::from_timestamp_micros(micros).is_some();
        Some(if in_range {
            format!("{}{suffix}", time::text(micros).trim_end_matches('Z'))
        } else {
            tick.to_string()
        })
    }
}

/// A column as text: numbers with their digits, times as ISO 8601.
pub(super) fn column_text(series: &Series) -> PolarsResult<StringChunked> {
    if let Some(times) = CallTimes::of(series)? {
        return Ok(times.ticks.iter().map(|tick| tick.and_then(|tick| times.text(tick))).collect());
    }
    match series.dtype() {
        DataType::String => Ok(series.str()?.clone()),
        DataType::List(_) | DataType::Binary => Err(PolarsError::ComputeError(
            format!("the column `{}` is no plain value", series.name()).into(),
        )),
        _ => Ok(series.cast(&DataType::String)?.str()?.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packed::{TextIds, pack};
    use crate::record::Fields;

    const FIELDS: [Field; 5] =
        [Field::Sid, Field::ParentCallSid, Field::StartTime, Field::Duration, Field::To];

    /// Texts, no value, and a mark for a text that is too long.
    const CELLS: [Option<&str>; 14] = [
        None,
        Some(""),
        Some(" 60 "),
        Some("NULL"),
        Some("-"),
        Some("CA0bdc88b056e88bb6c1e8637a637f44cf"),
        Some("CA0bdc88b056e88bb6c1e8637a637f44cF"),
        Some("2026-11-20T23:56:39Z"),
        Some("yesterday"),
        Some("+14155550100"),
        Some("sip:1000@pbx.example.com"),
        Some("Zoë"),
        Some("with a \0"),
        Some("long"),
    ];

    /// All records of some calls, packed.
    fn packed(calls: &Calls) -> Vec<u8> {
        let (ids, mut bytes) = (TextIds::same(calls), Vec::new());
        (0..calls.len())
            .for_each(|record| pack(calls, record, calls.number[record], &ids, &mut bytes));
        bytes
    }

    proptest::proptest! {
        #[test]
        fn rows_taken_by_column_come_to_what_each_record_is_by_itself(
            cells in proptest::collection::vec(
                proptest::collection::vec(proptest::sample::select(&CELLS[..]), FIELDS.len()),
                1..3 * AT_ONCE,
            ),
        ) {
            let (policy, long) = (Policy::default(), "x".repeat(LONGEST_FIELD + 1));
            let text = |cell: Option<&'static str>| {
                cell.map(|text| if text == "long" { long.as_str() } else { text })
            };
            let column = |at: usize| {
                let column: StringChunked = cells.iter().map(|row| text(row[at])).collect();
                (FIELDS[at], CallColumn::Text(CallTexts::new(column)))
            };
            let columns = (0..FIELDS.len()).map(column).collect();
            let mut expected = Calls::default();
            for (place, row) in (0..).zip(&cells) {
                let mut fields = Fields::default();
                for (field, cell) in FIELDS.iter().zip(row) {
                    fields.0[*field as usize] = text(*cell).unwrap_or("");
                }
                let record = if fields.are_usable() {
                    Record::read(&fields, &policy)
                } else {
                    Record::malformed(fields.0.concat().as_bytes())
                };
                expected.push(&record, place);
            }
            let found = CallRows { rows: cells.len(), columns, malformed: None }.parse(&policy);
            assert_eq!(found.len(), 1, "fewer rows than a block has");
            assert_eq!(packed(&found[0]), packed(&expected));
        }
    }

    #[test]
    fn a_nul_is_found_in_texts_of_every_length() {
        for length in 0..40 {
            let text = "a0".repeat(20)[..length].to_owned();
            let has_no_nul = |text: &str| {
                CallTexts::new(StringChunked::from_slice("x".into(), &["a", text])).has_no_nul
            };
            assert!(has_no_nul(&text), "{text:?}");
            for at in 0..length {
                let mut bytes = text.clone().into_bytes();
                bytes[at] = 0;
                let text = String::from_utf8(bytes).unwrap();
                assert!(!has_no_nul(&text), "{text:?}");
            }
        }
    }
}
