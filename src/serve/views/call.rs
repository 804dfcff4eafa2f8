//! `/calls/{sid}`: one call: its family as a drawing, its price as a sentence and as arithmetic,
//! the carrier's price beside it, the row of the deck, the invoice.

use super::calls::CallLine;
use crate::ledger::History;
use crate::ledger::index::find;
use crate::ledger::index::search::Wanted;
use crate::ledger::index::unbooked::{Beside, State};
use crate::ledger::tables::log_row::LogRow;
use crate::money::{PRICE_DECIMALS, Total, decimal_text};
use crate::rating::log_cell;
use crate::reject::Reason;
use crate::render::call::words;
use crate::report::calls::{self, CallFamily, Member};
use crate::report::explained::{self, ExplainedCall, RatedWith};
use crate::scenario::Scenario;
use crate::serve::asked::{ConsoleRequest, Moment, ShownSum, call_address, customer_address};
use crate::serve::context::context;
use crate::serve::drawing::{self, DrawnCall, MOST_LANES};
use crate::serve::http::HttpAnswer;
use crate::serve::problem::RequestProblem;
use crate::serve::query::encoded;
use crate::status::Status;
use crate::table::Letter;
use crate::time::local::Clock;
use crate::time::{Micros, SECOND};
use minijinja::Value;
use std::collections::BTreeSet;

/// A call and its family.
pub struct CallCase {
    /// The call.
    pub member: Member,
    /// Its family, itself among them.
    pub family: CallFamily,
    /// Its price, if it is booked.
    pub price: Option<ExplainedCall>,
}

/// The call of an id.
///
/// # Errors
/// If there is none, or the ledger cannot be read.
pub fn case_of(asked: &ConsoleRequest<'_>, sid: &str) -> Result<CallCase, RequestProblem> {
    let snapshot = &asked.snapshot;
    let history: &History = &snapshot.history;
    let wanted = Wanted { sids: BTreeSet::from([sid.to_owned()]), ..Wanted::default() };
    let kept = asked.books.suspended(snapshot);
    let suspended = kept.as_ref().and_then(|kept| Option::as_ref(kept));
    let ignored = Some(&asked.books.ignored);
    let beside = Beside { zone: snapshot.zone.as_ref(), suspended, ignored };
    let found = calls::find_beside(history, &wanted, None, &beside)?;
    let has = |family: &&CallFamily| family.members().any(|member| member.sid() == sid);
    let Some(mut family) = found.families.iter().find(has).cloned() else {
        find::refuse_damaged_ids(history)?;
        return Err(RequestProblem::none(format!("the call {sid} is not in the ledger"))
            .hint("look for it on the page of calls: by a number, a customer, a day"));
    };
    let booked = family.members_mut().filter_map(|member| match member {
        Member::Booked(row) => Some(row),
        Member::Unbooked(_) => None,
    });
    find::put_late_prices(history, booked)?;
    let member = family.members().find(|member| member.sid() == sid).cloned();
    let member = member.expect("the family has it");
    let price = match &member {
        Member::Booked(row) => Some(price_of(asked, history, row, &family)?),
        Member::Unbooked(_) => None,
    };
    Ok(CallCase { member, family, price })
}

fn price_of(
    asked: &ConsoleRequest<'_>,
    history: &History,
    row: &LogRow,
    family: &CallFamily,
) -> Result<ExplainedCall, RequestProblem> {
    let run = history.runs.iter().find(|run| run.manifest.run_id == row.run_id);
    let run = run.ok_or_else(|| {
        let problem = RequestProblem::none(format!("the run {} of the call is gone", row.run_id));
        RequestProblem { may_have_moved: true, ..problem }
    })?;
    let lists = asked.books.lists(run)?;
    let with =
        RatedWith { decks: (&lists.decks, "as booked"), accounts: &lists.accounts, policy: None };
    let own = |member: &Member| match member {
        Member::Booked(other) if other.root() == row.root() => Some(other.clone()),
        Member::Booked(_) | Member::Unbooked(_) => None,
    };
    let family: Vec<LogRow> = family.members().filter_map(own).collect();
    Ok(explained::booked_call_beside(history, (row, run), &with, &family)?)
}

/// The page.
///
/// # Errors
/// If there is no such call, or the ledger cannot be read.
pub fn page(asked: &ConsoleRequest<'_>, sid: &str) -> Result<HttpAnswer, RequestProblem> {
    let case = case_of(asked, sid)?;
    let (clock, setting) = (asked.clock(), &asked.books.setting);
    asked.looked(case.family.members().map(Member::account), case.family.members().count());
    let own = CallLine::of(asked, &case.member, &clock);
    let family: Vec<CallLine> = super::calls::lines(asked, &case.family, &clock);
    let title = own.start.as_ref().map_or_else(
        || "A call".to_owned(),
        |start| format!("Call of {} {}", start.date, start.time),
    );
    let svg = timeline(asked, &case, &clock).map(Value::from_safe_string);
    let waiting = match &case.member {
        Member::Unbooked(call) => match &call.state {
            State::Waiting(reason, detail) => Some(context! {
                reason,
                detail => setting.sentence(detail),
                what_to_do => setting.sentence(&Reason::parse(reason).map_or_else(
                    String::new, |own| crate::advice::hint(own, detail).to_string())),
                source => format!("{}:{}", call.source_file, call.source_line),
            }),
            State::Ignored(_) => None,
        },
        Member::Booked(_) => None,
    };
    let price = case.price.as_ref().map(|price| priced(asked, price, &case.member));
    let customer = case.price.as_ref().map(|price| {
        for_customer(price, &clock).iter().map(|line| setting.sentence(line)).collect::<Vec<_>>()
    });
    let (facts, run) = match &case.member {
        Member::Booked(row) => (facts_of(asked, row, &clock), Some(row.run_id.clone())),
        Member::Unbooked(_) => (Vec::new(), None),
    };
    let versions = match &case.member {
        Member::Unbooked(call) => match &call.state {
            State::Waiting(reason, _) if super::versions::are_versions(reason) => {
                super::versions::of_calls(asked, BTreeSet::from([sid.to_owned()]))?
            }
            State::Waiting(..) | State::Ignored(_) => Vec::new(),
        },
        Member::Booked(_) => Vec::new(),
    };
    let answer = asked.pages.page(
        200,
        &asked.frame("/calls", &title),
        "call.html",
        context! {
            title, own, family, svg, waiting, price, customer, facts, run, versions,
            source => run.as_ref().and(own.href.as_ref()).map(|href| format!("{href}/source")),
            zone => clock.zone_name(),
            around => own.start.as_ref().map(|start| {
                format!("/calls?around={}&within=1h", encoded(&start.iso))
            }),
        },
    )?;
    Ok(HttpAnswer { tag: asked.tag(), ..answer })
}

fn facts_of(
    asked: &ConsoleRequest<'_>,
    row: &LogRow,
    clock: &Clock,
) -> Vec<(&'static str, String)> {
    let mut facts =
        vec![("Status", row.status.clone()), ("Lasted", words::length(row.duration_seconds))];
    if let Some(end) = row.end {
        let end = Moment::of(end, clock);
        facts.push(("Ended", format!("{} {}", end.date, end.time)));
    }
    facts.push(("Shown caller ID", asked.books.setting.party(&row.caller_id)));
    facts.push(("Trunk", row.trunk_sid.clone()));
    facts.push(("Direction", row.direction.clone()));
    facts.retain(|(_, value)| !value.is_empty());
    facts
}

/// The price for the page.
fn priced(asked: &ConsoleRequest<'_>, price: &ExplainedCall, member: &Member) -> Value {
    let setting = &asked.books.setting;
    let (table, bills) = explained::published_row(price.scenario);
    let legs: Vec<Value> = (1..)
        .zip(&price.legs)
        .map(|(number, leg): (usize, _)| {
            let view = leg.priced.as_ref().map(|priced| words::leg_of(number, price, leg, priced));
            context! {
                number,
                cell => leg.cell,
                rated => setting.party(&leg.rated),
                origin => setting.party(&leg.origin),
                unknown => leg.unknown_because.as_deref().map(|why| setting.sentence(why)),
                sentence => view.as_ref().map(|view| setting.sentence(&view.sentence)),
                steps => view.as_ref().map(|view| view.steps.clone()),
                amount => view.as_ref().map(|view| view.amount.clone()),
                row => leg.priced.as_ref().map(|priced| context! {
                    place => priced.place, description => priced.description,
                    destination => priced.destination_prefix, origin => priced.origin_prefix,
                    price => priced.price, fee => priced.fee, initial => priced.initial,
                    increment => priced.increment, minimum => priced.minimum,
                }),
            }
        })
        .collect();
    let booked = price.booked.as_ref();
    let carrier = match member {
        Member::Booked(row) => row.carrier_price.map(|carrier| {
            // A charge of the carrier is negative.
            let charge = -i128::from(carrier);
            let ours = row.amount * 100;
            context! {
                charge => decimal_text(charge, PRICE_DECIMALS, 4),
                difference => decimal_text(ours - charge, PRICE_DECIMALS, 4),
                is_same => ours == charge,
            }
        }),
        Member::Unbooked(_) => None,
    };
    let invoices: Vec<Value> = booked
        .iter()
        .flat_map(|booked| &booked.invoices)
        .map(|(number, credit)| {
            context! { number, credit, href => format!("/invoices/{}", encoded(number)) }
        })
        .collect();
    let is_as_booked = explained::difference(price) == Some(Total::default());
    context! {
        table, bills, legs, carrier, invoices,
        is_billed => price.bills,
        scenario => price.scenario.as_str(),
        deck => price.deck, currency => price.currency,
        rounding => price.rule.rounding.as_str(), decimals => price.rule.decimals,
        now => price.total.map(|total| ShownSum::of(total, &price.currency)),
        booked => booked.map(|booked| ShownSum::of(booked.amount, &booked.currency)),
        is_as_booked,
        sentences => words::sentences_of(price).iter()
            .map(|own| setting.sentence(own)).collect::<Vec<_>>(),
    }
}

/// The call in plain text, to be copied for the customer.
fn for_customer(price: &ExplainedCall, clock: &Clock) -> Vec<String> {
    let page = words::page_of(price, "", clock);
    let mut lines = vec![page.title];
    lines.extend(page.sentences);
    lines.extend(page.facts.into_iter().map(|(name, value)| format!("{name}: {value}")));
    for leg in page.legs {
        lines.push(String::new());
        lines.push(leg.sentence);
        lines.extend(leg.steps.into_iter().map(|step| format!("  {step}")));
    }
    if let Some((total, currency)) = page.total {
        lines.push(String::new());
        lines.push(format!("This call costs {total} {currency}, without tax."));
    }
    lines.extend(page.notes);
    lines.push(format!("Reference: {}", page.reference));
    lines
}

/// The drawing of a family.
fn timeline(asked: &ConsoleRequest<'_>, case: &CallCase, clock: &Clock) -> Option<String> {
    let setting = &asked.books.setting;
    let rows: Vec<&LogRow> = case
        .family
        .members()
        .filter_map(|member| match member {
            Member::Booked(row) => Some(row),
            Member::Unbooked(_) => None,
        })
        .collect();
    let root = rows.iter().find(|row| row.parent_call_sid.is_empty())?;
    let name = |text: &str| {
        if text.is_empty() { "withheld".to_owned() } else { setting.party(text) }
    };
    let mut lanes = vec![("A".to_owned(), name(&root.from)), ("B".to_owned(), name(&root.to))];
    let mut drawn = Vec::new();
    for row in &rows {
        if lanes.len() >= MOST_LANES {
            break;
        }
        let own = match Scenario::parse(&row.scenario)? {
            Scenario::Root(_) => (0, 1),
            scenario @ Scenario::Transfer(_) => {
                let cell = log_cell(scenario);
                let letter =
                    if lanes.len() == 2 { "C".to_owned() } else { format!("C{}", lanes.len() - 1) };
                lanes.push((letter, name(&row.to)));
                let lane = |letter: Letter| match letter {
                    Letter::A => 0,
                    Letter::B => 1,
                    Letter::C => lanes.len() - 1,
                };
                (lane(cell.from), lane(cell.to))
            }
        };
        let seconds = Micros::from(row.duration_seconds).saturating_mul(SECOND);
        let end = row.end.unwrap_or_else(|| row.start.saturating_add(seconds)).max(row.start);
        let is_answered = row.status == Status::Completed.as_str() && row.duration_seconds > 0;
        let answered = is_answered.then(|| end.saturating_sub(seconds).max(row.start));
        let time = |at: Micros| Moment::of(at, clock).time;
        let talked = match answered {
            Some(at) => format!("answered at {}, {} s", time(at), row.duration_seconds),
            None => row.status.clone(),
        };
        let words = format!(
            "{} → {} from {} to {}, {talked}.",
            name(&row.from),
            name(&row.to),
            time(row.start),
            time(end)
        );
        let is_own = row.call_sid == case.member.sid();
        drawn.push(DrawnCall { lanes: own, start: row.start, answered, end, words, is_own });
    }
    drawing::timeline(&lanes, &drawn, |at| Moment::of(at, clock).time)
}

/// The addresses of a call and its customer, for other pages.
#[must_use]
pub fn addresses(sid: &str, account: &str) -> (Option<String>, Option<String>) {
    (call_address(sid), customer_address(account))
}
