//! The rule for the usual amount of a day, in whole numbers.
//!
//! **Invariant:** no average and no float. A day is compared with the same weekday 7, 14, 21 and 28
//! days before it; days without legs are left out, and with fewer than two left there is no
//! verdict. With the median m of those: below m / 2 is low, above 2 × m is high, and exactly half
//! and exactly double are usual. If no call is known in a day's last hour or later, the day may not
//! be over: then it is open instead of low.
//!
//! # Why
//! Telephone traffic has a weekly pattern, so comparing a Sunday with a Monday says nothing. The
//! median is used, since one holiday or one attack among four days moves an average by a quarter of
//! itself. Days without legs are left out, since a ledger that begins with one late call of a month
//! ago would have weeks of zeros; a day on which nothing at all was booked is visible in
//! [`super::Timeline::all`]. Amounts of all runs up to this one are compared, not the run's own: a
//! late export with three calls of last week did not make last week small.
//!
//! An export made at seven in the morning ends in a day that has hardly begun. Nobody would read a
//! report that called it low each morning, so the next run judges it, by including the last day
//! known before it.

use super::lines::{Before, Day, DaySum, DayVerdict, Timeline};
use crate::fit::must_fit;
use crate::money::{AMOUNT_DECIMALS, Overflow, Total, decimal_text};
use crate::time::{self, Micros};
use std::collections::{BTreeMap, BTreeSet};

/// The number of days back to the earliest weekday compared.
pub const BACK: i64 = 28;
/// The most days of a run in the picture of [`Timeline::all`], which begins [`BACK`] days before
/// them.
pub const SHOWN: i64 = 32;

/// The last hour of a day: the day is over if a call of this hour, or a later one, is known.
const LAST_HOUR: Micros = 3600 * time::SECOND;

const WEEKDAYS: [&str; 7] =
    ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];

/// The weekday of a day since 1970.
#[must_use]
pub fn weekday(day: i64) -> &'static str {
    WEEKDAYS[must_fit::<_, usize>(day.rem_euclid(7), "a day of the week fits memory")]
}

/// Sums by currency and by day since 1970.
#[derive(Debug, Clone, Default)]
pub struct DaySums(BTreeMap<String, BTreeMap<i64, Total>>);

impl DaySums {
    /// Adds to the sum of a day.
    ///
    /// # Errors
    /// [`Overflow`] if it does not fit.
    pub fn add(&mut self, currency: &str, day: i64, amount: Total) -> Result<(), Overflow> {
        if !self.0.contains_key(currency) {
            self.0.insert(currency.to_owned(), BTreeMap::new());
        }
        let days = self.0.get_mut(currency).expect("it was put there");
        days.entry(day).or_default().merge(amount)
    }

    fn get(&self, currency: &str, day: i64) -> Option<Total> {
        self.0.get(currency)?.get(&day).copied()
    }

    /// All days with a sum.
    #[must_use]
    pub fn days(&self) -> BTreeSet<i64> {
        self.0.values().flat_map(|days| days.keys().copied()).collect()
    }
}

/// The first and the last day of the picture for a run's days.
#[must_use]
pub fn window(run_days: &BTreeSet<i64>) -> Option<(i64, i64)> {
    let last = *run_days.last()?;
    let first = *run_days.range(last - SHOWN + 1..).next()?;
    Some((first - BACK, last))
}

/// The days whose sums a report needs from the other runs.
#[must_use]
pub fn needed(run_days: &BTreeSet<i64>) -> BTreeSet<i64> {
    let mut needed: BTreeSet<i64> =
        window(run_days).map(|(first, last)| (first..=last).collect()).unwrap_or_default();
    needed
        .extend(run_days.iter().flat_map(|day| (0..=BACK).step_by(7).map(move |back| day - back)));
    needed
}

/// The timelines of some days of a run: `own` are its sums, `others` those of the runs before it,
/// `newest` is the newest call start that was known.
///
/// # Errors
/// [`Overflow`] if a sum does not fit.
pub fn timelines(
    own: &DaySums,
    others: &DaySums,
    run_days: &BTreeSet<i64>,
    newest: Option<Micros>,
) -> Result<Vec<Timeline>, Overflow> {
    let currencies: BTreeSet<&String> = own.0.keys().chain(others.0.keys()).collect();
    currencies
        .into_iter()
        .map(|currency| timeline(currency, own, others, run_days, newest))
        .collect()
}

fn timeline(
    currency: &str,
    own: &DaySums,
    others: &DaySums,
    run_days: &BTreeSet<i64>,
    newest: Option<Micros>,
) -> Result<Timeline, Overflow> {
    let sum = |day: i64| {
        let mut amount = others.get(currency, day).unwrap_or_default();
        let of_run = own.get(currency, day).unwrap_or_default();
        amount.merge(of_run)?;
        Ok(DaySum { date: date(day), amount, of_run, is_of_run: own.get(currency, day).is_some() })
    };
    let has_legs =
        |day: i64| own.get(currency, day).is_some() || others.get(currency, day).is_some();
    let day = |day: i64| {
        let sum = sum(day)?;
        let mut before = Vec::new();
        for earlier in (7..=BACK).step_by(7).map(|back| day - back).filter(|day| has_legs(*day)) {
            let mut amount = others.get(currency, earlier).unwrap_or_default();
            amount.merge(own.get(currency, earlier).unwrap_or_default())?;
            before.push(Before { date: date(earlier), amount });
        }
        let twice = twice_the_median(before.iter().map(|before| before.amount).collect());
        let may_not_be_over =
            newest.is_none_or(|newest| newest < (day + 1) * time::DAY - LAST_HOUR);
        let verdict = match verdict(sum.amount, twice, before.len()) {
            DayVerdict::Low if may_not_be_over => DayVerdict::Open,
            verdict => verdict,
        };
        let mut made = Day {
            sum,
            weekday: weekday(day),
            before,
            // Half of an odd number of units needs one more decimal.
            median: twice
                .map(|twice| decimal_text(twice.saturating_mul(5), AMOUNT_DECIMALS + 1, 5)),
            verdict,
            may_not_be_over,
            words: String::new(),
        };
        made.words = words(&made, currency, newest);
        Ok(made)
    };
    let all = match window(run_days) {
        Some((first, last)) => (first..=last).map(sum).collect::<Result<_, Overflow>>()?,
        None => Vec::new(),
    };
    // A day is listed if it or one of its earlier weekdays has legs in this currency.
    let own_days = run_days.iter().rev().copied();
    let own_days = own_days.filter(|day| (0..=BACK).step_by(7).any(|back| has_legs(day - back)));
    let days = own_days.map(day).collect::<Result<_, Overflow>>()?;
    Ok(Timeline { currency: currency.to_owned(), all, days })
}

fn date(day: i64) -> String {
    time::date_text(day * time::DAY)
}

/// Twice the median, in units: for an even count it is the sum of the two in the middle, so nothing
/// is halved.
fn twice_the_median(mut amounts: Vec<Total>) -> Option<i128> {
    amounts.sort_unstable();
    let middle = amounts.len() / 2;
    let upper = amounts.get(middle)?.units();
    let lower = if amounts.len().is_multiple_of(2) { amounts[middle - 1].units() } else { upper };
    upper.checked_add(lower)
}

fn verdict(amount: Total, twice_the_median: Option<i128>, days: usize) -> DayVerdict {
    let Some(twice) = twice_the_median.filter(|_| days >= 2) else { return DayVerdict::NoHistory };
    // amount < m / 2, with twice = 2 × m
    if amount.units().saturating_mul(4) < twice {
        DayVerdict::Low
    } else if amount.units() > twice {
        DayVerdict::High
    } else {
        DayVerdict::Usual
    }
}

fn words(day: &Day, currency: &str, newest: Option<Micros>) -> String {
    let amount = format!("{} {}: {} {currency}", day.weekday, day.sum.date, day.sum.amount);
    let median = day.median.as_deref().unwrap_or_default();
    let days = match day.before.len() {
        1 => format!("the {} before", day.weekday),
        count => format!("{count} {}s before", day.weekday),
    };
    match day.verdict {
        DayVerdict::Usual => format!("{amount}, as usual: the median of {days} is {median}."),
        DayVerdict::Low => format!("{amount} is below half of the median of {days}, {median}."),
        DayVerdict::Open => {
            let newest = newest.map(time::text).unwrap_or_default();
            format!(
                "{amount} so far, below half of the median of {days}, {median}; \
                 the newest call known is of {newest}."
            )
        }
        DayVerdict::High => format!("{amount} is above double the median of {days}, {median}."),
        DayVerdict::NoHistory if day.before.is_empty() => {
            format!("{amount}; there is no {} before to compare.", day.weekday)
        }
        DayVerdict::NoHistory => {
            format!("{amount}; one {} before is too little to compare.", day.weekday)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRIDAY: i64 = 20_777; // 2026-11-20

    fn total(units: i128) -> Total {
        Total::from_units(units)
    }

    fn made(today: i128, before: &[(i64, i128)]) -> Day {
        let (mut own, mut others) = (DaySums::default(), DaySums::default());
        own.add("EUR", FRIDAY, total(today)).unwrap();
        for (back, units) in before {
            others.add("EUR", FRIDAY - back, total(*units)).unwrap();
        }
        made_until(&own, &others, (FRIDAY + 1) * time::DAY)
    }

    fn made_until(own: &DaySums, others: &DaySums, newest: Micros) -> Day {
        timelines(own, others, &BTreeSet::from([FRIDAY]), Some(newest))
            .unwrap()
            .remove(0)
            .days
            .remove(0)
    }

    #[test]
    fn weekdays() {
        assert_eq!((weekday(0), weekday(-1), weekday(FRIDAY)), ("Thursday", "Wednesday", "Friday"));
        assert_eq!(date(FRIDAY), "2026-11-20");
    }

    #[test]
    fn exactly_half_and_exactly_double_are_usual() {
        let before = [(7, 100), (14, 100), (21, 100), (28, 100)];
        let verdicts = [49, 50, 100, 200, 201].map(|today| made(today, &before).verdict);
        assert_eq!(
            verdicts,
            [
                DayVerdict::Low,
                DayVerdict::Usual,
                DayVerdict::Usual,
                DayVerdict::Usual,
                DayVerdict::High
            ]
        );
        // The median of two is between them: 2 × m = 5, so m / 2 = 1.25.
        let before = [(7, 2), (14, 3)];
        assert_eq!([1, 2, 5, 6].map(|today| made(today, &before).verdict), {
            [DayVerdict::Low, DayVerdict::Usual, DayVerdict::Usual, DayVerdict::High]
        });
        assert_eq!(made(1, &before).median.as_deref(), Some("0.000000025"));
    }

    #[test]
    fn a_day_without_its_last_hour_is_not_low_but_open() {
        let (mut own, mut others) = (DaySums::default(), DaySums::default());
        own.add("EUR", FRIDAY, total(1)).unwrap();
        for back in [7, 14] {
            others.add("EUR", FRIDAY - back, total(10)).unwrap();
        }
        let eleven = FRIDAY * time::DAY + 23 * LAST_HOUR;
        let verdicts = [eleven - 1, eleven].map(|newest| made_until(&own, &others, newest).verdict);
        assert_eq!(verdicts, [DayVerdict::Open, DayVerdict::Low]);
        own.add("EUR", FRIDAY, total(20)).unwrap();
        assert_eq!(made_until(&own, &others, 0).verdict, DayVerdict::High, "it can only grow");
    }

    #[test]
    fn one_holiday_moves_no_median_and_other_weekdays_count_nothing() {
        let day = made(100, &[(7, 1), (14, 90), (21, 100), (28, 110), (1, 9_000), (35, 9_000)]);
        assert_eq!(
            (day.verdict, day.median.as_deref(), day.before.len()),
            (DayVerdict::Usual, Some("0.00000095"), 4)
        );
        assert_eq!(day.before[0].date, "2026-11-13");
    }

    #[test]
    fn too_little_history_has_no_verdict() {
        assert_eq!(made(100, &[]).verdict, DayVerdict::NoHistory);
        assert_eq!(made(100, &[(7, 1)]).verdict, DayVerdict::NoHistory);
        assert_eq!(made(100, &[(7, 1), (28, 1)]).verdict, DayVerdict::High);
    }

    #[test]
    fn a_currency_that_is_missing_today_is_low() {
        let (mut own, mut others) = (DaySums::default(), DaySums::default());
        own.add("USD", FRIDAY, total(5)).unwrap();
        for back in [7, 14, 21] {
            others.add("EUR", FRIDAY - back, total(10)).unwrap();
        }
        let made =
            timelines(&own, &others, &BTreeSet::from([FRIDAY]), Some((FRIDAY + 1) * time::DAY))
                .unwrap();
        let found: Vec<_> =
            made.iter().map(|t| (t.currency.as_str(), t.days.len(), t.days[0].verdict)).collect();
        assert_eq!(found, [("EUR", 1, DayVerdict::Low), ("USD", 1, DayVerdict::NoHistory)]);
        assert!(!made[0].days[0].may_not_be_over);
    }

    #[test]
    fn the_picture_has_four_weeks_before_and_a_long_run_no_years() {
        assert_eq!(window(&BTreeSet::from([100])), Some((72, 100)));
        assert_eq!(window(&BTreeSet::from([99, 100])), Some((71, 100)));
        assert_eq!(window(&BTreeSet::from([3, 100])), Some((72, 100)), "a stray of long ago");
        assert_eq!(window(&(0..100).collect()), Some((68 - 28, 99)));
        assert!(needed(&BTreeSet::from([3, 100])).contains(&(3 - 28)));
        assert_eq!(window(&BTreeSet::new()), None);
    }
}
