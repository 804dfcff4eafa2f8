//! The arguments of `rates`.

use super::{TableFormat, TextFormat};
use crate::cli::cells::CellArgs;
use clap::Subcommand;
use std::path::PathBuf;

/// Check a rate deck, or ask it for a number.
#[derive(Debug, clap::Args)]
pub struct RatesArgs {
    #[command(subcommand)]
    pub command: RatesCommand,
}

#[derive(Debug, Subcommand)]
pub enum RatesCommand {
    /// Load every deck of a folder, and say what is wrong
    Check(DeckCheckArgs),
    /// Which row prices a number; which rows lost, and why
    Lookup(LookupArgs),
}

#[derive(Debug, clap::Args)]
pub struct DeckCheckArgs {
    /// A rate deck, or a folder with a folder per deck [default: the project's `rates`]
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = TableFormat::Table)]
    pub format: TableFormat,
    #[command(flatten)]
    pub cells: CellArgs,
}

#[derive(Debug, clap::Args)]
#[command(override_usage = "trunkrate rates lookup [OPTIONS] [DIR] <NUMBER>")]
pub struct LookupArgs {
    /// A rate deck, or a folder with a folder per deck [default: the project's `rates`]; then the
    /// rated number, with +; or 911
    #[arg(value_name = "DIR> <NUMBER", required = true)]
    pub what: Vec<String>,
    /// The calling number [default: unknown]
    #[arg(long, value_name = "NUMBER", alias = "from")]
    pub a: Option<String>,
    /// What is bought of the carrier: termination (calls that leave by the trunk) or origination
    /// (calls that come in by it)
    #[arg(
        long, value_name = "SERVICE", default_value = "termination", ignore_case = true,
        value_parser = ["termination", "origination"],
    )]
    pub service: String,
    /// When the call starts [default: now]
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    pub format: TextFormat,
}
