//! `/nights`: runs, nights that failed, the journal, who looked at calls; and the report of a run.

use crate::ledger::journal::{Journal, Ran};
use crate::ledger::looks;
use crate::render::report;
use crate::report::gather;
use crate::report::health::printed_with;
use crate::report::health::words::took_text;
use crate::report::run_rows::{RunRow, about, amount, rows};
use crate::serve::asked::{ConsoleRequest, Moment};
use crate::serve::context::context;
use crate::serve::http::HttpAnswer;
use crate::serve::problem::RequestProblem;
use crate::serve::query::encoded;
use minijinja::Value;

/// Runs of a page.
const SHOWN: usize = 60;
/// Commands and looks of a page.
const LINES: usize = 40;

/// The page.
///
/// # Errors
/// If the query has something else in it.
pub fn page(asked: &ConsoleRequest<'_>) -> Result<HttpAnswer, RequestProblem> {
    asked.query.only(&["after"]).map_err(|why| RequestProblem::new(400, why))?;
    let setting = &asked.books.setting;
    let history = &asked.snapshot.history;
    let journal = Journal::read(&setting.ledger);
    let clock = asked.clock();
    let moment = |ran: &Ran| Moment::of(ran.ended.unwrap_or(ran.began), &clock);
    let row = |row: &RunRow<'_>| {
        let [_, by, took] = row.how();
        let when = row.command().map(&moment);
        match row {
            RunRow::Run(m, undone, _) => context! {
                state => row.state(), when, by, took,
                run => m.run_id, kind => m.kind.as_str(),
                href => format!("/nights/{}", encoded(&m.run_id)),
                read => m.records("read"), rated => m.records("rated"), free => m.records("free"),
                duplicate => m.records("duplicate"), ignored => m.records("ignored"),
                suspended => m.records("suspended"), legs => m.legs,
                amount => amount(m), about => setting.sentence(&about(m, *undone)),
            },
            RunRow::Failed(ran) => context! {
                state => row.state(), when, by, took, kind => ran.entry.name,
                about => setting.sentence(ran.message()),
            },
        }
    };
    let mut all = rows(history, &journal);
    // Undone runs stand last in the list of the command; here the newest stands first.
    let undone = all.iter().position(|row| row.state() == "undone").unwrap_or(all.len());
    let tail = all.split_off(undone);
    all.reverse();
    all.extend(tail.into_iter().rev());
    let from = super::waiting::place(asked)?;
    let end = from.saturating_add(SHOWN);
    let next = (end < all.len()).then(|| format!("/nights?after={end}"));
    let shown: Vec<Value> = all.iter().skip(from).take(SHOWN).map(row).collect();
    let command = |ran: &Ran| {
        let end = ran.entry.end.as_ref();
        context! {
            when => Moment::of(ran.began, &clock),
            took => end.map(|end| took_text(end.duration_ms)),
            exit => end.map(|end| end.exit),
            by => format!("{}@{}", ran.entry.user, ran.entry.host),
            command => setting.sentence(&ran.entry.command),
            message => setting.sentence(ran.message()),
            name => ran.entry.name,
        }
    };
    let commands: Vec<Value> = journal.commands.iter().rev().take(LINES).map(command).collect();
    let seen: Vec<Value> = looks::last(&setting.ledger, LINES)
        .iter()
        .map(|look| {
            let at = crate::time::parse_date_or_instant(&look.at);
            context! {
                when => at.map(|at| Moment::of(at, &clock)), from => look.from,
                asked => setting.sentence(&look.asked),
                accounts => look.accounts.iter().take(3)
                    .map(|own| asked.name(own)).collect::<Vec<_>>(),
                more => look.more_accounts + look.accounts.len().saturating_sub(3) as u64,
                shown => look.shown,
            }
        })
        .collect();
    asked.pages.page(
        200,
        &asked.frame("/nights", "Nights"),
        "nights.html",
        context! {
            rows => shown, next, commands, seen, head => asked.snapshot.head,
            count => all.len(), unread => journal.unread_lines, zone => clock.zone_name(),
        },
    )
}

/// The report of a run.
///
/// # Errors
/// If there is no such run, or it cannot be read.
pub fn report(asked: &ConsoleRequest<'_>, id: &str) -> Result<HttpAnswer, RequestProblem> {
    asked.query.only(&[]).map_err(|why| RequestProblem::new(400, why))?;
    let (history, ledger) = (&asked.snapshot.history, &asked.books.setting.ledger);
    let undone = history.undone.iter().rev().find(|own| own.run.manifest.run_id == id);
    let run = history.runs.iter().find(|run| run.manifest.run_id == id);
    let (run, why) = match (run, undone) {
        (Some(run), _) => (run, None),
        (None, Some(undone)) => (&undone.run, Some(undone.reason.as_str())),
        (None, None) => return Err(RequestProblem::none(format!("there is no run {id}"))),
    };
    let mut report = gather::gather(ledger, history, run, why)?;
    report.night = printed_with(&Journal::read(ledger), &run.manifest.run_id);
    report.mask(asked.books.setting.hidden());
    asked.looked(
        report.largest.iter().flat_map(|own| &own.calls).map(|call| call.account_sid.as_str()),
        report.largest.iter().map(|own| own.calls.len()).sum(),
    );
    let html = report::html(&report)?;
    Ok(HttpAnswer { is_document: true, ..HttpAnswer::page(200, html) })
}
