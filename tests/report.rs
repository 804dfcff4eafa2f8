//! The report of a run: its numbers against literals, each finding by a night made for it, and that
//! no text is markup.

use crate::support::{Done, Night};
use serde_json::{Value, json};

fn report(night: &Night, more: &[&str]) -> Value {
    night.trunkrate(&[&["report", "--format", "json"], more].concat()).json()
}

fn html(night: &Night, more: &[&str]) -> String {
    night.trunkrate(&[&["report"], more].concat()).ok()
}

/// Rates calls with the deck; the run's id.
fn book(night: &Night, rows: &[&str]) -> String {
    night.calls(rows);
    night.run(&[])["run_id"].as_str().expect("a run").to_owned()
}

fn finding<'a>(report: &'a Value, id: &str) -> &'a Value {
    report["findings"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|finding| finding["id"] == id)
        .expect("it is looked for")
}

/// How often something was found, of how many, and in which calls.
fn found(report: &Value, id: &str) -> (u64, u64, Vec<String>) {
    let finding = finding(report, id);
    let examples = finding["examples"].as_array().expect("a list").iter();
    let number = |name: &str| finding[name].as_u64().expect("a number");
    (
        number("count"),
        number("of"),
        examples.map(|e| e["call_sid"].as_str().expect("an id").to_owned()).collect(),
    )
}

const ROOT: &str = "CA1,,AC1,TK1,trunking-terminating,+12025550101,+14155550102,2026-11-20T21:15:00Z,2026-11-20T21:20:00Z,300,completed";

/// A ledger with the hostile night of the fixtures.
fn fixture() -> Night {
    let night = Night::new();
    let shipped = |path: &str| format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    let [calls, rates, trunks, accounts] = [
        "fixtures/night/calls",
        "rates",
        "fixtures/night/trunks.json",
        "fixtures/night/accounts.csv",
    ]
    .map(shipped);
    night
        .trunkrate(&[
            "run",
            "--cdrs",
            &calls,
            "--rates",
            &rates,
            "--trunks",
            &trunks,
            "--accounts",
            &accounts,
        ])
        .ok();
    night
}

/// Every number stands in `fixtures/night/README.md`, or is a sum of its table of legs.
#[test]
fn the_fixtures_night_by_hand() {
    let report = report(&fixture(), &[]);
    let term = |name: &str, records: u64, seconds: u64| json!({ "name": name, "records": records, "seconds": seconds });
    assert_eq!(
        report["law"],
        json!({
            "came": [term("read", 64, 4594), term("retried", 0, 0)],
            "ended": [
                term("rated", 30, 3300), term("free", 3, 0), term("duplicate", 5, 253), term("ignored", 3, 60),
                term("suspended", 23, 981), term("closed", 0, 0),
            ],
            "holds": true,
        })
    );
    let money = |eur: &str, usd: &str| json!([{ "currency": "EUR", "amount": eur }, { "currency": "USD", "amount": usd }]);
    assert_eq!((&report["legs"], &report["amounts"]), (&json!(35), &money("0.28964", "1.14070")));
    let scenarios: Vec<Value> = report["scenarios"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|line| {
            json!([
                line["scenario"],
                line["calls"],
                line["free_calls"],
                line["legs"],
                line["billed_seconds"],
                line["amounts"]
            ])
        })
        .collect();
    // Billed seconds: full minutes in USD; seconds, but six at least, in EUR, where the row for
    // toll-free has no minimum.
    let expected = [
        // 101 103 110 113 114 115 116 307 309 501 · 201 203 209 210; free 111 112
        json!(["termination", 14, 2, 14, 1080 + 31, money("0.01033", "0.61550")]),
        // 105 107 304 502 · 205 207
        json!(["origination", 6, 0, 6, 900 + 68, money("0.00899", "0.14700")]),
        // 102 · 204
        json!(["termination-to-sip", 2, 0, 2, 420 + 30, money("0.19700", "0.07000")]),
        // 104, twice · 202, twice
        json!(["termination-to-pstn", 2, 0, 4, 240 + 190, money("0.02063", "0.04500")]),
        // 106 305 · 206
        json!(["origination-to-sip", 3, 0, 3, 180 + 10, money("0.00260", "0.01020")]),
        // 108, twice · 208 and 503, twice; free 109
        json!(["origination-to-pstn", 3, 1, 6, 1320 + 370, money("0.05009", "0.25300")]),
    ];
    assert_eq!(scenarios, expected);
    let number = |call: &Value| {
        call["call_sid"]
            .as_str()
            .expect("an id")
            .trim_start_matches("CA20261120")
            .parse::<u32>()
            .ok()
    };
    let largest = |currency: usize| {
        let calls = report["largest"][currency]["calls"].as_array().expect("a list");
        calls
            .iter()
            .map(|call| {
                (number(call).expect("a number"), call["amount"].as_str().expect("an amount"))
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(largest(0)[..3], [(204, "0.19700"), (208, "0.03629"), (202, "0.02063")]);
    assert_eq!(
        largest(1)[..4],
        [(108, "0.25300"), (113, "0.17400"), (115, "0.13200"), (107, "0.13000")]
    );
    assert_eq!(report["largest"][1]["calls"][0]["account_name"], "Harbor Lane Dental");
    let days: Vec<Value> = report["timelines"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|t| {
            json!([
                t["currency"],
                t["days"][0]["date"],
                t["days"][0]["amount"],
                t["days"][0]["verdict"]
            ])
        })
        .collect();
    // 501 and 502 started after midnight: 0.01000 + 0.00680.
    assert_eq!(
        days,
        [
            json!(["EUR", "2026-11-20", "0.28964", "no-history"]),
            json!(["USD", "2026-11-21", "0.01680", "no-history"])
        ]
    );
    let long = |number: u32| format!("CA20261120{number:024}");
    // 206 started 30 s before its parent, of 61 s; 109 was not answered.
    assert_eq!(found(&report, "parent-runs-on"), (1, 10, vec![long(206)]));
    assert_eq!(found(&report, "long-conversation"), (0, 10, vec![]));
    // Belgian mobile: 32455 is for the EEA only, so the row 32.
    assert_eq!(found(&report, "short-prefix"), (1, 35, vec![long(115)]));
    // Five calls have a price, and all are those of the deck.
    assert_eq!(found(&report, "carrier-price"), (0, 5, vec![]));
    assert_eq!(report["carrier"][0]["difference"], "0.00000");
    assert_eq!(found(&report, "zero-amount"), (0, 35, vec![]));
}

#[test]
fn what_waits_has_its_age_its_hint_and_its_place() {
    let night = Night::with_plain_deck();
    let no_rate = "CA3,,AC2,,trunking-terminating,+12025550101,+442071838750,2026-11-20T22:00:00Z,,61,completed";
    let lost = "CA2,CA9,AC1,,,,+13035550103,2026-11-20T21:20:00Z,,370,completed";
    book(&night, &[ROOT, no_rate, lost]);
    let later = no_rate.replace("CA3", "CA4").replace("2026-11-20", "2026-11-24");
    book(&night, &[&later]);
    let report = report(&night, &[]);
    assert_eq!(report["suspense"]["opening"], json!({ "records": 2, "seconds": 431 }));
    assert_eq!(report["suspense"]["new"], json!({ "records": 1, "seconds": 61 }));
    let reasons = report["suspense"]["reasons"].as_array().expect("a list");
    let line = |at: usize| {
        let line = &reasons[at];
        let names = [
            "reason",
            "records",
            "seconds",
            "oldest_days",
            "median_days",
            "most_tries",
            "oldest_first_seen",
        ];
        json!(names.map(|name| &line[name]))
    };
    // First seen when a call of 2026-11-20T22:00 was the newest; now it is one of 2026-11-24T22:00.
    assert_eq!(line(0), json!(["parent-missing", 1, 370, 4, 4, 2, "2026-11-20T22:00:00Z"]));
    assert_eq!(line(1), json!(["no-rate", 2, 122, 4, 0, 2, "2026-11-20T22:00:00Z"]));
    let sample = &reasons[1]["samples"][0];
    assert_eq!(
        (&sample["call_sid"], &sample["source_file"], &sample["source_line"]),
        (&json!("CA3"), &json!("calls.csv"), &json!(3))
    );
    let page = html(&night, &[]);
    assert!(page.contains("calls.csv:3 · CA3"), "{page}");
    assert!(page.contains("add rows for +44 to the deck <code>test</code>"), "{page}");
    // 61 s are two minutes, at 0.0100 the only price: 2 × 0.02.
    assert!(page.contains("about 0.04 USD"), "{page}");
}

// ---- findings
// ---------------------------------------------------------------------------------------------------

/// The end of the parent is at 21:20:00.
#[test]
fn a_parent_may_run_on_for_32_seconds() {
    let child = |start: &str, end: &str, status: &str| {
        format!("CA2,CA1,AC1,,,,+13035550103,{start},{end},60,{status}")
    };
    let cases = [
        ("33 s", child("2026-11-20T21:19:20Z", "2026-11-20T21:20:27Z", "completed"), 1, 1),
        ("32 s", child("2026-11-20T21:19:20Z", "2026-11-20T21:20:28Z", "completed"), 0, 1),
        ("it is after", child("2026-11-20T21:20:05Z", "2026-11-20T21:21:10Z", "completed"), 0, 1),
        ("33 s, no end is known", child("2026-11-20T21:19:27Z", "", "completed"), 1, 1),
        ("32 s, no end is known", child("2026-11-20T21:19:28Z", "", "completed"), 0, 1),
        (
            "not answered",
            child("2026-11-20T21:15:28Z", "", "no-answer").replace(",60,", ",0,"),
            0,
            0,
        ),
    ];
    for (name, child, count, of) in cases {
        let night = Night::with_plain_deck();
        book(&night, &[ROOT, &child]);
        let report = report(&night, &[]);
        let calls = if count == 1 { vec!["CA2".to_owned()] } else { vec![] };
        assert_eq!(found(&report, "parent-runs-on"), (count, of, calls), "{name}");
        if count == 1 {
            let text = &finding(&report, "parent-runs-on")["examples"][0]["text"];
            assert_eq!(text, "its parent CA1 ended 33 s after it was answered", "{name}");
        }
    }
}

/// Parents are found in the run before, and on another day of the own run.
#[test]
fn parents_that_stand_elsewhere_are_found() {
    let night = Night::with_plain_deck();
    book(&night, &[ROOT]);
    let over_midnight = "CA3,,AC1,,trunking-terminating,+12025550101,+14155550102,2026-11-20T23:50:00Z,2026-11-21T00:10:00Z,1200,completed";
    let children = [
        "CA2,CA1,AC1,,,,+13035550103,2026-11-20T21:18:00Z,2026-11-20T21:19:00Z,60,completed",
        "CA4,CA3,AC1,,,,+13035550103,2026-11-21T00:05:00Z,2026-11-21T00:06:00Z,60,completed",
        "CA5,CA3,AC1,,,,+13035550103,2026-11-20T23:49:30Z,2026-11-20T23:50:30Z,60,completed",
    ];
    book(&night, &[over_midnight, children[0], children[1], children[2]]);
    // 1200 s from the answer of CA5 at 23:49:30, 300 s from that of CA4 at 00:05, 120 s from that
    // of CA2 at 21:18.
    assert_eq!(
        found(&report(&night, &[]), "parent-runs-on"),
        (3, 3, ["CA5", "CA4", "CA2"].map(str::to_owned).into())
    );
}

#[test]
fn a_conversation_may_be_as_long_as_a_call() {
    for (seconds, count) in [(300, 0), (301, 1)] {
        let night = Night::with_plain_deck();
        night.file("trunkrate.toml", "[policy]\nmax_call_seconds = 600\n");
        book(
            &night,
            &[
                ROOT,
                &format!("CA2,CA1,AC1,,,,+13035550103,2026-11-20T21:20:00Z,,{seconds},completed"),
            ],
        );
        let report = report(&night, &[]);
        assert_eq!(found(&report, "long-conversation").0, count, "{seconds}");
        assert_eq!(report["run"]["policy"]["policy.max_call_seconds"], "600");
    }
}

#[test]
fn a_price_that_fell_back_is_found_by_its_service_its_range_and_its_time() {
    let night = Night::new();
    night.deck(
        "BE,Belgium,BE,0.0100,,32,termination,,,,,,\n\
         BE,Belgium,BE mobile,0.0900,,32455,termination,,,,,,2026-11-01\n\
         BE,Belgium,BE mobile,0.0900,,32470,termination,,,,,2026-11-01,\n\
         BE,Belgium,BE in,0.0100,,32,origination,,,,,,\n\
         US,United States,US,0.0100,,1,termination,,,,,,\n\
         BS,Bahamas,BS,0.0500,,1242,termination,,,,,,\n",
    );
    let call = |sid: &str, direction: &str, to: &str| {
        format!(
            "{sid},,AC1,,trunking-{direction},+12025550101,{to},2026-11-20T21:15:00Z,,60,completed"
        )
    };
    let rows = [
        call("CA1", "terminating", "+32455000102"), // its own row has ended; 32470 is in force, and is 324…, too
        call("CA2", "terminating", "+32470000102"), // has its row
        call("CA3", "terminating", "+3225001234"),  // no row is finer
        call("CA4", "originating", "+32455000102"), // another price list
        call("CA5", "terminating", "+12025550102"), // the Bahamas are another area code
    ];
    book(&night, &rows.each_ref().map(String::as_str));
    let report = report(&night, &[]);
    assert_eq!(found(&report, "short-prefix"), (1, 5, vec!["CA1".to_owned()]));
    let text = &finding(&report, "short-prefix")["examples"][0]["text"];
    assert_eq!(
        text,
        "+32455000102 by the prefix 32, 0.0100 USD per minute (BE); the deck test has 32470, too"
    );
}

#[test]
fn the_carriers_prices_are_summed_up_beside_ours() {
    let night = Night::with_plain_deck();
    let call = |sid: &str, to: &str, status: &str, price: &str| {
        let seconds = if status == "completed" { 60 } else { 0 };
        format!(
            "{sid},,AC1,,trunking-terminating,+12025550101,{to},2026-11-20T21:15:00Z,,{seconds},{status},{price},USD"
        )
    };
    let to = "+14155550102";
    let rows = [
        call("CA1", to, "completed", "-0.0100"),
        call("CA2", to, "completed", "-0.0125"),
        call("CA3", to, "completed", "-0.0001"),
        call("CA4", to, "busy", "-0.0030"),
        call("CA5", to, "completed", ""),
    ];
    book(&night, &rows.each_ref().map(String::as_str));
    let report = report(&night, &[]);
    // Ours 3 × 0.01; theirs 0.0100 + 0.0125 + 0.0001 + 0.0030.
    let expected = json!([{
        "currency": "USD", "calls": 4, "equal": 1, "ours_more": 1, "ours_less": 2,
        "ours": "0.03000", "carriers": "0.02560", "difference": "0.00440",
    }]);
    assert_eq!(report["carrier"], expected);
    assert_eq!(
        found(&report, "carrier-price"),
        (3, 4, ["CA3", "CA4", "CA2"].map(str::to_owned).into()),
        "the worst first"
    );
}

#[test]
fn legs_that_cost_nothing_are_found_whether_by_price_or_by_rounding() {
    let night = Night::new();
    night.deck(
        "US,United States,US,0.0100,,1,termination,,,,,,\n\
         US,United States,gift,0,,1415,termination,,,,,,\n\
         US,United States,dust,0.000001,,1303,termination,1,1,,,,\n",
    );
    let call = |sid: &str, to: &str, seconds: u32| {
        format!(
            "{sid},,AC1,,trunking-terminating,+12025550101,{to},2026-11-20T21:15:00Z,,{seconds},completed"
        )
    };
    let rows = [
        call("CA1", "+14155550102", 61),
        call("CA2", "+13035550103", 7),
        call("CA3", "+12025550102", 7),
        call("CA4", "+14155550102", 0),
    ];
    book(&night, &rows.each_ref().map(String::as_str));
    let report = report(&night, &[]);
    assert_eq!(found(&report, "zero-amount"), (2, 3, ["CA1", "CA2"].map(str::to_owned).into()));
}

// ---- days
// -------------------------------------------------------------------------------------------------------

/// Minutes on a day, a cent each, by ids of their own.
fn minutes(day: &str, minutes: u32) -> Vec<String> {
    let call = |n| {
        format!(
            "CA{day}-{n},,AC1,,trunking-terminating,+12025550101,+14155550102,{day}T09:00:00Z,,60,completed"
        )
    };
    (0..minutes).map(call).collect()
}

fn book_minutes(night: &Night, days: &[(&str, u32)]) -> String {
    let rows: Vec<String> = days.iter().flat_map(|(day, count)| minutes(day, *count)).collect();
    book(night, &rows.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn a_day_is_set_beside_the_same_weekdays_of_other_runs() {
    let cases = [(1, "low"), (2, "usual"), (4, "usual"), (8, "usual"), (9, "high")];
    for (today, verdict) in cases {
        let night = Night::with_plain_deck();
        // Three Fridays, their median is 4; a Thursday and a Friday of five weeks ago, which count
        // nothing.
        book_minutes(&night, &[("2026-11-13", 4), ("2026-11-06", 1)]);
        book_minutes(&night, &[("2026-10-23", 30), ("2026-11-19", 40), ("2026-10-16", 50)]);
        book_minutes(&night, &[("2026-11-20", today)]);
        if verdict == "low" {
            let verdict = &report(&night, &[])["timelines"][0]["days"][0]["verdict"];
            assert_eq!(verdict, "open", "no call is known after nine o'clock");
            assert!(html(&night, &[]).contains("1 day may not be over"));
        }
        // The next run judges it, and has no calls of that day.
        book_minutes(&night, &[("2026-11-21", 1)]);
        let report = report(&night, &[]);
        let day = &report["timelines"][0]["days"][1];
        assert_eq!((&day["of_run"], &day["is_of_run"]), (&json!("0.00000"), &json!(false)));
        assert_eq!(
            (&day["date"], &day["verdict"], &day["median"]),
            (&json!("2026-11-20"), &json!(verdict), &json!("0.04000")),
            "{today}"
        );
        let before: Vec<&str> = day["before"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|b| b["date"].as_str())
            .collect();
        assert_eq!(before, ["2026-11-13", "2026-11-06", "2026-10-23"]);
        let page = html(&night, &[]);
        assert_eq!(page.contains("is not as usual"), verdict != "usual", "{page}");
        if verdict == "high" {
            let words = "Friday 2026-11-20: 0.09000 USD is above double the median of 3 Fridays before, 0.04000.";
            assert!(page.contains(words), "{page}");
        }
    }
}

/// Three calls of last week in a late export do not make last week small.
#[test]
fn a_late_call_is_seen_beside_what_others_booked_of_its_day() {
    let night = Night::with_plain_deck();
    book_minutes(&night, &[("2026-11-06", 4), ("2026-10-30", 4), ("2026-11-13", 3)]);
    let late = "CAlate,,AC1,,trunking-terminating,+12025550101,+14155550102,2026-11-13T09:00:00Z,,60,completed";
    let rows = [vec![late.to_owned()], minutes("2026-11-20", 4)].concat();
    book(&night, &rows.iter().map(String::as_str).collect::<Vec<_>>());
    let report = report(&night, &[]);
    let days = &report["timelines"][0]["days"];
    let of = |at: usize| {
        ["date", "amount", "of_run", "verdict"].map(|name| days[at][name].as_str().expect("a text"))
    };
    assert_eq!(of(0), ["2026-11-20", "0.04000", "0.04000", "usual"]);
    assert_eq!(of(1), ["2026-11-13", "0.04000", "0.01000", "usual"]);
    let all = report["timelines"][0]["all"].as_array().expect("a list");
    // From 28 days before the first of the run's days to the last of them.
    assert_eq!(
        (all.len(), &all[0]["date"], &all[35]["date"]),
        (36, &json!("2026-10-16"), &json!("2026-11-20"))
    );
}

/// A report says what was known after its run, whatever came later.
#[test]
fn a_report_reads_the_same_a_week_later() {
    let night = Night::with_plain_deck();
    let no_rate = "CA3,,AC2,,trunking-terminating,+12025550101,+442071838750,2026-11-20T22:00:00Z,,61,completed";
    let first = book(&night, &[ROOT, no_rate]);
    // When it was booked is what the journal adds.
    let pages = |night: &Night| {
        let page = html(night, &["--run", &first]);
        let is_of_journal = |line: &&str| line.contains("<dt>Booked ");
        assert_eq!(page.lines().filter(is_of_journal).count(), 2, "when and by whom");
        let page: Vec<String> =
            page.lines().filter(|line| !is_of_journal(line)).map(str::to_owned).collect();
        let mut report = report(night, &["--run", &first]);
        assert!(report["night"]["booked"].is_string() && report["night"]["failed_since"].is_null());
        report["night"] = Value::Null;
        (page, report)
    };
    let before = pages(&night);
    book_minutes(&night, &[("2026-11-13", 4), ("2026-11-20", 4), ("2026-11-27", 4)]);
    assert_eq!(pages(&night), before);
    // The same ledger, made again: the same bytes.
    let again = Night::with_plain_deck();
    book(&again, &[ROOT, no_rate]);
    assert_eq!(pages(&again), before);
}

// ---- which run
// --------------------------------------------------------------------------------------------------

#[test]
fn the_last_run_or_the_one_that_is_named() {
    let night = Night::with_plain_deck();
    let empty = night.trunkrate(&["report"]);
    assert!(empty.code == 1 && empty.stderr.contains("there is no ledger"), "{}", empty.shown());
    let first = book(&night, &[ROOT]);
    let second = book_minutes(&night, &[("2026-11-21", 1)]);
    let id =
        |more: &[&str]| report(&night, more)["run"]["run_id"].as_str().expect("an id").to_owned();
    assert_eq!((id(&[]), id(&["--run", &first])), (second, first));
    let unknown = night.trunkrate(&["report", "--run", "000009-00000000"]);
    assert_eq!(
        unknown,
        Done {
            code: 1,
            stdout: String::new(),
            stderr: "error: there is no run 000009-00000000\nhint: `trunkrate runs` lists them\n"
                .to_owned(),
        }
    );
    night.trunkrate(&["report", "--out", "morning.html"]).ok();
    let written = std::fs::read_to_string(night.path().join("morning.html")).expect("a file");
    assert_eq!(written, html(&night, &[]));
}

#[test]
fn an_undone_run_says_so_and_keeps_its_numbers() {
    let night = Night::with_plain_deck();
    book(&night, &[ROOT]);
    let child =
        "CA2,CA1,AC1,,,,+13035550103,2026-11-20T21:18:00Z,2026-11-20T21:19:00Z,60,completed";
    let second = book(&night, &[child]);
    let mut before = report(&night, &[]);
    night.trunkrate(&["undo", &second, "--reason", "wrong <deck>"]).ok();
    let undone = report(&night, &["--run", &second]);
    before["run"]["undone"] = json!("wrong <deck>");
    assert_eq!(undone, before);
    assert_eq!(found(&undone, "parent-runs-on").0, 1, "its parent is in a run that counts");
    let page = html(&night, &["--run", &second]);
    assert!(
        page.contains("This run was undone: nothing of it counts. Why: wrong &lt;deck&gt;"),
        "{page}"
    );
    let first = report(&night, &[])["run"]["run_id"].as_str().expect("an id").to_owned();
    night.trunkrate(&["undo", &first, "--reason", "too"]).ok();
    assert!(night.trunkrate(&["report"]).stderr.starts_with("error: the ledger has no run\n"));
    assert_eq!(
        found(&report(&night, &["--run", &second]), "parent-runs-on").0,
        1,
        "its parent was undone, too, and is kept"
    );
}

#[test]
fn a_decision_and_a_retry_are_runs_too() {
    let night = Night::with_plain_deck();
    let no_rate = "CA3,,AC2,,trunking-terminating,+12025550101,+442071838750,2026-11-20T22:00:00Z,,61,completed";
    let lost = "CA2,CA9,AC1,,,,+13035550103,2026-11-20T21:20:00Z,,370,completed";
    book(&night, &[no_rate, lost]);
    night.trunkrate(&["suspense", "close", "CA2", "--reason", "agreed with the carrier"]).ok();
    let closed = report(&night, &[]);
    assert_eq!(
        (&closed["run"]["kind"], &closed["run"]["reason"]),
        (&json!("close"), &json!("agreed with the carrier"))
    );
    assert_eq!(
        (&closed["law"]["holds"], &closed["timelines"], &closed["largest"]),
        (&json!(true), &json!([]), &json!([]))
    );
    let written = &closed["written_off"][0];
    assert_eq!(
        (&written["reason"], &written["records"], &written["seconds"]),
        (&json!("parent-missing"), &json!(1), &json!(370))
    );
    assert_eq!(written["samples"][0]["closed_because"], "agreed with the carrier");
    let page = html(&night, &[]);
    assert!(page.contains("Written off, because: agreed with the carrier"), "{page}");

    night.deck("US,United States,US,0.0100,,1,termination,,,,,,\nGB,United Kingdom,UK,0.0150,,44,termination,,,,,,\n");
    night.trunkrate(&["suspense", "retry", "--rates", "rates", "--accept-changes"]).ok();
    let retried = report(&night, &[]);
    assert_eq!(
        (&retried["run"]["kind"], &retried["amounts"][0]["amount"]),
        (&json!("retry"), &json!("0.03000"))
    );
    assert_eq!(retried["suspense"]["taken_up"], json!({ "records": 1, "seconds": 61 }));
    assert_eq!(retried["timelines"][0]["days"][0]["date"], "2026-11-20");
    assert!(html(&night, &[]).contains("<b>Nothing waits</b>"));
}

#[test]
fn a_changed_ledger_has_no_report() {
    let night = Night::with_plain_deck();
    let run = book(&night, &[ROOT]);
    let path = night.path().join(format!("ledger/runs/{run}/manifest.json"));
    let text = std::fs::read_to_string(&path).expect("a manifest");
    std::fs::write(&path, text.replace("\"USD\": \"0.05000\"", "\"USD\": \"0.06000\""))
        .expect("it is written");
    let known = night.trunkrate(&["report"]);
    assert!(
        known.code == 1 && known.stderr.contains("has another manifest than the catalog knows"),
        "{}",
        known.shown()
    );
    std::fs::remove_file(night.path().join("ledger/catalog.sqlite")).expect("it is removed");
    let done = night.trunkrate(&["report"]);
    assert!(
        done.code == 1
            && done.stderr.contains("its manifest says")
            && done.stderr.contains("restore it"),
        "{}",
        done.shown()
    );
}

// ---- the page
// ---------------------------------------------------------------------------------------------------

/// Callers, examples, what waits: no number is whole, and what is no number stays.
#[test]
fn numbers_are_hidden_where_that_is_asked_for() {
    let night = Night::with_plain_deck();
    night.file("trunkrate.toml", "[policy]\nmangled_caller = \"unknown\"\n");
    let call = |sid: &str, from: &str, to: &str| {
        format!(
            "{sid},,AC1,,trunking-terminating,{from},{to},2026-11-20T10:00:00Z,2026-11-20T10:20:00Z,1,completed"
        )
    };
    let rows = [
        call("CA1", "442079461234", "+14155550102"),
        call("CA2", "sip:12025550101@pbx.example", "+14155550103"),
        call("CA3", "+12025550101", "+493012345678"),
        call("CA4", "+12025550101", "0049 30 12345678"),
    ];
    book(&night, &rows.each_ref().map(String::as_str));
    for format in ["json", "html"] {
        let whole = night.trunkrate(&["report", "--format", format]).ok();
        let masked = night.trunkrate(&["report", "--format", format, "--mask", "4"]).ok();
        for (number, hidden) in [
            ("442079461234", "44207946••••"),
            ("+14155550102", "+1415555••••"),
            ("sip:12025550101@pbx.example", "sip:1202555••••@pbx.example"),
            ("+493012345678", "+49301234••••"),
        ] {
            assert!(whole.contains(number) && !masked.contains(number), "{format}: {number}");
            assert!(masked.contains(hidden), "{format}: {hidden}");
        }
        // What is no number stays.
        for text in ["2026-11-20", "0.02000", "calls.csv"] {
            assert!(masked.contains(text), "{format}: {text}");
        }
    }
}

/// Ids, parties, details, file names, names of accounts, decks and their rows, and what a person
/// typed: all of it may be a stranger's.
#[test]
fn hostile_text_is_shown_and_obeyed_nowhere() {
    const EVIL: &str =
        "<script>alert(1)</script><img src=x onerror=y>\u{202e}\u{1b}[31m{{ 7*191919 }}";
    let night = Night::new();
    night.file("rates/deck.toml", "name = \"<script>alert(2)</script>\"\ncurrency = \"USD\"\n");
    let row =
        |price: &str, prefix: &str| format!("US,US,{EVIL},{price},,{prefix},termination,,,,,,\n");
    night.file(
        "rates/prices.csv",
        format!("{}\n{}{}", crate::support::DECK_HEADER, row("0", "1"), row("0.01", "1415999")),
    );
    night.file("accounts.csv", format!("account_sid,name,deck\nAC1,{EVIL},\n"));
    let calls = [
        format!(
            "CA1 {EVIL},,AC1,,trunking-terminating,sip:<b>{EVIL}@x.example,+14155550102,2026-11-20T21:15:00Z,,60,completed,-0.5"
        ),
        "--ledger=x; rm 'y',,AC1,,trunking-terminating,+12025550101,+14155550102,2026-11-20T21:16:00Z,,60,completed".to_owned(),
        format!("CA3,CA9{EVIL},AC1,,,,+13035550103,2026-11-20T21:20:00Z,,370,completed"),
        format!("CA4,,AC1,,trunking-terminating,+12025550101,{EVIL},2026-11-20T21:20:00Z,,370,completed"),
    ];
    let name = "<img src=x onerror=alert(3)>.csv";
    night.file(name, crate::support::call_file(&calls.each_ref().map(String::as_str)));
    night
        .trunkrate(&["run", "--cdrs", name, "--rates", "rates", "--accounts", "accounts.csv"])
        .ok();
    let page = html(&night, &[]);
    let hidden = |c: char| {
        c.is_control() && c != '\n'
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!page.contains(hidden), "nothing hidden");
    for markup in ["<script", "<img", "<b>alert", "onerror=y>", "1343433"] {
        let places = page.matches(markup).count();
        assert_eq!(places, 0, "{markup} stands in {places} places");
    }
    for shown in [
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "\\u{202e}\\u{1b}[31m{{ 7*191919 }}",
        "&lt;img src=x onerror=alert(3)&gt;.csv:4",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
    // What is copied runs one command; an id with hidden characters has none.
    assert!(
        page.contains(
            "trunkrate rerate -- &#39;--ledger=x; rm &#39;\\&#39;&#39;y&#39;\\&#39;&#39;&#39;"
        ),
        "{page}"
    );
    assert!(!page.contains("trunkrate rerate CA1"), "{page}");
    night.trunkrate(&["suspense", "close", "CA3", "--reason", EVIL]).ok();
    let page = html(&night, &[]);
    assert!(
        !page.contains("<script") && page.contains("because: &lt;script&gt;alert(1)"),
        "{page}"
    );
}

/// No script, nothing that is loaded, and what a reader of the page aloud needs.
#[test]
fn a_page_loads_nothing_and_can_be_read_aloud() {
    let page = html(&fixture(), &[]);
    let policy = r#"<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">"#;
    assert!(page.contains(policy));
    for forbidden in
        ["<script", "javascript:", "http://", "https://", "url(", "@import", "onclick", " style=\""]
    {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    assert_eq!(page.matches("<table").count(), page.matches("<caption").count());
    assert_eq!(page.matches("<th ").count(), page.matches("<th scope=").count());
    assert_eq!(page.matches("<th>").count(), 0);
    assert_eq!(
        page.matches("<svg").count(),
        page.matches(r#"role="img" aria-labelledby="#).count()
    );
    let ids: Vec<&str> =
        page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let mut once = ids.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), ids.len(), "every id once: {ids:?}");
    let labels = page
        .split("aria-labelledby=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .flat_map(|l| l.split(' '));
    let links = page.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next());
    for label in labels.chain(links) {
        assert!(ids.contains(&label), "{label}");
    }
}
