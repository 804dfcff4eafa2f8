//! trunkrate rates and bills the calls of a SIP trunk that supports call transfer (SIP REFER), and explains every cent.
//!
//! A transferred call is two records, the *parent* and a *child*. The carrier publishes which legs are billed for each
//! and how the log shows them: a table of four scenarios. Everything before that table finds the scenario of a call,
//! everything after it multiplies and adds.
//!
//! # The pipeline
//!
//! ```text
//!  call files ─▶ io::calls ─▶ io::families ─▶ Calls ─▶ family::join ─▶ night::settle ─▶ Booked ─▶ io::ledger
//!                columns      dealt out to    (call)   versions,       scenario, deck   (packed) legs, log, ids,
//!                             parts                    parents, chains rows, reasons    by start suspense
//!
//!  rates/ ─▶ io::decks ─▶ Deck ───────────────────────────────────────────┘
//!  BILLING_TABLE (table) ──────────────────────────────────────────────────┘
//! ```
//!
//! A night is dealt out so that a family is never apart; each part is joined and settled by itself, and what is booked goes
//! by start to pieces, which are sorted and written. What does not fit in memory ([`io::parts::Memory`]) waits on disk.
//!
//! # The data
//!
//! ```text
//! Calls                          records as columns, about 80 bytes each        call
//! ├── Record, Fields             one record, from text to typed                 record
//! ├── Party, Number              who: a number, a SIP endpoint, unknown         party
//! └── Asked → Target             where a transfer goes                          target
//! Families                       versions, links, levels                        family
//! Booked                         what legs and log are made from, as bytes      packed
//! TransferScenario → BillingRow  the published table                            scenario, table
//! Deck → Hit → Rate              which row prices a leg                         deck
//! Price, Amount, Total           exact integers                                 money
//! Night, Tally                   where every record ends                        night
//! Reason                         why one cannot be billed now                   reject
//! Usage → Document               legs added up; an invoice or credit note       usage, document
//! Report                         a run as one reads it in the morning           report
//! Plan                           what a night of so many calls takes            plan
//! ```
//!
//! # Invariants
//!
//! 1. **No record is lost.** `read + retried = rated + free + duplicate + ignored + suspended + closed`, in records and in
//!    seconds (closed is what people wrote off), or the run fails before anything is booked ([`night::Tally::conserves`]).
//! 2. **No money comes out of a float.** Prices are parsed exactly, amounts are integers at a fixed scale, overflow is an
//!    error. There are three roundings, each defined once: seconds to increments ([`deck::Increments::billed`]), the
//!    amount of a leg ([`money::round_leg`]), the total of an invoice and its tax ([`money::round_invoice_total`]).
//! 3. **One record whole or not at all.** If one leg has no rate, none is booked.
//! 4. **The same input gives the same bytes**, whatever the order of rows and files, the threads, the locale, the clock.
//!    Even a run's name is a hash of what it did.
//! 5. **The core knows no file.** Only [`io`] and [`cli`] name `std::fs`, `csv`, `polars` or `clap`; a test holds it. Without the
//!    feature `engine` the crate is that core, and what loads decks: `python/` is built on it, and runs inside other engines.
//! 6. **A run is booked by one rename**, or not at all ([`io::ledger`]). Nights in any order and overlap come to the books
//!    of one run over all of them.
//! 7. **A number is given by one rename, with what stands under it** ([`io::ledger::issued`]); a leg is on one invoice that
//!    stands, at most.
//!    What was rated elsewhere is rated again before it is booked ([`io::published`]).
//! 8. **What is stored is proved by other code.** [`audit`] rates every booked leg a second time, from the log and the
//!    archived decks; it names nothing of the kernel, and a test holds it.
//!
//! # Where to start reading
//!
//! [`table`] is the carrier's page. [`rating`] puts parties into its cells. [`night`] is the batch, [`explain`] is one call.
//!
//! # Glossary
//!
//! - **leg**: one billed stretch of a call, on the termination or the origination price list.
//! - **termination / origination**: seen from the telephone network, to it or from it.
//! - **A, B, C**: the parent's `from`, the parent's `to`, the transfer target.
//! - **transferor / transferee**: who transfers (the trunk's side), and who is transferred (the other side).
//! - **root, child, chain**: a call that is nobody's child; a call that a transfer made; a child of a child.
//! - **deck**: a price list, valid from a date; a row has destination and origin prefixes and a price per minute.
//! - **suspense**: where records wait that cannot be billed now.
//! - **night**: one run over one export, by day or by night.
//! - **batch**: invoices that were issued together, or one credit note.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "a test that gets a default fails"))]
#![cfg_attr(not(feature = "engine"), allow(dead_code, reason = "some of the kernel serves only the ledger"))]

pub mod advice;
pub mod audit;
pub mod call;
#[cfg(feature = "engine")]
pub mod cli;
pub mod clock;
pub mod columns;
pub mod deck;
pub mod detail;
#[cfg(feature = "engine")]
pub mod document;
pub mod explain;
pub mod family;
mod fit;
pub mod intern;
pub mod io;
pub mod mask;
pub mod money;
pub mod night;
mod order;
pub mod packed;
pub mod party;
pub mod plan;
pub mod policy;
pub mod rating;
pub mod record;
pub mod reject;
#[cfg(feature = "engine")]
pub mod report;
pub mod repriced;
pub mod resemble;
pub mod scenario;
pub mod table;
pub mod target;
pub mod text;
pub mod time;
mod trie;
pub mod trunk;
pub mod usage;
pub mod zones;
