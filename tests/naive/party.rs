//! Numbers, URIs and what they make of a party or of a transfer target.
//!
//! Naive: a URI is cut at its separators and every piece is held against the list of characters
//! that RFC 3261 25.1 or RFC 3966 3 allows there. What does not fit is no URI.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::fields::all_digits;

/// The emergency numbers of the page.
const EMERGENCY: [&str; 2] = ["911", "933"];

/// RFC 3261 `mark`; with letters and digits it is `unreserved`.
const MARK: &str = "-_.!~*'()";
/// RFC 3261 `user-unreserved`.
const USER_UNRESERVED: &str = "&=+$,;?/";
/// What RFC 3261 allows in a password besides `unreserved`.
const PASSWORD_ALSO: &str = "&=+$,";
/// RFC 3261 `param-unreserved`.
const PARAM_UNRESERVED: &str = "[]/:&+$";
/// RFC 3261 `hnv-unreserved`, and the separators of headers.
const HEADERS_ALSO: &str = "[]/?:+$&=";

/// One side of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// As it is shown in a leg and in the log.
    pub text: String,
    /// The number a leg to this party is rated by: `+digits`, `911`, `933`, or empty if there is
    /// none.
    pub rated: String,
    /// The number a leg from this party has as its origin: `+digits`, or empty if unknown.
    pub origin: String,
}

/// A URI that passed every check.
enum Uri {
    /// `tel:`, with what stands before its parameters.
    Tel { number: String },
    /// `sip:` or `sips:`; the user is empty if there is none, and decoded.
    Sip { scheme: String, user: String, host: String },
}

/// The party of a root call that is written in `from` or `to`.
pub fn root_party(text: &str) -> Party {
    let text = text.trim();
    if is_number(text) {
        return number_party(text);
    }
    match parse_uri(text) {
        Some(Uri::Tel { number }) => match global_number(&number) {
            Some(number) => number_party(&number),
            None => unknown_party(text),
        },
        Some(Uri::Sip { scheme, user, host }) => match global_number(&user) {
            Some(number) => number_party(&number),
            None => sip_party(&sip_text(&scheme, &user, &host)),
        },
        None => unknown_party(text),
    }
}

/// Whether a `from` was a number before a spreadsheet had it: no number, no SIP URI, and seven
/// digits or an exponent.
pub fn is_mangled(text: &str) -> bool {
    let party = root_party(text);
    if !party.rated.is_empty()
        || party.text.starts_with("sip:")
        || party.text.starts_with("sips:") && parse_uri(text).is_some()
    {
        return false;
    }
    let digits = text.chars().filter(|c| c.is_numeric()).count();
    let exponent = text.split_once(['e', 'E']).is_some_and(|(number, exponent)| {
        let number = number.trim_start_matches(['+', '\'']).trim_start();
        let is_decimal = |c: char| c.is_ascii_digit() || c == '.' || c == ',';
        !number.is_empty()
            && number.chars().all(is_decimal)
            && all_digits(exponent.trim_start_matches('+'))
    });
    digits >= 7 || exponent
}

/// What a target says, for the comparison of two versions of a call: a number, an endpoint, or the
/// text as it is.
pub fn target_meaning(text: &str) -> String {
    match parse_uri(text) {
        Some(Uri::Tel { number }) if emergency_code(&number).is_none() => {
            global_number(&number).unwrap_or_else(|| text.to_owned())
        }
        Some(Uri::Sip { scheme, user, host }) => sip_text(&scheme, &user, &host),
        _ => text.to_owned(),
    }
}

/// The number that a target asks for, bare or at any host of the carrier.
pub fn carrier_number(text: &str) -> Option<String> {
    if is_number(text) {
        return Some(text.to_owned());
    }
    match parse_uri(text)? {
        Uri::Tel { number } => global_number(&number).filter(|_| emergency_code(&number).is_none()),
        Uri::Sip { user, host, .. } if is_carrier_host(&host) || is_internal_host(&host) => {
            global_number(&user)
        }
        Uri::Sip { .. } => None,
    }
}

/// A SIP URI at one of the carrier's own hosts, which stand between trunks and say nothing of the
/// target.
pub fn is_at_internal_host(text: &str) -> bool {
    matches!(parse_uri(text.trim()), Some(Uri::Sip { host, .. }) if is_internal_host(&host))
}

fn is_internal_host(host: &str) -> bool {
    let labels: Vec<&str> = host.split('.').collect();
    matches!(
        labels.as_slice(),
        ["public-vip", "twilio", "com"] | ["public-vip", _, "twilio", "com"]
    )
}

/// The emergency number that a root termination is to, in any written form.
pub fn root_emergency(text: &str) -> Option<&'static str> {
    let text = text.trim();
    match parse_uri(text) {
        Some(Uri::Tel { number }) => emergency_code(&number),
        Some(Uri::Sip { user, .. }) => emergency_code(&user),
        None => emergency_code(text),
    }
}

/// A root termination's B that is an emergency number, rated by it: a SIP endpoint as such,
/// anything else as given.
pub fn emergency_party(text: &str, code: &str) -> Party {
    Party { rated: code.to_owned(), origin: String::new(), ..root_party(text) }
}

/// The party of a transfer target that [`classify_target`] has accepted.
pub fn target_party(kind: &str, text: &str) -> Party {
    if kind == "pstn" { number_party(text) } else { sip_party(text) }
}

fn number_party(number: &str) -> Party {
    Party { text: number.to_owned(), rated: number.to_owned(), origin: number.to_owned() }
}

fn unknown_party(text: &str) -> Party {
    Party { text: text.to_owned(), rated: String::new(), origin: String::new() }
}

/// A SIP endpoint has no number to be called by, but its user part can be one to call from.
fn sip_party(text: &str) -> Party {
    let after_scheme = text.split_once(':').map_or("", |(_, rest)| rest);
    let user = after_scheme.split_once('@').map_or("", |(user, _)| user);
    let user = user.split(';').next().unwrap_or("");
    let plain: String = user.chars().filter(|c| !matches!(c, '-' | '.' | '(' | ')')).collect();
    let origin = if is_number(&plain) { plain } else { String::new() };
    Party { text: text.to_owned(), rated: String::new(), origin }
}

/// `pstn` and the number, `sip` and the URI, or the reason why it is neither. `domain` is the
/// trunk's own termination domain; without it every host of the carrier's pattern is one.
pub fn classify_target(
    text: &str,
    domain: Option<&str>,
) -> Result<(&'static str, String), &'static str> {
    let text = text.trim();
    if is_number(text) {
        return Ok(("pstn", text.to_owned()));
    }
    match parse_uri(text) {
        None => Err("invalid-target"),
        Some(Uri::Tel { number }) => pstn_or_reason(&number),
        Some(Uri::Sip { scheme, user, host }) => {
            if is_own_host(&host, domain) {
                pstn_or_reason(&user)
            } else {
                Ok(("sip", sip_text(&scheme, &user, &host)))
            }
        }
    }
}

/// What a `tel:` URI or a user at the trunk's domain asks for.
fn pstn_or_reason(written: &str) -> Result<(&'static str, String), &'static str> {
    if emergency_code(written).is_some() {
        return Err("emergency-target");
    }
    match global_number(written) {
        Some(number) => Ok(("pstn", number)),
        None => Err("invalid-target"),
    }
}

/// `+` and 7 to 15 digits, not starting with 0.
pub fn is_number(text: &str) -> bool {
    match text.strip_prefix('+') {
        Some(digits) => {
            all_digits(digits) && (7..=15).contains(&digits.len()) && !digits.starts_with('0')
        }
        None => false,
    }
}

/// The number, if this is `+` and digits with visual separators between them.
fn global_number(written: &str) -> Option<String> {
    // RFC 3966: what follows a `;` are parameters of the number.
    let written = written.split(';').next().unwrap_or("");
    if !written.starts_with('+') {
        return None;
    }
    let number = drop_visual_separators(written);
    is_number(&number).then_some(number)
}

/// 911 or 933, if this is one of them, however written.
fn emergency_code(written: &str) -> Option<&'static str> {
    let written = written.split(';').next().unwrap_or("");
    let decoded = String::from_utf8_lossy(&decode_all(written)?).into_owned();
    let plain = drop_visual_separators(&decoded);
    let plain = plain.strip_prefix('+').unwrap_or(&plain);
    EMERGENCY.into_iter().find(|code| *code == plain)
}

fn drop_visual_separators(text: &str) -> String {
    text.chars().filter(|c| !"-.()".contains(*c)).collect()
}

/// Whether a host (lower-case, no trailing dot) is the trunk's own termination domain or an edge
/// form of it.
fn is_own_host(host: &str, domain: Option<&str>) -> bool {
    match domain {
        Some(domain) => is_trunk_host(host, domain),
        None => is_carrier_host(host),
    }
}

fn is_trunk_host(host: &str, domain: &str) -> bool {
    let domain = domain.trim().to_ascii_lowercase();
    let domain = domain.strip_suffix('.').unwrap_or(&domain);
    if host == domain {
        return true;
    }
    // `L.pstn.twilio.com` also answers to `L.pstn.<one label>.twilio.com`.
    let Some(name) = domain.strip_suffix(".pstn.twilio.com") else {
        return false;
    };
    let Some(edge) = host
        .strip_prefix(&format!("{name}.pstn."))
        .and_then(|rest| rest.strip_suffix(".twilio.com"))
    else {
        return false;
    };
    !name.is_empty() && !edge.is_empty() && !edge.contains('.')
}

fn is_carrier_host(host: &str) -> bool {
    let labels: Vec<&str> = host.split('.').collect();
    match labels.as_slice() {
        [name @ .., "pstn", "twilio", "com"] if !name.is_empty() => true,
        [name @ .., "pstn", _edge, "twilio", "com"] if !name.is_empty() => true,
        _ => false,
    }
}

fn sip_text(scheme: &str, user: &str, host: &str) -> String {
    if user.is_empty() { format!("{scheme}:{host}") } else { format!("{scheme}:{user}@{host}") }
}

/// The one URI of a header value, if it is a `sip:`, `sips:` or `tel:` URI without any fault.
fn parse_uri(text: &str) -> Option<Uri> {
    if text.chars().any(char::is_control) {
        return None;
    }
    let uri = find_uri(text)?;
    if !uri.is_ascii() {
        return None;
    }
    let (scheme, rest) = uri.split_once(':')?;
    match scheme.to_ascii_lowercase().as_str() {
        "tel" => parse_tel(rest),
        scheme @ ("sip" | "sips") => parse_sip(scheme, rest),
        _ => None,
    }
}

/// The URI in a header value: what stands in `<...>`, or without these all before the first `;`.
/// None if the value is no such thing, or more than one.
fn find_uri(text: &str) -> Option<String> {
    let mut in_quotes = false;
    let mut escaped = false;
    let mut in_angle = false;
    let mut inside: Option<String> = None;
    let mut outside = String::new();
    for c in text.chars() {
        if in_quotes {
            if escaped {
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if c == '"' {
                in_quotes = false;
            }
            continue;
        }
        if in_angle {
            if c == '>' {
                in_angle = false;
            } else {
                inside.get_or_insert_default().push(c);
            }
            continue;
        }
        match c {
            '"' => {
                in_quotes = true;
                outside.push(c);
            }
            '<' if inside.is_some() => return None,
            '<' => {
                in_angle = true;
                inside = Some(String::new());
            }
            _ => outside.push(c),
        }
    }
    if in_quotes || in_angle {
        return None;
    }
    if inside.is_some() {
        return inside.filter(|_| !outside.contains(','));
    }
    // No header parameter has an `@`: what stands before one is a user part, which may hold a `;`.
    let host = outside.rfind('@').map_or(0, |at| at + 1);
    let end = outside[host..].find([';', '?']).map_or(outside.len(), |at| host + at);
    // A comma after the host begins another value.
    if outside[host..].contains(',') { None } else { Some(outside[..end].trim_end().to_owned()) }
}

fn parse_tel(rest: &str) -> Option<Uri> {
    let (number, parameters) = match rest.split_once(';') {
        Some((number, parameters)) => (number, Some(parameters)),
        None => (rest, None),
    };
    if number.is_empty() || !are_allowed(number, "-.()*#+") {
        return None;
    }
    check_parameters(parameters)?;
    Some(Uri::Tel { number: number.to_owned() })
}

fn parse_sip(scheme: &str, rest: &str) -> Option<Uri> {
    if rest.matches('@').count() > 1 {
        return None;
    }
    let (user, after_user) = match rest.split_once('@') {
        Some((userinfo, after_user)) => (parse_userinfo(userinfo)?, after_user),
        None => (String::new(), rest),
    };
    let (before_headers, headers) = after_user.split_once('?').unwrap_or((after_user, ""));
    if !are_allowed(headers, &format!("{MARK}{HEADERS_ALSO}")) {
        return None;
    }
    let (host_and_port, parameters) = match before_headers.split_once(';') {
        Some((host_and_port, parameters)) => (host_and_port, Some(parameters)),
        None => (before_headers, None),
    };
    check_parameters(parameters)?;
    let host = parse_host_and_port(host_and_port)?;
    Some(Uri::Sip { scheme: scheme.to_owned(), user, host })
}

/// The user: without the password, decoded where that is allowed.
fn parse_userinfo(userinfo: &str) -> Option<String> {
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let user_characters = format!("{MARK}{USER_UNRESERVED}");
    if !are_allowed(user, &user_characters)
        || !are_allowed(password, &format!("{MARK}{PASSWORD_ALSO}"))
    {
        return None;
    }
    let decoded = decode_only(user, &user_characters);
    if decoded.is_empty() { None } else { Some(decoded) }
}

/// The host in lower case, without one trailing dot. The port is looked at and dropped.
fn parse_host_and_port(text: &str) -> Option<String> {
    let after_bracket = text.rfind(']').unwrap_or(0);
    let (host, port) = match text.get(after_bracket..)?.find(':') {
        Some(at) => text.split_at(after_bracket + at),
        None => (text, ":0"),
    };
    let port = port.strip_prefix(':')?;
    let significant = port.trim_start_matches('0');
    let port_is_good =
        all_digits(port) && (significant.is_empty() || significant.parse::<u16>().is_ok());
    if !port_is_good {
        return None;
    }
    let host = host.to_ascii_lowercase();
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok().then_some(host);
    }
    if host.parse::<Ipv4Addr>().is_ok() {
        return Some(host);
    }
    let name = host.strip_suffix('.').unwrap_or(&host);
    let last_starts_with_a_letter = name
        .split('.')
        .next_back()
        .is_some_and(|last| last.starts_with(|c: char| c.is_ascii_lowercase()));
    (name.split('.').all(is_label) && last_starts_with_a_letter).then(|| name.to_owned())
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// `Some` if these are `name` or `name=value` pieces, no name twice, and no method but INVITE.
fn check_parameters(parameters: Option<&str>) -> Option<()> {
    let mut names: Vec<String> = Vec::new();
    for parameter in parameters.into_iter().flat_map(|all| all.split(';')) {
        let (name, value) = match parameter.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (parameter, None),
        };
        let allowed = format!("{MARK}{PARAM_UNRESERVED}");
        if name.is_empty() || !are_allowed(name, &allowed) {
            return None;
        }
        if value.is_some_and(|value| value.is_empty() || !are_allowed(value, &allowed)) {
            return None;
        }
        let name = decode_only(name, &allowed).to_ascii_lowercase();
        if name == "method"
            && value.map(|value| decode_only(value, &allowed)).as_deref() != Some("INVITE")
        {
            return None;
        }
        if names.contains(&name) {
            return None;
        }
        names.push(name);
    }
    Some(())
}

/// Only letters, digits, these other characters, and whole percent escapes.
fn are_allowed(text: &str, also: &str) -> bool {
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some((_, after)) = split_escape(rest) {
            rest = after;
        } else if c.is_ascii_alphanumeric() || (c != '%' && also.contains(c)) {
            rest = rest.get(1..).unwrap_or("");
        } else {
            return false;
        }
    }
    true
}

/// The byte of a percent escape that the text starts with, and what follows it.
fn split_escape(text: &str) -> Option<(u8, &str)> {
    let (digits, after) = text.strip_prefix('%')?.split_at_checked(2)?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    Some((u8::from_str_radix(digits, 16).ok()?, after))
}

/// Every percent escape decoded; None if one is broken.
fn decode_all(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some((byte, after)) = split_escape(rest) {
            bytes.push(byte);
            rest = after;
        } else if c == '%' {
            return None;
        } else {
            let (first, after) = rest.split_at_checked(c.len_utf8())?;
            bytes.extend_from_slice(first.as_bytes());
            rest = after;
        }
    }
    Some(bytes)
}

/// Percent escapes decoded where they stand for a letter, a digit or one of these characters;
/// others stay as written.
fn decode_only(text: &str, allowed: &str) -> String {
    let mut decoded = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        match split_escape(rest) {
            Some((byte, after))
                if byte.is_ascii_alphanumeric() || allowed.contains(char::from(byte)) =>
            {
                decoded.push(char::from(byte));
                rest = after;
            }
            _ => {
                decoded.push(c);
                rest = rest.get(c.len_utf8()..).unwrap_or("");
            }
        }
    }
    decoded
}
