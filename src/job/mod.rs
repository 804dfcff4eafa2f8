//! A run: from the files that a user names to a settled night, and from there to the books.
//!
//! | file | what it does |
//! |---|---|
//! | [`run`] | loads, settles partition by partition, adds up, books |
//! | `suspense` | what is kept of suspended records until they are written |
//! | `ignored` | calls that are no trunk's |
//! | `detail` | what is said of a record that waits |
//! | `suspense_parts` | where suspended rows wait until then |
//! | [`import`] | a night that Spark rated, rated again and booked |
//! | [`changes`] | what a run is rated with, beside the run before |
//! | [`noted`], [`odd_prices`] | what a run says on stderr of what it books |
//!
//! **Invariant:** if the records that came in are not those that ended, nothing is booked.

pub mod changes;
mod detail;
pub(crate) mod ignored;
pub mod import;
pub mod noted;
pub mod odd_prices;
pub mod run;
pub(crate) mod suspense;
mod suspense_parts;
