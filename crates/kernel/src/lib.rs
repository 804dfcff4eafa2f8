//! The rules of trunkrate: from the fields of a record to the legs that are billed for it, and why.
//!
//! ```text
//! Fields ─record─▶ Record ─call─▶ Calls ─family─▶ Families ─night─▶ Booked, or a Reason
//!                                                   ▲ scenario, table: the published page
//!                                                   ▲ deck: which row prices a leg · money: what it comes to
//! ```
//!
//! | what | where |
//! |---|---|
//! | the published table, and the scenarios that are its rows | [`table`], [`scenario`] |
//! | records: fields, words, times, ids, parties, targets | [`record`], [`columns`], [`words`], [`time`], [`sid`], [`status`], [`party`], [`party_ref`], [`target`] |
//! | a night's records as columns, and as families | [`call`], [`family`] |
//! | prices | [`deck`], [`repriced`], [`trunk`] |
//! | legs, amounts, the ends of records | [`rating`], [`money`], [`night`], [`booked`], [`packed`] |
//! | why a record is suspended, and the way out | [`reject`], [`detail`], [`advice`], [`explain`], [`resemble`] |
//! | choices of the biller, and times set by hand | [`policy`], [`set_times`] |
//! | the columns of a ledger's tables, and what each holds | [`ledger_columns`], [`meanings`] |
//! | clock of a night, names of time zones, local times | [`clock`], [`zones`], [`time::local`] |
//! | numbers as people write them | [`dialled`] |
//! | texts from outside, masked digits | [`text`], [`mask`] |
//! | tools: interner, trie, radix sort, checked conversions | [`intern`], [`trie`], [`radix_sort`], [`fit`] |
//!
//! **Invariants:** no file, no clock, no environment, no thread, no polars: only arguments exist.
//! The same arguments give the same result on any machine. No money comes out of a float, and no
//! sum wraps.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "a test that gets a default fails"))]

pub mod advice;
pub mod booked;
pub mod call;
pub mod clock;
pub mod columns;
pub mod deck;
pub mod detail;
pub mod dialled;
pub mod explain;
pub mod family;
pub mod fit;
pub mod intern;
pub mod ledger_columns;
pub mod mask;
pub mod meanings;
pub mod money;
pub mod night;
pub mod packed;
pub mod party;
pub mod party_ref;
pub mod policy;
pub mod radix_sort;
pub mod rating;
pub mod record;
pub mod reject;
pub mod repriced;
pub mod resemble;
pub mod scenario;
pub mod set_times;
pub mod sid;
pub mod status;
pub mod table;
pub mod target;
pub mod text;
pub mod time;
pub mod trie;
pub mod trunk;
pub mod words;
pub mod zones;
