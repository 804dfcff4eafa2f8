//! The job: from the files that a user names to a settled night, and from there to a booked run.
//!
//! ```text
//! Inputs::load ─▶ settle ─▶ Session ─▶ book ─▶ Summary
//! decks, trunks,  calls,     kernel     ledger
//! accounts        earlier
//! ```

use super::accounts::{self, Accounts};
use super::calls::{self, Reading, SourceText};
use super::decks::{self, Decks};
use super::ledger::frames::{self, Books, KeptParent, LatePrice, SuspenseRow};
use super::ledger::manifest::{DeckEntry, InputFile, Manifest, RunKind, SuspenseAccount};
use super::ledger::write::{self, Staged};
use super::ledger::{Dataset, History, Ledger, LedgerError, Lock, catalog, known, read};
use super::source::CallPath;
use super::{FileError, trunks};
use crate::call::{DirectionField, NONE, PartyRef};
use crate::detail::Case;
use crate::family::{Earlier, Link};
use crate::money::Total;
use crate::night::{Class, Night, Tally, Tariff, settle};
use crate::policy::{ChainedTransfers, Policy};
use crate::record::Field;
use crate::reject::Reason;
use crate::time;
use crate::trunk::Trunks;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// What calls are rated with, as it was loaded.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// The decks.
    pub decks: Decks,
    /// The trunk list, if one was given, with its text.
    pub trunks: Option<(Trunks, String)>,
    /// The accounts, if they were given, with their text.
    pub accounts: Option<(Accounts, String)>,
    /// The choices of the one who bills.
    pub policy: Policy,
}

impl Inputs {
    /// Loads decks, trunks and accounts.
    ///
    /// # Errors
    /// The first file that is wrong; also an account that names a deck which is not there.
    pub fn load(rates: &Path, trunks: Option<&Path>, accounts: Option<&Path>, policy: Policy) -> Result<Self, FileError> {
        let inputs = Self {
            decks: decks::load(rates)?,
            trunks: trunks.map(trunks::load).transpose()?,
            accounts: accounts.map(accounts::load).transpose()?,
            policy,
        };
        inputs.check_decks_of_accounts(rates, accounts)?;
        Ok(inputs)
    }

    fn check_decks_of_accounts(&self, rates: &Path, path: Option<&Path>) -> Result<(), FileError> {
        let (Some((accounts, _)), Some(path)) = (&self.accounts, path) else { return Ok(()) };
        for (sid, account) in accounts {
            if !account.deck.is_empty() && self.decks.named(&account.deck).is_none() {
                let known = self.decks.folders.join(", ");
                return Err(FileError::new(
                    path,
                    format!("the account {sid} names the deck `{}`, which {} does not have", account.deck, rates.display()),
                )
                .at(account.line)
                .hint(format!("decks there: {known}")));
            }
        }
        Ok(())
    }

    fn tariff<'a>(&'a self, deck_of_account: &'a [u32]) -> Tariff<'a> {
        let trunks = self.trunks.as_ref().map(|(trunks, _)| trunks);
        Tariff { decks: &self.decks.decks, deck_of_account, trunks, policy: &self.policy }
    }

    /// The deck of every account, by the ids of an account's text.
    fn deck_of_accounts<'a>(&self, accounts: impl Iterator<Item = &'a str>) -> Vec<u32> {
        let of = |sid: &str| {
            let named = self.accounts.as_ref().and_then(|(list, _)| list.get(sid)).map(|account| account.deck.as_str());
            match named {
                Some(deck) if !deck.is_empty() => self.decks.named(deck),
                _ => self.decks.default_deck(),
            }
        };
        accounts.map(|sid| of(sid).unwrap_or(NONE)).collect()
    }
}

/// A settled night, with all that its outputs need.
pub struct Session {
    /// What it was rated with.
    pub inputs: Inputs,
    /// The records and their sources.
    pub reading: Reading,
    /// What was known before.
    pub earlier: Earlier,
    /// Where the records ended.
    pub night: Night,
    /// The earlier runs that this is known from.
    stands_on: Vec<String>,
    deck_of_account: Vec<u32>,
}

/// Reads calls, joins them with what earlier runs know, and settles them. Nothing is written.
///
/// # Errors
/// A file that cannot be read whole, or a ledger that cannot be read.
pub fn settle_calls(
    inputs: Inputs,
    files: &[CallPath],
    history: &History,
    progress: &Arc<AtomicU64>,
) -> Result<Session, LedgerError> {
    let waiting = read::waiting(history)?;
    let mut reading = calls::read(files, waiting, &inputs.policy, progress)?;
    let (earlier, stands_on) = known::earlier(history, &mut reading.calls, &reading.waiting)?;
    let deck_of_account = inputs.deck_of_accounts(reading.calls.accounts.texts());
    let night = settle(&reading.calls, reading.waiting.len(), &earlier, &inputs.tariff(&deck_of_account));
    Ok(Session { inputs, reading, earlier, night, stands_on, deck_of_account })
}

impl Session {
    /// What the calls were rated with, borrowed.
    #[must_use]
    pub fn tariff(&self) -> Tariff<'_> {
        self.inputs.tariff(&self.deck_of_account)
    }

    /// The rows' makings, for a run of this name.
    #[must_use]
    pub fn books<'a>(&'a self, tariff: &'a Tariff<'a>, run_id: &'a str) -> Books<'a> {
        Books { calls: &self.reading.calls, night: &self.night, earlier: &self.earlier, tariff, run_id }
    }

    /// Records and seconds by class.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.night.tally(&self.reading.calls, self.reading.waiting.len())
    }

    /// How many records each reason suspends.
    #[must_use]
    pub fn suspended_by_reason(&self) -> BTreeMap<Reason, u64> {
        let mut counts = BTreeMap::new();
        for reason in self.night.reason.iter().flatten() {
            *counts.entry(*reason).or_insert(0) += 1;
        }
        counts
    }

    fn records_of(&self, class: Class) -> Vec<u32> {
        (0..).zip(&self.night.class).filter(|(_, c)| **c == class).map(|(record, _)| record).collect()
    }

    /// The suspended records, with their texts and details.
    ///
    /// # Errors
    /// If a source file cannot be read again.
    pub fn suspense(&self) -> Result<Vec<SuspenseRow>, FileError> {
        // Of several copies the text of the one with the price is kept, and read again with it.
        let mut records: Vec<(u32, u32)> = self
            .records_of(Class::Suspended)
            .into_iter()
            .map(|record| (self.night.families.with_price(record), record))
            .collect();
        records.sort_unstable();
        let texts = self.reading.texts_of(&records.iter().map(|(copy, _)| *copy).collect::<Vec<_>>())?;
        let tariff = self.tariff();
        let case = Case { calls: &self.reading.calls, night: &self.night, earlier: &self.earlier, tariff: &tariff };
        let newest = self.night.families.newest_start.map(time::text).unwrap_or_default();
        let row = |((_, record), text): ((u32, u32), SourceText)| self.suspense_row(&case, record as usize, text, &newest);
        Ok(records.into_iter().zip(texts).map(row).collect())
    }

    fn suspense_row(&self, case: &Case<'_>, record: usize, text: SourceText, newest: &str) -> SuspenseRow {
        let reason = self.night.reason[record].unwrap_or(Reason::MalformedRecord);
        let waiting = self.reading.waiting.get(record);
        let (call_sid, parent_call_sid, account_sid, detail) = text.with_fields(|fields| {
            // Of a record that was malformed in its file no field is taken, though it may look readable alone.
            let fields = fields.filter(|_| reason != Reason::MalformedRecord);
            let get = |field| fields.map(|fields| fields.get(field).to_owned()).unwrap_or_default();
            let detail = fields.map_or_else(|| text.why_malformed(), |fields| case.detail(record, reason, fields));
            (get(Field::Sid), get(Field::ParentCallSid), get(Field::AccountSid), detail)
        });
        SuspenseRow {
            call_sid,
            parent_call_sid,
            account_sid,
            reason: reason.as_str().to_owned(),
            detail,
            source_file: text.file,
            source_line: text.line,
            first_seen: waiting.map_or_else(|| newest.to_owned(), |w| w.first_seen.clone()),
            tries: waiting.map_or(1, |w| w.tries.saturating_add(1)),
            record: text.record,
            header: text.format.header(),
            content: self.reading.calls.content[record],
            seconds: self.reading.calls.duration[record],
            close_reason: String::new(),
            parent: self.kept_parent(record),
        }
    }

    /// The parent of a child, if an earlier run booked it.
    fn kept_parent(&self, record: usize) -> Option<KeptParent> {
        let calls = &self.reading.calls;
        let Link::Booked(index) = *self.night.families.link.get(calls.child[record] as usize)? else { return None };
        let parent = self.earlier.parent_at(index);
        let party = |party: PartyRef| {
            let mut text = String::new();
            party.push_to(&calls.parties, &mut text);
            text
        };
        Some(KeptParent {
            account: calls.accounts.text(parent.account).to_owned(),
            start: parent.start,
            is_child: parent.is_child,
            root_sid: calls.odd_sids.text(parent.root.sid).to_string(),
            root_direction: DirectionField::from(parent.root.direction).as_str().to_owned(),
            root_from: party(parent.root.a),
            root_to: party(parent.root.b),
            root_trunk: calls.trunks.text(parent.root.trunk).to_owned(),
        })
    }

    /// Prices that came for calls of earlier runs.
    fn late_prices(&self) -> Vec<LatePrice> {
        let calls = &self.reading.calls;
        let units = frames::carrier_prices(calls);
        let late = self.night.families.late_prices.iter().filter_map(|(booked, late)| {
            let call_sid = calls.odd_sids.text(self.earlier.call_at(*booked).sid).to_string();
            Some(LatePrice { day: i32::try_from(late.day).ok()?, call_sid, price: units[late.price as usize]? })
        });
        late.collect()
    }

    /// A hash of what this run does, the same for any order of its records and any split of its files.
    fn digest(&self, previous: Option<&str>) -> blake3::Hasher {
        let calls = &self.reading.calls;
        let retried = self.reading.waiting.len();
        let mut sum = 0_u128;
        for record in retried..calls.len() {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&calls.content[record].to_le_bytes());
            bytes[8..]
                .copy_from_slice(&xxhash_rust::xxh3::xxh3_64(calls.prices.text(calls.price[record]).as_bytes()).to_le_bytes());
            sum = sum.wrapping_add(xxhash_rust::xxh3::xxh3_128(&bytes));
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(&sum.to_le_bytes());
        for text in [
            previous.unwrap_or_default(),
            &self.inputs.decks.hash,
            self.trunks_text(),
            self.accounts_text(),
            &format!("{:?}", policy_words(&self.inputs.policy)),
        ] {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        hasher
    }

    fn trunks_text(&self) -> &str {
        self.inputs.trunks.as_ref().map_or("", |(_, text)| text)
    }

    fn accounts_text(&self) -> &str {
        self.inputs.accounts.as_ref().map_or("", |(_, text)| text)
    }
}

/// What a run did.
#[derive(Debug, Clone)]
pub struct Summary {
    /// The run; `None` if nothing was booked.
    pub run_id: Option<String>,
    /// Records and seconds by class.
    pub tally: Tally,
    /// Suspended records by reason.
    pub suspended_by_reason: BTreeMap<Reason, u64>,
    /// Legs booked.
    pub legs: u64,
    /// Their sum by currency.
    pub amount: BTreeMap<String, Total>,
    /// What went wrong after the run was booked.
    pub warnings: Vec<String>,
}

/// Books a settled night as a run of the ledger, and adds it to the history.
///
/// # Errors
/// If a law does not hold, a file changed, or anything cannot be written: nothing is booked then.
pub fn book(
    ledger: &Ledger,
    lock: &Lock,
    history: &mut History,
    session: &Session,
    kind: RunKind,
) -> Result<Summary, LedgerError> {
    let tally = session.tally();
    if !tally.conserves() {
        return Err(LedgerError::Unbalanced(format!("records or seconds were lost: {tally:?}")));
    }
    let previous = history.last();
    let run_id = Manifest::next_id(previous, &session.digest(previous.map(|m| m.run_id.as_str())));
    let tariff = session.tariff();
    let mut staged = Staged::begin(lock, &run_id)?;
    staged.write_books(&session.books(&tariff, &run_id))?;
    staged.write_frame(Dataset::Suspense, &frames::suspense(&mut session.suspense()?))?;
    staged.write_prices(&mut session.late_prices())?;
    check_counts(session, &tally, &staged)?;
    staged.check_totals()?;
    session.reading.check_unchanged()?;
    let summary = Summary {
        run_id: Some(run_id),
        tally,
        suspended_by_reason: session.suspended_by_reason(),
        legs: staged.legs,
        amount: staged.amount.clone(),
        warnings: Vec::new(),
    };
    let manifest = manifest(session, &summary, previous, &mut staged, kind);
    if !manifest.suspense.balances() {
        return Err(LedgerError::Unbalanced(format!("suspense does not balance: {:?}", manifest.suspense)));
    }
    archive_inputs(ledger, lock, session, &manifest)?;
    history.runs.push(staged.publish(ledger, manifest)?);
    // The run is booked: what fails from here on cannot unbook it.
    let warnings = follow(ledger, lock, history).into_iter().collect();
    Ok(Summary { warnings, ..summary })
}

/// Brings the catalog up; says what went wrong, which the next run mends.
#[must_use]
pub fn follow(ledger: &Ledger, lock: &Lock, history: &History) -> Option<String> {
    let followed = catalog::follow(ledger, lock, history);
    followed.err().map(|e| format!("the catalog could not follow ({e}); the next run tries again"))
}

/// Every rated record has its legs, and no other record has any.
fn check_counts(session: &Session, tally: &Tally, staged: &Staged) -> Result<(), LedgerError> {
    let calls = &session.reading.calls;
    let expected: u64 = (0..calls.len())
        .filter(|record| session.night.class[*record] == Class::Rated)
        .map(|record| {
            let child = session.night.child.get(calls.child[record] as usize).copied().flatten();
            child.map_or(1, |child| child.scenario.row().child_bills.len() as u64)
        })
        .sum();
    let rows = |dataset: Dataset| -> u64 {
        staged.files.iter().filter(|f| f.path.split('/').next() == Some(dataset.as_str())).map(|f| f.rows).sum()
    };
    let logged = tally.of(Class::Rated).records + tally.of(Class::Free).records;
    let checks = [
        ("legs", expected, rows(Dataset::Legs)),
        ("log rows", logged, rows(Dataset::Calls)),
        ("suspended records", tally.of(Class::Suspended).records, rows(Dataset::Suspense)),
    ];
    match checks.iter().find(|(_, expected, found)| expected != found) {
        Some((what, expected, found)) => Err(LedgerError::Unbalanced(format!("expected {expected} {what}, wrote {found}"))),
        None => Ok(()),
    }
}

fn manifest(session: &Session, summary: &Summary, previous: Option<&Manifest>, staged: &mut Staged, kind: RunKind) -> Manifest {
    let inputs = session.reading.files.iter().map(|file| InputFile {
        name: file.path.name.clone(),
        format: file.format.as_str().to_owned(),
        bytes: file.size,
        rows: file.rows,
        blake3: file.hash.clone(),
    });
    let hash = |text: &str| blake3::hash(text.as_bytes()).to_hex().to_string();
    Manifest {
        own_newest_start: session.night.families.own_newest_start.map(time::text),
        stands_on: session.stands_on.clone(),
        policy: policy_words(&session.inputs.policy),
        inputs: inputs.collect(),
        decks_hash: Some(session.inputs.decks.hash.clone()),
        decks: DeckEntry::of_all(&session.inputs.decks),
        trunks_hash: session.inputs.trunks.as_ref().map(|(_, text)| hash(text)),
        accounts_hash: session.inputs.accounts.as_ref().map(|(_, text)| hash(text)),
        counts: Manifest::counts_of(&summary.tally),
        suspense: SuspenseAccount::of(&summary.tally),
        suspended_by_reason: summary.suspended_by_reason.iter().map(|(reason, n)| (reason.as_str().to_owned(), *n)).collect(),
        legs: summary.legs,
        amount: summary.amount.iter().map(|(currency, total)| (currency.clone(), total.to_string())).collect(),
        files: std::mem::take(&mut staged.files),
        ..Manifest::next(kind, summary.run_id.as_deref().unwrap_or_default(), previous)
    }
}

fn policy_words(policy: &Policy) -> BTreeMap<String, String> {
    let chained = match policy.chained_transfers {
        ChainedTransfers::Suspend => "suspend",
        ChainedTransfers::Root => "root",
    };
    let words = [
        ("policy.chained_transfers", chained.to_owned()),
        ("policy.max_call_seconds", policy.max_call_seconds.to_string()),
        ("policy.parent_wait_days", policy.parent_wait_days.to_string()),
        ("money.leg_decimals", policy.leg_rule.decimals.to_string()),
        ("money.leg_rounding", policy.leg_rule.rounding.as_str().to_owned()),
        ("input.timezone", policy.zone.as_ref().map(time::Zone::name).unwrap_or_default()),
    ];
    words.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn archive_inputs(ledger: &Ledger, lock: &Lock, session: &Session, manifest: &Manifest) -> Result<(), FileError> {
    write::archive(ledger, lock, &session.inputs.decks.hash, &session.inputs.decks.files)?;
    let one = |name: &str, text: &str| BTreeMap::from([(name.to_owned(), text.as_bytes().to_vec())]);
    if let Some(hash) = &manifest.trunks_hash {
        write::archive(ledger, lock, hash, &one("trunks.json", session.trunks_text()))?;
    }
    if let Some(hash) = &manifest.accounts_hash {
        write::archive(ledger, lock, hash, &one("accounts.csv", session.accounts_text()))?;
    }
    Ok(())
}
