//! The history of a ledger: everything published, in its order, and the checks that it is complete.

use crate::inputs::file::FileError;
use crate::ledger::error::RESTORE;
use crate::ledger::manifest::{Manifest, RunKind, SetTime};
use crate::ledger::place::Ledger;
use crate::ledger::run::Run;
use crate::ledger::volume::{RunHead, Volume};
use crate::policy::Policy;
use crate::set_times::SetTimes;
use crate::time::{self, Micros};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// Digits of a hash in [`History::head`]: nobody finds another chain with the same 64 bits.
const HEAD_DIGITS: usize = 16;

/// Everything that was published. A writer reads it once, and adds what it publishes itself.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// The runs that count, oldest first.
    pub runs: Vec<Run>,
    /// The undone runs, in the order of their undos.
    pub undone: Vec<crate::ledger::undone::Undone>,
    /// Invoices and credit notes, in the order in which they were issued.
    pub issued: Vec<crate::ledger::batch::Batch>,
    /// The volumes that were read.
    pub volumes: Vec<Arc<Volume>>,
}

impl History {
    /// All runs, the undone ones too.
    pub fn all_runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().chain(self.undone.iter().map(|undone| &undone.run))
    }

    /// The manifests of all runs, the undone ones too.
    pub fn manifests(&self) -> impl Iterator<Item = &Manifest> {
        self.all_runs().map(|run| &*run.manifest)
    }

    /// The heads of all runs, the undone ones too: no manifest is unpacked for them.
    pub fn heads(&self) -> impl Iterator<Item = &RunHead> {
        self.all_runs().map(|run| &run.head)
    }

    /// The runs in which a person decided something about a call, oldest first.
    fn chosen(&self) -> impl Iterator<Item = &Manifest> {
        self.runs.iter().filter(|run| run.head.has_choices).map(|run| &*run.manifest)
    }

    /// Takes over what an earlier reading of the same ledger has checked of files: a run that is
    /// still there, and was not undone meanwhile, has the same files.
    pub fn keep_checked(&mut self, before: &Self) {
        if self.undone.len() != before.undone.len() {
            return;
        }
        let known: HashMap<&str, &Run> =
            before.runs.iter().map(|run| (run.head.own_hash.as_str(), run)).collect();
        for run in &mut self.runs {
            if let Some(same) = known.get(run.head.own_hash.as_str())
                && same.folder == run.folder
            {
                run.checked = same.checked.clone();
            }
        }
    }

    /// True if nothing was ever published.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.undone.is_empty() && self.issued.is_empty()
    }

    /// The manifest of the last run.
    #[must_use]
    pub fn last(&self) -> Option<&Manifest> {
        self.runs.last().map(|run| &*run.manifest)
    }

    /// The policy of the last run that has one, with the times that a person set.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let mut manifests = self.runs.iter().rev().map(|run| &run.manifest);
        let rated = manifests.find(|m| m.kind != RunKind::Rerate && !m.policy.is_empty());
        let policy = rated.map(|m| &m.policy).map_or_else(Policy::default, Policy::of_words);
        Policy { set_times: self.set_times(), ..policy }
    }

    /// The times that a person set, by the runs that count. (One that is no instant is left out, so
    /// that its record waits; `verify` refuses it.)
    #[must_use]
    pub fn set_times(&self) -> SetTimes {
        let own =
            |(set, instant): (&SetTime, Micros)| (set.call_sid.clone(), set.field.clone(), instant);
        SetTimes::new(self.instants_by_hand().map(own))
    }

    /// The booked versions whose place others took by a person's choice, by run and call: they
    /// count no more, and legs of the opposite amounts stand beside theirs. Those of calls that
    /// were rated again are in [`crate::ledger::index::superseded`].
    #[must_use]
    pub fn replaced(&self) -> HashSet<(&str, &str)> {
        let all = self.chosen().filter_map(|manifest| manifest.replaces.as_ref());
        all.map(|replaced| (replaced.run_id.as_str(), replaced.call_sid.as_str())).collect()
    }

    /// The times that a person set, by call and field: of several the last one.
    #[must_use]
    pub fn times_by_hand(&self) -> BTreeMap<(&str, &str), Micros> {
        self.instants_by_hand()
            .map(|(set, instant)| ((set.call_sid.as_str(), set.field.as_str()), instant))
            .collect()
    }

    fn instants_by_hand(&self) -> impl Iterator<Item = (&SetTime, Micros)> {
        let all = self.chosen().flat_map(|manifest| &manifest.set_times);
        all.filter_map(|set| Some((set, time::parse(&set.time, None)?)))
    }

    /// What a person decided about a call that is not seen in it, in words; `booked` gives the time
    /// that a field is booked with.
    #[must_use]
    pub fn by_hand(&self, call_sid: &str, booked: impl Fn(&str) -> Option<Micros>) -> Vec<String> {
        let mut words = self.set_by_hand(call_sid, booked);
        for m in self.chosen() {
            let Some(replaced) = &m.replaces else { continue };
            if replaced.call_sid == call_sid {
                let reason = m.reason.as_deref().unwrap_or("");
                words.push(format!(
                    "this version was taken in place of that of run {}, whose legs were taken \
                     back: {reason} (run {})",
                    replaced.run_id, m.run_id
                ));
            }
        }
        words
    }

    /// The times of a call that a person set, in words: of each field the one that counts.
    fn set_by_hand(&self, call_sid: &str, booked: impl Fn(&str) -> Option<Micros>) -> Vec<String> {
        let mut by_field: BTreeMap<&str, String> = BTreeMap::new();
        for m in self.chosen() {
            for set in m.set_times.iter().filter(|set| set.call_sid == call_sid) {
                let reason = m.reason.as_deref().unwrap_or("");
                let is_other =
                    booked(&set.field).is_some_and(|at| time::parse(&set.time, None) != Some(at));
                let how = if is_other {
                    format!(
                        "was set by hand to {}, and does not count: another version is booked",
                        set.time
                    )
                } else {
                    format!("is {}, set by hand", set.time)
                };
                let words = format!("{} {how}: {reason} (run {})", set.field, m.run_id);
                by_field.insert(&set.field, words);
            }
        }
        by_field.into_values().collect()
    }

    /// The newest call start of all runs that count.
    #[must_use]
    pub fn newest_start(&self) -> Option<crate::time::Micros> {
        self.runs.iter().filter_map(|run| run.head.own_newest()).max()
    }

    /// An instant that no billed call starts after: the newest start of all. `None` if nothing is
    /// billed.
    #[must_use]
    pub fn newest_billed(&self) -> Option<crate::time::Micros> {
        let is_billed = self.runs.iter().any(|run| run.manifest.legs > 0);
        self.newest_start().filter(|_| is_billed)
    }

    /// Checks that every billed run is there: without it, its calls would be booked again and
    /// billed twice.
    pub(super) fn check_billed(&self) -> Result<(), FileError> {
        let known: HashSet<&str> = self.heads().map(|head| head.run_id.as_str()).collect();
        for batch in &self.issued {
            if let Some(gone) =
                batch.manifest.runs.iter().find(|run| !known.contains(run.run_id.as_str()))
            {
                let problem = format!("bills calls of run {}, which is missing", gone.run_id);
                return Err(FileError::new(&batch.folder, problem).hint(RESTORE));
            }
        }
        Ok(())
    }

    /// The head of the history, three hashes: of its last run, undo and batch of invoices; `-`
    /// where there is none. Each is a link of a chain, so a head that was noted elsewhere proves
    /// all that came before it.
    #[must_use]
    pub fn head(&self) -> String {
        let short = |hash: Option<&str>| hash.map_or("-", |hash| &hash[..HEAD_DIGITS]).to_owned();
        let run = self.last().map(|manifest| manifest.own_hash.as_str());
        let undone = self.undone.last().map(|undone| undone.record_hash.as_str());
        let batch = self.issued.last().map(|batch| batch.manifest.own_hash.as_str());
        [run, undone, batch].map(short).join(".")
    }

    /// Proves that a head noted earlier belongs to this history: every link that it names is still
    /// there.
    ///
    /// # Errors
    /// If a link is missing, or the text is no head.
    pub fn has_head(&self, ledger: &Ledger, head: &str) -> Result<(), FileError> {
        let runs: Vec<&str> = self.heads().map(|head| head.own_hash.as_str()).collect();
        let undone: Vec<&str> =
            self.undone.iter().map(|undone| undone.record_hash.as_str()).collect();
        let batches: Vec<&str> =
            self.issued.iter().map(|batch| batch.manifest.own_hash.as_str()).collect();
        let lower = head.to_ascii_lowercase();
        let links: Vec<&str> = lower.split('.').collect();
        let is_link = |link: &str| {
            link == "-" || link.len() == HEAD_DIGITS && link.bytes().all(|b| b.is_ascii_hexdigit())
        };
        if links.len() != 3 || !links.iter().all(|link| is_link(link)) {
            let problem = format!(
                "`{head}` is no head; expected three groups of {HEAD_DIGITS} hex digits or `-`, \
                 with points between"
            );
            return Err(
                FileError::new(ledger.folder(), problem).hint("`trunkrate runs` prints one")
            );
        }
        let kinds = [
            ("run", ledger.runs_folder()),
            ("undo", ledger.undone_folder()),
            ("batch of invoices", ledger.invoices_folder()),
        ];
        for ((link, known), (kind, folder)) in links.iter().zip([runs, undone, batches]).zip(kinds)
        {
            if *link != "-" && !known.iter().any(|hash| hash.starts_with(link)) {
                let problem = format!(
                    "lacks the {kind} {link}, which the ledger had when the head was noted"
                );
                return Err(FileError::new(&folder, problem)
                    .hint("it is an older copy, or another ledger; restore the newer one"));
            }
        }
        Ok(())
    }

    /// Checks the chain, so that a lost run is found: every run holds the hash of the run before
    /// it, and all runs between two that count were undone.
    pub(super) fn check_chain(&self) -> Result<(), FileError> {
        let undone: HashMap<&str, &RunHead> = self
            .undone
            .iter()
            .map(|undone| (undone.run.head.own_hash.as_str(), &undone.run.head))
            .collect();
        let mut before: Option<&RunHead> = None;
        for run in &self.runs {
            let m = &run.head;
            if run.folder.file_name().is_none_or(|name| *name != *m.run_id) {
                let problem = format!("its manifest says that it is run {}", m.run_id);
                return Err(FileError::new(&run.folder, problem).hint(RESTORE));
            }
            let expected = before.map(|before| before.own_hash.as_str());
            let (mut hash, mut sequence) = (m.previous_manifest.as_deref(), m.sequence);
            while hash != expected
                && let Some(taken_back) = hash.and_then(|hash| undone.get(hash))
            {
                (hash, sequence) = (taken_back.previous_manifest.as_deref(), taken_back.sequence);
            }
            if hash != expected || sequence != before.map_or(1, |before| before.sequence + 1) {
                let (previous, wanted) =
                    (run.manifest.previous.as_deref(), before.map(|before| before.run_id.as_str()));
                let problem = format!(
                    "it is run {} after {}; found {} before it: a run is missing, \
                     or a manifest was changed",
                    m.sequence,
                    previous.unwrap_or("none"),
                    wanted.unwrap_or("none")
                );
                return Err(FileError::new(&run.folder, problem).hint(RESTORE));
            }
            before = Some(m);
        }
        Ok(())
    }
}
