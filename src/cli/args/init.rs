//! The arguments of `init`.

use std::path::PathBuf;

/// Make a project: trunkrate.toml and its folders; then look at one export and one deck.
///
/// With a project the other commands need no flags. On a terminal it asks for what no flag says. It
/// shows the export column by column, as it would be read, what a run would do with it, and what
/// the deck asks for a number; nothing is booked. In a folder that has a project it only looks.
#[derive(Debug, clap::Args)]
pub struct InitArgs {
    /// The project's folder [default: this one]
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Call files: a folder, a file or a glob [default: calls]
    #[arg(long, value_name = "PATH")]
    pub calls: Option<PathBuf>,
    /// A rate deck, or a folder with a folder per deck [default: rates]
    #[arg(long, value_name = "DIR")]
    pub rates: Option<PathBuf>,
    /// The carrier's trunk list (JSON); without it every trunk allows transfers [default:
    /// trunks.json, if there]
    #[arg(long, value_name = "FILE")]
    pub trunks: Option<PathBuf>,
    /// accounts.csv: account_sid,name,deck and what an invoice needs [default: accounts.csv, if
    /// there]
    #[arg(long, value_name = "FILE")]
    pub accounts: Option<PathBuf>,
    /// A file of monthly charges: items.csv (docs, Accounts, lists its columns) [default:
    /// items.csv, if there]
    #[arg(long, value_name = "FILE")]
    pub items: Option<PathBuf>,
    /// Where invoices are to be written [default: invoices]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// The zone of times that have no offset: Europe/Berlin
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
    /// Who sells, as invoices say it
    #[arg(long, value_name = "NAME")]
    pub seller_name: Option<String>,
    /// The seller's street and house, or box; may be given several times, a line each
    #[arg(long, value_name = "TEXT")]
    pub seller_address: Vec<String>,
    /// The seller's postcode
    #[arg(long, value_name = "CODE")]
    pub seller_postcode: Option<String>,
    /// The seller's city
    #[arg(long, value_name = "NAME")]
    pub seller_city: Option<String>,
    /// The seller's country: two letters of ISO 3166-1, as DE
    #[arg(long, value_name = "CODE")]
    pub seller_country: Option<String>,
    /// The seller's tax number, as invoices say it: DE123456789
    #[arg(long, value_name = "ID")]
    pub seller_tax_id: Option<String>,
    /// The tax of accounts that say none: standard (with --tax-rate), zero, reverse-charge, exempt
    /// or outside-scope
    #[arg(long, value_name = "CATEGORY")]
    pub tax_category: Option<String>,
    /// The rate of the tax in per cent, as 19
    #[arg(long, value_name = "N")]
    pub tax_rate: Option<String>,
    /// Write trunkrate.toml anew where there is one; the old one is kept beside it
    #[arg(long)]
    pub force: bool,
}

impl InitArgs {
    /// Whether a flag says what the project is to be.
    pub fn has_choices(&self) -> bool {
        let paths =
            [&self.calls, &self.rates, &self.trunks, &self.accounts, &self.items, &self.out];
        let seller = [
            &self.seller_name,
            &self.seller_postcode,
            &self.seller_city,
            &self.seller_country,
            &self.seller_tax_id,
        ];
        let terms = [&self.timezone, &self.tax_category, &self.tax_rate];
        paths.iter().any(|path| path.is_some())
            || seller.iter().chain(&terms).any(|text| text.is_some())
            || !self.seller_address.is_empty()
    }
}
