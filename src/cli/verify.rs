//! `verify`: proves the ledger from its stored files alone.

use super::args::{TextFormat, VerifyArgs};
use super::error::CliError;
use super::journal;
use super::json;
use super::project::Project;
use super::term::{self, grouped};
use crate::ledger::verify::{self, Proof};
use crate::money::{AMOUNT_DECIMALS, decimal_text};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Proves every run, and the ledger as a whole. Ends at the first violation.
pub fn run(args: &VerifyArgs, project: &Project) -> Result<(), CliError> {
    let ledger = project.ledger()?;
    if args.sample.is_some() {
        journal::samples();
    }
    let proof = verify::prove(&ledger, args.sample, args.since.as_deref())?;
    for note in &proof.notes {
        term::report("note", note);
    }
    let text = as_text(&proof, args.sample.is_some());
    journal::said(&text);
    match args.format {
        TextFormat::Text => Ok(term::print(&format!("{text}head {}\n", proof.head))?),
        TextFormat::Json => json::print(&as_json(&proof, args.sample.is_some())),
    }
}

/// A proof for scripts.
pub fn as_json(proof: &Proof, sampled: bool) -> Value {
    let amount = |units: &i128| decimal_text(*units, AMOUNT_DECIMALS, 5);
    let amounts: BTreeMap<&String, String> =
        proof.amount.iter().map(|(currency, units)| (currency, amount(units))).collect();
    json!({
        "good": true,
        "sampled": sampled,
        "runs": proof.runs,
        "undone": proof.undone,
        "calls": proof.all_calls,
        "calls_recomputed": proof.calls,
        "legs_recomputed": proof.legs,
        "amount": amounts,
        "waiting": proof.waiting,
        "documents": proof.documents,
        "notes": proof.notes,
        "head": proof.head,
    })
}

/// A proof for people, in one line.
pub fn as_text(proof: &Proof, sampled: bool) -> String {
    let undone = if proof.undone == 0 {
        String::new()
    } else {
        format!(" ({} undone)", grouped(proof.undone as u64))
    };
    let runs = format!(
        "{} {}{undone}",
        grouped(proof.runs as u64),
        if proof.runs == 1 { "run" } else { "runs" }
    );
    let (calls, legs) = (grouped(proof.calls), grouped(proof.legs));
    if sampled {
        let all = grouped(proof.all_calls);
        let legs = if proof.legs == 1 { "1 leg".to_owned() } else { format!("{legs} legs") };
        return format!(
            "good: {runs}; {calls} of {all} calls recomputed ({legs}); no law is broken there\n"
        );
    }
    let waiting = grouped(proof.waiting);
    let documents = match proof.documents {
        0 => String::new(),
        1 => ", 1 invoice".to_owned(),
        many => format!(", {} invoices and credit notes", grouped(many)),
    };
    let sums: Vec<String> = proof
        .amount
        .iter()
        .map(|(currency, sum)| format!("{} {currency}", decimal_text(*sum, AMOUNT_DECIMALS, 5)))
        .collect();
    let sums = if sums.is_empty() { String::new() } else { format!(", {}", sums.join(", ")) };
    format!(
        "good: {runs}, {calls} calls, {legs} legs{sums}, {waiting} waiting{documents}; \
         every law holds\n"
    )
}
