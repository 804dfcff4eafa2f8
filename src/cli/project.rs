//! The project: the ledger, files and choices of a command, and the source of each.
//!
//! | | flag | environment | `trunkrate.toml` | else |
//! |---|---|---|---|---|
//! | the project itself | `--config` | `TRUNKRATE_CONFIG` | | `trunkrate.toml` here, else in the nearest folder above |
//! | ledger | `--ledger` | `TRUNKRATE_LEDGER` | `ledger` | beside a file with `[paths]`: `ledger`; else `./ledger`, if it is one |
//! | calls, rates | `--cdrs`, `--rates` | | `calls`, `rates` | a usage error |
//! | trunks, accounts, items | `--trunks`, … | | `trunks`, … | none |
//! | out | `--out` | | `out` | not written, or a usage error |
//! | how calls are rated, who sells | | | the other tables | the contract's defaults |
//!
//! The leftmost source wins. Paths of `[paths]` are relative to the file that names them, and call
//! files are named by those paths, whatever the working folder is.
//!
//! **Invariants:** No ledger is made by accident: only one that a flag, the environment or a
//! project names is made. A missing path of `[paths]` is an error where it is needed, and never
//! counts as a file that was not given.

use super::args::ProjectArgs;
use super::config;
use super::error::CliError;
use super::inputs;
use super::term;
use crate::ingest::source::{self, FoundFiles};
use crate::inputs::file::FileError;
use crate::inputs::settings;
use crate::invoicing::drafts::Terms;
use crate::ledger::Ledger;
use crate::policy::Policy;
use crate::report::health::Limits;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::path::{Component, Path, PathBuf};
use toml::Spanned;

/// The name of a project's file.
pub const FILE_NAME: &str = "trunkrate.toml";
/// The ledger's folder if nobody names one.
const LEDGER: &str = "ledger";

/// The project of a command.
#[derive(Debug)]
pub struct Project {
    /// The project's file; [`FILE_NAME`] if there is none.
    file: PathBuf,
    /// The file's text; empty if there is none.
    text: String,
    /// True if `--config` named it.
    named: bool,
    /// `[paths]`, if the file has it.
    paths: Option<Paths>,
    /// The ledger that a flag or the environment names.
    ledger: Option<PathBuf>,
}

/// `[paths]`; each with its place in the file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Paths {
    ledger: Option<Spanned<PathBuf>>,
    calls: Option<Spanned<OneOrMany>>,
    rates: Option<Spanned<PathBuf>>,
    trunks: Option<Spanned<PathBuf>>,
    accounts: Option<Spanned<PathBuf>>,
    items: Option<Spanned<PathBuf>>,
    out: Option<Spanned<PathBuf>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected a path, or a list of paths")]
enum OneOrMany {
    One(PathBuf),
    Many(Vec<PathBuf>),
}

/// The whole file: the other tables are read by [`settings`] and [`config`].
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Tables {
    paths: Option<Paths>,
    #[serde(rename = "input")]
    _input: IgnoredAny,
    #[serde(rename = "money")]
    _money: IgnoredAny,
    #[serde(rename = "policy")]
    _policy: IgnoredAny,
    #[serde(rename = "seller")]
    _seller: IgnoredAny,
    #[serde(rename = "invoice")]
    _invoice: IgnoredAny,
    #[serde(rename = "status")]
    _status: IgnoredAny,
}

/// A path of `[paths]` that replaces a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// `--rates`
    Rates,
    /// `--trunks`
    Trunks,
    /// `--accounts`
    Accounts,
    /// `--items`
    Items,
}

impl Key {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Rates => "rates",
            Self::Trunks => "trunks",
            Self::Accounts => "accounts",
            Self::Items => "items",
        }
    }

    /// The name that `init` gives such a file.
    const fn usual_name(self) -> Option<&'static str> {
        match self {
            Self::Rates => None,
            Self::Trunks => Some("trunks.json"),
            Self::Accounts => Some("accounts.csv"),
            Self::Items => Some("items.csv"),
        }
    }
}

impl Project {
    /// Finds the project: the named one, else the nearest in the working folder or above it, else
    /// an empty one.
    ///
    /// # Errors
    /// A named file that is missing or empty, a found one that another user may have written, or a
    /// file that is no project.
    pub fn find(args: &ProjectArgs) -> Result<Self, CliError> {
        let ledger = named_ledger(args);
        let named = args.config.is_some();
        let (file, text) = match args.config.clone().or_else(|| variable("TRUNKRATE_CONFIG")) {
            Some(file) => {
                let by = "TRUNKRATE_CONFIG names it";
                let read = crate::inputs::file::read_text(&file)
                    .map_err(|e| if named { e } else { e.hint(by) })?;
                if read.trim().is_empty() {
                    return Err(CliError::failed(format!(
                        "{}: is empty: it sets nothing",
                        file.display()
                    ))
                    .hint("name the right file, or leave --config out"));
                }
                (file, read)
            }
            None => match nearest()? {
                Some(file) => {
                    if file != Path::new(FILE_NAME) {
                        refuse_strangers(&file)?;
                        term::report("note", &format!("the project is {}", file.display()));
                    }
                    let text = crate::inputs::file::read_text(&file)?;
                    (file, text)
                }
                None => (PathBuf::from(FILE_NAME), String::new()),
            },
        };
        let paths = settings::read::<Tables>(&file, &text)?.paths;
        let project = Self { file, text, named, paths, ledger };
        project.refuse_empty_paths()?;
        project.note_inputs();
        Ok(project)
    }

    /// Notes its own file and what it names, so that no output replaces one.
    fn note_inputs(&self) {
        inputs::read(&self.file);
        let Some(paths) = &self.paths else { return };
        let lists = [&paths.rates, &paths.trunks, &paths.accounts, &paths.items];
        for path in lists.into_iter().flatten() {
            inputs::read(&self.beside(path.get_ref()));
        }
        match paths.calls.as_ref().map(Spanned::get_ref) {
            None => {}
            Some(OneOrMany::One(path)) => inputs::read_calls(&self.beside(path)),
            Some(OneOrMany::Many(all)) => {
                for path in all {
                    inputs::read_calls(&self.beside(path));
                }
            }
        }
    }

    /// The rating policy.
    ///
    /// # Errors
    /// As [`settings::parse`].
    pub fn policy(&self) -> Result<Policy, CliError> {
        Ok(settings::parse(&self.file, &self.text)?)
    }

    /// The rating policy, if `--config` named the project.
    ///
    /// # Errors
    /// As [`settings::parse`].
    pub fn named_policy(&self) -> Result<Option<Policy>, CliError> {
        self.named.then(|| self.policy()).transpose()
    }

    /// The seller and the terms, and the file they come from.
    ///
    /// # Errors
    /// As [`config::parse_terms`].
    pub fn terms(&self) -> Result<(Terms, PathBuf), CliError> {
        Ok((config::parse_terms(&self.file, &self.text)?, self.file.clone()))
    }

    /// The limits of `status`.
    ///
    /// # Errors
    /// As [`config::parse_limits`].
    pub fn limits(&self) -> Result<Limits, CliError> {
        Ok(config::parse_limits(&self.file, &self.text)?)
    }

    /// The file, as messages name it.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// True if the file has `[paths]`.
    pub fn has_paths(&self) -> bool {
        self.paths.is_some()
    }

    /// An existing ledger.
    ///
    /// # Errors
    /// If there is none.
    pub fn ledger(&self) -> Result<Ledger, CliError> {
        let (folder, _) = self.ledger_folder();
        let ledger = Ledger::at(&folder);
        if ledger.exists()? {
            return Ok(ledger);
        }
        let makes = if self.has_paths() {
            "`trunkrate run` makes it"
        } else {
            "`trunkrate init` makes a project"
        };
        Err(CliError::failed(format!("{}: there is no ledger", folder.display()))
            .hint(format!("{makes}; --ledger names another")))
    }

    /// The ledger to book in: an existing one, or a named one that is to be made.
    ///
    /// # Errors
    /// If it does not exist and nobody named it.
    pub fn ledger_to_book(&self) -> Result<Ledger, CliError> {
        let (folder, is_named) = self.ledger_folder();
        let ledger = Ledger::at(&folder);
        if is_named || ledger.exists()? {
            return Ok(ledger);
        }
        let no_project = if self.text.is_empty() {
            format!("no {FILE_NAME} is in this folder or above it")
        } else {
            format!("{} has no [paths]", self.file.display())
        };
        Err(CliError::failed(format!(
            "which ledger? {no_project}, and `{LEDGER}` is no ledger; nothing was booked"
        ))
        .hint(
            "`trunkrate init` makes a project; or name a ledger with --ledger DIR, and it is made",
        ))
    }

    /// The ledger's folder, and true if anybody named it.
    pub fn ledger_folder(&self) -> (PathBuf, bool) {
        if let Some(folder) = &self.ledger {
            return (folder.clone(), true);
        }
        match &self.paths {
            Some(paths) => (
                self.beside(paths.ledger.as_ref().map_or(Path::new(LEDGER), |path| path.get_ref())),
                true,
            ),
            None => (PathBuf::from(LEDGER), false),
        }
    }

    /// The call files of `--cdrs`, else those of the project.
    ///
    /// # Errors
    /// As [`source::find`]; also if neither names any.
    pub fn calls(&self, flag: &[PathBuf]) -> Result<FoundFiles, CliError> {
        if !flag.is_empty() {
            let found = source::find(flag)?;
            found.files.iter().for_each(|file| inputs::read(&file.path));
            return Ok(found);
        }
        let Some(calls) = self.paths.as_ref().and_then(|paths| paths.calls.as_ref()) else {
            return Err(self.missing("--cdrs PATH", "calls"));
        };
        let patterns: Vec<PathBuf> = match calls.get_ref() {
            OneOrMany::One(path) => vec![self.beside(path)],
            OneOrMany::Many(paths) => paths.iter().map(|path| self.beside(path)).collect(),
        };
        let mut found = source::find(&patterns).map_err(|e| {
            let place =
                format!("{}:{} names it", self.file.display(), self.line(calls.span().start));
            let hint =
                e.hint.as_ref().map_or_else(|| place.clone(), |hint| format!("{hint}; {place}"));
            e.hint(hint)
        })?;
        // Named as in the project, whatever the working folder is.
        for file in &mut found.files {
            if let Ok(path) = file.path.strip_prefix(self.folder()) {
                file.name = path.display().to_string();
            }
        }
        Ok(found)
    }

    /// The path of a flag, else that of the project.
    ///
    /// # Errors
    /// If the project names a path that is not there.
    pub fn path(&self, key: Key, flag: Option<&Path>) -> Result<Option<PathBuf>, CliError> {
        if let Some(path) = flag {
            inputs::read(path);
            return Ok(Some(path.to_owned()));
        }
        let Some(paths) = &self.paths else { return Ok(None) };
        let named = match key {
            Key::Rates => &paths.rates,
            Key::Trunks => &paths.trunks,
            Key::Accounts => &paths.accounts,
            Key::Items => &paths.items,
        };
        let Some(named) = named else {
            self.note_unnamed(key);
            return Ok(None);
        };
        let (name, at) = (named.get_ref(), named.span().start);
        let path = self.beside(name);
        if !crate::disk::folder::is_there(&path)? {
            let problem = format!("is `{}`, and there is no {}", name.display(), path.display());
            return Err(self
                .wrong(key.as_str(), at, &problem)
                .hint("paths are relative to this file; put it there, or mend the line")
                .into());
        }
        Ok(Some(path))
    }

    /// A list that the project names, if it is there: for names that are only shown.
    pub fn list(&self, key: Key) -> Option<PathBuf> {
        let paths = self.paths.as_ref()?;
        let named = match key {
            Key::Rates => &paths.rates,
            Key::Trunks => &paths.trunks,
            Key::Accounts => &paths.accounts,
            Key::Items => &paths.items,
        };
        Some(self.beside(named.as_ref()?.get_ref())).filter(|path| path.is_file())
    }

    /// Notes that a list lies beside the file under its usual name and is not used: it was put
    /// there later, and would be missed every night.
    fn note_unnamed(&self, key: Key) {
        if let Some(usual) =
            key.usual_name().map(|name| self.beside(Path::new(name))).filter(|path| path.is_file())
        {
            let (list, file, key) = (usual.display(), self.file.display(), key.as_str());
            term::report(
                "note",
                &format!(
                    "{list} is not used: {file} does not name it; `{key} = …` under [paths] does"
                ),
            );
        }
    }

    /// The rates of `--rates`, else those of the project.
    ///
    /// # Errors
    /// As [`Project::path`]; also if neither names any.
    pub fn rates(&self, flag: Option<&Path>) -> Result<PathBuf, CliError> {
        self.path(Key::Rates, flag)?.ok_or_else(|| self.missing("--rates DIR", "rates"))
    }

    /// The folder of `--out`, else that of the project, which need not exist.
    pub fn out(&self, flag: Option<&Path>) -> Option<PathBuf> {
        let named = self.paths.as_ref().and_then(|paths| paths.out.as_ref());
        flag.map(Path::to_owned).or_else(|| named.map(|path| self.beside(path.get_ref())))
    }

    /// The folder of `--out` or of the project, for commands that need one.
    ///
    /// # Errors
    /// If neither names one.
    pub fn required_out(&self, flag: Option<&Path>) -> Result<PathBuf, CliError> {
        self.out(flag).ok_or_else(|| self.missing("--out DIR", "out"))
    }

    fn missing(&self, flag: &str, key: &str) -> CliError {
        let hint = if self.has_paths() {
            format!("give it, or write `{key} = \"…\"` under [paths] in {}", self.file.display())
        } else {
            format!(
                "give it, or make a project with `trunkrate init`: \
                 `{key}` in its {FILE_NAME} stands for the flag"
            )
        };
        CliError::usage(format!("{flag} is missing")).hint(hint)
    }

    /// Refuses empty paths: an empty path would be the folder itself.
    fn refuse_empty_paths(&self) -> Result<(), FileError> {
        let Some(Paths { ledger, calls, rates, trunks, accounts, items, out }) = &self.paths else {
            return Ok(());
        };
        let single = [
            ("ledger", ledger),
            ("rates", rates),
            ("trunks", trunks),
            ("accounts", accounts),
            ("items", items),
            ("out", out),
        ];
        let single = single.into_iter().filter_map(|(key, path)| {
            path.as_ref().map(|path| (key, path.span().start, vec![path.get_ref()]))
        });
        let calls = calls.iter().map(|calls| {
            let patterns = match calls.get_ref() {
                OneOrMany::One(path) => vec![path],
                OneOrMany::Many(paths) => paths.iter().collect(),
            };
            ("calls", calls.span().start, patterns)
        });
        for (key, at, paths) in single.chain(calls) {
            if paths.is_empty() || paths.iter().any(|path| path.as_os_str().is_empty()) {
                return Err(self
                    .wrong(key, at, "is empty")
                    .hint("expected a path, or no such line"));
            }
        }
        Ok(())
    }

    fn wrong(&self, key: &str, at: usize, problem: &str) -> FileError {
        FileError::new(&self.file, format!("paths.{key} {problem}")).at(self.line(at))
    }

    fn line(&self, at: usize) -> u64 {
        self.text[..at].matches('\n').count() as u64 + 1
    }

    /// The folder that the project lies in; empty without one.
    pub fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new(""))
    }

    /// A path of the file, relative to the working folder, without the `.` that a file manager or a
    /// shell put in it.
    fn beside(&self, path: &Path) -> PathBuf {
        let joined = self.folder().join(path);
        let plain: PathBuf =
            joined.components().filter(|part| !matches!(part, Component::CurDir)).collect();
        if plain.as_os_str().is_empty() { PathBuf::from(".") } else { plain }
    }
}

/// The ledger that a flag or the environment names.
pub fn named_ledger(args: &ProjectArgs) -> Option<PathBuf> {
    args.ledger.clone().or_else(|| variable("TRUNKRATE_LEDGER"))
}

/// An environment variable that is set and not empty.
fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Refuses a project's file in a folder above that somebody else could have written: calls would be
/// rated and billed on their terms.
fn refuse_strangers(file: &Path) -> Result<(), CliError> {
    use std::os::unix::fs::MetadataExt;
    let of = |path: &Path| {
        std::fs::metadata(path).map_err(|e| CliError::failed(format!("{}: {e}", path.display())))
    };
    let (there, here) = (of(file)?, of(Path::new("."))?);
    let is_ours = [0, here.uid(), rustix::process::getuid().as_raw()].contains(&there.uid());
    if is_ours && there.mode() & 0o002 == 0 {
        return Ok(());
    }
    let whose = if is_ours { "everybody may write to it" } else { "it belongs to another user" };
    Err(CliError::failed(format!("{}: is the nearest project, and {whose}", file.display()))
        .hint("name your project with --config, or take the file away"))
}

/// The project's file in the working folder, or in the nearest folder above it.
fn nearest() -> Result<Option<PathBuf>, CliError> {
    let here = std::env::current_dir()
        .map_err(|e| CliError::failed(format!("the working folder cannot be read: {e}")))?;
    let mut above = PathBuf::new();
    for _ in here.ancestors() {
        let file = above.join(FILE_NAME);
        if crate::disk::folder::is_there(&file)? {
            return Ok(Some(file));
        }
        above.push("..");
    }
    Ok(None)
}
