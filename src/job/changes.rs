//! The changes of the inputs since the last run: decks, trunks, accounts, configuration.
//!
//! ```text
//! the last run that rated: its manifest ─┐
//! archive/: its decks, trunks, accounts ─┼─▶ Changes: what stops the next run, and what is only noted
//! the decks, trunks, accounts of now ────┘
//! ```
//!
//! A forgotten `--accounts` bills euros as dollars; a price that is changed in place bills last
//! week's late calls at another price than last week's. Both look like any other run. So a change
//! that a person may not have meant stops the run until they confirm it; the confirmation is kept
//! with the run.
//!
//! **Invariants:** a row that is dated after the newest call is no change ([`crate::repriced`]).
//! Files with the same hash are not opened.

use crate::deck::{Destination, NewRate, Prefix};
use crate::inputs::accounts::{self, Accounts};
use crate::inputs::decks::{self, DeckRows};
use crate::inputs::given::Inputs;
use crate::inputs::trunks;
use crate::ledger::manifest::{DeckEntry, Manifest};
use crate::ledger::tables::file::each_group;
use crate::ledger::{Dataset, History, Ledger, LedgerError};
use crate::repriced::{self, Change, ChangeKind};
use crate::text::visible;
use crate::time::{self, Micros};
use crate::trunk::Trunk;
use std::collections::BTreeSet;

/// The number of changes of a kind that are named.
const NAMED: usize = 10;

/// The changes since the last run that rated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// The run of the comparison; empty if there was none.
    pub run_id: String,
    /// Changes that rate the same calls at other amounts: a person must confirm them.
    pub stopping: Vec<String>,
    /// Changes that are only reported.
    pub notes: Vec<String>,
}

impl Changes {
    /// Compares the inputs of a run with those of the last run that rated.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub fn since_last_run(
        ledger: &Ledger,
        history: &History,
        inputs: &Inputs,
    ) -> Result<Self, LedgerError> {
        // Write-offs rate nothing, and have no decks.
        let Some(before) = history
            .runs
            .iter()
            .rev()
            .map(|run| &run.manifest)
            .find(|manifest| manifest.has_rated())
        else {
            return Ok(Self { notes: notes_of_undone(history, inputs), ..Self::default() });
        };
        let mut changes = Self {
            run_id: before.run_id.clone(),
            stopping: lists_missing(before, inputs),
            notes: policy_notes(before, inputs),
        };
        changes.notes.extend(trunk_notes(ledger, before, inputs));
        let decks = ChangedDecks { ledger, before, inputs };
        changes.stopping.extend(decks.of_accounts(history)?);
        if let Some(newest) = history.newest_billed() {
            changes.stopping.extend(decks.rows(newest)?);
        }
        Ok(changes)
    }

    /// Compares the inputs of a run with those of one that it is booked in the place of. The deck
    /// may be another one, as that is what runs are replaced for; what that comes to in money is
    /// shown.
    #[must_use]
    pub fn since_replaced(before: &Manifest, inputs: &Inputs) -> Self {
        Self {
            run_id: before.run_id.clone(),
            stopping: lists_missing(before, inputs),
            notes: policy_notes(before, inputs),
        }
    }
}

/// The lists that a run was given, and this one is not.
fn lists_missing(before: &Manifest, inputs: &Inputs) -> Vec<String> {
    let trunks = (before.trunks_hash.is_some() && inputs.trunks.is_none()).then_some(
        "a trunk list was given then, and none is now: every trunk would allow transfers",
    );
    let accounts = (before.accounts_hash.is_some() && inputs.accounts.is_none()).then_some(
        "accounts were given then, and none are now: the default deck would price them all",
    );
    trunks.into_iter().chain(accounts).map(str::to_owned).collect()
}

/// The inputs of the run that was undone last, where no booked run is left to compare with: its
/// calls are rated again, and may cost something else. It may have been undone for just that, so
/// this stops nothing.
fn notes_of_undone(history: &History, inputs: &Inputs) -> Vec<String> {
    let undone = history.undone.iter().rev().map(|undone| &undone.run.manifest);
    let Some(before) = undone.into_iter().find(|manifest| manifest.has_rated()) else {
        return Vec::new();
    };
    let of_run = |missing: String| format!("run {}, which was undone: {missing}", before.run_id);
    lists_missing(before, inputs).into_iter().map(of_run).collect()
}

/// The settings that changed. A setting that the last run did not know yet is no change.
fn policy_notes(before: &Manifest, inputs: &Inputs) -> Vec<String> {
    let now = inputs.policy.words();
    let shown = |word: &str| {
        if word.is_empty() { "not set".to_owned() } else { format!("`{}`", visible(word)) }
    };
    let pairs = before.policy.iter().filter_map(|(name, was)| Some((name, was, now.get(name)?)));
    let others = pairs.filter(|(_, was, is)| was != is);
    others
        .map(|(name, was, is)| {
            format!("{name} was {} in run {}, is {}", shown(was), before.run_id, shown(is))
        })
        .collect()
}

/// The trunks whose entry in the list changed: the kind of a transfer's target depends on the
/// domain. The list is the carrier's own, so no change of it stops a run.
fn trunk_notes(ledger: &Ledger, before: &Manifest, inputs: &Inputs) -> Vec<String> {
    let (Some(hash), Some((now, text))) = (&before.trunks_hash, &inputs.trunks) else {
        return Vec::new();
    };
    if *hash == blake3::hash(text.as_bytes()).to_hex().to_string() {
        return Vec::new();
    }
    let path = ledger.archive_folder().join(hash).join("trunks.json");
    let then = match trunks::load(&path) {
        Ok((then, _)) => then,
        Err(e) => {
            return vec![format!(
                "the trunk list of run {} cannot be read any more, and is not compared: {e}",
                before.run_id
            )];
        }
    };
    let facts = |trunk: &Trunk| {
        let domain = trunk.domain.as_deref().unwrap_or("no domain");
        format!("{}, {}, {}", visible(domain), trunk.mode.as_str(), trunk.caller_id.as_str())
    };
    let note = |was: &Trunk| {
        let is = now.get(&was.sid)?;
        let said = || {
            format!(
                "trunk {} was {} in run {}, is {}",
                visible(&was.sid),
                facts(was),
                before.run_id,
                facts(is)
            )
        };
        (was != is).then(said)
    };
    capped(then.iter().filter_map(note).collect(), "trunks are others")
}

struct ChangedDecks<'a> {
    ledger: &'a Ledger,
    before: &'a Manifest,
    inputs: &'a Inputs,
}

impl ChangedDecks<'_> {
    /// Finds today's deck that corresponds to a deck of the last run: by its name, else by its
    /// folder, else the only one for the only one.
    fn stands_for(&self, then: &DeckEntry) -> Option<usize> {
        let decks = &self.inputs.decks;
        let by_name = decks.decks.iter().position(|deck| deck.name == then.name);
        let by_folder = || decks.folders.iter().position(|folder| *folder == then.folder);
        let only = || (self.before.decks.len() == 1 && decks.decks.len() == 1).then_some(0);
        by_name.or_else(by_folder).or_else(only)
    }

    /// The deck of the last run that an account named, or the default of that run: found as
    /// [`decks::Decks`] does.
    fn then(&self, named: &str) -> Option<&DeckEntry> {
        let all = &self.before.decks;
        let find = |name: &str| {
            all.iter()
                .find(|deck| deck.folder == name)
                .or_else(|| all.iter().find(|deck| deck.name == name))
        };
        match (named, all.as_slice()) {
            ("", [only]) => Some(only),
            ("", _) => find("default"),
            (named, _) => find(named),
        }
    }

    fn now(&self, named: &str) -> Option<usize> {
        let decks = &self.inputs.decks;
        let found = if named.is_empty() { decks.default_deck() } else { decks.named(named) };
        found.map(|at| at as usize)
    }

    /// The move from one deck to another, in words; `None` if it is the same.
    fn moved(&self, then: &str, now: &str) -> Option<String> {
        // An account without a deck was not billed.
        let (then, now) = (self.then(then)?, self.now(now));
        if now.is_some() && now == self.stands_for(then) {
            return None;
        }
        let now = now.map_or_else(
            || "none".to_owned(),
            |at| format!("`{}`", visible(&self.inputs.decks.decks[at].name)),
        );
        Some(format!("the deck was `{}`, is {now}", visible(&then.name)))
    }

    /// The accounts whose deck changed.
    fn of_accounts(&self, history: &History) -> Result<Vec<String>, LedgerError> {
        let now = self.inputs.accounts.as_ref();
        let now_hash = now.map(|(_, text)| blake3::hash(text.as_bytes()).to_hex().to_string());
        if self.before.accounts_hash == now_hash
            && self.before.decks_hash.as_ref() == Some(&self.inputs.decks.hash)
        {
            return Ok(Vec::new());
        }
        let archived = self.before.accounts_hash.as_ref();
        let path =
            archived.map(|hash| self.ledger.archive_folder().join(hash).join("accounts.csv"));
        let then = match path.map(|path| accounts::load(&path)).transpose() {
            Ok(loaded) => loaded.map(|(accounts, _)| accounts),
            Err(e) => {
                return Ok(vec![format!(
                    "the accounts of then cannot be read any more, and are not compared: {e}"
                )]);
            }
        };
        let deck = |list: Option<&Accounts>, sid: &str| {
            list.and_then(|list| list.get(sid)).map_or("", |account| &account.deck).to_owned()
        };
        let decks =
            |sid: &str| (deck(then.as_ref(), sid), deck(now.map(|(accounts, _)| accounts), sid));
        let listed: BTreeSet<&String> = then
            .iter()
            .flatten()
            .chain(now.iter().flat_map(|(accounts, _)| accounts))
            .map(|(sid, _)| sid)
            .collect();
        let (mut moved, mut perhaps_new) = (Vec::new(), Vec::new());
        for sid in listed {
            let (deck_then, deck_now) = decks(sid);
            // Accounts that name no deck in either run all move together.
            if deck_then.is_empty() && deck_now.is_empty() {
                continue;
            }
            let Some(how) = self.moved(&deck_then, &deck_now) else { continue };
            let is_known = then.as_ref().is_some_and(|then| then.contains_key(sid));
            let list = if is_known { &mut moved } else { &mut perhaps_new };
            list.push((sid, how));
        }
        let default = self.moved("", "");
        let mut changes = Vec::new();
        if default.is_some() || !perhaps_new.is_empty() {
            let billed = billed(history)?;
            // An account that is new on the list may be a new customer, who has no calls.
            moved.extend(perhaps_new.into_iter().filter(|(sid, _)| billed.contains(*sid)));
            let unnamed: Vec<&String> =
                billed.iter().filter(|sid| decks(sid) == (String::new(), String::new())).collect();
            if let (Some(how), [first, ..]) = (default, unnamed.as_slice()) {
                let count = unnamed.len();
                let who = if count == 1 {
                    format!("account {}", visible(first))
                } else {
                    format!("{count} accounts ({}, …)", visible(first))
                };
                changes.push(format!("{who} without a deck of its own: {how}"));
            }
        }
        moved.sort_unstable();
        let lines = moved
            .into_iter()
            .map(|(sid, how)| format!("account {}: {how}", visible(sid)))
            .collect();
        changes.extend(capped(lines, "accounts have another deck"));
        Ok(changes)
    }

    /// The rows of each deck whose change gives another price on dates that are already billed.
    fn rows(&self, newest: Micros) -> Result<Vec<String>, LedgerError> {
        let Some(hash) = &self.before.decks_hash else { return Ok(Vec::new()) };
        if *hash == self.inputs.decks.hash {
            return Ok(Vec::new());
        }
        let (mut changes, mut archived) = (Vec::new(), None);
        for then in &self.before.decks {
            let Some(now) = self.stands_for(then) else { continue };
            let (deck, folder) = (&self.inputs.decks.decks[now], &self.inputs.decks.folders[now]);
            if deck.hash == then.blake3 {
                continue;
            }
            let name = visible(&deck.name).into_owned();
            if deck.currency != then.currency {
                changes.push(format!(
                    "deck `{name}`: the currency was {}, is {}",
                    then.currency, deck.currency
                ));
            }
            let place = self.ledger.archive_folder().join(hash);
            if archived.is_none() {
                archived = Some(decks::archived_files(&place)?.0);
            }
            let files = archived.as_ref().expect("read above");
            let old = match DeckRows::of_files(&place, &then.folder, files) {
                Ok(rows) => rows,
                Err(e) => {
                    changes.push(format!(
                        "deck `{name}`: as it was it cannot be read any more, \
                         and is not compared: {e}"
                    ));
                    continue;
                }
            };
            let new = DeckRows::of_files(
                std::path::Path::new("rates"),
                folder,
                &self.inputs.decks.files,
            )?;
            let found = repriced::changes(&old.rows, &new.rows, newest);
            let lines = found.iter().map(|change| line(&name, change, &old, &new)).collect();
            let what = format!(
                "rows of deck `{name}` changed for dates that are billed (to {})",
                time::text(newest)
            );
            changes.extend(capped(lines, &what));
        }
        Ok(changes)
    }
}

/// At most [`NAMED`] lines, and the number of the others.
fn capped(mut lines: Vec<String>, what: &str) -> Vec<String> {
    let all = lines.len();
    if all > NAMED {
        lines.truncate(NAMED);
        lines.push(format!("and {} more: in all {all} {what}", all - NAMED));
    }
    lines
}

/// The accounts that have legs.
fn billed(history: &History) -> Result<BTreeSet<String>, LedgerError> {
    let mut found = BTreeSet::new();
    for path in history.runs.iter().flat_map(|run| run.files(Dataset::Legs)) {
        each_group(&path, &["account_sid"], |legs| {
            for sid in legs.texts(["account_sid"]).column(0).iter().flatten() {
                if !found.contains(sid) {
                    found.insert(sid.to_owned());
                }
            }
            Ok::<_, LedgerError>(())
        })?;
    }
    Ok(found)
}

/// A changed row in words: its old and new place, its numbers, its old and new terms.
fn line(deck: &str, change: &Change, old: &DeckRows, new: &DeckRows) -> String {
    let place = |deck: &DeckRows, row: &NewRate| {
        format!("{}:{}", visible(&deck.files[row.rate.file as usize]), row.rate.line)
    };
    let was = &old.rows[change.old];
    let is = change.new.map(|place| &new.rows[place]);
    let numbers = numbers(was, change);
    let before = place(old, was);
    let terms = |row: &NewRate, currency: &str| {
        let (rate, block) = (&row.rate, row.rate.increments);
        let fee = if rate.fee == crate::money::Price::ZERO {
            String::new()
        } else {
            format!(" and {} a leg", rate.fee)
        };
        let minimum = if block.minimum == 0 {
            String::new()
        } else {
            format!(", minimum {} s", block.minimum)
        };
        format!("{} {currency}{fee} ({}/{}{minimum})", rate.price, block.initial, block.increment)
    };
    let (then, now) =
        (terms(was, &old.currency), is.map_or_else(String::new, |row| terms(row, &new.currency)));
    let after = is.map_or_else(String::new, |row| place(new, row));
    match change.kind {
        ChangeKind::Gone => {
            format!("deck `{deck}`, {before}: {numbers}: {then} → gone, or no more in force")
        }
        ChangeKind::Changed if before == after && then == now => {
            format!("deck `{deck}`, {before}: {numbers}: {then}, for other dates or origins")
        }
        ChangeKind::Changed if before == after => {
            format!("deck `{deck}`, {before}: {numbers}: {then} → {now}")
        }
        ChangeKind::Changed => {
            format!("deck `{deck}`, {before}, now {after}: {numbers}: {then} → {now}")
        }
        ChangeKind::Taken => format!(
            "deck `{deck}`, {after}, new: {numbers}, priced by {before} before: {then} → {now}"
        ),
    }
}

/// The numbers of a row, in short.
fn numbers(row: &NewRate, change: &Change) -> String {
    let digits = |prefix: &Prefix| prefix.as_str().to_owned();
    let text = |destination: &Destination| match destination {
        Destination::Prefix(prefix) => digits(prefix),
        Destination::Emergency => "emergency".to_owned(),
    };
    let destinations = some(&change.destinations.iter().map(text).collect::<Vec<_>>());
    let origins = some(&change.origins.iter().map(digits).collect::<Vec<_>>());
    let from = if origins.is_empty() { String::new() } else { format!(" from {origins}") };
    format!("{} to {destinations}{from}", row.rate.service)
}

/// The first names of a list, and the number of the others.
fn some(names: &[String]) -> String {
    match names.len().saturating_sub(3) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names[..3].join(", ")),
    }
}
