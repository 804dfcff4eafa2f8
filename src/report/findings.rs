//! Findings: what is odd about a run's calls and legs. None of it is an error; each is a question to ask.
//!
//! | id | the rule | why |
//! |---|---|---|
//! | `parent-runs-on` | a parent ends more than [`BYE_WAIT`] after its child was answered | the carrier ends it by then itself |
//! | `long-conversation` | from a parent's start to its child's end it takes more than `policy.max_call_seconds` | longer than any call may be |
//! | `short-prefix` | a leg's price fell back to a prefix of two digits or less: [`super::prefixes`] | a row may be missing |
//! | `carrier-price` | the carrier's price of a call and ours differ | one of the two is wrong, or is not meant to be equal |
//! | `zero-amount` | a leg with billed seconds comes to zero | a gift, or a price that was forgotten |
//!
//! A call is answered, at the latest, when its seconds begin: its end less its duration. Where a record has no end, its
//! start stands for the answer (the carrier's own `start_time` is that), and start plus duration for the end.
//!
//! **Invariant:** examples are the worst by a rank in whole numbers; of equals the one that started first. So they do not
//! depend on the order in which calls are looked at.
//!
//! # Why 32 seconds
//! When the target answers, the carrier notifies the transferor, who has to end the original call with a BYE. If none
//! comes, the carrier ends it itself, 32 seconds after it notified (64 × T1, as SIP has it: RFC 3261, section 17). From the
//! carrier's support article "How to Prevent Audio Issues by Correctly Handling SIP NOTIFY from Twilio on REFER".
//!
//! # Why `policy.max_call_seconds`
//! The carrier's trunk list has no limit of duration for transfers, so that a child longer than its trunk allows cannot be
//! told from it. A single record above `policy.max_call_seconds` is suspended (`invalid-duration`); what is left to find is
//! a conversation that no record shows whole.

use super::count::{Call, Leg, Transfer};
use super::{CarrierLine, Example, Finding, rerate_command};
use crate::money::{AMOUNT_DECIMALS, PRICE_DECIMALS, Price, decimal_text};
use crate::time::{self, Micros, SECOND};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The longest that a carrier waits for the BYE after the transfer target answered.
pub const BYE_WAIT: Micros = 32 * SECOND;
/// Examples of each finding.
pub const EXAMPLES: usize = 10;
/// Units of a price in a unit of an amount.
const PRICE_UNITS: i128 = 10_i128.pow(PRICE_DECIMALS - AMOUNT_DECIMALS);

/// The first of a list by rank, then by start and id; no more than so many are kept.
pub(super) struct Best<T> {
    most: usize,
    kept: BTreeMap<(Reverse<i128>, Micros, String), T>,
}

impl<T> Best<T> {
    pub(super) fn of(most: usize) -> Self {
        Self { most, kept: BTreeMap::new() }
    }

    /// Keeps one, if it is among the first; only then it is made.
    pub(super) fn offer(&mut self, rank: i128, start: Micros, call_sid: &str, make: impl FnOnce() -> T) {
        if self.kept.len() == self.most {
            let beaten = self
                .kept
                .last_key_value()
                .is_some_and(|((worst, last, sid), _)| (Reverse(rank), start, call_sid) < (*worst, *last, sid.as_str()));
            if !beaten {
                return;
            }
        }
        self.kept.insert((Reverse(rank), start, call_sid.to_owned()), make());
        if self.kept.len() > self.most {
            self.kept.pop_last();
        }
    }

    /// Those that were kept, the first one first: rank, start, id.
    pub(super) fn into_iter(self) -> impl Iterator<Item = (Micros, String, T)> {
        self.kept.into_iter().map(|((_, start, call_sid), value)| (start, call_sid, value))
    }
}

/// A finding that is being counted.
struct Open {
    count: u64,
    of: u64,
    worst: Best<String>,
}

impl Open {
    fn new() -> Self {
        Self { count: 0, of: 0, worst: Best::of(EXAMPLES) }
    }

    fn found(&mut self, rank: i128, start: Micros, call_sid: &str, text: impl FnOnce() -> String) {
        self.count += 1;
        self.worst.offer(rank, start, call_sid, text);
    }
}

/// The carrier's prices in one currency.
#[derive(Default)]
struct Carrier {
    calls: u64,
    equal: u64,
    ours_more: u64,
    ours_less: u64,
    ours: i128,
    carriers: i128,
}

/// All findings of a run, while its rows are looked at.
pub struct Findings {
    max_call_seconds: u32,
    runs_on: Open,
    long: Open,
    short_prefix: Open,
    carrier_price: Open,
    zero: Open,
    carrier: BTreeMap<String, Carrier>,
}

impl Findings {
    /// None yet. `max_call_seconds` is the run's policy.
    #[must_use]
    pub fn new(max_call_seconds: u32) -> Self {
        Self {
            max_call_seconds,
            runs_on: Open::new(),
            long: Open::new(),
            short_prefix: Open::new(),
            carrier_price: Open::new(),
            zero: Open::new(),
            carrier: BTreeMap::new(),
        }
    }

    /// Looks at an answered child beside its parent.
    pub fn transfer(&mut self, transfer: &Transfer<'_>) {
        let Transfer { child, parent_sid, child_start, answered, child_end, parent_start, parent_end } = *transfer;
        self.runs_on.of += 1;
        let over = parent_end - answered;
        if over > BYE_WAIT {
            self.runs_on.found(over.into(), child_start, child, || {
                format!("its parent {parent_sid} ended {} s after it was answered", seconds(over))
            });
        }
        self.long.of += 1;
        let whole = child_end - parent_start;
        if whole > i64::from(self.max_call_seconds).saturating_mul(SECOND) {
            self.long.found(whole.into(), child_start, child, || {
                format!("{} s from the start of its parent {parent_sid} to its own end", seconds(whole))
            });
        }
    }

    /// Looks at a leg; `longer` is the prefix of [`super::prefixes::Prefixes::longer`].
    pub fn leg(&mut self, leg: &Leg<'_>, longer: Option<&str>) {
        self.short_prefix.of += 1;
        if let Some(longer) = longer {
            self.short_prefix.found(leg.amount.units().into(), leg.start, leg.call_sid, || {
                let price = Price::from_units(leg.price);
                format!(
                    "{} by the prefix {}, {price} {} per minute ({}); the deck {} has {longer}, too",
                    leg.rated_number, leg.destination_prefix, leg.currency, leg.description, leg.deck
                )
            });
        }
        self.zero.of += 1;
        if leg.amount.units() == 0 && leg.billed_seconds > 0 {
            self.zero.found(leg.billed_seconds.into(), leg.start, leg.call_sid, || {
                let price = Price::from_units(leg.price);
                format!("{} s at {price} {} per minute ({})", leg.billed_seconds, leg.currency, leg.description)
            });
        }
    }

    /// Looks at the price that the carrier named for a call.
    pub fn carrier_price(&mut self, call: &Call<'_>) {
        let Some(price) = call.carrier_price else { return };
        // A charge is negative there.
        let (ours, carriers) = (call.amount.units().saturating_mul(PRICE_UNITS), -i128::from(price));
        if !self.carrier.contains_key(call.currency) {
            self.carrier.insert(call.currency.to_owned(), Carrier::default());
        }
        let line = self.carrier.get_mut(call.currency).expect("it was put there");
        line.calls += 1;
        line.ours = line.ours.saturating_add(ours);
        line.carriers = line.carriers.saturating_add(carriers);
        match ours.cmp(&carriers) {
            std::cmp::Ordering::Equal => line.equal += 1,
            std::cmp::Ordering::Greater => line.ours_more += 1,
            std::cmp::Ordering::Less => line.ours_less += 1,
        }
        self.carrier_price.of += 1;
        if ours != carriers {
            self.carrier_price.found((ours - carriers).abs(), call.start, call.call_sid, || {
                let [ours, carriers, difference] = [ours, carriers, ours - carriers].map(money);
                format!("ours {ours} {}, the carrier's {carriers}, difference {difference}", call.currency)
            });
        }
    }

    /// The carrier's prices beside ours, by currency.
    #[must_use]
    pub fn carrier_lines(&self) -> Vec<CarrierLine> {
        let line = |(currency, line): (&String, &Carrier)| CarrierLine {
            currency: currency.clone(),
            calls: line.calls,
            equal: line.equal,
            ours_more: line.ours_more,
            ours_less: line.ours_less,
            ours: money(line.ours),
            carriers: money(line.carriers),
            difference: money(line.ours.saturating_sub(line.carriers)),
        };
        self.carrier.iter().map(line).collect()
    }

    /// Every finding, with those that found nothing.
    #[must_use]
    pub fn finish(self) -> Vec<Finding> {
        let close = |id, title, unit, rule: String, why, what_to_do, open: Open| {
            let example = |(start, call_sid, text): (Micros, String, String)| Example {
                command: rerate_command(&call_sid),
                start: time::text(start),
                call_sid,
                text,
            };
            let examples = open.worst.into_iter().map(example).collect();
            Finding { id, title, count: open.count, of: open.of, unit, rule, why, what_to_do, examples }
        };
        vec![
            close(
                "parent-runs-on",
                "Parents that run on after the transfer",
                "answered transfers",
                format!("The parent ended more than {} s after its child was answered.", BYE_WAIT / SECOND),
                "The carrier ends a parent 32 s after the target answered, if no BYE came until then. One that runs on is billed \
                 beside its child, minute by minute, and the two may not belong together.",
                "Look at both calls; ask whoever runs the PBX whether it sends a BYE when it is notified, and the carrier why the \
                 call went on.",
                self.runs_on,
            ),
            close(
                "long-conversation",
                "Conversations longer than a call may be",
                "answered transfers",
                format!("From the parent's start to the child's end: more than policy.max_call_seconds, {} s.", self.max_call_seconds),
                "Each record alone is plausible, or it would wait as invalid-duration. Together they are not: a transfer that \
                 nobody hung up, or fraud.",
                "Ask both sides whether the call took place, before it is on an invoice.",
                self.long,
            ),
            close(
                "short-prefix",
                "Prices that fell back to a short prefix",
                "legs",
                "A destination prefix of at most two digits, where the deck has a longer one in force that agrees with the number \
                 in one more digit; in North America in the area code."
                    .to_owned(),
                "A row for this range may be missing, may have ended, or may be for other origins. Then the price is that of \
                 another network.",
                "Ask the deck with `trunkrate rates lookup`: it says which rows lost, and why.",
                self.short_prefix,
            ),
            close(
                "carrier-price",
                "The carrier's price is not ours",
                "calls with a price of the carrier",
                "The price in the carrier's record and the sum of our legs differ in any decimal. (The record's unit is not kept: \
                 both are taken as the same currency.)"
                    .to_owned(),
                "If what is billed is what the carrier charges, one of the two is wrong. If it is meant to differ, the sums show \
                 the margin.",
                "Explain the call with the command beside it, and compare the deck with the carrier's price list of that day.",
                self.carrier_price,
            ),
            close(
                "zero-amount",
                "Legs that cost nothing",
                "legs",
                "Billed seconds, and an amount of zero.".to_owned(),
                "A price of zero is a gift or was forgotten; an amount may also be below the last decimal that is kept.",
                "Look at the row of the deck with `trunkrate rerate`; if it is meant, nothing is to be done.",
                self.zero,
            ),
        ]
    }
}

/// Units of a price, with at least five decimals.
fn money(units: i128) -> String {
    decimal_text(units, PRICE_DECIMALS, 5)
}

/// Seconds, with decimals only where there are some.
fn seconds(micros: Micros) -> String {
    decimal_text(micros.into(), 6, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_are_kept_whatever_the_order() {
        let offers = [(1, 5, "a"), (9, 2, "b"), (9, 1, "c"), (3, 0, "d"), (9, 1, "b")];
        let kept = |order: &mut dyn Iterator<Item = &(i128, Micros, &'static str)>| {
            let mut best = Best::of(3);
            order.for_each(|(rank, start, sid)| best.offer(*rank, *start, sid, || *rank));
            best.into_iter().map(|(start, sid, rank)| (rank, start, sid)).collect::<Vec<_>>()
        };
        let expected = [(9, 1, "b".to_owned()), (9, 1, "c".to_owned()), (9, 2, "b".to_owned())];
        assert_eq!(kept(&mut offers.iter()), expected);
        assert_eq!(kept(&mut offers.iter().rev()), expected);
    }

    #[test]
    fn exactly_32_seconds_are_as_it_should_be() {
        let transfer = |parent_end, child_end| Transfer {
            child: "CA2",
            parent_sid: "CA1",
            child_start: 90 * SECOND,
            answered: 100 * SECOND,
            child_end,
            parent_start: 0,
            parent_end,
        };
        let mut findings = Findings::new(1000);
        findings.transfer(&transfer(132 * SECOND, 1000 * SECOND));
        findings.transfer(&transfer(132 * SECOND + 1, 1000 * SECOND + 1));
        let made = findings.finish();
        let found: Vec<_> = made[..2].iter().map(|f| (f.count, f.of, f.examples[0].text.as_str())).collect();
        let expected = [
            (1, 2, "its parent CA1 ended 32.000001 s after it was answered"),
            (1, 2, "1000.000001 s from the start of its parent CA1 to its own end"),
        ];
        assert_eq!(found, expected);
    }
}
