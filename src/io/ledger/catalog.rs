//! `catalog.sqlite`: the index over the runs.
//!
//! It holds nothing that the runs do not say themselves, so it may be deleted at any time; the next run makes it again.
//! (What must be counted once, such as invoice numbers, will live here and nowhere else.)

use super::{Ledger, LedgerError, Run};
use rusqlite::{Connection, params};
use std::path::PathBuf;

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
    legs       INTEGER NOT NULL
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
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(fail)?;
    if version > SCHEMA_VERSION {
        return Err(crate::io::FileError::new(&path, format!("has schema {version}, this version knows {SCHEMA_VERSION}"))
            .hint("use the newer trunkrate")
            .into());
    }
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

fn path(ledger: &Ledger) -> PathBuf {
    ledger.folder().join("catalog.sqlite")
}

fn add(transaction: &rusqlite::Transaction<'_>, run: &Run) -> rusqlite::Result<()> {
    let m = &run.manifest;
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let count = |name| number(m.records(name));
    let new = transaction.execute(
        "INSERT INTO runs VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT DO NOTHING",
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
            number(m.legs)
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
