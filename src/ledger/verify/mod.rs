//! The proof of a ledger, from its stored files alone.
//!
//! ```text
//! history   the chain of runs and undos
//! catalog   every bit of it
//! per run   every file and its hash · the archive · the balance of records, seconds and suspense
//! per part  every leg recomputed from its call and the archived deck, by crate::audit
//! over all  every id once · suspense goes on from run to run · what was read is what ended somewhere
//! invoices  every document and its hash · its sums · its lines are its legs, each leg on one that stands
//! ```
//!
//! **Invariant:** nothing here asks the kernel what a call costs. The parts of a run are proved side by side; what is
//! reported first is the first by place, whatever the threads.

pub(crate) mod files;
pub(crate) mod ids;
pub(crate) mod invoices;
pub(crate) mod legs;
pub(crate) mod part;
mod proof;

pub use proof::{Proof, prove};
