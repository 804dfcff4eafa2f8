//! The two fields that are more than text: a time and a duration.
//!
//! Naive: the text is cut at its separators and each piece is looked at; nothing is scanned twice
//! for speed.

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, Utc};

/// A duration as given: its whole seconds, the first six digits of its fraction, and whether
/// anything not zero follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Given {
    /// The digits before the point.
    pub whole: u64,
    /// The first six digits after the point, as a number of microseconds.
    pub micros: u64,
    /// Whether a digit other than 0 follows those six.
    pub beyond: bool,
}

impl Given {
    /// The duration that is billed: a fraction is rounded up to the next second.
    pub fn whole_seconds(self) -> u64 {
        if self.micros > 0 || self.beyond { self.whole + 1 } else { self.whole }
    }

    /// Whether the duration as given is longer than this many microseconds.
    pub fn is_longer_than(self, limit_micros: i64) -> bool {
        let mine = i128::from(self.whole) * 1_000_000 + i128::from(self.micros);
        let limit = i128::from(limit_micros);
        mine > limit || (mine == limit && self.beyond)
    }
}

/// True for one or more ASCII digits and nothing else.
pub fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Digits, optionally a point and more digits. Anything else, and what no clock could count, is no
/// duration.
pub fn parse_duration(text: &str) -> Option<Given> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, fraction),
        None => (text, "0"),
    };
    if !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let significant = whole.trim_start_matches('0');
    if significant.len() > 15 {
        return None;
    }
    let whole = if significant.is_empty() { 0 } else { significant.parse().ok()? };
    let (micros, beyond) = cut_to_micros(fraction)?;
    Some(Given { whole, micros, beyond })
}

/// The first six digits of a fraction, padded on the right, and whether anything but zeros is cut
/// off.
fn cut_to_micros(fraction: &str) -> Option<(u64, bool)> {
    let first: String = fraction.chars().chain("000000".chars()).take(6).collect();
    let beyond = fraction.chars().skip(6).any(|digit| digit != '0');
    Some((first.parse().ok()?, beyond))
}

/// RFC 2822, or ISO 8601 with an offset, `Z`, ` UTC` or ` GMT`. Years 1970 to 2199 in UTC, no leap
/// seconds, cut to the microsecond.
pub fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    let upper = text.to_ascii_uppercase();
    let named = ["UTC", "GMT"].into_iter().find(|name| upper.ends_with(&format!(" {name}")));
    let text = match named {
        Some(name) => format!("{} +0000", text[..text.len() - name.len()].trim_end()),
        None => text.to_owned(),
    };
    let instant = match parse_iso(&text) {
        Some(instant) => instant,
        None => DateTime::parse_from_rfc2822(&text).ok()?.to_utc(),
    };
    let is_leap_second = instant.timestamp_subsec_nanos() >= 1_000_000_000;
    let is_in_range = (1970..=2199).contains(&instant.year());
    (!is_leap_second && is_in_range).then_some(instant)
}

/// `YYYY-MM-DD`, `T` or one space, `HH:MM[:SS[.fraction]]`, then `Z` or an offset, at once or after
/// a space.
fn parse_iso(text: &str) -> Option<DateTime<Utc>> {
    if !text.is_ascii() {
        return None;
    }
    let (date, rest) = text.split_at_checked(10)?;
    let date = parse_date(date)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, offset) = rest.split_at(rest.find(['Z', 'z', '+', '-'])?);
    let clock = clock.strip_suffix(' ').unwrap_or(clock);
    let offset = parse_offset(offset)?;
    let (clock, fraction) = match clock.split_once('.') {
        Some((clock, fraction)) => (clock, fraction),
        None => (clock, "0"),
    };
    if !all_digits(fraction) {
        return None;
    }
    let (micros, _) = cut_to_micros(fraction)?;
    let pieces: Vec<&str> = clock.split(':').collect();
    let (hour, minute, second) = match pieces.as_slice() {
        [hour, minute, second] => (hour, minute, second),
        [hour, minute] if !clock_text_has_fraction(rest) => (hour, minute, &"00"),
        _ => return None,
    };
    let local = date.and_hms_micro_opt(
        fixed_number(hour, 2)?,
        fixed_number(minute, 2)?,
        fixed_number(second, 2)?,
        u32::try_from(micros).ok()?,
    )?;
    Some(local.and_local_timezone(offset).single()?.to_utc())
}

fn clock_text_has_fraction(text: &str) -> bool {
    text.contains('.')
}

/// `YYYY-MM-DD`.
pub fn parse_date(text: &str) -> Option<NaiveDate> {
    let pieces: Vec<&str> = text.split('-').collect();
    let [year, month, day] = pieces.as_slice() else {
        return None;
    };
    let year = i32::try_from(fixed_number(year, 4)?).ok()?;
    NaiveDate::from_ymd_opt(year, fixed_number(month, 2)?, fixed_number(day, 2)?)
}

/// `Z`, `+HH:MM`, `+HHMM` or `+HH`, with either sign.
fn parse_offset(text: &str) -> Option<FixedOffset> {
    if text.eq_ignore_ascii_case("z") {
        return FixedOffset::east_opt(0);
    }
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+')?),
    };
    let (hours, minutes) = match (rest.len(), rest.split_once(':')) {
        (5, Some((hours, minutes))) => (hours, minutes),
        (4, None) => rest.split_at_checked(2)?,
        (2, None) => (rest, "00"),
        _ => return None,
    };
    let hours = i32::try_from(fixed_number(hours, 2)?).ok()?;
    let minutes = i32::try_from(fixed_number(minutes, 2)?).ok()?;
    if hours > 23 || minutes > 59 {
        return None;
    }
    FixedOffset::east_opt(sign * (hours * 3600 + minutes * 60))
}

/// A number of exactly so many digits.
fn fixed_number(text: &str, digits: usize) -> Option<u32> {
    if text.len() == digits && all_digits(text) { text.parse().ok() } else { None }
}
