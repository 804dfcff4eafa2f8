//! Documents as one HTML file, for a screen of any width and for paper: no script, and nothing that
//! is loaded from elsewhere.
//!
//! ```text
//! templates/invoice.html   the page        ─┐
//! templates/head.html      the head        ─┤
//! templates/style.css      how it looks    ─┼▶ environment ─▶ Pages ─▶ HTML
//! Document ─▶ View         what it needs   ─┘
//! ```
//!
//! A file in the user's template folder replaces the built-in one of the same name. A template gets
//! the document as `document` and, derived from it, `title`, `sections` (usage by month and
//! scenario), `fees`, `several_taxes`, `long`, `charts` and `itemised`; the style sheet as `style`,
//! and what every `<head>` begins with as `head`.
//! Besides minijinja's own filters there are:
//!
//! | filter | output |
//! |---|---|
//! | `digits` | a decimal with its thousands separated; copying it gives the plain decimal |
//! | `blocks` | an account number in blocks of four, in the same way |
//! | `date` | `2026-12-01` as `1 December 2026`, with the date for programs |
//! | `time` | `2026-11-20T21:15:00Z` as `2026-11-20 21:15:00`, in the same way |
//! | `scenario` | a scenario's id in words |
//! | `tax` | a tax category in words |
//!
//! **Invariant:** all output of a template passes through [`visible`] and is escaped, in one place
//! ([`environment`]). No filter and no block of a template can turn that off.
//!
//! # Why the filters `safe` and `escape` do nothing
//!
//! Any text of a document may come from a stranger, so none may skip escaping. The text of a
//! template itself is not escaped and does not need them.

#[cfg(test)]
pub(crate) mod tests;

use super::FormatError;
use super::charts::{self, ChartHead};
use crate::document::spend::SpendPart;
use crate::document::{Document, ItemisedLeg, TaxCategory, UsageLine, words};
use crate::inputs::file::{FileError, read_text};
use crate::text::visible;
use crate::time;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};
use serde::Serialize;
use std::borrow::Cow;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The built-in templates, by the name under which a user's folder may replace them.
pub const BUILT_IN: [(&str, &str); 2] = [
    (INVOICE, include_str!("templates/invoice.html")),
    (STYLE, include_str!("templates/style.css")),
];

/// The page of a document.
const INVOICE: &str = "invoice.html";
/// The style sheet, which is embedded in every page.
const STYLE: &str = "style.css";
/// The head that every built-in page has: it forbids scripts and loads.
const HEAD: &str = include_str!("templates/head.html");
/// A document with more lines of usage than this shows its totals first, and then the lines.
const LONG: usize = 25;
/// The least number of usage lines for a chart of shares; a shorter table is clear without one.
const SHARES: usize = 7;
/// The steps that a template may take: 15 s. A million itemised calls take a fifth of them.
const MOST_STEPS: u64 = 1_000_000_000;
/// The limit of a page in bytes.
const LONGEST_PAGE: usize = 1 << 30;
/// The number of destinations that a chart names.
const DESTINATIONS: usize = 10;

/// Draws documents as HTML. One instance serves many documents and any number of threads.
#[derive(Debug)]
pub struct Pages {
    templates: Templates,
}

/// The templates, compiled.
#[derive(Debug)]
pub struct Templates {
    /// The engine; a template is known in it by its file name.
    pub environment: Environment<'static>,
    folder: Option<PathBuf>,
}

/// The engine with the built-in templates, or the user's in place of them.
///
/// # Errors
/// A folder that cannot be read, or has none of the names of [`BUILT_IN`]; a template that does not
/// compile; a style sheet that would close its own `<style>` element; a link to a file outside the
/// folder.
pub fn environment(folder: Option<&Path>) -> Result<Templates, FileError> {
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    let syntax = syntax.map_err(|e| template_error(Path::new(INVOICE), &e))?;
    let mut env = Environment::new();
    env.set_fuel(Some(MOST_STEPS));
    env.set_auto_escape_callback(|_| AutoEscape::Html);
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_syntax(syntax);
    env.set_formatter(|out, _, value| {
        if value.is_safe() {
            // Markup from a filter may contain text that is escaped but still has hidden
            // characters. Line ends and tabs are part of the markup.
            for part in value.as_str().unwrap_or_default().split_inclusive(['\n', '\r', '\t']) {
                let text = part.trim_end_matches(['\n', '\r', '\t']);
                out.write_str(&visible(text))?;
                out.write_str(&part[text.len()..])?;
            }
            return Ok(());
        }
        match value.kind() {
            ValueKind::Undefined | ValueKind::None => Ok(()),
            ValueKind::Number | ValueKind::Bool => Ok(write!(out, "{value}")?),
            _ => {
                let text =
                    value.as_str().map_or_else(|| Cow::Owned(value.to_string()), Cow::Borrowed);
                Ok(out.write_str(&charts::escaped(&text))?)
            }
        }
    });
    for name in ["safe", "escape", "e"] {
        env.add_filter(name, |value: Value| value);
    }
    env.add_filter("digits", |value: Value| html(digits(&value.to_string())));
    env.add_filter("blocks", |text: &str| html(blocks(text)));
    env.add_filter("date", |text: &str| html(date(text)));
    env.add_filter("time", |text: &str| html(time_of(text)));
    env.add_filter("scenario", scenario);
    env.add_filter("tax", tax);
    env.add_global("head", html(HEAD.trim_end().to_owned()));
    let mut found = 0;
    for (name, built_in) in BUILT_IN {
        let path = folder.map(|folder| folder.join(name)).filter(|path| path.exists());
        let source = match &path {
            Some(path) => {
                found += 1;
                refuse_outside(folder, path)?;
                let text = read_text(path)?;
                text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)
            }
            None => built_in.to_owned(),
        };
        let path = path.unwrap_or_else(|| PathBuf::from(name));
        if name == STYLE {
            env.add_global("style", html(sheet(&path, source)?));
        } else {
            env.add_template_owned(name, source).map_err(|e| template_error(&path, &e))?;
        }
    }
    match folder {
        Some(folder) if found == 0 => {
            let problem = if folder.is_dir() { "has no template" } else { "is no folder" };
            let names: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
            Err(FileError::new(
                folder,
                format!("{problem}; expected a folder with one of {}", names.join(", ")),
            ))
        }
        _ => Ok(Templates { environment: env, folder: folder.map(Path::to_owned) }),
    }
}

/// Refuses a link to a file outside the template folder: its content would be printed on every
/// document.
fn refuse_outside(folder: Option<&Path>, path: &Path) -> Result<(), FileError> {
    let real = |path: &Path| {
        path.canonicalize().map_err(|e| FileError::new(path, format!("cannot be read: {e}")))
    };
    match folder {
        Some(folder) if !real(path)?.starts_with(real(folder)?) => {
            Err(FileError::new(path, "is a link out of the folder of templates")
                .hint("put the file itself there"))
        }
        _ => Ok(()),
    }
}

/// Collects the output of a template, up to a limit.
struct Page {
    bytes: Vec<u8>,
    most: usize,
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.most {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Templates {
    /// Fills a template with a context.
    ///
    /// # Errors
    /// A value or a filter that the template uses and that does not exist, with its line.
    pub fn fill(&self, name: &str, context: impl Serialize) -> Result<String, FileError> {
        let path =
            self.folder.as_ref().map(|folder| folder.join(name)).filter(|path| path.exists());
        let error = |e: Error| template_error(path.as_deref().unwrap_or(Path::new(name)), &e);
        let mut page = Page { bytes: Vec::new(), most: LONGEST_PAGE };
        let template = self.environment.get_template(name).map_err(error)?;
        template.render_captured_to(Serde(context), &mut page).map_err(error)?;
        Ok(String::from_utf8(page.bytes).expect("a template prints text"))
    }
}

impl Pages {
    /// A renderer with the built-in templates, or the user's in place of them.
    ///
    /// # Errors
    /// See [`environment`].
    pub fn new(templates: Option<&Path>) -> Result<Self, FileError> {
        Ok(Self { templates: environment(templates)? })
    }

    /// A document as a page, with its itemised calls if they are given.
    ///
    /// # Errors
    /// A value or a filter that a user's template uses and that does not exist, with its line.
    pub fn html(
        &self,
        document: &Document,
        itemised: Option<&[ItemisedLeg]>,
    ) -> Result<String, FormatError> {
        Ok(self.templates.fill(INVOICE, View::of(document, itemised))?)
    }
}

/// The data of a page besides the document. Every value here is one of the document, except the
/// sums that charts draw.
#[derive(Serialize)]
struct View<'a> {
    document: &'a Document,
    title: &'static str,
    /// Usage of the period, then of each earlier one.
    sections: Vec<Section<'a>>,
    /// True if a line has a connection fee.
    fees: bool,
    /// True if lines differ in their tax.
    several_taxes: bool,
    /// True if there are so many lines that the totals come first.
    long: bool,
    /// The figures, as finished HTML.
    charts: Vec<Value>,
    itemised: Option<&'a [ItemisedLeg]>,
}

/// Usage of a month.
#[derive(Serialize)]
struct Section<'a> {
    /// The month, if it is an earlier one.
    late: Option<&'a str>,
    groups: Vec<LineGroup<'a>>,
}

/// Usage of a scenario.
#[derive(Serialize)]
struct LineGroup<'a> {
    words: &'a str,
    /// True if its lines are of several price lists, so that each names its own.
    services: bool,
    lines: &'a [UsageLine],
}

impl<'a> View<'a> {
    fn of(document: &'a Document, itemised: Option<&'a [ItemisedLeg]>) -> Self {
        let section = |lines: &'a [UsageLine]| Section {
            late: lines.first().and_then(|line| line.late.as_deref()),
            groups: lines.chunk_by(|a, b| a.scenario == b.scenario).map(group).collect(),
        };
        Self {
            document,
            title: document.title(),
            sections: document.usage.chunk_by(|a, b| a.late == b.late).map(section).collect(),
            fees: document.usage.iter().any(|line| !line.connection_fee.0.is_zero()),
            several_taxes: document.taxes.len() > 1,
            long: document.usage.len() > LONG,
            charts: drawn(document),
            itemised,
        }
    }
}

fn group(lines: &[UsageLine]) -> LineGroup<'_> {
    let (words, service) =
        lines.first().map_or(("", ""), |line| (&line.scenario_words, &line.service));
    LineGroup { words, services: lines.iter().any(|line| line.service != service), lines }
}

/// The charts of a document that have something to show. A credit note has none: it takes back
/// amounts that the invoice has drawn.
fn drawn(document: &Document) -> Vec<Value> {
    if document.is_credit() {
        return Vec::new();
    }
    let unit = document.currency.as_str();
    let days = || document.days.iter().map(|day| (day.date.as_str(), day.amount.0));
    let (first, last) = (document.period.first_day.as_str(), document.period.last_day.as_str());
    let ends = || Some((document.days.first()?.date.as_str(), document.days.last()?.date.as_str()));
    let head = |id, title, of| ChartHead { id, title, of, unit };
    let by_day = head("by-day", "Usage by day", "Day (UTC)");
    // A document of late calls only has no day in its period.
    let by_day = charts::bars_by_day(by_day, (first, last), days())
        .or_else(|| charts::bars_by_day(by_day, ends()?, days()));
    let shares = |head, parts: Vec<SpendPart>| {
        if document.usage.len() < SHARES { None } else { charts::shares(head, &parts) }
    };
    let by_scenario =
        shares(head("by-scenario", "Usage by scenario", "Scenario"), document.spend_by_scenario());
    let by_destination = shares(
        head("by-destination", "Usage by destination", "Destination"),
        document.spend_by_destination(DESTINATIONS),
    );
    [by_day, by_scenario, by_destination]
        .iter()
        .flatten()
        .map(|chart| html(charts::figure(chart)))
        .collect()
}

fn html(text: String) -> Value {
    Value::from_safe_string(text)
}

/// Text in blocks that start at the given offsets. The gaps are CSS only, so copied or read-out
/// text has none.
fn spaced(text: &str, starts: &[usize]) -> String {
    let (mut html, mut from) = (String::with_capacity(text.len() + 26 * starts.len()), 0);
    for start in starts {
        html.push_str("<span class=\"gap\">");
        html.push_str(&text[from..*start]);
        html.push_str("</span>");
        from = *start;
    }
    html.push_str(&text[from..]);
    html
}

/// A decimal with its thousands separated.
fn digits(text: &str) -> String {
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    let unsigned = whole.strip_prefix('-').unwrap_or(whole);
    if unsigned.is_empty()
        || !text.strip_prefix('-').unwrap_or(text).bytes().all(|b| b.is_ascii_digit() || b == b'.')
    {
        return charts::escaped(text);
    }
    let first = whole.len() - unsigned.len() + (unsigned.len() - 1) % 3 + 1;
    spaced(text, &(first..whole.len()).step_by(3).collect::<Vec<_>>())
}

/// An account number in blocks of four.
fn blocks(text: &str) -> String {
    if text.bytes().all(|b| b.is_ascii_alphanumeric()) {
        spaced(text, &(4..text.len()).step_by(4).collect::<Vec<_>>())
    } else {
        charts::escaped(text)
    }
}

/// A date in words, with the original for programs; any other text is left unchanged.
fn date(text: &str) -> String {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let parts: Vec<&str> = text.split('-').collect();
    let words = match parts.as_slice() {
        [year, month, day]
            if text.len() == 10
                && text.bytes().all(|b| b.is_ascii_digit() || b == b'-')
                && time::parse_date_or_instant(text).is_some() =>
        {
            let month =
                month.parse::<usize>().ok().and_then(|month| MONTHS.get(month.checked_sub(1)?));
            month.map(|month| format!("{} {month} {year}", day.trim_start_matches('0')))
        }
        _ => None,
    };
    match words {
        Some(words) => format!(r#"<time datetime="{text}">{}</time>"#, charts::escaped(&words)),
        None => charts::escaped(text),
    }
}

/// An instant without its `T` and `Z`; any other text is left unchanged.
fn time_of(text: &str) -> String {
    match text.strip_suffix('Z').and_then(|text| text.split_once('T')) {
        Some((date, time)) if text.bytes().all(|b| b.is_ascii_digit() || b"-:.TZ".contains(&b)) => {
            format!(r#"<time datetime="{text}">{date} {time}</time>"#)
        }
        _ => charts::escaped(text),
    }
}

fn tax(name: &str) -> Cow<'static, str> {
    TaxCategory::parse(name).map_or_else(
        || Cow::Owned(visible(name).into_owned()),
        |category| Cow::Borrowed(category.words()),
    )
}

/// A scenario's name, without the names of its legs.
fn scenario(id: &str) -> String {
    let words = words::scenario(id);
    words.split(": ").next().unwrap_or_default().to_owned()
}

/// A style sheet that cannot close its own element.
fn sheet(path: &Path, source: String) -> Result<String, FileError> {
    let line =
        (1..).zip(source.lines()).find(|(_, line)| line.to_ascii_lowercase().contains("</style"));
    match line {
        Some((line, _)) => Err(FileError::new(
            path,
            "found `</style`; expected CSS only, which stands inside of a page",
        )
        .at(line)
        .hint("take that line out")),
        None => Ok(source),
    }
}

fn template_error(path: &Path, error: &Error) -> FileError {
    let problem = match error.detail() {
        Some(detail) => format!("the template cannot be used: {}: {detail}", error.kind()),
        None => format!("the template cannot be used: {}", error.kind()),
    };
    let hint = match error.kind() {
        ErrorKind::UndefinedError => {
            "names are those of the JSON document; start from the built-in template"
        }
        ErrorKind::UnknownFilter
        | ErrorKind::UnknownFunction
        | ErrorKind::UnknownTest
        | ErrorKind::UnknownMethod => {
            "see the filters of minijinja, and digits, blocks, date, time, scenario, tax"
        }
        ErrorKind::OutOfFuel => {
            "it loops for too long: a loop inside of a loop counts what both do"
        }
        ErrorKind::WriteFailure => "a page has at most 1 GiB",
        _ => "the syntax is that of Jinja; start from the built-in template",
    };
    let error_at = FileError::new(path, problem).hint(hint);
    match error.line() {
        Some(line) => error_at.at(line as u64),
        None => error_at,
    }
}
