//! `runs` and `undo`: lists the booked runs, and takes one back.

use super::args::{RunsArgs, TableFormat, UndoArgs};
use super::cells::{CellArgs, Cells};
use super::error::CliError;
use super::json;
use super::project::Project;
use super::run::{head, open_to_write, print_what_is_done};
use super::term::{self, grouped};
use crate::job::book;
use crate::ledger::History;
use crate::ledger::manifest::Manifest;
use crate::ledger::runs::undo;
use crate::ledger::undone::Undone;
use serde_json::{Value, json};

/// Lists the runs, and those that were undone.
pub fn list(args: &RunsArgs, project: &Project) -> Result<(), CliError> {
    let history = project.ledger()?.history()?;
    match args.format {
        TableFormat::Table => term::print(&(as_table(&history) + &head(&history)))?,
        TableFormat::Csv => as_csv(&history, args.cells)?,
        TableFormat::Json | TableFormat::Jsonl => {
            let list = rows(&history).map(|(manifest, undone)| as_json(manifest, undone));
            json::print_list(args.format, &list.collect::<Vec<_>>())?;
        }
    }
    Ok(())
}

/// Every run ever published, with its undo: first those that are still booked.
fn rows(history: &History) -> impl Iterator<Item = (&Manifest, Option<&Undone>)> {
    let undone = history.undone.iter().map(|undone| (&undone.run.manifest, Some(undone)));
    history.runs.iter().map(|run| (&run.manifest, None)).chain(undone)
}

const COUNTS: [&str; 8] =
    ["read", "retried", "rated", "free", "duplicate", "ignored", "suspended", "closed"];

fn amount(manifest: &Manifest) -> String {
    manifest
        .amount
        .iter()
        .map(|(currency, amount)| format!("{amount} {currency}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The reason that a person gave, the imported night, or the files that were read.
fn about(manifest: &Manifest, undone: Option<&Undone>) -> String {
    if let (None, Some(night)) = (undone, &manifest.imported) {
        return format!("published night {} of {}", night.sequence, night.engine);
    }
    match (undone, &manifest.reason, manifest.inputs.as_slice()) {
        (Some(undone), ..) => format!("undone: {}", undone.reason),
        (None, Some(reason), _) => reason.clone(),
        (None, None, []) => String::new(),
        (None, None, [file]) => file.name.clone(),
        (None, None, [file, rest @ ..]) => format!("{} and {} more", file.name, rest.len()),
    }
}

fn as_table(history: &History) -> String {
    if history.runs.is_empty() && history.undone.is_empty() {
        return "no runs\n".to_owned();
    }
    let cells = |(manifest, undone): (&Manifest, Option<&Undone>)| {
        let mut row = vec![manifest.run_id.clone(), manifest.kind.as_str().to_owned()];
        row.extend(COUNTS.map(|name| grouped(manifest.records(name))));
        row.extend([grouped(manifest.legs), amount(manifest), about(manifest, undone)]);
        row
    };
    let header = [&["run", "kind"][..], &COUNTS[..], &["legs", "amount", "about"]].concat();
    term::table(&header, &[&COUNTS[..], &["legs", "amount"]].concat(), rows(history).map(cells))
}

fn as_csv(history: &History, cells: CellArgs) -> Result<(), CliError> {
    let header =
        [&["run_id", "kind", "state"][..], &COUNTS[..], &["legs", "amount", "about"]].concat();
    let mut cells = Cells::new(std::io::stdout().lock(), cells, header)?;
    for (manifest, undone) in rows(history) {
        let state = if undone.is_some() { "undone" } else { "booked" };
        let mut row =
            vec![manifest.run_id.clone(), manifest.kind.as_str().to_owned(), state.to_owned()];
        row.extend(COUNTS.map(|name| manifest.records(name).to_string()));
        row.extend([manifest.legs.to_string(), amount(manifest), about(manifest, undone)]);
        cells.row(row)?;
    }
    Ok(cells.finish()?)
}

fn as_json(manifest: &Manifest, undone: Option<&Undone>) -> Value {
    json!({
        "run_id": manifest.run_id,
        "state": if undone.is_some() { "undone" } else { "booked" },
        "undo_reason": undone.map(|undone| undone.reason.clone()),
        "kind": manifest.kind.as_str(),
        "reason": manifest.reason,
        "sequence": manifest.sequence,
        "previous": manifest.previous,
        "version": manifest.version,
        "imported": manifest.imported,
        "inputs": manifest.inputs,
        "decks": manifest.decks,
        "counts": manifest.counts,
        "suspense": manifest.suspense,
        "suspended_by_reason": manifest.suspended_by_reason,
        "legs": manifest.legs,
        "amount": manifest.amount,
        "stands_on": manifest.stands_on,
        "accepted_changes": manifest.accepted_changes,
    })
}

/// Undoes a run, and its dependents if that is allowed.
pub fn undo(args: &UndoArgs, project: &Project) -> Result<(), CliError> {
    if args.reason.trim().is_empty() {
        return Err(CliError::usage("--reason is empty: say why the run is undone"));
    }
    let ledger = project.ledger()?;
    let (lock, mut history) = open_to_write(&ledger)?;
    let at = find(&history, &args.run_id)?;
    let dependents = undo::dependents(&history, at);
    if !dependents.is_empty() && !args.with_dependents {
        let names: Vec<&str> =
            dependents.iter().map(|at| history.runs[*at].manifest.run_id.as_str()).collect();
        let problem = format!(
            "run {} cannot be undone alone: later runs stand on it: {}",
            args.run_id,
            names.join(", ")
        );
        return Err(CliError::failed(problem)
            .hint("undo them first, or add --with-dependents; their nights can be rated again"));
    }
    for place in dependents.iter().chain([&at]) {
        let name = &history.runs[*place].manifest.run_id;
        let invoices = undo::invoices_on(&history, name);
        if let Some(number) = invoices.first() {
            let more = if invoices.len() > 1 {
                format!(" (and {} more)", invoices.len() - 1)
            } else {
                String::new()
            };
            return Err(CliError::failed(format!(
                "run {name} cannot be undone: invoice \
                                                 {number}{more} bills its legs"
            ))
            .hint(format!(
                "`trunkrate invoice credit {number} --rebill --reason TEXT` takes \
                               an invoice back first"
            )));
        }
    }
    // From the last to the first, so that the ledger is consistent after each.
    let last = at;
    for at in dependents.into_iter().rev().chain([last]) {
        let name = history.runs[at].manifest.run_id.clone();
        undo::undo(&ledger, &lock, &mut history, at, &args.reason)?;
        if let Some(warning) = book::follow(&ledger, &lock, &history) {
            term::report("note", &format!("run {name} is undone, but {warning}"));
        }
        let end = if at == last { head(&history) } else { String::new() };
        let text = format!("undone: run {name}\n{end}");
        print_what_is_done(&text, &format!("run {name} is undone, but that could not be printed"));
    }
    Ok(())
}

fn find(history: &History, run_id: &str) -> Result<usize, CliError> {
    if let Some(at) = history.runs.iter().position(|run| run.manifest.run_id == run_id) {
        return Ok(at);
    }
    let error = CliError::failed(format!("there is no run {run_id}"));
    Err(match history.undone.iter().rev().find(|undone| undone.run.manifest.run_id == run_id) {
        Some(undone) => error.hint(format!("it was undone: {}", undone.reason)),
        None => error.hint("`trunkrate runs` lists them"),
    })
}
