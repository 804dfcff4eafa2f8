//! The text of a new `trunkrate.toml`: every choice with a line that explains it, defaults
//! commented out.

use crate::cli::args::init::InitArgs;
use crate::cli::error::CliError;
use crate::cli::project::FILE_NAME;
use std::fmt::Write;
use std::path::Path;
use std::path::{Component, PathBuf};

/// The choices for a new project. Paths are as its file names them.
#[derive(Debug)]
pub struct Choices {
    pub calls: String,
    pub rates: String,
    pub ledger: String,
    pub out: String,
    pub trunks: Option<String>,
    pub accounts: Option<String>,
    pub items: Option<String>,
    pub timezone: Option<String>,
    pub seller: SellerAnswers,
    pub tax_category: Option<String>,
    pub tax_rate: Option<String>,
}

#[derive(Debug)]
pub struct SellerAnswers {
    pub name: Option<String>,
    pub address: Vec<String>,
    pub postcode: Option<String>,
    pub city: Option<String>,
    pub country: Option<String>,
    pub tax_id: Option<String>,
}

impl Choices {
    /// The choices of the flags. Without a flag, a list in the folder is taken under its usual
    /// name; required paths get the usual name in any case.
    pub fn of(args: &InitArgs, ledger: Option<&Path>, folder: &Path) -> Result<Self, CliError> {
        let given = |path: Option<&Path>| path.map(|path| relative(path, folder)).transpose();
        let required = |path: Option<&Path>, usual: &str| {
            Ok::<_, CliError>(given(path)?.unwrap_or_else(|| usual.to_owned()))
        };
        // A list that is in the folder and not named would be missed every night.
        let there = |path: Option<&Path>, usual: &str| {
            Ok::<_, CliError>(
                given(path)?.or_else(|| folder.join(usual).is_file().then(|| usual.to_owned())),
            )
        };
        Ok(Self {
            calls: required(args.calls.as_deref(), "calls")?,
            rates: required(args.rates.as_deref(), "rates")?,
            ledger: required(ledger, "ledger")?,
            out: required(args.out.as_deref(), "invoices")?,
            trunks: there(args.trunks.as_deref(), "trunks.json")?,
            accounts: there(args.accounts.as_deref(), "accounts.csv")?,
            items: there(args.items.as_deref(), "items.csv")?,
            timezone: args.timezone.clone(),
            seller: SellerAnswers {
                name: args.seller_name.clone(),
                address: args.seller_address.clone(),
                postcode: args.seller_postcode.clone(),
                city: args.seller_city.clone(),
                country: args.seller_country.clone(),
                tax_id: args.seller_tax_id.clone(),
            },
            tax_category: args.tax_category.clone(),
            tax_rate: args.tax_rate.clone(),
        })
    }

    /// The text of the file.
    pub fn to_text(&self) -> String {
        let mut text = "# A trunkrate project. Commands that are started in this folder, \
             or in one below it, take what stands here.\n\
             # A flag beats this file. Lines that begin with # \
             show what holds without them, or an example.\n"
            .to_owned();
        let mut table = |name: &str, about: &str, lines: &[TomlLine]| {
            let _ = write!(text, "\n[{name}] # {about}\n");
            let width =
                lines.iter().map(|line| line.code().chars().count()).max().unwrap_or_default();
            for line in lines {
                let about = if line.about.is_empty() {
                    String::new()
                } else {
                    format!(" # {}", line.about)
                };
                let _ = writeln!(text, "{}", format!("{:width$}{about}", line.code()).trim_end());
            }
        };
        table("paths", "relative to this file", &self.paths());
        table(
            "input",
            "how call files are read",
            &[
                TomlLine::of(
                    "timezone",
                    self.timezone.as_deref(),
                    "Europe/Berlin",
                    "of times without an offset; not set: they wait as invalid-time",
                ),
                TomlLine::example(
                    "other_directions",
                    "[]",
                    "more directions that are no trunk's, such as \"outbound\": ignored",
                ),
                TomlLine::default(
                    "final_newline",
                    "required",
                    "a last line without an end may be cut, and waits; or \"optional\"",
                ),
                TomlLine::example(
                    "max_ratio",
                    "1000",
                    "how many times its size a compressed file may unpack to",
                ),
            ],
        );
        table(
            "policy",
            "what the carrier's page leaves open",
            &[
                TomlLine::default(
                    "chained_transfers",
                    "suspend",
                    "a transfer of a transfer waits; \"root\" bills it as the root call's",
                ),
                TomlLine::default(
                    "mangled_caller",
                    "suspend",
                    "a caller that a spreadsheet broke waits; \"unknown\" bills it as unknown",
                ),
                TomlLine::default(
                    "internal_targets",
                    "suspend",
                    "a target at the carrier's own host waits; or \"pstn\", \"sip\"",
                ),
                TomlLine::default(
                    "unlisted_accounts",
                    "bill",
                    "by the default deck, and counted; \"suspend\": their calls wait",
                ),
                TomlLine::example(
                    "max_call_seconds",
                    "86400",
                    "a longer call waits as invalid-duration",
                ),
                TomlLine::example(
                    "parent_wait_days",
                    "7",
                    "then the parent of a transfer is given up",
                ),
            ],
        );
        table(
            "money",
            "the rounding of a leg",
            &[
                TomlLine::example("leg_decimals", "5", "at most 8"),
                TomlLine::default("leg_rounding", "half-up", "or \"half-even\", \"up\""),
            ],
        );
        table("seller", "who sells: invoices need name, address and country", &self.sellers());
        table(
            "invoice",
            "on which terms",
            &[
                TomlLine::default(
                    "number_prefix",
                    "INV-",
                    "before the year in a number: INV-2026-000001",
                ),
                TomlLine::example("due_days", "14", "from the date to the due date"),
                TomlLine::of(
                    "tax_category",
                    self.tax_category.as_deref(),
                    "standard",
                    "needed to issue: standard, zero, reverse-charge, exempt, outside-scope",
                ),
                TomlLine::of(
                    "tax_rate",
                    self.tax_rate.as_deref(),
                    "19",
                    "in per cent, with standard",
                ),
                TomlLine::default("iban", "", "how to pay; also account_name, bic, terms, notes"),
            ],
        );
        table(
            "status",
            "when `trunkrate status` finds something wrong",
            &[
                TomlLine::default("max_age", "26h", "how long the last good night may be ago"),
                TomlLine::example("verify_max_age", "\"40d\"", "the last good `verify`"),
            ],
        );
        text
    }

    fn paths(&self) -> [TomlLine; 7] {
        [
            TomlLine::set(
                "calls",
                &self.calls,
                "call files: a path, a glob, or a list of them (--cdrs)",
            ),
            TomlLine::set(
                "rates",
                &self.rates,
                "a rate deck, or a folder with a folder per deck (--rates)",
            ),
            TomlLine::set(
                "ledger",
                &self.ledger,
                "what is booked; the first run makes it (--ledger)",
            ),
            TomlLine::set(
                "out",
                &self.out,
                "where `invoice issue` and `invoice write` write (--out)",
            ),
            TomlLine::of(
                "trunks",
                self.trunks.as_deref(),
                "trunks.json",
                "the carrier's trunk list; without it all transfers are allowed (--trunks)",
            ),
            TomlLine::of(
                "accounts",
                self.accounts.as_deref(),
                "accounts.csv",
                "account_sid,name,deck and addresses (--accounts)",
            ),
            TomlLine::of("items", self.items.as_deref(), "items.csv", "monthly charges (--items)"),
        ]
    }

    fn sellers(&self) -> [TomlLine; 6] {
        let seller = &self.seller;
        let address = if seller.address.is_empty() {
            TomlLine::example("address", "[\"High Street 1\"]", "one line or more")
        } else {
            let lines: Vec<String> = seller.address.iter().map(|line| quoted(line)).collect();
            TomlLine {
                is_set: true,
                ..TomlLine::example(
                    "address",
                    &format!("[{}]", lines.join(", ")),
                    "one line or more",
                )
            }
        };
        [
            TomlLine::of(
                "name",
                seller.name.as_deref(),
                "Example Telecom Ltd",
                "as invoices say it",
            ),
            address,
            TomlLine::of("postcode", seller.postcode.as_deref(), "EC1A 1BB", ""),
            TomlLine::of("city", seller.city.as_deref(), "London", ""),
            TomlLine::of("country", seller.country.as_deref(), "GB", "two letters of ISO 3166-1"),
            TomlLine::of(
                "tax_id",
                seller.tax_id.as_deref(),
                "GB000000000",
                "also email, phone, website, registration, id",
            ),
        ]
    }
}

/// A line of the file.
#[derive(Debug)]
struct TomlLine {
    key: &'static str,
    /// The value as TOML.
    value: String,
    is_set: bool,
    about: &'static str,
}

impl TomlLine {
    fn set(key: &'static str, value: &str, about: &'static str) -> Self {
        Self { key, value: quoted(value), is_set: true, about }
    }

    /// The default that holds without the line, as text.
    fn default(key: &'static str, value: &str, about: &'static str) -> Self {
        Self { is_set: false, ..Self::set(key, value, about) }
    }

    /// A line that is not set, its value as TOML.
    fn example(key: &'static str, value: &str, about: &'static str) -> Self {
        Self { key, value: value.to_owned(), is_set: false, about }
    }

    fn of(key: &'static str, value: Option<&str>, example: &str, about: &'static str) -> Self {
        Self { is_set: value.is_some(), ..Self::set(key, value.unwrap_or(example), about) }
    }

    fn code(&self) -> String {
        let Self { key, value, is_set, .. } = self;
        format!("{}{key} = {value}", if *is_set { "" } else { "# " })
    }
}

/// A text as TOML.
fn quoted(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if letter.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(letter));
            }
            letter => quoted.push(letter),
        }
    }
    quoted + "\""
}

/// A path typed in the working folder, as a file in another folder must name it.
fn relative(path: &Path, folder: &Path) -> Result<String, CliError> {
    let not_text = || {
        CliError::usage(format!(
            "{}: the path is not UTF-8, and cannot stand in {FILE_NAME}",
            path.display()
        ))
    };
    let is_here = folder.components().all(|part| matches!(part, Component::CurDir));
    let named: PathBuf = if is_here || path.is_absolute() {
        path.to_owned()
    } else {
        let absolute = |path: &Path| {
            std::path::absolute(path)
                .map_err(|e| CliError::failed(format!("{}: {e}", path.display())))
        };
        let (path, folder) = (absolute(path)?, absolute(folder)?);
        path.strip_prefix(&folder).map_or_else(|_| path.clone(), Path::to_owned)
    };
    Ok(named.to_str().ok_or_else(not_text)?.to_owned())
}
