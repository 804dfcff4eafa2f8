//! Digits that are hidden: of a party, and of any number in a sentence.

/// What stands for a hidden digit.
const HIDDEN: char = '•';
/// So many digits make a number: fewer are a count, a duration, a line.
const SHORTEST: usize = 7;

/// A party with its last digits hidden: those of a number, or of the user of a SIP endpoint; not of its host.
#[must_use]
pub fn party(party: &str, digits: usize) -> String {
    let is_sip = party.starts_with("sip:") || party.starts_with("sips:");
    let (user, host) = party.rfind('@').map_or(if is_sip { ("", party) } else { (party, "") }, |at| party.split_at(at));
    last_digits(user, digits) + host
}

fn last_digits(text: &str, digits: usize) -> String {
    let mut left = digits;
    let mut hidden: Vec<char> = Vec::with_capacity(text.len());
    for c in text.chars().rev() {
        let hide = left > 0 && c.is_numeric();
        left -= usize::from(hide);
        hidden.push(if hide { HIDDEN } else { c });
    }
    hidden.into_iter().rev().collect()
}

/// A sentence with the last digits of its telephone numbers hidden: of seven digits or more in a row, which may have blanks
/// and separators between them after a `+` or `(`. Amounts, dates and ids stay.
#[must_use]
pub fn sentence(text: &str, digits: usize) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit() || matches!(c, '+' | '(')) {
        let (before, from) = rest.split_at(at);
        shown.push_str(before);
        let length = number_length(from);
        let (number, after) = from.split_at(length);
        let is_part = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let is_fraction = shown.ends_with('.') || after.strip_prefix('.').is_some_and(|more| is_part(more.chars().next()));
        let is_number = number.bytes().filter(u8::is_ascii_digit).count() >= SHORTEST
            && !is_fraction
            && (number.starts_with('+') || !is_part(shown.chars().last()))
            && !is_part(after.chars().next());
        if is_number {
            shown.push_str(&last_digits(number, digits));
        } else {
            shown.push_str(number);
        }
        rest = after;
    }
    shown + rest
}

/// How many bytes of a text that begins with a digit, `+` or `(` are one number's.
fn number_length(text: &str) -> usize {
    let has_separators = !text.starts_with(|c: char| c.is_ascii_digit());
    let mut end = 1;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            b'0'..=b'9' => end = at + 1,
            b' ' | b'-' | b'.' | b'(' | b')' if has_separators && at <= end + 1 => {}
            _ => break,
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parties_are_masked_from_their_end() {
        for (text, digits, shown) in [
            ("+442079460110", 4, "+44207946••••"),
            ("sip:+13035550105@pbx7.example.com", 3, "sip:+13035550•••@pbx7.example.com"),
            ("sip:a@5551234567@host", 4, "sip:a@555123••••@host"),
            ("sip:h5551234.example", 4, "sip:h5551234.example"),
            ("anonymous", 4, "anonymous"),
            ("+442079460110", 0, "+442079460110"),
        ] {
            assert_eq!(party(text, digits), shown);
        }
    }

    #[test]
    fn numbers_are_masked_in_sentences() {
        for (text, shown) in [
            ("442079460110 as its caller: 0.01000 USD", "44207946•••• as its caller: 0.01000 USD"),
            ("to is `+44 20 7946 0110`, of 2026-11-20", "to is `+44 20 7946 ••••`, of 2026-11-20"),
            ("(202) 555-0101 and +12025550101.", "(202) 555-•••• and +1202555••••."),
            ("sip:+12025550101@pbx.example:5060", "sip:+1202555••••@pbx.example:5060"),
            ("ours is 1234567.89000 USD, 0.1234567", "ours is 1234567.89000 USD, 0.1234567"),
            ("at 2026-11-20T10:00:00Z, CA20261120000000 of 3600 s", "at 2026-11-20T10:00:00Z, CA20261120000000 of 3600 s"),
            ("a + b (c) 911 über 5551234", "a + b (c) 911 über 555••••"),
            ("", ""),
        ] {
            assert_eq!(sentence(text, 4), shown);
        }
        assert_eq!(sentence("+12025550101", 0), "+12025550101");
    }
}
