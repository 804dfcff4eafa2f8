//! Deck rows: reading them from a price list, choosing one for a leg, and the price of a leg.
//!
//! Naive: every row is looked at for every leg. The reader trusts its input; a row it cannot read
//! is left out, and the comparison with the real rater will tell.

use std::cmp::Reverse;

use chrono::{DateTime, NaiveTime, Utc};
use rust_decimal::Decimal;

use super::fields::{parse_date, parse_time};

/// A row of a rate deck.
#[derive(Debug, Clone, PartialEq)]
pub struct DeckRow {
    /// The file it stands in.
    pub file: String,
    /// The line it starts on, the header being line 1.
    pub line: u64,
    /// `termination` or `origination`.
    pub service: String,
    /// The price of a minute.
    pub price: Decimal,
    /// Digits; none means any origin, the unknown one included.
    pub origin_prefixes: Vec<String>,
    /// Digits, or the word `emergency`.
    pub destination_prefixes: Vec<String>,
    /// The first increment, in seconds.
    pub initial: u32,
    /// Every later increment, in seconds.
    pub increment: u32,
    /// The least that is billed, in seconds.
    pub minimum: u32,
    /// The connection fee.
    pub fee: Decimal,
    /// In force from this instant on.
    pub from: Option<DateTime<Utc>>,
    /// In force until just before this instant.
    pub to: Option<DateTime<Utc>>,
    /// What the price list calls the destination.
    pub description: String,
}

/// What `deck.toml` says for a row that leaves it blank.
#[derive(Debug, Clone, PartialEq)]
pub struct DeckDefaults {
    /// The first increment, in seconds.
    pub initial: u32,
    /// Every later increment, in seconds.
    pub increment: u32,
    /// The least that is billed, in seconds.
    pub minimum: u32,
    /// The connection fee.
    pub fee: Decimal,
}

impl Default for DeckDefaults {
    fn default() -> Self {
        DeckDefaults { initial: 60, increment: 60, minimum: 0, fee: Decimal::ZERO }
    }
}

/// The row that prices a leg, and the two prefixes it matched by (the origin's is empty for any
/// origin).
pub struct Match<'a> {
    /// The row.
    pub row: &'a DeckRow,
    /// The destination prefix.
    pub destination_prefix: String,
    /// The origin prefix.
    pub origin_prefix: String,
}

/// Of the rows of this service in force at `at` that the origin may use: the longest destination
/// prefix, then the longest origin prefix, then the first by file and line. `rated` is `+digits`,
/// or `911` or `933`; `origin` is `+digits` or empty.
pub fn find_rate<'a>(
    deck: &'a [DeckRow],
    service: &str,
    rated: &str,
    origin: &str,
    at: DateTime<Utc>,
) -> Option<Match<'a>> {
    let mut matches = Vec::new();
    for row in deck {
        let is_in_force = row.from.is_none_or(|from| from <= at) && row.to.is_none_or(|to| at < to);
        if row.service != service || !is_in_force {
            continue;
        }
        let origin_prefixes = if row.origin_prefixes.is_empty() {
            vec![String::new()]
        } else {
            row.origin_prefixes
                .iter()
                .filter(|prefix| starts_with_digits(origin, prefix))
                .cloned()
                .collect()
        };
        for origin_prefix in origin_prefixes {
            for destination_prefix in
                row.destination_prefixes.iter().filter(|prefix| reaches(rated, prefix))
            {
                let (destination_prefix, origin_prefix) =
                    (destination_prefix.clone(), origin_prefix.clone());
                matches.push(Match { row, destination_prefix, origin_prefix });
            }
        }
    }
    matches.sort_by_key(|one| {
        (
            Reverse(one.destination_prefix.len()),
            Reverse(one.origin_prefix.len()),
            one.row.file.clone(),
            one.row.line,
        )
    });
    matches.into_iter().next()
}

/// A number starts with a prefix; 911 and 933 are reached by the word `emergency` only.
fn reaches(rated: &str, prefix: &str) -> bool {
    if rated.starts_with('+') {
        starts_with_digits(rated, prefix)
    } else {
        !rated.is_empty() && prefix == "emergency"
    }
}

fn starts_with_digits(number: &str, prefix: &str) -> bool {
    number.strip_prefix('+').is_some_and(|digits| digits.starts_with(prefix))
}

/// The seconds that are billed: none for none, else at least the minimum, the initial increment
/// once, then whole increments.
pub fn billed_seconds(duration: u64, minimum: u32, initial: u32, increment: u32) -> u64 {
    if duration == 0 {
        return 0;
    }
    let (minimum, initial, increment) =
        (u64::from(minimum), u64::from(initial), u64::from(increment));
    let duration = duration.max(minimum);
    if duration <= initial {
        initial
    } else {
        initial + (duration - initial).div_ceil(increment) * increment
    }
}

/// Fee + price of a minute × billed seconds / 60, rounded once. Counted in whole numbers:
/// `numerator / denominator` is the exact amount in units of the last decimal that is kept.
pub fn leg_amount(
    fee: Decimal,
    price: Decimal,
    billed: u64,
    decimals: u32,
    rounding: &str,
) -> Decimal {
    let scale = fee.scale().max(price.scale());
    let fee = fee.mantissa() * 10_i128.pow(scale - fee.scale());
    let price = price.mantissa() * 10_i128.pow(scale - price.scale());
    let numerator = (fee * 60 + price * i128::from(billed)) * 10_i128.pow(decimals);
    let denominator = 60 * 10_i128.pow(scale);
    let (down, rest) = (numerator / denominator, numerator % denominator);
    let goes_up = match rounding {
        "up" => rest > 0,
        "half-even" => rest * 2 > denominator || (rest * 2 == denominator && down % 2 == 1),
        _ => rest * 2 >= denominator,
    };
    Decimal::from_i128_with_scale(if goes_up { down + 1 } else { down }, decimals)
}

/// The rows of a price list of the carrier's form that is known to be valid.
pub fn parse_deck_csv(file: &str, text: &str, defaults: &DeckDefaults) -> Vec<DeckRow> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let Ok(header) = reader.headers().cloned() else {
        return Vec::new();
    };
    let mut rows = Vec::new();
    for record in reader.records().flatten() {
        let cell = |name: &str| {
            let column = header.iter().position(|title| title.trim().eq_ignore_ascii_case(name));
            column.and_then(|column| record.get(column)).unwrap_or("").trim().to_owned()
        };
        let line = record.position().map_or(0, csv::Position::line);
        if let Some(row) = read_row(file, line, &cell, defaults) {
            rows.push(row);
        }
    }
    rows
}

fn read_row(
    file: &str,
    line: u64,
    cell: &dyn Fn(&str) -> String,
    defaults: &DeckDefaults,
) -> Option<DeckRow> {
    Some(DeckRow {
        file: file.to_owned(),
        line,
        service: text_or(&cell("Service"), "termination").to_ascii_lowercase(),
        price: Decimal::from_str_exact(&cell("Price / min")).ok()?,
        origin_prefixes: prefixes(&cell("Origination Prefixes")),
        destination_prefixes: prefixes(&cell("Destination Prefixes")),
        initial: seconds_or(&cell("Initial Increment"), defaults.initial)?,
        increment: seconds_or(&cell("Increment"), defaults.increment)?,
        minimum: seconds_or(&cell("Minimum"), defaults.minimum)?,
        fee: money_or(&cell("Connection Fee"), defaults.fee)?,
        from: instant(&cell("Effective From")),
        to: instant(&cell("Effective To")),
        description: cell("Description"),
    })
}

fn text_or(text: &str, default: &str) -> String {
    if text.is_empty() { default.to_owned() } else { text.to_owned() }
}

fn seconds_or(text: &str, default: u32) -> Option<u32> {
    if text.is_empty() { Some(default) } else { text.parse().ok() }
}

fn money_or(text: &str, default: Decimal) -> Option<Decimal> {
    if text.is_empty() { Some(default) } else { Decimal::from_str_exact(text).ok() }
}

/// A date is its first instant in UTC.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    match parse_date(text) {
        Some(date) => Some(date.and_time(NaiveTime::MIN).and_utc()),
        None => parse_time(text),
    }
}

fn prefixes(list: &str) -> Vec<String> {
    if list.eq_ignore_ascii_case("all") {
        return Vec::new();
    }
    list.split(',')
        .map(|prefix| prefix.trim().to_ascii_lowercase())
        .filter(|prefix| !prefix.is_empty())
        .collect()
}
