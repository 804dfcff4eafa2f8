//! The suspended records by cause: finer than by reason, so that one act settles all records of a
//! cause.
//!
//! **Invariant:** amounts of two currencies are neither added nor compared; an estimate is summed
//! exactly, and rounded only for display. The order of the records changes nothing: a cause takes
//! the wording of its records that sorts first.

use super::estimate::{Basis, Guess, shown};
use super::lines::{Money, RecordCount, SampleLine};
use super::waiting::{Oldest, Waiting, age_days};
use crate::money::{Overflow, Total};
use crate::reject::Reason;
use crate::time::{self, Micros};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The cause of a record's suspense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Its id: the reason, and the detail that the records of a cause share.
    pub id: String,
    /// The cause in words, as the end of "52 calls: …".
    pub words: String,
    /// The act that would settle it.
    pub what_to_do: String,
}

impl Cause {
    /// True if a text names the cause: by its id, or by its reason alone, which names all causes of
    /// that reason. (The beginning of an id names nothing: what lacks a price for +44 may lack it
    /// for one caller only.)
    #[must_use]
    pub fn is_named(&self, text: &str) -> bool {
        self.id == text || reason_of(&self.id) == text
    }
}

/// The reason in the id of a cause.
#[must_use]
pub fn reason_of(cause: &str) -> &str {
    cause.split_once(':').map_or(cause, |(reason, _)| reason)
}

/// The records suspended for one cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CauseLine {
    /// Its id.
    pub cause: String,
    /// The reason.
    pub reason: String,
    /// The cause in words.
    pub words: String,
    /// The number of calls; several versions of one call count once.
    pub calls: u64,
    /// Records and seconds.
    #[serde(flatten)]
    pub count: RecordCount,
    /// The first start.
    pub first_start: Option<String>,
    /// The age of the oldest, in whole days.
    pub oldest_days: Option<i64>,
    /// The number of tries of the record that was tried most often.
    pub most_tries: u32,
    /// An estimate of their money: exact sums, never booked.
    pub estimate: Vec<Money>,
    /// The number of calls that the estimate covers.
    pub estimated_calls: u64,
    /// The estimate in words, "about" and rounded.
    pub about: String,
    /// The methods of the estimate.
    pub basis: Vec<&'static str>,
    /// The remedy.
    pub what_to_do: String,
    /// The oldest records.
    pub samples: Vec<SampleLine>,
}

impl CauseLine {
    /// The line as a sentence: `52 calls: no price for +54, about 10.55 USD, since 2026-10-23`.
    #[must_use]
    pub fn sentence(&self) -> String {
        let since = self.since().map(|date| format!(", since {date}")).unwrap_or_default();
        format!("{}: {}, {}{since}", calls(self.calls), self.words, self.about)
    }

    /// The date of the first start.
    #[must_use]
    pub fn since(&self) -> Option<&str> {
        self.first_start.as_deref().and_then(|start| start.get(..10))
    }
}

/// `1 call`, `1,234 calls`.
#[must_use]
pub fn calls(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if count == 1 { "1 call".to_owned() } else { format!("{text} calls") }
}

/// A suspended record, and its cause.
#[derive(Debug, Clone, Copy)]
pub struct WaitsFor<'a> {
    /// The record.
    pub record: Waiting<'a>,
    /// The start, if it can be read.
    pub start: Option<Micros>,
    /// Its cause.
    pub cause: &'a Cause,
    /// The estimate of its money, if there is one.
    pub guess: Option<&'a Guess>,
}

/// Sums by currency.
type SumsByCurrency = BTreeMap<String, Total>;

/// The counts of a cause so far.
#[derive(Debug)]
struct Pile {
    cause: Cause,
    reason: String,
    count: RecordCount,
    first_start: Option<Micros>,
    most_tries: u32,
    calls: u64,
    estimated_calls: u64,
    estimate: SumsByCurrency,
    /// The call whose versions are being read, and the estimate of the dearest version so far by
    /// currency; empty if there is none.
    current: (String, SumsByCurrency),
    basis: BTreeSet<Basis>,
    oldest: Oldest,
}

impl Pile {
    fn new(cause: &Cause, reason: &str) -> Self {
        Self {
            cause: cause.clone(),
            reason: reason.to_owned(),
            count: RecordCount::default(),
            first_start: None,
            most_tries: 0,
            calls: 0,
            estimated_calls: 0,
            estimate: SumsByCurrency::new(),
            current: (String::new(), SumsByCurrency::new()),
            basis: BTreeSet::new(),
            oldest: Oldest::default(),
        }
    }

    fn add(&mut self, waits: &WaitsFor<'_>, newest: Option<Micros>) -> Result<(), Overflow> {
        let record = waits.record;
        if waits.cause.words < self.cause.words {
            self.cause = waits.cause.clone();
        }
        self.count.records += 1;
        self.count.seconds += u64::from(record.seconds);
        self.first_start = [self.first_start, waits.start].into_iter().flatten().min();
        self.most_tries = self.most_tries.max(record.tries);
        // A record without an id counts as a call of its own.
        if record.call_sid.is_empty() || self.current.0 != record.call_sid {
            self.end_call()?;
            record.call_sid.clone_into(&mut self.current.0);
            self.calls += 1;
        }
        if let Some(guess) = waits.guess {
            let most = self.current.1.entry(guess.money.currency.clone()).or_default();
            *most = Total::from_units(most.units().max(guess.money.amount.units()));
            self.basis.insert(guess.basis);
        }
        self.oldest.add(&record, age_days(record.first_seen, newest));
        Ok(())
    }

    /// Adds the estimate of the current call.
    fn end_call(&mut self) -> Result<(), Overflow> {
        self.estimated_calls += u64::from(!self.current.1.is_empty());
        for (currency, amount) in std::mem::take(&mut self.current.1) {
            self.estimate.entry(currency).or_default().merge(amount)?;
        }
        Ok(())
    }

    fn line(mut self) -> Result<CauseLine, Overflow> {
        self.end_call()?;
        let estimate: Vec<Money> = self
            .estimate
            .into_iter()
            .map(|(currency, amount)| Money { currency, amount })
            .collect();
        Ok(CauseLine {
            cause: self.cause.id,
            reason: self.reason,
            words: self.cause.words,
            calls: self.calls,
            count: self.count,
            first_start: self.first_start.map(time::text),
            oldest_days: self.oldest.oldest().0,
            most_tries: self.most_tries,
            about: about(&estimate, self.estimated_calls, self.calls),
            estimate,
            estimated_calls: self.estimated_calls,
            basis: self.basis.into_iter().map(Basis::words).collect(),
            what_to_do: self.cause.what_to_do,
            samples: self.oldest.into_samples(),
        })
    }
}

/// An estimate in words.
#[must_use]
pub fn about(estimate: &[Money], estimated_calls: u64, calls: u64) -> String {
    if estimated_calls == 0 {
        return "money not known".to_owned();
    }
    let sums: Vec<&Money> =
        estimate.iter().filter(|money| money.amount != Total::default()).collect();
    let of_some = if estimated_calls < calls {
        format!(" for {estimated_calls} of them")
    } else {
        String::new()
    };
    if sums.is_empty() {
        return format!("nothing to bill{of_some}");
    }
    let sums: Vec<String> = sums.into_iter().map(shown).collect();
    format!("about {}{of_some}", sums.join(" and "))
}

/// Counts suspended records by cause as they come. Versions of one call come one after the other,
/// as they are stored, so at most one call of each cause is in memory.
#[derive(Debug)]
pub struct ByCause {
    newest: Option<Micros>,
    piles: BTreeMap<String, Pile>,
}

impl ByCause {
    /// An empty count; `newest` is the newest known call start.
    #[must_use]
    pub fn new(newest: Option<Micros>) -> Self {
        Self { newest, piles: BTreeMap::new() }
    }

    /// Counts a record.
    ///
    /// # Errors
    /// [`Overflow`] if a sum does not fit.
    pub fn add(&mut self, waits: &WaitsFor<'_>) -> Result<(), Overflow> {
        if let Some(pile) = self.piles.get_mut(&waits.cause.id) {
            return pile.add(waits, self.newest);
        }
        let mut pile = Pile::new(waits.cause, waits.record.reason);
        pile.add(waits, self.newest)?;
        self.piles.insert(waits.cause.id.clone(), pile);
        Ok(())
    }

    /// The causes: first those with an estimate above zero, by currency, the most money first; then
    /// the others, the most calls first.
    ///
    /// # Errors
    /// [`Overflow`] if a sum does not fit.
    pub fn finish(self) -> Result<Vec<CauseLine>, Overflow> {
        let mut lines = self.piles.into_values().map(Pile::line).collect::<Result<Vec<_>, _>>()?;
        lines.sort_by(|a, b| rank(a).cmp(&rank(b)));
        Ok(lines)
    }
}

type Rank<'a> = (
    bool,
    Option<&'a str>,
    std::cmp::Reverse<i128>,
    std::cmp::Reverse<u64>,
    Option<Reason>,
    &'a str,
);

/// The sort key of a cause. Of several currencies the first by name decides, since amounts of two
/// currencies are not compared.
fn rank(line: &CauseLine) -> Rank<'_> {
    let money = line.estimate.iter().find(|money| money.amount != Total::default());
    (
        money.is_none(),
        money.map(|money| money.currency.as_str()),
        std::cmp::Reverse(money.map_or(0, |money| money.amount.units())),
        std::cmp::Reverse(line.calls),
        Reason::parse(&line.reason),
        &line.cause,
    )
}

/// The sums of several causes, by currency.
///
/// # Errors
/// [`Overflow`] if one does not fit.
pub fn sum_of<'a>(lines: impl IntoIterator<Item = &'a CauseLine>) -> Result<Vec<Money>, Overflow> {
    let mut sums = SumsByCurrency::new();
    for money in lines.into_iter().flat_map(|line| &line.estimate) {
        sums.entry(money.currency.clone()).or_default().merge(money.amount)?;
    }
    Ok(sums.into_iter().map(|(currency, amount)| Money { currency, amount }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(id: &str, words: &str) -> Cause {
        Cause { id: id.to_owned(), words: words.to_owned(), what_to_do: "mend it".to_owned() }
    }

    fn guess(currency: &str, units: i128) -> Guess {
        Guess {
            money: Money { currency: currency.to_owned(), amount: Total::from_units(units) },
            basis: Basis::AsIf,
        }
    }

    fn record(call_sid: &str, line: u64) -> Waiting<'_> {
        Waiting {
            call_sid,
            account_sid: "AC1",
            reason: "no-rate",
            detail: "d",
            source_file: "a.csv",
            source_line: line,
            first_seen: "2026-11-20T12:00:00Z",
            tries: 1,
            seconds: 61,
            close_reason: "",
        }
    }

    fn lines(waits: &[WaitsFor<'_>]) -> Vec<CauseLine> {
        let mut by_cause = ByCause::new(time::parse_date_or_instant("2026-11-20T12:00:00Z"));
        for waits in waits {
            by_cause.add(waits).unwrap();
        }
        by_cause.finish().unwrap()
    }

    #[test]
    fn versions_of_a_call_count_once_and_by_the_dearer() {
        let (cause, cheap, dear) =
            (cause("c", "versions"), guess("USD", 100_000_000), guess("USD", 155_500_000));
        let start = time::parse_date_or_instant("2026-10-23T08:00:00Z");
        let waits =
            |sid, line, guess| WaitsFor { record: record(sid, line), start, cause: &cause, guess };
        let all = [
            waits("CA1", 2, Some(&cheap)),
            waits("CA1", 3, Some(&dear)),
            waits("", 4, None),
            waits("", 5, Some(&cheap)),
        ];
        let found = lines(&all);
        assert_eq!((found[0].calls, found[0].count), (3, RecordCount { records: 4, seconds: 244 }));
        // 1.555 + 1.00; the record of line 4 has no estimate.
        assert_eq!(
            found[0].sentence(),
            "3 calls: versions, about 2.56 USD for 2 of them, since 2026-10-23"
        );
        let turned: Vec<WaitsFor<'_>> = all.iter().rev().copied().collect();
        assert_eq!(lines(&turned), found);
    }

    #[test]
    fn two_currencies_stand_beside_each_other() {
        let (one, two, three) = (cause("1", "one"), cause("2", "two"), cause("3", "three"));
        let (dollars, euros, yen) =
            (guess("USD", 900_000_000), guess("EUR", 100_000_000), guess("JPY", 99_900_000_000));
        let waits =
            |sid, cause, guess| WaitsFor { record: record(sid, 1), start: None, cause, guess };
        let all = [
            waits("CA1", &one, Some(&dollars)),
            waits("CA2", &one, Some(&euros)),
            waits("CA3", &two, Some(&yen)),
        ];
        let found =
            lines(&[&all[..], &[waits("CA4", &three, None), waits("CA5", &three, None)]].concat());
        let sentences: Vec<String> = found.iter().map(CauseLine::sentence).collect();
        assert_eq!(
            sentences,
            [
                "2 calls: one, about 1.00 EUR and 9.00 USD",
                "1 call: two, about 999 JPY",
                "2 calls: three, money not known"
            ]
        );
        let sums = sum_of(&found).unwrap();
        assert_eq!(sums.iter().map(shown).collect::<Vec<_>>(), ["1.00 EUR", "999 JPY", "9.00 USD"]);
    }

    #[test]
    fn what_bills_nothing_is_known_to() {
        let (cause, nothing) = (cause("c", "lost parents"), guess("USD", 0));
        let waits = WaitsFor {
            record: record("CA1", 1),
            start: None,
            cause: &cause,
            guess: Some(&nothing),
        };
        assert_eq!(lines(&[waits])[0].sentence(), "1 call: lost parents, nothing to bill");
        assert_eq!(calls(1_234_567), "1,234,567 calls");
    }
}
