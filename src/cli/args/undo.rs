//! Flags of `undo`.

#![allow(clippy::doc_markdown, reason = "these comments are the help texts")]

use super::{MaxSuspended, RatingArgs, TextFormat, memory};
use crate::partition::spill::Memory;
use std::path::PathBuf;

/// Take a run back as if it had never been.
///
/// Its legs and calls leave, and suspense is as before. Later runs that stand on it (its calls are
/// known to them, or suspense went on from it) are named, and nothing is done, unless
/// --with-dependents takes them back too. --dry-run shows what would leave, and which call files
/// must be given again. What was undone is kept in the ledger's folder `undone`, and stays listed
/// by `runs`.
///
/// --rerun rates the calls anew and books them in the place of what leaves, all of them as one run:
/// in one step, whole or not at all. If the new run cannot be booked, nothing is undone. What it
/// changes in money is shown, before beside after.
#[derive(Debug, clap::Args)]
pub struct UndoArgs {
    /// The run: its id, the beginning of one, its number, or `last`
    #[arg(value_name = "RUN")]
    pub run_id: String,
    /// Why; it is kept with the run
    #[arg(long, value_name = "TEXT", required_unless_present = "dry_run")]
    pub reason: Option<String>,
    /// Also undo the later runs that stand on it
    #[arg(long)]
    pub with_dependents: bool,
    /// Only show what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Rate these call files anew, and book them in the place of what leaves: files, folders or
    /// globs. Each call file of the runs that leave must be among them, as it was or mended
    #[arg(long, value_name = "PATH", num_args = 1.., conflicts_with = "dry_run")]
    pub rerun: Vec<PathBuf>,
    /// A call file of the runs that leave that is not given again: its calls are booked no more
    #[arg(long, value_name = "FILE", requires = "rerun")]
    pub without: Vec<String>,
    #[command(flatten)]
    pub anew: RerunArgs,
    /// How to print it
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    pub format: TextFormat,
}

/// What calls are rated with anew.
#[derive(Debug, clap::Args)]
pub struct RerunArgs {
    /// A rate deck, or a folder with a folder per deck [default: the project's `rates`]
    #[arg(long, value_name = "DIR", requires = "rerun")]
    pub rates: Option<PathBuf>,
    /// The carrier's trunk list (JSON); without it every trunk allows transfers [default: the
    /// project's `trunks`]
    #[arg(long, value_name = "FILE", requires = "rerun")]
    pub trunks: Option<PathBuf>,
    /// accounts.csv: account_sid,name,deck and what an invoice needs [default: the project's
    /// `accounts`]
    #[arg(long, value_name = "FILE", requires = "rerun")]
    pub accounts: Option<PathBuf>,
    /// Book although decks, trunks or accounts have changed since the last run; what has is kept
    /// with the run
    #[arg(long, requires = "rerun")]
    pub accept_changes: bool,
    /// How much memory the calls may take (512MiB, 2GiB); what is more waits on disk beside the
    /// ledger [default: half of the machine's, at most 4GiB]
    #[arg(long, value_name = "SIZE", value_parser = memory, requires = "rerun")]
    pub memory: Option<Memory>,
    /// The exports know no transfers: the column parent_call_sid may be absent
    #[arg(long, requires = "rerun")]
    pub no_transfers: bool,
    /// Book nothing if more of the records that are read would be suspended than this: a number, or
    /// a share of them as 2% (exit code 3). What waited before is not counted
    #[arg(long, value_name = "N", value_parser = MaxSuspended::parse, requires = "rerun")]
    pub max_suspended: Option<MaxSuspended>,
}

impl RerunArgs {
    /// The same flags, as `run` has them.
    pub fn rating(&self, format: TextFormat) -> RatingArgs {
        RatingArgs {
            rates: self.rates.clone(),
            trunks: self.trunks.clone(),
            accounts: self.accounts.clone(),
            accept_changes: self.accept_changes,
            memory: self.memory,
            format,
        }
    }
}
