//! The pager: what a reading command prints on a terminal, shown page by page if it is longer than
//! the terminal.
//!
//! **Invariant:** nothing is paged unless stdout is a terminal and the command only reads: a
//! command that writes would hold the ledger's lock for as long as somebody reads.
//!
//! # Why the text is held until the end
//! A short result needs no pager, and what the command says on stderr meanwhile would be drawn over
//! by one.

use super::style;
use std::ffi::OsString;
use std::io::{ErrorKind, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use unicode_width::UnicodeWidthStr;

/// The text so far; `None` if the command is not paged.
static HELD: Mutex<Option<String>> = Mutex::new(None);
/// True while a pager is open.
static OPEN: AtomicBool = AtomicBool::new(false);

/// Exit codes of a shell that could not start a command.
const NOT_STARTED: [i32; 2] = [126, 127];

/// Holds what is printed from here on, if stdout is a terminal.
pub fn hold() {
    if style::size().is_some_and(|(_, lines)| lines > 0) {
        *HELD.lock().expect("nobody panics with it") = Some(String::new());
    }
}

/// Takes a text to hold; `false` if the command is not paged.
pub fn takes(text: &str) -> bool {
    let mut held = HELD.lock().expect("nobody panics with it");
    held.as_mut().map(|held| held.push_str(text)).is_some()
}

/// True while a pager is open: Ctrl-C is the pager's.
pub fn is_open() -> bool {
    OPEN.load(Ordering::Relaxed)
}

/// Shows what was held, page by page if it is long, and waits until the reader has enough.
///
/// # Errors
/// A terminal that cannot be written to.
pub fn show() -> std::io::Result<()> {
    let Some(text) = HELD.lock().expect("nobody panics with it").take() else { return Ok(()) };
    let is_long = style::size().is_some_and(|size| lines(&text, size.0) >= size.1);
    if is_long && paged(&text)? {
        return Ok(());
    }
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Shows a text by the pager; `false` if there is none, or it could not be started.
fn paged(text: &str) -> std::io::Result<bool> {
    let Some(mut pager) = start() else { return Ok(false) };
    OPEN.store(true, Ordering::Relaxed);
    let mut input = pager.stdin.take().expect("its input is a pipe");
    let written = input.write_all(text.as_bytes());
    drop(input);
    let ended = pager.wait();
    OPEN.store(false, Ordering::Relaxed);
    if ended?.code().is_some_and(|code| NOT_STARTED.contains(&code)) {
        return Ok(false);
    }
    match written {
        // Whoever leaves the pager has seen enough.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
        _ => Ok(true),
    }
}

/// Starts `TRUNKRATE_PAGER`, else `PAGER`, else `less`. An empty one, or `cat`, is none.
fn start() -> Option<Child> {
    let is_set = |name: &str| std::env::var_os(name);
    let mut command = match is_set("TRUNKRATE_PAGER").or_else(|| is_set("PAGER")) {
        Some(named) if named.is_empty() || named == "cat" => return None,
        Some(named) => by_shell(named),
        None => {
            let mut less = Command::new("less");
            less.arg("-FRX");
            less
        }
    };
    // `less` shows colours and UTF-8 whatever the locale is; the user's own choice stands.
    for (name, value) in [("LESS", "FRX"), ("LESSCHARSET", "utf-8")] {
        if is_set(name).is_none() {
            command.env(name, value);
        }
    }
    command.stdin(Stdio::piped()).spawn().ok()
}

fn by_shell(named: OsString) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(named);
    shell
}

/// The lines that a text takes on a terminal of so many columns.
fn lines(text: &str, columns: usize) -> usize {
    text.lines().map(|line| without_colours(line).width().div_ceil(columns).max(1)).sum()
}

/// A line without the sequences that colour it.
fn without_colours(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let first = parts.next().unwrap_or("").to_owned();
    parts.fold(first, |shown, part| shown + part.split_once('m').map_or("", |(_, rest)| rest))
}
