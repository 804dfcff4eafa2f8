//! A party of a record in eight bytes, and the target of a transfer.

use crate::fit::must_fit;
use crate::intern::Interner;
use crate::party::{Number, Party};
use crate::target::UserPart;
use std::fmt;
use xxhash_rust::xxh3::xxh3_64;

/// A [`Party`] in 64 bits: a number's value, or the id of a text with a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PartyRef(u64);

const ENDPOINT: u64 = 1 << 62;

const UNKNOWN: u64 = 2 << 62;

impl PartyRef {
    /// A placeholder for a party that is never read. (It is no number, and has no text.)
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
    #[inline]
    #[must_use]
    pub fn number(number: Number) -> Self {
        let value = number.value();
        assert!(value & (ENDPOINT | UNKNOWN) == 0, "a number leaves the bits of the tags free");
        Self(value)
    }

    /// Packs a SIP endpoint by the id of its text.
    #[inline]
    #[must_use]
    pub fn endpoint(text: u32) -> Self {
        Self(ENDPOINT | u64::from(text))
    }

    /// The bits without the id of a text: a number whole, else the kind of the text.
    #[inline]
    pub(crate) fn kind(self) -> u64 {
        if self.text_id().is_some() { self.0 & (ENDPOINT | UNKNOWN) } else { self.0 }
    }

    /// Restores a party from its kind ([`Self::kind`]) and the id of its text here, if it has one.
    #[inline]
    pub(crate) fn of_kind(kind: u64, text: impl FnOnce() -> u32) -> Self {
        if kind & (ENDPOINT | UNKNOWN) == 0 { Self(kind) } else { Self(kind | u64::from(text())) }
    }

    /// Unpacks the party.
    #[must_use]
    pub fn unpack(self, texts: &Interner) -> Party<'_> {
        match self.text_id() {
            None => Party::Number(Number::from_value(self.0)),
            Some(id) if self.0 & UNKNOWN != 0 => Party::Unknown(texts.text(id).into()),
            Some(id) => Party::Endpoint(texts.text(id).into()),
        }
    }

    /// The number, if it is one.
    #[inline]
    #[must_use]
    pub fn as_number(self) -> Option<Number> {
        self.text_id().is_none().then(|| Number::from_value(self.0))
    }

    /// The number that a leg from this party starts at: itself, or a SIP endpoint's user part.
    #[inline]
    #[must_use]
    pub fn origin_number(self, texts: &Interner) -> Option<Number> {
        match self.text_id() {
            None => self.as_number(),
            Some(id) if self.0 & UNKNOWN == 0 => crate::party::endpoint_number(texts.text(id)),
            Some(_) => None,
        }
    }

    /// True if it was a number before a program mangled it: see [`crate::party::is_mangled`].
    #[must_use]
    pub fn is_mangled(self, texts: &Interner) -> bool {
        self.text_id()
            .is_some_and(|id| self.0 & UNKNOWN != 0 && crate::party::is_mangled(texts.text(id)))
    }

    /// True if it is an endpoint whose user part was a number once: see
    /// [`crate::party::lacks_plus`].
    #[must_use]
    pub fn lacks_plus(self, texts: &Interner) -> bool {
        self.text_id()
            .is_some_and(|id| self.0 & UNKNOWN == 0 && crate::party::lacks_plus(texts.text(id)))
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

    /// The id of its text; a number has none.
    #[inline]
    #[must_use]
    pub fn text_id(self) -> Option<u32> {
        (self.0 & (ENDPOINT | UNKNOWN) != 0)
            .then(|| must_fit(self.0 & u64::from(u32::MAX), "the id of a text has 32 bits"))
    }
}

/// A child's target text, parsed and packed; see [`crate::target::Asked`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedRef {
    /// A number.
    Number(Number),
    /// An emergency number in a `tel:` URI.
    Emergency(crate::party::Emergency),
    /// A SIP endpoint (id of its text).
    Sip(u32, UserPart),
    /// Not callable.
    Invalid,
}

/// A hash of a party's text, by which two versions of a child are compared.
#[must_use]
pub(crate) fn hash_of(text: &str) -> u32 {
    let [a, b, c, d, ..] = xxh3_64(text.as_bytes()).to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}
