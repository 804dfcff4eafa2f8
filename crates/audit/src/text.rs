//! Parsers of texts: CSV records, money, times, and the numbers in a party.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat};

/// A CSV text under a header.
pub(super) struct Sheet {
    /// The names of the columns: lower case, letters and digits only.
    pub header: Vec<String>,
    pub records: Vec<Record>,
}

/// A record of a CSV text.
pub(super) struct Record {
    /// The line on which it starts, the first being 1.
    pub line: i64,
    cells: Vec<String>,
}

impl Sheet {
    /// Reads a text whose first record is the header, and whose records all have the length of the
    /// header.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let sheet = Self::with_delimiter(text, ',')?;
        let header = &sheet.header;
        match (1..)
            .zip(header)
            .find(|(after, title)| header.iter().skip(*after).any(|other| other == *title))
        {
            Some((_, twice)) => Err(format!("has the column `{twice}` twice")),
            None => Ok(sheet),
        }
    }

    /// Reads a text with one of the delimiters that lists may have: the one under which the header
    /// has this column alone in a cell. (At most one can, unless it is the only column.)
    pub(super) fn with_column(text: &str, column: &str) -> Result<Self, String> {
        let has_column = |delimiter: &char| {
            let header = records(text, *delimiter).into_iter().next();
            header.is_some_and(|header| header.cells.iter().any(|title| plain(title) == column))
        };
        let delimiter = [',', ';', '\t', '|'].into_iter().find(has_column);
        Self::with_delimiter(text, delimiter.ok_or_else(|| format!("has no column `{column}`"))?)
    }

    fn with_delimiter(text: &str, delimiter: char) -> Result<Self, String> {
        let mut records = records(text, delimiter);
        if records.is_empty() {
            return Err("is empty".to_owned());
        }
        let header: Vec<String> =
            records.remove(0).cells.iter().map(|title| plain(title)).collect();
        match records.iter().find(|record| record.cells.len() != header.len()) {
            Some(record) => Err(format!(
                "line {}: has {} cells, expected {}",
                record.line,
                record.cells.len(),
                header.len()
            )),
            None => Ok(Self { header, records }),
        }
    }

    /// The cell of a record in a column, without white space around it; empty if there is no such
    /// column.
    pub(super) fn cell<'a>(&self, record: &'a Record, column: &str) -> &'a str {
        let at = self.header.iter().position(|title| title == column);
        at.and_then(|at| record.cells.get(at)).map_or("", |cell| cell.trim())
    }

    /// The cell of a record in a list that people keep: characters of no width count as white space
    /// too.
    pub(super) fn listed<'a>(&self, record: &'a Record, column: &str) -> &'a str {
        self.cell(record, column).trim_matches(|c: char| {
            c.is_whitespace() || ['\u{200b}', '\u{2060}', '\u{feff}'].contains(&c)
        })
    }
}

fn plain(title: &str) -> String {
    title.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect()
}

/// The records of a text with this delimiter, quoted as RFC 4180 says. Blank lines are counted, and
/// are no records.
fn records(text: &str, delimiter: char) -> Vec<Record> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut records = Vec::new();
    let (mut cells, mut cell) = (Vec::new(), String::new());
    let (mut line, mut start) = (1, 1);
    let (mut is_inside, mut was_quoted) = (false, false);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' if is_inside && rest.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' if is_inside => is_inside = false,
            '"' if cell.is_empty() && !was_quoted => (is_inside, was_quoted) = (true, true),
            c if c == delimiter && !is_inside => {
                cells.push(std::mem::take(&mut cell));
                was_quoted = false;
            }
            '\n' | '\r' if !is_inside => {
                if !(cells.is_empty() && cell.is_empty() && !was_quoted) {
                    cells.push(std::mem::take(&mut cell));
                    records.push(Record { line: start, cells: std::mem::take(&mut cells) });
                }
                was_quoted = false;
            }
            _ => cell.push(c),
        }
        line += i64::from(c == '\n');
        if cells.is_empty() && cell.is_empty() && !was_quoted {
            start = line;
        }
    }
    if !(cells.is_empty() && cell.is_empty() && !was_quoted) {
        cells.push(cell);
        records.push(Record { line: start, cells });
    }
    records
}

/// The digits of a list of prefixes; None if one is neither digits nor, where it is allowed, the
/// word `emergency`.
///
/// A prefix that starts with 0 is taken, though a deck with one is refused today: the archive has
/// older decks, whose calls must still be proved. It can win no leg here either, as no number
/// starts with 0.
pub(super) fn prefixes(list: &str, may_be_emergency: bool) -> Option<Vec<String>> {
    let is_prefix = |text: &str| {
        let is_digits =
            (1..=15).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        is_digits || (may_be_emergency && text == "emergency")
    };
    let prefix = |text: &str| Some(text.trim().to_ascii_lowercase()).filter(|text| is_prefix(text));
    list.split(',').map(prefix).collect()
}

/// Money as a whole number of units of 1e-10: digits, and perhaps a point and more digits. A `-`
/// before a zero is ignored.
pub(super) fn money(text: &str) -> Option<i128> {
    if let Some(nothing) = text.strip_prefix('-') {
        return money(nothing).filter(|units| *units == 0 && !nothing.starts_with('-'));
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_plain = [whole, fraction]
        .iter()
        .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    if !is_plain || whole.len() > 8 || fraction.len() > 10 {
        return None;
    }
    format!("{whole}{fraction:0<10}").parse().ok()
}

/// A whole number of units of `decimals` decimals as a decimal number, for people.
pub(super) fn decimal(units: i128, decimals: usize) -> String {
    let digits = format!("{:0>width$}", units.unsigned_abs(), width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    let sign = if units < 0 { "-" } else { "" };
    format!("{sign}{whole}.{fraction}")
}

/// A date (its first instant in UTC) or an instant with an offset, in microseconds since 1970.
pub(super) fn instant(text: &str) -> Option<i64> {
    // (The format takes years of one digit, too, and blanks.)
    let year = text.split('-').next().map_or(0, str::len);
    let is_date = year == 4 && !text.contains(' ');
    if is_date && let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Some(date.and_time(NaiveTime::MIN).and_utc().timestamp_micros());
    }
    let upper = text.to_ascii_uppercase();
    let zoned = upper
        .strip_suffix(" UTC")
        .or_else(|| upper.strip_suffix(" GMT"))
        .map(|time| format!("{} +0000", time.trim_end()));
    let text = zoned.as_deref().unwrap_or(text);
    let upper = text.to_ascii_uppercase();
    // Between date and time `T` or a blank; seconds or none; the offset at once or after a blank.
    let formats = ["T", " "].into_iter().flat_map(|between| {
        ["%H:%M:%S%.f%#z", "%H:%M%#z", "%H:%M:%S%.f %#z", "%H:%M %#z"]
            .map(|time| format!("%Y-%m-%d{between}{time}"))
    });
    let mut formats = formats.chain(["%Y%m%dT%H%M%S%.f%#z".to_owned()]);
    let iso = |format: String| DateTime::parse_from_str(&upper, &format).ok();
    let instant = formats.find_map(iso).or_else(|| DateTime::parse_from_rfc2822(text).ok());
    instant.map(|instant| instant.timestamp_micros())
}

/// An instant for people.
pub(super) fn show_instant(micros: i64) -> String {
    let instant = DateTime::from_timestamp_micros(micros);
    instant.map_or_else(
        || format!("{micros} us"),
        |instant| instant.to_rfc3339_opts(SecondsFormat::AutoSi, true),
    )
}

/// True if a text is `+` and 7 to 15 digits, the first not 0.
pub(super) fn is_number(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// True if a text is a SIP endpoint as the log writes one.
pub(super) fn is_sip(text: &str) -> bool {
    text.starts_with("sip:") || text.starts_with("sips:")
}

/// The number that a transfer target counts as, if it is an origin: itself, or the user part of a
/// SIP endpoint.
pub(super) fn number_of_target(text: &str) -> Cow<'_, str> {
    if is_number(text) {
        return Cow::Borrowed(text);
    }
    let user = text
        .split_once(':')
        .and_then(|(_, rest)| rest.split_once('@'))
        .map_or("", |(user, _)| user);
    // Parameters after a `;` belong to the user part, but not to its number.
    let user = user.split_once(';').map_or(user, |(user, _)| user);
    match if is_sip(text) { dialled(user) } else { None } {
        Some(number) if is_number(&number) => Cow::Owned(number),
        _ => Cow::Borrowed(""),
    }
}

/// 911 or 933, if the `to` of a root call is such a number: alone, in a `tel:` URI, or as the user
/// of a `sip:` URI.
pub(super) fn emergency_code(to: &str) -> Option<&'static str> {
    let uri = to.rsplit_once('<').map_or(to, |(_, rest)| rest).trim();
    let (scheme, rest) = uri.split_once(':').unwrap_or(("tel", uri));
    let user = match scheme.to_ascii_lowercase().as_str() {
        "tel" => rest,
        "sip" | "sips" => rest.split_once('@')?.0,
        _ => return None,
    };
    let user = user.split_once([';', ':', '?', '>']).map_or(user, |(user, _)| user).trim();
    let dialled = dialled(user)?;
    ["911", "933"].into_iter().find(|code| *code == dialled.strip_prefix('+').unwrap_or(&dialled))
}

/// A user part without percent escapes and visual separators.
fn dialled(user: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = user.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let escape = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&escape).ok()?, 16).ok()?
            }
            _ => byte,
        });
    }
    let text = String::from_utf8(bytes).ok()?;
    Some(text.replace(['-', '.', '(', ')'], ""))
}

#[cfg(test)]
mod tests {
    use super::{Sheet, instant, money};

    #[test]
    fn lines_are_counted_in_the_file() {
        let text =
            "\u{feff}A B,c/D\r\n\n\"two\r\nlines, \"\"so\"\"\",1\r\n\r\n\n x ,\"\"\n\"\",in\"side";
        let sheet = Sheet::read(text).expect("a sheet");
        assert_eq!(sheet.header, ["ab", "cd"]);
        let read: Vec<(i64, &str, &str)> = sheet
            .records
            .iter()
            .map(|record| (record.line, sheet.cell(record, "ab"), sheet.cell(record, "cd")))
            .collect();
        assert_eq!(read, [(3, "two\r\nlines, \"so\"", "1"), (7, "x", ""), (8, "", "in\"side")]);
        for bad in ["", "a,A\n1,2", "a,b\n1", "a\n1,2"] {
            assert!(Sheet::read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn money_is_a_plain_decimal_number() {
        let good = [
            ("0", 0),
            ("0.0100", 100_000_000),
            ("12345678.0000000001", 123_456_780_000_000_001),
            ("007.5", 75_000_000_000),
        ];
        for (text, units) in good {
            assert_eq!(money(text), Some(units), "{text}");
        }
        for nothing in ["-0", "-0.0", "-00.000"] {
            assert_eq!(money(nothing), Some(0), "{nothing}");
        }
        for bad in [
            "",
            ".",
            ".5",
            "5.",
            "-",
            "--0",
            "-0.1",
            "-1",
            "+1",
            "1e3",
            "1,5",
            "0.00000000001",
            "100000000",
            "\u{661}",
        ] {
            assert_eq!(money(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_date_is_its_first_instant() {
        let start = Some(1_795_132_800_000_000);
        let forms = [
            "2026-11-20",
            "2026-11-20T00:00:00Z",
            "2026-11-20t00:00:00.0z",
            "2026-11-20 02:00:00+02:00",
        ];
        let others = [
            "2026-11-19T20:30:00-0330",
            "20261120T000000Z",
            "Fri, 20 Nov 2026 00:00:00 GMT",
            "2026-11-20T01:00:00+01",
        ];
        let later = [
            "2026-11-20 00:00 UTC",
            "2026-11-20T00:00Z",
            "2026-11-20 00:00:00.000 gmt",
            "2026-11-20 01:00:00 +0100",
        ];
        for text in forms.into_iter().chain(others).chain(later) {
            assert_eq!(instant(text), start, "{text}");
        }
        assert_eq!(instant("2026-11-20T00:00:00.000001999Z"), start.map(|start| start + 1));
        for bad in ["", "noon", "2026-11-20T00:00:00", "2026-02-30"] {
            assert_eq!(instant(bad), None, "{bad}");
        }
    }
}
