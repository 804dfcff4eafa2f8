//! Where suspended rows wait until they are written: dealt out by the number of their record.

use crate::partition::spill::{Spill, SpillRoom};
use std::sync::Arc;

/// Suspended records of neighbouring numbers, which are unpacked together.
const NEIGHBOURS: u32 = 1 << 16;

/// Room for the suspended records of a run with so many.
pub(crate) fn parts(records: u32, room: &Arc<SpillRoom>) -> Spill {
    Spill::new((records / NEIGHBOURS + 1) as usize, room)
}

/// The part of a record by its number.
pub(crate) fn part_of(number: u32) -> usize {
    (number / NEIGHBOURS) as usize
}
