//! House rules that no compiler knows: where files may be named, no float, no long file or line.

use crate::circles::CRATES;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A source file: its path, and its lines without comments and doc comments.
struct Source {
    name: String,
    lines: usize,
    code: Vec<(usize, String)>,
}

/// The sources of all crates.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = CRATES.iter().map(|sources| root.join(sources)).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source file");
                let name = path
                    .strip_prefix(root)
                    .expect("below the root")
                    .to_string_lossy()
                    .replace('\\', "/");
                let code = (1..)
                    .zip(text.lines())
                    .map(|(number, line)| (number, without_comment(line).to_owned()));
                found.push(Source { name, lines: text.lines().count(), code: code.collect() });
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(found.len() > 100, "the sources were found");
    found
}

/// A line up to its `//`; one inside a text is cut too, which hides nothing that is looked for
/// here.
fn without_comment(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

/// Whether a word stands in a line by itself: `f64` in `as f64`, not in `xf64y`; `csv::` also
/// before a name.
fn has_word(line: &str, word: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    let ends = |rest: &str| word.ends_with(':') || !rest.starts_with(inside);
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(inside) && ends(&line[at + word.len()..]))
}

/// The places in `sources` where one of the words stands.
fn places(sources: &[Source], words: &[&str]) -> Vec<String> {
    let mut places = Vec::new();
    for source in sources {
        for (number, line) in &source.code {
            let found = words.iter().filter(|word| has_word(line, word));
            places.extend(found.map(|word| format!("{}:{number}: {word}", source.name)));
        }
    }
    places
}

const NONE: Vec<String> = Vec::new();

/// What is no argument of the kernel does not exist. (That it has no csv, polars, rayon or clap,
/// its manifest says.)
#[test]
fn the_kernel_knows_no_file_and_no_clock() {
    let mut kernel = sources();
    kernel.retain(|source| source.name.starts_with("crates/kernel/"));
    assert!(kernel.len() > 30, "the kernel was found");
    let words = [
        "std::fs",
        "std::env",
        "std::thread",
        "Utc::now",
        "Local::now",
        "SystemTime",
        "Instant::now",
    ];
    assert_eq!(places(&kernel, &words), NONE);
}

/// Files, the terminal and the command line have their crates: what none of the three needs would
/// be built by the wheel, too.
#[test]
fn the_crates_below_the_engine_need_little() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let needs = |name: &str| {
        std::fs::read_to_string(root.join(format!("crates/{name}/Cargo.toml"))).expect("a manifest")
    };
    for (name, never) in [
        (
            "kernel",
            &["trunkrate-", "csv", "polars", "rayon", "clap", "toml", "serde_json", "glob", "zstd"]
                [..],
        ),
        ("inputs", &["polars", "rayon", "clap", "glob", "zstd"]),
        // The second rater is worth something only while it shares nothing with the first.
        ("audit", &["trunkrate-", "polars", "rayon", "clap", "csv", "rust_decimal", "jiff"]),
    ] {
        let manifest = needs(name);
        let dependencies = manifest
            .split("[dependencies]")
            .nth(1)
            .expect("dependencies")
            .split("\n[")
            .next()
            .expect("a table");
        let named: Vec<&str> = dependencies
            .lines()
            .filter_map(|line| line.split_once(" = "))
            .map(|(name, _)| name)
            .collect();
        assert!(!named.is_empty(), "{name}: its dependencies were found");
        let bad = named.iter().filter(|named| never.iter().any(|never| named.starts_with(never)));
        assert_eq!(bad.collect::<Vec<_>>(), Vec::<&&str>::new(), "{name}");
    }
}

/// A run gives the same bytes whenever it is made: only ages, the journal and questions without a
/// time are about now.
#[test]
fn the_clock_is_asked_in_one_place() {
    let places = places(
        &sources(),
        &[
            "Utc::now",
            "Local::now",
            "SystemTime::now",
            "Instant::now",
            "Timestamp::now",
            "Zoned::now",
        ],
    );
    assert_eq!(places.len(), 1, "{places:?}");
    assert!(places[0].starts_with("src/cli/clock.rs:"), "{places:?}");
}

#[test]
fn money_never_passes_through_a_float() {
    assert_eq!(
        places(&sources(), &["f32", "f64", "to_f64", "from_f64", "from_f32", "Float64", "Float32"]),
        NONE
    );
}

#[test]
fn no_file_is_longer_than_700_lines() {
    let long = |source: &Source| {
        (source.lines > 700).then(|| format!("{} has {} lines", source.name, source.lines))
    };
    assert_eq!(sources().iter().filter_map(long).collect::<Vec<_>>(), NONE);
}

/// Columns of a line of code or of a comment.
const COLUMNS: usize = 100;

/// Lines that are long because they hold what has no place to break: rows of tables, drawings and
/// code between fences in documentation, tables that rustfmt skips, columns of SQL, raw strings,
/// and data in the literals of tests.
#[test]
fn no_line_is_wider_than_100_columns() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut long = Vec::new();
    let names = sources().into_iter().map(|source| source.name);
    for name in names {
        let text = std::fs::read_to_string(root.join(&name)).expect("a source file");
        let (mut in_fence, mut in_tests) = (false, name.ends_with("tests.rs"));
        let mut skipped: Option<String> = None;
        for (number, line) in (1..).zip(text.lines()) {
            let code = line.trim_start();
            let indent = &line[..line.len() - code.len()];
            in_fence ^= code.starts_with("//! ```") || code.starts_with("/// ```");
            in_tests |= code == "#[cfg(test)]";
            if code == "#[rustfmt::skip]" {
                skipped = Some(indent.to_owned());
            } else if skipped.as_deref() == Some(indent) && ["];", "}"].contains(&code) {
                skipped = None;
            }
            let is_row = ["//! |", "/// |", "|"].iter().any(|row| code.starts_with(row));
            // (All but a literal is wrapped by rustfmt.)
            let is_data = in_tests && line.contains('"');
            let is_whole = code.contains("r#\"") || code.contains(" NOT NULL");
            let may_be = in_fence || is_row || skipped.is_some() || is_data || is_whole;
            if line.chars().count() > COLUMNS && !may_be {
                long.push(format!("{name}:{number}"));
            }
        }
    }
    assert_eq!(long, NONE);
}

/// The type names that have two meanings: the party of a call, and the party of a document.
const MEANT_TWICE: [&str; 1] = ["Party"];

/// The name of a type that a line defines.
fn type_defined(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = match line.strip_prefix("pub") {
        Some(rest) => rest.strip_prefix("(crate)").or(rest.strip_prefix("(super)")).unwrap_or(rest),
        None => line,
    };
    let kinds = ["struct ", "enum ", "trait ", "union "];
    let rest = kinds.iter().find_map(|kind| line.trim_start().strip_prefix(kind))?;
    let name = rest.split(|c: char| !c.is_alphanumeric()).next()?;
    name.starts_with(char::is_uppercase).then_some(name)
}

/// (The audit is written a second time on purpose, and speaks for itself.)
#[test]
fn a_type_name_has_one_meaning() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for source in sources().into_iter().filter(|s| !s.name.starts_with("crates/audit/")) {
        if source.name.ends_with("tests.rs") {
            continue;
        }
        let code = source.code.iter().take_while(|(_, line)| !line.contains("#[cfg(test)]"));
        for name in code.filter_map(|(_, line)| type_defined(line)) {
            places.entry(name.to_owned()).or_default().push(source.name.clone());
        }
    }
    assert!(places.len() > 500, "the types were found");
    places.retain(|name, files| files.len() > 1 && !MEANT_TWICE.contains(&name.as_str()));
    assert!(places.is_empty(), "give each meaning a name of its own: {places:#?}");
}

#[test]
fn nobody_leaves_a_debug_print_or_an_unfinished_place() {
    assert_eq!(
        places(
            &sources(),
            &["dbg!", "todo!", "unimplemented!", "println!", "eprintln!", "print!", "eprint!"]
        ),
        NONE
    );
}

/// The map for newcomers names every source file, and no file that is not there.
#[test]
fn the_map_is_of_this_tree() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let map = std::fs::read_to_string(root.join("ARCHITECTURE.md")).expect("the map");
    let pages = ["mod.rs", "lib.rs", "main.rs", "tests.rs"];
    let is_named =
        |name: &str| map.contains(&format!("`{name}`")) || map.contains(&format!("/{name}`"));
    let unnamed: Vec<String> = sources()
        .into_iter()
        .map(|source| source.name)
        .filter(|path| {
            path.rsplit('/').next().is_some_and(|file| !pages.contains(&file) && !is_named(file))
        })
        .collect();
    assert_eq!(unnamed, NONE, "files that the map does not name");
    let roots = ["src/", "crates/", "tests/", "benches/", "python/src/"];
    let paths = map.split('`').filter(|text| roots.iter().any(|root| text.starts_with(root)));
    let is_file = |path: &&str| {
        path.ends_with('/') || Path::new(path).extension().is_some_and(|ending| ending == "rs")
    };
    let gone: Vec<&str> = paths.filter(is_file).filter(|path| !root.join(path).exists()).collect();
    // Within the wheel's table the paths are below python/.
    let gone: Vec<&str> =
        gone.into_iter().filter(|path| !root.join("python").join(path).exists()).collect();
    assert_eq!(gone, Vec::<&str>::new(), "paths of the map that are not there");
}
