//! What waits: by cause, and record by record with its cause.

use crate::ledger::{History, Ledger, LedgerError};
use crate::report::causes::ByCause;
use crate::report::health::WaitingLines;
use crate::report::lines::Money;
use crate::report::waiting_causes::{self, Diagnosed};
use crate::time::Micros;

/// The most records that are kept in memory; of more the causes are shown, and those of the rest
/// with `trunkrate suspense`.
const MOST: usize = 50_000;

/// A record that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the columns of the contract, section 5.3")]
pub struct DiagnosedRecord {
    /// The id of its cause.
    pub cause: String,
    pub call_sid: String,
    pub parent_call_sid: String,
    pub account_sid: String,
    pub reason: String,
    pub detail: String,
    pub start: Option<Micros>,
    pub source_file: String,
    pub source_line: u64,
    pub first_seen: String,
    pub tries: u32,
    /// What it may come to.
    pub estimate: Option<Money>,
    /// The record as it came.
    pub record: String,
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
}

impl WaitsByCause {
    /// What waits in a history.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn of(ledger: &Ledger, history: &History) -> Result<Self, LedgerError> {
        let mut by_cause = ByCause::new(history.newest_start());
        let (mut records, mut left_out) = (Vec::new(), 0);
        waiting_causes::each_diagnosed(ledger, history, |found| {
            if records.len() < MOST {
                records.push(DiagnosedRecord::of(found));
            } else {
                left_out += 1;
            }
            found.add_to(&mut by_cause)
        })?;
        let lines = WaitingLines::of(waiting_causes::lines(by_cause)?)?;
        Ok(Self { lines, records, left_out })
    }
}

impl DiagnosedRecord {
    fn of(found: &Diagnosed<'_>) -> Self {
        let row = found.row;
        Self {
            cause: found.diagnosis.cause.id.clone(),
            call_sid: row.call_sid.clone(),
            parent_call_sid: row.parent_call_sid.clone(),
            account_sid: row.account_sid.clone(),
            reason: row.reason.clone(),
            detail: row.detail.clone(),
            start: found.start,
            source_file: row.source_file.clone(),
            source_line: row.source_line,
            first_seen: row.first_seen.clone(),
            tries: row.tries,
            estimate: found.diagnosis.guess.as_ref().map(|guess| guess.money.clone()),
            record: row.record.clone(),
        }
    }
}
