//! `/rates`: a number looked up at a time, in the decks that the last run rated with: the row that
//! wins, and why the others lose.

use crate::deck::{Considered, Deck, Rated};
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
use std::sync::Arc;

/// The names that a query may have.
pub const NAMES: [&str; 4] = ["number", "from", "service", "at"];

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

/// The question of a query; `None` if it asks nothing.
///
/// # Errors
/// What cannot be understood.
pub fn question(asked: &ConsoleRequest<'_>) -> Result<Option<Lookup>, RequestProblem> {
    asked.query.only(&NAMES).map_err(|why| RequestProblem::new(400, why))?;
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
    let (asks, problem) = match question(asked) {
        Ok(asks) => (asks, None),
        Err(problem) => (None, Some(problem)),
    };
    let get = |name| asked.query.get(name).unwrap_or("").to_owned();
    let mut found = Vec::new();
    let mut problem = problem;
    let mut known = Vec::new();
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
            found, known,
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
