//! `undo`: takes a run back, or shows what would leave; `rerun` books its calls anew in its place.

mod rerun;

use super::args::TextFormat;
use super::args::undo::UndoArgs;
use super::error::CliError;
use super::journal::{self, quoted};
use super::project::Project;
use super::run::{head, open_to_write, print_what_is_done};
use super::runs::at_of;
use super::term::{self, grouped};
use crate::job::book;
use crate::ledger::History;
use crate::ledger::journal::Journal;
use crate::ledger::manifest::{Manifest, RunKind};
use crate::ledger::runs::undo;
use crate::report::run_rows::amount;
use crate::text::visible;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Undoes a run, and its dependents if that is allowed.
pub fn run(args: &UndoArgs, project: &Project) -> Result<(), CliError> {
    let ledger = project.ledger()?;
    if args.dry_run {
        let history = ledger.history()?;
        let at = at_of(&history, &args.run_id)?;
        let leaving = leaving(&history, at);
        refuse_invoiced(&history, &leaving)?;
        return show(args, &Journal::read(&ledger), &history, &leaving);
    }
    let reason = args.reason.as_deref().unwrap_or("");
    if reason.trim().is_empty() {
        return Err(CliError::usage("--reason is empty: say why the run is undone"));
    }
    if !args.rerun.is_empty() {
        return rerun::run(args, reason, project);
    }
    if args.format == TextFormat::Json {
        return Err(CliError::usage("--format json wants --dry-run or --rerun"));
    }
    let (lock, mut history) = open_to_write(&ledger)?;
    let at = at_of(&history, &args.run_id)?;
    let leaving = leaving(&history, at);
    refuse_dependents(&history, &leaving, args.with_dependents)?;
    refuse_invoiced(&history, &leaving)?;
    let again = again(&Journal::read(&ledger), &history, &leaving);
    // From the last to the first, so that the ledger is consistent after each.
    for at in leaving.into_iter().rev() {
        let name = history.runs[at].manifest.run_id.clone();
        undo::undo(&ledger, &lock, &mut history, at, reason)?;
        journal::did(&name);
        if let Some(warning) = book::follow(&ledger, &lock, &history) {
            term::report("note", &format!("run {name} is undone, but {warning}"));
        }
        let text = format!("undone: run {name}\n");
        print_what_is_done(&text, &format!("run {name} is undone, but that could not be printed"));
    }
    print_what_is_done(&head(&history), "the head could not be printed");
    if !again.is_empty() {
        let words = "to book its calls again, run in this order";
        term::report("hint", &format!("{words}:\n  {}", again.join("\n  ")));
    }
    Ok(())
}

/// The runs that leave with a run, oldest first: itself and those that stand on it.
fn leaving(history: &History, at: usize) -> Vec<usize> {
    let mut leaving = vec![at];
    leaving.extend(undo::dependents(history, at));
    leaving
}

/// Refuses to take back runs that others stand on, unless those leave too.
fn refuse_dependents(
    history: &History,
    leaving: &[usize],
    with_dependents: bool,
) -> Result<(), CliError> {
    let [first, dependents @ ..] = leaving else { unreachable!("the run itself leaves") };
    if dependents.is_empty() || with_dependents {
        return Ok(());
    }
    let name = &history.runs[*first].manifest.run_id;
    let names: Vec<&str> =
        dependents.iter().map(|at| history.runs[*at].manifest.run_id.as_str()).collect();
    let problem =
        format!("run {name} cannot be undone alone: later runs stand on it: {}", names.join(", "));
    Err(CliError::failed(problem).hint(
        "undo them first, or add --with-dependents; their nights can be rated again; --dry-run \
         shows which call files that takes",
    ))
}

/// Refuses to take back what an invoice in force bills.
fn refuse_invoiced(history: &History, leaving: &[usize]) -> Result<(), CliError> {
    for place in leaving.iter().skip(1).chain(leaving.first()) {
        let name = &history.runs[*place].manifest.run_id;
        let invoices = undo::invoices_on(history, name);
        if let Some(number) = invoices.first() {
            let more = if invoices.len() > 1 {
                format!(" (and {} more)", invoices.len() - 1)
            } else {
                String::new()
            };
            return Err(CliError::failed(format!(
                "run {name} cannot be undone: invoice {number}{more} bills its legs"
            ))
            .hint(format!(
                "`trunkrate invoice credit {number} --rebill --reason TEXT` takes an invoice back \
                 first"
            )));
        }
    }
    Ok(())
}

/// The commands that would book the calls of some runs again, oldest first.
fn again(journal: &Journal, history: &History, leaving: &[usize]) -> Vec<String> {
    let command = |m: &Manifest| match m.kind {
        // As it was typed: with its rates, trunks, accounts and ledger.
        RunKind::Run | RunKind::Retry
            if let Some(ran) = journal.booked(&m.run_id)
                && ran.entry.name != "undo" =>
        {
            ran.entry.command.clone()
        }
        RunKind::Run => {
            let names: Vec<String> = m.inputs.iter().map(|file| quoted(&file.name)).collect();
            let given = |hash: &Option<String>, flag: &str| {
                hash.as_ref().map_or_else(String::new, |_| format!(" {flag} …"))
            };
            format!(
                "trunkrate run --cdrs {} --rates …{}{}, with the lists that it was given",
                names.join(" "),
                given(&m.trunks_hash, "--trunks"),
                given(&m.accounts_hash, "--accounts")
            )
        }
        RunKind::Retry => "trunkrate suspense retry".to_owned(),
        RunKind::Close => {
            format!("suspense close, as it was: {}", m.reason.as_deref().unwrap_or(""))
        }
        RunKind::Set => format!("suspense set, as it was: {}", m.reason.as_deref().unwrap_or("")),
        RunKind::Rerate => {
            format!("rerate --book, as it was: {}", m.reason.as_deref().unwrap_or(""))
        }
        RunKind::Resolve => {
            format!("suspense resolve, as it was: {}", m.reason.as_deref().unwrap_or(""))
        }
        RunKind::Import => {
            let night = m.imported.as_ref().map_or(0, |night| night.sequence);
            format!("trunkrate ledger import, published night {night}")
        }
    };
    leaving.iter().map(|at| command(&history.runs[*at].manifest)).collect()
}

/// The sums of some runs by currency.
fn sums(history: &History, leaving: &[usize]) -> Result<BTreeMap<String, Decimal>, CliError> {
    let mut sums: BTreeMap<String, Decimal> = BTreeMap::new();
    for m in leaving.iter().map(|at| &history.runs[*at].manifest) {
        for (currency, amount) in &m.amount {
            let wrong = || {
                let run = &m.run_id;
                CliError::failed(format!("run {run}: its amount `{amount}` is no decimal"))
            };
            let amount = Decimal::from_str_exact(amount).map_err(|_| wrong())?;
            let sum = sums.entry(currency.clone()).or_insert(Decimal::ZERO);
            *sum = sum.checked_add(amount).ok_or_else(wrong)?;
        }
    }
    Ok(sums)
}

/// Shows what would leave.
fn show(
    args: &UndoArgs,
    journal: &Journal,
    history: &History,
    leaving: &[usize],
) -> Result<(), CliError> {
    let manifests: Vec<&Manifest> = leaving.iter().map(|at| &*history.runs[*at].manifest).collect();
    let sums = sums(history, leaving)?;
    let again = again(journal, history, leaving);
    if args.format == TextFormat::Json {
        let amounts: BTreeMap<&String, String> =
            sums.iter().map(|(currency, sum)| (currency, sum.to_string())).collect();
        let run = |m: &&Manifest| {
            json!({
                "run_id": m.run_id,
                "kind": m.kind.as_str(),
                "counts": m.counts,
                "legs": m.legs,
                "amount": m.amount,
                "files": m.inputs,
            })
        };
        let object = json!({
            "runs": manifests.iter().map(run).collect::<Vec<Value>>(),
            "needs_with_dependents": leaving.len() > 1,
            "legs": manifests.iter().map(|m| m.legs).sum::<u64>(),
            "amount": amounts,
            "again": again,
        });
        return Ok(term::print(&format!("{}\n", serde_json::to_string_pretty(&object)?))?);
    }
    let rows = manifests.iter().map(|m| {
        vec![
            m.run_id.clone(),
            m.kind.as_str().to_owned(),
            grouped(m.records("rated")),
            grouped(m.records("free")),
            grouped(m.legs),
            amount(m),
        ]
    });
    let header = ["run", "kind", "rated", "free", "legs", "amount"];
    let mut text = term::table(&header, &["rated", "free", "legs", "amount"], rows);
    let sums: Vec<String> =
        sums.iter().map(|(currency, sum)| format!("{sum} {currency}")).collect();
    let what = match leaving.len() {
        1 => "1 run would leave".to_owned(),
        many => format!(
            "{many} runs would leave, the later ones because they stand on the first: \
                         --with-dependents takes them back too"
        ),
    };
    let sums = if sums.is_empty() { "no money".to_owned() } else { sums.join(", ") };
    let _ = writeln!(text, "\n{what}; {sums}; nothing was done");
    text.push_str(&term::heading("to book their calls again, in this order"));
    text.push('\n');
    for command in again {
        let _ = writeln!(text, "   {}", visible(&command));
    }
    let files = manifests.iter().flat_map(|m| &m.inputs);
    for file in files {
        let _ = writeln!(
            text,
            "   {}: {} records, {} bytes, BLAKE3 {}",
            visible(&file.name),
            grouped(file.rows),
            grouped(file.bytes),
            &file.blake3[..file.blake3.len().min(16)]
        );
    }
    Ok(term::print(&text)?)
}
