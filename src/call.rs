//! Calls as columns: what the records of a night say, read and typed.
//!
//! ```text
//! Calls                    one entry per record, in the order of reading
//! ├── sid, content         who it is, and a fingerprint of what it says
//! ├── account, trunk       ids of texts
//! ├── direction, status    a byte each
//! ├── from, to             a number in 64 bits, or the id of a text
//! ├── start, end, duration
//! ├── reason               what is wrong with the record itself, if anything
//! ├── place                where its text stands in its source
//! └── child → Child        the parent's sid and the transfer target, for one record in six
//! ```
//!
//! **Invariant:** a record costs about 80 bytes and no heap object; texts that repeat are kept once.
//! Next: [`crate::record`] fills the columns, [`crate::family`] joins them.

mod price;

use crate::fit::must_fit;
use crate::intern::Interner;
use crate::party::{Number, Party};
use crate::record::{FieldSet, Record, direction_meaning, plain_word};
use crate::reject::Reason;
use crate::scenario::Direction;
use crate::target::{Asked, UserPart};
use crate::time::Micros;
use std::collections::HashMap;
use std::fmt;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

pub use price::{CurrencyCode, PriceRef};

/// Stands for "none" in a column of `u32`.
pub const NONE: u32 = u32::MAX;

/// A call's id, in 128 bits: the value of `CA` and 32 lower-case hex digits, else a hash of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Sid(pub u128);

impl Sid {
    /// No id.
    pub const EMPTY: Self = Self(0);

    /// The id of a text, and whether the text can be printed back from it.
    #[must_use]
    pub fn of(text: &str) -> (Self, bool) {
        if text.is_empty() {
            return (Self::EMPTY, true);
        }
        match carrier_sid(text.as_bytes()) {
            Some(value) if value != 0 => (Self(value), true),
            _ => (Self(xxh3_128(text.as_bytes())), false),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::EMPTY
    }
}

/// `CA` and 32 lower-case hex digits, the carrier's own form.
fn carrier_sid(text: &[u8]) -> Option<u128> {
    if text.len() != 34 || !text.starts_with(b"CA") {
        return None;
    }
    // All digits at once, as the compiler makes vectors of it, and the sum of what is wrong: 110 instructions where a branch
    // per digit took 480.
    let hex = text.last_chunk::<32>()?;
    let mut values = [0_u8; 32];
    let mut wrong = 0;
    for (value, byte) in values.iter_mut().zip(hex) {
        // Letters have bit 6.
        *value = (byte & 0x0f) + (byte >> 6) * 9;
        let again = value.wrapping_add(if *value < 10 { b'0' } else { b'a' - 10 });
        wrong |= again ^ byte | *value & 0xf0;
    }
    let mut bytes = [0; 16];
    for (byte, [high, low]) in bytes.iter_mut().zip(values.as_chunks::<2>().0) {
        *byte = high << 4 | low;
    }
    (wrong == 0).then(|| u128::from_be_bytes(bytes))
}

/// The texts of ids that are not in the carrier's form.
#[derive(Debug, Clone, Default)]
pub struct OddSids(HashMap<Sid, Box<str>>);

impl OddSids {
    /// The id of a text; remembers the text if it cannot be printed back.
    ///
    /// # Panics
    /// If two texts have one 128-bit hash: going on would mix up two calls.
    pub fn sid(&mut self, text: &str) -> Sid {
        let (sid, printable) = Sid::of(text);
        if !printable {
            self.keep(sid, text);
        }
        sid
    }

    /// Whether all ids are in the carrier's form.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text of an id.
    #[must_use]
    pub fn text(&self, sid: Sid) -> SidText<'_> {
        self.odd(sid).map_or(SidText::Carrier(sid), SidText::Odd)
    }

    /// The text of an id in another form than the carrier's.
    #[must_use]
    pub(crate) fn odd(&self, sid: Sid) -> Option<&str> {
        // Nearly every night has none: no hash then.
        if self.0.is_empty() { None } else { self.0.get(&sid).map(AsRef::as_ref) }
    }

    /// Keeps the text of an id.
    ///
    /// # Panics
    /// As [`OddSids::sid`].
    pub(crate) fn keep(&mut self, sid: Sid, text: &str) {
        let known = self.0.entry(sid).or_insert_with(|| text.into());
        assert_eq!(&**known, text, "two call ids with one 128-bit hash");
    }
}

/// The text of a [`Sid`]; compares and prints as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SidText<'a> {
    /// `CA` and 32 hex digits.
    Carrier(Sid),
    /// Any other text.
    Odd(&'a str),
}

impl SidText<'_> {
    /// Writes the text to the end of a buffer.
    pub fn push_to(self, buffer: &mut String) {
        match self {
            Self::Carrier(Sid::EMPTY) => {}
            Self::Carrier(Sid(value)) => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                buffer.push_str("CA");
                for byte in value.to_be_bytes() {
                    buffer.push(char::from(HEX[usize::from(byte >> 4)]));
                    buffer.push(char::from(HEX[usize::from(byte & 15)]));
                }
            }
            Self::Odd(text) => buffer.push_str(text),
        }
    }
}

impl Ord for SidText<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        match (self, other) {
            // Equal lengths and lower-case hex: the order of the values is the order of the texts.
            (Self::Carrier(a), Self::Carrier(b)) => a.cmp(b),
            (a, b) => a.to_string().cmp(&b.to_string()),
        }
    }
}

impl PartialOrd for SidText<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for SidText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(34);
        self.push_to(&mut text);
        f.write_str(&text)
    }
}

/// What the `direction` of a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DirectionField {
    /// Nothing.
    Empty,
    /// `trunking-terminating`.
    Termination,
    /// `trunking-originating`.
    Origination,
    /// One that is known for no trunk's: no trunk call, if it is a root's.
    Other,
    /// Any other word.
    Unknown,
}

impl DirectionField {
    /// All of them, each at its own number.
    pub(crate) const ALL: [Self; 5] = [Self::Empty, Self::Termination, Self::Origination, Self::Other, Self::Unknown];

    /// Reads the field, without case, blanks, `_` and `-`. `others` are the words that are no trunk's
    /// ([`crate::policy::Policy::other_directions`]).
    #[must_use]
    pub fn parse(text: &str, others: &[String]) -> Self {
        // As the carrier writes it, a comparison of 20 bytes at once.
        match text {
            "" => Self::Empty,
            "trunking-terminating" => Self::Termination,
            "trunking-originating" => Self::Origination,
            _ => Self::parse_other_form(text, others),
        }
    }

    #[cold]
    fn parse_other_form(text: &str, others: &[String]) -> Self {
        match plain_word(text).as_str() {
            "trunkingterminating" => Self::Termination,
            "trunkingoriginating" => Self::Origination,
            word if others.iter().any(|other| plain_word(other) == word) => Self::Other,
            _ => Self::Unknown,
        }
    }

    /// Reads a word that trunkrate wrote itself ([`Self::as_str`]).
    #[must_use]
    pub fn of_word(text: &str) -> Self {
        Self::parse(text, &[])
    }

    /// The carrier's word; empty for any other than a trunk's.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Termination => "trunking-terminating",
            Self::Origination => "trunking-originating",
            Self::Empty | Self::Other | Self::Unknown => "",
        }
    }

    /// The side, if it names one.
    #[must_use]
    pub fn side(self) -> Option<Direction> {
        match self {
            Self::Termination => Some(Direction::Termination),
            Self::Origination => Some(Direction::Origination),
            Self::Empty | Self::Other | Self::Unknown => None,
        }
    }
}

impl From<Direction> for DirectionField {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Termination => Self::Termination,
            Direction::Origination => Self::Origination,
        }
    }
}

/// What the `status` of a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Status {
    /// Answered and ended: bills.
    Completed,
    /// Not answered.
    Busy,
    /// Not answered.
    Failed,
    /// Not answered.
    NoAnswer,
    /// Not answered.
    Canceled,
    /// Any other: the call is still going on.
    NotFinal,
}

impl Status {
    /// All of them, each at its own number.
    pub(crate) const ALL: [Self; 6] = [Self::Completed, Self::Busy, Self::Failed, Self::NoAnswer, Self::Canceled, Self::NotFinal];

    const FINAL: [(Self, &'static str); 5] = [
        (Self::Completed, "completed"),
        (Self::Busy, "busy"),
        (Self::Failed, "failed"),
        (Self::NoAnswer, "no-answer"),
        (Self::Canceled, "canceled"),
    ];

    /// Reads the field, without case, `_` for `-` too.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        // Nine records in ten, as the carrier writes it.
        if text == "completed" {
            return Self::Completed;
        }
        Self::FINAL.iter().find(|(_, word)| same_word(text, word)).map_or(Self::NotFinal, |(status, _)| *status)
    }

    /// The carrier's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::FINAL.iter().find(|(status, _)| *status == self).map_or("not-final", |(_, word)| word)
    }
}

fn same_word(text: &str, word: &str) -> bool {
    text.len() == word.len()
        && text.bytes().zip(word.bytes()).all(|(a, b)| a.to_ascii_lowercase() == b || (a == b'_' && b == b'-'))
}

/// A [`Party`] in 64 bits: a number's value, or the id of a text with a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PartyRef(u64);

const ENDPOINT: u64 = 1 << 62;
const UNKNOWN: u64 = 2 << 62;

impl PartyRef {
    /// In place of a party that nobody asks for. (It is no number, and has no text.)
    pub(crate) const NOBODY: Self = Self(0);
}

impl PartyRef {
    /// Packs a party; its text, if it has one, goes to `texts`.
    pub fn pack(party: &Party<'_>, texts: &mut Interner) -> Self {
        match party {
            Party::Number(number) => Self::number(*number),
            Party::Endpoint(text) => Self(ENDPOINT | u64::from(texts.id(text))),
            Party::Unknown(text) => Self(UNKNOWN | u64::from(texts.id(text))),
        }
    }

    /// Packs a number.
    #[must_use]
    pub fn number(number: Number) -> Self {
        Self(number.value())
    }

    /// Packs a SIP endpoint by the id of its text.
    #[must_use]
    pub fn endpoint(text: u32) -> Self {
        Self(ENDPOINT | u64::from(text))
    }

    /// The bits without the id of a text: a number whole, else which kind of text it is.
    pub(crate) fn kind(self) -> u64 {
        if self.text_id().is_some() { self.0 & (ENDPOINT | UNKNOWN) } else { self.0 }
    }

    /// A kind ([`Self::kind`]) with the text that it has here, if it has one.
    pub(crate) fn of_kind(kind: u64, text: impl FnOnce() -> u32) -> Self {
        if kind & (ENDPOINT | UNKNOWN) == 0 { Self(kind) } else { Self(kind | u64::from(text())) }
    }

    /// The party again.
    #[must_use]
    pub fn unpack(self, texts: &Interner) -> Party<'_> {
        match self.text_id() {
            None => Party::Number(Number::from_value(self.0)),
            Some(id) if self.0 & UNKNOWN != 0 => Party::Unknown(texts.text(id).into()),
            Some(id) => Party::Endpoint(texts.text(id).into()),
        }
    }

    /// The number, if it is one.
    #[must_use]
    pub fn as_number(self) -> Option<Number> {
        self.text_id().is_none().then(|| Number::from_value(self.0))
    }

    /// The number that a leg from this party starts at: itself, or a SIP endpoint's user part.
    #[must_use]
    pub fn origin_number(self, texts: &Interner) -> Option<Number> {
        match self.text_id() {
            None => self.as_number(),
            Some(id) if self.0 & UNKNOWN == 0 => crate::party::endpoint_number(texts.text(id)),
            Some(_) => None,
        }
    }

    /// Whether it was a number before a program mangled it: see [`crate::party::is_mangled`].
    #[must_use]
    pub fn is_mangled(self, texts: &Interner) -> bool {
        self.text_id().is_some_and(|id| self.0 & UNKNOWN != 0 && crate::party::is_mangled(texts.text(id)))
    }

    /// Whether it is an endpoint whose user part was a number once: see [`crate::party::lacks_plus`].
    #[must_use]
    pub fn lacks_plus(self, texts: &Interner) -> bool {
        self.text_id().is_some_and(|id| self.0 & UNKNOWN == 0 && crate::party::lacks_plus(texts.text(id)))
    }

    /// Writes the party's text to the end of a buffer.
    pub fn push_to(self, texts: &Interner, buffer: &mut String) {
        use fmt::Write;
        match self.text_id() {
            None => {
                let _ = write!(buffer, "+{}", self.0);
            }
            Some(id) => buffer.push_str(texts.text(id)),
        }
    }

    pub(crate) fn text_id(self) -> Option<u32> {
        (self.0 & (ENDPOINT | UNKNOWN) != 0).then(|| must_fit(self.0 & u64::from(u32::MAX), "the id of a text has 32 bits"))
    }
}

/// What a child's target text says, packed; see [`Asked`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedRef {
    /// A number.
    Number(Number),
    /// An emergency number by a `tel:` URI.
    Emergency(crate::party::Emergency),
    /// A SIP endpoint (id of its text).
    Sip(u32, UserPart),
    /// Nothing that can be called.
    Invalid,
}

/// A hash of a party's text, by which two versions of a child are compared.
#[must_use]
pub(crate) fn hash_of(text: &str) -> u32 {
    let [a, b, c, d, ..] = xxh3_64(text.as_bytes()).to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// What only a child has.
#[derive(Debug, Clone, Copy)]
pub struct Child {
    /// The parent's id.
    pub parent: Sid,
    /// The transfer target, as far as its text says it.
    pub asked: AskedRef,
    /// Id of the text of its own direction, which decides nothing.
    pub direction: u32,
    /// Hashes of its own `from` and `to`, which decide nothing but whether two versions are one.
    pub own_parties: [u32; 2],
}

/// The records of a night, one column per field.
#[derive(Debug, Clone, Default)]
pub struct Calls {
    /// The call's id; empty if it has none.
    pub sid: Vec<Sid>,
    /// A fingerprint of all fields but the price (for a record that cannot be read: of its text).
    pub content: Vec<u64>,
    /// Id of the account's text.
    pub account: Vec<u32>,
    /// Id of the trunk's text.
    pub trunk: Vec<u32>,
    /// The direction.
    pub direction: Vec<DirectionField>,
    /// The status.
    pub status: Vec<Status>,
    /// A, of a root.
    pub from: Vec<PartyRef>,
    /// B, of a root.
    pub to: Vec<PartyRef>,
    /// When it started.
    pub start: Vec<Micros>,
    /// When it ended; [`Calls::NO_TIME`] if that is not said.
    pub end: Vec<Micros>,
    /// When it was answered; [`Calls::NO_TIME`] if that is not said.
    pub answer: Vec<Micros>,
    /// Which fields were not empty.
    pub filled: Vec<FieldSet>,
    /// Seconds from answer to end, whole.
    pub duration: Vec<u32>,
    /// The carrier's own price.
    pub price: Vec<PriceRef>,
    /// What is wrong with the record itself.
    pub reason: Vec<Option<Reason>>,
    /// Where its text stands in its source.
    pub place: Vec<u32>,
    /// Its number in the run: the order of files and lines, those that waited first.
    pub number: Vec<u32>,
    /// Index of its [`Child`], or [`NONE`].
    pub child: Vec<u32>,
    /// The children's own columns.
    pub children: Vec<Child>,
    /// Texts of ids in another form than the carrier's.
    pub odd_sids: OddSids,
    /// Texts of accounts.
    pub accounts: Interner,
    /// Texts of trunks.
    pub trunks: Interner,
    /// Texts of parties that are no numbers.
    pub parties: Interner,
    /// Texts of children's directions.
    pub directions: Interner,
}

impl Calls {
    /// Stands for "not said" in the column of ends.
    pub const NO_TIME: Micros = Micros::MIN;

    /// Makes room for so many more records.
    pub fn reserve(&mut self, records: usize) {
        self.sid.reserve(records);
        self.content.reserve(records);
        for column in [&mut self.account, &mut self.trunk, &mut self.duration, &mut self.place, &mut self.number, &mut self.child]
        {
            column.reserve(records);
        }
        self.direction.reserve(records);
        self.status.reserve(records);
        self.from.reserve(records);
        self.to.reserve(records);
        self.start.reserve(records);
        self.end.reserve(records);
        self.answer.reserve(records);
        self.filled.reserve(records);
        self.price.reserve(records);
        self.reason.reserve(records);
    }

    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sid.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sid.is_empty()
    }

    /// Asserts that all columns are of one length: a column that lacks a row would give each record what is another's.
    ///
    /// # Panics
    /// If they are not.
    pub fn check(&self) {
        let Self { sid, content, account, trunk, direction, status, from, to, start, end, answer, filled, .. } = self;
        let Self { duration, price, reason, place, number, child, .. } = self;
        let words = [account, trunk, duration, place, number, child].map(Vec::len);
        let others = [sid.len(), content.len(), direction.len(), status.len(), from.len(), to.len(), start.len(), end.len()];
        let few = [answer.len(), filled.len(), price.len(), reason.len()];
        let of_one_length = |lengths: &[usize]| lengths.iter().all(|length| *length == sid.len());
        assert!(of_one_length(&words) && of_one_length(&others) && of_one_length(&few), "columns of one length");
        assert!(self.children.len() <= sid.len(), "a child is a record");
    }

    /// Adds a record whose text stands at `place`.
    pub fn push(&mut self, record: &Record<'_>, place: u32) {
        let child = if record.parent_sid.is_empty() {
            NONE
        } else {
            let asked = self.pack_target(record);
            let parent = self.odd_sids.sid(record.parent_sid);
            let direction = match record.direction.as_str() {
                "" => self.directions.id(&direction_meaning(record.direction_text)),
                word => self.directions.id(word),
            };
            self.children.push(Child { parent, asked, direction, own_parties: record.own_parties });
            must_fit(self.children.len() - 1, "children are counted in 32 bits")
        };
        let (from, to) = if child == NONE {
            (Party::of_root(record.from), Party::of_root(record.to))
        } else {
            (Party::Unknown("".into()), Party::Unknown("".into()))
        };
        self.sid.push(self.odd_sids.sid(record.sid));
        self.content.push(record.content);
        self.account.push(self.accounts.id(record.account_sid));
        self.trunk.push(self.trunks.id(record.trunk_sid));
        self.direction.push(record.direction);
        self.status.push(record.status);
        self.from.push(PartyRef::pack(&from, &mut self.parties));
        self.to.push(PartyRef::pack(&to, &mut self.parties));
        self.start.push(record.start);
        self.end.push(record.end);
        self.answer.push(record.answer);
        self.filled.push(record.filled);
        self.duration.push(record.duration);
        self.price.push(PriceRef::of(record.price, record.price_unit));
        self.reason.push(record.reason);
        self.place.push(place);
        self.number.push(must_fit(self.number.len(), "records are counted in 32 bits"));
        self.child.push(child);
    }

    fn pack_target(&mut self, record: &Record<'_>) -> AskedRef {
        // As `Asked::parse` would, without a text of its own.
        if let Some(plain) = record.plain_target {
            return AskedRef::Sip(self.parties.id(plain.endpoint), UserPart::of_plain(plain));
        }
        match Asked::parse(record.target) {
            Asked::Number(number) => AskedRef::Number(number),
            Asked::Emergency(emergency) => AskedRef::Emergency(emergency),
            Asked::Sip { endpoint, user } => AskedRef::Sip(self.parties.id(&endpoint), user),
            Asked::Invalid(_) => AskedRef::Invalid,
        }
    }

    /// The child columns of a record, if it is a child.
    #[must_use]
    pub fn child_of(&self, record: usize) -> Option<&Child> {
        self.children.get(self.child[record] as usize)
    }

    /// The text of a record's id.
    #[must_use]
    pub fn sid_text(&self, record: usize) -> SidText<'_> {
        self.odd_sids.text(self.sid[record])
    }
}
