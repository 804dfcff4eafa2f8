//! Reads the legs that invoices bill: run by run, one row group at a time.

use super::billed_by::{self, BilledBy, Month, month, month_of};
use crate::document::usage::{LineKey, Usage};
use crate::document::{Document, Exact, ItemisedLeg, Unbalanced};
use crate::fit::must_fit;
use crate::inputs::file::FileError;
use crate::ledger::batch::{BatchKind, BilledRun};
use crate::ledger::error::LedgerError;
use crate::ledger::history::History;
use crate::ledger::place::Dataset;
use crate::ledger::place::day_of_file;
use crate::ledger::run::Run;
use crate::ledger::tables::columns;
use crate::ledger::tables::file::each_group;
use crate::ledger::tables::typed::stored_row;
use crate::mask;
use crate::money::{AMOUNT_DECIMALS, Amount, Overflow, Price, Total, decimal_text};
use crate::partition::spill::Spill;
use crate::time::{self, DAY, Micros};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, HashMap, HashSet};

/// A stored leg.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the columns of the contract, section 5.1")]
pub struct LegRow<'a> {
    pub account: &'a str,
    pub currency: &'a str,
    pub call_sid: &'a str,
    pub leg: i64,
    pub scenario: &'a str,
    pub service: &'a str,
    pub description: &'a str,
    pub from: &'a str,
    pub to: &'a str,
    pub start: Micros,
    /// Below zero, like `billed` and `amount`, if the leg takes another one back.
    pub duration: i64,
    pub billed: i64,
    pub price: Price,
    pub fee: Price,
    pub amount: Amount,
}

stored_row! {
    /// A leg, as far as sums need it.
    struct SummedLeg<'a> of columns::LEGS {
        call_sid: &'a str,
        account_sid: &'a str,
        scenario: &'a str,
        leg: i64,
        service: &'a str,
        start_time: Micros,
        billed_seconds: i64,
        price_per_minute: Price,
        connection_fee: Price,
        description: &'a str,
        currency: &'a str,
        amount: Amount,
    }
}

stored_row! {
    /// The rest of a leg, which an itemisation shows.
    struct LegParties<'a> of columns::LEGS {
        leg_from: &'a str,
        leg_to: &'a str,
        duration_seconds: i64,
    }
}

/// Calls `then` for the legs of a run, on the wanted days; the legs of a call come one after the
/// other.
///
/// # Errors
/// If a file cannot be read, or `then` fails.
pub fn each<E: From<LedgerError>>(
    run: &Run,
    itemised: bool,
    wanted: impl Fn(i64) -> bool,
    mut then: impl FnMut(LegRow<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let items = if itemised { LegParties::COLUMNS } else { &[] };
    let columns = [SummedLeg::COLUMNS, items].concat();
    for path in run.files(Dataset::Legs) {
        if !day_of_file(&path).is_some_and(&wanted) {
            continue;
        }
        each_group(&path, &columns, |legs| {
            let leg_at = SummedLeg::reader(legs)?;
            let parties_at = itemised.then(|| LegParties::reader(legs)).transpose()?;
            for row in 0..legs.height() {
                let leg = leg_at(row)?;
                let parties = parties_at.as_ref().map(|parties_at| parties_at(row)).transpose()?;
                let (from, to, duration) = parties
                    .map_or(("", "", 0), |own| (own.leg_from, own.leg_to, own.duration_seconds));
                then(LegRow {
                    account: leg.account_sid,
                    currency: leg.currency,
                    call_sid: leg.call_sid,
                    leg: leg.leg,
                    scenario: leg.scenario,
                    service: leg.service,
                    description: leg.description,
                    from,
                    to,
                    start: leg.start_time,
                    duration,
                    billed: leg.billed_seconds,
                    price: leg.price_per_minute,
                    fee: leg.connection_fee,
                    amount: leg.amount,
                })?;
            }
            Ok::<_, E>(())
        })?;
    }
    Ok(())
}

/// Like [`each`], for a bill: checks the files first, as a changed leg would be billed, and a bill
/// is final. (`verify` has checked each file against its hash already.)
///
/// # Errors
/// As [`each`]; also if a file is not as it was written.
pub fn each_to_bill<E: From<LedgerError>>(
    run: &Run,
    itemised: bool,
    wanted: impl Fn(i64) -> bool,
    then: impl FnMut(LegRow<'_>) -> Result<(), E>,
) -> Result<(), E> {
    run.check_days(Dataset::Legs, &wanted)?;
    each(run, itemised, wanted, then)
}

/// The legs of an account in a currency that no invoice bills yet.
#[derive(Debug, Clone, Default)]
pub struct Open {
    /// Their usage, added up.
    pub usage: Usage,
    /// The number of legs by run and month; runs by their place in the history.
    pub runs: BTreeMap<usize, BTreeMap<Month, u64>>,
    /// Their sum, leg by leg, independent of the lines.
    pub sum: Total,
    /// The run whose legs came last.
    last_run: Option<usize>,
}

impl Open {
    /// Adds a leg that is billed for the month `until`; one of an earlier month is late.
    ///
    /// # Errors
    /// If the sum does not fit.
    pub fn add(&mut self, run: usize, leg: &LegRow<'_>, until: Month) -> Result<(), Overflow> {
        if self.last_run.replace(run) != Some(run) {
            self.usage.begin_run();
        }
        let own = month_of(leg.start);
        *self.runs.entry(run).or_default().entry(own).or_default() += 1;
        self.sum.add(leg.amount)?;
        add(&mut self.usage, leg, own, until)
    }

    /// Checks that a document bills these legs: the sum of its lines equals theirs.
    ///
    /// # Errors
    /// If it does not.
    pub fn check(&self, document: &Document) -> Result<(), Unbalanced> {
        let (found, expected) = (document.totals.usage.to_string(), self.sum.to_string());
        let legs: u64 = self.runs.values().flat_map(BTreeMap::values).sum();
        if found == expected && legs == document.legs {
            return Ok(());
        }
        let of = |sum: &str, legs| format!("{sum} of {legs} legs");
        Err(Unbalanced {
            what: "totals.usage",
            found: of(&found, document.legs),
            expected: of(&expected, legs),
        })
    }
}

/// Adds a leg of the month `own` to the usage billed for `until`, the same month or a later one.
///
/// # Errors
/// If the sum does not fit.
pub fn add(usage: &mut Usage, leg: &LegRow<'_>, own: Month, until: Month) -> Result<(), Overflow> {
    let key = line_key(leg, own, until);
    usage.add(leg.call_sid, time::day(leg.start), key, leg.billed, leg.amount)
}

/// The line that a leg of the month `own` stands on, if it is billed for `until`.
pub(super) fn line_key(leg: &LegRow<'_>, own: Month, until: Month) -> LineKey {
    LineKey {
        late: (own < until).then(|| billed_by::month_text(own)),
        scenario: leg.scenario.to_owned(),
        service: leg.service.to_owned(),
        description: leg.description.to_owned(),
        price: leg.price,
        fee: leg.fee,
    }
}

/// All legs up to the end of a month that no invoice in force bills, by account and currency.
///
/// # Errors
/// If a file cannot be read, or a sum does not fit.
pub fn open(
    history: &History,
    claims: &BilledBy<'_>,
    until: Month,
    account: Option<&str>,
) -> Result<BTreeMap<(String, String), Open>, LedgerError> {
    let mut found: HashMap<String, Vec<(String, Open)>> = HashMap::new();
    let billed = Billed::of(history);
    for (place, run) in history.runs.iter().enumerate() {
        let id = run.manifest.run_id.as_str();
        let wanted = |day: i64| {
            let own = month_of(day * DAY);
            own <= until && !billed.wholly(id, own)
        };
        each_to_bill(run, false, wanted, |leg| {
            if account.is_some_and(|account| account != leg.account)
                || billed_by::uncredited(
                    claims.on(leg.account, leg.currency),
                    id,
                    month_of(leg.start),
                )
                .is_some()
            {
                return Ok(());
            }
            let open = entry(&mut found, leg.account, leg.currency);
            let overflow = |error| LedgerError::Overflow { call: leg.call_sid.to_owned(), error };
            open.add(place, &leg, until).map_err(overflow)
        })?;
    }
    let flat = |(account, own): (String, Vec<(String, Open)>)| {
        own.into_iter().map(move |(currency, open)| ((account.clone(), currency), open))
    };
    Ok(found.into_iter().flat_map(flat).collect())
}

fn entry<'m>(
    found: &'m mut HashMap<String, Vec<(String, Open)>>,
    account: &str,
    currency: &str,
) -> &'m mut Open {
    if !found.contains_key(account) {
        found.insert(account.to_owned(), Vec::new());
    }
    let own = found.get_mut(account).expect("it was put there");
    let at = own.iter().position(|(name, _)| name == currency).unwrap_or_else(|| {
        own.push((currency.to_owned(), Open::default()));
        own.len() - 1
    });
    &mut own[at].1
}

/// The months of runs that have no open leg.
///
/// # Why
/// Late legs may lie in any month of any run. Batches count the legs that they take from each month
/// of a run, and the run's manifest has the number of legs: if the two are equal, nothing need be
/// read. If anything was credited to be billed again, the legs are read.
struct Billed<'a> {
    whole: HashSet<(&'a str, Month)>,
}

impl<'a> Billed<'a> {
    fn of(history: &'a History) -> Self {
        let released: HashSet<&str> =
            (history.issued.iter().flat_map(|batch| &batch.manifest.entries))
                .filter(|entry| entry.rebill)
                .filter_map(|entry| entry.corrects.as_deref())
                .collect();
        let mut taken: HashMap<(&str, Month), u64> = HashMap::new();
        for batch in &history.issued {
            let m = &batch.manifest;
            let lets_go = m.entries.iter().any(|entry| released.contains(entry.number.as_str()));
            for run in m.runs.iter().filter(|_| m.kind == BatchKind::Issue && !lets_go) {
                for (text, legs) in &run.legs {
                    *taken.entry((run.run_id.as_str(), month(text))).or_default() += legs;
                }
            }
        }
        let mut all: HashMap<(&str, Month), u64> = HashMap::new();
        for run in &history.runs {
            for file in run.manifest.files.iter().filter(|file| file.path.starts_with("legs/")) {
                if let Some(day) = day_of_file(&run.folder.join(&file.path)) {
                    *all.entry((run.manifest.run_id.as_str(), month_of(day * DAY))).or_default() +=
                        file.rows;
                }
            }
        }
        all.retain(|of, legs| taken.get(of) == Some(legs));
        Self { whole: all.into_keys().collect() }
    }

    fn wholly(&self, run_id: &str, month: Month) -> bool {
        self.whole.contains(&(run_id, month))
    }
}

/// The runs that a batch bills, in the order in which its documents name them.
#[derive(Debug, Default)]
pub struct BilledRuns {
    /// The batch's entries for them.
    pub all: Vec<BilledRun>,
    /// Their places in `all`, by their places in the history.
    places: HashMap<usize, usize>,
}

impl BilledRuns {
    /// Counts a document's legs; returns the places of its runs.
    pub fn add(&mut self, history: &History, open: &Open) -> Vec<usize> {
        let add = |(run, months): (&usize, &BTreeMap<Month, u64>)| {
            let place = *self.places.entry(*run).or_insert_with(|| {
                let run_id = history.runs[*run].manifest.run_id.clone();
                self.all.push(BilledRun { run_id, legs: BTreeMap::new() });
                self.all.len() - 1
            });
            for (month, legs) in months {
                *self.all[place].legs.entry(billed_by::month_text(*month)).or_default() += legs;
            }
            place
        };
        open.runs.iter().map(add).collect()
    }
}

// ---- itemised legs, by document
// ------------------------------------------------------------------

/// The number of documents that share one spill part.
pub const PART: usize = 64;

/// Appends a leg to the part of its document: [`PART`] documents share one.
///
/// # Errors
/// If there is no room for it in memory or on disk.
pub fn deal(parts: &Spill, document: u32, leg: &LegRow<'_>) -> Result<(), FileError> {
    let mut row = Vec::with_capacity(160);
    row.extend(document.to_le_bytes());
    for number in [leg.start, leg.leg, leg.amount.units(), leg.duration, leg.billed] {
        row.extend(number.to_le_bytes());
    }
    for text in [leg.call_sid, leg.from, leg.to, leg.scenario, leg.service, leg.description] {
        row.extend(
            must_fit::<_, u32>(text.len(), "a text of a leg is shorter than 4 GiB").to_le_bytes(),
        );
        row.extend(text.as_bytes());
    }
    parts.push(document as usize / PART, &row, 1)
}

/// Takes the legs of a part back, by document, each sorted by start, call and leg. The last
/// `masked` digits of numbers are hidden.
///
/// # Errors
/// If they cannot be read back.
pub fn dealt(
    parts: &Spill,
    part: usize,
    masked: usize,
) -> Result<HashMap<u32, Vec<ItemisedLeg>>, FileError> {
    type Placed = ((Micros, i64), ItemisedLeg);
    let mut found: HashMap<u32, Vec<Placed>> = HashMap::new();
    parts.take(part, |mut bytes| {
        while !bytes.is_empty() {
            let document = u32::from_le_bytes(number(&mut bytes));
            assert_eq!(document as usize / PART, part, "a leg comes to the part of its document");
            let [start, leg, amount, duration, billed] =
                std::array::from_fn(|_| i64::from_le_bytes(number(&mut bytes)));
            let [call_sid, from, to, scenario, service, description] = std::array::from_fn(|_| {
                let length = u32::from_le_bytes(number(&mut bytes)) as usize;
                let (text, rest) = bytes.split_at(length);
                bytes = rest;
                String::from_utf8(text.to_owned()).expect("texts are packed as they are")
            });
            let amount = decimal_text(i128::from(amount), AMOUNT_DECIMALS, 5);
            let itemised = ItemisedLeg {
                start: time::text(start),
                call_sid,
                from: mask::party(&from, masked),
                to: mask::party(&to, masked),
                scenario,
                service,
                description,
                duration_seconds: duration,
                billed_seconds: billed,
                amount: Exact(
                    Decimal::from_str_exact(&amount).expect("a decimal of a 64-bit amount"),
                ),
            };
            found.entry(document).or_default().push(((start, leg), itemised));
        }
    })?;
    let sorted = found.into_iter().map(|(document, mut legs)| {
        legs.sort_by(|(a, x), (b, y)| (a.0, &x.call_sid, a.1).cmp(&(b.0, &y.call_sid, b.1)));
        (document, without_opposites(legs.into_iter().map(|(_, leg)| leg)))
    });
    Ok(sorted.collect())
}

/// Legs without those that take one another back on the same document: a customer never saw either.
fn without_opposites(sorted: impl Iterator<Item = ItemisedLeg>) -> Vec<ItemisedLeg> {
    let mut kept: Vec<ItemisedLeg> = Vec::new();
    for leg in sorted {
        let is_opposite = |other: &ItemisedLeg| {
            let amount = Exact(-leg.amount.0);
            let (duration_seconds, billed_seconds) = (-leg.duration_seconds, -leg.billed_seconds);
            *other == ItemisedLeg { duration_seconds, billed_seconds, amount, ..leg.clone() }
        };
        let same = kept.iter().rev().take_while(|other| other.call_sid == leg.call_sid).count();
        let first = kept.len() - same;
        match kept[first..].iter().position(is_opposite) {
            Some(at) => {
                kept.remove(first + at);
            }
            None => kept.push(leg),
        }
    }
    kept
}

fn number<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    let (number, rest) = bytes.split_first_chunk().expect("a row that was packed here");
    *bytes = rest;
    *number
}
