//! The data of a template: `invoice.json`. The head of `templates/invoice.typ` lists its fields.
//!
//! **Invariant:** every amount in it is the text of an amount of the document, followed by nothing
//! but padding spaces. No text in it has a character that hides others, or one that no font can
//! show.
//!
//! # Why texts are changed before the template sees them
//! PDF/A forbids a character without a glyph, and typst refuses the whole document for one. A
//! stranger's name must not stop a month's invoices, so a character that no font covers is shown by
//! its code, `\u{4e2d}`, as [`visible`] shows hidden characters.
//!
//! A word longer than a line would run off the page, so break opportunities are inserted into it.

use super::column::{PageColumn, column, decimals};
use super::legs;
use super::world::Shelf;
use crate::document::{Document, Exact, ItemisedLeg, Party, TaxCategory, UsageLine};
use crate::text::visible;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::Serialize;
use serde_json::Value;

/// Countries that print on US Letter (Unicode CLDR); all others have A4.
const LETTER: [&str; 14] =
    ["BZ", "CA", "CL", "CO", "CR", "GT", "MX", "NI", "PA", "PH", "PR", "SV", "US", "VE"];
/// The length in characters above which a word may break …
const LONG: usize = 40;
/// … and the number of characters between two break opportunities.
const PIECE: usize = 16;
/// An invisible break opportunity.
const BREAK: char = '\u{200b}';

/// The characters that are shown unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Characters with a glyph in any font.
    AnyFont,
    /// Characters with a glyph in our own fonts: the fallback if several fonts together cannot show
    /// a text.
    OwnFonts,
}

#[derive(Serialize)]
struct PdfView<'a> {
    file: File<'a>,
    title: &'static str,
    paper: &'static str,
    document: &'a Document,
    usage: Vec<UsageGroup<'a>>,
    widths: Widths,
    fees: bool,
    items: Vec<ItemView<'a>>,
    taxes: Vec<TaxRow<'a>>,
    totals: TotalsView,
    days: Option<Days<'a>>,
    scenarios: Vec<Share<'a>>,
}

#[derive(Serialize)]
struct File<'a> {
    title: String,
    author: &'a str,
    description: String,
    fonts: Vec<String>,
    logo: Option<&'a str>,
    attached: bool,
}

#[derive(Serialize)]
struct UsageGroup<'a> {
    late: Option<&'a str>,
    heading: &'a str,
    lines: Vec<LineView<'a>>,
}

/// The length of the longest text of each column, in characters.
#[derive(Serialize)]
struct Widths {
    calls: usize,
    minutes: usize,
    price: usize,
    fee: usize,
    amount: usize,
}

#[derive(Serialize)]
struct LineView<'a> {
    description: &'a str,
    service: Option<&'a str>,
    calls: String,
    minutes: String,
    price: String,
    fee: Option<String>,
    amount: String,
}

#[derive(Serialize)]
struct ItemView<'a> {
    description: &'a str,
    tax: Option<String>,
    quantity: String,
    price: String,
    amount: String,
}

#[derive(Serialize)]
struct TaxRow<'a> {
    label: String,
    reason: &'a str,
    sum: String,
    rounding: String,
    taxable: String,
    tax: String,
}

#[derive(Serialize)]
struct TotalsView {
    usage: String,
    items: String,
    sum: String,
    rounding: String,
    net: String,
    tax: String,
    total: String,
}

#[derive(Serialize)]
struct Days<'a> {
    bars: Vec<Bar>,
    highest: &'a str,
    amount: String,
    late: bool,
}

#[derive(Serialize)]
struct Bar {
    day: u32,
    permille: u16,
}

#[derive(Serialize)]
struct Share<'a> {
    words: &'a str,
    permille: u16,
}

/// The data of a document, as JSON.
///
/// # Errors
/// No error that a document can cause: all of it is text, whole numbers and lists.
pub fn json(
    document: &Document,
    itemised: Option<&[ItemisedLeg]>,
    attached: bool,
    shelf: &Shelf,
    shown: Shown,
) -> serde_json::Result<Vec<u8>> {
    let usage = usage(document);
    let view = PdfView {
        file: file(document, attached, shelf),
        title: document.title(),
        paper: if LETTER.contains(&document.seller.party.country.as_str()) {
            "us-letter"
        } else {
            "a4"
        },
        document,
        widths: widths(&usage),
        usage,
        fees: document.usage.iter().any(|line| !line.connection_fee.0.is_zero()),
        items: items(document),
        taxes: taxes(document),
        totals: totals(document),
        days: days(document),
        scenarios: scenarios(document),
    };
    let mut value = serde_json::to_value(&view)?;
    clean(&mut value, shelf, shown);
    value["itemised"] = itemised
        .map_or(Ok(Value::Null), |legs| serde_json::to_value(legs::itemised(legs, shelf)))?;
    serde_json::to_vec(&value)
}

fn file<'a>(document: &'a Document, attached: bool, shelf: &'a Shelf) -> File<'a> {
    let seller = name(&document.seller.party, &document.seller.id);
    let buyer = name(&document.buyer.party, &document.buyer.account_sid);
    let number = document.number.as_deref().unwrap_or(&document.period.month);
    File {
        title: format!("{} {number}", document.title()),
        author: seller,
        description: format!(
            "{} {number} of {seller} to {buyer}, {}",
            document.title(),
            document.period.month
        ),
        fonts: shelf.families(),
        logo: shelf.logo(),
        attached,
    }
}

fn name<'a>(party: &'a Party, id: &'a str) -> &'a str {
    if party.name.is_empty() { id } else { &party.name }
}

/// Lines under the heading of their scenario, late ones under a heading of their own.
fn usage(document: &Document) -> Vec<UsageGroup<'_>> {
    let minutes = PageColumn(
        document.usage.iter().map(|line| decimals(&line.billed_minutes)).max().unwrap_or_default(),
    );
    let price = column(document.usage.iter().map(|line| line.price_per_minute));
    let fee = column(document.usage.iter().map(|line| line.connection_fee));
    let amount = column(document.usage.iter().map(|line| line.amount));
    let mut groups = Vec::new();
    for lines in document.usage.chunk_by(|a, b| a.late == b.late && a.scenario == b.scenario) {
        let mixed = lines.iter().any(|line| line.service != lines[0].service);
        groups.push(UsageGroup {
            late: lines[0].late.as_deref(),
            heading: &lines[0].scenario_words,
            lines: lines
                .iter()
                .map(|line| shown_line(line, mixed, [&minutes, &price, &fee, &amount]))
                .collect(),
        });
    }
    groups
}

fn widths(usage: &[UsageGroup<'_>]) -> Widths {
    let lines = || usage.iter().flat_map(|group| &group.lines);
    let most = |text: &dyn Fn(&LineView<'_>) -> usize| lines().map(text).max().unwrap_or_default();
    Widths {
        calls: most(&|line| line.calls.len()),
        minutes: most(&|line| line.minutes.chars().count()),
        price: most(&|line| line.price.chars().count()),
        fee: most(&|line| line.fee.as_ref().map_or(0, |fee| fee.chars().count())),
        amount: most(&|line| line.amount.chars().count()),
    }
}

/// A line; it names its price list if the lines of its group have several.
fn shown_line<'a>(
    line: &'a UsageLine,
    mixed: bool,
    [minutes, price, fee, amount]: [&PageColumn; 4],
) -> LineView<'a> {
    LineView {
        description: &line.description,
        service: mixed.then_some(&line.service),
        calls: line.calls.to_string(),
        minutes: minutes.padded(line.billed_minutes.clone()),
        price: price.text(line.price_per_minute),
        fee: (!line.connection_fee.0.is_zero()).then(|| fee.text(line.connection_fee)),
        amount: amount.text(line.amount),
    }
}

fn items(document: &Document) -> Vec<ItemView<'_>> {
    let quantity = column(document.items.iter().map(|item| item.quantity));
    let price = column(document.items.iter().map(|item| item.unit_price));
    let amount = column(document.items.iter().map(|item| item.amount));
    let several = document.taxes.len() > 1;
    let mut items = Vec::new();
    for item in &document.items {
        items.push(ItemView {
            description: &item.description,
            tax: several.then(|| tax_label(item.tax_category, item.tax_rate)),
            quantity: quantity.text(item.quantity),
            price: price.text(item.unit_price),
            amount: amount.text(item.amount),
        });
    }
    items
}

fn taxes(document: &Document) -> Vec<TaxRow<'_>> {
    let sum = column(document.taxes.iter().flat_map(|group| [group.sum, group.rounding]));
    let whole = column(document.taxes.iter().flat_map(|group| [group.taxable, group.tax]));
    let mut taxes = Vec::new();
    for group in &document.taxes {
        taxes.push(TaxRow {
            label: tax_label(group.category, group.rate),
            reason: &group.reason,
            sum: sum.text(group.sum),
            rounding: sum.text(group.rounding),
            taxable: whole.text(group.taxable),
            tax: whole.text(group.tax),
        });
    }
    taxes
}

/// `VAT 19 %`, `VAT, reverse charge`, `Not subject to VAT`.
fn tax_label(category: TaxCategory, rate: Exact) -> String {
    match category {
        TaxCategory::Standard => format!("{} {rate} %", category.words()),
        TaxCategory::OutsideScope => "Not subject to VAT".to_owned(),
        TaxCategory::Zero | TaxCategory::ReverseCharge | TaxCategory::Exempt => {
            category.words().to_owned()
        }
    }
}

fn totals(document: &Document) -> TotalsView {
    let t = &document.totals;
    let all = column([t.usage, t.items, t.sum, t.rounding, t.net, t.tax, t.total].into_iter());
    TotalsView {
        usage: all.text(t.usage),
        items: all.text(t.items),
        sum: all.text(t.sum),
        rounding: all.text(t.rounding),
        net: all.text(t.net),
        tax: all.text(t.tax),
        total: all.text(t.total),
    }
}

/// A bar for each day of the period; `None` if there is nothing to compare.
fn days(document: &Document) -> Option<Days<'_>> {
    let month = &document.period.month;
    let of_period = || document.days.iter().filter(|day| day.date.starts_with(month.as_str()));
    let highest =
        of_period().reduce(|best, day| if day.amount > best.amount { day } else { best })?;
    if of_period().count() < 2 || highest.amount.0 <= Decimal::ZERO {
        return None;
    }
    let last: u32 = document.period.last_day.rsplit('-').next()?.parse().ok()?;
    let bar = |day: u32| {
        let of_day = of_period().find(|spent| spent.date.ends_with(&format!("-{day:02}")));
        Bar { day, permille: of_day.map_or(0, |spent| permille(spent.amount.0, highest.amount.0)) }
    };
    Some(Days {
        bars: (1..=last).map(bar).collect(),
        highest: &highest.date,
        amount: highest.amount.to_string(),
        late: document.days.iter().any(|day| !day.date.starts_with(month.as_str())),
    })
}

/// The length of each scenario's bar, the longest first; empty if there is only one, or none above
/// zero.
fn scenarios(document: &Document) -> Vec<Share<'_>> {
    let mut sums: Vec<(&str, Decimal)> = Vec::new();
    for line in &document.usage {
        match sums.iter_mut().find(|(words, _)| *words == line.scenario_words) {
            Some((_, sum)) => *sum = sum.saturating_add(line.amount.0),
            None => sums.push((&line.scenario_words, line.amount.0)),
        }
    }
    sums.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let highest = sums.first().map_or(Decimal::ZERO, |(_, sum)| *sum);
    if sums.len() < 2 || highest <= Decimal::ZERO {
        return Vec::new();
    }
    sums.into_iter().map(|(words, sum)| Share { words, permille: permille(sum, highest) }).collect()
}

/// The height of a bar in thousandths of the highest; it is drawn, never printed.
fn permille(part: Decimal, highest: Decimal) -> u16 {
    (part / highest * Decimal::ONE_THOUSAND).round().to_u16().unwrap_or_default().min(1000)
}

/// Replaces every text of a value by its displayable form.
fn clean(value: &mut Value, shelf: &Shelf, shown: Shown) {
    match value {
        Value::String(text) => {
            if let Some(cleaned) = cleaned(text, shelf, shown) {
                *text = cleaned;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| clean(value, shelf, shown)),
        Value::Object(fields) => fields.values_mut().for_each(|value| clean(value, shelf, shown)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The displayable form of a text, if it differs from the text.
fn cleaned(text: &str, shelf: &Shelf, shown: Shown) -> Option<String> {
    let has = |c: char| match shown {
        Shown::AnyFont => shelf.fonts_have(c),
        Shown::OwnFonts => shelf.own_fonts_have(c),
    };
    if text.len() <= LONG && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return None;
    }
    let mut shown = String::with_capacity(text.len());
    for c in visible(text).chars() {
        if has(c) { shown.push(c) } else { shown.extend(c.escape_unicode()) }
    }
    if shown.split(' ').any(|word| word.chars().count() > LONG) {
        shown = broken(&shown);
    }
    (shown != text).then_some(shown)
}

/// A text with break opportunities in its long words.
fn broken(text: &str) -> String {
    let mut broken = String::with_capacity(text.len() + text.len() / 4);
    let mut word = 0;
    for c in text.chars() {
        word = if c == ' ' { 0 } else { word + 1 };
        if word > PIECE {
            broken.push(BREAK);
            word = 1;
        }
        broken.push(c);
    }
    broken
}
