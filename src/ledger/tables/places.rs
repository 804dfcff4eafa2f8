//! Places in the suspense: a set of its records, a bit each.
//!
//! **Invariant:** a place counts the records as they are stored after one run; after another run
//! the same place is another record.

use crate::ledger::error::LedgerError;
use crate::ledger::place::Dataset;
use crate::ledger::run::Run;
use crate::ledger::tables::read::each_suspended;
use crate::ledger::tables::suspense::SuspenseRow;

const BITS: usize = 64;

/// Some of the suspended records, by their places.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    words: Vec<u64>,
    count: u64,
}

impl Places {
    /// Adds a place; false if it was there already.
    pub fn insert(&mut self, at: usize) -> bool {
        if self.has(at) {
            return false;
        }
        if self.words.len() <= at / BITS {
            self.words.resize(at / BITS + 1, 0);
        }
        self.words[at / BITS] |= 1 << (at % BITS);
        self.count += 1;
        true
    }

    /// True if a place is among them.
    #[must_use]
    pub fn has(&self, at: usize) -> bool {
        self.words.get(at / BITS).is_some_and(|word| word >> (at % BITS) & 1 == 1)
    }

    /// The number of places.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// True if there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl FromIterator<usize> for Places {
    fn from_iter<T: IntoIterator<Item = usize>>(places: T) -> Self {
        let mut all = Self::default();
        for at in places {
            all.insert(at);
        }
        all
    }
}

/// Calls `then` for the suspended records of a run whose place is wanted, some at a time.
///
/// # Errors
/// As [`each_suspended`].
pub fn each_at<E: From<LedgerError>>(
    run: &Run,
    is_wanted: impl Fn(usize) -> bool,
    mut then: impl FnMut(Vec<SuspenseRow>) -> Result<(), E>,
) -> Result<(), E> {
    let mut before = 0;
    each_suspended(run, Dataset::Suspense, |rows| {
        let places = before..;
        before += rows.len();
        let wanted: Vec<SuspenseRow> =
            places.zip(rows).filter(|(at, _)| is_wanted(*at)).map(|(_, row)| row).collect();
        if wanted.is_empty() { Ok(()) } else { then(wanted) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_in_once() {
        let mut places: Places = [0, 63, 64, 1000].into_iter().collect();
        assert_eq!((places.count(), places.insert(64), places.insert(65)), (4, false, true));
        let found: Vec<usize> = (0..1100).filter(|at| places.has(*at)).collect();
        assert_eq!((found, places.count()), (vec![0, 63, 64, 65, 1000], 5));
        assert!(Places::default().is_empty() && !Places::default().has(0));
    }
}
