//! `calls`: calls found by number, account and time, each parent with its children under it.
//!
//! | file | what it does |
//! |---|---|
//! | `print` | families as a table, CSV, JSON and JSON Lines |
//! | `last_list` | the list that was printed last: the numbers that `explain` takes |
//!
//! # Why
//! CSV and JSON without any of the words and flags that `log` did not have are what `log` always
//! printed, to the byte: the rows that are in the time, not their whole families. With any of them,
//! JSON has what waits and what was ignored too, marked by its `class`; CSV has the log's columns,
//! which such calls have not.

pub mod last_list;
mod print;

use super::args::TableFormat;
use super::args::calls::{CallsArgs, ListLimit};
use super::clock;
use super::error::CliError;
use super::project::{Key, Project};
use super::term;
use crate::ledger::index::account_names::AccountNames;
use crate::ledger::index::find;
use crate::ledger::index::search::Wanted;
use crate::ledger::index::superseded::each_date;
use crate::ledger::index::unbooked::State;
use crate::ledger::tables::log_row::LogRow;
use crate::ledger::tables::read::{self, Selection};
use crate::ledger::tables::stored::Rows;
use crate::ledger::{Dataset, History, Ledger, LedgerError};
use crate::report::asked::{self, Asking, Finder};
use crate::report::calls::{self, CallFamily, FoundFamilies, Member};
use crate::text::visible;
use crate::time::Micros;
use crate::time::local::Clock;
use std::collections::HashMap;
use std::io::IsTerminal;
use std::path::Path;

/// The families in a table on a terminal, unless the user says otherwise.
const SHOWN: usize = 50;

/// Prints the calls that are wanted.
pub fn run(args: &CallsArgs, project: &Project) -> Result<(), CliError> {
    let ledger = project.ledger()?;
    let history = ledger.history()?;
    let finder = finder_of(project, &ledger, &history)?;
    let wanted = asked::wanted(&args.asking(), &finder)?;
    if args.format != TableFormat::Table && args.is_of_log() {
        return print_log(args, &finder, &ledger, &wanted);
    }
    let limit = match args.limit {
        Some(ListLimit::All) => None,
        Some(ListLimit::Most(most)) => Some(most),
        None => {
            (args.format == TableFormat::Table && std::io::stdout().is_terminal()).then_some(SHOWN)
        }
    };
    let FoundFamilies { mut families, has_unread, timeless } =
        calls::find(&history, &wanted, limit, finder.zone.as_ref())?;
    if families.is_empty()
        && let Some(call) = &args.call
    {
        return Err(no_such_call(&history, call)?);
    }
    if args.format == TableFormat::Csv {
        leave_out_unbooked(&mut families);
    } else if timeless > 0 {
        tell_timeless(timeless);
    }
    let left_out = limit.map_or(0, |limit| families.len().saturating_sub(limit));
    let mut shown = families.split_off(left_out);
    if args.format != TableFormat::Table {
        let members = shown.iter_mut().flat_map(CallFamily::members_mut);
        let booked = members.filter_map(|member| match member {
            Member::Booked(row) => Some(row),
            Member::Unbooked(_) => None,
        });
        find::put_late_prices(&history, booked)?;
    }
    print::print(args, &shown, &finder)?;
    if args.format == TableFormat::Table {
        let names = shown.iter().flat_map(CallFamily::members).map(Member::name);
        last_list::keep(&ledger, &history, names.collect());
    }
    if left_out > 0 || has_unread {
        let first = shown.iter().find_map(CallFamily::start);
        tell_left_out(shown.len(), left_out, has_unread, first, &finder.clock);
    }
    Ok(())
}

fn leave_out_unbooked(families: &mut Vec<CallFamily>) {
    let is_booked = |member: &Member| matches!(member, Member::Booked(_));
    let all: usize = families.iter().map(|family| family.members().count()).sum();
    for family in &mut *families {
        family.parents.retain(is_booked);
        family.children.retain(is_booked);
    }
    families.retain(|family| family.members().next().is_some());
    let left = all - families.iter().map(|family| family.members().count()).sum::<usize>();
    if left > 0 {
        let calls = if left == 1 { "1 call that waits or was" } else { "calls that wait or were" };
        let count = if left == 1 { String::new() } else { format!("{left} ") };
        term::report(
            "note",
            &format!(
                "{count}{calls} ignored: not in CSV, which is the call log; the table and \
                 JSON have them"
            ),
        );
    }
}

/// Says that calls are left out of the time that is asked for, since theirs cannot be read.
fn tell_timeless(count: usize) {
    let calls = match count {
        1 => {
            "1 call that waits or was ignored has no time that can be read: it may be one of these"
                .to_owned()
        }
        count => format!(
            "{} calls that wait or were ignored have no time that can be read: they may be some of \
             these",
            term::grouped(count as u64)
        ),
    };
    term::report(
        "note",
        &format!("{calls}; the same with --limit all and without a day or time lists them first"),
    );
}

fn tell_left_out(
    shown: usize,
    left_out: usize,
    has_unread: bool,
    first: Option<Micros>,
    clock: &Clock,
) {
    let of = match (has_unread, left_out) {
        (true, _) => "older ones were left out".to_owned(),
        (false, 1) => "1 older one was left out".to_owned(),
        (false, left) => format!("{} older ones were left out", term::grouped(left as u64)),
    };
    let before = first
        .map(|start| format!(", --to \"{}\" those before", clock.text(start)))
        .unwrap_or_default();
    let families = if shown == 1 { "family" } else { "families" };
    term::report(
        "note",
        &format!(
            "the newest {} {families} of calls; {of}: --limit {} shows more, --limit all all of \
             them{before}",
            term::grouped(shown as u64),
            shown * 4
        ),
    );
}

/// Says what a word was taken for.
fn tell(text: &str) {
    term::report("note", text);
}

fn finder_of<'a>(
    project: &Project,
    ledger: &Ledger,
    history: &'a History,
) -> Result<Finder<'a>, CliError> {
    let zone = history.policy().zone;
    let shown = project.policy()?.zone.or_else(|| zone.clone());
    let names = names_of(project, ledger, history)?;
    Ok(Finder {
        history,
        clock: Clock::new(shown, clock::now()),
        zone,
        names,
        is_quick: false,
        tell: &tell,
    })
}

impl CallsArgs {
    fn asking(&self) -> Asking {
        Asking {
            words: self.words.clone(),
            a: self.a.clone(),
            b: self.b.clone(),
            number: self.number.clone(),
            call: self.call.clone(),
            account: self.account.clone(),
            around: self.around.clone(),
            within: self.within,
            from: self.from.clone(),
            to: self.to.clone(),
            status: self.status.clone(),
            scenario: self.scenario.clone(),
            least_amount: self.min_amount,
        }
    }
}

/// The accounts of a project and its ledger, by name; a list that cannot be read is told, and does
/// without.
pub fn names_of(
    project: &Project,
    ledger: &Ledger,
    history: &History,
) -> Result<AccountNames, CliError> {
    let list = project.list(Key::Accounts);
    match AccountNames::read(ledger, history, list.as_deref()) {
        Err(error) if list.is_some() => {
            term::report("note", &format!("accounts are named as runs knew them: {error}"));
            Ok(AccountNames::read(ledger, history, None)?)
        }
        names => Ok(names?),
    }
}

/// The account that a text names: see [`asked::account_of`].
pub fn account_of(
    names: &AccountNames,
    history: &History,
    flag: &str,
    text: &str,
) -> Result<String, CliError> {
    Ok(asked::account_of((names, &tell), history, flag, text)?)
}

fn no_such_call(history: &History, sid: &str) -> Result<CliError, LedgerError> {
    let waits = read::find_waiting(history, sid)?;
    if waits.is_none() {
        find::refuse_damaged_ids(history)?;
    }
    let error = CliError::failed(format!("the call {sid} is not in the log"));
    Ok(match waits {
        Some(row) => error.hint(format!("it waits in suspense as {}: {}", row.reason, row.detail)),
        None => error.hint("look for it with `trunkrate log --from … --to …`"),
    })
}

// ---- the log, as it always was ------------------------------------------------------------------

impl CallsArgs {
    /// True if only flags are given that `log` always had.
    fn is_of_log(&self) -> bool {
        self.words.is_empty()
            && self.a.is_empty()
            && self.b.is_empty()
            && self.number.is_empty()
            && self.around.is_none()
            && self.status.is_none()
            && self.scenario.is_none()
            && self.min_amount.is_none()
            && self.limit.is_none()
    }
}

/// Prints the rows of the log that are in the time and of the account.
fn print_log(
    args: &CallsArgs,
    finder: &Finder<'_>,
    ledger: &Ledger,
    wanted: &Wanted,
) -> Result<(), CliError> {
    let history = finder.history;
    let account = wanted.accounts.first().cloned();
    let mut rows: Vec<LogRow> = Vec::new();
    if let Some(text) = &args.call {
        let sid = wanted.sids.first().map_or(text.as_str(), String::as_str);
        let Some((row, _)) = find::find_log_row(history, sid)? else {
            return Err(no_such_call(history, sid)?);
        };
        rows = find::family(history, row.root())?;
        rows.retain(|row| {
            account.as_ref().is_none_or(|account| row.account_sid == *account)
                && wanted.times.as_ref().is_none_or(|times| times.contains(&row.start))
        });
        find::put_late_prices(history, &mut rows)?;
    } else {
        let selection = Selection { times: wanted.times.clone(), account };
        each_date(ledger, Dataset::Calls, &selection, |frame| {
            rows.extend(LogRow::all(&Rows::new(Path::new("calls"), 0, &frame))?);
            Ok::<(), CliError>(())
        })?;
    }
    // A child may start up to a minute before its parent: a family takes the place of its first
    // row.
    let mut families: Vec<CallFamily> = Vec::new();
    let mut place: HashMap<String, usize> = HashMap::new();
    for row in rows {
        let at = *place.entry(row.root().to_owned()).or_insert_with(|| {
            families.push(CallFamily::default());
            families.len() - 1
        });
        families[at].push(Member::Booked(row));
    }
    print::print(args, &families, finder)
}

/// The words that mark a call that is not booked.
fn mark(state: &State) -> String {
    match state {
        State::Waiting(reason, _) => format!("waiting: {}", visible(reason)),
        State::Ignored(_) => "ignored".to_owned(),
    }
}
