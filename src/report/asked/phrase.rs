//! A phrase as people type it into one box: `0100 29 Oct 3pm`, `Acme yesterday`, a number, an id.
//!
//! **Invariant:** what is no day and no time stays a word, and is understood or refused as one.

use crate::time;

/// A phrase, taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Phrase {
    /// The rest: numbers, accounts, calls.
    pub words: Vec<String>,
    /// The day, `2026-10-29`, `today` or `yesterday`.
    pub day: Option<String>,
    /// The time of day, `15:00`.
    pub time: Option<String>,
}

/// Takes a phrase apart. A day without its year is the last one up to `today`, `YYYY-MM-DD`.
#[must_use]
pub fn taken_apart(text: &str, today: &str) -> Phrase {
    let tokens: Vec<&str> = text.split_whitespace().collect();
    let small: Vec<String> =
        tokens.iter().map(|token| token.trim_matches(',').to_ascii_lowercase()).collect();
    let mut phrase = Phrase::default();
    let mut at = 0;
    while at < tokens.len() {
        if phrase.day.is_none()
            && let Some((day, taken)) = day_at(&small[at..], today)
        {
            phrase.day = Some(day);
            at += taken;
        } else if phrase.time.is_none()
            && let Some((time, taken)) = time_at(&small[at..])
        {
            phrase.time = Some(time);
            at += taken;
        } else {
            phrase.words.push(tokens[at].to_owned());
            at += 1;
        }
    }
    phrase
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

fn month(word: &str) -> Option<usize> {
    let word = word.trim_end_matches('.');
    let is_it = |name: &str| word.len() >= 3 && name.starts_with(word);
    MONTHS.iter().position(|name| is_it(name)).map(|at| at + 1)
}

fn day_of_month(word: &str) -> Option<u32> {
    let digits = word.trim_end_matches('.');
    let ends = ["st", "nd", "rd", "th"];
    let digits = ends.iter().find_map(|end| digits.strip_suffix(end)).unwrap_or(digits);
    let is_short = (1..=2).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|day| is_short && (1..=31).contains(day))
}

/// The day that some words begin with, and how many of them say it.
fn day_at(words: &[String], today: &str) -> Option<(String, usize)> {
    let first = words.first()?;
    if first == "today" || first == "yesterday" {
        return Some((first.clone(), 1));
    }
    if first.len() == 10 && time::days_after(first, 0).is_some_and(|same| same == *first) {
        return Some((first.clone(), 1));
    }
    let second = words.get(1)?;
    let (day, month) = day_of_month(first)
        .zip(month(second))
        .or_else(|| Some((day_of_month(second)?, month(first)?)))?;
    let year = words.get(2).filter(|word| word.len() == 4).and_then(|word| word.parse().ok());
    let date = |year: i32| format!("{year:04}-{month:02}-{day:02}");
    let is_date = |date: &String| time::days_after(date, 0).is_some_and(|same| same == *date);
    if let Some(year) = year {
        return Some(date(year)).filter(is_date).map(|date| (date, 3));
    }
    let this: i32 = today.get(..4)?.parse().ok()?;
    // A leap day is in one year of four.
    let date = (0..8).map(|back| date(this - back)).find(|d| d.as_str() <= today && is_date(d))?;
    Some((date, 2))
}

/// The time of day that some words begin with, and how many of them say it.
fn time_at(words: &[String]) -> Option<(String, usize)> {
    let first = words.first()?;
    if first == "at" {
        return time_at(&words[1..]).map(|(time, taken)| (time, taken + 1));
    }
    let halves = |text: &str| {
        text.strip_suffix("am")
            .map(|rest| (rest.to_owned(), false))
            .or_else(|| text.strip_suffix("pm").map(|rest| (rest.to_owned(), true)))
    };
    let (text, is_after_noon, taken) = match (halves(first), words.get(1).map(String::as_str)) {
        (Some((rest, is_after)), _) if !rest.is_empty() => (rest, Some(is_after), 1),
        (_, Some("am")) => (first.clone(), Some(false), 2),
        (_, Some("pm")) => (first.clone(), Some(true), 2),
        _ => (first.clone(), None, 1),
    };
    let parts: Vec<&str> = text.split([':', '.']).collect();
    let is_number = |part: &&str| {
        (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let is_clock =
        text.contains(':') && parts.len() <= 3 && parts[1..].iter().all(|p| p.len() == 2);
    if !parts.iter().all(is_number) || parts.len() > 3 || is_after_noon.is_none() && !is_clock {
        return None;
    }
    let numbers: Vec<u32> = parts.iter().filter_map(|part| part.parse().ok()).collect();
    let hour = match (is_after_noon, numbers[0]) {
        (None, hour) => hour,
        (Some(_), 0 | 13..) => return None,
        (Some(is_after), hour) => hour % 12 + if is_after { 12 } else { 0 },
    };
    let rest = [1, 2].map(|at| numbers.get(at).copied().unwrap_or(0));
    if hour > 23 || rest.iter().any(|part| *part > 59) {
        return None;
    }
    let seconds = if numbers.len() > 2 { format!(":{:02}", rest[1]) } else { String::new() };
    Some((format!("{hour:02}:{:02}{seconds}", rest[0]), taken))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_times_are_taken_out() {
        for (text, words, day, time) in [
            ("29 Oct 3pm", "", "2026-10-29", "15:00"),
            ("0100 29 Oct 3pm", "0100", "2026-10-29", "15:00"),
            ("Acme Ltd, oct 29th at 3:05 pm", "Acme Ltd,", "2026-10-29", "15:05"),
            ("24 december", "", "2025-12-24", ""),
            ("24 Dec 2024 00:15", "", "2024-12-24", "00:15"),
            ("29 feb", "", "2024-02-29", ""),
            ("yesterday 15:00:30", "", "yesterday", "15:00:30"),
            ("12am", "", "", "00:00"),
            ("12 pm today", "", "today", "12:00"),
            ("+1 (415) 555-0100", "+1 (415) 555-0100", "", ""),
            ("2026-11-20 +14155550100", "+14155550100", "2026-11-20", ""),
            ("CA1 13pm", "CA1 13pm", "", ""),
            ("31 june", "31 june", "", ""),
            ("25:00 am", "25:00 am", "", ""),
            ("may 5", "", "2026-05-05", ""),
            ("Maya", "Maya", "", ""),
            ("", "", "", ""),
        ] {
            let phrase = taken_apart(text, "2026-11-20");
            assert_eq!(phrase.words.join(" "), words, "{text}");
            assert_eq!(phrase.day.as_deref().unwrap_or(""), day, "{text}");
            assert_eq!(phrase.time.as_deref().unwrap_or(""), time, "{text}");
        }
    }
}
