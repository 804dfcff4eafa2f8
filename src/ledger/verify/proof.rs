//! The proof: statement after statement, run after run.

use super::part::{DayPart, Sums, wrong};
use super::{files, ids, invoices, legs, replaced, rerated};
use crate::inputs::file::FileError;
use crate::ledger::error::LedgerError;
use crate::ledger::history::History;
use crate::ledger::index::{catalog, volumes};
use crate::ledger::manifest::{FILE_NAME, Manifest, ManifestCount, RunKind};
use crate::ledger::place::day_of_file;
use crate::ledger::place::{Dataset, Ledger};
use crate::ledger::run::Run;
use crate::ledger::tables::file;
use crate::ledger::tables::read;
use crate::ledger::tables::suspense::NO_DIRECTION;
use crate::money::{AMOUNT_DECIMALS, decimal_text};
use crate::time;
use legs::{Roots, Tariffs, prove_part};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The result of a proof.
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
    /// Suspended records.
    pub waiting: u64,
    /// Invoices and credit notes.
    pub documents: u64,
    /// The sum of all legs by currency, if all were recomputed.
    pub amount: BTreeMap<String, i128>,
    /// Findings that are no errors, but worth knowing.
    pub notes: Vec<String>,
    /// The head of the ledger ([`History::head`]).
    pub head: String,
}

/// Proves a ledger. With `sample`, only the files and legs of about as many calls; with `since`,
/// also that the ledger has everything that it had at this head.
///
/// # Errors
/// The first error and its place; or that a run was undone while it was proved.
pub fn prove(
    ledger: &Ledger,
    sample: Option<u64>,
    since: Option<&str>,
) -> Result<Proof, LedgerError> {
    let mut catalog = catalog::Stored::read(ledger)?;
    loop {
        let history = ledger.history_of_runs()?;
        if let Some(head) = since {
            history.has_head(ledger, head)?;
        }
        let error = match prove_history(ledger, &catalog, &history, sample) {
            Ok(proof) => return Ok(proof),
            Err(error) => undone_meanwhile(ledger, &history).unwrap_or(error),
        };
        // Another process may have written between the two reads.
        let now = catalog::Stored::read(ledger)?;
        if now == catalog {
            return Err(error);
        }
        catalog = now;
    }
}

/// A run that was undone since a history was read, if there is one: the missing or changed files
/// were its own.
fn undone_meanwhile(ledger: &Ledger, before: &History) -> Option<LedgerError> {
    let now = ledger.history().ok()?;
    let undone = now.undone.get(before.undone.len())?;
    let folder = ledger.runs_folder().join(&undone.run.manifest.run_id);
    Some(FileError::new(&folder, "is gone: its run was undone meanwhile").hint("try again").into())
}

fn prove_history(
    ledger: &Ledger,
    catalog: &catalog::Stored,
    history: &History,
    sample: Option<u64>,
) -> Result<Proof, LedgerError> {
    let (runs, undone, head) = (history.runs.len(), history.undone.len(), history.head());
    let mut proof = Proof { runs, undone, head, ..Proof::default() };
    proof.notes.extend(catalog.verify(history)?);
    balance(history)?;
    for run in &history.runs {
        let known = |id: &String| {
            history.manifests().any(|m| m.run_id == *id && m.sequence < run.manifest.sequence)
        };
        if let Some(other) = run.manifest.stands_on.iter().find(|id| !known(id)) {
            return Err(wrong(
                &run.folder.join(FILE_NAME),
                format!("says that it stands on {other}, which is no earlier run"),
            ));
        }
        files::are_of_a_run(run)?;
    }
    let parts: Vec<DayPart<'_>> =
        history.runs.iter().enumerate().flat_map(|(number, run)| parts_of(number, run)).collect();
    proof.all_calls = parts.iter().map(|part| part.rows).sum();
    proof.waiting = history.last().map_or(0, |last| last.suspense.closing.records);
    let chosen = sample.map(|calls| choose(&parts, calls));
    files::no_strays(ledger)?;
    let is_chosen = |folder: &Path, file: &str| {
        chosen
            .as_ref()
            .is_none_or(|chosen| chosen.iter().any(|at| parts[*at].is_file(folder, file)))
    };
    for run in history.all_runs() {
        files::all_there(run, |file| is_chosen(&run.folder, file))?;
    }
    files::archive(ledger, history)?;
    volumes::verify(ledger, history)?;
    let mut tariffs = Tariffs::of_ledger(ledger);
    for (number, run) in history.runs.iter().enumerate() {
        let own: Vec<&DayPart<'_>> = (0..)
            .zip(&parts)
            .filter(|(at, part)| {
                part.run_number == number
                    && chosen.as_ref().is_none_or(|chosen| chosen.contains(at))
            })
            .map(|(_, part)| part)
            .collect();
        prove_run(history, run, &own, &mut tariffs, sample.is_none(), &mut proof)?;
    }
    if sample.is_none() {
        ids::each_once(history)?;
    }
    proof.documents = invoices::prove(history, sample.is_none())?;
    Ok(proof)
}

// ---- the balance, from the manifests ------------------------------------------------------------

fn count(manifest: &Manifest, name: &str) -> ManifestCount {
    of_class(&manifest.counts, name)
}

/// The count of a class; zero for one without records.
fn of_class(counts: &BTreeMap<String, ManifestCount>, name: &str) -> ManifestCount {
    counts.get(name).map_or_else(ManifestCount::default, |count| *count)
}

fn counts(manifest: &Manifest, names: &[&str]) -> ManifestCount {
    names
        .iter()
        .map(|name| count(manifest, name))
        .fold(ManifestCount::default(), ManifestCount::plus)
}

/// Checks that records and seconds are conserved, run by run and in all, and that each run opens
/// with the suspense that the run before closed with.
fn balance(history: &History) -> Result<(), LedgerError> {
    const ENDS: [&str; 5] = ["rated", "free", "duplicate", "ignored", "closed"];
    let (mut read, mut ended, mut waiting) =
        (ManifestCount::default(), ManifestCount::default(), ManifestCount::default());
    for run in &history.runs {
        let m = &run.manifest;
        let path = run.folder.join(FILE_NAME);
        let (inward, outward) =
            (counts(m, &["read", "retried"]), counts(m, &ENDS).plus(count(m, "suspended")));
        if inward != outward {
            return Err(wrong(&path, format!("{inward:?} came in, {outward:?} came out")));
        }
        if !m.suspense.balances()
            || m.suspense.opening != waiting
            || m.suspense.opening != count(m, "retried")
        {
            return Err(wrong(
                &path,
                format!(
                    "suspense does not balance: {waiting:?} waited, the run says {:?}",
                    m.suspense
                ),
            ));
        }
        if m.suspense.closing != count(m, "suspended") || m.suspense.closed != count(m, "closed") {
            return Err(wrong(
                &path,
                format!("suspense {:?} is not what the counts say: {:?}", m.suspense, m.counts),
            ));
        }
        let rows = m.inputs.iter().fold(0_u64, |sum, file| sum.saturating_add(file.rows));
        if rows != count(m, "read").records {
            return Err(wrong(
                &path,
                format!(
                    "its files had {rows} records; it says that {:?} were read",
                    count(m, "read")
                ),
            ));
        }
        let rerated = m.kind == RunKind::Rerate;
        let decided = rerated || matches!(m.kind, RunKind::Close | RunKind::Resolve | RunKind::Set);
        let reads = matches!(m.kind, RunKind::Run | RunKind::Import);
        if decided != m.reason.is_some()
            || !reads && !m.inputs.is_empty()
            || decided && !rerated && m.replaces.is_none() && !m.decks.is_empty()
            || rerated != m.rerates.is_some()
            || rerated && m.suspense.opening != m.suspense.closing
            || m.replaces.is_some() && m.kind != RunKind::Resolve
            || (m.kind == RunKind::Import) != m.imported.is_some()
            || (m.kind == RunKind::Set) == m.set_times.is_empty()
            || m.set_times.iter().any(|set| time::parse(&set.time, None).is_none())
        {
            return Err(wrong(
                &path,
                format!("says that it is a {}, and has what such a run has not", m.kind.as_str()),
            ));
        }
        waiting = m.suspense.closing;
        (read, ended) = (read.plus(count(m, "read")), ended.plus(counts(m, &ENDS)));
        if read != ended.plus(waiting) {
            return Err(wrong(
                &path,
                format!("up to this run {read:?} were read; {ended:?} ended and {waiting:?} wait"),
            ));
        }
    }
    Ok(())
}

// ---- the parts: a run's calls of one day, and their legs
// -----------------------------------------

fn parts_of(run_number: usize, run: &Run) -> Vec<DayPart<'_>> {
    let files = run.manifest.files.iter().filter(|file| file.path.starts_with("calls/"));
    files
        .filter_map(|file| {
            let day = day_of_file(&run.folder.join(&file.path))?;
            Some(DayPart { run_number, run, day, rows: file.rows })
        })
        .collect()
}

/// Chooses parts with about `calls` calls together, spread over the ledger by the hashes of their
/// names.
fn choose(parts: &[DayPart<'_>], calls: u64) -> BTreeSet<usize> {
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|at| {
        blake3::hash(parts[*at].path(Dataset::Calls).to_string_lossy().as_bytes())
            .to_hex()
            .to_string()
    });
    let mut sum = 0;
    let enough = |at: &usize| {
        let open = sum < calls;
        sum += parts[*at].rows;
        open
    };
    order.into_iter().take_while(enough).collect()
}

fn prove_run(
    history: &History,
    run: &Run,
    parts: &[&DayPart<'_>],
    tariffs: &mut Tariffs<'_>,
    whole: bool,
    proof: &mut Proof,
) -> Result<(), LedgerError> {
    let mut sums = Sums::default();
    if !parts.is_empty() {
        let roots = Roots::of_run(history, run, parts)?;
        let tariff = tariffs.of(run)?;
        for proved in
            parts.par_iter().map(|part| prove_part(part, tariff, &roots)).collect::<Vec<_>>()
        {
            sums.merge(proved?);
        }
    }
    proof.calls += sums.calls;
    proof.legs += sums.legs;
    if whole {
        replaced::prove(history, run, &mut sums)?;
        rerated::prove(history, run, &mut sums)?;
        check_sums(run, &sums)?;
        ids::are_of_the_log(run, sums.ids)?;
        ids::children_are_of_the_log(run, sums.children)?;
        for (currency, amount) in &run.manifest.amount {
            let units = decimal_units(amount)
                .ok_or_else(|| wrong(&run.folder.join(FILE_NAME), format!("{amount} is no sum")))?;
            *proof.amount.entry(currency.clone()).or_default() += units;
        }
        check_suspense(run)?;
        check_ignored(run)?;
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
    let amount: BTreeMap<String, String> = sums
        .amount
        .iter()
        .map(|(currency, sum)| (currency.clone(), decimal_text(*sum, AMOUNT_DECIMALS, 5)))
        .collect();
    if amount != run.manifest.amount || sums.legs != run.manifest.legs {
        let (legs, stated) = (run.manifest.legs, &run.manifest.amount);
        return Err(wrong(
            &path,
            format!("the legs are {}, {amount:?}; it says {legs}, {stated:?}", sums.legs),
        ));
    }
    // Calls that were rated again are no records that ended.
    let rerated = run.manifest.rerates.as_ref().map(|scope| scope.adjusted);
    for class in ["rated", "free"] {
        let (found, stated) = (of_class(&sums.classes, class), count(&run.manifest, class));
        let stated = rerated.filter(|_| class == "rated").unwrap_or(stated);
        if found != stated {
            return Err(wrong(
                &path,
                format!("the {class} calls are {found:?}; it says {stated:?}"),
            ));
        }
    }
    Ok(())
}

/// Checks that ignored records are stored, as many of each direction as the manifest says. A run
/// older than this dataset states none.
fn check_ignored(run: &Run) -> Result<(), LedgerError> {
    let stated = &run.manifest.ignored_by_direction;
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    run.check_files(Dataset::Ignored.as_str())?;
    for path in run.files(Dataset::Ignored) {
        file::each_group(&path, &["direction"], |ignored| {
            for direction in ignored.texts(["direction"]).column(0).iter() {
                *found.entry(direction.unwrap_or(NO_DIRECTION).to_owned()).or_default() += 1;
            }
            Ok::<_, LedgerError>(())
        })?;
    }
    let counted = count(&run.manifest, "ignored").records;
    let is_counted = stated.is_empty() || stated.values().sum::<u64>() == counted;
    if found == *stated && is_counted {
        return Ok(());
    }
    let path = run.folder.join(Dataset::Ignored.as_str());
    Err(wrong(
        &path,
        format!("holds {found:?}; the manifest says {stated:?}, and {counted} ignored in all"),
    ))
}

/// Checks that suspended and closed records are as many as the manifest says, with as many seconds;
/// suspended ones also by reason.
fn check_suspense(run: &Run) -> Result<(), LedgerError> {
    for (dataset, stated) in [
        (Dataset::Suspense, run.manifest.suspense.closing),
        (Dataset::Closed, run.manifest.suspense.closed),
    ] {
        let mut found = ManifestCount::default();
        let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
        read::each_suspended(run, dataset, |rows| {
            for row in rows {
                found = found.plus(ManifestCount { records: 1, seconds: row.seconds.into() });
                *reasons.entry(row.reason).or_default() += 1;
            }
            Ok::<(), LedgerError>(())
        })?;
        if found != stated {
            let path = run.folder.join(dataset.as_str());
            return Err(wrong(&path, format!("holds {found:?}; the manifest says {stated:?}")));
        }
        if dataset == Dataset::Suspense && reasons != run.manifest.suspended_by_reason {
            let path = run.folder.join(dataset.as_str());
            return Err(wrong(&path, format!("holds {reasons:?}; the manifest says otherwise")));
        }
    }
    Ok(())
}
