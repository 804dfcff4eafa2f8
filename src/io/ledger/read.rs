//! Reading a ledger: frames and their columns, what waits, and the queries of the outputs.

use super::books::{LEG_COLUMNS, LOG_COLUMNS};
use super::frames::{KeptParent, KeptPrice, SuspenseRow};
use super::known::{self, day_of_file};
use super::manifest::{FILE_NAME, StoredFile};
pub use super::stored::{Rows, text, units};
use super::{Dataset, History, Ledger, LedgerError, RESTORE, Run, is_run_name, polars_error};
use crate::call::DirectionField;
use crate::io::calls::Waits;
use crate::io::{FileError, guarded, guarded_apart};
use crate::money::Total;
use crate::time::{self, Micros};
use polars::io::parquet::metadata::{FileMetadata, FileMetadataRef};
use polars::prelude::*;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl Run {
    /// The files of a dataset, as its manifest names them, by date.
    fn stored(&self, dataset: Dataset) -> Vec<&StoredFile> {
        let is_of = |file: &&StoredFile| file.path.split('/').next() == Some(dataset.as_str());
        let mut files: Vec<&StoredFile> = self.manifest.files.iter().filter(is_of).collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files
    }

    /// The files of a dataset, by date.
    #[must_use]
    pub fn files(&self, dataset: Dataset) -> Vec<PathBuf> {
        self.stored(dataset).into_iter().map(|file| self.folder.join(&file.path)).collect()
    }

    /// Whether the files whose names begin so are as they were written.
    ///
    /// # Errors
    /// The first that is not, or cannot be read.
    pub fn check_files(&self, prefix: &str) -> Result<(), FileError> {
        self.manifest.files.iter().filter(|file| file.path.starts_with(prefix)).try_for_each(|file| self.check_stored(file))
    }

    /// Whether the files of a dataset by date are as they were written, for the days that are wanted.
    ///
    /// # Errors
    /// The first that is not, or cannot be read.
    pub fn check_days(&self, dataset: Dataset, wanted: impl Fn(i64) -> bool) -> Result<(), LedgerError> {
        for file in self.stored(dataset) {
            let path = self.folder.join(&file.path);
            if day_of_file(&path).is_some_and(&wanted) {
                self.check_stored(file).map_err(|e| not_read(&path, e))?;
            }
        }
        Ok(())
    }

    /// Refuses a file of the run that is not as it was written, before anything is read from it. Each is hashed once, however
    /// often it is read.
    ///
    /// # Errors
    /// If it is not, cannot be read, or the run has no such file.
    pub fn check_before_read(&self, path: &Path) -> Result<(), LedgerError> {
        let is_it = |file: &&StoredFile| self.folder.join(&file.path) == path;
        let Some(file) = self.manifest.files.iter().find(is_it) else {
            return Err(FileError::new(path, "is no file of its run").hint(RESTORE).into());
        };
        let mut checked = self.checked.lock().expect("a file was hashed without a panic");
        if !checked.contains(&file.path) {
            self.check_stored(file).map_err(|e| not_read(path, e))?;
            checked.insert(file.path.clone());
        }
        Ok(())
    }

    /// Whether a file is as it was written.
    ///
    /// # Errors
    /// If it is not, or cannot be read.
    pub fn check_stored(&self, file: &StoredFile) -> Result<(), FileError> {
        let path = self.folder.join(&file.path);
        let (bytes, hash) = hash_file(&path)?;
        if bytes == file.bytes && hash == file.blake3 {
            return Ok(());
        }
        let problem =
            format!("is not as it was written: {bytes} bytes, BLAKE3 {hash}; expected {} bytes, {}", file.bytes, file.blake3);
        Err(FileError::new(&path, problem).hint(RESTORE))
    }
}

/// Size and BLAKE3 of a file.
///
/// # Errors
/// If it cannot be read.
pub fn hash_file(path: &Path) -> Result<(u64, String), FileError> {
    let hash = || {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(File::open(path)?)?;
        Ok::<_, std::io::Error>((hasher.count(), hasher.finalize().to_hex().to_string()))
    };
    hash().map_err(|e| not_read(path, FileError::new(path, format!("cannot be read: {e}"))))
}

/// Reads columns of a file.
///
/// # Errors
/// If it is missing or corrupt.
pub fn frame(path: &Path, columns: &[&str]) -> Result<DataFrame, LedgerError> {
    of_known_types(path, read_columns(path, columns, |reader| reader))
}

/// Some rows of a file: only their groups are read.
///
/// # Errors
/// If it is missing or corrupt.
pub fn slice(path: &Path, columns: &[&str], offset: usize, rows: usize) -> Result<DataFrame, LedgerError> {
    Footer::of(path)?.rows(columns, offset, rows)
}

/// A group of rows in a Parquet file of legs or of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// How many rows it has.
    pub rows: usize,
    /// The first and the last start in it, if its statistics say so.
    pub starts: Option<RangeInclusive<Micros>>,
}

/// A file of which the footer was read: once, however many rows are asked for (a file of 760 groups, one after the other:
/// half of the time went into reading all of the footer for each).
#[derive(Debug)]
pub struct Footer<'a> {
    path: &'a Path,
    metadata: FileMetadataRef,
}

impl<'a> Footer<'a> {
    /// Reads the footer of a file.
    ///
    /// # Errors
    /// If it is missing or corrupt.
    pub fn of(path: &'a Path) -> Result<Self, LedgerError> {
        Ok(Self::read(path).map_err(|e| not_read(path, e))?)
    }

    fn read(path: &'a Path) -> Result<Self, FileError> {
        let file = File::open(path).map_err(|e| FileError::new(path, format!("cannot be read: {e}")))?;
        let metadata = guarded(path, || ParquetReader::new(file).get_metadata().cloned())?;
        Ok(Self { path, metadata })
    }

    /// The groups of rows, in their order.
    #[must_use]
    pub fn groups(&self) -> Vec<Group> {
        let metadata = &self.metadata;
        let of = |group: usize| {
            let group = &metadata.row_groups[group];
            let starts = || {
                let column = group.columns_under_root_iter("start_time")?.next()?;
                let statistics = column.statistics(&metadata.footer_buf)?.ok()?;
                let starts = statistics.as_int64()?;
                Some(starts.min_value?..=starts.max_value?)
            };
            Group { rows: group.num_rows(), starts: starts() }
        };
        (0..metadata.row_groups.len()).map(of).collect()
    }

    /// Some rows: only their groups are read.
    ///
    /// # Errors
    /// If the file is gone or corrupt.
    pub fn rows(&self, columns: &[&str], offset: usize, rows: usize) -> Result<DataFrame, LedgerError> {
        of_known_types(self.path, self.raw_rows(columns, offset, rows))
    }

    fn raw_rows(&self, columns: &[&str], offset: usize, rows: usize) -> Result<DataFrame, FileError> {
        let (before, metadata) = self.only_groups_of(offset..offset.saturating_add(rows));
        assert!(before <= offset, "the groups that are left out end before the rows");
        let frame = read_columns(self.path, columns, |mut reader| {
            reader.set_metadata(metadata.into());
            reader = reader.with_slice(Some((offset - before, rows)));
            if rows <= FEW_ROWS { reader.read_parallel(ParallelStrategy::None) } else { reader }
        })?;
        let all: usize = self.metadata.row_groups.iter().fold(0, |all, group| all + group.num_rows());
        let expected = all.saturating_sub(offset).min(rows);
        if frame.height() != expected {
            let problem = format!("has {} rows from row {} on, where its footer says {expected}", frame.height(), offset + 1);
            return Err(FileError::new(self.path, problem));
        }
        Ok(frame)
    }

    /// The footer without the groups that have none of these rows, and how many rows the groups before had. (polars begins
    /// to read each column of each group before it skips it.)
    fn only_groups_of(&self, rows: Range<usize>) -> (usize, FileMetadata) {
        let all = &self.metadata;
        let (mut end, mut before, mut row_groups, mut num_rows) = (0, 0, Vec::new(), 0);
        for group in &all.row_groups {
            let first = end;
            end += group.num_rows();
            if end <= rows.start {
                before = end;
            } else if first < rows.end && rows.start < end {
                num_rows += group.num_rows();
                row_groups.push(group.clone());
            }
        }
        let only = FileMetadata {
            version: all.version,
            num_rows,
            max_row_group_height: all.max_row_group_height,
            created_by: all.created_by.clone(),
            row_groups,
            key_value_metadata: all.key_value_metadata.clone(),
            schema_descr: all.schema_descr.clone(),
            column_orders: all.column_orders.clone(),
            footer_buf: all.footer_buf.clone(),
        };
        (before, only)
    }
}

/// Columns of a file, a group of rows after the other: no more is in memory at once.
///
/// # Errors
/// If it is missing or corrupt, or `then` fails.
pub fn each_group<E: From<LedgerError>>(
    path: &Path,
    columns: &[&str],
    mut then: impl FnMut(&Rows<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let (footer, mut first) = (Footer::of(path)?, 0);
    for Group { rows, .. } in footer.groups() {
        then(&Rows::new(path, first, &footer.rows(columns, first, rows)?))?;
        first += rows;
    }
    Ok(())
}

/// Columns of some rows, of whatever type they are.
///
/// # Errors
/// If the file is missing or corrupt.
pub(super) fn raw_rows(path: &Path, columns: &[&str], offset: usize, rows: usize) -> Result<DataFrame, FileError> {
    Footer::read(path)?.raw_rows(columns, offset, rows)
}

fn read_columns(
    path: &Path,
    columns: &[&str],
    with: impl FnOnce(ParquetReader<File>) -> ParquetReader<File> + Send,
) -> Result<DataFrame, FileError> {
    let file = File::open(path).map_err(|e| FileError::new(path, format!("cannot be read: {e}")))?;
    let columns = columns.iter().map(|c| (*c).to_owned()).collect();
    guarded_apart(path, || with(ParquetReader::new(file).with_columns(Some(columns)).set_rechunk(true)).finish())
}

fn of_known_types(path: &Path, frame: Result<DataFrame, FileError>) -> Result<DataFrame, LedgerError> {
    let frame = frame.map_err(|e| not_read(path, e))?;
    for column in frame.columns() {
        let is_number = NUMBERS.contains(&column.name().as_str());
        let expected = match column.dtype() {
            DataType::String => !is_number,
            DataType::Int64 | DataType::Decimal(_, _) | DataType::Datetime(_, _) => is_number,
            _ => false,
        };
        if !expected {
            let problem = format!("has the column {} as {}", column.name(), column.dtype());
            return Err(FileError::new(path, problem).hint(RESTORE).into());
        }
    }
    Ok(frame)
}

/// So few rows are read faster than threads begin to read them.
const FEW_ROWS: usize = 1 << 12;

/// The columns that are numbers, times or money; all others are texts.
const NUMBERS: [&str; 16] = [
    "leg",
    "start_time",
    "end_time",
    "duration_seconds",
    "billed_seconds",
    "price_per_minute",
    "connection_fee",
    "deck_line",
    "amount",
    "carrier_price",
    "source_line",
    "tries",
    "content",
    "seconds",
    "kept_start",
    "kept_is_child",
];

/// Why a file of a run could not be read: it is broken, or its run was undone meanwhile.
pub(super) fn not_read(path: &Path, error: FileError) -> FileError {
    if path.try_exists().is_ok_and(|there| !there) {
        // Of a run that is still in its place only a file is lost.
        let run = path.ancestors().find(|folder| is_run_name(folder));
        if run.is_some_and(|run| run.join(FILE_NAME).exists()) {
            return FileError::new(path, "is missing").hint(RESTORE);
        }
        return FileError::new(path, "is gone: its run was undone meanwhile").hint("try again");
    }
    error.hint(RESTORE)
}

/// Sums of the `amount` of legs files by currency, a group of rows at a time. It is the second count of
/// [`crate::io::job::book`], from what is stored.
///
/// # Errors
/// If a file cannot be read.
pub fn sums_by_currency(paths: &[PathBuf]) -> Result<BTreeMap<String, Total>, LedgerError> {
    let mut sums: BTreeMap<String, Total> = BTreeMap::new();
    for path in paths {
        each_group(path, &["currency", "amount"], |legs| {
            let mut own: Vec<(&str, i128)> = Vec::new();
            let (currencies, amounts) = (legs.texts(["currency"]), legs.longs(["amount"])?);
            for (row, currency) in currencies.column(0).iter().enumerate() {
                let (currency, amount) = (currency.unwrap_or(""), amounts.at(0, row)?);
                match own.iter_mut().find(|(known, _)| *known == currency) {
                    Some((_, sum)) => *sum += i128::from(amount),
                    None => own.push((currency, amount.into())),
                }
            }
            for (currency, sum) in own {
                let total = sums.entry(currency.to_owned()).or_default();
                total.merge(Total::from_units(sum)).map_err(LedgerError::of_sum)?;
            }
            Ok::<_, LedgerError>(())
        })?;
    }
    Ok(sums)
}

/// The records that wait after the last run, as they are taken up.
///
/// # Errors
/// If they are not as they were written: the next run would book from them.
pub fn waiting(history: &History) -> Result<Waits, LedgerError> {
    let Some(run) = history.runs.last() else { return Ok(Waits::default()) };
    run.check_files(Dataset::Suspense.as_str())?;
    let count: u64 = run.stored(Dataset::Suspense).iter().map(|file| file.rows).sum();
    Ok(Waits::of(run.files(Dataset::Suspense), usize::try_from(count).expect("a file's rows are counted in 64 bits")))
}

/// The columns of what waits, those that are not exported too.
const WAITING_COLUMNS: [&str; 24] = [
    "call_sid",
    "parent_call_sid",
    "account_sid",
    "reason",
    "detail",
    "source_file",
    "source_line",
    "first_seen",
    "tries",
    "record",
    "header",
    "content",
    "seconds",
    "close_reason",
    "kept_account",
    "kept_start",
    "kept_is_child",
    "kept_root_sid",
    "kept_root_direction",
    "kept_root_from",
    "kept_root_to",
    "kept_root_trunk",
    "kept_price",
    "kept_price_unit",
];

/// Shows the records that a run left in suspense, or closed, some at a time.
///
/// # Errors
/// If they cannot be read, or are not as they were written; or `then` fails.
pub fn each_suspended<E: From<LedgerError>>(
    run: &Run,
    dataset: Dataset,
    mut then: impl FnMut(Vec<SuspenseRow>) -> Result<(), E>,
) -> Result<(), E> {
    run.check_files(dataset.as_str()).map_err(LedgerError::from)?;
    run.files(dataset).iter().try_for_each(|path| each_slice(path, SLICE, &mut then))
}

/// The first record that waits under an id.
///
/// # Errors
/// As [`each_suspended`].
pub fn find_waiting(history: &History, call_sid: &str) -> Result<Option<SuspenseRow>, LedgerError> {
    let mut found = None;
    if let Some(run) = history.runs.last() {
        each_suspended(run, Dataset::Suspense, |rows| {
            found = found.take().or_else(|| rows.into_iter().find(|row| row.call_sid == call_sid));
            Ok::<(), LedgerError>(())
        })?;
    }
    Ok(found)
}

/// Suspended records that are read at a time.
const SLICE: usize = 1 << 15;

/// The records of a file of suspense, so many at a time.
///
/// # Errors
/// If it cannot be read, or `then` fails.
pub fn each_slice<E: From<LedgerError>>(
    path: &Path,
    most: usize,
    mut then: impl FnMut(Vec<SuspenseRow>) -> Result<(), E>,
) -> Result<(), E> {
    let (footer, mut first) = (Footer::of(path)?, 0);
    for Group { rows, .. } in footer.groups() {
        for from in (0..rows).step_by(most) {
            let frame = footer.rows(&WAITING_COLUMNS, first + from, most.min(rows - from))?;
            then(suspense_rows(&Rows::new(path, first + from, &frame))?)?;
        }
        first += rows;
    }
    Ok(())
}

/// Records as they were kept.
fn suspense_rows(rows: &Rows<'_>) -> Result<Vec<SuspenseRow>, LedgerError> {
    let names = [
        "call_sid",
        "parent_call_sid",
        "account_sid",
        "reason",
        "detail",
        "source_file",
        "first_seen",
        "record",
        "header",
        "close_reason",
        "kept_price",
        "kept_price_unit",
    ];
    let texts = rows.texts(names);
    let numbers = rows.longs(["source_line", "tries", "content", "seconds"])?;
    let mut header: Arc<str> = Arc::from("");
    let parents = kept_parents(rows)?;
    assert_eq!(parents.len(), rows.height(), "a parent, or none, for each record");
    let record = |(row, parent): (usize, Option<KeptParent>)| {
        let [
            call_sid,
            parent_call_sid,
            account_sid,
            reason,
            detail,
            source_file,
            first_seen,
            record,
            own_header,
            close,
            price,
            unit,
        ] = texts.row(row);
        // Neighbours mostly stand under one header.
        if *header != *own_header {
            header = Arc::from(own_header);
        }
        Ok(SuspenseRow {
            call_sid: call_sid.to_owned(),
            parent_call_sid: parent_call_sid.to_owned(),
            account_sid: account_sid.to_owned(),
            reason: reason.to_owned(),
            detail: detail.to_owned(),
            source_file: source_file.to_owned(),
            source_line: numbers.fit(0, row)?,
            first_seen: first_seen.to_owned(),
            tries: numbers.fit(1, row)?,
            record: record.to_owned(),
            header: Arc::clone(&header),
            content: numbers.at(2, row)?.cast_unsigned(),
            seconds: numbers.fit(3, row)?,
            close_reason: close.to_owned(),
            parent,
            price: (!price.is_empty()).then(|| KeptPrice { price: price.to_owned(), unit: unit.to_owned() }),
        })
    };
    parents.into_iter().enumerate().map(record).collect()
}

/// The parents that are kept beside records; one without a start has none.
fn kept_parents(rows: &Rows<'_>) -> Result<Vec<Option<KeptParent>>, LedgerError> {
    let names = ["kept_account", "kept_root_sid", "kept_root_direction", "kept_root_from", "kept_root_to", "kept_root_trunk"];
    let texts = rows.texts(names);
    let numbers = rows.longs(["kept_start", "kept_is_child"])?;
    let parent = |row: usize| {
        let Some(start) = numbers.optional(0)[row] else { return Ok(None) };
        let [account, root_sid, root_direction, root_from, root_to, root_trunk] = texts.row(row).map(str::to_owned);
        let is_child = numbers.at(1, row)? == 1;
        if DirectionField::of_word(&root_direction).side().is_none() {
            return Err(rows.wrong(
                "kept_root_direction",
                row,
                &format!("is {root_direction:?}, which is no direction of a trunk"),
            ));
        }
        Ok(Some(KeptParent { account, start, is_child, root_sid, root_direction, root_from, root_to, root_trunk }))
    };
    (0..rows.height()).map(parent).collect()
}

/// Which rows an output takes.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Starts in this range.
    pub times: Option<Range<Micros>>,
    /// Of this account.
    pub account: Option<String>,
}

/// The rows of the legs or the log, in the order of UTC dates; each date sorted by start, id and leg. Of a date that one run
/// booked they come a group of rows at a time; a date of several runs is sorted in memory.
///
/// # Errors
/// If a file cannot be read, or is not as it was written; or `then` fails.
pub fn each_date<E: From<LedgerError>>(
    ledger: &Ledger,
    dataset: Dataset,
    selection: &Selection,
    mut then: impl FnMut(DataFrame) -> Result<(), E>,
) -> Result<(), E> {
    let runs = ledger.history().map_err(LedgerError::from)?.runs;
    let is_wanted =
        |day: i64| selection.times.as_ref().is_none_or(|times| day >= time::day(times.start) && day <= time::day(times.end - 1));
    let files_by_day = |dataset: Dataset| {
        let mut dates: BTreeMap<i64, Vec<(&Run, PathBuf)>> = BTreeMap::new();
        for run in &runs {
            for path in run.files(dataset) {
                if let Some(day) = day_of_file(&path).filter(|day| is_wanted(*day)) {
                    dates.entry(day).or_default().push((run, path));
                }
            }
        }
        dates
    };
    let mut price_files = if dataset == Dataset::Calls { files_by_day(Dataset::Prices) } else { BTreeMap::new() };
    let columns = if dataset == Dataset::Legs { &LEG_COLUMNS[..] } else { &LOG_COLUMNS[..] };
    for (day, files) in files_by_day(dataset) {
        let price_files = price_files.remove(&day).into_iter().flatten().collect::<Vec<_>>();
        for (run, path) in files.iter().chain(&price_files) {
            run.check_before_read(path)?;
        }
        let prices = late_prices(&price_files.into_iter().map(|(_, path)| path).collect::<Vec<_>>())?;
        let mut show = |frame: DataFrame| match frame.height() {
            0 => Ok(()),
            _ => then(with_late_prices(frame, &prices)?),
        };
        let mut all = super::books::empty(dataset);
        for (_, path) in &files {
            each_group::<E>(path, columns, |rows| {
                let frame = selection.of(rows)?;
                // One file is in order already.
                if files.len() == 1 { show(frame) } else { Ok(all.vstack_mut(&frame).map(|_| ()).map_err(polars_error(path))?) }
            })?;
        }
        if files.len() > 1 {
            let keys = ["start_time", "call_sid", "leg"];
            let keys = if dataset == Dataset::Legs { &keys[..] } else { &keys[..2] };
            let sorted = all.sort(keys, SortMultipleOptions::default());
            show(sorted.map_err(polars_error(Path::new(dataset.as_str())))?)?;
        }
    }
    Ok(())
}

impl Selection {
    /// The rows of a frame that it takes.
    fn of(&self, rows: &Rows<'_>) -> Result<DataFrame, LedgerError> {
        if self.times.is_none() && self.account.is_none() {
            return Ok(rows.frame.clone());
        }
        let (starts, accounts) = (rows.longs(["start_time"])?, rows.texts(["account_sid"]));
        let is_taken = |row: usize| {
            let ([start], [account]) = (starts.row(row)?, accounts.row(row));
            Ok(self.times.as_ref().is_none_or(|times| times.contains(&start))
                && self.account.as_ref().is_none_or(|wanted| account == wanted))
        };
        let taken = (0..rows.height()).map(is_taken).collect::<Result<Vec<bool>, LedgerError>>()?;
        let taken = BooleanChunked::from_slice("taken".into(), &taken);
        rows.frame.filter(&taken).map_err(polars_error(rows.path()))
    }
}

/// Prices that came after the calls of a day were booked; the later run wins.
pub(super) fn late_prices(paths: &[PathBuf]) -> Result<HashMap<String, i64>, LedgerError> {
    let mut prices = HashMap::new();
    for path in paths {
        prices.extend(known::late_prices(path)?);
    }
    Ok(prices)
}

pub(super) fn with_late_prices(mut frame: DataFrame, prices: &HashMap<String, i64>) -> Result<DataFrame, LedgerError> {
    if prices.is_empty() {
        return Ok(frame);
    }
    let stored = units(&frame, "carrier_price");
    assert_eq!(stored.len(), frame.height(), "a price, or none, for each call");
    let late = |sid: Option<&str>| prices.get(sid?).copied().map(i128::from);
    let filled: Vec<Option<i128>> = text(&frame, "call_sid").iter().zip(stored).map(|(sid, price)| late(sid).or(price)).collect();
    let scale = crate::money::PRICE_DECIMALS as usize;
    let column =
        Int128Chunked::new("carrier_price".into(), filled).into_decimal_unchecked(crate::money::STORED_DIGITS as usize, scale);
    frame.replace("carrier_price", column.into_column()).map_err(polars_error(Path::new("calls")))?;
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use super::super::frames::suspense;
    use super::*;

    fn waiting() -> SuspenseRow {
        let parent = KeptParent {
            account: "AC1".into(),
            start: 7,
            root_direction: "trunking-terminating".into(),
            ..KeptParent::default()
        };
        let (call_sid, record) = ("CA1".to_owned(), "CA1,AC1".to_owned());
        SuspenseRow {
            call_sid,
            record,
            source_line: 3,
            tries: 2,
            content: u64::MAX,
            parent: Some(parent),
            ..SuspenseRow::default()
        }
    }

    fn read_again(frame: &DataFrame) -> Result<Vec<SuspenseRow>, String> {
        suspense_rows(&Rows::new(Path::new("part-0.parquet"), 10, frame)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_record_comes_back_as_it_was_kept() {
        let mut rows = vec![waiting(), SuspenseRow { parent: None, source_line: 1 << 40, ..waiting() }];
        let frame = suspense(&mut rows);
        assert_eq!(read_again(&frame), Ok(rows));
    }

    #[test]
    fn a_record_with_a_number_that_cannot_be_is_an_error() {
        let one = |value: Option<i64>, name: &str| {
            let mut frame = suspense(&mut [waiting()]);
            let column = Int64Chunked::new(name.into(), [value]).into_column();
            frame.replace(name, column).expect("a column of the same length");
            read_again(&frame).expect_err("it cannot be read")
        };
        let of = |what: &str| format!("part-0.parquet: row 11: {what}");
        assert_eq!(one(None, "source_line"), of("`source_line` is null; expected a number"));
        assert_eq!(one(Some(-1), "source_line"), of("`source_line` is -1, which it cannot be"));
        assert_eq!(one(Some(1 << 32), "tries"), of("`tries` is 4294967296, which it cannot be"));
        assert_eq!(one(None, "content"), of("`content` is null; expected a number"));
        assert_eq!(one(None, "seconds"), of("`seconds` is null; expected a number"));
        assert_eq!(one(None, "kept_is_child"), of("`kept_is_child` is null; expected a number"));
        let parent = KeptParent { root_direction: "sideways".into(), ..waiting().parent.expect("a parent") };
        let frame = suspense(&mut [SuspenseRow { parent: Some(parent), ..waiting() }]);
        let error = read_again(&frame).expect_err("it cannot be read");
        assert_eq!(error, of("`kept_root_direction` is \"sideways\", which is no direction of a trunk"));
    }
}
