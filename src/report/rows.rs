//! Rows of the call log and of the legs, as a report reads them.

use crate::money::{Amount, Total};
use crate::time::{self, Micros};

/// A row of the call log.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the columns of the contract, section 5.2")]
pub struct Call<'a> {
    pub call_sid: &'a str,
    pub account_sid: &'a str,
    pub scenario: &'a str,
    pub from: &'a str,
    pub to: &'a str,
    pub start: Micros,
    /// The end, if it is known.
    pub end: Option<Micros>,
    pub duration_seconds: i64,
    pub is_root: bool,
    pub is_rated: bool,
    pub is_completed: bool,
    pub currency: &'a str,
    pub amount: Total,
    /// In units of 10⁻¹⁰; a charge is negative.
    pub carrier_price: Option<i64>,
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

/// A billed leg.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the columns of the contract, section 5.1")]
pub struct Leg<'a> {
    pub call_sid: &'a str,
    pub scenario: &'a str,
    pub service: &'a str,
    pub rated_number: &'a str,
    pub start: Micros,
    pub billed_seconds: u64,
    /// In units of 10⁻¹⁰.
    pub price: i64,
    pub destination_prefix: &'a str,
    pub description: &'a str,
    pub deck: &'a str,
    pub currency: &'a str,
    pub amount: Amount,
}
