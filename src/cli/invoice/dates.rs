//! The dates on documents: parsing, and limits that catch typos.

use crate::cli::args::invoice::BilledArgs;
use crate::cli::clock;
use crate::cli::error::CliError;
use crate::time;

/// The first day after the period; an error if the period is not valid.
pub fn day_after(period: &str) -> Result<String, CliError> {
    let (_, to) = time::month_bounds(period)
        .ok_or_else(|| CliError::usage(format!("--period {period}: expected YYYY-MM")))?;
    Ok(time::date_text(to))
}

/// The date that the user gave, or else the fallback.
pub fn date(
    given: Option<&String>,
    otherwise: impl FnOnce() -> String,
) -> Result<String, CliError> {
    match given {
        None => Ok(otherwise()),
        Some(text) => time::days_after(text, 0)
            .filter(|date| date == text)
            .ok_or_else(|| CliError::usage(format!("--date {text}: expected YYYY-MM-DD"))),
    }
}

pub fn today() -> String {
    time::date_text(clock::machine())
}

/// Refuses a date more than `LATEST_ISSUE` days after the period's end, or too far in the future.
pub fn refuse_far(billed: &BilledArgs, after: &str, date: &str) -> Result<(), CliError> {
    if time::days_after(after, LATEST_ISSUE).is_some_and(|latest| *date > *latest) {
        return Err(CliError::failed(format!(
            "--date {date} is more than {LATEST_ISSUE} days after {}",
            billed.period
        )));
    }
    refuse_future(date, (&billed.period, after), billed.future)
}

/// Refuses a date after tomorrow that is more than `AHEAD` days after today or after `day` (the
/// period's end, or the credited invoice's date). It must be a typo, and would block its series
/// until then. Beside this check, the clock only gives the default date.
///
/// # Why not every date after tomorrow
/// A month's invoices are prepared in its last days, and dated the first of the next month.
pub fn refuse_future(
    date: &str,
    (what, day): (&str, &str),
    is_allowed: bool,
) -> Result<(), CliError> {
    let today = today();
    let is_beyond = |day: &str, days: u32| {
        time::days_after(day, days).is_some_and(|latest| date > latest.as_str())
    };
    if is_allowed || !is_beyond(&today, 1) || !is_beyond(&today, AHEAD) && !is_beyond(day, AHEAD) {
        return Ok(());
    }
    let problem = format!(
        "--date {date} lies after today, {today}, \
         and is more than {AHEAD} days after it or after {what}; \
         numbers follow dates, so none of an earlier date could follow in its year"
    );
    Err(CliError::failed(problem).hint("if it is meant, --future takes it"))
}

/// The most days after today, and after the period or the invoice, for a date after tomorrow that
/// needs no `--future`.
const AHEAD: u32 = 92;

/// The last day to issue a period, in days after it. Numbers follow dates, so a wrong year would
/// lock the series.
const LATEST_ISSUE: u32 = 400;
