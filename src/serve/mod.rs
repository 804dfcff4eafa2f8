//! The console: a ledger as pages and as JSON, over HTTP on this machine.
//!
//! ```text
//! listen ─▶ http ─▶ guard ─▶ router ─▶ views, api ─▶ books ─▶ job, report, render, ledger
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | [`listen`] | connections, within limits of number and time |
//! | [`http`], [`query`] | heads of requests, answers; escapes |
//! | [`guard`] | host, origin, token, a proxy that says who asks |
//! | [`router`] | addresses, and what answers them |
//! | [`answered`] | answers that were given before on the same state |
//! | [`asked`] | a request with the state that it is answered from |
//! | [`books`], [`kept`] | one state of the ledger a request; what is computed once for a state |
//! | [`waits`], [`months`] | what waits with its causes; a month before it is issued |
//! | [`page`], [`context`], [`drawing`] | templates in a frame, and what they are given; the drawing of a family |
//! | [`views`], [`api`] | the pages; the same as JSON |
//! | [`setting`], [`problem`] | what it is started with; what goes wrong |
//!
//! **Invariants.** It only reads, but for the line of each look at customers' calls
//! ([`crate::ledger::looks`]), and takes no lock: no run, undo or issue waits for it. A request
//! sees one state of the ledger. No part of a request is a part of a file's path. Pages need no
//! script, and ask for nothing elsewhere.

pub mod answered;
pub mod api;
pub mod asked;
pub mod books;
pub mod context;
pub mod drawing;
pub mod guard;
pub mod http;
pub mod kept;
pub mod listen;
pub mod months;
pub mod page;
pub mod problem;
pub mod query;
pub mod router;
pub mod setting;
pub mod views;
pub mod waits;
