//! Families of calls as a table, CSV, JSON and JSON Lines.

use super::mark;
use crate::cli::args::TableFormat;
use crate::cli::args::calls::CallsArgs;
use crate::cli::cells::Cells;
use crate::cli::error::CliError;
use crate::cli::json;
use crate::cli::term;
use crate::ledger::index::unbooked::{State, Unbooked};
use crate::ledger::tables::columns::LOG_COLUMNS;
use crate::ledger::tables::log_row::LogRow;
use crate::report::asked::Finder;
use crate::report::calls::{CallFamily, Member};
use crate::time;
use serde_json::{Map, Value, json};
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// Prints the families.
pub fn print(
    args: &CallsArgs,
    families: &[CallFamily],
    finder: &Finder<'_>,
) -> Result<(), CliError> {
    match args.format {
        TableFormat::Table => term::print(&as_table(families, finder))?,
        TableFormat::Csv => {
            let mut cells = Cells::new(std::io::stdout().lock(), args.cells, LOG_COLUMNS)?;
            for member in families.iter().flat_map(CallFamily::members) {
                if let Member::Booked(row) = member {
                    cells
                        .row(row.cells().iter().map(|cell| cell.as_deref().unwrap_or_default()))?;
                }
            }
            cells.finish()?;
        }
        TableFormat::Json | TableFormat::Jsonl => {
            let list: Vec<Value> = families.iter().map(as_json).collect();
            json::print_list(args.format, &list)?;
        }
    }
    Ok(())
}

fn as_table(families: &[CallFamily], finder: &Finder<'_>) -> String {
    if families.is_empty() {
        return "no calls\n".to_owned();
    }
    let accounts: BTreeSet<&str> =
        families.iter().flat_map(CallFamily::members).map(Member::account).collect();
    // Of one account alone its name need not stand in every row.
    let has_accounts = accounts.len() > 1;
    let mut lines = Vec::new();
    for family in families {
        // A child whose parent is not in the list would stand under a stranger: it has no branch.
        let has_parent = |child: &&Member| family.has_parent_of(child);
        let drawn = family.children.iter().filter(has_parent).count();
        let branches = (1..=family.children.len()).map(|at| match at.cmp(&drawn) {
            Ordering::Less => "├─ ",
            Ordering::Equal => "└─ ",
            Ordering::Greater => "",
        });
        let calls = family
            .parents
            .iter()
            .map(|call| (call, ""))
            .chain(family.children.iter().zip(branches));
        for (call, branch) in calls {
            let mut cells = line(call, branch, finder);
            cells.insert(0, (lines.len() + 1).to_string());
            if has_accounts {
                cells.insert(3, finder.names.name(call.account()).to_owned());
            }
            lines.push(cells);
        }
    }
    let start = format!("start ({})", finder.clock.zone_name());
    let mut header = vec!["#", start.as_str(), "call"];
    header.extend(has_accounts.then_some("account"));
    header.extend(["from", "to", "scenario", "seconds", "status", "amount", "caller ID"]);
    // The status marks what waits; a call is asked for by its number in the list, too.
    let mut expendable = vec!["caller ID", "scenario", "account", "seconds", "call"];
    expendable.retain(|column| header.contains(column));
    term::Table::new(&header, &["#", "seconds", "amount"], lines)
        .expendable(&expendable)
        .totals(&["amount"], "calls")
        .to_string()
}

fn line(call: &Member, branch: &str, finder: &Finder<'_>) -> Vec<String> {
    let start = call.start().map(|start| finder.clock.text(start)).unwrap_or_default();
    match call {
        Member::Booked(row) => vec![
            start,
            format!("{branch}{}", row.call_sid),
            row.from.clone(),
            row.to.clone(),
            row.scenario.clone(),
            row.duration_seconds.to_string(),
            row.status.clone(),
            format!("{} {}", row.amount_text(), row.currency).trim().to_owned(),
            row.caller_id.clone(),
        ],
        Member::Unbooked(call) => {
            let name = match call.call_sid.as_str() {
                // The file's own name: its folders would widen the table.
                "" => {
                    let file = call.source_file.rsplit('/').next().expect("a text has an end");
                    format!("{file}:{}", call.source_line)
                }
                sid => sid.to_owned(),
            };
            vec![
                start,
                format!("{branch}{name}"),
                call.from.clone(),
                call.to.clone(),
                String::new(),
                call.duration.clone(),
                mark(&call.state),
                String::new(),
                String::new(),
            ]
        }
    }
}

fn as_json(family: &CallFamily) -> Value {
    let mut parents = family.parents.iter();
    let mut whole = parents.next().map(object).unwrap_or_default();
    // Versions of a waiting parent, of which one is shown in its place.
    let others: Vec<Value> = parents.map(|call| Value::Object(object(call))).collect();
    let children: Vec<Value> =
        family.children.iter().map(|call| Value::Object(object(call))).collect();
    if !others.is_empty() {
        whole.insert("versions".to_owned(), Value::Array(others));
    }
    whole.insert("children".to_owned(), Value::Array(children));
    Value::Object(whole)
}

fn object(call: &Member) -> Map<String, Value> {
    match call {
        Member::Booked(row) => booked(row),
        Member::Unbooked(call) => unbooked(call),
    }
}

fn booked(row: &LogRow) -> Map<String, Value> {
    let value = |(name, cell): (&str, Option<String>)| {
        let value = match name {
            "duration_seconds" => Value::from(row.duration_seconds),
            _ => cell.map_or(Value::Null, Value::from),
        };
        (name.to_owned(), value)
    };
    LOG_COLUMNS.into_iter().zip(row.cells()).map(value).collect()
}

/// A call that is not booked, under the columns of the log; and why it is not.
fn unbooked(call: &Unbooked) -> Map<String, Value> {
    let text = |text: &str| match text {
        "" => Value::Null,
        text => Value::from(text),
    };
    let is_child = !call.parent_call_sid.is_empty();
    let value = |name: &'static str| {
        let value = match name {
            "call_sid" => text(&call.call_sid),
            "parent_call_sid" => text(&call.parent_call_sid),
            "account_sid" => text(&call.account_sid),
            "trunk_sid" => text(&call.trunk_sid),
            "role" => Value::from(if is_child { "child" } else { "parent" }),
            "direction" => text(&call.direction),
            "from" => text(&call.from),
            "to" => text(&call.to),
            "start_time" => call.start.map_or(Value::Null, |start| time::text(start).into()),
            "duration_seconds" => {
                call.duration.parse::<u32>().map_or_else(|_| text(&call.duration), Value::from)
            }
            "status" => text(&call.status),
            "class" => Value::from(match call.state {
                State::Waiting(..) => "suspended",
                State::Ignored(_) => "ignored",
            }),
            _ => Value::Null,
        };
        (name.to_owned(), value)
    };
    let mut object: Map<String, Value> = LOG_COLUMNS.into_iter().map(value).collect();
    if let State::Waiting(reason, detail) = &call.state {
        object.insert("reason".to_owned(), json!(reason));
        object.insert("detail".to_owned(), json!(detail));
    }
    object.insert("source_file".to_owned(), json!(call.source_file));
    object.insert("source_line".to_owned(), json!(call.source_line));
    object
}
