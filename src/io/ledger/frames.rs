//! Settled calls into polars frames, under the columns of the contract (sections 5.1 to 5.3).
//!
//! **Invariant:** polars carries the columns and writes them; amounts come out of [`crate::rating::charge`], as integers.

use crate::call::Calls;
use crate::deck::Hit;
use crate::family::Earlier;
use crate::money::{AMOUNT_DECIMALS, Overflow, PRICE_DECIMALS, STORED_DIGITS, Total};
use crate::night::{Class, Night, Scene, Tariff, TrunkFacts, trunk_of_transfer};
use crate::rating::{Charge, PlannedLeg, cells, charge, log_cell, plan};
use crate::time::Micros;
use polars::prelude::*;
use std::fmt::Write;
use std::sync::Arc;

/// The columns of legs (contract, section 5.1).
pub const LEG_COLUMNS: [&str; 25] = [
    "call_sid",
    "parent_call_sid",
    "account_sid",
    "trunk_sid",
    "scenario",
    "leg",
    "service",
    "leg_from",
    "leg_to",
    "rated_number",
    "origin_number",
    "start_time",
    "duration_seconds",
    "billed_seconds",
    "price_per_minute",
    "connection_fee",
    "destination_prefix",
    "origin_prefix",
    "description",
    "deck",
    "deck_file",
    "deck_line",
    "currency",
    "amount",
    "run_id",
];

/// The columns of the call log (contract, section 5.2).
pub const LOG_COLUMNS: [&str; 19] = [
    "call_sid",
    "parent_call_sid",
    "account_sid",
    "trunk_sid",
    "role",
    "scenario",
    "direction",
    "from",
    "to",
    "caller_id",
    "start_time",
    "end_time",
    "duration_seconds",
    "status",
    "class",
    "currency",
    "amount",
    "carrier_price",
    "run_id",
];

/// Everything that a run's rows are made from.
#[derive(Clone, Copy)]
pub struct Books<'a> {
    /// The records.
    pub calls: &'a Calls,
    /// Where they ended.
    pub night: &'a Night,
    /// What was known before.
    pub earlier: &'a Earlier,
    /// What they were rated with.
    pub tariff: &'a Tariff<'a>,
    /// The run's name.
    pub run_id: &'a str,
}

/// One leg with its working.
pub struct BookedLeg<'a> {
    /// The leg between real parties.
    pub plan: PlannedLeg,
    /// The deck that prices it.
    pub deck: usize,
    /// Its winning row.
    pub hit: Hit,
    /// The row itself.
    pub rate: &'a crate::deck::Rate,
    /// Seconds and money.
    pub charge: Charge,
}

impl<'a> Books<'a> {
    /// The legs of a record, in the order of the table's cells; none for a free one.
    ///
    /// # Errors
    /// [`Overflow`] if an amount does not fit.
    pub fn legs(&self, record: usize, scene: &Scene) -> Result<[Option<BookedLeg<'a>>; 2], Overflow> {
        let mut legs = [None, None];
        if self.night.class[record] != Class::Rated {
            return Ok(legs);
        }
        let (deck, found) = self.tariff.deck_of(self.calls.account[record]).expect("a rated record has a deck");
        let (cells, count) = cells(scene.scenario);
        let hits = self.night.hits(self.calls, record);
        for ((leg, cell), hit) in legs.iter_mut().zip(&cells[..count]).zip(hits) {
            let plan = plan(*cell, &scene.parties, &self.calls.parties)
                .expect("a rated record has a plan for each leg: the same function settled it");
            let rate = found.rate(hit);
            let charge = charge(rate, self.calls.duration[record], self.tariff.policy.leg_rule)?;
            *leg = Some(BookedLeg { plan, deck, hit, rate, charge });
        }
        Ok(legs)
    }
}

/// The rows of a slice of records.
pub struct Frames {
    /// Legs.
    pub legs: DataFrame,
    /// The call log.
    pub calls: DataFrame,
    /// Sum of the legs by deck; `None` for a deck without one (free calls have none, a price of zero has).
    pub sums: Vec<Option<Total>>,
}

/// A row that does not fit: the record.
#[derive(Debug)]
pub struct RowError {
    /// The record.
    pub record: usize,
    /// What does not fit.
    pub error: Overflow,
}

/// Columns of text, one after the other, without a heap object per value.
struct Texts {
    builder: StringChunkedBuilder,
    buffer: String,
}

impl Texts {
    fn new(name: &str, capacity: usize) -> Self {
        Self { builder: StringChunkedBuilder::new(name.into(), capacity), buffer: String::new() }
    }

    /// Adds what `fill` writes; nothing becomes null.
    fn push(&mut self, fill: impl FnOnce(&mut String)) {
        self.buffer.clear();
        fill(&mut self.buffer);
        self.builder.append_option(Some(self.buffer.as_str()).filter(|text| !text.is_empty()));
    }

    fn push_str(&mut self, text: &str) {
        self.builder.append_option(Some(text).filter(|text| !text.is_empty()));
    }

    fn finish(self) -> Column {
        self.builder.finish().into_column()
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

/// Builds the rows of some records, which are rated or free.
///
/// # Errors
/// The first record whose amount does not fit.
pub fn build(books: &Books<'_>, records: &[u32], trunks: &TrunkFacts<'_>, prices: &[Option<i64>]) -> Result<Frames, RowError> {
    let mut legs = LegColumns::new(records.len());
    let mut log = LogColumns::new(records.len());
    let mut sums = vec![None; books.tariff.decks.len()];
    for record in records.iter().map(|record| *record as usize) {
        let fail = |error| RowError { record, error };
        let Some(scene) = books.night.scene(books.calls, books.earlier, record) else { continue };
        let mut total = Total::default();
        for (number, leg) in (1..).zip(books.legs(record, &scene).map_err(fail)?.iter().flatten()) {
            total.add(leg.charge.amount).map_err(fail)?;
            legs.push(books, record, &scene, number, leg);
        }
        let deck = books.tariff.deck_of(books.calls.account[record]);
        if let (Some((deck, _)), Class::Rated) = (deck, books.night.class[record]) {
            sums[deck].get_or_insert(Total::default()).merge(total).map_err(fail)?;
        }
        let row = LogRow { scene: &scene, currency: deck.map_or("", |(_, deck)| &deck.currency), total };
        log.push(books, record, &row, trunks, prices);
    }
    Ok(Frames { legs: frame_of(legs.finish(books.run_id)), calls: frame_of(log.finish(books.run_id)), sums })
}

struct LegColumns {
    call_sid: Texts,
    parent: Texts,
    account: Texts,
    trunk: Texts,
    scenario: Texts,
    leg: Vec<i64>,
    service: Texts,
    from: Texts,
    to: Texts,
    rated: Texts,
    origin: Texts,
    start: Vec<Option<Micros>>,
    duration: Vec<i64>,
    billed: Vec<i64>,
    price: Vec<Option<i64>>,
    fee: Vec<Option<i64>>,
    destination_prefix: Texts,
    origin_prefix: Texts,
    description: Texts,
    deck: Texts,
    deck_file: Texts,
    deck_line: Vec<i64>,
    currency: Texts,
    amount: Vec<Option<i64>>,
}

impl LegColumns {
    fn new(n: usize) -> Self {
        let t = |name| Texts::new(name, n);
        Self {
            call_sid: t("call_sid"),
            parent: t("parent_call_sid"),
            account: t("account_sid"),
            trunk: t("trunk_sid"),
            scenario: t("scenario"),
            leg: Vec::with_capacity(n),
            service: t("service"),
            from: t("leg_from"),
            to: t("leg_to"),
            rated: t("rated_number"),
            origin: t("origin_number"),
            start: Vec::with_capacity(n),
            duration: Vec::with_capacity(n),
            billed: Vec::with_capacity(n),
            price: Vec::with_capacity(n),
            fee: Vec::with_capacity(n),
            destination_prefix: t("destination_prefix"),
            origin_prefix: t("origin_prefix"),
            description: t("description"),
            deck: t("deck"),
            deck_file: t("deck_file"),
            deck_line: Vec::with_capacity(n),
            currency: t("currency"),
            amount: Vec::with_capacity(n),
        }
    }

    fn push(&mut self, books: &Books<'_>, record: usize, scene: &Scene, number: i64, leg: &BookedLeg<'_>) {
        let calls = books.calls;
        let deck = &books.tariff.decks[leg.deck];
        self.call_sid.push(|b| calls.sid_text(record).push_to(b));
        self.parent.push(|b| calls.odd_sids.text(scene.parent).push_to(b));
        self.account.push_str(calls.accounts.text(calls.account[record]));
        self.trunk.push_str(calls.trunks.text(scene.trunk));
        self.scenario.push_str(scene.scenario.as_str());
        self.leg.push(number);
        self.service.push_str(leg.plan.service.as_str());
        self.from.push(|b| leg.plan.from.push_to(&calls.parties, b));
        self.to.push(|b| leg.plan.to.push_to(&calls.parties, b));
        self.rated.push(|b| _ = write!(b, "{}", leg.plan.rated));
        self.origin.push(|b| _ = leg.plan.origin.map(|number| write!(b, "{number}")));
        self.start.push(Some(calls.start[record]));
        self.duration.push(calls.duration[record].into());
        self.billed.push(leg.charge.billed_seconds.into());
        self.price.push(Some(leg.rate.price.units()));
        self.fee.push(Some(leg.rate.fee.units()));
        self.destination_prefix.push(|b| leg.hit.push_destination_prefix(leg.plan.rated, b));
        self.origin_prefix.push(|b| leg.hit.push_origin_prefix(leg.plan.origin, b));
        self.description.push_str(&leg.rate.description);
        self.deck.push_str(&deck.name);
        self.deck_file.push_str(&deck.files[leg.rate.file as usize]);
        self.deck_line.push(leg.rate.line.into());
        self.currency.push_str(&deck.currency);
        self.amount.push(Some(leg.charge.amount.units()));
    }

    fn finish(self, run_id: &str) -> Vec<Column> {
        let rows = self.leg.len();
        vec![
            self.call_sid.finish(),
            self.parent.finish(),
            self.account.finish(),
            self.trunk.finish(),
            self.scenario.finish(),
            integers("leg", self.leg),
            self.service.finish(),
            self.from.finish(),
            self.to.finish(),
            self.rated.finish(),
            self.origin.finish(),
            times("start_time", self.start),
            integers("duration_seconds", self.duration),
            integers("billed_seconds", self.billed),
            decimals("price_per_minute", self.price, PRICE_DECIMALS),
            decimals("connection_fee", self.fee, PRICE_DECIMALS),
            self.destination_prefix.finish(),
            self.origin_prefix.finish(),
            self.description.finish(),
            self.deck.finish(),
            self.deck_file.finish(),
            integers("deck_line", self.deck_line),
            self.currency.finish(),
            decimals("amount", self.amount, AMOUNT_DECIMALS),
            Column::new_scalar("run_id".into(), Scalar::from(PlSmallStr::from_str(run_id)), rows),
        ]
    }
}

/// What a row of the log shows beside the record itself.
struct LogRow<'a> {
    scene: &'a Scene,
    currency: &'a str,
    total: Total,
}

struct LogColumns {
    call_sid: Texts,
    parent: Texts,
    account: Texts,
    trunk: Texts,
    role: Texts,
    scenario: Texts,
    direction: Texts,
    from: Texts,
    to: Texts,
    caller_id: Texts,
    start: Vec<Option<Micros>>,
    end: Vec<Option<Micros>>,
    duration: Vec<i64>,
    status: Texts,
    class: Texts,
    currency: Texts,
    amount: Vec<Option<i64>>,
    price: Vec<Option<i64>>,
}

impl LogColumns {
    fn new(n: usize) -> Self {
        let t = |name| Texts::new(name, n);
        Self {
            call_sid: t("call_sid"),
            parent: t("parent_call_sid"),
            account: t("account_sid"),
            trunk: t("trunk_sid"),
            role: t("role"),
            scenario: t("scenario"),
            direction: t("direction"),
            from: t("from"),
            to: t("to"),
            caller_id: t("caller_id"),
            start: Vec::with_capacity(n),
            end: Vec::with_capacity(n),
            duration: Vec::with_capacity(n),
            status: t("status"),
            class: t("class"),
            currency: t("currency"),
            amount: Vec::with_capacity(n),
            price: Vec::with_capacity(n),
        }
    }

    fn push(&mut self, books: &Books<'_>, record: usize, row: &LogRow<'_>, trunks: &TrunkFacts<'_>, prices: &[Option<i64>]) {
        let LogRow { scene, currency, total } = *row;
        let calls = books.calls;
        let cell = log_cell(scene.scenario);
        let setting = trunks.get(trunk_of_transfer(calls, record, scene)).caller_id;
        let caller_id = crate::rating::caller_id(scene.root.direction, setting, &scene.parties);
        let child = calls.child_of(record);
        self.call_sid.push(|b| calls.sid_text(record).push_to(b));
        self.parent.push(|b| calls.odd_sids.text(scene.parent).push_to(b));
        self.account.push_str(calls.accounts.text(calls.account[record]));
        self.trunk.push_str(calls.trunks.text(scene.trunk));
        self.role.push_str(if child.is_some() { "child" } else { "parent" });
        self.scenario.push_str(scene.scenario.as_str());
        self.direction.push_str(match (calls.direction[record].as_str(), child) {
            ("", Some(child)) => calls.directions.text(child.direction),
            (word, _) => word,
        });
        self.from.push(|b| scene.parties.get(cell.from).push_to(&calls.parties, b));
        self.to.push(|b| scene.parties.get(cell.to).push_to(&calls.parties, b));
        self.caller_id.push(|b| caller_id.push_to(&calls.parties, b));
        self.start.push(Some(calls.start[record]));
        self.end.push(Some(calls.end[record]).filter(|end| *end != Calls::NO_TIME));
        self.duration.push(calls.duration[record].into());
        self.status.push_str(calls.status[record].as_str());
        self.class.push_str(books.night.class[record].as_str());
        self.currency.push_str(currency);
        self.amount.push(i64::try_from(total.units()).ok());
        let priced = books.night.families.with_price(u32::try_from(record).unwrap_or(u32::MAX));
        self.price.push(prices[calls.price[priced as usize] as usize]);
    }

    fn finish(self, run_id: &str) -> Vec<Column> {
        let rows = self.start.len();
        vec![
            self.call_sid.finish(),
            self.parent.finish(),
            self.account.finish(),
            self.trunk.finish(),
            self.role.finish(),
            self.scenario.finish(),
            self.direction.finish(),
            self.from.finish(),
            self.to.finish(),
            self.caller_id.finish(),
            times("start_time", self.start),
            times("end_time", self.end),
            integers("duration_seconds", self.duration),
            self.status.finish(),
            self.class.finish(),
            self.currency.finish(),
            decimals("amount", self.amount, AMOUNT_DECIMALS),
            decimals("carrier_price", self.price, PRICE_DECIMALS),
            Column::new_scalar("run_id".into(), Scalar::from(PlSmallStr::from_str(run_id)), rows),
        ]
    }
}

/// [`crate::money::carrier_price`] of each text of a price.
#[must_use]
pub fn carrier_prices(calls: &Calls) -> Vec<Option<i64>> {
    calls.prices.texts().map(crate::money::carrier_price).collect()
}

/// A frame of legs, or else of the log, without rows: its columns and their types.
#[must_use]
pub fn empty(dataset: super::Dataset) -> DataFrame {
    let columns = if dataset == super::Dataset::Legs { LegColumns::new(0).finish("") } else { LogColumns::new(0).finish("") };
    frame_of(columns)
}

/// A record that cannot be billed now, as it is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
    pub header: Arc<str>,
    /// The record's fingerprint; not exported.
    pub content: u64,
    /// Its duration, as far as it says one; not exported.
    pub seconds: u32,
    /// Why it was written off; only of those that were, and not exported.
    pub close_reason: String,
    /// Its parent, if that is booked; not exported.
    pub parent: Option<KeptParent>,
}

/// The booked parent of a waiting child, kept beside it: every later run asks for it again, and would have to read the
/// log of the day on which it lies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
        numbers("source_line", |r| i64::try_from(r.source_line).unwrap_or(i64::MAX)),
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
    ];
    frame_of(columns)
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
