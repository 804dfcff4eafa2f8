//! The clock of a night: the newest start that its calls show.
//!
//! Nothing here reads a clock. A parent is given up a fixed number of days after its child, counted
//! by the start times of the calls themselves, and so are ages in suspense.
//!
//! **Invariant:** a few calls with a bogus date (1970, 2062) do not move it.
//!
//! # Why
//! The newest start alone would do, until one export says 2062: every child whose parent is still
//! to come would then be given up at once. Calls of one business lie close together, so starts are
//! grouped into clusters with gaps of more than a year between them, and the cluster that holds the
//! night's own calls decides.

use crate::time::{DAY, Micros};
use std::collections::BTreeMap;
use std::ops::Range;

/// Days without a call that separate two clusters.
const GAP_DAYS: i64 = 366;
/// The least number of calls that may move the clock by more than a year at once, if they are half
/// of a night.
const ENOUGH_TO_LEAP: u64 = 10;

/// Start times of the sound calls of a night, day by day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Starts {
    /// For each UTC day the number of calls that start on it, and the last start.
    days: BTreeMap<i64, (u64, Micros)>,
}

impl Starts {
    /// Adds the calls of a day: their number, and the start of the last one.
    pub fn add_day(&mut self, day: i64, calls: u64, newest: Micros) {
        let (count, last) = self.days.entry(day).or_insert((0, newest));
        *count += calls;
        *last = (*last).max(newest);
    }

    /// Adds the calls of another partition of the night.
    pub fn merge(&mut self, other: &Self) {
        for (day, (calls, newest)) in &other.days {
            self.add_day(*day, *calls, *newest);
        }
    }

    /// The newest plausible start; `known` is the newest of earlier nights.
    #[must_use]
    pub fn newest(&self, known: Option<Micros>) -> Option<Micros> {
        let clusters = self.clusters();
        let Some(known) = known else {
            // A first night is dated by the cluster with the most calls; of two as large as each
            // other, by the earlier.
            return clusters
                .into_iter()
                .rev()
                .max_by_key(|cluster| cluster.calls)
                .map(|cluster| cluster.newest);
        };
        let all: u64 = clusters.iter().map(|cluster| cluster.calls).sum();
        let far = known.div_euclid(DAY) + GAP_DAYS;
        let leaps = |cluster: &Cluster| cluster.calls >= ENOUGH_TO_LEAP && cluster.calls * 2 >= all;
        let is_believed = |cluster: &&Cluster| cluster.first_day <= far || leaps(cluster);
        clusters.iter().filter(is_believed).map(|cluster| cluster.newest).max()
    }

    fn clusters(&self) -> Vec<Cluster> {
        let mut clusters: Vec<Cluster> = Vec::new();
        for (day, (calls, newest)) in &self.days {
            match clusters.last_mut() {
                Some(cluster) if *day - cluster.last_day <= GAP_DAYS => {
                    cluster.last_day = *day;
                    cluster.calls += calls;
                    cluster.newest = *newest;
                }
                _ => clusters.push(Cluster {
                    first_day: *day,
                    last_day: *day,
                    calls: *calls,
                    newest: *newest,
                }),
            }
        }
        clusters
    }
}

/// Consecutive calls, nearly all of which start on the day of the one before. A day is looked up
/// when it changes, not for each call, which took 65 instructions. The remaining calls are added on
/// drop.
#[derive(Debug)]
pub struct InARow<'a> {
    starts: &'a mut Starts,
    day: Range<Micros>,
    calls: u64,
    newest: Micros,
}

impl<'a> InARow<'a> {
    /// Collects calls to add to `starts`.
    pub fn new(starts: &'a mut Starts) -> Self {
        Self { starts, day: 0..0, calls: 0, newest: 0 }
    }

    /// Adds a call.
    #[inline]
    pub fn add(&mut self, start: Micros) {
        if !self.day.contains(&start) {
            self.end_day();
            let midnight = start.div_euclid(DAY) * DAY;
            (self.day, self.newest) = (midnight..midnight + DAY, start);
        }
        self.calls += 1;
        self.newest = self.newest.max(start);
    }

    fn end_day(&mut self) {
        if self.calls > 0 {
            self.starts.add_day(self.day.start / DAY, self.calls, self.newest);
            self.calls = 0;
        }
    }
}

impl Drop for InARow<'_> {
    fn drop(&mut self) {
        self.end_day();
    }
}

/// Days with calls, without a gap of more than a year.
struct Cluster {
    first_day: i64,
    last_day: i64,
    calls: u64,
    newest: Micros,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{parse, text};

    fn newest(starts: &[(&str, u64)], known: Option<&str>) -> Option<String> {
        let at = |date: &str| parse(&format!("{date}T12:00:00Z"), None).unwrap();
        let mut all = Starts::default();
        let mut row = InARow::new(&mut all);
        for (date, calls) in starts {
            (0..*calls).for_each(|_| row.add(at(date)));
        }
        drop(row);
        all.newest(known.map(at)).map(|newest| text(newest)[..10].to_owned())
    }

    #[test]
    fn a_bogus_date_does_not_move_it() {
        let one_each = [("1970-01-01", 1), ("2062-11-20", 1), ("2026-11-20", 2)];
        assert_eq!(newest(&one_each, None).as_deref(), Some("2026-11-20"));
        assert_eq!(newest(&one_each, Some("2026-11-19")).as_deref(), Some("2026-11-20"));
        assert_eq!(newest(&[("2062-11-20", 9)], Some("2026-11-19")), None);
        assert_eq!(
            newest(&[("2026-11-20", 1), ("2062-11-20", 1)], None).as_deref(),
            Some("2026-11-20")
        );
        assert_eq!(newest(&[], None), None);
    }

    #[test]
    fn calls_within_a_year_of_each_other_move_it() {
        assert_eq!(newest(&[("2026-11-20", 1)], Some("2026-11-01")).as_deref(), Some("2026-11-20"));
        assert_eq!(newest(&[("2026-11-20", 1)], Some("2027-11-01")).as_deref(), Some("2026-11-20"));
        assert_eq!(
            newest(&[("2024-03-01", 1), ("2025-02-01", 1), ("2026-01-15", 1)], None).as_deref(),
            Some("2026-01-15")
        );
        // After two years without calls a ledger needs a night's worth of them, not one call.
        assert_eq!(
            newest(&[("2028-11-20", 10)], Some("2026-11-01")).as_deref(),
            Some("2028-11-20")
        );
        assert_eq!(
            newest(&[("2028-11-20", 10), ("2026-11-02", 11)], Some("2026-11-01")).as_deref(),
            Some("2026-11-02")
        );
    }
}
