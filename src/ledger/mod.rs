//! The ledger: a folder in which every run is a folder.
//!
//! ```text
//! ledger/
//! ├── runs/000001-5f0c…/               published by one rename; never changed again
//! │   ├── manifest.json                 inputs, decks, counts, sums, files with their hashes
//! │   ├── legs/date=2026-11-20/         Parquet, by UTC start date
//! │   ├── calls/date=2026-11-20/        the call log
//! │   ├── prices/date=2026-11-20/       prices that came after their call was booked
//! │   ├── ids/                          all ids, sorted: copies, conflicts, a call, its children
//! │   ├── ignored/                      calls that are no trunk's
//! │   ├── suspense/                     all suspended records after this run
//! │   └── closed/                       records that were written off
//! ├── invoices/000001-9c41…/            a batch of invoices, or a credit note; published like a run
//! ├── archive/<hash>/                   decks, trunks, accounts and items as they were used
//! ├── undone/000001-…/                  runs that were taken back, each beside why
//! ├── catalog.sqlite                    the index: a function of all of the above
//! ├── volumes/000001-000032-…/          what 32 runs say, in two files: an index, too
//! ├── journal.jsonl, set-aside.json     who ran what and how it ended; refused call files: not
//! │                                     hashed, and no part of the books
//! └── staging/                          a run while it is written, or what a dead one left; spill
//!                                       files, which have no name
//! ```
//!
//! # Protocol
//!
//! 1. Lock the ledger: `flock` on its folder. The lock ends with the process, however that ends.
//!    Empty `staging`.
//! 2. Write every file of the run into `staging` and sync it; then the manifest, which names them
//!    all with their hashes; then sync the folders. A sync that fails ends the run; it is never
//!    retried.
//! 3. Rename the run's folder into `runs` and sync that. **Now it is booked.** If the sync fails,
//!    the folder is renamed back and the run has failed.
//! 4. Make the catalog anew in `staging`, sync it, rename it over the old one.
//!
//! Readers look only into `runs`: they never see half a run, and never wait. `undo` goes the same
//! way in the other direction: its reason is written first, then one rename takes the run out.
//!
//! **Invariant:** a run contains no clock and no host name, and no paths but those of the call
//! files as the user named them: the same runs give the same bytes, in any folder on any machine.
//!
//! A failure after step 3 (the catalog) cannot unbook the run: it is reported as a note, and the
//! exit code stays 0.
//!
//! # Files
//!
//! | file | content |
//! |---|---|
//! | `place`, `error` | paths in the folder; the reasons why a ledger cannot be used |
//! | [`volume`] | what old runs say, in fewer files |
//! | `lock`, `open`, `history`, `run` | one writer; every manifest read, and the check that the chain is complete |
//! | [`manifest`], [`undone`], [`batch`] | the stored records of a run, an undo, a batch of invoices |
//! | [`tables`] | columns, pages, rows |
//! | [`index`] | ids, families, the catalog |
//! | [`runs`] | sorting, staging, undo, write-off |
//! | [`invoices`] | publishing a batch; which invoice bills a leg |
//! | [`journal`], [`looks`], [`set_aside`] | commands and how they ended; who looked at calls; refused call files |
//! | [`verify`], [`compare`] | all of it proved from its bytes; two sets of files compared |
//! | [`backup`] | a state kept elsewhere, and put back |
//! | [`carrier`] | the carrier's prices that cannot be compared with ours |

pub mod backup;
pub mod batch;
pub mod carrier;
pub mod compare;
mod error;
mod history;
pub mod index;
pub mod invoices;
pub mod journal;
mod lock;
pub mod looks;
pub mod manifest;
mod open;
pub mod place;
mod run;
pub mod runs;
pub mod set_aside;
pub mod tables;
pub mod undone;
pub mod verify;
pub mod volume;

pub use error::LedgerError;
pub(crate) use error::{RESTORE, polars_error};
pub use history::History;
pub use lock::Lock;
pub use open::PublishedNames;
pub(crate) use place::{CATALOG, OWN_FOLDERS};
pub use place::{Dataset, Ledger};
pub use run::Run;
