//! Suspended records, as a run takes them up again: read from the suspense of the run before, some
//! at a time.
//!
//! **Invariant:** their texts are never in memory all at once. Each record keeps a few bytes; only
//! those with a stored price or parent keep more.

use crate::call::Calls;
use crate::call::PriceRef;
use crate::inputs::file::FileError;
use crate::inputs::record_text::{Format, RecordText};
use crate::inputs::{calls_csv, calls_json};
use crate::ledger::error::{LedgerError, RESTORE};
use crate::ledger::history::History;
use crate::ledger::place::Dataset;
use crate::ledger::tables::places::Places;
use crate::ledger::tables::read::each_slice;
use crate::ledger::tables::suspense::{KeptParent, KeptPrice, SuspenseRow};
use crate::policy::Policy;
use crate::record::Record;
use crate::reject::Reason;
use crate::sid::Sid;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Records that are read at a time.
const AT_A_TIME: usize = 1 << 15;

/// A suspended record, as it is taken up again.
#[derive(Debug, Clone)]
pub struct WaitingRecord {
    /// Its text.
    pub record: String,
    /// The format of its text.
    pub format: Format,
    /// The file that it came from.
    pub source_file: String,
    /// Its line there.
    pub source_line: u64,
    /// The newest call start that the ledger knew when the record first came.
    pub first_seen: String,
    /// The number of tries.
    pub tries: u32,
    /// Its fingerprint, if it was malformed: it remains malformed, though its stored text may read
    /// well (bad bytes are replaced).
    pub malformed: Option<u64>,
    /// Its parent, if that is booked.
    pub parent: Option<KeptParent>,
    /// Its price, if that is stored besides its text.
    pub price: Option<KeptPrice>,
}

/// All suspended records, in their order: the place of each is its number in the run.
#[derive(Debug, Default)]
pub struct Waits {
    files: Vec<PathBuf>,
    count: usize,
    /// The records that are taken up, if not all: only these have numbers.
    only: Option<Arc<Places>>,
    /// For each: the place in `times` of its first sight, and the number of tries.
    seen: Vec<(u32, u32)>,
    times: Vec<String>,
    prices: HashMap<u32, KeptPrice>,
    parents: BTreeMap<u32, (Sid, KeptParent)>,
}

impl Waits {
    /// Takes these files, already checked, and the number of their records.
    #[must_use]
    pub fn of(files: Vec<PathBuf>, count: usize) -> Self {
        Self { files, count, ..Self::default() }
    }

    /// The same records, or only those at some places.
    #[must_use]
    pub fn only(self, places: Option<Places>) -> Self {
        let Some(places) = places else { return self };
        let count = usize::try_from(places.count()).expect("a bit each is in memory");
        Self { count, only: Some(Arc::new(places)), ..self }
    }

    /// The number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// True if there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The time when a record was first seen, and the number of tries; `None` if it was not
    /// suspended.
    #[must_use]
    pub fn seen(&self, number: u32) -> Option<(&str, u32)> {
        let (time, tries) = self.seen.get(number as usize)?;
        Some((&self.times[*time as usize], *tries))
    }

    /// A record's price, if that is stored besides its text.
    #[must_use]
    pub fn price(&self, number: u32) -> Option<&KeptPrice> {
        self.prices.get(&number)
    }

    /// The parents stored with children, with their ids.
    #[must_use]
    pub fn parents(&self) -> &BTreeMap<u32, (Sid, KeptParent)> {
        &self.parents
    }

    /// Reads all of them, typed, and notes the data that is needed later, in random order.
    ///
    /// # Errors
    /// If they cannot be read, or `then` fails.
    pub fn take_up(
        &mut self,
        policy: &Policy,
        mut then: impl FnMut(Calls) -> Result<(), FileError>,
    ) -> Result<(), FileError> {
        let mut numbers: HashMap<String, u32> = HashMap::new();
        let (files, mut known) = (std::mem::take(&mut self.files), Self::default());
        let only = self.only.take();
        each(&files, only.as_deref(), |first, slice| {
            let calls = read_waiting(&slice, first, policy);
            for (record, (number, waiting)) in (first..).zip(slice).enumerate() {
                let time = *numbers.entry(waiting.first_seen).or_insert_with_key(|text| {
                    known.times.push(text.clone());
                    u32::try_from(known.times.len() - 1).expect("no more times than records")
                });
                known.seen.push((time, waiting.tries));
                known.prices.extend(waiting.price.map(|price| (number, price)));
                let child = calls.child_of(record);
                known.parents.extend(
                    child
                        .zip(waiting.parent)
                        .map(|(child, parent)| (number, (child.parent, parent))),
                );
            }
            then(calls)
        })?;
        if known.seen.len() != self.count {
            let path = files.first().map_or(Path::new("suspense"), PathBuf::as_path);
            let problem =
                format!("has {} records, and its run says {}", known.seen.len(), self.count);
            return Err(FileError::new(path, problem).hint("restore the ledger from a copy"));
        }
        *self = Self { files, only, count: self.count, ..known };
        Ok(())
    }

    /// The texts of some records, whose numbers ascend.
    ///
    /// # Errors
    /// If they cannot be read again, or `then` fails.
    pub(crate) fn each_text<E: From<FileError>>(
        &self,
        numbers: impl Iterator<Item = u32>,
        then: &mut dyn FnMut(RecordText) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut numbers = numbers.peekable();
        if numbers.peek().is_none() {
            return Ok(());
        }
        let mut failed = None;
        let read = each(&self.files, self.only.as_deref(), |first, slice| {
            for (number, waiting) in (first..).zip(slice) {
                let WaitingRecord { record, format, source_file: file, source_line: line, .. } =
                    waiting;
                let mut text = Some(RecordText { record, format, file, line });
                while failed.is_none() && numbers.next_if_eq(&number).is_some() {
                    let again = numbers.peek() == Some(&number);
                    let own = if again { text.clone() } else { text.take() };
                    failed = then(own.expect("its text is given away once")).err();
                }
            }
            Ok(())
        });
        read?;
        if let Some(error) = failed {
            return Err(error);
        }
        let path = self.files.first().map_or(Path::new("suspense"), PathBuf::as_path);
        match numbers.next() {
            Some(number) => {
                Err(FileError::new(path, format!("has no record {}", u64::from(number) + 1))
                    .hint(RESTORE)
                    .into())
            }
            None => Ok(()),
        }
    }
}

/// Reads some records after the other, each time with the number of the first.
fn each(
    files: &[PathBuf],
    only: Option<&Places>,
    mut then: impl FnMut(u32, Vec<WaitingRecord>) -> Result<(), FileError>,
) -> Result<(), FileError> {
    let mut formats: HashMap<Arc<str>, Format> = HashMap::new();
    let (mut first, mut before) = (0, 0);
    for path in files {
        let given = each_slice(path, AT_A_TIME, |mut rows| {
            let places = before..before + rows.len();
            before = places.end;
            if let Some(only) = only {
                let mut places = places;
                rows.retain(|_| only.has(places.next().expect("a place for each row")));
            }
            let count = u32::try_from(rows.len()).expect("a few");
            let slice = rows
                .into_iter()
                .map(|row| waiting(row, &mut formats))
                .collect::<Result<Vec<WaitingRecord>, FileError>>()?;
            then(first, slice)?;
            first += count;
            Ok::<(), LedgerError>(())
        });
        given.map_err(|error| of_file(path, error))?;
    }
    Ok(())
}

fn of_file(path: &Path, error: LedgerError) -> FileError {
    match error {
        LedgerError::File(error) => error,
        other => FileError::new(path, other.to_string()),
    }
}

fn waiting(
    row: SuspenseRow,
    formats: &mut HashMap<Arc<str>, Format>,
) -> Result<WaitingRecord, FileError> {
    if !formats.contains_key(&row.header) {
        formats.insert(Arc::clone(&row.header), Format::of_header(&row.header)?);
    }
    Ok(WaitingRecord {
        record: row.record,
        format: formats[&row.header].clone(),
        source_file: row.source_file,
        source_line: row.source_line,
        first_seen: row.first_seen,
        tries: row.tries,
        malformed: (row.reason == Reason::MalformedRecord.as_str()).then_some(row.content),
        parent: row.parent,
        price: row.price,
    })
}

/// The suspended records after the last run, as they are taken up.
///
/// # Errors
/// If they are not as they were written: the next run would book from them.
pub fn of_history(history: &History) -> Result<Waits, LedgerError> {
    let Some(run) = history.runs.last() else { return Ok(Waits::default()) };
    run.check_files(Dataset::Suspense.as_str())?;
    let count: u64 = run.stored(Dataset::Suspense).iter().map(|file| file.rows).sum();
    Ok(Waits::of(
        run.files(Dataset::Suspense),
        usize::try_from(count).expect("a file's rows are counted in 64 bits"),
    ))
}

/// Reads some suspended records, typed; `first` is the number of the first.
fn read_waiting(waiting: &[WaitingRecord], first: u32, policy: &Policy) -> Calls {
    let mut calls = Calls::default();
    for (place, record) in (first..).zip(waiting) {
        match (&record.format, record.malformed) {
            (_, Some(content)) => calls.push(&Record { content, ..Record::malformed(b"") }, place),
            (Format::Csv(header), None) => {
                calls_csv::read_one(&record.record, header, |fields| match fields {
                    Some(fields) => calls.push(&Record::read(&fields, policy), place),
                    None => calls.push(&Record::malformed(record.record.as_bytes()), place),
                });
            }
            (Format::Json | Format::Parquet | Format::Published, None) => {
                let _ =
                    calls_json::push_object(record.record.as_bytes(), place, policy, &mut calls);
            }
        }
        if let (Some(kept), Some(own)) = (&record.price, calls.price.last_mut()) {
            *own = PriceRef::of(&kept.price, &kept.unit);
        }
    }
    assert_eq!(calls.len(), waiting.len(), "a record is one record again");
    calls
}
