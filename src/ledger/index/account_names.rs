//! Accounts by id, by the beginning of one, or by name: the names of the project's `accounts.csv`,
//! and of the lists that runs were rated with.
//!
//! ```text
//! accounts.csv ─────────────┐
//! archive/<hash>, newest on ┴▶ id ─▶ name ─┐
//! dictionaries of the log, suspense ─▶ ids ┴▶ resolve ─▶ one account; or the nearest ones
//! ```
//!
//! **Invariant:** an account that no list names and no call has is none: it never stands for an
//! empty list of calls.

use crate::inputs::accounts::{self, Accounts};
use crate::inputs::file::FileError;
use crate::ledger::error::LedgerError;
use crate::ledger::history::History;
use crate::ledger::place::{Dataset, Ledger};
use crate::ledger::tables::file::{Footer, each_group};
use crate::ledger::tables::stored::Rows;
use crate::resemble::letters_apart;
use crate::words::plain_word;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use unicode_normalization::UnicodeNormalization;

/// The accounts that a message names.
const NAMED: usize = 5;
/// A beginning of an id that is shorter names too many.
const LEAST_PREFIX: usize = 3;

/// A name without case, blanks, `_` or `-`, and however its accents are written: `é` may be one
/// character or two.
fn plain_name(name: &str) -> String {
    plain_word(&name.nfc().collect::<String>())
}

/// The names of accounts, by id; empty for one that has none.
#[derive(Debug, Clone, Default)]
pub struct AccountNames(BTreeMap<String, String>);

/// The way in which a text named an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Its id.
    Id,
    /// The beginning of its id.
    Prefix,
    /// Its name, or a part of it.
    Name,
}

/// The account that a text names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// One, by its id.
    One(String, By),
    /// Several: the first of them, each with its name.
    Several(Vec<(String, String)>),
    /// None; the nearest ones, each with its name.
    None(Vec<(String, String)>),
}

impl AccountNames {
    /// The names of a list, and of those that runs keep; of several names of an account the one of
    /// the list, else the newest.
    ///
    /// # Errors
    /// If a list cannot be read.
    pub fn read(
        ledger: &Ledger,
        history: &History,
        list: Option<&Path>,
    ) -> Result<Self, FileError> {
        let mut names = Self::default();
        if let Some(path) = list {
            names.add(accounts::archived(path)?);
        }
        let mut read: BTreeSet<&str> = BTreeSet::new();
        for hash in
            history.runs.iter().rev().filter_map(|run| run.manifest.accounts_hash.as_deref())
        {
            if read.insert(hash) {
                let path = ledger.archive_folder().join(hash).join("accounts.csv");
                names.add(accounts::archived(&path)?);
            }
        }
        Ok(names)
    }

    fn add(&mut self, accounts: Accounts) {
        for (sid, account) in accounts {
            let name = self.0.entry(sid).or_default();
            if name.is_empty() {
                *name = account.name;
            }
        }
    }

    /// The name of an account; its id if it has none.
    #[must_use]
    pub fn name<'a>(&'a self, sid: &'a str) -> &'a str {
        self.0.get(sid).map(String::as_str).filter(|name| !name.is_empty()).unwrap_or(sid)
    }

    /// The account that a text names: by its id, its name, the beginning of its id, or a part of
    /// its name; the first of these that any account has.
    ///
    /// # Errors
    /// If the ledger cannot be read, which is read only for an account that no list has.
    pub fn resolve(&self, history: &History, text: &str) -> Result<Named, LedgerError> {
        let text = text.trim();
        if let found @ (Named::One(..) | Named::Several(_)) = self.listed(text) {
            return Ok(found);
        }
        let mut all = self.clone();
        for sid in accounts_of(history)? {
            all.0.entry(sid).or_default();
        }
        Ok(all.listed(text))
    }

    /// The same, among the accounts that a list names.
    #[must_use]
    pub fn listed(&self, text: &str) -> Named {
        if self.0.contains_key(text) {
            return Named::One(text.to_owned(), By::Id);
        }
        let plain = plain_name(text);
        let of = |is_it: &dyn Fn(&str, &str) -> bool| -> Vec<(String, String)> {
            self.0
                .iter()
                .filter(|(sid, name)| is_it(sid, &plain_name(name)))
                .map(|(sid, name)| (sid.clone(), name.clone()))
                .collect()
        };
        if plain.is_empty() {
            return Named::None(Vec::new());
        }
        let has_length = text.len() >= LEAST_PREFIX;
        let ways: [(By, Vec<(String, String)>); 4] = [
            (By::Name, of(&|_, name| name == plain)),
            (By::Prefix, of(&|sid, _| has_length && sid.starts_with(text))),
            (By::Name, of(&|_, name| has_length && name.starts_with(&plain))),
            (By::Name, of(&|_, name| has_length && name.contains(&plain))),
        ];
        for (by, mut found) in ways {
            match found.len() {
                0 => {}
                1 => return Named::One(found.remove(0).0, by),
                _ => return Named::Several(found.into_iter().take(NAMED).collect()),
            }
        }
        Named::None(self.nearest(text, &plain))
    }

    /// The accounts whose id, or a word of whose name, differs least from a text.
    fn nearest(&self, text: &str, plain: &str) -> Vec<(String, String)> {
        let apart = |sid: &str, name: &str| {
            let words = name.split_whitespace().map(plain_name);
            words
                .chain([plain_name(name)])
                .map(|word| letters_apart(&word, plain))
                .chain([letters_apart(sid, text)])
                .min()
                .expect("the id is one of them")
        };
        let mut near: Vec<(usize, &String, &String)> =
            self.0.iter().map(|(sid, name)| (apart(sid, name), sid, name)).collect();
        near.sort();
        let least = near.first().map_or(0, |(apart, ..)| *apart);
        // What shares hardly a letter is not near; all the same one account is named.
        near.into_iter()
            .take_while(|(apart, ..)| *apart == least)
            .take(NAMED)
            .map(|(_, sid, name)| (sid.clone(), name.clone()))
            .collect()
    }
}

/// The accounts that have a call in the ledger: booked, waiting or ignored. Of the log only the
/// dictionaries are read.
fn accounts_of(history: &History) -> Result<BTreeSet<String>, LedgerError> {
    const COLUMN: &str = "account_sid";
    let mut met: BTreeSet<String> = BTreeSet::new();
    let mut add = |rows: &Rows<'_>| {
        for sid in rows.texts([COLUMN]).column(0).iter().flatten() {
            if !met.contains(sid) {
                met.insert(sid.to_owned());
            }
        }
        Ok::<_, LedgerError>(())
    };
    for run in &history.runs {
        let is_last = history.runs.last().is_some_and(|last| last.folder == run.folder);
        let unbooked = is_last.then_some(Dataset::Suspense).into_iter().chain([Dataset::Ignored]);
        for path in unbooked.flat_map(|dataset| run.files(dataset)) {
            run.check_before_read(&path)?;
            each_group(&path, &[COLUMN], &mut add)?;
        }
    }
    for run in &history.runs {
        for path in run.files(Dataset::Calls) {
            run.check_before_read(&path)?;
            let (footer, mut first) = (Footer::of(&path)?, 0);
            for (number, group) in footer.groups().iter().enumerate() {
                if let Some(values) = footer.dictionary(number, COLUMN)? {
                    met.extend(values);
                } else {
                    let read = footer.rows(&[COLUMN], first, group.rows)?;
                    let sids = Rows::new(&path, first, &read).texts([COLUMN]).column(0);
                    met.extend(sids.iter().flatten().map(str::to_owned));
                }
                first += group.rows;
            }
        }
    }
    Ok(met)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> AccountNames {
        let all = [
            ("AC0001", "Harbor Lane Dental"),
            ("AC0002", "Nordwind Logistik GmbH"),
            ("AC0003", "Nordwind Reisen"),
            ("AC0104", "Café Łódź"),
            ("X9", ""),
        ];
        AccountNames(all.iter().map(|(sid, name)| ((*sid).into(), (*name).into())).collect())
    }

    #[test]
    fn an_account_by_id_prefix_or_name() {
        let one = |sid: &str, by| Named::One(sid.into(), by);
        let table = [
            ("AC0001", one("AC0001", By::Id)),
            ("X9", one("X9", By::Id)),
            ("AC01", one("AC0104", By::Prefix)),
            ("harbor lane dental", one("AC0001", By::Name)),
            ("Harbor", one("AC0001", By::Name)),
            ("dental", one("AC0001", By::Name)),
            ("NORDWIND-REISEN", one("AC0003", By::Name)),
            ("nordwind reisen", one("AC0003", By::Name)),
            ("café", one("AC0104", By::Name)),
            ("cafe\u{301}", one("AC0104", By::Name)),
            ("CAFE\u{301}", one("AC0104", By::Name)),
        ];
        for (text, expected) in table {
            assert_eq!(names().listed(text), expected, "{text}");
        }
        for several in ["AC00", "nordwind"] {
            assert!(matches!(names().listed(several), Named::Several(_)), "{several}");
        }
    }

    #[test]
    fn what_is_no_account_names_the_nearest() {
        for (text, nearest) in [("Harbour", "AC0001"), ("AC0O01", "AC0001"), ("Nordwnd", "AC0002")]
        {
            let Named::None(near) = names().listed(text) else { panic!("{text} is none") };
            assert_eq!(near[0].0, nearest, "{text}");
        }
        assert_eq!(AccountNames::default().listed("any"), Named::None(Vec::new()));
        assert_eq!(names().listed(" "), Named::None(Vec::new()));
    }

    #[test]
    fn a_name_or_else_the_id() {
        assert_eq!((names().name("AC0001"), names().name("X9")), ("Harbor Lane Dental", "X9"));
        assert_eq!(names().name("AC77"), "AC77");
    }
}
