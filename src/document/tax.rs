//! The tax of an amount, by its category.

use crate::document::TaxCategory;
use crate::money::round_invoice_total;
use rust_decimal::Decimal;

/// The tax on an amount, in whole minor units: **the rounding of an invoice total**, half up.
#[must_use]
pub fn tax_on(
    taxable: Decimal,
    category: TaxCategory,
    rate: Decimal,
    minor_unit_decimals: u32,
) -> Decimal {
    let rate = if category == TaxCategory::Standard { rate } else { Decimal::ZERO };
    round_invoice_total(taxable * rate / Decimal::ONE_HUNDRED, minor_unit_decimals)
}
