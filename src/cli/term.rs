//! The terminal: colours, tables and the progress bar, each only where a person looks.

use crate::text::visible;
use anstyle::{AnsiColor, Style};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Whether stdout is a terminal that wants colour.
fn colours(terminal: bool) -> bool {
    terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Prints to stdout.
pub fn print(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Prints a line to stderr under a label: `error: …`, `hint: …`, `note: …`.
pub fn report(label: &str, message: &str) {
    let colour = match label {
        "error" => AnsiColor::Red,
        "hint" => AnsiColor::Cyan,
        _ => AnsiColor::Yellow,
    };
    let style =
        if colours(std::io::stderr().is_terminal()) { Style::new().fg_color(Some(colour.into())).bold() } else { Style::new() };
    let message: Vec<String> = message.lines().map(|line| visible(line).into_owned()).collect();
    let _ = writeln!(std::io::stderr().lock(), "{style}{label}{style:#}: {}", message.join("\n"));
}

/// A heading on stdout, whose words may be a stranger's: the name of a deck, say.
pub fn heading(text: &str) -> String {
    let text = visible(text);
    let style = if colours(std::io::stdout().is_terminal()) { Style::new().bold() } else { Style::new() };
    format!("{style}{text}{style:#}")
}

/// A rule is no longer than this, however long the last column.
const WIDEST_RULE: usize = 140;

/// A table of text; the columns named in `right` are numbers.
pub fn table(header: &[&str], right: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
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
        text.lines().map(|line| line.trim_end().chars().count()).max().unwrap_or_default().saturating_sub(1).min(WIDEST_RULE),
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

/// A bar on stderr over the bytes that are read; nothing where stderr is no terminal, or the work is short.
pub struct Progress {
    /// Bytes read, or things done, so far.
    pub bytes: Arc<AtomicU64>,
    done: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Progress {
    /// Starts to watch bytes that are read.
    pub fn start(total: u64) -> Self {
        Self::watched(total, "{msg:10} {bar:40} {bytes:>10} of {total_bytes} {elapsed:>4}", ["reading", "booking"])
    }

    /// Starts to watch things that are counted.
    pub fn counting(total: u64, what: &'static str) -> Self {
        Self::watched(total, "{msg:10} {bar:40} {human_pos:>10} of {human_len} {elapsed:>4}", [what, what])
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

fn watch(total: u64, (template, words): (&str, [&'static str; 2]), bytes: &AtomicU64, done: &AtomicBool) {
    std::thread::park_timeout(Duration::from_millis(500));
    if done.load(Ordering::Relaxed) {
        return;
    }
    let style = ProgressStyle::with_template(template);
    let bar = ProgressBar::new(total).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
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
