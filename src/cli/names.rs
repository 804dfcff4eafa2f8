//! Names of accounts beside their ids, in tables for people.

use super::project::{Key, Project};
use super::term;
use crate::inputs::accounts::{self, Accounts};
use crate::ledger::{History, Ledger};

/// The names of the project's accounts, else of those that the last run knew.
pub struct Names(Accounts);

impl Names {
    /// Reads them. A list that cannot be read costs a note, and no table.
    pub fn read(project: &Project, ledger: &Ledger, history: &History) -> Self {
        let archived = |hash| ledger.archive_folder().join(hash).join("accounts.csv");
        let known =
            || history.runs.iter().rev().find_map(|run| run.manifest.accounts_hash.as_ref());
        let found = project.path(Key::Accounts, None).and_then(|path| match path {
            Some(path) => Ok(accounts::load(&path)?.0),
            None => {
                known().map_or(Ok(Accounts::new()), |hash| Ok(accounts::archived(&archived(hash))?))
            }
        });
        Self(found.unwrap_or_else(|error| {
            term::report("note", &format!("{}; names are not shown", error.message()));
            Accounts::new()
        }))
    }

    /// The name of an account; empty if nobody says one.
    pub fn of(&self, account: &str) -> &str {
        self.0.get(account).map_or("", |account| &account.name)
    }

    /// True if no account has a name.
    pub fn is_empty(&self) -> bool {
        self.0.values().all(|account| account.name.is_empty())
    }
}
