//! Documents as PDF: drawn by typst, as PDF/A-3 for archives, tagged for screen readers, with the
//! e-invoice attached.
//!
//! ```text
//! view       a document's values as invoice.json; legs: itemised calls in it
//! world      all that a template may see
//! hybrid     what a reader of hybrid invoices (Factur-X, ZUGFeRD) looks for in the file's metadata
//! ```
//!
//! Besides these, `column` aligns decimal points, and `summed` replaces too many charges by a line
//! per tax group.
//!
//! **Invariant:** the same document and template give the same bytes, on any thread: the file's
//! date is the day of issue and its id a hash of its content. The template reads data as JSON; data
//! is never code.
//!
//! # Why a document has a thread of its own
//! typst spreads its work over rayon's pool. If a document were itself a job of that pool, its
//! thread would start another document while it waits for a part of the first, and so on, until the
//! stack overflows. So each document goes to a pool with one thread, and the caller waits without
//! running other jobs.
//!
//! # Why one printer for many documents
//! Fonts, library and parsed templates are made once. typst caches its layouts; entries that the
//! last few documents did not use are evicted, so that memory stays flat over a month's invoices.

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

/// The age, in documents, at which unused entries of typst's cache are evicted. Measured: a larger
/// age saves no time.
const REMEMBERED: usize = 4;

/// The number of lines above which typst's cache is emptied right after a document.
const LARGE: usize = 500;
/// The stack of a drawing thread; nested content recurses deeply.
const STACK: usize = 16 << 20;

/// The time limit of a user's own template per document. A running layout cannot be stopped from
/// outside, so the command ends.
const LONGEST: Duration = Duration::from_mins(5);

/// Draws documents; one instance serves all of them, on any thread.
pub struct Printer {
    shelf: Arc<Shelf>,
    standards: PdfStandards,
    /// The idle drawing threads. There are as many threads as ever drew at once.
    idle: Mutex<Vec<rayon::ThreadPool>>,
}

/// The reason why typst gave no file.
enum Failed {
    /// The errors that typst reported.
    Told(Vec<SourceDiagnostic>),
    /// A panic, which is a bug in typst.
    Panicked,
    /// The time limit was exceeded.
    Late,
}

impl Printer {
    /// A printer with our own template and fonts.
    ///
    /// `templates` is a folder that may hold `invoice.typ`, which then replaces our own, and the
    /// files that it imports or shows. `logo.svg`, `logo.png` or `logo.jpg` is shown at the head of
    /// the page with our own template, too. `fonts` is a folder of TrueType and OpenType fonts,
    /// used for characters that ours do not have.
    ///
    /// # Errors
    /// A folder or file that cannot be read, a file that is not a font, or a name that the program
    /// uses itself.
    pub fn new(templates: Option<&Path>, fonts: Option<&Path>) -> Result<Self, FileError> {
        let standards = PdfStandards::new(&[PdfStandard::A_3a, PdfStandard::Ua_1])
            .expect("the two go together");
        Ok(Self {
            shelf: Arc::new(Shelf::new(templates, fonts)?),
            standards,
            idle: Mutex::default(),
        })
    }

    /// The document as PDF/A-3, with its itemised legs as an appendix and the e-invoice (CII) as
    /// `factur-x.xml` inside, if they are given. With more than [`PRINTED`] legs the appendix is
    /// left out; more charges than that are summed by tax group.
    ///
    /// # Errors
    /// An error in a user's template; our own template refuses no document.
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
            // Retried: a letter of one font with an accent of another fails, since no font has
            // both.
            made = self.draw(document, itemised, e_invoice, Shown::OwnFonts);
        }
        let is_large = itemised.is_some() || document.usage.len() > LARGE;
        comemo::evict(if is_large { 0 } else { REMEMBERED });
        let pdf = made?;
        match e_invoice {
            Some(xml) => hybrid::named(pdf, xml)
                .ok_or_else(|| fail(document, "its metadata were not found".to_owned())),
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
            creator: Smart::Custom(Some(
                concat!("trunkrate ", env!("CARGO_PKG_VERSION")).to_owned(),
            )),
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
                let path = self
                    .shelf
                    .user_template()
                    .expect("only a template of a user's own has a limit");
                let seconds = LONGEST.as_secs();
                FileError::new(path, format!("takes more than {seconds} seconds for one document"))
                    .hint("does it loop?")
                    .into()
            }
        })
    }

    /// Runs work on an otherwise idle thread, and waits for it.
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
            // The receiver waits below; after a timeout it is gone, and the result is dropped.
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

    /// The first error of typst: in the user's template, with its line, or in the document.
    fn told(
        &self,
        document: &Document,
        desk: &TypstWorld,
        errors: &[SourceDiagnostic],
    ) -> FormatError {
        let Some(error) = errors.first() else {
            return fail(document, "typst gave no reason".to_owned());
        };
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

/// The id of a file: a hash of its data and its attachment.
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
