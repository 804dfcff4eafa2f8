//! The reference, printed from the code and from what the program writes. `UPDATE_DOCS=1` writes
//! the pages; without it a page that differs fails.
//!
//! Meanings stand next to a schema where there is one (`crates/kernel/src/meanings.rs`, help texts,
//! the reasons' module, schemas of JSON), else in `docs/meanings.toml`: a name that the code has and
//! the file lacks fails, and so does a name that only the file has.

use super::pages::{root, slug};
use super::{commands, shapes, tables};
use std::collections::BTreeMap;
use std::fmt::Write;
use trunkrate::advice;
use trunkrate::reject::Reason;

/// Holds a page of the reference to its text.
pub fn hold(name: &str, title: &str, text: &str) {
    let path = root().join(format!("docs/src/reference/{name}.md"));
    let text = format!(
        "# {title}\n\n<!-- Printed from the code: change it there, then run the tests with \
         UPDATE_DOCS=1. -->\n\n{}\n",
        text.trim()
    );
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders are made");
        std::fs::write(&path, &text).expect("a page is written");
        return;
    }
    let found = std::fs::read_to_string(&path).expect("a page of the reference");
    for (number, (a, b)) in (1..).zip(found.lines().zip(text.lines())) {
        assert_eq!(a, b, "docs/src/reference/{name}.md:{number}: the page, and the code");
    }
    assert_eq!(found.lines().count(), text.lines().count(), "lines of reference/{name}.md");
}

/// A text as a cell of a table or a paragraph.
pub fn escaped(text: &str) -> String {
    // Within backticks nothing is escaped but the bar, which ends a cell.
    let mut done = String::new();
    for (place, part) in text.split('`').enumerate() {
        if place > 0 {
            done.push('`');
        }
        let part = part.replace('|', "\\|").replace('\n', " ");
        let is_code = place % 2 == 1;
        done += &if is_code { part } else { part.replace('<', "&lt;").replace('*', "\\*") };
    }
    done
}

/// A table of Markdown.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        writeln!(text, "| {} |", row.join(" | ")).expect("text is written");
    }
    text
}

/// Meanings of names that have no schema with words in the code: `docs/meanings.toml`.
pub fn meanings(group: &str) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(root().join("docs/meanings.toml")).expect("meanings");
    let all: BTreeMap<String, BTreeMap<String, String>> = toml::from_str(&text).expect("TOML");
    all.get(group).cloned().unwrap_or_default()
}

/// The meanings of these names, in their order; none may lack, and none may be left over.
pub fn meant<'a>(group: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<(&'a str, String)> {
    let mut words = meanings(group);
    let mut lacking = Vec::new();
    let mut found = Vec::new();
    for name in names {
        match words.remove(name) {
            Some(word) => found.push((name, word)),
            None => lacking.push(name),
        }
    }
    assert!(lacking.is_empty(), "docs/meanings.toml, [\"{group}\"] lacks {lacking:?}");
    assert!(words.is_empty(), "[\"{group}\"] has what the code has not: {:?}", words.keys());
    found
}

/// The rows of a reason's module: what each says.
fn reasons_say() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(root().join("crates/kernel/src/reject.rs")).expect("a file");
    let rows = text.lines().filter_map(|line| line.strip_prefix("//! | `"));
    let mut found = BTreeMap::new();
    for row in rows {
        let cells: Vec<&str> = row.split(" | ").collect();
        let name = cells[0].trim_end_matches('`');
        found.insert(name.to_owned(), cells[1].to_owned());
    }
    found
}

#[test]
fn reasons() {
    let say = reasons_say();
    let names: Vec<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(say.len(), names.len(), "the table of crates/kernel/src/reject.rs has all");
    let mut text =
        "A record that cannot be billed now waits in *suspense*, whole, with one of these \
        reasons. Of all reasons that hold, the first in this order is given. Every later run tries \
        the record again; [what waits](../howto/suspense.md) says how to look at it.\n\n"
            .to_owned();
    let rows: Vec<Vec<String>> = (1..)
        .zip(&names)
        .map(|(place, name)| {
            vec![place.to_string(), format!("[`{name}`](#{})", slug(name)), escaped(&say[*name])]
        })
        .collect();
    text += &table(&["", "reason", "what it means"], &rows);
    for (reason, (name, more)) in Reason::ALL.into_iter().zip(meant("reasons", names)) {
        let say = escaped(&say[name]);
        let hint = escaped(reason.hint());
        writeln!(text, "\n## {name}\n\nIt means: {say}.\n\n{more}\n\n**What to do:** {hint}.")
            .expect("text is written");
        let finer = advice::finer(reason);
        if !finer.is_empty() {
            let rows: Vec<Vec<String>> =
                finer.iter().map(|(mark, hint)| vec![escaped(mark), escaped(hint)]).collect();
            write!(
                text,
                "\nWhere its detail says more:\n\n{}",
                table(&["detail", "what to do"], &rows)
            )
            .expect("text is written");
        }
        writeln!(text, "\nThe calls: `trunkrate suspense --reason {name} --all`")
            .expect("text is written");
    }
    hold("reasons", "Reasons", &text);
}

#[test]
fn commands_and_exit_codes() {
    hold("commands", "Commands", &commands::commands());
    hold("exit-codes", "Exit codes", &commands::exit_codes());
}

#[test]
fn files_that_go_in() {
    hold("calls", "Call files", &tables::calls());
    hold("rates", "Rate decks", &tables::decks());
    hold("lists", "Accounts, charges, trunks", &tables::lists());
}

#[test]
fn settings() {
    hold("settings", "Settings", &tables::settings());
}

#[test]
fn files_that_come_out() {
    hold("tables", "Legs, log, suspense", &tables::stored());
    hold("ledger", "Files of the ledger", &tables::ledger());
}

#[test]
fn shapes_of_json() {
    hold("json", "JSON of commands", &shapes::commands());
    hold("csv", "CSV of commands and invoices", &shapes::csv());
    hold("api", "The console's API", &shapes::api());
    hold("documents", "Invoices as JSON", &shapes::documents());
}
