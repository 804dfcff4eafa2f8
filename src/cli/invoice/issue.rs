//! `invoice draft` and `issue`.

use super::buyers::Incomplete;
use super::dates::{date, day_after, refuse_far, today};
use super::files::{
    DocumentSelection, Drawing, WrittenFiles, listed, make_folder, ready_files, refuse_own_folder,
    tell_lacks, tell_replaced, write_files,
};
use super::{given, guard};
use crate::cli::args::invoice::{IssueArgs, PeriodArgs};
use crate::cli::error::CliError;
use crate::cli::output::Ready;
use crate::cli::project::Project;
use crate::cli::run::{head, open_to_write, print_what_is_done};
use crate::cli::term;
use crate::document::Document;
use crate::inputs::accounts::Accounts;
use crate::invoicing::check::{self, CheckQuestion, SeenCharges};
use crate::invoicing::drafts::{self, Sources, WantedDrafts};
use crate::invoicing::issue::stage;
use crate::job::book;
use crate::ledger::batch::{BatchManifest, Entry};
use crate::ledger::invoices::publish::StagedBatch;
use crate::ledger::{History, Ledger, Lock};
use std::path::Path;

/// Shows the invoices that would be issued.
pub fn draft(args: &PeriodArgs, project: &Project) -> Result<(), CliError> {
    let after = day_after(&args.billed.period)?;
    let date = date(args.billed.date.as_ref(), || after.clone())?;
    refuse_far(&args.billed, &after, &date)?;
    refuse_formats_of_nothing(args, args.out.is_none())?;
    let ledger = project.ledger()?;
    let history = ledger.history()?;
    let inputs = given::read(&args.billed, project, &ledger, &history)?;
    tell_of_items(&inputs.sources(&history), wanted(args, &date))?;
    let drafts = drafts::drafts(inputs.sources(&history), wanted(args, &date))?;
    let documents =
        drafts.map(|draft| Ok(draft?.document)).collect::<Result<Vec<Document>, CliError>>()?;
    let mut incomplete = Incomplete::default();
    for document in &documents {
        incomplete.add(&document.buyer.account_sid, &inputs.accounts);
    }
    incomplete.tell(&inputs.accounts_path, true)?;
    term::print(&overview(&documents, "nothing would be issued"))?;
    if let Some(out) = &args.out {
        refuse_own_folder(&ledger, out)?;
        let drawing = Drawing::new(&args.drawing, &inputs.terms, args.formats())?;
        write_files(&history, DocumentSelection::Drafts(documents), &drawing, out)?.tell(out);
    }
    Ok(())
}

/// Refuses formats if no files are written.
fn refuse_formats_of_nothing(args: &PeriodArgs, is_nothing: bool) -> Result<(), CliError> {
    if is_nothing && !args.format.is_empty() {
        return Err(CliError::usage("--format says how files are drawn, and none are written")
            .hint("--out DIR says where"));
    }
    Ok(())
}

/// Notes the monthly charges that no invoice bills.
fn tell_of_items(sources: &Sources<'_>, wanted: WantedDrafts<'_>) -> Result<(), CliError> {
    for against in check::of_items(sources, wanted)? {
        term::report("note", &format!("{}: {}", against.id, against.words));
    }
    Ok(())
}

fn wanted<'a>(args: &'a PeriodArgs, date: &'a str) -> WantedDrafts<'a> {
    WantedDrafts {
        month: &args.billed.period,
        date,
        account: args.billed.account.as_deref(),
        supplementary: args.supplementary,
    }
}

/// Issues the invoices of a period: gives them numbers.
pub fn issue(args: &IssueArgs, project: &Project) -> Result<(), CliError> {
    let IssueArgs { what: args, accept, allow_incomplete } = args;
    guard::known_ids(accept)?;
    let after = day_after(&args.billed.period)?;
    let date = date(args.billed.date.as_ref(), today)?;
    if date < after {
        return Err(CliError::failed(format!(
            "{} is not over on {date}: calls would still come",
            args.billed.period
        ))
        .hint(format!(
            "issue it on {after} or later; `trunkrate invoice draft` shows what there is now"
        )));
    }
    refuse_far(&args.billed, &after, &date)?;
    let out = project.out(args.out.as_deref());
    refuse_formats_of_nothing(args, out.is_none())?;
    let ledger = project.ledger()?;
    let (lock, mut history) = open_to_write(&ledger)?;
    let inputs = given::read(&args.billed, project, &ledger, &history)?;
    inputs.require_seller()?;
    tell_of_items(&inputs.sources(&history), wanted(args, &date))?;
    // A broken template or an impossible folder is an error before anything is issued.
    out.as_deref()
        .map(|out| refuse_own_folder(&ledger, out).and_then(|()| make_folder(out)))
        .transpose()?;
    let drawing = out
        .is_some()
        .then(|| Drawing::new(&args.drawing, &inputs.terms, args.formats()))
        .transpose()?;
    let drafts = drafts::drafts(inputs.sources(&history), wanted(args, &date))?;
    let (mut seen, mut incomplete) = (SeenCharges::default(), Incomplete::default());
    let drafts = drafts.inspect(|draft| {
        if let Ok(draft) = draft {
            seen.draft(draft, &wanted(args, &date));
            incomplete.add(&draft.document.buyer.account_sid, &inputs.accounts);
        }
    });
    let Some(batch) = stage((&ledger, &lock), &history, &inputs, &wanted(args, &date), drafts)?
    else {
        let nothing = if args.supplementary {
            "nothing came late"
        } else {
            "nothing to issue: it is billed; calls that came late go to the next invoice, \
             or to one with --supplementary"
        };
        return Ok(term::print(&format!("{}: {nothing}\n", args.billed.period))?);
    };
    incomplete.tell(&inputs.accounts_path, *allow_incomplete)?;
    let (writer, manifest) = batch;
    let question = CheckQuestion {
        ledger: &ledger,
        history: &history,
        period: &args.billed.period,
        account: args.billed.account.as_deref(),
        has_items: inputs.has_items(),
    };
    let accepted = guard::guard(&question, &seen, accept, args.supplementary)?;
    let staged = writer.finish(&history, BatchManifest { accepted, ..manifest })?;
    // Drawn before they are issued: if a template fails on one, none is issued.
    let drawn = lock.staging.join("drawn");
    let written =
        drawing.as_ref().map(|drawing| draw(&staged, &history, drawing, &drawn)).transpose()?;
    // Written to temporary names in their folder, so that only renames remain: with a full disk or
    // a taken name, none is issued.
    let before = out.as_deref().map(listed);
    let ready = out.as_deref().map(|out| ready_files(&drawn, out)).transpose();
    let ready = ready.map_err(|e| CliError::from(e).hint("nothing is issued"))?;
    let batch = staged.publish(&ledger, &mut history)?;
    follow(&ledger, &lock, &history, &batch.manifest);
    let copied = ready.into_iter().flatten().try_for_each(Ready::finish);
    drop(lock);
    let text = format!("{}{}", issued_table(&batch.manifest, &inputs.accounts), head(&history));
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
        if let Some(before) = &before {
            tell_replaced(out, before);
        }
    }
    Ok(())
}

/// Draws the files of a batch before it is issued.
fn draw(
    staged: &StagedBatch,
    before: &History,
    drawing: &Drawing,
    folder: &Path,
) -> Result<WrittenFiles, CliError> {
    let sequence = before.issued.last().map_or(1, |last| last.manifest.sequence + 1);
    let history = staged.history(before);
    let selection =
        DocumentSelection::issued(&history, |found, _| found.manifest.sequence == sequence);
    write_files(&history, selection, drawing, folder).map_err(|e| e.hint("nothing is issued"))
}

/// The documents of a batch as a table: the first ones, and the number of the rest.
fn issued_table(batch: &BatchManifest, accounts: &Accounts) -> String {
    let row = |entry: &Entry| {
        let name = accounts.get(&entry.account_sid).map_or("", |account| &account.name);
        let [number, account, net, tax] =
            [&entry.number, &entry.account_sid, &entry.net, &entry.tax].map(Clone::clone);
        let total = format!("{} {}", entry.total, entry.currency);
        vec![number, account, name.to_owned(), net, tax, total]
    };
    let more = match batch.entries.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!("and {more} more: `trunkrate invoice list --period {}`\n", batch.period),
    };
    let money = ["net", "tax", "total"];
    let header = [&["number", "account", "name"][..], &money[..]].concat();
    let table = term::Table::new(&header, &money, batch.entries.iter().map(row))
        .at_most(SHOWN)
        .totals(&money, "documents");
    table.to_string() + &more
}

/// The most rows shown on a terminal.
const SHOWN: usize = 40;

pub fn follow(ledger: &Ledger, lock: &Lock, history: &History, batch: &BatchManifest) {
    if let Some(warning) = book::follow(ledger, lock, history) {
        term::report("note", &format!("batch {} is issued, but {warning}", batch.batch_id));
    }
}

/// Drafts as a table.
fn overview(documents: &[Document], none: &str) -> String {
    if documents.is_empty() {
        return format!("{none}\n");
    }
    let rows = documents.iter().map(|d| {
        let t = &d.totals;
        let mut row = vec![d.buyer.account_sid.clone(), d.buyer.party.name.clone()];
        row.extend([d.calls.to_string(), t.sum.to_string(), t.rounding.to_string()]);
        row.extend([t.net.to_string(), t.tax.to_string()]);
        row.push(format!("{} {}", t.total, d.currency));
        row
    });
    let right = ["calls", "sum", "rounding", "net", "tax", "total"];
    term::Table::new(&[&["account", "name"][..], &right[..]].concat(), &right, rows)
        .expendable(&["rounding", "account"])
        .totals(&right[1..], "documents")
        .to_string()
}
