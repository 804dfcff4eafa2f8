//! Numbers as people write them: `+14155550100`, `0014155550100`, `(415) 555-0100`, or the last
//! digits of one. They are looked for among parties; none is ever rated by.
//!
//! **Invariant:** a number with `+` or `00` is one whole number; any other is the end of one, since
//! nobody knows which country a national number is of. So is a party that was written without its
//! country code: `(415) 555-0100` is found by `+14155550100`, and so by each number that ends so.

use crate::party::is_visual_separator;

/// Fewer last digits than these are in too many numbers.
pub const LEAST_DIGITS: usize = 4;
/// The digits that a number may have, with a prefix for calls abroad.
const MOST_DIGITS: usize = 18;
/// The prefix for calls abroad in North America; elsewhere a number may begin with these digits.
const NORTH_AMERICA_ABROAD: &str = "011";
/// So many digits have a national number and the zero before it, at least.
const WITH_TRUNK_ZERO: usize = 7;
/// A party of so many digits may be a number without its country code; a shorter one is an
/// extension.
const LEAST_NATIONAL: usize = 7;
/// A number with its country code has so many digits, at least.
const LEAST_WHOLE: usize = 7;
/// Fewer first digits than these begin too many numbers.
pub const LEAST_FIRST_DIGITS: usize = 3;
/// The digits of a country code, at most.
const COUNTRY_DIGITS: usize = 3;
/// The digits of a number of North America without its country code, which is 1.
const NORTH_AMERICA_DIGITS: usize = 10;

/// A number that somebody wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialled(Vec<Way>);

/// One way to understand it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Way {
    digits: String,
    /// True if these are all digits of the number, with its country code.
    whole: bool,
}

impl Dialled {
    /// Reads a number in any usual writing; `None` if the text is none, or has fewer than
    /// [`LEAST_DIGITS`] digits. 911 and 933 are whole numbers.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if !is_number_like(text) {
            return None;
        }
        let is_abroad = text.starts_with('+') || text.starts_with("00");
        // `+44 (0)20 …`: the zero is for calls from within the country.
        let text = if is_abroad { text.replace("(0)", "") } else { text.to_owned() };
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        if digits.len() > MOST_DIGITS {
            return None;
        }
        let way = |digits: &str, whole| Way { digits: digits.to_owned(), whole };
        if is_abroad {
            let digits = if text.starts_with('+') { &digits } else { &digits[2..] };
            return (digits.len() >= LEAST_DIGITS).then(|| Self(vec![way(digits, true)]));
        }
        if digits == "911" || digits == "933" {
            return Some(Self(vec![way(&digits, true)]));
        }
        if digits.len() < LEAST_DIGITS {
            return None;
        }
        let mut ways = vec![way(&digits, false)];
        if digits.len() >= WITH_TRUNK_ZERO {
            ways.extend(digits.strip_prefix('0').map(|digits| way(digits, false)));
            let abroad = digits.strip_prefix(NORTH_AMERICA_ABROAD);
            ways.extend(
                abroad
                    .filter(|digits| digits.len() >= WITH_TRUNK_ZERO)
                    .map(|digits| way(digits, true)),
            );
        }
        Some(Self(ways))
    }

    /// Digits that a text which has the number must have, one after the other: one of these. A
    /// party without its country code has the last ones alone.
    pub fn needles(&self) -> impl Iterator<Item = &str> {
        let last = |digits: &'_ str| digits.len().saturating_sub(LEAST_NATIONAL);
        self.0.iter().map(move |way| &way.digits[last(&way.digits)..])
    }

    /// True if it is one whole number, and not the end of any.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.0.iter().all(|way| way.whole)
    }

    /// True if a party is this number, or ends with it: `+14155550100`, or the user of
    /// `sip:+14155550100@host`, also with blanks and signs between the digits; or if it is this
    /// number without its country code.
    #[must_use]
    pub fn is_in(&self, party: &str) -> bool {
        // Nine numbers in ten of a log end with another digit.
        if party.starts_with('+')
            && let Some(last) = party.bytes().next_back().filter(u8::is_ascii_digit)
            && self.0.iter().all(|way| way.digits.bytes().next_back() != Some(last))
        {
            return false;
        }
        let Some(written) = Written::of(party) else { return false };
        self.0.iter().any(|way| {
            let own = way.digits.as_bytes();
            written.forms().any(|(digits, is_abroad)| {
                let is_it = if way.whole { digits == own } else { digits.ends_with(own) };
                is_it || !is_abroad && digits.len() >= LEAST_NATIONAL && own.ends_with(digits)
            })
        })
    }
}

/// The beginning of a number: `+1415`, `+1415…`, `(415) 555-01*`, or the user of `sip:+1415…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning {
    digits: String,
    /// True if they begin with the country code.
    is_abroad: bool,
}

impl Beginning {
    /// Reads what ends with `…` or `*`, or has `+` and fewer digits than a number; `None` if the
    /// text is neither, or has fewer than [`LEAST_FIRST_DIGITS`] digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let cut = ["…", "...", "*"].into_iter().find_map(|mark| text.strip_suffix(mark));
        let number = cut.map_or(text, user_of);
        if !is_number_like(number) {
            return None;
        }
        let is_abroad = number.starts_with('+') || number.starts_with("00");
        let number = if is_abroad { number.replace("(0)", "") } else { number.to_owned() };
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        let zeros = if number.starts_with("00") {
            "00"
        } else if is_abroad {
            ""
        } else {
            "0"
        };
        let digits = digits.strip_prefix(zeros).unwrap_or(&digits).to_owned();
        let is_short = number.starts_with('+') && digits.len() < LEAST_WHOLE;
        ((cut.is_some() || is_short) && (LEAST_FIRST_DIGITS..=MOST_DIGITS).contains(&digits.len()))
            .then_some(Self { digits, is_abroad })
    }

    /// The digits without the 1 of North America, if enough are left.
    fn without_one(&self) -> Option<&str> {
        self.digits
            .strip_prefix('1')
            .filter(|digits| self.is_abroad && digits.len() >= LEAST_FIRST_DIGITS)
    }

    /// Digits that a text whose number begins so must have, one after the other.
    #[must_use]
    pub fn needle(&self) -> &str {
        self.without_one().unwrap_or(&self.digits)
    }

    /// True if the number of a party begins so: with its country code, or without it if none was
    /// asked for.
    #[must_use]
    pub fn is_in(&self, party: &str) -> bool {
        let Some(written) = Written::of(party) else { return false };
        let own = self.digits.as_bytes();
        written.forms().any(|(digits, is_abroad)| {
            if !self.is_abroad {
                return (0..=COUNTRY_DIGITS)
                    .any(|code| digits.get(code..).is_some_and(|rest| rest.starts_with(own)));
            }
            let is_national = || {
                digits.len() == NORTH_AMERICA_DIGITS
                    && self.without_one().is_some_and(|own| digits.starts_with(own.as_bytes()))
            };
            if is_abroad {
                digits.starts_with(own)
            } else {
                digits.len() >= LEAST_WHOLE && digits.starts_with(own) || is_national()
            }
        })
    }
}

/// The digits of a party.
struct Written {
    digits: [u8; MOST_DIGITS],
    count: usize,
    has_plus: bool,
}

impl Written {
    /// `None` if the party is no number.
    fn of(party: &str) -> Option<Self> {
        let user = user_of(party);
        let mut digits = [0_u8; MOST_DIGITS];
        let mut count = 0;
        let rest = user.strip_prefix('+').unwrap_or(user);
        for byte in rest.bytes() {
            match byte {
                b'0'..=b'9' if count < MOST_DIGITS => {
                    digits[count] = byte;
                    count += 1;
                }
                b' ' | b'/' | b'\'' => {}
                _ if is_visual_separator(byte) => {}
                _ => return None,
            }
        }
        (count > 0).then_some(Self { digits, count, has_plus: rest.len() < user.len() })
    }

    /// The ways to understand them, each with true if the country code is surely among them.
    fn forms(&self) -> impl Iterator<Item = (&[u8], bool)> {
        let all = &self.digits[..self.count];
        let long = |digits: &&[u8]| digits.len() >= LEAST_NATIONAL;
        let zeros = all.strip_prefix(b"00");
        let (first, others) = match zeros {
            Some(digits) => ((digits, true), [None, None]),
            None if self.has_plus => ((all, true), [None, None]),
            None => {
                let national = all.strip_prefix(b"0").filter(long);
                let abroad = all.strip_prefix(NORTH_AMERICA_ABROAD.as_bytes()).filter(long);
                let others = [national.map(|own| (own, false)), abroad.map(|own| (own, true))];
                ((all, false), others)
            }
        };
        [Some(first)].into_iter().chain(others).flatten()
    }
}

/// The number, or the user of a URI, without parameters.
fn user_of(party: &str) -> &str {
    let bare = party.trim_start_matches('<');
    let rest = ["sip:", "sips:", "tel:"]
        .into_iter()
        .find_map(|scheme| {
            let (own, rest) = bare.split_at_checked(scheme.len())?;
            own.eq_ignore_ascii_case(scheme).then_some(rest)
        })
        .unwrap_or(party);
    rest.split(['@', ';', '>']).next().expect("a text split has a first piece").trim()
}

/// True if a text is written like a number, long enough or not: digits, and signs that stand
/// between them.
#[must_use]
pub fn is_number_like(text: &str) -> bool {
    let rest = text.trim().strip_prefix('+').unwrap_or_else(|| text.trim());
    let is_sign = |c: char| {
        matches!(c, ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}' | '\u{2010}'..='\u{2013}')
    };
    rest.chars().all(|c| c.is_ascii_digit() || is_sign(c))
        && rest.chars().any(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_in_its_usual_writings() {
        for text in [
            "+14155550100",
            "0014155550100",
            "01114155550100",
            "(415) 555-0100",
            "415-555-0100",
            "415.555.0100",
            "1-415-555-0100",
            "14155550100",
            "+1 415 555 0100",
            " 415/5550100 ",
            "415\u{2011}555\u{2011}0100",
            "5550100",
            "0100",
        ] {
            let number = Dialled::parse(text).expect(text);
            for party in [
                "+14155550100",
                "sip:+14155550100@public-vip.ie1.twilio.com",
                "sip:+1-415-555-0100@h.example",
                "14155550100",
                "0014155550100",
                "<SIP:+14155550100@h.example>;tag=1",
                "tel:+1-(415)-555.0100;ext=5",
                "+1 (415) 555-0100",
            ] {
                assert!(number.is_in(party), "{text} in {party}");
            }
            for other in
                ["+14155550101", "sip:bob@host0100", "sip:4155550100.example", "", "CA0100"]
            {
                assert!(!number.is_in(other), "{text} in {other}");
            }
        }
    }

    #[test]
    fn a_whole_number_is_no_end_of_another() {
        let table = [
            ("+15550100", "+14155550100", false),
            ("0015550100", "+14155550100", false),
            ("15550100", "+14155550100", false),
            ("55550100", "+14155550100", true),
            ("020 7946 0110", "+442079460110", true),
            ("+44 (0)20 7946 0110", "+442079460110", true),
            ("011 44 20 7946 0110", "+442079460110", true),
            ("0110", "+442079460110", true),
            ("0114 420 7946", "+441144207946", true),
            ("911", "911", true),
            ("911", "+14155550911", false),
            ("1000", "sip:1000@pbx.example.com", true),
            ("1000", "sip:agent1000@pbx.example.com", false),
        ];
        for (text, party, is_in) in table {
            assert_eq!(Dialled::parse(text).expect(text).is_in(party), is_in, "{text} in {party}");
        }
    }

    #[test]
    fn a_party_without_its_country_code() {
        let table = [
            ("+14155550102", "(415) 555-0102", true),
            ("+14155550102", "415-555-0102", true),
            ("+14155550102", "01114155550102", true),
            ("+14155550102", "0014155550102", true),
            ("+14155550102", "5550102", true),
            ("+14155550102", "550102", false),
            ("+14155550102", "+5550102", false),
            ("+14155550102", "005550102", false),
            ("+14155550102", "(212) 555-0102", false),
            ("(415) 555-0102", "5550102", true),
            ("+442079460110", "020 7946 0110", true),
            ("911", "911", true),
        ];
        for (text, party, is_in) in table {
            let number = Dialled::parse(text).expect(text);
            assert_eq!(number.is_in(party), is_in, "{text} in {party}");
        }
    }

    #[test]
    fn the_beginning_of_a_number() {
        let table = [
            ("+1415", "+14155550102", true),
            ("+1415", "sip:+14155550102@h.example", true),
            ("+1415…", "(415) 555-0102", true),
            ("+1415", "+442079460110", false),
            ("+415", "+14155550102", false),
            ("+14155550…", "+14155550102", true),
            ("+1415*", "01114155550102", true),
            ("sip:+1415…", "+14155550102", true),
            ("(415) 555-01…", "+14155550102", true),
            ("(415) 555-01...", "415-555-0102", true),
            ("(415) 555-02…", "+14155550102", false),
            ("550…", "+14155550102", false),
            ("020 79…", "+442079460110", true),
            ("0044 (0)20 79*", "+442079460110", true),
            ("+1415", "anonymous", false),
            ("+1415", "", false),
        ];
        for (text, party, is_in) in table {
            let beginning = Beginning::parse(text).expect(text);
            assert_eq!(beginning.is_in(party), is_in, "{text} in {party}");
            let digits: String = party.chars().filter(char::is_ascii_digit).collect();
            assert!(!is_in || digits.contains(beginning.needle()), "{text} in {party}");
        }
        for none in ["+14", "14…", "0100", "+1415555", "nord*", "", "…", "sip:+1415@h.example"]
        {
            assert_eq!(Beginning::parse(none), None, "{none}");
        }
    }

    #[test]
    fn what_is_no_number() {
        for text in [
            "",
            "100",
            "+",
            "+100",
            "00100",
            "Nordwind",
            "CA2026",
            "415x555",
            "1234567890123456789",
        ] {
            assert_eq!(Dialled::parse(text), None, "{text}");
        }
        assert!(is_number_like("100") && !is_number_like("CA1") && !is_number_like("+"));
    }

    /// The bytes searched in raw pages are in every text that has the number without signs between.
    #[test]
    fn a_needle_is_in_the_party() {
        for text in ["+14155550100", "0014155550100", "(415) 555-0100", "0100", "020 7946 0110"] {
            let number = Dialled::parse(text).expect(text);
            for party in ["+14155550100", "sip:+14155550100@h.example", "+442079460110"] {
                assert!(
                    !number.is_in(party) || number.needles().any(|needle| party.contains(needle)),
                    "{text} in {party}"
                );
            }
        }
    }
}
