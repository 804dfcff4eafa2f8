//! HTTP/1.1, as much of it as a console needs: heads of requests in, whole answers out.
//!
//! **Invariants:** a head has at most [`LONGEST_HEAD`] bytes, a target at most [`LONGEST_TARGET`],
//! a request no body but a form of at most [`LONGEST_FORM`] bytes. An answer is whole before its
//! first byte is sent, and every answer has the headers of [`ALWAYS`].
//!
//! # Why no framework
//! The routes are a match of a dozen arms, requests have no bodies, and answers no streams. hyper
//! would turn a feature of tokio on that polars has off, and with it polars would be built anew;
//! what a head is, `httparse` decides.

use crate::time::{self, DAY, Micros};
use std::fmt::Write as _;

/// The most bytes of a head.
pub const LONGEST_HEAD: usize = 16 << 10;
/// The most bytes of a request's target.
pub const LONGEST_TARGET: usize = 4 << 10;
/// The most bytes of a form.
pub const LONGEST_FORM: usize = 1 << 10;
/// The most headers of a request.
const MOST_HEADERS: usize = 64;

/// The methods that are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Asks for a page.
    Get,
    /// Asks for its head.
    Head,
    /// Sends the form of the login.
    Post,
    /// Any other.
    Other,
}

/// The head of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its method.
    pub method: Method,
    /// Its path, as it came: escapes are not decoded.
    pub path: String,
    /// What stands behind `?`, as it came.
    pub query: String,
    /// The names, in small letters, and the values of its headers.
    headers: Vec<(String, String)>,
    /// True if the connection may serve another request.
    pub keeps_alive: bool,
    /// The bytes of its body.
    pub body_length: usize,
    /// The body: a form.
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a header; `None` if it is not there or stands twice.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter().filter(|(own, _)| own == name);
        let (_, value) = all.next()?;
        all.next().is_none().then_some(value.as_str())
    }

    /// How often a header is there.
    #[must_use]
    pub fn count(&self, name: &str) -> usize {
        self.headers.iter().filter(|(own, _)| own == name).count()
    }
}

/// What the bytes of a connection are so far.
#[derive(Debug, PartialEq, Eq)]
pub enum ParsedHead {
    /// The beginning of a head.
    Part,
    /// A head of so many bytes.
    Whole(Box<Request>, usize),
    /// Something that is refused, with a status; the connection ends.
    Refused(u16),
}

/// Reads a head.
#[must_use]
pub fn parse(bytes: &[u8]) -> ParsedHead {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    let length = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length <= LONGEST_HEAD => length,
        Ok(httparse::Status::Partial) if bytes.len() < LONGEST_HEAD => {
            // A line that has no end yet, and is too long already.
            let line = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
            return if line > LONGEST_TARGET + 64 {
                ParsedHead::Refused(414)
            } else {
                ParsedHead::Part
            };
        }
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return ParsedHead::Refused(431),
        Err(httparse::Error::Version) => return ParsedHead::Refused(505),
        Err(_) => return ParsedHead::Refused(400),
    };
    let (Some(method), Some(target), Some(version)) = (head.method, head.path, head.version) else {
        return ParsedHead::Refused(400);
    };
    if target.len() > LONGEST_TARGET {
        return ParsedHead::Refused(414);
    }
    let method = match method {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        _ => Method::Other,
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut own = Vec::with_capacity(head.headers.len());
    for header in head.headers.iter() {
        let Ok(value) = std::str::from_utf8(header.value) else { return ParsedHead::Refused(400) };
        own.push((header.name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers: own,
        keeps_alive: version == 1,
        body_length: 0,
        body: Vec::new(),
    };
    let connection = request.header("connection").unwrap_or("").to_ascii_lowercase();
    request.keeps_alive &= !connection.split(',').any(|word| word.trim() == "close");
    // What has a body of unknown length is never read: nothing behind it is taken for a request.
    if request.count("transfer-encoding") > 0 || request.count("content-length") > 1 {
        return ParsedHead::Refused(400);
    }
    if let Some(text) = request.header("content-length") {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let most = if method == Method::Post { LONGEST_FORM } else { 0 };
        request.body_length = match text.parse() {
            Ok(length) if is_number && length <= most => length,
            _ if is_number => return ParsedHead::Refused(413),
            _ => return ParsedHead::Refused(400),
        };
    }
    if request.count("host") > 1 || request.count("expect") > 0 {
        return ParsedHead::Refused(400);
    }
    ParsedHead::Whole(Box::new(request), length)
}

/// Headers of every answer.
pub const ALWAYS: [(&str, &str); 8] = [
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), interest-cohort=()"),
    ("X-Robots-Tag", "noindex, nofollow"),
    ("Server", "trunkrate"),
];

/// The policy of pages: no script, and nothing from anywhere else.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// The policy of pages that have their own style sheet within them: reports and invoices.
const POLICY_OF_DOCUMENTS: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
                                   base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// The kind of its body.
    pub kind: &'static str,
    /// Its body.
    pub body: Vec<u8>,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// The tag of what it shows, if that depends on the ledger's runs alone.
    pub tag: Option<String>,
    /// True if its body is a page that has its style sheet within it.
    pub is_document: bool,
    /// True if it may be kept for good: its address names its content.
    pub is_fixed: bool,
}

impl HttpAnswer {
    /// An answer with a body.
    #[must_use]
    pub fn new(status: u16, kind: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            kind,
            body: body.into(),
            headers: Vec::new(),
            tag: None,
            is_document: false,
            is_fixed: false,
        }
    }

    /// A page.
    #[must_use]
    pub fn page(status: u16, html: String) -> Self {
        Self::new(status, "text/html; charset=utf-8", html)
    }

    /// A text.
    #[must_use]
    pub fn text(status: u16, text: impl Into<Vec<u8>>) -> Self {
        Self::new(status, "text/plain; charset=utf-8", text)
    }

    /// Leads to another address.
    #[must_use]
    pub fn to(address: String) -> Self {
        Self::text(303, "See other\n").with("Location", address)
    }

    /// Adds a header; what would end its line is left out.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        let mut value: String = value.into();
        value.retain(|c| !c.is_control());
        self.headers.push((name, value));
        self
    }

    /// True if it has a further header.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(own, _)| *own == name)
    }

    /// The answer as bytes. `is_head` leaves the body out, and says its length.
    #[must_use]
    pub fn bytes(&self, now: Micros, is_head: bool, keeps_alive: bool) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        let mut line = |name: &str, value: &str| {
            let _ = write!(head, "{name}: {value}\r\n");
        };
        line("Date", &http_date(now));
        let has_body = self.status != 304;
        if has_body {
            line("Content-Type", self.kind);
            line("Content-Length", &self.body.len().to_string());
        }
        for (name, value) in ALWAYS {
            line(name, value);
        }
        let policy = if self.is_document { POLICY_OF_DOCUMENTS } else { POLICY };
        line("Content-Security-Policy", policy);
        match &self.tag {
            _ if self.is_fixed => line("Cache-Control", "public, max-age=31536000, immutable"),
            Some(tag) => {
                line("ETag", tag);
                line("Cache-Control", "private, no-cache");
                line("Vary", "Authorization, Cookie");
            }
            None => line("Cache-Control", "no-store"),
        }
        for (name, value) in &self.headers {
            line(name, value);
        }
        line("Connection", if keeps_alive { "keep-alive" } else { "close" });
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        if has_body && !is_head {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }
}

/// The words of a status.
#[must_use]
pub const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        303 => "See Other",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        414 => "URI Too Long",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Internal Server Error",
    }
}

/// An instant as HTTP writes it: `Fri, 20 Nov 2026 21:15:00 GMT`.
#[must_use]
pub fn http_date(at: Micros) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let text = time::text(at);
    let weekday = usize::try_from(at.div_euclid(DAY).rem_euclid(7)).expect("below seven");
    let part = |range: std::ops::Range<usize>| text.get(range).unwrap_or("");
    let month = part(5..7).parse::<usize>().ok().and_then(|month| month.checked_sub(1));
    let month = month.and_then(|month| MONTHS.get(month)).copied().unwrap_or("Jan");
    format!(
        "{}, {} {month} {} {} GMT",
        DAYS[weekday],
        part(8..10),
        part(0..4),
        text.get(11..19).unwrap_or("00:00:00")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Request {
        match parse(text.as_bytes()) {
            ParsedHead::Whole(request, length) => {
                assert_eq!(length, text.len());
                *request
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn heads_are_read_as_they_are() {
        let request =
            whole("GET /calls?q=a%20b HTTP/1.1\r\nHost: localhost:1\r\nX: 1\r\nX: 2\r\n\r\n");
        assert_eq!((request.path.as_str(), request.query.as_str()), ("/calls", "q=a%20b"));
        assert_eq!(request.header("host"), Some("localhost:1"));
        assert_eq!((request.header("x"), request.count("x")), (None, 2), "which of the two?");
        assert!(request.keeps_alive);
        assert!(!whole("GET / HTTP/1.0\r\n\r\n").keeps_alive);
        assert!(!whole("GET / HTTP/1.1\r\nConnection: Close\r\n\r\n").keeps_alive);
        assert_eq!(whole("BREW / HTTP/1.1\r\n\r\n").method, Method::Other);
    }

    #[test]
    fn what_is_too_much_or_wrong_is_refused() {
        let long = "a".repeat(LONGEST_TARGET + 1);
        let big = format!("GET / HTTP/1.1\r\nCookie: {}\r\n\r\n", "a".repeat(LONGEST_HEAD));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(MOST_HEADERS + 1));
        let table = [
            (format!("GET /{long} HTTP/1.1\r\n\r\n"), 414),
            (format!("GET /{long}{long}"), 414),
            (big, 431),
            (many, 431),
            ("GET / HTTP/2.0\r\n\r\n".to_owned(), 505),
            ("\u{16}\u{3}\u{1}\u{2}".to_owned(), 400),
            ("GET / HTTP/1.1\r\nContent-Length: 1\r\n\r\n".to_owned(), 413),
            ("POST / HTTP/1.1\r\nContent-Length: 1025\r\n\r\n".to_owned(), 413),
            ("GET / HTTP/1.1\r\nContent-Length: +0\r\n\r\n".to_owned(), 400),
            ("GET / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n".to_owned(), 400),
            ("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(), 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_owned(), 400),
        ];
        for (text, status) in table {
            let shown: String = text.chars().take(60).collect();
            assert_eq!(parse(text.as_bytes()), ParsedHead::Refused(status), "{shown}");
        }
        assert_eq!(parse(b"GET / HTTP/1.1\r\nHost:"), ParsedHead::Part);
        assert_eq!(parse(b""), ParsedHead::Part);
    }

    #[test]
    fn no_header_is_made_by_a_value() {
        let answer = HttpAnswer::to("/x\r\nSet-Cookie: a=b".to_owned());
        let text = String::from_utf8(answer.bytes(0, false, false)).expect("text");
        assert!(text.contains("Location: /xSet-Cookie: a=b\r\n"), "{text}");
        assert!(text.contains("\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"), "{text}");
    }

    #[test]
    fn dates_are_those_of_http() {
        let at = time::parse_date_or_instant("2026-11-20T21:15:00Z").expect("an instant");
        assert_eq!(http_date(at), "Fri, 20 Nov 2026 21:15:00 GMT");
    }
}
