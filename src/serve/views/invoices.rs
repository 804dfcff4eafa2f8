//! `/invoices/{number}`: an issued document as its page; `.pdf`, `.json` and `.xml` (UBL) beside
//! it.

use crate::document::Document;
use crate::ledger::LedgerError;
use crate::ledger::batch::{self, Batch, Entry};
use crate::render::html::Pages;
use crate::render::pdf::Printer;
use crate::render::{einvoice, json};
use crate::serve::asked::{ConsoleRequest, ShownSum, customer_address};
use crate::serve::context::context;
use crate::serve::http::HttpAnswer;
use crate::serve::problem::RequestProblem;
use crate::serve::query::encoded;
use minijinja::Value;
use std::sync::{Mutex, PoisonError};

/// The state of a document, as `invoice list` names it.
#[must_use]
pub fn state(asked: &ConsoleRequest<'_>, batch: &Batch, entry: &Entry) -> &'static str {
    let issued = &asked.snapshot.history.issued;
    let credit = batch::credit_of(issued, &entry.number);
    let credits = || batch::credits_of(issued, &entry.number);
    match (&entry.corrects, credit) {
        (Some(_), _) => "credit-note",
        (None, Some(_)) => "credited",
        (None, None) if credits().next().is_some() => "credited-in-part",
        (None, None) if batch.manifest.supplementary => "supplementary",
        (None, None) => "issued",
    }
}

/// A document in a list.
#[must_use]
pub fn line(asked: &ConsoleRequest<'_>, batch: &Batch, entry: &Entry) -> Value {
    let sign = if entry.corrects.is_some() { "-" } else { "" };
    let sum =
        ShownSum { amount: format!("{sign}{}", entry.total), currency: entry.currency.clone() };
    let href = format!("/invoices/{}", encoded(&entry.number));
    context! {
        number => entry.number, href,
        state => state(asked, batch, entry),
        date => batch.manifest.date, period => batch.manifest.period,
        account => asked.name(&entry.account_sid),
        account_href => customer_address(&entry.account_sid),
        sum,
    }
}

/// A document, as it was issued.
///
/// # Errors
/// If there is none of that number, or it is not as it was issued.
fn document_of(asked: &ConsoleRequest<'_>, number: &str) -> Result<Document, RequestProblem> {
    let issued = &asked.snapshot.history.issued;
    let none =
        || RequestProblem::none(format!("no invoice or credit note has the number {number}"));
    let (batch, entry) = batch::find(issued, number).ok_or_else(none)?;
    asked.looked([entry.account_sid.as_str()], 1);
    let mut found = None;
    batch.each_document(
        |entry| entry.number == number,
        |_, document| {
            found = Some(document);
            Ok::<_, LedgerError>(())
        },
    )?;
    found.ok_or_else(none)
}

/// The document: as a page, or in the format that its ending names.
///
/// # Errors
/// If there is none of that number, or it cannot be drawn.
pub fn document(asked: &ConsoleRequest<'_>, name: &str) -> Result<HttpAnswer, RequestProblem> {
    asked.query.only(&[]).map_err(|why| RequestProblem::new(400, why))?;
    let (number, ending) = match name.rsplit_once('.') {
        Some((number, ending @ ("json" | "pdf" | "xml"))) => (number, ending),
        _ => (name, "html"),
    };
    let document = document_of(asked, number)?;
    let fail = |error: crate::render::FormatError| RequestProblem::new(422, error.to_string());
    let answer = match ending {
        "json" => HttpAnswer::new(200, "application/json", json::document(&document)),
        "xml" => {
            let xml = einvoice::ubl(&document).map_err(fail)?;
            HttpAnswer::new(200, "application/xml; charset=utf-8", xml)
        }
        "pdf" => {
            let name = format!("inline; filename=\"{}.pdf\"", file_name(number));
            let pdf = printed(&document)?;
            HttpAnswer::new(200, "application/pdf", pdf).with("Content-Disposition", name)
        }
        _ => {
            let html = Pages::new(None)?.html(&document, None).map_err(fail)?;
            HttpAnswer { is_document: true, ..HttpAnswer::page(200, html) }
        }
    };
    Ok(HttpAnswer { tag: asked.tag(), ..answer })
}

/// One PDF is drawn at a time: fonts and a layout take some 100 MiB while it is.
static PRINTS: Mutex<()> = Mutex::new(());

/// The document as PDF, without its calls one by one; with the e-invoice in it, if its details
/// suffice for one.
fn printed(document: &Document) -> Result<Vec<u8>, RequestProblem> {
    let fail = |error: crate::render::FormatError| RequestProblem::new(422, error.to_string());
    let e_invoice = einvoice::lacks(document).is_empty();
    let e_invoice = e_invoice.then(|| einvoice::cii(document)).transpose().map_err(fail)?;
    let _one = PRINTS.lock().unwrap_or_else(PoisonError::into_inner);
    let printer = Printer::new(None, None)?;
    let pdf = printer.pdf(document, None, e_invoice.as_deref()).map_err(fail)?;
    comemo::evict(0);
    Ok(pdf)
}

/// A number as a file's name: letters, digits, `-` and `_` stay.
fn file_name(number: &str) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '-' };
    number.chars().map(kept).collect()
}
