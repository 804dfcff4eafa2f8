//! Suspended, ignored and closed records as polars frames. (Legs and log have many more rows:
//! [`crate::ledger::runs::sort`] writes them without frames.)

use crate::fit::must_fit;
use crate::inputs::record_text::RecordText;
use crate::ledger::tables::frame::{TextsBuilder, frame_of, integers, times};
use crate::record;
use crate::time::Micros;
use polars::prelude::*;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

fn line_number(line: u64) -> i64 {
    must_fit(line, "a file has fewer than 2^63 lines")
}

/// A suspended record, as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the columns of the contract, section 5.3")]
pub struct SuspenseRow {
    pub call_sid: String,
    pub parent_call_sid: String,
    pub account_sid: String,
    pub reason: String,
    pub detail: String,
    pub source_file: String,
    pub source_line: u64,
    pub first_seen: String,
    pub tries: u32,
    pub record: String,
    /// The CSV header of the record; not exported.
    #[serde(with = "shared_text")]
    pub header: Arc<str>,
    /// The record's fingerprint; not exported.
    pub content: u64,
    /// Its duration, if it has one; not exported.
    pub seconds: u32,
    /// The reason of its write-off, for such records only; not exported.
    pub close_reason: String,
    /// Its parent, if that is booked; not exported.
    pub parent: Option<KeptParent>,
    /// Its price, if another version of the call had it; not exported.
    pub price: Option<KeptPrice>,
}

/// A shared text, as a text of its own.
mod shared_text {
    use super::{Arc, Deserialize};

    pub(crate) fn serialize<S: serde::Serializer>(
        text: &Arc<str>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(text)
    }

    pub(crate) fn deserialize<'de, D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Arc<str>, D::Error> {
        Ok(String::deserialize(deserializer)?.into())
    }
}

/// The price of a suspended record that only another version of the call had: one that lacks
/// something else.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptPrice {
    /// The price as that version had it.
    pub price: String,
    /// Its unit.
    pub unit: String,
}

impl KeptPrice {
    /// The price in a record's text, if it has one.
    #[must_use]
    pub fn of(text: &RecordText) -> Option<Self> {
        text.with_fields(|fields| {
            let [price, unit] = [record::Field::Price, record::Field::PriceUnit]
                .map(|field| fields.map_or("", |fields| fields.get(field)));
            (!price.is_empty()).then(|| Self { price: price.to_owned(), unit: unit.to_owned() })
        })
    }
}

/// The booked parent of a suspended child, stored with it: every later run needs it again, and
/// would have to read the log of its day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as crate::family::BookedParent")]
pub struct KeptParent {
    pub account: String,
    pub start: Micros,
    pub is_child: bool,
    pub root_sid: String,
    pub root_direction: String,
    pub root_from: String,
    pub root_to: String,
    pub root_trunk: String,
}

/// The suspended records as a frame, sorted by id, text, file and line.
#[must_use]
pub fn suspense(rows: &mut [SuspenseRow]) -> DataFrame {
    rows.sort_by(|a, b| {
        (&a.call_sid, &a.record, &a.source_file, a.source_line).cmp(&(
            &b.call_sid,
            &b.record,
            &b.source_file,
            b.source_line,
        ))
    });
    let rows = &*rows;
    let texts = |name: &str, get: fn(&SuspenseRow) -> &str| {
        let mut column = TextsBuilder::new(name, rows.len());
        for row in rows {
            column.push_str(get(row));
        }
        column.finish()
    };
    let numbers =
        |name: &str, get: fn(&SuspenseRow) -> i64| integers(name, rows.iter().map(get).collect());
    let columns = vec![
        texts("call_sid", |r| &r.call_sid),
        texts("parent_call_sid", |r| &r.parent_call_sid),
        texts("account_sid", |r| &r.account_sid),
        texts("reason", |r| &r.reason),
        texts("detail", |r| &r.detail),
        texts("source_file", |r| &r.source_file),
        numbers("source_line", |r| line_number(r.source_line)),
        texts("first_seen", |r| &r.first_seen),
        numbers("tries", |r| r.tries.into()),
        texts("record", |r| &r.record),
        texts("header", |r| &r.header),
        numbers("content", |r| i64::from_ne_bytes(r.content.to_ne_bytes())),
        numbers("seconds", |r| r.seconds.into()),
        texts("close_reason", |r| &r.close_reason),
        texts("kept_account", |r| r.parent.as_ref().map_or("", |p| &p.account)),
        times("kept_start", rows.iter().map(|r| r.parent.as_ref().map(|p| p.start)).collect()),
        numbers("kept_is_child", |r| r.parent.as_ref().is_some_and(|p| p.is_child).into()),
        texts("kept_root_sid", |r| r.parent.as_ref().map_or("", |p| &p.root_sid)),
        texts("kept_root_direction", |r| r.parent.as_ref().map_or("", |p| &p.root_direction)),
        texts("kept_root_from", |r| r.parent.as_ref().map_or("", |p| &p.root_from)),
        texts("kept_root_to", |r| r.parent.as_ref().map_or("", |p| &p.root_to)),
        texts("kept_root_trunk", |r| r.parent.as_ref().map_or("", |p| &p.root_trunk)),
        texts("kept_price", |r| r.price.as_ref().map_or("", |p| &p.price)),
        texts("kept_price_unit", |r| r.price.as_ref().map_or("", |p| &p.unit)),
    ];
    frame_of(columns)
}

/// The direction shown for ignored records without one of their own.
pub const NO_DIRECTION: &str = "(none)";

/// A record that is no trunk call, as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the carrier's names, as in SuspenseRow")]
pub struct IgnoredRow {
    pub call_sid: String,
    pub parent_call_sid: String,
    pub account_sid: String,
    /// In lower case, with `-` between its words.
    pub direction: String,
    pub start_time: Option<Micros>,
    pub source_file: String,
    pub source_line: u64,
    pub record: String,
    /// The CSV header of the record; not exported.
    pub header: Arc<str>,
}

/// The ignored records as a frame, sorted.
#[must_use]
pub fn ignored(rows: &[IgnoredRow]) -> DataFrame {
    let texts = |name: &str, get: fn(&IgnoredRow) -> &str| {
        let mut column = TextsBuilder::new(name, rows.len());
        for row in rows {
            column.push_str(get(row));
        }
        column.finish()
    };
    frame_of(vec![
        texts("call_sid", |r| &r.call_sid),
        texts("parent_call_sid", |r| &r.parent_call_sid),
        texts("account_sid", |r| &r.account_sid),
        texts("direction", |r| &r.direction),
        times("start_time", rows.iter().map(|r| r.start_time).collect()),
        texts("source_file", |r| &r.source_file),
        integers("source_line", rows.iter().map(|row| line_number(row.source_line)).collect()),
        texts("record", |r| &r.record),
        texts("header", |r| &r.header),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger_columns::{Column, IGNORED, SUSPENSE};

    #[test]
    fn frames_have_the_columns_of_their_tables() {
        let names = |frame: &DataFrame| {
            frame.get_column_names().into_iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let listed =
            |table: &[Column]| table.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(names(&suspense(&mut [])), listed(&SUSPENSE));
        assert_eq!(names(&ignored(&[])), listed(&IGNORED));
    }
}
