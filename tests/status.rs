//! The nights as one sees them in the morning: `status`, the journal, the files of a run for
//! machines, and refused files.

use crate::support::{Done, Night, call_file};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

const PROJECT: &str = "[paths]\nledger = \"ledger\"\ncalls = \"calls\"\nrates = \"rates\"\n";

/// A project with the plain deck: a termination is 0.0100 USD a minute, 60/60.
pub fn project() -> Night {
    let night = Night::with_plain_deck();
    night.file("trunkrate.toml", PROJECT);
    night
}

/// A call file with one call of 300 s on a day of November: 5 × 0.0100 = 0.05000 USD.
pub fn calls_of(night: &Night, day: u32) -> PathBuf {
    let row = format!(
        "CA{day},,AC1,TK1,trunking-terminating,+12025550101,+14155550102,2026-11-{day:02}T21:15:00Z,,300,completed"
    );
    night.file(&format!("calls/{day:02}.csv"), call_file(&[&row]))
}

pub fn at(night: &Night, time: &str, args: &[&str]) -> Done {
    night.bare("", &[args, &["--now", time]].concat(), &[])
}

/// What `status` says at seven on a day of November: its exit code, its first line, its problems.
fn morning(night: &Night, day: u32) -> (i32, String, Vec<String>) {
    let now = format!("2026-11-{day:02}T07:00:00Z");
    let text = at(night, &now, &["status"]);
    let json = at(night, &now, &["status", "--format", "json"]);
    assert_eq!(text.code, json.code, "{}", text.shown());
    let json: Value = serde_json::from_str(&json.stdout).expect("JSON");
    let ids: Vec<String> = json["problems"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|problem| problem["id"].as_str().expect("an id").to_owned())
        .collect();
    assert_eq!(json["good"], ids.is_empty());
    assert_eq!(json["good"], text.code == 0);
    let first = text.stdout.lines().next().expect("a line").to_owned();
    assert!(first.starts_with(if text.code == 0 { "good: " } else { "wrong: " }), "{first}");
    (text.code, first, ids)
}

/// A run that stands still after it has begun, since nobody reads what it notes.
fn standing_run(night: &Night, now: &str) -> Child {
    for number in 0..1200 {
        night.file(&format!("calls/no-call-file-{number:04}.txt"), "");
    }
    let child = Command::new(env!("CARGO_BIN_EXE_trunkrate"))
        .args(["run", "--now", now])
        .env_remove("TRUNKRATE_LEDGER")
        .env_remove("TRUNKRATE_CONFIG")
        .current_dir(night.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let path = night.path().join("ledger/journal.jsonl");
    let has_begun = || {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        text.lines().any(|line| line.contains(&format!("\"pid\":{},", child.id())))
    };
    while !has_begun() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child
}

fn clear_notes(night: &Night) {
    for number in 0..1200 {
        let name = format!("calls/no-call-file-{number:04}.txt");
        std::fs::remove_file(night.path().join(name)).expect("a file");
    }
}

#[derive(Debug, Clone, Copy)]
enum What {
    Good,
    /// The deck cannot be read.
    Failed,
    /// `kill -9` in the midst of it.
    Killed,
    /// It goes on while one looks, and is killed after.
    GoesOn,
    /// One call file of two has no header.
    HalfBad,
    /// The bad file was taken away, and a good one booked.
    Mended,
    /// Every call file is bad.
    AllBad,
    /// Nothing ran.
    Forgotten,
    /// It failed, and a second try an hour later went well.
    SecondTry,
    /// Another run had the ledger, and stood still.
    InUse,
    /// A good night, and a command that was mistyped after it.
    Mistyped,
}

/// A fortnight: what happens at two, and what is seen at seven.
#[test]
fn each_night_of_a_fortnight_is_told_apart() {
    use What::*;
    let failed = "wrong: the last run failed 5 h ago (2026-11-";
    let table: [(u32, What, &str, &[&str]); 15] = [
        (1, Good, "good: the last night booked 000001-", &[]),
        (2, Failed, failed, &["last-run-failed"]),
        (3, Good, "good: the last night booked 000002-", &[]),
        (
            4,
            Killed,
            "wrong: the last run began 5 h ago (2026-11-04T02:00:00Z) and never ended: process ",
            &["run-never-ended"],
        ),
        (5, Good, "good: the last night booked 000003-", &[]),
        (
            6,
            HalfBad,
            "wrong: a call file was refused and is not mended: calls/bad.csv:1: ",
            &["files-set-aside"],
        ),
        (7, Mended, "good: the last night booked 000005-", &[]),
        (8, AllBad, failed, &["last-run-failed"]),
        (9, Forgotten, failed_long_ago(), &["last-run-failed", "run-overdue"]),
        (10, SecondTry, "good: the last night booked 000006-", &[]),
        (
            11,
            Forgotten,
            "wrong: no night was booked since 2026-11-10T03:00:00Z, 28 h ago; at most 26 h may pass",
            &["run-overdue"],
        ),
        (12, GoesOn, "good: a run is going on since 2026-11-12T02:00:00Z, for 5 h", &[]),
        (13, Good, "good: the last night booked 000007-", &[]),
        (14, InUse, "good: a run is going on since 2026-11-14T02:00:00Z, for 5 h", &[]),
        (15, Mistyped, "good: the last night booked 000008-", &[]),
    ];
    let night = project();
    let mut seen = BTreeSet::new();
    for (day, what, line, problems) in table {
        let now = |hour: u32| format!("2026-11-{day:02}T{hour:02}:00:00Z");
        let run = |hour: u32, more: &[&str]| at(&night, &now(hour), &[&["run"], more].concat());
        let mut standing = None;
        match what {
            Good => {
                calls_of(&night, day);
                run(2, &[]).ok();
            }
            Failed => {
                let done = run(2, &["--rates", "none"]);
                assert_eq!(done.code, 1, "{}", done.shown());
            }
            Killed => {
                let mut child = standing_run(&night, &now(2));
                child.kill().expect("it is killed");
                child.wait().expect("it has ended");
                clear_notes(&night);
            }
            GoesOn | InUse => {
                standing = Some(standing_run(&night, &now(2)));
            }
            HalfBad => {
                calls_of(&night, day);
                night.file("calls/bad.csv", "sid,who\nCA1,me\n");
                let done = run(2, &["--set-aside", "refused"]);
                assert_eq!(done.code, 0, "{}", done.shown());
                assert!(done.stderr.contains("warning: calls/bad.csv:1: "), "{}", done.stderr);
                assert!(!night.path().join("calls/bad.csv").exists());
                assert!(night.path().join("refused/bad.csv").exists());
                let why = std::fs::read_to_string(night.path().join("refused/bad.csv.why"));
                assert!(why.expect("a text").starts_with("calls/bad.csv\ncalls/bad.csv:1: "));
            }
            Mended => {
                std::fs::remove_file(night.path().join("refused/bad.csv")).expect("a file");
                calls_of(&night, day);
                assert!(!run(2, &[]).stderr.contains("not mended"));
            }
            AllBad => {
                for good in std::fs::read_dir(night.path().join("calls")).expect("a folder") {
                    std::fs::remove_file(good.expect("an entry").path()).expect("a file");
                }
                night.file("calls/one.csv", "");
                night.file("calls/two.csv", "sid,who\nCA1,me\n");
                let done = run(2, &["--set-aside", "refused"]);
                assert_eq!(done.code, 1, "{}", done.shown());
                assert!(done.stderr.contains("all 2 call files are refused: nothing was booked"));
                assert!(night.path().join("calls/one.csv").exists(), "nothing is moved");
                std::fs::remove_file(night.path().join("calls/one.csv")).expect("a file");
                std::fs::remove_file(night.path().join("calls/two.csv")).expect("a file");
            }
            Forgotten => {}
            SecondTry => {
                calls_of(&night, day);
                assert_eq!(run(2, &["--rates", "none"]).code, 1);
                run(3, &[]).ok();
            }
            Mistyped => {
                calls_of(&night, day);
                run(2, &[]).ok();
                let done = at(&night, &now(3), &["rerate", "NONE"]);
                assert_eq!(done.code, 1, "{}", done.shown());
            }
        }
        let (code, first, ids) = morning(&night, day);
        assert_eq!(code, i32::from(!problems.is_empty()), "{day} {what:?}: {first}");
        assert!(first.starts_with(line), "{day} {what:?}: {first}");
        assert_eq!(ids, problems, "{day} {what:?}: {first}");
        seen.insert(ids);
        if let Some(mut child) = standing {
            child.kill().expect("it is killed");
            child.wait().expect("it has ended");
            clear_notes(&night);
            assert_eq!(morning(&night, day).2, ["run-never-ended"]);
        }
    }
    assert_eq!(seen.len(), 6, "{seen:?}");
    night.bare("", &["verify"], &[]).ok();
    let table = night.bare("", &["runs"], &[]).ok();
    assert_eq!(table.matches("failed: ").count(), 3, "{table}");
    assert_eq!(table.matches("never ended: ").count(), 3, "{table}");
}

const fn failed_long_ago() -> &'static str {
    "wrong: the last run failed 29 h ago (2026-11-08T02:00:00Z), exit code 1: "
}

#[test]
fn a_ledger_that_is_not_there_or_broken_is_told() {
    let night = project();
    let first = |night: &Night, args: &[&str]| {
        let done = night.bare("", &[&["status"], args].concat(), &[]);
        (done.code, done.stdout.lines().next().unwrap_or_default().to_owned())
    };
    assert_eq!(first(&night, &[]), (1, "wrong: ledger: there is no ledger".to_owned()));
    calls_of(&night, 1);
    night.bare("", &["run"], &[]).ok();
    let (code, line) = first(&night, &[]);
    assert!(code == 0 && line.ends_with(" ago, 0.05000 USD; nothing waits"), "{line}");
    night.bare("", &["verify"], &[]).ok();
    assert_eq!(first(&night, &[]).0, 0);
    let json = night.bare("", &["status", "--format", "json"], &[]).json();
    assert_eq!(json["verified"]["good"], true);
    assert_eq!(json["last_run"]["amount"]["USD"], "0.05000");
    // One bit of a leg's file.
    let runs = night.path().join("ledger/runs");
    let run =
        std::fs::read_dir(runs).expect("runs").next().expect("a run").expect("an entry").path();
    let legs = run.join("legs/date=2026-11-01/part-0.parquet");
    let bytes = std::fs::read(&legs).expect("a file");
    let mut bad = bytes.clone();
    bad[bytes.len() / 2] ^= 1;
    std::fs::write(&legs, &bad).expect("it is written");
    assert_eq!(night.bare("", &["verify"], &[]).code, 1);
    let (code, line) = first(&night, &[]);
    assert!(code == 1 && line.starts_with("wrong: `verify` found the ledger broken "), "{line}");
    std::fs::write(&legs, &bytes).expect("it is written");
    night.bare("", &["verify"], &[]).ok();
    assert_eq!(first(&night, &[]).0, 0);
    std::fs::remove_file(run.join("manifest.json")).expect("a file");
    let (code, line) = first(&night, &[]);
    assert!(code == 1 && line.contains("has no manifest: it is no whole run"), "{line}");
    night.file("trunkrate.toml", format!("{PROJECT}[status]\nmax_age = \"soon\"\n"));
    let (code, line) = first(&night, &[]);
    assert!(code == 1 && line.contains("status.max_age is `soon`; expected an age"), "{line}");
}

#[test]
fn the_limit_is_the_projects_or_the_flags() {
    let night = project();
    night.file(
        "trunkrate.toml",
        format!("{PROJECT}[status]\nmax_age = \"50h\"\nverify_max_age = \"10d\"\n"),
    );
    calls_of(&night, 1);
    at(&night, "2026-11-01T02:00:00Z", &["run"]).ok();
    at(&night, "2026-11-01T03:00:00Z", &["verify"]).ok();
    let ids = |now: &str, more: &[&str]| -> Vec<Value> {
        let done = at(&night, now, &[&["status", "--format", "json"], more].concat());
        let json: Value = serde_json::from_str(&done.stdout).expect("JSON");
        json["problems"].as_array().expect("a list").iter().map(|p| p["id"].clone()).collect()
    };
    assert_eq!(ids("2026-11-03T04:00:00Z", &[]), Vec::<Value>::new());
    assert_eq!(ids("2026-11-03T04:05:00Z", &[]), ["run-overdue"]);
    assert_eq!(ids("2026-11-01T04:05:00Z", &["--max-age", "1h"]), ["run-overdue"]);
    // A sample leaves most calls unproved.
    at(&night, "2026-11-10T03:00:00Z", &["verify", "--sample", "1"]).ok();
    assert_eq!(ids("2026-11-11T03:05:00Z", &["--max-age", "99d"]), ["verify-overdue"]);
    at(&night, "2026-11-11T03:10:00Z", &["verify"]).ok();
    assert_eq!(ids("2026-11-11T03:15:00Z", &["--max-age", "99d"]), Vec::<Value>::new());
}

/// The lines of the journal.
fn lines(night: &Night) -> Vec<Value> {
    let text =
        std::fs::read_to_string(night.path().join("ledger/journal.jsonl")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON object")).collect()
}

#[test]
fn the_journal_has_a_line_for_each_command_that_wrote_or_failed() {
    let night = project();
    calls_of(&night, 1);
    let cases: [(&[&str], i32, &[&str]); 9] = [
        (&["rerate", "CA1"], 1, &[]),
        (&["run", "--log", "json"], 0, &["begin", "end"]),
        (&["rerate", "CA1"], 0, &[]),
        (&["runs"], 0, &[]),
        (&["status"], 0, &[]),
        (&["rerate", "NONE"], 1, &["end"]),
        (&["verify"], 0, &["end"]),
        (&["undo", "last", "--dry-run"], 0, &[]),
        (&["undo", "last", "--reason", "a 'new' deck"], 0, &["begin", "end"]),
    ];
    let mut known = 0;
    for (args, code, events) in cases {
        let done = night.bare("", args, &[]);
        assert_eq!(done.code, code, "{args:?}: {}", done.shown());
        let all = lines(&night);
        let new: Vec<&str> =
            all[known..].iter().map(|line| line["event"].as_str().expect("a text")).collect();
        assert_eq!(new, events, "{args:?}");
        if let Some(last) = all[known..].last() {
            assert_eq!(last["exit"], code);
            assert_eq!(last["writes"], !["rerate", "verify"].contains(&args[0]));
            assert!(
                last["command"]
                    .as_str()
                    .expect("a text")
                    .starts_with(&format!("trunkrate {}", args[0]))
            );
        }
        known = all.len();
    }
    let all = lines(&night);
    let run = all[1]["runs"][0].as_str().expect("a run").to_owned();
    assert!(run.starts_with("000001-"), "{run}");
    assert_eq!(all.last().expect("a line")["runs"][0], run);
    assert_eq!(all[2]["message"], "the call NONE is not in the ledger ledger");
    assert!(
        all.last().expect("a line")["command"]
            .as_str()
            .expect("a text")
            .ends_with(r"--reason 'a '\''new'\'' deck'")
    );
    let shown = night.bare("", &["runs", "--journal", "--format", "json"], &[]).json();
    assert_eq!(shown.as_array().map(Vec::len), Some(4));
    night.bare("", &["verify"], &[]).ok();
}

#[test]
fn a_journal_that_cannot_be_written_fails_nothing() {
    let night = project();
    calls_of(&night, 1);
    night.bare("", &["run"], &[]).ok();
    std::fs::remove_file(night.path().join("ledger/journal.jsonl")).expect("a file");
    std::fs::create_dir(night.path().join("ledger/journal.jsonl")).expect("a folder");
    calls_of(&night, 2);
    let done = night.bare("", &["run"], &[]);
    assert_eq!(done.code, 0, "{}", done.shown());
    assert!(done.stderr.contains("note: ledger/journal.jsonl: the journal cannot be written"));
    let done = night.bare("", &["status"], &[]);
    assert_eq!(done.code, 1, "{}", done.shown());
    let first = "wrong: ledger/journal.jsonl: the journal cannot be written: it is no plain file\n";
    assert!(done.stdout.starts_with(first), "{}", done.stdout);
    assert!(
        done.stdout.contains("as its file says: the journal does not know it"),
        "{}",
        done.stdout
    );
    night.bare("", &["verify"], &[]).ok();
}

/// Readers that fail beside a run: every line is whole.
#[test]
fn many_processes_write_one_journal() {
    let night = project();
    calls_of(&night, 1);
    night.bare("", &["run"], &[]).ok();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    assert_eq!(night.bare("", &["rerate", "NONE"], &[]).code, 1);
                }
            });
        }
        for day in 2..5 {
            calls_of(&night, day);
            night.bare("", &["run"], &[]).ok();
        }
    });
    let ends = lines(&night).iter().filter(|line| line["event"] == "end").count();
    assert_eq!(ends, 1 + 20 + 3);
}

/// A family of metrics.
#[derive(Debug, Default)]
struct Family {
    kind: String,
    unit: String,
    help: String,
    samples: BTreeMap<String, String>,
}

/// Reads metrics as strictly as the parts that are used want it.
fn open_metrics(text: &str) -> BTreeMap<String, Family> {
    let text = text.strip_suffix("# EOF\n").expect("it ends with EOF");
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines() {
        assert!(!line.is_empty(), "no empty line");
        if let Some(meta) = line.strip_prefix("# ") {
            let (word, rest) = meta.split_once(' ').expect("a word and a name");
            let (name, value) = rest.split_once(' ').expect("a name and a value");
            if name != current {
                assert!(
                    families.insert(name.to_owned(), Family::default()).is_none(),
                    "{name} once"
                );
                name.clone_into(&mut current);
            }
            let family = families.get_mut(name).expect("it is there");
            assert!(family.samples.is_empty(), "{name}: what is said of it comes first");
            let place = match word {
                "HELP" => &mut family.help,
                "TYPE" => &mut family.kind,
                "UNIT" => &mut family.unit,
                other => panic!("{other}"),
            };
            assert!(place.is_empty(), "{line}: once");
            value.clone_into(place);
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').expect("a sample and its value");
        let name = sample.split('{').next().expect("a name");
        assert_eq!(name, current, "{line}: under its family");
        assert!(
            name.starts_with("trunkrate_")
                && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        );
        assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
        if let Some(labels) = sample.strip_prefix(name).filter(|labels| !labels.is_empty()) {
            let inner = labels.strip_prefix('{').and_then(|l| l.strip_suffix('}')).expect("braces");
            let (label, text) = inner.split_once('=').expect("a label");
            assert!(label.bytes().all(|b| b.is_ascii_lowercase()), "{line}");
            let text = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).expect("quotes");
            assert!(!text.replace("\\\"", "").contains('"'), "{line}");
        }
        let family = families.get_mut(name).expect("it is there");
        assert!(
            family.samples.insert(sample.to_owned(), value.to_owned()).is_none(),
            "{line} once"
        );
    }
    for (name, family) in &families {
        assert!(family.kind == "gauge" && !family.help.is_empty(), "{name}: {family:?}");
        assert!(!family.samples.is_empty(), "{name}");
        let ends_in_unit =
            ["seconds", "bytes"].into_iter().find(|unit| name.ends_with(&format!("_{unit}")));
        assert_eq!(ends_in_unit.unwrap_or_default(), family.unit, "{name}");
    }
    families
}

#[test]
fn a_run_leaves_its_files_for_the_morning_also_when_it_fails() {
    let night = project();
    calls_of(&night, 1);
    let files = ["--report", "r.html", "--status-file", "s.json", "--metrics", "m.prom"];
    let read = |name: &str| std::fs::read_to_string(night.path().join(name)).expect("a file");
    let value = |name: &str| {
        let families = open_metrics(&read("m.prom"));
        let family = name.split('{').next().expect("a name");
        families.get(family).and_then(|family| family.samples.get(name).cloned())
    };
    at(&night, "2026-11-02T02:00:00Z", &[&["run"], &files[..]].concat()).ok();
    let page = read("r.html");
    assert!(page.contains("<dt>Booked at</dt><dd>2026-11-02T02:00:0"), "when it was booked");
    let status: Value = serde_json::from_str(&read("s.json")).expect("JSON");
    assert_eq!((&status["good"], &status["problems"]), (&true.into(), &serde_json::json!([])));
    assert_eq!(value("trunkrate_good").as_deref(), Some("1"));
    assert_eq!(value("trunkrate_last_run_amount{currency=\"USD\"}").as_deref(), Some("0.05000"));
    assert_eq!(value("trunkrate_last_run_records{class=\"rated\"}").as_deref(), Some("1"));
    // 2026-11-02T02:00:00Z is 1793584800 s after 1970: 20,759 days of 86,400 s, and 7,200 s.
    let booked = value("trunkrate_last_success_timestamp_seconds").expect("a time");
    assert!(booked.starts_with("179358480"), "{booked}");
    std::fs::remove_file(night.path().join("r.html")).expect("a file");

    let failing = [&["run", "--rates", "none"], &files[..]].concat();
    assert_eq!(at(&night, "2026-11-03T02:00:00Z", &failing).code, 1);
    assert!(!night.path().join("r.html").exists(), "no run, no report");
    let status: Value = serde_json::from_str(&read("s.json")).expect("JSON");
    assert_eq!(status["problems"][0]["id"], "last-run-failed");
    assert_eq!(value("trunkrate_good").as_deref(), Some("0"));
    assert_eq!(value("trunkrate_problem{id=\"last-run-failed\"}").as_deref(), Some("1"));
    assert_eq!(value("trunkrate_problem{id=\"run-overdue\"}").as_deref(), Some("0"));
    assert_eq!(value("trunkrate_last_success_timestamp_seconds").as_deref(), Some(&*booked));
    let failed = value("trunkrate_last_failure_timestamp_seconds").expect("a time");
    assert!(failed.starts_with("179367120"), "a day later: {failed}");
    let page = night.bare("", &["report"], &[]).ok();
    assert!(page.contains("The last run failed at 2026-11-03T02:00:0"), "the report says it");
    // What no file can be written to is a note, and the night stands.
    calls_of(&night, 3);
    let done = at(&night, "2026-11-04T02:00:00Z", &["run", "--metrics", "none/m.prom"]);
    assert!(done.code == 0 && done.stderr.contains("note: none/m.prom: "), "{}", done.shown());
}

/// The rules of the documentation fire on names that there are.
#[test]
fn the_rules_of_the_docs_name_what_there_is() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/src/howto/watch.md");
    let page = std::fs::read_to_string(page).expect("a page");
    let night = project();
    calls_of(&night, 1);
    night.bare("", &["run", "--metrics", "m.prom"], &[]).ok();
    let text = std::fs::read_to_string(night.path().join("m.prom")).expect("a file");
    let families = open_metrics(&text);
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    let named: BTreeSet<&str> = page
        .match_indices("trunkrate_")
        .map(|(at, _)| page[at..].split(|c| !is_name(c)).next().expect("a name"))
        .filter(|name| !name.starts_with("trunkrate_spark"))
        .collect();
    assert!(named.len() >= 2, "{named:?}");
    let unknown: Vec<_> = named.iter().filter(|name| !families.contains_key(**name)).collect();
    assert_eq!(unknown, Vec::<&&str>::new());
    let ids = families["trunkrate_problem"].samples.keys();
    let missing: Vec<&String> = ids
        .filter(|sample| !page.contains(&format!("`{}`", sample.split('"').nth(1).expect("an id"))))
        .collect();
    assert_eq!(missing, Vec::<&String>::new(), "each trouble is on the page");
}

#[test]
fn the_log_may_be_json() {
    let night = project();
    calls_of(&night, 1);
    night.file("calls/notes.txt", "");
    let run = night.bare("", &["run", "--log", "json"], &[]);
    let failed = night.bare("", &["rerate", "N\u{9b}", "--log", "json"], &[]);
    assert_eq!((run.code, failed.code), (0, 1));
    let mut levels = BTreeSet::new();
    for line in run.stderr.lines().chain(failed.stderr.lines()) {
        let line: Value = serde_json::from_str(line).expect("a JSON object");
        assert!(line["time"].as_str().is_some_and(|time| time.ends_with('Z')));
        assert!(line["message"].is_string());
        levels.insert(line["level"].as_str().expect("a text").to_owned());
    }
    assert!(levels.contains("note") && levels.contains("error"), "{levels:?}");
    assert!(!failed.stderr.contains('\u{9b}'));
}

#[test]
fn refused_files_are_named_until_they_are_mended() {
    let night = project();
    calls_of(&night, 1);
    let good = std::fs::read(night.path().join("calls/01.csv")).expect("a file");
    // Torn in its last line, without a header, cut gzip, changed to another form.
    night.file("calls/a.csv", "sid,who\nCA1,me\n");
    night.file("calls/b.csv.gz", [0x1f, 0x8b, 8, 0, 0]);
    night.file("calls/c.parquet", "PAR1 and no more");
    night.file("calls/d.json", "{\"calls\": [{\"sid\": ");
    let run = night.bare("", &["run", "--format", "json", "--set-aside", "bad"], &[]);
    assert_eq!(run.code, 0, "{}", run.shown());
    let json = run.clone().json();
    let names = |json: &Value| -> Vec<String> {
        let list = json["set_aside"].as_array().expect("a list").iter();
        list.map(|refused| refused["file"].as_str().expect("a text").to_owned()).collect()
    };
    assert_eq!(names(&json), ["calls/a.csv", "calls/b.csv.gz", "calls/c.parquet", "calls/d.json"]);
    assert_eq!((&json["read"], &json["rated"]), (&1.into(), &1.into()));
    assert_eq!(json["amount"]["USD"], "0.05000");
    let left: Vec<_> = std::fs::read_dir(night.path().join("calls")).expect("a folder").collect();
    assert_eq!(left.len(), 1);
    // The next run names them; another file of a name that is taken gets a name of its own.
    night.file("calls/a.csv", "sid,who\nCA2,me\n");
    let again = night.bare("", &["run", "--format", "json", "--set-aside", "bad"], &[]);
    assert_eq!(again.stderr.matches("refused since ").count(), 4, "{}", again.stderr);
    assert_eq!(names(&again.json()).len(), 5);
    assert!(
        night.path().join("bad/a.2.csv").exists() && night.path().join("bad/a.2.csv.why").exists()
    );
    let status = night.bare("", &["status"], &[]);
    assert_eq!(status.code, 1);
    assert!(status.stdout.starts_with(
        "wrong: 5 call files were refused and are not mended, the first: calls/a.csv:1: "
    ));
    // Mended where it lies, and booked from there; the others are taken away.
    std::fs::write(night.path().join("bad/a.csv"), good).expect("it is written");
    for gone in ["b.csv.gz", "c.parquet", "d.json"] {
        std::fs::remove_file(night.path().join("bad").join(gone)).expect("a file");
    }
    let mended = night.bare("", &["run", "--cdrs", "bad/a.csv", "--format", "json"], &[]);
    assert_eq!(names(&mended.json()), ["calls/a.csv"], "the second of that name");
    std::fs::remove_file(night.path().join("bad/a.2.csv")).expect("a file");
    assert_eq!(night.bare("", &["status"], &[]).code, 0);
    night.bare("", &["verify"], &[]).ok();
}

#[test]
fn a_folder_for_refused_files_is_none_that_is_read_or_the_ledgers() {
    let night = project();
    calls_of(&night, 1);
    for (folder, code, says) in [
        ("calls/bad", 2, "lies in calls, whose files are read every night"),
        ("calls", 2, "lies in calls, whose files are read every night"),
        ("calls/../ledger/bad", 2, "lies in the ledger ledger; nothing was booked"),
        ("link", 2, "lies in the ledger ledger; nothing was booked"),
        ("ledger", 2, "lies in the ledger ledger; nothing was booked"),
        ("other/runs/bad", 1, "is a place of a ledger's own files"),
    ] {
        if folder == "link" {
            assert!(!night.path().join("ledger").exists(), "before anything is made");
            night.bare("", &["run"], &[]).ok();
            night.bare("", &["run", "--ledger", "other"], &[]).ok();
            std::os::unix::fs::symlink("ledger/runs", night.path().join("link")).expect("a link");
        }
        let done = night.bare("", &["run", "--set-aside", folder], &[]);
        assert_eq!(done.code, code, "{}", done.shown());
        assert!(done.stderr.contains(says), "{}", done.stderr);
    }
    // Where one file is named, or a glob, that reads the folder again.
    for (calls, folder, code) in [
        ("calls/01.csv", "calls", 2),
        ("calls/*.csv", "calls", 2),
        ("c*/*.csv", "calls/../calls", 2),
        ("**/01.csv", "refused", 2),
        ("calls/0?.csv", "refused", 0),
        ("calls/01.csv", "calls/refused", 0),
    ] {
        let done = night.bare("", &["run", "--cdrs", calls, "--set-aside", folder], &[]);
        assert_eq!(done.code, code, "{calls} {folder}: {}", done.shown());
    }
}

#[test]
fn a_night_without_the_flag_is_refused_by_one_bad_file() {
    let night = project();
    calls_of(&night, 1);
    night.file("calls/bad.csv", "sid,who\nCA1,me\n");
    let done = night.bare("", &["run"], &[]);
    assert_eq!(done.code, 1, "{}", done.shown());
    assert!(night.path().join("calls/bad.csv").exists());
}
