//! Who may ask: the host and the origin of a request, and the token.
//!
//! | asked | without a token | with one | behind a proxy |
//! |---|---|---|---|
//! | `Host` | a name or an address of this machine's loopback | any name: a cookie is bound to it | the proxy's own name, or loopback |
//! | `Origin`, `Sec-Fetch-Site` | this page's own; a link from elsewhere is followed | the same | the same |
//! | who | anybody on this machine | the token as `Authorization: Bearer`, or the cookie of the login | who the proxy's header names, in a connection from the proxy |
//!
//! # Why the host
//! A page of a stranger may point its own name at 127.0.0.1 once it is open (DNS rebinding), and
//! would read the console as its own. Its name is in `Host`.
//!
//! # Why a form that is posted
//! A token in an address stands in the history of the browser and in the log of a proxy. The form
//! of the login is the only thing that is ever posted.

use super::http::Request;
use super::query::UrlQuery;
use crate::time::Micros;
use std::net::IpAddr;
use subtle::ConstantTimeEq;

/// The least characters of a token.
const SHORTEST: usize = 16;
/// The hours for which a login holds.
const HOURS: i64 = 12;
/// An hour.
const HOUR: Micros = 3_600_000_000;
/// The cookie's name.
const COOKIE: &str = "trunkrate";

/// The token, and the key of the cookies that stand for it.
pub struct Token {
    hash: blake3::Hash,
    key: [u8; 32],
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    /// A token from the text of its file.
    ///
    /// # Errors
    /// If it is too short to be one, or has blanks or other characters within it.
    pub fn of(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let count = text.chars().count();
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("the token has blanks or other than ASCII in it".to_owned());
        }
        if count < SHORTEST {
            return Err(format!("the token has {count} characters; expected {SHORTEST} or more"));
        }
        Ok(Self {
            hash: blake3::hash(text.as_bytes()),
            key: blake3::derive_key("trunkrate console cookie v1", text.as_bytes()),
        })
    }

    /// True if a text is the token. Hashes are compared, so that their time says nothing of it.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        let other = blake3::hash(text.as_bytes());
        self.hash.as_bytes().ct_eq(other.as_bytes()).into()
    }

    /// The cookie of a login.
    #[must_use]
    pub fn cookie(&self, now: Micros) -> String {
        let hour = now.div_euclid(HOUR);
        format!(
            "{COOKIE}={hour}.{}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}",
            self.sign(hour).to_hex(),
            HOURS * 3600
        )
    }

    fn sign(&self, hour: i64) -> blake3::Hash {
        blake3::keyed_hash(&self.key, &hour.to_le_bytes())
    }

    /// True if a cookie is of a login that still holds.
    fn is_cookie(&self, value: &str, now: Micros) -> bool {
        let Some((hour, mark)) = value.split_once('.') else { return false };
        let (Ok(hour), Ok(mark)) = (hour.parse::<i64>(), blake3::Hash::from_hex(mark)) else {
            return false;
        };
        let is_signed: bool = self.sign(hour).as_bytes().ct_eq(mark.as_bytes()).into();
        let age = now.div_euclid(HOUR).saturating_sub(hour);
        is_signed && (0..=HOURS).contains(&age)
    }
}

/// A proxy with TLS that knows its clients, by their certificates or a login of its own.
///
/// # Why its name
/// A header is as easily sent by a page as by a proxy: a page whose name a stranger points at the
/// proxy's machine would send it from there. Its name is in `Host`, and is not the proxy's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedProxy {
    /// The address that it connects from.
    pub address: IpAddr,
    /// The header that names who asks, in small letters.
    pub header: String,
    /// The name that browsers ask it for, in small letters.
    pub host: String,
}

/// The most characters of a user's name.
const LONGEST_USER: usize = 120;

impl TrustedProxy {
    /// Who asks, if the request came through the proxy and its header names somebody.
    #[must_use]
    pub fn user(&self, request: &Request, peer: IpAddr) -> Option<String> {
        if peer.to_canonical() != self.address.to_canonical() {
            return None;
        }
        let name = request.header(&self.header)?;
        let is_name = !name.is_empty() && name.chars().count() <= LONGEST_USER;
        (is_name && !name.chars().any(char::is_control)).then(|| name.to_owned())
    }
}

/// The result of looking at a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuardVerdict {
    /// It may ask.
    Passes,
    /// It is refused, with a status.
    Refused(u16, &'static str),
    /// It has no token.
    NoToken,
    /// It has a wrong one.
    WrongToken,
}

/// Looks at the host and the origin of a request.
#[must_use]
pub fn place(request: &Request, has_token: bool, proxy: Option<&TrustedProxy>) -> GuardVerdict {
    let Some(host) = request.header("host").and_then(host_of) else {
        return GuardVerdict::Refused(400, "the request says no host, or none that can be read");
    };
    let is_proxy = proxy.is_some_and(|proxy| proxy.host == host.0);
    if proxy.is_some() && !is_proxy && !is_loopback(&host.0) {
        let why = "this console answers to the name of its proxy";
        return GuardVerdict::Refused(421, why);
    }
    if proxy.is_none() && !has_token && !is_loopback(&host.0) {
        return GuardVerdict::Refused(
            421,
            "this console answers to localhost, 127.0.0.1 and [::1]",
        );
    }
    if let Some(origin) = request.header("origin") {
        let own = origin.split_once("://").and_then(|(_, rest)| host_of(rest));
        if own.as_ref() != Some(&host) {
            return GuardVerdict::Refused(403, "the request comes from another page");
        }
    }
    let site = request.header("sec-fetch-site").unwrap_or("none");
    let is_link = request.header("sec-fetch-mode") == Some("navigate")
        && request.header("sec-fetch-dest") == Some("document");
    if !matches!(site, "none" | "same-origin") && !is_link {
        return GuardVerdict::Refused(403, "the request comes from another page");
    }
    GuardVerdict::Passes
}

/// Looks at the token of a request.
#[must_use]
pub fn who(request: &Request, token: Option<&Token>, now: Micros) -> GuardVerdict {
    let Some(token) = token else { return GuardVerdict::Passes };
    if let Some(text) = request.header("authorization") {
        let bearer = text.split_once(' ').filter(|(how, _)| how.eq_ignore_ascii_case("bearer"));
        let is_it = bearer.is_some_and(|(_, given)| token.is(given.trim()));
        return if is_it { GuardVerdict::Passes } else { GuardVerdict::WrongToken };
    }
    let cookies = request.header("cookie").unwrap_or("");
    let mut own = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
    let is_in = own.any(|(name, value)| name == COOKIE && token.is_cookie(value, now));
    if is_in { GuardVerdict::Passes } else { GuardVerdict::NoToken }
}

/// The token in the form of the login.
#[must_use]
pub fn form_token(request: &Request) -> Option<String> {
    let text = std::str::from_utf8(&request.body).ok()?;
    UrlQuery::parse(text).ok()?.get("token").map(str::to_owned)
}

/// A host in small letters, and its port.
fn host_of(text: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        host.parse::<std::net::Ipv6Addr>().ok()?;
        (host, rest)
    } else {
        let at = text.find(':').unwrap_or(text.len());
        let (host, rest) = text.split_at(at);
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if host.is_empty() || host.len() > 253 || !host.bytes().all(fits) {
            return None;
        }
        (host, rest)
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => None,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(digits.parse().ok()?)
        }
        None | Some(_) => return None,
    };
    Some((host.trim_end_matches('.').to_ascii_lowercase(), port))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// True if a path may be gone to after a login: one of this console's own.
#[must_use]
pub fn is_own_path(path: &str) -> bool {
    path.starts_with('/')
        && !path.starts_with("//")
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

#[cfg(test)]
mod tests {
    use super::super::http::{ParsedHead, parse};
    use super::*;

    fn request(headers: &str) -> Request {
        let text = format!("GET / HTTP/1.1\r\n{headers}\r\n");
        let ParsedHead::Whole(request, _) = parse(text.as_bytes()) else { panic!("{text}") };
        *request
    }

    #[test]
    fn only_this_machine_is_its_host() {
        let table = [
            ("Host: localhost\r\n", true),
            ("Host: LOCALHOST:9000\r\n", true),
            ("Host: 127.0.0.1:8707\r\n", true),
            ("Host: [::1]:8707\r\n", true),
            ("Host: 127.0.0.1.evil.example\r\n", false),
            ("Host: localhost.evil.example:8707\r\n", false),
            ("Host: evil.example\r\n", false),
            ("Host: localhost:8707@evil.example\r\n", false),
            ("Host: localhost:x\r\n", false),
            ("Host: 2130706433\r\n", false),
            ("Host: \r\n", false),
            ("", false),
        ];
        for (headers, passes) in table {
            assert_eq!(
                place(&request(headers), false, None) == GuardVerdict::Passes,
                passes,
                "{headers}"
            );
        }
        assert_eq!(place(&request("Host: billing.example\r\n"), true, None), GuardVerdict::Passes);
    }

    #[test]
    fn another_page_may_link_and_not_read() {
        let of = |more: &str| place(&request(&format!("Host: localhost:1\r\n{more}")), false, None);
        assert_eq!(of("Origin: http://localhost:1\r\n"), GuardVerdict::Passes);
        for other in ["http://evil.example", "null", "http://localhost:2", "https://localhost"] {
            assert!(matches!(of(&format!("Origin: {other}\r\n")), GuardVerdict::Refused(403, _)));
        }
        assert!(matches!(of("Sec-Fetch-Site: cross-site\r\n"), GuardVerdict::Refused(403, _)));
        let link = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n";
        assert!(matches!(
            of(&format!("{link}Sec-Fetch-Dest: iframe\r\n")),
            GuardVerdict::Refused(..)
        ));
        assert_eq!(of(&format!("{link}Sec-Fetch-Dest: document\r\n")), GuardVerdict::Passes);
    }

    #[test]
    fn a_token_is_asked_for_and_its_cookie_ends() {
        let token = Token::of(" 0123456789abcdef\n").expect("a token");
        assert!(Token::of("short").is_err() && Token::of("0123456789 abcdef").is_err());
        let of = |header: &str, now| who(&request(header), Some(&token), now);
        assert_eq!(of("", 0), GuardVerdict::NoToken);
        assert_eq!(of("Authorization: Bearer 0123456789abcdef\r\n", 0), GuardVerdict::Passes);
        for wrong in ["Bearer 0123456789abcdee", "Basic 0123456789abcdef", "Bearer", "x"] {
            assert_eq!(of(&format!("Authorization: {wrong}\r\n"), 0), GuardVerdict::WrongToken);
        }
        let cookie = token.cookie(7 * HOUR);
        let pair = cookie.split(';').next().expect("a pair");
        let header = format!("Cookie: a=b; {pair}\r\n");
        assert_eq!(of(&header, 19 * HOUR), GuardVerdict::Passes);
        assert_eq!(of(&header, 20 * HOUR), GuardVerdict::NoToken, "it has ended");
        assert_eq!(of(&header, 6 * HOUR), GuardVerdict::NoToken, "it is of another clock");
        let forged = header.replace("=7.", "=8.");
        assert_eq!(of(&forged, 9 * HOUR), GuardVerdict::NoToken);
    }

    #[test]
    fn a_proxy_says_who_asks() {
        let [own, other] = [[10, 0, 0, 1], [10, 0, 0, 2]].map(IpAddr::from);
        let proxy = TrustedProxy {
            address: own,
            header: "x-client".to_owned(),
            host: "billing.example".to_owned(),
        };
        let user = |header: &str, peer| proxy.user(&request(header), peer);
        assert_eq!(user("X-Client: CN=Ada\r\n", own).as_deref(), Some("CN=Ada"));
        let mapped = "::ffff:10.0.0.1".parse().expect("an address");
        assert_eq!(user("X-Client: CN=Ada\r\n", mapped).as_deref(), Some("CN=Ada"));
        assert_eq!(user("X-Client: CN=Ada\r\n", other), None, "anybody can send a header");
        for none in ["", "X-Client: \r\n", "X-Client: a\r\nX-Client: b\r\n", "X-Other: a\r\n"] {
            assert_eq!(user(none, own), None, "{none}");
        }
        assert_eq!(user(&format!("X-Client: {}\r\n", "a".repeat(121)), own), None);
        for (host, passes) in
            [("billing.example", true), ("127.0.0.1:1", true), ("evil.example", false)]
        {
            let verdict = place(&request(&format!("Host: {host}\r\n")), true, Some(&proxy));
            assert_eq!(verdict == GuardVerdict::Passes, passes, "{host}");
        }
    }

    #[test]
    fn a_login_leads_to_own_paths() {
        for (path, is) in
            [("/", true), ("/calls?q=1", true), ("//evil", false), ("/\\evil", false), ("x", false)]
        {
            assert_eq!(is_own_path(path), is, "{path}");
        }
    }
}
