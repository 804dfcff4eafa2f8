//! The journal's entries for the command of this process: see [`crate::ledger::journal`].
//!
//! A command that may write leaves a line when it begins and one when it ends, so that one that was
//! killed is seen. `verify` leaves a line when it ends; any other command only if it fails.
//!
//! **Invariant:** a journal that cannot be written is a note, and never changes an exit code.

use super::clock;
use super::term;
use crate::ledger::Ledger;
use crate::ledger::journal::{self, End, Event, JournalEntry};
use crate::time::{self, Micros};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The commands that write to a ledger from their beginning on. Any other that opens one to write
/// is counted among them from there on.
const WRITERS: [&str; 10] = [
    "run",
    "undo",
    "rerate",
    "ledger import",
    "suspense close",
    "suspense resolve",
    "suspense set",
    "suspense retry",
    "invoice issue",
    "invoice credit",
];
/// The command whose result is kept though it only reads.
const PROOF: &str = "verify";
/// The command that asks the journal; that something is wrong is no failure of its own.
const STATUS: &str = "status";

/// The longest command and the longest message of a line, in bytes.
const LONGEST: usize = 2000;

/// The command of this process.
struct Watched {
    ledger: Ledger,
    name: String,
    writes: bool,
    has_begun: bool,
    began: Micros,
    said: Option<String>,
    /// The account of what it did, for its last line.
    did: End,
}

static WATCHED: Mutex<Option<Watched>> = Mutex::new(None);

fn watched() -> MutexGuard<'static, Option<Watched>> {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Watches a command on a ledger from its beginning on; `only_looks` if a flag keeps it from
/// writing.
pub fn watch(name: &str, ledger: &Path, only_looks: bool) {
    if name == STATUS {
        return;
    }
    let ledger = Ledger::at(ledger);
    let writes = WRITERS.contains(&name) && !only_looks;
    let mut state = watched();
    *state = Some(Watched {
        ledger,
        name: name.to_owned(),
        writes,
        has_begun: false,
        began: clock::now(),
        said: None,
        did: End::default(),
    });
    if let Some(watched) = state.as_mut().filter(|watched| watched.writes) {
        watched.begin();
    }
}

/// Notes that the command has opened its ledger to write.
pub fn writes() {
    if let Some(watched) = watched().as_mut() {
        watched.writes = true;
        watched.begin();
    }
}

/// Notes a run that the command has booked or taken back.
pub fn did(run: &str) {
    if let Some(watched) = watched().as_mut() {
        watched.did.runs.push(run.to_owned());
    }
}

/// Notes that the command proves a sample only.
pub fn samples() {
    if let Some(watched) = watched().as_mut() {
        watched.did.sampled = true;
    }
}

/// Notes where the files lie that are refused and not mended.
pub fn refused<'a>(places: impl ExactSizeIterator<Item = &'a Path>) {
    if let Some(watched) = watched().as_mut() {
        watched.did.refused = places.len() as u64;
        watched.did.refused_at = places.take(journal::PLACES).map(Path::to_owned).collect();
    }
}

/// Notes the result of a command, in a line.
pub fn said(text: &str) {
    if let Some(watched) = watched().as_mut() {
        watched.said = Some(text.to_owned());
    }
}

/// Writes the last line of the command, once, if it is one that leaves a line. Gives the runs that
/// the command booked or took back.
pub fn end(exit: u8, error: Option<&str>) -> Vec<String> {
    let Some(watched) = watched().take() else { return Vec::new() };
    if exit == 0 && !watched.has_begun && watched.name != PROOF {
        return watched.did.runs;
    }
    let now = clock::now();
    let end = End {
        duration_ms: u64::try_from((now - watched.began) / 1000).unwrap_or(0),
        exit,
        message: error.or(watched.said.as_deref()).map(first_line),
        ..watched.did.clone()
    };
    watched.write(now, Some(end));
    watched.did.runs
}

impl Watched {
    fn begin(&mut self) {
        if !self.has_begun {
            self.has_begun = self.write(self.began, None);
        }
    }

    /// Appends a line; false if there is no ledger to write it to.
    fn write(&self, at: Micros, end: Option<End>) -> bool {
        if !self.ledger.exists().is_ok_and(|there| there) {
            return false;
        }
        let (user, host) = (user(), host());
        let entry = JournalEntry {
            event: if end.is_some() { Event::End } else { Event::Begin },
            at: time::text(at),
            began: time::text(self.began),
            name: self.name.clone(),
            command: typed(std::env::args_os().map(|arg| arg.to_string_lossy().into_owned())),
            writes: self.writes,
            user,
            host,
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            end,
        };
        match journal::append(&self.ledger, &entry) {
            Ok(()) => {}
            // Who may only read the ledger cannot write it, and need not hear so at each error.
            Err(e) if !self.writes && e.kind() == std::io::ErrorKind::PermissionDenied => {}
            Err(e) => {
                let path = journal::path_of(&self.ledger);
                let what = "the journal cannot be written";
                term::report("note", &format!("{}: {what}: {e}", path.display()));
            }
        }
        true
    }
}

/// The first line of a message; where a list follows, its first entry too.
fn first_line(text: &str) -> String {
    let mut lines = text.lines();
    let mut line = lines.next().unwrap_or("").to_owned();
    if line.ends_with(':')
        && let Some(entry) = lines.next()
    {
        line = format!("{line} {}", entry.trim());
    }
    cut(line)
}

/// The command as it was typed, with the values of secret flags left out.
fn typed(args: impl Iterator<Item = String>) -> String {
    let is_secret = |flag: &str| {
        let flag = flag.to_ascii_lowercase();
        ["password", "token", "secret"].iter().any(|word| flag.contains(word))
            && !flag.ends_with("-file")
    };
    let mut words = vec!["trunkrate".to_owned()];
    let mut hide = false;
    for arg in args.skip(1) {
        let word = match arg.split_once('=') {
            _ if hide => "…".to_owned(),
            Some((flag, _)) if flag.starts_with("--") && is_secret(flag) => format!("{flag}=…"),
            _ => quoted(&arg),
        };
        hide = !hide && arg.starts_with("--") && !arg.contains('=') && is_secret(&arg);
        words.push(word);
    }
    cut(words.join(" "))
}

/// A word as a shell reads it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// A text of bounded length.
fn cut(mut text: String) -> String {
    if text.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

/// The user: by name, else by number.
pub fn user() -> String {
    let uid = rustix::process::getuid().as_raw().to_string();
    let name = std::fs::read_to_string("/etc/passwd").ok().and_then(|users| {
        let name = |line: &str| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)? == uid).then(|| name.to_owned())
        };
        users.lines().find_map(name)
    });
    name.unwrap_or(uid)
}

/// The machine's name.
pub fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
    name.map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_written_down() {
        let command = |words: &[&str]| typed(words.iter().map(|word| (*word).to_owned()));
        for (words, shown) in [
            (&["x", "run", "--cdrs", "a b.csv"][..], "trunkrate run --cdrs 'a b.csv'"),
            (
                &["x", "run", "--password", "p", "--rates", "r"],
                "trunkrate run --password … --rates r",
            ),
            (&["x", "serve", "--api-token=p"], "trunkrate serve --api-token=…"),
            (&["x", "serve", "--token-file", "f"], "trunkrate serve --token-file f"),
        ] {
            assert_eq!(command(words), shown);
        }
        assert!(command(&["x", &"é".repeat(LONGEST)]).len() <= LONGEST + '…'.len_utf8());
    }
}
