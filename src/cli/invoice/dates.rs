//! The dates on documents: as they are given, and which are no slip.

use crate::cli::args::invoice::BilledArgs;
use crate::cli::error::CliError;
use crate::cli::rates;
use crate::time;

/// The period's first day after it; an error if the period is none.
pub fn day_after(period: &str) -> Result<String, CliError> {
    let (_, to) = time::month_bounds(period).ok_or_else(|| CliError::usage(format!("--period {period}: expected YYYY-MM")))?;
    Ok(time::date_text(to))
}

/// A date as the user gave it, or another one.
pub fn date(given: Option<&String>, otherwise: impl FnOnce() -> String) -> Result<String, CliError> {
    match given {
        None => Ok(otherwise()),
        Some(text) => time::days_after(text, 0)
            .filter(|date| date == text)
            .ok_or_else(|| CliError::usage(format!("--date {text}: expected YYYY-MM-DD"))),
    }
}

pub fn today() -> String {
    time::date_text(rates::now())
}

/// Refuses a date long after the period's end, or far in the future.
pub fn refuse_far(billed: &BilledArgs, after: &str, date: &str) -> Result<(), CliError> {
    if time::days_after(after, LATEST_ISSUE).is_some_and(|latest| *date > *latest) {
        return Err(CliError::failed(format!("--date {date} is more than {LATEST_ISSUE} days after {}", billed.period)));
    }
    refuse_future(date, (&billed.period, after), billed.future)
}

/// Refuses a date after tomorrow that is none of the days on which a period is issued, or an invoice credited: only a slip
/// explains it, and it would hold up its series until then. The clock does nothing else to what is issued.
///
/// # Why not every date after tomorrow
/// A month's invoices are prepared in its last days, and are dated the first of the next.
pub fn refuse_future(date: &str, (what, day): (&str, &str), is_allowed: bool) -> Result<(), CliError> {
    let today = today();
    let is_beyond = |day: &str, days: u32| time::days_after(day, days).is_some_and(|latest| date > latest.as_str());
    if is_allowed || !is_beyond(&today, 1) || !is_beyond(&today, AHEAD) && !is_beyond(day, AHEAD) {
        return Ok(());
    }
    let problem = format!(
        "--date {date} lies after today, {today}, and is more than {AHEAD} days after it or after {what}; numbers follow dates, so none \
         of an earlier date could follow in its year"
    );
    Err(CliError::failed(problem).hint("if it is meant, --future takes it"))
}

/// Days after today, after a period, and after an invoice, that a date after tomorrow may have without being asked again.
const AHEAD: u32 = 92;

/// Days after a period on which it is issued at the latest: a slip of the year would lock the series, whose numbers follow
/// dates.
const LATEST_ISSUE: u32 = 400;
