//! Finding calls: by id, by family, by number and time, by SQL.
//!
//! | file | what it does |
//! |---|---|
//! | [`ids`] | 16 bytes per id, sorted; beside them fingerprint, price, day and row; and each root's children |
//! | [`lookup`] | the questions of a run: its ids, and suspended and written-off records that it meets again |
//! | [`earlier`] | tonight's ids and parents that an earlier run has |
//! | [`find`] | one call with its legs; families |
//! | [`prefix`] | ids by their beginning |
//! | [`account_names`] | accounts by id, by the beginning of one, or by name |
//! | [`search`], [`unbooked`] | calls by their parties, their time and what they cost; waiting and ignored ones among them |
//! | [`superseded`] | versions of calls that count no more |
//! | [`ignored`] | which runs have ignored calls that a search may want |
//! | [`letter_cases`] | ids that differ in letter case or in a spreadsheet's marks alone |
//! | [`volumes`] | 32 runs in three files: made, asked for ids, proved |
//! | [`catalog`] | `catalog.sqlite`, a function of the manifests |
//!
//! **Invariant:** an index adds nothing to the runs; it is hashed before it is trusted.

pub mod account_names;
pub mod catalog;
pub mod earlier;
pub mod find;
pub mod ids;
pub mod ignored;
pub mod letter_cases;
pub mod lookup;
pub mod prefix;
pub mod search;
pub mod superseded;
pub mod unbooked;
pub mod volumes;
