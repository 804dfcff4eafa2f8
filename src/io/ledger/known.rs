//! What tonight must know of earlier nights: which of its ids are booked or ignored, and who the parents are.
//!
//! ```text
//! tonight's ids ──▶ ids of each run (sorted) ──▶ places: run, day, row
//!                                                  └─▶ parents only: rows of the log of those days
//! ```
//!
//! **Invariant:** the answer is exact, whatever the dates of a copy or a parent. The cost of a night is its own ids, the
//! days that its parents lie on, and 16 bytes for each call of the last [`KNOWN_DAYS`] days, read in one sweep.
//!
//! # Why
//! A copy has the date of its original and a parent starts shortly before its child, so the dates of a night would nearly
//! do. Nearly: another version of a call may name another day, and would be booked a second time. A sorted sweep of ids
//! is exact and costs a hundredth of the night, up to millions of calls; a B-tree of ids costs more to keep up than the
//! whole night does.

use super::frames::IdRow;
use super::read::{frame, longs, text, units};
use super::{Dataset, History, LedgerError, Run};
use crate::call::{Calls, DirectionField, PartyRef, Sid};
use crate::family::{BookedCall, BookedParent, Earlier, RootFacts};
use crate::io::FileError;
use crate::party::Party;
use crate::time::{self, DAY, Micros};
use polars::prelude::{DataFrame, LazyFrame, PlRefPath, ScanArgsParquet, col, lit};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// For so many days before the newest call a copy is known whatever date it names. An older call is known as long as
/// its copy names a date on which its run booked calls.
pub const KNOWN_DAYS: i64 = 400;

/// A call that a run booked or ignored.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Index of the run in [`History::runs`].
    pub run: usize,
    /// What is kept beside the id.
    pub id: IdRow,
}

impl Run {
    /// The UTC days of its booked calls, first and last.
    fn days(&self) -> Option<RangeInclusive<i64>> {
        let files = self.files(Dataset::Calls);
        let mut days = files.iter().filter_map(|path| day_of_file(path));
        let first = days.next()?;
        Some(first..=days.next_back().unwrap_or(first))
    }

    /// The file of a dataset for a UTC day.
    #[must_use]
    pub fn file_of_day(&self, dataset: Dataset, day: i64) -> PathBuf {
        self.folder.join(dataset.as_str()).join(format!("date={}", time::date_text(day * DAY))).join("part-0.parquet")
    }
}

/// The UTC day that a file of a dataset by date holds.
pub fn day_of_file(path: &Path) -> Option<i64> {
    let folder = path.parent()?.file_name()?.to_str()?;
    let date = folder.strip_prefix("date=")?;
    time::parse_date_or_instant(date).map(time::day)
}

/// Where the runs have these ids, oldest run first. `days` are those that tonight's records name.
fn places(history: &History, wanted: &[Sid], days: &BTreeSet<i64>) -> Result<Vec<Place>, LedgerError> {
    debug_assert!(wanted.is_sorted(), "ids are looked for in one sweep");
    let oldest = history.newest_start().map_or(i64::MIN, |newest| time::day(newest) - KNOWN_DAYS);
    let is_near = |run: &Run| run.days().is_none_or(|range| *range.end() >= oldest || days.range(range).next().is_some());
    let found: Vec<Vec<Place>> = (0..history.runs.len())
        .into_par_iter()
        .filter(|run| is_near(&history.runs[*run]))
        .map(|run| Ok(ids_in(&history.runs[run], wanted)?.into_iter().map(|id| Place { run, id }).collect()))
        .collect::<Result<_, LedgerError>>()?;
    Ok(found.into_iter().flatten().collect())
}

/// Those of the wanted ids, sorted, that a run has.
///
/// # Errors
/// If a file cannot be read.
pub fn ids_in(run: &Run, wanted: &[Sid]) -> Result<Vec<IdRow>, LedgerError> {
    let mut found = Vec::new();
    if wanted.is_empty() {
        return Ok(found);
    }
    for path in run.files(Dataset::Ids) {
        found.extend(match wanted {
            [one] => read_ids(&narrowed(&path, *one)?)?.into_iter().filter(|row| row.sid == *one).collect(),
            _ => sweep(&path, wanted)?,
        });
    }
    Ok(found)
}

/// The ids of the groups in which one may stand.
fn narrowed(path: &Path, sid: Sid) -> Result<DataFrame, LedgerError> {
    let high = sid.halves().0;
    let scan = || {
        let args = ScanArgsParquet { glob: false, ..ScanArgsParquet::default() };
        LazyFrame::scan_parquet(PlRefPath::new(path.display().to_string()), args)?.filter(col("sid_high").eq(lit(high))).collect()
    };
    Ok(crate::io::guarded(path, scan).map_err(|e| e.hint(super::RESTORE))?)
}

/// The wanted ids of a file, both sorted: the ids alone are read first, the rest only if one is found.
fn sweep(path: &Path, wanted: &[Sid]) -> Result<Vec<IdRow>, LedgerError> {
    let sids = sids_of(&frame(path, &["sid_high", "sid_low"])?);
    let mut at = 0;
    let mut found = Vec::new();
    for (row, sid) in sids.into_iter().enumerate() {
        while at < wanted.len() && wanted[at] < sid {
            at += 1;
        }
        if at == wanted.len() {
            break;
        }
        if wanted[at] == sid {
            found.push(row);
        }
    }
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let rows = read_ids(&frame(path, &[])?)?;
    Ok(found.into_iter().filter_map(|row| rows.get(row).copied()).collect())
}

/// The ids of a frame of them, in its order.
#[must_use]
pub fn sids_of(frame: &DataFrame) -> Vec<Sid> {
    let [high, low] = ["sid_high", "sid_low"].map(|name| longs(frame, name));
    high.into_iter().zip(low).map(|(high, low)| Sid::of_halves((high.unwrap_or_default(), low.unwrap_or_default()))).collect()
}

/// The rows of a frame of ids.
///
/// # Errors
/// None today; a column that is missing is a bug.
pub fn read_ids(frame: &DataFrame) -> Result<Vec<IdRow>, LedgerError> {
    let [content, price, day, row] = ["content", "carrier_price", "day", "row"].map(|name| longs(frame, name));
    let place = |at: usize| Some((i32::try_from(day[at]?).ok()?, u32::try_from(row[at]?).ok()?));
    let rows = sids_of(frame).into_iter().enumerate().map(|(at, sid)| IdRow {
        sid,
        content: u64::from_ne_bytes(content[at].unwrap_or_default().to_ne_bytes()),
        price: price[at],
        place: place(at),
    });
    Ok(rows.collect())
}

/// Where one call is booked.
///
/// # Errors
/// If a file cannot be read.
pub fn find_call(history: &History, sid: &str) -> Result<Option<Place>, LedgerError> {
    let every_day = history.runs.iter().filter_map(Run::days).flat_map(|days| [*days.start(), *days.end()]).collect();
    let found = places(history, &[Sid::of(sid).0], &every_day)?;
    Ok(found.into_iter().find(|place| place.id.place.is_some()))
}

/// What the ledger knows of tonight's ids and their parents, and the runs that it knows it from. Texts go to the columns
/// of tonight's calls.
///
/// # Errors
/// If a file cannot be read.
pub fn earlier(history: &History, calls: &mut Calls) -> Result<(Earlier, Vec<String>), LedgerError> {
    if history.runs.is_empty() {
        return Ok((Earlier::default(), Vec::new()));
    }
    let parents: HashSet<Sid> = calls.children.iter().map(|child| child.parent).collect();
    let mut wanted: Vec<Sid> = calls.sid.iter().copied().chain(parents.iter().copied()).filter(|sid| !sid.is_empty()).collect();
    wanted.par_sort_unstable();
    wanted.dedup();
    let days = calls.start.iter().map(|start| time::day(*start)).collect();
    let places = places(history, &wanted, &days)?;
    let mut runs: BTreeSet<usize> = places.iter().map(|place| place.run).collect();
    let booked = places.iter().filter(|place| place.id.place.is_some());
    let mut known: BTreeMap<Sid, BookedCall> =
        booked.map(|Place { id, .. }| (id.sid, BookedCall { sid: id.sid, content: id.content, price: id.price })).collect();
    add_late_prices(history, &places, &mut known, &mut runs)?;
    let parent_places: Vec<Place> =
        places.iter().filter(|place| place.id.place.is_some() && parents.contains(&place.id.sid)).copied().collect();
    let booked_parents = booked_parents(history, &parent_places, &days, calls, &mut runs)?;
    let ignored = places.iter().filter(|place| place.id.place.is_none()).map(|place| place.id.sid).collect();
    let mut earlier = Earlier::new(known.into_values().collect(), booked_parents);
    earlier.ignored = ignored;
    earlier.closed = closed(&history.runs)?;
    earlier.newest_start = history.newest_start();
    let names = runs.into_iter().map(|run| history.runs[run].manifest.run_id.clone()).collect();
    Ok((earlier, names))
}

/// Prices that came after their call was booked: only of the days and the calls that tonight has again.
fn add_late_prices(
    history: &History,
    places: &[Place],
    known: &mut BTreeMap<Sid, BookedCall>,
    runs: &mut BTreeSet<usize>,
) -> Result<(), LedgerError> {
    let days: BTreeSet<i64> = places.iter().filter_map(|place| Some(i64::from(place.id.place?.0))).collect();
    for (number, run) in history.runs.iter().enumerate() {
        for path in run.files(Dataset::Prices) {
            if !day_of_file(&path).is_some_and(|day| days.contains(&day)) {
                continue;
            }
            for (sid, price) in late_prices(&path)? {
                if let Some(call) = known.get_mut(&Sid::of(&sid).0) {
                    call.price = Some(price);
                    runs.insert(number);
                }
            }
        }
    }
    Ok(())
}

/// The late prices of a file, by call.
///
/// # Errors
/// If it cannot be read.
pub fn late_prices(path: &Path) -> Result<Vec<(String, i64)>, LedgerError> {
    let frame = frame(path, &[])?;
    let prices = units(&frame, "carrier_price").into_iter().map(|price| price.and_then(|p| i64::try_from(p).ok()));
    let rows = text(&frame, "call_sid").iter().zip(prices);
    Ok(rows.filter_map(|(sid, price)| Some((sid?.to_owned(), price?))).collect())
}

/// Records that were written off: id and fingerprint.
fn closed(runs: &[Run]) -> Result<HashSet<(Sid, u64)>, LedgerError> {
    let mut closed = HashSet::new();
    for path in runs.iter().flat_map(|run| run.files(Dataset::Closed)) {
        let frame = frame(&path, &["call_sid", "content"])?;
        let contents = longs(&frame, "content").into_iter().map(|c| u64::from_ne_bytes(c.unwrap_or_default().to_ne_bytes()));
        closed.extend(text(&frame, "call_sid").iter().map(|sid| Sid::of(sid.unwrap_or_default()).0).zip(contents));
    }
    Ok(closed)
}

/// A row of the log as a parent.
#[derive(Debug, Clone, Copy)]
struct LoggedParent {
    sid: Sid,
    /// Its root; empty if it is one itself.
    root: Sid,
    account: u32,
    trunk: u32,
    start: Micros,
    direction: DirectionField,
    from: PartyRef,
    to: PartyRef,
}

impl LoggedParent {
    /// What a root gives to its descendants.
    fn root_facts(&self) -> Option<RootFacts> {
        Some(RootFacts { sid: self.sid, direction: self.direction.side()?, a: self.from, b: self.to, trunk: self.trunk })
    }
}

fn booked_parents(
    history: &History,
    places: &[Place],
    days: &BTreeSet<i64>,
    calls: &mut Calls,
    runs: &mut BTreeSet<usize>,
) -> Result<Vec<BookedParent>, LedgerError> {
    let parents = logged_parents(history, places, calls)?;
    // A booked child gives its root's facts to its own children; the log names the root as its parent.
    let mut roots: Vec<Sid> =
        parents.values().map(|call| call.root).filter(|root| !root.is_empty() && !parents.contains_key(root)).collect();
    roots.sort_unstable();
    roots.dedup();
    let mut root_places = self::places(history, &roots, days)?;
    root_places.retain(|place| place.id.place.is_some());
    runs.extend(root_places.iter().map(|place| place.run));
    let roots = logged_parents(history, &root_places, calls)?;
    let parent = |call: &LoggedParent| {
        let root = if call.root.is_empty() { Some(call) } else { parents.get(&call.root).or_else(|| roots.get(&call.root)) };
        let Some(root) = root.and_then(LoggedParent::root_facts) else {
            let sid = calls.odd_sids.text(call.sid);
            return Err(LedgerError::Unbalanced(format!("the ledger has the call {sid} without its root")));
        };
        Ok(BookedParent { sid: call.sid, account: call.account, start: call.start, is_child: !call.root.is_empty(), root })
    };
    parents.values().map(parent).collect()
}

/// Rows of the log, each of a run's days read once.
fn logged_parents(history: &History, places: &[Place], calls: &mut Calls) -> Result<HashMap<Sid, LoggedParent>, LedgerError> {
    let mut by_part: BTreeMap<(usize, i32), Vec<(u32, Sid)>> = BTreeMap::new();
    for Place { run, id } in places {
        if let Some((day, row)) = id.place {
            by_part.entry((*run, day)).or_default().push((row, id.sid));
        }
    }
    let mut parents = HashMap::new();
    for ((run, day), rows) in by_part {
        let path = history.runs[run].file_of_day(Dataset::Calls, i64::from(day));
        let columns = ["parent_call_sid", "account_sid", "trunk_sid", "direction", "from", "to"];
        let frame = frame(&path, &[&columns[..], &["start_time"]].concat())?;
        let texts = columns.map(|name| text(&frame, name));
        let start = longs(&frame, "start_time");
        for (row, sid) in rows {
            if row as usize >= frame.height() {
                return Err(FileError::new(&path, format!("has no row {row}, which the ids name")).hint(super::RESTORE).into());
            }
            let [root, account, trunk, direction, from, to] = texts.map(|column| column.get(row as usize).unwrap_or_default());
            // Only a root's parties are asked for.
            let [from, to] = [from, to].map(|text| if root.is_empty() { text } else { "" });
            let parent = LoggedParent {
                sid,
                root: if root.is_empty() { Sid::EMPTY } else { calls.odd_sids.sid(root) },
                account: calls.accounts.id(account),
                trunk: calls.trunks.id(trunk),
                start: start.get(row as usize).copied().flatten().unwrap_or_default(),
                direction: DirectionField::parse(direction),
                from: PartyRef::pack(&Party::of_root(from), &mut calls.parties),
                to: PartyRef::pack(&Party::of_root(to), &mut calls.parties),
            };
            parents.insert(sid, parent);
        }
    }
    Ok(parents)
}
