//! The words of documents, in one place for every format.

use super::{Document, Kind, TaxCategory};
use crate::scenario::{Direction, Scenario};
use crate::table::{LegCell, Letter};

/// The scenario as in the published table: `Origination, transferred to PSTN: inbound leg + new
/// outbound leg`.
#[must_use]
pub fn scenario(id: &str) -> String {
    match Scenario::parse(id) {
        Some(Scenario::Root(direction)) => format!("{}: {} leg", direction.title(), way(direction)),
        Some(Scenario::Transfer(transfer)) => {
            let row = transfer.row();
            let legs: Vec<String> = row.child_bills.iter().map(|cell| leg(*cell)).collect();
            format!(
                "{}, transferred to {}: {}",
                row.parent.title(),
                row.target_words,
                legs.join(" + ")
            )
        }
        None => id.to_owned(),
    }
}

/// A leg in words. A leg to or from the transfer target is new: the transfer made it.
fn leg(cell: LegCell) -> String {
    let new = if [cell.from, cell.to].contains(&Letter::C) { "new " } else { "" };
    format!("{new}{} leg", way(cell.service))
}

const fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::Termination => "outbound",
        Direction::Origination => "inbound",
    }
}

impl Kind {
    /// The title at the head of the page.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Draft => "Draft invoice",
            Self::Invoice => "Invoice",
            Self::CreditNote => "Credit note",
        }
    }
}

impl Document {
    /// The title at the head of the page.
    #[must_use]
    pub const fn title(&self) -> &'static str {
        if self.supplementary && matches!(self.kind, Kind::Invoice) {
            "Supplementary invoice"
        } else {
            self.kind.title()
        }
    }
}

impl TaxCategory {
    /// All categories.
    pub const ALL: [Self; 5] =
        [Self::Standard, Self::Zero, Self::ReverseCharge, Self::Exempt, Self::OutsideScope];

    /// The name in configuration, accounts and items.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Zero => "zero",
            Self::ReverseCharge => "reverse-charge",
            Self::Exempt => "exempt",
            Self::OutsideScope => "outside-scope",
        }
    }

    /// The code in e-invoices (UNTDID 5305).
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Standard => "S",
            Self::Zero => "Z",
            Self::ReverseCharge => "AE",
            Self::Exempt => "E",
            Self::OutsideScope => "O",
        }
    }

    /// The wording on an invoice.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Standard => "VAT",
            Self::Zero => "VAT, zero rated",
            Self::ReverseCharge => "VAT, reverse charge",
            Self::Exempt => "VAT exempt",
            Self::OutsideScope => "not subject to VAT",
        }
    }

    /// Parses a name; the inverse of [`TaxCategory::as_str`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|category| category.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::scenario;

    #[test]
    fn scenarios_in_words() {
        let words = [
            ("termination", "Termination: outbound leg"),
            ("origination", "Origination: inbound leg"),
            ("termination-to-sip", "Termination, transferred to SIP: new outbound leg"),
            (
                "termination-to-pstn",
                "Termination, transferred to PSTN: outbound leg + new outbound leg",
            ),
            ("origination-to-sip", "Origination, transferred to public SIP: new inbound leg"),
            (
                "origination-to-pstn",
                "Origination, transferred to PSTN: inbound leg + new outbound leg",
            ),
        ];
        for (id, expected) in words {
            assert_eq!(scenario(id), expected);
        }
    }
}
