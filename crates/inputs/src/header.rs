//! The first line of a table: its delimiter, and the names of its columns.

/// The delimiters of lists and call files.
pub(crate) const DELIMITERS: &[u8] = b",;\t|";

/// The delimiter of a text's first record, and its fields: the delimiter with the best `score`; of
/// two alike the comma. `None` if the record cannot be read under any.
pub(crate) fn split_header(
    text: &str,
    score: impl Fn(&[String]) -> usize,
) -> Option<(u8, Vec<String>)> {
    let read = |delimiter: u8| {
        let mut record = csv::StringRecord::new();
        let mut reader = reader(delimiter, text.as_bytes());
        reader
            .read_record(&mut record)
            .ok()
            .map(|_| (delimiter, record.iter().map(str::to_owned).collect::<Vec<_>>()))
    };
    DELIMITERS.iter().filter_map(|d| read(*d)).max_by_key(|(d, names)| (score(names), *d == b','))
}

/// A reader that takes records of any length, without a header.
pub(crate) fn reader(delimiter: u8, bytes: &[u8]) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(bytes)
}
