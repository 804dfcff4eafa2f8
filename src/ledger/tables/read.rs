//! Reads a ledger: frames and their columns, suspended records, and the queries of the outputs.

pub use super::stored::{Rows, text, units};
use crate::ledger::error::{LedgerError, polars_error};
use crate::ledger::history::History;
use crate::ledger::place::day_of_file;
use crate::ledger::place::{Dataset, Ledger};
use crate::ledger::run::Run;
use crate::ledger::tables::columns;
use crate::ledger::tables::columns::WAITING_COLUMNS;
use crate::ledger::tables::columns::{LEG_COLUMNS, LOG_COLUMNS};
use crate::ledger::tables::file::{Footer, Group, each_group};
use crate::ledger::tables::late_price;
use crate::ledger::tables::suspense::{KeptParent, KeptPrice, SuspenseRow};
use crate::money::Total;
use crate::status::DirectionField;
use crate::time::{self, Micros};
use polars::prelude::*;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Sums of the `amount` of legs files by currency, one row group at a time. It is the second count
/// of [`crate::job::book::book`], from the stored files.
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

/// Calls `then` for the records that a run left in suspense, or closed, some at a time.
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

/// Finds the first suspended record with an id.
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

/// Reads the records of a file of suspense, a slice at a time.
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

/// Records as they were stored.
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
        // Neighbours mostly have the same header.
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
            price: (!price.is_empty())
                .then(|| KeptPrice { price: price.to_owned(), unit: unit.to_owned() }),
        })
    };
    parents.into_iter().enumerate().map(record).collect()
}

/// The parents stored with records; a record without a start of a parent has none.
fn kept_parents(rows: &Rows<'_>) -> Result<Vec<Option<KeptParent>>, LedgerError> {
    let names = [
        "kept_account",
        "kept_root_sid",
        "kept_root_direction",
        "kept_root_from",
        "kept_root_to",
        "kept_root_trunk",
    ];
    let texts = rows.texts(names);
    let numbers = rows.longs(["kept_start", "kept_is_child"])?;
    let parent = |row: usize| {
        let Some(start) = numbers.optional(0)[row] else { return Ok(None) };
        let [account, root_sid, root_direction, root_from, root_to, root_trunk] =
            texts.row(row).map(str::to_owned);
        let is_child = numbers.at(1, row)? == 1;
        if DirectionField::of_word(&root_direction).side().is_none() {
            return Err(rows.wrong(
                "kept_root_direction",
                row,
                &format!("is {root_direction:?}, which is no direction of a trunk"),
            ));
        }
        Ok(Some(KeptParent {
            account,
            start,
            is_child,
            root_sid,
            root_direction,
            root_from,
            root_to,
            root_trunk,
        }))
    };
    (0..rows.height()).map(parent).collect()
}

/// The filter of an output's rows.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Start times to include.
    pub times: Option<Range<Micros>>,
    /// The account to include.
    pub account: Option<String>,
}

/// Reads the rows of the legs or the log, by UTC date; each date sorted by start, id and leg. The
/// rows of a date that one run booked come one row group at a time; a date of several runs is
/// sorted in memory.
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
    let is_wanted = |day: i64| {
        selection
            .times
            .as_ref()
            .is_none_or(|times| day >= time::day(times.start) && day <= time::day(times.end - 1))
    };
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
    let mut price_files =
        if dataset == Dataset::Calls { files_by_day(Dataset::Prices) } else { BTreeMap::new() };
    let columns = if dataset == Dataset::Legs { &LEG_COLUMNS[..] } else { &LOG_COLUMNS[..] };
    for (day, files) in files_by_day(dataset) {
        let price_files = price_files.remove(&day).into_iter().flatten().collect::<Vec<_>>();
        for (run, path) in files.iter().chain(&price_files) {
            run.check_before_read(path)?;
        }
        let prices = late_price::of_files(
            &price_files.into_iter().map(|(_, path)| path).collect::<Vec<_>>(),
        )?;
        let mut show = |frame: DataFrame| match frame.height() {
            0 => Ok(()),
            _ => then(late_price::put_in(frame, &prices)?),
        };
        let mut all = columns::empty(dataset);
        for (_, path) in &files {
            each_group::<E>(path, columns, |rows| {
                let frame = selection.of(rows)?;
                // A single file is sorted already.
                if files.len() == 1 {
                    show(frame)
                } else {
                    Ok(all.vstack_mut(&frame).map(|_| ()).map_err(polars_error(path))?)
                }
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
    /// The rows of a frame that pass the filter.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tables::suspense::suspense;

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
        suspense_rows(&Rows::new(Path::new("part-0.parquet"), 10, frame))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_record_comes_back_as_it_was_kept() {
        let mut rows =
            vec![waiting(), SuspenseRow { parent: None, source_line: 1 << 40, ..waiting() }];
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
        let parent =
            KeptParent { root_direction: "sideways".into(), ..waiting().parent.expect("a parent") };
        let frame = suspense(&mut [SuspenseRow { parent: Some(parent), ..waiting() }]);
        let error = read_again(&frame).expect_err("it cannot be read");
        assert_eq!(
            error,
            of("`kept_root_direction` is \"sideways\", which is no direction of a trunk")
        );
    }
}
