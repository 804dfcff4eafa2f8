//! Conflicting rows, which would give two answers for one call: the same destination and a common
//! origin, in force at once, on other terms.
//!
//! # Why two ways to look
//! Most destinations have a few rows, and each is compared with each. Where one has thousands (a
//! row for each origin), that would take hours, so they are compared origin by origin. Both find
//! the same two rows: the first that conflicts with a later one, and the first of those.

use super::{ANY_ORIGIN, Candidate, Conflict, Deck, MANY, OriginSets, Prefix};
use std::collections::HashMap;

/// Refuses a deck with such rows.
pub(super) fn refuse(deck: &Deck, sets: &OriginSets) -> Result<(), Box<Conflict>> {
    let mut by_date = Vec::new();
    for rows in &deck.by_service {
        rows.prefixes.try_each(|digits, candidates| {
            let text = || digits.iter().map(|digit| char::from(b'0' + digit)).collect();
            refuse_at(deck, text, candidates, sets, &mut by_date)
        })?;
        refuse_at(deck, || "emergency".to_owned(), &rows.emergency, sets, &mut by_date)?;
    }
    Ok(())
}

fn refuse_at(
    deck: &Deck,
    destination: impl FnOnce() -> String,
    candidates: &[Candidate],
    sets: &OriginSets,
    by_date: &mut Vec<Candidate>,
) -> Result<(), Box<Conflict>> {
    by_date.clear();
    by_date.extend(candidates.iter().filter(|candidate| !deck.period(**candidate).is_empty()));
    by_date.sort_by_key(|candidate| (deck.period(*candidate).start, candidate.rate));
    let found = if by_date.len() > MANY {
        by_origin(deck, by_date, sets)
    } else {
        by_pairs(deck, by_date, sets)
    };
    let Some((first, second)) = found.map(|(first, second)| (by_date[first], by_date[second]))
    else {
        return Ok(());
    };
    let (a, b) = (&deck.rates[first.rate as usize], &deck.rates[second.rate as usize]);
    let mut lines = [(a.file, a.line), (b.file, b.line)];
    lines.sort_unstable();
    let origin = sets
        .common(first.origins, second.origins)
        .expect("rows that conflict have an origin in common");
    Err(Box::new(Conflict {
        first: lines[0],
        second: lines[1],
        destination: destination(),
        origin,
    }))
}

fn differ(deck: &Deck, a: Candidate, b: Candidate) -> bool {
    !deck.rates[a.rate as usize].same_terms(&deck.rates[b.rate as usize])
}

/// Compares each row with each; returns places in `by_date`.
fn by_pairs(deck: &Deck, by_date: &[Candidate], sets: &OriginSets) -> Option<(usize, usize)> {
    by_date.iter().enumerate().find_map(|(place, first)| {
        let end = deck.period(*first).end;
        let later = by_date
            .iter()
            .enumerate()
            .skip(place + 1)
            .take_while(|(_, second)| deck.period(**second).start < end);
        let mut conflicting = later.filter(|(_, second)| {
            differ(deck, *first, **second) && sets.common(first.origins, second.origins).is_some()
        });
        conflicting.next().map(|(other, _)| (place, other))
    })
}

/// Compares the rows of each origin prefix, by date: only one kind of terms can be in force there.
fn by_origin(deck: &Deck, by_date: &[Candidate], sets: &OriginSets) -> Option<(usize, usize)> {
    let mut of_origin: HashMap<Option<Prefix>, Vec<usize>> = HashMap::new();
    for (place, candidate) in by_date.iter().enumerate() {
        match candidate.origins {
            ANY_ORIGIN => of_origin.entry(None).or_default().push(place),
            set => sets.sets[set as usize]
                .iter()
                .for_each(|prefix| of_origin.entry(Some(*prefix)).or_default().push(place)),
        }
    }
    let first_conflict = |places: &Vec<usize>| {
        let (first, rest) = places.split_first()?;
        // The row with the latest end among the rows seen so far.
        let mut longest = *first;
        for (at, place) in rest.iter().enumerate() {
            let period = deck.period(by_date[*place]);
            let is_over = |other: usize| deck.period(by_date[other]).end <= period.start;
            if !is_over(longest) && differ(deck, by_date[longest], by_date[*place]) {
                let stands = |other: &&usize| {
                    !is_over(**other) && differ(deck, by_date[**other], by_date[*place])
                };
                return places[..=at].iter().find(stands).map(|other| (*other, *place));
            }
            if deck.period(by_date[longest]).end < period.end {
                longest = *place;
            }
        }
        None
    };
    of_origin.values().filter_map(first_conflict).min()
}

impl OriginSets {
    /// An origin prefix that two sets share; `""` for two rows of any origin.
    fn common(&self, a: u32, b: u32) -> Option<String> {
        match (a, b) {
            (ANY_ORIGIN, ANY_ORIGIN) => Some(String::new()),
            (ANY_ORIGIN, _) | (_, ANY_ORIGIN) => None,
            (a, b) => {
                let other = &self.sets[b as usize];
                let shared =
                    self.sets[a as usize].iter().find(|prefix| other.binary_search(prefix).is_ok());
                shared.map(|prefix| prefix.as_str().to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Destination, NewRate, Rate};
    use super::*;

    fn deck(rows: &[(u32, i64, i64, &[&str])]) -> (Deck, OriginSets) {
        let mut sets = OriginSets::default();
        let mut deck = Deck { files: vec!["a.csv".to_owned()], ..Deck::default() };
        for (line, (price, start, end, origins)) in (2..).zip(rows) {
            let origins =
                origins.iter().map(|origin| Prefix::parse(origin).expect("digits")).collect();
            let rate = Rate::sample(&format!("0.{price}"), *start..*end, line);
            let row = NewRate { rate, destinations: vec![Destination::Emergency], origins };
            let period = u32::try_from(deck.periods.len()).expect("few");
            deck.periods.push(row.rate.effective.clone());
            let candidate = Candidate { rate: line - 2, origins: sets.number(row.origins), period };
            deck.by_service[0].emergency.push(candidate);
            deck.rates.push(row.rate);
        }
        (deck, sets)
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config { cases: 2000, ..Default::default() })]

        /// The two ways find the same two rows.
        #[test]
        fn by_origin_and_by_pairs_agree(rows in proptest::collection::vec(
            (1_u32..4, 0_i64..40, 0_i64..12, 0_usize..6),
            2..24,
        )) {
            const ORIGINS: [&[&str]; 6] =
                [&[], &["44"], &["44", "33"], &["33"], &["1", "33", "7"], &["7"]];
            let rows: Vec<(u32, i64, i64, &[&str])> =
                rows.into_iter()
                    .map(|(price, start, days, origins)| {
                        (price, start, start + days, ORIGINS[origins])
                    })
                    .collect();
            let (deck, sets) = deck(&rows);
            let mut by_date: Vec<Candidate> = deck.by_service[0].emergency.clone();
            by_date.retain(|candidate| !deck.period(*candidate).is_empty());
            by_date.sort_by_key(|candidate| (deck.period(*candidate).start, candidate.rate));
            let by_pairs = by_pairs(&deck, &by_date, &sets);
            assert_eq!(by_origin(&deck, &by_date, &sets), by_pairs, "{rows:?}");
        }
    }
}
