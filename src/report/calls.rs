//! Calls as a person looks for them: booked, waiting and ignored ones in one list, each parent with
//! its children.
//!
//! **Invariant:** a call stands once in the list. Families stand in the order of their first
//! starts; those without any start that can be read come first.

use crate::ledger::index::earlier;
use crate::ledger::index::find;
use crate::ledger::index::search::newest::{self, CallPlace, newest};
use crate::ledger::index::search::{self, Wanted};
use crate::ledger::index::unbooked::{self, Beside, FoundUnbooked, Unbooked};
use crate::ledger::tables::log_row::LogRow;
use crate::ledger::{History, LedgerError};
use crate::packed::SharedTexts;
use crate::sid::Sid;
use crate::time::{Micros, Zone};
use std::collections::{BTreeMap, BTreeSet};

/// A call in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Member {
    /// Booked.
    Booked(LogRow),
    /// Waiting or ignored.
    Unbooked(Unbooked),
}

impl Member {
    /// Its id; empty for a record without one.
    #[must_use]
    pub fn sid(&self) -> &str {
        match self {
            Self::Booked(row) => &row.call_sid,
            Self::Unbooked(call) => &call.call_sid,
        }
    }

    /// Its name: its id, or the source of a record without one, `FILE:LINE`.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Unbooked(call) if call.call_sid.is_empty() => {
                format!("{}:{}", call.source_file, call.source_line)
            }
            _ => self.sid().to_owned(),
        }
    }

    /// Its account; empty for a record without one.
    #[must_use]
    pub fn account(&self) -> &str {
        match self {
            Self::Booked(row) => &row.account_sid,
            Self::Unbooked(call) => &call.account_sid,
        }
    }

    /// The id of its parent; empty if it has none.
    #[must_use]
    pub fn parent_sid(&self) -> &str {
        match self {
            Self::Booked(row) => &row.parent_call_sid,
            Self::Unbooked(call) => &call.parent_call_sid,
        }
    }

    /// True if it has a parent.
    #[must_use]
    pub fn is_child(&self) -> bool {
        !self.parent_sid().is_empty()
    }

    /// Its start, if it can be read.
    #[must_use]
    pub fn start(&self) -> Option<Micros> {
        match self {
            Self::Booked(row) => Some(row.start),
            Self::Unbooked(call) => call.start,
        }
    }
}

/// A parent, where it is there, and its children by start and id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallFamily {
    /// The parent: none, if it is not in the list; several, if versions of it wait.
    pub parents: Vec<Member>,
    /// Its children.
    pub children: Vec<Member>,
}

impl CallFamily {
    /// Its calls, the parent first.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.parents.iter().chain(&self.children)
    }

    /// Its calls, the parent first.
    pub fn members_mut(&mut self) -> impl Iterator<Item = &mut Member> {
        self.parents.iter_mut().chain(&mut self.children)
    }

    /// Its first start.
    #[must_use]
    pub fn start(&self) -> Option<Micros> {
        self.members().filter_map(Member::start).min()
    }

    /// True if the parent of one of its children is in it: the call beside which the child is
    /// drawn.
    #[must_use]
    pub fn has_parent_of(&self, child: &Member) -> bool {
        let (own, parent) = (child.sid(), child.parent_sid());
        parent != own && !self.parents.is_empty() && self.members().any(|call| call.sid() == parent)
    }

    /// Adds a call on its side.
    pub fn push(&mut self, call: Member) {
        if call.is_child() { &mut self.children } else { &mut self.parents }.push(call);
    }
}

/// The calls that were found.
#[derive(Debug)]
pub struct FoundFamilies {
    /// Their families, oldest first.
    pub families: Vec<CallFamily>,
    /// True if older days were not looked at, since there were enough families already.
    pub has_unread: bool,
    /// The waiting and ignored calls that are left out since their time cannot be read.
    pub timeless: usize,
}

/// A page of calls, the newest families first.
#[derive(Debug, Default)]
pub struct CallsPage {
    /// The families: each at the place of its newest wanted call.
    pub families: Vec<CallFamily>,
    /// The place that the next page begins before, if there is one.
    pub next: Option<CallPlace>,
    /// True if the search stopped early: there may be more before that place.
    pub is_early: bool,
    /// The waiting and ignored calls that are left out since their time cannot be read.
    pub timeless: usize,
}

/// Rounds of reading for a page: where two parties are wanted, few families may have both.
const ROUNDS: usize = 8;

/// A page of the wanted families, the newest first, before a place.
///
/// Calls that wait or were ignored stand on the page whose time they are of.
///
/// # Errors
/// If a file cannot be read, or is not as it was written.
pub fn page(
    history: &History,
    wanted: &Wanted,
    before: Option<&CallPlace>,
    most: usize,
    beside: &Beside<'_>,
) -> Result<CallsPage, LedgerError> {
    if !wanted.sids.is_empty() {
        let FoundFamilies { mut families, timeless, .. } =
            find_beside(history, wanted, None, beside)?;
        families.reverse();
        return Ok(CallsPage { families, next: None, is_early: false, timeless });
    }
    let (mut booked, mut last, mut next) = (BTreeMap::new(), before.cloned(), None);
    let mut is_early = false;
    for _ in 0..ROUNDS {
        let newest::FoundNewest { rows, stopped_at, mut places } =
            newest(history, wanted, last.as_ref(), most + 1)?;
        next = None;
        let mut roots = BTreeSet::new();
        for row in &rows {
            if booked.len() + roots.len() > most {
                break;
            }
            last = Some(CallPlace::of(row));
            roots.insert(row.root().to_owned());
        }
        let new: BTreeSet<String> =
            roots.iter().filter(|root| !booked.contains_key(*root)).cloned().collect();
        places.retain(|_, row| new.contains(row.root()));
        let mut families = search::families_of(history, &new, places)?;
        // One whose newest wanted call stands before the page was on an earlier one.
        families.retain(|_, rows| {
            wanted.takes_family(rows)
                && wanted.newest_of(rows).is_some_and(|place| before.is_none_or(|b| place < *b))
        });
        booked.extend(families);
        let is_end = rows.len() <= most;
        if booked.len() > most {
            // The oldest by its newest call begins the next page.
            let place = |rows: &Vec<LogRow>| wanted.newest_of(rows);
            let mut places: Vec<_> =
                booked.iter().map(|(root, rows)| (place(rows), root)).collect();
            places.sort();
            let over = places.len() - most;
            let gone: Vec<String> =
                places.iter().take(over).map(|(_, root)| (*root).clone()).collect();
            next.clone_from(&places[over].0);
            for root in gone {
                booked.remove(&root);
            }
            break;
        }
        if let Some(start) = stopped_at {
            // The search stopped early: the next page goes on before that time.
            next = Some(CallPlace { start, sid: String::new() });
            is_early = true;
            break;
        }
        if is_end {
            break;
        }
        next.clone_from(&last);
        if booked.len() == most {
            break;
        }
    }
    let mut window = wanted.clone();
    let all = wanted.times.clone().unwrap_or(Micros::MIN..Micros::MAX);
    let from = next.as_ref().map_or(all.start, |place| place.start.max(all.start));
    let to = before.map_or(all.end, |place| place.start.min(all.end));
    // Of the first and last page those without an end have no time that leaves them out.
    if from != Micros::MIN || to != Micros::MAX {
        window.times = Some(from..to);
    }
    let found = with_unbooked(history, &window, booked, beside)?;
    let mut families = grouped(found.0, found.1.calls);
    families.reverse();
    Ok(CallsPage { families, next, is_early, timeless: found.1.timeless })
}

/// The families that are wanted. Once `most` are found, no older day of the log is looked at.
/// Records' times without an offset are of the zone.
///
/// # Errors
/// If a file cannot be read, or is not as it was written.
pub fn find(
    history: &History,
    wanted: &Wanted,
    most: Option<usize>,
    zone: Option<&Zone>,
) -> Result<FoundFamilies, LedgerError> {
    find_beside(history, wanted, most, &Beside { zone, ..Beside::default() })
}

/// As [`find()`]; waiting calls that were read before are not read again.
///
/// # Errors
/// As [`find()`].
pub fn find_beside(
    history: &History,
    wanted: &Wanted,
    most: Option<usize>,
    beside: &Beside<'_>,
) -> Result<FoundFamilies, LedgerError> {
    let search::Found { families: booked, has_unread } = search::booked(history, wanted, most)?;
    let (booked, FoundUnbooked { calls, timeless }) =
        with_unbooked(history, wanted, booked, beside)?;
    Ok(FoundFamilies { families: grouped(booked, calls), has_unread, timeless })
}

/// Booked families, and what is not booked beside them: a waiting child brings its booked parent.
fn with_unbooked(
    history: &History,
    wanted: &Wanted,
    mut booked: BTreeMap<String, Vec<LogRow>>,
    beside: &Beside<'_>,
) -> Result<(BTreeMap<String, Vec<LogRow>>, FoundUnbooked), LedgerError> {
    let mut roots = roots_of(&booked);
    let mut found = unbooked::collect_beside(history, wanted, &roots, beside)?;
    // A waiting child brings its booked parent, and that one its other children.
    let unknown: BTreeSet<String> = found
        .calls
        .iter()
        .map(|call| &call.root)
        .filter(|root| !root.is_empty() && !roots.contains_key(*root))
        .cloned()
        .collect();
    if !unknown.is_empty() && !wanted.is_all() {
        let mut more = search::families_of(history, &unknown, BTreeMap::new())?;
        // A chain's waiting child has a booked child as its parent.
        let others = unknown.iter().filter(|root| !more.contains_key(*root)).cloned().collect();
        let above = booked_roots(history, &others)?;
        let new = above.values().filter(|root| !more.contains_key(*root)).cloned().collect();
        more.extend(search::families_of(history, &new, BTreeMap::new())?);
        booked.extend(more);
        roots = roots_of(&booked);
        roots.extend(others.into_iter().filter(|root| !above.contains_key(root)).map(own));
        found = unbooked::collect_beside(history, wanted, &roots, beside)?;
    }
    Ok((booked, found))
}

fn own(root: String) -> (String, String) {
    (root.clone(), root)
}

/// The root of each booked call, by their ids.
fn roots_of(booked: &BTreeMap<String, Vec<LogRow>>) -> BTreeMap<String, String> {
    let calls = booked.iter().flat_map(|(root, rows)| rows.iter().map(move |row| (root, row)));
    calls.map(|(root, row)| (row.call_sid.clone(), root.clone())).collect()
}

/// More calls than these are looked up in one walk over all ids.
const FEW: usize = 64;

/// The roots of those calls that are booked.
fn booked_roots(
    history: &History,
    calls: &BTreeSet<String>,
) -> Result<BTreeMap<String, String>, LedgerError> {
    let mut roots = BTreeMap::new();
    if calls.len() <= FEW {
        for call in calls {
            if let Some((row, _)) = find::find_log_row(history, call)? {
                roots.insert(call.clone(), row.root().to_owned());
            }
        }
        return Ok(roots);
    }
    let (sids, mut texts) =
        (calls.iter().map(|call| Sid::of(call).0).collect(), SharedTexts::default());
    let booked = earlier::parents_among(history, &sids, &mut texts)?;
    for call in calls {
        if let Some(parent) = booked.get(&Sid::of(call).0) {
            roots.insert(call.clone(), texts.odd_sids.text(parent.root.sid).to_string());
        }
    }
    Ok(roots)
}

/// Each parent with its children; children whose parent is not there form a family without one, and
/// a record without an id is alone.
fn grouped(booked: BTreeMap<String, Vec<LogRow>>, unbooked: Vec<Unbooked>) -> Vec<CallFamily> {
    let mut families: BTreeMap<String, CallFamily> = BTreeMap::new();
    let mut alone: Vec<CallFamily> = Vec::new();
    for (root, rows) in booked {
        let family = families.entry(root).or_default();
        for row in rows {
            family.push(Member::Booked(row));
        }
    }
    for call in unbooked {
        if call.root.is_empty() {
            let (parents, children) = (vec![Member::Unbooked(call)], Vec::new());
            alone.push(CallFamily { parents, children });
        } else {
            families.entry(call.root.clone()).or_default().push(Member::Unbooked(call));
        }
    }
    let mut all: Vec<CallFamily> = families.into_values().chain(alone).collect();
    for family in &mut all {
        family.children.sort_by(|a, b| (a.start(), a.sid()).cmp(&(b.start(), b.sid())));
        // A child whose parent is not in the list stands after those of the parent.
        let has: Vec<bool> = family.children.iter().map(|own| family.has_parent_of(own)).collect();
        let children = std::mem::take(&mut family.children).into_iter().zip(has);
        let (with, without): (Vec<_>, Vec<_>) = children.partition(|(_, has_parent)| *has_parent);
        family.children = with.into_iter().chain(without).map(|(child, _)| child).collect();
    }
    // Families of one start stand in the order of their ids, as they came.
    all.sort_by_key(CallFamily::start);
    all
}
