//! The console in a real browser, and its API before a validator that is not ours.
//!
//! `validators/console.py` and `validators/openapi.py` say what is looked at.

use super::{NOW, PAGES, night, sid, start};
use crate::documents::judge;
use crate::serve::server::Server;
use crate::support::Night;
use std::path::Path;

/// The fixtures' night with its list of accounts, and its invoices.
fn fixtures() -> Night {
    let night = Night::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["fixtures", "rates"] {
        std::os::unix::fs::symlink(root.join(folder), night.path().join(folder)).expect("a link");
    }
    let done = night.trunkrate(&[
        "run",
        "--cdrs",
        "fixtures/night/calls",
        "--rates",
        "rates",
        "--trunks",
        "fixtures/night/trunks.json",
        "--accounts",
        "fixtures/night/accounts.csv",
        "--now",
        "2026-11-21T02:00:00Z",
    ]);
    assert_eq!(done.code, 0, "{}", done.shown());
    night
}

/// Pictures go to `target/console`, for people.
#[test]
fn a_browser_walks_every_page() {
    let night = fixtures();
    let server = Server::start(&night, &["--now", NOW]);
    let calls = server.json("/api/v1/calls?scenario=termination-to-pstn&status=completed");
    let child = calls["calls"][0]["children"][0]["call_sid"].as_str().expect("a child").to_owned();
    let causes = server.json("/api/v1/suspense");
    let cause = causes["causes"][0]["cause"].as_str().expect("a cause").to_owned();
    let account = calls["calls"][0]["account_sid"].as_str().expect("an account").to_owned();
    let run = server.json("/api/v1/runs")["runs"][0]["run_id"].as_str().expect("one").to_owned();
    let paths = [
        ("tonight", "/".to_owned()),
        ("calls", "/calls".to_owned()),
        ("found", "/calls?q=20+Nov".to_owned()),
        ("call", format!("/calls/{child}")),
        ("source", format!("/calls/{child}/source")),
        ("waiting", "/waiting".to_owned()),
        ("cause", format!("/waiting?cause={}", cause.replace(' ', "%20"))),
        ("customers", "/customers".to_owned()),
        ("customer", format!("/customers/{account}")),
        ("numbers", format!("/customers/{account}/numbers?month=2026-11")),
        ("month", "/month".to_owned()),
        ("rates", "/rates?number=%2B442079460110&from=%2B12025550101&at=2026-11-20".to_owned()),
        ("nights", "/nights".to_owned()),
        ("report", format!("/nights/{run}")),
        ("nothing", "/nothing".to_owned()),
    ];
    for (_, path) in &paths {
        server.settled(path);
    }
    let plan = serde_json::json!({
        "base": format!("http://127.0.0.1:{}", server.port),
        "pages": paths.iter().map(|(name, path)| serde_json::json!([name, path])).collect::<Vec<_>>(),
        "pictures": Path::new(env!("CARGO_MANIFEST_DIR")).join("target/console"),
    });
    let (good, found) = judge("console.py", &[], &plan.to_string());
    assert!(good, "{found:#}");
    assert_eq!(found.as_object().expect("pages").len(), paths.len());
}

#[test]
fn the_api_is_what_its_document_says() {
    let night = night();
    let server = start(&night);
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("written");
    };
    write("openapi.json", &server.get("/api/v1/openapi.json").text());
    let asked = [
        ("/api/v1/calls", "/api/v1/calls".to_owned()),
        ("/api/v1/calls", "/api/v1/calls?number=0104&limit=1".to_owned()),
        ("/api/v1/calls/{sid}", format!("/api/v1/calls/{}", sid(3))),
        ("/api/v1/calls/{sid}", format!("/api/v1/calls/{}", sid(5))),
        ("/api/v1/suspense", "/api/v1/suspense".to_owned()),
        ("/api/v1/invoices", "/api/v1/invoices".to_owned()),
        ("/api/v1/runs", "/api/v1/runs".to_owned()),
        ("/api/v1/rates/lookup", "/api/v1/rates/lookup?number=14155550102".to_owned()),
        ("/api/v1/rates/lookup", "/api/v1/rates/lookup?number=x".to_owned()),
        ("/api/v1/calls", "/api/v1/calls?nothing=1".to_owned()),
    ];
    let mut answers = Vec::new();
    for (path, address) in &asked {
        let answer = server.settled(address);
        answers.push(serde_json::json!({
            "path": path, "status": answer.status, "body": answer.json(),
            "kind": answer.header("Content-Type"),
        }));
    }
    write("answers.json", &serde_json::Value::from(answers).to_string());
    let (good, found) = judge("openapi.py", &[folder.path()], "");
    assert!(good, "{found:#}");
    assert_eq!(found["answers"], asked.len());
    assert_eq!(PAGES.len(), 11, "each page of the menu has a test");
}
