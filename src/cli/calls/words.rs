//! Words and flags as what is wanted.
//!
//! **Invariant:** a word that is nothing known is an error, and never an empty list. A word that
//! could be understood otherwise is told.

use super::{Finder, account_of, sid_of};
use crate::cli::args::calls::CallsArgs;
use crate::cli::error::CliError;
use crate::cli::term;
use crate::dialled::{Beginning, Dialled, LEAST_DIGITS, LEAST_FIRST_DIGITS, is_number_like};
use crate::ledger::LedgerError;
use crate::ledger::index::account_names;
use crate::ledger::index::prefix;
use crate::ledger::index::search::{PartyText, Role, Wanted, Who};
use crate::party::Party;
use crate::report::calls;
use crate::scenario::{Direction, Scenario};
use crate::status::Status;
use crate::table::BILLING_TABLE;
use crate::time::local::{Clock, is_date_like};
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
                let text = text.trim();
                let who = match party(text) {
                    None => known_text(finder, text)?,
                    who => who,
                };
                let who = who.ok_or_else(|| not_a_number(&format!("{flag} "), text))?;
                tell_beginning(text, &who);
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
    if is_date_like(word) {
        let is_name = is_called_so(word, finder, wanted)?;
        return if is_name { Ok(()) } else { Err(not_a_day(word)) };
    }
    // An account may be named like a number.
    let listed = finder.names.listed(word);
    if let account_names::Named::One(sid, account_names::By::Id) = listed {
        wanted.accounts.insert(sid);
        return Ok(());
    }
    let is_cut_number = is_number_like(word.trim_end_matches(['…', '*']));
    if is_cut_number || Beginning::parse(word).is_some() || word.contains('@') || word.contains(':')
    {
        let who = match party(word) {
            None => known_text(finder, word)?,
            who => who,
        };
        let who = who.ok_or_else(|| not_a_number("", word))?;
        tell_beginning(word, &who);
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
    let text = PartyText::of(word);
    if !is_account && let Some(text) = text.filter(PartyText::is_withheld) {
        term::report("note", &format!("{word}: calls of a party who is written so"));
        wanted.parties.push((Role::Any, Who::Text(text)));
        return Ok(());
    }
    if (!is_account || prefix::is_carriers(word))
        && let Some(sid) = sid_of(history, word)?
    {
        if sid != word {
            term::report("note", &format!("{word}: the call {sid}"));
        }
        wanted.sids.insert(sid);
        return Ok(());
    }
    let is_several = matches!(listed, account_names::Named::Several(_));
    if !is_several
        && matches!(finder.names.resolve(history, word)?, account_names::Named::None(_))
        && let Some(who) = known_text(finder, word)?
    {
        term::report("note", &format!("{word}: calls of a party who is written so"));
        wanted.parties.push((Role::Any, who));
        return Ok(());
    }
    let account = account_of(&finder.names, history, "", word).map_err(|error| {
        if is_several {
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

/// Adds the account or the call that is called exactly so; true if there is one.
fn is_called_so(word: &str, finder: &Finder<'_>, wanted: &mut Wanted) -> Result<bool, LedgerError> {
    let named = finder.names.resolve(finder.history, word)?;
    if let account_names::Named::One(sid, account_names::By::Id) = named {
        wanted.accounts.insert(sid);
        return Ok(true);
    }
    let is_call = prefix::is_id(finder.history, word)?;
    if is_call {
        wanted.sids.insert(word.to_owned());
    }
    Ok(is_call)
}

fn not_a_day(word: &str) -> CliError {
    let error = CliError::usage(format!(
        "{word} looks like a date, and is none that can be read: write the day as 2026-11-20"
    ));
    let error = match word.trim() {
        month if month.len() == 7 => error.hint("a month: --from 2026-11-01 --to 2026-12-01"),
        _ => error,
    };
    if Dialled::parse(word).is_some() {
        return error.hint(format!("if it is a telephone number: --number {}", word.trim()));
    }
    error
}

fn tell_beginning(text: &str, who: &Who) {
    if matches!(who, Who::Beginning(_)) {
        term::report("note", &format!("{text}: numbers that begin so"));
    }
}

/// A text that is no number and no address, if a call has such a party.
fn known_text(finder: &Finder<'_>, text: &str) -> Result<Option<Who>, LedgerError> {
    if is_number_like(text) {
        return Ok(None);
    }
    let Some(who) = PartyText::of(text).map(Who::Text) else { return Ok(None) };
    let wanted = Wanted { parties: vec![(Role::Any, who.clone())], ..Wanted::default() };
    let found = calls::find(finder.history, &wanted, Some(1), finder.zone.as_ref())?;
    Ok(Some(who).filter(|_| !found.families.is_empty()))
}

/// A number in any usual writing, its first or last digits, a SIP address, or a word for a caller
/// who is withheld.
fn party(text: &str) -> Option<Who> {
    let text = text.trim();
    if let Some(beginning) = Beginning::parse(text) {
        return Some(Who::Beginning(beginning));
    }
    if let Some(number) = Dialled::parse(text) {
        return Some(Who::Number(number));
    }
    let with_scheme = if text.contains(':') { text.to_owned() } else { format!("sip:{text}") };
    match Party::of_root(&with_scheme) {
        Party::Number(number) => Dialled::parse(&number.to_string()).map(Who::Number),
        // A bare word would be read as the host of an address.
        Party::Endpoint(_) if text.contains(['@', ':']) => PartyText::of(text).map(Who::Text),
        Party::Endpoint(_) | Party::Unknown(_) => {
            PartyText::of(text).filter(PartyText::is_withheld).map(Who::Text)
        }
    }
}

fn not_a_number(flag: &str, text: &str) -> CliError {
    CliError::usage(format!(
        "{flag}{text}: expected a telephone number, or {LEAST_DIGITS} or more of its last digits; \
         no call has a party who is written so"
    ))
    .hint("as +14155550100, (415) 555-0100, 0100, or sip:bob@pbx.example.com")
    .hint(format!(
        "the beginning of a number: +1415, \"(415) 555…\", {LEAST_FIRST_DIGITS} or more digits"
    ))
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
        if day.is_none() && clock.instant(around, "yesterday") != Ok(at) {
            let (shown, zone) = (clock.text(at), clock.zone_name());
            term::report("note", &format!("--around {around}: {shown} in {zone}, today"));
        }
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
