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
    for command in section(&readme, "transcript").1.lines().filter_map(|line| line.strip_prefix("$ trunkrate ")) {
        let arguments: Vec<&str> = command.split(' ').collect();
        writeln!(text, "$ trunkrate {command}\n{}", night.bare("", &arguments, &[]).ok()).expect("text is written");
    }
    hold("transcript", &format!("{}\n```\n", text.trim_end()));
}
