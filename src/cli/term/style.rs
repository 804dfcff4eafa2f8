//! Style: what stdout is and how large, colours where a person looks, grouped numbers.

use crate::text::visible;
use anstyle::Style;
use std::io::IsTerminal;

/// True if a stream gets colour: it is a terminal, and `NO_COLOR` is unset or empty.
pub fn colours(terminal: bool) -> bool {
    terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A heading on stdout. Its words may come from outside, such as the name of a deck, and are
/// escaped.
pub fn heading(text: &str) -> String {
    let text = visible(text);
    let style =
        if colours(std::io::stdout().is_terminal()) { Style::new().bold() } else { Style::new() };
    format!("{style}{text}{style:#}")
}

/// The columns and lines of the terminal that stdout is: `COLUMNS` and `LINES` where they are set,
/// else what the terminal says. `None` if stdout is no terminal, or one that does not say.
pub fn size() -> Option<(usize, usize)> {
    let stdout = std::io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    let named = |name: &str| std::env::var(name).ok()?.parse().ok().filter(|size| *size > 0);
    let says = terminal_size::terminal_size_of(stdout)
        .map(|(columns, lines)| (usize::from(columns.0), usize::from(lines.0)));
    let (columns, lines) = says.unwrap_or((0, 0));
    let size = (named("COLUMNS").unwrap_or(columns), named("LINES").unwrap_or(lines));
    (size.0 > 0).then_some(size)
}

/// Groups thousands: `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
