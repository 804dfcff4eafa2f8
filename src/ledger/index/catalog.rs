//! `catalog.sqlite`: the index over the runs, for SQL.
//!
//! It adds nothing to the runs and batches of invoices: it is a function of their manifests, made
//! anew after every change and put in place by one rename. So it may be lost or behind at any time,
//! there is nothing to migrate (an older schema is made anew, a newer one is refused), and
//! [`Stored::verify`] can check every bit of it.
//!
//! | file | what it does |
//! |---|---|
//! | `tables` | the tables, and the rows of a history |
//! | `extended` | a change of a large ledger, added to a copy of the catalog before |
//!
//! # Why
//! Making the catalog of a few runs takes a millisecond or two, and that of 1,800 half a second.
//! So above 64 runs what is new is added to an earlier catalog (`extended`), which is put in place
//! like one that was made anew; [`Stored::verify`] then holds every row against the manifests, and
//! has SQLite check the pages. A catalog changed where it is asked needs a journal, a recovery and
//! a migration. In one that was made anew a flipped bit is found even where a page has room.

use crate::disk::durable::{sync_folder, write_synced};
use crate::disk::folder::is_there;
use crate::inputs::file::FileError;
use crate::ledger::error::{LedgerError, RESTORE};
use crate::ledger::history::History;
use crate::ledger::lock::Lock;
use crate::ledger::place::{CATALOG, Ledger};
use crate::ledger::run::Run;
use crate::ledger::undone::Undone;
use rusqlite::types::Value;
use rusqlite::{Connection, Error, MAIN_DB, OpenFlags, OptionalExtension};
use std::borrow::Cow;
use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

mod extended;
mod tables;

use tables::{SCHEMA_VERSION, TABLES, bytes_of, make};

/// Makes the catalog anew.
///
/// # Errors
/// If it cannot be written; the old one stays then.
pub fn follow(ledger: &Ledger, lock: &Lock, history: &History) -> Result<(), LedgerError> {
    let (staged, path) = (lock.staging.join(CATALOG), path(ledger));
    if history.runs.len() > MADE_ANEW && extended::follow(ledger, &staged, &path, history)? {
        return Ok(sync_folder(ledger.folder())?);
    }
    let bytes =
        bytes_of(history, env!("CARGO_PKG_VERSION")).map_err(|error| failed(ledger, error))?;
    write_synced(&staged, &bytes)?;
    std::fs::rename(&staged, &path)
        .map_err(|e| FileError::new(&path, format!("cannot be published: {e}")))?;
    Ok(sync_folder(ledger.folder())?)
}

/// The runs up to which the catalog is made anew after every change. Above, a change is added to a
/// copy of the one before: to make that of 1,800 runs anew takes half a second of CPU.
const MADE_ANEW: usize = 64;
/// The size in bytes above which a catalog is asked in its file, and not in memory.
const IN_FILE: u64 = 1 << 20;

/// The stored catalog, as read at one moment.
#[derive(Debug, PartialEq, Eq)]
pub struct Stored {
    path: PathBuf,
    content: CatalogContent,
}

/// A catalog's bytes, or where they are.
#[derive(Debug, PartialEq, Eq)]
enum CatalogContent {
    /// There is none.
    Missing,
    InMemory(Vec<u8>),
    /// A file by device, number, size and time of its last change: it is replaced, never changed.
    InFile([i128; 4]),
}

impl Stored {
    /// Reads the catalog. To verify a ledger while others write to it, read the catalog before the
    /// runs: then it can only be behind.
    ///
    /// # Errors
    /// If it is there and cannot be read.
    pub fn read(ledger: &Ledger) -> Result<Self, FileError> {
        let path = path(ledger);
        let fail = |e: std::io::Error| FileError::new(&path, format!("cannot be read: {e}"));
        if !is_there(&path)? {
            return Ok(Self { path, content: CatalogContent::Missing });
        }
        let meta = std::fs::metadata(&path).map_err(fail)?;
        let content = if meta.len() > IN_FILE {
            let changed = i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
            let [device, number, size] = [meta.dev(), meta.ino(), meta.len()].map(i128::from);
            CatalogContent::InFile([device, number, size, changed])
        } else {
            match std::fs::read(&path).map_err(fail)? {
                // A copy that broke off, or a full disk, leaves an empty one: it is as good as
                // lost.
                bytes if bytes.is_empty() => CatalogContent::Missing,
                bytes => CatalogContent::InMemory(bytes),
            }
        };
        Ok(Self { path, content })
    }

    /// Its bytes, wherever they are.
    fn bytes(&self) -> Result<Option<Cow<'_, [u8]>>, LedgerError> {
        let unread = |e: std::io::Error| FileError::new(&self.path, format!("cannot be read: {e}"));
        Ok(match &self.content {
            CatalogContent::Missing => None,
            CatalogContent::InMemory(bytes) => Some(Cow::Borrowed(bytes)),
            CatalogContent::InFile(_) => {
                Some(Cow::Owned(std::fs::read(&self.path).map_err(unread)?))
            }
        })
    }

    /// Opens it, if there is one; refuses a newer schema.
    fn open(&self) -> Result<Option<Connection>, LedgerError> {
        let fail = |error| self.failed(error);
        let connection = match &self.content {
            CatalogContent::Missing => return Ok(None),
            CatalogContent::InMemory(bytes) => {
                let mut connection = Connection::open_in_memory().map_err(fail)?;
                connection
                    .deserialize_read_exact(MAIN_DB, &**bytes, bytes.len(), true)
                    .map_err(fail)?;
                connection
            }
            CatalogContent::InFile(_) => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                Connection::open_with_flags(&self.path, flags).map_err(fail)?
            }
        };
        let version: i64 =
            connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(fail)?;
        if version > SCHEMA_VERSION {
            let problem = format!("has schema {version}, this version knows {SCHEMA_VERSION}");
            return Err(FileError::new(&self.path, problem).hint("use the newer trunkrate").into());
        }
        Ok(Some(connection))
    }

    fn failed(&self, error: Error) -> LedgerError {
        LedgerError::Catalog { path: self.path.display().to_string(), error }
    }

    /// Refuses a ledger that lacks a run or an undo which the catalog knows: the next run would
    /// book its calls again. (A lost catalog knows nothing: [`Stored::is_lost`].)
    ///
    /// # Errors
    /// If a run is missing, the catalog cannot be read, or a newer trunkrate wrote it.
    pub fn check(&self, history: &History) -> Result<(), LedgerError> {
        let Some(connection) = self.open()? else { return Ok(()) };
        // Where its last run, undo and batch are links of the history's chains, so are all before.
        if let Ok(Some(known)) = extended::knows(&connection)
            && history.runs.len() > MADE_ANEW
            && known.lacks_from(history).is_some()
        {
            return Ok(());
        }
        let known: HashSet<&str> = history.heads().map(|head| head.own_hash.as_str()).collect();
        let folder = self.path.with_file_name("runs");
        for (run_id, manifest) in
            self.pairs(&connection, "SELECT run_id, manifest FROM runs ORDER BY sequence")?
        {
            if !known.contains(manifest.as_str()) {
                let there = history.heads().any(|head| head.run_id == run_id);
                let problem = if there {
                    "has another manifest than the catalog knows"
                } else {
                    "is missing; the catalog knows this run"
                };
                return Err(FileError::new(&folder.join(&run_id), problem).hint(RESTORE).into());
            }
        }
        let has_batches = "SELECT name, name FROM sqlite_schema WHERE name = 'batches'";
        if !self.pairs(&connection, has_batches)?.is_empty() {
            let issued: HashSet<&str> =
                history.issued.iter().map(|batch| batch.manifest.own_hash.as_str()).collect();
            for (batch, manifest) in
                self.pairs(&connection, "SELECT batch_id, manifest FROM batches ORDER BY sequence")?
            {
                if !issued.contains(manifest.as_str()) {
                    let problem =
                        "is missing or was changed; the catalog knows this batch of invoices";
                    let folder = self.path.with_file_name("invoices").join(&batch);
                    return Err(FileError::new(&folder, problem).hint(RESTORE).into());
                }
            }
        }
        let has_undone = "SELECT name, name FROM sqlite_schema WHERE name = 'undone'";
        if self.pairs(&connection, has_undone)?.is_empty() {
            return Ok(());
        }
        let undone: HashSet<&str> =
            history.undone.iter().map(|undone| undone.record_hash.as_str()).collect();
        let told = self.pairs(&connection, "SELECT run_id, record FROM undone ORDER BY number")?;
        // An undone run may come again once the catalog knows of the undo; before that, it was put
        // back.
        let standing: HashSet<&str> =
            history.runs.iter().map(|run| run.head.own_hash.as_str()).collect();
        let is_told =
            |undone: &Undone| told.iter().any(|(_, record)| *record == undone.record_hash);
        for undone in history
            .undone
            .iter()
            .filter(|undone| standing.contains(undone.run.head.own_hash.as_str()))
        {
            if !is_told(undone) {
                let problem = format!(
                    "was undone ({}), and is there again: an older copy was put over the ledger",
                    undone.reason
                );
                let hint = "restore a copy of the whole ledger; or move this run away, if the \
                            undo is right";
                return Err(FileError::new(&folder.join(&undone.run.manifest.run_id), problem)
                    .hint(hint)
                    .into());
            }
        }
        for (run_id, record) in told {
            if !undone.contains(record.as_str()) {
                let problem =
                    format!("the undo of run {run_id}, which the catalog knows, is missing");
                return Err(FileError::new(&self.path.with_file_name("undone"), problem)
                    .hint(RESTORE)
                    .into());
            }
        }
        Ok(())
    }

    /// True if it is missing, though it would have content.
    #[must_use]
    pub fn is_lost(&self, history: &History) -> bool {
        self.content == CatalogContent::Missing && !history.is_empty()
    }

    fn pairs(
        &self,
        connection: &Connection,
        query: &str,
    ) -> Result<Vec<(String, String)>, LedgerError> {
        let read = || {
            let mut statement = connection.prepare(query)?;
            statement
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<rusqlite::Result<_>>()
        };
        read().map_err(|error| self.failed(error))
    }

    /// Reports whether it is what the runs make it.
    ///
    /// # Errors
    /// Never in practice: only if SQLite fails in memory.
    pub fn is_up(&self, history: &History) -> Result<bool, LedgerError> {
        if history.runs.len() > MADE_ANEW {
            let Some(connection) = self.open()? else { return Ok(false) };
            // One that cannot be asked is made anew.
            return Ok(extended::knows(&connection).is_ok_and(|known| {
                known.is_some_and(|known| known == extended::Known::of(history))
            }));
        }
        let made =
            bytes_of(history, env!("CARGO_PKG_VERSION")).map_err(|error| self.failed(error))?;
        Ok(self.bytes()?.is_some_and(|bytes| *bytes == *made))
    }

    /// Proves that the catalog is what the runs make it, to the last bit. `Some` reports that it
    /// lacks the last changes, as after a crash; the next run adds them.
    ///
    /// # Errors
    /// If it differs; names the first difference.
    pub fn verify(&self, history: &History) -> Result<Option<String>, LedgerError> {
        self.check(history)?;
        if self.is_lost(history) {
            return Err(FileError::new(&self.path, "is missing")
                .hint("the next run makes it again from the runs")
                .into());
        }
        let Some(stored) = self.bytes()? else { return Ok(None) };
        let fail = |error| self.failed(error);
        let ours = env!("CARGO_PKG_VERSION");
        if *stored == *bytes_of(history, ours).map_err(fail)? {
            return Ok(None);
        }
        let has_grown = history.runs.len() > MADE_ANEW;
        let known = match self.open()? {
            Some(connection) if has_grown => extended::knows(&connection).map_err(fail)?,
            _ => None,
        };
        if known.as_ref() == Some(&extended::Known::of(history)) {
            return self.is_grown(history).map(|()| None);
        }
        for (before, what) in earlier_histories(history) {
            let is_it = if has_grown && known.as_ref() == Some(&extended::Known::of(&before)) {
                self.is_grown(&before)?;
                true
            } else {
                *stored == *bytes_of(&before, ours).map_err(fail)?
            };
            if is_it {
                return Ok(Some(format!(
                    "{} does not know of {what} yet; the next run brings it up",
                    self.path.display()
                )));
            }
        }
        self.find_difference(&stored, history).map(|()| None)
    }

    /// Proves a catalog to which runs were added one by one: every row of it, and that SQLite finds
    /// its pages whole. Only where a page has room may it differ from one that was made at once.
    fn is_grown(&self, history: &History) -> Result<(), LedgerError> {
        let fail = |error| self.failed(error);
        let Some(connection) = self.open()? else { return Ok(()) };
        let expected = make(history, env!("CARGO_PKG_VERSION")).map_err(fail)?;
        compare(&self.path, &connection, &expected)?;
        let schema =
            "SELECT group_concat(sql, ';') FROM (SELECT sql FROM sqlite_schema ORDER BY name)";
        let [own, wanted] = [&connection, &expected]
            .map(|of| of.query_row(schema, [], |row| row.get::<_, Option<String>>(0)));
        if own.map_err(fail)? != wanted.map_err(fail)? {
            return Err(
                wrong(&self.path, "has other tables than it was made with".to_owned()).into()
            );
        }
        let found: String = connection
            .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
            .map_err(fail)?;
        if found == "ok" {
            return Ok(());
        }
        Err(wrong(&self.path, format!("is not as it was written: {found}")).into())
    }

    fn find_difference(&self, stored: &[u8], history: &History) -> Result<(), LedgerError> {
        let fail = |error| self.failed(error);
        let ours = env!("CARGO_PKG_VERSION");
        let Some(connection) = self.open()? else { return Ok(()) };
        let maker = connection
            .query_row("SELECT version FROM made_by", [], |row| row.get(0))
            .optional()
            .map_err(fail)?;
        let maker: String = maker.unwrap_or_else(|| ours.to_owned());
        let mut expected = make(history, &maker).map_err(fail)?;
        compare(&self.path, &connection, &expected)?;
        if maker != ours && !history.manifests().any(|manifest| manifest.version == maker) {
            let problem =
                format!("says that trunkrate {maker} made it, which made none of the runs");
            return Err(wrong(&self.path, problem).into());
        }
        // The rows are equal: only another version of SQLite, recorded in bytes 96 to 99, may give
        // other bytes.
        let mut made = expected.serialize(MAIN_DB).map_err(fail)?.to_vec();
        if let (true, Some(theirs), Some(here)) =
            (maker != ours, stored.get(96..100), made.get_mut(96..100))
        {
            here.copy_from_slice(theirs);
        }
        match stored.iter().zip(&made).position(|(a, b)| a != b) {
            Some(at) => {
                Err(wrong(&self.path, format!("is not as it was written: byte {at} differs"))
                    .into())
            }
            None if stored.len() != made.len() => Err(wrong(
                &self.path,
                format!("has {} bytes; expected {}", stored.len(), made.len()),
            )
            .into()),
            None => Ok(()),
        }
    }
}

fn wrong(path: &Path, problem: String) -> FileError {
    FileError::new(path, problem)
        .hint("it is only an index: move it away, and the next run makes it again from the runs")
}

/// The number of changes that a catalog may be behind: one after a crash, more if it could not be
/// written for a while.
const BEHIND: usize = 8;

/// The histories that a crash between a change and its catalog leaves in the catalog, each with the
/// first change that it lacks: the last runs, batches of invoices or undos.
fn earlier_histories(history: &History) -> Vec<(History, String)> {
    let mut found = Vec::new();
    let mut before = history.clone();
    while let Some(last) = before.runs.pop().filter(|_| found.len() < BEHIND) {
        put_back_replaced(&mut before, &last.manifest.run_id);
        found.push((before.clone(), format!("run {}", last.manifest.run_id)));
    }
    let mut before = history.clone();
    while let Some(last) = before.issued.pop().filter(|_| found.len() < 2 * BEHIND) {
        found.push((before.clone(), format!("the batch of invoices {}", last.manifest.batch_id)));
    }
    let mut before = history.clone();
    while let Some(Undone { run, .. }) = before.undone.pop().filter(|_| found.len() < 3 * BEHIND) {
        let place =
            before.runs.partition_point(|other| other.manifest.sequence < run.manifest.sequence);
        // Once its night was rated again, the catalog has been brought up to date.
        if before
            .runs
            .get(place)
            .is_some_and(|other| other.manifest.sequence == run.manifest.sequence)
        {
            break;
        }
        let what = format!("the undo of run {}", run.manifest.run_id);
        before.runs.insert(place, run);
        found.push((before.clone(), what));
    }
    found
}

/// Puts back the runs that a run replaced, which were undone with it.
fn put_back_replaced(history: &mut History, run_id: &str) {
    while let Some(undone) =
        history.undone.pop_if(|undone| undone.replaced_by.as_deref() == Some(run_id))
    {
        put_back(history, undone.run);
    }
}

/// Puts a run back to where it was.
fn put_back(history: &mut History, run: Run) {
    let sequence = run.manifest.sequence;
    let place = history.runs.partition_point(|other| other.manifest.sequence < sequence);
    history.runs.insert(place, run);
}

/// Compares all rows of all tables.
fn compare(path: &Path, stored: &Connection, expected: &Connection) -> Result<(), LedgerError> {
    let fail = |error| LedgerError::Catalog { path: path.display().to_string(), error };
    for (table, order) in TABLES {
        let (names, found) = rows_of(stored, table, order).map_err(fail)?;
        let (_, wanted) = rows_of(expected, table, order).map_err(fail)?;
        for (found, wanted) in found.iter().zip(&wanted) {
            if let Some(at) = found.iter().zip(wanted).position(|(a, b)| a != b) {
                let row =
                    found[..2.min(found.len())].iter().map(shown).collect::<Vec<_>>().join(", ");
                let problem = format!(
                    "table {table}, row ({row}): {} is {}; the runs say {}",
                    names[at],
                    shown(&found[at]),
                    shown(&wanted[at])
                );
                return Err(wrong(path, problem).into());
            }
        }
        if found.len() != wanted.len() {
            let problem =
                format!("table {table} has {} rows; the runs make {}", found.len(), wanted.len());
            return Err(wrong(path, problem).into());
        }
    }
    Ok(())
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => format!("`{text}`"),
        Value::Blob(_) => "a blob".to_owned(),
    }
}

fn rows_of(
    connection: &Connection,
    table: &str,
    order: &str,
) -> rusqlite::Result<(Vec<String>, Vec<Vec<Value>>)> {
    let mut statement = connection.prepare(&format!("SELECT * FROM {table} ORDER BY {order}"))?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let rows = statement.query_map([], |row| (0..names.len()).map(|at| row.get(at)).collect())?;
    let rows = rows.collect::<rusqlite::Result<_>>()?;
    Ok((names, rows))
}

fn path(ledger: &Ledger) -> PathBuf {
    ledger.folder().join(CATALOG)
}

fn failed(ledger: &Ledger, error: Error) -> LedgerError {
    LedgerError::Catalog { path: path(ledger).display().to_string(), error }
}
