//! `ledger backup` and `ledger restore`.

use super::args::TextFormat;
use super::args::ledger::{BackupArgs, RestoreArgs};
use super::clock;
use super::error::CliError;
use super::journal;
use super::json;
use super::project::Project;
use super::run::print_what_is_done;
use super::term::{self, grouped};
use super::verify;
use crate::ledger::backup::{self, BackupDone, BackupState};
use crate::ledger::verify::Proof;
use crate::time;
use serde_json::json;

/// Runs `ledger backup`.
pub fn backup(args: &BackupArgs, project: &Project) -> Result<(), CliError> {
    let ledger = project.ledger()?;
    let done = backup::take(&ledger, &args.dir, &time::text(clock::second()), args.check)?;
    let text = match args.format {
        TextFormat::Text => as_text(&done, args),
        TextFormat::Json => json::line(&json!({
            "backup": args.dir,
            "head": done.head,
            "runs": done.runs,
            "batches": done.batches,
            "files": done.files,
            "copied": done.copied.0,
            "copied_bytes": done.copied.1,
            "removed": done.removed,
            "mended": done.mended,
        }))?,
    };
    print_what_is_done(&text, "the backup is made, but what it did could not be printed");
    Ok(())
}

fn count(many: u64, one: &str, more: &str) -> String {
    format!("{} {}", grouped(many), if many == 1 { one } else { more })
}

fn as_text(done: &BackupDone, args: &BackupArgs) -> String {
    let (copied, bytes) = done.copied;
    let mut lines = vec![term::heading(&format!("backed up to {}", args.dir.display()))];
    lines.push(format!(
        "   {}, {}",
        count(done.runs as u64, "run", "runs"),
        count(done.batches as u64, "batch of invoices", "batches of invoices")
    ));
    lines.push(format!(
        "   {}; {} copied now, {}; {} of earlier states removed",
        count(done.files, "file", "files"),
        grouped(copied),
        count(bytes, "byte", "bytes"),
        grouped(done.removed)
    ));
    if done.mended > 0 {
        let mended = count(done.mended, "file was broken", "files were broken");
        lines.push(format!("   {mended} in the backup, and copied anew: look at that disk"));
    }
    lines.push(format!("head {}\n", done.head));
    lines.join("\n")
}

/// Runs `ledger restore`.
pub fn restore(args: &RestoreArgs, project: &Project) -> Result<(), CliError> {
    let (folder, is_named) = project.ledger_folder();
    if !is_named {
        return Err(CliError::usage("where to? no ledger is named")
            .hint("name a folder that is not there yet with --ledger DIR"));
    }
    let (state, proof) = backup::restore(&args.backup, &folder)?;
    journal::writes();
    let text = match args.format {
        TextFormat::Text => restored(&state, &proof, &folder.display().to_string()),
        TextFormat::Json => json::line(&json!({
            "ledger": folder,
            "taken_at": state.taken_at,
            "files": state.files.len(),
            "proof": verify::as_json(&proof, false),
        }))?,
    };
    print_what_is_done(&text, "the ledger is restored, but that could not be printed");
    Ok(())
}

fn restored(state: &BackupState, proof: &Proof, folder: &str) -> String {
    let heading = term::heading(&format!("restored to {folder}"));
    let files = count(state.files.len() as u64, "file", "files");
    format!(
        "{heading}\n   {files}, as of {}\n   {}head {}\n",
        state.taken_at,
        verify::as_text(proof, false),
        proof.head
    )
}
