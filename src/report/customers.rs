//! Customers: the booked legs by account, month, currency, day and scenario.
//!
//! ```text
//! legs of a run, group by group ─▶ RunSums, once for each run ─┐
//! legs of the next run ─────────▶ …                            ┴▶ Customers of a history
//! ```
//!
//! **Invariant:** sums are exact, of stored amounts; the sum over a run's accounts is checked
//! against its manifest.

use crate::inputs::file::FileError;
use crate::ledger::manifest::FILE_NAME;
use crate::ledger::place::day_of_file;
use crate::ledger::tables::columns;
use crate::ledger::tables::file::each_group;
use crate::ledger::tables::typed::stored_row;
use crate::ledger::{Dataset, History, LedgerError, RESTORE, Run};
use crate::money::{Amount, Overflow, Total};
use crate::time::{self, DAY};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

stored_row! {
    /// A leg, as far as these sums need it.
    struct AccountLeg<'a> of columns::LEGS {
        account_sid: &'a str,
        scenario: &'a str,
        leg: i64,
        billed_seconds: i64,
        currency: &'a str,
        amount: Amount,
    }
}

/// Legs, added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LegSum {
    /// Calls with a leg.
    pub calls: u64,
    /// Legs.
    pub legs: u64,
    /// Their billed seconds.
    pub billed_seconds: i64,
    /// Their amount.
    pub amount: Total,
}

impl LegSum {
    pub(super) fn merge(&mut self, other: Self) -> Result<(), Overflow> {
        self.calls += other.calls;
        self.legs += other.legs;
        self.billed_seconds += other.billed_seconds;
        self.amount.merge(other.amount)
    }
}

/// The legs of an account in a month, in one currency.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountMonth {
    /// By UTC day, `YYYY-MM-DD`.
    pub days: BTreeMap<String, Total>,
    /// By scenario.
    pub scenarios: BTreeMap<String, LegSum>,
}

impl AccountMonth {
    /// All of it.
    ///
    /// # Errors
    /// If the sum does not fit.
    pub fn sum(&self) -> Result<LegSum, Overflow> {
        let mut all = LegSum::default();
        self.scenarios.values().try_for_each(|own| all.merge(*own))?;
        Ok(all)
    }
}

/// The key of a month of an account: the month, the account and the currency.
pub type MonthKey = (String, String, String);

/// The months of accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Customers(pub BTreeMap<MonthKey, AccountMonth>);

impl Customers {
    /// The months that have legs, the newest first.
    #[must_use]
    pub fn months(&self) -> Vec<&str> {
        let mut all: Vec<&str> = self.0.keys().map(|(month, ..)| month.as_str()).collect();
        all.dedup();
        all.reverse();
        all
    }

    /// The accounts of a month, each with its currency and its legs.
    pub fn of_month<'a>(
        &'a self,
        month: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str, &'a AccountMonth)> {
        self.0
            .iter()
            .filter(move |((own, ..), _)| own == month)
            .map(|((_, account, currency), own)| (account.as_str(), currency.as_str(), own))
    }

    fn add(&mut self, key: &MonthKey, other: &AccountMonth) -> Result<(), Overflow> {
        let own = self.0.entry(key.clone()).or_default();
        for (day, amount) in &other.days {
            own.days.entry(day.clone()).or_default().merge(*amount)?;
        }
        for (scenario, sum) in &other.scenarios {
            own.scenarios.entry(scenario.clone()).or_default().merge(*sum)?;
        }
        Ok(())
    }
}

/// The sums of runs that were counted, by their ids: a run never changes.
#[derive(Debug, Default)]
pub struct CountedRuns(Mutex<HashMap<String, Arc<Customers>>>);

impl CountedRuns {
    /// The sums of all runs of a history; a run that was counted before is not read again.
    ///
    /// # Errors
    /// If a file cannot be read, or the sums of a run are not those of its manifest.
    pub fn of(&self, history: &History) -> Result<Customers, LedgerError> {
        let mut all = Customers::default();
        for run in &history.runs {
            let id = &run.manifest.own_hash;
            let known = self.known().get(id).cloned();
            let own = if let Some(own) = known {
                own
            } else {
                let own = Arc::new(of_run(run)?);
                self.known().insert(id.clone(), Arc::clone(&own));
                own
            };
            for (key, month) in &own.0 {
                all.add(key, month).map_err(LedgerError::of_sum)?;
            }
        }
        let is_there = |id: &String| history.runs.iter().any(|run| run.manifest.own_hash == *id);
        self.known().retain(|id, _| is_there(id));
        Ok(all)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Customers>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sums of a run.
///
/// # Errors
/// If a file cannot be read, or they are not those of the manifest.
pub fn of_run(run: &Run) -> Result<Customers, LedgerError> {
    let mut all = Customers::default();
    for path in run.files(Dataset::Legs) {
        run.check_before_read(&path)?;
        let Some(day) = day_of_file(&path) else { continue };
        let date = time::date_text(day * DAY);
        let mut sums: HashMap<(String, String), HashMap<String, LegSum>> = HashMap::new();
        each_group(&path, AccountLeg::COLUMNS, |legs| {
            let leg_at = AccountLeg::reader(legs)?;
            for row in 0..legs.height() {
                let leg = leg_at(row)?;
                let key = (leg.account_sid.to_owned(), leg.currency.to_owned());
                let of_account = sums.entry(key).or_default();
                if !of_account.contains_key(leg.scenario) {
                    of_account.insert(leg.scenario.to_owned(), LegSum::default());
                }
                let sum = of_account.get_mut(leg.scenario).expect("it was put there");
                let own = LegSum {
                    calls: u64::from(leg.leg == 1),
                    legs: 1,
                    billed_seconds: leg.billed_seconds,
                    amount: Total::from_units(leg.amount.units().into()),
                };
                sum.merge(own).map_err(LedgerError::of_sum)?;
            }
            Ok::<_, LedgerError>(())
        })?;
        for ((account, currency), scenarios) in sums {
            let mut own =
                AccountMonth { scenarios: scenarios.into_iter().collect(), ..Default::default() };
            let sum = own.sum().map_err(LedgerError::of_sum)?;
            own.days.insert(date.clone(), sum.amount);
            let month = date.get(..7).unwrap_or(&date).to_owned();
            all.add(&(month, account, currency), &own).map_err(LedgerError::of_sum)?;
        }
    }
    check(run, &all)?;
    Ok(all)
}

fn check(run: &Run, all: &Customers) -> Result<(), LedgerError> {
    let mut found: BTreeMap<&str, Total> = BTreeMap::new();
    for ((_, _, currency), own) in &all.0 {
        let sum = own.sum().map_err(LedgerError::of_sum)?;
        found.entry(currency).or_default().merge(sum.amount).map_err(LedgerError::of_sum)?;
    }
    let found: BTreeMap<&str, String> =
        found.into_iter().map(|(currency, sum)| (currency, sum.to_string())).collect();
    let stated = run.manifest.amount.iter();
    let stated: BTreeMap<&str, String> =
        stated.map(|(currency, sum)| (currency.as_str(), sum.clone())).collect();
    if found == stated {
        return Ok(());
    }
    let problem = format!("says that its legs come to {stated:?}; they come to {found:?}");
    Err(FileError::new(&run.folder.join(FILE_NAME), problem).hint(RESTORE).into())
}
