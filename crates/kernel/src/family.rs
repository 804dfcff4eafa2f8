//! Families: groups records into calls, and links each child to its parent.
//!
//! Three questions, in this order:
//! 1. **Ignored?** A root of another direction is no trunk call, nor is any descendant of one.
//! 2. **Which version?** Copies of a `sid` are one call; other content is a conflict; a final
//!    record replaces one that was not final, and one from suspense.
//! 3. **Whose child?** The parent tonight, in an earlier run, or nowhere; with the depth of chains,
//!    and cycles.
//!
//! **Invariant:** no recursion and no quadratic time, whatever the depth of a chain or the width of
//! a family. The answer does not depend on the order of the records, except for the choice of a
//! representative among equal copies. Next: [`crate::night`], which rates the families level by
//! level.

mod version;

use crate::call::{Calls, NONE, PriceRef};
use crate::clock::{InARow, Starts};
use crate::fit::must_fit;
use crate::party_ref::PartyRef;
use crate::radix_sort::{self, SortedPlaces};
use crate::reject::Reason;
use crate::scenario::Direction;
use crate::sid::Sid;
use crate::status::{DirectionField, Status};
use crate::time::Micros;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// The facts that a root call gives to all its descendants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RootFacts {
    /// The root's id.
    pub sid: Sid,
    /// Its direction, which decides the scenario of its children.
    pub direction: Direction,
    /// Its `from`.
    pub a: PartyRef,
    /// Its `to`.
    pub b: PartyRef,
    /// Id of its trunk's text.
    pub trunk: u32,
}

/// A call that an earlier run booked: the facts to recognise a copy of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BookedCall {
    /// Its id.
    pub sid: Sid,
    /// Its fingerprint.
    pub content: u64,
    /// The carrier's price that is known for it ([`crate::money::carrier_price`]).
    pub price: Option<i64>,
}

/// A call that an earlier run booked: the facts to compare another version with it, from its row of
/// the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BookedVersion {
    /// The call that it is logged under; empty for a root.
    pub parent: Sid,
    /// Id of its account's text.
    pub account: u32,
    /// Id of its trunk's text, or its root's.
    pub trunk: u32,
    /// Its direction.
    pub direction: DirectionField,
    /// The party that the log shows as `from`.
    pub from: PartyRef,
    /// The party that the log shows as `to`: a child's target.
    pub to: PartyRef,
    /// Its start.
    pub start: Micros,
    /// Its end, or [`Calls::NO_TIME`].
    pub end: Micros,
    /// Seconds from answer to end.
    pub duration: u32,
    /// Its final status.
    pub status: Status,
}

/// A call that an earlier run booked: the facts that its children need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BookedParent {
    /// Its id.
    pub sid: Sid,
    /// Id of its account's text.
    pub account: u32,
    /// Its start.
    pub start: Micros,
    /// True if it is a child itself.
    pub is_child: bool,
    /// Its root (itself, if it is one).
    pub root: RootFacts,
}

/// Everything that earlier runs know of tonight's ids and their parents.
#[derive(Debug, Clone, Default)]
pub struct Earlier {
    /// Booked calls with an id of tonight, sorted by id.
    calls: Vec<BookedCall>,
    /// Booked parents of tonight's children, sorted by id.
    parents: Vec<BookedParent>,
    /// Ids that were ignored and are booked by no run.
    pub ignored: HashSet<Sid>,
    /// Records that were written off from suspense: id (empty if it has none) and fingerprint.
    pub closed: HashSet<(Sid, u64)>,
    /// The fingerprints of all suspended records without an id, those of other partitions too.
    pub waits: Arc<HashSet<u64>>,
    /// Calls with a version that a person chose.
    pub chosen: HashSet<Sid>,
    /// The log's rows of booked calls that come tonight with other content, by id.
    pub versions: HashMap<Sid, BookedVersion>,
    /// The newest start of all records, tonight and before ([`crate::clock`]); `None` to find it
    /// from tonight's alone.
    pub newest_start: Option<Micros>,
}

impl Earlier {
    /// Collects booked calls and booked parents.
    #[must_use]
    pub fn new(mut calls: Vec<BookedCall>, mut parents: Vec<BookedParent>) -> Self {
        calls.sort_unstable_by_key(|call| call.sid);
        parents.sort_unstable_by_key(|call| call.sid);
        Self { calls, parents, ..Self::default() }
    }

    /// The booked call with an id.
    pub(crate) fn call(&self, sid: Sid) -> Option<u32> {
        self.calls
            .binary_search_by_key(&sid, |call| call.sid)
            .ok()
            .map(|at| must_fit(at, "booked calls are counted in 32 bits"))
    }

    /// The root above a booked call that is a parent tonight.
    fn root_of(&self, sid: Sid) -> Option<Sid> {
        self.parent(sid).map(|parent| self.parent_at(parent).root.sid)
    }

    fn parent(&self, sid: Sid) -> Option<u32> {
        self.parents
            .binary_search_by_key(&sid, |call| call.sid)
            .ok()
            .map(|at| must_fit(at, "parents are counted in 32 bits"))
    }

    /// The booked call at an index of [`Families::late_prices`].
    #[must_use]
    pub fn call_at(&self, index: u32) -> &BookedCall {
        &self.calls[index as usize]
    }

    /// The booked parent at an index that [`Link::Booked`] gave.
    #[must_use]
    pub fn parent_at(&self, index: u32) -> &BookedParent {
        &self.parents[index as usize]
    }
}

/// The state of a record before it is rated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The version of its call that counts: to be rated.
    Taken,
    /// A copy, or replaced by another version.
    Duplicate,
    /// Not a trunk call, or the descendant of one that is not.
    Ignored,
    /// Cannot be billed now.
    Suspended(Reason),
}

/// The place of a child's parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// The record is no child, or was not taken.
    None,
    /// Tonight's record with this index.
    Here(u32),
    /// A call of an earlier run.
    Booked(u32),
    /// One of the versions of the parent, all of which are suspended.
    Suspended(u32),
    /// Not found.
    Missing,
}

/// A price that came after its call was booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LatePrice {
    /// The record that brought it.
    pub record: u32,
    /// The price.
    pub price: PriceRef,
    /// The UTC day on which the call started.
    pub day: i64,
}

/// The families of a night.
#[derive(Debug)]
pub struct Families {
    /// The state of each record.
    pub standing: Vec<Standing>,
    /// For each child (index of [`Calls::children`]) the place of its parent.
    pub link: Vec<Link>,
    /// Children to rate, parents before their children: the records of depth 1, then 2, and so on.
    pub levels: Vec<Vec<u32>>,
    /// Children that are their own ancestor.
    pub cycle: HashSet<u32>,
    /// Records that take their price from another copy: the record, the copy.
    pub priced_copy: BTreeMap<u32, u32>,
    /// Prices that a copy brought for a call of an earlier run, by index in [`Earlier`].
    pub late_prices: BTreeMap<u32, LatePrice>,
    /// The newest start of all records seen, tonight and before.
    pub newest_start: Option<Micros>,
}

/// Joins the records of a night. The first `retried` of them come from suspense; the others are
/// new.
#[must_use]
pub fn join(calls: &Calls, retried: usize, earlier: &Earlier) -> Families {
    calls.check();
    assert!(retried <= calls.len(), "what waited is among the records");
    let index = SidIndex::new(calls);
    let mut families = Families {
        standing: vec![Standing::Taken; calls.len()],
        link: vec![Link::None; calls.children.len()],
        levels: Vec::new(),
        cycle: HashSet::new(),
        priced_copy: BTreeMap::new(),
        late_prices: BTreeMap::new(),
        // From sound records only: an unreadable one must not age the suspense. Ignored ones count,
        // because a child may turn out to be ignored only later.
        newest_start: earlier.newest_start.or_else(|| starts_of(calls).newest(None)),
    };
    families.ignore(calls, &index, earlier);
    families.leave_closed(calls, retried, earlier);
    families.choose_versions(calls, retried, &index, earlier);
    families.link_children(calls, &index, earlier);
    families.order_by_depth(calls);
    families.check(calls);
    families
}

fn starts_of(calls: &Calls) -> Starts {
    let mut starts = Starts::default();
    let sound = |record: &usize| calls.reason[*record].is_none();
    let mut row = InARow::new(&mut starts);
    (0..calls.len()).filter(sound).for_each(|record| row.add(calls.start[record]));
    drop(row);
    starts
}

impl Families {
    /// Asserts that each child that is to be rated is in one level, and nothing else is.
    fn check(&self, calls: &Calls) {
        let in_levels: usize = self.levels.iter().map(Vec::len).sum();
        let is_open_child =
            |record: &u32| calls.child[*record as usize] != NONE && self.is_open(*record);
        assert_eq!(
            in_levels,
            (0..record_count(calls)).filter(is_open_child).count(),
            "each child that was taken is rated once"
        );
        assert_eq!(self.standing.len(), calls.len(), "each record stands somewhere");
        assert_eq!(self.link.len(), calls.children.len(), "each child has a link, or none");
    }

    /// Marks roots of other directions and all their descendants, from parent to child.
    fn ignore(&mut self, calls: &Calls, index: &SidIndex, earlier: &Earlier) {
        let foreign = |record: &u32| {
            let record = *record as usize;
            calls.child[record] == NONE && calls.direction[record] == DirectionField::Other
        };
        let mut todo: Vec<u32> = (0..record_count(calls)).filter(foreign).collect();
        if todo.is_empty() && earlier.ignored.is_empty() {
            return;
        }
        let by_parent = ChildrenByParent::new(calls);
        for (parent, children) in by_parent.groups(calls) {
            if earlier.ignored.contains(&parent) && index.records(parent).is_empty() {
                todo.extend(children);
            }
        }
        while let Some(record) = todo.pop() {
            if self.standing[record as usize] == Standing::Ignored {
                continue;
            }
            self.standing[record as usize] = Standing::Ignored;
            let sid = calls.sid[record as usize];
            let all_ignored =
                index.records(sid).iter().all(|r| self.standing[*r as usize] == Standing::Ignored);
            if !sid.is_empty() && all_ignored && earlier.call(sid).is_none() {
                todo.extend(by_parent.children(calls, sid));
            }
        }
    }

    /// Keeps a record that was written off from coming back with the next export.
    fn leave_closed(&mut self, calls: &Calls, retried: usize, earlier: &Earlier) {
        if earlier.closed.is_empty() {
            return;
        }
        for record in retried..calls.len() {
            if self.standing[record] == Standing::Taken
                && earlier.closed.contains(&(calls.sid[record], calls.content[record]))
            {
                self.standing[record] = Standing::Duplicate;
            }
        }
    }

    fn choose_versions(
        &mut self,
        calls: &Calls,
        retried: usize,
        index: &SidIndex,
        earlier: &Earlier,
    ) {
        for group in index.groups(calls) {
            let sid = calls.sid[group[0] as usize];
            match earlier.call(sid) {
                Some(booked) => self.compare_to_booked(calls, group, booked, earlier),
                // Nearly every call of a night comes once.
                None if group.len() == 1 => self.stand_by_itself(calls, group[0]),
                None => self.choose_version(calls, group, retried, earlier.chosen.contains(&sid)),
            }
        }
        // A record without an id can only be compared as a whole, and only with suspended ones.
        let waiting: HashSet<u64> = (0..retried)
            .filter(|record| calls.sid[*record].is_empty())
            .map(|record| calls.content[record])
            .collect();
        for record in index.without_sid.iter().copied() {
            let content = calls.content[record as usize];
            let waits = waiting.contains(&content) || earlier.waits.contains(&content);
            if record as usize >= retried && waits && self.is_open(record) {
                self.standing[record as usize] = Standing::Duplicate;
            } else {
                self.stand_by_itself(calls, record);
            }
        }
    }

    fn is_open(&self, record: u32) -> bool {
        self.standing[record as usize] == Standing::Taken
    }

    fn stand_by_itself(&mut self, calls: &Calls, record: u32) {
        if self.is_open(record)
            && let Some(reason) = calls.reason[record as usize]
        {
            self.standing[record as usize] = Standing::Suspended(reason);
        }
    }

    /// Compares versions with the call that an earlier run booked: the booked one stays, whatever
    /// comes.
    fn compare_to_booked(&mut self, calls: &Calls, group: &[u32], booked: u32, earlier: &Earlier) {
        let call = earlier.call_at(booked);
        let mut seen = HashSet::new();
        for record in
            group.iter().copied().filter(|record| self.is_open(*record)).collect::<Vec<_>>()
        {
            let at = record as usize;
            let content = calls.content[at];
            let is_booked = content == call.content
                || earlier
                    .versions
                    .get(&call.sid)
                    .is_some_and(|booked| version::is_of_booked(calls, at, booked, earlier));
            self.standing[at] = if is_booked {
                let charge = calls.price[at].charge();
                if charge > call.price.map(i64::saturating_neg) {
                    let late = LatePrice {
                        record,
                        price: calls.price[at],
                        day: crate::time::day(calls.start[at]),
                    };
                    let kept = self.late_prices.entry(booked).or_insert(late);
                    if charge > kept.price.charge() {
                        *kept = late;
                    }
                }
                Standing::Duplicate
            } else if calls.status[at] == Status::NotFinal || seen.contains(&content) {
                Standing::Duplicate
            } else {
                seen.insert(content);
                Standing::Suspended(first_of(calls.reason[at], Reason::ConflictingDuplicate))
            };
        }
    }

    /// Chooses among the versions of a call of tonight: final before not final, and a new one
    /// before a suspended one, if it says anything else. Versions that differ only in fields that
    /// one of them lacks are one call; the fullest counts. Others are a conflict, and so is any
    /// version that contradicts the one that a person chose.
    fn choose_version(&mut self, calls: &Calls, group: &[u32], retried: usize, is_chosen: bool) {
        let open: Vec<u32> = group.iter().copied().filter(|record| self.is_open(*record)).collect();
        let is_final = |record: &u32| calls.status[*record as usize] != Status::NotFinal;
        let any_final = open.iter().any(is_final);
        let (mut contenders, mut replaced): (Vec<u32>, Vec<u32>) =
            open.iter().partition(|record| is_final(record) == any_final);
        let content = |record: &u32| calls.content[*record as usize];
        let (waiting, new): (Vec<u32>, Vec<u32>) =
            contenders.iter().partition(|record| (**record as usize) < retried);
        let waited: HashSet<u64> = waiting.iter().map(content).collect();
        // Copies of one content need no further comparison.
        let differ =
            |records: &[u32]| records.iter().any(|record| content(record) != content(&records[0]));
        let is_one =
            |records: &[u32]| any_final && differ(records) && version::are_one(calls, records);
        let mut one_call = is_one(&contenders);
        // A version that only lacks fields of a suspended one settles nothing: a field that it
        // lacks may be the cause of the suspense.
        let says_else = |record: &u32| {
            !waited.contains(&content(record))
                && !waiting.iter().any(|fuller| version::only_lacks(calls, *record, *fuller))
        };
        if !one_call && !waiting.is_empty() && !is_chosen && new.iter().any(says_else) {
            replaced.extend(waiting);
            contenders = new;
            one_call = is_one(&contenders);
        }
        for record in replaced {
            self.standing[record as usize] = Standing::Duplicate;
        }
        assert!(!contenders.is_empty() || open.is_empty(), "a call that is open has a version");
        contenders.sort_by_key(|record| (content(record), *record));
        if one_call {
            let fullness = |record: &u32| version::fullness(calls, *record as usize);
            // Stable: of equally full versions the one with the smallest fingerprint comes first,
            // whatever the order.
            contenders.sort_by_key(|record| std::cmp::Reverse(fullness(record)));
            let version = self.choose_copy(calls, &contenders);
            self.stand_by_itself(calls, version);
            return;
        }
        let versions: Vec<&[u32]> = contenders.chunk_by(|a, b| content(a) == content(b)).collect();
        let conflict = any_final && versions.len() > 1;
        for copies in versions {
            let version = self.choose_copy(calls, copies);
            if conflict {
                let reason = first_of(calls.reason[version as usize], Reason::ConflictingDuplicate);
                self.standing[version as usize] = Standing::Suspended(reason);
            } else {
                self.stand_by_itself(calls, version);
            }
        }
    }

    /// The first copy represents all. The one with the greatest charge lends it the price, so that
    /// a late price is kept, whatever the order.
    fn choose_copy(&mut self, calls: &Calls, copies: &[u32]) -> u32 {
        let price = |record: u32| {
            (calls.price[record as usize].charge(), calls.price[record as usize].hash())
        };
        let first = copies[0];
        let priced = copies
            .iter()
            .copied()
            .reduce(|best, copy| if price(copy) > price(best) { copy } else { best });
        for copy in &copies[1..] {
            self.standing[*copy as usize] = Standing::Duplicate;
        }
        if let Some(priced) = priced.filter(|priced| *priced != first) {
            self.priced_copy.insert(first, priced);
        }
        first
    }

    /// The copy of a record that has its price: itself, or another one.
    #[must_use]
    pub fn with_price(&self, record: u32) -> u32 {
        self.priced_copy.get(&record).copied().unwrap_or(record)
    }

    fn link_children(&mut self, calls: &Calls, index: &SidIndex, earlier: &Earlier) {
        // Many copies of a parent are scanned once, not once per child.
        let mut crowded: HashMap<Sid, Link> = HashMap::new();
        for record in 0..record_count(calls) {
            let Some(child) = calls.child_of(record as usize) else { continue };
            // A suspended child has a link too: a cycle may go through it.
            if matches!(self.standing[record as usize], Standing::Duplicate | Standing::Ignored) {
                continue;
            }
            let link = match index.records(child.parent) {
                versions if versions.len() > 8 => *crowded
                    .entry(child.parent)
                    .or_insert_with(|| self.link_to(calls, child.parent, versions, earlier)),
                versions => self.link_to(calls, child.parent, versions, earlier),
            };
            self.link[calls.child[record as usize] as usize] = link;
        }
    }

    fn link_to(&self, calls: &Calls, parent: Sid, versions: &[u32], earlier: &Earlier) -> Link {
        if let Some(booked) = earlier.parent(parent) {
            return Link::Booked(booked);
        }
        if let Some(taken) = versions.iter().find(|version| self.is_open(**version)) {
            return Link::Here(*taken);
        }
        // Of several versions always the same one, whatever the order of the records.
        let is_suspended =
            |version: &&u32| matches!(self.standing[**version as usize], Standing::Suspended(_));
        let suspended = versions
            .iter()
            .filter(is_suspended)
            .min_by_key(|version| calls.content[**version as usize]);
        suspended.map_or(Link::Missing, |version| Link::Suspended(*version))
    }

    /// Orders children by depth. Depth 1 is a child whose parent is tonight's root, or not
    /// tonight's at all.
    fn order_by_depth(&mut self, calls: &Calls) {
        const UNKNOWN: u32 = 0;
        const ON_THE_WAY: u32 = u32::MAX;
        let mut depth = vec![UNKNOWN; calls.children.len()];
        let mut way: Vec<u32> = Vec::new();
        for start in 0..record_count(calls) {
            if calls.child[start as usize] == NONE || !self.is_open(start) {
                continue;
            }
            // Goes up to the first record whose depth is known, then down again.
            let mut record = start;
            let known = loop {
                let child = calls.child[record as usize];
                if child == NONE {
                    break 0;
                }
                match depth[child as usize] {
                    UNKNOWN => {}
                    ON_THE_WAY => {
                        self.close_cycle(calls, &mut depth, &mut way, record);
                        break 1;
                    }
                    known => break known,
                }
                depth[child as usize] = ON_THE_WAY;
                way.push(record);
                match self.link[child as usize] {
                    Link::Here(parent) | Link::Suspended(parent) => record = parent,
                    Link::Booked(_) | Link::Missing | Link::None => break 0,
                }
            };
            assert!(known != ON_THE_WAY, "a cycle was closed before its depth is read");
            for (steps, record) in (1..).zip(way.drain(..).rev()) {
                depth[calls.child[record as usize] as usize] = known + steps;
            }
        }
        for record in 0..record_count(calls) {
            let child = calls.child[record as usize];
            if child == NONE || !self.is_open(record) {
                continue;
            }
            let level = depth[child as usize] as usize;
            if self.levels.len() < level {
                self.levels.resize(level, Vec::new());
            }
            self.levels[level - 1].push(record);
        }
    }

    /// Takes the members of a cycle off the way; they get depth 1, so that their descendants come
    /// later.
    fn close_cycle(&mut self, calls: &Calls, depth: &mut [u32], way: &mut Vec<u32>, entry: u32) {
        while let Some(member) = way.pop() {
            self.cycle.insert(member);
            depth[calls.child[member as usize] as usize] = 1;
            if member == entry {
                break;
            }
        }
    }
}

fn record_count(calls: &Calls) -> u32 {
    u32::try_from(calls.len()).expect("fewer than 2^32 records in a run")
}

fn first_of(own: Option<Reason>, other: Reason) -> Reason {
    own.map_or(other, |own| own.min(other))
}

/// Records by their id: one array of record numbers, sorted by id.
///
/// # Why
/// A sort of 4-byte numbers takes less memory than a hash table of ids (12 bytes a record, not 40),
/// and no choice of ids can make it slow.
#[derive(Debug)]
struct SidIndex {
    /// Records with an id, by id and then by number.
    order: Vec<u32>,
    /// The ids in the same order, so that a search stays in one array.
    sids: Vec<Sid>,
    places: SortedPlaces,
    without_sid: Vec<u32>,
}

impl SidIndex {
    fn new(calls: &Calls) -> Self {
        let (with_sid, without_sid): (Vec<u32>, Vec<u32>) =
            (0..record_count(calls)).partition(|record| !calls.sid[*record as usize].is_empty());
        let mut keys: Vec<(Sid, u32)> =
            with_sid.into_iter().map(|record| (calls.sid[record as usize], record)).collect();
        let places = radix_sort::sort(&mut keys, |(sid, _)| sid.0, Ord::cmp);
        let (sids, order): (Vec<Sid>, Vec<u32>) = keys.into_iter().unzip();
        assert_eq!(order.len() + without_sid.len(), calls.len(), "each record has an id, or none");
        Self { order, sids, places, without_sid }
    }

    /// All records with an id.
    #[inline]
    fn records(&self, sid: Sid) -> &[u32] {
        let near = self.places.find(sid.0);
        let sids = &self.sids[near.clone()];
        let start = near.start + sids.partition_point(|s| *s < sid);
        let count = self.sids[start..near.end].partition_point(|s| *s == sid);
        &self.order[start..start + count]
    }

    fn groups<'a>(&'a self, calls: &'a Calls) -> impl Iterator<Item = &'a [u32]> {
        self.order.chunk_by(|a, b| calls.sid[*a as usize] == calls.sid[*b as usize])
    }
}

/// Children by their parent's id. Built only for a night that has something to ignore.
struct ChildrenByParent(Vec<u32>);

impl ChildrenByParent {
    fn new(calls: &Calls) -> Self {
        let mut records: Vec<u32> =
            (0..record_count(calls)).filter(|r| calls.child[*r as usize] != NONE).collect();
        records.sort_unstable_by_key(|record| parent(calls, *record));
        Self(records)
    }

    fn children(&self, calls: &Calls, sid: Sid) -> Vec<u32> {
        let start = self.0.partition_point(|record| parent(calls, *record) < sid);
        self.0[start..].iter().copied().take_while(|record| parent(calls, *record) == sid).collect()
    }

    fn groups<'a>(&'a self, calls: &'a Calls) -> impl Iterator<Item = (Sid, Vec<u32>)> + 'a {
        let chunks = self.0.chunk_by(|a, b| parent(calls, *a) == parent(calls, *b));
        chunks.map(|chunk| (parent(calls, chunk[0]), chunk.to_vec()))
    }
}

fn parent(calls: &Calls, record: u32) -> Sid {
    calls.children[calls.child[record as usize] as usize].parent
}
