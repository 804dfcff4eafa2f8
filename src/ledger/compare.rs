//! Compares two sets of Parquet files: do they hold the same rows, in any order, files and row
//! groups?
//!
//! ```text
//! published files ─┐  slices of rows      rows, and a sum of 128-bit    same ──▶ nothing differs
//! staged files ────┴─▶ one a core ───────▶ hashes, by minute of start ── else ─▶ that minute again: the first row
//! ```
//!
//! Every column but `run_id` is compared. Types may differ (a writer chooses how it stores a
//! decimal or an instant), values may not: numbers are compared in the finest unit of their kind.
//! An empty text equals null.
//!
//! **Invariant:** memory holds at most a slice of rows per core, two numbers for each minute, and a
//! hash for each row of the minute that is read again.

use crate::catch_panic::guarded;
use crate::fit::must_fit;
use crate::inputs::file::FileError;
use crate::ledger::error::LedgerError;
use crate::ledger::place::Dataset;
use crate::ledger::tables::columns::{LEGS, LOG};
use crate::ledger::tables::file::raw_rows;
use crate::ledger_columns::ColumnType;
use crate::money::{AMOUNT_DECIMALS, decimal_text};
use crate::time;
use polars::prelude::*;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use xxhash_rust::xxh3::xxh3_128;

/// Maximum rows of a slice.
const SLICE: usize = 1 << 17;
/// Decimals to which all money is scaled before it is compared.
const FINEST: u32 = 18;
/// Nanoseconds of a microsecond: all instants are compared in nanoseconds.
const MICROSECOND: i128 = 1_000;
const MINUTE: i128 = 60_000_000 * MICROSECOND;

/// The compared columns of legs, or else of the log.
fn columns(dataset: Dataset) -> &'static [(&'static str, ColumnType)] {
    // `run_id` is the last column of both.
    if dataset == Dataset::Legs { &LEGS[..LEGS.len() - 1] } else { &LOG[..LOG.len() - 1] }
}

/// A range of rows of a file.
struct Slice<'a> {
    path: &'a Path,
    offset: usize,
    rows: usize,
}

/// The files cut into slices, none of which spans row groups.
fn slices(dataset: Dataset, paths: &[PathBuf]) -> Result<Vec<Slice<'_>>, FileError> {
    let mut slices = Vec::new();
    for path in paths {
        let file =
            File::open(path).map_err(|e| FileError::new(path, format!("cannot be read: {e}")))?;
        let (schema, metadata) = guarded(path, || {
            let mut reader = ParquetReader::new(file);
            Ok((reader.schema()?, reader.get_metadata()?.clone()))
        })?;
        if let Some((missing, _)) =
            columns(dataset).iter().find(|(name, _)| schema.index_of(name).is_none())
        {
            return Err(FileError::new(
                path,
                format!("has no column `{missing}`: it holds no {}", dataset.as_str()),
            ));
        }
        let mut first = 0;
        for group in &metadata.row_groups {
            let (rows, parts) = (group.num_rows(), group.num_rows().div_ceil(SLICE));
            let cut = |part: usize| first + rows * part / parts;
            slices.extend((0..parts).map(|part| Slice {
                path,
                offset: cut(part),
                rows: cut(part + 1) - cut(part),
            }));
            first += rows;
        }
    }
    Ok(slices)
}

/// A column of a slice.
enum ComparedColumn {
    Text(StringChunked),
    /// Numbers, and their factor to the finest unit of their kind.
    Long(Int64Chunked, i128),
    Wide(Int128Chunked, i128),
}

impl ComparedColumn {
    /// Reads a column; `None` if it is of another kind, or a number is out of range.
    fn of(series: &Series, kind: ColumnType) -> PolarsResult<Option<Self>> {
        let (wanted, factor) = match (kind, series.dtype()) {
            (ColumnType::Text, DataType::String | DataType::Categorical(..) | DataType::Null) => {
                return Ok(Some(Self::Text(
                    series.cast(&DataType::String)?.str()?.rechunk().into_owned(),
                )));
            }
            (ColumnType::Integer, number) if number.is_integer() => (DataType::Int64, 1),
            (ColumnType::Instant, DataType::Datetime(unit, _)) => {
                let factor = match unit {
                    TimeUnit::Nanoseconds => 1,
                    TimeUnit::Microseconds => MICROSECOND,
                    TimeUnit::Milliseconds => 1_000 * MICROSECOND,
                };
                (DataType::Int64, factor)
            }
            (ColumnType::Decimal(_), DataType::Decimal(_, scale)) if *scale <= FINEST as usize => {
                let physical = series.to_physical_repr();
                let numbers = physical.i128()?.rechunk().into_owned();
                let factor = 10_i128
                    .pow(FINEST - must_fit::<_, u32>(*scale, "a scale of 18 at most fits 32 bits"));
                let fits =
                    numbers.iter().flatten().all(|number| number.checked_mul(factor).is_some());
                return Ok(fits.then_some(Self::Wide(numbers, factor)));
            }
            (_, DataType::Null) => (DataType::Int64, 1),
            _ => return Ok(None),
        };
        let physical = series.to_physical_repr().strict_cast(&wanted)?;
        Ok(Some(Self::Long(physical.i64()?.rechunk().into_owned(), factor)))
    }

    fn text(&self, row: usize) -> &str {
        match self {
            Self::Text(texts) => texts.get(row).unwrap_or(""),
            Self::Long(..) | Self::Wide(..) => "",
        }
    }

    fn number(&self, row: usize) -> Option<i128> {
        match self {
            Self::Text(_) => None,
            Self::Long(numbers, factor) => {
                numbers.get(row).map(|number| i128::from(number) * factor)
            }
            Self::Wide(numbers, factor) => numbers.get(row).map(|number| number * factor),
        }
    }

    /// Adds a cell to the bytes of its row.
    fn push(&self, row: usize, bytes: &mut Vec<u8>) {
        if let Self::Text(texts) = self {
            let text = texts.get(row).unwrap_or("");
            bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        } else {
            let number = self.number(row);
            bytes.push(u8::from(number.is_some()));
            bytes.extend_from_slice(&number.unwrap_or(0).to_le_bytes());
        }
    }

    /// A cell as shown to people.
    fn shown(&self, row: usize, kind: ColumnType) -> String {
        let number = self.number(row);
        match (kind, number) {
            (ColumnType::Text, _) => self.text(row).to_owned(),
            (_, None) => String::new(),
            (ColumnType::Integer | ColumnType::Flag, Some(number)) => number.to_string(),
            (ColumnType::Instant, Some(nanos)) => match i64::try_from(nanos / MICROSECOND) {
                Ok(micros) if nanos % MICROSECOND == 0 => time::text(micros),
                _ => format!("{nanos} ns since 1970"),
            },
            (ColumnType::Decimal(scale), Some(number)) => {
                decimal_text(number, FINEST, if scale == AMOUNT_DECIMALS { 5 } else { 4 })
            }
        }
    }
}

/// The rows of a slice.
struct ComparedRows {
    cells: Vec<ComparedColumn>,
    /// The places of start, call and leg among the columns; the log has no leg.
    start: usize,
    call: usize,
    leg: Option<usize>,
    height: usize,
}

/// The sort key of a row.
type RowKey = (Option<i128>, String, Option<i128>);

impl ComparedRows {
    fn read(dataset: Dataset, slice: &Slice<'_>) -> Result<Self, FileError> {
        let columns = columns(dataset);
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let frame = raw_rows(slice.path, &names, slice.offset, slice.rows)?;
        let read = |(name, kind): &(&str, ColumnType)| {
            let column = guarded(slice.path, || frame.column(name).cloned())?;
            let series = column.as_materialized_series();
            guarded(slice.path, || ComparedColumn::of(series, *kind))?.ok_or_else(|| {
                let expected = match kind {
                    ColumnType::Text => "text",
                    ColumnType::Integer => "integers of 64 bits",
                    ColumnType::Flag => "Booleans",
                    ColumnType::Instant => "timestamps in UTC",
                    ColumnType::Decimal(_) => "decimals of 18 digits",
                };
                let found = series.dtype();
                FileError::new(
                    slice.path,
                    format!("has the column `{name}` as {found}; expected {expected}"),
                )
            })
        };
        let cells = columns.iter().map(read).collect::<Result<_, FileError>>()?;
        assert_eq!(
            frame.height(),
            slice.rows,
            "a slice lies in its file, whose footer its rows were held against"
        );
        let place = |name: &str| names.iter().position(|known| *known == name);
        let [start, call] = ["start_time", "call_sid"]
            .map(|name| place(name).expect("legs and log have a start and a call"));
        Ok(Self { cells, start, call, leg: place("leg"), height: frame.height() })
    }

    fn minute(&self, row: usize) -> i128 {
        self.cells[self.start].number(row).map_or(i128::MIN, |start| start.div_euclid(MINUTE))
    }

    fn hash(&self, row: usize, bytes: &mut Vec<u8>) -> u128 {
        bytes.clear();
        self.cells.iter().for_each(|cells| cells.push(row, bytes));
        xxh3_128(bytes)
    }

    fn key(&self, row: usize) -> RowKey {
        let start = self.cells[self.start].number(row);
        (
            start,
            self.cells[self.call].text(row).to_owned(),
            self.leg.and_then(|leg| self.cells[leg].number(row)),
        )
    }
}

/// The number of rows and the sum of their hashes, which does not depend on their order.
type AmountSum = (u64, u128);

/// Sums by minute of start.
///
/// # Why
/// Has threads of its own: a rayon thread that waits for polars' own pool steals the next slice
/// meanwhile, and the next, until all of them are in memory (9 GiB for ten million calls).
fn sums(dataset: Dataset, slices: &[Slice<'_>]) -> Result<BTreeMap<i128, AmountSum>, FileError> {
    let next = AtomicUsize::new(0);
    let work = || {
        let (mut sums, mut bytes) = (BTreeMap::new(), Vec::new());
        while let Some(slice) = slices.get(next.fetch_add(1, Ordering::Relaxed)) {
            let rows = ComparedRows::read(dataset, slice)
                .inspect_err(|_| next.store(slices.len(), Ordering::Relaxed))?;
            for row in 0..rows.height {
                add(&mut sums, rows.minute(row), (1, rows.hash(row, &mut bytes)));
            }
        }
        Ok::<_, FileError>(sums)
    };
    let mut all = BTreeMap::new();
    std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..rayon::current_num_threads()).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            let sums = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            for (minute, sum) in sums {
                add(&mut all, minute, sum);
            }
        }
        Ok(all)
    })
}

fn add(sums: &mut BTreeMap<i128, AmountSum>, minute: i128, (rows, hash): AmountSum) {
    let known = sums.entry(minute).or_default();
    *known = (known.0 + rows, known.1.wrapping_add(hash));
}

/// Calls `then` for each row of a minute, with its hash.
fn each_row(
    dataset: Dataset,
    slices: &[Slice<'_>],
    minute: i128,
    mut then: impl FnMut(&ComparedRows, usize, u128),
) -> Result<(), FileError> {
    let mut bytes = Vec::new();
    for slice in slices {
        let rows = ComparedRows::read(dataset, slice)?;
        for row in (0..rows.height).filter(|row| rows.minute(*row) == minute) {
            let hash = rows.hash(row, &mut bytes);
            then(&rows, row, hash);
        }
    }
    Ok(())
}

/// A row that is on one side only.
struct Only {
    key: RowKey,
    /// Its cells as shown to people.
    cells: Vec<String>,
}

/// Finds the first row, by start, call and leg, that only one of the two sets has, in words; `None`
/// if there is none. `published` holds the published rows, `here` those that would be booked here.
///
/// # Errors
/// If a file cannot be read, lacks a column, or has one of another kind.
pub fn first_difference(
    dataset: Dataset,
    published: &[PathBuf],
    here: &[PathBuf],
) -> Result<Option<String>, LedgerError> {
    let (published, here) = (slices(dataset, published)?, slices(dataset, here)?);
    let (theirs, ours) = (sums(dataset, &published)?, sums(dataset, &here)?);
    let differs = |minute: &&i128| theirs.get(*minute) != ours.get(*minute);
    let Some(minute) =
        theirs.keys().find(differs).into_iter().chain(ours.keys().find(differs)).min().copied()
    else {
        return Ok(None);
    };
    let mut surplus: HashMap<u128, i64> = HashMap::new();
    each_row(dataset, &published, minute, |_, _, hash| *surplus.entry(hash).or_default() += 1)?;
    each_row(dataset, &here, minute, |_, _, hash| *surplus.entry(hash).or_default() -= 1)?;
    let first_of = |slices: &[Slice<'_>], sign: i64| {
        let mut first: Option<Only> = None;
        each_row(dataset, slices, minute, |rows, row, hash| {
            let is_only_here = surplus.get(&hash).is_some_and(|count| count * sign > 0);
            if is_only_here && first.as_ref().is_none_or(|first| rows.key(row) < first.key) {
                let shown = columns(dataset)
                    .iter()
                    .zip(&rows.cells)
                    .map(|((_, kind), cells)| cells.shown(row, *kind));
                first = Some(Only { key: rows.key(row), cells: shown.collect() });
            }
        })?;
        Ok::<_, FileError>(first)
    };
    Ok(in_words(dataset, first_of(&published, 1)?, first_of(&here, -1)?))
}

/// Describes the first row that differs.
fn in_words(dataset: Dataset, published: Option<Only>, here: Option<Only>) -> Option<String> {
    let name = |only: &Only| {
        let leg = only.key.2.map_or_else(String::new, |leg| format!(", leg {leg}"));
        let start = columns(dataset)
            .iter()
            .position(|(name, _)| *name == "start_time")
            .expect("legs and log have a start");
        format!("{}: call {}{leg} of {}", dataset.as_str(), only.key.1, only.cells[start])
    };
    let whole = |only: &Only| {
        let filled = columns(dataset).iter().zip(&only.cells).filter(|(_, cell)| !cell.is_empty());
        filled.map(|((name, _), cell)| format!("{name} {cell}")).collect::<Vec<_>>().join(", ")
    };
    match (published, here) {
        (Some(theirs), Some(ours)) if theirs.key == ours.key => {
            let cells = columns(dataset).iter().zip(theirs.cells.iter().zip(&ours.cells));
            let say =
                |cell: &str| if cell.is_empty() { "nothing".to_owned() } else { cell.to_owned() };
            let differ = cells.filter(|(_, (theirs, ours))| theirs != ours);
            let differ = differ.map(|((name, _), (theirs, ours))| {
                format!("{name} is {} published, {} here", say(theirs), say(ours))
            });
            Some(format!("{}: {}", name(&theirs), differ.collect::<Vec<_>>().join("; ")))
        }
        (Some(theirs), ours) if ours.as_ref().is_none_or(|ours| theirs.key < ours.key) => {
            Some(format!("{}: is published, and not found here: {}", name(&theirs), whole(&theirs)))
        }
        (_, Some(ours)) => {
            Some(format!("{}: is found here, and not published: {}", name(&ours), whole(&ours)))
        }
        (_, None) => None,
    }
}
