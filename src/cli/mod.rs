//! The command line: arguments, one file per command, and the exit code of each error.
//!
//! **Invariant:** results go to stdout and everything else to stderr; the core never prints.

#![allow(clippy::disallowed_methods, reason = "what is not there is shown as nothing")]

mod args;
mod calls;
mod cells;
mod classify;
mod config;
mod error;
mod explain;
mod export;
mod init;
mod invoice;
mod ledger;
mod output;
mod plan;
mod project;
mod rates;
mod report;
mod rerate;
mod run;
mod runs;
mod suspense;
mod term;
mod verify;
mod watched;

use crate::disk::interrupt;
use args::{Args, Command};
use clap::Parser;
use error::CliError;
use project::Project;
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

/// Parses the arguments of the process and runs the command.
#[must_use]
pub fn main() -> ExitCode {
    crate::catch_panic::keep_guarded_panics_quiet();
    let args = Args::parse();
    if let Err(error) = refuse_twice(std::env::args_os()) {
        return error.report();
    }
    match watched::run(args.command.templates()) {
        Ok(None) => {}
        Ok(Some(code)) => return code,
        Err(error) => return error.report(),
    }
    watch_signals();
    raise_open_files();
    // Read only where it is needed: a broken project does not stop a command that needs none.
    let global = &args.project;
    let project = || Project::find(global);
    let result = match &args.command {
        Command::Init(args) => init::run(args, global),
        Command::Run(args) => project().and_then(|project| run::run(args, &project)),
        Command::Rerate(args) => project().and_then(|project| rerate::run(args, &project)),
        Command::Explain(args) => project().and_then(|project| explain::run(args, &project)),
        Command::Calls(args) => project().and_then(|project| calls::run(args, &project)),
        Command::Invoice(args) => project().and_then(|project| invoice::run(args, &project)),
        Command::Suspense(args) => project().and_then(|project| suspense::suspense(args, &project)),
        Command::Rates(args) => project().and_then(|project| rates::run(args, &project)),
        Command::Classify(args) => classify::run(args),
        Command::Export(args) => project().and_then(|project| export::run(args, &project)),
        Command::Verify(args) => project().and_then(|project| verify::run(args, &project)),
        Command::Runs(args) => project().and_then(|project| runs::list(args, &project)),
        Command::Report(args) => project().and_then(|project| report::run(args, &project)),
        Command::Undo(args) => project().and_then(|project| runs::undo(args, &project)),
        Command::Ledger(args) => project().and_then(|project| ledger::run(args, &project)),
        Command::Plan(args) => plan::run(args),
        Command::Table => term::print(&crate::table::to_markdown()).map_err(CliError::from),
    };
    result.map_or_else(CliError::report, |()| ExitCode::SUCCESS)
}

/// Ends the command cleanly at SIGINT and SIGTERM. If no handler can be set, they end it as by
/// default.
fn watch_signals() {
    use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
    // A write beyond the file size limit is an error, and does not kill the process.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
    let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGINT, SIGTERM]) else { return };
    let watch = move || {
        let Some(signal) = signals.forever().next() else { return };
        let name = if signal == SIGINT { "SIGINT" } else { "SIGTERM" };
        let what = if interrupt::give_up() {
            ": what was published stands, and nothing else was booked"
        } else {
            ""
        };
        term::report("error", &format!("interrupted by {name}{what}"));
        std::process::exit(1);
    };
    // Without a thread to spare the signals end the process as ever.
    let _ = std::thread::Builder::new().spawn(watch);
}

/// Lets the process open as many files as the system allows it: a night of many days has many.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// Refuses two ledgers or two projects, one before the command and one after it: clap would
/// silently take the second, and the command would book there.
fn refuse_twice(args: impl Iterator<Item = OsString>) -> Result<(), CliError> {
    let own: Vec<String> =
        args.map(|arg| arg.to_string_lossy().into_owned()).take_while(|arg| arg != "--").collect();
    for flag in ["--ledger", "--config"] {
        let is_flag = |arg: &&String| {
            arg.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        };
        if own.iter().filter(is_flag).count() > 1 {
            return Err(CliError::usage(format!("{flag} is given twice"))
                .hint("give it once, before or after the command"));
        }
    }
    Ok(())
}

/// The definition of the command line, for tests and documents.
#[must_use]
pub fn command() -> clap::Command {
    <Args as clap::CommandFactory>::command()
}
