//! The newest calls that are wanted, before a place in the order of all calls: a page of a list.
//!
//! ```text
//! days, newest first ─▶ row groups of the day by their last start ─▶ candidates, from the last on
//! ─▶ enough, and no group left that could hold a newer one
//! ```
//!
//! # Why beside [`super::booked`]
//! That one reads a day whole, since a search says how many calls there are. A page has a few dozen
//! of them: of a night of a million calls one row group is read, and of it the end.

use super::{Needles, Wanted, candidates, days};
use crate::ledger::error::LedgerError;
use crate::ledger::history::History;
use crate::ledger::index::find::{self, LogPlace};
use crate::ledger::tables::columns::ColumnType;
use crate::ledger::tables::file::Footer;
use crate::ledger::tables::log_row::LogRow;
use crate::ledger::tables::needles::FoundRows;
use crate::ledger::tables::stored::Rows;
use crate::time::{DAY, Micros};
use rayon::prelude::*;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

/// The place of a call in the order of all calls.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallPlace {
    /// Its start.
    pub start: Micros,
    /// Its id.
    pub sid: String,
}

impl CallPlace {
    /// The place of a booked call.
    #[must_use]
    pub fn of(row: &LogRow) -> Self {
        Self { start: row.start, sid: row.call_sid.clone() }
    }

    /// The place as a text: `1795727700000000.CA…`.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}.{}", self.start, self.sid)
    }

    /// Reads such a text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (start, sid) = text.split_once('.')?;
        Some(Self { start: start.parse().ok()?, sid: sid.to_owned() })
    }
}

/// A row group of a day.
struct GroupOfDay<'a> {
    run: usize,
    path: &'a Path,
    footer: usize,
    number: usize,
    rows: Range<usize>,
    /// Its first and its last start; all times where its statistics have none.
    starts: (Micros, Micros),
}

/// The column of starts.
const START: [(&str, ColumnType); 1] = [("start_time", ColumnType::Instant)];
/// Candidates that are read at once.
const READ: usize = 256;
/// The most row groups of the log that are searched for parties at a time: two nights of a million
/// calls, in some 130 ms of CPU. Nobody waits for the search of a year; it goes on where it
/// stopped.
const SEARCHED: usize = 32;
/// The most row groups that are searched for an account at a time: a week of such nights.
const SEARCHED_FOR_ACCOUNTS: usize = 128;

/// The families found.
#[derive(Debug, Default)]
pub struct FoundNewest {
    /// The calls, the newest first.
    pub rows: Vec<LogRow>,
    /// They, by the place where they stand in the log.
    pub places: BTreeMap<LogPlace, LogRow>,
    /// The time before which nothing was looked at, if the search stopped early.
    pub stopped_at: Option<Micros>,
}

/// The newest wanted calls, the newest first; at least `most`, if there are so many and the search
/// did not stop early. A family with two wanted calls is there twice.
///
/// # Errors
/// If a file cannot be read, or is not as it was written.
pub fn newest(
    history: &History,
    wanted: &Wanted,
    before: Option<&CallPlace>,
    most: usize,
) -> Result<FoundNewest, LedgerError> {
    let mut wanted = wanted.clone();
    if let Some(before) = before {
        let all = wanted.times.unwrap_or(Micros::MIN..Micros::MAX);
        wanted.times = Some(all.start..all.end.min(before.start.saturating_add(1)));
    }
    let needles = Needles::of(wanted.parties.iter().flat_map(|(_, who)| who.needles()));
    let columns = wanted.columns();
    let is = |text: &str| wanted.parties.iter().any(|(_, who)| who.is(text));
    let mut found: BTreeMap<Reverse<CallPlace>, (LogPlace, LogRow)> = BTreeMap::new();
    let mut searched = 0;
    let mut stopped_at = None;
    for (day, files) in days(history, wanted.times.as_ref()).into_iter().rev() {
        if found.len() >= most {
            break;
        }
        let most_searched = if columns.is_empty() { SEARCHED_FOR_ACCOUNTS } else { SEARCHED };
        if searched >= most_searched {
            stopped_at = Some((day + 1) * DAY);
            break;
        }
        let mut footers = Vec::new();
        for (run, path) in &files {
            history.runs[*run].check_before_read(path)?;
            footers.push(Footer::of(path)?);
        }
        let groups = groups_of(&files, &footers, &wanted);
        // The pages are searched side by side.
        let holding: Vec<FoundRows<'_>> = if columns.is_empty() {
            searched += if wanted.accounts.is_empty() { 0 } else { groups.len() };
            groups.iter().map(|_| FoundRows::default()).collect()
        } else {
            searched += groups.len();
            let of = |group: &GroupOfDay<'_>| {
                footers[group.footer].rows_with(group.number, &columns, &needles, &is)
            };
            groups.par_iter().map(of).collect::<Result<_, LedgerError>>()?
        };
        for (group, holding) in groups.iter().zip(&holding) {
            let is_older =
                |(Reverse(place), _): (&Reverse<CallPlace>, _)| place.start > group.starts.1;
            if most == 0 || found.iter().nth(most - 1).is_some_and(is_older) {
                break;
            }
            let footer = &footers[group.footer];
            if *holding == FoundRows::default() && !columns.is_empty() {
                continue;
            }
            let file = (footer, group.path);
            let rows = candidates(file, group.rows.clone(), holding, &wanted)?;
            // Rows of a group ascend by start and id: what stands before enough of them is older.
            let mut own = 0;
            for chunk in rows.rchunks(READ.min(most.saturating_mul(2).max(16))) {
                // Of a chunk that is older than enough of those that were found, one start is read.
                let worst = found.iter().nth(most - 1).map(|(Reverse(place), _)| place.start);
                if let (Some(worst), Some(newest)) = (worst, chunk.last())
                    && start_of(file, group, *newest)?.is_some_and(|start| start < worst)
                {
                    break;
                }
                let read = find::rows_at(footer, group.path, chunk)?;
                for (at, row) in chunk.iter().zip(read) {
                    let place = CallPlace::of(&row);
                    let is_before = before.is_none_or(|before| place < *before);
                    if is_before && wanted.takes(&row) && wanted.has_any(&row) {
                        own += 1;
                        found.insert(Reverse(place), ((group.run, day, *at), row));
                    }
                }
                if own >= most {
                    break;
                }
            }
        }
    }
    let places = found.values().cloned().collect();
    let rows = found.into_values().map(|(_, row)| row).collect();
    Ok(FoundNewest { rows, places, stopped_at })
}

/// The start of a row of a group; `None` if it is not gathered.
fn start_of(
    (footer, path): (&Footer<'_>, &Path),
    group: &GroupOfDay<'_>,
    row: usize,
) -> Result<Option<Micros>, LedgerError> {
    let own = row - group.rows.start;
    let Some(found) = footer.gathered(&START, group.number, &[own])? else { return Ok(None) };
    Ok(Rows::new(path, row, &found).longs(["start_time"])?.optional(0)[0])
}

/// The row groups of a day that may hold a wanted call, by their last start, the newest first.
fn groups_of<'a>(
    files: &'a [(usize, std::path::PathBuf)],
    footers: &[Footer<'_>],
    wanted: &Wanted,
) -> Vec<GroupOfDay<'a>> {
    let mut groups = Vec::new();
    for (place, ((run, path), footer)) in files.iter().zip(footers).enumerate() {
        let mut first = 0;
        for (number, group) in footer.groups().into_iter().enumerate() {
            let rows = first..first + group.rows;
            first = rows.end;
            let starts = group
                .starts
                .map_or((Micros::MIN, Micros::MAX), |starts| (*starts.start(), *starts.end()));
            let overlaps = |times: &Range<Micros>| starts.0 < times.end && times.start <= starts.1;
            if wanted.times.as_ref().is_none_or(overlaps) {
                groups.push(GroupOfDay { run: *run, path, footer: place, number, rows, starts });
            }
        }
    }
    groups.sort_by_key(|group| Reverse(group.starts.1));
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_its_text() {
        let place = CallPlace { start: -7, sid: "CA.1".to_owned() };
        assert_eq!(CallPlace::parse(&place.text()), Some(place));
        for bad in ["", "1", "x.CA1", "1795727700000000"] {
            assert_eq!(CallPlace::parse(bad), None, "{bad}");
        }
    }
}
