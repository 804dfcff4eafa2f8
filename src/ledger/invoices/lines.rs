//! The legs of an issued document, line by line.
//!
//! **Invariant:** the legs of a line add up to the line, to the last decimal, and are as many as it
//! says; where they do not, that is an error and no list.

use super::billed_by::{self, BilledBy, month, month_of};
use super::legs::{self, LegRow, line_key};
use crate::document::usage::LineKey;
use crate::document::{Document, UsageLine};
use crate::inputs::file::FileError;
use crate::ledger::batch::{self, Batch, Entry};
use crate::ledger::error::{LedgerError, RESTORE};
use crate::ledger::history::History;
use crate::money::{Amount, Price, Total};
use crate::time::{DAY, Micros};
use std::collections::{BTreeMap, HashSet};

/// A leg on a line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the columns of the contract, section 5.1")]
pub struct LineLeg {
    /// The line's place in the document, from 0.
    pub line: usize,
    pub run_id: String,
    pub call_sid: String,
    pub leg: i64,
    pub start: Micros,
    pub from: String,
    pub to: String,
    pub duration: i64,
    pub billed: i64,
    pub amount: Amount,
}

/// The legs of a document's lines of usage, or of one of them, by line, start, call and leg.
///
/// # Errors
/// If a file cannot be read, or the legs are not those of the line.
pub fn legs_of(
    history: &History,
    (batch, entry): (&Batch, &Entry),
    document: &Document,
    wanted: Option<usize>,
) -> Result<Vec<LineLeg>, LedgerError> {
    let (Some(_), Some(number)) = (&entry.part, &entry.corrects) else {
        // A credit note of a whole invoice shows the legs of its invoice.
        return billed_legs(history, (batch, entry), document, wanted);
    };
    let issued = &history.issued;
    let wrong =
        |problem: String| LedgerError::from(FileError::new(&batch.folder, problem).hint(RESTORE));
    let own = batch::find(issued, number)
        .ok_or_else(|| wrong(format!("credits {number}, which is not there")))?;
    let invoice = own.0.document(number)?;
    let before =
        batch::credits_of(issued, number).take_while(|(_, note)| note.number != entry.number);
    let mut left = billed_legs(history, own, &invoice, None)?;
    for (_, note) in before {
        take_credited(&mut left, note);
    }
    let mut found = take_credited(&mut left, entry);
    // The lines of the note are some of those of the invoice.
    let places: BTreeMap<LineKey, usize> = document
        .usage
        .iter()
        .enumerate()
        .filter_map(|(at, line)| Some((key_of(line)?, at)))
        .collect();
    let place = |leg: &LineLeg| places.get(&key_of(&invoice.usage[leg.line])?).copied();
    found.retain_mut(|leg| match place(leg) {
        Some(line) => {
            leg.line = line;
            wanted.is_none_or(|wanted| wanted == line)
        }
        None => false,
    });
    sort(&mut found);
    for (at, line) in document.usage.iter().enumerate() {
        if wanted.is_none_or(|wanted| wanted == at) {
            check(&found, at, line).map_err(|problem| {
                wrong(format!("line {} of {} {problem}", at + 1, entry.number))
            })?;
        }
    }
    Ok(found)
}

/// The legs of an invoice that its credit notes in part have not credited.
///
/// # Errors
/// As [`legs_of`].
pub fn uncredited_legs(
    history: &History,
    (batch, entry): (&Batch, &Entry),
    invoice: &Document,
) -> Result<Vec<LineLeg>, LedgerError> {
    let mut left = billed_legs(history, (batch, entry), invoice, None)?;
    for (_, note) in batch::credits_of(&history.issued, &entry.number) {
        take_credited(&mut left, note);
    }
    Ok(left)
}

/// Takes the legs that a credit note credits out of those that were left of its invoice.
pub fn take_credited(left: &mut Vec<LineLeg>, note: &Entry) -> Vec<LineLeg> {
    let Some(part) = &note.part else { return std::mem::take(left) };
    let calls: HashSet<&str> = part.calls.iter().map(String::as_str).collect();
    let is_credited = |leg: &LineLeg| {
        part.lines.contains(&(leg.line as u64 + 1)) || calls.contains(leg.call_sid.as_str())
    };
    let (taken, rest) = std::mem::take(left).into_iter().partition(is_credited);
    *left = rest;
    taken
}

fn sort(legs: &mut [LineLeg]) {
    legs.sort_by(|a, b| {
        (a.line, a.start, &a.call_sid, a.leg).cmp(&(b.line, b.start, &b.call_sid, b.leg))
    });
}

/// The legs that an invoice bills, by line, start, call and leg.
fn billed_legs(
    history: &History,
    (batch, entry): (&Batch, &Entry),
    document: &Document,
    wanted: Option<usize>,
) -> Result<Vec<LineLeg>, LedgerError> {
    let wrong =
        |problem: String| LedgerError::from(FileError::new(&batch.folder, problem).hint(RESTORE));
    let mut lines: BTreeMap<LineKey, usize> = BTreeMap::new();
    for (at, line) in document.usage.iter().enumerate() {
        let key = key_of(line).ok_or_else(|| {
            wrong(format!("line {} of {} has a price that cannot be", at + 1, entry.number))
        })?;
        let other = lines.insert(key, at);
        assert_eq!(other, None, "{}: two lines of usage have one key", entry.number);
    }
    let until = month(&batch.manifest.period);
    // A credit note shows the legs of its invoice.
    let number = entry.corrects.as_ref().unwrap_or(&entry.number);
    let claims = BilledBy::of(&history.issued);
    let own = claims.on(&entry.account_sid, &entry.currency);
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    // Legs that take one another back are on no line.
    let mut nothing: BTreeMap<LineKey, (i64, Total)> = BTreeMap::new();
    for run in history.all_runs() {
        let id = run.manifest.run_id.as_str();
        // A run that was undone and booked again has the same id and the same legs.
        if !seen.insert(id) || !own.iter().any(|claim| claim.may_bill(number, id)) {
            continue;
        }
        legs::each_to_bill(
            run,
            true,
            |day| month_of(day * DAY) <= until,
            |leg: LegRow<'_>| {
                if leg.account != entry.account_sid || leg.currency != entry.currency {
                    return Ok(());
                }
                let month = month_of(leg.start);
                let is_billed =
                    billed_by::billing(own, id, month).any(|claim| claim.entry.number == *number);
                if !is_billed {
                    return Ok(());
                }
                let key = line_key(&leg, month, until);
                let Some(line) = lines.get(&key).copied() else {
                    let (seconds, amount) = nothing.entry(key).or_default();
                    *seconds += leg.billed;
                    return amount.add(leg.amount).map_err(LedgerError::of_sum);
                };
                if wanted.is_none_or(|wanted| wanted == line) {
                    found.push(LineLeg {
                        line,
                        run_id: id.to_owned(),
                        call_sid: leg.call_sid.to_owned(),
                        leg: leg.leg,
                        start: leg.start,
                        from: leg.from.to_owned(),
                        to: leg.to.to_owned(),
                        duration: leg.duration,
                        billed: leg.billed,
                        amount: leg.amount,
                    });
                }
                Ok::<_, LedgerError>(())
            },
        )?;
    }
    if let Some((key, _)) = nothing.iter().find(|(_, sum)| **sum != (0, Total::default())) {
        return Err(wrong(format!(
            "{number} has no line for legs {} {} {}",
            key.scenario, key.service, key.description
        )));
    }
    sort(&mut found);
    for (at, line) in document.usage.iter().enumerate() {
        if wanted.is_none_or(|wanted| wanted == at) {
            check(&found, at, line)
                .map_err(|problem| wrong(format!("line {} of {number} {problem}", at + 1)))?;
        }
    }
    Ok(found)
}

/// The key of a line of a document; `None` if its price or fee cannot be.
#[must_use]
pub fn key_of(line: &UsageLine) -> Option<LineKey> {
    let price = |text: String| Price::parse(&text).ok();
    Some(LineKey {
        late: line.late.clone(),
        scenario: line.scenario.clone(),
        service: line.service.clone(),
        description: line.description.clone(),
        price: price(line.price_per_minute.to_string())?,
        fee: price(line.connection_fee.to_string())?,
    })
}

/// Checks that the legs found for a line are those that it bills.
fn check(found: &[LineLeg], at: usize, line: &UsageLine) -> Result<(), String> {
    let (mut sum, mut legs) = (Total::default(), 0_u64);
    for leg in found.iter().filter(|leg| leg.line == at) {
        sum.add(leg.amount).map_err(|e| e.to_string())?;
        legs += 1;
    }
    let sum = sum.to_decimal().map_err(|e| e.to_string())?;
    if sum == line.amount.0 && legs == line.legs {
        return Ok(());
    }
    Err(format!(
        "bills {} of {} legs, and its legs come to {sum} of {legs}",
        line.amount, line.legs
    ))
}
