//! Reads call files into [`Calls`]: a thread reads, decompresses and cuts into blocks; rayon parses
//! the blocks.
//!
//! **Invariant:** records are in the order of files (by name) and lines, whatever the threads.
//! Every record can be found again: [`Reading::texts_of`] fetches the texts of the suspended ones
//! from their files, so that no text is kept in memory.

use super::calls_parquet::CallTable;
use super::source::{CallPath, Compression, Source, Stamp, format_ending};
use crate::call::Calls;
use crate::columns;
use crate::inputs::calls_csv::{self, Header, LONGEST_LINE};
use crate::inputs::calls_json::{self, Keys, Links, Neighbour, Shape};
use crate::inputs::file::FileError;
use crate::inputs::record_text::Format;
use crate::ledger::tables::waits::Waits;
use crate::partition::buffers::Text;
use crate::partition::deal::Partitioner;
use crate::partition::spill::Memory;
use crate::policy::{FinalNewline, Policy};
use crate::record::Field;
use rayon::prelude::*;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// The size of a block of text, which is parsed at once, in bytes.
pub(crate) const BLOCK: usize = 1 << 20;
/// The most lines of a block: as columns, records of two bytes take a hundred times as much.
const MOST_LINES: u64 = 1 << 16;
/// The largest JSON document: a page, an array or an object is read whole.
pub(crate) const LARGEST_DOCUMENT: u64 = 2 << 30;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A file that was read.
#[derive(Debug, Clone)]
pub struct ReadFile {
    /// Its path, and its name in outputs.
    pub path: CallPath,
    /// Bytes as stored.
    pub size: u64,
    /// BLAKE3 of the bytes as stored.
    pub hash: String,
    /// Records.
    pub rows: u64,
    /// Its format.
    pub format: Format,
    /// Columns that are not read, and the field that each resembles ([`columns::unread`]).
    pub unread: Vec<(String, Field)>,
    stamp: Stamp,
}

/// A piece of a file, with the records that it gave.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    /// Index of its file.
    pub(crate) file: u32,
    /// Number of its first record.
    pub(crate) first_record: u32,
    /// Its start in the text (for Parquet: its first row).
    pub(crate) offset: u64,
    /// Its length.
    pub(crate) length: u64,
    /// The line it starts on, from 1.
    pub(crate) first_line: u64,
    /// True for a JSON document, in which a record is a value and not a line.
    pub(crate) document: bool,
}

/// The origin of all records.
#[derive(Debug, Default)]
pub struct Reading {
    /// The number of records: first the retried ones, then those of the files.
    records: u32,
    /// The files.
    pub files: Vec<ReadFile>,
    /// The retried records.
    pub waiting: Waits,
    blocks: Vec<Block>,
    names: Vec<String>,
    /// The keys of the JSON records of the file that is being read.
    keys: Keys,
    /// The pages of call lists, by the number of their file.
    pages: Vec<(u32, Links)>,
    /// [`Policy::max_ratio`].
    pub(crate) max_ratio: u32,
}

/// Work that the reading thread hands over.
pub(super) enum ReadPiece {
    Text {
        file: u32,
        offset: u64,
        first_line: u64,
        bytes: Text,
        broken: Vec<Range<usize>>,
        format: Format,
    },
    Document {
        file: u32,
        path: PathBuf,
        text: String,
        _held: Held,
    },
    Table {
        file: u32,
        table: Arc<CallTable>,
        rows: Range<usize>,
    },
    Done(Box<ReadFile>),
}

/// The documents that are read and not dealt out yet: together at most as large as the largest
/// document allowed.
#[derive(Debug)]
pub(super) struct Documents {
    largest: u64,
    held: Mutex<u64>,
    freed: Condvar,
}

/// The share of one document in [`Documents`].
#[derive(Debug)]
pub(super) struct Held {
    documents: Arc<Documents>,
    bytes: u64,
}

impl Documents {
    /// A document may take a quarter of the memory budget; none may be larger than
    /// [`LARGEST_DOCUMENT`].
    pub(super) fn of(memory: Memory) -> Arc<Self> {
        let largest = (memory.bytes() / 4).clamp(1 << 20, LARGEST_DOCUMENT);
        Arc::new(Self { largest, held: Mutex::new(0), freed: Condvar::new() })
    }

    /// Waits until there is room for a document.
    fn hold(self: &Arc<Self>, bytes: u64) -> Held {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        while *held > 0 && *held + bytes > self.largest {
            held = self.freed.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
        *held += bytes;
        Held { documents: Arc::clone(self), bytes }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        *self.documents.held.lock().unwrap_or_else(PoisonError::into_inner) -= self.bytes;
        self.documents.freed.notify_one();
    }
}

/// Reads call files and deals their records out, after the retried records. `progress` counts the
/// bytes.
///
/// # Errors
/// The first file that cannot be read whole; nothing of the run is to be used then.
pub fn read(
    files: &[CallPath],
    mut waiting: Waits,
    policy: &Policy,
    (memory, progress): (Memory, &Arc<AtomicU64>),
    dealer: &mut Partitioner,
) -> Result<Reading, FileError> {
    let names = files.iter().map(|file| file.name.clone()).collect();
    let records = u32::try_from(waiting.len()).map_err(|_| too_many())?;
    waiting.take_up(policy, |calls| dealer.add(vec![calls]))?;
    let mut reading =
        Reading { waiting, records, names, max_ratio: policy.max_ratio, ..Reading::default() };
    let (sender, receiver) = sync_channel(2 * rayon::current_num_threads() + 2);
    std::thread::scope(|scope| {
        scope.spawn(move || produce(files, policy, &sender, progress, &Documents::of(memory)));
        reading.consume(receiver, policy, dealer)
    })?;
    assert_eq!(dealer.records(), reading.records, "each record that was read was dealt out");
    reading.count_rows();
    Ok(reading)
}

fn too_many() -> FileError {
    FileError::new(Path::new("run"), "more than 4 billion records in one run")
}

/// Reads the files one after the other and sends the pieces; stops when the receiver is dropped.
pub(super) fn produce(
    files: &[CallPath],
    policy: &Policy,
    sender: &SyncSender<Result<ReadPiece, FileError>>,
    progress: &Arc<AtomicU64>,
    documents: &Arc<Documents>,
) {
    for (number, file) in (0..).zip(files) {
        let result = produce_file((file, number), policy, sender, progress, documents);
        let failed = result.is_err();
        let sent = sender.send(result.map(|file| ReadPiece::Done(Box::new(file))));
        if failed || sent.is_err() {
            return;
        }
    }
}

/// The error of a dropped receiver, which has its own error to report.
fn gone<T>(_: T) -> FileError {
    FileError::new(Path::new(""), "reading was given up")
}

fn produce_file(
    (file, number): (&CallPath, u32),
    policy: &Policy,
    sender: &SyncSender<Result<ReadPiece, FileError>>,
    progress: &Arc<AtomicU64>,
    documents: &Arc<Documents>,
) -> Result<ReadFile, FileError> {
    let path = &file.path;
    let mut source = Source::open(path, progress)?.at_most(policy.max_ratio);
    let mut beginning = vec![0; LONGEST_LINE];
    let got = source.fill(&mut beginning)?;
    beginning.truncate(got);
    if beginning.trim_ascii().is_empty() {
        return Err(FileError::new(path, "is not a call file: it is empty")
            .hint("if there really were no calls, leave it out; a failed export is empty too"));
    }
    let text_start =
        beginning.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&beginning).trim_ascii_start();
    let send = |piece: ReadPiece| sender.send(Ok(piece)).map_err(gone);
    let format = if beginning.starts_with(b"PAR1") {
        return produce_table((file, number), policy, source, (beginning, documents.largest), send);
    } else if format_ending(path) == "parquet" {
        return Err(FileError::new(path, "is not Parquet: it does not start with PAR1")
            .hint("fetch the file again"));
    } else if text_start.starts_with(b"{") || text_start.starts_with(b"[") {
        match calls_json::shape(text_start, &format_ending(path)) {
            Shape::Lines => {
                let mark = beginning.len()
                    - beginning.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&beginning).len();
                cut_into_blocks(
                    &mut source,
                    &beginning,
                    mark,
                    &Format::Json,
                    number,
                    (path, policy),
                    send,
                )?;
            }
            Shape::Document => {
                beginning.extend(source.read_to_end(documents.largest)?);
                let held = documents.hold(beginning.len() as u64);
                let text = String::from_utf8(beginning).map_err(|e| {
                    FileError::new(
                        path,
                        format!("is not UTF-8 at byte {}", e.utf8_error().valid_up_to()),
                    )
                })?;
                send(ReadPiece::Document { file: number, path: path.clone(), text, _held: held })?;
            }
        }
        Format::Json
    } else {
        let start = beginning.len() - text_start.len();
        let line = memchr::memchr2(b'\n', b'\r', text_start).map_or(text_start.len(), |at| at + 1);
        let end = start
            + line
            + usize::from(
                text_start[..line].ends_with(b"\r") && text_start[line..].starts_with(b"\n"),
            );
        let header = Arc::new(Header::parse(path, &beginning[start..end])?);
        header.check(path, policy)?;
        let format = Format::Csv(header);
        cut_into_blocks(&mut source, &beginning, end, &format, number, (path, policy), send)?;
        format
    };
    let (hash, stamp) = source.finish()?;
    let unread = match &format {
        Format::Csv(header) => unread(&header.names),
        Format::Json | Format::Parquet | Format::Published => Vec::new(),
    };
    Ok(ReadFile { path: file.clone(), size: stamp.size(), hash, rows: 0, format, unread, stamp })
}

fn unread(names: &[String]) -> Vec<(String, Field)> {
    columns::unread(&names.iter().map(String::as_str))
        .into_iter()
        .map(|(name, field)| (name.to_owned(), field))
        .collect()
}

fn produce_table(
    (file, number): (&CallPath, u32),
    policy: &Policy,
    mut source: Source,
    (beginning, largest): (Vec<u8>, u64),
    send: impl Fn(ReadPiece) -> Result<(), FileError>,
) -> Result<ReadFile, FileError> {
    let unpacked = if source.compression == Compression::Plain {
        // polars maps the file itself; here it is only hashed.
        let mut buffer = vec![0; BLOCK];
        while source.fill(&mut buffer)? == buffer.len() {}
        None
    } else {
        let mut bytes = beginning;
        bytes.extend(source.read_to_end(largest)?);
        Some(bytes)
    };
    let (hash, stamp) = source.finish()?;
    let (open, format): (fn(&Path, _) -> _, _) = if file.of_night {
        (CallTable::open_published, Format::Published)
    } else {
        (CallTable::open, Format::Parquet)
    };
    let table = Arc::new(open(&file.path, unpacked)?.at_most(stamp.size(), policy.max_ratio)?);
    let mut unread = Vec::new();
    if !file.of_night {
        table.check(policy)?;
        unread = self::unread(&table.names);
    }
    for rows in table.pieces() {
        send(ReadPiece::Table { file: number, table: Arc::clone(&table), rows: rows.clone() })?;
    }
    Ok(ReadFile { path: file.clone(), size: stamp.size(), hash, rows: 0, format, unread, stamp })
}

/// Cuts the text of a file into blocks of whole records. `skip` bytes of the beginning are the
/// header.
fn cut_into_blocks(
    source: &mut Source,
    beginning: &[u8],
    skip: usize,
    format: &Format,
    file: u32,
    (path, policy): (&Path, &Policy),
    send: impl Fn(ReadPiece) -> Result<(), FileError>,
) -> Result<(), FileError> {
    // A checksum proves the end of a compressed file; a plain file may have been cut anywhere.
    let may_be_cut =
        source.compression == Compression::Plain && policy.final_newline == FinalNewline::Required;
    let mut first_line = 1 + lines(&beginning[..skip]);
    let mut offset = skip as u64;
    let pool = Arc::default();
    let mut text = Text::new(&pool, 2 * BLOCK);
    text.append(&beginning[skip..]);
    let (mut at_end, mut is_incomplete) = (false, false);
    loop {
        if !at_end && (is_incomplete || text.len() < BLOCK) {
            let got = source.fill(text.make_room(BLOCK))?;
            text.keep(text.len() + got);
            at_end = got < BLOCK;
        }
        if text.is_empty() {
            return Ok(());
        }
        let (mut end, mut broken) = match format {
            Format::Csv(header) => {
                let mut scan = calls_csv::scan(&text, header.delimiter, header.names.len(), at_end);
                if at_end && may_be_cut {
                    scan.break_open_end(&text);
                }
                (scan.end, scan.broken)
            }
            _ if at_end => (text.len(), Vec::new()),
            Format::Json | Format::Parquet | Format::Published => {
                (calls_csv::last_line_end(&text).unwrap_or(0), Vec::new())
            }
        };
        if end == 0 && text.len() > LONGEST_LINE {
            return Err(FileError::new(
                path,
                format!("has a line longer than {LONGEST_LINE} bytes"),
            )
            .at(first_line)
            .hint("this is no call file, or its line ends are lost"));
        }
        is_incomplete = end == 0;
        if is_incomplete {
            continue;
        }
        let mut count = lines(&text[..end]);
        if count > MOST_LINES {
            let cut = nth_line_end(&text[..end], MOST_LINES);
            match format {
                Format::Csv(header) => {
                    let scan =
                        calls_csv::scan(&text[..cut], header.delimiter, header.names.len(), false);
                    // Otherwise a single record has this many lines.
                    if scan.end > 0 {
                        (end, broken) = (scan.end, scan.broken);
                    }
                }
                Format::Json | Format::Parquet | Format::Published => end = cut,
            }
            count = lines(&text[..end]);
        }
        let mut rest = Text::new(&pool, text.len() - end + BLOCK);
        rest.append(&text[end..]);
        let mut bytes = std::mem::replace(&mut text, rest);
        bytes.keep(end);
        let (block_offset, block_line) = (offset, first_line);
        offset += bytes.len() as u64;
        first_line += count;
        send(ReadPiece::Text {
            file,
            offset: block_offset,
            first_line: block_line,
            bytes,
            broken,
            format: format.clone(),
        })?;
        if at_end && text.is_empty() {
            return Ok(());
        }
    }
}

/// The end of the line with this number, counted from 1.
fn nth_line_end(bytes: &[u8], number: u64) -> usize {
    let end = if memchr::memchr(b'\n', bytes).is_some() { b'\n' } else { b'\r' };
    let at = usize::try_from(number)
        .ok()
        .and_then(|number| memchr::memchr_iter(end, bytes).nth(number - 1));
    at.map_or(bytes.len(), |at| at + 1)
}

/// Line ends: `\n`, or `\r` in a text without `\n`.
pub(crate) fn lines(bytes: &[u8]) -> u64 {
    match calls_csv::count_byte(b'\n', bytes) {
        0 => calls_csv::count_byte(b'\r', bytes),
        n => n,
    }
}

impl Reading {
    /// Parses the pieces that arrive, several at a time, and appends in order. The receiver is
    /// dropped on an error, so that the reading thread stops.
    #[allow(
        clippy::needless_pass_by_value,
        reason = "dropped here on an error, which tells the reading thread to stop"
    )]
    fn consume(
        &mut self,
        receiver: Receiver<Result<ReadPiece, FileError>>,
        policy: &Policy,
        dealer: &mut Partitioner,
    ) -> Result<(), FileError> {
        let threads = rayon::current_num_threads();
        // A piece of a table is fifty times a block of text.
        let at_once = |pieces: &[ReadPiece]| {
            if pieces.iter().any(ReadPiece::is_table) { threads } else { 2 * threads }
        };
        let mut pieces = Vec::new();
        let mut open = true;
        while open {
            match receiver.recv() {
                Ok(piece) => pieces.push(piece?),
                Err(_) => open = false,
            }
            while pieces.len() < at_once(&pieces)
                && let Ok(piece) = receiver.try_recv()
            {
                pieces.push(piece?);
            }
            let parsed: Vec<_> =
                dealer.beside(|| pieces.par_iter().map(|piece| piece.parse(policy)).collect())?;
            let mut batch = Vec::with_capacity(parsed.len());
            assert_eq!(parsed.len(), pieces.len(), "each piece is parsed");
            for (piece, parsed) in pieces.drain(..).zip(parsed) {
                let Parsed { calls, keys, links } = parsed?;
                self.keys.merge(keys);
                self.pages.extend(piece.file().zip(links));
                self.note(piece, calls.iter().map(Calls::len).sum(), policy)?;
                batch.extend(calls);
            }
            dealer.add(batch)?;
        }
        Ok(())
    }

    /// An empty reading of one file, into which single pieces are put by [`Reading::put`].
    pub(super) fn of_file(file: &CallPath, policy: &Policy) -> Self {
        Self { names: vec![file.name.clone()], max_ratio: policy.max_ratio, ..Self::default() }
    }

    /// Puts a piece in whose records were counted; returns the number of its first record.
    ///
    /// # Errors
    /// If there are too many records.
    pub(super) fn put(
        &mut self,
        piece: ReadPiece,
        records: usize,
        policy: &Policy,
    ) -> Result<u32, FileError> {
        let first = self.records;
        match piece {
            // The keys of the pieces that were left out are not known.
            ReadPiece::Done(file) => self.files.push(*file),
            piece => self.note(piece, records, policy)?,
        }
        Ok(first)
    }

    /// Notes the origin of a piece's records.
    fn note(&mut self, piece: ReadPiece, records: usize, policy: &Policy) -> Result<(), FileError> {
        let document = matches!(piece, ReadPiece::Document { .. });
        let found = records as u64;
        if let Some(expected) = piece.records()
            && expected != found
        {
            let path = piece
                .file()
                .and_then(|file| self.names.get(file as usize))
                .map_or(Path::new("run"), |name| Path::new(name));
            return Err(FileError::new(
                path,
                format!(
                    "{expected} records were cut, {found} were read: this is a bug of trunkrate"
                ),
            ));
        }
        let (file, offset, length, first_line) = match piece {
            ReadPiece::Done(mut file) => {
                let keys = std::mem::take(&mut self.keys);
                keys.check(&file.path.path, policy)?;
                file.unread.extend(keys.unread());
                self.files.push(*file);
                return Ok(());
            }
            ReadPiece::Text { file, offset, first_line, bytes, .. } => {
                (file, offset, bytes.len() as u64, first_line)
            }
            ReadPiece::Document { file, text, .. } => (file, 0, text.len() as u64, 1),
            ReadPiece::Table { file, rows, .. } => {
                (file, rows.start as u64, found, rows.start as u64 + 1)
            }
        };
        let after = u32::try_from(records).ok().and_then(|found| self.records.checked_add(found));
        let after = after.filter(|after| *after < u32::MAX).ok_or_else(too_many)?;
        self.blocks.push(Block {
            file,
            first_record: self.records,
            offset,
            length,
            first_line,
            document,
        });
        self.records = after;
        Ok(())
    }

    /// Pages beside which another page is missing: the name of each, the missing neighbour, and its
    /// address.
    #[must_use]
    pub fn incomplete(&self) -> Vec<(String, Neighbour, String)> {
        let pages: Vec<Links> = self.pages.iter().map(|(_, links)| links.clone()).collect();
        let of = |(file, links): &(u32, Links)| -> Vec<_> {
            let name = &self.names[*file as usize];
            links.missing(&pages).map(|(which, place)| (name.clone(), which, place)).collect()
        };
        self.pages.iter().flat_map(of).collect()
    }

    /// Refuses a run whose files changed since they were read.
    ///
    /// # Errors
    /// The first file that did.
    pub fn check_unchanged(&self) -> Result<(), FileError> {
        self.files.iter().try_for_each(|file| file.stamp.check(&file.path.path))
    }

    fn count_rows(&mut self) {
        for (number, block) in self.blocks.iter().enumerate() {
            let end = self.blocks.get(number + 1).map_or(self.records, |next| next.first_record);
            self.files[block.file as usize].rows += u64::from(end - block.first_record);
        }
        let rows: u64 = self.files.iter().map(|file| file.rows).sum();
        assert_eq!(
            rows + self.waiting.len() as u64,
            u64::from(self.records),
            "each record waited, or is of a file"
        );
    }

    pub(crate) fn block_of(&self, record: usize) -> Option<(usize, &Block)> {
        let after = self.blocks.partition_point(|block| block.first_record as usize <= record);
        let number = after.checked_sub(1)?;
        Some((number, &self.blocks[number]))
    }
}

/// The result of parsing a piece.
pub(super) struct Parsed {
    pub(super) calls: Vec<Calls>,
    keys: Keys,
    /// The links of a page to its neighbours.
    links: Option<Links>,
}

impl ReadPiece {
    /// The number of its records, counted without reading them: the other side of the conservation
    /// law. (`None` for a JSON document, which only the parser can count.)
    fn records(&self) -> Option<u64> {
        match self {
            Self::Text { bytes, broken, format: Format::Csv(header), .. } => {
                Some(calls_csv::count(bytes, broken, header.delimiter))
            }
            Self::Text { bytes, .. } => Some(calls_json::count_lines(bytes)),
            Self::Table { rows, .. } => Some(rows.len() as u64),
            Self::Document { .. } | Self::Done(_) => None,
        }
    }

    /// True unless a text is nowhere in the piece. Parquet is not looked through, and a text that
    /// JSON may write in escapes may be anywhere where such are.
    pub(super) fn may_hold(&self, text: &str) -> bool {
        let (bytes, is_json) = match self {
            Self::Text { bytes, format, .. } => (&bytes[..], *format == Format::Json),
            Self::Document { text, .. } => (text.as_bytes(), true),
            Self::Table { .. } => return true,
            Self::Done(_) => return false,
        };
        memchr::memmem::find(bytes, text.as_bytes()).is_some()
            || is_json && memchr::memmem::find(bytes, b"\\u").is_some()
    }

    /// True for the end of a file.
    pub(super) fn is_end(&self) -> bool {
        matches!(self, Self::Done(_))
    }

    fn is_table(&self) -> bool {
        matches!(self, Self::Table { .. })
    }

    fn file(&self) -> Option<u32> {
        match self {
            Self::Text { file, .. } | Self::Document { file, .. } | Self::Table { file, .. } => {
                Some(*file)
            }
            Self::Done(_) => None,
        }
    }

    /// Parses its records, in one block or more.
    pub(super) fn parse(&self, policy: &Policy) -> Result<Parsed, FileError> {
        let plain = |calls: Vec<Calls>| Parsed { calls, keys: Keys::default(), links: None };
        match self {
            Self::Text { bytes, broken, format: Format::Csv(header), .. } => {
                Ok(plain(vec![calls_csv::parse_block(bytes, broken, header, policy)]))
            }
            Self::Text { bytes, .. } => {
                let (calls, keys) = calls_json::parse_lines(bytes, policy);
                Ok(Parsed { calls: vec![calls], keys, links: None })
            }
            Self::Document { path, text, .. } => {
                let document = calls_json::document(path, text)?;
                let (mut calls, mut keys) = (Calls::default(), Keys::default());
                for (place, object) in document.calls {
                    let place = u32::try_from(place).expect("a document has less than 4 GiB");
                    let found =
                        calls_json::push_object(object.as_bytes(), place, policy, &mut calls);
                    keys.add(found, object.as_bytes());
                }
                Ok(Parsed { calls: vec![calls], keys, links: document.links })
            }
            Self::Table { table, rows, .. } => Ok(plain(table.calls(rows.clone(), policy)?)),
            Self::Done(_) => Ok(plain(Vec::new())),
        }
    }
}
