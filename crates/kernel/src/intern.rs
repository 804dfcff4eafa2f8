//! Interner: each text is kept once and named by a small number.
//!
//! Accounts, trunks and SIP endpoints repeat on every other call of a night; a column of `u32`
//! represents them. **Invariant:** ids are given in the order of first occurrence, so they never
//! depend on the hash or its seed.

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A set of texts, each with its id.
#[derive(Debug, Clone)]
pub struct Interner {
    /// All texts, one after the other: to copy the set is to copy three blocks of memory, whatever
    /// it holds.
    arena: String,
    /// The end of each text in the arena.
    ends: Vec<usize>,
    /// Open addressing. Length a power of two, at most half full.
    places: Vec<Slot>,
    /// The id of the empty text, which most prices and the parties of children are. It is not
    /// looked up in the table: comparing two empty strings takes a slow masked load, 30 ns per
    /// record of CSV, 130 of Parquet.
    empty: Option<u32>,
    /// Random per process: texts come from outside, and must not be able to aim at one place.
    seed: u64,
}

/// A place of the table.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    /// The text's hash, so that a text is compared once and the table grows without reading the
    /// texts.
    hash: u32,
    /// Id + 1, or 0 for an empty place.
    id: u32,
}

impl Default for Interner {
    fn default() -> Self {
        Self {
            arena: String::new(),
            ends: Vec::new(),
            places: vec![Slot::default(); 16],
            empty: None,
            seed: RandomState::new().hash_one(0),
        }
    }
}

impl Interner {
    /// The id of a text; gives it the next one if it has none yet.
    ///
    /// # Panics
    /// Past 4 billion texts.
    #[inline]
    pub fn id(&mut self, text: &str) -> u32 {
        if text.is_empty()
            && let Some(id) = self.empty
        {
            return id;
        }
        let hash = self.hash(text);
        let place = self.place(text, hash);
        match self.places[place].id {
            0 => self.add(text, hash, place),
            id => id - 1,
        }
    }

    #[cold]
    fn add(&mut self, text: &str, hash: u32, place: usize) -> u32 {
        self.arena.push_str(text);
        self.ends.push(self.arena.len());
        let id = u32::try_from(self.ends.len()).expect("fewer than 2^32 texts");
        self.places[place] = Slot { hash, id };
        if text.is_empty() {
            self.empty = Some(id - 1);
        }
        if self.ends.len() * 2 > self.places.len() {
            self.grow();
        }
        id - 1
    }

    /// The id of a text, if it has one.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<u32> {
        self.places[self.place(text, self.hash(text))].id.checked_sub(1)
    }

    /// The text of an id.
    #[inline]
    #[must_use]
    pub fn text(&self, id: u32) -> &str {
        &self.arena[self.range(id)]
    }

    /// The bytes of an id's text: comparing them needs no look at where characters begin.
    #[inline]
    fn bytes(&self, id: u32) -> &[u8] {
        &self.arena.as_bytes()[self.range(id)]
    }

    #[inline]
    fn range(&self, id: u32) -> Range<usize> {
        let id = id as usize;
        let start = if id == 0 { 0 } else { self.ends[id - 1] };
        start..self.ends[id]
    }

    /// True if an id's text is empty; does not read the text.
    #[inline]
    #[must_use]
    pub fn is_empty_text(&self, id: u32) -> bool {
        self.empty == Some(id)
    }

    /// All texts, in the order of their ids.
    #[must_use]
    pub fn texts(&self) -> impl ExactSizeIterator<Item = &str> {
        let mut start = 0;
        self.ends.iter().map(move |end| &self.arena[std::mem::replace(&mut start, *end)..*end])
    }

    /// Adds all texts of another set; the result maps each of its ids to the id here.
    pub fn absorb(&mut self, other: &Self) -> Vec<u32> {
        other.texts().map(|text| self.id(text)).collect()
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "the low half of a hash is a hash")]
    fn hash(&self, text: &str) -> u32 {
        xxh3_64_with_seed(text.as_bytes(), self.seed) as u32
    }

    /// The place of a text in the table, or the empty place for it.
    #[inline]
    fn place(&self, text: &str, hash: u32) -> usize {
        let mask = self.places.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            match self.places[at] {
                Slot { id: 0, .. } => return at,
                place if place.hash == hash && self.bytes(place.id - 1) == text.as_bytes() => {
                    return at;
                }
                _ => at = (at + 1) & mask,
            }
        }
    }

    fn grow(&mut self) {
        let mask = self.places.len() * 2 - 1;
        assert!((mask + 1).is_power_of_two(), "a hash is cut to a place by a mask");
        let old = std::mem::replace(&mut self.places, vec![Slot::default(); mask + 1]);
        for place in old.into_iter().filter(|place| place.id != 0) {
            let mut at = place.hash as usize & mask;
            while self.places[at].id != 0 {
                at = (at + 1) & mask;
            }
            self.places[at] = place;
        }
        let taken = self.places.iter().filter(|place| place.id != 0).count();
        assert_eq!(taken, self.ends.len(), "each text has its place after the table has grown");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_given_in_order_and_kept() {
        let mut set = Interner::default();
        for n in 0..1000_u32 {
            assert_eq!(set.id(&n.to_string()), n);
        }
        assert_eq!(set.id("7"), 7);
        assert_eq!(set.find("999"), Some(999));
        assert_eq!(set.find("1000"), None);
        assert_eq!(set.text(12), "12");
        assert_eq!(
            (set.find(""), set.id(""), set.id(""), set.find("")),
            (None, 1000, 1000, Some(1000))
        );
        let mut other = Interner::default();
        other.id("new");
        other.id("3");
        assert_eq!(set.absorb(&other), [1001, 3]);
    }
}
