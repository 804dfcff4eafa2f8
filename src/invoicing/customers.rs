//! Customers: the accounts that may be billed, and the details that an invoice must have of them.
//!
//! **Invariant:** no invoice goes to an unknown account, and each names its buyer, unless the user
//! says otherwise.

use crate::inputs::accounts::{Account, Accounts};
use crate::inputs::file::FileError;
use crate::invoicing::drafts::{Items, detail};
use crate::ledger::tables::file::each_group;
use crate::ledger::{Dataset, History, LedgerError};
use crate::resemble::meaning;
use std::collections::BTreeSet;
use std::path::Path;

/// The columns that an invoice needs of its customer and that the accounts file leaves empty.
#[must_use]
pub fn lacking(account: Option<&Account>) -> Vec<&'static str> {
    let has = |name: &str| account.is_some_and(|account| !detail(account, name).is_empty());
    let needed = [
        ("name", account.is_some_and(|account| !account.name.is_empty())),
        ("address or city", has("address") || has("city")),
        ("country", has("country")),
    ];
    needed.into_iter().filter(|(_, is_there)| !is_there).map(|(name, _)| name).collect()
}

/// Refuses monthly items of an account that is not listed and has no call in the ledger: a typo in
/// its id would bill a customer that does not exist, instead of the intended one.
///
/// # Errors
/// The first such line, or a ledger that cannot be read.
pub fn check_items(
    items: &Items,
    path: &Path,
    accounts: &Accounts,
    history: &History,
) -> Result<(), LedgerError> {
    let unlisted: BTreeSet<&str> =
        items.keys().map(String::as_str).filter(|sid| !accounts.contains_key(*sid)).collect();
    if unlisted.is_empty() {
        return Ok(());
    }
    let known = accounts_with_calls(history, &unlisted)?;
    let first = |sid: &&str| items[*sid].iter().map(|item| item.line).min();
    let unknown = unlisted.into_iter().filter(|sid| !known.contains(*sid));
    let Some(sid) = unknown.min_by_key(first) else { return Ok(()) };
    let nearest = meaning(sid, accounts.keys().chain(&known).map(String::as_str), &[]);
    let nearest = nearest.map_or_else(String::new, |id| format!("the nearest known id is {id}; "));
    let problem = format!(
        "account_sid is `{sid}`: the accounts file does not list it, \
         and the ledger has no call of it"
    );
    let error =
        FileError::new(path, problem).hint(format!("{nearest}list the account if it is a new one"));
    Err(FileError { line: first(&sid), ..error }.into())
}

/// Collects the accounts with calls in the ledger; stops reading once all of `sought` are found.
fn accounts_with_calls(
    history: &History,
    sought: &BTreeSet<&str>,
) -> Result<BTreeSet<String>, LedgerError> {
    let mut met: BTreeSet<String> = BTreeSet::new();
    for path in history.runs.iter().flat_map(|run| run.files(Dataset::Calls)) {
        if sought.iter().all(|sid| met.contains(*sid)) {
            break;
        }
        each_group(&path, &["account_sid"], |calls| {
            for sid in calls.texts(["account_sid"]).column(0).iter().flatten() {
                if !met.contains(sid) {
                    met.insert(sid.to_owned());
                }
            }
            Ok::<_, LedgerError>(())
        })?;
    }
    Ok(met)
}
