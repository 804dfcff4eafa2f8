//! The suspended records, by reason.
//!
//! **Invariant:** the lines are in the order of [`Reason`], and the samples do not depend on the
//! order of the records: the oldest first, then by file and line.

use super::lines::{ReasonLine, RecordCount, SampleLine};
use crate::reject::Reason;
use crate::time::{self, Micros};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The most samples of a reason.
pub const SAMPLES: usize = 3;

/// A suspended or written-off record.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the columns of the contract, section 5.3")]
pub struct Waiting<'a> {
    pub call_sid: &'a str,
    pub account_sid: &'a str,
    pub reason: &'a str,
    pub detail: &'a str,
    pub source_file: &'a str,
    pub source_line: u64,
    pub first_seen: &'a str,
    pub tries: u32,
    pub seconds: u32,
    pub close_reason: &'a str,
}

impl Waiting<'_> {
    /// The record as a sample; its age is computed by [`age_days`].
    #[must_use]
    pub fn sample(&self, age_days: Option<i64>) -> SampleLine {
        SampleLine {
            call_sid: self.call_sid.to_owned(),
            account_sid: self.account_sid.to_owned(),
            source_file: self.source_file.to_owned(),
            source_line: self.source_line,
            detail: self.detail.to_owned(),
            age_days,
            tries: self.tries,
            closed_because: self.close_reason.to_owned(),
        }
    }
}

/// The whole days that a record has been suspended, in the time of the calls: from the newest call
/// known when it came to the newest call known now.
#[must_use]
pub fn age_days(first_seen: &str, newest: Option<Micros>) -> Option<i64> {
    let first = time::parse_date_or_instant(first_seen)?;
    Some((newest? - first).max(0) / time::DAY)
}

/// The oldest records of many, as samples: the oldest first, then by file, line, id and detail.
#[derive(Debug, Default)]
pub(super) struct Oldest {
    /// The samples, each with its age and the time at which it was first seen.
    kept: Vec<(Option<i64>, String, SampleLine)>,
}

impl Oldest {
    /// Adds a record, if it is among the oldest.
    pub(super) fn add(&mut self, record: &Waiting<'_>, age: Option<i64>) {
        let key =
            (Reverse(age), record.source_file, record.source_line, record.call_sid, record.detail);
        let at = self.kept.partition_point(|(age, _, kept)| {
            (
                Reverse(*age),
                kept.source_file.as_str(),
                kept.source_line,
                kept.call_sid.as_str(),
                kept.detail.as_str(),
            ) <= key
        });
        if at < SAMPLES {
            self.kept.insert(at, (age, record.first_seen.to_owned(), record.sample(age)));
            self.kept.truncate(SAMPLES);
        }
    }

    /// The age of the oldest record, and the time at which it was first seen, if known.
    pub(super) fn oldest(&self) -> (Option<i64>, Option<&str>) {
        let oldest = self.kept.first();
        (
            oldest.and_then(|(age, ..)| *age),
            oldest.map(|(_, seen, _)| seen.as_str()).filter(|seen| !seen.is_empty()),
        )
    }

    pub(super) fn into_samples(self) -> Vec<SampleLine> {
        self.kept.into_iter().map(|(.., sample)| sample).collect()
    }
}

/// The counts of a reason so far.
#[derive(Debug, Default)]
struct ReasonPile {
    count: RecordCount,
    /// The number of records of each age.
    ages: BTreeMap<i64, u64>,
    most_tries: u32,
    oldest: Oldest,
}

/// Counts records by reason as they come.
#[derive(Debug)]
pub struct ByReason {
    newest: Option<Micros>,
    piles: BTreeMap<(Option<Reason>, String), ReasonPile>,
}

impl ByReason {
    /// An empty count; `newest` is the newest known call start.
    #[must_use]
    pub fn new(newest: Option<Micros>) -> Self {
        Self { newest, piles: BTreeMap::new() }
    }

    /// Counts a record.
    pub fn add(&mut self, record: &Waiting<'_>) {
        let pile =
            self.piles.entry((Reason::parse(record.reason), record.reason.to_owned())).or_default();
        let age = age_days(record.first_seen, self.newest);
        pile.count.records += 1;
        pile.count.seconds += u64::from(record.seconds);
        pile.most_tries = pile.most_tries.max(record.tries);
        if let Some(age) = age {
            *pile.ages.entry(age).or_default() += 1;
        }
        pile.oldest.add(record, age);
    }

    /// The reasons, in their order.
    #[must_use]
    pub fn finish(self) -> Vec<ReasonLine> {
        self.piles.into_iter().map(|((reason, name), pile)| line(reason, name, pile)).collect()
    }
}

fn line(reason: Option<Reason>, name: String, pile: ReasonPile) -> ReasonLine {
    let (oldest_days, oldest_first_seen) = pile.oldest.oldest();
    ReasonLine {
        reason: name,
        count: pile.count,
        oldest_first_seen: oldest_first_seen.map(str::to_owned),
        oldest_days,
        median_days: lower_median(&pile.ages),
        most_tries: pile.most_tries,
        hint: reason.map_or("", Reason::hint),
        samples: pile.oldest.into_samples(),
    }
}

/// The median of counted values; the lower of two in the middle.
fn lower_median(counts: &BTreeMap<i64, u64>) -> Option<i64> {
    let middle = counts.values().sum::<u64>().checked_sub(1)? / 2;
    let mut before = 0;
    let at_middle = counts.iter().find(|(_, count)| {
        before += **count;
        before > middle
    });
    at_middle.map(|(value, _)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record<'a>(reason: &'a str, first_seen: &'a str, line: u64) -> Waiting<'a> {
        Waiting {
            call_sid: "CA1",
            account_sid: "AC1",
            reason,
            detail: "d",
            source_file: "a.csv",
            source_line: line,
            first_seen,
            tries: u32::try_from(line).unwrap(),
            seconds: 61,
            close_reason: "",
        }
    }

    #[test]
    fn ages_are_whole_days_and_the_median_is_the_lower_of_two() {
        let newest = time::parse_date_or_instant("2026-11-20T12:00:00Z");
        let days = [
            "2026-11-20T12:00:00Z",
            "2026-11-19T12:00:01Z",
            "2026-11-10T12:00:00Z",
            "2026-11-18T00:00:00Z",
        ];
        let records = days.iter().zip(1..).map(|(day, line)| record("no-rate", day, line));
        let mut by_reason = ByReason::new(newest);
        for record in records.chain([record("missing-field", "", 9)]) {
            by_reason.add(&record);
        }
        let lines = by_reason.finish();
        let names: Vec<_> = lines.iter().map(|line| line.reason.as_str()).collect();
        assert_eq!(names, ["missing-field", "no-rate"], "in the order of reasons");
        let line = &lines[1];
        assert_eq!(line.count, RecordCount { records: 4, seconds: 244 });
        // 0, 0, 2 and 10 days.
        assert_eq!((line.oldest_days, line.median_days, line.most_tries), (Some(10), Some(0), 4));
        assert_eq!(line.oldest_first_seen.as_deref(), Some("2026-11-10T12:00:00Z"));
        assert_eq!(line.samples.iter().map(|s| s.source_line).collect::<Vec<_>>(), [3, 4, 1]);
        assert_eq!(line.hint, Reason::NoRate.hint());
        assert_eq!(
            (lines[0].oldest_days, lines[0].median_days),
            (None, None),
            "before any sound record was known"
        );
    }
}
