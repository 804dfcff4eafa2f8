//! From booked legs to numbered invoices.
//!
//! ```text
//! legs that no invoice bills ──drafts──▶ documents ──check──▶ what stands against them ──issue──▶ a batch in the ledger
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | [`drafts`] | what would be issued now, but for the numbers |
//! | [`customers`] | who may be billed, and what an invoice must say of them |
//! | [`given`] | terms, accounts and monthly charges |
//! | [`issue`] | numbers: a batch of invoices, a credit note |
//! | [`error`] | why nothing can be issued |
//! | [`check`] | what stands against issuing a month |
//!
//! **Invariant:** a leg is on at most one invoice that is not credited, and a number is given once.

pub mod check;
pub mod customers;
pub mod drafts;
pub mod error;
pub mod given;
pub mod issue;
