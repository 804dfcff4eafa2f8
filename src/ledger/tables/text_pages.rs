//! Rows of a text column that have a wanted text, found in its pages: no row is decoded but those.
//!
//! ```text
//! page ─▶ memmem: places of the digits ─▶ lengths of the texts, added up ─▶ the text at a place
//!                                             └─▶ is it wanted? ─▶ its row, by the levels
//! ```
//!
//! **Invariant:** the rows are those that decoding the column would give. A page in another
//! encoding than ours is not guessed at: its column is decoded.
//!
//! # Why
//! A number that is in every row group of a log made polars decode two columns of texts for each:
//! 65,536 rows, of which one is wanted. Here the lengths are read, which are mostly equal and take
//! no bits, and one text is looked at for each place.

use memchr::memmem::Finder;
use polars::prelude::{PolarsResult, polars_err};
use polars_parquet::parquet::encoding::Encoding;
use polars_parquet::parquet::encoding::hybrid_rle::HybridRleDecoder;
use polars_parquet::parquet::page::{DataPage, split_buffer};
use std::borrow::Cow;

/// Texts of which one is searched. Letters are searched in small letters, whatever a page has.
#[derive(Debug)]
pub struct Needles {
    finders: Vec<Finder<'static>>,
    has_letters: bool,
}

impl Needles {
    /// Takes the texts, none of them empty.
    pub fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let texts: Vec<String> = texts.into_iter().map(str::to_ascii_lowercase).collect();
        assert!(texts.iter().all(|text| !text.is_empty()), "an empty text is in every page");
        let has_letters = texts.iter().any(|text| text.bytes().any(|b| b.is_ascii_alphabetic()));
        let finders = texts.iter().map(|text| Finder::new(text).into_owned()).collect();
        Self { finders, has_letters }
    }

    pub(super) fn are_in(&self, page: &[u8]) -> bool {
        self.next_in(&self.searched(page), 0).is_some()
    }

    /// Bytes as they are searched.
    fn searched<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        if self.has_letters { bytes.to_ascii_lowercase().into() } else { bytes.into() }
    }

    /// The first place, from another one on, at which one of the texts begins.
    fn next_in(&self, searched: &[u8], from: usize) -> Option<usize> {
        let rest = searched.get(from..)?;
        let places = self.finders.iter().filter_map(|finder| finder.find(rest));
        places.min().map(|place| from + place)
    }
}

/// Appends the rows of a page whose texts are wanted, counted from `first`. False, and nothing
/// appended, if the page is in another encoding.
///
/// # Errors
/// If the page is corrupt.
pub(super) fn rows_with(
    page: &DataPage,
    needles: &Needles,
    is: &dyn Fn(&str) -> bool,
    first: usize,
    rows: &mut Vec<usize>,
) -> PolarsResult<bool> {
    let parts = split_buffer(page)?;
    let Some(texts) = PageTexts::of(page.encoding(), parts.values)? else { return Ok(false) };
    let values = texts.values_with(needles, is)?;
    if values.is_empty() {
        return Ok(true);
    }
    assert!(values.is_sorted(), "rows are counted from one value to the next");
    let count = page.num_values();
    if texts.lengths.len() == count {
        rows.extend(values.into_iter().map(|value| first + value));
        return Ok(true);
    }
    let levels = HybridRleDecoder::new(parts.def, 1, count).collect()?;
    let mut present = (0..).zip(levels).filter(|(_, level)| *level == 1).map(|(row, _)| row);
    let mut before = 0;
    for value in values {
        let row: Option<usize> = present.nth(value - before);
        before = value + 1;
        rows.push(first + row.ok_or_else(|| corrupt("has more texts than rows"))?);
    }
    Ok(true)
}

/// The texts of a page: lengths, and bytes one after the other.
struct PageTexts<'a> {
    /// The length of each; 0 of one that equals the text before.
    lengths: Vec<usize>,
    bytes: &'a [u8],
}

impl<'a> PageTexts<'a> {
    /// The texts of a page's values; `None` in another encoding than those that
    /// [`super::pages::texts`] writes.
    fn of(encoding: Encoding, values: &'a [u8]) -> PolarsResult<Option<Self>> {
        let (lengths, bytes) = match encoding {
            Encoding::DeltaLengthByteArray => lengths_of(values)?,
            Encoding::DeltaByteArray => {
                let (prefixes, rest) = lengths_of(values)?;
                let (suffixes, bytes) = lengths_of(rest)?;
                if prefixes.len() != suffixes.len() {
                    return Err(corrupt("has not as many prefixes as texts"));
                }
                // A text is whole, or as the one before.
                let mut before = 0;
                for (prefix, suffix) in prefixes.iter().zip(&suffixes) {
                    match (*prefix, *suffix) {
                        (0, length) => before = length,
                        (prefix, 0) if prefix == before => {}
                        _ => return Ok(None),
                    }
                }
                // An empty text is no text, so 0 is free to say `as before`.
                if prefixes.iter().zip(&suffixes).any(|(prefix, suffix)| prefix + suffix == 0) {
                    return Ok(None);
                }
                (suffixes, bytes)
            }
            _ => return Ok(None),
        };
        let is_again = encoding == Encoding::DeltaByteArray;
        if !is_again && lengths.contains(&0) {
            return Ok(None);
        }
        let all = lengths.iter().try_fold(0_usize, |all, length| all.checked_add(*length));
        if all != Some(bytes.len()) {
            return Err(corrupt("has texts of another length than its bytes"));
        }
        Ok(Some(Self { lengths, bytes }))
    }

    /// The places of the wanted texts among all of the page, ascending.
    fn values_with(
        &self,
        needles: &Needles,
        is: &dyn Fn(&str) -> bool,
    ) -> PolarsResult<Vec<usize>> {
        let searched = needles.searched(self.bytes);
        let mut found = Vec::new();
        // The text at `value` is `start..end`.
        let (mut value, mut start) = (0, 0);
        let mut at = 0;
        while let Some(place) = needles.next_in(&searched, at) {
            let mut end = start + self.lengths[value];
            while end <= place {
                (value, start) = (value + 1, end);
                end = start + self.lengths[value];
            }
            let text = str::from_utf8(&self.bytes[start..end])
                .map_err(|e| polars_err!(ComputeError: "a text of a page is no UTF-8: {e}"))?;
            if is(text) {
                let again = self.lengths[value + 1..].iter().take_while(|length| **length == 0);
                let again = again.count();
                found.extend(value..=value + again);
            }
            at = end;
        }
        Ok(found)
    }
}

pub(super) fn corrupt(problem: &str) -> polars::prelude::PolarsError {
    polars_err!(ComputeError: "a page {problem}")
}

/// Reads lengths of texts; returns what comes after them.
fn lengths_of(bytes: &[u8]) -> PolarsResult<(Vec<usize>, &[u8])> {
    let (numbers, rest) = deltas(bytes)?;
    let length = |number: i64| usize::try_from(number).map_err(|_| corrupt("has a length below 0"));
    Ok((numbers.into_iter().map(length).collect::<PolarsResult<_>>()?, rest))
}

/// Reads integers that are `DELTA_BINARY_PACKED`; returns what comes after them.
pub(super) fn deltas(mut bytes: &[u8]) -> PolarsResult<(Vec<i64>, &[u8])> {
    let block = uleb(&mut bytes)?;
    let miniblocks = uleb(&mut bytes)?;
    let count = uleb(&mut bytes)?;
    let mut last = zigzag(&mut bytes)?;
    let cut = || corrupt("has numbers that are cut off");
    let per_miniblock =
        block.checked_div(miniblocks).filter(|values| *values > 0 && values % 8 == 0);
    let per_miniblock = per_miniblock.ok_or_else(|| corrupt("has numbers in no blocks"))?;
    let [count, miniblocks, per_miniblock] = [count, miniblocks, per_miniblock]
        .map(|number| usize::try_from(number).ok().filter(|number| *number <= MOST));
    let (Some(count), Some(miniblocks), Some(per_miniblock)) = (count, miniblocks, per_miniblock)
    else {
        return Err(corrupt("has more numbers than a page has rows"));
    };
    let mut values = Vec::with_capacity(count);
    let mut left = count;
    if left > 0 {
        values.push(last);
        left -= 1;
    }
    while left > 0 {
        let least = zigzag(&mut bytes)?;
        let (widths, after) = bytes.split_at_checked(miniblocks).ok_or_else(cut)?;
        bytes = after;
        for width in widths.iter().map(|width| usize::from(*width)) {
            if left == 0 {
                break;
            }
            let (packed, after) =
                bytes.split_at_checked((width * per_miniblock).div_ceil(8)).ok_or_else(cut)?;
            bytes = after;
            let own = per_miniblock.min(left);
            if width == 0 {
                values.extend((0..own).map(|_| {
                    last = last.wrapping_add(least);
                    last
                }));
            } else {
                for at in 0..own {
                    last = last.wrapping_add(least).wrapping_add(unpacked(packed, at, width)?);
                    values.push(last);
                }
            }
            left -= own;
        }
    }
    Ok((values, bytes))
}

/// More values than a page may have.
const MOST: usize = 1 << 28;

/// The value at a place among values of so many bits, 1 to 64, from the lowest bit up.
#[inline]
fn unpacked(packed: &[u8], at: usize, width: usize) -> PolarsResult<i64> {
    let bit = at * width;
    if let Some(bytes) = packed.get(bit / 8..).and_then(<[u8]>::first_chunk::<8>)
        && width <= 56
    {
        let value = u64::from_le_bytes(*bytes) >> (bit % 8) & ((1 << width) - 1);
        return Ok(value.cast_signed());
    }
    let mut bytes = [0; 16];
    let from = packed.get(bit / 8..packed.len().min(bit / 8 + 9)).filter(|_| width <= 64);
    let from = from.ok_or_else(|| corrupt("has a number that cannot be"))?;
    bytes[..from.len()].copy_from_slice(from);
    let value = u128::from_le_bytes(bytes) >> (bit % 8) & ((1 << width) - 1);
    let value = u64::try_from(value).expect("no more than 64 bits are left");
    Ok(value.cast_signed())
}

fn uleb(bytes: &mut &[u8]) -> PolarsResult<u64> {
    let mut value = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) =
            bytes.split_first().ok_or_else(|| corrupt("has numbers that are cut off"))?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(corrupt("has a number without an end"))
}

fn zigzag(bytes: &mut &[u8]) -> PolarsResult<i64> {
    let value = uleb(bytes)?;
    Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tables::pages::encode;

    /// The integers that are written are read again, and what stands after them is left.
    #[test]
    fn integers_come_back() {
        let cases: [Vec<i64>; 9] = [
            vec![],
            vec![12],
            vec![12; 1000],
            (0..700).map(|at| at % 17 + 1).collect(),
            (0..65_536).map(|at| if at % 1000 == 0 { 4_000_000 } else { 12 }).collect(),
            (0..256).rev().collect(),
            (-300..257).map(|at| at * at * at).collect(),
            vec![i64::MIN, i64::MAX, 0, -1, i64::MIN],
            (0..500).map(|at| 1_800_000_000_000_000 + at * 7_777_777).collect(),
        ];
        for values in cases {
            let mut bytes = Vec::new();
            encode::delta(&mut bytes, &values);
            bytes.extend_from_slice(b"after");
            assert_eq!(deltas(&bytes).expect("what was written"), (values, &b"after"[..]));
            for end in 0..bytes.len().min(200) {
                // No panic, whatever is cut off.
                let _ = deltas(&bytes[..end]);
            }
        }
    }

    /// A text is found by its digits, with its repetitions, and not across two texts.
    #[test]
    fn texts_are_found_at_their_places() {
        let texts = PageTexts { lengths: vec![5, 5, 0, 0, 4, 5], bytes: b"+1234+5678+912+5678" };
        let needles = Needles::of(["5678"]);
        assert_eq!(texts.values_with(&needles, &|_| true).expect("texts"), [1, 2, 3, 5]);
        let found = texts.values_with(&needles, &|text| text == "+1234").expect("texts");
        assert_eq!(found, [0_usize; 0]);
        let across = Needles::of(["34+5"]);
        assert_eq!(
            texts.values_with(&across, &|text| text.contains("34+5")).expect("texts"),
            [0_usize; 0]
        );
    }
}
