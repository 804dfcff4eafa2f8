//! Flags of `status`, of what a night tells of itself, and of every command's log.

use super::TextFormat;
use crate::time::Micros;
use clap::ValueEnum;
use std::path::PathBuf;

/// How a command speaks, whichever it is.
#[derive(Debug, Default, clap::Args)]
pub struct SessionArgs {
    /// How notes, warnings and errors are written to stderr; json: an object a line, with time,
    /// level and message
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "FORMAT",
        default_value_t,
        help_heading = "Project"
    )]
    pub log: LogFormat,
    /// The time that counts as now: for tests of what depends on it
    #[arg(long, global = true, hide = true, value_name = "TIME")]
    pub now: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// Whether all is well with the nights: one line that says it, then the details.
///
/// Exit code 0: good. 1: something is wrong, and each problem is listed, the worst first: the last
/// run failed, or began and never ended; no run for too long; call files that are set aside; a
/// ledger that `verify` found broken; a disk on which the next night would not fit; a clock, a
/// journal or a list of refused files that cannot be trusted. While a run is going on, it is good.
/// What waits is shown with its money, and is no problem.
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    /// How long a night may be ago: 26h, 90m, 2d [default: the project's `status.max_age`, else
    /// 26h]
    #[arg(long, value_name = "SPAN", value_parser = age)]
    pub max_age: Option<Micros>,
    /// Write the status as OpenMetrics, for a textfile collector: a file ending in .prom
    #[arg(long, value_name = "FILE")]
    pub metrics: Option<PathBuf>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    pub format: TextFormat,
}

/// What a night leaves for the morning, and for machines that watch it.
#[derive(Debug, Default, Clone, clap::Args)]
pub struct NightArgs {
    /// Book the good call files although others are refused: unreadable, torn, without a column
    /// that is needed. Those are moved to this folder, each with its reason beside it, and named by
    /// every run and by `status` until they are gone from there
    #[arg(long, value_name = "DIR")]
    pub set_aside: Option<PathBuf>,
    /// Write the run's report, as `report` does
    #[arg(long, value_name = "FILE", help_heading = "For the morning")]
    pub report: Option<PathBuf>,
    /// Write what `status --format json` says, also when the run fails
    #[arg(long, value_name = "FILE", help_heading = "For the morning")]
    pub status_file: Option<PathBuf>,
    /// Write the status as OpenMetrics, for a textfile collector: a file ending in .prom
    #[arg(long, value_name = "FILE", help_heading = "For the morning")]
    pub metrics: Option<PathBuf>,
}

/// Reads an age: a whole number and `s`, `m`, `h` or `d`.
pub fn age(text: &str) -> Result<Micros, String> {
    let age = super::span_of(text).filter(|age| *age > 0);
    age.ok_or_else(|| "expected an age, as 26h, 90m or 2d".to_owned())
}
