//! Reads a ledger's history: every manifest, every undo, every batch, and the catalog beside them.

use crate::disk::folder::{entries, is_there};
use crate::inputs::file::FileError;
use crate::ledger::error::{LedgerError, RESTORE};
use crate::ledger::history::History;
use crate::ledger::index::catalog;
use crate::ledger::manifest::{FILE_NAME, Manifest};
use crate::ledger::place::{CATALOG, Ledger, OWN_FOLDERS, is_run_name};
use crate::ledger::run::Run;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

/// The published runs, by the names of their folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedNames([FolderNames; 3]);

/// Where the history of old runs is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReadBy {
    /// In the volumes, where they have it.
    Volumes,
    /// In the manifests alone.
    Manifests,
}

/// The folders and the files in a folder.
type FolderNames = (Vec<PathBuf>, Vec<PathBuf>);

impl Ledger {
    /// Reports whether there is a ledger.
    ///
    /// # Errors
    /// If that cannot be found out.
    pub fn exists(&self) -> Result<bool, FileError> {
        is_there(&self.runs_folder())
    }

    /// Refuses folders and files of the ledger that are links: their targets belong to somebody
    /// else, and would be emptied or written to.
    pub(super) fn refuse_links(&self) -> Result<(), FileError> {
        for name in OWN_FOLDERS.into_iter().chain([CATALOG]) {
            let path = self.folder.join(name);
            if std::fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_symlink()) {
                return Err(FileError::new(
                    &path,
                    "is a link; a ledger's folders and files are its own",
                )
                .hint("link the ledger's folder as a whole, or move what the link leads to here"));
            }
        }
        Ok(())
    }

    /// Everything ever published: the runs, oldest first, and the undone ones. What a volume says
    /// of a run stands for its manifest.
    ///
    /// # Errors
    /// If a manifest cannot be read, or a run is missing between two others.
    pub fn history(&self) -> Result<History, FileError> {
        self.history_by(ReadBy::Volumes)
    }

    /// The same from the runs alone, every manifest read: for a proof, and a backup.
    ///
    /// # Errors
    /// As [`Ledger::history`].
    pub fn history_of_runs(&self) -> Result<History, FileError> {
        self.history_by(ReadBy::Manifests)
    }

    fn history_by(&self, by: ReadBy) -> Result<History, FileError> {
        self.refuse_links()?;
        // Read first, the catalog can only be behind. So a run that it knows and that is not there
        // is missing, and no bill is right without it.
        let mut catalog = catalog::Stored::read(self)?;
        loop {
            let history = self.history_now(by)?;
            let Err(error) = catalog.check(&history) else { return Ok(history) };
            // Another process may have written between the two reads.
            let now = catalog::Stored::read(self)?;
            if now != catalog {
                catalog = now;
                continue;
            }
            return Err(match error {
                LedgerError::File(error) => error,
                error => FileError::new(&self.folder.join(CATALOG), error.to_string()).hint(
                    "it is only an index: move it away, \
                     and the next run makes it again from the runs",
                ),
            });
        }
    }

    /// The published runs, by the names of their folders: if they are the same later, so is the
    /// history. (The number of undos only grows: see [`Ledger::history`].)
    ///
    /// # Errors
    /// If the folders cannot be read.
    pub fn published(&self) -> Result<PublishedNames, FileError> {
        Ok(PublishedNames(self.names()?))
    }

    /// The history at one moment.
    ///
    /// # Why twice
    /// The folders are read one after another. A run undone in between would be in both lists or in
    /// none, and one that was undone and booked again has its old name. The number of undos only
    /// grows: if the names are the same before and after, nothing was moved.
    fn history_now(&self, by: ReadBy) -> Result<History, FileError> {
        const TRIES: u32 = 20;
        let mut names = self.names()?;
        let mut tries = 1;
        loop {
            let history = self.history_of(&names[0].0, by);
            let after = self.names()?;
            if after == names || tries == TRIES {
                return history;
            }
            (names, tries) = (after, tries + 1);
        }
    }

    /// The folders and files of the runs, the undos and the invoices.
    fn names(&self) -> Result<[FolderNames; 3], FileError> {
        Ok([
            entries(&self.runs_folder())?,
            entries(&self.undone_folder())?,
            entries(&self.invoices_folder())?,
        ])
    }

    fn history_of(&self, listed: &[PathBuf], by: ReadBy) -> Result<History, FileError> {
        let (mut runs, undone) = (Vec::new(), crate::ledger::undone::all(self)?);
        let volumes = match by {
            ReadBy::Volumes => self.volumes()?,
            ReadBy::Manifests => Vec::new(),
        };
        // A run that was undone may have been booked again under its name, with another manifest.
        let taken_back: HashSet<&str> =
            undone.iter().map(|undone| undone.run.head.own_hash.as_str()).collect();
        let mut of_volumes = HashMap::new();
        for volume in &volumes {
            for (at, head) in volume.runs().iter().enumerate() {
                if !taken_back.contains(head.own_hash.as_str()) {
                    of_volumes.insert(head.run_id.as_str(), (volume, at));
                }
            }
        }
        // A run that was replaced may still lie where it was.
        let counts = |folder: &&PathBuf| {
            is_run_name(folder) && undone.iter().all(|undone| undone.run.folder != **folder)
        };
        for folder in listed.iter().filter(counts) {
            let name = folder.file_name().and_then(|name| name.to_str());
            if let Some((volume, at)) = name.and_then(|name| of_volumes.get(name)) {
                runs.push(Run::of_volume(folder.clone(), volume, *at));
                continue;
            }
            if !is_there(&folder.join(FILE_NAME))? {
                return Err(
                    FileError::new(folder, "has no manifest: it is no whole run").hint(RESTORE)
                );
            }
            let manifest = Manifest::load(folder)?;
            runs.push(Run::new(folder.clone(), manifest));
        }
        runs.sort_by_key(|run| run.head.sequence);
        let issued = crate::ledger::batch::all(self)?;
        let history = History { runs, undone, issued, volumes };
        history.check_chain()?;
        history.check_billed()?;
        Ok(history)
    }
}
