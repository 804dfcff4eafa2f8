//! `catalog.sqlite`: the index over the runs, for SQL.
//!
//! It adds nothing to the runs and batches of invoices: it is a function of their manifests, made
//! anew after every change and put in place by one rename. So it may be lost or behind at any time,
//! there is nothing to migrate (an older schema is made anew, a newer one is refused), and
//! [`Stored::verify`] can check every bit of it.
//!
//! # Why
//! Making the catalog of a thousand runs takes some ten milliseconds. A catalog changed in place
//! needs a journal, a recovery and a migration, and a flipped bit in the unused part of a page
//! would never be found.

use crate::disk::durable::{sync_folder, write_synced};
use crate::disk::folder::is_there;
use crate::inputs::file::FileError;
use crate::ledger::batch::BatchManifest;
use crate::ledger::error::{LedgerError, RESTORE};
use crate::ledger::history::History;
use crate::ledger::lock::Lock;
use crate::ledger::manifest::{Manifest, ManifestCount};
use crate::ledger::place::{CATALOG, Ledger};
use crate::ledger::run::Run;
use crate::ledger::undone::Undone;
use rusqlite::types::Value;
use rusqlite::{Connection, Error, MAIN_DB, OptionalExtension, params};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// The schema that this version writes (`PRAGMA user_version`).
const SCHEMA_VERSION: i64 = 3;

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
const TABLES: [(&str, &str); 14] = [
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

/// Makes the catalog anew.
///
/// # Errors
/// If it cannot be written; the old one stays then.
pub fn follow(ledger: &Ledger, lock: &Lock, history: &History) -> Result<(), LedgerError> {
    let bytes =
        bytes_of(history, env!("CARGO_PKG_VERSION")).map_err(|error| failed(ledger, error))?;
    let (staged, path) = (lock.staging.join(CATALOG), path(ledger));
    write_synced(&staged, &bytes)?;
    std::fs::rename(&staged, &path)
        .map_err(|e| FileError::new(&path, format!("cannot be published: {e}")))?;
    Ok(sync_folder(ledger.folder())?)
}

/// The stored catalog, as read at one moment.
#[derive(Debug, PartialEq, Eq)]
pub struct Stored {
    path: PathBuf,
    /// `None` if there is none.
    bytes: Option<Vec<u8>>,
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
        let bytes = if is_there(&path)? { Some(std::fs::read(&path).map_err(fail)?) } else { None };
        // A copy that broke off, or a full disk, leaves an empty one: it is as good as lost.
        let bytes = bytes.filter(|bytes| !bytes.is_empty());
        Ok(Self { path, bytes })
    }

    /// Opens it; refuses a newer schema.
    fn open(&self, bytes: &[u8]) -> Result<Connection, LedgerError> {
        let fail = |error| self.failed(error);
        let mut connection = Connection::open_in_memory().map_err(fail)?;
        connection.deserialize_read_exact(MAIN_DB, bytes, bytes.len(), true).map_err(fail)?;
        let version: i64 =
            connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(fail)?;
        if version > SCHEMA_VERSION {
            let problem = format!("has schema {version}, this version knows {SCHEMA_VERSION}");
            return Err(FileError::new(&self.path, problem).hint("use the newer trunkrate").into());
        }
        Ok(connection)
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
        let Some(bytes) = &self.bytes else { return Ok(()) };
        let connection = self.open(bytes)?;
        let known: HashSet<&str> =
            history.manifests().map(|manifest| manifest.own_hash.as_str()).collect();
        let folder = self.path.with_file_name("runs");
        for (run_id, manifest) in
            self.pairs(&connection, "SELECT run_id, manifest FROM runs ORDER BY sequence")?
        {
            if !known.contains(manifest.as_str()) {
                let there = history.manifests().any(|manifest| manifest.run_id == run_id);
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
            history.runs.iter().map(|run| run.manifest.own_hash.as_str()).collect();
        let is_told =
            |undone: &Undone| told.iter().any(|(_, record)| *record == undone.record_hash);
        for undone in history
            .undone
            .iter()
            .filter(|undone| standing.contains(undone.run.manifest.own_hash.as_str()))
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
        self.bytes.is_none() && !history.is_empty()
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
        let made =
            bytes_of(history, env!("CARGO_PKG_VERSION")).map_err(|error| self.failed(error))?;
        Ok(self.bytes.as_ref() == Some(&made))
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
        let Some(stored) = &self.bytes else { return Ok(None) };
        let fail = |error| self.failed(error);
        let ours = env!("CARGO_PKG_VERSION");
        if *stored == bytes_of(history, ours).map_err(fail)? {
            return Ok(None);
        }
        for (before, what) in earlier_histories(history) {
            if *stored == bytes_of(&before, ours).map_err(fail)? {
                return Ok(Some(format!(
                    "{} does not know of {what} yet; the next run brings it up",
                    self.path.display()
                )));
            }
        }
        self.find_difference(stored, history).map(|()| None)
    }

    fn find_difference(&self, stored: &[u8], history: &History) -> Result<(), LedgerError> {
        let fail = |error| self.failed(error);
        let ours = env!("CARGO_PKG_VERSION");
        let connection = self.open(stored)?;
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

fn add_batch(connection: &Connection, m: &BatchManifest) -> rusqlite::Result<()> {
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

fn add(connection: &Connection, m: &Manifest) -> rusqlite::Result<()> {
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
