//! No import circles: what a file or a folder is built on is not built on it.
//!
//! ```text
//! use lines of every file ─▶ paths of modules ─▶ in each folder: which of its entries names which ─▶ no way back
//! ```
//!
//! The entries of a folder are its files, its folders, and its own page (`mod.rs`). A file and the
//! folder of the same name (`deck.rs`, `deck/`) are one entry. Names that a page only passes on
//! (`pub use`) are no import of the page; so a file below it must not take them from there, but
//! from where they stand.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A file of a crate.
struct Module {
    /// Its path from the crate's root: `["ledger", "history"]`.
    path: Vec<String>,
    is_page: bool,
    /// What it takes, as paths from the crate's root.
    takes: Vec<Vec<String>>,
    /// The names that it passes on.
    passes_on: BTreeSet<String>,
}

/// The crates of the workspace: where their sources stand.
pub const CRATES: [&str; 4] = ["src", "crates/kernel/src", "crates/inputs/src", "crates/audit/src"];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The paths of a `use` tree: `a::{b, c::{self, d}}` is `a::b`, `a::c::self` and `a::c::d`.
fn leaves(tree: &str, before: &str, found: &mut Vec<String>) {
    let (mut depth, mut start) = (0, 0);
    for (at, letter) in tree.char_indices().chain([(tree.len(), ',')]) {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let part = tree[start..at].trim();
                start = at + 1;
                if let Some((head, rest)) = part.split_once('{') {
                    let inner = rest.rsplit_once('}').expect("braces in pairs").0;
                    leaves(inner, &format!("{before}{}", head.trim()), found);
                } else if !part.is_empty() {
                    found.push(format!(
                        "{before}{}",
                        part.split(" as ").next().expect("a part").trim()
                    ));
                }
            }
            _ => {}
        }
    }
}

/// A file's text without comments and without its tests, which may take what they like.
fn code_of(text: &str) -> String {
    let end = text
        .find("#[cfg(test)]\nmod ")
        .filter(|at| text[*at..].contains(" {\n"))
        .unwrap_or(text.len());
    text[..end]
        .lines()
        .map(|line| line.split("//").next().expect("a line"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn module(root: &Path, file: &Path) -> Module {
    let text = std::fs::read_to_string(file).expect("a source file");
    let below = file.strip_prefix(root).expect("below the root").with_extension("");
    let mut path: Vec<String> =
        below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let is_page = path.last().is_some_and(|name| name == "mod" || name == "lib");
    if is_page {
        path.pop();
    }
    let (mut takes, mut passes_on) = (Vec::new(), BTreeSet::new());
    let code = code_of(&text);
    let absolute = |parts: &[&str]| -> Option<Vec<String>> {
        let ups = parts.iter().take_while(|part| **part == "super").count();
        let base: &[String] = match *parts.first()? {
            "crate" => &[],
            "super" => path.get(..path.len().checked_sub(ups)?)?,
            "self" => &path,
            _ => return None,
        };
        let own = parts
            .iter()
            .skip(ups.max(1))
            .take_while(|part| **part != "self")
            .map(|part| (*part).to_owned());
        Some(base.iter().cloned().chain(own).collect())
    };
    for statement in code.split(';') {
        let at = statement.rfind("\nuse ").or_else(|| statement.rfind(" use ")).map(|at| at + 1);
        let at = at.or_else(|| statement.starts_with("use ").then_some(0));
        if let Some(at) = at.filter(|at| !statement[*at..].contains(')')) {
            let line = statement[..at].rsplit('\n').next().expect("a line");
            let (passed, mut found) = (line.trim_start().starts_with("pub"), Vec::new());
            leaves(&statement[at + 4..], "", &mut found);
            for leaf in &found {
                let parts: Vec<&str> = leaf.split("::").collect();
                if is_page && passed {
                    passes_on.extend(parts.last().map(|name| (*name).to_owned()));
                } else {
                    takes.extend(absolute(&parts));
                }
            }
        }
    }
    // Paths that are written out where they are used; a page names its children without more.
    let lines = code.split_inclusive(';').map(|statement| match statement.rfind("use ") {
        Some(at) if !statement[at..].contains(['(', '=']) => &statement[..at],
        _ => statement,
    });
    let code = lines.collect::<String>();
    let in_word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let children = text
        .lines()
        .filter_map(|line| line.split_once("mod ")?.1.strip_suffix(';'))
        .filter(|_| is_page);
    for head in ["crate", "super"].into_iter().chain(children) {
        for (at, _) in code.match_indices(&format!("{head}::")) {
            if code[..at].ends_with(in_word) {
                continue;
            }
            let rest = code[at..].split(|c: char| !in_word(c)).next().expect("a path");
            let parts: Vec<&str> = rest.split("::").filter(|part| !part.is_empty()).collect();
            let is_child = !["crate", "super"].contains(&head);
            takes.extend(absolute(&if is_child {
                [&["self"][..], &parts].concat()
            } else {
                parts
            }));
        }
    }
    Module { path, is_page, takes, passes_on }
}

fn modules(root: &Path) -> Vec<Module> {
    let mut found = Vec::new();
    files(root, &mut found);
    found.iter().filter(|file| !file.ends_with("main.rs")).map(|file| module(root, file)).collect()
}

/// The imports between the entries of one folder: entry → entry → an example.
type Imports = BTreeMap<String, BTreeMap<String, String>>;

/// The imports of every folder; and what is taken from a page that only passes it on.
fn imports(modules: &[Module]) -> (BTreeMap<Vec<String>, Imports>, Vec<String>) {
    let pages: BTreeMap<&[String], &Module> =
        modules.iter().filter(|m| m.is_page).map(|m| (m.path.as_slice(), m)).collect();
    let known: BTreeSet<&[String]> = modules.iter().map(|m| m.path.as_slice()).collect();
    let (mut folders, mut roundabout) = (BTreeMap::<Vec<String>, Imports>::new(), Vec::new());
    for from in modules {
        for taken in &from.takes {
            let length = (0..=taken.len())
                .rev()
                .find(|n| known.contains(&taken[..*n]))
                .expect("the root is known");
            let (to, rest) = taken.split_at(length);
            let shared = from.path.iter().zip(to).take_while(|(a, b)| a == b).count();
            let folder = &from.path[..shared];
            let entry = |path: &[String]| {
                path.get(shared).map_or_else(|| "mod.rs".to_owned(), Clone::clone)
            };
            let (a, b) = (entry(&from.path), entry(to));
            let page = pages.get(folder);
            if let (Some(page), Some(name)) = (page, rest.first())
                && to == folder
                && shared > 0
                && page.passes_on.contains(name)
            {
                roundabout.push(format!(
                    "{}: {} comes from its own page",
                    from.path.join("::"),
                    taken.join("::")
                ));
            }
            // `deck.rs` and `deck/` are one entry; a path that names a folder alone takes nothing
            // of it.
            if a == b
                || page.is_none() && (a == "mod.rs" || b == "mod.rs")
                || to == folder && rest.is_empty()
            {
                continue;
            }
            let example = format!("{} takes {}", from.path.join("::"), taken.join("::"));
            folders
                .entry(folder.to_vec())
                .or_default()
                .entry(a)
                .or_default()
                .entry(b)
                .or_insert(example);
        }
    }
    (folders, roundabout)
}

/// A way from an entry back to itself, as the imports on it.
fn way_back(imports: &Imports, start: &str) -> Option<Vec<String>> {
    let mut open = vec![(start.to_owned(), Vec::new())];
    let mut seen = BTreeSet::new();
    while let Some((at, way)) = open.pop() {
        for (next, example) in imports.get(&at).into_iter().flatten() {
            let way = [way.clone(), vec![example.clone()]].concat();
            if next == start {
                return Some(way);
            }
            if seen.insert(next.clone()) {
                open.push((next.clone(), way));
            }
        }
    }
    None
}

fn circles(modules: &[Module]) -> Vec<String> {
    let (folders, mut found) = imports(modules);
    for (folder, imports) in &folders {
        let mut told = BTreeSet::new();
        for entry in imports.keys() {
            if let Some(way) = way_back(imports, entry)
                && told.insert(way.iter().cloned().collect::<BTreeSet<_>>())
            {
                found.push(format!("{}/{entry}: {}", folder.join("/"), way.join("; ")));
            }
        }
    }
    found
}

#[test]
fn no_import_circles() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for sources in CRATES {
        let modules = modules(&root.join(sources));
        assert!(
            modules.len() > 2 && modules.iter().any(|m| !m.takes.is_empty()),
            "{sources}: the sources were found"
        );
        found.extend(circles(&modules).into_iter().map(|circle| format!("{sources}: {circle}")));
    }
    assert!(found.is_empty(), "{} circles:\n{}", found.len(), found.join("\n"));
}

/// The test sees a circle, through a folder too.
#[test]
fn a_circle_is_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    };
    write("lib.rs", "pub mod a;\npub mod b;\n");
    write("a.rs", "use crate::b::deep::{self, Two};\n");
    write("b/mod.rs", "pub mod deep;\npub use deep::Two;\n");
    write("b/deep.rs", "use std::fmt;\n");
    assert_eq!(circles(&modules(folder.path())), Vec::<String>::new());
    write("b/deep.rs", "use crate::{a::One, time};\n");
    assert!(circles(&modules(folder.path()))[0].contains("a takes b::deep; b::deep takes a::One"));
    write("b/deep.rs", "fn f() { crate::b::Two::new() }\n");
    assert_eq!(circles(&modules(folder.path())), ["b::deep: b::Two::new comes from its own page"]);
}
