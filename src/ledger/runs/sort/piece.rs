//! A piece of booked calls, sorted by start and then by the text of the id.
//!
//! ```text
//! packed, as they came ──skip──▶ keys ──sort──▶ packed, in order ──unpack──▶ 256 calls at a time
//! ```
//!
//! **Invariant:** the order is that of start and text, whatever the order in which the calls came.
//!
//! # Why
//! A packed call has some 85 bytes, an unpacked one 176. Sorted as they are packed, calls are
//! unpacked once, into a buffer that stays in the cache, and pieces on their way take half the
//! memory: for a million calls 16 MiB less of 316, and 2 % less CPU outside the kernel (measured).

use crate::booked::{Booked, BookedTexts};
use crate::fit::must_fit;
use crate::inputs::file::FileError;
use crate::partition::buffers::Pool;
use crate::partition::spill::Spill;
use crate::radix_sort;
use crate::sid::{Sid, SidText};
use crate::time::{self, Micros, SECOND};
use std::ops::Range;
use std::sync::Arc;

/// The bytes of a packed call, about.
const BYTES_A_CALL: usize = 88;

/// Booked calls, packed, in order.
#[derive(Debug)]
pub struct SortedPiece {
    packed: Vec<u8>,
    /// The end of each call.
    ends: Vec<u32>,
    /// The UTC days, each with the number of calls up to its end.
    days: Vec<(i64, usize)>,
    pool: Arc<Pool<Vec<u8>>>,
}

impl Drop for SortedPiece {
    fn drop(&mut self) {
        give_back(&self.pool, std::mem::take(&mut self.packed));
    }
}

fn give_back(pool: &Pool<Vec<u8>>, mut bytes: Vec<u8>) {
    bytes.clear();
    pool.give_back(bytes);
}

/// A call's start and the first half of its id, which it is sorted by before the rest of the id;
/// last its number, as it came.
type Key = (Micros, u64, u32);

impl SortedPiece {
    /// Reads and sorts a piece.
    ///
    /// # Errors
    /// If it cannot be read back.
    pub(crate) fn read(
        calls: &Spill,
        piece: usize,
        pool: &Arc<Pool<Vec<u8>>>,
    ) -> Result<Self, FileError> {
        let rows: usize = must_fit(calls.rows(piece), "the rows of a piece fit memory");
        let mut came = pool.take();
        came.reserve(rows * BYTES_A_CALL);
        calls.take(piece, |bytes| came.extend_from_slice(bytes))?;
        let (mut keys, mut ends, mut has_odd) =
            (Vec::with_capacity(rows), Vec::with_capacity(rows), false);
        let mut rest = came.as_slice();
        for number in 0.. {
            if rest.is_empty() {
                break;
            }
            let key = Booked::skip(&mut rest);
            has_odd |= key.odd.is_some();
            keys.push((key.start, first_half(key.sid), number));
            ends.push(must_fit(came.len() - rest.len(), "a piece is shorter than 4 GiB"));
        }
        assert_eq!(keys.len(), rows, "a piece has the calls that were dealt to it");
        if has_odd {
            for (_, half, _) in &mut keys {
                *half = 0;
            }
        }
        let call = |number: u32| &came[range(&ends, number as usize)];
        sort(&mut keys, |number| Booked::skip(&mut call(number)).sid_text());
        // The calls are gathered first: these random reads overlap in the processor; where the rows
        // are built each would stall (23.7 instead of 20.7 CPU s for ten million calls).
        let mut packed = pool.take();
        packed.reserve(came.len());
        let in_order = keys.iter().map(|(.., number)| {
            packed.extend_from_slice(call(*number));
            must_fit(packed.len(), "a piece is shorter than 4 GiB")
        });
        let sorted_ends = in_order.collect();
        assert_eq!(packed.len(), came.len(), "sorting loses no call");
        give_back(pool, came);
        let pool = Arc::clone(pool);
        Ok(Self { packed, ends: sorted_ends, days: days(&keys), pool })
    }

    /// The UTC days, each with the number of calls up to its end.
    pub(crate) fn days(&self) -> &[(i64, usize)] {
        &self.days
    }

    /// Unpacks some calls in place of those before; their texts go to `texts`.
    pub(crate) fn unpack(
        &self,
        rows: Range<usize>,
        texts: &mut BookedTexts,
        calls: &mut Vec<Booked>,
    ) {
        calls.clear();
        let (first, last) = (range(&self.ends, rows.start), range(&self.ends, rows.end - 1));
        let mut bytes = &self.packed[first.start..last.end];
        while !bytes.is_empty() {
            calls.push(Booked::unpack(&mut bytes, texts));
        }
        assert_eq!(calls.len(), rows.len(), "a piece has its calls where it says");
    }
}

/// The place of a call, from the ends of all.
fn range(ends: &[u32], number: usize) -> Range<usize> {
    let start = if number == 0 { 0 } else { ends[number - 1] };
    start as usize..ends[number] as usize
}

/// The first half of a carrier's id. It nearly always decides, without reading the calls: 250 of
/// them start in one second.
fn first_half(sid: Sid) -> u64 {
    must_fit(sid.0 >> 64, "half of an id has 64 bits")
}

fn sort<'a>(keys: &mut [Key], sid: impl Fn(u32) -> SidText<'a>) {
    // If all start at whole seconds, dividing by the second spreads seconds and ids evenly.
    let unit = if keys.iter().all(|(start, ..)| start % SECOND == 0) { SECOND } else { 1 };
    let after_least = |start: Micros| (i128::from(start) - i128::from(Micros::MIN)).cast_unsigned();
    radix_sort::sort(
        keys,
        |(start, half, _)| after_least(start / unit) << 64 | u128::from(*half),
        |a, b| (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| sid(a.2).cmp(&sid(b.2))),
    );
}

/// The UTC days of sorted calls, each with the number of calls up to its end.
fn days(keys: &[Key]) -> Vec<(i64, usize)> {
    let (mut days, mut at) = (Vec::new(), 0);
    while let Some((start, ..)) = keys.get(at) {
        let day = time::day(*start);
        at = keys.partition_point(|(start, ..)| time::day(*start) <= day);
        days.push((day, at));
    }
    days
}
