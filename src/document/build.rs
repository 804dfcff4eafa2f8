//! Builds a document from usage, items, parties and terms, and proves its totals.

use super::check::Unbalanced;
use super::tax::tax_on;
use super::{
    Buyer, Corrected, DaySpend, Document, Exact, ItemLine, Kind, Payment, Period, SCHEMA, Seller,
    TaxCategory, TaxGroup, Totals, UsageLine, words,
};
use crate::document::usage::{Usage, billed_minutes};
use crate::money::{
    AMOUNT_DECIMALS, Overflow, PRICE_DECIMALS, Price, Total, minor_unit_decimals,
    round_invoice_total,
};
use crate::time;
use rust_decimal::Decimal;

/// The tax on what an account buys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tax {
    /// The category.
    pub category: TaxCategory,
    /// The rate in per cent; zero in every category but the standard one.
    pub rate: Decimal,
    /// The reason why no tax is charged, where the document must give one.
    pub reason: String,
}

/// A monthly charge, as it goes into a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The description.
    pub description: String,
    /// The quantity.
    pub quantity: Decimal,
    /// The price of one.
    pub unit_price: Decimal,
    /// Its tax; without one, the account's.
    pub tax: Option<Tax>,
}

/// The content of a document beside its usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The kind; a draft has no number, all others have one.
    pub kind: Kind,
    /// Its number.
    pub number: Option<String>,
    /// The date of issue, `YYYY-MM-DD`.
    pub issue_date: String,
    /// The due date.
    pub due_date: Option<String>,
    /// The month that it bills, `YYYY-MM`.
    pub month: String,
    /// True if it bills late calls only.
    pub supplementary: bool,
    /// The seller.
    pub seller: Seller,
    /// The buyer.
    pub buyer: Buyer,
    /// The currency, ISO 4217.
    pub currency: String,
    /// The tax on usage.
    pub tax: Tax,
    /// Payment details.
    pub payment: Payment,
    /// Further notes.
    pub notes: Vec<String>,
}

/// The reasons why a document cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// A sum that does not fit.
    #[error(transparent)]
    Overflow(#[from] Overflow),
    /// A text that is no month.
    #[error("`{0}` is no month; expected YYYY-MM")]
    Month(String),
    /// A text that is no currency.
    #[error("`{0}` is no currency of ISO 4217")]
    Currency(String),
    /// A bug: the document does not add up.
    #[error(transparent)]
    Unbalanced(#[from] Unbalanced),
}

/// Builds a document, and checks that it adds up.
///
/// # Errors
/// See [`BuildError`].
pub fn document(frame: Frame, usage: &Usage, items: &[Item]) -> Result<Document, BuildError> {
    let minor = minor_unit_decimals(&frame.currency)
        .ok_or_else(|| BuildError::Currency(frame.currency.clone()))?;
    let period = period(&frame.month).ok_or_else(|| BuildError::Month(frame.month.clone()))?;
    let mut groups = Groups::default();
    let mut lines = Vec::with_capacity(usage.lines.len());
    for (key, line) in usage.lines.iter().filter(|(_, line)| !line.is_nothing()) {
        let amount = exact(line.amount)?;
        groups.add(&frame.tax, amount.0)?;
        lines.push(UsageLine {
            late: key.late.clone(),
            scenario: key.scenario.clone(),
            scenario_words: words::scenario(&key.scenario),
            service: key.service.clone(),
            description: key.description.clone(),
            price_per_minute: price(key.price),
            connection_fee: price(key.fee),
            calls: line.calls,
            legs: line.legs,
            billed_seconds: line.billed_seconds,
            billed_minutes: billed_minutes(line.billed_seconds),
            amount,
            tax_category: frame.tax.category,
            tax_rate: Exact(frame.tax.rate),
        });
    }
    let mut item_lines = Vec::with_capacity(items.len());
    for item in items {
        let tax = item.tax.as_ref().unwrap_or(&frame.tax);
        let amount = exact_product(item.quantity, item.unit_price)?;
        groups.add(tax, amount)?;
        item_lines.push(ItemLine {
            description: item.description.clone(),
            quantity: Exact(item.quantity),
            unit_price: Exact(item.unit_price),
            amount: Exact(amount),
            tax_category: tax.category,
            tax_rate: Exact(tax.rate),
        });
    }
    let taxes = groups.closed(minor)?;
    let days = usage.days.iter().map(|(day, amount)| {
        Ok(DaySpend { date: time::date_text(day * time::DAY), amount: exact(*amount)? })
    });
    let document = Document {
        schema: SCHEMA.to_owned(),
        kind: frame.kind,
        number: frame.number,
        issue_date: frame.issue_date,
        due_date: frame.due_date,
        period,
        supplementary: frame.supplementary,
        corrects: None,
        seller: frame.seller,
        buyer: frame.buyer,
        currency: frame.currency,
        minor_unit_decimals: minor,
        calls: usage.calls,
        legs: usage.lines.values().map(|line| line.legs).sum(),
        totals: totals(&lines, &item_lines, &taxes)?,
        usage: lines,
        items: item_lines,
        taxes,
        days: days.collect::<Result<_, BuildError>>()?,
        payment: frame.payment,
        notes: frame.notes,
    };
    document.check()?;
    Ok(document)
}

/// The exact product, or an error: a product with more digits than a decimal holds would be
/// rounded.
fn exact_product(a: Decimal, b: Decimal) -> Result<Decimal, Overflow> {
    let product = a.checked_mul(b).ok_or(Overflow)?;
    if product.scale() == a.scale() + b.scale() || product.is_zero() {
        Ok(product)
    } else {
        Err(Overflow)
    }
}

/// The credit note of a whole invoice: the same lines and totals, under its own number.
#[must_use]
pub fn credit_note(
    invoice: &Document,
    number: String,
    issue_date: String,
    reason: String,
) -> Document {
    let corrected = Corrected {
        number: invoice.number.clone().expect("an invoice that is credited has a number"),
        issue_date: invoice.issue_date.clone(),
        reason,
        in_part: false,
    };
    Document {
        kind: Kind::CreditNote,
        number: Some(number),
        issue_date,
        due_date: None,
        corrects: Some(corrected),
        ..invoice.clone()
    }
}

/// A credit note of a part of an invoice: usage of the invoice, and items, each with its tax.
///
/// # Errors
/// A sum that does not fit.
pub fn credit_in_part(
    invoice: &Document,
    (number, issue_date, reason): (String, String, String),
    usage: &Usage,
    items: &[Item],
) -> Result<Document, BuildError> {
    let tax = invoice
        .usage
        .first()
        .map_or_else(Tax::default, |line| tax_of(invoice, line.tax_category, line.tax_rate));
    let corrected = Corrected {
        number: invoice.number.clone().expect("an invoice that is credited has a number"),
        issue_date: invoice.issue_date.clone(),
        reason,
        in_part: true,
    };
    let frame = Frame {
        kind: Kind::CreditNote,
        number: Some(number),
        issue_date,
        due_date: None,
        month: invoice.period.month.clone(),
        supplementary: invoice.supplementary,
        seller: invoice.seller.clone(),
        buyer: invoice.buyer.clone(),
        currency: invoice.currency.clone(),
        tax,
        payment: invoice.payment.clone(),
        notes: invoice.notes.clone(),
    };
    Ok(Document { corrects: Some(corrected), ..document(frame, usage, items)? })
}

/// The tax of a line of a document, with the reason that the document gives for it.
#[must_use]
pub fn tax_of(document: &Document, category: TaxCategory, rate: Exact) -> Tax {
    let group =
        document.taxes.iter().find(|group| group.category == category && group.rate == rate);
    let reason = group.map_or_else(String::new, |group| group.reason.clone());
    Tax { category, rate: rate.0, reason }
}

/// A month with its first and last day.
fn period(month: &str) -> Option<Period> {
    let (from, to) = time::month_bounds(month)?;
    Some(Period {
        month: month.to_owned(),
        first_day: time::date_text(from),
        last_day: time::date_text(to - 1),
    })
}

/// A stored sum, with at least five decimals.
fn exact(total: Total) -> Result<Exact, Overflow> {
    Ok(Exact(trimmed(total.to_decimal()?, AMOUNT_DECIMALS.min(5))))
}

/// A price, with at least four decimals.
fn price(price: Price) -> Exact {
    Exact(trimmed(Decimal::new(price.units(), PRICE_DECIMALS), 4))
}

/// A decimal without trailing zeros, but with at least `least` decimals.
fn trimmed(value: Decimal, least: u32) -> Decimal {
    let mut value = value.normalize();
    if value.scale() < least {
        value.rescale(least);
    }
    value
}

/// Sums by tax, in the order of their first line.
#[derive(Default)]
struct Groups(Vec<(Tax, Decimal)>);

impl Groups {
    fn add(&mut self, tax: &Tax, amount: Decimal) -> Result<(), Overflow> {
        let same = |known: &Tax| known.category == tax.category && known.rate == tax.rate;
        match self.0.iter_mut().find(|(known, _)| same(known)) {
            Some((_, sum)) => *sum = sum.checked_add(amount).ok_or(Overflow)?,
            None => self.0.push((tax.clone(), amount)),
        }
        Ok(())
    }

    fn closed(self, minor: u32) -> Result<Vec<TaxGroup>, Overflow> {
        let close = |(tax, sum): (Tax, Decimal)| {
            let taxable = round_invoice_total(sum, minor);
            let rounding = taxable.checked_sub(sum).ok_or(Overflow)?;
            Ok(TaxGroup {
                category: tax.category,
                rate: Exact(tax.rate),
                reason: tax.reason,
                sum: Exact(trimmed(sum, 5)),
                rounding: Exact(trimmed(rounding, 5)),
                taxable: Exact(taxable),
                tax: Exact(tax_on(taxable, tax.category, tax.rate, minor)),
            })
        };
        self.0.into_iter().map(close).collect()
    }
}

fn totals(usage: &[UsageLine], items: &[ItemLine], taxes: &[TaxGroup]) -> Result<Totals, Overflow> {
    let sum = |values: &mut dyn Iterator<Item = Exact>| {
        let mut sum = Decimal::ZERO;
        for value in values {
            sum = sum.checked_add(value.0).ok_or(Overflow)?;
        }
        Ok(sum)
    };
    let usage = sum(&mut usage.iter().map(|line| line.amount))?;
    let items = sum(&mut items.iter().map(|line| line.amount))?;
    let net = sum(&mut taxes.iter().map(|group| group.taxable))?;
    let tax = sum(&mut taxes.iter().map(|group| group.tax))?;
    let all = usage.checked_add(items).ok_or(Overflow)?;
    Ok(Totals {
        usage: Exact(trimmed(usage, 5)),
        items: Exact(trimmed(items, 2)),
        sum: Exact(trimmed(all, 5)),
        rounding: Exact(trimmed(net.checked_sub(all).ok_or(Overflow)?, 5)),
        net: Exact(net),
        tax: Exact(tax),
        total: Exact(net.checked_add(tax).ok_or(Overflow)?),
    })
}

/// A document for the tests of every format: late calls, items of another tax, hostile names.
#[cfg(test)]
pub mod samples {
    use super::*;
    use crate::document::Party;
    use crate::document::usage::LineKey;
    use crate::money::Amount;

    /// A frame in a currency.
    #[must_use]
    pub fn frame(currency: &str) -> Frame {
        let party = |name: &str, country: &str, tax_id: &str| Party {
            name: name.into(),
            address: vec!["Musterweg 3".into()],
            city: "Berlin".into(),
            postcode: "10115".into(),
            country: country.into(),
            tax_id: tax_id.into(),
            email: "billing@example.org".into(),
        };
        Frame {
            kind: Kind::Invoice,
            number: Some("INV-2026-000001".into()),
            issue_date: "2026-12-01".into(),
            due_date: Some("2026-12-15".into()),
            month: "2026-11".into(),
            supplementary: false,
            seller: Seller {
                id: "main".into(),
                party: party("Trunkline Carrier GmbH", "DE", "DE123456789"),
                registration: "HRB 12345 B, Amtsgericht Charlottenburg".into(),
                phone: "+49301234567".into(),
                website: "https://carrier.example".into(),
            },
            buyer: Buyer {
                account_sid: "AC20261120000000000000000000000002".into(),
                party: party("Nordwind Logistik GmbH", "DE", "DE999999999"),
                reference: "KST-4711".into(),
                order: String::new(),
            },
            currency: currency.into(),
            tax: Tax {
                category: TaxCategory::Standard,
                rate: Decimal::new(19, 0),
                reason: String::new(),
            },
            payment: Payment {
                terms: "Payable within 14 days without deduction.".into(),
                account_name: "Trunkline Carrier GmbH".into(),
                iban: "DE02120300000000202051".into(),
                bic: "BYLADEM1001".into(),
            },
            notes: vec![],
        }
    }

    /// Usage of some lines: each scenario, `destinations` of them, some of it late.
    #[must_use]
    pub fn usage(destinations: u32) -> Usage {
        let mut usage = Usage::default();
        let scenarios = [
            ("termination", "termination"),
            ("origination", "origination"),
            ("termination-to-sip", "termination"),
            ("termination-to-pstn", "termination"),
            ("origination-to-sip", "origination"),
            ("origination-to-pstn", "termination"),
        ];
        for number in 0..destinations {
            let (scenario, service) = scenarios[number as usize % scenarios.len()];
            let key = LineKey {
                late: (number % 7 == 6).then(|| "2026-10".to_owned()),
                scenario: scenario.into(),
                service: service.into(),
                description: format!("Trunking {service} minute - destination {number}"),
                price: Price::from_units(i64::from(number + 1) * 13_000_000),
                fee: Price::ZERO,
            };
            for call in 0..3 {
                let id = format!("CA{number:016}{call:016}");
                let amount = Amount::from_units(i64::from(number + 1) * 130_000 + call);
                usage.add(&id, 20_400 + call * 3, key.clone(), 60, amount).expect("it fits");
            }
        }
        usage
    }

    /// An invoice with `destinations` usage lines and two items.
    #[must_use]
    pub fn invoice(currency: &str, destinations: u32) -> Document {
        let item = |description: &str, quantity, unit_price: &str| Item {
            description: description.into(),
            quantity: Decimal::new(quantity, 0),
            unit_price: Decimal::from_str_exact(unit_price).expect("a decimal"),
            tax: None,
        };
        let items =
            [item("Number +442079460110", 1, "1.15"), item("Trunk, 30 channels", 2, "24.50")];
        document(frame(currency), &usage(destinations), &items).expect("it adds up")
    }
}

#[cfg(test)]
mod tests {
    use super::samples::{frame, invoice, usage};
    use super::*;

    #[test]
    fn an_invoice_adds_up_by_hand() {
        let made = invoice("EUR", 3);
        // 3 × 0.00130 + 3 × 0.00260 + 3 × 0.00390, and 0 + 1 + 2 units of 10⁻⁸ on each line.
        assert_eq!(made.totals.usage.to_string(), "0.02340009");
        assert_eq!(made.totals.items.to_string(), "50.15");
        assert_eq!(made.totals.sum.to_string(), "50.17340009");
        assert_eq!(made.totals.rounding.to_string(), "-0.00340009");
        assert_eq!(made.totals.net.to_string(), "50.17");
        // 50.17 × 0.19 = 9.5323
        assert_eq!(made.totals.tax.to_string(), "9.53");
        assert_eq!(made.totals.total.to_string(), "59.70");
    }

    #[test]
    fn minor_units_are_those_of_the_currency() {
        let totals = |currency| {
            let made = document(frame(currency), &usage(3), &[]).unwrap();
            [made.totals.net, made.totals.tax, made.totals.total].map(|total| total.to_string())
        };
        assert_eq!(totals("JPY"), ["0", "0", "0"]);
        assert_eq!(totals("KWD"), ["0.023", "0.004", "0.027"]);
        assert_eq!(
            document(frame("XYZ"), &usage(3), &[]).unwrap_err(),
            BuildError::Currency("XYZ".into())
        );
    }

    #[test]
    fn a_changed_total_is_found() {
        let mut made = invoice("EUR", 3);
        made.totals.total = Exact(Decimal::ONE);
        assert_eq!(made.check().unwrap_err().what, "totals.total");
        let mut made = invoice("EUR", 3);
        made.usage[1].amount = Exact(Decimal::ONE);
        assert_eq!(made.check().unwrap_err().what, "totals.usage");
    }

    #[test]
    fn a_document_survives_its_text() {
        let made = invoice("EUR", 9);
        let text = serde_json::to_string(&made).unwrap();
        assert_eq!(serde_json::from_str::<Document>(&text).unwrap(), made);
        assert!(
            serde_json::from_str::<Document>(&text.replace("\"59.", "59.")).is_err(),
            "a number is no text"
        );
    }
}
