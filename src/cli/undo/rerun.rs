//! `undo --rerun`: runs taken back, and their calls booked anew in their place, in one step.
//!
//! # Why one run
//! Several runs that leave are booked anew as one run of all the files that are given. After any
//! sequence of nights the ledger holds what one run over all their files would have booked, and one
//! run is one rename.

use super::{leaving, refuse_dependents, refuse_invoiced, sums};
use crate::cli::args::undo::UndoArgs;
use crate::cli::args::{RatingArgs, TextFormat};
use crate::cli::error::CliError;
use crate::cli::journal;
use crate::cli::project::{Key, Project};
use crate::cli::run::{self, Task, changes, head, open_to_write, print_what_is_done};
use crate::cli::runs::at_of;
use crate::cli::term::{self, grouped};
use crate::job::book::{self, Summary};
use crate::job::changes::Changes;
use crate::ledger::History;
use crate::ledger::manifest::{InputFile, Manifest, RunKind};
use crate::ledger::runs::undo::Replacement;
use crate::money::Total;
use crate::text::visible;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::Path;

/// Sums by currency.
type Sums = BTreeMap<String, Decimal>;

/// Undoes runs, and books the given call files in their place.
pub fn run(args: &UndoArgs, reason: &str, project: &Project) -> Result<(), CliError> {
    let ledger = project.ledger()?;
    let rating = args.anew.rating(args.format);
    let found = project.calls(&args.rerun)?;
    run::tell_left_out(&found);
    let trunks = project.path(Key::Trunks, rating.trunks.as_deref())?;
    let inputs = run::inputs(&rating, project, trunks.as_deref(), args.anew.no_transfers)?;
    let (lock, mut history) = open_to_write(&ledger)?;
    let at = at_of(&history, &args.run_id)?;
    let places = leaving(&history, at);
    refuse_dependents(&history, &places, args.with_dependents)?;
    refuse_invoiced(&history, &places)?;
    refuse_other_kinds(places.iter().map(|at| &*history.runs[*at].manifest))?;
    let before = sums(&history, &places)?;
    let replaced = Replacement::take(&mut history, &places, reason);
    let mut accepted = changes(&ledger, &history, &inputs, rating.accept_changes)?;
    accepted.extend(changes_of_replaced(&replaced, &inputs, &rating)?);
    let task = Task {
        files: &found.files,
        no_transfers: args.anew.no_transfers,
        max_suspended: args.anew.max_suspended,
        kind: RunKind::Run,
        aside: None,
        choose: None,
    };
    let (intake, _, progress) = run::read(&rating, (&task, None), inputs, &lock, &history)?;
    check_files((&replaced, &history), &intake.call_files(), &args.without)?;
    let mut session = intake.settle(&history)?;
    session.accept(accepted);
    run::refuse_too_many(task.max_suspended, &session)?;
    let run_id = session.run_id(history.last());
    if stays_as_it_is(&replaced, &run_id)? {
        drop(progress);
        return say_nothing_changes(&run_id, args.format);
    }
    let summary = book::book_in_place_of(&ledger, &lock, &mut history, &session, &replaced)?;
    drop(progress);
    let names: Vec<&str> = replaced.manifests().map(|m| m.run_id.as_str()).rev().collect();
    for name in &names {
        journal::did(name);
    }
    let booked = summary.run_id.as_deref().expect("a run that is booked has a name");
    journal::did(booked);
    run::tell_booked(&history, &summary, trunks.as_deref());
    let money = MovedMoney::of(before, &summary)?;
    let text = match args.format {
        TextFormat::Json => {
            let object = json!({
                "undone": names, "run": run::as_json(&summary), "amount": money.as_json(),
            });
            format!("{}\n", serde_json::to_string_pretty(&object)?)
        }
        TextFormat::Text => {
            let mut text = String::new();
            for name in &names {
                let _ = writeln!(text, "undone: run {name}");
            }
            text + &run::as_text(&summary) + &money.as_text() + &head(&history)
        }
    };
    let but = format!("run {booked} is booked in their place, but that could not be printed");
    print_what_is_done(&text, &but);
    Ok(())
}

/// Refuses runs that no call files book anew: what people decided, and published nights.
fn refuse_other_kinds<'a>(leaving: impl Iterator<Item = &'a Manifest>) -> Result<(), CliError> {
    for manifest in leaving {
        let what = match manifest.kind {
            RunKind::Run | RunKind::Retry => continue,
            RunKind::Close | RunKind::Resolve | RunKind::Set => {
                "is what a person decided about suspense"
            }
            RunKind::Rerate => "rated booked calls again, by other decks",
            RunKind::Import => "is a published night that was imported",
        };
        return Err(CliError::failed(format!(
            "run {} cannot be booked anew from call files: it {what} ({})",
            manifest.run_id,
            manifest.kind.as_str()
        ))
        .hint(
            "undo it without --rerun first, and do it again afterwards; `undo --dry-run` shows how",
        ));
    }
    Ok(())
}

/// The accepted changes since the runs that leave; an error if there are any and they are not
/// accepted.
fn changes_of_replaced(
    replaced: &Replacement,
    inputs: &crate::inputs::given::Inputs,
    rating: &RatingArgs,
) -> Result<Vec<String>, CliError> {
    let (mut stopping, mut notes) = (BTreeSet::new(), BTreeSet::new());
    for before in replaced.manifests().filter(|manifest| manifest.decks_hash.is_some()) {
        let changes = Changes::since_replaced(before, inputs);
        let of_run = |text: String| format!("run {}: {text}", changes.run_id);
        stopping.extend(changes.stopping.into_iter().map(of_run));
        notes.extend(changes.notes);
    }
    for note in &notes {
        term::report("note", note);
    }
    if stopping.is_empty() {
        return Ok(Vec::new());
    }
    let stopping: Vec<String> = stopping.into_iter().collect();
    let list = format!("changed since what is undone:\n  {}", stopping.join("\n  "));
    if rating.accept_changes {
        term::report("note", &format!("accepted, and kept with the run: {list}"));
        return Ok(stopping);
    }
    Err(CliError::failed(format!("{list}\nnothing was undone")).hint(
        "give the lists again; --accept-changes books it as it is now, and keeps this list with \
         the run",
    ))
}

/// The fewest digits of a hash that name a file.
const HASH_DIGITS: usize = 8;

/// Refuses to leave out a call file of the runs that leave, unless that is asked for by its name;
/// notes those that are other files than the ones that were booked, and those that none of the runs
/// booked.
///
/// # Why a mended file stands for one file only
/// An export that is overwritten each night has one name in several runs. Given once, it is the
/// last of these nights, mended or not, and the calls of the others would leave the books.
fn check_files(
    (replaced, history): (&Replacement, &History),
    given: &[InputFile],
    without: &[String],
) -> Result<(), CliError> {
    let file_name = |name: &str| Path::new(name).file_name().map(OsStr::to_owned);
    let is_named = |input: &InputFile, name: &str| {
        input.name == name
            || file_name(&input.name).is_some_and(|own| *own == *name)
            || (name.len() >= HASH_DIGITS && input.blake3.starts_with(name))
    };
    let hashes: BTreeSet<&str> = given.iter().map(|file| file.blake3.as_str()).collect();
    // A file that some run booked as it is, also one that stays, is that run's and no mended one.
    let staying = history.runs.iter().map(|run| &*run.manifest);
    let booked: BTreeSet<&str> = replaced
        .manifests()
        .chain(staying)
        .flat_map(|manifest| &manifest.inputs)
        .map(|input| input.blake3.as_str())
        .collect();
    let mut others: Vec<&InputFile> =
        given.iter().filter(|file| !booked.contains(file.blake3.as_str())).collect();
    let inputs = || replaced.manifests().flat_map(|manifest| &manifest.inputs);
    let missing: Vec<&InputFile> =
        inputs().filter(|input| !hashes.contains(input.blake3.as_str())).collect();
    // A file of the same name is the same export, mended: of the same path, else the only one of
    // its name, for the only one of that name.
    let same_path = |a: &InputFile, b: &InputFile| a.name == b.name;
    let same_name = |a: &InputFile, b: &InputFile| file_name(&a.name) == file_name(&b.name);
    let (mut other, mut missing) = (Vec::new(), missing);
    for is_same in [&same_path as &dyn Fn(&InputFile, &InputFile) -> bool, &same_name] {
        let all = missing.clone();
        missing.retain(|input| {
            let only = |files: &[&InputFile], of: &InputFile| {
                files.iter().filter(|file| is_same(file, of)).count() == 1
            };
            let mended = others.iter().position(|file| is_same(file, input));
            let mended = mended.filter(|_| only(&all, input) && only(&others, input));
            if let Some(at) = mended {
                others.remove(at);
                other.push(*input);
            }
            mended.is_none()
        });
    }
    if let Some(name) =
        without.iter().find(|name| !missing.iter().any(|input| is_named(input, name)))
    {
        return Err(CliError::usage(format!(
            "--without {name}: no call file of the runs that leave is called so and not given"
        ))
        .hint("`undo --dry-run` lists their call files"));
    }
    let said = |input: &InputFile| {
        let name = visible(&input.name);
        format!("{name}: {} records, BLAKE3 {}", grouped(input.rows), input.blake3)
    };
    let (left, lost): (Vec<&InputFile>, Vec<&InputFile>) =
        missing.into_iter().partition(|input| without.iter().any(|name| is_named(input, name)));
    if !lost.is_empty() {
        let list: Vec<String> = lost.into_iter().map(said).collect();
        return Err(CliError::failed(format!(
            "call files of the runs that leave are not given again:\n  {}\nnothing was undone",
            list.join("\n  ")
        ))
        .hint(
            "give them too; --without FILE leaves one out, and its calls are booked no more (of \
             several with one name by the beginning of its BLAKE3)",
        ));
    }
    for input in left {
        term::report("note", &format!("{}; left out: its calls are booked no more", said(input)));
    }
    for input in other {
        term::report(
            "note",
            &format!(
                "{}: another file of this name is given, not the one that was booked",
                said(input)
            ),
        );
    }
    for file in others {
        let told = format!("{}; also given: none of the runs that leave booked it", said(file));
        term::report("note", &told);
    }
    Ok(())
}

/// True if the new run is the one that leaves: the same calls, decks, lists and settings.
fn stays_as_it_is(replaced: &Replacement, run_id: &str) -> Result<bool, CliError> {
    let names: Vec<&str> = replaced.manifests().map(|m| m.run_id.as_str()).collect();
    match names.as_slice() {
        [one] if *one == run_id => Ok(true),
        all if all.contains(&run_id) => Err(CliError::failed(format!(
            "these call files give run {run_id} again, as it stands; nothing was undone"
        ))
        .hint("to take back only the later runs, undo the first of them")),
        _ => Ok(false),
    }
}

fn say_nothing_changes(run_id: &str, format: TextFormat) -> Result<(), CliError> {
    let text = match format {
        TextFormat::Json => {
            let object = json!({"undone": [], "run": null, "stays": run_id});
            format!("{}\n", serde_json::to_string_pretty(&object)?)
        }
        TextFormat::Text => format!(
            "run {run_id} stays: its calls, rated anew, give the same run; nothing was done\n"
        ),
    };
    Ok(term::print(&text)?)
}

/// The money of what left beside that of what was booked, by currency.
struct MovedMoney {
    /// Before, after, and what that adds.
    rows: BTreeMap<String, [Decimal; 3]>,
}

impl MovedMoney {
    fn of(before: Sums, summary: &Summary) -> Result<Self, CliError> {
        let too_large =
            |e: crate::money::Overflow| CliError::failed(format!("booked, but its sum: {e}"));
        let mut rows: BTreeMap<String, [Decimal; 3]> = BTreeMap::new();
        for (currency, sum) in before {
            rows.entry(currency).or_insert([Decimal::ZERO; 3])[0] = sum;
        }
        for (currency, sum) in &summary.amount {
            let after = Total::to_decimal(*sum).map_err(too_large)?;
            rows.entry(currency.clone()).or_insert([Decimal::ZERO; 3])[1] = after;
        }
        for [before, after, difference] in rows.values_mut() {
            *difference = after
                .checked_sub(*before)
                .ok_or_else(|| CliError::failed("booked, but the difference does not fit"))?;
            let sums = [before, after, difference];
            let scale = sums.iter().map(|sum| sum.normalize().scale()).max();
            let scale = scale.expect("there are three").max(5);
            for sum in sums {
                sum.rescale(scale);
            }
        }
        Ok(Self { rows })
    }

    fn as_text(&self) -> String {
        if self.rows.is_empty() {
            return "no money, before and after\n".to_owned();
        }
        let rows = self.rows.iter().map(|(currency, sums)| {
            let mut row = vec![currency.clone()];
            row.extend(sums.iter().map(Decimal::to_string));
            row
        });
        let figures = ["before", "after", "difference"];
        term::table(&[&["currency"][..], &figures[..]].concat(), &figures, rows)
    }

    fn as_json(&self) -> Value {
        let row = |(currency, [before, after, difference]): (&String, &[Decimal; 3])| {
            let sums = json!({
                "before": before.to_string(), "after": after.to_string(),
                "difference": difference.to_string(),
            });
            (currency.clone(), sums)
        };
        Value::Object(self.rows.iter().map(row).collect())
    }
}
