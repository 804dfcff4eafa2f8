//! Writing a run: every file into `staging`, synced, then one rename.

use super::frames::{Books, Frames, SuspenseRow};
use super::manifest::{FILE_NAME, Manifest, StoredFile};
use super::{Dataset, Ledger, LedgerError, Lock, frames, make_folder, polars_error, sync_folder};
use crate::call::Calls;
use crate::io::FileError;
use crate::money::Total;
use crate::night::{Class, Night, TrunkFacts};
use crate::time;
use polars::io::parquet::write::BatchedWriter;
use polars::prelude::*;
use polars_utils::compression::ZstdLevel;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Calls whose rows are built by one thread at a time, and rows of a group in Parquet.
const ROWS: usize = 1 << 16;

/// A file that counts and hashes what goes through.
struct Hashed {
    file: BufWriter<File>,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl Write for Hashed {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        let count = self.file.write(buffer)?;
        self.hasher.update(&buffer[..count]);
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// A Parquet file that is being written.
struct Table {
    path: PathBuf,
    name: String,
    rows: u64,
    file: Hashed,
}

impl Table {
    fn create(staged: &Path, name: String) -> Result<Self, FileError> {
        let path = staged.join(&name);
        if let Some(folder) = path.parent() {
            make_folder(folder)?;
        }
        let file = File::create_new(&path).map_err(|e| FileError::new(&path, format!("cannot be made: {e}")))?;
        Ok(Self {
            path,
            name,
            rows: 0,
            file: Hashed { file: BufWriter::with_capacity(1 << 20, file), hasher: blake3::Hasher::new(), bytes: 0 },
        })
    }

    /// zstd level 1: the next levels cost twice the time for a tenth of the size.
    fn writer(&mut self, schema: &Schema) -> Result<BatchedWriter<&mut Hashed>, LedgerError> {
        let path = self.path.clone();
        let level = ZstdLevel::try_new(1).map_err(polars_error(&path))?;
        let writer = ParquetWriter::new(&mut self.file).with_compression(ParquetCompression::Zstd(Some(level)));
        writer.batched(schema).map_err(polars_error(&path))
    }

    fn finish(mut self) -> Result<StoredFile, FileError> {
        let fail = |e: std::io::Error| FileError::new(&self.path, format!("cannot be written: {e}"));
        self.file.flush().map_err(fail)?;
        self.file.file.get_ref().sync_all().map_err(fail)?;
        if let Some(folder) = self.path.parent() {
            sync_folder(folder)?;
        }
        let blake3 = self.file.hasher.finalize().to_hex().to_string();
        Ok(StoredFile { path: self.name, rows: self.rows, bytes: self.file.bytes, blake3 })
    }
}

/// A run in `staging`.
pub struct Staged {
    folder: PathBuf,
    /// The files so far.
    pub files: Vec<StoredFile>,
    /// Legs so far.
    pub legs: u64,
    /// Sum of the legs by currency.
    pub amount: BTreeMap<String, Total>,
}

impl Staged {
    /// Begins a run.
    ///
    /// # Errors
    /// If its folder cannot be made.
    pub fn begin(lock: &Lock, run_id: &str) -> Result<Self, FileError> {
        let folder = lock.staging.join(run_id);
        make_folder(&folder)?;
        Ok(Self { folder, files: Vec::new(), legs: 0, amount: BTreeMap::new() })
    }

    /// Writes the legs and the log, sorted by start and id, a folder per UTC date.
    ///
    /// # Errors
    /// If a file cannot be written, or an amount does not fit.
    pub fn write_books(&mut self, books: &Books<'_>) -> Result<(), LedgerError> {
        let trunks = TrunkFacts::of_all(books.calls, books.tariff);
        let prices = frames::carrier_prices(books.calls);
        let order = booking_order(books.calls, books.night);
        for records in order.chunk_by(|a, b| day(books, *a) == day(books, *b)) {
            let date = time::date_text(books.calls.start[records[0] as usize]);
            self.write_date(books, &date, records, &trunks, &prices)?;
        }
        Ok(())
    }

    fn write_date(
        &mut self,
        books: &Books<'_>,
        date: &str,
        records: &[u32],
        trunks: &TrunkFacts<'_>,
        prices: &[Option<i64>],
    ) -> Result<(), LedgerError> {
        let name = |dataset: Dataset| format!("{}/date={date}/part-0.parquet", dataset.as_str());
        let mut legs = Table::create(&self.folder, name(Dataset::Legs))?;
        let mut calls = Table::create(&self.folder, name(Dataset::Calls))?;
        let mut fingerprints = Table::create(&self.folder, name(Dataset::Fingerprints))?;
        {
            let (paths, mut counts) = ([legs.path.clone(), calls.path.clone(), fingerprints.path.clone()], [0; 3]);
            let empty = build(books, &[], trunks, prices)?;
            let mut writers = [
                legs.writer(empty.legs.schema())?,
                calls.writer(empty.calls.schema())?,
                fingerprints.writer(empty.fingerprints.schema())?,
            ];
            // As many slices as threads are built at a time; polars then writes their columns on its own threads.
            for batch in records.chunks(ROWS * rayon::current_num_threads()) {
                let built: Vec<_> = batch.par_chunks(ROWS).map(|slice| build(books, slice, trunks, prices)).collect();
                for frames in built {
                    let frames = frames?;
                    self.add_sums(books, &frames.sums)?;
                    for (at, frame) in [frames.legs, frames.calls, frames.fingerprints].iter().enumerate() {
                        counts[at] += frame.height() as u64;
                        if frame.height() > 0 {
                            writers[at].write_batch(frame).map_err(polars_error(&paths[at]))?;
                        }
                    }
                }
            }
            for (writer, path) in writers.iter().zip(&paths) {
                writer.finish().map_err(polars_error(path))?;
            }
            drop(writers);
            [legs.rows, calls.rows, fingerprints.rows] = counts;
        }
        self.legs += legs.rows;
        for table in [legs, calls, fingerprints] {
            self.files.push(table.finish()?);
        }
        Ok(())
    }

    fn add_sums(&mut self, books: &Books<'_>, sums: &[Option<Total>]) -> Result<(), LedgerError> {
        for (deck, total) in books.tariff.decks.iter().zip(sums) {
            let Some(total) = total else { continue };
            let sum = self.amount.entry(deck.currency.clone()).or_default();
            sum.merge(*total).map_err(|error| LedgerError::Overflow { call: "(sum)".to_owned(), error })?;
        }
        Ok(())
    }

    /// Writes a dataset that is one file; none if it has no rows.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_frame(&mut self, dataset: Dataset, frame: &DataFrame) -> Result<(), LedgerError> {
        if frame.height() == 0 {
            return Ok(());
        }
        let mut table = Table::create(&self.folder, format!("{}/part-0.parquet", dataset.as_str()))?;
        let path = table.path.clone();
        {
            let mut writer = table.writer(frame.schema())?;
            writer.write_batch(frame).map_err(polars_error(&path))?;
            writer.finish().map_err(polars_error(&path))?;
        }
        table.rows = frame.height() as u64;
        self.files.push(table.finish()?);
        Ok(())
    }

    /// Counts the staged legs and their sum a second time, by polars, from what is on disk.
    ///
    /// # Errors
    /// [`LedgerError::Unbalanced`] if the two counts differ.
    pub fn check_totals(&self) -> Result<(), LedgerError> {
        let paths: Vec<PathBuf> =
            self.files.iter().filter(|f| f.path.starts_with("legs/")).map(|f| self.folder.join(&f.path)).collect();
        let second = super::read::sums_by_currency(&paths)?;
        if second == self.amount {
            return Ok(());
        }
        Err(LedgerError::Unbalanced(format!("the legs on disk add up to {second:?}, the legs in memory to {:?}", self.amount)))
    }

    /// Publishes the run: the manifest, then one rename. Gives back what went wrong after the rename.
    ///
    /// # Errors
    /// If anything cannot be written or synced; the run is not booked then.
    pub fn publish(self, ledger: &Ledger, manifest: &Manifest) -> Result<Vec<String>, LedgerError> {
        let path = self.folder.join(FILE_NAME);
        let fail = |e: std::io::Error| FileError::new(&path, format!("cannot be written: {e}"));
        let mut text = serde_json::to_string_pretty(manifest).map_err(|e| fail(e.into()))?;
        text.push('\n');
        let mut file = File::create_new(&path).map_err(fail)?;
        file.write_all(text.as_bytes()).map_err(fail)?;
        file.sync_all().map_err(fail)?;
        sync_tree(&self.folder)?;
        let target = ledger.runs_folder().join(&manifest.run_id);
        std::fs::rename(&self.folder, &target).map_err(|e| FileError::new(&target, format!("cannot be published: {e}")))?;
        let synced = sync_folder(&ledger.runs_folder());
        Ok(synced.err().map(|e| format!("it is published, but may not survive a loss of power: {e}")).into_iter().collect())
    }
}

fn build(books: &Books<'_>, records: &[u32], trunks: &TrunkFacts<'_>, prices: &[Option<i64>]) -> Result<Frames, LedgerError> {
    frames::build(books, records, trunks, prices)
        .map_err(|e| LedgerError::Overflow { call: books.calls.sid_text(e.record).to_string(), error: e.error })
}

fn day(books: &Books<'_>, record: u32) -> i64 {
    time::day(books.calls.start[record as usize])
}

/// The records of the log, by start and then by the text of the id.
fn booking_order(calls: &Calls, night: &Night) -> Vec<u32> {
    let count = u32::try_from(calls.len()).unwrap_or(u32::MAX);
    let mut order: Vec<(i64, u32)> = (0..count)
        .filter(|record| matches!(night.class[*record as usize], Class::Rated | Class::Free))
        .map(|record| (calls.start[record as usize], record))
        .collect();
    order.par_sort_unstable_by(|a, b| {
        let sid = |record: u32| calls.sid_text(record as usize);
        a.0.cmp(&b.0).then_with(|| sid(a.1).cmp(&sid(b.1)))
    });
    order.into_iter().map(|(_, record)| record).collect()
}

/// Syncs a folder and all folders below it.
fn sync_tree(folder: &Path) -> Result<(), FileError> {
    let fail = |e: std::io::Error| FileError::new(folder, format!("cannot be read: {e}"));
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if path.is_dir() {
            sync_tree(&path)?;
        }
    }
    sync_folder(folder)
}

/// Keeps files under their hash, once.
///
/// # Errors
/// If they cannot be written.
pub fn archive(ledger: &Ledger, lock: &Lock, hash: &str, files: &BTreeMap<String, Vec<u8>>) -> Result<(), FileError> {
    let target = ledger.archive_folder().join(hash);
    if target.exists() {
        return Ok(());
    }
    let staged = lock.staging.join(format!("archive-{hash}"));
    make_folder(&staged)?;
    for (name, bytes) in files {
        let path = staged.join(name);
        if let Some(folder) = path.parent() {
            make_folder(folder)?;
        }
        let fail = |e: std::io::Error| FileError::new(&path, format!("cannot be written: {e}"));
        let mut file = File::create_new(&path).map_err(fail)?;
        file.write_all(bytes).map_err(fail)?;
        file.sync_all().map_err(fail)?;
    }
    sync_tree(&staged)?;
    std::fs::rename(&staged, &target).map_err(|e| FileError::new(&target, format!("cannot be published: {e}")))?;
    sync_folder(&ledger.archive_folder())
}

/// The rows of suspense in the order that they are kept in.
pub fn sort_suspense(rows: &mut [SuspenseRow]) {
    rows.sort_by(|a, b| {
        (&a.call_sid, &a.record, &a.source_file, a.source_line).cmp(&(&b.call_sid, &b.record, &b.source_file, b.source_line))
    });
}
