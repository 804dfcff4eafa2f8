//! Typed rows of a file of the ledger.
//!
//! ```text
//! file, first row, frame ──▶ Rows ──▶ Texts   "" for null: an empty text is stored so
//!                                └──▶ Longs   a number, or an error that names file, row and column
//! ```
//!
//! **Invariant:** no number is made up. A missing required number (null, or out of range) is an
//! error of the file; only a column that may have none gives an `Option`.

use crate::inputs::file::FileError;
use crate::ledger::error::{LedgerError, RESTORE};
use polars::prelude::{DataFrame, StringChunked};
use std::fmt::Display;
use std::path::Path;

/// Some rows of a file.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    path: &'a Path,
    /// The row number of the first of them in the file.
    first: usize,
    /// The rows.
    pub frame: &'a DataFrame,
}

impl<'a> Rows<'a> {
    /// Rows of a file; the first of them is its row `first`, counted from 0.
    #[must_use]
    pub fn new(path: &'a Path, first: usize, frame: &'a DataFrame) -> Self {
        Self { path, first, frame }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &'a Path {
        self.path
    }

    /// The number of rows.
    #[must_use]
    pub fn height(&self) -> usize {
        self.frame.height()
    }

    /// Text columns.
    ///
    /// # Panics
    /// If one was not read, or is no text.
    #[must_use]
    pub fn texts<const N: usize>(&self, names: [&str; N]) -> Texts<'a, N> {
        let columns = names.map(|name| text(self.frame, name));
        assert!(columns.iter().all(|column| column.len() == self.height()), "a text in each row");
        Texts(columns)
    }

    /// Columns of integers; times and decimals by their units.
    ///
    /// # Errors
    /// If one has a number that does not fit 64 bits.
    ///
    /// # Panics
    /// If one was not read, or is no number.
    pub fn longs<const N: usize>(
        &self,
        names: [&'static str; N],
    ) -> Result<Longs<'a, N>, LedgerError> {
        let read = |name: &&'static str| self.long(name);
        let values = names.iter().map(read).collect::<Result<Vec<_>, LedgerError>>()?;
        assert!(
            values.iter().all(|values| values.len() == self.height()),
            "a number, or none, in each row"
        );
        Ok(Longs { rows: *self, names, values: values.try_into().expect("a column for each name") })
    }

    fn long(&self, name: &str) -> Result<Vec<Option<i64>>, LedgerError> {
        let column = self.frame.column(name).expect("a column that trunkrate wrote");
        let physical = column.as_materialized_series().to_physical_repr();
        if let Ok(values) = physical.i64() {
            return Ok(values.iter().collect());
        }
        let wide = physical.i128().expect("numbers are stored in 64 or 128 bits");
        let narrow: Vec<Option<i64>> =
            wide.iter().map(|value| i64::try_from(value?).ok()).collect();
        // The value that does not fit is searched only if there is one.
        if narrow.iter().filter(|value| value.is_none()).count() == wide.null_count() {
            return Ok(narrow);
        }
        let unfit = |(row, value): (usize, Option<i128>)| {
            value.filter(|value| i64::try_from(*value).is_err()).map(|value| (row, value))
        };
        let (row, value) =
            wide.iter().enumerate().find_map(unfit).expect("a number that does not fit");
        Err(self.unfit(name, row, value))
    }

    /// Converts a number of a row to its required type: a line is not negative, seconds fit 32
    /// bits.
    ///
    /// # Errors
    /// If it does not fit.
    #[inline]
    pub fn fit<T: Copy + Display, U: TryFrom<T>>(
        &self,
        name: &str,
        row: usize,
        value: T,
    ) -> Result<U, LedgerError> {
        U::try_from(value).map_err(|_| self.unfit(name, row, value))
    }

    #[cold]
    fn unfit(&self, name: &str, row: usize, value: impl Display) -> LedgerError {
        self.wrong(name, row, &format!("is {value}, which it cannot be"))
    }

    /// The error of a cell with an invalid value.
    #[cold]
    #[must_use]
    pub fn wrong(&self, name: &str, row: usize, what: &str) -> LedgerError {
        let problem = format!("row {}: `{name}` {what}", self.first + row + 1);
        FileError::new(self.path, problem).hint(RESTORE).into()
    }
}

/// Text columns of some rows.
#[derive(Debug, Clone, Copy)]
pub struct Texts<'a, const N: usize>([&'a StringChunked; N]);

impl<'a, const N: usize> Texts<'a, N> {
    /// The texts of a row, each "" if it is null.
    ///
    /// # Panics
    /// If there is no such row.
    #[inline]
    #[must_use]
    pub fn row(&self, row: usize) -> [&'a str; N] {
        self.0.map(|column| column.get(row).unwrap_or(""))
    }

    /// One of the columns.
    #[must_use]
    pub fn column(&self, at: usize) -> &'a StringChunked {
        self.0[at]
    }
}

/// Columns of integers of some rows.
#[derive(Debug, Clone)]
pub struct Longs<'a, const N: usize> {
    rows: Rows<'a>,
    names: [&'static str; N],
    values: [Vec<Option<i64>>; N],
}

impl<const N: usize> Longs<'_, N> {
    /// The numbers of a row.
    ///
    /// # Errors
    /// If one is null.
    ///
    /// # Panics
    /// If there is no such row.
    #[inline]
    pub fn row(&self, row: usize) -> Result<[i64; N], LedgerError> {
        let mut found = [0; N];
        for (at, found) in found.iter_mut().enumerate() {
            *found = self.at(at, row)?;
        }
        Ok(found)
    }

    /// The number of a row in the column `at`.
    ///
    /// # Errors
    /// If it is null.
    ///
    /// # Panics
    /// If there is no such row or column.
    #[inline]
    pub fn at(&self, at: usize, row: usize) -> Result<i64, LedgerError> {
        match self.values[at][row] {
            Some(value) => Ok(value),
            None => Err(self.rows.wrong(self.names[at], row, "is null; expected a number")),
        }
    }

    /// The same number in its required type.
    ///
    /// # Errors
    /// If it is null, or does not fit.
    ///
    /// # Panics
    /// If there is no such row or column.
    #[inline]
    pub fn fit<U: TryFrom<i64>>(&self, at: usize, row: usize) -> Result<U, LedgerError> {
        self.rows.fit(self.names[at], row, self.at(at, row)?)
    }

    /// The numbers of a column in which null is allowed.
    #[must_use]
    pub fn optional(&self, at: usize) -> &[Option<i64>] {
        &self.values[at]
    }
}

/// A text column of a frame, with "" for null.
///
/// # Panics
/// If it was not read, or is no text.
#[must_use]
pub fn text<'a>(frame: &'a DataFrame, name: &str) -> &'a StringChunked {
    frame.column(name).and_then(|c| c.str()).expect("a column that trunkrate wrote")
}

/// An integer column of a frame, for display; times and decimals in their units.
///
/// # Panics
/// If it was not read, or is no number.
#[must_use]
pub fn units(frame: &DataFrame, name: &str) -> Vec<Option<i128>> {
    let column = frame.column(name).expect("a column that trunkrate wrote");
    let physical = column.as_materialized_series().to_physical_repr();
    if let Ok(values) = physical.i64() {
        return values.iter().map(|v| v.map(i128::from)).collect();
    }
    physical.i128().expect("numbers are stored in 64 or 128 bits").iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::*;

    fn frame() -> DataFrame {
        let wide = [Some(7_i128), None, Some(i128::from(i64::MAX) + 1)];
        DataFrame::new_infer_height(vec![
            StringChunked::from_iter_options(
                "call_sid".into(),
                [Some("CA1"), None, Some("CA3")].into_iter(),
            )
            .into_column(),
            Int64Chunked::from_iter_options(
                "source_line".into(),
                [Some(2), None, Some(-3)].into_iter(),
            )
            .into_column(),
            Int128Chunked::new(
                "amount".into(),
                &wide[..2].iter().copied().chain([Some(-9)]).collect::<Vec<_>>(),
            )
            .into_decimal_unchecked(18, 8)
            .into_column(),
            Int128Chunked::new("sum".into(), &wide).into_decimal_unchecked(38, 8).into_column(),
        ])
        .expect("columns of one length")
    }

    fn said<T: std::fmt::Debug>(result: Result<T, LedgerError>) -> String {
        match result.expect_err("it cannot be read") {
            LedgerError::File(error) => {
                assert_eq!(error.hint.as_deref(), Some(RESTORE));
                error.to_string()
            }
            other => other.to_string(),
        }
    }

    #[test]
    fn a_number_that_must_be_there_is_or_is_an_error() {
        let frame = frame();
        let rows = Rows::new(Path::new("runs/1/legs/part-0.parquet"), 100, &frame);
        let numbers = rows.longs(["source_line", "amount"]).expect("both are numbers");
        assert_eq!(numbers.row(0).expect("both are there"), [2, 7]);
        assert_eq!(numbers.optional(1), [Some(7), None, Some(-9)]);
        assert_eq!(
            said(numbers.row(1)),
            "runs/1/legs/part-0.parquet: row 102: `source_line` is null; expected a number"
        );
        assert_eq!(
            said(numbers.at(1, 1)),
            "runs/1/legs/part-0.parquet: row 102: `amount` is null; expected a number"
        );
    }

    #[test]
    fn a_number_out_of_range_is_an_error() {
        let frame = frame();
        let rows = Rows::new(Path::new("suspense.parquet"), 0, &frame);
        let numbers = rows.longs(["source_line"]).expect("numbers");
        assert_eq!(numbers.fit::<u64>(0, 0).expect("it fits"), 2);
        assert_eq!(
            said(numbers.fit::<u64>(0, 2)),
            "suspense.parquet: row 3: `source_line` is -3, which it cannot be"
        );
        let wide = said(rows.longs(["sum"]));
        assert_eq!(
            wide,
            "suspense.parquet: row 3: `sum` is 9223372036854775808, which it cannot be"
        );
    }

    #[test]
    fn a_text_that_is_null_is_empty() {
        let frame = frame();
        let texts = Rows::new(Path::new("calls.parquet"), 0, &frame).texts(["call_sid"]);
        assert_eq!([0, 1, 2].map(|row| texts.row(row)), [["CA1"], [""], ["CA3"]]);
        assert_eq!(units(&frame, "amount"), [Some(7), None, Some(-9)]);
    }
}
