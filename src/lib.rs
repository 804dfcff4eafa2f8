//! trunkrate rates and bills the calls of a SIP trunk that supports call transfer (SIP REFER), and
//! explains every cent.
//!
//! A transferred call is two records, the *parent* and a *child*. The carrier publishes which legs
//! are billed for each and how the log shows them: a table of four scenarios. Everything before
//! that table finds the scenario of a call, everything after it multiplies and adds.
//!
//! # The pipeline
//!
//! ```text
//!  call files ─▶ ingest ─▶ partition ─▶ Calls ─▶ family::join ─▶ night::settle ─▶ Booked ─▶ ledger
//!                records   dealt out,   (call)   versions,       scenario, deck   (packed)  legs, log, ids,
//!                          spilled               parents, chains rows, reasons    by start  suspense
//!
//!  rates/ ─▶ inputs::decks ─▶ Deck ─────────────────────────────────────┘
//!  BILLING_TABLE (table) ────────────────────────────────────────────────┘
//!
//!  ledger ─▶ invoicing ─▶ document ─▶ render: HTML, PDF, e-invoice, CSV, JSON, journals
//!         ─▶ report ────────────────▶ render
//! ```
//!
//! The records of a night are dealt out to partitions, and a family is never split. Each partition
//! is joined and settled by itself. Booked calls go to pieces by their start, and each piece is
//! sorted and written. Rows that do not fit in memory ([`partition::spill::Memory`]) spill to disk.
//! [`job`] runs it all, [`cli`] is the command line.
//!
//! # The crates
//!
//! | crate | contents | knowledge |
//! |---|---|---|
//! | `trunkrate-kernel` | the rules | no file, clock, thread, polars |
//! | `trunkrate-inputs` | text to checked values | files, CSV, JSON, TOML |
//! | `trunkrate-audit` | the second rater | neither of the two above |
//! | `trunkrate` | engine and command: this one | everything |
//! | `trunkrate-python` | the wheel | kernel and inputs |
//!
//! # The data
//!
//! ```text
//! Calls                          records as columns, about 110 bytes each       call
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
//! 1. **No record is lost.** `read + retried = rated + free + duplicate + ignored + suspended +
//!    closed`, in records and in seconds (closed: written off by people), or the run fails before
//!    anything is booked ([`night::Tally::conserves`]).
//! 2. **No money comes out of a float.** Prices are parsed exactly, amounts are integers at a fixed
//!    scale, overflow is an error. There are three roundings, each defined once: seconds to
//!    increments ([`deck::Increments::billed`]), the amount of a leg ([`money::round_leg`]), the
//!    total of an invoice and its tax ([`money::round_invoice_total`]).
//! 3. **One record whole or not at all.** If one leg has no rate, none is booked.
//! 4. **The same input gives the same bytes**, whatever the order of rows and files, the threads,
//!    the locale, the clock. Even a run's name is a hash of what it did.
//! 5. **The kernel knows no file.** Its manifest names neither csv nor polars nor clap, and a test
//!    checks that its code names no file and no clock. `python/` is built on it, and runs inside
//!    other engines.
//! 6. **A run is booked by one rename**, or not at all ([`ledger`]). Nights in any order and
//!    overlap give the same books as one run over all of them.
//! 7. **An invoice number is given by one rename, together with the invoice**
//!    ([`ledger::invoices`]); a leg is on at most one uncredited invoice. A night that was rated
//!    elsewhere is rated again before it is booked ([`job::import`]).
//! 8. **The stored legs are proved by other code.** [`audit`] rates every booked leg a second time,
//!    from the log and the archived decks; its manifest does not name the kernel.
//!
//! # Where to start reading
//!
//! [`table`] is the carrier's page. [`rating`] puts parties into its cells. [`night`] is the batch,
//! [`explain`] is one call.
//!
//! # Glossary
//!
//! - **leg**: one billed stretch of a call, on the termination or the origination price list.
//! - **termination / origination**: seen from the telephone network, to it or from it.
//! - **A, B, C**: the parent's `from`, the parent's `to`, the transfer target.
//! - **transferor / transferee**: the party that transfers (the trunk's side), and the party that
//!   is transferred (the other side).
//! - **root, child, chain**: a call that is nobody's child; a call that a transfer made; a child of
//!   a child.
//! - **deck**: a price list, valid from a date; a row has destination and origin prefixes and a
//!   price per minute.
//! - **suspense**: the records that cannot be billed now, kept for a later run.
//! - **night**: one run over one export, by day or by night.
//! - **batch**: invoices that were issued together, or one credit note.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "a test that gets a default fails"))]

pub(crate) mod catch_panic;
pub mod cli;
pub mod disk;
pub mod document;
pub mod ingest;
pub mod invoicing;
pub mod job;
pub mod ledger;
pub mod partition;
pub mod plan;
pub mod render;
pub mod report;
pub mod serve;

pub use trunkrate_audit as audit;
pub use trunkrate_inputs as inputs;
pub use trunkrate_kernel::{
    advice, booked, call, clock, columns, deck, detail, dialled, explain, family, fit, intern,
    ledger_columns, mask, meanings, money, night, packed, party, party_ref, policy, radix_sort,
    rating, record, reject, repriced, resemble, scenario, set_times, sid, status, table, target,
    text, time, trie, trunk, words, zones,
};
