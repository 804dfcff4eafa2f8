//! What comes of rating booked calls again: sums, and the list of legs behind them.

use crate::money::{Overflow, Total};
use crate::time::Micros;
use std::collections::BTreeMap;

/// The key of a sum: what its legs share.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RepricedKey {
    /// The account.
    pub account: String,
    /// The destination, as the leg was booked with it.
    pub destination: String,
    /// The scenario's id.
    pub scenario: String,
    /// The currency. A leg that changes its currency is in two sums.
    pub currency: String,
}

/// Sums over legs, booked and new.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RepricedSum {
    /// Calls with a leg in it.
    pub calls: u64,
    /// Legs.
    pub legs: u64,
    /// Legs that cost something else now.
    pub changed: u64,
    /// What was booked.
    pub booked: Total,
    /// What it comes to now.
    pub new: Total,
}

impl RepricedSum {
    /// What it comes to now, less what was booked.
    #[must_use]
    pub fn difference(&self) -> Total {
        Total::from_units(self.new.units() - self.booked.units())
    }

    /// Adds another sum.
    ///
    /// # Errors
    /// If it does not fit.
    pub fn add(&mut self, other: &Self) -> Result<(), Overflow> {
        self.calls += other.calls;
        self.legs += other.legs;
        self.changed += other.changed;
        self.booked.merge(other.booked)?;
        self.new.merge(other.new)
    }
}

/// A leg that costs something else now, or finds no rate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "as they are printed")]
pub struct RepricedLeg {
    pub call_sid: String,
    pub leg: i64,
    pub start: Micros,
    pub account: String,
    pub destination: String,
    pub scenario: String,
    pub run_id: String,
    pub currency: String,
    pub booked: Total,
    /// Currency and amount now; `None` if the call finds no rate.
    pub new: Option<(String, Total)>,
}

impl RepricedLeg {
    /// What it costs now, less what was booked; `None` across currencies, and without a rate.
    #[must_use]
    pub fn difference(&self) -> Option<Total> {
        let (currency, new) = self.new.as_ref()?;
        let same = *currency == self.currency;
        same.then(|| Total::from_units(new.units() - self.booked.units()))
    }
}

/// All that comes of rating the calls of a period again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeriodRerated {
    /// Sums, by account, destination, scenario and currency.
    pub sums: BTreeMap<RepricedKey, RepricedSum>,
    /// Calls with legs.
    pub calls: u64,
    /// Calls that cost something else now.
    pub changed: u64,
    /// Calls that would find no rate, which stay as they are booked.
    pub without_rate: u64,
    /// What is booked of those, by currency.
    pub left: BTreeMap<String, Total>,
    /// The legs that cost something else or find no rate, in the order of the stored calls; empty
    /// unless they were asked for.
    pub legs: Vec<RepricedLeg>,
}

impl PeriodRerated {
    /// Adds what comes of further calls.
    ///
    /// # Errors
    /// If a sum does not fit.
    pub fn merge(&mut self, other: Self) -> Result<(), Overflow> {
        if self.sums.is_empty() {
            self.sums = other.sums;
        } else {
            for (key, sum) in other.sums {
                self.sums.entry(key).or_default().add(&sum)?;
            }
        }
        self.calls += other.calls;
        self.changed += other.changed;
        self.without_rate += other.without_rate;
        for (currency, amount) in other.left {
            self.left.entry(currency).or_default().merge(amount)?;
        }
        self.legs.extend(other.legs);
        Ok(())
    }

    /// The sums by currency, over all accounts, destinations and scenarios.
    ///
    /// # Errors
    /// If one does not fit.
    pub fn by_currency(&self) -> Result<BTreeMap<&str, RepricedSum>, Overflow> {
        let mut all: BTreeMap<&str, RepricedSum> = BTreeMap::new();
        for (key, sum) in &self.sums {
            all.entry(&key.currency).or_default().add(sum)?;
        }
        Ok(all)
    }
}
