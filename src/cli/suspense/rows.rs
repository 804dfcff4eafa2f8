//! A suspended record for display: its fields, its age, and its JSON.

use crate::inputs::record_text::RecordText;
use crate::ledger::tables::columns::SUSPENSE_COLUMNS;
use crate::ledger::tables::suspense::SuspenseRow;
use crate::record::Field;
use crate::reject::Reason;
use crate::report::waiting::age_days;
use crate::time::Micros;
use serde_json::{Map, Value, json};

/// The age of a suspended record in whole days: see [`age_days`].
pub fn age(row: &SuspenseRow, newest: Option<Micros>) -> Option<i64> {
    age_days(&row.first_seen, newest)
}

pub fn days_text(days: Option<i64>) -> String {
    days.map(|days| days.to_string()).unwrap_or_default()
}

/// The non-empty fields of a record; `None` if it is malformed.
pub fn fields(row: &SuspenseRow) -> Option<Vec<(&'static str, String)>> {
    let text = RecordText::kept(&row.record, &row.header)
        .filter(|_| row.reason != Reason::MalformedRecord.as_str())?;
    text.with_fields(|fields| {
        let fields = fields?;
        let all =
            Field::ALL.into_iter().map(|field| (field.as_str(), fields.get(field).to_owned()));
        Some(all.filter(|(_, value)| !value.is_empty()).collect())
    })
}

pub fn texts(row: &SuspenseRow) -> [String; 10] {
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

/// A suspended record as an object.
pub fn as_json(row: &SuspenseRow, newest: Option<Micros>) -> Value {
    let mut object: Map<String, Value> = SUSPENSE_COLUMNS
        .iter()
        .zip(texts(row))
        .map(|(name, text)| ((*name).to_owned(), json!(text)))
        .collect();
    for value in object.values_mut().filter(|value| value.as_str() == Some("")) {
        *value = Value::Null;
    }
    object.insert("source_line".to_owned(), json!(row.source_line));
    object.insert("tries".to_owned(), json!(row.tries));
    object.insert("age_days".to_owned(), json!(age(row, newest)));
    Value::Object(object)
}
