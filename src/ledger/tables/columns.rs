//! The columns of the stored tables, as Parquet and as frames. Their list is
//! [`crate::ledger_columns`].

use crate::ledger::place::Dataset;
use crate::ledger::tables::frame;
use crate::ledger::tables::pages::{self, TableSchema};
use crate::ledger_columns::names;
pub use crate::ledger_columns::{ColumnType, IGNORED, LEGS, LOG, PRICES, SUSPENSE};
use polars::prelude::DataFrame;

/// Maximum calls of a group: the rows of a row group of the log.
pub const ROWS: usize = 1 << 16;

/// The names of the columns of legs.
pub const LEG_COLUMNS: [&str; LEGS.len()] = names(&LEGS);

/// The names of the columns of the log.
pub const LOG_COLUMNS: [&str; LOG.len()] = names(&LOG);

/// The names of the columns of suspense that are exported (contract, section 5.3): the first ten.
pub const SUSPENSE_COLUMNS: [&str; 10] = names(&SUSPENSE);

/// Legs, or else the log, as Parquet.
#[must_use]
pub fn schema(dataset: Dataset) -> TableSchema {
    if dataset == Dataset::Legs { pages::schema(&LEGS) } else { pages::schema(&LOG) }
}

/// A frame of legs, or else of the log, without rows: its columns and their types.
#[must_use]
pub fn empty(dataset: Dataset) -> DataFrame {
    let columns = if dataset == Dataset::Legs { &LEGS[..] } else { &LOG[..] };
    frame::empty(columns)
}

/// True if a column is a number, a time or money in every table that has it; false if it is a text.
///
/// # Panics
/// If no table has it.
pub(crate) fn is_number(name: &str) -> bool {
    let tables = [&LEGS[..], &LOG, &SUSPENSE, &IGNORED, &PRICES];
    let mut kinds = tables.into_iter().flatten().filter(|(column, _)| *column == name);
    let (_, kind) = kinds.next().expect("a column of a table");
    *kind != ColumnType::Text
}
