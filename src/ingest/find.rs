//! The records of one call, found again in a call file.
//!
//! **Invariant:** what is found is what a run would read: the same readers, in every format. The
//! file is read whole, so that its hash stands beside what it says.
//!
//! # Why blocks are left out
//! A block in which the id stands nowhere has no record of the call: it is cut and hashed, and not
//! parsed. A million calls take a third of what reading them takes. (Parquet is parsed.)

use super::reader::{self, Documents, Reading};
use super::source::CallPath;
use crate::inputs::file::FileError;
use crate::inputs::record_text::{RecordSpot, RecordText};
use crate::partition::spill::Memory;
use crate::policy::Policy;
use crate::sid::Sid;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

/// A call file that was looked through.
#[derive(Debug)]
pub struct SearchedFile {
    /// Bytes as stored.
    pub bytes: u64,
    /// BLAKE3 of them.
    pub blake3: String,
    /// The records of the call, in the order of the file.
    pub records: Vec<FoundRecord>,
}

/// A record of the call.
#[derive(Debug)]
pub struct FoundRecord {
    /// Its text, with its line.
    pub text: RecordText,
    /// Its fingerprint: records that mean the same have the same.
    pub content: u64,
}

/// The records of a call in a file.
///
/// # Errors
/// If the file cannot be read whole, or is no call file.
pub fn records_of(
    file: &CallPath,
    call: &str,
    policy: &Policy,
    memory: Memory,
) -> Result<SearchedFile, FileError> {
    // Quotes and letters beyond ASCII are written in several ways.
    let is_plain = call.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let sid = Sid::of(call).0;
    let (files, documents) = (std::slice::from_ref(file), Documents::of(memory));
    let (sender, receiver) = sync_channel(2);
    let (reading, found) = std::thread::scope(|scope| {
        scope.spawn(move || {
            reader::produce(files, policy, &sender, &Arc::default(), &documents);
        });
        let mut reading = Reading::of_file(file, policy);
        let mut found: Vec<(RecordSpot, u64)> = Vec::new();
        for piece in receiver {
            let piece = piece?;
            let mut own: Vec<(u32, u64)> = Vec::new();
            let (mut places, mut records) = (Vec::new(), 0_usize);
            if is_plain && !piece.may_hold(call) && !piece.is_end() {
                continue;
            }
            for calls in piece.parse(policy)?.calls {
                for record in (0..calls.len()).filter(|record| calls.sid[*record] == sid) {
                    places.push(records + record);
                    own.push((calls.place[record], calls.content[record]));
                }
                records += calls.len();
            }
            if own.is_empty() && !piece.is_end() {
                continue;
            }
            let first = reading.put(piece, records, policy)?;
            for (at, (place, content)) in places.into_iter().zip(own) {
                let number = u32::try_from(at).ok().and_then(|at| first.checked_add(at));
                let number = number.expect("the records of a piece were counted in 32 bits");
                found.push((RecordSpot { number, place }, content));
            }
        }
        Ok::<_, FileError>((reading, found))
    })?;
    let spots: Vec<RecordSpot> = found.iter().map(|(spot, _)| *spot).collect();
    let texts = reading.texts_of(&spots)?;
    let records = texts.into_iter().zip(found);
    let read = reading.files.first().expect("a file that was read whole is among those read");
    Ok(SearchedFile {
        bytes: read.size,
        blake3: read.hash.clone(),
        records: records.map(|(text, (_, content))| FoundRecord { text, content }).collect(),
    })
}
