//! What the addresses of the API answer.

use super::types::{
    BilledByAnswer, CallAnswer, CallDetail, CallsAnswer, CauseAnswer, CountAnswer, DeckRow,
    FamilyAnswer, Invoice, Invoices, LegAnswer, LookupAnswer, LookupDeck, LookupRow, MoneyAnswer,
    PriceAnswer, ProblemDetail, RunAnswer, Runs, SuspendedAnswer, SuspenseAnswer,
};
use crate::ledger::index::unbooked::{State, Unbooked};
use crate::ledger::journal::Journal;
use crate::ledger::tables::log_row::LogRow;
use crate::ledger::undone::Undone;
use crate::money::{PRICE_DECIMALS, decimal_text};
use crate::report::calls::{CallFamily, Member};
use crate::report::explained::{self, ExplainedCall, LegText};
use crate::report::lines;
use crate::report::looked_up::why;
use crate::serve::asked::ConsoleRequest;
use crate::serve::http::{HttpAnswer, reason};
use crate::serve::problem::RequestProblem;
use crate::serve::setting::ConsoleSetting;
use crate::serve::views::{call, invoices, rates, search, waiting};
use crate::serve::waits::ShownRecord;
use crate::time;
use serde::Serialize;

/// Records, documents of an answer.
const SHOWN: usize = 100;

fn json(asked: &ConsoleRequest<'_>, value: &impl Serialize) -> Result<HttpAnswer, RequestProblem> {
    let text = serde_json::to_vec(value).map_err(|e| RequestProblem::new(500, e.to_string()))?;
    Ok(HttpAnswer { tag: asked.tag(), ..HttpAnswer::new(200, "application/json", text) })
}

/// A problem as JSON.
#[must_use]
pub fn problem(problem: &RequestProblem, setting: &ConsoleSetting) -> HttpAnswer {
    let detail = ProblemDetail {
        kind: "about:blank".to_owned(),
        title: reason(problem.status).to_owned(),
        status: problem.status,
        detail: setting.sentence(&problem.detail),
        hints: problem.hints.iter().map(|hint| setting.sentence(hint)).collect(),
    };
    let text = serde_json::to_vec(&detail).expect("texts and a number");
    HttpAnswer::new(problem.status, "application/problem+json", text)
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

/// `/api/v1/calls`
///
/// # Errors
/// A question that cannot be understood or names something unknown; a ledger that cannot be read.
pub fn calls(asked: &ConsoleRequest<'_>) -> Result<HttpAnswer, RequestProblem> {
    let known: Vec<&str> = search::NAMES.into_iter().chain(["limit"]).collect();
    asked.query.only(&known).map_err(|why| RequestProblem::new(400, why))?;
    let limit = match asked.query.get("limit") {
        None => None,
        Some(text) => {
            Some(text.parse().ok().filter(|most| (1..=search::MOST).contains(most)).ok_or_else(
                || {
                    let most = search::MOST;
                    RequestProblem::new(
                        400,
                        format!("limit={text}: expected a number from 1 to {most}"),
                    )
                },
            )?)
        }
    };
    let found = search::find(asked, limit)?;
    let members = || found.page.families.iter().flat_map(CallFamily::members);
    asked.looked(members().map(Member::account), members().count());
    let setting = &asked.books.setting;
    let answer = CallsAnswer {
        calls: found.page.families.iter().map(|own| family(own, setting)).collect(),
        next: found.page.next.map(|place| place.text()),
        is_early: found.page.is_early,
        notes: found.notes.iter().map(|note| setting.sentence(note)).collect(),
        timeless: found.page.timeless as u64,
    };
    json(asked, &answer)
}

/// `/api/v1/calls/{sid}`
///
/// # Errors
/// If there is no such call, or the ledger cannot be read.
pub fn one_call(asked: &ConsoleRequest<'_>, sid: &str) -> Result<HttpAnswer, RequestProblem> {
    asked.query.only(&[]).map_err(|why| RequestProblem::new(400, why))?;
    let case = call::case_of(asked, sid)?;
    asked.looked(case.family.members().map(Member::account), case.family.members().count());
    let setting = &asked.books.setting;
    let answer = CallDetail {
        call: member(&case.member, setting),
        family: case.family.members().map(|own| member(own, setting)).collect(),
        price: case.price.as_ref().map(|own| price(own, setting)),
    };
    json(asked, &answer)
}

fn family(own: &CallFamily, setting: &ConsoleSetting) -> FamilyAnswer {
    let mut parents = own.parents.iter().map(|call| member(call, setting));
    FamilyAnswer {
        call: parents.next().unwrap_or_else(CallAnswer::default),
        versions: parents.collect(),
        children: own.children.iter().map(|call| member(call, setting)).collect(),
    }
}

fn member(own: &Member, setting: &ConsoleSetting) -> CallAnswer {
    match own {
        Member::Booked(row) => booked(row, setting),
        Member::Unbooked(call) => unbooked(call, setting),
    }
}

fn booked(row: &LogRow, setting: &ConsoleSetting) -> CallAnswer {
    CallAnswer {
        call_sid: some(&row.call_sid),
        parent_call_sid: some(&row.parent_call_sid),
        account_sid: some(&row.account_sid),
        trunk_sid: some(&row.trunk_sid),
        role: some(&row.role),
        scenario: some(&row.scenario),
        direction: some(&row.direction),
        from: some(&setting.party(&row.from)),
        to: some(&setting.party(&row.to)),
        caller_id: some(&setting.party(&row.caller_id)),
        start_time: Some(time::text(row.start)),
        end_time: row.end.map(time::text),
        duration_seconds: Some(row.duration_seconds),
        status: some(&row.status),
        class: some(&row.class),
        currency: some(&row.currency),
        amount: Some(row.amount_text()),
        carrier_price: row.carrier_price.map(|price| decimal_text(price.into(), PRICE_DECIMALS, 4)),
        run_id: some(&row.run_id),
        ..CallAnswer::default()
    }
}

fn unbooked(call: &Unbooked, setting: &ConsoleSetting) -> CallAnswer {
    let party = |text: &str| some(&setting.sentence(&setting.party(text)));
    let (reason, detail) = match &call.state {
        State::Waiting(reason, detail) => (some(reason), some(&setting.sentence(detail))),
        State::Ignored(_) => (None, None),
    };
    let role = if call.parent_call_sid.is_empty() { "parent" } else { "child" };
    let class = match call.state {
        State::Waiting(..) => "suspended",
        State::Ignored(_) => "ignored",
    };
    CallAnswer {
        call_sid: some(&call.call_sid),
        parent_call_sid: some(&call.parent_call_sid),
        account_sid: some(&call.account_sid),
        trunk_sid: some(&call.trunk_sid),
        role: some(role),
        direction: some(&call.direction),
        from: party(&call.from),
        to: party(&call.to),
        start_time: call.start.map(time::text),
        duration_seconds: call.duration.parse().ok(),
        status: some(&call.status),
        class: some(class),
        reason,
        detail,
        source_file: some(&call.source_file),
        source_line: Some(call.source_line),
        ..CallAnswer::default()
    }
}

fn price(own: &ExplainedCall, setting: &ConsoleSetting) -> PriceAnswer {
    let (published_row, published_bills) = explained::published_row(own.scenario);
    let [a, b, c] = own.parties.each_ref().map(|party| setting.party(party));
    let booked = own.booked.as_ref();
    PriceAnswer {
        published_row,
        published_bills,
        a,
        b,
        c,
        deck: own.deck.clone(),
        currency: own.currency.clone(),
        leg_decimals: own.rule.decimals,
        leg_rounding: own.rule.rounding.as_str().to_owned(),
        legs: (1..).zip(&own.legs).map(|(number, own)| leg(number, own, setting)).collect(),
        amount: own.total.map(|total| total.to_string()),
        booked: booked.map(|booked| booked.amount.to_string()),
        difference: explained::difference(own).map(|total| total.to_string()),
        invoices: booked
            .iter()
            .flat_map(|booked| &booked.invoices)
            .map(|(number, credit)| BilledByAnswer {
                number: number.clone(),
                credited_by: credit.clone(),
            })
            .collect(),
    }
}

fn leg(number: u32, own: &LegText, setting: &ConsoleSetting) -> LegAnswer {
    let row = own.priced.as_ref().map(|priced| DeckRow {
        deck_file: priced.file.clone(),
        deck_line: priced.line,
        description: priced.description.clone(),
        destination_prefix: priced.destination_prefix.clone(),
        origin_prefix: priced.origin_prefix.clone(),
        price_per_minute: priced.price.clone(),
        connection_fee: priced.fee.clone(),
        initial_increment: priced.initial,
        increment: priced.increment,
        minimum: priced.minimum,
        billed_seconds: priced.billed_seconds,
        exact_amount: priced.exact.clone(),
        amount: priced.amount.to_string(),
    });
    LegAnswer {
        leg: number,
        published: own.cell.clone(),
        leg_from: setting.party(&own.from),
        leg_to: setting.party(&own.to),
        rated_number: setting.party(&own.rated),
        origin_number: setting.party(&own.origin),
        origin_unknown_because: own.unknown_because.as_deref().map(|own| setting.sentence(own)),
        row,
    }
}

fn money(sums: &[lines::Money]) -> Vec<MoneyAnswer> {
    sums.iter().map(one_sum).collect()
}

fn one_sum(sum: &lines::Money) -> MoneyAnswer {
    MoneyAnswer { currency: sum.currency.clone(), amount: sum.amount.to_string() }
}

/// `/api/v1/suspense`
///
/// # Errors
/// If the query has something else in it, or what waits cannot be read or is not sorted yet.
pub fn suspense(asked: &ConsoleRequest<'_>) -> Result<HttpAnswer, RequestProblem> {
    asked
        .query
        .only(&["cause", "reason", "account", "after"])
        .map_err(|w| RequestProblem::new(400, w))?;
    let waits = waiting::waits_of(asked)?.ok_or_else(|| {
        RequestProblem::new(503, "what waits is being sorted by its cause")
            .hint("ask again in a second")
    })?;
    let (setting, from) = (&asked.books.setting, waiting::place(asked)?);
    let is = |name: &str, own: &str| asked.query.get(name).is_none_or(|wanted| wanted == own);
    let all = waits.places(|own| {
        is("cause", waits.cause(own))
            && is("reason", waits.reason(own))
            && is("account", waits.account(own))
    });
    let end = from.saturating_add(SHOWN).min(all.len());
    let shown = waits.read(&asked.snapshot.history, all.get(from..end).unwrap_or(&[]))?;
    asked.looked(shown.iter().map(|own| own.row.account_sid.as_str()), shown.len());
    let cause = |line: &crate::report::causes::CauseLine| CauseAnswer {
        cause: setting.sentence(&line.cause),
        reason: line.reason.clone(),
        words: setting.sentence(&line.words),
        calls: line.calls,
        records: line.count.records,
        estimate: money(&line.estimate),
        first_start: line.first_start.clone(),
        what_to_do: setting.sentence(&line.what_to_do),
    };
    let records = shown
        .iter()
        .map(|ShownRecord { known, row }| SuspendedAnswer {
            cause: setting.sentence(waits.cause(*known)),
            call_sid: some(&row.call_sid),
            parent_call_sid: some(&row.parent_call_sid),
            account_sid: some(&row.account_sid),
            reason: row.reason.clone(),
            detail: setting.sentence(&row.detail),
            start_time: known.start.map(time::text),
            source_file: row.source_file.clone(),
            source_line: row.source_line,
            first_seen: row.first_seen.clone(),
            tries: row.tries,
            estimate: waits.estimate(*known).map(|(currency, amount)| MoneyAnswer {
                currency: currency.to_owned(),
                amount: amount.to_string(),
            }),
            record: setting.sentence(&row.record),
        })
        .collect();
    let answer = SuspenseAnswer {
        causes: waits.lines.causes.iter().map(cause).collect(),
        records,
        next: (end < all.len()).then(|| end.to_string()),
    };
    json(asked, &answer)
}

/// `/api/v1/invoices`
///
/// # Errors
/// If the query has something else in it.
pub fn issued(asked: &ConsoleRequest<'_>) -> Result<HttpAnswer, RequestProblem> {
    asked
        .query
        .only(&["period", "account", "after"])
        .map_err(|why| RequestProblem::new(400, why))?;
    let is = |name: &str, own: &str| asked.query.get(name).is_none_or(|wanted| wanted == own);
    let batches = asked.snapshot.history.issued.iter().rev();
    let all: Vec<_> = batches
        .flat_map(|batch| batch.manifest.entries.iter().rev().map(move |entry| (batch, entry)))
        .filter(|(batch, entry)| {
            is("period", &batch.manifest.period) && is("account", &entry.account_sid)
        })
        .collect();
    let from = waiting::place(asked)?;
    let shown = all.iter().skip(from).take(SHOWN).map(|(batch, entry)| {
        let sign = if entry.corrects.is_some() { "-" } else { "" };
        let signed = |amount: &String| format!("{sign}{amount}");
        Invoice {
            number: entry.number.clone(),
            state: invoices::state(asked, batch, entry).to_owned(),
            corrects: entry.corrects.clone(),
            date: batch.manifest.date.clone(),
            period: batch.manifest.period.clone(),
            account_sid: entry.account_sid.clone(),
            currency: entry.currency.clone(),
            usage: signed(&entry.usage),
            net: signed(&entry.net),
            tax: signed(&entry.tax),
            total: signed(&entry.total),
        }
    });
    let end = from.saturating_add(SHOWN);
    let answer =
        Invoices { invoices: shown.collect(), next: (end < all.len()).then(|| end.to_string()) };
    json(asked, &answer)
}

/// `/api/v1/runs`
///
/// # Errors
/// If the query has anything in it.
pub fn runs(asked: &ConsoleRequest<'_>) -> Result<HttpAnswer, RequestProblem> {
    asked.query.only(&[]).map_err(|why| RequestProblem::new(400, why))?;
    let history = &asked.snapshot.history;
    let journal = Journal::read(&asked.books.setting.ledger);
    let run = |run: &crate::ledger::Run, undone: Option<&Undone>| {
        let m = &run.manifest;
        let count = |(name, own): (&String, &crate::ledger::manifest::ManifestCount)| {
            (name.clone(), CountAnswer { records: own.records, seconds: own.seconds })
        };
        RunAnswer {
            run_id: m.run_id.clone(),
            state: if undone.is_some() { "undone" } else { "booked" }.to_owned(),
            undo_reason: undone.map(|own| asked.books.setting.sentence(&own.reason)),
            kind: m.kind.as_str().to_owned(),
            sequence: m.sequence,
            booked: journal.booked(&m.run_id).and_then(|ran| ran.ended).map(time::text),
            counts: m.counts.iter().map(count).collect(),
            legs: m.legs,
            amount: m.amount.clone(),
        }
    };
    let booked = history.runs.iter().rev().map(|own| run(own, None));
    let undone = history.undone.iter().rev().map(|own| run(&own.run, Some(own)));
    let answer = Runs { runs: booked.chain(undone).collect(), head: asked.snapshot.head.clone() };
    // The journal is no part of the state.
    Ok(HttpAnswer { tag: None, ..json(asked, &answer)? })
}

/// `/api/v1/rates/lookup`
///
/// # Errors
/// A question that cannot be understood, or decks that cannot be read.
pub fn lookup(asked: &ConsoleRequest<'_>) -> Result<HttpAnswer, RequestProblem> {
    let asks = rates::question(asked, &rates::NAMES)?.ok_or_else(|| {
        RequestProblem::new(400, "number is missing: /api/v1/rates/lookup?number=…")
    })?;
    let lists = rates::decks(asked)?;
    let deck = |deck: &crate::deck::Deck| {
        let considered = deck.consider(asks.service, asks.rated, asks.origin, asks.at);
        let row = |row: &crate::deck::Considered| {
            let rate = deck.rate(row.hit);
            let (destination, origin) = row.hit.prefixes(asks.rated, asks.origin);
            LookupRow {
                wins: row.lost.is_none(),
                why: why(row).to_owned(),
                destination_prefix: destination,
                origin_prefix: origin,
                price_per_minute: rate.price.to_string(),
                connection_fee: rate.fee.to_string(),
                initial_increment: rate.increments.initial,
                increment: rate.increments.increment,
                minimum: rate.increments.minimum,
                deck_file: deck.files[rate.file as usize].clone(),
                deck_line: rate.line,
                description: rate.description.to_string(),
            }
        };
        LookupDeck {
            deck: deck.name.clone(),
            currency: deck.currency.clone(),
            rows: considered.iter().map(row).collect(),
        }
    };
    let answer = LookupAnswer {
        rated_number: asks.rated.to_string(),
        origin_number: asks.origin.map(|origin| origin.to_string()),
        service: asks.service.to_string(),
        at: time::text(asks.at),
        decks: lists.decks.decks.iter().map(deck).collect(),
    };
    // Without `at` it is asked for now.
    Ok(HttpAnswer { tag: None, ..json(asked, &answer)? })
}
