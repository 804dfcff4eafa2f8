//! Checks Parquet pages against their footer before anything is unpacked.
//!
//! # Why
//! polars reserves as much memory as a page claims to need. A page that claims -1 values ends the
//! process by an abort, which nothing can catch, instead of an error with the file's name. The
//! check also finds short pages: a column with fewer values than its row group has rows would end
//! in a panic when the rows are read side by side.

use polars::io::parquet::metadata::FileMetadataRef;
use polars::prelude::{PolarsResult, polars_err};
use polars_parquet::parquet::encoding::Encoding;
use polars_parquet::parquet::metadata::RowGroupMetadata;
use polars_parquet::parquet::page::CompressedPage;
use polars_parquet::parquet::read::{BasicDecompressor, PageReader};
use polars_parquet::parquet::schema::types::PhysicalType;
use std::io::{Cursor, Read, Seek, SeekFrom};

/// The unpacked size of a file's pages.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PageCounts {
    /// Their bytes, unpacked.
    pub unpacked: u64,
    /// The most bytes of text that a row has, as far as dictionaries tell: one of their values may
    /// be in every row.
    pub row_text: u64,
}

/// The length taken for a delta-encoded value, which may have any.
const OF_DELTAS: u64 = 64 << 10;

/// Checks that the claims of every page of every column are possible, and that every column has as
/// many values as its group has rows; returns the size of the pages.
///
/// # Errors
/// The first column that fails.
pub(crate) fn check(
    mut file: impl Read + Seek,
    metadata: &FileMetadataRef,
) -> PolarsResult<PageCounts> {
    let mut pages = PageCounts::default();
    let rows: usize = metadata.row_groups.iter().map(RowGroupMetadata::num_rows).sum();
    if rows != metadata.num_rows {
        let claimed = metadata.num_rows;
        return Err(
            polars_err!(ComputeError: "its footer has {claimed} rows, and its row groups {rows}"),
        );
    }
    let size = file.seek(SeekFrom::End(0))?;
    for (number, group) in metadata.row_groups.iter().enumerate() {
        let mut row_text = 0;
        for column in group.parquet_columns() {
            let name = column.descriptor().path_in_schema.join(".");
            let wrong = |what: String| {
                polars_err!(ComputeError: "the column `{name}` of row \
                group {number} {what}")
            };
            let range = column.byte_range();
            if range.end > size {
                return Err(wrong(format!("ends at byte {}, and the file has {size}", range.end)));
            }
            let length =
                usize::try_from(range.end - range.start).expect("no more bytes than the file has");
            let mut bytes = vec![0; length];
            file.seek(SeekFrom::Start(range.start))?;
            file.read_exact(&mut bytes)?;
            // A column of lists may have more values than rows, or fewer.
            let is_flat = column.descriptor().descriptor.max_rep_level == 0;
            let expected = if is_flat {
                Some(group.num_rows())
            } else {
                usize::try_from(column.num_values()).ok()
            };
            let expected = expected
                .ok_or_else(|| wrong(format!("says that it has {} values", column.num_values())))?;
            let mut values = 0_usize;
            let bytes = bytes.into();
            let reader =
                || PageReader::new(Cursor::new(Clone::clone(&bytes)), column, Vec::new(), length);
            let is_text = column.descriptor().descriptor.primitive_type.physical_type
                == PhysicalType::ByteArray;
            let mut longest = if is_text { longest_of_dictionary(reader())? } else { 0 };
            for page in reader() {
                let CompressedPage::Data(page) = page? else { continue };
                let more = page.num_values();
                pages.unpacked = pages.unpacked.saturating_add(page.uncompressed_size() as u64);
                if page.header().encoding() == Encoding::DeltaByteArray.into() {
                    longest = longest.max(OF_DELTAS);
                }
                if more > expected || page.null_count().is_some_and(|nulls| nulls > more) {
                    return Err(wrong(format!("has a page of {} values", more.cast_signed())));
                }
                values += more;
            }
            if values != expected {
                return Err(wrong(format!(
                    "has {values} values, and the group {} rows",
                    group.num_rows()
                )));
            }
            row_text += longest;
        }
        pages.row_text = pages.row_text.max(row_text);
    }
    Ok(pages)
}

/// The length of the longest text in a column's dictionary, if it has one: each text follows its
/// length, in four bytes.
fn longest_of_dictionary(reader: PageReader) -> PolarsResult<u64> {
    let Some(page) = BasicDecompressor::new(reader, Vec::new()).read_dict_page()? else {
        return Ok(0);
    };
    let (mut rest, mut longest): (&[u8], u64) = (&page.buffer, 0);
    while let Some((length, after)) = rest.split_first_chunk() {
        let length = u32::from_le_bytes(*length);
        longest = longest.max(length.into());
        rest = after.get(length as usize..).unwrap_or(&[]);
    }
    Ok(longest)
}
