//! `invoice check`, and what `invoice issue` stops on.

use super::args::CheckArgs;
use super::issue::{Inputs, date, day_after, refuse_far, today};
use crate::cli::args::TextFormat;
use crate::cli::error::CliError;
use crate::cli::project::Project;
use crate::cli::term;
use crate::io::check::{self, Against, Question, Seen};
use crate::io::invoices::{self, Wanted};
use crate::io::ledger::issued::claims::{Claims, month};
use crate::report::causes::{CauseLine, calls};
use crate::text::visible;
use serde_json::json;
use std::fmt::Write as _;

/// Lists what stands against issuing a period.
pub fn check(args: &CheckArgs, project: &Project) -> Result<(), CliError> {
    let billed = &args.billed;
    let after = day_after(&billed.period)?;
    let date = date(billed.date.as_ref(), today)?;
    refuse_far(billed, &after, &date)?;
    let ledger = project.ledger()?;
    let history = ledger.history()?;
    let inputs = Inputs::read(billed.files(), project, &ledger, &history)?;
    inputs.refuse_unknown(&history, billed.account.as_deref())?;
    let (mut seen, claims) = (Seen::default(), Claims::of(&history.issued));
    let is_issued = history.issued.iter().any(|batch| month(&batch.manifest.period) >= month(&billed.period));
    for supplementary in [false, true].into_iter().filter(|supplementary| !supplementary || is_issued) {
        let wanted =
            Wanted { month: &billed.period, date: date.as_str().max(&after), account: billed.account.as_deref(), supplementary };
        for draft in invoices::drafts(inputs.sources(&history), wanted)? {
            match draft.and_then(|draft| {
                invoices::refuse_before_credit(&history, &claims, &draft, wanted.date)?;
                Ok(draft)
            }) {
                Ok(draft) => seen.draft(&draft, &wanted),
                Err(error) => seen.refused(error)?,
            }
        }
    }
    let question = Question {
        ledger: &ledger,
        history: &history,
        period: &billed.period,
        account: billed.account.as_deref(),
        has_items: inputs.has_items(),
    };
    let mut found = check::of_terms(&inputs.terms, (&billed.period, date >= after));
    found.extend(check::of_series(&history, &inputs.terms.seller.id, &date));
    found.extend(check::check(&question, &seen)?);
    let wanted = Wanted { month: &billed.period, date: &date, account: billed.account.as_deref(), supplementary: false };
    found.extend(check::of_items(&inputs.sources(&history), wanted)?);
    let stops = found.iter().filter(|against| against.stops).count();
    match args.format {
        TextFormat::Text => term::print(&as_text(&found, &billed.period))?,
        TextFormat::Json => {
            let all = json!({
                "schema": check::SCHEMA, "period": billed.period, "account_sid": billed.account, "stops": stops > 0,
                "against": found,
            });
            term::print(&format!("{}\n", serde_json::to_string_pretty(&all)?))?;
        }
    }
    match (found.len(), stops) {
        (0, _) => Ok(()),
        (1, 1) => Err(CliError::failed(format!("{} and stops it", stand(1, &billed.period)))),
        (1, _) => Err(CliError::failed(format!("{}, and does not stop it", stand(1, &billed.period)))),
        (all, stops) => Err(CliError::failed(format!("{}, {stops} of which stop it", stand(all, &billed.period)))),
    }
}

/// `3 things stand against issuing 2026-11`.
fn stand(count: usize, period: &str) -> String {
    if count == 1 {
        return format!("1 thing stands against issuing {period}");
    }
    format!("{count} things stand against issuing {period}")
}

fn as_text(found: &[Against], period: &str) -> String {
    if found.is_empty() {
        return format!("nothing stands against issuing {period}\n");
    }
    let mut text = String::new();
    for against in found {
        let stops = if against.stops { "stops" } else { "note " };
        let _ = writeln!(text, "{}", term::heading(&format!("{stops}  {}", visible(&against.id))));
        // A single cause says all that its sum would.
        if against.causes.len() != 1 {
            let _ = writeln!(text, "  {}", visible(&against.words));
        }
        for cause in &against.causes {
            let _ = writeln!(text, "  {}", visible(&cause.sentence()));
            let _ = writeln!(text, "    what to do: {}", visible(&cause.what_to_do));
        }
        if against.causes.is_empty() {
            let _ = writeln!(text, "    what to do: {}", visible(&against.what_to_do));
        }
    }
    let ids: Vec<&str> = found.iter().filter(|against| against.can_be_accepted()).map(|against| against.id.as_str()).collect();
    if !ids.is_empty() {
        let _ = writeln!(text, "\nto issue in spite of it: trunkrate invoice issue --period {period} {}", accepting(&ids));
    }
    text
}

/// The flags that accept some ids: one each if they are few, else one for each kind.
fn accepting(ids: &[&str]) -> String {
    let mut names: Vec<&str> = ids.to_vec();
    if ids.len() > SAID {
        names = ids.iter().filter_map(|id| id.split(':').next()).collect();
        names.dedup();
    }
    names.iter().map(|name| format!("--accept {}", quoted(name))).collect::<Vec<_>>().join(" ")
}

/// An id as a shell takes it.
fn quoted(id: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.:@+".contains(&b);
    let id = visible(id);
    if id.bytes().all(plain) { id.into_owned() } else { format!("'{}'", id.replace('\'', r"'\''")) }
}

// ---- what issue stops on ----------------------------------------------------------------------------------------

/// Refuses ids that can stand for nothing: a slip would accept something else than was meant, or nothing.
pub fn known_ids(accept: &[String]) -> Result<(), CliError> {
    match accept.iter().find(|id| !check::is_acceptable(id)) {
        None => Ok(()),
        Some(id) => Err(CliError::usage(format!("--accept {id}: there is no such thing to accept"))
            .hint("`trunkrate invoice check --period YYYY-MM` prints the ids: waiting:REASON, jump:ACCOUNT:CURRENCY; a kind alone, such as waiting, accepts all of it")),
    }
}

/// So many causes a finding is said with, and so many ids are named one by one, at most.
const SAID: usize = 3;

/// Says what stands against issuing, and stops on what cannot be right and was not accepted. Gives what was accepted.
///
/// What e-invoices lack is said elsewhere. A supplementary invoice stops on nothing: its period is billed already.
pub fn guard(question: &Question<'_>, seen: &Seen, accept: &[String], supplementary: bool) -> Result<Vec<String>, CliError> {
    let mut found = check::check(question, seen)?;
    found.retain(|against| !against.id.starts_with("incomplete:"));
    let (mut accepted, mut stopped) = (Vec::new(), Vec::new());
    for against in &found {
        let is_accepted = accept.iter().any(|id| against.is_meant_by(id));
        let stops = against.stops && !supplementary && !is_accepted;
        let so = if is_accepted { " (accepted)" } else { "" };
        let label = if stops { "warning" } else { "note" };
        term::report(label, &format!("{}: {}{}{so}", against.id, against.words, causes_of(against)));
        if stops {
            stopped.push(against.id.as_str());
        } else if is_accepted {
            accepted.push(against.id.clone());
        }
    }
    for id in accept.iter().filter(|id| !found.iter().any(|against| against.is_meant_by(id))) {
        term::report("note", &format!("--accept {id}: nothing of that kind stands against issuing {}", question.period));
    }
    if stopped.is_empty() {
        accepted.sort();
        return Ok(accepted);
    }
    let period = question.period;
    let problem = format!("nothing was issued: {}: {}", stand(stopped.len(), period), stopped.join(", "));
    let hint = format!(
        "settle it (`trunkrate invoice check --period {period}` says how), or go on in spite of it with {}",
        accepting(&stopped)
    );
    Err(CliError::failed(problem).hint(hint))
}

/// The first causes of a finding, in brackets.
fn causes_of(against: &Against) -> String {
    let words = |line: &CauseLine| format!("{}: {}", calls(line.calls), line.words);
    let all: Vec<String> = against.causes.iter().take(SAID).map(words).collect();
    match against.causes.len() {
        0 => String::new(),
        count if count > SAID => format!(" ({}; and {} more causes)", all.join("; "), count - SAID),
        _ => format!(" ({})", all.join("; ")),
    }
}
