//! The pages behind the pages: the record of a call in its call file, versions side by side, the
//! numbers of a customer, invoices as files, a month beside the one before, two decks compared; and
//! a proxy that says who asks.

use super::server::Server;
use super::{NOW, night, sid, start};
use crate::support::Night;
use std::fmt::Write as _;

/// CA1 of [`super::CALLS`] stands in line 2 of the file, under the header.
#[test]
fn the_record_of_a_call_is_found_in_its_file() {
    let night = night();
    let path = format!("/calls/{}/source", sid(1));
    {
        let server = start(&night);
        assert!(server.page(&format!("/calls/{}", sid(1))).contains(&path), "a link to it");
        let page = server.page(&path);
        for shown in ["calls.csv", "</span> 2</p>", "its BLAKE3 hash matches", "+12025550101"] {
            assert!(page.contains(shown), "{shown} in {page}");
        }
        let waiting = server.settled(&format!("/calls/{}/source", sid(5)));
        assert_eq!(waiting.status, 404, "what waits is not booked: {}", waiting.text());
        assert_eq!(server.get("/calls/CAnone/source").status, 404);
        assert_eq!(server.get(&format!("{path}?file=/etc/passwd")).status, 400);
    }
    let calls = night.path().join("calls.csv");
    let text = std::fs::read_to_string(&calls).expect("calls");
    std::fs::write(&calls, text.replace(",61,", ",62,")).expect("written");
    {
        let server = start(&night);
        let page = server.page(&path);
        assert!(page.contains("is no evidence"), "{page}");
        assert!(!page.contains("hash matches"), "{page}");
    }
    std::fs::remove_file(&calls).expect("removed");
    let server = start(&night);
    let page = server.page(&path);
    assert!(page.contains("is not there any more"), "{page}");
    let masked = Server::start(&night, &["--now", NOW, "--mask"]);
    assert!(!masked.page(&path).contains("5550101"));
}

/// One call in two versions that wait, and one that is booked and met another version.
#[test]
fn versions_stand_side_by_side() {
    let night = Night::with_plain_deck();
    let call = |sid: &str, seconds: u32| {
        format!(
            "{sid},,AC1,TK1,trunking-terminating,+12025550101,+14155550102,2026-11-20T20:00:00Z,,{seconds},completed"
        )
    };
    night.calls(&[&call("CA1", 30)]);
    night.run(&[]);
    night.calls(&[&call("CA1", 95), &call("CA2", 41), &call("CA2", 42)]);
    night.run(&[]);
    let server = start(&night);
    let causes = server.json("/api/v1/suspense?reason=conflicting-duplicate");
    let mut pages = String::new();
    for cause in causes["causes"].as_array().expect("causes") {
        let cause = cause["cause"].as_str().expect("a cause").replace(' ', "%20");
        pages += &server.page(&format!("/waiting?cause={cause}"));
    }
    for shown in ["The versions side by side", "Waits, version 2", "Booked", ">41<", ">42<"] {
        assert!(pages.contains(shown), "{shown} in {pages}");
    }
    let page = server.page("/calls/CA2");
    let differs: Vec<&str> = page
        .split("<tr class=\"differs\"><th scope=\"row\" class=\"what\"><code>")
        .skip(1)
        .filter_map(|rest| rest.split('<').next())
        .collect();
    assert_eq!(differs, ["duration"], "{page}");
}

/// AC2's number B was called once, for 30 s: a started minute. AC1 called out from one number: CA1
/// is two minutes (0.02000), CA2 one (0.01000); its transfer counts with it.
#[test]
fn the_numbers_of_a_customer() {
    let night = night();
    let server = start(&night);
    let page = server.page("/customers/AC1");
    assert!(page.contains("/customers/AC1/numbers?month=2026-11"), "{page}");
    let page = server.page("/customers/AC1/numbers?month=2026-11");
    for shown in ["+12025550101", "1 number", ">0.03000 ", ">2</td>"] {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    let page = server.page("/customers/AC2/numbers?month=2026-11");
    assert!(page.contains("+14155550102") && page.contains(">0.00340<"), "{page}");
    assert!(server.page("/customers/AC2/numbers?month=2026-10").contains("No billed call"));
    for (path, status) in [("?month=x", 400), ("", 400), ("?month=2026-11&x=1", 400)] {
        assert_eq!(server.get(&format!("/customers/AC1/numbers{path}")).status, status, "{path}");
    }
}

const SELLER: &str = "[seller]\nname = \"Carrier\"\naddress = [\"1 Street\"]\ncountry = \"DE\"\ntax_id = \"DE000000018\"\n[invoice]\ntax_category = \"standard\"\ntax_rate = \"19\"\n";

/// October: 100 minutes, 1.00 and 0.19 tax. November: 300 minutes, 3.00 and 0.57.
#[test]
fn invoices_are_files_and_a_month_stands_beside_the_one_before() {
    let night = Night::with_plain_deck();
    night.file("trunkrate.toml", SELLER);
    let calls = |month: u32, seconds: u32| {
        night.calls(&[&format!(
            "CA{month},,AC1,TK1,trunking-terminating,+12025550101,+14155550102,2026-{month}-05T10:00:00Z,,{seconds},completed"
        )]);
        night.run(&[]);
    };
    calls(10, 6000);
    night
        .trunkrate(&[
            "invoice",
            "issue",
            "--period",
            "2026-10",
            "--date",
            "2026-11-01",
            "--allow-incomplete",
        ])
        .ok();
    calls(11, 18_000);
    let server = start(&night);
    let invoices = server.json("/api/v1/invoices");
    let number = invoices["invoices"][0]["number"].as_str().expect("a number").to_owned();
    let customer = server.page("/customers/AC1");
    assert!(customer.contains(&format!("/invoices/{number}.pdf")), "{customer}");
    let pdf = server.get(&format!("/invoices/{number}.pdf"));
    assert_eq!((pdf.status, pdf.header("Content-Type")), (200, Some("application/pdf")));
    assert!(pdf.body.starts_with(b"%PDF-") && pdf.body.len() > 5000, "{} bytes", pdf.body.len());
    let xml = server.get(&format!("/invoices/{number}.xml"));
    assert!(matches!(xml.status, 200 | 422), "{}", xml.text());
    let month = server.page("/month?month=2026-11");
    for shown in ["2026-10 as it was issued", "1.19", "3.57", "2.38"] {
        assert!(month.contains(shown), "{shown} in {month}");
    }
    assert!(server.page("/month?month=2026-10").contains("Nothing is open"));
}

/// 0.0100 before and 0.0125 after: 0.0025 more.
#[test]
fn two_decks_are_compared() {
    let night = night();
    night.deck("US,United States,US,0.0125,,1,termination,,,,,,\nUS,United States,US in,0.0034,,1,origination,,,,,,\n");
    night.calls(&[
        "CA6,,AC1,TK1,trunking-terminating,+12025550101,+14155550102,2026-11-21T02:00:00Z,,61,completed",
    ]);
    night.run(&["--accounts", "accounts.csv", "--accept-changes"]);
    let server = start(&night);
    let page = server.page("/rates?number=%2B14155550102");
    let name = page
        .split("<option value=\"")
        .filter_map(|rest| rest.split('"').next())
        .find(|name| name.len() == 16)
        .expect("the decks before are offered");
    let page = server.page(&format!("/rates?number=%2B14155550102&with={name}"));
    for shown in ["Beside the decks of 2026-11-20", "0.0025", "0.0100", "0.0125"] {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    for wrong in ["0000000000000000", "..%2f..%2fetc", "x"] {
        let answer = server.get(&format!("/rates?number=%2B14155550102&with={wrong}"));
        assert_eq!(answer.status, 404, "{wrong}");
    }
    let api = server.get(&format!("/api/v1/rates/lookup?number=14155550102&with={name}"));
    assert_eq!(api.status, 400);
}

#[test]
fn a_proxy_says_who_asks() {
    let night = night();
    let proxy = [
        "--proxy",
        "127.0.0.1",
        "--proxy-user",
        "X-Client-Name",
        "--proxy-host",
        "billing.example",
    ];
    let server = Server::start(&night, &[&["--now", NOW][..], &proxy].concat());
    let ask = |host: &str, headers: &str| {
        let mut request = format!("GET /calls HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
        let _ = write!(request, "{headers}\r\n");
        server.raw(request.as_bytes()).expect("an answer").status
    };
    let name = "X-Client-Name: CN=Ada <b>\r\n";
    assert_eq!(ask("billing.example", name), 200);
    assert_eq!(ask("billing.example", ""), 403);
    assert_eq!(ask("127.0.0.1", ""), 403, "nor from this machine without a name");
    assert_eq!(ask("evil.example", name), 421, "a page whose name leads here");
    assert_eq!(ask("billing.example", &format!("{name}{name}")), 403);
    assert_eq!(server.get("/healthz").status, 200);
    let nights = server.ask("GET", "/nights", name);
    let shown = "CN=Ada &lt;b&gt; (127.0.0.1)";
    assert!(nights.text().contains(shown), "who looked: {}", nights.text());
    let other = ["--proxy", "127.0.0.9", "--proxy-user", "X-A", "--proxy-host", "billing.example"];
    let server = Server::start(&night, &[&["--now", NOW][..], &other].concat());
    assert_eq!(server.ask("GET", "/calls", "X-A: Ada\r\n").status, 403, "it is not the proxy");
    for (args, code) in [
        (&["--proxy", "127.0.0.1"][..], 2),
        (&["--proxy", "127.0.0.1", "--proxy-user", "a b", "--proxy-host", "x"][..], 2),
        (&["--proxy", "127.0.0.1", "--proxy-user", "a", "--proxy-host", "x:1"][..], 2),
        (&["--listen", "0.0.0.0:0"][..], 2),
    ] {
        assert_eq!(night.trunkrate(&[&["serve"][..], args].concat()).code, code, "{args:?}");
    }
}
