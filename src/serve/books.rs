//! The ledger as requests see it: one state of it for a whole request, and what is computed from a
//! state once.
//!
//! ```text
//! names of the published folders ── as before? ──yes──▶ the snapshot that is kept
//!                                        └──no───▶ History, read and checked ──▶ a new snapshot
//! ```
//!
//! **Invariant:** a request reads one snapshot. A file that is gone meanwhile (a run was undone)
//! is an error, and the router asks again on the next snapshot; nothing is mixed. No lock of the
//! ledger is taken.

use super::answered::KeptAnswers;
use super::kept::{KeptValue, OncePerState};
use super::problem::RequestProblem;
use super::setting::ConsoleSetting;
use crate::inputs::accounts::Accounts;
use crate::inputs::decks::Decks;
use crate::job::evidence::Evidence;
use crate::ledger::index::account_names::AccountNames;
use crate::ledger::index::ignored::IgnoredIndex;
use crate::ledger::index::unbooked::SuspendedCalls;
use crate::ledger::looks::{self, Look};
use crate::ledger::{Dataset, History, LedgerError, PublishedNames, Run};
use crate::report::Report;
use crate::report::asked::AskError;
use crate::report::customers::{CountedRuns, Customers};
use crate::report::explained::{archived_accounts, archived_decks};
use crate::report::gather;
use crate::report::health::{self, Health, Machine, WaitingLines};
use crate::report::numbers::AccountNumbers;
use crate::serve::waits::WaitsByCause;
use crate::time::{self, Micros, Zone};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// A state of the ledger.
pub struct Snapshot {
    /// Everything published.
    pub history: History,
    /// Its head: three hashes that name the state.
    pub head: String,
    /// The names of accounts.
    pub names: AccountNames,
    /// The zone of records' times without an offset.
    pub zone: Option<Zone>,
    published: PublishedNames,
}

/// What a run was rated with.
pub struct RatedLists {
    /// Its decks.
    pub decks: Decks,
    /// Its accounts.
    pub accounts: Accounts,
}

/// Decks that are kept in memory: those of the last days, and those of an older call.
const MOST_LISTS: usize = 3;
/// Records of booked calls that are kept once they were found.
const MOST_SOURCES: usize = 32;
/// Customers whose numbers are kept once they were counted.
const MOST_NUMBERS: usize = 4;
/// The most waiting calls that are kept for searches.
const MOST_SUSPENDED: usize = 50_000;
/// Looks whose repetition is no look of its own.
const MOST_SEEN: usize = 4096;
/// The time for which it is none.
const SAME_LOOK: Micros = 60 * time::SECOND;

/// Whether a request can do without a value that is being computed.
#[derive(Debug, Clone, Copy)]
enum Patience {
    /// It cannot, and waits for it a little.
    Waits,
    /// It has another one.
    HasOther,
}

impl Patience {
    fn ask<T: Send + Sync + 'static>(
        self,
        kept: &Arc<OncePerState<T>>,
        key: &str,
        compute: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> KeptValue<T> {
        match self {
            Self::Waits => kept.of(key, compute),
            Self::HasOther => kept.of_now(key, compute),
        }
    }
}

impl Snapshot {
    /// True if each run of it still counts in another state.
    fn is_within(&self, other: &Self) -> bool {
        let hashes: HashSet<&str> =
            other.history.runs.iter().map(|run| run.manifest.own_hash.as_str()).collect();
        self.history.runs.iter().all(|run| hashes.contains(run.manifest.own_hash.as_str()))
    }
}

/// The ledger, and what is kept of it.
pub struct ConsoleBooks {
    /// What the console was started with.
    pub setting: ConsoleSetting,
    current: Mutex<Option<Arc<Snapshot>>>,
    /// The last state whose sums were all there.
    summed: Mutex<Option<Arc<Snapshot>>>,
    lists: Mutex<Vec<(String, Arc<RatedLists>)>>,
    waits: Arc<OncePerState<WaitsByCause>>,
    report: Arc<OncePerState<Report>>,
    customers: Arc<OncePerState<Customers>>,
    counted: Arc<CountedRuns>,
    /// The months that are drawn up.
    pub months: Arc<OncePerState<super::months::MonthSurvey>>,
    suspended: Arc<OncePerState<Option<SuspendedCalls>>>,
    /// Which runs have ignored calls that a search may want.
    pub ignored: IgnoredIndex,
    /// The answers that were given last.
    pub answers: KeptAnswers,
    /// The records of booked calls that were looked for.
    pub sources: Arc<OncePerState<Option<Evidence>>>,
    /// The numbers of customers that were asked for.
    pub numbers: Arc<OncePerState<AccountNumbers>>,
    /// That the log of a state is as it was written.
    checked: Arc<OncePerState<()>>,
    seen: Mutex<HashMap<(String, String), Micros>>,
}

impl ConsoleBooks {
    /// The books of a ledger.
    #[must_use]
    pub fn new(setting: ConsoleSetting) -> Self {
        Self {
            setting,
            current: Mutex::default(),
            summed: Mutex::default(),
            lists: Mutex::default(),
            waits: Arc::new(OncePerState::of_few(2)),
            report: Arc::new(OncePerState::of_few(2)),
            customers: Arc::new(OncePerState::of_few(2)),
            counted: Arc::default(),
            months: Arc::default(),
            suspended: Arc::new(OncePerState::quick()),
            ignored: IgnoredIndex::default(),
            answers: KeptAnswers::default(),
            numbers: Arc::new(OncePerState::of_few(MOST_NUMBERS)),
            sources: Arc::new(OncePerState::of_few(MOST_SOURCES)),
            checked: Arc::default(),
            seen: Mutex::default(),
        }
    }

    /// The present state.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub fn snapshot(&self) -> Result<Arc<Snapshot>, RequestProblem> {
        let ledger = &self.setting.ledger;
        // Held while a new one is read: one request reads it, and the others wait for it.
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let published = ledger.published()?;
        if let Some(snapshot) = current.as_ref().filter(|own| own.published == published) {
            return Ok(Arc::clone(snapshot));
        }
        if !ledger.exists()? {
            let folder = ledger.folder().display();
            return Err(RequestProblem::new(503, format!("{folder}: there is no ledger yet"))
                .hint("`trunkrate run` makes it"));
        }
        let mut history = ledger.history()?;
        if let Some(before) = current.as_ref() {
            history.keep_checked(&before.history);
            self.ignored.keep_only(&history.runs);
        }
        let list = self.setting.accounts.as_deref();
        let names = AccountNames::read(ledger, &history, list)
            .or_else(|_| AccountNames::read(ledger, &history, None))?;
        let (head, zone) = (history.head(), history.policy().zone);
        let snapshot = Arc::new(Snapshot { history, head, names, zone, published });
        *current = Some(Arc::clone(&snapshot));
        Ok(snapshot)
    }

    /// What a run was rated with.
    ///
    /// # Errors
    /// If its archive cannot be read.
    pub fn lists(&self, run: &Run) -> Result<Arc<RatedLists>, AskError> {
        let m = &run.manifest;
        let [decks, accounts] = [m.decks_hash.as_ref(), m.accounts_hash.as_ref()];
        let key = format!("{} {}", text(decks), text(accounts));
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = lists.iter().position(|(own, _)| *own == key) {
            let found = lists.remove(at);
            lists.push(found);
        } else {
            let ledger = &self.setting.ledger;
            let decks = archived_decks(ledger, run)?;
            let found = RatedLists { decks, accounts: archived_accounts(ledger, run)? };
            lists.push((key, Arc::new(found)));
            if lists.len() > MOST_LISTS {
                lists.remove(0);
            }
        }
        let (_, last) = lists.last().expect("it was put there");
        Ok(Arc::clone(last))
    }

    /// The state that pages of sums show: the present one, once its sums are there; until then the
    /// last one whose sums are, if nothing of it was undone.
    ///
    /// # Why
    /// A night of a million calls takes some ten seconds to be added up. Who looks meanwhile sees
    /// the state before it, whole, and that it is.
    #[must_use]
    pub fn with_sums(&self, present: &Arc<Snapshot>) -> Arc<Snapshot> {
        let before = self.summed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let before = before.filter(|before| before.is_within(present));
        let Some(before) = before.filter(|before| !Arc::ptr_eq(before, present)) else {
            if self.has_sums(present, Patience::Waits) {
                let own = Some(Arc::clone(present));
                *self.summed.lock().unwrap_or_else(PoisonError::into_inner) = own;
            }
            return Arc::clone(present);
        };
        if !self.has_sums(present, Patience::HasOther) {
            return before;
        }
        *self.summed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(present));
        Arc::clone(present)
    }

    /// True if all sums of a state are there, or cannot be; they are begun otherwise.
    fn has_sums(&self, snapshot: &Arc<Snapshot>, patience: Patience) -> bool {
        let is_there = [
            !matches!(self.waits_with(snapshot, patience), KeptValue::Pending),
            !matches!(self.customers_with(snapshot, patience), KeptValue::Pending),
            !matches!(self.report_with(snapshot, patience), Some(KeptValue::Pending)),
        ];
        let has_all = is_there.iter().all(|is_there| *is_there);
        if has_all {
            self.check_log(snapshot);
        }
        has_all
    }

    /// Hashes the files of the log, the newest first, so that no request has to wait for that; what
    /// is not as it was written is told to who reads it.
    fn check_log(&self, snapshot: &Arc<Snapshot>) {
        let own = Arc::clone(snapshot);
        self.checked.begin(&snapshot.head, move || {
            for run in own.history.runs.iter().rev() {
                for path in run.files(Dataset::Calls).iter().rev() {
                    run.check_before_read(path).map_err(|error| error.to_string())?;
                }
            }
            Ok(())
        });
    }

    /// What waits, by cause and record by record.
    pub fn waits(&self, snapshot: &Arc<Snapshot>) -> KeptValue<WaitsByCause> {
        self.waits_with(snapshot, Patience::Waits)
    }

    fn waits_with(&self, snapshot: &Arc<Snapshot>, patience: Patience) -> KeptValue<WaitsByCause> {
        let (ledger, own) = (self.setting.ledger.clone(), Arc::clone(snapshot));
        patience.ask(&self.waits, &snapshot.head, move || {
            WaitsByCause::of(&ledger, &own.history).map_err(|e| e.to_string())
        })
    }

    /// The calls that wait, for searches; `None` while they are read, and if there are too many:
    /// then each search reads them.
    pub fn suspended(&self, snapshot: &Arc<Snapshot>) -> Option<Arc<Option<SuspendedCalls>>> {
        let own = Arc::clone(snapshot);
        let found = self.suspended.of(&snapshot.head, move || {
            let read = SuspendedCalls::read(&own.history, own.zone.as_ref(), MOST_SUSPENDED);
            read.map_err(|e| e.to_string())
        });
        match found {
            KeptValue::Ready(all) => Some(all),
            KeptValue::Pending | KeptValue::Failed(_) => None,
        }
    }

    /// The report of the last run.
    pub fn report(&self, snapshot: &Arc<Snapshot>) -> Option<KeptValue<Report>> {
        self.report_with(snapshot, Patience::Waits)
    }

    fn report_with(
        &self,
        snapshot: &Arc<Snapshot>,
        patience: Patience,
    ) -> Option<KeptValue<Report>> {
        let run = snapshot.history.runs.last()?;
        let (ledger, own) = (self.setting.ledger.clone(), Arc::clone(snapshot));
        Some(patience.ask(&self.report, &run.manifest.own_hash, move || {
            let run = own.history.runs.last().expect("the run that was asked for");
            gather::gather(&ledger, &own.history, run, None).map_err(|e| e.to_string())
        }))
    }

    /// The customers and their months.
    pub fn customers(&self, snapshot: &Arc<Snapshot>) -> KeptValue<Customers> {
        self.customers_with(snapshot, Patience::Waits)
    }

    fn customers_with(&self, snapshot: &Arc<Snapshot>, patience: Patience) -> KeptValue<Customers> {
        let (counted, own) = (Arc::clone(&self.counted), Arc::clone(snapshot));
        patience.ask(&self.customers, &snapshot.head, move || {
            counted.of(&own.history).map_err(|e: LedgerError| e.to_string())
        })
    }

    /// The health of the nights, with what waits as far as that is known.
    #[must_use]
    pub fn health(&self, snapshot: &Snapshot, waiting: WaitingLines) -> Health {
        let setting = &self.setting;
        let machine = Machine {
            now: (setting.now)(),
            host: &setting.host,
            is_running: setting.is_running,
            free_bytes: (setting.free_bytes)(setting.ledger.folder()),
        };
        health::look_at((&setting.ledger, &snapshot.history), waiting, &setting.limits, machine)
    }

    /// Writes down a look at customers' calls, before they are shown. The same look again within a
    /// minute is none of its own.
    pub fn looked(&self, from: &str, asked: &str, accounts: &BTreeSet<String>, shown: usize) {
        if shown == 0 {
            return;
        }
        let now = (self.setting.now)();
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.len() >= MOST_SEEN {
                seen.retain(|_, at| now - *at < SAME_LOOK);
            }
            let key = (from.to_owned(), asked.to_owned());
            if seen.get(&key).is_some_and(|at| (0..SAME_LOOK).contains(&(now - *at))) {
                return;
            }
            if seen.len() < MOST_SEEN {
                seen.insert(key, now);
            }
        }
        let look = Look {
            at: time::text(now),
            from: from.to_owned(),
            user: self.setting.user.clone(),
            host: self.setting.host.clone(),
            asked: asked.to_owned(),
            accounts: accounts.iter().take(looks::NAMED).cloned().collect(),
            more_accounts: accounts.len().saturating_sub(looks::NAMED) as u64,
            shown: shown as u64,
        };
        if let Err(error) = looks::append(&self.setting.ledger, &look) {
            (self.setting.tell)(&format!("a look at {asked} by {from} is not kept: {error}"));
        }
    }
}

fn text(hash: Option<&String>) -> &str {
    hash.map_or("-", String::as_str)
}
