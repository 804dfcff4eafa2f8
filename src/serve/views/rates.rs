//! `/rates`: a number looked up at a time, in the decks that the last run rated with: the row that
//! wins, and why the others lose; and beside it what the decks of an earlier run say.

use crate::deck::{Considered, Deck, Rated};
use crate::ledger::Run;
use crate::money::{PRICE_DECIMALS, Price, decimal_text};
use crate::party::{Emergency, Number};
use crate::report::looked_up::{Lookup, why};
use crate::scenario::Direction;
use crate::serve::asked::{ConsoleRequest, Moment};
use crate::serve::books::RatedLists;
use crate::serve::context::context;
use crate::serve::http::HttpAnswer;
use crate::serve::problem::RequestProblem;
use crate::time::{self, Micros};
use minijinja::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The names that a query of the API may have.
pub const NAMES: [&str; 4] = ["number", "from", "service", "at"];
/// Those of the page: `with` names decks to compare with.
const PAGE_NAMES: [&str; 5] = ["number", "from", "service", "at", "with"];
/// Digits of the hash that names decks.
const HASH_DIGITS: usize = 16;
/// Archived decks that are offered.
const OFFERED: usize = 24;

/// The decks of the last run that rated anything.
///
/// # Errors
/// If there is none, or they cannot be read.
pub fn decks(asked: &ConsoleRequest<'_>) -> Result<Arc<RatedLists>, RequestProblem> {
    let mut runs = asked.snapshot.history.runs.iter().rev();
    let run = runs.find(|run| run.manifest.has_rated());
    let run = run.ok_or_else(|| RequestProblem::none("no run has rated anything yet"))?;
    Ok(asked.books.lists(run)?)
}

/// Decks that runs rated with, one after the other.
struct ArchivedDecks<'a> {
    /// The beginning of their hash.
    name: &'a str,
    /// The last run that rated with them.
    run: &'a Run,
    /// The newest starts of the first and the last of these runs.
    days: [&'a str; 2],
}

/// The decks in the archive, the newest first; each as often as it was taken up anew.
fn archived<'a>(asked: &'a ConsoleRequest<'_>) -> Vec<ArchivedDecks<'a>> {
    let mut all: Vec<ArchivedDecks<'a>> = Vec::new();
    for run in asked.snapshot.history.runs.iter().rev() {
        let m = &run.manifest;
        let Some(name) = m.decks_hash.as_deref().and_then(|hash| hash.get(..HASH_DIGITS)) else {
            continue;
        };
        let newest = m.own_newest_start.as_deref();
        let day = newest.and_then(|start| start.get(..10)).unwrap_or("");
        match all.iter_mut().find(|own| own.name == name) {
            Some(own) => own.days[0] = day,
            None => all.push(ArchivedDecks { name, run, days: [day, day] }),
        }
    }
    all
}

/// The price of a number by the deck of a name, its currency, and its row.
fn priced_by<'a>(
    lists: &'a RatedLists,
    name: &str,
    asks: &Lookup,
) -> Option<(Price, &'a str, Value)> {
    let deck = lists.decks.decks.iter().find(|deck| deck.name == name)?;
    let rate = deck.rate(deck.lookup(asks.service, asks.rated, asks.origin, asks.at)?);
    let row = context! {
        price => rate.price.to_string(), fee => rate.fee.to_string(),
        increments => format!("{}/{}", rate.increments.initial, rate.increments.increment),
        place => format!("{}:{}", deck.files[rate.file as usize], rate.line),
        currency => deck.currency,
    };
    Some((rate.price, deck.currency.as_str(), row))
}

/// What two price lists say of a number, deck by deck.
fn compared(now: &RatedLists, then: &RatedLists, asks: &Lookup) -> Vec<Value> {
    let names: BTreeSet<&str> =
        now.decks.decks.iter().chain(&then.decks.decks).map(|deck| deck.name.as_str()).collect();
    names
        .into_iter()
        .map(|name| {
            let (now, then) = (priced_by(now, name, asks), priced_by(then, name, asks));
            let difference = match (&now, &then) {
                (Some((now, currency, _)), Some((then, other, _))) if currency == other => {
                    let units = i128::from(now.units()) - i128::from(then.units());
                    Some(decimal_text(units, PRICE_DECIMALS, 4))
                }
                _ => None,
            };
            context! {
                name, difference, now => now.map(|own| own.2), then => then.map(|own| own.2),
            }
        })
        .collect()
}

/// The question of a query; `None` if it asks nothing.
///
/// # Errors
/// What cannot be understood.
pub fn question(
    asked: &ConsoleRequest<'_>,
    names: &[&str],
) -> Result<Option<Lookup>, RequestProblem> {
    asked.query.only(names).map_err(|why| RequestProblem::new(400, why))?;
    let Some(text) = asked.query.get("number") else { return Ok(None) };
    let wrong = |name: &str, text: &str, expected: &str| {
        RequestProblem::new(400, format!("{name}={text}: expected {expected}"))
    };
    // In a query `+` is a blank, and is often forgotten to be escaped.
    let number = |text: &str| {
        let bare: String = text.chars().filter(|c| !" ()-.".contains(*c)).collect();
        let whole = if bare.starts_with('+') { bare } else { format!("+{bare}") };
        Number::parse(&whole)
    };
    let rated = match (number(text), Emergency::parse(text)) {
        (_, Some(emergency)) => Rated::Emergency(emergency),
        (Some(number), None) => Rated::Number(number),
        (None, None) => return Err(wrong("number", text, "+ and 7 to 15 digits, or 911")),
    };
    let origin = match asked.query.get("from") {
        None => None,
        Some(text) => {
            Some(number(text).ok_or_else(|| wrong("from", text, "+ and 7 to 15 digits"))?)
        }
    };
    let service = asked.query.get("service").unwrap_or("termination");
    let service = Direction::from_service(service)
        .ok_or_else(|| wrong("service", service, "termination or origination"))?;
    let at = match asked.query.get("at") {
        None => (asked.books.setting.now)().div_euclid(time::SECOND) * time::SECOND,
        Some(text) => {
            let clock = asked.clock();
            clock.instant(text, "today").map_err(|_| wrong("at", text, "a date or a time"))?
        }
    };
    Ok(Some(Lookup { service, rated, origin, at }))
}

/// The page.
///
/// # Errors
/// If the decks cannot be read. A question that cannot be understood is said on the page.
pub fn page(asked: &ConsoleRequest<'_>) -> Result<HttpAnswer, RequestProblem> {
    let lists = decks(asked);
    let (asks, problem) = match question(asked, &PAGE_NAMES) {
        Ok(asks) => (asks, None),
        Err(problem) => (None, Some(problem)),
    };
    let get = |name| asked.query.get(name).unwrap_or("").to_owned();
    let mut found = Vec::new();
    let mut problem = problem;
    let (mut known, mut beside) = (Vec::new(), None);
    let offered = archived(asked);
    match lists {
        Ok(lists) => {
            known = lists
                .decks
                .decks
                .iter()
                .map(|deck| {
                    context! {
                        name => deck.name, currency => deck.currency, rows => deck.rates.len(),
                        files => deck.files,
                    }
                })
                .collect();
            if let (Some(asks), Some(with)) = (&asks, asked.query.get("with")) {
                if let Some(own) = offered.iter().find(|own| own.name == with) {
                    let then = asked.books.lists(own.run)?;
                    beside = Some(context! {
                        days => own.days, rows => compared(&lists, &then, asks),
                    });
                } else {
                    let what = format!("with={with}: no run rated with such decks");
                    problem = Some(RequestProblem::none(what));
                }
            }
            if let Some(asks) = &asks {
                found = lists.decks.decks.iter().map(|deck| of_deck(deck, asks)).collect();
            }
        }
        Err(own) if own.status >= 500 => return Err(own),
        Err(own) => problem = Some(own),
    }
    let moment = |at: Micros| Moment::of(at, &asked.clock());
    asked.pages.page(
        problem.as_ref().map_or(200, |problem| problem.status),
        &asked.frame("/rates", "Rates"),
        "rates.html",
        context! {
            found, known, beside,
            with => get("with"),
            // The first are those of the last run, which are shown anyhow.
            offered => offered.iter().skip(1).take(OFFERED).map(|own| context! {
                name => own.name, days => own.days,
            }).collect::<Vec<_>>(),
            number => get("number"), from => get("from"), at => get("at"),
            service => if get("service") == "origination" { "origination" } else { "termination" },
            asked => asks.as_ref().map(|asks| context! {
                rated => asks.rated.to_string(),
                origin => asks.origin.map(|origin| origin.to_string()),
                at => moment(asks.at),
            }),
            problem => problem.map(|problem| problem.detail),
            zone => asked.clock().zone_name(),
        },
    )
}

fn of_deck(deck: &Deck, asks: &Lookup) -> Value {
    let rows = deck.consider(asks.service, asks.rated, asks.origin, asks.at);
    let row = |row: &Considered| {
        let rate = deck.rate(row.hit);
        let (destination, origin) = row.hit.prefixes(asks.rated, asks.origin);
        context! {
            wins => row.lost.is_none(), why => why(row), destination, origin,
            price => rate.price.to_string(), fee => rate.fee.to_string(),
            increments => format!("{}/{}", rate.increments.initial, rate.increments.increment),
            minimum => rate.increments.minimum,
            place => format!("{}:{}", deck.files[rate.file as usize], rate.line),
            description => &*rate.description,
        }
    };
    let rows: Vec<Value> = rows.iter().map(row).collect();
    context! { deck => deck.name, currency => deck.currency, rows }
}
