//! zstd frames without a search: of ids in hex, and of text in which little repeats.
//!
//! zstd shrinks a page in two ways: it searches for repeats, and it gives frequent signs short
//! codes. Ids and telephone numbers have next to no repeats, so these frames have codes alone. The
//! lengths that precede the text in a page are compressed by zstd as usual, and its blocks are
//! copied as they are. In the terms of RFC 8878:
//!
//! ```text
//! Frame_Header   descriptor, a window of 512 KiB, the size in eight bytes; no dictionary, no checksum
//! Block …        of the head, as zstd made them
//! Block …        of 128 KiB of text, each as
//!                  Literals_Section    Compressed_Literals_Block with a Huffman_Tree_Description, later
//!                                      Treeless_Literals_Blocks; a Jump_Table and four streams of codes
//!                  Sequences_Section   none of them: a zero
//!                or, where codes make nothing smaller of it, as a Raw_Block
//! Block          the last one, a Raw_Block of nothing: no other has to know whether one follows
//! ```
//!
//! The codes of a tree follow from their lengths: the longest come first, from zero on, and equally
//! long ones by sign. So the four bits of each of `0` to `9` and `a` to `f`, sixteen equally likely
//! signs, are its value as a digit, and the stream of an id in hex is the id itself. Streams are
//! read from their end, which reverses them.
//!
//! **Invariant:** for any head and text, every decoder turns the frame into the same bytes; and the
//! same bytes give the same frame.
//!
//! # Why
//! Ids are copied, without spelling, counting or searching: 4 to 7 % less CPU a run, and 16.0 bytes
//! a row instead of 17.8 for the ids of the log. Text by codes alone saves less, some 1 %, and
//! makes telephone numbers 3 % smaller to 10 % larger.

use crate::ledger::tables::pages::scratch::{self, Search};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Signs that have codes: ASCII. A tree of more would not fit weights of four bits.
const SIGNS: usize = 128;

/// Bits of the longest code that zstd accepts.
const LONGEST: u8 = 11;

/// Literals of a block, the most that zstd accepts.
const BLOCK: usize = 128 << 10;

/// Hex digits of an id.
pub(crate) const DIGITS: usize = 32;

/// Ids of a block.
const IDS: usize = BLOCK / DIGITS;

/// With fewer literals, four streams cost more than they save.
const LEAST: usize = 256;

/// The distance that blocks may look back. Those of the head do, as far as zstd's level 1 does.
const WINDOW: usize = 512 << 10;

/// The window as a `Window_Descriptor`.
const WINDOW_DESCRIPTOR: u8 = 9 << 3;

/// Block types.
const RAW: u64 = 0;
const RUN: u8 = 1;
const COMPRESSED: u64 = 2;

/// Appends a frame of `head` and the hex digits of each id.
pub(crate) fn hex(out: &mut Vec<u8>, head: &[u8], ids: &[u128]) {
    out.reserve_exact(most(head.len(), ids.len() * DIGITS, size_of_val(ids)));
    begin(out, head, ids.len() * DIGITS);
    let mut tree = tree(&hex_lengths());
    let mut reversed = scratch::buffer();
    for block in ids.chunks(IDS) {
        reversed.clear();
        block.iter().rev().for_each(|id| reversed.extend_from_slice(&id.to_le_bytes()));
        let mut quarters = reversed.rchunks_exact(reversed.len() / 4);
        compressed_block(out, block.len() * DIGITS, &std::mem::take(&mut tree), |out| {
            out.extend_from_slice(quarters.next().expect("four quarters"));
            // The bit that ends a stream.
            out.push(1);
        });
    }
    scratch::recycle(reversed);
    end(out);
}

/// Four bits for each digit of sixteen.
fn hex_lengths() -> [u8; SIGNS] {
    let mut lengths = [0; SIGNS];
    b"0123456789abcdef".iter().for_each(|digit| lengths[usize::from(*digit)] = 4);
    lengths
}

/// A text with the code length of each of its signs.
pub(crate) struct Coded<'a> {
    text: &'a [u8],
    lengths: [u8; SIGNS],
    size: usize,
}

impl<'a> Coded<'a> {
    /// Finds the codes of a text; `None` if it has signs outside ASCII, or fewer than two.
    pub(crate) fn of(text: &'a [u8]) -> Option<Self> {
        let counts = counts(text)?;
        if counts.iter().filter(|count| **count > 0).count() < 2 {
            return None;
        }
        let lengths = code_lengths(&counts);
        let bits: usize =
            counts.iter().zip(lengths).map(|(count, length)| count * usize::from(length)).sum();
        Some(Self { text, lengths, size: bits / 8 })
    }

    /// Bytes of all its codes.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Appends a frame of `head` and the text.
    pub(crate) fn append(&self, out: &mut Vec<u8>, head: &[u8]) {
        out.reserve_exact(most(head.len(), self.text.len(), self.size));
        begin(out, head, self.text.len());
        let mut tree = tree(&self.lengths);
        let codes = Codes::of(&self.lengths);
        let mut room = scratch::buffer();
        room.resize(MOST_OF_STREAM, 0);
        for block in self.text.chunks(BLOCK) {
            let start = out.len();
            if block.len() >= LEAST {
                let mut quarters = block.chunks(block.len().div_ceil(4));
                compressed_block(out, block.len(), &tree, |out| {
                    codes.append(out, quarters.next().expect("four quarters"), &mut room);
                });
                // A block may consist of signs that are rare in the text.
                if out.len() - start < block.len() {
                    tree.clear();
                    continue;
                }
                out.truncate(start);
            }
            out.extend_from_slice(&block_header(RAW, block.len()));
            out.extend_from_slice(block);
        }
        scratch::recycle(room);
        end(out);
    }
}

/// The frequency of each sign; `None` if there are signs outside ASCII.
fn counts(text: &[u8]) -> Option<[usize; SIGNS]> {
    if !text.is_ascii() {
        return None;
    }
    // Four tables: an immediate repeat of a sign would stall on its own count.
    let mut tables = [[0_usize; SIGNS]; 4];
    let (fours, rest) = text.as_chunks::<4>();
    for four in fours {
        for (table, sign) in tables.iter_mut().zip(four) {
            let count = &mut table[usize::from(*sign) % SIGNS];
            // No overflow check, as there are no more signs than bytes: a fifth less time.
            *count = count.wrapping_add(1);
        }
    }
    for sign in rest {
        tables[0][usize::from(*sign)] += 1;
    }
    Some(std::array::from_fn(|sign| tables.iter().map(|table| table[sign]).sum()))
}

/// The code lengths for signs of these frequencies, two signs or more: 0 for a sign that does not
/// occur.
fn code_lengths(counts: &[usize; SIGNS]) -> [u8; SIGNS] {
    let mut counts = *counts;
    let mut least = (counts.iter().sum::<usize>() >> LONGEST).max(1);
    loop {
        let lengths = huffman(&counts);
        if lengths.iter().all(|length| *length <= LONGEST) {
            return lengths;
        }
        // Raises the counts of rare signs until no code is too long: at the latest when all counts
        // are equal.
        counts.iter_mut().filter(|count| **count > 0).for_each(|count| *count = least.max(*count));
        least *= 2;
    }
}

/// Like [`code_lengths`], but without a limit.
fn huffman(counts: &[usize; SIGNS]) -> [u8; SIGNS] {
    let mut lengths = [0; SIGNS];
    // Trees by their counts, as a bit set of their signs.
    let sign =
        |(sign, count): (u32, &usize)| (*count > 0).then_some(Reverse((*count, 1_u128 << sign)));
    let mut trees: BinaryHeap<_> = (0..).zip(counts).filter_map(sign).collect();
    while let (Some(Reverse((one, left))), Some(Reverse((other, right)))) =
        (trees.pop(), trees.pop())
    {
        let signs = left | right;
        lengths
            .iter_mut()
            .enumerate()
            .for_each(|(sign, length)| *length += u8::from(signs >> sign & 1 == 1));
        trees.push(Reverse((one + other, signs)));
    }
    lengths
}

/// The `Huffman_Tree_Description` for these code lengths: weights of four bits each.
fn tree(lengths: &[u8; SIGNS]) -> Vec<u8> {
    let longest = lengths.iter().max().expect("an array of some");
    let last = lengths.iter().rposition(|length| *length > 0).expect("two signs or more");
    // The last weight follows from the others.
    let weight = |sign: usize| {
        if sign < last && lengths[sign] > 0 { longest + 1 - lengths[sign] } else { 0 }
    };
    let count = u8::try_from(last).expect("ASCII");
    std::iter::once(127 + count)
        .chain((0..last).step_by(2).map(|sign| weight(sign) << 4 | weight(sign + 1)))
        .collect()
}

/// Bits in the lower three bytes, and their number in the upper one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Code(u32);

impl Code {
    fn new(bits: u32, length: u8) -> Self {
        Self(u32::from(length) << 24 | bits)
    }

    #[inline]
    fn bits(self) -> u32 {
        self.0 & 0xff_ffff
    }

    #[inline]
    fn length(self) -> u32 {
        self.0 >> 24
    }

    /// Puts its bits above those of the next one, which a stream has before them.
    fn above(self, next: Self) -> Self {
        Self(((self.length() + next.length()) << 24) | self.bits() << next.length() | next.bits())
    }
}

/// The codes of signs, singly and in pairs.
struct Codes {
    single: [Code; SIGNS],
    /// Pairs take half as many steps.
    pairs: Box<[Code; SIGNS * SIGNS]>,
}

impl Codes {
    fn of(lengths: &[u8; SIGNS]) -> Self {
        let single = codes(lengths);
        let pairs = vec![Code::default(); SIGNS * SIGNS].into_boxed_slice();
        let mut pairs: Box<[_; SIGNS * SIGNS]> =
            pairs.try_into().expect("a code for each two signs");
        let used = || single.iter().enumerate().filter(|(_, code)| **code != Code::default());
        for (first, code) in used() {
            for (second, next) in used() {
                pairs[first * SIGNS + second] = code.above(*next);
            }
        }
        Self { single, pairs }
    }

    #[inline]
    fn pair(&self, first: u8, second: u8) -> Code {
        self.pairs[usize::from(first) % SIGNS * SIGNS + usize::from(second) % SIGNS]
    }

    /// Appends a stream: the codes of a text, that of its last sign first, and a bit that ends it.
    /// It is built in `room`, which has [`MOST_OF_STREAM`] bytes.
    fn append(&self, out: &mut Vec<u8>, text: &[u8], room: &mut [u8]) {
        let mut stream = Stream { room, written: 0, bits: 0, count: 0 };
        let longest = self.single.iter().map(|code| code.length()).max().expect("an array of some");
        let (rest, eights) = text.as_rchunks::<8>();
        if longest <= SHORT {
            eights.iter().rev().for_each(|eight| self.push_eight::<true>(*eight, &mut stream));
        } else {
            eights.iter().rev().for_each(|eight| self.push_eight::<false>(*eight, &mut stream));
        }
        for sign in rest.iter().rev() {
            stream.push(self.single[usize::from(*sign)]);
            stream.write();
        }
        stream.push(Code::new(1, 1));
        let Stream { room, written, bits, .. } = stream;
        out.extend_from_slice(&room[..written]);
        out.push(bits.to_le_bytes()[0]);
    }

    /// Adds the codes of eight signs, the last first. Where all codes are short, they are written
    /// at once.
    #[inline]
    fn push_eight<const ARE_SHORT: bool>(&self, eight: [u8; 8], stream: &mut Stream<'_>) {
        stream.push(self.pair(eight[6], eight[7]));
        stream.push(self.pair(eight[4], eight[5]));
        if !ARE_SHORT {
            stream.write();
        }
        stream.push(self.pair(eight[2], eight[3]));
        stream.push(self.pair(eight[0], eight[1]));
        stream.write();
    }
}

/// The most bytes of a stream, and a word more: of a quarter of a block, with the longest codes.
const MOST_OF_STREAM: usize = BLOCK / 4 * LONGEST as usize / 8 + 2 * size_of::<u64>();

/// The longest code of which a stream holds eight: seven bits may be left over, and 63 fit.
const SHORT: u32 = 7;

/// The codes for these lengths.
fn codes(lengths: &[u8; SIGNS]) -> [Code; SIGNS] {
    let mut codes = [Code::default(); SIGNS];
    let mut next = 0;
    for length in (1..=LONGEST).rev() {
        for (code, _) in codes.iter_mut().zip(lengths).filter(|(_, of)| **of == length) {
            *code = Code::new(next, length);
            next += 1;
        }
        next >>= 1;
    }
    codes
}

/// A bit stream, written from the lowest bit up.
struct Stream<'a> {
    /// Room for all of it, and for a whole word where it ends.
    room: &'a mut [u8],
    /// Its bytes so far.
    written: usize,
    bits: u64,
    count: u32,
}

impl Stream<'_> {
    /// Adds codes: seven bits at most are left over, and 56 more fit.
    #[inline]
    fn push(&mut self, code: Code) {
        self.bits |= u64::from(code.bits()) << self.count;
        self.count += code.length();
    }

    /// Writes all whole bytes: eight are written, and the incomplete ones again by the next write.
    #[inline]
    fn write(&mut self) {
        let room = self.room[self.written..].first_chunk_mut().expect("room for all codes");
        *room = self.bits.to_le_bytes();
        self.written += (self.count / 8) as usize;
        self.bits >>= self.count & !7;
        self.count &= 7;
    }
}

/// The maximum size of a frame, from the bytes of its head, its text and the text's codes.
fn most(head: usize, text: usize, codes: usize) -> usize {
    // An incompressible head, and for each block: headers, tree and ends of streams.
    head + codes + (text.div_ceil(BLOCK) + head.div_ceil(BLOCK) + 1) * 128
}

/// Begins a frame of `head` and `text` more bytes, and appends all of the head.
fn begin(out: &mut Vec<u8>, head: &[u8], text: usize) {
    out.extend_from_slice(&0xFD2F_B528_u32.to_le_bytes());
    // A Frame_Content_Size of eight bytes.
    out.extend_from_slice(&[3 << 6, WINDOW_DESCRIPTOR]);
    out.extend_from_slice(&((head.len() + text) as u64).to_le_bytes());
    scratch::compressed(Search::Full, head, |frame| append_blocks(out, frame, head.len()));
}

/// Appends the blocks of a zstd frame of `size` bytes; marks none of them as the last.
fn append_blocks(out: &mut Vec<u8>, frame: &[u8], size: usize) {
    let descriptor = frame[4];
    assert_eq!(descriptor & 0b1_1111, 0, "neither a checksum nor a dictionary");
    let is_single_segment = descriptor >> 5 & 1 == 1;
    let is_near = if is_single_segment { size <= WINDOW } else { frame[5] <= WINDOW_DESCRIPTOR };
    assert!(is_near, "level 1 does not look back farther than 512 KiB");
    let content_size = match descriptor >> 6 {
        0 => usize::from(is_single_segment),
        flag => 1 << flag,
    };
    let mut blocks = &frame[5 + usize::from(!is_single_segment) + content_size..];
    while let Some(([first, second, third], rest)) = blocks.split_first_chunk() {
        let size = u32::from_le_bytes([*first, *second, *third, 0]) as usize >> 3;
        // A run stores one byte.
        let (block, rest) = rest.split_at(if first >> 1 & 3 == RUN { 1 } else { size });
        out.extend_from_slice(&[first & !1, *second, *third]);
        out.extend_from_slice(block);
        blocks = rest;
    }
}

/// Ends a frame.
fn end(out: &mut Vec<u8>) {
    let [first, second, third] = block_header(RAW, 0);
    out.extend_from_slice(&[first | 1, second, third]);
}

/// The `Block_Header` of any block but the last.
fn block_header(kind: u64, size: usize) -> [u8; 3] {
    first_bytes(kind << 1 | (size as u64) << 3)
}

fn first_bytes<const N: usize>(value: u64) -> [u8; N] {
    *value.to_le_bytes().first_chunk().expect("eight bytes at most")
}

/// Appends a block of `literals` literals, of which each call of `append_stream` appends a quarter.
/// An empty `tree` means the tree of the block before.
fn compressed_block(
    out: &mut Vec<u8>,
    literals: usize,
    tree: &[u8],
    mut append_stream: impl FnMut(&mut Vec<u8>),
) {
    let start = out.len();
    // Room for two headers, filled in once the sizes are known.
    out.extend_from_slice(&[0; 3 + 5]);
    out.extend_from_slice(tree);
    let jumps = out.len();
    out.extend_from_slice(&[0; 3 * 2]);
    for stream in 0..4 {
        let before = out.len();
        append_stream(out);
        // The size of the last stream follows from the others.
        if stream < 3 {
            let size = u16::try_from(out.len() - before)
                .expect("32,768 codes of 11 bits are below 64 KiB");
            out[jumps + 2 * stream..][..2].copy_from_slice(&size.to_le_bytes());
        }
    }
    let coded = out.len() - start - 8;
    // No sequences.
    out.push(0);
    let size = out.len() - start - 3;
    // The tree given or not, four streams, sizes of 18 bits.
    let kind = if tree.is_empty() { 3 } else { 2 };
    let section = kind | 3 << 2 | (literals as u64) << 4 | (coded as u64) << 22;
    out[start..][..3].copy_from_slice(&block_header(COMPRESSED, size));
    out[start + 3..][..5].copy_from_slice(&first_bytes::<5>(section));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Decodes a frame by zstd, at once and as a stream.
    fn decoded(frame: &[u8], size: usize) -> Vec<u8> {
        let at_once = zstd::bulk::decompress(frame, size).expect("a frame");
        assert_eq!(zstd::stream::decode_all(frame).expect("a frame"), at_once);
        assert_eq!(
            zstd::zstd_safe::get_frame_content_size(frame).ok().flatten(),
            Some(size as u64)
        );
        at_once
    }

    /// True if a text has codes. Its frame after a head is decoded, and must stay within its
    /// maximum size.
    fn is_coded(head: &[u8], text: &[u8]) -> bool {
        let Some(coded) = Coded::of(text) else { return false };
        // A page has levels before the frame.
        let mut frame = b"levels".to_vec();
        coded.append(&mut frame, head);
        assert!(
            decoded(&frame[6..], head.len() + text.len()) == [head, text].concat(),
            "{} {}",
            head.len(),
            text.len()
        );
        assert!(
            frame.len() <= 6 + most(head.len(), text.len(), text.len()),
            "{} {}",
            head.len(),
            text.len()
        );
        true
    }

    fn check_ids(head: &[u8], ids: &[u128]) {
        let mut frame = b"levels".to_vec();
        hex(&mut frame, head, ids);
        let wanted = ids.iter().fold(head.to_vec(), |mut text, id| {
            text.extend_from_slice(format!("{id:032x}").as_bytes());
            text
        });
        assert!(decoded(&frame[6..], wanted.len()) == wanted, "{} {}", head.len(), ids.len());
        assert!(frame.len() <= 6 + most(head.len(), ids.len() * DIGITS, ids.len() * 16));
    }

    /// Bytes that look random and are the same every time.
    fn random(count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        blake3::Hasher::new().update(&count.to_le_bytes()).finalize_xof().fill(&mut bytes);
        bytes
    }

    fn random_ids(count: usize) -> Vec<u128> {
        random(count * 16).as_chunks().0.iter().map(|id| u128::from_le_bytes(*id)).collect()
    }

    /// Text of `signs` different signs, all equally frequent.
    fn text_of(signs: u8, count: usize) -> Vec<u8> {
        random(count).iter().map(|byte| byte % signs).collect()
    }

    #[test]
    fn the_codes_of_digits_are_their_values() {
        let codes = codes(&hex_lengths());
        for (value, digit) in (0..).zip(b"0123456789abcdef") {
            assert_eq!(codes[usize::from(*digit)], Code::new(value, 4));
        }
    }

    #[test]
    fn texts_come_back() {
        for signs in [2, 3, 11, 127, 128] {
            for count in [
                2,
                6,
                255,
                256,
                257,
                258,
                259,
                4_096,
                BLOCK - 1,
                BLOCK,
                BLOCK + 1,
                BLOCK + 256,
                3 * BLOCK + 255,
            ] {
                let mut text = text_of(signs, count);
                (text[0], text[1]) = (0, 1);
                assert!(is_coded(b"head", &text), "{signs} {count}");
            }
        }
        for other in ["", "a", &"a".repeat(BLOCK), "\u{80}", &"+49é".repeat(BLOCK)] {
            assert!(!is_coded(b"head", other.as_bytes()), "{}", other.len());
        }
        let all: Vec<u8> = random(BLOCK);
        assert!(!is_coded(b"head", &all));
    }

    /// Signs of very different frequencies, whose codes would be longer than zstd accepts.
    #[test]
    fn no_code_is_too_long() {
        let (mut one, mut other) = (1_usize, 1);
        let mut text = Vec::new();
        for sign in 0..24 {
            text.extend(std::iter::repeat_n(sign, one));
            (one, other) = (other, one + other);
        }
        assert!(huffman(&counts(&text).unwrap()).iter().any(|length| *length > 20));
        assert!(code_lengths(&counts(&text).unwrap()).iter().all(|length| *length <= LONGEST));
        assert!(is_coded(b"head", &text));
        let rare: Vec<u8> = (0..128).chain(std::iter::repeat_n(7, 3 * BLOCK)).collect();
        assert!(is_coded(b"head", &rare));
        for size in [1, 2, 128, usize::MAX >> 8] {
            let skewed = std::array::from_fn(|sign| if sign == 5 { size } else { 1 });
            let lengths = code_lengths(&skewed);
            let room: u32 = lengths.iter().map(|length| 1 << (LONGEST - length)).sum();
            assert_eq!(room, 1 << LONGEST, "a code for each end");
        }
    }

    /// A block of signs that are rare in the text: its codes would be larger than zstd accepts for
    /// a block.
    #[test]
    fn blocks_of_rare_signs_come_back() {
        let rare = text_of(128, BLOCK);
        let frequent = text_of(2, 30 * BLOCK);
        for text in [
            [&rare[..], &frequent].concat(),
            [&frequent[..], &rare, &frequent[..BLOCK + 300]].concat(),
        ] {
            assert!(is_coded(b"", &text));
            assert!(Coded::of(&text).is_some_and(|coded| coded.size() < text.len() / 3));
        }
    }

    #[test]
    fn ids_come_back() {
        for count in [0, 1, 2, 3, 4, 5, 63, 64, 65, IDS - 1, IDS, IDS + 1, 2 * IDS, 3 * IDS + 1] {
            check_ids(b"lengths", &random_ids(count));
        }
        check_ids(b"", &[0, u128::MAX, 1, 1 << 127, 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef]);
        check_ids(b"", &vec![u128::MAX; 2 * IDS]);
    }

    /// All kinds of blocks that zstd makes of a head: raw ones, runs, compressed ones; in one
    /// segment and in a window.
    #[test]
    fn heads_come_back() {
        let (ids, text) = (random_ids(100), text_of(11, 5_000));
        for size in [
            0,
            1,
            7,
            255,
            256,
            257,
            65_791,
            65_792,
            BLOCK,
            BLOCK + 1,
            WINDOW - 1,
            WINDOW,
            WINDOW + 1,
            3 * WINDOW,
        ] {
            for head in [
                random(size),
                vec![7; size],
                text_of(3, size),
                b"one and the same ".repeat(size / 17),
            ] {
                check_ids(&head, &ids);
                assert!(is_coded(&head, &text));
            }
        }
    }

    #[test]
    fn the_same_text_is_the_same_frame() {
        let frames = || {
            let (mut frame, text) = (Vec::new(), text_of(11, 2 * BLOCK));
            Coded::of(&text).unwrap().append(&mut frame, &text_of(3, 9_000));
            hex(&mut frame, &text[..9_000], &random_ids(IDS + 1));
            frame
        };
        let first = frames();
        let other = std::thread::spawn(move || {
            check_ids(b"else", &random_ids(77));
            frames()
        });
        assert!(first == other.join().unwrap());
        assert!(first == frames());
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(
            bytes in prop::collection::vec(any::<u8>(), 0..3_000),
            most in any::<u8>(),
            head in prop::collection::vec(any::<u8>(), 0..300),
            times in 1_usize..100,
        ) {
            let bytes: Vec<u8> = bytes.into_iter().map(|byte| byte.min(most)).collect();
            let bytes = bytes.repeat(times);
            let has_two = bytes.iter().any(|byte| *byte != bytes[0]);
            prop_assert_eq!(is_coded(&head, &bytes), bytes.is_ascii() && has_two);
        }

        #[test]
        fn any_ids_come_back(
            ids in prop::collection::vec(any::<u128>(), 0..300),
            head in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            check_ids(&head, &ids);
        }
    }
}
