//! The terminal: tables, and colours and the progress bar where a person looks.

use crate::text::visible;
use anstyle::{AnsiColor, Style};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use std::borrow::Cow;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// True if a stream gets colour: it is a terminal, and `NO_COLOR` is unset or empty.
fn colours(terminal: bool) -> bool {
    terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Prints to stdout.
pub fn print(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(without_controls(text).as_bytes())?;
    out.flush()
}

/// The text with the characters that a terminal obeys and JSON does not escape, as JSON writes them: `\u009b`.
fn without_controls(text: &str) -> Cow<'_, str> {
    let is_obeyed = |c: char| matches!(c, '\u{7f}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let shown =
        |c: char| if is_obeyed(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    Cow::Owned(text.chars().map(shown).collect())
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
        let _ = writeln!(std::io::stderr().lock(), "{}", without_controls(&line));
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

/// A heading on stdout. Its words may come from outside, such as the name of a deck, and are
/// escaped.
pub fn heading(text: &str) -> String {
    let text = visible(text);
    let style =
        if colours(std::io::stdout().is_terminal()) { Style::new().bold() } else { Style::new() };
    format!("{style}{text}{style:#}")
}

/// The longest rule under a header, however wide the last column is.
const WIDEST_RULE: usize = 140;

/// A table as text; the columns named in `right` are aligned to the right.
pub fn table(
    header: &[&str],
    right: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    for row in rows {
        table.add_row(row.iter().map(|cell| visible(cell).into_owned()).collect::<Vec<_>>());
    }
    for (at, _) in header.iter().enumerate().filter(|(_, name)| right.contains(name)) {
        if let Some(column) = table.column_mut(at) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let text = table.to_string();
    let mut lines = text.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end());
    let head = lines.next().unwrap_or_default();
    let rule = "─".repeat(
        text.lines()
            .map(|line| line.trim_end().chars().count())
            .max()
            .unwrap_or_default()
            .saturating_sub(1)
            .min(WIDEST_RULE),
    );
    let body: Vec<&str> = lines.collect();
    format!("{}\n{rule}\n{}\n", heading(head), body.join("\n"))
}

/// Groups thousands: `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
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
