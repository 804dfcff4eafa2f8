//! `invoice`: turns usage into amounts owed.
//!
//! | command | what it changes |
//! |---|---|
//! | `invoice --period`, `draft`, `check`, `list`, `show`, `calls`, `write`, `schema` | nothing |
//! | `issue` | one batch of invoices |
//! | `credit` | one batch with a credit note |

mod buyers;
mod calls;
mod check;
mod credit;
mod dates;
mod files;
mod given;
mod guard;
mod issue;
mod month;
mod show;
mod text;

use super::error::CliError;
use super::project::Project;
use super::term;
use crate::cli::args::invoice::{InvoiceArgs, InvoiceCommand};
use crate::render::json;

/// Runs the subcommand.
pub fn run(args: &InvoiceArgs, project: &Project) -> Result<(), CliError> {
    if args.command.is_some() && args.month.is_some() {
        let problem =
            "--period, --account or --out stands before the subcommand, which knows it not";
        return Err(CliError::usage(problem).hint("write it after the subcommand"));
    }
    match (&args.command, &args.month) {
        (Some(InvoiceCommand::Draft(args)), _) => issue::draft(args, project),
        (Some(InvoiceCommand::Check(args)), _) => check::check(args, project),
        (Some(InvoiceCommand::Issue(args)), _) => issue::issue(args, project),
        (Some(InvoiceCommand::Credit(args)), _) => credit::credit(args, project),
        (Some(InvoiceCommand::List(args)), _) => show::list(args, project),
        (Some(InvoiceCommand::Show(args)), _) => show::show(args, project),
        (Some(InvoiceCommand::Calls(args)), _) => calls::calls(args, project),
        (Some(InvoiceCommand::Write(args)), _) => show::write(args, project),
        (Some(InvoiceCommand::Schema), _) => Ok(term::print(&json::schema())?),
        (None, Some(args)) => month::run(args, project),
        (None, None) => {
            Err(CliError::usage("--period is missing").hint("`trunkrate help invoice` says more"))
        }
    }
}
