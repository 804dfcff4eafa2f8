//! Shapes of JSON: of what commands print, from what they print; of the API and of documents, from
//! their schemas.

use super::reference::{escaped, meanings, table};
use super::{copy, demo};
use crate::support::Night;
use clap::Command;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// The call that the examples are about.
const CALL: &str = "CA20261120000000000000000000000108";

/// Commands that print JSON: the path, and arguments with which each prints all it can, in a copy of
/// the demo.
#[rustfmt::skip]
const COMMANDS: &[(&str, &[&str])] = &[
    ("run", &["run"]),
    ("rerate", &["rerate", CALL]),
    ("explain", &["explain", CALL]),
    ("calls", &["calls", "2026-11-20"]),
    ("invoice check", &["invoice", "check", "--period", "2026-11", "--date", "2026-12-01"]),
    ("invoice list", &["invoice", "list"]),
    ("invoice calls", &["invoice", "calls", "BT-2026-000001"]),
    ("suspense", &["suspense", "--by-cause"]),
    ("suspense show", &["suspense", "show", "CA20261120000000000000000000000414"]),
    ("suspense retry", &["suspense", "retry"]),
    ("rates check", &["rates", "check", "rates"]),
    ("rates lookup", &["rates", "lookup", "rates/default", "+32455123456", "--at", "2026-11-20"]),
    ("classify", &["classify", "tel:+13035550104", "tel:911"]),
    ("verify", &["verify"]),
    ("status", &["status", "--now", "2036-11-23T07:00:00Z"]),
    ("runs", &["runs"]),
    ("report", &["report"]),
    ("ledger backup", &["ledger", "backup", "backup"]),
    ("ledger restore", &["ledger", "restore", "backup"]),
    ("undo", &["undo", "1", "--dry-run", "--reason", "why"]),
    ("plan", &["plan", "--calls-per-night", "1000000"]),
];

/// Commands whose JSON is described elsewhere, or cannot be made from the demo.
const ELSEWHERE: [(&str, &str); 5] = [
    ("invoice show", "It prints a document: [Invoices as JSON](documents.md)"),
    ("invoice draft", "It prints a list of documents: [Invoices as JSON](documents.md)"),
    ("invoice issue", "Each file that it writes is a document: [Invoices as JSON](documents.md)"),
    ("invoice write", "Each file that it writes is a document: [Invoices as JSON](documents.md)"),
    ("ledger import", "It prints the fields of [run](#run)"),
];

/// Objects whose keys are no names but values: a currency, a reason.
const BY_VALUE: [(&str, &str); 13] = [
    ("amount", "CURRENCY"),
    ("counts", "CLASS"),
    ("fields", "FIELD"),
    ("foreign_accounts", "ACCOUNT"),
    ("ignored_by_direction", "DIRECTION"),
    ("legs", "MONTH"),
    ("policy", "SETTING"),
    ("records", "CLASS"),
    ("seconds", "CLASS"),
    ("suspended_by_reason", "REASON"),
    ("totals", "CURRENCY"),
    ("unlisted_accounts", "ACCOUNT"),
    ("without_rate_booked", "CURRENCY"),
];

/// Every path in a value, with the types found there.
pub type JsonShape = BTreeMap<String, BTreeSet<&'static str>>;

/// Adds a value's paths.
pub fn shape(value: &Value, path: &str, found: &mut JsonShape) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "integer",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    };
    if !path.is_empty() {
        found.entry(path.to_owned()).or_default().insert(kind);
    }
    match value {
        Value::Array(all) => all.iter().for_each(|one| shape(one, &format!("{path}[]"), found)),
        Value::Object(all) => {
            let own = path.rsplit('.').next().expect("a path has a last part");
            let by = BY_VALUE.iter().find(|(name, _)| *name == own);
            for (key, one) in all {
                let key = by.map_or(key.as_str(), |(_, by)| by);
                let below = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
                shape(one, &below, found);
            }
        }
        _ => {}
    }
}

/// The rows of a shape. The meaning of a path is that of `[group]` in `docs/meanings.toml`, else of
/// its last name there in `[json]`.
pub fn rows_of(shape: &JsonShape, group: &str) -> Vec<Vec<String>> {
    let (own, common) = (meanings(group), meanings("json"));
    let mut lacking = Vec::new();
    let mut used = BTreeSet::new();
    let mut rows = Vec::new();
    for (path, kinds) in shape {
        if path.ends_with("[]") {
            continue; // The list's own row says what is in it.
        }
        let name = path.rsplit('.').next().expect("a path has a last part");
        let found = own.get(path).inspect(|_| {
            used.insert(path.as_str());
        });
        let Some(what) = found.or_else(|| common.get(name)) else {
            lacking.push(path.as_str());
            continue;
        };
        let elements = shape.get(&format!("{path}[]"));
        let mut kinds: Vec<String> = kinds.iter().map(ToString::to_string).collect();
        if let Some(of) = elements {
            let of: Vec<&str> = of.iter().copied().collect();
            kinds = vec![format!("list of {}", of.join(" or "))];
        }
        rows.push(vec![format!("`{path}`"), kinds.join(" or "), escaped(what)]);
    }
    assert!(lacking.is_empty(), "docs/meanings.toml, [\"{group}\"] or [json] lack {lacking:#?}");
    let left: Vec<&String> = own.keys().filter(|key| !used.contains(key.as_str())).collect();
    assert!(left.is_empty(), "[\"{group}\"] has what is not there: {left:?}");
    rows
}

/// The paths of commands whose `--format` may be this.
fn printing(format: &str) -> Vec<String> {
    fn add(command: &Command, path: &str, format: &str, found: &mut Vec<String>) {
        for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
            let path = format!("{path} {}", below.get_name()).trim().to_owned();
            let prints = below.get_arguments().any(|arg| {
                let is_it = |value: &clap::builder::PossibleValue| value.get_name() == format;
                arg.get_long() == Some("format") && arg.get_possible_values().iter().any(is_it)
            });
            if prints {
                found.push(path.clone());
            }
            add(below, &path, format, found);
        }
    }
    let mut found = Vec::new();
    add(&trunkrate::cli::command(), "", format, &mut found);
    assert!(found.len() > 5, "the commands were found");
    found
}

/// Brings a copy of the demo into the state that a command needs.
fn prepare(path: &str, night: &Night) {
    let ledger = night.path().join("ledger");
    if path == "undo" {
        // The demo's run is on invoices.
        std::fs::remove_dir_all(ledger).expect("the ledger is removed");
        night.bare("", &["run"], &[]).ok();
    } else if path == "ledger restore" {
        night.bare("", &["ledger", "backup", "backup"], &[]).ok();
        std::fs::remove_dir_all(ledger).expect("the ledger is removed");
    }
}

/// What each command prints as JSON.
pub fn commands() -> String {
    let mut text = "With `--format json`. Money is text, so that no reader rounds it; times are texts in UTC, \
        such as `2026-11-20T21:15:00Z`. A field that is not there is not known. New fields may come in any \
        release; a field that is here stays, with its meaning.\n\n`--format jsonl` of a list prints the \
        elements of the same list, one a line.\n"
        .to_owned();
    let mut lacking = Vec::new();
    for path in printing("json") {
        writeln!(text, "\n## {path}\n").expect("text is written");
        if let Some((_, why)) = ELSEWHERE.iter().find(|(name, _)| *name == path) {
            writeln!(text, "{why}.").expect("text is written");
            continue;
        }
        let Some((_, args)) = COMMANDS.iter().find(|(name, _)| *name == path) else {
            lacking.push(path);
            continue;
        };
        let night = Night::new();
        copy(&demo().join("demo"), night.path());
        prepare(&path, &night);
        let done = night.bare("", &[args, &["--format", "json"][..]].concat(), &[]);
        let value: Value = serde_json::from_str(&done.stdout)
            .unwrap_or_else(|e| panic!("{path}: {e} {}", done.shown()));
        let mut found = JsonShape::new();
        shape(&value, "", &mut found);
        if value.is_array() {
            text += "A list of:\n\n";
            found = found
                .into_iter()
                .filter_map(|(path, kinds)| Some((path.strip_prefix("[].")?.to_owned(), kinds)))
                .collect();
        }
        text +=
            &table(&["field", "type", "what it holds"], &rows_of(&found, &format!("json {path}")));
    }
    assert!(lacking.is_empty(), "COMMANDS in tests/docs/shapes.rs lacks {lacking:?}");
    text
}

/// The type of a schema in words.
fn type_of(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().expect("a name");
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(all) = ["anyOf", "oneOf"].iter().find_map(|key| schema[*key].as_array()) {
        let all: Vec<String> = all.iter().map(type_of).collect();
        return all.join(" or ");
    }
    if let Some(all) = schema["enum"].as_array() {
        let all: Vec<String> =
            all.iter().filter_map(|one| Some(format!("`{}`", one.as_str()?))).collect();
        return all.join(", ");
    }
    if let Some(only) = schema["const"].as_str() {
        return format!("`{only}`");
    }
    let word = |name: &str| match name {
        "string" => "text".to_owned(),
        "boolean" => "true or false".to_owned(),
        "array" => format!("list of {}", type_of(&schema["items"])),
        other => other.to_owned(),
    };
    match &schema["type"] {
        Value::String(name) => word(name),
        Value::Array(all) => {
            let all: Vec<String> = all.iter().filter_map(Value::as_str).map(word).collect();
            all.join(" or ")
        }
        _ => "any".to_owned(),
    }
}

/// The fields of an object, each with the words of its schema.
fn fields(schema: &Value, name: &str) -> String {
    let about = schema["description"].as_str().unwrap_or_default();
    let about = escaped(about);
    let Some(properties) = schema["properties"].as_object() else {
        return format!("{about}\n\n{}\n", type_of(schema));
    };
    let rows: Vec<Vec<String>> = properties
        .iter()
        .map(|(field, of)| {
            let what = of["description"].as_str();
            let what = what.unwrap_or_else(|| panic!("{name}.{field}: a schema with words"));
            vec![format!("`{field}`"), type_of(of), escaped(what)]
        })
        .collect();
    format!("{about}\n\n{}", table(&["field", "type", "what it holds"], &rows))
}

/// The API of the console, from its own `OpenAPI` document.
pub fn api() -> String {
    let document: Value =
        serde_json::from_str(&trunkrate::serve::api::openapi::document()).expect("JSON");
    let mut text = "`trunkrate serve` answers these addresses with JSON; `/api/v1/openapi.json` describes them for \
        machines (OpenAPI 3.1). Money is text. Lists have `next`, which is `after` of the next page. `ETag` \
        names the state of the ledger. Problems are `application/problem+json`. Who gets in: \
        [Look at it in a browser](../howto/console.md).\n"
        .to_owned();
    for (path, of) in document["paths"].as_object().expect("paths") {
        let get = &of["get"];
        let summary = get["summary"].as_str().expect("a summary");
        let schema = &get["responses"]["200"]["content"]["application/json"]["schema"];
        writeln!(
            text,
            "\n## GET `{path}`\n\n{}. The answer: {}.",
            escaped(summary),
            type_of(schema)
        )
        .expect("text is written");
        let rows: Vec<Vec<String>> = get["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|one| {
                let text = |key: &str| one[key].as_str().expect("a text");
                vec![format!("`{}`", text("name")), escaped(text("description"))]
            })
            .collect();
        if !rows.is_empty() {
            write!(text, "\n{}", table(&["parameter", "what it is"], &rows))
                .expect("text is written");
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
        write!(text, "\n## {name}\n\n{}", fields(schema, name)).expect("text is written");
    }
    text
}

/// Invoices and credit notes as JSON, from their own JSON Schema.
pub fn documents() -> String {
    let schema: Value = Night::new().bare("", &["invoice", "schema"], &[]).json();
    let mut text = "`trunkrate invoice show NUMBER --format json`, the files that `invoice issue` writes as \
        `json`, and the lines of `documents.jsonl` in the ledger. `trunkrate invoice schema` prints the JSON \
        Schema.\n\n## Document\n\n"
        .to_owned();
    text += &fields(&schema, "Document");
    for (name, schema) in schema["$defs"].as_object().expect("definitions") {
        write!(text, "\n## {name}\n\n{}", fields(schema, name)).expect("text is written");
    }
    text
}

/// Commands that list as CSV: the path, and the arguments, in a copy of the demo.
#[rustfmt::skip]
const LISTS: &[(&str, &[&str])] = &[
    ("calls", &["calls", "2026-11-20"]),
    ("invoice list", &["invoice", "list"]),
    ("invoice calls", &["invoice", "calls", "BT-2026-000001"]),
    ("suspense", &["suspense"]),
    ("suspense --by-cause", &["suspense", "--by-cause"]),
    ("rates check", &["rates", "check", "rates"]),
    ("rerate", &["rerate", "--period", "2026-11", "--rates", "rates"]),
    ("runs", &["runs"]),
];

/// The columns of a CSV file, with what each holds.
fn csv_columns(text: &str, group: &str) -> String {
    let (own, common) = (meanings(group), meanings("json"));
    let header = text.lines().next().expect("a header");
    let mut rows = Vec::new();
    let mut lacking = Vec::new();
    for name in header.split(',') {
        match own.get(name).or_else(|| common.get(name)) {
            Some(what) => rows.push(vec![format!("`{name}`"), escaped(what)]),
            None => lacking.push(name),
        }
    }
    assert!(lacking.is_empty(), "docs/meanings.toml, [\"{group}\"] or [json] lack {lacking:?}");
    let left: Vec<&String> =
        own.keys().filter(|key| !header.split(',').any(|name| name == *key)).collect();
    assert!(left.is_empty(), "[\"{group}\"] has what is not there: {left:?}");
    table(&["column", "what it holds"], &rows)
}

/// What is written as CSV beside the exports.
pub fn csv() -> String {
    let night = Night::new();
    copy(&demo().join("demo"), night.path());
    night.bare("", &["invoice", "--period", "2026-11", "--out", "month"], &[]).ok();
    let read = |name: &str| {
        std::fs::read_to_string(night.path().join(name)).expect("a file that was written")
    };
    let mut text = "Comma-separated, with a header, UTF-8. Money and times are as in \
        [JSON](json.md). The columns of `export` are those of [Legs, log, suspense](tables.md).\n\n\
        ## Files of invoices\n"
        .to_owned();
    let files = [
        ("index.csv", "The index, beside the documents.", "invoices/index.csv"),
        ("NUMBER.csv", "A document, line by line.", "invoices/BT-2026-000001.csv"),
        ("NUMBER.calls.csv", "The legs that it bills.", "invoices/BT-2026-000001.calls.csv"),
        ("month index.csv", "The index of `invoice --period --out`.", "month/index.csv"),
        (
            "ACCOUNT.csv",
            "What a month's calls of an account come to, by `invoice --period --out`.",
            "month/AC20261120000000000000000000000001.csv",
        ),
    ];
    for (title, about, path) in files {
        let columns = csv_columns(&read(path), &format!("csv {title}"));
        write!(text, "\n### {title}\n\n{about}\n\n{columns}").expect("text is written");
    }
    text += "\n## Lists of commands\n\nWith `--format csv`.\n";
    let printing = printing("csv");
    for path in &printing {
        // An export has the columns of its table; a document as CSV is a file of invoices.
        let documents = ["invoice show", "invoice draft", "invoice issue", "invoice write"];
        let is_elsewhere = path == "export" || documents.contains(&path.as_str());
        let is_here = LISTS.iter().any(|(name, _)| name == path);
        assert!(is_elsewhere || is_here, "LISTS in tests/docs/shapes.rs lacks {path}");
    }
    for (title, args) in LISTS {
        let command = title.split(" --").next().expect("a text has a first part");
        if !printing.iter().any(|path| path == command) {
            continue;
        }
        let said = night.bare("", &[args, &["--format", "csv"][..]].concat(), &[]).ok();
        let columns = csv_columns(&said, &format!("csv {title}"));
        write!(text, "\n### {title}\n\n{columns}").expect("text is written");
    }
    text
}
