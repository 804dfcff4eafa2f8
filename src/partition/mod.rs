//! Partitions: the records of a night, dealt out so that a family is never split. They stay in
//! memory or, beyond `--memory`, in a spill file.
//!
//! ```text
//! Calls ──▶ deal: by the hash of the family ──▶ spill: packed rows, partition by partition ──▶ one partition at a time
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | [`deal`] | chooses the partition of a record, and the families that must be moved together |
//! | [`spill`] | the rows of each partition, in memory as long as there is room, then on disk; the memory budget of `--memory` |
//! | `buffers` | reused buffers, which save page faults |
//!
//! **Invariant:** neither the number of partitions nor the memory budget changes any output.

pub(crate) mod buffers;
pub mod deal;
pub mod spill;
