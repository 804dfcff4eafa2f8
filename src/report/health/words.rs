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

/// `5 h ago`; `5 h in the future`, if a clock was ahead.
#[must_use]
pub fn ago_text(age: Micros) -> String {
    if age <= -SECOND {
        return format!("{} in the future", age_text(-age));
    }
    format!("{} ago", age_text(age))
}

/// An age in one unit, rounded: `50 s`, `12 min`, `26 h`, `3 days`.
#[must_use]
pub fn age_text(age: Micros) -> String {
    let age = age.max(0);
    let units = [(SECOND, "s", 120), (60 * SECOND, "min", 120), (3600 * SECOND, "h", 48)];
    let rounded = |unit: Micros| (age + unit / 2) / unit;
    match units.into_iter().find(|(unit, _, most)| rounded(*unit) < *most) {
        Some((unit, name, _)) => format!("{} {name}", rounded(unit)),
        None => format!("{} days", rounded(DAY)),
    }
}

/// A duration: `0.3 s`, `12.0 s`, `5 min 12 s`.
#[must_use]
pub fn took_text(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    if seconds < 60 {
        return format!("{seconds}.{} s", milliseconds % 1000 / 100);
    }
    format!("{} min {} s", seconds / 60, seconds % 60)
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
        let ages = [
            (59, "59 s"),
            (119, "119 s"),
            (120, "2 min"),
            (7169, "119 min"),
            (7170, "2 h"),
            (17_999, "5 h"),
            (93_600, "26 h"),
            (172_800, "2 days"),
        ];
        for (seconds, text) in ages {
            assert_eq!(age_text(seconds * SECOND), text);
        }
        assert_eq!(ago_text(-7200 * SECOND), "2 h in the future");
        for (bytes, text) in [(1023, "1023 bytes"), (1536, "1.5 KiB"), (5 << 30, "5.0 GiB")] {
            assert_eq!(bytes_text(bytes), text);
        }
    }
}
