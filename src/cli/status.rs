//! `status`: whether all is well with the nights; and the files that a run leaves for the morning.

use super::args::status::{NightArgs, StatusArgs};
use super::args::{ProjectArgs, TextFormat};
use super::clock;
use super::error::CliError;
use super::journal;
use super::output::write_whole;
use super::project::Project;
use super::report::page_of;
use super::term;
use crate::ledger::Ledger;
use crate::render::metrics::metrics;
use crate::report::causes::about;
use crate::report::health::words::{ago_text, bytes_text, took_text};
use crate::report::health::{self, CommandLine, Health, LastRun, Limits, Machine, Trouble};
use crate::text::visible;
use crate::time::{Micros, SECOND};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Prints the status; ends with exit code 1 if anything is wrong.
pub fn run(args: &StatusArgs, project: Result<&Project, &CliError>) -> Result<(), CliError> {
    let health = health_of(project, args.max_age);
    let text = match args.format {
        TextFormat::Text => as_text(&health),
        TextFormat::Json => serde_json::to_string_pretty(&health)? + "\n",
    };
    if let Some(path) = &args.metrics {
        write_whole(path, metrics(&health).as_bytes())?;
    }
    term::print(&text)?;
    if health.good { Ok(()) } else { Err(CliError::wrong()) }
}

/// The flags of the run of this process, for the thread that ends it on a signal.
static NIGHT: Mutex<Option<(NightArgs, ProjectArgs)>> = Mutex::new(None);

/// Keeps the flags of a run that begins.
pub fn begin_night(args: &NightArgs, project: &ProjectArgs) {
    let flags = (args.clone(), project.clone());
    *NIGHT.lock().unwrap_or_else(PoisonError::into_inner) = Some(flags);
}

/// Writes the files of a run that a signal ended: that it was interrupted, and what it had booked.
pub fn after_interrupted_night(why: &str, booked: &[String]) {
    let night = NIGHT.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some((args, project)) = night {
        let project = Project::find(&project).ok();
        let error = CliError::failed(why.to_owned());
        after_night(&args, project.as_ref(), Some((1, &error)), booked);
    }
}

/// Writes the files of a run for the morning after it has ended, whichever way; `failed` has its
/// exit code and its error, which they tell whatever the journal says. One that cannot be written
/// is a note: what the run did stands.
pub fn after_night(
    args: &NightArgs,
    project: Option<&Project>,
    failed: Option<(u8, &CliError)>,
    booked: &[String],
) {
    if let (Some(path), Some(project), [run_id, ..]) = (&args.report, project, booked) {
        let ledger = Ledger::at(&project.ledger_folder().0);
        let written =
            page_of(&ledger, run_id).and_then(|page| Ok(write_whole(path, page.as_bytes())?));
        if let Err(error) = written {
            let why = error.message();
            term::report("note", &format!("run {run_id} is booked, but has no report: {why}"));
        }
    }
    if args.status_file.is_none() && args.metrics.is_none() {
        return;
    }
    let broken = CliError::failed("the project cannot be read");
    let error = failed.map_or(&broken, |(_, error)| error);
    let mut health = health_of(project.ok_or(error), None);
    if let Some((code, error)) = failed {
        health.has_failed(code, error.message());
    }
    let told = |path: Option<&PathBuf>, text: &dyn Fn() -> String| {
        let Some(path) = path else { return };
        if let Err(error) = write_whole(path, text().as_bytes()) {
            term::report("note", &error.to_string());
        }
    };
    told(args.status_file.as_ref(), &|| {
        serde_json::to_string_pretty(&health).expect("it has only texts as keys") + "\n"
    });
    told(args.metrics.as_ref(), &|| metrics(&health));
}

/// The health of a project's ledger; of one that cannot be read, that.
fn health_of(project: Result<&Project, &CliError>, max_age: Option<Micros>) -> Health {
    let now = clock::now();
    let unreadable = |error: &CliError| {
        let hint = error.hints().join("; ");
        Health::of_nothing(now, "", Trouble::ProjectUnreadable, error.message(), &hint)
    };
    let project = match project {
        Ok(project) => project,
        Err(error) => return unreadable(error),
    };
    let limits = match project.limits() {
        Ok(limits) => Limits { max_age: max_age.unwrap_or(limits.max_age), ..limits },
        Err(error) => return unreadable(&error),
    };
    let (folder, _) = project.ledger_folder();
    let machine =
        Machine { now, host: &journal::host(), is_running, free_bytes: free_bytes(&folder) };
    health::of(&Ledger::at(&folder), &limits, machine)
}

/// True if a process of this number is another trunkrate that runs on this machine.
///
/// # Why by its name
/// After a restart of the machine another program may have the number. In a container each command
/// may be process 1: then it is this one.
pub fn is_running(pid: u32) -> bool {
    let name = |of: &str| std::fs::read_to_string(format!("/proc/{of}/comm")).ok();
    pid != std::process::id() && name(&pid.to_string()).is_some_and(|it| Some(it) == name("self"))
}

/// The bytes on a folder's disk that are free to this user.
pub fn free_bytes(folder: &Path) -> Option<u64> {
    let there = rustix::fs::statvfs(folder).ok()?;
    there.f_bavail.checked_mul(there.f_frsize)
}

fn as_text(health: &Health) -> String {
    let mut lines = vec![format!("{}: {}", term::verdict(health.good), visible(&health.headline))];
    for problem in &health.problems {
        lines.push(fact("problem", &format!("{}: {}", problem.id.as_str(), problem.message)));
        if !problem.what_to_do.is_empty() {
            lines.push(fact("", &format!("→ {}", problem.what_to_do)));
        }
    }
    if let Some(running) = &health.running {
        lines.push(fact("going on", &format!("{}, {}", running.began, by(running))));
    }
    if let Some(last) = &health.last_run {
        lines.extend(last_run(last));
    }
    if let Some(failed) = &health.last_failure {
        let (when, exit) = (failed.ended.as_deref().unwrap_or(""), failed.exit.unwrap_or(1));
        lines.push(fact("last failure", &format!("{when}, exit code {exit}, {}", by(failed))));
        if let Some(message) = &failed.message {
            lines.push(fact("", message));
        }
    }
    lines.extend(waiting(health));
    for refused in &health.set_aside {
        lines.push(fact("set aside", &format!("{} since {}", refused.file, refused.since)));
        lines.push(fact("", &format!("{}; it lies at {}", refused.why, refused.lies.display())));
    }
    if health.last_run.is_some() || health.verified.is_some() {
        lines.push(fact("verified", &verified(health)));
    }
    if let Some(disk) = health.disk {
        let (free, needed) = (bytes_text(disk.free_bytes), bytes_text(disk.needed_bytes));
        let needs = if disk.needed_bytes == 0 {
            String::new()
        } else {
            format!("; the next night may take {needed}")
        };
        lines.push(fact("disk", &format!("{free} free{needs}")));
    }
    lines.extend(health.notes.iter().map(|note| fact("note", note)));
    lines.join("\n") + "\n"
}

fn last_run(last: &LastRun) -> Vec<String> {
    let how = match &last.command {
        Some(command) => by(command),
        None => "as its file says: the journal does not know it".to_owned(),
    };
    let run = last.run_id.as_deref().unwrap_or("nothing new");
    let ago = ago_text(last.age_seconds * SECOND);
    let mut lines = vec![fact("last night", &format!("{run}, {}, {ago}, {how}", last.booked))];
    if last.run_id.is_some() {
        let of = |class: &str| term::grouped(last.records.get(class).copied().unwrap_or(0));
        let sums = last.amount.iter().map(|(currency, sum)| format!(", {sum} {currency}"));
        lines.push(fact(
            "booked",
            &format!(
                "{} records read, {} legs{}; {} taken on disk",
                of("read"),
                term::grouped(last.legs),
                sums.collect::<String>(),
                bytes_text(last.bytes)
            ),
        ));
    }
    lines
}

fn waiting(health: &Health) -> Vec<String> {
    /// The most causes that are shown.
    const SHOWN: usize = 10;
    let waiting = &health.waiting;
    let causes = &waiting.causes;
    if causes.is_empty() {
        return Vec::new();
    }
    let records = match waiting.records {
        1 => "1 record".to_owned(),
        many => format!("{} records", term::grouped(many)),
    };
    let (calls, estimated) = causes.iter().fold((0, 0), |(calls, estimated), line| {
        (calls + line.calls, estimated + line.estimated_calls)
    });
    let money = about(&waiting.estimate, estimated, calls);
    let mut lines = vec![fact("waits", &format!("{records}, {money}"))];
    lines.extend(causes.iter().take(SHOWN).map(|line| fact("", &line.sentence())));
    if causes.len() > SHOWN {
        let more = causes.len() - SHOWN;
        lines.push(fact("", &format!("and {more} more causes: `trunkrate suspense`")));
    }
    lines
}

fn verified(health: &Health) -> String {
    let Some(last) = &health.verified else {
        return "never, as far as the journal knows".to_owned();
    };
    let (ago, result) = (ago_text(last.age_seconds * SECOND), last.command.message.as_deref());
    format!("{ago}: {}", result.unwrap_or(if last.good { "good" } else { "broken" }))
}

fn by(command: &CommandLine) -> String {
    let took =
        command.duration_ms.map_or_else(String::new, |took| format!(" in {}", took_text(took)));
    format!("by {} on {}{took}: {}", command.user, command.host, command.command)
}

fn fact(name: &str, value: &str) -> String {
    term::labelled(&format!("  {name:<12}  "), &visible(value)).trim_end().to_owned()
}
