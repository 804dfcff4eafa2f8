//! Credit notes of a part of an invoice: of lines, of calls, or over an amount.
//!
//! **Invariant:** all credit notes of an invoice together credit no more than it, in every tax
//! group: neither of what was taxed nor of the tax. A leg, and a monthly charge, is credited once.
//!
//! # Why an amount is bounded by its tax group
//! An amount is agreed for no leg in particular, so no line is the less for it. What bounds it is
//! what the invoice asks for under one tax; that also bounds the lines that are credited after it.

use crate::document::build::{self, BuildError, Item};
use crate::document::usage::Usage;
use crate::document::{Document, TaxCategory};
use crate::invoicing::error::IssueError;
use crate::ledger::batch::{self, Batch, CreditedPart, Entry};
use crate::ledger::invoices::lines::{LineLeg, key_of, uncredited_legs};
use crate::ledger::{History, LedgerError};
use crate::time;
use rust_decimal::Decimal;
use std::collections::BTreeSet;

/// The part of an invoice that is to be credited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartWanted {
    /// Lines, by the numbers that `invoice show` gives them.
    Lines(BTreeSet<u64>),
    /// Calls, by their ids.
    Calls(BTreeSet<String>),
    /// An amount without tax, with the line by whose tax it is credited.
    Amount(Decimal, Option<u64>),
}

/// What is left of an invoice.
#[derive(Debug)]
pub struct LeftOfInvoice {
    /// The invoice.
    pub invoice: Document,
    legs: Vec<LineLeg>,
    /// The monthly charges that are credited already, by their places.
    credited_items: BTreeSet<usize>,
    /// By tax group of the invoice, in its order.
    groups: Vec<LeftOfGroup>,
}

/// What is left of a tax group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftOfGroup {
    category: TaxCategory,
    rate: Decimal,
    /// What was taxed.
    taxable: Decimal,
    /// The tax.
    tax: Decimal,
}

fn refused(problem: String, hint: impl Into<String>) -> IssueError {
    IssueError::Part { problem, hint: hint.into() }
}

impl LeftOfInvoice {
    /// What the credit notes of an invoice have left of it.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn of(history: &History, (batch, entry): (&Batch, &Entry)) -> Result<Self, LedgerError> {
        let invoice = batch.document(&entry.number)?;
        let legs = uncredited_legs(history, (batch, entry), &invoice)?;
        let mut groups: Vec<LeftOfGroup> = invoice
            .taxes
            .iter()
            .map(|group| LeftOfGroup {
                category: group.category,
                rate: group.rate.0,
                taxable: group.taxable.0,
                tax: group.tax.0,
            })
            .collect();
        let mut credited_items = BTreeSet::new();
        let usage = invoice.usage.len() as u64;
        for (note_batch, note) in batch::credits_of(&history.issued, &entry.number) {
            let lines = note.part.iter().flat_map(|part| &part.lines);
            let items = lines.filter_map(|line| line.checked_sub(usage + 1));
            credited_items.extend(items.map(|at| {
                crate::fit::must_fit::<u64, usize>(at, "a line of a document fits memory")
            }));
            for group in note_batch.document(&note.number)?.taxes {
                let left = groups
                    .iter_mut()
                    .find(|left| (left.category, left.rate) == (group.category, group.rate.0));
                if let Some(left) = left {
                    left.taxable -= group.taxable.0;
                    left.tax -= group.tax.0;
                }
            }
        }
        Ok(Self { invoice, legs, credited_items, groups })
    }

    /// The credit note of a part of what is left, and what its entry keeps of it.
    ///
    /// # Errors
    /// A part that is not there any more, or is more than what is left.
    pub fn credit(
        &self,
        wanted: &PartWanted,
        (number, date, reason): (&str, &str, &str),
    ) -> Result<(Document, CreditedPart), IssueError> {
        let (usage, items, part) = match wanted {
            PartWanted::Lines(lines) => self.lines(lines)?,
            PartWanted::Calls(calls) => self.calls(calls)?,
            PartWanted::Amount(amount, line) => self.amount(*amount, *line)?,
        };
        let texts = (number.to_owned(), date.to_owned(), reason.to_owned());
        let failed = |error: BuildError| IssueError::Build {
            account: self.invoice.buyer.account_sid.clone(),
            error,
        };
        let note = build::credit_in_part(&self.invoice, texts, &usage, &items).map_err(failed)?;
        self.refuse_more(&note)?;
        Ok((note, part))
    }

    fn number(&self) -> &str {
        self.invoice.number.as_deref().unwrap_or("")
    }

    fn lines(&self, lines: &BTreeSet<u64>) -> Result<(Usage, Vec<Item>, CreditedPart), IssueError> {
        let (usage, items) = (self.invoice.usage.len(), self.invoice.items.len());
        let mut charges = Vec::new();
        for line in lines {
            let at = self.place(*line)?;
            let is_left = match at.checked_sub(usage) {
                None => self.legs.iter().any(|leg| leg.line == at),
                Some(item) => !self.credited_items.contains(&item),
            };
            if !is_left {
                return Err(refused(
                    format!("line {line} of {} is credited already", self.number()),
                    "`trunkrate invoice list` shows its credit notes",
                ));
            }
            if let Some(item) = at.checked_sub(usage) {
                assert!(item < items, "a line is usage or a monthly charge");
                let charge = &self.invoice.items[item];
                let tax = build::tax_of(&self.invoice, charge.tax_category, charge.tax_rate);
                charges.push(Item {
                    description: charge.description.clone(),
                    quantity: charge.quantity.0,
                    unit_price: charge.unit_price.0,
                    tax: Some(tax),
                });
            }
        }
        let usage = self.usage(|leg| lines.contains(&(leg.line as u64 + 1)))?;
        let lines = lines.iter().copied().collect();
        Ok((usage, charges, CreditedPart { lines, calls: Vec::new() }))
    }

    /// The place of a line, by its number.
    fn place(&self, line: u64) -> Result<usize, IssueError> {
        let count = self.invoice.usage.len() + self.invoice.items.len();
        let at = line.checked_sub(1).and_then(|at| usize::try_from(at).ok());
        at.filter(|at| *at < count).ok_or_else(|| {
            refused(
                format!("{} has no line {line}: it has {count}", self.number()),
                format!("`trunkrate invoice show {}` numbers them", self.number()),
            )
        })
    }

    fn calls(
        &self,
        calls: &BTreeSet<String>,
    ) -> Result<(Usage, Vec<Item>, CreditedPart), IssueError> {
        let left: BTreeSet<&str> = self.legs.iter().map(|leg| leg.call_sid.as_str()).collect();
        let gone: Vec<&String> =
            calls.iter().filter(|call| !left.contains(call.as_str())).collect();
        if let Some(first) = gone.first() {
            let more = if gone.len() > 1 {
                format!(" and {} more", gone.len() - 1)
            } else {
                String::new()
            };
            return Err(refused(
                format!(
                    "{first}{more}: {} bills no leg of it that is not credited already",
                    self.number()
                ),
                format!("`trunkrate invoice calls {}` lists what it bills", self.number()),
            ));
        }
        let usage = self.usage(|leg| calls.contains(&leg.call_sid))?;
        let calls = calls.iter().cloned().collect();
        Ok((usage, Vec::new(), CreditedPart { lines: Vec::new(), calls }))
    }

    /// Some of the legs that are left, added up.
    fn usage(&self, wanted: impl Fn(&LineLeg) -> bool) -> Result<Usage, IssueError> {
        let mut legs: Vec<&LineLeg> = self.legs.iter().filter(|leg| wanted(leg)).collect();
        // As they are stored: run by run, the legs of a call one after the other.
        legs.sort_by(|a, b| {
            let key = |leg: &LineLeg| (leg.start, leg.call_sid.clone(), leg.leg);
            (&a.run_id, a.billed < 0, key(a)).cmp(&(&b.run_id, b.billed < 0, key(b)))
        });
        let (mut usage, mut run) = (Usage::default(), "");
        for leg in legs {
            if leg.run_id != run {
                usage.begin_run();
                run = &leg.run_id;
            }
            let key = key_of(&self.invoice.usage[leg.line])
                .expect("its legs were found by the key of the line");
            usage
                .add(&leg.call_sid, time::day(leg.start), key, leg.billed, leg.amount)
                .map_err(LedgerError::of_sum)?;
        }
        Ok(usage)
    }

    fn amount(
        &self,
        amount: Decimal,
        line: Option<u64>,
    ) -> Result<(Usage, Vec<Item>, CreditedPart), IssueError> {
        let minor = self.invoice.minor_unit_decimals;
        if amount.normalize().scale() > minor {
            return Err(refused(
                format!("{amount} {} has more than {minor} decimals", self.invoice.currency),
                "a credit is paid in whole minor units",
            ));
        }
        let (category, rate) = match (line, self.invoice.taxes.as_slice()) {
            (Some(line), _) => {
                let at = self.place(line)?;
                match at.checked_sub(self.invoice.usage.len()) {
                    None => {
                        let line = &self.invoice.usage[at];
                        (line.tax_category, line.tax_rate)
                    }
                    Some(item) => {
                        let item = &self.invoice.items[item];
                        (item.tax_category, item.tax_rate)
                    }
                }
            }
            (None, [group]) => (group.category, group.rate),
            (None, groups) => {
                return Err(refused(
                    format!(
                        "{} has lines of {} taxes: by which of them is the amount credited?",
                        self.number(),
                        groups.len()
                    ),
                    "add --lines with the number of one line: its tax counts",
                ));
            }
        };
        let of = line.map_or_else(String::new, |line| format!(", line {line}"));
        let item = Item {
            description: format!("Credit on invoice {}{of}", self.number()),
            quantity: Decimal::ONE,
            unit_price: amount,
            tax: Some(build::tax_of(&self.invoice, category, rate)),
        };
        Ok((Usage::default(), vec![item], CreditedPart::default()))
    }

    /// Refuses a note over more than what is left, or over nothing.
    fn refuse_more(&self, note: &Document) -> Result<(), IssueError> {
        let currency = &self.invoice.currency;
        for group in &note.taxes {
            let left = self
                .groups
                .iter()
                .find(|left| (left.category, left.rate) == (group.category, group.rate.0))
                .expect("a part has the taxes of its invoice");
            let words = group.category.words();
            for (what, wanted, left) in [
                (format!("{words} {} %", group.rate), group.taxable.0, left.taxable),
                (format!("the tax of {words} {} %", group.rate), group.tax.0, left.tax),
            ] {
                if wanted > left {
                    return Err(refused(
                        format!(
                            "{what}: {wanted} {currency} would be credited, and {left} {currency} \
                             of {} are left",
                            self.number()
                        ),
                        "credit less: no invoice is credited for more than it asked",
                    ));
                }
            }
        }
        if note.totals.total.0 <= Decimal::ZERO {
            return Err(refused(
                format!(
                    "that comes to {} {currency}: there is nothing to credit",
                    note.totals.total
                ),
                "a credit note gives something back",
            ));
        }
        Ok(())
    }
}
