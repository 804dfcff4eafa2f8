//! Ids of calls by their beginning: of booked, of waiting and of ignored calls.
//!
//! **Invariant:** a prefix is never taken for a call unless exactly one id begins with it. An id
//! that is written in full is that call, whatever others begin with it.
//!
//! # Why
//! The ids of a run are sorted by their 128 bits, and an id in the carrier's form is the value of
//! its digits: all ids with one beginning are a range, found by two binary searches. Ids of another
//! form are hashes there; they are looked for in the log of those runs that have such ids.

use super::ids::IdFile;
use crate::ledger::error::LedgerError;
use crate::ledger::history::History;
use crate::ledger::index::earlier;
use crate::ledger::index::find::refuse_damaged_ids;
use crate::ledger::place::Dataset;
use crate::ledger::run::Run;
use crate::ledger::tables::file::{each_group, slice};
use crate::ledger::tables::stored::Rows;
use crate::sid::Sid;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// The ids that are named where several begin with one text.
pub const NAMED: usize = 10;

/// Digits of an id in the carrier's form, after `CA`.
const DIGITS: usize = 32;
/// Fewer of them are no beginning of an id.
const LEAST_DIGITS: usize = 4;

/// The calls that a text names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamedCall {
    /// One.
    One(String),
    /// Several ids begin with it: the first of them, [`NAMED`] at most, and true if there are more.
    Several(Vec<String>, bool),
    /// None.
    None,
}

/// The call that has this id, or the only one whose id begins with it.
///
/// # Errors
/// If a file cannot be read; if none is found, also if a file of ids is not as it was written.
pub fn find(history: &History, text: &str) -> Result<NamedCall, LedgerError> {
    if text.is_empty() {
        return Ok(NamedCall::None);
    }
    if earlier::find_call(history, text)?.is_some() {
        return Ok(NamedCall::One(text.to_owned()));
    }
    let mut found = BTreeSet::new();
    if let Some(run) = history.runs.last() {
        run.check_files(Dataset::Suspense.as_str())?;
        collect(run, Dataset::Suspense, text, &mut found)?;
    }
    if found.contains(text) {
        return Ok(NamedCall::One(text.to_owned()));
    }
    let range = carrier_range(text);
    for run in &history.runs {
        let in_range = match &range {
            Some(range) => ids_in(run, range, &mut found, text)?,
            None => false,
        };
        let may_be_ignored = range.is_none() || in_range;
        if may_be_ignored {
            for path in run.files(Dataset::Ignored) {
                run.check_before_read(&path)?;
            }
            collect(run, Dataset::Ignored, text, &mut found)?;
        }
        if found.len() > NAMED {
            break;
        }
    }
    if range.is_none() && found.is_empty() {
        for run in history.runs.iter().filter(|run| !run.manifest.id_shapes.is_empty()) {
            for path in run.files(Dataset::Calls) {
                run.check_before_read(&path)?;
            }
            collect(run, Dataset::Calls, text, &mut found)?;
        }
    }
    if found.contains(text) {
        return Ok(NamedCall::One(text.to_owned()));
    }
    let more = found.len() > NAMED;
    let mut sids: Vec<String> = found.into_iter().take(NAMED).collect();
    Ok(match sids.len() {
        0 => {
            refuse_damaged_ids(history)?;
            NamedCall::None
        }
        1 => NamedCall::One(sids.remove(0)),
        _ => NamedCall::Several(sids, more),
    })
}

/// True if a text is the id of a call, written in full: booked, waiting or ignored.
///
/// # Errors
/// If a file cannot be read.
pub fn is_id(history: &History, text: &str) -> Result<bool, LedgerError> {
    if text.is_empty() {
        return Ok(false);
    }
    if earlier::find_call(history, text)?.is_some() {
        return Ok(true);
    }
    let mut found = BTreeSet::new();
    if let Some(run) = history.runs.last() {
        run.check_files(Dataset::Suspense.as_str())?;
        collect(run, Dataset::Suspense, text, &mut found)?;
    }
    let sid = Sid::of(text).0;
    for run in history.runs.iter().filter(|run| run.has_ids()) {
        let ids = IdFile::open(&run.folder)?.find(sid)?;
        // Without a place it was ignored: two texts may have one hash.
        if ids.iter().any(|id| id.place.is_none()) {
            for path in run.files(Dataset::Ignored) {
                run.check_before_read(&path)?;
            }
            collect(run, Dataset::Ignored, text, &mut found)?;
        }
    }
    Ok(found.contains(text))
}

/// True if a text may be the beginning of an id in the carrier's form.
#[must_use]
pub fn is_carriers(text: &str) -> bool {
    carrier_range(text).is_some()
}

/// The ids in the carrier's form that begin with a text: `CA`, and four digits or more.
fn carrier_range(text: &str) -> Option<RangeInclusive<u128>> {
    let digits = text.strip_prefix("CA")?;
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if !(LEAST_DIGITS..=DIGITS).contains(&digits.len()) || !digits.bytes().all(is_hex) {
        return None;
    }
    let value = u128::from_str_radix(digits, 16).ok()?;
    let open = 4 * (DIGITS - digits.len());
    let low = value << open;
    Some(low..=low | ((1_u128 << open) - 1))
}

/// Adds the booked ids of a run in a range. Returns true if an ignored one is in it.
fn ids_in(
    run: &Run,
    range: &RangeInclusive<u128>,
    found: &mut BTreeSet<String>,
    prefix: &str,
) -> Result<bool, LedgerError> {
    if !run.has_ids() {
        return Ok(false);
    }
    let mut has_ignored = false;
    let (low, high) = (Sid(*range.start()), Sid(*range.end()));
    for id in IdFile::open(&run.folder)?.between(low, high, NAMED + 1)? {
        let Some((day, row)) = id.place else {
            has_ignored = true;
            continue;
        };
        // An id of another form may have its hash in the range: the log says what it is.
        let path = run.file_of_day(Dataset::Calls, day.into());
        run.check_before_read(&path)?;
        let read = slice(&path, &["call_sid"], row as usize, 1)?;
        let texts = Rows::new(&path, row as usize, &read).texts(["call_sid"]);
        for at in 0..read.height() {
            let [sid] = texts.row(at);
            if sid.starts_with(prefix) {
                found.insert(sid.to_owned());
            }
        }
    }
    Ok(has_ignored)
}

/// Adds the ids of a dataset that begin with a text; the text itself, and a few others.
fn collect(
    run: &Run,
    dataset: Dataset,
    prefix: &str,
    found: &mut BTreeSet<String>,
) -> Result<(), LedgerError> {
    for path in run.files(dataset) {
        each_group(&path, &["call_sid"], |rows| {
            let sids = rows.texts(["call_sid"]).column(0).iter().flatten();
            for sid in sids.filter(|sid| sid.starts_with(prefix)) {
                if found.len() <= NAMED || sid == prefix {
                    found.insert(sid.to_owned());
                }
            }
            Ok::<_, LedgerError>(())
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sid::OddSids;

    fn text_of(sid: Sid) -> String {
        OddSids::default().text(sid).to_string()
    }

    #[test]
    fn a_beginning_is_a_range() {
        let whole = "CA00112233445566778899aabbccddeeff";
        let value = 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff;
        assert_eq!(carrier_range(whole), Some(value..=value));
        assert_eq!(
            carrier_range("CA0011"),
            Some(0x0011 << 112..=(0x0011 << 112 | ((1 << 112) - 1)))
        );
        let range = carrier_range("CAff00").expect("a range");
        assert_eq!(
            [*range.start(), *range.end()].map(|value| text_of(Sid(value))),
            [format!("CAff00{}", "0".repeat(28)), format!("CAff00{}", "f".repeat(28))]
        );
        for text in ["", "CA", "CA001", "CAFE00", "call-1", "CA0011x", &format!("{whole}0")] {
            assert_eq!(carrier_range(text), None, "{text}");
        }
    }
}
