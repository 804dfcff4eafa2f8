//! `report`: a summary of a run for the morning after.

use super::args::{ReportArgs, ReportFormat};
use super::error::CliError;
use super::output::write_whole;
use super::project::Project;
use super::runs::at_of;
use super::term;
use crate::ledger::journal::Journal;
use crate::ledger::{History, Ledger, Run};
use crate::render::report::html;
use crate::report::Report;
use crate::report::gather;
use crate::report::health::printed_with;

/// Writes the report of a run.
pub fn run(args: &ReportArgs, project: &Project) -> Result<(), CliError> {
    let ledger = project.ledger()?;
    let mut report = report_of(&ledger, args.run.as_deref())?;
    report.mask(args.mask);
    let text = match args.format {
        ReportFormat::Html => html(&report)?,
        ReportFormat::Json => serde_json::to_string_pretty(&report)? + "\n",
    };
    match &args.out {
        None => Ok(term::print(&text)?),
        Some(path) => Ok(write_whole(path, text.as_bytes())?),
    }
}

/// The report of a run as a page.
pub fn page_of(ledger: &Ledger, run_id: &str) -> Result<String, CliError> {
    Ok(html(&report_of(ledger, Some(run_id))?)?)
}

/// The report of a run, with what the journal knows of it now.
fn report_of(ledger: &Ledger, run_id: Option<&str>) -> Result<Report, CliError> {
    let history = ledger.history()?;
    let (run, undone) = find(&history, run_id)?;
    let mut report = gather::gather(ledger, &history, run, undone)?;
    report.night = printed_with(&Journal::read(ledger), &run.manifest.run_id);
    Ok(report)
}

/// A run by its id, its number or `last`, or the last one; and the reason for its undo, if it was
/// undone.
fn find<'a>(
    history: &'a History,
    run_id: Option<&str>,
) -> Result<(&'a Run, Option<&'a str>), CliError> {
    let run_id = run_id.unwrap_or("last");
    let at = at_of(history, run_id);
    // A run that was undone, booked and undone again has one id: the last undo counts.
    let undone = history.undone.iter().rev().find(|undone| undone.run.manifest.run_id == run_id);
    match (at, undone) {
        (Ok(at), _) => Ok((&history.runs[at], None)),
        (Err(_), Some(undone)) => Ok((&undone.run, Some(undone.reason.as_str()))),
        (Err(error), None) => Err(error),
    }
}
