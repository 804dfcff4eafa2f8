//! Suspended records: what is kept of them until they are written with their texts.
//!
//! **Invariant:** a record is kept as it came. What another copy or version of it knew beside, its price, and the parent that the
//! ledger knew, are kept next to it.

use super::{Intake, PartJob, Session};
use crate::call::{DirectionField, NONE, PartyRef};
use crate::detail::{Case, Facts};
use crate::family::Link;
use crate::io::FileError;
use crate::io::calls::{SourceText, Spot};
use crate::io::inputs::Inputs;
use crate::io::ledger::frames::{KeptParent, KeptPrice, SuspenseRow};
use crate::record::Field;
use crate::reject::Reason;
use crate::time;

/// A suspended record, without its text.
#[derive(Debug)]
pub(super) struct Suspended {
    /// Where its text is: of several copies, that of the one with the price is kept, and read again with it.
    pub(super) spot: Spot,
    /// Where its price is, if that stands in no text with its content: in that of a version which lacks something.
    price: Option<Spot>,
    number: u32,
    reason: Reason,
    content: u64,
    seconds: u32,
    facts: Facts,
    parent: Option<Box<KeptParent>>,
}

impl Intake {
    /// Whether a record that is taken up again has a price beside its text.
    fn has_kept_price(&self, number: u32) -> bool {
        self.reading.waiting.get(number as usize).is_some_and(|waiting| waiting.price.is_some())
    }
}

impl PartJob<'_> {
    pub(super) fn suspended(&self, case: &Case<'_>, record: usize, reason: Reason) -> Suspended {
        let calls = case.calls;
        // The text of the copy that has the price, unless it is a version that lacks something.
        let priced = case.night.families.with_price(u32::try_from(record).unwrap_or(NONE)) as usize;
        let kept = if calls.content[priced] == calls.content[record] { priced } else { record };
        let spot = |record: usize| Spot { number: calls.number[record], place: calls.place[record] };
        let stands_elsewhere = priced != kept || self.intake.has_kept_price(calls.number[kept]);
        Suspended {
            spot: spot(kept),
            price: stands_elsewhere.then(|| spot(priced)),
            number: calls.number[record],
            reason,
            content: calls.content[record],
            seconds: calls.duration[record],
            facts: case.facts(record, reason),
            parent: self.kept_parent(case, record).map(Box::new),
        }
    }

    /// The parent of a child, if an earlier run booked it.
    fn kept_parent(&self, case: &Case<'_>, record: usize) -> Option<KeptParent> {
        let calls = case.calls;
        let Link::Booked(index) = *case.night.families.link.get(calls.child[record] as usize)? else { return None };
        let parent = self.earlier.parent_at(index);
        let party = |party: PartyRef| {
            let mut text = String::new();
            party.push_to(&calls.parties, &mut text);
            text
        };
        Some(KeptParent {
            account: calls.accounts.text(parent.account).to_owned(),
            start: parent.start,
            is_child: parent.is_child,
            root_sid: calls.odd_sids.text(parent.root.sid).to_string(),
            root_direction: DirectionField::from(parent.root.direction).as_str().to_owned(),
            root_from: party(parent.root.a),
            root_to: party(parent.root.b),
            root_trunk: calls.trunks.text(parent.root.trunk).to_owned(),
        })
    }
}

impl Session {
    /// The suspended records, with their texts and details.
    ///
    /// # Errors
    /// If a source file cannot be read again.
    pub(super) fn suspense(&self) -> Result<Vec<SuspenseRow>, FileError> {
        let spots: Vec<Spot> = self.ends.suspended.iter().map(|record| record.spot).collect();
        let texts = self.reading.texts_of(&spots)?;
        let newest = self.newest_start.map(time::text).unwrap_or_default();
        let mut rows: Vec<SuspenseRow> =
            self.ends.suspended.iter().zip(texts).map(|(record, text)| self.suspense_row(record, text, &newest)).collect();
        let mut prices: Vec<(usize, Spot)> =
            self.ends.suspended.iter().enumerate().filter_map(|(at, record)| Some((at, record.price?))).collect();
        // Texts are read in the order in which they stand.
        prices.sort_unstable_by_key(|(_, spot)| *spot);
        let texts = self.reading.texts_of(&prices.iter().map(|(_, spot)| *spot).collect::<Vec<_>>())?;
        for ((at, spot), text) in prices.into_iter().zip(texts) {
            let kept = self.reading.waiting.get(spot.number as usize).and_then(|waiting| waiting.price.clone());
            rows[at].price = kept.or_else(|| KeptPrice::of(&text));
        }
        Ok(rows)
    }

    fn suspense_row(&self, record: &Suspended, text: SourceText, newest: &str) -> SuspenseRow {
        let waiting = self.reading.waiting.get(record.number as usize);
        let [call_sid, parent_call_sid, account_sid] = text.with_fields(|fields| {
            let fields = fields.filter(|_| record.reason != Reason::MalformedRecord);
            [Field::Sid, Field::ParentCallSid, Field::AccountSid]
                .map(|field| fields.map(|fields| fields.get(field).to_owned()).unwrap_or_default())
        });
        SuspenseRow {
            call_sid,
            parent_call_sid,
            account_sid,
            reason: record.reason.as_str().to_owned(),
            detail: detail(&text, record.reason, &record.facts, &self.inputs),
            source_file: text.file,
            source_line: text.line,
            first_seen: waiting.map_or_else(|| newest.to_owned(), |w| w.first_seen.clone()),
            tries: waiting.map_or(1, |w| w.tries.saturating_add(1)),
            record: text.record,
            header: text.format.header(),
            content: record.content,
            seconds: record.seconds,
            close_reason: String::new(),
            parent: record.parent.as_deref().cloned(),
            price: None,
        }
    }
}

/// The detail of a suspended record, from its text.
pub(super) fn detail(text: &SourceText, reason: Reason, facts: &Facts, inputs: &Inputs) -> String {
    let trunks = inputs.trunks.as_ref().map(|(trunks, _)| trunks);
    // Of a record that was malformed in its file no field is taken, though it may look readable alone.
    text.with_fields(|fields| match fields.filter(|_| reason != Reason::MalformedRecord) {
        Some(fields) => facts.detail(reason, fields, &inputs.policy, trunks),
        None => text.why_malformed(),
    })
}
