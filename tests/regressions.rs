//! Faults that were found once, each by the smallest night that shows it.

use crate::support::{Night, call_file};
use serde_json::{Value, json};

const PARENT: &str =
    "P,,AC1,TK1,trunking-terminating,+12025550101,+14155550102,2026-11-20T21:00:00Z,,61,completed";
const CHILD: &str = "C,P,AC1,TK1,,,sip:bob@pbx.example.com,2026-11-20T21:01:00Z,,61,completed";

/// Runs one file after the other, each a night of its own; the summaries.
fn nights(night: &Night, files: &[&[&str]]) -> Vec<Value> {
    files
        .iter()
        .map(|rows| {
            night.calls(rows);
            night.run(&[])
        })
        .collect()
}

fn column(night: &Night, name: &str, sid: &str) -> String {
    let csv = night.trunkrate(&["export", "calls"]).ok();
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let at = reader
        .headers()
        .expect("a header")
        .iter()
        .position(|header| header == name)
        .expect("the column");
    let row = reader
        .records()
        .map(|row| row.expect("a row"))
        .find(|row| &row[0] == sid)
        .expect("the call");
    row[at].to_owned()
}

/// The child of a booked call was ignored, because another version of its parent once came with a
/// foreign direction.
#[test]
fn a_foreign_version_of_a_booked_call_does_not_take_its_children_along() {
    let night = Night::with_plain_deck();
    let foreign = PARENT.replace("trunking-terminating", "inbound");
    let summaries = nights(&night, &[&[PARENT], &[&foreign], &[CHILD]]);
    assert_eq!(summaries[1]["ignored"], 1);
    assert_eq!(summaries[2]["rated"], 1);
}

/// A price that came while its record waited was lost; in one run it hung on the order of the rows.
#[test]
fn a_price_that_comes_while_its_record_waits_is_kept() {
    let priced = format!("{CHILD},-0.07,USD");
    for files in [
        [&[CHILD][..], &[&priced], &[PARENT]],
        [&[CHILD, &priced], &[], &[PARENT]],
        [&[&priced, CHILD], &[], &[PARENT]],
    ] {
        let night = Night::with_plain_deck();
        nights(&night, &files);
        assert_eq!(column(&night, "carrier_price", "C"), "-0.0700");
    }
}

/// A text that is no price won over one that is.
#[test]
fn a_price_that_is_none_does_not_win() {
    let night = Night::with_plain_deck();
    nights(&night, &[&[&format!("{PARENT},n/a,USD"), &format!("{PARENT},-0.01,USD")]]);
    assert_eq!(column(&night, "carrier_price", "P"), "-0.0100");
}

/// Of two versions in one run one was billed, because the other waited already.
#[test]
fn two_versions_in_one_run_are_a_conflict_also_if_one_of_them_waits() {
    let night = Night::with_plain_deck();
    let other = CHILD.replace(",61,", ",3600,");
    let summaries = nights(&night, &[&[CHILD], &[CHILD, &other, PARENT]]);
    assert_eq!(summaries[1]["suspended_by_reason"], json!({ "conflicting-duplicate": 2 }));
    assert_eq!((&summaries[1]["rated"], &summaries[1]["duplicate"]), (&json!(1), &json!(1)));
}

/// The `\r` of the header's line end counted as a line of its own.
#[test]
fn lines_are_counted_right_after_a_crlf_header() {
    let night = Night::with_plain_deck();
    night.file(
        "calls.csv",
        call_file(&[PARENT, CHILD, &CHILD.replace("C,P", "D,Q")]).replace('\n', "\r\n"),
    );
    night.run(&[]);
    assert_eq!(night.trunkrate(&["suspense", "--format", "json"]).json()[0]["source_line"], 4);
}

/// JSON was told apart by the next line's brace, or by the file's ending.
#[test]
fn pages_are_pages_however_they_are_broken_into_lines() {
    let call = |sid: &str| {
        format!(
            r#"{{"sid":"{sid}","parent_call_sid":null,"from":null,"account_sid":"AC1","direction":"trunking-terminating","to":"+14155550102","start_time":"2026-11-20T21:00:00Z","duration":61,"status":"completed"}}"#
        )
    };
    let (a, b) = (call("A"), call("B"));
    for text in [
        format!("{{\"calls\": [\n{a},\n{b}\n]}}\n"),
        format!("{{\"page\":0,\"calls\":[{a},{b}]}}\n"),
        format!("[\n{a},\n{b}\n]"),
    ] {
        for name in ["calls.json", "calls.jsonl"] {
            let night = Night::with_plain_deck();
            night.file(name, &text);
            let summary = night
                .trunkrate(&["run", "--cdrs", name, "--rates", "rates", "--format", "json"])
                .json();
            assert_eq!(
                (&summary["read"], &summary["rated"]),
                (&json!(2), &json!(2)),
                "{name}: {text}"
            );
        }
    }
}

/// A `\r` within a line of JSON cut the record that was kept.
#[test]
fn a_json_record_with_a_carriage_return_in_it_is_kept_whole() {
    let night = Night::with_plain_deck();
    let child = "{\"sid\":\"C\",\r\"parent_call_sid\":\"P\",\"account_sid\":\"AC1\",\"direction\":null,\"from\":null,\"to\":\"sip:bob@pbx.example.com\",\"start_time\":\"2026-11-20T21:01:00Z\",\"duration\":61,\"status\":\"completed\"}";
    night.file("calls.jsonl", format!("{child}\n"));
    night.trunkrate(&["run", "--cdrs", "calls.jsonl", "--rates", "rates"]).ok();
    assert_eq!(night.trunkrate(&["suspense", "--format", "json"]).json()[0]["record"], child);
    assert_eq!(nights(&night, &[&[PARENT]])[0]["rated"], 2);
}

/// A run that was lost together with the catalog was not noticed, and its calls were booked again.
#[test]
fn a_lost_run_is_noticed_without_the_catalog_too() {
    let night = Night::with_plain_deck();
    nights(&night, &[&[PARENT], &[CHILD], &[]]);
    let runs = night.path().join("ledger/runs");
    let second = std::fs::read_dir(&runs)
        .expect("runs")
        .map(|e| e.expect("a run").path())
        .find(|p| p.to_string_lossy().contains("000002-"));
    std::fs::remove_dir_all(second.expect("the second run")).expect("removed");
    for name in std::fs::read_dir(night.path().join("ledger"))
        .expect("a ledger")
        .map(|e| e.expect("an entry").path())
    {
        if name.to_string_lossy().contains("catalog.sqlite") {
            std::fs::remove_file(name).expect("removed");
        }
    }
    night.calls(&[CHILD]);
    let done = night.trunkrate(&["run", "--cdrs", "calls.csv", "--rates", "rates"]);
    assert_eq!(done.code, 1);
    assert!(done.stderr.contains("000003-"), "{}", done.stderr);
}

/// Two links to the folder that they stand in made an endless walk.
#[cfg(unix)]
#[test]
fn linked_folders_are_left_out() {
    let night = Night::with_plain_deck();
    night.file("q/calls.csv", call_file(&[PARENT]));
    for name in ["q/a", "q/b"] {
        std::os::unix::fs::symlink(".", night.path().join(name)).expect("a link");
    }
    let summary =
        night.trunkrate(&["run", "--cdrs", "q", "--rates", "rates", "--format", "json"]).json();
    assert_eq!(summary["read"], 1);
}

const NO_RATE_CHILD: &str = "C,P,AC1,,,,+442071838750,2026-11-20T21:20:00Z,,370,completed";
const OTHER: &str =
    "CA4,,AC2,,trunking-originating,+12025550101,+14155550102,2026-11-21T09:00:00Z,,61,completed";
const LATER: &str =
    "CA5,,AC2,,trunking-originating,+12025550101,+14155550102,2026-11-22T09:00:00Z,,61,completed";
const LATEST: &str =
    "CA6,,AC2,,trunking-originating,+12025550101,+14155550102,2026-11-23T09:00:00Z,,61,completed";

fn ids(summaries: &[serde_json::Value]) -> Vec<String> {
    summaries.iter().map(|summary| summary["run_id"].as_str().expect("a run").to_owned()).collect()
}

/// The parent of a waiting child is kept beside it: its run was not among those that the next
/// nights stand on, so `verify` did not find the root, and `undo` left a child under a parent that
/// was gone.
#[test]
fn a_child_that_waited_beside_its_parent_stands_on_the_parents_run() {
    let night = Night::with_plain_deck();
    let runs = ids(&nights(&night, &[&[NO_RATE_CHILD], &[PARENT], &[OTHER], &[LATER]]));
    let done = night.trunkrate(&["undo", &runs[1], "--reason", "test"]);
    assert!(
        done.code == 1 && done.stderr.contains(&runs[2]) && done.stderr.contains(&runs[3]),
        "{}",
        done.shown()
    );
    night.deck(
        "US,United States,US,0.0100,,1,termination,,,,,,\nUS,United States,US in,0.0034,,1,origination,,,,,,\n\
         GB,United Kingdom,UK,0.0150,,44,termination,,,,,,\n",
    );
    nights(&night, &[&[LATEST]]);
    assert!(night.trunkrate(&["rerate", "C", "--format", "json"]).json()["amount"].is_string());
    night.trunkrate(&["verify"]).ok();
}

/// A copy with a price changed the text of what waits, and the run that brought it could be undone
/// without the later ones.
#[test]
fn a_run_that_touched_suspense_is_stood_on() {
    let night = Night::with_plain_deck();
    let priced = format!("{CHILD},,-0.05");
    let runs = ids(&nights(&night, &[&[CHILD], &[&priced], &[OTHER]]));
    assert_eq!(night.trunkrate(&["undo", &runs[1], "--reason", "test"]).code, 1);
    night.trunkrate(&["undo", &runs[1], "--reason", "test", "--with-dependents"]).ok();
    assert_eq!(night.trunkrate(&["suspense", "--format", "json"]).json()[0]["tries"], 1);
}

/// A flipped bit in the ids hid a booked call, and it was booked again.
#[test]
fn a_run_does_not_believe_broken_ids() {
    let night = Night::with_plain_deck();
    let run = ids(&nights(&night, &[&[PARENT]])).remove(0);
    let path = night.path().join(format!("ledger/runs/{run}/ids/part-0.bin"));
    let good = std::fs::read(&path).expect("the ids");
    let mut flipped = good.clone();
    flipped[3] ^= 1;
    for broken in [flipped, Vec::new(), [&good[..], &good[..]].concat()] {
        std::fs::write(&path, broken).expect("written");
        let done = night.trunkrate(&["run", "--cdrs", "calls.csv", "--rates", "rates"]);
        assert!(done.code == 1 && done.stderr.contains("ids/part-0.bin"), "{}", done.shown());
    }
}

/// An empty name wrote off everything without an id, and a source named calls of other nights.
#[test]
fn a_name_at_the_desk_is_one_call_or_one_record() {
    let night = Night::with_plain_deck();
    let lost = CHILD.replace("C,P,", "D,P,");
    nights(&night, &[&[CHILD, "CA8,\"", "CA9,\"x"], &[&lost, "CB8,\""]]);
    let cases: [(i32, &[&str], &str); 7] = [
        (2, &["suspense", "close", "", "--reason", "x"], "the call is empty"),
        (2, &["suspense", "show", ""], "the call is empty"),
        (
            1,
            &["suspense", "close", "calls.csv:2", "--reason", "x"],
            "no record of calls.csv:2 waits",
        ),
        (
            1,
            &["suspense", "close", "calls.csv:3", "--reason", "x"],
            "2 records came from calls.csv:3",
        ),
        (1, &["suspense", "resolve", "calls.csv:3", "--take", "1"], "have no id"),
        (
            1,
            &["suspense", "close", "calls.csv:3/3", "--reason", "x"],
            "no record of calls.csv:3/3 waits",
        ),
        (0, &["suspense", "close", "calls.csv:3/2", "--reason", "x"], ""),
    ];
    for (code, args, says) in cases {
        let done = night.trunkrate(args);
        assert!(done.code == code && done.stderr.contains(says), "{args:?}: {}", done.shown());
    }
    let left =
        night.trunkrate(&["suspense", "--reason", "malformed-record", "--format", "json"]).json();
    let left: Vec<&str> = left
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| row["record"].as_str().expect("a text"))
        .collect();
    assert!(
        left.len() == 2
            && left.iter().any(|text| text.contains("CA8"))
            && left.iter().any(|text| text.contains("CA9")),
        "{left:?}"
    );
}

/// A manifest that says what is not so, in a ledger whose hashes all agree.
#[test]
fn verify_does_not_believe_a_manifest() {
    let edits: [(&str, &str, &str); 7] = [
        ("\"name\": \"test\"", "\"name\": \"best\"", "the archive has"),
        ("\"kind\": \"run\"", "\"kind\": \"retry\"", "says that it is a retry"),
        ("\"read\": {\n      \"records\": 2", "\"read\": {\n      \"records\": 3", "came in"),
        ("\"rows\": 2", "\"rows\": 3", "its files had 3 records"),
        ("\"parent-missing\": 1", "\"parent-missing\": 2", "suspense"),
        ("\"stands_on\": []", "\"stands_on\": [\"000007-0badcafe\"]", "is no earlier run"),
        ("legs/date=2026-11-20", "legs/date=2026-12-01", "different days"),
    ];
    for (found, put, says) in edits {
        let night = Night::with_plain_deck();
        let run = ids(&nights(&night, &[&[PARENT, &CHILD.replace("C,P,", "C,Q,")]])).remove(0);
        let ledger = night.path().join("ledger");
        let path = ledger.join(format!("runs/{run}/manifest.json"));
        let text = std::fs::read_to_string(&path).expect("a manifest");
        assert!(text.contains(found), "{found} in {text}");
        std::fs::write(&path, text.replacen(found, put, 1)).expect("written");
        if put.starts_with("legs") {
            let legs = ledger.join(format!("runs/{run}/legs"));
            std::fs::rename(legs.join("date=2026-11-20"), legs.join("date=2026-12-01"))
                .expect("moved");
        }
        std::fs::remove_file(ledger.join("catalog.sqlite")).expect("removed");
        nights(&night, &[&[OTHER]]);
        let done = night.trunkrate(&["verify"]);
        assert!(done.code == 1 && done.stderr.contains(says), "{put}: {}", done.shown());
    }
}

/// A changed catalog was told as an error of SQL where a run had been undone and done again.
#[test]
fn a_changed_catalog_is_named_after_an_undo() {
    let night = Night::with_plain_deck();
    let run = ids(&nights(&night, &[&[PARENT]])).remove(0);
    night.trunkrate(&["undo", &run, "--reason", "test"]).ok();
    nights(&night, &[&[PARENT]]);
    let connection = rusqlite::Connection::open(night.path().join("ledger/catalog.sqlite"))
        .expect("the catalog");
    connection.execute("UPDATE amounts SET amount = '0.05001'", []).expect("SQL");
    drop(connection);
    let done = night.trunkrate(&["verify"]);
    assert!(
        done.stderr.contains("amount is `0.05001`; the runs say `0.02000`"),
        "{}",
        done.shown()
    );
}

/// Folders and files of others stopped every command.
#[test]
fn what_is_no_run_is_left_alone_and_named_by_verify() {
    let night = Night::with_plain_deck();
    let run = ids(&nights(&night, &[&[PARENT]])).remove(0);
    night.trunkrate(&["undo", &run, "--reason", "test"]).ok();
    std::fs::create_dir(night.path().join("ledger/runs/lost+found")).expect("made");
    night.file("ledger/undone/.DS_Store", "x");
    assert_eq!(nights(&night, &[&[PARENT]])[0]["rated"], 1);
    for stray in ["lost+found", ".DS_Store"] {
        let done = night.trunkrate(&["verify"]);
        assert!(done.code == 1 && done.stderr.contains(stray), "{}", done.shown());
        let _ = std::fs::remove_dir(night.path().join("ledger/runs/lost+found"));
    }
}

#[test]
fn nothing_to_export_is_no_empty_call_file() {
    let night = Night::with_plain_deck();
    nights(&night, &[&[PARENT]]);
    let done = night.trunkrate(&["suspense", "--export", "none.jsonl"]);
    assert!(done.code == 0 && done.stderr.contains("no file was written"), "{}", done.shown());
    assert!(!night.path().join("none.jsonl").exists());
}

/// The same id more than 400 days later was booked a second time, and `verify` failed for good; a
/// parent that far back was not found.
#[test]
fn what_was_booked_is_known_after_years() {
    let night = Night::with_plain_deck();
    let years_later = |row: &str| row.replace("2026-11-2", "2029-11-2");
    let summaries =
        nights(&night, &[&[PARENT], &[&years_later(PARENT)], &[&years_later(CHILD)], &[PARENT]]);
    assert_eq!(summaries[1]["suspended_by_reason"], json!({"conflicting-duplicate": 1}));
    assert_eq!((&summaries[2]["rated"], &summaries[3]["duplicate"]), (&json!(1), &json!(1)));
    night.trunkrate(&["verify"]).ok();
}

/// Of two versions of a waiting call the fuller one is kept, and the price of the other was lost
/// with it.
#[test]
fn the_price_of_a_version_that_lacks_something_waits_with_the_fuller_one() {
    let night = Night::with_plain_deck();
    let fuller = CHILD.replace(",,,sip:", ",,+12025550101,sip:");
    let priced = format!("{CHILD},-0.05,USD");
    let counts = |summary: &Value| ["duplicate", "suspended"].map(|name| summary[name].as_u64());
    let summaries = nights(&night, &[&[&fuller, &priced], &[OTHER], &[PARENT]]);
    assert_eq!(counts(&summaries[0]), [Some(1), Some(1)]);
    assert_eq!(column(&night, "carrier_price", "C"), "-0.0500");
    night.trunkrate(&["verify"]).ok();
}

/// A waiting record that was ignored, and one of the file, made "all 2 records were ignored".
#[test]
fn ignored_records_that_waited_are_not_of_the_files() {
    let night = Night::with_plain_deck();
    let inbound = PARENT.replace("trunking-terminating", "inbound");
    let other = PARENT.replace("P,,", "O,,");
    nights(&night, &[&[CHILD]]);
    night.calls(&[&inbound, &other]);
    let done = night.trunkrate(&["run", "--cdrs", "calls.csv", "--rates", "rates"]);
    assert!(done.code == 0 && !done.stderr.contains("were ignored"), "{}", done.shown());
    night.calls(&[&inbound.replace("P,,", "Q,,")]);
    let done = night.trunkrate(&["run", "--cdrs", "calls.csv", "--rates", "rates"]);
    assert!(done.stderr.contains("all 1 records were ignored"), "{}", done.shown());
}

/// A price of a deck was held to be billed, though every call waited.
#[test]
fn a_deck_may_be_mended_while_nothing_is_billed() {
    let night = Night::with_plain_deck();
    let reprice = |before: &str, after: &str| {
        let deck = std::fs::read_to_string(night.path().join("rates/prices.csv")).expect("a deck");
        night.file("rates/prices.csv", deck.replace(before, after));
    };
    let unpriced = PARENT.replace("+14155550102", "+850212345678");
    let waits = nights(&night, &[&[&unpriced]]).remove(0);
    assert_eq!(waits["suspended_by_reason"], json!({"no-rate": 1}));
    reprice("0.0100", "0.0120");
    nights(&night, &[&[PARENT]]);
    reprice("0.0120", "0.0130");
    let done = night.trunkrate(&["run", "--cdrs", "calls.csv", "--rates", "rates"]);
    assert!(done.code == 1 && done.stderr.contains("changed since run"), "{}", done.shown());
}

/// A child that lost its parent in the export is billed as a plain call: with a word about it.
#[test]
fn a_target_without_a_parent_is_noted() {
    let night = Night::with_plain_deck();
    let header = "sid,parent_call_sid,account_sid,direction,from,to,start_time,duration,status";
    let row = "K,,AC1,trunking-terminating,+12025550101,+14155550102,2026-11-20T21:01:00Z,61";
    let run = |name: &str, target: &str| {
        night.file(name, format!("{header},refer_to\n{row},completed,{target}\n"));
        let ledger = format!("{name}.ledger");
        night.trunkrate(&["run", "--cdrs", name, "--rates", "rates", "--ledger", &ledger])
    };
    let lost = run("lost.csv", "<sip:bob@pbx.example.com>");
    assert!(
        lost.code == 0
            && lost.stderr.contains("1 call has the target of a transfer and no parent")
            && lost.stderr.contains("(K: refer_to, no parent_call_sid)"),
        "{}",
        lost.shown()
    );
    assert!(!run("plain.csv", "").stderr.contains("the target of a transfer"));
}

/// A quote that opens in a free text swallowed the rows of a deck, or the calls, up to the next
/// one.
#[test]
fn a_quote_that_swallows_whole_lines_bills_nobody() {
    let night = Night::with_plain_deck();
    let header = "sid,parent_call_sid,account_sid,direction,from,to,start_time,duration,status";
    let row = |sid: &str, start: &str, seconds: &str, name: &str| {
        format!(
            "{sid},,AC1,trunking-terminating,+12025550101,+14155550102,{start},{seconds},\
             completed,{name}\n"
        )
    };
    let calls = [
        row("A", "2026-11-20T21:00:00Z", "60", "\"HQ"),
        row("B", "2026-11-20T21:01:00Z", "6000", "Bob"),
        row("C", "2026-11-20T21:02:00Z", "600", "JOE\""),
        row("D", "2026-11-20T21:03:00Z", "61", "Dan"),
    ];
    night.file("calls.csv", format!("{header},caller_name\n{}", calls.concat()));
    let night_of_four = night.run(&[]);
    assert_eq!(night_of_four["suspended_by_reason"], json!({"malformed-record": 3}));
    // D alone: 61 seconds are 2 minutes of 0.0100.
    assert_eq!(night_of_four["amount"], json!({"USD": "0.02000"}));
    night.trunkrate(&["verify"]).ok();

    let rows = "US,US,\"US 5,0.2000,,1,,,,,,,\nDE,DE,DE 5\",0.0200,,49,,,,,,,\n";
    night.deck(rows);
    let done = night.trunkrate(&["rates", "check", "rates"]);
    assert!(
        done.code != 0 && done.stderr.contains("prices.csv:2: a quote is not closed"),
        "{}",
        done.shown()
    );
}

/// `rerate --cdrs` said that a waiting call is a duplicate, if it came twice.
#[test]
fn a_waiting_call_that_comes_twice_is_explained_by_what_it_waits_for() {
    let night = Night::with_plain_deck();
    let unpriced = PARENT.replace("+14155550102", "+850212345678");
    night.calls(&[&unpriced, &unpriced]);
    let done = night.trunkrate(&["rerate", "P", "--cdrs", "calls.csv", "--rates", "rates"]);
    assert!(done.code == 1 && done.stderr.contains("no-rate"), "{}", done.shown());
}
