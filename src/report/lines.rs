//! The lines of a report: counts, money, samples, findings.

use crate::money::Total;
use serde::Serialize;
use std::collections::BTreeMap;

/// The number of calls in the list of the largest, per currency.
pub const LARGEST: usize = 20;

/// The run of a report, and its inputs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ReportHead {
    /// Its id.
    pub run_id: String,
    /// Its kind: `run`, `retry`, `close`, `resolve`, `import`.
    pub kind: String,
    /// The reason, if a person decided it.
    pub reason: Option<String>,
    /// The reason why it was undone, if it was: then nothing of it counts.
    pub undone: Option<String>,
    /// Its number, from 1.
    pub sequence: u64,
    /// The run before it.
    pub previous: Option<String>,
    /// The newest call start of its own records; the report has no other date.
    pub newest_start: Option<String>,
    /// The newest call start known after the run: ages are counted up to it.
    pub known_until: Option<String>,
    /// The version of trunkrate that booked it.
    pub version: String,
    /// The version of the time zone database.
    pub tzdb: String,
    /// The call files.
    pub files: Vec<FileLine>,
    /// The decks.
    pub decks: Vec<DeckLine>,
    /// The hash over all deck files.
    pub decks_hash: Option<String>,
    /// The hash of the trunk list.
    pub trunks_hash: Option<String>,
    /// The hash of the accounts.
    pub accounts_hash: Option<String>,
    /// The policy that it rated with.
    pub policy: BTreeMap<String, String>,
}

/// A call file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileLine {
    /// Its name.
    pub name: String,
    /// Its format.
    pub format: String,
    /// The number of records in it.
    pub rows: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// BLAKE3 of its content.
    pub blake3: String,
}

/// A deck.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeckLine {
    /// Its name.
    pub name: String,
    /// ISO 4217.
    pub currency: String,
    /// BLAKE3 over its files.
    pub blake3: String,
}

/// A count with its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Term {
    /// `read`, `rated` …
    pub name: String,
    /// Its records and seconds.
    #[serde(flatten)]
    pub count: RecordCount,
}

/// The law of conservation as one line of arithmetic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Law {
    /// The left side: read, retried.
    pub came: Vec<Term>,
    /// The right side: rated, free, duplicate, ignored, suspended, closed.
    pub ended: Vec<Term>,
    /// True if both sides are equal, in records and in seconds.
    pub holds: bool,
}

impl Law {
    /// The law over named counts; `count` gives zero for an unknown name.
    #[must_use]
    pub fn of(count: impl Fn(&str) -> RecordCount) -> Self {
        let terms = |names: &[&str]| -> Vec<Term> {
            names.iter().map(|name| Term { name: (*name).to_owned(), count: count(name) }).collect()
        };
        let came = terms(&["read", "retried"]);
        let ended = terms(&["rated", "free", "duplicate", "ignored", "suspended", "closed"]);
        let sum = |terms: &[Term]| {
            let add = |sum: RecordCount, term: &Term| RecordCount {
                records: sum.records.saturating_add(term.count.records),
                seconds: sum.seconds.saturating_add(term.count.seconds),
            };
            terms.iter().fold(RecordCount::default(), add)
        };
        let holds = sum(&came) == sum(&ended);
        Self { came, ended, holds }
    }
}

/// The records that ended in one class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClassLine {
    /// `rated`, `free` …
    pub class: String,
    /// The meaning of the class; for ignored records also their directions.
    pub words: String,
    /// Its records and seconds.
    #[serde(flatten)]
    pub count: RecordCount,
    /// Their amounts by currency.
    pub amounts: Vec<Money>,
}

/// The meaning of a class in words; for ignored records with the number of each direction.
#[must_use]
pub fn class_words(class: &str, ignored: &BTreeMap<String, u64>) -> String {
    let words = match class {
        "rated" => "billed",
        "free" => "not answered, or 0 s",
        "duplicate" => "a copy of a call that is known",
        "ignored" => "no call of a trunk",
        "suspended" => "waits: cannot be billed now",
        "closed" => "written off by a person",
        _ => "",
    };
    if class != "ignored" || ignored.is_empty() {
        return words.to_owned();
    }
    let directions: Vec<String> =
        ignored.iter().map(|(direction, count)| format!("{count} {direction}")).collect();
    format!("{words}: {}", directions.join(", "))
}

/// The booked calls of a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScenarioLine {
    /// Its id.
    pub scenario: String,
    /// The scenario in the words of the published table.
    pub words: String,
    /// The billed calls.
    pub calls: u64,
    /// The free calls.
    pub free_calls: u64,
    /// The number of legs.
    pub legs: u64,
    /// Their billed seconds.
    pub billed_seconds: i64,
    /// The same in minutes, to four decimals.
    pub billed_minutes: String,
    /// Their sum by currency.
    pub amounts: Vec<Money>,
}

/// The records suspended, or written off, for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReasonLine {
    /// The reason.
    pub reason: String,
    /// Its records and seconds.
    #[serde(flatten)]
    pub count: RecordCount,
    /// The time at which the oldest was first seen.
    pub oldest_first_seen: Option<String>,
    /// Its age in whole days.
    pub oldest_days: Option<i64>,
    /// The median age; the lower of two in the middle.
    pub median_days: Option<i64>,
    /// The number of tries of the record that was tried most often.
    pub most_tries: u32,
    /// The remedy.
    pub hint: &'static str,
    /// The oldest records.
    pub samples: Vec<SampleLine>,
}

/// A suspended or written-off record, as a sample of its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SampleLine {
    /// The call; empty if the record has no id.
    pub call_sid: String,
    /// Its account.
    pub account_sid: String,
    /// The file from which it came.
    pub source_file: String,
    /// Its line there.
    pub source_line: u64,
    /// The value found, and the value expected.
    pub detail: String,
    /// Its age in whole days.
    pub age_days: Option<i64>,
    /// The number of tries.
    pub tries: u32,
    /// The reason for the write-off; empty if the record is still suspended.
    pub closed_because: String,
}

/// Amounts of one currency by UTC day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Timeline {
    /// ISO 4217.
    pub currency: String,
    /// The last days without a gap, oldest first, up to the run's last day.
    pub all: Vec<DaySum>,
    /// The run's own days and the last one known before it, newest first, each compared with the
    /// same weekdays before it.
    pub days: Vec<Day>,
}

/// The amount of a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DaySum {
    /// `YYYY-MM-DD`.
    pub date: String,
    /// The sum of all runs up to this one.
    pub amount: Total,
    /// The share of this run.
    pub of_run: Total,
    /// True if the run booked legs of that day.
    pub is_of_run: bool,
}

/// A day of the run, compared with the same weekdays of the 28 days before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Day {
    /// Its date and sums.
    #[serde(flatten)]
    pub sum: DaySum,
    /// `Friday`.
    pub weekday: &'static str,
    /// The same weekday 7, 14, 21 and 28 days before, newest first, without days that have no legs.
    pub before: Vec<Before>,
    /// Their median.
    pub median: Option<String>,
    /// The result of the comparison.
    pub verdict: DayVerdict,
    /// True if no call is known that starts in the day's last hour or later, so that the day may
    /// not be over.
    pub may_not_be_over: bool,
    /// All of this in a sentence.
    pub words: String,
}

/// An earlier day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Before {
    /// `YYYY-MM-DD`.
    pub date: String,
    /// Its sum.
    pub amount: Total,
}

/// The comparison of a day with the same weekdays before it: see [`super::days`] for the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DayVerdict {
    /// From half of the median to double the median, inclusive.
    Usual,
    /// Below half.
    Low,
    /// Below half so far: the day may not be over.
    Open,
    /// Above double.
    High,
    /// Fewer than two of the days before have legs.
    NoHistory,
}

/// The greatest calls of a currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Largest {
    /// ISO 4217.
    pub currency: String,
    /// The largest amount first; of equal amounts, the earlier start first.
    pub calls: Vec<LargeCall>,
}

/// A call with its amount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LargeCall {
    /// The call.
    pub call_sid: String,
    /// Its account.
    pub account_sid: String,
    /// The account's name, if it is listed.
    pub account_name: String,
    /// The start of the call, UTC.
    pub start: String,
    /// Its scenario.
    pub scenario: String,
    /// The calling party, as the log writes it.
    pub from: String,
    /// The called party.
    pub to: String,
    /// Its seconds.
    pub duration_seconds: i64,
    /// The sum of its legs.
    pub amount: Total,
    /// The command that explains the call, for copying into a terminal; see [`rerate_command`].
    pub command: Option<String>,
}

/// The callers of billed calls that are not transfers. Withheld, mangled and unknown callers are
/// billed with an unknown origin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Callers {
    /// All those calls.
    pub roots: u64,
    /// Calls from one of the numbers that represent a withheld caller.
    pub withheld: u64,
    /// Calls from a text that was once a number.
    pub mangled: u64,
    /// Calls from any other text, or from an empty one.
    pub unknown: u64,
}

/// The carrier's prices of the run's calls compared with ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CarrierLine {
    /// The currency of both.
    pub currency: String,
    /// Booked calls for which the carrier gave a charge in this currency, or without a unit.
    pub calls: u64,
    /// Calls with equal prices.
    pub equal: u64,
    /// Calls for which our price is higher.
    pub ours_more: u64,
    /// Calls for which our price is lower.
    pub ours_less: u64,
    /// The sum of our prices.
    pub ours: String,
    /// The sum of the carrier's prices.
    pub carriers: String,
    /// Our sum minus the carrier's.
    pub difference: String,
}

/// A check for one kind of oddity, with its hits, if any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its id.
    pub id: &'static str,
    /// The oddity that it checks for.
    pub title: &'static str,
    /// The number of hits.
    pub count: u64,
    /// The number of items checked.
    pub of: u64,
    /// The items checked: `legs`, `transfers` …
    pub unit: &'static str,
    /// The exact rule.
    pub rule: String,
    /// The reason why it matters.
    pub why: &'static str,
    /// The remedy.
    pub what_to_do: &'static str,
    /// The worst hits.
    pub examples: Vec<Example>,
}

/// A call with a hit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Example {
    /// The call.
    pub call_sid: String,
    /// The start of the call, UTC.
    pub start: String,
    /// The hit in words.
    pub text: String,
    /// The command that explains the call, for copying into a terminal.
    pub command: Option<String>,
}

/// Records and their seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RecordCount {
    /// The number of records.
    pub records: u64,
    /// Their seconds.
    pub seconds: u64,
}

/// An amount in a currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Money {
    /// ISO 4217.
    pub currency: String,
    /// The exact sum.
    pub amount: Total,
}

/// The command that explains a call, safe for copying into a terminal. A stranger may have chosen
/// the id: an id with anything but letters, digits and harmless signs is quoted. An empty id, or
/// one with hidden characters, has no command.
#[must_use]
pub fn rerate_command(call_sid: &str) -> Option<String> {
    if call_sid.is_empty() || matches!(crate::text::visible(call_sid), std::borrow::Cow::Owned(_)) {
        return None;
    }
    let dashes = if call_sid.starts_with('-') { "-- " } else { "" };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.:@+".contains(&b);
    if call_sid.bytes().all(plain) {
        return Some(format!("trunkrate rerate {dashes}{call_sid}"));
    }
    Some(format!("trunkrate rerate {dashes}'{}'", call_sid.replace('\'', r"'\''")))
}
