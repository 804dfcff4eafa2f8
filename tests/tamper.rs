//! Tampering: whatever is changed in a ledger after it was written, `verify` finds it, and says
//! where.
//!
//! A ledger of three runs, with all that a ledger can hold, is changed in one place at a time: a
//! bit of a file, a file that is gone or new, a cell of the catalog, runs that are gone or swapped.

use crate::faults::{
    Bench, CLOSE, CREDIT, Desk, FIRST_NIGHT, ISSUE, RETRY, SECOND_NIGHT, THIRD_NIGHT, UNDO, Words,
    assert_none, files, on_two_threads, tables,
};
use rusqlite::Connection;
use rusqlite::types::Value;
use std::path::{Path, PathBuf};

/// Late prices, ignored calls, closed suspense, an old deck and a new one, invoices and a credit
/// note, a run that was taken back: it is the last.
const STORY: [Words; 8] =
    [FIRST_NIGHT, SECOND_NIGHT, CLOSE, RETRY, ISSUE, THIRD_NIGHT, CREDIT, UNDO];

/// The ledger, once for each thread.
struct Copies {
    bench: Bench,
    desks: std::sync::Mutex<Vec<Desk>>,
}

impl Copies {
    fn new() -> Self {
        let bench = Bench::new();
        let desk = bench.after(&STORY);
        bench.run(&["verify"], &desk).ok();
        let desks = std::sync::Mutex::new(vec![desk.copy(), desk]);
        Self { bench, desks }
    }

    /// Does something with a copy that nobody else has.
    fn with<T>(&self, work: impl FnOnce(&Bench, &Desk) -> T) -> T {
        let desk = self.desks.lock().expect("the copies").pop().expect("a copy for each thread");
        let done = work(&self.bench, &desk);
        self.desks.lock().expect("the copies").push(desk);
        done
    }

    /// The files of the ledger. The lock holds nothing, and nothing waits in staging.
    fn names(&self) -> Vec<PathBuf> {
        self.with(|_, desk| {
            let all = files(&desk.ledger()).into_iter();
            let names = all
                .map(|file| file.strip_prefix(desk.ledger()).expect("below the ledger").to_owned());
            names.filter(|name| name != Path::new("lock")).collect()
        })
    }
}

/// Who is named where a file was changed: itself, or its run, or its folder in the archive.
fn owner(name: &Path) -> String {
    let mut parts = name.iter().map(|part| part.to_string_lossy().into_owned());
    match (parts.next(), parts.next()) {
        (Some(top), Some(next)) if ["runs", "undone", "invoices", "archive"].contains(&&*top) => {
            next.trim_end_matches(".json").to_owned()
        }
        (Some(top), _) => top,
        _ => String::new(),
    }
}

/// Whether `verify` finds what was changed, and names one of these; what it did if not.
fn found(bench: &Bench, desk: &Desk, what: &str, named: &[String]) -> Option<String> {
    let ended = bench.run(&["verify"], desk);
    let held = ended.code == Some(1)
        && !ended.stderr.contains("panicked")
        && named.iter().any(|name| ended.stderr.contains(name));
    (!held).then(|| format!("{what}: {}", ended.shown()))
}

/// Numbers that look random and are always the same.
fn scattered(seed: usize, below: usize) -> usize {
    let hash = blake3::hash(&seed.to_le_bytes());
    let bytes = hash.as_bytes()[..8].try_into().expect("eight bytes");
    usize::try_from(u64::from_le_bytes(bytes) % below as u64).expect("a small number")
}

#[test]
fn a_flipped_bit_is_found_in_every_file() {
    let copies = Copies::new();
    let broken = on_two_threads(copies.names(), |name| {
        copies.with(|bench, desk| {
            let path = desk.ledger().join(&name);
            let good = std::fs::read(&path).expect("a file");
            let mut places = vec![0, good.len() / 2, good.len().saturating_sub(1)];
            places.extend((0..3).map(|seed| scattered(seed + good.len(), good.len().max(1))));
            places.retain(|at| *at < good.len());
            let mut broken = Vec::new();
            for at in places {
                let mut bad = good.clone();
                bad[at] ^= 1 << scattered(at, 8);
                std::fs::write(&path, bad).expect("a file is written");
                broken.extend(found(
                    bench,
                    desk,
                    &format!("{} at {at} of {}", name.display(), good.len()),
                    &[owner(&name)],
                ));
            }
            std::fs::write(&path, good).expect("a file is written");
            broken
        })
    });
    assert_none(&broken);
}

#[test]
fn a_file_that_is_gone_is_found() {
    let copies = Copies::new();
    let broken = on_two_threads(copies.names(), |name| {
        copies.with(|bench, desk| {
            let path = desk.ledger().join(&name);
            let good = std::fs::read(&path).expect("a file");
            std::fs::remove_file(&path).expect("a file is removed");
            let broken = found(bench, desk, &name.display().to_string(), &[owner(&name)]);
            std::fs::write(&path, good).expect("a file is written");
            broken.into_iter().collect()
        })
    });
    assert_none(&broken);
}

/// In every folder of runs and archive: a file that nobody wrote.
#[test]
fn a_file_that_is_new_is_found() {
    let copies = Copies::new();
    let mut folders: Vec<PathBuf> =
        copies.names().iter().filter_map(|name| Some(name.parent()?.to_owned())).collect();
    folders.retain(|folder| folder.parent().is_some_and(|above| above != Path::new("")));
    folders.sort();
    folders.dedup();
    let broken = on_two_threads(folders, |folder| {
        copies.with(|bench, desk| {
            let mut broken = Vec::new();
            for stray in ["part-1.parquet", "note.txt", ".hidden"] {
                let path = desk.ledger().join(&folder).join(stray);
                std::fs::write(&path, "stray").expect("a file is written");
                broken.extend(found(
                    bench,
                    desk,
                    &format!("{}/{stray}", folder.display()),
                    &[owner(&folder)],
                ));
                std::fs::remove_file(&path).expect("a file is removed");
            }
            broken
        })
    });
    assert_none(&broken);
}

/// A cell of the catalog, of the first row of its table.
struct Cell {
    table: String,
    column: String,
    value: Value,
    /// The whole row, by which it is found again, and its run.
    row: Vec<(String, Value)>,
    run: Option<String>,
}

fn cells(connection: &Connection) -> rusqlite::Result<Vec<Cell>> {
    let mut cells = Vec::new();
    for table in tables(connection)? {
        let mut statement = connection.prepare(&format!("SELECT * FROM \"{table}\" LIMIT 1"))?;
        let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let mut rows = statement.query([])?;
        while let Some(found) = rows.next()? {
            let values = (0..names.len())
                .map(|at| found.get(at))
                .collect::<rusqlite::Result<Vec<Value>>>()?;
            let row: Vec<(String, Value)> = names.iter().cloned().zip(values).collect();
            let run = row.iter().find_map(|(name, value)| match value {
                Value::Text(text) if name == "run_id" || name == "batch_id" => Some(text.clone()),
                _ => None,
            });
            cells.extend(row.iter().map(|(column, value)| Cell {
                table: table.clone(),
                column: column.clone(),
                value: value.clone(),
                row: row.clone(),
                run: run.clone(),
            }));
        }
    }
    Ok(cells)
}

/// Another value of the same kind.
fn other(value: &Value) -> Value {
    match value {
        Value::Integer(number) => Value::Integer(number + 1000),
        Value::Real(number) => Value::Text(format!("{number}x")),
        Value::Text(text) => Value::Text(format!("{text}x")),
        Value::Blob(bytes) => Value::Blob([bytes, &[1][..]].concat()),
        Value::Null => Value::Text("x".to_owned()),
    }
}

/// Changes the catalog of a ledger by SQL, asks `verify`, and puts the catalog back.
fn catalog_changed(
    bench: &Bench,
    desk: &Desk,
    what: &str,
    named: &[String],
    sql: &str,
    value: &[Value],
) -> Option<String> {
    let path = desk.ledger().join("catalog.sqlite");
    let good = std::fs::read(&path).expect("the catalog");
    let connection = Connection::open(&path).expect("the catalog opens");
    connection.pragma_update(None, "foreign_keys", false).expect("rows may stand alone");
    let changed = connection.execute(sql, rusqlite::params_from_iter(value));
    connection.close().expect("the catalog closes");
    let broken = match changed {
        Ok(0) => Some(format!("{what}: nothing was changed")),
        Ok(_) => found(bench, desk, what, named),
        Err(e) => Some(format!("{what}: {e}")),
    };
    std::fs::write(&path, good).expect("a file is written");
    broken
}

#[test]
fn a_changed_cell_of_the_catalog_is_found() {
    let copies = Copies::new();
    let connect = |_: &Bench, desk: &Desk| {
        Connection::open(desk.ledger().join("catalog.sqlite")).expect("the catalog opens")
    };
    let cells = cells(&copies.with(connect)).expect("the catalog is read");
    assert!(cells.len() > 10, "the catalog holds something: {}", cells.len());
    let broken = on_two_threads(cells, |cell| {
        copies.with(|bench, desk| {
            let Cell { table, column, value, row, run } = cell;
            let what = format!("{table}.{column} of {run:?}");
            let named = [run.unwrap_or("catalog.sqlite".to_owned()), table.clone()];
            let this: Vec<String> =
                (2..).zip(&row).map(|(at, (name, _))| format!("\"{name}\" IS ?{at}")).collect();
            let sql =
                format!("UPDATE \"{table}\" SET \"{column}\" = ?1 WHERE {}", this.join(" AND "));
            let values: Vec<Value> = std::iter::once(other(&value))
                .chain(row.into_iter().map(|(_, value)| value))
                .collect();
            catalog_changed(bench, desk, &what, &named, &sql, &values).into_iter().collect()
        })
    });
    assert_none(&broken);
}

/// The first row of each table. (Without its last run a catalog is only behind, as after a run that
/// died.)
#[test]
fn a_row_that_is_gone_from_the_catalog_is_found() {
    let copies = Copies::new();
    let connect = |_: &Bench, desk: &Desk| {
        Connection::open(desk.ledger().join("catalog.sqlite")).expect("the catalog opens")
    };
    let mut cells = cells(&copies.with(connect)).expect("the catalog is read");
    cells.dedup_by(|a, b| a.table == b.table);
    let broken = on_two_threads(cells, |Cell { table, row, .. }| {
        copies.with(|bench, desk| {
            let this: Vec<String> =
                (1..).zip(&row).map(|(at, (name, _))| format!("\"{name}\" IS ?{at}")).collect();
            let sql = format!("DELETE FROM \"{table}\" WHERE {}", this.join(" AND "));
            let values: Vec<Value> = row.into_iter().map(|(_, value)| value).collect();
            let named = [table.clone(), "catalog.sqlite".to_owned()];
            catalog_changed(bench, desk, &format!("a row of {table}"), &named, &sql, &values)
                .into_iter()
                .collect()
        })
    });
    assert_none(&broken);
}

/// The folders of the runs, first to last.
fn runs(desk: &Desk) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(desk.ledger().join("runs")).expect("the runs");
    let mut runs: Vec<PathBuf> = entries.map(|run| run.expect("a run").path()).collect();
    runs.sort();
    runs
}

fn swap(a: &Path, b: &Path) {
    let aside = a.with_extension("aside");
    for (from, to) in [(a, &*aside), (b, a), (&*aside, b)] {
        std::fs::rename(from, to).expect("a file is moved");
    }
}

/// The first run that was undone, and the record of why.
fn undone(desk: &Desk) -> [PathBuf; 2] {
    let mut found = files(&desk.ledger().join("undone"));
    found.retain(|path| {
        path.extension().is_some_and(|end| end == "json") && !path.ends_with("manifest.json")
    });
    let record = found.into_iter().next().expect("a record");
    [record.with_extension(""), record]
}

type Change = fn(&Desk);

/// What is done to the runs of a ledger.
const CHANGES: [(&str, Change); 11] = [
    ("the first run is gone", |desk| {
        std::fs::remove_dir_all(&runs(desk)[0]).expect("it is removed");
    }),
    ("the second run is gone", |desk| {
        std::fs::remove_dir_all(&runs(desk)[1]).expect("it is removed");
    }),
    ("the last run is gone", |desk| {
        std::fs::remove_dir_all(runs(desk).pop().expect("a run")).expect("it is removed");
    }),
    ("two runs are swapped", |desk| swap(&runs(desk)[0], &runs(desk)[1])),
    ("two manifests are swapped", |desk| {
        swap(&runs(desk)[0].join("manifest.json"), &runs(desk)[1].join("manifest.json"));
    }),
    ("the legs of two runs are swapped", |desk| {
        let [first, second] =
            [0, 1].map(|at: usize| files(&runs(desk)[at].join("legs")).swap_remove(0));
        swap(&first, &second);
    }),
    ("the first run has another amount", |desk| with_another_amount(&runs(desk)[0])),
    ("the last run with an amount has another", |desk| {
        with_another_amount(
            runs(desk).iter().rfind(|run| amount(run).is_some()).expect("an amount"),
        );
    }),
    ("a run that was undone is put back", |desk| {
        let [kept, _] = undone(desk);
        let name = kept.file_name().expect("a name").to_string_lossy().into_owned();
        let (_, run) = name.split_once('-').expect("a number before the run");
        std::fs::rename(&kept, desk.ledger().join("runs").join(run)).expect("it is moved");
    }),
    ("a run that was undone is gone", |desk| {
        std::fs::remove_dir_all(&undone(desk)[0]).expect("it is removed");
    }),
    ("a run that was undone is gone, with its record", |desk| {
        let [kept, record] = undone(desk);
        std::fs::remove_dir_all(kept)
            .and_then(|()| std::fs::remove_file(record))
            .expect("both are removed");
    }),
];

/// What is wrong is a run, so a run is named. That the catalog differs says nothing, and who
/// follows its hint and moves it away has lost the last witness.
#[test]
fn runs_that_are_gone_or_swapped_are_found() {
    let bench = Bench::new();
    let desk = bench.after(&STORY);
    let [kept, _] = undone(&desk);
    let names = runs(&desk)
        .into_iter()
        .chain([kept])
        .map(|run| run.file_name().expect("a name").to_string_lossy().into_owned());
    let mut names: Vec<String> = names.collect();
    let of_undone =
        names.last().and_then(|name| name.split_once('-')).map(|(_, run)| run.to_owned());
    names.extend(of_undone);
    let broken = CHANGES.iter().filter_map(|(what, change)| {
        let changed = desk.copy();
        change(&changed);
        found(&bench, &changed, what, &names)
    });
    assert_none(&broken.collect::<Vec<_>>());
}

fn amount(run: &Path) -> Option<String> {
    let text = std::fs::read_to_string(run.join("manifest.json")).expect("a manifest");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    json["amount"]["USD"].as_str().map(str::to_owned)
}

/// A manifest that says a dollar more.
fn with_another_amount(run: &Path) {
    let path = run.join("manifest.json");
    let (text, amount) =
        (std::fs::read_to_string(&path).expect("a manifest"), amount(run).expect("an amount"));
    let more = text.replace(&format!("\"{amount}\""), &format!("\"1{amount}\""));
    assert_ne!(text, more);
    std::fs::write(path, more).expect("a manifest is written");
}
