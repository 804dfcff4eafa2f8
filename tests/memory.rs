//! A night that is dealt out to parts, waits on disk and is cut into pieces is the night that fits
//! in memory, to the byte.

use crate::laws::{call_file, furnish, rate, some_nights};
use crate::naive::Record;
use crate::support::{HEADER, Night};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// Every file below a folder, by name.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(path) = todo.pop() {
        for entry in std::fs::read_dir(&path).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                todo.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below it").display().to_string();
                files.insert(name, std::fs::read(path).expect("a file"));
            }
        }
    }
    files
}

#[track_caller]
fn assert_same(one: &BTreeMap<String, Vec<u8>>, other: &BTreeMap<String, Vec<u8>>, what: &str) {
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(one), names(other), "{what}");
    for (name, bytes) in one {
        assert!(*bytes == other[name], "{what}: {name} differs");
    }
}

/// Chains, cycles, copies, conflicts, foreign families: hostile nights in parts of six calls. Each
/// night is rated in two halves, so that parents, copies and what waits are looked for in the
/// ledger too.
#[test]
fn a_night_in_many_parts_is_the_same_night() {
    for (number, night) in some_nights(12).enumerate() {
        let [whole, parts] = ["4GiB", "16KiB"].map(|memory| {
            let folder = furnish(&night);
            let (first, second): (Vec<Record>, Vec<Record>) = night
                .records
                .iter()
                .cloned()
                .enumerate()
                .map(|(at, record)| (at % 2 == 0, record))
                .fold((Vec::new(), Vec::new()), |(mut even, mut odd), (is_even, record)| {
                    if is_even { &mut even } else { &mut odd }.push(record);
                    (even, odd)
                });
            for half in [first, second] {
                folder.file("calls.csv", call_file(&half));
                rate(&folder, &night, "calls.csv", &["--memory", memory], &[]).ok();
            }
            folder.trunkrate(&["verify"]).ok();
            files(&folder.path().join("ledger/runs"))
        });
        assert_same(&whole, &parts, &format!("night {number}"));
    }
}

/// More calls than a group and than three pieces, nearly all of one second, some of the next day:
/// on disk and in memory, by one thread and by two.
#[test]
fn pieces_and_groups_do_not_show() {
    let night = Night::with_plain_deck();
    let mut calls = format!("{HEADER}\n");
    for n in 0..110_000_u64 {
        // In no order.
        let n = n * 7919 % 110_000;
        let start = if n % 10 == 0 { "2026-11-21T00:00:01" } else { "2026-11-20T23:59:59" };
        let cells: BTreeMap<&str, String> = BTreeMap::from([
            ("sid", format!("CA{:032x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))),
            ("account_sid", format!("AC{}", n % 7)),
            ("direction", "trunking-terminating".to_owned()),
            ("from", "+12025550101".to_owned()),
            (
                "to",
                if n % 5 == 0 {
                    format!("sip:user{n}@pbx.example")
                } else {
                    format!("+1415555{:04}", n % 10_000)
                },
            ),
            ("start_time", format!("{start}.{:06}Z", n % 3)),
            ("duration", (n % 400).to_string()),
            ("status", "completed".to_owned()),
        ]);
        let row: Vec<&str> =
            HEADER.split(',').map(|name| cells.get(name).map_or("", String::as_str)).collect();
        writeln!(calls, "{}", row.join(",")).expect("a text grows");
    }
    night.file("calls.csv", calls);
    let mut first: Option<BTreeMap<String, Vec<u8>>> = None;
    for more in [["--memory", "4GiB", "--threads", "2"], ["--memory", "100KiB", "--threads", "1"]] {
        let ledger = format!("ledger-{}", more[1]);
        let args = ["run", "--cdrs", "calls.csv", "--rates", "rates", "--ledger", &ledger];
        night.trunkrate(&[&args[..], &more[..]].concat()).ok();
        night.trunkrate(&["verify", "--ledger", &ledger]).ok();
        let found = files(&night.path().join(&ledger).join("runs"));
        match &first {
            None => first = Some(found),
            Some(first) => assert_same(first, &found, more[1]),
        }
    }
}

#[test]
fn a_size_that_is_none_is_refused() {
    let night = Night::with_plain_deck();
    for size in ["0", "x", "-1", "1.5GiB", "1GB", "99999999999999999999"] {
        let done = night.trunkrate(&[
            "run",
            "--cdrs",
            "calls.csv",
            "--rates",
            "rates",
            &format!("--memory={size}"),
        ]);
        assert_eq!(done.code, 2, "{size}");
        assert!(done.stderr.contains("expected a size"), "{}", done.stderr);
    }
}

/// More suspended records than are sorted and written together, of every kind that a reader cuts:
/// they stand in the order of their ids, in one memory and in another; what waits is taken up
/// again, and ends.
#[test]
fn suspense_in_many_groups_is_the_same_suspense() {
    let night = Night::with_plain_deck();
    let deck = "US,United States,US,0.0100,,1,termination,,,,,,\n";
    night.deck(deck);
    let mut calls = format!("{HEADER}\n");
    for n in 0..70_000_u64 {
        // In no order; without a price, without an id, malformed, and one in a hundred sound.
        let n = n * 7919 % 70_000;
        let to = if n % 100 == 0 { "+14155550102" } else { "+493012345678" };
        match n % 7 {
            0 => writeln!(calls, "broken {n}"),
            1 => writeln!(calls, ",,AC1,,trunking-terminating,+12025550101,{to},2026-11-20T10:00:00Z,,{n},completed,,,,"),
            _ => writeln!(calls, "C{n:05},,AC1,,trunking-terminating,+12025550101,{to},2026-11-20T10:00:00Z,,{n},completed,,,,"),
        }
        .expect("a text grows");
    }
    night.file("calls.csv", calls);
    let run = |ledger: &str, memory: &str, command: &[&str]| {
        let more = ["--rates", "rates", "--ledger", ledger, "--memory", memory, "--format", "json"];
        night.trunkrate(&[command, &more[..]].concat()).json()
    };
    let mut first: Option<BTreeMap<String, Vec<u8>>> = None;
    for memory in ["4GiB", "100KiB"] {
        let ledger = format!("ledger-{memory}");
        let summary = run(&ledger, memory, &["run", "--cdrs", "calls.csv"]);
        let waits = ["malformed-record", "missing-field", "no-rate"]
            .map(|reason| summary["suspended_by_reason"][reason].as_u64());
        // 10,000 malformed, 10,000 without an id; of the other 50,000 one in a hundred is rated.
        assert_eq!(
            (waits, summary["rated"].as_u64()),
            ([Some(10_000), Some(10_000), Some(49_500)], Some(500)),
            "{summary}"
        );
        // With a price for all, what has an id is billed by the next try.
        night.deck(&format!("{deck}DE,Germany,DE,0.0200,,49,termination,,,,,,\n"));
        let retry = ["suspense", "retry", "--accept-changes"];
        let summary = run(&ledger, memory, &retry);
        assert_eq!(
            (summary["retried"].as_u64(), summary["rated"].as_u64()),
            (Some(69_500), Some(49_500)),
            "{summary}"
        );
        night.trunkrate(&["verify", "--ledger", &ledger]).ok();
        let export = night
            .trunkrate(&["export", "suspense", "--format", "csv", "--raw", "--ledger", &ledger])
            .ok();
        assert_eq!(export.lines().count(), 20_001);
        assert!(export.lines().skip(1).all(|line| line.contains(",2,")), "tried twice");
        night.deck(deck);
        let found = files(&night.path().join(&ledger).join("runs"));
        match &first {
            None => first = Some(found),
            Some(first) => assert_same(first, &found, memory),
        }
    }
}
