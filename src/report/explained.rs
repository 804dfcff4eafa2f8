//! The price of one call, explained: by which row of the published table, by which row of the deck,
//! and beside what was booked.

use crate::deck::Deck;
use crate::detail::fields::no_number;
use crate::explain::{Answer, ExplainedLeg, Question, explain};
use crate::fit::must_fit;
use crate::inputs::accounts::{self, Accounts};
use crate::inputs::decks::{self, Decks};
use crate::intern::Interner;
use crate::ledger::batch;
use crate::ledger::index::earlier;
use crate::ledger::index::find;
use crate::ledger::invoices::billed_by::{self, BilledBy, Claim};
use crate::ledger::manifest::RunKind;
use crate::ledger::tables::log_row::LogRow;
use crate::ledger::{History, Ledger, LedgerError, Run};
use crate::money::{Amount, LegRule, Total};
use crate::party::{FewNumbers, Number, Party, is_mangled};
use crate::party_ref::PartyRef;
use crate::policy::{Policy, WITHHELD_NUMBERS, WITHHELD_WORDS};
use crate::rating::Parties;
use crate::report::asked::AskError;
use crate::scenario::Scenario;
use crate::status::Status;
use std::collections::BTreeMap;

/// A call and its price, ready to print.
#[allow(missing_docs, reason = "as they are printed")]
#[derive(Debug, Clone)]
pub struct ExplainedCall {
    pub sid: String,
    pub account: String,
    pub role: &'static str,
    pub root: String,
    pub scenario: Scenario,
    pub parties: [String; 3],
    pub log: (String, String),
    pub start: i64,
    pub status: String,
    pub duration: u32,
    /// Other calls of the family: role, id, from → to, seconds, amount.
    pub family: Vec<[String; 5]>,
    pub currency: String,
    pub deck: String,
    pub deck_source: String,
    pub rule: LegRule,
    pub legs: Vec<LegText>,
    pub bills: bool,
    pub total: Option<Total>,
    pub booked: Option<BookedPrice>,
    /// A person's decision about it, in words.
    pub by_hand: Vec<String>,
}

/// A leg in words.
#[allow(missing_docs, reason = "as they are printed")]
#[derive(Debug, Clone)]
pub struct LegText {
    pub cell: String,
    pub from: String,
    pub to: String,
    pub rated: String,
    pub origin: String,
    /// The reason why the origin is unknown, if it is unknown and matters.
    pub unknown_because: Option<String>,
    pub priced: Option<PricedText>,
}

/// The price of a leg.
#[allow(missing_docs, reason = "as they are printed")]
#[derive(Debug, Clone)]
pub struct PricedText {
    pub place: String,
    pub file: String,
    pub line: u32,
    pub description: String,
    pub destination_prefix: String,
    pub origin_prefix: String,
    /// Its row as it stands in the deck's file.
    pub written: String,
    pub price: String,
    pub fee: String,
    pub initial: u32,
    pub increment: u32,
    pub minimum: u32,
    pub billed_seconds: u32,
    pub exact: String,
    pub amount: Amount,
}

/// The booked side.
#[allow(missing_docs, reason = "as they are printed")]
#[derive(Debug, Clone)]
pub struct BookedPrice {
    pub run_id: String,
    pub currency: String,
    pub amount: Total,
    pub legs: Vec<Total>,
    /// The invoices that bill it, in order, each with the credit note that cancels it: only the
    /// last may be uncredited.
    pub invoices: Vec<(String, Option<String>)>,
}

/// The inputs that a booked call is rated with again.
#[derive(Debug)]
pub struct RatedWith<'a> {
    /// The decks, and where they come from.
    pub decks: (&'a Decks, &'a str),
    /// The accounts, which name decks.
    pub accounts: &'a Accounts,
    /// The rounding, and the numbers for a withheld caller, where they are not those of the run.
    pub policy: Option<(LegRule, FewNumbers)>,
}

/// A booked call and its price.
///
/// # Errors
/// If a file cannot be read, the ledger lacks the call's parent, or no deck prices the account.
pub fn booked_call(
    history: &History,
    (row, run): (&LogRow, &Run),
    with: &RatedWith<'_>,
) -> Result<ExplainedCall, AskError> {
    let family = find::family(history, row.root())?;
    let mut case = booked_call_beside(history, (row, run), with, &family)?;
    if let Some(booked) = &mut case.booked {
        booked.legs = find::booked_legs(run, row)?;
    }
    Ok(case)
}

/// As [`booked_call`], beside the booked calls of its family, which were read before; the legs of
/// what was booked are not read one by one.
///
/// # Errors
/// As [`booked_call`].
pub fn booked_call_beside(
    history: &History,
    (row, run): (&LogRow, &Run),
    with: &RatedWith<'_>,
    family: &[LogRow],
) -> Result<ExplainedCall, AskError> {
    let (call, root_sid) = (&row.call_sid, row.root().to_owned());
    let known = family.iter().find(|own| own.call_sid == root_sid).cloned();
    let known = match known {
        Some(known) => Some(known),
        None => find::find_log_row(history, &root_sid)?.map(|(root, _)| root),
    };
    let Some(root) = known else {
        return Err(AskError::unknown(format!(
            "the ledger has the child {call} without its parent {root_sid}"
        ))
        .hint("run `trunkrate verify`"));
    };
    let (decks, deck_source) = with.decks;
    let Some(deck) = deck_for(decks, with.accounts, &row.account_sid) else {
        return Err(AskError::unknown(format!("no deck prices the account {}", row.account_sid)));
    };
    let mut texts = Interner::default();
    let Some((scenario, parties)) = scene_of(row, &root, &mut texts) else {
        return Err(AskError::unknown(format!("the log of {call} has no scenario"))
            .hint("run `trunkrate verify`"));
    };
    let (rule, withheld) = with.policy.clone().unwrap_or_else(|| booked_policy(run));
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
        family: family_lines(family, call),
        root: root_sid,
        status: row.status.clone(),
        deck_source: deck_source.to_owned(),
        booked: Some(booked(history, run, row)?),
        by_hand: by_hand(history, run, row),
    };
    build(head, &question, &texts, &decks.files)
}

/// What a person decided about a booked call, in words.
fn by_hand(history: &History, run: &Run, row: &LogRow) -> Vec<String> {
    let mut words = history.by_hand(&row.call_sid, |field| row.time_of(field));
    if run.manifest.kind == RunKind::Rerate {
        let reason = run.manifest.reason.as_deref().unwrap_or("");
        words.push(format!(
            "it was rated again by other decks, and the legs of the version before were taken \
             back: {reason} (run {})",
            run.manifest.run_id
        ));
    }
    words
}

/// The decks that a run rated with, by their hash in the archive.
///
/// # Errors
/// If the run does not say, or they cannot be read.
pub fn archived_decks(ledger: &Ledger, run: &Run) -> Result<Decks, AskError> {
    let Some(hash) = &run.manifest.decks_hash else {
        return Err(AskError::unknown(format!(
            "the run {} does not say which decks it rated with",
            run.manifest.run_id
        ))
        .hint("run `trunkrate verify`"));
    };
    let own_name = run.manifest.decks.first().map_or("", |deck| deck.folder.as_str());
    Ok(decks::archived(&ledger.archive_folder().join(hash), own_name)?)
}

/// The accounts that a run rated with; none if it had no list.
///
/// # Errors
/// If they cannot be read.
pub fn archived_accounts(ledger: &Ledger, run: &Run) -> Result<Accounts, AskError> {
    let Some(hash) = &run.manifest.accounts_hash else { return Ok(Accounts::new()) };
    Ok(accounts::archived(&ledger.archive_folder().join(hash).join("accounts.csv"))?)
}

/// The deck that prices an account.
#[must_use]
pub fn deck_for<'a>(decks: &'a Decks, accounts: &Accounts, account: &str) -> Option<&'a Deck> {
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
#[must_use]
pub fn booked_policy(run: &Run) -> (LegRule, FewNumbers) {
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

fn family_lines(rows: &[LogRow], except: &str) -> Vec<[String; 5]> {
    let line = |row: &LogRow| {
        let amount = row.amount_text();
        let (way, seconds) =
            (format!("{} → {}", row.from, row.to), row.duration_seconds.to_string());
        [row.role.clone(), row.call_sid.clone(), way, seconds, amount]
    };
    rows.iter().filter(|row| row.call_sid != except).map(line).collect()
}

fn booked(history: &History, run: &Run, row: &LogRow) -> Result<BookedPrice, LedgerError> {
    let claims = BilledBy::of(&history.issued);
    // Of a call that was rated again the invoices of its earlier versions are told, too.
    let runs: Vec<&str> = if run.manifest.kind == RunKind::Rerate {
        let all = earlier::runs_with(history, &row.call_sid)?;
        all.into_iter().map(|place| history.runs[place].manifest.run_id.as_str()).collect()
    } else {
        vec![&run.manifest.run_id]
    };
    let own = claims.on(&row.account_sid, &row.currency);
    let month = billed_by::month_of(row.start);
    let billing = runs.iter().flat_map(|run_id| billed_by::billing(own, run_id, month));
    let invoice = |claim: &Claim<'_>| {
        let credit = batch::credit_of(&history.issued, &claim.entry.number);
        (claim.entry.number.clone(), credit.map(|(_, credit)| credit.number.clone()))
    };
    Ok(BookedPrice {
        invoices: billing.map(invoice).collect(),
        run_id: row.run_id.clone(),
        currency: row.currency.clone(),
        amount: Total::from_units(row.amount),
        legs: Vec::new(),
    })
}

// ---- the answer ---------------------------------------------------------------------------------

/// Facts of a call beside its price.
#[allow(missing_docs, reason = "as they are printed")]
#[derive(Debug)]
pub struct CallHead {
    pub sid: String,
    pub account: String,
    pub is_root: bool,
    pub root: String,
    pub status: String,
    pub family: Vec<[String; 5]>,
    pub deck_source: String,
    pub booked: Option<BookedPrice>,
    pub by_hand: Vec<String>,
}

/// The part of a call in its family.
#[must_use]
pub fn role(is_root: bool) -> &'static str {
    if is_root { "parent" } else { "child" }
}

/// A party as text.
#[must_use]
pub fn party_text(party: PartyRef, texts: &Interner) -> String {
    let mut text = String::new();
    party.push_to(texts, &mut text);
    text
}

/// Explains a call.
///
/// # Errors
/// If an amount does not fit.
pub fn build(
    head: CallHead,
    question: &Question<'_>,
    texts: &Interner,
    files: &DeckFiles,
) -> Result<ExplainedCall, AskError> {
    let answer: Answer<'_> = explain(question, texts)
        .map_err(|e| AskError::unknown(format!("call {}: {e}", head.sid)))?;
    let parties = &question.parties;
    let cell = crate::rating::log_cell(question.scenario);
    Ok(ExplainedCall {
        role: role(head.is_root),
        parties: [Some(parties.a), Some(parties.b), parties.c]
            .map(|party| party.map(|p| party_text(p, texts)).unwrap_or_default()),
        log: (party_text(parties.get(cell.from), texts), party_text(parties.get(cell.to), texts)),
        legs: answer.legs.iter().map(|leg| leg_text(leg, question, texts, files)).collect(),
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

/// The files of a deck, by their names.
type DeckFiles = BTreeMap<String, Vec<u8>>;

/// A line of a deck's file, as it is written; empty if there is none.
fn line_of(files: &DeckFiles, file: &str, line: u32) -> String {
    let lines = files.get(file).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let at = must_fit::<_, usize>(line, "a line of a file in memory").saturating_sub(1);
    let found = lines.as_deref().and_then(|text| text.lines().nth(at));
    found.map_or_else(String::new, str::to_owned)
}

fn leg_text(
    leg: &ExplainedLeg<'_>,
    question: &Question<'_>,
    texts: &Interner,
    files: &DeckFiles,
) -> LegText {
    let origin = leg.plan.and_then(|plan| plan.origin);
    let priced = leg.priced.as_ref().map(|(hit, rate, charge)| {
        let file = question.deck.files[rate.file as usize].clone();
        let (destination_prefix, origin_prefix) =
            leg.plan.map(|plan| hit.prefixes(plan.rated, plan.origin)).unwrap_or_default();
        PricedText {
            place: format!("{file}:{}", rate.line),
            written: line_of(files, &file, rate.line),
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

/// The row of the published table that a scenario is billed by: which calls, and what they bill.
#[must_use]
pub fn published_row(scenario: Scenario) -> (String, String) {
    match scenario {
        Scenario::Root(direction) => (
            format!("{} A→B, not transferred or the parent of a transfer", direction.title()),
            format!("{} × its own duration", crate::table::root_leg(direction)),
        ),
        Scenario::Transfer(transfer) => {
            let row = transfer.row();
            let legs =
                row.child_bills.iter().map(ToString::to_string).collect::<Vec<_>>().join(" + ");
            (
                format!("{} A→B, transferred to {}", row.parent.title(), row.target_words),
                format!("{legs}, each × child duration; log {}", row.child_log),
            )
        }
    }
}

/// The price now, less the booked one; `None` where the two cannot be compared.
#[must_use]
pub fn difference(case: &ExplainedCall) -> Option<Total> {
    let booked = case.booked.as_ref().filter(|booked| booked.currency == case.currency)?;
    Some(Total::from_units(case.total?.units() - booked.amount.units()))
}
