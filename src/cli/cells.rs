//! CSV on its way out: by default no cell of it is run by the spreadsheet that opens it.

use crate::text::{cell, cell_of_lines};
use std::io::Write;

/// Which texts a CSV has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::Args)]
pub struct CellArgs {
    /// CSV for programs: each text as it is; without it a cell that a spreadsheet would run as a
    /// formula gets a leading `'`, and control characters are shown, not obeyed
    #[arg(long)]
    pub raw: bool,
}

/// Writes CSV.
pub struct Cells<W: Write> {
    writer: csv::Writer<W>,
    raw: bool,
    /// The column where records stand as they came, which may hold tabs and line ends.
    records: Option<usize>,
}

impl<W: Write> Cells<W> {
    /// Begins with a header.
    pub fn new<'a>(
        out: W,
        args: CellArgs,
        header: impl IntoIterator<Item = &'a str>,
    ) -> csv::Result<Self> {
        let mut writer = csv::Writer::from_writer(out);
        let header: Vec<&str> = header.into_iter().collect();
        writer.write_record(&header)?;
        Ok(Self {
            writer,
            raw: args.raw,
            records: header.iter().position(|name| *name == "record"),
        })
    }

    /// Writes a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl AsRef<str>>) -> csv::Result<()> {
        for (at, text) in cells.into_iter().enumerate() {
            let text = text.as_ref();
            match self.raw {
                true => self.writer.write_field(text)?,
                false if self.records == Some(at) => {
                    self.writer.write_field(cell_of_lines(text).as_bytes())?;
                }
                false => self.writer.write_field(cell(text).as_bytes())?,
            }
        }
        self.writer.write_record(None::<&[u8]>)
    }

    /// Ends it.
    pub fn finish(mut self) -> std::io::Result<()> {
        self.writer.flush()
    }
}
