//! Times that a person set: the instants of local times that the clock shows twice or never.
//!
//! **Invariant:** a set time is an answer to one question, which of two instants is meant. Where
//! the text is no such question, in another zone or with an offset, it is not asked.
//!
//! # Why it is part of the policy
//! The carrier exports a call again and again, each time with the same local time. If the answer
//! stood with one record only, its next copy would be another version of the call, and wait. As a
//! choice that reading asks, it makes every copy the same record.

use crate::time::{self, Micros, TimeError, Zone};
use std::collections::HashMap;
use std::sync::Arc;

/// The field of a call, by the carrier's name, and the instant that a person set for it.
type SetField = (String, Micros);

/// The times that were set, by call.
#[derive(Debug, Clone, Default)]
pub struct SetTimes(Arc<HashMap<String, Vec<SetField>>>);

impl SetTimes {
    /// Collects calls, their fields and the instants, in the order in which they were set: of two
    /// that answer the same question the later one counts.
    #[must_use]
    pub fn new(set: impl Iterator<Item = (String, String, Micros)>) -> Self {
        Self::default().and(set)
    }

    /// The same with more times, which were set later.
    #[must_use]
    pub fn and(&self, set: impl Iterator<Item = (String, String, Micros)>) -> Self {
        let mut by_call = HashMap::clone(&self.0);
        for (call, field, instant) in set {
            by_call.entry(call).or_default().push((field, instant));
        }
        Self(Arc::new(by_call))
    }

    /// The instant of a text that is no instant by itself; `None` if nobody set it.
    #[must_use]
    #[cold]
    pub fn instant(
        &self,
        call: &str,
        (field, text): (&str, &str),
        zone: Option<&Zone>,
    ) -> Option<Micros> {
        let set = self.0.get(call)?;
        let either = either_of(text, zone)?;
        let answers = |(name, instant): &&SetField| name == field && either.contains(instant);
        set.iter().rev().find(answers).map(|(_, instant)| *instant)
    }
}

/// The two instants that a local time may mean which the clock shows twice, or never; `None` for
/// any other text.
#[must_use]
pub fn either_of(text: &str, zone: Option<&Zone>) -> Option<[Micros; 2]> {
    match time::parse_or_why(text, zone) {
        Err(
            TimeError::TwiceInZone { first, second } | TimeError::NeverInZone { first, second },
        ) => Some([first, second]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWICE: &str = "2026-10-25T02:30:00";
    const NEVER: &str = "2026-03-29 02:30:00";

    fn at(text: &str) -> Micros {
        time::parse(text, None).expect("an instant")
    }

    #[test]
    fn a_set_time_answers_its_own_question_only() {
        let berlin = Zone::named("Europe/Berlin");
        let set = |time: &str| ("CA1".to_owned(), "start_time".to_owned(), at(time));
        let times = SetTimes::new(
            [
                set("2026-10-25T02:30:00+02:00"),
                set("2026-10-25T01:30:00Z"),
                set("2026-03-29T01:30:00Z"),
            ]
            .into_iter(),
        );
        let ask = |call: &str, field: &str, text: &str, zone: Option<&Zone>| {
            times.instant(call, (field, text), zone).map(time::text)
        };
        let berlin = berlin.as_ref();
        let cases = [
            // Set twice: the later one counts.
            (ask("CA1", "start_time", TWICE, berlin), Some("2026-10-25T01:30:00Z")),
            // The same time in another spelling.
            (ask("CA1", "start_time", "2026-10-25 02:30", berlin), Some("2026-10-25T01:30:00Z")),
            (ask("CA1", "start_time", NEVER, berlin), Some("2026-03-29T01:30:00Z")),
            (ask("CA1", "start_time", "2026-10-25T02:31:00", berlin), None),
            (ask("CA1", "end_time", TWICE, berlin), None),
            (ask("CA2", "start_time", TWICE, berlin), None),
            (ask("CA1", "start_time", TWICE, None), None),
            // In this zone the clock shows it once.
            (ask("CA1", "start_time", TWICE, Zone::named("UTC").as_ref()), None),
        ];
        for (number, (found, expected)) in cases.into_iter().enumerate() {
            assert_eq!(found.as_deref(), expected, "case {number}");
        }
    }

    #[test]
    fn two_instants_or_none() {
        let berlin = Zone::named("Europe/Berlin");
        let either = |text: &str| either_of(text, berlin.as_ref()).map(|both| both.map(time::text));
        assert_eq!(
            either(TWICE),
            Some(["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"].map(str::to_owned))
        );
        assert_eq!(
            either(NEVER),
            Some(["2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"].map(str::to_owned))
        );
        assert_eq!(
            [either("2026-10-25T04:30:00"), either("soon"), either("2026-10-25T02:30:00Z")],
            [None, None, None]
        );
    }
}
