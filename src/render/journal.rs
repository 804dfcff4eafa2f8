//! Documents as journal entries for hledger and beancount: double entry, one transaction per
//! document.
//!
//! | account | amount posted (for an invoice; a credit note has the opposite sign) |
//! |---|---|
//! | `Assets:Receivable:<account>` | the total |
//! | `Income:Usage:<scenario>` | − the exact usage of the scenario |
//! | `Income:Items` | − the exact sum of the items |
//! | `Income:Rounding` | − the difference from rounding to the minor unit |
//! | `Liabilities:Tax:<category>-<rate>` | − the tax of the group |
//!
//! Both programs get the same accounts. The document number is the code in hledger and a link in
//! beancount, where a credit note also has the link of its invoice. The period is a tag.
//!
//! **Invariant:** the postings of a transaction are exact and sum to zero, so they do not depend on
//! a program's tolerance. No text of a document can end its line, its quotes or its account name.
//!
//! # Why
//! *Usage and rounding are separate postings.* Income is known to more decimals than the currency
//! has. Posting the exact amount, and the rounding beside it, keeps the sum of all months equal to
//! the ledger.
//!
//! *Names of accounts come from ids.* A customer may change its name, and a name may contain any
//! character. An id in the carrier's form is used unchanged; any other becomes its letters and
//! digits with a hash of the whole id, so that two accounts never share a name.

use super::FormatError;
use crate::document::{Document, Kind};
use crate::text::{file_stem, visible};
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use std::fmt::Write;

/// A document as an hledger transaction, with a blank line after it.
///
/// # Errors
/// A draft or a document without a number, neither of which is a transaction.
pub fn hledger(document: &Document) -> Result<String, FormatError> {
    let number = number(document, "hledger")?;
    let (date, period) = (visible(&document.issue_date), visible(&document.period.month));
    let payee = inside(&document.buyer.party.name, &[';', '|']);
    let mut text =
        format!("{date} * ({number}) {payee} | {} {number}  ; period:{period}", document.title());
    if let Some(corrected) = &document.corrects {
        let _ = write!(text, ", corrects:{}", link(&corrected.number));
    }
    text.push('\n');
    for (account, amount) in postings(document) {
        // Two spaces end an account's name.
        let _ = writeln!(text, "    {account:<60}  {} {amount}", currency(document));
    }
    text.push('\n');
    Ok(text)
}

/// The directives before all transactions of a journal, gathered document by document.
#[derive(Debug, Default)]
pub struct Head {
    commodities: BTreeMap<String, u32>,
    /// Every account, with the date of its first document.
    accounts: BTreeMap<String, String>,
}

impl Head {
    /// The head of one document's journal.
    #[must_use]
    pub fn of(document: &Document) -> Self {
        let mut head = Self::default();
        head.add(document);
        head
    }

    /// Adds the accounts and the currency of a document.
    pub fn add(&mut self, document: &Document) {
        self.commodities.insert(currency(document), document.minor_unit_decimals);
        for (account, _) in postings(document) {
            let first = self.accounts.entry(account).or_insert_with(|| document.issue_date.clone());
            if document.issue_date < *first {
                first.clone_from(&document.issue_date);
            }
        }
    }

    /// The directives for hledger, so that `hledger check --strict` knows every account and
    /// commodity. Amounts are displayed in the minor unit; the postings stay exact.
    #[must_use]
    pub fn hledger(&self) -> String {
        let mut text = String::new();
        for (commodity, decimals) in &self.commodities {
            let _ = writeln!(text, "commodity {commodity} 1000.{}", "0".repeat(*decimals as usize));
        }
        for account in self.accounts.keys() {
            let _ = writeln!(text, "account {account}");
        }
        text.push('\n');
        text
    }

    /// The directives for beancount: every account, open from the day of its first document.
    #[must_use]
    pub fn beancount(&self) -> String {
        let mut text = String::new();
        for (account, date) in &self.accounts {
            let _ = writeln!(text, "{} open {account}", visible(date));
        }
        text.push('\n');
        text
    }
}

/// A document as a beancount transaction, with a blank line after it.
///
/// # Errors
/// A draft or a document without a number, neither of which is a transaction.
pub fn beancount(document: &Document) -> Result<String, FormatError> {
    let number = number(document, "beancount")?;
    let payee = visible(&document.buyer.party.name).replace('\\', "\\\\").replace('"', "\\\"");
    let mut text = format!(
        "{} * \"{payee}\" \"{} {number}\" ^{number}",
        visible(&document.issue_date),
        document.title()
    );
    if let Some(corrected) = &document.corrects {
        let _ = write!(text, " ^{}", link(&corrected.number));
    }
    let _ = writeln!(text, " #period-{}", link(&document.period.month));
    for (account, amount) in postings(document) {
        let _ = writeln!(text, "  {account:<60}  {amount} {}", currency(document));
    }
    text.push('\n');
    Ok(text)
}

/// The postings of a document: account and amount. They sum to zero. Zero postings are left out,
/// except the receivable, which every document has.
fn postings(document: &Document) -> Vec<(String, Decimal)> {
    let mut usage: BTreeMap<&str, Decimal> = BTreeMap::new();
    for line in &document.usage {
        *usage.entry(&line.scenario).or_default() += line.amount.0;
    }
    let totals = &document.totals;
    let usage = usage
        .into_iter()
        .map(|(scenario, amount)| (format!("Income:Usage:{}", component(scenario)), amount));
    let more = [
        ("Income:Items".to_owned(), totals.items.0),
        ("Income:Rounding".to_owned(), totals.rounding.0),
    ];
    let taxes = document.taxes.iter().map(|group| {
        let rate = group.rate.0.normalize().to_string().replace('.', "-");
        (format!("Liabilities:Tax:{}-{rate}", group.category.code()), group.tax.0)
    });
    let sign = if document.is_credit() { Decimal::ONE } else { Decimal::NEGATIVE_ONE };
    let signed = |(account, amount): (String, Decimal)| (account, amount * sign);
    let mut postings = vec![(
        format!("Assets:Receivable:{}", account_name(&document.buyer.account_sid)),
        totals.total.0 * -sign,
    )];
    postings
        .extend(usage.chain(more).chain(taxes).map(signed).filter(|(_, amount)| !amount.is_zero()));
    for (_, amount) in &mut postings {
        if amount.is_zero() {
            amount.set_sign_positive(true);
        }
    }
    postings
}

/// The last part of a receivable's name. In both programs a part starts with a capital letter or a
/// digit.
fn account_name(account_sid: &str) -> String {
    let stem = file_stem(account_sid);
    let starts_well = stem.starts_with(|c: char| c.is_ascii_uppercase() || c.is_ascii_digit());
    if starts_well { stem } else { format!("A-{stem}") }
}

/// A scenario's id as part of an account's name: its letters, digits and `-`, the first a capital.
fn component(id: &str) -> String {
    let clean: String = id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    let clean = clean.trim_start_matches('-');
    match clean.split_at_checked(1) {
        Some((first, rest)) => first.to_ascii_uppercase() + rest,
        None => "Other".to_owned(),
    }
}

/// The number as both programs take it: letters, digits, `-`, `_`, `.` and `/`.
fn link(number: &str) -> String {
    let clean = |c: char| if c.is_ascii_alphanumeric() || "-_./".contains(c) { c } else { '-' };
    number.trim().chars().map(clean).collect()
}

/// Text that stays on its line and cannot start a comment.
fn inside(text: &str, ends: &[char]) -> String {
    visible(text.trim()).replace(ends, ",")
}

/// The currency's letters.
fn currency(document: &Document) -> String {
    document.currency.chars().filter(char::is_ascii_uppercase).collect()
}

fn number(document: &Document, format: &'static str) -> Result<String, FormatError> {
    let refuse = |problem: &str| {
        let document = visible(&document.buyer.account_sid).into_owned();
        Err(FormatError::Document { document, format, problem: problem.to_owned() })
    };
    match &document.number {
        _ if document.kind == Kind::Draft => refuse("a draft is no transaction: issue it first"),
        Some(number) if !number.trim().is_empty() => Ok(link(number)),
        _ => refuse("the document has no number: issue it first"),
    }
}
