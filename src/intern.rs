//! A text kept once, named by a small number.
//!
//! Accounts, trunks and SIP endpoints repeat on every other call of a night; a column of `u32` stands for them.
//! **Invariant:** ids are given in the order of first sight, so they never depend on the hash or its seed.

use std::hash::{BuildHasher, RandomState};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A set of texts, each with its id.
#[derive(Debug, Clone)]
pub struct Interner {
    texts: Vec<Box<str>>,
    /// Open addressing: id + 1, or 0 for an empty place. Length a power of two, at most half full.
    places: Vec<u32>,
    /// Of this process: texts come from outside, and must not be able to aim at one place.
    seed: u64,
}

impl Default for Interner {
    fn default() -> Self {
        Self { texts: Vec::new(), places: vec![0; 16], seed: RandomState::new().hash_one(0) }
    }
}

impl Interner {
    /// The id of a text, given now if it has none yet.
    ///
    /// # Panics
    /// Past 4 billion texts.
    pub fn id(&mut self, text: &str) -> u32 {
        let place = self.place(text);
        if self.places[place] != 0 {
            return self.places[place] - 1;
        }
        let id = u32::try_from(self.texts.len()).expect("fewer than 2^32 texts");
        self.texts.push(text.into());
        self.places[place] = id + 1;
        if self.texts.len() * 2 > self.places.len() {
            self.grow();
        }
        id
    }

    /// The id of a text, if it has one.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<u32> {
        self.places[self.place(text)].checked_sub(1)
    }

    /// The text of an id.
    #[must_use]
    pub fn text(&self, id: u32) -> &str {
        &self.texts[id as usize]
    }

    /// All texts, in the order of their ids.
    pub fn texts(&self) -> impl ExactSizeIterator<Item = &str> {
        self.texts.iter().map(AsRef::as_ref)
    }

    /// Takes in another set; the result says, for each of its ids, the id here.
    pub fn absorb(&mut self, other: &Self) -> Vec<u32> {
        other.texts().map(|text| self.id(text)).collect()
    }

    /// Where a text stands, or the empty place where it would.
    fn place(&self, text: &str) -> usize {
        let mask = self.places.len() - 1;
        let mut place = usize::try_from(xxh3_64_with_seed(text.as_bytes(), self.seed) & mask as u64).unwrap_or_default();
        loop {
            match self.places[place] {
                0 => return place,
                id if *self.texts[id as usize - 1] == *text => return place,
                _ => place = (place + 1) & mask,
            }
        }
    }

    fn grow(&mut self) {
        self.places = vec![0; self.places.len() * 2];
        for id in 0..self.texts.len() {
            let place = self.place(&self.texts[id]);
            self.places[place] = u32::try_from(id + 1).unwrap_or_default();
        }
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
        let mut other = Interner::default();
        other.id("new");
        other.id("3");
        assert_eq!(set.absorb(&other), [1000, 3]);
    }
}
