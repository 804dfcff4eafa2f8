//! Advice: what a person can do about a suspended record, finer than by its reason where its detail
//! found more.
//!
//! A detail states its finding as `` FIELD is `TEXT`: WHY ``, and each WHY that has an advice of
//! its own starts with a mark. The detail is all that is kept of a record's settling, so these
//! marks identify the cause again: the writer ([`crate::detail`]) and the reader here share them.
//!
//! **Invariant:** advice decides nothing. A text that only looks like a mark comes before the last
//! `` `: `` and is not found.

use crate::reject::Reason;

/// The marks: beginnings of WHY.
pub(crate) mod mark {
    pub const NO_OFFSET: &str = "it has no offset";
    pub const TWICE: &str = "the clock shows it twice";
    pub const NEVER: &str = "the clock never shows it";
    pub const NO_DAY: &str = "there is no such day";
    pub const NO_TIME: &str = "there is no such time of day";
    pub const FORM: &str = "this form is not read";
    pub const YEAR: &str = "its year is not within 1970 to 2199";
    pub const OUTSIDE: &str = "it lies outside the call";

    pub const RINGING: &str = "ringing was counted";
    pub const END_FIRST: &str = "end_time is before start_time";
    pub const OVER_LENGTH: &str = "it is over 1 s longer than end_time - start_time";
    pub const OVER_LIMIT: &str = "it is above policy.max_call_seconds";
    pub const NO_SECONDS: &str = "it is no plain decimal number of seconds";
    pub const MISSING: &str = "it is missing on a completed call";

    pub const EXPONENT: &str = "an exponent stands for its last digits";
    pub const FORMULA: &str = "it is written as a formula of a spreadsheet";
    pub const APOSTROPHE: &str = "an apostrophe stands before it";
    pub const BLANKS: &str = "blanks stand in it";
    pub const ZEROS: &str = "00 stands in place of the +";
    pub const NATIONAL: &str = "neither + nor a country code stands before it";
    pub const NO_PLUS: &str = "no + stands before it";
    pub const SIGNS: &str = "other signs stand among its digits";

    pub const BOOKED: &str = "the booked version";
}

/// Advice in one sentence for a record that is suspended for a reason, with this detail.
#[must_use]
pub fn hint(reason: Reason, detail: &str) -> &'static str {
    found(reason, detail).map_or_else(|| reason.hint(), |(_, hint)| hint)
}

/// The mark with which the WHY of a detail starts, if it has an advice of its own.
#[must_use]
pub fn mark_of(reason: Reason, detail: &str) -> Option<&'static str> {
    found(reason, detail).map(|(mark, _)| mark)
}

fn found(reason: Reason, detail: &str) -> Option<AdviceRow> {
    let why = detail.rsplit_once("`: ").map_or(detail, |(_, why)| why);
    match reason {
        Reason::InvalidTime => by_mark(&TIMES, why),
        Reason::InvalidDuration => by_mark(&DURATIONS, why),
        Reason::InvalidNumber if detail.starts_with("from ") => by_mark(&CALLERS, why),
        Reason::InvalidNumber => by_mark(&NUMBERS, why),
        Reason::ConflictingDuplicate => by_mark(&VERSIONS, why),
        _ => None,
    }
}

/// All advice that is finer than a reason's own: the beginnings of WHY, and the way out of each.
#[must_use]
pub fn finer(reason: Reason) -> Vec<(&'static str, &'static str)> {
    match reason {
        Reason::InvalidTime => TIMES.to_vec(),
        Reason::InvalidDuration => DURATIONS.to_vec(),
        Reason::InvalidNumber => [&CALLERS[..], &NUMBERS].concat(),
        Reason::ConflictingDuplicate => VERSIONS.to_vec(),
        _ => Vec::new(),
    }
}

/// Advice for a suspended version of a call that is booked in another version.
#[must_use]
pub fn of_booked() -> &'static str {
    VERSIONS[0].1
}

/// A mark, and the advice for a WHY that starts with it.
type AdviceRow = (&'static str, &'static str);
type AdviceTable<const N: usize> = [AdviceRow; N];

fn by_mark<const N: usize>(table: &AdviceTable<N>, why: &str) -> Option<AdviceRow> {
    table.iter().find(|(mark, _)| why.starts_with(mark)).copied()
}

const TIMES: AdviceTable<8> = [
    (
        mark::NO_OFFSET,
        "set `input.timezone` to the zone of the export's clock, such as `Europe/Berlin`; \
         or export times with an offset",
    ),
    (
        mark::TWICE,
        "export times with an offset or in UTC; or say by `trunkrate suspense set` which of the \
         two is meant, if somebody knows",
    ),
    (
        mark::NEVER,
        "export times with an offset or in UTC; or set `input.timezone` to another zone, \
         if it is not the export's; `trunkrate suspense set` sets a single time by hand",
    ),
    (mark::NO_DAY, "ask for this part of the export again: the date is broken"),
    (mark::NO_TIME, "ask for this part of the export again: the time is broken"),
    (
        mark::FORM,
        "export times as 2026-11-20T10:00:00Z; read are also 2026-11-20 10:00:00 +01:00, \
         2026-11-20 10:00 UTC and Fri, 20 Nov 2026 10:00:00 +0000; \
         which number is the month is never guessed",
    ),
    (
        mark::YEAR,
        "ask the carrier when the call was: a clock was wrong, or the date stands for none",
    ),
    (
        mark::OUTSIDE,
        "look at how `answer_time` is exported; without that column the call is billed by its \
         duration as given",
    ),
];

const DURATIONS: AdviceTable<6> = [
    (mark::RINGING, "export the seconds from answer to end: ringing is not billed"),
    (mark::END_FIRST, "ask for this part of the export again: one of the two times is wrong"),
    (mark::OVER_LENGTH, "look at the export: the duration or one of the two times is wrong"),
    (
        mark::OVER_LIMIT,
        "ask the carrier whether the call took so long; if it did, raise `policy.max_call_seconds`",
    ),
    (
        mark::NO_SECONDS,
        "export seconds as a plain number, such as 65 or 65.5: no sign, no unit, \
         no comma and no 00:01:05",
    ),
    (mark::MISSING, "ask the carrier for the record again"),
];

const DIGITS_LOST: &str =
    "take the export as it was before a spreadsheet opened it: the last digits are lost";
const AS_TEXT: &str = "export numbers as text, in the form +442079460110";
const DIGITS_LOST_CALLER: &str = "take the export as it was before a spreadsheet opened it: \
                                  the last digits are lost; \
                                  or bill such calls by an unknown origin \
                                  with `policy.mangled_caller = \"unknown\"`";
const AS_TEXT_CALLER: &str = "export numbers as text, in the form +442079460110; \
                              or bill such calls by an unknown origin \
                              with `policy.mangled_caller = \"unknown\"`";

const NUMBERS: AdviceTable<8> = [
    (mark::EXPONENT, DIGITS_LOST),
    (mark::FORMULA, AS_TEXT),
    (mark::APOSTROPHE, AS_TEXT),
    (mark::BLANKS, AS_TEXT),
    (mark::ZEROS, AS_TEXT),
    (mark::NATIONAL, AS_TEXT),
    (mark::NO_PLUS, AS_TEXT),
    (mark::SIGNS, AS_TEXT),
];

const CALLERS: AdviceTable<8> = [
    (mark::EXPONENT, DIGITS_LOST_CALLER),
    (mark::FORMULA, AS_TEXT_CALLER),
    (mark::APOSTROPHE, AS_TEXT_CALLER),
    (mark::BLANKS, AS_TEXT_CALLER),
    (mark::ZEROS, AS_TEXT_CALLER),
    (mark::NATIONAL, AS_TEXT_CALLER),
    (mark::NO_PLUS, AS_TEXT_CALLER),
    (mark::SIGNS, AS_TEXT_CALLER),
];

const VERSIONS: AdviceTable<1> = [(
    mark::BOOKED,
    "compare it with the booked call by `trunkrate suspense show`; \
     write it off with `suspense close`, or take it in place of the booked one with \
     `suspense resolve`",
)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_record_says_is_no_mark() {
        let hostile = "start_time is `x`: it has no offset`: this form is not read";
        assert!(
            hint(Reason::InvalidTime, hostile).starts_with("export times as"),
            "the last WHY counts"
        );
        assert_eq!(
            hint(Reason::InvalidTime, "start_time is `it has no offset`"),
            Reason::InvalidTime.hint()
        );
        assert_eq!(hint(Reason::NoRate, "x is `y`: no + stands before it"), Reason::NoRate.hint());
    }

    #[test]
    fn a_caller_can_be_billed_all_the_same_and_a_rated_number_cannot() {
        let caller = hint(Reason::InvalidNumber, "from is `442079460110`: no + stands before it");
        let number = hint(Reason::InvalidNumber, "to is `442079460110`: no + stands before it");
        assert!(
            caller.contains("policy.mangled_caller") && !number.contains("policy"),
            "{caller} / {number}"
        );
    }
}
