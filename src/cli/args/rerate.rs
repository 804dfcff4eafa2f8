//! Flags of `rerate`, and of `explain`, which shares those of a single call.

#![allow(clippy::doc_markdown, reason = "these comments are the help texts")]

use super::Times;
use crate::cli::cells::CellArgs;
use clap::ValueEnum;
use std::path::PathBuf;

/// What a call costs and why, beside what was booked; or what a whole period costs by other decks.
///
/// A call: from the ledger it uses the deck that the call was booked with, or another one with
/// --rates. With --cdrs it rates straight from files, without a ledger.
///
/// A period (--period, or --from and --to): its booked calls are rated again by --rates, and shown
/// by account, destination, scenario and currency: booked, new and difference. A call that would
/// find no rate stays as it is booked, and is counted. --calls lists the legs behind the sums.
///
/// --book books the differences as a run of its own: each call that costs something else once more,
/// by the new decks, and the legs of the version before with the opposite amounts. The old legs
/// stay where they are, no other run is touched, and `undo` takes it back. Booked again by the same
/// decks nothing differs, and nothing is booked. The next invoice of an account has the difference
/// of calls that an invoice bills already, as lines of their month.
///
///   trunkrate rerate --period 2026-11 --rates rates-mended
///   trunkrate rerate --period 2026-11 --rates rates-mended --calls --format csv
///   trunkrate rerate --period 2026-11 --rates rates-mended --book --reason "agreed on 2 December"
#[derive(Debug, clap::Args)]
#[command(
    verbatim_doc_comment,
    mut_arg("call", |call| call.required_unless_present_any(["period", "from", "to"])),
)]
pub struct RerateCommand {
    #[command(flatten)]
    pub one: RerateArgs,
    #[command(flatten)]
    pub of: RerateOf,
    /// How to print it
    #[arg(long, value_enum, default_value_t = RerateFormat::Text)]
    pub format: RerateFormat,
    #[command(flatten)]
    pub cells: CellArgs,
}

/// Which booked calls are rated again.
#[derive(Debug, clap::Args)]
pub struct RerateOf {
    /// The billing period, a UTC month
    #[arg(
        long,
        value_name = "YYYY-MM",
        requires = "rates",
        conflicts_with_all = ["call", "cdrs", "from", "to"]
    )]
    pub period: Option<String>,
    #[command(flatten)]
    pub times: Times,
    /// Only this account
    #[arg(long, value_name = "SID", conflicts_with = "call")]
    pub account: Option<String>,
    /// Only calls with a leg to this destination: the beginning of its number, or words of its
    /// description
    #[arg(long, value_name = "TEXT", conflicts_with = "call")]
    pub destination: Option<String>,
    /// The legs that cost something else or find no rate, one by one, instead of sums; in JSON
    /// beside them
    #[arg(long, conflicts_with = "call")]
    pub calls: bool,
    /// Book the differences
    #[arg(long, requires = "reason", conflicts_with = "call")]
    pub book: bool,
    /// Why; it is kept with the run
    #[arg(long, value_name = "TEXT", requires = "book")]
    pub reason: Option<String>,
}

impl RerateCommand {
    /// True if it rates a period again.
    pub fn is_of_period(&self) -> bool {
        self.one.call.is_none()
    }

    /// True if it writes the ledger.
    pub fn books(&self) -> bool {
        self.of.book
    }
}

/// How `rerate` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RerateFormat {
    /// For people
    #[value(alias = "table")]
    Text,
    /// For scripts
    Json,
    /// For spreadsheets; with --raw for programs [of a period]
    Csv,
}

#[derive(Debug, clap::Args)]
pub struct RerateArgs {
    /// The call: its id, the beginning of one, or its number in the list that `calls` printed last
    #[arg(value_name = "CALL_SID")]
    pub call: Option<String>,
    /// A rate deck, or a folder with a folder per deck [default: the one it was booked with]
    #[arg(long, value_name = "DIR")]
    pub rates: Option<PathBuf>,
    /// Call files, folders or globs: CSV, JSON, JSON Lines or Parquet, also .gz or .zst [default:
    /// none, the ledger knows the call]
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub cdrs: Vec<PathBuf>,
    /// The exports know no transfers: the column parent_call_sid may be absent [with --cdrs]
    #[arg(long, requires = "cdrs")]
    pub no_transfers: bool,
    /// The carrier's trunk list (JSON); without it every trunk allows transfers [with --cdrs]
    #[arg(long, value_name = "FILE", requires = "cdrs")]
    pub trunks: Option<PathBuf>,
    /// accounts.csv: account_sid,name,deck and what an invoice needs [with --cdrs or --rates]
    #[arg(long, value_name = "FILE")]
    pub accounts: Option<PathBuf>,
    /// Where the run's call files lie now, if they were moved: files or folders, known by their
    /// hash; the call's record is shown from there [default: where they were]
    #[arg(
        long,
        value_name = "PATH",
        num_args = 1..,
        conflicts_with_all = ["cdrs", "no_call_files"]
    )]
    pub call_files: Vec<PathBuf>,
    /// Without the record that the call was booked from: the run's call files are not read
    #[arg(long, conflicts_with = "cdrs")]
    pub no_call_files: bool,
}

impl RerateArgs {
    /// The call.
    ///
    /// # Panics
    /// If none is named, where clap asks for one.
    pub fn call(&self) -> &str {
        self.call.as_deref().expect("clap asks for the call, or for a period in its place")
    }
}
