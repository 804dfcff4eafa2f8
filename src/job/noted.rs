//! The notes of a run on stderr about booked calls: odd durations, dates and carrier's prices.
//!
//! **Invariant:** nothing is decided here, and no order of the records changes a note. The report
//! lists the calls.

use super::odd_prices::{self, Currencies};
use crate::call::{Calls, NONE};
use crate::deck::Deck;
use crate::ingest::reader::Reading;
use crate::inputs::file::FileError;
use crate::ledger::carrier::CarrierPrices;
use crate::night::{Class, Tariff};
use crate::party_ref::PartyRef;
use crate::record::Field;
use crate::report::findings::TopRows;
use crate::report::oddities::{Length, Lengths, is_bogus_start};
use crate::status::Status;
use crate::text::visible;
use crate::time::{self, Micros, SECOND};

/// The odd values of some partitions.
#[derive(Default)]
pub struct Noted {
    prices: odd_prices::FoundPrices,
    lengths: Lengths,
    dates: SeenNotes,
    callers: SeenNotes,
    /// Roots with a `refer_to`, which only a child has.
    orphans: SeenNotes,
    written_off: SeenNotes,
    low: Option<TopRows<String>>,
    far_too_low: Option<TopRows<String>>,
}

/// The number of calls of a kind, and the first of them.
#[derive(Default)]
struct SeenNotes {
    count: u64,
    first: Option<TopRows<String>>,
}

fn one(best: &mut Option<TopRows<String>>) -> &mut TopRows<String> {
    best.get_or_insert_with(|| TopRows::of(1))
}

impl SeenNotes {
    fn add(&mut self, start: Micros, call_sid: &str, text: impl FnOnce() -> String) {
        self.count += 1;
        one(&mut self.first).offer(0, start, call_sid, text);
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        merge(&mut self.first, other.first);
    }
}

fn merge(best: &mut Option<TopRows<String>>, other: Option<TopRows<String>>) {
    if let Some(other) = other {
        one(best).merge(other);
    }
}

/// The context of the records: the tariff, and the newest credible start.
#[derive(Debug)]
pub struct NightContext<'a> {
    tariff: &'a Tariff<'a>,
    currencies: Currencies,
    has_origins: Vec<bool>,
    newest: Option<Micros>,
}

impl<'a> NightContext<'a> {
    /// Takes the tariff, and the newest start that is credible.
    #[must_use]
    pub fn new(tariff: &'a Tariff<'a>, newest: Option<Micros>) -> Self {
        let has_origins = tariff.decks.iter().map(Deck::has_origins).collect();
        Self { tariff, currencies: Currencies::of(tariff.decks), has_origins, newest }
    }

    fn prices_by_origin(&self, account: u32) -> bool {
        self.tariff.deck_of(account).is_some_and(|(deck, _)| self.has_origins[deck])
    }
}

impl Noted {
    /// Looks at a booked record, or at a copy of one.
    #[inline]
    pub fn look(&mut self, calls: &Calls, record: usize, class: Class, beside: &NightContext<'_>) {
        self.prices.look(calls, record, beside.tariff, &beside.currencies);
        if class == Class::Duplicate {
            return;
        }
        let start = calls.start[record];
        if is_bogus_start(start, beside.newest) {
            self.dates.add(start, &calls.sid_text(record).to_string(), || time::text(start));
        }
        let from = calls.from[record];
        let is_billed = class == Class::Rated;
        // A call that was answered and lasted no second may have lost them.
        if !is_billed && calls.status[record] != Status::Completed {
            return;
        }
        let is_root = calls.child[record] == NONE;
        if is_billed && is_root && calls.filled[record].has(Field::ReferTo) {
            let sid = calls.sid_text(record).to_string();
            self.orphans.add(start, &sid, || "refer_to, no parent_call_sid".to_owned());
        }
        if is_billed
            && is_root
            && from.lacks_plus(&calls.parties)
            && beside.prices_by_origin(calls.account[record])
        {
            let text = |from: PartyRef| {
                let mut text = String::new();
                from.push_to(&calls.parties, &mut text);
                text
            };
            self.callers.add(start, &calls.sid_text(record).to_string(), || text(from));
        }
        let (end, seconds) =
            (Some(calls.end[record]).filter(|end| *end != Calls::NO_TIME), calls.duration[record]);
        let length = Length::of(start, end, seconds.into());
        self.lengths.add(length);
        if matches!(length, Length::Low | Length::FarTooLow) {
            let lasted = (calls.end[record] - start) / SECOND;
            let sid = calls.sid_text(record).to_string();
            let words = || format!("{seconds} s of {lasted} s");
            let rank = i128::from(lasted) - i128::from(seconds);
            one(&mut self.low).offer(rank, start, &sid, words);
            if length == Length::FarTooLow {
                one(&mut self.far_too_low).offer(rank, start, &sid, words);
            }
        }
    }

    /// Looks at a billed record of a call that was written off in another version.
    pub fn look_at_written_off(&mut self, calls: &Calls, record: usize) {
        let seconds = calls.duration[record];
        let sid = calls.sid_text(record).to_string();
        self.written_off.add(calls.start[record], &sid, || format!("{seconds} s"));
    }

    /// Adds the notes of other partitions.
    pub fn merge(&mut self, other: Self) {
        self.prices.merge(other.prices);
        self.lengths.merge(other.lengths);
        self.dates.merge(other.dates);
        self.callers.merge(other.callers);
        self.orphans.merge(other.orphans);
        self.written_off.merge(other.written_off);
        merge(&mut self.low, other.low);
        merge(&mut self.far_too_low, other.far_too_low);
    }

    /// The carrier's prices that the manifest keeps.
    ///
    /// # Errors
    /// If a source file cannot be read again.
    pub fn carrier_prices(&self, reading: &Reading) -> Result<CarrierPrices, FileError> {
        self.prices.finish(reading)
    }

    /// A sentence for each odd thing.
    #[must_use]
    pub fn notes(&self, prices: &CarrierPrices) -> Vec<String> {
        let calls = |count: u64, one: &str, many: &str| {
            if count == 1 { format!("1 call {one}") } else { format!("{count} calls {many}") }
        };
        let example = |best: &Option<TopRows<String>>| {
            let first = best.as_ref().and_then(|best| best.first());
            first.map_or_else(String::new, |(sid, words)| {
                format!(" ({}: {})", visible(sid), visible(words))
            })
        };
        let odd = self.lengths.odd();
        let worst = if self.lengths.many_are_low() { &self.low } else { &self.far_too_low };
        let mut notes = Vec::new();
        if odd > 0 {
            let many = calls(
                odd,
                "is billed for far less than it lasted",
                "are billed for far less than they lasted",
            );
            notes.push(format!(
                "{many}{}: is `duration` in seconds, without ringing?",
                example(worst)
            ));
        }
        if self.dates.count > 0 {
            let many = calls(
                self.dates.count,
                "starts at a time that cannot be",
                "start at times that cannot be",
            );
            notes.push(format!("{many}{}", example(&self.dates.first)));
        }
        if self.callers.count > 0 {
            let many = calls(
                self.callers.count,
                "has a caller of digits without `+`",
                "have callers of digits without `+`",
            );
            notes.push(format!(
                "{many}{}: its origin is taken as unknown, and rows of the deck ask for it",
                example(&self.callers.first)
            ));
        }
        notes.extend(odd_prices::note(prices));
        if let Some(last) = notes.last_mut() {
            last.push_str("; `trunkrate report` lists all of it");
        }
        if self.orphans.count > 0 {
            let many = calls(
                self.orphans.count,
                "has the target of a transfer and no parent, and is billed as a plain call",
                "have the target of a transfer and no parent, and are billed as plain calls",
            );
            notes.push(format!(
                "{many}{}: did the export lose `parent_call_sid`?",
                example(&self.orphans.first)
            ));
        }
        if self.written_off.count > 0 {
            let many = calls(
                self.written_off.count,
                "is billed of which another version was written off",
                "are billed of which other versions were written off",
            );
            notes.push(format!("{many}{}", example(&self.written_off.first)));
        }
        notes
    }
}
