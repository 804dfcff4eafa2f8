//! A second rater, to hold the first one against.
//!
//! It was written from `CONTRACT.md` alone and shares no line with the engine. It is naive on
//! purpose: one record at a time, text in maps, every search a walk over everything. Where a quick
//! way and an obvious way were both open, it takes the obvious one. It rates one run into an empty
//! ledger, with one deck.
//!
//! Read [`rate_night`] in `night.rs` first: it is the whole of it, in four steps. `call.rs` is one
//! record, `table.rs` the published table, `party.rs` says what a number and a target are,
//! `fields.rs` what a time and a duration are, `deck.rs` what a leg costs.

#![allow(dead_code, reason = "every test takes what it needs")]

use std::collections::BTreeMap;

use rust_decimal::Decimal;

mod call;
mod deck;
mod fields;
mod night;
mod party;
mod table;
#[cfg(test)]
mod tests;

#[allow(unused_imports, reason = "every test takes what it needs")]
pub use deck::{DeckDefaults, DeckRow, billed_seconds, leg_amount, parse_deck_csv};
pub use night::rate_night;
#[allow(unused_imports, reason = "every test takes what it needs")]
pub use party::classify_target;

/// A record as delivered: canonical lower-case field name -> text (absent = not in the map, or
/// empty).
pub type Record = BTreeMap<String, String>;

/// A trunk of the trunk list.
#[derive(Debug, Clone, PartialEq)]
pub struct Trunk {
    /// Its sid.
    pub sid: String,
    /// Its termination domain.
    pub domain: String,
    /// `disable-all`, `sip-only` or `enable-all`.
    pub mode: String,
    /// `from-transferee` or `from-transferor`.
    pub caller_id: String,
}

/// What the configuration can change.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// A child of a child is billed as a child of the root.
    pub chained_to_root: bool,
    /// The longest duration that is believed.
    pub max_call_seconds: u64,
    /// How many days a child waits for its parent.
    pub parent_wait_days: i64,
    /// The decimals of a leg's amount.
    pub leg_decimals: u32,
    /// `half-up`, `half-even` or `up`.
    pub leg_rounding: String,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            chained_to_root: false,
            max_call_seconds: 86_400,
            parent_wait_days: 7,
            leg_decimals: 5,
            leg_rounding: "half-up".to_owned(),
        }
    }
}

/// A booked leg.
#[allow(clippy::struct_field_names, reason = "the contract's names")]
#[derive(Debug, Clone, PartialEq)]
pub struct Leg {
    /// 1 or 2.
    pub leg: u8,
    /// `termination` or `origination`.
    pub service: String,
    /// The party the cell bills from.
    pub leg_from: String,
    /// The party the cell bills to.
    pub leg_to: String,
    /// The number that decided the destination: `+digits`, `911` or `933`.
    pub rated_number: String,
    /// The number that decided the origin, or empty if it is unknown.
    pub origin_number: String,
    /// The seconds of the record.
    pub duration: u64,
    /// The seconds that are billed.
    pub billed: u64,
    /// The price of a minute.
    pub price: Decimal,
    /// The connection fee.
    pub fee: Decimal,
    /// The destination prefix that matched.
    pub destination_prefix: String,
    /// The origin prefix that matched, or empty for any.
    pub origin_prefix: String,
    /// Where the row stands: the file,
    pub deck_file: String,
    /// and the line.
    pub deck_line: u64,
    /// The amount, rounded.
    pub amount: Decimal,
}

/// A line of the call log.
#[derive(Debug, Clone, PartialEq)]
pub struct Log {
    /// `parent` or `child`.
    pub role: String,
    /// The record's own direction, in its canonical form.
    pub direction: String,
    /// As the table's log cell says.
    pub from: String,
    /// As the table's log cell says.
    pub to: String,
    /// What the called party was shown.
    pub caller_id: String,
    /// The sum of the legs.
    pub amount: Decimal,
}

/// Where a record ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// `rated`, `free`, `duplicate`, `ignored` or `suspended`.
    pub class: String,
    /// Why it is suspended.
    pub reason: Option<String>,
    /// `termination`, `origination` or one of the table's four.
    pub scenario: Option<String>,
    /// What is billed.
    pub legs: Vec<Leg>,
    /// What the log shows, of a rated or a free record.
    pub log: Option<Log>,
}

impl Outcome {
    /// An outcome that is only a class.
    fn only(class: &str) -> Outcome {
        Outcome {
            class: class.to_owned(),
            reason: None,
            scenario: None,
            legs: Vec::new(),
            log: None,
        }
    }

    fn suspended(reason: &str) -> Outcome {
        Outcome { reason: Some(reason.to_owned()), ..Outcome::only("suspended") }
    }

    fn is_suspended(&self) -> bool {
        self.class == "suspended"
    }
}
