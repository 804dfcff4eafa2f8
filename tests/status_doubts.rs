//! What `status` says where it cannot know: a clock that was put back, a journal or a list that
//! cannot be read or written, a disk that is not mounted. None of it is good.

use crate::status::{at, calls_of, project};
use crate::support::Night;
use serde_json::Value;
use std::path::PathBuf;

const BAD: &str = "sid,who\nCA1,me\n";

fn status(night: &Night, now: &str) -> (Value, Vec<String>) {
    let done = at(night, now, &["status", "--format", "json"]);
    let json: Value = serde_json::from_str(&done.stdout).expect("JSON");
    let problems = json["problems"].as_array().expect("a list").iter();
    let ids: Vec<String> =
        problems.map(|problem| problem["id"].as_str().expect("an id").to_owned()).collect();
    assert_eq!(done.code, i32::from(!ids.is_empty()), "{}", done.shown());
    (json, ids)
}

fn ids(night: &Night, now: &str) -> Vec<String> {
    status(night, now).1
}

fn in_night(night: &Night, name: &str) -> PathBuf {
    night.path().join(name)
}

#[test]
fn a_clock_that_was_ahead_hides_no_failed_night_and_no_forgotten_one() {
    let night = project();
    calls_of(&night, 1);
    at(&night, "2026-11-01T02:00:00Z", &["run"]).ok();
    calls_of(&night, 2);
    at(&night, "2027-11-02T02:00:00Z", &["run"]).ok();
    let (json, found) = status(&night, "2026-11-03T07:00:00Z");
    assert_eq!(found, ["clock"]);
    // From 2026-11-03T07:00 to 2027-11-02T02:00 are 363 days and 19 hours; it took under a minute.
    let age = json["last_run"]["age_seconds"].as_i64().expect("a number");
    assert!((-31_431_660..=-31_431_540).contains(&age), "{age}");
    assert!(json["headline"].as_str().expect("a text").contains("364 days in the future"));
    // A night that fails after it has an earlier time, and is later.
    let failed = at(&night, "2026-11-03T08:00:00Z", &["run", "--rates", "none"]);
    assert_eq!(failed.code, 1, "{}", failed.shown());
    assert_eq!(ids(&night, "2026-11-03T09:00:00Z"), ["last-run-failed", "clock"]);
    // A good one mends both.
    calls_of(&night, 3);
    at(&night, "2026-11-03T10:00:00Z", &["run"]).ok();
    assert_eq!(ids(&night, "2026-11-03T11:00:00Z"), Vec::<String>::new());
    assert_eq!(ids(&night, "2026-11-05T11:00:00Z"), ["run-overdue"]);
    // Machines' clocks differ a little.
    assert_eq!(ids(&night, "2026-11-03T09:57:00Z"), Vec::<String>::new());
}

#[test]
fn a_list_of_refused_files_that_cannot_be_read_is_not_good_and_every_file_is_named() {
    let now = "2026-11-02T07:00:00Z";
    for what in ["folder", "pipe", "dangling link", "damaged"] {
        let night = project();
        calls_of(&night, 1);
        at(&night, "2026-11-02T02:00:00Z", &["run"]).ok();
        let list = in_night(&night, "ledger/set-aside.json");
        match what {
            "folder" => std::fs::create_dir(&list).expect("a folder"),
            "pipe" => {
                let made = std::process::Command::new("mkfifo").arg(&list).status();
                assert!(made.expect("mkfifo").success());
            }
            "damaged" => std::fs::write(&list, "[{").expect("a file"),
            _ => std::os::unix::fs::symlink("none", &list).expect("a link"),
        }
        assert_eq!(ids(&night, now), ["set-aside-unreadable"], "{what}");
        for name in ["calls/bad.csv", "calls/worse.csv"] {
            night.file(name, BAD);
        }
        let files = ["--set-aside", "refused", "--status-file", "s.json"];
        let done = at(&night, "2026-11-02T03:00:00Z", &[&["run"], &files[..]].concat());
        assert_eq!(done.code, 0, "{what}: it is booked: {}", done.shown());
        for name in ["calls/bad.csv", "calls/worse.csv"] {
            let lies = in_night(&night, name);
            assert!(lies.exists(), "{what}: {name} stays");
            let said = format!("lies where it was, at {}", lies.display());
            assert!(done.stderr.contains(&said), "{what}: {}", done.stderr);
        }
        let told = std::fs::read_to_string(in_night(&night, "s.json")).expect("a file");
        let told: Value = serde_json::from_str(&told).expect("JSON");
        assert_eq!(told["good"], false, "{what}");
        // Without the list the journal still knows, until a run has refused nothing.
        match what {
            "folder" => std::fs::remove_dir(&list).expect("a folder"),
            _ => std::fs::remove_file(&list).expect("a file"),
        }
        assert_eq!(ids(&night, now), ["set-aside-unknown"], "{what}");
        let done = at(&night, "2026-11-02T04:00:00Z", &["run", "--set-aside", "refused"]);
        assert_eq!(done.code, 0, "{what}: {}", done.shown());
        assert_eq!(ids(&night, now), ["files-set-aside"], "{what}");
        std::fs::remove_file(&list).expect("a file");
        assert_eq!(ids(&night, now), ["set-aside-unknown"], "{what}: the list is lost");
    }
}

#[test]
fn a_refused_file_whose_folder_is_another_one_is_not_mended() {
    let night = project();
    calls_of(&night, 1);
    night.file("calls/bad.csv", BAD);
    at(&night, "2026-11-02T02:00:00Z", &["run", "--set-aside", "disk/refused"]).ok();
    let now = "2026-11-02T07:00:00Z";
    assert_eq!(ids(&night, now), ["files-set-aside"]);
    // The disk is not mounted: its folder is gone, or an empty one has its name.
    let [disk, away] = ["disk", "away"].map(|name| in_night(&night, name));
    std::fs::rename(&disk, &away).expect("it is moved");
    assert_eq!(ids(&night, now), ["files-set-aside"]);
    std::fs::create_dir_all(disk.join("refused")).expect("folders");
    let (json, found) = status(&night, now);
    assert_eq!(found, ["files-set-aside"]);
    let what_to_do = json["problems"][0]["what_to_do"].as_str().expect("a text");
    assert!(what_to_do.starts_with("mount its disk again: "), "{what_to_do}");
    // A run does not forget it either.
    calls_of(&night, 2);
    at(&night, "2026-11-02T03:00:00Z", &["run"]).ok();
    assert_eq!(ids(&night, now), ["files-set-aside"]);
    // It is mounted again, and the file is taken away.
    std::fs::remove_dir_all(&disk).expect("folders");
    std::fs::rename(&away, &disk).expect("it is moved");
    assert_eq!(ids(&night, now), ["files-set-aside"]);
    std::fs::remove_file(disk.join("refused/bad.csv")).expect("a file");
    assert_eq!(ids(&night, now), Vec::<String>::new());
}

#[test]
fn a_journal_that_cannot_be_written_is_told_and_a_failed_run_tells_itself() {
    let now = "2026-11-02T07:00:00Z";
    for what in ["link", "pipe"] {
        let night = project();
        calls_of(&night, 1);
        at(&night, "2026-11-02T02:00:00Z", &["run"]).ok();
        let path = in_night(&night, "ledger/journal.jsonl");
        std::fs::remove_file(&path).expect("a file");
        if what == "link" {
            std::os::unix::fs::symlink("/dev/null", &path).expect("a link");
        } else {
            let made = std::process::Command::new("mkfifo").arg(&path).status();
            assert!(made.expect("mkfifo").success());
        }
        assert!(ids(&night, now).contains(&"journal-unwritable".to_owned()), "{what}");
        let files = ["--status-file", "s.json", "--metrics", "m.prom"];
        let failing = [&["run", "--rates", "none"], &files[..]].concat();
        assert_eq!(at(&night, "2026-11-02T03:00:00Z", &failing).code, 1, "{what}");
        let told = std::fs::read_to_string(in_night(&night, "s.json")).expect("a file");
        let told: Value = serde_json::from_str(&told).expect("JSON");
        assert_eq!(told["problems"][0]["id"], "last-run-failed", "{what}");
        let message = told["problems"][0]["message"].as_str().expect("a text");
        assert!(message.starts_with("this run failed, exit code 1: "), "{message}");
        let metrics = std::fs::read_to_string(in_night(&night, "m.prom")).expect("a file");
        assert!(metrics.contains("trunkrate_good 0\n"), "{metrics}");
        assert!(metrics.contains("trunkrate_problem{id=\"last-run-failed\"} 1\n"), "{metrics}");
        // No command waits for the pipe.
        for args in [&["runs"][..], &["runs", "--journal"], &["verify"], &["report"]] {
            night.bare("", args, &[]).ok();
        }
    }
}

#[test]
fn a_sample_that_is_good_clears_no_broken_proof() {
    let night = project();
    calls_of(&night, 1);
    at(&night, "2026-11-02T02:00:00Z", &["run"]).ok();
    let runs = std::fs::read_dir(in_night(&night, "ledger/runs")).expect("runs");
    let run = runs.map(|run| run.expect("an entry").path()).next().expect("a run");
    let legs = run.join("legs/date=2026-11-01/part-0.parquet");
    let bytes = std::fs::read(&legs).expect("a file");
    let mut bad = bytes.clone();
    bad[bytes.len() / 2] ^= 1;
    std::fs::write(&legs, &bad).expect("it is written");
    let now = "2026-11-02T07:00:00Z";
    assert_eq!(at(&night, "2026-11-02T03:00:00Z", &["verify"]).code, 1);
    assert_eq!(ids(&night, now), ["verify-failed"]);
    std::fs::write(&legs, &bytes).expect("it is written");
    at(&night, "2026-11-02T04:00:00Z", &["verify", "--sample", "1"]).ok();
    let (json, found) = status(&night, now);
    assert_eq!(
        (found, &json["verified"]["good"]),
        (vec!["verify-failed".to_owned()], &false.into())
    );
    at(&night, "2026-11-02T05:00:00Z", &["verify"]).ok();
    assert_eq!(ids(&night, now), Vec::<String>::new());
}

#[test]
fn a_refused_link_or_pipe_is_mended_once_what_it_names_was_booked() {
    let night = project();
    calls_of(&night, 1);
    night.file("elsewhere/02.csv", BAD);
    let link = in_night(&night, "calls/02.csv");
    std::os::unix::fs::symlink("../elsewhere/02.csv", &link).expect("a link");
    let pipe = in_night(&night, "calls/03.csv");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    at(&night, "2026-11-02T02:00:00Z", &["run", "--set-aside", "refused"]).ok();
    let now = "2026-11-02T07:00:00Z";
    let refused = |night: &Night| {
        let list = status(night, now).0["set_aside"].clone();
        let list = list.as_array().expect("a list").iter();
        list.map(|refused| refused["file"].as_str().expect("a text").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(refused(&night), ["calls/02.csv", "calls/03.csv"]);
    std::fs::remove_file(&link).expect("a link");
    let good = std::fs::read(calls_of(&night, 2)).expect("a file");
    std::fs::remove_file(&link).expect("a file");
    night.file("elsewhere/02.csv", good);
    std::os::unix::fs::symlink("../elsewhere/02.csv", &link).expect("a link");
    // Booked by its own name, not by the link's.
    at(&night, "2026-11-02T03:00:00Z", &["run", "--cdrs", "elsewhere/02.csv"]).ok();
    assert_eq!(refused(&night), ["calls/03.csv"]);
    // A file takes the place of the pipe, and is booked from there.
    std::fs::remove_file(&pipe).expect("a pipe");
    calls_of(&night, 3);
    at(&night, "2026-11-02T04:00:00Z", &["run"]).ok();
    assert_eq!(ids(&night, now), Vec::<String>::new());
}

#[test]
fn the_last_failure_is_a_nights() {
    let night = project();
    calls_of(&night, 1);
    at(&night, "2026-11-02T02:00:00Z", &["run"]).ok();
    assert_eq!(at(&night, "2026-11-02T03:00:00Z", &["rerate", "NONE"]).code, 1);
    let now = "2026-11-02T07:00:00Z";
    let command = |night: &Night| status(night, now).0["last_failure"]["command"].clone();
    assert!(command(&night).as_str().expect("a text").starts_with("trunkrate rerate"));
    assert_eq!(at(&night, "2026-11-02T04:00:00Z", &["run", "--rates", "none"]).code, 1);
    assert_eq!(at(&night, "2026-11-02T05:00:00Z", &["rerate", "NONE"]).code, 1);
    assert!(command(&night).as_str().expect("a text").starts_with("trunkrate run"));
}
