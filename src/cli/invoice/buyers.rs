//! Customers whose details on an invoice would be incomplete.

use crate::cli::error::CliError;
use crate::cli::term;
use crate::inputs::accounts::Accounts;
use crate::invoicing::customers::lacking;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// The most accounts that a note names; an error names all.
const NAMED: usize = 10;

/// Billed accounts that lack a name, an address or a country.
#[derive(Debug, Default)]
pub struct Incomplete {
    /// The columns that each lacks, and its line if it is listed.
    accounts: BTreeMap<String, (Vec<&'static str>, Option<u64>)>,
}

impl Incomplete {
    /// Adds a billed account if it lacks something.
    pub fn add(&mut self, sid: &str, accounts: &Accounts) {
        let listed = accounts.get(sid);
        let lacks = lacking(listed);
        if !lacks.is_empty() {
            self.accounts.insert(sid.to_owned(), (lacks, listed.map(|account| account.line)));
        }
    }

    /// Reports the accounts and the columns they lack: as a note if that is allowed, else as an
    /// error, and nothing is issued.
    pub fn tell(&self, path: &Path, allowed: bool) -> Result<(), CliError> {
        let count = self.accounts.len();
        if count == 0 {
            return Ok(());
        }
        let who = if count == 1 {
            "1 account lacks".to_owned()
        } else {
            format!("{} accounts lack", term::grouped(count as u64))
        };
        let line = |(sid, (lacks, line)): (&String, &(Vec<&str>, Option<u64>))| {
            let place = line.map_or_else(
                || "not listed".to_owned(),
                |line| format!("{}:{line}", path.display()),
            );
            format!("\n  {sid} ({place}): {}", lacks.join(", "))
        };
        let named = if allowed { NAMED } else { count };
        let mut message = format!("{who} what an invoice says of its customer:");
        message.extend(self.accounts.iter().take(named).map(line));
        if count > named {
            let _ = write!(message, "\n  and {} more", term::grouped((count - named) as u64));
        }
        let hint = "fill these columns of the accounts file and name it with --accounts; \
                    `invoice issue --allow-incomplete` goes on";
        if allowed {
            term::report("note", &message);
            return Ok(());
        }
        Err(CliError::failed(format!("{message}\nnothing was issued")).hint(hint))
    }
}
