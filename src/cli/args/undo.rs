//! Flags of `undo`.

use super::TextFormat;

/// Take a run back as if it had never been.
///
/// Its legs and calls leave, and suspense is as before. Later runs that stand on it (its calls are
/// known to them, or suspense went on from it) are named, and nothing is done, unless
/// --with-dependents takes them back too. --dry-run shows what would leave, and which call files
/// must be given again. What was undone is kept in the ledger's folder `undone`, and stays listed
/// by `runs`.
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
    /// How to print what would leave
    #[arg(long, value_enum, default_value_t = TextFormat::Text, requires = "dry_run")]
    pub format: TextFormat,
}
