//! A backup: a folder elsewhere that holds one whole state of a ledger, and is checked as it is
//! made.
//!
//! ```text
//! BACKUP/state.json          what the ledger held: every file with its size and its hash
//! BACKUP/files/5f/5f0c…      the files themselves, each under its hash: no file lies there twice
//! BACKUP/staging/            what is being written, or what a dead backup left
//! ```
//!
//! A backup reads the ledger like any reader: without its lock, so no run waits for it, and none
//! stops it. What a published run holds never changes, so a state is the manifests that were there
//! at one moment (`Ledger::history`) and the files that they name. A file whose hash lies in the
//! backup already is not read again: a night costs its own files. Nothing is linked with the
//! ledger: a disk block that breaks in one is whole in the other.
//!
//! **Invariants.** `state.json` is replaced by one rename, after all that it names is on the disk;
//! files that no state names are removed after that. So a backup that is killed anywhere leaves the
//! one before it, or its own. A file of a run or a batch that is not as it was written is refused:
//! it never replaces a good one. A ledger that lacks what the backup has is refused, too.
//!
//! # Why not a second ledger
//! Runs are published by one rename each, undone by another, and a rerun moves several: a copy that
//! follows them one by one would stand between two states whenever it is killed. Under their
//! hashes, the files of both states lie side by side until one rename takes the new one.
//!
//! | file | what it does |
//! |---|---|
//! | `folder` | the folder of a backup: its lock, its state, its files |
//! | `take` | a state of the ledger into it |
//! | `restore` | a backup proved, and put where no ledger is |

mod folder;
mod restore;
mod take;

pub use folder::BackupState;
pub use restore::restore;
pub use take::{BackupDone, take};
