//! A waiting version of a call in place of the booked one, without undoing the run of that one.
//!
//! ```text
//! the waiting version ──rated by the inputs of the last run──▶ its legs and its row of the log ─┐
//! the booked version  ──its legs with the opposite amounts──────────────────────────────────────┼─▶ one run
//! all else that waits ──as it is────────────────────────────────────────────────────────────────┘
//! ```
//!
//! **Invariant:** the sum of all legs of the call is what the chosen version costs. What would make
//! any bill wrong is refused with what to do: a leg that an invoice bills, and a transfer of the
//! call that was rated by what the two versions say otherwise.
//!
//! # Why the inputs of the last run
//! The call was rated, and its other version waits; nothing else is to change. By the archived
//! inputs no deck, list or setting that was edited since comes in unseen. A new deck comes in by a
//! run.

use super::book;
use super::left::LeftBehind;
use super::run::LoadedNight;
use crate::ledger::index::find;
use crate::ledger::invoices::billed_by::{BilledBy, month_of, uncredited};
use crate::ledger::manifest::RunKind;
use crate::ledger::runs::stage::Staged;
use crate::ledger::runs::taken_back::TakenBack;
use crate::ledger::tables::columns::LOG_COLUMNS;
use crate::ledger::tables::file::frame;
use crate::ledger::tables::log_row::LogRow;
use crate::ledger::tables::places::Places;
use crate::ledger::tables::stored::{Rows, text};
use crate::ledger::tables::waits;
use crate::ledger::{Dataset, History, Ledger, LedgerError, Lock, Run};
use crate::night::Class;
use crate::partition::spill::Memory;
use crate::policy::ChainedTransfers;
use crate::report::waiting_causes::inputs_of;
use crate::sid::Sid;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// The choice of a person.
#[derive(Debug, Clone)]
pub struct VersionReplacement {
    /// The place of the version that is taken, in the suspense.
    pub taken: usize,
    /// The places of other waiting versions, which are written off.
    pub others: Places,
    /// The reason, in a person's words.
    pub reason: String,
}

/// The reason why a version cannot take the place of the booked one.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A bill would be wrong.
    #[error("{problem}")]
    Refused {
        /// The problem.
        problem: String,
        /// The decision.
        hint: String,
    },
}

fn refused(problem: String, hint: impl Into<String>) -> ReplaceError {
    ReplaceError::Refused { problem, hint: hint.into() }
}

/// Takes a waiting version of a call in place of the booked one: `booked` is the row of the log
/// that counts, in `run`. Returns the summary of the run that is booked.
///
/// # Errors
/// See [`ReplaceError`]; nothing is changed then.
pub fn replace(
    (ledger, lock): (&Ledger, &Lock),
    history: &mut History,
    (booked, run): (LogRow, &Run),
    what: VersionReplacement,
) -> Result<book::Summary, ReplaceError> {
    let call = booked.call_sid.clone();
    let back = TakenBack::read(run, booked)?;
    refuse_billed(history, &back)?;
    let inputs = inputs_of(ledger, history)
        .map_err(LedgerError::from)?
        .expect("a call was booked by a run with decks");
    let taken: Places = [what.taken].into_iter().collect();
    let waiting = waits::of_history(history)?.only(Some(taken.clone()));
    let place = (Memory::of_machine(), lock.staging.as_path());
    let progress = Arc::new(AtomicU64::new(0));
    let mut night =
        LoadedNight::read(inputs, &[], waiting, place, &progress).map_err(LedgerError::from)?;
    night.replaces = Some(Sid::of(&call).0);
    let mut session = night.settle(history)?;
    let ended = |class: Class| session.tally().of(class).records;
    if ended(Class::Rated) + ended(Class::Free) != 1 {
        let why = session.suspended_by_reason().keys().next();
        let why = why.map_or("it is no call of a trunk", |reason| reason.as_str());
        return Err(refused(
            format!("the chosen version of {call} cannot be billed: {why}"),
            "mend that first, so that the next run tries it by new inputs; then choose again. \
             `suspense close` writes it off, and the booked one stands",
        ));
    }
    session.leave(
        history,
        LeftBehind { taken, closed: what.others, reason: what.reason, changes: Some(call.clone()) },
    )?;
    // On a transfer others hang only where a transfer may be transferred again.
    let may_have_transfers = back.call.parent_call_sid.is_empty()
        || history.policy().chained_transfers == ChainedTransfers::Root;
    let family =
        if may_have_transfers { find::family(history, back.call.root())? } else { Vec::new() };
    let before = back.call.clone();
    session.takes_back = Some(back);
    let mut stops = None;
    let booked =
        book::book_if(ledger, lock, history, &session, (RunKind::Resolve.into(), None), |staged| {
            match stands_against(&before, &staged_row(staged)?, &family) {
                None => Ok(()),
                Some(problem) => {
                    stops = Some(problem);
                    Err(LedgerError::Unbalanced("it was refused".to_owned()))
                }
            }
        });
    match stops {
        Some(problem) => Err(problem),
        None => Ok(booked?),
    }
}

/// Refuses a version with a leg that an invoice in force bills.
fn refuse_billed(history: &History, back: &TakenBack) -> Result<(), ReplaceError> {
    let claims = BilledBy::of(&history.issued);
    let (account, run) = (&back.call.account_sid, &back.replaced.run_id);
    let own = claims.on(account, &back.call.currency);
    let billed = (back.count() > 0)
        .then(|| uncredited(own, run, month_of(back.call.start)))
        .flatten()
        .map(|claim| claim.entry.number.clone());
    let Some(number) = billed else { return Ok(()) };
    let call = &back.call.call_sid;
    let credited = crate::ledger::batch::credit_of(&history.issued, &number);
    Err(match credited {
        Some((_, note)) => refused(
            format!(
                "the booked version of {call} is on the invoice {number}, which {} credits for \
                 good",
                note.number
            ),
            "no invoice bills that call again: write the waiting version off with `suspense close`",
        ),
        None => refused(
            format!("the booked version of {call} is on the invoice {number}"),
            format!(
                "`trunkrate invoice credit {number} --rebill --reason TEXT` takes the invoice \
                 back; then choose again, and `trunkrate invoice issue` bills the chosen version"
            ),
        ),
    })
}

/// The row of the log of the staged run.
fn staged_row(staged: &Staged) -> Result<LogRow, LedgerError> {
    let paths = staged.files_of(Dataset::Calls);
    let path = paths.first().map_or(Path::new("calls"), |path| path.as_path());
    let read = frame(path, &LOG_COLUMNS)?;
    let rows = LogRow::all(&Rows::new(path, 0, &read))?;
    assert_eq!((paths.len(), rows.len()), (1, 1), "one call was rated");
    assert_eq!(text(&read, "call_sid").len(), 1, "one call was rated");
    Ok(rows.into_iter().next().expect("as was asserted"))
}

/// The transfers that were rated by what the two versions of a call say otherwise.
fn stands_against(before: &LogRow, after: &LogRow, family: &[LogRow]) -> Option<ReplaceError> {
    let call = &before.call_sid;
    let below: Vec<&LogRow> = family
        .iter()
        .filter(|row| row.call_sid != *call && !row.parent_call_sid.is_empty())
        .collect();
    let facts = |row: &LogRow| {
        let all = [
            ("parent_call_sid", &row.parent_call_sid),
            ("account_sid", &row.account_sid),
            ("trunk_sid", &row.trunk_sid),
            ("direction", &row.direction),
            ("from", &row.from),
            ("to", &row.to),
        ];
        // A transfer of a transfer hangs on the root, and on whose call it is.
        let is_root = before.parent_call_sid.is_empty();
        all.into_iter()
            .filter(|(name, _)| is_root || ["parent_call_sid", "account_sid"].contains(name))
            .map(|(name, text)| (name, text.clone()))
            .collect::<Vec<_>>()
    };
    let (old, new) = (facts(before), facts(after));
    let differ: Vec<&str> =
        old.iter().zip(&new).filter(|(a, b)| a != b).map(|((name, _), _)| *name).collect();
    // A transfer may start a minute before its parent, and no more (`child-before-parent`).
    let early = below.iter().any(|row| {
        before.parent_call_sid.is_empty() && row.start < after.start - crate::time::SECOND * 60
    });
    if below.is_empty() || differ.is_empty() && !early {
        return None;
    }
    let what = if differ.is_empty() { "start_time".to_owned() } else { differ.join(", ") };
    let runs: BTreeSet<&str> = below.iter().map(|row| row.run_id.as_str()).collect();
    let runs: Vec<&str> = runs.into_iter().collect();
    Some(refused(
        format!(
            "transfers of {call} were rated by the booked version, and the chosen one says \
             otherwise: {what}; nothing was changed"
        ),
        format!(
            "undo the runs that booked them ({}), choose, and run their call files again",
            runs.join(", ")
        ),
    ))
}
