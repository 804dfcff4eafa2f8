//! The runs of a ledger as people list them: every run ever published, and the nights that failed.

use crate::ledger::History;
use crate::ledger::journal::{Journal, Ran};
use crate::ledger::manifest::Manifest;
use crate::ledger::undone::Undone;
use crate::report::health::is_night;
use crate::report::health::words::{stamp, took_text};

/// A line of the list.
#[derive(Debug)]
pub enum RunRow<'a> {
    /// A run, with its undo, and the command that booked it.
    Run(&'a Manifest, Option<&'a Undone>, Option<&'a Ran>),
    /// A night that booked nothing.
    Failed(&'a Ran),
}

impl RunRow<'_> {
    /// `booked`, `undone`, `failed` or `never-ended`.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match self {
            Self::Run(_, None, _) => "booked",
            Self::Run(_, Some(_), _) => "undone",
            Self::Failed(ran) if ran.failed() => "failed",
            Self::Failed(_) => "never-ended",
        }
    }

    /// The command that booked it, or that failed.
    #[must_use]
    pub fn command(&self) -> Option<&Ran> {
        match self {
            Self::Run(_, _, command) => *command,
            Self::Failed(ran) => Some(ran),
        }
    }

    /// When it was booked, by whom, and how long that took, as far as the journal knows.
    #[must_use]
    pub fn how(&self) -> [String; 3] {
        let Some(ran) = self.command() else { return [(); 3].map(|()| String::new()) };
        let (entry, end) = (&ran.entry, ran.entry.end.as_ref());
        [
            stamp(ran.ended.unwrap_or(ran.began)),
            format!("{}@{}", entry.user, entry.host),
            end.map_or_else(String::new, |end| took_text(end.duration_ms)),
        ]
    }
}

/// Every run ever published, oldest first, between them the nights that failed; then those that
/// were undone.
#[must_use]
pub fn rows<'a>(history: &'a History, journal: &'a Journal) -> Vec<RunRow<'a>> {
    let last = journal.commands.last();
    let failed = journal.commands.iter().filter(|ran| {
        // The last command may still be going on: `status` says.
        let is_open = ran.ended.is_none() && last.is_some_and(|last| std::ptr::eq(last, *ran));
        is_night(ran) && !ran.succeeded() && !is_open
    });
    let mut failed = failed.peekable();
    let mut rows = Vec::new();
    for run in &history.runs {
        let command = journal.booked(&run.manifest.run_id);
        if let Some(command) = command {
            while let Some(before) = failed.next_if(|ran| ran.first < command.first) {
                rows.push(RunRow::Failed(before));
            }
        }
        rows.push(RunRow::Run(&run.manifest, None, command));
    }
    rows.extend(failed.map(RunRow::Failed));
    rows.extend(history.undone.iter().map(|undone| {
        let manifest = &undone.run.manifest;
        RunRow::Run(manifest, Some(undone), journal.booked(&manifest.run_id))
    }));
    rows
}

/// The sums of a run's legs.
#[must_use]
pub fn amount(manifest: &Manifest) -> String {
    manifest
        .amount
        .iter()
        .map(|(currency, amount)| format!("{amount} {currency}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The reason that a person gave, the imported night, or the files that were read.
#[must_use]
pub fn about(manifest: &Manifest, undone: Option<&Undone>) -> String {
    if let (None, Some(night)) = (undone, &manifest.imported) {
        return format!("published night {} of {}", night.sequence, night.engine);
    }
    match (undone, &manifest.reason, manifest.inputs.as_slice()) {
        (Some(undone), ..) => format!("undone: {}", undone.reason),
        (None, Some(reason), _) => reason.clone(),
        (None, None, []) => String::new(),
        (None, None, [file]) => file.name.clone(),
        (None, None, [file, rest @ ..]) => format!("{} and {} more", file.name, rest.len()),
    }
}
