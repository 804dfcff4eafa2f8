//! Documents in every format. Each format prints the values of the [`Document`] and computes none
//! of its own.
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
//! The report of a run and the page of one call are no documents, but are drawn the same way as
//! their HTML pages: [`report`], [`call`]. The state of the nights is
//! `OpenMetrics` text in [`metrics`]. The bar charts of both are drawn by [`charts`].
//!
//! [`Document`]: crate::document::Document

#![allow(clippy::disallowed_methods, reason = "what is not there is shown as nothing")]

pub mod call;
pub mod charts;
pub mod csv;
pub mod einvoice;
pub mod html;
pub mod journal;
pub mod json;
pub mod metrics;
pub mod pdf;
pub mod report;

use crate::inputs::file::FileError;

/// The reason why a document cannot be drawn in a format.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// A problem with a template or another file of the user.
    #[error(transparent)]
    File(#[from] FileError),
    /// A value that the format needs and the document lacks, or that the format cannot hold.
    #[error("{document} as {format}: {problem}")]
    Document {
        /// The document's number, or its account for a draft.
        document: String,
        /// The format.
        format: &'static str,
        /// The value found, the value expected, and the remedy.
        problem: String,
    },
}
