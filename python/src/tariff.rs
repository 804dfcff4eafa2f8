//! The tariff that calls are rated with. It travels as file contents, not as paths, since the
//! machine that rates may not have the files.

use crate::Problem;
use pyo3::exceptions::{PyUserWarning, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use std::collections::BTreeMap;
use std::ffi::CString;
use std::path::{Path, PathBuf};
use trunkrate_inputs::file::FileError;
use trunkrate_inputs::given::Inputs;
use trunkrate_inputs::{decks, settings};
use trunkrate_kernel::policy::Policy;

/// Decks, trunks, accounts and policy.
///
/// `rates` is a folder that is a deck or holds decks, `trunks` the carrier's trunk list as JSON,
/// `accounts` the list of accounts as CSV, `config` a `trunkrate.toml`. A tariff can be pickled; it
/// is loaded and checked once.
#[pyclass(frozen, module = "trunkrate._kernel")]
pub struct Tariff {
    pub inputs: Inputs,
    /// The contents of all its files, by their paths in a published night.
    contents: BTreeMap<String, Vec<u8>>,
    rates_name: String,
    hash: String,
}

const TRUNKS: &str = "trunks.json";
const ACCOUNTS: &str = "accounts.csv";
const CONFIG: &str = "trunkrate.toml";
const RATES: &str = "rates/";

impl Tariff {
    fn of(contents: BTreeMap<String, Vec<u8>>, rates_name: String) -> Result<Self, Problem> {
        let text = |name: &str| {
            let text = contents.get(name).map(|bytes| String::from_utf8(bytes.clone()));
            text.transpose().map_err(|_| Problem(format!("{name}: is not UTF-8; save it as UTF-8")))
        };
        let rates = contents.iter().filter_map(|(name, bytes)| {
            Some((name.strip_prefix(RATES)?.to_owned(), bytes.clone()))
        });
        let decks = decks::from_files(Path::new("rates"), &rates_name, rates.collect())?;
        let policy = settings::parse(Path::new(CONFIG), &text(CONFIG)?.unwrap_or_default())?;
        let inputs = Inputs::of_texts(decks, text(TRUNKS)?, text(ACCOUNTS)?, policy)?;
        let hash = inputs.hash();
        Ok(Self { inputs, contents, rates_name, hash })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    std::fs::read(path).map_err(|e| FileError::new(path, format!("cannot be read: {e}")).into())
}

/// The function that rebuilds the tariff, and its arguments.
type Pickled<'py> = (Bound<'py, PyAny>, (Bound<'py, PyDict>, String));

#[pymethods]
impl Tariff {
    #[new]
    #[pyo3(signature = (rates, trunks=None, accounts=None, config=None))]
    fn new(
        py: Python<'_>,
        rates: PathBuf,
        trunks: Option<PathBuf>,
        accounts: Option<PathBuf>,
        config: Option<PathBuf>,
    ) -> PyResult<Self> {
        // Loaded from its own paths first, so that errors name paths that the caller knows.
        let policy = match &config {
            Some(path) => settings::parse(path, &String::from_utf8_lossy(&read(path)?))
                .map_err(Problem::from)?,
            None => Policy::default(),
        };
        let loaded = Inputs::load(&rates, trunks.as_deref(), accounts.as_deref(), policy)
            .map_err(Problem::from)?;
        for note in loaded.decks.notes(&rates) {
            let note =
                CString::new(note).map_err(|_| PyValueError::new_err("a path holds a NUL"))?;
            PyErr::warn(py, &py.get_type::<PyUserWarning>(), &note, 2)?;
        }
        let mut contents: BTreeMap<String, Vec<u8>> = loaded
            .decks
            .files
            .into_iter()
            .map(|(name, bytes)| (format!("{RATES}{name}"), bytes))
            .collect();
        for (name, path) in [(TRUNKS, trunks), (ACCOUNTS, accounts), (CONFIG, config)] {
            if let Some(path) = path {
                contents.insert(name.to_owned(), read(&path)?);
            }
        }
        let folder = rates.canonicalize().unwrap_or(rates);
        let name =
            folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self::of(contents, name)?)
    }

    #[staticmethod]
    fn _of_files(files: BTreeMap<String, Vec<u8>>, rates_name: String) -> PyResult<Self> {
        Ok(Self::of(files, rates_name)?)
    }

    fn __reduce__<'py>(this: &Bound<'py, Self>) -> PyResult<Pickled<'py>> {
        let py = this.py();
        Ok((
            py.get_type::<Self>().getattr("_of_files")?,
            (this.get().files(py)?, this.get().rates_name.clone()),
        ))
    }

    /// A hash over decks, trunks, accounts and policy, as hex.
    #[getter]
    fn hash(&self) -> &str {
        &self.hash
    }

    /// The name of the rates folder, which is the name of a deck that does not name itself.
    #[getter]
    fn rates_name(&self) -> &str {
        &self.rates_name
    }

    /// The content of every file that was given: `rates/…`, `trunks.json`, `accounts.csv`,
    /// `trunkrate.toml`.
    #[getter]
    fn files<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let files = PyDict::new(py);
        for (name, content) in &self.contents {
            files.set_item(name, PyBytes::new(py, content))?;
        }
        Ok(files)
    }

    fn __repr__(&self) -> String {
        let names: Vec<&str> =
            self.inputs.decks.decks.iter().map(|deck| deck.name.as_str()).collect();
        format!("Tariff(decks={names:?}, hash={:?})", &self.hash[..8])
    }
}
