//! Rows of the call log and of the legs, as a report reads them.

use crate::ledger::tables::columns;
use crate::ledger::tables::typed::stored_row;
use crate::money::{Amount, Price, Total};
use crate::night::Class;
use crate::status::Status;
use crate::time::{self, Micros};

stored_row! {
    /// A row of the call log.
    pub struct Call<'a> of columns::LOG {
        call_sid: &'a str,
        parent_call_sid: &'a str,
        account_sid: &'a str,
        scenario: &'a str,
        from: &'a str,
        to: &'a str,
        start_time: Micros,
        end_time: Option<Micros>,
        duration_seconds: i64,
        status: &'a str,
        class: &'a str,
        currency: &'a str,
        amount: Total,
        /// In units of 10⁻¹⁰; a charge is negative.
        carrier_price: Option<i64>,
    }
}

impl Call<'_> {
    /// True if it is no child.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.parent_call_sid.is_empty()
    }

    /// True if it has legs.
    #[must_use]
    pub fn is_rated(&self) -> bool {
        self.class == Class::Rated.as_str()
    }

    /// True if it was answered.
    #[must_use]
    pub fn is_completed(&self) -> bool {
        self.status == Status::Completed.as_str()
    }
}

/// An answered child of a transfer, and its parent.
#[derive(Debug, Clone, Copy)]
pub struct Transfer<'a> {
    /// The child's id.
    pub child: &'a str,
    /// The parent's id.
    pub parent_sid: &'a str,
    /// The start of the child's record.
    pub child_start: Micros,
    /// The time at which the child was answered.
    pub answered: Micros,
    /// The end of the child.
    pub child_end: Micros,
    /// The start of the parent.
    pub parent_start: Micros,
    /// The end of the parent.
    pub parent_end: Micros,
}

/// The begin and the end of a record's seconds. A record without an end is taken as answered at its
/// start.
#[must_use]
pub fn answered_and_ended(
    start: Micros,
    end: Option<Micros>,
    duration_seconds: i64,
) -> (Micros, Micros) {
    let duration = duration_seconds.saturating_mul(time::SECOND);
    match end {
        Some(end) => (end.saturating_sub(duration), end),
        None => (start, start.saturating_add(duration)),
    }
}

stored_row! {
    /// A billed leg.
    pub struct Leg<'a> of columns::LEGS {
        call_sid: &'a str,
        scenario: &'a str,
        service: &'a str,
        rated_number: &'a str,
        start_time: Micros,
        /// Below zero if the leg takes another one back.
        billed_seconds: i64,
        price_per_minute: Price,
        destination_prefix: &'a str,
        description: &'a str,
        deck: &'a str,
        currency: &'a str,
        amount: Amount,
    }
}
