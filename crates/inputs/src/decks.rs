//! Rate decks from a folder: one deck, or a folder per deck.
//!
//! A deck is the CSV files of a folder under the header of the carrier's published price list, and
//! `deck.toml` beside them. **Invariant:** a row that is not understood is refused with its line;
//! no default replaces a price or a currency.

#[cfg(test)]
pub(crate) mod grammar;
pub(crate) mod prefixes;

use self::prefixes::Wrong;
use super::sheet::{Strictness, check_quotes, no_row};
use crate::file::{FileError, read_list, read_text};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use trunkrate_kernel::deck::{Conflict, Deck, Increments, NewRate, Rate};
use trunkrate_kernel::fit::must_fit;
use trunkrate_kernel::money::{Price, minor_unit_decimals};
use trunkrate_kernel::scenario::Direction;
use trunkrate_kernel::time::{Micros, parse_date_or_instant};
use trunkrate_kernel::words::plain_name;

/// The decks of a folder, by the name of their folder.
#[derive(Debug, Clone, Default)]
pub struct Decks {
    /// In the order of their names.
    pub decks: Vec<Deck>,
    /// The folder name of each.
    pub folders: Vec<String>,
    /// The content of every file, for the archive of the ledger: path below the given folder, and
    /// bytes.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The hash over all of them.
    pub hash: String,
}

impl Decks {
    /// The deck that an account names: by its folder, else by the name that it gives itself.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<u32> {
        let by_folder = self.folders.iter().position(|folder| folder == name);
        let found = by_folder.or_else(|| self.decks.iter().position(|deck| deck.name == name));
        found.map(|at| must_fit(at, "decks are counted in 32 bits"))
    }

    /// Warnings of tables that have nothing below their header: they may have been cut there, and
    /// other rows then price the calls that theirs did.
    pub fn notes(&self, folder: &Path) -> impl Iterator<Item = String> {
        let of_deck = |deck: &Deck| {
            let used: BTreeSet<u32> = deck.rates.iter().map(|rate| rate.file).collect();
            let is_empty =
                |(number, name): (u32, &String)| (!used.contains(&number)).then(|| name.clone());
            (0..).zip(&deck.files).filter_map(is_empty).collect::<Vec<String>>()
        };
        self.decks
            .iter()
            .flat_map(of_deck)
            .map(|name| no_row(&folder.join(name), "it prices no number"))
    }

    /// The deck of accounts that name none: `default`, or the only one.
    #[must_use]
    pub fn default_deck(&self) -> Option<u32> {
        if self.decks.len() == 1 { Some(0) } else { self.named("default") }
    }
}

/// `deck.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeckToml {
    name: Option<String>,
    currency: String,
    #[serde(default = "sixty")]
    initial_increment: u32,
    #[serde(default = "sixty")]
    increment: u32,
    #[serde(default)]
    minimum: u32,
    /// Money is a string: a TOML number would pass through a float.
    #[serde(default = "zero")]
    connection_fee: String,
}

fn sixty() -> u32 {
    60
}

fn zero() -> String {
    "0".to_owned()
}

/// Loads all decks of a folder.
///
/// # Errors
/// The first fault, with file and line.
pub fn load(folder: &Path) -> Result<Decks, FileError> {
    load_named(folder, None)
}

/// Loads a copy of a folder: `own_name` is the original name of the folder, which names a deck
/// whose files are at the top.
///
/// # Errors
/// As [`load`].
pub fn load_named(folder: &Path, own_name: Option<&str>) -> Result<Decks, FileError> {
    let mut files = BTreeMap::new();
    if !folder.is_dir() {
        return Err(FileError::new(
            folder,
            "is no folder; expected a deck (deck.toml and CSV files), or a folder per deck",
        ));
    }
    let own = folder_files(folder)?;
    let subs = sub_folders(folder)?;
    let is_toml = |path: &PathBuf| path.file_name().is_some_and(|name| name == "deck.toml");
    let nested = subs.iter().find(|sub| sub.join("deck.toml").is_file());
    if let (true, Some(nested)) = (own.iter().any(is_toml), nested) {
        let problem = format!(
            "stands beside the deck {}: is the folder one deck, or does it hold decks?",
            nested.display()
        );
        return Err(FileError::new(&folder.join("deck.toml"), problem)
            .hint("move its files into a folder of their own, named `default`"));
    }
    if nested.is_none() && own.iter().any(|path| is_deck_file(path)) {
        collect(folder, "", &own, &mut files)?;
    } else {
        for sub in subs {
            let inside = folder_files(&sub)?;
            if inside.iter().any(|path| is_deck_file(path)) {
                let name = name_of(&sub);
                collect(&sub, &name, &inside, &mut files)?;
            }
        }
    }
    refuse_left_out(folder, folder, &files)?;
    let real_name = || {
        folder
            .canonicalize()
            .ok()
            .and_then(|p| p.file_name().map(|n| n.to_string_lossy().into_owned()))
    };
    let own_name = own_name.map(str::to_owned).or_else(real_name);
    from_files(folder, own_name.as_deref().unwrap_or(""), files)
}

/// Builds the decks of a set of files, as [`load`] collected them. `folder` is for messages,
/// `own_name` for a deck whose files are at the top.
///
/// # Errors
/// As [`load`].
pub fn from_files(
    folder: &Path,
    own_name: &str,
    files: BTreeMap<String, Vec<u8>>,
) -> Result<Decks, FileError> {
    build(folder, own_name, files, Strictness::Full)
}

fn build(
    folder: &Path,
    own_name: &str,
    files: BTreeMap<String, Vec<u8>>,
    strictness: Strictness,
) -> Result<Decks, FileError> {
    let mut by_deck: BTreeMap<&str, Vec<(&str, &[u8])>> = BTreeMap::new();
    for (path, bytes) in &files {
        let (deck, name) = path.rsplit_once('/').unwrap_or(("", path));
        by_deck.entry(deck).or_default().push((name, bytes));
    }
    if by_deck.is_empty() {
        return Err(FileError::new(
            folder,
            "has no deck: no CSV file in it, nor in the folders below",
        )
        .hint("a deck is deck.toml and CSV files under the carrier's price list header"));
    }
    let mut decks = Decks {
        hash: hash_files(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()))),
        ..Decks::default()
    };
    for (name, deck_files) in by_deck {
        let path = if name.is_empty() { folder.to_owned() } else { folder.join(name) };
        let folder_name = if name.is_empty() { own_name } else { name };
        let mut deck = read_deck(&path, folder_name, &deck_files, strictness)?;
        if !name.is_empty() {
            for file in &mut deck.files {
                *file = format!("{name}/{file}");
            }
        }
        deck.hash = hash_files(deck_files.iter().copied());
        if let Some(twin) = decks.decks.iter().position(|other| other.name == deck.name) {
            let problem = format!(
                "has the name `{}`, as the deck in `{}` has",
                deck.name, decks.folders[twin]
            );
            return Err(FileError::new(&path.join("deck.toml"), problem)
                .hint("legs name their deck: each needs a name of its own"));
        }
        decks.decks.push(deck);
        decks.folders.push(folder_name.to_owned());
    }
    decks.files = files;
    Ok(decks)
}

fn is_deck_file(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"))
        || path.file_name().is_some_and(|n| n == "deck.toml")
}

fn folder_files(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
    entries(folder).map(|paths| paths.into_iter().filter(|path| path.is_file()).collect())
}

fn sub_folders(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
    entries(folder).map(|paths| paths.into_iter().filter(|path| path.is_dir()).collect())
}

/// The entries of a folder, without hidden files.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
    let mut paths = all_entries(folder)?;
    paths.retain(|path| !is_hidden(path));
    if let Some(path) = paths.iter().find(|path| !path.is_file() && !path.is_dir()) {
        return Err(FileError::new(path, "is neither a file nor a folder")
            .hint("a link may lead nowhere; move it away if it is none of the deck's"));
    }
    Ok(paths)
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

fn all_entries(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
    let fail = |e: std::io::Error| FileError::new(folder, format!("cannot be read: {e}"));
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        paths.push(entry.map_err(fail)?.path());
    }
    paths.sort();
    Ok(paths)
}

/// Refuses a table in a place or under a name that no deck's table has: it would be no part of a
/// deck, though it was put there to be one.
fn refuse_left_out(
    top: &Path,
    folder: &Path,
    files: &BTreeMap<String, Vec<u8>>,
) -> Result<(), FileError> {
    for path in all_entries(folder)?.into_iter().filter(|path| path.is_file()) {
        let below = path.strip_prefix(top).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        let is_of_deck = is_deck_file(&path) && !is_hidden(&path);
        if !files.contains_key(&below) && (is_of_deck || is_price_list(&path)) {
            let problem = "would not be read: it is not among the files of a deck";
            return Err(FileError::new(&path, problem).hint(
                "a deck's rows stand in .csv files beside its deck.toml; move it there, or out of \
                 the folder",
            ));
        }
    }
    // The files of a version control system are its own business.
    let is_own = |path: &&PathBuf| {
        path.is_dir()
            && path.file_name().is_none_or(|name| name != ".git")
            && !(is_hidden(path) && path.is_symlink())
    };
    all_entries(folder)?.iter().filter(is_own).try_for_each(|sub| refuse_left_out(top, sub, files))
}

/// True if a file begins as a deck's table does. Backup copies of editors and people are skipped.
fn is_price_list(path: &Path) -> bool {
    if path.extension().is_some_and(|e| e == "bak" || e == "old" || e == "orig")
        || path.to_string_lossy().ends_with('~')
    {
        return false;
    }
    let mut beginning = Vec::new();
    let read = File::open(path).and_then(|file| file.take(4096).read_to_end(&mut beginning));
    let first = String::from_utf8_lossy(
        beginning
            .split(|byte| *byte == b'\n')
            .next()
            .expect("a text that is split has a first piece"),
    )
    .into_owned();
    read.is_ok()
        && first
            .split([',', ';', '\t', '|'])
            .any(|name| plain_name(name.trim_matches('"')) == "destinationprefixes")
}

/// Refuses a table that is no CSV file: it would be no part of a deck, though it was put there to
/// be one.
fn refuse_other_tables(paths: &[PathBuf]) -> Result<(), FileError> {
    const TABLES: [&str; 11] =
        ["tsv", "tab", "xls", "xlsx", "ods", "parquet", "gz", "zst", "zip", "json", "jsonl"];
    let is_table = |path: &&PathBuf| {
        path.extension().is_some_and(|e| TABLES.iter().any(|table| e.eq_ignore_ascii_case(table)))
    };
    match paths.iter().find(is_table) {
        None => Ok(()),
        Some(path) => {
            Err(FileError::new(path, "would not be read: the rows of a deck stand in .csv files")
                .hint(
                    "export it as CSV; or move it out of the folder, if it is none of the deck's",
                ))
        }
    }
}

fn name_of(entry: &Path) -> String {
    entry.file_name().expect("an entry of a folder has a name").to_string_lossy().into_owned()
}

fn collect(
    folder: &Path,
    deck: &str,
    paths: &[PathBuf],
    files: &mut BTreeMap<String, Vec<u8>>,
) -> Result<(), FileError> {
    refuse_other_tables(paths)?;
    for path in paths.iter().filter(|path| is_deck_file(path)) {
        let name = name_of(path);
        let bytes = read_list(path)?;
        files.insert(if deck.is_empty() { name } else { format!("{deck}/{name}") }, bytes);
    }
    if !paths.iter().any(|path| path.file_name().is_some_and(|n| n == "deck.toml")) {
        return Err(FileError::new(
            &folder.join("deck.toml"),
            "is missing: the currency of these prices is not said",
        )
        .hint("write one with name = \"…\" and currency = \"USD\""));
    }
    Ok(())
}

fn hash_files<'a>(files: impl Iterator<Item = (&'a str, &'a [u8])>) -> String {
    let mut hasher = blake3::Hasher::new();
    for (name, bytes) in files {
        hasher.update(&(name.len() as u64).to_le_bytes());
        hasher.update(name.as_bytes());
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    }
    hasher.finalize().to_hex().to_string()
}

/// The rows of a deck with their prefixes, in the order of their files.
#[derive(Debug, Clone)]
pub struct DeckRows {
    /// `name` of `deck.toml`, else its folder's.
    pub name: String,
    /// ISO 4217 code.
    pub currency: String,
    /// Its files, relative to its folder.
    pub files: Vec<String>,
    /// The rows.
    pub rows: Vec<NewRate>,
}

impl DeckRows {
    /// Reads the rows of one deck from the files of decks that were loaded before. `folder` is for
    /// messages, `name` is the deck's folder, even if its files are at the top.
    ///
    /// # Errors
    /// As [`archived`].
    pub fn of_files(
        folder: &Path,
        name: &str,
        files: &BTreeMap<String, Vec<u8>>,
    ) -> Result<Self, FileError> {
        let at_top = files.keys().all(|path| !path.contains('/'));
        let of_deck = files.iter().filter_map(|(path, bytes)| {
            let (deck, file) = path.rsplit_once('/').unwrap_or((name, path));
            (deck == name).then_some((file, bytes.as_slice()))
        });
        let path = if at_top { folder.to_owned() } else { folder.join(name) };
        read_deck_rows(&path, name, &of_deck.collect::<Vec<_>>(), Strictness::Archived)
    }
}

fn read_deck(
    folder: &Path,
    folder_name: &str,
    files: &[(&str, &[u8])],
    strictness: Strictness,
) -> Result<Deck, FileError> {
    let DeckRows { name, currency, files, rows } =
        read_deck_rows(folder, folder_name, files, strictness)?;
    Deck::build(name, currency, files.clone(), rows)
        .map_err(|conflict| refuse_conflict(folder, &files, &conflict))
}

fn read_deck_rows(
    folder: &Path,
    folder_name: &str,
    files: &[(&str, &[u8])],
    strictness: Strictness,
) -> Result<DeckRows, FileError> {
    let toml_path = folder.join("deck.toml");
    let bytes = files.iter().find(|(name, _)| *name == "deck.toml").map(|(_, bytes)| *bytes);
    let Some(bytes) = bytes else {
        return Err(FileError::new(
            &toml_path,
            "is missing: the currency of these prices is not said",
        ));
    };
    let defaults = read_toml(&toml_path, bytes)?;
    let mut rows = Vec::new();
    let names: Vec<String> = files
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| *name != "deck.toml")
        .map(str::to_owned)
        .collect();
    for (number, name) in (0..).zip(&names) {
        let bytes = files.iter().find(|(n, _)| n == name).map_or(&[][..], |(_, bytes)| *bytes);
        read_rows(&folder.join(name), bytes, (number, strictness), &defaults, &mut rows)?;
    }
    if rows.is_empty() {
        return Err(FileError::new(folder, "has no row"));
    }
    let name = defaults.name.clone().unwrap_or_else(|| folder_name.to_owned());
    Ok(DeckRows { name, currency: defaults.currency, files: names, rows })
}

fn refuse_conflict(folder: &Path, names: &[String], conflict: &Conflict) -> FileError {
    let place = |(file, line): (u32, u32)| format!("{}:{line}", names[file as usize]);
    let origin = if conflict.origin.is_empty() {
        "any origin".to_owned()
    } else {
        format!("origin {}", conflict.origin)
    };
    FileError::new(
        &folder.join(&names[conflict.first.0 as usize]),
        format!(
            "gives two answers for destination {} from {origin}: {} and {} are in force at once \
             on other terms",
            conflict.destination,
            place(conflict.first),
            place(conflict.second)
        ),
    )
    .at(conflict.first.1.into())
    .hint("end one with `Effective To`, or drop the prefix from one of the two lists")
}

fn read_toml(path: &Path, bytes: &[u8]) -> Result<DeckToml, FileError> {
    let text = std::str::from_utf8(bytes).map_err(|_| FileError::new(path, "is not UTF-8"))?;
    let deck: DeckToml = toml::from_str(text).map_err(|e| {
        let line = e.span().map(|span| text[..span.start].matches('\n').count() as u64 + 1);
        let error = FileError { line, ..FileError::new(path, e.message().to_owned()) };
        if e.message().contains("expected a string") {
            error.hint("money is written as a string: connection_fee = \"0.01\"")
        } else {
            error
        }
    })?;
    if minor_unit_decimals(&deck.currency).is_none() {
        return Err(FileError::new(
            path,
            format!("`{}` is no currency of ISO 4217; expected a code such as USD", deck.currency),
        ));
    }
    increments(deck.initial_increment, deck.increment, deck.minimum)
        .map_err(|problem| FileError::new(path, problem))?;
    Price::parse(&deck.connection_fee)
        .map_err(|e| FileError::new(path, format!("connection_fee: {e}")))?;
    Ok(deck)
}

fn increments(initial: u32, increment: u32, minimum: u32) -> Result<Increments, String> {
    if increment == 0 {
        return Err("an increment of 0 s would never end; expected 1 or more".to_owned());
    }
    let longest = initial.max(increment).max(minimum);
    if longest > Increments::LONGEST {
        return Err(format!(
            "{longest} s is longer than a day; expected at most {}",
            Increments::LONGEST
        ));
    }
    Ok(Increments { initial, increment, minimum })
}

/// A column of a deck file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Iso,
    Country,
    Description,
    Price,
    Origins,
    Destinations,
    Service,
    InitialIncrement,
    Increment,
    Minimum,
    Fee,
    From,
    To,
}

/// The published header, then the columns that a deck may add.
const COLUMNS: [(Column, &str); 13] = [
    (Column::Iso, "ISO"),
    (Column::Country, "Country"),
    (Column::Description, "Description"),
    (Column::Price, "Price / min"),
    (Column::Origins, "Origination Prefixes"),
    (Column::Destinations, "Destination Prefixes"),
    (Column::Service, "Service"),
    (Column::InitialIncrement, "Initial Increment"),
    (Column::Increment, "Increment"),
    (Column::Minimum, "Minimum"),
    (Column::Fee, "Connection Fee"),
    (Column::From, "Effective From"),
    (Column::To, "Effective To"),
];
const PUBLISHED: usize = 6;

/// The place of each column in a file.
struct Layout([Option<usize>; COLUMNS.len()]);

impl Layout {
    fn read(path: &Path, header: &csv::StringRecord) -> Result<Self, FileError> {
        let mut layout = Self([None; COLUMNS.len()]);
        for (at, name) in header.iter().enumerate() {
            let known = COLUMNS.iter().position(|(_, known)| plain_name(known) == plain_name(name));
            let Some(column) = known else {
                return Err(FileError::new(path, format!("has an unknown column `{name}`"))
                    .at(1)
                    .hint(expected_columns()));
            };
            if layout.0[column].replace(at).is_some() {
                return Err(FileError::new(path, format!("has the column `{name}` twice")).at(1));
            }
        }
        if let Some(missing) = layout.0[..PUBLISHED].iter().position(Option::is_none) {
            return Err(FileError::new(path, format!("has no column `{}`", COLUMNS[missing].1))
                .at(1)
                .hint(expected_columns()));
        }
        Ok(layout)
    }

    fn get<'a>(&self, row: &'a csv::StringRecord, column: Column) -> &'a str {
        self.0[column as usize].and_then(|at| row.get(at)).unwrap_or("").trim()
    }
}

fn expected_columns() -> String {
    let names = |columns: &[(Column, &str)]| {
        columns.iter().map(|(_, name)| *name).collect::<Vec<_>>().join(",")
    };
    format!(
        "expected {} and, if wanted, {}",
        names(&COLUMNS[..PUBLISHED]),
        names(&COLUMNS[PUBLISHED..])
    )
}

fn read_rows(
    path: &Path,
    bytes: &[u8],
    (file, strictness): (u32, Strictness),
    defaults: &DeckToml,
    rows: &mut Vec<NewRate>,
) -> Result<(), FileError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    let (mut row, mut lines) = (csv::StringRecord::new(), crate::file::Lines::of(bytes));
    let fail = |e: &csv::Error| {
        let error = FileError::new(path, format!("cannot be read: {e}"));
        FileError { line: e.position().map(csv::Position::line), ..error }
    };
    if !reader.read_record(&mut row).map_err(|e| fail(&e))? {
        return Err(FileError::new(path, "is empty").hint(expected_columns()));
    }
    let (layout, width) = (Layout::read(path, &row)?, row.len());
    check_quotes(path, bytes, (b',', width), strictness)?;
    while reader.read_record(&mut row).map_err(|e| fail(&e))? {
        let line = lines.line_of(row.position());
        if row.len() != width {
            let problem = format!("has {} columns, expected {width}", row.len());
            return Err(FileError::new(path, problem)
                .at(line)
                .hint("a list of prefixes with commas needs quotes"));
        }
        let rate = read_row(&layout, &row, defaults)
            .map_err(|problem| FileError::new(path, problem).at(line))?;
        let list = |column: Column, wrong: Wrong| {
            let problem = format!("{}: {}", COLUMNS[column as usize].1, wrong.problem);
            FileError::new(path, problem).at(line).hint(wrong.hint)
        };
        let destinations =
            prefixes::destinations(layout.get(&row, Column::Destinations), strictness);
        let destinations = destinations.map_err(|wrong| list(Column::Destinations, wrong))?;
        let origins = prefixes::origins(layout.get(&row, Column::Origins), strictness);
        let origins = origins.map_err(|wrong| list(Column::Origins, wrong))?;
        let rate = Rate { file, line: must_fit(line, "a deck has fewer than 2^32 lines"), ..rate };
        rows.push(NewRate { rate, destinations, origins });
    }
    Ok(())
}

/// A row without its prefixes.
fn read_row(layout: &Layout, row: &csv::StringRecord, defaults: &DeckToml) -> Result<Rate, String> {
    let get = |column| layout.get(row, column);
    let named =
        |column: Column, problem: String| format!("{}: {problem}", COLUMNS[column as usize].1);
    let price = |column, default: &str| {
        let text = if get(column).is_empty() { default } else { get(column) };
        Price::parse(text).map_err(|e| named(column, e.to_string()))
    };
    let seconds = |column, default: u32| match get(column) {
        "" => Ok(default),
        text if text.bytes().all(|b| b.is_ascii_digit()) => {
            text.parse().map_err(|_| named(column, format!("`{text}` is too large")))
        }
        text => Err(named(column, format!("`{text}` is no whole number of seconds"))),
    };
    let instant = |column, default: Micros| match get(column) {
        "" => Ok(default),
        text => parse_date_or_instant(text).ok_or_else(|| {
            named(
                column,
                format!("`{text}` is neither a date (2026-01-31) nor an instant with an offset"),
            )
        }),
    };
    let service = match get(Column::Service) {
        "" => Direction::Termination,
        text => Direction::from_service(text).ok_or_else(|| {
            named(Column::Service, format!("`{text}` is neither termination nor origination"))
        })?,
    };
    let effective = instant(Column::From, Micros::MIN)?..instant(Column::To, Micros::MAX)?;
    if effective.is_empty() {
        return Err(
            "Effective To is not after Effective From: the row would never be in force".to_owned()
        );
    }
    let increments = increments(
        seconds(Column::InitialIncrement, defaults.initial_increment)?,
        seconds(Column::Increment, defaults.increment)?,
        seconds(Column::Minimum, defaults.minimum)?,
    )?;
    Ok(Rate {
        service,
        price: price(Column::Price, "")?,
        fee: price(Column::Fee, &defaults.connection_fee)?,
        increments,
        iso: get(Column::Iso).into(),
        country: get(Column::Country).into(),
        description: get(Column::Description).into(),
        effective,
        file: 0,
        line: 0,
    })
}

/// The files of decks as the ledger archived them, by path, and the hash over all of them.
///
/// # Errors
/// If one cannot be read.
pub fn archived_files(folder: &Path) -> Result<(BTreeMap<String, Vec<u8>>, String), FileError> {
    let mut files = BTreeMap::new();
    for path in folder_files(folder)? {
        let name = name_of(&path);
        files.insert(name.clone(), read_text(&path)?.into_bytes());
    }
    for sub in sub_folders(folder)? {
        let deck = name_of(&sub);
        collect(&sub, &deck, &folder_files(&sub)?, &mut files)?;
    }
    files.retain(|name, _| is_deck_file(Path::new(name)));
    let hash = hash_files(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
    Ok((files, hash))
}

/// Loads decks as the ledger archived them, and takes prefixes with a leading 0: calls were booked
/// with them.
///
/// # Errors
/// As [`load`].
pub fn archived(folder: &Path, own_name: &str) -> Result<Decks, FileError> {
    build(folder, own_name, archived_files(folder)?.0, Strictness::Archived)
}
