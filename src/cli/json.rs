//! JSON on its way out: what a terminal would obey is escaped, on whatever it is written.
//!
//! | what | how |
//! |---|---|
//! | one value | [`print`] |
//! | a list that is in memory | [`print_list`] |
//! | a list that is not | [`Escaped`], under a serializer |

use super::args::TableFormat;
use super::error::CliError;
use super::term;
use crate::text::escaped;
use serde::Serialize;
use std::io::Write;

/// Prints a value, indented.
pub fn print(value: &impl Serialize) -> Result<(), CliError> {
    Ok(term::print(&format!("{}\n", escaped(&serde_json::to_string_pretty(value)?)))?)
}

/// A value on a line of its own.
pub fn line(value: &impl Serialize) -> Result<String, CliError> {
    Ok(format!("{}\n", escaped(&serde_json::to_string(value)?)))
}

/// Prints a list: an array, or an object per line.
pub fn print_list<T: Serialize>(format: TableFormat, list: &[T]) -> Result<(), CliError> {
    if format != TableFormat::Jsonl {
        return print(&list);
    }
    let lines = list.iter().map(line).collect::<Result<String, _>>()?;
    Ok(term::print(&lines)?)
}

/// A writer below a serializer of JSON, which writes whole characters.
pub struct Escaped<W>(pub W);

impl<W: Write> Write for Escaped<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let text = std::str::from_utf8(bytes).map_err(std::io::Error::other)?;
        self.0.write_all(escaped(text).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}
