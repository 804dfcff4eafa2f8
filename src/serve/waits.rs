//! What waits: by cause, and for each record where it stands and which cause it has.
//!
//! **Invariant:** of a record numbers are kept, no texts: a record that is shown is read again. A
//! million records that wait are 64 MB; with their texts they would be a thousand.

use crate::ledger::tables::places::each_at;
use crate::ledger::tables::read::each_suspended;
use crate::ledger::tables::suspense::SuspenseRow;
use crate::ledger::{Dataset, History, Ledger, LedgerError};
use crate::money::Total;
use crate::report::causes::ByCause;
use crate::report::health::WaitingLines;
use crate::report::waiting_causes::{self, Diagnosed};
use crate::time::Micros;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The most records that are kept; of more the causes are shown, and those of the rest with
/// `trunkrate suspense`.
const MOST: usize = 500_000;

/// A record that waits. Its place in [`WaitsByCause::records`] is its place in the suspense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiagnosedRecord {
    cause: u32,
    account: u32,
    reason: u32,
    /// Its start, if that can be read.
    pub start: Option<Micros>,
    /// What it may come to: the number of a currency, and the amount.
    estimate: Option<(u32, Total)>,
}

/// Texts by number.
#[derive(Debug, Default)]
struct TextNumbers {
    texts: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl TextNumbers {
    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = u32::try_from(self.texts.len()).expect("no more texts than records");
        self.texts.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }

    fn text(&self, number: u32) -> &str {
        &self.texts[number as usize]
    }
}

/// What waits.
#[derive(Debug, Default)]
pub struct WaitsByCause {
    /// By cause.
    pub lines: WaitingLines,
    /// The records, in stored order.
    pub records: Vec<DiagnosedRecord>,
    /// How many more there are.
    pub left_out: u64,
    texts: TextNumbers,
    by_account: BTreeMap<String, u64>,
}

/// A record that waits, read again.
#[derive(Debug, Clone)]
pub struct ShownRecord {
    /// Its number.
    pub known: DiagnosedRecord,
    /// It.
    pub row: SuspenseRow,
}

impl WaitsByCause {
    /// What waits in a history.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn of(ledger: &Ledger, history: &History) -> Result<Self, LedgerError> {
        let mut by_cause = ByCause::new(history.newest_start());
        let mut all = Self::default();
        waiting_causes::each_diagnosed(ledger, history, |found| {
            if all.records.len() < MOST {
                let record = all.number(found);
                all.records.push(record);
            } else {
                all.left_out += 1;
            }
            let account = &found.row.account_sid;
            match all.by_account.get_mut(account) {
                Some(count) => *count += 1,
                None => drop(all.by_account.insert(account.clone(), 1)),
            }
            found.add_to(&mut by_cause)
        })?;
        all.lines = WaitingLines::of(waiting_causes::lines(by_cause)?)?;
        all.records.shrink_to_fit();
        Ok(all)
    }

    fn number(&mut self, found: &Diagnosed<'_>) -> DiagnosedRecord {
        let guess = found.diagnosis.guess.as_ref().map(|guess| &guess.money);
        DiagnosedRecord {
            cause: self.texts.number(&found.diagnosis.cause.id),
            account: self.texts.number(&found.row.account_sid),
            reason: self.texts.number(&found.row.reason),
            start: found.start,
            estimate: guess.map(|own| (self.texts.number(&own.currency), own.amount)),
        }
    }

    /// The id of the cause of a record.
    #[must_use]
    pub fn cause(&self, record: DiagnosedRecord) -> &str {
        self.texts.text(record.cause)
    }

    /// The account of a record.
    #[must_use]
    pub fn account(&self, record: DiagnosedRecord) -> &str {
        self.texts.text(record.account)
    }

    /// The reason of a record.
    #[must_use]
    pub fn reason(&self, record: DiagnosedRecord) -> &str {
        self.texts.text(record.reason)
    }

    /// What a record may come to: the currency and the amount.
    #[must_use]
    pub fn estimate(&self, record: DiagnosedRecord) -> Option<(&str, Total)> {
        record.estimate.map(|(currency, amount)| (self.texts.text(currency), amount))
    }

    /// How many records of an account wait.
    #[must_use]
    pub fn of_account(&self, account: &str) -> u64 {
        self.by_account.get(account).copied().unwrap_or(0)
    }

    /// The places of the records that pass.
    #[must_use]
    pub fn places(&self, takes: impl Fn(DiagnosedRecord) -> bool) -> Vec<usize> {
        let all = self.records.iter().enumerate();
        all.filter(|(_, record)| takes(**record)).map(|(place, _)| place).collect()
    }

    /// The records at some places, read again, in the order of the suspense.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn read(
        &self,
        history: &History,
        places: &[usize],
    ) -> Result<Vec<ShownRecord>, LedgerError> {
        let wanted: BTreeSet<usize> = places.iter().copied().collect();
        let mut ordered = wanted.iter().copied();
        let mut found = Vec::with_capacity(wanted.len());
        let Some(run) = history.runs.last().filter(|_| !wanted.is_empty()) else {
            return Ok(found);
        };
        each_at(
            run,
            |place| wanted.contains(&place),
            |rows| {
                for row in rows {
                    let place = ordered.next().expect("a place for each row that was wanted");
                    found.push(ShownRecord { known: self.records[place], row });
                }
                Ok::<_, LedgerError>(())
            },
        )?;
        Ok(found)
    }
}

/// All waiting versions of some calls, by their ids, in the order of the suspense.
///
/// # Errors
/// If they cannot be read.
pub fn versions_of(
    history: &History,
    sids: &BTreeSet<String>,
) -> Result<BTreeMap<String, Vec<SuspenseRow>>, LedgerError> {
    let mut found: BTreeMap<String, Vec<SuspenseRow>> = BTreeMap::new();
    let Some(run) = history.runs.last().filter(|_| !sids.is_empty()) else { return Ok(found) };
    each_suspended(run, Dataset::Suspense, |rows| {
        for row in rows.into_iter().filter(|row| sids.contains(&row.call_sid)) {
            found.entry(row.call_sid.clone()).or_default().push(row);
        }
        Ok::<_, LedgerError>(())
    })?;
    Ok(found)
}
