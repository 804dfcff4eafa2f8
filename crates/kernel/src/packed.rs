//! Spill rows: records and booked calls as bytes, so that a night can be partitioned and the
//! partitions can be spilled to disk.
//!
//! ```text
//! record   61 bytes │ 16 of a root, 38 of a child │ price, end, answer (if there) │ texts: length, bytes
//! booked   77 bytes │ 30 more of a child           │ price, end, direction        │ texts
//! ```
//!
//! Ids of accounts, trunks and directions stay ids: they are few, and one set of texts serves all
//! partitions. Texts that may differ from call to call (SIP endpoints, ids in another form than the
//! carrier's) are stored in the row, so that a partition needs no more memory than its own rows do.
//!
//! **Invariant:** unpacking gives back exactly the row that was packed. Rows follow each other
//! without padding, and none is split.
//!
//! # Why
//! A row is one append instead of 18 to columns. Values that most rows do not have (a price, a
//! second leg) take no room: 77 bytes a root, read or booked, instead of 96 and 124, which is half
//! a gigabyte less to write and read back for ten million calls.

use crate::booked::{Booked, BookedTexts};
use crate::call::{Calls, Child, NONE, PriceRef};
use crate::deck::Hit;
use crate::fit::must_fit;
use crate::intern::Interner;
use crate::party::{Emergency, Number};
use crate::party_ref::{AskedRef, PartyRef};
use crate::record::{Field, FieldSet};
use crate::reject::Reason;
use crate::sid::{OddSids, Sid, SidText};
use crate::status::{DirectionField, Status};
use crate::target::UserPart;
use crate::time::{Micros, SECOND};

/// Writes fields of fixed width, one after the other.
struct ByteWriter<const N: usize> {
    bytes: [u8; N],
    at: usize,
}

impl<const N: usize> ByteWriter<N> {
    fn new() -> Self {
        Self { bytes: [0; N], at: 0 }
    }

    // With the widths known at compile time each field is one store, without a bounds check.
    #[inline(always)]
    #[allow(
        clippy::inline_always,
        reason = "a call for each field would cost as much as the whole row"
    )]
    fn put<const M: usize>(&mut self, field: [u8; M]) {
        self.bytes[self.at..self.at + M].copy_from_slice(&field);
        self.at += M;
    }

    fn put_hit(&mut self, hit: Hit) {
        self.put(hit.rate.to_le_bytes());
        self.put([hit.destination_digits, hit.origin_digits]);
    }
}

/// Reads the same fields back.
struct ByteReader<'a, const N: usize> {
    bytes: &'a [u8; N],
    at: usize,
}

impl<'a, const N: usize> ByteReader<'a, N> {
    /// Takes a row's fixed part off the front.
    fn take(bytes: &mut &'a [u8]) -> Self {
        let (head, rest) = bytes.split_first_chunk().expect("rows are packed whole");
        *bytes = rest;
        Self { bytes: head, at: 0 }
    }

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "as ByteWriter::put")]
    fn get<const M: usize>(&mut self) -> [u8; M] {
        let mut field = [0; M];
        field.copy_from_slice(&self.bytes[self.at..self.at + M]);
        self.at += M;
        field
    }

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "as ByteWriter::put")]
    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.get())
    }

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "as ByteWriter::put")]
    fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.get())
    }

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "as ByteWriter::put")]
    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.get())
    }

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "as ByteWriter::put")]
    fn i64(&mut self) -> i64 {
        i64::from_le_bytes(self.get())
    }

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "as ByteWriter::put")]
    fn sid(&mut self) -> Sid {
        Sid(u128::from_le_bytes(self.get()))
    }

    fn hit(&mut self) -> Hit {
        Hit { rate: self.u32(), destination_digits: self.u8(), origin_digits: self.u8() }
    }

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "as ByteWriter::put")]
    fn u8(&mut self) -> u8 {
        self.get::<1>()[0]
    }
}

fn push_text(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(
        &u32::try_from(text.len()).expect("a field is shorter than 4 GiB").to_le_bytes(),
    );
    out.extend_from_slice(text.as_bytes());
}

fn take_text<'a>(bytes: &mut &'a [u8]) -> &'a str {
    let length = ByteReader::<4>::take(bytes).u32() as usize;
    let (text, rest) = bytes.split_at_checked(length).expect("rows are packed whole");
    *bytes = rest;
    std::str::from_utf8(text).expect("texts are packed as they are")
}

/// A map from the ids of texts in one set of calls to the ids of the same texts in another.
#[derive(Debug, Clone, Default)]
pub struct TextIds {
    /// Ids of accounts.
    pub accounts: Vec<u32>,
    /// Ids of trunks.
    pub trunks: Vec<u32>,
    /// Ids of children's directions.
    pub directions: Vec<u32>,
}

impl TextIds {
    /// Maps every id to itself.
    #[must_use]
    pub fn same(calls: &Calls) -> Self {
        let same = |texts: &Interner| {
            (0..must_fit(texts.texts().len(), "texts are counted in 32 bits")).collect()
        };
        Self {
            accounts: same(&calls.accounts),
            trunks: same(&calls.trunks),
            directions: same(&calls.directions),
        }
    }
}

/// The texts that all partitions of a night share: accounts, trunks, children's directions; and
/// those of booked parents.
#[derive(Debug, Clone, Default)]
pub struct SharedTexts {
    /// Texts of accounts.
    pub accounts: Interner,
    /// Texts of trunks.
    pub trunks: Interner,
    /// Texts of children's directions.
    pub directions: Interner,
    /// Texts of parties that are not numbers, of calls that earlier runs booked.
    pub parties: Interner,
    /// Texts of ids in another form than the carrier's, of calls that earlier runs booked.
    pub odd_sids: OddSids,
}

impl SharedTexts {
    /// Adds the texts of some calls.
    pub fn absorb(&mut self, calls: &Calls) -> TextIds {
        TextIds {
            accounts: self.accounts.absorb(&calls.accounts),
            trunks: self.trunks.absorb(&calls.trunks),
            directions: self.directions.absorb(&calls.directions),
        }
    }

    /// An empty set of calls with these texts.
    #[must_use]
    pub fn no_calls(&self) -> Calls {
        Calls {
            accounts: self.accounts.clone(),
            trunks: self.trunks.clone(),
            directions: self.directions.clone(),
            parties: self.parties.clone(),
            odd_sids: self.odd_sids.clone(),
            ..Calls::default()
        }
    }
}

const CHILD: u8 = 1;
const ODD_SID: u8 = 2;
const ODD_PARENT: u8 = 4;
const PRICE: u8 = 8;
const END: u8 = 16;
const NO_REASON: u8 = 0;

/// Packs both into one byte.
fn direction_and_status(direction: DirectionField, status: Status) -> u8 {
    (direction as u8) << 4 | status as u8
}

fn two_words(byte: u8) -> (DirectionField, Status) {
    (DirectionField::ALL[usize::from(byte >> 4)], Status::ALL[usize::from(byte & 15)])
}

/// Whole seconds from start to end; `None` if the end is not a whole number of seconds later.
fn length(start: Micros, end: Micros) -> Option<u32> {
    let micros = end.checked_sub(start)?;
    (micros % SECOND == 0).then(|| u32::try_from(micros / SECOND).ok()).flatten()
}

fn flags<const N: usize>(all: [(u8, bool); N]) -> u8 {
    all.into_iter().filter(|(_, is)| *is).fold(0, |flags, (flag, _)| flags | flag)
}

/// Packs a record of `calls` at the end of `out`, with its number in the run.
pub fn pack(calls: &Calls, record: usize, number: u32, ids: &TextIds, out: &mut Vec<u8>) {
    let child = calls.child_of(record);
    let odd = |sid: Sid| calls.odd_sids.odd(sid);
    let (odd_sid, odd_parent) = (odd(calls.sid[record]), child.and_then(|child| odd(child.parent)));
    let (start, end, price) = (calls.start[record], calls.end[record], calls.price[record]);
    let length = length(start, end);
    let has_price = price != PriceRef::EMPTY;
    let flags = flags([
        (CHILD, child.is_some()),
        (ODD_SID, odd_sid.is_some()),
        (ODD_PARENT, odd_parent.is_some()),
        (PRICE, has_price),
        (END, length.is_none()),
    ]);
    let mut pen = ByteWriter::<61>::new();
    pen.put(calls.sid[record].0.to_le_bytes());
    pen.put(calls.content[record].to_le_bytes());
    pen.put(start.to_le_bytes());
    pen.put(number.to_le_bytes());
    pen.put(calls.place[record].to_le_bytes());
    pen.put(ids.accounts[calls.account[record] as usize].to_le_bytes());
    pen.put(ids.trunks[calls.trunk[record] as usize].to_le_bytes());
    pen.put(calls.duration[record].to_le_bytes());
    pen.put(length.unwrap_or(0).to_le_bytes());
    pen.put([direction_and_status(calls.direction[record], calls.status[record])]);
    pen.put([calls.reason[record].map_or(NO_REASON, |reason| reason as u8), flags]);
    pen.put(calls.filled[record].bits().to_le_bytes());
    out.extend_from_slice(&pen.bytes);
    if let Some(child) = child {
        pack_child(child, ids, out);
    } else {
        let mut pen = ByteWriter::<16>::new();
        pen.put(calls.from[record].kind().to_le_bytes());
        pen.put(calls.to[record].kind().to_le_bytes());
        out.extend_from_slice(&pen.bytes);
    }
    if has_price {
        let (units, hash) = price.parts();
        out.extend_from_slice(&units.to_le_bytes());
        out.extend_from_slice(&hash.to_le_bytes());
    }
    if length.is_none() {
        out.extend_from_slice(&end.to_le_bytes());
    }
    if calls.filled[record].has(Field::AnswerTime) {
        out.extend_from_slice(&calls.answer[record].to_le_bytes());
    }
    for odd in [odd_sid, odd_parent].into_iter().flatten() {
        push_text(odd, out);
    }
    match child {
        Some(Child { asked: AskedRef::Sip(text, _), .. }) => {
            push_text(calls.parties.text(*text), out);
        }
        Some(_) => {}
        None => {
            for text in
                [calls.from[record], calls.to[record]].into_iter().filter_map(PartyRef::text_id)
            {
                push_text(calls.parties.text(text), out);
            }
        }
    }
}

fn pack_child(child: &Child, ids: &TextIds, out: &mut Vec<u8>) {
    let (kind, user, value) = match child.asked {
        AskedRef::Invalid => (0, 0, 0),
        AskedRef::Number(number) => (1, 0, number.value()),
        AskedRef::Emergency(emergency) => (2, 0, emergency as u64),
        AskedRef::Sip(_, UserPart::Other) => (3, 0, 0),
        AskedRef::Sip(_, UserPart::Number(number)) => (3, 1, number.value()),
        AskedRef::Sip(_, UserPart::Emergency(emergency)) => (3, 2, emergency as u64),
    };
    let mut pen = ByteWriter::<38>::new();
    pen.put(child.parent.0.to_le_bytes());
    pen.put(value.to_le_bytes());
    pen.put(ids.directions[child.direction as usize].to_le_bytes());
    pen.put(child.own_parties[0].to_le_bytes());
    pen.put(child.own_parties[1].to_le_bytes());
    pen.put([kind, user]);
    out.extend_from_slice(&pen.bytes);
}

/// Appends packed records to calls that have the shared texts.
pub fn unpack(mut bytes: &[u8], calls: &mut Calls) {
    while !bytes.is_empty() {
        unpack_one(&mut bytes, calls);
    }
    calls.check();
}

fn unpack_one(bytes: &mut &[u8], calls: &mut Calls) {
    let mut eye = ByteReader::<61>::take(bytes);
    let sid = eye.sid();
    calls.sid.push(sid);
    calls.content.push(eye.u64());
    let start = eye.i64();
    calls.start.push(start);
    calls.number.push(eye.u32());
    calls.place.push(eye.u32());
    calls.account.push(eye.u32());
    calls.trunk.push(eye.u32());
    calls.duration.push(eye.u32());
    let length = eye.u32();
    let (direction, status) = two_words(eye.u8());
    calls.direction.push(direction);
    calls.status.push(status);
    let reason = eye.u8();
    calls.reason.push(if reason == NO_REASON {
        None
    } else {
        Some(Reason::ALL[usize::from(reason) - 1])
    });
    let flags = eye.u8();
    let filled = FieldSet::from_bits(eye.u16());
    calls.filled.push(filled);
    let has = |flag| flags & flag != 0;
    let child = has(CHILD).then(|| unpack_child(bytes));
    let parties = if has(CHILD) { None } else { Some(ByteReader::<16>::take(bytes)) }
        .map(|mut eye| (eye.u64(), eye.u64()));
    calls.price.push(if has(PRICE) {
        let mut eye = ByteReader::<16>::take(bytes);
        PriceRef::from_parts(eye.i64(), eye.u64())
    } else {
        PriceRef::EMPTY
    });
    calls.end.push(if has(END) {
        ByteReader::<8>::take(bytes).i64()
    } else {
        start + i64::from(length) * SECOND
    });
    calls.answer.push(if filled.has(Field::AnswerTime) {
        ByteReader::<8>::take(bytes).i64()
    } else {
        Calls::NO_TIME
    });
    if has(ODD_SID) {
        calls.odd_sids.keep(sid, take_text(bytes));
    }
    if let (true, Some((child, _))) = (has(ODD_PARENT), &child) {
        calls.odd_sids.keep(child.parent, take_text(bytes));
    }
    let texts = &mut calls.parties;
    let (from, to) = match parties {
        Some((from, to)) => {
            let from = PartyRef::of_kind(from, || texts.id(take_text(bytes)));
            (from, PartyRef::of_kind(to, || texts.id(take_text(bytes))))
        }
        // A child's parties decide nothing.
        None => (PartyRef::NOBODY, PartyRef::NOBODY),
    };
    calls.from.push(from);
    calls.to.push(to);
    calls.child.push(match child {
        None => NONE,
        Some((mut child, is_sip)) => {
            if let (true, AskedRef::Sip(text, _)) = (is_sip, &mut child.asked) {
                *text = texts.id(take_text(bytes));
            }
            calls.children.push(child);
            must_fit(calls.children.len() - 1, "children are counted in 32 bits")
        }
    });
}

/// A child, and true if the text of its target is still to be read.
fn unpack_child(bytes: &mut &[u8]) -> (Child, bool) {
    let mut eye = ByteReader::<38>::take(bytes);
    let (parent, value, direction) = (eye.sid(), eye.u64(), eye.u32());
    let own_parties = [eye.u32(), eye.u32()];
    let number = || Number::from_value(value);
    let emergency =
        || if value == Emergency::Call as u64 { Emergency::Call } else { Emergency::AddressTest };
    let asked = match (eye.u8(), eye.u8()) {
        (1, _) => AskedRef::Number(number()),
        (2, _) => AskedRef::Emergency(emergency()),
        (3, 1) => AskedRef::Sip(NONE, UserPart::Number(number())),
        (3, 2) => AskedRef::Sip(NONE, UserPart::Emergency(emergency())),
        (3, _) => AskedRef::Sip(NONE, UserPart::Other),
        _ => AskedRef::Invalid,
    };
    (Child { parent, asked, direction, own_parties }, matches!(asked, AskedRef::Sip(..)))
}

const RATED: u8 = 32;
const SHOWS_B: u8 = 64;
const HAS_DIRECTION: u8 = 128;

impl Booked {
    /// Packs the call. Its parties and ids have their texts in `calls`; all other texts are shared.
    pub fn pack(&self, calls: &Calls, out: &mut Vec<u8>) {
        let odd = |sid: Sid| calls.odd_sids.odd(sid);
        let (odd_sid, odd_parent) = (odd(self.sid), odd(self.parent));
        let length = length(self.start, self.end);
        let flags = flags([
            (CHILD, self.c.is_some()),
            (ODD_SID, odd_sid.is_some()),
            (ODD_PARENT, odd_parent.is_some()),
            (PRICE, self.price.is_some()),
            (END, length.is_none()),
            (RATED, self.is_rated),
            (SHOWS_B, self.shows_b),
            (HAS_DIRECTION, self.child_direction != NONE),
        ]);
        let mut pen = ByteWriter::<BOOKED_BYTES>::new();
        pen.put(self.sid.0.to_le_bytes());
        pen.put(self.start.to_le_bytes());
        pen.put(self.content.to_le_bytes());
        pen.put(self.account.to_le_bytes());
        pen.put(self.trunk.to_le_bytes());
        pen.put(self.deck.to_le_bytes());
        pen.put(self.duration.to_le_bytes());
        pen.put(length.unwrap_or(0).to_le_bytes());
        pen.put_hit(self.hits[0]);
        pen.put(self.a.kind().to_le_bytes());
        pen.put(self.b.kind().to_le_bytes());
        pen.put([direction_and_status(self.direction, self.status), self.scenario_number(), flags]);
        out.extend_from_slice(&pen.bytes);
        if let Some(c) = self.c {
            let mut pen = ByteWriter::<30>::new();
            pen.put(self.parent.0.to_le_bytes());
            pen.put(c.kind().to_le_bytes());
            pen.put_hit(self.hits[1]);
            out.extend_from_slice(&pen.bytes);
        }
        if let Some(price) = self.price {
            out.extend_from_slice(&price.to_le_bytes());
        }
        if length.is_none() {
            out.extend_from_slice(&self.end.to_le_bytes());
        }
        if self.child_direction != NONE {
            out.extend_from_slice(&self.child_direction.to_le_bytes());
        }
        for odd in [odd_sid, odd_parent].into_iter().flatten() {
            push_text(odd, out);
        }
        for text in
            [Some(self.a), Some(self.b), self.c].into_iter().flatten().filter_map(PartyRef::text_id)
        {
            push_text(calls.parties.text(text), out);
        }
    }

    /// Takes a call off the front without unpacking it.
    #[must_use]
    pub fn skip<'a>(bytes: &mut &'a [u8]) -> BookedKey<'a> {
        let mut eye = ByteReader::<BOOKED_BYTES>::take(bytes);
        let (sid, start) = (eye.sid(), eye.i64());
        let _from_content_to_hit: [u8; 34] = eye.get();
        let (a, b) = (eye.u64(), eye.u64());
        let [_, _, flags] = eye.get();
        let has = |flag| flags & flag != 0;
        let child = has(CHILD).then(|| ByteReader::<30>::take(bytes));
        let c = child.map(|mut eye| (eye.sid(), eye.u64()).1);
        let numbers = [(PRICE, 8), (END, 8), (HAS_DIRECTION, 4)];
        let optional = numbers.into_iter().filter(|(flag, _)| has(*flag)).map(|(_, bytes)| bytes);
        *bytes = bytes.get(optional.sum()..).expect("rows are packed whole");
        let odd = has(ODD_SID).then(|| take_text(bytes));
        if has(ODD_PARENT) {
            take_text(bytes);
        }
        for kind in [Some(a), Some(b), c].into_iter().flatten() {
            PartyRef::of_kind(kind, || {
                take_text(bytes);
                0
            });
        }
        BookedKey { start, sid, odd }
    }

    /// Takes a call off the front; its texts go to `texts`.
    pub fn unpack(bytes: &mut &[u8], texts: &mut BookedTexts) -> Self {
        let mut eye = ByteReader::<BOOKED_BYTES>::take(bytes);
        let (sid, start, content) = (eye.sid(), eye.i64(), eye.u64());
        let (account, trunk, deck, duration, length) =
            (eye.u32(), eye.u32(), eye.u32(), eye.u32(), eye.u32());
        let first = eye.hit();
        let (a, b) = (eye.u64(), eye.u64());
        let (direction, status) = two_words(eye.u8());
        let (scenario, flags) = (Self::SCENARIOS[usize::from(eye.u8())], eye.u8());
        let has = |flag| flags & flag != 0;
        let child = has(CHILD)
            .then(|| ByteReader::<30>::take(bytes))
            .map(|mut eye| (eye.sid(), eye.u64(), eye.hit()));
        let price = has(PRICE).then(|| ByteReader::<8>::take(bytes).i64());
        let end = if has(END) {
            ByteReader::<8>::take(bytes).i64()
        } else {
            start + i64::from(length) * SECOND
        };
        let child_direction =
            if has(HAS_DIRECTION) { ByteReader::<4>::take(bytes).u32() } else { NONE };
        let (parent, second) =
            child.map_or((Sid::EMPTY, Hit::default()), |(parent, _, second)| (parent, second));
        if has(ODD_SID) {
            texts.odd_sids.keep(sid, take_text(bytes));
        }
        if has(ODD_PARENT) {
            texts.odd_sids.keep(parent, take_text(bytes));
        }
        let mut party = |kind| PartyRef::of_kind(kind, || texts.parties.id(take_text(bytes)));
        let (a, b) = (party(a), party(b));
        Self {
            sid,
            parent,
            start,
            end,
            a,
            b,
            c: child.map(|(_, c, _)| party(c)),
            price,
            content,
            account,
            trunk,
            deck,
            duration,
            child_direction,
            hits: [first, second],
            direction,
            status,
            scenario,
            is_rated: has(RATED),
            shows_b: has(SHOWS_B),
        }
    }
}

/// The key that booked calls are sorted by.
#[derive(Debug, Clone, Copy)]
pub struct BookedKey<'a> {
    /// The call's start.
    pub start: Micros,
    /// Its id.
    pub sid: Sid,
    /// The text of its id, if it is in another form than the carrier's.
    pub odd: Option<&'a str>,
}

impl<'a> BookedKey<'a> {
    /// The text of its id.
    #[must_use]
    pub fn sid_text(&self) -> SidText<'a> {
        self.odd.map_or(SidText::Carrier(self.sid), SidText::Odd)
    }
}

/// Bytes of a booked root without its optional values.
const BOOKED_BYTES: usize = 77;
