//! Reads a ledger: frames and their columns, suspended records, and the queries of the outputs.

pub use super::stored::{Rows, text, units};
use crate::ledger::error::{LedgerError, polars_error};
use crate::ledger::history::History;
use crate::ledger::place::Dataset;
use crate::ledger::place::day_of_file;
use crate::ledger::run::Run;
use crate::ledger::tables::columns;
use crate::ledger::tables::columns::{LEG_COLUMNS, LOG_COLUMNS};
use crate::ledger::tables::file::{Footer, Group, each_group};
use crate::ledger::tables::late_price;
use crate::ledger::tables::suspense::{KeptParent, KeptPrice, SuspenseRow};
use crate::ledger::tables::typed::stored_row;
use crate::money::Total;
use crate::status::DirectionField;
use crate::time::{self, Micros};
use polars::prelude::*;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Sums of the `amount` of legs files by currency, row group by row group. It is the second count
/// of [`crate::job::book::book`], from the stored files.
///
/// # Errors
/// If a file cannot be read.
pub fn sums_by_currency(paths: &[PathBuf]) -> Result<BTreeMap<String, Total>, LedgerError> {
    let mut sums: BTreeMap<String, Total> = BTreeMap::new();
    for path in paths {
        let footer = Footer::of(path)?;
        let mut groups = Vec::new();
        let mut first = 0;
        for (number, Group { rows, .. }) in footer.groups().into_iter().enumerate() {
            groups.push((number, first, rows));
            first += rows;
        }
        let of_groups: Vec<Vec<(String, i128)>> = groups
            .into_par_iter()
            .map(|(number, first, rows)| match footer.sum_of_amounts(number)? {
                Some(sum) => Ok(vec![sum]),
                None => sums_of_rows(&footer, first, rows),
            })
            .collect::<Result<_, LedgerError>>()?;
        for (currency, sum) in of_groups.into_iter().flatten() {
            let total = sums.entry(currency).or_default();
            total.merge(Total::from_units(sum)).map_err(LedgerError::of_sum)?;
        }
    }
    Ok(sums)
}

/// Sums of the amounts of a row group by currency, as polars reads them.
fn sums_of_rows(
    footer: &Footer<'_>,
    first: usize,
    rows: usize,
) -> Result<Vec<(String, i128)>, LedgerError> {
    let frame = footer.rows(&["currency", "amount"], first, rows)?;
    let legs = Rows::new(footer.path(), first, &frame);
    let mut sums: Vec<(String, i128)> = Vec::new();
    let (currencies, amounts) = (legs.texts(["currency"]), legs.longs(["amount"])?);
    for (row, currency) in currencies.column(0).iter().enumerate() {
        let (currency, amount) = (currency.unwrap_or(""), amounts.at(0, row)?);
        match sums.iter_mut().find(|(known, _)| known == currency) {
            Some((_, sum)) => *sum += i128::from(amount),
            None => sums.push((currency.to_owned(), amount.into())),
        }
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
            let frame = footer.rows(StoredRecord::COLUMNS, first + from, most.min(rows - from))?;
            then(suspense_rows(&Rows::new(path, first + from, &frame))?)?;
        }
        first += rows;
    }
    Ok(())
}

stored_row! {
    /// A suspended or closed record.
    struct StoredRecord<'a> of columns::SUSPENSE {
        call_sid: &'a str,
        parent_call_sid: &'a str,
        account_sid: &'a str,
        reason: &'a str,
        detail: &'a str,
        source_file: &'a str,
        source_line: u64,
        first_seen: &'a str,
        tries: u32,
        record: &'a str,
        header: &'a str,
        content: i64,
        seconds: u32,
        close_reason: &'a str,
        kept_account: &'a str,
        kept_start: Option<Micros>,
        kept_is_child: i64,
        kept_root_sid: &'a str,
        kept_root_direction: &'a str,
        kept_root_from: &'a str,
        kept_root_to: &'a str,
        kept_root_trunk: &'a str,
        kept_price: &'a str,
        kept_price_unit: &'a str,
    }
}

impl StoredRecord<'_> {
    /// The parent that is stored with it; a record without a start of a parent has none.
    fn parent(&self) -> Result<Option<KeptParent>, String> {
        let Some(start) = self.kept_start else { return Ok(None) };
        if DirectionField::of_word(self.kept_root_direction).side().is_none() {
            let found = self.kept_root_direction;
            return Err(format!("is {found:?}, which is no direction of a trunk"));
        }
        Ok(Some(KeptParent {
            account: self.kept_account.to_owned(),
            start,
            is_child: self.kept_is_child == 1,
            root_sid: self.kept_root_sid.to_owned(),
            root_direction: self.kept_root_direction.to_owned(),
            root_from: self.kept_root_from.to_owned(),
            root_to: self.kept_root_to.to_owned(),
            root_trunk: self.kept_root_trunk.to_owned(),
        }))
    }

    /// The price that is stored with it.
    fn price(&self) -> Option<KeptPrice> {
        (!self.kept_price.is_empty()).then(|| KeptPrice {
            price: self.kept_price.to_owned(),
            unit: self.kept_price_unit.to_owned(),
        })
    }
}

/// Records as they were stored.
fn suspense_rows(rows: &Rows<'_>) -> Result<Vec<SuspenseRow>, LedgerError> {
    let record_at = StoredRecord::reader(rows)?;
    let mut header: Arc<str> = Arc::from("");
    let record = |row: usize| {
        let stored = record_at(row)?;
        let parent =
            stored.parent().map_err(|what| rows.wrong("kept_root_direction", row, &what))?;
        // Neighbours mostly have the same header.
        if *header != *stored.header {
            header = Arc::from(stored.header);
        }
        Ok(SuspenseRow {
            call_sid: stored.call_sid.to_owned(),
            parent_call_sid: stored.parent_call_sid.to_owned(),
            account_sid: stored.account_sid.to_owned(),
            reason: stored.reason.to_owned(),
            detail: stored.detail.to_owned(),
            source_file: stored.source_file.to_owned(),
            source_line: stored.source_line,
            first_seen: stored.first_seen.to_owned(),
            tries: stored.tries,
            record: stored.record.to_owned(),
            header: Arc::clone(&header),
            content: stored.content.cast_unsigned(),
            seconds: stored.seconds,
            close_reason: stored.close_reason.to_owned(),
            parent,
            price: stored.price(),
        })
    };
    (0..rows.height()).map(record).collect()
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
/// sorted in memory. Calls are left out of which `is_out` is true, by their run and id.
///
/// # Errors
/// If a file cannot be read, or is not as it was written; or `then` fails.
pub fn each_date<E: From<LedgerError>>(
    history: &History,
    dataset: Dataset,
    selection: &Selection,
    is_out: &impl Fn(&str, &str) -> bool,
    mut then: impl FnMut(DataFrame) -> Result<(), E>,
) -> Result<(), E> {
    let runs = &history.runs;
    let is_wanted = |day: i64| {
        selection
            .times
            .as_ref()
            .is_none_or(|times| day >= time::day(times.start) && day <= time::day(times.end - 1))
    };
    let files_by_day = |dataset: Dataset| {
        let mut dates: BTreeMap<i64, Vec<(&Run, PathBuf)>> = BTreeMap::new();
        for run in runs {
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
                let mut frame = selection.of(rows)?;
                if dataset == Dataset::Calls {
                    frame = without(&frame, is_out)?;
                }
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
            // Legs that were taken back have the keys of those that took them back.
            let stable = SortMultipleOptions::default().with_maintain_order(true);
            let sorted = all.sort(keys, stable);
            show(sorted.map_err(polars_error(Path::new(dataset.as_str())))?)?;
        }
    }
    Ok(())
}

/// Calls without those that are left out.
fn without(
    frame: &DataFrame,
    is_out: &impl Fn(&str, &str) -> bool,
) -> Result<DataFrame, LedgerError> {
    let [runs, sids] = ["run_id", "call_sid"].map(|name| text(frame, name));
    let counts = |(run, sid): (Option<&str>, Option<&str>)| {
        !run.zip(sid).is_some_and(|(run, sid)| is_out(run, sid))
    };
    let counts: BooleanChunked = runs.iter().zip(sids.iter()).map(counts).collect();
    frame.filter(&counts).map_err(polars_error(Path::new("calls")))
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
