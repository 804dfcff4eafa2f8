//! The booked calls of a period, part by part, rated again. A part is a run's calls of one day;
//! its legs stand in the order of its calls, so one walk pairs them.
//!
//! **Invariant:** a call is rated by the functions that rated it first ([`crate::rating`]), by its
//! own start, and whole: if one of its legs finds no rate, none of them is another one.

use super::sums::{PeriodRerated, RepricedKey, RepricedLeg, RepricedSum};
use crate::booked::Booked;
use crate::call::{Calls, NONE};
use crate::deck::{Deck, Hit};
use crate::fit::must_fit;
use crate::inputs::file::FileError;
use crate::inputs::given::Inputs;
use crate::intern::Interner;
use crate::ledger::index::superseded::Superseded;
use crate::ledger::place::day_of_file;
use crate::ledger::tables::columns::{self, ROWS};
use crate::ledger::tables::file::{Footer, frame};
use crate::ledger::tables::stored::{Rows, text};
use crate::ledger::tables::typed::stored_row;
use crate::ledger::verify::legs::Roots;
use crate::ledger::{Dataset, History, LedgerError, RESTORE, Run};
use crate::money::{Amount, Price, Total};
use crate::night::Class;
use crate::party::Party;
use crate::party_ref::PartyRef;
use crate::rating::{Charge, Parties, cells, charge, find_rate, plan};
use crate::scenario::Scenario;
use crate::sid::Sid;
use crate::status::{DirectionField, Status};
use crate::time::{self, Micros};
use rayon::prelude::*;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::path::Path;

/// The calls that are rated again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeriodScope {
    /// Their starts.
    pub times: Range<Micros>,
    /// Their account; `None` for all.
    pub account: Option<String>,
    /// A destination that one of their legs has: the beginning of its number, or words of its
    /// description; `None` for any.
    pub destination: Option<String>,
}

stored_row! {
    /// A booked call, as far as its price depends on it.
    pub(super) struct RatedCall<'a> of columns::LOG {
        call_sid: &'a str,
        parent_call_sid: &'a str,
        account_sid: &'a str,
        scenario: &'a str,
        from: &'a str,
        to: &'a str,
        start_time: Micros,
        duration_seconds: u32,
        status: &'a str,
        class: &'a str,
    }
}

stored_row! {
    /// The rest of a booked call, which only its new version in a log needs.
    pub(super) struct LoggedRest<'a> of columns::LOG {
        trunk_sid: &'a str,
        direction: &'a str,
        caller_id: &'a str,
        end_time: Option<Micros>,
        carrier_price: Option<i64>,
    }
}

stored_row! {
    /// A booked leg, as far as it is compared.
    struct PricedLeg<'a> of columns::LEGS {
        call_sid: &'a str,
        leg: i64,
        rated_number: &'a str,
        billed_seconds: i64,
        price_per_minute: Price,
        connection_fee: Price,
        description: &'a str,
        currency: &'a str,
        amount: Amount,
    }
}

/// Takes the calls that cost something else now.
pub(super) trait TakeChanged: Sync {
    /// Takes a call, with its place: the run, the UTC day, and the row of its log.
    ///
    /// # Errors
    /// If there is no room for it.
    fn take(
        &self,
        place: (usize, i64, usize),
        texts: (&str, &LoggedRest<'_>),
        call: Booked,
        calls: &Calls,
    ) -> Result<(), LedgerError>;
}

/// The part of a run's calls of one day that was rated again.
#[derive(Debug, Clone, Default)]
pub(super) struct PartRerated {
    /// The place of the run in the history.
    pub run: usize,
    /// The UTC day.
    pub day: i64,
    /// The rows of the legs that are to be taken back, in their order.
    pub taken: Vec<u32>,
    /// The calls that cost something else now.
    pub sids: Vec<Sid>,
    /// Their seconds.
    pub seconds: u64,
    /// The number of their legs now.
    pub new_legs: u64,
}

/// The calls of a period, and what they are rated with.
pub struct PeriodScan<'a> {
    pub(super) history: &'a History,
    pub(super) inputs: &'a Inputs,
    scope: &'a PeriodScope,
    superseded: Superseded<'a>,
    roots: Roots,
    /// The runs that have the roots of children.
    pub(super) root_runs: BTreeSet<usize>,
    /// True if the legs behind the sums are wanted.
    lists_legs: bool,
    /// The destination, as it is compared.
    wanted: Option<WantedDestination>,
}

/// A destination as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum WantedDestination {
    /// The beginning of a number, with `+`.
    Digits(String),
    /// Words of a description, in small letters.
    Words(String),
}

impl WantedDestination {
    fn of(text: &str) -> Self {
        let digits = text.trim().trim_start_matches('+');
        if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Self::Digits(format!("+{digits}"));
        }
        Self::Words(text.trim().to_lowercase())
    }

    fn is_of(&self, leg: &PricedLeg<'_>) -> bool {
        match self {
            Self::Digits(digits) => leg.rated_number.starts_with(digits.as_str()),
            Self::Words(words) => leg.description.to_lowercase().contains(words.as_str()),
        }
    }
}

impl<'a> PeriodScan<'a> {
    /// Prepares to rate the calls of a period: finds the roots of its transfers.
    ///
    /// # Errors
    /// If the ledger cannot be read, or a file is not as it was written.
    pub fn new(
        history: &'a History,
        inputs: &'a Inputs,
        scope: &'a PeriodScope,
        lists_legs: bool,
    ) -> Result<Self, LedgerError> {
        let mut parents: Vec<Sid> = Vec::new();
        for run in &history.runs {
            let is_wanted = |day: i64| is_of_times(day, &scope.times);
            run.check_days(Dataset::Calls, is_wanted)?;
            run.check_days(Dataset::Legs, is_wanted)?;
            for path in run.files(Dataset::Calls) {
                if day_of_file(&path).is_some_and(is_wanted) {
                    let found = frame(&path, &["parent_call_sid"])?;
                    let sids = text(&found, "parent_call_sid").iter().flatten();
                    parents.extend(sids.filter(|sid| !sid.is_empty()).map(|sid| Sid::of(sid).0));
                }
            }
        }
        let (roots, root_runs) = Roots::of_calls(history.runs.iter().enumerate().rev(), parents)?;
        Ok(Self {
            history,
            inputs,
            scope,
            superseded: Superseded::of(history)?,
            roots,
            root_runs,
            lists_legs,
            wanted: scope.destination.as_deref().map(WantedDestination::of),
        })
    }

    /// Rates the calls again; nothing is booked.
    ///
    /// # Errors
    /// If the ledger cannot be read, or an amount does not fit.
    pub fn rerated(&self) -> Result<PeriodRerated, LedgerError> {
        let mut all = PeriodRerated::default();
        self.each_part(None, |rerated, _| all.merge(rerated).map_err(LedgerError::of_sum))?;
        Ok(all)
    }

    /// Rates the calls again, part by part; `then` gets the parts in the order of runs and days.
    pub(super) fn each_part(
        &self,
        changed: Option<&dyn TakeChanged>,
        mut then: impl FnMut(PeriodRerated, PartRerated) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        let parts: Vec<(usize, &Run, i64)> = (0..)
            .zip(&self.history.runs)
            .flat_map(|(place, run)| {
                let days: Vec<i64> =
                    run.files(Dataset::Calls).iter().filter_map(|path| day_of_file(path)).collect();
                days.into_iter().map(move |day| (place, run, day))
            })
            .filter(|(.., day)| is_of_times(*day, &self.scope.times))
            .collect();
        let rated: Vec<(PeriodRerated, PartRerated)> = parts
            .into_par_iter()
            .with_max_len(1)
            .map(|(place, run, day)| self.part((place, run, day), changed))
            .collect::<Result<_, LedgerError>>()?;
        rated.into_iter().try_for_each(|(rerated, part)| then(rerated, part))
    }

    fn part(
        &self,
        (place, run, day): (usize, &Run, i64),
        changed: Option<&dyn TakeChanged>,
    ) -> Result<(PeriodRerated, PartRerated), LedgerError> {
        let (calls_path, legs_path) =
            (run.file_of_day(Dataset::Calls, day), run.file_of_day(Dataset::Legs, day));
        let (calls_file, legs_file) = (Footer::of(&calls_path)?, Footer::of(&legs_path)?);
        let mut walk = PartWalk {
            scan: self,
            run_id: &run.manifest.run_id,
            changed,
            texts: Calls::default(),
            names: Interner::default(),
            accounts: Vec::new(),
            sums: HashMap::new(),
            all: PeriodRerated::default(),
            part: PartRerated { run: place, day, ..PartRerated::default() },
        };
        let columns = match changed {
            Some(_) => [RatedCall::COLUMNS, LoggedRest::COLUMNS].concat(),
            None => RatedCall::COLUMNS.to_vec(),
        };
        let mut walked = 0;
        for first in (0..).step_by(ROWS) {
            let calls = calls_file.rows(&columns, first, ROWS)?;
            let legs = legs_file.rows(PricedLeg::COLUMNS, walked, 2 * ROWS)?;
            let (rows, leg_rows) = (calls.height(), legs.height());
            let calls = Rows::new(&calls_path, first, &calls);
            let call_at = RatedCall::reader(&calls)?;
            let rest_at = changed.map(|_| LoggedRest::reader(&calls)).transpose()?;
            let leg_at = PricedLeg::reader(&Rows::new(&legs_path, walked, &legs))?;
            // Texts of one group are enough: most parties are numbers, and have none.
            walk.texts = Calls::default();
            let (mut at, mut own) = (0, Vec::with_capacity(2));
            for row in 0..rows {
                let call = call_at(row)?;
                own.clear();
                while at < leg_rows {
                    let leg = leg_at(at)?;
                    if leg.call_sid != call.call_sid {
                        break;
                    }
                    own.push(leg);
                    at += 1;
                }
                if !self.takes(&call, &own, run) {
                    continue;
                }
                let rest = rest_at.as_ref().map(|rest_at| rest_at(row)).transpose()?;
                let first_leg: u32 = must_fit(walked + at - own.len(), "legs of a day fit 32 bits");
                walk.call((first + row, &call), (first_leg, &own), rest.as_ref(), &calls_path)?;
            }
            walked += at;
            if rows < ROWS {
                break;
            }
        }
        walk.finish()
    }

    /// True if a call is asked for, and this version of it counts.
    fn takes(&self, call: &RatedCall<'_>, legs: &[PricedLeg<'_>], run: &Run) -> bool {
        call.class == Class::Rated.as_str()
            && self.scope.times.contains(&call.start_time)
            && self.scope.account.as_ref().is_none_or(|account| account == call.account_sid)
            && self.wanted.as_ref().is_none_or(|wanted| legs.iter().any(|leg| wanted.is_of(leg)))
            && !self.superseded.has(&run.manifest.run_id, call.call_sid)
    }
}

/// True if calls of a UTC day may start at some times.
fn is_of_times(day: i64, times: &Range<Micros>) -> bool {
    !times.is_empty() && (time::day(times.start)..=time::day(times.end - 1)).contains(&day)
}

/// What an account's text stands for while a part is walked through.
#[derive(Debug, Clone, Copy)]
struct WalkedAccount {
    /// The id of its name.
    name: u32,
    /// The number of its deck, or [`NONE`].
    deck: u32,
}

/// The ids of the texts that legs share: account, destination, scenario and currency.
type SumKey = (u32, u32, u8, u32);

/// A leg by the new decks.
#[derive(Debug, Clone, Copy)]
struct NewLeg {
    hit: Hit,
    price: Price,
    fee: Price,
    charge: Charge,
}

/// The walk through the calls of a part.
struct PartWalk<'a> {
    scan: &'a PeriodScan<'a>,
    run_id: &'a str,
    changed: Option<&'a dyn TakeChanged>,
    /// Texts of parties and of odd ids, of the calls of a row group.
    texts: Calls,
    /// Texts of the keys of sums.
    names: Interner,
    /// By the ids of their names.
    accounts: Vec<Option<WalkedAccount>>,
    /// Sums, and the row of the call that was added last.
    sums: HashMap<SumKey, (RepricedSum, usize)>,
    all: PeriodRerated,
    part: PartRerated,
}

impl PartWalk<'_> {
    /// Rates a call again.
    fn call(
        &mut self,
        (row, call): (usize, &RatedCall<'_>),
        (first_leg, legs): (u32, &[PricedLeg<'_>]),
        rest: Option<&LoggedRest<'_>>,
        path: &Path,
    ) -> Result<(), LedgerError> {
        let wrong = |what: String| {
            let problem = format!("call {}: {what}", call.call_sid);
            LedgerError::from(FileError::new(path, problem).at(row as u64 + 1).hint(RESTORE))
        };
        let scenario = Scenario::parse(call.scenario)
            .ok_or_else(|| wrong(format!("`{}` is no scenario", call.scenario)))?;
        let (cells, count) = cells(scenario);
        if legs.len() != count {
            return Err(wrong(format!("has {} legs; {scenario} bills {count}", legs.len())));
        }
        let parties = self.parties(call, scenario).ok_or_else(|| {
            wrong(format!("its root {} is in no log of this ledger", call.parent_call_sid))
        })?;
        let account = self.account(call.account_sid);
        let inputs = self.scan.inputs;
        let deck: Option<&Deck> = inputs.decks.decks.get(account.deck as usize);
        let overflow = |error| LedgerError::Overflow { call: call.call_sid.to_owned(), error };
        let mut new: [Option<NewLeg>; 2] = [None, None];
        if let Some(deck) = deck {
            for (leg, cell) in new.iter_mut().zip(&cells[..count]) {
                let texts = &self.texts.parties;
                let plan = plan(*cell, &parties, texts, &inputs.policy.withheld_numbers);
                let Some(hit) = plan.and_then(|plan| find_rate(deck, &plan, call.start_time))
                else {
                    break;
                };
                let rate = deck.rate(hit);
                let charge = charge(rate, call.duration_seconds, inputs.policy.leg_rule)
                    .map_err(overflow)?;
                *leg = Some(NewLeg { hit, price: rate.price, fee: rate.fee, charge });
            }
        }
        let has_rate = new.iter().flatten().count() == count;
        let currency = deck.map_or("", |deck| deck.currency.as_str());
        let is_other = |(leg, new): (&PricedLeg<'_>, &NewLeg)| {
            leg.currency != currency
                || leg.amount != new.charge.amount
                || leg.billed_seconds != i64::from(new.charge.billed_seconds)
                || (leg.price_per_minute, leg.connection_fee) != (new.price, new.fee)
        };
        let is_changed = has_rate && legs.iter().zip(new.iter().flatten()).any(is_other);
        self.all.calls += 1;
        self.all.changed += u64::from(is_changed);
        self.all.without_rate += u64::from(!has_rate);
        for (place, leg) in legs.iter().enumerate() {
            let new = new[place].filter(|_| has_rate);
            let changes = new.as_ref().is_some_and(|new| is_other((leg, new)));
            self.add(row, (call, account), (leg, scenario), (currency, new.as_ref(), changes))
                .map_err(overflow)?;
        }
        if is_changed {
            let sid = self.texts.odd_sids.sid(call.call_sid);
            self.part.sids.push(sid);
            self.part.seconds += u64::from(call.duration_seconds);
            self.part.new_legs += count as u64;
            self.part.taken.extend((first_leg..).take(count));
            if let (Some(changed), Some(rest)) = (self.changed, rest) {
                let hits = new.map(|new| new.map_or(Hit::NONE, |new| new.hit));
                let booked = self.booked(sid, (call, rest), (scenario, parties), (account, hits));
                let place = (self.part.run, self.part.day, row);
                changed.take(place, (call.account_sid, rest), booked, &self.texts)?;
            }
        }
        Ok(())
    }

    /// A, B and C of a call; `None` if its root is not there.
    fn parties(&mut self, call: &RatedCall<'_>, scenario: Scenario) -> Option<Parties> {
        let mut pack = |text: &str| PartyRef::pack(&Party::of_root(text), &mut self.texts.parties);
        let Scenario::Transfer(_) = scenario else {
            return Some(Parties { a: pack(call.from), b: pack(call.to), c: None });
        };
        let root = self.scan.roots.get(call.parent_call_sid)?;
        let (a, b) = (pack(root.from), pack(root.to));
        // A SIP target stays an endpoint, even if its user is a number.
        let c = if call.to.starts_with("sip") {
            PartyRef::endpoint(self.texts.parties.id(call.to))
        } else {
            pack(call.to)
        };
        Some(Parties { a, b, c: Some(c) })
    }

    fn account(&mut self, sid: &str) -> WalkedAccount {
        let name = self.names.id(sid);
        let at = name as usize;
        if let Some(known) = self.accounts.get(at).copied().flatten() {
            return known;
        }
        let facts = self.scan.inputs.facts_of_accounts(std::iter::once(sid));
        let account = WalkedAccount { name, deck: facts.decks[0] };
        if self.accounts.len() <= at {
            self.accounts.resize(at + 1, None);
        }
        self.accounts[at] = Some(account);
        account
    }

    /// Adds a leg to its sums, and to the list if it is wanted and the leg is other.
    fn add(
        &mut self,
        row: usize,
        (call, account): (&RatedCall<'_>, WalkedAccount),
        (leg, scenario): (&PricedLeg<'_>, Scenario),
        (currency, new, changes): (&str, Option<&NewLeg>, bool),
    ) -> Result<(), crate::money::Overflow> {
        let own = scenario_number(scenario);
        let destination = self.names.id(leg.description);
        let booked = Total::from_units(leg.amount.units().into());
        let stays = new.is_none() || currency == leg.currency;
        let now = new.map_or(leg.amount, |new| new.charge.amount);
        let booked_in = self.names.id(leg.currency);
        let sum = self.sum((account.name, destination, own, booked_in), row);
        sum.legs += 1;
        sum.changed += u64::from(changes);
        sum.booked.merge(booked)?;
        if stays {
            sum.new.add(now)?;
        } else {
            let now_in = self.names.id(currency);
            let sum = self.sum((account.name, destination, own, now_in), row);
            sum.legs += 1;
            sum.changed += u64::from(changes);
            sum.new.add(now)?;
        }
        if new.is_none() {
            self.all.left.entry(leg.currency.to_owned()).or_default().merge(booked)?;
        }
        if self.scan.lists_legs && (changes || new.is_none()) {
            self.all.legs.push(RepricedLeg {
                call_sid: call.call_sid.to_owned(),
                leg: leg.leg,
                start: call.start_time,
                account: call.account_sid.to_owned(),
                destination: leg.description.to_owned(),
                scenario: scenario.as_str().to_owned(),
                run_id: self.run_id.to_owned(),
                currency: leg.currency.to_owned(),
                booked,
                new: new.map(|_| (currency.to_owned(), Total::from_units(now.units().into()))),
            });
        }
        Ok(())
    }

    /// The sum of a key; counts the call of this row, unless it was counted.
    fn sum(&mut self, key: SumKey, row: usize) -> &mut RepricedSum {
        let (sum, last) = self.sums.entry(key).or_insert((RepricedSum::default(), usize::MAX));
        if *last != row {
            sum.calls += 1;
            *last = row;
        }
        sum
    }

    /// The new version of a call.
    fn booked(
        &mut self,
        sid: Sid,
        (call, rest): (&RatedCall<'_>, &LoggedRest<'_>),
        (scenario, parties): (Scenario, Parties),
        (account, hits): (WalkedAccount, [Hit; 2]),
    ) -> Booked {
        let Parties { a, b, c } = parties;
        let parent = match call.parent_call_sid {
            "" => Sid::EMPTY,
            text => self.texts.odd_sids.sid(text),
        };
        let mut of_b = String::new();
        b.push_to(&self.texts.parties, &mut of_b);
        Booked {
            sid,
            parent,
            start: call.start_time,
            end: rest.end_time.unwrap_or(Calls::NO_TIME),
            a,
            b,
            c,
            price: rest.carrier_price,
            content: 0,
            account: NONE,
            trunk: NONE,
            deck: account.deck,
            duration: call.duration_seconds,
            child_direction: NONE,
            hits,
            direction: DirectionField::of_word(rest.direction),
            status: Status::parse(call.status),
            scenario,
            is_rated: true,
            shows_b: a != b && c.is_some() && rest.caller_id == of_b,
        }
    }

    fn finish(mut self) -> Result<(PeriodRerated, PartRerated), LedgerError> {
        for ((account, destination, scenario, currency), (sum, _)) in self.sums {
            let text = |id| self.names.text(id).to_owned();
            let key = RepricedKey {
                account: text(account),
                destination: text(destination),
                scenario: Booked::SCENARIOS[usize::from(scenario)].as_str().to_owned(),
                currency: text(currency),
            };
            self.all.sums.entry(key).or_default().add(&sum).map_err(LedgerError::of_sum)?;
        }
        Ok((self.all, self.part))
    }
}

/// The number of a scenario, as [`Booked::SCENARIOS`] has them.
fn scenario_number(scenario: Scenario) -> u8 {
    let at = Booked::SCENARIOS.iter().position(|own| *own == scenario);
    must_fit(at.expect("all scenarios are listed"), "there are six scenarios")
}
