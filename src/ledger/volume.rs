//! A volume: what 32 runs say of themselves, in three files instead of some hundred.
//!
//! ```text
//! volumes/000001-000032-5f0c1234/runs.bin   BLAKE3 of the rest │ length of the heads │ heads │ manifests
//! volumes/000001-000032-5f0c1234/ids.bin    the first four bytes of each id, ascending
//! volumes/000001-000032-5f0c1234/places.bin of each: which of the runs has it, one byte
//! ```
//!
//! A volume is an index: a function of the manifests and the ids of its runs, made by the writer
//! once 32 runs stand in none ([`super::index::volumes`]), and never changed. A ledger without its
//! volumes is whole, and reads every manifest again.
//!
//! **Invariants.** What a volume says of a run counts only while a folder of that name lies in
//! `runs`, and no run with that manifest was undone: else the manifest itself is read. Manifests in
//! it are the texts whose hashes the chain holds. `verify` reads every manifest and every id from
//! the runs themselves, and holds the volumes against them.
//!
//! # Why
//! A night that reads the manifest of every night before it costs 0.1 ms of CPU for each of them:
//! five years of nights cost more than the night's own calls. Of old runs a night asks a few
//! fields (`RunHead`); a manifest is unpacked when something asks for more.

use crate::disk::folder::entries;
use crate::disk::private;
use crate::inputs::file::FileError;
use crate::ledger::manifest::Manifest;
use crate::ledger::place::{Ledger, is_run_name};
use crate::time::{self, Micros};
use serde::{Deserialize, Serialize};
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// The runs of a volume.
pub(crate) const RUNS_OF_VOLUME: usize = 32;
/// Manifests that are packed together: one is unpacked with its neighbours.
const TOGETHER: usize = 8;
/// The file of heads and manifests.
pub(crate) const RUNS_FILE: &str = "runs.bin";
/// The file of the first bytes of ids.
pub(crate) const IDS_FILE: &str = "ids.bin";
/// The file that says which run each is of.
pub(crate) const PLACES_FILE: &str = "places.bin";
/// The layout of volumes that this version writes and reads.
const VOLUME_FORMAT: u32 = 1;
/// BLAKE3 of the rest, and the length of the heads.
const PREFACE: usize = 32 + 8;

/// The hint for a volume that is not as it was written.
pub(crate) const ONLY_AN_INDEX: &str =
    "it is only an index: move the folder `volumes` away, and the next run makes it again";

/// What every night asks of every run before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "each says whether a manifest need be unpacked")]
pub struct RunHead {
    /// Its name.
    pub run_id: String,
    /// Its number.
    pub sequence: u64,
    /// BLAKE3 of its manifest.
    pub own_hash: String,
    /// BLAKE3 of the manifest before.
    pub previous_manifest: Option<String>,
    /// The newest call start of a sound record of it.
    pub own_newest_start: Option<String>,
    /// True if it booked or ignored calls.
    pub has_ids: bool,
    /// True if it wrote records off.
    pub has_closed: bool,
    /// True if prices of earlier calls came with it.
    pub has_prices: bool,
    /// True if a person set times in it, or chose a version in place of a booked one.
    pub has_choices: bool,
    /// True if it has ids that are not in the carrier's form.
    pub has_odd_ids: bool,
}

impl RunHead {
    /// What a manifest says.
    #[must_use]
    pub fn of(m: &Manifest) -> Self {
        let has = |folder: &str| m.files.iter().any(|file| file.path.starts_with(folder));
        Self {
            run_id: m.run_id.clone(),
            sequence: m.sequence,
            own_hash: m.own_hash.clone(),
            previous_manifest: m.previous_manifest.clone(),
            own_newest_start: m.own_newest_start.clone(),
            has_ids: has("ids/"),
            has_closed: has("closed/"),
            has_prices: has("prices/"),
            has_choices: m.replaces.is_some() || !m.set_times.is_empty(),
            has_odd_ids: !m.id_shapes.is_empty(),
        }
    }

    /// The newest call start of a sound record of it.
    #[must_use]
    pub fn own_newest(&self) -> Option<Micros> {
        time::parse_date_or_instant(self.own_newest_start.as_deref()?)
    }
}

/// A manifest that is unpacked when it is asked for.
#[derive(Debug, Clone)]
pub struct LazyManifest {
    unpacked: OnceLock<Arc<Manifest>>,
    packed: Option<(Arc<Volume>, usize)>,
}

impl LazyManifest {
    /// True if it came from a volume.
    pub(crate) fn is_of_volume(&self) -> bool {
        self.packed.is_some()
    }
}

impl From<Manifest> for LazyManifest {
    fn from(manifest: Manifest) -> Self {
        Self { unpacked: OnceLock::from(Arc::new(manifest)), packed: None }
    }
}

impl Deref for LazyManifest {
    type Target = Manifest;

    fn deref(&self) -> &Manifest {
        self.unpacked.get_or_init(|| {
            let (volume, at) = self.packed.as_ref().expect("what is not unpacked is packed");
            volume.manifest(*at)
        })
    }
}

/// What stands at the head of a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct VolumeHead {
    volume_format: u32,
    runs: Vec<RunHead>,
    /// The length of each packed group of manifests, in bytes, and of its texts in all.
    packed: Vec<(u64, u64)>,
    ids: VolumeIds,
}

/// What a volume says of its files of ids.
///
/// # Why no BLAKE3
/// Every night reads and hashes the ids of every volume, and XXH3 takes a fifth of the CPU. It
/// finds what a disk does; what a person does is found by `verify`, which reads the runs' ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeIds {
    /// How many they are.
    pub count: u64,
    /// XXH3-128 of their first bytes, in hex.
    pub ids_xxh3: String,
    /// XXH3-128 of their places.
    pub places_xxh3: String,
}

/// A volume, as it was read and held against its hash.
#[derive(Debug)]
pub struct Volume {
    /// Its folder.
    pub folder: PathBuf,
    head: VolumeHead,
    /// The packed manifests.
    packed: Vec<u8>,
    unpacked: Vec<OnceLock<Vec<Arc<Manifest>>>>,
}

impl Volume {
    /// The bytes of its first file.
    ///
    /// # Errors
    /// If zstd has no memory.
    pub(crate) fn bytes(runs: &[(RunHead, String)], ids: VolumeIds) -> std::io::Result<Vec<u8>> {
        let (mut packed, mut lengths) = (Vec::new(), Vec::new());
        for group in runs.chunks(TOGETHER) {
            let texts: String = group.iter().map(|(_, text)| text.as_str()).collect();
            let bytes = zstd::bulk::compress(texts.as_bytes(), 3)?;
            lengths.push((bytes.len() as u64, texts.len() as u64));
            packed.extend(bytes);
        }
        let runs = runs.iter().map(|(head, _)| head.clone()).collect();
        let head = VolumeHead { volume_format: VOLUME_FORMAT, runs, packed: lengths, ids };
        let head = serde_json::to_vec(&head)?;
        let mut rest = (head.len() as u64).to_le_bytes().to_vec();
        rest.extend(head);
        rest.extend(packed);
        Ok([blake3::hash(&rest).as_bytes().as_slice(), &rest].concat())
    }

    /// Reads the volume of a folder; one of a layout that this version does not know is passed
    /// over.
    fn load(folder: PathBuf) -> Result<Option<Self>, FileError> {
        let path = folder.join(RUNS_FILE);
        let wrong = |problem: &str| FileError::new(&path, problem).hint(ONLY_AN_INDEX);
        let bytes = private::read_own(&path).map_err(|e| wrong(&format!("cannot be read: {e}")))?;
        let bytes = bytes.ok_or_else(|| wrong("is missing"))?;
        let changed = || wrong("is not as it was written");
        let (preface, rest) = bytes.split_at_checked(PREFACE).ok_or_else(changed)?;
        let (hash, length) = preface.split_at(32);
        if blake3::hash(&bytes[32..]).as_bytes().as_slice() != hash {
            return Err(changed());
        }
        let length = u64::from_le_bytes(length.try_into().expect("a length has 8 bytes"));
        let length = usize::try_from(length).map_err(|_| changed())?;
        let (head, packed) = rest.split_at_checked(length).ok_or_else(changed)?;
        let Ok(head) = serde_json::from_slice::<VolumeHead>(head) else { return Ok(None) };
        if head.volume_format != VOLUME_FORMAT {
            return Ok(None);
        }
        let groups = head.runs.len().div_ceil(TOGETHER);
        let sum: u64 = head.packed.iter().map(|(bytes, _)| bytes).sum();
        if head.packed.len() != groups || sum != packed.len() as u64 {
            return Err(changed());
        }
        let unpacked = (0..groups).map(|_| OnceLock::new()).collect();
        let packed = packed.to_vec();
        Ok(Some(Self { folder, head, packed, unpacked }))
    }

    /// Its runs, oldest first.
    #[must_use]
    pub fn runs(&self) -> &[RunHead] {
        &self.head.runs
    }

    /// What it says of its ids.
    #[must_use]
    pub fn ids(&self) -> &VolumeIds {
        &self.head.ids
    }

    /// A manifest of it, to be unpacked when it is asked for.
    pub(crate) fn lazily(self: &Arc<Self>, at: usize) -> LazyManifest {
        LazyManifest { unpacked: OnceLock::new(), packed: Some((self.clone(), at)) }
    }

    /// A manifest, by its place. The file was held against its hash, and we wrote it.
    fn manifest(&self, at: usize) -> Arc<Manifest> {
        let group = at / TOGETHER;
        let manifests = self.unpacked[group].get_or_init(|| self.unpack(group));
        manifests[at % TOGETHER].clone()
    }

    fn unpack(&self, group: usize) -> Vec<Arc<Manifest>> {
        let in_memory = |length: u64| usize::try_from(length).expect("what was read fits memory");
        let (before, own) = self.head.packed.split_at(group);
        let first = in_memory(before.iter().map(|(bytes, _)| bytes).sum());
        let (bytes, length) = own[0];
        let packed = &self.packed[first..first + in_memory(bytes)];
        let texts = zstd::bulk::decompress(packed, in_memory(length))
            .expect("a group of manifests was packed by us, and its hash was checked");
        let heads = self.head.runs.chunks(TOGETHER).nth(group).expect("a group has runs");
        let mut texts = serde_json::Deserializer::from_slice(&texts).into_iter::<Manifest>();
        let manifest = |head: &RunHead| {
            let manifest = texts.next().expect("a text for each run of the group");
            let mut manifest = manifest.expect("a text whose hash the chain holds was read before");
            manifest.own_hash.clone_from(&head.own_hash);
            Arc::new(manifest)
        };
        heads.iter().map(manifest).collect()
    }
}

impl Ledger {
    /// The folder of volumes.
    #[must_use]
    pub fn volumes_folder(&self) -> PathBuf {
        self.folder.join("volumes")
    }

    /// All volumes, in the order of their names.
    ///
    /// # Errors
    /// If one is not as it was written.
    pub(crate) fn volumes(&self) -> Result<Vec<Arc<Volume>>, FileError> {
        let folders = entries(&self.volumes_folder())?.0;
        let own = folders.into_iter().filter(|folder| is_run_name(folder));
        own.filter_map(|folder| Volume::load(folder).transpose())
            .map(|volume| volume.map(Arc::new))
            .collect()
    }
}
