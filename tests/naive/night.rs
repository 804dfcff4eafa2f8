//! From records to outcomes: one run into an empty ledger.
//!
//! Naive: a record waits until its parent is decided, and the whole list is walked again until none
//! waits.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::call::{
    Call, is_direction_unknown, is_duration_invalid, is_field_missing, is_time_invalid,
};
use super::deck::{DeckRow, billed_seconds, find_rate, leg_amount};
use super::party::{
    Party, carrier_number, classify_target, is_at_internal_host, is_mangled, root_party,
    target_meaning, target_party,
};
use super::table::{Cell, TABLE, TableRow};
use super::{Leg, Log, Outcome, Policy, Record, Trunk};

/// What a run is rated with.
struct Night<'a> {
    deck: &'a [DeckRow],
    trunks: Option<&'a [Trunk]>,
    policy: &'a Policy,
    /// The latest start time of the run's sound records: one broken date must not age all that
    /// waits.
    latest_start: Option<DateTime<Utc>>,
    calls: Vec<Call>,
    /// Of each sid, the calls that count: neither ignored nor duplicate. More than one if they
    /// contradict each other.
    versions: BTreeMap<String, Vec<usize>>,
    /// The outcomes that are known so far.
    outcomes: Vec<Option<Outcome>>,
}

/// One outcome per record, in the same order. One run into an empty ledger.
pub fn rate_night(
    records: &[Record],
    deck: &[DeckRow],
    trunks: Option<&[Trunk]>,
    policy: &Policy,
) -> Vec<Outcome> {
    let calls: Vec<Call> = records.iter().map(Call::of).collect();
    let mut night = Night {
        deck,
        trunks,
        policy,
        latest_start: None,
        outcomes: vec![None; calls.len()],
        calls,
        versions: BTreeMap::new(),
    };
    let sound = |call: &&Call| {
        !is_field_missing(call)
            && !is_direction_unknown(call)
            && !is_time_invalid(call)
            && !is_duration_invalid(call, policy)
            && call.is_final()
    };
    night.latest_start =
        latest_believed(night.calls.iter().filter(sound).filter_map(Call::start).collect());
    night.set_ignored_aside();
    night.set_duplicates_aside();
    night.decide_all();
    // Every record has ended somewhere by now; a test says so.
    night
        .outcomes
        .into_iter()
        .map(|outcome| outcome.unwrap_or_else(|| Outcome::only("undecided")))
        .collect()
}

impl Night<'_> {
    fn undecided(&self) -> impl Iterator<Item = usize> {
        (0..self.calls.len()).filter(|at| self.outcomes[*at].is_none())
    }

    /// Step 1: roots that are no trunk calls, then whatever has such a parent and no other, until
    /// nothing is found.
    fn set_ignored_aside(&mut self) {
        for at in 0..self.calls.len() {
            let call = &self.calls[at];
            if call.is_of_other_direction() {
                self.outcomes[at] = Some(Outcome::only("ignored"));
            }
        }
        loop {
            let undecided_before = self.undecided().count();
            for at in 0..self.calls.len() {
                if self.outcomes[at].is_none() && self.has_only_ignored_parents(at) {
                    self.outcomes[at] = Some(Outcome::only("ignored"));
                }
            }
            if self.undecided().count() == undecided_before {
                return;
            }
        }
    }

    fn has_only_ignored_parents(&self, at: usize) -> bool {
        let parent_sid = &self.calls[at].parent_sid;
        let parents: Vec<usize> =
            (0..self.calls.len()).filter(|other| self.calls[*other].sid == *parent_sid).collect();
        !parent_sid.is_empty()
            && !parents.is_empty()
            && parents.iter().all(|parent| self.outcomes[*parent].is_some())
    }

    /// Step 2: a version that is not final gives way to one that is, and of equal versions the
    /// first stays.
    fn set_duplicates_aside(&mut self) {
        let undecided: Vec<usize> = self.undecided().collect();
        for &at in &undecided {
            let sid = &self.calls[at].sid;
            if sid.is_empty() {
                continue;
            }
            let same_sid: Vec<usize> =
                undecided.iter().copied().filter(|other| self.calls[*other].sid == *sid).collect();
            let is_superseded = !self.calls[at].is_final()
                && same_sid.iter().any(|other| self.calls[*other].is_final());
            let has_earlier_copy = same_sid.iter().any(|other| {
                *other < at && self.calls[*other].content() == self.calls[at].content()
            });
            if is_superseded || has_earlier_copy {
                self.outcomes[at] = Some(Outcome::only("duplicate"));
            } else {
                self.versions.entry(sid.clone()).or_default().push(at);
            }
        }
        // Versions that lack what others have, and contradict none, are the same call: the fullest
        // stays.
        for versions in self.versions.values_mut() {
            let calls: Vec<&Call> = versions.iter().map(|at| &self.calls[*at]).collect();
            if calls.len() > 1 && are_one_call(&calls, self.policy) {
                // The first of the fullest.
                let fullest = *versions
                    .iter()
                    .rev()
                    .max_by_key(|at| self.calls[**at].fullness())
                    .expect("some");
                for at in versions.iter().filter(|at| **at != fullest) {
                    self.outcomes[*at] = Some(Outcome::only("duplicate"));
                }
                *versions = vec![fullest];
            }
        }
    }

    /// Step 3: records are decided after their parents, so round after round decides more of them.
    fn decide_all(&mut self) {
        loop {
            let mut decided_one = false;
            for at in 0..self.calls.len() {
                if self.outcomes[at].is_none()
                    && let Some(outcome) = self.decide(at)
                {
                    self.outcomes[at] = Some(outcome);
                    decided_one = true;
                }
            }
            if !decided_one {
                return;
            }
        }
    }

    /// The outcome of a record, or None if its parent is to be decided first.
    fn decide(&self, at: usize) -> Option<Outcome> {
        let call = &self.calls[at];
        if let Some(reason) = self.reason_of_its_own(call) {
            return Some(Outcome::suspended(reason));
        }
        if call.is_root() {
            return Some(self.rate_root(call));
        }
        let parents = self.versions_of(&call.parent_sid);
        if parents.is_empty() {
            return Some(Outcome::suspended(self.parent_missing_or_never_arrived(call)));
        }
        if self.is_in_cycle(call) {
            return Some(Outcome::suspended("parent-cycle"));
        }
        // All, or none is known yet. Contradicting versions are all suspended.
        let decided: Vec<&Outcome> =
            parents.iter().filter_map(|parent| self.outcomes[*parent].as_ref()).collect();
        if decided.len() < parents.len() {
            return None;
        }
        if decided.iter().all(|parent| parent.is_suspended()) {
            return Some(Outcome::suspended("parent-suspended"));
        }
        Some(self.rate_child(call, &self.calls[parents[0]]))
    }

    fn versions_of(&self, sid: &str) -> &[usize] {
        self.versions.get(sid).map_or(&[], Vec::as_slice)
    }

    /// The first reason that holds and that no other call is needed for, but the other versions of
    /// this one.
    fn reason_of_its_own(&self, call: &Call) -> Option<&'static str> {
        if is_field_missing(call) {
            return Some("missing-field");
        }
        if is_direction_unknown(call) {
            return Some("unknown-direction");
        }
        if is_time_invalid(call) {
            return Some("invalid-time");
        }
        if is_duration_invalid(call, self.policy) {
            return Some("invalid-duration");
        }
        if !call.is_final() {
            return Some("not-final");
        }
        if self.versions_of(&call.sid).len() > 1 {
            return Some("conflicting-duplicate");
        }
        if call.is_root() && (call.party_b().rated.is_empty() || is_mangled(&call.from)) {
            return Some("invalid-number");
        }
        None
    }

    fn parent_missing_or_never_arrived(&self, call: &Call) -> &'static str {
        let waited = match (self.latest_start, call.start()) {
            (Some(latest), Some(start)) => latest - start,
            _ => TimeDelta::zero(),
        };
        let wait = i128::from(self.policy.parent_wait_days) * 86_400 * 1_000_000;
        let waited = i128::from(waited.num_microseconds().unwrap_or(i64::MAX));
        if waited > wait { "parent-never-arrived" } else { "parent-missing" }
    }

    /// Whether going from parent to parent comes back to this call.
    fn is_in_cycle(&self, call: &Call) -> bool {
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut to_visit: Vec<&str> = vec![&call.parent_sid];
        while let Some(sid) = to_visit.pop() {
            if sid == call.sid {
                return true;
            }
            if seen.insert(sid) {
                let parents =
                    self.versions_of(sid).iter().map(|at| self.calls[*at].parent_sid.as_str());
                to_visit.extend(parents.filter(|parent| !parent.is_empty()));
            }
        }
        false
    }

    /// Step 4 for a root: the parent cell of its service.
    fn rate_root(&self, call: &Call) -> Outcome {
        let Some(row) = TABLE.iter().find(|row| Some(row.parent) == call.service()) else {
            return Outcome::suspended("missing-field");
        };
        let (a, b) = (call.party_a(), call.party_b());
        let parties = Parties { a: &a, b: &b, c: None };
        let cells = CellsOf {
            role: "parent",
            scenario: row.parent,
            legs: &[row.parent_leg],
            log: row.parent_log,
            caller_id: &a.text,
        };
        self.book(call, &parties, &cells)
    }

    /// Step 4 for a child whose parent is not suspended.
    fn rate_child(&self, call: &Call, parent: &Call) -> Outcome {
        let reason = if parent.account_sid != call.account_sid {
            Some("parent-account-mismatch")
        } else if starts_too_early(call, parent) {
            Some("child-before-parent")
        } else if !parent.is_root() && !self.policy.chained_to_root {
            Some("chained-transfer")
        } else {
            None
        };
        if let Some(reason) = reason {
            return Outcome::suspended(reason);
        }
        let root = self.root_above(parent);
        let trunk_sid = if root.trunk_sid.is_empty() { &call.trunk_sid } else { &root.trunk_sid };
        let trunk =
            self.trunks.and_then(|trunks| trunks.iter().find(|trunk| trunk.sid == *trunk_sid));
        let written = if call.refer_to.is_empty() { &call.to } else { &call.refer_to };
        let is_at_internal_host = call.refer_to.is_empty() && is_at_internal_host(&call.to);
        let (kind, target) =
            match classify_target(written, trunk.map(|trunk| trunk.domain.as_str())) {
                Ok(_) if is_at_internal_host => return Outcome::suspended("ambiguous-target"),
                Ok(found) => found,
                Err(reason) => return Outcome::suspended(reason),
            };
        if let Some(reason) = self.transfer_refused(kind, trunk) {
            return Outcome::suspended(reason);
        }
        let Some(row) =
            TABLE.iter().find(|row| Some(row.parent) == root.service() && row.target == kind)
        else {
            return Outcome::suspended("invalid-target");
        };
        let (a, b, c) = (root.party_a(), root.party_b(), target_party(kind, &target));
        let parties = Parties { a: &a, b: &b, c: Some(&c) };
        let cells = CellsOf {
            role: "child",
            scenario: row.id,
            legs: row.child_legs,
            log: row.child_log,
            caller_id: caller_id(row, trunk, &parties),
        };
        self.book(call, &parties, &cells)
    }

    /// From parent to parent up to the root. A parent that is not suspended has one version, and no
    /// cycle above it.
    fn root_above<'a>(&'a self, parent: &'a Call) -> &'a Call {
        let mut root = parent;
        while let [above] = self.versions_of(&root.parent_sid) {
            root = &self.calls[*above];
        }
        root
    }

    fn transfer_refused(&self, kind: &str, trunk: Option<&Trunk>) -> Option<&'static str> {
        let Some(trunk) = trunk else {
            return self.trunks.is_some().then_some("unknown-trunk");
        };
        match canonical(&trunk.mode).as_str() {
            "disable-all" => Some("transfer-disabled"),
            "sip-only" if kind == "pstn" => Some("pstn-transfer-disabled"),
            _ => None,
        }
    }

    /// The legs and the log line of a record for which no reason holds but perhaps `no-rate`.
    fn book(&self, call: &Call, parties: &Parties, cells: &CellsOf) -> Outcome {
        let mut legs = Vec::new();
        let is_free = call.seconds_to_bill() == 0;
        if !is_free {
            for (number, (service, from, to)) in (1..).zip(cells.legs) {
                match self.rate_leg(call, number, service, parties, (*from, *to)) {
                    Some(leg) => legs.push(leg),
                    None => return Outcome::suspended("no-rate"),
                }
            }
        }
        let log = Log {
            role: cells.role.to_owned(),
            direction: call.direction.clone(),
            from: parties.get(cells.log.0).text,
            to: parties.get(cells.log.1).text,
            caller_id: cells.caller_id.to_owned(),
            amount: legs.iter().map(|leg| leg.amount).sum(),
        };
        Outcome {
            class: if is_free { "free" } else { "rated" }.to_owned(),
            reason: None,
            scenario: Some(cells.scenario.to_owned()),
            legs,
            log: Some(log),
        }
    }

    fn rate_leg(
        &self,
        call: &Call,
        leg: u8,
        service: &str,
        parties: &Parties,
        (from, to): (char, char),
    ) -> Option<Leg> {
        let is_withheld = from == 'A' && WITHHELD.contains(&parties.a.origin.as_str());
        let (mut from, to) = (parties.get(from), parties.get(to));
        if is_withheld {
            from.origin.clear();
        }
        // An origination is priced by the trunk's own number, whatever the cell shows.
        let rated_number =
            if service == "origination" { parties.b.rated.clone() } else { to.rated };
        let found = find_rate(self.deck, service, &rated_number, &from.origin, call.start()?)?;
        let row = found.row;
        let duration = call.seconds_to_bill();
        let billed = billed_seconds(duration, row.minimum, row.initial, row.increment);
        Some(Leg {
            leg,
            service: service.to_owned(),
            leg_from: from.text,
            leg_to: to.text,
            rated_number,
            origin_number: from.origin,
            duration,
            billed,
            price: row.price,
            fee: row.fee,
            destination_prefix: found.destination_prefix,
            origin_prefix: found.origin_prefix,
            deck_file: row.file.clone(),
            deck_line: row.line,
            amount: leg_amount(
                row.fee,
                row.price,
                billed,
                self.policy.leg_decimals,
                &self.policy.leg_rounding,
            ),
        })
    }
}

/// A and B of the root call, and C if there is a transfer.
struct Parties<'a> {
    a: &'a Party,
    b: &'a Party,
    c: Option<&'a Party>,
}

impl Parties<'_> {
    /// The party of a letter. No cell of a root names C.
    fn get(&self, letter: char) -> Party {
        match letter {
            'A' => self.a.clone(),
            'B' => self.b.clone(),
            _ => self.c.cloned().unwrap_or_else(|| root_party("")),
        }
    }
}

/// What the table says for one record.
struct CellsOf<'a> {
    role: &'a str,
    scenario: &'a str,
    legs: &'a [Cell],
    log: (char, char),
    caller_id: &'a str,
}

/// The transferee is the party that is transferred: B of a termination, A of an origination. The
/// transferor is the other one.
fn caller_id<'a>(row: &TableRow, trunk: Option<&Trunk>, parties: &Parties<'a>) -> &'a str {
    let shows_transferor =
        trunk.is_some_and(|trunk| canonical(&trunk.caller_id) == "from-transferor");
    match (row.parent, shows_transferor) {
        ("termination", false) | ("origination", true) => &parties.b.text,
        _ => &parties.a.text,
    }
}

fn canonical(word: &str) -> String {
    word.trim().to_ascii_lowercase().replace('_', "-")
}

/// What the carrier writes for a caller that is withheld: ANONYMOUS, RESTRICTED, BLOCKED, UNKNOWN,
/// UNAVAILABLE on a keypad.
const WITHHELD: [&str; 5] = ["+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253"];

/// The latest start of the largest cluster of starts; between clusters lies more than a year. Of
/// two as large the earlier.
fn latest_believed(mut starts: Vec<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    starts.sort();
    let mut clusters: Vec<Vec<DateTime<Utc>>> = Vec::new();
    for start in starts {
        let day = |time: &DateTime<Utc>| time.timestamp().div_euclid(86_400);
        let last = clusters.last().and_then(|cluster| cluster.last()).map(&day);
        match (last, clusters.last_mut()) {
            (Some(last), Some(cluster)) if day(&start) - last <= 366 => cluster.push(start),
            _ => clusters.push(vec![start]),
        }
    }
    let most = clusters.iter().map(Vec::len).max()?;
    clusters.into_iter().find(|cluster| cluster.len() == most)?.pop()
}

/// Whether no two versions say another thing: in each field they are equal, or one says nothing.
fn are_one_call(calls: &[&Call], policy: &Policy) -> bool {
    if !calls.iter().all(|call| call.is_final() && call.is_comparable(policy)) {
        return false;
    }
    let is_referred = |call: &Call| !call.is_root() && !call.refer_to.is_empty();
    if let Some(referred) = calls.iter().find(|call| is_referred(call))
        && !calls.iter().all(|call| is_referred(call) || has_target(call, &referred.refer_to))
    {
        return false;
    }
    let contents: Vec<Vec<String>> = calls.iter().map(|call| call.content()).collect();
    (0..contents[0].len()).all(|field| {
        let mut said =
            calls.iter().zip(&contents).filter(|(_, content)| !content[field].is_empty());
        let Some((first, first_content)) = said.next() else { return true };
        said.all(|(other, content)| {
            let is_same = content[field] == first_content[field];
            // The word of a root's direction that nobody knows is not compared with a child's.
            let is_known = first.service().is_some() || !first.is_root() && !other.is_root();
            // What is asked for is not known of a text that is no target.
            let is_target = classify_target(&first.refer_to, Some("none")) != Err("invalid-target");
            is_same && (field != DIRECTION || is_known) && (field != REFER_TO || is_target)
                || field == TO && ask_for_one_number(first, other)
        })
    })
}

/// Whether a record without a `refer_to` asks by its `to` for the target of one with it.
fn has_target(call: &Call, refer_to: &str) -> bool {
    if call.is_root() {
        let party = root_party(&call.to);
        let target = root_party(refer_to);
        let is_one = party.text == target.text || party.text == target_meaning(refer_to);
        return is_one && classify_target(refer_to, Some("none")).is_ok();
    }
    let is_target = classify_target(refer_to, Some("none")) != Err("invalid-target");
    is_target && target_meaning(&call.to) == target_meaning(refer_to)
        || carrier_number(&call.to).is_some()
            && carrier_number(&call.to) == carrier_number(refer_to)
}

/// The place of `direction` in [`Call::content`].
const DIRECTION: usize = 4;
/// The place of `to` in [`Call::content`].
const TO: usize = 6;
/// The place of `refer_to` in [`Call::content`].
const REFER_TO: usize = 11;

/// Two children without `refer_to` ask for one number: bare in one, at a host of the carrier in the
/// other.
fn ask_for_one_number(a: &Call, b: &Call) -> bool {
    let number = |call: &Call| {
        if call.is_root() || !call.refer_to.is_empty() { None } else { carrier_number(&call.to) }
    };
    number(a).is_some() && number(a) == number(b)
}

/// Over 60 s before its parent.
fn starts_too_early(call: &Call, parent: &Call) -> bool {
    match (call.start(), parent.start()) {
        (Some(child), Some(parent)) => parent - child > TimeDelta::seconds(60),
        _ => false,
    }
}
