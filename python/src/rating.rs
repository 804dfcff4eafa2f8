//! Rating: records go to the kernel, and its verdict on each is written out.

use crate::input::{self, Records, UNREADABLE, text};
use crate::table::{
    KNOWN, LATE_PRICE, LEG, LOG, RECORD, SUSPENSE, TableWriter, VERDICT, fields, list, rated,
    suspense,
};
use crate::{Problem, output};
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Int64Array, ListArray, RecordBatch, StringArray, StructArray,
    UInt32Array,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Schema, SchemaRef};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use trunkrate_inputs::given::{AccountFacts, Inputs};
use trunkrate_kernel::call::Calls;
use trunkrate_kernel::detail::{Case, Facts};
use trunkrate_kernel::family::{BookedCall, BookedParent, BookedVersion, Earlier, RootFacts};
use trunkrate_kernel::money::Total;
use trunkrate_kernel::night::{Class, Night, Tariff, TrunkFacts, settle};
use trunkrate_kernel::party::Party;
use trunkrate_kernel::party_ref::PartyRef;
use trunkrate_kernel::rating::booked_legs;
use trunkrate_kernel::record::Field;
use trunkrate_kernel::reject::Reason;
use trunkrate_kernel::sid::Sid;
use trunkrate_kernel::status::{DirectionField, Status};
use trunkrate_kernel::time::{self, DAY, Micros};

/// The least rows of a full batch that `rate` returns.
const ROWS: usize = 1 << 17;

/// A settled set of families.
struct Settled<'a> {
    inputs: &'a Inputs,
    calls: Calls,
    retried: usize,
    earlier: Earlier,
    night: Night,
    accounts: AccountFacts,
}

impl<'a> Settled<'a> {
    /// Settles the calls; the first `retried` records come from suspense.
    fn of(
        calls: Calls,
        retried: usize,
        earlier: Earlier,
        inputs: &'a Inputs,
    ) -> Result<Self, Problem> {
        let accounts = inputs.facts_of_accounts(calls.accounts.texts());
        let night = settle(&calls, retried, &earlier, &inputs.tariff(&accounts));
        if !night.tally(&calls, retried, |_| false).conserves() {
            return Err(Problem("records or seconds were lost; report this".to_owned()));
        }
        Ok(Self { inputs, calls, retried, earlier, night, accounts })
    }

    fn tariff(&self) -> Tariff<'_> {
        self.inputs.tariff(&self.accounts)
    }

    /// The record whose text represents a suspended one: of copies, the one with the price.
    fn kept(&self, record: usize) -> usize {
        self.night.families.with_price(u32::try_from(record).expect("fewer than 2^32 records"))
            as usize
    }

    /// The detail of a suspended record: its reason in words.
    fn detail(&self, record: usize, reason: Reason, records: &Records) -> String {
        let tariff = self.tariff();
        let case = Case {
            calls: &self.calls,
            night: &self.night,
            earlier: &self.earlier,
            tariff: &tariff,
        };
        let row = self.calls.place[self.kept(record)] as usize;
        if reason == Reason::MalformedRecord {
            let why = text(&records.why_malformed, row);
            return if why.is_empty() { UNREADABLE } else { why }.to_owned();
        }
        case.facts(record, reason).detail(
            reason,
            &records.fields(row),
            &self.inputs.policy,
            tariff.trunks,
        )
    }

    /// Writes the verdict on a record, before the newest call of the night is known.
    fn verdict(&self, rows: &mut TableWriter, record: usize, records: &Records) {
        let (class, reason) = (self.night.class[record], self.night.reason[record]);
        let reason = reason.filter(|_| class == Class::Suspended);
        let row = &mut rows.row();
        row.text(class.as_str()).text(reason.map_or("", Reason::as_str));
        row.text(&reason.map(|reason| self.detail(record, reason, records)).unwrap_or_default());
        row.integer(i64::from(self.calls.duration[record])).flag(record < self.retried);
        let sound = self.calls.reason[record].is_none();
        row.instant(
            Some(self.calls.start[record]).filter(|start| sound && *start != Calls::NO_TIME),
        );
    }

    /// The original text of each suspended record, null for all others; with its own `first_seen`
    /// and `tries`.
    fn suspended(
        &self,
        order: impl Iterator<Item = usize>,
        records: &Records,
    ) -> Result<StructArray, Problem> {
        let row = |record: usize| Some(self.calls.place[record]);
        let rows: Vec<(Option<u32>, Option<u32>)> = order
            .map(|record| match self.night.class[record] {
                Class::Suspended => (row(self.kept(record)), row(record)),
                _ => (None, None),
            })
            .collect();
        let (kept, own): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        let present = kept.iter().map(Option::is_some).collect::<NullBuffer>();
        let (kept, own) = (UInt32Array::from(kept), UInt32Array::from(own));
        let column = |(column, (name, _)): (&ArrayRef, &(&str, _))| {
            let from = if matches!(*name, "first_seen" | "tries") { &own } else { &kept };
            arrow_select::take::take(column, from, None)
        };
        let columns = records.columns.iter().zip(&RECORD).map(column).collect::<Result<_, _>>()?;
        Ok(StructArray::new(fields(&RECORD), columns, Some(present)))
    }
}

/// The offsets of a list column into its rows, and whether each list is present.
#[derive(Default)]
struct Offsets(Vec<i32>, Vec<bool>);

impl Offsets {
    fn push(&mut self, rows: usize, is_there: bool) -> Result<(), Problem> {
        let end = i32::try_from(rows)
            .map_err(|_| Problem("too many legs in one batch; make smaller ones".to_owned()))?;
        self.0.push(end);
        self.1.push(is_there);
        Ok(())
    }

    fn list(self, rows: StructArray) -> ListArray {
        let offsets = std::iter::once(0).chain(self.0).collect::<Vec<i32>>();
        let DataType::List(item) = list("legs", &LEG).data_type().clone() else {
            unreachable!("a list")
        };
        ListArray::new(
            item,
            OffsetBuffer::new(offsets.into()),
            Arc::new(rows),
            Some(NullBuffer::from(self.1)),
        )
    }
}

/// Rates whole families, one row each. It is stateless: the order of the rows and the split into
/// batches do not matter.
pub fn rate_joined(batch: &RecordBatch, inputs: &Inputs) -> Result<RecordBatch, Problem> {
    let family = arrow_cast::cast(column(batch, "family")?, &DataType::Utf8)?;
    let keys: &StringArray = family.as_string();
    if let Some(row) = (0..keys.len()).find(|row| text(keys, *row).trim().is_empty()) {
        return Err(Problem(format!(
            "the family of row {row} is null or empty: a join on such a key loses rows, or brings all of them together; expected \
             coalesce(parent_call_sid, sid), without white space around it, and for a record without both a key made of its texts"
        )));
    }
    let (rows, families) = flattened(batch, "records")?;
    let records = Records::of(&rows)?;
    // The order is made independent of the engine: records from suspense first, then by family,
    // file and line.
    let mut order: Vec<(u32, usize)> = families;
    order.sort_by(|(a_family, a), (b_family, b)| {
        let key = |family: u32, row: usize| {
            (!records.is_retried(row), family, text(&records.source_file, row), line(&records, row))
        };
        key(*a_family, *a)
            .cmp(&key(*b_family, *b))
            .then_with(|| records.fields(*a).0.cmp(&records.fields(*b).0))
    });
    let retried = order.iter().filter(|(_, row)| records.is_retried(*row)).count();
    let mut calls = Calls::default();
    calls.reserve(order.len());
    for (_, row) in &order {
        records.push(*row, &inputs.policy, &mut calls);
    }
    let earlier = match batch.column_by_name("known") {
        Some(known) if known.null_count() < known.len() => {
            earlier(&flattened(batch, "known")?.0, &mut calls)?
        }
        _ => Earlier::default(),
    };
    let settled = Settled::of(calls, retried, earlier, inputs)?;
    write_rated(&settled, &records)
}

fn line(records: &Records, row: usize) -> i64 {
    if records.source_line.is_null(row) { 0 } else { records.source_line.value(row) }
}

/// Writes one row for each record.
fn write_rated(settled: &Settled<'_>, records: &Records) -> Result<RecordBatch, Problem> {
    let (calls, night, tariff) = (&settled.calls, &settled.night, settled.tariff());
    let trunks = TrunkFacts::of_all(calls, &tariff);
    let (mut verdicts, mut legs, mut log) =
        (TableWriter::new(&VERDICT), TableWriter::new(&LEG), TableWriter::new(&LOG));
    let (mut known, mut late, mut offsets) =
        (TableWriter::new(&KNOWN), TableWriter::new(&LATE_PRICE), Offsets::default());
    let prices: BTreeMap<u32, u32> =
        night.families.late_prices.iter().map(|(booked, late)| (late.record, *booked)).collect();
    for record in 0..calls.len() {
        settled.verdict(&mut verdicts, record, records);
        match night.class[record] {
            Class::Rated | Class::Free => {
                let call = night.booked(calls, &settled.earlier, &tariff, &trunks, record);
                let scene = night
                    .scene(calls, &settled.earlier, record)
                    .expect("a booked record has a scene");
                let fail = |_| output::too_large(&call, calls);
                let mut total = Total::default();
                let booked = booked_legs(&call, tariff.decks, tariff.policy, &calls.parties)
                    .map_err(fail)?;
                for (number, leg) in (1..).zip(booked.iter().flatten()) {
                    total.add(leg.charge.amount).map_err(fail)?;
                    output::leg(&mut legs, &call, number, leg, calls, tariff.decks);
                }
                output::log(&mut log, &call, total, calls, tariff.decks)?;
                output::known(&mut known, &call, &scene, calls);
                offsets.push(legs.len(), call.is_rated)?;
            }
            class => {
                log.null();
                if class == Class::Ignored && !calls.sid[record].is_empty() {
                    output::ignored(&mut known, calls, record);
                } else {
                    known.null();
                }
                offsets.push(legs.len(), false)?;
            }
        }
        match prices.get(&u32::try_from(record).expect("fewer than 2^32 records")) {
            Some(booked) => {
                let price = night.families.late_prices[booked].price.units();
                let sid = settled.earlier.call_at(*booked).sid;
                late.row().written(|out| calls.odd_sids.text(sid).push_to(out)).decimal(price);
            }
            None => late.null(),
        }
    }
    let mut columns = verdicts.columns();
    columns.push(Arc::new(settled.suspended(0..calls.len(), records)?));
    columns.push(Arc::new(log.structure()));
    columns.push(Arc::new(offsets.list(legs.structure())));
    columns.push(Arc::new(known.structure()));
    columns.push(Arc::new(late.structure()));
    Ok(RecordBatch::try_new(Arc::new(Schema::new(rated())), columns)?)
}

/// The rows of a column of lists of structures, one after the other, each with the number of its
/// row in the batch.
fn flattened(batch: &RecordBatch, name: &str) -> Result<(StructArray, Vec<(u32, usize)>), Problem> {
    let given = column(batch, name)?;
    let expected = || {
        Problem(format!(
            "the column `{name}` is {}; expected a list of structures",
            given.data_type()
        ))
    };
    // An engine may send large lists.
    let given = match given.data_type() {
        DataType::LargeList(item) => arrow_cast::cast(given, &DataType::List(Arc::clone(item)))?,
        _ => Arc::clone(given),
    };
    let lists: &ListArray = given.as_list_opt().ok_or_else(expected)?;
    let rows = lists.values().as_struct_opt().ok_or_else(expected)?.clone();
    let mut places = Vec::with_capacity(rows.len());
    for (number, ends) in (0..).zip(lists.value_offsets().windows(2)) {
        let place = |at: i32| usize::try_from(at).unwrap_or_default();
        if !lists.is_null(number as usize) {
            places.extend(
                (place(ends[0])..place(ends[1]))
                    .filter(|row| !rows.is_null(*row))
                    .map(|row| (number, row)),
            );
        }
    }
    Ok((rows, places))
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, Problem> {
    batch.column_by_name(name).ok_or_else(|| {
        let found: Vec<String> =
            batch.schema().fields().iter().map(|field| field.name().clone()).collect();
        Problem(format!("there is no column `{name}`; found {found:?}"))
    })
}

/// Reads the facts of earlier nights; their texts are interned in the calls.
fn earlier(rows: &StructArray, calls: &mut Calls) -> Result<Earlier, Problem> {
    let cast = |field: &arrow_schema::FieldRef| -> Result<ArrayRef, Problem> {
        let given = rows.column_by_name(field.name());
        let given =
            given.ok_or_else(|| Problem(format!("`known` has no column `{}`", field.name())))?;
        Ok(arrow_cast::cast(given, field.data_type())?)
    };
    let columns = fields(&KNOWN).iter().map(cast).collect::<Result<Vec<_>, _>>()?;
    let texts = |name: &str| -> StringArray { columns[place(name)].as_string::<i32>().clone() };
    let flags = |name: &str| -> BooleanArray { columns[place(name)].as_boolean().clone() };
    let (sids, accounts, contents) =
        (texts("call_sid"), texts("account_sid"), columns[1].as_primitive::<Int64Type>());
    let prices = columns[2].as_primitive::<Decimal128Type>();
    let starts = columns[5].as_primitive::<TimestampMicrosecondType>();
    let (ignored, children) = (flags("is_ignored"), flags("is_child"));
    let [roots, directions, from, to, trunks] =
        ["root_sid", "root_direction", "root_from", "root_to", "root_trunk"].map(texts);
    let [own_trunks, targets, statuses] = ["trunk_sid", "target", "status"].map(texts);
    let ends = columns[place("end_time")].as_primitive::<TimestampMicrosecondType>();
    let durations = columns[place("duration_seconds")].as_primitive::<Int64Type>();
    let (mut booked, mut parents, mut foreign) = (BTreeMap::new(), Vec::new(), Vec::new());
    let mut versions = HashMap::new();
    for row in (0..rows.len()).filter(|row| !rows.is_null(*row)) {
        let sid = calls.odd_sids.sid(text(&sids, row));
        if !ignored.is_null(row) && ignored.value(row) {
            foreign.push(sid);
            continue;
        }
        let price = (!prices.is_null(row)).then(|| i64::try_from(prices.value(row)).ok()).flatten();
        let call = BookedCall {
            sid,
            content: u64::from_ne_bytes(contents.value(row).to_ne_bytes()),
            price,
        };
        // A join may bring one call twice.
        if booked.insert(sid, call).is_some() {
            continue;
        }
        let Some(direction) = DirectionField::of_word(text(&directions, row)).side() else {
            return Err(Problem(format!(
                "`known` says nothing of the root of {}",
                text(&sids, row)
            )));
        };
        let root = RootFacts {
            sid: calls.odd_sids.sid(text(&roots, row)),
            direction,
            a: PartyRef::pack(&Party::of_root(text(&from, row)), &mut calls.parties),
            b: PartyRef::pack(&Party::of_root(text(&to, row)), &mut calls.parties),
            trunk: calls.trunks.id(text(&trunks, row)),
        };
        let account = calls.accounts.id(text(&accounts, row));
        let is_child = children.value(row);
        if let Some(duration) =
            (!durations.is_null(row)).then(|| u32::try_from(durations.value(row)).ok()).flatten()
        {
            let (from, to) = if is_child {
                (root.a, logged(text(&targets, row), calls))
            } else {
                (root.a, root.b)
            };
            let version = BookedVersion {
                parent: if is_child { root.sid } else { Sid::EMPTY },
                account,
                trunk: calls.trunks.id(text(&own_trunks, row)),
                direction: direction.into(),
                from,
                to,
                start: starts.value(row),
                end: if ends.is_null(row) { Calls::NO_TIME } else { ends.value(row) },
                duration,
                status: Status::parse(text(&statuses, row)),
            };
            versions.insert(sid, version);
        }
        parents.push(BookedParent { sid, account, start: starts.value(row), is_child, root });
    }
    let ignored = foreign.into_iter().filter(|sid| !booked.contains_key(sid)).collect();
    let mut earlier = Earlier::new(booked.into_values().collect(), parents);
    earlier.ignored = ignored;
    earlier.versions = versions;
    Ok(earlier)
}

/// A target as the log writes it: a SIP endpoint stays an endpoint, even with a number as its user.
fn logged(target: &str, calls: &mut Calls) -> PartyRef {
    if target.starts_with("sip:") || target.starts_with("sips:") {
        return PartyRef::endpoint(calls.parties.id(target));
    }
    PartyRef::pack(&Party::of_root(target), &mut calls.parties)
}

fn place(name: &str) -> usize {
    KNOWN.iter().position(|(known, _)| *known == name).expect("a column of KNOWN")
}

/// Finishes the suspended records of `rate_joined`, once the newest call of tonight and earlier
/// nights is known.
pub fn finish_suspense(
    batch: &RecordBatch,
    inputs: &Inputs,
    newest: Option<Micros>,
) -> Result<RecordBatch, Problem> {
    let text_column = |name: &str| -> Result<StringArray, Problem> {
        Ok(arrow_cast::cast(column(batch, name)?, &DataType::Utf8)?.as_string::<i32>().clone())
    };
    let (reasons, details) = (text_column("reason")?, text_column("detail")?);
    let seconds = arrow_cast::cast(column(batch, "seconds")?, &DataType::Int64)?;
    let seconds = seconds.as_primitive::<Int64Type>();
    let starts = &fields(&VERDICT)[5];
    let starts = arrow_cast::cast(column(batch, starts.name())?, starts.data_type())?;
    let starts = starts.as_primitive::<TimestampMicrosecondType>();
    let given = column(batch, "record")?.as_struct_opt();
    let given = given.ok_or_else(|| Problem("the column `record` is no structure".to_owned()))?;
    let records = Records::of(given)?;
    let newest_text = newest.map(time::text).unwrap_or_default();
    let mut rows = TableWriter::new(&SUSPENSE);
    let (mut first_seen, mut tries) = (Vec::new(), Vec::new());
    for row in 0..batch.num_rows() {
        if given.is_null(row) {
            return Err(Problem(format!("row {row} is not suspended: it has no record")));
        }
        let start = (!starts.is_null(row)).then(|| starts.value(row));
        let fields = records.fields(row);
        let (reason, detail) = match waits(text(&reasons, row), start, newest, inputs) {
            Some(reason) => {
                let detail = Facts::default().detail(reason, &fields, &inputs.policy, None);
                (reason.as_str(), detail)
            }
            None => (text(&reasons, row), text(&details, row).to_owned()),
        };
        // No field of an unreadable record is used, though one may look sound.
        let readable = reason != Reason::MalformedRecord.as_str();
        let field = |field: Field| if readable { fields.get(field) } else { "" };
        let [sid, parent, account] =
            [Field::Sid, Field::ParentCallSid, Field::AccountSid].map(field);
        first_seen.push(if records.is_retried(row) {
            text(&records.first_seen, row).to_owned()
        } else {
            newest_text.clone()
        });
        tries.push(if records.is_retried(row) {
            records.tries.value(row).saturating_add(1)
        } else {
            1
        });
        let line = (!records.source_line.is_null(row)).then(|| records.source_line.value(row));
        let out = &mut rows.row();
        out.text(sid)
            .text(parent)
            .text(account)
            .text(reason)
            .text(&detail)
            .text(text(&records.source_file, row));
        out.integer(line)
            .text(&first_seen[row])
            .integer(tries[row])
            .text(&as_text(&records, row))
            .integer(seconds.value(row));
    }
    let mut columns = rows.columns();
    let mut kept = records.columns.clone();
    kept[RECORD.len() - 2] = Arc::new(
        first_seen
            .iter()
            .map(|text| Some(text).filter(|text| !text.is_empty()))
            .collect::<StringArray>(),
    );
    kept[RECORD.len() - 1] = Arc::new(Int64Array::from(tries));
    columns.push(Arc::new(StructArray::new(fields(&RECORD), kept, None)));
    Ok(RecordBatch::try_new(Arc::new(Schema::new(suspense())), columns)?)
}

/// The reason of a record that waits for its parent, by whether the parent may still come; `None`
/// for other records.
fn waits(
    reason: &str,
    start: Option<Micros>,
    newest: Option<Micros>,
    inputs: &Inputs,
) -> Option<Reason> {
    if ![Reason::ParentMissing, Reason::ParentNeverArrived].map(Reason::as_str).contains(&reason) {
        return None;
    }
    let wait = i64::from(inputs.policy.parent_wait_days).saturating_mul(DAY);
    let never =
        newest.zip(start).is_some_and(|(newest, start)| newest.saturating_sub(start) > wait);
    Some(if never { Reason::ParentNeverArrived } else { Reason::ParentMissing })
}

/// A record as text: a JSON object of its non-empty fields, or the text that could not be read.
fn as_text(records: &Records, row: usize) -> String {
    if !records.malformed.is_null(row) {
        return text(&records.malformed, row).to_owned();
    }
    let fields = records.fields(row);
    let there = Field::ALL.into_iter().zip(fields.0).filter(|(_, text)| !text.is_empty());
    let object =
        there.map(|(field, text)| (field.as_str().to_owned(), serde_json::Value::from(text)));
    serde_json::Value::Object(object.collect()).to_string()
}

type RatedTables = (Vec<RecordBatch>, Vec<RecordBatch>, Vec<RecordBatch>);

/// A whole night in memory: legs, log and suspense, in the order of the command line's exports.
pub fn rate(
    schema: &SchemaRef,
    given: &[RecordBatch],
    inputs: &Inputs,
    no_transfers: bool,
) -> Result<RatedTables, Problem> {
    let empty = RecordBatch::new_empty(Arc::clone(schema));
    let given = if given.is_empty() { std::slice::from_ref(&empty) } else { given };
    let all = given
        .iter()
        .map(|batch| input::records(batch, None, no_transfers))
        .collect::<Result<Vec<_>, _>>()?;
    let all = all
        .iter()
        .map(|batch| Records::of(&StructArray::from(batch.clone())))
        .collect::<Result<Vec<_>, _>>()?;
    let mut calls = Calls::default();
    calls.reserve(all.iter().map(Records::len).sum());
    let mut starts = Vec::with_capacity(all.len());
    for records in &all {
        starts.push(calls.len());
        for row in 0..records.len() {
            records.push(row, &inputs.policy, &mut calls);
        }
    }
    let settled = Settled::of(calls, 0, Earlier::default(), inputs)?;
    let (legs, log) = write_books(&settled)?;
    let newest = settled.night.families.newest_start.filter(|start| *start != Calls::NO_TIME);
    // The suspended records, by the batch that holds their text.
    let mut waiting_in = vec![Vec::new(); all.len()];
    for record in
        (0..settled.calls.len()).filter(|record| settled.night.class[*record] == Class::Suspended)
    {
        let batch = starts.partition_point(|start| *start <= settled.kept(record)) - 1;
        waiting_in[batch].push(record);
    }
    let mut waiting = Vec::new();
    for (records, here) in all.iter().zip(waiting_in) {
        if !here.is_empty() {
            let mut verdicts = TableWriter::new(&VERDICT);
            for record in &here {
                settled.verdict(&mut verdicts, *record, records);
            }
            let mut columns = verdicts.columns();
            columns.push(Arc::new(settled.suspended(here.into_iter(), records)?));
            let names = rated().iter().take(VERDICT.len() + 1).cloned().collect::<Vec<_>>();
            let batch = RecordBatch::try_new(Arc::new(Schema::new(names)), columns)?;
            waiting.push(finish_suspense(&batch, inputs, newest)?);
        }
    }
    Ok((legs, log, waiting))
}

/// Writes legs and log, ordered by start and id.
fn write_books(settled: &Settled<'_>) -> Result<(Vec<RecordBatch>, Vec<RecordBatch>), Problem> {
    let (calls, night, tariff) = (&settled.calls, &settled.night, settled.tariff());
    let trunks = TrunkFacts::of_all(calls, &tariff);
    let mut order: Vec<usize> = (0..calls.len())
        .filter(|record| matches!(night.class[*record], Class::Rated | Class::Free))
        .collect();
    order.sort_unstable_by(|a, b| {
        calls.start[*a]
            .cmp(&calls.start[*b])
            .then_with(|| calls.sid_text(*a).cmp(&calls.sid_text(*b)))
    });
    let (mut legs, mut log) = (TableWriter::new(&LEG), TableWriter::new(&LOG));
    let (mut full_legs, mut full_log) = (Vec::new(), Vec::new());
    for record in order {
        let call = night.booked(calls, &settled.earlier, &tariff, &trunks, record);
        let fail = |_| output::too_large(&call, calls);
        let mut total = Total::default();
        let booked =
            booked_legs(&call, tariff.decks, tariff.policy, &calls.parties).map_err(fail)?;
        for (number, leg) in (1..).zip(booked.iter().flatten()) {
            total.add(leg.charge.amount).map_err(fail)?;
            output::leg(&mut legs, &call, number, leg, calls, tariff.decks);
        }
        output::log(&mut log, &call, total, calls, tariff.decks)?;
        if legs.len() >= ROWS {
            full_legs.push(legs.batch());
        }
        if log.len() >= ROWS {
            full_log.push(log.batch());
        }
    }
    full_legs.push(legs.batch());
    full_log.push(log.batch());
    Ok((full_legs, full_log))
}
