//! Ages, instants and sizes as a person reads them.

use crate::time::{self, DAY, Micros, SECOND};

/// Whole seconds between two instants.
#[must_use]
pub fn seconds(now: Micros, then: Micros) -> i64 {
    (now - then).div_euclid(SECOND)
}

/// An instant to the second.
#[must_use]
pub fn stamp(at: Micros) -> String {
    time::text(at.div_euclid(SECOND) * SECOND)
}

/// `5 h ago (2026-11-20T02:00:00Z)`.
#[must_use]
pub fn ago(now: Micros, then: Micros) -> String {
    format!("{} ({})", ago_text(now - then), stamp(then))
}

/// `5 h ago`.
#[must_use]
pub fn ago_text(age: Micros) -> String {
    format!("{} ago", age_text(age))
}

/// An age in one unit: `50 s`, `12 min`, `26 h`, `3 days`.
#[must_use]
pub fn age_text(age: Micros) -> String {
    let (minute, hour) = (60 * SECOND, 3600 * SECOND);
    match age.max(0) {
        age if age < 90 * SECOND => format!("{} s", age / SECOND),
        age if age < 90 * minute => format!("{} min", age / minute),
        age if age < 2 * DAY => format!("{} h", age / hour),
        age => format!("{} days", age / DAY),
    }
}

/// Bytes in one unit, to a tenth, rounded down.
#[must_use]
pub fn bytes_text(bytes: u64) -> String {
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match units.into_iter().find(|(_, shift)| bytes >> shift > 0) {
        None => format!("{bytes} bytes"),
        Some((unit, shift)) => {
            let tenths = (u128::from(bytes) * 10) >> shift;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_sizes_are_in_one_unit() {
        let ages =
            [(59, "59 s"), (90, "1 min"), (5400, "1 h"), (93_600, "26 h"), (172_800, "2 days")];
        for (seconds, text) in ages {
            assert_eq!(age_text(seconds * SECOND), text);
        }
        for (bytes, text) in [(1023, "1023 bytes"), (1536, "1.5 KiB"), (5 << 30, "5.0 GiB")] {
            assert_eq!(bytes_text(bytes), text);
        }
    }
}
