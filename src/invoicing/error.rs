//! The reasons why nothing can be issued.

use crate::document::build::BuildError;
use crate::inputs::file::FileError;
use crate::ledger::LedgerError;

/// The last day to credit an invoice, in days after it. Numbers follow dates, so a wrong year would
/// lock the series.
pub const LATEST_CREDIT: u32 = 1_100;

/// The reasons why nothing can be issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A document that cannot be made.
    #[error("account {account}: {error}")]
    Build {
        /// The account.
        account: String,
        /// The reason.
        error: BuildError,
    },
    /// An earlier period that was never issued.
    #[error("account {account} has {legs} legs of {month} in {currency}, which was never issued")]
    Earlier {
        /// The account.
        account: String,
        /// The currency.
        currency: String,
        /// The period.
        month: String,
        /// The number of legs.
        legs: u64,
    },
    /// An invoice dated before the credit note that released its legs or charges.
    #[error(
        "account {account}: the date {date} is before {credited_on}, the date of {note}, \
         which let go what this invoice would bill in {currency}"
    )]
    BeforeCredit {
        /// The account.
        account: String,
        /// The currency.
        currency: String,
        /// The invoice's date.
        date: String,
        /// The credit note's number.
        note: String,
        /// Its date.
        credited_on: String,
    },
    /// A date earlier than the last one of the seller's series.
    #[error("--date: {0}")]
    Series(String),
    /// A number that another seller has already used.
    #[error("the number {number} is given already, by seller {seller}")]
    Taken {
        /// The number.
        number: String,
        /// The seller who used it.
        seller: String,
    },
    /// A number that no document has.
    #[error("there is no invoice or credit note {0}")]
    Unknown(String),
    /// A credit note, which cannot be credited.
    #[error("{number} is a credit note itself: it credits {corrects}")]
    IsCredit {
        /// The credit note.
        number: String,
        /// The invoice that it credits.
        corrects: String,
    },
    /// An invoice that is credited already.
    #[error("{number} is credited already, by {by}")]
    Credited {
        /// The invoice.
        number: String,
        /// The credit note.
        by: String,
    },
    /// An invoice of which a part is credited, and which is to be credited whole.
    #[error("{number} is credited in part already, by {by}")]
    CreditedInPart {
        /// The invoice.
        number: String,
        /// The credit note.
        by: String,
    },
    /// A part of an invoice that cannot be credited.
    #[error("{problem}")]
    Part {
        /// The problem.
        problem: String,
        /// What to do.
        hint: String,
    },
    /// A credit note before its invoice.
    #[error("--date {date} is before {issued_on}, the date of {number}")]
    BeforeInvoice {
        /// The credit note's date.
        date: String,
        /// The invoice's date.
        issued_on: String,
        /// The invoice.
        number: String,
    },
    /// A credit note years after its invoice.
    #[error(
        "--date {date} is more than {LATEST_CREDIT} days after {issued_on}, the date of {number}"
    )]
    LateCredit {
        /// The credit note's date.
        date: String,
        /// The invoice's date.
        issued_on: String,
        /// The invoice.
        number: String,
    },
    /// A seller whose details on an invoice would be incomplete.
    #[error("{config}: [seller] lacks {missing}")]
    Seller {
        /// The project's file.
        config: String,
        /// The missing keys.
        missing: String,
    },
    /// A project that does not set the default tax of accounts.
    #[error("{0}: [invoice] lacks tax_category")]
    TaxCategory(String),
    /// An account that no call, list or invoice knows.
    #[error("--account {0}: no call of it is there, no list names it, and it was never billed")]
    Account(String),
}
