//! The import of a night that Spark rated and published.
//!
//! ```text
//! nights/000017-5f0c1234/          published by one rename, never changed
//! ├── manifest.json                what it is, what it follows, its counts, its files
//! ├── records/*.parquet            the records as they came, each with its file and line
//! ├── legs/, calls/                by UTC start date, as a run of the ledger has them, without its id
//! ├── rates/, trunks.json, accounts.csv, trunkrate.toml      what it was rated with
//! └── suspense/, known/, prices/   for the nights after it: not read here
//! ```
//!
//! ```text
//! records, rates ─▶ LoadedNight ─▶ SettledRun ─▶ staged run ──agree──▶ booked, as `run` would have booked it, to the byte
//!                                         legs, calls ◀───▶ the published ones, and the counts
//! ```
//!
//! **Invariant:** nothing that Spark computed is booked. The records are rated again here, and the
//! published tables are only compared with the result: if one row, one count or one cent differs,
//! nothing is booked.
//!
//! Not checked: `suspense`, `known` and `prices`, which this ledger makes for itself; and the id,
//! which only its writer can compute.

use crate::disk::folder::{entries, is_there};
use crate::ingest::source::CallPath;
use crate::inputs::decks;
use crate::inputs::file::FileError;
use crate::inputs::file::read_text;
use crate::inputs::given::Inputs;
use crate::job::book;
use crate::job::book::Summary;
use crate::job::run::SettledRun;
use crate::ledger::compare;
use crate::ledger::manifest::{Imported, Manifest, ManifestCount, RunKind};
use crate::ledger::runs::stage::Staged;
use crate::ledger::{Dataset, History, Ledger, LedgerError, Lock, Run};
use crate::night::{Class, Tally};
use crate::policy::Policy;
use rust_decimal::Decimal;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// The layout of published nights that this version reads.
const FORMAT: u32 = 1;

/// The manifest of a published night. Keys that are not named here are its writer's own business.
#[derive(Debug, Clone, Deserialize)]
pub struct NightManifest {
    /// The night's id.
    pub id: String,
    /// Its number among the published nights, from 1.
    pub sequence: u64,
    /// The id of the night that was rated before it.
    pub previous: Option<String>,
    /// The engine, such as `spark 4.2.1`.
    pub engine: String,
    /// The version of trunkrate that rated it there.
    pub kernel: String,
    /// [`Inputs::hash`] of its inputs.
    #[serde(default)]
    pub tariff_hash: Option<String>,
    /// The name of its decks' folder: it names a deck whose files are at the top and give no name.
    #[serde(default)]
    pub rates_name: Option<String>,
    /// Records and seconds: read, retried, by class, new in suspense, taken up out of it.
    pub counts: BTreeMap<String, ManifestCount>,
    /// Suspended records by reason.
    pub suspended_by_reason: BTreeMap<String, u64>,
    /// Legs.
    pub legs: u64,
    /// The sum of the legs, by currency.
    pub amount: BTreeMap<String, String>,
    /// Its files.
    pub files: Vec<NightFile>,
}

/// A file of a published night.
#[derive(Debug, Clone, Deserialize)]
pub struct NightFile {
    /// The path below the night's folder.
    pub path: String,
    /// Its size.
    pub bytes: u64,
}

/// The part of a manifest that every version can read.
#[derive(Deserialize)]
struct PublishedFormat {
    format: u32,
}

/// A published night.
#[derive(Debug, Clone)]
pub struct Published {
    folder: PathBuf,
    /// Its manifest.
    pub manifest: NightManifest,
}

impl Published {
    /// Opens a published night: reads its manifest, and checks that its files are there whole.
    ///
    /// # Errors
    /// If it is none, is of another format, or a file is missing, new or of another size.
    pub fn open(folder: &Path) -> Result<Self, FileError> {
        let path = folder.join("manifest.json");
        if folder.is_file() || !is_there(&path)? {
            let problem = "is no published night: it has no manifest.json";
            return Err(FileError::new(folder, problem)
                .hint("name a folder such as nights/000017-5f0c1234"));
        }
        // Before its rename a night looks the same, and may still change or never be published.
        if folder
            .canonicalize()
            .is_ok_and(|real| real.parent().is_some_and(|parent| parent.ends_with("staging")))
        {
            let problem = "is not published: it stands in `staging`, where nights are written";
            return Err(FileError::new(folder, problem)
                .hint("run the job again to its end; nights stand in `nights`"));
        }
        let text = read_text(&path)?;
        let fail = |e: serde_json::Error| {
            FileError::new(&path, format!("is no manifest of a published night: {e}"))
                .at(e.line() as u64)
        };
        let PublishedFormat { format } = serde_json::from_str(&text).map_err(fail)?;
        if format != FORMAT {
            let problem =
                format!("is a published night of format {format}; this version reads {FORMAT}");
            return Err(FileError::new(&path, problem)
                .hint("import it with the version of trunkrate that it was rated with"));
        }
        let night = Self {
            folder: folder.to_owned(),
            manifest: serde_json::from_str(&text).map_err(fail)?,
        };
        if let Some((currency, sum)) =
            night.manifest.amount.iter().find(|(_, sum)| Decimal::from_str_exact(sum).is_err())
        {
            let problem = format!(
                "says that the legs come to `{sum}` {currency}; expected a decimal, such as 1.25000"
            );
            return Err(FileError::new(&path, problem)
                .hint("the night was changed after it was published: copy it again"));
        }
        night.check_files()?;
        Ok(night)
    }

    /// Checks that every file of the manifest is there with its size, and that the folders read
    /// here hold no other file.
    fn check_files(&self) -> Result<(), FileError> {
        let mut named = BTreeSet::new();
        for file in &self.manifest.files {
            let relative = Path::new(&file.path);
            if !relative.components().all(|part| matches!(part, Component::Normal(_))) {
                let problem = format!(
                    "names the file `{}`, which is not below the night's folder",
                    file.path
                );
                return Err(FileError::new(&self.folder.join("manifest.json"), problem));
            }
            let path = self.folder.join(relative);
            let bytes = std::fs::metadata(&path).map_err(|e| {
                FileError::new(&path, format!("cannot be read: {e}"))
                    .hint("the night is not whole: copy it again")
            })?;
            if bytes.len() != file.bytes {
                let problem =
                    format!("has {} bytes; it was published with {}", bytes.len(), file.bytes);
                return Err(FileError::new(&path, problem)
                    .hint("the night is not whole, or was changed: copy it again"));
            }
            named.insert(path);
        }
        for folder in ["records", "legs", "calls", "rates"] {
            let ending = if folder == "rates" { "" } else { "parquet" };
            if let Some(other) =
                self.files(folder, ending)?.into_iter().find(|path| !named.contains(path))
            {
                let problem = "is not named in the night's manifest";
                return Err(FileError::new(&other, problem)
                    .hint("the night was changed after it was published: copy it again"));
            }
        }
        Ok(())
    }

    /// The Parquet files of a folder and those below it, sorted.
    fn parquet(&self, folder: &str) -> Result<Vec<PathBuf>, FileError> {
        self.files(folder, "parquet")
    }

    /// The files of a folder and those below it, with this ending or with any, sorted. (Markers and
    /// checksums of other tools begin with `_` or `.`.)
    fn files(&self, folder: &str, ending: &str) -> Result<Vec<PathBuf>, FileError> {
        let (mut found, mut todo) = (Vec::new(), vec![self.folder.join(folder)]);
        while let Some(folder) = todo.pop() {
            let (folders, files) = entries(&folder)?;
            let is_marker = |path: &PathBuf| {
                path.file_name().is_none_or(|name| name.to_string_lossy().starts_with(['_', '.']))
            };
            todo.extend(folders.into_iter().filter(|folder| !is_marker(folder)));
            let has_ending = |path: &PathBuf| {
                ending.is_empty() || path.extension().is_some_and(|found| found == ending)
            };
            found.extend(files.into_iter().filter(|path| has_ending(path) && !is_marker(path)));
        }
        found.sort();
        Ok(found)
    }

    fn if_there(&self, name: &str) -> Result<Option<PathBuf>, FileError> {
        let path = self.folder.join(name);
        Ok(is_there(&path)?.then_some(path))
    }

    /// The configuration that it was rated with, if one was given.
    ///
    /// # Errors
    /// If the disk cannot say whether it is there.
    pub fn config(&self) -> Result<Option<PathBuf>, FileError> {
        self.if_there("trunkrate.toml")
    }

    /// Loads the decks, trunks and accounts that it was rated with.
    ///
    /// # Errors
    /// The first file that is wrong.
    pub fn inputs(&self, policy: Policy) -> Result<Inputs, FileError> {
        let rates = self.folder.join("rates");
        let decks = decks::load_named(&rates, self.manifest.rates_name.as_deref())?;
        let (trunks, accounts) = (self.if_there("trunks.json")?, self.if_there("accounts.csv")?);
        Inputs::with_decks(decks, &rates, trunks.as_deref(), accounts.as_deref(), policy)
    }

    /// Its records.
    ///
    /// # Errors
    /// If they cannot be listed.
    pub fn records(&self) -> Result<Vec<CallPath>, FileError> {
        let file =
            |path: PathBuf| CallPath { name: path.display().to_string(), path, of_night: true };
        Ok(self.parquet("records")?.into_iter().map(file).collect())
    }

    /// The run that it was imported as.
    ///
    /// # Errors
    /// If a night with the same id but another number was imported.
    pub fn imported_as<'a>(&self, history: &'a History) -> Result<Option<&'a Run>, FileError> {
        let same = |run: &&Run| {
            run.manifest.imported.as_ref().is_some_and(|night| night.id == self.manifest.id)
        };
        let run = history.runs.iter().find(same);
        let other = run
            .and_then(|run| run.manifest.imported.as_ref())
            .filter(|night| night.sequence != self.manifest.sequence);
        match other {
            None => Ok(run),
            Some(night) => {
                let Self { folder, manifest } = self;
                let problem = format!(
                    "is night {} with the id of night {}, which is imported",
                    manifest.sequence, night.sequence
                );
                Err(FileError::new(folder, problem)
                    .hint("its manifest was changed after it was published: copy it again"))
            }
        }
    }

    /// True if a ledger would be inside the night's folder, which never changes.
    #[must_use]
    pub fn holds(&self, ledger: &Path) -> bool {
        let real = |path: &Path| {
            path.canonicalize()
                .or_else(|_| std::path::absolute(path))
                .unwrap_or_else(|_| path.to_owned())
        };
        real(ledger).starts_with(real(&self.folder))
    }

    /// Books the night as a run, if its settled records give the published tables.
    ///
    /// # Errors
    /// As [`book::book`]; also the first difference, and what to do about it.
    pub fn book(
        &self,
        ledger: &Ledger,
        lock: &Lock,
        history: &mut History,
        session: &SettledRun,
    ) -> Result<Summary, LedgerError> {
        let NightManifest { id, sequence, engine, kernel, .. } = &self.manifest;
        let imported = Imported {
            id: id.clone(),
            sequence: *sequence,
            engine: engine.clone(),
            kernel: kernel.clone(),
        };
        let hint = self.why_it_may_differ(history, &session.tally());
        let agreed = |staged: &Staged| {
            let mut differences = self.other_counts(session, staged);
            for dataset in [Dataset::Legs, Dataset::Calls] {
                let (published, here) = (self.parquet(dataset.as_str())?, staged.files_of(dataset));
                differences.extend(compare::first_difference(dataset, &published, &here)?);
            }
            if differences.is_empty() {
                return Ok(());
            }
            let problem = format!(
                "is not what this ledger makes of its records; nothing was booked\n{}",
                differences.join("\n")
            );
            Err(FileError::new(&self.folder, problem).hint(hint).into())
        };
        book::book_if(
            ledger,
            lock,
            history,
            session,
            (RunKind::Import.into(), Some(imported)),
            agreed,
        )
    }

    /// The counts and sums that differ here.
    fn other_counts(&self, session: &SettledRun, staged: &Staged) -> Vec<String> {
        let (night, tally) = (&self.manifest, session.tally());
        let ours = Manifest::counts_of(&tally);
        let moved = [
            ("new_in_suspense", tally.new_in_suspense.into()),
            ("taken_up", tally.taken_up.into()),
        ];
        let ours: BTreeMap<String, ManifestCount> =
            ours.into_iter().chain(moved.map(|(name, count)| (name.to_owned(), count))).collect();
        let counted =
            |count: ManifestCount| format!("{} records and {} s", count.records, count.seconds);
        let mut differences = different("", &night.counts, &ours, |count| counted(*count));
        let reasons = session
            .suspended_by_reason()
            .iter()
            .map(|(reason, count)| (reason.as_str().to_owned(), *count))
            .collect();
        differences.extend(different(
            "suspended as ",
            &night.suspended_by_reason,
            &reasons,
            u64::to_string,
        ));
        let legs = |count: u64| BTreeMap::from([("legs".to_owned(), count)]);
        differences.extend(different("", &legs(night.legs), &legs(staged.legs), u64::to_string));
        let tariff = |hash: &str| {
            BTreeMap::from([("hash of what it was rated with".to_owned(), hash.to_owned())])
        };
        if let Some(published) = &night.tariff_hash {
            differences.extend(different(
                "",
                &tariff(published),
                &tariff(&session.tariff_hash()),
                String::clone,
            ));
        }
        // The text was checked when the night was opened.
        let exact = |text: &str| Decimal::from_str_exact(text).unwrap_or(Decimal::MIN).normalize();
        let theirs =
            night.amount.iter().map(|(currency, sum)| (currency.clone(), exact(sum))).collect();
        let sums = staged
            .amount
            .iter()
            .map(|(currency, sum)| (currency.clone(), exact(&sum.to_string())))
            .collect();
        differences.extend(different("sum of legs in ", &theirs, &sums, Decimal::to_string));
        differences
    }

    /// The most likely cause of a difference, if there is one.
    fn why_it_may_differ(&self, history: &History, tally: &Tally) -> String {
        let NightManifest { previous, kernel, counts, .. } = &self.manifest;
        let last =
            history.last().and_then(|last| last.imported.as_ref()).map(|night| night.id.as_str());
        let has = |id: &str| {
            history
                .runs
                .iter()
                .any(|run| run.manifest.imported.as_ref().is_some_and(|night| night.id == id))
        };
        if let Some(previous) = previous.as_deref().filter(|previous| !has(previous)) {
            let short: String = previous.chars().take(8).collect();
            return format!(
                "it follows night {short}, which this ledger has not: import nights in their order"
            );
        }
        let published = counts.get(Class::Duplicate.as_str()).map_or(0, |count| count.records);
        if tally.of(Class::Duplicate).records > published {
            return "calls of it are booked in this ledger already: undo the run that booked them, \
                    or import into another ledger"
                .to_owned();
        }
        if last != previous.as_deref() && !history.runs.is_empty() {
            return "this ledger has runs of which the night knows nothing: undo them, import it, \
                    and do them again"
                .to_owned();
        }
        let own = env!("CARGO_PKG_VERSION");
        if kernel != own {
            return format!(
                "it was rated by trunkrate {kernel}, this is {own}: \
                 have the same version on the cluster and here"
            );
        }
        "it was changed after it was published, or something else rated it: \
         publish it again from its calls"
            .to_owned()
    }
}

/// The entries that differ, in words; a missing entry equals an empty one.
fn different<T: Default + PartialEq>(
    what: &str,
    published: &BTreeMap<String, T>,
    here: &BTreeMap<String, T>,
    shown: impl Fn(&T) -> String,
) -> Vec<String> {
    let names: BTreeSet<&String> = published.keys().chain(here.keys()).collect();
    let none = T::default();
    let line = |name: &String| {
        let [theirs, ours] = [published, here].map(|side| side.get(name).unwrap_or(&none));
        (theirs != ours).then(|| {
            format!(
                "{what}{}: {} published, {} here",
                name.replace('_', " "),
                shown(theirs),
                shown(ours)
            )
        })
    };
    names.into_iter().filter_map(line).collect()
}
