//! Checks that a booked version whose place another one took is taken back to the last decimal.

use super::legs::StoredLeg;
use super::part::{Sums, entry, wrong};
use crate::audit::{Leg, taken_back};
use crate::ledger::error::LedgerError;
use crate::ledger::history::History;
use crate::ledger::index::earlier;
use crate::ledger::index::find;
use crate::ledger::manifest::{FILE_NAME, Replaced, RunKind};
use crate::ledger::place::{Dataset, TAKEN_BACK};
use crate::ledger::run::Run;
use crate::ledger::tables::columns::{LEG_COLUMNS, LOG_COLUMNS};
use crate::ledger::tables::file::{frame, slice};
use crate::ledger::tables::log_row::LogRow;
use crate::ledger::tables::stored::Rows;
use crate::sid::Sid;
use polars::prelude::DataFrame;
use std::path::{Path, PathBuf};

/// Proves what a run takes back, and adds it to the run's sums.
pub(crate) fn prove(history: &History, run: &Run, sums: &mut Sums) -> Result<(), LedgerError> {
    let files: Vec<PathBuf> =
        run.files(Dataset::Legs).into_iter().filter(|path| path.ends_with(TAKEN_BACK)).collect();
    let manifest = run.folder.join(FILE_NAME);
    let Some(replaced) = &run.manifest.replaces else {
        if run.manifest.kind == RunKind::Rerate {
            return Ok(());
        }
        return files
            .first()
            .map_or(Ok(()), |path| Err(wrong(path, "takes back what is not said")));
    };
    let Replaced { call_sid, run_id } = replaced;
    let is_it = |other: &&Run| {
        other.manifest.run_id == *run_id && other.manifest.sequence < run.manifest.sequence
    };
    let before = history.runs.iter().find(is_it).ok_or_else(|| {
        wrong(
            &manifest,
            format!("takes the place of a version of run {run_id}, which is no earlier run"),
        )
    })?;
    let twice =
        history.runs.iter().filter(|other| other.manifest.replaces.as_ref() == Some(replaced));
    if twice.count() != 1 {
        return Err(wrong(
            &manifest,
            format!("takes {call_sid} of run {run_id} back a second time"),
        ));
    }
    if row_of(run, call_sid)?.is_none() {
        return Err(wrong(
            &manifest,
            format!("has no version of {call_sid} in place of the other"),
        ));
    }
    let Some(call) = row_of(before, call_sid)? else {
        return Err(wrong(&manifest, format!("run {run_id} has no version of {call_sid}")));
    };
    let booked_path = before.file_of_day(Dataset::Legs, crate::time::day(call.start));
    let booked = find::leg_rows(before, &call)?;
    let mut own = Vec::new();
    for path in &files {
        own.push((path, frame(path, &LEG_COLUMNS)?));
    }
    let booked = typed(&booked_path, &booked, run_id)?;
    let mut opposite = Vec::new();
    for (path, frame) in &own {
        opposite.extend(typed(path, frame, &run.manifest.run_id)?);
    }
    let place = files.first().unwrap_or(&manifest);
    let amount = taken_back(&booked, &opposite)
        .map_err(|difference| wrong(place, format!("call {call_sid}: {difference}")))?;
    sums.legs += opposite.len() as u64;
    if !opposite.is_empty() {
        *entry(&mut sums.amount, &call.currency) += amount;
    }
    Ok(())
}

/// The row of a call in the log of a run.
fn row_of(run: &Run, call_sid: &str) -> Result<Option<LogRow>, LedgerError> {
    let found = earlier::ids_in(run, &[Sid::of(call_sid).0])?;
    let Some((day, row)) = found.into_iter().find_map(|id| id.place) else { return Ok(None) };
    let path = run.file_of_day(Dataset::Calls, i64::from(day));
    let read = slice(&path, &LOG_COLUMNS, row as usize, 1)?;
    let rows = LogRow::all(&Rows::new(&path, row as usize, &read))?;
    Ok(rows.into_iter().find(|row| row.call_sid == call_sid))
}

/// Legs as the second rater takes them; all of one run.
fn typed<'a>(
    path: &'a Path,
    frame: &'a DataFrame,
    run_id: &str,
) -> Result<Vec<Leg<'a>>, LedgerError> {
    let leg_at = StoredLeg::reader(&Rows::new(path, 0, frame))?;
    let leg = |row: usize| {
        let leg = leg_at(row)?;
        if leg.run_id != run_id {
            return Err(wrong(path, format!("has a leg of run {:?}", leg.run_id)));
        }
        Ok(leg.to_prove())
    };
    (0..frame.height()).map(leg).collect()
}
