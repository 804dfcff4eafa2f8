//! Publishes a batch: documents into `staging`, then the manifest, then one rename. The protocol is
//! that of a run.

use crate::disk::durable::{
    make_folder, make_folder_synced, move_synced, sync_folder, write_synced,
};
use crate::disk::private;
use crate::document::Document;
use crate::inputs::file::FileError;
use crate::ledger::batch::{Batch, BatchManifest, DOCUMENTS, Entry, MANIFEST, year_of};
use crate::ledger::error::LedgerError;
use crate::ledger::history::History;
use crate::ledger::lock::Lock;
use crate::ledger::manifest::{LEDGER_FORMAT, StoredFile};
use crate::ledger::place::Ledger;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

/// A batch that is being written.
pub struct BatchWriter {
    folder: PathBuf,
    path: PathBuf,
    file: BufWriter<File>,
    hasher: blake3::Hasher,
    bytes: u64,
    entries: Vec<Entry>,
}

impl BatchWriter {
    /// Begins a batch.
    ///
    /// # Errors
    /// If its file cannot be made.
    pub fn begin(lock: &Lock) -> Result<Self, FileError> {
        let folder = lock.staging.join("batch");
        make_folder(&folder)?;
        let path = folder.join(DOCUMENTS);
        let file = private::create_new(&path)
            .map_err(|e| FileError::new(&path, format!("cannot be made: {e}")))?;
        let file = BufWriter::with_capacity(1 << 18, file);
        Ok(Self {
            folder,
            path,
            file,
            hasher: blake3::Hasher::new(),
            bytes: 0,
            entries: Vec::new(),
        })
    }

    /// Writes a document, whose number is the next of its series. `entry` has the fields that the
    /// document lacks; its totals and hash are filled in here.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn add(&mut self, document: &Document, entry: Entry) -> Result<(), FileError> {
        let fail =
            |e: std::io::Error| FileError::new(&self.path, format!("cannot be written: {e}"));
        let mut line = serde_json::to_vec(document).map_err(|e| fail(e.into()))?;
        let t = &document.totals;
        self.entries.push(Entry {
            number: document.number.clone().expect("an issued document has a number"),
            account_sid: document.buyer.account_sid.clone(),
            currency: document.currency.clone(),
            legs: document.legs,
            usage: t.usage.to_string(),
            items: document.items.len() as u64,
            net: t.net.to_string(),
            tax: t.tax.to_string(),
            total: t.total.to_string(),
            document: blake3::hash(&line).to_hex().to_string(),
            ..entry
        });
        line.push(b'\n');
        self.hasher.update(&line);
        self.bytes += line.len() as u64;
        self.file.write_all(&line).map_err(fail)
    }

    /// True if it has no document.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Completes the batch in `staging`, ready to be published. `manifest` has the fields that the
    /// documents lack.
    ///
    /// # Errors
    /// If anything cannot be written or synced.
    pub fn finish(
        mut self,
        history: &History,
        manifest: BatchManifest,
    ) -> Result<StagedBatch, LedgerError> {
        let fail =
            |e: std::io::Error| FileError::new(&self.path, format!("cannot be written: {e}"));
        self.file.flush().map_err(fail)?;
        self.file.get_ref().sync_all().map_err(fail)?;
        let blake3 = self.hasher.finalize().to_hex().to_string();
        let previous = history.issued.last().map(|batch| &batch.manifest);
        let sequence = previous.map_or(1, |previous| previous.sequence + 1);
        let previous_manifest = previous.map(|previous| previous.own_hash.clone());
        let mut does = blake3::Hasher::new();
        for text in [&blake3, previous_manifest.as_deref().unwrap_or("")] {
            does.update(text.as_bytes());
        }
        let file = StoredFile {
            path: DOCUMENTS.to_owned(),
            rows: self.entries.len() as u64,
            bytes: self.bytes,
            blake3,
        };
        let mut manifest = BatchManifest {
            ledger_format: LEDGER_FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            batch_id: format!("{sequence:06}-{}", &does.finalize().to_hex()[..8]),
            sequence,
            previous_manifest,
            entries: self.entries,
            files: vec![file],
            ..manifest
        };
        let path = self.folder.join(MANIFEST);
        let text = serde_json::to_string_pretty(&manifest)
            .map_err(|e| FileError::new(&path, format!("cannot be written: {e}")))?
            + "\n";
        write_synced(&path, text.as_bytes())?;
        sync_folder(&self.folder)?;
        manifest.own_hash = blake3::hash(text.as_bytes()).to_hex().to_string();
        Ok(StagedBatch { batch: Batch { folder: self.folder, manifest } })
    }
}

/// A complete batch that is not yet issued.
pub struct StagedBatch {
    batch: Batch,
}

impl StagedBatch {
    /// The history with this batch, so that its documents can be rendered before they are issued.
    #[must_use]
    pub fn history(&self, before: &History) -> History {
        let mut history = before.clone();
        history.issued.push(self.batch.clone());
        history
    }

    /// Publishes the batch: **now its numbers are given**.
    ///
    /// # Errors
    /// If it cannot be moved into its place or synced; nothing is issued then.
    pub fn publish(self, ledger: &Ledger, history: &mut History) -> Result<Batch, LedgerError> {
        let Batch { folder, manifest } = self.batch;
        let all = ledger.invoices_folder();
        make_folder_synced(&all)?;
        let target = all.join(&manifest.batch_id);
        move_synced(&folder, &target, &[&all], "issued")?;
        let batch = Batch { folder: target, manifest };
        history.issued.push(batch.clone());
        Ok(batch)
    }
}

/// The next place in the series of a seller and a year.
///
/// # Errors
/// If an earlier document of the series has a later date: numbers would not follow dates. (Another
/// year is another series.)
pub fn next_counter(history: &History, seller: &str, date: &str) -> Result<u64, String> {
    let year = year_of(date);
    let mut last = 0;
    let of_series =
        |batch: &&Batch| batch.manifest.seller == seller && batch.manifest.year() == year;
    for Batch { manifest: m, .. } in history.issued.iter().filter(of_series) {
        if m.date.as_str() > date {
            let newest = m.entries.last().map_or("", |entry| entry.number.as_str());
            return Err(format!(
                "the date {date} is before {}, the date of {newest}; numbers follow dates",
                m.date
            ));
        }
        last = m.entries.last().map_or(last, |entry| entry.counter);
    }
    Ok(last + 1)
}
