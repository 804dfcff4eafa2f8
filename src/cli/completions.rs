//! `completions` and `man`: what a shell and `man` know of the command line, from its definition.

use super::args::{CompletionsArgs, ManArgs};
use super::error::CliError;
use super::output::write_own;
use super::term;
use crate::disk::private;
use clap::Command;
use clap_mangen::Man;
use std::path::Path;

/// The name under which the program is called.
const NAME: &str = "trunkrate";

/// Prints the script of a shell.
pub fn completions(args: &CompletionsArgs, mut command: Command) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, NAME, &mut script);
    let script = String::from_utf8(script).expect("help texts are UTF-8");
    Ok(term::print(&script)?)
}

/// Writes a man page of each command: `trunkrate.1`, `trunkrate-run.1`.
pub fn man(args: &ManArgs, command: Command) -> Result<(), CliError> {
    private::make_folders(&args.out)
        .map_err(|e| CliError::failed(format!("{}: cannot be made: {e}", args.out.display())))?;
    let mut command = command.disable_help_subcommand(true);
    command.build();
    write_pages(&args.out, &command)
}

fn write_pages(folder: &Path, command: &Command) -> Result<(), CliError> {
    let mut page = Vec::new();
    let man = Man::new(command.clone());
    man.render(&mut page)?;
    write_own(&folder.join(man.get_filename()), &page)?;
    let shown = command.get_subcommands().filter(|below| !below.is_hide_set());
    shown.into_iter().try_for_each(|below| write_pages(folder, below))
}
