//! The command line: what the user typed, one file per command, and what each error becomes.
//!
//! **Invariant:** results go to stdout and everything else to stderr; the core never prints.

mod args;
mod classify;
mod config;
mod desk;
mod error;
mod export;
mod invoice;
mod ledger;
mod log;
mod output;
mod plan;
mod rates;
mod report;
mod rerate;
mod run;
mod runs;
mod suspense;
mod term;
mod verify;
mod versions;

use args::{Args, Command};
use clap::Parser;
use error::CliError;
use std::process::ExitCode;

/// Parses the arguments of the process and does what they say.
#[must_use]
pub fn main() -> ExitCode {
    crate::io::keep_guarded_panics_quiet();
    let args = Args::parse();
    let result = match &args.command {
        Command::Run(args) => run::run(args),
        Command::Rerate(args) => rerate::run(args),
        Command::Log(args) => log::run(args),
        Command::Invoice(args) => invoice::run(args),
        Command::Suspense(args) => suspense::run(args),
        Command::Rates(args) => rates::run(args),
        Command::Classify(args) => classify::run(args),
        Command::Export(args) => export::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Runs(args) => runs::list(args),
        Command::Report(args) => report::run(args),
        Command::Undo(args) => runs::undo(args),
        Command::Ledger(args) => ledger::run(args),
        Command::Plan(args) => plan::run(args),
        Command::Table => term::print(&crate::table::to_markdown()).map_err(CliError::from),
    };
    result.map_or_else(CliError::report, |()| ExitCode::SUCCESS)
}

/// The definition of the command line, for tests and documents.
#[must_use]
pub fn command() -> clap::Command {
    <Args as clap::CommandFactory>::command()
}
