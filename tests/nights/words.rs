//! Nights in words. Each line of a table is a night:
//! `calls | what its run books | what waits after it`.
//!
//! A call is `sid` or `sid<parent`, then words that make it another one than the plain call: `301s`
//! its duration, `ringing` its status, `inbound` its direction, `$-0.05` its price, `+3d` its
//! start, days later, `AC2` its account, `to=…` its target. `_` is a call without an id, `!` a line
//! that is no record. The plain root is a termination of 300 s: 5 minutes at 0.0100. The plain
//! child lasts 370 s: two legs of 7 minutes. `$ P -0.05` under the nights: the carrier's prices in
//! the end.
//!
//! [`hold`] rates the cases of a table. Unless a case's name begins with `*`, one run over all its
//! calls must give the same books. After every case the ledger is verified, and its nights again
//! book nothing.

use super::{Books, Folder, Line, again, cell, rate, rows};
use std::collections::BTreeMap;

/// 2026-11-20T21:00:00Z.
const FIRST_START: i64 = 1_795_208_400;
const DAY: i64 = 86_400;

/// A case: its name, nights with what they book and leave waiting, the carrier's prices in the end.
#[derive(Default)]
struct Case<'a> {
    name: &'a str,
    nights: Vec<[&'a str; 3]>,
    prices: Option<&'a str>,
}

fn parse(table: &str) -> Vec<Case<'_>> {
    let mut cases: Vec<Case> = Vec::new();
    for line in table.lines().filter(|line| !line.trim().is_empty()) {
        let text = line.trim();
        match (line.starts_with(' '), text.strip_prefix('$')) {
            (false, _) => cases.push(Case { name: text, ..Case::default() }),
            (true, Some(prices)) => {
                cases.last_mut().expect("a name first").prices = Some(prices.trim());
            }
            (true, None) => {
                let parts: Vec<&str> = text.split('|').map(str::trim).collect();
                cases
                    .last_mut()
                    .expect("a name first")
                    .nights
                    .push(parts.try_into().expect("three columns"));
            }
        }
    }
    cases
}

/// An instant as a call file has it.
fn instant(seconds: i64) -> String {
    // Days since 1970 to a date: Hinnant's algorithm, for years after 0.
    let days = seconds.div_euclid(DAY) + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let (day, month) = (day_of_year - (153 * shifted + 2) / 5 + 1, (shifted + 2) % 12 + 1);
    let year = year_of_era + era * 400 + i64::from(month < 3);
    let second = seconds.rem_euclid(DAY);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// A call in the words of the tables.
fn line(text: &str) -> Line {
    if let Some(broken) = text.strip_prefix('!') {
        return Line::Broken(format!("{broken}{}", ",".repeat(20)));
    }
    let mut words = text.split_whitespace();
    let id = words.next().expect("a call");
    let (sid, parent) = id.split_once('<').unwrap_or((id, ""));
    let (mut start, seconds) =
        if parent.is_empty() { (FIRST_START, "300") } else { (FIRST_START + 300, "370") };
    let plain = [
        ("sid", sid.trim_matches('_')),
        ("parent_call_sid", parent),
        ("account_sid", "AC1"),
        ("direction", if parent.is_empty() { "trunking-terminating" } else { "" }),
        ("from", "+12025550101"),
        ("to", if parent.is_empty() { "+12025550102" } else { "+12025550103" }),
        ("duration", seconds),
        ("status", "completed"),
    ];
    let mut fields: BTreeMap<&'static str, String> =
        plain.map(|(name, text)| (name, text.to_owned())).into();
    for word in words {
        if let Some(days) = word.strip_suffix('d').and_then(|days| days.parse::<i64>().ok()) {
            start += days * DAY;
            continue;
        }
        let (name, text) = match word.split_at(1) {
            ("$", price) => ("price", price),
            (_, _) if word.starts_with("to=") => ("to", &word[3..]),
            (_, _) if word.starts_with("AC") => ("account_sid", word),
            (_, _) if word == "inbound" => ("direction", word),
            (_, _)
                if word.ends_with('s')
                    && word.starts_with(|c: char| c.is_ascii_digit() || c == '-') =>
            {
                ("duration", word.trim_end_matches('s'))
            }
            (_, _) => ("status", word),
        };
        fields.insert(name, text.to_owned());
    }
    if ["ringing", "in-progress", "busy"].contains(&fields["status"].as_str()) {
        fields.insert("duration", String::new());
    }
    fields.insert("start_time", instant(start));
    Line::Record(fields)
}

pub fn lines(night: &str) -> Vec<Line> {
    night.split(',').map(str::trim).filter(|text| !text.is_empty()).map(line).collect()
}

pub fn folder(config: &str) -> Folder {
    let folder = Folder::with_plain_deck();
    folder.file("trunkrate.toml", format!("# As the night says.\n{config}"));
    folder
}

pub fn waiting(folder: &Folder) -> String {
    let mut pairs: Vec<String> = rows(folder, "suspense")
        .iter()
        .map(|row| {
            let sid = cell(row, "call_sid");
            format!("{} {}", if sid.is_empty() { "_" } else { sid }, cell(row, "reason"))
        })
        .collect();
    pairs.sort();
    pairs.join(", ")
}

/// What each run booked: `P 0.05000, C 0.07000+0.07000, B free`, by run and call.
fn booked(folder: &Folder) -> BTreeMap<String, String> {
    let mut amounts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for leg in rows(folder, "legs") {
        amounts
            .entry(cell(&leg, "call_sid").to_owned())
            .or_default()
            .push(cell(&leg, "amount").to_owned());
    }
    let mut runs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for call in rows(folder, "calls") {
        let sid = cell(&call, "call_sid");
        let what = amounts
            .get(sid)
            .map_or_else(|| cell(&call, "class").to_owned(), |amounts| amounts.join("+"));
        runs.entry(cell(&call, "run_id").to_owned()).or_default().push(format!("{sid} {what}"));
    }
    let sorted = |(run, mut calls): (String, Vec<String>)| {
        calls.sort();
        (run, calls.join(", "))
    };
    runs.into_iter().map(sorted).collect()
}

pub fn prices(folder: &Folder) -> String {
    let calls = rows(folder, "calls");
    let priced = calls.iter().filter(|call| !cell(call, "carrier_price").is_empty());
    priced
        .map(|call| format!("{} {}", cell(call, "call_sid"), cell(call, "carrier_price")))
        .collect::<Vec<_>>()
        .join(", ")
}

fn sorted(list: &str) -> String {
    let mut items: Vec<&str> = list.split(", ").collect();
    items.sort_unstable();
    items.join(", ")
}

/// What is wrong with a case, line by line.
fn complaints(case: &Case<'_>, config: &str) -> Vec<String> {
    let ledger = folder(config);
    let mut wrong = Vec::new();
    let mut runs = Vec::new();
    for (number, [calls, _, waits]) in (1..).zip(&case.nights) {
        runs.push(cell(&rate(&ledger, &lines(calls), &[]), "run_id").to_owned());
        let found = waiting(&ledger);
        if found != sorted(waits) {
            wrong.push(format!("after night {number} waits `{found}`, expected `{waits}`"));
        }
    }
    let books = booked(&ledger);
    for (number, (run, [_, expected, _])) in (1..).zip(runs.iter().zip(&case.nights)) {
        let found = books.get(run).map_or("", String::as_str);
        if found != sorted(expected) {
            wrong.push(format!("night {number} books `{found}`, expected `{expected}`"));
        }
    }
    let found = prices(&ledger);
    if case.prices.is_some_and(|expected| expected != found) {
        wrong.push(format!(
            "the carrier's prices are `{found}`, expected `{}`",
            case.prices.unwrap_or_default()
        ));
    }
    let all: Vec<Line> = case.nights.iter().flat_map(|[calls, ..]| lines(calls)).collect();
    if !case.name.starts_with('*') {
        let one = folder(config);
        rate(&one, &all, &[]);
        wrong.extend(Books::of(&ledger).against_one_run(&Books::of(&one)));
    }
    let verified = ledger.trunkrate(&["verify"]);
    if verified.code != 0 {
        wrong.push(format!("verify: {}", verified.stderr));
    }
    wrong.extend(again(&ledger, &all, &[]));
    wrong
}

#[track_caller]
pub fn hold(config: &str, table: &str) {
    let said = |case: &Case<'_>| {
        let wrong = complaints(case, config);
        (!wrong.is_empty()).then(|| format!("{}\n  {}", case.name, wrong.join("\n  ")))
    };
    let cases = parse(table);
    assert!(!cases.is_empty());
    let wrong: Vec<String> = cases.iter().filter_map(said).collect();
    assert!(wrong.is_empty(), "{} of {} cases\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
