//! Calls that are not booked: those that wait, and those that were ignored, as the list of calls
//! shows them.

use crate::inputs::record_text::RecordText;
use crate::ledger::error::LedgerError;
use crate::ledger::history::History;
use crate::ledger::index::ignored::{AskedIgnored, IgnoredIndex};
use crate::ledger::index::search::{Role, Wanted, Who};
use crate::ledger::place::Dataset;
use crate::ledger::tables::file::each_group;
use crate::ledger::tables::read::each_suspended;
use crate::ledger::tables::stored::Rows;
use crate::ledger::tables::suspense::SuspenseRow;
use crate::record::{Field, Fields};
use crate::reject::Reason;
use crate::status::Status;
use crate::time::{self, Micros, Zone};
use std::collections::BTreeMap;

/// The reason why a call is not booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It waits, for this reason; with the words beside it.
    Waiting(String, String),
    /// It is no call of a trunk; with its direction.
    Ignored(String),
}

/// A call that is not booked. Its texts are those of its record, empty where it has none.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields of a record")]
pub struct Unbooked {
    pub state: State,
    pub call_sid: String,
    pub parent_call_sid: String,
    pub account_sid: String,
    pub trunk_sid: String,
    pub direction: String,
    pub from: String,
    /// Of a transfer the target.
    pub to: String,
    /// `None` if the record has none that can be read.
    pub start: Option<Micros>,
    pub duration: String,
    pub status: String,
    pub source_file: String,
    pub source_line: u64,
    /// The id of its family: of its root, as far as that is known.
    pub root: String,
}

/// A call of which no field is read yet.
fn unread(state: State) -> Unbooked {
    Unbooked {
        state,
        call_sid: String::new(),
        parent_call_sid: String::new(),
        account_sid: String::new(),
        trunk_sid: String::new(),
        direction: String::new(),
        from: String::new(),
        to: String::new(),
        start: None,
        duration: String::new(),
        status: String::new(),
        source_file: String::new(),
        source_line: 0,
        root: String::new(),
    }
}

/// The calls that are not booked and were found.
#[derive(Debug, Default)]
pub struct FoundUnbooked {
    /// They.
    pub calls: Vec<Unbooked>,
    /// The calls that are left out since their time cannot be read, and would be wanted without
    /// one.
    pub timeless: usize,
}

impl FoundUnbooked {
    /// Adds a call that waits, if it is wanted or belongs to one of the families.
    fn take(&mut self, own: &SuspendedCall, wanted: &Wanted, families: &BTreeMap<String, String>) {
        let call = &own.call;
        let root = families.get(&call.root).or_else(|| families.get(&call.parent_call_sid));
        if let Some(root) = root {
            self.calls.push(Unbooked { root: root.clone(), ..call.clone() });
        } else if wanted.takes_unbooked(call) && has_parties(own, wanted) {
            self.add(call.clone(), wanted);
        }
    }

    /// Adds a call that is wanted but for its time.
    fn add(&mut self, call: Unbooked, wanted: &Wanted) {
        match (&wanted.times, call.start) {
            (Some(_), None) => self.timeless += 1,
            (Some(times), Some(start)) if !times.contains(&start) => {}
            _ => self.calls.push(call),
        }
    }
}

/// The calls that are not booked and are wanted, or belong to one of the families: of these each
/// call is given with its root.
///
/// # Errors
/// If a file cannot be read, or is not as it was written.
pub fn collect(
    history: &History,
    wanted: &Wanted,
    families: &BTreeMap<String, String>,
    zone: Option<&Zone>,
) -> Result<FoundUnbooked, LedgerError> {
    collect_beside(history, wanted, families, &Beside { zone, ..Beside::default() })
}

/// The context that calls are collected with.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beside<'a> {
    /// The zone of records' times without an offset.
    pub zone: Option<&'a Zone>,
    /// The calls that wait in this history, if they were read before.
    pub suspended: Option<&'a SuspendedCalls>,
    /// Which runs have ignored calls that may be wanted; all are read, if that is not known.
    pub ignored: Option<&'a IgnoredIndex>,
}

/// As [`collect`]; waiting calls that were read before are not read again.
///
/// # Errors
/// As [`collect`].
pub fn collect_beside(
    history: &History,
    wanted: &Wanted,
    families: &BTreeMap<String, String>,
    beside: &Beside<'_>,
) -> Result<FoundUnbooked, LedgerError> {
    let (mut found, zone) = (FoundUnbooked::default(), beside.zone);
    let Some(last) = history.runs.last() else { return Ok(found) };
    if let Some(all) = beside.suspended {
        all.0.iter().for_each(|own| found.take(own, wanted, families));
    } else {
        let parents = waiting_parents(history)?;
        each_suspended(last, Dataset::Suspense, |rows| {
            for row in &rows {
                found.take(&SuspendedCall::of(row, &parents, zone), wanted, families);
            }
            Ok::<_, LedgerError>(())
        })?;
    }
    let asked = AskedIgnored::new(wanted, families.keys());
    for run in &history.runs {
        if let Some(index) = beside.ignored
            && !index.may_have(run, &asked)?
        {
            continue;
        }
        for path in run.files(Dataset::Ignored) {
            run.check_before_read(&path)?;
            each_group(&path, &IGNORED, |rows| {
                of_ignored(rows, wanted, families, zone, &mut found)
            })?;
        }
    }
    Ok(found)
}

/// A call that waits, as far as a search asks for it.
#[derive(Debug)]
struct SuspendedCall {
    call: Unbooked,
    /// The record, if it cannot be read: its parties stand anywhere in it.
    unread: Option<String>,
    /// A and B of its root, if they are kept with it.
    root: Option<[String; 2]>,
}

impl SuspendedCall {
    fn of(row: &SuspenseRow, parents: &BTreeMap<String, String>, zone: Option<&Zone>) -> Self {
        let is_malformed = row.reason == Reason::MalformedRecord.as_str();
        Self {
            call: of_suspense(row, parents, zone),
            unread: is_malformed.then(|| row.record.clone()),
            root: row.parent.as_ref().map(|kept| [kept.root_from.clone(), kept.root_to.clone()]),
        }
    }
}

/// All calls that wait in a history, read once for many searches.
#[derive(Debug)]
pub struct SuspendedCalls(Vec<SuspendedCall>);

impl SuspendedCalls {
    /// Reads them; `None` if there are more than `most`.
    ///
    /// # Errors
    /// If a file cannot be read, or is not as it was written.
    pub fn read(
        history: &History,
        zone: Option<&Zone>,
        most: usize,
    ) -> Result<Option<Self>, LedgerError> {
        let mut all = Vec::new();
        let Some(last) = history.runs.last() else { return Ok(Some(Self(all))) };
        if last.manifest.suspense.closing.records > most as u64 {
            return Ok(None);
        }
        let parents = waiting_parents(history)?;
        each_suspended(last, Dataset::Suspense, |rows| {
            all.extend(rows.iter().map(|row| SuspendedCall::of(row, &parents, zone)));
            Ok::<_, LedgerError>(())
        })?;
        Ok(Some(Self(all)))
    }
}

/// The parent of each waiting child, by their ids.
fn waiting_parents(history: &History) -> Result<BTreeMap<String, String>, LedgerError> {
    let mut parents = BTreeMap::new();
    if let Some(run) = history.runs.last() {
        for path in run.files(Dataset::Suspense) {
            run.check_before_read(&path)?;
            each_group(&path, &["call_sid", "parent_call_sid"], |rows| {
                let texts = rows.texts(["call_sid", "parent_call_sid"]);
                for [sid, parent] in (0..rows.height()).map(|row| texts.row(row)) {
                    if !sid.is_empty() && !parent.is_empty() {
                        parents.insert(sid.to_owned(), parent.to_owned());
                    }
                }
                Ok::<_, LedgerError>(())
            })?;
        }
    }
    Ok(parents)
}

/// The limit for following parents, which may be a circle.
const LONGEST_CHAIN: usize = 16;

fn of_suspense(
    row: &SuspenseRow,
    parents: &BTreeMap<String, String>,
    zone: Option<&Zone>,
) -> Unbooked {
    let mut root = row.call_sid.as_str();
    if !row.parent_call_sid.is_empty() {
        root = &row.parent_call_sid;
        for _ in 0..LONGEST_CHAIN {
            let Some(next) = parents.get(root) else { break };
            root = next;
        }
    }
    let root = row.parent.as_ref().map_or(root, |kept| &kept.root_sid).to_owned();
    let state = State::Waiting(row.reason.clone(), row.detail.clone());
    let head = Unbooked {
        call_sid: row.call_sid.clone(),
        parent_call_sid: row.parent_call_sid.clone(),
        account_sid: row.account_sid.clone(),
        source_file: row.source_file.clone(),
        source_line: row.source_line,
        root,
        ..unread(state)
    };
    let text = RecordText::kept(&row.record, &row.header)
        .filter(|_| row.reason != Reason::MalformedRecord.as_str());
    match text {
        Some(text) => text.with_fields(|fields| filled(head, fields, zone)),
        None => head,
    }
}

fn filled(head: Unbooked, fields: Option<&Fields<'_>>, zone: Option<&Zone>) -> Unbooked {
    let Some(fields) = fields else { return head };
    let get = |field: Field| fields.get(field).to_owned();
    let target = get(Field::ReferTo);
    Unbooked {
        trunk_sid: get(Field::TrunkSid),
        direction: get(Field::Direction),
        from: get(Field::From),
        to: if target.is_empty() { get(Field::To) } else { target },
        start: time::parse(fields.get(Field::StartTime), zone),
        duration: get(Field::Duration),
        status: get(Field::Status),
        ..head
    }
}

impl Wanted {
    /// True if a call passes everything but the parties and the time.
    fn takes_unbooked(&self, call: &Unbooked) -> bool {
        let has_status = |wanted: &String| {
            Status::parse(&call.status).as_str() == Status::parse(wanted).as_str()
        };
        (self.sids.is_empty()
            || self.sids.contains(&call.call_sid)
            || self.sids.contains(&call.root))
            && (self.accounts.is_empty() || self.accounts.contains(&call.account_sid))
            && self.status.as_ref().is_none_or(has_status)
            && self.scenario.is_none()
            && self.least_amount.is_none()
    }
}

/// True if a waiting call has the wanted parties: of its own, or of its root as it is kept. A
/// record that cannot be read has those that stand anywhere in it.
fn has_parties(own: &SuspendedCall, wanted: &Wanted) -> bool {
    wanted.parties.iter().all(|(role, who)| {
        if let Some(record) = &own.unread {
            let is_end = |c: char| matches!(c, ',' | ';' | '\t' | '|' | '"' | '\n' | '\r');
            return *role == Role::Any && record.split(is_end).any(|cell| who.may_be_cell(cell));
        }
        let root = own.root.as_ref().map(|root| root.each_ref().map(String::as_str));
        is_party(*role, who, &own.call, root)
    })
}

fn is_party(role: Role, who: &Who, call: &Unbooked, root: Option<[&str; 2]>) -> bool {
    let is_root = call.parent_call_sid.is_empty();
    match role {
        Role::Any => who.is(&call.from) || who.is(&call.to),
        Role::Caller => root.map_or(is_root && who.is(&call.from), |[a, _]| who.is(a)),
        Role::Called => root.map_or(is_root && who.is(&call.to), |[_, b]| who.is(b)),
    }
}

/// The columns of ignored records that are read.
const IGNORED: [&str; 9] = [
    "call_sid",
    "parent_call_sid",
    "account_sid",
    "direction",
    "source_file",
    "record",
    "header",
    "start_time",
    "source_line",
];

fn of_ignored(
    rows: &Rows<'_>,
    wanted: &Wanted,
    families: &BTreeMap<String, String>,
    zone: Option<&Zone>,
    found: &mut FoundUnbooked,
) -> Result<(), LedgerError> {
    let texts = rows.texts([
        "call_sid",
        "parent_call_sid",
        "account_sid",
        "direction",
        "source_file",
        "record",
        "header",
    ]);
    let (starts, lines) = (rows.longs(["start_time"])?, rows.longs(["source_line"])?);
    for at in 0..rows.height() {
        let [sid, parent, account, direction, source_file, record, header] = texts.row(at);
        let start = starts.optional(0)[at];
        let root = if parent.is_empty() { sid } else { parent };
        let is_family = families.contains_key(root);
        // Cheap conditions come first: there may be as many ignored calls as booked ones.
        let may_be = (wanted.accounts.is_empty() || wanted.accounts.contains(account))
            && wanted
                .times
                .as_ref()
                .is_none_or(|times| start.is_none_or(|start| times.contains(&start)));
        if !is_family && !may_be {
            continue;
        }
        let head = Unbooked {
            call_sid: sid.to_owned(),
            parent_call_sid: parent.to_owned(),
            account_sid: account.to_owned(),
            source_file: source_file.to_owned(),
            source_line: lines.fit(0, at)?,
            root: root.to_owned(),
            ..unread(State::Ignored(direction.to_owned()))
        };
        let call = match RecordText::kept(record, header) {
            Some(text) => text.with_fields(|fields| filled(head, fields, zone)),
            None => head,
        };
        let call = Unbooked { start, ..call };
        let parties = || wanted.parties.iter().all(|(role, who)| is_party(*role, who, &call, None));
        if is_family {
            found.calls.push(call);
        } else if wanted.takes_unbooked(&call) && parties() {
            found.add(call, wanted);
        }
    }
    Ok(())
}
