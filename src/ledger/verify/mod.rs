//! The proof of a ledger, from its stored files alone.
//!
//! ```text
//! history   the chain of runs and undos
//! catalog   every bit of it
//! per run   every file and its hash · the archive · the balance of records, seconds and suspense
//! per part  every leg recomputed from its call and the archived deck, by crate::audit
//! over all  every id once · suspense carried from run to run · records read = records ended
//! invoices  every document and its hash · its sums · its legs, each on one invoice in force
//! ```
//!
//! | file | what it proves |
//! |---|---|
//! | `proof` | the order of the statements; the balance, suspense and ignored records |
//! | `files` | every file and its hash; the archive |
//! | `part`, `legs` | a run's calls of one day, and every leg of them recomputed |
//! | `ids` | every id once, and children under their roots |
//! | `replaced` | booked versions whose place others took, taken back to the last decimal |
//! | `rerated` | calls that were rated again, each in the place of the version before |
//! | `credits` | credit notes of a part of an invoice: never more than it |
//! | `invoices` | documents, and the legs that they bill |
//!
//! **Invariant:** nothing here asks the kernel for the price of a call. The parts of a run are
//! proved in parallel; the first error by place is reported, whatever the threads.

pub(crate) mod credits;
pub(crate) mod files;
pub(crate) mod ids;
pub(crate) mod invoices;
pub(crate) mod legs;
pub(crate) mod part;
mod proof;
pub(crate) mod replaced;
pub(crate) mod rerated;

pub(crate) use files::is_as_used;
pub use proof::{Proof, prove};
