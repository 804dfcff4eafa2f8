//! Looks: who has looked at which customer's calls by the console.
//!
//! ```text
//! looks.jsonl      one JSON object a line: when, from where, what was asked, whose calls were shown
//! looks.1.jsonl    the lines before those, once the first file was full
//! ```
//!
//! **Invariants.** As those of [`super::journal`]: outside of all that is hashed, and a line is
//! appended by one write. The two files never take more than twice 8 MiB and a line; a line names
//! at most [`NAMED`] accounts and says how many more there were.

use super::journal::{LOOKS, append_line};
use crate::disk::private;
use crate::ledger::place::Ledger;
use serde::{Deserialize, Serialize};

/// Both files.
pub(super) const FILES: [&str; 2] = [LOOKS.name, LOOKS.before];
/// The most accounts that a line names.
pub const NAMED: usize = 20;
/// The most bytes of what was asked.
const LONGEST: usize = 500;

/// A look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// When.
    pub at: String,
    /// The address that asked.
    pub from: String,
    /// The user as whom the console runs.
    pub user: String,
    /// The machine on which it runs.
    pub host: String,
    /// The request, as an address of the console.
    pub asked: String,
    /// The accounts whose calls were shown.
    pub accounts: Vec<String>,
    /// The number of further ones.
    #[serde(default, skip_serializing_if = "is_none")]
    pub more_accounts: u64,
    /// The number of calls or records shown.
    pub shown: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_none(count: &u64) -> bool {
    *count == 0
}

/// Appends a look.
///
/// # Errors
/// If it cannot be written whole.
pub fn append(ledger: &Ledger, look: &Look) -> std::io::Result<()> {
    let mut look = look.clone();
    let end =
        (0..=LONGEST.min(look.asked.len())).rev().find(|end| look.asked.is_char_boundary(*end));
    look.asked.truncate(end.expect("0 is a boundary"));
    look.more_accounts += look.accounts.len().saturating_sub(NAMED) as u64;
    look.accounts.truncate(NAMED);
    append_line(ledger, LOOKS, &look)
}

/// The last looks, the newest first. A line that cannot be read is passed over.
#[must_use]
pub fn last(ledger: &Ledger, most: usize) -> Vec<Look> {
    let read = private::read_own(&ledger.folder().join(LOOKS.name)).ok().flatten();
    let Some(bytes) = read else { return Vec::new() };
    let lines = bytes.split(|byte| *byte == b'\n').rev();
    lines.filter_map(|line| serde_json::from_slice(line).ok()).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_kept_and_cut() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = Ledger::at(folder.path());
        let look = Look {
            at: "2026-11-20T10:00:00Z".to_owned(),
            from: "127.0.0.1".to_owned(),
            user: "u".to_owned(),
            host: "h".to_owned(),
            asked: "/calls?q=ä".repeat(200),
            accounts: (0..50).map(|number| format!("AC{number}")).collect(),
            more_accounts: 0,
            shown: 50,
        };
        append(&ledger, &look).expect("written");
        append(&ledger, &Look { asked: "/calls/CA1".to_owned(), ..look }).expect("written");
        let found = last(&ledger, 10);
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].asked.as_str(), found[1].asked.len() <= LONGEST),
            ("/calls/CA1", true)
        );
        assert_eq!((found[1].accounts.len(), found[1].more_accounts), (NAMED, 30));
    }
}
