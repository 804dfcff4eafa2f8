//! Addresses, and what answers each of them.
//!
//! **Invariants:** an address is matched part by part, and a part is decoded once: `..`, an
//! escaped stroke or a name of a file is an id that no call has. What could not be answered since
//! the ledger was changed meanwhile is asked again on its new state.

use super::api::{answers, openapi};
use super::asked::ConsoleRequest;
use super::books::{ConsoleBooks, Snapshot};
use super::http::{HttpAnswer, Method, Request};
use super::page::{PageEngine, PageFrame};
use super::problem::RequestProblem;
use super::query::{UrlQuery, decoded, encoded};
use super::views::{
    call, calls, customers, invoices, month, nights, rates, source, tonight, waiting,
};
use crate::render::metrics::metrics;
use crate::report::health::WaitingLines;
use crate::serve::context::context;
use crate::serve::kept::KeptValue;
use std::cell::RefCell;
use std::sync::Arc;

/// The beginning of the API's addresses.
const API: &str = "/api/";
/// How often a request is answered anew if the ledger moved under it.
const TRIES: u32 = 4;

/// What an answer costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerCost {
    /// Row groups are searched.
    Searches,
    /// Some rows are read.
    LooksUp,
    /// No row of calls is read.
    Quick,
}

/// What the answer to a request will cost.
#[must_use]
pub fn cost(request: &Request) -> AnswerCost {
    let path = request.path.trim_start_matches("/api/v1");
    let is_asked = |name: &str| request.query.split('&').any(|own| own.starts_with(name));
    let by_party = ["q=", "number=", "a=", "b="];
    let rest = |start: &str| path.strip_prefix(start).filter(|rest| !rest.is_empty());
    if path == "/calls" && by_party.into_iter().any(is_asked)
        || path.ends_with("/source")
        || path.ends_with("/numbers")
        || path.strip_suffix(".pdf").is_some()
        || rest("/nights/").is_some()
    {
        return AnswerCost::Searches;
    }
    if path.starts_with("/calls") || path.starts_with("/invoices/") {
        return AnswerCost::LooksUp;
    }
    AnswerCost::Quick
}

/// True if a path is one of the API: what is wrong there is JSON.
#[must_use]
pub fn is_api(path: &str) -> bool {
    path.starts_with(API)
}

/// The answer to a request that may ask.
#[must_use]
pub fn answer(
    books: &ConsoleBooks,
    pages: &PageEngine,
    request: &Request,
    peer: &str,
) -> HttpAnswer {
    let mut answered =
        Err(RequestProblem::new(503, "the ledger changes faster than it can be read"));
    for _ in 0..TRIES {
        let snapshot = books.snapshot();
        answered = once(books, pages, (request, peer), snapshot.clone());
        let may_have_moved = |problem: &RequestProblem| problem.may_have_moved;
        if !answered.as_ref().is_err_and(may_have_moved) || !has_moved(books, &snapshot) {
            break;
        }
    }
    let answer = answered.unwrap_or_else(|problem| failed(books, pages, request, &problem));
    let is_known = answer.status == 200
        && answer.tag.as_ref().is_some_and(|tag| has_tag(request.header("if-none-match"), tag));
    if is_known {
        return HttpAnswer { status: 304, body: Vec::new(), ..answer };
    }
    answer
}

/// True if the ledger is not as it was when the request began.
fn has_moved(books: &ConsoleBooks, before: &Result<Arc<Snapshot>, RequestProblem>) -> bool {
    match (before, books.snapshot()) {
        (Ok(before), Ok(now)) => !Arc::ptr_eq(before, &now),
        (before, now) => before.is_ok() != now.is_ok(),
    }
}

fn has_tag(header: Option<&str>, tag: &str) -> bool {
    header.is_some_and(|header| {
        header.split(',').any(|own| own.trim().trim_start_matches("W/") == tag || own.trim() == "*")
    })
}

fn once(
    books: &ConsoleBooks,
    pages: &PageEngine,
    (request, peer): (&Request, &str),
    snapshot: Result<Arc<Snapshot>, RequestProblem>,
) -> Result<HttpAnswer, RequestProblem> {
    let path = request.path.strip_prefix('/');
    let path = path.ok_or_else(|| RequestProblem::new(400, "an address begins with a stroke"))?;
    let parts: Option<Vec<String>> = path.split('/').map(|part| decoded(part, false)).collect();
    let none = || RequestProblem::none("there is no such page");
    let parts =
        parts.ok_or_else(|| RequestProblem::new(400, "an escape in the address is broken"))?;
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match parts.as_slice() {
        ["style.css"] => return Ok(PageEngine::style()),
        ["robots.txt"] => return Ok(HttpAnswer::text(200, "User-agent: *\nDisallow: /\n")),
        ["healthz"] => {
            snapshot.map_err(|_| RequestProblem::new(503, "the ledger cannot be read"))?;
            return Ok(HttpAnswer::text(200, "ok\n"));
        }
        ["api", "v1", "openapi.json"] => {
            return Ok(HttpAnswer::new(200, "application/json", openapi::document()));
        }
        _ => {}
    }
    let query = UrlQuery::parse(&request.query).map_err(|why| RequestProblem::new(400, why))?;
    let question = if request.query.is_empty() { "" } else { "?" };
    let present = snapshot?;
    let shows_sums = matches!(parts.as_slice(), ["" | "waiting"] | ["customers", ..]);
    let snapshot = if shows_sums { books.with_sums(&present) } else { Arc::clone(&present) };
    let is_behind = !Arc::ptr_eq(&snapshot, &present);
    let newer_run = present.history.last().filter(|_| is_behind).map(|own| own.run_id.clone());
    let asked = ConsoleRequest {
        books,
        pages,
        snapshot,
        newer_run,
        query,
        address: format!("{}{question}{}", request.path, request.query),
        peer: peer.to_owned(),
        looks: RefCell::default(),
    };
    if !is_behind && let Some(answer) = asked.answered() {
        return Ok(answer);
    }
    let answer = match parts.as_slice() {
        [""] => tonight::page(&asked),
        ["calls"] => calls::page(&asked),
        ["calls", sid] if !sid.is_empty() => call::page(&asked, sid),
        ["calls", sid, "source"] if !sid.is_empty() => source::page(&asked, sid),
        ["waiting"] => waiting::page(&asked),
        ["customers"] => customers::page(&asked),
        ["customers", account] if !account.is_empty() => customers::one(&asked, account),
        ["customers", account, "numbers"] if !account.is_empty() => {
            customers::numbers(&asked, account)
        }
        ["month"] => month::page(&asked),
        ["rates"] => rates::page(&asked),
        ["nights"] => nights::page(&asked),
        ["nights", run] if !run.is_empty() => nights::report(&asked, run),
        ["invoices", number] if !number.is_empty() => invoices::document(&asked, number),
        ["metrics"] => told(&asked),
        ["api", "v1", "calls"] => answers::calls(&asked),
        ["api", "v1", "calls", sid] if !sid.is_empty() => answers::one_call(&asked, sid),
        ["api", "v1", "suspense"] => answers::suspense(&asked),
        ["api", "v1", "invoices"] => answers::issued(&asked),
        ["api", "v1", "runs"] => answers::runs(&asked),
        ["api", "v1", "rates", "lookup"] => answers::lookup(&asked),
        _ => Err(none()),
    }?;
    if is_behind {
        // It comes by itself, and is no page to keep.
        let answer = if answer.has("Refresh") { answer } else { answer.with("Refresh", "5") };
        return Ok(HttpAnswer { tag: None, ..answer });
    }
    books.answers.keep(&answer, asked.looks.take());
    Ok(answer)
}

/// The health of the nights as metrics. While what waits is still being sorted there are none: a
/// gauge of 0 would be a lie.
fn told(asked: &ConsoleRequest<'_>) -> Result<HttpAnswer, RequestProblem> {
    let waiting: WaitingLines = match asked.books.waits(&asked.snapshot) {
        KeptValue::Ready(waits) => waits.lines.clone(),
        KeptValue::Pending => {
            return Err(RequestProblem::new(503, "what waits is being sorted by its cause"));
        }
        KeptValue::Failed(why) => return Err(RequestProblem::new(500, why)),
    };
    let text = metrics(&asked.books.health(&asked.snapshot, waiting));
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(HttpAnswer::new(200, kind, text))
}

/// The answer to what went wrong: JSON for programs, a page for people.
#[must_use]
pub fn failed(
    books: &ConsoleBooks,
    pages: &PageEngine,
    request: &Request,
    problem: &RequestProblem,
) -> HttpAnswer {
    let setting = &books.setting;
    if problem.status >= 500 {
        (setting.tell)(&format!("{}: {}", request.path, problem.detail));
    }
    let answer = if is_api(&request.path) {
        answers::problem(problem, setting)
    } else {
        let title = super::http::reason(problem.status);
        let frame = PageFrame {
            title: title.to_owned(),
            masks: setting.masks,
            has_menu: true,
            ..PageFrame::default()
        };
        let context = context! {
            title, detail => setting.sentence(&problem.detail),
            hints => problem.hints.iter().map(|hint| setting.sentence(hint)).collect::<Vec<_>>(),
        };
        let drawn = pages.page(problem.status, &frame, "problem.html", context);
        drawn.unwrap_or_else(|_| HttpAnswer::text(problem.status, problem.detail.clone()))
    };
    if problem.status == 503 { answer.with("Retry-After", "1") } else { answer }
}

/// The page of the login.
#[must_use]
pub fn login(pages: &PageEngine, status: u16, to: &str, wrong: bool) -> HttpAnswer {
    let frame = PageFrame { title: "Sign in".to_owned(), ..PageFrame::default() };
    let drawn = pages.page(status, &frame, "login.html", context! { to => encoded(to), wrong });
    drawn.unwrap_or_else(|problem| HttpAnswer::text(500, problem.detail))
}

/// The methods that an address takes.
#[must_use]
pub fn allowed(path: &str, has_token: bool) -> &'static str {
    if has_token && path == "/login" { "GET, HEAD, POST" } else { "GET, HEAD" }
}

/// True if the method may ask for the address.
#[must_use]
pub fn takes(method: Method, path: &str, has_token: bool) -> bool {
    match method {
        Method::Get | Method::Head => true,
        Method::Post => has_token && path == "/login",
        Method::Other => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::http::{ParsedHead, parse};
    use super::*;

    #[test]
    fn a_search_does_not_stand_before_a_sum() {
        for (path, expected) in [
            ("/", AnswerCost::Quick),
            ("/customers/AC1", AnswerCost::Quick),
            ("/customers/AC1/numbers?month=2026-11", AnswerCost::Searches),
            ("/calls", AnswerCost::LooksUp),
            ("/calls?account=AC1", AnswerCost::LooksUp),
            ("/calls?status=busy&q=0104", AnswerCost::Searches),
            ("/api/v1/calls?number=0104", AnswerCost::Searches),
            ("/api/v1/calls/CA1", AnswerCost::LooksUp),
            ("/calls/CA1/source", AnswerCost::Searches),
            ("/invoices/1.pdf", AnswerCost::Searches),
            ("/nights", AnswerCost::Quick),
            ("/nights/000001-x", AnswerCost::Searches),
        ] {
            let text = format!("GET {path} HTTP/1.1\r\n\r\n");
            let ParsedHead::Whole(request, _) = parse(text.as_bytes()) else { panic!("{path}") };
            assert_eq!(cost(&request), expected, "{path}");
        }
    }
}
