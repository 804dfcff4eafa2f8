//! Proves that issued documents are as they were issued, and that invoices bill the legs that they
//! name: each leg once.
//!
//! The legs are read again and added up here, independently of the code that made the invoices: by
//! document, and line by line.

use super::credits;
use super::part::wrong;
use crate::disk::folder::entries;
use crate::document::usage::billed_minutes;
use crate::document::{Document, Exact, UsageLine};
use crate::ledger::batch::{Batch, BatchKind, DOCUMENTS, Entry, MANIFEST};
use crate::ledger::error::LedgerError;
use crate::ledger::history::History;
use crate::ledger::invoices::billed_by::{self, BilledBy, month, month_of, month_text};
use crate::ledger::invoices::legs;
use crate::ledger::manifest::StoredFile;
use crate::ledger::tables::file::hash_file;
use crate::money::{AMOUNT_DECIMALS, PRICE_DECIMALS};
use crate::time::DAY;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The key of a line, common to its legs: the earlier month, scenario, service, destination, price
/// and fee.
type DocumentKey = (Option<String>, String, String, String, i64, i64);

/// Sums of legs.
#[derive(Default)]
struct DocumentSums {
    lines: BTreeMap<DocumentKey, DocumentSum>,
    days: BTreeMap<i64, i128>,
    runs: BTreeSet<String>,
}

#[derive(Default, PartialEq, Eq)]
struct DocumentSum {
    legs: u64,
    seconds: i64,
    amount: i128,
}

/// Proves all batches; returns the number of documents. Without `with_legs` the legs are not read.
pub(crate) fn prove(history: &History, with_legs: bool) -> Result<u64, LedgerError> {
    let mut documents = 0;
    for batch in &history.issued {
        files(batch)?;
        documents += batch.manifest.entries.len() as u64;
    }
    let sums = if with_legs { billed(history)? } else { HashMap::new() };
    for batch in &history.issued {
        batch.each_document(
            |_| true,
            |entry, document| {
                let path = batch.folder.join(DOCUMENTS);
                let wrong = |what: String| wrong(&path, format!("{}: {what}", entry.number));
                document.check().map_err(|e| wrong(e.to_string()))?;
                is_of_entry(batch, entry, &document).map_err(&wrong)?;
                match &entry.corrects {
                    Some(_) if entry.part.is_some() => {
                        credits::prove(history, (batch, entry), &document, with_legs)
                    }
                    Some(number) => mirrors(history, batch, number, &document),
                    None if with_legs => {
                        let nothing = DocumentSums::default();
                        bills(
                            batch,
                            entry,
                            &document,
                            sums.get(entry.number.as_str()).unwrap_or(&nothing),
                        )
                        .map_err(wrong)
                    }
                    None => Ok(()),
                }
            },
        )?;
        if with_legs {
            runs_are_counted(batch, &sums)?;
        }
    }
    Ok(documents)
}

/// Checks that the files of a batch are as they were written, and that there are no others.
fn files(batch: &Batch) -> Result<(), LedgerError> {
    for StoredFile { path, bytes, blake3, .. } in &batch.manifest.files {
        let path = batch.folder.join(path);
        let (found, hash) = hash_file(&path)?;
        if found != *bytes || hash != *blake3 {
            return Err(wrong(
                &path,
                format!(
                    "is not as it was written: {found} bytes, BLAKE3 {hash}; \
                     expected {bytes}, {blake3}"
                ),
            ));
        }
    }
    let names: Vec<&str> = batch.manifest.files.iter().map(|file| file.path.as_str()).collect();
    let (folders, files) = entries(&batch.folder)?;
    let stray = |path: &&std::path::PathBuf| {
        path.file_name().is_none_or(|name| *name != *DOCUMENTS && *name != *MANIFEST)
    };
    match folders.iter().chain(files.iter().filter(stray)).min() {
        Some(path) => Err(wrong(path, "the batch does not know this file")),
        None if names != [DOCUMENTS] => {
            Err(wrong(&batch.folder.join(MANIFEST), format!("names the files {names:?}")))
        }
        None => Ok(()),
    }
}

/// Checks that a document agrees with its entry in the manifest.
fn is_of_entry(batch: &Batch, entry: &Entry, document: &Document) -> Result<(), String> {
    let (m, t) = (&batch.manifest, &document.totals);
    let exact = |value: Exact| value.to_string();
    let pairs = [
        ("number", entry.number.clone(), document.number.as_deref().unwrap_or("").to_owned()),
        ("account", entry.account_sid.clone(), document.buyer.account_sid.clone()),
        ("currency", entry.currency.clone(), document.currency.clone()),
        ("usage", entry.usage.clone(), exact(t.usage)),
        ("net", entry.net.clone(), exact(t.net)),
        ("tax", entry.tax.clone(), exact(t.tax)),
        ("total", entry.total.clone(), exact(t.total)),
        ("legs", entry.legs.to_string(), document.legs.to_string()),
        ("number of items", entry.items.to_string(), document.items.len().to_string()),
        ("date", m.date.clone(), document.issue_date.clone()),
        ("period", m.period.clone(), document.period.month.clone()),
        ("seller", m.seller.clone(), document.seller.id.clone()),
        (
            "corrects",
            entry.corrects.as_deref().unwrap_or("").to_owned(),
            document.corrects.as_ref().map_or("", |c| &c.number).to_owned(),
        ),
        (
            "kind",
            format!("{:?}", m.kind == BatchKind::Credit),
            format!("{:?}", document.is_credit()),
        ),
    ];
    match pairs.into_iter().find(|(_, stated, found)| stated != found) {
        Some((what, stated, found)) => {
            Err(format!("its {what} is {found}; the manifest says {stated}"))
        }
        None => Ok(()),
    }
}

/// Checks that a credit note takes back an earlier invoice, whole, and once.
fn mirrors(
    history: &History,
    batch: &Batch,
    number: &str,
    note: &Document,
) -> Result<(), LedgerError> {
    let path = batch.folder.join(DOCUMENTS);
    let own = note.number.as_deref().unwrap_or("");
    let before =
        history.issued.iter().take_while(|other| other.manifest.sequence < batch.manifest.sequence);
    let mut found = false;
    for other in before {
        if other.manifest.entries.iter().any(|entry| entry.corrects.as_deref() == Some(number)) {
            return Err(wrong(&path, format!("{own}: {number} was credited before")));
        }
        other.each_document(
            |entry| entry.number == number && entry.corrects.is_none(),
            |_, invoice| {
                found = true;
                let same = |d: &Document| {
                    (
                        d.usage.clone(),
                        d.items.clone(),
                        d.taxes.clone(),
                        d.totals.clone(),
                        d.days.clone(),
                        d.buyer.clone(),
                    )
                };
                if same(&invoice) == same(note) {
                    return Ok(());
                }
                Err(wrong(&path, format!("{own}: is not what {number} is")))
            },
        )?;
    }
    if found {
        Ok(())
    } else {
        Err(wrong(&path, format!("{own}: credits {number}, which was not issued before it")))
    }
}

/// The legs of all invoices, added up by their numbers.
fn billed(history: &History) -> Result<HashMap<String, DocumentSums>, LedgerError> {
    let claims = BilledBy::of(&history.issued);
    let mut sums: HashMap<String, DocumentSums> = HashMap::new();
    if history.issued.is_empty() {
        return Ok(sums);
    }
    let until = history.issued.iter().map(|batch| month(&batch.manifest.period)).max();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    // Runs that count come first: a night that was undone and rated again has the same name and the
    // same legs.
    for run in history.all_runs() {
        let id = run.manifest.run_id.as_str();
        if !seen.insert(id) {
            continue;
        }
        legs::each(
            run,
            false,
            |day| Some(month_of(day * DAY)) <= until,
            |leg| {
                let own = month_of(leg.start);
                for taker in billed_by::billing(claims.on(leg.account, leg.currency), id, own) {
                    let late = (own < month(&taker.batch.manifest.period)).then(|| month_text(own));
                    let (scenario, service, description) =
                        (leg.scenario, leg.service, leg.description);
                    let key = (
                        late,
                        scenario.into(),
                        service.into(),
                        description.into(),
                        leg.price.units(),
                        leg.fee.units(),
                    );
                    if !sums.contains_key(&taker.entry.number) {
                        sums.insert(taker.entry.number.clone(), DocumentSums::default());
                    }
                    let of = sums.get_mut(&taker.entry.number).expect("it was put there");
                    let line = of.lines.entry(key).or_default();
                    line.legs += 1;
                    line.seconds += leg.billed;
                    line.amount += i128::from(leg.amount.units());
                    *of.days.entry(leg.start.div_euclid(DAY)).or_default() +=
                        i128::from(leg.amount.units());
                    if !of.runs.contains(id) {
                        of.runs.insert(id.to_owned());
                    }
                }
                Ok::<_, LedgerError>(())
            },
        )?;
    }
    Ok(sums)
}

/// Checks that the lines of an invoice are the sums of its legs, and that its runs are those of the
/// legs.
fn bills(
    batch: &Batch,
    entry: &Entry,
    document: &Document,
    sums: &DocumentSums,
) -> Result<(), String> {
    let scaled = |value: Exact, decimals: u32| {
        let mut value: Decimal = value.0;
        value.rescale(decimals);
        value.mantissa()
    };
    let mut stated: BTreeMap<DocumentKey, DocumentSum> = BTreeMap::new();
    for line in &document.usage {
        let UsageLine { late, scenario, service, description, .. } = line;
        let [price, fee] = [line.price_per_minute, line.connection_fee]
            .map(|v| i64::try_from(scaled(v, PRICE_DECIMALS)).unwrap_or(-1));
        let key =
            (late.clone(), scenario.clone(), service.clone(), description.clone(), price, fee);
        let seconds = line.billed_seconds;
        let sum =
            DocumentSum { legs: line.legs, seconds, amount: scaled(line.amount, AMOUNT_DECIMALS) };
        if line.billed_minutes != billed_minutes(seconds) {
            return Err(format!(
                "{} seconds are not {} minutes",
                line.billed_seconds, line.billed_minutes
            ));
        }
        if stated.insert(key, sum).is_some() {
            return Err(format!("has two lines for {description} at {}", line.price_per_minute));
        }
    }
    let shown = |sum: Option<&DocumentSum>| {
        sum.map_or("none".to_owned(), |s| {
            format!("{} legs, {} s, {}e-8", s.legs, s.seconds, s.amount)
        })
    };
    // Legs that take one another back are on no line: a leg that bills has seconds.
    let expected =
        |key: &DocumentKey| sums.lines.get(key).filter(|sum| (sum.seconds, sum.amount) != (0, 0));
    let keys: BTreeSet<&DocumentKey> = stated.keys().chain(sums.lines.keys()).collect();
    if let Some(key) = keys.into_iter().find(|key| stated.get(*key) != expected(key)) {
        let (found, expected) = (shown(stated.get(key)), shown(expected(key)));
        return Err(format!(
            "the line {} {} {} says {found}; its legs are {expected}",
            key.1, key.2, key.3
        ));
    }
    let days =
        document.days.iter().map(|day| (day.date.clone(), scaled(day.amount, AMOUNT_DECIMALS)));
    let found = sums.days.iter().map(|(day, amount)| (crate::time::date_text(day * DAY), *amount));
    if !days.eq(found) {
        return Err("its days are not those of its legs".to_owned());
    }
    let runs: BTreeSet<&str> = entry
        .runs
        .iter()
        .filter_map(|at| batch.manifest.runs.get(*at))
        .map(|run| run.run_id.as_str())
        .collect();
    if runs != sums.runs.iter().map(String::as_str).collect() || runs.len() != entry.runs.len() {
        return Err(format!("says that it bills runs {runs:?}; its legs are in {:?}", sums.runs));
    }
    Ok(())
}

/// Checks that a batch's counts of its runs' legs are what its invoices bill.
fn runs_are_counted(
    batch: &Batch,
    sums: &HashMap<String, DocumentSums>,
) -> Result<(), LedgerError> {
    if batch.manifest.kind == BatchKind::Credit {
        return Ok(());
    }
    let legs = |entry: &Entry| {
        sums.get(&entry.number)
            .map_or(0, |sums| sums.lines.values().map(|line| line.legs).sum::<u64>())
    };
    let found: u64 = batch.manifest.entries.iter().map(legs).sum();
    let stated: u64 = batch.manifest.runs.iter().flat_map(|run| run.legs.values()).sum();
    if found == stated {
        return Ok(());
    }
    Err(wrong(
        &batch.folder.join(MANIFEST),
        format!("says that it bills {stated} legs; its invoices bill {found}"),
    ))
}
