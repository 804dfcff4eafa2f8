//! The command line: arguments, one file per command, and the exit code of each error.
//!
//! **Invariant:** results go to stdout and everything else to stderr; the core never prints.

#![allow(clippy::disallowed_methods, reason = "what is not there is shown as nothing")]

mod args;
mod backup;
mod calls;
mod cells;
mod classify;
mod clock;
mod completions;
mod config;
mod demo;
mod error;
pub mod examples;
mod explain;
mod export;
mod init;
mod inputs;
mod invoice;
mod journal;
mod json;
mod ledger;
mod names;
mod output;
mod plan;
mod project;
mod rates;
mod report;
mod rerate;
mod run;
mod runs;
mod serve;
mod set_aside;
mod status;
mod suspense;
mod term;
mod undo;
mod verify;
mod watched;

use crate::disk::interrupt;
use args::status::{LogFormat, SessionArgs};
use args::{Args, Command};
use clap::{ArgMatches, FromArgMatches};
use error::CliError;
use project::Project;
use std::cell::OnceCell;
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

/// Parses the arguments of the process and runs the command.
#[must_use]
pub fn main() -> ExitCode {
    crate::catch_panic::keep_guarded_panics_quiet();
    let matches = command().get_matches();
    let args = Args::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    if let Err(error) = begin_session(&args.session) {
        return error.report();
    }
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
    let project = OnceCell::new();
    let find = || -> Result<&Project, CliError> {
        let found = find_project(&args, &name_of(&matches))?;
        Ok(project.get_or_init(|| found))
    };
    if args.command.only_reads() && !args.no_pager {
        term::pager::hold();
    }
    if let Command::Run(run) = &args.command {
        status::begin_night(&run.night, &args.project);
    }
    let result = run(&args, find);
    if result.is_err() {
        interrupt::wait_if_given_up();
    }
    // Before an error, which is said below what was found until then.
    let shown = term::pager::show().map_err(CliError::from);
    let result = result.and(shown);
    let code = result.as_ref().map_or_else(CliError::code, |()| 0);
    let booked = journal::end(code, result.as_ref().err().map(CliError::message));
    if let Command::Run(run) = &args.command {
        let failed = result.as_ref().err().map(|error| (code, error));
        status::after_night(&run.night, project.get(), failed, &booked);
    }
    result.map_or_else(CliError::report, |()| ExitCode::SUCCESS)
}

/// Sets how the command speaks, and its clock.
fn begin_session(session: &SessionArgs) -> Result<(), CliError> {
    term::log_as_json(session.log == LogFormat::Json);
    if let Some(text) = &session.now {
        let now = crate::time::parse_date_or_instant(text)
            .ok_or_else(|| CliError::usage(format!("--now {text}: expected an instant")))?;
        clock::set(now);
    }
    Ok(())
}

/// The name of the command, with that of its subcommand: `invoice issue`.
fn name_of(matches: &ArgMatches) -> String {
    let names = std::iter::successors(matches.subcommand(), |(_, inner)| inner.subcommand());
    names.map(|(name, _)| name).collect::<Vec<_>>().join(" ")
}

/// Finds the project of a command, and watches the command for the journal of its ledger. Where
/// the project is broken, only a ledger that is named is known.
fn find_project(args: &Args, name: &str) -> Result<Project, CliError> {
    let only_looks = args.command.is_dry_run();
    let found = Project::find(&args.project);
    match &found {
        Ok(project) => journal::watch(name, &project.ledger_folder().0, only_looks),
        Err(_) => {
            if let Some(folder) = project::named_ledger(&args.project) {
                journal::watch(name, &folder, only_looks);
            }
        }
    }
    found
}

/// Runs the command. The project is read only where it is needed: a broken one does not stop a
/// command that needs none.
fn run<'p>(
    args: &Args,
    project: impl Fn() -> Result<&'p Project, CliError>,
) -> Result<(), CliError> {
    match &args.command {
        Command::Init(init) => init::run(init, &args.project),
        Command::Demo(demo) => demo::run(demo, &args.project),
        Command::Run(args) => run::run(args, project()?),
        Command::Rerate(args) => rerate::run(args, project()?),
        Command::Explain(args) => explain::run(args, project()?),
        Command::Calls(args) => calls::run(args, project()?),
        Command::Invoice(args) => invoice::run(args, project()?),
        Command::Suspense(args) => suspense::suspense(args, project()?),
        Command::Rates(args) => rates::run(args, project()?),
        Command::Classify(args) => classify::run(args),
        Command::Export(args) => export::run(args, project()?),
        Command::Verify(args) => verify::run(args, project()?),
        Command::Serve(args) => serve::run(args, project()?),
        Command::Status(args) => status::run(args, project().as_ref().map(|project| *project)),
        Command::Runs(args) => runs::list(args, project()?),
        Command::Report(args) => report::run(args, project()?),
        Command::Undo(args) => undo::run(args, project()?),
        Command::Ledger(args) => ledger::run(args, project()?),
        Command::Plan(args) => plan::run(args),
        Command::Table => term::print(&crate::table::to_markdown()).map_err(CliError::from),
        Command::Completions(args) => completions::completions(args, command()),
        Command::Man(args) => completions::man(args, command()),
    }
}

/// Ends the command cleanly at SIGINT and SIGTERM. If no handler can be set, they end it as by
/// default.
fn watch_signals() {
    use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
    // A write beyond the file size limit is an error, and does not kill the process.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
    let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGINT, SIGTERM]) else { return };
    let watch = move || {
        // Ctrl-C in a pager is the pager's.
        let ends = |signal: &i32| *signal != SIGINT || !term::pager::is_open();
        let mut asked = signals.forever().filter(ends);
        let Some(mut signal) = asked.next() else { return };
        if interrupt::ends_by_itself() {
            // A second one does not wait for it.
            let Some(next) = asked.next() else { return };
            signal = next;
        }
        let name = if signal == SIGINT { "SIGINT" } else { "SIGTERM" };
        let what = if interrupt::give_up() {
            ": what was published stands, and nothing else was booked"
        } else {
            ""
        };
        let what = format!("interrupted by {name}{what}");
        term::report("error", &what);
        let booked = journal::end(1, Some(&what));
        status::after_interrupted_night(&what, &booked);
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
    examples::with_examples(<Args as clap::CommandFactory>::command())
}
