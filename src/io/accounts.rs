//! The accounts that are billed: `accounts.csv` with `account_sid,name,deck` and what an invoice needs.

use super::{FileError, read_text};
use crate::record::plain_name;
use std::collections::BTreeMap;
use std::path::Path;

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

/// Reads the list; also gives its text.
///
/// # Errors
/// If a column is missing, a row is broken, or an account stands twice.
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
    let text = text.trim_start_matches('\u{feff}').as_bytes();
    let mut reader = csv::ReaderBuilder::new().from_reader(text);
    let fail = |e: &csv::Error| {
        let error = FileError::new(path, format!("cannot be read: {e}"));
        FileError { line: e.position().map(csv::Position::line), ..error }
    };
    let header = reader.headers().map_err(|e| fail(&e))?.clone();
    let column = |name: &str| header.iter().position(|h| plain_name(h) == plain_name(name));
    let Some(sid_column) = column("account_sid") else {
        return Err(FileError::new(path, "has no column `account_sid`")
            .at(1)
            .hint("expected account_sid,name,deck and what an invoice needs"));
    };
    let mut accounts = Accounts::new();
    let mut lines = super::Lines::of(text);
    for row in reader.records() {
        let row = row.map_err(|e| fail(&e))?;
        let line = lines.line_of(row.position());
        let get = |name: &str| column(name).and_then(|at| row.get(at)).unwrap_or_default().trim().to_owned();
        let sid = row.get(sid_column).unwrap_or_default().trim().to_owned();
        if sid.is_empty() {
            return Err(FileError::new(path, "account_sid is empty").at(line));
        }
        let known = ["account_sid", "name", "deck"].map(plain_name);
        let details = header
            .iter()
            .zip(row.iter())
            .filter(|(name, _)| !known.contains(&plain_name(name)))
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .collect();
        let account = Account { name: get("name"), deck: get("deck"), details, line };
        if let Some(first) = accounts.insert(sid.clone(), account) {
            return Err(FileError::new(path, format!("lists the account {sid} twice, first in line {}", first.line)).at(line));
        }
    }
    Ok(accounts)
}
