//! Explains the price of a call: each leg from the published row to the rounded amount.
//!
//! **Invariant:** the same functions as in the batch, called one by one; there is no second
//! calculation here.

use crate::deck::{Deck, Hit, Rate};
use crate::intern::Interner;
use crate::money::{LegRule, Overflow, Total};
use crate::party::FewNumbers;
use crate::rating::{Charge, Parties, PlannedLeg, bills, cells, charge, find_rate, plan};
use crate::scenario::Scenario;
use crate::status::Status;
use crate::table::LegCell;
use crate::time::Micros;

/// A call, as far as its price depends on it.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Its scenario.
    pub scenario: Scenario,
    /// A, B and C.
    pub parties: Parties,
    /// Its start.
    pub start: Micros,
    /// Its status.
    pub status: Status,
    /// Seconds from answer to end.
    pub duration_seconds: u32,
    /// The deck that prices it.
    pub deck: &'a Deck,
    /// The rounding of a leg.
    pub rule: LegRule,
    /// Numbers that stand for a withheld caller.
    pub withheld: &'a FewNumbers,
}

/// One leg of the answer.
#[derive(Debug)]
pub struct ExplainedLeg<'a> {
    /// The cell of the published table.
    pub cell: LegCell,
    /// The leg between real parties; `None` if the rated party is no number.
    pub plan: Option<PlannedLeg>,
    /// The row that prices it, and the resulting charge; `None` if the deck has none, or nothing is
    /// billed.
    pub priced: Option<(Hit, &'a Rate, Charge)>,
}

/// The price of a call, with its working.
#[derive(Debug)]
pub struct Answer<'a> {
    /// True if anything is billed: answered, and over 0 s.
    pub bills: bool,
    /// Its legs by the table, even if they are not billed.
    pub legs: Vec<ExplainedLeg<'a>>,
    /// The sum of the legs; `None` if one has no rate (then none is booked).
    pub total: Option<Total>,
}

/// Rates one call and keeps the working.
///
/// # Errors
/// [`Overflow`] if an amount does not fit.
pub fn explain<'a>(question: &Question<'a>, texts: &Interner) -> Result<Answer<'a>, Overflow> {
    let (cells, count) = cells(question.scenario);
    let bills = bills(question.status, question.duration_seconds);
    let mut answer =
        Answer { bills, legs: Vec::with_capacity(count), total: Some(Total::default()) };
    for cell in &cells[..count] {
        let plan = plan(*cell, &question.parties, texts, question.withheld);
        // A free call has its legs by the table but no price: it owes no connection fee either.
        let hit =
            plan.filter(|_| bills).and_then(|leg| find_rate(question.deck, &leg, question.start));
        let priced = match hit {
            None => None,
            Some(hit) => {
                let rate = question.deck.rate(hit);
                Some((hit, rate, charge(rate, question.duration_seconds, question.rule)?))
            }
        };
        match (&mut answer.total, &priced) {
            (Some(total), Some((_, _, charge))) if bills => total.add(charge.amount)?,
            (total, None) if bills => *total = None,
            _ => {}
        }
        answer.legs.push(ExplainedLeg { cell: *cell, plan, priced });
    }
    Ok(answer)
}
