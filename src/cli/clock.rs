//! The clock: the only place that reads it. What is hashed never depends on it.
//!
//! A command asks it for the journal and for ages; unless the user says otherwise, a deck is asked
//! for now. An invoice is dated by the machine's clock, which no flag moves.

use crate::time::{self, Micros};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::SystemTime;

/// How far this process's clock is ahead of the machine's: for tests, which live through a
/// fortnight in a minute.
static AHEAD: AtomicI64 = AtomicI64::new(0);

/// Sets the clock of this process: it goes on from there.
pub fn set(now: Micros) {
    AHEAD.store(now - machine(), Ordering::Relaxed);
}

/// The current time.
pub fn now() -> Micros {
    machine() + AHEAD.load(Ordering::Relaxed)
}

/// The current time, to the second.
pub fn second() -> Micros {
    now().div_euclid(time::SECOND) * time::SECOND
}

/// The time of the machine, whatever the tests set.
pub fn machine() -> Micros {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("the clock is not before 1970");
    i64::try_from(since.as_micros()).expect("the clock is before the year 290000")
}
