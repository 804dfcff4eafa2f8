//! Findings: oddities of a run's calls and legs. None of them is an error; each is a question to
//! ask.
//!
//! | id | the rule | why |
//! |---|---|---|
//! | `parent-runs-on` | a parent ends more than [`BYE_WAIT`] after its child was answered | the carrier ends it by then itself |
//! | `long-conversation` | from a parent's start to its child's end it takes more than `policy.max_call_seconds` | longer than any call may be |
//! | `short-prefix` | a leg's price fell back to a prefix of two digits or less: [`super::prefixes`] | a row may be missing |
//! | `carrier-price` | the carrier's price of a call and ours differ | one of the two is wrong, or they are not meant to be equal |
//! | `zero-amount` | a leg with billed seconds has the amount zero | a gift, or a forgotten price |
//! | `short-duration` | a call is billed for far less than it lasted: [`super::oddities`] | an export in minutes |
//! | `bogus-date` | a call starts before 2000, or over a day after the newest plausible start | a clock was wrong |
//! | `mangled-caller` | a caller that was once a number, or lost its `+`, is billed as an unknown origin | the origin decides the price |
//! | `carrier-unreadable` | the carrier's price is no plain number: [`crate::ledger::carrier`] | it cannot be compared |
//! | `carrier-currency` | the carrier's price is in another currency than the deck | two currencies are never subtracted |
//! | `carrier-credit` | the carrier's price is positive | a refund, or a sign that was lost |
//!
//! A call is answered, at the latest, when its seconds begin: its end minus its duration. If a
//! record has no end, its start counts as the answer (as the carrier's own `start_time` is), and
//! start plus duration as the end.
//!
//! Only those of the carrier's prices that are charges in our currency are compared with ours.
//!
//! **Invariant:** the examples are the worst by an integer rank; of equals, the one that started
//! first. So they do not depend on the order of the calls.
//!
//! # Why 32 seconds
//! When the target answers, the carrier notifies the transferor, who has to end the original call
//! with a BYE. If none comes, the carrier ends it itself, 32 seconds after the NOTIFY (64 × T1 in
//! SIP: RFC 3261, section 17). Source: the carrier's support article "How to Prevent Audio Issues
//! by Correctly Handling SIP NOTIFY from Twilio on REFER".
//!
//! # Why `policy.max_call_seconds`
//! The carrier's trunk list has no duration limit for transfers, so it cannot show that a child is
//! longer than its trunk allows. A single record above `policy.max_call_seconds` is suspended
//! (`invalid-duration`); this check finds conversations that span several records.

use super::lines::{Callers, CarrierLine, Example, Finding, rerate_command};
use super::oddities::BYE_WAIT;
use super::oddities::{Length, Lengths, is_bogus_start};
use super::wording::{self, Wording};
use crate::detail::fields::no_number;
use crate::ledger::carrier::{CarrierPrices, OddPrice, OddPrices};
use crate::money::{AMOUNT_DECIMALS, PRICE_DECIMALS, decimal_text};
use crate::party::{Number, Party, is_mangled, lacks_plus};
use crate::report::rows::{Call, Leg, Transfer};
use crate::time::{self, Micros, SECOND};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// The most examples of a finding.
pub const EXAMPLES: usize = 10;
/// The number of price units in an amount unit.
const PRICE_UNITS: i128 = 10_i128.pow(PRICE_DECIMALS - AMOUNT_DECIMALS);

/// The best entries of a list by rank, then by start and id, up to a fixed number.
pub(crate) struct TopRows<T> {
    most: usize,
    kept: BTreeMap<(Reverse<i128>, Micros, String), T>,
}

impl<T> TopRows<T> {
    pub(crate) fn of(most: usize) -> Self {
        Self { most, kept: BTreeMap::new() }
    }

    /// Keeps an entry if it is among the best; only then is its value made.
    pub(crate) fn offer(
        &mut self,
        rank: i128,
        start: Micros,
        call_sid: &str,
        make: impl FnOnce() -> T,
    ) {
        if self.kept.len() == self.most {
            let beaten = self.kept.last_key_value().is_some_and(|((worst, last, sid), _)| {
                (Reverse(rank), start, call_sid) < (*worst, *last, sid.as_str())
            });
            if !beaten {
                return;
            }
        }
        self.kept.insert((Reverse(rank), start, call_sid.to_owned()), make());
        if self.kept.len() > self.most {
            self.kept.pop_last();
        }
    }

    /// Adds the entries of another list.
    pub(crate) fn merge(&mut self, other: Self) {
        for ((Reverse(rank), start, call_sid), value) in other.kept {
            self.offer(rank, start, &call_sid, || value);
        }
    }

    /// The id and the value of the best entry.
    pub(crate) fn first(&self) -> Option<(&str, &T)> {
        self.kept.first_key_value().map(|((_, _, call_sid), value)| (call_sid.as_str(), value))
    }

    /// The kept entries in the order of rank, start and id.
    pub(super) fn into_iter(self) -> impl Iterator<Item = (Micros, String, T)> {
        self.kept.into_iter().map(|((_, start, call_sid), value)| (start, call_sid, value))
    }
}

/// A finding that is being counted.
struct OpenFinding {
    count: u64,
    of: u64,
    worst: TopRows<String>,
}

impl OpenFinding {
    fn new() -> Self {
        Self { count: 0, of: 0, worst: TopRows::of(EXAMPLES) }
    }

    fn found(&mut self, rank: i128, start: Micros, call_sid: &str, text: impl FnOnce() -> String) {
        self.count += 1;
        self.worst.offer(rank, start, call_sid, text);
    }
}

/// The comparison with the carrier's prices in one currency.
#[derive(Default)]
struct Carrier {
    calls: u64,
    equal: u64,
    ours_more: u64,
    ours_less: u64,
    ours: i128,
    carriers: i128,
}

/// The parameters of a run's findings, besides its rows.
#[derive(Debug, Default)]
pub struct Setting {
    /// The longest call in seconds, by the run's policy.
    pub max_call_seconds: u32,
    /// The newest start that is plausible.
    pub newest_start: Option<Micros>,
    /// The numbers that represent a withheld caller, by the run's policy.
    pub withheld: BTreeSet<Number>,
    /// The carrier's prices that the run could not store.
    pub carrier_prices: CarrierPrices,
}

/// All findings of a run, while its rows are checked.
pub struct Findings {
    setting: Setting,
    runs_on: OpenFinding,
    long: OpenFinding,
    short_prefix: OpenFinding,
    carrier_price: OpenFinding,
    zero: OpenFinding,
    lengths: Lengths,
    low: OpenFinding,
    far_too_low: OpenFinding,
    bogus_date: OpenFinding,
    mangled: OpenFinding,
    credit: OpenFinding,
    carrier: BTreeMap<String, Carrier>,
    /// The callers of billed roots.
    pub callers: Callers,
}

impl Findings {
    /// Findings without hits.
    #[must_use]
    pub fn new(setting: Setting) -> Self {
        Self {
            setting,
            runs_on: OpenFinding::new(),
            long: OpenFinding::new(),
            short_prefix: OpenFinding::new(),
            carrier_price: OpenFinding::new(),
            zero: OpenFinding::new(),
            lengths: Lengths::default(),
            low: OpenFinding::new(),
            far_too_low: OpenFinding::new(),
            bogus_date: OpenFinding::new(),
            mangled: OpenFinding::new(),
            credit: OpenFinding::new(),
            carrier: BTreeMap::new(),
            callers: Callers::default(),
        }
    }

    /// Checks a booked call.
    pub fn call(&mut self, call: &Call<'_>) {
        self.bogus_date.of += 1;
        if is_bogus_start(call.start_time, self.setting.newest_start) {
            self.bogus_date.found(0, call.start_time, call.call_sid, || {
                let believed = self.setting.newest_start.map(|newest| {
                    format!("; the newest start that is believed is {}", time::text(newest))
                });
                format!(
                    "it starts at {}{}",
                    time::text(call.start_time),
                    believed.unwrap_or_default()
                )
            });
        }
        self.carrier_price(call);
        // An answered call of 0 s is not billed, but may have lost its seconds, so it is checked,
        // too.
        if call.is_completed() {
            self.length(call);
        }
        if call.is_rated() && call.is_root() {
            self.caller(call);
        }
    }

    fn length(&mut self, call: &Call<'_>) {
        let length = Length::of(call.start_time, call.end_time, call.duration_seconds);
        self.lengths.add(length);
        if !matches!(length, Length::Low | Length::FarTooLow) {
            return;
        }
        let lasted = call.end_time.unwrap_or(call.start_time) - call.start_time;
        let text = || {
            let in_minutes = (lasted - call.duration_seconds * 60 * SECOND).abs() < 60 * SECOND;
            let guess = if in_minutes { ", which would be right in minutes" } else { "" };
            format!(
                "billed for {} s{guess}; from start to end it took {} s",
                call.duration_seconds,
                seconds(lasted)
            )
        };
        let rank = i128::from(lasted) - i128::from(call.duration_seconds) * i128::from(SECOND);
        self.low.found(rank, call.start_time, call.call_sid, text);
        if length == Length::FarTooLow {
            self.far_too_low.found(rank, call.start_time, call.call_sid, text);
        }
    }

    fn caller(&mut self, call: &Call<'_>) {
        self.callers.roots += 1;
        match Party::of_root(call.from) {
            Party::Number(number) => {
                self.callers.withheld += u64::from(self.setting.withheld.contains(&number));
            }
            Party::Endpoint(endpoint) if lacks_plus(&endpoint) => {
                self.mangled.found(call.amount.units(), call.start_time, call.call_sid, || {
                    format!(
                        "{} as its caller: digits without + are no number; {} {}",
                        call.from, call.amount, call.currency
                    )
                });
            }
            Party::Endpoint(_) => {}
            Party::Unknown(_) if is_mangled(call.from) => {
                self.callers.mangled += 1;
                self.mangled.found(call.amount.units(), call.start_time, call.call_sid, || {
                    format!(
                        "{} as its caller: {}; {} {}",
                        call.from,
                        no_number(call.from),
                        call.amount,
                        call.currency
                    )
                });
            }
            Party::Unknown(_) => self.callers.unknown += 1,
        }
    }

    /// Checks an answered child against its parent.
    pub fn transfer(&mut self, transfer: &Transfer<'_>) {
        let Transfer {
            child,
            parent_sid,
            child_start,
            answered,
            child_end,
            parent_start,
            parent_end,
        } = *transfer;
        self.runs_on.of += 1;
        let over = parent_end - answered;
        if over > BYE_WAIT {
            self.runs_on.found(over.into(), child_start, child, || {
                format!("its parent {parent_sid} ended {} s after it was answered", seconds(over))
            });
        }
        self.long.of += 1;
        let whole = child_end - parent_start;
        if whole > i64::from(self.setting.max_call_seconds).saturating_mul(SECOND) {
            self.long.found(whole.into(), child_start, child, || {
                format!(
                    "{} s from the start of its parent {parent_sid} to its own end",
                    seconds(whole)
                )
            });
        }
    }

    /// Checks a leg; `longer` is the result of [`super::prefixes::Prefixes::longer`].
    pub fn leg(&mut self, leg: &Leg<'_>, longer: Option<&str>) {
        self.short_prefix.of += 1;
        if let Some(longer) = longer {
            self.short_prefix.found(
                leg.amount.units().into(),
                leg.start_time,
                leg.call_sid,
                || {
                    let price = leg.price_per_minute;
                    format!(
                        "{} by the prefix {}, {price} {} per minute ({}); \
                     the deck {} has {longer}, too",
                        leg.rated_number,
                        leg.destination_prefix,
                        leg.currency,
                        leg.description,
                        leg.deck
                    )
                },
            );
        }
        self.zero.of += 1;
        if leg.amount.units() == 0 && leg.billed_seconds > 0 {
            self.zero.found(leg.billed_seconds.into(), leg.start_time, leg.call_sid, || {
                let price = leg.price_per_minute;
                format!(
                    "{} s at {price} {} per minute ({})",
                    leg.billed_seconds, leg.currency, leg.description
                )
            });
        }
    }

    /// Checks the carrier's price of a call. A price that is not a charge in our currency is not
    /// compared with ours.
    fn carrier_price(&mut self, call: &Call<'_>) {
        let Some(price) = call.carrier_price else { return };
        self.credit.of += 1;
        if price > 0 {
            self.credit.found(price.into(), call.start_time, call.call_sid, || {
                let ours = call.amount.units().saturating_mul(PRICE_UNITS);
                format!(
                    "the carrier's price is {}, without a minus; ours is {} {}",
                    money(price.into()),
                    money(ours),
                    call.currency
                )
            });
        }
        if price > 0 || self.setting.carrier_prices.may_be_foreign(call.call_sid, call.account_sid)
        {
            return;
        }
        // The carrier writes a charge as a negative price.
        let (ours, carriers) =
            (call.amount.units().saturating_mul(PRICE_UNITS), -i128::from(price));
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
            self.carrier_price.found(
                (ours - carriers).abs(),
                call.start_time,
                call.call_sid,
                || {
                    let [ours, carriers, difference] = [ours, carriers, ours - carriers].map(money);
                    format!(
                        "ours {ours} {}, the carrier's {carriers}, difference {difference}",
                        call.currency
                    )
                },
            );
        }
    }

    /// The carrier's prices compared with ours, by currency.
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

    /// Every finding, including those without hits.
    #[must_use]
    pub fn finish(self) -> Vec<Finding> {
        let CarrierPrices { records, unreadable, foreign, .. } = self.setting.carrier_prices;
        let priced = records.max(self.credit.of);
        let open = |wording: Wording, open: OpenFinding| {
            let example = |(start, call_sid, text): (Micros, String, String)| Example {
                command: rerate_command(&call_sid),
                start: time::text(start),
                call_sid,
                text,
            };
            let examples = open.worst.into_iter().map(example).collect();
            wording.of(open.count, open.of, examples)
        };
        let kept = |wording: Wording, prices: OddPrices, text: fn(&OddPrice) -> String| {
            let example = |price: &OddPrice| Example {
                command: rerate_command(&price.call_sid),
                start: price.start.clone(),
                call_sid: price.call_sid.clone(),
                text: text(price),
            };
            let examples = prices.examples.iter().map(example).collect();
            wording.of(prices.count, priced, examples)
        };
        let mut length = if self.lengths.many_are_low() { self.low } else { self.far_too_low };
        length.of = self.lengths.long;
        let mut mangled = self.mangled;
        mangled.of = self.callers.roots;
        vec![
            open(wording::runs_on(), self.runs_on),
            open(wording::long_conversation(self.setting.max_call_seconds), self.long),
            open(wording::short_duration(), length),
            open(wording::bogus_date(), self.bogus_date),
            open(wording::mangled_caller(), mangled),
            open(wording::short_prefix(), self.short_prefix),
            open(wording::zero_amount(), self.zero),
            open(wording::carrier_price(), self.carrier_price),
            kept(wording::carrier_unreadable(), unreadable, |price| {
                let unit = if price.price_unit.is_empty() {
                    String::new()
                } else {
                    format!(" {}", price.price_unit)
                };
                format!(
                    "the price is {}{unit}, from {}:{}",
                    price.price, price.source_file, price.source_line
                )
            }),
            kept(wording::carrier_currency(), foreign, |price| {
                format!(
                    "the carrier's price is {} {}; ours is in {}",
                    price.price, price.price_unit, price.currency
                )
            }),
            open(wording::carrier_credit(), self.credit),
        ]
    }
}

/// Price units as a decimal, with at least five decimals.
fn money(units: i128) -> String {
    decimal_text(units, PRICE_DECIMALS, 5)
}

/// Seconds, with decimals only if they are not whole.
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
            let mut best = TopRows::of(3);
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
        let mut findings = Findings::new(Setting { max_call_seconds: 1000, ..Setting::default() });
        findings.transfer(&transfer(132 * SECOND, 1000 * SECOND));
        findings.transfer(&transfer(132 * SECOND + 1, 1000 * SECOND + 1));
        let made = findings.finish();
        let found: Vec<_> =
            made[..2].iter().map(|f| (f.count, f.of, f.examples[0].text.as_str())).collect();
        let expected = [
            (1, 2, "its parent CA1 ended 32.000001 s after it was answered"),
            (1, 2, "1000.000001 s from the start of its parent CA1 to its own end"),
        ];
        assert_eq!(found, expected);
    }
}
