//! `run`: the night; and `suspense retry`, a night without calls.

use super::args::{RatingArgs, RunArgs, TextFormat};
use super::error::{CliError, Kind};
use super::term::{self, grouped};
use crate::io::job::{self, Inputs, Intake, Session, Summary};
use crate::io::ledger::manifest::RunKind;
use crate::io::ledger::{History, Ledger, Lock, catalog, read};
use crate::io::parts::Memory;
use crate::io::source::{self, CallPath};
use crate::night::{Class, Count};
use crate::reject::Reason;
use serde_json::{Map, Value, json};

/// Rates call files and books them.
pub fn run(args: &RunArgs) -> Result<(), CliError> {
    set_threads(args.threads)?;
    let found = source::find(&args.cdrs)?;
    for path in &found.left_out {
        term::report("note", &format!("{}: left out, its name is not that of a call file", path.display()));
    }
    night(&args.rating, &found.files, args.max_suspended, RunKind::Run)
}

/// Tries all that waits again, without new calls.
pub fn retry(args: &RatingArgs) -> Result<(), CliError> {
    let ledger = existing(&args.ledger)?;
    if suspense_of(&ledger)?.is_empty() {
        term::print("nothing waits\n")?;
        return Ok(());
    }
    night(args, &[], None, RunKind::Retry)
}

fn set_threads(threads: Option<usize>) -> Result<(), CliError> {
    let Some(threads) = threads else { return Ok(()) };
    if threads == 0 {
        return Err(CliError::usage("--threads 0: expected 1 or more"));
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    pool.map_err(|e| CliError::failed(format!("--threads: {e}")))
}

fn night(args: &RatingArgs, files: &[CallPath], max_suspended: Option<u64>, kind: RunKind) -> Result<(), CliError> {
    let policy = super::config::load(args.config.as_deref())?;
    let inputs = Inputs::load(&args.rates, args.trunks.as_deref(), args.accounts.as_deref(), policy)?;
    let ledger = Ledger::at(&args.ledger);
    let (lock, mut history) = open_to_write(&ledger)?;
    let total = files.iter().filter_map(|file| std::fs::metadata(&file.path).ok()).map(|meta| meta.len()).sum();
    let progress = term::Progress::start(total);
    let memory = args.memory.unwrap_or_else(Memory::of_machine);
    let waiting = read::waiting(&history)?;
    let intake = Intake::read(inputs, files, waiting, (memory, &lock.staging), &progress.bytes)?;
    let session = intake.settle(&history)?;
    refuse_too_many(max_suspended, &session)?;
    let summary = job::book(&ledger, &lock, &mut history, &session, kind)?;
    drop(progress);
    let run = summary.run_id.as_deref().unwrap_or_default();
    for warning in &summary.warnings {
        term::report("note", &format!("run {run} is booked, but {warning}"));
    }
    tell_unlisted(&summary);
    let text = match args.format {
        TextFormat::Json => format!("{}\n", serde_json::to_string_pretty(&as_json(&summary))?),
        TextFormat::Text => as_text(&summary),
    };
    print_what_is_done(&text, &format!("run {run} is booked, but its summary could not be printed"));
    Ok(())
}

/// Takes a ledger for writing, and reads what is in it.
pub fn open_to_write(ledger: &Ledger) -> Result<(Lock, History), CliError> {
    let lock = ledger.lock()?;
    let history = ledger.history()?;
    let catalog = catalog::Stored::read(ledger)?;
    if catalog.check(&history)? {
        term::report("note", &format!("{}: the catalog was lost; it is made again from the runs", ledger.folder().display()));
    }
    // What a dead run did not tell it, before anything else is changed. If that fails, so will the next try, and says so.
    if !history.is_empty() && !catalog.is_up(&history)? {
        let _ = catalog::follow(ledger, &lock, &history);
    }
    Ok((lock, history))
}

/// Prints what was done. It is done: exit code 1 would say that it is not.
pub fn print_what_is_done(text: &str, but: &str) {
    match term::print(text) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => term::report("note", &format!("{but}: {e}")),
        _ => {}
    }
}

fn refuse_too_many(max_suspended: Option<u64>, session: &Session) -> Result<(), CliError> {
    let suspended = session.tally().of(Class::Suspended).records;
    match max_suspended {
        Some(most) if suspended > most => {
            let reasons = session.suspended_by_reason();
            let list = reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect::<Vec<_>>().join(", ");
            Err(CliError::new(
                Kind::TooManySuspended,
                format!("{suspended} records would be suspended, --max-suspended is {most}: {list}; nothing was booked"),
            ))
        }
        _ => Ok(()),
    }
}

/// How many unlisted accounts a note names.
const NAMED: usize = 10;

/// Says which accounts with calls the accounts file lacks, if it was given: they are billed under their ids, or wait.
pub fn tell_unlisted(summary: &Summary) {
    let accounts = &summary.unlisted_accounts;
    if accounts.is_empty() {
        return;
    }
    let many = |count: u64, one: &str| format!("{} {one}{}", grouped(count), if count == 1 { "" } else { "s" });
    let calls = accounts.values().sum();
    let named: Vec<&str> = accounts.keys().take(NAMED).map(String::as_str).collect();
    let more = accounts.len() - named.len();
    let more = if more > 0 { format!(" and {} more", grouped(more as u64)) } else { String::new() };
    let (becomes, hint) = if summary.suspended_by_reason.contains_key(&Reason::UnlistedAccount) {
        ("waiting as unlisted-account", "list them: the next run bills what waits")
    } else {
        ("billed by the default deck", "list them, or set `policy.unlisted_accounts = \"suspend\"` to let such calls wait")
    };
    let (lacking, calls) = (many(accounts.len() as u64, "account"), many(calls, "call"));
    let problem = format!("the accounts file lacks {lacking} with {calls}, {becomes}: {}{more}", named.join(", "));
    term::report("note", &problem);
    term::report("hint", hint);
}

fn counts(summary: &Summary) -> impl Iterator<Item = (&'static str, Count)> + '_ {
    let classes = Class::ALL.iter().map(|class| (class.as_str(), summary.tally.of(*class)));
    [("read", summary.tally.read), ("retried", summary.tally.retried)].into_iter().chain(classes)
}

/// A summary for scripts.
pub fn as_json(summary: &Summary) -> Value {
    let mut object = Map::new();
    object.insert("run_id".to_owned(), json!(summary.run_id));
    for (name, count) in counts(summary) {
        object.insert(name.to_owned(), json!(count.records));
    }
    let by_reason: Map<_, _> =
        summary.suspended_by_reason.iter().map(|(reason, count)| (reason.as_str().to_owned(), json!(count))).collect();
    object.insert("suspended_by_reason".to_owned(), Value::Object(by_reason));
    object.insert("legs".to_owned(), json!(summary.legs));
    let amount: Map<_, _> = summary.amount.iter().map(|(currency, total)| (currency.clone(), json!(total.to_string()))).collect();
    object.insert("amount".to_owned(), Value::Object(amount));
    object.insert("unlisted_accounts".to_owned(), json!(summary.unlisted_accounts));
    let seconds: Map<_, _> = counts(summary).map(|(name, count)| (name.to_owned(), json!(count.seconds))).collect();
    object.insert("seconds".to_owned(), Value::Object(seconds));
    Value::Object(object)
}

/// A summary for people.
pub fn as_text(summary: &Summary) -> String {
    let mut lines = vec![term::heading(&format!("run {}", summary.run_id.as_deref().unwrap_or("-")))];
    let width = counts(summary).map(|(_, count)| grouped(count.records).len()).max().unwrap_or_default();
    let seconds_width = counts(summary).map(|(_, count)| grouped(count.seconds).len()).max().unwrap_or_default();
    for (place, (name, count)) in counts(summary).enumerate() {
        // The law, as it is read: read + retried = rated + free + …
        let sign = match place {
            0 => " ",
            2 => "=",
            _ => "+",
        };
        lines.push(format!(
            " {sign} {name:<10} {:>width$} records {:>seconds_width$} s",
            grouped(count.records),
            grouped(count.seconds)
        ));
    }
    if !summary.suspended_by_reason.is_empty() {
        lines.push(term::heading("suspended"));
        lines.extend(
            summary
                .suspended_by_reason
                .iter()
                .map(|(reason, count)| format!("   {:<24} {:>6}", reason.as_str(), grouped(*count))),
        );
    }
    lines.push(term::heading("booked"));
    lines.push(format!("   {} {}", grouped(summary.legs), if summary.legs == 1 { "leg" } else { "legs" }));
    lines.extend(summary.amount.iter().map(|(currency, total)| format!("   {total} {currency}")));
    lines.push(String::new());
    lines.join("\n")
}

/// A ledger that is there, for the commands that read.
pub fn existing(folder: &std::path::Path) -> Result<Ledger, CliError> {
    let ledger = Ledger::at(folder);
    if ledger.exists()? {
        return Ok(ledger);
    }
    Err(CliError::failed(format!("{}: there is no ledger", folder.display()))
        .hint("`trunkrate run` makes one; --ledger names another"))
}

/// The time range of `--from` and `--to`.
pub fn times(times: &super::args::Times) -> Result<Option<std::ops::Range<i64>>, CliError> {
    let bound = |text: &Option<String>, name: &str, default: i64| match text {
        None => Ok(default),
        Some(text) => crate::time::parse_date_or_instant(text)
            .ok_or_else(|| CliError::usage(format!("{name} {text}: expected a date (2026-11-20) or an instant with an offset"))),
    };
    if times.from.is_none() && times.to.is_none() {
        return Ok(None);
    }
    Ok(Some(bound(&times.from, "--from", i64::MIN)?..bound(&times.to, "--to", i64::MAX)?))
}

/// The suspense of a ledger.
pub fn suspense_of(ledger: &Ledger) -> Result<Vec<crate::io::ledger::frames::SuspenseRow>, CliError> {
    Ok(read::suspense(&ledger.history()?)?)
}
