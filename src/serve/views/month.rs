//! `/month`: what stands against issuing a month, the drafts, the totals.

use crate::serve::asked::{ConsoleRequest, ShownSum, customer_address};
use crate::serve::context::context;
use crate::serve::http::HttpAnswer;
use crate::serve::kept::KeptValue;
use crate::serve::months::{MonthSetting, MonthSurvey, month_before};
use crate::serve::problem::RequestProblem;
use crate::time;
use minijinja::Value;
use std::sync::Arc;

/// Drafts of a page.
const SHOWN: usize = 200;

/// The page.
///
/// # Errors
/// If the query has something else in it, or the month cannot be drawn up.
pub fn page(asked: &ConsoleRequest<'_>) -> Result<HttpAnswer, RequestProblem> {
    asked.query.only(&["month"]).map_err(|why| RequestProblem::new(400, why))?;
    let history = &asked.snapshot.history;
    let newest = history.newest_start().map(time::date_text);
    let newest = newest.as_deref().and_then(|date| date.get(..7)).unwrap_or("");
    let month = match asked.query.get("month") {
        Some(month) if time::month_bounds(month).is_some() => month,
        Some(month) => {
            return Err(RequestProblem::new(400, format!("month={month}: expected YYYY-MM")));
        }
        None => newest,
    };
    if month.is_empty() {
        return draw(asked, "", context! { is_empty => true });
    }
    let before = month_before(month);
    let setting = MonthSetting::of(&asked.books.setting);
    let key = format!("{} {month} {}", asked.snapshot.head, setting.today());
    let (own, period) = (Arc::clone(&asked.snapshot), month.to_owned());
    let found =
        asked.books.months.of(&key, move || MonthSurvey::of(&setting, &own.history, &period));
    let survey = match found {
        KeptValue::Ready(survey) => survey,
        KeptValue::Pending => {
            return asked.pending("/month", "Month", "The month's drafts are being drawn up.");
        }
        KeptValue::Failed(why) => {
            return draw(asked, month, context! { failed => why, before, month });
        }
    };
    let against: Vec<Value> = survey
        .against
        .iter()
        .map(|own| {
            context! {
                id => own.id, stops => own.stops, can_be_accepted => own.can_be_accepted(),
                words => asked.books.setting.sentence(&own.words),
                what_to_do => asked.books.setting.sentence(&own.what_to_do),
                account_href => own.account_sid.as_deref().and_then(customer_address),
                before => ShownSum::all(&own.before), now => ShownSum::all(&own.now),
                causes => own.causes.iter().take(5)
                    .map(|line| super::waiting::cause(asked, line)).collect::<Vec<_>>(),
            }
        })
        .collect();
    let drafts: Vec<Value> = survey
        .drafts
        .iter()
        .take(SHOWN)
        .map(|own| {
            let sum = |amount: &str| ShownSum {
                amount: amount.to_owned(),
                currency: own.currency.clone(),
            };
            context! {
                href => customer_address(&own.account_sid).map(|to| format!("{to}?month={month}")),
                name => own.name, account => own.account_sid, calls => own.calls,
                sum => sum(&own.sum), tax => sum(&own.tax), total => sum(&own.total),
                before => own.before.as_deref().map(sum), change => own.change.as_deref().map(sum),
                supplementary => own.supplementary,
            }
        })
        .collect();
    let totals: Vec<ShownSum> = survey
        .totals
        .iter()
        .map(|(currency, total)| ShownSum { amount: total.to_string(), currency: currency.clone() })
        .collect();
    let issued: Vec<Value> = history
        .issued
        .iter()
        .filter(|batch| batch.manifest.period == month)
        .flat_map(|batch| batch.manifest.entries.iter().map(move |entry| (batch, entry)))
        .take(SHOWN)
        .map(|(batch, entry)| super::invoices::line(asked, batch, entry))
        .collect();
    let left_out =
        survey.left_out + u64::try_from(survey.drafts.len().saturating_sub(SHOWN)).unwrap_or(0);
    draw(
        asked,
        month,
        context! {
            month, before, month_before => survey.month_before,
            has_before => survey.drafts.iter().any(|own| own.before.is_some()),
            after => month_after(month), against, drafts, totals, issued, left_out,
            stops => survey.against.iter().filter(|own| own.stops).count(),
            count => survey.drafts.len(),
        },
    )
}

fn draw(
    asked: &ConsoleRequest<'_>,
    month: &str,
    context: Value,
) -> Result<HttpAnswer, RequestProblem> {
    let title = if month.is_empty() { "Month".to_owned() } else { format!("Month {month}") };
    asked.pages.page(200, &asked.frame("/month", &title), "month.html", context)
}

/// The month after one.
fn month_after(month: &str) -> Option<String> {
    let (_, to) = time::month_bounds(month)?;
    let after = time::date_text(to).get(..7).map(str::to_owned);
    after.filter(|after| time::month_bounds(after).is_some())
}
