//! Prefixes in a deck's lists, and the advice for one that is invalid.
//!
//! **Invariant:** nothing is repaired. `004915` could be read as `4915`, but a deck is a price
//! list: only its author knows what it means, and until they say so no call is silently priced by
//! another row.
//!
//! A prefix that starts with 0 is taken in a deck of the archive: calls were booked with the deck
//! as it is, and must be explained with it. Its row has never won and never will, as no number
//! starts with 0.

use crate::sheet::Strictness;
use trunkrate_kernel::deck::{Destination, Prefix};

/// The most digits of a number, and so of a prefix.
const LONGEST: usize = 15;

/// A list that is not understood: the text found, and the text to write.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub problem: String,
    pub hint: String,
}

/// The prefixes of a destination list; the word `emergency` stands for 911 and 933.
pub(crate) fn destinations(list: &str, strictness: Strictness) -> Result<Vec<Destination>, Wrong> {
    if list.is_empty() {
        return Err(Wrong {
            problem: "the list is empty; expected digits without +".to_owned(),
            hint: "write the prefixes of the numbers that the row prices, such as 4915, or the \
                   word emergency"
                .to_owned(),
        });
    }
    let destination = |text: &str| match text {
        text if text.eq_ignore_ascii_case("emergency") => Ok(Destination::Emergency),
        text => prefix(text, strictness).map(Destination::Prefix),
    };
    list.split(',').map(str::trim).map(destination).collect()
}

/// The prefixes of an origin list; none for a blank list or `ALL`: any origin.
pub(crate) fn origins(list: &str, strictness: Strictness) -> Result<Vec<Prefix>, Wrong> {
    if list.is_empty() || list.eq_ignore_ascii_case("all") {
        return Ok(Vec::new());
    }
    list.split(',').map(str::trim).map(|text| prefix(text, strictness)).collect()
}

fn prefix(text: &str, strictness: Strictness) -> Result<Prefix, Wrong> {
    match Prefix::parse(text) {
        Some(prefix) if strictness == Strictness::Archived || !text.starts_with('0') => Ok(prefix),
        Some(_) => Err(leading_zero(text)),
        None => Err(no_prefix(text)),
    }
}

fn leading_zero(text: &str) -> Wrong {
    let problem =
        format!("`{text}` starts with 0, as no international number does: the row could never win");
    let rest = text.trim_start_matches('0');
    let hint = match rest {
        "" => "write the country code, such as 49: prefixes have no leading 0".to_owned(),
        _ if text.starts_with("00") => format!("write {rest}: prefixes have no leading 00"),
        _ => format!(
            "write the country code in place of the 0, such as 49{rest}: prefixes are those of \
             international numbers"
        ),
    };
    Wrong { problem, hint }
}

/// The error for a text that is not digits, or has too many.
fn no_prefix(text: &str) -> Wrong {
    let problem = if text.is_empty() {
        "`` is no number prefix: the list has an empty item".to_owned()
    } else {
        format!("`{text}` is no number prefix; expected 1 to {LONGEST} digits without +")
    };
    Wrong { problem, hint: what_to_write(text) }
}

fn what_to_write(text: &str) -> String {
    if text.is_empty() {
        return "write prefixes with one comma between, and none before the first or after the \
                last"
            .to_owned();
    }
    if text.eq_ignore_ascii_case("all") {
        return "ALL stands alone in its list, and only among origins, where it means any; write \
                the prefixes"
            .to_owned();
    }
    if text.contains([';', '|', '/', '\t', '\n']) {
        return "write a comma between prefixes, and the list in quotes".to_owned();
    }
    if is_range(text) {
        return "write each prefix of the range, with commas between".to_owned();
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return format!("write at most {LONGEST} digits: no number has more");
    }
    // Signs that people and spreadsheets put into one prefix; not brackets, as in +49 (0)15, which
    // hold a digit to be removed.
    let bare = text.trim_start_matches('\'').trim_end_matches(['*', '%']);
    let bare = bare.strip_suffix(".0").unwrap_or(bare);
    let is_sign =
        |c: char| c.is_whitespace() || matches!(c, '+' | '-' | '.' | '\u{2011}' | '\u{2013}');
    let digits: String = bare.chars().filter(|c| !is_sign(*c)).collect();
    let digits = digits.strip_prefix("00").unwrap_or(&digits);
    match Prefix::parse(digits) {
        Some(_) if !digits.starts_with('0') => format!("write {digits}: prefixes are digits alone"),
        _ => "write the digits that the numbers start with, such as 4915".to_owned(),
    }
}

/// True for two groups of digits of the same length with a hyphen between: `441-449`.
fn is_range(text: &str) -> bool {
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let ends = text.split_once(['-', '\u{2013}', ':']).map(|(from, to)| (from.trim(), to.trim()));
    ends.is_some_and(|(from, to)| is_digits(from) && is_digits(to) && from.len() == to.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_write_is_said() {
        for (text, hint) in [
            ("004915", "write 4915: prefixes have no leading 00"),
            ("000", "write the country code, such as 49: prefixes have no leading 0"),
            ("0", "write the country code, such as 49: prefixes have no leading 0"),
            (
                "015",
                "write the country code in place of the 0, such as 4915: prefixes are those of international numbers",
            ),
            ("+49", "write 49: prefixes are digits alone"),
            ("+49 (0)15", "write the digits that the numbers start with, such as 4915"),
            ("+0049", "write 49: prefixes are digits alone"),
            ("49 15", "write 4915: prefixes are digits alone"),
            ("49\u{a0}15", "write 4915: prefixes are digits alone"),
            ("1-800", "write 1800: prefixes are digits alone"),
            ("'49", "write 49: prefixes are digits alone"),
            ("49.0", "write 49: prefixes are digits alone"),
            ("49*", "write 49: prefixes are digits alone"),
            ("441-449", "write each prefix of the range, with commas between"),
            ("49;43", "write a comma between prefixes, and the list in quotes"),
            ("1234567890123456", "write at most 15 digits: no number has more"),
            ("49x", "write the digits that the numbers start with, such as 4915"),
            ("GB", "write the digits that the numbers start with, such as 4915"),
            ("4.9E+10", "write the digits that the numbers start with, such as 4915"),
            ("\u{664}\u{669}", "write the digits that the numbers start with, such as 4915"),
        ] {
            let wrong = prefix(text, Strictness::Full).expect_err(text);
            assert_eq!(wrong.hint, hint, "{text}");
        }
        assert!(
            prefix("49", Strictness::Full).is_ok() && prefix("0049", Strictness::Archived).is_ok()
        );
        assert_eq!(destinations("49, EMERGENCY", Strictness::Full).map(|list| list.len()), Ok(2));
        assert_eq!(origins("All", Strictness::Full), Ok(Vec::new()));
    }
}
