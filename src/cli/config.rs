//! `trunkrate.toml`: the seller, the terms, and the limits of `status`.

use crate::cli::args::status::age;
use crate::document::build::Tax;
use crate::document::{Party, Payment, Seller};
use crate::inputs::file::FileError;
use crate::inputs::settings;
use crate::invoicing::drafts::{LONGEST, Terms, tax_of};
use crate::render::einvoice::is_country;
use crate::report::health::Limits;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::path::Path;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// The rating settings, read by [`settings`].
    #[serde(rename = "input")]
    _input: IgnoredAny,
    #[serde(rename = "money")]
    _money: IgnoredAny,
    #[serde(rename = "policy")]
    _policy: IgnoredAny,
    /// The paths, read by the project.
    #[serde(rename = "paths")]
    _paths: IgnoredAny,
    seller: SellerTable,
    invoice: InvoiceTable,
    status: StatusTable,
}

/// The limits of `status`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct StatusTable {
    max_age: Option<String>,
    verify_max_age: Option<String>,
}

/// The seller: the fields of [`Seller`], flat.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SellerTable {
    id: Option<String>,
    name: String,
    address: Vec<String>,
    city: String,
    postcode: String,
    country: String,
    tax_id: String,
    email: String,
    registration: String,
    phone: String,
    website: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct InvoiceTable {
    number_prefix: Option<String>,
    due_days: Option<u32>,
    terms: Option<String>,
    account_name: String,
    iban: String,
    bic: String,
    notes: Vec<String>,
    tax_category: String,
    tax_rate: String,
    tax_reason: String,
    mask_digits: usize,
    itemised: Option<bool>,
}

impl SellerTable {
    /// All of its texts except the id.
    fn texts(&mut self) -> impl Iterator<Item = &mut String> {
        let Self {
            id: _,
            name,
            address,
            city,
            postcode,
            country,
            tax_id,
            email,
            registration,
            phone,
            website,
        } = self;
        [name, city, postcode, country, tax_id, email, registration, phone, website]
            .into_iter()
            .chain(address)
    }
}

impl InvoiceTable {
    /// All of its texts that documents show.
    fn texts(&mut self) -> impl Iterator<Item = &mut String> {
        let Self { terms, account_name, iban, bic, notes, tax_reason, .. } = self;
        [account_name, iban, bic, tax_reason].into_iter().chain(terms).chain(notes)
    }
}

/// True if a text may be the prefix of a number, which is a file name too.
fn is_prefix(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    text.len() <= 20 && text.bytes().all(allowed) && !text.starts_with(['.', '-', '_'])
}

/// Reads the seller and the terms; missing values take the contract's defaults.
///
/// # Errors
/// As [`settings::read`]; also a value that no document can have.
pub fn parse_terms(path: &Path, text: &str) -> Result<Terms, FileError> {
    let Config { mut seller, mut invoice, .. } = settings::read(path, text)?;
    let wrong = |problem: String| FileError::new(path, problem);
    let texts = seller.texts().chain(invoice.texts());
    for text in texts {
        *text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if text.chars().count() > LONGEST {
            let start: String = text.chars().take(40).collect();
            return Err(wrong(format!("`{start}…` has more than {LONGEST} characters")));
        }
    }
    seller.address.retain(|line| !line.is_empty());
    invoice.notes.retain(|note| !note.is_empty());
    let number_prefix = invoice.number_prefix.unwrap_or_else(|| "INV-".to_owned());
    if !is_prefix(&number_prefix) {
        let found = format!("invoice.number_prefix is `{number_prefix}`");
        return Err(wrong(format!(
            "{found}; expected at most 20 letters, digits, `-`, `_` and `.`, \
             the first a letter or digit"
        )));
    }
    if !seller.country.is_empty() && !is_country(&seller.country) {
        return Err(wrong(format!(
            "seller.country is `{}`; expected two letters of ISO 3166-1, such as DE",
            seller.country
        )));
    }
    let tax =
        tax_of(&invoice.tax_category, &invoice.tax_rate, &invoice.tax_reason, &Tax::default())
            .map_err(|problem| wrong(format!("invoice.{problem}")))?;
    let due_days = invoice.due_days.unwrap_or(14);
    if due_days > 3650 {
        return Err(wrong(format!("invoice.due_days is {due_days}; expected at most 3650")));
    }
    let party = Party {
        name: seller.name,
        address: seller.address,
        city: seller.city,
        postcode: seller.postcode,
        country: seller.country,
        tax_id: seller.tax_id,
        email: seller.email,
    };
    let payment = Payment {
        terms: invoice
            .terms
            .unwrap_or_else(|| format!("Payable within {due_days} days without deduction.")),
        account_name: invoice.account_name,
        iban: invoice.iban,
        bic: invoice.bic,
    };
    Ok(Terms {
        seller: Seller {
            id: seller.id.unwrap_or_else(|| "main".to_owned()),
            party,
            registration: seller.registration,
            phone: seller.phone,
            website: seller.website,
        },
        number_prefix,
        due_days,
        payment,
        notes: invoice.notes,
        tax,
        says_tax: !invoice.tax_category.is_empty(),
        mask_digits: invoice.mask_digits,
        itemised: invoice.itemised.unwrap_or(true),
    })
}

/// Reads the limits of `status`; missing values have their defaults.
///
/// # Errors
/// As [`settings::read`]; also a value that is no age.
pub fn parse_limits(path: &Path, text: &str) -> Result<Limits, FileError> {
    let Config { status, .. } = settings::read(path, text)?;
    let read = |name: &str, value: &Option<String>| match value {
        None => Ok(None),
        Some(text) => age(text).map(Some).map_err(|expected| {
            FileError::new(path, format!("status.{name} is `{text}`; {expected}"))
        }),
    };
    let default = Limits::default();
    Ok(Limits {
        max_age: read("max_age", &status.max_age)?.unwrap_or(default.max_age),
        verify_max_age: read("verify_max_age", &status.verify_max_age)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_set_and_what_is_unknown_is_refused() {
        let path = Path::new("trunkrate.toml");
        let text = "[money]\nleg_decimals = 4\n[seller]\nname = \"A\"\n[invoice]\n\
                    tax_category = \"standard\"\ntax_rate = \"19\"";
        let terms = parse_terms(path, text).unwrap();
        assert_eq!(
            (terms.seller.party.name.as_str(), terms.number_prefix.as_str(), terms.due_days),
            ("A", "INV-", 14)
        );
        for bad in [
            "[invoice]\nnumber_prefix = \"../\"",
            "[invoice]\ntax_category = \"standard\"",
            "[invoice]\ntax_rate = \"19\"",
            "[invoice]\ntax_rate = 19",
            "[seller]\ncountry = \"de\"",
            "[seller]\ncountry = \"XX\"",
            "[seller]\nnaem = \"A\"",
            "[selles]\nname = \"A\"",
            "[status]\nmax_ages = \"26h\"",
        ] {
            assert!(parse_terms(path, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_limits_of_status_are_ages() {
        let path = Path::new("trunkrate.toml");
        let hours = |text: &str| parse_limits(path, text).unwrap().max_age / 3_600_000_000;
        assert_eq!((hours(""), hours("[status]\nmax_age = \"2d\"")), (26, 48));
        for bad in ["26", "h", "-1h", "0h", "26 hours"] {
            let text = format!("[status]\nmax_age = \"{bad}\"");
            assert!(parse_limits(path, &text).is_err(), "{bad}");
        }
    }
}
