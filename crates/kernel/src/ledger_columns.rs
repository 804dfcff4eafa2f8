//! The columns of a ledger's tables: names, types and order, each once.
//!
//! The engine's Parquet files, its exports, `verify`, and the frames of the wheel have these
//! columns: a column that is added here is in all of them, and whoever fills it does not compile
//! until it does.

use crate::money::{AMOUNT_DECIMALS, PRICE_DECIMALS};

/// The type of a column. Every column may have nulls; an empty text is null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// UTF-8.
    Text,
    /// 64 bits, signed.
    Integer,
    /// A Boolean; no stored table has one.
    Flag,
    /// Microseconds since 1970 in UTC.
    Instant,
    /// A `DECIMAL(18, scale)`: units of 10^-scale.
    Decimal(u32),
}

impl ColumnType {
    /// A price per minute, a fee, or the carrier's price.
    pub const PRICE: Self = Self::Decimal(PRICE_DECIMALS);
    /// An amount.
    pub const AMOUNT: Self = Self::Decimal(AMOUNT_DECIMALS);
}

use ColumnType::{Instant, Integer, Text};

/// A column: its name and its type.
pub type Column = (&'static str, ColumnType);

/// The columns of legs (contract, section 5.1).
pub const LEGS: [Column; 25] = [
    ("call_sid", Text),
    ("parent_call_sid", Text),
    ("account_sid", Text),
    ("trunk_sid", Text),
    ("scenario", Text),
    ("leg", Integer),
    ("service", Text),
    ("leg_from", Text),
    ("leg_to", Text),
    ("rated_number", Text),
    ("origin_number", Text),
    ("start_time", Instant),
    ("duration_seconds", Integer),
    ("billed_seconds", Integer),
    ("price_per_minute", ColumnType::PRICE),
    ("connection_fee", ColumnType::PRICE),
    ("destination_prefix", Text),
    ("origin_prefix", Text),
    ("description", Text),
    ("deck", Text),
    ("deck_file", Text),
    ("deck_line", Integer),
    ("currency", Text),
    ("amount", ColumnType::AMOUNT),
    ("run_id", Text),
];

/// The columns of the call log (contract, section 5.2).
pub const LOG: [Column; 19] = [
    ("call_sid", Text),
    ("parent_call_sid", Text),
    ("account_sid", Text),
    ("trunk_sid", Text),
    ("role", Text),
    ("scenario", Text),
    ("direction", Text),
    ("from", Text),
    ("to", Text),
    ("caller_id", Text),
    ("start_time", Instant),
    ("end_time", Instant),
    ("duration_seconds", Integer),
    ("status", Text),
    ("class", Text),
    ("currency", Text),
    ("amount", ColumnType::AMOUNT),
    ("carrier_price", ColumnType::PRICE),
    ("run_id", Text),
];

/// The columns of suspended and of closed records (contract, section 5.3), including those that are
/// not exported.
pub const SUSPENSE: [Column; 24] = [
    ("call_sid", Text),
    ("parent_call_sid", Text),
    ("account_sid", Text),
    ("reason", Text),
    ("detail", Text),
    ("source_file", Text),
    ("source_line", Integer),
    ("first_seen", Text),
    ("tries", Integer),
    ("record", Text),
    ("header", Text),
    ("content", Integer),
    ("seconds", Integer),
    ("close_reason", Text),
    ("kept_account", Text),
    ("kept_start", Instant),
    ("kept_is_child", Integer),
    ("kept_root_sid", Text),
    ("kept_root_direction", Text),
    ("kept_root_from", Text),
    ("kept_root_to", Text),
    ("kept_root_trunk", Text),
    ("kept_price", Text),
    ("kept_price_unit", Text),
];

/// The columns of ignored records.
pub const IGNORED: [Column; 9] = [
    ("call_sid", Text),
    ("parent_call_sid", Text),
    ("account_sid", Text),
    ("direction", Text),
    ("start_time", Instant),
    ("source_file", Text),
    ("source_line", Integer),
    ("record", Text),
    ("header", Text),
];

/// The columns of late prices.
pub const PRICES: [Column; 2] = [("call_sid", Text), ("carrier_price", ColumnType::PRICE)];

/// The names of the first `N` columns of a table.
///
/// # Panics
/// If it has fewer.
#[must_use]
pub const fn names<const N: usize>(table: &[Column]) -> [&'static str; N] {
    let columns = first::<N>(table);
    let mut names = [""; N];
    let mut at = 0;
    while at < N {
        names[at] = columns[at].0;
        at += 1;
    }
    names
}

/// The first `N` columns of a table.
///
/// # Panics
/// If it has fewer.
#[must_use]
pub const fn first<const N: usize>(table: &[Column]) -> [Column; N] {
    assert!(N <= table.len(), "a table with at least as many columns");
    let mut columns = [("", Text); N];
    let mut at = 0;
    while at < N {
        columns[at] = table[at];
        at += 1;
    }
    columns
}

/// The columns of a table with these names, in the order of the names.
///
/// # Panics
/// If it has not all of them.
#[must_use]
pub const fn named<const N: usize>(table: &[Column], names: [&str; N]) -> [Column; N] {
    let mut columns = [("", Text); N];
    let mut at = 0;
    while at < N {
        columns[at] = column(table, names[at]);
        at += 1;
    }
    columns
}

/// The column of a table with this name.
///
/// # Panics
/// If it has none.
#[must_use]
pub const fn column(table: &[Column], name: &str) -> Column {
    let mut at = 0;
    while at < table.len() {
        if is_same(table[at].0, name) {
            return table[at];
        }
        at += 1;
    }
    panic!("the table has no column of this name")
}

/// `a == b`, which a constant may not say of texts.
pub(crate) const fn is_same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}
