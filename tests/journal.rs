//! Journals, held to `hledger check --strict` and to beancount itself.

use crate::einvoice::{python, script};
use crate::random_documents;
use crate::support::Night;
use rust_decimal::Decimal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};
use trunkrate::document::{Document, Kind, build};
use trunkrate::render::journal::{self, Head};

/// Random invoices and credit notes, hostile names among them, in the order of their dates.
fn documents() -> Vec<Document> {
    let all = (2_000_000..)
        .map(|seed| random_documents::document(seed).0)
        .filter(|document| document.kind != Kind::Draft);
    let mut documents: Vec<Document> = all.take(400).collect();
    documents.sort_by(|a, b| a.issue_date.cmp(&b.issue_date));
    let hostile =
        documents.iter().filter(|document| !document.buyer.account_sid.starts_with("AC0")).count();
    let credits = documents.iter().filter(|document| document.is_credit()).count();
    assert!(hostile > 20 && credits > 40, "{hostile} {credits}");
    documents
}

fn head<'a>(documents: impl IntoIterator<Item = &'a Document>) -> Head {
    let mut head = Head::default();
    documents.into_iter().for_each(|document| head.add(document));
    head
}

fn hledger_journal(documents: &[Document]) -> String {
    let all = documents.iter().map(|document| journal::hledger(document).expect("a transaction"));
    head(documents).hledger() + &all.collect::<String>()
}

fn beancount_ledger(documents: &[Document]) -> String {
    let all = documents.iter().map(|document| journal::beancount(document).expect("a transaction"));
    head(documents).beancount() + &all.collect::<String>()
}

/// What all documents ask for, less what they credit, by currency.
fn receivables(documents: &[Document]) -> BTreeMap<String, Decimal> {
    let mut sums = BTreeMap::new();
    for document in documents {
        let total = document.totals.total.0;
        *sums.entry(document.currency.clone()).or_default() +=
            if document.is_credit() { -total } else { total };
    }
    sums
}

fn hledger(file: &Path, args: &[&str]) -> Output {
    let run =
        Command::new("hledger").arg("-f").arg(file).args(args).env("LC_ALL", "C.UTF-8").output();
    run.unwrap_or_else(|e| panic!("hledger does not run ({e}): run `make validators`"))
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn hledger_takes_the_journal_and_has_the_documents_totals() {
    let (night, documents) = (Night::new(), documents());
    let file = night.file("all.journal", hledger_journal(&documents));
    for check in [&["check", "--strict"][..], &["check", "ordereddates", "uniqueleafnames"]] {
        let checked = hledger(&file, check);
        assert!(checked.status.success(), "{check:?}: {}", stderr(&checked));
    }
    let count = hledger(&file, &["stats"]);
    let transactions = format!(": {} (", documents.len());
    assert!(
        String::from_utf8_lossy(&count.stdout).contains(&transactions),
        "{}",
        String::from_utf8_lossy(&count.stdout)
    );
    let balance =
        hledger(&file, &["balance", "Assets:Receivable", "--depth", "2", "-N", "-O", "json"]);
    let balance: Value = serde_json::from_slice(&balance.stdout).expect("JSON");
    let mut found = BTreeMap::new();
    for amount in balance[0][0][3].as_array().expect("amounts") {
        let quantity = &amount["aquantity"];
        let places =
            u32::try_from(quantity["decimalPlaces"].as_u64().expect("places")).expect("few");
        let sum = Decimal::new(quantity["decimalMantissa"].as_i64().expect("a mantissa"), places);
        found.insert(amount["acommodity"].as_str().expect("a currency").to_owned(), sum);
    }
    let mut expected = receivables(&documents);
    expected.retain(|_, sum| !sum.is_zero());
    assert_eq!(found, expected);
}

#[test]
fn hledger_finds_what_is_wrong() {
    let (night, documents) = (Night::new(), &documents()[..20]);
    let good = hledger_journal(documents);
    let total = format!(
        "EUR {}",
        documents.iter().find(|d| d.currency == "EUR").expect("one").totals.total
    );
    let without_accounts =
        good.lines().filter(|line| !line.starts_with("account ")).map(|line| format!("{line}\n"));
    for (name, text) in [
        ("a total", good.replacen(&total, "EUR 123456789.01", 1)),
        ("accounts", without_accounts.collect::<String>()),
    ] {
        assert_ne!(text, good, "{name} was changed");
        let file = night.file("wrong.journal", text);
        assert!(!hledger(&file, &["check", "--strict"]).status.success(), "{name}");
    }
}

#[test]
fn beancount_takes_the_ledger_and_has_the_documents_totals() {
    let (night, documents) = (Night::new(), documents());
    let loaded = |text: String| {
        let file = night.file("all.beancount", text);
        let output =
            Command::new(python()).arg(script("journal.py")).arg(file).output().expect("it runs");
        let result: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|e| panic!("{e}: {}", stderr(&output)));
        (output.status.code(), result)
    };
    let good = beancount_ledger(&documents);
    let (code, result) = loaded(good.clone());
    assert_eq!((code, &result["errors"]), (Some(0), &Value::Array(vec![])));
    assert_eq!(result["transactions"], documents.len());
    let sums = result["sums"].as_object().expect("sums");
    let mut all: BTreeMap<String, Decimal> = BTreeMap::new();
    let mut found = BTreeMap::new();
    for (name, sum) in sums {
        let (account, currency) = name.split_once(' ').expect("account and currency");
        let sum = Decimal::from_str_exact(sum.as_str().expect("a text")).expect("a decimal");
        *all.entry(currency.to_owned()).or_default() += sum;
        if account == "Assets:Receivable" {
            found.insert(currency.to_owned(), sum);
        }
    }
    assert_eq!(found, receivables(&documents));
    assert!(all.values().all(Decimal::is_zero), "{all:?}");
    // And it finds what is wrong.
    let total = documents.iter().find(|d| d.currency == "EUR").expect("one").totals.total;
    let wrong = good.replacen(&format!(" {total} EUR"), " 123456789.01 EUR", 1);
    assert_ne!(wrong, good);
    assert_eq!(loaded(wrong).0, Some(1));
    assert_eq!(loaded(good.replacen(" open Income:Rounding", " open Income:Other", 1)).0, Some(1));
}

#[test]
fn a_transaction_reads_like_this() {
    let document = crate::einvoice::an_invoice();
    let credit = build::credit_note(
        &document,
        "CN-2026-000001".into(),
        "2026-12-20".into(),
        "wrong price list".into(),
    );
    let both = [&document, &credit];
    let hledger = both.map(|document| journal::hledger(document).expect("a transaction")).concat();
    let beancount =
        both.map(|document| journal::beancount(document).expect("a transaction")).concat();
    insta::assert_snapshot!(head(both).hledger() + &hledger + &head(both).beancount() + &beancount);
}
