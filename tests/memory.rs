//! A night that is dealt out to parts, waits on disk and is cut into pieces is the night that fits in memory, to the byte.

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

/// Chains, cycles, copies, conflicts, foreign families: hostile nights in parts of six calls. Each night is rated in two
/// halves, so that parents, copies and what waits are looked for in the ledger too.
#[test]
fn a_night_in_many_parts_is_the_same_night() {
    for (number, night) in some_nights(12).enumerate() {
        let [whole, parts] = ["4GiB", "16KiB"].map(|memory| {
            let folder = furnish(&night);
            let (first, second): (Vec<Record>, Vec<Record>) =
                night.records.iter().cloned().enumerate().map(|(at, record)| (at % 2 == 0, record)).fold(
                    (Vec::new(), Vec::new()),
                    |(mut even, mut odd), (is_even, record)| {
                        if is_even { &mut even } else { &mut odd }.push(record);
                        (even, odd)
                    },
                );
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

/// More calls than a group and than three pieces, nearly all of one second, some of the next day: on disk and in memory,
/// by one thread and by two.
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
            ("to", if n % 5 == 0 { format!("sip:user{n}@pbx.example") } else { format!("+1415555{:04}", n % 10_000) }),
            ("start_time", format!("{start}.{:06}Z", n % 3)),
            ("duration", (n % 400).to_string()),
            ("status", "completed".to_owned()),
        ]);
        let row: Vec<&str> = HEADER.split(',').map(|name| cells.get(name).map_or("", String::as_str)).collect();
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
        let done = night.trunkrate(&["run", "--cdrs", "calls.csv", "--rates", "rates", &format!("--memory={size}")]);
        assert_eq!(done.code, 2, "{size}");
        assert!(done.stderr.contains("expected a size"), "{}", done.stderr);
    }
}
