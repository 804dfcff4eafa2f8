//! Policy: the choices that the carrier's page leaves open.
//!
//! **Invariant:** the kernel reads its choices here and nowhere else; each has the contract's
//! default.

use crate::money::{LegRounding, LegRule};
use crate::party::{FewNumbers, Number};
use crate::set_times::SetTimes;
use crate::time::Zone;
use std::collections::BTreeMap;

/// The treatment of a child of a child (`policy.chained_transfers`).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Deserialize, serde::Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum ChainedTransfers {
    /// Suspended as `chained-transfer`: the page does not cover it. The default.
    #[default]
    Suspend,
    /// Billed and logged as a child of the root call.
    Root,
}

/// The treatment of a root whose caller was a number before a program mangled it
/// (`policy.mangled_caller`).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Deserialize, serde::Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum MangledCaller {
    /// Suspended as `invalid-number`: origin prices depend on the caller. The default.
    #[default]
    Suspend,
    /// Billed with an unknown origin.
    Unknown,
}

/// The meaning of a child's `to` at one of the carrier's own hosts (`policy.internal_targets`).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Deserialize, serde::Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum InternalTargets {
    /// None: suspended as `ambiguous-target`. The default.
    #[default]
    Suspend,
    /// The number in its user part.
    Pstn,
    /// A SIP endpoint.
    Sip,
}

/// The treatment of calls of an account that the accounts file lacks (`policy.unlisted_accounts`).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Deserialize, serde::Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum UnlistedAccounts {
    /// Billed by the default deck, and counted. The default.
    #[default]
    Bill,
    /// Suspended as `unlisted-account`.
    Suspend,
}

/// The treatment of a last line of a plain call file that has no line end (`input.final_newline`).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Deserialize, serde::Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum FinalNewline {
    /// Such a line may have been cut: its record is suspended as `malformed-record`. The default.
    #[default]
    Required,
    /// Such a line counts.
    Optional,
}

/// The carrier's directions that are not a trunk's: a root with one of them is ignored.
pub const OTHER_DIRECTIONS: [&str; 3] = ["inbound", "outbound-api", "outbound-dial"];

/// The numbers that the carrier writes for a withheld caller: ANONYMOUS, RESTRICTED, BLOCKED,
/// UNKNOWN and UNAVAILABLE on a telephone's keypad.
pub const WITHHELD_NUMBERS: [&str; 5] =
    ["+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253"];

/// The words that [`WITHHELD_NUMBERS`] spell, in their order.
pub const WITHHELD_WORDS: [&str; 5] =
    ["ANONYMOUS", "RESTRICTED", "BLOCKED", "UNKNOWN", "UNAVAILABLE"];

/// The carrier's own hosts, as patterns in which `*` stands for one label.
pub const INTERNAL_HOSTS: [&str; 2] = ["public-vip.*.twilio.com", "public-vip.twilio.com"];

/// The choices of one run.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The treatment of a child of a child.
    pub chained_transfers: ChainedTransfers,
    /// Longest plausible call, in seconds.
    pub max_call_seconds: u32,
    /// Days after which a parent that did not arrive is given up.
    pub parent_wait_days: u32,
    /// The rounding of a leg.
    pub leg_rule: LegRule,
    /// The zone of times that come without an offset.
    pub zone: Option<Zone>,
    /// The treatment of a root with a mangled caller.
    pub mangled_caller: MangledCaller,
    /// The meaning of a child's `to` at one of the carrier's own hosts.
    pub internal_targets: InternalTargets,
    /// The treatment of accounts that the accounts file lacks.
    pub unlisted_accounts: UnlistedAccounts,
    /// The treatment of a last line without an end.
    pub final_newline: FinalNewline,
    /// Directions of roots that are not trunk calls, in lower case with `-` between words.
    pub other_directions: Vec<String>,
    /// Hosts of the carrier, in lower case; `*` stands for one label.
    pub internal_hosts: Vec<String>,
    /// Numbers that stand for a withheld caller.
    pub withheld_numbers: FewNumbers,
    /// The largest ratio of unpacked to compressed size of a file (`input.max_ratio`). It decides
    /// no bill, and is not among [`Self::words`].
    pub max_ratio: u32,
    /// True if exports have no transfers: then `parent_call_sid` may be absent (`--no-transfers`).
    pub no_transfers: bool,
    /// Times that a person set. They stand in the manifests of their own runs, and are not among
    /// [`Self::words`].
    pub set_times: SetTimes,
}

impl Policy {
    /// Every choice by its name in the configuration.
    #[must_use]
    pub fn words(&self) -> BTreeMap<String, String> {
        let chained = match self.chained_transfers {
            ChainedTransfers::Suspend => "suspend",
            ChainedTransfers::Root => "root",
        };
        let mangled = match self.mangled_caller {
            MangledCaller::Suspend => "suspend",
            MangledCaller::Unknown => "unknown",
        };
        let internal = match self.internal_targets {
            InternalTargets::Suspend => "suspend",
            InternalTargets::Pstn => "pstn",
            InternalTargets::Sip => "sip",
        };
        let unlisted = match self.unlisted_accounts {
            UnlistedAccounts::Bill => "bill",
            UnlistedAccounts::Suspend => "suspend",
        };
        let newline = match self.final_newline {
            FinalNewline::Required => "required",
            FinalNewline::Optional => "optional",
        };
        let withheld: Vec<String> =
            self.withheld_numbers.iter().map(|number| number.to_string()).collect();
        let words = [
            ("policy.mangled_caller", mangled.to_owned()),
            ("policy.internal_targets", internal.to_owned()),
            ("policy.unlisted_accounts", unlisted.to_owned()),
            ("input.final_newline", newline.to_owned()),
            ("input.other_directions", self.other_directions.join(" ")),
            ("input.internal_hosts", self.internal_hosts.join(" ")),
            ("input.withheld_numbers", withheld.join(" ")),
            ("policy.chained_transfers", chained.to_owned()),
            ("policy.max_call_seconds", self.max_call_seconds.to_string()),
            ("policy.parent_wait_days", self.parent_wait_days.to_string()),
            ("money.leg_decimals", self.leg_rule.decimals.to_string()),
            ("money.leg_rounding", self.leg_rule.rounding.as_str().to_owned()),
            ("input.timezone", self.zone.as_ref().map_or_else(String::new, Zone::name)),
        ];
        words.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The policy that [`Self::words`] gave. A missing word is the default, except that a run from
    /// before withheld numbers were known had none.
    #[must_use]
    pub fn of_words(words: &BTreeMap<String, String>) -> Self {
        let default = Self::default();
        let word = |name: &str| words.get(name).map(String::as_str);
        let list = |name: &str| word(name).map(|text| text.split_whitespace());
        let number = |name: &str, default: u32| {
            word(name).and_then(|text| text.parse().ok()).unwrap_or(default)
        };
        let rounding = [LegRounding::HalfUp, LegRounding::HalfEven, LegRounding::Up]
            .into_iter()
            .find(|rounding| Some(rounding.as_str()) == word("money.leg_rounding"));
        Self {
            chained_transfers: choice(word("policy.chained_transfers")),
            max_call_seconds: number("policy.max_call_seconds", default.max_call_seconds),
            parent_wait_days: number("policy.parent_wait_days", default.parent_wait_days),
            leg_rule: LegRule {
                decimals: number("money.leg_decimals", default.leg_rule.decimals),
                rounding: rounding.unwrap_or(default.leg_rule.rounding),
            },
            zone: word("input.timezone").and_then(Zone::named),
            mangled_caller: choice(word("policy.mangled_caller")),
            internal_targets: choice(word("policy.internal_targets")),
            unlisted_accounts: choice(word("policy.unlisted_accounts")),
            final_newline: choice(word("input.final_newline")),
            other_directions: list("input.other_directions")
                .map_or(default.other_directions, |words| words.map(str::to_owned).collect()),
            internal_hosts: list("input.internal_hosts")
                .map_or(default.internal_hosts, |words| words.map(str::to_owned).collect()),
            withheld_numbers: list("input.withheld_numbers")
                .into_iter()
                .flatten()
                .filter_map(Number::parse)
                .collect(),
            max_ratio: default.max_ratio,
            no_transfers: false,
            set_times: SetTimes::default(),
        }
    }
}

/// The choice that a word of the configuration names; the default if there is none.
#[allow(clippy::disallowed_methods, reason = "a word that is not there stands for the default")]
fn choice<T: Default + for<'a> serde::Deserialize<'a>>(word: Option<&str>) -> T {
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error, StrDeserializer};
    let word: Option<StrDeserializer<'_, Error>> = word.map(IntoDeserializer::into_deserializer);
    word.and_then(|word| T::deserialize(word).ok()).unwrap_or_default()
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            chained_transfers: ChainedTransfers::default(),
            max_call_seconds: 86_400,
            parent_wait_days: 7,
            leg_rule: LegRule::default(),
            zone: None,
            mangled_caller: MangledCaller::default(),
            internal_targets: InternalTargets::default(),
            unlisted_accounts: UnlistedAccounts::default(),
            final_newline: FinalNewline::default(),
            other_directions: OTHER_DIRECTIONS.map(str::to_owned).into(),
            internal_hosts: INTERNAL_HOSTS.map(str::to_owned).into(),
            withheld_numbers: WITHHELD_NUMBERS
                .iter()
                .filter_map(|text| Number::parse(text))
                .collect(),
            max_ratio: 1000,
            no_transfers: false,
            set_times: SetTimes::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_give_the_policy_again() {
        let policies = [
            Policy::default(),
            Policy {
                chained_transfers: ChainedTransfers::Root,
                max_call_seconds: 7,
                parent_wait_days: 1,
                leg_rule: LegRule { decimals: 2, rounding: LegRounding::HalfEven },
                zone: Zone::named("Europe/Berlin"),
                mangled_caller: MangledCaller::Unknown,
                internal_targets: InternalTargets::Pstn,
                unlisted_accounts: UnlistedAccounts::Suspend,
                final_newline: FinalNewline::Optional,
                other_directions: vec!["inbound".to_owned(), "sip-in".to_owned()],
                internal_hosts: Vec::new(),
                withheld_numbers: FewNumbers::default(),
                max_ratio: 1,
                no_transfers: false,
                set_times: SetTimes::default(),
            },
        ];
        for policy in policies {
            let words = policy.words();
            assert_eq!(Policy::of_words(&words).words(), words);
        }
    }
}
