//! The tables that go in and out: their columns, and the writing of their rows.

use arrow_array::builder::{
    BooleanBuilder, Decimal128Builder, Int64Builder, NullBufferBuilder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, RecordBatch, StructArray};
use arrow_schema::{DataType, Field, Fields, Schema, TimeUnit};
use std::sync::Arc;
use trunkrate_kernel::ledger_columns::{self, Column, ColumnType, LEGS, PRICES, first, named};

use ColumnType::{Flag, Instant, Integer, Text};

/// One record as it came: the fields of the carrier's Call resource, and its origin.
pub const RECORD: [Column; 21] = [
    ("sid", Text),
    ("parent_call_sid", Text),
    ("account_sid", Text),
    ("trunk_sid", Text),
    ("direction", Text),
    ("from", Text),
    ("to", Text),
    ("start_time", Text),
    ("end_time", Text),
    ("duration", Text),
    ("status", Text),
    ("price", Text),
    ("price_unit", Text),
    ("refer_to", Text),
    ("answer_time", Text),
    ("source_file", Text),
    ("source_line", Integer),
    ("malformed", Text),
    ("why_malformed", Text),
    ("first_seen", Text),
    ("tries", Integer),
];

/// The facts of a booked or ignored call that later nights need.
///
/// The columns after the root's facts describe the call itself, so that another version of it can
/// be distinguished from another call. Nights published before these columns existed have nulls
/// there.
pub const KNOWN: [Column; 17] = [
    ("call_sid", Text),
    ("content", Integer),
    ("carrier_price", ColumnType::PRICE),
    ("is_ignored", Flag),
    ("account_sid", Text),
    ("start_time", Instant),
    ("is_child", Flag),
    ("root_sid", Text),
    ("root_direction", Text),
    ("root_from", Text),
    ("root_to", Text),
    ("root_trunk", Text),
    ("trunk_sid", Text),
    ("target", Text),
    ("end_time", Instant),
    ("duration_seconds", Integer),
    ("status", Text),
];

/// Legs, as in the ledger; the run is not known yet.
pub const LEG: [Column; LEGS.len() - 1] = first(&LEGS);

/// The call log, as in the ledger; the run is not known yet.
pub const LOG: [Column; ledger_columns::LOG.len() - 1] = first(&ledger_columns::LOG);

/// The late price that a copy brought for a call of an earlier night.
pub const LATE_PRICE: [Column; 2] = PRICES;

/// The verdict on a record, without the parts that are tables of their own.
pub const VERDICT: [Column; 6] = [
    ("class", Text),
    ("reason", Text),
    ("detail", Text),
    ("seconds", Integer),
    ("is_retried", Flag),
    ("start_time", Instant),
];

/// Suspense, without the record's own fields, which a later night reads again.
pub const SUSPENSE: [Column; 11] = named(
    &ledger_columns::SUSPENSE,
    [
        "call_sid",
        "parent_call_sid",
        "account_sid",
        "reason",
        "detail",
        "source_file",
        "source_line",
        "first_seen",
        "tries",
        "record",
        "seconds",
    ],
);

fn data_type(column: ColumnType) -> DataType {
    match column {
        Text => DataType::Utf8,
        Integer => DataType::Int64,
        Flag => DataType::Boolean,
        Instant => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        ColumnType::Decimal(scale) => {
            let scale = i8::try_from(scale).expect("a scale below 18");
            DataType::Decimal128(18, scale)
        }
    }
}

/// The columns of a table, all of which may be null.
pub fn fields(columns: &[Column]) -> Fields {
    columns.iter().map(|(name, kind)| Field::new(*name, data_type(*kind), true)).collect()
}

fn structure(name: &str, columns: &[Column]) -> Field {
    Field::new(name, DataType::Struct(fields(columns)), true)
}

/// A list of rows of a table.
pub fn list(name: &str, columns: &[Column]) -> Field {
    Field::new_list(name, Field::new("item", DataType::Struct(fields(columns)), true), true)
}

/// The input of `rate_joined`. A null family is refused there, with advice, and not by its type.
pub fn family() -> Fields {
    Fields::from(vec![
        Field::new("family", DataType::Utf8, true),
        list("records", &RECORD),
        list("known", &KNOWN),
    ])
}

/// The output of `rate_joined`.
pub fn rated() -> Fields {
    let mut all: Vec<Arc<Field>> = fields(&VERDICT).iter().cloned().collect();
    let tables = [
        structure("record", &RECORD),
        structure("log", &LOG),
        list("legs", &LEG),
        structure("known", &KNOWN),
    ];
    all.extend(tables.into_iter().chain([structure("late_price", &LATE_PRICE)]).map(Arc::new));
    all.into()
}

/// The output of `finish_suspense`.
pub fn suspense() -> Fields {
    let mut all: Vec<Arc<Field>> = fields(&SUSPENSE).iter().cloned().collect();
    all.push(Arc::new(structure("fields", &RECORD)));
    all.into()
}

enum ColumnValues {
    Text(StringBuilder),
    Integer(Int64Builder),
    Flag(BooleanBuilder),
    Instant(TimestampMicrosecondBuilder),
    Decimal(Decimal128Builder),
}

impl ColumnValues {
    fn new(kind: ColumnType) -> Self {
        match kind {
            Text => Self::Text(StringBuilder::new()),
            Integer => Self::Integer(Int64Builder::new()),
            Flag => Self::Flag(BooleanBuilder::new()),
            Instant => {
                Self::Instant(TimestampMicrosecondBuilder::new().with_data_type(data_type(kind)))
            }
            ColumnType::Decimal(_) => {
                Self::Decimal(Decimal128Builder::new().with_data_type(data_type(kind)))
            }
        }
    }

    fn null(&mut self) {
        match self {
            Self::Text(column) => column.append_null(),
            Self::Integer(column) => column.append_null(),
            Self::Flag(column) => column.append_null(),
            Self::Instant(column) => column.append_null(),
            Self::Decimal(column) => column.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(column) => Arc::new(column.finish()),
            Self::Integer(column) => Arc::new(column.finish()),
            Self::Flag(column) => Arc::new(column.finish()),
            Self::Instant(column) => Arc::new(column.finish()),
            Self::Decimal(column) => Arc::new(column.finish()),
        }
    }
}

/// A table that is being written, row by row.
pub struct TableWriter {
    fields: Fields,
    columns: Vec<ColumnValues>,
    present: NullBufferBuilder,
    buffer: String,
}

impl TableWriter {
    /// An empty table with these columns.
    pub fn new(columns: &[Column]) -> Self {
        Self {
            fields: fields(columns),
            columns: columns.iter().map(|(_, kind)| ColumnValues::new(*kind)).collect(),
            present: NullBufferBuilder::new(0),
            buffer: String::new(),
        }
    }

    /// The number of rows written.
    pub fn len(&self) -> usize {
        self.present.len()
    }

    /// Begins a row, whose columns must then all be written, in order.
    pub fn row(&mut self) -> RowWriter<'_> {
        self.present.append_non_null();
        RowWriter { columns: self.columns.iter_mut(), buffer: &mut self.buffer }
    }

    /// Writes a null row.
    pub fn null(&mut self) {
        self.present.append_null();
        self.columns.iter_mut().for_each(ColumnValues::null);
    }

    /// Takes the rows as a structure; the table is empty afterwards.
    pub fn structure(&mut self) -> StructArray {
        let columns = self.columns.iter_mut().map(ColumnValues::finish).collect();
        StructArray::new(self.fields.clone(), columns, self.present.finish())
    }

    /// Takes the columns; the table is empty afterwards.
    pub fn columns(&mut self) -> Vec<ArrayRef> {
        self.present.finish();
        self.columns.iter_mut().map(ColumnValues::finish).collect()
    }

    /// Takes the rows as a batch; the table is empty afterwards.
    pub fn batch(&mut self) -> RecordBatch {
        let columns = self.columns();
        RecordBatch::try_new(Arc::new(Schema::new(self.fields.clone())), columns)
            .expect("columns of their own types")
    }
}

/// A row that is being written, column by column. A value of another kind than its column's is a
/// bug.
pub struct RowWriter<'a> {
    columns: std::slice::IterMut<'a, ColumnValues>,
    buffer: &'a mut String,
}

impl RowWriter<'_> {
    fn next(&mut self) -> &mut ColumnValues {
        self.columns.next().expect("a value for each column, and no more")
    }

    /// Writes a text; an empty one becomes null.
    pub fn text(&mut self, text: &str) -> &mut Self {
        let Some(ColumnValues::Text(column)) = self.columns.next() else {
            panic!("a column of texts")
        };
        column.append_option(Some(text).filter(|text| !text.is_empty()));
        self
    }

    /// Writes a text that a function appends to a buffer.
    pub fn written(&mut self, write: impl FnOnce(&mut String)) -> &mut Self {
        self.buffer.clear();
        write(self.buffer);
        let Some(ColumnValues::Text(column)) = self.columns.next() else {
            panic!("a column of texts")
        };
        column.append_option(Some(self.buffer.as_str()).filter(|text| !text.is_empty()));
        self
    }

    /// Writes an integer.
    pub fn integer(&mut self, value: impl Into<Option<i64>>) -> &mut Self {
        let ColumnValues::Integer(column) = self.next() else { panic!("a column of integers") };
        column.append_option(value.into());
        self
    }

    /// Writes a Boolean.
    pub fn flag(&mut self, value: bool) -> &mut Self {
        let ColumnValues::Flag(column) = self.next() else { panic!("a column of flags") };
        column.append_value(value);
        self
    }

    /// Writes an instant.
    pub fn instant(&mut self, micros: impl Into<Option<i64>>) -> &mut Self {
        let ColumnValues::Instant(column) = self.next() else { panic!("a column of instants") };
        column.append_option(micros.into());
        self
    }

    /// Writes units of a price or an amount.
    pub fn decimal(&mut self, units: impl Into<Option<i64>>) -> &mut Self {
        let ColumnValues::Decimal(column) = self.next() else { panic!("a column of decimals") };
        column.append_option(units.into().map(i128::from));
        self
    }

    /// Writes nulls to the rest of the row.
    pub fn nothing_more(&mut self) {
        self.columns.by_ref().for_each(ColumnValues::null);
    }
}
