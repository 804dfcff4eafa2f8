//! The carrier's charge for a record, in 128 bits: a price, its currency, and a hash that
//! distinguishes its text from others.
//!
//! **Invariant:** a text that is no price is never taken for a price, nor for an absent one.

use xxhash_rust::xxh3::xxh3_64;

/// The `price` and the `price_unit` of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceRef {
    /// [`crate::money::carrier_price`], or [`PriceRef::NONE`].
    units: i64,
    /// A hash of the text, to distinguish two texts of one value. Its low bits are the
    /// [`CurrencyCode`].
    hash: u64,
}

impl PriceRef {
    const NONE: i64 = i64::MIN;
    /// The price of an empty text.
    pub(crate) const EMPTY: Self =
        Self { units: Self::NONE, hash: xxhash_rust::const_xxh3::xxh3_64(b"") };

    /// Reads a price and its unit.
    #[must_use]
    pub fn of(text: &str, unit: &str) -> Self {
        // Nearly every price is empty; of the others each is read once per record.
        if text.is_empty() {
            return Self::EMPTY;
        }
        let units = crate::money::carrier_price(text).unwrap_or(Self::NONE);
        let code = u64::from(CurrencyCode::of(unit).0);
        Self { units, hash: xxh3_64(text.as_bytes()) & !u64::from(u16::MAX) | code }
    }

    /// True if there is no text.
    #[must_use]
    pub fn is_none(self) -> bool {
        self == Self::EMPTY
    }

    /// True if there is a text that is no price.
    #[must_use]
    pub fn is_unreadable(self) -> bool {
        self.units == Self::NONE && self != Self::EMPTY
    }

    /// True if its unit is another currency than this one. A price without a unit fits any
    /// currency.
    #[must_use]
    pub fn is_foreign_to(self, currency: CurrencyCode) -> bool {
        let own = CurrencyCode(
            u16::try_from(self.hash & u64::from(u16::MAX)).expect("16 bits were kept"),
        );
        self.units != Self::NONE && own != CurrencyCode::NONE && own != currency
    }

    /// Restores a packed price.
    #[must_use]
    pub(crate) fn from_parts(units: i64, hash: u64) -> Self {
        Self { units, hash }
    }

    /// Units (or the value for none) and hash, for packing.
    #[must_use]
    pub(crate) fn parts(self) -> (i64, u64) {
        (self.units, self.hash)
    }

    /// Units of 10⁻¹⁰, if it is a price.
    #[must_use]
    pub fn units(self) -> Option<i64> {
        (self.units != Self::NONE).then_some(self.units)
    }

    /// Its charge: a negative price is a charge. Of several prices for one call the greatest charge
    /// is kept, and any price before none.
    #[must_use]
    pub fn charge(self) -> Option<i64> {
        self.units().map(i64::saturating_neg)
    }

    /// A hash of its text.
    #[must_use]
    pub fn hash(self) -> u64 {
        self.hash
    }
}

/// A currency's three letters in 16 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CurrencyCode(u16);

impl CurrencyCode {
    /// The code of an empty text.
    pub const NONE: Self = Self(0);
    /// The code of a text that is not three letters; it matches no deck's currency.
    const OTHER: Self = Self(u16::MAX);

    /// The code of a text, ignoring case.
    #[must_use]
    pub fn of(text: &str) -> Self {
        if text.is_empty() {
            return Self::NONE;
        }
        let add = |sum: u16, letter: u8| {
            letter.is_ascii_alphabetic().then(|| sum * 27 + u16::from(letter & 31))
        };
        let code = text.bytes().take(3).try_fold(0, add);
        code.filter(|_| text.len() == 3).map_or(Self::OTHER, Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_know_their_currency_and_whether_they_are_none() {
        let (usd, eur) = (CurrencyCode::of("USD"), CurrencyCode::of("eur"));
        let table = [
            ("-0.01", "USD", Some(-100_000_000), false, false, true),
            ("-0.01", "eur", Some(-100_000_000), false, true, false),
            ("-0.01", "", Some(-100_000_000), false, false, false),
            ("-0.01", "$", Some(-100_000_000), false, true, true),
            ("-0.01", "US Dollar", Some(-100_000_000), false, true, true),
            ("-0,01", "EUR", None, true, false, false),
            ("-$0.01", "USD", None, true, false, false),
            ("", "EUR", None, false, false, false),
        ];
        for (text, unit, units, unreadable, to_usd, to_eur) in table {
            let price = PriceRef::of(text, unit);
            let found = (
                price.units(),
                price.is_unreadable(),
                price.is_foreign_to(usd),
                price.is_foreign_to(eur),
            );
            assert_eq!(found, (units, unreadable, to_usd, to_eur), "{text} {unit}");
        }
        assert_ne!(CurrencyCode::of("USDX"), CurrencyCode::of("USD"));
        assert_eq!(PriceRef::of("", "USD"), PriceRef::EMPTY);
    }
}
