//! A call's family out of the ledger: whole, wherever its calls were booked, and read from where
//! they stand alone.

use crate::support::{Night, call_file};
use serde_json::Value;
use std::path::{Path, PathBuf};

const PARENT: &str =
    "P,,AC1,TK1,trunking-terminating,+12025550101,+14155550102,2026-11-20T23:59:50Z,,300,completed";

fn child(sid: &str, parent: &str, start: &str) -> String {
    format!("{sid},{parent},AC1,,,,+13035550103,{start},,10,completed")
}

/// Children before their parent and after, on the days around it and long after, of several runs;
/// one is a grandchild.
fn family_of_runs() -> Night {
    let night = Night::with_plain_deck();
    night.file("trunkrate.toml", "[policy]\nchained_transfers = \"root\"\n");
    let other = PARENT.replace("P,,", "Q,,");
    let nights = [
        vec![
            child("C2", "P", "2026-11-21T00:00:10Z"),
            other,
            child("X1", "Q", "2026-11-21T00:00:20Z"),
        ],
        vec![PARENT.to_owned(), child("C1", "P", "2026-11-20T23:59:10Z")],
        vec![child("C4", "P", "2027-01-15T08:00:00Z"), child("X2", "Q", "2026-11-20T23:59:55Z")],
        vec![child("C3", "C2", "2026-11-21T00:00:15Z")],
    ];
    for rows in nights {
        night.calls(&rows.iter().map(String::as_str).collect::<Vec<_>>());
        night.run(&[]);
    }
    night
}

/// The ids of the family that `log` shows, parent first.
fn logged(night: &Night, sid: &str) -> Vec<String> {
    let families = night.trunkrate(&["log", "--call", sid, "--format", "json"]).json();
    let [family] = families.as_array().expect("families").as_slice() else {
        panic!("one family: {families}")
    };
    let children = family["children"].as_array().expect("children");
    std::iter::once(family)
        .chain(children)
        .map(|call| call["call_sid"].as_str().unwrap_or("-").to_owned())
        .collect()
}

/// The ids of the family that `rerate` shows beside the call.
fn explained(night: &Night, sid: &str) -> Vec<String> {
    let case = night.trunkrate(&["rerate", sid, "--format", "json"]).json();
    let family = case["family"].as_array().expect("a family");
    family.iter().map(|call| call["call_sid"].as_str().expect("an id").to_owned()).collect()
}

/// The runs, oldest first.
fn runs(night: &Night) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(night.path().join("ledger/runs")).expect("the runs");
    let mut runs: Vec<PathBuf> = entries.map(|run| run.expect("a run").path()).collect();
    runs.sort();
    runs
}

#[test]
fn a_family_is_whole_over_runs_and_days() {
    let night = family_of_runs();
    for sid in ["P", "C1", "C2", "C3", "C4"] {
        assert_eq!(logged(&night, sid), ["P", "C1", "C2", "C3", "C4"], "{sid}");
        let mut others = vec!["C1", "P", "C2", "C3", "C4"];
        others.retain(|other| *other != sid);
        assert_eq!(explained(&night, sid), others, "{sid}, by start");
    }
    assert_eq!(logged(&night, "X2"), ["Q", "X2", "X1"]);
    let bounded = night
        .trunkrate(&[
            "log",
            "--call",
            "P",
            "--from",
            "2026-11-21",
            "--to",
            "2026-11-22",
            "--format",
            "csv",
        ])
        .ok();
    let sids: Vec<&str> =
        bounded.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    assert_eq!(sids, ["C2", "C3"]);
    let stranger = night.trunkrate(&["log", "--call", "P", "--account", "AC2"]);
    assert!(stranger.code == 1 && stranger.stderr.contains("no such account"), "{stranger:?}");
    night.trunkrate(&["verify"]).ok();
}

/// A price that came later stands in the log of a family too.
#[test]
fn a_family_has_its_late_prices() {
    let night = family_of_runs();
    night.calls(&[&format!("{},-0.0500", child("C4", "P", "2027-01-15T08:00:00Z"))]);
    night.run(&[]);
    let families = night.trunkrate(&["log", "--call", "P", "--format", "json"]).json();
    let children = families[0]["children"].as_array().expect("children");
    let prices: Vec<&Value> = children.iter().map(|call| &call["carrier_price"]).collect();
    assert_eq!(prices, [&Value::Null, &Value::Null, &Value::Null, &Value::from("-0.0500")]);
}

/// Changes what a run says of its file of children, and its hash; an edited manifest is the newest,
/// so no run misses it.
fn rewrite_manifest(run: &Path, change: impl Fn(&mut Vec<Value>)) {
    let path = run.join("manifest.json");
    let mut manifest: Value =
        serde_json::from_slice(&std::fs::read(&path).expect("a manifest")).expect("JSON");
    change(manifest["files"].as_array_mut().expect("files"));
    std::fs::write(&path, serde_json::to_string_pretty(&manifest).expect("JSON") + "\n")
        .expect("written");
    // The catalog of other manifests goes, or every reader would miss the run that it knows.
    let _ = std::fs::remove_file(run.join("../../catalog.sqlite"));
}

/// A ledger of before the file of children was invented shows the same.
#[test]
fn a_run_without_a_file_of_children_is_searched() {
    let night = family_of_runs();
    let last = runs(&night).pop().expect("a run");
    std::fs::remove_file(last.join("ids/children-0.bin")).expect("removed");
    rewrite_manifest(&last, |files| files.retain(|file| file["path"] != "ids/children-0.bin"));
    assert_eq!(logged(&night, "C3"), ["P", "C1", "C2", "C3", "C4"]);
    assert_eq!(logged(&night, "X1"), ["Q", "X2", "X1"]);
}

/// A file of children that names other calls, or hides one: the first is seen by who reads it, both
/// by `verify`.
#[test]
fn a_wrong_file_of_children_is_found() {
    let night = family_of_runs();
    let last = runs(&night).pop().expect("a run");
    let path = last.join("ids/children-0.bin");
    let good = std::fs::read(&path).expect("the children");
    assert_eq!(good.len(), 24, "one child");
    let mut other_root = good.clone();
    other_root[..16].copy_from_slice(&xxhash_rust::xxh3::xxh3_128(b"Q").to_be_bytes());
    for (bad, seen_by_readers) in [(other_root, true), (Vec::new(), false)] {
        std::fs::write(&path, &bad).expect("written");
        let hash = blake3::hash(&bad).to_hex().to_string();
        rewrite_manifest(&last, |files| {
            let file = files
                .iter_mut()
                .find(|file| file["path"] == "ids/children-0.bin")
                .expect("the children");
            (file["blake3"], file["bytes"]) = (Value::from(&*hash), Value::from(bad.len()));
        });
        if seen_by_readers {
            let done = night.trunkrate(&["rerate", "Q"]);
            assert!(
                done.code == 1 && done.stderr.contains("a child of Q stands"),
                "{}",
                done.shown()
            );
        }
        let copy = Night::with_plain_deck();
        copy_folder(&night.path().join("ledger"), &copy.path().join("ledger"));
        copy.calls(&[]);
        copy.run(&[]);
        let done = copy.trunkrate(&["verify"]);
        assert!(
            done.code == 1
                && done.stderr.contains("ids/children-0.bin: the children are not those"),
            "{}",
            done.shown()
        );
        std::fs::copy(
            copy.path().join("ledger/catalog.sqlite"),
            night.path().join("ledger/catalog.sqlite"),
        )
        .expect("copied");
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in
        std::fs::read_dir(from).expect("a folder").map(|entry| entry.expect("an entry").path())
    {
        let target = to.join(entry.file_name().expect("a name"));
        if entry.is_dir() {
            copy_folder(&entry, &target);
        } else {
            std::fs::copy(&entry, &target).expect("copied");
        }
    }
}

/// Groups of rows in which no call of the family stands are hashed with their file, and not
/// decoded: what they hold is broken here, the manifest with it, and nobody sees it.
#[test]
fn only_the_groups_of_the_family_are_read() {
    const CALLS: u32 = 70_000; // a group has 65,536
    let night = Night::with_plain_deck();
    let row = |n: u32| {
        let (hour, minute, second) = (n / 3600, n / 60 % 60, n % 60);
        let parent = if n == CALLS - 1 { format!("CA{:032x}", CALLS - 2) } else { String::new() };
        let time = format!("2026-11-20T{hour:02}:{minute:02}:{second:02}Z");
        format!(
            "CA{n:032x},{parent},AC1,TK1,trunking-terminating,+12025550101,+14155550102,{time},,60,completed"
        )
    };
    let rows: Vec<String> = (0..CALLS).map(row).collect();
    night.file("calls.csv", call_file(&rows.iter().map(String::as_str).collect::<Vec<_>>()));
    night.run(&[]);
    let run = runs(&night).pop().expect("a run");
    let mut manifest = std::fs::read_to_string(run.join("manifest.json")).expect("a manifest");
    for part in ["calls", "legs"] {
        let path = run.join(part).join("date=2026-11-20/part-0.parquet");
        let mut bytes = std::fs::read(&path).expect("a part");
        let hash = |bytes: &[u8]| blake3::hash(bytes).to_hex().to_string();
        let whole = hash(&bytes);
        bytes[4..20_000].fill(0xff);
        manifest = manifest.replace(&whole, &hash(&bytes));
        std::fs::write(&path, bytes).expect("written");
        assert!(
            night
                .trunkrate(&["rerate", &format!("CA{:032x}", CALLS - 1)])
                .stderr
                .contains("is not as it was written")
        );
    }
    std::fs::write(run.join("manifest.json"), manifest).expect("written");
    std::fs::remove_file(night.path().join("ledger/catalog.sqlite")).expect("it is removed");
    let [first, child] = [0, CALLS - 1].map(|n: u32| format!("CA{n:032x}"));
    let parent = format!("CA{:032x}", CALLS - 2);
    assert_eq!(logged(&night, &child), [parent.clone(), child.clone()]);
    assert_eq!(explained(&night, &child), [parent]);
    let case = night.trunkrate(&["rerate", &child, "--format", "json"]).json();
    assert_eq!(case["booked"]["legs"].as_array().expect("legs").len(), 2, "{case}");
    let done = night.trunkrate(&["rerate", &first]);
    assert!(
        done.code == 1 && done.stderr.contains("date=2026-11-20"),
        "the broken group is not shown: {}",
        done.shown()
    );
}

/// A copy that merely lacks a field of the booked call waited as `missing-field`, for ever, and
/// stood against the month's invoices; in one run with it, it is a duplicate.
#[test]
fn a_copy_that_lacks_a_field_of_a_booked_call_is_a_duplicate() {
    let full = "CA1,,AC1,,trunking-terminating,+12025550101,+14155550102,2026-11-20T10:00:00Z,,60,completed";
    for lacking in
        [full.replace("+14155550102", ""), full.replace("AC1", ""), full.replace("completed", "")]
    {
        let night = Night::with_plain_deck();
        night.calls(&[full]);
        night.run(&[]);
        night.calls(&[&lacking]);
        let summary = night.run(&[]);
        let ended = ["duplicate", "suspended"].map(|end| summary[end].as_u64().expect("a count"));
        assert_eq!(ended, [1, 0], "{lacking}: {summary}");
        night.trunkrate(&["verify"]).ok();
    }
}
