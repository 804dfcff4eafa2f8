//! The direction and the status of a record.

use crate::scenario::Direction;
use crate::words::plain_word;

/// The `direction` of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DirectionField {
    /// An empty text.
    Empty,
    /// `trunking-terminating`.
    Termination,
    /// `trunking-originating`.
    Origination,
    /// A known direction that is not a trunk's: a root with it is not a trunk call.
    Other,
    /// Any other word.
    Unknown,
}

impl DirectionField {
    /// All directions, each at its own index.
    pub const ALL: [Self; 5] =
        [Self::Empty, Self::Termination, Self::Origination, Self::Other, Self::Unknown];

    /// Parses the field, ignoring case, blanks, `_` and `-`. `others` are the known words that are
    /// not a trunk's ([`crate::policy::Policy::other_directions`]).
    #[must_use]
    pub fn parse(text: &str, others: &[String]) -> Self {
        // Fast path: the carrier's own spelling, a comparison of 20 bytes at once.
        match text {
            "" => Self::Empty,
            "trunking-terminating" => Self::Termination,
            "trunking-originating" => Self::Origination,
            _ => Self::parse_other_form(text, others),
        }
    }

    #[cold]
    fn parse_other_form(text: &str, others: &[String]) -> Self {
        match plain_word(text).as_str() {
            "trunkingterminating" => Self::Termination,
            "trunkingoriginating" => Self::Origination,
            word if others.iter().any(|other| plain_word(other) == word) => Self::Other,
            _ => Self::Unknown,
        }
    }

    /// Parses a word that trunkrate wrote itself ([`Self::as_str`]).
    #[must_use]
    pub fn of_word(text: &str) -> Self {
        Self::parse(text, &[])
    }

    /// The carrier's word; empty for any direction but a trunk's.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Termination => "trunking-terminating",
            Self::Origination => "trunking-originating",
            Self::Empty | Self::Other | Self::Unknown => "",
        }
    }

    /// The side, if it names one.
    #[must_use]
    pub fn side(self) -> Option<Direction> {
        match self {
            Self::Termination => Some(Direction::Termination),
            Self::Origination => Some(Direction::Origination),
            Self::Empty | Self::Other | Self::Unknown => None,
        }
    }
}

impl From<Direction> for DirectionField {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Termination => Self::Termination,
            Direction::Origination => Self::Origination,
        }
    }
}

/// The `status` of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Status {
    /// Answered and ended: bills.
    Completed,
    /// Not answered.
    Busy,
    /// Not answered.
    Failed,
    /// Not answered.
    NoAnswer,
    /// Not answered.
    Canceled,
    /// Any other: the call is still going on.
    NotFinal,
}

impl Status {
    /// All statuses, each at its own index.
    pub const ALL: [Self; 6] =
        [Self::Completed, Self::Busy, Self::Failed, Self::NoAnswer, Self::Canceled, Self::NotFinal];

    const FINAL: [(Self, &'static str); 5] = [
        (Self::Completed, "completed"),
        (Self::Busy, "busy"),
        (Self::Failed, "failed"),
        (Self::NoAnswer, "no-answer"),
        (Self::Canceled, "canceled"),
    ];

    /// Parses the field, ignoring case; `_` counts as `-`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        // Fast path: nine records in ten, as the carrier writes it.
        if text == "completed" {
            return Self::Completed;
        }
        Self::FINAL
            .iter()
            .find(|(_, word)| same_word(text, word))
            .map_or(Self::NotFinal, |(status, _)| *status)
    }

    /// The carrier's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::FINAL.iter().find(|(status, _)| *status == self).map_or("not-final", |(_, word)| word)
    }
}

fn same_word(text: &str, word: &str) -> bool {
    text.len() == word.len()
        && text
            .bytes()
            .zip(word.bytes())
            .all(|(a, b)| a.to_ascii_lowercase() == b || (a == b'_' && b == b'-'))
}
