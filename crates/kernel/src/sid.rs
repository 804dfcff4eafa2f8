//! Ids of calls: 128 bits for the carrier's form, a hash beside the text for every other.

use std::collections::HashMap;
use std::fmt;
use xxhash_rust::xxh3::xxh3_128;

/// A call's id, in 128 bits: the value of `CA` and 32 lower-case hex digits, else a hash of the
/// text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Sid(pub u128);

impl Sid {
    /// No id.
    pub const EMPTY: Self = Self(0);

    /// The id of a text, and true if the text can be printed back from it.
    #[must_use]
    pub fn of(text: &str) -> (Self, bool) {
        if text.is_empty() {
            return (Self::EMPTY, true);
        }
        match carrier_sid(text.as_bytes()) {
            Some(value) if value != 0 => (Self(value), true),
            _ => {
                let hash = xxh3_128(text.as_bytes());
                assert_ne!(Self(hash), Self::EMPTY, "only the empty text is no id");
                (Self(hash), false)
            }
        }
    }

    /// True for no id.
    #[inline]
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
    // All digits at once, which the compiler vectorises, and the sum of all errors: 110
    // instructions where a branch per digit took 480.
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

    /// True if all ids are in the carrier's form.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text of an id.
    #[inline]
    #[must_use]
    pub fn text(&self, sid: Sid) -> SidText<'_> {
        self.odd(sid).map_or(SidText::Carrier(sid), SidText::Odd)
    }

    /// The text of an id in another form than the carrier's.
    #[inline]
    #[must_use]
    pub fn odd(&self, sid: Sid) -> Option<&str> {
        // Nearly every night has none: then nothing is hashed.
        if self.0.is_empty() { None } else { self.0.get(&sid).map(AsRef::as_ref) }
    }

    /// Stores the text of an id.
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
