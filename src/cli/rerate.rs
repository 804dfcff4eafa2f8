//! `rerate`: explains the price of one call, beside the booked one. `text` prints it, `source` the
//! record that it was booked from, and `page` writes it for the customer. `period` rates the calls
//! of a period again.

mod page;
mod period;
mod source;
mod text;

pub use page::{write as write_page, write_unbooked as write_page_of_unbooked};

use super::args::TextFormat;
use super::args::rerate::{RerateArgs, RerateCommand, RerateFormat};
use super::calls::last_list;
use super::error::CliError;
use super::project::{Key, Project};
use super::term;
use crate::advice;
use crate::explain::Question;
use crate::ingest::source as call_files;
use crate::inputs::accounts::{self, Accounts};
use crate::inputs::decks::{self, Decks};
use crate::inputs::given::Inputs;
use crate::job::evidence::Evidence;
use crate::job::run::LoadedNight;
use crate::ledger::index::{find, prefix};
use crate::ledger::tables::read::find_waiting;
use crate::ledger::tables::waits::Waits;
use crate::ledger::{History, Ledger, Run};
use crate::night::Class;
use crate::partition::spill::Memory;
use crate::policy::Policy;
use crate::reject::Reason;
use crate::report::asked::sid_of;
use crate::report::explained::{self, CallHead, ExplainedCall, RatedWith, party_text, role};
use std::sync::Arc;

/// Explains a call, or rates a period again.
pub fn run(args: &RerateCommand, project: &Project) -> Result<(), CliError> {
    if args.is_of_period() {
        return period::run(args, project);
    }
    let format = match args.format {
        RerateFormat::Text => TextFormat::Text,
        RerateFormat::Json => TextFormat::Json,
        RerateFormat::Csv => {
            return Err(CliError::usage("--format csv is of a period; of a call text or json"));
        }
    };
    explain(&args.one, format, project)
}

/// Explains a call from the ledger, or from files.
pub fn explain(args: &RerateArgs, format: TextFormat, project: &Project) -> Result<(), CliError> {
    if !args.cdrs.is_empty() {
        return print(format, &from_files(args, project)?, None);
    }
    refuse_lone_accounts(args)?;
    let ledger = project.ledger()?;
    let history = ledger.history()?;
    run_booked(args, format, project, (&ledger, &history))
}

/// Explains a booked call, with the record that it was booked from.
pub fn run_booked(
    args: &RerateArgs,
    format: TextFormat,
    project: &Project,
    (ledger, history): (&Ledger, &History),
) -> Result<(), CliError> {
    let case = case_of(args, project, (ledger, history))?;
    let evidence = source::find(args, project, history, &case.sid)?;
    print(format, &case, evidence.as_ref())
}

fn print(
    format: TextFormat,
    case: &ExplainedCall,
    evidence: Option<&Evidence>,
) -> Result<(), CliError> {
    let text = match format {
        TextFormat::Text => text::as_text(case, evidence),
        TextFormat::Json => serde_json::to_string_pretty(&text::as_json(case, evidence))? + "\n",
    };
    Ok(term::print(&text)?)
}

/// Refuses a list of accounts beside what is not rated anew.
fn refuse_lone_accounts(args: &RerateArgs) -> Result<(), CliError> {
    if args.accounts.is_some() && args.rates.is_none() {
        return Err(CliError::usage(
            "--accounts needs --cdrs or --rates: without them the call is explained as it was \
             booked",
        ));
    }
    Ok(())
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
    let found = call_files::find(&args.cdrs)?;
    let memory = Memory::of_machine();
    let intake = LoadedNight::read(
        inputs,
        &found.files,
        Waits::default(),
        (memory, &std::env::temp_dir()),
        &Arc::default(),
    )?;
    let Some(session) = intake.settle_family(args.call())? else {
        return Err(CliError::failed(format!(
            "the call {} is in none of these files",
            args.call()
        )));
    };
    let calls = &session.calls;
    let versions: Vec<usize> = (0..calls.len())
        .filter(|record| calls.sid_text(*record).to_string() == args.call())
        .collect();
    // A copy says nothing of the call: the version that counts does, even if it waits.
    let rank = |record: &&usize| {
        let class = session.night.class[**record];
        (class == Class::Duplicate, class)
    };
    let Some(record) = versions.iter().min_by_key(rank).copied() else {
        return Err(CliError::failed(format!(
            "the call {} is in none of these files",
            args.call()
        )));
    };
    let tariff = session.tariff();
    let Some(scene) = session.night.scene(calls, &session.earlier, record) else {
        let detail = session.detail(record)?;
        return Err(not_rated(
            args.call(),
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
        sid: args.call().to_owned(),
        account: calls.accounts.text(calls.account[record]).to_owned(),
        is_root: scene.parent.is_empty(),
        root,
        status: calls.status[record].as_str().to_owned(),
        family,
        deck_source: rates.display().to_string(),
        booked: None,
        by_hand: Vec::new(),
    };
    Ok(explained::build(head, &question, &calls.parties, &session.inputs.decks.files)?)
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

/// A booked call and its price.
pub fn case_of(
    args: &RerateArgs,
    project: &Project,
    (ledger, history): (&Ledger, &History),
) -> Result<ExplainedCall, CliError> {
    refuse_lone_accounts(args)?;
    let call = named(ledger, history, args.call())?;
    let Some((row, run)) = find::find_log_row(history, &call)? else {
        let waits = find_waiting(history, &call)?;
        if waits.is_none() {
            find::refuse_damaged_ids(history)?;
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
    let policy = project.named_policy()?;
    let (decks, source) = decks_for(args, ledger, run)?;
    let with = RatedWith {
        decks: (&decks, &source),
        accounts: &accounts_for(args, ledger, run)?,
        policy: policy.map(|policy| (policy.leg_rule, policy.withheld_numbers)),
    };
    Ok(explained::booked_call(history, (&row, run), &with)?)
}

fn decks_for(args: &RerateArgs, ledger: &Ledger, run: &Run) -> Result<(Decks, String), CliError> {
    if let Some(rates) = &args.rates {
        return Ok((decks::load(rates)?, rates.display().to_string()));
    }
    Ok((explained::archived_decks(ledger, run)?, "as booked".to_owned()))
}

fn accounts_for(args: &RerateArgs, ledger: &Ledger, run: &Run) -> Result<Accounts, CliError> {
    Ok(match &args.accounts {
        Some(path) => accounts::load(path)?.0,
        None => explained::archived_accounts(ledger, run)?,
    })
}
