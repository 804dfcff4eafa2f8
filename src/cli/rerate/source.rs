//! The record that a call was booked from, as text and as JSON.

use crate::cli::args::rerate::RerateArgs;
use crate::cli::error::CliError;
use crate::cli::project::Project;
use crate::cli::term::{self, grouped};
use crate::ingest::source;
use crate::inputs::record_text::RecordText;
use crate::job::evidence::{self, Evidence, EvidencePlaces, FileState, SourceFile, SourceRecord};
use crate::ledger::tables::suspense::SuspenseRow;
use crate::ledger::{History, LedgerError};
use crate::partition::spill::Memory;
use crate::text::visible;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// The call files that are named where none of them is there.
const NAMED: usize = 5;

/// Looks for the record of a booked call, unless that is not wanted.
pub fn find(
    args: &RerateArgs,
    project: &Project,
    history: &History,
    call: &str,
) -> Result<Option<Evidence>, CliError> {
    if args.no_call_files {
        return Ok(None);
    }
    let given =
        if args.call_files.is_empty() { Vec::new() } else { source::find(&args.call_files)?.files };
    let places = EvidencePlaces {
        folders: vec![project.folder().to_owned()],
        files: given.into_iter().map(|file| file.path).collect(),
    };
    let found = evidence::of_call(history, call, &places, Memory::of_machine());
    found.map_err(|error: LedgerError| error.into())
}

/// The lines about the record.
pub fn as_text(evidence: &Evidence, call: &str) -> String {
    let mut out = format!("{}\n", term::heading("source"));
    if let Some(row) = &evidence.kept {
        out.push_str(&kept_lines(row));
    }
    if let Some((file, record)) = evidence.booked() {
        out.push_str(&record_lines(file, record));
    } else {
        out.push_str(&missing_lines(evidence, call));
    }
    for (file, record) in evidence.others() {
        let what =
            if record.is_booked { "the same once more" } else { "another version, not booked" };
        let changed = if file.is_as_booked() { "" } else { ", in a file that has changed" };
        let place = format!("{}, line {}", file.booked.name, record.text.line);
        let _ = writeln!(out, "  also       {}: {what}{changed}", visible(&place));
    }
    out
}

/// A record that waited is evidence by itself: the ledger keeps it whole, under a hash.
fn kept_lines(row: &SuspenseRow) -> String {
    let mut out = String::new();
    let tries = if row.tries == 1 { "once".to_owned() } else { format!("{} times", row.tries) };
    let place = format!("{}, line {}", row.source_file, row.source_line);
    let _ = writeln!(out, "  waited     from {}, tried {tries}: {}", visible(&place), row.reason);
    out.push_str(&text_lines(&row.record, &row.header));
    let _ = writeln!(out, "  as booked  the ledger keeps the record itself");
    out
}

fn record_lines(file: &SourceFile, record: &SourceRecord) -> String {
    let place = format!("{}, line {}", file.booked.name, record.text.line);
    let mut out = format!("  file       {}, of run {}\n", visible(&place), file.run_id);
    out.push_str(&state_line(file));
    out.push_str(&text_lines(&record.text.record, &record.text.format.header()));
    out
}

fn text_lines(record: &str, header: &str) -> String {
    let mut out = String::new();
    if !header.is_empty() {
        let _ = writeln!(out, "  columns    {}", visible(header.trim_end()));
    }
    let _ = writeln!(out, "  record     {}", visible(record.trim_end()));
    out
}

/// The state of the file as evidence.
fn state_line(file: &SourceFile) -> String {
    let booked = &file.booked;
    match &file.state {
        FileState::AsBooked(path, _) => {
            let lies = if path.display().to_string() == booked.name {
                String::new()
            } else {
                format!("; it lies at {}", visible(&path.display().to_string()))
            };
            format!("  as booked  BLAKE3 {} matches{lies}\n", booked.blake3)
        }
        FileState::Changed(_, now, _) => format!(
            "  changed    BLAKE3 {now} now, {} when it was booked: what stands there is no \
             evidence\n",
            booked.blake3
        ),
        FileState::Unreadable(why) => format!("  unread     {}\n", visible(why)),
        FileState::Large => format!(
            "  not read   {} bytes, with the others too many to be read unasked; BLAKE3 {} when it \
             was booked\n",
            grouped(booked.bytes),
            booked.blake3
        ),
        FileState::Gone => format!(
            "  gone       {} bytes, BLAKE3 {} when it was booked\n",
            grouped(booked.bytes),
            booked.blake3
        ),
    }
}

/// The files that the record may stand in, where none of them has it.
fn missing_lines(evidence: &Evidence, call: &str) -> String {
    let mut out = String::new();
    if evidence.files.is_empty() {
        if evidence.kept.is_none() {
            let _ = writeln!(out, "  file       run {} names none", evidence.run_id);
        }
        return out;
    }
    if evidence.files.len() > 1 {
        let _ = writeln!(
            out,
            "  file       one of {} of run {}",
            grouped(evidence.files.len() as u64),
            evidence.run_id
        );
    }
    for file in evidence.files.iter().take(NAMED) {
        let (name, run) = (visible(&file.booked.name), &file.run_id);
        let _ = writeln!(out, "  file       {name}, of run {run}");
        out.push_str(&state_line(file));
    }
    let more = evidence.files.len().saturating_sub(NAMED);
    if more > 0 {
        let _ = writeln!(out, "  file       and {} more", grouped(more as u64));
    }
    let _ = writeln!(
        out,
        "  to see it  trunkrate explain {} --call-files PATH, a file or folder where it lies now",
        visible(call)
    );
    out
}

/// The record as JSON.
pub fn as_json(evidence: &Evidence) -> Value {
    let booked = evidence.booked();
    let others: Vec<Value> =
        evidence.others().map(|(file, record)| found_json(file, record)).collect();
    let files: Vec<Value> = evidence.files.iter().map(file_json).collect();
    json!({
        "kept": evidence.kept.as_ref().map(|row| json!({
            "file": row.source_file, "line": row.source_line, "header": *row.header,
            "record": row.record, "reason": row.reason, "tries": row.tries,
        })),
        "booked": booked.map(|(file, record)| found_json(file, record)),
        "others": others,
        "files": files,
    })
}

fn found_json(file: &SourceFile, record: &SourceRecord) -> Value {
    let RecordText { record: text, format, line, .. } = &record.text;
    json!({
        "file": file.booked.name, "line": line, "run_id": file.run_id,
        "as_booked": file.is_as_booked(), "same_content": record.is_booked,
        "format": format.as_str(), "header": *format.header(), "record": text,
    })
}

fn file_json(file: &SourceFile) -> Value {
    let (state, path, now) = match &file.state {
        FileState::AsBooked(path, _) => ("as-booked", Some(path), Some(&file.booked.blake3)),
        FileState::Changed(path, now, _) => ("changed", Some(path), Some(now)),
        FileState::Unreadable(_) => ("unreadable", None, None),
        FileState::Large => ("not-read", None, None),
        FileState::Gone => ("gone", None, None),
    };
    json!({
        "file": file.booked.name, "run_id": file.run_id, "bytes": file.booked.bytes,
        "blake3": file.booked.blake3, "state": state, "blake3_now": now,
        "lies": path.map(|path| path.display().to_string()),
    })
}
