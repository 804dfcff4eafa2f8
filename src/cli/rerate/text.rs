//! The price of one call, explained as text and as JSON.

use super::{ExplainedCall, LegText};
use crate::cli::term;
use crate::money::Total;
use crate::scenario::Scenario;
use crate::text::visible;
use crate::time;
use serde_json::{Value, json};
use std::fmt::Write as _;

fn published_row(scenario: Scenario) -> (String, String) {
    match scenario {
        Scenario::Root(direction) => (
            format!("{} A→B, not transferred or the parent of a transfer", direction.title()),
            format!("{} × its own duration", crate::table::root_leg(direction)),
        ),
        Scenario::Transfer(transfer) => {
            let row = transfer.row();
            let legs =
                row.child_bills.iter().map(ToString::to_string).collect::<Vec<_>>().join(" + ");
            (
                format!("{} A→B, transferred to {}", row.parent.title(), row.target_words),
                format!("{legs}, each × child duration; log {}", row.child_log),
            )
        }
    }
}

/// The answer as text.
pub fn as_text(case: &ExplainedCall) -> String {
    let mut out = String::new();
    let mut line = |text: String| out.push_str(&(text + "\n"));
    line(term::heading(&format!("call {}", visible(&case.sid))));
    line(format!("  account    {}", visible(&case.account)));
    line(format!(
        "  role       {}{}",
        case.role,
        if case.role == "child" { format!(" of {}", visible(&case.root)) } else { String::new() }
    ));
    line(format!("  started    {}, {}, {} s", time::text(case.start), case.status, case.duration));
    for words in &case.by_hand {
        line(format!("  by hand    {}", visible(words)));
    }
    for (letter, party) in
        ["A", "B", "C"].iter().zip(&case.parties).filter(|(_, party)| !party.is_empty())
    {
        line(format!("  {letter}          {}", visible(party)));
    }
    line(format!("  in the log {} → {}", visible(&case.log.0), visible(&case.log.1)));
    for [role, sid, way, seconds, amount] in &case.family {
        line(
            format!("  family     {role} {} {} {seconds} s {amount}", visible(sid), visible(way))
                .trim_end()
                .to_owned(),
        );
    }
    let (row, bills) = published_row(case.scenario);
    line(term::heading(&format!("scenario {}", case.scenario)));
    line(format!("  published  {row}"));
    line(format!("  bills      {bills}"));
    line(format!(
        "  deck       {} ({}), {}",
        visible(&case.deck),
        visible(&case.deck_source),
        case.currency
    ));
    for (number, leg) in (1..).zip(&case.legs) {
        out.push_str(&leg_lines(case, number, leg));
    }
    out.push_str(&total_lines(case));
    out
}

fn leg_lines(case: &ExplainedCall, number: usize, leg: &LegText) -> String {
    let mut out = format!("{}\n", term::heading(&format!("leg {number}: {}", leg.cell)));
    let _ = writeln!(out, "  from, to   {} → {}", visible(&leg.from), visible(&leg.to));
    let unknown =
        leg.unknown_because.as_ref().map(|why| format!(": {}", visible(why))).unwrap_or_default();
    let origin =
        if leg.origin.is_empty() { format!("unknown{unknown}") } else { leg.origin.clone() };
    let _ = writeln!(out, "  rated by   {}, origin {origin}", leg.rated);
    let Some(p) = &leg.priced else {
        let why = if case.bills {
            "the deck has no row for it: the call would be suspended as no-rate"
        } else {
            "nothing is billed: not answered, or 0 s"
        };
        let _ = writeln!(out, "  amount     {why}");
        return out;
    };
    let from = if p.origin_prefix.is_empty() {
        "any origin".to_owned()
    } else {
        format!("origin {}", p.origin_prefix)
    };
    let _ = writeln!(
        out,
        "  row        {} destination {}, {from}: {}",
        visible(&p.place),
        p.destination_prefix,
        visible(&p.description)
    );
    let _ = writeln!(
        out,
        "  seconds    {} s → {} s billed ({}/{}, minimum {} s)",
        case.duration, p.billed_seconds, p.initial, p.increment, p.minimum
    );
    let _ = writeln!(
        out,
        "  exact      {} + {} × {} / 60 = {} {}",
        p.fee, p.price, p.billed_seconds, p.exact, case.currency
    );
    let _ = writeln!(
        out,
        "  amount     {} {} ({} to {} decimals)",
        p.amount,
        case.currency,
        case.rule.rounding.as_str(),
        case.rule.decimals
    );
    out
}

/// What it would cost now, less what was booked; `None` where the two cannot be compared.
pub fn difference(case: &ExplainedCall) -> Option<Total> {
    let booked = case.booked.as_ref().filter(|booked| booked.currency == case.currency)?;
    Some(Total::from_units(case.total?.units() - booked.amount.units()))
}

fn total_lines(case: &ExplainedCall) -> String {
    let total = case.total.map_or_else(
        || "none: one leg has no rate".to_owned(),
        |total| format!("{total} {}", case.currency),
    );
    let mut out = format!("{} {total}\n", term::heading("total"));
    if let Some(booked) = &case.booked {
        let legs = booked.legs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" + ");
        let legs = if legs.is_empty() { String::new() } else { format!(" ({legs})") };
        let _ = writeln!(
            out,
            "  booked     {} {}{legs} in run {}",
            booked.amount, booked.currency, booked.run_id
        );
        let _ = match difference(case) {
            Some(difference) if difference == Total::default() => {
                writeln!(out, "  difference none")
            }
            Some(difference) => writeln!(out, "  difference {difference} {}", case.currency),
            None if booked.currency != case.currency => {
                writeln!(out, "  difference - (other currencies)")
            }
            None => writeln!(out, "  difference -"),
        };
        for (number, credit) in &booked.invoices {
            let credit =
                credit.as_ref().map(|credit| format!(", credited by {credit}")).unwrap_or_default();
            let _ = writeln!(out, "  invoiced   {number}{credit}");
        }
    }
    out
}

/// The answer as JSON.
pub fn as_json(case: &ExplainedCall) -> Value {
    let legs: Vec<Value> =
        (1..).zip(&case.legs).map(|(number, leg): (u32, _)| leg_json(number, leg)).collect();
    let of_family = |[role, sid, way, seconds, amount]: &[String; 5]| {
        let seconds = seconds.parse::<u64>().ok();
        json!({
            "role": role, "call_sid": sid, "log": way,
            "duration_seconds": seconds, "amount": amount,
        })
    };
    let family: Vec<Value> = case.family.iter().map(of_family).collect();
    let booked = case.booked.as_ref().map(|booked| {
        let on = |(number, credit): &(String, Option<String>)| {
            json!({"number": number, "credited_by": credit})
        };
        json!({
            "invoices": booked.invoices.iter().map(on).collect::<Vec<_>>(), "run_id": booked.run_id,
            "currency": booked.currency, "amount": booked.amount.to_string(),
            "legs": booked.legs.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    });
    let (row, bills) = published_row(case.scenario);
    let mut value = json!({
        "call_sid": case.sid, "account_sid": case.account, "role": case.role,
        "parent_call_sid": (case.role == "child").then(|| case.root.clone()),
        "scenario": case.scenario.as_str(), "published_row": row, "published_bills": bills,
        "a": case.parties[0], "b": case.parties[1], "c": case.parties[2],
        "log_from": case.log.0, "log_to": case.log.1, "start_time": time::text(case.start),
        "status": case.status, "duration_seconds": case.duration, "deck": case.deck,
        "currency": case.currency, "leg_decimals": case.rule.decimals,
        "leg_rounding": case.rule.rounding.as_str(), "family": family, "legs": legs,
        "amount": case.total.map(|total| total.to_string()), "booked": booked,
        "difference": difference(case).map(|d| d.to_string()),
    });
    if !case.by_hand.is_empty() {
        value["by_hand"] = json!(case.by_hand);
    }
    value
}

fn leg_json(number: u32, leg: &LegText) -> Value {
    let mut value = json!({
        "leg": number, "published": leg.cell, "leg_from": leg.from, "leg_to": leg.to,
        "rated_number": leg.rated, "origin_number": leg.origin,
        "origin_unknown_because": leg.unknown_because,
    });
    if let (Some(p), Some(object)) = (&leg.priced, value.as_object_mut()) {
        let more = json!({
            "deck_file": p.file, "deck_line": p.line, "description": p.description,
            "destination_prefix": p.destination_prefix, "origin_prefix": p.origin_prefix,
            "price_per_minute": p.price, "connection_fee": p.fee, "initial_increment": p.initial,
            "increment": p.increment, "minimum": p.minimum, "billed_seconds": p.billed_seconds,
            "exact_amount": p.exact, "amount": p.amount.to_string(),
        });
        if let Value::Object(more) = more {
            object.extend(more);
        }
    }
    value
}
