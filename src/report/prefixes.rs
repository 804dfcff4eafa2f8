//! Legs whose price fell back to a short prefix, though the deck has longer ones near the number.
//!
//! **Invariant:** the exact rule. A leg fell back if the destination prefix that priced it has at
//! most two digits, and the deck has, for the same service and in force at the call's start, a
//! longer prefix that agrees with the rated number in the digits of the short prefix and one more.
//! In North America (`1`) it must agree in the area code, too, four digits in all.
//!
//! # Why
//! `32` prices Belgium, and `32455` its mobiles for callers from the EEA: a mobile priced by `32`
//! is the sign of a missing row, a row that has ended, or an origin list. One digit more than the
//! short prefix distinguishes mobiles from fixed lines nearly everywhere. Under `1` it would not:
//! `1242` is the Bahamas, `1202` is Washington, and every call to the United States would be a
//! finding every night.

use crate::deck::Deck;
use crate::scenario::Direction;
use crate::time::Micros;
use std::ops::Range;

/// The most digits of a short prefix.
pub const SHORT: usize = 2;
/// The number of digits that must agree in North America: `1` and the area code.
const NORTH_AMERICA: usize = 4;

/// The destination prefixes of a deck, in text order, each with the validity of its row.
struct OfDeck {
    name: String,
    by_service: [Vec<(String, Range<Micros>)>; 2],
}

/// The destination prefixes of all decks of a run.
#[derive(Default)]
pub struct Prefixes(Vec<OfDeck>);

impl Prefixes {
    /// The prefixes of some decks.
    #[must_use]
    pub fn of(decks: &[Deck]) -> Self {
        let of = |deck: &Deck| OfDeck {
            name: deck.name.clone(),
            by_service: [Direction::Termination, Direction::Origination]
                .map(|service| deck.prefixes(service)),
        };
        Self(decks.iter().map(of).collect())
    }

    /// The longer prefix that makes a leg's short one odd, or `None` if the leg did not fall back.
    /// Of several, the one that agrees with the number in most digits. `prefix` is the one that
    /// priced the leg, `rated` the rated number with its `+`.
    #[must_use]
    pub fn longer(
        &self,
        deck: &str,
        service: &str,
        prefix: &str,
        rated: &str,
        at: Micros,
    ) -> Option<&str> {
        if prefix.len() > SHORT || !prefix.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let agree = if prefix.starts_with('1') { NORTH_AMERICA } else { prefix.len() + 1 };
        let number = rated.strip_prefix('+')?;
        let begin = number.get(..agree)?;
        let deck = self.0.iter().find(|known| known.name == deck)?;
        let all = &deck.by_service[Direction::from_service(service)? as usize];
        let under = &all[all.partition_point(|(known, _)| known.as_str() < begin)..];
        let under = &under[..under.partition_point(|(known, _)| known.starts_with(begin))];
        // In text order, the prefix that agrees in most digits is next to the number.
        let (lower, upper) =
            under.split_at(under.partition_point(|(known, _)| known.as_str() <= number));
        let in_force = |(_, force): &&(String, Range<Micros>)| force.contains(&at);
        let beside = [lower.iter().rev().find(in_force), upper.iter().find(in_force)];
        let common =
            |known: &str| known.bytes().zip(number.bytes()).take_while(|(a, b)| a == b).count();
        let beside = beside.map(|found| found.map(|(known, _)| known.as_str()));
        match beside {
            [Some(lower), Some(upper)] => {
                Some(if common(lower) >= common(upper) { lower } else { upper })
            }
            [lower, upper] => lower.or(upper),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefixes() -> Prefixes {
        let list = |texts: &[&str]| texts.iter().map(|text| ((*text).to_owned(), 0..100)).collect();
        let mut termination: Vec<(String, Range<Micros>)> =
            list(&["1", "1242", "1415555", "32", "32455", "7", "770", "7777"]);
        termination.push(("3247".to_owned(), 100..200));
        termination.sort_by(|a, b| a.0.cmp(&b.0));
        Prefixes(vec![OfDeck { name: "d".to_owned(), by_service: [termination, list(&["3"])] }])
    }

    #[test]
    fn a_short_prefix_beside_a_longer_one() {
        let all = prefixes();
        let longer = |prefix, rated, at| all.longer("d", "termination", prefix, rated, at);
        assert_eq!(
            longer("32", "+32455000102", 0),
            Some("32455"),
            "the origin was not on its list"
        );
        assert_eq!(longer("32", "+32460000102", 0), Some("32455"), "a mobile without a row");
        assert_eq!(longer("32", "+3225001234", 0), None, "no row is finer there");
        assert_eq!(longer("324", "+32460000102", 0), None, "three digits are not short");
        assert_eq!(longer("1", "+12025550101", 0), None, "another area code");
        assert_eq!(longer("1", "+14155550102", 0), Some("1415555"));
        assert_eq!(
            longer("7", "+77012345678", 0),
            Some("770"),
            "a row of its own that was not taken"
        );
        assert_eq!(
            longer("7", "+77712345678", 0),
            Some("7777"),
            "the one that agrees in most digits"
        );
        assert_eq!(longer("emergency", "911", 0), None);
        assert_eq!(longer("32", "+32", 0), None);
        assert_eq!(
            all.longer("d", "origination", "32", "+32455000102", 0),
            None,
            "another price list"
        );
        assert_eq!(all.longer("e", "termination", "32", "+32455000102", 0), None, "another deck");
    }

    #[test]
    fn a_row_counts_while_it_is_in_force() {
        let all = prefixes();
        let longer = |at| all.longer("d", "termination", "32", "+32470000102", at);
        assert_eq!(
            (longer(99), longer(100), longer(199), longer(200)),
            (Some("32455"), Some("3247"), Some("3247"), None)
        );
    }
}
