//! Volumes made, asked for ids, and proved: see [`crate::ledger::volume`].
//!
//! ```text
//! tonight's ids ─▶ ids.bin of each volume, 4 bytes an id ─▶ places.bin: runs that may have some of them
//!                                                            └─▶ those runs' own files of ids
//! ```
//!
//! **Invariant:** a volume only says where to look. The first four bytes of an id are no proof that
//! a run has it: the run's own file is asked, and hashed first. That a run lacks an id is believed
//! of `ids.bin`, which is hashed whole for that.

use crate::disk::durable::{
    make_folder, make_folder_synced, move_synced, sync_folder, write_synced,
};
use crate::disk::folder::is_there;
use crate::disk::private;
use crate::inputs::file::{FileError, read_text};
use crate::ledger::error::{LedgerError, RESTORE};
use crate::ledger::history::History;
use crate::ledger::index::ids::{IDS, IdFile};
use crate::ledger::lock::Lock;
use crate::ledger::manifest::FILE_NAME;
use crate::ledger::place::Ledger;
use crate::ledger::run::Run;
use crate::ledger::volume::{
    IDS_FILE, ONLY_AN_INDEX, PLACES_FILE, RUNS_FILE, RUNS_OF_VOLUME, RunHead, Volume, VolumeIds,
};
use crate::sid::Sid;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, IntoInnerError, Read, Write};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3;

/// The bytes of an id in a volume.
const WIDTH: usize = 4;
/// The bytes that are read at a time: whole ids.
const AT_A_TIME: usize = WIDTH << 15;

/// The first four bytes of an id.
fn first_bytes(sid: Sid) -> u32 {
    u32::try_from(sid.0 >> 96).expect("32 bits are left of 128")
}

/// Puts runs that stand in no volume into one, 32 at a time, oldest first.
///
/// # Errors
/// If one cannot be read or written. The ledger is whole without.
pub fn follow(ledger: &Ledger, lock: &Lock, history: &History) -> Result<(), LedgerError> {
    let loose: Vec<&Run> = history.runs.iter().filter(|run| !run.manifest.is_of_volume()).collect();
    for runs in loose.chunks_exact(RUNS_OF_VOLUME) {
        make(ledger, lock, runs)?;
    }
    Ok(())
}

/// Makes one volume: in `staging`, synced, put in place by a rename.
fn make(ledger: &Ledger, lock: &Lock, runs: &[&Run]) -> Result<(), LedgerError> {
    let staged = lock.staging.join("volume");
    if is_there(&staged)? {
        std::fs::remove_dir_all(&staged)
            .map_err(|e| FileError::new(&staged, format!("cannot be removed: {e}")))?;
    }
    make_folder(&staged)?;
    let ids = {
        let mut files =
            [StagedIds::create(&staged, IDS_FILE)?, StagedIds::create(&staged, PLACES_FILE)?];
        let ids = merged(runs, |bytes| {
            files.iter_mut().zip(bytes).try_for_each(|(file, bytes)| file.write(bytes))
        })?;
        files.into_iter().try_for_each(StagedIds::finish)?;
        ids
    };
    let heads = runs.iter().map(|run| Ok((run.head.clone(), text_of(run)?)));
    let heads = heads.collect::<Result<Vec<_>, FileError>>()?;
    let runs_path = staged.join(RUNS_FILE);
    let bytes = Volume::bytes(&heads, ids)
        .map_err(|e| FileError::new(&runs_path, format!("cannot be packed: {e}")))?;
    write_synced(&runs_path, &bytes)?;
    sync_folder(&staged)?;
    let (first, last) = (&heads[0].0, &heads[heads.len() - 1].0);
    let hash = blake3::hash(&bytes).to_hex();
    let name = format!("{:06}-{:06}-{}", first.sequence, last.sequence, &hash[..8]);
    let (folder, place) = (ledger.volumes_folder(), ledger.volumes_folder().join(name));
    make_folder_synced(&folder)?;
    if is_there(&place)? {
        return Ok(());
    }
    Ok(move_synced(&staged, &place, &[&folder], "made")?)
}

/// A file of ids, while it is written.
struct StagedIds {
    path: PathBuf,
    file: BufWriter<File>,
}

impl StagedIds {
    fn create(staged: &Path, name: &str) -> Result<Self, FileError> {
        let path = staged.join(name);
        let file = private::create_new(&path)
            .map_err(|e| FileError::new(&path, format!("cannot be made: {e}")))?;
        Ok(Self { path, file: BufWriter::new(file) })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        let written = self.file.write_all(bytes);
        written.map_err(|e| FileError::new(&self.path, format!("cannot be written: {e}")))
    }

    fn finish(self) -> Result<(), FileError> {
        let synced = self.file.into_inner().map_err(IntoInnerError::into_error);
        let synced = synced.and_then(|file| file.sync_all());
        synced.map_err(|e| FileError::new(&self.path, format!("cannot be written: {e}")))
    }
}

/// The text of a run's manifest, held against its hash.
fn text_of(run: &Run) -> Result<String, FileError> {
    let path = run.folder.join(FILE_NAME);
    let text = read_text(&path)?;
    if *blake3::hash(text.as_bytes()).to_hex() == *run.head.own_hash {
        return Ok(text);
    }
    Err(FileError::new(&path, "is not as it was read before").hint(RESTORE))
}

/// The ids of a run, read from the front.
struct IdsOfRun {
    file: IdFile,
    read: Vec<Sid>,
    next: usize,
    at: u64,
}

impl IdsOfRun {
    /// Ids that are read of each run at a time.
    const SOME: u64 = 1 << 12;

    fn open(run: &Run) -> Result<Option<Self>, LedgerError> {
        if !run.has_ids() {
            return Ok(None);
        }
        run.check_files(IDS)?;
        let file = IdFile::open(&run.folder)?;
        Ok(Some(Self { file, read: Vec::new(), next: 0, at: 0 }))
    }

    fn next(&mut self) -> Result<Option<Sid>, FileError> {
        if self.next == self.read.len() {
            let end = self.file.count.min(self.at + Self::SOME);
            self.read = self.file.sids(self.at..end)?;
            (self.next, self.at) = (0, end);
        }
        let sid = self.read.get(self.next).copied();
        self.next += 1;
        Ok(sid)
    }
}

/// Merges the ids of some runs, in their order, and hands over the bytes of the two files; returns
/// how many they are, and the hashes.
fn merged(
    runs: &[&Run],
    mut write: impl FnMut([&[u8]; 2]) -> Result<(), FileError>,
) -> Result<VolumeIds, LedgerError> {
    let mut open = Vec::new();
    let mut next = BinaryHeap::new();
    for (number, run) in (0_u8..).zip(runs) {
        let mut ids = IdsOfRun::open(run)?;
        if let Some(ids) = &mut ids
            && let Some(sid) = ids.next()?
        {
            next.push(Reverse((sid, number)));
        }
        open.push(ids);
    }
    let (mut hashers, mut count) = ([Xxh3::new(), Xxh3::new()], 0);
    let (mut firsts, mut places) = (Vec::with_capacity(AT_A_TIME), Vec::new());
    let mut hand_over = |firsts: &mut Vec<u8>, places: &mut Vec<u8>| {
        hashers[0].update(firsts);
        hashers[1].update(places);
        write([firsts, places])?;
        firsts.clear();
        places.clear();
        Ok::<_, FileError>(())
    };
    while let Some(Reverse((sid, number))) = next.pop() {
        firsts.extend(first_bytes(sid).to_be_bytes());
        places.push(number);
        count += 1;
        if firsts.len() == AT_A_TIME {
            hand_over(&mut firsts, &mut places)?;
        }
        let ids = open[usize::from(number)].as_mut().expect("a run whose ids were read has some");
        if let Some(sid) = ids.next()? {
            next.push(Reverse((sid, number)));
        }
    }
    hand_over(&mut firsts, &mut places)?;
    let [ids_xxh3, places_xxh3] = hashers.map(|hasher| hex(&hasher));
    Ok(VolumeIds { count, ids_xxh3, places_xxh3 })
}

fn hex(hasher: &Xxh3) -> String {
    format!("{:032x}", hasher.digest128())
}

/// Which of the wanted ids, sorted, each run may have, by the place of the run in the history: all
/// of them in a run of no volume.
///
/// # Errors
/// If a volume cannot be read, or is not as it was written.
pub fn where_to_look(history: &History, wanted: &[Sid]) -> Result<Vec<MayHave>, LedgerError> {
    let mut found = vec![MayHave::All; history.runs.len()];
    let places: HashMap<&str, usize> =
        history.runs.iter().map(|run| run.head.own_hash.as_str()).zip(0..).collect();
    for volume in &history.volumes {
        let own: Vec<Option<usize>> =
            volume.runs().iter().map(|head| places.get(head.own_hash.as_str()).copied()).collect();
        for place in own.iter().flatten() {
            found[*place] = MayHave::Some(Vec::new());
        }
        if wanted.is_empty() {
            continue;
        }
        each_hit(volume, wanted, |run, sid| {
            if let Some(Some(place)) = own.get(usize::from(run))
                && let MayHave::Some(sids) = &mut found[*place]
                && sids.last() != Some(&sid)
            {
                sids.push(sid);
            }
        })?;
    }
    for may in &mut found {
        if let MayHave::Some(sids) = may {
            sids.sort_unstable();
            sids.dedup();
        }
    }
    Ok(found)
}

/// The ids that a run may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MayHave {
    /// Any of the wanted ones.
    All,
    /// These, sorted.
    Some(Vec<Sid>),
}

/// Searches the first bytes of the wanted ids, sorted, in a volume, and hands over each that a run
/// may have.
fn each_hit(
    volume: &Volume,
    wanted: &[Sid],
    mut hit: impl FnMut(u8, Sid),
) -> Result<(), FileError> {
    let VolumeIds { count, ids_xxh3, .. } = volume.ids();
    let mut hits: Vec<(u64, Sid)> = Vec::new();
    let mut next = 0;
    let read = each_block(&volume.folder.join(IDS_FILE), ids_xxh3, |first_row, bytes| {
        let (rows, _) = bytes.as_chunks::<WIDTH>();
        let [Some(low), Some(high)] = [rows.first(), rows.last()] else { return };
        let [low, high] = [low, high].map(|bytes| u32::from_be_bytes(*bytes));
        next += wanted[next..].partition_point(|sid| first_bytes(*sid) < low);
        for sid in &wanted[next..] {
            let first = first_bytes(*sid);
            if first > high {
                break;
            }
            let at = rows.partition_point(|row| u32::from_be_bytes(*row) < first);
            let same = rows[at..].iter().take_while(|row| u32::from_be_bytes(**row) == first);
            let rows = (first_row / WIDTH as u64 + at as u64..).zip(same);
            hits.extend(rows.map(|(row, _)| (row, *sid)));
        }
    })?;
    if read != count * WIDTH as u64 {
        let problem = format!("has {read} bytes; expected {count} ids");
        return Err(FileError::new(&volume.folder.join(IDS_FILE), problem).hint(ONLY_AN_INDEX));
    }
    if hits.is_empty() {
        return Ok(());
    }
    hits.sort_unstable();
    let mut hits = hits.into_iter().peekable();
    each_block(&volume.folder.join(PLACES_FILE), &volume.ids().places_xxh3, |first_row, bytes| {
        for (row, run) in (first_row..).zip(bytes) {
            while let Some((_, sid)) = hits.next_if(|(at, _)| *at == row) {
                hit(*run, sid);
            }
        }
    })?;
    Ok(())
}

/// Reads a file block by block, each with the place of its first byte, and holds it against its
/// hash; returns its size.
fn each_block(path: &Path, xxh3: &str, mut then: impl FnMut(u64, &[u8])) -> Result<u64, FileError> {
    let wrong = |problem: String| FileError::new(path, problem).hint(ONLY_AN_INDEX);
    let unread = |e: std::io::Error| wrong(format!("cannot be read: {e}"));
    let mut file = private::open_own(path, OpenOptions::new().read(true)).map_err(unread)?;
    let (mut hasher, mut read) = (Xxh3::new(), 0);
    let mut buffer = vec![0; AT_A_TIME];
    loop {
        let length = fill(&mut file, &mut buffer).map_err(unread)?;
        if length == 0 {
            break;
        }
        hasher.update(&buffer[..length]);
        then(read, &buffer[..length]);
        read += length as u64;
    }
    if hex(&hasher) == xxh3 { Ok(read) } else { Err(wrong("is not as it was written".to_owned())) }
}

/// Reads until the buffer is full or the file ends.
fn fill(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read(&mut buffer[length..])? {
            0 => break,
            read => length += read,
        }
    }
    Ok(length)
}

/// Proves that each volume says what its runs say, manifest by manifest and id by id. The history
/// must be one that was read from the runs.
///
/// # Errors
/// The first that says anything else.
pub fn verify(ledger: &Ledger, history: &History) -> Result<(), LedgerError> {
    let runs: HashMap<&str, &Run> =
        history.all_runs().map(|run| (run.head.own_hash.as_str(), run)).collect();
    for volume in ledger.volumes()? {
        let path = volume.folder.join(RUNS_FILE);
        let wrong = |path: &Path, problem: String| {
            LedgerError::from(FileError::new(path, problem).hint(ONLY_AN_INDEX))
        };
        let mut own: Vec<&Run> = Vec::new();
        for (at, head) in volume.runs().iter().enumerate() {
            let Some(run) = runs.get(head.own_hash.as_str()) else {
                return Err(wrong(&path, format!("knows run {}, which is missing", head.run_id)));
            };
            let is_same =
                *head == RunHead::of(&run.manifest) && *volume.lazily(at) == *run.manifest;
            if !is_same {
                return Err(wrong(&path, format!("says of run {} what it is not", head.run_id)));
            }
            own.push(run);
        }
        if merged(&own, |_| Ok(()))? != *volume.ids() {
            let problem = "has other ids than its runs".to_owned();
            return Err(wrong(&volume.folder.join(IDS_FILE), problem));
        }
        let VolumeIds { ids_xxh3, places_xxh3, .. } = volume.ids();
        for (name, xxh3) in [(IDS_FILE, ids_xxh3), (PLACES_FILE, places_xxh3)] {
            each_block(&volume.folder.join(name), xxh3, |_, _| {})?;
        }
    }
    Ok(())
}
