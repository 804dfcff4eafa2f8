//! Spend: the usage of a document by scenario and by destination, for charts.
//!
//! **Invariant:** the parts add up to `totals.usage`, to the last decimal. They are sums of the
//! document's own lines; no total is computed from them.

use super::{Document, Exact};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// A part of a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpendPart {
    /// Its name, in words.
    pub label: String,
    /// Its amount.
    pub amount: Exact,
    /// Its share in thousandths of the whole, rounded.
    pub permille: u32,
    /// True for the sum of the parts that were too many to be named.
    pub rest: bool,
}

/// A share in thousandths, rounded half up, from 0 to 1000; 0 if the part or the whole is zero or
/// negative.
#[must_use]
pub fn permille(part: Decimal, whole: Decimal) -> u32 {
    if whole <= Decimal::ZERO || part <= Decimal::ZERO {
        return 0;
    }
    let share = part.checked_div(whole).and_then(|share| share.checked_mul(Decimal::ONE_THOUSAND));
    let half_up = rust_decimal::RoundingStrategy::MidpointAwayFromZero;
    share
        .and_then(|share| share.round_dp_with_strategy(0, half_up).to_u32())
        .unwrap_or_default()
        .min(1000)
}

impl Document {
    /// The usage by scenario, the largest first. A scenario's label is its name without its legs.
    #[must_use]
    pub fn spend_by_scenario(&self) -> Vec<SpendPart> {
        let name = |words: &str| words.split(": ").next().unwrap_or_default().to_owned();
        parts(
            self.usage.iter().map(|line| (name(&line.scenario_words), line.amount)),
            self.totals.usage.0,
        )
    }

    /// The usage by destination, the largest first; all after the first `most` make one part.
    #[must_use]
    pub fn spend_by_destination(&self, most: usize) -> Vec<SpendPart> {
        let mut all = parts(
            self.usage.iter().map(|line| (line.description.clone(), line.amount)),
            self.totals.usage.0,
        );
        if all.len() > most + 1 {
            let rest = all.split_off(most);
            let amount = rest.iter().map(|part| part.amount.0).sum();
            all.push(SpendPart {
                label: format!("{} other destinations", rest.len()),
                amount: Exact(amount),
                permille: permille(amount, self.totals.usage.0),
                rest: true,
            });
        }
        all
    }
}

/// Sums by label, the largest first, then by label.
fn parts(amounts: impl Iterator<Item = (String, Exact)>, whole: Decimal) -> Vec<SpendPart> {
    let mut sums: BTreeMap<String, Decimal> = BTreeMap::new();
    for (label, amount) in amounts {
        *sums.entry(label).or_default() += amount.0;
    }
    let part = |(label, sum): (String, Decimal)| SpendPart {
        label,
        amount: Exact(sum),
        permille: permille(sum, whole),
        rest: false,
    };
    let mut parts: Vec<SpendPart> = sums.into_iter().map(part).collect();
    parts.sort_by_key(|part| Reverse(part.amount));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::build::samples;

    #[test]
    fn parts_add_up_to_the_usage() {
        for lines in [0, 1, 3, 12, 300] {
            let document = samples::invoice("EUR", lines);
            for parts in [document.spend_by_scenario(), document.spend_by_destination(10)] {
                let sum: Decimal = parts.iter().map(|part| part.amount.0).sum();
                assert_eq!(sum, document.totals.usage.0, "{lines} lines");
                assert!(parts.len() <= 11);
            }
        }
    }

    #[test]
    fn the_rest_is_one_part_and_comes_last() {
        let parts = samples::invoice("EUR", 300).spend_by_destination(10);
        assert_eq!(parts.len(), 11);
        assert_eq!(parts[0].label, "Trunking termination minute - destination 299");
        assert_eq!((parts[10].label.as_str(), parts[10].rest), ("290 other destinations", true));
        assert_eq!(
            samples::invoice("EUR", 11).spend_by_destination(10).len(),
            11,
            "a rest of one is shown by its name"
        );
        let labels: Vec<_> = samples::invoice("EUR", 3)
            .spend_by_scenario()
            .into_iter()
            .map(|part| part.label)
            .collect();
        assert_eq!(labels, ["Termination, transferred to SIP", "Origination", "Termination"]);
    }

    #[test]
    fn shares() {
        let of = |part: i64, whole: i64| permille(Decimal::from(part), Decimal::from(whole));
        assert_eq!(
            [of(1, 3), of(2, 3), of(3, 3), of(1, 2000), of(1, 2001)],
            [333, 667, 1000, 1, 0]
        );
        assert_eq!([of(1, 0), of(0, 0), of(-1, 3), of(5, 3), of(1, -3)], [0, 0, 0, 1000, 0]);
        assert_eq!(permille(Decimal::MAX, Decimal::new(1, 8)), 0, "what does not fit is no share");
    }
}
