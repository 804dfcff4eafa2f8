//! Details: the words beside a reason, with the values found in this record and those expected.
//!
//! **Invariant:** a detail decides nothing. It is made once, for a record that is suspended
//! already, from its text.
//!
//! Next: `fields`, the finding for one field; [`crate::advice`], the way out.

pub mod fields;

use crate::advice::mark;
use crate::deck::Deck;
use crate::family::Earlier;
use crate::night::{Night, Tariff, TrunkFact, settings_trunk};
use crate::policy::Policy;
use crate::rating::{Parties, cells, find_rate, plan, settle_target, target_party};
use crate::record::{Field, Fields, Record};
use crate::reject::Reason;
use crate::scenario::{Scenario, TransferScenario};
use crate::target::Asked;
use crate::time;
use crate::trunk::Trunks;
use serde::{Deserialize, Serialize};

/// The input of a detail.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// The records of the run.
    pub calls: &'a crate::call::Calls,
    /// The end of each record.
    pub night: &'a Night,
    /// The calls of earlier runs.
    pub earlier: &'a Earlier,
    /// The tariff that they were rated with.
    pub tariff: &'a Tariff<'a>,
}

/// The part of a detail that the record's own text does not give. It is taken while the record's
/// family is in memory; the text is read again later, once for all suspended records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The trunk that its transfer went by, if that matters.
    trunk: Box<str>,
    /// The leg that has no row, if that is the reason.
    unpriced: Box<str>,
    /// True if an earlier run booked another version of the call.
    is_booked: bool,
}

impl Case<'_> {
    /// The facts that the detail of a suspended record needs.
    #[must_use]
    pub fn facts(&self, record: usize, reason: Reason) -> Facts {
        let mut facts = Facts::default();
        match reason {
            Reason::InvalidTarget
            | Reason::UnknownTrunk
            | Reason::TransferDisabled
            | Reason::PstnTransferDisabled => {
                facts.trunk = self.trunk_text(record).into();
            }
            Reason::NoRate => facts.unpriced = self.no_rate_detail(record).into(),
            Reason::ConflictingDuplicate => {
                facts.is_booked = self.earlier.call(self.calls.sid[record]).is_some();
            }
            _ => {}
        }
        facts
    }

    /// The trunk that a transfer went by; a child's own if its root is not known.
    fn trunk_text(&self, record: usize) -> &str {
        let root = self
            .night
            .root_of(self.calls, record)
            .map(|root| self.night.root_facts(self.calls, self.earlier, root));
        let trunk =
            root.map_or(self.calls.trunk[record], |root| settings_trunk(self.calls, record, &root));
        self.calls.trunks.text(trunk)
    }

    /// The leg that has no row, in words.
    fn no_rate_detail(&self, record: usize) -> String {
        let Some((_, deck)) = self.tariff.deck_of(self.calls.account[record]) else {
            return "no deck prices this account: it names none, and there is no deck `default`"
                .to_owned();
        };
        let missing = self
            .scene(record)
            .and_then(|(scenario, parties)| self.unpriced_leg(record, deck, scenario, &parties));
        missing.unwrap_or_else(|| format!("the deck `{}` has no row for it", deck.name))
    }

    fn scene(&self, record: usize) -> Option<(Scenario, Parties)> {
        let Some(child) = self.calls.child_of(record) else {
            let parties = Parties { a: self.calls.from[record], b: self.calls.to[record], c: None };
            return Some((Scenario::Root(self.calls.direction[record].side()?), parties));
        };
        let root = self.night.root_facts(
            self.calls,
            self.earlier,
            self.night.root_of(self.calls, record)?,
        );
        let trunk = TrunkFact::of(self.trunk_text(record), self.tariff.trunks);
        let target = settle_target(self.calls, record, trunk.domain, self.tariff.policy);
        let c = target_party(child.asked, &target)?;
        Some((
            Scenario::Transfer(TransferScenario::of(root.direction, target.kind()?)),
            Parties { a: root.a, b: root.b, c: Some(c) },
        ))
    }

    fn unpriced_leg(
        &self,
        record: usize,
        deck: &Deck,
        scenario: Scenario,
        parties: &Parties,
    ) -> Option<String> {
        let (cells, count) = cells(scenario);
        let start = self.calls.start[record];
        cells[..count].iter().find_map(|cell| {
            let leg =
                plan(*cell, parties, &self.calls.parties, &self.tariff.policy.withheld_numbers)?;
            if find_rate(deck, &leg, start).is_some() {
                return None;
            }
            let origin = leg
                .origin
                .map_or_else(|| "an unknown origin".to_owned(), |number| number.to_string());
            Some(format!(
                "{cell}: the deck `{}` has no {} row for {} from {origin} at {}",
                deck.name,
                leg.service,
                leg.rated,
                time::text(start)
            ))
        })
    }
}

impl Facts {
    /// The detail of a suspended record that could be read, from its fields. (For one that could
    /// not, its reader gives the cause.)
    #[must_use]
    pub fn detail(
        &self,
        reason: Reason,
        fields: &Fields<'_>,
        policy: &Policy,
        trunks: Option<&Trunks>,
    ) -> String {
        let typed = Record::read(fields, policy);
        let parent = fields.get(Field::ParentCallSid);
        match reason {
            Reason::MalformedRecord => {
                "the text is no record under its header: expected one value per column, in UTF-8"
                    .to_owned()
            }
            Reason::MissingField => {
                let field = typed.missing_field(fields).map_or("direction", Field::as_str);
                format!("`{field}` is empty")
            }
            Reason::UnknownDirection => {
                let text = fields.get(Field::Direction);
                let others = policy.other_directions.join(", ");
                format!(
                    "direction is `{text}`; expected trunking-terminating or trunking-originating \
                     (or of other calls: {others})"
                )
            }
            Reason::InvalidTime => fields::invalid_time(fields, policy),
            Reason::InvalidDuration => fields::invalid_duration(&typed, fields, policy),
            Reason::NotFinal => {
                format!(
                    "status is `{}`; expected completed, busy, failed, no-answer or canceled",
                    fields.get(Field::Status)
                )
            }
            Reason::ConflictingDuplicate if self.is_booked => {
                format!("{} of this call says something else", mark::BOOKED)
            }
            Reason::ConflictingDuplicate => {
                "another version of this call says something else".to_owned()
            }
            Reason::InvalidNumber => fields::invalid_number(fields),
            Reason::ParentMissing => format!("the parent {parent} was not seen yet"),
            Reason::ParentNeverArrived => {
                format!("the parent {parent} was not seen for {} days", policy.parent_wait_days)
            }
            Reason::ParentCycle => {
                format!("following parents from {parent} leads back to this call")
            }
            Reason::ParentSuspended => format!("the parent {parent} is in suspense"),
            Reason::ParentAccountMismatch => {
                format!(
                    "the parent {parent} belongs to another account than {}",
                    fields.get(Field::AccountSid)
                )
            }
            Reason::ChildBeforeParent => {
                format!(
                    "it starts at {}, over 60 s before its parent {parent}",
                    time::text(typed.start)
                )
            }
            Reason::ChainedTransfer => format!("its parent {parent} is itself a transferred call"),
            Reason::AmbiguousTarget => {
                let to = typed.target;
                format!(
                    "to is `{to}`, at one of the carrier's own hosts: \
                     it says neither PSTN nor SIP, and there is no refer_to"
                )
            }
            Reason::InvalidTarget | Reason::EmergencyTarget => {
                self.target_detail(reason, typed.target, trunks)
            }
            Reason::UnknownTrunk => format!("the trunks file has no trunk {}", self.trunk),
            Reason::TransferDisabled => format!("the trunk {} allows no transfers", self.trunk),
            Reason::PstnTransferDisabled => {
                format!("the trunk {} allows transfers to SIP only", self.trunk)
            }
            Reason::UnlistedAccount => {
                format!("the accounts file does not list {}", fields.get(Field::AccountSid))
            }
            Reason::NoRate => self.unpriced.to_string(),
        }
    }

    fn target_detail(&self, reason: Reason, text: &str, trunks: Option<&Trunks>) -> String {
        if reason == Reason::EmergencyTarget {
            return format!(
                "the target `{text}` is an emergency number; the carrier does not support that"
            );
        }
        let trunk = TrunkFact::of(&self.trunk, trunks);
        match Asked::parse(text).decide(trunk.domain) {
            crate::target::Target::Invalid(why) => format!("the target `{text}`: {why}"),
            _ => format!("the target `{text}` is no number and no SIP address"),
        }
    }
}
