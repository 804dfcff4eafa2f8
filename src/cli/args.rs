//! The command line as typed. Parsing may validate; it does nothing.

#![allow(clippy::doc_markdown, reason = "these comments are the help texts")]

use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Rates and bills the calls of a SIP trunk that supports call transfer (SIP REFER), and explains every cent.
///
/// A transferred call is two records: the parent, and the child to the transfer target. trunkrate finds the scenario of
/// each transfer, bills the legs that the carrier publishes for it, and shows the log as the carrier's page does.
///
/// Exit codes: 0 done; 1 failed, nothing booked; 2 usage; 3 more suspended than --max-suspended, nothing booked; 4 the
/// ledger is in use by another run.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Run(RunArgs),
    Rerate(RerateArgs),
    Log(LogArgs),
    Invoice(InvoiceArgs),
    Suspense(SuspenseArgs),
    Rates(RatesArgs),
    Classify(ClassifyArgs),
    Export(ExportArgs),
    Verify(VerifyArgs),
    /// The published billing table, as Markdown
    Table,
}

/// Rate call files and book them in the ledger.
///
/// Reads every call file, takes up what waits in suspense, and books each record once: the same calls again book
/// nothing. Records that cannot be billed now wait in suspense, whole, and are tried again by every later run.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// Call files, folders or globs: CSV, JSON, JSON Lines or Parquet, also .gz or .zst
    #[arg(long, required = true, value_name = "PATH", num_args = 1..)]
    pub cdrs: Vec<PathBuf>,
    /// A rate deck, or a folder with a folder per deck
    #[arg(long, value_name = "DIR")]
    pub rates: PathBuf,
    /// The carrier's trunk list (JSON); without it every trunk allows transfers
    #[arg(long, value_name = "FILE")]
    pub trunks: Option<PathBuf>,
    /// accounts.csv: account_sid,name,deck and what an invoice needs
    #[arg(long, value_name = "FILE")]
    pub accounts: Option<PathBuf>,
    /// The ledger
    #[arg(long, value_name = "DIR", default_value = "ledger")]
    pub ledger: PathBuf,
    /// The configuration [default: trunkrate.toml, if there]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Threads that rate [default: one per core]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Book nothing if more records than this would be suspended (exit code 3)
    #[arg(long, value_name = "N")]
    pub max_suspended: Option<u64>,
    /// How to print the summary
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    pub format: TextFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TextFormat {
    /// For people
    Text,
    /// For scripts
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    /// For people
    Table,
    /// For spreadsheets and programs
    Csv,
    /// For scripts
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Comma-separated, with a header
    Csv,
    /// A JSON object per line
    Jsonl,
    /// Apache Parquet
    Parquet,
}

/// What one call costs and why, beside what was booked.
///
/// From the ledger it uses the deck that the call was booked with, or another one with --rates. With --cdrs it rates
/// straight from files, without a ledger.
#[derive(Debug, clap::Args)]
pub struct RerateArgs {
    /// The call
    #[arg(value_name = "CALL_SID")]
    pub call: String,
    /// Another rate deck [default: the one it was booked with]
    #[arg(long, value_name = "DIR")]
    pub rates: Option<PathBuf>,
    /// Rate from these call files instead of the ledger
    #[arg(long, value_name = "PATH", num_args = 1.., requires = "rates")]
    pub cdrs: Vec<PathBuf>,
    /// The carrier's trunk list, with --cdrs
    #[arg(long, value_name = "FILE", requires = "cdrs")]
    pub trunks: Option<PathBuf>,
    /// accounts.csv, with --cdrs or --rates
    #[arg(long, value_name = "FILE", requires = "rates")]
    pub accounts: Option<PathBuf>,
    /// The ledger
    #[arg(long, value_name = "DIR", default_value = "ledger")]
    pub ledger: PathBuf,
    /// The configuration [default: trunkrate.toml, if there]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How to print the explanation
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    pub format: TextFormat,
}

/// The call log: each parent with its children under it, `from` and `to` as the carrier's page shows them.
#[derive(Debug, clap::Args)]
pub struct LogArgs {
    /// The family of this call
    #[arg(long, value_name = "SID")]
    pub call: Option<String>,
    /// The calls of this account
    #[arg(long, value_name = "SID")]
    pub account: Option<String>,
    #[command(flatten)]
    pub times: Times,
    /// The ledger
    #[arg(long, value_name = "DIR", default_value = "ledger")]
    pub ledger: PathBuf,
    /// How to print it
    #[arg(long, value_enum, default_value_t = TableFormat::Table)]
    pub format: TableFormat,
}

#[derive(Debug, clap::Args)]
pub struct Times {
    /// From this date or instant (UTC), inclusive
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// To this date or instant (UTC), exclusive
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
}

/// Invoices of a month, per account: a CSV and a JSON file each, and an index.
///
/// A record belongs to the UTC month of its start. The lines add up to the legs, to the last decimal; the total is that
/// sum rounded once to the currency's minor unit, with the rounding as a line of its own.
#[derive(Debug, clap::Args)]
pub struct InvoiceArgs {
    /// The month
    #[arg(long, value_name = "YYYY-MM")]
    pub period: String,
    /// Only this account
    #[arg(long, value_name = "SID")]
    pub account: Option<String>,
    /// Where to write them
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// The ledger
    #[arg(long, value_name = "DIR", default_value = "ledger")]
    pub ledger: PathBuf,
}

/// What waits, and why.
#[derive(Debug, clap::Args)]
pub struct SuspenseArgs {
    /// Only this reason
    #[arg(long, value_name = "R")]
    pub reason: Option<String>,
    /// The ledger
    #[arg(long, value_name = "DIR", default_value = "ledger")]
    pub ledger: PathBuf,
    /// How to print it
    #[arg(long, value_enum, default_value_t = TableFormat::Table)]
    pub format: TableFormat,
}

/// Check a rate deck, or ask it for a number.
#[derive(Debug, clap::Args)]
pub struct RatesArgs {
    #[command(subcommand)]
    pub command: RatesCommand,
}

#[derive(Debug, Subcommand)]
pub enum RatesCommand {
    /// Load every deck of a folder, and say what is wrong
    Check {
        /// A rate deck, or a folder with a folder per deck
        dir: PathBuf,
    },
    /// Which row prices a number; which rows lost, and why
    Lookup(LookupArgs),
}

#[derive(Debug, clap::Args)]
pub struct LookupArgs {
    /// A rate deck, or a folder with a folder per deck
    pub dir: PathBuf,
    /// The rated number, with +; or 911
    pub number: String,
    /// The calling number [default: unknown]
    #[arg(long, value_name = "NUMBER")]
    pub from: Option<String>,
    /// termination or origination
    #[arg(long, value_name = "S", default_value = "termination")]
    pub service: String,
    /// When the call starts [default: now]
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    pub format: TextFormat,
}

/// What a Refer-To value asks for: `pstn`, `sip`, or the reason that it is neither.
#[derive(Debug, clap::Args)]
pub struct ClassifyArgs {
    /// Refer-To values, as in the header
    #[arg(value_name = "REFER_TO", required = true)]
    pub values: Vec<String>,
    /// The trunk's termination domain [default: any of the carrier's]
    #[arg(long, value_name = "HOST")]
    pub domain: Option<String>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    pub format: TextFormat,
}

/// Legs, calls or suspense, for other programs. Legs are sorted by start_time, call_sid and leg.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// What to export
    #[arg(value_enum)]
    pub what: ExportWhat,
    #[command(flatten)]
    pub times: Times,
    /// How
    #[arg(long, value_enum, default_value_t = ExportFormat::Csv)]
    pub format: ExportFormat,
    /// Where to [default: stdout]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// The ledger
    #[arg(long, value_name = "DIR", default_value = "ledger")]
    pub ledger: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportWhat {
    /// Billed legs
    Legs,
    /// The call log
    Calls,
    /// What waits
    Suspense,
}

/// Prove the conservation laws over the whole ledger, from the stored files alone.
#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    /// The ledger
    #[arg(long, value_name = "DIR", default_value = "ledger")]
    pub ledger: PathBuf,
}
