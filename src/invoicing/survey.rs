//! A month before it is issued: everything that stands against it, and what would be issued.

use crate::document::Document;
use crate::invoicing::check::{self, Against, CheckQuestion, SeenCharges};
use crate::invoicing::drafts::{self, WantedDrafts};
use crate::invoicing::error::IssueError;
use crate::invoicing::given::Given;
use crate::ledger::invoices::billed_by::{BilledBy, month};
use crate::ledger::{History, Ledger};

/// The month that is asked about.
#[derive(Debug, Clone, Copy)]
pub struct SurveyQuestion<'a> {
    /// The period, `YYYY-MM`.
    pub period: &'a str,
    /// The first day after it.
    pub after: &'a str,
    /// The date of the documents.
    pub date: &'a str,
    /// Only this account.
    pub account: Option<&'a str>,
}

/// Finds the objections to issuing a month; `each` is given every document that would be issued.
///
/// # Errors
/// If the ledger cannot be read.
pub fn survey(
    given: &Given,
    (ledger, history): (&Ledger, &History),
    asked: SurveyQuestion<'_>,
    mut each: impl FnMut(&Document),
) -> Result<Vec<Against>, IssueError> {
    let SurveyQuestion { period, after, date, account } = asked;
    let (mut seen, claims) = (SeenCharges::default(), BilledBy::of(&history.issued));
    let is_issued =
        history.issued.iter().any(|batch| month(&batch.manifest.period) >= month(period));
    for supplementary in
        [false, true].into_iter().filter(|supplementary| !supplementary || is_issued)
    {
        let wanted = WantedDrafts { month: period, date: date.max(after), account, supplementary };
        for draft in drafts::drafts(given.sources(history), wanted)? {
            match draft.and_then(|draft| {
                drafts::refuse_before_credit(history, &claims, &draft, wanted.date)?;
                Ok(draft)
            }) {
                Ok(draft) => {
                    each(&draft.document);
                    seen.draft(&draft, &wanted);
                }
                Err(error) => seen.refused(error)?,
            }
        }
    }
    let question = CheckQuestion { ledger, history, period, account, has_items: given.has_items() };
    let mut found = check::of_terms(&given.terms, (period, date >= after));
    found.extend(check::of_series(history, &given.terms.seller.id, date));
    found.extend(check::check(&question, &seen)?);
    let wanted = WantedDrafts { month: period, date, account, supplementary: false };
    found.extend(check::of_items(&given.sources(history), wanted)?);
    Ok(found)
}
