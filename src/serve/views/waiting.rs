//! `/waiting`: what waits, by cause; with `?cause=` the records of one.

use crate::report::causes::CauseLine;
use crate::serve::asked::{ConsoleRequest, Moment, ShownSum, call_address, customer_address};
use crate::serve::context::context;
use crate::serve::http::HttpAnswer;
use crate::serve::kept::KeptValue;
use crate::serve::problem::RequestProblem;
use crate::serve::query::encoded;
use crate::serve::waits::{ShownRecord, WaitsByCause};
use minijinja::Value;
use std::borrow::Cow;
use std::sync::Arc;

/// Records of a page.
const SHOWN: usize = 50;

/// What waits; `None` while it is being found out.
///
/// # Errors
/// If it cannot be.
pub fn waits_of(asked: &ConsoleRequest<'_>) -> Result<Option<Arc<WaitsByCause>>, RequestProblem> {
    match asked.books.waits(&asked.snapshot) {
        KeptValue::Ready(waits) => Ok(Some(waits)),
        KeptValue::Pending => Ok(None),
        KeptValue::Failed(why) => {
            Err(RequestProblem { may_have_moved: true, ..RequestProblem::new(500, why) })
        }
    }
}

/// The longest cause that stands in an address as it is.
const LONGEST: usize = 600;

/// The name of a cause in an address. A cause has a stranger's text in it, such as a direction that
/// nobody knows, of any length: a long one goes by its hash.
fn name_of(cause: &str) -> Cow<'_, str> {
    if cause.len() <= LONGEST {
        return Cow::Borrowed(cause);
    }
    Cow::Owned(format!("blake3:{}", blake3::hash(cause.as_bytes()).to_hex()))
}

/// A cause, as pages print it.
#[must_use]
pub fn cause(asked: &ConsoleRequest<'_>, line: &CauseLine) -> Value {
    let setting = &asked.books.setting;
    context! {
        href => format!("/waiting?cause={}", encoded(&name_of(&line.cause))),
        words => setting.sentence(&line.words),
        reason => line.reason,
        calls => line.calls,
        about => line.about,
        estimate => ShownSum::all(&line.estimate),
        since => line.since(),
        oldest_days => line.oldest_days,
        tries => line.most_tries,
        basis => line.basis,
        what_to_do => setting.sentence(&line.what_to_do),
    }
}

/// The place in a list that a page begins at.
///
/// # Errors
/// A text that is no number.
pub fn place(asked: &ConsoleRequest<'_>) -> Result<usize, RequestProblem> {
    match asked.query.get("after") {
        None => Ok(0),
        Some(text) => text
            .parse()
            .map_err(|_| RequestProblem::new(400, format!("after={text}: expected a number"))),
    }
}

/// The page.
///
/// # Errors
/// If the query has something else in it, or what waits cannot be read.
pub fn page(asked: &ConsoleRequest<'_>) -> Result<HttpAnswer, RequestProblem> {
    asked.query.only(&["cause", "after"]).map_err(|why| RequestProblem::new(400, why))?;
    let Some(waits) = waits_of(asked)? else {
        return asked.pending("/waiting", "Waiting", "What waits is being sorted by its cause.");
    };
    let lines = &waits.lines;
    let causes: Vec<Value> = lines.causes.iter().map(|line| cause(asked, line)).collect();
    let mut chosen = None;
    let mut records: Vec<Value> = Vec::new();
    let (mut next, mut versions) = (None, Vec::new());
    if let Some(id) = asked.query.get("cause") {
        let line = lines.causes.iter().find(|line| name_of(&line.cause) == id);
        let line = line.ok_or_else(|| {
            RequestProblem::none(format!("nothing waits for `{id}`"))
                .hint("it may have been settled: the page of what waits has all causes")
        })?;
        chosen = Some(cause(asked, line));
        let from = place(asked)?;
        let all = waits.places(|record| waits.cause(record) == line.cause);
        let end = from.saturating_add(SHOWN).min(all.len());
        let shown = waits.read(&asked.snapshot.history, all.get(from..end).unwrap_or(&[]))?;
        asked.looked(shown.iter().map(|own| own.row.account_sid.as_str()), shown.len());
        if super::versions::are_versions(&line.reason) {
            let sids = shown.iter().map(|own| own.row.call_sid.clone()).collect();
            versions = super::versions::of_calls(asked, sids)?;
        }
        records = shown.iter().map(|own| record(asked, &waits, own)).collect();
        if end < all.len() {
            next = Some(format!("/waiting{}", asked.query.with("after", Some(&end.to_string()))));
        }
    }
    let title = if chosen.is_some() { "Waiting for one cause" } else { "Waiting" };
    let answer = asked.pages.page(
        200,
        &asked.frame("/waiting", title),
        "waiting.html",
        context! {
            causes, chosen, records, next, versions,
            count => lines.records,
            estimate => ShownSum::all(&lines.estimate),
            left_out => waits.left_out,
            zone => asked.clock().zone_name(),
        },
    )?;
    Ok(HttpAnswer { tag: asked.tag(), ..answer })
}

fn record(asked: &ConsoleRequest<'_>, waits: &WaitsByCause, own: &ShownRecord) -> Value {
    let setting = &asked.books.setting;
    let clock = asked.clock();
    let row = &own.row;
    context! {
        href => call_address(&row.call_sid),
        sid => row.call_sid,
        account => asked.name(&row.account_sid),
        account_href => customer_address(&row.account_sid),
        start => own.known.start.map(|at| Moment::of(at, &clock)),
        detail => setting.sentence(&row.detail),
        source => format!("{}:{}", row.source_file, row.source_line),
        tries => row.tries,
        estimate => waits.estimate(own.known).map(|(currency, sum)| ShownSum::of(sum, currency)),
        record => setting.sentence(&row.record),
    }
}
