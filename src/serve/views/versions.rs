//! The versions of one call side by side: those that wait, and the one that is booked.

use crate::inputs::record_text::RecordText;
use crate::ledger::index::find;
use crate::ledger::tables::log_row::LogRow;
use crate::ledger::tables::suspense::SuspenseRow;
use crate::record::Field;
use crate::reject::Reason;
use crate::serve::asked::{ConsoleRequest, call_address};
use crate::serve::context::context;
use crate::serve::problem::RequestProblem;
use crate::serve::waits::versions_of;
use crate::time;
use minijinja::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Calls of a page whose versions are shown.
const SHOWN: usize = 10;
/// Versions of a call that are shown.
const MOST: usize = 6;

/// A version: what it is called, and its fields.
struct ShownVersion {
    title: String,
    source: String,
    fields: BTreeMap<Field, String>,
}

/// True if records of this reason are versions of one call.
#[must_use]
pub fn are_versions(reason: &str) -> bool {
    reason == Reason::ConflictingDuplicate.as_str()
}

/// The versions of calls that wait in several ones, each call as a table; at most `SHOWN`.
///
/// # Errors
/// If the ledger cannot be read.
pub fn of_calls(
    asked: &ConsoleRequest<'_>,
    sids: BTreeSet<String>,
) -> Result<Vec<Value>, RequestProblem> {
    let history = &asked.snapshot.history;
    let sids: BTreeSet<String> =
        sids.into_iter().filter(|sid| !sid.is_empty()).take(SHOWN).collect();
    let mut all = Vec::new();
    for (sid, rows) in versions_of(history, &sids)? {
        let booked = find::find_log_row(history, &sid)?.map(|(row, _)| row);
        if rows.len() + usize::from(booked.is_some()) < 2 {
            continue;
        }
        let more = rows.len().saturating_sub(MOST);
        let versions: Vec<ShownVersion> = booked
            .iter()
            .map(of_booked)
            .chain(rows.iter().take(MOST).enumerate().map(|(at, row)| of_waiting(at, row)))
            .collect();
        all.push(table(asked, &sid, &versions, more));
    }
    Ok(all)
}

fn of_waiting(at: usize, row: &SuspenseRow) -> ShownVersion {
    let mut fields = BTreeMap::new();
    if let Some(text) = RecordText::kept(&row.record, &row.header) {
        text.with_fields(|own| {
            for field in Field::ALL {
                let text = own.map_or("", |own| own.get(field));
                if !text.is_empty() {
                    fields.insert(field, text.to_owned());
                }
            }
        });
    }
    let source = format!("{}:{}", row.source_file, row.source_line);
    ShownVersion { title: format!("Waits, version {}", at + 1), source, fields }
}

fn of_booked(row: &LogRow) -> ShownVersion {
    let (source, fields) = (format!("run {}", row.run_id), row.record_fields(Field::To));
    ShownVersion { title: "Booked".to_owned(), source, fields }
}

/// The same instant may be written in several ways, and a word in several cases.
fn meaning(field: Field, text: &str) -> String {
    match field {
        Field::StartTime | Field::EndTime | Field::AnswerTime => {
            time::parse(text, None).map_or_else(|| text.to_owned(), time::text)
        }
        Field::Direction | Field::Status => {
            text.to_lowercase().chars().filter(|c| !" _-".contains(*c)).collect()
        }
        _ => text.to_owned(),
    }
}

fn table(asked: &ConsoleRequest<'_>, sid: &str, versions: &[ShownVersion], more: usize) -> Value {
    let setting = &asked.books.setting;
    let rows: Vec<Value> = Field::ALL
        .into_iter()
        .filter(|field| versions.iter().any(|own| own.fields.contains_key(field)))
        .map(|field| {
            let get = |own: &ShownVersion| own.fields.get(&field).cloned();
            let cells: Vec<Option<String>> =
                versions.iter().map(|own| get(own).map(|text| setting.sentence(&text))).collect();
            let meanings: BTreeSet<String> =
                versions.iter().filter_map(get).map(|text| meaning(field, &text)).collect();
            // What a version lacks, and the price, make no other version of it.
            let differs = meanings.len() > 1 && !matches!(field, Field::Price | Field::PriceUnit);
            context! { name => field.as_str(), cells, differs }
        })
        .collect();
    let heads: Vec<Value> =
        versions.iter().map(|own| context! { title => own.title, source => own.source }).collect();
    context! { sid, href => call_address(sid), heads, rows, more }
}
