//! Ids that differ in the case of their letters alone: one of two exports came through a program that writes capitals, and
//! a call that is in both is billed under either id.
//!
//! Ids are texts, and nothing says that two such are one call: it is said, and a person decides.
//!
//! **Invariant:** memory does not grow with the night: of more ids than [`MOST`] some are looked at, by their hash, so that
//! neither order nor threads change which.

use super::ledger::known::booked_among;
use super::ledger::{History, LedgerError};
use crate::call::Sid;
use crate::text::visible;
use std::collections::{BTreeMap, BTreeSet};

/// So many ids are kept at most, while a part is looked at.
const MOST: usize = 1 << 17;

/// Ids of booked calls that their carrier would write with other letters: by the id that it would write, as they came.
#[derive(Default)]
pub struct LetterCases {
    seen: BTreeMap<Sid, BTreeSet<Box<str>>>,
    /// Only ids are kept whose last so many bits are 0.
    bits: u32,
}

/// An id as its carrier writes it: `CA` and small hex digits; any other in small letters.
fn usual(text: &str) -> String {
    let small = text.to_ascii_lowercase();
    match small.strip_prefix("ca") {
        Some(hex) if hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => format!("CA{hex}"),
        _ => small,
    }
}

impl LetterCases {
    /// Looks at the id of a call that is booked.
    pub fn look(&mut self, text: &str) {
        let usual = usual(text);
        if usual != text {
            self.keep(Sid::of(&usual).0, BTreeSet::from([text.into()]));
        }
    }

    fn keep(&mut self, usual: Sid, texts: BTreeSet<Box<str>>) {
        let is_kept = |sid: Sid, bits: u32| sid.0.trailing_zeros() >= bits;
        if !is_kept(usual, self.bits) {
            return;
        }
        self.seen.entry(usual).or_default().extend(texts);
        while self.seen.len() > MOST {
            self.bits += 1;
            self.seen.retain(|sid, _| is_kept(*sid, self.bits));
        }
    }

    /// Adds those of another part.
    pub fn merge(&mut self, other: Self) {
        self.bits = self.bits.max(other.bits);
        for (usual, texts) in other.seen {
            self.keep(usual, texts);
        }
    }

    /// What is said of calls that a run has booked under two ids. `history` has that run, too.
    ///
    /// # Errors
    /// If the ids of a run cannot be read.
    pub fn note(&self, history: &History) -> Result<Option<String>, LedgerError> {
        let wanted: Vec<Sid> = self.seen.keys().copied().collect();
        let booked = booked_among(history, &wanted)?;
        let is_twin = |(usual, texts): &(&Sid, &BTreeSet<Box<str>>)| texts.len() > 1 || booked.contains(usual);
        let twins: Vec<&BTreeSet<Box<str>>> = self.seen.iter().filter(is_twin).map(|(_, texts)| texts).collect();
        let Some(first) = twins.iter().filter_map(|texts| texts.first()).min() else { return Ok(None) };
        let calls = if twins.len() == 1 { "1 call is".to_owned() } else { format!("{} calls are", twins.len()) };
        Ok(Some(format!(
            "{calls} booked under two ids that differ in the case of their letters alone ({}): if they are one, it is billed twice",
            visible(first)
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_carriers_write() {
        let hex = "00112233445566778899AABBCCDDEEFF";
        assert_eq!(usual(&format!("ca{hex}")), format!("CA{}", hex.to_lowercase()));
        assert_eq!([usual("CALL-1"), usual("Ab-7")], ["call-1", "ab-7"]);
    }

    #[test]
    fn some_are_enough_and_no_order_decides_which() {
        let of = |numbers: &[usize]| {
            let mut all = LetterCases::default();
            for half in numbers.chunks(numbers.len() / 2 + 1) {
                let mut part = LetterCases::default();
                for number in half {
                    part.look(&format!("CALL-{number}"));
                }
                all.merge(part);
            }
            all
        };
        let numbers: Vec<usize> = (0..3 * MOST).collect();
        let backwards: Vec<usize> = numbers.iter().rev().copied().collect();
        let (one, other) = (of(&numbers), of(&backwards));
        assert!(one.seen.len() <= MOST && one.seen.len() > MOST / 4);
        assert_eq!((one.bits, &one.seen), (other.bits, &other.seen));
    }
}
