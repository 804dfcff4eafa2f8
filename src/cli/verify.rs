//! `verify`: proves the conservation laws over the whole ledger, from the stored files alone.

use super::args::VerifyArgs;
use super::error::CliError;
use super::run::existing;
use super::term::{self, grouped};
use crate::io::decks;
use crate::io::ledger::manifest::Manifest;
use crate::io::ledger::read::{self, text, units};
use crate::io::ledger::{Dataset, Ledger, Run, catalog};
use crate::money::{AMOUNT_DECIMALS, decimal_text};
use crate::scenario::Scenario;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Checks every run, and the ledger as a whole. The first thing that is wrong ends it.
pub fn run(args: &VerifyArgs) -> Result<(), CliError> {
    let ledger = existing(&args.ledger)?;
    let runs = ledger.runs()?;
    catalog::check(&ledger, &runs)?;
    let mut seen: HashSet<String> = HashSet::new();
    let (mut calls, mut legs) = (0, 0);
    for (place, run) in runs.iter().enumerate() {
        suspense_goes_on(place.checked_sub(1).map(|p| &runs[p].manifest), run)?;
        files(run)?;
        archive(&ledger, run)?;
        conservation(run)?;
        let (run_calls, run_legs) = legs_and_calls(run, &mut seen)?;
        calls += run_calls;
        legs += run_legs;
    }
    term::print(&format!("good: {} runs, {} calls, {} legs; every law holds\n", runs.len(), grouped(calls), grouped(legs)))?;
    Ok(())
}

fn wrong(path: &Path, what: impl std::fmt::Display) -> CliError {
    CliError::failed(format!("{}: {what}", path.display()))
        .hint("the ledger was changed after it was written, or this is a bug; restore it from a copy")
}

/// What waited after one run was taken up by the next. (That no run is missing was checked when they were listed.)
fn suspense_goes_on(before: Option<&Manifest>, run: &Run) -> Result<(), CliError> {
    let waiting = before.map_or(0, |before| before.records("suspended"));
    if run.manifest.records("retried") == waiting {
        return Ok(());
    }
    Err(wrong(&run.folder, format!("{waiting} records waited, it took up {}", run.manifest.records("retried"))))
}

/// Every file of the manifest is there as it was written, and no other.
fn files(run: &Run) -> Result<(), CliError> {
    for file in &run.manifest.files {
        let path = run.folder.join(&file.path);
        let (bytes, hash) = hash(&path)?;
        if bytes != file.bytes || hash != file.blake3 {
            return Err(wrong(
                &path,
                format!(
                    "it is not as it was written: {bytes} bytes, BLAKE3 {hash}; expected {} bytes, {}",
                    file.bytes, file.blake3
                ),
            ));
        }
    }
    let known: HashSet<PathBuf> = run.manifest.files.iter().map(|file| run.folder.join(&file.path)).collect();
    let mut folders = vec![run.folder.clone()];
    while let Some(folder) = folders.pop() {
        let fail = |e: std::io::Error| wrong(&folder, format!("cannot be read: {e}"));
        for entry in std::fs::read_dir(&folder).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            if path.is_dir() {
                folders.push(path);
            } else if !known.contains(&path) && path != run.folder.join(crate::io::ledger::manifest::FILE_NAME) {
                return Err(wrong(&path, "the run does not know this file"));
            }
        }
    }
    Ok(())
}

/// The decks and lists that the run used are there as they were.
fn archive(ledger: &Ledger, run: &Run) -> Result<(), CliError> {
    let m = &run.manifest;
    let folder = ledger.archive_folder();
    let decks = folder.join(&m.decks_hash);
    if decks::archived(&decks, "").map_err(|e| wrong(&e.path.clone(), e))?.hash != m.decks_hash {
        return Err(wrong(&decks, "the decks are not as they were used"));
    }
    for (hash_, name) in [(&m.trunks_hash, "trunks.json"), (&m.accounts_hash, "accounts.csv")] {
        let Some(expected) = hash_ else { continue };
        let path = folder.join(expected).join(name);
        if hash(&path)?.1 != *expected {
            return Err(wrong(&path, "it is not as it was used"));
        }
    }
    Ok(())
}

fn hash(path: &Path) -> Result<(u64, String), CliError> {
    let fail = |e: std::io::Error| wrong(path, format!("cannot be read: {e}"));
    let mut file = std::fs::File::open(path).map_err(fail)?;
    let (mut hasher, mut buffer, mut bytes) = (blake3::Hasher::new(), vec![0; 1 << 20], 0);
    loop {
        match file.read(&mut buffer).map_err(fail)? {
            0 => return Ok((bytes, hasher.finalize().to_hex().to_string())),
            count => {
                hasher.update(&buffer[..count]);
                bytes += count as u64;
            }
        }
    }
}

/// read + retried = rated + free + duplicate + ignored + suspended, in records and in seconds.
fn conservation(run: &Run) -> Result<(), CliError> {
    let count = |name: &str| run.manifest.counts.get(name).map_or((0, 0), |c| (c.records, c.seconds));
    let add = |names: &[&str]| names.iter().map(|name| count(name)).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    let (inward, outward) = (add(&["read", "retried"]), add(&["rated", "free", "duplicate", "ignored", "suspended"]));
    if inward == outward {
        return Ok(());
    }
    Err(wrong(&run.folder, format!("{inward:?} records and seconds came in, {outward:?} came out")))
}

/// Every rated call has the legs of its scenario and their sum, no other call has any, and no call is there twice.
fn legs_and_calls(run: &Run, seen: &mut HashSet<String>) -> Result<(u64, u64), CliError> {
    let mut legs: HashMap<String, (Vec<i128>, i128)> = HashMap::new();
    let mut sums: BTreeMap<String, i128> = BTreeMap::new();
    let mut leg_count = 0;
    for path in run.files(Dataset::Legs) {
        let frame = read::frame(&path, &["call_sid", "leg", "amount", "currency"])?;
        let (numbers, amounts) = (units(&frame, "leg"), units(&frame, "amount"));
        let currencies = text(&frame, "currency");
        for (at, sid) in text(&frame, "call_sid").iter().enumerate() {
            let entry = legs.entry(sid.unwrap_or_default().to_owned()).or_default();
            entry.0.push(numbers[at].unwrap_or_default());
            entry.1 += amounts[at].unwrap_or_default();
            *sums.entry(currencies.get(at).unwrap_or_default().to_owned()).or_default() += amounts[at].unwrap_or_default();
            leg_count += 1;
        }
    }
    let mut call_count = 0;
    for path in run.files(Dataset::Calls) {
        let frame = read::frame(&path, &["call_sid", "scenario", "class", "amount"])?;
        let [sids, scenarios, classes] = ["call_sid", "scenario", "class"].map(|name| text(&frame, name));
        let amounts = units(&frame, "amount");
        for (at, booked) in amounts.iter().enumerate() {
            let sid = sids.get(at).unwrap_or_default();
            if !seen.insert(sid.to_owned()) {
                return Err(wrong(&path, format!("the call {sid} is booked twice")));
            }
            let (numbers, amount) = legs.remove(sid).unwrap_or_default();
            let expected = match (classes.get(at), scenarios.get(at).and_then(Scenario::parse)) {
                (Some("rated"), Some(scenario)) => i128::try_from(crate::rating::cells(scenario).1).unwrap_or_default(),
                (Some("free"), Some(_)) => 0,
                _ => return Err(wrong(&path, format!("the call {sid} has no class or no scenario"))),
            };
            if !numbers.iter().copied().eq(1..=expected) {
                return Err(wrong(&path, format!("the call {sid} has the legs {numbers:?}, its scenario bills {expected}")));
            }
            if *booked != Some(amount) {
                return Err(wrong(&path, format!("the call {sid} is not the sum of its legs")));
            }
            call_count += 1;
        }
    }
    if let Some(sid) = legs.keys().min() {
        return Err(wrong(&run.folder, format!("the call {sid} has legs, but is not in the log")));
    }
    let sums: BTreeMap<String, String> =
        sums.into_iter().map(|(currency, sum)| (currency, decimal_text(sum, AMOUNT_DECIMALS, 5))).collect();
    if sums != run.manifest.amount || leg_count != run.manifest.legs {
        return Err(wrong(
            &run.folder,
            format!("the legs are {leg_count}, {sums:?}; the manifest says {}, {:?}", run.manifest.legs, run.manifest.amount),
        ));
    }
    let waiting: u64 = run
        .files(Dataset::Suspense)
        .iter()
        .map(|path| read::frame(path, &["reason"]).map(|f| f.height() as u64))
        .sum::<Result<_, _>>()?;
    if waiting != run.manifest.records("suspended") {
        return Err(wrong(
            &run.folder,
            format!("{waiting} records wait, the manifest says {}", run.manifest.records("suspended")),
        ));
    }
    Ok((call_count, leg_count))
}
