//! One run: sorted, staged, booked by a rename; undone; its suspended records written off.
//!
//! | file | what it does |
//! |---|---|
//! | [`sort`] | booked calls into row groups of legs and log, by start |
//! | [`stage`] | every file of a run into `staging`, synced, then the rename |
//! | [`taken_back`] | legs that take booked ones back |
//! | [`undo`] | takes a run back, and those that depend on it |
//! | [`write_off`] | decisions of a person: the suspense copied without what was written off |
//!
//! **Invariant:** a run is booked by one rename, or not at all.

pub mod sort;
pub mod stage;
pub mod taken_back;
pub mod undo;
pub mod write_off;
