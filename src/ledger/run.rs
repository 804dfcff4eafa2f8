//! A published run.

use crate::ledger::manifest::Manifest;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// A published run.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its folder.
    pub folder: PathBuf,
    /// Its manifest.
    pub manifest: Manifest,
    /// The files whose hashes were checked.
    pub(super) checked: Arc<Mutex<HashSet<String>>>,
}

impl Run {
    /// A run in a folder.
    #[must_use]
    pub fn new(folder: PathBuf, manifest: Manifest) -> Self {
        Self { folder, manifest, checked: Arc::default() }
    }
}
