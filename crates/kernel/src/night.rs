//! A night: every record of a run comes to exactly one end.
//!
//! ```text
//! Calls ──family::join──▶ Families ──settle──▶ Night
//!                         standing, links      class, reason, the winning rows
//! ```
//!
//! [`settle`] rates roots first, then children level by level, because a child of a suspended
//! parent is suspended. The rows of their legs are looked up in batches (`legs`). One thread
//! settles a night; a large night is first partitioned by family, and its partitions are settled in
//! parallel.
//!
//! **Invariant:** [`Night::tally`] counts every record once, by class; [`Tally::conserves`] holds
//! for every run or the run fails. Amounts are not kept per record: a leg's amount is one
//! multiplication from its row, and is computed when it is written.

mod legs;

use self::legs::{Legs, settle_all};
use crate::booked::Booked;
use crate::call::{Calls, NONE};
use crate::deck::{Deck, Hit, Query};
use crate::family::{Earlier, Families, Link, RootFacts, Standing};
use crate::fit::must_fit;
use crate::party_ref::PartyRef;
use crate::policy::{ChainedTransfers, MangledCaller, Policy, UnlistedAccounts};
use crate::rating::{Parties, bills, caller_id, cells, plan, query, settle_target, target_party};
use crate::reject::Reason;
use crate::scenario::{Scenario, TransferScenario};
use crate::sid::Sid;
use crate::table::TargetKind;
use crate::target::Target;
use crate::time::{DAY, SECOND};
use crate::trunk::{TerminationDomain, TransferCallerId, TransferMode, Trunks};

/// The end of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Class {
    /// Legs booked.
    Rated,
    /// Nothing to bill; in the log.
    Free,
    /// A copy of a call that was taken before, or replaced by another version of it.
    Duplicate,
    /// Not a trunk call.
    Ignored,
    /// Cannot be billed now; kept whole.
    Suspended,
}

impl Class {
    /// All classes.
    pub const ALL: [Self; 5] =
        [Self::Rated, Self::Free, Self::Duplicate, Self::Ignored, Self::Suspended];

    /// The name in every output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rated => "rated",
            Self::Free => "free",
            Self::Duplicate => "duplicate",
            Self::Ignored => "ignored",
            Self::Suspended => "suspended",
        }
    }
}

/// The tariff: everything that a run rates with.
#[derive(Debug, Clone, Copy)]
pub struct Tariff<'a> {
    /// All decks.
    pub decks: &'a [Deck],
    /// For each account (by the id of its text) its deck, or [`NONE`].
    pub deck_of_account: &'a [u32],
    /// For each account, true if the accounts file lacks it; empty if none was given.
    pub unlisted: &'a [bool],
    /// The trunk list, if one was given.
    pub trunks: Option<&'a Trunks>,
    /// The choices of the biller.
    pub policy: &'a Policy,
}

impl<'a> Tariff<'a> {
    /// The deck of an account (by the id of its text), with its number; `None` if none prices it.
    #[must_use]
    pub fn deck_of(&self, account: u32) -> Option<(usize, &'a Deck)> {
        let number = *self.deck_of_account.get(account as usize)? as usize;
        self.decks.get(number).map(|deck| (number, deck))
    }

    /// True if the accounts file was given and lacks an account (by the id of its text).
    #[inline]
    #[must_use]
    pub fn is_unlisted(&self, account: u32) -> bool {
        self.unlisted.get(account as usize).is_some_and(|unlisted| *unlisted)
    }

    fn suspends_account(&self, account: u32) -> bool {
        self.policy.unlisted_accounts == UnlistedAccounts::Suspend && self.is_unlisted(account)
    }
}

/// The place of a child's root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootRef {
    /// Tonight's record.
    Here(u32),
    /// A call of an earlier run.
    Booked(u32),
}

/// The facts of a child that was rated or is free.
#[derive(Debug, Clone, Copy)]
pub struct RatedChild {
    /// Its root.
    pub root: RootRef,
    /// Its row of the table.
    pub scenario: TransferScenario,
    /// The target's party.
    pub c: PartyRef,
    /// The row of its second leg; meaningless for a scenario with one.
    pub second: Hit,
}

/// The ends of all records of a run.
#[derive(Debug)]
pub struct Night {
    /// The class of each record.
    pub class: Vec<Class>,
    /// The reason of each suspended record.
    pub reason: Vec<Option<Reason>>,
    /// The row of the first leg of each rated record.
    pub first: Vec<Hit>,
    /// The facts of each child (index of [`Calls::children`]) that is rated or free.
    pub child: Vec<Option<RatedChild>>,
    /// The families that the records were joined into.
    pub families: Families,
}

/// Records and seconds of each class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Read from files.
    pub read: Count,
    /// Retried: taken from suspense.
    pub retried: Count,
    /// Read from files and suspended.
    pub new_in_suspense: Count,
    /// Retried and no longer suspended.
    pub taken_up: Count,
    /// Written off from suspense by a person; none when a night is settled.
    pub closed: Count,
    /// By [`Class`].
    pub by_class: [Count; Class::ALL.len()],
}

/// Records, and the sum of their durations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// The number of records.
    pub records: u64,
    /// The sum of their seconds.
    pub seconds: u64,
}

impl Count {
    /// Adds a record.
    pub fn add(&mut self, seconds: u32) {
        self.records += 1;
        self.seconds += u64::from(seconds);
    }

    /// Adds another count.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { records: self.records + other.records, seconds: self.seconds + other.seconds }
    }
}

impl Tally {
    /// Adds the counts of another partition of the night.
    #[must_use]
    pub fn plus(mut self, other: Self) -> Self {
        self.read = self.read.plus(other.read);
        self.retried = self.retried.plus(other.retried);
        self.new_in_suspense = self.new_in_suspense.plus(other.new_in_suspense);
        self.taken_up = self.taken_up.plus(other.taken_up);
        self.closed = self.closed.plus(other.closed);
        for (count, other) in self.by_class.iter_mut().zip(other.by_class) {
            *count = count.plus(other);
        }
        self
    }

    /// The count of a class.
    #[must_use]
    pub fn of(&self, class: Class) -> Count {
        self.by_class[class as usize]
    }

    /// **The conservation law**: read + retried = rated + free + duplicate + ignored + suspended +
    /// closed, in records and in seconds.
    #[must_use]
    pub fn conserves(&self) -> bool {
        let ends = self.by_class.iter().copied().fold(self.closed, Count::plus);
        self.read.plus(self.retried) == ends
    }
}

/// A settled record: its class and reason, and the rows and facts that its legs need.
struct Verdict {
    class: Class,
    reason: Option<Reason>,
    first: Hit,
    child: Option<RatedChild>,
}

impl Verdict {
    fn of(class: Class) -> Self {
        Self { class, reason: None, first: Hit::default(), child: None }
    }

    fn suspended(reason: Reason) -> Self {
        Self { reason: Some(reason), ..Self::of(Class::Suspended) }
    }
}

/// Brings every record to its end. The first `retried` records come from suspense.
#[must_use]
pub fn settle(calls: &Calls, retried: usize, earlier: &Earlier, tariff: &Tariff<'_>) -> Night {
    let families = crate::family::join(calls, retried, earlier);
    let trunks = TrunkFacts::of_all(calls, tariff);
    let (class, reason, first) = (
        Vec::with_capacity(calls.len()),
        Vec::with_capacity(calls.len()),
        Vec::with_capacity(calls.len()),
    );
    let mut night =
        Night { class, reason, first, child: vec![None; calls.children.len()], families };
    settle_all(
        0..calls.len(),
        |record, legs| match night.families.standing[record] {
            Standing::Duplicate => Verdict::of(Class::Duplicate),
            Standing::Ignored => Verdict::of(Class::Ignored),
            Standing::Suspended(reason) => Verdict::suspended(reason),
            // A child's end is found below; until then its class is suspended.
            Standing::Taken if calls.child[record] != NONE => Verdict::of(Class::Suspended),
            Standing::Taken => settle_root(calls, record, tariff, legs),
        },
        |_, verdict| {
            night.class.push(verdict.class);
            night.reason.push(verdict.reason);
            night.first.push(verdict.first);
        },
    );
    for level in std::mem::take(&mut night.families.levels) {
        let mut verdicts = Vec::with_capacity(level.len());
        settle_all(
            level.iter().map(|record| *record as usize),
            |record, legs| settle_child(calls, record, &night, earlier, tariff, &trunks, legs),
            |record, verdict| verdicts.push((record, verdict)),
        );
        for (record, verdict) in verdicts {
            night.class[record] = verdict.class;
            night.reason[record] = verdict.reason;
            night.first[record] = verdict.first;
            night.child[calls.child[record] as usize] = verdict.child;
        }
    }
    night.check(calls);
    night
}

fn settle_root<'a>(
    calls: &Calls,
    record: usize,
    tariff: &Tariff<'a>,
    legs: &mut Legs<'a>,
) -> Verdict {
    let Some(direction) = calls.direction[record].side() else {
        return Verdict::suspended(Reason::MissingField);
    };
    let parties = Parties { a: calls.from[record], b: calls.to[record], c: None };
    let policy = tariff.policy;
    let Some(leg) =
        plan(crate::table::root_leg(direction), &parties, &calls.parties, &policy.withheld_numbers)
    else {
        return Verdict::suspended(Reason::InvalidNumber);
    };
    if policy.mangled_caller == MangledCaller::Suspend && parties.a.is_mangled(&calls.parties) {
        return Verdict::suspended(Reason::InvalidNumber);
    }
    if tariff.suspends_account(calls.account[record]) {
        return Verdict::suspended(Reason::UnlistedAccount);
    }
    if !bills(calls.status[record], calls.duration[record]) {
        return Verdict::of(Class::Free);
    }
    match tariff.deck_of(calls.account[record]) {
        Some((_, deck)) => legs.rated([query(deck, &leg, calls.start[record])], None),
        None => Verdict::suspended(Reason::NoRate),
    }
}

/// A child's parent, tonight's or a booked one.
struct Parent {
    account: u32,
    start: i64,
    is_child: bool,
    root: RootRef,
}

fn settle_child<'a>(
    calls: &Calls,
    record: usize,
    night: &Night,
    earlier: &Earlier,
    tariff: &Tariff<'a>,
    trunks: &TrunkFacts<'_>,
    legs: &mut Legs<'a>,
) -> Verdict {
    let parent = match find_parent(calls, record, night, earlier, tariff.policy) {
        Ok(parent) => parent,
        Err(reason) => return Verdict::suspended(reason),
    };
    if parent.account != calls.account[record] {
        return Verdict::suspended(Reason::ParentAccountMismatch);
    }
    if calls.start[record] < parent.start - 60 * SECOND {
        return Verdict::suspended(Reason::ChildBeforeParent);
    }
    if parent.is_child && tariff.policy.chained_transfers == ChainedTransfers::Suspend {
        return Verdict::suspended(Reason::ChainedTransfer);
    }
    let root = night.root_facts(calls, earlier, parent.root);
    let trunk = trunks.get(settings_trunk(calls, record, &root));
    let asked = calls.children[calls.child[record] as usize].asked;
    let target = settle_target(calls, record, trunk.domain, tariff.policy);
    let (kind, c) = match (target.kind(), target_party(asked, &target)) {
        (Some(kind), Some(c)) => (kind, c),
        _ if matches!(target, Target::Ambiguous) => {
            return Verdict::suspended(Reason::AmbiguousTarget);
        }
        _ if matches!(target, Target::Emergency(_)) => {
            return Verdict::suspended(Reason::EmergencyTarget);
        }
        _ => return Verdict::suspended(Reason::InvalidTarget),
    };
    if let Some(reason) = trunk.refuses(kind) {
        return Verdict::suspended(reason);
    }
    if tariff.suspends_account(calls.account[record]) {
        return Verdict::suspended(Reason::UnlistedAccount);
    }
    let scenario = TransferScenario::of(root.direction, kind);
    let child = RatedChild { root: parent.root, scenario, c, second: Hit::default() };
    if !bills(calls.status[record], calls.duration[record]) {
        return Verdict { child: Some(child), ..Verdict::of(Class::Free) };
    }
    let parties = Parties { a: root.a, b: root.b, c: Some(c) };
    match legs_of_child(calls, record, scenario, &parties, tariff) {
        Some(queries) => legs.rated(queries.into_iter().flatten(), Some(child)),
        None => Verdict::suspended(Reason::NoRate),
    }
}

/// The deck queries for a child's legs: all of them, or none.
fn legs_of_child<'a>(
    calls: &Calls,
    record: usize,
    scenario: TransferScenario,
    parties: &Parties,
    tariff: &Tariff<'a>,
) -> Option<[Option<Query<'a>>; 2]> {
    let (_, deck) = tariff.deck_of(calls.account[record])?;
    let (cells, count) = cells(Scenario::Transfer(scenario));
    let mut queries = [None; 2];
    for (asked, cell) in queries.iter_mut().zip(&cells[..count]) {
        let leg = plan(*cell, parties, &calls.parties, &tariff.policy.withheld_numbers)?;
        *asked = Some(query(deck, &leg, calls.start[record]));
    }
    Some(queries)
}

fn find_parent(
    calls: &Calls,
    record: usize,
    night: &Night,
    earlier: &Earlier,
    policy: &Policy,
) -> Result<Parent, Reason> {
    let child = calls.child[record] as usize;
    let never = || {
        let wait = i64::from(policy.parent_wait_days).saturating_mul(DAY);
        night
            .families
            .newest_start
            .is_some_and(|newest| newest.saturating_sub(calls.start[record]) > wait)
    };
    match night.families.link[child] {
        Link::None | Link::Missing if never() => Err(Reason::ParentNeverArrived),
        Link::None | Link::Missing => Err(Reason::ParentMissing),
        _ if u32::try_from(record).is_ok_and(|r| night.families.cycle.contains(&r)) => {
            Err(Reason::ParentCycle)
        }
        Link::Suspended(_) => Err(Reason::ParentSuspended),
        Link::Booked(index) => {
            let call = earlier.parent_at(index);
            Ok(Parent {
                account: call.account,
                start: call.start,
                is_child: call.is_child,
                root: RootRef::Booked(index),
            })
        }
        Link::Here(parent) => {
            let at = parent as usize;
            if night.class[at] == Class::Suspended {
                return Err(Reason::ParentSuspended);
            }
            let root = night.root_through(calls, parent);
            let is_child = calls.child[at] != NONE;
            Ok(Parent { account: calls.account[at], start: calls.start[at], is_child, root })
        }
    }
}

/// The trunk whose settings apply to a transfer: the root's, which took the REFER; the child's own
/// if the root names none. Not [`billed_trunk`].
pub(crate) fn settings_trunk(calls: &Calls, record: usize, root: &RootFacts) -> u32 {
    if calls.trunks.is_empty_text(root.trunk) { calls.trunk[record] } else { root.trunk }
}

impl Night {
    /// The root of a child whose parent is tonight's record `parent`: that record, or the parent's
    /// own root.
    fn root_through(&self, calls: &Calls, parent: u32) -> RootRef {
        let grandparent = self.child.get(calls.child[parent as usize] as usize).copied().flatten();
        grandparent.map_or(RootRef::Here(parent), |child| child.root)
    }

    /// The root of a child, if its parent is known and was not suspended before rating.
    #[must_use]
    pub fn root_of(&self, calls: &Calls, record: usize) -> Option<RootRef> {
        match *self.families.link.get(calls.child[record] as usize)? {
            Link::Booked(index) => Some(RootRef::Booked(index)),
            Link::Here(parent) => Some(self.root_through(calls, parent)),
            Link::None | Link::Suspended(_) | Link::Missing => None,
        }
    }

    /// The facts that the root gives to a child.
    #[inline]
    #[must_use]
    pub fn root_facts(&self, calls: &Calls, earlier: &Earlier, root: RootRef) -> RootFacts {
        match root {
            RootRef::Booked(index) => earlier.parent_at(index).root,
            RootRef::Here(record) => root_facts(calls, record as usize),
        }
    }

    /// The scenario and parties of a record that is rated or free.
    ///
    /// Must inline, with its callees: returned through memory it causes a store-forwarding stall, 5
    /// % of a run.
    #[inline]
    #[must_use]
    pub fn scene(&self, calls: &Calls, earlier: &Earlier, record: usize) -> Option<Scene> {
        if !matches!(self.class[record], Class::Rated | Class::Free) {
            return None;
        }
        let Some(child) = self.child.get(calls.child[record] as usize) else {
            let root = root_facts(calls, record);
            let parties = Parties { a: root.a, b: root.b, c: None };
            return Some(Scene {
                scenario: Scenario::Root(root.direction),
                parties,
                root,
                parent: Sid::EMPTY,
                trunk: root.trunk,
            });
        };
        let child = (*child)?;
        let root = self.root_facts(calls, earlier, child.root);
        let parties = Parties { a: root.a, b: root.b, c: Some(child.c) };
        let trunk = billed_trunk(calls, record, &root);
        Some(Scene {
            scenario: Scenario::Transfer(child.scenario),
            parties,
            root,
            parent: root.sid,
            trunk,
        })
    }

    /// The booked call made from a record that is rated or free.
    ///
    /// # Panics
    /// If it is neither.
    #[must_use]
    pub fn booked(
        &self,
        calls: &Calls,
        earlier: &Earlier,
        tariff: &Tariff<'_>,
        trunks: &TrunkFacts<'_>,
        record: usize,
    ) -> Booked {
        let scene = self.scene(calls, earlier, record).expect("a booked record has a scene");
        let setting = trunks.get(trunk_of_transfer(calls, record, &scene)).caller_id;
        let Parties { a, b, c } = scene.parties;
        let direction = calls.direction[record];
        let child = calls.child_of(record).filter(|_| direction.as_str().is_empty());
        let priced =
            self.families.with_price(must_fit(record, "records are counted in 32 bits")) as usize;
        Booked {
            sid: calls.sid[record],
            parent: scene.parent,
            start: calls.start[record],
            end: calls.end[record],
            a,
            b,
            c,
            price: calls.price[priced].units(),
            content: calls.content[record],
            account: calls.account[record],
            trunk: scene.trunk,
            deck: tariff
                .deck_of(calls.account[record])
                .map_or(NONE, |(deck, _)| must_fit(deck, "decks are counted in 32 bits")),
            duration: calls.duration[record],
            child_direction: child.map_or(NONE, |child| child.direction),
            hits: self.hits(calls, record),
            direction,
            status: calls.status[record],
            scenario: scene.scenario,
            is_rated: self.class[record] == Class::Rated,
            shows_b: caller_id(scene.root.direction, setting, &scene.parties) == b && a != b,
        }
    }

    /// Asserts that every record has an end, and every suspended one a reason: no level was left
    /// out.
    fn check(&self, calls: &Calls) {
        let lengths = [self.class.len(), self.reason.len(), self.first.len()];
        assert_eq!(lengths, [calls.len(); 3], "every record has its end");
        assert_eq!(self.child.len(), calls.children.len(), "every child has its end");
        let mut ends = self.class.iter().zip(&self.reason);
        let has_reason = |(class, reason): (&Class, &Option<Reason>)| {
            (*class == Class::Suspended) == reason.is_some()
        };
        assert!(ends.all(has_reason), "what is suspended has a reason, and nothing else has");
    }

    /// The rows of a rated record's legs, in the order of the table's cells.
    #[inline]
    #[must_use]
    pub fn hits(&self, calls: &Calls, record: usize) -> [Hit; 2] {
        let second = self
            .child
            .get(calls.child[record] as usize)
            .copied()
            .flatten()
            .map(|child| child.second);
        // A root has one leg.
        [self.first[record], second.unwrap_or(Hit::NONE)]
    }

    /// Counts records and seconds, except for records that are counted elsewhere.
    #[must_use]
    pub fn tally(&self, calls: &Calls, retried: usize, is_away: impl Fn(usize) -> bool) -> Tally {
        assert_eq!(self.class.len(), calls.len(), "a night is counted with its own records");
        let mut tally = Tally::default();
        for (record, class) in self.class.iter().enumerate().filter(|(record, _)| !is_away(*record))
        {
            let seconds = calls.duration[record];
            let source = if record < retried { &mut tally.retried } else { &mut tally.read };
            source.add(seconds);
            match (record < retried, *class == Class::Suspended) {
                (false, true) => tally.new_in_suspense.add(seconds),
                (true, false) => tally.taken_up.add(seconds),
                _ => {}
            }
            tally.by_class[*class as usize].add(seconds);
        }
        tally
    }
}

/// The scenario and parties of a booked record.
#[derive(Debug, Clone, Copy)]
pub struct Scene {
    /// The scenario.
    pub scenario: Scenario,
    /// A, B and C.
    pub parties: Parties,
    /// The root.
    pub root: RootFacts,
    /// The id of the call that it is logged under: the root's, empty for a root.
    pub parent: Sid,
    /// Id of the trunk's text: the record's own, else the root's.
    pub trunk: u32,
}

/// The facts of a root.
///
/// # Panics
/// If it has no direction: [`settle_root`] suspends such roots.
#[inline]
fn root_facts(calls: &Calls, record: usize) -> RootFacts {
    RootFacts {
        sid: calls.sid[record],
        direction: calls.direction[record].side().expect("a root that was taken has a direction"),
        a: calls.from[record],
        b: calls.to[record],
        trunk: calls.trunk[record],
    }
}

/// The facts of each trunk that the transfer rules need, by the id of its text.
#[derive(Debug)]
pub struct TrunkFacts<'a>(Vec<TrunkFact<'a>>);

/// The facts of one trunk that the transfer rules need.
#[derive(Debug, Clone, Copy)]
pub struct TrunkFact<'a> {
    /// Its hosts.
    pub domain: TerminationDomain<'a>,
    /// The party whose caller ID it shows.
    pub caller_id: TransferCallerId,
    /// The transfers that it allows; `None` if a trunk list was given and lacks it.
    mode: Option<TransferMode>,
}

impl<'a> TrunkFacts<'a> {
    /// Looks up every trunk of the night once.
    #[must_use]
    pub fn of_all(calls: &Calls, tariff: &Tariff<'a>) -> Self {
        Self(calls.trunks.texts().map(|sid| TrunkFact::of(sid, tariff.trunks)).collect())
    }

    /// The facts of a trunk.
    #[must_use]
    pub fn get(&self, trunk: u32) -> TrunkFact<'a> {
        self.0[trunk as usize]
    }
}

impl<'a> TrunkFact<'a> {
    /// The facts of the trunk with this id.
    #[must_use]
    pub fn of(sid: &str, trunks: Option<&'a Trunks>) -> Self {
        let unlisted = Self {
            domain: TerminationDomain::AnyOfCarrier,
            caller_id: TransferCallerId::default(),
            mode: None,
        };
        let Some(trunks) = trunks else {
            return Self { mode: Some(TransferMode::EnableAll), ..unlisted };
        };
        trunks.get(sid).map_or(unlisted, |trunk| Self {
            domain: trunk
                .domain
                .as_deref()
                .map_or(TerminationDomain::None, TerminationDomain::Trunk),
            caller_id: trunk.caller_id,
            mode: Some(trunk.mode),
        })
    }

    fn refuses(&self, kind: TargetKind) -> Option<Reason> {
        match (self.mode, kind) {
            (None, _) => Some(Reason::UnknownTrunk),
            (Some(TransferMode::DisableAll), _) => Some(Reason::TransferDisabled),
            (Some(TransferMode::SipOnly), TargetKind::Pstn) => Some(Reason::PstnTransferDisabled),
            (Some(TransferMode::SipOnly), TargetKind::Sip) | (Some(TransferMode::EnableAll), _) => {
                None
            }
        }
    }
}

/// The trunk that a child is billed and logged under: its own; the root's if it names none. Not
/// [`settings_trunk`].
fn billed_trunk(calls: &Calls, record: usize, root: &RootFacts) -> u32 {
    let own = calls.trunk[record];
    if calls.trunks.is_empty_text(own) { root.trunk } else { own }
}

/// The trunk whose settings a child's transfer followed.
#[must_use]
pub fn trunk_of_transfer(calls: &Calls, record: usize, scene: &Scene) -> u32 {
    if scene.parties.c.is_some() {
        settings_trunk(calls, record, &scene.root)
    } else {
        calls.trunk[record]
    }
}
