//! `suspense`: lists the suspended records, their age and their reasons.

use super::pick::Picked;
use super::rows::{age, as_json, days_text, fields, texts};
use crate::advice;
use crate::cli::args::TableFormat;
use crate::cli::args::suspense::SuspenseList;
use crate::cli::cells::{CellArgs, Cells};
use crate::cli::error::CliError;
use crate::cli::json::{self, Escaped};
use crate::cli::output::Whole;
use crate::cli::project::Project;
use crate::cli::term;
use crate::ledger::tables::columns::SUSPENSE_COLUMNS;
use crate::ledger::tables::read;
use crate::ledger::tables::suspense::SuspenseRow;
use crate::ledger::{Dataset, History, Ledger};
use crate::money::Total;
use crate::reject::Reason;
use crate::report::causes::{ByCause, CauseLine, about, calls, sum_of};
use crate::report::waiting_causes;
use crate::text::{escaped, visible};
use crate::time::Micros;
use serde::Serializer;
use serde::ser::SerializeSeq;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufWriter, Write};
use std::path::Path;

pub fn list(args: &SuspenseList, project: &Project) -> Result<(), CliError> {
    let ledger = project.ledger()?;
    let history = ledger.history()?;
    let newest = history.newest_start();
    let picked = Picked::of(&args.picks, &args.reason, (project, &ledger, &history))?;
    let is_listed = |row: &SuspenseRow| {
        args.source.as_ref().is_none_or(|source| row.source_file == *source)
            && args.older_than.is_none_or(|days| age(row, newest).is_some_and(|age| age > days))
    };
    let lists =
        args.all || args.counts || args.export.is_some() || args.format != TableFormat::Table;
    if args.by_cause || !lists {
        // All are diagnosed: the parent of a wanted record may be an unwanted one.
        let mut by_cause = ByCause::new(newest);
        waiting_causes::each_diagnosed(&ledger, &history, |found| {
            let is_wanted = picked.has(found.row, &found.diagnosis.cause) && is_listed(found.row);
            if is_wanted { found.add_to(&mut by_cause) } else { Ok(()) }
        })?;
        return print_causes(&waiting_causes::lines(by_cause)?, args.format, args.cells);
    }
    let each =
        |then: EachRecord<'_>| {
            each_picked(&picked, (&ledger, &history), |row| {
                if is_listed(row) { then(row) } else { Ok(()) }
            })
        };
    if let Some(path) = &args.export {
        return export(path, each);
    }
    if args.counts {
        let mut counts = Counts::new();
        each(&mut |row| {
            count(&mut counts, row, newest);
            Ok(())
        })?;
        return print_counts(&counts, args.format, args.cells);
    }
    match args.format {
        TableFormat::Table => term::print(&as_table(each, newest)?)?,
        TableFormat::Csv => {
            let mut cells = Cells::new(
                std::io::stdout().lock(),
                args.cells,
                SUSPENSE_COLUMNS.into_iter().chain(["age_days"]),
            )?;
            each(&mut |row| {
                Ok(cells.row(texts(row).iter().chain(&[days_text(age(row, newest))]))?)
            })?;
            cells.finish()?;
        }
        TableFormat::Json => {
            let mut out = Escaped(BufWriter::new(std::io::stdout().lock()));
            let mut json = serde_json::Serializer::pretty(&mut out);
            let mut list = json.serialize_seq(None)?;
            each(&mut |row| Ok(list.serialize_element(&as_json(row, newest))?))?;
            list.end()?;
            out.write_all(b"\n")?;
            out.flush()?;
        }
        TableFormat::Jsonl => {
            let mut out = BufWriter::new(std::io::stdout().lock());
            each(&mut |row| Ok(out.write_all(json::line(&as_json(row, newest))?.as_bytes())?))?;
            out.flush()?;
        }
    }
    Ok(())
}

/// Calls `then` for the picked records.
///
/// # Errors
/// If they cannot be read, or `then` fails.
pub fn each_picked(
    picked: &Picked,
    (ledger, history): (&Ledger, &History),
    mut then: impl FnMut(&SuspenseRow) -> Result<(), CliError>,
) -> Result<(), CliError> {
    if picked.asks_cause() {
        return waiting_causes::each_diagnosed(ledger, history, |found| {
            if picked.has(found.row, &found.diagnosis.cause) { then(found.row) } else { Ok(()) }
        });
    }
    let Some(run) = history.runs.last() else { return Ok(()) };
    read::each_suspended(run, Dataset::Suspense, |rows| {
        rows.iter().filter(|row| picked.has_row(row)).try_for_each(&mut then)
    })
}

/// The action on each wanted record.
type EachRecord<'a> = &'a mut dyn FnMut(&SuspenseRow) -> Result<(), CliError>;

/// Prints the suspended records by reason.
fn print_counts(counts: &Counts, format: TableFormat, cells: CellArgs) -> Result<(), CliError> {
    match format {
        TableFormat::Table => term::print(&counts_table(counts))?,
        TableFormat::Csv => {
            let mut cells = Cells::new(
                std::io::stdout().lock(),
                cells,
                ["reason", "records", "seconds", "oldest_days"],
            )?;
            for (reason, count) in counts.values() {
                cells.row([
                    reason,
                    &count.records.to_string(),
                    &count.seconds.to_string(),
                    &count.days_text(),
                ])?;
            }
            cells.finish()?;
        }
        TableFormat::Json | TableFormat::Jsonl => {
            let object = |(reason, count): &(String, WaitingLine)| {
                json!({
                    "reason": reason,
                    "records": count.records,
                    "seconds": count.seconds,
                    "oldest_days": count.oldest,
                })
            };
            json::print_list(format, &counts.values().map(object).collect::<Vec<Value>>())?;
        }
    }
    Ok(())
}

/// Prints the suspended records by cause.
fn print_causes(lines: &[CauseLine], format: TableFormat, cells: CellArgs) -> Result<(), CliError> {
    match format {
        TableFormat::Table => Ok(term::print(&causes_text(lines))?),
        TableFormat::Json | TableFormat::Jsonl => json::print_list(format, lines),
        TableFormat::Csv => {
            let mut cells = Cells::new(std::io::stdout().lock(), cells, CAUSE_COLUMNS)?;
            for line in lines {
                let estimate: Vec<String> =
                    line.estimate.iter().map(|m| format!("{} {}", m.amount, m.currency)).collect();
                let counts =
                    [line.calls, line.count.records, line.count.seconds, line.estimated_calls];
                let [calls, records, seconds, estimated] = counts.map(|count| count.to_string());
                let (start, estimate) =
                    (line.first_start.clone().unwrap_or_default(), estimate.join("; "));
                let [cause, reason, words, what_to_do] =
                    [&line.cause, &line.reason, &line.words, &line.what_to_do];
                cells.row([
                    cause, reason, words, &calls, &records, &seconds, &start, &estimate,
                    &estimated, what_to_do,
                ])?;
            }
            Ok(cells.finish()?)
        }
    }
}

const CAUSE_COLUMNS: [&str; 10] = [
    "cause",
    "reason",
    "words",
    "calls",
    "records",
    "seconds",
    "first_start",
    "estimate",
    "estimated_calls",
    "what_to_do",
];

/// The causes as text: for each a sentence, the basis of its estimate, some of its records, and
/// advice.
fn causes_text(lines: &[CauseLine]) -> String {
    if lines.is_empty() {
        return "nothing waits\n".to_owned();
    }
    let text: String = lines.iter().map(|line| cause_text(line) + "\n").collect();
    let records: u64 = lines.iter().map(|line| line.count.records).sum();
    let (waits, causes) = match (records, lines.len()) {
        (1, _) => ("1 record waits".to_owned(), String::new()),
        (_, 1) => {
            (format!("{} records wait", term::grouped(records)), ", for one cause".to_owned())
        }
        (_, causes) => {
            (format!("{} records wait", term::grouped(records)), format!(", for {causes} causes"))
        }
    };
    let estimate = estimate_of_all(lines);
    text + &format!("{waits}{causes}{estimate}; `trunkrate suspense --all` lists them one by one\n")
}

/// The estimates of several causes together: `, about 12.30 USD for 20 of 23 calls`.
fn estimate_of_all(lines: &[CauseLine]) -> String {
    let estimated: u64 = lines.iter().map(|line| line.estimated_calls).sum();
    if lines.len() < 2 || estimated == 0 {
        return String::new();
    }
    let sums = sum_of(lines).expect("estimates are far from 128 bits");
    let all = calls(lines.iter().map(|line| line.calls).sum());
    format!(", {} for {estimated} of {all}", about(&sums, estimated, estimated))
}

/// A cause as text.
fn cause_text(line: &CauseLine) -> String {
    let names = line.samples.iter().map(|sample| match sample.call_sid.as_str() {
        "" => format!("{}:{}", sample.source_file, sample.source_line),
        sid => sid.to_owned(),
    });
    let mut names: Vec<String> = names.collect();
    names.dedup();
    let more = if line.calls > names.len() as u64 { " …" } else { "" };
    let mut text = format!("{}\n", term::heading(&visible(&line.sentence())));
    text += &term::labelled("  cause       ", &visible(&line.cause));
    if !line.basis.is_empty() && line.estimate.iter().any(|money| money.amount != Total::default())
    {
        text += &term::labelled("  estimate    ", &line.basis.join("; "));
    }
    text += &term::labelled("  calls       ", &format!("{}{more}", visible(&names.join(", "))));
    text + &term::labelled("  what to do  ", &visible(&line.what_to_do))
}

/// Totals of the suspended records of one reason.
#[derive(Debug, Clone, Copy, Default)]
struct WaitingLine {
    records: u64,
    seconds: u64,
    oldest: Option<i64>,
}

impl WaitingLine {
    fn days_text(&self) -> String {
        days_text(self.oldest)
    }
}

/// Totals by reason, in the order of reasons.
type Counts = BTreeMap<Option<Reason>, (String, WaitingLine)>;

fn count(counts: &mut Counts, row: &SuspenseRow, newest: Option<Micros>) {
    let (_, count) = counts
        .entry(Reason::parse(&row.reason))
        .or_insert_with(|| (row.reason.clone(), WaitingLine::default()));
    count.records += 1;
    count.seconds += u64::from(row.seconds);
    count.oldest = count.oldest.max(age(row, newest));
}

/// Writes the records as JSON Lines: a JSON record as it came, any other as an object of its
/// fields. Malformed records are left out, with a note.
fn export(
    path: &Path,
    each: impl FnOnce(EachRecord<'_>) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let failed =
        |e: std::io::Error| CliError::failed(format!("{}: cannot be written: {e}", path.display()));
    let (mut left_out, mut written) = (0_u64, 0_u64);
    let mut stdout = BufWriter::new(std::io::stdout().lock());
    let to_stdout = path == Path::new("-");
    // The file is made at the first record: without one, an existing file stays.
    let mut file: Option<BufWriter<Whole>> = None;
    each(&mut |row| {
        let Some(line) = as_line(row) else {
            left_out += 1;
            return Ok(());
        };
        written += 1;
        let line = if to_stdout { escaped(&line) } else { Cow::Borrowed(&*line) };
        let out: &mut dyn Write = match &mut file {
            _ if to_stdout => &mut stdout,
            Some(file) => file,
            none => none.insert(BufWriter::new(Whole::create(path)?)),
        };
        out.write_all(line.as_bytes()).and_then(|()| out.write_all(b"\n")).map_err(failed)
    })?;
    if left_out > 0 {
        let many = if left_out == 1 {
            "record is no record of fields and was"
        } else {
            "records are no records of fields and were"
        };
        term::report(
            "note",
            &format!(
                "{left_out} {many} left out; `suspense --reason malformed-record --format json` \
                 has the text"
            ),
        );
    }
    if written == 0 {
        term::report("note", "nothing to export: no file was written");
    }
    stdout.flush().map_err(failed)?;
    let Some(file) = file else { return Ok(()) };
    let whole = file.into_inner().map_err(|e| failed(e.into_error()))?;
    Ok(whole.finish()?)
}

fn as_line(row: &SuspenseRow) -> Option<String> {
    if row.reason == Reason::MalformedRecord.as_str() {
        return None;
    }
    // JSON has no header; a record that spans lines is written again on one line.
    if row.header.is_empty() && !row.record.contains(['\n', '\r']) {
        return Some(row.record.clone());
    }
    let object: Map<String, Value> =
        fields(row)?.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    Some(Value::Object(object).to_string())
}

/// The most records in a table on the terminal.
const MOST_LISTED: usize = 10_000;

fn as_table(
    each: impl FnOnce(EachRecord<'_>) -> Result<(), CliError>,
    newest: Option<Micros>,
) -> Result<String, CliError> {
    let (mut cells, mut more) = (Vec::new(), 0_u64);
    let mut hints: BTreeSet<(Reason, &str)> = BTreeSet::new();
    each(&mut |row| {
        hints.extend(
            Reason::parse(&row.reason).map(|reason| (reason, advice::hint(reason, &row.detail))),
        );
        if cells.len() == MOST_LISTED {
            more += 1;
            return Ok(());
        }
        let sid = if row.call_sid.is_empty() { "-".to_owned() } else { row.call_sid.clone() };
        cells.push(vec![
            row.reason.clone(),
            sid,
            format!("{}:{}", row.source_file, row.source_line),
            days_text(age(row, newest)),
            row.tries.to_string(),
            row.detail.clone(),
        ]);
        Ok(())
    })?;
    if cells.is_empty() {
        return Ok("nothing waits\n".to_owned());
    }
    let header = ["reason", "call", "source", "days", "tries", "detail"];
    let table = term::Table::new(&header, &["days", "tries"], cells)
        .uncut(&["reason"])
        .expendable(&["tries", "days"]);
    let hint = |(reason, hint): &(Reason, &str)| {
        term::labelled(&format!("  {:<24} ", reason.as_str()), hint)
    };
    let hints: Vec<String> = hints.iter().map(hint).collect();
    let more = match more {
        0 => String::new(),
        more => format!("… and {} more; `--format csv` lists all of them\n", term::grouped(more)),
    };
    Ok(format!("{table}{more}\n{}\n{}", term::heading("what to do"), hints.concat()))
}

fn counts_table(counts: &Counts) -> String {
    if counts.is_empty() {
        return "nothing waits\n".to_owned();
    }
    let cells = counts.values().map(|(reason, count)| {
        vec![
            reason.clone(),
            term::grouped(count.records),
            term::grouped(count.seconds),
            count.days_text(),
        ]
    });
    term::table(
        &["reason", "records", "seconds", "oldest days"],
        &["records", "seconds", "oldest days"],
        cells,
    )
}
