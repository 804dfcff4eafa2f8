//! Writes a run: every file into `staging`, synced by `disk::sync` while the next is written, then
//! one rename.

use crate::disk::direct::Direct;
use crate::disk::durable::{make_folder, move_synced, sync_folder, write_synced};
use crate::disk::folder::{entries, is_there};
use crate::disk::private;
use crate::disk::sync::{Behind, Syncer};
use crate::inputs::file::FileError;
use crate::ledger::error::{LedgerError, RESTORE, polars_error};
use crate::ledger::index::ids;
use crate::ledger::lock::Lock;
use crate::ledger::manifest::{FILE_NAME, Manifest, StoredFile};
use crate::ledger::place::{Dataset, Ledger, TAKEN_BACK};
use crate::ledger::run::Run;
use crate::ledger::runs::sort::{Books, BuiltGroup, CallGroup, Cutter, EncodedGroup};
use crate::ledger::tables::pages::{self, Encoded};
use crate::ledger::tables::stored::{text, units};
use crate::ledger::tables::{
    columns,
    late_price::{self, LatePriceRow},
};
use crate::money::Total;
use crate::time;
use polars::io::parquet::write::BatchedWriter;
use polars::prelude::*;
use polars_utils::compression::ZstdLevel;
use rayon::prelude::*;
use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// A file that counts and hashes the bytes written to it.
struct Hashed {
    path: PathBuf,
    file: Direct,
    hasher: blake3::Hasher,
    bytes: u64,
    behind: Behind,
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

/// A file of the run, while it is written.
struct StagedFile {
    path: PathBuf,
    name: String,
    rows: u64,
    file: Hashed,
}

impl StagedFile {
    fn create(staged: &Path, name: String, behind: Behind) -> Result<Self, FileError> {
        let path = staged.join(&name);
        if let Some(folder) = path.parent() {
            make_folder(folder)?;
        }
        let file = private::create_new(&path)
            .map_err(|e| FileError::new(&path, format!("cannot be made: {e}")))?;
        let (file, hasher) = (Direct::new(file), blake3::Hasher::new());
        let file = Hashed { path: path.clone(), file, hasher, bytes: 0, behind };
        Ok(Self { path, name, rows: 0, file })
    }

    /// zstd level 1: the next levels cost twice the time for a tenth of the size.
    fn writer(&mut self, schema: &Schema) -> Result<BatchedWriter<&mut Hashed>, LedgerError> {
        let path = self.path.clone();
        let level = ZstdLevel::try_new(1).map_err(polars_error(&path))?;
        let writer = ParquetWriter::new(&mut self.file)
            .with_compression(ParquetCompression::Zstd(Some(level)));
        writer.batched(schema).map_err(polars_error(&path))
    }

    /// Hands the file over to be synced. (Its folder is synced with all others before the run is
    /// published.)
    fn finish(self) -> Result<StoredFile, FileError> {
        let Hashed { path, file, hasher, bytes, behind } = self.file;
        let file =
            file.finish().map_err(|e| FileError::new(&path, format!("cannot be written: {e}")))?;
        behind.sync(&path, file);
        Ok(StoredFile {
            path: self.name,
            rows: self.rows,
            bytes,
            blake3: hasher.finalize().to_hex().to_string(),
        })
    }
}

/// A Parquet file of legs or log that grows by row groups.
struct DayFile {
    path: PathBuf,
    name: String,
    rows: u64,
    file: pages::Writer<Hashed>,
}

impl DayFile {
    fn create(
        staged: &Path,
        day: i64,
        dataset: Dataset,
        behind: Behind,
    ) -> Result<Self, FileError> {
        let name = format!(
            "{}/date={}/part-0.parquet",
            dataset.as_str(),
            time::date_text(day * time::DAY)
        );
        let StagedFile { path, name, rows, file } = StagedFile::create(staged, name, behind)?;
        Ok(Self { path, name, rows, file: pages::Writer::new(file, &columns::schema(dataset)) })
    }

    fn write(&mut self, (rows, columns): (usize, Vec<Encoded>)) -> Result<(), LedgerError> {
        self.rows += rows as u64;
        self.file.write_row_group(rows, columns).map_err(|e| not_written(&self.path, e))
    }

    fn finish(self) -> Result<StoredFile, LedgerError> {
        let Self { path, name, rows, file } = self;
        let file = file.finish().map_err(|e| not_written(&path, e))?;
        Ok(StagedFile { path, name, rows, file }.finish()?)
    }
}

/// The error of a page that could not be written; on a full disk polars reports a broken file.
fn not_written(path: &Path, error: PolarsError) -> LedgerError {
    let text = error.to_string();
    match text.split_once("underlying IO error: ") {
        Some((_, why)) => FileError::new(path, format!("cannot be written: {why}")).into(),
        None => polars_error(path)(error),
    }
}

/// The files of a day.
struct DayFiles {
    number: i64,
    legs: DayFile,
    calls: DayFile,
}

impl DayFiles {
    fn begin(staged: &Path, number: i64, behind: &Behind) -> Result<Self, FileError> {
        let file = |dataset| DayFile::create(staged, number, dataset, behind.clone());
        Ok(Self { number, legs: file(Dataset::Legs)?, calls: file(Dataset::Calls)? })
    }
}

/// The bytes of a piece's ids, of their other fields, and of children, each with the number of
/// rows.
type SortedIds = [(Vec<u8>, u64); 3];

/// Makes things in order on this thread, while another one writes them: hashing, copying and the
/// disk cost time there.
fn behind<T: Send>(
    make: impl FnOnce(&SyncSender<T>) -> Result<(), LedgerError>,
    write: impl FnOnce(Receiver<T>) -> Result<(), LedgerError> + Send,
) -> Result<(), LedgerError> {
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(1);
        let writer = scope.spawn(move || write(receiver));
        let made = make(&sender);
        drop(sender);
        let written = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        // A failed writer stopped receiving, which made the maker fail too.
        written.and(made)
    })
}

/// The error of a maker whose writer is gone: the writer has its own error to report.
fn gone<T>(_: T) -> LedgerError {
    FileError::new(Path::new(""), "writing was given up").into()
}

/// The groups of the books, in their order.
struct GroupSource<'a> {
    books: &'a Books<'a>,
    /// The next piece to be sorted.
    next: usize,
    cutter: Cutter,
    full: VecDeque<CallGroup>,
}

impl GroupSource<'_> {
    /// Sorts pieces until there are so many groups, or no more pieces; builds their rows.
    fn build(&mut self, groups: usize) -> Result<Vec<BuiltGroup>, LedgerError> {
        let (books, count) = (self.books, self.books.calls.count());
        while self.full.len() < groups && self.next < count {
            let pieces = self.next..count.min(self.next + 2 * rayon::current_num_threads());
            self.next = pieces.end;
            let sorted = pieces.into_par_iter().with_max_len(1).map(|piece| books.sorted(piece));
            for piece in sorted.collect::<Result<Vec<_>, _>>()? {
                self.cutter.add(piece);
            }
            self.full.extend(self.cutter.groups(self.next >= count));
        }
        let groups: Vec<CallGroup> = self.full.drain(..groups.min(self.full.len())).collect();
        groups.par_iter().with_max_len(1).map(|group| books.build(group)).collect()
    }
}

/// Sorts, builds and encodes the groups of the books.
///
/// # Why
/// To build the rows of a group takes one core as long as to encode them: the one group is built
/// while the other is encoded, and both of two cores are busy with two groups in memory. Each of
/// more cores has a group, too.
fn encode_books(
    books: &Books<'_>,
    groups: &SyncSender<(i64, EncodedGroup)>,
) -> Result<(), LedgerError> {
    let at_once = (rayon::current_num_threads() / 2).max(1);
    let (cutter, full) = (Cutter::default(), VecDeque::new());
    let mut source = GroupSource { books, next: 0, cutter, full };
    let mut built = source.build(at_once)?;
    while !built.is_empty() {
        let encode = |group: BuiltGroup| (group.day, books.encode(group));
        let (encoded, next) = rayon::join(
            || -> Vec<_> { built.into_par_iter().with_max_len(1).map(encode).collect() },
            || source.build(at_once),
        );
        for group in encoded {
            groups.send(group).map_err(gone)?;
        }
        built = next?;
    }
    Ok(())
}

/// Sorts the ids, piece by piece, some at a time.
fn sort_ids(books: &Books<'_>, pieces: &SyncSender<SortedIds>) -> Result<(), LedgerError> {
    let (count, at_once) = (books.ids.count(), 2 * rayon::current_num_threads());
    for first in (0..count).step_by(at_once) {
        let sorted =
            (first..count.min(first + at_once)).into_par_iter().with_max_len(1).map(|piece| {
                let (mut packed, mut children) = (Vec::new(), Vec::new());
                books.ids.take(piece, |bytes| packed.extend_from_slice(bytes))?;
                books.children.take(piece, |bytes| children.extend_from_slice(bytes))?;
                let (ids, rest, rows) = ids::sorted(&packed);
                let child_rows = ids::sort_children(&mut children);
                Ok([(ids, rows), (rest, rows), (children, child_rows)])
            });
        for sorted in sorted.collect::<Result<Vec<_>, FileError>>()? {
            pieces.send(sorted).map_err(gone)?;
        }
    }
    Ok(())
}

/// A run in `staging`.
pub struct Staged {
    folder: PathBuf,
    syncer: Syncer,
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
        let syncer = Syncer::begin(&folder)?;
        Ok(Self { folder, syncer, files: Vec::new(), legs: 0, amount: BTreeMap::new() })
    }

    /// Writes the legs and the log, sorted by start and id, a folder per UTC date; and the ids of
    /// all booked and ignored calls.
    ///
    /// # Errors
    /// If a file cannot be written, or an amount does not fit.
    pub fn write_books(&mut self, books: &Books<'_>) -> Result<(), LedgerError> {
        behind(|groups| encode_books(books, groups), |groups| self.write_groups(books, groups))?;
        behind(|pieces| sort_ids(books, pieces), |pieces| self.write_ids(pieces))
    }

    fn write_groups(
        &mut self,
        books: &Books<'_>,
        groups: Receiver<(i64, EncodedGroup)>,
    ) -> Result<(), LedgerError> {
        let mut open = None;
        for (day, group) in groups {
            self.write_group(books, &mut open, day, group)?;
        }
        open.map_or(Ok(()), |day| self.finish_day(day))
    }

    fn write_group(
        &mut self,
        books: &Books<'_>,
        open: &mut Option<DayFiles>,
        day: i64,
        group: EncodedGroup,
    ) -> Result<(), LedgerError> {
        if open.as_ref().is_none_or(|open| open.number != day) {
            if let Some(done) = open.take() {
                self.finish_day(done)?;
            }
            *open = Some(DayFiles::begin(&self.folder, day, &self.syncer.behind())?);
        }
        let open = open.as_mut().expect("a day was begun");
        self.add_sums(books, &group.sums)?;
        self.legs += group.legs.0 as u64;
        open.legs.write(group.legs)?;
        open.calls.write(group.log)
    }

    fn finish_day(&mut self, day: DayFiles) -> Result<(), LedgerError> {
        assert!(day.calls.rows > 0, "a day that was begun has calls");
        assert!(day.legs.rows <= 2 * day.calls.rows, "a call has two legs at most");
        for table in [day.legs, day.calls] {
            self.files.push(table.finish()?);
        }
        Ok(())
    }

    fn add_sums(&mut self, books: &Books<'_>, sums: &[Option<Total>]) -> Result<(), LedgerError> {
        assert_eq!(sums.len(), books.decks.len(), "a sum, or none, for each deck");
        for (deck, total) in books.decks.iter().zip(sums) {
            let Some(total) = total else { continue };
            let sum = self.amount.entry(deck.currency.clone()).or_default();
            sum.merge(*total).map_err(LedgerError::of_sum)?;
        }
        Ok(())
    }

    /// Writes ids and children piece by piece; writes none of these files if there are no ids.
    fn write_ids(&mut self, pieces: Receiver<SortedIds>) -> Result<(), LedgerError> {
        let mut files: Vec<StagedFile> = Vec::new();
        for sorted in pieces {
            if files.is_empty() && sorted.iter().any(|(_, rows)| *rows > 0) {
                for name in [ids::IDS, ids::REST, ids::CHILDREN] {
                    files.push(StagedFile::create(
                        &self.folder,
                        name.to_owned(),
                        self.syncer.behind(),
                    )?);
                }
            }
            for ((bytes, rows), width) in sorted.iter().zip(ids::WIDTHS) {
                assert_eq!(
                    bytes.len() as u64,
                    rows * width,
                    "a file of ids has its rows, each of one width"
                );
            }
            assert_eq!(sorted[0].1, sorted[1].1, "something stands beside each id");
            for (file, (bytes, rows)) in files.iter_mut().zip(sorted) {
                file.rows += rows;
                file.file
                    .write_all(&bytes)
                    .map_err(|e| FileError::new(&file.path, format!("cannot be written: {e}")))?;
            }
        }
        for file in files {
            self.files.push(file.finish()?);
        }
        Ok(())
    }

    /// Writes late prices, sorted by day, a folder per UTC date.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write_prices(&mut self, rows: &[LatePriceRow]) -> Result<(), LedgerError> {
        for rows in rows.chunk_by(|a, b| a.day == b.day) {
            let folder = format!(
                "{}/date={}",
                Dataset::Prices.as_str(),
                time::date_text(i64::from(rows[0].day) * time::DAY)
            );
            self.write_file(&folder, &late_price::table(rows))?;
        }
        Ok(())
    }

    /// Writes a dataset of one file; writes none if it has no rows.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_frame(&mut self, dataset: Dataset, frame: &DataFrame) -> Result<(), LedgerError> {
        self.write_file(dataset.as_str(), frame)
    }

    fn write_file(&mut self, folder: &str, frame: &DataFrame) -> Result<(), LedgerError> {
        self.write_part(&format!("{folder}/part-0.parquet"), frame)
    }

    /// Writes legs that take booked ones back: of one UTC day.
    ///
    /// # Errors
    /// If they cannot be written, or a sum does not fit.
    pub fn write_taken_back(&mut self, day: i64, legs: &DataFrame) -> Result<(), LedgerError> {
        if legs.height() == 0 {
            return Ok(());
        }
        self.write_taken_back_by(day, |write| write(legs))
    }

    /// Writes legs that take booked ones back, frame by frame: of one UTC day, at least one leg.
    ///
    /// # Errors
    /// If they cannot be written, a sum does not fit, or `source` fails.
    pub fn write_taken_back_by(
        &mut self,
        day: i64,
        source: impl FnOnce(
            &mut dyn FnMut(&DataFrame) -> Result<(), LedgerError>,
        ) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        let date = time::date_text(day * time::DAY);
        let name = format!("{}/date={date}/{TAKEN_BACK}", Dataset::Legs.as_str());
        let mut sums: BTreeMap<String, Total> = BTreeMap::new();
        let rows = self.write_named(name, &columns::empty(Dataset::Legs), |write| {
            source(&mut |legs| {
                let amounts = units(legs, "amount");
                for (currency, amount) in text(legs, "currency").iter().zip(amounts) {
                    let amount = amount.expect("a booked leg has an amount");
                    let sum = sums.entry(currency.unwrap_or("").to_owned()).or_default();
                    sum.merge(Total::from_units(amount)).map_err(LedgerError::of_sum)?;
                }
                write(legs)
            })
        })?;
        self.legs += rows;
        for (currency, amount) in sums {
            let sum = self.amount.entry(currency).or_default();
            sum.merge(amount).map_err(LedgerError::of_sum)?;
        }
        Ok(())
    }

    fn write_part(&mut self, name: &str, frame: &DataFrame) -> Result<(), LedgerError> {
        if frame.height() == 0 {
            return Ok(());
        }
        let mut table = StagedFile::create(&self.folder, name.to_owned(), self.syncer.behind())?;
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

    /// Writes a file of a dataset from frames, one after the other, each with at least one row.
    /// `empty` has their columns.
    ///
    /// # Errors
    /// If it cannot be written, or `source` fails.
    pub fn write_frames(
        &mut self,
        dataset: Dataset,
        empty: &DataFrame,
        source: impl FnOnce(
            &mut dyn FnMut(&DataFrame) -> Result<(), LedgerError>,
        ) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        self.write_named(format!("{}/part-0.parquet", dataset.as_str()), empty, source)?;
        Ok(())
    }

    fn write_named(
        &mut self,
        name: String,
        empty: &DataFrame,
        source: impl FnOnce(
            &mut dyn FnMut(&DataFrame) -> Result<(), LedgerError>,
        ) -> Result<(), LedgerError>,
    ) -> Result<u64, LedgerError> {
        let mut table = StagedFile::create(&self.folder, name, self.syncer.behind())?;
        let path = table.path.clone();
        let mut rows = 0;
        {
            let mut writer = table.writer(empty.schema())?;
            source(&mut |frame| {
                rows += frame.height() as u64;
                writer.write_batch(frame).map_err(polars_error(&path))
            })?;
            writer.finish().map_err(polars_error(&path))?;
        }
        table.rows = rows;
        assert!(rows > 0, "a file of a dataset has rows: {}", path.display());
        self.files.push(table.finish()?);
        Ok(rows)
    }

    /// The staged files of a dataset.
    #[must_use]
    pub fn files_of(&self, dataset: Dataset) -> Vec<PathBuf> {
        let is_of = |file: &&StoredFile| file.path.split('/').next() == Some(dataset.as_str());
        self.files.iter().filter(is_of).map(|file| self.folder.join(&file.path)).collect()
    }

    /// Adds up the staged legs a second time, from the files on disk, as polars reads them.
    ///
    /// # Errors
    /// [`LedgerError::Unbalanced`] if the two counts differ.
    pub fn check_totals(&self) -> Result<(), LedgerError> {
        let second = crate::ledger::tables::read::sums_by_currency(&self.files_of(Dataset::Legs))?;
        if second == self.amount {
            return Ok(());
        }
        Err(LedgerError::Unbalanced(format!(
            "the legs on disk add up to {second:?}, the legs in memory to {:?}",
            self.amount
        )))
    }

    /// Publishes the run: the manifest, then one rename.
    ///
    /// # Errors
    /// If anything cannot be written or synced; the run is not booked then.
    pub fn publish(self, ledger: &Ledger, manifest: Manifest) -> Result<Run, LedgerError> {
        self.publish_after(ledger, manifest, |_| Ok(())).map(|(run, ())| run)
    }

    /// Publishes the run like [`Staged::publish`], after something else was done: with its
    /// manifest, which has its hash, and right before the rename.
    ///
    /// # Errors
    /// As [`Staged::publish`]; also the error of `first`.
    pub(crate) fn publish_after<T>(
        self,
        ledger: &Ledger,
        mut manifest: Manifest,
        first: impl FnOnce(&Manifest) -> Result<T, FileError>,
    ) -> Result<(Run, T), LedgerError> {
        self.syncer.finish()?;
        let path = self.folder.join(FILE_NAME);
        let text = manifest.to_text()?;
        write_synced(&path, text.as_bytes())?;
        manifest.own_hash = blake3::hash(text.as_bytes()).to_hex().to_string();
        sync_tree(&self.folder)?;
        let done = first(&manifest)?;
        let target = ledger.runs_folder().join(&manifest.run_id);
        move_synced(&self.folder, &target, &[&ledger.runs_folder()], "booked")?;
        Ok((Run::new(target, manifest), done))
    }
}

/// Syncs a folder and all folders below it.
fn sync_tree(folder: &Path) -> Result<(), FileError> {
    for folder in entries(folder)?.0 {
        sync_tree(&folder)?;
    }
    sync_folder(folder)
}

/// Archives files under their hash, once.
///
/// # Errors
/// If they cannot be written, or others stand under their hash.
pub fn archive(
    ledger: &Ledger,
    lock: &Lock,
    hash: &str,
    files: &BTreeMap<String, Vec<u8>>,
) -> Result<(), FileError> {
    let target = ledger.archive_folder().join(hash);
    if is_there(&target)? {
        for (name, bytes) in files {
            let path = target.join(name);
            if std::fs::read(&path)
                .map_err(|e| FileError::new(&path, format!("cannot be read: {e}")))?
                != *bytes
            {
                return Err(
                    FileError::new(&path, "is not the file that was archived here").hint(RESTORE)
                );
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
    std::fs::rename(&staged, &target)
        .map_err(|e| FileError::new(&target, format!("cannot be published: {e}")))?;
    sync_folder(&ledger.archive_folder())
}
