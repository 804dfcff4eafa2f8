//! A look at a project: one export column by column, one deck, and the result of a run.

use crate::cli::clock;
use crate::cli::error::CliError;
use crate::cli::project::{Key, Project};
use crate::cli::term::{self, grouped};
use crate::columns::REQUIRED;
use crate::deck::{Deck, Rated};
use crate::ingest::sample::Sample;
use crate::ingest::source::{CallPath, FoundFiles};
use crate::inputs::decks::{self, Decks};
use crate::inputs::given::Inputs;
use crate::inputs::record_text::RecordText;
use crate::job::run::{LoadedNight, SettledRun};
use crate::ledger::History;
use crate::ledger::tables::waits::Waits;
use crate::night::Class;
use crate::partition::spill::Memory;
use crate::party::{Number, Party, endpoint_number};
use crate::policy::Policy;
use crate::record::{Field, Fields, Record};
use crate::resemble::{CALL_SYNONYMS, resembling};
use crate::scenario::Direction;
use crate::text::visible;
use crate::time;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

/// The most records of an export that are looked at one by one.
const LOOKED_AT: usize = 10_000;
/// The most bytes of exports that are rated for the look; of more, only the first file is rated.
const RATED: u64 = 256 << 20;

/// Shows the project, and prints the next steps.
pub fn run(project: &Project) -> Result<(), CliError> {
    let policy = project.policy()?;
    let calls = project.calls(&[]);
    let decks = project.rates(None).and_then(|rates| Ok((decks::load(&rates)?, rates)));
    let mut first = None;
    match &calls {
        Ok(found) => first = export(found, &policy)?,
        Err(e) => say_missing("no call files yet", e)?,
    }
    match &decks {
        Ok((decks, rates)) => {
            print(&deck(decks, rates, first.as_ref()))?;
        }
        Err(e) => say_missing("no deck yet", e)?,
    }
    let mut is_good = false;
    if let (Ok(found), Ok((decks, rates))) = (&calls, &decks) {
        is_good = would(project, found, (decks.clone(), rates), &policy)?;
    }
    print(&next(project, calls.is_ok(), decks.is_ok(), is_good, first.as_ref()))
}

fn print(text: &str) -> Result<(), CliError> {
    Ok(term::print(text)?)
}

fn say_missing(what: &str, error: &CliError) -> Result<(), CliError> {
    print(&format!("{}\n   {}\n\n", term::heading(what), visible(error.message())))
}

// ---- the export ---------------------------------------------------------------------------------

/// The first call of the export, which the deck is asked for.
struct First {
    from: String,
    to: String,
    start: i64,
}

/// Shows one export; returns its first call.
fn export(found: &FoundFiles, policy: &Policy) -> Result<Option<First>, CliError> {
    let Some(file) = found.files.first() else { return Ok(None) };
    let others = match found.files.len() - 1 {
        0 => String::new(),
        more => format!(" (and {} more)", grouped(more as u64)),
    };
    let title = term::heading(&format!("export {}{others}", visible(&file.name)));
    let sample = match Sample::of(file, LOOKED_AT) {
        Ok(sample) => sample,
        Err(e) => {
            print(&format!("{title}\n   {}\n\n", visible(&e.to_string())))?;
            return Ok(None);
        }
    };
    let records = sample.records.len();
    let how_many = if records < LOOKED_AT {
        grouped(records as u64)
    } else {
        format!("the first {}", grouped(records as u64))
    };
    let (table, absent) = columns(&sample, policy);
    print(&format!(
        "{title}\n   {}; {how_many} records looked at\n\n{table}{absent}{}\n",
        sample.form,
        seen(&sample, policy)
    ))?;
    let first = sample.records.iter().find_map(|text| {
        text.with_fields(|fields| {
            let fields = fields?;
            let record = Record::read(fields, policy);
            let is_root =
                fields.get(Field::ParentCallSid).is_empty() && record.direction.side().is_some();
            let start = record.start;
            is_root.then(|| First {
                from: fields.get(Field::From).to_owned(),
                to: fields.get(Field::To).to_owned(),
                start,
            })
        })
    });
    Ok(first.filter(|first| first.start != crate::call::Calls::NO_TIME))
}

/// A row for each field: its column, its first value, and the value as read; then the absent fields
/// and the unread columns.
fn columns(sample: &Sample, policy: &Policy) -> (String, String) {
    let column =
        |field: Field| sample.columns.iter().find(|name| Field::named(name) == Some(field));
    let like = |field: Field| {
        let known = Field::ALL.map(Field::as_str);
        let mut strange = sample.columns.iter().filter(|name| Field::named(name).is_none());
        strange.find(|name| resembling(name, known, CALL_SYNONYMS) == Some(field.as_str()))
    };
    let is_shown = |field: &Field| REQUIRED.contains(field) || column(*field).is_some();
    let rows = Field::ALL.into_iter().filter(is_shown).map(|field| {
        let Some(name) = column(field) else {
            let like =
                like(field).map(|name| format!("like `{}`", short(name, 15))).unwrap_or_default();
            return vec![
                field.as_str().to_owned(),
                "MISSING".to_owned(),
                like,
                "cannot be billed without".to_owned(),
            ];
        };
        let first = sample.records.iter().find_map(|text| value(text, field, policy));
        let (value, read) =
            first.unwrap_or_else(|| (String::new(), "empty in all of them".to_owned()));
        vec![field.as_str().to_owned(), short(name, 16), short(&value, 20), short(&read, 24)]
    });
    let table = term::table(&["field", "column", "first value", "read as"], &[], rows);
    let absent: Vec<&str> =
        Field::ALL.into_iter().filter(|field| !is_shown(field)).map(Field::as_str).collect();
    let unread: Vec<String> = sample
        .columns
        .iter()
        .filter(|name| Field::named(name).is_none())
        .map(|name| short(name, 24))
        .collect();
    let mut text = String::new();
    for (what, names) in
        [("not there, and not needed", absent.join(", ")), ("not read", unread.join(", "))]
    {
        if !names.is_empty() {
            text += &wrapped(&format!("   {what}: "), &names);
        }
    }
    (table, text)
}

/// The text of a field, and the value as read; `None` if it is empty.
fn value(text: &RecordText, field: Field, policy: &Policy) -> Option<(String, String)> {
    text.with_fields(|fields| {
        let fields = fields?;
        let value = fields.get(field);
        (!value.is_empty()).then(|| (visible(value).into_owned(), read_as(fields, field, policy)))
    })
}

/// The value of a field as the reader of runs reads it.
fn read_as(fields: &Fields<'_>, field: Field, policy: &Policy) -> String {
    let value = fields.get(field);
    let record = Record::read(fields, policy);
    let instant = || {
        time::parse(value, policy.zone.as_ref())
            .map_or_else(|| "NO TIME that is read".to_owned(), time::text)
    };
    match field {
        Field::Direction => record
            .direction
            .side()
            .map_or_else(|| "no trunk call".to_owned(), |side| side.to_string()),
        Field::From | Field::To => party(value),
        Field::StartTime | Field::EndTime | Field::AnswerTime => instant(),
        Field::Duration => format!("{} s", record.duration),
        Field::Status => record.status.as_str().to_owned(),
        Field::Price => "kept beside ours".to_owned(),
        Field::ReferTo => "the transfer's target".to_owned(),
        Field::ParentCallSid => "a transfer".to_owned(),
        Field::Sid | Field::AccountSid | Field::TrunkSid | Field::PriceUnit => {
            "as it is".to_owned()
        }
    }
}

fn party(text: &str) -> String {
    match Party::of_root(text) {
        Party::Number(number) => number.to_string(),
        Party::Endpoint(_) => "a SIP endpoint".to_owned(),
        Party::Unknown(_) => "NO NUMBER: unknown".to_owned(),
    }
}

/// The directions, accounts and times of the records.
fn seen(sample: &Sample, policy: &Policy) -> String {
    let (mut directions, mut accounts) =
        (BTreeMap::<String, u64>::new(), BTreeMap::<String, u64>::new());
    let (mut times, mut bad_times) = (Vec::<i64>::new(), 0_u64);
    for text in &sample.records {
        text.with_fields(|fields| {
            let Some(fields) = fields else { return };
            let record = Record::read(fields, policy);
            if fields.get(Field::ParentCallSid).is_empty() {
                *directions.entry(fields.get(Field::Direction).to_owned()).or_default() += 1;
            }
            *accounts.entry(fields.get(Field::AccountSid).to_owned()).or_default() += 1;
            match time::parse(fields.get(Field::StartTime), policy.zone.as_ref()) {
                Some(_) => times.push(record.start),
                None => bad_times += 1,
            }
        });
    }
    let mut text = String::new();
    text += &wrapped("   directions of calls: ", &counted(&directions));
    text += &wrapped("   accounts: ", &counted(&accounts));
    if let (Some(first), Some(last)) = (times.iter().min(), times.iter().max()) {
        let _ = writeln!(text, "   starts: {} to {}", time::text(*first), time::text(*last));
    }
    if bad_times > 0 {
        let zone =
            if policy.zone.is_none() { "; if they have no offset, set input.timezone" } else { "" };
        let _ = writeln!(text, "   {} starts cannot be read{zone}", grouped(bad_times));
    }
    text
}

/// Names with their counts, the most frequent first; at most eight.
fn counted(counts: &BTreeMap<String, u64>) -> String {
    let mut sorted: Vec<_> = counts.iter().collect();
    sorted.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), *name));
    let shown = |(name, count): &(&String, &u64)| {
        let name = if name.is_empty() { "(empty)".to_owned() } else { short(name, 40) };
        format!("{name} {}", grouped(**count))
    };
    let some: Vec<String> = sorted.iter().take(8).map(shown).collect();
    let more = sorted.len() - some.len();
    if more > 0 {
        format!("{}, and {} more", some.join(", "), grouped(more as u64))
    } else {
        some.join(", ")
    }
}

// ---- the deck -----------------------------------------------------------------------------------

/// Shows one deck, and its price for two numbers.
fn deck(decks: &Decks, rates: &std::path::Path, first: Option<&First>) -> String {
    let number = decks.default_deck().unwrap_or(0) as usize;
    let Some(deck) = decks.decks.get(number) else { return String::new() };
    let others = match decks.decks.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    let mut text = format!(
        "{}\n",
        term::heading(&format!("deck `{}` of {}{others}", visible(&deck.name), rates.display()))
    );
    let mut blocks: BTreeMap<String, u64> = BTreeMap::new();
    for rate in &deck.rates {
        *blocks
            .entry(format!("{}/{}", rate.increments.initial, rate.increments.increment))
            .or_default() += 1;
    }
    let rows = deck.rates.len() as u64;
    let _ = write!(
        text,
        "   {}, {} {}",
        deck.currency,
        grouped(rows),
        if rows == 1 { "row" } else { "rows" }
    );
    let _ = writeln!(
        text,
        "; increments {}",
        if blocks.len() == 1 {
            blocks.keys().next().cloned().unwrap_or_default()
        } else {
            counted(&blocks)
        }
    );
    if decks.default_deck().is_none() {
        text += "   no deck is named `default`: an account that accounts.csv gives none waits as \
                 no-rate\n";
    }
    let at = first.map_or_else(clock::second, |first| first.start);
    let called = first.and_then(|first| number_of(&first.to));
    let origin = first.and_then(|first| number_of(&first.from));
    let example = Number::parse("+12025550100").filter(|example| Some(*example) != called);
    let asked = [example.map(|number| (number, None)), called.map(|number| (number, origin))]
        .into_iter()
        .flatten();
    for (number, origin) in asked {
        let _ = writeln!(text, "   {}", priced(deck, number, origin, at));
    }
    text + "\n"
}

fn number_of(text: &str) -> Option<Number> {
    match Party::of_root(text) {
        Party::Number(number) => Some(number),
        Party::Endpoint(endpoint) => endpoint_number(&endpoint),
        Party::Unknown(_) => None,
    }
}

fn priced(deck: &Deck, number: Number, origin: Option<Number>, at: i64) -> String {
    let from = origin.map(|origin| format!(" from {origin}")).unwrap_or_default();
    match deck.lookup(Direction::Termination, Rated::Number(number), origin, at) {
        None => format!("to {number}{from}: no row; such a call would wait as no-rate"),
        Some(hit) => {
            let rate = deck.rate(hit);
            let place = format!("{}:{}", deck.files[rate.file as usize], rate.line);
            format!(
                "to {number}{from}: {} {} a minute, {}",
                rate.price,
                deck.currency,
                visible(&place)
            )
        }
    }
}

// ---- the result of a run ------------------------------------------------------------------------

/// Settles the exports without booking them; returns true if that can be done.
fn would(
    project: &Project,
    found: &FoundFiles,
    (decks, rates): (Decks, &PathBuf),
    policy: &Policy,
) -> Result<bool, CliError> {
    let size = |file: &CallPath| std::fs::metadata(&file.path).map_or(0, |meta| meta.len());
    let all: u64 = found.files.iter().map(size).sum();
    let files = if all <= RATED { &found.files[..] } else { &found.files[..1] };
    match settled(project, files, (decks, rates), policy) {
        Ok(session) => {
            print(&outcome(files, &session))?;
            Ok(true)
        }
        Err(e) => {
            print(&format!(
                "{}\n   {}\n",
                term::heading("a run would be refused"),
                visible(e.message())
            ))?;
            for hint in e.hints() {
                print(&wrapped("   ", &visible(hint)))?;
            }
            print("\n")?;
            Ok(false)
        }
    }
}

fn settled(
    project: &Project,
    files: &[CallPath],
    (decks, rates): (Decks, &PathBuf),
    policy: &Policy,
) -> Result<SettledRun, CliError> {
    let (trunks, accounts) = (project.path(Key::Trunks, None)?, project.path(Key::Accounts, None)?);
    let inputs =
        Inputs::with_decks(decks, rates, trunks.as_deref(), accounts.as_deref(), policy.clone())?;
    let aside = std::env::temp_dir();
    let intake = LoadedNight::read(
        inputs,
        files,
        Waits::default(),
        (Memory::of_machine(), &aside),
        &Arc::default(),
    )?;
    Ok(intake.settle(&History::default())?)
}

fn outcome(files: &[CallPath], session: &SettledRun) -> String {
    let tally = session.tally();
    let of = if files.len() == 1 {
        visible(&files[0].name).into_owned()
    } else {
        format!("{} files", files.len())
    };
    let mut text = format!("{}\n", term::heading(&format!("a run over {of} would come to")));
    for class in Class::ALL {
        let records = tally.of(class).records;
        let words = match class {
            Class::Rated => "billed",
            Class::Free => "not answered, or 0 s",
            Class::Duplicate => "copies",
            Class::Ignored => "no trunk calls",
            Class::Suspended => "wait, and are tried again by every run",
        };
        let _ = writeln!(text, "   {:<10} {:>8}  {words}", class.as_str(), grouped(records));
    }
    for (reason, count) in session.suspended_by_reason() {
        let _ = writeln!(text, "     {:<24} {:>6}", reason.as_str(), grouped(*count));
    }
    text + "\n"
}

// ---- next steps ---------------------------------------------------------------------------------

fn next(
    project: &Project,
    has_calls: bool,
    has_deck: bool,
    is_good: bool,
    first: Option<&First>,
) -> String {
    let mut steps: Vec<(String, &str)> = Vec::new();
    if !has_deck {
        steps.push((
            "put a deck into the rates folder".to_owned(),
            "deck.toml, and the price list as CSV",
        ));
    }
    if !has_calls {
        steps.push((
            "put exports into the calls folder".to_owned(),
            "CSV, JSON, JSON Lines or Parquet",
        ));
    }
    if !is_good {
        steps.push(("trunkrate init".to_owned(), "looks again"));
    }
    let month = first
        .map_or_else(|| "YYYY-MM".to_owned(), |first| time::date_text(first.start)[..7].to_owned());
    steps.push(("trunkrate run".to_owned(), "rates and books them"));
    steps.push(("trunkrate suspense".to_owned(), "what waits, and why"));
    steps.push((
        format!("trunkrate invoice check --period {month}"),
        "what stands against invoices",
    ));
    steps.push((format!("trunkrate invoice issue --period {month}"), "when the month is over"));
    let width = steps.iter().map(|(step, _)| step.len()).max().unwrap_or_default();
    let mut text = format!("{} ({})\n", term::heading("next"), project.file().display());
    for (step, why) in &steps {
        let _ = writeln!(text, "   {step:width$}  {why}");
    }
    text
}

// ---- words --------------------------------------------------------------------------------------

/// A text cut to at most `most` letters.
fn short(text: &str, most: usize) -> String {
    let text = visible(text);
    if text.chars().count() <= most {
        return text.into_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

/// A heading and a list, wrapped to lines of at most 79 letters.
fn wrapped(heading: &str, list: &str) -> String {
    let (mut text, mut column) = (heading.to_owned(), heading.chars().count());
    for word in list.split(' ') {
        let width = word.chars().count();
        if column + width > 79 && column > 6 {
            text.truncate(text.trim_end().len());
            text += "\n      ";
            column = 6;
        }
        text += word;
        text.push(' ');
        column += width + 1;
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}
