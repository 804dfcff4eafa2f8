//! `catalog.sqlite`: the index over the runs, for SQL.
//!
//! It says nothing that the runs do not say themselves: it is a function of the manifests, made anew after every change
//! and put in place by one rename. So it may be lost or behind at any time, there is nothing to migrate (an older schema
//! is made anew, a newer one is refused), and [`verify`] can demand every bit of it.
//!
//! # Why
//! A thousand runs are made into a catalog in some ten milliseconds. A catalog that is changed in place needs a journal, a
//! recovery and a migration, and a flipped bit in the unused part of a page would never be found.

use super::manifest::{Manifest, ManifestCount};
use super::undo::Undone;
use super::{History, Ledger, LedgerError, Lock, sync_folder, write_synced};
use crate::io::FileError;
use rusqlite::types::Value;
use rusqlite::{Connection, Error, MAIN_DB, params};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The schema that this version writes (`PRAGMA user_version`).
const SCHEMA_VERSION: i64 = 2;

const SCHEMA: &str = "
CREATE TABLE made_by (version TEXT NOT NULL) STRICT; -- of trunkrate
CREATE TABLE runs (
    sequence          INTEGER PRIMARY KEY,
    run_id            TEXT NOT NULL UNIQUE,
    kind              TEXT NOT NULL, -- run, retry, close, resolve
    reason            TEXT,
    version           TEXT NOT NULL, -- of trunkrate
    tzdb              TEXT NOT NULL,
    tzdb_blake3       TEXT NOT NULL,
    previous          TEXT,
    previous_manifest TEXT,          -- BLAKE3
    own_newest_start  TEXT,
    decks             TEXT,          -- the folder in archive/
    trunks            TEXT,
    accounts          TEXT,
    legs              INTEGER NOT NULL,
    manifest          TEXT NOT NULL  -- BLAKE3
) STRICT;
CREATE TABLE counts (
    run_id TEXT NOT NULL, class TEXT NOT NULL, records INTEGER NOT NULL, seconds INTEGER NOT NULL, PRIMARY KEY (run_id, class)
) STRICT, WITHOUT ROWID;
CREATE TABLE suspense (
    run_id TEXT NOT NULL, entry TEXT NOT NULL, records INTEGER NOT NULL, seconds INTEGER NOT NULL, PRIMARY KEY (run_id, entry)
) STRICT, WITHOUT ROWID;
CREATE TABLE suspended (
    run_id TEXT NOT NULL, reason TEXT NOT NULL, records INTEGER NOT NULL, PRIMARY KEY (run_id, reason)
) STRICT, WITHOUT ROWID;
CREATE TABLE amounts (
    run_id TEXT NOT NULL, currency TEXT NOT NULL, amount TEXT NOT NULL, PRIMARY KEY (run_id, currency)
) STRICT, WITHOUT ROWID;
CREATE TABLE inputs (
    run_id TEXT NOT NULL, place INTEGER NOT NULL, name TEXT NOT NULL, format TEXT NOT NULL, bytes INTEGER NOT NULL,
    rows INTEGER NOT NULL, blake3 TEXT NOT NULL, PRIMARY KEY (run_id, place)
) STRICT, WITHOUT ROWID;
CREATE TABLE decks (
    run_id TEXT NOT NULL, folder TEXT NOT NULL, name TEXT NOT NULL, currency TEXT NOT NULL, blake3 TEXT NOT NULL,
    PRIMARY KEY (run_id, folder)
) STRICT, WITHOUT ROWID;
CREATE TABLE configuration (
    run_id TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (run_id, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE stands_on (
    run_id TEXT NOT NULL, earlier TEXT NOT NULL, PRIMARY KEY (run_id, earlier)
) STRICT, WITHOUT ROWID;
CREATE TABLE files (
    run_id TEXT NOT NULL, path TEXT NOT NULL, rows INTEGER NOT NULL, bytes INTEGER NOT NULL, blake3 TEXT NOT NULL,
    PRIMARY KEY (run_id, path)
) STRICT, WITHOUT ROWID;
CREATE TABLE undone (
    number   INTEGER PRIMARY KEY,
    run_id   TEXT NOT NULL,
    reason   TEXT NOT NULL,
    record   TEXT NOT NULL, -- BLAKE3
    manifest TEXT NOT NULL  -- BLAKE3
) STRICT;
";

/// The tables, each with what its rows are ordered by.
const TABLES: [(&str, &str); 12] = [
    ("made_by", "1"),
    ("runs", "1"),
    ("counts", "1, 2"),
    ("suspense", "1, 2"),
    ("suspended", "1, 2"),
    ("amounts", "1, 2"),
    ("inputs", "1, 2"),
    ("decks", "1, 2"),
    ("configuration", "1, 2"),
    ("stands_on", "1, 2"),
    ("files", "1, 2"),
    ("undone", "1"),
];

/// Makes the catalog anew.
///
/// # Errors
/// If it cannot be written; the old one stands then.
pub fn follow(ledger: &Ledger, lock: &Lock, history: &History) -> Result<(), LedgerError> {
    let bytes = bytes_of(history, env!("CARGO_PKG_VERSION")).map_err(|error| failed(ledger, error))?;
    let (staged, path) = (lock.staging.join("catalog.sqlite"), path(ledger));
    write_synced(&staged, &bytes)?;
    std::fs::rename(&staged, &path).map_err(|e| FileError::new(&path, format!("cannot be published: {e}")))?;
    Ok(sync_folder(ledger.folder())?)
}

/// Refuses a ledger that lacks a run which the catalog knows: booking on would book its calls again. Says whether the
/// catalog is lost.
///
/// # Errors
/// If a run is missing, the catalog cannot be read, or a newer trunkrate wrote it.
pub fn check(ledger: &Ledger, history: &History) -> Result<bool, LedgerError> {
    let path = path(ledger);
    if !path.exists() {
        return Ok(!history.runs.is_empty() || !history.undone.is_empty());
    }
    let fail = |error| failed(ledger, error);
    let connection = open(&path)?;
    let mut known: HashMap<&str, Vec<&str>> = HashMap::new();
    for manifest in history.runs.iter().map(|run| &run.manifest).chain(history.undone.iter().map(|undone| &undone.run.manifest)) {
        known.entry(&manifest.run_id).or_default().push(&manifest.own_hash);
    }
    let mut statement = connection.prepare("SELECT run_id, manifest FROM runs ORDER BY sequence").map_err(fail)?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).map_err(fail)?;
    for row in rows {
        let (run_id, manifest) = row.map_err(fail)?;
        let problem = match known.get(run_id.as_str()) {
            None => "is missing; the catalog knows this run",
            Some(hashes) if !hashes.contains(&manifest.as_str()) => "has another manifest than the catalog knows",
            Some(_) => continue,
        };
        return Err(FileError::new(&ledger.runs_folder().join(&run_id), problem).hint(super::RESTORE).into());
    }
    Ok(false)
}

/// Proves that the catalog is what the runs make it, to the last bit. `Some` says that it is behind by the last change,
/// as after a crash; the next run mends that.
///
/// # Errors
/// The first place where it is not.
pub fn verify(ledger: &Ledger, history: &History) -> Result<Option<String>, LedgerError> {
    let path = path(ledger);
    if !path.exists() && history.runs.is_empty() && history.undone.is_empty() {
        return Ok(None);
    }
    let fail = |error| failed(ledger, error);
    let stored = std::fs::read(&path).map_err(|e| wrong(&path, format!("cannot be read: {e}")))?;
    let ours = env!("CARGO_PKG_VERSION");
    if stored == bytes_of(history, ours).map_err(fail)? {
        return Ok(None);
    }
    for (before, what) in before_last_change(history) {
        if stored == bytes_of(&before, ours).map_err(fail)? {
            return Ok(Some(format!("{} does not know of {what} yet; the next run brings it up", path.display())));
        }
    }
    let connection = open(&path)?;
    let maker: String = connection.query_row("SELECT version FROM made_by", [], |row| row.get(0)).map_err(fail)?;
    let mut expected = make(history, &maker).map_err(fail)?;
    compare(&path, &connection, &expected)?;
    // The same rows: only another version of SQLite, which stands in bytes 96 to 99, may give other bytes.
    if maker != ours && !history.runs.iter().any(|run| run.manifest.version == maker) {
        return Err(wrong(&path, format!("says that trunkrate {maker} made it, which made none of the runs")).into());
    }
    let mut made = expected.serialize(MAIN_DB).map_err(fail)?.to_vec();
    if let (true, Some(theirs), Some(here)) = (maker != ours, stored.get(96..100), made.get_mut(96..100)) {
        here.copy_from_slice(theirs);
    }
    match stored.iter().zip(&made).position(|(a, b)| a != b) {
        Some(at) => Err(wrong(&path, format!("is not as it was written: byte {at} differs")).into()),
        None if stored.len() != made.len() => {
            Err(wrong(&path, format!("has {} bytes; expected {}", stored.len(), made.len())).into())
        }
        None => Ok(None),
    }
}

fn wrong(path: &Path, problem: String) -> FileError {
    FileError::new(path, problem).hint("it is only an index: move it away, and the next run makes it again from the runs")
}

/// The histories that a crash between a change and the catalog leaves it at, and what the change was.
fn before_last_change(history: &History) -> Vec<(History, String)> {
    let mut before = Vec::new();
    if let Some(last) = history.runs.last() {
        let mut without = history.clone();
        without.runs.pop();
        before.push((without, format!("run {}", last.manifest.run_id)));
    }
    if let Some(Undone { run, .. }) = history.undone.last() {
        let mut with = history.clone();
        with.undone.pop();
        let place = with.runs.partition_point(|other| other.manifest.sequence < run.manifest.sequence);
        with.runs.insert(place, run.clone());
        before.push((with, format!("the undo of run {}", run.manifest.run_id)));
    }
    before
}

/// Compares all rows of all tables.
fn compare(path: &Path, stored: &Connection, expected: &Connection) -> Result<(), LedgerError> {
    let fail = |error| LedgerError::Catalog { path: path.display().to_string(), error };
    for (table, order) in TABLES {
        let (names, found) = rows_of(stored, table, order).map_err(fail)?;
        let (_, wanted) = rows_of(expected, table, order).map_err(fail)?;
        for (found, wanted) in found.iter().zip(&wanted) {
            if let Some(at) = found.iter().zip(wanted).position(|(a, b)| a != b) {
                let row = found[..2.min(found.len())].iter().map(shown).collect::<Vec<_>>().join(", ");
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
            let problem = format!("table {table} has {} rows; the runs make {}", found.len(), wanted.len());
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

fn rows_of(connection: &Connection, table: &str, order: &str) -> rusqlite::Result<(Vec<String>, Vec<Vec<Value>>)> {
    let mut statement = connection.prepare(&format!("SELECT * FROM {table} ORDER BY {order}"))?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let rows = statement.query_map([], |row| (0..names.len()).map(|at| row.get(at)).collect())?;
    let rows = rows.collect::<rusqlite::Result<_>>()?;
    Ok((names, rows))
}

/// Opens the catalog to read; one of a newer schema is refused.
fn open(path: &Path) -> Result<Connection, LedgerError> {
    let fail = |error: Error| LedgerError::Catalog { path: path.display().to_string(), error };
    let connection = Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(fail)?;
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(fail)?;
    if version > SCHEMA_VERSION {
        let problem = format!("has schema {version}, this version knows {SCHEMA_VERSION}");
        return Err(FileError::new(path, problem).hint("use the newer trunkrate").into());
    }
    Ok(connection)
}

fn path(ledger: &Ledger) -> PathBuf {
    ledger.folder().join("catalog.sqlite")
}

fn failed(ledger: &Ledger, error: Error) -> LedgerError {
    LedgerError::Catalog { path: path(ledger).display().to_string(), error }
}

fn bytes_of(history: &History, version: &str) -> rusqlite::Result<Vec<u8>> {
    Ok(make(history, version)?.serialize(MAIN_DB)?.to_vec())
}

/// The catalog in memory.
fn make(history: &History, version: &str) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open_in_memory()?;
    connection.set_prepared_statement_cache_capacity(TABLES.len());
    let transaction = connection.transaction()?;
    transaction.execute_batch(SCHEMA)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.execute("INSERT INTO made_by VALUES (?1)", [version])?;
    for run in &history.runs {
        add(&transaction, &run.manifest)?;
    }
    for undone in &history.undone {
        let manifest = &undone.run.manifest;
        let values = params![number(undone.number), manifest.run_id, undone.reason, undone.record_hash, manifest.own_hash];
        insert(&transaction, "undone", values)?;
    }
    transaction.commit()?;
    Ok(connection)
}

fn number(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn insert(connection: &Connection, table: &str, values: &[&dyn rusqlite::ToSql]) -> rusqlite::Result<()> {
    let marks = vec!["?"; values.len()].join(", ");
    connection.prepare_cached(&format!("INSERT INTO {table} VALUES ({marks})"))?.execute(values).map(|_| ())
}

fn add(connection: &Connection, m: &Manifest) -> rusqlite::Result<()> {
    let id = &m.run_id;
    let run = params![
        number(m.sequence),
        id,
        m.kind.as_str(),
        m.reason,
        m.version,
        m.tzdb,
        m.tzdb_hash,
        m.previous,
        m.previous_manifest,
        m.own_newest_start,
        m.decks_hash,
        m.trunks_hash,
        m.accounts_hash,
        number(m.legs),
        m.own_hash,
    ];
    insert(connection, "runs", run)?;
    let count = |table: &str, name: &str, count: &ManifestCount| {
        insert(connection, table, params![id, name, number(count.records), number(count.seconds)])
    };
    for (class, records) in &m.counts {
        count("counts", class, records)?;
    }
    for (entry, records) in m.suspense.entries() {
        count("suspense", entry, &records)?;
    }
    for (reason, records) in &m.suspended_by_reason {
        insert(connection, "suspended", params![id, reason, number(*records)])?;
    }
    for (currency, amount) in &m.amount {
        insert(connection, "amounts", params![id, currency, amount])?;
    }
    for (place, file) in (1_i64..).zip(&m.inputs) {
        let (bytes, rows) = (number(file.bytes), number(file.rows));
        insert(connection, "inputs", params![id, place, file.name, file.format, bytes, rows, file.blake3])?;
    }
    for deck in &m.decks {
        insert(connection, "decks", params![id, deck.folder, deck.name, deck.currency, deck.blake3])?;
    }
    for (name, value) in &m.policy {
        insert(connection, "configuration", params![id, name, value])?;
    }
    for earlier in &m.stands_on {
        insert(connection, "stands_on", params![id, earlier])?;
    }
    for file in &m.files {
        insert(connection, "files", params![id, file.path, number(file.rows), number(file.bytes), file.blake3])?;
    }
    Ok(())
}
