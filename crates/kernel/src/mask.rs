//! Masking: hides digits of a party, and of any number in a sentence.

/// The character in place of a hidden digit.
const HIDDEN: char = '•';
/// The least number of digits of a telephone number: fewer are a count, a duration, a line.
const SHORTEST: usize = 7;

/// A party with its last digits hidden: those of a number, or of the user of a SIP endpoint; never
/// those of its host.
#[must_use]
pub fn party(party: &str, digits: usize) -> String {
    let is_sip = party.starts_with("sip:") || party.starts_with("sips:");
    let (user, host) = party
        .rfind('@')
        .map_or(if is_sip { ("", party) } else { (party, "") }, |at| party.split_at(at));
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

/// A sentence with the last digits of its telephone numbers hidden: seven digits or more in a row,
/// in any script, with blanks and separators between them. Amounts, dates and ids stay.
///
/// Anything that might be a number is masked: in a text that a stranger wrote, too much is hidden
/// rather than too little.
#[must_use]
pub fn sentence(text: &str, digits: usize) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_numeric() || c == '+' || c == '(') {
        let (before, from) = rest.split_at(at);
        shown.push_str(before);
        let date = date_length(from);
        let (number, after) = from.split_at(date.unwrap_or_else(|| number_length(from)));
        if date.is_none() && is_telephone_number(number, &shown, after) {
            shown.push_str(&number_or_numbers(number, digits));
        } else {
            shown.push_str(number);
        }
        rest = after;
    }
    shown + rest
}

/// Hides the last digits of a number with blanks in it, or of each of several numbers with blanks
/// between them.
fn number_or_numbers(text: &str, digits: usize) -> String {
    let is_whole = |word: &str| word.chars().filter(|c| c.is_numeric()).count() >= SHORTEST;
    if !text.split(char::is_whitespace).any(is_whole) {
        return last_digits(text, digits);
    }
    let words = text.split_inclusive(char::is_whitespace);
    words
        .map(|word| if is_whole(word) { last_digits(word, digits) } else { word.to_owned() })
        .collect()
}

fn is_telephone_number(number: &str, before: &str, after: &str) -> bool {
    let count = number.chars().filter(|c| c.is_numeric()).count();
    // An id begins with letters, a number does not.
    let is_of_id =
        before.ends_with(|c: char| c.is_ascii_alphanumeric()) && !number.starts_with('+');
    let is_currency =
        |text: &str| text.len() >= 3 && text.bytes().take(3).all(|byte| byte.is_ascii_uppercase());
    let is_amount = after.strip_prefix(' ').is_some_and(is_currency) && !number.starts_with('+');
    count >= SHORTEST && !is_of_id && !is_amount && !is_decimal(number)
}

/// True for a text in the form of an amount: two decimals or more.
fn is_decimal(text: &str) -> bool {
    let all_digits =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('.').is_some_and(|(whole, places)| {
        all_digits(whole) && all_digits(places) && places.len() >= 2 && whole.len() < 10
    })
}

/// The length in bytes of a date, `2026-11-20`, if a text begins with one.
fn date_length(text: &str) -> Option<usize> {
    let date = text.get(..10)?;
    let is_date = crate::time::days_after(date, 0).is_some_and(|same| same == date);
    is_date.then_some(10)
}

/// The length in bytes of the number at the start of a text, which begins with a digit, `+` or `(`.
fn number_length(text: &str) -> usize {
    let mut end = text.chars().next().map_or(0, char::len_utf8);
    let mut separators = 0;
    for (at, c) in text.char_indices().skip(1) {
        if c.is_numeric() {
            // A date is no part of a number before it.
            if separators > 0 && date_length(&text[at..]).is_some() {
                break;
            }
            (end, separators) = (at + c.len_utf8(), 0);
        } else if is_separator(c) && separators < 2 {
            separators += 1;
        } else {
            break;
        }
    }
    end
}

/// True for a separator between the digits of a number: blanks, strokes and hyphens of every kind.
fn is_separator(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '-' | '.' | '(' | ')' | '/' | '\u{2010}'
                ..='\u{2015}' | '\u{2212}' | '\u{fe63}' | '\u{ff0d}'
        )
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
            (
                "at 2026-11-20T10:00:00Z, CA20261120000000 of 3600 s",
                "at 2026-11-20T10:00:00Z, CA20261120000000 of 3600 s",
            ),
            ("a + b (c) 911 über 5551234", "a + b (c) 911 über 555••••"),
            ("from is `202-555-0123`", "from is `202-555-••••`"),
            ("202 555 0124, 0049 30 5550 0125", "202 555 ••••, 0049 30 5550 ••••"),
            (
                "202.555.0123 tel:202-555-0123 +1/202/555/0123",
                "202.555.•••• tel:202-555-•••• +1/202/555/••••",
            ),
            ("+1\u{a0}202\u{2011}555\u{a0}0123", "+1\u{a0}202\u{2011}555\u{a0}••••"),
            (
                "１２０２５５５０１２３ 12025550123a .2025550123",
                "１２０２５５５•••• 1202555••••a .202555••••",
            ),
            ("12025550123.5 and +1.202.555.0123x7", "12025550•••.• and +1.202.555.••••x7"),
            (
                "2026-11-20 10:00, of 1 2026-11-20; 1234567 JPY",
                "2026-11-20 10:00, of 1 2026-11-20; 1234567 JPY",
            ),
            ("52 calls: 3 of 1,234,567 in 3600 s", "52 calls: 3 of 1,234,567 in 3600 s"),
            ("", ""),
        ] {
            assert_eq!(sentence(text, 4), shown);
        }
        assert_eq!(sentence("+12025550101", 0), "+12025550101");
    }
}
