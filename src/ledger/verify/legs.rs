//! Recomputes every leg from its call in the log and the archived deck, by [`crate::audit`].

use super::part::{DayPart, Sums, wrong};
use crate::audit::{Call, Leg, Root, Tariff};
use crate::inputs::decks;
use crate::inputs::file::read_text;
use crate::ledger::error::LedgerError;
use crate::ledger::history::History;
use crate::ledger::index::earlier;
use crate::ledger::manifest::FILE_NAME;
use crate::ledger::place::{Dataset, Ledger};
use crate::ledger::run::Run;
use crate::ledger::tables::columns::{self, ROWS};
use crate::ledger::tables::file::{Footer, frame};
use crate::ledger::tables::stored::{Rows, text};
use crate::ledger::tables::typed::stored_row;
use crate::money::{Amount, Price};
use crate::sid::Sid;
use crate::time::{self, Micros};
use rayon::slice::ParallelSliceMut;
use std::collections::{BTreeMap, BTreeSet, HashMap};

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

stored_row! {
    /// A call of the log, as far as the proof of its children needs it.
    struct StoredRoot<'a> of columns::LOG {
        account_sid: &'a str,
        scenario: &'a str,
        from: &'a str,
        to: &'a str,
    }
}

/// The logged texts of the roots of a run's children: account, scenario, from, to.
pub(crate) struct Roots(HashMap<Sid, [String; 4]>);

impl Roots {
    /// Searches the run itself, and then the runs that it depends on.
    pub(crate) fn of_run(
        history: &History,
        run: &Run,
        parts: &[&DayPart<'_>],
    ) -> Result<Self, LedgerError> {
        let mut wanted: Vec<Sid> = Vec::new();
        for part in parts {
            let frame = frame(&part.path(Dataset::Calls), &["parent_call_sid"])?;
            wanted
                .extend(text(&frame, "parent_call_sid").iter().flatten().map(|sid| Sid::of(sid).0));
        }
        let earlier = history
            .runs
            .iter()
            .filter(|other| run.manifest.stands_on.contains(&other.manifest.run_id));
        let runs = std::iter::once(run).chain(earlier.rev());
        Ok(Self::of_calls(runs.map(|run| (0, run)), wanted)?.0)
    }

    /// Searches runs for the roots of children, and says in which of them there are any.
    pub(crate) fn of_calls<'r>(
        runs: impl Iterator<Item = (usize, &'r Run)>,
        mut wanted: Vec<Sid>,
    ) -> Result<(Self, BTreeSet<usize>), LedgerError> {
        wanted.par_sort_unstable();
        wanted.dedup();
        let (mut roots, mut found_in) = (HashMap::new(), BTreeSet::new());
        // The newest first: of several versions of a root the last one counts.
        for (place, run) in runs {
            if wanted.is_empty() {
                break;
            }
            let mut by_day: BTreeMap<i32, Vec<(u32, Sid)>> = BTreeMap::new();
            for id in earlier::ids_in(run, &wanted)? {
                if let Some((day, row)) = id.place {
                    by_day.entry(day).or_default().push((row, id.sid));
                    found_in.insert(place);
                }
            }
            for (day, rows) in by_day {
                let path = run.file_of_day(Dataset::Calls, i64::from(day));
                let frame = frame(&path, StoredRoot::COLUMNS)?;
                let root_at = StoredRoot::reader(&Rows::new(&path, 0, &frame))?;
                for (row, sid) in
                    rows.into_iter().filter(|(row, _)| (*row as usize) < frame.height())
                {
                    let root = root_at(row as usize)?;
                    let texts = [root.account_sid, root.scenario, root.from, root.to];
                    roots.insert(sid, texts.map(str::to_owned));
                }
            }
            wanted.retain(|sid| !roots.contains_key(sid));
        }
        Ok((Self(roots), found_in))
    }

    pub(crate) fn get(&self, sid: &str) -> Option<Root<'_>> {
        let [account_sid, scenario, from, to] = self.0.get(&Sid::of(sid).0)?;
        Some(Root { account_sid, scenario, from, to })
    }
}

stored_row! {
    /// A leg, with all that its proof reads.
    pub(crate) struct StoredLeg<'a> of columns::LEGS {
        call_sid: &'a str,
        parent_call_sid: &'a str,
        account_sid: &'a str,
        trunk_sid: &'a str,
        scenario: &'a str,
        leg: i64,
        service: &'a str,
        leg_from: &'a str,
        leg_to: &'a str,
        rated_number: &'a str,
        origin_number: &'a str,
        start_time: Micros,
        duration_seconds: i64,
        billed_seconds: i64,
        price_per_minute: Price,
        connection_fee: Price,
        destination_prefix: &'a str,
        origin_prefix: &'a str,
        description: &'a str,
        deck: &'a str,
        deck_file: &'a str,
        deck_line: i64,
        currency: &'a str,
        amount: Amount,
        run_id: &'a str,
    }
}

impl<'a> StoredLeg<'a> {
    /// The leg as the second rater takes it.
    pub(crate) fn to_prove(self) -> Leg<'a> {
        Leg {
            leg: self.leg,
            service: self.service,
            leg_from: self.leg_from,
            leg_to: self.leg_to,
            rated_number: self.rated_number,
            origin_number: self.origin_number,
            scenario: self.scenario,
            parent_call_sid: self.parent_call_sid,
            account_sid: self.account_sid,
            destination_prefix: self.destination_prefix,
            origin_prefix: self.origin_prefix,
            description: self.description,
            deck: self.deck,
            deck_file: self.deck_file,
            currency: self.currency,
            deck_line: self.deck_line,
            start: self.start_time,
            duration: self.duration_seconds,
            billed: self.billed_seconds,
            price: self.price_per_minute.units().into(),
            fee: self.connection_fee.units().into(),
            amount: self.amount.units().into(),
        }
    }
}

stored_row! {
    /// A call of the log, with all that its proof reads.
    struct StoredCall<'a> of columns::LOG {
        call_sid: &'a str,
        parent_call_sid: &'a str,
        account_sid: &'a str,
        trunk_sid: &'a str,
        role: &'a str,
        scenario: &'a str,
        direction: &'a str,
        from: &'a str,
        to: &'a str,
        start_time: Micros,
        duration_seconds: i64,
        status: &'a str,
        class: &'a str,
        currency: &'a str,
        amount: Amount,
        run_id: &'a str,
    }
}

impl<'a> StoredCall<'a> {
    /// The call as the second rater takes it.
    fn to_prove(self) -> Call<'a> {
        Call {
            call_sid: self.call_sid,
            parent_call_sid: self.parent_call_sid,
            account_sid: self.account_sid,
            role: self.role,
            scenario: self.scenario,
            from: self.from,
            to: self.to,
            status: self.status,
            class: self.class,
            currency: self.currency,
            start: self.start_time,
            duration: self.duration_seconds,
            amount: self.amount.units().into(),
        }
    }
}

/// Recomputes the legs of all calls of a part. Both files have one order, so one walk pairs them: a
/// group of calls at a time, with the legs that they may have.
pub(crate) fn prove_part(
    part: &DayPart<'_>,
    tariff: &Tariff,
    roots: &Roots,
) -> Result<Sums, LedgerError> {
    let (calls_path, legs_path) = (part.path(Dataset::Calls), part.path(Dataset::Legs));
    let (calls_file, legs_file) = (Footer::of(&calls_path)?, Footer::of(&legs_path)?);
    let mut sums = Sums::default();
    let mut walked = 0;
    for first in (0..).step_by(ROWS) {
        let calls = calls_file.rows(StoredCall::COLUMNS, first, ROWS)?;
        let legs = legs_file.rows(StoredLeg::COLUMNS, walked, 2 * ROWS)?;
        let (rows, leg_rows) = (calls.height(), legs.height());
        let call_at = StoredCall::reader(&Rows::new(&calls_path, first, &calls))?;
        let leg_at = StoredLeg::reader(&Rows::new(&legs_path, walked, &legs))?;
        let (mut at, mut own) = (0, Vec::with_capacity(2));
        for row in 0..rows {
            let stored = call_at(row)?;
            check_names(part, &stored).map_err(|what| wrong(&calls_path, what))?;
            own.clear();
            while at < leg_rows {
                let leg = leg_at(at)?;
                let (sid, trunk, run) = (leg.call_sid, leg.trunk_sid, leg.run_id);
                if sid != stored.call_sid {
                    break;
                }
                if trunk != stored.trunk_sid || run != part.run.manifest.run_id {
                    return Err(wrong(
                        &legs_path,
                        format!("call {sid}: the leg has trunk {trunk:?} and run {run:?}"),
                    ));
                }
                own.push(leg.to_prove());
                at += 1;
            }
            let call = stored.to_prove();
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
            if at < leg_rows {
                let sid = leg_at(at)?.call_sid;
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
fn check_names(part: &DayPart<'_>, call: &StoredCall<'_>) -> Result<(), String> {
    let expected = match call.scenario {
        "termination" => "trunking-terminating",
        "origination" => "trunking-originating",
        _ => call.direction,
    };
    let (run, direction) = (call.run_id, call.direction);
    if run != part.run.manifest.run_id || direction != expected {
        return Err(format!(
            "call {}: its run is {run:?}, its direction {direction:?}",
            call.call_sid
        ));
    }
    if time::day(call.start_time) != part.day {
        return Err(format!("call {} starts on another day", call.call_sid));
    }
    Ok(())
}
