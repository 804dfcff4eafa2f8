//! Flags of `suspense`.

use super::{RatingArgs, TableFormat, TextFormat, Times};
use crate::cli::cells::CellArgs;
use clap::Subcommand;
use std::path::PathBuf;

/// What waits in suspense (records that cannot be billed yet), why, and what to do about it.
///
/// Without a subcommand it groups the waiting records by what would settle them, the most money
/// first: estimates, which no bill contains. --all lists the records one by one. A record is named
/// by its call's id or, if it has none, by its source: calls.csv:17.
#[derive(Debug, clap::Args)]
pub struct SuspenseArgs {
    #[command(subcommand)]
    pub command: Option<SuspenseCommand>,
    #[command(flatten)]
    pub list: SuspenseList,
}

#[derive(Debug, Default, PartialEq, Eq, clap::Args)]
pub struct SuspenseList {
    /// Only this reason, such as no-rate; may be given several times
    #[arg(long, value_name = "REASON")]
    pub reason: Vec<String>,
    #[command(flatten)]
    pub picks: Picks,
    /// Only records of this call file
    #[arg(long, value_name = "FILE")]
    pub source: Option<String>,
    /// Only what waits for more than so many days, up to the newest call that the ledger knows
    #[arg(long, value_name = "N")]
    pub older_than: Option<i64>,
    /// List the records one by one instead of their causes
    #[arg(long)]
    pub all: bool,
    /// Group by cause in CSV and JSON too, which list the records without it
    #[arg(long, conflicts_with_all = ["all", "counts", "export"])]
    pub by_cause: bool,
    /// Count by reason instead of listing
    #[arg(long, conflicts_with = "all")]
    pub counts: bool,
    /// Write the records as a call file (JSON Lines) that `run` accepts; - is stdout
    #[arg(long, value_name = "FILE", conflicts_with_all = ["counts", "format"])]
    pub export: Option<PathBuf>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = TableFormat::Table)]
    pub format: TableFormat,
    #[command(flatten)]
    pub cells: CellArgs,
}

#[derive(Debug, Subcommand)]
pub enum SuspenseCommand {
    /// All that is known of one waiting call: its fields, and its versions side by side
    Show(ShowArgs),
    Close(CloseArgs),
    Resolve(ResolveArgs),
    Set(SetArgs),
    Retry(RetryArgs),
}

// Which waiting records are meant. (A doc comment would be the help of the command.)
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct Picks {
    /// Only this cause, by its id in `suspense`; or all causes of a reason, such as no-rate. May be
    /// given several times
    #[arg(long, value_name = "CAUSE")]
    pub cause: Vec<String>,
    /// Only this account
    #[arg(long, value_name = "SID")]
    pub account: Option<String>,
    #[command(flatten)]
    pub times: Times,
}

/// The flags of [`Picks`].
const PICKS: [&str; 4] = ["cause", "account", "from", "to"];

#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// The call; or FILE:LINE, the source of a record without an id
    #[arg(value_name = "CALL_SID")]
    pub call: String,
    /// How to print it
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    pub format: TextFormat,
}

/// Write waiting records off: of calls that are named, or all that --cause, --account, --from and
/// --to choose.
///
/// All of them or none. A call is written off with all its waiting versions, and a transfer stays
/// when its parent leaves. --dry-run says how many records of how much estimated money that is, and
/// how many would be left. `undo` takes it back.
#[derive(Debug, clap::Args)]
pub struct CloseArgs {
    /// The calls; or FILE:LINE, the source of a record without an id
    #[arg(
        value_name = "CALL_SID",
        required_unless_present_any = PICKS,
        conflicts_with_all = PICKS
    )]
    pub calls: Vec<String>,
    #[command(flatten)]
    pub picks: Picks,
    /// Why; it is kept with the records
    #[arg(long, value_name = "TEXT", required_unless_present = "dry_run")]
    pub reason: Option<String>,
    /// Only show what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Choose one of the versions of a conflicting call, also over the booked one; the others are
/// written off.
///
/// Where a version is booked, its legs stay where they are, and legs of the opposite amounts take
/// them back, in the run that books the chosen version by the rates of the last run. What an
/// invoice bills is refused until `invoice credit --rebill` has taken it back; so is a version by
/// which transfers of the call would have been rated otherwise. `undo` takes all of it back.
#[derive(Debug, clap::Args)]
pub struct ResolveArgs {
    /// The call, by its SID
    #[arg(value_name = "CALL_SID")]
    pub call: String,
    /// The version that is right, by its number in `suspense show`
    #[arg(long, value_name = "N")]
    pub take: usize,
    /// Why; it is kept with the other versions, and must be given if one of them is booked
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// Set a time by hand that the clock shows twice or never; the next run rates the record by it.
///
/// When the clock goes back, a local time of that hour may mean either of two instants; when it
/// goes forward, it skips an hour that a device may write all the same. `suspense show` names the
/// two instants, and no other is taken. The record stays as it came.
#[derive(Debug, clap::Args)]
pub struct SetArgs {
    /// The call, by its SID
    #[arg(value_name = "CALL_SID")]
    pub call: String,
    /// Its start, with an offset: 2026-10-25T02:30:00+01:00
    #[arg(long, value_name = "TIME")]
    pub start: Option<String>,
    /// Its end, if the clock shows that twice or never, too
    #[arg(long, value_name = "TIME")]
    pub end: Option<String>,
    /// Its answer, if the clock shows that twice or never, too
    #[arg(long, value_name = "TIME")]
    pub answer: Option<String>,
    /// Why; it is kept with the times
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// Try what waits again, without new calls: after a deck, a trunk list or the configuration was
/// mended.
///
/// With --cause, --reason, --account, --from or --to only the records of these, with their
/// families; all others stay as they are.
#[derive(Debug, clap::Args)]
pub struct RetryArgs {
    /// Only this reason, such as no-rate; may be given several times
    #[arg(long, value_name = "REASON")]
    pub reason: Vec<String>,
    #[command(flatten)]
    pub picks: Picks,
    #[command(flatten)]
    pub rating: RatingArgs,
}
