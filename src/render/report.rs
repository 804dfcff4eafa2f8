//! The report of a run as one HTML file, on the engine, the style sheet and the charts of the
//! documents.
//!
//! **Invariant:** the page prints the values of the report. Only the pictures, and the choice
//! between two wordings, are made here.

use super::charts::{self, Chart, escaped};
use super::html;
use crate::inputs::file::FileError;
use crate::money::Total;
use crate::report::{Day, DayVerdict, Finding, Report, Timeline};
use minijinja::Value;
use rust_decimal::Decimal;
use serde::Serialize;
use std::fmt::Write;

/// The name of the page's template.
const REPORT: &str = "report.html";
/// The number of days of a run that the page lists, per currency; unusual days are always listed.
const DAYS: usize = 7;
/// The width of a chart, the same as in [`charts`].
const WIDTH: u32 = 360;
/// The height of its columns.
const COLUMNS: u32 = 96;

/// The page of a report.
///
/// # Errors
/// If the template cannot be filled, which would be a bug of the template.
pub fn html(report: &Report) -> Result<String, FileError> {
    let mut templates = html::environment(None)?;
    templates.environment.add_filter("ticks", ticks);
    let added = templates.environment.add_template(REPORT, include_str!("templates/report.html"));
    added.map_err(|e| FileError::new(std::path::Path::new(REPORT), e.to_string()))?;
    templates.fill(REPORT, ReportView::of(report))
}

/// The data of the page besides the report.
#[derive(Serialize)]
struct ReportView<'a> {
    report: &'a Report,
    /// The number of records in all call files.
    rows: u64,
    /// The days with their history, per currency.
    days: Vec<DaysOf<'a>>,
    /// The days that are low or high.
    odd_days: Vec<&'a Day>,
    /// The days that are low so far and may not be over.
    open_days: Vec<&'a Day>,
    /// True if any day could be compared.
    compared: bool,
    /// The findings with hits; `clean` has those without.
    found: Vec<&'a Finding>,
    clean: Vec<&'a Finding>,
    /// The age of the oldest suspended record.
    oldest_days: Option<i64>,
}

/// The days of a currency.
#[derive(Serialize)]
struct DaysOf<'a> {
    currency: &'a str,
    /// The figure, as finished HTML.
    chart: Option<Value>,
    shown: Vec<&'a Day>,
    /// The number of days not shown: usual, without history, or not over yet.
    more: usize,
}

impl<'a> ReportView<'a> {
    fn of(report: &'a Report) -> Self {
        let is_odd = |day: &&'a Day| matches!(day.verdict, DayVerdict::Low | DayVerdict::High);
        let days_of = |(number, timeline): (usize, &'a Timeline)| {
            let shown: Vec<&Day> = timeline
                .days
                .iter()
                .enumerate()
                .filter(|(at, day)| *at < DAYS || is_odd(day))
                .map(|(_, day)| day)
                .collect();
            DaysOf {
                currency: &timeline.currency,
                chart: chart(timeline, number)
                    .map(|chart| Value::from_safe_string(charts::figure(&chart))),
                more: timeline.days.len() - shown.len(),
                shown,
            }
        };
        let (found, clean) = report.findings.iter().partition(|finding| finding.count > 0);
        Self {
            report,
            rows: report.run.files.iter().map(|file| file.rows).sum(),
            days: report.timelines.iter().enumerate().map(days_of).collect(),
            odd_days: days(report).filter(is_odd).collect(),
            open_days: days(report).filter(|day| day.verdict == DayVerdict::Open).collect(),
            compared: days(report).any(|day| day.verdict != DayVerdict::NoHistory),
            found,
            clean,
            oldest_days: report.suspense.reasons.iter().filter_map(|line| line.oldest_days).max(),
        }
    }
}

/// The days of all currencies.
fn days(report: &Report) -> impl Iterator<Item = &Day> {
    report.timelines.iter().flat_map(|timeline| &timeline.days)
}

/// Text in which a part between `` ` `` is a name or a command.
#[must_use]
pub fn ticks(text: &str) -> Value {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return Value::from_safe_string(escaped(text));
    }
    let part = |(at, part): (usize, &&str)| match at % 2 {
        0 => escaped(part),
        _ => format!("<code>{}</code>", escaped(part)),
    };
    Value::from_safe_string(parts.iter().enumerate().map(part).collect())
}

// ---- days ---------------------------------------------------------------------------------------

/// A column per day: the amount of other runs, the amount of this run on top of it, and for the
/// run's days a line at the median of the same weekdays.
///
/// `None` if there is nothing to show: fewer than two days with an amount, no amount above zero, or
/// an amount that does not fit a decimal.
fn chart(timeline: &Timeline, number: usize) -> Option<Chart> {
    let decimal = |total: Total| total.to_decimal().ok();
    let median = |date: &str| {
        let day = timeline.days.iter().find(|day| day.sum.date == date)?;
        Some((day, day.median.as_ref().and_then(|text| Decimal::from_str_exact(text).ok())))
    };
    let (first, last) = (timeline.all.first()?, timeline.all.last()?);
    let count = u32::try_from(timeline.all.len()).ok()?;
    let mut most = Decimal::ZERO;
    for day in &timeline.all {
        most = most
            .max(decimal(day.amount)?)
            .max(median(&day.date).and_then(|(_, median)| median).unwrap_or_default());
    }
    let with_amount = timeline.all.iter().filter(|day| day.amount != Total::default()).count();
    if most <= Decimal::ZERO || with_amount < 2 {
        return None;
    }
    let unit = &timeline.currency;
    let own = timeline.all.iter().filter(|day| day.is_of_run).count();
    let title = format!("{unit} by day");
    let summary = format!(
        "{unit} by UTC day from {} to {}; {own} of the days are this run's.",
        first.date, last.date
    );
    let (top, pitch) = (18, WIDTH / count);
    let (left, bar) = (
        (WIDTH - pitch * count) / 2,
        if pitch > 4 { (pitch * 3 / 4).min(28) } else { pitch.max(2) - 1 },
    );
    let bottom = top + COLUMNS;
    let id = format!("days-{number}");
    let mut svg = charts::open(
        charts::ChartHead { id: &id, title: &title, of: "Day (UTC)", unit },
        &summary,
        bottom + 18,
    );
    let _ = write!(
        svg,
        r#"<text class="note" x="0" y="10">{}</text>"#,
        escaped(&format!("{} {unit}", plain(most)))
    );
    let _ = write!(svg, r#"<path class="grid" d="M0 {top}H{WIDTH}"/>"#);
    let mut rows = Vec::with_capacity(timeline.all.len());
    for (place, day) in (0..).zip(&timeline.all) {
        let whole = charts::scaled(decimal(day.amount)?, most, COLUMNS);
        let part = charts::scaled(decimal(day.of_run)?, most, COLUMNS).min(whole);
        let beside = median(&day.date);
        let class = match beside.as_ref().map(|(day, _)| day.verdict) {
            Some(DayVerdict::Low | DayVerdict::High) => "bar odd",
            _ => "bar",
        };
        let usual = beside.as_ref().and_then(|(day, _)| day.median.clone()).unwrap_or_default();
        let x = left + place * pitch + (pitch - bar) / 2;
        let words = if usual.is_empty() { String::new() } else { format!(", usual {usual}") };
        let label = escaped(&format!("{}: {} {unit}{words}", day.date, day.amount));
        let others = if part == 0 && class != "bar" { class } else { "bar before" };
        for (class, y, height) in
            [(others, bottom - whole + part, whole - part), (class, bottom - whole, part)]
        {
            if height > 0 {
                let _ = write!(
                    svg,
                    r#"<rect class="{class}" x="{x}" y="{y}" width="{bar}" height="{height}"><title>{label}</title></rect>"#
                );
            }
        }
        if let Some((_, Some(value))) = beside {
            let (x, y) = (x.saturating_sub(1), bottom - charts::scaled(value, most, COLUMNS));
            let _ = write!(svg, r#"<path class="usual" d="M{x} {y}h{}"/>"#, bar + 2);
        }
        let of_run = if day.is_of_run { day.of_run.to_string() } else { String::new() };
        rows.push(vec![day.date.clone(), day.amount.to_string(), of_run, usual]);
    }
    let _ = write!(svg, r#"<path class="base" d="M0 {bottom}H{WIDTH}"/>"#);
    let y = bottom + 14;
    let _ = write!(svg, r#"<text class="note" x="0" y="{y}">{}</text>"#, escaped(&first.date));
    let _ = write!(
        svg,
        r#"<text class="note end" x="{WIDTH}" y="{y}">{}</text></svg>"#,
        escaped(&last.date)
    );
    let columns = ["Day (UTC)", unit, "Of this run", "Usual"].map(str::to_owned).to_vec();
    Some(Chart { id, title, summary, columns, rows, svg })
}

/// A decimal without trailing zeros beyond the second decimal.
fn plain(value: Decimal) -> Decimal {
    let mut value = value.normalize();
    if value.scale() < 2 {
        value.rescale(2);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::DaySum;

    #[test]
    fn what_stands_between_ticks_is_code_and_nothing_is_markup() {
        assert_eq!(ticks("a `b` c").to_string(), "a <code>b</code> c");
        assert_eq!(ticks("<i> `<b>` `").to_string(), "&lt;i&gt; `&lt;b&gt;` `");
        assert_eq!(ticks("`<b>`").to_string(), "<code>&lt;b&gt;</code>");
    }

    fn day(date: &str, amount: i128, of_run: i128) -> DaySum {
        let total = Total::from_units;
        DaySum {
            date: date.to_owned(),
            amount: total(amount),
            of_run: total(of_run),
            is_of_run: of_run > 0,
        }
    }

    #[test]
    fn a_column_is_what_others_booked_and_what_the_run_booked_on_top() {
        let all =
            vec![day("2026-11-13", 100_000_000, 0), day("2026-11-20", 200_000_000, 50_000_000)];
        let own = Day {
            sum: all[1].clone(),
            weekday: "Friday",
            before: Vec::new(),
            median: Some("1.50000".to_owned()),
            verdict: DayVerdict::Usual,
            may_not_be_over: false,
            words: String::new(),
        };
        let timeline = Timeline { currency: "EUR".to_owned(), all, days: vec![own] };
        let made = chart(&timeline, 0).expect("a chart");
        for rect in [
            r#"<rect class="bar before" x="76" y="66" width="28" height="48">"#,
            r#"<rect class="bar before" x="256" y="42" width="28" height="72">"#,
            r#"<rect class="bar" x="256" y="18" width="28" height="24">"#,
            r#"<path class="usual" d="M255 42h30"/>"#,
        ] {
            assert!(made.svg.contains(rect), "{rect} in {}", made.svg);
        }
        assert_eq!(made.svg.matches("<rect").count(), 3);
        assert_eq!(made.rows[1], ["2026-11-20", "2.00000", "0.50000", "1.50000"]);
        let odd = Timeline {
            days: vec![Day { verdict: DayVerdict::High, ..timeline.days[0].clone() }],
            ..timeline.clone()
        };
        assert!(chart(&odd, 0).expect("a chart").svg.contains(r#"class="bar odd""#));
        assert_eq!(
            chart(&Timeline { all: timeline.all[..1].to_vec(), ..timeline }, 0),
            None,
            "one day is no history"
        );
    }
}
