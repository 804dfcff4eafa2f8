//! The ignored calls of runs, by what a search asks of them: most searches want none of a run, and
//! its file is not read.
//!
//! **Invariant:** a call that a search wants has keys that it may want. A run with more than
//! `MOST` ignored calls has none here, and its file is read.
//!
//! # Why
//! Thirty nights have thirty files of ignored calls, and each page of calls read all of them: 30 ms
//! of CPU, more than all else that it reads.

use crate::ledger::error::LedgerError;
use crate::ledger::index::search::Wanted;
use crate::ledger::place::Dataset;
use crate::ledger::run::Run;
use crate::ledger::tables::file::each_group;
use crate::sid::Sid;
use crate::time::Micros;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// The most ignored calls of a run whose keys are kept: 64 bytes each.
const MOST: u64 = 50_000;

/// What a search asks of an ignored call before its record is read.
#[derive(Debug)]
struct IgnoredKey {
    call: Sid,
    root: Sid,
    account: Arc<str>,
    start: Option<Micros>,
}

/// The keys of a run; none, if it has too many.
type RunKeys = Arc<Option<Vec<IgnoredKey>>>;

/// The keys of runs by their hashes: a run never changes.
#[derive(Debug, Default)]
pub struct IgnoredIndex(Mutex<HashMap<String, RunKeys>>);

/// What a search asks of all runs.
#[derive(Debug)]
pub struct AskedIgnored<'a> {
    wanted: &'a Wanted,
    calls: BTreeSet<Sid>,
    families: HashSet<Sid>,
}

impl<'a> AskedIgnored<'a> {
    /// The question of a search that has found families, by the ids of their calls.
    #[must_use]
    pub fn new<'f>(wanted: &'a Wanted, families: impl IntoIterator<Item = &'f String>) -> Self {
        Self {
            wanted,
            calls: wanted.sids.iter().map(|sid| Sid::of(sid).0).collect(),
            families: families.into_iter().map(|sid| Sid::of(sid).0).collect(),
        }
    }

    fn may_want(&self, key: &IgnoredKey) -> bool {
        let wanted = self.wanted;
        let is_at = |start: Micros| wanted.times.as_ref().is_none_or(|own| own.contains(&start));
        self.families.contains(&key.root)
            || (self.calls.is_empty()
                || self.calls.contains(&key.call)
                || self.calls.contains(&key.root))
                && (wanted.accounts.is_empty() || wanted.accounts.contains(&*key.account))
                && wanted.scenario.is_none()
                && wanted.least_amount.is_none()
                && key.start.is_none_or(is_at)
    }
}

impl IgnoredIndex {
    /// True if a run may have an ignored call that is asked for. Its keys are read the first time.
    ///
    /// # Errors
    /// If its file cannot be read, or is not as it was written.
    pub fn may_have(&self, run: &Run, asked: &AskedIgnored<'_>) -> Result<bool, LedgerError> {
        let keys = self.keys_of(run)?;
        Ok(Option::as_ref(&keys).is_none_or(|keys| keys.iter().any(|key| asked.may_want(key))))
    }

    fn keys_of(&self, run: &Run) -> Result<RunKeys, LedgerError> {
        let known = |own: &Self| {
            let all = own.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.get(&run.manifest.own_hash).cloned()
        };
        if let Some(keys) = known(self) {
            return Ok(keys);
        }
        let keys = Arc::new(read(run)?);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(run.manifest.own_hash.clone(), Arc::clone(&keys));
        Ok(keys)
    }

    /// Forgets the runs that are not among these.
    pub fn keep_only(&self, runs: &[Run]) {
        let hashes: HashSet<&str> = runs.iter().map(|run| run.manifest.own_hash.as_str()).collect();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|hash, _| hashes.contains(hash.as_str()));
    }
}

fn read(run: &Run) -> Result<Option<Vec<IgnoredKey>>, LedgerError> {
    if run.manifest.records("ignored") > MOST {
        return Ok(None);
    }
    let (mut keys, mut accounts): (Vec<IgnoredKey>, HashSet<Arc<str>>) = Default::default();
    for path in run.files(Dataset::Ignored) {
        run.check_before_read(&path)?;
        let columns = ["call_sid", "parent_call_sid", "account_sid", "start_time"];
        each_group(&path, &columns, |rows| {
            let texts = rows.texts(["call_sid", "parent_call_sid", "account_sid"]);
            let starts = rows.longs(["start_time"])?;
            for at in 0..rows.height() {
                let [sid, parent, account] = texts.row(at);
                let known = accounts.get(account).cloned();
                let account = known.unwrap_or_else(|| {
                    let new: Arc<str> = Arc::from(account);
                    accounts.insert(Arc::clone(&new));
                    new
                });
                keys.push(IgnoredKey {
                    call: Sid::of(sid).0,
                    root: Sid::of(if parent.is_empty() { sid } else { parent }).0,
                    account,
                    start: starts.optional(0)[at],
                });
            }
            Ok::<_, LedgerError>(())
        })?;
    }
    Ok(Some(keys))
}
