//! `ledger` and its commands. `ledger import` rates a night published by Spark again, compares the
//! result with the published
//! one, and books it.

use super::args::ledger::{LedgerArgs, LedgerCommand};
use super::args::{ImportArgs, TextFormat};
use super::backup;
use super::error::CliError;
use super::journal;
use super::project::Project;
use super::run::{
    as_json, as_text, changes, head, open_to_write, print_what_is_done, tell_unlisted,
};
use super::term;
use crate::inputs::settings;
use crate::job::book::Summary;
use crate::job::import::Published;
use crate::job::run::LoadedNight;
use crate::ledger::History;
use crate::ledger::manifest::Manifest;
use crate::ledger::tables::waits;
use crate::partition::spill::Memory;
use crate::policy::Policy;
use crate::text::visible;
use serde_json::json;

/// Runs the subcommand.
pub fn run(args: &LedgerArgs, project: &Project) -> Result<(), CliError> {
    match &args.command {
        LedgerCommand::Import(args) => import(args, project),
        LedgerCommand::Backup(args) => backup::backup(args, project),
        LedgerCommand::Restore(args) => backup::restore(args, project),
    }
}

fn import(args: &ImportArgs, project: &Project) -> Result<(), CliError> {
    let night = Published::open(&args.night)?;
    // Only the night's configuration, never that of the working folder.
    let policy = match night.config()? {
        Some(path) => settings::parse(&path, &crate::inputs::file::read_text(&path)?)?,
        None => Policy::default(),
    };
    let inputs = night.inputs(policy)?;
    let ledger = project.ledger_to_book()?;
    if night.holds(ledger.folder()) {
        return Err(CliError::usage(
            "the ledger would stand in the published night, which never changes: \
             name another --ledger",
        ));
    }
    let (lock, mut history) = open_to_write(&ledger)?;
    if let Some(run) = night.imported_as(&history)? {
        return already(args, &night, &run.manifest);
    }
    let accepted = changes(&ledger, &history, &inputs, args.accept_changes)?;
    let files = night.records()?;
    let total = files
        .iter()
        .filter_map(|file| std::fs::metadata(&file.path).ok())
        .map(|meta| meta.len())
        .sum();
    let progress = term::Progress::start(total);
    let memory = args.memory.unwrap_or_else(Memory::of_machine);
    let waiting = waits::of_history(&history)?;
    let intake =
        LoadedNight::read(inputs, &files, waiting, (memory, &lock.staging), &progress.bytes)?;
    let mut session = intake.settle(&history)?;
    session.accept(accepted);
    let summary = night.book(&ledger, &lock, &mut history, &session)?;
    drop(progress);
    done(args, &night, &summary, &history)
}

fn done(
    args: &ImportArgs,
    night: &Published,
    summary: &Summary,
    history: &History,
) -> Result<(), CliError> {
    let run = summary.run_id.as_deref().expect("a run that is booked has a name");
    journal::did(run);
    for warning in &summary.warnings {
        term::report("note", &format!("run {run} is booked, but {warning}"));
    }
    tell_unlisted(summary);
    let text = match args.format {
        TextFormat::Json => {
            let mut object = as_json(summary);
            object["night"] = json!(night.manifest.id);
            object["already_imported"] = json!(false);
            format!("{}\n", serde_json::to_string_pretty(&object)?)
        }
        TextFormat::Text => {
            let same = "every leg, every row of the log and every count is the same";
            format!("{}{}   {same}\n{}", as_text(summary), origin(night), head(history))
        }
    };
    print_what_is_done(
        &text,
        &format!("run {run} is booked, but its summary could not be printed"),
    );
    Ok(())
}

/// Reports that the night is already imported. Nothing is booked, and it is no failure: an import
/// job may run again.
fn already(args: &ImportArgs, night: &Published, run: &Manifest) -> Result<(), CliError> {
    let text = match args.format {
        TextFormat::Json => {
            let object =
                json!({"run_id": run.run_id, "night": night.manifest.id, "already_imported": true});
            format!("{}\n", serde_json::to_string_pretty(&object)?)
        }
        TextFormat::Text => {
            format!("already imported as run {}; nothing was booked\n{}", run.run_id, origin(night))
        }
    };
    Ok(term::print(&text)?)
}

fn origin(night: &Published) -> String {
    let (manifest, heading) = (&night.manifest, term::heading("published"));
    let short: String = manifest.id.chars().take(8).collect();
    format!(
        "{heading}\n   night {:06}-{short}, rated by {}, trunkrate {}\n",
        manifest.sequence,
        visible(&manifest.engine),
        visible(&manifest.kernel)
    )
}
