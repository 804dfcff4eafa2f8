//! Calls as people ask for them: words, numbers, accounts and times as what is wanted.
//!
//! **Invariant:** a word that is nothing known is an error, and never an empty list. A word that
//! could be understood otherwise is told. The clock is an argument.

pub mod phrase;

use crate::dialled::{Beginning, Dialled, LEAST_DIGITS, LEAST_FIRST_DIGITS, is_number_like};
use crate::inputs::file::FileError;
use crate::ledger::index::account_names::{self, AccountNames};
use crate::ledger::index::prefix;
use crate::ledger::index::search::{PartyText, Role, Wanted, Who};
use crate::ledger::{History, LedgerError};
use crate::party::Party;
use crate::report::calls;
use crate::scenario::{Direction, Scenario};
use crate::status::Status;
use crate::table::BILLING_TABLE;
use crate::time::local::{Clock, is_date_like};
use crate::time::{Micros, SECOND, TimeError, Zone};
use std::ops::Range;

/// The time before and after `around`.
const WITHIN: Micros = 1800 * SECOND;

/// The reason why a question has no answer.
#[derive(Debug)]
pub enum AskError {
    /// The ledger, or a file.
    Ledger(LedgerError),
    /// The question.
    Asked {
        /// True if it cannot be understood; false if nothing is known by it.
        is_wrong: bool,
        /// The problem.
        message: String,
        /// Advice on it.
        hints: Vec<String>,
    },
}

impl AskError {
    /// A question that cannot be understood.
    #[must_use]
    pub fn wrong(message: impl Into<String>) -> Self {
        Self::Asked { is_wrong: true, message: message.into(), hints: Vec::new() }
    }

    /// A question by which nothing is known.
    #[must_use]
    pub fn unknown(message: impl Into<String>) -> Self {
        Self::Asked { is_wrong: false, message: message.into(), hints: Vec::new() }
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Self::Asked { hints, .. } = &mut self {
            hints.push(hint.into());
        }
        self
    }

    /// The hints.
    #[must_use]
    pub fn hints(&self) -> &[String] {
        match self {
            Self::Ledger(_) => &[],
            Self::Asked { hints, .. } => hints,
        }
    }
}

impl From<LedgerError> for AskError {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl From<FileError> for AskError {
    fn from(error: FileError) -> Self {
        Self::Ledger(error.into())
    }
}

/// A question, as it was typed: every word and field narrows it.
#[derive(Debug, Clone, Default)]
pub struct Asking {
    /// Numbers, accounts, calls, or a day.
    pub words: Vec<String>,
    /// The caller.
    pub a: Vec<String>,
    /// Who was called first.
    pub b: Vec<String>,
    /// Any party.
    pub number: Vec<String>,
    /// The family of this call.
    pub call: Option<String>,
    /// Only this account.
    pub account: Option<String>,
    /// Around this time.
    pub around: Option<String>,
    /// So long before and after it.
    pub within: Option<Micros>,
    /// From this time, inclusive.
    pub from: Option<String>,
    /// To this time, exclusive.
    pub to: Option<String>,
    /// Only this status.
    pub status: Option<String>,
    /// Only this scenario.
    pub scenario: Option<String>,
    /// Only calls of this amount or more, in units of 10⁻⁸.
    pub least_amount: Option<i128>,
}

/// The context that calls are found with.
pub struct Finder<'a> {
    /// The ledger's past.
    pub history: &'a History,
    /// The clock that times are read and shown by.
    pub clock: Clock,
    /// The zone of records' times without an offset.
    pub zone: Option<Zone>,
    /// The names of accounts.
    pub names: AccountNames,
    /// True if the log is not searched for texts that may be parties: an answer is wanted soon.
    pub is_quick: bool,
    /// What a word was taken for is told here.
    pub tell: &'a dyn Fn(&str),
}

/// The account that a text names, by its id, the beginning of one, or its name.
///
/// # Errors
/// If none is, with the nearest ones, or if several are; the flag or word stands before it.
pub fn account_of(
    (names, tell): (&AccountNames, &dyn Fn(&str)),
    history: &History,
    flag: &str,
    text: &str,
) -> Result<String, AskError> {
    let list = |found: &[(String, String)]| {
        let name = |(sid, name): &(String, String)| match name.as_str() {
            "" => sid.clone(),
            name => format!("{sid} ({name})"),
        };
        found.iter().map(name).collect::<Vec<_>>().join(", ")
    };
    match names.resolve(history, text)? {
        account_names::Named::One(sid, by) => {
            if by != account_names::By::Id {
                let name = names.name(&sid);
                let name = if name == sid { String::new() } else { format!(", {name}") };
                tell(&format!("{text}: the account {sid}{name}"));
            }
            Ok(sid)
        }
        account_names::Named::Several(found) => {
            Err(AskError::unknown(format!("{flag}{text}: several accounts are meant"))
                .hint(format!("name one of {}", list(&found))))
        }
        account_names::Named::None(nearest) => {
            let error = AskError::unknown(format!(
                "{flag}{text}: there is no such account: no list names it, and no call is of it"
            ));
            Err(if nearest.is_empty() {
                error
            } else {
                error.hint(format!("the nearest: {}", list(&nearest)))
            })
        }
    }
}

/// The call that a text names; `None` if there is none.
///
/// # Errors
/// If the text is the beginning of several ids.
pub fn sid_of(history: &History, text: &str) -> Result<Option<String>, AskError> {
    match prefix::find(history, text)? {
        prefix::NamedCall::One(sid) => Ok(Some(sid)),
        prefix::NamedCall::None => Ok(None),
        prefix::NamedCall::Several(sids, more) => {
            let count =
                if more { "many calls".to_owned() } else { format!("{} calls", sids.len()) };
            let dots = if more { ", …" } else { "" };
            Err(AskError::unknown(format!("{text}: the ids of {count} begin so"))
                .hint(format!("{}{dots}", sids.join(", "))))
        }
    }
}

/// Reads a question.
///
/// # Errors
/// If it cannot be understood, or names something that is not known.
pub fn wanted(asking: &Asking, finder: &Finder<'_>) -> Result<Wanted, AskError> {
    let mut wanted = Wanted::default();
    let mut day: Option<&str> = None;
    for word in &asking.words {
        understand(word, finder, &mut wanted, &mut day)?;
    }
    let flags = [
        (Role::Caller, "--a", &asking.a),
        (Role::Called, "--b", &asking.b),
        (Role::Any, "--number", &asking.number),
    ];
    for (role, flag, numbers) in flags {
        for text in numbers {
            let text = text.trim();
            let who = match party(text) {
                None => known_text(finder, text)?,
                who => who,
            };
            let who = who.ok_or_else(|| not_a_number(&format!("{flag} "), text))?;
            tell_beginning(finder, text, &who);
            wanted.parties.push((role, who));
        }
    }
    if let Some(account) = &asking.account {
        let names = (&finder.names, finder.tell);
        let sid = account_of(names, finder.history, "--account ", account)?;
        wanted.accounts.insert(sid);
    }
    if let Some(call) = &asking.call {
        let sid = sid_of(finder.history, call)?.unwrap_or_else(|| call.clone());
        wanted.sids.insert(sid);
    }
    wanted.times = times(asking, day, finder)?;
    wanted.status = asking.status.as_deref().map(status).transpose()?;
    wanted.scenario = asking.scenario.as_deref().map(scenario).transpose()?;
    wanted.least_amount = asking.least_amount;
    Ok(wanted)
}

/// Adds what a word says.
fn understand<'a>(
    word: &'a str,
    finder: &Finder<'_>,
    wanted: &mut Wanted,
    day: &mut Option<&'a str>,
) -> Result<(), AskError> {
    let history = finder.history;
    if word.trim().is_empty() {
        return Err(AskError::wrong("a word is empty: expected a number, an account or a call"));
    }
    if let Some(times) = finder.clock.day(word) {
        if day.replace(word).is_some() {
            return Err(AskError::wrong(format!("{word}: one day alone can be asked for"))
                .hint("--from and --to say several"));
        }
        let date = finder.clock.date(times.start);
        if date != word.trim() {
            (finder.tell)(&format!("{word}: {date} in {}", finder.clock.zone_name()));
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
        tell_beginning(finder, word, &who);
        if let Who::Number(number) = &who
            && !number.is_whole()
        {
            (finder.tell)(&format!("{word}: numbers that end so"));
        }
        wanted.parties.push((Role::Any, who));
        return Ok(());
    }
    let is_account =
        matches!(listed, account_names::Named::One(..) | account_names::Named::Several(_));
    let text = PartyText::of(word);
    if !is_account && let Some(text) = text.filter(PartyText::is_withheld) {
        (finder.tell)(&format!("{word}: calls of a party who is written so"));
        wanted.parties.push((Role::Any, Who::Text(text)));
        return Ok(());
    }
    if (!is_account || prefix::is_carriers(word))
        && let Some(sid) = sid_of(history, word)?
    {
        if sid != word {
            (finder.tell)(&format!("{word}: the call {sid}"));
        }
        wanted.sids.insert(sid);
        return Ok(());
    }
    let is_several = matches!(listed, account_names::Named::Several(_));
    if !is_several
        && matches!(finder.names.resolve(history, word)?, account_names::Named::None(_))
        && let Some(who) = known_text(finder, word)?
    {
        (finder.tell)(&format!("{word}: calls of a party who is written so"));
        wanted.parties.push((Role::Any, who));
        return Ok(());
    }
    let account = account_of((&finder.names, finder.tell), history, "", word).map_err(|error| {
        if is_several {
            return error;
        }
        let hints = error.hints().to_vec();
        let unknown =
            AskError::unknown(format!("{word}: no account, call or number is known by that"));
        hints.into_iter().fold(unknown, AskError::hint)
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

fn not_a_day(word: &str) -> AskError {
    let error = AskError::wrong(format!(
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

fn tell_beginning(finder: &Finder<'_>, text: &str, who: &Who) {
    if matches!(who, Who::Beginning(_)) {
        (finder.tell)(&format!("{text}: numbers that begin so"));
    }
}

/// A text that is no number and no address, if a call has such a party.
fn known_text(finder: &Finder<'_>, text: &str) -> Result<Option<Who>, LedgerError> {
    if is_number_like(text) {
        return Ok(None);
    }
    let Some(who) = PartyText::of(text).map(Who::Text) else { return Ok(None) };
    if finder.is_quick {
        return Ok(Some(who).filter(|_| text.contains(['@', ':'])));
    }
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

fn not_a_number(flag: &str, text: &str) -> AskError {
    AskError::wrong(format!(
        "{flag}{text}: expected a telephone number, or {LEAST_DIGITS} or more of its last digits; \
         no call has a party who is written so"
    ))
    .hint("as +14155550100, (415) 555-0100, 0100, or sip:bob@pbx.example.com")
    .hint(format!(
        "the beginning of a number: +1415, \"(415) 555…\", {LEAST_FIRST_DIGITS} or more digits"
    ))
}

fn times(
    args: &Asking,
    day: Option<&str>,
    finder: &Finder<'_>,
) -> Result<Option<Range<Micros>>, AskError> {
    let clock = &finder.clock;
    let bounds = [&args.from, &args.to];
    if let Some(day) = day
        && bounds.iter().any(|bound| bound.is_some())
    {
        return Err(AskError::wrong(format!(
            "{day} is a day, and --from or --to says another time: give one of them"
        )));
    }
    if let Some(around) = &args.around {
        if clock.day(around).is_some() {
            return Err(AskError::wrong(format!("--around {around}: expected a time of that day"))
                .hint("as --around \"yesterday 15:00\""));
        }
        let at = instant(clock, "--around", around, day.unwrap_or("today"))?;
        if day.is_none() && clock.instant(around, "yesterday") != Ok(at) {
            let (shown, zone) = (clock.text(at), clock.zone_name());
            (finder.tell)(&format!("--around {around}: {shown} in {zone}, today"));
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

fn instant(clock: &Clock, flag: &str, text: &str, day: &str) -> Result<Micros, AskError> {
    clock.instant(text, day).map_err(|why| {
        let zone = clock.zone_name();
        let problem = match why {
            TimeError::TwiceInZone { .. } => format!("the clock of {zone} shows it twice"),
            TimeError::NeverInZone { .. } => format!("the clock of {zone} never shows it"),
            _ => {
                return AskError::wrong(format!(
                    "{flag} {text}: expected a date (2026-11-20), a time (2026-11-20 15:00), \
                     `today` or `yesterday`"
                ));
            }
        };
        AskError::wrong(format!("{flag} {text}: {problem}"))
            .hint("give it with its offset, as 2026-10-25T02:30:00+01:00")
    })
}

fn status(text: &str) -> Result<String, AskError> {
    let known = Status::parse(text).as_str();
    if known == Status::NotFinal.as_str() && text != known {
        let all = Status::ALL.map(Status::as_str).join(", ");
        return Err(AskError::wrong(format!("--status {text}: there is no such status"))
            .hint(format!("statuses: {all}")));
    }
    Ok(known.to_owned())
}

fn scenario(text: &str) -> Result<String, AskError> {
    if Scenario::parse(text).is_some() {
        return Ok(text.to_owned());
    }
    let transfers = BILLING_TABLE.iter().map(|row| Scenario::Transfer(row.scenario));
    let roots = [Direction::Termination, Direction::Origination].map(Scenario::Root);
    let all = roots.into_iter().chain(transfers);
    let all: Vec<String> = all.map(|scenario| scenario.as_str().to_owned()).collect();
    Err(AskError::wrong(format!("--scenario {text}: there is no such scenario"))
        .hint(format!("scenarios: {}", all.join(", "))))
}
