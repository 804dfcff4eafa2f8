//! The paths of a ledger's folder.

use crate::time;
use std::path::{Path, PathBuf};

/// A ledger on disk.
#[derive(Debug, Clone)]
pub struct Ledger {
    pub(super) folder: PathBuf,
}

/// The file name of the index in a ledger's folder.
pub(crate) const CATALOG: &str = "catalog.sqlite";

/// The folders of a ledger.
pub(crate) const OWN_FOLDERS: [&str; 6] =
    ["staging", "runs", "undone", "invoices", "archive", "volumes"];

impl Ledger {
    /// A ledger in a folder, which need not exist yet.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of runs.
    #[must_use]
    pub fn runs_folder(&self) -> PathBuf {
        self.folder.join("runs")
    }

    /// The folder of files kept by their hash.
    #[must_use]
    pub fn archive_folder(&self) -> PathBuf {
        self.folder.join("archive")
    }

    /// The folder of undone runs.
    #[must_use]
    pub fn undone_folder(&self) -> PathBuf {
        self.folder.join("undone")
    }

    /// The folder of invoices and credit notes.
    #[must_use]
    pub fn invoices_folder(&self) -> PathBuf {
        self.folder.join("invoices")
    }
}

/// The stored datasets of a run: the folders below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dataset {
    /// Billed legs, by date.
    Legs,
    /// The call log, by date.
    Calls,
    /// Late prices, by the date of their call.
    Prices,
    /// Ids of booked and of ignored calls.
    Ids,
    /// Suspended records.
    Suspense,
    /// Records written off.
    Closed,
    /// Calls that belong to no trunk.
    Ignored,
}

impl Dataset {
    /// The folder's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Legs => "legs",
            Self::Calls => "calls",
            Self::Prices => "prices",
            Self::Ids => "ids",
            Self::Suspense => "suspense",
            Self::Closed => "closed",
            Self::Ignored => "ignored",
        }
    }
}

/// The name of a day's file of legs that take booked ones back.
pub(crate) const TAKEN_BACK: &str = "part-1.parquet";

/// True if a folder has the name of a run, `000017-5f0c1234`, or of an undone one,
/// `000001-000017-5f0c1234`. File managers and file systems add folders of their own.
pub(crate) fn is_run_name(folder: &Path) -> bool {
    let name =
        folder.file_name().and_then(|name| name.to_str()).and_then(|name| name.split_once('-'));
    name.is_some_and(|(number, hash)| {
        number.len() >= 6
            && number.bytes().all(|b| b.is_ascii_digit())
            && hash.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
    })
}

/// The UTC day that a file of a dataset by date holds.
pub fn day_of_file(path: &Path) -> Option<i64> {
    let folder = path.parent()?.file_name()?.to_str()?;
    let date = folder.strip_prefix("date=")?;
    time::parse_date_or_instant(date).map(time::day)
}
