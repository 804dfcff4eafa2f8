//! The list of calls that was printed last: `explain 3` is its third call.
//!
//! It lies in the user's cache, `$XDG_CACHE_HOME/trunkrate/last-calls.json` or below `~/.cache`: a
//! ledger may be read by several people, or be on a disk that cannot be written to.
//!
//! **Invariant:** it is never trusted. It names the ledger and its head; a number means a call only
//! if this ledger has that head in its past, and the call is then looked for like any other. If it
//! cannot be written, the list is printed all the same.

use crate::cli::error::CliError;
use crate::cli::output::write_own;
use crate::disk::private;
use crate::ledger::{History, Ledger};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

#[derive(Serialize, Deserialize)]
struct LastList {
    /// The ledger's folder.
    ledger: PathBuf,
    /// Its head when the list was printed.
    head: String,
    /// The ids in the order of their numbers, or `FILE:LINE` of a record without one.
    calls: Vec<String>,
}

/// The longest number that names a call of a list; ids of calls are longer.
const MOST_DIGITS: usize = 7;

fn path() -> Option<PathBuf> {
    let of = |name: &str| {
        std::env::var_os(name).map(PathBuf::from).filter(|folder| folder.is_absolute())
    };
    let cache = of("XDG_CACHE_HOME").or_else(|| Some(of("HOME")?.join(".cache")))?;
    Some(cache.join("trunkrate").join("last-calls.json"))
}

fn folder_of(ledger: &Ledger) -> Option<PathBuf> {
    ledger.folder().canonicalize().ok()
}

/// Keeps the list that was printed. Where it cannot be kept, nothing is said: only numbers need it.
pub fn keep(ledger: &Ledger, history: &History, calls: Vec<String>) {
    let (Some(path), Some(folder)) = (path(), folder_of(ledger)) else { return };
    let list = LastList { ledger: folder, head: history.head(), calls };
    let Ok(bytes) = serde_json::to_vec(&list) else { return };
    let above = path.parent().unwrap_or(Path::new("/"));
    let _ = private::make_folders(above).ok().and_then(|()| write_own(&path, &bytes).ok());
}

/// True if a text is the number of a call in a list.
#[must_use]
pub fn is_number(text: &str) -> bool {
    (1..=MOST_DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The call with a number in the list that was printed last for this ledger.
///
/// # Errors
/// If there is no such list, it is of another ledger, or it has no such number.
pub fn call(ledger: &Ledger, history: &History, number: &str) -> Result<String, CliError> {
    let none = |why: &str| {
        CliError::failed(format!("{number}: {why}"))
            .hint("`trunkrate calls …` prints a list; then its numbers name its calls")
    };
    let read = path().and_then(|path| std::fs::read(path).ok());
    let Some(list) = read.and_then(|bytes| serde_json::from_slice::<LastList>(&bytes).ok()) else {
        return Err(none("no list of calls was printed before"));
    };
    let is_own = folder_of(ledger).is_some_and(|folder| folder == list.ledger)
        && history.has_head(ledger, &list.head).is_ok();
    if !is_own {
        return Err(none("the list of calls that was printed last is of another ledger"));
    }
    let at: usize = number.parse().map_err(|_| none("expected a number of a list"))?;
    match at.checked_sub(1).and_then(|at| list.calls.get(at)) {
        Some(name) => Ok(name.clone()),
        None => Err(none(&format!(
            "the list of calls that was printed last has {} calls",
            list.calls.len()
        ))),
    }
}
