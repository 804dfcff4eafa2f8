//! Parquet from outside: what its pages say of themselves, held against its footer before anything is unpacked.
//!
//! # Why
//! polars reserves as much memory as a page says that it needs. A page that says -1 values ends the process, and nothing can
//! catch that: not an error with the file's name, but an abort. What is only short is found too: a column with fewer values
//! than its row group has rows would end in a panic when the rows are read side by side.

use polars::io::parquet::metadata::FileMetadataRef;
use polars::prelude::{PolarsResult, polars_err};
use polars_parquet::parquet::page::CompressedPage;
use polars_parquet::parquet::read::PageReader;
use std::io::{Cursor, Read, Seek, SeekFrom};

/// Whether every page of every column can be what it says, and every column has as many values as its group has rows.
///
/// # Errors
/// The first column that cannot.
pub(crate) fn check(mut file: impl Read + Seek, metadata: &FileMetadataRef) -> PolarsResult<()> {
    let size = file.seek(SeekFrom::End(0))?;
    for (number, group) in metadata.row_groups.iter().enumerate() {
        for column in group.parquet_columns() {
            let name = column.descriptor().path_in_schema.join(".");
            let wrong = |what: String| polars_err!(ComputeError: "the column `{name}` of row group {number} {what}");
            let range = column.byte_range();
            if range.end > size {
                return Err(wrong(format!("ends at byte {}, and the file has {size}", range.end)));
            }
            let length = usize::try_from(range.end - range.start).expect("no more bytes than the file has");
            let mut bytes = vec![0; length];
            file.seek(SeekFrom::Start(range.start))?;
            file.read_exact(&mut bytes)?;
            // A list has more values than rows, or fewer.
            let is_flat = column.descriptor().descriptor.max_rep_level == 0;
            let expected = if is_flat { Some(group.num_rows()) } else { usize::try_from(column.num_values()).ok() };
            let expected = expected.ok_or_else(|| wrong(format!("says that it has {} values", column.num_values())))?;
            let mut values = 0_usize;
            for page in PageReader::new(Cursor::new(bytes.into()), column, Vec::new(), length) {
                let CompressedPage::Data(page) = page? else { continue };
                let more = page.num_values();
                if more > expected || page.null_count().is_some_and(|nulls| nulls > more) {
                    return Err(wrong(format!("has a page of {} values", more.cast_signed())));
                }
                values += more;
            }
            if values != expected {
                return Err(wrong(format!("has {values} values, and the group {} rows", group.num_rows())));
            }
        }
    }
    Ok(())
}
