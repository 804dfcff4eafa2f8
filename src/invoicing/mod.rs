//! Invoicing: from booked legs to numbered invoices.
//!
//! ```text
//! legs that no invoice bills ──drafts──▶ documents ──check──▶ what stands against them ──issue──▶ a batch in the ledger
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | [`drafts`] | the documents that would be issued now, without numbers |
//! | [`customers`] | the accounts that may be billed, and their details on an invoice |
//! | [`given`] | terms, accounts and monthly charges |
//! | [`issue`] | numbers: a batch of invoices, a credit note |
//! | [`credit_part`] | credit notes of a part of an invoice |
//! | [`error`] | the reasons why nothing can be issued |
//! | [`check`] | the objections to issuing a month |
//! | [`survey`] | both of a month: what stands against it, and what would be issued |
//!
//! **Invariant:** a leg is on at most one invoice that is not credited, and a number is given once.

pub mod check;
pub mod credit_part;
pub mod customers;
pub mod drafts;
pub mod error;
pub mod given;
pub mod issue;
pub mod survey;
