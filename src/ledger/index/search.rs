//! Calls by their parties, their time, their account and what they cost; each with its family.
//!
//! ```text
//! days, newest first ─▶ row groups by their statistics ─▶ those with the digits in their pages
//!   ─▶ the rows that are wanted ─▶ their families, whole ─▶ what waits and was ignored beside them
//! ```
//!
//! **Invariant:** a family is shown whole if one of its calls is wanted, and each wanted party is
//! one of the family. Nothing is read from a file that is not as it was written.
//!
//! # Why
//! No index of numbers is kept: a night would become slower by it. Of six nights of 200,000 calls a
//! number that few have takes 0.07 CPU seconds, one that is in each row group 0.17, with a day 0.04
//! to 0.06: see [`needles`](crate::ledger::tables::needles).

pub mod newest;

use crate::dialled::{Beginning, Dialled};
use crate::ledger::error::LedgerError;
use crate::ledger::history::History;
use crate::ledger::index::find::{self, LogPlace};
use crate::ledger::index::superseded::Superseded;
use crate::ledger::place::{Dataset, day_of_file};
use crate::ledger::run::Run;
use crate::ledger::tables::file::Footer;
use crate::ledger::tables::log_row::LogRow;
use crate::ledger::tables::needles::FoundRows;
use crate::ledger::tables::stored::Rows;
use crate::ledger::tables::text_pages::Needles;
use crate::party::Party;
use crate::policy::WITHHELD_WORDS;
use crate::time::{self, Micros};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The part that a party has in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A, B, C, or the number that the target was shown.
    Any,
    /// A: the root's caller.
    Caller,
    /// B: who was called first.
    Called,
}

/// A party that is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// A number, with its country code or without, or the end of one.
    Number(Dialled),
    /// The beginning of a number.
    Beginning(Beginning),
    /// A text that is no number: a SIP address, its user, or a word such as `anonymous`.
    Text(PartyText),
}

/// The text of a party that is no number, without its scheme and in small letters: exports differ
/// in both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartyText(String);

impl PartyText {
    /// Takes a text as it was written; `None` if nothing is left of it.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let text = text.trim();
        let has_scheme = text.split_once(':').is_some_and(|(scheme, _)| !scheme.contains('@'));
        let uri =
            if has_scheme || !text.contains('@') { text.to_owned() } else { format!("sip:{text}") };
        let endpoint = match Party::of_root(&uri) {
            Party::Endpoint(endpoint) => endpoint.into_owned(),
            Party::Number(number) => number.to_string(),
            Party::Unknown(_) => text.to_owned(),
        };
        let small = endpoint.to_ascii_lowercase();
        let bare = small.strip_prefix("sips:").or_else(|| small.strip_prefix("sip:"));
        let bare = bare.unwrap_or(&small).to_owned();
        (!bare.is_empty()).then_some(Self(bare))
    }

    /// True if it stands for a caller who is withheld.
    #[must_use]
    pub fn is_withheld(&self) -> bool {
        WITHHELD_WORDS.iter().any(|word| self.0.eq_ignore_ascii_case(word))
    }

    /// True if it is an address, with its host.
    #[must_use]
    pub fn is_address(&self) -> bool {
        self.0.contains('@')
    }

    /// True if a party is this text, or it is the user of an address.
    fn is(&self, party: &str) -> bool {
        party.len() >= self.0.len()
            && Self::of(party).is_some_and(|party| {
                let user = party.0.split_once('@').map(|(user, _)| user);
                party == *self || user == Some(self.0.as_str())
            })
    }
}

impl Who {
    /// True if a text of a call is this party.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        match self {
            Self::Number(number) => number.is_in(text),
            Self::Beginning(beginning) => beginning.is_in(text),
            Self::Text(wanted) => wanted.is(text),
        }
    }

    /// True if a cell of a record that cannot be read may be this party: nobody knows whose cell it
    /// is, so that a word must be one that stands for a party.
    #[must_use]
    pub fn may_be_cell(&self, cell: &str) -> bool {
        let is_sure = match self {
            Self::Text(text) => text.is_address() || text.is_withheld(),
            Self::Number(_) | Self::Beginning(_) => true,
        };
        is_sure && self.is(cell)
    }

    fn needles(&self) -> Vec<&str> {
        match self {
            Self::Number(number) => number.needles().collect(),
            Self::Beginning(beginning) => vec![beginning.needle()],
            Self::Text(text) => vec![&text.0],
        }
    }
}

/// The calls that are wanted: all, where nothing is said.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Parties: each is one of the family.
    pub parties: Vec<(Role, Who)>,
    /// One of these accounts.
    pub accounts: BTreeSet<String>,
    /// One of these calls, by their ids.
    pub sids: BTreeSet<String>,
    /// The start.
    pub times: Option<Range<Micros>>,
    /// The status, as the log has it.
    pub status: Option<String>,
    /// The scenario, by its id.
    pub scenario: Option<String>,
    /// The least amount of one call, in units of 10⁻⁸ of any currency.
    pub least_amount: Option<i128>,
}

impl Wanted {
    /// True if all calls are wanted.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.parties.is_empty()
            && self.accounts.is_empty()
            && self.sids.is_empty()
            && self.times.is_none()
            && self.status.is_none()
            && self.scenario.is_none()
            && self.least_amount.is_none()
    }

    /// True if a booked call passes everything but the parties and the ids.
    fn takes(&self, row: &LogRow) -> bool {
        (self.accounts.is_empty() || self.accounts.contains(&row.account_sid))
            && self.times.as_ref().is_none_or(|times| times.contains(&row.start))
            && self.status.as_ref().is_none_or(|status| row.status == *status)
            && self.scenario.as_ref().is_none_or(|scenario| row.scenario == *scenario)
            && self.least_amount.is_none_or(|least| row.amount >= least)
    }

    /// True if a row has one of the parties, or none is wanted.
    fn has_any(&self, row: &LogRow) -> bool {
        self.parties.is_empty() || self.parties.iter().any(|party| is_in(party, row))
    }

    /// The place of the newest wanted call of a family.
    #[must_use]
    pub fn newest_of(&self, rows: &[LogRow]) -> Option<newest::CallPlace> {
        let own = rows.iter().filter(|row| self.takes(row) && self.has_any(row));
        own.map(newest::CallPlace::of).max()
    }

    /// True if a family has all of the parties, and a call that passes everything else.
    #[must_use]
    pub fn takes_family(&self, rows: &[LogRow]) -> bool {
        rows.iter().any(|row| self.takes(row) && self.has_any(row))
            && self.parties.iter().all(|party| rows.iter().any(|row| is_in(party, row)))
    }

    /// The columns of parties that are searched.
    fn columns(&self) -> Vec<&'static str> {
        let has = |role: Role| self.parties.iter().any(|(own, _)| *own == role);
        let any = has(Role::Any);
        let columns = [
            (any || has(Role::Caller), "from"),
            (any || has(Role::Called), "to"),
            (any, "caller_id"),
        ];
        columns.into_iter().filter(|(is_searched, _)| *is_searched).map(|(_, name)| name).collect()
    }
}

fn is_in((role, who): &(Role, Who), row: &LogRow) -> bool {
    let is_root = row.parent_call_sid.is_empty();
    match role {
        Role::Any => who.is(&row.from) || who.is(&row.to) || who.is(&row.caller_id),
        Role::Caller => is_root && who.is(&row.from),
        Role::Called => is_root && who.is(&row.to),
    }
}

/// Booked calls that were found: rows by start and id, whole families by their root.
#[derive(Debug, Default)]
pub struct Found {
    /// The families, by the id of their root.
    pub families: BTreeMap<String, Vec<LogRow>>,
    /// True if older days were not looked at, since there were enough families already.
    pub has_unread: bool,
}

/// The booked calls that are wanted, with their families. Once `most` families are found, no older
/// day is looked at.
///
/// # Errors
/// If a file cannot be read, or is not as it was written.
pub fn booked(
    history: &History,
    wanted: &Wanted,
    most: Option<usize>,
) -> Result<Found, LedgerError> {
    if !wanted.sids.is_empty() {
        let (mut roots, mut known) = (BTreeSet::new(), BTreeMap::new());
        for sid in &wanted.sids {
            if let Some((place, row)) = find::placed_log_row(history, sid)? {
                roots.insert(row.root().to_owned());
                known.insert(place, row);
            }
        }
        let mut families = families_of(history, &roots, known)?;
        families.retain(|_, rows| wanted.takes_family(rows));
        return Ok(Found { families, has_unread: false });
    }
    let (mut hits, mut roots): (BTreeMap<LogPlace, LogRow>, BTreeSet<String>) = Default::default();
    // Which families have two parties is known only when they are whole.
    let most = most.filter(|_| wanted.parties.len() < 2);
    let superseded = Superseded::of(history)?;
    let mut has_unread = false;
    for (day, files) in days(history, wanted.times.as_ref()).into_iter().rev() {
        if most.is_some_and(|most| roots.len() > most) {
            has_unread = true;
            break;
        }
        for (run, path) in files {
            history.runs[run].check_before_read(&path)?;
            for (at, row) in hits_of(&path, wanted)? {
                if superseded.has(&row.run_id, &row.call_sid) {
                    continue;
                }
                roots.insert(row.root().to_owned());
                hits.insert((run, day, at), row);
            }
        }
    }
    let mut families = if wanted.is_all() && !has_unread {
        by_root(sorted(hits.into_values().collect()))
    } else {
        families_of(history, &roots, hits)?
    };
    families.retain(|_, rows| wanted.takes_family(rows));
    Ok(Found { families, has_unread })
}

/// Families by their roots; rows that are known already are not read again.
///
/// # Errors
/// If a file cannot be read, or is not as it was written.
pub fn families_of(
    history: &History,
    roots: &BTreeSet<String>,
    known: BTreeMap<LogPlace, LogRow>,
) -> Result<BTreeMap<String, Vec<LogRow>>, LedgerError> {
    let roots: BTreeSet<&str> = roots.iter().map(String::as_str).collect();
    Ok(by_root(find::families(history, &roots, known)?))
}

fn sorted(mut rows: Vec<LogRow>) -> Vec<LogRow> {
    rows.sort_by(|a, b| (a.start, &a.call_sid).cmp(&(b.start, &b.call_sid)));
    rows
}

fn by_root(rows: Vec<LogRow>) -> BTreeMap<String, Vec<LogRow>> {
    let mut families: BTreeMap<String, Vec<LogRow>> = BTreeMap::new();
    for row in rows {
        families.entry(row.root().to_owned()).or_default().push(row);
    }
    families
}

/// The files of the log by UTC day, each with the number of its run.
fn days(history: &History, times: Option<&Range<Micros>>) -> BTreeMap<i64, Vec<(usize, PathBuf)>> {
    let mut days: BTreeMap<i64, Vec<(usize, PathBuf)>> = BTreeMap::new();
    let is_wanted = |day: i64| {
        times.is_none_or(|times| {
            day >= time::day(times.start) && day <= time::day(times.end.saturating_sub(1))
        })
    };
    for (number, run) in history.runs.iter().enumerate() {
        for path in Run::files(run, Dataset::Calls) {
            if let Some(day) = day_of_file(&path).filter(|day| is_wanted(*day)) {
                days.entry(day).or_default().push((number, path));
            }
        }
    }
    days
}

/// The wanted rows of a file, by their number.
fn hits_of(path: &Path, wanted: &Wanted) -> Result<Vec<(usize, LogRow)>, LedgerError> {
    let footer = Footer::of(path)?;
    let needles = Needles::of(wanted.parties.iter().flat_map(|(_, who)| who.needles()));
    let columns = wanted.columns();
    let mut first = 0;
    let mut groups = Vec::new();
    for (number, group) in footer.groups().into_iter().enumerate() {
        let rows = first..first + group.rows;
        first = rows.end;
        let overlaps = |times: &Range<Micros>| {
            group
                .starts
                .as_ref()
                .is_none_or(|starts| *starts.start() < times.end && times.start <= *starts.end())
        };
        if wanted.times.as_ref().is_none_or(overlaps) {
            groups.push((number, rows));
        }
    }
    let is = |text: &str| wanted.parties.iter().any(|(_, who)| who.is(text));
    // The pages are searched side by side.
    let holding = groups
        .par_iter()
        .map(|(number, _)| footer.rows_with(*number, &columns, &needles, &is))
        .collect::<Result<Vec<FoundRows<'_>>, LedgerError>>()?;
    let is_exact = !columns.is_empty() && holding.iter().all(FoundRows::are_few);
    let hits = |((_, rows), holding): ((usize, Range<usize>), FoundRows<'_>)| {
        if holding == FoundRows::default() && !columns.is_empty() {
            return Ok(Vec::new());
        }
        let rows = candidates((&footer, path), rows, &holding, wanted)?;
        let read = find::rows_at(&footer, path, &rows)?;
        assert_eq!(read.len(), rows.len(), "a row for each candidate");
        let taken = |row: &LogRow| wanted.takes(row) && wanted.has_any(row);
        Ok(rows.into_iter().zip(read).filter(|(_, row)| taken(row)).collect())
    };
    // Few rows are gathered side by side, too. Where polars has to read it is called for one group
    // after the other: it has threads of its own, and would be called from a new one for each
    // group, with new memory.
    let found: Result<Vec<Vec<(usize, LogRow)>>, LedgerError> = if is_exact {
        groups.into_par_iter().zip(holding).map(hits).collect()
    } else {
        groups.into_iter().zip(holding).map(hits).collect()
    };
    Ok(found?.into_iter().flatten().collect())
}

/// The rows of a group that may be wanted, by the few columns that say most: of the parties by the
/// rows that were found to have them, and by the columns that may have more.
fn candidates(
    (footer, path): (&Footer<'_>, &Path),
    group: Range<usize>,
    parties: &FoundRows<'_>,
    wanted: &Wanted,
) -> Result<Vec<usize>, LedgerError> {
    // Other conditions hold for few rows, and are asked when those are read.
    if !wanted.parties.is_empty() && parties.are_few() {
        return Ok(parties.rows.iter().map(|row| group.start + row).collect());
    }
    let mut may_be = vec![true; group.len()];
    if !wanted.parties.is_empty() {
        let mut has = vec![false; group.len()];
        for row in &parties.rows {
            has[*row] = true;
        }
        for column in parties.undecided.iter().copied() {
            let read = footer.rows(&[column], group.start, group.len())?;
            let texts = Rows::new(path, group.start, &read).texts([column]);
            for (has, text) in has.iter_mut().zip(texts.column(0).iter()) {
                let is_in = |text: &str| wanted.parties.iter().any(|(_, who)| who.is(text));
                *has = *has || text.is_some_and(is_in);
            }
        }
        may_be = has;
    }
    let is_wanted = |may_be: &mut [bool], column, is: &dyn Fn(&str) -> bool| {
        let read = footer.rows(&[column], group.start, group.len())?;
        let texts = Rows::new(path, group.start, &read).texts([column]);
        for (row, may_be) in may_be.iter_mut().enumerate() {
            *may_be &= is(texts.row(row)[0]);
        }
        Ok::<(), LedgerError>(())
    };
    let is_some = |may_be: &[bool]| may_be.contains(&true);
    if !wanted.accounts.is_empty() && is_some(&may_be) {
        is_wanted(&mut may_be, "account_sid", &|text| wanted.accounts.contains(text))?;
    }
    if let Some(status) = &wanted.status
        && is_some(&may_be)
    {
        is_wanted(&mut may_be, "status", &|text| text == status)?;
    }
    if let Some(scenario) = &wanted.scenario
        && is_some(&may_be)
    {
        is_wanted(&mut may_be, "scenario", &|text| text == scenario)?;
    }
    if (wanted.times.is_some() || wanted.least_amount.is_some()) && is_some(&may_be) {
        let read = footer.rows(&["start_time", "amount"], group.start, group.len())?;
        let numbers = Rows::new(path, group.start, &read).longs(["start_time", "amount"])?;
        for (row, may_be) in may_be.iter_mut().enumerate() {
            let [start, amount] = numbers.row(row)?;
            *may_be &= wanted.times.as_ref().is_none_or(|times| times.contains(&start))
                && wanted.least_amount.is_none_or(|least| i128::from(amount) >= least);
        }
    }
    let rows = group.zip(may_be).filter(|(_, may_be)| *may_be).map(|(row, _)| row);
    Ok(rows.collect())
}
