//! The record that a booked call was made of, found again: its call file, its line, its text.
//!
//! ```text
//! call ─▶ its run, its fingerprint ─┬─▶ the call files of that run, where they lie now ─▶ the record
//!                                   └─▶ suspense of the run before, if it waited there ─▶ the record, as the ledger keeps it
//! ```
//!
//! **Invariant:** a file proves something only if its hash is the one that was booked. One that
//! changed is read all the same, and is marked; one that is gone is named, with its hash.
//!
//! # Why it is looked for
//! Rows of the ledger name no file and no line: they would make each of them larger, for what is
//! asked of one call in a million. The run's manifest names its files, and a fingerprint of each
//! booked record stands beside its id.

use crate::disk::folder::is_there;
use crate::ingest::find::{SearchedFile, records_of};
use crate::ingest::source::CallPath;
use crate::inputs::record_text::RecordText;
use crate::ledger::index::earlier;
use crate::ledger::manifest::{InputFile, Manifest};
use crate::ledger::tables::read::each_suspended;
use crate::ledger::tables::suspense::SuspenseRow;
use crate::ledger::{Dataset, History, LedgerError};
use crate::partition::spill::Memory;
use crate::policy::Policy;
use std::path::{Path, PathBuf};

/// More bytes of call files than these are not read unasked: a million calls as CSV are 200 MB, and
/// take some tenths of a CPU second.
const UNASKED: u64 = 2 << 30;

/// The places where call files may lie now.
#[derive(Debug, Default)]
pub struct EvidencePlaces {
    /// Folders that their names may be relative to.
    pub folders: Vec<PathBuf>,
    /// Files that may be one of them, whatever they are called now.
    pub files: Vec<PathBuf>,
}

/// The record of a booked call, as far as it is left.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The run that booked the call.
    pub run_id: String,
    /// The record as the ledger keeps it, if it waited before it was booked.
    pub kept: Option<SuspenseRow>,
    /// The call files that it may stand in, in the order of their names. Those that are as they
    /// were booked and do not have it are left out.
    pub files: Vec<SourceFile>,
}

/// A call file of a run.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// The run that read it.
    pub run_id: String,
    /// Its entry in the manifest of that run.
    pub booked: InputFile,
    /// Its state now.
    pub state: FileState,
}

/// The state of a call file.
#[derive(Debug, Clone)]
pub enum FileState {
    /// It is as it was booked.
    AsBooked(PathBuf, Vec<SourceRecord>),
    /// It is there, and is another file than the one that was booked.
    Changed(PathBuf, String, Vec<SourceRecord>),
    /// It cannot be read, and why.
    Unreadable(String),
    /// It was not read: with the others it is more than is read unasked.
    Large,
    /// It is not there.
    Gone,
}

/// A record of the call in a call file.
#[derive(Debug, Clone)]
pub struct SourceRecord {
    /// Its text, with its line.
    pub text: RecordText,
    /// True if it means what was booked.
    pub is_booked: bool,
}

impl SourceFile {
    /// The records of the call in it.
    #[must_use]
    pub fn records(&self) -> &[SourceRecord] {
        match &self.state {
            FileState::AsBooked(_, records) | FileState::Changed(_, _, records) => records,
            FileState::Unreadable(_) | FileState::Large | FileState::Gone => &[],
        }
    }

    /// True if it is as it was booked.
    #[must_use]
    pub fn is_as_booked(&self) -> bool {
        matches!(self.state, FileState::AsBooked(..))
    }
}

impl Evidence {
    /// The record that was booked, with its file: of several that mean the same the first one, in
    /// a file that is as it was booked before any other.
    #[must_use]
    pub fn booked(&self) -> Option<(&SourceFile, &SourceRecord)> {
        let all =
            || self.files.iter().flat_map(|file| file.records().iter().map(move |r| (file, r)));
        let is_booked = |(_, record): &(&SourceFile, &SourceRecord)| record.is_booked;
        let proves = |(file, _): &(&SourceFile, &SourceRecord)| file.is_as_booked();
        all().find(|found| is_booked(found) && proves(found)).or_else(|| all().find(is_booked))
    }

    /// The other records of the call, with their files.
    pub fn others(&self) -> impl Iterator<Item = (&SourceFile, &SourceRecord)> {
        let booked = self.booked().map(|(_, record)| std::ptr::from_ref(record));
        let all = self.files.iter().flat_map(|file| file.records().iter().map(move |r| (file, r)));
        all.filter(move |(_, record)| Some(std::ptr::from_ref(*record)) != booked)
    }
}

/// Looks for the record of a booked call; `None` if the call is not booked.
///
/// # Errors
/// If the ledger cannot be read. A call file that cannot be read is no error.
pub fn of_call(
    history: &History,
    call: &str,
    places: &EvidencePlaces,
    memory: Memory,
) -> Result<Option<Evidence>, LedgerError> {
    let Some(place) = earlier::find_recorded(history, call)? else { return Ok(None) };
    let manifest = &*history.runs[place.run].manifest;
    // A file that was read then is read, whatever columns it lacks.
    let policy = Policy { no_transfers: true, ..Policy::of_words(&manifest.policy) };
    let kept = kept(history, place.run, call, place.id.content)?;
    let candidates: Vec<(&Manifest, &InputFile)> = match &kept {
        None => manifest.inputs.iter().map(|input| (manifest, input)).collect(),
        Some(row) => inputs_named(history, place.run, &row.source_file),
    };
    let bytes: u64 = candidates.iter().map(|(_, input)| input.bytes).sum();
    let is_large = bytes > UNASKED && places.files.is_empty();
    let look = |(manifest, booked): (&Manifest, &InputFile)| SourceFile {
        run_id: manifest.run_id.clone(),
        booked: booked.clone(),
        state: if is_large {
            FileState::Large
        } else {
            state(booked, call, place.id.content, places, (&policy, memory))
        },
    };
    let mut files: Vec<SourceFile> = candidates.into_iter().map(look).collect();
    files.retain(|file| !file.is_as_booked() || !file.records().is_empty());
    if files.iter().any(|file| !file.records().is_empty()) {
        files.retain(|file| !file.records().is_empty());
    }
    Ok(Some(Evidence { run_id: manifest.run_id.clone(), kept, files }))
}

/// The record in the suspense of the run before, if the run took it up from there.
fn kept(
    history: &History,
    run: usize,
    call: &str,
    content: u64,
) -> Result<Option<SuspenseRow>, LedgerError> {
    let before = run.checked_sub(1).map(|before| &history.runs[before]);
    let Some(before) = before.filter(|_| history.runs[run].manifest.records("retried") > 0) else {
        return Ok(None);
    };
    let mut found = None;
    each_suspended(before, Dataset::Suspense, |rows| {
        let is_it = |row: &SuspenseRow| row.call_sid == call && row.content == content;
        found = found.take().or_else(|| rows.into_iter().find(is_it));
        Ok::<(), LedgerError>(())
    })?;
    Ok(found)
}

/// The call files of this name that runs before read, each once by its hash, the latest first.
fn inputs_named<'a>(
    history: &'a History,
    run: usize,
    name: &str,
) -> Vec<(&'a Manifest, &'a InputFile)> {
    let mut found: Vec<(&Manifest, &InputFile)> = Vec::new();
    for manifest in history.runs[..run].iter().rev().map(|run| &run.manifest) {
        for input in manifest.inputs.iter().filter(|input| input.name == name) {
            if found.iter().all(|(_, known)| known.blake3 != input.blake3) {
                found.push((manifest, input));
            }
        }
    }
    found
}

/// The state of a call file, at the first place where it is as it was booked, else at the first
/// where there is any.
fn state(
    booked: &InputFile,
    call: &str,
    content: u64,
    places: &EvidencePlaces,
    (policy, memory): (&Policy, Memory),
) -> FileState {
    let (mut changed, mut unreadable) = (None, None);
    for path in paths(booked, places) {
        match is_there(&path) {
            Ok(true) => {}
            Ok(false) => continue,
            Err(error) => {
                unreadable.get_or_insert(error.to_string());
                continue;
            }
        }
        let file = CallPath {
            path: path.clone(),
            name: booked.name.clone(),
            of_night: booked.format == "published",
        };
        match records_of(&file, call, policy, memory) {
            Ok(SearchedFile { blake3, records, .. }) => {
                let records = records.into_iter().map(|found| SourceRecord {
                    is_booked: found.content == content,
                    text: found.text,
                });
                let records = records.collect();
                if blake3 == booked.blake3 {
                    return FileState::AsBooked(path, records);
                }
                changed.get_or_insert(FileState::Changed(path, blake3, records));
            }
            Err(error) => {
                unreadable.get_or_insert(error.to_string());
            }
        }
    }
    changed.or_else(|| unreadable.map(FileState::Unreadable)).unwrap_or(FileState::Gone)
}

/// The places of a call file, each once: where its name leads to, then files that were given and
/// have its size or its name.
fn paths(booked: &InputFile, places: &EvidencePlaces) -> Vec<PathBuf> {
    let name = Path::new(&booked.name);
    let mut paths = vec![name.to_owned()];
    paths.extend(places.folders.iter().map(|folder| folder.join(name)));
    let may_be_it = |path: &&PathBuf| {
        path.file_name() == name.file_name()
            || std::fs::metadata(path).is_ok_and(|meta| meta.len() == booked.bytes)
    };
    paths.extend(places.files.iter().filter(may_be_it).cloned());
    let real = |path: &PathBuf| path.canonicalize().unwrap_or_else(|_| path.clone());
    let mut seen = std::collections::HashSet::new();
    paths.retain(|path| seen.insert(real(path)));
    paths
}
