//! The ids of a run: two files of fixed width, in one order; and a third, which finds the children
//! of a call.
//!
//! ```text
//! ids/part-0.bin       n × 16 bytes   ids, big-endian, ascending
//! ids/rest-0.bin       n × 24 bytes   of each: fingerprint, carrier's price, UTC day, row in that day's part of the log
//! ids/children-0.bin   m × 24 bytes   of each child in the log: id of its root, UTC day, row; ascending
//! ```
//!
//! # Why
//! Every night sweeps the ids of every run, and `rerate` looks up one of them. As Parquet this cost
//! three times the CPU of thirty nights' ids and 80 MiB (measured with 30 nights of 100,000 calls);
//! in this format a sweep reads and hashes 16 bytes a call, a search reads a handful of places, and
//! nothing stays in memory.
//!
//! A child may start long after its parent and be booked by any later run: no range of days holds
//! all children of a call (only the start is bounded, by `child-before-parent`). Without their own
//! file a search reads the `parent_call_sid` of the whole log, which for thirty nights of a million
//! calls takes seconds; the file is 4 MB of such a night.

use crate::fit::must_fit;
use crate::inputs::file::FileError;
use crate::ledger::error::{RESTORE, unread};
use crate::radix_sort;
use crate::sid::Sid;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};

const ID_BYTES: u64 = 16;
const REST_BYTES: u64 = 24;
/// Bytes of a row of [`IDS`], [`REST`] and [`CHILDREN`].
pub const WIDTHS: [u64; 3] = [ID_BYTES, REST_BYTES, CHILD_BYTES];
/// The number of ids that are read at a time.
const AT_ONCE: u64 = 1 << 14;
/// UTC days that a call may have: 1970 to 2199, and what an offset adds.
const DAYS: RangeInclusive<i32> = -1..=84_006;
/// Marks "no price" and "no place".
const NO_PRICE: i64 = i64::MIN;
const NO_ROW: u32 = u32::MAX;

/// A call of a run: its place in the log, and the fields that tell a copy of it from another
/// version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdRow {
    /// Its id.
    pub sid: Sid,
    /// Its fingerprint.
    pub content: u64,
    /// The carrier's price, in units of 10⁻¹⁰.
    pub price: Option<i64>,
    /// The UTC day of its file of the log and its row there; `None` if the call is ignored.
    pub place: Option<(i32, u32)>,
}

/// The folder of these files.
pub const FOLDER: &str = "ids/";
/// The name of the file of ids.
pub const IDS: &str = "ids/part-0.bin";
/// The name of the file with the other fields of each id.
pub const REST: &str = "ids/rest-0.bin";

/// Bytes of a packed row.
const PACKED: usize = 40;

impl IdRow {
    /// Appends the packed row to `out`.
    pub fn pack(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.sid.0.to_be_bytes());
        out.extend_from_slice(&self.rest());
    }

    /// The fields besides the id.
    fn rest(&self) -> [u8; 24] {
        let (day, row) = self.place.unwrap_or((0, NO_ROW));
        let mut rest = [0; 24];
        rest[..8].copy_from_slice(&self.content.to_be_bytes());
        rest[8..16].copy_from_slice(&self.price.unwrap_or(NO_PRICE).to_be_bytes());
        rest[16..20].copy_from_slice(&day.to_be_bytes());
        rest[20..].copy_from_slice(&row.to_be_bytes());
        rest
    }
}

/// Sorts packed rows. Returns the bytes of the two files and the number of rows; of an ignored id
/// one row is kept.
#[must_use]
pub fn sorted(packed: &[u8]) -> (Vec<u8>, Vec<u8>, u64) {
    let (rows, cut) = packed.as_chunks::<PACKED>();
    assert!(cut.is_empty(), "ids are packed whole");
    let key = |row: &[u8; PACKED]| {
        let (sid, rest) = row.split_first_chunk::<16>().expect("a row has an id");
        let (longs, _) = rest.as_chunks::<8>();
        let ignored = longs[2].ends_with(&NO_ROW.to_be_bytes());
        // The ignored row of an id comes first.
        (u128::from_be_bytes(*sid), !ignored, longs[2], longs[0])
    };
    let mut keys: Vec<(u128, u32)> =
        (0..).zip(rows).map(|(number, row)| (key(row).0, number)).collect();
    radix_sort::sort(&mut keys, |(sid, _)| *sid, Ord::cmp);
    keys.chunk_by_mut(|a, b| a.0 == b.0)
        .filter(|same| same.len() > 1)
        .for_each(|same| same.sort_unstable_by_key(|(_, n)| key(&rows[*n as usize])));
    keys.dedup_by(|a, b| a.0 == b.0 && !key(&rows[a.1 as usize]).1 && !key(&rows[b.1 as usize]).1);
    let (mut ids, mut rest) =
        (Vec::with_capacity(keys.len() * 16), Vec::with_capacity(keys.len() * 24));
    for (_, number) in &keys {
        let (id, beside) = rows[*number as usize].split_at(16);
        ids.extend_from_slice(id);
        rest.extend_from_slice(beside);
    }
    assert_eq!(
        (ids.len() / 16, rest.len() / 24),
        (keys.len(), keys.len()),
        "an id and what stands beside it for each row"
    );
    (ids, rest, keys.len() as u64)
}

/// A child in the log of a run: its root, which the log names as its parent, and its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChildRow {
    /// The id of its root.
    pub root: Sid,
    /// The UTC day of its file of the log.
    pub day: i32,
    /// Its row there.
    pub row: u32,
}

/// The name of the file of children. Every run that booked calls has it, even without any child;
/// runs older than this file do not.
pub const CHILDREN: &str = "ids/children-0.bin";
const CHILD_BYTES: u64 = 24;

impl ChildRow {
    /// Appends the row to `out`, as the file has it.
    pub fn pack(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.root.0.to_be_bytes());
        out.extend_from_slice(&self.day.to_be_bytes());
        out.extend_from_slice(&self.row.to_be_bytes());
    }
}

/// Sorts packed children; returns their number.
#[must_use]
pub fn sort_children(packed: &mut [u8]) -> u64 {
    let (rows, cut) = packed.as_chunks_mut::<24>();
    assert!(cut.is_empty(), "children are packed whole");
    // Big-endian and never negative: the order of the bytes is that of the rows.
    radix_sort::sort(
        rows,
        |row| u128::from_be_bytes(*row.first_chunk().expect("24 bytes have 16")),
        Ord::cmp,
    );
    rows.len() as u64
}

/// The children of a run, opened for reading.
#[derive(Debug)]
pub struct ChildFile {
    path: PathBuf,
    file: File,
    /// The number of children.
    pub count: u64,
}

impl ChildFile {
    /// Opens the children of a run by its folder.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn open(run: &Path) -> Result<Self, FileError> {
        let (path, file, count) = open(run, CHILDREN, CHILD_BYTES)?;
        Ok(Self { path, file, count })
    }

    fn rows(&mut self, range: Range<u64>) -> Result<Vec<ChildRow>, FileError> {
        let mut bytes = room_for(&range, CHILD_BYTES);
        read(&self.path, &mut self.file, range.start * CHILD_BYTES, &mut bytes)?;
        let (rows, cut) = bytes.as_chunks::<24>();
        assert!(cut.is_empty(), "children are read whole");
        let row = |bytes: &[u8; 24]| {
            let (ints, _) = bytes.as_chunks::<4>();
            let root = u128::from_be_bytes(*bytes.first_chunk().expect("24 bytes have 16"));
            ChildRow {
                root: Sid(root),
                day: i32::from_be_bytes(ints[4]),
                row: u32::from_be_bytes(ints[5]),
            }
        };
        let rows: Vec<ChildRow> = rows.iter().map(row).collect();
        match rows.iter().find(|row| !DAYS.contains(&row.day)) {
            Some(row) => {
                Err(FileError::new(&self.path, format!("has the day {}, which is none", row.day))
                    .hint(RESTORE))
            }
            None => Ok(rows),
        }
    }

    /// All children.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn all(&mut self) -> Result<Vec<ChildRow>, FileError> {
        self.rows(0..self.count)
    }

    /// The children of one root: a binary search.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn find(&mut self, root: Sid) -> Result<Vec<ChildRow>, FileError> {
        let first = first_not_below(self.count, |at| Ok(self.rows(at..at + 1)?[0].root < root))?;
        rows_while(first..self.count, |at| Ok(self.rows(at..at + 1)?[0]), |row| row.root == root)
    }
}

/// A binary search: the first of `count` sorted places that is not below the target.
fn first_not_below(
    count: u64,
    mut is_below: impl FnMut(u64) -> Result<bool, FileError>,
) -> Result<u64, FileError> {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if is_below(middle)? {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// The rows from the first place on, as long as they match.
fn rows_while<T>(
    places: Range<u64>,
    mut row: impl FnMut(u64) -> Result<T, FileError>,
    is_it: impl Fn(&T) -> bool,
) -> Result<Vec<T>, FileError> {
    let mut found = Vec::new();
    for at in places {
        let row = row(at)?;
        if !is_it(&row) {
            break;
        }
        found.push(row);
    }
    Ok(found)
}

/// Opens a file of a run; returns the number of its rows of a width.
fn open(run: &Path, name: &str, width: u64) -> Result<(PathBuf, File, u64), FileError> {
    let path = run.join(name);
    let fail = |e: std::io::Error| unread(&path, &e);
    let file = File::open(&path).map_err(fail)?;
    let bytes = file.metadata().map_err(fail)?.len();
    if bytes % width == 0 {
        return Ok((path, file, bytes / width));
    }
    Err(FileError::new(&path, format!("has {bytes} bytes; expected a multiple of {width}"))
        .hint(RESTORE))
}

/// A buffer for some rows of a width.
fn room_for(rows: &Range<u64>, width: u64) -> Vec<u8> {
    vec![0; must_fit((rows.end - rows.start) * width, "some rows fit memory")]
}

fn read(path: &Path, file: &mut File, offset: u64, bytes: &mut [u8]) -> Result<(), FileError> {
    let read = file.seek(SeekFrom::Start(offset)).and_then(|_| file.read_exact(bytes));
    read.map_err(|e| unread(path, &e))
}

/// The ids of a run, opened for reading.
#[derive(Debug)]
pub struct IdFile {
    /// The path of the file of ids.
    pub path: PathBuf,
    ids: File,
    rest: File,
    /// The number of ids.
    pub count: u64,
}

impl IdFile {
    /// Opens the ids of a run by its folder.
    ///
    /// # Errors
    /// If the files cannot be read, or do not belong together.
    pub fn open(run: &Path) -> Result<Self, FileError> {
        let ((path, ids, count), (_, rest, others)) =
            (open(run, IDS, ID_BYTES)?, open(run, REST, REST_BYTES)?);
        if count != others {
            let problem = format!("has {count} ids, and {others} are described beside it");
            return Err(FileError::new(&path, problem).hint(RESTORE));
        }
        Ok(Self { path, ids, rest, count })
    }

    /// Some of the ids.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn sids(&mut self, range: Range<u64>) -> Result<Vec<Sid>, FileError> {
        let mut bytes = room_for(&range, ID_BYTES);
        read(&self.path, &mut self.ids, range.start * ID_BYTES, &mut bytes)?;
        let (ids, cut) = bytes.as_chunks::<16>();
        assert!(cut.is_empty(), "ids are read whole");
        Ok(ids.iter().map(|id| Sid(u128::from_be_bytes(*id))).collect())
    }

    /// Some of the rows.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn rows(&mut self, range: Range<u64>) -> Result<Vec<IdRow>, FileError> {
        let sids = self.sids(range.clone())?;
        let mut bytes = room_for(&range, REST_BYTES);
        read(&self.path, &mut self.rest, range.start * REST_BYTES, &mut bytes)?;
        let (rest, cut) = bytes.as_chunks::<24>();
        assert!(
            cut.is_empty() && rest.len() == sids.len(),
            "of each id is read what stands beside it"
        );
        let row = |(sid, rest): (Sid, &[u8; 24])| {
            let (longs, _) = rest.as_chunks::<8>();
            let (ints, _) = longs[2].as_chunks::<4>();
            let price = i64::from_be_bytes(longs[1]);
            let (day, row) = (i32::from_be_bytes(ints[0]), u32::from_be_bytes(ints[1]));
            IdRow {
                sid,
                content: u64::from_be_bytes(longs[0]),
                price: (price != NO_PRICE).then_some(price),
                place: (row != NO_ROW).then_some((day, row)),
            }
        };
        let rows: Vec<IdRow> = sids.into_iter().zip(rest).map(row).collect();
        match rows.iter().find(|row| row.place.is_some_and(|(day, _)| !DAYS.contains(&day))) {
            Some(row) => {
                let problem =
                    format!("has the day {:?}, which is none", row.place.map(|(day, _)| day));
                Err(FileError::new(&self.path, problem).hint(RESTORE))
            }
            None => Ok(rows),
        }
    }

    /// All rows, in ranges of a bounded size.
    pub fn ranges(&self) -> impl Iterator<Item = Range<u64>> + use<> {
        let count = self.count;
        (0..count.div_ceil(AT_ONCE)).map(move |at| at * AT_ONCE..((at + 1) * AT_ONCE).min(count))
    }

    /// The rows of one id: a binary search.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn find(&mut self, sid: Sid) -> Result<Vec<IdRow>, FileError> {
        let first = first_not_below(self.count, |at| Ok(self.sids(at..at + 1)?[0] < sid))?;
        rows_while(first..self.count, |at| Ok(self.rows(at..at + 1)?[0]), |row| row.sid == sid)
    }

    /// The rows of the ids from `low` to `high`, as many as `most` at most: a binary search.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn between(&mut self, low: Sid, high: Sid, most: usize) -> Result<Vec<IdRow>, FileError> {
        let first = first_not_below(self.count, |at| Ok(self.sids(at..at + 1)?[0] < low))?;
        let end = self.count.min(first + most as u64);
        rows_while(first..end, |at| Ok(self.rows(at..at + 1)?[0]), |row| row.sid <= high)
    }

    /// The rows of some ids, sorted like the file: one walk over both.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn find_all(&mut self, wanted: &[Sid]) -> Result<Vec<IdRow>, FileError> {
        let mut next = 0;
        let mut found = Vec::new();
        for range in self.ranges() {
            let sids = self.sids(range.clone())?;
            let mut hits: Vec<usize> = Vec::new();
            for (at, sid) in sids.iter().enumerate() {
                while next < wanted.len() && wanted[next] < *sid {
                    next += 1;
                }
                if wanted.get(next) == Some(sid) {
                    hits.push(at);
                }
            }
            // For a few hits each row is read by itself, for many the whole range.
            if hits.len() > 64 {
                let rows = self.rows(range)?;
                found.extend(hits.into_iter().map(|at| rows[at]));
            } else {
                for at in hits {
                    let place = range.start + at as u64;
                    found.extend(self.rows(place..place + 1)?);
                }
            }
            if next == wanted.len() {
                break;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(sid: u128, place: Option<(i32, u32)>, price: Option<i64>) -> IdRow {
        IdRow { sid: Sid(sid), content: u64::try_from(sid % 97).unwrap_or_default(), price, place }
    }

    #[test]
    fn the_children_of_a_call_are_found() {
        let run = std::env::temp_dir().join(format!("trunkrate-children-{}", std::process::id()));
        std::fs::create_dir_all(run.join("ids")).expect("a folder");
        let child = |root: u128, day: i32, row: u32| ChildRow { root: Sid(root), day, row };
        let mut rows: Vec<ChildRow> =
            (1..1000_u32).rev().map(|n| child(u128::from(n) * 2, 20_000, n)).collect();
        rows.extend([child(500, 20_007, 1), child(500, 19_999, 3), child(u128::MAX, 0, 0)]);
        let mut file = Vec::new();
        for row in &rows {
            row.pack(&mut file);
        }
        assert_eq!(sort_children(&mut file), 1002);
        rows.sort_unstable();
        std::fs::write(run.join(CHILDREN), &file).expect("a file");
        let mut children = ChildFile::open(&run).expect("a file of children");
        let found = children.find(Sid(500)).expect("found");
        assert_eq!(found, [child(500, 19_999, 3), child(500, 20_000, 250), child(500, 20_007, 1)]);
        assert_eq!(children.find(Sid(501)).expect("nothing"), []);
        assert_eq!(children.find(Sid(u128::MAX)).expect("found"), [child(u128::MAX, 0, 0)]);
        assert_eq!(children.all().expect("all"), rows);
        std::fs::write(run.join(CHILDREN), &file[1..]).expect("a file");
        assert!(ChildFile::open(&run).is_err());
        std::fs::remove_dir_all(&run).expect("removed");
    }

    #[test]
    fn what_is_written_is_found() {
        let run = std::env::temp_dir().join(format!("trunkrate-ids-{}", std::process::id()));
        std::fs::create_dir_all(run.join("ids")).expect("a folder");
        let mut rows: Vec<IdRow> =
            (1..40_000_u32).rev().map(|n| row(u128::from(n) * 3, Some((-1, n)), None)).collect();
        rows.push(row(u128::MAX, None, Some(-7)));
        rows.push(row(30, None, Some(0)));
        let mut packed = Vec::new();
        rows.iter().chain([&row(30, None, Some(1))]).for_each(|row| row.pack(&mut packed));
        let (ids, rest, count) = sorted(&packed);
        rows.sort_unstable_by_key(|row| (row.sid, row.place));
        assert_eq!(count, 40_001, "of an ignored id one row is kept");
        std::fs::write(run.join(IDS), &ids).expect("a file");
        std::fs::write(run.join(REST), &rest).expect("a file");
        let mut file = IdFile::open(&run).expect("a file of ids");
        assert_eq!(file.count, 40_001);
        assert_eq!(
            file.find(Sid(30)).expect("found"),
            [row(30, None, Some(0)), row(30, Some((-1, 10)), None)]
        );
        assert_eq!(file.find(Sid(31)).expect("nothing"), []);
        assert_eq!(file.find(Sid(u128::MAX)).expect("found"), [row(u128::MAX, None, Some(-7))]);
        let wanted: Vec<Sid> = (0..100_000).map(|n| Sid(n * 2)).collect();
        let found = file.find_all(&wanted).expect("found");
        let expected: Vec<IdRow> =
            rows.iter().filter(|row| row.sid.0 % 2 == 0 && row.sid.0 < 200_000).copied().collect();
        assert_eq!(found, expected);
        let few = [Sid(3), Sid(4), Sid(119_997), Sid(u128::MAX)];
        assert_eq!(file.find_all(&few).expect("found").len(), 3);
        for broken in [&ids[1..], &ids[16..]] {
            std::fs::write(run.join(IDS), broken).expect("a file");
            assert!(IdFile::open(&run).is_err());
        }
        std::fs::remove_dir_all(&run).expect("removed");
    }
}
