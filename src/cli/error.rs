//! The failures that end a command early, and their exit codes.

use crate::inputs::file::FileError;
use crate::invoicing::error::IssueError;
use crate::job::replace::ReplaceError;
use crate::ledger::LedgerError;
use crate::render::FormatError;
use crate::report::asked::AskError;
use std::process::ExitCode;

/// Kinds of failure; each has one exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// A failure. Nothing was booked, except where the output says so.
    Failed,
    /// A wrong command line.
    Usage,
    /// More records would be suspended than `--max-suspended` allows; nothing was booked.
    TooManySuspended,
    /// Another run holds the ledger's lock.
    InUse,
    /// The reader of our output closed the pipe: no failure.
    BrokenPipe,
    /// `status` found something wrong, and has said so on stdout.
    Wrong,
}

/// A failure as the user sees it.
#[derive(Debug)]
pub struct CliError {
    kind: FailureKind,
    message: String,
    hints: Vec<String>,
}

impl CliError {
    /// A failure of the given kind.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hints: Vec::new() }
    }

    /// A plain failure.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Failed, message)
    }

    /// A wrong command line.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Usage, message)
    }

    /// Adds a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The exit code of `status` when something is wrong.
    pub fn wrong() -> Self {
        Self::new(FailureKind::Wrong, "")
    }

    /// The message: the problem.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The hints: advice on the problem.
    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    /// Its exit code.
    pub fn code(&self) -> u8 {
        match self.kind {
            FailureKind::BrokenPipe => 0,
            FailureKind::Failed | FailureKind::Wrong => 1,
            FailureKind::Usage => 2,
            FailureKind::TooManySuspended => 3,
            FailureKind::InUse => 4,
        }
    }

    /// Prints the failure and gives its exit code.
    pub fn report(self) -> ExitCode {
        if !matches!(self.kind, FailureKind::BrokenPipe | FailureKind::Wrong) {
            super::term::report("error", &self.message);
            for hint in &self.hints {
                super::term::report("hint", hint);
            }
        }
        ExitCode::from(self.code())
    }
}

impl From<FileError> for CliError {
    fn from(error: FileError) -> Self {
        let failed = Self::failed(error.to_string());
        match error.hint {
            Some(hint) => failed.hint(hint),
            None => failed,
        }
    }
}

impl From<LedgerError> for CliError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::File(error) => error.into(),
            LedgerError::InUse { .. } => Self::new(FailureKind::InUse, error.to_string())
                .hint("wait until it has ended; nothing was booked by this one"),
            LedgerError::Catalog { .. } => Self::failed(error.to_string()).hint(
                "the catalog is only an index: move it away, and the next run makes it again",
            ),
            _ => Self::failed(error.to_string()),
        }
    }
}

impl From<AskError> for CliError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Ledger(error) => error.into(),
            AskError::Asked { is_wrong, message, hints } => {
                let error = if is_wrong { Self::usage(message) } else { Self::failed(message) };
                hints.into_iter().fold(error, Self::hint)
            }
        }
    }
}

impl From<ReplaceError> for CliError {
    fn from(error: ReplaceError) -> Self {
        match error {
            ReplaceError::Ledger(error) => error.into(),
            ReplaceError::Refused { problem, hint } => Self::failed(problem).hint(hint),
        }
    }
}

impl From<IssueError> for CliError {
    fn from(error: IssueError) -> Self {
        match error {
            IssueError::Ledger(error) => error.into(),
            IssueError::File(error) => error.into(),
            IssueError::BeforeCredit { ref credited_on, .. } => {
                let hint = format!(
                    "date it {credited_on} or later: an invoice bills again only what was \
                     credited before it"
                );
                Self::failed(error.to_string()).hint(hint)
            }
            IssueError::Series(_) => Self::failed(error.to_string()).hint(
                "give that date or a later one; where it was a mistake, \
                 another [seller] id with an invoice.number_prefix of its own \
                 begins another series",
            ),
            IssueError::Taken { .. } => Self::failed(error.to_string())
                .hint("give this seller another invoice.number_prefix"),
            IssueError::Unknown(_) => {
                Self::failed(error.to_string()).hint("`trunkrate invoice list` lists them")
            }
            IssueError::Part { problem, hint } => Self::failed(problem).hint(hint),
            IssueError::CreditedInPart { .. } => Self::failed(error.to_string())
                .hint("credit what is left of it in part, too: --lines, --calls or --amount"),
            IssueError::Build { .. }
            | IssueError::IsCredit { .. }
            | IssueError::Credited { .. }
            | IssueError::BeforeInvoice { .. }
            | IssueError::LateCredit { .. } => Self::failed(error.to_string()),
            IssueError::Seller { .. } => Self::failed(error.to_string())
                .hint("an invoice says who sells; docs, Settings, shows what [seller] may have"),
            IssueError::TaxCategory(_) => Self::failed(error.to_string()).hint(
                "it is the tax of accounts that say none: standard (with tax_rate), zero, \
                 reverse-charge, exempt or outside-scope",
            ),
            IssueError::Account(_) => Self::failed(error.to_string())
                .hint("an account is named by its id, as the calls have it"),
            IssueError::Earlier { ref month, .. } => {
                let hint = format!("issue it first: `trunkrate invoice issue --period {month}`");
                Self::failed(error.to_string()).hint(hint)
            }
        }
    }
}

impl From<FormatError> for CliError {
    fn from(error: FormatError) -> Self {
        match error {
            FormatError::File(error) => error.into(),
            FormatError::Document { .. } => Self::failed(error.to_string()),
        }
    }
}

impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::new(FailureKind::BrokenPipe, "");
        }
        Self::failed(format!("the output cannot be written: {error}"))
    }
}

impl From<csv::Error> for CliError {
    fn from(error: csv::Error) -> Self {
        match error.into_kind() {
            csv::ErrorKind::Io(error) => error.into(),
            kind => Self::failed(format!("the output cannot be written: {kind:?}")),
        }
    }
}

impl From<serde_json::Error> for CliError {
    fn from(error: serde_json::Error) -> Self {
        std::io::Error::from(error).into()
    }
}
