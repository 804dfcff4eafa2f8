//! Writes the legs and the log of a run, from booked calls to Parquet.
//!
//! ```text
//! pieces of booked calls ──sort──▶ SortedPiece ──cut──▶ Group: 65,536 calls of a day ──encode──▶ pages of legs and log, ids
//! (by start, packed)               one a core      spans buckets                 one a core
//! ```
//!
//! **Invariant:** a group is cut by its place in the day alone, so that the files depend neither on
//! the pieces nor on the cores. Amounts come from [`crate::rating::charge`], as integers.

pub(crate) mod numbers;
pub(crate) mod piece;

use self::numbers::LegNumbers;
use self::piece::SortedPiece;
use crate::booked::{Booked, BookedTexts};
use crate::call::Calls;
use crate::deck::{Deck, Hit, Rated};
use crate::fit::must_fit;
use crate::inputs::file::FileError;
use crate::intern::Interner;
use crate::ledger::error::LedgerError;
use crate::ledger::index::ids::{ChildRow, IdRow};
use crate::ledger::tables::columns::ROWS;
use crate::ledger::tables::pages::{self, Encoded, NONE, SidColumn, TextColumn};
use crate::money::Total;
use crate::night::Class;
use crate::packed::SharedTexts;
use crate::partition::buffers::Pool;
use crate::partition::deal::SplitPoints;
use crate::partition::spill::{PartitionWriter, Spill};
use crate::party::Number;
use crate::party_ref::PartyRef;
use crate::policy::Policy;
use crate::rating::{BookedLeg, Parties, booked_legs, log_cell};
use crate::scenario::Direction;
use crate::sid::SidText;
use crate::status::{DirectionField, Status};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// The intended number of calls of a piece, unpacked and sorted at a time.
///
/// A million calls take 348 MiB and 11 % less CPU than with pieces of 32,768 (measured), because a
/// piece stays near the cache and the same memory serves one piece after the other. Fresh memory is
/// cleared by the kernel when it is first touched.
pub const PIECE: u64 = 1 << 13;

/// The input of the legs and the log of a run.
#[derive(Clone, Copy)]
pub struct Books<'a> {
    /// Booked calls, in pieces by start.
    pub calls: &'a Spill,
    /// Ids of ignored calls, in pieces by id; those of booked calls are added to them.
    pub ids: &'a Spill,
    /// The places of each root's children, in pieces by the root's id. They are added with the
    /// groups.
    pub children: &'a Spill,
    /// The split points between pieces.
    pub bounds: &'a SplitPoints,
    /// Texts of accounts, trunks and directions.
    pub texts: &'a SharedTexts,
    /// The decks.
    pub decks: &'a [Deck],
    /// Their rows, numbered.
    pub rates: &'a RateNumbers<'a>,
    /// The rounding of a leg, and the callers that count as withheld.
    pub policy: &'a Policy,
    /// The run's name.
    pub run_id: &'a str,
    /// The scratch memory in which groups are built.
    pub bench: &'a SortScratch,
}

/// The scratch memory that one group after the other is built in.
#[derive(Default)]
pub struct SortScratch {
    columns: Pool<(LegColumns, LogColumns)>,
    packed: Arc<Pool<Vec<u8>>>,
}

/// Calls of one day whose rows are encoded together.
#[derive(Debug, Default)]
pub struct CallGroup {
    /// The UTC day.
    pub day: i64,
    /// The row of the first call in the day's file of the log.
    pub first_row: usize,
    /// The number of calls.
    pub calls: usize,
    pieces: Vec<(Arc<SortedPiece>, Range<usize>)>,
}

/// The rows of a group, in columns.
pub struct BuiltGroup {
    /// The UTC day.
    pub day: i64,
    legs: LegColumns,
    log: LogColumns,
    sums: Vec<Option<Total>>,
}

/// The rows of a group, as pages.
pub struct EncodedGroup {
    /// The number of legs, and their columns.
    pub legs: (usize, Vec<Encoded>),
    /// The number of calls, and the columns of the log.
    pub log: (usize, Vec<Encoded>),
    /// Sum of the legs by deck; `None` for a deck without legs (free calls have none, a call with a
    /// price of zero has).
    pub sums: Vec<Option<Total>>,
}

/// Cuts sorted pieces into groups.
#[derive(Debug, Default)]
pub struct Cutter {
    open: CallGroup,
    full: VecDeque<CallGroup>,
}

impl Cutter {
    /// Takes the next piece.
    pub fn add(&mut self, piece: SortedPiece) {
        let piece = Arc::new(piece);
        let mut at = 0;
        for (day, end) in piece.days() {
            assert!(
                self.open.calls == 0 || *day >= self.open.day,
                "pieces come in the order of their starts"
            );
            while at < *end {
                if *day != self.open.day || self.open.calls == ROWS {
                    self.close(*day);
                }
                let cut = (*end).min(at + ROWS - self.open.calls);
                self.open.calls += cut - at;
                self.open.pieces.push((Arc::clone(&piece), at..cut));
                at = cut;
            }
        }
        assert!(self.open.calls <= ROWS, "a group has no more calls than a row group has rows");
    }

    /// Ends the open group.
    fn close(&mut self, day: i64) {
        let first_row =
            if day == self.open.day { self.open.first_row + self.open.calls } else { 0 };
        let done =
            std::mem::replace(&mut self.open, CallGroup { day, first_row, ..CallGroup::default() });
        if done.calls > 0 {
            self.full.push_back(done);
        }
    }

    /// The full groups; at the end of all pieces the last one too.
    pub fn groups(&mut self, at_end: bool) -> Vec<CallGroup> {
        if at_end {
            self.close(i64::MIN);
        }
        self.full.drain(..).collect()
    }
}

impl Books<'_> {
    /// Reads and sorts a piece.
    ///
    /// # Errors
    /// If it cannot be read back.
    pub fn sorted(&self, piece: usize) -> Result<SortedPiece, FileError> {
        SortedPiece::read(self.calls, piece, &self.bench.packed)
    }

    /// Builds the rows of a group; adds its ids to their pieces.
    ///
    /// # Errors
    /// The first call whose amount does not fit.
    pub fn build(&self, group: &CallGroup) -> Result<BuiltGroup, LedgerError> {
        let (mut legs, mut log) = self.bench.columns.take();
        legs.reserve(group.calls);
        log.reserve(group.calls);
        let mut sums = vec![None; self.decks.len()];
        let (mut ids, mut children) = (
            PartitionWriter::new(self.ids, group.calls * 40),
            PartitionWriter::new(self.children, group.calls * 4),
        );
        assert!(
            (1..=ROWS).contains(&group.calls),
            "a group has calls, and no more than a row group has rows"
        );
        assert_eq!(legs.leg.len() + log.start.len(), 0, "a group is built in empty columns");
        let day: i32 = must_fit(group.day, "a day fits 32 bits");
        let first_row: u32 = must_fit(group.first_row, "a row of a day's log fits 32 bits");
        let mut row = first_row;
        let mut calls: Vec<Booked> = Vec::with_capacity(numbers::BLOCK);
        let mut numbers: Vec<LegNumbers> = Vec::with_capacity(2 * numbers::BLOCK);
        for (piece, rows) in &group.pieces {
            let mut texts = BookedTexts::default();
            for first in rows.clone().step_by(numbers::BLOCK) {
                let block = first..rows.end.min(first + numbers::BLOCK);
                piece.unpack(block, &mut texts, &mut calls);
                numbers.clear();
                for (place, call) in (0..).zip(&calls) {
                    let written = WrittenTexts::of(call, &texts);
                    let fail = |error| LedgerError::Overflow {
                        call: texts.odd_sids.text(call.sid).to_string(),
                        error,
                    };
                    let mut total = Total::default();
                    let booked =
                        booked_legs(call, self.decks, self.policy, &texts.parties).map_err(fail)?;
                    for (number, leg) in (0..).zip(booked.iter().flatten()) {
                        total.add(leg.charge.amount).map_err(fail)?;
                        legs.push_texts(number, leg, &written);
                        numbers.push(LegNumbers {
                            call: place,
                            leg: number,
                            service: leg.plan.service,
                            billed: leg.charge.billed_seconds,
                            rate: self.rates.number(call.deck, leg.hit),
                            amount: leg.charge.amount.units(),
                        });
                    }
                    if call.is_rated {
                        sums[call.deck as usize]
                            .get_or_insert(Total::default())
                            .merge(total)
                            .map_err(fail)?;
                    }
                    log.push_texts(call, total, &written);
                    let id = IdRow {
                        sid: call.sid,
                        content: call.content,
                        price: call.price,
                        place: Some((day, row)),
                    };
                    id.pack(ids.to(self.bounds.of_sid(call.sid)));
                    if call.c.is_some() {
                        ChildRow { root: call.parent, day, row }
                            .pack(children.to(self.bounds.of_sid(call.parent)));
                    }
                    row += 1;
                }
                legs.extend_numbers(&calls, &numbers);
                log.extend_numbers(&calls);
            }
        }
        assert_eq!((row - first_row) as usize, group.calls, "a group has the calls of its pieces");
        ids.push()?;
        children.push()?;
        assert_eq!(log.start.len(), group.calls, "the log has a row for each call");
        assert!(legs.leg.len() <= 2 * group.calls, "a call has two legs at most");
        Ok(BuiltGroup { day: group.day, legs, log, sums })
    }

    /// Encodes the rows of a group.
    #[must_use]
    pub fn encode(&self, BuiltGroup { mut legs, mut log, sums, .. }: BuiltGroup) -> EncodedGroup {
        // In parallel: when the last groups of a step leave a core idle, it takes half of
        // another's.
        let (leg_pages, log_pages) = rayon::join(|| legs.encode(self), || log.encode(self));
        let encoded = EncodedGroup {
            legs: (legs.leg.len(), leg_pages),
            log: (log.start.len(), log_pages),
            sums,
        };
        legs.clear();
        log.clear();
        self.bench.columns.give_back((legs, log));
        encoded
    }
}

/// Numbers for all rows of all decks, so that the texts of a row are looked up once per group.
#[derive(Debug)]
pub struct RateNumbers<'a> {
    decks: &'a [Deck],
    /// The number of each deck's first row.
    first: Vec<u32>,
    /// The rows, by number.
    rows: Vec<RateRow>,
    texts: Interner,
}

/// A row of a deck; its texts by id, as many rows share one.
#[derive(Debug)]
struct RateRow {
    deck: u32,
    row: u32,
    description: u32,
    deck_name: u32,
    file: u32,
    currency: u32,
}

impl<'a> RateNumbers<'a> {
    /// Numbers the rows of some decks.
    #[must_use]
    pub fn new(decks: &'a [Deck]) -> Self {
        let mut numbers =
            Self { decks, first: Vec::new(), rows: Vec::new(), texts: Interner::default() };
        for (deck, rates) in (0..).zip(decks) {
            let texts = &mut numbers.texts;
            let [deck_name, currency] = [&rates.name, &rates.currency].map(|text| texts.id(text));
            let files: Vec<u32> = rates.files.iter().map(|file| texts.id(file)).collect();
            numbers
                .first
                .push(must_fit(numbers.rows.len(), "the rows of all decks are counted in 32 bits"));
            numbers.rows.extend((0..).zip(&rates.rates).map(|(row, rate)| {
                let (description, file) = (texts.id(&rate.description), files[rate.file as usize]);
                RateRow { deck, row, description, deck_name, file, currency }
            }));
        }
        numbers
    }

    /// The number of a deck's row.
    fn number(&self, deck: u32, hit: Hit) -> u32 {
        self.first[deck as usize] + hit.rate
    }

    fn rate(&self, number: u32) -> &'a crate::deck::Rate {
        let RateRow { deck, row, .. } = self.rows[number as usize];
        &self.decks[deck as usize].rates[row as usize]
    }
}

/// `+` and the digits of a number, held in a `u128`: byte-wise writes followed by a wide read stall
/// store forwarding. All 16 bytes are appended, then truncated: a copy of unknown length is a call
/// to memcpy. Both together took a tenth of a run.
#[derive(Clone, Copy)]
struct NumberBytes {
    value: u64,
    text: u128,
    length: usize,
}

impl NumberBytes {
    const NONE: Self = Self { value: 0, text: 0, length: 0 };

    fn of(number: Number) -> Self {
        let (text, length) = number.text();
        Self { value: number.value(), text, length }
    }

    fn push(self, out: &mut Vec<u8>) {
        let end = out.len() + self.length;
        out.extend_from_slice(&self.text.to_le_bytes());
        out.truncate(end);
    }

    /// Appends at most `digits` of its first digits, without `+`.
    fn push_prefix(self, digits: u8, out: &mut Vec<u8>) {
        let end = out.len() + usize::from(digits).min(self.length - 1);
        out.extend_from_slice(&(self.text >> 8).to_le_bytes());
        out.truncate(end);
    }
}

/// The repeated values of a call's rows, ready to be written: of a root, seven columns show one of
/// two numbers.
struct WrittenTexts<'a> {
    texts: &'a BookedTexts,
    sid: SidText<'a>,
    parent: SidText<'a>,
    /// The numbers of A, B and C; a party that is no number has no value.
    numbers: [NumberBytes; 3],
}

impl<'a> WrittenTexts<'a> {
    fn of(call: &Booked, texts: &'a BookedTexts) -> Self {
        let number = |party: PartyRef| party.as_number().map_or(NumberBytes::NONE, NumberBytes::of);
        let numbers = [number(call.a), number(call.b), call.c.map_or(NumberBytes::NONE, number)];
        let sid = |sid| texts.odd_sids.text(sid);
        Self { texts, sid: sid(call.sid), parent: sid(call.parent), numbers }
    }

    fn number(&self, number: Number) -> NumberBytes {
        let [a, b, c] = self.numbers;
        match number.value() {
            value if value == a.value => a,
            value if value == b.value => b,
            value if value == c.value => c,
            _ => NumberBytes::of(number),
        }
    }

    fn push_party(&self, party: PartyRef, out: &mut Vec<u8>) {
        match (party.as_number(), party.text_id()) {
            (Some(number), _) => self.number(number).push(out),
            (None, Some(id)) => out.extend_from_slice(self.texts.parties.text(id).as_bytes()),
            (None, None) => {}
        }
    }
}

#[derive(Default)]
struct LegColumns {
    call_sid: SidColumn,
    parent: SidColumn,
    account: Vec<u32>,
    trunk: Vec<u32>,
    scenario: Vec<u32>,
    leg: Vec<u32>,
    service: Vec<u32>,
    from: TextColumn,
    to: TextColumn,
    rated: TextColumn,
    origin: TextColumn,
    start: Vec<i64>,
    duration: Vec<i64>,
    billed: Vec<i64>,
    rate: Vec<u32>,
    destination_prefix: TextColumn,
    origin_prefix: TextColumn,
    amount: Vec<i64>,
}

/// The bytes of a number, and of a prefix of one, about.
const NUMBER: usize = 13;
const PREFIX: usize = 6;

impl LegColumns {
    /// Makes room for the legs of some calls, about one each: columns that grow are copied, each
    /// time into memory that is touched for the first time.
    fn reserve(&mut self, calls: usize) {
        self.call_sid.reserve(calls, calls);
        self.parent.reserve(calls, calls / 4);
        for numbers in [&mut self.from, &mut self.to, &mut self.rated, &mut self.origin] {
            numbers.reserve(calls, NUMBER);
        }
        self.destination_prefix.reserve(calls, PREFIX);
        self.origin_prefix.reserve(calls, PREFIX);
    }

    fn clear(&mut self) {
        let Self {
            call_sid,
            parent,
            from,
            to,
            rated,
            origin,
            destination_prefix,
            origin_prefix,
            ..
        } = self;
        [call_sid, parent].into_iter().for_each(SidColumn::clear);
        [from, to, rated, origin, destination_prefix, origin_prefix]
            .into_iter()
            .for_each(TextColumn::clear);
        let Self {
            account,
            trunk,
            scenario,
            leg,
            service,
            rate,
            start,
            duration,
            billed,
            amount,
            ..
        } = self;
        [account, trunk, scenario, leg, service, rate].into_iter().for_each(Vec::clear);
        [start, duration, billed, amount].into_iter().for_each(Vec::clear);
    }

    /// The texts of a leg, with its place among the legs of its call; numbers are added in blocks.
    fn push_texts(&mut self, number: u32, leg: &BookedLeg<'_>, written: &WrittenTexts<'_>) {
        if number == 0 {
            self.call_sid.push(written.sid);
            self.parent.push(written.parent);
        } else {
            self.call_sid.push_again();
            self.parent.push_again();
        }
        self.from.push_with(|b| written.push_party(leg.plan.from, b));
        self.to.push_with(|b| written.push_party(leg.plan.to, b));
        match leg.plan.rated {
            Rated::Number(number) => {
                let number = written.number(number);
                self.rated.push_with(|b| number.push(b));
                self.destination_prefix
                    .push_with(|b| number.push_prefix(leg.hit.destination_digits, b));
            }
            Rated::Emergency(emergency) => {
                self.rated.push(emergency.as_str().as_bytes());
                self.destination_prefix
                    .push_with(|b| leg.hit.push_destination_prefix(leg.plan.rated, b));
            }
        }
        let origin = leg.plan.origin.map(|number| written.number(number));
        self.origin.push_with(|b| origin.iter().for_each(|number| number.push(b)));
        self.origin_prefix.push_with(|b| {
            if let Some(number) = origin {
                number.push_prefix(leg.hit.origin_digits, b);
            }
        });
    }

    /// In the order of [`LEGS`].
    fn encode(&self, books: &Books<'_>) -> Vec<Encoded> {
        let (rows, rates) = (self.leg.len(), books.rates);
        let used = pages::Ids::new(&self.rate, rates.rows.len());
        let text = |of: fn(&RateRow) -> u32| {
            used.texts(|number| of(&rates.rows[number as usize]), |id| rates.texts.text(id))
        };
        let (accounts, trunks) = (&books.texts.accounts, &books.texts.trunks);
        vec![
            pages::sids(&self.call_sid),
            pages::sids(&self.parent),
            pages::dictionary(&self.account, accounts.texts().len(), |id| accounts.text(id)),
            pages::dictionary(&self.trunk, trunks.texts().len(), |id| trunks.text(id)),
            scenarios(&self.scenario),
            pages::integer_dictionary(&self.leg, 2, |number| i64::from(number) + 1),
            pages::dictionary(&self.service, 2, |service| {
                [Direction::Termination, Direction::Origination][service as usize].as_str()
            }),
            pages::texts(&self.from),
            pages::texts(&self.to),
            pages::texts(&self.rated),
            pages::texts(&self.origin),
            pages::integers(&self.start),
            pages::integers(&self.duration),
            pages::integers(&self.billed),
            used.integers(|number| rates.rate(number).price.units()),
            used.integers(|number| rates.rate(number).fee.units()),
            pages::texts(&self.destination_prefix),
            pages::texts(&self.origin_prefix),
            text(|row| row.description),
            text(|row| row.deck_name),
            text(|row| row.file),
            used.integers(|number| rates.rate(number).line.into()),
            text(|row| row.currency),
            pages::integers(&self.amount),
            pages::constant_text(books.run_id, rows),
        ]
    }
}

fn scenarios(numbers: &[u32]) -> Encoded {
    pages::dictionary(numbers, Booked::SCENARIOS.len(), |number| {
        Booked::SCENARIOS[number as usize].as_str()
    })
}

#[derive(Default)]
struct LogColumns {
    call_sid: SidColumn,
    parent: SidColumn,
    account: Vec<u32>,
    trunk: Vec<u32>,
    role: Vec<u32>,
    scenario: Vec<u32>,
    direction: Vec<u32>,
    from: TextColumn,
    to: TextColumn,
    caller_id: TextColumn,
    start: Vec<i64>,
    end: Vec<i64>,
    duration: Vec<i64>,
    status: Vec<u32>,
    class: Vec<u32>,
    deck: Vec<u32>,
    amount: Vec<i64>,
    price: Vec<Option<i64>>,
}

/// The words for a trunk's directions precede the texts of children's own.
const DIRECTIONS: [DirectionField; 2] = [DirectionField::Termination, DirectionField::Origination];

impl LogColumns {
    /// Makes room for some calls.
    fn reserve(&mut self, calls: usize) {
        self.call_sid.reserve(calls, calls);
        self.parent.reserve(calls, calls / 4);
        for numbers in [&mut self.from, &mut self.to, &mut self.caller_id] {
            numbers.reserve(calls, NUMBER);
        }
    }

    fn clear(&mut self) {
        let Self { call_sid, parent, from, to, caller_id, .. } = self;
        [call_sid, parent].into_iter().for_each(SidColumn::clear);
        [from, to, caller_id].into_iter().for_each(TextColumn::clear);
        let Self {
            account,
            trunk,
            role,
            scenario,
            direction,
            status,
            class,
            deck,
            start,
            end,
            duration,
            amount,
            price,
            ..
        } = self;
        [account, trunk, role, scenario, direction, status, class, deck]
            .into_iter()
            .for_each(Vec::clear);
        [start, end, duration, amount].into_iter().for_each(Vec::clear);
        price.clear();
    }

    /// Texts and amount of a call; its other numbers are added in blocks.
    fn push_texts(&mut self, call: &Booked, total: Total, written: &WrittenTexts<'_>) {
        let cell = log_cell(call.scenario);
        let parties = Parties { a: call.a, b: call.b, c: call.c };
        self.call_sid.push(written.sid);
        self.parent.push(written.parent);
        self.from.push_with(|b| written.push_party(parties.get(cell.from), b));
        self.to.push_with(|b| written.push_party(parties.get(cell.to), b));
        self.caller_id
            .push_with(|b| written.push_party(if call.shows_b { call.b } else { call.a }, b));
        self.amount
            .push(i64::try_from(total.units()).expect("two legs at most, of 18 digits each"));
    }

    /// In the order of [`LOG`].
    fn encode(&self, books: &Books<'_>) -> Vec<Encoded> {
        let SharedTexts { accounts, trunks, directions, .. } = books.texts;
        let direction = |number: u32| match DIRECTIONS.get(number as usize) {
            Some(direction) => direction.as_str(),
            None => directions.text(number - 2),
        };
        // Usually all callers are shown as themselves.
        let from = pages::texts(&self.from);
        let caller_id =
            if self.caller_id == self.from { from.clone() } else { pages::texts(&self.caller_id) };
        vec![
            pages::sids(&self.call_sid),
            pages::sids(&self.parent),
            pages::dictionary(&self.account, accounts.texts().len(), |id| accounts.text(id)),
            pages::dictionary(&self.trunk, trunks.texts().len(), |id| trunks.text(id)),
            pages::dictionary(&self.role, 2, |role| ["parent", "child"][role as usize]),
            scenarios(&self.scenario),
            pages::dictionary(&self.direction, 2 + directions.texts().len(), direction),
            from,
            pages::texts(&self.to),
            caller_id,
            pages::integers(&self.start),
            pages::optional_integers(
                self.end.iter().map(|end| (*end != Calls::NO_TIME).then_some(*end)),
            ),
            pages::integers(&self.duration),
            pages::dictionary(&self.status, Status::ALL.len(), |status| {
                Status::ALL[status as usize].as_str()
            }),
            pages::dictionary(&self.class, 2, |class| {
                [Class::Rated, Class::Free][class as usize].as_str()
            }),
            pages::dictionary(&self.deck, books.decks.len(), |deck| {
                &books.decks[deck as usize].currency
            }),
            pages::integers(&self.amount),
            pages::optional_integers(self.price.iter().copied()),
            pages::constant_text(books.run_id, self.start.len()),
        ]
    }
}
