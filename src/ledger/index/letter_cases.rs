//! Ids that differ only in the case of their letters, or in the marks that a spreadsheet sets
//! around a text (`'CA1`, `="CA1"`): one of two exports came through such a program, and a call
//! that is in both is billed under either id.
//!
//! Ids are texts, and nothing proves that two such ids are one call: so it is reported, and a
//! person decides.
//!
//! A run records the shapes of its ids that are not in the carrier's form: in capitals, in small
//! letters, marked. The ids of a later run are searched in it in those shapes, if they have
//! another.
//!
//! **Invariant:** memory does not grow with the night: of more than 16,384 ids a sample by hash is
//! compared, so that neither order nor threads change the sample.

use crate::ledger::error::LedgerError;
use crate::ledger::history::History;
use crate::ledger::index::earlier::{booked_among, ids_in};
use crate::ledger::index::ids::IdFile;
use crate::ledger::manifest::ManifestShape;
use crate::ledger::run::Run;
use crate::sid::{Sid, SidText};
use crate::text::visible;
use std::collections::{BTreeMap, BTreeSet};

/// Maximum number of ids that are kept while a partition is looked at.
const MOST: usize = 1 << 14;
/// Ids of a run that are searched at a time.
const AT_A_TIME: u64 = 1 << 16;

/// Ids of booked calls that are not in the carrier's form: by their usual spelling, as they came.
#[derive(Default)]
pub struct LetterCases {
    seen: BTreeMap<Sid, BTreeSet<Box<str>>>,
    /// Only ids whose last `bits` bits are 0 are kept.
    bits: u32,
    /// The shapes that occur.
    pub shapes: BTreeSet<ManifestShape>,
    /// True if there are ids in the carrier's form.
    pub has_usual: bool,
    /// True if ids in their usual spelling are kept too: an earlier run has others.
    keeps_all: bool,
}

impl ManifestShape {
    /// The shape of an id; `None` if it has neither marks nor letters.
    fn of(text: &str) -> Option<Self> {
        let has = |is: fn(&u8) -> bool| text.bytes().any(|byte| is(&byte));
        if text.starts_with('\'') || text.starts_with("=\"") {
            return Some(Self::Marked);
        }
        match (has(u8::is_ascii_uppercase), has(u8::is_ascii_lowercase)) {
            (true, true) => Some(Self::Mixed),
            (true, false) => Some(Self::Capital),
            (false, true) => Some(Self::Small),
            (false, false) => None,
        }
    }

    /// The spellings of an id in this shape.
    fn spellings(self, text: &str) -> Vec<String> {
        match self {
            Self::Capital => vec![usual(text).to_ascii_uppercase()],
            Self::Small => vec![usual(text).to_ascii_lowercase()],
            Self::Marked => vec![format!("'{text}"), format!("=\"{text}\"")],
            Self::Mixed => Vec::new(),
        }
    }
}

/// The usual spelling of an id: `CA` and small hex digits; any other in small letters.
fn usual(text: &str) -> String {
    let bare = text.strip_prefix("=\"").and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let small = bare.trim_start_matches('\'').to_ascii_lowercase();
    match small.strip_prefix("ca") {
        Some(hex) if hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            format!("CA{hex}")
        }
        _ => small,
    }
}

impl LetterCases {
    /// An empty set. If earlier runs have ids that are not in the carrier's form, all ids that are
    /// not in it are kept.
    #[must_use]
    pub fn new(has_others_before: bool) -> Self {
        Self { keeps_all: has_others_before, ..Self::default() }
    }

    /// Looks at the id of a booked call that is not in its carrier's form.
    pub fn look(&mut self, text: &str) {
        let usual = usual(text);
        let is_unusual = usual != text;
        self.shapes.extend(ManifestShape::of(text));
        if is_unusual || self.keeps_all {
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

    /// Adds the ids of another partition.
    pub fn merge(&mut self, other: Self) {
        self.bits = self.bits.max(other.bits);
        self.shapes.extend(other.shapes);
        self.has_usual |= other.has_usual;
        self.keeps_all |= other.keeps_all;
        for (usual, texts) in other.seen {
            self.keep(usual, texts);
        }
    }

    /// The note on calls of the last run that are booked under a second spelling of their id too.
    ///
    /// # Errors
    /// If the ids of a run cannot be read.
    pub fn note(&self, history: &History) -> Result<Option<String>, LedgerError> {
        let wanted: Vec<Sid> = self.seen.keys().copied().collect();
        let booked = booked_among(history, &wanted)?;
        let is_itself =
            |sid: Sid, texts: &BTreeSet<Box<str>>| texts.iter().all(|text| Sid::of(text).0 == sid);
        let is_twin = |(usual, texts): &(&Sid, &BTreeSet<Box<str>>)| {
            texts.len() > 1 || booked.contains(usual) && !is_itself(**usual, texts)
        };
        let mut twins: BTreeMap<Sid, String> = BTreeMap::new();
        for (usual, texts) in self.seen.iter().filter(is_twin) {
            twins.extend(texts.first().map(|text| (*usual, text.to_string())));
        }
        if let Some((last, earlier)) = history.runs.split_last() {
            for run in earlier.iter().filter(|run| run.head.has_odd_ids) {
                self.add_twins(last, run, &mut twins)?;
            }
        }
        let Some(first) = twins.values().min() else { return Ok(None) };
        let calls = if twins.len() == 1 {
            "1 call is".to_owned()
        } else {
            format!("{} calls are", twins.len())
        };
        Ok(Some(format!(
            "{calls} booked under two ids that differ in the case of their letters, \
             or in a spreadsheet's marks, alone ({}): if they are one, it is billed twice",
            visible(first)
        )))
    }

    /// Adds the ids of a run that an earlier one has in another spelling.
    fn add_twins(
        &self,
        run: &Run,
        earlier: &Run,
        twins: &mut BTreeMap<Sid, String>,
    ) -> Result<(), LedgerError> {
        let shapes = &earlier.manifest.id_shapes;
        let mut add = |texts: Vec<String>| -> Result<(), LedgerError> {
            let mut wanted: Vec<(Sid, usize)> = Vec::new();
            for (number, text) in texts.iter().enumerate() {
                let others = shapes
                    .iter()
                    .flat_map(|shape| shape.spellings(text))
                    .filter(|other| other != text);
                wanted.extend(others.map(|other| (Sid::of(&other).0, number)));
            }
            wanted.sort_unstable();
            let sids: Vec<Sid> = wanted.iter().map(|(sid, _)| *sid).collect();
            for id in ids_in(earlier, &sids)?.into_iter().filter(|id| id.place.is_some()) {
                let at = wanted.partition_point(|(sid, _)| *sid < id.sid);
                let text = &texts[wanted[at].1];
                twins.insert(Sid::of(&usual(text)).0, text.clone());
            }
            Ok(())
        };
        add(self.seen.values().flatten().map(ToString::to_string).collect())?;
        if !run.has_ids() || !self.has_usual {
            return Ok(());
        }
        let mut ids = IdFile::open(&run.folder)?;
        for first in (0..ids.count).step_by(usize::try_from(AT_A_TIME).expect("it fits")) {
            let sids = ids.sids(first..ids.count.min(first + AT_A_TIME))?;
            // For an id that is not in the carrier's form this is no text, and matches nothing.
            add(sids.into_iter().map(|sid| SidText::Carrier(sid).to_string()).collect())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::ManifestShape::{Capital, Marked, Mixed, Small};
    use super::*;

    #[test]
    fn what_carriers_write() {
        let hex = "00112233445566778899AABBCCDDEEFF";
        assert_eq!(usual(&format!("ca{hex}")), format!("CA{}", hex.to_lowercase()));
        assert_eq!(
            ["CALL-1", "Ab-7", "'CA1", "=\"CA1\""].map(usual),
            ["call-1", "ab-7", "ca1", "ca1"]
        );
        let shapes = ["AB-7", "ab-7", "aB-7", "'ab-7", "=\"7\"", "123"].map(ManifestShape::of);
        assert_eq!(
            shapes,
            [Some(Capital), Some(Small), Some(Mixed), Some(Marked), Some(Marked), None]
        );
        assert_eq!([Capital, Small].map(|shape| shape.spellings("Ab-7")), [["AB-7"], ["ab-7"]]);
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
