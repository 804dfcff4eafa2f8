//! One call as a page for the customer, on the engine and the style sheet of the documents.
//!
//! **Invariant:** the page prints the values that it is given, and each of them is escaped; it runs
//! nothing, and asks for nothing.

pub mod words;

use super::html;
use crate::inputs::file::FileError;
use crate::reject::Reason;
use serde::Serialize;

/// The name of the page's template.
const CALL: &str = "call.html";

/// A call, ready to print.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CallPage {
    /// The subject of the page.
    pub title: String,
    /// The customer.
    pub account: String,
    /// The facts of the call, a sentence each.
    pub sentences: Vec<String>,
    /// Facts of the call: the name and the value of each.
    pub facts: Vec<(String, String)>,
    /// The legs that are charged.
    pub legs: Vec<LegView>,
    /// The sum, and its currency; none if nothing is charged yet.
    pub total: Option<(String, String)>,
    /// Remarks.
    pub notes: Vec<String>,
    /// The call's id, for questions.
    pub reference: String,
}

/// A leg as a sentence and as arithmetic.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "as they are printed")]
pub struct LegView {
    pub number: usize,
    pub sentence: String,
    pub steps: Vec<String>,
    pub amount: String,
    pub currency: String,
}

/// The page of a call.
///
/// # Errors
/// If the template cannot be filled, which would be a bug of the template.
pub fn html(page: &CallPage) -> Result<String, FileError> {
    let mut templates = html::environment(None)?;
    let added = templates.environment.add_template(CALL, include_str!("templates/call.html"));
    added.map_err(|e| FileError::new(std::path::Path::new(CALL), e.to_string()))?;
    templates.fill(CALL, page)
}

/// The reason why a call is not priced yet, in words for the customer.
#[must_use]
pub const fn why_open(reason: Reason) -> &'static str {
    match reason {
        Reason::NotFinal => "It was still going on when we received its record.",
        Reason::NoRate => "The price of this connection is being checked.",
        Reason::ParentMissing
        | Reason::ParentNeverArrived
        | Reason::ParentSuspended
        | Reason::ParentCycle
        | Reason::ParentAccountMismatch
        | Reason::ChildBeforeParent
        | Reason::ChainedTransfer => {
            "It belongs to a transferred call, of which another part is being checked."
        }
        Reason::InvalidTarget
        | Reason::AmbiguousTarget
        | Reason::EmergencyTarget
        | Reason::UnknownTrunk
        | Reason::TransferDisabled
        | Reason::PstnTransferDisabled => "The way in which it was transferred is being checked.",
        Reason::MalformedRecord
        | Reason::MissingField
        | Reason::UnknownDirection
        | Reason::InvalidTime
        | Reason::InvalidDuration
        | Reason::ConflictingDuplicate
        | Reason::InvalidNumber
        | Reason::UnlistedAccount => "What we received about it is being checked.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_text_is_shown_and_not_run() {
        let hostile = "<script>alert(1)</script>\u{202e}";
        let page = CallPage {
            title: hostile.into(),
            account: hostile.into(),
            sentences: vec![hostile.into()],
            facts: vec![(hostile.into(), hostile.into())],
            legs: vec![LegView {
                sentence: hostile.into(),
                steps: vec![hostile.into()],
                amount: hostile.into(),
                currency: hostile.into(),
                number: 1,
            }],
            total: Some((hostile.into(), hostile.into())),
            notes: vec![hostile.into()],
            reference: hostile.into(),
        };
        let html = html(&page).expect("a page");
        assert!(!html.contains("<script") && !html.contains('\u{202e}'), "{html}");
        assert_eq!(html.matches("&lt;script&gt;").count(), 16, "{html}");
        for never in ["http://", "https://", "src=", "@import", "url("] {
            assert!(!html.contains(never), "{never} in {html}");
        }
    }
}
