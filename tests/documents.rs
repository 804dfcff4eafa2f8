//! Documents for the tests of formats, the programs that judge them, and texts that a stranger may
//! choose.

use rust_decimal::Decimal;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use trunkrate::document::build::{self, Frame, Item, Tax};
use trunkrate::document::usage::{LineKey, Usage};
use trunkrate::document::{
    Buyer, Document, Exact, ItemisedLeg, Kind, Party, Payment, Seller, TaxCategory,
};
use trunkrate::money::{Amount, Price};

/// The UTC day of 2026-11-01, in days since 1970.
const NOVEMBER: i64 = 20_758;

/// Texts that are no harm where they are shown as they are. None has `: ` inside, which a
/// scenario's name ends at.
pub const HOSTILE: [&str; 24] = [
    "<script>window.hacked=1</script>",
    "\"><img src=x onerror=\"window.hacked=1\">",
    "'><svg onload=window.hacked=1>",
    "<iframe src=\"https://evil.example/\"></iframe>",
    "javascript:window.hacked=1",
    "</title><script>window.hacked=1</script>",
    "</style><script>window.hacked=1</script>",
    "</td></tr></table><h1>Paid</h1>",
    "</svg><text x=\"0\">",
    "\" style=\"position:fixed;inset:0\" x=\"",
    "}body{display:none}",
    "{{7*7}}",
    "{% include \"/etc/passwd\" %}",
    "{# comment #}",
    "<!-- comment",
    "]]>",
    "&lt;b&gt; &amp;amp; &#x3C;b&#x3E;",
    "\u{202e}cod.exe\u{202c}",
    "zero\u{200b}width\u{feff}",
    "\u{1b}[31mred\u{1b}[0m",
    "nul\0byte\u{7}",
    "line\r\nbreak\u{2028}and\u{85}more\ttab",
    "=HYPERLINK(\"https://evil.example\")",
    "@SUM(1+1)*cmd|' /C calc'!A0",
];

/// All that a document says beside its usage.
pub fn frame(currency: &str) -> Frame {
    let party =
        |name: &str, address: &str, city: &str, postcode: &str, tax_id: &str, email: &str| Party {
            name: name.into(),
            address: vec![address.into()],
            city: city.into(),
            postcode: postcode.into(),
            country: "DE".into(),
            tax_id: tax_id.into(),
            email: email.into(),
        };
    Frame {
        kind: Kind::Invoice,
        number: Some("INV-2026-000042".into()),
        issue_date: "2026-12-01".into(),
        due_date: Some("2026-12-15".into()),
        month: "2026-11".into(),
        supplementary: false,
        seller: Seller {
            id: "main".into(),
            party: party(
                "Trunkline Carrier GmbH",
                "Musterweg 3",
                "Berlin",
                "10115",
                "DE123456789",
                "billing@carrier.example",
            ),
            registration: "HRB 12345 B, Amtsgericht Charlottenburg".into(),
            phone: "+49301234567".into(),
            website: "https://carrier.example".into(),
        },
        buyer: Buyer {
            account_sid: "AC20261120000000000000000000000002".into(),
            party: party(
                "Nordwind Logistik GmbH",
                "Hafenstraße 17",
                "Hamburg",
                "20457",
                "DE999999999",
                "ap@nordwind.example",
            ),
            reference: "KST-4711".into(),
            order: "PO-88231".into(),
        },
        currency: currency.into(),
        tax: Tax {
            category: TaxCategory::Standard,
            rate: Decimal::new(19, 0),
            reason: String::new(),
        },
        payment: Payment {
            terms: "Payable within 14 days without deduction.".into(),
            account_name: "Trunkline Carrier GmbH".into(),
            iban: "DE02120300000000202051".into(),
            bic: "BYLADEM1001".into(),
        },
        notes: vec!["Questions? Write to billing@carrier.example within 30 days.".into()],
    }
}

fn item(description: &str, quantity: i64, cents: i64, tax: Option<Tax>) -> Item {
    Item {
        description: description.into(),
        quantity: Decimal::from(quantity),
        unit_price: Decimal::new(cents, 2),
        tax,
    }
}

/// An invoice of so many lines of usage, over all scenarios and the days of the month, and two
/// items.
pub fn invoice(currency: &str, lines: u32) -> Document {
    let scenarios = [
        ("termination", "termination"),
        ("origination", "origination"),
        ("termination-to-sip", "termination"),
        ("termination-to-pstn", "termination"),
        ("origination-to-sip", "origination"),
        ("origination-to-pstn", "termination"),
    ];
    let places = [
        "Germany - Fixed",
        "Germany - Mobile",
        "United Kingdom - Fixed",
        "France - Mobile Orange",
        "Austria - Special",
    ];
    let mut usage = Usage::default();
    for number in 0..lines {
        let (scenario, service) = scenarios[number as usize % scenarios.len()];
        let price = i64::from(number % 97 + 1) * 13_000_000;
        let key = LineKey {
            late: None,
            scenario: scenario.into(),
            service: service.into(),
            description: format!("{} {number}", places[number as usize % places.len()]),
            price: Price::from_units(price),
            fee: Price::ZERO,
        };
        for call in 0..4 {
            let day = NOVEMBER + i64::from(number * 7 + call * 11) % 30;
            let minutes = i64::from(number % 5 + call + 1);
            let id = format!("CA{number:016}{call:016}");
            let amount = Amount::from_units(price / 100 * minutes);
            usage.add(&id, day, key.clone(), minutes * 60, amount).expect("it fits");
        }
    }
    let items =
        [item("Number +442079460110", 1, 115, None), item("Trunk, 30 channels", 2, 2450, None)];
    build::document(frame(currency), &usage, &items).expect("it adds up")
}

/// A month as most are: a few destinations, every day, with a fee, two taxes and calls of an
/// earlier month.
pub fn month() -> Document {
    let mut usage = Usage::default();
    let destinations = [
        ("Germany - Fixed", "termination", "termination", 60_000_000_i64),
        ("Germany - Mobile", "termination", "termination", 410_000_000),
        ("United Kingdom - Fixed", "termination", "termination", 85_000_000),
        ("United Kingdom - Mobile O2", "termination-to-pstn", "termination", 290_000_000),
        ("France - Fixed", "termination-to-pstn", "termination", 72_000_000),
        ("Germany - Local number, inbound", "origination", "origination", 34_000_000),
        (
            "United Kingdom - Local number, inbound",
            "origination-to-pstn",
            "origination",
            34_000_000,
        ),
        ("Austria - Mobile", "origination-to-pstn", "termination", 330_000_000),
    ];
    for day in 0..30_i64 {
        for (number, (description, scenario, service, price)) in (0..).zip(destinations) {
            let calls =
                if day % 7 == 6 || day % 7 == 0 { 1 } else { 5 + (day * 7 + number * 3) % 11 };
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
                let id = format!("CA{day:010}{number:010}{call:012}");
                let seconds = minutes * 60 - 12;
                let day = NOVEMBER + if late { -1 } else { day };
                usage
                    .add(&id, day, key, seconds, Amount::from_units(price * minutes / 100))
                    .expect("it fits");
            }
        }
    }
    let exempt = Tax {
        category: TaxCategory::Exempt,
        rate: Decimal::ZERO,
        reason: "Exempt by § 4 No. 8 UStG.".into(),
    };
    let items =
        [item("Trunk, 30 channels", 1, 4900, None), item("Deposit", 1, 25_000, Some(exempt))];
    build::document(frame("EUR"), &usage, &items).expect("it adds up")
}

/// The credit note of a short invoice.
pub fn credit() -> Document {
    let (number, date, reason) =
        ("CN-2026-000001", "2026-12-03", "Billed to the wrong company of the group.");
    build::credit_note(&invoice("EUR", 3), number.into(), date.into(), reason.into())
}

/// The draft of an invoice.
pub fn draft() -> Document {
    Document { kind: Kind::Draft, number: None, ..invoice("EUR", 12) }
}

/// Names, words and numbers that are longer than any page is wide.
pub fn long() -> Document {
    let mut long = invoice("EUR", 9);
    long.seller.party.name =
        "Telekommunikationsdienstleistungsgesellschaft Nordwestmecklenburg GmbH & Co. KG "
            .repeat(2);
    long.buyer.party.name = "ΩАБВمرحبا日本電信電話".repeat(9);
    long.buyer.reference = "A".repeat(300);
    long.usage[2].description = "Averyverylongwordwithoutanyspaceinit".repeat(9);
    long.usage[3].description = "many short words in a row ".repeat(20);
    long.usage[4].scenario_words = "Unbreakable".repeat(30);
    long.items[0].description = "W".repeat(200);
    long.notes = vec!["Note ".repeat(300), "N".repeat(500)];
    long.payment.iban = "9".repeat(60);
    let huge = Exact("79228162514264.33759354".parse().expect("a decimal"));
    (long.usage[0].amount, long.totals.total, long.totals.rounding, long.totals.usage) =
        (huge, huge, huge, huge);
    long
}

/// Calls of an itemisation.
pub fn legs(count: u64) -> Vec<ItemisedLeg> {
    let scenarios = ["termination", "origination", "origination-to-pstn"];
    let leg = |number: u64| ItemisedLeg {
        start: format!(
            "2026-11-{:02}T{:02}:{:02}:00Z",
            number / 1440 % 30 + 1,
            number / 60 % 24,
            number % 60
        ),
        call_sid: format!("CA{number:032}"),
        from: "+493012345678".into(),
        to: format!("+4420794{:05}", number % 100_000),
        scenario: scenarios[usize::try_from(number % 3).expect("small")].into(),
        service: "termination".into(),
        description: "United Kingdom - Mobile".into(),
        duration_seconds: 61,
        billed_seconds: 120,
        amount: Exact(Decimal::new(i64::try_from(number % 977).expect("small"), 5)),
    };
    (0..count).map(leg).collect()
}

/// A document with each of its free texts replaced by what `text` makes of a running number; so
/// many were.
///
/// A text is free if a document with another one there is a document still: not a decimal, not one
/// of some words.
pub fn with_texts(document: &Document, text: impl Fn(usize) -> String) -> (Document, usize) {
    let mut value = serde_json::to_value(document).expect("plain data");
    let mut pointers = Vec::new();
    strings(&value, String::new(), &mut pointers);
    let mut replaced = 0;
    for pointer in pointers {
        let place = value.pointer_mut(&pointer).expect("it was found");
        let old = std::mem::replace(place, text(replaced).into());
        if serde_json::from_value::<Document>(value.clone()).is_ok() {
            replaced += 1;
        } else {
            *value.pointer_mut(&pointer).expect("it was found") = old;
        }
    }
    (serde_json::from_value(value).expect("a document"), replaced)
}

fn strings(value: &serde_json::Value, pointer: String, found: &mut Vec<String>) {
    match value {
        serde_json::Value::String(_) => found.push(pointer),
        serde_json::Value::Array(list) => {
            for (place, value) in list.iter().enumerate() {
                strings(value, format!("{pointer}/{place}"), found);
            }
        }
        serde_json::Value::Object(map) => {
            for (name, value) in map {
                strings(value, format!("{pointer}/{name}"), found);
            }
        }
        _ => {}
    }
}

/// Runs a judge of `tests/validators`, with a text on its stdin.
pub fn judge(script: &str, arguments: &[&Path], stdin: &str) -> (bool, serde_json::Value) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python: PathBuf = root.join("target/validators/venv/bin/python");
    assert!(python.exists(), "{} is missing; run `make validators`", python.display());
    let mut command = Command::new(&python);
    command.arg(root.join("tests/validators").join(script)).args(arguments);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python runs");
    child.stdin.take().expect("a pipe").write_all(stdin.as_bytes()).expect("it is read");
    let done = child.wait_with_output().expect("it ends");
    let errors = String::from_utf8_lossy(&done.stderr);
    let found = serde_json::from_slice(&done.stdout);
    (
        done.status.success(),
        found.unwrap_or_else(|e| panic!("{script}: {e}; run `make validators`, or see\n{errors}")),
    )
}
