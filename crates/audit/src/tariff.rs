//! The decks of a run, read afresh: finds the row that prices a leg, and the amount of the leg.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use super::text::{Sheet, instant, money, prefixes};

/// The columns that a price list may have; `iso` and `country` are not read.
const COLUMNS: [&str; 13] = [
    "iso",
    "country",
    "description",
    "pricemin",
    "originationprefixes",
    "destinationprefixes",
    "service",
    "initialincrement",
    "increment",
    "minimum",
    "connectionfee",
    "effectivefrom",
    "effectiveto",
];

/// The tariff of a run, read afresh from the archived files.
#[derive(Debug)]
pub struct Tariff {
    decks: Vec<Deck>,
    /// The deck of each account that names one.
    accounts: HashMap<String, usize>,
    /// The deck of all others.
    default: Option<usize>,
    decimals: u32,
    rounding: Rounding,
    /// Numbers that stand for a withheld caller.
    pub(super) withheld: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
enum Rounding {
    HalfUp,
    HalfEven,
    Up,
}

/// A deck.
#[derive(Debug)]
pub(super) struct Deck {
    folder: String,
    pub name: String,
    pub currency: String,
    /// The rows of a service under each of their destination prefixes.
    termination: HashMap<String, Vec<usize>>,
    origination: HashMap<String, Vec<usize>>,
    /// The length of the longest of these prefixes.
    longest: usize,
    rows: Vec<Row>,
}

/// A line of a price list.
#[derive(Debug)]
pub(super) struct Row {
    pub file: String,
    pub line: i64,
    pub description: String,
    pub terms: Terms,
    /// The origin prefixes; none: any origin.
    origins: Vec<String>,
    from: Option<i64>,
    to: Option<i64>,
}

/// The terms of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Terms {
    /// Of a minute, in units of 1e-10.
    pub price: i128,
    /// In units of 1e-10.
    pub fee: i128,
    initial: u32,
    increment: u32,
    minimum: u32,
}

/// The leg that needs a rate.
pub(super) struct Wanted<'a> {
    pub service: &'a str,
    /// `+digits`, `911` or `933`.
    pub rated: &'a str,
    /// `+digits`, or empty.
    pub origin: Cow<'a, str>,
    /// Microseconds since 1970.
    pub at: i64,
}

/// The best prefixes of a deck for a leg; the rows that have both are [`Deck::tied`].
pub(super) struct Best<'a> {
    pub destination: &'a str,
    pub origin: &'a str,
    rows: &'a [usize],
}

/// `deck.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeckToml {
    name: Option<String>,
    currency: String,
    initial_increment: Option<u32>,
    increment: Option<u32>,
    minimum: Option<u32>,
    connection_fee: Option<String>,
}

impl Tariff {
    /// Sets the numbers that stand for a withheld caller.
    #[must_use]
    pub fn with_withheld(mut self, numbers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.withheld = numbers.into_iter().map(Into::into).collect();
        self
    }

    /// Reads the decks and the accounts of a run.
    ///
    /// `deck_files`: path below the rates folder, and bytes, as archived. `own_name`: the folder
    /// name of a deck whose files are at the top. `accounts_csv`: the text of `accounts.csv`, if
    /// there was one. `decimals` and `rounding` (`half-up`, `half-even`, `up`): the rounding of a
    /// leg.
    ///
    /// # Errors
    /// The first text that is not understood.
    pub fn load(
        deck_files: &BTreeMap<String, Vec<u8>>,
        own_name: &str,
        accounts_csv: Option<&str>,
        decimals: u32,
        rounding: &str,
    ) -> Result<Self, String> {
        let rounding = match rounding {
            "half-up" => Rounding::HalfUp,
            "half-even" => Rounding::HalfEven,
            "up" => Rounding::Up,
            _ => return Err(format!("the rounding `{rounding}` is not known")),
        };
        if decimals > 8 {
            return Err(format!("a leg of {decimals} decimals cannot be stored"));
        }
        let mut folders: BTreeMap<&str, BTreeMap<&str, &[u8]>> = BTreeMap::new();
        for (path, bytes) in deck_files {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            folders.entry(folder).or_default().insert(path, bytes);
        }
        let decks: Result<Vec<Deck>, String> = folders
            .iter()
            .map(|(folder, files)| {
                Deck::load(if folder.is_empty() { own_name } else { folder }, folder, files)
            })
            .collect();
        let mut tariff = Self {
            decks: decks?,
            accounts: HashMap::new(),
            default: None,
            decimals,
            rounding,
            withheld: Vec::new(),
        };
        tariff.default = if tariff.decks.len() == 1 { Some(0) } else { tariff.named("default") };
        tariff.accounts = tariff.read_accounts(accounts_csv.unwrap_or("account_sid"))?;
        Ok(tariff)
    }

    /// The deck of this folder, else the deck with this name.
    fn named(&self, name: &str) -> Option<usize> {
        let by_folder = self.decks.iter().position(|deck| deck.folder == name);
        by_folder.or_else(|| self.decks.iter().position(|deck| deck.name == name))
    }

    fn read_accounts(&self, csv: &str) -> Result<HashMap<String, usize>, String> {
        let mut accounts = HashMap::new();
        let sheet = Sheet::with_column(csv, "accountsid")
            .map_err(|problem| format!("accounts.csv: {problem}"))?;
        for record in &sheet.records {
            let (sid, deck) = (sheet.listed(record, "accountsid"), sheet.listed(record, "deck"));
            if !deck.is_empty() {
                let found = self.named(deck).ok_or_else(|| {
                    format!("accounts.csv:{}: there is no deck `{deck}`", record.line)
                })?;
                accounts.insert(sid.to_owned(), found);
            }
        }
        Ok(accounts)
    }

    /// The deck that prices an account.
    pub(super) fn deck_of(&self, account_sid: &str) -> Option<&Deck> {
        let deck = self.accounts.get(account_sid).copied().or(self.default)?;
        self.decks.get(deck)
    }

    /// Fee + price of a minute x billed seconds / 60, exact, then rounded once; in units of 1e-8.
    /// None: too large.
    pub(super) fn amount(&self, terms: &Terms, billed: i64) -> Option<i128> {
        let sixtieths =
            terms.fee.checked_mul(60)?.checked_add(terms.price.checked_mul(i128::from(billed))?)?;
        let step = 60 * 10_i128.pow(10 - self.decimals);
        let (down, rest) = (sixtieths / step, sixtieths % step);
        let goes_up = match self.rounding {
            Rounding::Up => rest > 0,
            Rounding::HalfUp => rest * 2 >= step,
            Rounding::HalfEven => rest * 2 > step || (rest * 2 == step && down % 2 == 1),
        };
        (down + i128::from(goes_up)).checked_mul(10_i128.pow(8 - self.decimals))
    }
}

impl Deck {
    fn load(folder: &str, path: &str, files: &BTreeMap<&str, &[u8]>) -> Result<Self, String> {
        let toml_path =
            if path.is_empty() { "deck.toml".to_owned() } else { format!("{path}/deck.toml") };
        let toml =
            files.get(toml_path.as_str()).ok_or_else(|| format!("{toml_path} is missing"))?;
        let toml: DeckToml = toml::from_str(utf8(toml, &toml_path)?)
            .map_err(|problem| format!("{toml_path}: {problem}"))?;
        let defaults = Terms {
            price: 0,
            fee: money(toml.connection_fee.as_deref().unwrap_or("0").trim())
                .ok_or_else(|| format!("{toml_path}: connection_fee is not understood"))?,
            initial: toml.initial_increment.unwrap_or(60),
            increment: toml.increment.unwrap_or(60),
            minimum: toml.minimum.unwrap_or(0),
        };
        let mut deck = Self {
            folder: folder.to_owned(),
            name: toml.name.unwrap_or_else(|| folder.to_owned()),
            currency: toml.currency,
            termination: HashMap::new(),
            origination: HashMap::new(),
            longest: 0,
            rows: Vec::new(),
        };
        for (path, bytes) in files.iter().filter(|(path, _)| **path != toml_path) {
            let sheet =
                Sheet::read(utf8(bytes, path)?).map_err(|problem| format!("{path}: {problem}"))?;
            if let Some(unknown) =
                sheet.header.iter().find(|title| !COLUMNS.contains(&title.as_str()))
            {
                return Err(format!("{path}: the column `{unknown}` is not known"));
            }
            for record in &sheet.records {
                let read =
                    deck.add(path, record.line, &|column| sheet.cell(record, column), &defaults);
                read.map_err(|column| {
                    format!("{path}:{}: {column} is not understood", record.line)
                })?;
            }
        }
        Ok(deck)
    }

    /// Adds a line of a price list; the error is the column that is not understood.
    fn add<'a>(
        &mut self,
        file: &str,
        line: i64,
        cell: &dyn Fn(&str) -> &'a str,
        defaults: &Terms,
    ) -> Result<(), &'static str> {
        let seconds = |column, default| match cell(column) {
            "" => Ok(default),
            text => text.parse::<u32>().map_err(|_| column),
        };
        let time = |column| match cell(column) {
            "" => Ok(None),
            text => instant(text).map(Some).ok_or(column),
        };
        let terms = Terms {
            price: money(cell("pricemin")).ok_or("pricemin")?,
            fee: match cell("connectionfee") {
                "" => defaults.fee,
                text => money(text).ok_or("connectionfee")?,
            },
            initial: seconds("initialincrement", defaults.initial)?,
            increment: seconds("increment", defaults.increment)?,
            minimum: seconds("minimum", defaults.minimum)?,
        };
        if terms.increment == 0 {
            return Err("increment");
        }
        let origins = match cell("originationprefixes") {
            "" => Vec::new(),
            text if text.eq_ignore_ascii_case("all") => Vec::new(),
            text => prefixes(text, false).ok_or("originationprefixes")?,
        };
        let index = match cell("service").to_ascii_lowercase().as_str() {
            "" | "termination" => &mut self.termination,
            "origination" => &mut self.origination,
            _ => return Err("service"),
        };
        for destination in
            prefixes(cell("destinationprefixes"), true).ok_or("destinationprefixes")?
        {
            self.longest = self.longest.max(destination.len());
            let rows = index.entry(destination).or_default();
            if !rows.contains(&self.rows.len()) {
                rows.push(self.rows.len());
            }
        }
        let (from, to) = (time("effectivefrom")?, time("effectiveto")?);
        let description = cell("description").to_owned();
        self.rows.push(Row { file: file.to_owned(), line, description, terms, origins, from, to });
        Ok(())
    }

    /// The longest destination prefix among the rows that are in force and that the origin may use;
    /// then the longest origin prefix among these.
    pub(super) fn find(&self, wanted: &Wanted<'_>) -> Option<Best<'_>> {
        let index =
            if wanted.service == "origination" { &self.origination } else { &self.termination };
        let with_destination = |prefix: &str| {
            let (destination, rows) = index.get_key_value(prefix)?;
            let origins = rows.iter().filter_map(|row| self.rows.get(*row)?.origin_for(wanted));
            Some(Best { destination, origin: origins.max_by_key(|origin| origin.len())?, rows })
        };
        match wanted.rated.strip_prefix('+') {
            Some(digits) => {
                let longest = digits.len().min(self.longest);
                (1..=longest).rev().find_map(|length| with_destination(digits.get(..length)?))
            }
            None => with_destination("emergency"),
        }
    }

    /// The rows that have both prefixes: one, or equal ones. Two prefixes of one origin are the
    /// same if they have the same length.
    pub(super) fn tied<'a>(
        &'a self,
        best: &'a Best<'_>,
        wanted: &'a Wanted<'_>,
    ) -> impl Iterator<Item = &'a Row> {
        let rows = best.rows.iter().filter_map(|row| self.rows.get(*row));
        rows.filter(|row| {
            row.origin_for(wanted).is_some_and(|origin| origin.len() == best.origin.len())
        })
    }
}

impl Row {
    /// The longest origin prefix that lets the origin use this row, empty for any origin; None if
    /// the origin may not, or the row is not in force.
    fn origin_for(&self, wanted: &Wanted<'_>) -> Option<&str> {
        let is_in_force = self.from.is_none_or(|from| from <= wanted.at)
            && self.to.is_none_or(|to| wanted.at < to);
        if !is_in_force {
            return None;
        }
        if self.origins.is_empty() {
            return Some("");
        }
        let digits = wanted.origin.strip_prefix('+').unwrap_or("");
        let matching = self.origins.iter().filter(|prefix| digits.starts_with(prefix.as_str()));
        matching.max_by_key(|prefix| prefix.len()).map(String::as_str)
    }
}

impl Terms {
    /// The billed seconds of a call of `duration` seconds; None if they cannot be counted.
    pub(super) fn billed(&self, duration: i64) -> Option<i64> {
        let (initial, increment) = (i64::from(self.initial), i64::from(self.increment));
        let duration = duration.max(i64::from(self.minimum));
        if duration <= initial {
            return Some(initial);
        }
        let beyond = duration.checked_sub(initial)?;
        let increments = beyond / increment + i64::from(beyond % increment > 0);
        increments.checked_mul(increment)?.checked_add(initial)
    }
}

/// The content of a row, for the property that holds both raters to one grammar: line, description,
/// true for a termination, price, fee, seconds, destinations, origins, from, to.
pub type SaidByRow =
    (i64, String, bool, i128, i128, [u32; 3], BTreeSet<String>, BTreeSet<String>, i64, i64);

impl Tariff {
    /// The content of each row of the first deck.
    #[must_use]
    pub fn said_by_rows(&self) -> Vec<SaidByRow> {
        let deck = &self.decks[0];
        let row = |(at, row): (usize, &Row)| {
            let under = |index: &HashMap<String, Vec<usize>>| -> BTreeSet<String> {
                index
                    .iter()
                    .filter(|(_, rows)| rows.contains(&at))
                    .map(|(prefix, _)| prefix.clone())
                    .collect()
            };
            let (termination, origination) = (under(&deck.termination), under(&deck.origination));
            let Terms { price, fee, initial, increment, minimum } = row.terms;
            (
                row.line,
                row.description.clone(),
                !termination.is_empty(),
                price,
                fee,
                [initial, increment, minimum],
                termination.union(&origination).cloned().collect(),
                row.origins.iter().cloned().collect(),
                row.from.unwrap_or(i64::MIN),
                row.to.unwrap_or(i64::MAX),
            )
        };
        deck.rows.iter().enumerate().map(row).collect()
    }
}

fn utf8<'a>(bytes: &'a [u8], path: &str) -> Result<&'a str, String> {
    let text = std::str::from_utf8(bytes).map_err(|problem| format!("{path}: {problem}"))?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::Tariff;

    fn load(toml: &str, row: &str, decimals: u32, rounding: &str) -> Result<Tariff, String> {
        let header = "Description,Price / min,Origination Prefixes,Destination Prefixes,Service,Increment,Effective From";
        let files = [("deck.toml", toml.to_owned()), ("p.csv", format!("{header}\n{row}\n"))];
        let files = files.map(|(path, text)| (path.to_owned(), text.into_bytes()));
        Tariff::load(&files.into(), "rates", None, decimals, rounding)
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let toml = "currency = \"USD\"";
        assert!(load(toml, "x,1,ALL,\" 1 ,emergency\",,,", 8, "up").is_ok());
        let rows = [
            ("x,,,1,,,", "pricemin"),
            ("x,1,emergency,1,,,", "originationprefixes"),
            ("x,1,,\"1,,2\",,,", "destinationprefixes"),
            ("x,1,,,,,", "destinationprefixes"),
            ("x,1,,1,inbound,,", "service"),
            ("x,1,,1,,0,", "increment"),
            ("x,1,,1,,,noon", "effectivefrom"),
            ("x,1,,1", "has 4 cells, expected 7"),
        ];
        for (row, what) in rows {
            let problem = load(toml, row, 5, "half-up").expect_err("a refusal");
            assert!(problem.contains(what), "{problem}");
        }
        for toml in
            ["", "currency = \"USD\"\nprice = \"1\"", "currency = \"USD\"\nconnection_fee = 0.1"]
        {
            assert!(load(toml, "x,1,,1,,,", 5, "half-up").is_err(), "{toml}");
        }
        assert!(
            load(toml, "x,1,,1,,,", 9, "half-up").is_err()
                && load(toml, "x,1,,1,,,", 5, "down").is_err()
        );
    }
}
