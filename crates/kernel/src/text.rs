//! Text from outside: names and parties that a stranger may have chosen. For each reader of such
//! text one function makes it harmless.
//!
//! | where it goes | what decides |
//! |---|---|
//! | a terminal, a page, a printed page | [`visible`] |
//! | JSON, and lines that are laid out already, on their way to a terminal | [`escaped`] |
//! | a cell of a spreadsheet | [`cell`] |
//! | a file's name | [`file_stem`] |
//!
//! Markup is escaped by its writer (templates, XML writers); a template never sees text as template
//! code.

use std::borrow::Cow;
use std::fmt::Write;

/// Text for a person: control characters and bidirectional tricks are shown, not obeyed.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let shown = |c: char| if is_hidden(c) { c.escape_unicode().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(shown).collect())
}

/// JSON, or lines that are laid out already, for a terminal: what [`visible`] shows is written as
/// JSON writes it, `\u009b`. What is below U+007F stays: JSON escapes it within its texts, and
/// between them it is a line end.
///
/// ```
/// use trunkrate_kernel::text::escaped;
///
/// assert_eq!(escaped("{\"name\": \"a\u{9b}b\"}\n"), "{\"name\": \"a\\u009bb\"}\n");
/// assert_eq!(escaped("\u{e0041}"), "\\udb40\\udc41", "two of UTF-16, as in JSON");
/// ```
#[must_use]
pub fn escaped(text: &str) -> Cow<'_, str> {
    let is_obeyed = |c: char| c >= '\u{7f}' && is_hidden(c);
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_obeyed(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(shown, "\\u{unit:04x}").expect("a String takes all");
            }
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// True if a character changes the display of others and shows nothing itself.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{feff}' | '\u{fff9}'..='\u{fffb}')
        || matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e007f}')
}

/// Text for a cell of a spreadsheet: a text that would run as a formula gets a leading `'`. An
/// E.164 number may start with `+`, a decimal with `-`.
#[must_use]
pub fn cell(text: &str) -> Cow<'_, str> {
    let shown = visible(text);
    if runs_as_formula(text) { Cow::Owned(format!("'{shown}")) } else { shown }
}

fn runs_as_formula(text: &str) -> bool {
    let start = text.trim_start_matches(|c: char| c.is_whitespace() || c.is_control());
    let runs = start.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '|', '%'])
        || text.starts_with(['\t', '\r', '\n']);
    let is_number = |digits: &str| crate::money::is_plain_decimal(digits);
    // The last digits of a number may be masked.
    let is_e164 = |digits: &str| {
        digits.len() >= 7 && digits.trim_end_matches('•').bytes().all(|b| b.is_ascii_digit())
    };
    let harmless = text.strip_prefix('+').is_some_and(is_e164)
        || text.strip_prefix('-').is_some_and(is_number);
    runs && !harmless
}

/// The same for a cell that may hold tabs and line ends, as a record does: they stay.
#[must_use]
pub fn cell_of_lines(text: &str) -> Cow<'_, str> {
    if !text.contains(['\t', '\n', '\r']) {
        return cell(text);
    }
    let mut shown = if runs_as_formula(text) { "'".to_owned() } else { String::new() };
    for piece in text.split_inclusive(['\t', '\n', '\r']) {
        let (words, end) = piece.split_at(piece.trim_end_matches(['\t', '\n', '\r']).len());
        shown.push_str(&visible(words));
        shown.push_str(end);
    }
    Cow::Owned(shown)
}

/// A file name, without its ending, that cannot be chosen by the author of the text: the text
/// itself if it is an account's id in the carrier's form, else its letters and digits with a hash
/// of all of it.
#[must_use]
pub fn file_stem(text: &str) -> String {
    let hex = |text: &str| {
        text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    if text.strip_prefix("AC").is_some_and(hex) {
        return text.to_owned();
    }
    let clean: String = text.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    format!("{clean}-{}", &blake3::hash(text.as_bytes()).to_hex()[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_is_shown() {
        assert_eq!(visible("Nordwind Logistik – Größe"), "Nordwind Logistik – Größe");
        assert_eq!(visible("a\u{1b}[31mb"), "a\\u{1b}[31mb");
        assert_eq!(visible("abc\u{202e}def"), "abc\\u{202e}def");
        assert_eq!(visible("a\u{200b}b\n"), "a\\u{200b}b\\u{a}");
        assert_eq!(visible("a\u{fffe}\u{ffff}"), "a\\u{fffe}\\u{ffff}", "XML forbids them");
    }

    #[test]
    fn a_cell_of_lines_keeps_them() {
        for (text, expected) in [
            ("CA1;+14155550100\tx\r\n", "CA1;+14155550100\tx\r\n"),
            ("=1\t\u{1b}[31m", "'=1\t\\u{1b}[31m"),
            ("\t=1", "'\t=1"),
            ("=1+1", "'=1+1"),
            ("'=1\n", "'=1\n"),
        ] {
            assert_eq!(cell_of_lines(text), expected);
        }
    }

    #[test]
    fn formulas_are_no_formulas() {
        for (text, expected) in [
            ("=1+1", "'=1+1"),
            ("+442079460110", "+442079460110"),
            ("+44207946••••", "+44207946••••"),
            ("+1•1234567", "'+1•1234567"),
            ("+1+cmd|' /C calc'!A0", "'+1+cmd|' /C calc'!A0"),
            ("-0.00340", "-0.00340"),
            ("-2+3", "'-2+3"),
            ("@SUM(A1)", "'@SUM(A1)"),
            (" =1", "' =1"),
            ("\t=1", "'\\u{9}=1"),
            ("＝1", "'＝1"),
            ("Harbor Lane", "Harbor Lane"),
        ] {
            assert_eq!(cell(text), expected, "{text:?}");
        }
    }

    #[test]
    fn file_names_stay_in_their_folder_and_apart() {
        let carrier = "AC20261120000000000000000000000001";
        assert_eq!(file_stem(carrier), carrier);
        for text in ["../../etc/passwd", "..", "", "a/b", "a\0b", "CON", "ä"] {
            let stem = file_stem(text);
            assert!(
                stem.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') && stem.len() >= 9,
                "{stem}"
            );
        }
        assert_ne!(file_stem("a/b"), file_stem("ab"));
    }
}
