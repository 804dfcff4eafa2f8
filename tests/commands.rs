//! Wiring: exit codes, help, formats, and what goes to stdout and to stderr. What a call costs is
//! tested elsewhere.

use crate::support::{Done, Night};
use polars::prelude::{DataType, ParquetReader, SerReader};
use serde_json::Value;
use std::fmt::Write;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use trunkrate::ledger::tables::columns::{LEG_COLUMNS, LOG_COLUMNS};

const PARENT: &str = "CA1,,AC1,TK1,trunking-terminating,+12025550101,+14155550102,2026-11-20T21:15:00Z,2026-11-20T21:20:00Z,300,completed,-0.0500";
const CHILD: &str = "CA2,CA1,AC1,,,,+13035550103,2026-11-20T21:20:00Z,,370,completed";
const SECOND_CHILD: &str =
    "CA3,CA1,AC1,,,,\"<sip:bob@pbx.example.com>\",2026-11-20T21:26:10Z,,,no-answer";
const OTHER: &str =
    "CA4,,AC2,,trunking-originating,+12025550101,+14155550102,2026-11-21T09:00:00Z,,61,completed";
const WAITING: &str = "CA5,CA9,AC2,,,,+13035550103,2026-11-21T09:05:00Z,,10,completed";

/// A ledger with a family, a call of another account on another day, and a record that waits.
fn booked() -> Night {
    let night = Night::with_plain_deck();
    night.calls(&[PARENT, CHILD, SECOND_CHILD, OTHER, WAITING]);
    night.run(&[]);
    night
}

fn assert_shown(name: &str, shown: &str) {
    insta::with_settings!({ snapshot_path => "snapshots/commands", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, shown);
    });
}

/// Several commands with all they say, for one snapshot.
fn transcript(night: &Night, commands: &[&[&str]]) -> String {
    let shown = |args: &&[&str]| {
        format!("$ trunkrate {}\n{}\n", args.join(" "), night.trunkrate(args).shown())
    };
    commands.iter().map(shown).collect()
}

fn runs(night: &Night) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(night.path().join("ledger/runs"));
    entries
        .map(|entries| entries.map(|entry| entry.expect("an entry").path()).collect())
        .unwrap_or_default()
}

// ---- exit codes
// -------------------------------------------------------------------------------------------------

#[test]
fn exit_codes() {
    let night = booked();
    let cases: [(i32, &[&str]); 22] = [
        (0, &["--help"]),
        (0, &["--version"]),
        (0, &["run", "--cdrs", "calls.csv", "--rates", "rates"]),
        (0, &["log"]),
        (0, &["suspense", "--reason", "parent-missing"]),
        (0, &["verify"]),
        (1, &["run", "--cdrs", "none.csv", "--rates", "rates"]),
        (1, &["run", "--cdrs", "calls.csv", "--rates", "none"]),
        (1, &["run", "--cdrs", "calls.csv", "--rates", "rates", "--config", "none.toml"]),
        (1, &["log", "--ledger", "none"]),
        (1, &["log", "--call", "CA99"]),
        (1, &["rerate", "CA99"]),
        (1, &["rerate", "CA5"]),
        (1, &["rates", "check", "none"]),
        (2, &[]),
        (2, &["rate"]),
        (2, &["run", "--cdrs", "calls.csv"]),
        (2, &["run", "--cdrs", "calls.csv", "--rates", "rates", "--threads", "0"]),
        (2, &["rerate", "CA1", "--cdrs", "calls.csv"]),
        (2, &["suspense", "--reason", "bad-luck"]),
        (2, &["log", "--from", "noon"]),
        (2, &["invoice", "--period", "2026-13", "--out", "out"]),
    ];
    for (code, args) in cases {
        let done = night.trunkrate(args);
        assert_eq!(done.code, code, "{args:?}: {}", done.shown());
        assert_eq!(
            done.stdout.is_empty(),
            code != 0,
            "results on stdout, everything else on stderr: {args:?}"
        );
    }
}

#[test]
fn too_many_suspended_book_nothing() {
    let night = Night::with_plain_deck();
    night.calls(&[PARENT, WAITING]);
    let run = |most: &str| {
        night.trunkrate(&[
            "run",
            "--cdrs",
            "calls.csv",
            "--rates",
            "rates",
            "--max-suspended",
            most,
        ])
    };
    let done = run("0");
    let expected = "error: 1 records would be suspended, --max-suspended is 0: 1 parent-missing; nothing was booked\n";
    assert_eq!(done, Done { code: 3, stdout: String::new(), stderr: expected.to_owned() });
    assert_eq!(runs(&night), Vec::<PathBuf>::new());
    assert_eq!(run("1").code, 0);
    assert_eq!(runs(&night).len(), 1);
}

#[test]
fn a_ledger_in_use_is_left_alone() {
    let night = booked();
    let lock = File::open(night.path().join("ledger")).expect("the ledger's folder");
    lock.lock().expect("the lock");
    std::fs::write(night.path().join("ledger/staging/holder"), "4711\n")
        .expect("the holder's number");
    let done = night.trunkrate(&["run", "--cdrs", "calls.csv", "--rates", "rates"]);
    let expected = "error: the ledger ledger is in use by another run (process 4711)\n\
                    hint: wait until it has ended; nothing was booked by this one\n";
    assert_eq!(done, Done { code: 4, stdout: String::new(), stderr: expected.to_owned() });
    assert_eq!(runs(&night).len(), 1);
    // Who only reads need not wait.
    for args in [&["log"][..], &["verify"], &["export", "legs"], &["rerate", "CA1"]] {
        assert_eq!(night.trunkrate(args).code, 0, "{args:?}");
    }
    drop(lock);
    assert_eq!(night.trunkrate(&["run", "--cdrs", "calls.csv", "--rates", "rates"]).code, 0);
}

/// A reader that has enough, as `head` does, is no failure.
#[test]
fn a_closed_stdout_is_no_failure() {
    let night = booked();
    let commands: [&[&str]; 9] = [
        &["--help"],
        &["log"],
        &["log", "--format", "csv"],
        &["suspense", "--format", "csv"],
        &["export", "legs"],
        &["export", "calls", "--format", "jsonl"],
        &["rerate", "CA2"],
        &["classify", "tel:+14155550100"],
        &["table"],
    ];
    for args in commands {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_trunkrate"));
        let output = command
            .args(args)
            .current_dir(night.path())
            .stdout(Stdio::from(writer))
            .output()
            .expect("the binary runs");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), stderr.as_str()), (Some(0), ""), "{args:?}");
    }
}

/// What cannot be printed is not lost without a word.
#[cfg(target_os = "linux")]
#[test]
fn an_output_that_cannot_be_written_is_a_failure() {
    let night = booked();
    let commands: [&[&str]; 7] = [
        &["log"],
        &["log", "--format", "csv"],
        &["suspense"],
        &["export", "legs"],
        &["export", "calls", "--format", "jsonl"],
        &["rerate", "CA2"],
        &["classify", "tel:+14155550100"],
    ];
    let mut quiet = Vec::new();
    for args in commands {
        let full = File::options().write(true).open("/dev/full").expect("a full device");
        let mut command = Command::new(env!("CARGO_BIN_EXE_trunkrate"));
        let output = command
            .args(args)
            .current_dir(night.path())
            .stdout(full)
            .output()
            .expect("the binary runs");
        if output.status.code() != Some(1) {
            quiet.push(args);
        }
    }
    assert_eq!(quiet, Vec::<&[&str]>::new());
}

// ---- what people see
// --------------------------------------------------------------------------------------------

#[test]
fn help() {
    fn add(command: &mut clap::Command, path: &str, text: &mut String) {
        let name = format!("{path} {}", command.get_name());
        let _ = writeln!(
            text,
            "$ {} --help\n{}\n",
            name.trim(),
            command.render_long_help().to_string().trim_end()
        );
        for sub in command.get_subcommands_mut().filter(|sub| sub.get_name() != "help") {
            add(sub, &name, text);
        }
    }
    let mut command = trunkrate::cli::command().term_width(100);
    command.build();
    let mut text = String::new();
    add(&mut command, "", &mut text);
    assert_shown("help", &text);
}

#[test]
fn without_a_ledger_and_with_an_empty_one() {
    let night = Night::with_plain_deck();
    let commands: [&[&str]; 7] = [
        &["log"],
        &["log", "--format", "json"],
        &["suspense"],
        &["export", "legs"],
        &["invoice", "--period", "2026-11", "--out", "out"],
        &["rerate", "CA1"],
        &["verify"],
    ];
    let without = transcript(&night, &commands);
    night.calls(&[]);
    let run = night.trunkrate(&["run", "--cdrs", "calls.csv", "--rates", "rates"]).shown();
    assert_shown("empty", &format!("{without}\n----\n\n{run}\n{}", transcript(&night, &commands)));
}

#[test]
fn the_log_shows_the_whole_family_of_a_call() {
    let night = booked();
    let of_child = night.trunkrate(&["log", "--call", "CA2"]).ok();
    assert_eq!(night.trunkrate(&["log", "--call", "CA1"]).ok(), of_child);
    let json = night.trunkrate(&["log", "--call", "CA3", "--format", "json"]).json();
    let sids: Vec<&Value> = json[0]["children"]
        .as_array()
        .expect("children")
        .iter()
        .map(|child| &child["call_sid"])
        .collect();
    assert_eq!(
        (&json[0]["call_sid"], sids),
        (&Value::from("CA1"), vec![&Value::from("CA2"), &Value::from("CA3")])
    );
    let selections: [(&[&str], &[&str]); 6] = [
        (&["--account", "AC2"], &["CA4"]),
        (&["--from", "2026-11-21"], &["CA4"]),
        (&["--to", "2026-11-20T21:15:00Z"], &[]),
        (&["--from", "2026-11-20T21:15:00Z", "--to", "2026-11-20T21:15:01Z"], &["CA1"]),
        (&["--account", "AC1", "--from", "2026-11-20T21:20:00Z"], &["CA2", "CA3"]),
        (&[], &["CA1", "CA2", "CA3", "CA4"]),
    ];
    for (args, expected) in selections {
        let text = night.trunkrate(&[&["log", "--format", "csv"], args].concat()).ok();
        let found: Vec<&str> =
            text.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
        assert_eq!(found, expected, "{args:?}");
    }
    assert_shown("log", &format!("{of_child}\n{}", night.trunkrate(&["log"]).ok()));
}

#[test]
fn rerate_explains_every_cent() {
    let night = booked();
    night.file("dearer/deck.toml", "name = \"dearer\"\ncurrency = \"USD\"\ninitial_increment = 90\nconnection_fee = \"0.001\"\n");
    night.file(
        "dearer/p.csv",
        "ISO,Country,Description,Price / min,Origination Prefixes,Destination Prefixes\nUS,United States,Calls to the US,0.0123,ALL,\"1303, 1415\"\n",
    );
    let text = transcript(
        &night,
        &[
            &["rerate", "CA2"],
            &["rerate", "CA1", "--rates", "dearer"],
            &["rerate", "CA2", "--rates", "dearer"],
            &["rerate", "CA3"],
            &["rerate", "CA4", "--rates", "dearer"],
            &["rerate", "CA5"],
            &["rerate", "CA2", "--cdrs", "calls.csv", "--rates", "dearer", "--ledger", "none"],
            &["rerate", "CA5", "--cdrs", "calls.csv", "--rates", "rates"],
        ],
    );
    assert_shown("rerate", &text);
    let from_ledger = night.trunkrate(&["rerate", "CA2", "--format", "json"]).ok();
    assert_shown("rerate_json", &from_ledger);
    // From the files it is the same, but for what was booked, and from which record.
    let args = ["rerate", "CA2", "--cdrs", "calls.csv", "--rates", "rates", "--format", "json"];
    let (mut booked, mut fresh): (Value, Value) =
        (serde_json::from_str(&from_ledger).expect("JSON"), night.trunkrate(&args).json());
    for field in ["booked", "difference", "source"] {
        assert_eq!(fresh[field], Value::Null);
        booked[field].take();
    }
    for family in [&mut booked["family"], &mut fresh["family"]] {
        family
            .as_array_mut()
            .expect("a family")
            .iter_mut()
            .for_each(|call| drop(call["amount"].take()));
    }
    assert_eq!(fresh, booked);
}

/// What was booked in dollars is shown in dollars, and not subtracted from euros.
#[test]
fn rerate_with_a_deck_of_another_currency_mixes_nothing() {
    let night = booked();
    night.file("euro/deck.toml", "name = \"euro\"\ncurrency = \"EUR\"\n");
    let rows = std::fs::read(night.path().join("rates/prices.csv")).expect("a deck");
    night.file("euro/p.csv", rows);
    let text = night.trunkrate(&["rerate", "CA1", "--rates", "euro"]).ok();
    assert!(
        text.contains("total 0.05000 EUR\n") && text.contains("booked     0.05000 USD (0.05000)"),
        "{text}"
    );
    let json = night.trunkrate(&["rerate", "CA1", "--rates", "euro", "--format", "json"]).json();
    assert_eq!(json["difference"], Value::Null, "euros less dollars is nothing");
}

#[test]
fn classify_says_the_kind_and_why() {
    let night = Night::new();
    let values = [
        "+14155550100",
        "<tel:+1-415-555-0100>",
        "sip:+14155550100@mytrunk.pstn.twilio.com",
        "sip:+14155550100@other.pstn.twilio.com",
        "sip:bob@pbx.example.com",
        "sip:911@mytrunk.pstn.twilio.com",
        "sip:bob@mytrunk.pstn.twilio.com",
        "urn:service:sos",
        "",
    ];
    let args = |more: &[&'static str]| [&["classify"], more, &["--"], &values[..]].concat();
    let text = transcript(
        &night,
        &[
            &args(&[]),
            &args(&["--domain", "MyTrunk.pstn.twilio.com."]),
            &["classify", "--format", "json", "sip:+14155550100@mytrunk.pstn.twilio.com", "911"],
        ],
    );
    assert_shown("classify", &text);
}

#[test]
fn summaries_and_suspense() {
    let night = Night::with_plain_deck();
    night.calls(&[PARENT, CHILD, SECOND_CHILD, OTHER, WAITING, PARENT]);
    let text = transcript(
        &night,
        &[
            &["run", "--cdrs", "calls.csv", "--rates", "rates"],
            &["run", "--cdrs", "calls.csv", "--rates", "rates", "--format", "json"],
            &["suspense"],
            &["suspense", "--all"],
            &["suspense", "--format", "csv"],
            &["suspense", "--format", "json", "--reason", "parent-missing"],
            &["suspense", "--reason", "no-rate"],
            &["suspense", "--by-cause", "--format", "csv"],
            &["verify"],
        ],
    );
    assert_shown("summaries", &text);
}

/// Every list has the same rows in JSON, as an object per line, and in CSV.
#[test]
fn lists_have_the_same_rows_in_every_format() {
    let night = booked();
    let lists: [(&[&str], usize); 7] = [
        // The family of CA1 is one object.
        (&["log"], 2),
        (&["runs"], 1),
        (&["suspense", "--all"], 1),
        (&["suspense", "--by-cause"], 1),
        (&["suspense", "--counts"], 1),
        (&["rates", "check", "rates"], 1),
        (&["invoice", "list"], 0),
    ];
    for (list, rows) in lists {
        let as_format = |format| night.trunkrate(&[list, &["--format", format]].concat());
        let json = as_format("json").json();
        let json = json.as_array().expect("an array");
        let lines: Vec<Value> = as_format("jsonl")
            .ok()
            .lines()
            .map(|line| serde_json::from_str(line).expect("an object per line"))
            .collect();
        assert_eq!((json.len(), json), (rows, &lines), "{list:?}");
        let csv = as_format("csv").ok();
        let calls = csv::Reader::from_reader(csv.as_bytes()).records().count();
        assert_eq!(calls, if list == ["log"] { 4 } else { rows }, "{list:?}");
    }
    let verified = night.trunkrate(&["verify", "--format", "json"]).json();
    // 300 s and 370 s of the family, 61 s of the other call.
    assert_eq!(verified["amount"]["USD"], "0.19680");
    assert_eq!((&verified["good"], &verified["runs"]), (&Value::from(true), &Value::from(1)));
}

// ---- export
// -----------------------------------------------------------------------------------------------------

#[test]
fn export_in_three_formats() {
    let night = booked();
    for (what, columns) in [("legs", &LEG_COLUMNS[..]), ("calls", &LOG_COLUMNS[..])] {
        let csv = night.trunkrate(&["export", what]).ok();
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        assert_eq!(reader.headers().expect("a header").iter().collect::<Vec<_>>(), columns);
        let rows: Vec<csv::StringRecord> =
            reader.records().map(|row| row.expect("a row")).collect();
        assert_eq!(rows.len(), 4);

        let jsonl = night.trunkrate(&["export", what, "--format", "jsonl"]).ok();
        for (line, row) in jsonl.lines().zip(&rows) {
            let object: Value = serde_json::from_str(line).expect("an object per line");
            for (name, cell) in columns.iter().zip(row) {
                let shown = match &object[name] {
                    Value::Null => String::new(),
                    Value::Number(number) => number.to_string(),
                    Value::String(text) => text.clone(),
                    other => panic!("{name}: {other}"),
                };
                assert_eq!(shown, cell, "{name}");
            }
            assert!(object["amount"].is_string(), "money is no JSON number: {line}");
        }

        let out = format!("{what}.parquet");
        assert_eq!(
            night.trunkrate(&["export", what, "--format", "parquet", "--out", &out]).ok(),
            ""
        );
        let frame = ParquetReader::new(File::open(night.path().join(out)).expect("a file"))
            .finish()
            .expect("Parquet");
        assert_eq!(
            (
                frame.height(),
                frame.get_column_names().iter().map(|name| name.as_str()).collect::<Vec<_>>()
            ),
            (4, columns.to_vec())
        );
        assert_eq!(frame.column("amount").expect("a column").dtype(), &DataType::Decimal(18, 8));

        let out = format!("{what}.csv");
        night.trunkrate(&["export", what, "--out", &out]).ok();
        assert_eq!(std::fs::read_to_string(night.path().join(out)).expect("a file"), csv);
    }
    let suspense = night.trunkrate(&["export", "suspense", "--format", "jsonl"]).ok();
    let object: Value = serde_json::from_str(&suspense).expect("one object");
    assert_eq!(
        (&object["reason"], &object["source_line"], &object["tries"]),
        (&"parent-missing".into(), &6.into(), &1.into())
    );
}

#[test]
fn export_takes_a_range_of_starts() {
    let night = booked();
    let calls = |times: &[&str]| {
        night.trunkrate(&[&["export", "calls"], times].concat()).ok().lines().count() - 1
    };
    assert_eq!(calls(&["--from", "2026-11-20", "--to", "2026-11-21"]), 3);
    assert_eq!(calls(&["--from", "2026-11-20T21:20:00Z"]), 3);
    assert_eq!(calls(&["--to", "2026-11-20T21:20:00Z"]), 1);
    assert_eq!(calls(&["--from", "2026-11-20T22:20:00+01:00", "--to", "2026-11-20T21:26:10Z"]), 1);
    assert_eq!(calls(&["--from", "2030-01-01"]), 0);
}

// ---- verify
// -----------------------------------------------------------------------------------------------------

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// Changes a byte of a file, looks what `verify` says, and puts the byte back.
fn verify_with_flipped_byte(night: &Night, file: &Path, at: usize) -> Done {
    let good = std::fs::read(file).expect("a file");
    let mut bad = good.clone();
    bad[at] ^= 1;
    std::fs::write(file, bad).expect("a file is written");
    let done = night.trunkrate(&["verify"]);
    std::fs::write(file, good).expect("a file is written");
    done
}

/// A ledger of two runs with every kind of file.
fn two_runs() -> Night {
    let night = Night::with_plain_deck();
    night.calls(&[
        PARENT,
        CHILD,
        WAITING,
        "CA6,,AC1,,outbound-api,+12025550101,+14155550102,2026-11-20T21:15:00Z,,1,completed",
    ]);
    night.run(&[]);
    night.calls(&[OTHER, &PARENT.replace("-0.0500", ""), SECOND_CHILD]);
    night.run(&[]);
    let said = night.trunkrate(&["verify"]).ok();
    assert!(
        said.starts_with(
            "good: 2 runs, 4 calls, 4 legs, 0.19680 USD, 1 waiting; every law holds\nhead "
        ),
        "{said}"
    );
    night
}

#[test]
fn verify_finds_a_flipped_byte_in_every_table_of_a_run() {
    let night = two_runs();
    let files: Vec<PathBuf> = files(&night.path().join("ledger/runs"))
        .into_iter()
        .filter(|file| file.extension().is_some_and(|e| e == "parquet" || e == "bin"))
        .collect();
    assert!(files.len() >= 10, "{files:?}");
    for file in &files {
        let size = usize::try_from(std::fs::metadata(file).expect("a file").len()).expect("a size");
        for at in [0, size / 3, size / 2, size - 1] {
            let done = verify_with_flipped_byte(&night, file, at);
            assert_eq!(done.code, 1, "{} at {at}", file.display());
            assert!(done.stderr.contains("is not as it was written"), "{}", done.stderr);
        }
    }
    night.trunkrate(&["verify"]).ok();
}

/// The next manifest and the catalog hold the hash of each manifest.
#[test]
fn verify_finds_a_flipped_byte_in_a_manifest() {
    let night = two_runs();
    let manifests: Vec<PathBuf> = files(&night.path().join("ledger/runs"))
        .into_iter()
        .filter(|file| file.ends_with("manifest.json"))
        .collect();
    assert_eq!(manifests.len(), 2);
    for manifest in manifests {
        let text = std::fs::read_to_string(&manifest).expect("a manifest");
        for what in [
            "\"read\"",
            "\"decks_hash\": \"",
            "\"blake3\": \"",
            "\"rows\": ",
            "\"own_newest_start\": \"2026-1",
        ] {
            let at = text.find(what).expect("a field") + what.len();
            let done = verify_with_flipped_byte(&night, &manifest, at);
            assert_eq!(done.code, 1, "after {what} in {}", manifest.display());
        }
    }
}

/// `rerate` explains a call by the archived deck: if that were another one, the explanation would
/// be wrong.
#[test]
fn verify_finds_a_flipped_byte_in_the_archive() {
    let night = two_runs();
    for file in files(&night.path().join("ledger/archive")) {
        assert_eq!(verify_with_flipped_byte(&night, &file, 10).code, 1, "{}", file.display());
    }
}

#[test]
fn verify_finds_files_that_are_gone_or_new_and_runs_that_are_gone() {
    let night = two_runs();
    let runs = night.path().join("ledger/runs");
    let legs = files(&runs)
        .into_iter()
        .find(|file| file.to_string_lossy().contains("legs"))
        .expect("legs");
    let aside = night.path().join("aside");
    std::fs::rename(&legs, &aside).expect("moved");
    assert_eq!(night.trunkrate(&["verify"]).code, 1);
    std::fs::rename(&aside, &legs).expect("moved back");
    let new = legs.with_file_name("part-1.parquet");
    std::fs::copy(&legs, &new).expect("copied");
    let done = night.trunkrate(&["verify"]);
    assert!(
        done.code == 1 && done.stderr.contains("the run does not know this file"),
        "{}",
        done.stderr
    );
    std::fs::remove_file(&new).expect("removed");
    let first =
        runs.read_dir().expect("runs").map(|run| run.expect("a run").path()).min().expect("a run");
    std::fs::rename(&first, &aside).expect("moved");
    assert_eq!(night.trunkrate(&["verify"]).code, 1, "the first run is gone");
    std::fs::rename(&aside, &first).expect("moved back");
    night.trunkrate(&["verify"]).ok();
}
