//! A part of the proof: a run's calls of one day with their legs, and their sums.

use crate::audit::{Call, Leg};
use crate::fit::must_fit;
use crate::inputs::file::FileError;
use crate::ledger::error::{LedgerError, RESTORE};
use crate::ledger::index::ids::ChildRow;
use crate::ledger::manifest::ManifestCount;
use crate::ledger::place::Dataset;
use crate::ledger::run::Run;
use crate::sid::Sid;
use crate::time::{self, DAY};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(crate) fn wrong(path: &Path, what: impl std::fmt::Display) -> LedgerError {
    FileError::new(path, what.to_string()).hint(RESTORE).into()
}

/// The calls of a run that started on one day.
pub(crate) struct DayPart<'a> {
    pub(crate) run_number: usize,
    pub(crate) run: &'a Run,
    pub(crate) day: i64,
    pub(crate) rows: u64,
}

impl DayPart<'_> {
    pub(crate) fn path(&self, dataset: Dataset) -> PathBuf {
        self.run.file_of_day(dataset, self.day)
    }

    pub(crate) fn is_file(&self, folder: &Path, file: &str) -> bool {
        let date = format!("/date={}/", time::date_text(self.day * DAY));
        self.run.folder == folder
            && (file.starts_with("legs/") || file.starts_with("calls/"))
            && file.contains(&date)
    }
}

/// The sums of a run's parts.
#[derive(Default)]
pub(crate) struct Sums {
    pub(crate) calls: u64,
    pub(crate) legs: u64,
    pub(crate) classes: BTreeMap<String, ManifestCount>,
    pub(crate) amount: BTreeMap<String, i128>,
    pub(crate) ids: Vec<(Sid, i32, u32)>,
    pub(crate) children: Vec<ChildRow>,
}

impl Sums {
    /// Adds a recomputed call with its legs; `day` and `row` are its place in the log.
    pub(crate) fn add(&mut self, call: &Call<'_>, legs: &[Leg<'_>], (day, row): (i64, usize)) {
        self.calls += 1;
        self.legs += legs.len() as u64;
        let count = ManifestCount {
            records: 1,
            seconds: must_fit(call.duration, "an audited call has no negative duration"),
        };
        let class = entry(&mut self.classes, call.class);
        *class = class.plus(count);
        if !legs.is_empty() {
            *entry(&mut self.amount, call.currency) +=
                legs.iter().map(|leg| leg.amount).sum::<i128>();
        }
        let (day, row) = (
            must_fit(day, "a day fits 32 bits"),
            must_fit(row, "a row of a day's log fits 32 bits"),
        );
        self.ids.push((Sid::of(call.call_sid).0, day, row));
        if !call.parent_call_sid.is_empty() {
            self.children.push(ChildRow { root: Sid::of(call.parent_call_sid).0, day, row });
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.calls += other.calls;
        self.legs += other.legs;
        for (class, count) in other.classes {
            let sum = self.classes.entry(class).or_default();
            *sum = sum.plus(count);
        }
        for (currency, amount) in other.amount {
            *self.amount.entry(currency).or_default() += amount;
        }
        self.ids.extend(other.ids);
        self.children.extend(other.children);
    }
}

/// The entry of a name; the name is copied once, not for every call.
pub(crate) fn entry<'a, T: Default>(map: &'a mut BTreeMap<String, T>, name: &str) -> &'a mut T {
    if !map.contains_key(name) {
        map.insert(name.to_owned(), T::default());
    }
    map.get_mut(name).expect("it was put there")
}
