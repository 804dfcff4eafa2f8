//! The words of each finding: its title, the rule, the reason why it matters, and the remedy.

use super::lines::{Example, Finding};
use super::oddities::{LONGEST_RINGING, MANY, RINGING, TIMES};
use crate::report::oddities::BYE_WAIT;
use crate::time::SECOND;

/// A finding without its numbers.
pub(super) struct Wording {
    id: &'static str,
    title: &'static str,
    unit: &'static str,
    rule: String,
    why: &'static str,
    what_to_do: &'static str,
}

impl Wording {
    /// The finding with its numbers.
    pub(super) fn of(self, count: u64, of: u64, examples: Vec<Example>) -> Finding {
        let Self { id, title, unit, rule, why, what_to_do } = self;
        Finding { id, title, count, of, unit, rule, why, what_to_do, examples }
    }
}

pub(super) fn runs_on() -> Wording {
    Wording {
        id: "parent-runs-on",
        title: "Parents that run on after the transfer",
        unit: "answered transfers",
        rule: format!(
            "The parent ended more than {} s after its child was answered.",
            BYE_WAIT / SECOND
        ),
        why: "The carrier ends a parent 32 s after the target answered, \
              if no BYE came until then. One that runs on is billed beside its child, \
              minute by minute, and the two may not belong together.",
        what_to_do: "Look at both calls; ask whoever runs the PBX whether it sends a BYE when it \
                     is notified, and the carrier why the call went on.",
    }
}

pub(super) fn long_conversation(max_call_seconds: u32) -> Wording {
    Wording {
        id: "long-conversation",
        title: "Conversations longer than a call may be",
        unit: "answered transfers",
        rule: format!(
            "From the parent's start to the child's end: more than policy.max_call_seconds, \
             {max_call_seconds} s."
        ),
        why: "Each record alone is plausible, or it would wait as invalid-duration. \
              Together they are not: a transfer that nobody hung up, or fraud.",
        what_to_do: "Ask both sides whether the call took place, before it is on an invoice.",
    }
}

pub(super) fn short_duration() -> Wording {
    Wording {
        id: "short-duration",
        title: "Calls billed for far less than they lasted",
        unit: "answered calls of a minute or more",
        rule: format!(
            "From start_time to end_time it is more than {TIMES} times the duration and {} s of \
             ringing; or {TIMES} times the duration and {} s, \
             where that holds for at least {MANY} calls and half of all. \
             They are billed as the record says.",
            LONGEST_RINGING / SECOND,
            RINGING / SECOND
        ),
        why: "A duration in minutes is billed as so many seconds: a sixtieth of what is owed.",
        what_to_do: "Look at the duration beside the two times in the export. \
                     If it is in minutes, undo the run with `trunkrate undo`, export seconds, \
                     and run again.",
    }
}

pub(super) fn bogus_date() -> Wording {
    Wording {
        id: "bogus-date",
        title: "Calls that start when they cannot",
        unit: "booked calls",
        rule:
            "The start is before 2000, or more than a day after the newest start that is believed."
                .to_owned(),
        why: "A call of 1970 or 2062 is on the invoice of a month that nobody issues, \
              or of one that is closed. A clock was wrong, or the date stands for none.",
        what_to_do: "Ask the carrier when the calls were; \
                     undo the run with `trunkrate undo` and run the mended export.",
    }
}

pub(super) fn mangled_caller() -> Wording {
    Wording {
        id: "mangled-caller",
        title: "Callers that were numbers once",
        unit: "billed calls that are no transfers",
        rule: "The caller has seven digits or more, or an exponent, \
               and is no number (+ and 7 to 15 digits): \
               by policy.mangled_caller = \"unknown\" such a call is billed with an unknown \
               origin. Or it is a SIP endpoint whose user is seven digits or more without +, \
               which has none either."
            .to_owned(),
        why: "Prices hang on the origin: that of an unknown one may be twice that of the caller's \
              own.",
        what_to_do: "Export numbers as text, in the form +442079460110.",
    }
}

pub(super) fn short_prefix() -> Wording {
    Wording {
        id: "short-prefix",
        title: "Prices that fell back to a short prefix",
        unit: "legs",
        rule: "A destination prefix of at most two digits, \
               where the deck has a longer one in force that agrees with the number in one more \
               digit; in North America in the area code."
            .to_owned(),
        why: "A row for this range may be missing, may have ended, or may be for other origins. \
              Then the price is that of another network.",
        what_to_do: "Ask the deck with `trunkrate rates lookup`: it says which rows lost, and why.",
    }
}

pub(super) fn zero_amount() -> Wording {
    Wording {
        id: "zero-amount",
        title: "Legs that cost nothing",
        unit: "legs",
        rule: "Billed seconds, and an amount of zero.".to_owned(),
        why: "A price of zero is a gift or was forgotten; \
              an amount may also be below the last decimal that is kept.",
        what_to_do: "Look at the row of the deck with `trunkrate rerate`; \
                     if it is meant, nothing is to be done.",
    }
}

pub(super) fn carrier_price() -> Wording {
    Wording {
        id: "carrier-price",
        title: "The carrier's price is not ours",
        unit: "calls with a charge of the carrier in our currency",
        rule: "The price in the carrier's record and the sum of our legs differ in any decimal. \
             A price without a unit is taken as in our currency; \
             one in another currency or without a minus is not compared."
            .to_owned(),
        why: "If what is billed is what the carrier charges, one of the two is wrong. \
              If it is meant to differ, the sums show the margin.",
        what_to_do: "Explain the call with the command beside it, \
                     and compare the deck with the carrier's price list of that day.",
    }
}

pub(super) fn carrier_unreadable() -> Wording {
    Wording {
        id: "carrier-unreadable",
        title: "Prices of the carrier that are none",
        unit: "records with a price of the carrier",
        rule: "The price is no plain decimal number, such as -0.0100. \
               The call log has none for these calls, and nothing is compared."
            .to_owned(),
        why: "A decimal comma, a currency sign, brackets or an exponent: \
              a program wrote the price anew. What the carrier charges is not known here.",
        what_to_do: "Export the price as the carrier has it; a later export fills it in.",
    }
}

pub(super) fn carrier_currency() -> Wording {
    Wording {
        id: "carrier-currency",
        title: "Prices of the carrier in another currency",
        unit: "records with a price of the carrier",
        rule: "price_unit is not the currency of the deck that prices the account. \
               No difference is shown for these calls; where there are more than ten, \
               for no call of their accounts."
            .to_owned(),
        why: "Two currencies are never subtracted. If the carrier bills the account in the deck's \
              currency, the deck or the export is wrong.",
        what_to_do: "If the carrier's currency is another one than yours, nothing is to be done.",
    }
}

pub(super) fn carrier_credit() -> Wording {
    Wording {
        id: "carrier-credit",
        title: "Prices of the carrier without a minus",
        unit: "calls with a price of the carrier",
        rule: "The carrier's price is positive. In its records a charge is negative; \
               these are set beside nothing."
            .to_owned(),
        why: "It is a refund, which no deck knows, or an export that lost the sign.",
        what_to_do: "Ask the carrier which of the two it is.",
    }
}
