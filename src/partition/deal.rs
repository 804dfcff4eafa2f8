//! The partitioner: deals out a night's records so that a family is never split.
//!
//! ```text
//! Calls, block by block ──add──▶ part of hash(family key) ──finish──▶ Partitions: parts, and what is to be moved
//!                                key: the parent's id of a child, else its own
//! ```
//!
//! The key brings a root and its children together. A child has two keys if it is itself a parent
//! (a chain), or if its versions name two parents. A Bloom filter over all keys and a list of the
//! children's ids find such children; their families are moved to one extra partition, which is
//! settled last.
//!
//! **Invariant:** records of one id, of one parent, and of one chain come to one partition,
//! whatever the number of partitions; whether a record is on disk or in memory changes no output.
//! The hash that deals records out is random per process.
//!
//! # Why
//! One join over all columns of ten million calls needed 1.4 GiB, and missed the cache at every
//! step. A partition of some thousand calls stays in the cache of the core that works on it, and
//! reuses the memory of the partition before it: the kernel clears memory on first touch, which was
//! up to a third of a run. With partitions of 16,384 instead of 65,536, and pieces of 8,192 instead
//! of 32,768, a million calls take 330 MiB instead of 540 and 12 to 30 % less CPU (1 to 5 % less
//! outside the kernel); partitions of 4,096 take another 3 % off. (All measured, on two cores.)

use crate::call::{Calls, NONE};
use crate::clock::{InARow, Starts};
use crate::fit::must_fit;
use crate::inputs::file::FileError;
use crate::packed::{SharedTexts, TextIds, pack, unpack};
use crate::partition::spill::{Spill, SpillRoom};
use crate::sid::{Sid, SidText};
use crate::time::Micros;
use rayon::prelude::*;
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::sync::Arc;
use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128};

/// The calls that a partition is meant to hold, so that it and its join stay in the cache of a
/// core. From four million calls on, partitions grow with the night, as there are at most
/// [`MOST_PARTS`]: of ten million calls each has 9,765.
const CALLS_A_PART: u64 = 1 << 12;
/// A night of fewer calls than this is one partition.
const CALLS_OF_ONE_PART: u64 = 20_000;
/// The bytes of a packed call, about.
const BYTES_A_CALL: u64 = 110;
/// The fewest partitions, if more than one: a few for each core.
const FEWEST_PARTS: u64 = 8;
/// The most partitions: each has a block open (of 16 KiB, as they are many), and each block of the
/// input has rows for each.
const MOST_PARTS: u64 = 1024;
/// The most pieces of booked calls: each has three such blocks open, and each partition has rows
/// for each piece.
const MOST_PIECES: u64 = 1024;
/// One record in this many is sampled for its start.
const SAMPLE: u32 = 256;

/// Facts about all records together.
#[derive(Debug, Clone, Default)]
pub struct NightFacts {
    /// The number of records.
    pub records: u32,
    /// The starts of the sound ones.
    pub starts: Starts,
    /// A sum over the content and price of the new ones, the same in any order.
    pub digest: u128,
}

/// The start and the id of a sampled call: one record in 256.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sampled {
    /// The start.
    pub start: Micros,
    /// The id's text, as the log is sorted by it.
    pub text: Box<str>,
    /// The id.
    pub sid: Sid,
}

/// Deals records out.
///
/// # Why a piece waits
/// Pieces go to their partitions one after the other, on one core. The pieces of the blocks before
/// wait for that until the next blocks are at hand: the other cores parse and pack them meanwhile.
#[derive(Debug)]
pub struct Partitioner {
    rule: DealRule,
    texts: SharedTexts,
    /// The number of records so far.
    records: u32,
    /// The fingerprints of the retried records without an id.
    waits: HashSet<u64>,
    /// Pieces that are to go to their partitions.
    pending: Vec<DealtPiece>,
    dealt: DealtRecords,
}

/// The rule by which a record finds its partition.
#[derive(Debug, Clone, Copy)]
struct DealRule {
    /// The number of partitions.
    parts: usize,
    /// The number of retried records (from the suspense), which come first.
    retried: u32,
    seed: u64,
}

/// The records that are in their partitions.
#[derive(Debug)]
struct DealtRecords {
    parts: Spill,
    facts: NightFacts,
    keys: Filter,
    /// Each child's own id and its parent's, hashed.
    children: Vec<(u64, u64)>,
    sample: Vec<Sampled>,
}

/// One block of calls, dealt out.
#[derive(Debug, Default)]
struct DealtPiece {
    /// Packed records, partition by partition.
    bytes: Vec<u8>,
    /// For each partition in turn: the end of its bytes, and the number of its records.
    ends: Vec<(usize, u64)>,
    /// The hashed keys of the records.
    keys: Vec<u64>,
    children: Vec<(u64, u64)>,
    facts: NightFacts,
    sample: Vec<Sampled>,
}

impl Partitioner {
    /// The number of partitions for about `expected` records. `part_bytes` is the most that a
    /// partition should have, packed.
    #[must_use]
    pub fn parts(expected: u64, part_bytes: u64) -> usize {
        let most_calls = (part_bytes / BYTES_A_CALL).max(1);
        if expected < CALLS_OF_ONE_PART.min(most_calls) {
            return 1;
        }
        let parts = (expected / CALLS_A_PART.min(most_calls)).clamp(FEWEST_PARTS, MOST_PARTS);
        usize::try_from(parts).expect("no more than MOST_PARTS")
    }

    /// Makes a partitioner for about `expected` records and `parts` partitions. The first `retried`
    /// records come from the suspense.
    #[must_use]
    pub fn new(expected: u64, parts: usize, retried: usize, room: &Arc<SpillRoom>) -> Self {
        let rule = DealRule {
            parts,
            retried: must_fit(retried, "records are counted in 32 bits"),
            seed: RandomState::new().hash_one(0),
        };
        let dealt = DealtRecords {
            parts: Spill::new(parts, room),
            facts: NightFacts::default(),
            keys: Filter::new(if parts == 1 { 0 } else { expected }),
            children: Vec::new(),
            sample: Vec::new(),
        };
        let (texts, waits, pending) = (SharedTexts::default(), HashSet::new(), Vec::new());
        Self { rule, texts, records: 0, waits, pending, dealt }
    }

    /// Takes the next records, in their order.
    ///
    /// # Errors
    /// If there is no room for those before.
    pub fn add(&mut self, mut blocks: Vec<Calls>) -> Result<(), FileError> {
        // Some at a time: their packed rows are a second copy of them.
        let at_once = 4 * rayon::current_num_threads();
        while !blocks.is_empty() {
            let later = blocks.split_off(at_once.min(blocks.len()));
            self.add_some(std::mem::replace(&mut blocks, later))?;
        }
        Ok(())
    }

    fn add_some(&mut self, blocks: Vec<Calls>) -> Result<(), FileError> {
        let rule = self.rule;
        let mut first = self.records;
        let numbered: Vec<(Calls, u32, TextIds)> = blocks
            .into_iter()
            .map(|calls| {
                let ids = self.texts.absorb(&calls);
                let number = first;
                first += must_fit::<_, u32>(calls.len(), "records are counted in 32 bits");
                (calls, number, ids)
            })
            .collect();
        for (calls, first, _) in numbered.iter().filter(|(_, first, _)| *first < rule.retried) {
            let waits = (0..calls.len())
                .zip(*first..rule.retried)
                .filter(|(record, _)| calls.sid[*record].is_empty());
            self.waits.extend(waits.map(|(record, _)| calls.content[record]));
        }
        let pieces = self.beside(|| -> Vec<DealtPiece> {
            numbered.par_iter().map(|(calls, first, ids)| rule.piece(calls, *first, ids)).collect()
        })?;
        self.pending = pieces;
        self.records = first;
        Ok(())
    }

    /// Does other work while the pieces that wait go to their partitions.
    ///
    /// # Errors
    /// If there is no room for them.
    pub fn beside<T: Send>(&mut self, work: impl FnOnce() -> T + Send) -> Result<T, FileError> {
        let (pending, dealt) = (std::mem::take(&mut self.pending), &mut self.dealt);
        let (taken, done) = rayon::join(|| dealt.take(pending), work);
        taken.map(|()| done)
    }

    /// The number of records so far.
    #[must_use]
    pub fn records(&self) -> u32 {
        self.records
    }

    /// Ends the dealing out.
    ///
    /// # Errors
    /// If there is no room for the last records.
    pub fn finish(mut self) -> Result<Partitions, FileError> {
        self.beside(|| ())?;
        let DealtRecords { parts, mut facts, keys, mut children, mut sample } = self.dealt;
        facts.records = self.records;
        children.par_sort_unstable();
        let several_parents = |group: &[(u64, u64)]| group.first() != group.last();
        let moved: Vec<u64> = children
            .chunk_by(|a, b| a.0 == b.0)
            .filter(|group| keys.may_have(group[0].0) || several_parents(group))
            .map(|group| group[0].0)
            .collect();
        let moved = Hashes::new(moved);
        sample.par_sort_unstable();
        let (waits, seed) = (Arc::new(self.waits), self.rule.seed);
        Ok(Partitions { parts, texts: self.texts, facts, waits, seed, moved, sample })
    }
}

impl DealtRecords {
    /// Puts pieces into the partitions, in their order.
    fn take(&mut self, pieces: Vec<DealtPiece>) -> Result<(), FileError> {
        for mut piece in pieces {
            assert_eq!(
                piece.ends.len(),
                self.parts.count(),
                "a piece says of each part what it gets"
            );
            let mut start = 0;
            for (part, (end, rows)) in piece.ends.iter().enumerate() {
                if *rows > 0 {
                    self.parts.push(part, &piece.bytes[start..*end], *rows)?;
                }
                start = *end;
            }
            assert_eq!(start, piece.bytes.len(), "all of a piece is dealt out");
            piece.keys.iter().for_each(|key| self.keys.insert(*key));
            self.children.append(&mut piece.children);
            self.sample.append(&mut piece.sample);
            self.facts.starts.merge(&piece.facts.starts);
            self.facts.digest = self.facts.digest.wrapping_add(piece.facts.digest);
        }
        Ok(())
    }
}

impl DealRule {
    /// The partition of a hash: its upper bits; the Bloom filter takes the lower ones.
    fn part(self, hash: u64) -> usize {
        must_fit((u128::from(hash) * self.parts as u128) >> 64, "the number of a part fits memory")
    }

    fn piece(self, calls: &Calls, first: u32, ids: &TextIds) -> DealtPiece {
        let mut piece = DealtPiece::default();
        let mut starts = InARow::new(&mut piece.facts.starts);
        for (record, number) in (0..calls.len()).zip(first..) {
            if calls.reason[record].is_none() {
                starts.add(calls.start[record]);
            }
            if number >= self.retried {
                let mut bytes = [0; 16];
                bytes[..8].copy_from_slice(&calls.content[record].to_le_bytes());
                bytes[8..].copy_from_slice(&calls.price[record].hash().to_le_bytes());
                piece.facts.digest = piece.facts.digest.wrapping_add(xxh3_128(&bytes));
            }
            if number % SAMPLE == 0 {
                let text = calls.sid_text(record).to_string().into();
                piece.sample.push(Sampled {
                    start: calls.start[record],
                    text,
                    sid: calls.sid[record],
                });
            }
        }
        drop(starts);
        self.deal(calls, first, ids, &mut piece);
        piece
    }

    /// Packs the records partition by partition, into one buffer.
    fn deal(self, calls: &Calls, first: u32, ids: &TextIds, piece: &mut DealtPiece) {
        let count = self.parts;
        piece.bytes.reserve(calls.len() * 116);
        if count == 1 {
            (0..calls.len())
                .zip(first..)
                .for_each(|(record, number)| pack(calls, record, number, ids, &mut piece.bytes));
            piece.ends.push((piece.bytes.len(), calls.len() as u64));
            return;
        }
        let mut part_of = Vec::with_capacity(calls.len());
        piece.keys.reserve(calls.len());
        for (record, number) in (0..calls.len()).zip(0..) {
            let key = family_key(calls, record);
            // Records without an id match nothing in their partition: the suspended ones are known
            // to all partitions (`Partitions::waits`). So each is dealt out by a key of its own;
            // two million lines of one text once were one partition.
            let hash = if key.is_empty() {
                xxh3_64_with_seed(&(first + number).to_le_bytes(), self.seed)
            } else {
                hash(key, self.seed)
            };
            piece.keys.push(hash);
            if calls.child[record] != NONE && !calls.sid[record].is_empty() {
                piece.children.push((self::hash(calls.sid[record], self.seed), hash));
            }
            part_of.push(self.part(hash));
        }
        let (order, ends) = by_part(&part_of, count);
        let mut start = 0;
        for end in ends {
            for record in &order[start..end] {
                pack(calls, *record as usize, first + record, ids, &mut piece.bytes);
            }
            piece.ends.push((piece.bytes.len(), (end - start) as u64));
            start = end;
        }
        assert_eq!(start, calls.len(), "each record goes to one part");
    }
}

/// The records part by part, each part's in their order, and the end of each part: a counting sort,
/// as a list for each part would be a thousand allocations for every block of the input.
fn by_part(part_of: &[usize], parts: usize) -> (Vec<u32>, Vec<usize>) {
    let mut ends = vec![0; parts];
    for part in part_of {
        ends[*part] += 1;
    }
    let mut next = Vec::with_capacity(parts);
    let mut end = 0;
    for of_part in &mut ends {
        next.push(end);
        end += *of_part;
        *of_part = end;
    }
    let mut order = vec![0; part_of.len()];
    for (record, part) in (0..).zip(part_of) {
        order[next[*part]] = record;
        next[*part] += 1;
    }
    (order, ends)
}

/// The key of a family: the parent's id of a child, else its own.
fn family_key(calls: &Calls, record: usize) -> Sid {
    calls.child_of(record).map_or(calls.sid[record], |child| child.parent)
}

/// A hash of an id, random per process: an attacker who chooses ids must not be able to fill one
/// partition.
fn hash(sid: Sid, seed: u64) -> u64 {
    xxh3_64_with_seed(&sid.0.to_le_bytes(), seed)
}

/// All records of a night, dealt out.
#[derive(Debug)]
pub struct Partitions {
    parts: Spill,
    /// The texts that all partitions share.
    pub texts: SharedTexts,
    /// Facts about all records.
    pub facts: NightFacts,
    /// The fingerprints of the retried records without an id.
    pub waits: Arc<HashSet<u64>>,
    seed: u64,
    /// The hashed ids of the children whose families are settled last.
    moved: Hashes,
    /// The sampled starts, sorted.
    sample: Vec<Sampled>,
}

impl Partitions {
    /// The number of partitions, without the extra one for moved families.
    #[must_use]
    pub fn count(&self) -> usize {
        self.parts.count()
    }

    /// The number of records of a partition, before any is moved.
    #[must_use]
    pub fn rows(&self, part: usize) -> u64 {
        self.parts.rows(part)
    }

    /// Finds the split points of the booked calls, by start and by id: each piece has about `rows`
    /// rows, or more if there would be too many pieces.
    #[must_use]
    pub fn bounds(&mut self, rows: u64) -> SplitPoints {
        let pieces = u64::from(self.facts.records).div_ceil(rows).clamp(1, MOST_PIECES);
        let pieces: usize = must_fit(pieces, "pieces are at most MOST_PIECES");
        let sample = std::mem::take(&mut self.sample);
        let mut sids: Vec<Sid> = sample.iter().map(|sampled| sampled.sid).collect();
        sids.par_sort_unstable();
        let cut = |n: usize| sample.len() * n / pieces;
        let mut starts: Vec<Sampled> =
            (1..pieces).filter_map(|n| sample.get(cut(n)).cloned()).collect();
        let mut sids: Vec<Sid> = (1..pieces).filter_map(|n| sids.get(cut(n)).copied()).collect();
        starts.dedup();
        sids.dedup();
        SplitPoints::new(starts, sids)
    }

    /// The partitions in groups of about `records` records.
    #[must_use]
    pub fn groups(&self, records: u64) -> Vec<Range<usize>> {
        let (mut groups, mut start, mut sum) = (Vec::new(), 0, 0);
        for part in 0..self.count() {
            if sum > 0 && sum + self.rows(part) > records {
                groups.push(start..part);
                (start, sum) = (part, 0);
            }
            sum += self.rows(part);
        }
        groups.push(start..self.count());
        groups
    }

    /// Reads the records of a partition; they stay.
    ///
    /// # Errors
    /// If they cannot be read back.
    pub fn look(&self, part: usize) -> Result<Calls, FileError> {
        let mut calls = self.texts.no_calls();
        let rows = must_fit(self.rows(part), "the records of a part fit memory");
        calls.reserve(rows);
        self.parts.read(part, |bytes| unpack(bytes, &mut calls))?;
        assert_eq!(calls.len(), rows, "a part has the records that were dealt to it");
        Ok(calls)
    }

    /// Takes the records of a partition.
    ///
    /// # Errors
    /// If they cannot be read back.
    pub fn take(&self, part: usize) -> Result<Part, FileError> {
        let mut calls = self.texts.no_calls();
        let rows = must_fit(self.rows(part), "the records of a part fit memory");
        calls.reserve(rows);
        self.parts.take(part, |bytes| unpack(bytes, &mut calls))?;
        assert_eq!(calls.len(), rows, "a part has the records that were dealt to it");
        let mut part = Part { calls, away: Vec::new(), moved: Vec::new() };
        if !self.moved.all.is_empty() {
            part.move_families(&self.moved, |sid| hash(sid, self.seed));
        }
        Ok(part)
    }

    /// The records that were moved out of all partitions, packed in their order.
    #[must_use]
    pub fn in_order(&self, packed: Vec<Vec<u8>>) -> Vec<u8> {
        let mut mixed = self.texts.no_calls();
        for bytes in packed {
            unpack(&bytes, &mut mixed);
        }
        let mut order: Vec<usize> = (0..mixed.len()).collect();
        order.sort_unstable_by_key(|record| mixed.number[*record]);
        assert!(
            order.is_sorted_by(|a, b| mixed.number[*a] < mixed.number[*b]),
            "no record is moved twice"
        );
        let (ids, mut sorted) = (TextIds::same(&mixed), Vec::new());
        for record in order {
            pack(&mixed, record, mixed.number[record], &ids, &mut sorted);
        }
        sorted
    }

    /// Makes a partition of packed records.
    #[must_use]
    pub fn unpacked(&self, packed: &[u8]) -> Part {
        let mut calls = self.texts.no_calls();
        unpack(packed, &mut calls);
        Part { calls, away: Vec::new(), moved: Vec::new() }
    }
}

/// The split points of booked calls: the bounds of each piece.
///
/// The numbers alone nearly always decide, and without a mispredicted branch: with the texts among
/// them the comparison took 2 % of a run.
#[derive(Debug, Clone, Default)]
pub struct SplitPoints {
    /// The start of the first call of each piece but the first.
    starts: Vec<Micros>,
    /// The texts of those calls' ids.
    texts: Vec<Box<str>>,
    /// The first id of each piece but the first.
    sids: Vec<Sid>,
    /// By the upper bits of an id: the number of split points below all ids with these bits.
    below: Vec<u32>,
}

impl SplitPoints {
    /// The number of leading bits of an id that narrow the search to nearly its piece.
    const LEADING: u32 = 12;

    fn new(starts: Vec<Sampled>, sids: Vec<Sid>) -> Self {
        let count_below = |bits: u128| {
            sids.partition_point(|bound| bound.0 >> (u128::BITS - Self::LEADING) < bits)
        };
        let below = (0..=1 << Self::LEADING)
            .map(|bits| must_fit(count_below(bits), "pieces are counted in 32 bits"))
            .collect();
        assert!(starts.is_sorted() && sids.is_sorted(), "bounds are in order");
        let (starts, texts) = starts.into_iter().map(|bound| (bound.start, bound.text)).unzip();
        Self { starts, texts, sids, below }
    }

    /// Split points at some starts, which ascend, and at some ids, which ascend.
    #[must_use]
    pub fn at(starts: Vec<Micros>, sids: Vec<Sid>) -> Self {
        // A call that starts with a piece belongs to it, whatever its id.
        let sampled = |start| Sampled { start, text: "".into(), sid: Sid::EMPTY };
        Self::new(starts.into_iter().map(sampled).collect(), sids)
    }

    /// The same starts, and other ids, which ascend.
    #[must_use]
    pub fn with_sids(self, sids: Vec<Sid>) -> Self {
        let Self { starts, texts, .. } = self;
        Self { starts, texts, ..Self::new(Vec::new(), sids) }
    }

    /// The number of pieces by start.
    #[must_use]
    pub fn count_by_start(&self) -> usize {
        self.starts.len() + 1
    }

    /// The number of pieces by id.
    #[must_use]
    pub fn count_by_sid(&self) -> usize {
        self.sids.len() + 1
    }

    /// The piece of a call: by start and then by the text of the id.
    #[must_use]
    pub fn of_start<'a>(&self, start: Micros, sid: impl Fn() -> SidText<'a>) -> usize {
        let below = self.starts.partition_point(|bound| *bound < start);
        if self.starts.get(below) != Some(&start) {
            return below;
        }
        // Few calls start in the same microsecond as a bound: only they are compared by text.
        let same = self.starts[below..].partition_point(|bound| *bound == start);
        let text = sid().to_string();
        below + self.texts[below..below + same].partition_point(|bound| **bound <= *text)
    }

    /// The piece of an id.
    #[must_use]
    pub fn of_sid(&self, sid: Sid) -> usize {
        let bits =
            must_fit::<_, usize>(sid.0 >> (u128::BITS - Self::LEADING), "twelve bits fit memory");
        // Without bounds all is one piece.
        let Some([below, end]) = self.below.get(bits..bits + 2) else { return 0 };
        let (below, end) = (*below as usize, *end as usize);
        below + self.sids[below..end].partition_point(|bound| *bound <= sid)
    }
}

/// The records of a partition.
#[derive(Debug)]
pub struct Part {
    /// The records, in their order.
    pub calls: Calls,
    /// True for each record that is counted elsewhere; empty if none is. Such records are whole
    /// families, so that the others are settled as if these were not here.
    pub away: Vec<bool>,
    /// The records that are counted elsewhere, packed.
    pub moved: Vec<u8>,
}

impl Part {
    /// True if a record is counted elsewhere.
    #[must_use]
    pub fn is_away(&self, record: usize) -> bool {
        self.away.get(record).is_some_and(|away| *away)
    }

    fn move_families(&mut self, moved: &Hashes, hash: impl Fn(Sid) -> u64) {
        let calls = &self.calls;
        // The keys that a moved child links: its own id, and its parent's.
        let mut keys: HashSet<Sid> = HashSet::new();
        let mut hashes = Vec::with_capacity(calls.len());
        for record in 0..calls.len() {
            let (sid, key) = (calls.sid[record], family_key(calls, record));
            let hash_of_sid = hash(sid);
            if !sid.is_empty() && moved.have(hash_of_sid) {
                keys.extend([sid, key]);
            }
            hashes.push(if key == sid { hash_of_sid } else { hash(key) });
            if key != sid && moved.have(hashes[record]) {
                keys.insert(key);
            }
        }
        if keys.is_empty() {
            return;
        }
        let hashes_of_keys = Hashes::new(keys.iter().map(|key| hash(*key)).collect());
        let is_away = |record: usize| {
            hashes_of_keys.have(hashes[record]) && keys.contains(&family_key(calls, record))
        };
        assert_eq!(hashes.len(), calls.len(), "a hash for each record");
        self.away = (0..calls.len()).map(is_away).collect();
        let ids = TextIds::same(calls);
        for record in (0..calls.len()).filter(|record| self.away[*record]) {
            pack(calls, record, calls.number[record], &ids, &mut self.moved);
        }
    }
}

/// A set of hashes that hardly any record is in: one word of a Bloom filter rejects nearly all (a
/// `HashSet` alone took 2 % of a run).
#[derive(Debug)]
struct Hashes {
    /// Sorted.
    all: Vec<u64>,
    filter: Filter,
}

impl Hashes {
    fn new(mut all: Vec<u64>) -> Self {
        all.sort_unstable();
        let mut filter = Filter::new(all.len() as u64);
        for hash in &all {
            filter.insert(*hash);
        }
        Self { all, filter }
    }

    fn have(&self, hash: u64) -> bool {
        self.filter.may_have(hash) && self.all.binary_search(&hash).is_ok()
    }
}

/// A Bloom filter: its "no" is certain, its "yes" is wrong for about one key in a hundred.
///
/// A key is in one word of 64 bits: a single cache miss. One thread inserts, because an atomic
/// operation stalls on its miss, and plain ones overlap.
#[derive(Debug)]
struct Filter(Vec<u64>);

impl Filter {
    /// Makes a filter for `keys` keys: 16 bits each.
    fn new(keys: u64) -> Self {
        let words: usize = must_fit(keys.div_ceil(4), "the words of a filter fit memory");
        Self(vec![0; words.next_power_of_two()])
    }

    /// The word of a key, and its four bits there. (The upper bits of the hash have chosen the
    /// partition.)
    fn place(&self, hash: u64) -> (usize, u64) {
        let bits = (0..4).fold(0, |bits, n| bits | 1_u64 << (hash >> (6 * n) & 63));
        (must_fit::<_, usize>(hash >> 24, "a hash fits memory") & (self.0.len() - 1), bits)
    }

    fn insert(&mut self, hash: u64) {
        let (word, bits) = self.place(hash);
        self.0[word] |= bits;
    }

    fn may_have(&self, hash: u64) -> bool {
        let (word, bits) = self.place(hash);
        self.0[word] & bits == bits
    }
}
