//! Booked versions of calls that count no more: others took their place.
//!
//! **Invariant:** of a call with several versions the one of the latest run counts. Legs of the
//! opposite amounts stand beside those of every other version, so that a sum over all legs needs
//! none of this.
//!
//! # Why they are no list in a manifest
//! `suspense resolve` names the one version that it takes back. A run that rated a period again
//! takes back as many as there are calls in its log; its ids name them already, 16 bytes a call.

use super::ids::IdFile;
use crate::ledger::error::LedgerError;
use crate::ledger::history::History;
use crate::ledger::manifest::RunKind;
use crate::ledger::place::{Dataset, Ledger};
use crate::ledger::run::Run;
use crate::ledger::tables::log_row::LogRow;
use crate::ledger::tables::read::{self, Selection};
use crate::sid::Sid;
use polars::prelude::DataFrame;
use std::collections::{HashMap, HashSet};

/// The versions whose place others took.
#[derive(Debug, Default)]
pub struct Superseded<'a> {
    /// By run and call: those of which a person chose another version.
    named: HashSet<(&'a str, &'a str)>,
    /// The places of the runs, by their names; only filled if calls were rated again.
    places: HashMap<&'a str, usize>,
    /// The runs that rated calls again, by their places: the ids of their calls, which ascend.
    rerated: Vec<(usize, Vec<Sid>)>,
}

impl<'a> Superseded<'a> {
    /// All of a ledger.
    ///
    /// # Errors
    /// If the ids of a run that rated calls again cannot be read.
    pub fn of(history: &'a History) -> Result<Self, LedgerError> {
        let mut all = Self { named: history.replaced(), ..Self::default() };
        for (place, run) in rerated(history) {
            let sids = calls_of(run)?;
            assert!(sids.is_sorted(), "a file of ids is sorted");
            all.rerated.push((place, sids));
        }
        if !all.rerated.is_empty() {
            let named = history.runs.iter().enumerate();
            all.places = named.map(|(place, run)| (run.manifest.run_id.as_str(), place)).collect();
        }
        Ok(all)
    }

    /// True if another version took the place of that of a run.
    #[must_use]
    pub fn has(&self, run_id: &str, call_sid: &str) -> bool {
        self.named.contains(&(run_id, call_sid))
            || !self.rerated.is_empty() && self.is_rerated(run_id, call_sid)
    }

    fn is_rerated(&self, run_id: &str, call_sid: &str) -> bool {
        let Some(own) = self.places.get(run_id) else { return false };
        let sid = Sid::of(call_sid).0;
        let mut later = self.rerated.iter().filter(|(place, _)| place > own);
        later.any(|(_, sids)| sids.binary_search(&sid).is_ok())
    }
}

/// The runs that rated calls again, with their places.
fn rerated(history: &History) -> impl Iterator<Item = (usize, &Run)> {
    let all = history.runs.iter().enumerate();
    all.filter(|(_, run)| run.manifest.kind == RunKind::Rerate)
}

/// Leaves out rows of the log that count no more: a few are looked up one by one, for many the ids
/// are read.
///
/// # Errors
/// If ids cannot be read.
pub fn leave_out(history: &History, rows: &mut Vec<LogRow>) -> Result<(), LedgerError> {
    if rows.len() > FEW {
        let all = Superseded::of(history)?;
        rows.retain(|row| !all.has(&row.run_id, &row.call_sid));
        return Ok(());
    }
    let named = history.replaced();
    rows.retain(|row| !named.contains(&(row.run_id.as_str(), row.call_sid.as_str())));
    for (place, run) in rerated(history) {
        if rows.is_empty() || !run.has_ids() {
            continue;
        }
        let earlier: HashSet<&str> =
            history.runs[..place].iter().map(|run| run.manifest.run_id.as_str()).collect();
        let mut file = IdFile::open(&run.folder)?;
        let mut kept = Vec::with_capacity(rows.len());
        for row in rows.drain(..) {
            let is_out = earlier.contains(row.run_id.as_str())
                && !file.find(Sid::of(&row.call_sid).0)?.is_empty();
            if !is_out {
                kept.push(row);
            }
        }
        *rows = kept;
    }
    Ok(())
}

/// So many rows are looked up one by one: each in some tens of reads of a file of ids.
const FEW: usize = 256;

/// The ids of the calls that a run booked, in their order.
///
/// # Errors
/// If they cannot be read.
pub fn calls_of(run: &Run) -> Result<Vec<Sid>, LedgerError> {
    let mut sids = Vec::new();
    if run.has_ids() {
        let mut file = IdFile::open(&run.folder)?;
        for range in file.ranges() {
            let rows = file.rows(range)?.into_iter();
            sids.extend(rows.filter(|id| id.place.is_some()).map(|id| id.sid));
        }
    }
    Ok(sids)
}

/// Reads the rows of the legs or the log that count, by UTC date: [`read::each_date`].
///
/// # Errors
/// As there.
pub fn each_date<E: From<LedgerError>>(
    ledger: &Ledger,
    dataset: Dataset,
    selection: &Selection,
    then: impl FnMut(DataFrame) -> Result<(), E>,
) -> Result<(), E> {
    let history = ledger.history().map_err(LedgerError::from)?;
    let superseded = Superseded::of(&history)?;
    read::each_date(&history, dataset, selection, &|run, sid| superseded.has(run, sid), then)
}
