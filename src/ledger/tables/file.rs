//! Stored files: checked by their hash before they are read, and read by footer, row group and
//! column.

use crate::catch_panic::{guarded, guarded_apart};
use crate::inputs::file::FileError;
use crate::ledger::error::{LedgerError, RESTORE, unread};
use crate::ledger::manifest::{FILE_NAME, StoredFile};
use crate::ledger::place::{Dataset, day_of_file, is_run_name};
use crate::ledger::run::Run;
use crate::ledger::tables::columns;
use crate::ledger::tables::stored::Rows;
use crate::time::Micros;
use polars::io::parquet::metadata::{FileMetadata, FileMetadataRef};
use polars::prelude::*;
use std::fs::File;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};

impl Run {
    /// The files of a dataset, as its manifest names them, by date.
    pub(crate) fn stored(&self, dataset: Dataset) -> Vec<&StoredFile> {
        let is_of = |file: &&StoredFile| file.path.split('/').next() == Some(dataset.as_str());
        let mut files: Vec<&StoredFile> = self.manifest.files.iter().filter(is_of).collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files
    }

    /// The files of a dataset, by date.
    #[must_use]
    pub fn files(&self, dataset: Dataset) -> Vec<PathBuf> {
        self.stored(dataset).into_iter().map(|file| self.folder.join(&file.path)).collect()
    }

    /// Checks that the files whose names begin with `prefix` are as they were written.
    ///
    /// # Errors
    /// The first that is not, or cannot be read.
    pub fn check_files(&self, prefix: &str) -> Result<(), FileError> {
        self.manifest
            .files
            .iter()
            .filter(|file| file.path.starts_with(prefix))
            .try_for_each(|file| self.check_stored(file))
    }

    /// Checks that the files of a dataset by date are as they were written, on the wanted days.
    ///
    /// # Errors
    /// The first that is not, or cannot be read.
    pub fn check_days(
        &self,
        dataset: Dataset,
        wanted: impl Fn(i64) -> bool,
    ) -> Result<(), LedgerError> {
        for file in self.stored(dataset) {
            let path = self.folder.join(&file.path);
            if day_of_file(&path).is_some_and(&wanted) {
                self.check_stored(file).map_err(|e| not_read(&path, e))?;
            }
        }
        Ok(())
    }

    /// Refuses a file of the run that is not as it was written, before anything is read from it.
    /// Each file is hashed once, however often it is read.
    ///
    /// # Errors
    /// If it was changed, cannot be read, or does not belong to the run.
    pub fn check_before_read(&self, path: &Path) -> Result<(), LedgerError> {
        let is_it = |file: &&StoredFile| self.folder.join(&file.path) == path;
        let Some(file) = self.manifest.files.iter().find(is_it) else {
            return Err(FileError::new(path, "is no file of its run").hint(RESTORE).into());
        };
        let mut checked = self.checked.lock().expect("a file was hashed without a panic");
        if !checked.contains(&file.path) {
            self.check_stored(file).map_err(|e| not_read(path, e))?;
            checked.insert(file.path.clone());
        }
        Ok(())
    }

    /// Checks that a file is as it was written.
    ///
    /// # Errors
    /// If it was changed, or cannot be read.
    pub fn check_stored(&self, file: &StoredFile) -> Result<(), FileError> {
        let path = self.folder.join(&file.path);
        let (bytes, hash) = hash_file(&path)?;
        if bytes == file.bytes && hash == file.blake3 {
            return Ok(());
        }
        let problem = format!(
            "is not as it was written: {bytes} bytes, BLAKE3 {hash}; expected {} bytes, {}",
            file.bytes, file.blake3
        );
        Err(FileError::new(&path, problem).hint(RESTORE))
    }
}

/// Size and BLAKE3 of a file.
///
/// # Errors
/// If it cannot be read.
pub fn hash_file(path: &Path) -> Result<(u64, String), FileError> {
    let hash = || {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(File::open(path)?)?;
        Ok::<_, std::io::Error>((hasher.count(), hasher.finalize().to_hex().to_string()))
    };
    hash().map_err(|e| not_read(path, FileError::new(path, format!("cannot be read: {e}"))))
}

/// Reads columns of a file.
///
/// # Errors
/// If it is missing or corrupt.
pub fn frame(path: &Path, columns: &[&str]) -> Result<DataFrame, LedgerError> {
    of_known_types(path, read_columns(path, columns, |reader| reader))
}

/// Reads some rows of a file, and only their row groups.
///
/// # Errors
/// If it is missing or corrupt.
pub fn slice(
    path: &Path,
    columns: &[&str],
    offset: usize,
    rows: usize,
) -> Result<DataFrame, LedgerError> {
    Footer::of(path)?.rows(columns, offset, rows)
}

/// A row group in a Parquet file of legs or of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its number of rows.
    pub rows: usize,
    /// The first and the last start in it, if its statistics have them.
    pub starts: Option<RangeInclusive<Micros>>,
}

/// A file whose footer was read: once, however many rows are read later. (In a file of 760 row
/// groups, read one after the other, reading the whole footer for each took half of the time.)
#[derive(Debug)]
pub struct Footer<'a> {
    path: &'a Path,
    metadata: FileMetadataRef,
}

impl<'a> Footer<'a> {
    /// Reads the footer of a file.
    ///
    /// # Errors
    /// If it is missing or corrupt.
    pub fn of(path: &'a Path) -> Result<Self, LedgerError> {
        Ok(Self::read(path).map_err(|e| not_read(path, e))?)
    }

    fn read(path: &'a Path) -> Result<Self, FileError> {
        let file =
            File::open(path).map_err(|e| FileError::new(path, format!("cannot be read: {e}")))?;
        let metadata = guarded(path, || ParquetReader::new(file).get_metadata().cloned())?;
        Ok(Self { path, metadata })
    }

    /// The file.
    pub(super) fn path(&self) -> &'a Path {
        self.path
    }

    /// The content of the footer.
    pub(super) fn metadata(&self) -> &FileMetadataRef {
        &self.metadata
    }

    /// The row groups, in their order.
    #[must_use]
    pub fn groups(&self) -> Vec<Group> {
        let metadata = &self.metadata;
        let of = |group: usize| {
            let group = &metadata.row_groups[group];
            let starts = || {
                let column = group.columns_under_root_iter("start_time")?.next()?;
                let statistics = column.statistics(&metadata.footer_buf)?.ok()?;
                let starts = statistics.as_int64()?;
                Some(starts.min_value?..=starts.max_value?)
            };
            Group { rows: group.num_rows(), starts: starts() }
        };
        (0..metadata.row_groups.len()).map(of).collect()
    }

    /// Reads some rows, and only their row groups.
    ///
    /// # Errors
    /// If the file is gone or corrupt.
    pub fn rows(
        &self,
        columns: &[&str],
        offset: usize,
        rows: usize,
    ) -> Result<DataFrame, LedgerError> {
        of_known_types(self.path, self.raw_rows(columns, offset, rows))
    }

    fn raw_rows(
        &self,
        columns: &[&str],
        offset: usize,
        rows: usize,
    ) -> Result<DataFrame, FileError> {
        let (before, metadata) = self.only_groups_of(offset..offset.saturating_add(rows));
        assert!(before <= offset, "the groups that are left out end before the rows");
        let frame = read_columns(self.path, columns, |mut reader| {
            reader.set_metadata(metadata.into());
            reader = reader.with_slice(Some((offset - before, rows)));
            if rows <= FEW_ROWS { reader.read_parallel(ParallelStrategy::None) } else { reader }
        })?;
        let all: usize =
            self.metadata.row_groups.iter().fold(0, |all, group| all + group.num_rows());
        let expected = all.saturating_sub(offset).min(rows);
        if frame.height() != expected {
            let problem = format!(
                "has {} rows from row {} on, where its footer says {expected}",
                frame.height(),
                offset + 1
            );
            return Err(FileError::new(self.path, problem));
        }
        Ok(frame)
    }

    /// The footer with only the row groups that hold these rows, and the number of rows in the
    /// groups before. (polars begins to read each column of each group before it skips it.)
    fn only_groups_of(&self, rows: Range<usize>) -> (usize, FileMetadata) {
        let all = &self.metadata;
        let (mut end, mut before, mut row_groups, mut num_rows) = (0, 0, Vec::new(), 0);
        for group in &all.row_groups {
            let first = end;
            end += group.num_rows();
            if end <= rows.start {
                before = end;
            } else if first < rows.end && rows.start < end {
                num_rows += group.num_rows();
                row_groups.push(group.clone());
            }
        }
        let only = FileMetadata {
            version: all.version,
            num_rows,
            max_row_group_height: all.max_row_group_height,
            created_by: all.created_by.clone(),
            row_groups,
            key_value_metadata: all.key_value_metadata.clone(),
            schema_descr: all.schema_descr.clone(),
            column_orders: all.column_orders.clone(),
            footer_buf: all.footer_buf.clone(),
        };
        (before, only)
    }
}

/// Reads columns of a file, one row group at a time: no more is in memory at once.
///
/// # Errors
/// If it is missing or corrupt, or `then` fails.
pub fn each_group<E: From<LedgerError>>(
    path: &Path,
    columns: &[&str],
    mut then: impl FnMut(&Rows<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let (footer, mut first) = (Footer::of(path)?, 0);
    for Group { rows, .. } in footer.groups() {
        then(&Rows::new(path, first, &footer.rows(columns, first, rows)?))?;
        first += rows;
    }
    Ok(())
}

/// Reads columns of some rows, whatever their type.
///
/// # Errors
/// If the file is missing or corrupt.
pub(crate) fn raw_rows(
    path: &Path,
    columns: &[&str],
    offset: usize,
    rows: usize,
) -> Result<DataFrame, FileError> {
    Footer::read(path)?.raw_rows(columns, offset, rows)
}

fn read_columns(
    path: &Path,
    columns: &[&str],
    with: impl FnOnce(ParquetReader<File>) -> ParquetReader<File> + Send,
) -> Result<DataFrame, FileError> {
    let file =
        File::open(path).map_err(|e| FileError::new(path, format!("cannot be read: {e}")))?;
    let columns = columns.iter().map(|c| (*c).to_owned()).collect();
    guarded_apart(path, || {
        with(ParquetReader::new(file).with_columns(Some(columns)).set_rechunk(true)).finish()
    })
}

fn of_known_types(
    path: &Path,
    frame: Result<DataFrame, FileError>,
) -> Result<DataFrame, LedgerError> {
    let frame = frame.map_err(|e| not_read(path, e))?;
    for column in frame.columns() {
        let is_number = columns::is_number(column.name());
        let expected = match column.dtype() {
            DataType::String => !is_number,
            DataType::Int64 | DataType::Decimal(_, _) | DataType::Datetime(_, _) => is_number,
            _ => false,
        };
        if !expected {
            let problem = format!("has the column {} as {}", column.name(), column.dtype());
            return Err(FileError::new(path, problem).hint(RESTORE).into());
        }
    }
    Ok(frame)
}

/// Up to this many rows are read faster than threads are started for them.
const FEW_ROWS: usize = 1 << 12;

/// The reason why a file of a run could not be read: it is broken, or its run was undone meanwhile.
pub(crate) fn not_read(path: &Path, error: FileError) -> FileError {
    if path.try_exists().is_ok_and(|there| !there) {
        // If the run is still in its place, only the file is lost.
        let run = path.ancestors().find(|folder| is_run_name(folder));
        if run.is_some_and(|run| run.join(FILE_NAME).exists()) {
            return FileError::new(path, "is missing").hint(RESTORE);
        }
        return FileError::new(path, "is gone: its run was undone meanwhile").hint("try again");
    }
    match File::open(path) {
        Ok(_) => error.hint(RESTORE),
        Err(e) => unread(path, &e),
    }
}
