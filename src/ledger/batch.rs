//! Issued invoices and credit notes. They come in batches; a batch, like a run, is published by one
//! rename.
//!
//! ```text
//! invoices/000001-9c41…/manifest.json      which documents, their numbers and hashes, which runs they bill
//! invoices/000001-9c41…/documents.jsonl    the documents themselves, one a line, in the order of their numbers
//! ```
//!
//! **Invariants.** The rename that gives a number also fixes its document. So a crash leaves the
//! whole batch or none of it, and no number is lost or given twice: the next one is counted from
//! the published batches. Batches are chained by the hashes of their manifests, and nothing in one
//! ever changes again: a correction is a document of its own.
//!
//! # The legs of an invoice
//! An entry bills all legs of its account and currency that its runs hold, up to the end of its
//! period, and that no earlier invoice billed. [`super::invoices::billed_by`] derives this for each
//! leg; no list of legs is stored, since legs never change either.
//!
//! # Why not in the catalog
//! A counter in a database must be kept in step with the documents by a second commit. Counted from
//! the batches, there is nothing to keep in step; the catalog shows the numbers to SQL, and detects
//! a missing batch.

use super::manifest::{LEDGER_FORMAT, StoredFile};
use crate::disk::folder::{entries, is_there};
use crate::document::Document;
use crate::inputs::file::{FileError, read_text};
use crate::ledger::error::{LedgerError, RESTORE};
use crate::ledger::place::Ledger;
use crate::ledger::place::is_run_name;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// The manifest's file name in the batch's folder.
pub const MANIFEST: &str = "manifest.json";
/// The name of the documents' file in the batch's folder.
pub const DOCUMENTS: &str = "documents.jsonl";

/// The purpose of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BatchKind {
    /// Invoices of a period.
    #[default]
    Issue,
    /// A credit note.
    Credit,
}

impl BatchKind {
    /// The name in every output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Issue => "issue",
            Self::Credit => "credit",
        }
    }
}

/// The manifest of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchManifest {
    /// Version of the ledger's layout.
    pub ledger_format: u32,
    /// Version of trunkrate.
    pub version: String,
    /// Name of the batch's folder.
    pub batch_id: String,
    /// Its number, from 1.
    pub sequence: u64,
    /// BLAKE3 of the manifest of the batch before it.
    pub previous_manifest: Option<String>,
    /// Its purpose.
    pub kind: BatchKind,
    /// The reason for a credit note.
    pub reason: Option<String>,
    /// The seller's id: it names the series.
    pub seller: String,
    /// The date on its documents, `YYYY-MM-DD`; its year names the series too.
    pub date: String,
    /// The period that it bills, `YYYY-MM`; of a credit note, that of its invoice.
    pub period: String,
    /// True if it bills late legs only.
    pub supplementary: bool,
    /// The accounts that it was for; `None` for all.
    pub accounts: Option<Vec<String>>,
    /// The runs whose legs it bills, with the number of legs by month.
    pub runs: Vec<BilledRun>,
    /// Its documents, in the order of their numbers.
    pub entries: Vec<Entry>,
    /// Hash of the accounts file that it used.
    pub accounts_hash: Option<String>,
    /// Hash of the items file, if one was given.
    pub items_hash: Option<String>,
    /// The objections that a person accepted: ids of [`crate::invoicing::check`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<String>,
    /// Every other file of the batch.
    pub files: Vec<StoredFile>,
    /// BLAKE3 of the manifest file as it was read.
    #[serde(skip)]
    pub own_hash: String,
}

/// A run that a batch bills legs of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BilledRun {
    /// Its name.
    pub run_id: String,
    /// The number of its legs that are billed, by month.
    pub legs: BTreeMap<String, u64>,
}

/// A document of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, as it is printed.
    pub number: String,
    /// Its place in the series of its seller and year, from 1.
    pub counter: u64,
    /// The account.
    pub account_sid: String,
    /// The currency.
    pub currency: String,
    /// The number of legs that it bills.
    pub legs: u64,
    /// Their exact sum.
    pub usage: String,
    /// The number of monthly items that it bills.
    pub items: u64,
    /// Without tax.
    pub net: String,
    /// The tax.
    pub tax: String,
    /// To be paid, or credited.
    pub total: String,
    /// The runs that it bills legs of: places in the batch's `runs`.
    pub runs: Vec<usize>,
    /// The number of the invoice that it credits.
    pub corrects: Option<String>,
    /// True if the legs of the credited invoice are to be billed again.
    pub rebill: bool,
    /// What it credits of the invoice, if that is not all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<CreditedPart>,
    /// BLAKE3 of its line in `documents.jsonl`, without the line's end.
    pub document: String,
}

/// What a credit note credits of its invoice. Of neither a line nor a call it is an amount.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditedPart {
    /// Lines, by their numbers on the invoice: all that was not credited before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<u64>,
    /// Calls, by their ids: all of their legs that were not credited before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<String>,
}

/// A published batch.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Its folder.
    pub folder: PathBuf,
    /// Its manifest.
    pub manifest: BatchManifest,
}

impl BatchManifest {
    /// The year of its series.
    #[must_use]
    pub fn year(&self) -> &str {
        year_of(&self.date)
    }

    fn load(folder: &Path) -> Result<Self, FileError> {
        let path = folder.join(MANIFEST);
        let text = read_text(&path)?;
        let fail = |e: serde_json::Error| {
            FileError::new(&path, format!("is no manifest of a batch: {e}")).at(e.line() as u64)
        };
        let mut manifest: Self = serde_json::from_str(&text).map_err(fail)?;
        if manifest.ledger_format > LEDGER_FORMAT {
            let problem = format!(
                "was written by trunkrate {}: ledger format {}",
                manifest.version, manifest.ledger_format
            );
            return Err(FileError::new(&path, problem).hint("use that version or a later one"));
        }
        manifest.own_hash = blake3::hash(text.as_bytes()).to_hex().to_string();
        Ok(manifest)
    }
}

/// The year of a date, which begins with it.
#[must_use]
pub fn year_of(date: &str) -> &str {
    date.split_once('-').map_or(date, |(year, _)| year)
}

/// All batches, oldest first.
///
/// # Errors
/// If one is missing, or is not as it was written.
pub fn all(ledger: &Ledger) -> Result<Vec<Batch>, FileError> {
    let mut found: Vec<Batch> = Vec::new();
    let mut series: HashMap<(String, String), u64> = HashMap::new();
    for folder in
        entries(&ledger.invoices_folder())?.0.into_iter().filter(|folder| is_run_name(folder))
    {
        let wrong = |problem: String| FileError::new(&folder, problem).hint(RESTORE);
        if !is_there(&folder.join(MANIFEST))? {
            return Err(wrong("has no manifest: it is no whole batch".to_owned()));
        }
        let manifest = BatchManifest::load(&folder)?;
        let before = found.last().map(|batch| &batch.manifest);
        if folder.file_name().is_none_or(|name| *name != *manifest.batch_id) {
            return Err(wrong(format!("its manifest says that it is batch {}", manifest.batch_id)));
        }
        if manifest.sequence != before.map_or(1, |before| before.sequence + 1)
            || manifest.previous_manifest.as_deref()
                != before.map(|before| before.own_hash.as_str())
        {
            let before =
                before.map_or_else(String::new, |before| format!(", {},", before.batch_id));
            return Err(wrong(format!(
                "is batch {}: the one before it{before} is missing, or was changed",
                manifest.sequence
            )));
        }
        let last = series.entry((manifest.seller.clone(), manifest.year().to_owned())).or_default();
        for entry in &manifest.entries {
            if entry.counter != *last + 1 {
                return Err(wrong(format!(
                    "{} is number {} of its series; expected {}",
                    entry.number,
                    entry.counter,
                    *last + 1
                )));
            }
            *last = entry.counter;
        }
        found.push(Batch { folder, manifest });
    }
    Ok(found)
}

impl Batch {
    /// The document of an entry.
    ///
    /// # Errors
    /// If it is not as it was issued.
    pub fn document(&self, number: &str) -> Result<Document, LedgerError> {
        let mut found = None;
        self.each_document(
            |entry| entry.number == number,
            |_, document| {
                found = Some(document);
                Ok::<_, LedgerError>(())
            },
        )?;
        Ok(found.expect("an entry has its document"))
    }

    /// Reads its documents one by one, and checks each against its hash.
    ///
    /// # Errors
    /// If one is not as it was issued, or `then` fails.
    pub fn each_document<E: From<LedgerError>>(
        &self,
        mut wanted: impl FnMut(&Entry) -> bool,
        mut then: impl FnMut(&Entry, Document) -> Result<(), E>,
    ) -> Result<(), E> {
        let path = self.folder.join(DOCUMENTS);
        let wrong =
            |problem: String| LedgerError::from(FileError::new(&path, problem).hint(RESTORE));
        let file = File::open(&path).map_err(|e| wrong(format!("cannot be read: {e}")))?;
        let mut lines = BufReader::with_capacity(1 << 18, file).lines();
        for (number, entry) in (1_u64..).zip(&self.manifest.entries) {
            let line = lines.next().ok_or_else(|| wrong(format!("has no line {number}")))?;
            let line = line.map_err(|e| wrong(format!("cannot be read: {e}")))?;
            if !wanted(entry) {
                continue;
            }
            if *blake3::hash(line.as_bytes()).to_hex() != *entry.document {
                return Err(wrong(format!(
                    "line {number} is not {} as it was issued",
                    entry.number
                ))
                .into());
            }
            let document =
                serde_json::from_str(&line).map_err(|e| wrong(format!("line {number}: {e}")))?;
            then(entry, document)?;
        }
        Ok(())
    }
}

/// A document of a ledger, by its number.
#[must_use]
pub fn find<'a>(issued: &'a [Batch], number: &str) -> Option<(&'a Batch, &'a Entry)> {
    let mut all = issued
        .iter()
        .flat_map(|batch| batch.manifest.entries.iter().map(move |entry| (batch, entry)));
    all.find(|(_, entry)| entry.number == number)
}

/// The credit note of a whole invoice.
#[must_use]
pub fn credit_of<'a>(issued: &'a [Batch], number: &str) -> Option<(&'a Batch, &'a Entry)> {
    credits_of(issued, number).find(|(_, entry)| entry.part.is_none())
}

/// The credit notes of an invoice, whole or in part, in the order of their issue.
pub fn credits_of<'a>(
    issued: &'a [Batch],
    number: &str,
) -> impl Iterator<Item = (&'a Batch, &'a Entry)> {
    let all = issued
        .iter()
        .flat_map(|batch| batch.manifest.entries.iter().map(move |entry| (batch, entry)));
    all.filter(move |(_, entry)| entry.corrects.as_deref() == Some(number))
}
