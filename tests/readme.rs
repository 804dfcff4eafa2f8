//! The README shows what the program does: its transcript is run again, its table is printed again.
//!
//! After a change on purpose: `UPDATE_README=1 make test`, then read the difference.

use crate::support::Night;
use std::fmt::Write;
use std::path::Path;

/// The text between `<!-- name -->` and `<!-- /name -->`, with its place.
fn section<'a>(readme: &'a str, name: &str) -> (usize, &'a str) {
    let open = format!("<!-- {name} -->\n");
    let start = readme.find(&open).expect("the section starts") + open.len();
    let length = readme[start..].find(&format!("<!-- /{name} -->")).expect("the section ends");
    (start, &readme[start..start + length])
}

fn hold(name: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).expect("a README");
    let (start, found) = section(&readme, name);
    if std::env::var_os("UPDATE_README").is_some() && found != expected {
        let updated = format!("{}{expected}{}", &readme[..start], &readme[start + found.len()..]);
        std::fs::write(&path, updated).expect("the README is written");
        return;
    }
    similar_asserts(found, expected);
}

#[track_caller]
fn similar_asserts(found: &str, expected: &str) {
    for (number, (a, b)) in found.lines().zip(expected.lines()).enumerate() {
        assert_eq!(a, b, "line {} of the section", number + 1);
    }
    assert_eq!(found.lines().count(), expected.lines().count(), "lines of the section");
}

#[test]
fn the_table_is_the_code() {
    hold("table", &trunkrate::table::to_markdown());
}

/// A project from an empty folder to its invoices, as a shell runs the page.
#[cfg(unix)]
#[test]
fn the_walk_is_what_a_new_user_sees() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).expect("a README");
    let place = Night::new();
    for folder in ["fixtures", "rates"] {
        std::os::unix::fs::symlink(root.join(folder), place.path().join(folder)).expect("a link");
    }
    let month = place.path().join("month");
    std::fs::create_dir(&month).expect("a folder");
    let programs =
        Path::new(env!("CARGO_BIN_EXE_trunkrate")).parent().expect("a folder").to_owned();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").expect("a path"));
    let mut text = "```console\n".to_owned();
    for command in section(&readme, "walk").1.lines().filter_map(|line| line.strip_prefix("$ ")) {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", command]).current_dir(&month).env("PATH", &path);
        let done = shell
            .env_remove("TRUNKRATE_LEDGER")
            .env_remove("TRUNKRATE_CONFIG")
            .output()
            .expect("a shell");
        let said = String::from_utf8_lossy(&done.stdout).into_owned()
            + &String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{command}: {said}");
        let gap = if said.is_empty() { "" } else { "\n" };
        write!(text, "$ {command}\n{said}{gap}").expect("text is written");
    }
    hold("walk", &format!("{}\n```\n", text.trim_end()));
    let invoices = std::fs::read_to_string(month.join("invoices/index.csv")).expect("an index");
    // 0.05000 + 0.07000 + 0.07000, and ten minutes at 0.0034.
    for total in ["0.19", "0.03"] {
        assert!(invoices.contains(&format!(",{total},")), "{invoices}");
    }
}

#[cfg(unix)]
#[test]
fn the_transcript_is_what_the_commands_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).expect("a README");
    let night = Night::new();
    for folder in ["fixtures", "rates"] {
        std::os::unix::fs::symlink(root.join(folder), night.path().join(folder)).expect("a link");
    }
    let mut text = "```console\n".to_owned();
    for command in section(&readme, "transcript")
        .1
        .lines()
        .filter_map(|line| line.strip_prefix("$ trunkrate "))
    {
        let arguments: Vec<&str> = command.split(' ').collect();
        writeln!(text, "$ trunkrate {command}\n{}", night.bare("", &arguments, &[]).ok())
            .expect("text is written");
    }
    hold("transcript", &format!("{}\n```\n", text.trim_end()));
}
