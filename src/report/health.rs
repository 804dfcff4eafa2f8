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
use crate::ledger::journal::{Journal, Ran};
use crate::ledger::set_aside::{self, Refused};
use crate::ledger::{Ledger, LedgerError};
use crate::report::causes::{ByCause, CauseLine, sum_of};
use crate::report::lines::Money;
use crate::report::waiting_causes;
use crate::time::{self, Micros, SECOND};
use nights::Nights;
pub use nights::{is_night, printed_with};
use serde::Serialize;
use std::collections::BTreeMap;
use words::{bytes_text, seconds};

/// The name and version of this layout.
pub const SCHEMA: &str = "trunkrate-status/1";

/// How old things may be.
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
    /// Another command that writes began and never ended.
    CommandNeverEnded,
    /// Call files were refused and are not mended.
    FilesSetAside,
    /// The next night would not fit on the disk.
    DiskShort,
    /// The last good proof is too long ago.
    VerifyOverdue,
}

impl Trouble {
    /// All of them, the worst first.
    pub const ALL: [Self; 13] = [
        Self::ProjectUnreadable,
        Self::LedgerMissing,
        Self::LedgerUnreadable,
        Self::VerifyFailed,
        Self::RunNeverEnded,
        Self::LastRunFailed,
        Self::RunStuck,
        Self::NoRun,
        Self::RunOverdue,
        Self::CommandNeverEnded,
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
            Self::CommandNeverEnded => "command-never-ended",
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
    /// What is wrong.
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
    /// How long it took, in milliseconds.
    pub duration_ms: Option<u64>,
    /// Its exit code.
    pub exit: Option<u8>,
    /// Its error, or its result.
    pub message: Option<String>,
    /// Who ran it.
    pub user: String,
    /// Where.
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
    /// How long ago, in seconds.
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
    /// What its files take on disk.
    pub bytes: u64,
}

/// What waits.
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
    /// How long ago it ended, in seconds.
    pub age_seconds: i64,
    /// The command; its message is the result.
    #[serde(flatten)]
    pub command: CommandLine,
}

/// The room on the ledger's disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// What is free to this user.
    pub free_bytes: u64,
    /// What the next night may take.
    pub needed_bytes: u64,
}

/// What `status` says.
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
    /// The last command that failed, whichever it was.
    pub last_failure: Option<CommandLine>,
    /// What waits.
    pub waiting: WaitingLines,
    /// Call files that were refused and are not mended.
    pub set_aside: Vec<Refused>,
    /// The last proof.
    pub verified: Option<Verified>,
    /// The room on disk, if the system says.
    pub disk: Option<Disk>,
    /// What could not be read, and is no trouble of the books.
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
}

/// What the machine says of a ledger.
#[derive(Debug, Clone, Copy)]
pub struct Machine<'a> {
    /// The time.
    pub now: Micros,
    /// This machine's name.
    pub host: &'a str,
    /// Whether a process of this number is a trunkrate that runs here.
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
    let journal = Journal::read(ledger);
    let mut notes: Vec<String> = journal.unread.iter().cloned().collect();
    if journal.unread_lines > 0 {
        notes.push(format!("lines of the journal that cannot be read: {}", journal.unread_lines));
    }
    let set_aside = set_aside::unmended(ledger).unwrap_or_else(|e| {
        notes.push(e.to_string());
        Vec::new()
    });
    let mut by_cause = ByCause::new(history.newest_start());
    waiting_causes::each_diagnosed(ledger, &history, |found| found.add_to(&mut by_cause))?;
    let causes = waiting_causes::lines(by_cause)?;
    let waiting = WaitingLines {
        records: causes.iter().map(|line| line.count.records).sum(),
        estimate: sum_of(&causes).map_err(LedgerError::of_sum)?,
        causes,
    };
    let nights = Nights::of(&history, &journal, ledger.is_locked(), limits, machine);
    let disk = machine.free_bytes.map(|free_bytes| Disk {
        free_bytes,
        needed_bytes: nights.last_run.as_ref().map_or(0, |last| needed(last.bytes)),
    });
    let mut problems = nights.problems(&history, limits, machine.now);
    problems.extend(of_files(&set_aside));
    problems.extend(disk.and_then(of_disk));
    problems.sort_by_key(|problem| problem.id);
    let headline = match problems.split_first() {
        Some((worst, [])) => worst.message.clone(),
        Some((worst, rest)) => format!("{}; and {} more", worst.message, rest.len()),
        None => nights.good_headline(&waiting, machine.now),
    };
    Ok(Health {
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
    })
}

fn of_files(refused: &[Refused]) -> Option<Problem> {
    let first = refused.first()?;
    let which = match refused.len() {
        1 => "a call file was refused and is not mended".to_owned(),
        many => format!("{many} call files were refused and are not mended, the first"),
    };
    Some(Problem {
        id: Trouble::FilesSetAside,
        message: format!("{which}: {}", first.why),
        what_to_do: format!(
            "mend it, put it back and run; or take it away, if it is not needed: {}",
            first.lies.display()
        ),
    })
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
