//! Call files: found, opened, decompressed, hashed, and watched for change.
//!
//! **Invariant:** a file that cannot be read whole fails the run. The hash is of the bytes that
//! were read, and a file that changed meanwhile (still uploading) is refused.

use crate::inputs::file::{FileError, open_regular};
use std::ffi::OsStr;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// A call file, and its name in outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallPath {
    /// Its path.
    pub path: PathBuf,
    /// As the user named it.
    pub name: String,
    /// True for records of a published night: each has its own origin, and says if it is malformed.
    pub of_night: bool,
}

/// The endings of call files, before `.gz` or `.zst`. Other files in a folder are skipped with a
/// warning.
const ENDINGS: [&str; 7] = ["csv", "tsv", "psv", "json", "jsonl", "ndjson", "parquet"];

/// The files of a folder or glob.
#[derive(Debug, Default)]
pub struct FoundFiles {
    /// Call files, each once, by name.
    pub files: Vec<CallPath>,
    /// Other files in folders that were named.
    pub left_out: Vec<PathBuf>,
    /// The folders that were walked through, with all below them.
    pub folders: Vec<PathBuf>,
    /// The globs.
    pub globs: Vec<PathBuf>,
}

/// Finds the call files of paths, folders (with all below them) and globs.
///
/// # Errors
/// A path that does not exist, a glob that matches nothing, a folder without call files.
pub fn find(patterns: &[PathBuf]) -> Result<FoundFiles, FileError> {
    let mut found = FoundFiles::default();
    for pattern in patterns {
        let before = (found.files.len(), found.left_out.len());
        if pattern.is_dir() {
            found.folders.push(pattern.clone());
            walk(pattern, &mut found)?;
        } else if pattern.exists() {
            found.add(pattern);
        } else {
            found.globs.push(pattern.clone());
            glob_into(pattern, &mut found)?;
        }
        if found.files.len() == before.0 {
            let problem = match found.left_out.len() - before.1 {
                0 if pattern.is_dir() => "the folder is empty; expected call files".to_owned(),
                0 => "no such file, and no match as a glob".to_owned(),
                n => format!("none of its {n} files is a call file"),
            };
            return Err(FileError::new(pattern, problem)
                .hint("call files end in .csv, .json, .jsonl or .parquet, also with .gz or .zst"));
        }
    }
    // A file that is reached by two paths is read once: twice would make every record of it a
    // duplicate.
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut seen = std::collections::HashSet::new();
    found.files.sort_by(|a, b| a.name.cmp(&b.name));
    found.files.retain(|file| seen.insert(real(&file.path)));
    Ok(found)
}

/// The approximate number of calls in some files, by their sizes: used only to size the partitions.
#[must_use]
pub fn expected_calls(files: &[CallPath]) -> u64 {
    let calls = |file: &CallPath| {
        let bytes = std::fs::metadata(&file.path).map_or(0, |meta| meta.len());
        let ending =
            file.path.extension().map_or_else(String::new, |e| e.to_string_lossy().to_lowercase());
        match ending.as_str() {
            "gz" | "zst" => bytes / 40,
            "parquet" => bytes / 50,
            _ => bytes / bytes_a_call(&file.path),
        }
    };
    files.iter().map(calls).sum()
}

/// The approximate size of a call in a file, in bytes: 200, unless its beginning has lines that are
/// far too short to be calls.
fn bytes_a_call(path: &Path) -> u64 {
    let mut beginning = Vec::new();
    let read = open_regular(path)
        .is_ok_and(|file| file.take(64 << 10).read_to_end(&mut beginning).is_ok());
    let lines = memchr::memchr_iter(b'\n', &beginning).count() as u64;
    let a_line = (beginning.len() as u64).checked_div(lines).filter(|bytes| read && *bytes < 50);
    a_line.map_or(200, |bytes| bytes.max(1))
}

impl FoundFiles {
    /// What of these would find a file again that was put into a folder: one that is walked
    /// through, one that holds a call file, or a glob. The folder is given from the root, without
    /// links.
    #[must_use]
    pub fn reading(&self, dir: &Path) -> Option<PathBuf> {
        let real = |folder: &Path| folder.canonicalize().ok();
        let holds = |folder: &&PathBuf| real(folder).is_some_and(|real| dir.starts_with(real));
        if let Some(folder) = self.folders.iter().find(holds) {
            return Some(folder.clone());
        }
        let parents = self
            .files
            .iter()
            .filter_map(|file| file.path.parent())
            .map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent });
        if let Some(parent) =
            parents.into_iter().find(|parent| real(parent).as_deref() == Some(dir))
        {
            return Some(parent.to_owned());
        }
        self.globs.iter().find(|glob| self.reaches(glob, dir)).cloned()
    }

    /// True if a glob matches a folder, one above it, or a file in it of a name that was found.
    fn reaches(&self, glob: &Path, dir: &Path) -> bool {
        let is_wild = |part: &std::path::Component<'_>| {
            part.as_os_str().to_string_lossy().contains(['*', '?', '['])
        };
        let base: PathBuf = glob.components().take_while(|part| !is_wild(part)).collect();
        let rest: PathBuf = glob.components().skip_while(|part| !is_wild(part)).collect();
        let base = if base.as_os_str().is_empty() { PathBuf::from(".") } else { base };
        let Ok(base) = base.canonicalize() else { return false };
        let whole = Path::new(&glob::Pattern::escape(&base.to_string_lossy())).join(rest);
        let Ok(pattern) = glob::Pattern::new(&whole.to_string_lossy()) else { return false };
        let options = glob::MatchOptions { require_literal_separator: true, ..Default::default() };
        let matches = |path: &Path| pattern.matches_path_with(path, options);
        let names = self.files.iter().filter_map(|file| file.path.file_name());
        dir.ancestors().any(matches) || names.into_iter().any(|name| matches(&dir.join(name)))
    }

    fn add(&mut self, path: &Path) {
        self.files.push(CallPath {
            path: path.to_owned(),
            name: path.display().to_string(),
            of_night: false,
        });
    }
}

fn glob_into(pattern: &Path, found: &mut FoundFiles) -> Result<(), FileError> {
    let text = pattern.to_str().ok_or_else(|| FileError::new(pattern, "no such file"))?;
    let paths = glob::glob(text)
        .map_err(|e| FileError::new(pattern, format!("no such file, and no glob: {e}")))?;
    for path in paths {
        let path =
            path.map_err(|e| FileError::new(e.path(), format!("cannot be read: {}", e.error())))?;
        if path.is_dir() {
            found.folders.push(path.clone());
            walk(&path, found)?;
        } else {
            found.add(&path);
        }
    }
    Ok(())
}

fn walk(folder: &Path, found: &mut FoundFiles) -> Result<(), FileError> {
    let fail = |e: std::io::Error| FileError::new(folder, format!("cannot be read: {e}"));
    let mut entries =
        std::fs::read_dir(folder).map_err(fail)?.collect::<Result<Vec<_>, _>>().map_err(fail)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let name = entry.file_name();
        if is_hidden(&name) {
            // Hidden markers and partial files of other tools (_SUCCESS, .part.crc) and their
            // folders are skipped silently; a hidden call file is reported.
            if path.is_file() && ENDINGS.contains(&format_ending(&path).as_str())
                || has_call_file(&path)
            {
                found.left_out.push(path);
            }
            continue;
        }
        if path.is_dir() {
            // A linked folder may contain the folder that holds the link.
            if path.is_symlink() { found.left_out.push(path) } else { walk(&path, found)? }
        } else if ENDINGS.contains(&format_ending(&path).as_str()) {
            found.add(&path);
        } else {
            found.left_out.push(path);
        }
    }
    Ok(())
}

/// True if a folder that is left out has a file that is named like a call file. (Links are not
/// followed.)
fn has_call_file(folder: &Path) -> bool {
    if folder.is_symlink() || folder.file_name().is_some_and(|name| name == "_delta_log") {
        return false;
    }
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries.filter_map(Result::ok).any(|entry| {
        let path = entry.path();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder {
            has_call_file(&path)
        } else {
            ENDINGS.contains(&format_ending(&path).as_str())
        }
    })
}

fn is_hidden(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with(['.', '_'])
}

/// The reason why a file of a folder is not read.
#[must_use]
pub fn why_left_out(path: &Path) -> &'static str {
    if path.file_name().is_some_and(is_hidden) {
        "its name starts as those of partial files do; name it on the command line to read it"
    } else {
        "its name is not that of a call file"
    }
}

/// The ending that names the format, in lower case, without `.gz` or `.zst`.
#[must_use]
pub fn format_ending(path: &Path) -> String {
    let mut path = path.to_owned();
    let ending = |path: &Path| {
        path.extension().map_or_else(String::new, |e| e.to_string_lossy().to_lowercase())
    };
    if matches!(ending(&path).as_str(), "gz" | "zst") {
        path.set_extension("");
    }
    ending(&path)
}

/// The size and time of change of a file, to tell if it is still the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    size: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    /// The stamp of a file, now.
    ///
    /// # Errors
    /// If the file cannot be looked at.
    pub fn of(path: &Path) -> Result<Self, FileError> {
        let meta = std::fs::metadata(path)
            .map_err(|e| FileError::new(path, format!("cannot be read: {e}")))?;
        if !meta.is_file() {
            return Err(FileError::new(path, "is no regular file")
                .hint("write the export to a file first: it is read again for what is suspended"));
        }
        Ok(Self { size: meta.len(), modified: meta.modified().ok() })
    }

    /// Refuses a file that has changed.
    ///
    /// # Errors
    /// If its size or its time of change differ.
    pub fn check(&self, path: &Path) -> Result<(), FileError> {
        if Self::of(path)? == *self {
            return Ok(());
        }
        Err(FileError::new(path, "changed while it was read")
            .hint("run again when the upload is complete"))
    }

    /// Bytes as stored.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }
}

/// The compression of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// None.
    Plain,
    /// gzip, also of several members.
    Gzip,
    /// Zstandard, also of several frames.
    Zstd,
}

/// An open call file: its text, decompressed and hashed on the way.
pub struct Source {
    reader: Box<dyn Read + Send>,
    hasher: Arc<Hasher>,
    /// Its compression.
    pub compression: Compression,
    path: PathBuf,
    stamp: Stamp,
    /// The bytes of text so far.
    unpacked: u64,
    max_ratio: u32,
}

/// The text that any file may unpack to, however small it is.
const ALWAYS: u64 = 1 << 20;

#[derive(Default)]
struct Hasher {
    state: std::sync::Mutex<blake3::Hasher>,
    bytes: AtomicU64,
}

struct Hashing<R> {
    inner: R,
    hasher: Arc<Hasher>,
    progress: Arc<AtomicU64>,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        if let Ok(mut state) = self.hasher.state.lock() {
            state.update(&buffer[..count]);
        }
        self.hasher.bytes.fetch_add(count as u64, Ordering::Relaxed);
        self.progress.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

impl Source {
    /// Opens a file; `progress` counts the bytes read.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open(path: &Path, progress: &Arc<AtomicU64>) -> Result<Self, FileError> {
        let fail = |e: std::io::Error| FileError::new(path, format!("cannot be read: {e}"));
        let stamp = Stamp::of(path)?;
        let mut file = open_regular(path)?;
        let mut magic = [0; 4];
        let got = read_full(&mut file, &mut magic).map_err(fail)?;
        let compression = match &magic[..got] {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            // A frame of data, or one to be skipped: writers of many frames begin with such.
            [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Compression::Zstd,
            _ => Compression::Plain,
        };
        std::io::Seek::rewind(&mut file).map_err(fail)?;
        let hasher = Arc::new(Hasher::default());
        let raw =
            Hashing { inner: file, hasher: Arc::clone(&hasher), progress: Arc::clone(progress) };
        let reader: Box<dyn Read + Send> = match compression {
            Compression::Plain => Box::new(raw),
            Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(
                BufReader::with_capacity(1 << 17, raw),
            )),
            Compression::Zstd => Box::new(zstd::Decoder::new(raw).map_err(fail)?),
        };
        Ok(Self {
            reader,
            hasher,
            compression,
            path: path.to_owned(),
            stamp,
            unpacked: 0,
            max_ratio: u32::MAX,
        })
    }

    /// Refuses to unpack the file to more than `max_ratio` times its size: a few hundred bytes can
    /// expand to fill any memory.
    #[must_use]
    pub fn at_most(self, max_ratio: u32) -> Self {
        Self { max_ratio, ..self }
    }

    fn count(&mut self, bytes: usize) -> Result<(), FileError> {
        self.unpacked += bytes as u64;
        let (size, ratio) = (self.stamp.size, u64::from(self.max_ratio));
        if self.compression == Compression::Plain
            || self.unpacked <= size.saturating_mul(ratio).max(ALWAYS)
        {
            return Ok(());
        }
        Err(FileError::new(
            &self.path,
            format!(
                "unpacks to more than {ratio} times its {size} \
                                                bytes"
            ),
        )
        .hint(
            "calls are not so much alike: fetch the file again; if it is as it should be, \
                   raise `input.max_ratio`",
        ))
    }

    /// Fills a buffer from the text; less than asked for only at its end.
    ///
    /// # Errors
    /// If the file breaks off, is corrupt, or cannot be read.
    pub fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, FileError> {
        let count = read_full(&mut self.reader, buffer).map_err(|e| self.broken(&e))?;
        self.count(count)?;
        Ok(count)
    }

    /// Reads the rest of the text.
    ///
    /// # Errors
    /// As [`Source::fill`]; also if there is more than `limit`.
    pub fn read_to_end(&mut self, limit: u64) -> Result<Vec<u8>, FileError> {
        let mut bytes = Vec::new();
        loop {
            let before = bytes.len();
            let room = (limit + 1 - before as u64).min(ALWAYS);
            (&mut self.reader).take(room).read_to_end(&mut bytes).map_err(|e| self.broken(&e))?;
            self.count(bytes.len() - before)?;
            if bytes.len() as u64 > limit || bytes.len() == before {
                break;
            }
        }
        if bytes.len() as u64 > limit {
            return Err(FileError::new(
                &self.path,
                format!(
                    "is larger than {limit} bytes, which \
                                                           one document may have"
                ),
            )
            .hint(
                "export one call a line: jq -c '.[]' FILE, or .calls[]; or CSV or Parquet; \
                       or give it more --memory",
            ));
        }
        Ok(bytes)
    }

    fn broken(&self, error: &std::io::Error) -> FileError {
        let at = self.hasher.bytes.load(Ordering::Relaxed);
        let what = match self.compression {
            Compression::Plain => "cannot be read".to_owned(),
            Compression::Gzip => "is truncated or corrupt gzip".to_owned(),
            Compression::Zstd => "is truncated or corrupt zstd".to_owned(),
        };
        FileError::new(
            &self.path,
            format!("{what}, near byte {at} of {}: {error}", self.stamp.size),
        )
        .hint("nothing was booked; fetch the file again")
    }

    /// Ends the reading: the file's hash (BLAKE3, of the bytes as stored) and its stamp.
    ///
    /// # Errors
    /// If bytes are left over after the text, or the file changed while it was read.
    pub fn finish(mut self) -> Result<(String, Stamp), FileError> {
        if self.fill(&mut [0; 1])? != 0 {
            return Err(FileError::new(&self.path, "has data after its end"));
        }
        self.stamp.check(&self.path)?;
        let bytes = self.hasher.bytes.load(Ordering::Relaxed);
        if bytes != self.stamp.size {
            return Err(FileError::new(
                &self.path,
                format!("has {} bytes, but {bytes} were read", self.stamp.size),
            )
            .hint("run again when the upload is complete"));
        }
        let state = self.hasher.state.lock().expect("the file was hashed without a panic");
        let hash = state.finalize().to_hex().to_string();
        drop(state);
        Ok((hash, self.stamp))
    }
}

fn read_full(reader: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match reader.read(&mut buffer[done..]) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}
