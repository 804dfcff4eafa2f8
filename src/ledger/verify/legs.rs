//! Recomputes every leg from its call in the log and the archived deck, by [`crate::audit`].

use super::part::{Part, Sums, wrong};
use crate::audit::{Call, Leg, Root, Tariff};
use crate::inputs::decks;
use crate::inputs::file::read_text;
use crate::ledger::error::LedgerError;
use crate::ledger::history::History;
use crate::ledger::index::earlier;
use crate::ledger::manifest::FILE_NAME;
use crate::ledger::place::{Dataset, Ledger};
use crate::ledger::run::Run;
use crate::ledger::tables::columns::LEG_COLUMNS;
use crate::ledger::tables::columns::ROWS;
use crate::ledger::tables::file::{Footer, frame};
use crate::ledger::tables::stored::{Longs, Texts};
use crate::ledger::tables::stored::{Rows, text};
use crate::sid::Sid;
use crate::time;
use rayon::slice::ParallelSliceMut;
use std::collections::{BTreeMap, HashMap};

/// The decks and lists of the archive, each read once.
pub(crate) struct Tariffs<'a> {
    ledger: &'a Ledger,
    known: HashMap<String, Tariff>,
}

impl<'a> Tariffs<'a> {
    pub(crate) fn of_ledger(ledger: &'a Ledger) -> Self {
        Self { ledger, known: HashMap::new() }
    }

    pub(crate) fn of(&mut self, run: &Run) -> Result<&Tariff, LedgerError> {
        let m = &run.manifest;
        let setting = |name: &str| m.policy.get(name).map_or("", String::as_str);
        let (decimals, rounding) = (setting("money.leg_decimals"), setting("money.leg_rounding"));
        let own_name = m.decks.first().map_or("", |deck| deck.folder.as_str());
        let no_decks = || {
            wrong(
                &run.folder.join(FILE_NAME),
                "has calls, and does not say which decks they were rated with",
            )
        };
        let decks = m.decks_hash.as_deref().ok_or_else(no_decks)?;
        let withheld = setting("input.withheld_numbers");
        let key =
            format!("{decks} {:?} {own_name} {decimals} {rounding} {withheld}", m.accounts_hash);
        if !self.known.contains_key(&key) {
            let folder = self.ledger.archive_folder().join(decks);
            let (files, _) = decks::archived_files(&folder)?;
            let accounts = m
                .accounts_hash
                .as_ref()
                .map(|hash| self.ledger.archive_folder().join(hash).join("accounts.csv"));
            let accounts = accounts.map(|path| read_text(&path)).transpose()?;
            let digits = decimals.parse().map_err(|_| {
                wrong(&run.folder.join(FILE_NAME), "does not say how legs are rounded")
            })?;
            let tariff = Tariff::load(&files, own_name, accounts.as_deref(), digits, rounding);
            let tariff =
                tariff.map_err(|e| wrong(&folder, e))?.with_withheld(withheld.split_whitespace());
            self.known.insert(key.clone(), tariff);
        }
        Ok(&self.known[&key])
    }
}

/// The logged texts of the roots of a run's children.
pub(crate) struct Roots(HashMap<Sid, [String; 4]>);

const ROOT_TEXTS: [&str; 4] = ["account_sid", "scenario", "from", "to"];

impl Roots {
    /// Searches the run itself, and then the runs that it depends on.
    pub(crate) fn of_run(
        history: &History,
        run: &Run,
        parts: &[&Part<'_>],
    ) -> Result<Self, LedgerError> {
        let mut wanted: Vec<Sid> = Vec::new();
        for part in parts {
            let frame = frame(&part.path(Dataset::Calls), &["parent_call_sid"])?;
            wanted
                .extend(text(&frame, "parent_call_sid").iter().flatten().map(|sid| Sid::of(sid).0));
        }
        wanted.par_sort_unstable();
        wanted.dedup();
        let mut roots = HashMap::new();
        let earlier = history
            .runs
            .iter()
            .filter(|other| run.manifest.stands_on.contains(&other.manifest.run_id));
        for run in std::iter::once(run).chain(earlier) {
            if wanted.is_empty() {
                break;
            }
            let mut by_day: BTreeMap<i32, Vec<(u32, Sid)>> = BTreeMap::new();
            for id in earlier::ids_in(run, &wanted)? {
                if let Some((day, row)) = id.place {
                    by_day.entry(day).or_default().push((row, id.sid));
                }
            }
            for (day, rows) in by_day {
                let path = run.file_of_day(Dataset::Calls, i64::from(day));
                let frame = frame(&path, &ROOT_TEXTS)?;
                let texts = Rows::new(&path, 0, &frame).texts(ROOT_TEXTS);
                for (row, sid) in
                    rows.into_iter().filter(|(row, _)| (*row as usize) < frame.height())
                {
                    roots.insert(sid, texts.row(row as usize).map(str::to_owned));
                }
            }
            wanted.retain(|sid| !roots.contains_key(sid));
        }
        Ok(Self(roots))
    }

    fn get(&self, sid: &str) -> Option<Root<'_>> {
        let [account_sid, scenario, from, to] = self.0.get(&Sid::of(sid).0)?;
        Some(Root { account_sid, scenario, from, to })
    }
}

const LEG_TEXTS: [&str; 17] = [
    "call_sid",
    "parent_call_sid",
    "account_sid",
    "trunk_sid",
    "scenario",
    "service",
    "leg_from",
    "leg_to",
    "rated_number",
    "origin_number",
    "destination_prefix",
    "origin_prefix",
    "description",
    "deck",
    "deck_file",
    "currency",
    "run_id",
];

/// The legs of a part, in the order of its calls.
struct Legs<'a> {
    texts: Texts<'a, 17>,
    numbers: Longs<'a, 8>,
    rows: usize,
}

const LEG_NUMBERS: [&str; 8] = [
    "leg",
    "deck_line",
    "start_time",
    "duration_seconds",
    "billed_seconds",
    "price_per_minute",
    "connection_fee",
    "amount",
];

impl<'a> Legs<'a> {
    fn of(rows: &Rows<'a>) -> Result<Self, LedgerError> {
        Ok(Self {
            texts: rows.texts(LEG_TEXTS),
            numbers: rows.longs(LEG_NUMBERS)?,
            rows: rows.height(),
        })
    }

    /// A leg, with its call's id, its trunk and its run.
    fn row(&self, row: usize) -> Result<(Leg<'a>, [&'a str; 3]), LedgerError> {
        let [
            call_sid,
            parent_call_sid,
            account_sid,
            trunk_sid,
            scenario,
            service,
            leg_from,
            leg_to,
            rated_number,
            origin_number,
            destination_prefix,
            origin_prefix,
            description,
            deck,
            deck_file,
            currency,
            run_id,
        ] = self.texts.row(row);
        let [leg, deck_line, start, duration, billed, price, fee, amount] =
            self.numbers.row(row)?;
        let leg = Leg {
            leg,
            service,
            leg_from,
            leg_to,
            rated_number,
            origin_number,
            scenario,
            parent_call_sid,
            account_sid,
            destination_prefix,
            origin_prefix,
            description,
            deck,
            deck_file,
            currency,
            deck_line,
            start,
            duration,
            billed,
            price: price.into(),
            fee: fee.into(),
            amount: amount.into(),
        };
        Ok((leg, [call_sid, trunk_sid, run_id]))
    }
}

const CALL_TEXTS: [&str; 13] = [
    "call_sid",
    "parent_call_sid",
    "account_sid",
    "trunk_sid",
    "role",
    "scenario",
    "from",
    "to",
    "status",
    "class",
    "currency",
    "direction",
    "run_id",
];

/// A piece of a part's call log.
struct Calls<'a> {
    texts: Texts<'a, 13>,
    numbers: Longs<'a, 3>,
}

const CALL_NUMBERS: [&str; 3] = ["start_time", "duration_seconds", "amount"];

impl<'a> Calls<'a> {
    fn of(rows: &Rows<'a>) -> Result<Self, LedgerError> {
        Ok(Self { texts: rows.texts(CALL_TEXTS), numbers: rows.longs(CALL_NUMBERS)? })
    }

    /// A call, with its trunk, its direction and its run.
    fn row(&self, row: usize) -> Result<(Call<'a>, [&'a str; 3]), LedgerError> {
        let [
            call_sid,
            parent_call_sid,
            account_sid,
            trunk_sid,
            role,
            scenario,
            from,
            to,
            status,
            class,
            currency,
            direction,
            run_id,
        ] = self.texts.row(row);
        let [start, duration, amount] = self.numbers.row(row)?;
        let call = Call {
            call_sid,
            parent_call_sid,
            account_sid,
            role,
            scenario,
            from,
            to,
            status,
            class,
            currency,
            start,
            duration,
            amount: amount.into(),
        };
        Ok((call, [trunk_sid, direction, run_id]))
    }
}

/// Recomputes the legs of all calls of a part. Both files have one order, so one walk pairs them: a
/// group of calls at a time, with the legs that they may have.
pub(crate) fn prove_part(
    part: &Part<'_>,
    tariff: &Tariff,
    roots: &Roots,
) -> Result<Sums, LedgerError> {
    let (calls_path, legs_path) = (part.path(Dataset::Calls), part.path(Dataset::Legs));
    let columns = [&CALL_TEXTS[..], &CALL_NUMBERS].concat();
    let (calls_file, legs_file) = (Footer::of(&calls_path)?, Footer::of(&legs_path)?);
    let mut sums = Sums::default();
    let mut walked = 0;
    for first in (0..).step_by(ROWS) {
        let calls = calls_file.rows(&columns, first, ROWS)?;
        let legs = legs_file.rows(&LEG_COLUMNS, walked, 2 * ROWS)?;
        let rows = calls.height();
        let calls = Calls::of(&Rows::new(&calls_path, first, &calls))?;
        let legs = Legs::of(&Rows::new(&legs_path, walked, &legs))?;
        let (mut at, mut own) = (0, Vec::with_capacity(2));
        for row in 0..rows {
            let (call, names) = calls.row(row)?;
            check_names(part, &call, names).map_err(|what| wrong(&calls_path, what))?;
            own.clear();
            while at < legs.rows {
                let (leg, [sid, trunk, run]) = legs.row(at)?;
                if sid != call.call_sid {
                    break;
                }
                if trunk != names[0] || run != part.run.manifest.run_id {
                    return Err(wrong(
                        &legs_path,
                        format!("call {sid}: the leg has trunk {trunk:?} and run {run:?}"),
                    ));
                }
                own.push(leg);
                at += 1;
            }
            let root = if call.parent_call_sid.is_empty() {
                None
            } else {
                roots.get(call.parent_call_sid)
            };
            if let Err(difference) = tariff.check(&call, root.as_ref(), &own) {
                let path = if difference.leg.is_some() { &legs_path } else { &calls_path };
                return Err(wrong(path, format!("call {}: {difference}", call.call_sid)));
            }
            sums.add(&call, &own, (part.day, first + row));
        }
        walked += at;
        if rows < ROWS {
            if at < legs.rows {
                let [sid, ..] = legs.texts.row(at);
                return Err(wrong(
                    &legs_path,
                    format!("has a leg of {sid}, which is not at its place in the call log"),
                ));
            }
            return Ok(sums);
        }
    }
    Ok(sums)
}

/// Checks the columns that no price depends on, but an auditor reads: the run, the direction of a
/// root, the day.
fn check_names(
    part: &Part<'_>,
    call: &Call<'_>,
    [_, direction, run]: [&str; 3],
) -> Result<(), String> {
    let expected = match call.scenario {
        "termination" => "trunking-terminating",
        "origination" => "trunking-originating",
        _ => direction,
    };
    if run != part.run.manifest.run_id || direction != expected {
        return Err(format!(
            "call {}: its run is {run:?}, its direction {direction:?}",
            call.call_sid
        ));
    }
    if time::day(call.start) != part.day {
        return Err(format!("call {} starts on another day", call.call_sid));
    }
    Ok(())
}
