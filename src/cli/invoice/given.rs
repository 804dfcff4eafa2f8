//! The inputs of invoices, as the command line and the project name them.

use crate::cli::args::invoice::BilledArgs;
use crate::cli::error::CliError;
use crate::cli::project::{Key, Project};
use crate::cli::term;
use crate::invoicing::given::Given;
use crate::ledger::{History, Ledger};

/// Reads the inputs, and prints the notes on their files.
pub fn read(
    billed: &BilledArgs,
    project: &Project,
    ledger: &Ledger,
    history: &History,
) -> Result<Given, CliError> {
    let [accounts, items] = billed.files();
    let paths = [project.path(Key::Accounts, accounts)?, project.path(Key::Items, items)?];
    let (given, notes) = Given::read(project.terms()?, paths, ledger, history)?;
    for note in notes {
        term::report("note", &note);
    }
    given.refuse_unknown(history, billed.account.as_deref())?;
    Ok(given)
}
