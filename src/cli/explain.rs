//! `explain`: one call, booked or not, by its id, the beginning of one, or its number in the list
//! that was printed last.

use super::args::TextFormat;
use super::args::calls::ExplainArgs;
use super::args::suspense::{ShowArgs, SuspenseArgs, SuspenseCommand, SuspenseList};
use super::calls::{last_list, names_of};
use super::clock;
use super::error::CliError;
use super::project::Project;
use super::rerate;
use super::suspense;
use super::term;
use crate::ledger::History;
use crate::ledger::index::find;
use crate::ledger::index::search::Wanted;
use crate::ledger::index::unbooked::{self, State, Unbooked};
use crate::text::visible;
use crate::time::local::Clock;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// Explains a call.
pub fn run(args: &ExplainArgs, project: &Project) -> Result<(), CliError> {
    if !args.rerate.cdrs.is_empty() {
        return rerate::explain(&args.rerate, args.format, project);
    }
    let ledger = project.ledger()?;
    let history = ledger.history()?;
    let sid = rerate::named(&ledger, &history, args.rerate.call())?;
    if last_list::is_number(&sid) && sid == args.rerate.call() {
        term::report(
            "note",
            &format!("{sid}: the call with this id, not a number of the last list"),
        );
    }
    let is_booked = find::find_log_row(&history, &sid)?.is_some();
    let clock = |history: &History| -> Result<Clock, CliError> {
        let zone = project.policy()?.zone.or_else(|| history.policy().zone);
        Ok(Clock::new(zone, clock::now()))
    };
    if is_booked {
        let Some(path) = &args.html else {
            return rerate::run_booked(&args.rerate, args.format, project, (&ledger, &history));
        };
        let names = names_of(project, &ledger, &history)?;
        let case = rerate::case_of(&args.rerate, project, (&ledger, &history))?;
        return rerate::write_page(&case, names.name(&case.account), &clock(&history)?, path);
    }
    let wanted = Wanted { sids: BTreeSet::from([sid.clone()]), ..Wanted::default() };
    let zone = history.policy().zone;
    let mut calls = unbooked::collect(&history, &wanted, &BTreeMap::new(), zone.as_ref())?.calls;
    calls.retain(|call| call.call_sid == sid);
    let show = |call: String| {
        let command = SuspenseCommand::Show(ShowArgs { call, format: args.format });
        let list = SuspenseList::default();
        suspense::suspense(&SuspenseArgs { command: Some(command), list }, project)
    };
    let Some(call) = calls.first() else {
        // A record without an id is named by its source.
        if args.html.is_none() && sid != args.rerate.call() && sid.contains(':') {
            return show(sid);
        }
        // The words and the exit code of `rerate`.
        return rerate::explain(&args.rerate, args.format, project);
    };
    if let Some(path) = &args.html {
        let names = names_of(project, &ledger, &history)?;
        let account = names.name(&call.account_sid);
        return rerate::write_page_of_unbooked(call, account, &clock(&history)?, path);
    }
    match call.state {
        State::Waiting(..) => show(sid),
        State::Ignored(_) => Ok(term::print(&ignored(call, args.format)?)?),
    }
}

/// The words about a call that is no trunk's.
fn ignored(call: &Unbooked, format: TextFormat) -> Result<String, CliError> {
    let State::Ignored(direction) = &call.state else { return Ok(String::new()) };
    let source = format!("{}:{}", call.source_file, call.source_line);
    if format == TextFormat::Json {
        let shown = json!({
            "call_sid": call.call_sid, "class": "ignored",
            "direction": direction, "source": source,
        });
        return Ok(format!("{}\n", serde_json::to_string_pretty(&shown)?));
    }
    let direction = if direction.is_empty() { "none of its own" } else { direction };
    Ok(format!(
        "{}\n  ignored    it is no call of a trunk: its direction is {}, or its parent's\n  \
         from {}\n",
        term::heading(&format!("call {}", call.call_sid)),
        visible(direction),
        visible(&source)
    ))
}
