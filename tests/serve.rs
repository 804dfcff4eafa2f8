//! The console: a real server on a free port, real sockets. What its pages and its API say; who may
//! ask; hostile texts; slow, wrong and many clients; one state while the ledger changes.

mod details;
mod guard;
mod hostile;
mod server;
mod walk;

use crate::support::Night;
use serde_json::Value;
use server::Server;
use std::collections::BTreeSet;

/// The time that the consoles of these tests have.
const NOW: &str = "2026-11-21T07:00:00Z";

/// Three families of one evening, and a call that waits.
///
/// CA1: 61 s at 0.0100, 60/60: two minutes, 0.02000. CA2: 60 s, 0.01000; its child CA3 was
/// transferred to a telephone: Termination(A→B) + Termination(A→C) for 90 s, twice two minutes at
/// 0.0100: 0.04000. CA4: coming in, 30 s at 0.0034: 0.00340. CA5 waits: no rate.
const CALLS: [&str; 5] = [
    "CA00000000000000000000000000000001,,AC1,TK1,trunking-terminating,+12025550101,+14155550102,2026-11-20T20:00:00Z,2026-11-20T20:01:06Z,61,completed,-0.0130,USD",
    "CA00000000000000000000000000000002,,AC1,TK1,trunking-terminating,+12025550101,+14155550103,2026-11-20T21:00:00Z,2026-11-20T21:01:05Z,60,completed",
    "CA00000000000000000000000000000003,CA00000000000000000000000000000002,AC1,TK1,,+14155550103,+13035550104,2026-11-20T21:01:05Z,2026-11-20T21:02:40Z,90,completed",
    "CA00000000000000000000000000000004,,AC2,TK1,trunking-originating,+13035550109,+14155550102,2026-11-20T22:00:00Z,2026-11-20T22:00:31Z,30,completed",
    "CA00000000000000000000000000000005,,AC2,TK1,trunking-terminating,+12025550101,+442079460110,2026-11-20T22:30:00Z,2026-11-20T22:31:00Z,60,completed",
];

/// The id of a call of [`CALLS`].
fn sid(number: u32) -> String {
    format!("CA{number:032}")
}

fn night() -> Night {
    let night = Night::with_plain_deck();
    night.calls(&CALLS);
    night.file("accounts.csv", "account_sid,name,deck\nAC1,Acme <GmbH>,\nAC2,Beta & Söhne,\n");
    night.run(&["--accounts", "accounts.csv", "--now", "2026-11-21T02:00:00Z"]);
    night
}

fn start(night: &Night) -> Server {
    Server::start(night, &["--now", NOW])
}

/// The addresses of the menu, and one below each.
const PAGES: [&str; 11] = [
    "/",
    "/calls",
    "/calls/CA00000000000000000000000000000003",
    "/calls/CA00000000000000000000000000000005",
    "/waiting",
    "/customers",
    "/customers/AC1",
    "/month",
    "/rates?number=%2B442079460110",
    "/rates?number=%2B14155550102&from=%2B12025550101",
    "/nights",
];

#[test]
fn every_page_is_a_page() {
    let night = night();
    let server = start(&night);
    for path in PAGES {
        let answer = server.settled(path);
        let text = answer.text();
        assert_eq!(answer.status, 200, "{path}: {text}");
        assert!(text.starts_with("<!doctype html>") && text.contains("<h1"), "{path}: {text}");
        let policy = answer.header("Content-Security-Policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'self'"), "{policy}");
        for (name, value) in [
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Frame-Options", "DENY"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
        let never = ["<script", " onload=", " style=", "http://www.w3.org/2000/svg\"", "src="];
        for never in never {
            assert!(!text.contains(never), "{path}: {never}");
        }
        let head = server.ask("HEAD", path, "");
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
    }
    for (path, status) in [
        ("/nothing", 404),
        ("/calls/CAnone", 404),
        ("/calls?x=1", 400),
        ("/month?month=1969-12", 400),
        ("/month?month=1970-01", 200),
        ("/customers/AC9", 404),
    ] {
        let answer = server.settled(path);
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.text().contains("<h1"), "{path}");
    }
}

#[test]
fn the_money_is_that_of_the_ledger() {
    let night = night();
    let server = start(&night);
    let calls = server.json("/api/v1/calls");
    let amounts: Vec<(String, Vec<String>)> = calls["calls"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|family| {
            let of = |call: &Value| call["amount"].as_str().unwrap_or("none").to_owned();
            let children = family["children"].as_array().expect("a list").iter().map(of).collect();
            (of(family), children)
        })
        .collect();
    let expected =
        [("none", vec![]), ("0.00340", vec![]), ("0.01000", vec!["0.04000"]), ("0.02000", vec![])];
    let expected = expected.map(|(own, children)| {
        (own.to_owned(), children.into_iter().map(str::to_owned).collect::<Vec<_>>())
    });
    assert_eq!(amounts, expected);
    let one = server.json(&format!("/api/v1/calls/{}", sid(3)));
    assert_eq!(one["amount"], "0.04000");
    assert_eq!(one["price"]["booked"], "0.04000");
    assert_eq!(one["price"]["difference"], "0.00000");
    let legs = one["price"]["legs"].as_array().expect("legs");
    let of = |leg: &Value| {
        let row = &leg["row"];
        format!("{} {} {}", leg["published"], row["billed_seconds"], row["amount"])
    };
    assert_eq!(
        legs.iter().map(of).collect::<Vec<_>>(),
        ["\"Termination(A→B)\" 120 \"0.02000\"", "\"Termination(A→C)\" 120 \"0.02000\""]
    );
    // The carrier charged 0.0130 for CA1, and we 0.02000.
    let page = server.page(&format!("/calls/{}", sid(1)));
    for shown in ["0.0130", "0.0070", "0.02000", "120 s ÷ 60 × 0.0100 USD", "prices.csv:2"] {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    // AC1: 0.02 + 0.01 + 0.04.
    let customer = server.page("/customers/AC1");
    assert!(customer.contains("0.07000") && customer.contains("Acme &lt;GmbH&gt;"), "{customer}");
    let customers = server.page("/customers");
    assert!(customers.contains("0.07340"), "all of it: {customers}");
}

#[test]
fn calls_are_found_by_one_box() {
    let night = night();
    let server = start(&night);
    let found = |query: &str| -> Vec<String> {
        let calls = server.json(&format!("/api/v1/calls?{query}"));
        let list = calls["calls"].as_array().expect("a list").clone();
        list.iter().map(|own| own["call_sid"].as_str().unwrap_or("none").to_owned()).collect()
    };
    for (query, expected) in [
        ("q=0104", vec![2]),
        ("q=%2B1+(303)+555-0104", vec![2]),
        ("q=Acme", vec![2, 1]),
        ("q=beta", vec![5, 4]),
        ("q=20+Nov+10pm", vec![5, 4]),
        ("q=Acme+20+Nov+8pm", vec![1]),
        ("q=CA00000000000000000000000000000003", vec![2]),
        ("number=%2B13035550104", vec![2]),
        ("account=AC1&status=completed", vec![2, 1]),
        ("scenario=origination", vec![4]),
        ("around=2026-11-20T20:05:00Z&within=10m", vec![1]),
        ("from=2026-11-20T21:30:00Z", vec![5, 4]),
        ("q=21+Nov", vec![]),
    ] {
        let expected: Vec<String> = expected.into_iter().map(sid).collect();
        assert_eq!(found(query), expected, "{query}");
    }
    for (query, status) in [
        ("q=Nobody", 404),
        ("q=31.12.2026", 400),
        ("limit=0", 400),
        ("after=x", 400),
        ("q=%zz", 400),
    ] {
        let answer = server.get(&format!("/api/v1/calls?{query}"));
        assert_eq!(answer.status, status, "{query}: {}", answer.text());
        assert_eq!(answer.header("Content-Type"), Some("application/problem+json"), "{query}");
        assert_eq!(answer.json()["status"], status, "{query}");
        if query != "limit=0" {
            assert_eq!(server.get(&format!("/calls?{query}")).status, status, "{query}");
        }
    }
}

/// Families of many nights, page by page: each once, the newest first, and no other.
#[test]
fn pages_of_calls_are_the_whole_list() {
    let night = Night::with_plain_deck();
    let mut all = BTreeSet::new();
    for day in [18, 19, 20] {
        let mut rows = Vec::new();
        for number in 0..20 {
            let (sid, minute) = (format!("CA{day}{number:02}"), number * 2);
            rows.push(format!(
                "{sid},,AC{},TK1,trunking-terminating,+12025550101,+14155550102,2026-11-{day}T21:{minute:02}:00Z,,61,completed",
                number % 3
            ));
            if number % 4 == 0 {
                rows.push(format!(
                    "{sid}c,{sid},AC{},TK1,,+14155550102,+13035550104,2026-11-{day}T21:{:02}:30Z,,30,completed",
                    number % 3,
                    minute + 5
                ));
            }
            all.insert(sid);
        }
        night.calls(&rows.iter().map(String::as_str).collect::<Vec<_>>());
        night.run(&[]);
    }
    let server = start(&night);
    for (filter, expected) in [("", 60), ("&account=AC1", 21), ("&number=0104", 15)] {
        for limit in [1, 7, 60] {
            let (mut seen, mut after) = (Vec::new(), String::new());
            loop {
                let page = server.json(&format!("/api/v1/calls?limit={limit}{filter}{after}"));
                let families = page["calls"].as_array().expect("a list");
                assert!(families.len() <= limit, "{limit}{filter}");
                for family in families {
                    let sid = family["call_sid"].as_str().expect("a parent").to_owned();
                    let number: u32 = sid[4..].parse().expect("its number");
                    let children = family["children"].as_array().expect("a list").len();
                    assert_eq!(children, usize::from(number.is_multiple_of(4)), "{sid} is whole");
                    seen.push(sid);
                }
                let Some(next) = page["next"].as_str() else { break };
                after = format!("&after={next}");
                assert!(seen.len() <= 200, "it ends");
            }
            let set: BTreeSet<String> = seen.iter().cloned().collect();
            assert_eq!((seen.len(), set.len()), (expected, expected), "{limit}{filter}: {seen:?}");
            assert!(set.is_subset(&all));
            if filter.is_empty() && limit == 1 {
                let mut sorted = seen.clone();
                sorted.sort_by_key(|sid| std::cmp::Reverse(sid[2..4].to_owned()));
                assert_eq!(seen, sorted, "newest days first");
            }
        }
    }
}

#[test]
fn a_tag_names_the_state() {
    let night = night();
    let server = start(&night);
    let tag = server.get("/calls").header("ETag").expect("a tag").to_owned();
    let again = server.ask("GET", "/calls", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_ne!(server.get("/calls?account=AC1").header("ETag"), Some(tag.as_str()));
    night.calls(&[
        "CA6,,AC1,TK1,trunking-terminating,+12025550101,+14155550102,2026-11-21T20:00:00Z,,61,completed",
    ]);
    night.run(&["--accounts", "accounts.csv"]);
    let after = server.ask("GET", "/calls", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!(after.status, 200, "the ledger is another");
    assert!(after.text().contains("/calls/CA6"));
    assert_eq!(server.get("/").header("ETag"), None, "ages change by themselves");
    let style = server.get("/style.css");
    assert!(style.header("Cache-Control").expect("one").contains("immutable"));
}

#[test]
fn looks_are_written_down_and_nights_are_not_pushed_out() {
    let night = night();
    let server = start(&night);
    let journal = std::fs::read(night.path().join("ledger/journal.jsonl")).expect("a journal");
    for path in ["/calls?q=Acme", "/calls?q=Acme", "/calls/CA00000000000000000000000000000004"] {
        server.page(path);
    }
    server.json("/api/v1/suspense");
    let text = std::fs::read_to_string(night.path().join("ledger/looks.jsonl")).expect("looks");
    let looks: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |look: &Value| format!("{} {} {}", look["asked"], look["accounts"], look["shown"]);
    assert_eq!(
        looks.iter().map(of).collect::<Vec<_>>(),
        [
            r#""/calls?q=Acme" ["AC1"] 3"#,
            r#""/calls/CA00000000000000000000000000000004" ["AC2"] 1"#,
            r#""/api/v1/suspense" ["AC2"] 1"#,
        ],
        "the same look within a minute is one"
    );
    assert_eq!(looks[0]["from"], "127.0.0.1");
    let after = std::fs::read(night.path().join("ledger/journal.jsonl")).expect("a journal");
    assert_eq!(journal, after);
    night.trunkrate(&["verify"]).ok();
    assert!(server.page("/nights").contains("/calls?q=Acme"));
}

#[test]
fn masked_numbers_are_nowhere_whole() {
    let night = night();
    let server = Server::start(&night, &["--now", NOW, "--mask"]);
    let api = ["/api/v1/calls", "/api/v1/suspense", "/api/v1/runs"];
    let one = format!("/api/v1/calls/{}", sid(3));
    let report = {
        let runs = server.json("/api/v1/runs");
        format!("/nights/{}", runs["runs"][0]["run_id"].as_str().expect("an id"))
    };
    let paths = PAGES.iter().filter(|path| !path.starts_with("/rates"));
    for path in paths.copied().chain(api).chain([one.as_str(), report.as_str()]) {
        let text = server.page(path);
        for number in ["5550101", "5550102", "5550103", "5550104", "5550109", "79460110"] {
            assert!(!text.contains(number), "{path} shows {number}: {text}");
        }
    }
    assert!(server.page("/calls").contains("+1202555••••"));
    assert_eq!(server.json("/api/v1/calls?number=0104")["calls"][0]["call_sid"], sid(2));
}

#[test]
fn metrics_and_probes() {
    let night = night();
    let server = start(&night);
    assert_eq!(server.get("/healthz").text(), "ok\n");
    let metrics = server.settled("/metrics");
    assert!(
        metrics.header("Content-Type").expect("one").starts_with("application/openmetrics-text")
    );
    let text = metrics.text();
    assert!(text.ends_with("# EOF\n") && text.contains("trunkrate_waiting_records 1\n"), "{text}");
    std::fs::rename(night.path().join("ledger/runs"), night.path().join("gone")).expect("moved");
    assert_eq!(server.get("/healthz").status, 503);
    assert_eq!(server.get("/").status, 503);
}

#[test]
fn it_ends_by_a_signal() {
    let night = night();
    for signal in ["-INT", "-TERM"] {
        let server = start(&night);
        server.page("/calls");
        // A connection that asks nothing does not hold it up.
        let _idle = server.connect();
        assert_eq!(server.end(signal), Some(0), "{signal}");
    }
}

/// Runs and undos while pages are read: every answer is of one state, and none fails.
#[test]
fn every_answer_is_of_one_state() {
    let night = night();
    let server = start(&night);
    let ends = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for _ in 0..6 {
                night.calls(&[
                    "CA6,,AC1,TK1,trunking-terminating,+12025550101,+14155550106,2026-11-20T23:00:00Z,,61,completed",
                    "CA7,CA6,AC1,TK1,,+14155550106,+13035550104,2026-11-20T23:01:10Z,,30,completed",
                ]);
                let run = night.run(&["--accounts", "accounts.csv"]);
                let run = run["run_id"].as_str().expect("an id").to_owned();
                night.trunkrate(&["undo", &run, "--reason", "a test"]).ok();
            }
            ends.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        let read = |path: &'static str, check: fn(&Value)| {
            let (server, ends) = (&server, &ends);
            scope.spawn(move || {
                while !ends.load(std::sync::atomic::Ordering::Relaxed) {
                    let answer = server.settled(path);
                    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
                    check(&answer.json());
                }
            })
        };
        let readers = [
            read("/api/v1/calls", |page| {
                let families = page["calls"].as_array().expect("a list");
                let own = families.iter().find(|family| family["call_sid"] == "CA6");
                let children = own.map(|own| own["children"].as_array().expect("a list").len());
                assert!(matches!((families.len(), children), (4, None) | (5, Some(1))), "{page}");
            }),
            read("/api/v1/runs", |page| {
                let runs = page["runs"].as_array().expect("a list");
                let booked = runs.iter().filter(|run| run["state"] == "booked").count();
                assert!(matches!(booked, 1 | 2), "{page}");
            }),
        ];
        // Sums may be those of the state before, and are whole: CA6 is 0.02000, CA7 twice 0.01000.
        let sums = scope.spawn(|| {
            while !ends.load(std::sync::atomic::Ordering::Relaxed) {
                let answer = server.get("/customers");
                assert_eq!(answer.status, 200, "{}", answer.text());
                let text = answer.text();
                let is_pending = text.contains("are being added up.</");
                let is_one = ["0.07340", "0.11340"].map(|sum| text.contains(sum));
                assert!(is_pending || is_one[0] != is_one[1], "{text}");
            }
        });
        writer.join().expect("all was booked and undone");
        sums.join().expect("a reader of sums");
        for reader in readers {
            reader.join().expect("a reader");
        }
    });
    assert_eq!(server.json("/api/v1/calls")["calls"].as_array().expect("a list").len(), 4);
    assert!(server.page("/customers").contains("0.07340"), "what was undone is in no sum");
}
