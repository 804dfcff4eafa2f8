//! The journal: which command ran on a ledger, when, who started it, and how it ended.
//!
//! ```text
//! journal.jsonl      one JSON object a line; a line when a writing command begins, one when it ends
//! journal.1.jsonl    the lines before those, once the first file was full
//! ```
//!
//! A command that only reads leaves a line if it fails, and `verify` always.
//!
//! **Invariants.** The journal is outside of all that is hashed: no run, no batch and no proof
//! depends on it, and it may be lost. A line is appended by one write, so that two processes never
//! mix theirs. The order of the lines is the order of what happened, whatever the clock said: it
//! may have been put back. A line that cannot be read (the last one, after a loss of power) is
//! counted and passed over. The two files together never take more than twice `FULL` and a line.

use crate::disk::durable::sync_folder;
use crate::disk::private;
use crate::ledger::place::Ledger;
use crate::time::{self, Micros};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The file that lines are appended to.
pub const JOURNAL: &str = "journal.jsonl";
/// The file with the lines before those.
const BEFORE: &str = "journal.1.jsonl";
/// Both.
pub(super) const FILES: [&str; 2] = [JOURNAL, BEFORE];
/// The size in bytes at which the file is put aside, over the one before it: some years of nights.
const FULL: u64 = 2 << 20;

/// A file that lines are appended to, and the one that it becomes once it is full.
#[derive(Debug, Clone, Copy)]
pub(super) struct LineFile {
    pub(super) name: &'static str,
    pub(super) before: &'static str,
    pub(super) full: u64,
}

/// The journal.
const LINES: LineFile = LineFile { name: JOURNAL, before: BEFORE, full: FULL };
/// The looks: see [`super::looks`]. They have files of their own, since a busy console would push
/// the nights out of the journal.
pub(super) const LOOKS: LineFile =
    LineFile { name: "looks.jsonl", before: "looks.1.jsonl", full: 8 << 20 };

/// The two kinds of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// A writing command begins.
    Begin,
    /// A command has ended.
    End,
}

/// A line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// Its kind.
    pub event: Event,
    /// When it was written.
    pub at: String,
    /// When the command began: with host and process it names the command.
    pub began: String,
    /// The command by its name: `run`, `suspense retry`.
    pub name: String,
    /// The command as it was typed, without secrets.
    pub command: String,
    /// True if it may change the ledger.
    pub writes: bool,
    /// The user.
    pub user: String,
    /// The machine.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// The version of trunkrate.
    pub version: String,
    /// The exit code; `None` in the line of a beginning.
    #[serde(flatten)]
    pub end: Option<End>,
}

/// The end of a command.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Its duration in milliseconds.
    pub duration_ms: u64,
    /// Its exit code.
    pub exit: u8,
    /// The first line of its error; of `verify`, of its result.
    pub message: Option<String>,
    /// The runs that it booked or took back.
    pub runs: Vec<String>,
    /// Of `verify`: true if it proved a sample only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sampled: bool,
    /// The number of call files that were refused and not mended when it ended.
    #[serde(default, skip_serializing_if = "is_none")]
    pub refused: u64,
    /// Where the first [`PLACES`] of them lie.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused_at: Vec<PathBuf>,
}

/// The most refused files whose places are in a line.
pub const PLACES: usize = 100;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_none(count: &u64) -> bool {
    *count == 0
}

/// A command of the journal: its beginning, and its end, if it came to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// When it began.
    pub began: Micros,
    /// When it ended.
    pub ended: Option<Micros>,
    /// The place of its first line among all lines.
    pub first: usize,
    /// The place of its last line.
    pub last: usize,
    /// Its last line.
    pub entry: JournalEntry,
}

impl Ran {
    /// True if it ended with exit code 0.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.entry.end.as_ref().is_some_and(|end| end.exit == 0)
    }

    /// True if it ended with another exit code.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.entry.end.as_ref().is_some_and(|end| end.exit != 0)
    }

    /// Its message, or nothing.
    #[must_use]
    pub fn message(&self) -> &str {
        self.entry.end.as_ref().and_then(|end| end.message.as_deref()).unwrap_or("")
    }

    /// The runs that it booked or took back.
    #[must_use]
    pub fn runs(&self) -> &[String] {
        self.entry.end.as_ref().map_or(&[], |end| &end.runs)
    }
}

/// All commands of a ledger's journal, in the order of their first lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Journal {
    /// The commands.
    pub commands: Vec<Ran>,
    /// The number of lines that could not be read.
    pub unread_lines: u64,
    /// The number of lines that could.
    lines: usize,
    /// Why a file of it could not be read, if one could not.
    pub unread: Option<String>,
}

impl Journal {
    /// Reads the journal of a ledger. It never fails: a journal is no part of the books.
    #[must_use]
    pub fn read(ledger: &Ledger) -> Self {
        let mut journal = Self::default();
        let mut known: HashMap<(String, u32, String), usize> = HashMap::new();
        for name in [BEFORE, JOURNAL] {
            let path = ledger.folder().join(name);
            match private::read_own(&path) {
                Ok(bytes) => journal.add(bytes.as_deref().unwrap_or(b""), &mut known),
                Err(e) => journal.unread = Some(format!("{}: cannot be read: {e}", path.display())),
            }
        }
        journal
    }

    fn add(&mut self, bytes: &[u8], known: &mut HashMap<(String, u32, String), usize>) {
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let read = serde_json::from_slice::<JournalEntry>(line).ok().and_then(|entry| {
                let began = time::parse_date_or_instant(&entry.began)?;
                let at = time::parse_date_or_instant(&entry.at)?;
                (entry.end.is_some() == (entry.event == Event::End)).then_some((entry, began, at))
            });
            let Some((entry, began, at)) = read else {
                self.unread_lines += 1;
                continue;
            };
            let last = self.lines;
            self.lines += 1;
            let ended = entry.end.is_some().then_some(at);
            let key = (entry.host.clone(), entry.pid, entry.began.clone());
            if let Some(place) = known.get(&key) {
                let first = self.commands[*place].first;
                self.commands[*place] = Ran { began, ended, first, last, entry };
            } else {
                known.insert(key, self.commands.len());
                self.commands.push(Ran { began, ended, first: last, last, entry });
            }
        }
    }

    /// The command that booked a run.
    #[must_use]
    pub fn booked(&self, run_id: &str) -> Option<&Ran> {
        // The last run that an undo names is the one that it booked anew, if it did.
        let is_booked_by_undo = |ran: &Ran| {
            ran.entry.command.contains(" --rerun")
                && ran.runs().last().is_some_and(|id| id == run_id)
        };
        let names = |ran: &&Ran| {
            ran.succeeded()
                && (ran.entry.name != "undo" || is_booked_by_undo(ran))
                && ran.runs().iter().any(|id| id == run_id)
        };
        self.commands.iter().rev().find(names)
    }
}

/// Appends a line to the journal of a ledger that is there, and syncs it.
///
/// # Errors
/// If it cannot be written whole.
pub fn append(ledger: &Ledger, entry: &JournalEntry) -> std::io::Result<()> {
    append_line(ledger, LINES, entry)
}

/// Appends a line to a file of lines, and syncs it.
pub(super) fn append_line(
    ledger: &Ledger,
    lines: LineFile,
    entry: &impl Serialize,
) -> std::io::Result<()> {
    let path = ledger.folder().join(lines.name);
    let (mut file, is_new) = open(&path)?;
    let mut line = Vec::new();
    // A line that a loss of power has torn stays by itself.
    if !ends_whole(&mut file)? {
        line.push(b'\n');
    }
    serde_json::to_writer(&mut line, entry)?;
    line.push(b'\n');
    let written = file.write(&line)?;
    if written != line.len() {
        return Err(Error::new(ErrorKind::WriteZero, "only a part of the line was written"));
    }
    file.sync_data()?;
    if is_new {
        sync_folder(ledger.folder()).map_err(|e| Error::other(e.to_string()))?;
    }
    put_aside(&path, lines, &file)
}

/// Opens the journal for appending; true if it was made. A link is refused: what it leads to is
/// somebody else's.
fn open(path: &Path) -> std::io::Result<(File, bool)> {
    let mut options = OpenOptions::new();
    options.read(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match private::open_own(path, &mut options) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok((options.create(true).open(path)?, true)),
        opened => Ok((opened?, false)),
    }
}

/// Why the next command cannot write its lines, if it cannot; nothing where this user may not write
/// to the ledger at all. Nothing is written.
#[must_use]
pub fn why_unwritable(ledger: &Ledger) -> Option<String> {
    let path = path_of(ledger);
    let said = |e: Error| format!("{}: the journal cannot be written: {e}", path.display());
    match private::open_own(&path, OpenOptions::new().append(true)) {
        Ok(_) => None,
        Err(e) if e.kind() == ErrorKind::NotFound => None,
        Err(e) if e.kind() == ErrorKind::InvalidInput => Some(said(e)),
        Err(e) => {
            let may_write = rustix::fs::access(ledger.folder(), rustix::fs::Access::WRITE_OK);
            may_write.is_ok().then(|| said(e))
        }
    }
}

/// True if a file is empty, or its last line has its end.
fn ends_whole(file: &mut File) -> std::io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// Puts a full journal aside. Only one process does, and only with the file that bears the name:
/// another may have done it meanwhile, and the new file is not to replace the full one.
fn put_aside(path: &Path, lines: LineFile, file: &File) -> std::io::Result<()> {
    let own = file.metadata()?;
    if own.len() < lines.full || file.try_lock().is_err() {
        return Ok(());
    }
    let there = std::fs::metadata(path)?;
    if is_same(&own, &there) {
        std::fs::rename(path, path.with_file_name(lines.before))?;
    }
    Ok(())
}

#[cfg(unix)]
fn is_same(one: &std::fs::Metadata, other: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_same(_: &std::fs::Metadata, _: &std::fs::Metadata) -> bool {
    true
}

/// The files of the journal and of the looks, by their names: they are the ledger's own.
pub(crate) fn is_journal(name: &std::ffi::OsStr) -> bool {
    [LINES, LOOKS].iter().any(|lines| name == lines.name || name == lines.before)
}

/// The path of the journal, for messages.
#[must_use]
pub fn path_of(ledger: &Ledger) -> PathBuf {
    ledger.folder().join(JOURNAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(began: &str, end: Option<End>) -> JournalEntry {
        JournalEntry {
            event: if end.is_some() { Event::End } else { Event::Begin },
            at: "2026-11-20T02:00:01Z".to_owned(),
            began: began.to_owned(),
            name: "run".to_owned(),
            command: "trunkrate run".to_owned(),
            writes: true,
            user: "u".to_owned(),
            host: "h".to_owned(),
            pid: 7,
            version: "0".to_owned(),
            end,
        }
    }

    fn ledger(folder: &Path) -> Ledger {
        Ledger::at(folder)
    }

    #[test]
    fn a_beginning_and_its_end_are_one_command() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path());
        append(&ledger, &entry("2026-11-20T02:00:00Z", None)).unwrap();
        append(&ledger, &entry("2026-11-21T02:00:00Z", None)).unwrap();
        let end = End { exit: 1, message: Some("no deck".to_owned()), ..End::default() };
        append(&ledger, &entry("2026-11-20T02:00:00Z", Some(end))).unwrap();
        let journal = Journal::read(&ledger);
        assert_eq!((journal.commands.len(), journal.unread_lines), (2, 0));
        assert!(journal.commands[0].failed() && journal.commands[0].message() == "no deck");
        assert_eq!(journal.commands[1].ended, None);
    }

    #[test]
    fn a_torn_line_is_passed_over_and_no_other_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path());
        append(&ledger, &entry("2026-11-20T02:00:00Z", None)).unwrap();
        let path = path_of(&ledger);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&bytes[..], &bytes[..bytes.len() / 2]].concat()).unwrap();
        append(&ledger, &entry("2026-11-21T02:00:00Z", None)).unwrap();
        let journal = Journal::read(&ledger);
        assert_eq!((journal.commands.len(), journal.unread_lines), (2, 1));
    }

    #[test]
    fn what_took_the_journals_name_is_neither_read_nor_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path());
        assert_eq!(why_unwritable(&ledger), None);
        let path = path_of(&ledger);
        let fifo = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &path, fifo, 0o600.into(), 0).unwrap();
        for _ in 0..2 {
            assert!(append(&ledger, &entry("2026-11-20T02:00:00Z", None)).is_err());
            assert!(Journal::read(&ledger).unread.is_some());
            assert!(why_unwritable(&ledger).unwrap().ends_with("it is no plain file"));
            std::fs::remove_file(&path).unwrap();
            std::os::unix::fs::symlink("/dev/null", &path).unwrap();
        }
    }

    #[test]
    fn a_full_journal_is_put_aside_and_still_read() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path());
        append(&ledger, &entry("2026-11-20T02:00:00Z", None)).unwrap();
        let mut file = OpenOptions::new().append(true).open(path_of(&ledger)).unwrap();
        file.write_all(&vec![b'\n'; 2 << 20]).unwrap();
        append(&ledger, &entry("2026-11-21T02:00:00Z", None)).unwrap();
        assert!(!path_of(&ledger).exists() && folder.path().join(BEFORE).exists());
        append(&ledger, &entry("2026-11-22T02:00:00Z", None)).unwrap();
        assert_eq!(Journal::read(&ledger).commands.len(), 3);
    }
}
