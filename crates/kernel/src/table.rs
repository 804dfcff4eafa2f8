//! The published billing table, as data. **This file is the one to hold against the carrier's
//! page.**
//!
//! Source: the carrier's page "Call Transfer via SIP REFER" (Elastic SIP Trunking), read
//! 2026-11-22. The rows are in published order and each cell says what the page says, the odd ones
//! included: a termination call transferred to SIP bills `C→B` and logs `B→C`.
//!
//! Code before this file finds the [`TransferScenario`] of a call; code after it multiplies by
//! seconds and price. **Invariant:** there is no arithmetic here, and no other place decides the
//! legs that are billed.
//!
//! A is the parent's `from`, B the parent's `to`, C the transfer target. Billing is legs ×
//! duration: the parent's leg × the parent's seconds, each of the child's legs × the child's
//! seconds.
//!
//! DIFFERENCE: an origination leg is always priced by the trunk's own number B, even if the cell
//! shows another `to` (`Origination(A→C)`): the page names the parties, the price list of
//! origination has only B's kind.

use crate::scenario::Scenario;
use crate::scenario::{Direction, TransferScenario};
use std::fmt;

/// A party of a transferred call, by its letter on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Letter {
    /// The parent's `from`.
    A,
    /// The parent's `to`.
    B,
    /// The transfer target.
    C,
}

/// A billed leg of the page: `Termination(A→B)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LegCell {
    /// The price list: to the PSTN, or from it.
    pub service: Direction,
    /// The party at the start of the leg.
    pub from: Letter,
    /// The party at its end.
    pub to: Letter,
}

/// The parties that the call log shows: `B→C`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogCell {
    /// Shown as `from`.
    pub from: Letter,
    /// Shown as `to`.
    pub to: Letter,
}

/// The kind of a transfer target, which distinguishes the table's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TargetKind {
    /// To a SIP endpoint, over the public internet.
    Sip,
    /// To a number of the public telephone network.
    Pstn,
}

/// One row of the published table.
#[derive(Debug)]
pub struct BillingRow {
    /// The scenario that this row prices.
    pub scenario: TransferScenario,
    /// Its name in every output.
    pub id: &'static str,
    /// The parent call.
    pub parent: Direction,
    /// The target's column on the page.
    pub target: TargetKind,
    /// The target in the page's words.
    pub target_words: &'static str,
    /// The parent's billed leg, × the parent's duration.
    pub parent_bills: LegCell,
    /// The parties that the log shows for the parent.
    pub parent_log: LogCell,
    /// The child's billed legs, each × the child's duration.
    pub child_bills: &'static [LegCell],
    /// The parties that the log shows for the child.
    pub child_log: LogCell,
}

use Direction::{Origination, Termination};
use Letter::{A, B, C};
use TargetKind::{Pstn, Sip};
use TransferScenario::{OriginationToPstn, OriginationToSip, TerminationToPstn, TerminationToSip};

/// The page's rows, in its order.
#[rustfmt::skip]
pub const BILLING_TABLE: [BillingRow; 4] = [
    BillingRow { scenario: TerminationToSip,  id: "termination-to-sip",  parent: Termination, target: Sip,  target_words: "SIP",
                 parent_bills: leg(Termination, A, B), parent_log: log(A, B),
                 child_bills: &[leg(Termination, C, B)],                         child_log: log(B, C) },
    BillingRow { scenario: TerminationToPstn, id: "termination-to-pstn", parent: Termination, target: Pstn, target_words: "PSTN",
                 parent_bills: leg(Termination, A, B), parent_log: log(A, B),
                 child_bills: &[leg(Termination, A, B), leg(Termination, A, C)], child_log: log(B, C) },
    BillingRow { scenario: OriginationToSip,  id: "origination-to-sip",  parent: Origination, target: Sip,  target_words: "public SIP",
                 parent_bills: leg(Origination, A, B), parent_log: log(A, B),
                 child_bills: &[leg(Origination, A, C)],                         child_log: log(A, C) },
    BillingRow { scenario: OriginationToPstn, id: "origination-to-pstn", parent: Origination, target: Pstn, target_words: "PSTN",
                 parent_bills: leg(Origination, A, B), parent_log: log(A, B),
                 child_bills: &[leg(Origination, A, B), leg(Termination, B, C)], child_log: log(A, C) },
];

const fn leg(service: Direction, from: Letter, to: Letter) -> LegCell {
    LegCell { service, from, to }
}

const fn log(from: Letter, to: Letter) -> LogCell {
    LogCell { from, to }
}

impl TransferScenario {
    /// The row that prices this scenario.
    ///
    /// There is no `_` arm: a new scenario does not compile until it has a row.
    #[must_use]
    pub const fn row(self) -> &'static BillingRow {
        match self {
            Self::TerminationToSip => &BILLING_TABLE[0],
            Self::TerminationToPstn => &BILLING_TABLE[1],
            Self::OriginationToSip => &BILLING_TABLE[2],
            Self::OriginationToPstn => &BILLING_TABLE[3],
        }
    }

    /// The scenario of a parent's direction and a target's kind.
    #[must_use]
    pub const fn of(parent: Direction, target: TargetKind) -> Self {
        match (parent, target) {
            (Termination, Sip) => TerminationToSip,
            (Termination, Pstn) => TerminationToPstn,
            (Origination, Sip) => OriginationToSip,
            (Origination, Pstn) => OriginationToPstn,
        }
    }
}

impl Scenario {
    /// The name in every output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Root(direction) => direction.as_str(),
            Self::Transfer(scenario) => scenario.row().id,
        }
    }

    /// Reads the name back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let roots = [Direction::Termination, Direction::Origination].map(Self::Root);
        let transfers = BILLING_TABLE.iter().map(|row| Self::Transfer(row.scenario));
        roots.into_iter().chain(transfers).find(|scenario| scenario.as_str() == text)
    }
}

/// The leg of a call that was never transferred, and of every parent: its own direction, A→B.
#[must_use]
pub const fn root_leg(direction: Direction) -> LegCell {
    leg(direction, A, B)
}

/// The table as Markdown, for the documentation; a test compares the two.
#[must_use]
pub fn to_markdown() -> String {
    use fmt::Write;
    let mut text = String::from(
        "| id | parent | target C | parent bills | parent log | child bills, \
         each × child duration | child log |\n|---|---|---|---|---|---|---|\n",
    );
    for row in &BILLING_TABLE {
        let child = row.child_bills.iter().map(ToString::to_string).collect::<Vec<_>>().join(" + ");
        let _ = writeln!(
            text,
            "| `{}` | {} A→B | {} | {} × parent duration | {} | {child} | {} |",
            row.id,
            row.parent.title(),
            row.target_words,
            row.parent_bills,
            row.parent_log,
            row.child_log
        );
    }
    text
}

impl fmt::Display for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            A => "A",
            B => "B",
            C => "C",
        })
    }
}

impl fmt::Display for LegCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({}→{})", self.service.title(), self.from, self.to)
    }
}

impl fmt::Display for LogCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}→{}", self.from, self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_published_order_and_are_found_by_their_scenario() {
        let ids: Vec<_> = BILLING_TABLE.iter().map(|row| row.id).collect();
        assert_eq!(
            ids,
            [
                "termination-to-sip",
                "termination-to-pstn",
                "origination-to-sip",
                "origination-to-pstn"
            ]
        );
        for row in &BILLING_TABLE {
            assert!(std::ptr::eq(row.scenario.row(), row) || row.scenario.row().id == row.id);
            assert_eq!(TransferScenario::of(row.parent, row.target), row.scenario);
            assert_eq!(
                row.parent_bills,
                root_leg(row.parent),
                "a parent bills as a call that is not transferred"
            );
            assert!(matches!(row.child_bills.len(), 1 | 2));
        }
    }

    #[test]
    fn reads_like_the_page() {
        insta::assert_snapshot!(to_markdown(), @"
        | id | parent | target C | parent bills | parent log | child bills, each × child duration | child log |
        |---|---|---|---|---|---|---|
        | `termination-to-sip` | Termination A→B | SIP | Termination(A→B) × parent duration | A→B | Termination(C→B) | B→C |
        | `termination-to-pstn` | Termination A→B | PSTN | Termination(A→B) × parent duration | A→B | Termination(A→B) + Termination(A→C) | B→C |
        | `origination-to-sip` | Origination A→B | public SIP | Origination(A→B) × parent duration | A→B | Origination(A→C) | A→C |
        | `origination-to-pstn` | Origination A→B | PSTN | Origination(A→B) × parent duration | A→B | Origination(A→B) + Termination(B→C) | A→C |
        ");
    }
}
