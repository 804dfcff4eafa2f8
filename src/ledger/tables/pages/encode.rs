//! Encodes values as Parquet does, and compresses them by zstd.
//!
//! **Invariant:** pure. The same values give the same bytes on any thread, whatever was encoded
//! before.

use super::frames::Coded;
use super::scratch::{Search, compressed};
use crate::fit::must_fit;
use polars_parquet::parquet::encoding::bitpacked;

/// Values that the bit packer takes at a time.
const PACKED: usize = 32;

/// Deltas of a miniblock, and miniblocks of a block. Each miniblock has a bit width of its own.
const MINIBLOCK: usize = 64;
const MINIBLOCKS: usize = 4;

/// The number of bits that hold a value.
pub(crate) fn width(value: u32) -> u32 {
    u32::BITS - value.leading_zeros()
}

fn uleb(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

fn zigzag(out: &mut Vec<u8>, value: i64) {
    uleb(out, (value.wrapping_shl(1) ^ (value >> 63)).cast_unsigned());
}

/// The rows that have a value: a bit for each, from the lowest up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Present {
    bits: Vec<u8>,
    /// All rows.
    pub rows: usize,
    /// Rows with a value.
    pub count: usize,
}

impl Present {
    /// Every row has a value.
    pub fn all(rows: usize) -> Self {
        Self { bits: Vec::new(), rows, count: rows }
    }

    /// Packs one flag per row, eight at a time.
    pub fn of<T>(rows: &[T], present: impl Fn(&T) -> bool) -> Self {
        let mut count = 0;
        let bits = rows.chunks(8).map(|rows| {
            let byte = rows
                .iter()
                .enumerate()
                .fold(0, |byte: u8, (at, row)| byte | (u8::from(present(row)) << at));
            count += byte.count_ones() as usize;
            byte
        });
        let bits = bits.collect();
        Self { bits, rows: rows.len(), count }
    }

    /// True if a row has a value.
    pub fn has(&self, row: usize) -> bool {
        self.count == self.rows || self.bits[row / 8] >> (row % 8) & 1 == 1
    }

    /// Appends the definition levels. All present, all null, or longer stretches of either become
    /// runs: a column without nulls costs three or four bytes and no time.
    pub fn levels(&self, out: &mut Vec<u8>) {
        if self.count == self.rows || self.count == 0 {
            return run(out, self.rows, u32::from(self.count > 0), 1);
        }
        let (mut literal, mut at) = (0, 0);
        while at < self.bits.len() {
            let byte = self.bits[at];
            let same = self.bits[at..].iter().take_while(|other| **other == byte).count();
            if same >= 8 && (byte == 0 || byte == u8::MAX) {
                self.literal(literal..at, out);
                run(out, (same * 8).min(self.rows - at * 8), u32::from(byte != 0), 1);
                literal = at + same;
            }
            at += same;
        }
        self.literal(literal..at, out);
    }

    fn literal(&self, bytes: std::ops::Range<usize>, out: &mut Vec<u8>) {
        if !bytes.is_empty() {
            uleb(out, (bytes.len() as u64) << 1 | 1);
            out.extend_from_slice(&self.bits[bytes]);
        }
    }
}

/// One run of the hybrid encoding.
pub(crate) fn run(out: &mut Vec<u8>, length: usize, value: u32, width: u32) {
    uleb(out, (length as u64) << 1);
    out.extend_from_slice(&value.to_le_bytes()[..width.div_ceil(8) as usize]);
}

/// Encodes ids, each below 2^`width`, in the hybrid of runs and bit packing; `width` is 1 or more,
/// as not all readers accept 0.
pub(crate) fn hybrid(out: &mut Vec<u8>, ids: &[u32], width: u32) {
    // A run ends one stretch of packed ids and starts another, which takes some bytes.
    let worth = (64 / width as usize).max(8);
    let (mut packed, mut at) = (0, 0);
    while at < ids.len() {
        let group = &ids[at..(at + 8).min(ids.len())];
        if group.iter().fold(0, |other, id| other | (id ^ group[0])) == 0 {
            let length = ids[at..].iter().take_while(|id| **id == group[0]).count();
            if length >= worth || (packed == at && length == ids.len() - at) {
                pack_stretch(out, &ids[packed..at], width);
                run(out, length, group[0], width);
                at += length;
                packed = at;
                continue;
            }
        }
        at += group.len();
    }
    pack_stretch(out, &ids[packed..], width);
}

fn pack_stretch(out: &mut Vec<u8>, ids: &[u32], width: u32) {
    if ids.is_empty() {
        return;
    }
    let groups = ids.len().div_ceil(8);
    uleb(out, (groups as u64) << 1 | 1);
    let width = width as usize;
    let start = out.len();
    out.resize(start + ids.len().div_ceil(PACKED) * PACKED / 8 * width, 0);
    for (ids, bytes) in ids.chunks(PACKED).zip(out[start..].chunks_exact_mut(PACKED / 8 * width)) {
        if ids.len() == PACKED {
            bitpacked::encode_pack(ids, width, bytes);
        } else {
            let mut last = [0; PACKED];
            last[..ids.len()].copy_from_slice(ids);
            bitpacked::encode_pack(&last, width, bytes);
        }
    }
    out.truncate(start + groups * width);
}

/// Encodes integers as `DELTA_BINARY_PACKED`.
pub(crate) fn delta<T: Copy + Into<i64>>(out: &mut Vec<u8>, values: &[T]) {
    const BLOCK: usize = MINIBLOCK * MINIBLOCKS;
    uleb(out, BLOCK as u64);
    uleb(out, MINIBLOCKS as u64);
    uleb(out, values.len() as u64);
    let Some((first, rest)) = values.split_first() else { return zigzag(out, 0) };
    zigzag(out, (*first).into());
    let mut deltas = [0_i64; BLOCK];
    let mut offsets = [0_u64; BLOCK];
    for (block, before) in rest.chunks(BLOCK).zip(values.chunks(BLOCK)) {
        for (delta, (value, previous)) in deltas.iter_mut().zip(block.iter().zip(before)) {
            *delta = (*value).into().wrapping_sub((*previous).into());
        }
        let deltas = &deltas[..block.len()];
        let least = deltas.iter().copied().min().expect("a block has a value");
        for (offset, delta) in offsets.iter_mut().zip(deltas) {
            *offset = delta.wrapping_sub(least).cast_unsigned();
        }
        // The last miniblock is written in full.
        offsets[block.len()..].fill(0);
        zigzag(out, least);
        let widths = out.len();
        out.extend_from_slice(&[0; MINIBLOCKS]);
        for (at, offsets) in
            offsets.chunks_exact(MINIBLOCK).take(block.len().div_ceil(MINIBLOCK)).enumerate()
        {
            let bits =
                u64::BITS - offsets.iter().fold(0, |all, offset| all | offset).leading_zeros();
            out[widths + at] = bits.to_le_bytes()[0];
            if bits > 0 {
                let start = out.len();
                out.resize(start + MINIBLOCK / 8 * bits as usize, 0);
                bitpacked::encode_pack(offsets, bits as usize, &mut out[start..]);
            }
        }
    }
}

/// Bytes of a sample, which predicts how well the rest will compress.
const SAMPLE: usize = 16 << 10;

/// Fewer bytes than this never get smaller: most columns of one value.
const LEAST: usize = 64;

/// True if `after` saves an eighth: less does not pay for decompression.
fn pays(before: usize, after: usize) -> bool {
    after <= before - before / 8
}

/// True if the full search for repeats saves a third. Telephone numbers, some of which repeat, then
/// take 4.7 bytes instead of 5.3 to 6.1, and 38 to 44 ns instead of 14 to 32.
fn pays_full_search(short: usize, full: usize) -> bool {
    full <= short - short / 3
}

/// True if codes alone take at most a quarter more than a short search, which finds a number that
/// many rows have.
fn pays_codes(sample: &[u8], short: usize) -> bool {
    Coded::of(sample).is_some_and(|coded| coded.size() <= short + short / 4)
}

fn sample(values: &[u8]) -> Option<&[u8]> {
    let middle = values.len() / 2;
    (values.len() >= 8 * SAMPLE).then(|| &values[middle..middle + SAMPLE])
}

/// Appends packed integers or ids to `out`, compressed. Returns false if it did not: most of them
/// are random bits, and trying costs 1 to 2 ns a value, as much as packing them.
pub(crate) fn compress_packed(out: &mut Vec<u8>, values: &[u8]) -> bool {
    let hopeless =
        |sample: &[u8]| compressed(Search::Full, sample, |bytes| !pays(sample.len(), bytes.len()));
    if values.len() < LEAST || sample(values).is_some_and(hopeless) {
        return false;
    }
    append(out, Search::Full, values, false)
}

/// Appends `head` and `text` to `out`, compressed. Returns true if it did; otherwise `head` has all
/// of it.
pub(crate) fn compress_texts(out: &mut Vec<u8>, head: &mut Vec<u8>, text: &[u8]) -> bool {
    let mut search = Search::Full;
    if let Some(sample) = sample(text) {
        let [full, short] =
            [Search::Full, Search::Short].map(|search| compressed(search, sample, <[u8]>::len));
        if !pays_full_search(short, full) {
            if pays_codes(sample, short) && append_coded(out, head, text) {
                return true;
            }
            search = Search::Short;
        }
    }
    head.extend_from_slice(text);
    head.len() >= LEAST && append(out, search, head, false)
}

/// Appends `head` and the codes of a text to `out`. Returns true if it did.
fn append_coded(out: &mut Vec<u8>, head: &[u8], text: &[u8]) -> bool {
    let coded = Coded::of(text).filter(|coded| pays(text.len(), coded.size()));
    if let Some(coded) = &coded {
        coded.append(out, head);
    }
    coded.is_some()
}

/// Appends a dictionary to `out`, compressed. Returns true if it did.
pub(crate) fn compress_dictionary(out: &mut Vec<u8>, values: &[u8], always: bool) -> bool {
    (values.len() >= LEAST || always) && append(out, Search::Full, values, always)
}

fn append(out: &mut Vec<u8>, search: Search, values: &[u8], always: bool) -> bool {
    compressed(search, values, |bytes| {
        let pays = always || pays(values.len(), bytes.len());
        if pays {
            out.reserve_exact(bytes.len());
            out.extend_from_slice(bytes);
        }
        pays
    })
}

/// Numbers integers by first use: each gets a place among those seen. The hash is always the same.
pub(crate) struct TextPlaces {
    table: Vec<u32>,
    shift: u32,
    /// The integers, by place.
    pub values: Vec<i64>,
}

impl TextPlaces {
    /// Makes a table for at most `most` different integers.
    pub fn new(most: usize) -> Self {
        // At most half full.
        let bits = (most.max(1) * 2).next_power_of_two().trailing_zeros();
        Self { table: vec![u32::MAX; 1 << bits], shift: u64::BITS - bits, values: Vec::new() }
    }

    /// The place of an integer; `None` if the table is full of others.
    #[inline]
    pub fn place(&mut self, value: i64) -> Option<u32> {
        let hash = value.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> self.shift;
        let mut slot = must_fit::<_, usize>(hash, "a slot of a table fits memory");
        let last = self.table.len() - 1;
        loop {
            let place = self.table[slot];
            if place == u32::MAX {
                if self.values.len() >= self.table.len() / 2 {
                    return None;
                }
                let place = u32::try_from(self.values.len()).ok()?;
                self.table[slot] = place;
                self.values.push(value);
                return Some(place);
            }
            if self.values[place as usize] == value {
                return Some(place);
            }
            slot = (slot + 1) & last;
        }
    }
}
