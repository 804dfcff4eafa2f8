//! The accounts that are billed: `accounts.csv` with `account_sid,name,deck` and what an invoice
//! needs.
//!
//! Other columns are the user's own business, unless one resembles a column that the list lacks:
//! `sheet` refuses it, since `tariff` instead of `deck` would bill every account by the default
//! deck.

use super::sheet::{Columns, Sheet, Strictness};
use crate::file::{FileError, read_text};
use std::collections::BTreeMap;
use std::path::Path;
use trunkrate_kernel::resemble::ACCOUNT_SYNONYMS;
use trunkrate_kernel::words::plain_name;

/// One account of the list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// Its name on invoices.
    pub name: String,
    /// The folder of the deck that prices it; empty for the default.
    pub deck: String,
    /// The other columns, by their names.
    pub details: BTreeMap<String, String>,
    /// Its line in the file.
    pub line: u64,
}

/// The accounts by their id.
pub type Accounts = BTreeMap<String, Account>;

const COLUMNS: Columns = Columns {
    known: &[
        "account_sid",
        "name",
        "deck",
        "address",
        "city",
        "postcode",
        "country",
        "tax_id",
        "tax_category",
        "tax_rate",
        "tax_reason",
        "email",
        "reference",
        "order",
    ],
    necessary: 1,
    decisive: &["deck", "tax_category", "tax_rate"],
    synonyms: ACCOUNT_SYNONYMS,
    others: true,
    expected: "expected account_sid,name,deck and what an invoice needs",
};

/// The names of the columns that are read.
#[must_use]
pub const fn column_names() -> &'static [&'static str] {
    COLUMNS.known
}

/// Reads the list; also gives its text.
///
/// # Errors
/// If a column is missing or may be meant for another, a row is broken, or an account is listed
/// twice.
pub fn load(path: &Path) -> Result<(Accounts, String), FileError> {
    let text = read_text(path)?;
    let accounts = parse(path, &text)?;
    Ok((accounts, text))
}

/// Reads the list's text.
///
/// # Errors
/// As [`load`].
pub fn parse(path: &Path, text: &str) -> Result<Accounts, FileError> {
    read(path, text, Strictness::Full)
}

/// Reads a list as the ledger archived it: accounts were billed by it, so columns that a list may
/// not have today are no error.
///
/// # Errors
/// If it cannot be read, or never was a list of accounts.
pub fn archived(path: &Path) -> Result<Accounts, FileError> {
    read(path, &read_text(path)?, Strictness::Archived)
}

fn read(path: &Path, text: &str, strictness: Strictness) -> Result<Accounts, FileError> {
    let sheet = Sheet::read(path, text, &COLUMNS, strictness)?;
    let mut accounts = Accounts::new();
    for row in sheet.rows() {
        let (sid, line) = (row.get("account_sid").to_owned(), row.line);
        if sid.is_empty() {
            return Err(FileError::new(path, "account_sid is empty").at(line));
        }
        let own = ["account_sid", "name", "deck"].map(plain_name);
        let details = row.all().filter(|(name, _)| !own.contains(&plain_name(name)));
        let details = details.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let account = Account {
            name: row.get("name").to_owned(),
            deck: row.get("deck").to_owned(),
            details,
            line,
        };
        if let Some(first) = accounts.insert(sid.clone(), account) {
            return Err(FileError::new(
                path,
                format!("lists the account {sid} twice, first in line {}", first.line),
            )
            .at(line));
        }
    }
    Ok(accounts)
}
