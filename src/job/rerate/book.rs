//! Books what a period comes to by other decks, as a run: each call that costs something else in
//! its new version, and the legs of the version before taken back.
//!
//! ```text
//! calls that cost something else ──▶ legs and log of the run, as any run has them (part-0)
//! legs of their booked versions  ──▶ the same with the opposite amounts           (part-1)
//! what waits                     ──▶ as it is
//! ```
//!
//! **Invariant:** the sum of the run's legs is the difference that is shown, in every currency. No
//! record comes in and none ends: the run has no class but what waits.
//!
//! # Why whole calls
//! A call is rated whole or not at all, and one run proves all of its legs by one deck. So a call
//! of which one leg changed is booked with both; the other leg and the one that takes it back are
//! nothing together. An invoice that bills both has no line for them, and no amount.

use super::scan::{LoggedRest, PartRerated, PeriodScan, PeriodScope, TakeChanged};
use super::sums::{PeriodRerated, RepricedSum};
use crate::booked::Booked;
use crate::call::Calls;
use crate::fit::must_fit;
use crate::inputs::file::FileError;
use crate::inputs::given::Inputs;
use crate::job::book::follow;
use crate::ledger::index::ids::{FOLDER, IdFile};
use crate::ledger::manifest::{
    DeckEntry, Manifest, ManifestCount, RerateScope, RunKind, SuspenseAccount,
};
use crate::ledger::place::day_of_file;
use crate::ledger::runs::sort::{Books, PIECE, RateNumbers, SortScratch};
use crate::ledger::runs::stage::{self, Staged};
use crate::ledger::runs::taken_back::opposite;
use crate::ledger::runs::write_off::{hash_text, write_kept};
use crate::ledger::tables::columns::LEG_COLUMNS;
use crate::ledger::tables::file::each_group;
use crate::ledger::tables::places::Places;
use crate::ledger::{Dataset, History, Ledger, LedgerError, Lock, RESTORE, polars_error};
use crate::money::Total;
use crate::night::{Class, Count, Tally};
use crate::packed::SharedTexts;
use crate::partition::deal::SplitPoints;
use crate::partition::spill::{Memory, Spill, SpillRoom};
use crate::sid::Sid;
use crate::time::{self, DAY, Micros};
use polars::prelude::BooleanChunked;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// The most pieces of a period, by start and by id.
const MOST_PIECES: usize = 1 << 14;

/// What was booked.
#[derive(Debug)]
pub struct RerateBooked {
    /// What the period comes to.
    pub rerated: PeriodRerated,
    /// The run; `None` if nothing costs anything else.
    pub run_id: Option<String>,
    /// A failure after the run was booked.
    pub warning: Option<String>,
}

/// The calls that cost something else, packed by their start.
struct RepricedBooks {
    spill: Spill,
    bounds: SplitPoints,
    texts: Mutex<SharedTexts>,
    /// The fingerprints of the booked calls, by run and day, in the order of the log.
    contents: HashMap<(usize, i64), Vec<u64>>,
}

impl RepricedBooks {
    fn new(
        history: &History,
        scope: &PeriodScope,
        room: impl FnOnce(usize) -> Arc<SpillRoom>,
    ) -> Result<(Self, Arc<SpillRoom>), LedgerError> {
        let mut contents: HashMap<(usize, i64), Vec<u64>> = HashMap::new();
        let mut rows_of_day: BTreeMap<i64, u64> = BTreeMap::new();
        for (place, run) in history.runs.iter().enumerate() {
            let mut is_wanted = false;
            for file in run.stored(Dataset::Calls) {
                let day = day_of_file(&run.folder.join(&file.path));
                let Some(day) = day.filter(|day| is_of_scope(*day, scope)) else { continue };
                is_wanted = true;
                let rows = must_fit(file.rows, "the calls of a day fit memory");
                contents.insert((place, day), vec![0; rows]);
                *rows_of_day.entry(day).or_default() += file.rows;
            }
            if !is_wanted {
                continue;
            }
            run.check_files(FOLDER)?;
            let mut found = 0_u64;
            let mut file = IdFile::open(&run.folder)?;
            for range in file.ranges() {
                for id in file.rows(range)? {
                    let Some((day, row)) = id.place else { continue };
                    let Some(own) = contents.get_mut(&(place, i64::from(day))) else { continue };
                    let content = own.get_mut(row as usize).ok_or_else(|| {
                        let problem = format!("has no row {row} of day {day} in its log");
                        FileError::new(&run.folder, problem).hint(RESTORE)
                    })?;
                    *content = id.content;
                    found += 1;
                }
            }
            let own = contents.iter().filter(|((run, _), _)| *run == place);
            let expected: u64 = own.map(|(_, contents)| contents.len() as u64).sum();
            if found != expected {
                let problem = format!("has {expected} calls on these days and {found} ids of them");
                return Err(FileError::new(&run.folder, problem).hint(RESTORE).into());
            }
        }
        let bounds = SplitPoints::at(slices(&rows_of_day), Vec::new());
        let room = room(bounds.count_by_start());
        let spill = Spill::new(bounds.count_by_start(), &room);
        Ok((Self { spill, bounds, texts: Mutex::default(), contents }, room))
    }
}

/// The starts of pieces of about [`PIECE`] calls, but the first: a day is cut evenly.
fn slices(rows_of_day: &BTreeMap<i64, u64>) -> Vec<Micros> {
    let all: u64 = rows_of_day.values().sum();
    let least = all.div_ceil(MOST_PIECES as u64).max(PIECE);
    let mut starts = Vec::new();
    for (day, rows) in rows_of_day {
        let pieces: i64 = must_fit(rows.div_ceil(least).max(1), "pieces of a day are few");
        starts.extend((0..pieces).map(|piece| day * DAY + DAY / pieces * piece));
    }
    starts.split_off(usize::from(!starts.is_empty()))
}

fn is_of_scope(day: i64, scope: &PeriodScope) -> bool {
    let times = &scope.times;
    (time::day(times.start)..=time::day(times.end - 1)).contains(&day)
}

impl TakeChanged for RepricedBooks {
    fn take(
        &self,
        (run, day, row): (usize, i64, usize),
        (account, rest): (&str, &LoggedRest<'_>),
        mut call: Booked,
        calls: &Calls,
    ) -> Result<(), LedgerError> {
        call.content = self.contents[&(run, day)][row];
        {
            let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
            call.account = texts.accounts.id(account);
            call.trunk = texts.trunks.id(rest.trunk_sid);
            if call.direction.as_str().is_empty() {
                call.child_direction = texts.directions.id(rest.direction);
            }
        }
        let piece = self.bounds.of_start(call.start, || calls.odd_sids.text(call.sid));
        let mut bytes = Vec::with_capacity(128);
        call.pack(calls, &mut bytes);
        Ok(self.spill.push(piece, &bytes, 1)?)
    }
}

/// Rates the calls of a period again, and books the differences as a run; none if there are none.
///
/// # Errors
/// If the ledger cannot be read or written, or a sum does not hold; nothing is booked then.
pub fn book(
    (ledger, lock): (&Ledger, &Lock),
    history: &mut History,
    inputs: &Inputs,
    scope: &PeriodScope,
    (reason, memory, lists_legs): (&str, Memory, bool),
) -> Result<RerateBooked, LedgerError> {
    let scan = PeriodScan::new(history, inputs, scope, lists_legs)?;
    let room = |pieces| memory.room(lock.staging.as_path(), pieces);
    let (books, room) = RepricedBooks::new(history, scope, room)?;
    let (mut rerated, mut parts) = (PeriodRerated::default(), Vec::new());
    scan.each_part(Some(&books), |found, part| {
        parts.push(part);
        rerated.merge(found).map_err(LedgerError::of_sum)
    })?;
    parts.retain(|part| !part.sids.is_empty());
    if parts.is_empty() {
        return Ok(RerateBooked { rerated, run_id: None, warning: None });
    }
    let mut runs: BTreeSet<usize> = parts.iter().map(|part| part.run).collect();
    runs.extend(&scan.root_runs);
    let found = RerateFound { rerated: &rerated, parts: &parts, runs: &runs };
    let (staged, manifest) =
        stage_run((lock, &room), history, (inputs, scope, reason), &found, books)?;
    archive(ledger, lock, inputs, &manifest)?;
    let run_id = manifest.run_id.clone();
    let run = staged.publish(ledger, manifest)?;
    drop(scan);
    history.runs.push(run);
    let warning = follow(ledger, lock, history);
    Ok(RerateBooked { rerated, run_id: Some(run_id), warning })
}

/// What was found by the scan.
struct RerateFound<'a> {
    rerated: &'a PeriodRerated,
    /// The parts with calls that cost something else.
    parts: &'a [PartRerated],
    /// The runs that the new one stands on.
    runs: &'a BTreeSet<usize>,
}

/// Writes the run in `staging`.
fn stage_run(
    (lock, room): (&Lock, &Arc<SpillRoom>),
    history: &History,
    (inputs, scope, reason): (&Inputs, &PeriodScope, &str),
    found: &RerateFound<'_>,
    books: RepricedBooks,
) -> Result<(Staged, Manifest), LedgerError> {
    let previous = history.last();
    let run_id = Manifest::next_id(previous, &digest(previous, (inputs, scope, reason), found));
    let RepricedBooks { spill, bounds, texts, .. } = books;
    let texts = texts.into_inner().unwrap_or_else(PoisonError::into_inner);
    let bounds = bounds.with_sids(by_sid(found.parts));
    let [ids, children] = [(); 2].map(|()| Spill::new(bounds.count_by_sid(), room));
    let rates = RateNumbers::new(&inputs.decks.decks);
    let mut staged = Staged::begin(lock, &run_id)?;
    staged.write_books(&Books {
        calls: &spill,
        ids: &ids,
        children: &children,
        bounds: &bounds,
        texts: &texts,
        decks: &inputs.decks.decks,
        rates: &rates,
        policy: &inputs.policy,
        run_id: &run_id,
        bench: &SortScratch::default(),
    })?;
    take_back(&mut staged, history, found.parts, &run_id)?;
    let (kept, suspended_by_reason) = match history.runs.last() {
        Some(run) if run.manifest.suspense.closing.records > 0 => {
            write_kept(&mut staged, run, &Places::default())?
        }
        _ => (Count::default(), BTreeMap::new()),
    };
    check(&staged, found)?;
    let mut tally = Tally::default();
    tally.by_class[Class::Suspended as usize] = kept;
    tally.retried = kept;
    let text_of = |at: Micros| {
        let is_open = at == Micros::MIN || at == Micros::MAX;
        if is_open { String::new() } else { time::text(at) }
    };
    let hash = |text: &str| blake3::hash(text.as_bytes()).to_hex().to_string();
    let manifests = || found.runs.iter().map(|run| &history.runs[*run].manifest);
    let manifest = Manifest {
        reason: Some(reason.to_owned()),
        rerates: Some(RerateScope {
            from: text_of(scope.times.start),
            to: text_of(scope.times.end),
            account: scope.account.clone(),
            destination: scope.destination.clone(),
            adjusted: ManifestCount {
                records: found.rerated.changed,
                seconds: found.parts.iter().map(|part| part.seconds).sum(),
            },
        }),
        stands_on: manifests().map(|m| m.run_id.clone()).collect(),
        id_shapes: manifests().flat_map(|m| m.id_shapes.iter().copied()).collect(),
        policy: inputs.policy.words(),
        decks_hash: Some(inputs.decks.hash.clone()),
        decks: DeckEntry::of_all(&inputs.decks),
        accounts_hash: inputs.accounts.as_ref().map(|(_, text)| hash(text)),
        counts: Manifest::counts_of(&tally),
        suspense: SuspenseAccount {
            opening: kept.into(),
            closing: kept.into(),
            ..SuspenseAccount::default()
        },
        suspended_by_reason,
        legs: staged.legs,
        amount: staged
            .amount
            .iter()
            .map(|(currency, total)| (currency.clone(), total.to_string()))
            .collect(),
        files: std::mem::take(&mut staged.files),
        ..Manifest::next(RunKind::Rerate, &run_id, previous)
    };
    Ok((staged, manifest))
}

/// A hash of what the run does: the same for any number of threads.
fn digest(
    previous: Option<&Manifest>,
    (inputs, scope, reason): (&Inputs, &PeriodScope, &str),
    found: &RerateFound<'_>,
) -> blake3::Hasher {
    let mut hasher = blake3::Hasher::new();
    let accounts = inputs.accounts.as_ref().map_or("", |(_, text)| text);
    for text in [
        RunKind::Rerate.as_str(),
        reason,
        previous.map_or("", |m| &m.run_id),
        &inputs.decks.hash,
        accounts,
        &format!("{:?}", inputs.policy.words()),
        &format!("{scope:?}"),
    ] {
        hash_text(&mut hasher, text);
    }
    for sid in found.parts.iter().flat_map(|part| &part.sids) {
        hasher.update(&sid.0.to_le_bytes());
    }
    hasher
}

/// The first ids of the pieces by id, but of the first piece.
fn by_sid(parts: &[PartRerated]) -> Vec<Sid> {
    let mut sids: Vec<Sid> = parts.iter().flat_map(|part| part.sids.iter().copied()).collect();
    sids.sort_unstable();
    let piece: usize = must_fit(PIECE, "a piece fits memory");
    let piece = sids.len().div_ceil(MOST_PIECES).max(piece);
    let mut bounds: Vec<Sid> = sids.chunks(piece).skip(1).map(|piece| piece[0]).collect();
    bounds.dedup();
    bounds
}

/// Writes the legs of the booked versions with the opposite amounts: by day, and there in the order
/// of the runs.
fn take_back(
    staged: &mut Staged,
    history: &History,
    parts: &[PartRerated],
    run_id: &str,
) -> Result<(), LedgerError> {
    let mut days: BTreeMap<i64, Vec<&PartRerated>> = BTreeMap::new();
    for part in parts {
        days.entry(part.day).or_default().push(part);
    }
    for (day, mut parts) in days {
        parts.sort_by_key(|part| part.run);
        staged.write_taken_back_by(day, |write| {
            for part in parts {
                let path = history.runs[part.run].file_of_day(Dataset::Legs, day);
                let (mut first, mut at) = (0_usize, 0_usize);
                each_group(&path, &LEG_COLUMNS, |legs| {
                    let end = first + legs.height();
                    let own = part.taken[at..].partition_point(|row| (*row as usize) < end);
                    let mut is_taken = vec![false; legs.height()];
                    for row in &part.taken[at..at + own] {
                        is_taken[*row as usize - first] = true;
                    }
                    (first, at) = (end, at + own);
                    if own == 0 {
                        return Ok(());
                    }
                    let is_taken: BooleanChunked = is_taken.into_iter().map(Some).collect();
                    let taken = legs.frame.filter(&is_taken).map_err(polars_error(&path))?;
                    write(&opposite(&taken, run_id)?)
                })?;
                assert_eq!(at, part.taken.len(), "each leg that is taken back is in its file");
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// Holds what was staged against what was found.
fn check(staged: &Staged, found: &RerateFound<'_>) -> Result<(), LedgerError> {
    let rows = |dataset: Dataset| -> u64 {
        let is_of = |path: &str| path.split('/').next() == Some(dataset.as_str());
        staged.files.iter().filter(|file| is_of(&file.path)).map(|file| file.rows).sum()
    };
    let legs: u64 = found.parts.iter().map(|part| part.new_legs + part.taken.len() as u64).sum();
    for (what, expected, stored) in [
        ("legs", legs, rows(Dataset::Legs)),
        ("log rows", found.rerated.changed, rows(Dataset::Calls)),
    ] {
        if expected != stored {
            let problem = format!("expected {expected} {what}, wrote {stored}");
            return Err(LedgerError::Unbalanced(problem));
        }
    }
    staged.check_totals()?;
    let shown = found.rerated.by_currency().map_err(LedgerError::of_sum)?;
    let none = Total::default();
    for currency in shown.keys().copied().chain(staged.amount.keys().map(String::as_str)) {
        let difference = shown.get(currency).map_or(none, RepricedSum::difference);
        let booked = staged.amount.get(currency).copied().unwrap_or(none);
        if difference != booked {
            return Err(LedgerError::Unbalanced(format!(
                "the difference is {difference} {currency}, the legs of the run come to {booked}"
            )));
        }
    }
    Ok(())
}

/// Archives the decks and the accounts.
fn archive(
    ledger: &Ledger,
    lock: &Lock,
    inputs: &Inputs,
    manifest: &Manifest,
) -> Result<(), FileError> {
    stage::archive(ledger, lock, &inputs.decks.hash, &inputs.decks.files)?;
    if let (Some(hash), Some((_, text))) = (&manifest.accounts_hash, &inputs.accounts) {
        let files = BTreeMap::from([("accounts.csv".to_owned(), text.as_bytes().to_vec())]);
        stage::archive(ledger, lock, hash, &files)?;
    }
    Ok(())
}
