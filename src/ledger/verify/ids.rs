//! Checks that every id occurs once, and that each points to its call.

use super::part::wrong;
use crate::inputs::file::FileError;
use crate::ledger::error::LedgerError;
use crate::ledger::history::History;
use crate::ledger::index::ids::{CHILDREN, ChildFile, ChildRow, IdFile};
use crate::ledger::manifest::{Replaced, RunKind};
use crate::ledger::place::Dataset;
use crate::ledger::run::Run;
use crate::sid::Sid;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::path::PathBuf;

/// Checks that the ids of a run are those of its log, each with its place.
pub(crate) fn are_of_the_log(
    run: &Run,
    mut found: Vec<(Sid, i32, u32)>,
) -> Result<(), LedgerError> {
    found.sort_unstable();
    let mut stored = Vec::with_capacity(found.len());
    if run.has_ids() {
        let mut file = IdFile::open(&run.folder)?;
        for range in file.ranges() {
            stored.extend(
                file.rows(range)?
                    .into_iter()
                    .filter_map(|id| id.place.map(|(day, row)| (id.sid, day, row))),
            );
        }
    }
    if stored == found {
        return Ok(());
    }
    Err(wrong(
        &run.folder.join(Dataset::Ids.as_str()),
        "the ids are not those of the run's call log",
    ))
}

/// Checks that the children of a run are those of its log, each under its root. (Runs older than
/// the file of children have none.)
pub(crate) fn children_are_of_the_log(
    run: &Run,
    mut found: Vec<ChildRow>,
) -> Result<(), LedgerError> {
    found.sort_unstable();
    if !run.has_children_file() || ChildFile::open(&run.folder)?.all()? == found {
        return Ok(());
    }
    Err(wrong(&run.folder.join(CHILDREN), "the children are not those of the run's call log"))
}

/// Checks that no call is booked twice: merges the sorted ids of all runs, a slice of each in
/// memory.
pub(crate) fn each_once(history: &History) -> Result<(), LedgerError> {
    let mut cursors: Vec<Cursor> = Vec::new();
    for run in history.runs.iter().filter(|run| run.has_ids()) {
        cursors.push(Cursor::open(run)?);
    }
    let mut heap = BinaryHeap::new();
    for (number, cursor) in cursors.iter_mut().enumerate() {
        heap.extend(cursor.next()?.map(|sid| Reverse((sid, number))));
    }
    let mut last: Option<(Sid, usize)> = None;
    while let Some(Reverse((sid, number))) = heap.pop() {
        if let Some((_, other)) = last.filter(|(before, _)| *before == sid)
            && !cursors[number].takes_place_of(sid, &cursors[other])
        {
            let (a, b) = (cursors[other].path.display(), cursors[number].path.display());
            return Err(wrong(
                &cursors[number].path,
                format!("a call is booked twice, in {a} and {b}"),
            ));
        }
        last = Some((sid, number));
        heap.extend(cursors[number].next()?.map(|sid| Reverse((sid, number))));
    }
    Ok(())
}

/// The booked ids of a file, a range at a time. The file is open only while a range is read: there
/// may be more runs than a process may open files.
struct Cursor {
    /// The run's folder.
    path: PathBuf,
    run_id: String,
    replaces: Option<Replaced>,
    /// True if each of its calls takes the place of an earlier version: see
    /// [`super::rerated`].
    rerates: bool,
    slice: std::vec::IntoIter<Sid>,
    ranges: Box<dyn Iterator<Item = Range<u64>>>,
}

impl Cursor {
    fn open(run: &Run) -> Result<Self, FileError> {
        let ranges = Box::new(IdFile::open(&run.folder)?.ranges());
        let (path, run_id) = (run.folder.clone(), run.manifest.run_id.clone());
        let replaces = run.manifest.replaces.clone();
        let rerates = run.manifest.kind == RunKind::Rerate;
        Ok(Self { path, run_id, replaces, rerates, slice: Vec::new().into_iter(), ranges })
    }

    /// True if its version of a call is said to take the place of another run's.
    fn takes_place_of(&self, sid: Sid, other: &Self) -> bool {
        self.rerates
            || self.replaces.as_ref().is_some_and(|replaced| {
                Sid::of(&replaced.call_sid).0 == sid && replaced.run_id == other.run_id
            })
    }

    fn next(&mut self) -> Result<Option<Sid>, FileError> {
        loop {
            if let Some(sid) = self.slice.next() {
                return Ok(Some(sid));
            }
            let Some(range) = self.ranges.next() else { return Ok(None) };
            let booked = IdFile::open(&self.path)?
                .rows(range)?
                .into_iter()
                .filter(|id| id.place.is_some())
                .map(|id| id.sid);
            self.slice = booked.collect::<Vec<_>>().into_iter();
        }
    }
}
