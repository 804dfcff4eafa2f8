//! The partitions of the suspended rows until they are written: dealt out by the number of the
//! record.

use crate::partition::spill::{Spill, SpillRoom};
use std::sync::Arc;

/// The suspended records of this many neighbouring numbers are unpacked together.
const NEIGHBOURS: u32 = 1 << 16;

/// Makes partitions for the suspended records of a run of `records` records.
pub(crate) fn parts(records: u32, room: &Arc<SpillRoom>) -> Spill {
    Spill::new((records / NEIGHBOURS + 1) as usize, room)
}

/// The partition of a record by its number.
pub(crate) fn part_of(number: u32) -> usize {
    (number / NEIGHBOURS) as usize
}
