//! Versions of one call: decides if they contradict each other, or if one only lacks fields of the
//! other.
//!
//! Two exports of one carrier are seldom alike: the console's has no trunk, a page lacks the end of
//! a call that a bulk export has. Such versions are one call, and the fullest counts. Versions that
//! contradict each other are a conflict.
//!
//! **Invariant:** the answer does not depend on the order of the versions. Time is linear in their
//! number.

use super::{BookedVersion, Earlier};
use crate::call::{Calls, NONE};
use crate::party::endpoint_host;
use crate::party_ref::{AskedRef, PartyRef, hash_of};
use crate::policy::INTERNAL_HOSTS;
use crate::record::Field;
use crate::reject::Reason;
use crate::status::DirectionField;
use crate::target::{UserPart, is_internal};
use crate::trunk::TerminationDomain;
use std::collections::HashSet;

/// True if no two of some records contradict each other.
pub(super) fn are_one(calls: &Calls, records: &[u32]) -> bool {
    let mut seen = HashSet::new();
    let versions: Vec<usize> = records
        .iter()
        .map(|record| *record as usize)
        .filter(|record| seen.insert(calls.content[*record]))
        .collect();
    if !versions.iter().all(|record| is_comparable(calls, *record)) {
        return false;
    }
    // In a version without a `refer_to` the `to` is the target: it may not be another one.
    let referred = versions.iter().copied().find(|record| is_referred(calls, *record));
    if referred.is_some_and(|referred| {
        !versions.iter().all(|record| have_target_of(calls, *record, referred))
    }) {
        return false;
    }
    // For each field the first version that has it: all others must agree.
    Field::ALL.into_iter().all(|field| {
        let mut having = versions.iter().copied().filter(|record| calls.filled[*record].has(field));
        let Some(first) = having.next() else { return true };
        having.all(|other| say_the_same(calls, first, other, field))
    })
}

/// True if a record says nothing that a fuller one does not say, and lacks something that it says.
/// The fuller one may be invalid itself: a field of it that cannot be read does not replace one
/// that can be read in the other.
pub(super) fn only_lacks(calls: &Calls, record: u32, fuller: u32) -> bool {
    let (record, fuller) = (record as usize, fuller as usize);
    let filled =
        |record: usize| calls.filled[record].without(Field::Price).without(Field::PriceUnit);
    let (own, more) = (filled(record), filled(fuller));
    own != more
        && own.union(more) == more
        && Field::ALL
            .into_iter()
            .filter(|field| own.has(*field))
            .all(|field| say_the_same(calls, record, fuller, field))
}

/// True if the values of a record's fields were read; those of a field that could not be read are
/// stand-ins.
fn is_comparable(calls: &Calls, record: usize) -> bool {
    match calls.reason[record] {
        None | Some(Reason::MissingField | Reason::UnknownDirection | Reason::NotFinal) => true,
        // A completed call without a duration.
        Some(Reason::InvalidDuration) => !calls.filled[record].has(Field::Duration),
        Some(_) => false,
    }
}

/// True if two records that both have a field agree on it.
fn say_the_same(calls: &Calls, a: usize, b: usize, field: Field) -> bool {
    match field {
        Field::Sid | Field::Price | Field::PriceUnit => true,
        Field::ParentCallSid => parent(calls, a) == parent(calls, b),
        Field::AccountSid => calls.account[a] == calls.account[b],
        Field::TrunkSid => calls.trunk[a] == calls.trunk[b],
        Field::Direction => {
            calls.direction[a] == calls.direction[b] && name_one_direction(calls, a, b)
        }
        Field::From => own_party(calls, a, 0) == own_party(calls, b, 0),
        Field::To => {
            own_party(calls, a, 1) == own_party(calls, b, 1) || have_one_target(calls, a, b)
        }
        Field::StartTime => calls.start[a] == calls.start[b],
        Field::EndTime => calls.end[a] == calls.end[b],
        Field::AnswerTime => calls.answer[a] == calls.answer[b],
        Field::Duration => calls.duration[a] == calls.duration[b],
        Field::Status => calls.status[a] == calls.status[b],
        Field::ReferTo => match (asked(calls, a), asked(calls, b)) {
            (Some(a), Some(b)) => a == b && a != AskedRef::Invalid,
            // A root's `refer_to` says nothing.
            _ => true,
        },
    }
}

/// True if two records with the same [`DirectionField`] have one word for it.
fn name_one_direction(calls: &Calls, a: usize, b: usize) -> bool {
    let word = |record: usize| calls.child_of(record).map(|child| child.direction);
    calls.direction[a].side().is_some() || word(a).is_some() && word(a) == word(b)
}

fn parent(calls: &Calls, record: usize) -> Option<crate::sid::Sid> {
    calls.child_of(record).map(|child| child.parent)
}

fn asked(calls: &Calls, record: usize) -> Option<AskedRef> {
    calls.child_of(record).map(|child| child.asked)
}

/// A hash of the `from` (0) or `to` (1) of a record, root or child.
fn own_party(calls: &Calls, record: usize, which: usize) -> u32 {
    if let Some(child) = calls.child_of(record) {
        return child.own_parties[which];
    }
    let party = if which == 0 { calls.from[record] } else { calls.to[record] };
    let mut text = String::new();
    party.push_to(&calls.parties, &mut text);
    hash_of(&text)
}

fn is_referred(calls: &Calls, record: usize) -> bool {
    calls.child[record] != NONE && calls.filled[record].has(Field::ReferTo)
}

/// True if a record has the target of a child with a `refer_to`, or a `refer_to` of its own.
fn have_target_of(calls: &Calls, record: usize, referred: usize) -> bool {
    if is_referred(calls, record) {
        return true;
    }
    let wanted = asked(calls, referred).expect("a child asks for something");
    match asked(calls, record) {
        Some(asked) => {
            asked == wanted && asked != AskedRef::Invalid
                || carrier_number(calls, asked).is_some()
                    && carrier_number(calls, asked) == carrier_number(calls, wanted)
        }
        None => match wanted {
            AskedRef::Number(number) => calls.to[record] == PartyRef::number(number),
            AskedRef::Sip(endpoint, user) => {
                let number = if let UserPart::Number(number) = user {
                    Some(PartyRef::number(number))
                } else {
                    None
                };
                calls.to[record] == PartyRef::endpoint(endpoint) || Some(calls.to[record]) == number
            }
            AskedRef::Emergency(_) | AskedRef::Invalid => false,
        },
    }
}

/// True if the `to` of two children asks for one number: bare in one, and at a host of the carrier
/// in the other.
fn have_one_target(calls: &Calls, a: usize, b: usize) -> bool {
    let number = |record: usize| {
        let is_of_to = !calls.filled[record].has(Field::ReferTo);
        asked(calls, record).filter(|_| is_of_to).and_then(|asked| carrier_number(calls, asked))
    };
    number(a).is_some() && number(a) == number(b)
}

/// The number that a target asks for, bare or at a host of the carrier.
fn carrier_number(calls: &Calls, asked: AskedRef) -> Option<PartyRef> {
    match asked {
        AskedRef::Number(number) => Some(PartyRef::number(number)),
        AskedRef::Sip(endpoint, UserPart::Number(number)) => {
            let endpoint = calls.parties.text(endpoint);
            let is_at_carrier = TerminationDomain::AnyOfCarrier.contains(endpoint_host(endpoint))
                || is_internal(endpoint, &INTERNAL_HOSTS.map(str::to_owned));
            is_at_carrier.then(|| PartyRef::number(number))
        }
        AskedRef::Sip(..) | AskedRef::Emergency(_) | AskedRef::Invalid => None,
    }
}

/// The fullness of a record: first by the fields that decide a bill (parent, target, caller,
/// trunk), then by the number of fields, and last by the set of them.
pub(super) fn fullness(calls: &Calls, record: usize) -> ([bool; 5], u32, u16) {
    let is_child = calls.child[record] != NONE;
    // A root's refer_to says nothing.
    let filled =
        if is_child { calls.filled[record] } else { calls.filled[record].without(Field::ReferTo) };
    let is_plain = matches!(asked(calls, record), Some(AskedRef::Number(_)));
    let fields = filled.without(Field::Price).without(Field::PriceUnit);
    let decisive = [
        is_child,
        filled.has(Field::ReferTo),
        is_plain,
        filled.has(Field::From),
        filled.has(Field::TrunkSid),
    ];
    (decisive, fields.len(), fields.bits())
}

/// True if a record says nothing else than the log says of the booked call with its id.
///
/// A field that the booked call lacks and that decides the bill (the parent, the caller) counts as
/// a difference: the call is billed already, and its new price must be looked at.
pub(super) fn is_of_booked(
    calls: &Calls,
    record: usize,
    booked: &BookedVersion,
    earlier: &Earlier,
) -> bool {
    let has = |field: Field| calls.filled[record].has(field);
    let is_same = is_comparable(calls, record)
        && (!has(Field::AccountSid) || calls.account[record] == booked.account)
        && (!has(Field::StartTime) || calls.start[record] == booked.start)
        && (!has(Field::Status) || calls.status[record] == booked.status)
        && (!has(Field::Duration) || calls.duration[record] == booked.duration)
        && (!has(Field::EndTime)
            || booked.end == Calls::NO_TIME
            || calls.end[record] == booked.end)
        && (!has(Field::TrunkSid)
            || calls.trunks.is_empty_text(booked.trunk)
            || calls.trunk[record] == booked.trunk);
    if !is_same {
        return false;
    }
    match calls.child_of(record) {
        Some(child) => {
            let target = match child.asked {
                AskedRef::Sip(endpoint, _) if PartyRef::endpoint(endpoint) == booked.to => {
                    Some(booked.to)
                }
                asked => carrier_number(calls, asked),
            };
            // The log names the root as the parent, also where that is a child itself.
            let is_of_parent = child.parent == booked.parent
                || earlier.root_of(child.parent) == Some(booked.parent);
            is_of_parent && target == Some(booked.to)
        }
        // As a root's party a SIP URI with a number is that number; as a target it may be an
        // endpoint.
        None if !booked.parent.is_empty() => {
            let to = calls.to[record];
            to == booked.to
                || to.as_number().is_some()
                    && to.as_number() == booked.to.origin_number(&calls.parties)
        }
        None => {
            let direction = calls.direction[record];
            (!has(Field::From) || calls.from[record] == booked.from)
                && (!has(Field::To) || calls.to[record] == booked.to)
                && (direction == DirectionField::Empty || direction == booked.direction)
        }
    }
}
