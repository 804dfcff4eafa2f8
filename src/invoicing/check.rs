//! Check: finds the objections to issuing a month's invoices, before money leaves.
//!
//! | id | what | stops `issue` |
//! |---|---|---|
//! | `period` | the month is not over | yes |
//! | `seller` | the seller's details or the tax category are missing | yes |
//! | `unissued:MONTH` | an earlier month was never issued | yes |
//! | `waiting:REASON` | calls of the month are suspended | yes, except for reasons that settle themselves: [`settles_itself`] |
//! | `jump:ACCOUNT:CURRENCY` | over five times the amount of the month before | yes |
//! | `incomplete:ACCOUNT` | the buyer's name, address or country is missing, or an e-invoice lacks something | no |
//! | `gone:ACCOUNT` | billed calls in the month before, and none now | no |
//! | `zero:ACCOUNT:CURRENCY` | an invoice whose total is zero | no |
//! | `broken:ACCOUNT` | the account's document cannot be made: its tax, its address | yes |
//! | `date`, `date:ACCOUNT` | the date is before that of the series, or of a credit note | yes |
//! | `late:MONTH` | legs of an issued month came late | no |
//! | `items`, `items-changed:ACCOUNT:CURRENCY`, `items-skipped:MONTH` | charges that no invoice bills | no |
//! | `waiting-earlier` | calls of earlier months are suspended | no |
//!
//! **Invariant:** it changes nothing and reads no clock. Amounts in two currencies are neither
//! added nor compared.

use crate::document::{Buyer, Document, Kind};
use crate::invoicing::drafts::{Draft, ItemsChanged, Sources, Terms, WantedDrafts};
use crate::invoicing::error::IssueError;
use crate::ledger::invoices::billed_by::{Month, month, month_of, month_text};
use crate::ledger::invoices::publish::next_counter;
use crate::ledger::place::day_of_file;
use crate::ledger::tables::file::each_group;
use crate::ledger::{Dataset, History, Ledger, LedgerError};
use crate::money::Total;
use crate::reject::Reason;
use crate::render::einvoice;
use crate::report::Money;
use crate::report::causes::{ByCause, CauseLine, about, calls, sum_of};
use crate::report::waiting_causes::{self, Diagnosed};
use crate::time::{self, DAY};
use rayon::prelude::*;
use serde::Serialize;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// The name and version of this JSON layout.
pub const SCHEMA: &str = "trunkrate-check/1";
/// An amount over this many times that of the month before needs a person's look.
pub const JUMP: i128 = 5;

/// An objection to issuing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Against {
    /// Its id, as `--accept` names it.
    pub id: String,
    /// True if `invoice issue` stops on it.
    pub stops: bool,
    /// The objection in a sentence.
    pub words: String,
    /// The advice: what to do about it.
    pub what_to_do: String,
    /// The account, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_sid: Option<String>,
    /// Amounts of the month before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<Money>,
    /// Amounts of the month.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub now: Vec<Money>,
    /// The suspended calls by cause, each with an estimate.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<CauseLine>,
}

impl Against {
    fn new(
        id: impl Into<String>,
        stops: bool,
        words: impl Into<String>,
        what_to_do: impl Into<String>,
    ) -> Self {
        let (id, words, what_to_do) = (id.into(), words.into(), what_to_do.into());
        let (before, now, causes) = (Vec::new(), Vec::new(), Vec::new());
        Self { id, stops, words, what_to_do, account_sid: None, before, now, causes }
    }

    /// True if `--accept` may name it; any other objection that stops must be fixed at its source.
    #[must_use]
    pub fn can_be_accepted(&self) -> bool {
        self.stops && is_acceptable(&self.id)
    }

    /// True if the text given to `--accept` names it, by its id or by its kind.
    #[must_use]
    pub fn is_meant_by(&self, accepted: &str) -> bool {
        self.can_be_accepted()
            && (self.id == accepted || self.id.split(':').next() == Some(accepted))
    }
}

/// The kinds that may be accepted; a kind alone accepts every objection of that kind.
pub const ACCEPTABLE: [&str; 2] = ["waiting", "jump"];

/// True if the text is an id or a kind that may be accepted.
#[must_use]
pub fn is_acceptable(id: &str) -> bool {
    match id.split_once(':') {
        None => ACCEPTABLE.contains(&id),
        Some(("waiting", reason)) => Reason::parse(reason).is_some(),
        Some(("jump", rest)) => rest.contains(':'),
        Some(_) => false,
    }
}

/// The ledger, period and account to check.
#[derive(Debug, Clone, Copy)]
pub struct CheckQuestion<'a> {
    /// The ledger.
    pub ledger: &'a Ledger,
    /// The published runs and batches.
    pub history: &'a History,
    /// The period, `YYYY-MM`.
    pub period: &'a str,
    /// Only this account.
    pub account: Option<&'a str>,
    /// True if monthly charges are given.
    pub has_items: bool,
}

/// Findings from the drafts of a period.
#[derive(Debug, Default)]
pub struct SeenCharges {
    /// Documents whose e-invoice lacks something: the account, the document's name and what it
    /// lacks.
    pub lacking: Vec<(String, Vec<String>)>,
    incomplete: Vec<Against>,
    zero: Vec<Against>,
    /// Accounts and currencies that get an invoice.
    billed: BTreeSet<(String, String)>,
    /// Late legs by month: of months before the period, and of the period itself on a supplementary
    /// draft.
    late: BTreeMap<Month, u64>,
    unissued: BTreeMap<String, Against>,
}

impl SeenCharges {
    /// Records the findings of a draft; a supplementary one bills only late legs.
    pub fn draft(&mut self, draft: &Draft, wanted: &WantedDrafts<'_>) {
        let document = &draft.document;
        let (account, currency) = (&document.buyer.account_sid, &document.currency);
        let is_late = |own: Month| wanted.supplementary || own < month(wanted.month);
        for (own, legs) in draft.open.runs.values().flatten().filter(|(own, _)| is_late(**own)) {
            *self.late.entry(*own).or_default() += legs;
        }
        if !wanted.supplementary {
            self.billed.insert((account.clone(), currency.clone()));
        }
        if document.totals.total.0.is_zero() {
            let words = format!("the invoice of {} would be over 0 {currency}", named(document));
            let what = "look whether its calls are priced at nothing, or wait";
            self.zero.push(about_account(
                account,
                Against::new(format!("zero:{account}:{currency}"), false, words, what),
            ));
        }
        // Checked as an invoice: a draft lacks the same as its invoice would.
        let issued =
            Document { kind: Kind::Invoice, number: Some("1".to_owned()), ..document.clone() };
        let (missing, lacks) = (lacking(document), einvoice::lacks(&issued));
        if !lacks.is_empty() {
            self.lacking.push((format!("account {account}"), lacks.clone()));
        }
        let id = format!("incomplete:{account}");
        if missing.is_empty() && lacks.is_empty()
            || self.incomplete.last().is_some_and(|last| last.id == id)
        {
            return;
        }
        let (words, what) = if missing.is_empty() {
            (
                format!("no e-invoice for {}: {}", named(document), lacks.join("; ")),
                "set it, if the customer asks for e-invoices",
            )
        } else {
            let what = "fill it in in accounts.csv, and name that with --accounts";
            (
                format!(
                    "{} lacks what an invoice says of its customer: {}",
                    named(document),
                    missing.join(", ")
                ),
                what,
            )
        };
        self.incomplete.push(about_account(account, Against::new(id, false, words, what)));
    }

    /// Records the reason why a draft cannot be made.
    ///
    /// # Errors
    /// Any error that is not the draft's fault is returned unchanged.
    pub fn refused(&mut self, error: IssueError) -> Result<(), IssueError> {
        let (id, words, what) = match &error {
            IssueError::Earlier { month, .. } => {
                (format!("unissued:{month}"), error.to_string(), format!("issue {month} first"))
            }
            IssueError::Build { account, .. } => {
                (format!("broken:{account}"), error.to_string(), "mend what it names".to_owned())
            }
            IssueError::BeforeCredit { account, credited_on, .. } => (
                format!("date:{account}"),
                error.to_string(),
                format!("date it {credited_on} or later"),
            ),
            _ => return Err(error),
        };
        self.unissued.entry(id.clone()).or_insert_with(|| Against::new(id, true, words, what));
        Ok(())
    }
}

fn about_account(account: &str, against: Against) -> Against {
    Against { account_sid: Some(account.to_owned()), ..against }
}

/// A buyer by its id and, if it has one, its name.
fn named(document: &Document) -> String {
    let (account, name) = (&document.buyer.account_sid, &document.buyer.party.name);
    if name.is_empty() || name == account { account.clone() } else { format!("{account} ({name})") }
}

/// The customer details that a document must have and lacks.
fn lacking(document: &Document) -> Vec<&'static str> {
    let Buyer { account_sid, party, .. } = &document.buyer;
    let needed = [
        ("name", !party.name.is_empty() && party.name != *account_sid),
        ("address or city", !party.address.is_empty() || !party.city.is_empty()),
        ("country", !party.country.is_empty()),
    ];
    needed.into_iter().filter(|(_, is_there)| !is_there).map(|(name, _)| name).collect()
}

/// The seller details that documents need and that are missing.
#[must_use]
pub fn seller_lacks(terms: &Terms) -> Vec<&'static str> {
    let party = &terms.seller.party;
    let needed = [
        ("name", party.name.is_empty()),
        ("address", party.address.is_empty()),
        ("country", party.country.is_empty()),
    ];
    needed.iter().filter(|(_, missing)| *missing).map(|(name, _)| *name).collect()
}

/// Objections from the terms: a period that is not over, a seller who is not named, a missing tax
/// category.
#[must_use]
pub fn of_terms(terms: &Terms, (period, is_over): (&str, bool)) -> Vec<Against> {
    let mut found = Vec::new();
    if !is_over {
        let words = format!("{period} is not over: calls would still come");
        found.push(Against::new("period", true, words, "issue it when it is"));
    }
    let lacks = seller_lacks(terms);
    if !lacks.is_empty() {
        let words = format!("[seller] of the configuration lacks {}", lacks.join(", "));
        found.push(Against::new("seller", true, words, "an invoice says who sells: fill it in"));
    } else if !terms.says_tax {
        let what = "say the tax of accounts that say none: standard (with tax_rate), zero, \
                    reverse-charge, exempt or outside-scope";
        found.push(Against::new(
            "seller",
            true,
            "[invoice] of the configuration lacks tax_category",
            what,
        ));
    }
    found
}

/// The objection to a date: the seller has already issued under a later one in that year.
#[must_use]
pub fn of_series(history: &History, seller: &str, date: &str) -> Option<Against> {
    let problem = next_counter(history, seller, date).err()?;
    Some(Against::new("date", true, problem, "date it as that one, or later"))
}

/// The objections to issuing a period that the ledger and the drafts show; those that stop it come
/// first.
///
/// # Errors
/// If the ledger cannot be read.
pub fn check(
    question: &CheckQuestion<'_>,
    seen: &SeenCharges,
) -> Result<Vec<Against>, LedgerError> {
    let mut found = waiting(question)?;
    found.extend(amounts(question, seen)?);
    found.extend(seen.unissued.values().chain(&seen.incomplete).chain(&seen.zero).cloned());
    found.extend(late(seen));
    found.extend(items_gone(question));
    found.sort_by_key(|against| !against.stops);
    Ok(found)
}

// ---- suspended records --------------------------------------------------------------------------

/// True if calls suspended for this reason need nobody to settle them: they wait for their final
/// record, for their parent's export, or for their parent, which is listed under its own reason.
/// Such calls are billed late; the check only reports them.
#[must_use]
pub const fn settles_itself(reason: Reason) -> bool {
    matches!(reason, Reason::NotFinal | Reason::ParentMissing | Reason::ParentSuspended)
}

/// Compares the month of a suspended record with the period. A record whose start cannot be read
/// may belong to any month up to the one in which it was first seen: it counts for the period
/// unless it was first seen in an earlier month.
fn is_of(found: &Diagnosed<'_>, period: Month) -> Ordering {
    match found.start {
        Some(start) => month_of(start).cmp(&period),
        None => match time::parse_date_or_instant(&found.row.first_seen) {
            Some(seen) if month_of(seen) < period => Ordering::Less,
            _ => Ordering::Equal,
        },
    }
}

fn waiting(question: &CheckQuestion<'_>) -> Result<Vec<Against>, LedgerError> {
    let (history, period) = (question.history, month(question.period));
    // A record without an account may belong to any account.
    let is_of_account =
        |own: &str| question.account.is_none_or(|account| own.is_empty() || own == account);
    let newest = history.newest_start();
    let (mut of_period, mut of_earlier) = (ByCause::new(newest), ByCause::new(newest));
    waiting_causes::each_diagnosed(question.ledger, history, |found| match is_of(found, period) {
        _ if !is_of_account(&found.row.account_sid) => Ok::<_, LedgerError>(()),
        Ordering::Less => found.add_to(&mut of_earlier),
        Ordering::Equal => found.add_to(&mut of_period),
        Ordering::Greater => Ok(()),
    })?;
    let mut by_reason: BTreeMap<Option<Reason>, Vec<CauseLine>> = BTreeMap::new();
    for line in waiting_causes::lines(of_period)? {
        by_reason.entry(Reason::parse(&line.reason)).or_default().push(line);
    }
    let mut found = Vec::new();
    for (reason, lines) in by_reason {
        let Some(reason) = reason else { continue };
        let words = wait(&lines, &format!("of {} wait as {reason}", question.period))?;
        let stops = !settles_itself(reason);
        found.push(Against {
            causes: lines,
            ..Against::new(format!("waiting:{reason}"), stops, words, reason.hint())
        });
    }
    let earlier = waiting_causes::lines(of_earlier)?;
    if !earlier.is_empty() {
        let words = wait(&earlier, "of earlier months wait")?;
        let what = "`trunkrate suspense` says for what; they are billed late, once they can be";
        found.push(Against {
            causes: earlier,
            ..Against::new("waiting-earlier", false, words, what)
        });
    }
    Ok(found)
}

/// The sentence `12 calls of 2026-11 wait as no-rate, about 10.55 USD`.
fn wait(lines: &[CauseLine], how: &str) -> Result<String, LedgerError> {
    let count: u64 = lines.iter().map(|line| line.calls).sum();
    let estimated: u64 = lines.iter().map(|line| line.estimated_calls).sum();
    let sums = sum_of(lines).map_err(LedgerError::of_sum)?;
    let how = if count == 1 { how.replacen("wait", "waits", 1) } else { how.to_owned() };
    Ok(format!("{} {how}, {}", calls(count), about(&sums, estimated, count)))
}

// ---- amounts ------------------------------------------------------------------------------------

/// The booked amounts of the month before and of the month, by account and currency.
type Amounts = BTreeMap<(String, String), [Total; 2]>;

/// Adds up the legs of a month and of the month before it, by the start of their calls, billed or
/// not.
fn amounts_of(
    history: &History,
    period: Month,
    account: Option<&str>,
) -> Result<Amounts, LedgerError> {
    let place = |path: &PathBuf| {
        let own = month_of(day_of_file(path)? * DAY);
        [period - 1, period].iter().position(|month| *month == own)
    };
    let files: Vec<(usize, PathBuf)> =
        (history.runs.iter().flat_map(|run| run.files(Dataset::Legs)))
            .filter_map(|path| place(&path).map(|place| (place, path)))
            .collect();
    let read = files.par_iter().with_max_len(1).map(|(place, path)| Ok((*place, sums_of(path)?)));
    let mut all = Amounts::new();
    for (place, sums) in read.collect::<Result<Vec<_>, LedgerError>>()? {
        for (key, sum) in
            sums.into_iter().filter(|((own, _), _)| account.is_none_or(|account| account == own))
        {
            all.entry(key).or_default()[place].merge(sum).map_err(LedgerError::of_sum)?;
        }
    }
    Ok(all)
}

/// The sums of a file of legs, by account and currency.
fn sums_of(path: &Path) -> Result<HashMap<(String, String), Total>, LedgerError> {
    let mut sums: HashMap<(String, String), Total> = HashMap::new();
    each_group(path, &["account_sid", "currency", "amount"], |legs| {
        let (names, amounts) = (legs.texts(["account_sid", "currency"]), legs.longs(["amount"])?);
        let mut own: HashMap<(&str, &str), Total> = HashMap::new();
        for row in 0..legs.height() {
            let ([account, currency], amount) =
                (names.row(row), Total::from_units(amounts.at(0, row)?.into()));
            own.entry((account, currency))
                .or_default()
                .merge(amount)
                .map_err(LedgerError::of_sum)?;
        }
        for ((account, currency), sum) in own {
            sums.entry((account.to_owned(), currency.to_owned()))
                .or_default()
                .merge(sum)
                .map_err(LedgerError::of_sum)?;
        }
        Ok::<_, LedgerError>(())
    })?;
    Ok(sums)
}

/// Finds invoices over five times the amount of the month before, and accounts that are gone.
fn amounts(question: &CheckQuestion<'_>, seen: &SeenCharges) -> Result<Vec<Against>, LedgerError> {
    let period = month(question.period);
    let before_text = month_text(period - 1);
    let all = amounts_of(question.history, period, question.account)?;
    let mut found = Vec::new();
    for ((account, currency), [before, now]) in &all {
        let is_jump = before.units() > 0 && now.units() > before.units().saturating_mul(JUMP);
        if !is_jump || !seen.billed.contains(&(account.clone(), currency.clone())) {
            continue;
        }
        let words = format!(
            "{account} has {now} {currency} in {}, over five times the {before} {currency} of \
             {before_text}",
            question.period
        );
        let what = format!("look at its largest calls: `trunkrate log --account {account}`");
        let money = |amount: Total| vec![Money { currency: currency.clone(), amount }];
        let against = Against::new(format!("jump:{account}:{currency}"), true, words, what);
        found.push(about_account(
            account,
            Against { before: money(*before), now: money(*now), ..against },
        ));
    }
    let mut accounts: BTreeMap<&str, Vec<(&String, &[Total; 2])>> = BTreeMap::new();
    for ((account, currency), sums) in &all {
        accounts.entry(account).or_default().push((currency, sums));
    }
    for (account, own) in accounts {
        if own.iter().any(|(_, [_, now])| *now != Total::default()) {
            continue;
        }
        let had = own.into_iter().filter(|(_, [before, _])| *before != Total::default());
        let before: Vec<Money> = had
            .map(|(currency, [before, _])| Money { currency: currency.clone(), amount: *before })
            .collect();
        if before.is_empty() {
            continue;
        }
        let sums: Vec<String> =
            before.iter().map(|money| format!("{} {}", money.amount, money.currency)).collect();
        let words = format!(
            "{account} had calls for {} in {before_text}, and has none that are billed in {}",
            sums.join(" and "),
            question.period
        );
        let what = "ask whether it left; else look for the export of its calls";
        found.push(about_account(
            account,
            Against { before, ..Against::new(format!("gone:{account}"), false, words, what) },
        ));
    }
    Ok(found)
}

/// Reports that the last batch was issued with monthly charges, and none are given now.
fn items_gone(question: &CheckQuestion<'_>) -> Option<Against> {
    let last = question
        .history
        .issued
        .iter()
        .rev()
        .find(|batch| batch.manifest.entries.iter().any(|entry| entry.corrects.is_none()))?;
    if question.has_items || last.manifest.items_hash.is_none() {
        return None;
    }
    let words = format!(
        "invoices of {} were issued with a file of monthly charges, and none is given now",
        last.manifest.period
    );
    Some(Against::new(
        "items",
        false,
        words,
        "name it with --items, or as `items` under [paths] in trunkrate.toml; \
         or nothing, if there are no charges",
    ))
}

/// Finds monthly charges of the list that no invoice bills: changed after their month was billed,
/// or of skipped months.
///
/// # Errors
/// If an invoice cannot be read.
pub fn of_items(
    sources: &Sources<'_>,
    wanted: WantedDrafts<'_>,
) -> Result<Vec<Against>, LedgerError> {
    let charges =
        |count: usize| if count == 1 { "1 charge".to_owned() } else { format!("{count} charges") };
    let changed = sources.items_changed(wanted)?.into_iter().map(|changed| {
        let ItemsChanged { account, currency, number, billed, listed } = changed;
        let words = if listed == 0 {
            format!(
                "{account} has no charge for {} in {currency} any more, and {number} bills {}: \
                 what the list has in another currency is not billed",
                wanted.month,
                charges(billed)
            )
        } else {
            format!(
                "{account} has {} for {} in {currency}, and {number} bills {}, or others: \
                 what the list has more is not billed",
                charges(listed),
                wanted.month,
                charges(billed)
            )
        };
        let what = format!(
            "credit {number} with --rebill and issue again; \
             or put the difference into the next month"
        );
        about_account(
            &account,
            Against::new(format!("items-changed:{account}:{currency}"), false, words, what),
        )
    });
    let skipped = sources.items_skipped(wanted).into_iter().map(|(month, count)| {
        let words = format!(
            "{} for {month} are billed by no invoice, and {} comes after it",
            charges(count),
            wanted.month
        );
        Against::new(
            format!("items-skipped:{month}"),
            false,
            words,
            format!("issue {month}, too, if they are owed"),
        )
    });
    Ok(changed.chain(skipped).collect())
}

fn late(seen: &SeenCharges) -> impl Iterator<Item = Against> + '_ {
    seen.late.iter().map(|(month, legs)| {
        let month = month_text(*month);
        let legs = if *legs == 1 { "1 leg".to_owned() } else { format!("{legs} legs") };
        let words = format!("{legs} of {month}, which is issued, came late: on the next invoice");
        let what = format!(
            "nothing; or `trunkrate invoice issue --period {month} --supplementary` bills them by \
             themselves"
        );
        Against::new(format!("late:{month}"), false, words, what)
    })
}
