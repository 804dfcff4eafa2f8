//! Documents in every format. Each prints the values of the [`Document`] and computes no other.
//!
//! | format | for whom | where |
//! |---|---|---|
//! | JSON | programs; with a JSON Schema | [`json`] |
//! | CSV | spreadsheets | [`csv`] |
//! | HTML | people, on a screen or on paper | [`html`] |
//! | PDF | people, and their archives | [`pdf`] |
//! | UBL and CII | programs of the buyer, by EN 16931 | [`einvoice`] |
//! | journal entries | bookkeeping with hledger or beancount | [`journal`] |
//!
//! The report of a run is no document, but goes the way of their pages: [`report`].
//!
//! [`Document`]: crate::document::Document

#![allow(clippy::disallowed_methods, reason = "what is not there is shown as nothing")]

pub mod charts;
pub mod csv;
pub mod einvoice;
pub mod html;
pub mod journal;
pub mod json;
pub mod pdf;
pub mod report;

use crate::inputs::file::FileError;

/// Why a document cannot be drawn in a format.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// A template or another file that the user gave.
    #[error(transparent)]
    File(#[from] FileError),
    /// Something that the format needs and the document does not have, or cannot hold.
    #[error("{document} as {format}: {problem}")]
    Document {
        /// The document's number, or its account for a draft.
        document: String,
        /// The format.
        format: &'static str,
        /// What was found, what was expected, what to do.
        problem: String,
    },
}
