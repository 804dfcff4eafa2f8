//! The kernel of trunkrate as a Python module: Arrow in, Arrow out.
//!
//! ```text
//! input    any table of calls, or the text of a CSV file ─▶ records, which are 15 texts each
//! rating   records, and what is known of earlier nights ─▶ the kernel ─▶ where each ended
//! output   legs, log, suspense ─▶ Arrow
//! tariff   decks, trunks, accounts, policy: their contents travel to where calls are rated
//! ```
//!
//! The columns of all these tables, and the writing of their rows, are in `table`.
//!
//! **Invariant:** nothing is decided here. There is no clock, no randomness and no state: the same
//! batch gives the same result, however often an engine retries it.

#![allow(clippy::disallowed_methods, reason = "what is not there is an empty text of Arrow")]
#![allow(clippy::needless_pass_by_value, reason = "what comes from Python comes by value")]

mod input;
mod output;
mod rating;
mod table;
mod tariff;

use arrow_array::ffi_stream::RecordBatchStreamReader;
use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_pyarrow::PyArrowType;
use arrow_schema::{ArrowError, Schema};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use tariff::Tariff;
use trunkrate_inputs::file::FileError;
use trunkrate_kernel::clock::Starts;
use trunkrate_kernel::record::Field;

pyo3::create_exception!(
    trunkrate,
    TrunkrateError,
    PyValueError,
    "What was given cannot be used; the message says what to do."
);

/// A problem with the caller's input.
#[derive(Debug)]
struct Problem(String);

impl From<FileError> for Problem {
    fn from(error: FileError) -> Self {
        Self(match &error.hint {
            Some(hint) => format!("{error}; {hint}"),
            None => error.to_string(),
        })
    }
}

impl From<ArrowError> for Problem {
    fn from(error: ArrowError) -> Self {
        Self(format!("Arrow: {error}"))
    }
}

impl From<Problem> for PyErr {
    fn from(problem: Problem) -> Self {
        TrunkrateError::new_err(problem.0)
    }
}

type Batches = Vec<PyArrowType<RecordBatch>>;

fn batches(of: Vec<RecordBatch>) -> Batches {
    of.into_iter().map(PyArrowType).collect()
}

/// Converts any batch of calls to records: see `trunkrate.records`.
#[pyfunction]
#[pyo3(signature = (batch, source_file=None, no_transfers=false))]
fn records(
    py: Python<'_>,
    batch: PyArrowType<RecordBatch>,
    source_file: Option<&str>,
    no_transfers: bool,
) -> PyResult<PyArrowType<RecordBatch>> {
    Ok(PyArrowType(py.detach(|| input::records(&batch.0, source_file, no_transfers))?))
}

/// The field that a column name stands for, if any: see `trunkrate.field_of`.
#[pyfunction]
fn field_of(name: &str) -> Option<&'static str> {
    Field::named(name).map(Field::as_str)
}

/// Refuses column names that lack a field needed for billing: see `trunkrate.check_columns`.
#[pyfunction]
#[pyo3(signature = (names, no_transfers=false))]
fn check_columns(names: Vec<String>, no_transfers: bool) -> PyResult<()> {
    Ok(input::check_columns(names.iter().map(String::as_str), no_transfers)?)
}

/// The newest plausible start: see `trunkrate.newest_start`. Instants are in microseconds since
/// 1970; `days` has for each UTC day its number since 1970, the number of sound calls that start on
/// it, and the last of their starts.
#[pyfunction]
fn newest_start(days: Vec<(i64, u64, i64)>, known: Option<i64>) -> Option<i64> {
    let mut starts = Starts::default();
    for (day, calls, newest) in days {
        starts.add_day(day, calls, newest);
    }
    starts.newest(known)
}

/// Reads a CSV file as records: see `trunkrate.read_csv`.
#[pyfunction]
#[pyo3(signature = (data, source_file, no_transfers=false, may_be_cut=true))]
fn read_csv(
    py: Python<'_>,
    data: &[u8],
    source_file: &str,
    no_transfers: bool,
    may_be_cut: bool,
) -> PyResult<Batches> {
    Ok(batches(py.detach(|| input::read_csv(data, source_file, no_transfers, may_be_cut))?))
}

/// Rates a whole night: see `trunkrate.rate`.
#[pyfunction]
#[pyo3(signature = (calls, tariff, no_transfers=false))]
fn rate(
    py: Python<'_>,
    calls: PyArrowType<RecordBatchStreamReader>,
    tariff: &Bound<'_, Tariff>,
    no_transfers: bool,
) -> PyResult<(Batches, Batches, Batches)> {
    let inputs = &tariff.get().inputs;
    // The stream may call back into Python, so it is read first.
    let schema = calls.0.schema();
    let read = calls.0.collect::<Result<Vec<RecordBatch>, _>>().map_err(Problem::from)?;
    let (legs, log, suspense) = py.detach(|| rating::rate(&schema, &read, inputs, no_transfers))?;
    Ok((batches(legs), batches(log), batches(suspense)))
}

/// Rates whole families: see `trunkrate.rate_joined`.
#[pyfunction]
fn rate_joined(
    py: Python<'_>,
    batch: PyArrowType<RecordBatch>,
    tariff: &Bound<'_, Tariff>,
) -> PyResult<PyArrowType<RecordBatch>> {
    let inputs = &tariff.get().inputs;
    Ok(PyArrowType(py.detach(|| rating::rate_joined(&batch.0, inputs))?))
}

/// Finishes the suspense, once the newest call is known: see `trunkrate.finish_suspense`. The
/// instant is in microseconds since 1970.
#[pyfunction]
fn finish_suspense(
    py: Python<'_>,
    batch: PyArrowType<RecordBatch>,
    tariff: &Bound<'_, Tariff>,
    newest_start: Option<i64>,
) -> PyResult<PyArrowType<RecordBatch>> {
    let inputs = &tariff.get().inputs;
    Ok(PyArrowType(py.detach(|| rating::finish_suspense(&batch.0, inputs, newest_start))?))
}

/// The schema of a table, by its name.
#[pyfunction]
fn schema(name: &str) -> PyResult<PyArrowType<Schema>> {
    let fields = match name {
        "record" => table::fields(&table::RECORD),
        "known" => table::fields(&table::KNOWN),
        "leg" => table::fields(&table::LEG),
        "log" => table::fields(&table::LOG),
        "family" => table::family(),
        "rated" => table::rated(),
        "suspense" => table::suspense(),
        _ => return Err(Problem(format!("there is no schema `{name}`")).into()),
    };
    Ok(PyArrowType(Schema::new(fields)))
}

#[pymodule]
fn _kernel(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("TrunkrateError", module.py().get_type::<TrunkrateError>())?;
    module.add("FIELDS", Field::ALL.map(Field::as_str).to_vec())?;
    module.add_class::<Tariff>()?;
    module.add_function(wrap_pyfunction!(records, module)?)?;
    module.add_function(wrap_pyfunction!(field_of, module)?)?;
    module.add_function(wrap_pyfunction!(check_columns, module)?)?;
    module.add_function(wrap_pyfunction!(newest_start, module)?)?;
    module.add_function(wrap_pyfunction!(read_csv, module)?)?;
    module.add_function(wrap_pyfunction!(rate, module)?)?;
    module.add_function(wrap_pyfunction!(rate_joined, module)?)?;
    module.add_function(wrap_pyfunction!(finish_suspense, module)?)?;
    module.add_function(wrap_pyfunction!(schema, module)?)?;
    Ok(())
}
