//! The second rater: rates a call again, from the call log and the archived decks.
//!
//! # Why
//! A ledger that is checked by the code that wrote it proves only that the code agrees with itself.
//! This module knows the published rules and nothing else: it uses no other part of the program.
//! The kernel is built for speed over many calls, this module for its reader, and it takes another
//! way wherever there is one:
//!
//! - the table is six literal rows, and a leg is looked up in it by the id that the parties
//!   themselves give;
//! - prices are counted in units of 1e-10 and an amount is one fraction in whole numbers, divided
//!   once;
//! - a row is found by shortening the number digit by digit, with a hash map of prefixes; dates and
//!   origins are compared row by row;
//! - price lists are split by a reader of its own, which counts the lines itself;
//! - parties are taken from the log as it shows them: A and B are the cells of the root, C is the
//!   child's `to`.
//!
//! The steps before the log are not its business: the choice of suspended records, and the reading
//! of URIs.
//!
//! **Invariant:** [`Tariff::check`] is `Ok` only if every field of every [`Leg`], and the call's
//! own role, scenario, class, currency and amount, follow from the rules, and no leg is missing
//! or too many. It does not panic, whatever is stored.

mod tariff;
#[cfg(test)]
mod tests;
mod text;

use std::borrow::Cow;
use std::fmt;

pub use tariff::SaidByRow;
pub use tariff::Tariff;
use tariff::{Best, Deck, Row, Wanted};
use text::{decimal, emergency_code, is_number, is_sip, number_of_target, show_instant};

/// A row of the call log; texts as stored, empty for null.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The call.
    pub call_sid: &'a str,
    /// The root of a child; empty for a root.
    pub parent_call_sid: &'a str,
    /// The account that pays.
    pub account_sid: &'a str,
    /// `parent` or `child`.
    pub role: &'a str,
    /// `termination`, `origination`, or the row of the table.
    pub scenario: &'a str,
    /// The calling party that the log shows.
    pub from: &'a str,
    /// The called party that the log shows.
    pub to: &'a str,
    /// The final status.
    pub status: &'a str,
    /// `rated` or `free`.
    pub class: &'a str,
    /// The currency of the amount; empty if no deck prices the account.
    pub currency: &'a str,
    /// Microseconds since 1970 in UTC.
    pub start: i64,
    /// Seconds.
    pub duration: i64,
    /// In units of 1e-8.
    pub amount: i128,
}

/// The log row of the root that a child's `parent_call_sid` names.
#[derive(Debug, Clone, Copy)]
pub struct Root<'a> {
    /// The account that pays.
    pub account_sid: &'a str,
    /// `termination` or `origination`.
    pub scenario: &'a str,
    /// A.
    pub from: &'a str,
    /// B.
    pub to: &'a str,
}

/// A stored leg; texts as stored, empty for null.
#[derive(Debug, Clone, Copy)]
pub struct Leg<'a> {
    /// 1 or 2.
    pub leg: i64,
    /// `termination` or `origination`.
    pub service: &'a str,
    /// The calling party.
    pub leg_from: &'a str,
    /// The called party.
    pub leg_to: &'a str,
    /// The number that is priced.
    pub rated_number: &'a str,
    /// The number it comes from, empty if unknown.
    pub origin_number: &'a str,
    /// As the call's.
    pub scenario: &'a str,
    /// As the call's.
    pub parent_call_sid: &'a str,
    /// As the call's.
    pub account_sid: &'a str,
    /// The destination prefix of the row, which matched the rated number.
    pub destination_prefix: &'a str,
    /// The origin prefix of the row, empty for any.
    pub origin_prefix: &'a str,
    /// The description of the row.
    pub description: &'a str,
    /// The name of the deck.
    pub deck: &'a str,
    /// The file of the row.
    pub deck_file: &'a str,
    /// Of the deck.
    pub currency: &'a str,
    /// The line of the row.
    pub deck_line: i64,
    /// As the call's.
    pub start: i64,
    /// As the call's.
    pub duration: i64,
    /// Seconds.
    pub billed: i64,
    /// Of a minute, in units of 1e-10.
    pub price: i128,
    /// The connection fee, in units of 1e-10.
    pub fee: i128,
    /// In units of 1e-8.
    pub amount: i128,
}

/// The first thing that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The number of the leg; none: the call itself.
    pub leg: Option<i64>,
    /// The column.
    pub column: &'static str,
    /// The stored value.
    pub stored: String,
    /// The second rater's value.
    pub expected: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(leg) = self.leg {
            write!(f, "leg {leg}: ")?;
        }
        write!(f, "{} is `{}`, expected `{}`", self.column, self.stored, self.expected)
    }
}

impl std::error::Error for Difference {}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Party {
    A,
    B,
    C,
}
use Party::{A, B, C};

/// The billed service, with the calling and the called party.
type Cell = (&'static str, Party, Party);

/// The statuses that a call ends with; only the first bills.
const FINAL: [&str; 5] = ["completed", "busy", "failed", "no-answer", "canceled"];

/// A row of the published table, or the root's part of it.
struct Scenario {
    id: &'static str,
    /// The service of the root.
    root: &'static str,
    /// The form of C: `sip`, `pstn`, or `none` for the root itself.
    target: &'static str,
    legs: &'static [Cell],
    /// The parties that the log shows.
    log: (Party, Party),
}

const OUT: &str = "termination";
const IN: &str = "origination";

#[rustfmt::skip]
const TABLE: [Scenario; 6] = [
    Scenario { id: OUT,                   root: OUT, target: "none", legs: &[(OUT, A, B)],              log: (A, B) },
    Scenario { id: IN,                    root: IN,  target: "none", legs: &[(IN, A, B)],               log: (A, B) },
    Scenario { id: "termination-to-sip",  root: OUT, target: "sip",  legs: &[(OUT, C, B)],              log: (B, C) },
    Scenario { id: "termination-to-pstn", root: OUT, target: "pstn", legs: &[(OUT, A, B), (OUT, A, C)], log: (B, C) },
    Scenario { id: "origination-to-sip",  root: IN,  target: "sip",  legs: &[(IN, A, C)],               log: (A, C) },
    Scenario { id: "origination-to-pstn", root: IN,  target: "pstn", legs: &[(IN, A, B), (OUT, B, C)],  log: (A, C) },
];

/// The parties of a call, as the log shows them, and the service of its root.
struct Parties<'a> {
    root: &'a str,
    a: &'a str,
    b: &'a str,
    c: &'a str,
}

impl<'a> Parties<'a> {
    fn text(&self, party: Party) -> &'a str {
        match party {
            A => self.a,
            B => self.b,
            C => self.c,
        }
    }

    /// The number that prices a leg to this party: an origination always by B, and the B of a
    /// termination can be an emergency number.
    fn rated(&self, service: &str, to: Party) -> Option<&'a str> {
        let party = if service == IN { B } else { to };
        let text = self.text(party);
        match party {
            _ if is_number(text) => Some(text),
            B if self.root == OUT => emergency_code(text),
            _ => None,
        }
    }

    /// The number that a leg comes from, empty if unknown. A SIP endpoint counts as the number in
    /// its user part. In A and B the log has such an endpoint as the number already; a text there
    /// that still looks like a SIP endpoint was no valid URI.
    fn origin(&self, from: Party) -> Cow<'a, str> {
        match (from, self.text(from)) {
            (C, text) => number_of_target(text),
            (_, text) if is_number(text) => Cow::Borrowed(text),
            _ => Cow::Borrowed(""),
        }
    }
}

impl Tariff {
    /// Checks that the legs are exactly those of the call.
    ///
    /// # Errors
    /// The first thing that differs.
    pub fn check(
        &self,
        call: &Call<'_>,
        root: Option<&Root<'_>>,
        legs: &[Leg<'_>],
    ) -> Result<(), Difference> {
        let here = Place(None);
        let (scenario, parties) = family(call, root)?;
        here.same("from", call.from, parties.text(scenario.log.0))?;
        here.same("to", call.to, parties.text(scenario.log.1))?;
        if !FINAL.contains(&call.status) {
            return Err(here.differs("status", &call.status, &"a final status"));
        }
        if call.duration < 0 {
            return Err(here.differs("duration_seconds", &call.duration, &"0 or more"));
        }
        let bills = call.status == "completed" && call.duration > 0;
        here.same("class", call.class, if bills { "rated" } else { "free" })?;
        let deck = self.deck_of(call.account_sid);
        here.same("currency", call.currency, deck.map_or("", |deck| &deck.currency))?;

        let cells = if bills { scenario.legs } else { &[] };
        let mut total: i128 = 0;
        for (number, cell) in (1..).zip(cells) {
            let here = Place(Some(number));
            let leg = legs
                .iter()
                .find(|leg| leg.leg == number)
                .ok_or_else(|| here.differs("leg", &"none", &number))?;
            let deck = deck.ok_or_else(|| {
                here.differs("deck", &leg.deck, &"none: no deck prices the account")
            })?;
            check_copies(call, leg, scenario)?;
            let wanted = self.check_parties(leg, *cell, &parties)?;
            let amount = self.check_price(leg, &wanted, deck)?;
            total = total
                .checked_add(amount)
                .ok_or_else(|| here.differs("amount", &amount, &"a sum that can be counted"))?;
        }
        let is_extra = |(at, leg): &(usize, &Leg<'_>)| {
            let is_a_cell =
                usize::try_from(leg.leg).is_ok_and(|number| (1..=cells.len()).contains(&number));
            !is_a_cell || legs.iter().take(*at).any(|before| before.leg == leg.leg)
        };
        if let Some((_, extra)) = legs.iter().enumerate().find(is_extra) {
            return Err(Place(Some(extra.leg)).differs("leg", &extra.leg, &"none"));
        }
        here.same_money("amount", (call.amount, total), 8)
    }

    /// Checks that a leg has the service and the parties of its cell of the table; returns the rate
    /// that it needs.
    fn check_parties<'a>(
        &self,
        leg: &Leg<'_>,
        (service, from, to): Cell,
        parties: &Parties<'a>,
    ) -> Result<Wanted<'a>, Difference> {
        let here = Place(Some(leg.leg));
        here.same("service", leg.service, service)?;
        here.same("leg_from", leg.leg_from, parties.text(from))?;
        here.same("leg_to", leg.leg_to, parties.text(to))?;
        let rated = parties.rated(service, to);
        let rated = rated.ok_or_else(|| {
            here.differs("rated_number", &leg.rated_number, &"none: it is to no number")
        })?;
        here.same("rated_number", leg.rated_number, rated)?;
        // Some numbers are no callers: the carrier writes them for a withheld caller.
        let is_withheld = from == A && self.withheld.iter().any(|number| number == parties.a);
        let origin = if is_withheld { Cow::Borrowed("") } else { parties.origin(from) };
        here.same("origin_number", leg.origin_number, &origin)?;
        Ok(Wanted { service, rated, origin, at: leg.start })
    }

    /// Checks the price of a leg, and every column that explains it; returns its amount in units of
    /// 1e-8.
    fn check_price(
        &self,
        leg: &Leg<'_>,
        wanted: &Wanted<'_>,
        deck: &Deck,
    ) -> Result<i128, Difference> {
        let here = Place(Some(leg.leg));
        here.same("deck", leg.deck, &deck.name)?;
        let best = deck.find(wanted);
        let best = best.ok_or_else(|| {
            here.differs("destination_prefix", &leg.destination_prefix, &"none: there is no rate")
        })?;
        here.same("destination_prefix", leg.destination_prefix, best.destination)?;
        here.same("origin_prefix", leg.origin_prefix, best.origin)?;
        let row = row_of(leg, wanted, deck, &best)?;
        here.same("deck_file", leg.deck_file, &row.file)?;
        here.same_count("deck_line", leg.deck_line, row.line)?;
        here.same("description", leg.description, &row.description)?;
        here.same("currency", leg.currency, &deck.currency)?;
        here.same_money("price_per_minute", (leg.price, row.terms.price), 10)?;
        here.same_money("connection_fee", (leg.fee, row.terms.fee), 10)?;
        let too_large =
            |column, stored: i128| here.differs(column, &stored, &"a number that can be counted");
        let billed = row
            .terms
            .billed(leg.duration)
            .ok_or_else(|| too_large("billed_seconds", leg.billed.into()))?;
        here.same_count("billed_seconds", leg.billed, billed)?;
        let amount =
            self.amount(&row.terms, billed).ok_or_else(|| too_large("amount", leg.amount))?;
        here.same_money("amount", (leg.amount, amount), 8)?;
        Ok(amount)
    }
}

/// Checks that legs take back those that were booked, each one whole; returns the sum of their
/// amounts, in units of 1e-8. Both stand in the order of their numbers.
///
/// # Errors
/// The first thing that differs.
pub fn taken_back(booked: &[Leg<'_>], opposite: &[Leg<'_>]) -> Result<i128, Difference> {
    let mut total: i128 = 0;
    for (at, leg) in booked.iter().enumerate() {
        let here = Place(Some(leg.leg));
        let back =
            opposite.get(at).ok_or_else(|| here.differs("leg", &"not taken back", &leg.leg))?;
        let texts = |leg: &Leg<'_>| {
            [
                leg.service,
                leg.leg_from,
                leg.leg_to,
                leg.rated_number,
                leg.origin_number,
                leg.scenario,
                leg.parent_call_sid,
                leg.account_sid,
                leg.destination_prefix,
                leg.origin_prefix,
                leg.description,
                leg.deck,
                leg.deck_file,
                leg.currency,
            ]
            .join("\u{1f}")
        };
        here.same("the leg that was booked", &texts(back), &texts(leg))?;
        let numbers = |leg: &Leg<'_>| (leg.leg, leg.deck_line, leg.start, leg.price, leg.fee);
        if numbers(back) != numbers(leg) {
            return Err(here.differs("leg", &back.leg, &"the leg that was booked"));
        }
        for (column, found, was) in [
            ("duration_seconds", back.duration, leg.duration),
            ("billed_seconds", back.billed, leg.billed),
        ] {
            let expected = was
                .checked_neg()
                .ok_or_else(|| here.differs(column, &was, &"a number with an opposite"))?;
            here.same_count(column, found, expected)?;
        }
        here.same_money("amount", (back.amount, -leg.amount), 8)?;
        total -= leg.amount;
    }
    match opposite.get(booked.len()) {
        Some(extra) => Err(Place(Some(extra.leg)).differs("leg", &extra.leg, &"none")),
        None => Ok(total),
    }
}

/// Checks that the columns that a leg copies from its call are the same there.
fn check_copies(call: &Call<'_>, leg: &Leg<'_>, scenario: &Scenario) -> Result<(), Difference> {
    let here = Place(Some(leg.leg));
    here.same("scenario", leg.scenario, scenario.id)?;
    here.same("parent_call_sid", leg.parent_call_sid, call.parent_call_sid)?;
    here.same("account_sid", leg.account_sid, call.account_sid)?;
    if leg.start != call.start {
        return Err(here.differs(
            "start_time",
            &show_instant(leg.start),
            &show_instant(call.start),
        ));
    }
    here.same_count("duration_seconds", leg.duration, call.duration)
}

/// Of the rows with the best prefixes, the one that the leg names, else the first. Several are
/// equivalent if their terms are the same.
fn row_of<'a>(
    leg: &Leg<'_>,
    wanted: &'a Wanted<'_>,
    deck: &'a Deck,
    best: &'a Best<'_>,
) -> Result<&'a Row, Difference> {
    let here = Place(Some(leg.leg));
    let none = || here.differs("deck_line", &leg.deck_line, &"none");
    let first = deck.tied(best, wanted).next().ok_or_else(none)?;
    if let Some(other) = deck.tied(best, wanted).find(|row| row.terms != first.terms) {
        let both = format!(
            "one price: {}:{} and {}:{} differ",
            first.file, first.line, other.file, other.line
        );
        return Err(here.differs("deck_line", &leg.deck_line, &both));
    }
    let named =
        deck.tied(best, wanted).find(|row| row.line == leg.deck_line && row.file == leg.deck_file);
    Ok(named.unwrap_or(first))
}

/// The row of the table that a call falls under, and its parties: by its root, and by the form of
/// its target.
fn family<'a>(
    call: &Call<'a>,
    root: Option<&Root<'a>>,
) -> Result<(&'static Scenario, Parties<'a>), Difference> {
    let here = Place(None);
    let is_child = !call.parent_call_sid.is_empty();
    here.same("role", call.role, if is_child { "child" } else { "parent" })?;
    let (parties, target) = match root {
        Some(root) if is_child => {
            here.same("account_sid", call.account_sid, root.account_sid)?;
            let target = if is_sip(call.to) { "sip" } else { "pstn" };
            if target == "pstn" && !is_number(call.to) {
                return Err(here.differs("to", &call.to, &"a number or a SIP endpoint"));
            }
            (Parties { root: root.scenario, a: root.from, b: root.to, c: call.to }, target)
        }
        None if is_child => {
            return Err(here.differs(
                "parent_call_sid",
                &call.parent_call_sid,
                &"a root in the log",
            ));
        }
        _ => (Parties { root: call.scenario, a: call.from, b: call.to, c: "" }, "none"),
    };
    let scenario = TABLE.iter().find(|row| row.root == parties.root && row.target == target);
    let scenario = scenario.ok_or_else(|| match root {
        Some(root) if is_child => here.differs(
            "parent_call_sid",
            &call.parent_call_sid,
            &format!("a root, not {}", root.scenario),
        ),
        _ => here.differs("scenario", &call.scenario, &"termination or origination"),
    })?;
    here.same("scenario", call.scenario, scenario.id)?;
    Ok((scenario, parties))
}

/// The place of a difference: in a leg, or in the call itself.
#[derive(Clone, Copy)]
struct Place(Option<i64>);

impl Place {
    fn differs(
        self,
        column: &'static str,
        stored: &dyn ToString,
        expected: &dyn ToString,
    ) -> Difference {
        Difference {
            leg: self.0,
            column,
            stored: stored.to_string(),
            expected: expected.to_string(),
        }
    }

    /// Empty texts are compared first: they have no memory address, and comparing bytes there is
    /// slow on some processors.
    fn same(self, column: &'static str, stored: &str, expected: &str) -> Result<(), Difference> {
        if (stored.is_empty() && expected.is_empty()) || stored == expected {
            Ok(())
        } else {
            Err(self.differs(column, &stored, &expected))
        }
    }

    fn same_count(
        self,
        column: &'static str,
        stored: i64,
        expected: i64,
    ) -> Result<(), Difference> {
        if stored == expected { Ok(()) } else { Err(self.differs(column, &stored, &expected)) }
    }

    /// Money as stored and as expected, in units of `decimals` decimals.
    fn same_money(
        self,
        column: &'static str,
        (stored, expected): (i128, i128),
        decimals: usize,
    ) -> Result<(), Difference> {
        if stored == expected {
            return Ok(());
        }
        Err(self.differs(column, &decimal(stored, decimals), &decimal(expected, decimals)))
    }
}
