//! Guard of `invoice issue`: the objections that stop it, and their acceptance.

use crate::cli::error::CliError;
use crate::cli::term;
use crate::invoicing::check::{self, Against, CheckQuestion, SeenCharges};
use crate::report::causes::{CauseLine, calls};
use crate::text::visible;

/// The sentence `3 things stand against issuing 2026-11`.
pub fn stand(count: usize, period: &str) -> String {
    if count == 1 {
        return format!("1 thing stands against issuing {period}");
    }
    format!("{count} things stand against issuing {period}")
}

/// The flags that accept some ids: one for each id if they are few, else one for each kind.
pub fn accepting(ids: &[&str]) -> String {
    let mut names: Vec<&str> = ids.to_vec();
    if ids.len() > SAID {
        names = ids.iter().filter_map(|id| id.split(':').next()).collect();
        names.dedup();
    }
    names.iter().map(|name| format!("--accept {}", quoted(name))).collect::<Vec<_>>().join(" ")
}

/// An id, quoted for a shell.
fn quoted(id: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.:@+".contains(&b);
    let id = visible(id);
    if id.bytes().all(plain) { id.into_owned() } else { format!("'{}'", id.replace('\'', r"'\''")) }
}

/// Refuses ids that cannot exist: a typo would accept the wrong thing, or nothing.
pub fn known_ids(accept: &[String]) -> Result<(), CliError> {
    match accept.iter().find(|id| !check::is_acceptable(id)) {
        None => Ok(()),
        Some(id) => {
            Err(CliError::usage(format!("--accept {id}: there is no such thing to accept")).hint(
                "`trunkrate invoice check --period YYYY-MM` prints the ids: waiting:REASON, \
                 jump:ACCOUNT:CURRENCY; a kind alone, such as waiting, accepts all of it",
            ))
        }
    }
}

/// The most causes that are printed with a finding, and the most ids that are named one by one.
const SAID: usize = 3;

/// Reports the objections to issuing, and fails if one that stops was not accepted. Returns the
/// accepted ids.
///
/// Details that e-invoices lack are reported elsewhere. Nothing stops a supplementary invoice: its
/// period is billed already.
pub fn guard(
    question: &CheckQuestion<'_>,
    seen: &SeenCharges,
    accept: &[String],
    supplementary: bool,
) -> Result<Vec<String>, CliError> {
    let mut found = check::check(question, seen)?;
    found.retain(|against| !against.id.starts_with("incomplete:"));
    let (mut accepted, mut stopped) = (Vec::new(), Vec::new());
    for against in &found {
        let is_accepted = accept.iter().any(|id| against.is_meant_by(id));
        let stops = against.stops && !supplementary && !is_accepted;
        let so = if is_accepted { " (accepted)" } else { "" };
        let label = if stops { "warning" } else { "note" };
        term::report(
            label,
            &format!("{}: {}{}{so}", against.id, against.words, causes_of(against)),
        );
        if stops {
            stopped.push(against.id.as_str());
        } else if is_accepted {
            accepted.push(against.id.clone());
        }
    }
    for id in accept.iter().filter(|id| !found.iter().any(|against| against.is_meant_by(id))) {
        term::report(
            "note",
            &format!(
                "--accept {id}: nothing of that kind stands against issuing {}",
                question.period
            ),
        );
    }
    if stopped.is_empty() {
        accepted.sort();
        return Ok(accepted);
    }
    let period = question.period;
    let problem =
        format!("nothing was issued: {}: {}", stand(stopped.len(), period), stopped.join(", "));
    let hint = format!(
        "settle it (`trunkrate invoice check --period {period}` says how), \
         or go on in spite of it with {}",
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
