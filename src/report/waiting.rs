//! What waits, by reason.
//!
//! **Invariant:** reasons stand in the order of [`Reason`], and samples do not depend on the order of the records: the
//! oldest first, then by file and line.

use super::{Count, ReasonLine, Sample};
use crate::reject::Reason;
use crate::time::{self, Micros};
use std::collections::BTreeMap;

/// Samples of each reason.
pub const SAMPLES: usize = 3;

/// A record that waits, or that was written off.
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
    /// The record as a sample; its age is counted by [`age_days`].
    #[must_use]
    pub fn sample(&self, age_days: Option<i64>) -> Sample {
        Sample {
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

/// Whole days that a record waits, counted in the time of the calls: from the newest call that was known when it came to
/// the newest that is known now.
#[must_use]
pub fn age_days(first_seen: &str, newest: Option<Micros>) -> Option<i64> {
    let first = time::parse_date_or_instant(first_seen)?;
    Some((newest? - first).max(0) / time::DAY)
}

/// What is known of a reason so far.
#[derive(Default)]
struct Pile<'a> {
    count: Count,
    ages: Vec<i64>,
    most_tries: u32,
    records: Vec<(Option<i64>, Waiting<'a>)>,
}

/// Piles records up by their reason. `newest` is the newest call start that is known.
#[must_use]
pub fn by_reason<'a>(records: impl IntoIterator<Item = Waiting<'a>>, newest: Option<Micros>) -> Vec<ReasonLine> {
    let mut piles: BTreeMap<(Option<Reason>, &str), Pile<'a>> = BTreeMap::new();
    for record in records {
        let pile = piles.entry((Reason::parse(record.reason), record.reason)).or_default();
        let age = age_days(record.first_seen, newest);
        pile.count.records += 1;
        pile.count.seconds += u64::from(record.seconds);
        pile.most_tries = pile.most_tries.max(record.tries);
        pile.ages.extend(age);
        pile.records.push((age, record));
    }
    piles.into_iter().map(|((reason, name), pile)| line(reason, name, pile)).collect()
}

fn line(reason: Option<Reason>, name: &str, mut pile: Pile<'_>) -> ReasonLine {
    pile.ages.sort_unstable();
    pile.records.sort_by_key(|(age, record)| {
        (std::cmp::Reverse(*age), record.source_file, record.source_line, record.call_sid, record.detail)
    });
    let oldest = pile.records.first().map(|(_, record)| record.first_seen).filter(|text| !text.is_empty());
    ReasonLine {
        reason: name.to_owned(),
        count: pile.count,
        oldest_first_seen: oldest.map(str::to_owned),
        oldest_days: pile.ages.last().copied(),
        median_days: pile.ages.get(pile.ages.len().saturating_sub(1) / 2).copied(),
        most_tries: pile.most_tries,
        hint: reason.map_or("", Reason::hint),
        samples: pile.records.iter().take(SAMPLES).map(|(age, record)| record.sample(*age)).collect(),
    }
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
        let days = ["2026-11-20T12:00:00Z", "2026-11-19T12:00:01Z", "2026-11-10T12:00:00Z", "2026-11-18T00:00:00Z"];
        let records = days.iter().zip(1..).map(|(day, line)| record("no-rate", day, line));
        let lines = by_reason(records.chain([record("missing-field", "", 9)]), newest);
        let names: Vec<_> = lines.iter().map(|line| line.reason.as_str()).collect();
        assert_eq!(names, ["missing-field", "no-rate"], "in the order of reasons");
        let line = &lines[1];
        assert_eq!(line.count, Count { records: 4, seconds: 244 });
        // 0, 0, 2 and 10 days.
        assert_eq!((line.oldest_days, line.median_days, line.most_tries), (Some(10), Some(0), 4));
        assert_eq!(line.oldest_first_seen.as_deref(), Some("2026-11-10T12:00:00Z"));
        assert_eq!(line.samples.iter().map(|s| s.source_line).collect::<Vec<_>>(), [3, 4, 1]);
        assert_eq!(line.hint, Reason::NoRate.hint());
        assert_eq!((lines[0].oldest_days, lines[0].median_days), (None, None), "before any sound record was known");
    }
}
