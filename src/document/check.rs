//! Checks that a document adds up.

use super::tax::tax_on;
use super::{Document, Exact};
use rust_decimal::Decimal;

/// A document that does not add up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the document does not add up: {what} is {found}; expected {expected}")]
pub struct Unbalanced {
    /// The name of the total.
    pub what: &'static str,
    /// Its value in the document.
    pub found: String,
    /// The sum of its parts.
    pub expected: String,
}

impl Document {
    /// Checks that every total is the sum of its parts.
    ///
    /// # Errors
    /// The first total that differs from its parts.
    pub fn check(&self) -> Result<(), Unbalanced> {
        let t = &self.totals;
        let equal = |what: &'static str, found: Decimal, expected: Decimal| {
            if found == expected {
                return Ok(());
            }
            Err(Unbalanced { what, found: found.to_string(), expected: expected.to_string() })
        };
        let sum =
            |values: &mut dyn Iterator<Item = Exact>| values.map(|value| value.0).sum::<Decimal>();
        equal("totals.usage", t.usage.0, sum(&mut self.usage.iter().map(|line| line.amount)))?;
        equal("totals.items", t.items.0, sum(&mut self.items.iter().map(|line| line.amount)))?;
        equal("totals.sum", t.sum.0, t.usage.0 + t.items.0)?;
        for line in &self.items {
            equal("an item's amount", line.amount.0, line.quantity.0 * line.unit_price.0)?;
        }
        equal("the sum of days", sum(&mut self.days.iter().map(|day| day.amount)), t.usage.0)?;
        for group in &self.taxes {
            let of_group = |category, rate| category == group.category && rate == group.rate;
            let usage = self
                .usage
                .iter()
                .filter(|l| of_group(l.tax_category, l.tax_rate))
                .map(|l| l.amount);
            let items = self
                .items
                .iter()
                .filter(|l| of_group(l.tax_category, l.tax_rate))
                .map(|l| l.amount);
            equal("the sum of a tax group", group.sum.0, sum(&mut usage.chain(items)))?;
            equal(
                "the taxable amount of a group",
                group.taxable.0,
                group.sum.0 + group.rounding.0,
            )?;
            let minor = self.minor_unit_decimals;
            equal(
                "the taxable amount of a group",
                group.taxable.0,
                crate::money::round_invoice_total(group.sum.0, minor),
            )?;
            equal(
                "the tax of a group",
                group.tax.0,
                tax_on(group.taxable.0, group.category, group.rate.0, minor),
            )?;
        }
        equal(
            "the sum of all tax groups",
            sum(&mut self.taxes.iter().map(|group| group.sum)),
            t.sum.0,
        )?;
        equal("totals.net", t.net.0, sum(&mut self.taxes.iter().map(|group| group.taxable)))?;
        equal("totals.net", t.net.0, t.sum.0 + t.rounding.0)?;
        equal("totals.tax", t.tax.0, sum(&mut self.taxes.iter().map(|group| group.tax)))?;
        equal("totals.total", t.total.0, t.net.0 + t.tax.0)
    }
}
