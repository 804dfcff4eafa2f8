//! Proves credit notes of a part of an invoice: each credits legs and charges of the invoice that
//! no note before it did, and all of them together are no more than the invoice.

use super::part::wrong;
use crate::document::{Document, ItemLine, UsageLine};
use crate::ledger::batch::{self, Batch, DOCUMENTS, Entry};
use crate::ledger::error::LedgerError;
use crate::ledger::history::History;
use crate::ledger::invoices::billed_by::{self, BilledBy, month, month_of, month_text};
use crate::ledger::invoices::legs;
use crate::money::{AMOUNT_DECIMALS, PRICE_DECIMALS};
use crate::time::DAY;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};

/// What the legs of a line have in common: late month, scenario, service, description, price, fee.
type CreditedKey = (Option<String>, String, String, String, Decimal, Decimal);

/// A leg of an invoice.
struct CreditedLeg {
    call: String,
    key: CreditedKey,
    day: i64,
    seconds: i64,
    amount: i128,
}

/// Legs, seconds and amount.
type CreditedSum = (u64, i64, Decimal);

/// Proves a credit note of a part of an invoice; without `with_legs` its legs are not read.
pub(crate) fn prove(
    history: &History,
    (note_batch, note): (&Batch, &Entry),
    document: &Document,
    with_legs: bool,
) -> Result<(), LedgerError> {
    let path = note_batch.folder.join(DOCUMENTS);
    let wrong = |what: String| wrong(&path, format!("{}: {what}", note.number));
    let number = note.corrects.as_deref().unwrap_or("");
    let part = note.part.as_ref().ok_or_else(|| wrong("is of no part".to_owned()))?;
    if !document.corrects.as_ref().is_some_and(|corrected| corrected.in_part) {
        return Err(wrong("does not say that it credits a part".to_owned()));
    }
    let before = |sequence: u64| sequence < note_batch.manifest.sequence;
    let (batch, entry) = batch::find(&history.issued, number)
        .filter(|(batch, entry)| entry.corrects.is_none() && before(batch.manifest.sequence))
        .ok_or_else(|| wrong(format!("credits {number}, which was not issued before it")))?;
    let invoice = batch.document(number)?;
    if (&invoice.buyer, &invoice.currency) != (&document.buyer, &document.currency) {
        return Err(wrong(format!("is not for the buyer of {number}")));
    }
    let earlier: Vec<(&Batch, &Entry)> = batch::credits_of(&history.issued, number)
        .filter(|(batch, _)| before(batch.manifest.sequence))
        .collect();
    if let Some((_, whole)) = earlier.iter().find(|(_, entry)| entry.part.is_none()) {
        return Err(wrong(format!("{number} was credited whole before, by {}", whole.number)));
    }
    no_more(&invoice, &earlier, document).map_err(&wrong)?;
    items(&invoice, &earlier, (note, document)).map_err(&wrong)?;
    if !with_legs {
        return Ok(());
    }
    let mut left = legs_of(history, (batch, entry))?;
    let places: BTreeMap<CreditedKey, u64> =
        (1..).zip(&invoice.usage).map(|(place, line)| (key(line), place)).collect();
    let mut take = |part: &batch::CreditedPart| -> Vec<CreditedLeg> {
        let calls: BTreeSet<&str> = part.calls.iter().map(String::as_str).collect();
        let is_taken = |leg: &CreditedLeg| {
            let line = places.get(&leg.key);
            // Legs that take one another back are on no line.
            line.is_some_and(|line| part.lines.contains(line) || calls.contains(leg.call.as_str()))
        };
        let (taken, rest) = std::mem::take(&mut left).into_iter().partition(is_taken);
        left = rest;
        taken
    };
    earlier.iter().filter_map(|(_, entry)| entry.part.as_ref()).for_each(|part| {
        take(part);
    });
    let mut sums: BTreeMap<CreditedKey, CreditedSum> = BTreeMap::new();
    let mut days: BTreeMap<i64, i128> = BTreeMap::new();
    for leg in take(part) {
        let (legs, seconds, amount) = sums.entry(leg.key).or_default();
        *legs += 1;
        *seconds += leg.seconds;
        *amount += Decimal::from_i128_with_scale(leg.amount, AMOUNT_DECIMALS);
        *days.entry(leg.day).or_default() += leg.amount;
    }
    sums.retain(|_, (_, seconds, amount)| *seconds != 0 || !amount.is_zero());
    let stated: BTreeMap<CreditedKey, CreditedSum> = document
        .usage
        .iter()
        .map(|line| (key(line), (line.legs, line.billed_seconds, line.amount.0)))
        .collect();
    if stated != sums || stated.len() != document.usage.len() {
        return Err(wrong(format!(
            "its lines are not the legs of {number} that it says: {stated:?}; expected {sums:?}"
        )));
    }
    let stated: Vec<(String, Decimal)> =
        document.days.iter().map(|day| (day.date.clone(), day.amount.0)).collect();
    let found: Vec<(String, Decimal)> = days
        .into_iter()
        .map(|(day, amount)| {
            let amount = Decimal::from_i128_with_scale(amount, AMOUNT_DECIMALS);
            (crate::time::date_text(day * DAY), amount)
        })
        .collect();
    if stated == found {
        Ok(())
    } else {
        Err(wrong("its days are not those of its legs".to_owned()))
    }
}

/// Checks that an invoice is credited for no more than it asked, in any tax group.
fn no_more(
    invoice: &Document,
    earlier: &[(&Batch, &Entry)],
    document: &Document,
) -> Result<(), String> {
    let mut credited: BTreeMap<(String, Decimal), (Decimal, Decimal)> = BTreeMap::new();
    let mut add = |document: &Document| {
        for group in &document.taxes {
            let key = (group.category.as_str().to_owned(), group.rate.0.normalize());
            let (taxable, tax) = credited.entry(key).or_default();
            *taxable += group.taxable.0;
            *tax += group.tax.0;
        }
    };
    add(document);
    for (batch, entry) in earlier {
        add(&batch.document(&entry.number).map_err(|e| e.to_string())?);
    }
    for ((category, rate), (taxable, tax)) in credited {
        let group = invoice
            .taxes
            .iter()
            .find(|group| group.category.as_str() == category && group.rate.0.normalize() == rate);
        let group =
            group.ok_or_else(|| format!("credits {category} {rate} %, which it has not"))?;
        if taxable > group.taxable.0 || tax > group.tax.0 {
            return Err(format!(
                "with those before it {taxable} and tax of {tax} are credited under {category} \
                 {rate} %; the invoice has {} and {}",
                group.taxable, group.tax
            ));
        }
    }
    Ok(())
}

/// Checks the charges that a note credits: those of its lines, or one amount.
fn items(
    invoice: &Document,
    earlier: &[(&Batch, &Entry)],
    (note, document): (&Entry, &Document),
) -> Result<(), String> {
    let usage = invoice.usage.len() as u64;
    let lines_of = |entry: &Entry| -> Vec<u64> {
        entry.part.iter().flat_map(|part| part.lines.iter().copied()).collect()
    };
    let own: Vec<u64> = lines_of(note).into_iter().filter(|line| *line > usage).collect();
    let twice = earlier.iter().flat_map(|(_, entry)| lines_of(entry));
    if let Some(line) = twice.into_iter().find(|line| own.contains(line)) {
        return Err(format!("line {line} was credited before"));
    }
    let expected: Vec<&ItemLine> = own
        .iter()
        .map(|line| {
            let at = usize::try_from(line - usage - 1).ok();
            at.and_then(|at| invoice.items.get(at))
                .ok_or_else(|| format!("there is no line {line}"))
        })
        .collect::<Result<_, String>>()?;
    let is_amount =
        note.part.as_ref().is_some_and(|part| part.lines.is_empty() && part.calls.is_empty());
    match document.items.as_slice() {
        [item] if is_amount && item.amount.0 > Decimal::ZERO => Ok(()),
        items if !is_amount && items.iter().eq(expected) => Ok(()),
        items => Err(format!("credits {} charges that are not those of its lines", items.len())),
    }
}

fn key(line: &UsageLine) -> CreditedKey {
    let UsageLine { late, scenario, service, description, .. } = line;
    let [price, fee] =
        [line.price_per_minute, line.connection_fee].map(|price| price.0.normalize());
    (late.clone(), scenario.clone(), service.clone(), description.clone(), price, fee)
}

/// The legs that an invoice bills.
fn legs_of(
    history: &History,
    (batch, entry): (&Batch, &Entry),
) -> Result<Vec<CreditedLeg>, LedgerError> {
    let claims = BilledBy::of(&history.issued);
    let (own, until) =
        (claims.on(&entry.account_sid, &entry.currency), month(&batch.manifest.period));
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    for run in history.all_runs() {
        let id = run.manifest.run_id.as_str();
        if !seen.insert(id) || !own.iter().any(|claim| claim.may_bill(&entry.number, id)) {
            continue;
        }
        legs::each(
            run,
            false,
            |day| month_of(day * DAY) <= until,
            |leg| {
                let is_of = (leg.account, leg.currency)
                    == (entry.account_sid.as_str(), entry.currency.as_str());
                let start = month_of(leg.start);
                let is_billed = is_of
                    && billed_by::billing(own, id, start)
                        .any(|claim| claim.entry.number == entry.number);
                if is_billed {
                    let price = |units: i64| Decimal::new(units, PRICE_DECIMALS).normalize();
                    found.push(CreditedLeg {
                        call: leg.call_sid.to_owned(),
                        key: (
                            (start < until).then(|| month_text(start)),
                            leg.scenario.to_owned(),
                            leg.service.to_owned(),
                            leg.description.to_owned(),
                            price(leg.price.units()),
                            price(leg.fee.units()),
                        ),
                        day: leg.start.div_euclid(DAY),
                        seconds: leg.billed,
                        amount: leg.amount.units().into(),
                    });
                }
                Ok::<_, LedgerError>(())
            },
        )?;
    }
    Ok(found)
}
