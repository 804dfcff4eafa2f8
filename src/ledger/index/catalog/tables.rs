//! The tables of the catalog, and their rows.

use crate::ledger::batch::BatchManifest;
use crate::ledger::history::History;
use crate::ledger::manifest::{Manifest, ManifestCount};
use rusqlite::{Connection, Error, MAIN_DB, params};

/// The schema that this version writes (`PRAGMA user_version`).
pub(super) const SCHEMA_VERSION: i64 = 3;

/// The schema's text, with its comments, is part of the catalog's bytes: a changed one makes every
/// catalog anew. (The kind `import` came later.)
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
CREATE TABLE batches (
    sequence INTEGER PRIMARY KEY,
    batch_id TEXT NOT NULL UNIQUE,
    kind     TEXT NOT NULL, -- issue, credit
    reason   TEXT,
    seller   TEXT NOT NULL,
    date     TEXT NOT NULL,
    period   TEXT NOT NULL,
    supplementary INTEGER NOT NULL,
    manifest TEXT NOT NULL  -- BLAKE3
) STRICT;
CREATE TABLE documents (
    number      TEXT PRIMARY KEY,
    batch_id    TEXT NOT NULL,
    counter     INTEGER NOT NULL, -- in the series of its seller and year
    account_sid TEXT NOT NULL,
    currency    TEXT NOT NULL,
    legs        INTEGER NOT NULL,
    usage       TEXT NOT NULL,    -- money as text, exact
    items       INTEGER NOT NULL,
    net         TEXT NOT NULL,
    tax         TEXT NOT NULL,
    total       TEXT NOT NULL,
    corrects    TEXT,             -- the invoice that it credits: its amounts are taken back
    rebill      INTEGER NOT NULL,
    document    TEXT NOT NULL     -- BLAKE3
) STRICT, WITHOUT ROWID;
";

/// The tables, each with the columns that order its rows.
pub(super) const TABLES: [(&str, &str); 14] = [
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
    ("batches", "1"),
    ("documents", "1"),
];

pub(super) fn bytes_of(history: &History, version: &str) -> rusqlite::Result<Vec<u8>> {
    Ok(make(history, version)?.serialize(MAIN_DB)?.to_vec())
}

/// The catalog in memory.
pub(super) fn make(history: &History, version: &str) -> rusqlite::Result<Connection> {
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
        let values = params![
            number(undone.number)?,
            manifest.run_id,
            undone.reason,
            undone.record_hash,
            manifest.own_hash
        ];
        insert(&transaction, "undone", values)?;
    }
    for batch in &history.issued {
        add_batch(&transaction, &batch.manifest)?;
    }
    transaction.commit()?;
    Ok(connection)
}

/// A count as SQLite keeps it.
fn number(n: u64) -> rusqlite::Result<i64> {
    i64::try_from(n).map_err(|error| Error::ToSqlConversionFailure(Box::new(error)))
}

fn insert(
    connection: &Connection,
    table: &str,
    values: &[&dyn rusqlite::ToSql],
) -> rusqlite::Result<()> {
    let marks = vec!["?"; values.len()].join(", ");
    connection
        .prepare_cached(&format!("INSERT INTO {table} VALUES ({marks})"))?
        .execute(values)
        .map(|_| ())
}

pub(super) fn add_batch(connection: &Connection, m: &BatchManifest) -> rusqlite::Result<()> {
    let (sequence, id, kind) = (number(m.sequence)?, &m.batch_id, m.kind.as_str());
    let batch = params![
        sequence,
        id,
        kind,
        m.reason,
        m.seller,
        m.date,
        m.period,
        m.supplementary,
        m.own_hash
    ];
    insert(connection, "batches", batch)?;
    for e in &m.entries {
        let document = params![
            e.number,
            id,
            number(e.counter)?,
            e.account_sid,
            e.currency,
            number(e.legs)?,
            e.usage,
            number(e.items)?,
            e.net,
            e.tax,
            e.total,
            e.corrects,
            e.rebill,
            e.document,
        ];
        insert(connection, "documents", document)?;
    }
    Ok(())
}

pub(super) fn add(connection: &Connection, m: &Manifest) -> rusqlite::Result<()> {
    let id = &m.run_id;
    let run = params![
        number(m.sequence)?,
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
        number(m.legs)?,
        m.own_hash,
    ];
    insert(connection, "runs", run)?;
    let count = |table: &str, name: &str, count: &ManifestCount| {
        insert(connection, table, params![id, name, number(count.records)?, number(count.seconds)?])
    };
    for (class, records) in &m.counts {
        count("counts", class, records)?;
    }
    for (entry, records) in m.suspense.entries() {
        count("suspense", entry, &records)?;
    }
    for (reason, records) in &m.suspended_by_reason {
        insert(connection, "suspended", params![id, reason, number(*records)?])?;
    }
    for (currency, amount) in &m.amount {
        insert(connection, "amounts", params![id, currency, amount])?;
    }
    for (place, file) in (1_i64..).zip(&m.inputs) {
        let (bytes, rows) = (number(file.bytes)?, number(file.rows)?);
        insert(
            connection,
            "inputs",
            params![id, place, file.name, file.format, bytes, rows, file.blake3],
        )?;
    }
    for deck in &m.decks {
        insert(
            connection,
            "decks",
            params![id, deck.folder, deck.name, deck.currency, deck.blake3],
        )?;
    }
    for (name, value) in &m.policy {
        insert(connection, "configuration", params![id, name, value])?;
    }
    for earlier in &m.stands_on {
        insert(connection, "stands_on", params![id, earlier])?;
    }
    for file in &m.files {
        insert(
            connection,
            "files",
            params![id, file.path, number(file.rows)?, number(file.bytes)?, file.blake3],
        )?;
    }
    Ok(())
}
