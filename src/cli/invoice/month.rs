//! `invoice --period`: the sums of a month's calls per account, as CSV and JSON, with an index.
//! Nothing is issued.

use super::files::refuse_own_folder;
use crate::cli::args::invoice::MonthArgs;
use crate::cli::calls::{account_of, names_of};
use crate::cli::error::CliError;
use crate::cli::output::write_own;
use crate::cli::project::Project;
use crate::cli::term;
use crate::disk::private;
use crate::document::usage::{LineKey, Sum, Usage, billed_minutes};
use crate::inputs::accounts::{self, Account, Accounts};
use crate::ledger::index::superseded::each_date;
use crate::ledger::tables::read::Selection;
use crate::ledger::tables::stored::Rows;
use crate::ledger::{Dataset, Ledger};
use crate::money::{Amount, Price};
use crate::text::{cell, file_stem};
use crate::time;
use polars::prelude::DataFrame;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Invoices by account and currency.
/// By account and currency; with the run whose legs came last.
type Invoices = BTreeMap<(String, String), (Usage, String)>;

/// Writes the invoices of a month.
pub fn run(args: &MonthArgs, project: &Project) -> Result<(), CliError> {
    let (from, to) = time::month_bounds(&args.period)
        .ok_or_else(|| CliError::usage(format!("--period {}: expected YYYY-MM", args.period)))?;
    let ledger = project.ledger()?;
    let out = project.required_out(args.out.as_deref())?;
    let accounts = accounts_of(&ledger)?;
    let account = match &args.account {
        Some(text) => {
            let history = ledger.history()?;
            let names = names_of(project, &ledger, &history)?;
            Some(account_of(&names, &history, "--account ", text)?)
        }
        None => None,
    };
    let selection = Selection { times: Some(from..to), account };
    let mut invoices = Invoices::new();
    each_date(&ledger, Dataset::Legs, &selection, |frame| add_legs(&frame, &mut invoices))?;
    refuse_own_folder(&ledger, &out)?;
    private::make_folders(&out)
        .map_err(|e| CliError::failed(format!("{}: cannot be made: {e}", out.display())))?;
    let unlisted = Account::default();
    let mut index = Vec::new();
    let mut currencies: HashMap<&str, u32> = HashMap::new();
    for (account, _) in invoices.keys() {
        *currencies.entry(account).or_default() += 1;
    }
    for ((account, currency), (invoice, _)) in &invoices {
        let several = currencies.get(account.as_str()).is_some_and(|count| *count > 1);
        let stem =
            if several { format!("{}-{currency}", file_stem(account)) } else { file_stem(account) };
        let sum = invoice
            .sum(currency)
            .map_err(|e| CliError::failed(format!("account {account}: {e}")))?;
        let details = accounts.get(account).unwrap_or(&unlisted);
        let document = MonthDocument {
            account,
            name: if details.name.is_empty() { account } else { &details.name },
            currency,
            period: &args.period,
            invoice,
            sum,
        };
        write_own(&out.join(format!("{stem}.csv")), &document.csv()?)?;
        write_own(
            &out.join(format!("{stem}.json")),
            format!("{}\n", serde_json::to_string_pretty(&document.json(&details.details))?)
                .as_bytes(),
        )?;
        index.push((stem, document));
    }
    write_own(&out.join("index.csv"), &index_csv(&index)?)?;
    let list: Vec<Value> =
        index.iter().map(|(stem, document)| document.index_entry(stem)).collect();
    write_own(
        &out.join("index.json"),
        format!(
            "{}\n",
            serde_json::to_string_pretty(&json!({"period": args.period, "invoices": list}))?
        )
        .as_bytes(),
    )?;
    term::print(&as_table(&index, &out))?;
    Ok(())
}

/// The accounts of the last run that had any.
fn accounts_of(ledger: &Ledger) -> Result<Accounts, CliError> {
    let runs = ledger.history()?.runs;
    let Some(hash) = runs.iter().rev().find_map(|run| run.manifest.accounts_hash.clone()) else {
        return Ok(Accounts::new());
    };
    Ok(accounts::archived(&ledger.archive_folder().join(hash).join("accounts.csv"))?)
}

fn add_legs(frame: &DataFrame, invoices: &mut Invoices) -> Result<(), CliError> {
    // Rows of several files may be in one frame here: an unreadable row is reported by its place in
    // the frame.
    let legs = Rows::new(Path::new("legs"), 0, frame);
    let texts =
        legs.texts(["account_sid", "currency", "call_sid", "scenario", "service", "description"]);
    let numbers = legs.longs(["start_time", "price_per_minute", "connection_fee", "amount"])?;
    let seconds = legs.longs(["billed_seconds"])?;
    let runs = legs.texts(["run_id"]);
    // The legs of a day come by start, call and leg; those of one version of a call must come
    // together.
    let mut order: Vec<usize> = (0..legs.height()).collect();
    let version = |row: &usize| (runs.row(*row)[0], seconds.at(0, *row).is_ok_and(|s| s < 0));
    for call in order.chunk_by_mut(|a, b| texts.row(*a)[2] == texts.row(*b)[2]) {
        call.sort_by(|a, b| version(a).cmp(&version(b)));
    }
    for row in order {
        let [account, currency, call, scenario, service, description] =
            texts.row(row).map(str::to_owned);
        let [start, price, fee, amount] = numbers.row(row)?;
        let (price, fee) = (Price::from_units(price), Price::from_units(fee));
        let key = LineKey { late: None, scenario, service, description, price, fee };
        let (invoice, last_run) = invoices.entry((account, currency)).or_default();
        if last_run != runs.row(row)[0] {
            invoice.begin_run();
            runs.row(row)[0].clone_into(last_run);
        }
        invoice
            .add(&call, time::day(start), key, seconds.fit(0, row)?, Amount::from_units(amount))
            .map_err(|e| CliError::failed(format!("call {call}: {e}")))?;
    }
    Ok(())
}

/// An invoice with its account, name, currency, period and sum.
struct MonthDocument<'a> {
    account: &'a str,
    name: &'a str,
    currency: &'a str,
    period: &'a str,
    invoice: &'a Usage,
    sum: Sum,
}

/// A decimal with at least five decimals, like the amounts of legs.
fn exact(value: Decimal) -> String {
    let mut value = value.normalize();
    if value.scale() < 5 {
        value.rescale(5);
    }
    value.to_string()
}

impl MonthDocument<'_> {
    fn csv(&self) -> Result<Vec<u8>, CliError> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record([
            "scenario",
            "service",
            "description",
            "price_per_minute",
            "connection_fee",
            "calls",
            "legs",
            "billed_minutes",
            "amount",
            "currency",
        ])?;
        for (key, line) in &self.invoice.lines {
            let fields = [
                key.scenario.clone(),
                key.service.clone(),
                key.description.clone(),
                key.price.to_string(),
                key.fee.to_string(),
                line.calls.to_string(),
                line.legs.to_string(),
                billed_minutes(line.billed_seconds),
                line.amount.to_string(),
                self.currency.to_owned(),
            ];
            writer.write_record(fields.each_ref().map(|text| cell(text).into_owned()))?;
        }
        for (what, amount) in [
            ("sum", exact(self.sum.sum)),
            ("rounding", exact(self.sum.rounding)),
            ("total", self.sum.total.to_string()),
        ] {
            writer.write_record([what, "", "", "", "", "", "", "", &amount, self.currency])?;
        }
        writer.into_inner().map_err(|e| CliError::failed(e.to_string()))
    }

    fn json(&self, details: &BTreeMap<String, String>) -> Value {
        let lines: Vec<Value> = self
            .invoice
            .lines
            .iter()
            .map(|(key, line)| {
                json!({
                    "scenario": key.scenario, "service": key.service,
                    "description": key.description,
                    "price_per_minute": key.price.to_string(),
                    "connection_fee": key.fee.to_string(), "calls": line.calls,
                    "legs": line.legs, "billed_seconds": line.billed_seconds,
                    "billed_minutes": billed_minutes(line.billed_seconds),
                    "amount": line.amount.to_string(),
                })
            })
            .collect();
        json!({
            "account_sid": self.account, "name": self.name, "details": details,
            "period": self.period, "currency": self.currency,
            "calls": self.invoice.calls, "lines": lines, "sum": exact(self.sum.sum),
            "rounding": exact(self.sum.rounding),
            "total": self.sum.total.to_string(),
        })
    }

    fn index_row(&self, stem: &str) -> [String; 8] {
        [
            self.account.to_owned(),
            self.name.to_owned(),
            stem.to_owned(),
            self.invoice.calls.to_string(),
            exact(self.sum.sum),
            exact(self.sum.rounding),
            self.sum.total.to_string(),
            self.currency.to_owned(),
        ]
    }

    fn index_entry(&self, stem: &str) -> Value {
        json!({
            "account_sid": self.account, "name": self.name, "file": stem,
            "calls": self.invoice.calls, "sum": exact(self.sum.sum),
            "rounding": exact(self.sum.rounding), "total": self.sum.total.to_string(),
            "currency": self.currency,
        })
    }
}

fn index_csv(index: &[(String, MonthDocument<'_>)]) -> Result<Vec<u8>, CliError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "account_sid",
        "name",
        "file",
        "calls",
        "sum",
        "rounding",
        "total",
        "currency",
    ])?;
    for (stem, document) in index {
        writer.write_record(
            document.index_row(stem).each_ref().map(|text| cell(text).into_owned()),
        )?;
    }
    writer.into_inner().map_err(|e| CliError::failed(e.to_string()))
}

fn as_table(index: &[(String, MonthDocument<'_>)], out: &Path) -> String {
    if index.is_empty() {
        return "no legs in that month: no invoice\n".to_owned();
    }
    let rows = index.iter().map(|(stem, document)| {
        let [_, name, _, calls, sum, rounding, total, currency] = document.index_row(stem);
        vec![
            name,
            calls,
            sum,
            rounding,
            format!("{total} {currency}"),
            out.join(format!("{stem}.csv")).display().to_string(),
        ]
    });
    let right = ["calls", "sum of legs", "rounding", "total"];
    term::Table::new(&[&["account"][..], &right[..], &["file"]].concat(), &right, rows)
        .expendable(&["rounding"])
        .totals(&right[1..], "documents")
        .to_string()
}
