//! `demo`: a sample night in a folder of its own, rated and billed by the commands that a user
//! types.
//!
//! ```text
//! fixtures/night, rates (in the binary) ─▶ DIR: trunkrate.toml, calls, decks, accounts, trunks
//!                                          └▶ run, calls, explain, invoices, report, verify
//! ```
//!
//! **Invariant:** nothing outside of DIR is written, and a DIR that holds anything is refused.
//!
//! # Why child processes
//! The demo shows what a user will see. Each step is the program itself, started in DIR with the
//! arguments that are printed above its output, so that a step copied from the demo does the same.

use super::args::{DemoArgs, ProjectArgs};
use super::error::CliError;
use super::output::write_own;
use super::project::FILE_NAME;
use super::term;
use crate::disk::folder::entries;
use std::path::Path;
use std::process::{Command, Stdio};

/// The files of the sample night by their paths in DIR; all in it is invented.
const FILES: [(&str, &[u8]); 13] = [
    ("calls/annex.parquet", include_bytes!("../../fixtures/night/calls/annex.parquet")),
    ("calls/harbor.csv", include_bytes!("../../fixtures/night/calls/harbor.csv")),
    ("calls/hostile.csv.zst", include_bytes!("../../fixtures/night/calls/hostile.csv.zst")),
    ("calls/nordwind.jsonl.gz", include_bytes!("../../fixtures/night/calls/nordwind.jsonl.gz")),
    ("calls/pebble.json", include_bytes!("../../fixtures/night/calls/pebble.json")),
    ("accounts.csv", include_bytes!("../../fixtures/night/accounts.csv")),
    ("items.csv", include_bytes!("../../fixtures/night/items.csv")),
    ("trunks.json", include_bytes!("../../fixtures/night/trunks.json")),
    ("rates/default/deck.toml", include_bytes!("../../rates/default/deck.toml")),
    ("rates/default/origination.csv", include_bytes!("../../rates/default/origination.csv")),
    ("rates/default/termination.csv", include_bytes!("../../rates/default/termination.csv")),
    ("rates/wholesale-eur/deck.toml", include_bytes!("../../rates/wholesale-eur/deck.toml")),
    ("rates/wholesale-eur/rates.csv", include_bytes!("../../rates/wholesale-eur/rates.csv")),
];

/// Who bills the sample night, and on which terms.
const TERMS: &str = include_str!("../../fixtures/night/trunkrate.toml");

/// The paths of the sample project.
const PATHS: &str = r#"# The sample project of `trunkrate demo`: in this folder, commands need no flags.
[paths]
calls = "calls"
rates = "rates"
trunks = "trunks.json"
accounts = "accounts.csv"
items = "items.csv"
ledger = "ledger"
out = "invoices"

"#;

/// A call of the night that was transferred to the telephone network.
const CALL: &str = "CA20261120000000000000000000000108";

/// A step: its title, its arguments, and the exit codes that are no failure of the demo.
struct DemoStep {
    title: &'static str,
    args: &'static [&'static str],
    codes: &'static [i32],
}

/// The steps, in their order.
const STEPS: [DemoStep; 7] = [
    DemoStep { title: "the night is rated and booked", args: &["run"], codes: &[0] },
    DemoStep {
        title: "a call that was transferred",
        args: &["calls", "--call", CALL],
        codes: &[0],
    },
    DemoStep {
        title: "the price of its child, to the cent",
        args: &["explain", CALL],
        codes: &[0],
    },
    DemoStep {
        title: "the month before it is issued: what stands against it is named",
        args: &["invoice", "check", "--period", "2026-11"],
        codes: &[0, 1],
    },
    DemoStep {
        title: "invoices, though some calls wait",
        args: &[
            "invoice",
            "issue",
            "--period",
            "2026-11",
            "--date",
            "2026-12-01",
            "--accept",
            "waiting",
        ],
        codes: &[0],
    },
    DemoStep { title: "the night's report", args: &["report", "--out", REPORT], codes: &[0] },
    DemoStep { title: "every law holds", args: &["verify"], codes: &[0] },
];

/// The report's file in DIR.
const REPORT: &str = "report.html";

/// Writes the sample night and takes it from calls to invoices.
pub fn run(args: &DemoArgs, global: &ProjectArgs) -> Result<(), CliError> {
    for (flag, given) in [("--ledger", &global.ledger), ("--config", &global.config)] {
        if given.is_some() {
            return Err(CliError::usage(format!("{flag}: the demo has a ledger of its own"))
                .hint("trunkrate demo DIR"));
        }
    }
    write(&args.dir)?;
    for step in &STEPS {
        take(step, &args.dir)?;
    }
    let dir = args.dir.display();
    term::print(&format!(
        "\n{}\n   {dir}/{REPORT}: the night, for a browser\n   {dir}/invoices/: the invoices as \
         PDF, HTML, e-invoices and CSV\n   and there: trunkrate status; trunkrate suspense; \
         trunkrate --help\n",
        term::heading("all of it is in the folder")
    ))?;
    Ok(())
}

/// Writes the files of the night into a folder that is new or empty.
fn write(dir: &Path) -> Result<(), CliError> {
    let (folders, files) = match std::fs::symlink_metadata(dir) {
        Ok(there) if !there.is_dir() => {
            return Err(CliError::failed(format!("{}: is no folder", dir.display()))
                .hint("name one that is not there yet: trunkrate demo DIR"));
        }
        _ => entries(dir)?,
    };
    if let Some(found) = folders.iter().chain(&files).next() {
        return Err(CliError::failed(format!(
            "{}: the demo wants a folder that is new or empty; found {}",
            dir.display(),
            found.display()
        ))
        .hint("name another: trunkrate demo DIR"));
    }
    for (name, bytes) in &FILES {
        let path = dir.join(name);
        let folder = path.parent().expect("a file stands in a folder");
        std::fs::create_dir_all(folder)
            .map_err(|e| CliError::failed(format!("{}: cannot be made: {e}", folder.display())))?;
        write_own(&path, bytes)?;
    }
    write_own(&dir.join(FILE_NAME), format!("{PATHS}{TERMS}").as_bytes())?;
    term::print(&format!(
        "{}\n   two rate decks, {} call files, accounts, trunks and a project file\n",
        term::heading(&format!("a sample night in {}", dir.display())),
        FILES.iter().filter(|(name, _)| name.starts_with("calls/")).count()
    ))?;
    Ok(())
}

/// Prints a step's command and runs it.
fn take(step: &DemoStep, dir: &Path) -> Result<(), CliError> {
    let typed = format!("trunkrate {}", step.args.join(" "));
    term::print(&format!("\n{}\n$ {typed}\n", term::heading(step.title)))?;
    let cannot = |e: std::io::Error| CliError::failed(format!("{typed}: cannot be started: {e}"));
    let status = Command::new(std::env::current_exe().map_err(cannot)?)
        .args(step.args)
        .arg("--no-pager")
        .current_dir(dir)
        .env_remove("TRUNKRATE_CONFIG")
        .env_remove("TRUNKRATE_LEDGER")
        .stdin(Stdio::null())
        .status()
        .map_err(cannot)?;
    match status.code() {
        Some(code) if step.codes.contains(&code) => Ok(()),
        _ => Err(CliError::failed(format!("{typed}: ended with {status}; the demo ends here"))
            .hint(format!("look at what it printed; go on in {}", dir.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The files below a folder, by their path from it.
    fn below(folder: &Path, from: &Path, found: &mut BTreeSet<String>) {
        let (folders, files) = entries(folder).expect("a folder of fixtures");
        for file in files {
            let name = file.strip_prefix(from).expect("below").to_string_lossy().into_owned();
            found.insert(name);
        }
        for folder in &folders {
            below(folder, from, found);
        }
    }

    #[test]
    fn the_demo_has_every_file_of_the_fixtures() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = BTreeSet::new();
        below(&root.join("fixtures/night"), &root.join("fixtures/night"), &mut found);
        below(&root.join("rates"), root, &mut found);
        // For readers of the tree, and the project file, which the demo puts its paths before.
        for name in ["README.md", "trunkrate.toml", "rates/README.md"] {
            assert!(found.remove(name), "{name}");
        }
        let own: BTreeSet<String> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(own, found);
    }
}
