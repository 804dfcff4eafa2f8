//! `invoice draft`, `issue` and `credit`.

use super::args::{BilledArgs, CreditArgs, IssueArgs, PeriodArgs};
use super::buyers::Incomplete;
use super::check;
use super::files::{Drawing, Selection, Written, copy_files, make_folder, refuse_own_folder, tell_lacks, write_files};
use crate::cli::error::CliError;
use crate::cli::project::{Key, Project};
use crate::cli::run::{head, open_to_write, print_what_is_done};
use crate::cli::{rates, term};
use crate::document::{Document, Kind, build};
use crate::io::FileError;
use crate::io::accounts::{self, Accounts};
use crate::io::check::{self as io_check, Question, Seen};
use crate::io::customers;
use crate::io::invoices::{self, Draft, Items, LONGEST, Sources, Terms, Wanted};
use crate::io::job;
use crate::io::ledger::issued::claims::{Claims, Month};
use crate::io::ledger::issued::legs::{self, BilledRuns};
use crate::io::ledger::issued::publish::{Staged, Writer, next_counter};
use crate::io::ledger::issued::{self, Batch, BatchKind, BatchManifest, Entry};
use crate::io::ledger::read::each_suspended;
use crate::io::ledger::write::archive;
use crate::io::ledger::{Dataset, History, Ledger, LedgerError, Lock, RESTORE};
use crate::io::sheet;
use crate::time;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// All that is read beside the ledger.
pub struct Inputs {
    pub terms: Terms,
    config: PathBuf,
    accounts: Accounts,
    accounts_path: PathBuf,
    accounts_text: Option<String>,
    items: Items,
    items_text: Option<String>,
}

impl Inputs {
    /// Reads the terms, the accounts and the items; accounts that no one names are those that the last run knew.
    pub fn read(
        [accounts, items]: [Option<&Path>; 2],
        project: &Project,
        ledger: &Ledger,
        history: &History,
    ) -> Result<Self, CliError> {
        let (terms, config) = project.terms()?;
        let known = history.runs.iter().rev().find_map(|run| run.manifest.accounts_hash.as_ref());
        let archived = || Some(ledger.archive_folder().join(known?).join("accounts.csv"));
        let path = project.path(Key::Accounts, accounts)?.or_else(archived);
        let (accounts, accounts_text) = match &path {
            None => (Accounts::new(), None),
            Some(path) => accounts::load(path).map(|(accounts, text)| (accounts, Some(text)))?,
        };
        invoices::check_columns(&accounts, path.as_deref().unwrap_or(Path::new("")))?;
        let items_path = project.path(Key::Items, items)?;
        let (items, items_text) = match &items_path {
            None => (Items::new(), None),
            Some(path) => invoices::load_items(path, &terms).map(|(items, text)| (items, Some(text)))?,
        };
        if let (Some(path), Some(text)) = (&items_path, &items_text) {
            customers::check_items(&items, path, &accounts, history)?;
            let no_row = items.is_empty().then(|| sheet::no_row(path, "no monthly charge is billed"));
            for note in sheet::open_end(path, text.as_bytes()).into_iter().chain(no_row) {
                term::report("note", &note);
            }
        }
        let accounts_path = path.unwrap_or_default();
        Ok(Self { terms, config, accounts, accounts_path, accounts_text, items, items_text })
    }

    /// Whether monthly charges were given.
    pub fn has_items(&self) -> bool {
        !self.items.is_empty()
    }

    /// Refuses an account that nothing knows: a slip of its id would bill nothing, and say that all is well.
    pub fn refuse_unknown(&self, history: &History, account: Option<&str>) -> Result<(), CliError> {
        let Some(account) = account else { return Ok(()) };
        let is_billed = || history.issued.iter().flat_map(|batch| &batch.manifest.entries).any(|e| e.account_sid == account);
        if self.accounts.contains_key(account) || self.items.contains_key(account) || is_billed() {
            return Ok(());
        }
        let mut is_there = !legs::open(history, &Claims::of(&history.issued), Month::MAX, Some(account))?.is_empty();
        if let Some(run) = history.runs.last().filter(|_| !is_there) {
            each_suspended(run, Dataset::Suspense, |rows| {
                is_there |= rows.iter().any(|row| row.account_sid == account);
                Ok::<(), LedgerError>(())
            })?;
        }
        if is_there {
            return Ok(());
        }
        Err(CliError::failed(format!("--account {account}: no call of it is there, no list names it, and it was never billed"))
            .hint("an account is named by its id, as the calls have it"))
    }

    pub fn sources<'a>(&'a self, history: &'a History) -> Sources<'a> {
        Sources { history, terms: &self.terms, accounts: (&self.accounts, &self.accounts_path), items: &self.items }
    }
}

/// The period's first day after it; an error if the period is none.
pub fn day_after(period: &str) -> Result<String, CliError> {
    let (_, to) = time::month_bounds(period).ok_or_else(|| CliError::usage(format!("--period {period}: expected YYYY-MM")))?;
    Ok(time::date_text(to))
}

/// A date as the user gave it, or another one.
pub fn date(given: Option<&String>, otherwise: impl FnOnce() -> String) -> Result<String, CliError> {
    match given {
        None => Ok(otherwise()),
        Some(text) => time::days_after(text, 0)
            .filter(|date| date == text)
            .ok_or_else(|| CliError::usage(format!("--date {text}: expected YYYY-MM-DD"))),
    }
}

pub fn today() -> String {
    time::date_text(rates::now())
}

/// Shows what would be issued.
pub fn draft(args: &PeriodArgs, project: &Project) -> Result<(), CliError> {
    let after = day_after(&args.billed.period)?;
    let date = date(args.billed.date.as_ref(), || after.clone())?;
    refuse_far(&args.billed, &after, &date)?;
    refuse_formats_of_nothing(args, args.out.is_none())?;
    let ledger = project.ledger()?;
    let history = ledger.history()?;
    let inputs = Inputs::read(args.billed.files(), project, &ledger, &history)?;
    inputs.refuse_unknown(&history, args.billed.account.as_deref())?;
    tell_of_items(&inputs.sources(&history), wanted(args, &date))?;
    let drafts = invoices::drafts(inputs.sources(&history), wanted(args, &date))?;
    let documents = drafts.map(|draft| Ok(draft?.document)).collect::<Result<Vec<Document>, CliError>>()?;
    let mut incomplete = Incomplete::default();
    for document in &documents {
        incomplete.add(&document.buyer.account_sid, &inputs.accounts);
    }
    incomplete.tell(&inputs.accounts_path, true)?;
    term::print(&overview(&documents, "nothing would be issued"))?;
    if let Some(out) = &args.out {
        refuse_own_folder(&ledger, out)?;
        let drawing = Drawing::new(&args.drawing, &inputs.terms, args.formats())?;
        write_files(&history, Selection::Drafts(documents), &drawing, out)?.tell(out);
    }
    Ok(())
}

/// Formats are of files.
fn refuse_formats_of_nothing(args: &PeriodArgs, is_nothing: bool) -> Result<(), CliError> {
    if is_nothing && !args.format.is_empty() {
        return Err(CliError::usage("--format says how files are drawn, and none are written").hint("--out DIR says where"));
    }
    Ok(())
}

/// Says which monthly charges no invoice bills.
fn tell_of_items(sources: &Sources<'_>, wanted: Wanted<'_>) -> Result<(), CliError> {
    for against in io_check::of_items(sources, wanted)? {
        term::report("note", &format!("{}: {}", against.id, against.words));
    }
    Ok(())
}

fn wanted<'a>(args: &'a PeriodArgs, date: &'a str) -> Wanted<'a> {
    Wanted { month: &args.billed.period, date, account: args.billed.account.as_deref(), supplementary: args.supplementary }
}

/// Gives numbers.
pub fn issue(args: &IssueArgs, project: &Project) -> Result<(), CliError> {
    let IssueArgs { what: args, accept, allow_incomplete } = args;
    check::known_ids(accept)?;
    let after = day_after(&args.billed.period)?;
    let date = date(args.billed.date.as_ref(), today)?;
    if date < after {
        return Err(CliError::failed(format!("{} is not over on {date}: calls would still come", args.billed.period))
            .hint(format!("issue it on {after} or later; `trunkrate invoice draft` shows what there is now")));
    }
    refuse_far(&args.billed, &after, &date)?;
    let out = project.out(args.out.as_deref());
    refuse_formats_of_nothing(args, out.is_none())?;
    let ledger = project.ledger()?;
    let (lock, mut history) = open_to_write(&ledger)?;
    let inputs = Inputs::read(args.billed.files(), project, &ledger, &history)?;
    inputs.refuse_unknown(&history, args.billed.account.as_deref())?;
    require_seller(&inputs.terms, &inputs.config)?;
    tell_of_items(&inputs.sources(&history), wanted(args, &date))?;
    // A template that is broken, and a folder that cannot be, are told before anything is issued.
    out.as_deref().map(|out| refuse_own_folder(&ledger, out).and_then(|()| make_folder(out))).transpose()?;
    let drawing = out.is_some().then(|| Drawing::new(&args.drawing, &inputs.terms, args.formats())).transpose()?;
    let drafts = invoices::drafts(inputs.sources(&history), wanted(args, &date))?;
    let (mut seen, mut incomplete) = (Seen::default(), Incomplete::default());
    let drafts = drafts.inspect(|draft| {
        if let Ok(draft) = draft {
            seen.draft(draft, &wanted(args, &date));
            incomplete.add(&draft.document.buyer.account_sid, &inputs.accounts);
        }
    });
    let Some(batch) = publish(args, &ledger, &lock, &history, &inputs, &date, drafts)? else {
        let nothing =
            if args.supplementary { "nothing came late" } else { "nothing to issue: no leg of it waits for an invoice" };
        return Ok(term::print(&format!("{}: {nothing}\n", args.billed.period))?);
    };
    incomplete.tell(&inputs.accounts_path, *allow_incomplete)?;
    let (writer, manifest) = batch;
    let question = Question {
        ledger: &ledger,
        history: &history,
        period: &args.billed.period,
        account: args.billed.account.as_deref(),
        has_items: inputs.has_items(),
    };
    let accepted = check::guard(&question, &seen, accept, args.supplementary)?;
    let staged = writer.finish(&history, BatchManifest { accepted, ..manifest })?;
    // Drawn before they are issued: a template that fails at one of them issues none.
    let drawn = lock.staging.join("drawn");
    let written = drawing.as_ref().map(|drawing| draw(&staged, &history, drawing, &drawn)).transpose()?;
    let batch = staged.publish(&ledger, &mut history)?;
    follow(&ledger, &lock, &history, &batch.manifest);
    let copied = out.as_deref().map_or(Ok(()), |out| copy_files(&drawn, out));
    drop(lock);
    let text = format!("{}{}", issued_table(&batch.manifest), head(&history));
    print_what_is_done(&text, "the invoices are issued, but that could not be printed");
    if let Some((first, lacks)) = seen.lacking.first().filter(|_| out.is_none()) {
        tell_lacks(first, seen.lacking.len(), lacks);
    }
    copied.map_err(|e| {
        e.hint(format!(
            "the invoices are issued; `trunkrate invoice write --period {} --out DIR` writes them",
            args.billed.period
        ))
    })?;
    if let (Some(written), Some(out)) = (written, &out) {
        written.tell(out);
    }
    Ok(())
}

/// Draws the files of a batch before it is issued.
fn draw(staged: &Staged, before: &History, drawing: &Drawing, folder: &Path) -> Result<Written, CliError> {
    let sequence = before.issued.last().map_or(1, |last| last.manifest.sequence + 1);
    let history = staged.history(before);
    let selection = Selection::issued(&history, |found, _| found.manifest.sequence == sequence);
    write_files(&history, selection, drawing, folder).map_err(|e| e.hint("nothing is issued"))
}

/// The documents of a batch as a table: the first of them, and how many more there are.
fn issued_table(batch: &BatchManifest) -> String {
    let row =
        |entry: &Entry| vec![entry.number.clone(), entry.account_sid.clone(), entry.net.clone(), entry.tax.clone(), total(entry)];
    let rows: Vec<Vec<String>> = batch.entries.iter().take(SHOWN).map(row).collect();
    let more = match batch.entries.len() - rows.len() {
        0 => String::new(),
        more => format!("and {more} more: `trunkrate invoice list --period {}`\n", batch.period),
    };
    term::table(&["number", "account", "net", "tax", "total"], &["net", "tax", "total"], rows) + &more
}

/// Refuses a date long after the period's end, or far in the future.
pub fn refuse_far(billed: &BilledArgs, after: &str, date: &str) -> Result<(), CliError> {
    if time::days_after(after, LATEST_ISSUE).is_some_and(|latest| *date > *latest) {
        return Err(CliError::failed(format!("--date {date} is more than {LATEST_ISSUE} days after {}", billed.period)));
    }
    refuse_future(date, (&billed.period, after), billed.future)
}

/// Refuses a date after tomorrow that is none of the days on which a period is issued, or an invoice credited: only a slip
/// explains it, and it would hold up its series until then. The clock does nothing else to what is issued.
///
/// # Why not every date after tomorrow
/// A month's invoices are prepared in its last days, and are dated the first of the next.
fn refuse_future(date: &str, (what, day): (&str, &str), is_allowed: bool) -> Result<(), CliError> {
    let today = today();
    let is_beyond = |day: &str, days: u32| time::days_after(day, days).is_some_and(|latest| date > latest.as_str());
    if is_allowed || !is_beyond(&today, 1) || !is_beyond(&today, AHEAD) && !is_beyond(day, AHEAD) {
        return Ok(());
    }
    let problem = format!(
        "--date {date} lies after today, {today}, and is more than {AHEAD} days after it or after {what}; numbers follow dates, so none \
         of an earlier date could follow in its year"
    );
    Err(CliError::failed(problem).hint("if it is meant, --future takes it"))
}

/// Days after today, after a period, and after an invoice, that a date after tomorrow may have without being asked again.
const AHEAD: u32 = 92;
/// Days after a period, and after an invoice, on which it is issued or credited at the latest: a slip of the year would lock
/// the series, whose numbers follow dates.
const LATEST_ISSUE: u32 = 400;
const LATEST_CREDIT: u32 = 1_100;

/// How many rows a terminal is shown.
const SHOWN: usize = 40;

fn total(entry: &Entry) -> String {
    format!("{} {}", entry.total, entry.currency)
}

/// The next place in the series of a seller and the date's year; how to go on where a wrong date has blocked it.
fn counter(history: &History, seller: &str, date: &str) -> Result<u64, CliError> {
    next_counter(history, seller, date).map_err(|e| {
        CliError::failed(format!("--date: {e}")).hint(
            "give that date or a later one; where it was a mistake, another [seller] id with an invoice.number_prefix of its own \
             begins another series",
        )
    })
}

/// Stages a batch of invoices; nothing if there is no draft.
fn publish(
    args: &PeriodArgs,
    ledger: &Ledger,
    lock: &Lock,
    history: &History,
    inputs: &Inputs,
    date: &str,
    drafts: impl Iterator<Item = Result<Draft, invoices::IssueError>>,
) -> Result<Option<(Writer, BatchManifest)>, CliError> {
    let seller = &inputs.terms.seller.id;
    let first = counter(history, seller, date)?;
    let claims = Claims::of(&history.issued);
    let mut runs = BilledRuns::default();
    let mut writer = Writer::begin(lock)?;
    for (counter, draft) in (first..).zip(drafts) {
        let draft = draft?;
        invoices::refuse_before_credit(history, &claims, &draft, date)?;
        let Draft { document, open } = draft;
        let number = number(&inputs.terms.number_prefix, date, counter);
        refuse_taken(history, &number)?;
        let entry = Entry { counter, runs: runs.add(history, &open), ..Entry::default() };
        writer.add(&Document { kind: Kind::Invoice, number: Some(number), ..document }, entry)?;
    }
    if writer.is_empty() {
        return Ok(None);
    }
    let manifest = BatchManifest {
        kind: BatchKind::Issue,
        seller: seller.clone(),
        date: date.to_owned(),
        period: args.billed.period.clone(),
        supplementary: args.supplementary,
        accounts: args.billed.account.clone().map(|account| vec![account]),
        runs: runs.all,
        accounts_hash: keep(ledger, lock, inputs.accounts_text.as_ref(), "accounts.csv")?,
        items_hash: keep(ledger, lock, inputs.items_text.as_ref(), "items.csv")?,
        ..BatchManifest::default()
    };
    Ok(Some((writer, manifest)))
}

/// Keeps a file in the archive, under its hash.
fn keep(ledger: &Ledger, lock: &Lock, text: Option<&String>, name: &str) -> Result<Option<String>, CliError> {
    let Some(text) = text else { return Ok(None) };
    let hash = blake3::hash(text.as_bytes()).to_hex().to_string();
    archive(ledger, lock, &hash, &BTreeMap::from([(name.to_owned(), text.clone().into_bytes())]))?;
    Ok(Some(hash))
}

fn number(prefix: &str, date: &str, counter: u64) -> String {
    format!("{prefix}{}-{counter:06}", issued::year_of(date))
}

/// What a number begins with, before the year and the place in its series.
fn prefix_of<'a>(batch: &Batch, entry: &'a Entry) -> Result<&'a str, FileError> {
    let place = format!("{}-{:06}", batch.manifest.year(), entry.counter);
    let problem = || format!("has the number {}, which does not end in {place}", entry.number);
    entry.number.strip_suffix(&place).ok_or_else(|| FileError::new(&batch.folder, problem()).hint(RESTORE))
}

fn refuse_taken(history: &History, number: &str) -> Result<(), CliError> {
    match issued::find(&history.issued, number) {
        None => Ok(()),
        Some((batch, _)) => {
            Err(CliError::failed(format!("the number {number} is given already, by seller {}", batch.manifest.seller))
                .hint("give this seller another invoice.number_prefix"))
        }
    }
}

/// Who sells must be known on a document that counts.
fn require_seller(terms: &Terms, config: &Path) -> Result<(), CliError> {
    let missing = io_check::seller_lacks(terms);
    if missing.is_empty() && !terms.says_tax {
        return Err(CliError::failed(format!("{}: [invoice] lacks tax_category", config.display())).hint(
            "it is the tax of accounts that say none: standard (with tax_rate), zero, reverse-charge, exempt or outside-scope",
        ));
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(CliError::failed(format!("{}: [seller] lacks {}", config.display(), missing.join(", ")))
        .hint("an invoice says who sells; the README shows what [seller] may have"))
}

fn follow(ledger: &Ledger, lock: &Lock, history: &History, batch: &BatchManifest) {
    if let Some(warning) = job::follow(ledger, lock, history) {
        term::report("note", &format!("batch {} is issued, but {warning}", batch.batch_id));
    }
}

/// Takes an invoice back.
pub fn credit(args: &CreditArgs, project: &Project) -> Result<(), CliError> {
    if args.reason.chars().count() > LONGEST {
        return Err(CliError::usage(format!("--reason has more than {LONGEST} characters")));
    }
    if args.reason.trim().is_empty() {
        return Err(CliError::usage("--reason is empty: the credit note says why the invoice is corrected"));
    }
    if args.rebill == args.write_off {
        return Err(CliError::usage("one of --rebill and --write-off is missing: say what becomes of the invoice's legs").hint(
            "--rebill lets the next invoice bill them again; --write-off credits them for good: no invoice bills them again",
        ));
    }
    let date = date(args.date.as_ref(), today)?;
    let ledger = project.ledger()?;
    let (lock, mut history) = open_to_write(&ledger)?;
    let (batch, entry) = issued::find(&history.issued, &args.number).ok_or_else(|| unknown(&args.number))?;
    if let Some(number) = &entry.corrects {
        return Err(CliError::failed(format!("{} is a credit note itself: it credits {number}", args.number)));
    }
    if let Some((_, credit)) = issued::credit_of(&history.issued, &args.number) {
        return Err(CliError::failed(format!("{} is credited already, by {}", args.number, credit.number)));
    }
    let seller = batch.manifest.seller.clone();
    let issued_on = batch.manifest.date.clone();
    if date < issued_on {
        return Err(CliError::failed(format!("--date {date} is before {issued_on}, the date of {}", args.number)));
    }
    refuse_future(&date, (&args.number, &issued_on), args.future)?;
    let counter = counter(&history, &seller, &date)?;
    if time::days_after(&issued_on, LATEST_CREDIT).is_some_and(|latest| date > latest) {
        return Err(CliError::failed(format!(
            "--date {date} is more than {LATEST_CREDIT} days after {issued_on}, the date of {}",
            args.number
        )));
    }
    // The note is of its invoice's series, whatever the configuration says now.
    let number = number(prefix_of(batch, entry)?, &date, counter);
    refuse_taken(&history, &number)?;
    let mut invoice = None;
    batch.each_document(
        |other| other.number == args.number,
        |_, document| {
            invoice = Some(document);
            Ok::<_, CliError>(())
        },
    )?;
    let invoice = invoice.ok_or_else(|| unknown(&args.number))?;
    let reason = args.reason.split_whitespace().collect::<Vec<_>>().join(" ");
    let note = build::credit_note(&invoice, number.clone(), date.clone(), reason.clone());
    let mut writer = Writer::begin(&lock)?;
    let entry = Entry { counter, corrects: Some(args.number.clone()), rebill: args.rebill, ..Entry::default() };
    writer.add(&note, entry)?;
    let manifest = BatchManifest {
        kind: BatchKind::Credit,
        reason: Some(reason),
        seller,
        date,
        period: batch.manifest.period.clone(),
        supplementary: batch.manifest.supplementary,
        ..BatchManifest::default()
    };
    let batch = writer.finish(&history, manifest)?.publish(&ledger, &mut history)?;
    follow(&ledger, &lock, &history, &batch.manifest);
    let again = if args.rebill { "its legs wait for the next invoice" } else { "its legs are written off" };
    let (total, currency) = (&note.totals.total, &note.currency);
    let text = format!("issued: credit note {number} over {total} {currency}, for {}; {again}\n{}", args.number, head(&history));
    print_what_is_done(&text, "the credit note is issued, but that could not be printed");
    Ok(())
}

pub fn unknown(number: &str) -> CliError {
    CliError::failed(format!("there is no invoice or credit note {number}")).hint("`trunkrate invoice list` lists them")
}

/// Drafts as a table.
fn overview(documents: &[Document], none: &str) -> String {
    if documents.is_empty() {
        return format!("{none}\n");
    }
    let rows = documents.iter().map(|d| {
        let t = &d.totals;
        let numbers = [d.calls.to_string(), t.sum.to_string(), t.rounding.to_string(), t.net.to_string(), t.tax.to_string()];
        let mut row = vec![d.buyer.account_sid.clone(), d.buyer.party.name.clone()];
        row.extend(numbers);
        row.push(format!("{} {}", t.total, d.currency));
        row
    });
    let right = ["calls", "sum", "rounding", "net", "tax", "total"];
    term::table(&[&["account", "name"][..], &right[..]].concat(), &right, rows)
}
