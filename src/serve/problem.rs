//! The reasons why a request has no page, as a page and as `application/problem+json` (RFC 9457).

use crate::inputs::file::FileError;
use crate::ledger::LedgerError;
use crate::report::asked::AskError;

/// A reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestProblem {
    /// The status.
    pub status: u16,
    /// The problem.
    pub detail: String,
    /// Advice on it.
    pub hints: Vec<String>,
    /// True if the ledger may have changed while it was read: then it is read again.
    pub may_have_moved: bool,
}

impl RequestProblem {
    /// A problem with a status.
    #[must_use]
    pub fn new(status: u16, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), hints: Vec::new(), may_have_moved: false }
    }

    /// Something that is not there.
    #[must_use]
    pub fn none(detail: impl Into<String>) -> Self {
        Self::new(404, detail)
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl From<LedgerError> for RequestProblem {
    fn from(error: LedgerError) -> Self {
        let hint = match &error {
            LedgerError::File(error) => error.hint.clone(),
            _ => None,
        };
        let problem = Self { may_have_moved: true, ..Self::new(500, error.to_string()) };
        hint.into_iter().fold(problem, Self::hint)
    }
}

impl From<FileError> for RequestProblem {
    fn from(error: FileError) -> Self {
        LedgerError::from(error).into()
    }
}

impl From<AskError> for RequestProblem {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Ledger(error) => error.into(),
            AskError::Asked { is_wrong, message, hints } => {
                let problem = Self::new(if is_wrong { 400 } else { 404 }, message);
                hints.into_iter().fold(problem, Self::hint)
            }
        }
    }
}
