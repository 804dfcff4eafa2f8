//! Numbers that fit another type, each with the belief that makes them fit.
//!
//! **Invariant:** no value is made up. A belief that does not hold is a bug, and ends the run
//! before anything is booked.

use std::fmt::Display;

/// Converts a number to a type that is believed to hold it: `must_fit(day, "a day fits 32 bits")`.
///
/// # Panics
/// If it does not fit.
#[inline]
#[track_caller]
pub fn must_fit<T: Copy + Display, U: TryFrom<T>>(value: T, belief: &str) -> U {
    match U::try_from(value) {
        Ok(fits) => fits,
        Err(_) => broken(&value, belief),
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn broken(value: &dyn Display, belief: &str) -> ! {
    panic!("{belief}: {value} does not");
}

#[cfg(test)]
mod tests {
    use super::must_fit;

    #[test]
    fn what_fits_is_itself() {
        assert_eq!(must_fit::<i64, i32>(-7, "a day fits 32 bits"), -7);
        assert_eq!(must_fit::<u64, usize>(7, "a length fits memory"), 7);
    }

    #[test]
    #[should_panic(expected = "a day fits 32 bits: 2147483648 does not")]
    fn what_does_not_fit_says_which_belief_is_broken() {
        let _: i32 = must_fit(1_i64 << 31, "a day fits 32 bits");
    }
}
