//! What is asked for, from the query of a page or of the API.

use crate::ledger::index::search::Wanted;
use crate::ledger::index::search::newest::CallPlace;
use crate::ledger::index::unbooked::Beside;
use crate::report::asked::phrase::taken_apart;
use crate::report::asked::{self, AskError, Asking, Finder};
use crate::report::calls::{self, CallsPage};
use crate::serve::asked::ConsoleRequest;
use crate::serve::problem::RequestProblem;
use crate::time::{DAY, Micros, SECOND};
use std::cell::RefCell;

/// The names that a query may have.
pub const NAMES: [&str; 12] = [
    "q", "number", "a", "b", "account", "status", "scenario", "around", "within", "from", "to",
    "after",
];
/// Families of a page.
const SHOWN: usize = 25;
/// The most families of an answer of the API: their members are looked up one by one.
pub const MOST: usize = 60;

/// The calls that were asked for.
pub struct FoundPage {
    /// They.
    pub page: CallsPage,
    /// How words were understood.
    pub notes: Vec<String>,
    /// What was wanted.
    pub wanted: Wanted,
}

/// Finds what a query asks for.
///
/// # Errors
/// If it cannot be understood, names something unknown, or the ledger cannot be read.
pub fn find(asked: &ConsoleRequest<'_>, limit: Option<usize>) -> Result<FoundPage, RequestProblem> {
    let (snapshot, query) = (&asked.snapshot, &asked.query);
    let notes = RefCell::new(Vec::new());
    let tell = |note: &str| notes.borrow_mut().push(note.to_owned());
    let clock = asked.clock();
    let today = clock.date((asked.books.setting.now)());
    let finder = Finder {
        history: &snapshot.history,
        clock,
        zone: snapshot.zone.clone(),
        names: snapshot.names.clone(),
        is_quick: true,
        tell: &tell,
    };
    let wanted = wanted(asked, &finder, &today)?;
    let before = match query.get("after") {
        None => None,
        Some(text) => Some(CallPlace::parse(text).ok_or_else(|| {
            RequestProblem::new(400, format!("after={text}: expected the `next` of another answer"))
        })?),
    };
    let most = limit.unwrap_or(SHOWN);
    let kept = asked.books.suspended(snapshot);
    let suspended = kept.as_ref().and_then(|kept| Option::as_ref(kept));
    let ignored = Some(&asked.books.ignored);
    let beside = Beside { zone: snapshot.zone.as_ref(), suspended, ignored };
    let page = calls::page(&snapshot.history, &wanted, before.as_ref(), most, &beside)?;
    drop(finder);
    Ok(FoundPage { page, notes: notes.into_inner(), wanted })
}

fn wanted(
    asked: &ConsoleRequest<'_>,
    finder: &Finder<'_>,
    today: &str,
) -> Result<Wanted, AskError> {
    let query = &asked.query;
    let list = |name| query.get(name).map(str::to_owned).into_iter().collect::<Vec<_>>();
    let text = |name| query.get(name).map(str::to_owned);
    let phrase = taken_apart(query.get("q").unwrap_or(""), today);
    let within = query.get("within").map(span).transpose()?;
    let mut asking = Asking {
        number: list("number"),
        a: list("a"),
        b: list("b"),
        account: text("account"),
        around: text("around"),
        from: text("from"),
        to: text("to"),
        status: text("status"),
        scenario: text("scenario"),
        ..Asking::default()
    };
    // A day, and a time on it.
    asking.words.extend(phrase.day.clone());
    if asking.around.is_none() {
        asking.around = phrase.time;
    }
    asking.within = within.filter(|_| asking.around.is_some());
    let words = phrase.words;
    let of = |words: Vec<String>| {
        let words = asking.words.iter().cloned().chain(words).collect();
        asked::wanted(&Asking { words, ..asking.clone() }, finder)
    };
    if words.len() < 2 {
        return of(words);
    }
    // A name or a number may have blanks in it.
    match of(vec![words.join(" ")]) {
        Err(whole @ AskError::Asked { .. }) => of(words).map_err(|parts| match parts {
            AskError::Asked { .. } => whole,
            AskError::Ledger(_) => parts,
        }),
        found => found,
    }
}

/// A span of time: a whole number and `s`, `m`, `h` or `d`.
fn span(text: &str) -> Result<Micros, AskError> {
    let units = [("s", SECOND), ("m", 60 * SECOND), ("h", 3600 * SECOND), ("d", DAY)];
    let found = units.iter().find_map(|(unit, micros)| {
        let digits = text.strip_suffix(unit)?;
        let is_whole = digits.bytes().all(|byte| byte.is_ascii_digit());
        let number: u32 = is_whole.then_some(digits)?.parse().ok()?;
        i64::from(number).checked_mul(*micros)
    });
    found.ok_or_else(|| AskError::wrong(format!("within={text}: expected 90s, 30m, 2h or 1d")))
}
