//! `/calls`: calls found by one box, each family as a tree.

use super::search::{self, FoundPage};
use crate::ledger::index::unbooked::State;
use crate::report::calls::{CallFamily, Member};
use crate::serve::asked::{
    ConsoleRequest, Moment, ShownSum, call_address, customer_address, length,
};
use crate::serve::context::context;
use crate::serve::http::HttpAnswer;
use crate::serve::problem::RequestProblem;
use crate::status::Status;
use crate::time::local::Clock;
use serde::Serialize;

/// A call in a list.
#[derive(Debug, Clone, Default, Serialize)]
#[allow(missing_docs, reason = "as they are printed")]
pub struct CallLine {
    pub href: Option<String>,
    pub sid: String,
    pub start: Option<Moment>,
    pub from: String,
    pub to: String,
    pub account: String,
    pub account_name: String,
    pub account_href: Option<String>,
    pub scenario: String,
    pub length: String,
    pub status: String,
    /// `waiting`, `ignored`, or nothing.
    pub mark: &'static str,
    pub reason: String,
    pub sum: Option<ShownSum>,
    /// `root`, `child` of the parent above it, or `orphan`.
    pub place: &'static str,
    /// True if it is of the day of the call above it, in its family.
    pub is_same_day: bool,
    /// True if it is of the customer of the call above it, in its family.
    pub is_same_customer: bool,
}

impl CallLine {
    /// The line of a call.
    #[must_use]
    pub fn of(asked: &ConsoleRequest<'_>, member: &Member, clock: &Clock) -> Self {
        let setting = &asked.books.setting;
        let account = member.account().to_owned();
        let head = Self {
            href: call_address(member.sid()),
            sid: member.sid().to_owned(),
            start: member.start().map(|at| Moment::of(at, clock)),
            account_name: asked.name(&account),
            account_href: customer_address(&account),
            account,
            place: if member.is_child() { "child" } else { "root" },
            ..Self::default()
        };
        match member {
            Member::Booked(row) => Self {
                from: setting.party(&row.from),
                to: setting.party(&row.to),
                scenario: row.scenario.clone(),
                length: length(row.duration_seconds),
                status: row.status.clone(),
                sum: (!row.currency.is_empty()).then(|| ShownSum {
                    amount: row.amount_text(),
                    currency: row.currency.clone(),
                }),
                ..head
            },
            Member::Unbooked(call) => Self {
                from: setting.sentence(&setting.party(&call.from)),
                to: setting.sentence(&setting.party(&call.to)),
                length: call.duration.parse().map_or_else(|_| call.duration.clone(), length),
                status: call.status.clone(),
                mark: match call.state {
                    State::Waiting(..) => "waiting",
                    State::Ignored(_) => "ignored",
                },
                reason: match &call.state {
                    State::Waiting(reason, _) => reason.clone(),
                    State::Ignored(_) => String::new(),
                },
                sid: member.name(),
                // A customer of whom a trunk has no call has no page.
                account_href: match call.state {
                    State::Waiting(..) => head.account_href.clone(),
                    State::Ignored(_) => None,
                },
                ..head
            },
        }
    }
}

/// The lines of a family, the parent first.
#[must_use]
pub fn lines(asked: &ConsoleRequest<'_>, family: &CallFamily, clock: &Clock) -> Vec<CallLine> {
    let line = |member: &Member| {
        let line = CallLine::of(asked, member, clock);
        let is_orphan = member.is_child() && !family.has_parent_of(member);
        CallLine { place: if is_orphan { "orphan" } else { line.place }, ..line }
    };
    let mut lines: Vec<CallLine> = family.members().map(line).collect();
    for at in 1..lines.len() {
        let day = |line: &CallLine| line.start.as_ref().map(|start| start.date.clone());
        let is_day = day(&lines[at - 1]).is_some() && day(&lines[at - 1]) == day(&lines[at]);
        lines[at].is_same_day = is_day;
        lines[at].is_same_customer = lines[at - 1].account == lines[at].account;
    }
    lines
}

/// A filter as a link.
#[derive(Debug, Serialize)]
struct FilterLink {
    name: String,
    href: String,
    is_on: bool,
}

/// The page.
///
/// # Errors
/// If the ledger cannot be read. A question that cannot be answered is said on the page.
pub fn page(asked: &ConsoleRequest<'_>) -> Result<HttpAnswer, RequestProblem> {
    asked.query.only(&search::NAMES).map_err(|why| RequestProblem::new(400, why))?;
    let found = match search::find(asked, None) {
        Ok(found) => found,
        Err(problem) if problem.status >= 500 => return Err(problem),
        Err(problem) => return draw(asked, None, Some(&problem)),
    };
    draw(asked, Some(found), None)
}

fn draw(
    asked: &ConsoleRequest<'_>,
    found: Option<FoundPage>,
    problem: Option<&RequestProblem>,
) -> Result<HttpAnswer, RequestProblem> {
    let (clock, query) = (asked.clock(), &asked.query);
    let (mut families, mut notes, mut next, mut timeless, mut is_early) =
        (Vec::new(), Vec::new(), None, 0, false);
    if let Some(FoundPage { page, notes: own, .. }) = found {
        families = page.families.iter().map(|family| lines(asked, family, &clock)).collect();
        notes = own.iter().map(|note| asked.books.setting.sentence(note)).collect();
        next = page.next.map(|place| query.with("after", Some(&place.text())));
        (timeless, is_early) = (page.timeless, page.is_early);
    }
    let shown = families.iter().map(Vec::len).sum();
    asked.looked(families.iter().flatten().map(|line| line.account.as_str()), shown);
    let of = |name: &'static str, all: Vec<(&str, &str)>| -> Vec<FilterLink> {
        let on = query.get(name);
        let filter = |(value, shown): (&str, &str)| {
            let is_on = on.unwrap_or("") == value;
            let value = Some(value).filter(|value| !value.is_empty());
            let base = query.with("after", None);
            let base = crate::serve::query::UrlQuery::parse(base.trim_start_matches('?'));
            let href = base.map_or_else(|_| "?".to_owned(), |base| base.with(name, value));
            FilterLink { name: shown.to_owned(), href: format!("/calls{href}"), is_on }
        };
        all.into_iter().map(filter).collect()
    };
    let statuses = std::iter::once(("", "any end"))
        .chain(Status::ALL.into_iter().map(|status| (status.as_str(), status.as_str())));
    let scenarios = vec![
        ("", "any scenario"),
        ("termination", "outgoing"),
        ("origination", "incoming"),
        ("termination-to-sip", "outgoing → SIP"),
        ("termination-to-pstn", "outgoing → phone"),
        ("origination-to-sip", "incoming → SIP"),
        ("origination-to-pstn", "incoming → phone"),
    ];
    let mut frame = asked.frame("/calls", "Calls");
    query.get("q").unwrap_or("").clone_into(&mut frame.search);
    let account = query.get("account").map(|account| {
        let filters = of("account", vec![("", "any customer")]);
        context! { name => asked.name(account), href => filters[0].href }
    });
    let answer = asked.pages.page(
        problem.map_or(200, |problem| problem.status),
        &frame,
        "calls.html",
        context! {
            families,
            notes,
            next,
            timeless,
            is_early,
            account,
            is_first => query.get("after").is_none(),
            zone => clock.zone_name(),
            statuses => of("status", statuses.collect()),
            scenarios => of("scenario", scenarios),
            problem => problem.map(|problem| context! {
                detail => asked.books.setting.sentence(&problem.detail), hints => problem.hints
            }),
        },
    )?;
    Ok(HttpAnswer { tag: asked.tag(), ..answer })
}
