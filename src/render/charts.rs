//! Charts as SVG, and as figures: a chart with its data in a table, for readers who cannot or do
//! not want to read bars.
//!
//! ```text
//! bars_by_day   a value per UTC day, as columns        ─┐
//! shares        parts of a whole, as horizontal bars   ─┴▶ Chart ─▶ figure (HTML)
//! ```
//!
//! **Invariant:** coordinates are integers; a bar's length is a share in thousandths, so the same
//! data gives the same bytes. Colours and type come from `style.css` by class; a chart has none of
//! its own. Texts are made [`visible`] and escaped here, so a chart accepts any text.

use crate::document::spend::{SpendPart, permille};
use crate::text::visible;
use crate::time;
use rust_decimal::Decimal;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The width of every chart. A page shows one unit as about one pixel, so the type of a chart is as
/// large as the page's.
const WIDTH: u32 = 360;
/// The height of the columns of a chart by day.
const COLUMNS: u32 = 84;
/// The height of a row of a chart of shares.
const ROW: u32 = 32;
/// The most days in a chart; columns of more days would be too thin to see.
const MOST_DAYS: i64 = 120;

/// The subject of a chart.
#[derive(Debug, Clone, Copy)]
pub struct ChartHead<'a> {
    /// Its id, unique on the page: letters and `-`.
    pub id: &'a str,
    /// Its title.
    pub title: &'a str,
    /// The heading of the rows of its table: `Day`.
    pub of: &'a str,
    /// The unit of its values: `EUR`, `calls`.
    pub unit: &'a str,
}

/// A chart: as a drawing, as a sentence, and as a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Chart {
    /// Its id, unique on the page.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its content in a sentence.
    pub summary: String,
    /// The heads of the table.
    pub columns: Vec<String>,
    /// The rows of the table: exact values, as their texts.
    pub rows: Vec<Vec<String>>,
    /// The SVG element.
    pub svg: String,
}

/// A value per UTC day between two dates, as columns; a day without a value is an empty place. Days
/// outside the two dates are in the table only.
///
/// `None` if there is nothing to show: fewer than two days with a value, no value above zero, over
/// 120 days, or a date that cannot be read.
#[must_use]
pub fn bars_by_day<'a>(
    head: ChartHead<'_>,
    (first, last): (&str, &str),
    values: impl IntoIterator<Item = (&'a str, Decimal)>,
) -> Option<Chart> {
    let number = |date: &str| time::parse_date_or_instant(date).map(time::day);
    let (from, to) = (number(first)?, number(last)?);
    let count = u32::try_from((to - from + 1).clamp(0, MOST_DAYS + 1))
        .ok()
        .filter(|count| i64::from(*count) <= MOST_DAYS)?;
    let all: Vec<(&str, Decimal)> = values.into_iter().collect();
    let inside = |(date, value): &(&'a str, Decimal)| {
        let day = number(date).filter(|day| (from..=to).contains(day))?;
        Some((u32::try_from(day - from).ok()?, (*date, *value)))
    };
    let days: BTreeMap<u32, (&str, Decimal)> = all.iter().filter_map(inside).collect();
    // The first of several equal highest days.
    let (date, most) =
        days.values().copied().reduce(|best, day| if day.1 > best.1 { day } else { best })?;
    if days.len() < 2 || most <= Decimal::ZERO {
        return None;
    }
    let outside = all.len() - days.len();
    let mut summary =
        format!("{} from {first} to {last}; the highest is {most} on {date}.", head.unit);
    if outside > 0 {
        let _ = write!(summary, " The table has {outside} more days before or after.");
    }
    let (top, left, pitch) = (18, (WIDTH - WIDTH / count * count) / 2, WIDTH / count);
    let bar = if pitch > 4 { (pitch * 3 / 4).min(28) } else { pitch.max(2) - 1 };
    let bottom = top + COLUMNS;
    let mut svg = open(head, &summary, bottom + 18);
    let _ = write!(
        svg,
        r#"<text class="note" x="0" y="10">{}</text>"#,
        escaped(&format!("{most} {}", head.unit))
    );
    let _ = write!(svg, r#"<path class="grid" d="M0 {top}H{WIDTH}"/>"#);
    for (place, (date, value)) in &days {
        let height = scaled(*value, most, COLUMNS);
        let (x, y) = (left + place * pitch + (pitch - bar) / 2, bottom - height);
        let label = escaped(&format!("{date}: {value} {}", head.unit));
        let _ = write!(
            svg,
            r#"<rect class="bar" x="{x}" y="{y}" width="{bar}" height="{height}"><title>{label}</title></rect>"#
        );
    }
    let _ = write!(svg, r#"<path class="base" d="M0 {bottom}H{WIDTH}"/>"#);
    let (first, last, y) = (escaped(first), escaped(last), bottom + 14);
    let _ = write!(svg, r#"<text class="note" x="0" y="{y}">{first}</text>"#);
    let _ = write!(svg, r#"<text class="note end" x="{WIDTH}" y="{y}">{last}</text></svg>"#);
    let rows =
        all.iter().map(|(date, value)| vec![(*date).to_owned(), value.to_string()]).collect();
    Some(chart(head, summary, &[], rows, svg))
}

/// Parts of a whole, as horizontal bars, in the order given; the longest is the largest named part.
///
/// # Why the rest has no bar
///
/// With three thousand destinations the rest is nearly everything, and beside its bar the others
/// would be too short to see.
///
/// `None` if there is nothing to show: fewer than two parts, or no named part above zero.
#[must_use]
pub fn shares(head: ChartHead<'_>, parts: &[SpendPart]) -> Option<Chart> {
    let named = parts.iter().filter(|part| !part.rest);
    let largest = named.reduce(|best, part| if part.amount > best.amount { part } else { best })?;
    if parts.len() < 2 || largest.amount.0 <= Decimal::ZERO {
        return None;
    }
    let (label, amount) = (&largest.label, largest.amount);
    let summary = format!(
        "{} in {} parts; the largest is {label} with {amount}, {}.",
        head.unit,
        parts.len(),
        percent(largest.permille)
    );
    let height = ROW * u32::try_from(parts.len()).unwrap_or_default();
    let letters = parts.iter().map(|part| part.amount.to_string().len()).max().unwrap_or_default();
    let track = WIDTH - (70 + 7 * u32::try_from(letters).unwrap_or_default()).min(WIDTH / 2);
    let mut svg = open(head, &summary, height);
    for (row, part) in (0..).zip(parts) {
        let (top, text, bar) = (row * ROW, row * ROW + 24, row * ROW + 17);
        let value = format!("{} · {}", part.amount, percent(part.permille));
        let label = escaped(&shortened(&part.label, WIDTH / 7));
        let width = scaled(part.amount.0, largest.amount.0, track);
        // An inner SVG clips a label that is too long, whatever font the reader has.
        let _ = write!(
            svg,
            r#"<svg x="0" y="{top}" width="{WIDTH}" height="16"><text x="0" y="11">{label}</text></svg>"#
        );
        if !part.rest {
            let title = escaped(&format!("{}: {value}", part.label));
            let _ =
                write!(svg, r#"<rect class="track" x="0" y="{bar}" width="{track}" height="6"/>"#);
            let _ = write!(
                svg,
                r#"<rect class="bar" x="0" y="{bar}" width="{width}" height="6"><title>{title}</title></rect>"#
            );
        }
        let _ = write!(
            svg,
            r#"<text class="note end" x="{WIDTH}" y="{text}">{}</text>"#,
            escaped(&value)
        );
    }
    svg.push_str("</svg>");
    let row = |part: &SpendPart| {
        vec![part.label.clone(), part.amount.to_string(), percent(part.permille)]
    };
    Some(chart(head, summary, &["Share"], parts.iter().map(row).collect(), svg))
}

/// A chart in a page: its title, the drawing, and its data in a table that can be opened.
#[must_use]
pub fn figure(chart: &Chart) -> String {
    let mut html = format!(
        concat!(
            r#"<figure class="chart {}"><figcaption>{}</figcaption>{}"#,
            r#"<details><summary>{} as a table</summary>"#,
            r#"<table class="plain"><caption class="sr">{}</caption><thead><tr>"#,
        ),
        escaped(&chart.id),
        escaped(&chart.title),
        chart.svg,
        escaped(&chart.title),
        escaped(&chart.summary),
    );
    for (column, name) in chart.columns.iter().enumerate() {
        let class = if column == 0 { "" } else { r#" class="num""# };
        let _ = write!(html, r#"<th scope="col"{class}>{}</th>"#, escaped(name));
    }
    html.push_str("</tr></thead><tbody>");
    for row in &chart.rows {
        html.push_str("<tr>");
        for (column, cell) in row.iter().enumerate() {
            let cell = escaped(cell);
            let _ = match column {
                0 => write!(html, r#"<th scope="row">{cell}</th>"#),
                _ => write!(html, r#"<td class="num">{cell}</td>"#),
            };
        }
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table></details></figure>");
    html
}

/// Text that is safe in markup, between tags or in a quoted attribute, and has no hidden
/// characters.
#[must_use]
pub fn escaped(text: &str) -> String {
    let text = visible(text);
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

/// Thousandths as per cent: `12.3 %`.
#[must_use]
pub fn percent(permille: u32) -> String {
    format!("{}.{}\u{a0}%", permille / 10, permille % 10)
}

fn chart(
    head: ChartHead<'_>,
    summary: String,
    more: &[&str],
    rows: Vec<Vec<String>>,
    svg: String,
) -> Chart {
    let columns = [head.of, head.unit].iter().chain(more).map(|name| (*name).to_owned()).collect();
    Chart { id: head.id.to_owned(), title: head.title.to_owned(), summary, columns, rows, svg }
}

/// The opening tag, with the title and description for screen readers.
pub(super) fn open(head: ChartHead<'_>, summary: &str, height: u32) -> String {
    let (id, title, summary) = (escaped(head.id), escaped(head.title), escaped(summary));
    format!(
        r#"<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="{id}-title" aria-describedby="{id}-text"><title id="{id}-title">{title}</title><desc id="{id}-text">{summary}</desc>"#
    )
}

/// A value's share of a length that stands for the largest value; at least 1 if the value is above
/// zero.
pub(super) fn scaled(value: Decimal, most: Decimal, length: u32) -> u32 {
    if value <= Decimal::ZERO { 0 } else { (permille(value, most) * length / 1000).max(1) }
}

/// A text shortened to a number of places; East Asian letters and emoji take two.
fn shortened(text: &str, places: u32) -> String {
    let text = visible(text);
    let (mut taken, mut kept) = (0, String::new());
    for c in text.chars() {
        taken += if u32::from(c) >= 0x1100 { 2 } else { 1 };
        if taken > places {
            return format!("{}…", kept.trim_end());
        }
        kept.push(c);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Exact;

    const HEAD: ChartHead<'_> =
        ChartHead { id: "c", title: "Spend by day", of: "Day", unit: "EUR" };

    fn part(label: &str, amount: i64, permille: u32) -> SpendPart {
        SpendPart {
            label: label.into(),
            amount: Exact(Decimal::from(amount)),
            permille,
            rest: false,
        }
    }

    #[test]
    fn days_stand_at_their_place_and_bars_are_as_high_as_their_share() {
        let days = [("2026-10-31", 9), ("2026-11-01", 10), ("2026-11-03", 5), ("2026-11-30", 0)];
        let days = days.map(|(date, value)| (date, Decimal::from(value)));
        let chart = bars_by_day(HEAD, ("2026-11-01", "2026-11-30"), days).expect("a chart");
        let bar = |x, y, height| {
            format!(r#"<rect class="bar" x="{x}" y="{y}" width="9" height="{height}">"#)
        };
        for expected in [bar(1, 18, 84), bar(25, 60, 42), bar(349, 102, 0)] {
            assert!(chart.svg.contains(&expected), "{expected} in {}", chart.svg);
        }
        assert_eq!(chart.svg.matches("<rect").count(), 3, "a day of another month has no bar");
        assert_eq!(chart.rows.len(), 4, "but a row");
        assert_eq!(
            chart.summary,
            "EUR from 2026-11-01 to 2026-11-30; the highest is 10 on 2026-11-01. \
             The table has 1 more days before or after."
        );
    }

    #[test]
    fn nothing_to_show_is_no_chart() {
        let days = |values: &[(&'static str, i64)]| {
            let values: Vec<_> =
                values.iter().map(|(date, value)| (*date, Decimal::from(*value))).collect();
            bars_by_day(HEAD, ("2026-11-01", "2026-11-30"), values)
        };
        assert_eq!(days(&[]), None);
        assert_eq!(days(&[("2026-11-01", 3)]), None);
        assert_eq!(days(&[("2026-11-01", 0), ("2026-11-02", 0)]), None);
        assert!(days(&[("2026-11-01", 0), ("2026-11-02", 1)]).is_some());
        assert_eq!(bars_by_day(HEAD, ("2026-11-30", "2026-11-01"), []), None);
        assert_eq!(bars_by_day(HEAD, ("2024-01-01", "2026-11-01"), []), None);
        assert_eq!(bars_by_day(HEAD, ("x", "y"), []), None);
        assert_eq!(shares(HEAD, &[part("all", 3, 1000)]), None);
        assert_eq!(shares(HEAD, &[part("a", 0, 0), part("b", 0, 0)]), None);
    }

    #[test]
    fn the_longest_bar_is_the_largest_part() {
        let rest = SpendPart { rest: true, ..part("9 others", 99, 961) };
        let chart = shares(HEAD, &[part("a", 3, 29), part("b", 1, 10), part("c", 0, 0), rest])
            .expect("a chart");
        let widths: Vec<&str> = chart
            .svg
            .split(r#"class="bar""#)
            .skip(1)
            .filter_map(|bar| bar.split('"').nth(5))
            .collect();
        assert_eq!(widths, ["276", "91", "0"]);
        assert_eq!(chart.rows[1], ["b", "1", "1.0\u{a0}%"]);
        assert_eq!(chart.columns, ["Day", "EUR", "Share"]);
    }

    #[test]
    fn texts_are_no_markup() {
        let evil = "<script>alert(1)</script>\"'&]]>\u{202e}";
        let chart = shares(HEAD, &[part(evil, 3, 750), part(&"long ".repeat(400), 1, 250)])
            .expect("a chart");
        let html = figure(&chart);
        assert!(
            !html.contains("<script") && !html.contains('\u{202e}') && !html.contains("]]>"),
            "{html}"
        );
        assert!(
            html.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;]]&gt;\\u{202e}"),
            "{html}"
        );
    }

    #[test]
    fn long_labels_are_cut() {
        assert_eq!(shortened("Termination", 11), "Termination");
        assert_eq!(shortened("Termination calls", 12), "Termination…");
        assert_eq!(shortened("電話電話", 5), "電話…");
    }
}
