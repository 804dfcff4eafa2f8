//! `calls` and `explain` as typed.

#![allow(clippy::doc_markdown, reason = "these comments are the help texts")]

use super::rerate::RerateArgs;
use super::{TableFormat, TextFormat, span_of};
use crate::cli::cells::CellArgs;
use crate::money::{AMOUNT_DECIMALS, is_plain_decimal};
use crate::time::Micros;
use rust_decimal::Decimal;
use std::path::PathBuf;

/// Find calls: by number, account, time, what they cost; each family whole, a child under its
/// parent.
///
/// A word is a telephone number in any usual writing, or its last digits (+14155550100,
/// 0014155550100, (415) 555-0100, 0100), or its first ones (+1415, "+1415555…"), which is looked
/// for as A, B and C; a SIP address, or a caller without a number (anonymous); a call by its id or
/// the beginning of one; an account by its id, the beginning of one, or its name; or a day:
/// yesterday, today, 2026-11-20. Several numbers must all be in a call, and of several accounts, or
/// calls, each is shown. How a word was understood is said on stderr. `from` and `to` stand as the
/// carrier's page shows them.
///
/// What waits and what was ignored stands among them, marked; CSV has booked calls alone, and so
/// has JSON without any word or flag that narrows by more than call, account and time. Times
/// without an offset are of `input.timezone` [default: UTC].
#[derive(Debug, clap::Args)]
pub struct CallsArgs {
    /// Numbers, accounts, calls, or a day
    #[arg(value_name = "NUMBER|NAME|SID")]
    pub words: Vec<String>,
    /// The caller, A: a number, its last or first digits, a SIP address, or `anonymous`
    #[arg(long, value_name = "NUMBER")]
    pub a: Vec<String>,
    /// Who was called first, B
    #[arg(long, value_name = "NUMBER")]
    pub b: Vec<String>,
    /// Any party: A, B, C, or the number that the target was shown
    #[arg(long, value_name = "NUMBER")]
    pub number: Vec<String>,
    /// The family of this call, by its id or the beginning of one
    #[arg(long, value_name = "SID")]
    pub call: Option<String>,
    /// Only this account: its id, the beginning of one, or its name
    #[arg(long, value_name = "SID")]
    pub account: Option<String>,
    /// Around this time: "2026-11-20 15:00", "yesterday 15:00", or 15:00 of a day that a word names
    #[arg(long, value_name = "TIME", conflicts_with_all = ["from", "to"])]
    pub around: Option<String>,
    /// So long before and after it: 90s, 30m, 2h, 1d [default: 30m]
    #[arg(long, value_name = "SPAN", requires = "around", value_parser = span)]
    pub within: Option<Micros>,
    /// From this time, inclusive: 2026-11-20, "2026-11-20 15:00", yesterday, today
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// To this time, exclusive
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// Only this status: completed, busy, failed, no-answer, canceled, not-final
    #[arg(long, value_name = "STATUS")]
    pub status: Option<String>,
    /// Only this scenario: termination, origination-to-pstn, …
    #[arg(long, value_name = "SCENARIO")]
    pub scenario: Option<String>,
    /// Only calls that cost so much or more, in their own currency
    #[arg(long, value_name = "AMOUNT", value_parser = amount)]
    pub min_amount: Option<i128>,
    /// So many families, the newest ones; `all` for all [default: 50 in a table on a terminal,
    /// else all]
    #[arg(long, value_name = "N", value_parser = ListLimit::parse)]
    pub limit: Option<ListLimit>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = TableFormat::Table)]
    pub format: TableFormat,
    #[command(flatten)]
    pub cells: CellArgs,
}

/// How many families are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListLimit {
    /// All.
    All,
    /// So many.
    Most(usize),
}

impl ListLimit {
    fn parse(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(most @ 1..) => Ok(Self::Most(most)),
            _ if text == "all" => Ok(Self::All),
            _ => Err("expected a number of families, from 1 on, or `all`".to_owned()),
        }
    }
}

fn span(text: &str) -> Result<Micros, String> {
    span_of(text).ok_or_else(|| "expected a span of time, as 90s, 30m, 2h or 1d".to_owned())
}

/// An amount in units of 10⁻⁸.
fn amount(text: &str) -> Result<i128, String> {
    let read = Decimal::from_str_exact(text).ok().filter(|_| is_plain_decimal(text));
    let Some(mut amount) = read.map(|amount| amount.normalize()) else {
        return Err("expected an amount, as 5 or 0.25".to_owned());
    };
    if amount.scale() > AMOUNT_DECIMALS {
        return Err(format!("expected at most {AMOUNT_DECIMALS} decimals"));
    }
    amount.rescale(AMOUNT_DECIMALS);
    if amount.scale() != AMOUNT_DECIMALS {
        return Err("is more than any call costs".to_owned());
    }
    Ok(amount.mantissa())
}

/// What one call costs and why, beside what was booked; or why it waits, and what would settle it.
///
/// The call is named by its id, the beginning of one, or its number in the list that `calls`
/// printed last. It is `rerate` under another name, which also explains a call that waits. --html
/// writes a page for the customer: what the call was, and how its price came about, in plain words.
#[derive(Debug, clap::Args)]
#[command(mut_arg("call", |call| call.required(true)))]
pub struct ExplainArgs {
    #[command(flatten)]
    pub rerate: RerateArgs,
    /// How to print it
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    pub format: TextFormat,
    /// Write a page for the customer: one file, which needs nothing beside it
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["rates", "cdrs", "format", "call_files"]
    )]
    pub html: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SECOND;

    #[test]
    fn spans_and_amounts() {
        assert_eq!(span("90s"), Ok(90 * SECOND));
        assert_eq!(span("30m"), Ok(1800 * SECOND));
        assert_eq!(span("2h"), Ok(7200 * SECOND));
        assert_eq!(span("1d"), Ok(86_400 * SECOND));
        for bad in ["", "m", "30", "-1m", "1.5h", "+1h", "4294967296s", "1w"] {
            assert!(span(bad).is_err(), "{bad}");
        }
        assert_eq!(amount("0.25"), Ok(25_000_000));
        assert_eq!(amount("5.00000000000"), Ok(500_000_000));
        for bad in ["", "-1", "0.000000001", "1e3", "five", "79228162514264337593543950335"] {
            assert!(amount(bad).is_err(), "{bad}");
        }
        assert_eq!(ListLimit::parse("all"), Ok(ListLimit::All));
        assert_eq!(ListLimit::parse("7"), Ok(ListLimit::Most(7)));
        assert!(ListLimit::parse("0").is_err() && ListLimit::parse("some").is_err());
    }
}
