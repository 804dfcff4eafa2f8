//! Flags of `ledger backup` and `ledger restore`, and what the ledger as a whole is asked for.

#![allow(clippy::doc_markdown, reason = "these comments are the help texts")]

use super::{ImportArgs, TextFormat};
use clap::Subcommand;
use std::path::PathBuf;

const BACKUP_EXAMPLES: &str = "\
Examples:
  # after each night, to another disk
  trunkrate ledger backup /mnt/backup/ledger
  # a state for each day of the week
  trunkrate ledger backup /mnt/backup/$(date +%u)
  # once a month: read again what lies there
  trunkrate ledger backup /mnt/backup/ledger --check";

const RESTORE_EXAMPLES: &str = "\
Examples:
  # the old ledger is gone, or was moved away
  trunkrate ledger restore /mnt/backup/ledger --ledger ledger
  # a look at an older state
  trunkrate ledger restore /mnt/backup/1 --ledger as-of-monday
  trunkrate runs --ledger as-of-monday";

/// Keep a ledger for years: back it up, restore it, take in what was rated elsewhere.
#[derive(Debug, clap::Args)]
pub struct LedgerArgs {
    #[command(subcommand)]
    pub command: LedgerCommand,
}

#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    Import(ImportArgs),
    Backup(BackupArgs),
    Restore(RestoreArgs),
}

/// Copy a whole state of the ledger into a folder elsewhere, while runs go on.
///
/// It holds runs, invoices, archived decks and lists, undone runs, and the journal, each file under
/// its hash. A file that is there already is not copied again, so that each night costs its own
/// files; nothing is linked with the ledger. A file that is not as it was written is refused: it
/// never replaces a good one. The folder holds one state, the newest; if the backup is killed, the
/// one before stays whole. It takes no lock of the ledger: no run waits for it.
///
/// A folder for each day of the week keeps seven states. `ledger restore` proves a backup and puts
/// it back.
#[derive(Debug, clap::Args)]
#[command(after_long_help = BACKUP_EXAMPLES)]
pub struct BackupArgs {
    /// The folder of the backup: new, empty, or that of the backup before; best on another disk
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Also read what lies in the backup already, and copy anew what is broken
    #[arg(long)]
    pub check: bool,
    /// How to print it
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    pub format: TextFormat,
}

/// Prove a backup, and put its ledger where none is.
///
/// Every file is held against its hash, and the ledger is proved as `verify` does, before it is put
/// in place by one rename: a backup that breaks a law restores nothing. The ledger is that of
/// --ledger, of the environment, or of the project; its folder must not be there yet, or be empty.
/// Call files that came after the backup was made are then booked by `run`: those that it knows
/// book nothing.
#[derive(Debug, clap::Args)]
#[command(after_long_help = RESTORE_EXAMPLES)]
pub struct RestoreArgs {
    /// The folder of the backup
    #[arg(value_name = "DIR")]
    pub backup: PathBuf,
    /// How to print it
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    pub format: TextFormat,
}
