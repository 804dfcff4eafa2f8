//! The landing page: short, with pictures that were taken, and with the table as the code has it.

use super::pages::{DocPage, read, root};

fn readme() -> DocPage {
    read(&root().join("README.md"))
}

/// Words of prose and of tables; transcripts are not read word by word.
#[test]
fn the_landing_page_is_under_900_words() {
    let words = readme().text.split_whitespace().count();
    assert!(words < 900, "README.md has {words} words, its transcripts included");
}

/// It names the carrier, and begins with the two commands that set a checkout up.
#[test]
fn the_landing_page_says_for_whom() {
    let text = readme().text;
    for word in ["Twilio", "make demo", "make test", "trunkrate demo", "docs/src/tutorial/"] {
        assert!(text.contains(word), "{word}");
    }
}

/// Pictures are there, are PNG, and load quickly.
#[test]
fn pictures_are_light() {
    let folder = root().join("docs/pictures");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).expect("a folder of pictures") {
        let path = entry.expect("an entry").path();
        let bytes = std::fs::read(&path).expect("a picture");
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.extension().is_some_and(|ending| ending == "png") {
            assert!(bytes.starts_with(b"\x89PNG"), "{name} is a PNG");
        }
        assert!(bytes.len() < 150_000, "{name} has {} bytes", bytes.len());
        names.push(name);
    }
    let text = readme().text;
    for name in ["invoice.png", "report.png"] {
        assert!(names.iter().any(|found| found == name), "{name} is there");
        assert!(text.contains(&format!("docs/pictures/{name}")), "{name} is shown");
    }
}

/// The published table is printed by the program, on the page that explains it.
#[test]
fn the_table_is_the_code() {
    let page = read(&root().join("docs/src/explanation/table.md"));
    assert!(page.text.contains(trunkrate::table::to_markdown().trim()), "trunkrate table");
}

/// The totals that the tutorial ends with are owed, not only printed.
#[test]
fn the_tutorial_bills_what_is_owed() {
    let page = read(&root().join("docs/src/tutorial/first-night.md"));
    // AC1: 300 s are 5 minutes, 370 s are 7: 5 × 0.0100 + 7 × 0.0100 + 7 × 0.0100.
    assert!(page.text.contains("\nINV-2026-000001,invoice,AC1,Harbor Lane Dental,2026-11,0.19,"));
    // AC2: 600 s are 10 minutes: 10 × 0.0034 = 0.034.
    assert!(page.text.contains("\nINV-2026-000002,invoice,AC2,Pebble Cafe,2026-11,0.03,"));
}
