//! Calls as columns: the records of a night, read and typed.
//!
//! ```text
//! Calls                    one entry per record, in the order of reading
//! ├── sid, content         who it is, and a fingerprint of what it says
//! ├── account, trunk       ids of texts
//! ├── direction, status    a byte each
//! ├── from, to             a number in 64 bits, or the id of a text
//! ├── start, end, duration
//! ├── reason               what is wrong with the record itself, if anything
//! ├── place                where its text stands in its source
//! └── child → Child        the parent's sid and the transfer target, for one record in six
//! ```
//!
//! **Invariant:** a record costs about 110 bytes and no heap object; texts that repeat are kept
//! once. Next: [`crate::record`] fills the columns, [`crate::family`] joins them.

mod price;

use crate::fit::must_fit;
use crate::intern::Interner;
use crate::party::Party;
use crate::party_ref::{AskedRef, PartyRef};
use crate::record::{FieldSet, Record, direction_meaning};
use crate::reject::Reason;
use crate::sid::{OddSids, Sid, SidText};
use crate::status::{DirectionField, Status};
use crate::target::{Asked, UserPart};
use crate::time::Micros;
use crate::time::NO_TIME;

pub use price::{CurrencyCode, PriceRef};

/// The value for "none" in a column of `u32`.
pub const NONE: u32 = u32::MAX;

/// The columns that only a child has.
#[derive(Debug, Clone, Copy)]
pub struct Child {
    /// The parent's id.
    pub parent: Sid,
    /// The transfer target, as far as its text says it.
    pub asked: AskedRef,
    /// Id of the text of its own direction, which decides nothing.
    pub direction: u32,
    /// Hashes of its own `from` and `to`, which decide only whether two versions are one.
    pub own_parties: [u32; 2],
}

/// The records of a night, one column per field.
#[derive(Debug, Clone, Default)]
pub struct Calls {
    /// The call's id; empty if it has none.
    pub sid: Vec<Sid>,
    /// A fingerprint of all fields but the price (for a record that cannot be read: of its text).
    pub content: Vec<u64>,
    /// Id of the account's text.
    pub account: Vec<u32>,
    /// Id of the trunk's text.
    pub trunk: Vec<u32>,
    /// The direction.
    pub direction: Vec<DirectionField>,
    /// The status.
    pub status: Vec<Status>,
    /// A, of a root.
    pub from: Vec<PartyRef>,
    /// B, of a root.
    pub to: Vec<PartyRef>,
    /// Its start.
    pub start: Vec<Micros>,
    /// Its end; [`Calls::NO_TIME`] if the record does not give it.
    pub end: Vec<Micros>,
    /// Its answer time; [`Calls::NO_TIME`] if the record does not give it.
    pub answer: Vec<Micros>,
    /// The fields that were not empty.
    pub filled: Vec<FieldSet>,
    /// Whole seconds from answer to end.
    pub duration: Vec<u32>,
    /// The carrier's own price.
    pub price: Vec<PriceRef>,
    /// The fault of the record itself, if any.
    pub reason: Vec<Option<Reason>>,
    /// The place of its text in its source.
    pub place: Vec<u32>,
    /// Its number in the run: the order of files and lines, retried records first.
    pub number: Vec<u32>,
    /// Index of its [`Child`], or [`NONE`].
    pub child: Vec<u32>,
    /// The children's own columns.
    pub children: Vec<Child>,
    /// Texts of ids in another form than the carrier's.
    pub odd_sids: OddSids,
    /// Texts of accounts.
    pub accounts: Interner,
    /// Texts of trunks.
    pub trunks: Interner,
    /// Texts of parties that are not numbers.
    pub parties: Interner,
    /// Texts of children's directions.
    pub directions: Interner,
}

impl Calls {
    /// The value for "not given" in a column of times.
    pub const NO_TIME: Micros = NO_TIME;

    /// Reserves space for this many more records.
    pub fn reserve(&mut self, records: usize) {
        self.sid.reserve(records);
        self.content.reserve(records);
        for column in [
            &mut self.account,
            &mut self.trunk,
            &mut self.duration,
            &mut self.place,
            &mut self.number,
            &mut self.child,
        ] {
            column.reserve(records);
        }
        self.direction.reserve(records);
        self.status.reserve(records);
        self.from.reserve(records);
        self.to.reserve(records);
        self.start.reserve(records);
        self.end.reserve(records);
        self.answer.reserve(records);
        self.filled.reserve(records);
        self.price.reserve(records);
        self.reason.reserve(records);
    }

    /// The number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sid.len()
    }

    /// True if there are no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sid.is_empty()
    }

    /// Asserts that all columns have the same length: a column that lacks a row would give each
    /// later record the value of another.
    ///
    /// # Panics
    /// If they differ.
    pub fn check(&self) {
        let Self {
            sid,
            content,
            account,
            trunk,
            direction,
            status,
            from,
            to,
            start,
            end,
            answer,
            filled,
            ..
        } = self;
        let Self { duration, price, reason, place, number, child, .. } = self;
        let words = [account, trunk, duration, place, number, child].map(Vec::len);
        let others = [
            sid.len(),
            content.len(),
            direction.len(),
            status.len(),
            from.len(),
            to.len(),
            start.len(),
            end.len(),
        ];
        let few = [answer.len(), filled.len(), price.len(), reason.len()];
        let of_one_length = |lengths: &[usize]| lengths.iter().all(|length| *length == sid.len());
        assert!(
            of_one_length(&words) && of_one_length(&others) && of_one_length(&few),
            "columns of one length"
        );
        assert!(self.children.len() <= sid.len(), "a child is a record");
    }

    /// Adds a record; `place` is the place of its text in the source.
    pub fn push(&mut self, record: &Record<'_>, place: u32) {
        let account = self.accounts.id(record.account_sid);
        let trunk = self.trunks.id(record.trunk_sid);
        self.push_known(record, [account, trunk], place);
    }

    /// Adds a record whose account and trunk have ids already, in these calls.
    pub fn push_known(&mut self, record: &Record<'_>, [account, trunk]: [u32; 2], place: u32) {
        let child = if record.parent_sid.is_empty() {
            NONE
        } else {
            let asked = self.pack_target(record);
            let parent = self.odd_sids.sid(record.parent_sid);
            let direction = match record.direction.as_str() {
                "" => self.directions.id(&direction_meaning(record.direction_text)),
                word => self.directions.id(word),
            };
            self.children.push(Child { parent, asked, direction, own_parties: record.own_parties });
            must_fit(self.children.len() - 1, "children are counted in 32 bits")
        };
        let (from, to) = if child == NONE {
            (Party::of_root(record.from), Party::of_root(record.to))
        } else {
            (Party::Unknown("".into()), Party::Unknown("".into()))
        };
        self.sid.push(self.odd_sids.sid(record.sid));
        self.content.push(record.content);
        self.account.push(account);
        self.trunk.push(trunk);
        self.direction.push(record.direction);
        self.status.push(record.status);
        self.from.push(PartyRef::pack(&from, &mut self.parties));
        self.to.push(PartyRef::pack(&to, &mut self.parties));
        self.start.push(record.start);
        self.end.push(record.end);
        self.answer.push(record.answer);
        self.filled.push(record.filled);
        self.duration.push(record.duration);
        self.price.push(PriceRef::of(record.price, record.price_unit));
        self.reason.push(record.reason);
        self.place.push(place);
        self.number.push(must_fit(self.number.len(), "records are counted in 32 bits"));
        self.child.push(child);
    }

    fn pack_target(&mut self, record: &Record<'_>) -> AskedRef {
        // The same as `Asked::parse`, without a text of its own.
        if let Some(plain) = record.plain_target {
            return AskedRef::Sip(self.parties.id(plain.endpoint), UserPart::of_plain(plain));
        }
        match Asked::parse(record.target) {
            Asked::Number(number) => AskedRef::Number(number),
            Asked::Emergency(emergency) => AskedRef::Emergency(emergency),
            Asked::Sip { endpoint, user } => AskedRef::Sip(self.parties.id(&endpoint), user),
            Asked::Invalid(_) => AskedRef::Invalid,
        }
    }

    /// The child columns of a record, if it is a child.
    #[must_use]
    pub fn child_of(&self, record: usize) -> Option<&Child> {
        self.children.get(self.child[record] as usize)
    }

    /// The text of a record's id.
    #[must_use]
    pub fn sid_text(&self, record: usize) -> SidText<'_> {
        self.odd_sids.text(self.sid[record])
    }
}
