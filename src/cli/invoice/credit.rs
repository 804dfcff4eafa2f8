//! `invoice credit`.

use super::dates::{date, refuse_future, today};
use super::issue::follow;
use crate::cli::args::invoice::CreditArgs;
use crate::cli::error::CliError;
use crate::cli::project::Project;
use crate::cli::run::{head, open_to_write, print_what_is_done};
use crate::inputs::file::{FileError, read_text};
use crate::invoicing::credit_part::PartWanted;
use crate::invoicing::drafts::LONGEST;
use crate::invoicing::issue::Credit;
use std::collections::BTreeSet;
use std::path::Path;

/// Credits an invoice.
pub fn credit(args: &CreditArgs, project: &Project) -> Result<(), CliError> {
    if args.reason.chars().count() > LONGEST {
        return Err(CliError::usage(format!("--reason has more than {LONGEST} characters")));
    }
    if args.reason.trim().is_empty() {
        return Err(CliError::usage(
            "--reason is empty: the credit note says why the invoice is corrected",
        ));
    }
    let part = part(args)?;
    if part.is_none() && args.rebill == args.write_off {
        return Err(CliError::usage(
            "one of --rebill and --write-off is missing: say what becomes of the invoice's legs",
        )
        .hint(
            "--rebill lets the next invoice bill them again; --write-off credits them for good: \
             no invoice bills them again; --lines, --calls or --amount credit a part",
        ));
    }
    let date = date(args.date.as_ref(), today)?;
    let reason = args.reason.split_whitespace().collect::<Vec<_>>().join(" ");
    let ledger = project.ledger()?;
    let (lock, mut history) = open_to_write(&ledger)?;
    let credit = match &part {
        None => Credit::of(&history, &args.number)?,
        Some(_) => Credit::of_part(&history, &args.number)?,
    };
    credit.refuse_date(&date)?;
    refuse_future(&date, (&args.number, credit.issued_on()), args.future)?;
    let (writer, manifest, note) = match &part {
        None => credit.stage(&lock, &history, (&date, &reason, args.rebill))?,
        Some(part) => credit.stage_part(&lock, &history, (&date, &reason), part)?,
    };
    let batch = writer.finish(&history, manifest)?.publish(&ledger, &mut history)?;
    follow(&ledger, &lock, &history, &batch.manifest);
    let period = &note.period.month;
    let again = match (args.rebill, note.usage.is_empty(), note.items.is_empty()) {
        _ if part.is_some() => "the rest of it stands".to_owned(),
        (false, _, true) => "its legs are written off".to_owned(),
        (false, ..) => "what it billed is written off".to_owned(),
        (true, false, true) => "its legs wait for the next invoice".to_owned(),
        (true, true, _) => format!("its monthly charges wait until {period} is issued again"),
        (true, false, false) => {
            format!(
                "its legs wait for the next invoice, its monthly charges until {period} is issued \
                 again"
            )
        }
    };
    let (total, currency) = (&note.totals.total, &note.currency);
    let number = note.number.as_deref().expect("a staged document has a number");
    let text = format!(
        "issued: credit note {number} over {total} {currency}, for {}; {again}\n{}",
        args.number,
        head(&history)
    );
    print_what_is_done(&text, "the credit note is issued, but that could not be printed");
    Ok(())
}

/// The part of the invoice that is to be credited; `None` for all of it.
fn part(args: &CreditArgs) -> Result<Option<PartWanted>, CliError> {
    let lines: BTreeSet<u64> = args.lines.iter().copied().collect();
    if let Some(amount) = args.amount {
        let mut lines = lines.into_iter();
        let line = lines.next();
        if lines.next().is_some() {
            return Err(CliError::usage(
                "--amount with several --lines: by the tax of which line is it credited?",
            ));
        }
        return Ok(Some(PartWanted::Amount(amount, line)));
    }
    if !lines.is_empty() {
        return Ok(Some(PartWanted::Lines(lines)));
    }
    if args.calls.is_empty() {
        return Ok(None);
    }
    let calls = match args.calls.as_slice() {
        [file] if Path::new(file).is_file() => calls_of(Path::new(file))?,
        calls => calls.iter().map(|call| call.trim().to_owned()).collect(),
    };
    let calls: BTreeSet<String> = calls.into_iter().filter(|call| !call.is_empty()).collect();
    if calls.is_empty() {
        return Err(CliError::usage("--calls names no call"));
    }
    Ok(Some(PartWanted::Calls(calls)))
}

/// The ids of calls in a file: one a line, or the column `call_sid` of CSV.
fn calls_of(path: &Path) -> Result<Vec<String>, CliError> {
    let text = read_text(path)?;
    let header = text.lines().next().unwrap_or("");
    let is_table = header.split([',', ';', '\t']).any(|name| name.trim_matches('"') == "call_sid");
    if !is_table {
        return Ok(text.lines().map(|line| line.trim().to_owned()).collect());
    }
    let wrong = |line: u64, problem: String| FileError::new(path, problem).at(line);
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|e| wrong(1, e.to_string()))?.clone();
    let column = headers.iter().position(|name| name == "call_sid").ok_or_else(|| {
        wrong(1, "has no column call_sid between commas".to_owned())
            .hint("expected an id a line, or CSV with a column call_sid")
    })?;
    let mut calls = Vec::new();
    for (line, row) in (2..).zip(reader.records()) {
        let row = row.map_err(|e| wrong(line, e.to_string()))?;
        let call = row.get(column).ok_or_else(|| wrong(line, "has no call_sid".to_owned()))?;
        calls.push(call.trim().to_owned());
    }
    Ok(calls)
}
