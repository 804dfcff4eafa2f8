//! `suspense`: the suspended records, and the decisions of a person about them.
//!
//! | file | what it does |
//! |---|---|
//! | [`list`] | the list, by cause, by reason, as files |
//! | [`decide`] | `show`, `close`, `resolve` |
//! | [`pick`] | records by cause, reason, account and time |
//! | [`set`] | `set`: a time that the clock shows twice or never |
//! | [`versions`] | the versions of one call side by side |
//! | [`rows`] | a record for display |

mod decide;
mod list;
mod pick;
mod rows;
mod set;
mod versions;

pub use list::each_picked;
pub use pick::Picked;

use super::args::suspense::{RetryArgs, SuspenseArgs, SuspenseCommand, SuspenseList};
use super::error::CliError;
use super::project::Project;
use super::run;
use crate::ledger::{History, Ledger};
use crate::report::chosen::{self, Reach};
use crate::report::waiting_causes::Diagnosed;

/// Lists the suspended records, or runs the subcommand.
pub fn suspense(args: &SuspenseArgs, project: &Project) -> Result<(), CliError> {
    if args.command.is_some() && args.list != SuspenseList::default() {
        let problem = "an option of the list stands before the subcommand, which knows it not";
        return Err(CliError::usage(problem)
            .hint("`trunkrate suspense --help` shows which options are the list's"));
    }
    match &args.command {
        None => list::list(&args.list, project),
        Some(SuspenseCommand::Show(args)) => decide::show(args, project),
        Some(SuspenseCommand::Close(args)) => decide::close(args, project),
        Some(SuspenseCommand::Resolve(args)) => decide::resolve(args, project),
        Some(SuspenseCommand::Set(args)) => set::set(args, project),
        Some(SuspenseCommand::Retry(args)) => retry(args, project),
    }
}

/// Rates suspended records again: those that are picked, with their families.
fn retry(args: &RetryArgs, project: &Project) -> Result<(), CliError> {
    let choose = |ledger: &Ledger, history: &History| {
        let picked = Picked::of(&args.picks, &args.reason, (project, ledger, history))?;
        if picked.is_all() {
            return Ok(None);
        }
        let is_wanted = |found: &Diagnosed<'_>| picked.has(found.row, &found.diagnosis.cause);
        let chosen = chosen::choose(ledger, history, Reach::Families, is_wanted)?;
        if chosen.places.is_empty() {
            return Err(pick::nothing_is_picked());
        }
        Ok(Some(chosen.places))
    };
    run::retry(&args.rating, project, &choose)
}
