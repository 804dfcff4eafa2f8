//! Every block of README and `docs/` runs, each page from its first block to its last in a fresh
//! folder that has the demo's files (`demo/`, with what it booked and issued).
//!
//! | fence | what is held |
//! |---|---|
//! | `sh` | it runs, every command in it succeeds |
//! | `console` | each `$ command` prints what stands below it |
//! | `sql` | the catalog of the ledger answers each query with rows; `-- DuckDB` first: `DuckDB` does |
//! | `python` | it runs, with the wheel, pyarrow and polars |
//! | `toml`, `csv`, `json`, `yaml` | it is a file, named by a mark, which later blocks read |
//! | `text` | shown only; as a program that is not run it has a mark that says why |
//!
//! Marks are comments above a fence: `file:` and `append:` write the block into a file, `exit:` is
//! the code with which the last command ends, `not run:` is the reason why a program is not run.

use super::pages::{DocBlock, DocPage, pages, root};
use super::{copy, demo};
use crate::support::Night;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Fences that hold files.
const FILES: [&str; 6] = ["toml", "csv", "json", "yaml", "ini", "html"];

/// The folder of a page.
struct PageFolder {
    night: Night,
    /// Where its shell is.
    folder: PathBuf,
}

impl PageFolder {
    fn new(page: &DocPage) -> Self {
        let night = Night::new();
        if page.text.contains("demo") {
            copy(&demo().join("demo"), &night.path().join("demo"));
        }
        if page.name == "README.md" {
            // The files of a reader who follows the landing page.
            copy(&root().join("rates/default"), &night.path().join("rates"));
            for (from, to) in [("calls.csv", "calls/calls.csv"), ("accounts.csv", "accounts.csv")] {
                let path = root().join("fixtures/start").join(from);
                night.file(to, std::fs::read(path).expect("a fixture"));
            }
        }
        let folder = night.path().to_owned();
        Self { night, folder }
    }

    /// Runs a script where the last one ended; its code, and all that it said.
    fn shell(&mut self, script: &str) -> (i32, String) {
        let programs = Path::new(env!("CARGO_BIN_EXE_trunkrate")).parent().expect("a folder");
        let ended = self.night.path().join(".where");
        let script = format!("trap 'pwd > \"{}\"' EXIT\n{script}", ended.display());
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").expect("a path"));
        let done = Command::new("sh")
            .args(["-ec", &script])
            .current_dir(&self.folder)
            .env("PATH", path)
            .env("HOME", self.night.path())
            .env("XDG_CACHE_HOME", self.night.path().join(".cache"))
            .env_remove("TRUNKRATE_LEDGER")
            .env_remove("TRUNKRATE_CONFIG")
            .stdin(std::process::Stdio::null())
            .output()
            .expect("a shell");
        if let Ok(folder) = std::fs::read_to_string(&ended) {
            self.folder = PathBuf::from(folder.trim_end());
        }
        let said = String::from_utf8_lossy(&done.stdout).into_owned()
            + &String::from_utf8_lossy(&done.stderr);
        (done.status.code().unwrap_or(-1), said)
    }

    /// Runs a script that must end with this code.
    fn must(&mut self, at: &str, script: &str, code: i32) -> String {
        let (found, said) = self.shell(script);
        assert_eq!(found, code, "{at}: exit code of\n{script}\n{said}");
        said
    }

    fn write(&self, name: &str, text: &str, more: bool) {
        let path = self.folder.join(name);
        let before =
            if more { std::fs::read_to_string(&path).expect("a file") } else { String::new() };
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders are made");
        std::fs::write(&path, before + text).expect("a file is written");
    }

    /// What a transcript says when its commands are run.
    fn transcript(&mut self, at: &str, block: &DocBlock) -> String {
        let commands: Vec<&str> =
            block.text.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
        assert!(!commands.is_empty(), "{at}: a transcript has commands, `$ trunkrate …`");
        let last = block.mark("exit").map_or(0, |code| code.parse().expect("a code"));
        let mut text = String::new();
        for (place, command) in (1..).zip(&commands) {
            let is_last = place == commands.len();
            let said = self.must(at, command, if is_last { last } else { 0 });
            let said = said.trim_end();
            let end = if said.is_empty() { "" } else { "\n" };
            let gap = if said.is_empty() || is_last { "" } else { "\n" };
            write!(text, "$ {command}\n{said}{end}{gap}").expect("text is written");
        }
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        format!("{}\n", lines.join("\n").trim_end())
    }

    /// Runs each query of a block on the catalog; each must give a row.
    fn sqlite(&self, at: &str, text: &str) {
        let path = self.folder.join("ledger/catalog.sqlite");
        let catalog = rusqlite::Connection::open(path).expect("a catalog");
        let code: Vec<&str> = text.lines().filter(|line| !line.starts_with("--")).collect();
        let code = code.join("\n");
        for query in code.split(';').map(str::trim).filter(|query| !query.is_empty()) {
            let mut prepared =
                catalog.prepare(query).unwrap_or_else(|e| panic!("{at}: {query}: {e}"));
            let mut rows = prepared.query([]).expect("a query runs");
            assert!(rows.next().expect("a row is read").is_some(), "{at}: no row: {query}");
        }
    }

    fn python(&self, at: &str, environment: &str, script: &str) {
        let python = root().join(environment).join("bin/python");
        assert!(python.exists(), "{} is missing: make wheel validators", python.display());
        let done = Command::new(python)
            .args(["-c", script])
            .current_dir(&self.folder)
            .output()
            .expect("Python runs");
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{at}: {said}");
        assert!(!done.stdout.is_empty(), "{at}: it prints something");
    }
}

/// Runs a page; the page as it should read.
fn run(page: &DocPage) -> String {
    let mut place = PageFolder::new(page);
    let mut text = page.text.clone();
    let mut shift = 0_isize;
    for block in page.blocks() {
        let at = format!("{}:{}", page.name, block.line);
        match block.language.as_str() {
            "sh" => {
                let code = block.mark("exit").map_or(0, |code| code.parse().expect("a code"));
                place.must(&at, &block.text, code);
            }
            "console" => {
                let said = place.transcript(&at, &block);
                let from = block.range.start.checked_add_signed(shift).expect("within the page");
                let to = block.range.end.checked_add_signed(shift).expect("within the page");
                text.replace_range(from..to, &said);
                shift += said.len().cast_signed() - block.text.len().cast_signed();
            }
            "sql" if block.text.starts_with("-- DuckDB") => {
                let script = format!("import duckdb\nprint(duckdb.sql(r'''{}'''))", block.text);
                place.python(&at, "target/validators/venv", &script);
            }
            "sql" => place.sqlite(&at, &block.text),
            "python" => place.python(&at, "target/wheels/venv", &block.text),
            "text" => {}
            language if FILES.contains(&language) => {
                let (name, more) = match (block.mark("file"), block.mark("append")) {
                    (Some(name), None) => (name, false),
                    (None, Some(name)) => (name, true),
                    _ => panic!("{at}: a file has a mark `file:` or `append:` above it"),
                };
                place.write(name, &block.text, more);
            }
            other => panic!("{at}: no such fence: `{other}`; see tests/docs/blocks.rs"),
        }
    }
    text
}

/// Runs the pages whose names begin so, and holds their transcripts.
fn hold(folder: &str) {
    let pages: Vec<DocPage> =
        pages().into_iter().filter(|page| page.name.starts_with(folder)).collect();
    assert!(!pages.is_empty(), "{folder}: there are pages");
    for page in pages {
        let text = run(&page);
        if text == page.text {
            continue;
        }
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(root().join(&page.name), text).expect("a page is written");
            continue;
        }
        for (number, (found, said)) in (1..).zip(page.text.lines().zip(text.lines())) {
            assert_eq!(found, said, "{}:{number}: the page, and the program", page.name);
        }
        panic!("{}: the page has other lines than the program prints", page.name);
    }
}

#[test]
fn the_landing_page_runs() {
    hold("README.md");
}

#[test]
fn the_tutorial_runs() {
    hold("docs/src/tutorial");
}

#[test]
fn the_how_tos_run() {
    hold("docs/src/howto");
}

#[test]
fn the_explanations_run() {
    hold("docs/src/explanation");
}

#[test]
fn the_reference_runs() {
    hold("docs/src/reference");
    hold("docs/src/index.md");
}

/// Programs that are not run: each says why, and they are few.
#[test]
fn what_is_not_run_says_why() {
    let mut found = Vec::new();
    for page in pages() {
        for block in page.blocks() {
            let programs = ["trunkrate ", "sudo ", "curl ", "systemctl ", "pip ", "make ", "cp "];
            let is_program = block
                .text
                .lines()
                .any(|line| programs.iter().any(|word| line.trim_start().starts_with(word)));
            let is_run = block.mark("run").is_some();
            if block.language == "text" && is_program && !is_run {
                let why = block.mark("not run").unwrap_or_default();
                assert!(why.len() > 10, "{}:{}: `<!-- not run: why -->`", page.name, block.line);
                found.push(format!("{}:{}: {why}", page.name, block.line));
            }
        }
    }
    assert!(found.len() <= 20, "too many: {found:#?}");
}

/// A reader can do what the tests do: who needs the demo is told how to make it, and a file's name
/// stands in the text.
#[test]
fn what_a_page_begins_with_is_said() {
    for page in pages() {
        for block in page.blocks() {
            let at = format!("{}:{}", page.name, block.line);
            let before = &page.text[..block.range.start];
            let is_shell = ["sh", "console"].contains(&block.language.as_str());
            if is_shell && block.text.contains("demo") && !block.text.contains("trunkrate demo") {
                assert!(before.contains("trunkrate demo"), "{at}: `trunkrate demo demo` makes it");
            }
            if let Some(name) = block.mark("file") {
                let file = name.rsplit('/').next().expect("a name");
                let prose = before.replace(&format!("<!-- file: {name} -->"), "");
                assert!(prose.contains(file), "{at}: the text names {file}");
            }
        }
    }
}

/// Examples below the help of commands, each in a demo of its own.
#[test]
fn the_examples_of_the_help_run() {
    let mut count = 0;
    for (path, examples) in trunkrate::cli::examples::EXAMPLES {
        let whole = trunkrate::cli::command();
        let mut command = &whole;
        for name in path.split(' ') {
            command = command.find_subcommand(name).expect("examples belong to a command");
        }
        assert!(command.get_after_long_help().is_some(), "{path}: the help has its examples");
        for (_, typed) in *examples {
            let night = Night::new();
            copy(&demo().join("demo"), night.path());
            let mut place = PageFolder { folder: night.path().to_owned(), night };
            place.must(&format!("help {path}"), typed, 0);
            count += 1;
        }
    }
    assert!(count > 25, "the examples were found");
}
