//! Decks: what is refused, with its line and a way out, and which row wins.

use crate::support::{DECK_HEADER, Night};
use serde_json::Value;
use std::path::Path;

const TOML: &str = "name = \"test\"\ncurrency = \"USD\"\n";
const PUBLISHED: &str = "ISO,Country,Description,Price / min,Origination Prefixes,Destination Prefixes";
const GOOD: &str = "US,United States,US,0.0100,,1";

/// The whole of stderr of a deck that is refused.
#[track_caller]
fn refusal(files: &[(&str, &[u8])]) -> String {
    let night = Night::new();
    for (name, text) in files {
        night.file(&format!("rates/{name}"), text);
    }
    let done = night.trunkrate(&["rates", "check", "rates"]);
    assert_eq!((done.code, done.stdout.as_str()), (1, ""), "{}", done.stderr);
    done.stderr
}

/// Checks refusals of a deck of one file under the header of [`DECK_HEADER`].
#[track_caller]
fn assert_rows_refused(cases: &[(&str, &str)]) {
    for (rows, expected) in cases {
        let file = format!("{DECK_HEADER}\n{rows}\n");
        assert_eq!(refusal(&[("deck.toml", TOML.as_bytes()), ("p.csv", file.as_bytes())]).trim_end(), *expected, "{rows}");
    }
}

/// Checks that a deck of these rows is taken.
#[track_caller]
fn assert_rows_taken(cases: &[&str]) {
    for rows in cases {
        let night = Night::new();
        night.deck(&format!("{rows}\n"));
        night.trunkrate(&["rates", "check", "rates"]).ok();
    }
}

#[test]
fn two_answers_are_refused_with_both_lines() {
    assert_rows_refused(&[]);
    let (a, b) = (format!("{PUBLISHED}\n{GOOD}\n"), format!("{PUBLISHED}\n\n{}\n", GOOD.replace("0.0100", "0.0200")));
    let message = refusal(&[("deck.toml", TOML.as_bytes()), ("b.csv", b.as_bytes()), ("a.csv", a.as_bytes())]);
    assert_eq!(message, "");
}
