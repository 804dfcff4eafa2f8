//! `export`: legs, calls or suspense for other programs.

use super::args::{ExportArgs, ExportFormat, ExportWhat};
use super::cells::{CellArgs, Cells};
use super::error::CliError;
use super::json;
use super::output::Whole;
use super::project::Project;
use super::run::times;
use super::suspense::{Picked, each_picked};
use crate::fit::must_fit;
use crate::ledger::index::superseded::each_date;
use crate::ledger::tables::columns::{self, SUSPENSE_COLUMNS};
use crate::ledger::tables::file::each_group;
use crate::ledger::tables::read::Selection;
use crate::ledger::tables::stored::{text, units};
use crate::ledger::tables::suspense::{self, SuspenseRow};
use crate::ledger::{Dataset, Ledger, polars_error};
use crate::money::{AMOUNT_DECIMALS, PRICE_DECIMALS, decimal_text};
use crate::time;
use polars::prelude::*;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Writes the dataset that was asked for.
pub fn run(args: &ExportArgs, project: &Project) -> Result<(), CliError> {
    if args.what != ExportWhat::Suspense
        && !(args.reason.is_empty() && args.cause.is_empty() && args.account.is_none())
    {
        let problem = "--reason, --cause and --account choose suspended records";
        return Err(CliError::usage(problem).hint("`trunkrate export suspense` exports those"));
    }
    let ledger = project.ledger()?;
    let selection = Selection { times: times(&args.times)?, ..Selection::default() };
    let Some(path) = &args.out else {
        let mut out = BufWriter::new(std::io::stdout().lock());
        write((project, &ledger), args, &selection, &mut out)?;
        return Ok(out.flush()?);
    };
    let mut out = BufWriter::new(Whole::create(path)?);
    write((project, &ledger), args, &selection, &mut out)?;
    let whole = out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    Ok(whole.finish()?)
}

fn write(
    (project, ledger): (&Project, &Ledger),
    args: &ExportArgs,
    selection: &Selection,
    out: &mut impl Write,
) -> Result<(), CliError> {
    let dataset = match args.what {
        ExportWhat::Ignored => return write_ignored(ledger, args, selection, out),
        ExportWhat::Legs => Dataset::Legs,
        ExportWhat::Calls => Dataset::Calls,
        ExportWhat::Suspense => return write_suspense(project, ledger, args, out),
    };
    let empty = columns::empty(dataset);
    write_frames((args.format, args.cells), out, &empty, |each| {
        each_date(ledger, dataset, selection, each)
    })
}

/// Suspended records that are written at a time.
const ROWS: usize = 1 << 15;

/// The picked records of the suspense.
fn write_suspense(
    project: &Project,
    ledger: &Ledger,
    args: &ExportArgs,
    out: &mut impl Write,
) -> Result<(), CliError> {
    write_frames((args.format, args.cells), out, &suspense_frame(&mut [])?, |each| {
        let history = ledger.history()?;
        let picked = Picked::of(&args.picks(), &args.reason, (project, ledger, &history))?;
        let mut rows: Vec<SuspenseRow> = Vec::new();
        each_picked(&picked, (ledger, &history), |row| {
            rows.push(row.clone());
            if rows.len() == ROWS {
                each(suspense_frame(&mut std::mem::take(&mut rows))?)
            } else {
                Ok(())
            }
        })?;
        if rows.is_empty() { Ok(()) } else { each(suspense_frame(&mut rows)?) }
    })
}

/// The columns of ignored records.
const IGNORED_COLUMNS: [&str; 8] = [
    "call_sid",
    "parent_call_sid",
    "account_sid",
    "direction",
    "start_time",
    "source_file",
    "source_line",
    "record",
];

/// The ignored records of all runs, oldest run first.
fn write_ignored(
    ledger: &Ledger,
    args: &ExportArgs,
    selection: &Selection,
    out: &mut impl Write,
) -> Result<(), CliError> {
    let of_columns = |frame: &DataFrame| {
        frame
            .select(IGNORED_COLUMNS)
            .map_err(|e| CliError::from(polars_error(Path::new("ignored"))(e)))
    };
    write_frames((args.format, args.cells), out, &of_columns(&suspense::ignored(&[]))?, |each| {
        let history = ledger.history()?;
        let files = history
            .runs
            .iter()
            .flat_map(|run| run.files(Dataset::Ignored).into_iter().map(move |path| (run, path)));
        for (run, path) in files {
            run.check_before_read(&path)?;
            each_group(&path, &IGNORED_COLUMNS, |ignored| {
                let frame = of_columns(ignored.frame)?;
                let Some(times) = &selection.times else { return each(frame) };
                // A record without a start time is in no time range.
                let starts = ignored.longs(["start_time"])?;
                let in_range: BooleanChunked = starts
                    .optional(0)
                    .iter()
                    .map(|start| start.is_some_and(|start| times.contains(&start)))
                    .collect();
                each(frame.filter(&in_range).map_err(|e| CliError::from(polars_error(&path)(e)))?)
            })?;
        }
        Ok(())
    })
}

fn suspense_frame(rows: &mut [SuspenseRow]) -> Result<DataFrame, CliError> {
    suspense::suspense(rows)
        .select(SUSPENSE_COLUMNS)
        .map_err(|e| polars_error(Path::new("suspense"))(e).into())
}

type EachRow<'a> = &'a mut dyn FnMut(DataFrame) -> Result<(), CliError>;

fn write_frames(
    (format, cells): (ExportFormat, CellArgs),
    out: &mut impl Write,
    empty: &DataFrame,
    source: impl FnOnce(EachRow<'_>) -> Result<(), CliError>,
) -> Result<(), CliError> {
    match format {
        ExportFormat::Csv => {
            let mut cells =
                Cells::new(out, cells, empty.get_column_names().iter().map(|name| name.as_str()))?;
            source(&mut |frame| {
                let columns = printed(&frame);
                for row in 0..frame.height() {
                    cells.row(
                        columns.iter().map(|(_, column)| column.text(row).unwrap_or_default()),
                    )?;
                }
                Ok(())
            })?;
            cells.finish()?;
        }
        ExportFormat::Jsonl => source(&mut |frame| {
            let columns = printed(&frame);
            for row in 0..frame.height() {
                let object: serde_json::Map<_, _> =
                    columns.iter().map(|(name, column)| (name.clone(), column.json(row))).collect();
                out.write_all(json::line(&object)?.as_bytes())?;
            }
            Ok(())
        })?,
        ExportFormat::Parquet => {
            let mut frames: Vec<DataFrame> = Vec::new();
            source(&mut |frame| {
                frames.push(frame);
                Ok(())
            })?;
            let first = frames.first().unwrap_or(empty);
            let fail = |e| CliError::from(polars_error(Path::new("export"))(e));
            let mut writer = ParquetWriter::new(&mut *out).batched(first.schema()).map_err(fail)?;
            for frame in &frames {
                writer.write_batch(frame).map_err(fail)?;
            }
            writer.finish().map_err(fail)?;
        }
    }
    Ok(())
}

/// A column as it is printed.
pub enum PrintedColumn<'a> {
    /// The text as it is.
    Text(&'a StringChunked),
    /// Units, their scale, and the least number of decimals to print.
    Decimal(Vec<Option<i128>>, u32, u32),
    /// Instants.
    Time(Vec<Option<i128>>),
    /// Whole numbers.
    Integer(Vec<Option<i128>>),
}

impl PrintedColumn<'_> {
    /// The text of a row; `None` for null.
    pub fn text(&self, row: usize) -> Option<String> {
        match self {
            Self::Text(column) => column.get(row).map(str::to_owned),
            Self::Decimal(values, scale, least) => {
                values[row].map(|v| decimal_text(v, *scale, *least))
            }
            Self::Time(values) => {
                values[row].map(|v| time::text(must_fit(v, "a time is stored in 64 bits")))
            }
            Self::Integer(values) => values[row].map(|v| v.to_string()),
        }
    }

    fn json(&self, row: usize) -> serde_json::Value {
        match self {
            Self::Integer(values) => values[row].map_or(serde_json::Value::Null, |v| {
                must_fit::<_, i64>(v, "an integer is stored in 64 bits").into()
            }),
            _ => self.text(row).map_or(serde_json::Value::Null, Into::into),
        }
    }
}

/// The columns of a ledger frame, ready to print.
pub fn printed(frame: &DataFrame) -> Vec<(String, PrintedColumn<'_>)> {
    let print = |column: &Column| {
        let name = column.name().as_str();
        match column.dtype() {
            DataType::String => PrintedColumn::Text(text(frame, name)),
            DataType::Decimal(_, _) if name == "amount" => {
                PrintedColumn::Decimal(units(frame, name), AMOUNT_DECIMALS, 5)
            }
            DataType::Decimal(_, _) => {
                PrintedColumn::Decimal(units(frame, name), PRICE_DECIMALS, 4)
            }
            DataType::Datetime(_, _) => PrintedColumn::Time(units(frame, name)),
            _ => PrintedColumn::Integer(units(frame, name)),
        }
    };
    frame.columns().iter().map(|column| (column.name().to_string(), print(column))).collect()
}
