//! Oddities of a single booked call: rules that the run and the report share.
//!
//! # Why these bounds
//! The carrier's `start_time` may be the start of the ringing, so a short call may have a long time
//! from start to end. A proxy gives up on a call that only rings after three minutes (RFC 3261,
//! timer C). If a call, with three minutes of ringing taken off, still lasted ten times as long as
//! it is billed for, ringing does not explain it; in an export in minutes every call of some length
//! looks like that. If half of the long calls do, allowing half a minute of ringing is enough.

use crate::time::{DAY, Micros, SECOND};

/// The longest time that a carrier waits for the BYE after the transfer target answered.
pub const BYE_WAIT: Micros = 32 * SECOND;

/// The shortest time from start to end of a call that is checked.
pub const LONG: Micros = 60 * SECOND;
/// The longest ringing that explains a single call.
pub const LONGEST_RINGING: Micros = 180 * SECOND;
/// The longest ringing that explains many calls.
pub const RINGING: Micros = 30 * SECOND;
/// The most times its duration that a call may last, besides ringing.
pub const TIMES: i64 = 10;
/// The least number of calls that count as many.
pub const MANY: u64 = 3;
/// The start of 2000: no call of a trunk with transfers started before.
pub const FIRST_START: Micros = 946_684_800 * SECOND;

/// The duration of a billed call compared with the time from its start to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// Below a minute from start to end, or the end is not known.
    Short,
    /// A plausible duration.
    Plausible,
    /// Far below, if many calls are like that.
    Low,
    /// Far below.
    FarTooLow,
}

impl Length {
    /// Classifies a billed call.
    #[must_use]
    pub fn of(start: Micros, end: Option<Micros>, duration_seconds: i64) -> Self {
        let Some(length) =
            end.and_then(|end| end.checked_sub(start)).filter(|length| *length >= LONG)
        else {
            return Self::Short;
        };
        let over = length - duration_seconds.saturating_mul(TIMES * SECOND);
        match over {
            _ if over > LONGEST_RINGING => Self::FarTooLow,
            _ if over > RINGING => Self::Low,
            _ => Self::Plausible,
        }
    }
}

/// The number of billed calls of each length.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lengths {
    /// A minute or longer.
    pub long: u64,
    /// Low, or far too low.
    pub low: u64,
    /// Far too low.
    pub far_too_low: u64,
}

impl Lengths {
    /// Counts a call.
    pub fn add(&mut self, length: Length) {
        self.long += u64::from(length != Length::Short);
        self.low += u64::from(matches!(length, Length::Low | Length::FarTooLow));
        self.far_too_low += u64::from(length == Length::FarTooLow);
    }

    /// Adds the counts of other calls.
    pub fn merge(&mut self, other: Self) {
        self.long += other.long;
        self.low += other.low;
        self.far_too_low += other.far_too_low;
    }

    /// True if many are low, so that all of them count.
    #[must_use]
    pub fn many_are_low(self) -> bool {
        self.low >= MANY && self.low >= self.long - self.low
    }

    /// The number of calls that count as odd.
    #[must_use]
    pub fn odd(self) -> u64 {
        if self.many_are_low() { self.low } else { self.far_too_low }
    }
}

/// True if a call cannot have started then. `newest` is the newest plausible start
/// ([`crate::clock`]).
#[must_use]
pub fn is_bogus_start(start: Micros, newest: Option<Micros>) -> bool {
    start < FIRST_START || newest.is_some_and(|newest| start > newest.saturating_add(DAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_beside_start_and_end() {
        let of = |length: i64, duration| Length::of(0, Some(length * SECOND), duration);
        let table = [
            (1200, 20, Length::FarTooLow),
            (1200, 1200, Length::Plausible),
            (1200, 2, Length::FarTooLow),
            // A call that rang for a minute and a half.
            (95, 5, Length::Low),
            (59, 1, Length::Short),
            (60, 3, Length::Plausible),
            (60, 2, Length::Low),
            (190, 1, Length::Low),
            (191, 1, Length::FarTooLow),
        ];
        for (length, duration, expected) in table {
            assert_eq!(of(length, duration), expected, "{duration} s of {length} s");
        }
        assert_eq!(Length::of(0, None, 20), Length::Short);
        assert_eq!(Length::of(90 * SECOND, Some(0), 20), Length::Short);
    }

    #[test]
    fn a_few_that_rang_long_are_no_export_in_minutes() {
        let lengths = |low: usize, plausible: usize| {
            let mut all = Lengths::default();
            (0..low).for_each(|_| all.add(Length::Low));
            (0..plausible).for_each(|_| all.add(Length::Plausible));
            all.odd()
        };
        assert_eq!([lengths(2, 0), lengths(3, 0), lengths(3, 3), lengths(3, 4)], [0, 3, 3, 0]);
    }

    #[test]
    fn starts_that_cannot_be() {
        let day = |days: i64| FIRST_START + days * DAY;
        let newest = Some(day(9_000));
        assert_eq!(
            [day(0) - 1, day(0), day(9_001), day(9_001) + 1]
                .map(|start| is_bogus_start(start, newest)),
            [true, false, false, true]
        );
        assert!(!is_bogus_start(day(20_000), None));
    }
}
