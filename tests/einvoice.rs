//! E-invoices, held to XSD and Schematron of EN 16931 by an independent validator
//! (`validators/einvoice.py`).

use crate::random_documents::{PAYLOADS, frame, key, tax, values};
use crate::{random_documents, support::Night};
use rust_decimal::Decimal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use trunkrate::document::build::{self, Item, Tax};
use trunkrate::document::usage::Usage;
use trunkrate::document::{Document, Kind, Party, TaxCategory};
use trunkrate::money::Amount;
use trunkrate::render::einvoice;

/// The Python of the validators.
pub fn python() -> PathBuf {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/validators/venv/bin/python");
    assert!(python.exists(), "{} is missing: run `make validators`", python.display());
    python
}

/// A script of the validators.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/validators").join(name)
}

/// Usage of so many lines; each is `step` units more than the one before, some are late.
fn usage(lines: i64, first: i64, step: i64) -> Usage {
    let mut usage = Usage::default();
    for line in 0..lines {
        let scenario = ["termination", "origination-to-pstn", "termination-to-sip"]
            [usize::try_from(line % 3).expect("small")];
        let late = (line % 7 == 6).then_some("2026-10");
        let key = key(
            late,
            scenario,
            &format!("Trunking minute - destination {line:04}"),
            130_000_000,
            0,
        );
        usage
            .add(&format!("CA{line}"), 20_400, key, 60, Amount::from_units(first + line * step))
            .expect("it fits");
    }
    usage
}

fn item(description: &str, quantity: i64, unit_price: &str, tax: Option<Tax>) -> Item {
    let unit_price = Decimal::from_str_exact(unit_price).expect("a decimal");
    Item { description: description.into(), quantity: Decimal::new(quantity, 0), unit_price, tax }
}

fn standard() -> Tax {
    tax(TaxCategory::Standard, Decimal::new(19, 0))
}

/// An invoice of nine lines, two items and a standard tax.
pub fn an_invoice() -> Document {
    cases().remove("standard").expect("a case")
}

/// Every text of it is `payload`, but for those that are codes, dates or names of scenarios.
fn hostile(payload: &str) -> Document {
    let mut frame = frame("EUR", standard());
    for party in [&mut frame.seller.party, &mut frame.buyer.party] {
        party.name = payload.into();
        party.address = vec![payload.into(); 5];
        (party.city, party.postcode, party.email) =
            (payload.into(), payload.into(), payload.into());
        party.tax_id = format!("DE{payload}");
    }
    (frame.seller.registration, frame.seller.phone, frame.seller.website) =
        (payload.into(), payload.into(), payload.into());
    (frame.buyer.reference, frame.buyer.order) = (payload.into(), payload.into());
    frame.buyer.account_sid = payload.into();
    (frame.payment.terms, frame.payment.account_name) = (payload.into(), payload.into());
    (frame.payment.iban, frame.payment.bic) = (payload.into(), payload.into());
    frame.notes = vec![payload.into(), format!("{payload}\n{payload}")];
    frame.number = Some(payload.into());
    let mut usage = Usage::default();
    usage
        .add(
            "CA1",
            20_400,
            key(None, payload, payload, 130_000_000, 0),
            60,
            Amount::from_units(250_000_000),
        )
        .expect("it fits");
    build::document(frame, &usage, &[item(payload, 1, "1.15", None)]).expect("it adds up")
}

/// What is held to the standard, by name.
fn cases() -> BTreeMap<String, Document> {
    let mut cases = BTreeMap::new();
    let items = [
        item("Number +442079460110", 1, "1.15", None),
        item("Trunk, 30 channels", 2, "24.505", None),
    ];
    for category in TaxCategory::ALL {
        let frame = frame("EUR", tax(category, Decimal::new(19, 0)));
        let made =
            build::document(frame, &usage(9, 1_234_567, 7_654_321), &items).expect("it adds up");
        let credit = build::credit_note(
            &made,
            "CN-2026-000001".into(),
            "2026-12-20".into(),
            "wrong price list".into(),
        );
        cases.insert(format!("credit-{}", category.as_str()), credit);
        cases.insert(category.as_str().to_owned(), made);
    }
    let mut case = |name: &str, currency: &str, usage: &Usage, items: &[Item]| {
        let mut frame = frame(currency, standard());
        frame.supplementary = name == "supplementary";
        if name == "due-date-only" {
            frame.payment = trunkrate::document::Payment::default();
        }
        cases.insert(name.to_owned(), build::document(frame, usage, items).expect("it adds up"));
    };
    case("one-line", "EUR", &usage(1, 1_500_000_000, 0), &[]);
    case("no-usage", "EUR", &Usage::default(), &items);
    case("nothing-to-pay", "EUR", &usage(3, 0, 1), &[]);
    case("rounding-up", "EUR", &usage(3, 400_000, 0), &[]);
    case("rounding-down", "EUR", &usage(3, 500_000, 0), &[]);
    case("yen", "JPY", &usage(9, 12_345_678_901, 7_654_321), &items);
    case("dollar", "USD", &usage(9, 12_345_678_901, 7_654_321), &[]);
    case("supplementary", "EUR", &usage(14, 12_345_678_901, 1), &[]);
    case("due-date-only", "EUR", &usage(2, 12_345_678_901, 1), &[]);
    case("3000-lines", "EUR", &usage(3_000, 130_000, 13_333), &items);
    let mixed = [
        item("Zero", 1, "10.005", Some(tax(TaxCategory::Zero, Decimal::ZERO))),
        item("Reduced", 3, "3.333", Some(tax(TaxCategory::Standard, Decimal::new(75, 1)))),
        item("Exempt", 1, "2.225", Some(tax(TaxCategory::Exempt, Decimal::ZERO))),
        item("Discount", 1, "-0.505", None),
    ];
    case("mixed-taxes", "EUR", &usage(9, 1_234_567, 7_654_321), &mixed);
    let mut bare = frame("EUR", tax(TaxCategory::OutsideScope, Decimal::ZERO));
    (bare.seller.registration, bare.seller.party.tax_id) = (String::new(), "12-3456789".into());
    (bare.seller.party.country, bare.buyer.party.country) = ("US".into(), "US".into());
    bare.buyer.party.tax_id = "98-7654321".into();
    cases.insert(
        "tax-id-without-country".into(),
        build::document(bare, &usage(3, 500_000_000, 0), &[]).expect("it adds up"),
    );
    let long = "very long ".repeat(2_000);
    for (number, payload) in PAYLOADS.iter().chain([&long.as_str()]).enumerate() {
        let made = hostile(payload);
        let credit =
            build::credit_note(&made, (*payload).into(), "2026-12-20".into(), (*payload).into());
        cases.insert(format!("hostile-{number:02}"), made);
        cases.insert(format!("hostile-credit-{number:02}"), credit);
    }
    let random = (1_000_000..)
        .map(|seed| (seed, random_documents::document(seed)))
        .filter(|(_, (_, writable))| *writable);
    cases.extend(random.take(50).map(|(seed, (document, _))| (format!("random-{seed}"), document)));
    cases
}

/// Files that are wrong, and the rule that says so.
fn broken(ubl: &str, cii: &str) -> Vec<(&'static str, String, &'static str)> {
    let other = |xml: &str, element: &str, value: &str| {
        let found = values(xml, element)[0];
        let changed =
            xml.replacen(&format!(">{found}</{element}>"), &format!(">{value}</{element}>"), 1);
        assert_ne!(changed, xml, "{element} was changed");
        changed
    };
    let without = |xml: &str, element: &str| {
        let (start, end) =
            (xml.find(&format!("<{element}")).expect("it is there"), format!("</{element}>"));
        let end = xml.find(&end).expect("it ends") + end.len();
        format!("{}{}", &xml[..start], &xml[end..])
    };
    vec![
        ("ubl-payable", other(ubl, "cbc:PayableAmount", "1.00"), "BR-CO-16"),
        ("ubl-total", other(ubl, "cbc:TaxInclusiveAmount", "1.00"), "BR-CO-15"),
        ("ubl-line", other(ubl, "cbc:LineExtensionAmount", "1.00"), "BR-CO-10"),
        ("ubl-decimals", other(ubl, "cbc:PayableAmount", "1.001"), "UBL-DT-01"),
        ("ubl-currency", other(ubl, "cbc:DocumentCurrencyCode", "XXZ"), "BR-CL-04"),
        ("ubl-number", without(ubl, "cbc:ID"), "BR-02"),
        ("ubl-tax-id", without(ubl, "cac:PartyTaxScheme"), "BR-S-02"),
        ("ubl-totals", without(ubl, "cac:LegalMonetaryTotal"), "schema"),
        ("cii-payable", other(cii, "ram:DuePayableAmount", "1.00"), "BR-CO-16"),
        ("cii-tax", other(cii, "ram:CalculatedAmount", "1.00"), "BR-CO-14"),
        ("cii-taxable", other(cii, "ram:BasisAmount", "1.00"), "BR-S-08"),
        ("cii-number", without(cii, "ram:ID"), "BR-01"),
        ("cii-line", without(cii, "ram:IncludedSupplyChainTradeLineItem"), "BR-CO-10"),
        ("cii-seller", without(cii, "ram:SellerTradeParty"), "schema"),
        ("xml", ubl.replace("</cbc:ID>", "</cbc:Id>"), "well-formed"),
    ]
}

/// The findings of the validator, and the terms that it read, by file name without its folder.
fn validated(folder: &Path, files: &[String]) -> (i32, BTreeMap<String, Value>) {
    let output = Command::new(python())
        .arg(script("einvoice.py"))
        .args(files)
        .current_dir(folder)
        .output()
        .expect("it runs");
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let result = |line: &str| {
        let result: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        (result["file"].as_str().expect("a name").to_owned(), result)
    };
    let results: BTreeMap<String, Value> = stdout.lines().map(result).collect();
    assert_eq!(results.len(), files.len(), "every file was judged; {stderr}");
    (output.status.code().expect("a code"), results)
}

fn sum(values: &Value) -> Decimal {
    let number = |value: &Value| {
        Decimal::from_str_exact(value.as_str().expect("a text")).expect("a decimal")
    };
    values.as_array().expect("a list").iter().map(number).sum()
}

#[test]
fn einvoices_keep_the_standard_and_hold_the_documents_totals() {
    let (night, cases) = (Night::new(), cases());
    let mut files = Vec::new();
    for (name, document) in &cases {
        for (format, xml) in [("ubl", einvoice::ubl(document)), ("cii", einvoice::cii(document))] {
            let xml = xml.unwrap_or_else(|e| panic!("{name}: {e}"));
            files.push(format!("{name}.{format}.xml"));
            night.file(files.last().expect("a name"), xml);
        }
    }
    let (code, results) = validated(night.path(), &files);
    let found: Vec<String> = results
        .iter()
        .filter(|(_, r)| r["findings"] != Value::Array(vec![]))
        .map(|(n, r)| format!("{n}: {:#}", r["findings"]))
        .collect();
    assert!(
        found.is_empty() && code == 0,
        "{} files have findings:\n{}",
        found.len(),
        found.join("\n")
    );
    for (file, result) in &results {
        let document = &cases[file.split('.').next().expect("a name")];
        let (terms, totals) = (&result["terms"], &document.totals);
        for (term, expected) in [
            ("BT-106", totals.net.0),
            ("BT-109", totals.net.0),
            ("BT-110", totals.tax.0),
            ("BT-112", totals.total.0),
            ("BT-115", totals.total.0),
            ("BT-116", totals.net.0),
            ("BT-117", totals.tax.0),
            ("BT-131", totals.net.0),
        ] {
            assert_eq!(sum(&terms[term]), expected, "{term} of {file}");
        }
        let taxes = document.taxes.iter().map(|group| (group.taxable.0, group.tax.0));
        let read = terms["BT-116"]
            .as_array()
            .expect("a list")
            .iter()
            .zip(terms["BT-117"].as_array().expect("a list"));
        let one = |value: &Value| {
            Decimal::from_str_exact(value.as_str().expect("a text")).expect("a decimal")
        };
        assert!(
            read.map(|(taxable, tax)| (one(taxable), one(tax))).eq(taxes),
            "the taxes of {file}"
        );
        let name = trunkrate::text::visible(document.seller.party.name.trim());
        assert_eq!(terms["BT-27"][0], name.as_ref(), "the seller of {file}");
    }
    let most_lines =
        results["3000-lines.ubl.xml"]["terms"]["BT-131"].as_array().expect("lines").len();
    assert_eq!(most_lines, 3_003, "usage, two items, rounding");
}

#[test]
fn the_validator_finds_what_is_wrong() {
    let night = Night::new();
    let document = &cases()["standard"];
    let broken =
        broken(&einvoice::ubl(document).expect("UBL"), &einvoice::cii(document).expect("CII"));
    for (name, xml, _) in &broken {
        night.file(name, xml);
    }
    let files: Vec<String> = broken.iter().map(|(name, ..)| (*name).to_owned()).collect();
    let (code, results) = validated(night.path(), &files);
    assert_eq!(code, 1);
    for (name, _, rule) in &broken {
        let findings = results[*name]["findings"].as_array().expect("a list");
        assert!(
            findings.iter().any(|finding| finding["rule"] == *rule),
            "{name} breaks {rule}, found {findings:#?}"
        );
    }
}

#[test]
fn rounding_lines_have_the_sign_of_what_is_missing() {
    let cases = cases();
    let rounding = |name: &str| {
        let xml = einvoice::ubl(&cases[name]).expect("UBL");
        let line = xml
            .split("<cac:InvoiceLine>")
            .find(|line| line.contains("Rounding"))
            .map(ToOwned::to_owned);
        line.map(|line| {
            let one = |element| values(&line, element)[0].to_owned();
            [one("cbc:InvoicedQuantity"), one("cbc:LineExtensionAmount"), one("cbc:PriceAmount")]
        })
    };
    // 3 × 0.004 = 0.012 → 0.01; the lines are 0.00.
    assert_eq!(rounding("rounding-up"), Some(["1", "0.01", "0.01"].map(Into::into)));
    // 3 × 0.005 = 0.015 → 0.02; the lines are 0.01.
    assert_eq!(rounding("rounding-down"), Some(["-1", "-0.01", "0.01"].map(Into::into)));
    assert_eq!(rounding("one-line"), None);
}

#[test]
fn what_an_einvoice_lacks_is_named() {
    let usage = usage(1, 500_000_000, 0);
    let lacks = |change: &dyn Fn(&mut build::Frame)| {
        let mut frame = frame("EUR", standard());
        change(&mut frame);
        let lacks = einvoice::lacks(&build::document(frame, &usage, &[]).expect("it adds up"));
        lacks.join("\n")
    };
    assert_eq!(lacks(&|_| ()), "");
    let mut said = String::new();
    let mut say = |case: &str, lacks: &str| said.extend(["--- ", case, "\n", lacks, "\n"]);
    let nothing_known = lacks(&|frame| {
        (frame.seller.party, frame.buyer.party) = (Party::default(), Party::default());
        (frame.seller.registration, frame.payment.terms, frame.due_date) =
            (String::new(), String::new(), None);
    });
    say("parties of which nothing is known", &nothing_known);
    say("no tax identifier", &lacks(&|frame| frame.seller.party.tax_id = String::new()));
    let reverse_charge = lacks(&|frame| {
        frame.buyer.party.tax_id = "12-34".into();
        frame.tax = tax(TaxCategory::ReverseCharge, Decimal::ZERO);
    });
    say("reverse charge without the buyer's VAT identifier", &reverse_charge);
    say("dinars", &lacks(&|frame| frame.currency = "KWD".into()));
    say("a country in words", &lacks(&|frame| frame.buyer.party.country = "GERMANY".into()));
    say(
        "exempt without a reason",
        &lacks(&|frame| frame.tax = Tax { category: TaxCategory::Exempt, ..Tax::default() }),
    );
    say(
        "a standard rate of zero",
        &lacks(&|frame| frame.tax = tax(TaxCategory::Standard, Decimal::ZERO)),
    );
    let rated = Tax { category: TaxCategory::Zero, rate: Decimal::ONE, reason: String::new() };
    say("a zero rate of one", &lacks(&|frame| frame.tax = rated.clone()));
    say("a draft", &lacks(&|frame| (frame.kind, frame.number) = (Kind::Draft, None)));
    let outside = item("Tip", 1, "1.00", Some(tax(TaxCategory::OutsideScope, Decimal::ZERO)));
    let mixed = build::document(frame("EUR", standard()), &usage, &[outside]).expect("it adds up");
    say("outside the scope beside taxed", &einvoice::lacks(&mixed).join("\n"));
    let empty =
        build::document(frame("EUR", standard()), &Usage::default(), &[]).expect("it adds up");
    say("no line", &einvoice::lacks(&empty).join("\n"));
    let mut no_date = mixed.clone();
    (no_date.issue_date, no_date.taxes[1].category) = ("2026-13-01".into(), TaxCategory::Zero);
    no_date.items[0].tax_category = TaxCategory::Zero;
    say("no date", &einvoice::lacks(&no_date).join("\n"));
    let huge = item("Gold", 1_000_000, "100000000000", None);
    let huge = build::document(frame("EUR", standard()), &usage, &[huge]).expect("it adds up");
    say("more than 64 bits", &einvoice::lacks(&huge).join("\n"));
    say("the error", &einvoice::ubl(&mixed).unwrap_err().to_string());
    insta::assert_snapshot!(said);
}
