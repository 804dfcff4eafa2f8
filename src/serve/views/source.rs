//! `/calls/{sid}/source`: the record that a booked call was made of: its call file, its line, its
//! text, and whether the file is still the one that was booked.
//!
//! # Why a page of its own
//! Call files are read for it: a night of a million calls takes some tenths of a second of CPU
//! time. They are those that the run's manifest names, looked for in the project's folder.

use crate::inputs::record_text::RecordText;
use crate::job::evidence::{self, Evidence, EvidencePlaces, FileState, SourceFile, SourceRecord};
use crate::ledger::index::find;
use crate::partition::spill::Memory;
use crate::record::Field;
use crate::serve::asked::{ConsoleRequest, call_address};
use crate::serve::context::context;
use crate::serve::http::HttpAnswer;
use crate::serve::kept::KeptValue;
use crate::serve::problem::RequestProblem;
use minijinja::Value;
use std::sync::Arc;

/// The budget for reading call files; a JSON document has to fit in a part of it.
const MEMORY: Memory = Memory::new(128 << 20);
/// Files that are named where none of them has the record.
const NAMED: usize = 10;

/// The page.
///
/// # Errors
/// If the call is not booked, or the ledger cannot be read. A call file that cannot be read is
/// said on the page.
pub fn page(asked: &ConsoleRequest<'_>, sid: &str) -> Result<HttpAnswer, RequestProblem> {
    asked.query.only(&[]).map_err(|why| RequestProblem::new(400, why))?;
    let Some((row, _)) = find::find_log_row(&asked.snapshot.history, sid)? else {
        find::refuse_damaged_ids(&asked.snapshot.history)?;
        return Err(RequestProblem::none(format!("the call {sid} is not booked"))
            .hint("a record that waits or was ignored stands on the page of its call"));
    };
    let (own, call) = (Arc::clone(&asked.snapshot), sid.to_owned());
    let folder = asked.books.setting.folder.clone();
    let key = format!("{} {sid}", asked.snapshot.head);
    let found = asked.books.sources.of(&key, move || {
        let places = EvidencePlaces { folders: vec![folder], files: Vec::new() };
        evidence::of_call(&own.history, &call, &places, MEMORY).map_err(|error| error.to_string())
    });
    let title = "The record of a call";
    let found = match found {
        KeptValue::Ready(found) => found,
        KeptValue::Pending => {
            return asked.pending("/calls", title, "The call files of its night are being read.");
        }
        KeptValue::Failed(why) => {
            let problem = RequestProblem::new(500, why);
            return Err(RequestProblem { may_have_moved: true, ..problem });
        }
    };
    let found = Option::as_ref(&found).ok_or_else(|| {
        let problem = RequestProblem::none(format!("the call {sid} is booked no more"));
        RequestProblem { may_have_moved: true, ..problem }
    })?;
    asked.looked([row.account_sid.as_str()], 1);
    draw(asked, title, sid, found)
}

fn draw(
    asked: &ConsoleRequest<'_>,
    title: &str,
    sid: &str,
    found: &Evidence,
) -> Result<HttpAnswer, RequestProblem> {
    let setting = &asked.books.setting;
    let kept = found.kept.as_ref().map(|row| {
        context! {
            file => row.source_file, line => row.source_line, tries => row.tries,
            reason => row.reason, fields => fields(asked, &row.record, &row.header),
            text => setting.sentence(row.record.trim_end()),
        }
    });
    let booked = found.booked().map(|(file, own)| record(asked, file, own));
    let others: Vec<Value> = found.others().map(|(file, own)| record(asked, file, own)).collect();
    let files: Vec<Value> = found
        .files
        .iter()
        .take(NAMED)
        .map(|file| {
            let booked = &file.booked;
            context! {
                name => booked.name, run => file.run_id, bytes => booked.bytes,
                hash => booked.blake3, state => state(&file.state),
            }
        })
        .collect();
    let answer = asked.pages.page(
        200,
        &asked.frame("/calls", title),
        "source.html",
        context! {
            title, sid, kept, booked, others, files,
            href => call_address(sid),
            more => found.files.len().saturating_sub(NAMED),
            run => found.run_id,
        },
    )?;
    Ok(answer)
}

fn record(asked: &ConsoleRequest<'_>, file: &SourceFile, own: &SourceRecord) -> Value {
    let RecordText { record, format, line, .. } = &own.text;
    context! {
        file => file.booked.name, line, run => file.run_id,
        hash => file.booked.blake3,
        is_as_booked => file.is_as_booked(), is_booked => own.is_booked,
        lies => lies(file), format => format.as_str(),
        fields => fields(asked, record, &format.header()),
        text => asked.books.setting.sentence(record.trim_end()),
    }
}

/// Where a file lies now, if that is not what the run calls it.
fn lies(file: &SourceFile) -> Option<String> {
    let (FileState::AsBooked(path, _) | FileState::Changed(path, ..)) = &file.state else {
        return None;
    };
    Some(path.display().to_string()).filter(|path| *path != file.booked.name)
}

/// The state of a file in words.
fn state(state: &FileState) -> String {
    match state {
        FileState::AsBooked(..) => "is as it was booked".to_owned(),
        FileState::Changed(_, now, _) => {
            format!("is another file now, BLAKE3 {now}: what stands there is no evidence")
        }
        FileState::Unreadable(why) => format!("cannot be read: {why}"),
        FileState::Large => "was not read: it is larger than what is read unasked".to_owned(),
        FileState::Gone => "is not there any more".to_owned(),
    }
}

/// The fields of a record, as far as it has them.
fn fields(asked: &ConsoleRequest<'_>, record: &str, header: &str) -> Vec<(&'static str, String)> {
    let setting = &asked.books.setting;
    let Some(text) = RecordText::kept(record, header) else { return Vec::new() };
    text.with_fields(|own| {
        let Some(own) = own else { return Vec::new() };
        let all = Field::ALL.into_iter().map(|field| (field.as_str(), own.get(field)));
        let filled = all.filter(|(_, text)| !text.is_empty());
        filled.map(|(name, text)| (name, setting.sentence(text))).collect()
    })
}
