//! Writes Parquet pages for columns whose dictionary is already known.
//!
//! polars' writer takes columns of text and hashes every value to find the ones that repeat. The
//! filler of a table knows that already: accounts, trunks, decks and rates have numbers, and ids of
//! calls never repeat. So each kind of column has a function that encodes it directly, and
//! [`Writer`] puts the columns into a file. polars reads the same columns of the same types from it
//! as from its own writer's files.
//!
//! **Invariant:** the same values give the same bytes, on any thread, in any order of encoding.
//!
//! | file | what it does |
//! |---|---|
//! | [`mod@schema`] | the columns of a table |
//! | [`writer`] | columns as pages, and pages as a file |
//! | [`mod@sids`] | ids of calls, which never repeat |
//! | `encode` | Parquet's encodings |
//! | `frames` | zstd frames made by hand where the values allow it |
//! | `scratch` | memory that a thread keeps from one page to the next |

pub(crate) mod encode;
pub(crate) mod frames;
pub mod schema;
pub(crate) mod scratch;
pub mod sids;
#[cfg(test)]
pub(crate) mod tests;
pub mod writer;

pub use schema::{NONE, TableSchema, schema};
pub use sids::{SidColumn, sids};
pub use writer::{
    Encoded, Ids, TextColumn, Writer, constant_text, dictionary, integer_dictionary, integers,
    optional_integers, texts,
};
