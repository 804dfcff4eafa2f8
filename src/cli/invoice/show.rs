//! `invoice list`, `show` and `write`.

use super::files::{DocumentSelection, Drawing, refuse_own_folder, signed, write_files};
use crate::cli::args::TableFormat;
use crate::cli::args::invoice::{DocumentFormat, InvoiceShowArgs, ListArgs, WriteArgs};
use crate::cli::cells::Cells;
use crate::cli::error::CliError;
use crate::cli::json;
use crate::cli::names::Names;
use crate::cli::output::write_whole;
use crate::cli::project::Project;
use crate::cli::term;
use crate::invoicing::error::IssueError;
use crate::ledger::batch;
use crate::ledger::batch::{Batch, Entry};

use serde_json::{Value, json};
use std::io::Write as _;

/// A document's row in lists.
fn row((batch, entry): (&Batch, &Entry), credited: Option<(&str, bool)>) -> [String; 11] {
    let m = &batch.manifest;
    let state = match (&entry.corrects, credited) {
        (Some(_), _) => "credit-note",
        (None, Some((_, false))) => "credited",
        (None, Some((_, true))) => "credited-in-part",
        (None, None) if m.supplementary => "supplementary",
        (None, None) => "issued",
    };
    let other = entry.corrects.as_deref().or(credited.map(|(note, _)| note)).unwrap_or_default();
    let [usage, net, tax, total] = [&entry.usage, &entry.net, &entry.tax, &entry.total]
        .map(|amount| signed(amount, entry.corrects.is_some()));
    let [number, account, currency] =
        [&entry.number, &entry.account_sid, &entry.currency].map(Clone::clone);
    let [date, period] = [&m.date, &m.period].map(Clone::clone);
    [
        number,
        state.to_owned(),
        other.to_owned(),
        date,
        period,
        account,
        usage,
        net,
        tax,
        total,
        currency,
    ]
}

const COLUMNS: [&str; 11] = [
    "number",
    "state",
    "other",
    "date",
    "period",
    "account_sid",
    "usage",
    "net",
    "tax",
    "total",
    "currency",
];

/// Lists the issued documents.
pub fn list(args: &ListArgs, project: &Project) -> Result<(), CliError> {
    if let Some(period) =
        args.period.as_ref().filter(|period| crate::time::month_bounds(period).is_none())
    {
        return Err(CliError::usage(format!("--period {period}: expected YYYY-MM")));
    }
    let ledger = project.ledger()?;
    let history = ledger.history()?;
    let all = history
        .issued
        .iter()
        .flat_map(|batch| batch.manifest.entries.iter().map(move |entry| (batch, entry)));
    let wanted = |(batch, entry): &(&Batch, &Entry)| {
        args.period.as_ref().is_none_or(|period| *period == batch.manifest.period)
            && args.account.as_ref().is_none_or(|account| *account == entry.account_sid)
    };
    // Of several credit notes in part the last one.
    let credits: std::collections::HashMap<&str, (&str, bool)> = (all.clone())
        .filter_map(|(_, entry)| {
            Some((entry.corrects.as_deref()?, (entry.number.as_str(), entry.part.is_some())))
        })
        .collect();
    let rows =
        all.filter(wanted).map(|found| row(found, credits.get(found.1.number.as_str()).copied()));
    match args.format {
        TableFormat::Table => {
            let rows: Vec<Vec<String>> = rows.map(|row| row.to_vec()).collect();
            let text = if rows.is_empty() {
                "nothing issued\n".to_owned()
            } else {
                as_table(rows, &Names::read(project, &ledger, &history))
            };
            term::print(&text)?;
        }
        TableFormat::Csv => {
            let mut cells = Cells::new(std::io::stdout().lock(), args.cells, COLUMNS)?;
            for row in rows {
                cells.row(row)?;
            }
            cells.finish()?;
        }
        TableFormat::Json | TableFormat::Jsonl => {
            let object = |row: [String; 11]| -> serde_json::Map<String, Value> {
                COLUMNS
                    .iter()
                    .zip(row)
                    .map(|(name, value)| ((*name).to_owned(), json!(value)))
                    .collect()
            };
            json::print_list(args.format, &rows.map(object).collect::<Vec<_>>())?;
        }
    }
    Ok(())
}

/// The list for people: with the names of the accounts, and what all of it comes to.
fn as_table(mut rows: Vec<Vec<String>>, names: &Names) -> String {
    let mut header = COLUMNS.to_vec();
    let account = COLUMNS.iter().position(|name| *name == "account_sid").expect("its column");
    if !names.is_empty() {
        header.insert(account + 1, "name");
        for row in &mut rows {
            row.insert(account + 1, names.of(&row[account]).to_owned());
        }
    }
    let money = ["usage", "net", "tax", "total"];
    term::Table::new(&header, &money, rows)
        .expendable(&["other", "date", "period", "usage", "tax"])
        .totals(&money, "documents")
        .to_string()
}

/// Shows one document.
pub fn show(args: &InvoiceShowArgs, project: &Project) -> Result<(), CliError> {
    let ledger = project.ledger()?;
    let history = ledger.history()?;
    let (batch, _) = batch::find(&history.issued, &args.number)
        .ok_or_else(|| IssueError::Unknown(args.number.clone()))?;
    let drawing = Drawing::new(&args.drawing, &project.terms()?.0, &[args.format])?;
    let selection = DocumentSelection::issued(&history, |_, entry| entry.number == args.number);
    let legs = drawing.legs(&history, &selection)?;
    batch.each_document(
        |entry| entry.number == args.number,
        |_, document| {
            let bytes = drawing.draw(args.format, &document, legs.as_deref())?;
            if let Some(path) = &args.out {
                return Ok(write_whole(path, &bytes)?);
            }
            if let (DocumentFormat::Text | DocumentFormat::Json, Ok(text)) =
                (args.format, std::str::from_utf8(&bytes))
            {
                return Ok(term::print(text)?);
            }
            let mut out = std::io::stdout().lock();
            out.write_all(&bytes)?;
            out.flush()?;
            Ok::<_, CliError>(())
        },
    )
}

/// Writes issued documents as files.
pub fn write(args: &WriteArgs, project: &Project) -> Result<(), CliError> {
    let ledger = project.ledger()?;
    let out = project.required_out(args.out.as_deref())?;
    let history = ledger.history()?;
    if let Some(number) =
        args.numbers.iter().find(|number| batch::find(&history.issued, number).is_none())
    {
        return Err(IssueError::Unknown(number.clone()).into());
    }
    let drawing = Drawing::new(&args.drawing, &project.terms()?.0, &args.format)?;
    let selection = DocumentSelection::issued(&history, |batch, entry| {
        args.period.as_ref().is_none_or(|period| *period == batch.manifest.period)
            && args.account.as_ref().is_none_or(|account| *account == entry.account_sid)
            && (args.numbers.is_empty() || args.numbers.contains(&entry.number))
    });
    if selection.count() == 0 {
        return Err(CliError::failed("nothing that was issued is so")
            .hint("`trunkrate invoice list` lists all"));
    }
    refuse_own_folder(&ledger, &out)?;
    write_files(&history, selection, &drawing, &out)?.tell(&out);
    Ok(())
}
