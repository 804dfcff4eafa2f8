//! Finds one call in the ledger, with its legs and its family, and reads only their row groups.
//!
//! ```text
//! call id ──▶ ids of each run ──────▶ day, row ──▶ its row of the log
//! root id ──▶ children of each run ─▶ day, row ──▶ the rows of its children
//! start   ──▶ statistics of the legs' groups ────▶ the rows of that start ──▶ the call's legs
//! ```
//!
//! # Why
//! The log of thirty nights has hundreds of row groups, and a family is in one or two of them. A
//! scan with a filter reads the id column of all of them, which no statistics can narrow.

use super::ids::{self, ChildFile};
use crate::fit::must_fit;
use crate::inputs::file::FileError;
use crate::ledger::error::{LedgerError, RESTORE, polars_error};
use crate::ledger::history::History;
use crate::ledger::index::earlier::{self, Place};
use crate::ledger::place::Dataset;
use crate::ledger::place::day_of_file;
use crate::ledger::run::Run;
use crate::ledger::tables::columns;
use crate::ledger::tables::columns::LOG_COLUMNS;
use crate::ledger::tables::file::{Footer, Group, frame, slice};
use crate::ledger::tables::late_price;
use crate::ledger::tables::stored::{Rows, text};
use crate::money::Total;
use crate::sid::Sid;
use crate::time::{self, Micros};
use polars::prelude::{DataFrame, IdxCa, SortMultipleOptions};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

/// A row of the call log, with the columns that explain one call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the columns of the contract, section 5.2")]
pub struct LogRow {
    pub call_sid: String,
    pub parent_call_sid: String,
    pub account_sid: String,
    pub trunk_sid: String,
    pub scenario: String,
    pub direction: String,
    pub from: String,
    pub to: String,
    pub status: String,
    pub currency: String,
    pub run_id: String,
    pub start: Micros,
    pub end: Option<Micros>,
    pub duration_seconds: u32,
    /// In units of 10⁻⁸.
    pub amount: i128,
}

const LOG_NUMBERS: [&str; 3] = ["start_time", "duration_seconds", "amount"];
const LOG_TEXTS: [&str; 11] = [
    "call_sid",
    "parent_call_sid",
    "account_sid",
    "trunk_sid",
    "scenario",
    "direction",
    "from",
    "to",
    "status",
    "currency",
    "run_id",
];

/// Refuses damaged files of ids. A row found by its id is checked against that id, but finding none
/// proves nothing if the files are damaged. So this is called before a call is reported as unknown.
///
/// # Errors
/// The first file that is not as it was written.
pub fn refuse_damaged_ids(history: &History) -> Result<(), FileError> {
    history.runs.iter().try_for_each(|run| run.check_files(ids::FOLDER))
}

/// The log row of a booked call, and its run.
///
/// # Errors
/// If a file cannot be read.
pub fn find_log_row<'a>(
    history: &'a History,
    sid: &str,
) -> Result<Option<(LogRow, &'a Run)>, LedgerError> {
    let Some((run, day, row)) = place_of(history, sid)? else { return Ok(None) };
    let run = &history.runs[run];
    let path = run.file_of_day(Dataset::Calls, day);
    run.check_before_read(&path)?;
    let found = slice(&path, &[&LOG_TEXTS[..], &LOG_NUMBERS, &["end_time"]].concat(), row, 1)?;
    check_rows(&path, &found, 1)?;
    let found = Rows::new(&path, row, &found);
    let numbers = found.longs(LOG_NUMBERS)?;
    let (start, duration_seconds, amount) =
        (numbers.at(0, 0)?, numbers.fit(1, 0)?, numbers.at(2, 0)?);
    let end = found.longs(["end_time"])?.optional(0)[0];
    let [
        call_sid,
        parent_call_sid,
        account_sid,
        trunk_sid,
        scenario,
        direction,
        from,
        to,
        status,
        currency,
        run_id,
    ] = found.texts(LOG_TEXTS).row(0).map(str::to_owned);
    if call_sid != sid {
        let problem = format!(
            "has {call_sid:?} in row {row}; the ids of the run say that {sid} stands there"
        );
        return Err(FileError::new(&path, problem).hint(RESTORE).into());
    }
    let row = LogRow {
        call_sid,
        parent_call_sid,
        account_sid,
        trunk_sid,
        scenario,
        direction,
        from,
        to,
        status,
        currency,
        run_id,
        start,
        end,
        duration_seconds,
        amount: amount.into(),
    };
    Ok(Some((row, run)))
}

/// Run, UTC day and row of a call in the log.
fn place_of(history: &History, sid: &str) -> Result<Option<(usize, i64, usize)>, LedgerError> {
    let Some(Place { run, id }) = earlier::find_call(history, sid)? else { return Ok(None) };
    Ok(id.place.map(|(day, row)| (run, i64::from(day), row as usize)))
}

fn check_rows(path: &Path, found: &DataFrame, rows: usize) -> Result<(), FileError> {
    if found.height() == rows {
        return Ok(());
    }
    Err(FileError::new(path, "has fewer rows than the ids of its run say").hint(RESTORE))
}

// ---- the family ---------------------------------------------------------------------------------

/// Rows of the log by run and UTC day.
type Places = BTreeMap<(usize, i64), Vec<usize>>;

/// A root and all its children as log rows, by start and id; the columns of the log.
///
/// # Errors
/// If a file cannot be read.
pub fn family(history: &History, root: &str) -> Result<DataFrame, LedgerError> {
    let mut places = Places::new();
    if let Some((run, day, row)) = place_of(history, root)? {
        places.entry((run, day)).or_default().push(row);
    }
    for (number, run) in history.runs.iter().enumerate() {
        for (day, row) in children_in(run, root)? {
            places.entry((number, day)).or_default().push(row);
        }
    }
    let mut family = columns::empty(Dataset::Calls);
    for ((run, day), rows) in &mut places {
        let path = history.runs[*run].file_of_day(Dataset::Calls, *day);
        history.runs[*run].check_before_read(&path)?;
        rows.sort_unstable();
        for rows in rows_by_group(
            rows,
            &Footer::of(&path)?.groups().iter().map(|group| group.rows).collect::<Vec<_>>(),
        ) {
            let (first, last) = (rows[0], rows[rows.len() - 1]);
            let found = slice(&path, &LOG_COLUMNS, first, last - first + 1)?;
            check_rows(&path, &found, last - first + 1)?;
            let wanted: IdxCa = rows
                .iter()
                .map(|row| Some(must_fit(row - first, "a row of a group fits 32 bits")))
                .collect();
            let own = found.take(&wanted).map_err(polars_error(&path))?;
            assert_eq!(
                own.height(),
                rows.len(),
                "rows between the first and the last that were read"
            );
            check_family(&path, &own, root)?;
            family.vstack_mut(&own).map_err(polars_error(&path))?;
        }
    }
    family
        .sort(["start_time", "call_sid"], SortMultipleOptions::default())
        .map_err(polars_error(Path::new("calls")))
}

/// The rows of a family with the prices that came after they were booked.
///
/// # Errors
/// If a file cannot be read.
pub fn with_prices_since(history: &History, family: DataFrame) -> Result<DataFrame, LedgerError> {
    let starts = Rows::new(Path::new("calls"), 0, &family).longs(["start_time"])?;
    let starts = (0..family.height())
        .map(|row| starts.at(0, row))
        .collect::<Result<Vec<Micros>, LedgerError>>()?;
    let days: BTreeSet<i64> = starts.into_iter().map(time::day).collect();
    let mut prices = Vec::new();
    for run in &history.runs {
        for path in run.files(Dataset::Prices) {
            if day_of_file(&path).is_some_and(|day| days.contains(&day)) {
                run.check_before_read(&path)?;
                prices.push(path);
            }
        }
    }
    late_price::put_in(family, &late_price::of_files(&prices)?)
}

/// The places of a root's children in a run.
fn children_in(run: &Run, root: &str) -> Result<Vec<(i64, usize)>, LedgerError> {
    if run.has_children_file() {
        run.check_before_read(&run.folder.join(ids::CHILDREN))?;
        let found = ChildFile::open(&run.folder)?.find(Sid::of(root).0)?;
        return Ok(found
            .into_iter()
            .map(|child| (i64::from(child.day), child.row as usize))
            .collect());
    }
    // A run older than the file of children: all of its log is read.
    let mut found = Vec::new();
    for path in run.files(Dataset::Calls) {
        let Some(day) = day_of_file(&path) else { continue };
        run.check_before_read(&path)?;
        let parents = frame(&path, &["parent_call_sid"])?;
        let rows = text(&parents, "parent_call_sid")
            .iter()
            .enumerate()
            .filter(|(_, parent)| *parent == Some(root));
        found.extend(rows.map(|(row, _)| (day, row)));
    }
    Ok(found)
}

fn check_family(path: &Path, found: &DataFrame, root: &str) -> Result<(), FileError> {
    let texts = Rows::new(path, 0, found).texts(["call_sid", "parent_call_sid"]);
    let is_stranger = |[sid, parent]: &[&str; 2]| *parent != root && *sid != root;
    let Some([sid, parent]) = (0..found.height()).map(|row| texts.row(row)).find(is_stranger)
    else {
        return Ok(());
    };
    let problem = format!(
        "has {sid:?}, a child of {parent:?}, where the ids of the run say that a child of {root} \
         stands"
    );
    Err(FileError::new(path, problem).hint(RESTORE))
}

/// Splits sorted rows by row group; rows after the last group form one piece.
fn rows_by_group<'a>(rows: &'a [usize], sizes: &[usize]) -> Vec<&'a [usize]> {
    let (mut rest, mut end, mut split) = (rows, 0, Vec::new());
    for size in sizes {
        end += size;
        let (own, others) = rest.split_at(rest.partition_point(|row| *row < end));
        split.extend(Some(own).filter(|own| !own.is_empty()));
        rest = others;
    }
    split.extend(Some(rest).filter(|rest| !rest.is_empty()));
    split
}

// ---- the legs -----------------------------------------------------------------------------------

/// The booked legs of a call, by number: the amount of each.
///
/// # Errors
/// If a file cannot be read.
pub fn booked_legs(run: &Run, call: &LogRow) -> Result<Vec<Total>, LedgerError> {
    let path = run.file_of_day(Dataset::Legs, time::day(call.start));
    let mut legs: Vec<(i64, Total)> = Vec::new();
    if !run.manifest.files.iter().any(|file| run.folder.join(&file.path) == path) {
        return Ok(Vec::new());
    }
    run.check_before_read(&path)?;
    for rows in rows_that_may_start_at(call.start, &Footer::of(&path)?.groups()) {
        let found = slice(&path, &["start_time"], rows.start, rows.len())?;
        let starts = Rows::new(&path, rows.start, &found).longs(["start_time"])?;
        let is_it = |start: &Option<i64>| *start == Some(call.start);
        let (Some(first), Some(last)) =
            (starts.optional(0).iter().position(is_it), starts.optional(0).iter().rposition(is_it))
        else {
            continue;
        };
        let found =
            slice(&path, &["call_sid", "leg", "amount"], rows.start + first, last - first + 1)?;
        let found = Rows::new(&path, rows.start + first, &found);
        let (sids, numbers) = (found.texts(["call_sid"]), found.longs(["leg", "amount"])?);
        for row in (0..found.height()).filter(|row| sids.row(*row) == [&call.call_sid]) {
            let [number, amount] = numbers.row(row)?;
            legs.push((number, Total::from_units(amount.into())));
        }
    }
    legs.sort();
    Ok(legs.into_iter().map(|(_, amount)| amount).collect())
}

/// The rows of the groups that may hold a call of this start, by their statistics.
fn rows_that_may_start_at(start: Micros, groups: &[Group]) -> Vec<Range<usize>> {
    let mut first = 0;
    let mut found = Vec::new();
    for group in groups {
        if group.starts.as_ref().is_none_or(|starts| starts.contains(&start)) {
            found.push(first..first + group.rows);
        }
        first += group.rows;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_split_by_their_groups() {
        let sizes = [10, 10, 5];
        assert_eq!(rows_by_group(&[0, 9, 10, 24], &sizes), [&[0, 9][..], &[10], &[24]]);
        assert_eq!(rows_by_group(&[19, 20], &sizes), [[19], [20]]);
        assert_eq!(rows_by_group(&[], &sizes), [[0_usize; 0]; 0]);
        assert_eq!(
            rows_by_group(&[7, 30], &sizes),
            [[7], [30]],
            "a row that no group has is asked for, and missed then"
        );
    }

    #[test]
    fn only_groups_that_may_have_a_start_are_read() {
        let group = |starts| Group { rows: 10, starts };
        let groups = [group(Some(0..=5)), group(Some(5..=5)), group(None), group(Some(6..=9))];
        assert_eq!(
            rows_that_may_start_at(5, &groups),
            [0..10, 10..20, 20..30],
            "a start may go over the end of a group"
        );
        assert_eq!(
            rows_that_may_start_at(7, &groups),
            [20..30, 30..40],
            "without statistics a group is read"
        );
        assert_eq!(rows_that_may_start_at(-1, &groups).first(), Some(&(20..30)));
    }
}
