//! The health of a ledger's nights: what `status` says, from the journal, the runs and the disk.
//!
//! ```text
//! journal ────────▶ nights that ended well, failed, or never ended; the last proof
//! runs ───────────▶ what the last night booked, what waits
//! refused files ──▶ those that are not mended
//! disk, lock ─────▶ whether the next night fits; whether a run is going on
//! ```
//!
//! **Invariant:** nothing is written and no lock is taken. The clock is an argument.
//!
//! # What is wrong, and what is only told
//! A night is a `run` or a `ledger import`. It is wrong until a later night went well; that a
//! person at a desk mistyped another command is told, and is not wrong. What waits is shown with
//! its money and is not wrong: waiting is what the ledger does with such calls.

mod nights;
pub mod words;

use crate::inputs::file::FileError;
use crate::ledger::journal::{self, Journal, Ran};
use crate::ledger::set_aside::{self, Refused};
use crate::ledger::{History, Ledger, LedgerError};
use crate::report::causes::{ByCause, CauseLine, sum_of};
use crate::report::lines::Money;
use crate::report::waiting_causes;
use crate::time::{self, Micros, SECOND};
use nights::Nights;
pub use nights::{is_night, printed_with};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use words::{bytes_text, seconds};

/// The name and version of this layout.
pub const SCHEMA: &str = "trunkrate-status/1";

/// The ages that are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The last good night. By default 26 hours: a day, and time for a night that starts late.
    pub max_age: Micros,
    /// The last good proof by `verify`; by default never too old.
    pub verify_max_age: Option<Micros>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_age: 26 * 3600 * SECOND, verify_max_age: None }
    }
}

/// The kinds of trouble, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// The project, or one of its settings, cannot be read.
    ProjectUnreadable,
    /// There is no ledger.
    LedgerMissing,
    /// The ledger cannot be read whole.
    LedgerUnreadable,
    /// The last `verify` found it broken.
    VerifyFailed,
    /// The last night began and never ended.
    RunNeverEnded,
    /// The last night failed.
    LastRunFailed,
    /// A night is going on for longer than nights may be apart.
    RunStuck,
    /// No night was ever booked.
    NoRun,
    /// The last good night is too long ago.
    RunOverdue,
    /// The time of the last run is in the future: a clock is or was wrong, and no age is known.
    Clock,
    /// The journal cannot be read: what failed is not known.
    JournalUnreadable,
    /// The journal cannot be written: what fails will not be known.
    JournalUnwritable,
    /// Another command that writes began and never ended.
    CommandNeverEnded,
    /// The list of refused files cannot be read.
    SetAsideUnreadable,
    /// The last run refused files that the list lacks.
    SetAsideUnknown,
    /// Call files were refused and are not mended.
    FilesSetAside,
    /// The next night would not fit on the disk.
    DiskShort,
    /// The last good proof is too long ago.
    VerifyOverdue,
}

impl Trouble {
    /// All of them, the worst first.
    pub const ALL: [Self; 18] = [
        Self::ProjectUnreadable,
        Self::LedgerMissing,
        Self::LedgerUnreadable,
        Self::VerifyFailed,
        Self::RunNeverEnded,
        Self::LastRunFailed,
        Self::RunStuck,
        Self::NoRun,
        Self::RunOverdue,
        Self::Clock,
        Self::JournalUnreadable,
        Self::JournalUnwritable,
        Self::CommandNeverEnded,
        Self::SetAsideUnreadable,
        Self::SetAsideUnknown,
        Self::FilesSetAside,
        Self::DiskShort,
        Self::VerifyOverdue,
    ];

    /// The id in every output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ProjectUnreadable => "project-unreadable",
            Self::LedgerMissing => "ledger-missing",
            Self::LedgerUnreadable => "ledger-unreadable",
            Self::VerifyFailed => "verify-failed",
            Self::RunNeverEnded => "run-never-ended",
            Self::LastRunFailed => "last-run-failed",
            Self::RunStuck => "run-stuck",
            Self::NoRun => "no-run",
            Self::RunOverdue => "run-overdue",
            Self::Clock => "clock",
            Self::JournalUnreadable => "journal-unreadable",
            Self::JournalUnwritable => "journal-unwritable",
            Self::CommandNeverEnded => "command-never-ended",
            Self::SetAsideUnreadable => "set-aside-unreadable",
            Self::SetAsideUnknown => "set-aside-unknown",
            Self::FilesSetAside => "files-set-aside",
            Self::DiskShort => "disk-short",
            Self::VerifyOverdue => "verify-overdue",
        }
    }
}

/// A trouble, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Its kind.
    pub id: Trouble,
    /// The trouble in words.
    pub message: String,
    /// The remedy.
    pub what_to_do: String,
}

/// A command that ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CommandLine {
    /// As it was typed.
    pub command: String,
    /// When it began.
    pub began: String,
    /// When it ended, if it did.
    pub ended: Option<String>,
    /// Its duration in milliseconds.
    pub duration_ms: Option<u64>,
    /// Its exit code.
    pub exit: Option<u8>,
    /// Its error, or its result.
    pub message: Option<String>,
    /// Who ran it.
    pub user: String,
    /// Its place.
    pub host: String,
    /// Its process.
    pub pid: u32,
    /// The version of trunkrate.
    pub version: String,
}

impl CommandLine {
    /// The line of a command of the journal.
    #[must_use]
    pub fn of(ran: &Ran) -> Self {
        let (entry, end) = (&ran.entry, ran.entry.end.as_ref());
        Self {
            command: entry.command.clone(),
            began: entry.began.clone(),
            ended: end.map(|_| entry.at.clone()),
            duration_ms: end.map(|end| end.duration_ms),
            exit: end.map(|end| end.exit),
            message: end.and_then(|end| end.message.clone()),
            user: entry.user.clone(),
            host: entry.host.clone(),
            pid: entry.pid,
            version: entry.version.clone(),
        }
    }
}

/// The last night that went well and is still booked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastRun {
    /// Its run; none if it was an import that had nothing to do.
    pub run_id: Option<String>,
    /// When it was booked.
    pub booked: String,
    /// Its age in seconds; below 0 if it is in the future.
    pub age_seconds: i64,
    /// The command; `None` if the journal does not know it: then `booked` is the time of the run's
    /// file.
    pub command: Option<CommandLine>,
    /// Records by class.
    pub records: BTreeMap<String, u64>,
    /// Legs.
    pub legs: u64,
    /// Their sum by currency, as exact decimals.
    pub amount: BTreeMap<String, String>,
    /// The size of its files on disk.
    pub bytes: u64,
}

/// The suspense.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct WaitingLines {
    /// Records.
    pub records: u64,
    /// Their estimate by currency.
    pub estimate: Vec<Money>,
    /// By cause, the most money first.
    pub causes: Vec<CauseLine>,
}

/// The last proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// True if no law was broken.
    pub good: bool,
    /// The seconds since its end.
    pub age_seconds: i64,
    /// The command; its message is the result.
    #[serde(flatten)]
    pub command: CommandLine,
}

/// The room on the ledger's disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// The space that is free to this user.
    pub free_bytes: u64,
    /// The space that the next night may take.
    pub needed_bytes: u64,
}

/// The answer of `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Health {
    /// The layout.
    pub schema: &'static str,
    /// True if nothing is wrong.
    pub good: bool,
    /// All of it in a line.
    pub headline: String,
    /// When it was asked.
    pub now: String,
    /// The ledger's folder.
    pub ledger: String,
    /// All that is wrong, the worst first.
    pub problems: Vec<Problem>,
    /// The command that is going on.
    pub running: Option<CommandLine>,
    /// The last good night.
    pub last_run: Option<LastRun>,
    /// The last night that failed; if none did, the last other command.
    pub last_failure: Option<CommandLine>,
    /// The suspense.
    pub waiting: WaitingLines,
    /// Call files that were refused and are not mended.
    pub set_aside: Vec<Refused>,
    /// The last proof.
    pub verified: Option<Verified>,
    /// The room on disk, if the system says.
    pub disk: Option<Disk>,
    /// Files that could not be read, which is no trouble of the books.
    pub notes: Vec<String>,
}

impl Health {
    /// The health of something that cannot be looked at.
    #[must_use]
    pub fn of_nothing(now: Micros, ledger: &str, id: Trouble, message: &str, hint: &str) -> Self {
        let problem = Problem { id, message: message.to_owned(), what_to_do: hint.to_owned() };
        Self {
            schema: SCHEMA,
            good: false,
            headline: message.to_owned(),
            now: time::text(now),
            ledger: ledger.to_owned(),
            problems: vec![problem],
            running: None,
            last_run: None,
            last_failure: None,
            waiting: WaitingLines::default(),
            set_aside: Vec::new(),
            verified: None,
            disk: None,
            notes: Vec::new(),
        }
    }

    /// Notes that the run which asks has failed, if the journal does not say so: it may not have
    /// been written.
    pub fn has_failed(&mut self, code: u8, message: &str) {
        let says = |problem: &Problem| {
            matches!(problem.id, Trouble::LastRunFailed | Trouble::ProjectUnreadable)
        };
        if self.problems.iter().any(says) {
            return;
        }
        self.problems.push(Problem {
            id: Trouble::LastRunFailed,
            message: format!("this run failed, exit code {code}: {message}"),
            what_to_do: "mend that, and run again: nothing of it was booked".to_owned(),
        });
        self.problems.sort_by_key(|problem| problem.id);
        self.good = false;
        self.headline = worst_of(&self.problems).expect("there is one");
    }
}

/// The worst of the problems in a line; nothing if there is none.
fn worst_of(problems: &[Problem]) -> Option<String> {
    match problems {
        [] => None,
        [worst] => Some(worst.message.clone()),
        [worst, rest @ ..] => Some(format!("{}; and {} more", worst.message, rest.len())),
    }
}

/// Facts that the machine says of a ledger.
#[derive(Debug, Clone, Copy)]
pub struct Machine<'a> {
    /// The time.
    pub now: Micros,
    /// This machine's name.
    pub host: &'a str,
    /// True if a process of this number is a trunkrate that runs here.
    pub is_running: fn(u32) -> bool,
    /// The bytes that are free on the ledger's disk.
    pub free_bytes: Option<u64>,
}

/// Looks at a ledger.
///
/// # Errors
/// If the runs or what waits cannot be read.
pub fn look(ledger: &Ledger, limits: &Limits, machine: Machine<'_>) -> Result<Health, LedgerError> {
    let history = ledger.history()?;
    let waiting = waiting_of(ledger, &history)?;
    Ok(look_at((ledger, &history), waiting, limits, machine))
}

/// The suspense of a history.
///
/// # Errors
/// If it cannot be read.
pub fn waiting_of(ledger: &Ledger, history: &History) -> Result<WaitingLines, LedgerError> {
    let mut by_cause = ByCause::new(history.newest_start());
    waiting_causes::each_diagnosed(ledger, history, |found| found.add_to(&mut by_cause))?;
    WaitingLines::of(waiting_causes::lines(by_cause)?)
}

impl WaitingLines {
    /// The lines of all causes.
    ///
    /// # Errors
    /// If a sum does not fit.
    pub fn of(causes: Vec<CauseLine>) -> Result<Self, LedgerError> {
        Ok(Self {
            records: causes.iter().map(|line| line.count.records).sum(),
            estimate: sum_of(&causes).map_err(LedgerError::of_sum)?,
            causes,
        })
    }
}

/// Looks at a ledger whose history and what waits in it are read already.
#[must_use]
pub fn look_at(
    (ledger, history): (&Ledger, &History),
    waiting: WaitingLines,
    limits: &Limits,
    machine: Machine<'_>,
) -> Health {
    let journal = Journal::read(ledger);
    let mut notes = Vec::new();
    if journal.unread_lines > 0 {
        notes.push(format!("lines of the journal that cannot be read: {}", journal.unread_lines));
    }
    let nights = Nights::of(history, &journal, ledger.is_locked(), limits, machine);
    let disk = machine.free_bytes.map(|free_bytes| Disk {
        free_bytes,
        needed_bytes: nights.last_run.as_ref().map_or(0, |last| needed(last.bytes)),
    });
    let mut problems = nights.problems(history, limits, machine.now);
    problems.extend(of_journal(ledger, &journal));
    let set_aside = match set_aside::listed(ledger) {
        Ok(listed) => {
            // While a run goes on, its list may be there and its line not yet.
            let is_between = nights.running.is_some_and(is_night);
            problems.extend(of_unlisted(&journal, &listed).filter(|_| !is_between));
            listed.into_iter().filter(Refused::is_there).collect()
        }
        Err(error) => {
            problems.push(Problem {
                id: Trouble::SetAsideUnreadable,
                message: error.to_string(),
                what_to_do: error.hint.unwrap_or_default(),
            });
            Vec::new()
        }
    };
    problems.extend(of_files(&set_aside));
    problems.extend(disk.and_then(of_disk));
    problems.sort_by_key(|problem| problem.id);
    let headline =
        worst_of(&problems).unwrap_or_else(|| nights.good_headline(&waiting, machine.now));
    Health {
        schema: SCHEMA,
        good: problems.is_empty(),
        headline,
        now: time::text(machine.now),
        ledger: ledger.folder().display().to_string(),
        problems,
        running: nights.running.map(CommandLine::of),
        last_failure: nights.last_failure.map(CommandLine::of),
        verified: nights.verified.map(|ran| Verified {
            good: ran.succeeded(),
            age_seconds: seconds(machine.now, ran.ended.unwrap_or(ran.began)),
            command: CommandLine::of(ran),
        }),
        last_run: nights.last_run,
        waiting,
        set_aside,
        disk,
        notes,
    }
}

fn of_files(refused: &[Refused]) -> Option<Problem> {
    let first = refused.first()?;
    let which = match refused.len() {
        1 => "a call file was refused and is not mended".to_owned(),
        many => format!("{many} call files were refused and are not mended, the first"),
    };
    let lies = first.lies.display();
    let what_to_do = if first.is_gone() {
        // It is not seen, and its folder is not the one that it was put into.
        format!(
            "mount its disk again: {lies} is not seen, and its folder is not the one that it was \
             put into; if it is mended, take its entry out of the ledger's {}",
            set_aside::LIST
        )
    } else {
        format!("mend it, put it back and run; or take it away, if it is not needed: {lies}")
    };
    Some(Problem {
        id: Trouble::FilesSetAside,
        message: format!("{which}: {}", first.why),
        what_to_do,
    })
}

/// Files that the last run refused and the list lacks: it could not be written, or was lost.
fn of_unlisted(journal: &Journal, listed: &[Refused]) -> Option<Problem> {
    let runs = journal.commands.iter().filter(|ran| ran.entry.name == "run" && ran.succeeded());
    let end = runs.max_by_key(|ran| ran.last)?.entry.end.as_ref()?;
    let is_listed = |place: &&PathBuf| listed.iter().any(|refused| refused.lies == **place);
    let lacks = end.refused_at.iter().find(|place| !is_listed(place));
    if lacks.is_none() && listed.len() as u64 >= end.refused {
        return None;
    }
    let first = lacks.map_or_else(String::new, |place| format!(", one at {}", place.display()));
    Some(Problem {
        id: Trouble::SetAsideUnknown,
        message: format!(
            "the last run left {} refused call files, and {} lacks some of them{first}",
            end.refused,
            set_aside::LIST
        ),
        what_to_do: "look after them, see that the list can be written, and run again".to_owned(),
    })
}

/// A journal that cannot tell, or will not be able to.
fn of_journal(ledger: &Ledger, journal: &Journal) -> Option<Problem> {
    if let Some(message) = journal::why_unwritable(ledger) {
        let what_to_do = "move away what has its name, or let this user write it: until then no \
                          failed night is known";
        let id = Trouble::JournalUnwritable;
        return Some(Problem { id, message, what_to_do: what_to_do.to_owned() });
    }
    let message = journal.unread.clone()?;
    let what_to_do =
        "let this user read it, or move it away; it is no part of the books".to_owned();
    Some(Problem { id: Trouble::JournalUnreadable, message, what_to_do })
}

fn of_disk(disk: Disk) -> Option<Problem> {
    (disk.free_bytes < disk.needed_bytes).then(|| Problem {
        id: Trouble::DiskShort,
        message: format!(
            "{} are free on the ledger's disk; the next night may take {}",
            bytes_text(disk.free_bytes),
            bytes_text(disk.needed_bytes)
        ),
        what_to_do: "make room, or move the ledger to a larger disk".to_owned(),
    })
}

/// The room for the next night, where the last one took so many bytes: its files, as much again for
/// what spills while it is rated, and the catalog that is made anew.
fn needed(last: u64) -> u64 {
    2 * last + (16 << 20)
}

/// The health of a ledger, also of one that is not there or cannot be read.
#[must_use]
pub fn of(ledger: &Ledger, limits: &Limits, machine: Machine<'_>) -> Health {
    let name = ledger.folder().display().to_string();
    let none = |id, error: &FileError| {
        let hint = error.hint.as_deref().unwrap_or("");
        Health::of_nothing(machine.now, &name, id, &error.to_string(), hint)
    };
    match ledger.exists() {
        Ok(true) => {}
        Ok(false) => {
            let error = FileError::new(ledger.folder(), "there is no ledger")
                .hint("`trunkrate run` makes it; --ledger names another");
            return none(Trouble::LedgerMissing, &error);
        }
        Err(error) => return none(Trouble::LedgerUnreadable, &error),
    }
    look(ledger, limits, machine).unwrap_or_else(|error| match error {
        LedgerError::File(error) => none(Trouble::LedgerUnreadable, &error),
        error => {
            none(Trouble::LedgerUnreadable, &FileError::new(ledger.folder(), error.to_string()))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_short_below_twice_the_last_night() {
        let needed_bytes = needed(100 << 20);
        assert_eq!(needed_bytes, 216 << 20);
        let disk = |free_bytes| of_disk(Disk { free_bytes, needed_bytes });
        assert_eq!(disk(216 << 20), None);
        assert_eq!(disk((216 << 20) - 1).map(|problem| problem.id), Some(Trouble::DiskShort));
    }

    #[test]
    fn each_trouble_has_its_own_id_and_its_place() {
        let ids: std::collections::BTreeSet<&str> =
            Trouble::ALL.iter().map(|trouble| trouble.as_str()).collect();
        assert_eq!(ids.len(), Trouble::ALL.len());
        assert!(Trouble::ALL.is_sorted());
        for trouble in Trouble::ALL {
            assert_eq!(serde_json::json!(trouble), trouble.as_str());
        }
    }
}
