//! `log`: each parent with its children under it, as the carrier's page shows them.

use super::args::{LogArgs, TableFormat};
use super::cells::Cells;
use super::error::CliError;
use super::export::{Printed, printed};
use super::json;
use super::project::Project;
use super::run::times;
use super::term;
use crate::ledger::index::find;
use crate::ledger::tables::columns::LOG_COLUMNS;
use crate::ledger::tables::read::{self, Selection, each_date};
use crate::ledger::tables::stored::Rows;
use crate::ledger::{Dataset, Ledger};
use polars::prelude::DataFrame;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::path::Path;

/// A row of the log as texts, under [`LOG_COLUMNS`].
type Row = Vec<Option<String>>;

const SID: usize = 0;
const PARENT: usize = 1;

/// Prints the log.
pub fn run(args: &LogArgs, project: &Project) -> Result<(), CliError> {
    let ledger = project.ledger()?;
    let selection = Selection { times: times(&args.times)?, account: args.account.clone() };
    let mut rows: Vec<Row> = Vec::new();
    match &args.call {
        Some(sid) => add_rows(&family_of(&ledger, sid)?, &selection, &mut rows)?,
        None => each_date(&ledger, Dataset::Calls, &selection, |frame| {
            add_rows(&frame, &Selection::default(), &mut rows)
        })?,
    }
    let families = families(rows);
    match args.format {
        TableFormat::Table => term::print(&as_table(&families))?,
        TableFormat::Csv => {
            let mut cells = Cells::new(std::io::stdout().lock(), args.cells, LOG_COLUMNS)?;
            for row in families.iter().flat_map(|(parent, children)| parent.iter().chain(children))
            {
                cells.row(row.iter().map(|cell| cell.as_deref().unwrap_or_default()))?;
            }
            cells.finish()?;
        }
        TableFormat::Json | TableFormat::Jsonl => {
            json::print_list(args.format, &families.iter().map(as_json).collect::<Vec<_>>())?;
        }
    }
    Ok(())
}

/// The call, its parent and its siblings or its children.
fn family_of(ledger: &Ledger, sid: &str) -> Result<DataFrame, CliError> {
    let history = ledger.history()?;
    let Some((row, _)) = find::find_log_row(&history, sid)? else {
        let waits = read::find_waiting(&history, sid)?;
        if waits.is_none() {
            find::refuse_damaged_ids(&history)?;
        }
        let error = CliError::failed(format!("the call {sid} is not in the log"));
        return Err(match waits {
            Some(row) => {
                error.hint(format!("it waits in suspense as {}: {}", row.reason, row.detail))
            }
            None => error.hint("look for it with `trunkrate log --from … --to …`"),
        });
    };
    let family = find::family(
        &history,
        if row.parent_call_sid.is_empty() { sid } else { &row.parent_call_sid },
    )?;
    Ok(find::with_prices_since(&history, family)?)
}

/// Adds the wanted rows of a frame, as texts.
fn add_rows(frame: &DataFrame, wanted: &Selection, rows: &mut Vec<Row>) -> Result<(), CliError> {
    let columns: Vec<Printed<'_>> = printed(frame).into_iter().map(|(_, column)| column).collect();
    let calls = Rows::new(Path::new("calls"), 0, frame);
    let (accounts, starts) = (calls.texts(["account_sid"]), calls.longs(["start_time"])?);
    for row in 0..calls.height() {
        let ([account], [start]) = (accounts.row(row), starts.row(row)?);
        if wanted.account.as_ref().is_none_or(|wanted| account == wanted)
            && wanted.times.as_ref().is_none_or(|times| times.contains(&start))
        {
            rows.push(columns.iter().map(|column| column.text(row)).collect());
        }
    }
    Ok(())
}

/// Each parent with its children; children whose parent was not selected form a family without one.
fn families(rows: Vec<Row>) -> Vec<(Option<Row>, Vec<Row>)> {
    let mut families: Vec<(Option<Row>, Vec<Row>)> = Vec::new();
    let mut place: HashMap<String, usize> = HashMap::new();
    for row in rows {
        let is_child = row[PARENT].is_some();
        let root = row[if is_child { PARENT } else { SID }].clone().unwrap_or_default();
        // A child may start up to a minute before its parent: the family takes the place of its
        // first row.
        let at = *place.entry(root).or_insert_with(|| {
            families.push((None, Vec::new()));
            families.len() - 1
        });
        if is_child { families[at].1.push(row) } else { families[at].0 = Some(row) }
    }
    families
}

fn column(name: &str) -> usize {
    LOG_COLUMNS.iter().position(|column| *column == name).expect("a column of the log")
}

fn as_table(families: &[(Option<Row>, Vec<Row>)]) -> String {
    if families.is_empty() {
        return "no calls\n".to_owned();
    }
    let mut lines = Vec::new();
    for (parent, children) in families {
        lines.extend(parent.iter().map(|row| line(row, "")));
        let last = children.len().saturating_sub(1);
        lines.extend(
            children
                .iter()
                .enumerate()
                .map(|(at, row)| line(row, if at == last { "└─ " } else { "├─ " })),
        );
    }
    let header = [
        "start (UTC)",
        "call",
        "from",
        "to",
        "scenario",
        "seconds",
        "status",
        "amount",
        "caller ID",
    ];
    term::table(&header, &["seconds", "amount"], lines)
}

fn line(row: &Row, branch: &str) -> Vec<String> {
    let get = |name: &str| row[column(name)].clone().unwrap_or_default();
    vec![
        get("start_time"),
        format!("{branch}{}", get("call_sid")),
        get("from"),
        get("to"),
        get("scenario"),
        get("duration_seconds"),
        get("status"),
        format!("{} {}", get("amount"), get("currency")).trim().to_owned(),
        get("caller_id"),
    ]
}

fn as_json((parent, children): &(Option<Row>, Vec<Row>)) -> Value {
    let object = |row: &Row| -> Map<String, Value> {
        let value = |(name, cell): (&&str, &Option<String>)| {
            let number = (*name == "duration_seconds")
                .then(|| cell.as_deref()?.parse::<i64>().ok())
                .flatten();
            let value =
                number.map_or_else(|| cell.clone().map_or(Value::Null, Value::from), Value::from);
            ((*name).to_owned(), value)
        };
        LOG_COLUMNS.iter().zip(row).map(value).collect()
    };
    let children: Vec<Value> = children.iter().map(|row| Value::Object(object(row))).collect();
    let mut whole = parent.as_ref().map(object).unwrap_or_default();
    whole.insert("children".to_owned(), Value::Array(children));
    Value::Object(whole)
}
