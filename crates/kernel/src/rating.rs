//! Rating: from a call and its family to its legs, and from a leg to its amount.
//!
//! The same few functions serve the nightly batch, `rerate` and the tests. [`plan`] turns the cells
//! of the published table into legs between real parties; [`Deck::lookup`] finds the price (or, for
//! many legs at once, a batch of [`query`] values); [`charge`] multiplies and rounds once.
//!
//! **Invariant:** nothing here depends on a file, a thread or polars; nothing allocates except the
//! texts that are already there.

use crate::booked::Booked;
use crate::call::Calls;
use crate::deck::{Deck, Hit, Query, Rate, Rated};
use crate::intern::Interner;
use crate::money::{Amount, ExactAmount, LegRule, Overflow, exact_leg_amount, round_leg};
use crate::party::{FewNumbers, Number, Party, emergency_of_root};
use crate::party_ref::{AskedRef, PartyRef};
use crate::policy::{InternalTargets, Policy};
use crate::record::Field;
use crate::scenario::{Direction, Scenario};
use crate::status::Status;
use crate::table::{LegCell, Letter, LogCell, root_leg};
use crate::target::{Target, at_host, at_own_host, is_internal};
use crate::time::Micros;
use crate::trunk::{TerminationDomain, TransferCallerId};

/// A, B and C of a call. A root has no C.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parties {
    /// The root's `from`.
    pub a: PartyRef,
    /// The root's `to`.
    pub b: PartyRef,
    /// The transfer target.
    pub c: Option<PartyRef>,
}

impl Parties {
    /// The party of a letter.
    ///
    /// # Panics
    /// If C is asked of a root: no cell of a root names it.
    #[inline]
    #[must_use]
    pub fn get(&self, letter: Letter) -> PartyRef {
        match letter {
            Letter::A => self.a,
            Letter::B => self.b,
            Letter::C => self.c.expect("only a child's cells name C"),
        }
    }
}

/// A leg before it is priced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedLeg {
    /// The price list.
    pub service: Direction,
    /// The party at its start.
    pub from: PartyRef,
    /// The party at its end, as the cell says.
    pub to: PartyRef,
    /// The party that it is priced by.
    pub rated: Rated,
    /// The number that origin prefixes are matched against; `None` for an unknown origin.
    pub origin: Option<Number>,
}

/// The legs that a scenario bills.
#[inline]
#[must_use]
pub fn cells(scenario: Scenario) -> ([LegCell; 2], usize) {
    match scenario {
        Scenario::Root(direction) => ([root_leg(direction); 2], 1),
        Scenario::Transfer(transfer) => {
            let bills = transfer.row().child_bills;
            assert!(matches!(bills.len(), 1 | 2), "a row of the table bills one leg or two");
            ([bills[0], bills[bills.len() - 1]], bills.len())
        }
    }
}

/// The parties that the log shows for a scenario.
#[inline]
#[must_use]
pub fn log_cell(scenario: Scenario) -> LogCell {
    match scenario {
        Scenario::Root(_) => LogCell { from: Letter::A, to: Letter::B },
        Scenario::Transfer(transfer) => transfer.row().child_log,
    }
}

/// Puts the parties into a cell. `None` if the rated party is no number.
///
/// A termination is rated by the number it ends at; an origination always by B, the trunk's own
/// number. B of a termination may be an emergency number. Numbers that stand for a `withheld`
/// caller ([`crate::policy::Policy::withheld_numbers`]) are no origin when A is the caller.
#[inline]
#[must_use]
pub fn plan(
    cell: LegCell,
    parties: &Parties,
    texts: &Interner,
    withheld: &FewNumbers,
) -> Option<PlannedLeg> {
    let (from, to) = (parties.get(cell.from), parties.get(cell.to));
    let rated = match cell.service {
        Direction::Termination => rated_party(to, texts)?,
        Direction::Origination => Rated::Number(parties.b.as_number()?),
    };
    let origin =
        from.origin_number(texts).filter(|number| cell.from != Letter::A || !withheld.has(*number));
    Some(PlannedLeg { service: cell.service, from, to, rated, origin })
}

#[inline]
fn rated_party(party: PartyRef, texts: &Interner) -> Option<Rated> {
    if let Some(number) = party.as_number() {
        return Some(Rated::Number(number));
    }
    match party.unpack(texts) {
        Party::Unknown(text) | Party::Endpoint(text) => {
            emergency_of_root(&text).map(Rated::Emergency)
        }
        Party::Number(number) => Some(Rated::Number(number)),
    }
}

/// The deck query for a planned leg at the call's start.
#[inline]
#[must_use]
pub fn query<'a>(deck: &'a Deck, leg: &PlannedLeg, start: Micros) -> Query<'a> {
    Query { deck, service: leg.service, rated: leg.rated, origin: leg.origin, at: start }
}

/// The row of a planned leg at the call's start.
#[must_use]
pub fn find_rate(deck: &Deck, leg: &PlannedLeg, start: Micros) -> Option<Hit> {
    deck.lookup(leg.service, leg.rated, leg.origin, start)
}

/// True if a call bills at all.
#[inline]
#[must_use]
pub fn bills(status: Status, duration_seconds: u32) -> bool {
    status == Status::Completed && duration_seconds > 0
}

/// The working of one leg, from seconds to money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// Seconds rounded up to the deck's billing increments.
    pub billed_seconds: u32,
    /// Fee + price × billed seconds / 60.
    pub exact: ExactAmount,
    /// The exact amount, rounded once.
    pub amount: Amount,
}

/// Multiplies and rounds.
///
/// # Errors
/// [`Overflow`]: seconds or amount do not fit; nothing is booked then.
#[inline]
pub fn charge(rate: &Rate, duration_seconds: u32, rule: LegRule) -> Result<Charge, Overflow> {
    let billed_seconds = rate.increments.billed(duration_seconds).ok_or(Overflow)?;
    assert!(billed_seconds >= duration_seconds, "increments only round up");
    let exact = exact_leg_amount(rate.price, rate.fee, billed_seconds)?;
    Ok(Charge { billed_seconds, exact, amount: round_leg(exact, rule)? })
}

/// A leg that is booked, with its working.
#[derive(Debug, Clone, Copy)]
pub struct BookedLeg<'a> {
    /// The leg between real parties.
    pub plan: PlannedLeg,
    /// Its winning row.
    pub hit: Hit,
    /// The row itself.
    pub rate: &'a Rate,
    /// Seconds and money.
    pub charge: Charge,
}

/// The legs of a booked call, in the order of the table's cells; none of a free one.
///
/// # Errors
/// [`Overflow`] if an amount does not fit.
///
/// # Panics
/// If the call was settled with other decks.
#[inline]
pub fn booked_legs<'a>(
    call: &Booked,
    decks: &'a [Deck],
    policy: &Policy,
    texts: &Interner,
) -> Result<[Option<BookedLeg<'a>>; 2], Overflow> {
    let mut legs = [None, None];
    if !call.is_rated {
        return Ok(legs);
    }
    let deck = &decks[call.deck as usize];
    let parties = Parties { a: call.a, b: call.b, c: call.c };
    let (cells, count) = cells(call.scenario);
    assert!(count == 1 || call.c.is_some(), "only a child has a second leg");
    for ((leg, cell), hit) in legs.iter_mut().zip(&cells[..count]).zip(call.hits) {
        let plan = plan(*cell, &parties, texts, &policy.withheld_numbers);
        let plan =
            plan.expect("a rated call has a plan for each leg: the same function settled it");
        let rate = deck.rate(hit);
        *leg = Some(BookedLeg {
            plan,
            hit,
            rate,
            charge: charge(rate, call.duration, policy.leg_rule)?,
        });
    }
    Ok(legs)
}

/// The party whose number the target of a transfer was shown; a root shows its own `from`.
#[must_use]
pub fn caller_id(direction: Direction, setting: TransferCallerId, parties: &Parties) -> PartyRef {
    if parties.c.is_none() {
        return parties.a;
    }
    // The transferor is the trunk's side: A of a termination, B of an origination.
    match (direction, setting) {
        (Direction::Termination, TransferCallerId::FromTransferee)
        | (Direction::Origination, TransferCallerId::FromTransferor) => parties.b,
        (Direction::Termination, TransferCallerId::FromTransferor)
        | (Direction::Origination, TransferCallerId::FromTransferee) => parties.a,
    }
}

/// The target of a child, at a trunk with this termination domain.
#[must_use]
pub fn settle_target<'a>(
    calls: &'a Calls,
    record: usize,
    domain: TerminationDomain<'_>,
    policy: &Policy,
) -> Target<'a> {
    let child = calls.child_of(record).expect("only a child has a target");
    match child.asked {
        AskedRef::Number(number) => Target::Pstn(number),
        AskedRef::Emergency(emergency) => Target::Emergency(emergency),
        AskedRef::Sip(endpoint, user) => {
            let endpoint = calls.parties.text(endpoint);
            let is_internal = !calls.filled[record].has(Field::ReferTo)
                && is_internal(endpoint, &policy.internal_hosts);
            match (is_internal, policy.internal_targets) {
                (true, InternalTargets::Suspend) => Target::Ambiguous,
                (true, InternalTargets::Pstn) => at_own_host(user),
                (true, InternalTargets::Sip) | (false, _) => at_host(endpoint, user, domain),
            }
        }
        AskedRef::Invalid => Target::Invalid(String::new()),
    }
}

/// The party of a settled target.
#[must_use]
pub fn target_party(asked: AskedRef, target: &Target<'_>) -> Option<PartyRef> {
    match (target, asked) {
        (Target::Pstn(number), _) => Some(PartyRef::number(*number)),
        (Target::Sip(_), AskedRef::Sip(endpoint, _)) => Some(PartyRef::endpoint(endpoint)),
        _ => None,
    }
}
