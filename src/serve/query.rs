//! Paths and queries: escapes decoded, names and values apart.
//!
//! **Invariant:** what is decoded is looked up in the ledger or shown, and is part of no path of a
//! file.

/// A text with its escapes decoded; `None` if one is broken, or if it is no UTF-8.
#[must_use]
pub fn decoded(text: &str, plus_is_blank: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                u8::try_from(high * 16 + low).ok()?
            }
            b'+' if plus_is_blank => b' ',
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// A text as a part of an address: everything but letters, digits and `-._~` is escaped.
#[must_use]
pub fn encoded(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            shown.push(char::from(byte));
        } else {
            shown.push('%');
            for digit in [byte >> 4, byte & 15] {
                let digit = char::from_digit(u32::from(digit), 16).expect("below sixteen");
                shown.push(digit.to_ascii_uppercase());
            }
        }
    }
    shown
}

/// The names and values of a query or a form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UrlQuery(Vec<(String, String)>);

impl UrlQuery {
    /// Reads a query.
    ///
    /// # Errors
    /// An escape that is broken.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut all = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(name), Some(value)) = (decoded(name, true), decoded(value, true)) else {
                return Err(format!("{pair}: an escape is broken, or it is no UTF-8"));
            };
            all.push((name, value));
        }
        Ok(Self(all))
    }

    /// The value of a name, without blanks around it; `None` if it is empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    /// Refuses a name that is not among those that are known, and one that stands twice: a filter
    /// with a slip would show too much.
    ///
    /// # Errors
    /// Such a name, and what was expected.
    pub fn only(&self, known: &[&str]) -> Result<(), String> {
        for (at, (name, _)) in self.0.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let known = known.join(", ");
                return Err(format!("`{name}` is unknown; expected one of {known}"));
            }
            if self.0[..at].iter().any(|(before, _)| before == name) {
                return Err(format!("`{name}` stands twice; give it once"));
            }
        }
        Ok(())
    }

    /// The same, with another value of a name (or without it), as a query that begins with `?`.
    #[must_use]
    pub fn with(&self, name: &str, value: Option<&str>) -> String {
        let others = self.0.iter().filter(|(own, value)| own != name && !value.is_empty());
        let own = value.map(|value| (name.to_owned(), value.to_owned()));
        let all: Vec<String> = others
            .cloned()
            .chain(own)
            .map(|(name, value)| format!("{}={}", encoded(&name), encoded(&value)))
            .collect();
        if all.is_empty() { "?".to_owned() } else { format!("?{}", all.join("&")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_once() {
        assert_eq!(decoded("a%20b+c", true).as_deref(), Some("a b c"));
        assert_eq!(decoded("a+c%252F", false).as_deref(), Some("a+c%2F"));
        for broken in ["%", "%2", "%zz", "%ff", "%+1"] {
            assert_eq!(decoded(broken, true), None, "{broken}");
        }
        let text = "+1 (415)/ä&=?#";
        assert_eq!(decoded(&encoded(text), true).as_deref(), Some(text));
    }

    #[test]
    fn a_query_is_read_whole_or_refused() {
        let query = UrlQuery::parse("q=%2B1415&account=&status=completed").expect("a query");
        assert_eq!((query.get("q"), query.get("account")), (Some("+1415"), None));
        assert_eq!(query.with("status", None), "?q=%2B1415");
        assert_eq!(query.with("q", Some("a b")), "?status=completed&q=a%20b");
        assert!(query.only(&["q", "account", "status"]).is_ok());
        assert!(query.only(&["q"]).is_err());
        assert!(UrlQuery::parse("a=1&a=2").expect("a query").only(&["a"]).is_err());
        assert!(UrlQuery::parse("a=%").is_err());
    }
}
