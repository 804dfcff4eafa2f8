//! Rows dealt out to partitions, in memory as long as there is room, then in a spill file.
//!
//! ```text
//! push(part, row)  ──▶  part 0: ▓▓▓▓ ▓▓▓▓ ▓▓░░      blocks of 16 or 64 KiB in memory, in the order of pushing
//!                       part 1: ▓▓▓▓ ▒▒▒▒ ▒▒▒▒ ▓░   ▒ written to one file without a name, once there is no more room;
//!                                                     its places are written again when their rows were taken
//! ```
//!
//! **Invariant:** rows of a partition come back in the order in which they were pushed; a row is
//! never cut in two. The file is unlinked as soon as it is made: however the process ends, nothing
//! is left.
//!
//! # Why
//! A night that outgrows memory costs one write and one read of its packed rows, both in sequence.
//! A million calls take the same 2.1 CPU s with all partitions on disk as with all in memory
//! (measured); only the disk has more to take. New page-cache pages are expensive, so booked rows
//! reuse the file blocks of the records that they replace.

use crate::disk::private;
use crate::fit::must_fit;
use crate::inputs::file::FileError;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The bytes of a block; a longer row has a block of its own.
const BLOCK: usize = 64 << 10;
/// The bytes of a block where partitions are many, as each has one open: ten million calls take 511
/// MiB instead of 603, for 0 to 5 % more CPU, which is within the noise (measured).
const SMALL_BLOCK: usize = 16 << 10;
/// The number of partitions beyond which they are many.
const MANY_PARTS: usize = 512;

/// The memory budget of a run, and its division.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory(u64);

impl Memory {
    /// The most that the default budget can be, without `--memory`: 4 GiB.
    const MOST: u64 = 4 << 30;
    /// The most bytes of packed rows in memory; beyond that the page cache serves them as fast.
    const MOST_PARTS: u64 = 224 << 20;

    /// A budget of this many bytes.
    #[must_use]
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The default budget: half of the machine's memory, or of the control group's limit, at most 4
    /// GiB; 1 GiB where neither is known.
    #[must_use]
    pub fn of_machine() -> Self {
        let limits = [Self::all_of_machine(), Self::of_control_group()];
        let least = limits.into_iter().flatten().map(Self::bytes).min();
        Self(least.map_or(1 << 30, |bytes| (bytes / 2).min(Self::MOST)))
    }

    /// The limit that the control groups of the process set, if any: the least of its own and those
    /// above.
    fn of_control_group() -> Option<Self> {
        let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
        let read = |path: &Path| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
        let limits = groups.lines().filter_map(|line| {
            let (controllers, group) = line.split_once(':')?.1.split_once(':')?;
            let (root, file) = match controllers {
                "" => ("/sys/fs/cgroup", "memory.max"),
                _ if controllers.split(',').any(|name| name == "memory") => {
                    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
                }
                _ => return None,
            };
            let group = Path::new(group.trim_start_matches('/'));
            group
                .ancestors()
                .filter_map(|group| read(&Path::new(root).join(group).join(file)))
                .min()
        });
        limits.min().map(Self)
    }

    /// All of the machine's memory, if the machine says how much that is.
    #[must_use]
    pub fn all_of_machine() -> Option<Self> {
        let info = std::fs::read_to_string("/proc/meminfo").ok()?;
        let total = |line: &str| {
            line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok()
        };
        info.lines().find_map(total).map(|kib| Self(kib << 10))
    }

    /// In bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// The share for packed rows.
    fn parts(self) -> usize {
        must_fit((self.0 / 8).min(Self::MOST_PARTS), "224 MiB can be addressed")
    }

    /// The room for packed rows of `parts` partitions; rows beyond it spill to files in `folder`.
    #[must_use]
    pub fn room(self, folder: &Path, parts: usize) -> Arc<SpillRoom> {
        SpillRoom::with_blocks(
            if parts > MANY_PARTS { SMALL_BLOCK } else { BLOCK },
            self.parts(),
            folder,
        )
    }

    /// The share for one packed partition; as columns, with its join, it takes three times as much,
    /// on each core.
    #[must_use]
    pub const fn part(self) -> u64 {
        self.0 / 24
    }

    /// The number of calls that may be looked up in the ledger at once.
    #[must_use]
    pub const fn sought(self) -> u64 {
        self.0 / 512
    }
}

/// The memory that all partitions of a run share.
#[derive(Debug)]
pub struct SpillRoom {
    /// The bytes of a block.
    block: usize,
    limit: usize,
    used: AtomicUsize,
    /// The folder of the spill file.
    folder: PathBuf,
    spill: OnceLock<Result<SpillFile, FileError>>,
    /// Free blocks, kept for the next phase: the allocator would not always reuse them.
    free: Mutex<Vec<Vec<u8>>>,
}

impl SpillRoom {
    /// Room for `limit` bytes; rows beyond it spill to files in `folder`.
    #[must_use]
    pub fn new(limit: usize, folder: &Path) -> Arc<Self> {
        Self::with_blocks(BLOCK, limit, folder)
    }

    fn with_blocks(block: usize, limit: usize, folder: &Path) -> Arc<Self> {
        let (used, spill) = (AtomicUsize::new(0), OnceLock::new());
        Arc::new(Self {
            block,
            limit,
            used,
            folder: folder.to_owned(),
            spill,
            free: Mutex::default(),
        })
    }

    fn take(&self, bytes: usize) -> bool {
        let room = |used: usize| used.checked_add(bytes).filter(|used| *used <= self.limit);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_ok()
    }

    /// An empty block.
    fn block(&self) -> Vec<u8> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.unwrap_or_else(|| Vec::with_capacity(self.block))
    }

    /// Takes a block back; the block of a long row is freed.
    fn recycle(&self, mut block: Vec<u8>) {
        if block.capacity() == self.block {
            block.clear();
            self.free.lock().unwrap_or_else(PoisonError::into_inner).push(block);
        }
    }

    /// The spill file.
    fn spilled(&self) -> &SpillFile {
        let spill = self.spill.get().and_then(|spill| spill.as_ref().ok());
        spill.expect("a block on disk was written to a file")
    }

    fn give_back(&self, block: Vec<u8>) {
        let used = self.used.fetch_sub(block.capacity(), Ordering::Relaxed);
        assert!(used >= block.capacity(), "what is given back was taken");
        self.recycle(block);
    }
}

/// Rows, partition by partition.
#[derive(Debug)]
pub struct Spill {
    all: Vec<Mutex<SpillPart>>,
    room: Arc<SpillRoom>,
}

#[derive(Debug, Default)]
struct SpillPart {
    blocks: Vec<SpillBlock>,
    /// The block that is being filled.
    open: Vec<u8>,
    rows: u64,
}

#[derive(Debug)]
enum SpillBlock {
    Memory(Vec<u8>),
    Disk { offset: u64, bytes: usize },
}

/// A file whose name is already unlinked.
#[derive(Debug)]
struct SpillFile {
    file: File,
    path: PathBuf,
    /// The bytes of a block of usual size.
    block: usize,
    end: AtomicU64,
    /// The offsets of free blocks of usual size.
    free: Mutex<Vec<u64>>,
}

impl SpillFile {
    fn create(folder: &Path, block: usize) -> Result<Self, FileError> {
        static FILES: AtomicUsize = AtomicUsize::new(0);
        let number = FILES.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("trunkrate-{}-{number}", std::process::id()));
        let fail = |e: std::io::Error| FileError::new(&path, format!("cannot be made: {e}"));
        let file = private::create_new(&path).map_err(fail)?;
        std::fs::remove_file(&path).map_err(fail)?;
        Ok(Self { file, path, block, end: AtomicU64::new(0), free: Mutex::default() })
    }

    fn write(&self, bytes: &[u8]) -> Result<SpillBlock, FileError> {
        assert!(!bytes.is_empty(), "a block that is written has rows");
        let is_usual = bytes.len() <= self.block;
        let free = if is_usual {
            self.free.lock().unwrap_or_else(PoisonError::into_inner).pop()
        } else {
            None
        };
        let offset = free.unwrap_or_else(|| {
            self.end.fetch_add(bytes.len().max(self.block) as u64, Ordering::Relaxed)
        });
        self.file.write_all_at(bytes, offset).map_err(|e| {
            FileError::new(&self.path, format!("cannot be written: {e}"))
                .hint("calls that find no room in memory wait there; nothing was booked")
        })?;
        Ok(SpillBlock::Disk { offset, bytes: bytes.len() })
    }

    /// Frees the place of a block that was taken, to be written again.
    fn give_back(&self, offset: u64, bytes: usize) {
        assert!(
            offset + bytes as u64 <= self.end.load(Ordering::Relaxed),
            "a place that was written lies in the file"
        );
        if bytes <= self.block {
            self.free.lock().unwrap_or_else(PoisonError::into_inner).push(offset);
        }
    }

    fn read(&self, offset: u64, bytes: &mut [u8]) -> Result<(), FileError> {
        self.file
            .read_exact_at(bytes, offset)
            .map_err(|e| FileError::new(&self.path, format!("cannot be read back: {e}")))
    }
}

impl Spill {
    /// Makes `count` empty partitions.
    #[must_use]
    pub fn new(count: usize, room: &Arc<SpillRoom>) -> Self {
        let all = (0..count).map(|_| Mutex::default()).collect();
        Self { all, room: Arc::clone(room) }
    }

    /// The number of partitions.
    #[must_use]
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// The number of rows of a partition.
    #[must_use]
    pub fn rows(&self, part: usize) -> u64 {
        self.lock(part).rows
    }

    /// Adds whole rows to a partition.
    ///
    /// # Errors
    /// If there is no room in memory, and none on disk.
    pub fn push(&self, part: usize, bytes: &[u8], rows: u64) -> Result<(), FileError> {
        assert!(rows > 0 || bytes.is_empty(), "bytes are of rows");
        let mut part = self.lock(part);
        part.rows += rows;
        if part.open.len() + bytes.len() > self.room.block {
            self.close(&mut part)?;
        }
        if part.open.capacity() == 0 {
            part.open = self.room.block();
        }
        part.open.extend_from_slice(bytes);
        Ok(())
    }

    /// Ends the block that is being filled: it stays, or spills to disk and is filled again.
    fn close(&self, part: &mut SpillPart) -> Result<(), FileError> {
        if part.open.is_empty() {
            return Ok(());
        }
        if self.room.take(part.open.capacity()) {
            part.blocks.push(SpillBlock::Memory(std::mem::take(&mut part.open)));
            return Ok(());
        }
        let room = &self.room;
        let spill = room
            .spill
            .get_or_init(|| SpillFile::create(&room.folder, room.block))
            .as_ref()
            .map_err(Clone::clone)?;
        part.blocks.push(spill.write(&part.open)?);
        part.open.clear();
        Ok(())
    }

    /// Reads a partition's rows, block by block; they stay.
    ///
    /// # Errors
    /// If they cannot be read back.
    pub fn read(&self, part: usize, mut show: impl FnMut(&[u8])) -> Result<(), FileError> {
        let part = self.lock(part);
        let mut buffer = Vec::new();
        for block in &part.blocks {
            self.show(block, &mut buffer, &mut show)?;
        }
        show(&part.open);
        Ok(())
    }

    /// Reads a partition's rows, block by block, and frees them.
    ///
    /// # Errors
    /// If they cannot be read back.
    pub fn take(&self, part: usize, mut show: impl FnMut(&[u8])) -> Result<(), FileError> {
        let part = std::mem::take(&mut *self.lock(part));
        let mut buffer = Vec::new();
        for block in part.blocks {
            self.show(&block, &mut buffer, &mut show)?;
            match block {
                SpillBlock::Memory(bytes) => self.room.give_back(bytes),
                SpillBlock::Disk { offset, bytes } => self.room.spilled().give_back(offset, bytes),
            }
        }
        show(&part.open);
        self.room.recycle(part.open);
        Ok(())
    }

    fn show(
        &self,
        block: &SpillBlock,
        buffer: &mut Vec<u8>,
        show: &mut impl FnMut(&[u8]),
    ) -> Result<(), FileError> {
        match block {
            SpillBlock::Memory(bytes) => show(bytes),
            SpillBlock::Disk { offset, bytes } => {
                buffer.resize(*bytes, 0);
                self.room.spilled().read(*offset, buffer)?;
                show(buffer);
            }
        }
        Ok(())
    }

    fn lock(&self, part: usize) -> std::sync::MutexGuard<'_, SpillPart> {
        self.all[part].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Rows on the way to their partitions.
#[derive(Debug)]
pub struct PartitionWriter<'a> {
    to: &'a Spill,
    rows: Vec<(Vec<u8>, u64)>,
    /// The bytes that a partition is expected to get.
    expected: usize,
}

impl<'a> PartitionWriter<'a> {
    /// Makes a writer for about `bytes` bytes of rows.
    #[must_use]
    pub fn new(to: &'a Spill, bytes: usize) -> Self {
        assert!(to.count() > 0, "rows have a part to go to");
        Self { to, rows: vec![(Vec::new(), 0); to.count()], expected: bytes / to.count() * 5 / 4 }
    }

    /// The buffer for the next row of a partition.
    pub fn to(&mut self, part: usize) -> &mut Vec<u8> {
        let (bytes, rows) = &mut self.rows[part];
        // The caller before has written its row.
        assert_eq!(bytes.is_empty(), *rows == 0, "a row that was asked for is written");
        if *rows == 0 {
            bytes.reserve(self.expected);
        }
        *rows += 1;
        bytes
    }

    /// Hands the rows over.
    ///
    /// # Errors
    /// As [`Spill::push`].
    pub fn push(self) -> Result<(), FileError> {
        let mut full = self.rows.iter().enumerate().filter(|(_, (_, rows))| *rows > 0);
        full.try_for_each(|(part, (bytes, rows))| self.to.push(part, bytes, *rows))
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        for part in &mut self.all {
            let part = std::mem::take(part.get_mut().unwrap_or_else(PoisonError::into_inner));
            for block in part.blocks {
                if let SpillBlock::Memory(bytes) = block {
                    self.room.give_back(bytes);
                }
            }
            self.room.recycle(part.open);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of all lengths come back in their order, whether there is room for all, for some or for
    /// none.
    #[test]
    fn what_is_pushed_comes_back() {
        let limits = |block: usize| [usize::MAX, 8 * block, 0].map(|limit| (block, limit));
        for (block, limit) in [BLOCK, SMALL_BLOCK].into_iter().flat_map(limits) {
            let folder = std::env::temp_dir();
            let room = SpillRoom::with_blocks(block, limit, &folder);
            let parts = Spill::new(3, &room);
            let row = |n: usize| {
                vec![
                    u8::try_from(n % 251).expect("below 251");
                    n * 37 % 3000 + usize::from(n == 500) * 2 * BLOCK
                ]
            };
            for n in 0..3000 {
                parts.push(n % 3, &row(n), 1).expect("room on disk");
            }
            for part in 0..3 {
                let expected: Vec<u8> = (0..3000).filter(|n| n % 3 == part).flat_map(row).collect();
                for take in [false, true] {
                    let mut found = Vec::new();
                    let show = |bytes: &[u8]| found.extend_from_slice(bytes);
                    if take { parts.take(part, show) } else { parts.read(part, show) }
                        .expect("it can be read");
                    assert_eq!(found, expected, "blocks of {block}, limit {limit}, part {part}");
                }
                assert_eq!(parts.rows(part), 0);
            }
            assert_eq!(room.used.load(Ordering::Relaxed), 0, "all room is given back");
        }
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let room = SpillRoom::new(0, Path::new("/nowhere/at/all"));
        let parts = Spill::new(1, &room);
        let pushed = (0..3).try_for_each(|_| parts.push(0, &vec![7; BLOCK], 1));
        assert!(pushed.expect_err("no folder").problem.contains("cannot be made"));
    }
}
