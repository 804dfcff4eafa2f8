//! Names and words as people write them, compared without case, blanks, `_` and `-`.

/// A header name without case, space or underscore.
#[must_use]
pub fn plain_name(name: &str) -> String {
    plain_chars(name).collect()
}

/// A word without case, blanks, `_` or `-`.
#[must_use]
pub fn plain_word(word: &str) -> String {
    plain_chars(word).filter(|c| *c != '-').collect()
}

pub(crate) fn plain_chars(name: &str) -> impl Iterator<Item = char> + '_ {
    name.chars()
        .filter(|c| !c.is_whitespace() && *c != '_' && *c != '\u{feff}')
        .flat_map(char::to_lowercase)
}
