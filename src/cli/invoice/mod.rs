//! `invoice`: what was used becomes what is owed.
//!
//! | command | what it changes |
//! |---|---|
//! | `invoice --period`, `draft`, `check`, `list`, `show`, `write`, `schema` | nothing |
//! | `issue` | one batch of invoices |
//! | `credit` | one batch with a credit note |

pub mod args;
mod buyers;
mod check;
mod files;
mod issue;
mod month;
mod show;

use super::error::CliError;
use super::term;
use crate::io::formats::json;
use args::{InvoiceArgs, InvoiceCommand};

/// Does what the subcommand says.
pub fn run(args: &InvoiceArgs) -> Result<(), CliError> {
    match (&args.command, &args.month) {
        (Some(InvoiceCommand::Draft(args)), _) => issue::draft(args),
        (Some(InvoiceCommand::Check(args)), _) => check::check(args),
        (Some(InvoiceCommand::Issue(args)), _) => issue::issue(args),
        (Some(InvoiceCommand::Credit(args)), _) => issue::credit(args),
        (Some(InvoiceCommand::List(args)), _) => show::list(args),
        (Some(InvoiceCommand::Show(args)), _) => show::show(args),
        (Some(InvoiceCommand::Write(args)), _) => show::write(args),
        (Some(InvoiceCommand::Schema), _) => Ok(term::print(&json::schema())?),
        (None, Some(args)) => month::run(args),
        (None, None) => Err(CliError::usage("--period and --out are missing").hint("`trunkrate help invoice` says more")),
    }
}
