//! `run`: rates and books a night; and `suspense retry`, a run without call files.

use super::args::{MaxSuspended, RatingArgs, RunArgs, TextFormat};
use super::error::{CliError, FailureKind};
use super::inputs;
use super::output;
use super::project::{Key, Project};
use super::term::{self, grouped};
use super::{journal, set_aside};
use crate::ingest::source::{self, CallPath, FoundFiles};
use crate::inputs::calls_json::Neighbour;
use crate::inputs::given::Inputs;
use crate::inputs::sheet;
use crate::job::book;
use crate::job::book::Summary;
use crate::job::changes::Changes;
use crate::job::left::LeftBehind;
use crate::job::run::{LoadedNight, SettledRun};
use crate::ledger::index::{catalog, find};
use crate::ledger::manifest::RunKind;
use crate::ledger::tables::places::Places;
use crate::ledger::tables::waits;
use crate::ledger::{History, Ledger, Lock};
use crate::night::{Class, Count};
use crate::partition::buffers;
use crate::partition::spill::Memory;
use crate::policy::{FinalNewline, Policy};
use crate::reject::Reason;
use crate::text::visible;
use crate::time;
use crate::trunk::{TerminationDomain, Trunk};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// Rates call files and books them.
pub fn run(args: &RunArgs, project: &Project) -> Result<(), CliError> {
    set_threads(args.threads)?;
    let ledger = project.ledger_folder().0;
    let aside = args.night.set_aside.as_deref();
    let aside = aside.map(|dir| set_aside::place(dir, &ledger)).transpose()?;
    let found = project.calls(&args.cdrs)?;
    let make = |dir: PathBuf| set_aside::make(&dir, &found);
    let aside = aside.map(make).transpose()?;
    let lists = [&args.rating.rates, &args.rating.trunks, &args.rating.accounts];
    lists.into_iter().flatten().for_each(|list| inputs::read(list));
    for out in [&args.night.report, &args.night.status_file, &args.night.metrics] {
        out.iter().try_for_each(|out| output::refuse_early(out))?;
    }
    tell_left_out(&found);
    let task = Task {
        files: &found.files,
        no_transfers: args.no_transfers,
        max_suspended: args.max_suspended,
        kind: RunKind::Run,
        aside: aside.as_deref(),
        choose: None,
    };
    night((&args.rating, project), &task)
}

/// Notes the files in folders that are no call files.
pub fn tell_left_out(found: &FoundFiles) {
    for path in &found.left_out {
        term::report(
            "note",
            &format!("{}: left out, {}", path.display(), source::why_left_out(path)),
        );
    }
}

/// Chooses the suspended records that a run takes up; `None` for all.
pub type Choose<'a> = &'a dyn Fn(&Ledger, &History) -> Result<Option<Places>, CliError>;

/// Rates suspended records again, without new calls.
pub fn retry(args: &RatingArgs, project: &Project, choose: Choose<'_>) -> Result<(), CliError> {
    let ledger = project.ledger()?;
    if waits::of_history(&ledger.history()?)?.is_empty() {
        term::print("nothing waits\n")?;
        return Ok(());
    }
    let task = Task {
        files: &[],
        no_transfers: false,
        max_suspended: None,
        kind: RunKind::Retry,
        aside: None,
        choose: Some(choose),
    };
    night((args, project), &task)
}

fn set_threads(threads: Option<usize>) -> Result<(), CliError> {
    let Some(threads) = threads else { return Ok(()) };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    pool.map_err(|e| CliError::failed(format!("--threads: {e}")))
}

/// The task of a night.
pub struct Task<'a> {
    pub files: &'a [CallPath],
    pub no_transfers: bool,
    pub max_suspended: Option<MaxSuspended>,
    pub kind: RunKind,
    /// The folder for refused files; without it one refused file fails the night.
    pub aside: Option<&'a Path>,
    /// Which suspended records are taken up; without it all are.
    pub choose: Option<Choose<'a>>,
}

/// Rates and books a night.
fn night((args, project): (&RatingArgs, &Project), task: &Task<'_>) -> Result<(), CliError> {
    let ledger = project.ledger_to_book()?;
    // Without call files it is the suspense that is rated, whatever its size.
    if !task.files.is_empty() {
        buffers::take_small_pages_for(source::expected_calls(task.files));
    }
    let trunks = project.path(Key::Trunks, args.trunks.as_deref())?;
    let inputs = inputs(args, project, trunks.as_deref(), task.no_transfers)?;
    let (lock, mut history) = open_to_write(&ledger)?;
    let accepted = changes(&ledger, &history, &inputs, args.accept_changes)?;
    let taken = task.choose.map_or(Ok(None), |choose| choose(&ledger, &history))?;
    let (intake, bad, progress) = read(args, (task, taken.clone()), inputs, &lock, &history)?;
    let mut session = intake.settle(&history)?;
    session.accept(accepted);
    let left = taken.map_or(Ok(0), |taken| {
        session.leave(&history, LeftBehind { taken, ..LeftBehind::default() })
    })?;
    refuse_too_many(task.max_suspended, &session)?;
    let summary = book::book(&ledger, &lock, &mut history, &session, task.kind)?;
    drop(progress);
    let run = summary.run_id.as_deref().expect("a run that is booked has a name");
    journal::did(run);
    tell_booked(&history, &summary, trunks.as_deref());
    let booked: Vec<PathBuf> = session.files().map(Path::to_owned).collect();
    let refused = match task.kind {
        RunKind::Run => set_aside::after_booking((&ledger, &lock), task.aside, &bad, &booked),
        _ => Vec::new(),
    };
    let text = match args.format {
        TextFormat::Json => {
            let mut object = as_json(&summary);
            if task.aside.is_some() || !refused.is_empty() {
                object["set_aside"] = set_aside::as_json(&refused);
            }
            if left > 0 {
                object["left"] = json!(left);
            }
            format!("{}\n", serde_json::to_string_pretty(&object)?)
        }
        TextFormat::Text => as_text(&summary) + &left_as_they_were(left) + &head(&history),
    };
    print_what_is_done(
        &text,
        &format!("run {run} is booked, but its summary could not be printed"),
    );
    Ok(())
}

/// Says which calls of a run are booked by another time than the one that a person set: another
/// version came, or the zone changed. (A file that cannot be read is said by `verify`: the run is
/// booked.)
fn tell_other_times(history: &History, run: &str) {
    for ((call, field), set) in history.times_by_hand() {
        let Ok(Some((row, _))) = find::find_log_row(history, call) else { continue };
        let booked = row.time_of(field).filter(|booked| row.run_id == run && *booked != set);
        if let Some(booked) = booked {
            term::report(
                "note",
                &format!(
                    "call {call}: {field} was set by hand to {}, and is booked as {}: another \
                     version of the call came, or `input.timezone` is another one",
                    time::text(set),
                    time::text(booked)
                ),
            );
        }
    }
}

/// Says what is to be noted of a run that was booked.
pub fn tell_booked(history: &History, summary: &Summary, trunks: Option<&Path>) {
    let run = summary.run_id.as_deref().expect("a run that is booked has a name");
    tell_other_times(history, run);
    for note in &summary.notes {
        term::report("note", note);
    }
    for warning in &summary.warnings {
        term::report("note", &format!("run {run} is booked, but {warning}"));
    }
    say_what_is_odd(summary);
    if let (Some(trunks), Some(count)) =
        (trunks, summary.suspended_by_reason.get(&Reason::UnknownTrunk))
    {
        term::report(
            "note",
            &format!(
                "{}: lacks the trunk of {} waiting records",
                trunks.display(),
                grouped(*count)
            ),
        );
    }
    tell_unlisted(summary);
}

/// The records that a run did not take up, in words: its summary counts them among those retried
/// and suspended, by the law that no record is lost.
fn left_as_they_were(left: u64) -> String {
    if left == 0 {
        return String::new();
    }
    format!("   {} of the suspended were left as they were\n", grouped(left))
}

/// Reads the calls of a night; names the files that were refused.
pub fn read(
    args: &RatingArgs,
    (task, taken): (&Task<'_>, Option<Places>),
    mut inputs: Inputs,
    lock: &Lock,
    history: &History,
) -> Result<(LoadedNight, Vec<set_aside::Bad>, term::Progress), CliError> {
    // Whoever reads calls to book them reads them by the times that a person set.
    inputs.policy.set_times = history.set_times();
    let total = task
        .files
        .iter()
        .filter_map(|file| std::fs::metadata(&file.path).ok())
        .map(|meta| meta.len())
        .sum();
    let progress = term::Progress::start(total);
    let place = (args.memory.unwrap_or_else(Memory::of_machine), lock.staging.as_path());
    if task.aside.is_none() {
        let waiting = waits::of_history(history)?.only(taken);
        let intake = LoadedNight::read(inputs, task.files, waiting, place, &progress.bytes)?;
        return Ok((intake, Vec::new(), progress));
    }
    let waiting = || waits::of_history(history);
    match LoadedNight::read_good(inputs, task.files, waiting, place, &progress.bytes)? {
        (Some(intake), bad) => Ok((intake, bad, progress)),
        (None, bad) => Err(set_aside::all_refused(&bad)),
    }
}

/// The accepted changes since the last run; an error if there are any and they are not accepted.
/// Prints the changes that are only noted.
pub fn changes(
    ledger: &Ledger,
    history: &History,
    inputs: &Inputs,
    accept: bool,
) -> Result<Vec<String>, CliError> {
    let Changes { run_id, stopping, notes } = Changes::since_last_run(ledger, history, inputs)?;
    for note in notes {
        term::report("note", &note);
    }
    if stopping.is_empty() {
        return Ok(stopping);
    }
    let list = format!("\n  {}", stopping.join("\n  "));
    if accept {
        term::report(
            "note",
            &format!("accepted, and kept with the run: changed since run {run_id}:{list}"),
        );
        return Ok(stopping);
    }
    Err(CliError::failed(format!("changed since run {run_id}:{list}\nnothing was booked")).hint(
        "put back what was not meant to change; --accept-changes books it as it is now, and \
               keeps this list with the run",
    ))
}

/// Loads the inputs of rating, as the flags and the project name them.
pub fn inputs(
    args: &RatingArgs,
    project: &Project,
    trunks: Option<&Path>,
    no_transfers: bool,
) -> Result<Inputs, CliError> {
    let rates = project.rates(args.rates.as_deref())?;
    let accounts = project.path(Key::Accounts, args.accounts.as_deref())?;
    let policy = Policy { no_transfers, ..project.policy()? };
    let inputs = Inputs::load(&rates, trunks, accounts.as_deref(), policy)?;
    note_decks_that_no_account_names(&inputs, &rates, accounts.as_deref());
    inputs.decks.notes(&rates).for_each(|note| term::report("note", &note));
    note_open_ends(&inputs, &rates, accounts.as_deref());
    note_trunks_without_domains(&inputs, trunks);
    Ok(inputs)
}

/// Notes trunks without a usable domain: their transfers to the PSTN cannot be recognised by a
/// host, and are billed as SIP.
fn note_trunks_without_domains(inputs: &Inputs, path: Option<&Path>) {
    let (Some(path), Some((trunks, _))) = (path, &inputs.trunks) else { return };
    let name = |trunk: &Trunk| match &trunk.domain {
        None => trunk.sid.clone(),
        Some(domain) => format!("{} (`{domain}`)", trunk.sid),
    };
    let of = |is_so: &dyn Fn(Option<&str>) -> bool| -> Vec<String> {
        trunks.iter().filter(|trunk| is_so(trunk.domain.as_deref())).map(name).collect()
    };
    let is_odd = |domain: &str| !TerminationDomain::AnyOfCarrier.contains(domain);
    for (problem, found) in [
        ("no domain_name", of(&|domain| domain.is_none())),
        (
            "domain_name is no host such as example.pstn.twilio.com",
            of(&|domain| domain.is_some_and(is_odd)),
        ),
    ] {
        let Some(first) = found.first() else { continue };
        let more =
            if found.len() == 1 { String::new() } else { format!(" and {} more", found.len() - 1) };
        let as_sip = "a transfer to a number at a host of theirs is billed as SIP";
        term::report(
            "note",
            &format!("{}: trunk {first}{more}: {problem}: {as_sip}", path.display()),
        );
    }
}

/// Notes deck tables and an accounts list that may have been cut off.
fn note_open_ends(inputs: &Inputs, rates: &Path, accounts: Option<&Path>) {
    if inputs.policy.final_newline == FinalNewline::Optional {
        return;
    }
    let files = inputs.decks.files.iter();
    let mut notes: Vec<String> =
        files.filter_map(|(name, bytes)| sheet::open_end(&rates.join(name), bytes)).collect();
    if let (Some(path), Some((_, text))) = (accounts, &inputs.accounts) {
        notes.extend(sheet::open_end(path, text.as_bytes()));
    }
    for note in &notes {
        term::report("note", note);
    }
}

/// Notes that there are several decks and no account names one: the accounts list was forgotten, is
/// the wrong one, or its deck column has another name.
fn note_decks_that_no_account_names(inputs: &Inputs, rates: &Path, accounts: Option<&Path>) {
    let decks = inputs.decks.decks.len();
    let names_one = inputs
        .accounts
        .as_ref()
        .is_some_and(|(list, _)| list.values().any(|account| !account.deck.is_empty()));
    if decks < 2 || names_one {
        return;
    }
    let becomes = inputs.decks.default_deck().map_or_else(
        || "all calls wait as no-rate".to_owned(),
        |deck| format!("all are billed by `{}`", inputs.decks.folders[deck as usize]),
    );
    let (file, nobody) = match accounts {
        Some(accounts) => (accounts, "no account names a deck"),
        None => (rates, "no accounts file says which deck is whose"),
    };
    term::report(
        "note",
        &format!("{}: {nobody}, and there are {decks}: {becomes}", file.display()),
    );
}

/// Locks a ledger for writing, and reads its history.
pub fn open_to_write(ledger: &Ledger) -> Result<(Lock, History), CliError> {
    let lock = ledger.lock()?;
    journal::writes();
    let mut history = ledger.history()?;
    let catalog = catalog::Stored::read(ledger)?;
    lock.begin(ledger, &mut history)?;
    if catalog.is_lost(&history) {
        term::report(
            "note",
            &format!(
                "{}: the catalog was lost; it is made again from the runs",
                ledger.folder().display()
            ),
        );
    }
    // Brings the catalog up to date after a run that died, before anything else is changed. A
    // failure may be ignored, because the next try reports it; but the catalog must know of an undo
    // before the same run may be booked again.
    if !history.is_empty() && !catalog.is_up(&history)? {
        let told = catalog::follow(ledger, &lock, &history);
        if !history.undone.is_empty() {
            told?;
        }
    }
    Ok((lock, history))
}

/// The ledger's head, to be noted elsewhere: `verify --since` proves that the ledger still holds
/// everything up to it.
pub fn head(history: &History) -> String {
    format!("head {}\n", history.head())
}

/// Prints a finished result. A failure to print is only noted: exit code 1 would say that the work
/// was not done.
pub fn print_what_is_done(text: &str, but: &str) {
    match term::print(text) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            term::report("note", &format!("{but}: {e}"));
        }
        _ => {}
    }
}

/// Prints the oddities of a summary that nobody may overlook.
fn say_what_is_odd(summary: &Summary) {
    for (file, unread) in &summary.unread {
        for (column, field) in unread {
            let (column, field) = (visible(column), field.as_str());
            term::report(
                "note",
                &format!(
                    "{file}: the column `{column}` is not read; it resembles `{field}`, which the \
                     file lacks"
                ),
            );
        }
    }
    for (file, which, place) in &summary.incomplete {
        let (what, which) = match which {
            Neighbour::Next => ("not the last page", "next one"),
            Neighbour::Previous => ("not the first page", "one before"),
        };
        term::report(
            "note",
            &format!("{file}: is {what}: the {which}, {}, is not among the files", visible(place)),
        );
    }
    if summary.mangled_callers > 0 {
        let calls = if summary.mangled_callers == 1 {
            "call has a caller that is"
        } else {
            "calls have callers that are"
        };
        term::report(
            "note",
            &format!(
                "{} {calls} no number any more: billed as unknown (policy.mangled_caller)",
                grouped(summary.mangled_callers)
            ),
        );
    }
    let read = summary.tally.read.records;
    if read > 0 && summary.ignored_of_files == read {
        let directions: Vec<String> = summary
            .ignored_by_direction
            .iter()
            .map(|(direction, count)| format!("{} {direction}", grouped(*count)))
            .collect();
        term::report(
            "warning",
            &format!("all {} records were ignored: {}", grouped(read), directions.join(", ")),
        );
        term::report(
            "hint",
            "an export of trunk calls has the directions trunking-terminating and \
             trunking-originating",
        );
    }
}

/// Refuses a night of which too much would be suspended.
pub fn refuse_too_many(
    max_suspended: Option<MaxSuspended>,
    session: &SettledRun,
) -> Result<(), CliError> {
    let tally = session.tally();
    let (suspended, read) = (tally.new_in_suspense.records, tally.read.records);
    match max_suspended {
        Some(most) if most.is_exceeded(suspended, read) => {
            let reasons = session.suspended_by_reason();
            let list = reasons
                .iter()
                .map(|(reason, count)| format!("{count} {reason}"))
                .collect::<Vec<_>>()
                .join(", ");
            let backlog = tally.of(Class::Suspended).records - suspended;
            let before = if backlog == 0 {
                String::new()
            } else {
                format!(" ({backlog} of them waited before)")
            };
            Err(CliError::new(
                FailureKind::TooManySuspended,
                format!(
                    "{suspended} records would be suspended, --max-suspended is {most}: \
                     {list}{before}; nothing was booked"
                ),
            ))
        }
        _ => Ok(()),
    }
}

/// The most unlisted accounts that a note names.
const NAMED: usize = 10;

/// Notes the accounts with calls that the accounts file lacks, if one was given: they are billed
/// under their ids, or their calls wait.
pub fn tell_unlisted(summary: &Summary) {
    let accounts = &summary.unlisted_accounts;
    if accounts.is_empty() {
        return;
    }
    let many = |count: u64, one: &str| {
        format!("{} {one}{}", grouped(count), if count == 1 { "" } else { "s" })
    };
    let calls = accounts.values().sum();
    let named: Vec<&str> = accounts.keys().take(NAMED).map(String::as_str).collect();
    let more = accounts.len() - named.len();
    let more = if more > 0 { format!(" and {} more", grouped(more as u64)) } else { String::new() };
    let (becomes, hint) = if summary.suspended_by_reason.contains_key(&Reason::UnlistedAccount) {
        ("waiting as unlisted-account", "list them: the next run bills what waits")
    } else {
        (
            "billed by the default deck",
            "list them, or set `policy.unlisted_accounts = \"suspend\"` to let such calls wait",
        )
    };
    let (lacking, calls) = (many(accounts.len() as u64, "account"), many(calls, "call"));
    let problem = format!(
        "the accounts file lacks {lacking} with {calls}, {becomes}: {}{more}",
        named.join(", ")
    );
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
    let by_reason: Map<_, _> = summary
        .suspended_by_reason
        .iter()
        .map(|(reason, count)| (reason.as_str().to_owned(), json!(count)))
        .collect();
    object.insert("suspended_by_reason".to_owned(), Value::Object(by_reason));
    object.insert("ignored_by_direction".to_owned(), json!(summary.ignored_by_direction));
    let page = |(file, which, place): &(String, Neighbour, String)| match which {
        Neighbour::Next => json!({"file": file, "next_page_uri": place}),
        Neighbour::Previous => json!({"file": file, "previous_page": place}),
    };
    object.insert("incomplete".to_owned(), summary.incomplete.iter().map(page).collect());
    object.insert("mangled_callers".to_owned(), json!(summary.mangled_callers));
    object.insert("legs".to_owned(), json!(summary.legs));
    let amount: Map<_, _> = summary
        .amount
        .iter()
        .map(|(currency, total)| (currency.clone(), json!(total.to_string())))
        .collect();
    object.insert("amount".to_owned(), Value::Object(amount));
    object.insert("unlisted_accounts".to_owned(), json!(summary.unlisted_accounts));
    let seconds: Map<_, _> =
        counts(summary).map(|(name, count)| (name.to_owned(), json!(count.seconds))).collect();
    object.insert("seconds".to_owned(), Value::Object(seconds));
    Value::Object(object)
}

/// A summary for people.
pub fn as_text(summary: &Summary) -> String {
    let mut lines =
        vec![term::heading(&format!("run {}", summary.run_id.as_deref().unwrap_or("-")))];
    let width =
        counts(summary).map(|(_, count)| grouped(count.records).len()).max().unwrap_or_default();
    let seconds_width =
        counts(summary).map(|(_, count)| grouped(count.seconds).len()).max().unwrap_or_default();
    for (place, (name, count)) in counts(summary).enumerate() {
        // The conservation law: read + retried = rated + free + …
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
            summary.suspended_by_reason.iter().map(|(reason, count)| {
                format!("   {:<24} {:>6}", reason.as_str(), grouped(*count))
            }),
        );
    }
    if !summary.ignored_by_direction.is_empty() {
        lines.push(term::heading("ignored"));
        lines.extend(
            summary
                .ignored_by_direction
                .iter()
                .map(|(direction, count)| format!("   {direction:<24} {:>6}", grouped(*count))),
        );
    }
    lines.push(term::heading("booked"));
    lines.push(format!(
        "   {} {}",
        grouped(summary.legs),
        if summary.legs == 1 { "leg" } else { "legs" }
    ));
    lines.extend(summary.amount.iter().map(|(currency, total)| format!("   {total} {currency}")));
    lines.push(String::new());
    lines.join("\n")
}

/// The time range of `--from` and `--to`.
pub fn times(times: &super::args::Times) -> Result<Option<std::ops::Range<i64>>, CliError> {
    let bound = |text: &Option<String>, name: &str, default: i64| match text {
        None => Ok(default),
        Some(text) => crate::time::parse_date_or_instant(text).ok_or_else(|| {
            CliError::usage(format!(
                "{name} {text}: expected a date (2026-11-20) or an instant with an offset"
            ))
        }),
    };
    if times.from.is_none() && times.to.is_none() {
        return Ok(None);
    }
    Ok(Some(bound(&times.from, "--from", i64::MIN)?..bound(&times.to, "--to", i64::MAX)?))
}
