//! Causes: the suspended records of a ledger, each with its cause and an estimate of its money.
//!
//! ```text
//! suspense of the last run ─┐
//! its decks, lists, policy ─┼──▶ a diagnosis per record ──▶ lines by cause
//! parents: kept, waiting, ──┘
//! or booked
//! ```
//!
//! **Invariant:** no more than a slice of the records is in memory. The inputs are those that the
//! last run rated with, from the ledger's archive; no current file is read.

use crate::call::NONE;
use crate::family::{BookedParent, RootFacts};
use crate::inputs::file::FileError;
use crate::inputs::given::Inputs;
use crate::inputs::record_text::RecordText;
use crate::inputs::{accounts, decks, trunks};
use crate::ledger::index::earlier::{kept_root, parents_among};
use crate::ledger::tables::read::each_suspended;
use crate::ledger::tables::suspense::SuspenseRow;
use crate::ledger::{Dataset, History, Ledger, LedgerError, Run};
use crate::packed::SharedTexts;
use crate::party::Party;
use crate::party_ref::PartyRef;
use crate::policy::Policy;
use crate::record::{Field, Fields, Record};
use crate::reject::Reason;
use crate::report::causes::{ByCause, CauseLine, WaitsFor};
use crate::report::diagnosis::{Diagnoser, Diagnosis, Subject};
use crate::report::estimate::Estimator;
use crate::report::waiting::Waiting;
use crate::sid::Sid;
use crate::status::DirectionField;
use crate::time::Micros;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// A suspended record, diagnosed.
#[derive(Debug)]
pub struct Diagnosed<'a> {
    /// The record.
    pub row: &'a SuspenseRow,
    /// The start, if it can be read.
    pub start: Option<Micros>,
    /// The cause of its suspense, and the estimate of its money.
    pub diagnosis: Diagnosis,
}

impl Diagnosed<'_> {
    /// Counts it with its cause.
    ///
    /// # Errors
    /// If a sum does not fit.
    pub fn add_to(&self, causes: &mut ByCause) -> Result<(), LedgerError> {
        let Diagnosis { cause, guess } = &self.diagnosis;
        let waits =
            WaitsFor { record: waiting(self.row), start: self.start, cause, guess: guess.as_ref() };
        causes.add(&waits).map_err(LedgerError::of_sum)
    }
}

/// The lines of the counted causes.
///
/// # Errors
/// If a sum does not fit.
pub fn lines(causes: ByCause) -> Result<Vec<CauseLine>, LedgerError> {
    causes.finish().map_err(LedgerError::of_sum)
}

/// Diagnoses the records suspended after the last run of a history, in stored order.
///
/// # Errors
/// If the ledger or its archive cannot be read, or `then` fails.
pub fn each_diagnosed<E: From<LedgerError>>(
    ledger: &Ledger,
    history: &History,
    mut then: impl FnMut(&Diagnosed<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let Some(run) = history.runs.last().filter(|run| !run.files(Dataset::Suspense).is_empty())
    else {
        return Ok(());
    };
    let inputs = inputs_of(ledger, history).map_err(LedgerError::from)?;
    let policy = inputs.as_ref().map_or_else(Policy::default, |inputs| inputs.policy.clone());
    let decks = inputs.as_ref().map_or(&[][..], |inputs| &inputs.decks.decks);
    let trunks =
        inputs.as_ref().and_then(|inputs| inputs.trunks.as_ref()).map(|(trunks, _)| trunks);
    let estimator = Estimator::new(decks, policy.leg_rule, &policy.withheld_numbers);
    let mut diagnoser = Diagnoser { estimator, policy: &policy, trunks };
    let mut texts = SharedTexts::default();
    let mut family = Family {
        policy: &policy,
        booked: BTreeMap::new(),
        ancestors: Ancestors::read(run, &mut texts)?,
    };
    let chained = parents_among(history, &family.ancestors.parents(), &mut texts)?;
    let mut decks_of: HashMap<String, Option<usize>> = HashMap::new();
    each_suspended(run, Dataset::Suspense, |rows| {
        family.booked.clone_from(&chained);
        family.booked.extend(parents_among(history, &asked_for(&rows), &mut texts)?);
        for row in &rows {
            let deck = *decks_of.entry(row.account_sid.clone()).or_insert_with_key(|account| {
                let of = |inputs: &Inputs| {
                    inputs
                        .facts_of_accounts(std::iter::once(account.as_str()))
                        .decks
                        .first()
                        .copied()
                };
                inputs.as_ref().and_then(of).filter(|deck| *deck != NONE).map(|deck| deck as usize)
            });
            then(&family.diagnose(row, deck, &mut diagnoser, &mut texts))?;
        }
        Ok(())
    })
}

/// A stored record in the form of the report.
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

/// The inputs of the last run that rated anything, from the archive.
///
/// # Errors
/// If they cannot be read.
pub fn inputs_of(ledger: &Ledger, history: &History) -> Result<Option<Inputs>, FileError> {
    let rated = history
        .runs
        .iter()
        .rev()
        .filter(|run| run.manifest.has_rated())
        .find_map(|run| Some((&run.manifest, run.manifest.decks_hash.as_ref()?)));
    let Some((m, hash)) = rated else { return Ok(None) };
    let archive = ledger.archive_folder();
    let own_name = m.decks.first().map_or("", |deck| deck.folder.as_str());
    let decks = decks::archived(&archive.join(hash), own_name)?;
    let path =
        |hash: &Option<String>, name: &str| hash.as_ref().map(|hash| archive.join(hash).join(name));
    let trunks = path(&m.trunks_hash, "trunks.json").map(|path| trunks::load(&path)).transpose()?;
    let accounts =
        path(&m.accounts_hash, "accounts.csv").map(|path| accounts::load(&path)).transpose()?;
    let policy = Policy { set_times: history.set_times(), ..Policy::of_words(&m.policy) };
    Ok(Some(Inputs { decks, trunks, accounts, policy }))
}

/// The calls to look up in the ledger: parents, except those that no run has, and calls with
/// several versions.
fn asked_for(rows: &[SuspenseRow]) -> BTreeSet<Sid> {
    let is = |row: &SuspenseRow, reasons: &[Reason]| {
        reasons.iter().any(|reason| row.reason == reason.as_str())
    };
    let parents = rows.iter().filter(|row| {
        row.parent.is_none() && !is(row, &[Reason::ParentMissing, Reason::ParentNeverArrived])
    });
    let versions = rows.iter().filter(|row| is(row, &[Reason::ConflictingDuplicate]));
    let sids = parents.map(|row| &row.parent_call_sid).chain(versions.map(|row| &row.call_sid));
    sids.filter(|sid| !sid.is_empty()).map(|sid| Sid::of(sid).0).collect()
}

/// A suspended record whose children are suspended, too.
#[derive(Debug)]
struct Ancestor {
    reason: String,
    up: Up,
}

/// The way from an ancestor to its root.
#[derive(Debug)]
enum Up {
    /// The ancestor is the root itself, or the facts of its booked parent are kept with it.
    Root(Option<RootFacts>),
    /// The ancestor is the child of another call.
    ChildOf(Sid),
}

/// The suspended records whose children are suspended, too; of several versions of a call the
/// first.
///
/// # Why
/// The cause of a record depends on that record alone, except for the parent of a transfer. So only
/// the reason and the root of parents are kept in memory; all else is read a slice at a time.
#[derive(Debug, Default)]
struct Ancestors(HashMap<Sid, Ancestor>);

impl Ancestors {
    fn read(run: &Run, texts: &mut SharedTexts) -> Result<Self, LedgerError> {
        let mut wanted: HashSet<Sid> = HashSet::new();
        each_suspended(run, Dataset::Suspense, |rows| {
            wanted.extend(
                rows.iter()
                    .filter(|row| !row.parent_call_sid.is_empty())
                    .map(|row| Sid::of(&row.parent_call_sid).0),
            );
            Ok::<_, LedgerError>(())
        })?;
        let mut found = HashMap::new();
        if wanted.is_empty() {
            return Ok(Self(found));
        }
        each_suspended(run, Dataset::Suspense, |rows| {
            for row in rows.iter().filter(|row| !row.call_sid.is_empty()) {
                let sid = Sid::of(&row.call_sid).0;
                if wanted.contains(&sid) && !found.contains_key(&sid) {
                    found.insert(
                        sid,
                        Ancestor { reason: row.reason.clone(), up: Up::of(row, texts) },
                    );
                }
            }
            Ok::<_, LedgerError>(())
        })?;
        Ok(Self(found))
    }

    /// The parents of the ancestors.
    fn parents(&self) -> BTreeSet<Sid> {
        let parent = |ancestor: &Ancestor| match ancestor.up {
            Up::ChildOf(parent) => Some(parent),
            Up::Root(_) => None,
        };
        self.0.values().filter_map(parent).collect()
    }
}

impl Up {
    fn of(row: &SuspenseRow, texts: &mut SharedTexts) -> Self {
        match &row.parent {
            _ if row.parent_call_sid.is_empty() => Self::Root(root_itself(row, texts)),
            Some(kept) => Self::Root(kept_root(texts, kept)),
            None => Self::ChildOf(Sid::of(&row.parent_call_sid).0),
        }
    }
}

/// The limit for following a chain of parents, which may be a circle.
const LONGEST_CHAIN: usize = 16;

/// The known parents of suspended records.
struct Family<'p> {
    policy: &'p Policy,
    booked: BTreeMap<Sid, BookedParent>,
    ancestors: Ancestors,
}

impl Family<'_> {
    fn diagnose<'a>(
        &self,
        row: &'a SuspenseRow,
        deck: Option<usize>,
        diagnoser: &mut Diagnoser<'_>,
        texts: &mut SharedTexts,
    ) -> Diagnosed<'a> {
        let reason = Reason::parse(&row.reason).unwrap_or(Reason::MalformedRecord);
        let root = self.root_of(row, texts);
        let trunk = root.map_or_else(String::new, |root| texts.trunks.text(root.trunk).to_owned());
        let parent =
            Some(&row.parent_call_sid).filter(|sid| !sid.is_empty()).map(|sid| Sid::of(sid).0);
        let parent_reason = parent
            .and_then(|parent| self.ancestors.0.get(&parent))
            .map(|parent| parent.reason.as_str());
        let is_booked = reason == Reason::ConflictingDuplicate
            && self.booked.contains_key(&Sid::of(&row.call_sid).0);
        with_fields(row, |fields| {
            let subject = Subject {
                reason,
                detail: &row.detail,
                source_file: &row.source_file,
                fields,
                deck,
                root: root.map(|root| (root, trunk.as_str())),
                parent_reason,
                is_booked,
            };
            let start = fields.map(|fields| Record::read(fields, self.policy).start);
            let start = start.filter(|start| *start != crate::call::Calls::NO_TIME);
            Diagnosed { row, start, diagnosis: diagnoser.diagnose(&subject, &mut texts.parties) }
        })
    }

    /// The root facts of a suspended child: from the record itself, from a booked parent, or from a
    /// parent that is suspended, too.
    fn root_of(&self, row: &SuspenseRow, texts: &mut SharedTexts) -> Option<RootFacts> {
        if row.parent_call_sid.is_empty() {
            return None;
        }
        if let Some(kept) = &row.parent {
            return kept_root(texts, kept);
        }
        let mut parent = Sid::of(&row.parent_call_sid).0;
        for _ in 0..=LONGEST_CHAIN {
            if let Some(booked) = self.booked.get(&parent) {
                return Some(booked.root);
            }
            match self.ancestors.0.get(&parent)?.up {
                Up::Root(root) => return root,
                Up::ChildOf(next) => parent = next,
            }
        }
        None
    }
}

/// The root facts of a suspended root, for its children.
fn root_itself(row: &SuspenseRow, texts: &mut SharedTexts) -> Option<RootFacts> {
    with_fields(row, |fields| {
        let fields = fields?;
        let mut party =
            |field: Field| PartyRef::pack(&Party::of_root(fields.get(field)), &mut texts.parties);
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

/// Reads the fields of a record. A record that was malformed in its file has none, though it may
/// look readable alone.
fn with_fields<T>(row: &SuspenseRow, then: impl FnOnce(Option<&Fields<'_>>) -> T) -> T {
    match RecordText::kept(&row.record, &row.header)
        .filter(|_| row.reason != Reason::MalformedRecord.as_str())
    {
        Some(text) => text.with_fields(then),
        None => then(None),
    }
}
