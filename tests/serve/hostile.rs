//! Texts of strangers in every field: on every page and in the API they are text.

use super::server::Server;
use super::{NOW, start};
use crate::documents::HOSTILE;
use crate::support::{HEADER, Night};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// What must be on no page, whatever a field says.
const NEVER: [&str; 7] =
    ["<script", "<img", "<iframe", "<svg onload", "\u{202e}", "\u{200b}", "<h1>Paid"];

/// A night whose every field is hostile: what can be booked is, and the rest waits.
fn hostile_night() -> Night {
    let night = Night::new();
    let field = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let mut rows = format!("{HEADER}\n");
    let mut accounts = "account_sid,name,deck,address,email\n".to_owned();
    let long = "long ".repeat(2000);
    for (number, text) in HOSTILE.iter().chain([&long.as_str()]).enumerate() {
        let own = field(text);
        let account = field(&format!("AC{number}{text}"));
        // Booked: the texts are ids, accounts, trunks and callers.
        let _ = writeln!(
            rows,
            "{},,{account},{own},trunking-terminating,{own},+14155550102,2026-11-20T21:{:02}:00Z,,61,completed,{own},{own},,",
            field(&format!("CA{number}{text}")),
            number % 60
        );
        // Waiting: they are directions, statuses, times and targets.
        let _ = writeln!(
            rows,
            "CW{number},,{account},TK1,{own},+12025550101,{own},{own},,61,{own},,,,"
        );
        let _ = writeln!(
            rows,
            "CX{number},{},AC1,TK1,,+12025550101,{own},2026-11-20T21:30:00Z,,61,completed,,,{own},",
            field(&format!("CA{number}{text}")),
        );
        let _ = writeln!(accounts, "{account},{own},,{own},{own}");
    }
    night.file("calls.csv", rows);
    night.file("accounts.csv", accounts);
    night.file("rates/deck.toml", "name = \"<script>alert(1)</script>\"\ncurrency = \"USD\"\n");
    night.file(
        "rates/prices.csv",
        "ISO,Country,Description,Price / min,Origination Prefixes,Destination Prefixes\nUS,United States,\"<img src=x onerror=alert(1)>{{7*7}}\",0.0100,,1\n",
    );
    let done = night.trunkrate(&[
        "run",
        "--cdrs",
        "calls.csv",
        "--rates",
        "rates",
        "--accounts",
        "accounts.csv",
        "--format",
        "json",
    ]);
    let summary = done.json();
    assert!(summary["rated"].as_u64().expect("a number") > 5, "{summary}");
    assert!(summary["suspended"].as_u64().expect("a number") > 20, "{summary}");
    night
}

/// The addresses of this console that a page leads to.
fn links(page: &str) -> BTreeSet<String> {
    let all = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    // Of the filters one is enough: each is the same page again.
    let is_filter = |to: &&str| to.starts_with("/calls?") && !to.starts_with("/calls?status=busy");
    let is_month = |to: &&str| to.starts_with("/month?");
    let own = all.filter(|to| to.starts_with('/') && !is_filter(to) && !is_month(to));
    own.map(|to| to.split('#').next().expect("a path").replace("&amp;", "&")).collect()
}

#[test]
fn strangers_texts_are_text_on_every_page() {
    let night = hostile_night();
    let server = start(&night);
    let mut open: BTreeSet<String> = ["/".to_owned()].into();
    let mut seen = BTreeSet::new();
    while let Some(path) = open.pop_first() {
        if seen.len() > 1500 || !seen.insert(path.clone()) {
            continue;
        }
        let answer = server.settled(&path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let text = answer.text();
        if path.starts_with("/style.css") {
            continue;
        }
        for never in NEVER {
            // JSON has texts as they are, escaped by its own rules; no browser takes it for a page.
            let is_json = answer.header("Content-Type") == Some("application/json");
            assert!(is_json || !text.contains(never), "{path} has {never}: {text}");
        }
        assert!(!text.contains("{{7*7}}") || !text.contains(">49<"), "{path}");
        for to in links(&text) {
            if !seen.contains(&to) {
                open.insert(to);
            }
        }
    }
    let is_seen = |start: &str| seen.iter().any(|path| path.starts_with(start));
    for start in ["/calls/CA", "/waiting?cause=", "/customers/AC", "/nights/0", "/calls?status="] {
        assert!(is_seen(start), "{start} was walked: {seen:?}");
    }
}

#[test]
fn the_api_has_them_as_they_are() {
    let night = hostile_night();
    let server = Server::start(&night, &["--now", NOW]);
    let mut found = Vec::new();
    let mut after = String::new();
    loop {
        let page = server.json(&format!("/api/v1/calls?limit=60{after}"));
        for family in page["calls"].as_array().expect("a list") {
            found.push(family["call_sid"].as_str().unwrap_or("").to_owned());
        }
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={}", escaped(next));
    }
    let export = night.trunkrate(&["calls", "--format", "json", "--limit", "all"]).json();
    let expected: BTreeSet<String> = export
        .as_array()
        .expect("a list")
        .iter()
        .filter(|family| family["start_time"].is_string())
        .map(|family| family["call_sid"].as_str().unwrap_or("").to_owned())
        .collect();
    let found: BTreeSet<String> = found.into_iter().collect();
    for sid in &expected {
        assert!(found.contains(sid), "{sid:?} is in the API");
        // An id of ten thousand characters is too long for an address, and is not led to.
        if sid.len() > 1000 {
            assert_eq!(server.get(&format!("/api/v1/calls/{}", escaped(sid))).status, 414);
            continue;
        }
        let one = server.json(&format!("/api/v1/calls/{}", escaped(sid)));
        assert_eq!(one["call_sid"], Value::from(sid.as_str()));
    }
    assert!(expected.iter().any(|sid| sid.contains("<script>")), "{expected:?}");
    // What was never a call is a problem, and its text comes back as text.
    let wrong = server.get("/api/v1/calls?q=%3Cscript%3Enobody");
    assert_eq!(wrong.header("Content-Type"), Some("application/problem+json"));
    let page = server.get("/calls?q=%3Cscript%3Ealert(1)%3C/script%3E");
    assert!(!page.text().contains("<script"), "{}", page.text());
}

/// A text as a part of an address.
fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
