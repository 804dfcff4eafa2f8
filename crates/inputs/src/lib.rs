//! Text to values: reads a user's files, checks each line, and gives the file and the line in every
//! error.
//!
//! | file | contents |
//! |---|---|
//! | [`calls_csv`], [`calls_json`] | call records, as text |
//! | [`record_text`] | the text of one record, kept to be read again |
//! | [`decks`] | `rates/`: price lists, into [`trunkrate_kernel::deck::Deck`] |
//! | [`accounts`], [`trunks`] | the two lists beside the calls |
//! | `header` | the first line of a table: its delimiter and its names |
//! | [`sheet`] | lists under a header, as spreadsheets write them |
//! | [`settings`] | `[policy]`, `[input]` and `[money]` of `trunkrate.toml` |
//! | [`given`] | all of it together: the inputs of a run |
//! | [`mod@file`] | [`file::FileError`]: file, line, problem, remedy |
//!
//! **Invariant:** nothing here knows the engine: no thread, no polars, no ledger.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "a test that gets a default fails"))]

pub mod accounts;
pub mod calls_csv;
pub mod calls_json;
pub mod decks;
pub mod file;
pub mod given;
pub(crate) mod header;
pub mod record_text;
pub mod settings;
pub mod sheet;
pub mod trunks;
