//! Who may ask, what is refused, and what many or slow clients come to.

use super::server::{Server, read_answer};
use super::{night, start};
use std::io::Write;
use std::time::{Duration, Instant};

#[test]
fn strangers_are_refused() {
    let night = night();
    let server = start(&night);
    let host = |host: &str| {
        let request = format!("GET /calls HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        server.raw(request.as_bytes()).expect("an answer").status
    };
    assert_eq!(host("localhost"), 200);
    assert_eq!(host(&format!("localhost:{}", server.port)), 200);
    assert_eq!(host("[::1]:1"), 200);
    for wrong in ["evil.example", "127.0.0.1.evil.example:8707", "192.168.0.1", "169.254.169.254"] {
        assert_eq!(host(wrong), 421, "{wrong}");
    }
    for wrong in ["", "a b", "localhost:x", "[", "user@localhost"] {
        assert_eq!(host(wrong), 400, "{wrong}");
    }
    assert_eq!(server.raw(b"GET / HTTP/1.1\r\n\r\n").expect("an answer").status, 400, "no host");
    for (headers, status) in [
        ("Origin: https://evil.example\r\n", 403),
        ("Origin: null\r\n", 403),
        ("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n", 403),
        (
            "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n",
            200,
        ),
        ("Sec-Fetch-Site: same-origin\r\n", 200),
    ] {
        assert_eq!(server.ask("GET", "/calls", headers).status, status, "{headers}");
    }
    for method in
        ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get"]
    {
        let answer = server.ask(method, "/calls", "");
        assert_eq!((answer.status, answer.header("Allow")), (405, Some("GET, HEAD")), "{method}");
    }
}

#[test]
fn no_address_is_a_file() {
    let night = night();
    let server = start(&night);
    let secret = "known only to the file";
    night.file("secret.txt", secret);
    night.file("ledger/secret.txt", secret);
    for path in [
        "/../secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e/secret.txt",
        "/calls/..%2f..%2fsecret.txt",
        "/calls/%2fetc%2fpasswd",
        "/calls/../../secret.txt",
        "/nights/..%2f..%2fsecret.txt",
        "/nights/%00",
        "/invoices/..%2f..%2fsecret.txt",
        "/customers/..%5c..%5csecret.txt",
        "/secret.txt",
        "/style.css/../secret.txt",
        "//etc/passwd",
        "/calls//x",
        "/.git/config",
        "/ledger/journal.jsonl",
        "/calls/%ff",
        "/%",
    ] {
        let answer = server.settled(path);
        assert!(matches!(answer.status, 400 | 404), "{path}: {}", answer.status);
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(!text.contains(secret) && !text.contains("root:"), "{path}: {text}");
    }
    let absolute =
        b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(server.raw(absolute).expect("an answer").status, 400);
}

#[test]
fn what_is_too_much_or_broken_is_refused() {
    let night = night();
    let server = start(&night);
    let long = "a".repeat(20_000);
    for (request, status) in [
        (format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {long}\r\n\r\n"), 431),
        (format!("GET / HTTP/1.1\r\nHost: localhost\r\nCookie: {long}\r\n\r\n"), 431),
        (format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "A: b\r\n".repeat(200)), 431),
        (format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n"), 414),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello".to_owned(), 413),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/3.0\r\nHost: localhost\r\n\r\n".to_owned(), 505),
        ("\0\u{1}\u{2}\u{3}\r\n\r\n".to_owned(), 400),
        ("hello\r\n\r\n".to_owned(), 400),
        ("GET\r\n\r\n".to_owned(), 400),
    ] {
        let shown: String = request.chars().take(50).collect();
        let answer = server.raw(request.as_bytes()).unwrap_or_else(|| panic!("{shown:?}"));
        assert_eq!(answer.status, status, "{shown:?}");
    }
    // Two requests at once are answered one after the other, and what follows a refusal is not
    // read.
    let mut stream = server.connect();
    let one = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(format!("{one}{one}BAD\r\n\r\n{one}").as_bytes()).expect("sent");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut stream, &mut text).expect("read");
    let of = |status: &str| text.matches(&format!("HTTP/1.1 {status}")).count();
    assert_eq!((of("200"), of("400")), (2, 1), "{text}");
}

#[test]
fn slow_clients_are_let_go() {
    let night = night();
    let server = start(&night);
    let begun = Instant::now();
    let mut stream = server.connect();
    stream.write_all(b"GET /calls HTTP/1.1\r\nHost: loc").expect("sent");
    // A letter now and then does not keep it: the head as a whole has ten seconds.
    let mut own = stream.try_clone().expect("a handle");
    std::thread::spawn(move || {
        for _ in 0..30 {
            std::thread::sleep(Duration::from_millis(700));
            if own.write_all(b"a").is_err() {
                return;
            }
        }
    });
    let answer = read_answer(&mut stream);
    assert!(answer.is_none_or(|answer| answer.status == 408));
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert_eq!(server.get("/healthz").status, 200);
}

/// The descriptors of a process.
fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).expect("a process").count()
}

#[test]
fn a_thousand_connections_are_answered_or_refused() {
    let night = night();
    let server = start(&night);
    server.page("/calls");
    let before = descriptors(server.pid());
    // Half of them say nothing, a quarter half of a request, a quarter ask.
    let mut all = Vec::new();
    for number in 0..1000 {
        let Ok(mut stream) = std::net::TcpStream::connect(("127.0.0.1", server.port)) else {
            continue;
        };
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
        let sent: &[u8] = match number % 4 {
            0 | 1 => b"",
            2 => b"GET /calls HTTP/1.1\r\nHo",
            _ => b"GET /calls HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        };
        let _ = stream.write_all(sent);
        all.push((number, stream));
    }
    assert!(all.len() > 900, "{}", all.len());
    let (mut good, mut refused) = (0, 0);
    for (number, stream) in &mut all {
        let answer = read_answer(stream);
        if *number % 4 == 3 {
            match answer.map(|answer| answer.status) {
                Some(200) => good += 1,
                Some(503) | None => refused += 1,
                Some(other) => panic!("{other}"),
            }
        }
    }
    assert_eq!(good + refused, all.iter().filter(|(number, _)| number % 4 == 3).count());
    assert!(good >= 100, "{good} were answered, {refused} refused");
    drop(all);
    let end = Instant::now() + Duration::from_secs(15);
    while descriptors(server.pid()) > before + 2 && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(descriptors(server.pid()) <= before + 2, "{} descriptors", descriptors(server.pid()));
    assert_eq!(server.page("/calls").matches("<h1").count(), 1, "it serves on");
}

#[test]
fn elsewhere_a_token_is_asked_for() {
    let night = night();
    let refused = night.trunkrate(&["serve", "--listen", "0.0.0.0:0"]);
    assert_eq!(refused.code, 2, "{}", refused.shown());
    assert!(refused.stderr.contains("--token-file"), "{}", refused.stderr);
    night.file("short", "0123");
    let short = night.trunkrate(&["serve", "--token-file", "short"]);
    assert_eq!(short.code, 1, "{}", short.shown());
    assert!(short.stderr.contains("expected 16 or more"), "{}", short.stderr);
    night.file("token", "a-token-of-some-length\n");
    let server = Server::start(&night, &["--token-file", "token"]);
    let status = |path: &str, headers: &str| server.ask("GET", path, headers).status;
    assert_eq!(status("/calls", ""), 401);
    assert_eq!(status("/api/v1/calls", ""), 401);
    assert_eq!(status("/metrics", ""), 401);
    assert_eq!(status("/nights/x", ""), 401, "what there is not is not told either");
    assert_eq!(status("/healthz", ""), 200);
    assert_eq!(status("/style.css", ""), 200);
    assert_eq!(status("/calls", "Authorization: Bearer a-token-of-some-length\r\n"), 200);
    assert_eq!(status("/calls", "Authorization: Bearer a-token-of-some-lengtH\r\n"), 401);
    assert_eq!(status("/calls", "Cookie: trunkrate=1.00\r\n"), 401);
    let page = server.ask("GET", "/calls?q=1", "Accept: text/html\r\n");
    assert_eq!(page.header("Location"), Some("/login?to=%2Fcalls%3Fq%3D1"));
    let form = |token: &str, to: &str| {
        let body = format!("token={token}");
        let request = format!(
            "POST /login?to={to} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        server.raw(request.as_bytes()).expect("an answer")
    };
    assert_eq!(form("wrong", "%2Fcalls").status, 401);
    let entered = form("a-token-of-some-length", "%2Fcalls%3Fq%3D1");
    assert_eq!((entered.status, entered.header("Location")), (303, Some("/calls?q=1")));
    let cookie = entered.header("Set-Cookie").expect("a cookie").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let pair = cookie.split(';').next().expect("a pair");
    assert_eq!(status("/calls", &format!("Cookie: {pair}\r\n")), 200);
    assert!(!pair.contains("a-token-of-some-length"), "the token is in no cookie");
    let elsewhere = form("a-token-of-some-length", "%2F%2Fevil.example");
    assert_eq!(elsewhere.header("Location"), Some("/"), "no other host is led to");
    assert_eq!(server.ask("POST", "/calls", "").header("Allow"), Some("GET, HEAD"));
}
