//! Documents: an invoice or a credit note, whole, before it is drawn in any format.
//!
//! ```text
//! Document
//! ├── number, kind, issue date, due date, period, what it corrects
//! ├── seller, buyer                   Party: name, address, tax id …
//! ├── usage: [UsageLine]              by period, scenario, service, destination and price; the sum of their legs
//! ├── items: [ItemLine]               monthly charges beside usage
//! ├── taxes: [TaxGroup]               by category and rate: exact sum, rounding, taxable amount, tax
//! ├── totals: Totals                  sum → rounding → net → tax → total
//! └── days: [DaySpend]                usage by UTC day, for charts
//! ```
//!
//! Every format prints these values and computes no other: a total is the same decimal wherever it
//! stands.
//!
//! **Invariant** ([`Document::check`]): sum of lines = sum of groups = `totals.sum`; `sum +
//! rounding = net`; `net + tax = total`. A credit note's amounts are positive, too: they are what
//! is credited.
//!
//! Next: [`build`], which makes one; `crate::invoicing::drafts`, which keeps it; `crate::render`,
//! which draws it.

#![allow(clippy::disallowed_methods, reason = "what is not there is shown as nothing")]

pub mod build;
mod check;
pub mod spend;
mod tax;
pub mod usage;
pub mod words;

pub use check::Unbalanced;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// The name and version of this layout, in every document.
pub const SCHEMA: &str = "trunkrate-document/1";

/// An exact decimal, as its text: `"0.12000"`. Its decimals are part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Exact(pub Decimal);

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Exact {
    /// From a text only: a JSON number may have gone through a float.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.strip_prefix('-').unwrap_or(&text);
        if !crate::money::is_plain_decimal(digits) {
            return Err(serde::de::Error::custom(format!("`{text}` is no decimal")));
        }
        Decimal::from_str_exact(&text)
            .map(Self)
            .map_err(|e| serde::de::Error::custom(format!("`{text}`: {e}")))
    }
}

impl JsonSchema for Exact {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Exact".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^-?[0-9]+(\\.[0-9]+)?$",
            "description": "An exact decimal as text; \
                            never a JSON number, which readers may round.",
        })
    }
}

/// The kind of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A draft of what would be issued now; it has no number and asks for nothing.
    Draft,
    /// Asks for its total.
    Invoice,
    /// Takes an invoice back, whole or in part; it names it.
    CreditNote,
}

/// An invoice, a credit note, or the draft of an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "trunkrate invoice or credit note")]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The layout: `trunkrate-document/1`.
    pub schema: String,
    /// Its kind.
    pub kind: Kind,
    /// Its number, from a gapless series per seller and year; none in a draft.
    pub number: Option<String>,
    /// When it was issued, `YYYY-MM-DD`.
    pub issue_date: String,
    /// When its total is due, `YYYY-MM-DD`; none on a credit note.
    pub due_date: Option<String>,
    /// The month that it bills.
    pub period: Period,
    /// True if it bills only what came late to a period that was already issued.
    pub supplementary: bool,
    /// The invoice that a credit note corrects.
    pub corrects: Option<Corrected>,
    /// Who sells.
    pub seller: Seller,
    /// Who buys.
    pub buyer: Buyer,
    /// ISO 4217.
    pub currency: String,
    /// Decimals of the currency's minor unit by ISO 4217: USD 2, JPY 0, KWD 3.
    pub minor_unit_decimals: u32,
    /// Calls with a billed leg, less those that are taken back from earlier documents.
    pub calls: i64,
    /// Billed legs.
    pub legs: u64,
    /// Usage: first that of the period, then that of earlier periods, oldest first.
    pub usage: Vec<UsageLine>,
    /// Monthly charges beside usage.
    pub items: Vec<ItemLine>,
    /// Taxes by category and rate.
    pub taxes: Vec<TaxGroup>,
    /// Its totals.
    pub totals: Totals,
    /// Usage by UTC day, oldest first; days without usage are left out.
    pub days: Vec<DaySpend>,
    /// The payment terms.
    pub payment: Payment,
    /// Other remarks, line by line.
    pub notes: Vec<String>,
}

/// A billing period: a month in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// `YYYY-MM`.
    pub month: String,
    /// Its first day, `YYYY-MM-DD`.
    pub first_day: String,
    /// Its last day, `YYYY-MM-DD`.
    pub last_day: String,
}

/// An invoice that is corrected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Corrected {
    /// Its number.
    pub number: String,
    /// When it was issued.
    pub issue_date: String,
    /// Why it is corrected.
    pub reason: String,
    /// True if only a part of it is credited.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_part: bool,
}

/// Name, address and identifiers of a seller or a buyer. Empty texts are unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Party {
    /// The name under which it trades.
    pub name: String,
    /// Street and number, as lines.
    pub address: Vec<String>,
    /// City.
    pub city: String,
    /// Post code.
    pub postcode: String,
    /// Country: two letters, ISO 3166-1.
    pub country: String,
    /// VAT or tax identifier, with the country's prefix where it has one.
    pub tax_id: String,
    /// The address to write to.
    pub email: String,
}

/// Who sells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Seller {
    /// Names the series of numbers; two sellers of one ledger have each their own.
    pub id: String,
    /// Name, address and identifiers.
    pub party: Party,
    /// Entry in a register of companies.
    pub registration: String,
    /// Telephone number.
    pub phone: String,
    /// Web site.
    pub website: String,
}

/// Who buys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Buyer {
    /// The account that is billed.
    pub account_sid: String,
    /// Name, address and identifiers.
    pub party: Party,
    /// A text that the buyer wants to find on invoices (a cost centre, a buyer reference).
    pub reference: String,
    /// The buyer's order.
    pub order: String,
}

/// A line of usage: the legs of one scenario, service, destination and price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UsageLine {
    /// The earlier month of its calls, `YYYY-MM`; none for those of the document's own period.
    pub late: Option<String>,
    /// The scenario's id.
    pub scenario: String,
    /// The scenario as the published table has it, in words.
    pub scenario_words: String,
    /// The price list: `termination` or `origination`.
    pub service: String,
    /// The destination, in the deck's words.
    pub description: String,
    /// Price per minute.
    pub price_per_minute: Exact,
    /// Connection fee per leg.
    pub connection_fee: Exact,
    /// Calls with a leg on this line; below zero if more are taken back than billed.
    pub calls: i64,
    /// Legs, those that take others back included.
    pub legs: u64,
    /// Their billed seconds; below zero if more are taken back than billed.
    pub billed_seconds: i64,
    /// The same in minutes, to four decimals.
    pub billed_minutes: String,
    /// The sum of the legs' amounts.
    pub amount: Exact,
    /// The tax group: its category …
    pub tax_category: TaxCategory,
    /// … and its rate in per cent.
    pub tax_rate: Exact,
}

/// A monthly charge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ItemLine {
    /// Its description: `Number +442079460110`.
    pub description: String,
    /// The quantity.
    pub quantity: Exact,
    /// The price of one.
    pub unit_price: Exact,
    /// Quantity × unit price, exact.
    pub amount: Exact,
    /// The tax group: its category …
    pub tax_category: TaxCategory,
    /// … and its rate in per cent.
    pub tax_rate: Exact,
}

/// Why a rate of tax holds; the letters are those of UNTDID 5305, which e-invoices use.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum TaxCategory {
    /// S: taxed at the group's rate.
    Standard,
    /// Z: taxed, at a rate of zero.
    Zero,
    /// AE: the buyer owes the tax.
    ReverseCharge,
    /// E: not taxed, for a reason that is given.
    Exempt,
    /// O: the sale is outside the scope of the tax.
    #[default]
    OutsideScope,
}

/// The tax on all lines of one category and rate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaxGroup {
    /// Category.
    pub category: TaxCategory,
    /// Rate in per cent.
    pub rate: Exact,
    /// Why nothing is charged, where the category wants that said; else empty.
    pub reason: String,
    /// The exact sum of its lines.
    pub sum: Exact,
    /// The amount that rounding to the minor unit adds, or, negative, takes.
    pub rounding: Exact,
    /// `sum + rounding`: what is taxed, in whole minor units.
    pub taxable: Exact,
    /// The tax, in whole minor units.
    pub tax: Exact,
}

/// The totals of a document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// The exact sum of the usage lines: the sum of their legs.
    pub usage: Exact,
    /// The exact sum of the items.
    pub items: Exact,
    /// Both.
    pub sum: Exact,
    /// The amount that rounding to the minor unit adds, or, negative, takes.
    pub rounding: Exact,
    /// `sum + rounding`, without tax.
    pub net: Exact,
    /// All taxes.
    pub tax: Exact,
    /// `net + tax`: to be paid, or credited.
    pub total: Exact,
}

/// The usage of a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DaySpend {
    /// `YYYY-MM-DD`, UTC.
    pub date: String,
    /// The sum of its legs.
    pub amount: Exact,
}

/// The payment terms of a document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Payment {
    /// The terms in words.
    pub terms: String,
    /// Whose account it is to be paid to.
    pub account_name: String,
    /// IBAN or account number.
    pub iban: String,
    /// BIC.
    pub bic: String,
}

/// A leg as an itemisation shows it; it stands beside a document, not in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ItemisedLeg {
    /// When its call started, UTC: `2026-11-20T21:15:00Z`.
    pub start: String,
    /// The call.
    pub call_sid: String,
    /// The start of the leg, digits masked where that was asked for.
    pub from: String,
    /// Its end.
    pub to: String,
    /// The scenario's id.
    pub scenario: String,
    /// The price list.
    pub service: String,
    /// The destination, in the deck's words.
    pub description: String,
    /// The call's seconds.
    pub duration_seconds: i64,
    /// The leg's billed seconds.
    pub billed_seconds: i64,
    /// Its amount.
    pub amount: Exact,
}

impl Document {
    /// True for a credit note, whose amounts are given back.
    #[must_use]
    pub fn is_credit(&self) -> bool {
        self.kind == Kind::CreditNote
    }

    /// True if it takes calls of an earlier month back, which were billed before.
    #[must_use]
    pub fn corrects_month(&self, month: &str) -> bool {
        self.usage.iter().any(|line| line.late.as_deref() == Some(month) && line.calls < 0)
    }
}
