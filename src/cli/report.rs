//! `report`: a summary of a run for the morning after.

use super::args::{ReportArgs, ReportFormat};
use super::error::CliError;
use super::output::write_whole;
use super::project::Project;
use super::term;
use crate::ledger::{History, Run};
use crate::report::gather;

/// Writes the report of a run.
pub fn run(args: &ReportArgs, project: &Project) -> Result<(), CliError> {
    let ledger = project.ledger()?;
    let history = ledger.history()?;
    let (run, undone) = find(&history, args.run.as_deref())?;
    let mut report = gather::gather(&ledger, &history, run, undone)?;
    report.mask(args.mask);
    let text = match args.format {
        ReportFormat::Html => crate::render::report::html(&report)?,
        ReportFormat::Json => serde_json::to_string_pretty(&report)? + "\n",
    };
    match &args.out {
        None => Ok(term::print(&text)?),
        Some(path) => Ok(write_whole(path, text.as_bytes())?),
    }
}

/// A run by its id, or the last one; and the reason for its undo, if it was undone.
fn find<'a>(
    history: &'a History,
    run_id: Option<&str>,
) -> Result<(&'a Run, Option<&'a str>), CliError> {
    let Some(run_id) = run_id else {
        let last = history.runs.last().map(|run| (run, None));
        return last.ok_or_else(|| {
            CliError::failed("the ledger has no run")
                .hint("`trunkrate runs` lists those that were undone")
        });
    };
    let named = |run: &&Run| run.manifest.run_id == run_id;
    if let Some(run) = history.runs.iter().find(named) {
        return Ok((run, None));
    }
    // A run that was undone, booked and undone again has one id: the last undo counts.
    let undone = history.undone.iter().rev().find(|undone| named(&&undone.run));
    undone.map(|undone| (&undone.run, Some(undone.reason.as_str()))).ok_or_else(|| {
        CliError::failed(format!("there is no run {run_id}")).hint("`trunkrate runs` lists them")
    })
}
