//! Findings for one field of a record: a time, a duration or a number that is invalid, in words.
//!
//! **Invariant:** each text is `` FIELD is `TEXT`: WHY ``, where WHY starts with a mark of
//! [`crate::advice`] if there is an advice for it.

use crate::advice::mark;
use crate::call::Calls;
use crate::money::decimal_text;
use crate::party::{Number, Party, emergency_of_root};
use crate::policy::Policy;
use crate::record::{Duration, Field, Fields, Record};
use crate::status::DirectionField;
use crate::time::{self, Micros, SECOND, TimeError, Zone};

fn found(field: Field, text: &str, why: &str) -> String {
    format!("{} is `{text}`: {why}", field.as_str())
}

// ---- times --------------------------------------------------------------------------------------

/// The first invalid time, with the reason.
#[must_use]
pub fn invalid_time(fields: &Fields<'_>, policy: &Policy) -> String {
    let zone = policy.zone.as_ref();
    let set = |field: Field, text: &str| {
        policy.set_times.instant(fields.get(Field::Sid), (field.as_str(), text), zone)
    };
    for field in [Field::StartTime, Field::EndTime, Field::AnswerTime] {
        let text = fields.get(field);
        if !text.is_empty()
            && set(field, text).is_none()
            && let Err(error) = time::parse_or_why(text, zone)
        {
            return found(field, text, &no_time(text, error, zone));
        }
    }
    let [start, end] = [Field::StartTime, Field::EndTime].map(|field| match fields.get(field) {
        "" => "an end that is not said".to_owned(),
        text => time::parse(text, zone)
            .or_else(|| set(field, text))
            .map_or_else(|| text.to_owned(), time::text),
    });
    let why = format!("{}, from {start} to {end}", mark::OUTSIDE);
    found(Field::AnswerTime, fields.get(Field::AnswerTime), &why)
}

fn no_time(text: &str, error: TimeError, zone: Option<&Zone>) -> String {
    let name = zone.map_or_else(String::new, Zone::name);
    match error {
        TimeError::NoOffset => format!("{}, and input.timezone is not set", mark::NO_OFFSET),
        TimeError::TwiceInZone { first, second } => {
            format!(
                "{} in {name}: at {} and at {}",
                mark::TWICE,
                time::text(first),
                time::text(second)
            )
        }
        TimeError::NeverInZone { first, second } => {
            let jump = zone.and_then(|zone| jump(text, second - first, zone));
            let jump = jump
                .map_or_else(String::new, |(from, to)| format!(": it goes from {from} to {to}"));
            format!("{} in {name}{jump}", mark::NEVER)
        }
        TimeError::NoSuchDay => mark::NO_DAY.to_owned(),
        TimeError::NoSuchTime => mark::NO_TIME.to_owned(),
        TimeError::YearOutOfRange => mark::YEAR.to_owned(),
        TimeError::UnknownForm => match form(text) {
            "" => mark::FORM.to_owned(),
            guess => format!("{}: {guess}", mark::FORM),
        },
    }
}

/// The local times from which and to which the clock goes when it skips this one. `length` is the
/// length of the gap.
fn jump(text: &str, length: Micros, zone: &Zone) -> Option<(String, String)> {
    let local = |micros: Micros| time::text(micros).trim_end_matches('Z').to_owned();
    let is_left_out = |micros: Micros| {
        matches!(time::parse_or_why(&local(micros), Some(zone)), Err(TimeError::NeverInZone { .. }))
    };
    let here = time::parse(text, Some(&Zone::named("UTC")?))?.div_euclid(SECOND);
    // Searches for the first skipped second: the one before it exists.
    let (mut shown, mut left_out) = (here - length / SECOND, here);
    while left_out - shown > 1 {
        let middle = shown.midpoint(left_out);
        if is_left_out(middle * SECOND) { left_out = middle } else { shown = middle }
    }
    let (from, to) = (local(left_out * SECOND), local(left_out * SECOND + length));
    let (date, time_of_day) = to.split_once('T')?;
    let to = if from.starts_with(date) { time_of_day.to_owned() } else { to.replace('T', " ") };
    Some((from.replace('T', " "), to))
}

/// A guess at the form of a time in an unknown form.
fn form(text: &str) -> &'static str {
    let date = text
        .split(|c: char| c.is_whitespace() || c == 'T')
        .next()
        .expect("a text that is split has a first piece");
    let parts: Vec<&str> = date.split(['/', '.', '-']).collect();
    let are_digits = |parts: &[&str]| {
        parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
    };
    if crate::money::is_plain_decimal(text) {
        return "it is a number, as a spreadsheet or a clock of seconds keeps a time";
    }
    if parts.len() == 3 && are_digits(&parts) && parts[0].len() <= 2 {
        return "it does not say which number is the month";
    }
    if parts.len() == 3 && are_digits(&parts) && date == text {
        return "it has no time of day";
    }
    let last = text.rsplit_once(' ').map_or(text, |(_, last)| last);
    let is_name = last.len() >= 3 && last.bytes().all(|b| b.is_ascii_alphabetic());
    if is_name
        && !last.eq_ignore_ascii_case("UTC")
        && !last.eq_ignore_ascii_case("GMT")
        && text.contains(':')
    {
        return "a name such as EST is no offset";
    }
    ""
}

// ---- durations ----------------------------------------------------------------------------------

/// The reason that a duration is invalid.
pub fn invalid_duration(typed: &Record<'_>, fields: &Fields<'_>, policy: &Policy) -> String {
    let text = fields.get(Field::Duration);
    let seconds =
        |from: Micros, to: Micros| decimal_text((i128::from(to) - i128::from(from)).abs(), 6, 0);
    let answer = time::parse(fields.get(Field::AnswerTime), policy.zone.as_ref());
    let (start, end) = (typed.start, typed.end);
    let is_known = start != Calls::NO_TIME && end != Calls::NO_TIME;
    let why = match duration_mark(typed, fields, policy) {
        mark::OVER_LENGTH if is_known && end < start => {
            format!("{}, by {} s", mark::END_FIRST, seconds(end, start))
        }
        mark::OVER_LENGTH => format!("{}, which is {} s", mark::OVER_LENGTH, seconds(start, end)),
        mark::RINGING => {
            let spoken =
                |answer| format!(": from answer_time to end_time it is {} s", seconds(answer, end));
            format!("{}{}", mark::RINGING, answer.map_or_else(String::new, spoken))
        }
        why => why.to_owned(),
    };
    found(Field::Duration, text, &why)
}

/// The reason that a duration is invalid, in words that are the same for all such durations.
#[must_use]
pub fn duration_mark(typed: &Record<'_>, fields: &Fields<'_>, policy: &Policy) -> &'static str {
    let text = fields.get(Field::Duration);
    match typed.invalid_duration(Duration::parse(text), policy) {
        _ if text.starts_with('-') => "it is negative",
        Some(why) if why.contains(mark::RINGING) => mark::RINGING,
        Some(why) => why,
        None => "it is not plausible",
    }
}

// ---- numbers ------------------------------------------------------------------------------------

/// The invalid number of a root: the one that it is rated by, or its caller.
#[must_use]
pub fn invalid_number(fields: &Fields<'_>) -> String {
    let (field, why) = number_mark(fields);
    found(field, fields.get(field), &format!("{why}; expected + and 7 to 15 digits"))
}

/// The field of a root's invalid number and the reason, in words that are the same for all such
/// numbers.
#[must_use]
pub fn number_mark(fields: &Fields<'_>) -> (Field, &'static str) {
    let to = fields.get(Field::To);
    // An origination call is answered at the trunk's own number, which 911 cannot be.
    let direction = DirectionField::parse(fields.get(Field::Direction), &[]);
    let may_be_emergency = direction != DirectionField::Origination;
    let is_rated = matches!(Party::of_root(to), Party::Number(_))
        || may_be_emergency && emergency_of_root(to).is_some();
    let (field, text) =
        if is_rated { (Field::From, fields.get(Field::From)) } else { (Field::To, to) };
    (field, no_number(text))
}

/// A guess at a text that is no number: one that a program mangled on its way, or none.
#[must_use]
pub fn no_number(text: &str) -> &'static str {
    if Number::parse(text).is_some() {
        return "it is a number";
    }
    if !crate::party::is_mangled(text) {
        return "it is no number";
    }
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if text.contains(['e', 'E'])
        && text.bytes().all(|b| b.is_ascii_digit() || b" '+-.,eE".contains(&b))
    {
        "an exponent stands for its last digits, as a spreadsheet writes a long number"
    } else if text.starts_with('=') {
        mark::FORMULA
    } else if text.starts_with(['\'', '"', '\u{2019}']) {
        "an apostrophe stands before it, as a spreadsheet marks a text"
    } else if text.contains(char::is_whitespace) {
        mark::BLANKS
    } else if digits == text.len() {
        if text.starts_with("00") {
            mark::ZEROS
        } else if text.starts_with('0') {
            mark::NATIONAL
        } else {
            mark::NO_PLUS
        }
    } else if digits + 1 == text.len() && text.starts_with('+') {
        if digits > 15 {
            "it has more than 15 digits"
        } else {
            "a country code does not start with 0"
        }
    } else {
        mark::SIGNS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::hint;
    use crate::reject::Reason;

    fn detail_of_time(text: &str, zone: Option<&str>) -> String {
        let mut fields = Fields::default();
        fields.0[Field::StartTime as usize] = text;
        let policy =
            Policy { zone: zone.map(|name| Zone::named(name).unwrap()), ..Policy::default() };
        invalid_time(&fields, &policy).replace(&format!("start_time is `{text}`: "), "")
    }

    #[test]
    fn times_that_are_none_say_why_and_the_hint_fits() {
        let berlin = Some("Europe/Berlin");
        let table = [
            (
                "2026-11-20 10:00:00",
                None,
                "it has no offset, and input.timezone is not set",
                "set `input.timezone`",
            ),
            (
                "2026-10-25 02:30:00",
                berlin,
                "the clock shows it twice in Europe/Berlin: \
                 at 2026-10-25T00:30:00Z and at 2026-10-25T01:30:00Z",
                "export times with an offset",
            ),
            (
                "2026-03-29 02:30:00",
                berlin,
                "the clock never shows it in Europe/Berlin: \
                 it goes from 2026-03-29 02:00:00 to 03:00:00",
                "export times with an offset",
            ),
            (
                "2011-12-30T12:00:00",
                Some("Pacific/Apia"),
                "the clock never shows it in Pacific/Apia: \
                 it goes from 2011-12-30 00:00:00 to 2011-12-31 00:00:00",
                "export times with an offset",
            ),
            (
                "2026-10-04 02:15:00",
                Some("Australia/Lord_Howe"),
                "the clock never shows it in Australia/Lord_Howe: \
                 it goes from 2026-10-04 02:00:00 to 02:30:00",
                "export times with an offset",
            ),
            (
                "12/01/2026 10:00",
                None,
                "this form is not read: it does not say which number is the month",
                "export times as",
            ),
            (
                "20.11.2026 10:00:00",
                berlin,
                "this form is not read: it does not say which number is the month",
                "export times as",
            ),
            ("20-Nov-26 10:00", None, "this form is not read", "export times as"),
            (
                "46346.41667",
                None,
                "this form is not read: it is a number, \
                 as a spreadsheet or a clock of seconds keeps a time",
                "export times as",
            ),
            (
                "2026-11-20 10:00:00 EST",
                None,
                "this form is not read: a name such as EST is no offset",
                "export times as",
            ),
            ("2026-11-20", None, "this form is not read: it has no time of day", "export times as"),
            ("yesterday", None, "this form is not read", "export times as"),
            ("2026-02-30T10:00:00Z", None, "there is no such day", "ask for this part"),
            ("2026-02-20T24:00:00Z", None, "there is no such time of day", "ask for this part"),
            (
                "9999-12-31T23:59:59Z",
                None,
                "its year is not within 1970 to 2199",
                "ask the carrier when",
            ),
        ];
        for (text, zone, why, advice) in table {
            assert_eq!(detail_of_time(text, zone), why, "{text}");
            let hint = hint(Reason::InvalidTime, &format!("start_time is `{text}`: {why}"));
            assert!(hint.starts_with(advice), "{text}: {hint}");
        }
    }

    #[test]
    fn an_answer_outside_of_the_call() {
        let mut fields = Fields::default();
        fields.0[Field::StartTime as usize] = "2026-11-20T10:00:00Z";
        fields.0[Field::EndTime as usize] = "2026-11-20 11:01:05 +01:00";
        fields.0[Field::AnswerTime as usize] = "2026-11-20T10:05:00Z";
        let detail = invalid_time(&fields, &Policy::default());
        let expected = "answer_time is `2026-11-20T10:05:00Z`: it lies outside the call, \
                        from 2026-11-20T10:00:00Z to 2026-11-20T10:01:05Z";
        assert_eq!(detail, expected);
        assert!(hint(Reason::InvalidTime, &detail).contains("answer_time"));
    }

    #[test]
    fn numbers_that_are_none_say_what_mangled_them() {
        let table = [
            ("442079460110", mark::NO_PLUS),
            ("00442079460110", mark::ZEROS),
            ("02079460110", mark::NATIONAL),
            (
                "4.42079E+11",
                "an exponent stands for its last digits, as a spreadsheet writes a long number",
            ),
            (
                "4,42079E+11",
                "an exponent stands for its last digits, as a spreadsheet writes a long number",
            ),
            ("'+442079460110", "an apostrophe stands before it, as a spreadsheet marks a text"),
            ("+44 20 7946 0110", mark::BLANKS),
            ("+44-20-7946-0110", mark::SIGNS),
            ("+4420794601101234", "it has more than 15 digits"),
            ("+0442079460110", "a country code does not start with 0"),
            ("anonymous", "it is no number"),
        ];
        let mut fields = Fields::default();
        fields.0[Field::From as usize] = "+12025550101";
        fields.0[Field::To as usize] = "911";
        assert!(invalid_number(&fields).starts_with("from is"), "911 may be called");
        fields.0[Field::Direction as usize] = "Trunking Originating";
        assert!(invalid_number(&fields).starts_with("to is `911`: "), "and is no trunk's number");
        for (text, why) in table {
            let mut fields = Fields::default();
            fields.0[Field::From as usize] = text;
            fields.0[Field::To as usize] = "+32455123456";
            assert_eq!(
                invalid_number(&fields),
                format!("from is `{text}`: {why}; expected + and 7 to 15 digits")
            );
            fields.0[Field::To as usize] = text;
            assert_eq!(
                invalid_number(&fields),
                format!("to is `{text}`: {why}; expected + and 7 to 15 digits")
            );
        }
    }
}
