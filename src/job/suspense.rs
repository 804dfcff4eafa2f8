//! Suspended records, kept without their texts until they are written with them.
//!
//! **Invariant:** a record is kept as it came. Facts from another copy or version of it, its
//! price, and the parent that the ledger knows, are kept next to it.

use super::detail::detail;
use crate::detail::{Case, Facts};
use crate::family::Link;
use crate::fit::must_fit;
use crate::inputs::file::FileError;
use crate::inputs::record_text::{RecordSpot, RecordText};
use crate::job::left::{Left, LeftBehind};
use crate::job::run::{LoadedNight, PartSettler, SettledRun};
use crate::ledger::runs::stage::Staged;
use crate::ledger::tables::suspense::{self, KeptParent, KeptPrice, SuspenseRow};
use crate::ledger::{Dataset, History, LedgerError};
use crate::partition::spill::Spill;
use crate::party_ref::PartyRef;
use crate::record::Field;
use crate::reject::Reason;
use crate::status::DirectionField;
use crate::time;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;

/// A suspended record, without its text.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Suspended {
    /// The place of its text: of several copies, that of the one with the price is kept, and read
    /// again with it.
    spot: RecordSpot,
    number: u32,
    reason: Reason,
    content: u64,
    seconds: u32,
    facts: Facts,
    parent: Option<Box<KeptParent>>,
}

/// The number of rows that are sorted and written together.
const ROWS: usize = 1 << 15;
/// The number of records that are sampled, for each such group, to find its beginning.
const SAMPLED: usize = 16;

/// Adds a row behind its length.
fn pack(row: &impl Serialize, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    rmp_serde::encode::write(out, row).expect("memory can be written to");
    let length = u32::try_from(out.len() - start - 4).expect("a record is shorter than 4 GiB");
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

fn unpack<T: DeserializeOwned>(mut bytes: &[u8], out: &mut Vec<T>) {
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let (row, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
        out.push(rmp_serde::from_slice(row).expect("a row that was packed here"));
        bytes = rest;
    }
    assert!(bytes.is_empty(), "rows are packed whole");
}

impl Suspended {
    /// Packs it for its partition.
    pub(crate) fn pack(&self, out: &mut Vec<u8>) {
        pack(self, out);
    }

    /// The place of its text.
    pub(crate) fn spot(&self) -> RecordSpot {
        self.spot
    }

    /// Its number in the run.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }
}

/// The suspended records in the order of their texts, a partition at a time in memory.
struct InOrder<'a> {
    parts: &'a Spill,
    next: usize,
    loaded: std::vec::IntoIter<Suspended>,
}

impl InOrder<'_> {
    fn next(&mut self) -> Result<Option<Suspended>, FileError> {
        loop {
            if let Some(record) = self.loaded.next() {
                return Ok(Some(record));
            }
            if self.next == self.parts.count() {
                return Ok(None);
            }
            let mut records: Vec<Suspended> = Vec::new();
            self.parts.read(self.next, |bytes| unpack(bytes, &mut records))?;
            records.sort_unstable_by_key(|record| record.spot);
            self.loaded = records.into_iter();
            self.next += 1;
        }
    }
}

impl LoadedNight {
    /// True if a retried record has a price beside its text.
    fn has_kept_price(&self, number: u32) -> bool {
        self.reading.waiting.price(number).is_some()
    }
}

impl PartSettler<'_> {
    /// A suspended record, and the place of its price if no text with its content has it, but that
    /// of a version which lacks something.
    pub(crate) fn suspended(
        &self,
        case: &Case<'_>,
        record: usize,
        reason: Reason,
    ) -> (Suspended, Option<RecordSpot>) {
        let calls = case.calls;
        // The text of the copy that has the price, unless it is a version that lacks something.
        let priced =
            case.night.families.with_price(must_fit(record, "records are counted in 32 bits"))
                as usize;
        let kept = if calls.content[priced] == calls.content[record] { priced } else { record };
        let spot =
            |record: usize| RecordSpot { number: calls.number[record], place: calls.place[record] };
        let stands_elsewhere = priced != kept || self.intake.has_kept_price(calls.number[kept]);
        let suspended = Suspended {
            spot: spot(kept),
            number: calls.number[record],
            reason,
            content: calls.content[record],
            seconds: calls.duration[record],
            facts: case.facts(record, reason),
            parent: self.kept_parent(case, record).map(Box::new),
        };
        (suspended, stands_elsewhere.then(|| spot(priced)))
    }

    /// The parent of a child, if an earlier run booked it.
    fn kept_parent(&self, case: &Case<'_>, record: usize) -> Option<KeptParent> {
        let calls = case.calls;
        let Link::Booked(index) = *case.night.families.link.get(calls.child[record] as usize)?
        else {
            return None;
        };
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

/// The sort key of suspended rows.
type VersionKey = (String, String, String, u64);

fn key(row: &SuspenseRow) -> VersionKey {
    (row.call_sid.clone(), row.record.clone(), row.source_file.clone(), row.source_line)
}

/// Refuses a file in which another header is among the rows, with columns in other places: files
/// that were joined. The rows below it would be read under the first one, a caller for the called.
fn refuse_other_header(text: &RecordText) -> Result<(), FileError> {
    let is_other = text.with_fields(|fields| {
        let Some(fields) = fields else { return false };
        let named = |field: Field| {
            Some(fields.get(field))
                .filter(|text| !text.is_empty())
                .map(|text| (field, Field::named(text)))
        };
        let found: Vec<(Field, Option<Field>)> = Field::ALL.into_iter().filter_map(named).collect();
        let names = found.iter().filter(|(_, named)| named.is_some()).count();
        names >= 3
            && names * 2 > found.len()
            && found.iter().any(|(field, named)| *named != Some(*field))
    });
    if !is_other {
        return Ok(());
    }
    Err(FileError::new(
        Path::new(&text.file),
        "has another header here, with columns in other places",
    )
    .at(text.line)
    .hint("the file was joined from two: cut it before this line, and name both"))
}

impl SettledRun {
    /// Counts the records that the run does not take up, and keeps them to be written with its own.
    /// Returns the number of those that are left as they are.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn leave(&mut self, history: &History, what: LeftBehind) -> Result<u64, LedgerError> {
        let (left, tally, by_reason) = Left::of(history, what)?;
        self.ends.tally = self.ends.tally.plus(tally);
        for (reason, count) in by_reason {
            *self.ends.by_reason.entry(reason).or_default() += count;
        }
        let count = left.count;
        self.left = Some(left);
        Ok(count)
    }

    /// Writes the suspended records with their texts and details, in the order of their ids.
    ///
    /// Rows are sorted and written in groups of about equal size, whatever the ids: a sample gives
    /// the beginning of each group. It decides nothing else.
    ///
    /// # Errors
    /// If a source file cannot be read again, or there is no room on disk.
    pub(crate) fn write_suspense(&self, staged: &mut Staged) -> Result<(), LedgerError> {
        if let Some(left) = &self.left {
            left.write_closed(staged)?;
        }
        let left = self.left.as_ref().filter(|left| left.count > 0);
        if self.ends.suspended.is_empty() && left.is_none() {
            return Ok(());
        }
        let starts = self.group_starts(left)?;
        let sorted = Spill::new(starts.len() + 1, &self.room);
        let mut packed = Vec::new();
        let mut sort = |row: SuspenseRow| {
            let group = starts.partition_point(|start| *start <= key(&row));
            packed.clear();
            pack(&row, &mut packed);
            sorted.push(group, &packed, 1)
        };
        self.each_suspended(&mut sort)?;
        if let Some(left) = left {
            left.each(|rows| Ok(rows.into_iter().try_for_each(&mut sort)?))?;
        }
        staged.write_frames(Dataset::Suspense, &suspense::suspense(&mut []), |write| {
            for group in 0..sorted.count() {
                let mut rows: Vec<SuspenseRow> = Vec::new();
                sorted.take(group, |bytes| unpack(bytes, &mut rows))?;
                if !rows.is_empty() {
                    write(&suspense::suspense(&mut rows))?;
                }
            }
            Ok(())
        })
    }

    /// The first key of each group but the first.
    fn group_starts(&self, left: Option<&Left>) -> Result<Vec<VersionKey>, LedgerError> {
        let spots = &self.ends.suspended;
        let all = left.map_or(0, |left| must_fit(left.count, "records are counted in memory"));
        let all: usize = spots.len() + all;
        let groups = all.div_ceil(ROWS);
        if groups == 1 {
            return Ok(Vec::new());
        }
        let step = all / (groups * SAMPLED);
        let sample: Vec<RecordSpot> = spots.iter().step_by(step).copied().collect();
        let texts = self.reading.texts_of(&sample)?;
        let mut keys: Vec<VersionKey> = (texts.into_iter())
            .map(|text| {
                let sid = text.with_fields(|fields| {
                    fields.map_or_else(String::new, |fields| fields.get(Field::Sid).to_owned())
                });
                (sid, text.record, text.file, text.line)
            })
            .collect();
        if let Some(left) = left {
            left.each(|rows| {
                keys.extend(rows.iter().step_by(step).map(key));
                Ok(())
            })?;
        }
        keys.sort_unstable();
        keys.dedup();
        let step = keys.len().div_ceil(groups);
        Ok(keys.into_iter().skip(step).step_by(step).collect())
    }

    /// Shows the suspended records, one after the other, in the order of their texts.
    fn each_suspended(
        &self,
        mut then: impl FnMut(SuspenseRow) -> Result<(), FileError>,
    ) -> Result<(), FileError> {
        let prices = self.kept_prices()?;
        let newest = self.newest_start.map_or_else(String::new, time::text);
        let mut records =
            InOrder { parts: &self.suspended, next: 0, loaded: Vec::new().into_iter() };
        self.reading.each_text(&self.ends.suspended, &mut |text| {
            let record = records.next()?.expect("each text is of a suspended record");
            // Records that are suspended already are no reason to refuse a night: no row below them
            // is read with them.
            if self.reading.waiting.seen(record.number).is_none() {
                refuse_other_header(&text)?;
            }
            let price = prices.get(&record.number).cloned();
            then(SuspenseRow { price, ..self.suspense_row(&record, text, &newest) })
        })?;
        assert!(records.next()?.is_none(), "each suspended record has its text");
        Ok(())
    }

    /// The prices that are in no text with their record's content, by the record's number.
    fn kept_prices(&self) -> Result<HashMap<u32, KeptPrice>, FileError> {
        let mut prices = self.ends.priced.clone();
        // Texts are read in file order.
        prices.sort_unstable_by_key(|(_, spot)| *spot);
        let texts =
            self.reading.texts_of(&prices.iter().map(|(_, spot)| *spot).collect::<Vec<_>>())?;
        let price = |((number, spot), text): ((u32, RecordSpot), RecordText)| {
            Some((
                number,
                self.reading
                    .waiting
                    .price(spot.number)
                    .cloned()
                    .or_else(|| KeptPrice::of(&text))?,
            ))
        };
        assert_eq!(texts.len(), prices.len(), "each price has its text");
        Ok(prices.into_iter().zip(texts).filter_map(price).collect())
    }

    fn suspense_row(&self, record: &Suspended, text: RecordText, newest: &str) -> SuspenseRow {
        let seen = self.reading.waiting.seen(record.number);
        let [call_sid, parent_call_sid, account_sid] = text.with_fields(|fields| {
            let fields = fields.filter(|_| record.reason != Reason::MalformedRecord);
            [Field::Sid, Field::ParentCallSid, Field::AccountSid]
                .map(|field| fields.map_or_else(String::new, |fields| fields.get(field).to_owned()))
        });
        SuspenseRow {
            call_sid,
            parent_call_sid,
            account_sid,
            reason: record.reason.as_str().to_owned(),
            detail: detail(&text, record.reason, &record.facts, &self.inputs),
            source_file: text.file,
            source_line: text.line,
            first_seen: seen.map_or(newest, |(time, _)| time).to_owned(),
            tries: seen.map_or(1, |(_, tries)| tries.saturating_add(1)),
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
