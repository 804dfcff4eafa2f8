//! Looks up in earlier nights: which of tonight's ids are booked or ignored, and the parents of
//! tonight's children.
//!
//! ```text
//! tonight's ids ──▶ ids of each run (sorted) ──▶ places: run, day, row
//!                                                  └─▶ parents only: rows of the log of those days
//! ```
//!
//! **Invariant:** the answer depends neither on how records were split into nights, nor on any
//! date. The cost of a night is its own ids, the days on which its parents started, and one sweep
//! over the ids of earlier runs: 16 bytes a call, 4 in a volume, hashed before they are trusted.
//!
//! # Why
//! A copy has the date of its original and a parent starts shortly before its child, so it would
//! nearly suffice to look at the dates of a night. But a conflicting version of a call may have
//! another date, and would be booked a second time. A sorted sweep of ids is exact, and thirty
//! nights of ids cost a twentieth of a night (measured); a B-tree of ids costs more to maintain
//! than the whole night. Runs that are older than some weeks stand in volumes
//! ([`super::volumes`]), which have 4 bytes a call and say which runs are to be asked.

use super::ids::{CHILDREN, IDS, IdFile, IdRow, REST};
use crate::call::Calls;
use crate::family::{BookedCall, BookedParent, BookedVersion, Earlier, RootFacts};
use crate::inputs::file::FileError;
use crate::ledger::error::{LedgerError, RESTORE};
use crate::ledger::history::History;
use crate::ledger::index::lookup::{Closed, Retried, TonightLookup};
use crate::ledger::index::volumes::{MayHave, where_to_look};
use crate::ledger::manifest::RunKind;
use crate::ledger::place::Dataset;
use crate::ledger::place::day_of_file;
use crate::ledger::run::Run;
use crate::ledger::tables::columns::{self, ROWS};
use crate::ledger::tables::file::slice;
use crate::ledger::tables::late_price;
use crate::ledger::tables::stored::Rows;
use crate::ledger::tables::suspense::KeptParent;
use crate::ledger::tables::typed::stored_row;
use crate::packed::SharedTexts;
use crate::party::Party;
use crate::party_ref::PartyRef;
use crate::sid::Sid;
use crate::status::DirectionField;
use crate::status::Status;
use crate::time::{self, DAY, Micros};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::PathBuf;

/// A call that a run booked or ignored.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Index of the run in [`History::runs`].
    pub run: usize,
    /// Its row among the run's ids.
    pub id: IdRow,
}

impl Run {
    /// True if it booked or ignored any call.
    #[must_use]
    pub fn has_ids(&self) -> bool {
        self.head.has_ids
    }

    /// True if it has a file of children; runs older than that file have none.
    #[must_use]
    pub fn has_children_file(&self) -> bool {
        self.manifest.files.iter().any(|file| file.path == CHILDREN)
    }

    /// The file of a dataset for a UTC day.
    #[must_use]
    pub fn file_of_day(&self, dataset: Dataset, day: i64) -> PathBuf {
        self.folder
            .join(dataset.as_str())
            .join(format!("date={}", time::date_text(day * DAY)))
            .join("part-0.parquet")
    }
}

/// The places of these ids, sorted, in the runs; oldest run first.
fn places(history: &History, wanted: &[Sid]) -> Result<Vec<Place>, LedgerError> {
    assert!(wanted.is_sorted(), "ids are looked for in one sweep");
    let found: Vec<Vec<Place>> = where_to_look(history, wanted)?
        .into_par_iter()
        .enumerate()
        .map(|(number, may_have)| {
            let run = &history.runs[number];
            let wanted = match &may_have {
                MayHave::All => wanted,
                MayHave::Some(sids) if sids.is_empty() => return Ok(Vec::new()),
                MayHave::Some(sids) => sids,
            };
            // An id hidden by a broken disk would be booked again: the file is hashed before it is
            // trusted.
            run.check_files(IDS)?;
            let found = ids_in(run, wanted)?;
            if !found.is_empty() {
                run.check_files(REST)?;
            }
            Ok(found.into_iter().map(|id| Place { run: number, id }).collect())
        })
        .collect::<Result<_, LedgerError>>()?;
    Ok(found.into_iter().flatten().collect())
}

/// The booked calls among the wanted ids, which are sorted. (The files were hashed when the night
/// was settled: [`earlier`].)
///
/// # Errors
/// If a file cannot be read.
pub fn booked_among(history: &History, wanted: &[Sid]) -> Result<HashSet<Sid>, LedgerError> {
    let mut booked = HashSet::new();
    for run in &history.runs {
        booked.extend(
            ids_in(run, wanted)?.into_iter().filter(|id| id.place.is_some()).map(|id| id.sid),
        );
    }
    Ok(booked)
}

/// The rows of a run for the wanted ids, which are sorted.
///
/// # Errors
/// If a file cannot be read.
pub fn ids_in(run: &Run, wanted: &[Sid]) -> Result<Vec<IdRow>, LedgerError> {
    let mut found = Vec::new();
    if wanted.is_empty() {
        return Ok(found);
    }
    if run.has_ids() {
        found = IdFile::open(&run.folder)?.find_all(wanted)?;
    }
    Ok(found)
}

/// The place of one booked call: of several versions that of the one that counts.
///
/// # Errors
/// If a file cannot be read.
pub fn find_call(history: &History, sid: &str) -> Result<Option<Place>, LedgerError> {
    find_where(history, sid, |_| true)
}

/// The place of one booked call in the run that made it of a record: not in one that rated it
/// again.
///
/// # Errors
/// If a file cannot be read.
pub fn find_recorded(history: &History, sid: &str) -> Result<Option<Place>, LedgerError> {
    find_where(history, sid, |run| run.manifest.kind != RunKind::Rerate)
}

/// The runs that have a version of a call, by their places, the oldest first.
///
/// # Errors
/// If a file cannot be read.
pub fn runs_with(history: &History, sid: &str) -> Result<Vec<usize>, LedgerError> {
    let mut found = Vec::new();
    for (number, run) in history.runs.iter().enumerate() {
        if ids_in(run, &[Sid::of(sid).0])?.iter().any(|id| id.place.is_some()) {
            found.push(number);
        }
    }
    Ok(found)
}

fn find_where(
    history: &History,
    sid: &str,
    is_asked: impl Fn(&Run) -> bool,
) -> Result<Option<Place>, LedgerError> {
    for (number, run) in history.runs.iter().enumerate().rev().filter(|(_, run)| is_asked(run)) {
        let found = if run.has_ids() {
            IdFile::open(&run.folder)?.find(Sid::of(sid).0)?
        } else {
            Vec::new()
        };
        if let Some(id) = found.into_iter().find(|id| id.place.is_some()) {
            return Ok(Some(Place { run: number, id }));
        }
    }
    Ok(None)
}

/// The ledger's knowledge of tonight's ids and their parents. The runs that it comes from are added
/// to `runs`, and texts to `texts`, which all partitions share.
///
/// # Errors
/// If a file cannot be read.
pub fn earlier(
    history: &History,
    tonight: TonightLookup<'_>,
    waited: &mut Retried,
    texts: &mut SharedTexts,
    runs: &mut BTreeSet<usize>,
) -> Result<Earlier, LedgerError> {
    if history.runs.is_empty() {
        return Ok(Earlier::default());
    }
    let ids_of = |calls: &Calls| -> Vec<Sid> {
        calls
            .sid
            .iter()
            .copied()
            .chain(calls.children.iter().map(|child| child.parent))
            .filter(|sid| !sid.is_empty())
            .collect()
    };
    let mut wanted: Vec<Sid> = tonight.ask(ids_of)?.concat();
    let kept = match &mut waited.parents {
        Some(kept) => kept,
        none => {
            // This run depends on the runs of the roots; finding them once is enough.
            let roots = waited.kept.values().map(|(_, kept)| Sid::of(&kept.root_sid).0);
            wanted.extend(roots.filter(|sid| !sid.is_empty()));
            none.insert(kept_parents(texts, &waited.kept))
        }
    };
    let mut parents = kept.clone();
    wanted.par_sort_unstable();
    wanted.dedup();
    let places = places(history, &wanted)?;
    drop(wanted);
    let rates = |place: &&Place| history.runs[place.run].manifest.kind != RunKind::Rerate;
    // A run that rated calls again knows nothing of them that the run before does not.
    runs.extend(places.iter().filter(rates).map(|place| place.run));
    let (booked, ignored): (Vec<Place>, Vec<Place>) =
        places.into_iter().partition(|place| place.id.place.is_some());
    let (mut booked, replaced) = that_count(booked);
    if let Some(sid) = waited.replaces {
        booked.remove(&sid);
    }
    let call = |id: IdRow| BookedCall { sid: id.sid, content: id.content, price: id.price };
    let mut known: BTreeMap<Sid, BookedCall> =
        booked.iter().map(|(sid, place)| (*sid, call(place.id))).collect();
    let versions: BTreeSet<Sid> =
        tonight.ask(|calls| other_versions(calls, &known))?.into_iter().flatten().collect();
    let versions =
        booked_versions(history, versions.iter().filter_map(|sid| booked.get(sid)), texts)?;
    let asked = tonight.ask(|calls| {
        (dearer_days(calls, &booked, &known, &versions), open_parents(calls, waited, &known))
    })?;
    let days: BTreeSet<i64> = asked.iter().flat_map(|(days, _)| days).copied().collect();
    add_late_prices(history, &days, &mut known, runs)?;
    let open: BTreeSet<Sid> = asked.into_iter().flat_map(|(_, open)| open).collect();
    let places: Vec<Place> = open.iter().filter_map(|sid| booked.get(sid)).copied().collect();
    parents.extend(booked_parents(history, &places, texts, runs)?);
    let ignored = ignored
        .into_iter()
        .map(|place| place.id.sid)
        .filter(|sid| !known.contains_key(sid))
        .collect();
    let mut earlier = Earlier::new(known.into_values().collect(), parents.into_values().collect());
    earlier.ignored = ignored;
    earlier.versions = versions;
    let closed = match &waited.closed {
        Some(closed) => closed,
        None => waited.closed.insert(Closed::read(&history.runs, &waited.policy)?),
    };
    earlier.closed.clone_from(&closed.contents);
    earlier.closed.extend(replaced);
    earlier.chosen.clone_from(&closed.chosen);
    if !closed.records.is_empty() {
        earlier.closed.extend(
            tonight.ask(|calls| closed.lacking(calls, &waited.policy))?.into_iter().flatten(),
        );
    }
    Ok(earlier)
}

/// Booked calls by id, and the fingerprints of versions whose place others took. The runs come in
/// their order, and the last one of a call counts.
fn that_count(places: Vec<Place>) -> (BTreeMap<Sid, Place>, Vec<(Sid, u64)>) {
    let (mut booked, mut replaced) = (BTreeMap::new(), Vec::new());
    for place in places {
        let before = booked.insert(place.id.sid, place);
        let other = before.filter(|before| before.id.content != place.id.content);
        replaced.extend(other.map(|before| (before.id.sid, before.id.content)));
    }
    (booked, replaced)
}

/// True if a record is a copy of a booked call: it ends as a duplicate.
fn is_copy(calls: &Calls, record: usize, known: &BTreeMap<Sid, BookedCall>) -> bool {
    known.get(&calls.sid[record]).is_some_and(|call| call.content == calls.content[record])
}

/// The parents to be read from the log: not those of copies, nor those kept with a suspended child.
fn open_parents(
    calls: &Calls,
    waited: &Retried,
    known: &BTreeMap<Sid, BookedCall>,
) -> BTreeSet<Sid> {
    let kept = |record: usize| waited.is_kept(calls.number[record]);
    let children =
        (0..calls.len()).filter_map(|record| Some((record, calls.child_of(record)?.parent)));
    children
        .filter(|(record, _)| !kept(*record) && !is_copy(calls, *record, known))
        .map(|(_, parent)| parent)
        .collect()
}

/// The parents kept with suspended children.
fn kept_parents(
    texts: &mut SharedTexts,
    waiting: &BTreeMap<u32, (Sid, KeptParent)>,
) -> BTreeMap<Sid, BookedParent> {
    let mut parents = BTreeMap::new();
    for (sid, kept) in waiting.values().filter(|(sid, _)| !sid.is_empty()) {
        let root = kept_root(texts, kept)
            .expect("a kept root has a direction of a trunk: its row was read so");
        let account = texts.accounts.id(&kept.account);
        parents.insert(
            *sid,
            BookedParent { sid: *sid, account, start: kept.start, is_child: kept.is_child, root },
        );
    }
    parents
}

/// The booked calls of which tonight has a record with another content. Only the log tells if that
/// is another version.
fn other_versions(calls: &Calls, known: &BTreeMap<Sid, BookedCall>) -> BTreeSet<Sid> {
    let is_other = |record: &usize| {
        known.get(&calls.sid[*record]).is_some_and(|call| call.content != calls.content[*record])
    };
    (0..calls.len()).filter(is_other).map(|record| calls.sid[record]).collect()
}

/// The root of a suspended child, as it is kept with the child.
#[must_use]
pub fn kept_root(texts: &mut SharedTexts, kept: &KeptParent) -> Option<RootFacts> {
    Some(RootFacts {
        direction: DirectionField::of_word(&kept.root_direction).side()?,
        sid: texts.odd_sids.sid(&kept.root_sid),
        a: PartyRef::pack(&Party::of_root(&kept.root_from), &mut texts.parties),
        b: PartyRef::pack(&Party::of_root(&kept.root_to), &mut texts.parties),
        trunk: texts.trunks.id(&kept.root_trunk),
    })
}

/// The booked calls among some ids, with the facts that their children inherit.
///
/// # Errors
/// If a file cannot be read.
pub fn parents_among(
    history: &History,
    wanted: &BTreeSet<Sid>,
    texts: &mut SharedTexts,
) -> Result<BTreeMap<Sid, BookedParent>, LedgerError> {
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    let wanted: Vec<Sid> = wanted.iter().copied().collect();
    let mut places = places(history, &wanted)?;
    places.retain(|place| place.id.place.is_some());
    booked_parents(history, &places, texts, &mut BTreeSet::new())
}

/// The days of booked calls for which tonight's copies charge more than the log.
fn dearer_days(
    calls: &Calls,
    booked: &BTreeMap<Sid, Place>,
    known: &BTreeMap<Sid, BookedCall>,
    versions: &HashMap<Sid, BookedVersion>,
) -> BTreeSet<i64> {
    let dearer = |record: &usize| {
        let is_copy = |call: &&BookedCall| {
            call.content == calls.content[*record] || versions.contains_key(&call.sid)
        };
        let known = known.get(&calls.sid[*record]).filter(is_copy);
        known.is_some_and(|known| {
            calls.price[*record].charge() > known.price.map(i64::saturating_neg)
        })
    };
    let dearer = (0..calls.len())
        .filter(dearer)
        .filter_map(|record| booked.get(&calls.sid[record])?.id.place);
    dearer.map(|(day, _)| i64::from(day)).collect()
}

/// Adds the late prices of some days: those that came after their call was booked.
fn add_late_prices(
    history: &History,
    days: &BTreeSet<i64>,
    known: &mut BTreeMap<Sid, BookedCall>,
    runs: &mut BTreeSet<usize>,
) -> Result<(), LedgerError> {
    if days.is_empty() {
        return Ok(());
    }
    for (number, run) in history.runs.iter().enumerate().filter(|(_, run)| run.head.has_prices) {
        for path in run.files(Dataset::Prices) {
            if !day_of_file(&path).is_some_and(|day| days.contains(&day)) {
                continue;
            }
            for (sid, price) in late_price::of_file(&path)? {
                if let Some(call) = known.get_mut(&Sid::of(&sid).0) {
                    call.price = Some(price);
                    runs.insert(number);
                }
            }
        }
    }
    Ok(())
}

/// A row of the log as a parent.
#[derive(Debug, Clone, Copy)]
struct LoggedParent {
    sid: Sid,
    /// Its root; empty if it is a root itself.
    root: Sid,
    account: u32,
    trunk: u32,
    start: Micros,
    direction: DirectionField,
    from: PartyRef,
    to: PartyRef,
}

impl LoggedParent {
    /// The facts that descendants inherit from a root.
    fn root_facts(&self) -> Option<RootFacts> {
        Some(RootFacts {
            sid: self.sid,
            direction: self.direction.side()?,
            a: self.from,
            b: self.to,
            trunk: self.trunk,
        })
    }
}

fn booked_parents(
    history: &History,
    places: &[Place],
    texts: &mut SharedTexts,
    runs: &mut BTreeSet<usize>,
) -> Result<BTreeMap<Sid, BookedParent>, LedgerError> {
    let parents = logged_parents(history, places, texts)?;
    // A booked child passes its root's facts on to its own children; the log names the root as its
    // parent.
    let mut roots: Vec<Sid> = parents
        .values()
        .map(|call| call.root)
        .filter(|root| !root.is_empty() && !parents.contains_key(root))
        .collect();
    roots.sort_unstable();
    roots.dedup();
    let mut root_places = self::places(history, &roots)?;
    root_places.retain(|place| place.id.place.is_some());
    let rates = |place: &&Place| history.runs[place.run].manifest.kind != RunKind::Rerate;
    runs.extend(root_places.iter().filter(rates).map(|place| place.run));
    let roots = logged_parents(history, &root_places, texts)?;
    let parent = |call: &LoggedParent| {
        let root = if call.root.is_empty() {
            Some(call)
        } else {
            parents.get(&call.root).or_else(|| roots.get(&call.root))
        };
        let Some(root) = root.and_then(LoggedParent::root_facts) else {
            let sid = texts.odd_sids.text(call.sid);
            return Err(LedgerError::Unbalanced(format!(
                "the ledger has the call {sid} without its root"
            )));
        };
        let is_child = !call.root.is_empty();
        Ok((
            call.sid,
            BookedParent {
                sid: call.sid,
                account: call.account,
                start: call.start,
                is_child,
                root,
            },
        ))
    };
    parents.values().map(parent).collect()
}

/// Rows of the log as parents.
fn logged_parents(
    history: &History,
    places: &[Place],
    texts: &mut SharedTexts,
) -> Result<HashMap<Sid, LoggedParent>, LedgerError> {
    let mut parents = HashMap::new();
    each_logged(history, places.iter(), ParentRow::COLUMNS, |logged, rows| {
        add_parents(logged, rows, texts, &mut parents)
    })?;
    Ok(parents)
}

/// Rows of the log as versions of their calls.
fn booked_versions<'a>(
    history: &History,
    places: impl Iterator<Item = &'a Place>,
    texts: &mut SharedTexts,
) -> Result<HashMap<Sid, BookedVersion>, LedgerError> {
    let mut versions = HashMap::new();
    each_logged(history, places, LoggedCall::COLUMNS, |logged, rows| {
        add_versions(logged, rows, texts, &mut versions)
    })?;
    Ok(versions)
}

/// Reads rows of the log, one row group at a time, and only the row groups that hold a wanted row.
/// `then` receives the wanted row numbers within the group, and the ids of their calls.
fn each_logged<'a>(
    history: &History,
    places: impl Iterator<Item = &'a Place>,
    columns: &[&str],
    mut then: impl FnMut(&Rows<'_>, &[(usize, Sid)]) -> Result<(), LedgerError>,
) -> Result<(), LedgerError> {
    let mut by_group: BTreeMap<(usize, i32, usize), Vec<(usize, Sid)>> = BTreeMap::new();
    for Place { run, id } in places {
        if let Some((day, row)) = id.place {
            let row = row as usize;
            by_group.entry((*run, day, row / ROWS)).or_default().push((row % ROWS, id.sid));
        }
    }
    let mut parts = HashSet::new();
    for ((run, day, group), rows) in by_group {
        let path = history.runs[run].file_of_day(Dataset::Calls, i64::from(day));
        if parts.insert((run, day)) {
            history.runs[run].check_files(&format!(
                "{}/date={}/",
                Dataset::Calls.as_str(),
                time::date_text(i64::from(day) * DAY)
            ))?;
        }
        let frame = slice(&path, columns, group * ROWS, ROWS)?;
        if rows.iter().any(|(row, _)| *row >= frame.height()) {
            return Err(FileError::new(&path, "has fewer rows than the ids of its run say")
                .hint(RESTORE)
                .into());
        }
        then(&Rows::new(&path, group * ROWS, &frame), &rows)?;
    }
    Ok(())
}

stored_row! {
    /// A booked call, as far as another version of it is compared with it.
    struct LoggedCall<'a> of columns::LOG {
        parent_call_sid: &'a str,
        account_sid: &'a str,
        trunk_sid: &'a str,
        direction: &'a str,
        from: &'a str,
        to: &'a str,
        start_time: Micros,
        end_time: Option<Micros>,
        duration_seconds: u32,
        status: &'a str,
    }
}

fn add_versions(
    logged: &Rows<'_>,
    rows: &[(usize, Sid)],
    texts: &mut SharedTexts,
    versions: &mut HashMap<Sid, BookedVersion>,
) -> Result<(), LedgerError> {
    let call_at = LoggedCall::reader(logged)?;
    for (row, sid) in rows {
        let call = call_at(*row)?;
        let parent = call.parent_call_sid;
        let version = BookedVersion {
            parent: if parent.is_empty() { Sid::EMPTY } else { texts.odd_sids.sid(parent) },
            account: texts.accounts.id(call.account_sid),
            trunk: texts.trunks.id(call.trunk_sid),
            direction: DirectionField::of_word(call.direction),
            from: pack_logged(call.from, texts),
            to: pack_logged(call.to, texts),
            start: call.start_time,
            end: call.end_time.unwrap_or(Calls::NO_TIME),
            duration: call.duration_seconds,
            status: Status::parse(call.status),
        };
        versions.insert(*sid, version);
    }
    Ok(())
}

/// A party as the log writes it: a SIP endpoint remains one, even with a number as its user.
fn pack_logged(text: &str, texts: &mut SharedTexts) -> PartyRef {
    if text.starts_with("sip:") || text.starts_with("sips:") {
        return PartyRef::endpoint(texts.parties.id(text));
    }
    PartyRef::pack(&Party::of_root(text), &mut texts.parties)
}

stored_row! {
    /// A booked call, as far as its children need it.
    struct ParentRow<'a> of columns::LOG {
        parent_call_sid: &'a str,
        account_sid: &'a str,
        trunk_sid: &'a str,
        direction: &'a str,
        from: &'a str,
        to: &'a str,
        start_time: Micros,
    }
}

fn add_parents(
    logged: &Rows<'_>,
    rows: &[(usize, Sid)],
    texts: &mut SharedTexts,
    parents: &mut HashMap<Sid, LoggedParent>,
) -> Result<(), LedgerError> {
    let call_at = ParentRow::reader(logged)?;
    for (row, sid) in rows {
        let call = call_at(*row)?;
        let root = call.parent_call_sid;
        // Only a root's parties are needed.
        let [from, to] = [call.from, call.to].map(|text| if root.is_empty() { text } else { "" });
        let parent = LoggedParent {
            sid: *sid,
            root: if root.is_empty() { Sid::EMPTY } else { texts.odd_sids.sid(root) },
            account: texts.accounts.id(call.account_sid),
            trunk: texts.trunks.id(call.trunk_sid),
            start: call.start_time,
            direction: DirectionField::of_word(call.direction),
            from: PartyRef::pack(&Party::of_root(from), &mut texts.parties),
            to: PartyRef::pack(&Party::of_root(to), &mut texts.parties),
        };
        parents.insert(*sid, parent);
    }
    Ok(())
}
