//! Finding what is booked: by id, by family, by SQL.
//!
//! | file | what it does |
//! |---|---|
//! | [`ids`] | 16 bytes per id, sorted; beside them fingerprint, price, day and row; and each root's children |
//! | [`earlier`] | which of tonight's ids an earlier run has, and who tonight's parents are |
//! | [`find`] | one call with its legs and family |
//! | [`letter_cases`] | ids that differ in letter case or in a spreadsheet's marks alone |
//! | [`catalog`] | `catalog.sqlite`, a function of the manifests |
//!
//! **Invariant:** an index says nothing that the runs do not say; what it says is hashed before it is believed.

pub mod catalog;
pub mod earlier;
pub mod find;
pub mod ids;
pub mod letter_cases;
