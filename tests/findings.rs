//! What is odd about a run's calls and the carrier's prices, each by a night of its own; what `run`
//! says of it; and what a waiting record's detail and hint say.

use crate::support::Night;
use serde_json::{Value, json};

/// Rates calls with the deck; what `run` said on stderr.
fn book(night: &Night, rows: &[&str]) -> String {
    book_with(night, rows, &[])
}

fn book_with(night: &Night, rows: &[&str], more: &[&str]) -> String {
    night.calls(rows);
    let done =
        night.trunkrate(&[&["run", "--cdrs", "calls.csv", "--rates", "rates"], more].concat());
    assert_eq!(done.code, 0, "{}", done.shown());
    done.stderr
}

fn report(night: &Night) -> Value {
    night.trunkrate(&["report", "--format", "json"]).json()
}

fn finding<'a>(report: &'a Value, id: &str) -> &'a Value {
    report["findings"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|finding| finding["id"] == id)
        .expect("it is looked for")
}

/// How often something was found, of how many, and each example as its call and its text.
fn found(report: &Value, id: &str) -> (u64, u64, Vec<(String, String)>) {
    let finding = finding(report, id);
    let number = |name: &str| finding[name].as_u64().expect("a number");
    let text = |example: &Value, name: &str| example[name].as_str().expect("a text").to_owned();
    let examples = finding["examples"].as_array().expect("a list").iter();
    (
        number("count"),
        number("of"),
        examples.map(|e| (text(e, "call_sid"), text(e, "text"))).collect(),
    )
}

fn examples(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(call, text)| ((*call).to_owned(), (*text).to_owned())).collect()
}

/// A call of so many seconds by its duration that ended so many seconds after 10:00.
fn call(sid: &str, duration: &str, lasted: u32) -> String {
    let (minutes, seconds) = (lasted / 60, lasted % 60);
    let end = format!("2026-11-20T{:02}:{:02}:{seconds:02}Z", 10 + minutes / 60, minutes % 60);
    format!(
        "{sid},,AC1,,trunking-terminating,+12025550101,+14155550102,2026-11-20T10:00:00Z,{end},{duration},completed"
    )
}

fn book_calls(calls: &[(&str, &str, u32)]) -> (Night, String) {
    let night = Night::with_plain_deck();
    let rows: Vec<String> =
        calls.iter().map(|(sid, duration, lasted)| call(sid, duration, *lasted)).collect();
    let said = book(&night, &rows.iter().map(String::as_str).collect::<Vec<_>>());
    (night, said)
}

// ---- durations
// --------------------------------------------------------------------------------------------------

/// 20 minutes as `20`, as `1.2`; ten hours as `1`; and one in seconds. Each is billed as it says:
/// 1, 1, 1 and 20 minutes.
#[test]
fn durations_in_minutes_are_billed_as_they_say_and_named() {
    let (night, said) = book_calls(&[
        ("CA1", "20", 1200),
        ("CA2", "1.200", 1200),
        ("CA3", "1", 36_000),
        ("CA4", "1200", 1200),
    ]);
    let report = report(&night);
    assert_eq!(report["amounts"], json!([{ "currency": "USD", "amount": "0.23000" }]));
    let expected = [
        ("CA3", "billed for 1 s; from start to end it took 36000 s"),
        ("CA2", "billed for 2 s; from start to end it took 1200 s"),
        (
            "CA1",
            "billed for 20 s, which would be right in minutes; from start to end it took 1200 s",
        ),
    ];
    assert_eq!(found(&report, "short-duration"), (3, 4, examples(&expected)));
    let note = "note: 3 calls are billed for far less than they lasted (CA3: 1 s of 36000 s): is `duration` in seconds, without ringing?";
    assert!(said.contains(note), "{said}");
}

/// Twenty minutes that say 0 s are free: that is said, of a transferred call too. One that nobody
/// answered lasted no second.
#[test]
fn an_answered_call_without_a_second_is_named() {
    let night = Night::with_plain_deck();
    let child =
        call("CA2", "0", 600).replacen("CA2,,AC1,,trunking-terminating", "CA2,CA1,AC1,,", 1);
    let rows = [
        call("CA1", "0", 1200),
        child,
        call("CA3", "0", 1200).replace("completed", "no-answer"),
        call("CA4", "60", 60),
    ];
    let said = book(&night, &rows.each_ref().map(String::as_str));
    assert!(
        said.contains(
            "note: 2 calls are billed for far less than they lasted (CA1: 0 s of 1200 s)"
        ),
        "{said}"
    );
    let report = report(&night);
    assert_eq!(report["amounts"], json!([{ "currency": "USD", "amount": "0.01000" }]));
    let of = |sid, seconds| (sid, format!("billed for 0 s; from start to end it took {seconds} s"));
    let expected = [of("CA1", 1200), of("CA2", 600)];
    assert_eq!(
        found(&report, "short-duration"),
        (2, 3, examples(&expected.each_ref().map(|(sid, text)| (*sid, text.as_str()))))
    );
}

#[test]
fn ringing_is_no_finding_and_one_blatant_call_is() {
    type Calls<'a> = &'a [(&'a str, &'a str, u32)];
    let cases: [(&str, Calls<'_>, &[&str]); 5] = [
        ("rang for a minute and a half", &[("CA1", "5", 95), ("CA2", "60", 75)], &[]),
        ("rang for three minutes", &[("CA1", "1", 190)], &[]),
        (
            "no ringing is so long",
            &[("CA1", "1", 191), ("CA2", "60", 60), ("CA3", "60", 60)],
            &["CA1"],
        ),
        (
            "short calls in minutes, all of them",
            &[("CA1", "2", 120), ("CA2", "2", 100), ("CA3", "1", 60)],
            &["CA1", "CA2", "CA3"],
        ),
        (
            "three of seven",
            &[
                ("CA1", "2", 120),
                ("CA2", "2", 100),
                ("CA3", "1", 60),
                ("CA4", "60", 60),
                ("CA5", "60", 60),
                ("CA6", "60", 60),
                ("CA7", "60", 60),
            ],
            &[],
        ),
    ];
    for (name, calls, expected) in cases {
        let (night, said) = book_calls(calls);
        let (count, _, examples) = found(&report(&night), "short-duration");
        let sids: Vec<&str> = examples.iter().map(|(sid, _)| sid.as_str()).collect();
        assert_eq!((count, sids.as_slice()), (expected.len() as u64, expected), "{name}");
        assert_eq!(said.contains("far less than"), !expected.is_empty(), "{name}: {said}");
    }
}

// ---- the carrier's prices
// ---------------------------------------------------------------------------------------

fn priced(sid: &str, account: &str, price: &str, unit: &str) -> String {
    let price = if price.contains(',') { format!("\"{price}\"") } else { price.to_owned() };
    format!(
        "{sid},,{account},,trunking-terminating,+12025550101,+14155550102,2026-11-20T10:00:00Z,,60,completed,{price},{unit}"
    )
}

#[test]
fn prices_that_are_none_and_prices_without_a_minus_are_named() {
    let night = Night::with_plain_deck();
    let prices = ["-0,0100", "0.0100", "-$0.01", "(0.01)", "-1E-2", "-0.0100", "null", "'-0.0100"];
    let rows: Vec<String> = (1..)
        .zip(prices)
        .map(|(n, price): (u32, _)| priced(&format!("CA{n}"), "AC1", price, "USD"))
        .collect();
    let said = book(&night, &rows.iter().map(String::as_str).collect::<Vec<_>>());
    let note = "note: 5 prices of the carrier are no plain numbers and not compared with ours (`-0,0100` of CA1, calls.csv:2); `trunkrate report` lists all of it";
    assert!(said.contains(note), "{said}");
    let report = report(&night);
    let expected = [
        ("CA1", "the price is -0,0100 USD, from calls.csv:2"),
        ("CA3", "the price is -$0.01 USD, from calls.csv:4"),
        ("CA4", "the price is (0.01) USD, from calls.csv:5"),
        ("CA5", "the price is -1E-2 USD, from calls.csv:6"),
        ("CA8", "the price is '-0.0100 USD, from calls.csv:9"),
    ];
    assert_eq!(found(&report, "carrier-unreadable"), (5, 7, examples(&expected)));
    let credit = "the carrier's price is 0.01000, without a minus; ours is 0.01000 USD";
    assert_eq!(found(&report, "carrier-credit"), (1, 2, examples(&[("CA2", credit)])));
    // CA6 is the only one that can be compared.
    assert_eq!(found(&report, "carrier-price"), (0, 1, vec![]));
    let line = json!({
        "currency": "USD", "calls": 1, "equal": 1, "ours_more": 0, "ours_less": 0,
        "ours": "0.01000", "carriers": "0.01000", "difference": "0.00000",
    });
    assert_eq!(report["carrier"], json!([line]));
}

#[test]
fn a_price_that_comes_with_a_copy_and_is_none_is_counted() {
    let night = Night::with_plain_deck();
    book(&night, &[&priced("CA1", "AC1", "", "USD")]);
    assert_eq!(found(&report(&night), "carrier-unreadable").0, 0);
    let said = book(&night, &[&priced("CA1", "AC1", "-0.01 USD", "USD")]);
    assert!(said.contains("1 price of the carrier is no plain number"), "{said}");
    assert_eq!(found(&report(&night), "carrier-unreadable").0, 1);
}

#[test]
fn two_currencies_are_never_subtracted() {
    let night = Night::with_plain_deck();
    let rows = [
        priced("CA1", "AC1", "-0.0090", "EUR"),
        priced("CA2", "AC1", "-0.0090", "usd"),
        priced("CA3", "AC1", "-0.0080", ""),
        priced("CA4", "AC1", "-0.0070", "$"),
    ];
    let said = book(&night, &rows.each_ref().map(String::as_str));
    assert!(!said.contains("carrier"), "{said}");
    let report = report(&night);
    let expected = [
        ("CA1", "the carrier's price is -0.0090 EUR; ours is in USD"),
        ("CA4", "the carrier's price is -0.0070 $; ours is in USD"),
    ];
    assert_eq!(found(&report, "carrier-currency"), (2, 4, examples(&expected)));
    // CA2 and CA3: 0.0200 less 0.0170.
    let line = json!({
        "currency": "USD", "calls": 2, "equal": 0, "ours_more": 2, "ours_less": 0,
        "ours": "0.02000", "carriers": "0.01700", "difference": "0.00300",
    });
    assert_eq!(report["carrier"], json!([line]));
}

/// Where more prices are foreign than are kept one by one, no call of their accounts is compared.
#[test]
fn an_account_that_the_carrier_bills_in_another_currency_is_not_compared() {
    let night = Night::with_plain_deck();
    let mut rows: Vec<String> =
        (10..21).map(|n| priced(&format!("CA{n}"), "AC1", "-0.0090", "EUR")).collect();
    rows.extend([priced("CA21", "AC1", "-0.0090", "USD"), priced("CA22", "AC2", "-0.0090", "USD")]);
    book(&night, &rows.iter().map(String::as_str).collect::<Vec<_>>());
    let report = report(&night);
    let (count, of, examples) = found(&report, "carrier-currency");
    assert_eq!((count, of, examples.len()), (11, 13, 10));
    assert_eq!(
        (&report["carrier"][0]["calls"], &report["carrier"][0]["difference"]),
        (&json!(1), &json!("0.00100"))
    );
}

#[test]
fn what_is_odd_does_not_depend_on_the_order() {
    let mut rows: Vec<String> =
        (10..30).map(|n| priced(&format!("CA{n}"), "AC1", "n.a.", "USD")).collect();
    rows.extend((30..50).map(|n| priced(&format!("CA{n}"), "AC1", "-0.0090", "EUR")));
    let findings = |rows: &[String]| {
        let night = Night::with_plain_deck();
        book(&night, &rows.iter().map(String::as_str).collect::<Vec<_>>());
        let report = report(&night);
        ["carrier-unreadable", "carrier-currency"].map(|id| {
            let (count, of, examples) = found(&report, id);
            (count, of, examples.into_iter().map(|(sid, _)| sid).collect::<Vec<_>>())
        })
    };
    let forwards = findings(&rows);
    rows.reverse();
    assert_eq!(findings(&rows), forwards);
}

// ---- dates and callers
// ------------------------------------------------------------------------------------------

#[test]
fn starts_that_cannot_be_are_named() {
    let night = Night::with_plain_deck();
    let at = |sid: &str, date: &str| call(sid, "60", 60).replace("2026-11-20", date);
    let dates = [
        "1970-01-01",
        "2062-11-20",
        "2026-11-20",
        "1999-12-31",
        "2000-01-01",
        "2026-11-20",
        "2026-11-20",
    ];
    let rows =
        (1..).zip(dates).map(|(n, date): (u32, _)| at(&format!("CA{n}"), date)).collect::<Vec<_>>();
    let said = book(&night, &rows.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(
        said.contains("note: 3 calls start at times that cannot be (CA1: 1970-01-01T10:00:00Z)"),
        "{said}"
    );
    let believed = "the newest start that is believed is 2026-11-20T10:00:00Z";
    let texts = ["1970-01-01", "1999-12-31", "2062-11-20"]
        .map(|date| format!("it starts at {date}T10:00:00Z; {believed}"));
    let expected: Vec<(&str, &str)> =
        ["CA1", "CA4", "CA2"].into_iter().zip(texts.iter().map(String::as_str)).collect();
    assert_eq!(found(&report(&night), "bogus-date"), (3, 7, examples(&expected)));
}

#[test]
fn callers_that_were_numbers_once_are_named_where_they_are_billed() {
    let night = Night::with_plain_deck();
    night.file("trunkrate.toml", "[policy]\nmangled_caller = \"unknown\"\n");
    let from = |sid: &str, from: &str| call(sid, "60", 60).replace("+12025550101", from);
    let rows = [
        from("CA1", "442079460110"),
        from("CA2", "anonymous"),
        from("CA3", "+266696687"),
        from("CA4", ""),
        from("CA5", "4.42079E+11"),
    ];
    let said = book(&night, &rows.each_ref().map(String::as_str));
    assert!(
        said.contains("2 calls have callers that are no number any more: billed as unknown"),
        "{said}"
    );
    let report = report(&night);
    let expected = [
        ("CA1", "442079460110 as its caller: no + stands before it; 0.01000 USD"),
        (
            "CA5",
            "4.42079E+11 as its caller: an exponent stands for its last digits, as a spreadsheet writes a long number; 0.01000 USD",
        ),
    ];
    assert_eq!(found(&report, "mangled-caller"), (2, 5, examples(&expected)));
    assert_eq!(report["callers"], json!({ "roots": 5, "withheld": 1, "mangled": 2, "unknown": 2 }));
    let page = night.trunkrate(&["report"]).ok();
    assert!(page.contains("1 from a number that stands for a withheld caller, 2 from a text that was a number once"), "{page}");
    for (call, origin) in [
        ("CA1", "origin unknown: 442079460110 is no number: no + stands before it"),
        ("CA2", "origin unknown: anonymous is no number"),
        ("CA3", "origin unknown: +266696687 stands for a withheld caller (ANONYMOUS on a keypad)"),
        ("CA4", "origin unknown: there is no caller"),
    ] {
        let shown = night.trunkrate(&["rerate", call]).ok();
        assert!(shown.contains(origin), "{call}: {shown}");
        let json = night.trunkrate(&["rerate", call, "--format", "json"]).json();
        assert_eq!(
            format!(
                "origin unknown: {}",
                json["legs"][0]["origin_unknown_because"].as_str().expect("a text")
            ),
            origin
        );
    }
}

/// The number of a SIP caller lost its `+`: 0.13200 where 0.06900 is owed, said where the deck asks
/// for the origin.
#[test]
fn callers_at_a_host_without_a_plus_are_said() {
    let night = Night::with_plain_deck();
    night.deck("BE,Belgium,from UK,0.0690,44,32,,,,,,,\nBE,Belgium,BE,0.1320,,32,,,,,,,\n");
    let from = |sid: &str, from: &str| {
        call(sid, "60", 60).replace("+12025550101", from).replace("+14155550102", "+3225550102")
    };
    let rows = [
        from("CA1", "sip:442079460110@pbx.example"),
        from("CA2", "sip:+442079460110@pbx.example"),
        from("CA3", "sip:100@pbx.example"),
    ];
    let said = book(&night, &rows.each_ref().map(String::as_str));
    let note = "note: 1 call has a caller of digits without `+` (CA1: sip:442079460110@pbx.example): its origin is taken as unknown";
    assert!(said.contains(note), "{said}");
    let report = report(&night);
    // 0.13200 + 0.06900 + 0.13200
    assert_eq!(report["amounts"], json!([{ "currency": "USD", "amount": "0.33300" }]));
    let example =
        "sip:442079460110@pbx.example as its caller: digits without + are no number; 0.13200 USD";
    assert_eq!(found(&report, "mangled-caller"), (1, 3, examples(&[("CA1", example)])));
    // Where no row asks for the origin, nothing hangs on it.
    let plain = Night::with_plain_deck();
    let said = book(
        &plain,
        &[&call("CA1", "60", 60).replace("+12025550101", "sip:442079460110@pbx.example")],
    );
    assert_eq!(said, "");
}

/// One of two exports came through a program that writes capitals: the call is billed twice, and
/// that is said.
#[test]
fn ids_in_two_letter_cases_are_said() {
    let (small, capital) =
        ("CA00112233445566778899aabbccddeeff", "CA00112233445566778899AABBCCDDEEFF");
    let note = format!(
        "note: 1 call is booked under two ids that differ in the case of their letters, or in a spreadsheet's marks, alone ({capital})"
    );
    let night = Night::with_plain_deck();
    let said = book(&night, &[&call(small, "60", 60), &call(capital, "60", 60)]);
    assert!(said.contains(&note), "{said}");
    // Also if one of them came the night before; a copy of one of them is no third.
    let night = Night::with_plain_deck();
    assert_eq!(book(&night, &[&call(small, "60", 60), &call("Ab-7", "60", 60)]), "");
    let said =
        book(&night, &[&call(capital, "60", 60), &call(small, "60", 60), &call("Ab-7", "60", 60)]);
    assert!(said.contains(&note), "{said}");
    let said =
        book(&Night::with_plain_deck(), &[&call("CALL-1", "60", 60), &call("Call-1", "60", 60)]);
    assert!(said.contains("(CALL-1)"), "{said}");
    // In the other order, in another form than the carrier's, and with a spreadsheet's mark.
    for (first, second) in
        [(capital, small), ("UUID-1A", "uuid-1a"), ("'CA1", "CA1"), ("CA1", "'CA1")]
    {
        let night = Night::with_plain_deck();
        let said =
            [first, second].map(|id| book(&night, &[&call(id, "60", 60), &call("CA9", "60", 60)]));
        assert_eq!(said[0], "", "{first}");
        assert!(
            said[1].contains("note: 1 call is booked under two ids"),
            "{first}, {second}: {}",
            said[1]
        );
        // Once it is said, a night without another twin says nothing.
        assert_eq!(book(&night, &[&call("CA10", "60", 60)]), "", "{first}, {second}");
    }
}

// ---- details and hints
// ------------------------------------------------------------------------------------------

/// The detail and the hint of the only record that waits.
fn waits(night: &Night, row: &str) -> (String, String) {
    night.calls(&[row]);
    night.run(&[]);
    let sid = row.split(',').next().expect("an id");
    let shown = night.trunkrate(&["suspense", "show", sid, "--format", "json"]).json();
    let text = |name: &str| shown["versions"][0][name].as_str().expect("a text").to_owned();
    (text("detail"), text("hint"))
}

#[test]
fn a_hint_fits_what_was_found() {
    let good = call("CA1", "60", 60);
    let answered = |row: &str, answer: &str| format!("{row},,,,{answer}");
    let zone = "[input]\ntimezone = \"Europe/Berlin\"\n";
    let local =
        |time: &str| good.replace("2026-11-20T10:00:00Z", time).replace("2026-11-20T10:01:00Z", "");
    let cases = [
        (
            "",
            local("2026-11-20 10:00:00"),
            "start_time is `2026-11-20 10:00:00`: it has no offset, and input.timezone is not set",
            "set `input.timezone`",
        ),
        (
            zone,
            local("2026-10-25 02:30:00"),
            "start_time is `2026-10-25 02:30:00`: the clock shows it twice in Europe/Berlin: at 2026-10-25T00:30:00Z and at 2026-10-25T01:30:00Z",
            "export times with an offset",
        ),
        (
            zone,
            local("2026-03-29 02:30:00"),
            "start_time is `2026-03-29 02:30:00`: the clock never shows it in Europe/Berlin: it goes from 2026-03-29 02:00:00 to 03:00:00",
            "export times with an offset",
        ),
        (
            zone,
            local("12/01/2026 10:00"),
            "start_time is `12/01/2026 10:00`: this form is not read: it does not say which number is the month",
            "export times as",
        ),
        (
            "",
            local("2026-02-30T10:00:00Z"),
            "start_time is `2026-02-30T10:00:00Z`: there is no such day",
            "ask for this part",
        ),
        (
            "",
            answered(&good, "2026-11-20T10:05:00Z"),
            "answer_time is `2026-11-20T10:05:00Z`: it lies outside the call, from 2026-11-20T10:00:00Z to 2026-11-20T10:01:00Z",
            "look at how `answer_time`",
        ),
        (
            "",
            answered(&good, "2026-11-20T10:00:26Z"),
            "duration is `60`: ringing was counted: from answer_time to end_time it is 34 s",
            "export the seconds from answer to end",
        ),
        (
            "",
            call("CA1", "00:01:00", 60),
            "duration is `00:01:00`: it is no plain decimal number of seconds",
            "export seconds as a plain number",
        ),
        (
            "",
            good.replace("2026-11-20T10:01:00Z", "2026-11-20T09:59:30Z"),
            "duration is `60`: end_time is before start_time, by 30 s",
            "ask for this part",
        ),
        (
            "",
            call("CA1", "62", 60),
            "duration is `62`: it is over 1 s longer than end_time - start_time, which is 60 s",
            "look at the export",
        ),
        (
            "",
            good.replace("+12025550101", "12025550101"),
            "from is `12025550101`: no + stands before it; expected + and 7 to 15 digits",
            "export numbers as text, in the form +442079460110; or bill such calls",
        ),
        (
            "",
            good.replace("+14155550102", "1.41556E+10"),
            "to is `1.41556E+10`: an exponent stands for its last digits, as a spreadsheet writes a long number; expected + and 7 to 15 digits",
            "take the export as it was before a spreadsheet opened it",
        ),
    ];
    for (config, row, detail, hint) in cases {
        let night = Night::with_plain_deck();
        night.file("trunkrate.toml", config);
        let (found, advice) = waits(&night, &row);
        assert_eq!(found, detail, "{row}");
        assert!(advice.starts_with(hint), "{row}: {advice}");
    }
}

#[test]
fn a_zone_that_is_none_gets_zones_that_fit() {
    let night = Night::with_plain_deck();
    night.calls(&[&call("CA1", "60", 60)]);
    for (name, fitting) in [
        ("CEST", "that may be Europe/Berlin, Europe/Paris, Europe/Madrid"),
        ("Europe/Berln", "that may be Europe/Berlin"),
    ] {
        night.file("trunkrate.toml", format!("[input]\ntimezone = \"{name}\"\n"));
        let done = night.trunkrate(&["run", "--cdrs", "calls.csv", "--rates", "rates"]);
        assert!(
            done.code != 0 && done.stderr.contains(name) && done.stderr.contains(fitting),
            "{}",
            done.shown()
        );
    }
}
