//! Compares two versions of a deck: finds rows with other terms for calls that may be booked
//! already.
//!
//! A deck is changed for the future by a date: a new row has `Effective From`, the row before it
//! `Effective To`. A row that is changed in place, or removed, contradicts bills already made: the
//! same call would cost another amount today.
//!
//! ```text
//! old rows ─┐  per service and destination: the time in which the old row was in force, up to the newest call,
//! new rows ─┘  less the time in which a new row says the same = what is changed or gone
//! ```
//!
//! **Invariant:** rows that say the same in other words are no change: split by dates or lists,
//! moved to another line or file, described otherwise.

use crate::deck::{Destination, Increments, NewRate, Prefix, Rate};
use crate::money::Price;
use crate::scenario::Direction;
use crate::time::Micros;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

/// The kind of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// It has other terms.
    Changed,
    /// It is gone: no row prices the calls that it priced.
    Gone,
    /// A new row takes calls that it priced.
    Taken,
}

/// A row with other terms for dates that are billed. Rows are indices into the lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The kind of the change.
    pub kind: ChangeKind,
    /// The row before.
    pub old: usize,
    /// The row now; `None` if it is gone.
    pub new: Option<usize>,
    /// The destinations that changed.
    pub destinations: Vec<Destination>,
    /// The origins of the row that changed; none if it has none, or if all changed.
    pub origins: Vec<Prefix>,
}

/// The key that groups rows changed in one way: kind, the row before, the row now, origins.
type Same = (ChangeKind, usize, Option<usize>, Vec<Prefix>);

/// Compares two versions of a deck for calls that start at `newest` or before.
#[must_use]
pub fn changes(old: &[NewRate], new: &[NewRate], newest: Micros) -> Vec<Change> {
    let both = Both { old: Version::of(old), new: Version::of(new), newest };
    let mut found: BTreeMap<Same, Vec<Destination>> = BTreeMap::new();
    let mut add = |kind, old, new, origins, destination| {
        found.entry((kind, old, new, origins)).or_default().push(destination);
    };
    for (key, rows) in &both.old.by_destination {
        for &row in rows {
            if let Some((now, origins)) = both.lost(*key, row) {
                add(
                    if now.is_some() { ChangeKind::Changed } else { ChangeKind::Gone },
                    row,
                    now,
                    origins,
                    key.1,
                );
            }
        }
    }
    for (key, rows) in &both.new.by_destination {
        for &row in rows {
            if let Some(before) = both.taken_from(*key, row) {
                add(ChangeKind::Taken, before, Some(row), Vec::new(), key.1);
            }
        }
    }
    let change = |((kind, old, new, origins), mut destinations): (_, Vec<Destination>)| {
        destinations.sort_unstable();
        Change { kind, old, new, destinations, origins }
    };
    found.into_iter().map(change).collect()
}

type ChangeKey = (Direction, Destination);

struct Version<'a> {
    rows: &'a [NewRate],
    by_destination: HashMap<ChangeKey, Vec<usize>>,
}

impl<'a> Version<'a> {
    fn of(rows: &'a [NewRate]) -> Self {
        let mut by_destination: HashMap<ChangeKey, Vec<usize>> = HashMap::new();
        for (place, row) in rows.iter().enumerate() {
            for destination in &row.destinations {
                let places = by_destination.entry((row.rate.service, *destination)).or_default();
                if places.last() != Some(&place) {
                    places.push(place);
                }
            }
        }
        Self { rows, by_destination }
    }

    fn at(&self, key: ChangeKey) -> impl Iterator<Item = (usize, &'a NewRate)> + '_ {
        self.by_destination
            .get(&key)
            .into_iter()
            .flatten()
            .map(|place| (*place, &self.rows[*place]))
    }
}

struct Both<'a> {
    old: Version<'a>,
    new: Version<'a>,
    newest: Micros,
}

impl Both<'_> {
    /// The period in which a row was in force, up to the newest call.
    fn billed(&self, row: &NewRate) -> Option<Range<Micros>> {
        let Range { start, end } = row.rate.effective;
        let billed = start..end.min(self.newest.saturating_add(1));
        (!billed.is_empty()).then_some(billed)
    }

    /// Reports an old row that no longer has its terms: the new row in its place, if there is one,
    /// and the origins that changed; `None` if nothing did.
    fn lost(&self, key: ChangeKey, place: usize) -> Option<(Option<usize>, Vec<Prefix>)> {
        let row = &self.old.rows[place];
        // No number starts with 0: a row that could never win is no loss. (Decks from before such
        // rows were refused have some.)
        if matches!(key.1, Destination::Prefix(prefix) if prefix.as_str().starts_with('0')) {
            return None;
        }
        let billed = self.billed(row)?;
        let same = |(_, new): &(usize, &NewRate)| terms(&new.rate) == terms(&row.rate);
        // Nearly every row has a twin with the same terms and origins, and lists of origins are
        // long.
        let twins = self.new.at(key).filter(same).filter(|(_, new)| new.origins == row.origins);
        if minus(&billed, twins.map(|(_, new)| &new.rate.effective)).is_empty() {
            return None;
        }
        let lost = origins(row).filter_map(|origin| {
            let covering = || self.new.at(key).filter(move |(_, new)| lists(new, origin));
            let left = minus(&billed, covering().filter(same).map(|(_, new)| &new.rate.effective));
            let first = left.first()?;
            Some((
                origin,
                covering()
                    .find(|(_, new)| overlap(first, &new.rate.effective))
                    .map(|(place, _)| place),
            ))
        });
        let lost: Vec<_> = lost.collect();
        let now = lost.first()?.1;
        let only = if lost.len() == row.origins.len() {
            Vec::new()
        } else {
            lost.iter().filter_map(|(origin, _)| origin.copied()).collect()
        };
        Some((now, only))
    }

    /// The old row whose calls a new row now prices on other terms, if the new row replaces no old
    /// one.
    fn taken_from(&self, key: ChangeKey, place: usize) -> Option<usize> {
        let row = &self.new.rows[place];
        let billed = self.billed(row)?;
        origins(row).find_map(|origin| {
            let own = self.old.at(key).filter(|(_, old)| lists(old, origin));
            let left = minus(&billed, own.map(|(_, old)| &old.rate.effective));
            left.iter().find_map(|time| self.priced_by(key, origin, time, &row.rate))
        })
    }

    /// The old row on other terms that priced calls to a destination from an origin, longest
    /// destination first.
    fn priced_by(
        &self,
        (service, destination): ChangeKey,
        origin: Option<&Prefix>,
        time: &Range<Micros>,
        now: &Rate,
    ) -> Option<usize> {
        let at = |destination: Destination| {
            self.old
                .at((service, destination))
                .filter(|(_, old)| overlap(time, &old.rate.effective))
        };
        let differs = |old: &NewRate| terms(&old.rate) != terms(now);
        if origin.is_some() {
            // A row of the same destination with a shorter origin, the longest of them, or with any
            // origin.
            let shorter = at(destination).filter_map(|(place, old)| {
                let own = old
                    .origins
                    .iter()
                    .filter(|own| begins(origin, own))
                    .map(|own| own.as_str().len())
                    .max();
                Some((own.or_else(|| old.origins.is_empty().then_some(0))?, place, old))
            });
            if let Some((_, place, old)) =
                shorter.max_by_key(|(digits, place, _)| (*digits, std::cmp::Reverse(*place)))
            {
                return differs(old).then_some(place);
            }
        }
        let Destination::Prefix(prefix) = destination else { return None };
        let text = prefix.as_str();
        for digits in (1..text.len()).rev() {
            let shorter = Destination::Prefix(
                Prefix::parse(&text[..digits]).expect("digits of a prefix are a prefix"),
            );
            let meets = |old: &NewRate| {
                old.origins.is_empty()
                    || origin.is_none_or(|o| {
                        old.origins
                            .iter()
                            .any(|other| begins(Some(o), other) || begins(Some(other), o))
                    })
            };
            let mut is_covered = false;
            for (place, old) in at(shorter).filter(|(_, old)| meets(old)) {
                if differs(old) {
                    return Some(place);
                }
                let whole = old.origins.is_empty()
                    || origin
                        .is_some_and(|o| old.origins.iter().any(|other| begins(Some(o), other)));
                is_covered |= whole
                    && old.rate.effective.start <= time.start
                    && time.end <= old.rate.effective.end;
            }
            if is_covered {
                return None;
            }
        }
        None
    }
}

/// The terms that a leg is billed by.
fn terms(rate: &Rate) -> (Price, Price, Increments) {
    (rate.price, rate.fee, rate.increments)
}

/// The origins of a row; `None` for any.
fn origins(row: &NewRate) -> impl Iterator<Item = Option<&Prefix>> {
    let any = row.origins.is_empty().then_some(None);
    any.into_iter().chain(row.origins.iter().map(Some))
}

/// True if a row names an origin, as it is written.
fn lists(row: &NewRate, origin: Option<&Prefix>) -> bool {
    origin.map_or(row.origins.is_empty(), |origin| row.origins.contains(origin))
}

/// True if an origin begins with another.
fn begins(origin: Option<&Prefix>, with: &Prefix) -> bool {
    origin.is_some_and(|origin| origin.as_str().starts_with(with.as_str()))
}

fn overlap(a: &Range<Micros>, b: &Range<Micros>) -> bool {
    a.start < b.end && b.start < a.end
}

/// The parts of a period outside all others.
fn minus<'a>(
    time: &Range<Micros>,
    others: impl Iterator<Item = &'a Range<Micros>>,
) -> Vec<Range<Micros>> {
    let mut left = vec![time.clone()];
    for other in others {
        let parts = left.iter().flat_map(|part| {
            [part.start..part.end.min(other.start), part.start.max(other.end)..part.end]
        });
        left = parts.filter(|part| !part.is_empty()).collect();
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEWEST: Micros = 1_000;

    fn row(price: &str, origins: &str, destinations: &str, effective: Range<Micros>) -> NewRate {
        let list = |text: &str| {
            text.split(' ')
                .filter(|p| !p.is_empty())
                .map(|p| Prefix::parse(p).unwrap())
                .collect::<Vec<_>>()
        };
        NewRate {
            rate: Rate::sample(price, effective, 0),
            destinations: list(destinations).into_iter().map(Destination::Prefix).collect(),
            origins: list(origins),
        }
    }

    const ALWAYS: Range<Micros> = Micros::MIN..Micros::MAX;

    fn kinds(old: &[NewRate], new: &[NewRate]) -> Vec<(ChangeKind, usize, Option<usize>)> {
        changes(old, new, NEWEST).into_iter().map(|c| (c.kind, c.old, c.new)).collect()
    }

    #[test]
    fn what_is_dated_is_no_change() {
        let old = [row("0.1", "", "1 44", ALWAYS)];
        let ended = Micros::MIN..NEWEST + 1;
        assert_eq!(
            kinds(
                &old,
                &[
                    row("0.1", "", "1 44", ended.clone()),
                    row("0.2", "", "1 44", NEWEST + 1..Micros::MAX)
                ]
            ),
            []
        );
        assert_eq!(
            kinds(&old, &[row("0.1", "", "1 44", ended)]),
            [],
            "it ends after the newest call"
        );
        let early = kinds(
            &old,
            &[
                row("0.1", "", "1 44", Micros::MIN..NEWEST),
                row("0.2", "", "1 44", NEWEST..Micros::MAX),
            ],
        );
        assert_eq!(early, [(ChangeKind::Changed, 0, Some(1))], "the newest call is billed");
        assert_eq!(
            kinds(&[row("0.1", "", "1", NEWEST + 1..Micros::MAX)], &[]),
            [],
            "it was never in force"
        );
    }

    #[test]
    fn other_words_are_no_change() {
        let old = [row("0.1", "33 44", "1 32", ALWAYS)];
        let new = [
            row("0.1", "44", "1", ALWAYS),
            row("0.1", "33", "1 32", Micros::MIN..0),
            row("0.1", "33", "1 32", 0..Micros::MAX),
            row("0.1", "44", "32", ALWAYS),
        ];
        assert_eq!(kinds(&old, &new), []);
        assert_eq!(kinds(&new, &old), []);
    }

    #[test]
    fn changed_gone_and_taken() {
        let old = [row("0.1", "", "1", ALWAYS), row("0.3", "44", "1", ALWAYS)];
        assert_eq!(
            kinds(&old, &[row("0.2", "", "1", ALWAYS), old[1].clone()]),
            [(ChangeKind::Changed, 0, Some(0))]
        );
        assert_eq!(kinds(&old, &old[..1]), [(ChangeKind::Gone, 1, None)]);
        assert_eq!(
            kinds(&old, &[old[0].clone(), row("0.3", "33", "1", ALWAYS)]),
            [(ChangeKind::Gone, 1, None), (ChangeKind::Taken, 0, Some(1))]
        );
        let more = |new: NewRate| kinds(&old, &[old[0].clone(), old[1].clone(), new]);
        assert_eq!(more(row("0.2", "", "1415", ALWAYS)), [(ChangeKind::Taken, 0, Some(2))]);
        assert_eq!(more(row("0.2", "441", "1", ALWAYS)), [(ChangeKind::Taken, 1, Some(2))]);
        assert_eq!(
            more(row("0.2", "", "1415", NEWEST + 1..Micros::MAX)),
            [],
            "valid only after the newest call"
        );
        assert_eq!(more(row("0.2", "", "49", ALWAYS)), [], "nothing priced it before");
        assert_eq!(more(row("0.1", "33", "1415", ALWAYS)), [], "the same terms");
        assert_eq!(kinds(&old[..1], &[old[0].clone(), row("0.1", "", "1415", ALWAYS)]), []);
    }
}
