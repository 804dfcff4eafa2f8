//! Booking a settled run: counts and sums held against each other, the manifest, the rename.

use super::left::Left;
use super::run::SettledRun;
use crate::inputs::calls_json::Neighbour;
use crate::inputs::file::FileError;
use crate::ledger::index::{catalog, volumes};
use crate::ledger::manifest::{DeckEntry, Imported, Manifest, RunKind, SuspenseAccount};
use crate::ledger::runs::sort::{RateNumbers, SortScratch};
use crate::ledger::runs::stage::{self, Staged};
use crate::ledger::runs::taken_back::TakenBack;
use crate::ledger::runs::undo::Replacement;
use crate::ledger::undone;
use crate::ledger::{Dataset, History, Ledger, LedgerError, Lock};
use crate::money::Total;
use crate::night::{Class, Tally};
use crate::record::Field;
use crate::reject::Reason;
use crate::time::{self};
use std::collections::BTreeMap;

/// The result of a run.
#[derive(Debug, Clone)]
pub struct Summary {
    /// The run; `None` if nothing was booked.
    pub run_id: Option<String>,
    /// Records and seconds by class.
    pub tally: Tally,
    /// Suspended records by reason.
    pub suspended_by_reason: BTreeMap<Reason, u64>,
    /// Ignored records by their direction.
    pub ignored_by_direction: BTreeMap<String, u64>,
    /// Ignored records of the call files: the others waited.
    pub ignored_of_files: u64,
    /// Pages beside which another page was missing: the file, the missing neighbour, and its
    /// address.
    pub incomplete: Vec<(String, Neighbour, String)>,
    /// Calls booked with an unknown origin because their caller was mangled
    /// ([`crate::policy::MangledCaller::Unknown`]).
    pub mangled_callers: u64,
    /// Of each call file: the columns that were not read, and the field that each resembles.
    pub unread: Vec<(String, Vec<(String, Field)>)>,
    /// Legs booked.
    pub legs: u64,
    /// The sum of the legs, by currency.
    pub amount: BTreeMap<String, Total>,
    /// The number of calls of each account that the accounts file lacks.
    pub unlisted_accounts: BTreeMap<String, u64>,
    /// Notes on calls that were booked but are worth a look.
    pub notes: Vec<String>,
    /// Failures after the run was booked.
    pub warnings: Vec<String>,
}

/// Books a settled night as a run of the ledger, and adds it to the history.
///
/// # Errors
/// If a conservation law does not hold, a file changed, or anything cannot be written; then nothing
/// is booked.
pub fn book(
    ledger: &Ledger,
    lock: &Lock,
    history: &mut History,
    session: &SettledRun,
    kind: RunKind,
) -> Result<Summary, LedgerError> {
    book_if(ledger, lock, history, session, (kind.into(), None), |_| Ok(()))
}

/// Books a settled night in the place of other runs, like [`book`]: the rename that books it takes
/// them back. The history is without them.
///
/// # Errors
/// As [`book`]; then nothing is taken back either.
pub fn book_in_place_of(
    ledger: &Ledger,
    lock: &Lock,
    history: &mut History,
    session: &SettledRun,
    replaced: &Replacement,
) -> Result<Summary, LedgerError> {
    let how = Booking { kind: RunKind::Run, replaced: Some(replaced) };
    book_if(ledger, lock, history, session, (how, None), |_| Ok(()))
}

/// The manner in which a run is booked.
#[derive(Debug, Clone, Copy)]
pub struct Booking<'a> {
    kind: RunKind,
    /// The runs that it is booked in the place of.
    replaced: Option<&'a Replacement>,
}

impl From<RunKind> for Booking<'_> {
    fn from(kind: RunKind) -> Self {
        Self { kind, replaced: None }
    }
}

/// Books a settled night like [`book`], if `agreed` accepts the staged run; notes the source of an
/// imported one.
///
/// # Errors
/// As [`book`]; also the error of `agreed`.
pub fn book_if(
    ledger: &Ledger,
    lock: &Lock,
    history: &mut History,
    session: &SettledRun,
    (how, imported): (Booking<'_>, Option<Imported>),
    agreed: impl FnOnce(&Staged) -> Result<(), LedgerError>,
) -> Result<Summary, LedgerError> {
    let tally = session.tally();
    if !tally.conserves() {
        return Err(LedgerError::Unbalanced(format!("records or seconds were lost: {tally:?}")));
    }
    let previous = history.last();
    let run_id = session.run_id(previous);
    let mut staged = Staged::begin(lock, &run_id)?;
    let rates = RateNumbers::new(&session.inputs.decks.decks);
    staged.write_books(&session.books_of(&rates, &SortScratch::default(), &run_id))?;
    agreed(&staged)?;
    if let Some(back) = &session.takes_back {
        staged.write_taken_back(back.day(), &back.opposite(&run_id)?)?;
    }
    session.write_suspense(&mut staged)?;
    let ignored_by_direction = session.write_ignored(&mut staged)?;
    staged.write_prices(&session.ends.late_prices)?;
    check_counts(session, &tally, &staged)?;
    staged.check_totals()?;
    session.reading.check_unchanged()?;
    let carrier_prices = session.ends.noted.carrier_prices(&session.reading)?;
    let without_records = session.reading.files.iter().filter(|file| file.rows == 0);
    let mut notes: Vec<String> =
        without_records.map(|file| format!("{}: has no record", file.path.name)).collect();
    notes.extend(session.ends.noted.notes(&carrier_prices));
    let summary = Summary {
        run_id: Some(run_id),
        notes,
        tally,
        suspended_by_reason: session.suspended_by_reason().clone(),
        ignored_by_direction,
        ignored_of_files: session.ignored_of_files(),
        incomplete: session.reading.incomplete(),
        mangled_callers: session.ends.mangled_callers,
        unread: session
            .reading
            .files
            .iter()
            .map(|file| (file.path.name.clone(), file.unread.clone()))
            .collect(),
        legs: staged.legs,
        amount: staged.amount.clone(),
        unlisted_accounts: session.unlisted_accounts(),
        warnings: Vec::new(),
    };
    let manifest = Manifest {
        imported,
        carrier_prices,
        ..manifest(session, &summary, previous, &mut staged, how.kind)
    };
    if !manifest.suspense.balances() {
        return Err(LedgerError::Unbalanced(format!(
            "suspense does not balance: {:?}",
            manifest.suspense
        )));
    }
    archive_inputs(ledger, lock, session, &manifest)?;
    let record = |manifest: &Manifest| match how.replaced {
        Some(replaced) => replaced.record(ledger, lock, manifest),
        None => Ok(Vec::new()),
    };
    let (run, mut undone) = staged.publish_after(ledger, manifest, record)?;
    // The run is booked: a failure from here on cannot unbook it.
    let moved = undone::finish(ledger, &mut undone);
    history.runs.push(run);
    history.undone.extend(undone);
    let mut warnings: Vec<String> = follow(ledger, lock, history).into_iter().collect();
    warnings.extend(moved.err().map(|e| {
        format!("a run that it replaces could not be moved away ({e}); the next run tries again")
    }));
    let mut notes = summary.notes;
    match session.ends.letter_cases.note(history) {
        Ok(note) => notes.extend(note),
        Err(error) => warnings.push(format!("its ids could not be read again: {error}")),
    }
    Ok(Summary { notes, warnings, ..summary })
}

/// Updates the catalog and the volumes; returns a failure in words, which the next run repairs.
#[must_use]
pub fn follow(ledger: &Ledger, lock: &Lock, history: &History) -> Option<String> {
    let again = "the next run tries again";
    if let Err(e) = catalog::follow(ledger, lock, history) {
        return Some(format!("the catalog could not follow ({e}); {again}"));
    }
    let followed = volumes::follow(ledger, lock, history);
    followed.err().map(|e| format!("old runs could not be put into a volume ({e}); {again}"))
}

/// Checks that every rated record has its legs, and that no other record has any.
pub(crate) fn check_counts(
    session: &SettledRun,
    tally: &Tally,
    staged: &Staged,
) -> Result<(), LedgerError> {
    let rows = |dataset: Dataset| -> u64 {
        staged
            .files
            .iter()
            .filter(|f| f.path.split('/').next() == Some(dataset.as_str()))
            .map(|f| f.rows)
            .sum()
    };
    let logged = tally.of(Class::Rated).records + tally.of(Class::Free).records;
    let taken_back = session.takes_back.as_ref().map_or(0, TakenBack::count);
    let checks = [
        ("legs", session.ends.legs + taken_back, rows(Dataset::Legs)),
        ("log rows", logged, rows(Dataset::Calls)),
        ("ignored records", tally.of(Class::Ignored).records, rows(Dataset::Ignored)),
        ("suspended records", tally.of(Class::Suspended).records, rows(Dataset::Suspense)),
    ];
    match checks.iter().find(|(_, expected, found)| expected != found) {
        Some((what, expected, found)) => {
            Err(LedgerError::Unbalanced(format!("expected {expected} {what}, wrote {found}")))
        }
        None => Ok(()),
    }
}

pub(crate) fn manifest(
    session: &SettledRun,
    summary: &Summary,
    previous: Option<&Manifest>,
    staged: &mut Staged,
    kind: RunKind,
) -> Manifest {
    let hash = |text: &str| blake3::hash(text.as_bytes()).to_hex().to_string();
    let decided = session.left.as_ref().map(Left::reason).filter(|reason| !reason.is_empty());
    Manifest {
        reason: decided.map(str::to_owned),
        replaces: session.takes_back.as_ref().map(|back| back.replaced.clone()),
        own_newest_start: session.own_newest_start.map(time::text),
        stands_on: session.stands_on.clone(),
        accepted_changes: session.accepted_changes.clone(),
        id_shapes: session.ends.letter_cases.shapes.clone(),
        policy: session.inputs.policy.words(),
        inputs: session.call_files(),
        decks_hash: Some(session.inputs.decks.hash.clone()),
        decks: DeckEntry::of_all(&session.inputs.decks),
        trunks_hash: session.inputs.trunks.as_ref().map(|(_, text)| hash(text)),
        accounts_hash: session.inputs.accounts.as_ref().map(|(_, text)| hash(text)),
        counts: Manifest::counts_of(&summary.tally),
        suspense: SuspenseAccount::of(&summary.tally),
        suspended_by_reason: summary
            .suspended_by_reason
            .iter()
            .map(|(reason, n)| (reason.as_str().to_owned(), *n))
            .collect(),
        ignored_by_direction: summary.ignored_by_direction.clone(),
        legs: summary.legs,
        amount: summary
            .amount
            .iter()
            .map(|(currency, total)| (currency.clone(), total.to_string()))
            .collect(),
        files: std::mem::take(&mut staged.files),
        ..Manifest::next(
            kind,
            summary.run_id.as_deref().expect("a run that is booked has a name"),
            previous,
        )
    }
}

pub(crate) fn archive_inputs(
    ledger: &Ledger,
    lock: &Lock,
    session: &SettledRun,
    manifest: &Manifest,
) -> Result<(), FileError> {
    stage::archive(ledger, lock, &session.inputs.decks.hash, &session.inputs.decks.files)?;
    let one =
        |name: &str, text: &str| BTreeMap::from([(name.to_owned(), text.as_bytes().to_vec())]);
    if let Some(hash) = &manifest.trunks_hash {
        stage::archive(ledger, lock, hash, &one("trunks.json", session.trunks_text()))?;
    }
    if let Some(hash) = &manifest.accounts_hash {
        stage::archive(ledger, lock, hash, &one("accounts.csv", session.accounts_text()))?;
    }
    Ok(())
}
