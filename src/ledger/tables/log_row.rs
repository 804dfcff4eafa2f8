//! A row of the call log, typed: read in one place, from the columns of the log's schema.

use crate::ledger::error::LedgerError;
use crate::ledger::tables::columns::{LOG, LOG_COLUMNS};
use crate::ledger::tables::pages::Kind;
use crate::ledger::tables::stored::Rows;
use crate::money::{AMOUNT_DECIMALS, PRICE_DECIMALS, decimal_text};
use crate::time::{self, Micros};

/// A row of the call log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the columns of the contract, section 5.2")]
pub struct LogRow {
    pub call_sid: String,
    pub parent_call_sid: String,
    pub account_sid: String,
    pub trunk_sid: String,
    pub role: String,
    pub scenario: String,
    pub direction: String,
    pub from: String,
    pub to: String,
    pub caller_id: String,
    pub start: Micros,
    pub end: Option<Micros>,
    pub duration_seconds: u32,
    pub status: String,
    pub class: String,
    pub currency: String,
    /// In units of 10⁻⁸.
    pub amount: i128,
    /// In units of 10⁻¹⁰; a charge is negative.
    pub carrier_price: Option<i64>,
    pub run_id: String,
}

/// The text columns of the log, in its order.
const TEXTS: [&str; 14] = {
    let mut names = [""; 14];
    let (mut at, mut column) = (0, 0);
    while column < LOG.len() {
        if matches!(LOG[column].1, Kind::Text) {
            names[at] = LOG[column].0;
            at += 1;
        }
        column += 1;
    }
    assert!(at == names.len(), "as many texts as the log has");
    names
};

/// The columns in which no row is null.
const NUMBERS: [&str; 3] = ["start_time", "duration_seconds", "amount"];

/// The columns in which a row may be null.
const OPTIONAL: [&str; 2] = ["end_time", "carrier_price"];

impl LogRow {
    /// The rows of a frame with all columns of the log.
    ///
    /// # Errors
    /// A number that is missing, or cannot be.
    pub fn all(rows: &Rows<'_>) -> Result<Vec<Self>, LedgerError> {
        let texts = rows.texts(TEXTS);
        let (numbers, optional) = (rows.longs(NUMBERS)?, rows.longs(OPTIONAL)?);
        let row = |at: usize| {
            let [
                call_sid,
                parent_call_sid,
                account_sid,
                trunk_sid,
                role,
                scenario,
                direction,
                from,
                to,
                caller_id,
                status,
                class,
                currency,
                run_id,
            ] = texts.row(at).map(str::to_owned);
            Ok(Self {
                call_sid,
                parent_call_sid,
                account_sid,
                trunk_sid,
                role,
                scenario,
                direction,
                from,
                to,
                caller_id,
                start: numbers.at(0, at)?,
                end: optional.optional(0)[at],
                duration_seconds: numbers.fit(1, at)?,
                status,
                class,
                currency,
                amount: numbers.at(2, at)?.into(),
                carrier_price: optional.optional(1)[at],
                run_id,
            })
        };
        (0..rows.height()).map(row).collect()
    }

    /// The id of its family: its own, or its root's.
    #[must_use]
    pub fn root(&self) -> &str {
        if self.parent_call_sid.is_empty() { &self.call_sid } else { &self.parent_call_sid }
    }

    /// Its cells as texts, under [`LOG_COLUMNS`]; `None` for null.
    #[must_use]
    pub fn cells(&self) -> [Option<String>; LOG_COLUMNS.len()] {
        let text = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        [
            text(&self.call_sid),
            text(&self.parent_call_sid),
            text(&self.account_sid),
            text(&self.trunk_sid),
            text(&self.role),
            text(&self.scenario),
            text(&self.direction),
            text(&self.from),
            text(&self.to),
            text(&self.caller_id),
            Some(time::text(self.start)),
            self.end.map(time::text),
            Some(self.duration_seconds.to_string()),
            text(&self.status),
            text(&self.class),
            text(&self.currency),
            Some(self.amount_text()),
            self.carrier_price.map(|price| decimal_text(price.into(), PRICE_DECIMALS, 4)),
            text(&self.run_id),
        ]
    }

    /// Its amount, with five decimals or more.
    #[must_use]
    pub fn amount_text(&self) -> String {
        decimal_text(self.amount, AMOUNT_DECIMALS, 5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tables::frame::{Texts, decimals, frame_of, integers, times};
    use polars::prelude::DataFrame;
    use std::path::Path;

    /// A log of one row, whose texts are the names of their columns.
    fn frame(number: i64, optional: Option<i64>) -> DataFrame {
        let column = |(name, kind): &(&str, Kind)| {
            let value = if OPTIONAL.contains(name) { optional } else { Some(number) };
            match kind {
                Kind::Text => {
                    let mut texts = Texts::new(name, 1);
                    texts.push_str(name);
                    texts.finish()
                }
                Kind::Integer => integers(name, vec![number]),
                Kind::Instant => times(name, vec![value]),
                Kind::Decimal(scale) => decimals(name, vec![value], *scale),
            }
        };
        frame_of(LOG.iter().map(column).collect())
    }

    /// Each cell stands under its own name.
    #[test]
    fn a_row_is_read_and_shown_in_the_order_of_the_schema() {
        let frame = frame(61, Some(-130_000_000));
        let rows = Rows::new(Path::new("part-0.parquet"), 0, &frame);
        let row = &LogRow::all(&rows).expect("a row")[0];
        for ((name, kind), cell) in LOG.iter().zip(row.cells()) {
            let expected = match (*name, kind) {
                (name, Kind::Text) => name.to_owned(),
                ("end_time", _) => "1969-12-31T23:57:50Z".to_owned(),
                (_, Kind::Instant) => "1970-01-01T00:00:00.000061Z".to_owned(),
                (_, Kind::Integer) => "61".to_owned(),
                ("amount", _) => "0.00000061".to_owned(),
                (_, Kind::Decimal(_)) => "-0.0130".to_owned(),
            };
            assert_eq!(cell.as_deref(), Some(expected.as_str()), "{name}");
        }
        assert_eq!(row.root(), "parent_call_sid");
    }

    #[test]
    fn what_may_be_null_is_and_what_may_not_is_an_error() {
        let nothing = frame(61, None);
        let rows = Rows::new(Path::new("part-0.parquet"), 0, &nothing);
        let row = &LogRow::all(&rows).expect("a row")[0];
        assert_eq!((row.end, row.carrier_price), (None, None));
        let negative = frame(-1, None);
        let error = LogRow::all(&Rows::new(Path::new("part-0.parquet"), 0, &negative));
        assert_eq!(
            error.expect_err("no seconds").to_string(),
            "part-0.parquet: row 1: `duration_seconds` is -1, which it cannot be"
        );
    }
}
