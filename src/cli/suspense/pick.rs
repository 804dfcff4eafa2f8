//! Suspended records picked by flags: by cause, reason, account and time.

use crate::cli::args::suspense::Picks;
use crate::cli::calls::{account_of, names_of};
use crate::cli::error::CliError;
use crate::cli::project::Project;
use crate::cli::run::times;
use crate::inputs::record_text::RecordText;
use crate::ledger::tables::suspense::SuspenseRow;
use crate::ledger::{History, Ledger};
use crate::policy::Policy;
use crate::record::Record;
use crate::reject::Reason;
use crate::report::causes::{Cause, reason_of};
use crate::time::{Micros, NO_TIME};
use std::ops::Range;

/// The conditions that a picked record meets.
pub struct Picked {
    causes: Vec<String>,
    reasons: Vec<String>,
    account: Option<String>,
    times: Option<Range<Micros>>,
    policy: Policy,
}

impl Picked {
    /// Reads the flags.
    ///
    /// # Errors
    /// If a cause, reason, account or time is none.
    pub fn of(
        picks: &Picks,
        reasons: &[String],
        (project, ledger, history): (&Project, &Ledger, &History),
    ) -> Result<Self, CliError> {
        check_reasons("--reason", reasons.iter().map(String::as_str))?;
        check_reasons("--cause", picks.cause.iter().map(|cause| reason_of(cause)))?;
        let account = match &picks.account {
            Some(text) => {
                let names = names_of(project, ledger, history)?;
                Some(account_of(&names, history, "--account ", text)?)
            }
            None => None,
        };
        Ok(Self {
            causes: picks.cause.clone(),
            reasons: reasons.to_vec(),
            account,
            times: times(&picks.times)?,
            policy: history.policy(),
        })
    }

    /// True if any record is one that is picked by its cause: then each must be diagnosed.
    pub fn asks_cause(&self) -> bool {
        !self.causes.is_empty()
    }

    /// True if every record is picked.
    pub fn is_all(&self) -> bool {
        self.causes.is_empty()
            && self.reasons.is_empty()
            && self.account.is_none()
            && self.times.is_none()
    }

    /// True if a record is picked, but for its cause.
    pub fn has_row(&self, row: &SuspenseRow) -> bool {
        (self.reasons.is_empty() || self.reasons.contains(&row.reason))
            && self.account.as_ref().is_none_or(|account| row.account_sid == *account)
            && self.times.as_ref().is_none_or(|times| started_in(row, times, &self.policy))
    }

    /// True if a record with this cause is picked.
    pub fn has(&self, row: &SuspenseRow, cause: &Cause) -> bool {
        (self.causes.is_empty() || self.causes.iter().any(|text| cause.is_named(text)))
            && self.has_row(row)
    }
}

/// True if a record's start time is in the range; one that cannot be read is in none.
fn started_in(row: &SuspenseRow, times: &Range<Micros>, policy: &Policy) -> bool {
    let Some(text) = RecordText::kept(&row.record, &row.header) else { return false };
    let start = text.with_fields(|fields| Some(Record::read(fields?, policy).start));
    start.filter(|start| *start != NO_TIME).is_some_and(|start| times.contains(&start))
}

fn check_reasons<'a>(
    flag: &str,
    mut reasons: impl Iterator<Item = &'a str>,
) -> Result<(), CliError> {
    let Some(text) = reasons.find(|text| Reason::parse(text).is_none()) else { return Ok(()) };
    let known = Reason::ALL.map(Reason::as_str).join(", ");
    Err(CliError::usage(format!("{flag} {text}: there is no such reason"))
        .hint(format!("reasons: {known}")))
}

/// The error where no record is picked.
pub fn nothing_is_picked() -> CliError {
    CliError::failed("no record waits that the flags pick")
        .hint("`trunkrate suspense` names the causes; with the same flags it lists what they pick")
}
