//! A month as it stands: what is against issuing it, and what would be issued.

use super::setting::ConsoleSetting;
use crate::invoicing::check::Against;
use crate::invoicing::given::Given;
use crate::invoicing::survey::{SurveyQuestion, survey};
use crate::ledger::History;
use crate::time;
use rust_decimal::Decimal;
use std::collections::BTreeMap;
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
    /// What was issued for the month before, less credit notes; `None` if nothing was.
    pub before: Option<String>,
    /// The total less that.
    pub change: Option<String>,
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
    /// The month before, `YYYY-MM`, if there is one.
    pub month_before: Option<String>,
    /// The totals by currency.
    pub totals: BTreeMap<String, Decimal>,
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
        let month_before = month_before(period);
        let earlier = match &month_before {
            Some(before) => issued_in(history, before)?,
            None => BTreeMap::new(),
        };
        let mut month = Self { month_before, ..Self::default() };
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
            let account = document.buyer.account_sid.clone();
            let before = earlier.get(&(account, document.currency.clone())).copied();
            let change = before.map(|before| totals.total.0.checked_sub(before));
            is_too_much |= change == Some(None);
            month.drafts.push(DraftLine {
                before: before.map(|before| before.to_string()),
                change: change.flatten().map(|change| change.to_string()),
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

/// The month before one.
#[must_use]
pub fn month_before(month: &str) -> Option<String> {
    let (from, _) = time::month_bounds(month)?;
    let before = time::date_text(from - time::DAY).get(..7).map(str::to_owned);
    before.filter(|before| time::month_bounds(before).is_some())
}

/// The totals of the documents of a month by account and currency, credit notes taken off.
fn issued_in(
    history: &History,
    period: &str,
) -> Result<BTreeMap<(String, String), Decimal>, String> {
    let mut all: BTreeMap<(String, String), Decimal> = BTreeMap::new();
    for batch in history.issued.iter().filter(|batch| batch.manifest.period == period) {
        for entry in &batch.manifest.entries {
            let total = Decimal::from_str_exact(&entry.total)
                .map_err(|error| format!("{}: total {}: {error}", entry.number, entry.total))?;
            let total = if entry.corrects.is_some() { -total } else { total };
            let sum = all.entry((entry.account_sid.clone(), entry.currency.clone())).or_default();
            *sum = sum.checked_add(total).ok_or("the totals of the month before do not fit")?;
        }
    }
    Ok(all)
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
