//! The lines of a report: counts, money, samples, findings.

use crate::money::Total;
use serde::Serialize;
use std::collections::BTreeMap;

/// Calls in the list of the largest, per currency.
pub const LARGEST: usize = 20;

/// Which run a report is about, and what went in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Head {
    /// Its id.
    pub run_id: String,
    /// What it was for: `run`, `retry`, `close`, `resolve`.
    pub kind: String,
    /// Why, if a person decided it.
    pub reason: Option<String>,
    /// Why it was undone, if it was: then nothing of it counts.
    pub undone: Option<String>,
    /// Its number, from 1.
    pub sequence: u64,
    /// The run before it.
    pub previous: Option<String>,
    /// The newest call start of its own records; the report has no other date.
    pub newest_start: Option<String>,
    /// The newest call start that was known after it: ages are counted up to it.
    pub known_until: Option<String>,
    /// Version of trunkrate that booked it.
    pub version: String,
    /// Version of the time zone database.
    pub tzdb: String,
    /// The call files.
    pub files: Vec<FileLine>,
    /// The decks.
    pub decks: Vec<DeckLine>,
    /// Hash over all files of decks.
    pub decks_hash: Option<String>,
    /// Hash of the trunk list.
    pub trunks_hash: Option<String>,
    /// Hash of the accounts.
    pub accounts_hash: Option<String>,
    /// The policy that it rated with.
    pub policy: BTreeMap<String, String>,
}

/// A call file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileLine {
    /// Its name.
    pub name: String,
    /// Its form.
    pub format: String,
    /// Records in it.
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
    /// How many.
    #[serde(flatten)]
    pub count: Count,
}

/// The law of conservation as one line of arithmetic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Law {
    /// Left of the sign: read, retried.
    pub came: Vec<Term>,
    /// Right of it: rated, free, duplicate, ignored, suspended, closed.
    pub ended: Vec<Term>,
    /// Whether both sides are equal, in records and in seconds.
    pub holds: bool,
}

impl Law {
    /// The law over named counts; a name that is not there counts nothing.
    #[must_use]
    pub fn of(count: impl Fn(&str) -> Count) -> Self {
        let terms = |names: &[&str]| -> Vec<Term> {
            names.iter().map(|name| Term { name: (*name).to_owned(), count: count(name) }).collect()
        };
        let came = terms(&["read", "retried"]);
        let ended = terms(&["rated", "free", "duplicate", "ignored", "suspended", "closed"]);
        let sum = |terms: &[Term]| {
            let add = |sum: Count, term: &Term| Count {
                records: sum.records.saturating_add(term.count.records),
                seconds: sum.seconds.saturating_add(term.count.seconds),
            };
            terms.iter().fold(Count::default(), add)
        };
        let holds = sum(&came) == sum(&ended);
        Self { came, ended, holds }
    }
}

/// Where records ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClassLine {
    /// `rated`, `free` …
    pub class: String,
    /// What that means; of ignored records also their directions.
    pub words: String,
    /// How many.
    #[serde(flatten)]
    pub count: Count,
    /// What they come to.
    pub amounts: Vec<Money>,
}

/// What a class means, in words; of ignored records with how many there are of each direction.
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
    let directions: Vec<String> = ignored.iter().map(|(direction, count)| format!("{count} {direction}")).collect();
    format!("{words}: {}", directions.join(", "))
}

/// The booked calls of a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScenarioLine {
    /// Its id.
    pub scenario: String,
    /// The same as the published table has it.
    pub words: String,
    /// Calls that are billed.
    pub calls: u64,
    /// Calls that are free.
    pub free_calls: u64,
    /// Legs.
    pub legs: u64,
    /// Their billed seconds.
    pub billed_seconds: u64,
    /// The same in minutes, to four decimals.
    pub billed_minutes: String,
    /// Their sum by currency.
    pub amounts: Vec<Money>,
}

/// The records that wait, or waited, for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReasonLine {
    /// The reason.
    pub reason: String,
    /// How many.
    #[serde(flatten)]
    pub count: Count,
    /// When the oldest was first seen.
    pub oldest_first_seen: Option<String>,
    /// Its age in whole days.
    pub oldest_days: Option<i64>,
    /// The age in the middle: half of them wait no longer. Of two in the middle it is the lower.
    pub median_days: Option<i64>,
    /// How often the one that was tried most was tried.
    pub most_tries: u32,
    /// What to do.
    pub hint: &'static str,
    /// The oldest.
    pub samples: Vec<Sample>,
}

/// A record that waits, as a sample of its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// The call; empty if the record has no id.
    pub call_sid: String,
    /// Its account.
    pub account_sid: String,
    /// The file from which it came.
    pub source_file: String,
    /// Its line there.
    pub source_line: u64,
    /// What was found, and what was expected.
    pub detail: String,
    /// Its age in whole days.
    pub age_days: Option<i64>,
    /// How often it was tried.
    pub tries: u32,
    /// Why it was written off; empty if it waits.
    pub closed_because: String,
}

/// Amounts of one currency by UTC day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Timeline {
    /// ISO 4217.
    pub currency: String,
    /// The last days without a gap, oldest first, up to the run's last day.
    pub all: Vec<DaySum>,
    /// The run's own days and the last one known before it, newest first, each beside the same weekdays before it.
    pub days: Vec<Day>,
}

/// The amount of a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DaySum {
    /// `YYYY-MM-DD`.
    pub date: String,
    /// Sum of all runs up to this one.
    pub amount: Total,
    /// What of it is this run's.
    pub of_run: Total,
    /// Whether the run booked legs of that day.
    pub is_of_run: bool,
}

/// A day of the run, beside the same weekdays of the 28 days before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Day {
    /// Its date and sums.
    #[serde(flatten)]
    pub sum: DaySum,
    /// `Friday`.
    pub weekday: &'static str,
    /// The same weekday 7, 14, 21 and 28 days before, newest first; a day without legs is left out.
    pub before: Vec<Before>,
    /// Their median.
    pub median: Option<String>,
    /// How it is beside them.
    pub verdict: Verdict,
    /// Whether no call is known that starts later, or in the day's last hour, so that the day may not be over.
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

/// How a day is beside the same weekdays before it: see [`super::days`] for the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// From half of the median to double of it.
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
    /// The greatest first; of equals the one that started first.
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
    /// When it started, UTC.
    pub start: String,
    /// Its scenario.
    pub scenario: String,
    /// From, as the log has it.
    pub from: String,
    /// To.
    pub to: String,
    /// Its seconds.
    pub duration_seconds: i64,
    /// The sum of its legs.
    pub amount: Total,
    /// What explains it, to be copied into a terminal; see [`rerate_command`].
    pub command: Option<String>,
}

/// The callers of billed calls that are no transfers. All but the known ones are billed with an unknown origin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Callers {
    /// Those calls.
    pub roots: u64,
    /// Of these, calls from one of the numbers that stand for a withheld caller.
    pub withheld: u64,
    /// Calls from a text that was a number once.
    pub mangled: u64,
    /// Calls from any other text, or from nothing.
    pub unknown: u64,
}

/// The carrier's prices of the run's calls beside ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CarrierLine {
    /// The currency of both.
    pub currency: String,
    /// Booked calls for which the carrier named a charge in it, or without a unit.
    pub calls: u64,
    /// Calls for which both are equal.
    pub equal: u64,
    /// Calls for which ours is more.
    pub ours_more: u64,
    /// Calls for which ours is less.
    pub ours_less: u64,
    /// The sum of ours.
    pub ours: String,
    /// The sum of the carrier's.
    pub carriers: String,
    /// Ours less the carrier's.
    pub difference: String,
}

/// Something odd, or that nothing odd of a kind was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its id.
    pub id: &'static str,
    /// What was looked for.
    pub title: &'static str,
    /// How often it was found.
    pub count: u64,
    /// How many were looked at.
    pub of: u64,
    /// What those are: `legs`, `transfers` …
    pub unit: &'static str,
    /// The exact rule.
    pub rule: String,
    /// Why it matters.
    pub why: &'static str,
    /// What to do.
    pub what_to_do: &'static str,
    /// The worst.
    pub examples: Vec<Example>,
}

/// A call in which something was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Example {
    /// The call.
    pub call_sid: String,
    /// When it started, UTC.
    pub start: String,
    /// What was found.
    pub text: String,
    /// What explains it, to be copied into a terminal.
    pub command: Option<String>,
}

/// Records and their seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Records.
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

/// The command that explains a call, safe to be copied into a terminal. An id is a text that a stranger may have chosen:
/// one with anything but letters, digits and harmless signs is quoted, and for one with hidden characters there is none.
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
