//! Reading a ledger: what tonight must know of earlier nights, what waits, and the queries of the outputs.

use super::frames::SuspenseRow;
use super::{Dataset, Ledger, LedgerError, RESTORE, Run, polars_error};
use crate::call::{Calls, DirectionField, PartyRef, Sid};
use crate::family::{BookedCall, Earlier, RootFacts};
use crate::io::calls::{Format, Waiting};
use crate::io::{FileError, guarded};
use crate::money::Total;
use crate::party::Party;
use crate::reject::Reason;
use crate::time::{self, Micros};
use polars::prelude::*;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

impl Run {
    /// The files of a dataset, by date.
    #[must_use]
    pub fn files(&self, dataset: Dataset) -> Vec<PathBuf> {
        let prefix = format!("{}/", dataset.as_str());
        let mut files: Vec<_> = self.manifest.files.iter().filter(|file| file.path.starts_with(&prefix)).collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files.into_iter().map(|file| self.folder.join(&file.path)).collect()
    }
}

/// The UTC day that a file of a dataset by date holds.
fn day_of_file(path: &Path) -> Option<i64> {
    let folder = path.parent()?.file_name()?.to_str()?;
    let date = folder.strip_prefix("date=")?;
    time::parse_date_or_instant(date).map(time::day)
}

/// Reads columns of a file; all of them if none is named.
///
/// # Errors
/// If it is missing or corrupt.
pub fn frame(path: &Path, columns: &[&str]) -> Result<DataFrame, LedgerError> {
    let file = File::open(path).map_err(|e| FileError::new(path, format!("cannot be read: {e}")))?;
    let columns = (!columns.is_empty()).then(|| columns.iter().map(|c| (*c).to_owned()).collect());
    let read = || ParquetReader::new(file).with_columns(columns).set_rechunk(true).finish();
    Ok(guarded(path, read).map_err(|e| e.hint(RESTORE))?)
}

/// A text column of a frame, with nothing for null.
pub fn text<'a>(frame: &'a DataFrame, name: &str) -> &'a StringChunked {
    frame.column(name).and_then(|c| c.str()).expect("a column that trunkrate wrote")
}

/// An integer column of a frame; times and decimals by their units.
pub fn units(frame: &DataFrame, name: &str) -> Vec<Option<i128>> {
    let column = frame.column(name).expect("a column that trunkrate wrote");
    let physical = column.as_materialized_series().to_physical_repr().into_owned();
    match physical.i64() {
        Ok(values) => values.iter().map(|v| v.map(i128::from)).collect(),
        Err(_) => physical.i128().map(|values| values.iter().collect()).unwrap_or_default(),
    }
}

/// An integer column as 64 bits.
fn longs(frame: &DataFrame, name: &str) -> Vec<Option<i64>> {
    units(frame, name).into_iter().map(|v| v.and_then(|v| i64::try_from(v).ok())).collect()
}

/// Sums of the `amount` of legs files by currency: within a file by polars, over the files here. It is the second count
/// of [`crate::io::job::book`]; a wrap of polars' sum would show as a difference.
///
/// # Errors
/// If a file cannot be read.
pub fn sums_by_currency(paths: &[PathBuf]) -> Result<BTreeMap<String, Total>, LedgerError> {
    let mut sums: BTreeMap<String, Total> = BTreeMap::new();
    for path in paths {
        let file = PlRefPath::new(path.display().to_string());
        let fail = polars_error(path);
        let totals = LazyFrame::scan_parquet(file, ScanArgsParquet { glob: false, ..ScanArgsParquet::default() })
            .map_err(&fail)?
            .group_by([col("currency")])
            .agg([col("amount").sum()])
            .collect()
            .map_err(&fail)?;
        for (currency, sum) in text(&totals, "currency").iter().zip(units(&totals, "amount")) {
            let total = sums.entry(currency.unwrap_or_default().to_owned()).or_default();
            total
                .merge(Total::from_units(sum.unwrap_or_default()))
                .map_err(|error| LedgerError::Overflow { call: "(sum)".to_owned(), error })?;
        }
    }
    Ok(sums)
}

/// The records that wait after the last run.
///
/// # Errors
/// If they cannot be read.
pub fn waiting(runs: &[Run]) -> Result<Vec<Waiting>, LedgerError> {
    let mut formats: HashMap<String, Format> = HashMap::new();
    let rows = suspense(runs)?;
    for row in &rows {
        if !formats.contains_key(&row.header) {
            formats.insert(row.header.clone(), Format::of_header(&row.header)?);
        }
    }
    Ok(rows
        .into_iter()
        .map(|row| Waiting {
            record: row.record,
            format: formats[&row.header].clone(),
            source_file: row.source_file,
            source_line: row.source_line,
            first_seen: row.first_seen,
            tries: row.tries,
            malformed: (row.reason == Reason::MalformedRecord.as_str()).then_some(row.content),
        })
        .collect())
}

/// All that waits after the last run, with its reasons.
///
/// # Errors
/// If it cannot be read.
pub fn suspense(runs: &[Run]) -> Result<Vec<SuspenseRow>, LedgerError> {
    let mut rows = Vec::new();
    for path in runs.last().map(|run| run.files(Dataset::Suspense)).unwrap_or_default() {
        let frame = frame(&path, &[])?;
        let names =
            ["call_sid", "parent_call_sid", "account_sid", "reason", "detail", "source_file", "first_seen", "record", "header"];
        let columns = names.map(|name| text(&frame, name));
        let (lines, tries, content) = (longs(&frame, "source_line"), longs(&frame, "tries"), longs(&frame, "content"));
        for row in 0..frame.height() {
            let [call_sid, parent_call_sid, account_sid, reason, detail, source_file, first_seen, record, header] =
                columns.map(|column| column.get(row).unwrap_or_default().to_owned());
            rows.push(SuspenseRow {
                call_sid,
                parent_call_sid,
                account_sid,
                reason,
                detail,
                source_file,
                source_line: lines[row].and_then(|v| u64::try_from(v).ok()).unwrap_or_default(),
                first_seen,
                tries: tries[row].and_then(|v| u32::try_from(v).ok()).unwrap_or_default(),
                record,
                header,
                content: u64::from_ne_bytes(content[row].unwrap_or_default().to_ne_bytes()),
            });
        }
    }
    Ok(rows)
}

/// A row of the call log, as far as one call is explained by it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the columns of the contract, section 5.2")]
pub struct LogRow {
    pub call_sid: String,
    pub parent_call_sid: String,
    pub account_sid: String,
    pub scenario: String,
    pub from: String,
    pub to: String,
    pub status: String,
    pub currency: String,
    pub run_id: String,
    pub start: Micros,
    pub duration_seconds: i64,
    /// In units of 10⁻⁸.
    pub amount: i128,
}

const LOG_TEXTS: [&str; 9] =
    ["call_sid", "parent_call_sid", "account_sid", "scenario", "from", "to", "status", "currency", "run_id"];

/// The rows of a file of the log whose id is wanted, with some of their columns, and which rows they are; `None` if there
/// are none.
fn wanted_rows(
    path: &Path,
    columns: &[&str],
    want: impl Fn(&str) -> bool,
) -> Result<Option<(DataFrame, BooleanChunked)>, LedgerError> {
    let sids = frame(path, &["call_sid"])?;
    let mask: BooleanChunked = text(&sids, "call_sid").iter().map(|sid| Some(want(sid.unwrap_or_default()))).collect();
    if !mask.any() {
        return Ok(None);
    }
    Ok(Some((frame(path, columns)?.filter(&mask).map_err(polars_error(path))?, mask)))
}

/// The log rows of a file that are wanted.
fn log_rows(path: &Path, want: impl Fn(&str) -> bool) -> Result<Vec<LogRow>, LedgerError> {
    let columns = [&LOG_TEXTS[..], &["start_time", "duration_seconds", "amount"]].concat();
    let Some((found, _)) = wanted_rows(path, &columns, want)? else { return Ok(Vec::new()) };
    let texts = LOG_TEXTS.map(|name| text(&found, name));
    let (start, duration, amount) = (longs(&found, "start_time"), longs(&found, "duration_seconds"), units(&found, "amount"));
    let row = |row: usize| {
        let [call_sid, parent_call_sid, account_sid, scenario, from, to, status, currency, run_id] =
            texts.map(|column| column.get(row).unwrap_or_default().to_owned());
        LogRow {
            call_sid,
            parent_call_sid,
            account_sid,
            scenario,
            from,
            to,
            status,
            currency,
            run_id,
            start: start[row].unwrap_or_default(),
            duration_seconds: duration[row].unwrap_or_default(),
            amount: amount[row].unwrap_or_default(),
        }
    };
    Ok((0..found.height()).map(row).collect())
}

/// The log rows whose id is wanted, over all runs.
///
/// # Errors
/// If a file cannot be read.
pub fn find_log_rows(runs: &[Run], want: impl Fn(&str) -> bool) -> Result<Vec<LogRow>, LedgerError> {
    let mut rows = Vec::new();
    for run in runs {
        for path in run.files(Dataset::Calls) {
            rows.extend(log_rows(&path, &want)?);
        }
    }
    Ok(rows)
}

/// A booked call as tonight needs it: numbers only, its texts kept once.
#[derive(Debug, Clone, Copy)]
struct Booked {
    sid: Sid,
    parent: Sid,
    content: u64,
    account: u32,
    trunk: u32,
    start: Micros,
    direction: DirectionField,
    from: PartyRef,
    to: PartyRef,
    has_price: bool,
}

impl Booked {
    /// What a root gives to its descendants.
    fn root_facts(&self) -> Option<RootFacts> {
        Some(RootFacts { sid: self.sid, direction: self.direction.side()?, a: self.from, b: self.to, trunk: self.trunk })
    }
}

/// The booked calls of a file that are wanted.
fn booked_rows(
    run: &Run,
    path: &Path,
    wanted: &HashSet<Sid>,
    calls: &mut Calls,
    booked: &mut BTreeMap<Sid, Booked>,
) -> Result<(), LedgerError> {
    let columns =
        ["call_sid", "parent_call_sid", "account_sid", "trunk_sid", "direction", "from", "to", "start_time", "carrier_price"];
    let want = |sid: &str| wanted.contains(&Sid::of(sid).0);
    let Some((found, mask)) = wanted_rows(path, &columns, want)? else { return Ok(()) };
    let fingerprints = frame(&beside(run, path), &[])?.filter(&mask).map_err(polars_error(path))?;
    let texts =
        ["call_sid", "parent_call_sid", "account_sid", "trunk_sid", "direction", "from", "to"].map(|name| text(&found, name));
    let (start, price, content) = (longs(&found, "start_time"), longs(&found, "carrier_price"), longs(&fingerprints, "content"));
    for row in 0..found.height() {
        let [sid, parent, account, trunk, direction, from, to] = texts.map(|column| column.get(row).unwrap_or_default());
        let sid = calls.odd_sids.sid(sid);
        let parent = if parent.is_empty() { Sid::EMPTY } else { calls.odd_sids.sid(parent) };
        // Only a root's parties are asked for.
        let [from, to] = [from, to].map(|text| if parent.is_empty() { text } else { "" });
        booked.insert(
            sid,
            Booked {
                sid,
                parent,
                content: u64::from_ne_bytes(content[row].unwrap_or_default().to_ne_bytes()),
                account: calls.accounts.id(account),
                trunk: calls.trunks.id(trunk),
                start: start[row].unwrap_or_default(),
                direction: DirectionField::parse(direction),
                from: PartyRef::pack(&Party::of_root(from), &mut calls.parties),
                to: PartyRef::pack(&Party::of_root(to), &mut calls.parties),
                has_price: price[row].is_some(),
            },
        );
    }
    Ok(())
}

/// What the ledger knows of tonight's ids and their parents. Texts go to the columns of tonight's calls.
///
/// # Errors
/// If a file cannot be read.
pub fn earlier(runs: &[Run], calls: &mut Calls) -> Result<Earlier, LedgerError> {
    let newest = runs.iter().filter_map(|run| run.manifest.newest_start.as_deref()).filter_map(time::parse_date_or_instant).max();
    if runs.is_empty() {
        return Ok(Earlier::new(Vec::new(), HashSet::new(), newest));
    }
    let ids = calls.sid.iter().copied().chain(calls.children.iter().map(|child| child.parent));
    let wanted: HashSet<Sid> = ids.filter(|sid| !sid.is_empty()).collect();
    let mut booked = BTreeMap::new();
    find_booked(runs, &wanted, calls, &mut booked)?;
    // A booked child gives its root's facts to its own children; the log names the root as its parent.
    let roots: HashSet<Sid> =
        booked.values().map(|call| call.parent).filter(|p| !p.is_empty() && !booked.contains_key(p)).collect();
    if !roots.is_empty() {
        find_booked(runs, &roots, calls, &mut booked)?;
    }
    let late = late_prices(runs, |sid| booked.contains_key(&Sid::of(sid).0))?;
    let late: HashSet<Sid> = late.keys().map(|sid| Sid::of(sid).0).collect();
    let known = |call: &Booked| {
        let root = if call.parent.is_empty() { Some(call) } else { booked.get(&call.parent) };
        let Some(root) = root.and_then(Booked::root_facts) else {
            let sid = calls.odd_sids.text(call.sid);
            return Err(LedgerError::Unbalanced(format!("the ledger has the call {sid} without its root")));
        };
        let has_price = call.has_price || late.contains(&call.sid);
        let is_child = !call.parent.is_empty();
        Ok(BookedCall {
            sid: call.sid,
            content: call.content,
            account: call.account,
            start: call.start,
            is_child,
            root,
            has_price,
        })
    };
    let booked = booked.values().map(known).collect::<Result<Vec<_>, _>>()?;
    let mut ignored = HashSet::new();
    for run in runs {
        for path in run.files(Dataset::Ignored) {
            let sids = frame(&path, &["call_sid"])?;
            ignored.extend(text(&sids, "call_sid").iter().flatten().map(|sid| Sid::of(sid).0).filter(|sid| wanted.contains(sid)));
        }
    }
    Ok(Earlier::new(booked, ignored, newest))
}

fn find_booked(
    runs: &[Run],
    wanted: &HashSet<Sid>,
    calls: &mut Calls,
    booked: &mut BTreeMap<Sid, Booked>,
) -> Result<(), LedgerError> {
    for run in runs {
        for path in run.files(Dataset::Calls) {
            booked_rows(run, &path, wanted, calls, booked)?;
        }
    }
    Ok(())
}

/// The fingerprints of a file of the log.
fn beside(run: &Run, path: &Path) -> PathBuf {
    let name = path.strip_prefix(run.folder.join(Dataset::Calls.as_str())).unwrap_or(path);
    run.folder.join(Dataset::Fingerprints.as_str()).join(name)
}

/// Prices that came late, by call; the later run wins.
///
/// # Errors
/// If a file cannot be read.
pub fn late_prices(runs: &[Run], want: impl Fn(&str) -> bool) -> Result<HashMap<String, i128>, LedgerError> {
    let mut prices = HashMap::new();
    for run in runs {
        for path in run.files(Dataset::Prices) {
            let frame = frame(&path, &[])?;
            for (sid, price) in text(&frame, "call_sid").iter().zip(units(&frame, "carrier_price")) {
                if let (Some(sid), Some(price)) = (sid.filter(|sid| want(sid)), price) {
                    prices.insert(sid.to_owned(), price);
                }
            }
        }
    }
    Ok(prices)
}

/// Which rows an output takes.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Starts in this range.
    pub times: Option<Range<Micros>>,
    /// Of this account.
    pub account: Option<String>,
    /// The family of this call: itself, its parent and its siblings, its children.
    pub family: Option<String>,
}

/// The rows of the legs or the log, a frame per UTC date, in the order of dates; each sorted by start, id and leg.
///
/// # Errors
/// If a file cannot be read, or `then` fails.
pub fn each_date<E: From<LedgerError>>(
    ledger: &Ledger,
    dataset: Dataset,
    selection: &Selection,
    mut then: impl FnMut(DataFrame) -> Result<(), E>,
) -> Result<(), E> {
    let runs = ledger.runs().map_err(LedgerError::from)?;
    let mut dates: BTreeMap<i64, Vec<PathBuf>> = BTreeMap::new();
    for run in &runs {
        for path in run.files(dataset) {
            let Some(day) = day_of_file(&path) else { continue };
            let wanted =
                selection.times.as_ref().is_none_or(|times| day >= time::day(times.start) && day <= time::day(times.end - 1));
            if wanted {
                dates.entry(day).or_default().push(path);
            }
        }
    }
    let prices = if dataset == Dataset::Calls { late_prices(&runs, |_| true)? } else { HashMap::new() };
    for paths in dates.into_values() {
        let frame = one_date(&paths, dataset, selection)?;
        if frame.height() > 0 {
            then(with_late_prices(frame, &prices)?)?;
        }
    }
    Ok(())
}

fn one_date(paths: &[PathBuf], dataset: Dataset, selection: &Selection) -> Result<DataFrame, LedgerError> {
    let fail = polars_error(paths.first().map_or(Path::new(""), PathBuf::as_path));
    let files: Vec<PlRefPath> = paths.iter().map(|path| PlRefPath::new(path.display().to_string())).collect();
    let args = ScanArgsParquet {
        glob: false,
        hive_options: HiveOptions { enabled: Some(false), ..HiveOptions::default() },
        ..ScanArgsParquet::default()
    };
    let mut rows = LazyFrame::scan_parquet_files(files.into_iter().collect(), args).map_err(&fail)?;
    if let Some(times) = &selection.times {
        let start = || col("start_time").to_physical();
        rows = rows.filter(start().gt_eq(lit(times.start)).and(start().lt(lit(times.end))));
    }
    if let Some(account) = &selection.account {
        rows = rows.filter(col("account_sid").eq(lit(account.clone())));
    }
    if let Some(sid) = &selection.family {
        rows = rows.filter(col("call_sid").eq(lit(sid.clone())).or(col("parent_call_sid").eq(lit(sid.clone()))));
    }
    let mut keys = vec![col("start_time"), col("call_sid")];
    if dataset == Dataset::Legs {
        keys.push(col("leg"));
    }
    let path = paths.first().map_or(Path::new(""), PathBuf::as_path);
    Ok(guarded(path, || rows.sort_by_exprs(keys, SortMultipleOptions::default()).collect()).map_err(|e| e.hint(RESTORE))?)
}

fn with_late_prices(mut frame: DataFrame, prices: &HashMap<String, i128>) -> Result<DataFrame, LedgerError> {
    if prices.is_empty() {
        return Ok(frame);
    }
    let stored = units(&frame, "carrier_price");
    let filled: Vec<Option<i128>> =
        text(&frame, "call_sid").iter().zip(stored).map(|(sid, price)| price.or_else(|| prices.get(sid?).copied())).collect();
    let scale = crate::money::PRICE_DECIMALS as usize;
    let column =
        Int128Chunked::new("carrier_price".into(), filled).into_decimal_unchecked(crate::money::STORED_DIGITS as usize, scale);
    frame.replace("carrier_price", column.into_column()).map_err(polars_error(Path::new("calls")))?;
    Ok(frame)
}
