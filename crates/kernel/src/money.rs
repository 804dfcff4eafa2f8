//! Money: exact integers at a fixed scale, and two of the three roundings.
//!
//! Owns prices, amounts and the rounding of a leg and of an invoice total. (The third rounding,
//! seconds to billing increments, is [`crate::deck::Increments::billed`].)
//!
//! **Invariant:** no float, anywhere. Text becomes a [`Price`] through `Decimal::from_str_exact`,
//! and every step is checked: an overflow is an [`Overflow`], never a wrap.
//!
//! # Why
//! Integers at a fixed scale are four times as fast per step as `Decimal` and can be written to a
//! Parquet `DECIMAL` column as they are. `Decimal` stays at the edges, where text is read and
//! printed, and in the naive rater of the tests, where it serves as the check of this module.

use rust_decimal::{Decimal, RoundingStrategy};
use std::fmt;

/// Decimals of a [`Price`]: prices and fees are whole multiples of 10⁻¹⁰ of the currency.
pub const PRICE_DECIMALS: u32 = 10;
/// Decimals of an [`Amount`] as stored. `money.leg_decimals` may be any number up to it.
pub const AMOUNT_DECIMALS: u32 = 8;
/// The digits of a stored decimal, before and after the point together (`DECIMAL(18, s)`, a 64-bit
/// integer).
pub const STORED_DIGITS: u32 = 18;

const STORED_LIMIT: i128 = 10_i128.pow(STORED_DIGITS);
/// The unit of an exact leg amount: a sixtieth (a price is per minute) of a [`Price`] unit.
const EXACT_UNITS: i128 = 60 * 10_i128.pow(PRICE_DECIMALS);

/// A price per minute or a connection fee, in 10⁻¹⁰ of its currency. Never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Price(i64);

/// The amount of one leg, rounded, in 10⁻⁸ of its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(i64);

/// A sum of leg amounts, in 10⁻⁸ of its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Total(i128);

/// The amount of one leg before it is rounded: a whole number of 1/(60·10¹⁰) of the currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExactAmount(i128);

/// A sum or product that does not fit the stored decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the amount does not fit a decimal of {STORED_DIGITS} digits, \
     {AMOUNT_DECIMALS} of them after the point"
)]
pub struct Overflow;

/// The rounding of a leg's exact amount to its booked amount (`money.leg_rounding`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LegRounding {
    /// To the nearest; a half goes up. The default.
    #[default]
    HalfUp,
    /// To the nearest; a half goes to the even neighbour.
    HalfEven,
    /// Any remainder goes up.
    Up,
}

impl LegRounding {
    /// The name in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HalfUp => "half-up",
            Self::HalfEven => "half-even",
            Self::Up => "up",
        }
    }
}

/// The rounding of a leg: its decimals and its mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LegRule {
    /// Decimals kept, at most [`AMOUNT_DECIMALS`].
    pub decimals: u32,
    /// The rounding of the rest.
    pub rounding: LegRounding,
}

impl Default for LegRule {
    fn default() -> Self {
        Self { decimals: 5, rounding: LegRounding::HalfUp }
    }
}

/// The reason that a text is no price.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// An empty text.
    #[error("the price is missing; expected a plain decimal number such as 0.0100")]
    Missing,
    /// Not digits with at most one point.
    #[error("`{0}` is no price; expected a plain decimal number such as 0.0100")]
    NotDecimal(String),
    /// Below zero.
    #[error("`{0}` is negative; a price is zero or more")]
    Negative(String),
    /// More decimals than a [`Price`] keeps.
    #[error("`{0}` has more than {PRICE_DECIMALS} decimals")]
    TooFine(String),
    /// More than a [`Price`] holds.
    #[error("`{0}` is too large; a price is below 100000000")]
    TooLarge(String),
}

impl Price {
    /// No charge.
    pub const ZERO: Self = Self(0);

    /// Reads a price from its text, exactly: digits with at most one point. No sign, exponent or
    /// separator.
    ///
    /// # Errors
    /// See [`PriceError`]; nothing is ever rounded to make a text fit.
    pub fn parse(text: &str) -> Result<Self, PriceError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(PriceError::Missing);
        }
        let digits = text.strip_prefix('-').unwrap_or(text);
        if !is_plain_decimal(digits) {
            return Err(PriceError::NotDecimal(text.to_owned()));
        }
        let value =
            Decimal::from_str_exact(digits).map_err(|_| PriceError::TooLarge(text.to_owned()))?;
        if text.starts_with('-') && !value.is_zero() {
            return Err(PriceError::Negative(text.to_owned()));
        }
        let value = value.normalize();
        if value.scale() > PRICE_DECIMALS {
            return Err(PriceError::TooFine(text.to_owned()));
        }
        value
            .mantissa()
            .checked_mul(10_i128.pow(PRICE_DECIMALS - value.scale()))
            .filter(|units| *units < STORED_LIMIT)
            .and_then(|units| i64::try_from(units).ok())
            .map(Self)
            .ok_or_else(|| PriceError::TooLarge(text.to_owned()))
    }

    /// The price in units of 10⁻¹⁰, as it is stored.
    #[must_use]
    pub fn units(self) -> i64 {
        self.0
    }

    /// A stored price.
    #[must_use]
    pub fn from_units(units: i64) -> Self {
        Self(units)
    }
}

impl Amount {
    /// The amount in units of 10⁻⁸, as it is stored.
    #[must_use]
    pub fn units(self) -> i64 {
        self.0
    }

    /// A stored amount.
    #[must_use]
    pub fn from_units(units: i64) -> Self {
        Self(units)
    }
}

impl Total {
    /// Adds a leg.
    ///
    /// # Errors
    /// [`Overflow`] if the sum does not fit 128 bits.
    #[inline]
    pub fn add(&mut self, amount: Amount) -> Result<(), Overflow> {
        self.0 = self.0.checked_add(i128::from(amount.0)).ok_or(Overflow)?;
        Ok(())
    }

    /// Adds another sum.
    ///
    /// # Errors
    /// [`Overflow`] if the sum does not fit 128 bits.
    pub fn merge(&mut self, other: Self) -> Result<(), Overflow> {
        self.0 = self.0.checked_add(other.0).ok_or(Overflow)?;
        Ok(())
    }

    /// The sum in units of 10⁻⁸.
    #[must_use]
    pub fn units(self) -> i128 {
        self.0
    }

    /// A sum of stored units.
    #[must_use]
    pub fn from_units(units: i128) -> Self {
        Self(units)
    }

    /// The sum as a decimal.
    ///
    /// # Errors
    /// [`Overflow`] past 28 digits.
    pub fn to_decimal(self) -> Result<Decimal, Overflow> {
        Decimal::try_from_i128_with_scale(self.0, AMOUNT_DECIMALS).map_err(|_| Overflow)
    }
}

/// The exact amount of one leg: connection fee + price per minute × billed seconds / 60.
///
/// # Errors
/// [`Overflow`] if it does not fit 128 bits.
#[inline]
pub fn exact_leg_amount(
    price: Price,
    fee: Price,
    billed_seconds: u32,
) -> Result<ExactAmount, Overflow> {
    assert!(price.0 >= 0 && fee.0 >= 0, "a price is zero or more");
    let usage = i128::from(price.0).checked_mul(i128::from(billed_seconds)).ok_or(Overflow)?;
    let fee = i128::from(fee.0).checked_mul(60).ok_or(Overflow)?;
    usage.checked_add(fee).map(ExactAmount).ok_or(Overflow)
}

/// **The rounding of a leg**, once: the exact amount to `rule.decimals`, by `rule.rounding`.
///
/// # Errors
/// [`Overflow`] if the result does not fit the stored decimal.
#[inline]
pub fn round_leg(exact: ExactAmount, rule: LegRule) -> Result<Amount, Overflow> {
    assert!(rule.decimals <= AMOUNT_DECIMALS, "a rule keeps no more decimals than are stored");
    assert!(exact.0 >= 0, "the amount of a leg is zero or more");
    let unit = 60 * i128::from(power_of_ten(PRICE_DECIMALS - rule.decimals));
    // Nearly every amount fits 64 bits, where dividing needs no call.
    let (whole, rest) = match (u64::try_from(exact.0), u64::try_from(unit)) {
        (Ok(exact), Ok(unit)) => (i128::from(exact / unit), i128::from(exact % unit)),
        _ => (exact.0 / unit, exact.0 % unit),
    };
    let up = match rule.rounding {
        LegRounding::HalfUp => rest * 2 >= unit,
        LegRounding::HalfEven => rest * 2 > unit || (rest * 2 == unit && whole % 2 == 1),
        LegRounding::Up => rest > 0,
    };
    // A value that does not fit 64 bits is past the limit already; two factors that do never
    // overflow 128.
    let rounded = i64::try_from(whole + i128::from(up)).map_err(|_| Overflow)?;
    let units = i128::from(rounded) * i128::from(power_of_ten(AMOUNT_DECIMALS - rule.decimals));
    i64::try_from(units)
        .ok()
        .filter(|units| i128::from(*units) < STORED_LIMIT)
        .map(Amount)
        .ok_or(Overflow)
}

/// A power of ten up to the decimals of a price, from a table instead of a loop in 128 bits.
fn power_of_ten(exponent: u32) -> i64 {
    const TENS: [i64; PRICE_DECIMALS as usize + 1] = {
        let mut tens = [1; PRICE_DECIMALS as usize + 1];
        let mut at = 1;
        while at < tens.len() {
            tens[at] = tens[at - 1] * 10;
            at += 1;
        }
        tens
    };
    TENS[exponent as usize]
}

/// **The rounding of an invoice total**, once: a sum of legs, or a tax, to the currency's minor
/// unit, half up.
#[must_use]
pub fn round_invoice_total(sum: Decimal, minor_unit_decimals: u32) -> Decimal {
    // Away from zero: what is taken back rounds like what was billed.
    let mut total =
        sum.round_dp_with_strategy(minor_unit_decimals, RoundingStrategy::MidpointAwayFromZero);
    total.rescale(minor_unit_decimals);
    assert_eq!(total.scale(), minor_unit_decimals, "a total fits its decimals");
    total
}

/// The carrier's own price of a call, negative if it is a charge, in units of 10⁻¹⁰; `None` if the
/// text is empty or no decimal that fits.
#[must_use]
pub fn carrier_price(text: &str) -> Option<i64> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    if digits.starts_with('-') {
        return None;
    }
    Price::parse(digits).ok().map(|price| sign * price.units())
}

/// The decimals of a currency's minor unit by ISO 4217 (`USD` 2, `JPY` 0, `KWD` 3); `None` if there
/// is no such currency.
#[must_use]
pub fn minor_unit_decimals(currency: &str) -> Option<u32> {
    let currency = iso_currency::Currency::from_code(currency)?;
    // `XXX` (no currency), `XAU` (gold) and their like have no minor unit: nothing is billed in
    // them.
    currency.exponent().map(u32::from)
}

/// True if a text is digits with at most one point between digits: `0`, `12`, `0.0100`.
#[must_use]
pub fn is_plain_decimal(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    digits(whole) && digits(fraction)
}

/// Prints a fixed-scale integer without trailing zeros, but with at least `least` decimals.
#[must_use]
pub fn decimal_text(units: i128, scale: u32, least: u32) -> String {
    assert!(least <= scale, "a text has no more decimals than its number");
    let sign = if units < 0 { "-" } else { "" };
    let unit = 10_u128.pow(scale);
    let (whole, mut rest) = (units.unsigned_abs() / unit, units.unsigned_abs() % unit);
    let mut decimals = scale;
    while decimals > least && rest.is_multiple_of(10) {
        rest /= 10;
        decimals -= 1;
    }
    if decimals == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{rest:0width$}", width = decimals as usize)
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&decimal_text(self.0.into(), PRICE_DECIMALS, 4))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&decimal_text(self.0.into(), AMOUNT_DECIMALS, 5))
    }
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&decimal_text(self.0, AMOUNT_DECIMALS, 5))
    }
}

impl serde::Serialize for Total {
    /// Serialized as text: a JSON number may go through a float.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for ExactAmount {
    /// Prints at most twelve decimals; `…` if the exact value goes on.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: u32 = 12;
        let scaled = self.0 * 10_i128.pow(SHOWN);
        let text = decimal_text(scaled / EXACT_UNITS, SHOWN, 5);
        let more = if scaled % EXACT_UNITS == 0 { "" } else { "…" };
        write!(f, "{text}{more}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(text: &str) -> Price {
        Price::parse(text).unwrap()
    }

    #[test]
    fn prices_are_read_exactly_or_refused() {
        assert_eq!(price("0.0100").units(), 100_000_000);
        assert_eq!(price("0.0100").to_string(), "0.0100");
        assert_eq!(price("0.033335").to_string(), "0.033335");
        assert_eq!(price("12").to_string(), "12.0000");
        assert_eq!(price("-0.00"), Price::ZERO);
        for bad in ["1e3", "+1", "1_000.5", "1,5", ".5", "5.", "0x1", "١", "1 2", "NaN", "-", "--1"]
        {
            assert_eq!(Price::parse(bad), Err(PriceError::NotDecimal(bad.to_owned())), "{bad}");
        }
        assert_eq!(Price::parse(" "), Err(PriceError::Missing));
        assert_eq!(Price::parse("-0.01"), Err(PriceError::Negative("-0.01".into())));
        assert_eq!(Price::parse("0.00000000001"), Err(PriceError::TooFine("0.00000000001".into())));
        assert_eq!(Price::parse("100000000"), Err(PriceError::TooLarge("100000000".into())));
        assert_eq!(Price::parse(&"9".repeat(40)), Err(PriceError::TooLarge("9".repeat(40))));
    }

    #[test]
    fn a_leg_is_rounded_once() {
        // 0.000015 + 0.033335 × 10 / 60 = 0.0055708333…; rounding the parts first would give
        // 0.00558.
        let exact = exact_leg_amount(price("0.033335"), price("0.000015"), 10).unwrap();
        assert_eq!(exact.to_string(), "0.005570833333…");
        assert_eq!(round_leg(exact, LegRule::default()).unwrap().to_string(), "0.00557");
    }

    #[test]
    fn halves_go_where_the_rule_says() {
        let half = exact_leg_amount(price("0.000025"), Price::ZERO, 60).unwrap();
        let of = |rounding| round_leg(half, LegRule { decimals: 5, rounding }).unwrap().to_string();
        assert_eq!(of(LegRounding::HalfUp), "0.00003");
        assert_eq!(of(LegRounding::HalfEven), "0.00002");
        assert_eq!(of(LegRounding::Up), "0.00003");
        let little = exact_leg_amount(price("0.0000200001"), Price::ZERO, 60).unwrap();
        let of =
            |rounding| round_leg(little, LegRule { decimals: 5, rounding }).unwrap().to_string();
        assert_eq!(of(LegRounding::HalfUp), "0.00002");
        assert_eq!(of(LegRounding::Up), "0.00003");
    }

    #[test]
    fn overflow_is_an_error() {
        let exact = exact_leg_amount(price("99999999"), Price::ZERO, 86_400).unwrap();
        assert_eq!(round_leg(exact, LegRule::default()), Err(Overflow));
        let mut total = Total::from_units(i128::MAX);
        assert_eq!(total.add(Amount::from_units(1)), Err(Overflow));
    }

    #[test]
    fn totals_end_at_the_minor_unit() {
        let sum = Decimal::from_str_exact("1.00500").unwrap();
        assert_eq!(round_invoice_total(sum, 2).to_string(), "1.01");
        assert_eq!(round_invoice_total(sum, 0).to_string(), "1");
        assert_eq!(round_invoice_total(Decimal::ONE, 3).to_string(), "1.000");
        assert_eq!(minor_unit_decimals("USD"), Some(2));
        assert_eq!(minor_unit_decimals("JPY"), Some(0));
        assert_eq!(minor_unit_decimals("KWD"), Some(3));
        assert_eq!(minor_unit_decimals("XYZ"), None);
    }
}
