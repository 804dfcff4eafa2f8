//! Documents at random: every currency, tax and size; what holds for one in every format holds for
//! all.
//!
//! A document is made from a number, so whatever fails is found again by its number.

use rust_decimal::Decimal;
use trunkrate::document::build::{self, Frame, Item, Tax};
use trunkrate::document::usage::{LineKey, Usage};
use trunkrate::document::{Buyer, Document, Kind, Party, Payment, Seller, TaxCategory};
use trunkrate::money::{Amount, Price};
use trunkrate::render::{einvoice, journal};

/// Text that some reader or other might obey.
pub const PAYLOADS: [&str; 19] = [
    "<script>alert(1)</script>",
    "a ]]> b",
    "& &amp; \"double\" 'single'",
    "nul \0 bell \u{7} escape \u{1b}[31m",
    "\u{202e}gnp.eciovni\u{202c}",
    "not a character \u{fffe} \u{ffff}",
    "#abc# note",
    "## three ###",
    "line\r\nbreak\ttab",
    "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>&e;",
    "<?xml version=\"1.0\"?><Invoice/>",
    "zero\u{200b}width \u{feff} \u{2028} \u{85}",
    "two  spaces  ; a comment",
    "pipe | semicolon ; hash #tag ^link",
    "back\\slash \\\" end\\",
    "2026-01-01 open Assets:Cash",
    "\n2026-01-01 * \"x\" \"y\"\n  Assets:Cash  1 EUR\n",
    "{{7*7}} {% raw %}",
    "Größe 株式会社 👾",
];

/// Numbers that only look random (`SplitMix64`).
pub struct Dice(u64);

impl Dice {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// A number below `below`.
    pub fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }

    /// One of some things.
    pub fn of<T: Copy>(&mut self, things: &[T]) -> T {
        things[usize::try_from(self.below(things.len() as u64)).expect("an index")]
    }

    /// Whether a thing happens that happens once in `times`.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn units(&mut self, most: u64) -> i64 {
        i64::try_from(self.below(most)).expect("a small number")
    }
}

/// A tax whose category and rate go together.
pub fn tax(category: TaxCategory, rate: Decimal) -> Tax {
    let rate = if category == TaxCategory::Standard { rate } else { Decimal::ZERO };
    let reason = if category == TaxCategory::Exempt {
        "Exempt: telecommunication between branches"
    } else {
        ""
    };
    Tax { category, rate, reason: reason.into() }
}

/// A document without lines yet: parties that have all that an e-invoice needs.
pub fn frame(currency: &str, tax: Tax) -> Frame {
    let party = |name: &str, country: &str, tax_id: &str| Party {
        name: name.into(),
        address: vec!["Musterweg 3".into(), "Hof 2".into(), "Aufgang B".into(), "3. OG".into()],
        city: "Berlin".into(),
        postcode: "10115".into(),
        country: country.into(),
        tax_id: tax_id.into(),
        email: "billing@example.org".into(),
    };
    Frame {
        kind: Kind::Invoice,
        number: Some("INV-2026-000001".into()),
        issue_date: "2026-12-01".into(),
        due_date: Some("2026-12-15".into()),
        month: "2026-11".into(),
        supplementary: false,
        seller: Seller {
            id: "main".into(),
            party: party("Trunkline Carrier GmbH", "DE", "DE123456789"),
            registration: "HRB 12345 B, Amtsgericht Charlottenburg".into(),
            phone: "+49301234567".into(),
            website: "https://carrier.example".into(),
        },
        buyer: Buyer {
            account_sid: "AC20261120000000000000000000000002".into(),
            party: party("Nordwind Logistik A/S", "DK", "DK12345678"),
            reference: "KST-4711".into(),
            order: "PO 77".into(),
        },
        currency: currency.into(),
        tax,
        payment: Payment {
            terms: "Payable within 14 days without deduction.".into(),
            account_name: "Trunkline Carrier GmbH".into(),
            iban: "DE02 1203 0000 0000 2020 51".into(),
            bic: "BYLADEM1001".into(),
        },
        notes: vec![],
    }
}

/// The key of a line.
pub fn key(
    late: Option<&str>,
    scenario: &str,
    description: &str,
    price_units: i64,
    fee_units: i64,
) -> LineKey {
    LineKey {
        late: late.map(Into::into),
        scenario: scenario.into(),
        service: if scenario.starts_with("origination") { "origination" } else { "termination" }
            .into(),
        description: description.into(),
        price: Price::from_units(price_units),
        fee: Price::from_units(fee_units),
    }
}

const SCENARIOS: [&str; 6] = [
    "termination",
    "origination",
    "termination-to-sip",
    "termination-to-pstn",
    "origination-to-sip",
    "origination-to-pstn",
];

/// Usage of some lines, the most of them short calls at small prices, some at large ones.
fn usage(dice: &mut Dice, most_lines: u64) -> Usage {
    let mut usage = Usage::default();
    for line in 0..dice.below(most_lines + 1) {
        let scenario = dice.of(&SCENARIOS);
        let late = dice.once_in(6).then(|| dice.of(&["2026-09", "2026-10"]));
        let description = if dice.once_in(8) {
            dice.of(&PAYLOADS).to_owned()
        } else {
            format!("Trunking {scenario} - destination {line}")
        };
        let key = key(
            late,
            scenario,
            &description,
            dice.units(50_000_000_000),
            dice.units(3) * 1_000_000_000,
        );
        let magnitude = dice.of(&[1, 100, 100_000, 100_000_000, 10_000_000_000]);
        let step = dice.of(&[1, 10, 1_000, 1_000_000]);
        for call in 0..=dice.below(3) {
            let amount = Amount::from_units(dice.units(magnitude + 1) * step);
            let day = 20_400 + dice.units(30);
            usage
                .add(
                    &format!("CA{line}-{call}"),
                    day,
                    key.clone(),
                    i64::try_from(1 + dice.below(90)).expect("small"),
                    amount,
                )
                .expect("it fits");
        }
    }
    usage
}

/// The document of a number, and whether it can be an e-invoice.
pub fn document(seed: u64) -> (Document, bool) {
    let mut dice = Dice::new(seed);
    let currency =
        dice.of(&["EUR", "EUR", "USD", "GBP", "CHF", "HUF", "JPY", "ISK", "KWD", "BHD", "CLF"]);
    let rate = Decimal::new(500 + dice.units(2_500), 2);
    let mut frame = frame(currency, tax(dice.of(&TaxCategory::ALL), rate));
    frame.number = Some(format!("INV-2026-{seed:06}"));
    frame.buyer.account_sid = format!("AC{:032x}", dice.below(40));
    if dice.once_in(10) {
        frame.buyer.account_sid = format!("{} {}", dice.of(&PAYLOADS), dice.below(3));
        frame.buyer.party.name = dice.of(&PAYLOADS).into();
        frame.seller.party.name = dice.of(&PAYLOADS).into();
        frame.notes = vec![dice.of(&PAYLOADS).into(), dice.of(&PAYLOADS).into()];
    }
    if dice.once_in(4) {
        frame.payment = Payment::default();
    }
    frame.supplementary = dice.once_in(10);
    let usage = usage(&mut dice, 12);
    let mut items = Vec::new();
    for _ in 0..dice.below(4) {
        let sign = if dice.once_in(10) { -1 } else { 1 };
        items.push(Item {
            description: if dice.once_in(8) {
                dice.of(&PAYLOADS).into()
            } else {
                "Number +442079460110".to_owned()
            },
            quantity: Decimal::new(dice.units(5_000), dice.of(&[0, 0, 1, 3])),
            unit_price: Decimal::new(sign * dice.units(1_000_000), dice.of(&[0, 2, 2, 5])),
            tax: dice.once_in(3).then(|| tax(dice.of(&TaxCategory::ALL), Decimal::new(7, 0))),
        });
    }
    let draft = dice.once_in(20);
    if draft {
        (frame.kind, frame.number) = (Kind::Draft, None);
    }
    let made =
        build::document(frame, &usage, &items).unwrap_or_else(|e| panic!("document {seed}: {e}"));
    let has_group = |outside| {
        made.taxes.iter().any(|group| (group.category == TaxCategory::OutsideScope) == outside)
    };
    let in_scope_or_out = has_group(true) != has_group(false);
    let writable = !draft && made.minor_unit_decimals <= 2 && in_scope_or_out;
    if !draft && dice.once_in(5) {
        let reason = if dice.once_in(3) { dice.of(&PAYLOADS) } else { "wrong price list" };
        return (
            build::credit_note(
                &made,
                format!("CN-2026-{seed:06}"),
                "2026-12-20".into(),
                reason.into(),
            ),
            writable,
        );
    }
    (made, writable)
}

/// The values of an XML element, in order.
pub fn values<'a>(xml: &'a str, element: &str) -> Vec<&'a str> {
    let mut values = Vec::new();
    let mut rest = xml;
    while let Some(at) = rest.find(&format!("<{element}")) {
        rest = &rest[at + element.len() + 1..];
        if rest.starts_with([' ', '>']) {
            let start = rest.find('>').expect("the tag ends") + 1;
            values.push(&rest[start..rest.find("</").expect("the element ends")]);
        }
    }
    values
}

fn decimals(texts: &[&str]) -> Vec<Decimal> {
    texts
        .iter()
        .map(|text| Decimal::from_str_exact(text).unwrap_or_else(|e| panic!("`{text}`: {e}")))
        .collect()
}

/// The totals of a document: net, net, tax, total, total; the taxable amounts; the taxes.
fn totals(document: &Document) -> Vec<Decimal> {
    let t = &document.totals;
    let mut totals = vec![t.net.0, t.net.0, t.tax.0, t.total.0, t.total.0];
    totals.extend(document.taxes.iter().map(|group| group.taxable.0));
    totals.extend(document.taxes.iter().map(|group| group.tax.0));
    totals
}

fn ubl_holds(document: &Document) {
    let xml = einvoice::ubl(document).expect("it can be written");
    let mut line_amounts = decimals(&values(&xml, "cbc:LineExtensionAmount"));
    let mut taxes = decimals(&values(&xml, "cbc:TaxAmount"));
    let one = |name| decimals(&values(&xml, name))[0];
    let mut found = vec![line_amounts.remove(0), one("cbc:TaxExclusiveAmount"), taxes.remove(0)];
    found.extend([one("cbc:TaxInclusiveAmount"), one("cbc:PayableAmount")]);
    found.extend(decimals(&values(&xml, "cbc:TaxableAmount")));
    found.extend(taxes);
    assert_eq!(found, totals(document));
    assert_eq!(
        line_amounts.iter().sum::<Decimal>(),
        document.totals.net.0,
        "the lines are the net total"
    );
    assert_eq!(xml.contains("<CreditNote"), document.is_credit());
}

fn cii_holds(document: &Document) {
    let xml = einvoice::cii(document).expect("it can be written");
    let mut line_amounts = decimals(&values(&xml, "ram:LineTotalAmount"));
    let one = |name| decimals(&values(&xml, name))[0];
    let mut found = vec![
        line_amounts.pop().expect("a sum"),
        one("ram:TaxBasisTotalAmount"),
        one("ram:TaxTotalAmount"),
    ];
    found.extend([one("ram:GrandTotalAmount"), one("ram:DuePayableAmount")]);
    found.extend(decimals(&values(&xml, "ram:BasisAmount")));
    found.extend(decimals(&values(&xml, "ram:CalculatedAmount")));
    assert_eq!(found, totals(document));
    assert_eq!(
        line_amounts.iter().sum::<Decimal>(),
        document.totals.net.0,
        "the lines are the net total"
    );
}

/// The postings of a transaction: account and amount, where the amount stands before or after its
/// currency.
fn postings(text: &str, currency: &str) -> Vec<(String, Decimal)> {
    let posting = |line: &str| {
        let (account, amount) =
            line.trim_start().split_once("  ").expect("two spaces end an account");
        let amount = amount.trim().trim_start_matches(currency).trim_end_matches(currency).trim();
        (account.to_owned(), decimals(&[amount])[0])
    };
    text.lines().skip(1).filter(|line| !line.is_empty()).map(posting).collect()
}

fn journals_hold(document: &Document) {
    let sign = if document.is_credit() { Decimal::NEGATIVE_ONE } else { Decimal::ONE };
    let (hledger, beancount) = (journal::hledger(document), journal::beancount(document));
    if document.kind == Kind::Draft {
        assert!(hledger.unwrap_err().to_string().contains("issue it first"));
        assert!(beancount.unwrap_err().to_string().contains("issue it first"));
        return;
    }
    let hledger = postings(&hledger.expect("a transaction"), &document.currency);
    assert_eq!(hledger, postings(&beancount.expect("a transaction"), &document.currency));
    assert_eq!(hledger.iter().map(|(_, amount)| *amount).sum::<Decimal>(), Decimal::ZERO);
    assert_eq!(hledger[0].1, document.totals.total.0 * sign);
    let sum = |start: &str| {
        hledger
            .iter()
            .filter(|(name, _)| name.starts_with(start))
            .map(|(_, amount)| *amount)
            .sum::<Decimal>()
    };
    assert_eq!(sum("Income:Usage:"), document.totals.usage.0 * -sign);
    assert_eq!(sum("Income:Items"), document.totals.items.0 * -sign);
    assert_eq!(sum("Income:Rounding"), document.totals.rounding.0 * -sign);
    assert_eq!(sum("Liabilities:Tax:"), document.totals.tax.0 * -sign);
}

#[test]
fn random_documents_add_up_in_every_format() {
    let (mut written, mut credited, mut late, mut negative) = (0, 0, 0, 0);
    for seed in 0..10_000 {
        let (document, writable) = document(seed);
        let held = std::panic::catch_unwind(|| {
            document.check().expect("it adds up");
            let json = serde_json::to_string(&document).expect("JSON");
            assert_eq!(serde_json::from_str::<Document>(&json).expect("a document"), document);
            journals_hold(&document);
            let lacks = einvoice::lacks(&document);
            assert_eq!(lacks.is_empty(), writable, "{lacks:#?}");
            if writable {
                ubl_holds(&document);
                cii_holds(&document);
            } else {
                assert!(einvoice::ubl(&document).unwrap_err().to_string().contains(&lacks[0]));
                assert!(einvoice::cii(&document).unwrap_err().to_string().contains(&lacks[0]));
            }
        });
        assert!(held.is_ok(), "document {seed} does not hold; the assertion stands above");
        written += usize::from(writable);
        credited += usize::from(document.is_credit());
        late += usize::from(document.usage.iter().any(|line| line.late.is_some()));
        negative += usize::from(document.totals.rounding.0.is_sign_negative());
    }
    assert!(
        written > 4_000 && credited > 1_000 && late > 2_000 && negative > 1_000,
        "{written} {credited} {late} {negative}"
    );
}
