//! A booked call: everything that its legs and its row of the log are made from.

use crate::deck::Hit;
use crate::intern::Interner;
use crate::party_ref::PartyRef;
use crate::scenario::{Direction, Scenario, TransferScenario};
use crate::sid::{OddSids, Sid};
use crate::status::{DirectionField, Status};
use crate::time::Micros;

/// A booked call, with everything that its legs and its row of the log are made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Booked {
    /// Its id.
    pub sid: Sid,
    /// The id of the call that it is logged under; empty for a root.
    pub parent: Sid,
    /// Its start.
    pub start: Micros,
    /// Its end, or [`crate::time::NO_TIME`].
    pub end: Micros,
    /// A of its root.
    pub a: PartyRef,
    /// B of its root.
    pub b: PartyRef,
    /// Its target, if it is a child.
    pub c: Option<PartyRef>,
    /// The carrier's price.
    pub price: Option<i64>,
    /// Its fingerprint.
    pub content: u64,
    /// Id of its account's text.
    pub account: u32,
    /// Id of its trunk's text: its own, else its root's.
    pub trunk: u32,
    /// The number of its deck, or [`crate::call::NONE`].
    pub deck: u32,
    /// Seconds from answer to end.
    pub duration: u32,
    /// Id of the text of a child's own direction, or [`crate::call::NONE`].
    pub child_direction: u32,
    /// The rows of its legs.
    pub hits: [Hit; 2],
    /// Its own direction.
    pub direction: DirectionField,
    /// Its status.
    pub status: Status,
    /// Its scenario.
    pub scenario: Scenario,
    /// True if it has legs; else it is free.
    pub is_rated: bool,
    /// True if its target was shown B's number; else A's.
    pub shows_b: bool,
}

impl Booked {
    /// All scenarios, each at its index.
    pub const SCENARIOS: [Scenario; 6] = [
        Scenario::Root(Direction::Termination),
        Scenario::Root(Direction::Origination),
        Scenario::Transfer(TransferScenario::TerminationToSip),
        Scenario::Transfer(TransferScenario::TerminationToPstn),
        Scenario::Transfer(TransferScenario::OriginationToSip),
        Scenario::Transfer(TransferScenario::OriginationToPstn),
    ];

    /// The index of its scenario among all six.
    #[inline]
    #[must_use]
    pub fn scenario_number(&self) -> u8 {
        match self.scenario {
            Scenario::Root(direction) => direction as u8,
            Scenario::Transfer(transfer) => 2 + transfer as u8,
        }
    }
}

/// The texts of some booked calls.
#[derive(Debug, Clone, Default)]
pub struct BookedTexts {
    /// Texts of parties that are not numbers.
    pub parties: Interner,
    /// Texts of ids in another form than the carrier's.
    pub odd_sids: OddSids,
}
