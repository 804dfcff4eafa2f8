//! Words and flags as what is wanted.
//!
//! **Invariant:** a word that is nothing known is an error, and never an empty list. A word that
//! could be understood otherwise is told.

use super::{Finder, account_of, sid_of};
use crate::cli::args::calls::CallsArgs;
use crate::cli::error::CliError;
use crate::cli::term;
use crate::dialled::{Dialled, LEAST_DIGITS, is_number_like};
use crate::ledger::index::account_names;
use crate::ledger::index::prefix;
use crate::ledger::index::search::{Role, Wanted, Who};
use crate::party::Party;
use crate::scenario::{Direction, Scenario};
use crate::status::Status;
use crate::table::BILLING_TABLE;
use crate::time::local::Clock;
use crate::time::{Micros, SECOND, TimeError};
use std::ops::Range;

/// The time before and after `--around`.
const WITHIN: Micros = 1800 * SECOND;

/// What is asked for.
pub struct AskedCalls {
    pub wanted: Wanted,
}

impl AskedCalls {
    /// Reads words and flags.
    pub fn of(args: &CallsArgs, finder: &Finder<'_>) -> Result<Self, CliError> {
        let mut wanted = Wanted::default();
        let mut day: Option<&str> = None;
        for word in &args.words {
            understand(word, finder, &mut wanted, &mut day)?;
        }
        let flags = [
            (Role::Caller, "--a", &args.a),
            (Role::Called, "--b", &args.b),
            (Role::Any, "--number", &args.number),
        ];
        for (role, flag, numbers) in flags {
            for text in numbers {
                let who = party(text).ok_or_else(|| not_a_number(&format!("{flag} "), text))?;
                wanted.parties.push((role, who));
            }
        }
        if let Some(account) = &args.account {
            let sid = account_of(&finder.names, finder.history, "--account ", account)?;
            wanted.accounts.insert(sid);
        }
        if let Some(call) = &args.call {
            let sid = sid_of(finder.history, call)?.unwrap_or_else(|| call.clone());
            wanted.sids.insert(sid);
        }
        wanted.times = times(args, day, &finder.clock)?;
        wanted.status = args.status.as_deref().map(status).transpose()?;
        wanted.scenario = args.scenario.as_deref().map(scenario).transpose()?;
        wanted.least_amount = args.min_amount;
        Ok(Self { wanted })
    }
}

/// Adds what a word says.
fn understand<'a>(
    word: &'a str,
    finder: &Finder<'_>,
    wanted: &mut Wanted,
    day: &mut Option<&'a str>,
) -> Result<(), CliError> {
    let history = finder.history;
    if word.trim().is_empty() {
        return Err(CliError::usage("a word is empty: expected a number, an account or a call"));
    }
    if let Some(times) = finder.clock.day(word) {
        if day.replace(word).is_some() {
            return Err(CliError::usage(format!("{word}: one day alone can be asked for"))
                .hint("--from and --to say several"));
        }
        let date = finder.clock.date(times.start);
        if date != word.trim() {
            term::report("note", &format!("{word}: {date} in {}", finder.clock.zone_name()));
        }
        return Ok(());
    }
    // An account may be named like a number.
    let listed = finder.names.listed(word);
    if let account_names::Named::One(sid, account_names::By::Id) = listed {
        wanted.accounts.insert(sid);
        return Ok(());
    }
    if is_number_like(word) || word.contains('@') || word.contains(':') {
        let who = party(word).ok_or_else(|| not_a_number("", word))?;
        if let Who::Number(number) = &who
            && !number.is_whole()
        {
            term::report("note", &format!("{word}: numbers that end so"));
        }
        wanted.parties.push((Role::Any, who));
        return Ok(());
    }
    let is_account =
        matches!(listed, account_names::Named::One(..) | account_names::Named::Several(_));
    if (!is_account || prefix::is_carriers(word))
        && let Some(sid) = sid_of(history, word)?
    {
        if sid != word {
            term::report("note", &format!("{word}: the call {sid}"));
        }
        wanted.sids.insert(sid);
        return Ok(());
    }
    let account = account_of(&finder.names, history, "", word).map_err(|error| {
        let is_none = !matches!(listed, account_names::Named::Several(_));
        if !is_none {
            return error;
        }
        let hints = error.hints().to_vec();
        let unknown =
            CliError::failed(format!("{word}: no account, call or number is known by that"));
        hints.into_iter().fold(unknown, CliError::hint)
    })?;
    wanted.accounts.insert(account);
    Ok(())
}

/// A number in any usual writing, its last digits, or a SIP address.
fn party(text: &str) -> Option<Who> {
    let text = text.trim();
    if let Some(number) = Dialled::parse(text) {
        return Some(Who::Number(number));
    }
    let with_scheme = if text.contains(':') { text.to_owned() } else { format!("sip:{text}") };
    match Party::of_root(&with_scheme) {
        Party::Number(number) => Dialled::parse(&number.to_string()).map(Who::Number),
        Party::Endpoint(endpoint) => Some(Who::Text(endpoint.into_owned())),
        Party::Unknown(_) => None,
    }
}

fn not_a_number(flag: &str, text: &str) -> CliError {
    CliError::usage(format!(
        "{flag}{text}: expected a telephone number, or {LEAST_DIGITS} or more of its last digits"
    ))
    .hint("as +14155550100, (415) 555-0100, 0100, or sip:bob@pbx.example.com")
}

fn times(
    args: &CallsArgs,
    day: Option<&str>,
    clock: &Clock,
) -> Result<Option<Range<Micros>>, CliError> {
    let bounds = [&args.from, &args.to];
    if let Some(day) = day
        && bounds.iter().any(|bound| bound.is_some())
    {
        return Err(CliError::usage(format!(
            "{day} is a day, and --from or --to says another time: give one of them"
        )));
    }
    if let Some(around) = &args.around {
        if clock.day(around).is_some() {
            return Err(CliError::usage(format!("--around {around}: expected a time of that day"))
                .hint("as --around \"yesterday 15:00\""));
        }
        let at = instant(clock, "--around", around, day.unwrap_or("today"))?;
        let within = args.within.unwrap_or(WITHIN);
        // The last microsecond is within it too.
        return Ok(Some(at.saturating_sub(within)..at.saturating_add(within).saturating_add(1)));
    }
    if let Some(day) = day {
        return Ok(clock.day(day));
    }
    let bound = |text: &Option<String>, flag: &str, open: Micros| match text {
        None => Ok(open),
        Some(text) => instant(clock, flag, text, "today"),
    };
    if bounds.iter().all(|bound| bound.is_none()) {
        return Ok(None);
    }
    Ok(Some(bound(&args.from, "--from", i64::MIN)?..bound(&args.to, "--to", i64::MAX)?))
}

fn instant(clock: &Clock, flag: &str, text: &str, day: &str) -> Result<Micros, CliError> {
    clock.instant(text, day).map_err(|why| {
        let zone = clock.zone_name();
        let problem = match why {
            TimeError::TwiceInZone { .. } => format!("the clock of {zone} shows it twice"),
            TimeError::NeverInZone { .. } => format!("the clock of {zone} never shows it"),
            _ => {
                return CliError::usage(format!(
                    "{flag} {text}: expected a date (2026-11-20), a time (2026-11-20 15:00), \
                     `today` or `yesterday`"
                ));
            }
        };
        CliError::usage(format!("{flag} {text}: {problem}"))
            .hint("give it with its offset, as 2026-10-25T02:30:00+01:00")
    })
}

fn status(text: &str) -> Result<String, CliError> {
    let known = Status::parse(text).as_str();
    if known == Status::NotFinal.as_str() && text != known {
        let all = Status::ALL.map(Status::as_str).join(", ");
        return Err(CliError::usage(format!("--status {text}: there is no such status"))
            .hint(format!("statuses: {all}")));
    }
    Ok(known.to_owned())
}

fn scenario(text: &str) -> Result<String, CliError> {
    if Scenario::parse(text).is_some() {
        return Ok(text.to_owned());
    }
    let transfers = BILLING_TABLE.iter().map(|row| Scenario::Transfer(row.scenario));
    let roots = [Direction::Termination, Direction::Origination].map(Scenario::Root);
    let all = roots.into_iter().chain(transfers);
    let all: Vec<String> = all.map(|scenario| scenario.as_str().to_owned()).collect();
    Err(CliError::usage(format!("--scenario {text}: there is no such scenario"))
        .hint(format!("scenarios: {}", all.join(", "))))
}
