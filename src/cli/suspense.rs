//! `suspense`: what waits, and why.

use super::args::{SuspenseArgs, TableFormat};
use super::error::CliError;
use super::export::SUSPENSE_COLUMNS;
use super::run::{existing, suspense_of};
use super::term;
use crate::io::ledger::frames::SuspenseRow;
use crate::reject::Reason;
use serde_json::{Map, Value, json};

/// Prints what waits.
pub fn run(args: &SuspenseArgs) -> Result<(), CliError> {
    let reason = args.reason.as_deref().map(|text| {
        Reason::parse(text).ok_or_else(|| {
            let known = Reason::ALL.map(Reason::as_str).join(", ");
            CliError::usage(format!("--reason {text}: there is no such reason")).hint(format!("reasons: {known}"))
        })
    });
    let reason = reason.transpose()?;
    let ledger = existing(&args.ledger)?;
    let mut rows = suspense_of(&ledger)?;
    rows.retain(|row| reason.is_none_or(|reason| row.reason == reason.as_str()));
    match args.format {
        TableFormat::Table => term::print(&as_table(&rows))?,
        TableFormat::Csv => {
            let mut writer = csv::Writer::from_writer(std::io::stdout().lock());
            writer.write_record(SUSPENSE_COLUMNS)?;
            for row in &rows {
                writer.write_record(texts(row))?;
            }
            writer.flush()?;
        }
        TableFormat::Json => {
            let list: Vec<Value> = rows.iter().map(as_json).collect();
            term::print(&format!("{}\n", serde_json::to_string_pretty(&list)?))?;
        }
    }
    Ok(())
}

fn texts(row: &SuspenseRow) -> [String; 10] {
    [
        row.call_sid.clone(),
        row.parent_call_sid.clone(),
        row.account_sid.clone(),
        row.reason.clone(),
        row.detail.clone(),
        row.source_file.clone(),
        row.source_line.to_string(),
        row.first_seen.clone(),
        row.tries.to_string(),
        row.record.clone(),
    ]
}

fn as_json(row: &SuspenseRow) -> Value {
    let mut object: Map<String, Value> =
        SUSPENSE_COLUMNS.iter().zip(texts(row)).map(|(name, text)| ((*name).to_owned(), json!(text))).collect();
    for value in object.values_mut().filter(|value| value.as_str() == Some("")) {
        *value = Value::Null;
    }
    object.insert("source_line".to_owned(), json!(row.source_line));
    object.insert("tries".to_owned(), json!(row.tries));
    Value::Object(object)
}

fn as_table(rows: &[SuspenseRow]) -> String {
    if rows.is_empty() {
        return "nothing waits\n".to_owned();
    }
    let cells = rows.iter().map(|row| {
        let sid = if row.call_sid.is_empty() { "-".to_owned() } else { row.call_sid.clone() };
        vec![
            row.reason.clone(),
            sid,
            format!("{}:{}", row.source_file, row.source_line),
            row.tries.to_string(),
            row.detail.clone(),
        ]
    });
    let table = term::table(&["reason", "call", "source", "tries", "detail"], &["tries"], cells);
    let mut reasons: Vec<Reason> = rows.iter().filter_map(|row| Reason::parse(&row.reason)).collect();
    reasons.sort_unstable();
    reasons.dedup();
    let hints: Vec<String> = reasons.iter().map(|reason| format!("  {:<24} {}\n", reason.as_str(), reason.hint())).collect();
    format!("{table}\n{}\n{}", term::heading("what to do"), hints.concat())
}
