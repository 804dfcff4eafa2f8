//! Rate decks: the price of a leg.
//!
//! A [`Deck`] is built once from typed rows and then only read. The rule of the contract: of the
//! rows of the service, in force at the call's start, whose origin list is blank or has a prefix of
//! the origin, the longest destination prefix wins, then the longest origin prefix. **The origin is
//! matched first:** the longest destination alone can lead to a row that this origin may not use.
//!
//! **Invariant:** a deck that could give two answers for one call is never built; [`Deck::build`]
//! names both lines.
//!
//! # Why
//! Prefixes are kept in a flat trie of digit arrays: a lookup is one array access per digit and
//! allocates nothing. Origin lists repeat (one list of EEA prefixes serves hundreds of rows), so
//! each distinct list is a set with a number, and a second trie matches an origin to its sets.
//! Expanding list × list into one table would be a million entries for a published deck of 40,000
//! prefixes.

mod batch;
mod conflict;

pub use self::batch::{AT_ONCE, Query, lookup_all};
use crate::money::Price;
use crate::party::{Emergency, Number};
use crate::scenario::Direction;
use crate::time::Micros;
use crate::trie::{Path, Trie, TrieBuilder};
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

/// Billing increments: the rule from seconds to billed seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Increments {
    /// Initial increment, billed whole. Seconds.
    pub initial: u32,
    /// Every further increment, billed whole. Seconds, at least 1.
    pub increment: u32,
    /// The least duration that is billed. Seconds.
    pub minimum: u32,
}

impl Increments {
    /// Longest increment that a deck may state, in seconds.
    pub const LONGEST: u32 = 86_400;

    /// **The rounding of seconds**, once: 0 when nothing is billed; else the initial increment,
    /// then whole increments.
    ///
    /// ```
    /// use trunkrate_kernel::deck::Increments;
    /// let block = Increments { initial: 90, increment: 60, minimum: 0 };
    /// assert_eq!(block.billed(91), Some(150));
    /// assert_eq!(block.billed(0), Some(0));
    /// ```
    ///
    /// `None` if the result does not fit 32 bits.
    #[must_use]
    #[inline]
    pub fn billed(self, duration_seconds: u32) -> Option<u32> {
        if duration_seconds == 0 {
            return Some(0);
        }
        let duration = duration_seconds.max(self.minimum);
        if duration <= self.initial {
            return Some(self.initial);
        }
        assert!(self.increment > 0, "an increment is at least a second");
        let blocks = (duration - self.initial).div_ceil(self.increment);
        blocks.checked_mul(self.increment)?.checked_add(self.initial)
    }
}

/// A prefix of telephone numbers: 1 to 15 digits, without `+`.
///
/// The digits are held in the value itself, padded with zero bytes, so that values compare as their
/// texts do: a deck has a hundred thousand of them, and a heap object each cost a tenth of its
/// loading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix([u8; 15]);

impl Prefix {
    /// Parses digits and nothing else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let good = (1..=15).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        good.then(|| {
            let mut digits = [0; 15];
            digits[..text.len()].copy_from_slice(text.as_bytes());
            Self(digits)
        })
    }

    fn bytes(&self) -> &[u8] {
        &self.0[..self.0.iter().position(|digit| *digit == 0).unwrap_or(self.0.len())]
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.bytes()).expect("digits are text")
    }

    fn digits(&self) -> impl Iterator<Item = usize> + '_ {
        self.bytes().iter().map(|b| usize::from(b - b'0'))
    }
}

/// A destination in a row's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Destination {
    /// Numbers with this prefix.
    Prefix(Prefix),
    /// The word `emergency`: 911 and 933 as dialled.
    Emergency,
}

/// The party that a leg is priced by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rated {
    /// A number.
    Number(Number),
    /// 911 or 933.
    Emergency(Emergency),
}

impl fmt::Display for Rated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Emergency(emergency) => f.write_str(emergency.as_str()),
        }
    }
}

/// One row of a deck, without its prefixes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rate {
    /// The price list that it is on.
    pub service: Direction,
    /// Price per minute.
    pub price: Price,
    /// Charged once per leg.
    pub fee: Price,
    /// Billing increments.
    pub increments: Increments,
    /// ISO 3166 code, as the row gives it.
    pub iso: Box<str>,
    /// The country's name.
    pub country: Box<str>,
    /// The published description.
    pub description: Box<str>,
    /// From inclusive, to exclusive.
    pub effective: Range<Micros>,
    /// Index of its file in [`Deck::files`].
    pub file: u32,
    /// Its line there.
    pub line: u32,
}

impl Rate {
    fn same_terms(&self, other: &Self) -> bool {
        (self.price, self.fee, self.increments) == (other.price, other.fee, other.increments)
    }
}

/// A row with its prefixes, as [`Deck::build`] takes it.
#[derive(Debug, Clone)]
pub struct NewRate {
    /// The row.
    pub rate: Rate,
    /// Its destinations; at least one.
    pub destinations: Vec<Destination>,
    /// Its origins; empty for any origin, the unknown one included.
    pub origins: Vec<Prefix>,
}

/// Two rows that give two answers for one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// File index and line of the first row.
    pub first: (u32, u32),
    /// File index and line of the second row.
    pub second: (u32, u32),
    /// The destination prefix, or `emergency`.
    pub destination: String,
    /// The origin prefix; empty for any origin.
    pub origin: String,
}

/// The winning row, and the lengths of the prefixes by which it won.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hit {
    /// Index of the row in [`Deck::rates`].
    pub rate: u32,
    /// Digits of the destination that matched; 0 for an emergency row.
    pub destination_digits: u8,
    /// Digits of the origin that matched; 0 where the row takes any origin.
    pub origin_digits: u8,
}

impl Hit {
    /// The value for a leg that does not exist.
    pub const NONE: Self = Self { rate: 0, destination_digits: 0, origin_digits: 0 };

    /// Writes the matching prefix of the rated number; the word `emergency` for an emergency row.
    pub fn push_destination_prefix(self, rated: Rated, buffer: &mut Vec<u8>) {
        match rated {
            Rated::Number(number) => push_digits(&number.digits(), self.destination_digits, buffer),
            Rated::Emergency(_) => buffer.extend_from_slice(b"emergency"),
        }
    }

    /// Writes the matching prefix of the origin; nothing for a row of any origin.
    pub fn push_origin_prefix(self, origin: Option<Number>, buffer: &mut Vec<u8>) {
        if let Some(origin) = origin {
            push_digits(&origin.digits(), self.origin_digits, buffer);
        }
    }

    /// Both prefixes as texts.
    #[must_use]
    pub fn prefixes(self, rated: Rated, origin: Option<Number>) -> (String, String) {
        let (mut destination, mut from) = (Vec::new(), Vec::new());
        self.push_destination_prefix(rated, &mut destination);
        self.push_origin_prefix(origin, &mut from);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("digits are text");
        (text(destination), text(from))
    }
}

fn push_digits(digits: &[u8], count: u8, buffer: &mut Vec<u8>) {
    buffer.extend(digits.iter().take(usize::from(count)).map(|digit| b'0' + digit));
}

/// The reason that a row which matches the destination did not win.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// Not in force at the call's start.
    NotInForce,
    /// None of its origin prefixes is a prefix of the origin.
    Origin,
    /// Another row matches more digits of the destination.
    ShorterDestination,
    /// Another row matches as many digits of the destination, and more of the origin.
    ShorterOrigin,
    /// Another row with the same prefixes and the same price comes first.
    SameTerms,
}

/// A row that matches the destination, and its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Considered {
    /// The row and its prefixes.
    pub hit: Hit,
    /// The reason that it lost; `None` for the winner.
    pub lost: Option<Lost>,
}

/// A rate deck, ready for lookups.
#[derive(Debug, Clone, Default)]
pub struct Deck {
    /// `name` of `deck.toml`.
    pub name: String,
    /// ISO 4217 code.
    pub currency: String,
    /// Files of the rows, relative to the folder of decks.
    pub files: Vec<String>,
    /// The rows.
    pub rates: Vec<Rate>,
    /// Hash over the deck's files, set by the loader; empty if the deck was built by hand.
    pub hash: String,
    by_service: [Destinations; 2],
    origins: Trie<u32>,
    /// The distinct periods in which rows are in force.
    periods: Vec<Range<Micros>>,
}

/// The rows of one service, by destination.
#[derive(Debug, Clone, Default)]
struct Destinations {
    prefixes: Trie<Candidate>,
    emergency: Vec<Candidate>,
}

/// A row as it is looked up. 12 bytes, so that a hundred thousand of them, read in random order,
/// fit in the cache.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    rate: u32,
    /// Number of the origin set, or [`ANY_ORIGIN`].
    origins: u32,
    /// Number of the period in which it is in force.
    period: u32,
}

const ANY_ORIGIN: u32 = u32::MAX;
/// The most rows of one destination that are scanned for a matching origin; more are searched by
/// origin set.
const MANY: usize = 64;

impl Deck {
    /// Builds a deck from its rows.
    ///
    /// # Errors
    /// The first pair of rows that could give two answers for one call: same service, overlapping
    /// dates, same destination and origin prefix, other terms.
    pub fn build(
        name: String,
        currency: String,
        files: Vec<String>,
        rows: Vec<NewRate>,
    ) -> Result<Self, Box<Conflict>> {
        let mut deck = Self { name, currency, files, ..Self::default() };
        let mut sets = OriginSets::default();
        let mut periods: HashMap<(Micros, Micros), u32> = HashMap::new();
        let mut prefixes = [TrieBuilder::default(), TrieBuilder::default()];
        for row in rows {
            let number = u32::try_from(deck.rates.len()).expect("fewer than 2^32 rows");
            let effective = row.rate.effective.clone();
            let period = *periods.entry((effective.start, effective.end)).or_insert_with(|| {
                deck.periods.push(effective);
                u32::try_from(deck.periods.len() - 1).expect("no more periods than rows")
            });
            let candidate = Candidate { rate: number, origins: sets.number(row.origins), period };
            let service = row.rate.service as usize;
            let mut destinations = row.destinations;
            destinations.sort_unstable();
            destinations.dedup();
            for destination in destinations {
                match destination {
                    Destination::Prefix(prefix) => {
                        prefixes[service].add(prefix.digits(), candidate);
                    }
                    Destination::Emergency => deck.by_service[service].emergency.push(candidate),
                }
            }
            deck.rates.push(row.rate);
        }
        for (service, builder) in prefixes.into_iter().enumerate() {
            deck.by_service[service].prefixes = builder.finish();
        }
        conflict::refuse(&deck, &sets)?;
        for rows in &mut deck.by_service {
            rows.prefixes.sort_many(MANY, |candidate| (candidate.origins, candidate.rate));
            if rows.emergency.len() > MANY {
                rows.emergency
                    .sort_unstable_by_key(|candidate| (candidate.origins, candidate.rate));
            }
        }
        deck.origins = sets.into_trie();
        assert!(deck.periods.len() <= deck.rates.len(), "a period belongs to a row");
        Ok(deck)
    }

    /// True if any of its rows is restricted to some origins.
    #[must_use]
    pub fn has_origins(&self) -> bool {
        self.origins.len() > 0
    }

    /// The row that prices a call, or `None` if the deck has none.
    #[must_use]
    pub fn lookup(
        &self,
        service: Direction,
        rated: Rated,
        origin: Option<Number>,
        at: Micros,
    ) -> Option<Hit> {
        let rows = &self.by_service[service as usize];
        let mut origin = OriginMatch::new(&self.origins, origin);
        match rated {
            Rated::Emergency(_) => self.best(&rows.emergency, 0, &mut origin, at),
            Rated::Number(number) => {
                self.best_on(rows.prefixes.walk(&number.digits()), &mut origin, at)
            }
        }
    }

    /// Every row whose destination matches, the winner first, each other with the reason that it
    /// lost.
    #[must_use]
    pub fn consider(
        &self,
        service: Direction,
        rated: Rated,
        origin: Option<Number>,
        at: Micros,
    ) -> Vec<Considered> {
        let rows = &self.by_service[service as usize];
        let winner = self.lookup(service, rated, origin, at);
        let mut matched = OriginMatch::new(&self.origins, origin);
        let levels: Vec<(u8, &[Candidate])> = match rated {
            Rated::Emergency(_) => vec![(0, &rows.emergency)],
            Rated::Number(number) => rows.prefixes.walk(&number.digits()).collect(),
        };
        let mut all = Vec::new();
        for (digits, candidates) in levels {
            for candidate in candidates {
                let origin_digits = matched.digits(candidate.origins);
                let hit = Hit {
                    rate: candidate.rate,
                    destination_digits: digits,
                    origin_digits: origin_digits.unwrap_or(0),
                };
                let lost = if winner == Some(hit) {
                    None
                } else if !self.period(*candidate).contains(&at) {
                    Some(Lost::NotInForce)
                } else if origin_digits.is_none() {
                    Some(Lost::Origin)
                } else if winner.is_some_and(|w| w.destination_digits > digits) {
                    Some(Lost::ShorterDestination)
                } else if winner.is_some_and(|w| w.origin_digits > hit.origin_digits) {
                    Some(Lost::ShorterOrigin)
                } else {
                    Some(Lost::SameTerms)
                };
                all.push(Considered { hit, lost });
            }
        }
        all.sort_by_key(|row| row.lost.is_some());
        all
    }

    /// The row of a hit.
    #[must_use]
    #[inline]
    pub fn rate(&self, hit: Hit) -> &Rate {
        &self.rates[hit.rate as usize]
    }

    /// The destination prefixes of a service in text order, each with the period of its row.
    #[must_use]
    pub fn prefixes(&self, service: Direction) -> Vec<(String, Range<Micros>)> {
        let mut all = Vec::new();
        let listed: Result<(), std::convert::Infallible> =
            self.by_service[service as usize].prefixes.try_each(|digits, candidates| {
                let text: String = digits.iter().map(|digit| char::from(b'0' + digit)).collect();
                all.extend(
                    candidates
                        .iter()
                        .map(|candidate| (text.clone(), self.period(*candidate).clone())),
                );
                Ok(())
            });
        listed.expect("nothing fails");
        all
    }

    /// The number of destination prefixes of a service, counted once per row.
    #[must_use]
    pub fn prefix_count(&self, service: Direction) -> usize {
        let rows = &self.by_service[service as usize];
        rows.prefixes.len() + rows.emergency.len()
    }

    /// The best row of the longest destination prefix of a number that has a row for the origin.
    fn best_on(
        &self,
        mut path: Path<'_, Candidate>,
        origin: &mut OriginMatch<'_>,
        at: Micros,
    ) -> Option<Hit> {
        path.find_map(|(digits, candidates)| self.best(candidates, digits, origin, at))
    }

    /// The best candidate of one destination prefix: in force, with a matching origin, the longest
    /// origin; of equals the first row (they have the same terms).
    fn best(
        &self,
        candidates: &[Candidate],
        digits: u8,
        origin: &mut OriginMatch<'_>,
        at: Micros,
    ) -> Option<Hit> {
        if candidates.len() > MANY {
            return self.best_of_many(candidates, digits, origin, at);
        }
        let mut best: Option<Hit> = None;
        for candidate in candidates {
            if !self.period(*candidate).contains(&at) {
                continue;
            }
            let Some(origin_digits) = origin.digits(candidate.origins) else { continue };
            let hit = Hit { rate: candidate.rate, destination_digits: digits, origin_digits };
            best = match best {
                Some(b) if b.origin_digits > origin_digits => Some(b),
                Some(b)
                    if b.origin_digits == origin_digits && self.stands_before(b.rate, hit.rate) =>
                {
                    Some(b)
                }
                _ => Some(hit),
            };
        }
        best
    }

    /// The same for many candidates, which are sorted by origin set. It searches for the sets of
    /// the origin's own prefixes, the longest first, instead of scanning every row. (A destination
    /// may have a row for each of a hundred thousand origins.)
    #[cold]
    fn best_of_many(
        &self,
        candidates: &[Candidate],
        digits: u8,
        origin: &mut OriginMatch<'_>,
        at: Micros,
    ) -> Option<Hit> {
        let of_set = |set: u32| {
            let from = candidates.partition_point(|candidate| candidate.origins < set);
            candidates[from..].iter().take_while(move |candidate| candidate.origins == set)
        };
        let first = |found: Vec<&Candidate>, origin_digits: u8| {
            let in_force =
                found.into_iter().filter(|candidate| self.period(**candidate).contains(&at));
            let first =
                in_force.reduce(|a, b| if self.stands_before(a.rate, b.rate) { a } else { b })?;
            Some(Hit { rate: first.rate, destination_digits: digits, origin_digits })
        };
        for (origin_digits, sets) in origin.path().into_iter().flatten() {
            let found: Vec<&Candidate> = if sets.len() > candidates.len() {
                candidates
                    .iter()
                    .filter(|candidate| sets.binary_search(&candidate.origins).is_ok())
                    .collect()
            } else {
                sets.iter().flat_map(|set| of_set(*set)).collect()
            };
            if let Some(hit) = first(found, origin_digits) {
                return Some(hit);
            }
        }
        first(of_set(ANY_ORIGIN).collect(), 0)
    }

    /// The period in which a candidate is in force.
    fn period(&self, candidate: Candidate) -> &Range<Micros> {
        &self.periods[candidate.period as usize]
    }

    fn stands_before(&self, a: u32, b: u32) -> bool {
        let place = |rate: u32| {
            let rate = &self.rates[rate as usize];
            (&self.files[rate.file as usize], rate.line)
        };
        place(a) <= place(b)
    }
}

/// The distinct origin lists of a deck, each sorted and numbered.
#[derive(Debug, Default)]
struct OriginSets {
    sets: Vec<Vec<Prefix>>,
    numbers: HashMap<Vec<Prefix>, u32>,
}

impl OriginSets {
    fn number(&mut self, mut origins: Vec<Prefix>) -> u32 {
        if origins.is_empty() {
            return ANY_ORIGIN;
        }
        origins.sort_unstable();
        origins.dedup();
        if let Some(number) = self.numbers.get(&origins) {
            return *number;
        }
        let number = u32::try_from(self.sets.len()).expect("fewer than 2^32 origin lists");
        self.sets.push(origins.clone());
        self.numbers.insert(origins, number);
        number
    }

    fn into_trie(self) -> Trie<u32> {
        let mut builder = TrieBuilder::default();
        for (number, set) in (0..).zip(&self.sets) {
            for prefix in set {
                builder.add(prefix.digits(), number);
            }
        }
        builder.finish()
    }
}

/// The origin of one call, matched to the deck's sets when the first row needs it.
struct OriginMatch<'a> {
    trie: &'a Trie<u32>,
    number: Option<Number>,
    path: Option<Path<'a, u32>>,
}

impl<'a> OriginMatch<'a> {
    fn new(trie: &'a Trie<u32>, number: Option<Number>) -> Self {
        Self { trie, number, path: None }
    }

    /// The sets that have a prefix of the origin, the longest prefix first; `None` if the origin is
    /// not known.
    fn path(&mut self) -> Option<Path<'a, u32>> {
        let number = self.number?;
        Some(self.path.get_or_insert_with(|| self.trie.walk(&number.digits())).clone())
    }

    /// The number of digits of the origin that the longest prefix of a set matches; `None` if it
    /// matches none.
    fn digits(&mut self, set: u32) -> Option<u8> {
        if set == ANY_ORIGIN {
            return Some(0);
        }
        let mut path = self.path()?;
        path.find(|(_, sets)| sets.binary_search(&set).is_ok()).map(|(digits, _)| digits)
    }
}

#[cfg(test)]
impl Rate {
    /// A termination row with increments 60/60, for tests.
    pub(crate) fn sample(price: &str, effective: Range<Micros>, line: u32) -> Self {
        Self {
            service: Direction::Termination,
            price: Price::parse(price).unwrap(),
            fee: Price::ZERO,
            increments: Increments { initial: 60, increment: 60, minimum: 0 },
            iso: "".into(),
            country: "".into(),
            description: "".into(),
            effective,
            file: 0,
            line,
        }
    }
}

#[cfg(test)]
mod tests;
