//! Stored tables: the names, types and order of their columns, the pages that they are written in,
//! and the rows read back.
//!
//! | file | what it does |
//! |---|---|
//! | `amounts` | the amounts of a row group, added up from its pages |
//! | [`columns`] | every column of every table, once |
//! | [`frame`] | polars frames, column by column |
//! | [`log_row`] | a row of the call log, typed |
//! | [`needles`], [`text_pages`] | digits searched in pages, before any row is decoded; the rows that have them |
//! | `gather` | some rows of a row group, gathered from its pages |
//! | [`late_price`] | prices that came after their call was booked |
//! | [`pages`] | Parquet pages for columns whose dictionary is already known |
//! | [`stored`] | typed rows of a stored file: no value is made up |
//! | [`mod@file`] | files checked by their hash first, read by footer, row group and column |
//! | [`places`] | some of the suspended records, by their places |
//! | [`read`] | the queries of the outputs |
//! | `typed` | rows as structs, whose fields are columns of a table |
//! | [`suspense`] | suspended, ignored and closed records |
//! | [`waits`] | suspended records as a run takes them up again |
//!
//! **Invariant:** a table has the columns of [`columns`], in their order; a file is checked by its
//! hash before it is read.

mod amounts;
pub mod columns;
pub mod file;
pub mod frame;
mod gather;
pub mod late_price;
pub mod log_row;
pub mod needles;
pub mod pages;
pub mod places;
pub mod read;
pub mod stored;
pub mod suspense;
pub mod text_pages;
pub(crate) mod typed;
pub mod waits;
