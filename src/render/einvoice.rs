//! Documents as e-invoices by EN 16931: UBL 2.1 and UN/CEFACT CII.
//!
//! A document becomes the model of the standard, and the model is checked against the rules of the
//! standard. Only a model that passes is written. Missing fields are listed one by one ([`lacks`])
//! before anything is written.
//!
//! | document | business term |
//! |---|---|
//! | usage line | a line: one piece at the exact amount, its net amount rounded to the minor unit |
//! | item | a line: quantity and unit price, its net amount rounded |
//! | rounding of a tax group | a line `Rounding`, which also holds the rounding difference of the lines |
//! | tax group | VAT breakdown (BG-23) |
//! | `totals.net`, `tax`, `total` | BT-106 and BT-109, BT-110, BT-112 and BT-115 |
//! | calls, legs, minutes, price, fee | item attributes (BG-32) |
//! | period | invoicing period (BG-14); its last day is the delivery date (BT-72), without which CII would have an empty element |
//! | an earlier month | the line's period (BG-26) and note |
//! | account | buyer identifier (BT-46) |
//! | corrected invoice | preceding invoice (BG-3), its reason a note |
//!
//! The model, its rules and the writers are those of the crates `en16931` and `en16931-formats`: an
//! implementation of the EN 16931-1 semantic data model; © CEN, used under the 2018 CEN–EC licence
//! agreement. The tests validate the written files with independent schemas and Schematron rules.
//!
//! **Invariant:** the totals of an e-invoice are those of the document; it has no character that
//! XML forbids.
//!
//! # Why
//! *Lines are rounded.* The standard allows no third decimal in a line's net amount, and wants the
//! total to be the sum of the lines. So each line is rounded, and one line per tax group holds the
//! difference to the taxable amount. A negative difference has a negative quantity, since a price
//! may not be negative. The exact amount of a line remains visible as its price.
//!
//! *Identifiers of outside-scope sales.* Such an invoice may hold no VAT identifier: the seller's
//! is written as tax registration (BT-32), the buyer's as a note. Identifiers without a country
//! prefix are treated the same way, since the standard does not accept them as VAT identifiers.
//!
//! *A credit note asks for no payment*: it has no payment means, and its terms name the invoice
//! that it takes back.

use super::FormatError;
use crate::document::{Document, ItemLine, Kind, Party, TaxCategory, TaxGroup, UsageLine};
use crate::money::round_invoice_total;
use crate::text::visible;
use crate::time;
use en16931::invoice::{
    Contact, CreditTransfer, Delivery, DocumentTotals, ItemAttribute, Party as ModelParty,
    PaymentInstructions, PaymentMeans, Period, PostalAddress, PrecedingInvoice, PriceDetails,
    VatBreakdown,
};
use en16931::{
    Date, DocumentReference, En16931, Identifier, Invoice, InvoiceAmount, InvoiceLine, Percentage,
    Quantity, UnitPriceAmount, Validated, codes,
};
use en16931_formats::Syntax;
use rust_decimal::Decimal;

/// The profile of the written file: the core of the standard, without extensions.
pub const PROFILE: &str = "urn:cen.eu:en16931:2017";
/// The unit of a line's quantity: pieces (UNECE Recommendation 20).
const PIECES: &str = "C62";

/// A document as UBL 2.1: an `Invoice`, or a `CreditNote`.
///
/// # Errors
/// All that [`lacks`] names.
pub fn ubl(document: &Document) -> Result<String, FormatError> {
    write(document, Syntax::Ubl, "UBL")
}

/// A document as UN/CEFACT Cross Industry Invoice.
///
/// # Errors
/// All that [`lacks`] names.
pub fn cii(document: &Document) -> Result<String, FormatError> {
    write(document, Syntax::Cii, "CII")
}

/// The fields that an e-invoice needs and this document lacks: each with the value to set and the
/// place to set it. Empty if the document can be written.
#[must_use]
pub fn lacks(document: &Document) -> Vec<String> {
    proof(document).err().unwrap_or_default()
}

fn write(document: &Document, syntax: Syntax, format: &'static str) -> Result<String, FormatError> {
    let problem = |problem: String| {
        let document = document.number.as_ref().unwrap_or(&document.buyer.account_sid);
        FormatError::Document { document: visible(document).into_owned(), format, problem }
    };
    let proof = proof(document).map_err(|lacks| problem(lacks.join("; ")))?;
    let written = en16931_formats::write(&proof, syntax);
    match written.entries.iter().find(|entry| entry.is_loss()) {
        Some(lost) => {
            Err(problem(format!("{} cannot be written; this is a bug: {lost}", lost.path)))
        }
        None => Ok(written.xml),
    }
}

/// The document as a model that keeps every rule of the standard, or the list of all violations.
fn proof(document: &Document) -> Result<Validated<En16931>, Vec<String>> {
    let lacks = missing(document);
    if !lacks.is_empty() {
        return Err(lacks);
    }
    let invoice = model(document).map_err(|problem| vec![problem])?;
    Validated::new(invoice).map_err(|rejected| {
        let finding = |finding: &en16931::Finding| {
            format!("{} at {}: {}", finding.rule, finding.path, finding.message)
        };
        rejected.report().fatal().map(finding).collect()
    })
}

/// True for the two letters of a country by ISO 3166-1.
#[must_use]
pub fn is_country(code: &str) -> bool {
    codes::guard::country(code).is_ok()
}

/// The missing fields, in the words of the person who can set them.
fn missing(document: &Document) -> Vec<String> {
    let mut lacks = Vec::new();
    let mut lack = |is_missing: bool, what: String| {
        if is_missing {
            lacks.push(what);
        }
    };
    let account = visible(&document.buyer.account_sid);
    let seller = |field: &str, why: &str| format!("`{field}` of [seller] in trunkrate.toml: {why}");
    let buyer =
        |field: &str, why: &str| format!("`{field}` of account {account} in accounts.csv: {why}");
    lack(document.kind == Kind::Draft, "a draft is no invoice: issue it first".to_owned());
    let (minor, currency) = (document.minor_unit_decimals, &document.currency);
    lack(
        minor > 2,
        format!(
            "{currency} has {minor} decimals, EN 16931 amounts have at most two: use another format"
        ),
    );
    lack(
        document.kind != Kind::Draft && blank(document.number.as_deref()),
        "the document has no number: issue it".to_owned(),
    );
    lack(
        document.usage.is_empty() && document.items.is_empty(),
        "the document has no line, an e-invoice has one".to_owned(),
    );
    let country = |code: &str| !is_country(code);
    let wrong_country = |code: &str| {
        let found =
            if code.trim().is_empty() { "nothing".into() } else { format!("`{}`", visible(code)) };
        format!("found {found}, expected the two letters of ISO 3166-1, such as DE")
    };
    let (sells, buys) = (&document.seller.party, &document.buyer.party);
    lack(blank(Some(&sells.name)), seller("name", "the name under which you trade"));
    lack(country(&sells.country), seller("country", &wrong_country(&sells.country)));
    let has_registration = !blank(Some(&document.seller.registration));
    lack(
        !has_registration && blank(Some(&sells.tax_id)),
        seller("tax_id", "your VAT or tax identifier, or set `registration`"),
    );
    lack(blank(Some(&buys.name)), buyer("name", "the name of the customer"));
    lack(country(&buys.country), buyer("country", &wrong_country(&buys.country)));
    let has = |category: TaxCategory| document.taxes.iter().any(|group| group.category == category);
    let taxed = document.taxes.iter().any(|group| group.category != TaxCategory::OutsideScope);
    let tax_id_is_asked_for = taxed && blank(Some(&sells.tax_id)) && has_registration;
    lack(
        tax_id_is_asked_for,
        seller(
            "tax_id",
            "your VAT or tax identifier; taxed, exempt and reverse-charge sales need it",
        ),
    );
    let reverse_charge = has(TaxCategory::ReverseCharge);
    let no_vat_id = vat_id(buys).is_none();
    lack(
        reverse_charge && no_vat_id,
        buyer("tax_id", "reverse charge needs a VAT identifier that starts with its country"),
    );
    let both = taxed && has(TaxCategory::OutsideScope);
    lack(
        both,
        "outside-scope lines stand beside taxed ones, an e-invoice holds either: bill them apart"
            .to_owned(),
    );
    for group in &document.taxes {
        let (rate, category) = (group.rate.0, group.category.as_str());
        let zero = rate.is_zero();
        let standard = group.category == TaxCategory::Standard;
        lack(
            standard && zero,
            buyer("tax_rate", "a standard rate is above zero; use the category `zero`"),
        );
        let why = format!("the category {category} has the rate 0, found {rate}");
        lack(!standard && !zero, buyer("tax_rate", &why));
        let unexplained = group.category == TaxCategory::Exempt && blank(Some(&group.reason));
        lack(unexplained, buyer("tax_reason", "why the sale is exempt, in words"));
    }
    let asks = document.kind == Kind::Invoice && document.totals.total.0 > Decimal::ZERO;
    let no_date = document.due_date.is_none() && blank(Some(&document.payment.terms));
    lack(
        asks && no_date,
        "`terms` of [invoice] in trunkrate.toml: when and how to pay, or a due date".to_owned(),
    );
    lacks
}

fn blank(text: Option<&str>) -> bool {
    text.is_none_or(|text| text.trim().is_empty())
}

/// Text as the standard wants it: visible characters, or none at all.
fn text(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| visible(text).into_owned())
}

/// The VAT identifier of a party, if it starts with a country prefix, as the standard requires.
fn vat_id(party: &Party) -> Option<String> {
    let id = text(&party.tax_id)?;
    let prefix = id.get(..2)?;
    (["EL", "XI"].contains(&prefix) || codes::contains(codes::generated::COUNTRY_CODES, prefix))
        .then_some(id)
}

/// A note: text between two `#` would be read as its subject's code (BT-21), three characters long.
fn note(note: &str) -> Option<String> {
    let note = text(note)?;
    let mut parts = note.splitn(3, '#').skip(1);
    let between = parts.next().filter(|_| parts.next().is_some());
    let reads_as_code = between.is_some_and(|between| between.chars().count() == 3);
    Some(if reads_as_code { note.replacen('#', "# ", 1) } else { note })
}

fn date(date: &str) -> Result<Date, String> {
    Date::parse(date)
        .map_err(|e| format!("the document's date `{}` is none of EN 16931: {e}", visible(date)))
}

fn amount(amount: Decimal) -> Result<InvoiceAmount, String> {
    let why = |e| {
        format!(
            "the amount {amount} does not fit EN 16931, which has two decimals and 64 bits: {e}"
        )
    };
    InvoiceAmount::from_decimal_exact(amount).map_err(why)
}

fn period(first_day: &str, last_day: &str) -> Result<Period, String> {
    Ok(Period { start: Some(date(first_day)?), end: Some(date(last_day)?) })
}

/// The document in the standard's terms.
fn model(document: &Document) -> Result<Invoice, String> {
    let credit = document.is_credit();
    let number = text(document.number.as_deref().unwrap_or_default()).unwrap_or_default();
    let code = if credit { "381" } else { "380" };
    let mut invoice = Invoice::builder(
        PROFILE,
        number,
        date(&document.issue_date)?,
        code,
        document.currency.as_str(),
    )
    .build();
    if credit {
        invoice.kind = en16931::DocumentKind::CreditNote;
    } else {
        invoice.due_date = document.due_date.as_deref().map(date).transpose()?;
        invoice.payment_terms = text(&document.payment.terms);
        invoice.payment = payment(document);
    }
    if let Some(corrected) = &document.corrects {
        let reference = DocumentReference::new(text(&corrected.number).unwrap_or_default());
        invoice.preceding_invoices =
            vec![PrecedingInvoice { reference, issue_date: Some(date(&corrected.issue_date)?) }];
        let what = if corrected.in_part { "credits a part of" } else { "takes back" };
        invoice.payment_terms = Some(format!(
            "Nothing is to be paid: this {what} invoice {}.",
            visible(corrected.number.trim())
        ));
    }
    invoice.buyer_reference = text(&document.buyer.reference);
    invoice.purchase_order_reference = text(&document.buyer.order).map(DocumentReference::new);
    invoice.invoicing_period = Some(period(&document.period.first_day, &document.period.last_day)?);
    let delivered = Some(date(&document.period.last_day)?);
    invoice.delivery = Some(Delivery { date: delivered, ..Delivery::default() });
    invoice.notes = notes(document).into_iter().map(Into::into).collect();
    invoice.seller = seller(document);
    invoice.buyer = buyer(document);
    invoice.vat_breakdown = document.taxes.iter().map(breakdown).collect::<Result<_, _>>()?;
    invoice.lines = lines(document)?;
    let totals = &document.totals;
    invoice.totals = DocumentTotals {
        line_total: amount(totals.net.0)?,
        taxable_total: amount(totals.net.0)?,
        vat_total: Some(amount(totals.tax.0)?),
        gross_total: amount(totals.total.0)?,
        due: amount(totals.total.0)?,
        ..DocumentTotals::default()
    };
    Ok(invoice)
}

fn notes(document: &Document) -> Vec<String> {
    let mut notes = Vec::new();
    if document.supplementary {
        notes.push(format!(
            "{}: what came late to periods that were billed already.",
            document.title()
        ));
    }
    if let Some(corrected) = &document.corrects {
        let what = if corrected.in_part { "Credits a part of" } else { "Takes back" };
        notes.extend(note(&format!("{what} invoice {}: {}", corrected.number, corrected.reason)));
    }
    let totals = &document.totals;
    if !totals.rounding.0.is_zero() {
        let currency = &document.currency;
        notes.push(format!(
            "Exact sum of the lines {} {currency}, rounding {} {currency}.",
            totals.sum, totals.rounding
        ));
    }
    if buyer(document).vat_identifier.is_none() {
        notes.extend(
            text(&document.buyer.party.tax_id)
                .and_then(|id| note(&format!("The buyer's tax identifier: {id}"))),
        );
    }
    notes.extend(document.notes.iter().filter_map(|line| note(line)));
    notes
}

/// True if the document may hold no VAT identifier.
fn outside_scope(document: &Document) -> bool {
    document.taxes.iter().any(|group| group.category == TaxCategory::OutsideScope)
}

fn party(party: &Party) -> ModelParty {
    let mut lines = party.address.iter().filter_map(|line| text(line));
    let (line1, line2) = (lines.next(), lines.next());
    let rest: Vec<String> = lines.collect();
    ModelParty {
        name: text(&party.name),
        electronic_address: text(&party.email).map(|email| Identifier::schemed(email, "EM")),
        address: PostalAddress {
            line1,
            line2,
            line3: text(&rest.join(", ")),
            city: text(&party.city),
            post_code: text(&party.postcode),
            country: codes::guard::country(&party.country).ok(),
            ..PostalAddress::default()
        },
        vat_identifier: vat_id(party),
        ..ModelParty::default()
    }
}

fn seller(document: &Document) -> ModelParty {
    let seller = &document.seller;
    let mut made = party(&seller.party);
    made.legal_registration = text(&seller.registration).map(Identifier::new);
    made.contact =
        Contact { name: None, phone: text(&seller.phone), email: text(&seller.party.email) };
    if outside_scope(document) {
        made.vat_identifier = None;
    }
    if made.vat_identifier.is_none() {
        made.tax_registration = text(&seller.party.tax_id);
        if made.legal_registration.is_none() {
            // A tax registration alone does not identify a seller.
            made.identifiers = made.tax_registration.iter().map(Identifier::new).collect();
        }
    }
    made
}

fn buyer(document: &Document) -> ModelParty {
    let mut made = party(&document.buyer.party);
    made.identifiers = text(&document.buyer.account_sid).into_iter().map(Identifier::new).collect();
    if outside_scope(document) {
        made.vat_identifier = None;
    }
    made
}

/// A transfer to the seller's account: inside SEPA (58) for euros to an IBAN, else any (30).
fn payment(document: &Document) -> Option<PaymentInstructions> {
    let payment = &document.payment;
    let account: String = text(&payment.iban)?.split_whitespace().collect();
    let letters = |range: &str| range.bytes().all(|b| b.is_ascii_uppercase());
    let is_iban = (15..=34).contains(&account.len())
        && account.bytes().all(|b| b.is_ascii_alphanumeric())
        && letters(&account[..2])
        && account[2..4].bytes().all(|b| b.is_ascii_digit());
    let sepa = document.currency == "EUR" && is_iban;
    Some(PaymentInstructions {
        means_code: Some(if sepa { "58" } else { "30" }.into()),
        remittance_information: document.number.as_deref().and_then(text),
        means: Some(PaymentMeans::CreditTransfer(vec![CreditTransfer {
            account_identifier: Some(account),
            account_name: text(&payment.account_name),
            provider_identifier: text(&payment.bic),
        }])),
        ..PaymentInstructions::default()
    })
}

/// The rate as the standard writes it: none outside the scope, zero for the other untaxed
/// categories.
fn rate(category: TaxCategory, rate: Decimal) -> Option<Percentage> {
    match category {
        TaxCategory::Standard => Some(Percentage::new(rate)),
        TaxCategory::OutsideScope => None,
        _ => Some(Percentage::ZERO),
    }
}

fn breakdown(group: &TaxGroup) -> Result<VatBreakdown, String> {
    let (words, code) = match group.category {
        TaxCategory::Standard | TaxCategory::Zero => (None, None),
        TaxCategory::ReverseCharge => (Some("Reverse charge"), Some("VATEX-EU-AE")),
        TaxCategory::Exempt => (Some("Exempt from VAT"), None),
        TaxCategory::OutsideScope => (Some("Not subject to VAT"), Some("VATEX-EU-O")),
    };
    Ok(VatBreakdown {
        taxable_amount: amount(group.taxable.0)?,
        tax_amount: amount(group.tax.0)?,
        category: group.category.code().into(),
        rate: rate(group.category, group.rate.0),
        exemption_reason: words
            .map(|words| text(&group.reason).unwrap_or_else(|| words.to_owned())),
        exemption_reason_code: code.map(Into::into),
    })
}

/// Lines of usage, items, and the rounding difference of each tax group.
fn lines(document: &Document) -> Result<Vec<InvoiceLine>, String> {
    let mut lines =
        Vec::with_capacity(document.usage.len() + document.items.len() + document.taxes.len());
    let mut left: Vec<Decimal> = document.taxes.iter().map(|group| group.taxable.0).collect();
    let mut take = |category: TaxCategory, rate: Decimal, net: Decimal| {
        let group = document
            .taxes
            .iter()
            .position(|group| group.category == category && group.rate.0 == rate);
        let group = group.ok_or("a line is in no tax group; this is a bug")?;
        left[group] -= net;
        Ok::<_, String>(())
    };
    let net = |amount: Decimal| round_invoice_total(amount, document.minor_unit_decimals);
    for line in &document.usage {
        let net = net(line.amount.0);
        take(line.tax_category, line.tax_rate.0, net)?;
        let number = lines.len() + 1;
        lines.push(usage_line(document, line, net, number)?);
    }
    for item in &document.items {
        let net = net(item.amount.0);
        take(item.tax_category, item.tax_rate.0, net)?;
        let number = lines.len() + 1;
        lines.push(item_line(item, net, number)?);
    }
    for (group, left) in document.taxes.iter().zip(left) {
        if left.is_zero() {
            continue;
        }
        let number = lines.len() + 1;
        let what = PricedLine { quantity: Decimal::ONE, price: left, net: left };
        let mut line = priced("Rounding", &what, (group.category, group.rate.0), number)?;
        line.item.description =
            Some("From the rounded lines to the sum of the exact ones, rounded once".to_owned());
        lines.push(line);
    }
    Ok(lines)
}

/// A quantity, its price, and the net amount in whole minor units.
struct PricedLine {
    quantity: Decimal,
    price: Decimal,
    net: Decimal,
}

fn priced(
    name: &str,
    what: &PricedLine,
    tax: (TaxCategory, Decimal),
    number: usize,
) -> Result<InvoiceLine, String> {
    let sign = if what.price.is_sign_negative() { Decimal::NEGATIVE_ONE } else { Decimal::ONE };
    let (quantity, price) =
        (Quantity::new(what.quantity * sign), UnitPriceAmount::new(what.price * sign));
    let (category, percent) = (tax.0.code(), rate(tax.0, tax.1));
    let line = InvoiceLine::new(
        number.to_string(),
        name,
        quantity,
        PIECES,
        amount(what.net)?,
        category,
        percent,
    );
    Ok(line.with_price(PriceDetails { net_price: price, ..PriceDetails::default() }))
}

fn usage_line(
    document: &Document,
    line: &UsageLine,
    net: Decimal,
    number: usize,
) -> Result<InvoiceLine, String> {
    let words = text(&line.scenario_words)
        .or_else(|| text(&line.scenario))
        .unwrap_or_else(|| "Usage".to_owned());
    let name = text(&line.description).unwrap_or_else(|| words.clone());
    let what = PricedLine { quantity: Decimal::ONE, price: line.amount.0, net };
    let mut made = priced(&name, &what, (line.tax_category, line.tax_rate.0), number)?;
    let currency = &document.currency;
    made.item.description = Some(words);
    made.item.attributes = [
        ("Service", visible(line.service.trim()).into_owned()),
        ("Calls", line.calls.to_string()),
        ("Legs", line.legs.to_string()),
        ("Billed minutes", line.billed_minutes.clone()),
        ("Price per minute", format!("{} {currency}", line.price_per_minute)),
        ("Connection fee", format!("{} {currency}", line.connection_fee)),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(name, value)| ItemAttribute { name: Some(name.to_owned()), value: Some(value) })
    .collect();
    if let Some(month) = &line.late {
        let (from, to) =
            time::month_bounds(month).ok_or_else(|| format!("`{}` is no month", visible(month)))?;
        made.note = Some(if document.corrects_month(month) {
            format!("Calls of {month}, billed before: corrected")
        } else {
            format!("Calls of {month} that came late")
        });
        made.period = Some(period(&time::date_text(from), &time::date_text(to - 1))?);
    }
    Ok(made)
}

fn item_line(item: &ItemLine, net: Decimal, number: usize) -> Result<InvoiceLine, String> {
    let name = text(&item.description).unwrap_or_else(|| "Item".to_owned());
    let what = PricedLine { quantity: item.quantity.0, price: item.unit_price.0, net };
    priced(&name, &what, (item.tax_category, item.tax_rate.0), number)
}
