//! The questions of a run to the ledger: its ids, and the suspended and written-off records that it
//! meets again.

use crate::call::Calls;
use crate::family::BookedParent;
use crate::inputs::file::FileError;
use crate::inputs::record_text::{RecordSpot, RecordText};
use crate::ledger::error::LedgerError;
use crate::ledger::manifest::RunKind;
use crate::ledger::place::Dataset;
use crate::ledger::run::Run;
use crate::ledger::tables::read;
use crate::ledger::tables::suspense::KeptParent;
use crate::ledger::tables::waits::Waits;
use crate::partition::deal::Partitions;
use crate::policy::Policy;
use crate::record::{Field, FieldSet, Fields, Record};
use crate::sid::Sid;
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// Tonight's records: some of their partitions, or a few records that were moved.
#[derive(Clone, Copy)]
pub struct TonightLookup<'a> {
    /// The partitions.
    pub dealt: &'a Partitions,
    /// The range of them that is looked at.
    pub parts: (usize, usize),
    /// Records besides them.
    pub calls: Option<&'a Calls>,
}

impl TonightLookup<'_> {
    /// Applies a function to each partition.
    pub(crate) fn ask<T: Send>(
        &self,
        of: impl Fn(&Calls) -> T + Sync,
    ) -> Result<Vec<T>, FileError> {
        let asked = (self.parts.0..self.parts.1)
            .into_par_iter()
            .with_max_len(1)
            .map(|part| Ok(of(&self.dealt.look(part)?)));
        let mut answers = asked.collect::<Result<Vec<T>, FileError>>()?;
        answers.extend(self.calls.map(of));
        Ok(answers)
    }
}

/// The data kept with suspended records, for all groups of partitions: read once, however many
/// groups there are.
#[derive(Debug, Default)]
pub struct Retried {
    /// By the number of a record with a kept parent: the parent's id, and the data kept of it.
    pub(crate) kept: BTreeMap<u32, (Sid, KeptParent)>,
    /// Those parents, once their texts are interned.
    pub(crate) parents: Option<BTreeMap<Sid, BookedParent>>,
    pub(crate) closed: Option<Closed>,
    pub(crate) policy: Policy,
    /// A booked call whose place the run's version takes.
    pub(crate) replaces: Option<Sid>,
}

/// Records written off.
#[derive(Debug, Clone, Default)]
pub(crate) struct Closed {
    /// Ids and fingerprints.
    pub(crate) contents: HashSet<(Sid, u64)>,
    /// The records by id.
    pub(crate) records: HashMap<Sid, Vec<ClosedRecord>>,
    /// The calls for which another version was chosen.
    pub(crate) chosen: HashSet<Sid>,
}

/// A record written off, as tonight's policy reads it.
#[derive(Debug, Clone)]
pub(crate) struct ClosedRecord {
    /// Its text, and its CSV header.
    pub(crate) text: (String, Arc<str>),
    /// The fields that it has, except the price.
    pub(crate) filled: FieldSet,
    pub(crate) content: u64,
}

impl ClosedRecord {
    /// `None` if it is no record.
    pub(crate) fn read(text: String, header: Arc<str>, policy: &Policy) -> Option<Self> {
        let (filled, content) = RecordText::kept(&text, &header)?.with_fields(|fields| {
            let record = Record::read(fields?, policy);
            Some((without_price(record.filled), record.content))
        })?;
        Some(Self { text: (text, header), filled, content })
    }
}

pub(crate) fn without_price(fields: FieldSet) -> FieldSet {
    fields.without(Field::Price).without(Field::PriceUnit)
}

impl Closed {
    pub(crate) fn read(runs: &[Run], policy: &Policy) -> Result<Self, LedgerError> {
        let mut closed = Self::default();
        for run in runs.iter().filter(|run| run.head.has_closed) {
            read::each_suspended(run, Dataset::Closed, |rows| {
                for row in rows {
                    let sid = Sid::of(&row.call_sid).0;
                    closed.contents.insert((sid, row.content));
                    if run.manifest.kind == RunKind::Resolve {
                        closed.chosen.insert(sid);
                    }
                    if let Some(record) = ClosedRecord::read(row.record, row.header, policy)
                        .filter(|_| !sid.is_empty())
                    {
                        // Read in another time zone it has another fingerprint, but is the same
                        // record.
                        closed.contents.insert((sid, record.content));
                        closed.records.entry(sid).or_default().push(record);
                    }
                }
                Ok::<_, LedgerError>(())
            })?;
        }
        Ok(closed)
    }

    /// The records that have some of the fields of a written-off record and nothing else: they are
    /// no other versions of it.
    pub(crate) fn lacking(&self, calls: &Calls, policy: &Policy) -> Vec<(Sid, u64)> {
        let lacks = |record: usize| {
            let fuller = self.records.get(&calls.sid[record]);
            let (own, content) = (calls.filled[record], calls.content[record]);
            let is_less = |closed: &ClosedRecord| {
                RecordText::kept(&closed.text.0, &closed.text.1)
                    .and_then(|text| without_more(&text, own, policy))
                    == Some(content)
            };
            fuller.is_some_and(|records| records.iter().any(is_less))
        };
        (0..calls.len())
            .filter(|record| lacks(*record))
            .map(|record| (calls.sid[record], calls.content[record]))
            .collect()
    }

    /// The records with more fields than a written-off record of their call. Their texts must be
    /// read to see if any other field differs.
    pub(crate) fn may_be_fuller(&self, calls: &Calls) -> Vec<RecordSpot> {
        let has_more = |record: usize| {
            let own = without_price(calls.filled[record]);
            let is_less =
                |closed: &ClosedRecord| closed.filled != own && closed.filled.union(own) == own;
            self.records.get(&calls.sid[record]).is_some_and(|records| records.iter().any(is_less))
        };
        let spot =
            |record: usize| RecordSpot { number: calls.number[record], place: calls.place[record] };
        (0..calls.len()).filter(|record| has_more(*record)).map(spot).collect()
    }

    /// The id and fingerprint of a record that has all fields of a written-off one, and more: it is
    /// no other version.
    pub(crate) fn fuller(&self, text: &RecordText, policy: &Policy) -> Option<(Sid, u64)> {
        let (sid, content) = text.with_fields(|fields| {
            let fields = fields?;
            Some((Sid::of(fields.get(Field::Sid)).0, Record::read(fields, policy).content))
        })?;
        let is_it = |closed: &ClosedRecord| {
            without_more(text, closed.filled, policy) == Some(closed.content)
        };
        self.records.get(&sid)?.iter().any(is_it).then_some((sid, content))
    }
}

/// The fingerprint of a record without the fields that another one lacks; `None` if that one lacks
/// none.
pub(crate) fn without_more(text: &RecordText, own: FieldSet, policy: &Policy) -> Option<u64> {
    text.with_fields(|fields| {
        let fields = fields?;
        let (mut fewer, mut lacks) = (Fields::default(), false);
        for field in
            Field::ALL.into_iter().filter(|field| !matches!(field, Field::Price | Field::PriceUnit))
        {
            let text = fields.get(field);
            if own.has(field) {
                fewer.0[field as usize] = text;
            } else {
                lacks |= !text.is_empty();
            }
        }
        lacks.then(|| Record::read(&fewer, policy).content)
    })
}

impl Retried {
    /// Takes the kept data of suspended records.
    #[must_use]
    pub fn new(waiting: &Waits, policy: &Policy) -> Self {
        Self { kept: waiting.parents().clone(), policy: policy.clone(), ..Self::default() }
    }

    /// Tonight's records that have more fields than a written-off one, in their order.
    ///
    /// # Errors
    /// If tonight's records cannot be read.
    pub fn may_be_closed(&self, tonight: TonightLookup<'_>) -> Result<Vec<RecordSpot>, FileError> {
        let Some(closed) = self.closed.as_ref().filter(|closed| !closed.records.is_empty()) else {
            return Ok(Vec::new());
        };
        let mut spots = tonight.ask(|calls| closed.may_be_fuller(calls))?.concat();
        spots.sort_unstable();
        Ok(spots)
    }

    /// The id and fingerprint of such a record, if all else equals the written-off one.
    #[must_use]
    pub fn closed(&self, text: &RecordText) -> Option<(Sid, u64)> {
        self.closed.as_ref()?.fuller(text, &self.policy)
    }

    pub(crate) fn is_kept(&self, number: u32) -> bool {
        self.kept.contains_key(&number)
    }
}
