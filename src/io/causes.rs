//! Causes: the records that wait in a ledger, each with its cause and an estimate of its money.
//!
//! ```text
//! suspense of the last run ─┐
//! its decks, lists, policy ─┼──▶ a diagnosis per record ──▶ lines by cause
//! parents: kept, waiting, ──┘
//! or booked
//! ```
//!
//! **Invariant:** what is read is what the last run rated with, out of the ledger's archive; no file of today is looked at.

use super::calls::SourceText;
use super::inputs::Inputs;
use super::ledger::frames::SuspenseRow;
use super::ledger::known::{kept_root, parents_among};
use super::ledger::{History, Ledger, LedgerError};
use super::{FileError, accounts, decks, trunks};
use crate::call::{DirectionField, NONE, PartyRef, Sid};
use crate::family::{BookedParent, RootFacts};
use crate::money::Overflow;
use crate::packed::SharedTexts;
use crate::party::Party;
use crate::policy::Policy;
use crate::record::{Field, Fields, Record};
use crate::reject::Reason;
use crate::report::causes::{CauseLine, Waits, by_cause};
use crate::report::diagnosis::{Diagnoser, Diagnosis, Subject};
use crate::report::estimate::Estimator;
use crate::report::waiting::Waiting;
use crate::time::Micros;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A record that waits, diagnosed.
#[derive(Debug)]
pub struct Diagnosed<'a> {
    /// The record.
    pub row: &'a SuspenseRow,
    /// When it started, if that can be read.
    pub start: Option<Micros>,
    /// Why it waits, and what it would cost.
    pub diagnosis: Diagnosis,
}

/// Diagnoses records that wait after the last run of a history.
///
/// # Errors
/// If the ledger or its archive cannot be read.
pub fn diagnose<'a>(ledger: &Ledger, history: &History, rows: &'a [SuspenseRow]) -> Result<Vec<Diagnosed<'a>>, LedgerError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let inputs = inputs_of(ledger, history)?;
    let policy = inputs.as_ref().map(|inputs| inputs.policy.clone()).unwrap_or_default();
    let decks = inputs.as_ref().map_or(&[][..], |inputs| &inputs.decks.decks);
    let trunks = inputs.as_ref().and_then(|inputs| inputs.trunks.as_ref()).map(|(trunks, _)| trunks);
    let estimator = Estimator::new(decks, policy.leg_rule, &policy.withheld_numbers);
    let mut diagnoser = Diagnoser { estimator, policy: &policy, trunks };
    let mut texts = SharedTexts::default();
    let booked = parents_among(history, &asked_for(rows), &mut texts)?;
    let family = Family { rows, policy: &policy, booked, by_sid: by_sid(rows) };
    let mut decks_of: HashMap<&str, Option<usize>> = HashMap::new();
    let found = rows.iter().map(|row| {
        let deck = *decks_of.entry(&row.account_sid).or_insert_with(|| {
            let of = |inputs: &Inputs| inputs.facts_of_accounts(std::iter::once(row.account_sid.as_str())).decks.first().copied();
            inputs.as_ref().and_then(of).filter(|deck| *deck != NONE).map(|deck| deck as usize)
        });
        family.diagnose(row, deck, &mut diagnoser, &mut texts)
    });
    Ok(found.collect())
}

/// Diagnosed records by cause. `newest` is the newest call start that is known.
///
/// # Errors
/// [`Overflow`] if a sum does not fit.
pub fn lines<'a>(
    diagnosed: impl IntoIterator<Item = &'a Diagnosed<'a>>,
    newest: Option<Micros>,
) -> Result<Vec<CauseLine>, Overflow> {
    let waits = diagnosed.into_iter().map(|found| Waits {
        record: waiting(found.row),
        start: found.start,
        cause: &found.diagnosis.cause,
        guess: found.diagnosis.guess.as_ref(),
    });
    by_cause(waits, newest)
}

/// A stored record as the report has it.
#[must_use]
pub fn waiting(row: &SuspenseRow) -> Waiting<'_> {
    Waiting {
        call_sid: &row.call_sid,
        account_sid: &row.account_sid,
        reason: &row.reason,
        detail: &row.detail,
        source_file: &row.source_file,
        source_line: row.source_line,
        first_seen: &row.first_seen,
        tries: row.tries,
        seconds: row.seconds,
        close_reason: &row.close_reason,
    }
}

/// What the last run that rated anything rated with.
fn inputs_of(ledger: &Ledger, history: &History) -> Result<Option<Inputs>, FileError> {
    let rated = history.runs.iter().rev().find_map(|run| Some((&run.manifest, run.manifest.decks_hash.as_ref()?)));
    let Some((m, hash)) = rated else { return Ok(None) };
    let archive = ledger.archive_folder();
    let own_name = m.decks.first().map(|deck| deck.folder.as_str()).unwrap_or_default();
    let decks = decks::archived(&archive.join(hash), own_name)?;
    let path = |hash: &Option<String>, name: &str| hash.as_ref().map(|hash| archive.join(hash).join(name));
    let trunks = path(&m.trunks_hash, "trunks.json").map(|path| trunks::load(&path)).transpose()?;
    let accounts = path(&m.accounts_hash, "accounts.csv").map(|path| accounts::load(&path)).transpose()?;
    Ok(Some(Inputs { decks, trunks, accounts, policy: Policy::of_words(&m.policy) }))
}

/// The calls that the ledger is asked for: parents, but those that were nowhere, and calls that have several versions.
fn asked_for(rows: &[SuspenseRow]) -> BTreeSet<Sid> {
    let is = |row: &SuspenseRow, reasons: &[Reason]| reasons.iter().any(|reason| row.reason == reason.as_str());
    let parents =
        rows.iter().filter(|row| row.parent.is_none() && !is(row, &[Reason::ParentMissing, Reason::ParentNeverArrived]));
    let versions = rows.iter().filter(|row| is(row, &[Reason::ConflictingDuplicate]));
    let sids = parents.map(|row| &row.parent_call_sid).chain(versions.map(|row| &row.call_sid));
    sids.filter(|sid| !sid.is_empty()).map(|sid| Sid::of(sid).0).collect()
}

/// The first record of each waiting call.
fn by_sid(rows: &[SuspenseRow]) -> HashMap<&str, usize> {
    let mut places = HashMap::new();
    for (at, row) in rows.iter().enumerate().filter(|(_, row)| !row.call_sid.is_empty()) {
        places.entry(row.call_sid.as_str()).or_insert(at);
    }
    places
}

/// Chains are followed no further: they may be circles.
const LONGEST_CHAIN: usize = 16;

/// What waits, with what is known of its parents.
struct Family<'a, 'p> {
    rows: &'a [SuspenseRow],
    policy: &'p Policy,
    booked: BTreeMap<Sid, BookedParent>,
    by_sid: HashMap<&'a str, usize>,
}

impl<'a> Family<'a, '_> {
    fn diagnose(
        &self,
        row: &'a SuspenseRow,
        deck: Option<usize>,
        diagnoser: &mut Diagnoser<'_>,
        texts: &mut SharedTexts,
    ) -> Diagnosed<'a> {
        let reason = Reason::parse(&row.reason).unwrap_or(Reason::MalformedRecord);
        let root = self.root_of(row, texts, 0);
        let trunk = root.map(|root| texts.trunks.text(root.trunk).to_owned()).unwrap_or_default();
        let parent = self.by_sid.get(row.parent_call_sid.as_str()).map(|at| self.rows[*at].reason.as_str());
        let is_booked = reason == Reason::ConflictingDuplicate && self.booked.contains_key(&Sid::of(&row.call_sid).0);
        with_fields(row, |fields| {
            let subject = Subject {
                reason,
                detail: &row.detail,
                source_file: &row.source_file,
                fields,
                deck,
                root: root.map(|root| (root, trunk.as_str())),
                parent_reason: parent,
                is_booked,
            };
            let start = fields.map(|fields| Record::read(fields, self.policy).start);
            let start = start.filter(|start| *start != crate::call::Calls::NO_TIME);
            Diagnosed { row, start, diagnosis: diagnoser.diagnose(&subject, &mut texts.parties) }
        })
    }

    /// What the root of a waiting child gives to it: out of what is kept beside it, of what is booked, or of a parent that
    /// waits itself.
    fn root_of(&self, row: &SuspenseRow, texts: &mut SharedTexts, depth: usize) -> Option<RootFacts> {
        if row.parent_call_sid.is_empty() || depth > LONGEST_CHAIN {
            return None;
        }
        if let Some(kept) = &row.parent {
            return kept_root(texts, kept);
        }
        if let Some(parent) = self.booked.get(&Sid::of(&row.parent_call_sid).0) {
            return Some(parent.root);
        }
        let parent = &self.rows[*self.by_sid.get(row.parent_call_sid.as_str())?];
        if parent.parent_call_sid.is_empty() { root_itself(parent, texts) } else { self.root_of(parent, texts, depth + 1) }
    }
}

/// A waiting root, as it is for its children.
fn root_itself(row: &SuspenseRow, texts: &mut SharedTexts) -> Option<RootFacts> {
    with_fields(row, |fields| {
        let fields = fields?;
        let mut party = |field: Field| PartyRef::pack(&Party::of_root(fields.get(field)), &mut texts.parties);
        let (a, b) = (party(Field::From), party(Field::To));
        Some(RootFacts {
            direction: DirectionField::parse(fields.get(Field::Direction), &[]).side()?,
            sid: texts.odd_sids.sid(&row.call_sid),
            a,
            b,
            trunk: texts.trunks.id(fields.get(Field::TrunkSid)),
        })
    })
}

/// The fields of a record; of one that was malformed in its file none is taken, though it may look readable alone.
fn with_fields<T>(row: &SuspenseRow, then: impl FnOnce(Option<&Fields<'_>>) -> T) -> T {
    match SourceText::kept(&row.record, &row.header).filter(|_| row.reason != Reason::MalformedRecord.as_str()) {
        Some(text) => text.with_fields(then),
        None => then(None),
    }
}
