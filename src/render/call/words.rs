//! A call that was explained, in words for the customer.
//!
//! **Invariant:** the page says what was booked, and no name that only we know: no run, no file of
//! a deck, no reason of suspense, no scenario's id.

use super::{CallPage, LegView, why_open};
use crate::deck::Increments;
use crate::ledger::index::unbooked::{State, Unbooked};
use crate::reject::Reason;
use crate::report::explained::{ExplainedCall, LegText, PricedText};
use crate::scenario::{Direction, Scenario};
use crate::status::Status;
use crate::time::local::Clock;

/// The page of a call that is not booked.
#[must_use]
pub fn page_of_unbooked(call: &Unbooked, account: &str, clock: &Clock) -> CallPage {
    let note = match &call.state {
        State::Waiting(reason, _) => {
            let why = Reason::parse(reason).map_or("", why_open);
            format!("This call has not been priced yet, and nothing has been charged for it. {why}")
        }
        State::Ignored(_) => {
            "This call did not go over a trunk, and is not part of this service's charges."
                .to_owned()
        }
    };
    let parties = [("Caller", &call.from), ("Called", &call.to)];
    let mut facts = Vec::new();
    if let Some(start) = call.start {
        facts.push(("Started".to_owned(), local(clock, start)));
    }
    facts.extend(
        parties
            .into_iter()
            .filter(|(_, party)| !party.is_empty())
            .map(|(name, party)| (name.to_owned(), party.clone())),
    );
    CallPage {
        title: title(call.start, clock),
        account: account.to_owned(),
        sentences: Vec::new(),
        facts,
        legs: Vec::new(),
        total: None,
        notes: vec![note.trim().to_owned()],
        reference: call.call_sid.clone(),
    }
}

fn title(start: Option<i64>, clock: &Clock) -> String {
    start.map_or_else(|| "A call".to_owned(), |start| format!("Call of {}", clock.text(start)))
}

fn local(clock: &Clock, micros: i64) -> String {
    let offset = clock.offset(micros);
    let text = clock.text(micros);
    let bare = text.strip_suffix(&offset).map_or(text.as_str(), str::trim_end);
    format!("{bare} {offset} ({})", clock.zone_name())
}

/// The page of a booked call.
#[must_use]
pub fn page_of(case: &ExplainedCall, account: &str, clock: &Clock) -> CallPage {
    let [a, b, c] = &case.parties;
    let mut facts = vec![
        ("Started".to_owned(), local(clock, case.start)),
        ("Lasted".to_owned(), length(case.duration)),
        ("Caller (A)".to_owned(), shown(a)),
        ("Called (B)".to_owned(), shown(b)),
    ];
    if !c.is_empty() {
        facts.push(("Transferred to (C)".to_owned(), c.clone()));
    }
    let legs = (1..)
        .zip(&case.legs)
        .filter_map(|(number, leg)| Some(leg_of(number, case, leg, leg.priced.as_ref()?)));
    let mut notes = Vec::new();
    if !case.bills {
        notes.push(match Status::parse(&case.status) {
            Status::Completed => "The call lasted 0 seconds: nothing is charged.".to_owned(),
            _ => "The call was not answered: nothing is charged.".to_owned(),
        });
    }
    if !case.family.is_empty() {
        notes.push(
            "A transferred call has several parts, each of which is priced by itself. This page \
             is about one of them."
                .to_owned(),
        );
    }
    CallPage {
        title: title(Some(case.start), clock),
        account: account.to_owned(),
        sentences: sentences(case, &shown(a), &shown(b), c),
        facts,
        legs: legs.collect(),
        total: case.total.map(|total| (total.to_string(), case.currency.clone())),
        notes,
        reference: case.sid.clone(),
    }
}

/// The facts of a call, a sentence each.
#[must_use]
pub fn sentences_of(case: &ExplainedCall) -> Vec<String> {
    let [a, b, c] = &case.parties;
    sentences(case, &shown(a), &shown(b), c)
}

fn shown(party: &str) -> String {
    if party.is_empty() { "withheld".to_owned() } else { party.to_owned() }
}

/// The kind of call.
fn sentences(case: &ExplainedCall, a: &str, b: &str, c: &str) -> Vec<String> {
    let way = match case.scenario {
        Scenario::Root(direction) => direction,
        Scenario::Transfer(transfer) => transfer.row().parent,
    };
    let first = match way {
        Direction::Termination => {
            format!("The call was made over your line: {a} called {b}.")
        }
        Direction::Origination => format!("The call came in to your line: {a} called {b}."),
    };
    let mut all = vec![first];
    if !c.is_empty() {
        all.push(format!(
            "It was then transferred to {c}, and this part is the call that the transfer made."
        ));
        if case.legs.len() > 1 {
            all.push(
                "While the transferred call lasts, both of its connections are open: each is \
                 priced for the same time."
                    .to_owned(),
            );
        }
    }
    all
}

/// A leg as a sentence and as arithmetic.
#[must_use]
pub fn leg_of(number: usize, case: &ExplainedCall, leg: &LegText, priced: &PricedText) -> LegView {
    let currency = &case.currency;
    let party =
        |text: &String| if text.is_empty() { "a withheld caller".to_owned() } else { text.clone() };
    let increments = Increments {
        initial: priced.initial,
        increment: priced.increment,
        minimum: priced.minimum,
    };
    let mut steps = vec![format!(
        "{} s of talking, {}: {} s",
        case.duration,
        counted(&increments),
        priced.billed_seconds
    )];
    let has_fee = !priced.fee.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    let fee = if has_fee { format!("{} {currency} + ", priced.fee) } else { String::new() };
    steps.push(format!(
        "{fee}{} s ÷ 60 × {} {currency} = {} {currency}",
        priced.billed_seconds, priced.price, priced.exact
    ));
    let amount = priced.amount.to_string();
    if amount != priced.exact {
        steps.push(format!("rounded to {} decimals: {amount} {currency}", case.rule.decimals));
    }
    let fee = if has_fee {
        format!(", and {} {currency} for the connection", priced.fee)
    } else {
        String::new()
    };
    LegView {
        number,
        sentence: format!(
            "The connection from {} to {} is “{}”: {} {currency} a minute{fee}.",
            party(&leg.from),
            party(&leg.to),
            priced.description,
            priced.price
        ),
        steps,
        amount,
        currency: currency.clone(),
    }
}

/// The rule that counts the seconds of a call.
fn counted(increments: &Increments) -> String {
    let Increments { initial, increment, minimum } = increments;
    let steps = if initial == increment {
        match increment {
            0 | 1 => "counted by the second".to_owned(),
            60 => "counted in whole minutes".to_owned(),
            increment => format!("counted in steps of {increment} s"),
        }
    } else {
        format!("counted as {initial} s at first, then in steps of {increment} s")
    };
    match minimum {
        0 => steps,
        minimum => format!("{steps}, at least {minimum} s"),
    }
}

/// A length in words: `10 min 1 s`.
#[must_use]
pub fn length(seconds: u32) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let parts = [(hours, "h"), (minutes, "min"), (rest, "s")];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, unit)| format!("{number} {unit}"))
        .collect();
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_in_words() {
        let table = [(0, "0 s"), (61, "1 min 1 s"), (3600, "1 h"), (36_605, "10 h 10 min 5 s")];
        for (seconds, words) in table {
            assert_eq!(length(seconds), words);
        }
    }

    #[test]
    fn increments_in_words() {
        let of = |initial, increment, minimum| counted(&Increments { initial, increment, minimum });
        assert_eq!(of(60, 60, 0), "counted in whole minutes");
        assert_eq!(of(1, 1, 0), "counted by the second");
        assert_eq!(of(6, 6, 30), "counted in steps of 6 s, at least 30 s");
        assert_eq!(of(90, 60, 0), "counted as 90 s at first, then in steps of 60 s");
    }
}
