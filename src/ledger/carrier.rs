//! Prices of the carrier that cannot be compared with ours: counted during a run, and kept in its
//! manifest.
//!
//! The log keeps only the number of a carrier's price, or nothing if the text is no number. So
//! unreadable prices and prices in another currency are counted when the record is settled.
//!
//! **Invariant:** the counts and the examples kept do not depend on the order of the records.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The odd carrier prices of a run. Records of booked calls are counted, copies too: a price may
/// come with a copy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarrierPrices {
    /// Records that have a price, odd or not.
    #[serde(default)]
    pub records: u64,
    /// Prices that are no plain decimal number.
    #[serde(default, skip_serializing_if = "OddPrices::is_empty")]
    pub unreadable: OddPrices,
    /// Prices in another currency than the deck of the call.
    #[serde(default, skip_serializing_if = "OddPrices::is_empty")]
    pub foreign: OddPrices,
    /// The accounts of those in another currency, with the number of such prices.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub foreign_accounts: BTreeMap<String, u64>,
}

impl CarrierPrices {
    /// True if no price is odd.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.unreadable.is_empty() && self.foreign.is_empty()
    }

    /// True if the logged price of a call may be in another currency. If all such calls are among
    /// the examples, only they count; otherwise every call of their accounts does, since a carrier
    /// bills an account in one currency.
    #[must_use]
    pub fn may_be_foreign(&self, call_sid: &str, account_sid: &str) -> bool {
        match self.foreign.examples.len() as u64 {
            known if known == self.foreign.count => {
                self.foreign.examples.iter().any(|price| price.call_sid == call_sid)
            }
            _ => self.foreign_accounts.contains_key(account_sid),
        }
    }
}

/// Prices of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OddPrices {
    /// Records that have one.
    pub count: u64,
    /// The first of them, by start and id.
    pub examples: Vec<OddPrice>,
}

impl OddPrices {
    /// True if there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// A price as the carrier's record has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct OddPrice {
    pub call_sid: String,
    pub start: String,
    pub price: String,
    pub price_unit: String,
    /// The currency of the call's deck.
    pub currency: String,
    pub source_file: String,
    pub source_line: u64,
}
