//! A number looked up in decks: the question, and why each row wins or loses.

use crate::deck::{Considered, Lost, Rated};
use crate::party::Number;
use crate::scenario::Direction;
use crate::time::Micros;

/// A question to a deck.
#[derive(Debug, Clone, Copy)]
pub struct Lookup {
    /// The price list.
    pub service: Direction,
    /// The number that is rated.
    pub rated: Rated,
    /// The origin, if it is known.
    pub origin: Option<Number>,
    /// The time of the call.
    pub at: Micros,
}

/// Why a row wins, or does not.
#[must_use]
pub const fn why(row: &Considered) -> &'static str {
    match row.lost {
        None => "WINS",
        Some(Lost::NotInForce) => "not in force at that time",
        Some(Lost::Origin) => "the origin is on none of its origin prefixes",
        Some(Lost::ShorterDestination) => "a longer destination prefix wins",
        Some(Lost::ShorterOrigin) => "a longer origin prefix wins",
        Some(Lost::SameTerms) => "the same price stands in an earlier row",
    }
}
