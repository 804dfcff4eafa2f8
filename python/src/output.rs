//! Rows from the kernel's verdicts: legs, call log, and the facts that later nights need.

use crate::Problem;
use crate::table::{RowWriter, TableWriter};
use trunkrate_kernel::booked::Booked;
use trunkrate_kernel::call::{Calls, NONE};
use trunkrate_kernel::deck::Deck;
use trunkrate_kernel::money::Total;
use trunkrate_kernel::night::{Class, Scene};
use trunkrate_kernel::party_ref::PartyRef;
use trunkrate_kernel::rating::{BookedLeg, Parties, log_cell};
use trunkrate_kernel::status::DirectionField;

fn party(row: &mut RowWriter<'_>, party: PartyRef, calls: &Calls) {
    row.written(|out| party.push_to(&calls.parties, out));
}

/// Writes a prefix, whose bytes are all digits.
fn digits(row: &mut RowWriter<'_>, write: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = Vec::new();
    write(&mut bytes);
    row.text(std::str::from_utf8(&bytes).unwrap_or_default());
}

/// Writes one leg of a call, with its number from 1.
pub fn leg(
    rows: &mut TableWriter,
    call: &Booked,
    number: i64,
    leg: &BookedLeg<'_>,
    calls: &Calls,
    decks: &[Deck],
) {
    let (deck, rate) = (&decks[call.deck as usize], leg.rate);
    let row = &mut rows.row();
    row.written(|out| calls.odd_sids.text(call.sid).push_to(out));
    row.written(|out| calls.odd_sids.text(call.parent).push_to(out));
    row.text(calls.accounts.text(call.account)).text(calls.trunks.text(call.trunk));
    row.text(call.scenario.as_str()).integer(number).text(leg.plan.service.as_str());
    party(row, leg.plan.from, calls);
    party(row, leg.plan.to, calls);
    row.text(&leg.plan.rated.to_string());
    row.text(&leg.plan.origin.map(|number| number.to_string()).unwrap_or_default());
    row.instant(call.start)
        .integer(i64::from(call.duration))
        .integer(i64::from(leg.charge.billed_seconds));
    row.decimal(rate.price.units()).decimal(rate.fee.units());
    digits(row, |out| leg.hit.push_destination_prefix(leg.plan.rated, out));
    digits(row, |out| leg.hit.push_origin_prefix(leg.plan.origin, out));
    row.text(&rate.description)
        .text(&deck.name)
        .text(&deck.files[rate.file as usize])
        .integer(i64::from(rate.line));
    row.text(&deck.currency).decimal(leg.charge.amount.units());
}

/// Writes a call's row of the log.
pub fn log(
    rows: &mut TableWriter,
    call: &Booked,
    total: Total,
    calls: &Calls,
    decks: &[Deck],
) -> Result<(), Problem> {
    let (cell, parties) = (log_cell(call.scenario), Parties { a: call.a, b: call.b, c: call.c });
    let amount = i64::try_from(total.units()).map_err(|_| too_large(call, calls))?;
    let row = &mut rows.row();
    row.written(|out| calls.odd_sids.text(call.sid).push_to(out));
    row.written(|out| calls.odd_sids.text(call.parent).push_to(out));
    row.text(calls.accounts.text(call.account)).text(calls.trunks.text(call.trunk));
    row.text(if call.c.is_some() { "child" } else { "parent" }).text(call.scenario.as_str());
    row.text(match call.direction {
        DirectionField::Termination | DirectionField::Origination => call.direction.as_str(),
        _ if call.child_direction == NONE => "",
        _ => calls.directions.text(call.child_direction),
    });
    party(row, parties.get(cell.from), calls);
    party(row, parties.get(cell.to), calls);
    party(row, if call.shows_b { call.b } else { call.a }, calls);
    row.instant(call.start).instant(Some(call.end).filter(|end| *end != Calls::NO_TIME));
    row.integer(i64::from(call.duration)).text(call.status.as_str());
    row.text(if call.is_rated { Class::Rated } else { Class::Free }.as_str());
    row.text(decks.get(call.deck as usize).map_or("", |deck| &deck.currency));
    row.decimal(amount).decimal(call.price);
    Ok(())
}

/// The problem of an amount that does not fit.
pub fn too_large(call: &Booked, calls: &Calls) -> Problem {
    let sid = calls.odd_sids.text(call.sid);
    Problem(format!(
        "the amount of the call {sid} is too large to be kept exactly; look at its deck's prices"
    ))
}

/// Writes the facts of a booked call that later nights need.
pub fn known(rows: &mut TableWriter, call: &Booked, scene: &Scene, calls: &Calls) {
    let root = &scene.root;
    let row = &mut rows.row();
    row.written(|out| calls.odd_sids.text(call.sid).push_to(out));
    row.integer(i64::from_ne_bytes(call.content.to_ne_bytes())).decimal(call.price).flag(false);
    row.text(calls.accounts.text(call.account)).instant(call.start).flag(call.c.is_some());
    row.written(|out| calls.odd_sids.text(root.sid).push_to(out));
    row.text(DirectionField::from(root.direction).as_str());
    party(row, root.a, calls);
    party(row, root.b, calls);
    row.text(calls.trunks.text(root.trunk)).text(calls.trunks.text(call.trunk));
    match call.c {
        Some(target) => party(row, target, calls),
        None => _ = row.text(""),
    }
    row.instant((call.end != Calls::NO_TIME).then_some(call.end))
        .integer(i64::from(call.duration))
        .text(call.status.as_str());
}

/// Writes that a call was ignored, which later decides about its copies and its children.
pub fn ignored(rows: &mut TableWriter, calls: &Calls, record: usize) {
    let row = &mut rows.row();
    row.written(|out| calls.sid_text(record).push_to(out))
        .integer(None)
        .decimal(None)
        .flag(true)
        .nothing_more();
}
