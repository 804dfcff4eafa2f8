//! The columns of the stored tables: names, types and order.

use crate::ledger::place::Dataset;
use crate::ledger::tables::frame;
use crate::ledger::tables::pages::{self, Kind, TableSchema};
use crate::money::{AMOUNT_DECIMALS, PRICE_DECIMALS};
use polars::prelude::DataFrame;

/// Maximum calls of a group: the rows of a row group of the log.
pub const ROWS: usize = 1 << 16;

/// The columns of legs (contract, section 5.1).
pub const LEGS: [(&str, Kind); 25] = [
    ("call_sid", Kind::Text),
    ("parent_call_sid", Kind::Text),
    ("account_sid", Kind::Text),
    ("trunk_sid", Kind::Text),
    ("scenario", Kind::Text),
    ("leg", Kind::Integer),
    ("service", Kind::Text),
    ("leg_from", Kind::Text),
    ("leg_to", Kind::Text),
    ("rated_number", Kind::Text),
    ("origin_number", Kind::Text),
    ("start_time", Kind::Instant),
    ("duration_seconds", Kind::Integer),
    ("billed_seconds", Kind::Integer),
    ("price_per_minute", Kind::Decimal(PRICE_DECIMALS)),
    ("connection_fee", Kind::Decimal(PRICE_DECIMALS)),
    ("destination_prefix", Kind::Text),
    ("origin_prefix", Kind::Text),
    ("description", Kind::Text),
    ("deck", Kind::Text),
    ("deck_file", Kind::Text),
    ("deck_line", Kind::Integer),
    ("currency", Kind::Text),
    ("amount", Kind::Decimal(AMOUNT_DECIMALS)),
    ("run_id", Kind::Text),
];

/// The columns of the call log (contract, section 5.2).
pub const LOG: [(&str, Kind); 19] = [
    ("call_sid", Kind::Text),
    ("parent_call_sid", Kind::Text),
    ("account_sid", Kind::Text),
    ("trunk_sid", Kind::Text),
    ("role", Kind::Text),
    ("scenario", Kind::Text),
    ("direction", Kind::Text),
    ("from", Kind::Text),
    ("to", Kind::Text),
    ("caller_id", Kind::Text),
    ("start_time", Kind::Instant),
    ("end_time", Kind::Instant),
    ("duration_seconds", Kind::Integer),
    ("status", Kind::Text),
    ("class", Kind::Text),
    ("currency", Kind::Text),
    ("amount", Kind::Decimal(AMOUNT_DECIMALS)),
    ("carrier_price", Kind::Decimal(PRICE_DECIMALS)),
    ("run_id", Kind::Text),
];

const fn names<const N: usize>(columns: [(&'static str, Kind); N]) -> [&'static str; N] {
    let mut names = [""; N];
    let mut at = 0;
    while at < N {
        names[at] = columns[at].0;
        at += 1;
    }
    names
}

/// The names of the columns of legs.
pub const LEG_COLUMNS: [&str; 25] = names(LEGS);

/// The names of the columns of the log.
pub const LOG_COLUMNS: [&str; 19] = names(LOG);

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

/// The columns of suspended records, including those that are not exported.
pub const WAITING_COLUMNS: [&str; 24] = [
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
    "header",
    "content",
    "seconds",
    "close_reason",
    "kept_account",
    "kept_start",
    "kept_is_child",
    "kept_root_sid",
    "kept_root_direction",
    "kept_root_from",
    "kept_root_to",
    "kept_root_trunk",
    "kept_price",
    "kept_price_unit",
];

/// The columns that are numbers, times or money; all others are texts.
pub(crate) const NUMBERS: [&str; 16] = [
    "leg",
    "start_time",
    "end_time",
    "duration_seconds",
    "billed_seconds",
    "price_per_minute",
    "connection_fee",
    "deck_line",
    "amount",
    "carrier_price",
    "source_line",
    "tries",
    "content",
    "seconds",
    "kept_start",
    "kept_is_child",
];
