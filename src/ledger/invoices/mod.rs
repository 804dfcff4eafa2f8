//! Invoices and credit notes in the ledger: kept, numbered, published; and the document that bills
//! a leg.
//!
//! | file | what it does |
//! |---|---|
//! | [`publish`] | a batch by one rename, like a run |
//! | [`legs`] | the legs that documents bill, read from the runs |
//! | [`lines`] | the legs of an issued document, line by line |
//! | [`billed_by`] | which document bills a leg, and which released it |
//!
//! The manifest of a batch is [`crate::ledger::batch`].
//!
//! **Invariant:** a leg is on at most one invoice in force: until a credit note releases its legs
//! to be billed again.

pub mod billed_by;
pub mod legs;
pub mod lines;
pub mod publish;
