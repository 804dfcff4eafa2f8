//! `invoice list`, `show` and `write`.

use super::args::{ListArgs, ShowArgs, WriteArgs};
use super::files::{Drawing, Selection, refuse_own_folder, signed, write_files};
use super::issue::unknown;
use crate::cli::args::TableFormat;
use crate::cli::cells::Cells;
use crate::cli::error::CliError;
use crate::cli::output::write_whole;
use crate::cli::project::Project;
use crate::cli::term;
use crate::document::{Document, TaxGroup, UsageLine};
use crate::io::ledger::issued::{self, Batch, Entry};
use crate::text;

use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write as _;

/// A document's row in lists.
fn row((batch, entry): (&Batch, &Entry), credited: Option<&str>) -> [String; 11] {
    let m = &batch.manifest;
    let state = match (&entry.corrects, credited) {
        (Some(_), _) => "credit-note",
        (None, Some(_)) => "credited",
        (None, None) if m.supplementary => "supplementary",
        (None, None) => "issued",
    };
    let other = entry.corrects.as_deref().or(credited).unwrap_or_default();
    let [usage, net, tax, total] =
        [&entry.usage, &entry.net, &entry.tax, &entry.total].map(|amount| signed(amount, entry.corrects.is_some()));
    let [number, account, currency] = [&entry.number, &entry.account_sid, &entry.currency].map(Clone::clone);
    let [date, period] = [&m.date, &m.period].map(Clone::clone);
    [number, state.to_owned(), other.to_owned(), date, period, account, usage, net, tax, total, currency]
}

const COLUMNS: [&str; 11] =
    ["number", "state", "other", "date", "period", "account_sid", "usage", "net", "tax", "total", "currency"];

/// Lists what was issued.
pub fn list(args: &ListArgs, project: &Project) -> Result<(), CliError> {
    if let Some(period) = args.period.as_ref().filter(|period| crate::time::month_bounds(period).is_none()) {
        return Err(CliError::usage(format!("--period {period}: expected YYYY-MM")));
    }
    let history = project.ledger()?.history()?;
    let all = history.issued.iter().flat_map(|batch| batch.manifest.entries.iter().map(move |entry| (batch, entry)));
    let wanted = |(batch, entry): &(&Batch, &Entry)| {
        args.period.as_ref().is_none_or(|period| *period == batch.manifest.period)
            && args.account.as_ref().is_none_or(|account| *account == entry.account_sid)
    };
    let credits: std::collections::HashMap<&str, &str> =
        (all.clone()).filter_map(|(_, entry)| Some((entry.corrects.as_deref()?, entry.number.as_str()))).collect();
    let rows = all.filter(wanted).map(|found| row(found, credits.get(found.1.number.as_str()).copied()));
    match args.format {
        TableFormat::Table => {
            let rows: Vec<Vec<String>> = rows.map(|row| row.to_vec()).collect();
            let text = if rows.is_empty() {
                "nothing issued\n".to_owned()
            } else {
                term::table(&COLUMNS, &["usage", "net", "tax", "total"], rows)
            };
            term::print(&text)?;
        }
        TableFormat::Csv => {
            let mut cells = Cells::new(std::io::stdout().lock(), args.cells, COLUMNS)?;
            for row in rows {
                cells.row(row)?;
            }
            cells.finish()?;
        }
        TableFormat::Json => {
            let object = |row: [String; 11]| -> serde_json::Map<String, Value> {
                COLUMNS.iter().zip(row).map(|(name, value)| ((*name).to_owned(), json!(value))).collect()
            };
            let list: Vec<_> = rows.map(object).collect();
            term::print(&format!("{}\n", serde_json::to_string_pretty(&list)?))?;
        }
    }
    Ok(())
}

/// Shows one document.
pub fn show(args: &ShowArgs, project: &Project) -> Result<(), CliError> {
    let ledger = project.ledger()?;
    let history = ledger.history()?;
    let (batch, _) = issued::find(&history.issued, &args.number).ok_or_else(|| unknown(&args.number))?;
    let drawing = Drawing::new(&args.drawing, &project.terms()?.0, &[args.format])?;
    let selection = Selection::issued(&history, |_, entry| entry.number == args.number);
    let legs = drawing.legs(&history, &selection)?;
    batch.each_document(
        |entry| entry.number == args.number,
        |_, document| {
            let bytes = drawing.draw(args.format, &document, legs.as_deref())?;
            if let Some(path) = &args.out {
                return Ok(write_whole(path, &bytes)?);
            }
            let mut out = std::io::stdout().lock();
            out.write_all(&bytes)?;
            out.flush()?;
            Ok::<_, CliError>(())
        },
    )
}

/// Writes issued documents as files.
pub fn write(args: &WriteArgs, project: &Project) -> Result<(), CliError> {
    let ledger = project.ledger()?;
    let out = project.required_out(args.out.as_deref())?;
    let history = ledger.history()?;
    if let Some(number) = args.numbers.iter().find(|number| issued::find(&history.issued, number).is_none()) {
        return Err(unknown(number));
    }
    let drawing = Drawing::new(&args.drawing, &project.terms()?.0, &args.format)?;
    let selection = Selection::issued(&history, |batch, entry| {
        args.period.as_ref().is_none_or(|period| *period == batch.manifest.period)
            && args.account.as_ref().is_none_or(|account| *account == entry.account_sid)
            && (args.numbers.is_empty() || args.numbers.contains(&entry.number))
    });
    if selection.count() == 0 {
        return Err(CliError::failed("nothing that was issued is so").hint("`trunkrate invoice list` lists all"));
    }
    refuse_own_folder(&ledger, &out)?;
    write_files(&history, selection, &drawing, &out)?.tell(&out);
    Ok(())
}

/// A document for the terminal.
pub fn text(d: &Document) -> String {
    let mut out = String::new();
    let number = d.number.as_deref().unwrap_or("without a number");
    let _ = writeln!(out, "{}", term::heading(&format!("{} {number}", d.title())));
    let mut field = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(out, "  {name:<10} {}", text::visible(value));
        }
    };
    let party = |p: &crate::document::Party| {
        let city = format!("{} {}", p.postcode, p.city);
        let parts = [&p.name, &p.address.join(", "), city.trim(), &p.country, &p.tax_id].map(str::to_owned);
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
    };
    field("date", &d.issue_date);
    field("due", d.due_date.as_deref().unwrap_or_default());
    field("period", &format!("{} ({} to {})", d.period.month, d.period.first_day, d.period.last_day));
    if let Some(corrected) = &d.corrects {
        field("corrects", &format!("{} of {}", corrected.number, corrected.issue_date));
        field("reason", &corrected.reason);
    }
    field("seller", &party(&d.seller.party));
    field("buyer", &party(&d.buyer.party));
    field("account", &d.buyer.account_sid);
    field("reference", &d.buyer.reference);
    field("order", &d.buyer.order);
    let usage = d.usage.iter().map(|l: &UsageLine| {
        let late = l.late.as_ref().map(|month| format!("{month}: ")).unwrap_or_default();
        let fee = if l.connection_fee.0.is_zero() { String::new() } else { format!(" + {} / leg", l.connection_fee) };
        let price = format!("{} / min{fee}", l.price_per_minute);
        let what = format!("{late}{}", l.scenario_words);
        vec![what, l.description.clone(), l.calls.to_string(), l.billed_minutes.clone(), price, l.amount.to_string()]
    });
    let items = d.items.iter().map(|item| {
        let price = item.unit_price.to_string();
        vec![
            "monthly".to_owned(),
            item.description.clone(),
            item.quantity.to_string(),
            String::new(),
            price,
            item.amount.to_string(),
        ]
    });
    let rows: Vec<Vec<String>> = usage.chain(items).collect();
    if !rows.is_empty() {
        let right = ["calls", "minutes", "price", "amount"];
        out.push_str(&term::table(&[&["scenario", "destination"][..], &right[..]].concat(), &right, rows));
    }
    let mut totals = vec![("sum".to_owned(), d.totals.sum.to_string()), ("rounding".to_owned(), d.totals.rounding.to_string())];
    totals.push(("net".to_owned(), d.totals.net.to_string()));
    totals.extend(d.taxes.iter().map(|group: &TaxGroup| {
        let reason = if group.reason.is_empty() { String::new() } else { format!(" ({})", text::visible(&group.reason)) };
        (format!("{} {} % on {}{reason}", group.category.words(), group.rate, group.taxable), group.tax.to_string())
    }));
    if d.taxes.len() > 1 {
        totals.push(("tax".to_owned(), d.totals.tax.to_string()));
    }
    totals.push(("total".to_owned(), format!("{} {}", d.totals.total, d.currency)));
    for (name, value) in totals {
        let _ = writeln!(out, "{name:<60} {value}");
    }
    let p = &d.payment;
    let payable = d.kind == crate::document::Kind::Invoice;
    let how = [&p.terms, &p.account_name, &p.iban, &p.bic].into_iter().filter(|text| payable && !text.is_empty());
    for text in how.chain(&d.notes) {
        let _ = writeln!(out, "  {}", text::visible(text));
    }
    out
}
