//! One run: sorted, staged, booked by a rename; undone; its suspended records written off.
//!
//! | file | what it does |
//! |---|---|
//! | [`sort`] | booked calls into row groups of legs and log, by start |
//! | [`stage`] | every file of a run into `staging`, synced, then the rename |
//! | [`undo`] | takes a run back, and those that depend on it |
//! | [`write_off`] | a run that copies the suspense without the records that a person closed |
//!
//! **Invariant:** a run is booked by one rename, or not at all.

pub mod sort;
pub mod stage;
pub mod undo;
pub mod write_off;
