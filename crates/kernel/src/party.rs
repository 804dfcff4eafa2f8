//! Parties: a number, a SIP endpoint, or unknown.
//!
//! Owns the reading of `from` and `to` by RFC 3261 and RFC 3966. **Invariant:** a text that is not
//! surely a number is none: bare text must be `+` and 7 to 15 digits, and nothing is guessed from a
//! local or national form. Next: [`crate::target`], which reads the transfer target with the same
//! rules, strictly.

mod uri;

pub use self::uri::{Sip, Tel, Uri, UriError};

use std::borrow::Cow;
use std::fmt;

/// Longest URI that is parsed, in bytes; anything longer is no party and no target.
pub const LONGEST_URI: usize = 32 << 10;
/// Most parameters and headers of a URI. Together with the length limit this keeps every input
/// under a millisecond.
pub const MOST_PARAMETERS: usize = 256;

/// A global telephone number (E.164): 7 to 15 digits, the first not 0. Held as the digits' value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(u64);

impl Number {
    /// Parses `+` and 7 to 15 digits, nothing else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::from_digits(text.strip_prefix('+')?.as_bytes())
    }

    /// Parses 7 to 15 digits, the first not 0.
    #[must_use]
    pub fn from_digits(digits: &[u8]) -> Option<Self> {
        if !(7..=15).contains(&digits.len()) || digits[0] == b'0' {
            return None;
        }
        // Eight digits at a time, the last eight without those that the first eight have: 85
        // instructions, 140 digit by digit.
        let Some((first, rest)) = digits.split_first_chunk::<8>() else {
            let mut padded = *b"00000000";
            padded[1..].copy_from_slice(digits);
            return eight_digits(u64::from_le_bytes(padded)).map(Self);
        };
        let last = u64::from_le_bytes(*digits.last_chunk::<8>()?);
        let beyond = rest.len();
        // In reading order the first character is the lowest byte, and a leading `0` does not
        // change the value.
        let kept = KEPT[beyond];
        let last = eight_digits(last & kept | ZEROS & !kept)?;
        Some(Self(eight_digits(u64::from_le_bytes(*first))? * TENS[beyond] + last))
    }

    /// The digits' value, for packing into columns.
    #[inline]
    #[must_use]
    pub fn value(self) -> u64 {
        self.0
    }

    /// Restores a packed number.
    #[inline]
    #[must_use]
    pub fn from_value(value: u64) -> Self {
        debug_assert!((1_000_000..1_000_000_000_000_000).contains(&value), "{value} is no number");
        Self(value)
    }

    /// The digits without `+`, most significant first.
    #[must_use]
    pub fn digits(self) -> Digits {
        let digits = sixteen_digits(self.0);
        Digits { bytes: digits.to_le_bytes(), start: digits.trailing_zeros() as usize / 8 }
    }

    /// `+` and the digits, the first character in the lowest byte, and the number of characters. A
    /// number of 0, which is none, has one digit.
    #[inline]
    #[must_use]
    pub fn text(self) -> (u128, usize) {
        let digits = sixteen_digits(self.0);
        let zeros = (digits.trailing_zeros() / 8).min(15);
        let text = (digits | u128::from(ZEROS) << 64 | u128::from(ZEROS)) >> (8 * zeros) << 8
            | u128::from(b'+');
        (text, 17 - zeros as usize)
    }
}

/// A small set of numbers that few parties have, such as those that stand for a withheld caller.
///
/// Every leg is checked against it: one test of a bit mask nearly always says no, where five
/// comparisons took 50 instructions a leg.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FewNumbers {
    numbers: Vec<Number>,
    /// A bit set of the values' last six bits.
    marks: u64,
}

impl FewNumbers {
    /// True if it has a number.
    #[inline]
    #[must_use]
    pub fn has(&self, number: Number) -> bool {
        self.marks >> (number.0 % 64) & 1 == 1 && self.numbers.contains(&number)
    }

    /// The numbers, in their order.
    pub fn iter(&self) -> impl Iterator<Item = Number> + '_ {
        self.numbers.iter().copied()
    }
}

impl FromIterator<Number> for FewNumbers {
    fn from_iter<I: IntoIterator<Item = Number>>(numbers: I) -> Self {
        let numbers: Vec<Number> = numbers.into_iter().collect();
        let marks = numbers.iter().fold(0, |marks, number| marks | 1 << (number.0 % 64));
        Self { numbers, marks }
    }
}

/// The sixteen digits of a value below 10^16, the first in the lowest byte. It splits halves, their
/// halves and so on in parallel, where a division for each digit would depend on the one before.
#[inline]
fn sixteen_digits(value: u64) -> u128 {
    let eight = |value: u64| {
        let fours = ((value % 10_000) << 32) | (value / 10_000);
        let hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
        let pairs = (fours - hundreds * 100) << 16 | hundreds;
        let tens = ((pairs * 103) >> 10) & 0x000f_000f_000f_000f;
        u128::from((pairs - tens * 10) << 8 | tens)
    };
    eight(value / 100_000_000) | eight(value % 100_000_000) << 64
}

/// Masks that keep the last bytes of eight, by their number; in reading order the first byte is the
/// lowest.
const KEPT: [u64; 8] = [0, !0 << 56, !0 << 48, !0 << 40, !0 << 32, !0 << 24, !0 << 16, !0 << 8];

/// Powers of ten. A table look-up instead of a loop: 25 instructions a record.
const TENS: [u64; 8] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000];

/// Eight `0`.
const ZEROS: u64 = u64::from_le_bytes(*b"00000000");

/// The value of eight digits, the first in the lowest byte.
#[inline]
fn eight_digits(text: u64) -> Option<u64> {
    const TOPS: u64 = u64::from_le_bytes([0x80; 8]);
    let digits = text ^ ZEROS;
    // A byte above 9 carries into its top bit.
    if (digits.wrapping_add(u64::from_le_bytes([0x80 - 10; 8])) | digits) & TOPS != 0 {
        return None;
    }
    // Joins neighbours: digits to pairs in every second byte, pairs to fours, fours to eight.
    let pairs = (digits.wrapping_mul(10).wrapping_add(digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100).wrapping_add(pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some(fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xffff_ffff)
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0)
    }
}

/// The digits of a [`Number`], each 0 to 9 (values, not characters).
#[derive(Debug, Clone, Copy)]
pub struct Digits {
    bytes: [u8; 16],
    start: usize,
}

impl std::ops::Deref for Digits {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

/// An emergency number of the United States and Canada that trunks know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Emergency {
    /// 911.
    Call,
    /// 933, the address test.
    AddressTest,
}

impl Emergency {
    /// Parses 911 or 933 as the whole number, in any spelling: `+` and visual separators are
    /// dropped.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut digits = [0_u8; 3];
        let mut count = 0;
        for byte in text.strip_prefix('+').unwrap_or(text).bytes() {
            if is_visual_separator(byte) {
                continue;
            }
            *digits.get_mut(count)? = byte;
            count += 1;
        }
        match (&digits, count) {
            (b"911", 3) => Some(Self::Call),
            (b"933", 3) => Some(Self::AddressTest),
            _ => None,
        }
    }

    /// The digits.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Call => "911",
            Self::AddressTest => "933",
        }
    }
}

/// A party of a call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Party<'a> {
    /// A telephone number.
    Number(Number),
    /// `sip:user@host` or `sips:user@host`: host in lower case, no port, no parameters, no display
    /// name; `sip:host` if there is no user.
    Endpoint(Cow<'a, str>),
    /// Anything else, kept as given; empty if nothing was given.
    Unknown(Cow<'a, str>),
}

impl Party<'_> {
    /// Reads the `from` or `to` of a root call, where a `tel:` URI and `sip:+number@host` are that
    /// number.
    #[must_use]
    pub fn of_root(text: &str) -> Party<'_> {
        if let Some(number) = Number::parse(text) {
            return Party::Number(number);
        }
        // A plain endpoint needs no further parsing.
        if let Some(plain) = PlainSip::parse(text) {
            return plain
                .user_number()
                .map_or(Party::Endpoint(Cow::Borrowed(plain.endpoint)), Party::Number);
        }
        match Uri::parse(text) {
            Ok(Uri::Tel(tel)) => {
                tel.number.map_or(Party::Unknown(Cow::Borrowed(text)), Party::Number)
            }
            Ok(Uri::Sip(sip)) => {
                sip.user_number().map_or(Party::Endpoint(Cow::Owned(sip.endpoint())), Party::Number)
            }
            Err(_) => Party::Unknown(Cow::Borrowed(text)),
        }
    }
}

/// True if a text that is neither a number nor a SIP endpoint was a number once: it has seven
/// digits or more, or is a number with an exponent, as spreadsheets write it.
#[must_use]
pub fn is_mangled(text: &str) -> bool {
    text.chars().filter(|c| c.is_numeric()).count() >= 7 || has_exponent(text)
}

/// True if an endpoint's user part was a number once: seven digits or more, without the `+` that
/// makes them one (`sip:442079460110@host`). PBX users may have such names, too.
#[must_use]
pub fn lacks_plus(endpoint: &str) -> bool {
    let user = endpoint
        .split_once(':')
        .and_then(|(_, rest)| rest.split_once('@'))
        .map_or("", |(user, _)| user);
    let digits = without_separators(without_user_parameters(user));
    digits.len() >= 7 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// True for `4.4E+11`, also with a decimal comma.
fn has_exponent(text: &str) -> bool {
    let Some((number, exponent)) = text.split_once(['e', 'E']) else { return false };
    let is_decimal = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b','))
    };
    let digits = exponent.trim_start_matches('+');
    is_decimal(number.trim_start_matches(['+', '\'']).trim_start())
        && !digits.is_empty()
        && digits.bytes().all(|b| b.is_ascii_digit())
}

/// 911 or 933 as the `to` of a root call: bare, as a `tel:` URI or as the user of a SIP URI.
#[must_use]
pub fn emergency_of_root(text: &str) -> Option<Emergency> {
    if let Some(emergency) = Emergency::parse(text) {
        return Some(emergency);
    }
    match Uri::parse(text).ok()? {
        Uri::Tel(tel) => tel.emergency,
        Uri::Sip(sip) => sip.user_emergency(),
    }
}

/// The number in the user part of an endpoint text (`sip:+14155550100@host`), if it is one.
#[must_use]
pub fn endpoint_number(endpoint: &str) -> Option<Number> {
    let (user, _) = endpoint.split_once(':')?.1.split_once('@')?;
    // A number starts with `+`, even after separators are dropped; most users of a PBX do not.
    if user.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        return None;
    }
    Number::parse(&without_separators(without_user_parameters(user)))
}

/// The host of an endpoint text.
#[must_use]
pub fn endpoint_host(endpoint: &str) -> &str {
    let rest = endpoint.split_once(':').map_or(endpoint, |(_, rest)| rest);
    rest.rsplit_once('@').map_or(rest, |(_, host)| host)
}

/// True if a byte is a visual separator of RFC 3966.
#[must_use]
pub fn is_visual_separator(byte: u8) -> bool {
    matches!(byte, b'-' | b'.' | b'(' | b')')
}

/// A user part without its own parameters (RFC 3966 §3): `+14155550100` of `+14155550100;npdi`.
fn without_user_parameters(user: &str) -> &str {
    user.split(';').next().expect("a text split has a first piece")
}

/// Drops visual separators.
fn without_separators(text: &str) -> Cow<'_, str> {
    if text.bytes().any(is_visual_separator) {
        Cow::Owned(text.chars().filter(|c| !matches!(c, '-' | '.' | '(' | ')')).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// A SIP URI that already has the form of [`Sip::endpoint`]: `sip:` or `sips:`, a user of letters,
/// digits and `+-._`, a host name in lower case; nothing before, between or after, except `<…>`
/// around all of it.
///
/// Most transfers to a SIP URI are written like this. Parsing one takes 650 instructions, by
/// [`Uri::parse`] 3,200 and a dozen allocations; both give the same result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlainSip<'a> {
    /// The endpoint: the text without `<…>`.
    pub endpoint: &'a str,
    user: &'a str,
}

impl<'a> PlainSip<'a> {
    /// Parses a text; `None` if it is anything else, or needs the full parser.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let endpoint = match text.strip_prefix('<') {
            Some(rest) => rest.strip_suffix('>')?,
            None => text,
        };
        let rest = endpoint.strip_prefix("sip:").or_else(|| endpoint.strip_prefix("sips:"))?;
        let at = rest.bytes().position(|byte| !is_plain_in_user(byte))?;
        let host = rest[at..].strip_prefix('@')?.as_bytes();
        if at == 0 || at > LONGEST_PLAIN || host.len() > LONGEST_PLAIN {
            return None;
        }
        // Labels are not empty, have no hyphen at either end, and the last starts with a letter.
        let (mut before, mut last_label) = (b'.', b'0');
        for byte in host.iter().copied() {
            match (before, byte) {
                (b'.', b'a'..=b'z' | b'0'..=b'9') => last_label = byte,
                (_, b'a'..=b'z' | b'0'..=b'9') => {}
                (b'.', _) | (b'-', b'.') => return None,
                (_, b'.' | b'-') => {}
                _ => return None,
            }
            before = byte;
        }
        (!matches!(before, b'.' | b'-') && last_label.is_ascii_lowercase())
            .then_some(Self { endpoint, user: &rest[..at] })
    }

    /// The user part as a number, visual separators dropped.
    #[must_use]
    pub fn user_number(self) -> Option<Number> {
        Number::parse(self.user).or_else(|| Number::parse(&without_separators(self.user)))
    }

    /// The user part as 911 or 933.
    #[must_use]
    pub fn user_emergency(self) -> Option<Emergency> {
        Emergency::parse(self.user)
    }
}

/// Longest user and longest host of a [`PlainSip`]: below every limit of [`Uri::parse`].
const LONGEST_PLAIN: usize = 200;

fn is_plain_in_user(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.' | b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(text: &str) -> String {
        match Party::of_root(text) {
            Party::Number(number) => format!("number {number}"),
            Party::Endpoint(text) => format!("endpoint {text}"),
            Party::Unknown(text) => format!("unknown {text}"),
        }
    }

    #[test]
    fn few_numbers_have_their_own() {
        let number = |value: u64| Number::from_value(14_155_550_100 + value);
        let few: FewNumbers = [3, 67].map(number).into_iter().collect();
        let had: Vec<u64> = (0..200).filter(|value| few.has(number(*value))).collect();
        assert_eq!((had, few.iter().count()), (vec![3, 67], 2));
        assert!(!FewNumbers::default().has(number(3)));
    }

    #[test]
    fn root_parties() {
        let table = [
            ("+14155550100", "number +14155550100"),
            ("tel:+1-(415)-555.0100;ext=5", "number +14155550100"),
            ("sip:+14155550100@public-vip.ie1.twilio.com", "number +14155550100"),
            ("\"Bob, \\\"B\\\"\" <SIP:+1-415-555-0100@Host.Example>;tag=1", "number +14155550100"),
            ("sip:%2B14155550100@h.example", "number +14155550100"),
            (
                "sips:Alice@PBX.Example.COM:5061;transport=tls",
                "endpoint sips:Alice@pbx.example.com",
            ),
            ("sip:pbx.example.com", "endpoint sip:pbx.example.com"),
            ("sip:1000@[2001:DB8::1]", "endpoint sip:1000@[2001:db8::1]"),
            ("sip:a;;b@example.com", "endpoint sip:a;;b@example.com"),
            ("sip:a;@example.com", "endpoint sip:a;@example.com"),
            (
                "sip:user;par=u%40example.net@example.com",
                "endpoint sip:user;par=u%40example.net@example.com",
            ),
            ("sip:%61lice%3bx@example.com;transport=tcp", "endpoint sip:alice;x@example.com"),
            ("sip:a:pass,word@example.com", "endpoint sip:a@example.com"),
            ("sip:+14155550100;npdi@h.example", "number +14155550100"),
            (
                "<sip:1_odd.URI~(may-be!so)&it+has$every/legal?,/;;*:&even=1,a!pas$wo~d_.(isn't-it)@example.com>",
                "endpoint sip:1_odd.URI~(may-be!so)&it+has$every/legal?,/;;*@example.com",
            ),
            ("sip:a b@example.com", "unknown sip:a b@example.com"),
            ("sip:a%4@example.com", "unknown sip:a%4@example.com"),
            ("sip:a#b@example.com", "unknown sip:a#b@example.com"),
            ("sip::x@example.com", "unknown sip::x@example.com"),
            ("14155550100", "unknown 14155550100"),
            ("+1415", "unknown +1415"),
            ("+0415555010", "unknown +0415555010"),
            ("+1234567890123456", "unknown +1234567890123456"),
            ("anonymous", "unknown anonymous"),
            ("sip:a@b@c", "unknown sip:a@b@c"),
            ("", "unknown "),
        ];
        for (text, expected) in table {
            assert_eq!(root(text), expected, "{text}");
        }
    }

    #[test]
    fn numbers_that_were_mangled() {
        let mangled = [
            "442079460110",
            "4.42079E+11",
            "4,42079E+11",
            "4.4E+11",
            "4e11",
            "'+442079460110",
            "+44 20 7946 0110",
        ];
        for text in mangled.into_iter().chain([
            "(202) 555-0101",
            "=+442079460110",
            "2025550101",
            "0044 2079 460110",
        ]) {
            assert!(is_mangled(text), "{text}");
        }
        for text in
            ["", "anonymous", "Restricted", "1000", "reception", "911", "e1", "1e", "unavailable"]
        {
            assert!(!is_mangled(text), "{text}");
        }
    }

    #[test]
    fn users_that_lack_a_plus() {
        for text in [
            "sip:442079460110@h",
            "sips:00442079460110@h.example",
            "sip:1-415-555-0100@h",
            "sip:4155550100;npdi@h",
        ] {
            assert!(lacks_plus(text), "{text}");
        }
        for text in [
            "sip:+442079460110@h",
            "sip:100100@h",
            "sip:bob@h",
            "sip:4420794601a@h",
            "sip:h",
            "sip:1234567.example",
            "",
        ] {
            assert!(!lacks_plus(text), "{text}");
        }
    }

    #[test]
    fn numbers_by_eights_equal_numbers_by_ones() {
        let by_ones = |digits: &[u8]| {
            let fits = (7..=15).contains(&digits.len())
                && digits[0] != b'0'
                && digits.iter().all(u8::is_ascii_digit);
            fits.then(|| digits.iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0')))
        };
        for length in 0..=17 {
            for seed in 0..50_usize {
                let digits: Vec<u8> =
                    (0..length).map(|at| b"1029384756"[(at * 7 + seed * (at + 3)) % 10]).collect();
                assert_eq!(
                    Number::from_digits(&digits).map(Number::value),
                    by_ones(&digits),
                    "{digits:?}"
                );
            }
            for (place, byte) in
                (0..length).flat_map(|place| (0..=255).map(move |byte| (place, byte)))
            {
                let mut digits = vec![b'9'; length];
                digits[place] = byte;
                assert_eq!(
                    Number::from_digits(&digits).map(Number::value),
                    by_ones(&digits),
                    "{digits:?}"
                );
            }
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config { cases: 3000, ..Default::default() })]

        /// Every text that is parsed as a plain SIP endpoint gives the same result in the parser of
        /// all URIs.
        #[test]
        fn plain_endpoints_are_what_the_uri_parser_says(
            text in "<?(sip|sips|SIP|tel):([+]?[0-9A-Za-z._-]{0,16}|911|9-1-1|[+]1-415-555-0100|[!-~]{0,4})@[a-zA-Z0-9.-]{0,5}[a-z0-9-]{0,6}[.][a-z0-9-]{0,4}[ -~]?>?",
        ) {
            if let Some(plain) = PlainSip::parse(&text) {
                let Ok(Uri::Sip(sip)) = Uri::parse(&text) else { panic!("{text}") };
                assert_eq!(sip.endpoint(), plain.endpoint);
                assert_eq!(sip.user_number(), plain.user_number(), "{text}");
                assert_eq!(sip.user_emergency(), plain.user_emergency(), "{text}");
            }
        }
    }

    #[test]
    fn what_is_plain() {
        for plain in [
            "sip:1000@pbx.example.com",
            "sips:+14155550100@h.example",
            "sip:a.b_c-d@x-1.y2",
            "<sip:911@localhost>",
        ] {
            assert!(PlainSip::parse(plain).is_some(), "{plain}");
        }
        for other in [
            "sip:@h",
            "sip:a@",
            "sip:a@h.",
            "sip:a@.h",
            "sip:a@h..i",
            "sip:a@-h",
            "sip:a@h-",
            "sip:a@h-.i",
            "sip:a@1.2",
        ] {
            assert_eq!(PlainSip::parse(other), None, "{other}");
        }
        for other in [
            "sip:a@H",
            "SIP:a@h",
            "sip:a@h:5060",
            "sip:a@h;x",
            "sip:a:b@h",
            " sip:a@h",
            "sip:a%41@h",
            "sip:a@h i",
            "sip:h",
            "<sip:a@h",
            "sip:a@h>",
            "<<sip:a@h>>",
        ] {
            assert_eq!(PlainSip::parse(other), None, "{other}");
        }
    }

    #[test]
    fn emergencies_of_roots() {
        for text in
            ["911", "+911", "9-1-1", "(933)", "tel:911;phone-context=+1", "sip:9%311@any.example"]
        {
            assert!(emergency_of_root(text).is_some(), "{text}");
        }
        for text in ["9111", "+1911", "tel:+911123456789", "sip:x911@any.example", "", "-", "9.1"] {
            assert_eq!(emergency_of_root(text), None, "{text}");
        }
    }

    #[test]
    fn digits_come_most_significant_first() {
        assert_eq!(
            &*Number::parse("+14155550100").unwrap().digits(),
            [1, 4, 1, 5, 5, 5, 5, 0, 1, 0, 0]
        );
    }

    #[test]
    fn endpoints_are_taken_apart() {
        assert_eq!(
            endpoint_number("sip:+14155550100@pbx.example.com"),
            Number::parse("+14155550100")
        );
        assert_eq!(
            endpoint_number("sip:+1-(415)-555.0100@pbx.example.com"),
            Number::parse("+14155550100")
        );
        assert_eq!(endpoint_number("sip:pbx.example.com"), None);
        assert_eq!(endpoint_host("sips:a@b.example"), "b.example");
        assert_eq!(endpoint_host("sip:b.example"), "b.example");
    }
}
