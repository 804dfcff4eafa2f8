//! A published run.

use crate::ledger::volume::{LazyManifest, RunHead, Volume};
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// A published run.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its folder.
    pub folder: PathBuf,
    /// What every night asks of it.
    pub head: RunHead,
    /// Its manifest.
    pub manifest: LazyManifest,
    /// The files whose hashes were checked.
    pub(super) checked: Arc<Mutex<HashSet<String>>>,
}

impl Run {
    /// A run in a folder.
    #[must_use]
    pub fn new(folder: PathBuf, manifest: impl Into<LazyManifest>) -> Self {
        let manifest = manifest.into();
        Self { folder, head: RunHead::of(&manifest), manifest, checked: Arc::default() }
    }

    /// A run of a volume.
    pub(crate) fn of_volume(folder: PathBuf, volume: &Arc<Volume>, at: usize) -> Self {
        let (head, manifest) = (volume.runs()[at].clone(), volume.lazily(at));
        Self { folder, head, manifest, checked: Arc::default() }
    }
}
