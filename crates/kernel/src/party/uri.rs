//! `tel:`, `sip:` and `sips:` URIs by RFC 3261 and RFC 3966.
//!
//! **Invariant:** anything that the grammar does not allow is an error, because money depends on
//! the host and the user that are meant. The user part is read whole: it may contain `;`.

use super::{
    Emergency, LONGEST_URI, MOST_PARAMETERS, Number, without_separators, without_user_parameters,
};
use sip_uri::{Host, SipUri, TelUri, WarningCode};
use std::borrow::Cow;

/// A `tel:`, `sip:` or `sips:` URI, read strictly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uri {
    /// A `tel:` URI.
    Tel(Tel),
    /// A `sip:` or `sips:` URI.
    Sip(Sip),
}

/// The parts of a `tel:` URI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tel {
    /// The global number, if it is one: `+`, 7 to 15 digits, visual separators dropped.
    pub number: Option<Number>,
    /// 911 or 933 as the whole number.
    pub emergency: Option<Emergency>,
}

/// The parts of a SIP URI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sip {
    /// `sip` or `sips`.
    pub scheme: &'static str,
    /// The user part, percent-escapes decoded where RFC 3261 allows the plain character.
    pub user: Option<String>,
    /// The host in lower case, without a trailing dot.
    pub host: String,
}

/// The reason that a text is no URI that a call may be billed by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UriError(pub String);

impl Uri {
    /// Parses a value as it is written in a Refer-To, From or To header: a bare URI, or a name-addr
    /// with `<…>`.
    ///
    /// # Errors
    /// [`UriError`] names the breach of the grammar. The parser crate is lenient by nature; every
    /// breach that it would let pass is an error here, because money depends on the host and the
    /// user that are meant.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        let refuse = |why: &str| Err(UriError(why.to_owned()));
        let text = text.trim();
        if text.is_empty() {
            return refuse("there is nothing there");
        }
        if text.len() > LONGEST_URI {
            return refuse("it is longer than 32 KiB");
        }
        if text.bytes().filter(|b| matches!(b, b';' | b'&')).count() > MOST_PARAMETERS {
            return refuse("it has more than 256 parameters");
        }
        if text.bytes().any(|b| b.is_ascii_control()) {
            return refuse("it has a control character");
        }
        let uri = addr_spec(text)?;
        if !uri.is_ascii() {
            return refuse("a URI is ASCII");
        }
        let Some((scheme, _)) = uri.split_once(':') else {
            return refuse("it has no scheme; expected +number, tel:, sip: or sips:");
        };
        if scheme.eq_ignore_ascii_case("tel") {
            Self::parse_tel(uri)
        } else if scheme.eq_ignore_ascii_case("sip") || scheme.eq_ignore_ascii_case("sips") {
            Self::parse_sip(uri)
        } else {
            Err(UriError(format!("the scheme `{scheme}` is none of tel, sip, sips")))
        }
    }

    fn parse_tel(uri: &str) -> Result<Self, UriError> {
        // RFC 3966 has no escapes in the number; an emergency number is recognised all the same.
        let number = uri[4..].split_once(';').map_or(&uri[4..], |(number, _)| number);
        if number.contains('%')
            && let Some(emergency) =
                Emergency::parse(&String::from_utf8_lossy(&sip_uri::decode_user(number)))
        {
            return Ok(Self::Tel(Tel { number: None, emergency: Some(emergency) }));
        }
        let parsed = TelUri::parse_with_warnings(uri).map_err(|e| UriError(e.to_string()))?;
        let breach = parsed.warnings.iter().find(|w| w.code != WarningCode::MissingPhoneContext);
        if let Some(breach) = breach {
            return Err(UriError(breach.to_string()));
        }
        refuse_twice(parsed.value.params())?;
        let number = without_separators(parsed.value.number()).into_owned();
        Ok(Self::Tel(Tel { number: Number::parse(&number), emergency: Emergency::parse(&number) }))
    }

    fn parse_sip(uri: &str) -> Result<Self, UriError> {
        // The parser would cut the user part at a `;`, which it may contain. The parser reads all
        // the rest.
        let (user, rest) = split_user(uri)?;
        let parsed = SipUri::parse_with_warnings(&rest).map_err(|e| UriError(e.to_string()))?;
        if let Some(breach) = parsed.warnings.first() {
            return Err(UriError(breach.to_string()));
        }
        let uri = parsed.value;
        refuse_twice(uri.params())?;
        if let Some(Some(method)) = uri.param("method")
            && !method.eq_ignore_ascii_case("INVITE")
        {
            return Err(UriError(format!("the method `{method}` makes no call")));
        }
        let host = match uri.host() {
            Host::Hostname(name) => name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase(),
            other => other.to_string(),
        };
        if host.is_empty() || host.len() > 253 {
            return Err(UriError("the host is empty or longer than 253 bytes".to_owned()));
        }
        Ok(Self::Sip(Sip { scheme: uri.scheme().as_str(), user, host }))
    }
}

/// The user part of a SIP URI, decoded, and the URI without it.
///
/// RFC 3261 §25.1: `userinfo = user [ ":" password ] "@"`,
/// `user = 1*( unreserved / escaped / user-unreserved )`, and `;` is one of `user-unreserved`. No
/// other part of the URI may hold an `@`.
fn split_user(uri: &str) -> Result<(Option<String>, Cow<'_, str>), UriError> {
    let refuse = |why: &str| Err(UriError(why.to_owned()));
    let Some((before, after)) = uri.split_once('@') else { return Ok((None, Cow::Borrowed(uri))) };
    if after.contains('@') {
        return refuse("it has more than one `@`");
    }
    let (scheme, userinfo) = before.split_once(':').expect("a SIP URI has a scheme");
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    if user.is_empty() {
        return refuse("there is nothing before the `@`");
    }
    if !are_allowed(user, is_allowed_in_user) {
        return refuse("its user part has a character that RFC 3261 does not allow there");
    }
    if !are_allowed(password, |b| is_unreserved(b) || b"&=+$,".contains(&b)) {
        return refuse("its password has a character that RFC 3261 does not allow there");
    }
    Ok((Some(decoded(user)), Cow::Owned(format!("{scheme}:{after}"))))
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte)
}

fn is_allowed_in_user(byte: u8) -> bool {
    is_unreserved(byte) || b"&=+$,;?/".contains(&byte)
}

/// True if a text has only allowed characters and percent escapes.
fn are_allowed(text: &str, is_allowed: impl Fn(u8) -> bool) -> bool {
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (b'%', [high, low, after @ ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                after
            }
            (byte, after) if is_allowed(*byte) => after,
            _ => return false,
        };
    }
    true
}

/// A user part, with the escapes decoded of characters that may be written plainly there.
fn decoded(user: &str) -> String {
    let mut text = String::with_capacity(user.len());
    let mut rest = user;
    while let Some(at) = rest.find('%') {
        let escape = rest.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        text.push_str(&rest[..at]);
        match escape.filter(|byte| is_allowed_in_user(*byte)) {
            Some(byte) => text.push(char::from(byte)),
            None => text.push_str(&rest[at..at + 3]),
        }
        rest = &rest[at + 3..];
    }
    text + rest
}

impl Sip {
    /// The endpoint as every output shows it: `sip:user@host`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        match &self.user {
            Some(user) => format!("{}:{user}@{}", self.scheme, self.host),
            None => format!("{}:{}", self.scheme, self.host),
        }
    }

    /// The user part as a number, visual separators dropped.
    #[must_use]
    pub fn user_number(&self) -> Option<Number> {
        Number::parse(&without_separators(without_user_parameters(self.user.as_deref()?)))
    }

    /// The user part as 911 or 933.
    #[must_use]
    pub fn user_emergency(&self) -> Option<Emergency> {
        Emergency::parse(without_user_parameters(self.user.as_deref()?))
    }
}

/// Refuses a repeated parameter: RFC 3261 §19.1.1 allows each only once.
fn refuse_twice(params: &[(String, Option<String>)]) -> Result<(), UriError> {
    let mut names: Vec<String> = params.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(UriError(format!("the parameter `{}` stands twice", pair[0]))),
        None => Ok(()),
    }
}

/// The URI of a header value: the text inside `<…>` outside a quoted display name; without `<…>` a
/// `;` or `?` belongs to the header, not to the URI (RFC 3261 §20.10, RFC 8217). More than one
/// value is refused.
fn addr_spec(text: &str) -> Result<&str, UriError> {
    let refuse = |why: &str| Err(UriError(why.to_owned()));
    let Some(open) = find_unquoted(text, b'<')? else {
        if text.contains('>') {
            return refuse("it has `>` without `<`");
        }
        // The user part may contain `;`, `?` and `,`, so the cut is searched for after the `@`.
        let host = text.find('@').map_or(0, |at| at + 1);
        let end = text[host..].find([';', '?', ',']).map_or(text.len(), |at| host + at);
        if text[end..].starts_with(',') || find_unquoted(&text[end..], b',')?.is_some() {
            return refuse("it has more than one value");
        }
        return Ok(text[..end].trim_end());
    };
    let display_name = text[..open].trim();
    if !display_name.starts_with('"') && display_name.contains([',', ':', '@', ';', '>']) {
        return refuse("the display name needs quotes");
    }
    let inside = &text[open + 1..];
    let Some(close) = inside.find('>') else {
        return refuse("`<` is not closed");
    };
    let rest = inside[close + 1..].trim_start();
    if !(rest.is_empty() || rest.starts_with(';')) {
        return refuse("it has more than one value, or text after `>`");
    }
    if find_unquoted(rest, b',')?.is_some() || find_unquoted(rest, b'<')?.is_some() {
        return refuse("it has more than one value");
    }
    Ok(&inside[..close])
}

/// The first position of a byte outside quoted strings.
fn find_unquoted(text: &str, wanted: u8) -> Result<Option<usize>, UriError> {
    let mut quoted = false;
    let mut escaped = false;
    for (place, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b if b == wanted && !quoted => return Ok(Some(place)),
            _ => {}
        }
    }
    if quoted { Err(UriError("a quoted string is not closed".to_owned())) } else { Ok(None) }
}
