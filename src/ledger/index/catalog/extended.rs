//! A change of a large ledger, added to a catalog before.
//!
//! **Invariant:** a catalog is gone on with only if its last run, undo and batch are links of the
//! history's chains at the places that it counts, and this version made it: then it lacks what came
//! after them, and nothing else. Else it is made anew.

use super::tables::{SCHEMA_VERSION, add, add_batch};
use crate::disk::durable::write_new;
use crate::inputs::file::FileError;
use crate::ledger::error::LedgerError;
use crate::ledger::history::History;
use crate::ledger::place::{CATALOG, Ledger};
use rusqlite::{Connection, OptionalExtension};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What a catalog knows: how many runs, undos and batches, and the hash of the last of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known([(i64, Option<String>); 3]);

impl Known {
    /// What the catalog of a history knows.
    pub(super) fn of(history: &History) -> Self {
        let count = |many: usize| i64::try_from(many).expect("a ledger has fewer runs than 2^63");
        let run = history.runs.last().map(|run| run.head.own_hash.clone());
        let undone = history.undone.last().map(|undone| undone.record_hash.clone());
        let batch = history.issued.last().map(|batch| batch.manifest.own_hash.clone());
        Self([
            (count(history.runs.len()), run),
            (count(history.undone.len()), undone),
            (count(history.issued.len()), batch),
        ])
    }

    /// The places in a history from which on it lacks what is there; `None` if it is the catalog of
    /// another one.
    pub(super) fn lacks_from(&self, history: &History) -> Option<[usize; 3]> {
        let runs = |at: usize| history.runs.get(at).map(|run| run.head.own_hash.as_str());
        let undone = |at: usize| history.undone.get(at).map(|undone| undone.record_hash.as_str());
        let batches =
            |at: usize| history.issued.get(at).map(|batch| batch.manifest.own_hash.as_str());
        let [a, b, c] = &self.0;
        // An undo takes a run out of the middle.
        let undone = place(b, undone).filter(|from| *from == history.undone.len())?;
        Some([place(a, runs)?, undone, place(c, batches)?])
    }
}

/// How many entries a catalog knows, if the last of them stands at that place.
fn place<'a>(
    (count, last): &(i64, Option<String>),
    hash: impl Fn(usize) -> Option<&'a str>,
) -> Option<usize> {
    let count = usize::try_from(*count).ok()?;
    let known = count.checked_sub(1).and_then(hash);
    (known == last.as_deref()).then_some(count)
}

/// What a stored catalog knows; `None` if another version made it.
pub(super) fn knows(connection: &Connection) -> rusqlite::Result<Option<Known>> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version != SCHEMA_VERSION {
        return Ok(None);
    }
    let maker: Option<String> =
        connection.query_row("SELECT version FROM made_by", [], |row| row.get(0)).optional()?;
    if maker.as_deref() != Some(env!("CARGO_PKG_VERSION")) {
        return Ok(None);
    }
    let last = |table: &str, hash: &str, order: &str| -> rusqlite::Result<(i64, Option<String>)> {
        let count =
            connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?;
        let last = format!("SELECT {hash} FROM {table} ORDER BY {order} DESC LIMIT 1");
        Ok((count, connection.query_row(&last, [], |row| row.get(0)).optional()?))
    };
    Ok(Some(Known([
        last("runs", "manifest", "sequence")?,
        last("undone", "record", "number")?,
        last("batches", "manifest", "sequence")?,
    ])))
}

/// Brings the catalog up by what it lacks, and puts it in place; false if there is none that can be
/// gone on with.
///
/// ```text
/// volumes/catalog.sqlite   the catalog before the last: moved to `staging`, what it lacks is added
/// catalog.sqlite           the last: the two change places by one rename
/// ```
///
/// # Why two
/// The catalog of 1,800 runs has 9 MB: to copy it each night costs some milliseconds of CPU. A
/// process that dies while it adds leaves its half in `staging`, which the next one empties; then,
/// and where a file system cannot let two files change places, the last one is copied.
///
/// # Errors
/// If it cannot be written.
pub(super) fn follow(
    ledger: &Ledger,
    staged: &Path,
    path: &Path,
    history: &History,
) -> Result<bool, LedgerError> {
    let unwritten = |e: std::io::Error| FileError::new(staged, format!("cannot be written: {e}"));
    let before = ledger.volumes_folder().join(CATALOG);
    let taken = is_ours_alone(&before) && std::fs::rename(&before, staged).is_ok();
    let is_up = (taken && matches!(add_to(staged, history), Ok(true)))
        || (copy(path, staged)? && matches!(add_to(staged, history), Ok(true)));
    if !is_up {
        return Ok(false);
    }
    File::open(staged).and_then(|file| file.sync_all()).map_err(unwritten)?;
    let exchanged = renameat_with(CWD, staged, CWD, path, RenameFlags::EXCHANGE);
    if exchanged.is_err() {
        std::fs::rename(staged, path)
            .map_err(|e| FileError::new(path, format!("cannot be published: {e}")))?;
    } else if std::fs::rename(staged, &before).is_err() {
        // It saves the next night a copy, and nothing else.
        let _ = std::fs::remove_file(staged);
    }
    Ok(true)
}

/// True if a file may be written into: it is no link, and no copy of the ledger that was made of
/// hard links has it, too.
fn is_ours_alone(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file() && meta.nlink() == 1)
}

/// Copies the catalog; false if there is none.
fn copy(path: &Path, staged: &Path) -> Result<bool, FileError> {
    let unread = |e: std::io::Error| FileError::new(path, format!("cannot be read: {e}"));
    let mut from = match File::open(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        opened => opened.map_err(unread)?,
    };
    let mut file = write_new(staged, b"")?;
    std::io::copy(&mut from, &mut file)
        .map_err(|e| FileError::new(staged, format!("cannot be written: {e}")))?;
    Ok(true)
}

/// Adds what a catalog lacks. (No journal: a copy that is not finished is thrown away.)
fn add_to(path: &Path, history: &History) -> rusqlite::Result<bool> {
    let mut connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "OFF")?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    // One that is broken is made anew.
    let Ok(Some(known)) = knows(&connection) else { return Ok(false) };
    let Some([runs, _, batches]) = known.lacks_from(history) else { return Ok(false) };
    let transaction = connection.transaction()?;
    for run in &history.runs[runs..] {
        add(&transaction, &run.manifest)?;
    }
    for batch in &history.issued[batches..] {
        add_batch(&transaction, &batch.manifest)?;
    }
    transaction.commit()?;
    Ok(true)
}
