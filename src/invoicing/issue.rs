//! Issuing: numbers for a batch of invoices, and for a credit note.
//!
//! ```text
//! drafts     ──stage──────────▶ documents with numbers ─┐
//! an invoice ──Credit::stage──▶ a credit note          ─┴─BatchWriter::finish─▶ a batch ─publish─▶ issued
//! ```
//!
//! **Invariant:** a number is the next of its seller's series in the year of its date. One rename
//! publishes the number together with its document.

use crate::document::{Document, Kind, build};
use crate::inputs::file::FileError;
use crate::invoicing::credit_part::{LeftOfInvoice, PartWanted};
use crate::invoicing::drafts::{self, Draft, WantedDrafts};
use crate::invoicing::error::{IssueError, LATEST_CREDIT};
use crate::invoicing::given::Given;
use crate::ledger::batch::{self, Batch, BatchKind, BatchManifest, Entry};
use crate::ledger::invoices::billed_by::BilledBy;
use crate::ledger::invoices::legs::BilledRuns;
use crate::ledger::invoices::publish::{BatchWriter, next_counter};
use crate::ledger::runs::stage::archive;
use crate::ledger::{History, Ledger, Lock, RESTORE};
use crate::time;
use std::collections::BTreeMap;

/// Stages a batch of invoices and returns it with its manifest; `None` if there is no draft.
///
/// # Errors
/// A date before the last one of the series, a number in use, a draft that cannot be made, or a
/// file that cannot be written.
pub fn stage(
    (ledger, lock): (&Ledger, &Lock),
    history: &History,
    given: &Given,
    wanted: &WantedDrafts<'_>,
    drafts: impl Iterator<Item = Result<Draft, IssueError>>,
) -> Result<Option<(BatchWriter, BatchManifest)>, IssueError> {
    let seller = &given.terms.seller.id;
    let first = next_counter(history, seller, wanted.date).map_err(IssueError::Series)?;
    let claims = BilledBy::of(&history.issued);
    let mut runs = BilledRuns::default();
    let mut writer = BatchWriter::begin(lock)?;
    for (counter, draft) in (first..).zip(drafts) {
        let draft = draft?;
        drafts::refuse_before_credit(history, &claims, &draft, wanted.date)?;
        let Draft { document, open } = draft;
        let number = number(&given.terms.number_prefix, wanted.date, counter);
        refuse_taken(history, &number)?;
        let entry = Entry { counter, runs: runs.add(history, &open), ..Entry::default() };
        writer.add(&Document { kind: Kind::Invoice, number: Some(number), ..document }, entry)?;
    }
    if writer.is_empty() {
        return Ok(None);
    }
    let manifest = BatchManifest {
        kind: BatchKind::Issue,
        seller: seller.clone(),
        date: wanted.date.to_owned(),
        period: wanted.month.to_owned(),
        supplementary: wanted.supplementary,
        accounts: wanted.account.map(|account| vec![account.to_owned()]),
        runs: runs.all,
        accounts_hash: keep(ledger, lock, given.accounts_text.as_ref(), "accounts.csv")?,
        items_hash: keep(ledger, lock, given.items_text.as_ref(), "items.csv")?,
        ..BatchManifest::default()
    };
    Ok(Some((writer, manifest)))
}

/// Keeps a file in the archive, under its hash.
fn keep(
    ledger: &Ledger,
    lock: &Lock,
    text: Option<&String>,
    name: &str,
) -> Result<Option<String>, IssueError> {
    let Some(text) = text else { return Ok(None) };
    let hash = blake3::hash(text.as_bytes()).to_hex().to_string();
    archive(ledger, lock, &hash, &BTreeMap::from([(name.to_owned(), text.clone().into_bytes())]))?;
    Ok(Some(hash))
}

fn number(prefix: &str, date: &str, counter: u64) -> String {
    format!("{prefix}{}-{counter:06}", batch::year_of(date))
}

/// The prefix of a number, before the year and the counter.
fn prefix_of<'a>(batch: &Batch, entry: &'a Entry) -> Result<&'a str, FileError> {
    let place = format!("{}-{:06}", batch.manifest.year(), entry.counter);
    let problem = || format!("has the number {}, which does not end in {place}", entry.number);
    entry
        .number
        .strip_suffix(&place)
        .ok_or_else(|| FileError::new(&batch.folder, problem()).hint(RESTORE))
}

fn refuse_taken(history: &History, number: &str) -> Result<(), IssueError> {
    match batch::find(&history.issued, number) {
        None => Ok(()),
        Some((batch, _)) => Err(IssueError::Taken {
            number: number.to_owned(),
            seller: batch.manifest.seller.clone(),
        }),
    }
}

/// An invoice that may be credited.
pub struct Credit<'a> {
    batch: &'a Batch,
    entry: &'a Entry,
}

impl<'a> Credit<'a> {
    /// Finds an invoice that may be credited whole.
    ///
    /// # Errors
    /// A number that no document has, that is a credit note's, or whose invoice is credited
    /// already, if only in part.
    pub fn of(history: &'a History, number: &str) -> Result<Self, IssueError> {
        let found = Self::of_part(history, number)?;
        match batch::credits_of(&history.issued, number).next() {
            None => Ok(found),
            Some((_, credit)) => Err(IssueError::CreditedInPart {
                number: number.to_owned(),
                by: credit.number.clone(),
            }),
        }
    }

    /// Finds an invoice that may be credited in part.
    ///
    /// # Errors
    /// A number that no document has, that is a credit note's, or whose invoice is credited whole.
    pub fn of_part(history: &'a History, number: &str) -> Result<Self, IssueError> {
        let (batch, entry) = batch::find(&history.issued, number)
            .ok_or_else(|| IssueError::Unknown(number.to_owned()))?;
        if let Some(corrects) = &entry.corrects {
            return Err(IssueError::IsCredit {
                number: number.to_owned(),
                corrects: corrects.clone(),
            });
        }
        if let Some((_, credit)) = batch::credit_of(&history.issued, number) {
            return Err(IssueError::Credited {
                number: number.to_owned(),
                by: credit.number.clone(),
            });
        }
        Ok(Self { batch, entry })
    }

    /// The invoice's date.
    #[must_use]
    pub fn issued_on(&self) -> &'a str {
        &self.batch.manifest.date
    }

    /// Refuses a date before the invoice's, or more than [`LATEST_CREDIT`] days after it.
    ///
    /// # Errors
    /// Such a date.
    pub fn refuse_date(&self, date: &str) -> Result<(), IssueError> {
        let (issued_on, number) = (self.issued_on().to_owned(), self.entry.number.clone());
        if date < issued_on.as_str() {
            return Err(IssueError::BeforeInvoice { date: date.to_owned(), issued_on, number });
        }
        if time::days_after(&issued_on, LATEST_CREDIT).is_some_and(|latest| *date > *latest) {
            return Err(IssueError::LateCredit { date: date.to_owned(), issued_on, number });
        }
        Ok(())
    }

    /// Stages the credit note; [`BatchWriter::finish`] and
    /// [`crate::ledger::invoices::publish::StagedBatch::publish`] issue it. The note belongs to its
    /// invoice's series, even if the configuration has changed since.
    ///
    /// # Errors
    /// A date before the last one of the series, a number in use, or a file that cannot be written.
    pub fn stage(
        &self,
        lock: &Lock,
        history: &History,
        (date, reason, rebill): (&str, &str, bool),
    ) -> Result<(BatchWriter, BatchManifest, Document), IssueError> {
        let (counter, number) = self.next_number(history, date)?;
        let invoice = self.batch.document(&self.entry.number)?;
        let note = build::credit_note(&invoice, number, date.to_owned(), reason.to_owned());
        self.stage_note(lock, (date, reason), note, Entry { counter, rebill, ..Entry::default() })
    }

    /// Stages a credit note of a part of the invoice, like [`Credit::stage`]. Its legs remain
    /// billed by the invoice.
    ///
    /// # Errors
    /// As [`Credit::stage`]; also a part that cannot be credited.
    pub fn stage_part(
        &self,
        lock: &Lock,
        history: &History,
        (date, reason): (&str, &str),
        wanted: &PartWanted,
    ) -> Result<(BatchWriter, BatchManifest, Document), IssueError> {
        let (counter, number) = self.next_number(history, date)?;
        let left = LeftOfInvoice::of(history, (self.batch, self.entry))?;
        let (note, part) = left.credit(wanted, (&number, date, reason))?;
        let entry = Entry { counter, part: Some(part), ..Entry::default() };
        self.stage_note(lock, (date, reason), note, entry)
    }

    /// The next number of the invoice's series, with its prefix.
    fn next_number(&self, history: &History, date: &str) -> Result<(u64, String), IssueError> {
        let seller = &self.batch.manifest.seller;
        let counter = next_counter(history, seller, date).map_err(IssueError::Series)?;
        let number = number(prefix_of(self.batch, self.entry)?, date, counter);
        refuse_taken(history, &number)?;
        Ok((counter, number))
    }

    fn stage_note(
        &self,
        lock: &Lock,
        (date, reason): (&str, &str),
        note: Document,
        entry: Entry,
    ) -> Result<(BatchWriter, BatchManifest, Document), IssueError> {
        let m = &self.batch.manifest;
        let mut writer = BatchWriter::begin(lock)?;
        writer.add(&note, Entry { corrects: Some(self.entry.number.clone()), ..entry })?;
        let manifest = BatchManifest {
            kind: BatchKind::Credit,
            reason: Some(reason.to_owned()),
            seller: m.seller.clone(),
            date: date.to_owned(),
            period: m.period.clone(),
            supplementary: m.supplementary,
            ..BatchManifest::default()
        };
        Ok((writer, manifest, note))
    }
}
