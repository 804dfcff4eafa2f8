//! The terminal: tables, and colours and the progress bar where a person looks.
//!
//! | file | what it does |
//! |---|---|
//! | [`style`] | what stdout is, colours, grouped numbers |
//! | [`table`](mod@table) | tables that fit the terminal, with sums |
//! | [`pager`] | long results page by page |

pub mod pager;
mod style;
mod table;

use crate::text::{escaped, visible};
use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};
use std::borrow::Cow;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use style::colours;
pub use style::{grouped, heading};
use table::ISOLATE;
pub use table::{Table, labelled};

/// Prints to stdout; a command that only reads, to the pager.
pub fn print(text: &str) -> std::io::Result<()> {
    let text = harmless(text, std::io::stdout().is_terminal());
    if pager::takes(&text) {
        return Ok(());
    }
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// The text with the characters that a terminal obeys and JSON does not escape, as JSON writes
/// them: `\u009b`. On a terminal a cell of a table may be isolated: a pair on one line turns
/// nothing outside of it.
fn harmless(text: &str, terminal: bool) -> Cow<'_, str> {
    let [start, end] = ISOLATE;
    if !terminal || !text.contains(start) {
        return escaped(text);
    }
    let line = |line: &str| -> String {
        let pieces: Vec<&str> = line.split(ISOLATE).collect();
        let marks = line.matches(ISOLATE).flat_map(str::chars);
        let in_pairs = marks.zip([start, end].into_iter().cycle()).all(|(mark, due)| mark == due);
        if !in_pairs || pieces.len().is_multiple_of(2) {
            return escaped(line).into_owned();
        }
        let mut out = String::with_capacity(line.len());
        for (at, piece) in pieces.into_iter().enumerate() {
            if at > 0 {
                out.push(if at % 2 == 1 { start } else { end });
            }
            out += &escaped(piece);
        }
        out
    };
    Cow::Owned(text.split_inclusive('\n').map(line).collect())
}

/// True if [`report`] writes JSON.
static LOG_AS_JSON: AtomicBool = AtomicBool::new(false);

/// Sets how [`report`] writes: a JSON object a line, or text.
pub fn log_as_json(as_json: bool) {
    LOG_AS_JSON.store(as_json, Ordering::Relaxed);
}

/// Prints a line to stderr under a label: `error: …`, `hint: …`, `note: …`; or as a JSON object
/// with the time, the label as its level, and the message.
pub fn report(label: &str, message: &str) {
    if LOG_AS_JSON.load(Ordering::Relaxed) {
        let time = crate::time::text(super::clock::now());
        let line = serde_json::json!({"time": time, "level": label, "message": message});
        let line = line.to_string();
        let _ = writeln!(std::io::stderr().lock(), "{}", escaped(&line));
        return;
    }
    let colour = match label {
        "error" => AnsiColor::Red,
        "hint" => AnsiColor::Cyan,
        _ => AnsiColor::Yellow,
    };
    let style = if colours(std::io::stderr().is_terminal()) {
        Style::new().fg_color(Some(colour.into())).bold()
    } else {
        Style::new()
    };
    let message: Vec<String> = message.lines().map(|line| visible(line).into_owned()).collect();
    let _ = writeln!(std::io::stderr().lock(), "{style}{label}{style:#}: {}", message.join("\n"));
}

/// The word of a verdict on stdout: green if all is well, else red.
pub fn verdict(is_good: bool) -> String {
    let (word, colour) =
        if is_good { ("good", AnsiColor::Green) } else { ("wrong", AnsiColor::Red) };
    let style = if colours(std::io::stdout().is_terminal()) {
        Style::new().fg_color(Some(colour.into())).bold()
    } else {
        Style::new()
    };
    format!("{style}{word}{style:#}")
}

/// A table as text; the columns named in `right` are aligned to the right. [`Table`] says more.
pub fn table(
    header: &[&str],
    right: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> String {
    Table::new(header, right, rows).to_string()
}

/// A progress bar on stderr over bytes read or things done; nothing if stderr is no terminal, or
/// the work ends within half a second.
pub struct Progress {
    /// Bytes read, or things done, so far.
    pub bytes: Arc<AtomicU64>,
    done: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Progress {
    /// Starts a bar over bytes read.
    pub fn start(total: u64) -> Self {
        Self::watched(
            total,
            "{msg:10} {bar:40} {bytes:>10} of {total_bytes} {elapsed:>4}",
            ["reading", "booking"],
        )
    }

    /// Starts a bar over counted things.
    pub fn counting(total: u64, what: &'static str) -> Self {
        Self::watched(
            total,
            "{msg:10} {bar:40} {human_pos:>10} of {human_len} {elapsed:>4}",
            [what, what],
        )
    }

    fn watched(total: u64, template: &'static str, words: [&'static str; 2]) -> Self {
        let (bytes, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let thread = std::io::stderr().is_terminal().then(|| {
            let (bytes, done) = (Arc::clone(&bytes), Arc::clone(&done));
            std::thread::spawn(move || watch(total, (template, words), &bytes, &done))
        });
        Self { bytes, done, thread }
    }
}

fn watch(
    total: u64,
    (template, words): (&str, [&'static str; 2]),
    bytes: &AtomicU64,
    done: &AtomicBool,
) {
    std::thread::park_timeout(Duration::from_millis(500));
    if done.load(Ordering::Relaxed) {
        return;
    }
    let style = ProgressStyle::with_template(template);
    let bar =
        ProgressBar::new(total).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    while !done.load(Ordering::Relaxed) {
        let read = bytes.load(Ordering::Relaxed).min(total);
        bar.set_position(read);
        bar.set_message(words[usize::from(read >= total)]);
        std::thread::park_timeout(Duration::from_millis(100));
    }
    bar.finish_and_clear();
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}
