//! Reasons that a record cannot be billed now.
//!
//! **Invariant:** the order of [`Reason`] is the order of the contract: of all reasons that hold,
//! the first is given, so one record always gives one reason, whatever else is wrong with it.
//!
//! | reason | what it says | the way out |
//! |---|---|---|
//! | `malformed-record` | the text is no record: columns missing or left over, broken quotes or JSON, no UTF-8 | ask for the export again |
//! | `missing-field` | a required field is empty | ask for the export again |
//! | `unknown-direction` | the direction of a root is no word that is known | ask what it is; `input.other_directions` |
//! | `invalid-time` | a time is neither RFC 2822 nor ISO 8601, has no offset, or is no time of its clock | set `input.timezone`, or mend the export |
//! | `invalid-duration` | negative, not a plain decimal number, too long, longer than the call, or missing | ask the carrier |
//! | `not-final` | the call was still going on | wait: its final record replaces it |
//! | `conflicting-duplicate` | the same `sid` with other content | find out which is right |
//! | `invalid-number` | the rated number of a root is no number | ask the carrier |
//! | `parent-missing` | the parent was not seen yet | wait: the next exports may bring it |
//! | `parent-never-arrived` | the parent was not seen for `policy.parent_wait_days` | ask for the parent's export |
//! | `parent-cycle` | the call is its own ancestor | ask the carrier |
//! | `parent-suspended` | the parent is in suspense | settle the parent first |
//! | `parent-account-mismatch` | parent and child belong to two accounts | ask the carrier |
//! | `child-before-parent` | the child starts over 60 s before its parent | ask the carrier |
//! | `chained-transfer` | the parent is itself a child | set `policy.chained_transfers` |
//! | `invalid-target` | the transfer target is neither a number nor a SIP address | look at the Refer-To value |
//! | `ambiguous-target` | a SIP address at one of the carrier's own hosts: it says neither PSTN nor SIP | set `policy.internal_targets`, or export `refer_to` |
//! | `emergency-target` | a transfer to 911 or 933, which the carrier does not support | ask the carrier |
//! | `unknown-trunk` | the trunks file lacks the trunk | get the trunk list again |
//! | `transfer-disabled` | the trunk allows no transfers | check the trunk list's date |
//! | `pstn-transfer-disabled` | the trunk allows transfers to SIP only | check the trunk list's date |
//! | `unlisted-account` | the accounts file lacks the account, and `policy.unlisted_accounts` is `suspend` | list it |
//! | `no-rate` | the deck has no row for a leg | mend the deck |

use serde::{Deserialize, Serialize};
use std::fmt;

/// The reason that a record is suspended, in order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
#[allow(missing_docs, reason = "the table at the head of this module says what each one means")]
pub enum Reason {
    MalformedRecord = 1,
    MissingField,
    UnknownDirection,
    InvalidTime,
    InvalidDuration,
    NotFinal,
    ConflictingDuplicate,
    InvalidNumber,
    ParentMissing,
    ParentNeverArrived,
    ParentCycle,
    ParentSuspended,
    ParentAccountMismatch,
    ChildBeforeParent,
    ChainedTransfer,
    InvalidTarget,
    AmbiguousTarget,
    EmergencyTarget,
    UnknownTrunk,
    TransferDisabled,
    PstnTransferDisabled,
    UnlistedAccount,
    NoRate,
}

impl Reason {
    /// Every reason, first to last.
    pub const ALL: [Self; 23] = [
        Self::MalformedRecord,
        Self::MissingField,
        Self::UnknownDirection,
        Self::InvalidTime,
        Self::InvalidDuration,
        Self::NotFinal,
        Self::ConflictingDuplicate,
        Self::InvalidNumber,
        Self::ParentMissing,
        Self::ParentNeverArrived,
        Self::ParentCycle,
        Self::ParentSuspended,
        Self::ParentAccountMismatch,
        Self::ChildBeforeParent,
        Self::ChainedTransfer,
        Self::InvalidTarget,
        Self::AmbiguousTarget,
        Self::EmergencyTarget,
        Self::UnknownTrunk,
        Self::TransferDisabled,
        Self::PstnTransferDisabled,
        Self::UnlistedAccount,
        Self::NoRate,
    ];

    /// The name in every output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MalformedRecord => "malformed-record",
            Self::MissingField => "missing-field",
            Self::UnknownDirection => "unknown-direction",
            Self::InvalidTime => "invalid-time",
            Self::InvalidDuration => "invalid-duration",
            Self::NotFinal => "not-final",
            Self::ConflictingDuplicate => "conflicting-duplicate",
            Self::InvalidNumber => "invalid-number",
            Self::ParentMissing => "parent-missing",
            Self::ParentNeverArrived => "parent-never-arrived",
            Self::ParentCycle => "parent-cycle",
            Self::ParentSuspended => "parent-suspended",
            Self::ParentAccountMismatch => "parent-account-mismatch",
            Self::ChildBeforeParent => "child-before-parent",
            Self::ChainedTransfer => "chained-transfer",
            Self::InvalidTarget => "invalid-target",
            Self::AmbiguousTarget => "ambiguous-target",
            Self::EmergencyTarget => "emergency-target",
            Self::UnknownTrunk => "unknown-trunk",
            Self::TransferDisabled => "transfer-disabled",
            Self::PstnTransferDisabled => "pstn-transfer-disabled",
            Self::UnlistedAccount => "unlisted-account",
            Self::NoRate => "no-rate",
        }
    }

    /// Reads the name back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }

    /// The way out in one sentence, for a reason alone: [`crate::advice::hint`] may know a finer
    /// one.
    #[must_use]
    pub const fn hint(self) -> &'static str {
        match self {
            Self::MalformedRecord | Self::MissingField => "ask for this part of the export again",
            Self::UnknownDirection => {
                "if calls of this direction are no trunk calls, \
                 add the word to `input.other_directions`; else fix the export"
            }
            Self::InvalidTime => {
                "mend the export: times in UTC or with an offset, such as 2026-11-20T10:00:00Z"
            }
            Self::InvalidDuration => {
                "ask the carrier for the record again, or raise `policy.max_call_seconds`"
            }
            Self::NotFinal => "nothing: the call's final record replaces this one when it arrives",
            Self::ConflictingDuplicate => {
                "compare the versions by `trunkrate suspense show`, \
                 and ask the carrier which is right; `suspense resolve` takes it"
            }
            Self::InvalidNumber => "ask the carrier which number was called",
            Self::ParentMissing => "nothing yet: the next exports may bring the parent",
            Self::ParentNeverArrived => "ask the carrier for the export that holds the parent",
            Self::ParentCycle | Self::ParentAccountMismatch | Self::ChildBeforeParent => {
                "ask the carrier: the family is inconsistent"
            }
            Self::ParentSuspended => "settle the parent first; this record follows by itself",
            Self::ChainedTransfer => {
                "set `policy.chained_transfers = \"root\"` to bill it as a child of the root call"
            }
            Self::InvalidTarget => "look at the value with `trunkrate classify`",
            Self::AmbiguousTarget => {
                "export `refer_to`, or decide with `policy.internal_targets = \"pstn\"` or \
                 `\"sip\"`"
            }
            Self::EmergencyTarget => {
                "ask the carrier: it does not support transfers to emergency numbers"
            }
            Self::UnknownTrunk => "fetch the carrier's trunk list again",
            Self::TransferDisabled | Self::PstnTransferDisabled => {
                "compare the trunk list's date with the call's"
            }
            Self::UnlistedAccount => "add the account to the accounts file",
            Self::NoRate => "look at the number with `trunkrate rates lookup`, then mend the deck",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_stand_in_order_and_read_back() {
        assert!(Reason::ALL.is_sorted());
        for (place, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, place + 1);
            assert_eq!(Reason::parse(reason.as_str()), Some(reason));
        }
    }
}
