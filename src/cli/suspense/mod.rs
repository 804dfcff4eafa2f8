//! `suspense`: the suspended records, and the decisions of a person about them.
//!
//! | file | what it does |
//! |---|---|
//! | [`list`] | the list, by cause, by reason, as files |
//! | [`decide`] | `show`, `close`, `resolve` |
//! | [`versions`] | the versions of one call side by side |
//! | [`rows`] | a record for display |

mod decide;
mod list;
mod rows;
mod versions;

use super::args::{SuspenseArgs, SuspenseCommand, SuspenseList};
use super::error::CliError;
use super::project::Project;
use super::run;

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
        Some(SuspenseCommand::Retry(args)) => run::retry(args, project),
    }
}
