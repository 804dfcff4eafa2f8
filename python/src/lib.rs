//! The kernel of trunkrate as a Python module: Arrow in, Arrow out.
//!
//! ```text
//! input    any table of calls, or the text of a CSV file ─▶ records, which are 15 texts each
//! rating   records, and what is known of earlier nights ─▶ the kernel ─▶ where each ended
//! output   legs, log, suspense ─▶ Arrow
//! tariff   decks, trunks, accounts, policy: their contents travel to where calls are rated
//! ```
//!
//! **Invariant:** nothing is decided here. No clock, no chance, no state: the same batch gives the same batch, as often as an
//! engine tries it.

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
use trunkrate::io::FileError;

pyo3::create_exception!(trunkrate, TrunkrateError, PyValueError, "What was given cannot be used; the message says what to do.");

/// What is wrong with what was given.
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

/// Any batch of calls as records: see `trunkrate.records`.
#[pyfunction]
#[pyo3(signature = (batch, source_file=None))]
fn records(py: Python<'_>, batch: PyArrowType<RecordBatch>, source_file: Option<&str>) -> PyResult<PyArrowType<RecordBatch>> {
    Ok(PyArrowType(py.detach(|| input::records(&batch.0, source_file))?))
}

/// A CSV file as records: see `trunkrate.read_csv`.
#[pyfunction]
fn read_csv(py: Python<'_>, data: &[u8], source_file: &str) -> PyResult<Batches> {
    Ok(batches(py.detach(|| input::read_csv(data, source_file))?))
}

/// A whole night: see `trunkrate.rate`.
#[pyfunction]
fn rate(
    py: Python<'_>,
    calls: PyArrowType<RecordBatchStreamReader>,
    tariff: &Bound<'_, Tariff>,
) -> PyResult<(Batches, Batches, Batches)> {
    let inputs = &tariff.get().inputs;
    // The stream may call back into Python, so it is read first.
    let schema = calls.0.schema();
    let read = calls.0.collect::<Result<Vec<RecordBatch>, _>>().map_err(Problem::from)?;
    let (legs, log, suspense) = py.detach(|| rating::rate(&schema, &read, inputs))?;
    Ok((batches(legs), batches(log), batches(suspense)))
}

/// Whole families: see `trunkrate.rate_joined`.
#[pyfunction]
fn rate_joined(
    py: Python<'_>,
    batch: PyArrowType<RecordBatch>,
    tariff: &Bound<'_, Tariff>,
) -> PyResult<PyArrowType<RecordBatch>> {
    let inputs = &tariff.get().inputs;
    Ok(PyArrowType(py.detach(|| rating::rate_joined(&batch.0, inputs))?))
}

/// Suspense, once the newest call is known: see `trunkrate.finish_suspense`. The instant is in microseconds since 1970.
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
    module.add("FIELDS", trunkrate::record::Field::ALL.map(trunkrate::record::Field::as_str).to_vec())?;
    module.add_class::<Tariff>()?;
    module.add_function(wrap_pyfunction!(records, module)?)?;
    module.add_function(wrap_pyfunction!(read_csv, module)?)?;
    module.add_function(wrap_pyfunction!(rate, module)?)?;
    module.add_function(wrap_pyfunction!(rate_joined, module)?)?;
    module.add_function(wrap_pyfunction!(finish_suspense, module)?)?;
    module.add_function(wrap_pyfunction!(schema, module)?)?;
    Ok(())
}
