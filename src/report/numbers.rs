//! The numbers of a customer: those that were called at its trunks, and those that called from
//! them, with what they came to in a month.
//!
//! ```text
//! accounts of a row group of legs ── has the customer? ──yes──▶ its legs ─▶ sums by number
//!                                          └──no──▶ the next group
//! ```
//!
//! An origination leg is priced by the trunk's own number: that is the one that was called. A call
//! that goes out was made from its origin. Legs of transfers that go out have the number of the
//! call before them, and are not counted again.
//!
//! **Invariant:** sums are exact, of stored amounts; no more than [`MOST`] numbers are in memory.

use crate::ledger::place::day_of_file;
use crate::ledger::tables::columns;
use crate::ledger::tables::file::{Footer, Group};
use crate::ledger::tables::stored::Rows;
use crate::ledger::tables::typed::stored_row;
use crate::ledger::{Dataset, History, LedgerError};
use crate::money::{Amount, Total};
use crate::report::customers::LegSum;
use crate::scenario::{Direction, Scenario};
use crate::time::{self, DAY};
use std::collections::BTreeMap;

/// The most numbers of a customer that are counted one by one.
pub const MOST: usize = 20_000;

stored_row! {
    /// A leg, as far as the numbers need it.
    struct NumberLeg<'a> of columns::LEGS {
        account_sid: &'a str,
        scenario: &'a str,
        service: &'a str,
        leg: i64,
        rated_number: &'a str,
        origin_number: &'a str,
        billed_seconds: i64,
        currency: &'a str,
        amount: Amount,
    }
}

/// What a number came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NumberUse {
    /// Calls that came in to it.
    pub incoming: LegSum,
    /// Calls that went out from it.
    pub outgoing: LegSum,
}

/// The numbers of a customer in a month.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountNumbers {
    /// By number and currency; the empty number is a caller that is not known.
    pub used: BTreeMap<(String, String), NumberUse>,
    /// Legs of further numbers.
    pub left_out: u64,
}

impl AccountNumbers {
    /// The numbers of a customer in a month, `YYYY-MM`.
    ///
    /// # Errors
    /// If a file cannot be read, or is not as it was written.
    pub fn of(history: &History, account: &str, month: &str) -> Result<Self, LedgerError> {
        let mut all = Self::default();
        for run in &history.runs {
            for path in run.files(Dataset::Legs) {
                let is_of = |day: i64| time::date_text(day * DAY).get(..7) == Some(month);
                if !day_of_file(&path).is_some_and(is_of) {
                    continue;
                }
                run.check_before_read(&path)?;
                let (footer, mut first) = (Footer::of(&path)?, 0);
                for Group { rows, .. } in footer.groups() {
                    let own = footer.rows(&["account_sid"], first, rows)?;
                    let texts = Rows::new(&path, first, &own).texts(["account_sid"]);
                    if texts.column(0).iter().any(|text| text == Some(account)) {
                        let own = footer.rows(NumberLeg::COLUMNS, first, rows)?;
                        all.add_group(&Rows::new(&path, first, &own), account)?;
                    }
                    first += rows;
                }
            }
        }
        Ok(all)
    }

    fn add_group(&mut self, legs: &Rows<'_>, account: &str) -> Result<(), LedgerError> {
        let (outgoing, incoming) = (Scenario::Root(Direction::Termination), Direction::Origination);
        let leg_at = NumberLeg::reader(legs)?;
        for row in 0..legs.height() {
            let leg = leg_at(row)?;
            if leg.account_sid != account {
                continue;
            }
            let is_incoming = leg.service == incoming.as_str();
            if !is_incoming && leg.scenario != outgoing.as_str() {
                continue;
            }
            let number = if is_incoming { leg.rated_number } else { leg.origin_number };
            let key = (number.to_owned(), leg.currency.to_owned());
            if self.used.len() >= MOST && !self.used.contains_key(&key) {
                self.left_out += 1;
                continue;
            }
            let used = self.used.entry(key).or_default();
            let sum = if is_incoming { &mut used.incoming } else { &mut used.outgoing };
            let own = LegSum {
                calls: u64::from(leg.leg == 1),
                legs: 1,
                billed_seconds: leg.billed_seconds,
                amount: Total::from_units(leg.amount.units().into()),
            };
            sum.merge(own).map_err(LedgerError::of_sum)?;
        }
        Ok(())
    }
}
