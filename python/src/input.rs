//! Records: from any table of calls, or from the text of a CSV file.

use crate::Problem;
use crate::table::{RECORD, TableWriter, fields};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use arrow_array::{
    Array, ArrayRef, Int64Array, RecordBatch, StringArray, StructArray, new_null_array,
};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, Schema, TimeUnit};
use std::path::Path;
use std::sync::Arc;
use trunkrate_inputs::calls_csv::{self, Header, LONGEST_LINE};
use trunkrate_kernel::call::Calls;
use trunkrate_kernel::columns;
use trunkrate_kernel::policy::Policy;
use trunkrate_kernel::record::{Field, Fields, Record};
use trunkrate_kernel::time;

/// The number of fields of a record; the columns of [`RECORD`] after them hold its origin.
const FIELDS: usize = Field::ALL.len();
/// The bytes of a CSV file that are read at a time.
const BLOCK: usize = 32 << 20;
/// The problem of a malformed record whose columns and quotes are right.
pub const UNREADABLE: &str = "a field is no UTF-8, holds a NUL, or is longer than 64 KiB";
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Records, column by column.
pub struct Records {
    /// All columns, in the order of [`RECORD`].
    pub columns: Vec<ArrayRef>,
    fields: Vec<StringArray>,
    pub source_file: StringArray,
    pub source_line: Int64Array,
    pub malformed: StringArray,
    pub why_malformed: StringArray,
    pub first_seen: StringArray,
    pub tries: Int64Array,
}

impl Records {
    /// Reads a structure with the columns of [`RECORD`], in any order and any type of text; absent
    /// columns are empty.
    pub fn of(rows: &StructArray) -> Result<Self, Problem> {
        let wanted = fields(&RECORD);
        let column = |field: &arrow_schema::FieldRef| match rows.column_by_name(field.name()) {
            Some(column) => cast(column, field.data_type()),
            None => Ok(new_null_array(field.data_type(), rows.len())),
        };
        let columns = wanted.iter().map(column).collect::<Result<Vec<_>, _>>()?;
        let text = |at: usize| columns[at].as_string::<i32>().clone();
        let integer = |at: usize| columns[at].as_primitive::<Int64Type>().clone();
        Ok(Self {
            fields: (0..FIELDS).map(text).collect(),
            source_file: text(FIELDS),
            source_line: integer(FIELDS + 1),
            malformed: text(FIELDS + 2),
            why_malformed: text(FIELDS + 3),
            first_seen: text(FIELDS + 4),
            tries: integer(FIELDS + 5),
            columns,
        })
    }

    /// The number of records.
    pub fn len(&self) -> usize {
        self.malformed.len()
    }

    /// The fields of a record.
    pub fn fields(&self, row: usize) -> Fields<'_> {
        let mut fields = Fields::default();
        for (field, column) in fields.0.iter_mut().zip(&self.fields) {
            *field = text(column, row);
        }
        fields
    }

    /// Adds a record to the kernel's columns, with its row as its place.
    pub fn push(&self, row: usize, policy: &Policy, calls: &mut Calls) {
        let place = u32::try_from(row).expect("fewer than 2^32 records");
        if !self.malformed.is_null(row) {
            calls.push(&Record::malformed(text(&self.malformed, row).as_bytes()), place);
            return;
        }
        let fields = self.fields(row);
        if fields.are_usable() {
            calls.push(&Record::read(&fields, policy), place);
        } else {
            calls.push(&Record::malformed(fields.0.concat().as_bytes()), place);
        }
    }

    /// True if the record comes from suspense.
    pub fn is_retried(&self, row: usize) -> bool {
        !self.tries.is_null(row)
    }
}

/// The text of a row in a column; empty if it is null.
pub fn text(column: &StringArray, row: usize) -> &str {
    if column.is_null(row) { "" } else { column.value(row) }
}

/// Casts a column; a value that does not fit is an error, not a null.
fn cast(column: &ArrayRef, to: &DataType) -> Result<ArrayRef, Problem> {
    Ok(cast_with_options(column, to, &CastOptions { safe: false, ..CastOptions::default() })?)
}

/// The columns of a batch of calls, found by name: their places in the batch and in [`RECORD`].
struct CallColumns(Vec<(usize, usize)>);

impl CallColumns {
    fn of(schema: &Schema, no_transfers: bool) -> Result<Self, Problem> {
        let mut columns: Vec<(usize, usize)> = Vec::new();
        for (at, field) in schema.fields().iter().enumerate() {
            let origin = RECORD[FIELDS..]
                .iter()
                .position(|(name, _)| name == field.name())
                .map(|at| FIELDS + at);
            let Some(to) =
                origin.or_else(|| Field::named(field.name()).map(|field| field as usize))
            else {
                continue;
            };
            if columns.iter().any(|(_, known)| *known == to) {
                return Err(Problem(format!(
                    "these are no calls: two columns are named `{}`",
                    RECORD[to].0
                )));
            }
            columns.push((at, to));
        }
        let calls = columns.iter().filter(|(_, to)| *to < FIELDS).count();
        if calls < 3 || !columns.iter().any(|(_, to)| *to == Field::Sid as usize) {
            let names: Vec<&str> =
                schema.fields().iter().map(|field| field.name().as_str()).collect();
            return Err(Problem(format!(
                "these are no calls: expected the columns sid, account_sid, direction, from, to, \
                 start_time, duration, status, …; found {names:?}"
            )));
        }
        check_columns(schema.fields().iter().map(|field| field.name().as_str()), no_transfers)?;
        Ok(Self(columns))
    }
}

/// Refuses a table whose columns lack a field needed for billing: [`columns::check`].
pub fn check_columns<'a>(
    names: impl Iterator<Item = &'a str> + Clone,
    no_transfers: bool,
) -> Result<(), Problem> {
    columns::check(names, no_transfers).map_err(|missing| {
        Problem(format!(
            "these calls cannot be billed: {missing}; {}",
            missing.hint().replace("--no-transfers", "no_transfers=True")
        ))
    })
}

/// Converts any batch of calls to records.
pub fn records(
    batch: &RecordBatch,
    source_file: Option<&str>,
    no_transfers: bool,
) -> Result<RecordBatch, Problem> {
    let columns = CallColumns::of(&batch.schema(), no_transfers)?;
    let wanted = fields(&RECORD);
    let mut found: Vec<ArrayRef> =
        wanted.iter().map(|field| new_null_array(field.data_type(), batch.num_rows())).collect();
    if let Some(name) = source_file {
        found[FIELDS] =
            Arc::new(StringArray::from_iter_values(std::iter::repeat_n(name, batch.num_rows())));
    }
    for (at, to) in columns.0 {
        found[to] = if to < FIELDS {
            refuse_numbers(batch.column(at).data_type(), RECORD[to].0)?;
            // An empty text becomes null: without a parent, the key of a family is the call's own
            // id.
            let texts = column_text(batch.column(at), RECORD[to].0)?;
            Arc::new(
                texts
                    .iter()
                    .map(|text| text.filter(|text| !text.is_empty()))
                    .collect::<StringArray>(),
            )
        } else {
            cast(batch.column(at), wanted[to].data_type())?
        };
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(wanted)), found)?)
}

/// Refuses a party column of numbers: a party read as a number has lost its `+`, and would be
/// billed as unknown.
fn refuse_numbers(found: &DataType, name: &str) -> Result<(), Problem> {
    if found.is_numeric() && matches!(name, "from" | "to" | "refer_to") {
        return Err(Problem(format!(
            "the column `{name}` holds numbers ({found}), in which the + of a telephone number is lost; expected text: read it \
             as such (pandas: dtype=str)"
        )));
    }
    Ok(())
}

/// A column as text: numbers as digits; times as ISO 8601, in UTC with `Z` if the column has a time
/// zone, else without an offset.
fn column_text(column: &ArrayRef, name: &str) -> Result<StringArray, Problem> {
    let ticks = |unit: TimeUnit| -> Vec<Option<i64>> {
        match unit {
            TimeUnit::Second => column.as_primitive::<TimestampSecondType>().iter().collect(),
            TimeUnit::Millisecond => {
                column.as_primitive::<TimestampMillisecondType>().iter().collect()
            }
            TimeUnit::Microsecond => {
                column.as_primitive::<TimestampMicrosecondType>().iter().collect()
            }
            TimeUnit::Nanosecond => {
                column.as_primitive::<TimestampNanosecondType>().iter().collect()
            }
        }
    };
    match column.data_type() {
        DataType::Timestamp(unit, zone) => {
            let suffix = if zone.is_some() { "Z" } else { "" };
            let text = |tick: i64| {
                let micros = match unit {
                    TimeUnit::Second => tick.checked_mul(1_000_000),
                    TimeUnit::Millisecond => tick.checked_mul(1_000),
                    TimeUnit::Microsecond => Some(tick),
                    TimeUnit::Nanosecond => Some(tick.div_euclid(1_000)),
                };
                // A time outside the years of calls (a database's "infinity") is written as a
                // number, which does not parse as a time.
                match micros.and_then(time::in_years) {
                    Some(micros) => format!("{}{suffix}", time::text(micros).trim_end_matches('Z')),
                    None => tick.to_string(),
                }
            };
            Ok(ticks(*unit).into_iter().map(|tick| tick.map(text)).collect())
        }
        DataType::Binary
        | DataType::LargeBinary
        | DataType::List(_)
        | DataType::LargeList(_)
        | DataType::Struct(_)
        | DataType::Map(..) => Err(Problem(format!(
            "the column `{name}` is no plain value but {}; expected text",
            column.data_type()
        ))),
        _ => Ok(cast(column, &DataType::Utf8)?.as_string::<i32>().clone()),
    }
}

/// Reads a CSV file as records, with the reader of the command line, in batches of about [`BLOCK`]
/// bytes of text. `may_be_cut` means that the text may be truncated: then a last line without a
/// line end is malformed.
pub fn read_csv(
    data: &[u8],
    source_file: &str,
    no_transfers: bool,
    may_be_cut: bool,
) -> Result<Vec<RecordBatch>, Problem> {
    let path = Path::new(source_file);
    let start = data.strip_prefix(BYTE_ORDER_MARK).unwrap_or(data).trim_ascii_start();
    if start.is_empty() {
        return Err(Problem(format!(
            "{source_file}: is not a call file: it is empty; if there really were no calls, leave \
             it out"
        )));
    }
    let length = start
        .iter()
        .position(|byte| matches!(byte, b'\n' | b'\r'))
        .map_or(start.len(), |at| at + 1);
    let length = length
        + usize::from(start[..length].ends_with(b"\r") && start[length..].starts_with(b"\n"));
    let header = Header::parse(path, &start[..length])?;
    header.check(path, &Policy { no_transfers, ..Policy::default() })?;
    let skipped = data.len() - start.len() + length;
    let mut line = 1 + lines(&data[..skipped]);
    let (mut rest, mut batches, mut rows) =
        (&data[skipped..], Vec::new(), TableWriter::new(&RECORD));
    while !rest.is_empty() {
        let mut size = rest.len().min(BLOCK);
        let scan = loop {
            let mut scan = calls_csv::scan(
                &rest[..size],
                header.delimiter,
                header.names.len(),
                size == rest.len(),
            );
            if may_be_cut && size == rest.len() {
                scan.break_open_end(&rest[..size]);
            }
            if scan.end > 0 {
                break scan;
            }
            if size > LONGEST_LINE + BLOCK || size == rest.len() {
                let problem = format!("has a line longer than {LONGEST_LINE} bytes");
                return Err(trunkrate_inputs::file::FileError::new(path, problem).at(line).into());
            }
            size = rest.len().min(size + BLOCK);
        };
        let block = &rest[..scan.end];
        let (mut at, mut record_line) = (0, line);
        calls_csv::walk(block, &scan.broken, &header, |offset, text, csv_row| {
            record_line += lines(&block[at..offset]);
            at = offset;
            let row = &mut rows.row();
            match csv_row {
                Some(csv_row) => csv_row.fields().0.iter().for_each(|field| _ = row.text(field)),
                None => (0..FIELDS).for_each(|_| _ = row.text("")),
            }
            row.text(source_file).integer(i64::try_from(record_line).unwrap_or(i64::MAX));
            if csv_row.is_none() {
                let text = String::from_utf8_lossy(text);
                let why = calls_csv::why_malformed(&text, &header)
                    .or_else(|| calls_csv::may_be_cut(&text, &header));
                row.text(&text).text(&why.unwrap_or_else(|| UNREADABLE.to_owned()));
            }
            row.nothing_more();
        });
        line += lines(block);
        batches.push(rows.batch());
        rest = &rest[scan.end..];
    }
    Ok(batches)
}

/// The number of line ends; `\r` counts only if there is no `\n`.
fn lines(bytes: &[u8]) -> u64 {
    let count = |byte| memchr::memchr_iter(byte, bytes).count() as u64;
    match count(b'\n') {
        0 => count(b'\r'),
        found => found,
    }
}
