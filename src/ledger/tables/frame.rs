//! polars frames, column by column.

use crate::ledger_columns::{Column as TableColumn, ColumnType};
use crate::money::STORED_DIGITS;
use crate::time::Micros;
use polars::prelude::*;

/// Columns of text, one after the other, without a heap object per value.
pub(crate) struct TextsBuilder(StringChunkedBuilder);

impl TextsBuilder {
    pub(crate) fn new(name: &str, capacity: usize) -> Self {
        Self(StringChunkedBuilder::new(name.into(), capacity))
    }

    pub(crate) fn push_str(&mut self, text: &str) {
        self.0.append_option(Some(text).filter(|text| !text.is_empty()));
    }

    pub(crate) fn finish(self) -> Column {
        self.0.finish().into_column()
    }
}

pub(crate) fn times(name: &str, values: Vec<Option<Micros>>) -> Column {
    let column: Int64Chunked = Int64Chunked::new(name.into(), values);
    column.into_datetime(TimeUnit::Microseconds, Some(TimeZone::UTC)).into_column()
}

pub(crate) fn integers(name: &str, values: Vec<i64>) -> Column {
    Int64Chunked::from_vec(name.into(), values).into_column()
}

pub(crate) fn optional_integers(name: &str, values: Vec<Option<i64>>) -> Column {
    Int64Chunked::new(name.into(), values).into_column()
}

/// A `DECIMAL(18, scale)`, which Parquet stores in 64 bits.
pub(crate) fn decimals(name: &str, values: Vec<Option<i64>>, scale: u32) -> Column {
    let values: Vec<Option<i128>> = values.into_iter().map(|v| v.map(i128::from)).collect();
    Int128Chunked::new(name.into(), values)
        .into_decimal_unchecked(STORED_DIGITS as usize, scale as usize)
        .into_column()
}

/// A frame without rows, of some columns.
#[must_use]
pub fn empty(columns: &[TableColumn]) -> DataFrame {
    let columns = columns.iter().map(|(name, kind)| match kind {
        ColumnType::Text => TextsBuilder::new(name, 0).finish(),
        ColumnType::Integer => integers(name, Vec::new()),
        ColumnType::Flag => BooleanChunked::from_slice((*name).into(), &[]).into_column(),
        ColumnType::Instant => times(name, Vec::new()),
        ColumnType::Decimal(scale) => decimals(name, Vec::new(), *scale),
    });
    frame_of(columns.collect())
}

pub(crate) fn frame_of(columns: Vec<Column>) -> DataFrame {
    DataFrame::new_infer_height(columns).expect("columns of one length and other names")
}
