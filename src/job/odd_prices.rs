//! Carrier's prices that cannot be compared with ours, found while a run is settled: see
//! [`crate::ledger::carrier`].

use crate::call::{Calls, CurrencyCode};
use crate::deck::Deck;
use crate::ingest::reader::Reading;
use crate::inputs::file::FileError;
use crate::inputs::record_text::RecordSpot;
use crate::ledger::carrier::{CarrierPrices, OddPrice, OddPrices};
use crate::night::Tariff;
use crate::record::Field;
use crate::report::findings::EXAMPLES;
use crate::text::visible;
use crate::time::{self, Micros};
use std::collections::BTreeMap;

/// The odd prices of some partitions.
#[derive(Debug, Default)]
pub struct FoundPrices {
    records: u64,
    unreadable: Kept,
    foreign: Kept,
    foreign_accounts: BTreeMap<String, u64>,
}

/// The first records of a kind, by start, id and price, and the number of all.
#[derive(Debug, Default)]
struct Kept {
    count: u64,
    first: BTreeMap<(Micros, String, u64), (RecordSpot, String)>,
}

impl Kept {
    fn add(&mut self, calls: &Calls, record: usize, currency: &str) {
        self.count += 1;
        let start = calls.start[record];
        let is_full = self.first.len() == EXAMPLES;
        if is_full && self.first.last_key_value().is_some_and(|((last, ..), _)| start > *last) {
            return;
        }
        let key = (start, calls.sid_text(record).to_string(), calls.price[record].hash());
        let spot = RecordSpot { number: calls.number[record], place: calls.place[record] };
        self.keep(key, (spot, currency.to_owned()));
    }

    fn keep(&mut self, key: (Micros, String, u64), (spot, currency): (RecordSpot, String)) {
        let kept = self.first.entry(key).or_insert((spot, currency));
        kept.0 = kept.0.min(spot);
        if self.first.len() > EXAMPLES {
            self.first.pop_last();
        }
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        for (key, kept) in other.first {
            self.keep(key, kept);
        }
    }

    /// Reads the prices again, as they were written.
    fn finish(&self, reading: &Reading) -> Result<OddPrices, FileError> {
        let mut kept: Vec<_> = self.first.iter().collect();
        kept.sort_by_key(|(_, (spot, _))| *spot);
        let spots: Vec<RecordSpot> = kept.iter().map(|(_, (spot, _))| *spot).collect();
        let texts = reading.texts_of(&spots)?;
        assert_eq!(texts.len(), kept.len(), "each example has its text");
        let mut examples: Vec<_> = kept
            .into_iter()
            .zip(texts)
            .map(|((key, (_, currency)), text)| {
                let (price, price_unit) = text.with_fields(|fields| {
                    let get = |field| {
                        fields.map_or_else(String::new, |fields| fields.get(field).to_owned())
                    };
                    (get(Field::Price), get(Field::PriceUnit))
                });
                let price = OddPrice {
                    call_sid: key.1.clone(),
                    start: time::text(key.0),
                    price,
                    price_unit,
                    currency: currency.clone(),
                    source_file: text.file,
                    source_line: text.line,
                };
                (key, price)
            })
            .collect();
        examples.sort_by_key(|(key, _)| *key);
        Ok(OddPrices {
            count: self.count,
            examples: examples.into_iter().map(|(_, price)| price).collect(),
        })
    }
}

/// The currencies of decks, as records name them.
#[derive(Debug)]
pub struct Currencies(Vec<CurrencyCode>);

impl Currencies {
    /// The currencies of all decks.
    #[must_use]
    pub fn of(decks: &[Deck]) -> Self {
        Self(decks.iter().map(|deck| CurrencyCode::of(&deck.currency)).collect())
    }
}

impl FoundPrices {
    /// Looks at the price of a record whose call is booked.
    #[inline]
    pub fn look(
        &mut self,
        calls: &Calls,
        record: usize,
        tariff: &Tariff<'_>,
        currencies: &Currencies,
    ) {
        let price = calls.price[record];
        if price.is_none() {
            return;
        }
        self.records += 1;
        let deck = tariff.deck_of(calls.account[record]);
        let currency = deck.map_or("", |(_, deck)| &deck.currency);
        if price.is_unreadable() {
            self.unreadable.add(calls, record, currency);
        } else if deck.is_some_and(|(number, _)| price.is_foreign_to(currencies.0[number])) {
            self.foreign.add(calls, record, currency);
            let account = calls.accounts.text(calls.account[record]);
            match self.foreign_accounts.get_mut(account) {
                Some(count) => *count += 1,
                None => {
                    self.foreign_accounts.insert(account.to_owned(), 1);
                }
            }
        }
    }

    /// Adds the odd prices of other partitions.
    pub fn merge(&mut self, other: Self) {
        self.records += other.records;
        self.unreadable.merge(other.unreadable);
        self.foreign.merge(other.foreign);
        for (account, count) in other.foreign_accounts {
            *self.foreign_accounts.entry(account).or_insert(0) += count;
        }
    }

    /// All odd prices, with the texts of the examples.
    ///
    /// # Errors
    /// If a source file cannot be read again.
    pub fn finish(&self, reading: &Reading) -> Result<CarrierPrices, FileError> {
        if self.unreadable.count + self.foreign.count == 0 {
            return Ok(CarrierPrices::default());
        }
        Ok(CarrierPrices {
            records: self.records,
            unreadable: self.unreadable.finish(reading)?,
            foreign: self.foreign.finish(reading)?,
            foreign_accounts: self.foreign_accounts.clone(),
        })
    }
}

/// The note of `run` on prices that are no prices. (Those in another currency are no fault of an
/// export.)
#[must_use]
pub fn note(prices: &CarrierPrices) -> Option<String> {
    let first = prices.unreadable.examples.first()?;
    let many = match prices.unreadable.count {
        1 => "1 price of the carrier is no plain number".to_owned(),
        count => format!("{count} prices of the carrier are no plain numbers"),
    };
    let [price, call, file] =
        [&first.price, &first.call_sid, &first.source_file].map(|text| visible(text));
    Some(format!(
        "{many} and not compared with ours (`{price}` of {call}, {file}:{})",
        first.source_line
    ))
}
