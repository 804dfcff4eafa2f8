//! Tests of pages: what a template may do, what stands on them, and samples to look at.

use super::*;
use crate::document::Exact;
use crate::document::build::{self, Item, Tax, credit_note, samples};
use crate::document::{Document, Kind};
use crate::money::{Amount, Price};
use crate::usage::{LineKey, Usage};
use rust_decimal::Decimal;

fn page(document: &Document) -> String {
    Pages::new(None).expect("templates").html(document, None).expect("a page")
}

fn legs(count: u64) -> Vec<ItemisedLeg> {
    let leg = |number: u64| ItemisedLeg {
        start: format!("2026-11-{:02}T{:02}:{:02}:00Z", number / 1440 % 30 + 1, number / 60 % 24, number % 60),
        call_sid: format!("CA{number:032}"),
        from: "+493012345678".into(),
        to: format!("+4420794{:05}", number % 100_000),
        scenario: ["termination", "origination", "origination-to-pstn"][usize::try_from(number % 3).expect("small")].into(),
        service: "termination".into(),
        description: "United Kingdom - Mobile".into(),
        duration_seconds: 61,
        billed_seconds: 120,
        amount: Exact(Decimal::new(i64::try_from(number % 977).expect("small"), 5)),
    };
    (0..count).map(leg).collect()
}

/// A month as most are: a few destinations, every day, with a fee, two taxes and a late call.
fn month() -> Document {
    let mut usage = Usage::default();
    let destinations = [
        ("Germany - Fixed", "termination", "termination", 60_000_000_i64),
        ("Germany - Mobile", "termination", "termination", 410_000_000),
        ("United Kingdom - Fixed", "termination", "termination", 85_000_000),
        ("United Kingdom - Mobile O2", "termination-to-pstn", "termination", 290_000_000),
        ("France - Fixed", "termination-to-pstn", "termination", 72_000_000),
        ("Germany - Local number, inbound", "origination", "origination", 34_000_000),
        ("United Kingdom - Local number, inbound", "origination-to-pstn", "origination", 34_000_000),
        ("Austria - Mobile", "origination-to-pstn", "termination", 330_000_000),
    ];
    for day in 0..30_i64 {
        for (number, (description, scenario, service, price)) in (0..).zip(destinations) {
            let calls = if day % 7 == 6 || day % 7 == 0 { 1 } else { 5 + (day * 7 + number * 3) % 11 };
            for call in 0..calls {
                let late = day == 3 && call == 0 && number < 2;
                let key = LineKey {
                    late: late.then(|| "2026-10".to_owned()),
                    scenario: scenario.into(),
                    service: service.into(),
                    description: description.into(),
                    price: Price::from_units(price),
                    fee: Price::from_units(if number == 1 { 500_000_000 } else { 0 }),
                };
                let minutes = 1 + (call * 5 + number + day) % 9;
                let day = if late { 20_757 } else { 20_758 + day };
                let id = format!("CA{day:010}{number:010}{call:012}");
                let seconds = u64::try_from(minutes).expect("positive") * 60 - 12;
                usage.add(&id, day, key, seconds, Amount::from_units(price * minutes / 100_000 * 1000)).expect("it fits");
            }
        }
    }
    let item = |description: &str, price: i64, tax: Option<Tax>| Item {
        description: description.into(),
        quantity: Decimal::ONE,
        unit_price: Decimal::new(price, 2),
        tax,
    };
    let exempt = Tax { category: TaxCategory::Exempt, rate: Decimal::ZERO, reason: "Exempt by § 4 No. 8 UStG.".into() };
    let items = [item("Trunk, 30 channels", 4900, None), item("Deposit", 25_000, Some(exempt))];
    let mut frame = samples::frame("EUR");
    frame.notes = vec!["Questions? Write to billing@example.org within 30 days.".into()];
    build::document(frame, &usage, &items).expect("it adds up")
}

/// Writes pages to `target/samples`, to look at: `cargo test --release -- --ignored dump_samples`.
#[test]
#[ignore = "for people"]
fn dump_samples() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/samples");
    std::fs::create_dir_all(&folder).expect("a folder");
    let pages = Pages::new(None).expect("templates");
    let write = |name: &str, document: &Document, itemised: Option<&[ItemisedLeg]>| {
        let html = pages.html(document, itemised).expect("a page");
        std::fs::write(folder.join(format!("{name}.html")), html).expect("written");
    };
    for lines in [0, 1, 3, 12, 60, 3000] {
        write(&format!("invoice-{lines}"), &samples::invoice("EUR", lines), None);
    }
    for currency in ["JPY", "KWD"] {
        write(&format!("invoice-{currency}"), &samples::invoice(currency, 12), None);
    }
    write("month", &month(), None);
    let invoice = samples::invoice("EUR", 3);
    write("credit", &credit_note(&invoice, "CN-2026-000001".into(), "2026-12-03".into(), "The wrong buyer.".into()), None);
    write("draft", &Document { kind: Kind::Draft, number: None, ..invoice.clone() }, None);
    write("calls", &invoice, Some(&legs(400)));
    let mut long = samples::invoice("EUR", 9);
    long.seller.party.name = "Telekommunikationsdienstleistungsgesellschaft Nordwestmecklenburg GmbH & Co. KG".repeat(2);
    long.buyer.party.name = "Ω日本電信電話株式会社".repeat(8);
    long.buyer.reference = "A".repeat(300);
    long.usage[2].description = "Averyverylongwordwithoutanyspaceinit".repeat(9);
    long.usage[3].description = "<script>alert(1)</script> {{7*7}} \u{202e}gnp.exe \u{1b}[31m".repeat(3);
    long.notes = vec!["Note ".repeat(200)];
    long.totals.total = Exact("123456789012.34".parse().expect("a decimal"));
    long.usage[0].amount = Exact("123456789012.34567".parse().expect("a decimal"));
    write("long", &long, None);
}
