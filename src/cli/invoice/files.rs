//! Documents as files: every format and an index, each file written whole.

use crate::cli::args::invoice::{DocumentFormat, DrawingArgs};
use crate::cli::error::CliError;
use crate::cli::output::{Ready, refuse_ledgers, write_own};
use crate::cli::term::{self, Progress};
use crate::disk::folder::resolved;
use crate::disk::private;
use crate::document::{Document, ItemisedLeg, Kind};
use crate::fit::must_fit;
use crate::inputs::file::FileError;
use crate::invoicing::drafts::Terms;
use crate::ledger::batch::{Batch, Entry};
use crate::ledger::invoices::billed_by::{self, BilledBy, month, month_of};
use crate::ledger::invoices::legs::{self, PART};
use crate::ledger::invoices::lines;
use crate::ledger::{History, Ledger, OWN_FOLDERS};
use crate::partition::spill::{Spill, SpillRoom};
use crate::render::html::Pages;
use crate::render::journal::Head;
use crate::render::pdf::{PRINTED, Printer};
use crate::render::{FormatError, csv, einvoice, journal, json};
use crate::text;
use crate::time::DAY;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

/// Selects documents.
pub enum DocumentSelection<'a> {
    /// Drafts: documents that would be issued.
    Drafts(Vec<Document>),
    /// Issued documents.
    Issued(Vec<(&'a Batch, &'a Entry)>),
}

impl<'a> DocumentSelection<'a> {
    /// The wanted ones of the issued documents.
    pub fn issued(history: &'a History, wanted: impl Fn(&Batch, &Entry) -> bool) -> Self {
        let all = history
            .issued
            .iter()
            .flat_map(|batch| batch.manifest.entries.iter().map(move |entry| (batch, entry)));
        Self::Issued(all.filter(|(batch, entry)| wanted(batch, entry)).collect())
    }

    /// The number of documents.
    pub fn count(&self) -> usize {
        match self {
            Self::Drafts(documents) => documents.len(),
            Self::Issued(entries) => entries.len(),
        }
    }

    /// Passes the documents on in blocks of [`PART`], in the order of their numbers.
    fn each_block(
        self,
        mut then: impl FnMut(usize, Vec<Document>) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        match self {
            Self::Drafts(documents) => documents
                .chunks(PART)
                .enumerate()
                .try_for_each(|(at, block)| then(at, block.to_vec())),
            Self::Issued(entries) => {
                let (mut block, mut at) = (Vec::new(), 0);
                for of_batch in entries.chunk_by(|a, b| std::ptr::eq(a.0, b.0)) {
                    let wanted: BTreeSet<&str> =
                        of_batch.iter().map(|(_, entry)| entry.number.as_str()).collect();
                    of_batch[0].0.each_document(
                        |entry| wanted.contains(entry.number.as_str()),
                        |_, document| {
                            block.push(document);
                            if block.len() == PART {
                                then(at, std::mem::take(&mut block))?;
                                at += 1;
                            }
                            Ok::<_, CliError>(())
                        },
                    )?;
                }
                if block.is_empty() { Ok(()) } else { then(at, block) }
            }
        }
    }

    /// Partitions the legs of these documents into the spill.
    fn deal(&self, history: &History, spill: &Spill) -> Result<(), CliError> {
        let place = |at: usize| -> u32 { must_fit(at, "documents are counted in 32 bits") };
        let claims = BilledBy::of(&history.issued);
        let mut by_number: HashMap<&str, Vec<u32>> = HashMap::new();
        let mut by_account: HashMap<(&str, &str), u32> = HashMap::new();
        // Of credit notes in part: their legs.
        let mut parts: HashMap<u32, HashSet<LegName>> = HashMap::new();
        let mut until = None;
        match self {
            Self::Drafts(documents) => {
                for (at, document) in documents.iter().enumerate() {
                    by_account.insert((&document.buyer.account_sid, &document.currency), place(at));
                    until = until.max(Some(month(&document.period.month)));
                }
            }
            Self::Issued(entries) => {
                for (at, (batch, entry)) in entries.iter().enumerate() {
                    // A credit note shows the legs of its invoice.
                    by_number
                        .entry(entry.corrects.as_ref().unwrap_or(&entry.number))
                        .or_default()
                        .push(place(at));
                    until = until.max(Some(month(&batch.manifest.period)));
                    if entry.part.is_some() {
                        let document = batch.document(&entry.number)?;
                        let own = lines::legs_of(history, (batch, entry), &document, None)?;
                        let names = own
                            .iter()
                            .map(|leg| leg_name(&leg.run_id, &leg.call_sid, leg.leg, leg.billed));
                        parts.insert(place(at), names.collect());
                    }
                }
            }
        }
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        for run in history.all_runs() {
            let id = run.manifest.run_id.as_str();
            // A run that was undone and booked again has the same id and the same legs.
            if !seen.insert(id) {
                continue;
            }
            let is_undone = !history.runs.iter().any(|other| other.manifest.run_id == id);
            legs::each_to_bill(
                run,
                true,
                |day| Some(month_of(day * DAY)) <= until,
                |leg| {
                    let (own, month) = (claims.on(leg.account, leg.currency), month_of(leg.start));
                    for taker in billed_by::billing(own, id, month) {
                        for document in
                            by_number.get(taker.entry.number.as_str()).into_iter().flatten()
                        {
                            let is_of = parts.get(document).is_none_or(|part| {
                                part.contains(&leg_name(id, leg.call_sid, leg.leg, leg.billed))
                            });
                            if !is_of {
                                continue;
                            }
                            legs::deal(spill, *document, &leg)?;
                        }
                    }
                    let draft = by_account.get(&(leg.account, leg.currency));
                    if let Some(document) = draft
                        .filter(|_| !is_undone && billed_by::uncredited(own, id, month).is_none())
                    {
                        legs::deal(spill, *document, &leg)?;
                    }
                    Ok::<_, CliError>(())
                },
            )?;
        }
        Ok(())
    }
}

/// A leg's run, call and number; true if it takes another one back.
type LegName = (String, String, i64, bool);

fn leg_name(run_id: &str, call_sid: &str, leg: i64, billed: i64) -> LegName {
    (run_id.to_owned(), call_sid.to_owned(), leg, billed < 0)
}

/// The settings and renderers that draw documents.
pub struct Drawing {
    formats: Vec<DocumentFormat>,
    pages: Option<Pages>,
    printer: Option<Printer>,
    masked: usize,
    itemised: bool,
}

impl Drawing {
    /// Loads the templates and fonts that the formats need.
    pub fn new(
        args: &DrawingArgs,
        terms: &Terms,
        formats: &[DocumentFormat],
    ) -> Result<Self, CliError> {
        let formats: BTreeSet<DocumentFormat> = formats.iter().copied().collect();
        let (templates, fonts) = (args.templates.as_deref(), args.fonts.as_deref());
        Ok(Self {
            pages: formats
                .contains(&DocumentFormat::Html)
                .then(|| Pages::new(templates))
                .transpose()?,
            printer: formats
                .contains(&DocumentFormat::Pdf)
                .then(|| Printer::new(templates, fonts))
                .transpose()?,
            formats: formats.into_iter().collect(),
            masked: args.mask.unwrap_or(terms.mask_digits),
            itemised: terms.itemised && !args.no_calls,
        })
    }

    /// True if legs are itemised and any of the formats shows them.
    fn needs_legs(&self) -> bool {
        let shows = |format: &DocumentFormat| {
            matches!(format, DocumentFormat::Csv | DocumentFormat::Html | DocumentFormat::Pdf)
        };
        self.itemised && self.formats.iter().any(shows)
    }

    /// Draws a document.
    pub fn draw(
        &self,
        format: DocumentFormat,
        document: &Document,
        legs: Option<&[ItemisedLeg]>,
    ) -> Result<Vec<u8>, FormatError> {
        Ok(match format {
            DocumentFormat::Text => super::text::text(document).into_bytes(),
            DocumentFormat::Json => json::document(document).into_bytes(),
            DocumentFormat::Csv => csv::document(document)?,
            DocumentFormat::Html => self
                .pages
                .as_ref()
                .map(|pages| pages.html(document, legs))
                .transpose()?
                .unwrap_or_default()
                .into(),
            DocumentFormat::Pdf => {
                let e_invoice = if einvoice::lacks(document).is_empty() {
                    Some(einvoice::cii(document)?)
                } else {
                    None
                };
                let printed = self
                    .printer
                    .as_ref()
                    .map(|printer| printer.pdf(document, legs, e_invoice.as_deref()));
                printed.transpose()?.unwrap_or_default()
            }
            DocumentFormat::Ubl => einvoice::ubl(document)?.into_bytes(),
            DocumentFormat::Cii => einvoice::cii(document)?.into_bytes(),
            DocumentFormat::Hledger => {
                (Head::of(document).hledger() + &journal::hledger(document)?).into_bytes()
            }
            DocumentFormat::Beancount => {
                (Head::of(document).beancount() + &journal::beancount(document)?).into_bytes()
            }
        })
    }

    /// All files of a document, by extension; and the details that its e-invoice lacks.
    fn files(
        &self,
        document: &Document,
        legs: Option<&[ItemisedLeg]>,
    ) -> Result<Drawn, FormatError> {
        let asks = document.kind != Kind::Draft
            && self.formats.iter().any(|f| matches!(f, DocumentFormat::Ubl | DocumentFormat::Cii));
        let lacks = if asks { einvoice::lacks(document) } else { Vec::new() };
        let rows = legs.map_or(0, <[_]>::len).max(document.items.len());
        let unprinted = self.printer.is_some() && rows > PRINTED;
        let mut drawn = Drawn { files: Vec::new(), journals: Vec::new(), lacks, unprinted };
        for format in &self.formats {
            let ending = match format {
                DocumentFormat::Text => "txt",
                DocumentFormat::Json => "json",
                DocumentFormat::Csv => "csv",
                DocumentFormat::Html => "html",
                DocumentFormat::Pdf => "pdf",
                DocumentFormat::Ubl | DocumentFormat::Cii if !asks || !drawn.lacks.is_empty() => {
                    continue;
                }
                DocumentFormat::Ubl => "ubl.xml",
                DocumentFormat::Cii => "cii.xml",
                DocumentFormat::Hledger => {
                    drawn.journals.push((*format, journal::hledger(document)?));
                    continue;
                }
                DocumentFormat::Beancount => {
                    drawn.journals.push((*format, journal::beancount(document)?));
                    continue;
                }
            };
            drawn.files.push((ending, self.draw(*format, document, legs)?));
        }
        if let Some(legs) = legs.filter(|_| self.formats.contains(&DocumentFormat::Csv)) {
            drawn.files.push(("calls.csv", csv::calls(legs)?));
        }
        Ok(drawn)
    }
}

/// A document in all formats.
struct Drawn {
    files: Vec<(&'static str, Vec<u8>)>,
    journals: Vec<(DocumentFormat, String)>,
    lacks: Vec<String>,
    /// True if its PDF leaves out single legs or charges because there are too many.
    unprinted: bool,
}

/// The name of a document's files, without an extension: its number, whose characters the
/// configuration allows; a draft's is made of its account and currency.
pub fn stem(document: &Document) -> String {
    match &document.number {
        Some(number) => number.clone(),
        None => {
            format!("draft-{}-{}", text::file_stem(&document.buyer.account_sid), document.currency)
        }
    }
}

/// The legs of one document.
pub fn legs_of(
    history: &History,
    selection: &DocumentSelection<'_>,
    masked: usize,
) -> Result<Vec<ItemisedLeg>, CliError> {
    let parts = Spill::new(1, &SpillRoom::new(ROOM, &std::env::temp_dir()));
    selection.deal(history, &parts)?;
    Ok(legs::dealt(&parts, 0, masked)?.remove(&0).unwrap_or_default())
}

impl Drawing {
    /// The legs of one document, if it shows them.
    pub fn legs(
        &self,
        history: &History,
        selection: &DocumentSelection<'_>,
    ) -> Result<Option<Vec<ItemisedLeg>>, CliError> {
        self.needs_legs().then(|| legs_of(history, selection, self.masked)).transpose()
    }
}

/// The most bytes of legs kept in memory for their documents. The rest spills to the temporary
/// folder, not to the ledger, because readers do not write there. A larger buffer saves nothing:
/// the page cache serves the spill as fast.
const ROOM: usize = 64 << 20;

/// Makes a folder for the files.
pub fn make_folder(out: &Path) -> Result<(), CliError> {
    private::make_folders(out)
        .map_err(|e| CliError::failed(format!("{}: cannot be made: {e}", out.display())))
}

/// Refuses the folders of the ledger: files there would be taken for runs, or deleted.
pub fn refuse_own_folder(ledger: &Ledger, out: &Path) -> Result<(), CliError> {
    let Ok(own) = ledger.folder().canonicalize() else { return Ok(()) };
    let target = resolved(out)?;
    if let Some(folder) =
        OWN_FOLDERS.iter().map(|name| own.join(name)).find(|folder| target.starts_with(folder))
    {
        return Err(CliError::failed(format!(
            "{}: is in the ledger's own folder {}",
            out.display(),
            folder.display()
        ))
        .hint("name a folder of your own"));
    }
    // The folders of any other ledger are refused too.
    Ok(refuse_ledgers(out, &target.join("file"))?)
}

/// Writes all files of all documents into a folder, with an index.
pub fn write_files(
    history: &History,
    selection: DocumentSelection<'_>,
    drawing: &Drawing,
    out: &Path,
) -> Result<WrittenFiles, CliError> {
    make_folder(out)?;
    let before = listed(out);
    let count = selection.count();
    let progress = Progress::counting(count as u64, "documents");
    // What does not fit memory waits in a file without a name, on the disk of these files.
    let parts = Spill::new(count.div_ceil(PART).max(1), &SpillRoom::new(ROOM, out));
    if drawing.needs_legs() {
        selection.deal(history, &parts)?;
    }
    let mut index = Index::new()?;
    let mut journals: BTreeMap<DocumentFormat, Vec<u8>> = BTreeMap::new();
    selection.each_block(|block, documents| {
        let mut legs = if drawing.needs_legs() {
            legs::dealt(&parts, block, drawing.masked)?
        } else {
            HashMap::new()
        };
        let first = block * PART;
        let work: Vec<(Document, Option<Vec<ItemisedLeg>>)> = (first..)
            .zip(documents)
            .map(|(at, document)| {
                let own = legs
                    .remove(&must_fit(at, "documents are counted in 32 bits"))
                    .unwrap_or_default();
                (document, drawing.needs_legs().then_some(own))
            })
            .collect();
        let drawn: Vec<_> = work
            .par_iter()
            .with_max_len(1)
            .map(|(document, legs)| {
                let drawn = drawing.files(document, legs.as_deref())?;
                for (ending, bytes) in &drawn.files {
                    let path = out.join(format!("{}.{ending}", stem(document)));
                    tell_other(&path, bytes);
                    write_own(&path, bytes)?;
                }
                progress.bytes.fetch_add(1, Ordering::Relaxed);
                Ok::<_, CliError>(drawn)
            })
            .collect();
        for ((document, _), drawn) in work.iter().zip(drawn) {
            let drawn = drawn?;
            index.add(document, &drawn)?;
            for (format, text) in drawn.journals {
                journals.entry(format).or_default().extend(text.into_bytes());
            }
        }
        Ok(())
    })?;
    drop(progress);
    for (format, text) in &journals {
        let head = if *format == DocumentFormat::Beancount {
            index.head.beancount()
        } else {
            index.head.hledger()
        };
        write_own(
            &out.join(format!("journal.{format}")),
            &[head.as_bytes(), text.as_slice()].concat(),
        )?;
    }
    let written = index.write(out)?;
    tell_replaced(out, &before);
    Ok(written)
}

/// The numbers in the index of a folder; none if there is no index of ours.
pub fn listed(folder: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(folder.join("index.json")).unwrap_or_else(|_| String::new());
    let rows: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap_or_else(|_| Vec::new());
    rows.iter()
        .filter_map(|row| row["number"].as_str())
        .filter(|number| !number.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Notes the documents that were in a folder's index and journals before and are there no more: an
/// import of the journal would miss them.
pub fn tell_replaced(folder: &Path, before: &BTreeSet<String>) {
    let now = listed(folder);
    let gone: Vec<&String> = before.difference(&now).collect();
    if let Some(first) = gone.first() {
        let (who, folder) = (and_more(first, gone.len()), folder.display());
        term::report(
            "note",
            &format!(
                "{folder}: index and journals hold what was written now, and no more {who}; \
                 `trunkrate invoice write --out DIR` writes all"
            ),
        );
    }
}

/// Copies the files of a folder to temporary names in another one, so that only renames remain.
pub fn ready_files(from: &Path, to: &Path) -> Result<Vec<Ready>, FileError> {
    let failed = |e: std::io::Error| FileError::new(from, format!("cannot be read: {e}"));
    let entries =
        std::fs::read_dir(from).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    let mut files: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    files.sort();
    let ready = |file: &PathBuf| {
        let (name, bytes) = (
            file.file_name().expect("a file in a folder has a name"),
            std::fs::read(file).map_err(failed)?,
        );
        tell_other(&to.join(name), &bytes);
        Ready::own(&to.join(name), &bytes)
    };
    files.iter().map(ready).collect()
}

/// Warns that a document replaces a different one of its number: one of the two ledgers is an older
/// copy.
fn tell_other(path: &Path, bytes: &[u8]) {
    let is_document = path.extension().is_some_and(|ending| ending == "json")
        && path.file_name().is_some_and(|n| n != "index.json");
    let is_draft =
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("draft-"));
    if is_document && !is_draft && std::fs::read(path).is_ok_and(|there| there != bytes) {
        let problem = "held another document of this number, which is replaced: \
                       was the ledger restored from an older copy?";
        term::report("warning", &format!("{}: {problem}", path.display()));
    }
}

/// The index of a folder of documents. It grows as text, so that no small allocations remain for
/// each document.
struct Index {
    csv: ::csv::Writer<Vec<u8>>,
    json: Vec<u8>,
    count: usize,
    head: Head,
    /// The first document without an e-invoice, and their number.
    lacking: (Option<(String, Vec<String>)>, usize),
    /// The first document whose PDF leaves out legs or charges, and their number.
    unprinted: (Option<String>, usize),
}

const INDEX: [&str; 9] =
    ["number", "kind", "account_sid", "name", "period", "net", "tax", "total", "currency"];

impl Index {
    fn new() -> Result<Self, CliError> {
        let mut csv = ::csv::Writer::from_writer(Vec::new());
        csv.write_record(INDEX)?;
        Ok(Self {
            csv,
            json: vec![b'['],
            count: 0,
            head: Head::default(),
            lacking: (None, 0),
            unprinted: (None, 0),
        })
    }

    fn add(&mut self, document: &Document, drawn: &Drawn) -> Result<(), CliError> {
        let kind = serde_json::to_value(document.kind)?;
        let t = &document.totals;
        let row = [
            document.number.clone().unwrap_or_else(|| stem(document)),
            kind.as_str().unwrap_or_default().to_owned(),
            document.buyer.account_sid.clone(),
            document.buyer.party.name.clone(),
            document.period.month.clone(),
            signed(&t.net.to_string(), document.is_credit()),
            signed(&t.tax.to_string(), document.is_credit()),
            signed(&t.total.to_string(), document.is_credit()),
            document.currency.clone(),
        ];
        self.csv.write_record(row.each_ref().map(|text| text::cell(text).into_owned()))?;
        let object: serde_json::Map<_, _> =
            INDEX.iter().zip(row).map(|(name, value)| ((*name).to_owned(), value.into())).collect();
        self.json.extend_from_slice(if self.count == 0 { b"\n  " } else { b",\n  " });
        serde_json::to_writer(&mut self.json, &object)?;
        self.count += 1;
        if !drawn.journals.is_empty() {
            self.head.add(document);
        }
        if drawn.unprinted {
            self.unprinted.0.get_or_insert_with(|| stem(document));
            self.unprinted.1 += 1;
        }
        if !drawn.lacks.is_empty() {
            self.lacking.0.get_or_insert_with(|| (stem(document), drawn.lacks.clone()));
            self.lacking.1 += 1;
        }
        Ok(())
    }

    fn write(self, out: &Path) -> Result<WrittenFiles, CliError> {
        let csv = self.csv.into_inner().map_err(|e| CliError::failed(e.to_string()))?;
        write_own(&out.join("index.csv"), &csv)?;
        write_own(&out.join("index.json"), &[self.json.as_slice(), b"\n]\n"].concat())?;
        Ok(WrittenFiles { count: self.count, lacking: self.lacking, unprinted: self.unprinted })
    }
}

/// A summary of the files written, and of those left out.
#[must_use = "the user is told what was written"]
pub struct WrittenFiles {
    count: usize,
    lacking: (Option<(String, Vec<String>)>, usize),
    unprinted: (Option<String>, usize),
}

impl WrittenFiles {
    /// Prints the summary on stderr, naming the folder of the files.
    pub fn tell(&self, folder: &Path) {
        let (count, folder) = (self.count, folder.display());
        term::report(
            "note",
            &format!("{folder}: {count} documents, with index.csv and index.json"),
        );
        if let (Some((first, lacks)), count) = &self.lacking {
            tell_lacks(first, *count, lacks);
        }
        if let (Some(first), count) = &self.unprinted {
            let who = and_more(first, *count);
            let why = format!(
                "{who}: more than {PRINTED} itemised legs or charges, \
                 which stand in HTML and CSV one by one, not in the PDF"
            );
            term::report("note", &why);
        }
    }
}

/// An amount in a list. A credit note's is negative, so that a column can be added up.
pub fn signed(amount: &str, is_credit: bool) -> String {
    let is_zero = amount.bytes().all(|b| matches!(b, b'0' | b'.'));
    if is_credit && !is_zero { format!("-{amount}") } else { amount.to_owned() }
}

fn and_more(first: &str, count: usize) -> String {
    if count > 1 { format!("{first} and {} more", count - 1) } else { first.to_owned() }
}

/// Notes the number of documents without an e-invoice, and the details that the first one lacks.
pub fn tell_lacks(first: &str, count: usize, lacks: &[String]) {
    term::report(
        "note",
        &format!("no e-invoice for {}: {}", and_more(first, count), lacks.join("; ")),
    );
}
