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

use super::ids::{self, ChildFile, ChildRow, IdFile};
use crate::fit::must_fit;
use crate::inputs::file::FileError;
use crate::ledger::error::{LedgerError, RESTORE, polars_error};
use crate::ledger::history::History;
use crate::ledger::index::earlier::{self, Place};
use crate::ledger::index::superseded;
use crate::ledger::place::Dataset;
use crate::ledger::place::day_of_file;
use crate::ledger::run::Run;
use crate::ledger::tables::columns::{self, LEG_COLUMNS, LOG, LOG_COLUMNS};
use crate::ledger::tables::file::{Footer, Group, frame, slice};
use crate::ledger::tables::late_price;
use crate::ledger::tables::log_row::LogRow;
use crate::ledger::tables::stored::{Rows, text};
use crate::money::Total;
use crate::sid::Sid;
use crate::time::{self, Micros};
use polars::prelude::{BooleanChunked, DataFrame, IdxCa};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::path::Path;

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
    let found = placed_log_row(history, sid)?;
    Ok(found.map(|((run, ..), row)| (row, &history.runs[run])))
}

/// The log row of a booked call, and its place.
///
/// # Errors
/// If a file cannot be read.
pub fn placed_log_row(
    history: &History,
    sid: &str,
) -> Result<Option<(LogPlace, LogRow)>, LedgerError> {
    let Some(place @ (run, day, row)) = place_of(history, sid)? else { return Ok(None) };
    let run = &history.runs[run];
    let path = run.file_of_day(Dataset::Calls, day);
    run.check_before_read(&path)?;
    let found = rows_at(&Footer::of(&path)?, &path, &[row])?;
    let found = found.into_iter().next().expect("a row, as was checked");
    if found.call_sid != sid {
        let problem = format!(
            "has {:?} in row {row}; the ids of the run say that {sid} stands there",
            found.call_sid
        );
        return Err(FileError::new(&path, problem).hint(RESTORE).into());
    }
    Ok(Some((place, found)))
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

// ---- families -----------------------------------------------------------------------------------

/// The place of a row of the log: its run by number, its UTC day, and its row there.
pub type LogPlace = (usize, i64, usize);

/// Rows of the log by run and UTC day.
type LogPlaces = BTreeMap<(usize, i64), Vec<usize>>;

/// More roots than these are looked up run by run, together.
const FEW_ROOTS: usize = 64;

/// The rows of ids that are walked through in the time of one binary search among them.
const ROWS_A_SEARCH: u64 = 256;

/// A root and all its children as log rows, by start and id.
///
/// # Errors
/// If a file cannot be read.
pub fn family(history: &History, root: &str) -> Result<Vec<LogRow>, LedgerError> {
    families(history, &BTreeSet::from([root]), BTreeMap::new())
}

/// Roots and all their children as log rows, by start and id. Rows that are `known` already, by
/// their place, are not read again.
///
/// # Errors
/// If a file cannot be read.
pub fn families(
    history: &History,
    roots: &BTreeSet<&str>,
    known: BTreeMap<LogPlace, LogRow>,
) -> Result<Vec<LogRow>, LedgerError> {
    let is_root = |row: &&LogRow| row.parent_call_sid.is_empty();
    let there: BTreeSet<&str> =
        known.values().filter(is_root).map(|row| row.call_sid.as_str()).collect();
    let unknown: BTreeSet<&str> = roots.difference(&there).copied().collect();
    let all = if roots.len() > FEW_ROOTS {
        places_of_many(history, roots, &unknown)?
    } else {
        places_of_few(history, roots, &known)?
    };
    let mut places = LogPlaces::new();
    for (run, day, row) in all {
        if !known.contains_key(&(run, day, row)) {
            places.entry((run, day)).or_default().push(row);
        }
    }
    let mut found: Vec<LogRow> = known.into_values().collect();
    for ((run, day), rows) in &mut places {
        let path = history.runs[*run].file_of_day(Dataset::Calls, *day);
        history.runs[*run].check_before_read(&path)?;
        rows.sort_unstable();
        rows.dedup();
        let read = rows_at(&Footer::of(&path)?, &path, rows)?;
        check_families(&path, &read, roots)?;
        found.extend(read);
    }
    superseded::leave_out(history, &mut found)?;
    found.sort_by(|a, b| (a.start, &a.call_sid).cmp(&(b.start, &b.call_sid)));
    Ok(found)
}

/// Some rows of a file of the log, whose numbers ascend.
///
/// # Errors
/// If the file cannot be read, or has fewer rows.
pub fn rows_at(
    footer: &Footer<'_>,
    path: &Path,
    rows: &[usize],
) -> Result<Vec<LogRow>, LedgerError> {
    let (sizes, mut first_of_group) = (footer.groups(), 0);
    let firsts: Vec<usize> = sizes
        .iter()
        .map(|group| {
            let first = first_of_group;
            first_of_group += group.rows;
            first
        })
        .collect();
    let sizes: Vec<usize> = sizes.iter().map(|group| group.rows).collect();
    let mut all = Vec::with_capacity(rows.len());
    for rows in rows_by_group(rows, &sizes) {
        let (first, last) = (rows[0], rows[rows.len() - 1]);
        let group = firsts.partition_point(|start| *start <= first).checked_sub(1);
        if let Some(group) = group.filter(|group| last < firsts[*group] + sizes[*group]) {
            let own: Vec<usize> = rows.iter().map(|row| row - firsts[group]).collect();
            if let Some(found) = footer.gathered(&LOG, group, &own)? {
                assert_eq!(found.height(), rows.len(), "each row was gathered");
                all.extend(LogRow::all(&Rows::new(path, first, &found))?);
                continue;
            }
        }
        let found = footer.rows(&LOG_COLUMNS, first, last - first + 1)?;
        check_rows(path, &found, last - first + 1)?;
        let wanted: IdxCa = rows
            .iter()
            .map(|row| Some(must_fit(row - first, "a row of a group fits 32 bits")))
            .collect();
        let own = found.take(&wanted).map_err(polars_error(path))?;
        assert_eq!(own.height(), rows.len(), "rows between the first and the last that were read");
        all.extend(LogRow::all(&Rows::new(path, first, &own))?);
    }
    Ok(all)
}

/// The days before that of its root on which a child may start: it starts at most a minute before
/// its parent (`child-before-parent`), and a chain has few links.
const DAYS_BEFORE: i64 = 1;

/// The places of roots and of their children, each looked up by itself. The place of a root that is
/// known already is not, nor are its children in a run whose last day is before any of them.
fn places_of_few(
    history: &History,
    roots: &BTreeSet<&str>,
    known: &BTreeMap<LogPlace, LogRow>,
) -> Result<Vec<LogPlace>, LedgerError> {
    let own = known.iter().filter(|(_, row)| row.parent_call_sid.is_empty());
    let starts: BTreeMap<&str, Micros> =
        own.map(|(_, row)| (row.call_sid.as_str(), row.start)).collect();
    let mut all = Vec::new();
    for root in roots.iter().filter(|root| !starts.contains_key(*root)) {
        all.extend(place_of(history, root)?);
    }
    for (number, run) in history.runs.iter().enumerate() {
        let days = run.files(Dataset::Calls);
        let Some(last) = days.iter().filter_map(|path| day_of_file(path)).max() else { continue };
        let may_have = |root: &&&str| {
            starts.get(**root).is_none_or(|start| time::day(*start) - DAYS_BEFORE <= last)
        };
        let asked: Vec<&str> = roots.iter().filter(may_have).copied().collect();
        let children = children_in(run, &asked)?;
        all.extend(children.into_iter().map(|(day, row)| (number, day, row)));
    }
    Ok(all)
}

/// The places of the `unknown` roots, and of the children of all of them. Of a run with many more
/// calls than these each is looked up, else its ids are walked through.
fn places_of_many(
    history: &History,
    roots: &BTreeSet<&str>,
    unknown: &BTreeSet<&str>,
) -> Result<Vec<LogPlace>, LedgerError> {
    let sorted = |roots: &BTreeSet<&str>| {
        let mut sids: Vec<Sid> = roots.iter().map(|root| Sid::of(root).0).collect();
        sids.sort_unstable();
        sids
    };
    let (sids, unknown) = (sorted(roots), sorted(unknown));
    let are_few = |sids: &[Sid], rows: u64| sids.len() as u64 * ROWS_A_SEARCH < rows;
    let mut places = Vec::new();
    for (number, run) in history.runs.iter().enumerate() {
        if run.has_ids() && !unknown.is_empty() {
            let mut ids = IdFile::open(&run.folder)?;
            let found = if are_few(&unknown, ids.count) {
                let each = unknown.iter().map(|sid| ids.find(*sid));
                each.collect::<Result<Vec<_>, _>>()?.concat()
            } else {
                ids.find_all(&unknown)?
            };
            let place = |(day, row): (i32, u32)| (number, i64::from(day), row as usize);
            places.extend(found.into_iter().filter_map(|id| id.place).map(place));
        }
        if run.has_children_file() {
            run.check_before_read(&run.folder.join(ids::CHILDREN))?;
            let mut children = ChildFile::open(&run.folder)?;
            let own = if are_few(&sids, children.count) {
                let each = sids.iter().map(|sid| children.find(*sid));
                each.collect::<Result<Vec<_>, _>>()?.concat()
            } else {
                let mut all = children.all()?;
                all.retain(|child| sids.binary_search(&child.root).is_ok());
                all
            };
            let place = |child: ChildRow| (number, i64::from(child.day), child.row as usize);
            places.extend(own.into_iter().map(place));
        } else {
            let children = children_in_log(run, |parent| roots.contains(parent))?;
            places.extend(children.into_iter().map(|(day, row)| (number, day, row)));
        }
    }
    Ok(places)
}

/// Puts the prices that came after they were booked into rows of the log.
///
/// # Errors
/// If a file cannot be read.
pub fn put_late_prices<'a>(
    history: &History,
    rows: impl IntoIterator<Item = &'a mut LogRow>,
) -> Result<(), LedgerError> {
    let mut rows: HashMap<String, &mut LogRow> =
        rows.into_iter().map(|row| (row.call_sid.clone(), row)).collect();
    let days: BTreeSet<i64> = rows.values().map(|row| time::day(row.start)).collect();
    for run in &history.runs {
        for path in run.files(Dataset::Prices) {
            if day_of_file(&path).is_some_and(|day| days.contains(&day)) {
                run.check_before_read(&path)?;
                late_price::each_of_file(&path, |sid, price| {
                    if let Some(row) = rows.get_mut(sid) {
                        row.carrier_price = Some(price);
                    }
                })?;
            }
        }
    }
    Ok(())
}

/// The places of the children of some roots in a run.
fn children_in(run: &Run, roots: &[&str]) -> Result<Vec<(i64, usize)>, LedgerError> {
    if roots.is_empty() {
        return Ok(Vec::new());
    }
    if run.has_children_file() {
        run.check_before_read(&run.folder.join(ids::CHILDREN))?;
        let mut file = ChildFile::open(&run.folder)?;
        let mut all = Vec::new();
        for root in roots {
            let found = file.find(Sid::of(root).0)?;
            all.extend(found.iter().map(|child| (i64::from(child.day), child.row as usize)));
        }
        return Ok(all);
    }
    // A run older than the file of children: all of its log is read.
    children_in_log(run, |parent| roots.contains(&parent))
}

/// The places of the children of some roots, from the log itself.
fn children_in_log(
    run: &Run,
    is_root: impl Fn(&str) -> bool,
) -> Result<Vec<(i64, usize)>, LedgerError> {
    let mut found = Vec::new();
    for path in run.files(Dataset::Calls) {
        let Some(day) = day_of_file(&path) else { continue };
        run.check_before_read(&path)?;
        let parents = frame(&path, &["parent_call_sid"])?;
        let rows = text(&parents, "parent_call_sid")
            .iter()
            .enumerate()
            .filter(|(_, parent)| parent.is_some_and(&is_root));
        found.extend(rows.map(|(row, _)| (day, row)));
    }
    Ok(found)
}

fn check_families(path: &Path, found: &[LogRow], roots: &BTreeSet<&str>) -> Result<(), FileError> {
    let Some(stranger) = found.iter().find(|row| !roots.contains(row.root())) else {
        return Ok(());
    };
    let wanted: Vec<&str> = roots.iter().copied().take(3).collect();
    let problem = format!(
        "has {:?}, a child of {:?}, where the ids of the run say that a child of {} stands",
        stranger.call_sid,
        stranger.parent_call_sid,
        wanted.join(" or of ")
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

/// The booked legs of a call, with all their columns.
///
/// # Errors
/// If a file cannot be read.
pub fn leg_rows(run: &Run, call: &LogRow) -> Result<DataFrame, LedgerError> {
    let path = run.file_of_day(Dataset::Legs, time::day(call.start));
    run.check_before_read(&path)?;
    let mut legs = columns::empty(Dataset::Legs);
    for rows in rows_that_may_start_at(call.start, &Footer::of(&path)?.groups()) {
        let found = slice(&path, &LEG_COLUMNS, rows.start, rows.len())?;
        let sids = text(&found, "call_sid").iter();
        let own: BooleanChunked = sids.map(|sid| sid == Some(call.call_sid.as_str())).collect();
        let own = found.filter(&own).map_err(polars_error(&path))?;
        legs.vstack_mut(&own).map_err(polars_error(&path))?;
    }
    Ok(legs)
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
