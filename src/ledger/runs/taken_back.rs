//! Legs that take booked ones back: the same legs with the opposite amounts, in the run of the
//! version that takes their call's place.
//!
//! **Invariant:** of a leg and the one that takes it back every column is the same, but for the
//! run, and for amount and seconds, which have the opposite signs. So any sum over the legs of all
//! runs is that of the versions that count, and no stored file was changed.
//!
//! # Why they have a file of their own
//! The legs of a day stand in the order of its calls, each beside its call, and are proved so. What
//! is taken back belongs to a call of another run, perhaps of another day.

use crate::fit::must_fit;
use crate::ledger::error::{LedgerError, polars_error};
use crate::ledger::index::find::leg_rows;
use crate::ledger::manifest::Replaced;
use crate::ledger::run::Run;
use crate::ledger::tables::frame::{TextsBuilder, decimals, integers};
use crate::ledger::tables::log_row::LogRow;
use crate::ledger::tables::stored::{Rows, units};
use crate::money::AMOUNT_DECIMALS;
use crate::time;
use polars::prelude::{Column, DataFrame};
use std::path::Path;

/// The booked version of a call whose place another one takes.
#[derive(Debug, Clone)]
pub struct TakenBack {
    /// Its row of the log.
    pub call: LogRow,
    /// Its call and run, as the manifest names them.
    pub replaced: Replaced,
    /// Its legs, as they were booked.
    legs: DataFrame,
}

impl TakenBack {
    /// Reads the legs of a booked call.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn read(run: &Run, call: LogRow) -> Result<Self, LedgerError> {
        let legs = leg_rows(run, &call)?;
        let (call_sid, run_id) = (call.call_sid.clone(), run.manifest.run_id.clone());
        Ok(Self { call, replaced: Replaced { call_sid, run_id }, legs })
    }

    /// The UTC day of its legs.
    #[must_use]
    pub fn day(&self) -> i64 {
        time::day(self.call.start)
    }

    /// The number of its legs.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.legs.height() as u64
    }

    /// The legs that take its own back, in a run.
    ///
    /// # Errors
    /// If a number of them is missing.
    pub fn opposite(&self, run_id: &str) -> Result<DataFrame, LedgerError> {
        opposite(&self.legs, run_id)
    }
}

/// Legs that take others back, in a run.
///
/// # Errors
/// If a number of them is missing.
pub fn opposite(booked: &DataFrame, run_id: &str) -> Result<DataFrame, LedgerError> {
    let mut legs = booked.clone();
    let rows = Rows::new(Path::new("legs"), 0, booked);
    let mut put = |column: Column| {
        let name = column.name().to_string();
        legs.replace(&name, column).map(|_| ()).map_err(polars_error(Path::new("legs")))
    };
    for name in ["duration_seconds", "billed_seconds"] {
        let seconds = rows.longs([name])?;
        let opposite: Result<Vec<i64>, LedgerError> =
            (0..rows.height()).map(|row| Ok(-seconds.at(0, row)?)).collect();
        put(integers(name, opposite?))?;
    }
    let opposite = |amount: Option<i128>| {
        amount.map(|amount| must_fit(-amount, "an amount has an opposite in 64 bits"))
    };
    let amounts = units(booked, "amount").into_iter().map(opposite).collect();
    put(decimals("amount", amounts, AMOUNT_DECIMALS))?;
    let mut runs = TextsBuilder::new("run_id", rows.height());
    for _ in 0..rows.height() {
        runs.push_str(run_id);
    }
    put(runs.finish())?;
    assert_eq!(legs.height(), booked.height(), "each leg is taken back once");
    Ok(legs)
}
