//! `rerate --period`: the booked calls of a period rated again by other decks.

use crate::cli::args::rerate::{RerateCommand, RerateFormat};
use crate::cli::calls::{account_of, names_of};
use crate::cli::cells::Cells;
use crate::cli::error::CliError;
use crate::cli::journal;
use crate::cli::project::{Key, Project};
use crate::cli::run::{head, open_to_write, print_what_is_done, times};
use crate::cli::term::{self, grouped};
use crate::inputs::given::Inputs;
use crate::job::rerate::book;
use crate::job::rerate::scan::{PeriodScan, PeriodScope};
use crate::job::rerate::sums::{PeriodRerated, RepricedKey, RepricedLeg, RepricedSum};
use crate::ledger::{History, Ledger, LedgerError};
use crate::partition::spill::Memory;
use crate::text::visible;
use crate::time;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::PathBuf;

/// Rates the calls of a period again, and shows what comes of it.
pub fn run(args: &RerateCommand, project: &Project) -> Result<(), CliError> {
    let ledger = project.ledger()?;
    if args.books() {
        return book(args, project, &ledger);
    }
    let history = ledger.history()?;
    let scope = scope(args, project, (&ledger, &history))?;
    let (inputs, rates) = inputs(args, project, (&ledger, &history))?;
    let rerated = PeriodScan::new(&history, &inputs, &scope, args.of.calls)?.rerated()?;
    let shown = RerateShown {
        args,
        scope: &scope,
        rates: &rates.display().to_string(),
        inputs: &inputs,
        books: false,
        run_id: None,
    };
    Ok(term::print(&shown.of(&rerated)?)?)
}

/// Books what the period comes to, and shows it.
fn book(args: &RerateCommand, project: &Project, ledger: &Ledger) -> Result<(), CliError> {
    let reason = args.of.reason.as_deref().unwrap_or("").trim();
    if reason.is_empty() {
        return Err(CliError::usage("--reason is empty: say why the period is rated again"));
    }
    let (lock, mut history) = open_to_write(ledger)?;
    let scope = scope(args, project, (ledger, &history))?;
    let (inputs, rates) = inputs(args, project, (ledger, &history))?;
    let how = (reason, Memory::of_machine(), args.of.calls);
    let booked = book::book((ledger, &lock), &mut history, &inputs, &scope, how)?;
    if let Some(run_id) = &booked.run_id {
        journal::did(run_id);
    }
    if let Some(warning) = &booked.warning {
        term::report("note", &format!("the differences are booked, but {warning}"));
    }
    let shown = RerateShown {
        args,
        scope: &scope,
        rates: &rates.display().to_string(),
        inputs: &inputs,
        books: true,
        run_id: booked.run_id.as_deref(),
    };
    let mut text = shown.of(&booked.rerated)?;
    if args.format == RerateFormat::Text {
        match &booked.run_id {
            Some(run_id) => {
                let _ = writeln!(text, "run {run_id}: the differences are booked");
            }
            None => text += "no call costs anything else: nothing was booked\n",
        }
        text += &head(&history);
    }
    print_what_is_done(&text, "the differences are booked, but that could not be printed");
    Ok(())
}

/// The calls that are asked for.
fn scope(
    args: &RerateCommand,
    project: &Project,
    (ledger, history): (&Ledger, &History),
) -> Result<PeriodScope, CliError> {
    let of = &args.of;
    let times = match &of.period {
        Some(period) => {
            let (from, to) = time::month_bounds(period)
                .ok_or_else(|| CliError::usage(format!("--period {period}: expected YYYY-MM")))?;
            from..to
        }
        None => times(&of.times)?.expect("clap asks for a call or a period"),
    };
    if times.is_empty() {
        return Err(CliError::usage("--to is not after --from: no call starts between them"));
    }
    let account = match &of.account {
        Some(text) => {
            let names = names_of(project, ledger, history)?;
            Some(account_of(&names, history, "--account ", text)?)
        }
        None => None,
    };
    if of.destination.as_ref().is_some_and(|text| text.trim().is_empty()) {
        return Err(CliError::usage(
            "--destination is empty: expected the beginning of a number, or words of a description",
        ));
    }
    Ok(PeriodScope { times, account, destination: of.destination.clone() })
}

/// What the calls are rated with: the given decks; accounts as given, or of the project, or as the
/// last run knew them; the rounding of the last run, or of the project that is named.
fn inputs(
    args: &RerateCommand,
    project: &Project,
    (ledger, history): (&Ledger, &History),
) -> Result<(Inputs, PathBuf), CliError> {
    let Some(rates) = &args.one.rates else {
        return Err(CliError::usage(
            "--rates is missing: say which decks the period is rated by again",
        ));
    };
    let known = history
        .runs
        .iter()
        .rev()
        .filter(|run| run.manifest.has_rated())
        .find_map(|run| run.manifest.accounts_hash.as_ref());
    let accounts = project.path(Key::Accounts, args.one.accounts.as_deref())?;
    let accounts =
        accounts.or_else(|| Some(ledger.archive_folder().join(known?).join("accounts.csv")));
    let policy = project.named_policy()?.unwrap_or_else(|| history.policy());
    let inputs = Inputs::load(rates, None, accounts.as_deref(), policy)?;
    inputs.decks.notes(rates).for_each(|note| term::report("note", &note));
    Ok((inputs, rates.clone()))
}

/// What is shown, and how.
struct RerateShown<'a> {
    args: &'a RerateCommand,
    scope: &'a PeriodScope,
    rates: &'a str,
    inputs: &'a Inputs,
    /// True if what differs is booked.
    books: bool,
    /// The run that books it; `None` if nothing differs.
    run_id: Option<&'a str>,
}

/// The most sums that are shown to people.
const MOST_SHOWN: usize = 60;

const SUMS: [&str; 10] = [
    "account",
    "destination",
    "scenario",
    "currency",
    "calls",
    "legs",
    "changed",
    "booked",
    "new",
    "difference",
];

const LEGS: [&str; 12] = [
    "call_sid",
    "leg",
    "start_time",
    "account",
    "destination",
    "scenario",
    "run_id",
    "currency",
    "booked",
    "new_currency",
    "new",
    "difference",
];

fn leg_cells(leg: &RepricedLeg) -> Vec<String> {
    let (currency, new) = leg
        .new
        .as_ref()
        .map_or_else(Default::default, |(currency, new)| (currency.clone(), new.to_string()));
    vec![
        leg.call_sid.clone(),
        leg.leg.to_string(),
        time::text(leg.start),
        leg.account.clone(),
        leg.destination.clone(),
        leg.scenario.clone(),
        leg.run_id.clone(),
        leg.currency.clone(),
        leg.booked.to_string(),
        currency,
        new,
        leg.difference().map_or_else(String::new, |difference| difference.to_string()),
    ]
}

fn leg_json(leg: &RepricedLeg) -> Value {
    json!({
        "call_sid": leg.call_sid,
        "leg": leg.leg,
        "start_time": time::text(leg.start),
        "account": leg.account,
        "destination": leg.destination,
        "scenario": leg.scenario,
        "run_id": leg.run_id,
        "currency": leg.currency,
        "booked": leg.booked.to_string(),
        "new_currency": leg.new.as_ref().map(|(currency, _)| currency),
        "new": leg.new.as_ref().map(|(_, new)| new.to_string()),
        "difference": leg.difference().map(|difference| difference.to_string()),
    })
}

impl RerateShown<'_> {
    fn of(&self, rerated: &PeriodRerated) -> Result<String, CliError> {
        match self.args.format {
            RerateFormat::Text => self.as_text(rerated),
            RerateFormat::Json => Ok(serde_json::to_string_pretty(&self.as_json(rerated)?)? + "\n"),
            RerateFormat::Csv => self.as_csv(rerated),
        }
    }

    fn as_text(&self, rerated: &PeriodRerated) -> Result<String, CliError> {
        let mut text = term::heading(&format!(
            "calls of {} rated again by {}",
            self.times_in_words(),
            visible(self.rates)
        )) + "\n";
        let with = |count: u64, one: &str, many: &str| {
            format!("{} {}", grouped(count), if count == 1 { one } else { many })
        };
        if self.args.of.calls {
            text += &term::Table::new(
                &LEGS,
                &["leg", "booked", "new", "difference"],
                rerated.legs.iter().map(leg_cells),
            )
            .expendable(&["run_id", "scenario", "leg"])
            .uncut(&["call_sid"])
            .to_string();
        } else if !rerated.sums.is_empty() {
            // By currency, and there the largest differences first.
            let mut sums: Vec<(&RepricedKey, &RepricedSum)> = rerated.sums.iter().collect();
            sums.sort_by_key(|(key, sum)| {
                (&key.currency, std::cmp::Reverse(sum.difference().units().abs()))
            });
            let row = |(key, sum): &(&RepricedKey, &RepricedSum)| {
                let numbers = [sum.calls, sum.legs, sum.changed].map(grouped);
                let money = [sum.booked, sum.new, sum.difference()].map(|sum| sum.to_string());
                let names = [&key.account, &key.destination, &key.scenario, &key.currency];
                names.into_iter().cloned().chain(numbers).chain(money).collect()
            };
            text += &term::Table::new(
                &SUMS,
                &["calls", "legs", "changed", "booked", "new", "difference"],
                sums.iter().take(MOST_SHOWN).map(row),
            )
            .expendable(&["legs", "scenario"])
            .to_string();
            if let Some(more) = sums.len().checked_sub(MOST_SHOWN).filter(|more| *more > 0) {
                let _ = writeln!(text, "and {} more; --format csv has all", grouped(more as u64));
            }
        }
        let _ = writeln!(
            text,
            "{} of {} something else",
            grouped(rerated.changed),
            with(rerated.calls, "call costs", "calls cost")
        );
        for (currency, sum) in rerated.by_currency().map_err(LedgerError::of_sum)? {
            let [booked, new, difference] = [sum.booked, sum.new, sum.difference()];
            let _ = writeln!(
                text,
                "   {currency}: booked {booked}, new {new}, difference {difference}"
            );
        }
        if rerated.without_rate > 0 {
            let left: Vec<String> =
                rerated.left.iter().map(|(currency, sum)| format!("{sum} {currency}")).collect();
            let _ = writeln!(
                text,
                "{} no rate by these decks; {} {} as booked",
                with(rerated.without_rate, "call finds", "calls find"),
                left.join(", "),
                if rerated.without_rate == 1 { "stays" } else { "stay" }
            );
        }
        Ok(text)
    }

    fn times_in_words(&self) -> String {
        if let Some(period) = &self.args.of.period {
            return period.clone();
        }
        let times = &self.args.of.times;
        let [from, to] = [("from ", &times.from), ("until ", &times.to)]
            .map(|(word, time)| time.as_ref().map(|time| format!("{word}{time}")));
        [from, to].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    fn as_json(&self, rerated: &PeriodRerated) -> Result<Value, CliError> {
        let totals: serde_json::Map<String, Value> = rerated
            .by_currency()
            .map_err(LedgerError::of_sum)?
            .into_iter()
            .map(|(currency, sum)| (currency.to_owned(), money_of(&sum)))
            .collect();
        let sums: Vec<Value> = rerated
            .sums
            .iter()
            .map(|(key, sum)| {
                json!({
                    "account": key.account,
                    "destination": key.destination,
                    "scenario": key.scenario,
                    "currency": key.currency,
                    "calls": sum.calls,
                    "legs": sum.legs,
                    "changed": sum.changed,
                    "booked": sum.booked.to_string(),
                    "new": sum.new.to_string(),
                    "difference": sum.difference().to_string(),
                })
            })
            .collect();
        let left: serde_json::Map<String, Value> = rerated
            .left
            .iter()
            .map(|(currency, sum)| (currency.clone(), Value::from(sum.to_string())))
            .collect();
        let mut shown = json!({
            "period": self.args.of.period,
            "from": self.args.of.times.from,
            "to": self.args.of.times.to,
            "account": self.scope.account,
            "destination": self.scope.destination,
            "rates": self.rates,
            "decks": self.inputs.decks.hash,
            "calls": rerated.calls,
            "changed": rerated.changed,
            "without_rate": rerated.without_rate,
            "without_rate_booked": left,
            "totals": totals,
            "sums": sums,
        });
        if self.args.of.calls {
            shown["legs"] = rerated.legs.iter().map(leg_json).collect();
        }
        if self.books {
            shown["run_id"] = self.run_id.into();
        }
        Ok(shown)
    }

    fn as_csv(&self, rerated: &PeriodRerated) -> Result<String, CliError> {
        let mut out = Vec::new();
        self.write_csv(rerated, &mut out)?;
        Ok(String::from_utf8(out).expect("cells are texts"))
    }

    fn write_csv(&self, rerated: &PeriodRerated, out: &mut Vec<u8>) -> Result<(), CliError> {
        if self.args.of.calls {
            let mut cells = Cells::new(out, self.args.cells, LEGS)?;
            for leg in &rerated.legs {
                cells.row(leg_cells(leg))?;
            }
            return Ok(cells.finish()?);
        }
        let mut cells = Cells::new(out, self.args.cells, SUMS)?;
        for (key, sum) in &rerated.sums {
            let numbers = [sum.calls, sum.legs, sum.changed].map(|count| count.to_string());
            let money = [sum.booked, sum.new, sum.difference()].map(|sum| sum.to_string());
            let names = [&key.account, &key.destination, &key.scenario, &key.currency];
            cells.row(names.into_iter().cloned().chain(numbers).chain(money))?;
        }
        Ok(cells.finish()?)
    }
}

fn money_of(sum: &RepricedSum) -> Value {
    json!({
        "booked": sum.booked.to_string(),
        "new": sum.new.to_string(),
        "difference": sum.difference().to_string(),
    })
}
