//! `catalog.sqlite`: the index over the runs.
//!
//! It holds nothing that the runs do not say themselves, so it may be deleted at any time; the next run makes it again.
//! (What must be counted once, such as invoice numbers, will live here and nowhere else.)

use super::{Ledger, LedgerError, Run};
use crate::io::FileError;
use rusqlite::{Connection, OpenFlags, params};
use std::path::{Path, PathBuf};

/// The schema that this version writes (`PRAGMA user_version`).
const SCHEMA_VERSION: i64 = 1;

const SCHEMA: &str = "
CREATE TABLE runs (
    sequence   INTEGER PRIMARY KEY,
    run_id     TEXT NOT NULL UNIQUE,
    previous   TEXT,
    version    TEXT NOT NULL,
    read       INTEGER NOT NULL,
    retried    INTEGER NOT NULL,
    rated      INTEGER NOT NULL,
    free       INTEGER NOT NULL,
    duplicate  INTEGER NOT NULL,
    ignored    INTEGER NOT NULL,
    suspended  INTEGER NOT NULL,
    legs       INTEGER NOT NULL,
    manifest   TEXT NOT NULL -- BLAKE3
) STRICT;
CREATE TABLE amounts (
    run_id   TEXT NOT NULL REFERENCES runs (run_id),
    currency TEXT NOT NULL,
    amount   TEXT NOT NULL,
    PRIMARY KEY (run_id, currency)
) STRICT;
CREATE TABLE files (
    run_id TEXT NOT NULL REFERENCES runs (run_id),
    path   TEXT NOT NULL,
    rows   INTEGER NOT NULL,
    bytes  INTEGER NOT NULL,
    blake3 TEXT NOT NULL,
    PRIMARY KEY (run_id, path)
) STRICT;
";

/// Brings the catalog up to the published runs.
///
/// # Errors
/// If SQLite cannot write it, or a newer trunkrate wrote it.
pub fn follow(ledger: &Ledger, runs: &[Run]) -> Result<(), LedgerError> {
    let path = path(ledger);
    let fail = |error: rusqlite::Error| LedgerError::Catalog { path: path.display().to_string(), error };
    let mut connection = Connection::open(&path).map_err(fail)?;
    connection.pragma_update(None, "journal_mode", "wal").map_err(fail)?;
    let version = refuse_newer(&connection, &path)?;
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(fail)?;
    if version == 0 {
        transaction.execute_batch(SCHEMA).map_err(fail)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION).map_err(fail)?;
    }
    for run in runs {
        add(&transaction, run).map_err(fail)?;
    }
    transaction.commit().map_err(fail)
}

/// Refuses a ledger that lacks a run which the catalog knows: booking on would book its calls again.
///
/// # Errors
/// If a run is missing, or the catalog cannot be read.
pub fn check(ledger: &Ledger, runs: &[Run]) -> Result<(), LedgerError> {
    let path = path(ledger);
    if !path.exists() {
        return Ok(());
    }
    let fail = |error: rusqlite::Error| LedgerError::Catalog { path: path.display().to_string(), error };
    let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(fail)?;
    let made: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'runs'", [], |row| row.get(0)).map_err(fail)?;
    if made == 0 {
        return Ok(());
    }
    let mut statement = connection.prepare("SELECT run_id, manifest FROM runs ORDER BY sequence").map_err(fail)?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).map_err(fail)?;
    for row in rows {
        let (run_id, manifest) = row.map_err(fail)?;
        let problem = match runs.iter().find(|run| run.manifest.run_id == run_id) {
            None => "is missing; the catalog knows this run",
            Some(run) if run.manifest.own_hash != manifest => "has another manifest than the catalog knows",
            Some(_) => continue,
        };
        return Err(FileError::new(&ledger.runs_folder().join(&run_id), problem).hint(super::RESTORE).into());
    }
    Ok(())
}

/// The version of the schema; a newer one than this program knows is refused.
fn refuse_newer(connection: &Connection, path: &Path) -> Result<i64, LedgerError> {
    let fail = |error: rusqlite::Error| LedgerError::Catalog { path: path.display().to_string(), error };
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(fail)?;
    if version > SCHEMA_VERSION {
        let problem = format!("has schema {version}, this version knows {SCHEMA_VERSION}");
        return Err(FileError::new(path, problem).hint("use the newer trunkrate").into());
    }
    Ok(version)
}

fn path(ledger: &Ledger) -> PathBuf {
    ledger.folder().join("catalog.sqlite")
}

fn add(transaction: &rusqlite::Transaction<'_>, run: &Run) -> rusqlite::Result<()> {
    let m = &run.manifest;
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let count = |name| number(m.records(name));
    let new = transaction.execute(
        "INSERT INTO runs VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) ON CONFLICT DO NOTHING",
        params![
            number(m.sequence),
            m.run_id,
            m.previous,
            m.version,
            count("read"),
            count("retried"),
            count("rated"),
            count("free"),
            count("duplicate"),
            count("ignored"),
            count("suspended"),
            number(m.legs),
            m.own_hash,
        ],
    )?;
    if new == 0 {
        return Ok(());
    }
    for (currency, amount) in &m.amount {
        transaction.execute("INSERT INTO amounts VALUES (?1, ?2, ?3)", params![m.run_id, currency, amount])?;
    }
    for file in &m.files {
        transaction.execute(
            "INSERT INTO files VALUES (?1, ?2, ?3, ?4, ?5)",
            params![m.run_id, file.path, number(file.rows), number(file.bytes), file.blake3],
        )?;
    }
    Ok(())
}
