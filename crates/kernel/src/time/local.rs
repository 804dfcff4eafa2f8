//! Instants on the clock of a zone: as people read them, and as they write them.
//!
//! **Invariant:** `now` is an argument, and no zone is that of the machine. A local time that the
//! clock shows twice, or never, is no instant.

use super::{Micros, TimeError, Zone, beyond, in_years, parse_or_why};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use std::ops::Range;

/// The clock that people read and write times by: a zone, and the instant that it is now.
#[derive(Debug, Clone)]
pub struct Clock {
    zone: Option<Zone>,
    now: Micros,
}

impl Clock {
    /// The clock of a zone, or of UTC.
    #[must_use]
    pub fn new(zone: Option<Zone>, now: Micros) -> Self {
        Self { zone, now }
    }

    /// The name of its zone.
    #[must_use]
    pub fn zone_name(&self) -> String {
        self.zone.as_ref().map_or_else(|| "UTC".to_owned(), Zone::name)
    }

    fn zone(&self) -> TimeZone {
        self.zone.as_ref().map_or(TimeZone::UTC, |zone| zone.0.clone())
    }

    /// An instant as its clock shows it, `2026-11-20 22:15:00`; with the offset where the clock
    /// shows that twice.
    #[must_use]
    pub fn text(&self, micros: Micros) -> String {
        let Ok(timestamp) = Timestamp::from_microsecond(micros) else { return beyond(micros) };
        let zone = self.zone();
        let local = timestamp.to_zoned(zone.clone()).datetime();
        let text = format!("{} {}", local.date(), local.time());
        if zone.to_ambiguous_timestamp(local).is_ambiguous() {
            format!("{text} {}", self.offset(micros))
        } else {
            text
        }
    }

    /// The offset of its clock from UTC at an instant, `+01:00`.
    #[must_use]
    pub fn offset(&self, micros: Micros) -> String {
        let Ok(timestamp) = Timestamp::from_microsecond(micros) else { return String::new() };
        let seconds = self.zone().to_offset(timestamp).seconds();
        let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.abs() / 60);
        format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }

    /// The date of its clock at an instant, `2026-11-20`.
    #[must_use]
    pub fn date(&self, micros: Micros) -> String {
        Timestamp::from_microsecond(micros).map_or_else(
            |_| beyond(micros),
            |timestamp| timestamp.to_zoned(self.zone()).date().to_string(),
        )
    }

    /// A day by its date (`2026-11-20`), or as `today` or `yesterday`: its instants, of which some
    /// days have fewer or more.
    #[must_use]
    pub fn day(&self, text: &str) -> Option<Range<Micros>> {
        let date = self.date_of(text)?;
        let start = |date: Date| {
            let first = date.to_zoned(self.zone()).ok()?.start_of_day().ok()?;
            in_years(first.timestamp().as_microsecond())
        };
        Some(start(date)?..start(date.tomorrow().ok()?)?)
    }

    fn date_of(&self, text: &str) -> Option<Date> {
        let today =
            || Some(Timestamp::from_microsecond(self.now).ok()?.to_zoned(self.zone()).date());
        match text.trim().to_ascii_lowercase().as_str() {
            "today" => today(),
            "yesterday" => today()?.checked_sub(1.day()).ok(),
            date if date.len() == 10 => date.parse().ok(),
            _ => None,
        }
    }

    /// An instant: a time with an offset; a time of its clock (`2026-11-20 15:00`, `yesterday
    /// 15:00`); a day, which means its beginning; or a time of day, on the given day.
    ///
    /// # Errors
    /// The reason that the text is no instant.
    pub fn instant(&self, text: &str, on: &str) -> Result<Micros, TimeError> {
        let text = text.trim();
        if let Some(day) = self.day(text) {
            return Ok(day.start);
        }
        let (day, time) = match text.split_once(' ') {
            Some((day, time)) if day.bytes().all(|b| b.is_ascii_alphabetic()) => (day, time),
            _ => (on, text),
        };
        let is_time = |time: &str| {
            let parts: Vec<&str> = time.split(':').collect();
            matches!(parts.len(), 2 | 3)
                && parts
                    .iter()
                    .all(|p| (1..=2).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit()))
        };
        let of_day = self.date_of(day).filter(|_| is_time(time)).map(|date| {
            let hour = if time.find(':') == Some(1) { "0" } else { "" };
            format!("{date} {hour}{time}")
        });
        let utc = || Zone(TimeZone::UTC);
        let zone = self.zone.clone().unwrap_or_else(utc);
        parse_or_why(of_day.as_deref().unwrap_or(text), Some(&zone))
    }
}

/// True if a text is written like a day or a month, whether there is such a day or not:
/// `20.11.2026`, `11/20/2026`, `20261120`, `2026-11`, `9999-12-31`.
#[must_use]
pub fn is_date_like(text: &str) -> bool {
    let text = text.trim();
    let is_digits = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let is_year =
        |part: &str| part.len() == 4 && (part.starts_with("19") || part.starts_with("20"));
    let up_to = |part: &str, most: u8| {
        part.len() <= 2 && part.parse::<u8>().is_ok_and(|number| (1..=most).contains(&number))
    };
    let is_day = |a: &str, b: &str| up_to(a, 31) && up_to(b, 12) || up_to(a, 12) && up_to(b, 31);
    let parts: Vec<&str> = text.split(['.', '/', '-']).collect();
    if !parts.iter().all(is_digits) {
        return false;
    }
    match parts.as_slice() {
        [all] => all.len() == 8 && is_year(&all[..4]) && is_day(&all[6..], &all[4..6]),
        [year, month] => {
            is_year(year) && month.len() == 2 && up_to(month, 12)
                || is_year(month) && up_to(year, 12) && !text.contains('-')
        }
        [first, second, third] => {
            first.len() == 4 && second.len() <= 2 && third.len() <= 2
                || matches!(third.len(), 2 | 4) && is_day(first, second)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{parse, text};

    fn berlin() -> Clock {
        // 00:30 in Berlin, and still the day before in UTC.
        Clock::new(Zone::named("Europe/Berlin"), parse("2026-11-20T23:30:00Z", None).unwrap())
    }

    #[test]
    fn an_instant_as_its_clock_shows_it() {
        let table = [
            ("2026-11-20T21:15:00Z", "2026-11-20 22:15:00", "+01:00"),
            ("2026-07-20T21:15:00Z", "2026-07-20 23:15:00", "+02:00"),
            ("2026-10-25T00:30:00Z", "2026-10-25 02:30:00 +02:00", "+02:00"),
            ("2026-10-25T01:30:00Z", "2026-10-25 02:30:00 +01:00", "+01:00"),
        ];
        for (utc, local, offset) in table {
            let at = parse(utc, None).unwrap();
            assert_eq!((berlin().text(at).as_str(), berlin().offset(at).as_str()), (local, offset));
        }
        let utc = Clock::new(None, 0);
        assert_eq!(utc.text(parse("2026-11-20T21:15:00Z", None).unwrap()), "2026-11-20 21:15:00");
        assert_eq!((utc.zone_name(), berlin().zone_name()), ("UTC".into(), "Europe/Berlin".into()));
        assert_eq!(utc.text(i64::MAX), "9223372036854775807 µs since 1970");
    }

    #[test]
    fn times_as_people_write_them() {
        let table = [
            ("today", "2026-11-20T23:00:00Z"),
            ("Yesterday", "2026-11-19T23:00:00Z"),
            ("2026-11-20", "2026-11-19T23:00:00Z"),
            ("2026-11-20 15:00", "2026-11-20T14:00:00Z"),
            ("2026-11-20T15:00:30", "2026-11-20T14:00:30Z"),
            ("2026-11-20T15:00:00Z", "2026-11-20T15:00:00Z"),
            ("2026-11-20T15:00:00+05:00", "2026-11-20T10:00:00Z"),
            ("yesterday 15:00", "2026-11-20T14:00:00Z"),
            ("today 9:05", "2026-11-21T08:05:00Z"),
            ("15:00", "2026-11-19T14:00:00Z"),
        ];
        for (written, utc) in table {
            let found = berlin().instant(written, "2026-11-19").map(text);
            assert_eq!(found.as_deref(), Ok(utc), "{written}");
        }
        for bad in
            ["noon", "15", "tomorrow", "2026-13-01", "25:00", "today noon", "2026-10-25 02:30"]
        {
            assert!(berlin().instant(bad, "today").is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_written_like_a_date() {
        for date in [
            "20.11.2026",
            "20/11/2026",
            "11/20/2026",
            "20-11-2026",
            "20.11.26",
            "20261120",
            "2026-11",
            "11/2026",
            "9999-12-31",
            "2026-02-30",
            "2026/11/20",
            "2026-1-5",
        ] {
            assert!(is_date_like(date), "{date}");
        }
        for other in [
            "0100",
            "415-555-0100",
            "415.555.0100",
            "5550100",
            "12345678",
            "20269999",
            "12-34-5678",
            "1-415-555-0100",
            "+20261120",
            "AC1",
            "",
            "5550-1234",
            "11-2026",
        ] {
            assert!(!is_date_like(other), "{other}");
        }
    }

    #[test]
    fn days_are_as_long_as_their_clock_says() {
        let hours = |date: &str| {
            let day = berlin().day(date).expect(date);
            (day.end - day.start) / 3_600_000_000
        };
        assert_eq!(["2026-03-29", "2026-10-25", "2026-11-20"].map(hours), [23, 25, 24]);
        assert_eq!(berlin().date(0), "1970-01-01");
        assert_eq!(berlin().day("2026-02-30"), None);
    }
}
