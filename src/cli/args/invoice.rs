//! The arguments of `invoice`.

use super::{TableFormat, TextFormat};
use crate::cli::cells::CellArgs;
use crate::money::is_plain_decimal;
use clap::ValueEnum;
use rust_decimal::Decimal;
use std::path::{Path, PathBuf};

/// Invoices: drafts, numbered and issued, corrected, shown, and written in every format.
///
/// Without a subcommand it writes what a month's calls come to, per account, as CSV and JSON with
/// an index, and issues nothing. A record belongs to the UTC month of its start. The lines add up
/// to the legs, to the last decimal; the total is that sum rounded once to the currency's minor
/// unit, with the rounding as a line of its own.
#[derive(Debug, clap::Args)]
#[command(subcommand_negates_reqs = true)]
pub struct InvoiceArgs {
    #[command(subcommand)]
    pub command: Option<InvoiceCommand>,
    #[command(flatten)]
    pub month: Option<MonthArgs>,
}

#[derive(Debug, clap::Args)]
pub struct MonthArgs {
    /// The billing period, a UTC month
    #[arg(long, value_name = "YYYY-MM")]
    pub period: String,
    /// Only this account
    #[arg(long, value_name = "SID")]
    pub account: Option<String>,
    /// Where to write them [default: the project's `out`]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
pub enum InvoiceCommand {
    /// What would be issued now; changes nothing
    Draft(PeriodArgs),
    /// What stands against issuing a period, before money leaves; changes nothing
    ///
    /// Calls of the period that wait, by cause, with an estimate of their money; accounts that lack
    /// a name, an address or what an e-invoice needs; accounts of the month before without billed
    /// calls now; amounts over five times those of the month before; invoices over nothing; legs
    /// that came late. Exit code 0 if nothing stands against it, 1 if anything does.
    Check(CheckArgs),
    /// Give each account's invoice its number, and fix it for good; issuing again gives nothing new
    ///
    /// It stops on what cannot be right, as `invoice check` lists it: calls of the period that wait
    /// for something that can be settled, and amounts over five times those of the month before.
    /// --accept names what is right nevertheless. Legs that come later for an issued period go to
    /// the next invoice, under their own heading, or, with --supplementary, to an invoice of their
    /// own.
    Issue(IssueArgs),
    /// Take an invoice back by a credit note that names it: to bill its legs again, or to write
    /// them off; or credit a part of it
    ///
    /// A part is credited by --lines, by --calls, or by --amount, with the tax that each line has
    /// on the invoice. The invoice stays in force, and its legs stay billed. All credit notes of an
    /// invoice together are never more than it, and no leg is credited twice.
    ///
    ///   trunkrate invoice credit INV-2026-000001 --rebill --reason "the wrong buyer"
    ///   trunkrate invoice credit INV-2026-000001 --lines 1,3 --reason "agreed on 2 December"
    ///   trunkrate invoice credit INV-2026-000001 --calls disputed.csv --reason "one-sided audio"
    ///   trunkrate invoice credit INV-2026-000001 --amount 25.00 --reason goodwill
    #[command(verbatim_doc_comment)]
    Credit(CreditArgs),
    /// All that was issued
    List(ListArgs),
    /// One document, in any format
    Show(InvoiceShowArgs),
    /// The calls that a document bills, leg by leg, line by line: they add up to its lines
    ///
    /// `invoice show` numbers the lines. `explain` takes the numbers of this list, and shows of
    /// each call where its price and its record come from.
    Calls(InvoiceCallsArgs),
    /// Write issued documents as files, with an index
    Write(WriteArgs),
    /// The JSON Schema of documents
    Schema,
}

impl InvoiceArgs {
    /// True if it issues nothing.
    pub fn only_reads(&self) -> bool {
        !matches!(self.command, Some(InvoiceCommand::Issue(_) | InvoiceCommand::Credit(_)))
    }

    /// The folder with templates of the user's own, where one is given.
    pub fn templates(&self) -> Option<&Path> {
        let drawing = match self.command.as_ref()? {
            InvoiceCommand::Draft(args) => &args.drawing,
            InvoiceCommand::Issue(args) => &args.what.drawing,
            InvoiceCommand::Show(args) => &args.drawing,
            InvoiceCommand::Write(args) => &args.drawing,
            InvoiceCommand::Check(_)
            | InvoiceCommand::Credit(_)
            | InvoiceCommand::List(_)
            | InvoiceCommand::Calls(_)
            | InvoiceCommand::Schema => {
                return None;
            }
        };
        drawing.templates.as_deref()
    }
}

#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    #[command(flatten)]
    pub billed: BilledArgs,
    /// How to print it
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    pub format: TextFormat,
}

#[derive(Debug, clap::Args)]
pub struct IssueArgs {
    #[command(flatten)]
    pub what: PeriodArgs,
    /// Issue in spite of this: an id that `invoice check` prints, such as waiting:no-rate, or a
    /// kind (waiting, jump) for all of it; may be given several times, and what it accepted is kept
    /// with what is issued
    #[arg(long, value_name = "ID")]
    pub accept: Vec<String>,
    /// Issue also to accounts without a name, an address or city, or a country
    #[arg(long)]
    pub allow_incomplete: bool,
}

#[derive(Debug, clap::Args)]
pub struct PeriodArgs {
    #[command(flatten)]
    pub billed: BilledArgs,
    /// Only what came late to a period that is already issued
    #[arg(long)]
    pub supplementary: bool,
    /// Where to write the documents [default: the project's `out`, for `issue`]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub drawing: DrawingArgs,
    /// How to draw them; several with commas between [default: json,csv,html,pdf,ubl,cii]
    #[arg(long, value_enum, value_delimiter = ',')]
    pub format: Vec<DocumentFormat>,
}

impl PeriodArgs {
    /// The formats of files.
    pub fn formats(&self) -> &[DocumentFormat] {
        if self.format.is_empty() { &DocumentFormat::FILES } else { &self.format }
    }
}

/// What is billed, and when: asked alike of `check`, `draft` and `issue`, so that the first says
/// what the others would do.
#[derive(Debug, clap::Args)]
pub struct BilledArgs {
    /// The billing period, a UTC month
    #[arg(long, value_name = "YYYY-MM")]
    pub period: String,
    /// The date on the documents; its year names their series [default: today, for a draft the day
    /// after the period]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub date: Option<String>,
    /// Take a date after tomorrow that is more than 92 days after today, or after the period or
    /// invoice: no earlier one can follow in its year
    #[arg(long)]
    pub future: bool,
    /// Only this account
    #[arg(long, value_name = "SID")]
    pub account: Option<String>,
    /// A file of monthly charges: items.csv (docs, Accounts, lists its columns) [default: the
    /// project's `items`]
    #[arg(long, value_name = "FILE")]
    pub items: Option<PathBuf>,
    /// accounts.csv: account_sid,name,deck and what an invoice needs [default: the project's
    /// `accounts`, else as the last run knew it]
    #[arg(long, value_name = "FILE")]
    pub accounts: Option<PathBuf>,
}

impl BilledArgs {
    /// The files that are read beside the ledger: accounts, items.
    pub fn files(&self) -> [Option<&Path>; 2] {
        [&self.accounts, &self.items].map(Option::as_deref)
    }
}

#[derive(Debug, clap::Args)]
pub struct DrawingArgs {
    /// A folder with templates of your own: invoice.html, style.css, invoice.typ
    #[arg(long, value_name = "DIR")]
    pub templates: Option<PathBuf>,
    /// A folder with more fonts for PDF, for what the built-in ones lack
    #[arg(long, value_name = "DIR")]
    pub fonts: Option<PathBuf>,
    /// Hide so many last digits of every telephone number [default: as configured]
    #[arg(long, value_name = "N")]
    pub mask: Option<usize>,
    /// Without itemised calls
    #[arg(long)]
    pub no_calls: bool,
}

/// Reads an amount that is credited: a plain decimal above zero.
fn credited_amount(text: &str) -> Result<Decimal, String> {
    let amount = Some(text).filter(|text| is_plain_decimal(text));
    let amount = amount.and_then(|text| Decimal::from_str_exact(text).ok());
    let amount = amount.filter(|amount| *amount > Decimal::ZERO);
    amount.ok_or_else(|| "expected an amount above zero, such as 25.00".to_owned())
}

#[derive(Debug, clap::Args)]
pub struct CreditArgs {
    /// The invoice
    #[arg(value_name = "NUMBER")]
    pub number: String,
    /// Why; the credit note says so
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Bill its legs again, by the next invoice; this or --write-off must be given, or a part
    #[arg(long, conflicts_with = "write_off")]
    pub rebill: bool,
    /// Credit its legs for good: no invoice bills them again
    #[arg(long)]
    pub write_off: bool,
    /// Credit what is left of these lines: their numbers of `invoice show`, with commas between
    #[arg(
        long,
        value_name = "N",
        value_delimiter = ',',
        conflicts_with_all = ["rebill", "write_off", "calls"]
    )]
    pub lines: Vec<u64>,
    /// Credit these calls: their ids, with commas between, or a file with an id a line or a column
    /// call_sid
    #[arg(
        long,
        value_name = "FILE|SID",
        value_delimiter = ',',
        conflicts_with_all = ["rebill", "write_off", "amount"]
    )]
    pub calls: Vec<String>,
    /// Credit an amount without tax; with the number of one line in --lines by its tax
    #[arg(
        long,
        value_name = "AMOUNT",
        value_parser = credited_amount,
        conflicts_with_all = ["rebill", "write_off"]
    )]
    pub amount: Option<Decimal>,
    /// The date on the documents; its year names their series [default: today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub date: Option<String>,
    /// Take a date after tomorrow that is more than 92 days after today, or after the period or
    /// invoice: no earlier one can follow in its year
    #[arg(long)]
    pub future: bool,
}

#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// The billing period, a UTC month
    #[arg(long, value_name = "YYYY-MM")]
    pub period: Option<String>,
    /// Only this account
    #[arg(long, value_name = "SID")]
    pub account: Option<String>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = TableFormat::Table)]
    pub format: TableFormat,
    #[command(flatten)]
    pub cells: CellArgs,
}

#[derive(Debug, clap::Args)]
pub struct InvoiceShowArgs {
    /// The invoice or credit note
    #[arg(value_name = "NUMBER")]
    pub number: String,
    /// How to print it
    #[arg(long, value_enum, default_value_t = DocumentFormat::Text)]
    pub format: DocumentFormat,
    /// Where to write it [default: stdout]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub drawing: DrawingArgs,
}

#[derive(Debug, clap::Args)]
pub struct InvoiceCallsArgs {
    /// The invoice or credit note
    #[arg(value_name = "NUMBER")]
    pub number: String,
    /// Only this line, as `invoice show` numbers them
    #[arg(long, value_name = "N")]
    pub line: Option<usize>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = TableFormat::Table)]
    pub format: TableFormat,
    #[command(flatten)]
    pub cells: CellArgs,
}

#[derive(Debug, clap::Args)]
pub struct WriteArgs {
    /// Only these [default: all that --period and --account name]
    #[arg(value_name = "NUMBER")]
    pub numbers: Vec<String>,
    /// The billing period, a UTC month
    #[arg(long, value_name = "YYYY-MM")]
    pub period: Option<String>,
    /// Only this account
    #[arg(long, value_name = "SID")]
    pub account: Option<String>,
    /// Where to write them [default: the project's `out`]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub drawing: DrawingArgs,
    /// How to draw them; several with commas between
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = DocumentFormat::FILES)]
    pub format: Vec<DocumentFormat>,
}

/// The format of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum DocumentFormat {
    /// For the terminal
    Text,
    /// For programs; `trunkrate invoice schema` describes it
    Json,
    /// For spreadsheets
    Csv,
    /// For people: one page without scripts
    Html,
    /// For people and archives: PDF/A-3, with the e-invoice in it
    Pdf,
    /// E-invoice by EN 16931: UBL 2.1
    Ubl,
    /// E-invoice by EN 16931: UN/CEFACT CII
    Cii,
    /// A journal entry for hledger
    Hledger,
    /// A journal entry for beancount
    Beancount,
}

impl DocumentFormat {
    /// Those that are written without being named.
    pub const FILES: [Self; 6] =
        [Self::Json, Self::Csv, Self::Html, Self::Pdf, Self::Ubl, Self::Cii];
}

impl std::fmt::Display for DocumentFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.to_possible_value().as_ref().map_or("", |value| value.get_name()))
    }
}
