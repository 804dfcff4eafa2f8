//! Many nights: after any sequence of runs the ledger's books are those of one run over all the
//! files.
//!
//! | module | what it holds |
//! |---|---|
//! | `cases` | small nights by hand, as tables, with what each run books and what waits after it |
//! | `import` | published, and imported into another ledger |
//! | `random` | random records in random nights |
//! | `undo` | runs taken back, and rated again to the same bytes |
//! | `words` | the words of those tables, and how they are held against the binary |
//!
//! The same at full size: `benches/nights.py`.

mod cases;
mod import;
mod random;
mod undo;
mod words;

use crate::support::{HEADER, Night as Folder};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A line of a call file: a record by its fields, or a text that is no record.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Line {
    Record(BTreeMap<&'static str, String>),
    Broken(String),
}

impl Line {
    fn text(&self) -> String {
        let quoted = |cell: &str| {
            if cell.contains(['"', ',']) {
                format!("\"{}\"", cell.replace('"', "\"\""))
            } else {
                cell.to_owned()
            }
        };
        match self {
            Self::Record(fields) => {
                let cells = HEADER
                    .split(',')
                    .map(|name| fields.get(name).map_or(String::new(), |cell| quoted(cell)));
                cells.collect::<Vec<_>>().join(",")
            }
            Self::Broken(text) => text.clone(),
        }
    }
}

/// Where records end in a run.
const ENDS: [&str; 5] = ["rated", "free", "duplicate", "ignored", "suspended"];

/// Rates one night; the summary, in which nothing is lost.
#[track_caller]
fn rate(folder: &Folder, lines: &[Line], more: &[&str]) -> Value {
    let text: String = lines.iter().map(|line| line.text() + "\n").collect();
    folder.file("calls.csv", format!("{HEADER}\n{text}"));
    let summary = folder.run(more);
    for of in [&summary, &summary["seconds"]] {
        let sum = |names: &[&str]| {
            names.iter().map(|name| of[name].as_u64().expect("a count")).sum::<u64>()
        };
        assert_eq!(sum(&["read", "retried"]), sum(&ENDS), "{summary}");
    }
    summary
}

/// The rows of an export.
fn rows(folder: &Folder, what: &str) -> Vec<Value> {
    let text = folder.trunkrate(&["export", what, "--format", "jsonl"]).ok();
    text.lines().map(|line| serde_json::from_str(line).expect("a row")).collect()
}

fn cell<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_default()
}

/// What must not depend on how the calls came.
#[derive(Debug, PartialEq, Eq)]
struct Books {
    /// Without the run's name.
    legs: Vec<Value>,
    /// Without the run's name and the carrier's price.
    calls: Vec<Value>,
    /// Call and carrier's price.
    prices: BTreeSet<(String, String)>,
    /// Call and reason. Copies of a record without an id cannot be told apart: once is enough.
    waiting: BTreeSet<(String, String)>,
}

impl Books {
    fn of(folder: &Folder) -> Self {
        let pairs = |rows: &[Value], name: &str| {
            rows.iter()
                .map(|row| (cell(row, "call_sid").to_owned(), cell(row, name).to_owned()))
                .collect::<BTreeSet<_>>()
        };
        let without = |mut rows: Vec<Value>, names: &[&str]| {
            let fields = rows.iter_mut().filter_map(Value::as_object_mut);
            fields.for_each(|row| names.iter().for_each(|name| drop(row.remove(*name))));
            rows
        };
        let calls = rows(folder, "calls");
        Self {
            legs: without(rows(folder, "legs"), &["run_id"]),
            prices: pairs(&calls, "carrier_price"),
            calls: without(calls, &["run_id", "carrier_price"]),
            waiting: pairs(&rows(folder, "suspense"), "reason"),
        }
    }

    /// What is here and not in the books of one run, or the other way round; nothing if they are
    /// the same.
    fn against_one_run(&self, one: &Self) -> Option<String> {
        let differ = |name: &str, here: Vec<String>, there: Vec<String>| {
            let only = |a: &[String], b: &[String]| {
                a.iter()
                    .filter(|row| !b.contains(row))
                    .map(|row| format!("\n      {row}"))
                    .collect::<Vec<_>>()
                    .concat()
            };
            let said = format!(
                "{name}: only in nights{}\n    only in one run{}",
                only(&here, &there),
                only(&there, &here)
            );
            (here != there).then_some(said)
        };
        let texts = |rows: &[Value]| rows.iter().map(Value::to_string).collect::<Vec<_>>();
        let shown = |pairs: &BTreeSet<(String, String)>| {
            pairs.iter().map(|(sid, what)| format!("{sid} {what}")).collect::<Vec<_>>()
        };
        let parts = [
            differ("legs", texts(&self.legs), texts(&one.legs)),
            differ("calls", texts(&self.calls), texts(&one.calls)),
            differ("carrier prices", shown(&self.prices), shown(&one.prices)),
            differ("waiting", shown(&self.waiting), shown(&one.waiting)),
        ];
        let differences: Vec<String> = parts.into_iter().flatten().collect();
        (!differences.is_empty()).then(|| differences.join("\n  "))
    }
}

/// The same nights again, all at once: what they book, which must be nothing.
fn again(folder: &Folder, lines: &[Line], more: &[&str]) -> Option<String> {
    let summary = rate(folder, lines, more);
    let booked = ["rated", "free", "legs"].map(|name| summary[name].as_u64().unwrap_or(u64::MAX));
    (booked != [0; 3]).then(|| format!("the same nights again book {booked:?} (rated, free, legs)"))
}

/// Nights, for people.
fn shown(nights: &[Vec<Line>]) -> String {
    let night = |lines: &Vec<Line>| {
        lines.iter().map(|line| format!("\n    {}", line.text())).collect::<Vec<_>>().concat()
    };
    let numbered =
        (1..).zip(nights).map(|(number, lines)| format!("\n  night {number}{}", night(lines)));
    numbered.collect::<Vec<_>>().concat()
}
