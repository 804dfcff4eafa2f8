//! `runs`: the booked runs, those that were undone, and the nights that failed; or the journal.

use super::args::{RunsArgs, TableFormat};
use super::cells::{CellArgs, Cells};
use super::error::CliError;
use super::json;
use super::project::Project;
use super::run::head;
use super::term::{self, grouped};
use crate::ledger::History;
use crate::ledger::journal::{Journal, Ran};
use crate::report::health::CommandLine;
use crate::report::health::words::{stamp, took_text};
use crate::report::run_rows::{RunRow, about, amount, rows};
use serde_json::{Value, json};

/// Lists the runs, and those that were undone.
pub fn list(args: &RunsArgs, project: &Project) -> Result<(), CliError> {
    let ledger = project.ledger()?;
    let journal = Journal::read(&ledger);
    if let Some(unread) = &journal.unread {
        term::report("note", unread);
    }
    if journal.unread_lines > 0 {
        let lines = grouped(journal.unread_lines);
        term::report("note", &format!("lines of the journal that cannot be read: {lines}"));
    }
    if args.journal {
        return journal_of(args, &journal);
    }
    let history = ledger.history()?;
    let rows = rows(&history, &journal);
    // For programs a row is a run: what failed has none, and is in the journal.
    let runs = || rows.iter().filter(|row| matches!(row, RunRow::Run(..)));
    match args.format {
        TableFormat::Table => term::print(&(as_table(&rows) + &head(&history)))?,
        TableFormat::Csv => as_csv(runs(), args.cells)?,
        TableFormat::Json | TableFormat::Jsonl => {
            json::print_list(args.format, &runs().map(as_json).collect::<Vec<_>>())?;
        }
    }
    Ok(())
}

const COUNTS: [&str; 8] =
    ["read", "retried", "rated", "free", "duplicate", "ignored", "suspended", "closed"];

/// The cells of a row: run, kind, counts, legs, amount, about.
fn cells(row: &RunRow<'_>, number: impl Fn(u64) -> String) -> Vec<String> {
    match row {
        RunRow::Run(manifest, undone, _) => {
            let mut cells = vec![manifest.run_id.clone(), manifest.kind.as_str().to_owned()];
            cells.extend(COUNTS.map(|name| number(manifest.records(name))));
            cells.extend([number(manifest.legs), amount(manifest), about(manifest, *undone)]);
            cells
        }
        RunRow::Failed(ran) => {
            let mut cells = vec![String::new(), ran.entry.name.clone()];
            cells.extend([(); COUNTS.len() + 2].map(|()| String::new()));
            cells.push(match row.state() {
                "failed" => format!("failed: {}", ran.message()),
                _ => "never ended: it was killed, or the machine stopped".to_owned(),
            });
            cells
        }
    }
}

fn as_table(rows: &[RunRow<'_>]) -> String {
    if rows.is_empty() {
        return "no runs\n".to_owned();
    }
    let with_how = |row: &RunRow<'_>| {
        let mut cells = cells(row, grouped);
        if let RunRow::Failed(_) = row {
            row.state().clone_into(&mut cells[0]);
        }
        cells.splice(1..1, row.how());
        cells
    };
    let header = [
        &["run", "booked (UTC)", "by", "took", "kind"][..],
        &COUNTS[..],
        &["legs", "amount", "about"],
    ]
    .concat();
    let right = [&COUNTS[..], &["took", "legs", "amount"]].concat();
    // No totals: what was undone stands among the runs.
    term::Table::new(&header, &right, rows.iter().map(with_how))
        .expendable(&["closed", "retried", "ignored", "free", "duplicate", "kind", "took", "by"])
        .to_string()
}

fn as_csv<'a>(rows: impl Iterator<Item = &'a RunRow<'a>>, args: CellArgs) -> Result<(), CliError> {
    let header =
        [&["run_id", "kind", "state"][..], &COUNTS[..], &["legs", "amount", "about"]].concat();
    let mut out = Cells::new(std::io::stdout().lock(), args, header)?;
    for row in rows {
        let mut cells = cells(row, |number| number.to_string());
        cells.insert(2, row.state().to_owned());
        out.row(cells)?;
    }
    Ok(out.finish()?)
}

fn as_json(row: &RunRow<'_>) -> Value {
    let command = row.command().map(CommandLine::of);
    let RunRow::Run(manifest, undone, _) = row else { return json!({"command": command}) };
    json!({
        "run_id": manifest.run_id,
        "state": row.state(),
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
        "command": command,
    })
}

/// Lists every command of the journal.
fn journal_of(args: &RunsArgs, journal: &Journal) -> Result<(), CliError> {
    let header = ["began", "took", "exit", "by", "command", "runs", "message"];
    let row = |ran: &Ran| {
        let end = ran.entry.end.as_ref();
        [
            stamp(ran.began),
            end.map_or_else(String::new, |end| took_text(end.duration_ms)),
            end.map_or_else(|| "-".to_owned(), |end| end.exit.to_string()),
            format!("{}@{}", ran.entry.user, ran.entry.host),
            ran.entry.command.clone(),
            ran.runs().join(" "),
            ran.message().to_owned(),
        ]
    };
    match args.format {
        TableFormat::Table if journal.commands.is_empty() => {
            term::print("the journal is empty\n")?;
        }
        TableFormat::Table => {
            let rows = journal.commands.iter().map(|ran| row(ran).to_vec());
            term::print(&term::table(&header, &["took", "exit"], rows))?;
        }
        TableFormat::Csv => {
            let mut cells = Cells::new(std::io::stdout().lock(), args.cells, header)?;
            for ran in &journal.commands {
                cells.row(row(ran))?;
            }
            cells.finish()?;
        }
        TableFormat::Json | TableFormat::Jsonl => {
            let object = |ran: &Ran| {
                let mut object = json!(CommandLine::of(ran));
                object["name"] = json!(ran.entry.name);
                object["writes"] = json!(ran.entry.writes);
                object["runs"] = json!(ran.runs());
                object
            };
            let list: Vec<Value> = journal.commands.iter().map(object).collect();
            json::print_list(args.format, &list)?;
        }
    }
    Ok(())
}

/// The place of a booked run in the history: `last`, a number, an id or the beginning of one.
pub fn at_of(history: &History, text: &str) -> Result<usize, CliError> {
    let ids = || history.runs.iter().map(|run| run.manifest.run_id.as_str());
    if let Some(at) = ids().position(|id| id == text) {
        return Ok(at);
    }
    if text == "last" {
        return history.runs.len().checked_sub(1).ok_or_else(|| {
            CliError::failed("the ledger has no run")
                .hint("`trunkrate runs` lists those that were undone")
        });
    }
    if let Ok(number) = text.parse::<u64>()
        && let Some(at) = history.runs.iter().position(|run| run.manifest.sequence == number)
    {
        return Ok(at);
    }
    let begin: Vec<usize> = ids()
        .enumerate()
        .filter(|(_, id)| !text.is_empty() && id.starts_with(text))
        .map(|(at, _)| at)
        .collect();
    match begin.as_slice() {
        [at] => return Ok(*at),
        [] => {}
        [first, second, ..] => {
            let [first, second] = [first, second].map(|at| &history.runs[*at].manifest.run_id);
            return Err(CliError::failed(format!(
                "{} runs begin with {text}: {first}, {second}{}",
                begin.len(),
                if begin.len() > 2 { " …" } else { "" }
            ))
            .hint("give more of the id, or its number"));
        }
    }
    let error = CliError::failed(format!("there is no run {text}"));
    Err(match history.undone.iter().rev().find(|undone| undone.run.manifest.run_id == text) {
        Some(undone) => error.hint(format!("it was undone: {}", undone.reason)),
        None => error.hint("`trunkrate runs` lists them"),
    })
}
