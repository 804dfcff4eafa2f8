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
    /// The place of the last run that rated a call again.
    rerated: HashMap<Sid, usize>,
}

impl<'a> Superseded<'a> {
    /// All of a ledger.
    ///
    /// # Errors
    /// If the ids of a run that rated calls again cannot be read.
    pub fn of(history: &'a History) -> Result<Self, LedgerError> {
        let mut all = Self { named: history.replaced(), ..Self::default() };
        for (place, run) in history.runs.iter().enumerate() {
            if run.manifest.kind == RunKind::Rerate {
                for sid in calls_of(run)? {
                    all.rerated.insert(sid, place);
                }
            }
        }
        if !all.rerated.is_empty() {
            let named = history.runs.iter().enumerate();
            all.places = named.map(|(place, run)| (run.manifest.run_id.as_str(), place)).collect();
        }
        Ok(all)
    }

    /// True if every version counts.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.named.is_empty() && self.rerated.is_empty()
    }

    /// True if another version took the place of that of a run.
    #[must_use]
    pub fn has(&self, run_id: &str, call_sid: &str) -> bool {
        self.named.contains(&(run_id, call_sid))
            || !self.rerated.is_empty() && self.is_rerated(run_id, call_sid)
    }

    fn is_rerated(&self, run_id: &str, call_sid: &str) -> bool {
        let last = self.rerated.get(&Sid::of(call_sid).0);
        last.is_some_and(|last| self.places.get(run_id).is_some_and(|own| own < last))
    }
}

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
