//! Drafts: open legs, the seller's terms, accounts and monthly items make documents.
//!
//! ```text
//! legs that no invoice bills ─┐
//! accounts.csv, items.csv ────┼──▶ a draft per account and currency ──▶ a number each ──▶ a batch
//! [seller], [invoice] ────────┘
//! ```
//!
//! **Invariant:** a draft is the invoice that would be issued now, without its number.

use crate::document::build::{self, BuildError, Frame, Item, Tax};
use crate::document::{Buyer, Document, ItemLine, Kind, Party, Payment, Seller, TaxCategory};
use crate::inputs::accounts::{Account, Accounts};
use crate::inputs::file::{FileError, read_text};
use crate::inputs::sheet::{Columns, Sheet, SheetRow, Strictness};
use crate::invoicing::error::IssueError;
use crate::ledger::batch::{BatchKind, Entry};
use crate::ledger::invoices::billed_by::{self, BilledBy, Month, month};
use crate::ledger::invoices::legs::{self, Open};
use crate::ledger::{History, LedgerError};
use crate::money::is_plain_decimal;
use crate::resemble::ITEM_SYNONYMS;
use crate::time;
use crate::words::plain_name;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

/// The seller's terms (`[seller]` and `[invoice]` of the configuration).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The seller.
    pub seller: Seller,
    /// The prefix of a number, before the year: `INV-` gives `INV-2026-000001`.
    pub number_prefix: String,
    /// Days from the date to the due date.
    pub due_days: u32,
    /// Payment details.
    pub payment: Payment,
    /// Further notes on documents.
    pub notes: Vec<String>,
    /// The tax of an account that names none.
    pub tax: Tax,
    /// True if the tax was configured, false if it is only assumed.
    pub says_tax: bool,
    /// The number of digits of a phone number that an itemisation hides.
    pub mask_digits: usize,
    /// True if documents have an itemisation.
    pub itemised: bool,
}

/// Selects drafts.
#[derive(Debug, Clone, Copy)]
pub struct WantedDrafts<'a> {
    /// The period, `YYYY-MM`.
    pub month: &'a str,
    /// The date of the documents, `YYYY-MM-DD`.
    pub date: &'a str,
    /// Only of this account.
    pub account: Option<&'a str>,
    /// Only legs that came late to an issued period.
    pub supplementary: bool,
}

/// An invoice that would be issued.
#[derive(Debug)]
pub struct Draft {
    /// The document, without a number.
    pub document: Document,
    /// The legs that it bills.
    pub open: Open,
}

/// A monthly charge of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountItem {
    /// The charge.
    pub item: Item,
    /// Its currency.
    pub currency: String,
    /// The first and the last month, if given.
    months: (Option<Month>, Option<Month>),
    /// Its line in the file.
    pub line: u64,
}

/// Items by account, in the order of their file.
pub type Items = BTreeMap<String, Vec<AccountItem>>;

/// The columns of an items file.
const COLUMNS: Columns = Columns {
    known: &[
        "account_sid",
        "description",
        "quantity",
        "unit_price",
        "currency",
        "tax_category",
        "tax_rate",
        "from",
        "to",
    ],
    necessary: 5,
    decisive: &[],
    synonyms: ITEM_SYNONYMS,
    others: false,
    expected: "expected account_sid,description,quantity,unit_price,currency,\
               tax_category,tax_rate,from,to; the last four may be missing",
};

/// The names of the columns of an items file.
#[must_use]
pub const fn item_columns() -> &'static [&'static str] {
    COLUMNS.known
}

/// Reads `items.csv`; also gives its text.
///
/// # Errors
/// If a column is missing or unknown, or a value is not valid.
pub fn load_items(path: &Path, terms: &Terms) -> Result<(Items, String), FileError> {
    let text = read_text(path)?;
    let items = parse_items(path, &text, terms)?;
    Ok((items, text))
}

fn parse_items(path: &Path, text: &str, terms: &Terms) -> Result<Items, FileError> {
    let mut items = Items::new();
    for row in Sheet::read(path, text, &COLUMNS, Strictness::Full)?.rows() {
        let (account, item) =
            parse_item(row, terms).map_err(|problem| FileError::new(path, problem).at(row.line))?;
        items.entry(account).or_default().push(item);
    }
    Ok(items)
}

fn parse_item(row: SheetRow<'_>, terms: &Terms) -> Result<(String, AccountItem), String> {
    let get = |name: &str| row.get(name);
    let decimal = |name: &str, may_be_negative: bool| {
        let found = get(name);
        let digits = found.strip_prefix('-').filter(|_| may_be_negative).unwrap_or(found);
        let value = Some(found)
            .filter(|_| is_plain_decimal(digits))
            .and_then(|text| Decimal::from_str_exact(text).ok());
        value
            .filter(|value| value.scale() <= 6 && value.abs() < Decimal::from(1_000_000_000))
            .ok_or_else(|| {
                format!(
                    "{name} is `{found}`; expected a plain decimal with at most six decimals, \
                     such as 2.50"
                )
            })
    };
    let bound = |name: &str| match get(name) {
        "" => Ok(None),
        text if time::month_bounds(text).is_some() => Ok(Some(month(text))),
        text => Err(format!("{name} is `{text}`; expected a month, YYYY-MM")),
    };
    let (account, currency) = (get("account_sid"), get("currency"));
    if account.is_empty() || get("description").is_empty() {
        return Err("account_sid or description is empty".to_owned());
    }
    if crate::money::minor_unit_decimals(currency).is_none() {
        return Err(format!("currency is `{currency}`; expected a code of ISO 4217, such as EUR"));
    }
    let tax = tax_of(get("tax_category"), get("tax_rate"), "", &terms.tax)?;
    let unit_price = decimal("unit_price", true)?;
    let item = Item {
        description: described(get("description"), unit_price),
        quantity: decimal("quantity", false)?,
        unit_price,
        tax: Some(tax).filter(|_| !get("tax_category").is_empty() || !get("tax_rate").is_empty()),
    };
    let months = (bound("from")?, bound("to")?);
    if months.0.zip(months.1).is_some_and(|(from, to)| from > to) {
        return Err(format!("from is {}, after to, {}", get("from"), get("to")));
    }
    if get("description").chars().count() > LONGEST {
        return Err(format!("description has more than {LONGEST} characters"));
    }
    Ok((
        account.to_owned(),
        AccountItem { item, currency: currency.to_owned(), months, line: row.line },
    ))
}

/// A charge as a document names it: one with a price below zero is goodwill, and says so.
fn described(text: &str, unit_price: Decimal) -> String {
    let is_named = text.to_lowercase().contains("goodwill");
    if unit_price < Decimal::ZERO && !is_named {
        return format!("Goodwill: {text}");
    }
    text.to_owned()
}

/// Parses a tax from its texts; empty texts take the default's values.
///
/// # Errors
/// The value found and the one expected.
pub fn tax_of(category: &str, rate: &str, reason: &str, default: &Tax) -> Result<Tax, String> {
    let names = || TaxCategory::ALL.map(TaxCategory::as_str).join(", ");
    let found = match category {
        "" => default.category,
        text => TaxCategory::parse(text)
            .ok_or_else(|| format!("tax_category is `{text}`; expected one of {}", names()))?,
    };
    let own_rate = match rate {
        "" if found == default.category => Some(default.rate),
        "" => (found != TaxCategory::Standard).then_some(Decimal::ZERO),
        text => {
            let value = Some(text)
                .filter(|text| is_plain_decimal(text))
                .and_then(|text| Decimal::from_str_exact(text).ok());
            // No such tax is below one per cent; a rate like 0.19 is a fraction, meant as 19 per
            // cent.
            let fits = |rate: &Decimal| {
                rate.scale() <= 4
                    && *rate <= Decimal::ONE_HUNDRED
                    && (rate.is_zero() || *rate >= Decimal::ONE)
            };
            Some(value.filter(fits).ok_or_else(|| {
                format!("tax_rate is `{text}`; expected per cent, such as 19 or 7.7")
            })?)
        }
    };
    let rate = own_rate
        .ok_or("tax_category is standard and tax_rate is missing; expected per cent, such as 19")?;
    if found != TaxCategory::Standard && !rate.is_zero() {
        return Err(format!("tax_rate is {rate} with tax_category {}; expected 0", found.as_str()));
    }
    if found == TaxCategory::Standard && rate.is_zero() {
        return Err("tax_rate is 0 with tax_category standard; expected the category zero, \
             exempt or another"
            .to_owned());
    }
    let reason = match reason {
        "" if found == default.category => default.reason.clone(),
        text => text.to_owned(),
    };
    Ok(Tax { category: found, rate, reason })
}

/// An account's value in a column, however the column's name is spelled.
pub(super) fn detail<'a>(account: &'a Account, name: &str) -> &'a str {
    let found = account.details.iter().find(|(column, _)| plain_name(column) == plain_name(name));
    found.map_or("", |(_, value)| value.as_str())
}

/// The tax columns of a list of accounts. Any other name that begins with `tax` is a typo, which
/// would bill another tax.
const TAX_COLUMNS: [&str; 4] = ["taxid", "taxcategory", "taxrate", "taxreason"];

/// Refuses a list of accounts with a column that looks like a tax column and is not one.
///
/// # Errors
/// If there is one.
pub fn check_columns(accounts: &Accounts, path: &Path) -> Result<(), FileError> {
    let columns = accounts.values().next().into_iter().flat_map(|account| account.details.keys());
    let is_slip = |name: &&String| {
        plain_name(name).starts_with("tax") && !TAX_COLUMNS.contains(&plain_name(name).as_str())
    };
    match columns.into_iter().find(is_slip) {
        None => Ok(()),
        Some(name) => Err(FileError::new(path, format!("has the column `{name}`"))
            .at(1)
            .hint("expected tax_id, tax_category, tax_rate and tax_reason, or another name")),
    }
}

/// The buyer, from the list of accounts; an unlisted account is billed under its id.
#[must_use]
pub fn buyer(sid: &str, account: Option<&Account>) -> Buyer {
    let unlisted = Account::default();
    let account = account.unwrap_or(&unlisted);
    let get = |name: &str| detail(account, name).to_owned();
    Buyer {
        account_sid: sid.to_owned(),
        party: Party {
            name: if account.name.is_empty() { sid.to_owned() } else { account.name.clone() },
            address: detail(account, "address")
                .lines()
                .map(|line| line.trim().to_owned())
                .filter(|l| !l.is_empty())
                .collect(),
            city: get("city"),
            postcode: get("postcode"),
            country: get("country"),
            tax_id: get("tax_id"),
            email: get("email"),
        },
        reference: get("reference"),
        order: get("order"),
    }
}

/// The sources of drafts.
#[derive(Debug)]
pub struct Sources<'a> {
    /// The published runs and batches.
    pub history: &'a History,
    /// The terms.
    pub terms: &'a Terms,
    /// The accounts and their file.
    pub accounts: (&'a Accounts, &'a Path),
    /// Monthly items.
    pub items: &'a Items,
}

/// Makes the documents that would be issued now, in the order of their numbers: by account, then by
/// currency. Each is made lazily, when the iterator reaches it.
///
/// # Errors
/// If the ledger cannot be read. A draft fails if its account's tax is invalid, or if an earlier
/// period was never issued.
pub fn drafts<'a>(
    sources: Sources<'a>,
    wanted: WantedDrafts<'a>,
) -> Result<impl Iterator<Item = Result<Draft, IssueError>> + use<'a>, IssueError> {
    let claims = BilledBy::of(&sources.history.issued);
    let until = month(wanted.month);
    let mut open = legs::open(sources.history, &claims, until, wanted.account)?;
    let mut keys: BTreeSet<(String, String)> = open.keys().cloned().collect();
    for (account, items) in
        sources.items.iter().filter(|(name, _)| wanted.account.is_none_or(|wanted| wanted == *name))
    {
        let due = items.iter().filter(|item| !wanted.supplementary && item.is_due(until));
        keys.extend(due.map(|item| (account.clone(), item.currency.clone())));
    }
    #[allow(clippy::disallowed_methods, reason = "an account may have items alone, and no leg")]
    let draft = move |key: (String, String)| {
        let billed = claims.billed_until(&key.0, &key.1);
        // Late legs wait for the next invoice; items not billed yet are taken now.
        let takes_legs = (billed >= Some(until)) == wanted.supplementary;
        let own = if takes_legs { open.remove(&key).unwrap_or_default() } else { Open::default() };
        let is_moved = || sources.moved_from(&claims, &key.0, until).next().is_some();
        let takes_items =
            !wanted.supplementary && !claims.has_items(&key.0, &key.1, until) && !is_moved();
        let items = if takes_items { sources.items_of(&key, until) } else { Vec::new() };
        (!own.runs.is_empty() || !items.is_empty()).then(|| {
            never_issued(&own, billed, until, &key)?;
            sources.draft(key, own, &items, wanted)
        })
    };
    Ok(keys.into_iter().filter_map(draft))
}

impl AccountItem {
    fn is_due(&self, month: Month) -> bool {
        let (from, to) = self.months;
        from.is_none_or(|from| from <= month) && to.is_none_or(|to| month <= to)
    }
}

impl Sources<'_> {
    /// The currencies in which a month's charges of an account are billed, and in which the list
    /// has none of that month any more: the same charges in another currency would be billed twice.
    fn moved_from<'c>(
        &self,
        claims: &BilledBy<'c>,
        account: &str,
        month: Month,
    ) -> impl Iterator<Item = &'c str> + use<'_, 'c> {
        let own = self.items.get(account).map_or(&[][..], Vec::as_slice);
        let is_listed = move |currency: &&str| {
            own.iter().any(|item| item.currency == **currency && item.is_due(month))
        };
        let due = own.iter().any(|item| item.is_due(month));
        claims
            .items_in(account, month)
            .into_iter()
            .filter(move |currency| due && !is_listed(currency))
    }

    /// The items of an account in a currency that are due in a month.
    fn items_of(&self, (account, currency): &(String, String), month: Month) -> Vec<Item> {
        let due = |item: &&AccountItem| item.currency == *currency && item.is_due(month);
        self.items
            .get(account)
            .into_iter()
            .flatten()
            .filter(due)
            .map(|item| item.item.clone())
            .collect()
    }

    fn draft(
        &self,
        (account, currency): (String, String),
        open: Open,
        items: &[Item],
        wanted: WantedDrafts<'_>,
    ) -> Result<Draft, IssueError> {
        let (accounts, path) = self.accounts;
        let listed = accounts.get(&account);
        let tax = match listed {
            None => self.terms.tax.clone(),
            Some(listed) => {
                let [category, rate, reason] =
                    ["tax_category", "tax_rate", "tax_reason"].map(|name| detail(listed, name));
                let wrong = |problem| {
                    FileError::new(path, format!("account {account}: {problem}")).at(listed.line)
                };
                tax_of(category, rate, reason, &self.terms.tax).map_err(wrong)?
            }
        };
        let buyer = buyer(&account, listed);
        if let Some(long) = too_long(&buyer) {
            let long: String = long.chars().take(40).collect();
            let problem =
                format!("account {account}: `{long}…` has more than {LONGEST} characters");
            return Err(FileError::new(path, problem)
                .at(listed.map_or(1, |listed| listed.line))
                .into());
        }
        let frame = frame(self.terms, wanted, buyer, &currency, tax);
        let document = build::document(frame, &open.usage, items);
        let document = document.and_then(|document| {
            open.check(&document).map(|()| document).map_err(BuildError::from)
        });
        let document = document.map_err(|error| IssueError::Build { account, error })?;
        Ok(Draft { document, open })
    }
}

/// Monthly charges that differ between the list and the invoice that billed them: an account's
/// charges of a month are billed only once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemsChanged {
    /// The account.
    pub account: String,
    /// The currency.
    pub currency: String,
    /// The invoice's number.
    pub number: String,
    /// The number of charges that it bills.
    pub billed: usize,
    /// The number of charges in the list.
    pub listed: usize,
}

impl Sources<'_> {
    /// Finds differences between the list of charges and the invoices that bill the charges of a
    /// month.
    ///
    /// # Errors
    /// If an invoice cannot be read.
    pub fn items_changed(
        &self,
        wanted: WantedDrafts<'_>,
    ) -> Result<Vec<ItemsChanged>, LedgerError> {
        let (claims, month) = (BilledBy::of(&self.history.issued), month(wanted.month));
        let mut listed: HashMap<&str, ((&str, &str), Vec<Item>)> = HashMap::new();
        let mut batches = BTreeSet::new();
        for (account, own) in self
            .items
            .iter()
            .filter(|(name, _)| wanted.account.is_none_or(|wanted| wanted == *name))
        {
            let currencies: BTreeSet<&str> =
                own.iter().map(|item| item.currency.as_str()).collect();
            for currency in currencies {
                let now = self.items_of(&(account.clone(), currency.to_owned()), month);
                for claim in
                    claims.billing_items(account, currency, month).filter(|_| !now.is_empty())
                {
                    batches.insert(claim.batch.manifest.sequence);
                    listed.insert(claim.entry.number.as_str(), ((account, currency), now.clone()));
                }
            }
            for currency in self.moved_from(&claims, account, month) {
                for claim in claims.billing_items(account, currency, month) {
                    batches.insert(claim.batch.manifest.sequence);
                    listed.insert(claim.entry.number.as_str(), ((account, currency), Vec::new()));
                }
            }
        }
        let mut changed = Vec::new();
        for batch in
            self.history.issued.iter().filter(|batch| batches.contains(&batch.manifest.sequence))
        {
            let is_listed = |entry: &Entry| listed.contains_key(entry.number.as_str());
            batch.each_document(is_listed, |entry, document| {
                let ((account, currency), now) = &listed[entry.number.as_str()];
                let is_same = |(line, item): (&ItemLine, &Item)| {
                    line.description == item.description
                        && line.quantity.0 == item.quantity
                        && line.unit_price.0 == item.unit_price
                };
                if document.items.len() != now.len() || !document.items.iter().zip(now).all(is_same)
                {
                    let (account, currency) = ((*account).to_owned(), (*currency).to_owned());
                    let (billed, listed) = (document.items.len(), now.len());
                    changed.push(ItemsChanged {
                        account,
                        currency,
                        number: entry.number.clone(),
                        billed,
                        listed,
                    });
                }
                Ok::<(), LedgerError>(())
            })?;
        }
        Ok(changed)
    }

    /// Earlier months for which the list has charges that no invoice bills, each with their number.
    ///
    /// A charge is owed from its `from` on; without one, from the first invoice of its account. Of
    /// an account without an invoice it is owed for months that were not issued as a whole. Nothing
    /// is owed for months before the first issued month of the ledger.
    #[must_use]
    pub fn items_skipped(&self, wanted: WantedDrafts<'_>) -> Vec<(String, usize)> {
        let (claims, until) = (BilledBy::of(&self.history.issued), month(wanted.month));
        let issued =
            self.history.issued.iter().filter(|batch| batch.manifest.kind == BatchKind::Issue);
        let mut first_of: HashMap<&str, Month> = HashMap::new();
        let (mut first, mut whole) = (None, BTreeSet::new());
        for batch in issued {
            let period = month(&batch.manifest.period);
            first = Some(first.map_or(period, |first: Month| first.min(period)));
            if batch.manifest.accounts.is_none() && !batch.manifest.supplementary {
                whole.insert(period);
            }
            for entry in &batch.manifest.entries {
                let first = first_of.entry(&entry.account_sid).or_insert(period);
                *first = period.min(*first);
            }
        }
        let Some(first) = first else { return Vec::new() };
        let mut skipped: BTreeMap<Month, usize> = BTreeMap::new();
        for (account, own) in self
            .items
            .iter()
            .filter(|(name, _)| wanted.account.is_none_or(|wanted| wanted == *name))
        {
            for item in own {
                let from = item.months.0.or_else(|| first_of.get(account.as_str()).copied());
                for month in first..until {
                    // A month that was issued as a whole had all charges of then.
                    let is_owed = from.is_some_and(|from| from <= month) || !whole.contains(&month);
                    let is_billed = claims.has_items(account, &item.currency, month);
                    if is_owed && item.is_due(month) && !is_billed {
                        *skipped.entry(month).or_default() += 1;
                    }
                }
            }
        }
        skipped.into_iter().map(|(month, count)| (billed_by::month_text(month), count)).collect()
    }
}

/// Refuses a draft that bills legs or charges released by a credit note under a date before that
/// note's: between the two dates they would be on two invoices.
///
/// # Errors
/// [`IssueError::BeforeCredit`].
pub fn refuse_before_credit(
    history: &History,
    claims: &BilledBy<'_>,
    draft: &Draft,
    date: &str,
) -> Result<(), IssueError> {
    let Draft { document, open } = draft;
    let (account, currency) = (&document.buyer.account_sid, &document.currency);
    let run_id = |place: &usize| history.runs[*place].manifest.run_id.as_str();
    let legs = open
        .runs
        .iter()
        .flat_map(|(place, months)| months.keys().map(move |month| (run_id(place), *month)));
    let items = (!document.items.is_empty()).then(|| month(&document.period.month));
    let standing: HashSet<&str> =
        history.runs.iter().map(|run| run.manifest.run_id.as_str()).collect();
    match claims.freed_by((account, currency), legs, items, |run_id| standing.contains(run_id)) {
        Some((note, credited_on)) if date < credited_on => Err(IssueError::BeforeCredit {
            account: account.clone(),
            currency: currency.clone(),
            date: date.to_owned(),
            note: note.to_owned(),
            credited_on: credited_on.to_owned(),
        }),
        _ => Ok(()),
    }
}

/// The most characters of a text in a document: it must fit a printed page and an archived PDF.
pub const LONGEST: usize = 1000;

fn too_long(buyer: &Buyer) -> Option<&str> {
    let Party { name, address, city, postcode, country, tax_id, email } = &buyer.party;
    let all = [
        &buyer.account_sid,
        name,
        city,
        postcode,
        country,
        tax_id,
        email,
        &buyer.reference,
        &buyer.order,
    ];
    all.into_iter().chain(address).find(|text| text.chars().count() > LONGEST).map(String::as_str)
}

/// Refuses legs of a month before `until` and after the last billed one: it was never issued.
fn never_issued(
    open: &Open,
    billed: Option<Month>,
    until: Month,
    key: &(String, String),
) -> Result<(), IssueError> {
    let mut legs: BTreeMap<Month, u64> = BTreeMap::new();
    for (month, count) in open.runs.values().flatten() {
        *legs.entry(*month).or_default() += count;
    }
    match legs.into_iter().find(|(month, _)| *month < until && Some(*month) > billed) {
        None => Ok(()),
        Some((month, legs)) => {
            let (account, currency) = key.clone();
            Err(IssueError::Earlier {
                account,
                currency,
                month: billed_by::month_text(month),
                legs,
            })
        }
    }
}

fn frame(terms: &Terms, wanted: WantedDrafts<'_>, buyer: Buyer, currency: &str, tax: Tax) -> Frame {
    Frame {
        kind: Kind::Draft,
        number: None,
        issue_date: wanted.date.to_owned(),
        due_date: time::days_after(wanted.date, terms.due_days),
        month: wanted.month.to_owned(),
        supplementary: wanted.supplementary,
        seller: terms.seller.clone(),
        buyer,
        currency: currency.to_owned(),
        tax,
        payment: terms.payment.clone(),
        notes: terms.notes.clone(),
    }
}
