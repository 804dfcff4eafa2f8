//! Counting: a run's calls, transfers and legs are fed in row by row and become the numbers of a
//! report.
//!
//! **Invariant:** memory grows only with the number of days, currencies and scenarios of a run, not
//! with its rows. The order of the rows changes nothing.

use super::days::DaySums;
use super::findings::{Findings, Setting, TopRows};
use super::lines::{LARGEST, LargeCall, Largest, Money, ScenarioLine, rerate_command};
use super::prefixes::Prefixes;
use super::rows::{Call, Leg};
use crate::document::usage::billed_minutes;
use crate::document::words;
use crate::money::{Overflow, Total};
use crate::scenario::{Direction, Scenario};
use crate::table::BILLING_TABLE;
use crate::time::{self, Micros};
use std::collections::BTreeMap;

/// The numbers of a scenario.
#[derive(Default)]
struct OfScenario {
    calls: u64,
    free_calls: u64,
    legs: u64,
    billed_seconds: i64,
    amounts: BTreeMap<String, Total>,
}

/// The details of a large call besides its rank.
struct Large {
    account_sid: String,
    scenario: String,
    from: String,
    to: String,
    duration_seconds: i64,
    amount: Total,
}

/// The numbers of a run, while its rows are counted.
pub struct Counter {
    /// The oddities found.
    pub findings: Findings,
    /// Legs by currency and UTC day.
    pub days: DaySums,
    prefixes: Prefixes,
    scenarios: BTreeMap<String, OfScenario>,
    largest: BTreeMap<String, TopRows<Large>>,
}

/// The entry of a name; the name is copied when the entry is made, not for each row.
fn entry<'a, T>(
    map: &'a mut BTreeMap<String, T>,
    name: &str,
    new: impl FnOnce() -> T,
) -> &'a mut T {
    if !map.contains_key(name) {
        map.insert(name.to_owned(), new());
    }
    map.get_mut(name).expect("it was put there")
}

impl Counter {
    /// A counter with nothing counted yet. `prefixes` are those of the run's decks.
    #[must_use]
    pub fn new(setting: Setting, prefixes: Prefixes) -> Self {
        Self {
            findings: Findings::new(setting),
            days: DaySums::default(),
            prefixes,
            scenarios: BTreeMap::new(),
            largest: BTreeMap::new(),
        }
    }

    /// Counts a booked call.
    pub fn call(&mut self, call: &Call<'_>) {
        let line = entry(&mut self.scenarios, call.scenario, OfScenario::default);
        if !call.is_rated() {
            line.free_calls += 1;
            self.findings.call(call);
            return;
        }
        line.calls += 1;
        self.findings.call(call);
        let largest = entry(&mut self.largest, call.currency, || TopRows::of(LARGEST));
        largest.offer(call.amount.units(), call.start_time, call.call_sid, || Large {
            account_sid: call.account_sid.to_owned(),
            scenario: call.scenario.to_owned(),
            from: call.from.to_owned(),
            to: call.to.to_owned(),
            duration_seconds: call.duration_seconds,
            amount: call.amount,
        });
    }

    /// Counts a leg.
    ///
    /// # Errors
    /// [`Overflow`] if a sum does not fit.
    pub fn leg(&mut self, leg: &Leg<'_>) -> Result<(), Overflow> {
        let amount = Total::from_units(leg.amount.units().into());
        let line = entry(&mut self.scenarios, leg.scenario, OfScenario::default);
        line.legs += 1;
        line.billed_seconds += leg.billed_seconds;
        entry(&mut line.amounts, leg.currency, Total::default).merge(amount)?;
        self.days.add(leg.currency, time::day(leg.start_time), amount)?;
        // Oddities of a leg were found when it was booked.
        if leg.billed_seconds < 0 {
            return Ok(());
        }
        let longer = self.prefixes.longer(
            leg.deck,
            leg.service,
            leg.destination_prefix,
            leg.rated_number,
            leg.start_time,
        );
        self.findings.leg(leg, longer);
        Ok(())
    }

    /// The sums of all legs by currency.
    ///
    /// # Errors
    /// [`Overflow`] if one does not fit.
    pub fn amounts(&self) -> Result<Vec<Money>, Overflow> {
        let mut sums: BTreeMap<&str, Total> = BTreeMap::new();
        for (currency, amount) in self.scenarios.values().flat_map(|line| &line.amounts) {
            sums.entry(currency).or_default().merge(*amount)?;
        }
        Ok(money(sums))
    }

    /// The numbers of billed calls, free calls and legs.
    #[must_use]
    pub fn counts(&self) -> (u64, u64, u64) {
        let add = |(calls, free, legs): (u64, u64, u64), line: &OfScenario| {
            (calls + line.calls, free + line.free_calls, legs + line.legs)
        };
        self.scenarios.values().fold((0, 0, 0), add)
    }

    /// The scenarios, in the order of the published table: first roots, then transfers.
    #[must_use]
    pub fn scenarios(&self) -> Vec<ScenarioLine> {
        let mut lines: Vec<(usize, ScenarioLine)> =
            self.scenarios.iter().map(|(id, line)| (place(id), of(id, line))).collect();
        lines.sort_by(|(a, one), (b, other)| (a, &one.scenario).cmp(&(b, &other.scenario)));
        lines.into_iter().map(|(_, line)| line).collect()
    }

    /// The largest calls by currency. `name` gives the name of an account.
    #[must_use]
    pub fn largest(&mut self, name: impl Fn(&str) -> String) -> Vec<Largest> {
        let call = |(start, call_sid, large): (Micros, String, Large)| LargeCall {
            command: rerate_command(&call_sid),
            call_sid,
            account_name: name(&large.account_sid),
            account_sid: large.account_sid,
            start: time::text(start),
            scenario: large.scenario,
            from: large.from,
            to: large.to,
            duration_seconds: large.duration_seconds,
            amount: large.amount,
        };
        let all = std::mem::take(&mut self.largest).into_iter();
        all.map(|(currency, best)| Largest {
            currency,
            calls: best.into_iter().map(call).collect(),
        })
        .collect()
    }
}

fn money(sums: BTreeMap<&str, Total>) -> Vec<Money> {
    sums.into_iter()
        .map(|(currency, amount)| Money { currency: currency.to_owned(), amount })
        .collect()
}

fn of(id: &str, line: &OfScenario) -> ScenarioLine {
    ScenarioLine {
        scenario: id.to_owned(),
        words: words::scenario(id),
        calls: line.calls,
        free_calls: line.free_calls,
        legs: line.legs,
        billed_seconds: line.billed_seconds,
        billed_minutes: billed_minutes(line.billed_seconds),
        amounts: money(
            line.amounts.iter().map(|(currency, amount)| (currency.as_str(), *amount)).collect(),
        ),
    }
}

/// The place of a scenario in the published table; an unknown one is last.
fn place(id: &str) -> usize {
    match Scenario::parse(id) {
        Some(Scenario::Root(Direction::Termination)) => 0,
        Some(Scenario::Root(Direction::Origination)) => 1,
        Some(Scenario::Transfer(transfer)) => {
            2 + BILLING_TABLE
                .iter()
                .position(|row| row.scenario == transfer)
                .expect("the table has all transfers")
        }
        None => usize::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::answered_and_ended;
    use super::*;
    use crate::money::Amount;
    use crate::money::Price;

    #[test]
    fn a_record_without_an_end_is_answered_at_its_start() {
        let second = time::SECOND;
        assert_eq!(
            answered_and_ended(10 * second, Some(100 * second), 60),
            (40 * second, 100 * second)
        );
        assert_eq!(answered_and_ended(10 * second, None, 60), (10 * second, 70 * second));
    }

    #[test]
    fn scenarios_stand_as_in_the_table() {
        let mut counter = Counter::new(Setting::default(), Prefixes::default());
        for scenario in ["origination-to-pstn", "origination", "termination-to-sip", "termination"]
        {
            let leg = Leg {
                call_sid: "CA1",
                scenario,
                service: "termination",
                rated_number: "+442079460101",
                start_time: 0,
                billed_seconds: 60,
                price_per_minute: Price::from_units(100_000_000),
                destination_prefix: "44",
                description: "d",
                deck: "default",
                currency: "EUR",
                amount: Amount::from_units(1_000_000),
            };
            counter.leg(&leg).unwrap();
        }
        let ids: Vec<String> = counter.scenarios().into_iter().map(|line| line.scenario).collect();
        assert_eq!(
            ids,
            ["termination", "origination", "termination-to-sip", "origination-to-pstn"]
        );
        assert_eq!(
            counter.amounts().unwrap(),
            [Money { currency: "EUR".into(), amount: Total::from_units(4_000_000) }]
        );
        assert_eq!(counter.counts(), (0, 0, 4));
    }
}
