//! Columns of figures with aligned decimal points.

use crate::document::Exact;

/// A column of decimals, padded to the most decimals among them.
pub struct PageColumn(pub usize);

/// The column of these values.
pub fn column(values: impl Iterator<Item = Exact>) -> PageColumn {
    PageColumn(values.map(|value| value.0.scale() as usize).max().unwrap_or_default())
}

/// The number of digits after the decimal point.
pub fn decimals(text: &str) -> usize {
    text.split_once('.').map_or(0, |(_, decimals)| decimals.len())
}

impl PageColumn {
    /// A value's own text, padded.
    pub fn text(&self, value: Exact) -> String {
        self.padded(value.to_string())
    }

    /// The text, followed by spaces as wide as its missing decimals.
    pub fn padded(&self, mut text: String) -> String {
        let has = decimals(&text);
        if has == 0 && self.0 > 0 {
            text.push('\u{2008}');
        }
        text.extend((has..self.0).map(|_| '\u{2007}'));
        text
    }
}
