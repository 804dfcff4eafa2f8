//! One record: the fields of the carrier's Call resource, from text to typed.
//!
//! Owns the checks that make a record readable, complete and plausible by itself: `missing-field`,
//! `invalid-time`, `invalid-duration`, `not-final`. Checks that need other records are in
//! [`crate::family`]; those that need the trunk or the deck are in [`crate::rating`].
//! **Invariant:** nothing is guessed and nothing is allocated.

mod meaning;

pub use self::meaning::{direction_meaning, party_meaning, target_meaning};
use crate::words::plain_chars;

use self::meaning::Buffer;
use crate::party::PlainSip;
use crate::party_ref::hash_of;
use crate::policy::Policy;
use crate::reject::Reason;
use crate::status::{DirectionField, Status};
use crate::time::NO_TIME;
use crate::time::{self, Micros, SECOND};
use std::borrow::Cow;
use xxhash_rust::xxh3::xxh3_64;

/// A field that trunkrate reads, in the order of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "they are the carrier's own names")]
pub enum Field {
    Sid,
    ParentCallSid,
    AccountSid,
    TrunkSid,
    Direction,
    From,
    To,
    StartTime,
    EndTime,
    Duration,
    Status,
    Price,
    PriceUnit,
    ReferTo,
    AnswerTime,
}

impl Field {
    /// Every field.
    pub const ALL: [Self; 15] = [
        Self::Sid,
        Self::ParentCallSid,
        Self::AccountSid,
        Self::TrunkSid,
        Self::Direction,
        Self::From,
        Self::To,
        Self::StartTime,
        Self::EndTime,
        Self::Duration,
        Self::Status,
        Self::Price,
        Self::PriceUnit,
        Self::ReferTo,
        Self::AnswerTime,
    ];

    /// The carrier's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sid => "sid",
            Self::ParentCallSid => "parent_call_sid",
            Self::AccountSid => "account_sid",
            Self::TrunkSid => "trunk_sid",
            Self::Direction => "direction",
            Self::From => "from",
            Self::To => "to",
            Self::StartTime => "start_time",
            Self::EndTime => "end_time",
            Self::Duration => "duration",
            Self::Status => "status",
            Self::Price => "price",
            Self::PriceUnit => "price_unit",
            Self::ReferTo => "refer_to",
            Self::AnswerTime => "answer_time",
        }
    }

    /// Finds a field by a header name, ignoring case, spaces and underscores. `Call Sid`, as the
    /// carrier's console exports it, is `sid` too.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let is = |known: &str| plain_chars(name).eq(known.chars().filter(|c| *c != '_'));
        if is("callsid") {
            return Some(Self::Sid);
        }
        Self::ALL.into_iter().find(|field| is(field.as_str()))
    }
}

/// Longest field that is read, in bytes; a record with a longer one is malformed. Other columns are
/// not checked.
pub const LONGEST_FIELD: usize = 64 << 10;

/// The texts of one record, by field; empty where a field is absent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fields<'a>(pub [&'a str; Field::ALL.len()]);

impl<'a> Fields<'a> {
    /// True if no field holds a NUL or is longer than [`LONGEST_FIELD`].
    #[must_use]
    pub fn are_usable(&self) -> bool {
        self.are_short() && !self.0.iter().any(|text| memchr::memchr(0, text.as_bytes()).is_some())
    }

    /// True if no field is longer than [`LONGEST_FIELD`].
    #[must_use]
    pub fn are_short(&self) -> bool {
        !self.0.iter().any(|text| text.len() > LONGEST_FIELD)
    }

    /// A field's text without surrounding white space; empty if it is a placeholder that programs
    /// write for an empty value.
    #[must_use]
    #[inline]
    pub fn get(&self, field: Field) -> &'a str {
        filled_after_all(field, trim(self.0[field as usize]))
    }

    fn trimmed(&self) -> Trimmed<'a> {
        let mut trimmed = Trimmed(self.0, FieldSet::default());
        // Bit sets of fields: those that are filled, and those that need a closer look, as hardly
        // any does.
        let (mut filled, mut odd, mut bit) = (0, 0, 1_u16);
        for text in &trimmed.0 {
            if !text.is_empty() {
                filled |= bit;
                if may_be_nothing(text.as_bytes()) {
                    odd |= bit;
                }
            }
            bit = bit.rotate_left(1);
        }
        trimmed.1 = FieldSet(filled);
        if odd != 0 {
            trimmed.look_closer(FieldSet(odd));
        }
        trimmed
    }
}

/// Placeholders that programs write for an empty value, in lower case: of databases (`NULL`, `\N`),
/// Python and pandas (`None`, `nan`, `NaT`, `<NA>`), R (`NA`), JavaScript (`undefined`), Ruby and
/// Go (`nil`), spreadsheets (`#N/A`).
const NOTHING: [&str; 13] = [
    "null",
    "none",
    "nan",
    "nat",
    "nil",
    "na",
    "n/a",
    "\\n",
    "#n/a",
    "<na>",
    "(null)",
    "<null>",
    "undefined",
];

/// For each possible first byte of a text, the lengths (up to 15, a bit each) of the placeholders
/// that start with it; all lengths if the byte may be white space. One table look-up for each field
/// of each record, not nine comparisons: 400 instructions a record less, and `USD` and `no-answer`
/// need no second look.
const NOTHING_LENGTHS: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        if byte <= b' ' as usize || byte >= 0x7f {
            table[byte] = u16::MAX;
        }
        byte += 1;
    }
    let mut at = 0;
    while at < NOTHING.len() {
        let word = NOTHING[at].as_bytes();
        table[word[0] as usize] |= 1 << word.len();
        table[word[0].to_ascii_uppercase() as usize] |= 1 << word.len();
        at += 1;
    }
    table[b'-' as usize] |= 1 << 1;
    table
};

/// True if a text that is not empty may be a placeholder, or have white space around it: hardly any
/// does.
#[inline]
fn may_be_nothing(bytes: &[u8]) -> bool {
    let (first, last) = (bytes[0], bytes[bytes.len() - 1]);
    NOTHING_LENGTHS[first as usize] >> bytes.len().min(15) & 1 != 0 || !last.is_ascii_graphic()
}

/// The text of a field, or an empty text if it is a placeholder; a dash is one too if the field is
/// an id.
fn filled_after_all(field: Field, text: &str) -> &str {
    let is_id =
        matches!(field, Field::Sid | Field::ParentCallSid | Field::AccountSid | Field::TrunkSid);
    let is_nothing =
        NOTHING.iter().any(|word| text.eq_ignore_ascii_case(word)) || is_id && text == "-";
    if is_nothing { "" } else { text }
}

/// Fields trimmed of white space once: 200 instructions a record instead of 1,200.
struct Trimmed<'a>([&'a str; Field::ALL.len()], FieldSet);

impl<'a> Trimmed<'a> {
    #[cold]
    fn look_closer(&mut self, odd: FieldSet) {
        for field in Field::ALL.into_iter().filter(|field| odd.has(*field)) {
            let text = &mut self.0[field as usize];
            *text = filled_after_all(field, trim(text));
            if text.is_empty() {
                self.1 = self.1.without(field);
            }
        }
    }

    fn get(&self, field: Field) -> &'a str {
        self.0[field as usize]
    }
}

/// Calls [`str::trim`], which walks characters from both ends, only if a text starts or ends with a
/// byte that may be white space.
#[inline]
fn trim(text: &str) -> &str {
    let may_be_space = |byte: Option<&u8>| byte.is_some_and(|byte| !byte.is_ascii_graphic());
    let bytes = text.as_bytes();
    if may_be_space(bytes.first()) || may_be_space(bytes.last()) {
        trim_characters(text)
    } else {
        text
    }
}

#[cold]
fn trim_characters(text: &str) -> &str {
    text.trim()
}

/// One record, typed. If `reason` says that a field is unusable, its value here is a stand-in.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields of the carrier's Call resource")]
pub struct Record<'a> {
    pub sid: &'a str,
    pub parent_sid: &'a str,
    pub account_sid: &'a str,
    pub trunk_sid: &'a str,
    pub direction: DirectionField,
    pub direction_text: &'a str,
    pub status: Status,
    pub from: &'a str,
    pub to: &'a str,
    /// The text that decides a child's target: `refer_to`, else `to`.
    pub target: &'a str,
    /// A child's target if it is a plain SIP URI, so that it is parsed once.
    pub plain_target: Option<PlainSip<'a>>,
    pub start: Micros,
    pub end: Micros,
    /// Its answer time, or [`NO_TIME`].
    pub answer: Micros,
    /// The fields that are not empty.
    pub filled: FieldSet,
    /// Hashes of the meaning of a child's own `from` and `to`.
    pub own_parties: [u32; 2],
    /// Whole seconds, a fraction rounded up.
    pub duration: u32,
    pub price: &'a str,
    pub price_unit: &'a str,
    /// A fingerprint of the meaning of all fields but the price.
    pub content: u64,
    pub reason: Option<Reason>,
}

impl<'a> Record<'a> {
    /// A text that could not be read as a record.
    #[must_use]
    pub fn malformed(text: &[u8]) -> Self {
        Self {
            sid: "",
            parent_sid: "",
            account_sid: "",
            trunk_sid: "",
            direction: DirectionField::Empty,
            direction_text: "",
            status: Status::NotFinal,
            from: "",
            to: "",
            target: "",
            plain_target: None,
            start: NO_TIME,
            end: NO_TIME,
            answer: NO_TIME,
            filled: FieldSet::default(),
            own_parties: [0; 2],
            duration: 0,
            price: "",
            price_unit: "",
            // Hashes the text as it is stored, so that a repeated record is recognised.
            content: xxh3_64(String::from_utf8_lossy(text).as_bytes()),
            reason: Some(Reason::MalformedRecord),
        }
    }

    /// Reads a record from its fields.
    #[must_use]
    pub fn read(fields: &Fields<'a>, policy: &Policy) -> Self {
        Self::read_typed(fields, [None; 3], policy)
    }

    /// Reads a record whose start, end or answer time may be known without its text. A field whose
    /// time is known may hold any text that is not empty.
    #[must_use]
    pub fn read_typed(fields: &Fields<'a>, known: [Option<Micros>; 3], policy: &Policy) -> Self {
        let fields = &fields.trimmed();
        let refer_to = fields.get(Field::ReferTo);
        let zone = policy.zone.as_ref();
        let instant = |known: Option<Micros>, field: Field| match fields.get(field) {
            _ if known.is_some() => known,
            "" => Some(NO_TIME),
            text => time::parse(text, zone).or_else(|| {
                let call = fields.get(Field::Sid);
                policy.set_times.instant(call, (field.as_str(), text), zone)
            }),
        };
        let (start, end) = (instant(known[0], Field::StartTime), instant(known[1], Field::EndTime));
        let answer = instant(known[2], Field::AnswerTime);
        let duration = Duration::parse(fields.get(Field::Duration));
        let mut record = Self {
            sid: fields.get(Field::Sid),
            parent_sid: fields.get(Field::ParentCallSid),
            account_sid: fields.get(Field::AccountSid),
            trunk_sid: fields.get(Field::TrunkSid),
            direction: DirectionField::parse(
                fields.get(Field::Direction),
                &policy.other_directions,
            ),
            direction_text: fields.get(Field::Direction),
            status: Status::parse(fields.get(Field::Status)),
            from: fields.get(Field::From),
            to: fields.get(Field::To),
            target: if refer_to.is_empty() { fields.get(Field::To) } else { refer_to },
            plain_target: None,
            start: start.unwrap_or(NO_TIME),
            end: end.unwrap_or(NO_TIME),
            answer: answer.unwrap_or(NO_TIME),
            filled: fields.1,
            own_parties: [0; 2],
            duration: duration.whole_seconds(),
            price: fields.get(Field::Price),
            price_unit: fields.get(Field::PriceUnit),
            content: 0,
            reason: None,
        };
        if !record.parent_sid.is_empty() {
            record.plain_target = PlainSip::parse(record.target);
        }
        (record.content, record.own_parties) =
            record.fingerprint(fields, [start, end, answer], duration);
        record.reason = if record.missing(fields).is_some() {
            Some(Reason::MissingField)
        } else if record.parent_sid.is_empty() && record.direction == DirectionField::Unknown {
            Some(Reason::UnknownDirection)
        } else if [start, end, answer].contains(&None) || record.is_answered_outside() {
            Some(Reason::InvalidTime)
        } else if record.invalid_duration(duration, policy).is_some() {
            Some(Reason::InvalidDuration)
        } else if record.status == Status::NotFinal {
            Some(Reason::NotFinal)
        } else {
            None
        };
        record
    }

    /// The first required field that is empty.
    #[must_use]
    pub fn missing_field(&self, fields: &Fields<'_>) -> Option<Field> {
        self.missing(&fields.trimmed())
    }

    fn missing(&self, fields: &Trimmed<'_>) -> Option<Field> {
        let required = [Field::Sid, Field::AccountSid, Field::StartTime, Field::Status];
        if let Some(missing) = required.into_iter().find(|field| fields.get(*field).is_empty()) {
            return Some(missing);
        }
        if self.parent_sid.is_empty() && self.direction == DirectionField::Empty {
            return Some(Field::Direction);
        }
        self.target_field_is_empty().then_some(Field::To)
    }

    fn target_field_is_empty(&self) -> bool {
        if self.parent_sid.is_empty() { self.to.is_empty() } else { self.target.is_empty() }
    }

    /// True if it was answered before it started, or after it ended.
    #[must_use]
    pub fn is_answered_outside(&self) -> bool {
        let is_known = |time: Micros| time != NO_TIME;
        is_known(self.answer)
            && (is_known(self.start) && self.answer < self.start
                || is_known(self.end) && self.answer > self.end)
    }

    /// The fault of the duration, in words.
    #[must_use]
    pub fn invalid_duration(&self, duration: Duration, policy: &Policy) -> Option<&'static str> {
        match duration {
            Duration::Empty if self.status == Status::Completed => {
                Some("it is missing on a completed call")
            }
            Duration::Empty => None,
            Duration::Bad => Some("it is no plain decimal number of seconds"),
            Duration::Micros(micros) => {
                if micros > u64::from(policy.max_call_seconds).saturating_mul(SECOND.unsigned_abs())
                {
                    return Some("it is above policy.max_call_seconds");
                }
                let is_over = |from: Micros| {
                    let length = i128::from(self.end) - i128::from(from);
                    from != NO_TIME
                        && self.end != NO_TIME
                        && i128::from(micros) > length + i128::from(SECOND)
                };
                if is_over(self.start) {
                    return Some("it is over 1 s longer than end_time - start_time");
                }
                is_over(self.answer).then_some(
                    "it is over 1 s longer than end_time - answer_time: ringing was counted",
                )
            }
        }
    }

    /// Hashes the meaning of the fields: times count as instants, durations as whole seconds and
    /// parties by their identity, so that the same call from two kinds of export is the same; other
    /// fields count as they are written.
    fn fingerprint(
        &self,
        fields: &Trimmed<'_>,
        times: [Option<Micros>; 3],
        duration: Duration,
    ) -> (u64, [u32; 2]) {
        // One buffer on the stack for nearly all records; a longer record is hashed in pieces.
        let mut buffer = Buffer::default();
        for field in [Field::Sid, Field::ParentCallSid, Field::AccountSid, Field::TrunkSid] {
            buffer.push(fields.get(field).as_bytes());
        }
        let from = party_meaning(fields.get(Field::From));
        let mut own_parties = [0; 2];
        buffer.push(from.as_bytes());
        if self.parent_sid.is_empty() {
            buffer.push(party_meaning(fields.get(Field::To)).as_bytes());
            // A root's `refer_to` says nothing.
            buffer.push(&[]);
        } else {
            let meaning = |field: Field| match self.plain_target {
                Some(plain) if std::ptr::eq(fields.get(field), self.target) => {
                    Cow::Borrowed(plain.endpoint)
                }
                _ => target_meaning(fields.get(field)),
            };
            let to = meaning(Field::To);
            own_parties = [hash_of(&from), hash_of(&to)];
            buffer.push(to.as_bytes());
            buffer.push(meaning(Field::ReferTo).as_bytes());
        }
        buffer.push_known(Some(&[self.direction as u8, self.status as u8]));
        if matches!(self.direction, DirectionField::Other | DirectionField::Unknown) {
            buffer.push(direction_meaning(fields.get(Field::Direction)).as_bytes());
        }
        if self.status == Status::NotFinal {
            buffer.push(fields.get(Field::Status).as_bytes());
        }
        for (time, field) in
            times.into_iter().zip([Field::StartTime, Field::EndTime, Field::AnswerTime])
        {
            match time {
                Some(micros) => buffer.push_known(Some(&micros.to_le_bytes())),
                None => buffer.push(fields.get(field).as_bytes()),
            }
        }
        match duration {
            Duration::Bad => buffer.push(fields.get(Field::Duration).as_bytes()),
            Duration::Empty => buffer.push(b"-"),
            Duration::Micros(_) => buffer.push_known(Some(&self.duration.to_le_bytes())),
        }
        (buffer.hash(), own_parties)
    }
}

/// A set of fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct FieldSet(u16);

impl FieldSet {
    /// The set with a field.
    #[must_use]
    pub const fn with(self, field: Field) -> Self {
        Self(self.0 | 1 << field as u16)
    }

    /// All fields of one or the other set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// True if it holds a field.
    #[must_use]
    pub const fn has(self, field: Field) -> bool {
        self.0 >> field as u16 & 1 == 1
    }

    /// The set without a field.
    #[must_use]
    pub const fn without(self, field: Field) -> Self {
        Self(self.0 & !(1 << field as u16))
    }

    /// The number of fields.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// True if it holds no field.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Restores a packed set.
    #[must_use]
    pub(crate) const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// A bit for each field.
    #[must_use]
    pub(crate) const fn bits(self) -> u16 {
        self.0
    }
}

/// The `duration` of a record, parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duration {
    /// An empty text.
    Empty,
    /// Not a plain decimal number, or too large.
    Bad,
    /// Microseconds, a fraction finer than that rounded up.
    Micros(u64),
}

impl Duration {
    /// Parses digits with at most one point: `370`, `370.0`. No sign, exponent or separator.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text.is_empty() {
            return Self::Empty;
        }
        // Nearly always a few digits: 70 instructions instead of 230.
        if text.len() <= 9
            && let Some(seconds) = text.bytes().try_fold(0, |sum, byte| {
                byte.is_ascii_digit().then(|| sum * 10 + u64::from(byte - b'0'))
            })
        {
            return Self::Micros(seconds * 1_000_000);
        }
        if !crate::money::is_plain_decimal(text) {
            return Self::Bad;
        }
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let Ok(whole) = whole.parse::<u64>() else { return Self::Bad };
        let digits =
            |range: std::ops::Range<usize>| fraction.bytes().skip(range.start).take(range.len());
        let micros = (0..6).fold(0, |sum, place| {
            sum * 10 + u64::from(fraction.as_bytes().get(place).map_or(0, |b| b - b'0'))
        });
        let finer = digits(6..fraction.len().max(6)).any(|b| b != b'0');
        match whole.checked_mul(1_000_000).and_then(|m| m.checked_add(micros + u64::from(finer))) {
            Some(micros) => Self::Micros(micros),
            None => Self::Bad,
        }
    }

    /// Whole seconds, a fraction rounded up; 0 if there is no usable duration.
    #[must_use]
    pub fn whole_seconds(self) -> u32 {
        match self {
            Self::Micros(micros) => u32::try_from(micros.div_ceil(1_000_000)).unwrap_or(u32::MAX),
            Self::Empty | Self::Bad => 0,
        }
    }
}

#[cfg(test)]
mod tests;
