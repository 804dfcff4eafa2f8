//! The nights of a ledger: which went well, which failed, which never ended.

use super::words::{age_text, ago, ago_text, seconds, stamp};
use super::{CommandLine, LastRun, Limits, Machine, Problem, Trouble, WaitingLines};
use crate::ledger::journal::{End, Journal, Ran};
use crate::ledger::manifest::{FILE_NAME, Manifest, RunKind};
use crate::ledger::{History, Run};
use crate::report::whole::Printed;
use crate::time::{Micros, SECOND};
use std::collections::BTreeMap;

/// The commands that book a night of calls.
const NIGHTS: [&str; 2] = ["run", "ledger import"];

/// The distance that a time may be in the future: two machines' clocks differ a little.
const AHEAD: Micros = 5 * 60 * SECOND;

/// The nights, by the journal and the runs.
pub(super) struct Nights<'a> {
    /// The command that is going on.
    pub(super) running: Option<&'a Ran>,
    /// The last good night that is still booked.
    pub(super) last_run: Option<LastRun>,
    /// The last good night of the journal.
    last_good: Option<&'a Ran>,
    /// A night that failed, and none went well since.
    last_failed: Option<&'a Ran>,
    /// The last night that failed; if none did, the last other command.
    pub(super) last_failure: Option<&'a Ran>,
    /// Commands that began and never ended, and none of their kind went well after.
    never_ended: Vec<&'a Ran>,
    /// The last proof; one that failed stands until all was proved after it, not a sample.
    pub(super) verified: Option<&'a Ran>,
    /// The last good proof of all; a sample leaves most calls unproved.
    proved: Option<&'a Ran>,
}

impl<'a> Nights<'a> {
    pub(super) fn of(
        history: &History,
        journal: &'a Journal,
        is_locked: Option<bool>,
        limits: &Limits,
        machine: Machine<'_>,
    ) -> Self {
        let is_booked = |ran: &Ran| {
            let there = |id: &String| history.runs.iter().any(|run| run.manifest.run_id == *id);
            ran.runs().is_empty() || ran.runs().iter().any(there)
        };
        let commands = || journal.commands.iter();
        let nights = || commands().filter(|ran| is_night(ran));
        let last_good =
            nights().filter(|ran| ran.succeeded() && is_booked(ran)).max_by_key(|ran| ran.last);
        let goes_on = |ran: &&Ran| {
            if ran.entry.host == machine.host {
                (machine.is_running)(ran.entry.pid) || is_locked == Some(true)
            } else {
                // Another machine's process is not seen from here.
                is_locked == Some(true) || machine.now - ran.began < limits.max_age
            }
        };
        let open = || commands().filter(|ran| ran.ended.is_none());
        let running = open().max_by_key(|ran| ran.first).filter(goes_on);
        let is_mended = |dead: &Ran| {
            commands().any(|ran| {
                ran.succeeded()
                    && ran.first > dead.first
                    && if is_night(dead) { is_night(ran) } else { ran.entry.writes }
            })
        };
        let has_end = |ran: &Ran, is: fn(&End) -> bool| ran.entry.end.as_ref().is_some_and(is);
        // A command line that was wrong proves nothing.
        let is_proof = |ran: &&Ran| ran.entry.name == "verify" && has_end(ran, |end| end.exit < 2);
        let proofs = || commands().filter(is_proof);
        let is_whole = |ran: &&Ran| has_end(ran, |end| end.exit == 0 && !end.sampled);
        let proved = proofs().filter(is_whole).max_by_key(|ran| ran.last);
        let broken = proofs()
            .filter(|ran| ran.failed() && Some(ran.last) > proved.map(|proved| proved.last))
            .max_by_key(|ran| ran.last);
        let failed = |ran: &&Ran| ran.failed();
        let is_running = |ran: &Ran| running.is_some_and(|running| std::ptr::eq(running, ran));
        Self {
            never_ended: open().filter(|ran| !is_running(ran) && !is_mended(ran)).collect(),
            running,
            last_run: last_run(history, journal, last_good, machine.now),
            last_good,
            last_failed: nights()
                .filter(|ran| {
                    ran.failed() && Some(ran.last) > last_good.map(|last_good| last_good.last)
                })
                .max_by_key(|ran| ran.last),
            last_failure: nights()
                .filter(failed)
                .max_by_key(|ran| ran.last)
                .or_else(|| commands().filter(failed).max_by_key(|ran| ran.last)),
            verified: broken.or_else(|| proofs().max_by_key(|ran| ran.last)),
            proved,
        }
    }

    /// All that is wrong with them.
    pub(super) fn problems(&self, history: &History, limits: &Limits, now: Micros) -> Vec<Problem> {
        let mut found: Vec<Problem> = self.ahead(now).into_iter().collect();
        let mut add = |id, message: String, what_to_do: &str| {
            found.push(Problem { id, message, what_to_do: what_to_do.to_owned() });
        };
        if let Some(ran) = self.verified.filter(|ran| ran.failed()) {
            let when = ago(now, ran.ended.unwrap_or(ran.began));
            add(
                Trouble::VerifyFailed,
                format!("`verify` found the ledger broken {when}: {}", ran.message()),
                "restore the ledger from a copy that `verify` finds good, all of it and not a \
                 --sample; book nothing before",
            );
        }
        let a_night_goes_on = self.running.is_some_and(is_night);
        for dead in self.never_ended.iter().filter(|dead| !(is_night(dead) && a_night_goes_on)) {
            let (id, what_to_do) = if is_night(dead) {
                (Trouble::RunNeverEnded, "run it again: the ledger is as it was before")
            } else {
                (Trouble::CommandNeverEnded, "look whether it did its work, and do it again if not")
            };
            add(id, never_ended(dead, self.unknown_run(history), now), what_to_do);
        }
        match (self.running, self.last_failed) {
            (Some(running), _) if is_night(running) => {
                if now - running.began > limits.max_age {
                    add(
                        Trouble::RunStuck,
                        format!(
                            "a run is going on since {}, for {}: process {} on {}",
                            stamp(running.began),
                            age_text(now - running.began),
                            running.entry.pid,
                            running.entry.host
                        ),
                        "look what it waits for; end it if nothing comes: what it did is cleared \
                         up",
                    );
                }
                return found;
            }
            (_, Some(failed)) => {
                let (when, code) = (
                    ago(now, failed.ended.unwrap_or(failed.began)),
                    failed.entry.end.as_ref().map_or(0, |end| end.exit),
                );
                add(
                    Trouble::LastRunFailed,
                    format!("the last run failed {when}, exit code {code}: {}", failed.message()),
                    "mend that, and run again: nothing of it was booked",
                );
            }
            _ => {}
        }
        // A night that was tried and came to nothing is told above; overdue is what nobody tried.
        let tried = [self.last_failed.and_then(|ran| ran.ended)]
            .into_iter()
            .chain(self.never_ended.iter().filter(|ran| is_night(ran)).map(|ran| Some(ran.began)))
            .flatten()
            .max();
        let was_tried = tried.is_some_and(|tried| now - tried <= limits.max_age);
        match &self.last_run {
            _ if was_tried => {}
            None => add(
                Trouble::NoRun,
                "no night was booked yet".to_owned(),
                "`trunkrate run` books the first",
            ),
            Some(last) if last.age_seconds > limits.max_age / SECOND => add(
                Trouble::RunOverdue,
                format!(
                    "no night was booked since {}, {}; at most {} may pass",
                    last.booked,
                    ago_text(last.age_seconds * SECOND),
                    age_text(limits.max_age)
                ),
                "look whether the nightly job still starts, and run it",
            ),
            Some(_) => {}
        }
        found.extend(self.overdue_proof(limits, now));
        found
    }

    /// The last run, if its time is still to come: then no age is known, and nothing that is too
    /// old is found.
    fn ahead(&self, now: Micros) -> Option<Problem> {
        let again = "set the clock right, and run again";
        let night = self
            .last_run
            .as_ref()
            .map(|last| ("the last night was booked", now - last.age_seconds * SECOND, again));
        let of = |what, ran: Option<&Ran>, what_to_do| {
            Some((what, ran.map(|ran| ran.ended.unwrap_or(ran.began))?, what_to_do))
        };
        let dead = self.never_ended.iter().max_by_key(|ran| ran.began).copied();
        let all = [
            night,
            of("the last good night ended", self.last_good, again),
            of("the last failed night ended", self.last_failed, again),
            of("what is going on began", self.running, "set the clock right, and look for it"),
            of("what never ended began", dead, again),
            of(
                "the last proof ended",
                self.verified,
                "set the clock right, and prove it again: `trunkrate verify`",
            ),
        ];
        let (what, at, what_to_do) =
            all.into_iter().flatten().find(|(_, at, _)| at.saturating_sub(now) > AHEAD)?;
        Some(Problem {
            id: Trouble::Clock,
            message: format!(
                "{what} {}: the clock was ahead then, or is behind now ({})",
                ago(now, at),
                stamp(now)
            ),
            what_to_do: what_to_do.to_owned(),
        })
    }

    fn overdue_proof(&self, limits: &Limits, now: Micros) -> Option<Problem> {
        let most = limits.verify_max_age?;
        let last = self.proved.and_then(|ran| ran.ended);
        let since = match last {
            Some(last) if now - last <= most => return None,
            Some(last) => format!("all of the ledger was proved {}", ago(now, last)),
            None => "the ledger was never proved whole, as far as the journal knows".to_owned(),
        };
        Some(Problem {
            id: Trouble::VerifyOverdue,
            message: format!("{since}; at most {} may pass", age_text(most)),
            what_to_do: "`trunkrate verify` proves it".to_owned(),
        })
    }

    /// A run that is booked, and that no command of the journal says to have booked.
    fn unknown_run<'h>(&self, history: &'h History) -> Option<&'h Run> {
        let last = history.runs.last()?;
        let known = self.last_good.is_some_and(|ran| ran.runs().contains(&last.manifest.run_id));
        (!known && self.last_run.as_ref()?.command.is_none()).then_some(last)
    }

    /// All of it in a line, where nothing is wrong.
    pub(super) fn good_headline(&self, waiting: &WaitingLines, now: Micros) -> String {
        let waits = match waiting.records {
            0 => "nothing waits".to_owned(),
            1 => "1 record waits".to_owned(),
            many => format!("{many} records wait"),
        };
        if let Some(running) = self.running {
            let since = stamp(running.began);
            let what = if is_night(running) { "a run" } else { running.entry.name.as_str() };
            return format!(
                "{what} is going on since {since}, for {}",
                age_text(now - running.began)
            );
        }
        let Some(last) = &self.last_run else { return waits };
        let run = last.run_id.as_deref().unwrap_or("nothing new");
        let sums: Vec<String> =
            last.amount.iter().map(|(currency, sum)| format!("{sum} {currency}")).collect();
        let sums = if sums.is_empty() { String::new() } else { format!(", {}", sums.join(", ")) };
        format!(
            "the last night booked {run} {}{sums}; {waits}",
            ago_text(last.age_seconds * SECOND)
        )
    }
}

/// True if a command books a night of calls.
#[must_use]
pub fn is_night(ran: &Ran) -> bool {
    NIGHTS.contains(&ran.entry.name.as_str())
}

/// The journal's record of a run: when it was booked, and whether the last night since failed.
#[must_use]
pub fn printed_with(journal: &Journal, run_id: &str) -> Option<Printed> {
    let command = journal.booked(run_id);
    let last = journal.commands.iter().rev().find(|ran| is_night(ran));
    let failed_since = last.filter(|ran| ran.failed()).map(|ran| {
        let when = stamp(ran.ended.unwrap_or(ran.began));
        format!("The last run failed at {when}: {}", ran.message())
    });
    if command.is_none() && failed_since.is_none() {
        return None;
    }
    let entry = command.map(|ran| &ran.entry);
    Some(Printed {
        booked: command.and_then(|ran| ran.ended).map(stamp),
        by: entry.map(|entry| format!("{} on {}", entry.user, entry.host)),
        duration_ms: entry.and_then(|entry| entry.end.as_ref()).map(|end| end.duration_ms),
        failed_since,
    })
}

fn never_ended(dead: &Ran, unknown: Option<&Run>, now: Micros) -> String {
    let what = if is_night(dead) { "the last run" } else { dead.entry.name.as_str() };
    let booked = match unknown {
        Some(run) if is_night(dead) => {
            format!("; run {} is booked all the same", run.manifest.run_id)
        }
        _ => String::new(),
    };
    format!(
        "{what} began {} and never ended: process {} on {} was killed, or the machine \
         stopped{booked}",
        ago(now, dead.began),
        dead.entry.pid,
        dead.entry.host
    )
}

/// The last good night: of the journal, or the last run that it does not know.
fn last_run(
    history: &History,
    journal: &Journal,
    good: Option<&Ran>,
    now: Micros,
) -> Option<LastRun> {
    let is_of_night = |run: &&Run| matches!(run.manifest.kind, RunKind::Run | RunKind::Import);
    let unknown = history
        .runs
        .iter()
        .rev()
        .find(is_of_night)
        .filter(|run| journal.booked(&run.manifest.run_id).is_none())
        .and_then(|run| Some((run, time_of(run)?)));
    let named = |ran: &Ran| {
        let of_ran = |run: &&Run| ran.runs().contains(&run.manifest.run_id);
        history.runs.iter().rev().find(of_ran)
    };
    let (run, booked, command) = match (good.and_then(|ran| Some((ran, ran.ended?))), unknown) {
        // The order of the runs is known, whatever the clock said. A night that had nothing to book
        // has no run: there only the times say it.
        (Some((ran, ended)), Some((run, written))) if named(ran).is_some() || written > ended => {
            (Some(run), written, None)
        }
        (Some((ran, ended)), _) => (named(ran), ended, Some(CommandLine::of(ran))),
        (None, Some((run, written))) => (Some(run), written, None),
        (None, None) => return None,
    };
    let manifest: Option<&Manifest> = run.map(|run| &*run.manifest);
    Some(LastRun {
        run_id: manifest.map(|m| m.run_id.clone()),
        booked: stamp(booked),
        age_seconds: seconds(now, booked),
        command,
        records: manifest.map_or_else(BTreeMap::new, |m| {
            m.counts.iter().map(|(class, count)| (class.clone(), count.records)).collect()
        }),
        legs: manifest.map_or(0, |m| m.legs),
        amount: manifest.map_or_else(BTreeMap::new, |m| m.amount.clone()),
        bytes: manifest.map_or(0, |m| m.files.iter().map(|file| file.bytes).sum()),
    })
}

/// When a run's manifest was written, as its file says.
fn time_of(run: &Run) -> Option<Micros> {
    let written = std::fs::metadata(run.folder.join(FILE_NAME)).ok()?.modified().ok()?;
    let since = written.duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_micros()).ok()
}
