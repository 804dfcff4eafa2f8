//! The inputs of invoices beside the ledger: terms, accounts, monthly charges.

use crate::inputs::accounts::{self, Accounts};
use crate::inputs::sheet;
use crate::invoicing::check::seller_lacks;
use crate::invoicing::customers;
use crate::invoicing::drafts::{self, Items, Sources, Terms};
use crate::invoicing::error::IssueError;
use crate::ledger::invoices::billed_by::{BilledBy, Month};
use crate::ledger::invoices::legs;
use crate::ledger::tables::read::each_suspended;
use crate::ledger::{Dataset, History, Ledger, LedgerError};
use std::path::{Path, PathBuf};

/// All inputs that are read beside the ledger.
pub struct Given {
    /// The seller's details, and the rules for documents.
    pub terms: Terms,
    config: PathBuf,
    /// The accounts, and the file that lists them; both empty if there is none.
    pub accounts: Accounts,
    /// See [`Given::accounts`].
    pub accounts_path: PathBuf,
    pub(super) accounts_text: Option<String>,
    items: Items,
    pub(super) items_text: Option<String>,
}

impl Given {
    /// Reads the accounts and the items, and returns notes on the files for the user. Without an
    /// accounts file, the accounts are those of the last run that had any.
    ///
    /// # Errors
    /// A file that cannot be read, or holds a value that no invoice can have.
    pub fn read(
        (terms, config): (Terms, PathBuf),
        [accounts, items]: [Option<PathBuf>; 2],
        ledger: &Ledger,
        history: &History,
    ) -> Result<(Self, Vec<String>), IssueError> {
        let known = history.runs.iter().rev().find_map(|run| run.manifest.accounts_hash.as_ref());
        let archived = || Some(ledger.archive_folder().join(known?).join("accounts.csv"));
        let path = accounts.or_else(archived);
        let (accounts, accounts_text) = match &path {
            None => (Accounts::new(), None),
            Some(path) => accounts::load(path).map(|(accounts, text)| (accounts, Some(text)))?,
        };
        drafts::check_columns(&accounts, path.as_deref().unwrap_or(Path::new("")))?;
        let (charges, items_text) = match &items {
            None => (Items::new(), None),
            Some(path) => {
                drafts::load_items(path, &terms).map(|(items, text)| (items, Some(text)))?
            }
        };
        let mut notes = Vec::new();
        if let (Some(path), Some(text)) = (&items, &items_text) {
            customers::check_items(&charges, path, &accounts, history)?;
            let no_row =
                charges.is_empty().then(|| sheet::no_row(path, "no monthly charge is billed"));
            notes.extend(sheet::open_end(path, text.as_bytes()).into_iter().chain(no_row));
        }
        let accounts_path = path.unwrap_or_else(PathBuf::new);
        Ok((
            Self {
                terms,
                config,
                accounts,
                accounts_path,
                accounts_text,
                items: charges,
                items_text,
            },
            notes,
        ))
    }

    /// True if there are monthly charges.
    #[must_use]
    pub fn has_items(&self) -> bool {
        !self.items.is_empty()
    }

    /// Refuses an unknown account: a typo in its id would bill nothing and look like success.
    ///
    /// # Errors
    /// Such an account.
    pub fn refuse_unknown(
        &self,
        history: &History,
        account: Option<&str>,
    ) -> Result<(), IssueError> {
        let Some(account) = account else { return Ok(()) };
        let is_billed = || {
            history
                .issued
                .iter()
                .flat_map(|batch| &batch.manifest.entries)
                .any(|e| e.account_sid == account)
        };
        if self.accounts.contains_key(account) || self.items.contains_key(account) || is_billed() {
            return Ok(());
        }
        let mut is_there =
            !legs::open(history, &BilledBy::of(&history.issued), Month::MAX, Some(account))?
                .is_empty();
        if let Some(run) = history.runs.last().filter(|_| !is_there) {
            each_suspended(run, Dataset::Suspense, |rows| {
                is_there |= rows.iter().any(|row| row.account_sid == account);
                Ok::<(), LedgerError>(())
            })?;
        }
        if is_there { Ok(()) } else { Err(IssueError::Account(account.to_owned())) }
    }

    /// Refuses terms without the seller's details or a tax: a document that counts shows both.
    ///
    /// # Errors
    /// The missing keys.
    pub fn require_seller(&self) -> Result<(), IssueError> {
        let config = self.config.display().to_string();
        let missing = seller_lacks(&self.terms);
        if !missing.is_empty() {
            return Err(IssueError::Seller { config, missing: missing.join(", ") });
        }
        if self.terms.says_tax { Ok(()) } else { Err(IssueError::TaxCategory(config)) }
    }

    /// The sources of drafts.
    #[must_use]
    pub fn sources<'a>(&'a self, history: &'a History) -> Sources<'a> {
        Sources {
            history,
            terms: &self.terms,
            accounts: (&self.accounts, &self.accounts_path),
            items: &self.items,
        }
    }
}
