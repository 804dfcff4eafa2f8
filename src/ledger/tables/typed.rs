//! Typed rows: structs whose fields are columns of a stored table.
//!
//! ```text
//! ledger_columns ────────────┐
//! stored_row! { struct … } ──┴▶ when compiled: each field is a column that its type reads
//! Rows of a file ──reader──▶ a row as the struct, or an error that names file, row and column
//! ```
//!
//! # Why
//! A reader names a column once, as a field. With a list of names, a pattern for the texts and one
//! for the numbers, each column stood three times, and two texts could be exchanged unnoticed.

use super::stored::{Longs, Rows, text};
pub(crate) use crate::ledger::error::LedgerError;
use crate::ledger_columns::{Column, ColumnType, column};
use crate::money::{AMOUNT_DECIMALS, Amount, PRICE_DECIMALS, Price, Total};
use polars::prelude::StringChunked;

/// The values read of a row.
pub(crate) type Read<T> = Result<T, LedgerError>;

/// The kinds of column that a type of field reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadAs {
    /// A text.
    Text,
    /// Any number: an integer, an instant in microseconds, or a decimal in its units.
    Number,
    /// A decimal of this scale, in its units.
    Decimal(u32),
}

/// A type that a field of a stored row may have.
pub trait Cell<'a>: Sized {
    /// The kinds of column that it reads.
    const WANTED: ReadAs;
    /// The column that it is read from.
    type Column;

    /// The column of some rows.
    ///
    /// # Errors
    /// If it has a number that does not fit 64 bits.
    fn column(rows: &Rows<'a>, name: &'static str) -> Result<Self::Column, LedgerError>;

    /// The value of a row.
    ///
    /// # Errors
    /// If it is a number that is null or does not fit.
    fn read(column: &Self::Column, row: usize) -> Result<Self, LedgerError>;
}

/// A text; "" for null.
impl<'a> Cell<'a> for &'a str {
    const WANTED: ReadAs = ReadAs::Text;
    type Column = &'a StringChunked;

    fn column(rows: &Rows<'a>, name: &'static str) -> Result<Self::Column, LedgerError> {
        Ok(text(rows.frame, name))
    }

    #[inline]
    fn read(column: &Self::Column, row: usize) -> Result<Self, LedgerError> {
        Ok(column.get(row).unwrap_or(""))
    }
}

/// A type that is made from a column of integers.
macro_rules! number {
    ($type:ty, $wanted:expr, |$column:ident, $row:ident| $read:expr) => {
        impl<'a> Cell<'a> for $type {
            const WANTED: ReadAs = $wanted;
            type Column = Longs<'a, 1>;

            fn column(rows: &Rows<'a>, name: &'static str) -> Result<Self::Column, LedgerError> {
                rows.longs([name])
            }

            #[inline]
            fn read($column: &Self::Column, $row: usize) -> Result<Self, LedgerError> {
                $read
            }
        }
    };
}

number!(i64, ReadAs::Number, |column, row| column.at(0, row));
number!(u32, ReadAs::Number, |column, row| column.fit(0, row));
number!(u64, ReadAs::Number, |column, row| column.fit(0, row));
number!(Option<i64>, ReadAs::Number, |column, row| Ok(column.optional(0)[row]));
number!(Price, ReadAs::Decimal(PRICE_DECIMALS), |column, row| {
    column.at(0, row).map(Price::from_units)
});
number!(Amount, ReadAs::Decimal(AMOUNT_DECIMALS), |column, row| {
    column.at(0, row).map(Amount::from_units)
});
number!(Total, ReadAs::Decimal(AMOUNT_DECIMALS), |column, row| {
    column.at(0, row).map(|units| Total::from_units(units.into()))
});

/// Checks, when it is compiled, that a table has a column that a type reads.
///
/// # Panics
/// If it has not.
pub const fn check(table: &[Column], name: &str, wanted: ReadAs) {
    let (_, found) = column(table, name);
    let fits = match (wanted, found) {
        (ReadAs::Text, found) => matches!(found, ColumnType::Text),
        (ReadAs::Number, found) => !matches!(found, ColumnType::Text | ColumnType::Flag),
        (ReadAs::Decimal(wanted), ColumnType::Decimal(scale)) => wanted == scale,
        (ReadAs::Decimal(_), _) => false,
    };
    assert!(fits, "a field's type that reads the column");
}

/// Declares a row of a table by the columns that are read of it: see the page of this module.
///
/// The struct gets `COLUMNS`, the names of its fields, and `reader`, which reads rows.
macro_rules! stored_row {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident<$life:lifetime> of $table:path {
            $($(#[$note:meta])* $field:ident: $type:ty,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy)]
        #[allow(missing_docs, reason = "the columns of the table")]
        $vis struct $name<$life> {
            $($(#[$note])* $vis $field: $type,)*
        }

        impl<$life> $name<$life> {
            /// The columns that are read: a field for each.
            $vis const COLUMNS: &'static [&'static str] = {
                $($crate::ledger::tables::typed::check(
                    &$table,
                    stringify!($field),
                    <$type as $crate::ledger::tables::typed::Cell<$life>>::WANTED,
                );)*
                &[$(stringify!($field)),*]
            };

            /// Reads some rows, which have at least these columns, row by row.
            ///
            /// # Errors
            /// If a column has a number that does not fit 64 bits.
            $vis fn reader(
                rows: &$crate::ledger::tables::stored::Rows<$life>,
            ) -> Result<
                impl Fn(usize) -> $crate::ledger::tables::typed::Read<Self> + use<$life>,
                $crate::ledger::tables::typed::LedgerError,
            > {
                use $crate::ledger::tables::typed::Cell;
                $(let $field = <$type as Cell<$life>>::column(rows, stringify!($field))?;)*
                Ok(move |row| Ok(Self { $($field: <$type as Cell<$life>>::read(&$field, row)?,)* }))
            }
        }
    };
}

pub(crate) use stored_row;
