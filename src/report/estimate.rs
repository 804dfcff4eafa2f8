//! Estimates: the amount that a suspended record would cost, by the decks.
//!
//! **Invariant:** an estimate is never booked, never added to booked amounts, and always shown with
//! "about". Its legs are priced by the functions that price booked legs, so that a record whose
//! obstacle goes away is booked with exactly this amount. Only a leg without a row is guessed, and
//! [`Basis`] names the method.

use super::lines::Money;
use crate::deck::{Deck, Lost, Rate, Rated};
use crate::intern::Interner;
use crate::money::{LegRule, Total, minor_unit_decimals, round_invoice_total};
use crate::party::{FewNumbers, Number};
use crate::rating::{Parties, PlannedLeg, cells, charge, find_rate, plan};
use crate::scenario::{Direction, Scenario};
use crate::time::{self, DAY, Micros};
use std::collections::BTreeMap;

/// The method of an estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// By the deck's own rows, without the obstacle.
    AsIf,
    /// By the version of the call that costs most.
    DearestVersion,
    /// By one leg of two: the parent is not known, and so neither is the other leg.
    TargetLeg,
    /// By a row of the same destination that takes other callers, or other dates.
    OtherRow,
    /// By the row with the median price of the service.
    MiddlePrice,
}

impl Basis {
    /// The method in words, after "about".
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::AsIf => "as the deck prices them, without what they wait for",
            Self::DearestVersion => "by the version of each that costs most",
            Self::TargetLeg => "by the leg to the target alone: the other one hangs on the parent",
            Self::OtherRow => "by what the destination costs for other callers or dates",
            Self::MiddlePrice => "by the middle price of the service in the deck",
        }
    }
}

/// The estimate for a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guess {
    /// The exact sum of its legs.
    pub money: Money,
    /// The method.
    pub basis: Basis,
}

/// The legs of a record, priced or guessed.
#[derive(Debug, Clone, Copy)]
pub struct Priced {
    /// Their sum; `None` if a leg could not even be guessed, or a sum does not fit.
    pub total: Option<Total>,
    /// The first leg without a row.
    pub unpriced: Option<PlannedLeg>,
    /// The method of the sum.
    pub basis: Basis,
}

/// Prices legs by the decks of a run. Results that need a whole deck are cached.
pub struct Estimator<'a> {
    decks: &'a [Deck],
    rule: LegRule,
    withheld: &'a FewNumbers,
    prefixes: BTreeMap<(usize, usize), Vec<String>>,
    middle: BTreeMap<(usize, usize, i64), Option<usize>>,
}

impl<'a> Estimator<'a> {
    /// An estimator over some decks.
    #[must_use]
    pub fn new(decks: &'a [Deck], rule: LegRule, withheld: &'a FewNumbers) -> Self {
        Self { decks, rule, withheld, prefixes: BTreeMap::new(), middle: BTreeMap::new() }
    }

    /// A deck by its number.
    #[must_use]
    pub fn deck(&self, number: usize) -> &'a Deck {
        &self.decks[number]
    }

    /// True if there are several decks, so that one must be named.
    #[must_use]
    pub fn has_many_decks(&self) -> bool {
        self.decks.len() > 1
    }

    /// Prices the legs of a scenario between some parties. `None` if a rated party is not a number.
    #[must_use]
    pub fn price(
        &mut self,
        deck: usize,
        (scenario, parties, texts): (Scenario, &Parties, &Interner),
        (start, seconds): (Micros, u32),
    ) -> Option<Priced> {
        let (cells, count) = cells(scenario);
        let mut priced =
            Priced { total: Some(Total::default()), unpriced: None, basis: Basis::AsIf };
        for cell in &cells[..count] {
            let leg = plan(*cell, parties, texts, self.withheld)?;
            self.add(&mut priced, deck, leg, (start, seconds));
        }
        Some(priced)
    }

    /// Prices a single termination leg to a number.
    #[must_use]
    pub fn price_termination(
        &mut self,
        deck: usize,
        leg: PlannedLeg,
        call: (Micros, u32),
    ) -> Priced {
        let mut priced =
            Priced { total: Some(Total::default()), unpriced: None, basis: Basis::TargetLeg };
        self.add(&mut priced, deck, leg, call);
        priced
    }

    fn add(
        &mut self,
        priced: &mut Priced,
        deck: usize,
        leg: PlannedLeg,
        (start, seconds): (Micros, u32),
    ) {
        let of_deck = self.deck(deck);
        let mut rate = find_rate(of_deck, &leg, start).map(|hit| of_deck.rate(hit));
        if rate.is_none() {
            priced.unpriced = priced.unpriced.or(Some(leg));
            let (other, basis) = self.guess(deck, &leg, start);
            priced.basis = priced.basis.max(basis);
            rate = other;
        }
        let amount = rate.and_then(|rate| charge(rate, seconds, self.rule).ok());
        priced.total = priced
            .total
            .zip(amount)
            .and_then(|(mut total, charge)| total.add(charge.amount).ok().map(|()| total));
    }

    /// A row in place of the missing one: of the rows with the longest match of the destination,
    /// which are for other callers or dates, the one with the median price; else the median one of
    /// the service on that day.
    fn guess(&mut self, deck: usize, leg: &PlannedLeg, start: Micros) -> (Option<&'a Rate>, Basis) {
        let of_deck = self.deck(deck);
        let near = of_deck.consider(leg.service, leg.rated, leg.origin, start);
        let longest = near.iter().map(|row| row.hit.destination_digits).max();
        let near = near
            .iter()
            .filter(|row| Some(row.hit.destination_digits) == longest)
            .map(|row| row.hit.rate as usize);
        if let Some(row) = middle(of_deck, near.collect()) {
            return (Some(&of_deck.rates[row]), Basis::OtherRow);
        }
        let day = time::day(start);
        let row = *self.middle.entry((deck, leg.service as usize, day)).or_insert_with(|| {
            let on_that_day = |rate: &Rate| {
                rate.effective.start < (day + 1) * DAY && rate.effective.end > day * DAY
            };
            let all = of_deck.rates.iter().enumerate();
            middle(
                of_deck,
                all.filter(|(_, rate)| rate.service == leg.service && on_that_day(rate))
                    .map(|(at, _)| at)
                    .collect(),
            )
        });
        (row.map(|row| &of_deck.rates[row]), Basis::MiddlePrice)
    }

    /// The reason why a leg has no row.
    #[must_use]
    pub fn lack(&mut self, deck: usize, leg: &PlannedLeg, start: Micros) -> Lack {
        let Rated::Number(number) = leg.rated else { return Lack::Emergency };
        let near = self.deck(deck).consider(leg.service, leg.rated, leg.origin, start);
        if near.iter().any(|row| row.lost == Some(Lost::Origin)) {
            let origin =
                leg.origin.map(|origin| digits_of(origin)[..country_digits(origin)].to_owned());
            return Lack::Origin {
                prefix: digits_of(number)[..country_digits(number)].to_owned(),
                origin,
            };
        }
        if !near.is_empty() {
            return Lack::Date { prefix: digits_of(number)[..country_digits(number)].to_owned() };
        }
        Lack::Prefix { prefix: self.uncovered(deck, leg.service, number) }
    }

    /// The shortest leading digits of a number that no row of a service has, but at least its
    /// country code, and in North America (`1`) at least the area code if any row begins with `1`.
    fn uncovered(&mut self, deck: usize, service: Direction, number: Number) -> String {
        let of_deck = self.deck(deck);
        let known = self.prefixes.entry((deck, service as usize)).or_insert_with(|| {
            let mut all: Vec<String> =
                of_deck.prefixes(service).into_iter().map(|(prefix, _)| prefix).collect();
            all.sort_unstable();
            all
        });
        let digits = digits_of(number);
        let at = known.partition_point(|prefix| *prefix < digits);
        let neighbours = [at.checked_sub(1).and_then(|before| known.get(before)), known.get(at)];
        let shared = neighbours.into_iter().flatten().map(|prefix| common(prefix, &digits)).max();
        let shortest = shared.map_or(1, |shared| shared + 1);
        let area = if shortest > 1 && digits.starts_with('1') { 4 } else { 1 };
        digits[..shortest.max(country_digits(number)).max(area).min(digits.len())].to_owned()
    }
}

/// The reason why a leg has no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// No row has a prefix of the rated number.
    Prefix {
        /// The shortest prefix that no row has.
        prefix: String,
    },
    /// Rows match the number, but none is for this caller.
    Origin {
        /// The code of the rated number's country.
        prefix: String,
        /// The code of the caller's country; `None` for an unknown caller.
        origin: Option<String>,
    },
    /// Rows match the number, but none is in force.
    Date {
        /// The code of the rated number's country.
        prefix: String,
    },
    /// No row has the word `emergency`.
    Emergency,
}

/// The median row by price and fee; the cheaper of two in the middle.
fn middle(deck: &Deck, mut rows: Vec<usize>) -> Option<usize> {
    rows.sort_by_key(|row| (deck.rates[*row].price, deck.rates[*row].fee, *row));
    rows.get(rows.len().checked_sub(1)? / 2).copied()
}

fn digits_of(number: Number) -> String {
    number.to_string().trim_start_matches('+').to_owned()
}

fn common(a: &str, b: &str) -> usize {
    a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count()
}

/// The number of digits of a number's country code (ITU-T E.164): one for +1 and +7, two for those
/// of this list, else three.
fn country_digits(number: Number) -> usize {
    const TWO: [&str; 44] = [
        "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46",
        "47", "48", "49", "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63",
        "64", "65", "66", "81", "82", "84", "86", "90", "91", "92", "93", "94", "95", "98",
    ];
    let digits = digits_of(number);
    match digits.as_bytes() {
        [b'1' | b'7', ..] => 1,
        [_, _, ..] if TWO.contains(&&digits[..2]) => 2,
        _ => 3,
    }
}

/// An estimate for display: rounded to the currency's minor unit, here and not earlier. An amount
/// that would round to zero is shown exactly.
#[must_use]
pub fn shown(money: &Money) -> String {
    let minor = minor_unit_decimals(&money.currency).unwrap_or(2);
    let Ok(exact) = money.amount.to_decimal() else {
        return format!("{} {}", money.amount, money.currency);
    };
    let rounded = round_invoice_total(exact, minor);
    let shown = if rounded.is_zero() && !exact.is_zero() { exact.normalize() } else { rounded };
    format!("{shown} {}", money.currency)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deck::{Destination, NewRate, Prefix};

    fn by_minute(price: &str) -> Rate {
        Rate {
            service: Direction::Termination,
            price: crate::money::Price::parse(price).unwrap(),
            fee: crate::money::Price::ZERO,
            increments: crate::deck::Increments { initial: 60, increment: 60, minimum: 0 },
            iso: "".into(),
            country: "".into(),
            description: "".into(),
            effective: 0..i64::MAX,
            file: 0,
            line: 1,
        }
    }

    fn deck(rows: &[(&str, &str, &str)]) -> Deck {
        let row = |(prefix, origin, price): &(&str, &str, &str)| NewRate {
            rate: by_minute(price),
            destinations: vec![Destination::Prefix(Prefix::parse(prefix).unwrap())],
            origins: Prefix::parse(origin).into_iter().collect(),
        };
        Deck::build(
            "d".to_owned(),
            "USD".to_owned(),
            vec!["f".to_owned()],
            rows.iter().map(row).collect(),
        )
        .unwrap()
    }

    fn leg(to: &str, origin: Option<&str>) -> PlannedLeg {
        let number = |text: &str| Number::parse(text).unwrap();
        let party = crate::party_ref::PartyRef::number(number(to));
        let rated = Rated::Number(number(to));
        PlannedLeg {
            service: Direction::Termination,
            from: party,
            to: party,
            rated,
            origin: origin.map(number),
        }
    }

    #[test]
    fn what_is_missing_is_the_shortest_beginning_that_no_row_has() {
        let decks = [deck(&[
            ("1415", "", "0.0100"),
            ("44", "49", "0.0200"),
            ("55", "", "0.0300"),
            ("3531", "", "0.0500"),
        ])];
        let nobody = FewNumbers::default();
        let mut estimator = Estimator::new(&decks, LegRule::default(), &nobody);
        let prefix = |text: &str| Lack::Prefix { prefix: text.to_owned() };
        let mut lack = |to: &str, origin: Option<&str>| estimator.lack(0, &leg(to, origin), 0);
        assert_eq!(lack("+541123456789", None), prefix("54"));
        assert_eq!(lack("+12125550100", None), prefix("1212"), "an area code, not +12");
        assert_eq!(lack("+14165550100", None), prefix("1416"));
        assert_eq!(lack("+353861234567", None), prefix("3538"));
        assert_eq!(lack("+79261234567", None), prefix("7"));
        assert_eq!(lack("+971501234567", None), prefix("971"));
        let origin = |origin: Option<&str>| Lack::Origin {
            prefix: "44".to_owned(),
            origin: origin.map(str::to_owned),
        };
        assert_eq!(lack("+442071838750", Some("+12125550100")), origin(Some("1")));
        assert_eq!(lack("+442071838750", None), origin(None));
    }

    #[test]
    fn a_missing_row_is_guessed_by_the_middle_one() {
        let decks = [deck(&[
            ("1", "", "0.0100"),
            ("44", "49", "0.0200"),
            ("55", "", "0.0900"),
            ("353", "", "0.0500"),
        ])];
        let nobody = FewNumbers::default();
        let mut estimator = Estimator::new(&decks, LegRule::default(), &nobody);
        let mut price = |to: &str, seconds| {
            let priced = estimator.price_termination(0, leg(to, None), (0, seconds));
            (priced.total.unwrap().to_string(), priced.unpriced.is_some(), priced.basis)
        };
        assert_eq!(price("+12125550100", 61), ("0.02000".to_owned(), false, Basis::TargetLeg));
        // The median of the four prices is the lower of the two in the middle, 0.0200; 61 s are
        // billed as two minutes.
        assert_eq!(price("+541123456789", 61), ("0.04000".to_owned(), true, Basis::MiddlePrice));
        assert_eq!(price("+442071838750", 60), ("0.02000".to_owned(), true, Basis::OtherRow));
        assert_eq!(price("+541123456789", 0), ("0.00000".to_owned(), true, Basis::MiddlePrice));
    }

    #[test]
    fn estimates_are_rounded_when_they_are_shown() {
        let money = |currency: &str, units| Money {
            currency: currency.to_owned(),
            amount: Total::from_units(units),
        };
        assert_eq!(shown(&money("USD", 1_055_400_000)), "10.55 USD");
        assert_eq!(shown(&money("USD", 1_055_500_000)), "10.56 USD");
        assert_eq!(shown(&money("JPY", 1_050_000_000)), "11 JPY");
        assert_eq!(shown(&money("USD", 400_000)), "0.004 USD");
        assert_eq!(shown(&money("USD", 0)), "0.00 USD");
    }
}
