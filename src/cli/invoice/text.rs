//! A document as text for the terminal.

use crate::cli::term;
use crate::document::{Document, TaxGroup, UsageLine};
use crate::text;
use std::fmt::Write as _;

/// A document as text for the terminal.
pub fn text(d: &Document) -> String {
    let mut out = String::new();
    let number = d.number.as_deref().unwrap_or("without a number");
    let _ = writeln!(out, "{}", term::heading(&format!("{} {number}", d.title())));
    let mut field = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(out, "  {name:<10} {}", text::visible(value));
        }
    };
    let party = |p: &crate::document::Party| {
        let city = format!("{} {}", p.postcode, p.city);
        let parts =
            [&p.name, &p.address.join(", "), city.trim(), &p.country, &p.tax_id].map(str::to_owned);
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
    };
    field("date", &d.issue_date);
    field("due", d.due_date.as_deref().unwrap_or_default());
    field(
        "period",
        &format!("{} ({} to {})", d.period.month, d.period.first_day, d.period.last_day),
    );
    if let Some(corrected) = &d.corrects {
        field("corrects", &format!("{} of {}", corrected.number, corrected.issue_date));
        field("reason", &corrected.reason);
    }
    field("seller", &party(&d.seller.party));
    field("buyer", &party(&d.buyer.party));
    field("account", &d.buyer.account_sid);
    field("reference", &d.buyer.reference);
    field("order", &d.buyer.order);
    let usage = d.usage.iter().map(|l: &UsageLine| {
        let late = l.late.as_ref().map(|month| format!("{month}: ")).unwrap_or_default();
        let fee = if l.connection_fee.0.is_zero() {
            String::new()
        } else {
            format!(" + {} / leg", l.connection_fee)
        };
        let price = format!("{} / min{fee}", l.price_per_minute);
        let what = format!("{late}{}", l.scenario_words);
        vec![
            what,
            l.description.clone(),
            l.calls.to_string(),
            l.billed_minutes.clone(),
            price,
            l.amount.to_string(),
        ]
    });
    let items = d.items.iter().map(|item| {
        let price = item.unit_price.to_string();
        vec![
            "monthly".to_owned(),
            item.description.clone(),
            item.quantity.to_string(),
            String::new(),
            price,
            item.amount.to_string(),
        ]
    });
    // Numbered, so that `invoice calls` can be asked for one.
    let numbered = (1..).zip(usage.chain(items)).map(|(number, mut row): (u64, Vec<String>)| {
        row.insert(0, number.to_string());
        row
    });
    let rows: Vec<Vec<String>> = numbered.collect();
    if !rows.is_empty() {
        out.push_str(&term::table(
            &["line", "scenario", "destination", "calls", "minutes", "price", "amount"],
            &["line", "calls", "minutes", "price", "amount"],
            rows,
        ));
    }
    let mut totals = vec![
        ("sum".to_owned(), d.totals.sum.to_string()),
        ("rounding".to_owned(), d.totals.rounding.to_string()),
    ];
    totals.push(("net".to_owned(), d.totals.net.to_string()));
    totals.extend(d.taxes.iter().map(|group: &TaxGroup| {
        let reason = if group.reason.is_empty() {
            String::new()
        } else {
            format!(" ({})", text::visible(&group.reason))
        };
        (
            format!("{} {} % on {}{reason}", group.category.words(), group.rate, group.taxable),
            group.tax.to_string(),
        )
    }));
    if d.taxes.len() > 1 {
        totals.push(("tax".to_owned(), d.totals.tax.to_string()));
    }
    totals.push(("total".to_owned(), format!("{} {}", d.totals.total, d.currency)));
    for (name, value) in totals {
        let _ = writeln!(out, "{name:<60} {value}");
    }
    let p = &d.payment;
    let asks = d.totals.total.0 > rust_decimal::Decimal::ZERO;
    let payable = d.kind == crate::document::Kind::Invoice && asks;
    let how = [&p.terms, &p.account_name, &p.iban, &p.bic]
        .into_iter()
        .filter(|text| payable && !text.is_empty());
    for text in how.chain(&d.notes) {
        let _ = writeln!(out, "  {}", text::visible(text));
    }
    out
}
