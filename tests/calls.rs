//! Calls found by number, account, id and time; and one of them explained.

use crate::support::Night;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// An id in the carrier's form that begins with these digits.
fn sid(digits: &str) -> String {
    format!("CA{digits}{}", "0".repeat(32 - digits.len()))
}

const ACCOUNTS: &str =
    "account_sid,name\nAC1,Harbor Lane Dental\nAC2,Nordwind Logistik GmbH\nAC3,Nordwind Reisen\n";

/// A family with a waiting child, a call of another account at midnight in Berlin, one that was not
/// answered; a call without a rate, and one that is no trunk's.
fn booked(config: &str) -> Night {
    let night = Night::with_plain_deck();
    night.file("trunkrate.toml", config);
    night.file("accounts.csv", ACCOUNTS);
    let id = |digits: &str| sid(digits);
    let rows = [
        format!(
            "{},,AC1,TK1,trunking-terminating,+14155550100,+13035550102,2026-11-20T14:00:00Z,,60,completed",
            id("aaaa01")
        ),
        format!(
            "{},{},AC1,,,,sip:+12025550103@pbx.example.com,2026-11-20T14:01:00Z,,30,completed",
            id("aaaa02"),
            id("aaaa01")
        ),
        format!(
            "{},{},AC1,,,,,2026-11-20T14:02:00Z,,30,completed,,,sip:desk@x.pstn.twilio.com",
            id("dddd02"),
            id("aaaa01")
        ),
        format!(
            "{},,AC1,TK1,trunking-terminating,+14155550100,+74955550105,2026-11-20T15:00:00Z,,60,completed",
            id("dddd01")
        ),
        format!(
            "{},,AC1,,outbound-api,+14155550100,+12065550106,2026-11-20T16:00:00Z,,60,completed",
            id("eeee01")
        ),
        format!(
            "{},,AC2,,trunking-originating,+12065550104,+14155550100,2026-11-20T23:30:00Z,,61,completed",
            id("bbbb01")
        ),
        format!(
            "{},,AC2,,trunking-terminating,+14155550199,+13035550102,2026-11-21T10:00:00Z,,,no-answer",
            id("cccc01")
        ),
    ];
    night.calls(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    night.run(&["--accounts", "accounts.csv"]);
    night
}

/// The first digits of the ids that `calls` lists, family by family, the parent first.
fn found(night: &Night, args: &[&str]) -> Vec<Vec<String>> {
    // A flag that `log` did not have: whole families, and what is not booked.
    let all: &[&str] = if args.contains(&"--limit") { &[] } else { &["--limit", "all"] };
    let text = night.trunkrate(&[&["calls", "--format", "jsonl"], all, args].concat()).ok();
    let families = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    families
        .map(|family| {
            let children = family["children"].as_array().expect("children").clone();
            let own = Some(family).filter(|family| !family["call_sid"].is_null());
            let calls = own.into_iter().chain(children);
            calls.map(|call| call["call_sid"].as_str().expect("an id")[2..8].to_owned()).collect()
        })
        .collect()
}

#[test]
fn calls_are_found_by_what_one_knows_of_them() {
    let night = booked("");
    let family: &[&str] = &["aaaa01", "aaaa02", "dddd02"];
    let (waiting, ignored, other, missed): (&[&str], &[&str], &[&str], &[&str]) =
        (&["dddd01"], &["eeee01"], &["bbbb01"], &["cccc01"]);
    let of_number = [family, waiting, ignored, other];
    let table: &[(&[&str], &[&[&str]])] = &[
        (&["+14155550100"], &of_number),
        (&["0014155550100"], &of_number),
        (&["(415) 555-0100"], &of_number),
        (&["415-555-0100"], &of_number),
        (&["14155550100"], &of_number),
        (&["0100"], &of_number),
        (&["sip:+14155550100@any.example"], &of_number),
        (&["--number", "+14155550100"], &of_number),
        (&["--a", "+14155550100"], &[family, waiting, ignored]),
        (&["--b", "+14155550100"], &[other]),
        (&["--b", "3035550102"], &[family, missed]),
        // C, by the digits of a SIP address, and the address itself.
        (&["+12025550103"], &[family]),
        (&["sip:+12025550103@pbx.example.com"], &[family]),
        (&["desk@x.pstn.twilio.com"], &[family]),
        (&["+14155550100", "+12025550103"], &[family]),
        (&["+14155550100", "+14155550199"], &[]),
        (&["+4155550100"], &[]),
        (&["harbor"], &[family, waiting, ignored]),
        (&["nordwind logistik"], &[other, missed]),
        (&["AC2"], &[other, missed]),
        (&["AC1", "AC2", "0199"], &[missed]),
        (&["--account", "Harbor Lane Dental", "--min-amount", "0.01"], &[family]),
        (&["--min-amount", "0.0068"], &[family, other]),
        (&["--min-amount", "0.01001"], &[]),
        (&["--status", "no-answer"], &[missed]),
        (&["--status", "completed", "AC2"], &[other]),
        (&["--scenario", "termination-to-sip"], &[family]),
        (&[&sid("aaaa02")], &[family]),
        (&["CAaaaa02"], &[family]),
        (&["CAbbbb", "CAcccc"], &[other, missed]),
        (&["CAdddd01"], &[waiting]),
        (&["CAeeee"], &[ignored]),
        (&["CAdddd02"], &[family]),
        (&["--call", "CAaaaa01"], &[family]),
        (&["2026-11-21"], &[missed]),
        (&["2026-11-20", "AC2"], &[other]),
        (&["--around", "2026-11-20 14:00"], &[family]),
        (&["--around", "2026-11-20 13:31", "--within", "29m"], &[family]),
        (&["--around", "2026-11-20 13:31", "--within", "28m"], &[]),
        (&["--around", "2026-11-20T15:30:00+01:00", "--within", "1h"], &[family, waiting]),
        (&["2026-11-20", "--around", "15:30"], &[waiting, ignored]),
        (&["--from", "2026-11-20 15:00", "--to", "2026-11-20T16:00:00Z"], &[waiting]),
        // A child in the time brings its family.
        (&["--from", "2026-11-20 14:01", "--to", "2026-11-20 14:02"], &[family]),
        (&["today"], &[]),
        (&["--limit", "2"], &[other, missed]),
        (&["--limit", "all"], &[family, waiting, ignored, other, missed]),
    ];
    for (args, expected) in table {
        let expected: Vec<Vec<&str>> = expected.iter().map(|family| family.to_vec()).collect();
        assert_eq!(found(&night, args), expected, "{args:?}");
    }
}

#[test]
fn a_word_that_is_nothing_known_is_an_error() {
    let night = booked("");
    let table: &[(&[&str], i32, &str, &str)] = &[
        (&["Habor"], 1, "no account, call or number", "the nearest: AC1 (Harbor Lane Dental)"),
        (&["AC9"], 1, "no account, call or number", "AC1 (Harbor Lane Dental), AC2"),
        (&["nordwind"], 1, "several accounts are meant", "AC2 (Nordwind Logistik GmbH), AC3"),
        (&["--account", "AC9"], 1, "there is no such account", "AC1 (Harbor Lane Dental)"),
        (&["--account", "Nordwnd"], 1, "there is no such account", "Nordwind"),
        (&["CAdddd"], 1, "the ids of 2 calls begin so", &sid("dddd01")),
        (&["--call", "CAffff"], 1, "the call CAffff is not in the log", "look for it"),
        (&["100"], 2, "or 4 or more of its last digits", "(415) 555-0100"),
        (&["--a", "bob smith"], 2, "expected a telephone number", "sip:bob@"),
        (&[""], 2, "a word is empty", ""),
        (&["today", "yesterday"], 2, "one day alone", "--from and --to"),
        (&["today", "--from", "2026-11-20"], 2, "says another time", ""),
        (&["--around", "2026-11-20"], 2, "expected a time of that day", "yesterday 15:00"),
        (&["--around", "noon"], 2, "`today` or `yesterday`", ""),
        (&["--within", "1h"], 2, "--around", ""),
        (&["--around", "15:00", "--within", "1w"], 2, "expected a span of time", ""),
        (&["--status", "lost"], 2, "there is no such status", "no-answer"),
        (&["--scenario", "sip"], 2, "there is no such scenario", "origination-to-pstn"),
        (&["--min-amount", "-1"], 2, "", ""),
        (&["--limit", "0"], 2, "from 1 on, or `all`", ""),
    ];
    for (args, code, problem, hint) in table {
        let done = night.trunkrate(&[&["calls"], *args].concat());
        assert_eq!(done.code, *code, "{args:?}: {}", done.stderr);
        assert!(
            done.stderr.contains(problem) && done.stderr.contains(hint),
            "{args:?}: {}",
            done.stderr
        );
        assert_eq!(done.stdout, "", "{args:?}");
    }
    // The same words name an account wherever one is asked for.
    let listed = |args: &[&str]| night.trunkrate(args);
    assert_eq!(
        listed(&["suspense", "--all", "--account", "harbor"]).ok(),
        listed(&["suspense", "--all", "--account", "AC1"]).ok()
    );
    let unknown = listed(&["suspense", "--account", "AC9"]);
    assert!(unknown.code == 1 && unknown.stderr.contains("there is no such account"));
}

#[test]
fn an_account_that_no_list_names_is_one_if_it_has_a_call() {
    let night = Night::with_plain_deck();
    let call = "CA00000001,,ACx7,,trunking-terminating,+14155550100,+13035550102,2026-11-20T14:00:00Z,,60,completed";
    let waits = "CA00000002,,ACw8,,trunking-terminating,+14155550100,+74955550105,2026-11-20T14:00:00Z,,60,completed";
    night.calls(&[call, waits]);
    night.run(&[]);
    for (account, count) in [("ACx7", 1), ("ACx", 1), ("ACw8", 1)] {
        assert_eq!(found(&night, &["--account", account, "--number", "0100"]).len(), count);
    }
    let none = night.trunkrate(&["calls", "--account", "ACx8"]);
    assert!(none.code == 1 && none.stderr.contains("the nearest: ACw8, ACx7"), "{}", none.stderr);
}

#[test]
fn csv_is_the_log_of_booked_calls_and_json_has_the_others_too() {
    let night = booked("");
    let csv = night.trunkrate(&["calls", "+14155550100", "--format", "csv"]);
    assert!(csv.stderr.contains("3 calls that wait or were ignored"), "{}", csv.stderr);
    let sids: Vec<String> = csv.ok().lines().skip(1).map(|line| line[2..8].to_owned()).collect();
    assert_eq!(sids, ["aaaa01", "aaaa02", "bbbb01"]);
    let json = night.trunkrate(&["calls", "+14155550100", "--format", "json"]).json();
    let lines = night.trunkrate(&["calls", "+14155550100", "--format", "jsonl"]).ok();
    let lines: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(json, Value::from(lines), "one list in two forms");
    assert_eq!(
        json.as_array().map(Vec::len),
        Some(4),
        "two families, what waits, what was ignored"
    );
    // Without a new word or flag it is what `log` always printed.
    for format in ["csv", "json", "jsonl"] {
        let log = night.trunkrate(&["log", "--format", format]);
        assert_eq!((log.stderr.as_str(), log.code), ("", 0));
        assert_eq!(log.stdout, night.trunkrate(&["calls", "--format", format]).ok());
    }
    let waits = night.trunkrate(&["log", "--call", &sid("dddd01"), "--format", "csv"]);
    assert!(waits.code == 1 && waits.stderr.contains("it waits in suspense as no-rate"));
}

#[test]
fn a_table_is_numbered_and_in_the_configured_zone() {
    let night = booked("[input]\ntimezone = \"Europe/Berlin\"\n");
    let table = night.trunkrate(&["calls", "+14155550100"]).ok();
    let expected = [
        "#  start (Europe/Berlin)  call",
        "1  2026-11-20 15:00:00    CAaaaa01",
        "2  2026-11-20 15:01:00    ├─ CAaaaa02",
        "3  2026-11-20 15:02:00    └─ CAdddd02",
        "waiting: invalid-target",
        "waiting: no-rate",
        "ignored",
        "6  2026-11-21 00:30:00    CAbbbb01",
    ];
    for text in expected {
        assert!(table.contains(text), "{text} in\n{table}");
    }
    // 00:30 of the 21st in Berlin is the 20th in UTC, which CSV and JSON show.
    assert_eq!(found(&night, &["2026-11-21"]), [["bbbb01"], ["cccc01"]]);
    assert_eq!(found(&night, &["--from", "2026-11-21 00:30", "--to", "2026-11-21 00:31"]).len(), 1);
    let csv = night.trunkrate(&["calls", "CAbbbb", "--format", "csv"]).ok();
    assert!(csv.contains("2026-11-20T23:30:00Z"), "{csv}");
    let twice = night.trunkrate(&["calls", "--around", "2026-10-25 02:30"]);
    assert!(twice.code == 2 && twice.stderr.contains("shows it twice"), "{}", twice.stderr);
}

#[test]
fn what_a_limit_leaves_out_is_said() {
    let night = booked("");
    let few = night.trunkrate(&["calls", "--limit", "2"]);
    assert!(few.stderr.contains("the newest 2 families of calls"), "{}", few.stderr);
    assert!(
        few.stderr.contains("--limit all") && few.stderr.contains("--to \"2026-11-20 23:30:00\"")
    );
    assert_eq!(night.trunkrate(&["calls", "--limit", "5"]).stderr, "");
}

/// The number of a list is a call of this ledger, or an error: never a call of another list.
#[test]
fn explain_takes_a_prefix_or_the_number_of_the_last_list() {
    let night = booked("");
    let cache = night.path().join("own cache");
    let env = [("XDG_CACHE_HOME", cache.to_str().expect("UTF-8"))];
    let trunkrate = |args: &[&str]| night.trunkrate_env(args, &env);
    let before = trunkrate(&["explain", "1"]);
    assert!(before.code == 1 && before.stderr.contains("no list of calls was printed before"));
    trunkrate(&["calls", "+14155550100"]).ok();
    let whole = trunkrate(&["rerate", &sid("aaaa02")]).ok();
    for text in ["2", "CAaaaa02"] {
        assert_eq!(trunkrate(&["explain", text]).ok(), whole, "{text}");
    }
    assert_eq!(trunkrate(&["rerate", "2"]).ok(), whole);
    let waits = trunkrate(&["explain", "4"]).ok();
    assert!(waits.contains("no-rate") && waits.contains("what to do"), "{waits}");
    assert_eq!(trunkrate(&["rerate", "4"]).code, 1, "as ever");
    assert!(trunkrate(&["explain", "5"]).ok().contains("no call of a trunk"));
    let beyond = trunkrate(&["explain", "9"]);
    assert!(beyond.code == 1 && beyond.stderr.contains("has 6 calls"), "{}", beyond.stderr);
    let several = trunkrate(&["explain", "CAdddd"]);
    assert!(several.code == 1 && several.stderr.contains("the ids of 2 calls begin so"));
    // The list is its user's alone, and of one ledger.
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(cache.join("trunkrate/last-calls.json"))
            .expect("it is kept")
            .permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    let other = booked("");
    let stranger = other.trunkrate_env(&["explain", "1"], &env);
    assert!(stranger.code == 1 && stranger.stderr.contains("of another ledger"));
    // A cache that cannot be written stops no list.
    let full = [("XDG_CACHE_HOME", "/dev/null/none"), ("HOME", "/dev/null")];
    night.trunkrate_env(&["calls"], &full).ok();
    // The call of a number left the ledger with its run.
    let runs = trunkrate(&["runs", "--format", "json"]).json();
    let run = runs.as_array().and_then(|runs| runs[0]["run_id"].as_str()).map(str::to_owned);
    trunkrate(&["undo", &run.expect("a run"), "--reason", "test"]).ok();
    assert_eq!(trunkrate(&["explain", "2"]).code, 1);
}

/// Without names that only we know, and with the arithmetic of the bill: 30 s of talking are one
/// minute of 0.0100.
#[test]
fn a_page_for_the_customer() {
    let night = booked("[input]\ntimezone = \"Europe/Berlin\"\n");
    night.trunkrate(&["explain", "CAaaaa02", "--html", "page.html"]).ok();
    let page = std::fs::read_to_string(night.path().join("page.html")).expect("a page");
    let told = [
        "2026-11-20 15:01:00 +01:00 (Europe/Berlin)",
        "Harbor Lane Dental",
        "+14155550100 called +13035550102",
        "It was then transferred to sip:+12025550103@pbx.example.com",
        "30 s of talking, counted in whole minutes: 60 s",
        "60 s ÷ 60 × 0.0100 USD = 0.01000 USD",
        "0.01000",
        &sid("aaaa02"),
    ];
    for text in told {
        assert!(page.contains(text), "{text} in\n{page}");
    }
    for never in
        ["000001-", "prices.csv", "termination-to-sip", "suspense", "<script", "http:", "https:"]
    {
        assert!(!page.contains(never), "{never} in\n{page}");
    }
    night.trunkrate(&["explain", "CAdddd01", "--html", "waits.html"]).ok();
    let waits = std::fs::read_to_string(night.path().join("waits.html")).expect("a page");
    assert!(waits.contains("has not been priced yet") && !waits.contains("no-rate"), "{waits}");
    assert_eq!(
        night.trunkrate(&["explain", "CAaaaa02", "--html", "x", "--rates", "rates"]).code,
        2,
        "a page says what was booked"
    );
}

/// Whatever encoding the columns of parties have: as many as a search of the exported log finds.
#[test]
fn a_number_is_found_in_every_encoding_of_its_column() {
    let night = Night::with_plain_deck();
    let mut rows = Vec::new();
    for at in 0..3000_u64 {
        // Numbers that repeat seldom, often, and in neighbours; withheld callers between them.
        let from = match at % 7 {
            0 => "anonymous".to_owned(),
            1 => String::new(),
            _ => format!("+1415{:07}", at * 7_919 % 1_000_003),
        };
        let to = format!("+1303555{:04}", at / 3 % 400);
        let start = format!("2026-11-20T{:02}:{:02}:00Z", at % 24, at % 60);
        rows.push(format!(
            "{},,AC1,,trunking-terminating,{from},{to},{start},,60,completed",
            sid(&format!("{at:08x}"))
        ));
        if at % 5 == 0 {
            let target = if at % 2 == 0 {
                format!("sip:+1206555{:04}@pbx.example.com", at % 90)
            } else {
                format!("+1206555{:04}", at % 90)
            };
            rows.push(format!(
                "{},{},AC1,,,,{target},{start},,60,completed",
                sid(&format!("f{at:07x}")),
                sid(&format!("{at:08x}"))
            ));
        }
    }
    night.calls(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    night.run(&[]);
    let log = night.trunkrate(&["export", "calls", "--format", "csv", "--raw"]).ok();
    let rows: Vec<Vec<&str>> = log.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let mut some = String::new();
    for at in [2_u64, 3, 5, 999, 1500, 2998] {
        let _ = write!(some, "+1415{:07} +1303555{:04} ", at * 7_919 % 1_000_003, at % 400);
    }
    some.push_str("+12065550010 +12065550015 5550000 9999 +13035559999");
    for number in some.split(' ') {
        let digits = number.trim_start_matches('+');
        let has = |party: &str| {
            let user = party.trim_start_matches("sip:").split('@').next().unwrap_or_default();
            let own = user.trim_start_matches('+');
            let is_digits = own.bytes().all(|byte| byte.is_ascii_digit());
            is_digits && if number.starts_with('+') { own == digits } else { own.ends_with(digits) }
        };
        let roots: BTreeSet<&str> = rows
            .iter()
            .filter(|row| [row[7], row[8], row[9]].into_iter().any(has))
            .map(|row| if row[1].is_empty() { row[0] } else { row[1] })
            .collect();
        let families = night.trunkrate(&["calls", number, "--format", "json"]).json();
        let own: BTreeSet<&str> = families
            .as_array()
            .expect("families")
            .iter()
            .map(|family| family["call_sid"].as_str().expect("a parent"))
            .collect();
        assert_eq!(own, roots, "{number}");
    }
}

/// A record without an id is named by its source; its number in the list stands for that.
#[test]
fn a_record_without_an_id_is_explained_by_its_number() {
    let night = Night::with_plain_deck();
    night.calls(&[]);
    let path = night.path().join("calls.csv");
    let header = std::fs::read_to_string(&path).expect("a call file");
    std::fs::write(&path, format!("{header}CA1,cut off\n")).expect("it is written");
    night.run(&[]);
    let cache = night.path().join("own cache");
    let env = [("XDG_CACHE_HOME", cache.to_str().expect("UTF-8"))];
    let table = night.trunkrate_env(&["calls"], &env).ok();
    assert!(
        table.contains("calls.csv:2") && table.contains("waiting: malformed-record"),
        "{table}"
    );
    let shown = night.trunkrate_env(&["explain", "1"], &env).ok();
    assert!(shown.contains("malformed-record") && shown.contains("what to do"), "{shown}");
}

/// Calls with parties in the writings of a PBX, booked and waiting.
fn odd_parties() -> Night {
    let night = Night::with_plain_deck();
    night.file("accounts.csv", ACCOUNTS);
    let call = |id: &str, direction: &str, from: &str, to: &str, start: &str| {
        format!("{},,AC1,,trunking-{direction},{from},{to},{start},,60,completed", sid(id))
    };
    let at = |minute: u32| format!("2026-11-20T14:{minute:02}:00Z");
    let rows = [
        call("a00001", "terminating", "anonymous", "+13035550102", &at(1)),
        call("a00002", "terminating", "Restricted", "+13035550102", &at(2)),
        call("a00003", "terminating", "UNKNOWN", "+13035550102", &at(3)),
        call("b00001", "terminating", "+12065550100", "sip:bob@EXAMPLE.com", &at(4)),
        call("b00002", "terminating", "+12065550100", "bob@example.com", &at(5)),
        call("b00003", "originating", "bob@Example.com", "+12065550100", &at(6)),
        call("b00004", "terminating", "sip:Bob@example.com", "+13035550102", &at(7)),
        call("c00001", "terminating", "(415) 555-0102", "+13035550102", &at(8)),
        call("c00002", "terminating", "415-555-0102", "+13035550102", &at(9)),
        call("c00003", "terminating", "01114155550102", "+13035550102", &at(10)),
        call("c00004", "terminating", "0014155550102", "+13035550102", &at(11)),
        call("c00005", "terminating", "+14155550102", "+13035550102", &at(12)),
        call("c00006", "terminating", "(212) 555-0102", "+13035550102", &at(13)),
        call("d00001", "terminating", "+14155550177", "+13035550102", "some time in May"),
        call("d00002", "terminating", "+14155550177", "+13035550102", &at(14)),
    ];
    night.calls(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    night.run(&["--accounts", "accounts.csv"]);
    night
}

#[test]
fn parties_in_any_writing() {
    let night = odd_parties();
    let own = |ids: &[&str]| ids.iter().map(|id| vec![(*id).to_owned()]).collect::<Vec<_>>();
    let bobs = ["b00001", "b00002", "b00003", "b00004"];
    let of_0102 = ["c00001", "c00002", "c00003", "c00004", "c00005"];
    let of_415 = ["d00001", "c00001", "c00002", "c00003", "c00004", "c00005", "d00002"];
    let table: &[(&[&str], &[&str])] = &[
        (&["--a", "anonymous"], &["a00001"]),
        (&["--a", "Anonymous"], &["a00001"]),
        (&["anonymous"], &["a00001"]),
        (&["--a", "restricted"], &["a00002"]),
        (&["RESTRICTED"], &["a00002"]),
        (&["--number", "unknown"], &["a00003"]),
        (&["--b", "anonymous"], &[]),
        (&["blocked"], &[]),
        (&["sip:bob@EXAMPLE.com"], &bobs),
        (&["bob@example.com"], &bobs),
        (&["BOB@example.com"], &bobs),
        (&["bob"], &bobs),
        (&["--a", "bob@example.com"], &["b00003", "b00004"]),
        (&["--b", "sip:bob@example.com"], &["b00001", "b00002"]),
        (&["+14155550102"], &of_0102),
        (&["--a", "+14155550102"], &of_0102),
        (&["(415) 555-0102"], &of_0102),
        (&["+1415"], &of_415),
        (&["+1415…"], &of_415),
        (&["+1415*"], &of_415),
        (&["(415) 555-01…"], &of_415),
        (&["+141555501 7…"], &["d00001", "d00002"]),
        (&["--a", "+1415"], &of_415),
        (&["--number", "(415) 555-01…"], &of_415),
        (&["--b", "+1415"], &[]),
        (&["--b", "+1206"], &["b00003"]),
        (&["+4420"], &[]),
        (&["+1212"], &["c00006"]),
    ];
    for (args, expected) in table {
        assert_eq!(found(&night, args), own(expected), "{args:?}");
    }
    for args in [&["+1415"][..], &["--a", "+1415"], &["--b", "+1415"], &["--number", "+1415"]] {
        let done = night.trunkrate(&[&["calls"], args].concat());
        assert!(done.stderr.contains("+1415: numbers that begin so"), "{args:?}: {}", done.stderr);
    }
    for args in [&["+14"][..], &["14…"], &["--a", "+14"], &["--a", "nobody"], &["nobody@"]] {
        let done = night.trunkrate(&[&["calls"], args].concat());
        assert!(done.code == 2 && done.stderr.contains("telephone number"), "{}", done.stderr);
    }
}

#[test]
fn calls_without_a_readable_time_are_told() {
    let night = odd_parties();
    let some = night.trunkrate(&["calls", "+14155550177", "2026-11-20"]);
    assert!(
        some.stderr.contains("1 call that waits or was ignored has no time that can be read")
            && some.stderr.contains("without a day or time"),
        "{}",
        some.stderr
    );
    assert!(!some.stdout.contains("CAd00001") && some.stdout.contains("CAd00002"));
    for args in [&["+14155550177"][..], &["+14155550102", "2026-11-20"]] {
        let done = night.trunkrate(&[&["calls"], args].concat());
        assert!(!done.stderr.contains("no time"), "{args:?}: {}", done.stderr);
    }
    let around = night.trunkrate(&["calls", "--around", "15:00"]);
    assert!(
        around.stderr.contains("--around 15:00: 20") && around.stderr.contains("15:00:00 in UTC"),
        "{}",
        around.stderr
    );
    for args in [&["2026-11-20", "--around", "15:00"][..], &["--around", "yesterday 15:00"]] {
        let done = night.trunkrate(&[&["calls"], args].concat());
        assert!(!done.stderr.contains("15:00: 20"), "{args:?}: {}", done.stderr);
    }
}

#[test]
fn a_date_in_another_writing_is_refused() {
    let night = Night::with_plain_deck();
    let call = |id: &str, account: &str| {
        format!(
            "{id},,{account},,trunking-terminating,+14155550100,+13035550102,\
             2026-11-20T14:00:00Z,,60,completed"
        )
    };
    let rows = [call("20261121", "AC1"), call("CA1", "20261122"), call("CA2", "2026-12")];
    night.calls(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    night.run(&[]);
    for word in ["20.11.2026", "20/11/2026", "20261120", "2026-11", "9999-12-31", "2026-02-30"] {
        let done = night.trunkrate(&["calls", word]);
        assert!(
            done.code == 2 && done.stderr.contains("write the day as 2026-11-20"),
            "{word}: {}",
            done.stderr
        );
    }
    for (word, sid) in [("20261121", "20261121"), ("20261122", "CA1"), ("2026-12", "CA2")] {
        let json = night.trunkrate(&["calls", word, "--format", "json"]).json();
        let calls = json.as_array().expect("families");
        assert_eq!((calls.len(), calls[0]["call_sid"].as_str()), (1, Some(sid)), "{word}");
    }
}

/// A branch says whose child a call is: one whose parent is not in the list has none.
#[test]
fn a_child_without_its_parent_stands_by_itself() {
    let night = Night::with_plain_deck();
    let child = |id: &str, parent: &str| {
        format!(
            "{},{},AC1,,,,+12025550103,2026-11-20T14:05:00Z,,30,completed",
            sid(id),
            sid(parent)
        )
    };
    let rows = [
        format!(
            "{},,AC1,,trunking-terminating,+14155550100,+13035550102,2026-11-20T14:00:00Z,,60,\
             completed",
            sid("aaaa01")
        ),
        child("aaaa02", "aaaa01"),
        child("bbbb01", "ffff01"),
        child("bbbb02", "ffff01"),
        child("cccc01", "cccc02"),
        child("cccc02", "cccc01"),
        child("dddd01", "dddd01"),
    ];
    night.calls(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    night.run(&[]);
    let table = night.trunkrate(&["calls"]).ok();
    assert!(table.contains("└─ CAaaaa02"), "{table}");
    for id in ["bbbb01", "bbbb02", "cccc01", "cccc02", "dddd01"] {
        let line = table.lines().find(|line| line.contains(&sid(id))).expect(id);
        assert!(!line.contains('─'), "{line}\n{table}");
    }
}

#[test]
fn an_id_of_digits_comes_before_a_number_of_the_list() {
    let night = Night::with_plain_deck();
    let rows = [
        "0001,,AC1,,trunking-terminating,+14155550100,+74955550105,2026-11-20T14:00:00Z,,60,completed",
        "0002,,AC1,,outbound-api,+14155550100,+13035550102,2026-11-20T14:01:00Z,,60,completed",
        "0003,,AC1,,trunking-terminating,+14155550100,+13035550102,2026-11-20T14:02:00Z,,60,completed",
    ];
    night.calls(&rows);
    night.run(&[]);
    let cache = night.path().join("own cache");
    let env = [("XDG_CACHE_HOME", cache.to_str().expect("UTF-8"))];
    for (id, words) in [("0001", "no-rate"), ("0002", "no call of a trunk"), ("0003", "0.01")] {
        let done = night.trunkrate_env(&["explain", id], &env);
        assert!(done.stderr.contains(&format!("{id}: the call with this id")), "{}", done.stderr);
        assert!(done.stdout.contains(words), "{id}: {}", done.stdout);
    }
    night.trunkrate_env(&["calls", "+13035550102"], &env).ok();
    let first = night.trunkrate_env(&["explain", "1"], &env);
    assert!(first.stdout.contains("0002") && first.stderr.is_empty(), "{first:?}");
}
