//! The proof of a ledger, from its stored files alone.
//!
//! ```text
//! history   the chain of runs and undos
//! catalog   every bit of it
//! per run   every file and its hash · the archive · the balance of records, seconds and suspense
//! per part  every leg recomputed from its call and the archived deck, by crate::audit
//! over all  every id once · suspense goes on from run to run · what was read is what ended somewhere
//! ```
//!
//! **Invariant:** nothing here asks the kernel what a call costs. The parts of a run are proved side by side; what is
//! reported first is the first by place, whatever the threads.

use super::frames::SuspenseRow;
use super::ids::IdFile;
use super::known::day_of_file;
use super::manifest::{FILE_NAME, Manifest, ManifestCount};
use super::read::{self, frame, longs, text, units};
use super::{Dataset, History, Ledger, LedgerError, RESTORE, Run, catalog, known, sub_folders};
use crate::audit::{Call, Leg, Root, Tariff};
use crate::call::Sid;
use crate::io::{FileError, decks, read_text};
use crate::money::{AMOUNT_DECIMALS, decimal_text};
use crate::time::{self, DAY};
use polars::prelude::{DataFrame, StringChunked};
use rayon::prelude::*;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// What was proved.
#[derive(Debug, Clone, Default)]
pub struct Proof {
    /// Runs that count.
    pub runs: usize,
    /// Runs that were taken back.
    pub undone: usize,
    /// Calls recomputed.
    pub calls: u64,
    /// Legs recomputed.
    pub legs: u64,
    /// Calls of the ledger.
    pub all_calls: u64,
    /// Records that wait.
    pub waiting: u64,
    /// The sum of all legs by currency, if all were recomputed.
    pub amount: BTreeMap<String, i128>,
    /// What is not wrong, but worth knowing.
    pub notes: Vec<String>,
}

/// Proves a ledger; with `sample`, the files and legs of about so many calls only.
///
/// # Errors
/// The first thing that is wrong, and where.
pub fn prove(ledger: &Ledger, sample: Option<u64>) -> Result<Proof, LedgerError> {
    let history = ledger.history()?;
    let mut proof = Proof { runs: history.runs.len(), undone: history.undone.len(), ..Proof::default() };
    proof.notes.extend(catalog::verify(ledger, &history)?);
    balance(&history)?;
    let parts: Vec<Part<'_>> = history.runs.iter().enumerate().flat_map(|(number, run)| parts_of(number, run)).collect();
    proof.all_calls = parts.iter().map(|part| part.rows).sum();
    proof.waiting = history.last().map_or(0, |last| last.suspense.closing.records);
    let chosen = sample.map(|calls| choose(&parts, calls));
    let is_chosen =
        |folder: &Path, file: &str| chosen.as_ref().is_none_or(|chosen| chosen.iter().any(|at| parts[*at].is_file(folder, file)));
    for run in history.runs.iter().chain(history.undone.iter().map(|undone| &undone.run)) {
        files(run, |file| is_chosen(&run.folder, file))?;
    }
    archive(ledger, &history)?;
    let mut tariffs = Tariffs { ledger, known: HashMap::new() };
    for (number, run) in history.runs.iter().enumerate() {
        let own: Vec<&Part<'_>> = (0..)
            .zip(&parts)
            .filter(|(at, part)| part.run_number == number && chosen.as_ref().is_none_or(|chosen| chosen.contains(at)))
            .map(|(_, part)| part)
            .collect();
        prove_run(&history, run, &own, &mut tariffs, sample.is_none(), &mut proof)?;
    }
    if sample.is_none() {
        every_id_once(&history)?;
    }
    Ok(proof)
}

fn wrong(path: &Path, what: impl std::fmt::Display) -> LedgerError {
    FileError::new(path, what.to_string()).hint(RESTORE).into()
}

// ---- the balance, from the manifests ----------------------------------------------------------------------------

fn plus(a: ManifestCount, b: ManifestCount) -> ManifestCount {
    ManifestCount { records: a.records.saturating_add(b.records), seconds: a.seconds.saturating_add(b.seconds) }
}

fn count(manifest: &Manifest, name: &str) -> ManifestCount {
    manifest.counts.get(name).copied().unwrap_or_default()
}

fn counts(manifest: &Manifest, names: &[&str]) -> ManifestCount {
    names.iter().map(|name| count(manifest, name)).fold(ManifestCount::default(), plus)
}

/// Records and seconds are conserved, run by run and in all; what waited after a run is what the next one opened with.
fn balance(history: &History) -> Result<(), LedgerError> {
    const ENDS: [&str; 5] = ["rated", "free", "duplicate", "ignored", "closed"];
    let (mut read, mut ended, mut waiting) = (ManifestCount::default(), ManifestCount::default(), ManifestCount::default());
    for run in &history.runs {
        let m = &run.manifest;
        let path = run.folder.join(FILE_NAME);
        let (inward, outward) = (counts(m, &["read", "retried"]), plus(counts(m, &ENDS), count(m, "suspended")));
        if inward != outward {
            return Err(wrong(&path, format!("{inward:?} came in, {outward:?} came out")));
        }
        if !m.suspense.balances() || m.suspense.opening != waiting || m.suspense.opening != count(m, "retried") {
            return Err(wrong(&path, format!("suspense does not balance: {waiting:?} waited, the run says {:?}", m.suspense)));
        }
        if m.suspense.closing != count(m, "suspended") || m.suspense.closed != count(m, "closed") {
            return Err(wrong(&path, format!("suspense {:?} is not what the counts say: {:?}", m.suspense, m.counts)));
        }
        waiting = m.suspense.closing;
        (read, ended) = (plus(read, count(m, "read")), plus(ended, counts(m, &ENDS)));
        if read != plus(ended, waiting) {
            return Err(wrong(&path, format!("up to this run {read:?} were read; {ended:?} ended and {waiting:?} wait")));
        }
    }
    Ok(())
}

// ---- files ------------------------------------------------------------------------------------------------------

/// Every file of the manifest is there as it was written, and no other.
fn files(run: &Run, chosen: impl Fn(&str) -> bool + Sync) -> Result<(), LedgerError> {
    let wrong_file = |file: &super::manifest::StoredFile| {
        let path = run.folder.join(&file.path);
        if !chosen(&file.path) {
            let there = std::fs::metadata(&path).is_ok_and(|meta| meta.len() == file.bytes);
            return (!there).then(|| wrong(&path, format!("is not there with {} bytes", file.bytes)));
        }
        run.check_stored(file).err().map(LedgerError::from)
    };
    if let Some(error) = run.manifest.files.par_iter().find_map_first(wrong_file) {
        return Err(error);
    }
    let known: HashSet<PathBuf> = run.manifest.files.iter().map(|file| run.folder.join(&file.path)).collect();
    let stray = |path: &Path| !known.contains(path) && path != run.folder.join(FILE_NAME);
    match all_files(&run.folder)?.into_iter().find(|path| stray(path)) {
        Some(path) => Err(wrong(&path, "the run does not know this file")),
        None => Ok(()),
    }
}

/// All files below a folder, sorted.
fn all_files(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
    let (mut folders, mut found) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        let fail = |e: std::io::Error| FileError::new(&folder, format!("cannot be read: {e}"));
        for entry in std::fs::read_dir(&folder).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    Ok(found)
}

/// What the runs used is in the archive, and everything there has the hash that is its name.
fn archive(ledger: &Ledger, history: &History) -> Result<(), LedgerError> {
    let folder = ledger.archive_folder();
    for run in history.runs.iter().chain(history.undone.iter().map(|undone| &undone.run)) {
        let m = &run.manifest;
        for hash in [&m.decks_hash, &m.trunks_hash, &m.accounts_hash].into_iter().flatten() {
            if !folder.join(hash).is_dir() {
                return Err(wrong(&folder.join(hash), format!("is missing; run {} was rated with it", m.run_id)));
            }
        }
    }
    for kept in sub_folders(&folder)? {
        let name = kept.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let lists = ["trunks.json", "accounts.csv"].map(|list| kept.join(list));
        let list = lists.iter().find(|path| path.is_file());
        let expected = if let Some(path) = list {
            (path.clone(), 1, read::hash_file(path)?.1)
        } else {
            let (files, hash) = decks::archived_files(&kept)?;
            (kept.clone(), files.len(), hash)
        };
        if expected.2 != name {
            return Err(wrong(&expected.0, format!("is not as it was used: BLAKE3 {}, expected {name}", expected.2)));
        }
        if all_files(&kept)?.len() != expected.1 {
            return Err(wrong(&kept, "holds a file that was not archived"));
        }
    }
    Ok(())
}

// ---- the parts: a run's calls of one day, and their legs --------------------------------------------------------

/// The calls of a run that started on one day.
struct Part<'a> {
    run_number: usize,
    run: &'a Run,
    day: i64,
    rows: u64,
}

impl Part<'_> {
    fn path(&self, dataset: Dataset) -> PathBuf {
        self.run.file_of_day(dataset, self.day)
    }

    fn is_file(&self, folder: &Path, file: &str) -> bool {
        let date = format!("/date={}/", time::date_text(self.day * DAY));
        self.run.folder == folder && (file.starts_with("legs/") || file.starts_with("calls/")) && file.contains(&date)
    }
}

fn parts_of(run_number: usize, run: &Run) -> Vec<Part<'_>> {
    let files = run.manifest.files.iter().filter(|file| file.path.starts_with("calls/"));
    files
        .filter_map(|file| {
            let day = day_of_file(&run.folder.join(&file.path))?;
            Some(Part { run_number, run, day, rows: file.rows })
        })
        .collect()
}

/// Parts with about so many calls together, spread over the ledger as their names' hashes fall.
fn choose(parts: &[Part<'_>], calls: u64) -> BTreeSet<usize> {
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|at| blake3::hash(parts[*at].path(Dataset::Calls).to_string_lossy().as_bytes()).to_hex().to_string());
    let mut sum = 0;
    let enough = |at: &usize| {
        let open = sum < calls;
        sum += parts[*at].rows;
        open
    };
    order.into_iter().take_while(enough).collect()
}

/// What the parts of a run add up to.
#[derive(Default)]
struct Sums {
    calls: u64,
    legs: u64,
    classes: BTreeMap<String, ManifestCount>,
    amount: BTreeMap<String, i128>,
    ids: Vec<(Sid, i32, u32)>,
}

impl Sums {
    fn merge(&mut self, other: Self) {
        self.calls += other.calls;
        self.legs += other.legs;
        for (class, count) in other.classes {
            let sum = self.classes.entry(class).or_default();
            *sum = plus(*sum, count);
        }
        for (currency, amount) in other.amount {
            *self.amount.entry(currency).or_default() += amount;
        }
        self.ids.extend(other.ids);
    }
}

fn prove_run(
    history: &History,
    run: &Run,
    parts: &[&Part<'_>],
    tariffs: &mut Tariffs<'_>,
    whole: bool,
    proof: &mut Proof,
) -> Result<(), LedgerError> {
    if !parts.is_empty() {
        let roots = Roots::of_run(history, run, parts)?;
        let tariff = tariffs.of(run)?;
        let mut sums = Sums::default();
        for proved in parts.par_iter().map(|part| prove_part(part, tariff, &roots)).collect::<Vec<_>>() {
            sums.merge(proved?);
        }
        proof.calls += sums.calls;
        proof.legs += sums.legs;
        if whole {
            check_sums(run, &sums)?;
            check_ids(run, sums.ids)?;
        }
    } else if whole && (run.manifest.legs != 0 || count(&run.manifest, "rated").records != 0) {
        return Err(wrong(&run.folder.join(FILE_NAME), "says that calls were rated, and has none"));
    }
    if whole {
        for (currency, amount) in &run.manifest.amount {
            let units = decimal_units(amount).ok_or_else(|| wrong(&run.folder.join(FILE_NAME), format!("{amount} is no sum")))?;
            *proof.amount.entry(currency.clone()).or_default() += units;
        }
        check_suspense(run)?;
    }
    Ok(())
}

fn decimal_units(text: &str) -> Option<i128> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{decimals:0<width$}", width = AMOUNT_DECIMALS as usize);
    digits.parse().ok()
}

fn check_sums(run: &Run, sums: &Sums) -> Result<(), LedgerError> {
    let path = run.folder.join(FILE_NAME);
    let amount: BTreeMap<String, String> =
        sums.amount.iter().map(|(currency, sum)| (currency.clone(), decimal_text(*sum, AMOUNT_DECIMALS, 5))).collect();
    if amount != run.manifest.amount || sums.legs != run.manifest.legs {
        let (legs, stated) = (run.manifest.legs, &run.manifest.amount);
        return Err(wrong(&path, format!("the legs are {}, {amount:?}; it says {legs}, {stated:?}", sums.legs)));
    }
    for class in ["rated", "free"] {
        let (found, stated) = (sums.classes.get(class).copied().unwrap_or_default(), count(&run.manifest, class));
        if found != stated {
            return Err(wrong(&path, format!("the {class} calls are {found:?}; it says {stated:?}")));
        }
    }
    Ok(())
}

/// The ids of a run are those of its log, each with its place.
fn check_ids(run: &Run, mut found: Vec<(Sid, i32, u32)>) -> Result<(), LedgerError> {
    found.sort_unstable();
    let mut stored = Vec::with_capacity(found.len());
    for path in run.files(Dataset::Ids) {
        let mut file = IdFile::open(&path)?;
        for range in file.ranges() {
            stored.extend(file.rows(range)?.into_iter().filter_map(|id| id.place.map(|(day, row)| (id.sid, day, row))));
        }
    }
    if stored == found {
        return Ok(());
    }
    Err(wrong(&run.folder.join(Dataset::Ids.as_str()), "the ids are not those of the run's call log"))
}

/// Waiting and closed records are as many as the manifest says, with as many seconds.
fn check_suspense(run: &Run) -> Result<(), LedgerError> {
    for (dataset, stated) in [(Dataset::Suspense, run.manifest.suspense.closing), (Dataset::Closed, run.manifest.suspense.closed)]
    {
        let rows: Vec<SuspenseRow> = read::suspense_of(run, dataset)?;
        let seconds = rows.iter().map(|row| u64::from(row.seconds)).sum();
        let found = ManifestCount { records: rows.len() as u64, seconds };
        if found != stated {
            let path = run.folder.join(dataset.as_str());
            return Err(wrong(&path, format!("holds {found:?}; the manifest says {stated:?}")));
        }
    }
    Ok(())
}

// ---- legs -------------------------------------------------------------------------------------------------------

/// The decks and lists of the archive, each read once.
struct Tariffs<'a> {
    ledger: &'a Ledger,
    known: HashMap<String, Tariff>,
}

impl Tariffs<'_> {
    fn of(&mut self, run: &Run) -> Result<&Tariff, LedgerError> {
        let m = &run.manifest;
        let setting = |name: &str| m.policy.get(name).map(String::as_str).unwrap_or_default();
        let (decimals, rounding) = (setting("money.leg_decimals"), setting("money.leg_rounding"));
        let own_name = m.decks.first().map(|deck| deck.folder.as_str()).unwrap_or_default();
        let decks = m.decks_hash.as_deref().unwrap_or_default();
        let key = format!("{decks} {:?} {own_name} {decimals} {rounding}", m.accounts_hash);
        if !self.known.contains_key(&key) {
            let folder = self.ledger.archive_folder().join(decks);
            let (files, _) = decks::archived_files(&folder)?;
            let accounts = m.accounts_hash.as_ref().map(|hash| self.ledger.archive_folder().join(hash).join("accounts.csv"));
            let accounts = accounts.map(|path| read_text(&path)).transpose()?;
            let digits = decimals.parse().map_err(|_| wrong(&run.folder.join(FILE_NAME), "does not say how legs are rounded"))?;
            let tariff = Tariff::load(&files, own_name, accounts.as_deref(), digits, rounding);
            self.known.insert(key.clone(), tariff.map_err(|e| wrong(&folder, e))?);
        }
        Ok(&self.known[&key])
    }
}

/// What the log says of the roots of a run's children.
struct Roots(HashMap<Sid, [String; 4]>);

const ROOT_TEXTS: [&str; 4] = ["account_sid", "scenario", "from", "to"];

impl Roots {
    /// Looked for in the run itself, and then in the runs that it stands on.
    fn of_run(history: &History, run: &Run, parts: &[&Part<'_>]) -> Result<Self, LedgerError> {
        let mut wanted: Vec<Sid> = Vec::new();
        for part in parts {
            let frame = frame(&part.path(Dataset::Calls), &["parent_call_sid"])?;
            wanted.extend(text(&frame, "parent_call_sid").iter().flatten().map(|sid| Sid::of(sid).0));
        }
        wanted.par_sort_unstable();
        wanted.dedup();
        let mut roots = HashMap::new();
        let earlier = history.runs.iter().filter(|other| run.manifest.stands_on.contains(&other.manifest.run_id));
        for run in std::iter::once(run).chain(earlier) {
            if wanted.is_empty() {
                break;
            }
            let mut by_day: BTreeMap<i32, Vec<(u32, Sid)>> = BTreeMap::new();
            for id in known::ids_in(run, &wanted)? {
                if let Some((day, row)) = id.place {
                    by_day.entry(day).or_default().push((row, id.sid));
                }
            }
            for (day, rows) in by_day {
                let frame = frame(&run.file_of_day(Dataset::Calls, i64::from(day)), &ROOT_TEXTS)?;
                let columns = ROOT_TEXTS.map(|name| text(&frame, name));
                for (row, sid) in rows.into_iter().filter(|(row, _)| (*row as usize) < frame.height()) {
                    roots.insert(sid, columns.map(|column| column.get(row as usize).unwrap_or_default().to_owned()));
                }
            }
            wanted.retain(|sid| !roots.contains_key(sid));
        }
        Ok(Self(roots))
    }

    fn get(&self, sid: &str) -> Option<Root<'_>> {
        let [account_sid, scenario, from, to] = self.0.get(&Sid::of(sid).0)?;
        Some(Root { account_sid, scenario, from, to })
    }
}

/// Text columns of a frame by name.
struct Texts<'a, const N: usize>([&'a StringChunked; N]);

impl<'a, const N: usize> Texts<'a, N> {
    fn of(frame: &'a DataFrame, names: [&str; N]) -> Self {
        Self(names.map(|name| text(frame, name)))
    }

    fn row(&self, row: usize) -> [&'a str; N] {
        self.0.map(|column| column.get(row).unwrap_or_default())
    }
}

const CALL_TEXTS: [&str; 11] =
    ["call_sid", "parent_call_sid", "account_sid", "trunk_sid", "role", "scenario", "from", "to", "status", "class", "currency"];
const LEG_TEXTS: [&str; 17] = [
    "call_sid",
    "parent_call_sid",
    "account_sid",
    "trunk_sid",
    "scenario",
    "service",
    "leg_from",
    "leg_to",
    "rated_number",
    "origin_number",
    "destination_prefix",
    "origin_prefix",
    "description",
    "deck",
    "deck_file",
    "currency",
    "run_id",
];

/// The legs of a part, in the order of its calls.
struct Legs<'a> {
    texts: Texts<'a, 17>,
    numbers: [Vec<Option<i64>>; 5],
    money: [Vec<Option<i128>>; 3],
    rows: usize,
}

impl<'a> Legs<'a> {
    fn of(frame: &'a DataFrame) -> Self {
        Self {
            texts: Texts::of(frame, LEG_TEXTS),
            numbers: ["leg", "deck_line", "start_time", "duration_seconds", "billed_seconds"].map(|name| longs(frame, name)),
            money: ["price_per_minute", "connection_fee", "amount"].map(|name| units(frame, name)),
            rows: frame.height(),
        }
    }

    /// A leg, and its call's id, its trunk and its run.
    fn row(&self, row: usize) -> (Leg<'a>, [&'a str; 3]) {
        let [
            call_sid,
            parent_call_sid,
            account_sid,
            trunk_sid,
            scenario,
            service,
            leg_from,
            leg_to,
            rated_number,
            origin_number,
            destination_prefix,
            origin_prefix,
            description,
            deck,
            deck_file,
            currency,
            run_id,
        ] = self.texts.row(row);
        let [leg, deck_line, start, duration, billed] =
            [0, 1, 2, 3, 4].map(|at: usize| self.numbers[at][row].unwrap_or(i64::MIN));
        let [price, fee, amount] = [0, 1, 2].map(|at: usize| self.money[at][row].unwrap_or(i128::from(i64::MIN)));
        let leg = Leg {
            leg,
            service,
            leg_from,
            leg_to,
            rated_number,
            origin_number,
            scenario,
            parent_call_sid,
            account_sid,
            destination_prefix,
            origin_prefix,
            description,
            deck,
            deck_file,
            currency,
            deck_line,
            start,
            duration,
            billed,
            price,
            fee,
            amount,
        };
        (leg, [call_sid, trunk_sid, run_id])
    }
}

/// Recomputes the legs of all calls of a part. Both files are in one order, so one walk pairs them.
fn prove_part(part: &Part<'_>, tariff: &Tariff, roots: &Roots) -> Result<Sums, LedgerError> {
    let (calls_path, legs_path) = (part.path(Dataset::Calls), part.path(Dataset::Legs));
    let calls = frame(&calls_path, &[&CALL_TEXTS[..], &["start_time", "duration_seconds", "amount"]].concat())?;
    let legs = frame(&legs_path, &[])?;
    let texts = Texts::of(&calls, CALL_TEXTS);
    let (start, duration, amount) = (longs(&calls, "start_time"), longs(&calls, "duration_seconds"), units(&calls, "amount"));
    let legs = Legs::of(&legs);
    let mut sums = Sums { calls: calls.height() as u64, legs: legs.rows as u64, ..Sums::default() };
    let day = i32::try_from(part.day).unwrap_or_default();
    let (mut at, mut own) = (0, Vec::with_capacity(2));
    for row in 0..calls.height() {
        let [
            call_sid,
            parent_call_sid,
            account_sid,
            trunk_sid,
            role,
            scenario,
            from,
            to,
            status,
            class,
            currency,
            direction,
            run,
        ] = texts.row(row);
        let side = match scenario {
            "termination" => Some("trunking-terminating"),
            "origination" => Some("trunking-originating"),
            _ => None,
        };
        if run != part.run.manifest.run_id || side.is_some_and(|side| side != direction) {
            return Err(wrong(&calls_path, format!("call {call_sid}: its run is {run:?}, its direction {direction:?}")));
        }
        own.clear();
        while at < legs.rows {
            let (leg, [sid, trunk, run_id]) = legs.row(at);
            if sid != call_sid {
                break;
            }
            if trunk != trunk_sid || run_id != part.run.manifest.run_id {
                return Err(wrong(&legs_path, format!("call {call_sid}: the leg has trunk {trunk:?} and run {run_id:?}")));
            }
            own.push(leg);
            at += 1;
        }
        let start = start[row].unwrap_or(i64::MIN);
        let seconds = duration[row].unwrap_or(-1);
        let call = Call {
            call_sid,
            parent_call_sid,
            account_sid,
            role,
            scenario,
            from,
            to,
            status,
            class,
            currency,
            start,
            duration: seconds,
            amount: amount[row].unwrap_or(i128::from(i64::MIN)),
        };
        let root = if parent_call_sid.is_empty() { None } else { roots.get(parent_call_sid) };
        if let Err(difference) = tariff.check(&call, root.as_ref(), &own) {
            let path = if difference.leg.is_some() { &legs_path } else { &calls_path };
            return Err(wrong(path, format!("call {call_sid}: {difference}")));
        }
        if time::day(start) != part.day {
            return Err(wrong(&calls_path, format!("call {call_sid} starts on another day")));
        }
        let count = ManifestCount { records: 1, seconds: u64::try_from(seconds).unwrap_or_default() };
        add_to(&mut sums, class, currency, count, &own);
        sums.ids.push((Sid::of(call_sid).0, day, u32::try_from(row).unwrap_or(u32::MAX)));
    }
    if at < legs.rows {
        let [sid, ..] = legs.texts.row(at);
        return Err(wrong(&legs_path, format!("has a leg of {sid}, which is not at its place in the call log")));
    }
    Ok(sums)
}

fn add_to(sums: &mut Sums, class: &str, currency: &str, count: ManifestCount, legs: &[Leg<'_>]) {
    if let Some(sum) = sums.classes.get_mut(class) {
        *sum = plus(*sum, count);
    } else {
        sums.classes.insert(class.to_owned(), count);
    }
    if legs.is_empty() {
        return;
    }
    let amount: i128 = legs.iter().map(|leg| leg.amount).sum();
    match sums.amount.get_mut(currency) {
        Some(sum) => *sum += amount,
        None => _ = sums.amount.insert(currency.to_owned(), amount),
    }
}

// ---- ids over all runs ------------------------------------------------------------------------------------------

/// No call is booked twice. The sorted ids of all runs are merged, a slice of each in memory.
fn every_id_once(history: &History) -> Result<(), LedgerError> {
    let mut cursors: Vec<Cursor> = Vec::new();
    for run in &history.runs {
        for path in run.files(Dataset::Ids) {
            cursors.push(Cursor::open(&path)?);
        }
    }
    let mut heap = BinaryHeap::new();
    for (number, cursor) in cursors.iter_mut().enumerate() {
        heap.extend(cursor.next()?.map(|sid| Reverse((sid, number))));
    }
    let mut last: Option<(Sid, usize)> = None;
    while let Some(Reverse((sid, number))) = heap.pop() {
        if let Some((_, other)) = last.filter(|(before, _)| *before == sid) {
            let (a, b) = (cursors[other].file.path.display(), cursors[number].file.path.display());
            return Err(wrong(&cursors[number].file.path, format!("a call is booked twice, in {a} and {b}")));
        }
        last = Some((sid, number));
        heap.extend(cursors[number].next()?.map(|sid| Reverse((sid, number))));
    }
    Ok(())
}

/// The booked ids of a file, a range at a time.
struct Cursor {
    file: IdFile,
    slice: std::vec::IntoIter<Sid>,
    ranges: Box<dyn Iterator<Item = Range<u64>>>,
}

impl Cursor {
    fn open(path: &Path) -> Result<Self, FileError> {
        let file = IdFile::open(path)?;
        let ranges = Box::new(file.ranges());
        Ok(Self { file, slice: Vec::new().into_iter(), ranges })
    }

    fn next(&mut self) -> Result<Option<Sid>, FileError> {
        loop {
            if let Some(sid) = self.slice.next() {
                return Ok(Some(sid));
            }
            let Some(range) = self.ranges.next() else { return Ok(None) };
            let booked = self.file.rows(range)?.into_iter().filter(|id| id.place.is_some()).map(|id| id.sid);
            self.slice = booked.collect::<Vec<_>>().into_iter();
        }
    }
}
