//! What waits, and late prices, as polars frames. (Legs and log are many more: [`super::books`] writes them without.)

use super::pages::Kind;
use crate::fit::must_fit;
use crate::io::calls::SourceText;
use crate::money::{PRICE_DECIMALS, STORED_DIGITS};
use crate::record;
use crate::time::Micros;
use polars::prelude::*;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Columns of text, one after the other, without a heap object per value.
struct Texts(StringChunkedBuilder);

impl Texts {
    fn new(name: &str, capacity: usize) -> Self {
        Self(StringChunkedBuilder::new(name.into(), capacity))
    }

    fn push_str(&mut self, text: &str) {
        self.0.append_option(Some(text).filter(|text| !text.is_empty()));
    }

    fn finish(self) -> Column {
        self.0.finish().into_column()
    }
}

fn times(name: &str, values: Vec<Option<Micros>>) -> Column {
    let column: Int64Chunked = Int64Chunked::new(name.into(), values);
    column.into_datetime(TimeUnit::Microseconds, Some(TimeZone::UTC)).into_column()
}

fn integers(name: &str, values: Vec<i64>) -> Column {
    Int64Chunked::from_vec(name.into(), values).into_column()
}

/// A `DECIMAL(18, scale)`, which Parquet stores in 64 bits.
fn decimals(name: &str, values: Vec<Option<i64>>, scale: u32) -> Column {
    let values: Vec<Option<i128>> = values.into_iter().map(|v| v.map(i128::from)).collect();
    Int128Chunked::new(name.into(), values).into_decimal_unchecked(STORED_DIGITS as usize, scale as usize).into_column()
}

fn line_number(line: u64) -> i64 {
    must_fit(line, "a file has fewer than 2^63 lines")
}

/// A frame without rows, of some columns.
#[must_use]
pub fn empty(columns: &[(&str, Kind)]) -> DataFrame {
    let columns = columns.iter().map(|(name, kind)| match kind {
        Kind::Text => Texts::new(name, 0).finish(),
        Kind::Integer => integers(name, Vec::new()),
        Kind::Instant => times(name, Vec::new()),
        Kind::Decimal(scale) => decimals(name, Vec::new(), *scale),
    });
    frame_of(columns.collect())
}

/// A record that cannot be billed now, as it is kept.
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
    /// The CSV header that the record stands under; not exported.
    #[serde(with = "shared_text")]
    pub header: Arc<str>,
    /// The record's fingerprint; not exported.
    pub content: u64,
    /// Its duration, as far as it says one; not exported.
    pub seconds: u32,
    /// Why it was written off; only of those that were, and not exported.
    pub close_reason: String,
    /// Its parent, if that is booked; not exported.
    pub parent: Option<KeptParent>,
    /// Its price, if another version of the call had it; not exported.
    pub price: Option<KeptPrice>,
}

/// A shared text, as a text of its own.
mod shared_text {
    use super::{Arc, Deserialize};

    pub(super) fn serialize<S: serde::Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(text)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
        Ok(String::deserialize(deserializer)?.into())
    }
}

/// The price of a waiting record that only another version of the call had: one that lacks something else.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptPrice {
    /// As that version had it.
    pub price: String,
    /// Its unit.
    pub unit: String,
}

impl KeptPrice {
    /// That of a record's text, if it has one.
    #[must_use]
    pub fn of(text: &SourceText) -> Option<Self> {
        text.with_fields(|fields| {
            let [price, unit] =
                [record::Field::Price, record::Field::PriceUnit].map(|field| fields.map_or("", |fields| fields.get(field)));
            (!price.is_empty()).then(|| Self { price: price.to_owned(), unit: unit.to_owned() })
        })
    }
}

/// The booked parent of a waiting child, kept beside it: every later run asks for it again, and would have to read the
/// log of the day on which it lies.
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

/// The suspended records as a frame, in a certain order.
#[must_use]
pub fn suspense(rows: &mut [SuspenseRow]) -> DataFrame {
    rows.sort_by(|a, b| {
        (&a.call_sid, &a.record, &a.source_file, a.source_line).cmp(&(&b.call_sid, &b.record, &b.source_file, b.source_line))
    });
    let rows = &*rows;
    let texts = |name: &str, get: fn(&SuspenseRow) -> &str| {
        let mut column = Texts::new(name, rows.len());
        for row in rows {
            column.push_str(get(row));
        }
        column.finish()
    };
    let numbers = |name: &str, get: fn(&SuspenseRow) -> i64| integers(name, rows.iter().map(get).collect());
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

/// A record that is no trunk call, as it is kept.
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
    /// The CSV header that the record stands under; not exported.
    pub header: Arc<str>,
}

/// Ignored records as a frame, in their order.
#[must_use]
pub fn ignored(rows: &[IgnoredRow]) -> DataFrame {
    let texts = |name: &str, get: fn(&IgnoredRow) -> &str| {
        let mut column = Texts::new(name, rows.len());
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

/// A price that came after its call was booked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LatePrice {
    /// The UTC day that its call started on.
    pub day: i32,
    /// The call.
    pub call_sid: String,
    /// In units of 10⁻¹⁰.
    pub price: i64,
}

/// Late prices of one day.
#[must_use]
pub fn late_prices(rows: &[LatePrice]) -> DataFrame {
    let mut sids = Texts::new("call_sid", rows.len());
    for row in rows {
        sids.push_str(&row.call_sid);
    }
    let prices = rows.iter().map(|row| Some(row.price)).collect();
    frame_of(vec![sids.finish(), decimals("carrier_price", prices, PRICE_DECIMALS)])
}

fn frame_of(columns: Vec<Column>) -> DataFrame {
    DataFrame::new_infer_height(columns).expect("columns of one length and other names")
}
