//! Who reads shows one state whole, or fails: a look that goes wrong must not pass for a run that
//! is not there, and who is overtaken by a writer must not show half of each.

use super::bench::{Bench, Desk, FIRST_NIGHT, RERUN, SECOND_NIGHT, UNDO, Words};
use super::strace::{At, Call, Fault, ended, run_with_fault, signal, stopped, trace, with_fault};
use super::{assert_none, on_two_threads, spread};
use std::path::Path;
use std::time::Duration;

const READERS: [Words; 5] = [
    &["export", "legs", "--format", "csv"],
    &["export", "calls", "--format", "csv"],
    &["export", "suspense", "--format", "csv"],
    &["log"],
    &["verify"],
];

const LOOKS: [&str; 8] =
    ["open", "openat", "read", "pread64", "getdents64", "stat", "statx", "newfstatat"];

#[test]
fn a_reader_whose_look_fails_shows_all_or_fails() {
    look(25);
}

#[test]
#[ignore = "make faults"]
fn a_reader_with_any_look_that_fails_shows_all_or_fails() {
    look(usize::MAX);
}

/// Lets some of the looks of every reader fail, one at a time.
fn look(count: usize) {
    let bench = Bench::new();
    let desk = bench.after(&[FIRST_NIGHT, SECOND_NIGHT]);
    let mut work = Vec::new();
    for words in READERS {
        let whole = bench.run(words, &desk).ok();
        let calls = trace(&bench.command(words, &desk), &LOOKS);
        let calls = calls
            .into_iter()
            .filter(|call| call.path().is_some_and(|path| path.starts_with(desk.ledger())));
        let calls: Vec<Call> = calls.collect();
        work.extend(spread(&calls, count).into_iter().map(|call| (words, call, whole.clone())));
    }
    assert!(work.len() > 50, "a reader reads: {}", work.len());
    let broken = on_two_threads(work, |(words, call, whole): (Words, Call, String)| {
        let path = call.path().unwrap_or(Path::new("")).to_owned();
        let at = At { syscall: call.name.clone(), path, nth: Some(call.nth) };
        let (ended, hit) = run_with_fault(&bench.command(words, &desk), &at, Fault::Error("EIO"));
        let held = match ended.code {
            Some(0) => ended.stdout == whole,
            Some(1) => !ended.stderr.is_empty(),
            _ => false,
        };
        let call =
            hit.map_or_else(|| format!("not reached: {}", call.shown()), |call| call.shown());
        if held {
            Vec::new()
        } else {
            vec![format!("{}: {call}\n    {}", words.join(" "), ended.shown())]
        }
    });
    assert_none(&broken);
}

/// Stops a reader at a file, lets a writer come by, and lets the reader go on.
fn overtaken(
    bench: &Bench,
    before: &Desk,
    words: Words,
    call: &Call,
    writers: &[Words],
    states: &[String],
) -> Option<String> {
    let (desk, record) = (before.copy(), tempfile::NamedTempFile::new().expect("a temporary file"));
    let path = call.path()?.strip_prefix(before.ledger()).ok()?;
    let at = At { syscall: call.name.clone(), path: desk.ledger().join(path), nth: Some(call.nth) };
    let mut command = with_fault(&bench.command(words, &desk), &at, Fault::Stop, record.path());
    let ended = std::thread::scope(|scope| {
        let reader = scope.spawn(|| ended(&mut command));
        let process = stopped(record.path());
        for writer in writers {
            bench.run(writer, &desk).ok();
        }
        // Each of its threads may stop there once.
        while !reader.is_finished() {
            signal(process, "CONT");
            std::thread::sleep(Duration::from_millis(5));
        }
        reader.join().expect("it ends")
    });
    // Where a run is taken back meanwhile its files are gone, and just that may be said. A run that
    // is booked takes nothing.
    let is_told = ended.stderr.contains("its run was undone meanwhile");
    let takes_back = writers.contains(&UNDO) || writers.contains(&RERUN);
    let may_fail = takes_back && ended.code == Some(1) && is_told;
    let held = may_fail || ended.code == Some(0) && states.contains(&ended.stdout);
    let wrote: Vec<&str> = writers.iter().map(|writer| writer[0]).collect();
    (!held).then(|| {
        format!(
            "{} while {}: {}: {}",
            words.join(" "),
            wrote.join(", "),
            call.shown(),
            ended.shown()
        )
    })
}

#[test]
fn a_reader_that_a_writer_overtakes_shows_one_state_whole() {
    let bench = Bench::new();
    let mut work = Vec::new();
    let both: &[Words] = &[FIRST_NIGHT, SECOND_NIGHT];
    // Undone and booked again, the run has its old name: the list of runs alone does not tell.
    let cases: [(Desk, &[Words]); 4] = [
        (bench.after(&both[..1]), &both[1..]),
        (bench.after(both), &[UNDO]),
        (bench.after(both), &[UNDO, SECOND_NIGHT]),
        (bench.after(both), &[RERUN]),
    ];
    for (before, writers) in &cases {
        let after = before.copy();
        for writer in *writers {
            bench.run(writer, &after).ok();
        }
        for words in READERS {
            let states = [before, &after].map(|desk| bench.run(words, desk).ok());
            let mut calls = trace(&bench.command(words, before), &["open", "openat"]);
            calls.retain(|call| {
                call.nth == 1
                    && call.worked()
                    && call.path().is_some_and(|path| path.starts_with(before.ledger()))
            });
            // Between the list of runs and the catalog much can happen; of the tables a part will
            // do.
            let tables = calls.extract_if(.., |call| {
                call.path().is_some_and(|path| path.ends_with("part-0.parquet"))
            });
            let tables = spread(&tables.collect::<Vec<_>>(), 4);
            work.extend(
                calls
                    .into_iter()
                    .chain(tables)
                    .map(|call| (before, *writers, words, call, states.clone())),
            );
        }
    }
    let broken = on_two_threads(work, |(before, writers, words, call, states)| {
        overtaken(&bench, before, words, &call, writers, &states).into_iter().collect()
    });
    assert_none(&broken);
}
