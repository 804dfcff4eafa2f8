//! Batched rating: records are settled one by one, while the rows of their legs are looked up in
//! batches.
//!
//! **Invariant:** a record ends as if its legs were looked up when it was settled: rated if each
//! has a row, else suspended.
//!
//! # Why
//! A single lookup stalls on one cache miss after another; in a batch the misses overlap
//! ([`crate::deck::lookup_all`]).

use super::{Class, RatedChild, Verdict};
use crate::deck::{AT_ONCE, Query, lookup_all};
use crate::reject::Reason;

/// Most legs of a record.
const MOST_LEGS: usize = 2;
/// Most records in a batch: those whose legs are pending, and those between them.
const MOST_OPEN: usize = 256;

/// Legs whose rows are still to be found.
#[derive(Default)]
pub(super) struct Legs<'a> {
    queries: Vec<Query<'a>>,
    /// For each leg the index of its record among the open ones, and its own index among the
    /// record's legs.
    of: Vec<(usize, usize)>,
    /// The index of the record that is being settled.
    record: usize,
}

impl<'a> Legs<'a> {
    /// The end of the record that is being settled: rated, if a row is found for each of these
    /// legs.
    pub(super) fn rated(
        &mut self,
        legs: impl IntoIterator<Item = Query<'a>>,
        child: Option<RatedChild>,
    ) -> Verdict {
        for (number, query) in legs.into_iter().enumerate() {
            assert!(number < MOST_LEGS, "no scenario has more");
            self.queries.push(query);
            self.of.push((self.record, number));
        }
        Verdict { child, ..Verdict::of(Class::Rated) }
    }

    fn have_room(&self) -> bool {
        self.queries.len() + MOST_LEGS <= AT_ONCE
    }

    /// Finds the rows and empties the batch.
    fn find(&mut self, open: &mut [(usize, Verdict)]) {
        assert!(self.queries.len() <= AT_ONCE, "a batch is looked up when it is full");
        let hits = lookup_all(&self.queries);
        assert_eq!(
            (self.of.len(), hits.len()),
            (self.queries.len(), self.queries.len()),
            "each leg is looked up"
        );
        for ((record, leg), hit) in self.of.drain(..).zip(hits) {
            let (_, verdict) = &mut open[record];
            match (hit, leg, &mut verdict.child) {
                (None, ..) => *verdict = Verdict::suspended(Reason::NoRate),
                // Suspended for its other leg already.
                (Some(_), ..) if verdict.class == Class::Suspended => {}
                (Some(hit), 0, _) => verdict.first = hit,
                (Some(hit), _, child) => {
                    child.as_mut().expect("only a child has a second leg").second = hit;
                }
            }
        }
        self.queries.clear();
    }
}

/// Settles records that do not depend on each other's end. `settle` may leave the rows of legs to
/// [`Legs::rated`]; `end` receives each record with its end, in their order.
pub(super) fn settle_all<'a>(
    records: impl Iterator<Item = usize>,
    mut settle: impl FnMut(usize, &mut Legs<'a>) -> Verdict,
    mut end: impl FnMut(usize, Verdict),
) {
    let (mut legs, mut open) = (Legs::default(), Vec::new());
    for record in records {
        legs.record = open.len();
        let verdict = settle(record, &mut legs);
        open.push((record, verdict));
        if !legs.have_room() || open.len() == MOST_OPEN {
            legs.find(&mut open);
            for (record, verdict) in open.drain(..) {
                end(record, verdict);
            }
        }
    }
    legs.find(&mut open);
    for (record, verdict) in open {
        end(record, verdict);
    }
}

#[cfg(test)]
mod tests {
    use super::super::RootRef;
    use super::*;
    use crate::deck::{Deck, Destination, Hit, NewRate, Prefix, Rate, Rated};
    use crate::party::Number;
    use crate::party_ref::PartyRef;
    use crate::scenario::{Direction, TransferScenario};
    use crate::table::TargetKind;
    use crate::time::Micros;

    /// Legs with and without a row, over several batches: all of a record's legs have one, or it is
    /// suspended.
    #[test]
    fn a_record_is_rated_if_each_of_its_legs_has_a_row() {
        let rows = (2..).zip(["1202", "1303"]).map(|(line, prefix)| NewRate {
            rate: Rate::sample("0.1", Micros::MIN..Micros::MAX, line),
            destinations: vec![Destination::Prefix(Prefix::parse(prefix).expect("digits"))],
            origins: Vec::new(),
        });
        let deck = Deck::build("d".into(), "USD".into(), vec!["a.csv".into()], rows.collect())
            .expect("no conflict");
        let number = |text: &str| Number::parse(text).expect("a number");
        let [a, b, none] = ["+12025550101", "+13035550101", "+493012345678"].map(|text| {
            let rated = Rated::Number(number(text));
            Query { deck: &deck, service: Direction::Termination, rated, origin: None, at: 0 }
        });
        let scenario = TransferScenario::of(Direction::Termination, TargetKind::Pstn);
        let c = PartyRef::number(number("+12025550101"));
        let child = RatedChild { root: RootRef::Here(0), scenario, c, second: Hit::default() };
        // Legs, and the rows that are expected: 0 is that of `a`, 1 that of `b`.
        let cases: [(&[Query<'_>], Option<[u32; 2]>); 8] = [
            (&[a], Some([0, 0])),
            (&[none], None),
            (&[b, a], Some([1, 0])),
            (&[none, a], None),
            (&[b, none], None),
            (&[none, none], None),
            (&[], None),
            (&[a, b], Some([0, 1])),
        ];
        let mut ends = Vec::new();
        settle_all(
            0..1001,
            |record, legs| match cases[record % cases.len()].0 {
                [] => Verdict::of(Class::Ignored),
                [leg] => legs.rated([*leg], None),
                both => legs.rated(both.iter().copied(), Some(child)),
            },
            |record, verdict| ends.push((record, verdict)),
        );
        assert_eq!(ends.len(), 1001);
        for (at, (record, verdict)) in ends.into_iter().enumerate() {
            let (legs, rows) = cases[at % cases.len()];
            let found = (verdict.class == Class::Rated)
                .then(|| [verdict.first.rate, verdict.child.map_or(0, |child| child.second.rate)]);
            assert_eq!((record, found), (at, rows));
            let reason = (rows.is_none() && !legs.is_empty()).then_some(Reason::NoRate);
            let has_child = rows.is_some() && legs.len() == 2;
            assert_eq!(
                (verdict.reason, verdict.child.is_some()),
                (reason, has_child),
                "record {at}"
            );
        }
    }
}
