//! Gathering a report from the stored files of a run and of the runs before it.
//!
//! ```text
//! manifest ────────────▶ head, law, classes
//! log, group by group ─▶ calls, largest, carrier's prices; children beside their parents
//! legs, group by group ▶ scenarios, days, short prefixes, zero amounts   (the archived decks say which prefixes there are)
//! suspense, closed ────▶ reasons, causes
//! legs of other runs ──▶ sums of the days of four weeks
//! ```
//!
//! **Invariant:** one row group of a run's calls or legs is in memory at a time. The sums are
//! checked against the manifest; if they differ there is no report.
//!
//! # Why
//! Nearly every parent is in the row group of its child or in the one before, since a child starts
//! when its parent ends. All other parents are looked up by id, many at a time, as in `verify` and
//! `run`.

use crate::inputs::accounts::{self, Accounts};
use crate::inputs::decks;
use crate::inputs::file::FileError;
use crate::ledger::index::earlier::ids_in;
use crate::ledger::manifest::{FILE_NAME, Manifest, RunKind};
use crate::ledger::place::day_of_file;
use crate::ledger::tables::columns::{self, ROWS};
use crate::ledger::tables::file::{each_group, slice};
use crate::ledger::tables::read::{each_suspended, sums_by_currency};
use crate::ledger::tables::stored::Rows;
use crate::ledger::tables::typed::stored_row;
use crate::ledger::{Dataset, History, Ledger, LedgerError, RESTORE, Run};
use crate::policy::Policy;
use crate::report::causes::{ByCause, CauseLine};
use crate::report::count::Counter;
use crate::report::days::{self, DaySums};
use crate::report::findings::Setting;
use crate::report::lines::{
    ClassLine, DeckLine, FileLine, Law, Money, ReasonLine, RecordCount, ReportHead, class_words,
};
use crate::report::prefixes::Prefixes;
use crate::report::rows::{Call, Leg, Transfer, answered_and_ended};
use crate::report::waiting::ByReason;
use crate::report::waiting_causes::{self, waiting};
use crate::report::whole::{Report, SCHEMA, Suspense};
use crate::sid::Sid;
use crate::time::{self, Micros};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// The report of a run, which may have been undone; `undone` is the reason.
///
/// # Errors
/// If a file cannot be read, or the sums differ from the run's manifest.
pub fn gather(
    ledger: &Ledger,
    history: &History,
    run: &Run,
    undone: Option<&str>,
) -> Result<Report, LedgerError> {
    let m = &run.manifest;
    let before: Vec<&Run> =
        history.runs.iter().filter(|other| other.head.sequence < m.sequence).collect();
    let newest =
        before.iter().map(|run| run.head.own_newest()).chain([m.own_newest()]).flatten().max();
    let accounts = accounts_of(ledger, m)?;
    let mut counter = Counter::new(setting(m, newest), prefixes_of(ledger, run)?);
    calls(history, run, &mut counter)?;
    legs(run, &mut counter)?;
    let amounts = check(run, &counter)?;
    let count = |name: &str| counted(m, name);
    let run_days = days_of(run, &before, &counter);
    let others = sums_of(&before, &days::needed(&run_days))?;
    let timelines =
        days::timelines(&counter.days, &others, &run_days, newest).map_err(LedgerError::of_sum)?;
    let (causes, reasons) = waits_of(ledger, run, &before, newest)?;
    let mut written_off = ByReason::new(newest);
    each_suspended(run, Dataset::Closed, |rows| {
        for row in &rows {
            written_off.add(&waiting(row));
        }
        Ok::<_, LedgerError>(())
    })?;
    let s = &m.suspense;
    let [opening, new, taken_up, closed_count, closing] =
        [s.opening, s.new, s.taken_up, s.closed, s.closing]
            .map(|count| RecordCount { records: count.records, seconds: count.seconds });
    let suspense =
        Suspense { opening, new, taken_up, closed: closed_count, closing, causes, reasons };
    let class = |name: &&str| ClassLine {
        class: (*name).to_owned(),
        words: class_words(name, &m.ignored_by_direction),
        count: count(name),
        amounts: if *name == "rated" { amounts.clone() } else { Vec::new() },
    };
    Ok(Report {
        schema: SCHEMA,
        run: head(m, undone, newest),
        night: None,
        law: Law::of(count),
        classes: ["rated", "free", "duplicate", "ignored", "suspended", "closed"]
            .iter()
            .map(class)
            .collect(),
        ignored_by_direction: m.ignored_by_direction.clone(),
        scenarios: counter.scenarios(),
        legs: m.legs,
        amounts,
        suspense,
        written_off: written_off.finish(),
        timelines,
        largest: counter.largest(|account| {
            accounts.get(account).map_or_else(String::new, |account| account.name.clone())
        }),
        callers: counter.findings.callers,
        carrier: counter.findings.carrier_lines(),
        findings: counter.findings.finish(),
    })
}

fn head(m: &Manifest, undone: Option<&str>, newest: Option<Micros>) -> ReportHead {
    let file = |file: &crate::ledger::manifest::InputFile| FileLine {
        name: file.name.clone(),
        format: file.format.clone(),
        rows: file.rows,
        bytes: file.bytes,
        blake3: file.blake3.clone(),
    };
    let deck = |deck: &crate::ledger::manifest::DeckEntry| DeckLine {
        name: deck.name.clone(),
        currency: deck.currency.clone(),
        blake3: deck.blake3.clone(),
    };
    ReportHead {
        run_id: m.run_id.clone(),
        kind: m.kind.as_str().to_owned(),
        reason: m.reason.clone(),
        undone: undone.map(str::to_owned),
        sequence: m.sequence,
        previous: m.previous.clone(),
        newest_start: m.own_newest_start.clone(),
        known_until: newest.map(time::text),
        version: m.version.clone(),
        tzdb: m.tzdb.clone(),
        files: m.inputs.iter().map(file).collect(),
        decks: m.decks.iter().map(deck).collect(),
        decks_hash: m.decks_hash.clone(),
        trunks_hash: m.trunks_hash.clone(),
        accounts_hash: m.accounts_hash.clone(),
        policy: m.policy.clone(),
    }
}

/// The suspended records after the run, by cause and by reason.
fn waits_of(
    ledger: &Ledger,
    run: &Run,
    before: &[&Run],
    newest: Option<Micros>,
) -> Result<(Vec<CauseLine>, Vec<ReasonLine>), LedgerError> {
    let runs = before.iter().copied().chain([run]).cloned().collect();
    let known = History { runs, ..History::default() };
    let (mut causes, mut reasons) = (ByCause::new(newest), ByReason::new(newest));
    waiting_causes::each_diagnosed(ledger, &known, |found| {
        reasons.add(&waiting(found.row));
        found.add_to(&mut causes)
    })?;
    Ok((waiting_causes::lines(causes)?, reasons.finish()))
}

fn counted(m: &Manifest, name: &str) -> RecordCount {
    m.counts.get(name).map_or_else(RecordCount::default, |count| RecordCount {
        records: count.records,
        seconds: count.seconds,
    })
}

fn wrong(path: &Path, problem: String) -> LedgerError {
    FileError::new(path, problem).hint(RESTORE).into()
}

/// The policy of the run. A run without calls (a person's decision) has none, and no calls to check
/// against it.
fn setting(m: &Manifest, newest_start: Option<Micros>) -> Setting {
    let policy = Policy::of_words(&m.policy);
    Setting {
        max_call_seconds: policy.max_call_seconds,
        newest_start,
        withheld: policy.withheld_numbers.iter().collect(),
        carrier_prices: m.carrier_prices.clone(),
    }
}

fn accounts_of(ledger: &Ledger, m: &Manifest) -> Result<Accounts, FileError> {
    let Some(hash) = &m.accounts_hash else { return Ok(Accounts::new()) };
    accounts::archived(&ledger.archive_folder().join(hash).join("accounts.csv"))
}

/// The prefixes of the decks that the run rated with; none if it booked no leg.
fn prefixes_of(ledger: &Ledger, run: &Run) -> Result<Prefixes, FileError> {
    let m = &run.manifest;
    let Some(hash) = m.decks_hash.as_ref().filter(|_| m.legs > 0) else {
        return Ok(Prefixes::default());
    };
    let own_name = m.decks.first().map_or("", |deck| deck.folder.as_str());
    Ok(Prefixes::of(&decks::archived(&ledger.archive_folder().join(hash), own_name)?.decks))
}

/// Checks the counts and sums against the manifest: booked calls, legs and their amounts.
fn check(run: &Run, counter: &Counter) -> Result<Vec<Money>, LedgerError> {
    let m = &run.manifest;
    let amounts = counter.amounts().map_err(LedgerError::of_sum)?;
    let sums: BTreeMap<&str, String> =
        amounts.iter().map(|sum| (sum.currency.as_str(), sum.amount.to_string())).collect();
    let stated: BTreeMap<&str, String> =
        m.amount.iter().map(|(currency, sum)| (currency.as_str(), sum.clone())).collect();
    // Calls that were rated again are no records that ended.
    let rated = m.rerates.as_ref().map_or(m.records("rated"), |scope| scope.adjusted.records);
    let (found, expected) = (counter.counts(), (rated, m.records("free"), m.legs));
    if found != expected || sums != stated {
        let problem = format!(
            "the run has {found:?} billed calls, free calls and legs of {sums:?}; \
             its manifest says {expected:?}, {stated:?}"
        );
        return Err(wrong(&run.folder.join(FILE_NAME), problem));
    }
    Ok(amounts)
}

// ---- days ---------------------------------------------------------------------------------------

/// The days with legs of the run, and the last day of its calls, even if nothing on it was billed;
/// and the last day known before the run, which may have been open then. Kinds other than a run or
/// an import have only the days with legs.
fn days_of(run: &Run, before: &[&Run], counter: &Counter) -> BTreeSet<i64> {
    let mut days = counter.days.days();
    if matches!(run.manifest.kind, RunKind::Run | RunKind::Import) {
        let newest_before = before.iter().filter_map(|run| run.manifest.own_newest()).max();
        days.extend(
            [run.manifest.own_newest(), newest_before].into_iter().flatten().map(time::day),
        );
    }
    days
}

/// The sums of some days over some runs. A file is read one row group at a time.
fn sums_of(runs: &[&Run], wanted: &BTreeSet<i64>) -> Result<DaySums, LedgerError> {
    let files = runs
        .iter()
        .flat_map(|run| run.files(Dataset::Legs).into_iter().map(move |path| (run, path)));
    let files: Vec<(i64, &Run, PathBuf)> = files
        .filter_map(|(run, path)| Some((day_of_file(&path)?, *run, path)))
        .filter(|(day, ..)| wanted.contains(day))
        .collect();
    let read: Vec<_> = files
        .par_iter()
        .with_max_len(1)
        .map(|(day, run, path)| {
            run.check_before_read(path)?;
            Ok((*day, sums_by_currency(std::slice::from_ref(path))?))
        })
        .collect::<Result<_, LedgerError>>()?;
    let mut sums = DaySums::default();
    for (day, by_currency) in read {
        for (currency, amount) in by_currency {
            sums.add(&currency, day, amount).map_err(LedgerError::of_sum)?;
        }
    }
    Ok(sums)
}

// ---- legs ---------------------------------------------------------------------------------------

fn legs(run: &Run, counter: &mut Counter) -> Result<(), LedgerError> {
    for path in run.files(Dataset::Legs) {
        run.check_before_read(&path)?;
        each_group(&path, Leg::COLUMNS, |legs| {
            let leg_at = Leg::reader(legs)?;
            for row in 0..legs.height() {
                let leg = leg_at(row)?;
                counter.leg(&leg).map_err(|error| LedgerError::Overflow {
                    call: leg.call_sid.to_owned(),
                    error,
                })?;
            }
            Ok::<_, LedgerError>(())
        })?;
    }
    Ok(())
}

// ---- calls --------------------------------------------------------------------------------------

stored_row! {
    /// A call, as far as a child that stands elsewhere asks for it.
    struct ParentTimes<'a> of columns::LOG {
        call_sid: &'a str,
        start_time: Micros,
        end_time: Option<Micros>,
        duration_seconds: i64,
    }
}

/// The number of children whose parents are looked up together.
const ASKED: usize = ROWS;

fn calls(history: &History, run: &Run, counter: &mut Counter) -> Result<(), LedgerError> {
    let mut families =
        ParentSpans { history, run, near: [HashMap::new(), HashMap::new()], apart: Vec::new() };
    for path in run.files(Dataset::Calls) {
        run.check_before_read(&path)?;
        each_group(&path, Call::COLUMNS, |calls| {
            let call_at = Call::reader(calls)?;
            let mut roots = HashMap::new();
            for row in 0..calls.height() {
                let call = call_at(row)?;
                if call.is_root() {
                    roots.insert(Sid::of(call.call_sid).0, Span::of_call(&call));
                }
            }
            families.begin(roots);
            for row in 0..calls.height() {
                let call = call_at(row)?;
                counter.call(&call);
                if call.is_rated() && !call.is_root() {
                    let span = Span::of_call(&call);
                    families.child(call.call_sid, call.parent_call_sid, span, counter);
                }
            }
            if families.apart.len() >= ASKED { families.ask(counter) } else { Ok(()) }
        })?;
    }
    families.ask(counter)
}

/// The times at which a call started, was answered and ended.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: Micros,
    answered: Micros,
    end: Micros,
}

impl Span {
    fn of(start: Micros, end: Option<Micros>, duration_seconds: i64) -> Self {
        let (answered, end) = answered_and_ended(start, end, duration_seconds);
        Self { start, answered, end }
    }

    fn of_call(call: &Call<'_>) -> Self {
        Self::of(call.start_time, call.end_time, call.duration_seconds)
    }
}

/// A child whose parent is not in a row group near it.
struct Apart {
    child: String,
    parent_sid: String,
    span: Span,
}

/// Children, and the places of their parents.
struct ParentSpans<'a> {
    history: &'a History,
    run: &'a Run,
    /// The roots of this row group and of the one before.
    near: [HashMap<Sid, Span>; 2],
    apart: Vec<Apart>,
}

impl ParentSpans<'_> {
    /// Begins the next row group, with its roots.
    fn begin(&mut self, roots: HashMap<Sid, Span>) {
        self.near.swap(0, 1);
        self.near[0] = roots;
    }

    fn child(&mut self, child: &str, parent_sid: &str, span: Span, counter: &mut Counter) {
        let parent = Sid::of(parent_sid).0;
        match self.near.iter().find_map(|roots| roots.get(&parent)) {
            Some(parent) => look(child, parent_sid, span, *parent, counter),
            None => self.apart.push(Apart {
                child: child.to_owned(),
                parent_sid: parent_sid.to_owned(),
                span,
            }),
        }
    }

    /// Looks up the parents of the children in `apart`: in the run, or in a run that it depends on.
    fn ask(&mut self, counter: &mut Counter) -> Result<(), LedgerError> {
        let mut wanted: Vec<Sid> =
            self.apart.iter().map(|apart| Sid::of(&apart.parent_sid).0).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let stands_on = &self.run.manifest.stands_on;
        let earlier =
            self.history.all_runs().filter(|run| stands_on.contains(&run.manifest.run_id));
        let mut found = HashMap::new();
        for run in std::iter::once(self.run).chain(earlier) {
            if wanted.is_empty() {
                break;
            }
            spans_in(run, &wanted, &mut found)?;
            wanted.retain(|sid| !found.contains_key(sid));
        }
        for Apart { child, parent_sid, span } in self.apart.drain(..) {
            let Some(parent) = found.get(&Sid::of(&parent_sid).0) else {
                let problem = format!(
                    "has the child {child}, whose parent {parent_sid} no run has that it stands on"
                );
                return Err(wrong(&self.run.folder, problem));
            };
            look(&child, &parent_sid, span, *parent, counter);
        }
        Ok(())
    }
}

fn look(child: &str, parent_sid: &str, span: Span, parent: Span, counter: &mut Counter) {
    counter.findings.transfer(&Transfer {
        child,
        parent_sid,
        child_start: span.start,
        answered: span.answered,
        child_end: span.end,
        parent_start: parent.start,
        parent_end: parent.end,
    });
}

/// The spans of the wanted calls that a run booked. Only row groups with a wanted call are read.
fn spans_in(run: &Run, wanted: &[Sid], found: &mut HashMap<Sid, Span>) -> Result<(), LedgerError> {
    let mut by_group: BTreeMap<(i32, usize), Vec<(usize, Sid)>> = BTreeMap::new();
    for id in ids_in(run, wanted)? {
        if let Some((day, row)) = id.place {
            let row = row as usize;
            by_group.entry((day, row / ROWS)).or_default().push((row % ROWS, id.sid));
        }
    }
    for ((day, group), rows) in by_group {
        let path = run.file_of_day(Dataset::Calls, i64::from(day));
        let frame = slice(&path, ParentTimes::COLUMNS, group * ROWS, ROWS)?;
        let parent_at = ParentTimes::reader(&Rows::new(&path, group * ROWS, &frame))?;
        for (row, sid) in rows {
            if row >= frame.height() {
                return Err(wrong(&path, "has fewer rows than the ids of its run say".to_owned()));
            }
            let parent = parent_at(row)?;
            if Sid::of(parent.call_sid).0 != sid {
                let problem = format!("has {:?} where another call stands", parent.call_sid);
                return Err(wrong(&path, problem));
            }
            let span = Span::of(parent.start_time, parent.end_time, parent.duration_seconds);
            found.insert(sid, span);
        }
    }
    Ok(())
}
