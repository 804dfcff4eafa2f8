//! A month as it stands: what is against issuing it, and what would be issued.

use super::setting::ConsoleSetting;
use crate::invoicing::check::Against;
use crate::invoicing::given::Given;
use crate::invoicing::survey::{SurveyQuestion, survey};
use crate::ledger::History;
use crate::time;
use std::path::PathBuf;

/// The most drafts that are kept; their sums are of all.
const MOST: usize = 5000;

/// A document that would be issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftLine {
    /// The account.
    pub account_sid: String,
    /// Its name.
    pub name: String,
    /// The currency.
    pub currency: String,
    /// Calls.
    pub calls: i64,
    /// The sum of its lines.
    pub sum: String,
    /// The tax.
    pub tax: String,
    /// The total.
    pub total: String,
    /// True if it bills late legs of an issued month only.
    pub supplementary: bool,
}

/// A month.
#[derive(Debug, Clone, Default)]
pub struct MonthSurvey {
    /// What stands against issuing it.
    pub against: Vec<Against>,
    /// What would be issued, in the order of the numbers.
    pub drafts: Vec<DraftLine>,
    /// How many more there are.
    pub left_out: u64,
    /// The totals by currency.
    pub totals: std::collections::BTreeMap<String, rust_decimal::Decimal>,
}

impl MonthSurvey {
    /// Draws a month up.
    ///
    /// # Errors
    /// If the ledger, the accounts, the charges or the terms cannot be read.
    pub fn of(setting: &MonthSetting, history: &History, period: &str) -> Result<Self, String> {
        let MonthSetting { ledger, terms, paths, today } = setting;
        let (_, to) = time::month_bounds(period).ok_or("expected a month, YYYY-MM")?;
        let (given, _) = Given::read(terms.clone()?, paths.clone(), ledger, history)
            .map_err(|error| error.to_string())?;
        let after = time::date_text(to);
        let asked = SurveyQuestion { period, after: &after, date: today, account: None };
        let mut month = Self::default();
        let mut is_too_much = false;
        let each = |document: &crate::document::Document| {
            let totals = &document.totals;
            let sum = month.totals.entry(document.currency.clone()).or_default();
            match sum.checked_add(totals.total.0) {
                Some(all) => *sum = all,
                None => is_too_much = true,
            }
            if month.drafts.len() >= MOST {
                month.left_out += 1;
                return;
            }
            month.drafts.push(DraftLine {
                account_sid: document.buyer.account_sid.clone(),
                name: document.buyer.party.name.clone(),
                currency: document.currency.clone(),
                calls: document.calls,
                sum: totals.sum.to_string(),
                tax: totals.tax.to_string(),
                total: totals.total.to_string(),
                supplementary: document.supplementary,
            });
        };
        let against = survey(&given, (ledger, history), asked, each);
        month.against = against.map_err(|error| error.to_string())?;
        if is_too_much {
            return Err("the totals of the month do not fit".to_owned());
        }
        Ok(month)
    }
}

/// What a month is drawn up with.
#[derive(Debug, Clone)]
pub struct MonthSetting {
    ledger: crate::ledger::Ledger,
    terms: Result<(crate::invoicing::drafts::Terms, PathBuf), String>,
    paths: [Option<PathBuf>; 2],
    today: String,
}

impl MonthSetting {
    /// That of a console.
    #[must_use]
    pub fn of(setting: &ConsoleSetting) -> Self {
        Self {
            ledger: setting.ledger.clone(),
            terms: setting.terms.clone(),
            paths: [setting.accounts.clone(), setting.items.clone()],
            today: time::date_text((setting.now)()),
        }
    }

    /// The date of its documents.
    #[must_use]
    pub fn today(&self) -> &str {
        &self.today
    }
}
