//! Documents as PDF: drawn by typst, as PDF/A-3 for archives, tagged for readers who do not see, with the e-invoice inside.
//!
//! ```text
//! view       a document's values as invoice.json; legs: itemised calls in it
//! world      all that a template may see
//! hybrid     what a reader of hybrid invoices (Factur-X, ZUGFeRD) looks for in the file's metadata
//! ```
//!
//! **Invariant:** same document, same template, same bytes, on any thread: the file's date is the day of issue and its id
//! a hash of what it shows. Data are read by the template as JSON and are never its code.
//!
//! # Why a document has a thread of its own
//! typst spreads its work over rayon's pool. Were a document itself a job of that pool, its thread would take up another
//! document while it waits for a part of the first, and another in that one, until the stack ends. So each document goes to
//! a pool with one thread, and whoever asks for it waits without taking up anything.
//!
//! # Why one printer for many documents
//! Fonts, library and parsed templates are made once. typst remembers what it has laid out; what the last few documents did
//! not ask for is forgotten, so that memory stays flat over a month's invoices.

mod column;
pub(crate) mod hybrid;
pub(crate) mod legs;
pub(crate) mod summed;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod view;
pub(crate) mod world;

use super::FormatError;
use crate::document::{Document, ItemisedLeg};
use crate::inputs::file::FileError;
use std::path::Path;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;
use typst::diag::SourceDiagnostic;
use typst::foundations::{Bytes, Datetime, Smart};
use typst::{World, WorldExt};
use typst_pdf::{PdfOptions, PdfStandard, PdfStandards, Timestamp};
use view::Shown;
use world::{Shelf, TypstWorld};

pub use summed::PRINTED;

/// What typst has not been asked for in so many documents, it forgets. Measured: forgetting more rarely saves no time.
const REMEMBERED: usize = 4;

/// What a document with more lines than this made typst remember, it forgets at once.
const LARGE: usize = 500;
/// The stack of a thread that draws; nested content goes deep.
const STACK: usize = 16 << 20;

/// How long a template of a user's own may take for a document. Nothing ends a layout from outside; the command ends.
const LONGEST: Duration = Duration::from_mins(5);

/// Draws documents; one for all of them, on any thread.
pub struct Printer {
    shelf: Arc<Shelf>,
    standards: PdfStandards,
    /// Threads that draw, as many as ever drew at once; those that wait.
    idle: Mutex<Vec<rayon::ThreadPool>>,
}

/// Why typst gave no file.
enum Failed {
    /// Its errors.
    Told(Vec<SourceDiagnostic>),
    /// A bug in it.
    Panicked,
    /// It was not done in time.
    Late,
}

impl Printer {
    /// A printer with our own template and fonts.
    ///
    /// `templates` is a folder that may hold `invoice.typ`, which then replaces our own, and what that imports or shows;
    /// `logo.svg`, `logo.png` or `logo.jpg` stands at the head of the page with our own template, too. `fonts` is a folder of
    /// TrueType and OpenType fonts: they show what ours do not.
    ///
    /// # Errors
    /// A folder or file that cannot be read, or a font that is none.
    pub fn new(templates: Option<&Path>, fonts: Option<&Path>) -> Result<Self, FileError> {
        let standards = PdfStandards::new(&[PdfStandard::A_3a, PdfStandard::Ua_1]).expect("the two go together");
        Ok(Self { shelf: Arc::new(Shelf::new(templates, fonts)?), standards, idle: Mutex::default() })
    }

    /// The document as PDF/A-3, with its itemised legs as an appendix and the e-invoice (CII) as `factur-x.xml` inside, if
    /// they are given. More than [`PRINTED`] legs are left out; so many charges are summed up.
    ///
    /// # Errors
    /// What a user's template asks for in vain; our own refuses nothing.
    pub fn pdf(
        &self,
        document: &Document,
        itemised: Option<&[ItemisedLeg]>,
        e_invoice: Option<&str>,
    ) -> Result<Vec<u8>, FormatError> {
        let itemised = itemised.filter(|legs| legs.len() <= PRINTED);
        let document = &*summed::document(document);
        let mut made = self.draw(document, itemised, e_invoice, Shown::AnyFont);
        if made.is_err() && !self.shelf.user_fonts().is_empty() {
            // A letter of one font with an accent of another: no font has both.
            made = self.draw(document, itemised, e_invoice, Shown::OwnFonts);
        }
        let is_large = itemised.is_some() || document.usage.len() > LARGE;
        comemo::evict(if is_large { 0 } else { REMEMBERED });
        let pdf = made?;
        match e_invoice {
            Some(xml) => hybrid::named(pdf, xml).ok_or_else(|| fail(document, "its metadata were not found".to_owned())),
            None => Ok(pdf),
        }
    }

    fn draw(
        &self,
        document: &Document,
        itemised: Option<&[ItemisedLeg]>,
        e_invoice: Option<&str>,
        shown: Shown,
    ) -> Result<Vec<u8>, FormatError> {
        let data = view::json(document, itemised, e_invoice.is_some(), &self.shelf, shown)
            .map_err(|e| fail(document, format!("its data: {e}")))?;
        let Some((year, month, day)) = issued(&document.issue_date) else {
            let problem = format!("`issue_date` is `{}`; expected YYYY-MM-DD", document.issue_date);
            return Err(fail(document, problem));
        };
        let midnight = Datetime::from_ymd_hms(year, month, day, 0, 0, 0);
        let options = PdfOptions {
            ident: Smart::Custom(ident(&data, e_invoice)),
            creator: Smart::Custom(Some(concat!("trunkrate ", env!("CARGO_PKG_VERSION")).to_owned())),
            timestamp: midnight.map(Timestamp::new_utc),
            standards: self.standards.clone(),
            ..PdfOptions::default()
        };
        let desk = TypstWorld {
            shelf: Arc::clone(&self.shelf),
            data: Bytes::new(data),
            e_invoice: e_invoice.map(|xml| Bytes::from_string(xml.to_owned())),
            today: Datetime::from_ymd(year, month, day),
        };
        let desk = Arc::new(desk);
        let made = self.on_a_thread({
            let desk = Arc::clone(&desk);
            move || {
                let pages = typst::compile(&*desk).output.map_err(|errors| errors.to_vec())?;
                typst_pdf::pdf(&pages, &options).map_err(|errors| errors.to_vec())
            }
        });
        made.map_err(|failed| match failed {
            Failed::Told(errors) => self.told(document, &desk, &errors),
            Failed::Panicked => fail(document, "typst stopped over it, which is a bug".to_owned()),
            Failed::Late => {
                let path = self.shelf.user_template().expect("only a template of a user's own has a limit");
                let seconds = LONGEST.as_secs();
                FileError::new(path, format!("takes more than {seconds} seconds for one document")).hint("does it loop?").into()
            }
        })
    }

    /// Does work on a thread that has nothing else to do, and waits for it.
    fn on_a_thread<T, W>(&self, work: W) -> Result<T, Failed>
    where
        T: Send + 'static,
        W: FnOnce() -> Result<T, Vec<SourceDiagnostic>> + Send + 'static,
    {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = idle().pop();
        let made = || rayon::ThreadPoolBuilder::new().num_threads(1).stack_size(STACK).build();
        let thread = waiting.map_or_else(made, Ok).map_err(|_| Failed::Panicked)?;
        let (sender, receiver) = mpsc::sync_channel(1);
        thread.spawn(move || {
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            // Whoever asked is still there: it waits below.
            let _ = sender.send(done);
        });
        let done = match self.shelf.user_template() {
            None => receiver.recv().map_err(|_| Failed::Panicked)?,
            Some(_) => receiver.recv_timeout(LONGEST).map_err(|e| match e {
                RecvTimeoutError::Timeout => Failed::Late,
                RecvTimeoutError::Disconnected => Failed::Panicked,
            })?,
        };
        idle().push(thread);
        done.map_err(|_| Failed::Panicked)?.map_err(Failed::Told)
    }

    /// The first error of typst: of the user's template, with its line, or of the document.
    fn told(&self, document: &Document, desk: &TypstWorld, errors: &[SourceDiagnostic]) -> FormatError {
        let Some(error) = errors.first() else { return fail(document, "typst gave no reason".to_owned()) };
        let hints = error.hints.iter().map(|hint| hint.v.as_str()).collect::<Vec<_>>().join("; ");
        let Some(path) = self.shelf.user_template() else {
            let hints = if hints.is_empty() { hints } else { format!(" ({hints})") };
            return fail(document, format!("{}{hints}", error.message));
        };
        let at = error.span.id().filter(|id| *id == self.shelf.template()).and_then(|id| {
            let start = desk.range(error.span)?.start;
            Some(desk.source(id).ok()?.text().get(..start)?.matches('\n').count() as u64 + 1)
        });
        let mut told = FileError::new(path, error.message.as_str());
        told.line = at;
        told.hint = (!hints.is_empty()).then_some(hints);
        told.into()
    }
}

fn fail(document: &Document, problem: String) -> FormatError {
    let name = document.number.as_ref().unwrap_or(&document.buyer.account_sid);
    FormatError::Document { document: name.clone(), format: "PDF", problem }
}

/// What a file is known by: a hash of what it shows and holds.
fn ident(data: &[u8], e_invoice: Option<&str>) -> String {
    let mut hash = blake3::Hasher::new();
    hash.update(data);
    hash.update(&[u8::from(e_invoice.is_some())]);
    hash.update(e_invoice.unwrap_or_default().as_bytes());
    hash.finalize().to_hex().to_string()
}

/// Year, month and day of `YYYY-MM-DD`.
fn issued(date: &str) -> Option<(i32, u8, u8)> {
    let mut parts = date.splitn(3, '-');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}
