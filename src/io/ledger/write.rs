//! Writing a run: every file into `staging`, synced, then one rename.

use super::frames::{Books, Frames};
use super::ids::{self, IdRow};
use super::manifest::{FILE_NAME, Manifest, StoredFile};
use super::{
    Dataset, Ledger, LedgerError, Lock, Run, entries, frames, is_there, make_folder, polars_error, sync_folder, write_synced,
};
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
pub(super) const ROWS: usize = 1 << 16;

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

/// A file of the run that is being written.
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

    /// Syncs the file. (Its folder is synced with all others before the run is published.)
    fn finish(mut self) -> Result<StoredFile, FileError> {
        let fail = |e: std::io::Error| FileError::new(&self.path, format!("cannot be written: {e}"));
        self.file.flush().map_err(fail)?;
        self.file.file.get_ref().sync_all().map_err(fail)?;
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
    ids: Vec<IdRow>,
}

impl Staged {
    /// Begins a run.
    ///
    /// # Errors
    /// If its folder cannot be made.
    pub fn begin(lock: &Lock, run_id: &str) -> Result<Self, FileError> {
        let folder = lock.staging.join(run_id);
        make_folder(&folder)?;
        Ok(Self { folder, files: Vec::new(), legs: 0, amount: BTreeMap::new(), ids: Vec::new() })
    }

    /// Writes the legs and the log, sorted by start and id, a folder per UTC date; and the ids of all booked and ignored
    /// calls.
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
            self.add_ids(books, records, &prices);
        }
        self.write_ids(books)
    }

    fn add_ids(&mut self, books: &Books<'_>, records: &[u32], prices: &[Option<i64>]) {
        let calls = books.calls;
        self.ids.extend((0..).zip(records).map(|(row, record)| {
            let at = *record as usize;
            let priced = books.night.families.with_price(*record) as usize;
            let day = i32::try_from(day(books, *record)).unwrap_or_default();
            IdRow {
                sid: calls.sid[at],
                content: calls.content[at],
                price: prices[calls.price[priced] as usize],
                place: Some((day, row)),
            }
        }));
    }

    fn write_ids(&mut self, books: &Books<'_>) -> Result<(), LedgerError> {
        let ignored =
            books.calls.sid.iter().zip(&books.night.class).filter(|(sid, class)| **class == Class::Ignored && !sid.is_empty());
        let mut sids: Vec<_> = ignored.map(|(sid, _)| *sid).collect();
        sids.sort_unstable();
        sids.dedup();
        let mut rows = std::mem::take(&mut self.ids);
        rows.extend(sids.into_iter().map(|sid| IdRow { sid, content: 0, price: None, place: None }));
        if !rows.is_empty() {
            let mut table = Table::create(&self.folder, ids::IDS.to_owned())?;
            let mut rest = Table::create(&self.folder, ids::REST.to_owned())?;
            ids::write(&mut rows, &mut table.file, &mut rest.file)
                .map_err(|e| FileError::new(&table.path, format!("cannot be written: {e}")))?;
            for mut file in [table, rest] {
                file.rows = rows.len() as u64;
                self.files.push(file.finish()?);
            }
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
        {
            let (paths, mut counts) = ([legs.path.clone(), calls.path.clone()], [0; 2]);
            let empty = build(books, &[], trunks, prices)?;
            let mut writers = [legs.writer(empty.legs.schema())?, calls.writer(empty.calls.schema())?];
            // As many slices as threads are built at a time; polars then writes their columns on its own threads.
            for batch in records.chunks(ROWS * rayon::current_num_threads()) {
                let built: Vec<_> = batch.par_chunks(ROWS).map(|slice| build(books, slice, trunks, prices)).collect();
                for frames in built {
                    let frames = frames?;
                    self.add_sums(books, &frames.sums)?;
                    for (at, frame) in [frames.legs, frames.calls].iter().enumerate() {
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
            [legs.rows, calls.rows] = counts;
        }
        self.legs += legs.rows;
        for table in [legs, calls] {
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

    /// Writes late prices, a folder per UTC date.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write_prices(&mut self, rows: &mut [frames::LatePrice]) -> Result<(), LedgerError> {
        rows.sort_unstable();
        for rows in rows.chunk_by(|a, b| a.day == b.day) {
            let folder = format!("{}/date={}", Dataset::Prices.as_str(), time::date_text(i64::from(rows[0].day) * time::DAY));
            self.write_file(&folder, &frames::late_prices(rows))?;
        }
        Ok(())
    }

    /// Writes a dataset that is one file; none if it has no rows.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_frame(&mut self, dataset: Dataset, frame: &DataFrame) -> Result<(), LedgerError> {
        self.write_file(dataset.as_str(), frame)
    }

    fn write_file(&mut self, folder: &str, frame: &DataFrame) -> Result<(), LedgerError> {
        if frame.height() == 0 {
            return Ok(());
        }
        let mut table = Table::create(&self.folder, format!("{folder}/part-0.parquet"))?;
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

    /// Publishes the run: the manifest, then one rename.
    ///
    /// # Errors
    /// If anything cannot be written or synced; the run is not booked then.
    pub fn publish(self, ledger: &Ledger, mut manifest: Manifest) -> Result<Run, LedgerError> {
        let path = self.folder.join(FILE_NAME);
        let text = manifest.to_text()?;
        write_synced(&path, text.as_bytes())?;
        manifest.own_hash = blake3::hash(text.as_bytes()).to_hex().to_string();
        sync_tree(&self.folder)?;
        let target = ledger.runs_folder().join(&manifest.run_id);
        std::fs::rename(&self.folder, &target).map_err(|e| FileError::new(&target, format!("cannot be published: {e}")))?;
        if let Err(e) = sync_folder(&ledger.runs_folder()) {
            // It may not survive a loss of power, so it does not count: out it goes again.
            return Err(match std::fs::rename(&target, &self.folder) {
                Ok(()) => e.into(),
                Err(back) => FileError::new(&target, format!("is booked, but {e}, and it cannot be taken back: {back}")).into(),
            });
        }
        Ok(Run { folder: target, manifest })
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
    for folder in entries(folder)?.0 {
        sync_tree(&folder)?;
    }
    sync_folder(folder)
}

/// Keeps files under their hash, once.
///
/// # Errors
/// If they cannot be written, or others stand under their hash.
pub fn archive(ledger: &Ledger, lock: &Lock, hash: &str, files: &BTreeMap<String, Vec<u8>>) -> Result<(), FileError> {
    let target = ledger.archive_folder().join(hash);
    if is_there(&target)? {
        for (name, bytes) in files {
            let path = target.join(name);
            if std::fs::read(&path).map_err(|e| FileError::new(&path, format!("cannot be read: {e}")))? != *bytes {
                return Err(FileError::new(&path, "is not the file that was archived here").hint(super::RESTORE));
            }
        }
        return sync_folder(&ledger.archive_folder());
    }
    let staged = lock.staging.join(format!("archive-{hash}"));
    make_folder(&staged)?;
    for (name, bytes) in files {
        let path = staged.join(name);
        if let Some(folder) = path.parent() {
            make_folder(folder)?;
        }
        write_synced(&path, bytes)?;
    }
    sync_tree(&staged)?;
    std::fs::rename(&staged, &target).map_err(|e| FileError::new(&target, format!("cannot be published: {e}")))?;
    sync_folder(&ledger.archive_folder())
}
