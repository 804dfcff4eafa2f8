//! Scenarios: the kind of call that a record is, once its family is known.
//!
//! Owns the vocabulary that the table is keyed by. **Invariant:** a scenario comes from the
//! *root's* direction and the child's *own* target, never from the child's direction, caller ID or
//! `from`. Next: [`crate::table`], which prices it.

use std::fmt;

/// The side that a trunk call goes to; also the price list that a leg is billed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Direction {
    /// Trunk side → PSTN (`trunking-terminating`).
    Termination,
    /// PSTN → trunk side (`trunking-originating`).
    Origination,
}

impl Direction {
    /// The name in outputs and in a deck's `Service` column.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Termination => "termination",
            Self::Origination => "origination",
        }
    }

    /// The word on the published page.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Termination => "Termination",
            Self::Origination => "Origination",
        }
    }

    /// Reads a service name, without case.
    #[must_use]
    pub fn from_service(text: &str) -> Option<Self> {
        [Self::Termination, Self::Origination]
            .into_iter()
            .find(|d| d.as_str().eq_ignore_ascii_case(text.trim()))
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A row of the published table: the parent's direction and the kind of its transfer target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TransferScenario {
    /// A termination call, transferred to a SIP endpoint.
    TerminationToSip,
    /// A termination call, transferred to the PSTN.
    TerminationToPstn,
    /// An origination call, transferred to public SIP.
    OriginationToSip,
    /// An origination call, transferred to the PSTN.
    OriginationToPstn,
}

/// The basis on which a record bills: its own direction, or a row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scenario {
    /// A call that is no child (transferred or not: a parent bills as if it were not).
    Root(Direction),
    /// A child of a transfer.
    Transfer(TransferScenario),
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
