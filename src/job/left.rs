//! Suspended records that a run does not take up: left as they are, or written off.
//!
//! **Invariant:** they count as retried, and as suspended or closed; so every record that waited
//! ends somewhere, as in any other run. Each is written as it was, to its last word: nothing has
//! tried it. (Only what is kept of a booked parent goes, where that is booked in another version
//! now.)

use crate::ledger::runs::stage::Staged;
use crate::ledger::runs::write_off::{hash_records, hash_text, write_closed};
use crate::ledger::tables::places::{Places, each_at};
use crate::ledger::tables::suspense::SuspenseRow;
use crate::ledger::{History, LedgerError, Run};
use crate::night::{Class, Count, Tally};
use crate::reject::Reason;
use std::collections::BTreeMap;

/// Suspended records that a run does not take up.
#[derive(Debug, Clone, Default)]
pub struct LeftBehind {
    /// The records that it takes up.
    pub taken: Places,
    /// The records that it writes off.
    pub closed: Places,
    /// The reason, in a person's words.
    pub reason: String,
    /// A call whose booked version changes: what is kept of it with its waiting transfers is
    /// dropped, and read from the log again.
    pub changes: Option<String>,
}

/// The same, with the run after which they wait.
#[derive(Debug)]
pub(crate) struct Left {
    what: LeftBehind,
    run: Run,
    /// The number of records that are left as they are.
    pub(crate) count: u64,
    /// A hash of the choice.
    pub(crate) hash: String,
}

impl Left {
    /// The suspense that is left after the last run; with its counts, and by reason what is left
    /// as it is.
    ///
    /// # Errors
    /// If the records cannot be read.
    pub(crate) fn of(
        history: &History,
        what: LeftBehind,
    ) -> Result<(Self, Tally, BTreeMap<Reason, u64>), LedgerError> {
        let run = history.runs.last().expect("records wait after a run").clone();
        let (mut left, mut closed) = (Count::default(), Count::default());
        let mut by_reason: BTreeMap<Reason, u64> = BTreeMap::new();
        let mut at = 0;
        each_at(
            &run,
            |_| true,
            |rows| {
                for row in rows {
                    let place = at;
                    at += 1;
                    if what.closed.has(place) {
                        closed.add(row.seconds);
                    } else if !what.taken.has(place) {
                        left.add(row.seconds);
                        let reason = Reason::parse(&row.reason).ok_or_else(|| unknown(&row))?;
                        *by_reason.entry(reason).or_default() += 1;
                    }
                }
                Ok::<_, LedgerError>(())
            },
        )?;
        assert_eq!(closed.records, what.closed.count(), "each place that is written off was read");
        let mut tally = Tally { retried: left.plus(closed), closed, ..Tally::default() };
        tally.by_class[Class::Suspended as usize] = left;
        let mut hasher = blake3::Hasher::new();
        hash_text(&mut hasher, &what.reason);
        for places in [&what.taken, &what.closed] {
            hasher.update(&places.count().to_le_bytes());
            hash_records(&mut hasher, &run, places)?;
        }
        let hash = hasher.finalize().to_hex().to_string();
        Ok((Self { what, run, count: left.records, hash }, tally, by_reason))
    }

    /// Calls `then` for the records that are left as they are, some at a time.
    ///
    /// # Errors
    /// If they cannot be read, or `then` fails.
    pub(crate) fn each(
        &self,
        mut then: impl FnMut(Vec<SuspenseRow>) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        let is_left = |at: usize| !self.what.taken.has(at) && !self.what.closed.has(at);
        let Some(changes) = &self.what.changes else { return each_at(&self.run, is_left, then) };
        each_at(&self.run, is_left, |mut rows| {
            for row in &mut rows {
                let is_below = row.parent_call_sid == *changes
                    || row.parent.as_ref().is_some_and(|parent| parent.root_sid == *changes);
                if is_below {
                    row.parent = None;
                }
            }
            then(rows)
        })
    }

    /// The reason, in a person's words; empty if nobody gave one.
    pub(crate) fn reason(&self) -> &str {
        &self.what.reason
    }

    /// Writes the records that are written off.
    ///
    /// # Errors
    /// If they cannot be read or written.
    pub(crate) fn write_closed(&self, staged: &mut Staged) -> Result<Count, LedgerError> {
        write_closed(staged, &self.run, &self.what.closed, &self.what.reason)
    }
}

fn unknown(row: &SuspenseRow) -> LedgerError {
    let problem = format!("a record of {} waits for `{}`", row.call_sid, row.reason);
    LedgerError::Unbalanced(format!("{problem}, which is no reason"))
}
