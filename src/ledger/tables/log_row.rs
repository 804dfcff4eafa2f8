//! A row of the call log, typed: read in one place, from the columns of the log's schema.

use crate::ledger::error::LedgerError;
use crate::ledger::tables::columns::{self, LOG_COLUMNS};
use crate::ledger::tables::stored::Rows;
use crate::ledger::tables::typed::stored_row;
use crate::money::{AMOUNT_DECIMALS, PRICE_DECIMALS, decimal_text};
use crate::record::Field;
use crate::time::{self, Micros};
use std::collections::BTreeMap;

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

stored_row! {
    /// The same, as it stands in the file.
    struct StoredLogRow<'a> of columns::LOG {
        call_sid: &'a str,
        parent_call_sid: &'a str,
        account_sid: &'a str,
        trunk_sid: &'a str,
        role: &'a str,
        scenario: &'a str,
        direction: &'a str,
        from: &'a str,
        to: &'a str,
        caller_id: &'a str,
        start_time: Micros,
        end_time: Option<Micros>,
        duration_seconds: u32,
        status: &'a str,
        class: &'a str,
        currency: &'a str,
        amount: i64,
        carrier_price: Option<i64>,
        run_id: &'a str,
    }
}

const _: () = assert!(StoredLogRow::COLUMNS.len() == LOG_COLUMNS.len(), "all columns of the log");

impl LogRow {
    /// What the log has of a record's fields, none of them empty. It has a child's target in `to`,
    /// whichever field of the record named it: that field is `target`.
    #[must_use]
    pub fn record_fields(&self, target: Field) -> BTreeMap<Field, String> {
        let all = [
            (Field::Sid, self.call_sid.clone()),
            (Field::ParentCallSid, self.parent_call_sid.clone()),
            (Field::AccountSid, self.account_sid.clone()),
            (Field::TrunkSid, self.trunk_sid.clone()),
            (Field::Direction, self.direction.clone()),
            (Field::From, self.from.clone()),
            (target, self.to.clone()),
            (Field::StartTime, time::text(self.start)),
            (Field::EndTime, self.end.map_or_else(String::new, time::text)),
            (Field::Duration, self.duration_seconds.to_string()),
            (Field::Status, self.status.clone()),
        ];
        all.into_iter().filter(|(_, text)| !text.is_empty()).collect()
    }

    /// The rows of a frame with all columns of the log.
    ///
    /// # Errors
    /// A number that is missing, or cannot be.
    pub fn all(rows: &Rows<'_>) -> Result<Vec<Self>, LedgerError> {
        let row_at = StoredLogRow::reader(rows)?;
        let row = |at: usize| {
            let stored = row_at(at)?;
            Ok(Self {
                call_sid: stored.call_sid.to_owned(),
                parent_call_sid: stored.parent_call_sid.to_owned(),
                account_sid: stored.account_sid.to_owned(),
                trunk_sid: stored.trunk_sid.to_owned(),
                role: stored.role.to_owned(),
                scenario: stored.scenario.to_owned(),
                direction: stored.direction.to_owned(),
                from: stored.from.to_owned(),
                to: stored.to.to_owned(),
                caller_id: stored.caller_id.to_owned(),
                start: stored.start_time,
                end: stored.end_time,
                duration_seconds: stored.duration_seconds,
                status: stored.status.to_owned(),
                class: stored.class.to_owned(),
                currency: stored.currency.to_owned(),
                amount: stored.amount.into(),
                carrier_price: stored.carrier_price,
                run_id: stored.run_id.to_owned(),
            })
        };
        (0..rows.height()).map(row).collect()
    }

    /// The time that a field of the record is booked with; `None` of one that the log has not.
    #[must_use]
    pub fn time_of(&self, field: &str) -> Option<Micros> {
        match field {
            "start_time" => Some(self.start),
            "end_time" => self.end,
            _ => None,
        }
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
    use crate::ledger::tables::frame::{TextsBuilder, decimals, frame_of, integers, times};
    use crate::ledger_columns::{Column, ColumnType, LOG};
    use polars::prelude::DataFrame;
    use std::path::Path;

    /// A log of one row, whose texts are the names of their columns.
    fn frame(number: i64, optional: Option<i64>) -> DataFrame {
        let column = |(name, kind): &Column| {
            let value =
                if ["end_time", "carrier_price"].contains(name) { optional } else { Some(number) };
            match kind {
                ColumnType::Text => {
                    let mut texts = TextsBuilder::new(name, 1);
                    texts.push_str(name);
                    texts.finish()
                }
                ColumnType::Integer | ColumnType::Flag => integers(name, vec![number]),
                ColumnType::Instant => times(name, vec![value]),
                ColumnType::Decimal(scale) => decimals(name, vec![value], *scale),
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
                (name, ColumnType::Text) => name.to_owned(),
                ("end_time", _) => "1969-12-31T23:57:50Z".to_owned(),
                (_, ColumnType::Instant) => "1970-01-01T00:00:00.000061Z".to_owned(),
                (_, ColumnType::Integer | ColumnType::Flag) => "61".to_owned(),
                ("amount", _) => "0.00000061".to_owned(),
                (_, ColumnType::Decimal(_)) => "-0.0130".to_owned(),
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
