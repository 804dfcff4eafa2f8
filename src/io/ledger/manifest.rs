//! The manifest of a run: what went in, what came out, and the hash of every file.

use super::super::{FileError, read_text};
use crate::night::{Class, Count, Tally};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Its name in the run's folder.
pub const FILE_NAME: &str = "manifest.json";
/// The layout that this version writes; a reader refuses a later one.
pub const LEDGER_FORMAT: u32 = 1;

/// What a run says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the layout.
    pub ledger_format: u32,
    /// Version of trunkrate.
    pub version: String,
    /// Version of the built-in time zone database.
    pub tzdb: String,
    /// Name of the run's folder.
    pub run_id: String,
    /// Its number, from 1.
    pub sequence: u64,
    /// The run before it.
    pub previous: Option<String>,
    /// BLAKE3 of the manifest of the run before it: runs are a chain.
    pub previous_manifest: Option<String>,
    /// The newest call start that was seen, in this run or before.
    pub newest_start: Option<String>,
    /// The policy that it rated with.
    pub policy: BTreeMap<String, String>,
    /// The call files.
    pub inputs: Vec<InputFile>,
    /// The decks: hash over all of their files, which is their name in the archive.
    pub decks_hash: String,
    /// The decks, each with its currency.
    pub decks: Vec<DeckEntry>,
    /// Hash of the trunks file, if one was given.
    pub trunks_hash: Option<String>,
    /// Hash of the accounts file, if one was given.
    pub accounts_hash: Option<String>,
    /// Records and seconds: read, retried, and by class.
    pub counts: BTreeMap<String, ManifestCount>,
    /// Suspended records by reason.
    pub suspended_by_reason: BTreeMap<String, u64>,
    /// Legs booked.
    pub legs: u64,
    /// Their sum, by currency.
    pub amount: BTreeMap<String, String>,
    /// Every other file of the run.
    pub files: Vec<StoredFile>,
    /// BLAKE3 of the manifest as it was read.
    #[serde(skip)]
    pub own_hash: String,
}

/// A call file that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct InputFile {
    pub name: String,
    pub format: String,
    pub bytes: u64,
    pub rows: u64,
    pub blake3: String,
}

/// A deck that was loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct DeckEntry {
    pub folder: String,
    pub name: String,
    pub currency: String,
    pub blake3: String,
}

/// Records and their seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct ManifestCount {
    pub records: u64,
    pub seconds: u64,
}

/// A file of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct StoredFile {
    pub path: String,
    pub rows: u64,
    pub bytes: u64,
    pub blake3: String,
}

impl From<Count> for ManifestCount {
    fn from(count: Count) -> Self {
        Self { records: count.records, seconds: count.seconds }
    }
}

impl Manifest {
    /// Reads the manifest of a run's folder.
    ///
    /// # Errors
    /// If it is not there, is broken, or is of a later version of trunkrate.
    pub fn load(folder: &Path) -> Result<Self, FileError> {
        let path = folder.join(FILE_NAME);
        let text = read_text(&path)?;
        let mut manifest: Self = serde_json::from_str(&text)
            .map_err(|e| FileError::new(&path, format!("is no manifest of a run: {e}")).at(e.line() as u64))?;
        if manifest.ledger_format > LEDGER_FORMAT {
            return Err(FileError::new(&path, format!("was written by trunkrate {}, which is newer", manifest.version))
                .hint("use that version or a later one"));
        }
        manifest.own_hash = blake3::hash(text.as_bytes()).to_hex().to_string();
        Ok(manifest)
    }

    /// The counts by name, as they are stored.
    #[must_use]
    pub fn counts_of(tally: &Tally) -> BTreeMap<String, ManifestCount> {
        let classes = Class::ALL.iter().map(|class| (class.as_str(), tally.of(*class)));
        let all = [("read", tally.read), ("retried", tally.retried)].into_iter().chain(classes);
        all.map(|(name, count)| (name.to_owned(), count.into())).collect()
    }

    /// The records of a count, by its name.
    #[must_use]
    pub fn records(&self, name: &str) -> u64 {
        self.counts.get(name).map_or(0, |count| count.records)
    }
}
