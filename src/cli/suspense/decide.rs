//! Decisions on suspense: show a call, write it off, or choose one of its versions.

use super::pick::{Picked, nothing_is_picked};
use super::rows::{age, as_json, days_text};
use super::versions::Versions;
use crate::advice;
use crate::cli::args::TextFormat;
use crate::cli::args::suspense::{CloseArgs, ResolveArgs, ShowArgs};
use crate::cli::error::CliError;
use crate::cli::journal;
use crate::cli::project::Project;
use crate::cli::run::{head, open_to_write, print_what_is_done};
use crate::cli::term;
use crate::job::book;
use crate::job::replace::{VersionReplacement, replace};
use crate::ledger::index::find;
use crate::ledger::manifest::RunKind;
use crate::ledger::runs::write_off::{self, Decision};
use crate::ledger::tables::log_row::LogRow;
use crate::ledger::tables::places::Places;
use crate::ledger::tables::read;
use crate::ledger::tables::suspense::SuspenseRow;
use crate::ledger::{Dataset, History, Ledger, LedgerError, Lock, Run};
use crate::reject::Reason;
use crate::report::causes::{CauseLine, about, sum_of};
use crate::report::chosen::{self, Chosen, Reach};
use crate::report::waiting_causes::Diagnosed;
use crate::text::visible;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write;

/// Suspended records and their places in the suspense table.
pub type NamedRecords = Vec<(usize, SuspenseRow)>;

/// The name of suspended records: a call's id; or, for a record without an id, its source
/// `FILE:LINE`, with `/N` behind it if several came from there.
struct Name<'a> {
    text: &'a str,
    source: Option<(&'a str, u64)>,
    /// The source without the number at its end, and the number.
    numbered: Option<((&'a str, u64), usize)>,
    found: [NamedRecords; 3],
}

impl<'a> Name<'a> {
    fn of(text: &'a str) -> Result<Self, CliError> {
        if text.is_empty() {
            return Err(CliError::usage(
                "the call is empty: name one by its id, or by FILE:LINE if it has none",
            ));
        }
        let source = |text: &'a str| {
            text.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse::<u64>().ok()?)))
        };
        let numbered = text.rsplit_once('/').and_then(|(place, number)| {
            Some((source(place)?, number.parse().ok().filter(|number| *number > 0)?))
        });
        Ok(Self { text, source: source(text), numbered, found: Default::default() })
    }

    fn look_at(&mut self, at: usize, row: &SuspenseRow) {
        let is_from = |source: Option<(&str, u64)>| {
            row.call_sid.is_empty() && source == Some((&row.source_file, row.source_line))
        };
        let is_it = [
            row.call_sid == self.text,
            is_from(self.source),
            is_from(self.numbered.map(|(source, _)| source)),
        ];
        for (found, _) in self.found.iter_mut().zip(is_it).filter(|(_, is_it)| *is_it) {
            found.push((at, row.clone()));
        }
    }

    /// The named records. Versions are sorted by their text, so that a number means the same
    /// version tomorrow, unless another one comes.
    fn records(self) -> NamedRecords {
        let [by_id, at_source, at_numbered] = self.found.map(|mut found| {
            found.sort_by(|(_, a), (_, b)| {
                (&a.record, &a.source_file, a.source_line).cmp(&(
                    &b.record,
                    &b.source_file,
                    b.source_line,
                ))
            });
            found
        });
        match self.numbered {
            _ if !by_id.is_empty() => by_id,
            Some((_, number)) if at_source.is_empty() => {
                at_numbered.into_iter().skip(number - 1).take(1).collect()
            }
            _ => at_source,
        }
    }
}

/// The suspended records that each text names.
fn find(history: &History, names: &[&str]) -> Result<Vec<NamedRecords>, CliError> {
    let mut names = names.iter().map(|name| Name::of(name)).collect::<Result<Vec<_>, _>>()?;
    if let Some(run) = history.runs.last() {
        let mut before = 0;
        read::each_suspended(run, Dataset::Suspense, |rows| {
            for (at, row) in (before..).zip(&rows) {
                for name in &mut names {
                    name.look_at(at, row);
                }
            }
            before += rows.len();
            Ok::<_, LedgerError>(())
        })?;
    }
    Ok(names.into_iter().map(Name::records).collect())
}

/// The suspended records that one text names; an error if there are none.
pub fn find_one(history: &History, name: &str) -> Result<NamedRecords, CliError> {
    let found = find(history, &[name])?.pop().expect("as many as names");
    if found.is_empty() { Err(nothing_waits(history, name)?) } else { Ok(found) }
}

fn nothing_waits(history: &History, name: &str) -> Result<CliError, CliError> {
    let error = CliError::failed(format!("no record of {name} waits"));
    let booked = find::find_log_row(history, name)?;
    if let Some((row, _)) = booked {
        return Ok(error.hint(format!(
            "the call was booked by run {}; `trunkrate rerate {name}` explains it",
            row.run_id
        )));
    }
    for run in &history.runs {
        let mut why = None;
        read::each_suspended(run, Dataset::Closed, |rows| {
            why = why.take().or_else(|| {
                rows.into_iter().find(|row| row.call_sid == name).map(|row| row.close_reason)
            });
            Ok::<_, LedgerError>(())
        })?;
        if let Some(why) = why {
            return Ok(
                error.hint(format!("it was written off by run {}: {why}", run.manifest.run_id))
            );
        }
    }
    find::refuse_damaged_ids(history)?;
    Ok(error.hint("`trunkrate suspense` lists what waits"))
}

// ---- show ---------------------------------------------------------------------------------------

/// Prints all that is known of a suspended call.
pub fn show(args: &ShowArgs, project: &Project) -> Result<(), CliError> {
    let history = project.ledger()?.history()?;
    let found = find_one(&history, &args.call)?;
    let newest = history.newest_start();
    let booked = if found[0].1.call_sid.is_empty() {
        None
    } else {
        find::find_log_row(&history, &found[0].1.call_sid)?
    };
    let booked = booked.map(|(row, _)| row);
    let versions =
        Versions::of(found.iter().map(|(_, row)| row), booked.as_ref(), history.policy().zone);
    // It is not booked: nothing says otherwise.
    let by_hand = history.by_hand(&found[0].1.call_sid, |_| None);
    let text = match args.format {
        TextFormat::Text => as_text((&found, &by_hand), &versions, booked.as_ref(), newest),
        TextFormat::Json => {
            let list: Vec<Value> = (1..)
                .zip(found.iter().zip(versions.waiting()))
                .map(|(number, ((_, row), fields)): (usize, _)| {
                    let mut value = as_json(row, newest);
                    if let Some(object) = value.as_object_mut() {
                        object.insert("version".to_owned(), json!(number));
                        object.insert("fields".to_owned(), json!(fields));
                        object.insert("hint".to_owned(), json!(what_to_do(row, booked.is_some())));
                    }
                    value
                })
                .collect();
            let booked = booked.as_ref().map(|row| {
                let fields = versions.booked();
                json!({
                    "run_id": row.run_id,
                    "scenario": row.scenario,
                    "duration_seconds": row.duration_seconds,
                    "fields": fields,
                })
            });
            let mut shown =
                json!({"versions": list, "booked": booked, "differing": versions.differing()});
            if !by_hand.is_empty() {
                shown["by_hand"] = json!(by_hand);
            }
            format!("{}\n", serde_json::to_string_pretty(&shown)?)
        }
    };
    Ok(term::print(&text)?)
}

/// Advice on a suspended record.
fn what_to_do(row: &SuspenseRow, is_booked: bool) -> &'static str {
    match Reason::parse(&row.reason) {
        Some(Reason::ConflictingDuplicate) if is_booked => advice::of_booked(),
        Some(reason) => advice::hint(reason, &row.detail),
        None => "",
    }
}

fn as_text(
    (found, by_hand): (&NamedRecords, &[String]),
    versions: &Versions,
    booked: Option<&LogRow>,
    newest: Option<i64>,
) -> String {
    let first = &found[0].1;
    let name = if first.call_sid.is_empty() { "(no id)" } else { &first.call_sid };
    let mut lines = vec![term::heading(&format!("call {}", visible(name)))];
    for (number, (_, row)) in (1..).zip(found) {
        let number: usize = number;
        let title = if found.len() > 1 { format!("version {number}  ") } else { String::new() };
        lines.push(format!("  {title}{}: {}", row.reason, visible(&row.detail)));
        let source = format!("{}:{}", visible(&row.source_file), row.source_line);
        let (days, tries) = (days_text(age(row, newest)), row.tries);
        lines.push(format!(
            "  {:width$}from {source}, waiting for {days} days, tried {tries} times",
            "",
            width = title.len()
        ));
    }
    if let Some(row) = booked {
        lines.push(format!(
            "  booked by run {}: {}, {} s",
            row.run_id, row.scenario, row.duration_seconds
        ));
    }
    lines.extend(by_hand.iter().map(|words| format!("  {}", visible(words))));
    lines.push(format!("\n{}", versions.table(found.iter().map(|(_, row)| row))));
    let choose = "choose one with `trunkrate suspense resolve`, by its number";
    let may_choose = found.len() > 1 && !first.call_sid.is_empty() && booked.is_none();
    let hints: BTreeSet<&str> =
        found.iter().map(|(_, row)| what_to_do(row, booked.is_some())).collect();
    lines.push(term::heading("what to do"));
    lines.extend(
        if may_choose { BTreeSet::from([choose]) } else { hints }
            .into_iter()
            .map(|hint| term::labelled("  ", hint).trim_end().to_owned()),
    );
    lines.join("\n") + "\n"
}

// ---- close and resolve --------------------------------------------------------------------------

/// Writes suspended records off.
pub fn close(args: &CloseArgs, project: &Project) -> Result<(), CliError> {
    let reason = args.reason.as_deref().unwrap_or_default();
    if !args.dry_run && reason.trim().is_empty() {
        return Err(CliError::usage("--reason is empty: say why the records are written off"));
    }
    let ledger = project.ledger()?;
    if args.dry_run {
        let history = ledger.history()?;
        let chosen = to_close(args, (project, &ledger, &history))?;
        let text = what_leaves(&ledger, &history, &chosen)?;
        return Ok(term::print(&format!("{text}nothing was done\n"))?);
    }
    let (lock, mut history) = open_to_write(&ledger)?;
    let chosen = to_close(args, (project, &ledger, &history))?;
    let by_name = !args.calls.is_empty();
    let what = if by_name { String::new() } else { what_leaves(&ledger, &history, &chosen)? };
    let decision =
        Decision { kind: RunKind::Close, reason, closed: &chosen.places, set_times: Vec::new() };
    let run = write_off::decide(&ledger, &lock, &history, decision)?;
    let text = format!(
        "{what}run {}: {} written off\n",
        run.manifest.run_id,
        records(chosen.places.count())
    );
    history.runs.push(run);
    done(&ledger, &lock, &history, &text);
    Ok(())
}

/// The records that are to be written off: those of the named calls, or those that are picked.
fn to_close(
    args: &CloseArgs,
    (project, ledger, history): (&Project, &Ledger, &History),
) -> Result<Chosen, CliError> {
    if args.calls.is_empty() {
        let picked = Picked::of(&args.picks, &[], (project, ledger, history))?;
        let is_wanted = |found: &Diagnosed<'_>| picked.has(found.row, &found.diagnosis.cause);
        let chosen = chosen::choose(ledger, history, Reach::Calls, is_wanted)?;
        return if chosen.places.is_empty() { Err(nothing_is_picked()) } else { Ok(chosen) };
    }
    let mut places = Places::default();
    let names: Vec<&str> = args.calls.iter().map(String::as_str).collect();
    for (call, found) in args.calls.iter().zip(find(history, &names)?) {
        if found.is_empty() {
            return Err(nothing_waits(history, call)?);
        }
        if found.len() > 1 && found[0].1.call_sid.is_empty() {
            let problem = format!("{} records came from {call}: which of them?", found.len());
            return Err(CliError::failed(problem).hint(format!(
                "`trunkrate suspense show {call}` numbers them; {call}/1 is the first"
            )));
        }
        for (at, _) in found {
            places.insert(at);
        }
    }
    Ok(Chosen { wanted: places.count(), places })
}

/// The records that leave, by cause, with their estimates; and what is left.
fn what_leaves(ledger: &Ledger, history: &History, chosen: &Chosen) -> Result<String, CliError> {
    let [leaves, left] = chosen::by_cause(ledger, history, &chosen.places)?;
    let mut text = String::new();
    for line in &leaves {
        let _ = writeln!(text, "  {}", visible(&line.sentence()));
        let _ = writeln!(text, "    {}", visible(&line.cause));
    }
    let others = chosen.places.count() - chosen.wanted;
    if others > 0 {
        let _ = writeln!(text, "  of these {}: other versions of the same calls", records(others));
    }
    for (what, lines) in [("to be written off", &leaves), ("left waiting", &left)] {
        let count = lines.iter().map(|line| line.count.records).sum();
        let seconds: u64 = lines.iter().map(|line| line.count.seconds).sum();
        let money = if lines.is_empty() { String::new() } else { format!(", {}", money(lines)?) };
        let _ = writeln!(text, "{what}: {}, {} s{money}", records(count), term::grouped(seconds));
    }
    Ok(text)
}

/// The estimates of some causes together, in words.
fn money(lines: &[CauseLine]) -> Result<String, CliError> {
    let sums = sum_of(lines).map_err(LedgerError::of_sum)?;
    let estimated = lines.iter().map(|line| line.estimated_calls).sum();
    Ok(about(&sums, estimated, lines.iter().map(|line| line.calls).sum()))
}

/// Chooses one version of a call.
pub fn resolve(args: &ResolveArgs, project: &Project) -> Result<(), CliError> {
    let ledger = project.ledger()?;
    let (lock, mut history) = open_to_write(&ledger)?;
    let found = find_one(&history, &args.call)?;
    let booked = find::find_log_row(&history, &args.call)?;
    if found[0].1.call_sid.is_empty() {
        let problem =
            format!("the records from {} have no id: they are no versions of one call", args.call);
        return Err(CliError::failed(problem).hint("`suspense close` writes one off"));
    }
    if found.len() < 2 && booked.is_none() {
        return Err(CliError::failed(format!(
            "the call {} has one version only: there is nothing to choose",
            args.call
        ))
        .hint("`suspense retry` tries it again, `suspense close` writes it off"));
    }
    if args.take == 0 || args.take > found.len() {
        return Err(CliError::usage(format!(
            "--take {}: expected 1 to {}",
            args.take,
            found.len()
        ))
        .hint(format!("`trunkrate suspense show {}` shows the versions", args.call)));
    }
    let booked = booked.map(|(row, run)| (row, run.clone()));
    let row = booked.as_ref().map(|(row, _)| row);
    let versions = Versions::of(found.iter().map(|(_, row)| row), row, history.policy().zone);
    // Shown with the number, which alone would hide that a run in between has brought another
    // version.
    let says = versions.says(args.take - 1);
    let taken = found[args.take - 1].0;
    let others = (1..)
        .zip(found)
        .filter(|(number, _): &(usize, _)| *number != args.take)
        .map(|(_, found)| found);
    let others: Places = others.map(|(at, _)| at).collect();
    if let Some(booked) = booked {
        return over_booked((&ledger, &lock, history), booked, (args, taken, others), &says);
    }
    let reason = args
        .reason
        .clone()
        .unwrap_or_else(|| format!("version {} of {} was taken", args.take, args.call));
    let decision = Decision {
        kind: RunKind::Resolve,
        reason: &reason,
        closed: &others,
        set_times: Vec::new(),
    };
    let run = write_off::decide(&ledger, &lock, &history, decision)?;
    let text = format!(
        "run {}: version {} stands ({says}), {} written off; `trunkrate suspense retry` books it, \
         or the next run; a version that says anything else would wait beside it\n",
        run.manifest.run_id,
        args.take,
        records(others.count())
    );
    history.runs.push(run);
    done(&ledger, &lock, &history, &text);
    Ok(())
}

/// Takes a waiting version in place of the booked one.
fn over_booked(
    (ledger, lock, mut history): (&Ledger, &Lock, History),
    (row, run): (LogRow, Run),
    (args, taken, others): (&ResolveArgs, usize, Places),
    says: &str,
) -> Result<(), CliError> {
    let reason = args.reason.clone().filter(|reason| !reason.trim().is_empty());
    let Some(reason) = reason else {
        let problem = format!("the call {} is booked by run {}", args.call, row.run_id);
        return Err(CliError::usage(format!("{problem}: --reason must say why it was wrong"))
            .hint("the reason is kept with the legs that are taken back"));
    };
    let price = |row: &LogRow| format!("{} {}", row.amount_text(), row.currency).trim().to_owned();
    let before = price(&row);
    let (written_off, replaced) = (others.count(), row.run_id.clone());
    let what = VersionReplacement { taken, others, reason };
    let summary = replace((ledger, lock), &mut history, (row, &run), what)?;
    let run_id = summary.run_id.as_deref().expect("a run that is booked has a name");
    for warning in &summary.warnings {
        term::report("note", &format!("run {run_id} is booked, but {warning}"));
    }
    journal::did(run_id);
    let after = find::find_log_row(&history, &args.call)?;
    let after = after.map(|(row, _)| price(&row)).expect("the run that was booked has the call");
    let also = match written_off {
        0 => String::new(),
        count => format!(", {} written off", records(count)),
    };
    let text = format!(
        "run {run_id}: version {} stands ({says}) in place of that of run {replaced}, whose legs \
         are taken back: {before} → {after}{also}\n{}",
        args.take,
        head(&history)
    );
    print_what_is_done(&text, &format!("run {run_id} is booked, but that could not be printed"));
    Ok(())
}

fn records(count: u64) -> String {
    if count == 1 { "1 record".to_owned() } else { format!("{} records", term::grouped(count)) }
}

/// Updates the catalog after the last run of the history, and prints the result.
pub fn done(ledger: &Ledger, lock: &Lock, history: &History, text: &str) {
    let run = history.last().map_or("", |manifest| &manifest.run_id);
    journal::did(run);
    if let Some(warning) = book::follow(ledger, lock, history) {
        term::report("note", &format!("run {run} is published, but {warning}"));
    }
    let text = format!("{text}{}", head(history));
    print_what_is_done(&text, &format!("run {run} is published, but that could not be printed"));
}
