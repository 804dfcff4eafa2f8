//! `run --set-aside`: refused call files, moved to a folder while the others are booked.
//!
//! ```text
//! read ─▶ book ─▶ keep a place for each, with why ─▶ the ledger's list ─▶ move
//! ```
//!
//! **Invariant:** a refused file lies in the input folder or is on the ledger's list, and nothing
//! is moved before the others are booked. A crash after the list was written and before the move
//! leaves the file where it was: the next run refuses it again.

use super::clock;
use super::error::CliError;
use super::output::refuse_ledgers;
use super::term;
use crate::disk::aside::AsidePlace;
use crate::disk::durable::make_folder_synced;
use crate::ingest::source::{CallPath, FoundFiles};
use crate::inputs::file::FileError;
use crate::ledger::set_aside::{Refused, keep, unmended};
use crate::ledger::{Ledger, Lock};
use crate::report::health::words::stamp;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The most files that are named one by one.
const NAMED: usize = 20;

/// A refused call file, and why.
pub type Bad = (CallPath, FileError);

/// Makes the folder for refused files; gives its path from the root.
pub fn folder(dir: &Path) -> Result<PathBuf, CliError> {
    let fail = |e: std::io::Error| FileError::new(dir, format!("cannot be read: {e}"));
    let absolute = std::path::absolute(dir).map_err(fail)?;
    // Of a folder that is to be made, the nearest one above it that is there says whose it is.
    if let Some(there) = absolute.ancestors().find(|above| above.is_dir()) {
        refuse_ledgers(dir, &there.join("file"))?;
    }
    make_folder_synced(dir)?;
    Ok(dir.canonicalize().map_err(fail)?)
}

/// Refuses a folder below one that is read with all in it: its files would be read again.
pub fn refuse_inside(dir: &Path, found: &FoundFiles) -> Result<(), CliError> {
    let holds = |folder: &&PathBuf| folder.canonicalize().is_ok_and(|real| dir.starts_with(real));
    match found.folders.iter().find(holds) {
        None => Ok(()),
        Some(inputs) => Err(CliError::usage(format!(
            "--set-aside {}: lies in {}, whose files are read every night",
            dir.display(),
            inputs.display()
        ))
        .hint("name a folder beside it")),
    }
}

/// The error of a night in which every file is refused.
pub fn all_refused(bad: &[Bad]) -> CliError {
    for (_, error) in bad.iter().skip(1).take(NAMED) {
        term::report("warning", &error.to_string());
    }
    let first = bad.first().map_or_else(String::new, |(_, error)| error.to_string());
    let problem = match bad.len() {
        1 => format!("{first}; it is the only call file: nothing was booked"),
        many => format!("{first}; all {many} call files are refused: nothing was booked"),
    };
    let error = CliError::failed(problem);
    match bad.first().and_then(|(_, error)| error.hint.clone()) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// Sets the refused files of a booked night aside, and names those that are not mended yet. What
/// was booked from where it lay is mended.
pub fn after_booking(
    (ledger, lock): (&Ledger, &Lock),
    dir: Option<&Path>,
    bad: &[Bad],
    booked: &[PathBuf],
) -> Vec<Refused> {
    let before = match unmended(ledger) {
        Ok(before) => before,
        Err(error) => {
            term::report("note", &error.to_string());
            return Vec::new();
        }
    };
    let is_booked = |refused: &Refused| {
        booked.iter().any(|path| path.canonicalize().is_ok_and(|real| real == refused.lies))
    };
    let mut list: Vec<Refused> =
        before.iter().filter(|refused| !is_booked(refused)).cloned().collect();
    // The same file may have been refused and left where it was before.
    let real = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    list.retain(|refused| !bad.iter().any(|(file, _)| real(&file.path) == refused.lies));
    name_old(&list);
    let mut places = Vec::new();
    for (file, error) in bad {
        let place = dir.map(|dir| AsidePlace::keep(dir, &name_of(&file.path), &why(file, error)));
        let place = match place {
            None => None,
            Some(Ok(place)) => Some(place),
            Some(Err(error)) => {
                term::report("note", &error.to_string());
                None
            }
        };
        list.push(Refused {
            file: file.name.clone(),
            lies: place.as_ref().map_or_else(|| real(&file.path), |place| place.file.clone()),
            why: error.to_string(),
            since: stamp(clock::now()),
        });
        places.push(place);
    }
    if (list != before || !bad.is_empty())
        && let Err(error) = keep(ledger, lock, &list)
    {
        places.iter().flatten().for_each(AsidePlace::give_up);
        let left = if bad.is_empty() { "" } else { "; the refused files stay where they are" };
        term::report("note", &format!("{error}{left}"));
        return list;
    }
    move_all((ledger, lock), bad, &places, &mut list);
    list
}

/// Moves the refused files to the places kept for them, the last entries of the list.
fn move_all(
    (ledger, lock): (&Ledger, &Lock),
    bad: &[Bad],
    places: &[Option<AsidePlace>],
    list: &mut [Refused],
) {
    let start = list.len() - bad.len();
    let mut has_changed = false;
    for (((file, error), place), entry) in bad.iter().zip(places).zip(&mut list[start..]) {
        let moved = place.as_ref().map(|place| place.take(&file.path));
        let left = match moved {
            Some(Ok(())) => {
                let lies = entry.lies.display();
                term::report("warning", &format!("{error}: it was set aside, at {lies}"));
                continue;
            }
            Some(Err(why)) => format!(": {}", why.problem),
            None => String::new(),
        };
        term::report("warning", &format!("{error}: it was refused, and lies where it was{left}"));
        if let Some(place) = place {
            // It may be in its place though a folder could not be synced: the list has it there.
            if std::fs::symlink_metadata(&file.path).is_ok() {
                place.give_up();
                entry.lies = std::path::absolute(&file.path).unwrap_or_else(|_| file.path.clone());
                has_changed = true;
            }
        }
    }
    if has_changed && let Err(error) = keep(ledger, lock, list) {
        term::report("note", &error.to_string());
    }
}

/// Names the files that were refused before and are not mended.
fn name_old(list: &[Refused]) {
    for refused in list.iter().take(NAMED) {
        let (since, lies) = (&refused.since, refused.lies.display());
        term::report(
            "warning",
            &format!("{}: refused since {since} and not mended; it lies at {lies}", refused.why),
        );
    }
    if list.len() > NAMED {
        let more = list.len() - NAMED;
        term::report("warning", &format!("and {more} more files that are not mended"));
    }
}

/// The refused files as JSON.
pub fn as_json(list: &[Refused]) -> Value {
    list.iter().map(|refused| json!(refused)).collect()
}

fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(|| "calls".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// The text beside a file that was set aside.
fn why(file: &CallPath, error: &FileError) -> String {
    let hint = error.hint.as_ref().map_or_else(String::new, |hint| {
        // The others were.
        format!("{}\n", hint.strip_prefix("nothing was booked; ").unwrap_or(hint))
    });
    format!("{}\n{error}\n{hint}", file.name)
}
