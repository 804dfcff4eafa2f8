//! `invoice calls`: the calls that a document bills, leg by leg.

use crate::cli::args::TableFormat;
use crate::cli::args::invoice::InvoiceCallsArgs;
use crate::cli::calls::last_list;
use crate::cli::cells::Cells;
use crate::cli::error::CliError;
use crate::cli::json;
use crate::cli::project::Project;
use crate::cli::term;
use crate::document::{Document, UsageLine};
use crate::invoicing::error::IssueError;
use crate::ledger::batch;
use crate::ledger::invoices::lines::{self, LineLeg};
use crate::money::{AMOUNT_DECIMALS, decimal_text};
use crate::text::visible;
use crate::time;
use serde_json::{Map, Value, json};

const COLUMNS: [&str; 16] = [
    "number",
    "line",
    "call_sid",
    "leg",
    "scenario",
    "service",
    "leg_from",
    "leg_to",
    "start_time",
    "duration_seconds",
    "billed_seconds",
    "price_per_minute",
    "description",
    "currency",
    "amount",
    "run_id",
];

/// Lists the legs of a document, or of one of its lines.
pub fn calls(args: &InvoiceCallsArgs, project: &Project) -> Result<(), CliError> {
    let ledger = project.ledger()?;
    let history = ledger.history()?;
    let found = batch::find(&history.issued, &args.number)
        .ok_or_else(|| IssueError::Unknown(args.number.clone()))?;
    let mut documents = Vec::new();
    found.0.each_document(
        |entry| entry.number == args.number,
        |_, document| {
            documents.push(document);
            Ok::<_, CliError>(())
        },
    )?;
    let document = documents.first().expect("a batch has a document for each of its entries");
    let wanted = args.line.map(|line| place_of(document, line, &args.number)).transpose()?;
    let legs = lines::legs_of(&history, found, document, wanted)?;
    match args.format {
        TableFormat::Table => {
            term::print(&as_table(&args.number, document, wanted, &legs))?;
            last_list::keep(&ledger, &history, legs.into_iter().map(|leg| leg.call_sid).collect());
        }
        TableFormat::Csv => {
            let mut cells = Cells::new(std::io::stdout().lock(), args.cells, COLUMNS)?;
            for leg in &legs {
                cells.row(cells_of(&args.number, document, leg))?;
            }
            cells.finish()?;
        }
        TableFormat::Json | TableFormat::Jsonl => {
            let list: Vec<Map<String, Value>> =
                legs.iter().map(|leg| object(&args.number, document, leg)).collect();
            json::print_list(args.format, &list)?;
        }
    }
    Ok(())
}

/// The place of a line of usage in its document, by its number.
fn place_of(document: &Document, line: usize, number: &str) -> Result<usize, CliError> {
    let (usage, items) = (document.usage.len(), document.items.len());
    match line.checked_sub(1) {
        Some(at) if at < usage => Ok(at),
        Some(at) if at < usage + items => {
            let item = &document.items[at - usage];
            Err(CliError::failed(format!(
                "line {line} of {number} is a monthly charge, and bills no calls: {}",
                visible(&item.description)
            )))
        }
        _ => {
            Err(CliError::failed(format!("{number} has no line {line}: it has {}", usage + items))
                .hint(format!("`trunkrate invoice show {number}` numbers its lines")))
        }
    }
}

/// The amount of a leg, with the decimals that it has in all outputs.
fn amount(leg: &LineLeg) -> String {
    decimal_text(i128::from(leg.amount.units()), AMOUNT_DECIMALS, 5)
}

fn as_table(number: &str, document: &Document, wanted: Option<usize>, legs: &[LineLeg]) -> String {
    let mut out = match wanted {
        Some(at) => heading(number, at, document),
        None => format!("{}\n", term::heading(&format!("{} {number}", document.title()))),
    };
    if legs.is_empty() {
        out.push_str("no calls\n");
        return out;
    }
    let row = |(at, leg): (usize, &LineLeg)| {
        let mut row = vec![at.to_string()];
        row.extend(wanted.is_none().then(|| (leg.line + 1).to_string()));
        row.extend([
            time::text(leg.start),
            leg.call_sid.clone(),
            leg.leg.to_string(),
            leg.from.clone(),
            leg.to.clone(),
            leg.duration.to_string(),
            leg.billed.to_string(),
            format!("{} {}", amount(leg), document.currency),
        ]);
        row
    };
    let mut header = vec!["#"];
    header.extend(wanted.is_none().then_some("line"));
    header.extend(["start", "call", "leg", "from", "to", "seconds", "billed", "amount"]);
    let right: Vec<&str> = ["#", "line", "leg", "seconds", "billed", "amount"]
        .into_iter()
        .filter(|name| header.contains(name))
        .collect();
    let table = term::Table::new(&header, &right, (1..).zip(legs).map(row))
        .expendable(&["seconds", "billed"])
        .totals(&["amount"], "legs");
    out + &table.to_string()
}

/// The words of the line on the document.
fn heading(number: &str, at: usize, document: &Document) -> String {
    let line: &UsageLine = &document.usage[at];
    let late = line.late.as_ref().map(|month| format!("{month}: ")).unwrap_or_default();
    let fee = if line.connection_fee.0.is_zero() {
        String::new()
    } else {
        format!(" + {} / leg", line.connection_fee)
    };
    format!(
        "{}\n  {late}{}, {}, {} / min{fee}: {} {}\n",
        term::heading(&format!("line {} of {number}", at + 1)),
        line.scenario_words,
        visible(&line.description),
        line.price_per_minute,
        line.amount,
        document.currency
    )
}

fn cells_of(number: &str, document: &Document, leg: &LineLeg) -> [String; 16] {
    let line = &document.usage[leg.line];
    [
        number.to_owned(),
        (leg.line + 1).to_string(),
        leg.call_sid.clone(),
        leg.leg.to_string(),
        line.scenario.clone(),
        line.service.clone(),
        leg.from.clone(),
        leg.to.clone(),
        time::text(leg.start),
        leg.duration.to_string(),
        leg.billed.to_string(),
        line.price_per_minute.to_string(),
        line.description.clone(),
        document.currency.clone(),
        amount(leg),
        leg.run_id.clone(),
    ]
}

fn object(number: &str, document: &Document, leg: &LineLeg) -> Map<String, Value> {
    let value = |(name, cell): (&str, String)| {
        let value = match name {
            "line" => json!(leg.line + 1),
            "leg" => json!(leg.leg),
            "duration_seconds" => json!(leg.duration),
            "billed_seconds" => json!(leg.billed),
            _ => json!(cell),
        };
        (name.to_owned(), value)
    };
    COLUMNS.into_iter().zip(cells_of(number, document, leg)).map(value).collect()
}
