//! Watchdog: a command that draws with a user's own templates runs in a child process, watched by
//! this one.
//!
//! **Invariant:** whatever a template does, it can only end the command with an error that names
//! the templates, and nothing is issued that was not drawn.
//!
//! # Why a process
//! A template is a program. The renderer limits its steps, its time and the length of its page, but
//! not the nesting of its values, and a stack overflow ends the process (exit code 134, with a
//! message of the allocator or none). The memory of a layout cannot be limited from inside either.
//! A child process can be watched, and its end reported.

use super::error::CliError;
use super::term;
use crate::partition::spill::Memory;
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};
use signal_hook::consts::{SIGABRT, SIGINT, SIGSEGV, SIGTERM};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The environment variable that marks the watched child.
const WATCHED: &str = "TRUNKRATE_WATCHED";
/// The pause between two looks at the child.
const PAUSE: Duration = Duration::from_millis(10);

/// Runs this command in a child and returns its exit code; `None` if there are no templates, or
/// this process is the child.
///
/// # Errors
/// A child that cannot be started, was ended by a signal, or took too much memory.
pub fn run(templates: Option<&Path>) -> Result<Option<ExitCode>, CliError> {
    let Some(templates) = templates else { return Ok(None) };
    if std::env::var_os(WATCHED).is_some() {
        // If the watching process is killed, the child ends too.
        return match set_parent_process_death_signal(Some(Signal::TERM)) {
            Ok(()) => Ok(None),
            Err(e) => Err(CliError::failed(format!("the command cannot be watched: {e}"))),
        };
    }
    let cannot = |e: std::io::Error| {
        CliError::failed(format!("the command cannot be started a second time: {e}"))
    };
    let told = [SIGINT, SIGTERM].map(|signal| (signal, Arc::new(AtomicBool::new(false))));
    for (signal, flag) in &told {
        signal_hook::flag::register(*signal, Arc::clone(flag)).map_err(cannot)?;
    }
    let program = std::env::current_exe().map_err(cannot)?;
    let mut command = Command::new(program);
    let mut child =
        command.args(std::env::args_os().skip(1)).env(WATCHED, "1").spawn().map_err(cannot)?;
    let most = Memory::of_machine();
    let status = loop {
        if let Some(status) = child.try_wait().map_err(cannot)? {
            break status;
        }
        if resident(&child).is_some_and(|bytes| bytes > most.bytes()) {
            end(&child, Signal::KILL);
            child.wait().map_err(cannot)?;
            let mib = most.bytes() >> 20;
            return Err(failed(
                templates,
                &format!("take more than {mib} MiB of memory for their documents"),
            ));
        }
        for (signal, flag) in &told {
            if flag.swap(false, Ordering::Relaxed) {
                end(&child, if *signal == SIGINT { Signal::INT } else { Signal::TERM });
            }
        }
        std::thread::sleep(PAUSE);
    };
    ended(templates, status)
}

fn ended(templates: &Path, status: ExitStatus) -> Result<Option<ExitCode>, CliError> {
    match (status.code(), status.signal()) {
        (Some(code), _) => {
            let code = u8::try_from(code).expect("an exit code is a byte");
            Ok(Some(ExitCode::from(code)))
        }
        (None, Some(signal)) => {
            let name = signal_hook::low_level::signal_name(signal)
                .map_or_else(|| signal.to_string(), str::to_owned);
            let why = if matches!(signal, SIGABRT | SIGSEGV) { ": they nest too deep" } else { "" };
            Err(failed(templates, &format!("were drawn with by a process that {name} ended{why}")))
        }
        (None, None) => unreachable!("a process that has ended has a code or a signal"),
    }
}

fn failed(templates: &Path, problem: &str) -> CliError {
    CliError::failed(format!("{}: these templates {problem}", templates.display())).hint(
        "nothing is issued that is not in `trunkrate invoice list`; \
         draw without --templates, or mend them",
    )
}

/// Sends a signal to a child that has not been reaped, so that its process id is still its own.
fn end(child: &Child, signal: Signal) {
    if let Err(e) = kill_process(Pid::from_child(child), signal) {
        term::report("note", &format!("the command cannot be told to end: {e}"));
    }
}

/// The resident memory of a process in bytes, if `/proc` shows it.
fn resident(child: &Child) -> Option<u64> {
    let pages: u64 = std::fs::read_to_string(format!("/proc/{}/statm", child.id()))
        .ok()?
        .split(' ')
        .nth(1)?
        .parse()
        .ok()?;
    Some(pages * rustix::param::page_size() as u64)
}
