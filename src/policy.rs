//! Policy: the choices that the page leaves to the one who bills.
//!
//! **Invariant:** the kernel reads its choices here and nowhere else; every one has the contract's default.

use crate::money::LegRule;
use crate::time::Zone;
use std::collections::BTreeMap;

/// What becomes of a child of a child (`policy.chained_transfers`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChainedTransfers {
    /// Suspended as `chained-transfer`: the page says nothing of it. The default.
    #[default]
    Suspend,
    /// Billed and logged as a child of the root call.
    Root,
}

/// The choices of one run.
#[derive(Debug, Clone)]
pub struct Policy {
    /// What becomes of a child of a child.
    pub chained_transfers: ChainedTransfers,
    /// Longest plausible call, in seconds.
    pub max_call_seconds: u32,
    /// Days after which a parent that did not arrive is given up.
    pub parent_wait_days: u32,
    /// The rounding of a leg.
    pub leg_rule: LegRule,
    /// The zone of times that come without an offset.
    pub zone: Option<Zone>,
}

impl Policy {
    /// Every choice by its name in the configuration.
    #[must_use]
    pub fn words(&self) -> BTreeMap<String, String> {
        let chained = match self.chained_transfers {
            ChainedTransfers::Suspend => "suspend",
            ChainedTransfers::Root => "root",
        };
        let words = [
            ("policy.chained_transfers", chained.to_owned()),
            ("policy.max_call_seconds", self.max_call_seconds.to_string()),
            ("policy.parent_wait_days", self.parent_wait_days.to_string()),
            ("money.leg_decimals", self.leg_rule.decimals.to_string()),
            ("money.leg_rounding", self.leg_rule.rounding.as_str().to_owned()),
            ("input.timezone", self.zone.as_ref().map(Zone::name).unwrap_or_default()),
        ];
        words.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            chained_transfers: ChainedTransfers::default(),
            max_call_seconds: 86_400,
            parent_wait_days: 7,
            leg_rule: LegRule::default(),
            zone: None,
        }
    }
}
