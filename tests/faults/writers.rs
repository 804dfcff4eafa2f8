//! One writer at a time: the others are told who it is, a dead one blocks nobody, and readers need
//! not wait.
//!
//! The writer is stopped, by a signal, where it has made the folder of its run below staging: it
//! holds the ledger for as long as the test wants.

use super::bench::{Bench, Desk, FIRST_NIGHT, SECOND_NIGHT, TOLD_NIGHT, Tree, Words};
use super::strace::{At, Call, Ended, Fault, ended, signal, stopped, trace, with_fault};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Where a writer is stopped: once it has made the folder of its run below staging.
fn at_its_folder(bench: &Bench, desk: &Desk, words: Words) -> At {
    let copy = desk.copy();
    let calls = trace(&bench.command(words, &copy), &["mkdir", "mkdirat"]);
    let staging = copy.ledger().join("staging");
    let below =
        |call: &&Call| call.worked() && call.path().and_then(Path::parent) == Some(&staging);
    let call = calls.iter().find(below).expect("a run has a folder below staging");
    let name = call.path().and_then(Path::file_name).expect("a name");
    At { syscall: call.name.clone(), path: desk.ledger().join("staging").join(name), nth: None }
}

/// Starts writers at once. One holds the ledger and the others are refused; then `meanwhile` is
/// done, with the holder's process. How the holder ended after that.
fn hold(
    bench: &Bench,
    desk: &Desk,
    words: Words,
    count: usize,
    meanwhile: impl FnOnce(u32),
) -> Ended {
    let at = at_its_folder(bench, desk, words);
    let records: Vec<_> =
        (0..count).map(|_| tempfile::NamedTempFile::new().expect("a temporary file")).collect();
    let (sender, receiver) = channel();
    std::thread::scope(|scope| {
        for (number, record) in records.iter().enumerate() {
            let mut command =
                with_fault(&bench.command(words, desk), &at, Fault::Stop, record.path());
            let sender = sender.clone();
            scope
                .spawn(move || sender.send((number, ended(&mut command))).expect("the test waits"));
        }
        drop(sender);
        let refused: Vec<(usize, Ended)> = (1..count).map(|_| next(&receiver)).collect();
        let holder = (0..count)
            .find(|at| refused.iter().all(|(other, _)| other != at))
            .expect("one is left");
        let process = stopped(records[holder].path());
        for (_, ended) in &refused {
            let told = named(ended).is_none_or(|named| named == process);
            assert!(
                ended.code == Some(4) && told,
                "one is refused for process {process}: {}",
                ended.shown()
            );
        }
        // Who came at the same moment may have come before the holder said who it is; who comes
        // later is told.
        let late = bench.run(words, desk);
        assert!(
            late.code == Some(4) && named(&late) == Some(process),
            "process {process}: {}",
            late.shown()
        );
        meanwhile(process);
        next(&receiver).1
    })
}

/// The process that a refused one was told; none if the holder had not said yet.
fn named(refused: &Ended) -> Option<u32> {
    let (_, name) = refused.stderr.split_once("(process ")?;
    name.split_once(')')?.0.parse().ok()
}

fn next(receiver: &Receiver<(usize, Ended)>) -> (usize, Ended) {
    receiver.recv_timeout(Duration::from_secs(50)).expect("all but one end by themselves")
}

/// A ledger, the night to be booked on it, and what it is to become.
fn cases(bench: &Bench) -> [(Desk, Words, Tree); 2] {
    [(&[][..], FIRST_NIGHT), (&[FIRST_NIGHT][..], SECOND_NIGHT)].map(|(before, words)| {
        let desk = bench.after(before);
        let reference = desk.copy();
        bench.run(words, &reference).ok();
        (desk, words, reference.whole())
    })
}

#[test]
fn of_many_writers_at_once_one_works_and_the_others_name_it() {
    let bench = Bench::new();
    for (before, words, whole) in cases(&bench) {
        for count in [2, 10] {
            let desk = before.copy();
            let ended = hold(&bench, &desk, words, count, |holder| signal(holder, "CONT"));
            ended.ok();
            assert_eq!(desk.whole(), whole, "{count} writers");
            bench.run(&["verify"], &desk).ok();
        }
    }
}

/// Between the lock and the holder's word who it is there is a moment; then nobody is named, not
/// someone else.
#[test]
fn a_writer_that_has_not_said_who_it_is_is_not_mistaken() {
    let (bench, record) = (Bench::new(), tempfile::NamedTempFile::new().expect("a temporary file"));
    let desk = bench.after(&[FIRST_NIGHT]);
    let calls = trace(&bench.command(SECOND_NIGHT, &desk.copy()), &["flock"]);
    assert!(calls.first().is_some_and(Call::worked), "the ledger is locked by flock: {calls:?}");
    let at = At { syscall: "flock".to_owned(), path: desk.ledger(), nth: None };
    let mut command =
        with_fault(&bench.command(SECOND_NIGHT, &desk), &at, Fault::Stop, record.path());
    std::thread::scope(|scope| {
        let holder = scope.spawn(|| ended(&mut command));
        let process = stopped(record.path());
        let refused = bench.run(SECOND_NIGHT, &desk);
        signal(process, "CONT");
        let mistaken = named(&refused).is_some_and(|named| named != process);
        assert!(refused.code == Some(4) && !mistaken, "{}", refused.shown());
        holder.join().expect("it ends").ok();
    });
}

#[test]
fn readers_see_the_old_state_while_a_writer_works() {
    let bench = Bench::new();
    let (desk, words, whole) = cases(&bench).into_iter().next_back().expect("a ledger with a run");
    let old = bench.outputs(&desk).expect("the outputs");
    let log = bench.run(&["log"], &desk).ok();
    let ended = hold(&bench, &desk, words, 1, |holder| {
        assert_eq!(bench.outputs(&desk), Ok(old));
        assert_eq!(bench.run(&["log"], &desk).ok(), log);
        bench.run(&["verify"], &desk).ok();
        signal(holder, "CONT");
    });
    ended.ok();
    assert_eq!(desk.whole(), whole);
}

#[test]
fn a_dead_writer_blocks_nobody() {
    let bench = Bench::new();
    for (desk, words, whole) in cases(&bench) {
        let old = bench.outputs(&desk);
        let ended = hold(&bench, &desk, words, 2, |holder| signal(holder, "KILL"));
        assert_eq!(ended.signal, Some(9), "{}", ended.shown());
        assert_eq!(bench.outputs(&desk), old);
        bench.run(words, &desk).ok();
        assert_eq!(desk.whole(), whole);
    }
}

/// Nobody is stopped here: some book, one after the other, and who comes too early is told a
/// process that is one of them.
#[test]
fn writers_that_race_book_each_call_once() {
    let bench = Bench::new();
    let reference = bench.outputs(&bench.after(&[FIRST_NIGHT])).expect("the outputs");
    for _ in 0..3 {
        let desk = Desk::new();
        let ends: Vec<Ended> = std::thread::scope(|scope| {
            let start = |_| scope.spawn(|| bench.run(FIRST_NIGHT, &desk));
            let started: Vec<_> = (0..10).map(start).collect();
            started.into_iter().map(|thread| thread.join().expect("it ends")).collect()
        });
        let processes: Vec<u32> = ends.iter().map(|ended| ended.process).collect();
        for ended in &ends {
            let refused = ended.code == Some(4)
                && named(ended).is_none_or(|process| processes.contains(&process));
            assert!(refused || ended.code == Some(0), "{}", ended.shown());
        }
        assert!(ends.iter().any(|ended| ended.code == Some(0)));
        // Of what waits, a later run counts one more try.
        assert_eq!(bench.outputs(&desk).expect("the outputs")[..2], reference[..2]);
        bench.run(&["verify"], &desk).ok();
        assert_eq!(desk.files(&["staging"]), Tree::new());
    }
}

/// A night that a signal ends books nothing, and the files for the morning say that it was
/// interrupted.
#[test]
fn a_night_that_is_interrupted_says_so_in_the_morning() {
    let bench = Bench::new();
    let desk = bench.after(&[]);
    let ended = hold(&bench, &desk, TOLD_NIGHT, 1, |holder| {
        signal(holder, "TERM");
        // What goes on while the files for the morning are written may make the folder again, and
        // is stopped again.
        for _ in 0..60 {
            signal(holder, "CONT");
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    assert_eq!(ended.code, Some(1), "{}", ended.shown());
    assert!(ended.stderr.contains("interrupted by SIGTERM"), "{}", ended.shown());
    assert_eq!(desk.files(&["runs"]), Tree::new());
    let read = |name: &str| std::fs::read_to_string(bench.inputs().join(name)).expect("a file");
    let status = read("status.json");
    assert!(
        status.contains("last-run-failed") && status.contains("interrupted by SIGTERM"),
        "{status}"
    );
    let metrics = read("night.prom");
    assert!(metrics.contains("trunkrate_problem{id=\"last-run-failed\"} 1"), "{metrics}");
}
