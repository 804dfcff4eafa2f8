//! `rerate`: explains the price of one call, beside the booked one. `text` prints it, and `page`
//! writes it for the customer.

mod page;
mod text;

pub use page::{write as write_page, write_unbooked as write_page_of_unbooked};

use super::args::{RerateArgs, TextFormat};
use super::calls::{last_list, sid_of};
use super::error::CliError;
use super::project::{Key, Project};
use super::term;
use crate::advice;
use crate::deck::Deck;
use crate::detail::fields::no_number;
use crate::explain::{Answer, ExplainedLeg, Question, explain};
use crate::ingest::source;
use crate::inputs::accounts::{self, Accounts};
use crate::inputs::decks::{self, Decks};
use crate::inputs::given::Inputs;
use crate::intern::Interner;
use crate::job::run::LoadedNight;
use crate::ledger::batch;
use crate::ledger::index::{find, prefix};
use crate::ledger::invoices::billed_by::{self, BilledBy, Claim};
use crate::ledger::tables::log_row::LogRow;
use crate::ledger::tables::read::find_waiting;
use crate::ledger::tables::waits::Waits;
use crate::ledger::{History, Ledger, Run};
use crate::money::{Amount, LegRule, Total};
use crate::night::Class;
use crate::partition::spill::Memory;
use crate::party::{FewNumbers, Number, Party, is_mangled};
use crate::party_ref::PartyRef;
use crate::policy::{Policy, WITHHELD_NUMBERS, WITHHELD_WORDS};
use crate::rating::Parties;
use crate::reject::Reason;
use crate::scenario::Scenario;
use crate::status::Status;
use std::sync::Arc;

/// A call and its price, ready to print.
pub struct ExplainedCall {
    sid: String,
    account: String,
    role: &'static str,
    root: String,
    scenario: Scenario,
    parties: [String; 3],
    log: (String, String),
    start: i64,
    status: String,
    duration: u32,
    /// Other calls of the family: role, id, from → to, seconds, amount.
    family: Vec<[String; 5]>,
    currency: String,
    deck: String,
    deck_source: String,
    rule: LegRule,
    legs: Vec<LegText>,
    bills: bool,
    total: Option<Total>,
    booked: Option<BookedPrice>,
    /// What a person decided about it, in words.
    by_hand: Vec<String>,
}

impl ExplainedCall {
    /// Its account.
    pub fn account(&self) -> &str {
        &self.account
    }
}

/// A leg in words.
struct LegText {
    cell: String,
    from: String,
    to: String,
    rated: String,
    origin: String,
    /// The reason why the origin is unknown, if it is unknown and matters.
    unknown_because: Option<String>,
    priced: Option<PricedText>,
}

struct PricedText {
    place: String,
    file: String,
    line: u32,
    description: String,
    destination_prefix: String,
    origin_prefix: String,
    price: String,
    fee: String,
    initial: u32,
    increment: u32,
    minimum: u32,
    billed_seconds: u32,
    exact: String,
    amount: Amount,
}

struct BookedPrice {
    run_id: String,
    currency: String,
    amount: Total,
    legs: Vec<Total>,
    /// The invoices that bill it, in order, each with the credit note that cancels it: only the
    /// last may be uncredited.
    invoices: Vec<(String, Option<String>)>,
}

/// Explains a call from the ledger, or from files.
pub fn run(args: &RerateArgs, project: &Project) -> Result<(), CliError> {
    print(args, &case_of(args, project)?)
}

/// Prints a call that was explained.
pub fn print(args: &RerateArgs, case: &ExplainedCall) -> Result<(), CliError> {
    let text = match args.format {
        TextFormat::Text => text::as_text(case),
        TextFormat::Json => format!("{}\n", serde_json::to_string_pretty(&text::as_json(case))?),
    };
    Ok(term::print(&text)?)
}

/// A call and its price, from the ledger or from files.
pub fn case_of(args: &RerateArgs, project: &Project) -> Result<ExplainedCall, CliError> {
    if args.accounts.is_some() && args.cdrs.is_empty() && args.rates.is_none() {
        return Err(CliError::usage(
            "--accounts needs --cdrs or --rates: without them the call is explained as it was \
             booked",
        ));
    }
    if args.cdrs.is_empty() { from_ledger(args, project) } else { from_files(args, project) }
}

/// The call that a text names in a ledger: by its id, which comes before any number of a list; by
/// the beginning of one; or by its number in the list that was printed last; the text itself if it
/// names none.
pub fn named(ledger: &Ledger, history: &History, text: &str) -> Result<String, CliError> {
    if last_list::is_number(text) {
        let is_id = prefix::is_id(history, text)?;
        return if is_id { Ok(text.to_owned()) } else { last_list::call(ledger, history, text) };
    }
    Ok(sid_of(history, text)?.unwrap_or_else(|| text.to_owned()))
}

// ---- from files ---------------------------------------------------------------------------------

fn from_files(args: &RerateArgs, project: &Project) -> Result<ExplainedCall, CliError> {
    let rates = project.rates(args.rates.as_deref())?;
    let trunks = project.path(Key::Trunks, args.trunks.as_deref())?;
    let accounts = project.path(Key::Accounts, args.accounts.as_deref())?;
    let policy = Policy { no_transfers: args.no_transfers, ..project.policy()? };
    let inputs = Inputs::load(&rates, trunks.as_deref(), accounts.as_deref(), policy)?;
    let found = source::find(&args.cdrs)?;
    let memory = Memory::of_machine();
    let intake = LoadedNight::read(
        inputs,
        &found.files,
        Waits::default(),
        (memory, &std::env::temp_dir()),
        &Arc::default(),
    )?;
    let Some(session) = intake.settle_family(&args.call)? else {
        return Err(CliError::failed(format!("the call {} is in none of these files", args.call)));
    };
    let calls = &session.calls;
    let versions: Vec<usize> = (0..calls.len())
        .filter(|record| calls.sid_text(*record).to_string() == args.call)
        .collect();
    let rank = |record: &&usize| session.night.class[**record];
    let Some(record) = versions.iter().min_by_key(rank).copied() else {
        return Err(CliError::failed(format!("the call {} is in none of these files", args.call)));
    };
    let tariff = session.tariff();
    let Some(scene) = session.night.scene(calls, &session.earlier, record) else {
        let detail = session.detail(record)?;
        return Err(not_rated(
            &args.call,
            session.night.class[record],
            session.night.reason[record],
            &detail,
        ));
    };
    let deck = tariff.deck_of(calls.account[record]).map(|(_, deck)| deck);
    let Some(deck) = deck else {
        return Err(CliError::failed("no deck prices this account")
            .hint("name one in accounts.csv, or call a deck folder `default`"));
    };
    let question = Question {
        scenario: scene.scenario,
        parties: scene.parties,
        start: calls.start[record],
        status: calls.status[record],
        duration_seconds: calls.duration[record],
        deck,
        rule: tariff.policy.leg_rule,
        withheld: &tariff.policy.withheld_numbers,
    };
    let root = calls.odd_sids.text(scene.root.sid).to_string();
    let family: Vec<[String; 5]> = (0..calls.len())
        .filter(|other| *other != record)
        .filter_map(|other| Some((other, session.night.scene(calls, &session.earlier, other)?)))
        .filter(|(_, other)| other.root.sid == scene.root.sid)
        .map(|(other, s)| {
            let cell = crate::rating::log_cell(s.scenario);
            let shown = |letter| party_text(s.parties.get(letter), &calls.parties);
            [
                role(s.parent.is_empty()).to_owned(),
                calls.sid_text(other).to_string(),
                format!("{} → {}", shown(cell.from), shown(cell.to)),
                calls.duration[other].to_string(),
                String::new(),
            ]
        })
        .collect();
    let head = CallHead {
        sid: args.call.clone(),
        account: calls.accounts.text(calls.account[record]).to_owned(),
        is_root: scene.parent.is_empty(),
        root,
        status: calls.status[record].as_str().to_owned(),
        family,
        deck_source: rates.display().to_string(),
        booked: None,
        by_hand: Vec::new(),
    };
    build(head, &question, &calls.parties)
}

fn not_rated(sid: &str, class: Class, reason: Option<Reason>, detail: &str) -> CliError {
    match (class, reason) {
        (Class::Suspended, Some(reason)) => {
            CliError::failed(format!("the call {sid} cannot be rated: {reason}: {detail}"))
                .hint(advice::hint(reason, detail))
        }
        (class, _) => CliError::failed(format!(
            "the call {sid} is {}: there is nothing to rate",
            class.as_str()
        )),
    }
}

// ---- from the ledger ----------------------------------------------------------------------------

fn from_ledger(args: &RerateArgs, project: &Project) -> Result<ExplainedCall, CliError> {
    let ledger = project.ledger()?;
    let history = ledger.history()?;
    let call = named(&ledger, &history, &args.call)?;
    let Some((row, run)) = find::find_log_row(&history, &call)? else {
        let waits = find_waiting(&history, &call)?;
        if waits.is_none() {
            find::refuse_damaged_ids(&history)?;
        }
        return Err(match waits {
            Some(row) => {
                not_rated(&call, Class::Suspended, Reason::parse(&row.reason), &row.detail)
            }
            None => CliError::failed(format!(
                "the call {call} is not in the ledger {}",
                ledger.folder().display()
            )),
        });
    };
    let root_sid = if row.parent_call_sid.is_empty() {
        row.call_sid.clone()
    } else {
        row.parent_call_sid.clone()
    };
    let Some((root, _)) = find::find_log_row(&history, &root_sid)? else {
        return Err(CliError::failed(format!(
            "the ledger has the child {call} without its parent {root_sid}"
        ))
        .hint("run `trunkrate verify`"));
    };
    let (decks, deck_source) = decks_for(args, &ledger, run)?;
    let accounts = accounts_for(args, &ledger, run)?;
    let Some(deck) = deck_for(&decks, &accounts, &row.account_sid) else {
        return Err(CliError::failed(format!("no deck prices the account {}", row.account_sid)));
    };
    let mut texts = Interner::default();
    let Some((scenario, parties)) = scene_of(&row, &root, &mut texts) else {
        return Err(CliError::failed(format!("the log of {call} has no scenario"))
            .hint("run `trunkrate verify`"));
    };
    let policy = project.named_policy()?;
    let (rule, withheld) = policy
        .map_or_else(|| booked_policy(run), |policy| (policy.leg_rule, policy.withheld_numbers));
    let question = Question {
        scenario,
        parties,
        start: row.start,
        status: Status::parse(&row.status),
        duration_seconds: row.duration_seconds,
        deck,
        rule,
        withheld: &withheld,
    };
    let head = CallHead {
        sid: call.clone(),
        account: row.account_sid.clone(),
        is_root: row.parent_call_sid.is_empty(),
        family: family_of(&history, &root_sid, &call)?,
        root: root_sid,
        status: row.status.clone(),
        deck_source,
        booked: Some(booked(&history, run, &row)?),
        by_hand: history.by_hand(&call),
    };
    build(head, &question, &texts)
}

fn decks_for(args: &RerateArgs, ledger: &Ledger, run: &Run) -> Result<(Decks, String), CliError> {
    if let Some(rates) = &args.rates {
        return Ok((decks::load(rates)?, rates.display().to_string()));
    }
    let Some(hash) = &run.manifest.decks_hash else {
        return Err(CliError::failed(format!(
            "the run {} does not say which decks it rated with",
            run.manifest.run_id
        ))
        .hint("run `trunkrate verify`"));
    };
    let folder = ledger.archive_folder().join(hash);
    let own_name = run.manifest.decks.first().map(|deck| deck.folder.clone()).unwrap_or_default();
    Ok((decks::archived(&folder, &own_name)?, "as booked".to_owned()))
}

fn accounts_for(args: &RerateArgs, ledger: &Ledger, run: &Run) -> Result<Accounts, CliError> {
    Ok(match (&args.accounts, &run.manifest.accounts_hash) {
        (Some(path), _) => accounts::load(path)?.0,
        (None, Some(hash)) => {
            accounts::archived(&ledger.archive_folder().join(hash).join("accounts.csv"))?
        }
        (None, None) => Accounts::new(),
    })
}

fn deck_for<'a>(decks: &'a Decks, accounts: &Accounts, account: &str) -> Option<&'a Deck> {
    let named =
        accounts.get(account).map(|account| account.deck.as_str()).filter(|deck| !deck.is_empty());
    // Another folder may lack the deck that the account names: if it has one deck only, that one is
    // meant.
    let index = match named {
        Some(deck) => decks.named(deck).or((decks.decks.len() == 1).then_some(0))?,
        None => decks.default_deck()?,
    };
    decks.decks.get(index as usize)
}

/// The rounding of the run that booked the call, and its numbers for a withheld caller.
fn booked_policy(run: &Run) -> (LegRule, FewNumbers) {
    let policy = Policy::of_words(&run.manifest.policy);
    (policy.leg_rule, policy.withheld_numbers)
}

/// A, B and C from the log: A and B are the root's `from` and `to`, C is a child's `to`.
fn scene_of(row: &LogRow, root: &LogRow, texts: &mut Interner) -> Option<(Scenario, Parties)> {
    let scenario = Scenario::parse(&row.scenario)?;
    let mut pack = |text: &str| PartyRef::pack(&Party::of_root(text), texts);
    let (a, b) = (pack(&root.from), pack(&root.to));
    let c = match scenario {
        Scenario::Root(_) => None,
        // A SIP target stays an endpoint, even if its user is a number.
        Scenario::Transfer(_) if row.to.starts_with("sip") => {
            Some(PartyRef::endpoint(texts.id(&row.to)))
        }
        Scenario::Transfer(_) => Some(pack(&row.to)),
    };
    Some((scenario, Parties { a, b, c }))
}

fn family_of(history: &History, root: &str, except: &str) -> Result<Vec<[String; 5]>, CliError> {
    let mut rows = find::family(history, root)?;
    rows.retain(|row| row.call_sid != except);
    let line = |row: LogRow| {
        let amount = row.amount_text();
        let (way, seconds) =
            (format!("{} → {}", row.from, row.to), row.duration_seconds.to_string());
        [row.role, row.call_sid, way, seconds, amount]
    };
    Ok(rows.into_iter().map(line).collect())
}

fn booked(history: &History, run: &Run, row: &LogRow) -> Result<BookedPrice, CliError> {
    let claims = BilledBy::of(&history.issued);
    let billing = billed_by::billing(
        claims.on(&row.account_sid, &row.currency),
        &run.manifest.run_id,
        billed_by::month_of(row.start),
    );
    let invoice = |claim: &Claim<'_>| {
        let credit = batch::credit_of(&history.issued, &claim.entry.number);
        (claim.entry.number.clone(), credit.map(|(_, credit)| credit.number.clone()))
    };
    Ok(BookedPrice {
        invoices: billing.map(invoice).collect(),
        run_id: row.run_id.clone(),
        currency: row.currency.clone(),
        amount: Total::from_units(row.amount),
        legs: find::booked_legs(run, row)?,
    })
}

// ---- the answer ---------------------------------------------------------------------------------

struct CallHead {
    sid: String,
    account: String,
    is_root: bool,
    root: String,
    status: String,
    family: Vec<[String; 5]>,
    deck_source: String,
    booked: Option<BookedPrice>,
    by_hand: Vec<String>,
}

fn role(is_root: bool) -> &'static str {
    if is_root { "parent" } else { "child" }
}

fn party_text(party: PartyRef, texts: &Interner) -> String {
    let mut text = String::new();
    party.push_to(texts, &mut text);
    text
}

fn build(
    head: CallHead,
    question: &Question<'_>,
    texts: &Interner,
) -> Result<ExplainedCall, CliError> {
    let answer: Answer<'_> = explain(question, texts)
        .map_err(|e| CliError::failed(format!("call {}: {e}", head.sid)))?;
    let parties = &question.parties;
    let cell = crate::rating::log_cell(question.scenario);
    Ok(ExplainedCall {
        role: role(head.is_root),
        parties: [Some(parties.a), Some(parties.b), parties.c]
            .map(|party| party.map(|p| party_text(p, texts)).unwrap_or_default()),
        log: (party_text(parties.get(cell.from), texts), party_text(parties.get(cell.to), texts)),
        legs: answer.legs.iter().map(|leg| leg_text(leg, question, texts)).collect(),
        bills: answer.bills,
        total: answer.total,
        sid: head.sid,
        account: head.account,
        root: head.root,
        scenario: question.scenario,
        start: question.start,
        status: head.status,
        duration: question.duration_seconds,
        family: head.family,
        currency: question.deck.currency.clone(),
        deck: question.deck.name.clone(),
        deck_source: head.deck_source,
        rule: question.rule,
        booked: head.booked,
        by_hand: head.by_hand,
    })
}

fn leg_text(leg: &ExplainedLeg<'_>, question: &Question<'_>, texts: &Interner) -> LegText {
    let origin = leg.plan.and_then(|plan| plan.origin);
    let priced = leg.priced.as_ref().map(|(hit, rate, charge)| {
        let file = question.deck.files[rate.file as usize].clone();
        let (destination_prefix, origin_prefix) =
            leg.plan.map(|plan| hit.prefixes(plan.rated, plan.origin)).unwrap_or_default();
        PricedText {
            place: format!("{file}:{}", rate.line),
            file,
            line: rate.line,
            description: rate.description.to_string(),
            destination_prefix,
            origin_prefix,
            price: rate.price.to_string(),
            fee: rate.fee.to_string(),
            initial: rate.increments.initial,
            increment: rate.increments.increment,
            minimum: rate.increments.minimum,
            billed_seconds: charge.billed_seconds,
            exact: charge.exact.to_string(),
            amount: charge.amount,
        }
    });
    LegText {
        cell: leg.cell.to_string(),
        from: party_text(question.parties.get(leg.cell.from), texts),
        to: party_text(question.parties.get(leg.cell.to), texts),
        rated: leg.plan.map(|plan| plan.rated.to_string()).unwrap_or_default(),
        origin: origin.map(|number| number.to_string()).unwrap_or_default(),
        unknown_because: (leg.plan.is_some() && origin.is_none())
            .then(|| why_unknown(question.parties.get(leg.cell.from), texts)),
        priced,
    }
}

/// The reason why a party is no origin, in words.
fn why_unknown(party: PartyRef, texts: &Interner) -> String {
    // A number that is no origin is one that the carrier writes for a withheld caller.
    if let Some(number) = party.as_number().or_else(|| party.origin_number(texts)) {
        let at = WITHHELD_NUMBERS.iter().position(|text| Number::parse(text) == Some(number));
        let word =
            at.map(|at| format!(" ({} on a keypad)", WITHHELD_WORDS[at])).unwrap_or_default();
        return format!("{number} stands for a withheld caller{word}");
    }
    match party.unpack(texts) {
        Party::Endpoint(endpoint) => format!("the user of {endpoint} is no number"),
        Party::Unknown(text) if text.is_empty() => "there is no caller".to_owned(),
        Party::Unknown(text) if is_mangled(&text) => {
            format!("{text} is no number: {}", no_number(&text))
        }
        Party::Unknown(text) => format!("{text} is no number"),
        Party::Number(number) => format!("{number} is no origin"),
    }
}
