//! `run --set-aside`: refused call files, moved to a folder while the others are booked.
//!
//! ```text
//! read ─▶ book ─▶ keep a place for each, with why ─▶ the ledger's list ─▶ move
//! ```
//!
//! **Invariant:** a refused file lies in the input folder or is on the ledger's list, and nothing
//! is moved before the others are booked. A crash after the list was written and before the move
//! leaves the file where it was: the next run refuses it again.

use super::error::CliError;
use super::output::refuse_ledgers;
use super::term;
use super::{clock, journal};
use crate::disk::aside::AsidePlace;
use crate::disk::durable::make_folder_synced;
use crate::disk::folder::resolved;
use crate::ingest::source::{CallPath, FoundFiles};
use crate::inputs::file::FileError;
use crate::ledger::set_aside::{FolderId, Refused, keep, unmended};
use crate::ledger::{Ledger, Lock};
use crate::report::health::words::stamp;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The most files that are named one by one.
const NAMED: usize = 20;

/// A refused call file, and why.
pub type Bad = (CallPath, FileError);

/// The folder for refused files, from the root; it need not be there yet.
pub fn place(dir: &Path, ledger: &Path) -> Result<PathBuf, CliError> {
    let real = resolved(dir)?;
    if real.starts_with(resolved(ledger)?) {
        return Err(CliError::usage(format!(
            "--set-aside {}: lies in the ledger {}; nothing was booked",
            dir.display(),
            ledger.display()
        ))
        .hint("name a folder beside it"));
    }
    // Of a folder that is to be made, the nearest one above it that is there says whose it is.
    if let Some(there) = real.ancestors().find(|above| above.is_dir()) {
        refuse_ledgers(dir, &there.join("file"))?;
    }
    Ok(real)
}

/// Makes the folder, unless it is one whose files are read: they would be read again.
pub fn make(dir: &Path, found: &FoundFiles) -> Result<PathBuf, CliError> {
    if let Some(inputs) = found.reading(dir) {
        return Err(CliError::usage(format!(
            "--set-aside {}: lies in {}, whose files are read every night",
            dir.display(),
            inputs.display()
        ))
        .hint("name a folder beside it"));
    }
    make_folder_synced(dir)?;
    Ok(resolved(dir)?)
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

/// Sets the refused files of a booked night aside, names those that are not mended yet, and notes
/// all in the journal: where the list cannot be written, `status` knows it from there. What was
/// booked from where it lay is mended.
pub fn after_booking(
    (ledger, lock): (&Ledger, &Lock),
    dir: Option<&Path>,
    bad: &[Bad],
    booked: &[PathBuf],
) -> Vec<Refused> {
    let before = unmended(ledger);
    // Without the list nothing is moved: nobody would know where to.
    let dir = dir.filter(|_| before.is_ok());
    let mut list: Vec<Refused> = match &before {
        Ok(before) => before.iter().filter(|old| !old.is_among(booked)).cloned().collect(),
        Err(error) => {
            term::report("warning", &error.to_string());
            Vec::new()
        }
    };
    // The same file may have been refused and left where it was before.
    list.retain(|refused| !bad.iter().any(|(file, _)| real(&file.path) == refused.lies));
    for seen in list.iter_mut().filter(|old| !old.is_gone()) {
        seen.folder = FolderId::above(&seen.lies);
    }
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
        let lies = place.as_ref().map_or_else(|| real(&file.path), |place| place.file.clone());
        list.push(Refused {
            file: file.name.clone(),
            folder: FolderId::above(&lies),
            lies,
            why: error.to_string(),
            since: stamp(clock::now()),
        });
        places.push(place);
    }
    if let Ok(before) = before
        && (list != before || !bad.is_empty())
        && let Err(error) = keep(ledger, lock, &list)
    {
        term::report("warning", &error.to_string());
        let start = list.len() - bad.len();
        for (((file, _), place), entry) in bad.iter().zip(&mut places).zip(&mut list[start..]) {
            if let Some(place) = place.take() {
                place.give_up();
            }
            entry.lies = real(&file.path);
        }
    }
    move_all((ledger, lock), bad, &places, &mut list);
    journal::refused(list.iter().map(|refused| refused.lies.as_path()));
    list
}

/// A path from the root; a link stays one.
fn real(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
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
        if let Some(place) = place {
            // It may be in its place though a folder could not be synced: the list has it there.
            if std::fs::symlink_metadata(&file.path).is_ok() {
                place.give_up();
                entry.lies = real(&file.path);
                entry.folder = FolderId::above(&entry.lies);
                has_changed = true;
            }
        }
        let lies = entry.lies.display();
        term::report(
            "warning",
            &format!("{error}: it was refused, and lies where it was, at {lies}{left}"),
        );
    }
    if has_changed && let Err(error) = keep(ledger, lock, list) {
        term::report("warning", &error.to_string());
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
