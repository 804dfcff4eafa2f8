//! Checks a run that rated booked calls again: each call of its log takes the place of the version
//! before it, which says the same but for the price, and whose legs are taken back to the last
//! decimal.

use super::legs::StoredLeg;
use super::part::{Sums, entry, wrong};
use crate::audit::{Leg, taken_back};
use crate::ledger::error::LedgerError;
use crate::ledger::history::History;
use crate::ledger::index::earlier;
use crate::ledger::index::superseded::calls_of;
use crate::ledger::manifest::{FILE_NAME, RunKind};
use crate::ledger::place::{Dataset, TAKEN_BACK, day_of_file};
use crate::ledger::run::Run;
use crate::ledger::tables::columns::{LEG_COLUMNS, LOG_COLUMNS, ROWS};
use crate::ledger::tables::file::Footer;
use crate::ledger::tables::log_row::LogRow;
use crate::ledger::tables::stored::{Rows, text};
use crate::sid::Sid;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// Proves what a run that rated calls again takes back, and adds it to the run's sums.
pub(crate) fn prove(history: &History, run: &Run, sums: &mut Sums) -> Result<(), LedgerError> {
    if run.manifest.kind != RunKind::Rerate {
        return Ok(());
    }
    let manifest = run.folder.join(FILE_NAME);
    let mut wanted = calls_of(run)?;
    // By day, and there by run: the rows of the versions whose place these calls take.
    let mut before: BTreeMap<i64, BTreeMap<usize, BTreeSet<usize>>> = BTreeMap::new();
    let earlier = history
        .runs
        .iter()
        .enumerate()
        .filter(|(_, other)| other.manifest.sequence < run.manifest.sequence);
    for (place, other) in earlier.rev() {
        let found: BTreeMap<Sid, (i32, u32)> = earlier::ids_in(other, &wanted)?
            .into_iter()
            .filter_map(|id| Some((id.sid, id.place?)))
            .collect();
        if found.is_empty() {
            continue;
        }
        if !run.manifest.stands_on.contains(&other.manifest.run_id) {
            return Err(wrong(
                &manifest,
                format!(
                    "takes calls of run {} back, and does not stand on it",
                    other.manifest.run_id
                ),
            ));
        }
        wanted.retain(|sid| !found.contains_key(sid));
        for (day, row) in found.into_values() {
            let of_day = before.entry(i64::from(day)).or_default();
            of_day.entry(place).or_default().insert(row as usize);
        }
    }
    if !wanted.is_empty() {
        let problem = format!("rates {} calls again that no earlier run booked", wanted.len());
        return Err(wrong(&manifest, problem));
    }
    let mut taken: BTreeMap<i64, PathBuf> = BTreeMap::new();
    for path in run.files(Dataset::Legs) {
        if path.ends_with(TAKEN_BACK) {
            let day = day_of_file(&path).ok_or_else(|| wrong(&path, "is of no day"))?;
            taken.insert(day, path);
        }
    }
    for (day, runs) in &before {
        let Some(path) = taken.remove(day) else {
            let date = crate::time::date_text(day * crate::time::DAY);
            return Err(wrong(&manifest, format!("takes no leg of {date} back")));
        };
        day_is_taken_back(history, run, (*day, runs), &path, sums)?;
    }
    match taken.into_values().next() {
        Some(path) => Err(wrong(&path, "takes back what is not said")),
        None => Ok(()),
    }
}

/// Proves a day: the legs that take others back stand in the order of the runs, and there in the
/// order of their calls.
fn day_is_taken_back(
    history: &History,
    run: &Run,
    (day, runs): (i64, &BTreeMap<usize, BTreeSet<usize>>),
    path: &Path,
    sums: &mut Sums,
) -> Result<(), LedgerError> {
    let mut day =
        TakenDay { new: log_of(run, day)?, path, run_id: &run.manifest.run_id, day, at: 0 };
    for (place, rows) in runs {
        day.of_run(&history.runs[*place], rows, sums)?;
    }
    let rest = Footer::of(path)?.rows(&["call_sid"], day.at, 1)?;
    match text(&rest, "call_sid").iter().next().flatten() {
        Some(call) => Err(wrong(path, format!("takes a leg of {call} back, which is not said"))),
        None => Ok(()),
    }
}

/// The legs of a day that take others back, as they are walked through.
struct TakenDay<'a> {
    /// The new versions, without their prices.
    new: HashMap<String, LogRow>,
    path: &'a Path,
    run_id: &'a str,
    day: i64,
    /// The legs that were walked through.
    at: usize,
}

impl TakenDay<'_> {
    /// Proves the legs that take those of some calls of an earlier run back.
    fn of_run(
        &mut self,
        other: &Run,
        rows: &BTreeSet<usize>,
        sums: &mut Sums,
    ) -> Result<(), LedgerError> {
        let path = self.path;
        let (log_path, legs_path) = (
            other.file_of_day(Dataset::Calls, self.day),
            other.file_of_day(Dataset::Legs, self.day),
        );
        let (log, legs_file, taken) =
            (Footer::of(&log_path)?, Footer::of(&legs_path)?, Footer::of(path)?);
        let mut walked = 0;
        for first in (0..).step_by(ROWS) {
            let frame = log.rows(&LOG_COLUMNS, first, ROWS)?;
            let calls = LogRow::all(&Rows::new(&log_path, first, &frame))?;
            let legs = legs_file.rows(&LEG_COLUMNS, walked, 2 * ROWS)?;
            let back = taken.rows(&LEG_COLUMNS, self.at, 2 * ROWS)?;
            let leg_at = StoredLeg::reader(&Rows::new(&legs_path, walked, &legs))?;
            let back_at = StoredLeg::reader(&Rows::new(path, self.at, &back))?;
            // The legs of one call come one after the other.
            let of_call = |call: &str, run_id: &str, from: usize, is_back: bool| {
                let height = if is_back { back.height() } else { legs.height() };
                let mut found: Vec<Leg<'_>> = Vec::with_capacity(2);
                for at in from..height {
                    let leg = if is_back { back_at(at)? } else { leg_at(at)? };
                    if leg.call_sid != call {
                        break;
                    }
                    if leg.run_id != run_id {
                        let path = if is_back { path } else { legs_path.as_path() };
                        return Err(wrong(path, format!("has a leg of run {:?}", leg.run_id)));
                    }
                    found.push(leg.to_prove());
                }
                Ok(found)
            };
            let (mut at, mut back_from) = (0, 0);
            for (row, call) in calls.iter().enumerate() {
                let own = of_call(&call.call_sid, &other.manifest.run_id, at, false)?;
                at += own.len();
                if !rows.contains(&(first + row)) {
                    continue;
                }
                let wrong_call =
                    |what: String| wrong(path, format!("call {}: {what}", call.call_sid));
                if self.new.get(&call.call_sid) != Some(&without_price(call)) {
                    return Err(wrong_call(
                        "its new version is on another day, or says something else than the one \
                         before"
                            .to_owned(),
                    ));
                }
                let opposite = of_call(&call.call_sid, self.run_id, back_from, true)?;
                back_from += opposite.len();
                let amount = taken_back(&own, &opposite).map_err(|e| wrong_call(e.to_string()))?;
                sums.legs += opposite.len() as u64;
                *entry(&mut sums.amount, &call.currency) += amount;
            }
            walked += at;
            self.at += back_from;
            if calls.len() < ROWS {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// The calls of a run's log of a day, without their prices.
fn log_of(run: &Run, day: i64) -> Result<HashMap<String, LogRow>, LedgerError> {
    let path = run.file_of_day(Dataset::Calls, day);
    let file = Footer::of(&path)?;
    let mut all = HashMap::new();
    for first in (0..).step_by(ROWS) {
        let frame = file.rows(&LOG_COLUMNS, first, ROWS)?;
        let rows = LogRow::all(&Rows::new(&path, first, &frame))?;
        let count = rows.len();
        all.extend(rows.iter().map(|row| (row.call_sid.clone(), without_price(row))));
        if count < ROWS {
            break;
        }
    }
    Ok(all)
}

/// A row of the log without what another deck may change.
fn without_price(row: &LogRow) -> LogRow {
    LogRow { currency: String::new(), amount: 0, run_id: String::new(), ..row.clone() }
}
