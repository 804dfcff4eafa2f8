//! Call files: found, read, decompressed, cut into records, and parsed into [`crate::call::Calls`].
//!
//! ```text
//! source ──▶ reader ──▶ inputs::calls_csv  ─┐
//!  paths,     blocks,   inputs::calls_json  ├──▶ Record ──▶ Calls ──▶ partition
//!  hashes     threads   calls_parquet      ─┘
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | [`source`] | call files: found, opened, decompressed, hashed, watched for change |
//! | [`reader`] | the pipeline: one thread reads, the others parse |
//! | [`calls_parquet`] | the one format that polars reads; CSV and JSON are [`crate::inputs`] |
//! | `paged_rows`, `paged_texts` | Parquet calls whose columns are all text, page by page |
//! | `page_counts` | Parquet pages, checked against their footer before polars sees them |
//! | `text_again` | the text of a suspended record, read again from its file |
//! | [`find`] | the records of one call, found again in a call file |
//! | [`sample`] | the beginning of a file, for `init` |
//!
//! **Invariant:** records are in the order of files and lines, whatever the threads; a record that
//! cannot be read is suspended, and a file that cannot be read whole is an error.

pub mod call_rows;
pub mod calls_parquet;
pub mod find;
pub(crate) mod page_counts;
mod paged_rows;
mod paged_texts;
pub mod reader;
pub mod sample;
pub mod source;
pub(crate) mod text_again;
