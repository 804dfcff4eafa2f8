//! Partitions: the records of a night dealt out so that a family is never apart, in memory or, beyond `--memory`, in a spill
//! file.
//!
//! ```text
//! Calls ──▶ deal: by the hash of the family ──▶ spill: packed rows, partition by partition ──▶ one partition at a time
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | [`deal`] | which partition a record goes to, and which families have to be moved together |
//! | [`spill`] | rows of each partition, in memory as long as there is room, then on disk; how much room `--memory` gives |
//! | `buffers` | buffers that are used again, so that the system need not find new pages |
//!
//! **Invariant:** neither the number of partitions nor the memory can be seen in any output.

pub(crate) mod buffers;
pub mod deal;
pub mod spill;
