//! The command line as typed. Parsing may validate; it does nothing.

#![allow(clippy::doc_markdown, reason = "these comments are the help texts")]

pub mod calls;
pub mod init;
pub mod invoice;
pub mod ledger;
pub mod rates;
pub mod rerate;
pub mod serve;
pub mod status;
pub mod suspense;
pub mod undo;

use super::cells::CellArgs;
use crate::money::is_plain_decimal;
use crate::partition::spill::Memory;
use crate::time::{DAY, Micros, SECOND};
use clap::{Parser, Subcommand, ValueEnum};
use rust_decimal::Decimal;
use std::path::{Path, PathBuf};

/// Rates and bills the calls of a SIP trunk that supports call transfer (SIP REFER), and explains
/// every cent.
///
/// A transferred call is two records: the parent, and the child to the transfer target. trunkrate
/// finds the scenario of each transfer, bills the legs that the carrier publishes for it, and shows
/// the log as the carrier's page does.
///
/// `trunkrate init` makes a project and looks at your files, `trunkrate run` rates and books them,
/// `trunkrate suspense` says what could not be billed, and why. A SID is the carrier's id of a call
/// (CA…), an account (AC…) or a trunk (TK…).
///
/// Exit codes: 0 done; 1 failed, nothing booked; 2 usage; 3 more suspended than --max-suspended,
/// nothing booked; 4 the ledger is in use by another run.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Args {
    #[command(flatten)]
    pub project: ProjectArgs,
    /// Print long results at once, not page by page [env: TRUNKRATE_PAGER, PAGER] [default: less]
    #[arg(long, global = true, help_heading = "Terminal")]
    pub no_pager: bool,
    #[command(flatten)]
    pub session: status::SessionArgs,
    #[command(subcommand)]
    pub command: Command,
}

/// Where the project and its ledger are, before or after any command.
#[derive(Debug, Default, Clone, clap::Args)]
pub struct ProjectArgs {
    /// The ledger [env: TRUNKRATE_LEDGER] [default: the project's]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Project")]
    pub ledger: Option<PathBuf>,
    /// The project [env: TRUNKRATE_CONFIG] [default: trunkrate.toml, in this folder or above it]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Project")]
    pub config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Init(init::InitArgs),
    Demo(DemoArgs),
    Run(RunArgs),
    Rerate(rerate::RerateCommand),
    Explain(calls::ExplainArgs),
    #[command(visible_alias = "log")]
    Calls(calls::CallsArgs),
    Invoice(invoice::InvoiceArgs),
    Suspense(suspense::SuspenseArgs),
    Rates(rates::RatesArgs),
    Classify(ClassifyArgs),
    Export(ExportArgs),
    Verify(VerifyArgs),
    Status(status::StatusArgs),
    Serve(serve::ServeArgs),
    Runs(RunsArgs),
    Report(ReportArgs),
    Undo(undo::UndoArgs),
    Ledger(ledger::LedgerArgs),
    Plan(PlanArgs),
    /// The published billing table, as Markdown
    Table,
    Completions(CompletionsArgs),
    #[command(hide = true)]
    Man(ManArgs),
}

/// Threads beyond this gain nothing, and each takes its own stack and buffers.
const MOST_THREADS: usize = 1024;

/// Reads a number of threads.
fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(threads @ 1..=MOST_THREADS) => Ok(threads),
        _ => Err(format!("expected a number from 1 to {MOST_THREADS}")),
    }
}

/// Reads a span of time: a whole number and `s`, `m`, `h` or `d`.
fn span_of(text: &str) -> Option<Micros> {
    let units = [("s", SECOND), ("m", 60 * SECOND), ("h", 3600 * SECOND), ("d", DAY)];
    units.iter().find_map(|(unit, micros)| {
        let digits = text.strip_suffix(unit)?;
        let is_whole = digits.bytes().all(|byte| byte.is_ascii_digit());
        let number: u32 = is_whole.then_some(digits)?.parse().ok()?;
        i64::from(number).checked_mul(*micros)
    })
}

impl Command {
    /// The folder with templates of the user's own that it draws with, where one is given.
    pub fn templates(&self) -> Option<&Path> {
        match self {
            Self::Invoice(args) => args.templates(),
            _ => None,
        }
    }

    /// True if it only reads: a long result may be shown page by page. (A command that writes holds
    /// the ledger's lock.)
    pub fn only_reads(&self) -> bool {
        match self {
            Self::Rerate(args) => !args.books(),
            Self::Explain(_)
            | Self::Calls(_)
            | Self::Rates(_)
            | Self::Classify(_)
            | Self::Status(_)
            | Self::Runs(_)
            | Self::Plan(_)
            | Self::Table => true,
            Self::Suspense(args) => {
                matches!(args.command, None | Some(suspense::SuspenseCommand::Show(_)))
            }
            Self::Invoice(args) => args.only_reads(),
            _ => false,
        }
    }

    /// True if a flag keeps it from writing.
    pub fn is_dry_run(&self) -> bool {
        match self {
            Self::Rerate(args) => !args.books(),
            Self::Undo(args) => args.dry_run,
            Self::Suspense(args) => match &args.command {
                Some(suspense::SuspenseCommand::Close(args)) => args.dry_run,
                _ => false,
            },
            _ => false,
        }
    }
}

/// Rate call files and book them in the ledger.
///
/// Reads every call file, takes up what waits in suspense, and books each record once: the same
/// calls again book nothing. Records that cannot be billed now wait in suspense, whole, and are
/// tried again by every later run.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// Call files, folders or globs: CSV, JSON, JSON Lines or Parquet, also .gz or .zst [default:
    /// the project's `calls`]
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub cdrs: Vec<PathBuf>,
    #[command(flatten)]
    pub rating: RatingArgs,
    /// Threads that rate [default: one per core]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
    /// The exports know no transfers: the column parent_call_sid may be absent
    #[arg(long)]
    pub no_transfers: bool,
    /// Book nothing if more of the records that are read would be suspended than this: a number, or
    /// a share of them as 2% (exit code 3). What waited before is not counted
    #[arg(long, value_name = "N", value_parser = MaxSuspended::parse)]
    pub max_suspended: Option<MaxSuspended>,
    #[command(flatten)]
    pub night: status::NightArgs,
}

/// Write a sample night into a folder and take it from call files to invoices.
///
/// Two rate decks, five call files of four accounts, trunks and a project file, all invented. The
/// commands that follow are printed above their output, and can be typed again in that folder.
#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// The folder, new or empty
    #[arg(value_name = "DIR", default_value = "trunkrate-demo")]
    pub dir: PathBuf,
}

/// How many new records may be suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxSuspended {
    /// So many.
    Records(u64),
    /// So many of a hundred that were read.
    Percent(Decimal),
}

impl MaxSuspended {
    fn parse(text: &str) -> Result<Self, String> {
        let expected = || {
            "expected a number of records, as 100, or a share of those read, as 2% or 0.5%"
                .to_owned()
        };
        let Some(percent) = text.strip_suffix('%') else {
            return text.parse().map(Self::Records).map_err(|_| expected());
        };
        let percent = Decimal::from_str_exact(percent).ok().filter(|percent| {
            (Decimal::ZERO..=Decimal::ONE_HUNDRED).contains(percent)
                && is_plain_decimal(text.trim_end_matches('%'))
        });
        percent.map(Self::Percent).ok_or_else(expected)
    }

    /// Whether so many suspended are more, of so many that were read.
    pub fn is_exceeded(self, suspended: u64, read: u64) -> bool {
        match self {
            Self::Records(most) => suspended > most,
            Self::Percent(percent) => {
                Decimal::from(suspended) * Decimal::ONE_HUNDRED > percent * Decimal::from(read)
            }
        }
    }
}

impl std::fmt::Display for MaxSuspended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Records(most) => write!(f, "{most}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

/// What calls are rated with, and where they are booked.
#[derive(Debug, clap::Args)]
pub struct RatingArgs {
    /// A rate deck, or a folder with a folder per deck [default: the project's `rates`]
    #[arg(long, value_name = "DIR")]
    pub rates: Option<PathBuf>,
    /// The carrier's trunk list (JSON); without it every trunk allows transfers [default: the
    /// project's `trunks`]
    #[arg(long, value_name = "FILE")]
    pub trunks: Option<PathBuf>,
    /// accounts.csv: account_sid,name,deck and what an invoice needs [default: the project's
    /// `accounts`]
    #[arg(long, value_name = "FILE")]
    pub accounts: Option<PathBuf>,
    /// Book although decks, trunks or accounts have changed since the last run; what has is kept
    /// with the run
    #[arg(long)]
    pub accept_changes: bool,
    /// How much memory the calls may take (512MiB, 2GiB); what is more waits on disk beside the
    /// ledger [default: half of the machine's, at most 4GiB]
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    pub memory: Option<Memory>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    pub format: TextFormat,
}

/// `512MiB`, `2GiB`, or bytes.
fn memory(text: &str) -> Result<Memory, String> {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10), ("", 0)];
    let (number, shift) = units
        .iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, *shift)))
        .unwrap_or((text, 0));
    let bytes =
        number.trim_end().parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift));
    bytes
        .filter(|bytes| *bytes > 0)
        .map(Memory::new)
        .ok_or_else(|| "expected a size, as 512MiB or 2GiB".to_owned())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TextFormat {
    /// For people
    Text,
    /// For scripts
    Json,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    /// For people
    #[default]
    Table,
    /// For spreadsheets; with --raw for programs
    Csv,
    /// For scripts
    Json,
    /// A JSON object per line
    Jsonl,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Comma-separated, with a header, for spreadsheets; with --raw for programs
    Csv,
    /// A JSON object per line
    Jsonl,
    /// Apache Parquet
    Parquet,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct Times {
    /// From this date or instant (UTC), inclusive
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// To this date or instant (UTC), exclusive
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
}

/// The runs of the ledger, oldest first, and those that were undone; and the nights that failed.
///
/// When each was booked, by whom and how long it took is what the ledger's journal knows.
#[derive(Debug, clap::Args)]
pub struct RunsArgs {
    /// Every command that wrote or failed, instead of the runs
    #[arg(long)]
    pub journal: bool,
    /// How to print it
    #[arg(long, value_enum, default_value_t = TableFormat::Table)]
    pub format: TableFormat,
    #[command(flatten)]
    pub cells: CellArgs,
}

/// A run as one reads it in the morning: one HTML file.
///
/// What went in and where every record ended, what waits and what to do about it, the amounts by
/// day beside the four weeks before, the largest calls, and what is odd. The file needs nothing
/// beside it, and runs nothing.
#[derive(Debug, clap::Args)]
pub struct ReportArgs {
    /// The run [default: the last one]
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
    /// Where to write it [default: stdout]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = ReportFormat::Html)]
    pub format: ReportFormat,
    /// Hide so many last digits of every telephone number
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub mask: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people
    Html,
    /// For scripts
    Json,
}

/// Book a night that was rated and published by Spark (trunkrate_spark).
///
/// Its records are rated again, with its own decks, trunks, accounts and configuration, after what
/// this ledger has booked. If every leg, every row of the log and every count is what was
/// published, a run is booked: the one that `run` would have booked. Else nothing is, and the first
/// difference is named. A night that is imported already books nothing.
#[derive(Debug, clap::Args)]
pub struct ImportArgs {
    /// The published night: nights/000017-5f0c1234
    #[arg(value_name = "DIR")]
    pub night: PathBuf,
    /// Book although decks, trunks or accounts have changed since the last run; what has is kept
    /// with the run
    #[arg(long)]
    pub accept_changes: bool,
    /// How much memory the calls may take (512MiB, 2GiB); what is more waits on disk beside the
    /// ledger [default: half of the machine's, at most 4GiB]
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    pub memory: Option<Memory>,
    /// Reckon by these figures, as `make bench` writes them [default: those of the published
    /// benchmark]
    #[arg(long, value_name = "FILE")]
    pub figures: Option<PathBuf>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    pub format: TextFormat,
}

/// What a night of so many calls takes, on one machine and on Spark.
///
/// Whether one machine does it, with how much memory, disk and time, and how many cores Spark would
/// need. Arithmetic on what was measured: each figure is shown with its formula and where it was
/// measured. Your machine is another one; `make bench` measures it.
#[derive(Debug, clap::Args)]
pub struct PlanArgs {
    /// Calls of a night
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub calls_per_night: u64,
    /// Whole hours within which a night must be booked, at most 24
    #[arg(
        long, value_name = "N", default_value_t = 4,
        value_parser = clap::value_parser!(u64).range(1..=24),
    )]
    pub hours: u64,
    /// Cores of the machine [default: those of this one]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=4096))]
    pub cores: Option<u64>,
    /// Memory of the machine [default: that of this one]
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    pub memory: Option<Memory>,
    /// Reckon by these figures, as `make bench` writes them [default: those of the published
    /// benchmark]
    #[arg(long, value_name = "FILE")]
    pub figures: Option<PathBuf>,
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

/// Legs, calls, suspense or ignored calls, for other programs.
///
/// Legs are sorted by start_time, call_sid and leg.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// What to export
    #[arg(value_enum)]
    pub what: ExportWhat,
    /// Only this reason, such as no-rate; may be given several times [of suspense]
    #[arg(long, value_name = "REASON")]
    pub reason: Vec<String>,
    /// Only this cause, by its id in `suspense`; or all causes of a reason, such as no-rate. May be
    /// given several times [of suspense]
    #[arg(long, value_name = "CAUSE")]
    pub cause: Vec<String>,
    /// Only this account [of suspense]
    #[arg(long, value_name = "SID")]
    pub account: Option<String>,
    #[command(flatten)]
    pub times: Times,
    /// How to print it
    #[arg(long, value_enum, default_value_t = ExportFormat::Csv)]
    pub format: ExportFormat,
    #[command(flatten)]
    pub cells: CellArgs,
    /// Where to write it [default: stdout]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

impl ExportArgs {
    /// The flags that pick suspended records.
    pub fn picks(&self) -> suspense::Picks {
        let (cause, account) = (self.cause.clone(), self.account.clone());
        suspense::Picks { cause, account, times: self.times.clone() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportWhat {
    /// Billed legs
    Legs,
    /// The call log
    Calls,
    /// What waits
    Suspense,
    /// Calls that are no trunk's
    Ignored,
}

/// Prove the conservation laws over the whole ledger, from the stored files alone.
///
/// The chain of runs, the hash of every file, the balance of records and seconds, every leg
/// recomputed by a second rater from its call and the archived deck, every id once, and every bit
/// of the catalog. The first thing that is wrong is named, with its place.
#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    /// A quick look: the chain, the balances and the catalog, but files and legs of about so many
    /// calls only
    #[arg(long, value_name = "N")]
    pub sample: Option<u64>,
    /// A head that was noted earlier, as `run`, `issue`, `undo`, `runs` and `verify` print it:
    /// proves that all the ledger held then is in it now
    #[arg(long, value_name = "HEAD", allow_hyphen_values = true)]
    pub since: Option<String>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    pub format: TextFormat,
}

/// A script that completes commands and flags in a shell, to stdout.
///
/// bash: trunkrate completions bash > ~/.local/share/bash-completion/completions/trunkrate; zsh: to
/// a file `_trunkrate` in a folder of $fpath; fish: to ~/.config/fish/completions/trunkrate.fish.
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: clap_complete::Shell,
}

/// Write a man page of each command, for packages: `man -l DIR/trunkrate-run.1` shows one.
#[derive(Debug, clap::Args)]
pub struct ManArgs {
    /// Where to write them
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}
