//! Usage: the legs of an account in a billing period, added up to lines.
//!
//! **Invariant:** the sum of the lines is the sum of the legs, to the last decimal. The total is
//! that sum rounded once to the currency's minor unit; the rounding difference is a line of its
//! own.
//!
//! Next: [`crate::document`], which makes an invoice of it.

use crate::money::{Amount, Overflow, Price, Total, minor_unit_decimals, round_invoice_total};
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// The key of a line: the values that its legs share. Lines are sorted by it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineKey {
    /// The earlier month that its calls belong to, `YYYY-MM`; `None`, sorted first, for calls of
    /// the period itself.
    pub late: Option<String>,
    /// The scenario's id.
    pub scenario: String,
    /// The service.
    pub service: String,
    /// The deck's description.
    pub description: String,
    /// The price per minute.
    pub price: Price,
    /// The connection fee per leg.
    pub fee: Price,
}

/// One line of usage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    /// The number of calls with a leg on this line.
    pub calls: i64,
    /// The number of legs, those that take others back included.
    pub legs: u64,
    /// Their billed seconds.
    pub billed_seconds: i64,
    /// Their sum.
    pub amount: Total,
    last_call: LastCall,
}

/// The call whose legs came last; true if they take legs back.
type LastCall = (String, bool);

impl Line {
    /// True if its legs take one another back: they bill nothing together, and documents leave the
    /// line out. (A leg that bills has seconds.)
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.calls == 0 && self.billed_seconds == 0 && self.amount == Total::default()
    }
}

/// The usage of an account for a month, in one currency.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// The lines, by key.
    pub lines: BTreeMap<LineKey, Line>,
    /// The same legs by their call's UTC day, in days since 1970.
    pub days: BTreeMap<i64, Total>,
    /// The number of calls with a leg.
    pub calls: i64,
    last_call: LastCall,
}

/// The sum of usage, and its rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sum {
    /// The exact sum of the lines.
    pub sum: Decimal,
    /// The amount that rounding added (negative: took).
    pub rounding: Decimal,
    /// The rounded total to pay.
    pub total: Decimal,
}

impl Usage {
    /// Begins the legs of another run: a call that comes again is another version of it.
    pub fn begin_run(&mut self) {
        self.last_call = LastCall::default();
        for line in self.lines.values_mut() {
            line.last_call = LastCall::default();
        }
    }

    /// Adds a leg of a call that started on a day (since 1970, UTC). The legs of one call come one
    /// after the other. A leg with seconds below zero takes another one back: its call leaves the
    /// count again, since it is counted with its other version.
    ///
    /// # Errors
    /// [`Overflow`] if the sum does not fit.
    pub fn add(
        &mut self,
        call_sid: &str,
        day: i64,
        key: LineKey,
        billed_seconds: i64,
        amount: Amount,
    ) -> Result<(), Overflow> {
        self.days.entry(day).or_default().add(amount)?;
        let (takes_back, one) = if billed_seconds < 0 { (true, -1) } else { (false, 1) };
        let count = |calls: &mut i64, last: &mut LastCall| {
            if last.0 != call_sid || last.1 != takes_back {
                *calls += one;
                call_sid.clone_into(&mut last.0);
                last.1 = takes_back;
            }
        };
        count(&mut self.calls, &mut self.last_call);
        let line = self.lines.entry(key).or_default();
        count(&mut line.calls, &mut line.last_call);
        line.legs += 1;
        line.billed_seconds += billed_seconds;
        line.amount.add(amount)
    }

    /// Adds the lines up and rounds once.
    ///
    /// # Errors
    /// [`Overflow`] if the sum does not fit a decimal.
    pub fn sum(&self, currency: &str) -> Result<Sum, Overflow> {
        let mut sum = Total::default();
        for line in self.lines.values() {
            sum.merge(line.amount)?;
        }
        let sum = sum.to_decimal()?;
        let total = round_invoice_total(sum, minor_unit_decimals(currency).unwrap_or(2));
        Ok(Sum { sum, rounding: total - sum, total })
    }
}

/// Billed seconds in minutes, to four decimals (a sixtieth has no finite decimal).
#[must_use]
pub fn billed_minutes(seconds: i64) -> String {
    let seconds = i128::from(seconds);
    let ten_thousandths = (seconds * 10_000 + 30 * seconds.signum()) / 60;
    crate::money::decimal_text(ten_thousandths, 4, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(scenario: &str) -> LineKey {
        LineKey {
            late: None,
            scenario: scenario.into(),
            service: "termination".into(),
            description: "d".into(),
            price: Price::ZERO,
            fee: Price::ZERO,
        }
    }

    #[test]
    fn lines_add_up_and_the_total_is_rounded_once() {
        let mut usage = Usage::default();
        let third = Amount::from_units(33_300); // 0.000333
        for (call, scenario) in [("CA1", "a"), ("CA1", "a"), ("CA1", "b"), ("CA2", "a")] {
            usage.add(call, 0, key(scenario), 60, third).unwrap();
        }
        let line = &usage.lines[&key("a")];
        assert_eq!((line.calls, line.legs, line.billed_seconds), (2, 3, 180));
        assert_eq!(usage.calls, 2);
        let sum = usage.sum("USD").unwrap();
        assert_eq!(
            (sum.sum.normalize().to_string(), sum.total.to_string()),
            ("0.001332".into(), "0.00".into())
        );
        assert_eq!(sum.sum + sum.rounding, sum.total);
        assert_eq!(usage.sum("KWD").unwrap().total.to_string(), "0.001");
    }

    #[test]
    fn a_call_in_another_version_is_one_call() {
        let mut usage = Usage::default();
        let cent = Amount::from_units(1_000_000);
        let back = Amount::from_units(-1_000_000);
        let mut last_run = 0;
        // Run 1 bills two legs of CA1; run 2 bills one leg of its other version, and takes both
        // back.
        for (run, call, scenario, seconds, amount) in [
            (1, "CA1", "a", 60, cent),
            (1, "CA1", "a", 60, cent),
            (2, "CA1", "b", 120, cent),
            (2, "CA1", "a", -60, back),
            (2, "CA1", "a", -60, back),
        ] {
            if run != last_run {
                usage.begin_run();
                last_run = run;
            }
            usage.add(call, 0, key(scenario), seconds, amount).unwrap();
        }
        let of = |name: &str| {
            let line = &usage.lines[&key(name)];
            (line.calls, line.legs, line.billed_seconds, line.amount.units())
        };
        assert_eq!((of("a"), of("b"), usage.calls), ((0, 4, 0, 0), (1, 1, 120, 1_000_000), 1));
    }

    #[test]
    fn minutes() {
        assert_eq!(billed_minutes(150), "2.5");
        assert_eq!(billed_minutes(48), "0.8");
        assert_eq!(billed_minutes(10), "0.1667");
        assert_eq!(billed_minutes(60), "1");
        assert_eq!([billed_minutes(0), billed_minutes(-10)], ["0", "-0.1667"]);
    }
}
