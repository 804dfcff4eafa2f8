//! A run: from the files that a user names to a settled night, and from there to the ledger.
//!
//! | file | what it does |
//! |---|---|
//! | [`run`] | loads, settles partition by partition, adds up, books |
//! | [`book`] | counts and sums held against each other, the manifest, the rename |
//! | `suspense` | suspended records, kept until they are written |
//! | [`left`] | suspended records that a run leaves as they are, or writes off |
//! | `ignored` | calls that belong to no trunk |
//! | `detail` | the detail of a suspended record |
//! | `suspense_parts` | the partitions of the suspended rows |
//! | [`evidence`] | the record that a booked call was made of, found again |
//! | [`import`] | a night that Spark rated, rated again and booked |
//! | [`changes`] | the changes of decks, trunks and accounts since the last run |
//! | [`replace`] | a waiting version of a call in place of the booked one |
//! | [`rerate`] | booked calls of a period rated again by other decks |
//! | [`noted`], [`odd_prices`] | the notes of a run on stderr about booked calls |
//!
//! **Invariant:** unless every record that came in has an end, nothing is booked.

pub mod book;
pub mod changes;
mod detail;
pub mod evidence;
pub(crate) mod ignored;
pub mod import;
pub mod left;
pub mod noted;
pub mod odd_prices;
pub mod replace;
pub mod rerate;
pub mod run;
pub(crate) mod suspense;
mod suspense_parts;
