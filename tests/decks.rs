//! Decks: what is refused, with its line and a way out; and which row prices a call.

use crate::support::{DECK_HEADER, Night};
use serde_json::Value;

const TOML: &str = "name = \"test\"\ncurrency = \"USD\"\n";
const PUBLISHED: &str =
    "ISO,Country,Description,Price / min,Origination Prefixes,Destination Prefixes";
const GOOD: &str = "US,United States,US,0.0100,,1";

/// What `rates check` says of a deck that is refused: the whole of stderr.
#[track_caller]
fn refusal(files: &[(&str, &[u8])]) -> String {
    let night = Night::new();
    for (name, text) in files {
        night.file(&format!("rates/{name}"), text);
    }
    let done = night.trunkrate(&["rates", "check", "rates"]);
    assert_eq!((done.code, done.stdout.as_str()), (1, ""), "{}", done.stderr);
    done.stderr
}

/// Cells of a row beside `US,United States,US`, in the order of [`DECK_HEADER`].
#[derive(Clone, Copy, Default)]
struct Cells {
    price: &'static str,
    origins: &'static str,
    destinations: &'static str,
    service: &'static str,
    /// Initial, increment, minimum.
    seconds: [&'static str; 3],
    fee: &'static str,
    effective: [&'static str; 2],
}

const ROW: Cells = Cells {
    price: "0.01",
    origins: "",
    destinations: "1",
    service: "",
    seconds: ["", "", ""],
    fee: "",
    effective: ["", ""],
};

impl Cells {
    fn line(&self) -> String {
        let Self {
            price,
            origins,
            destinations,
            service,
            seconds: [initial, increment, minimum],
            fee,
            effective: [from, to],
        } = self;
        format!(
            "US,United States,US,{price},\"{origins}\",\"{destinations}\",{service},{initial},{increment},{minimum},{fee},{from},{to}\n"
        )
    }
}

fn rows(rows: &[Cells]) -> String {
    format!("{DECK_HEADER}\n{}", rows.iter().map(Cells::line).collect::<String>())
}

// ---- refusals
// ---------------------------------------------------------------------------------------------------

#[test]
fn two_answers_are_refused_and_both_lines_named() {
    let dearer = Cells { price: "0.02", ..ROW };
    let cases = [
        ([ROW, dearer], "destination 1 from any origin"),
        ([ROW, Cells { service: "TERMINATION", ..dearer }], "destination 1 from any origin"),
        ([ROW, Cells { seconds: ["", "30", ""], ..ROW }], "destination 1 from any origin"),
        ([ROW, Cells { seconds: ["", "", "6"], ..ROW }], "destination 1 from any origin"),
        ([ROW, Cells { fee: "0.1", ..ROW }], "destination 1 from any origin"),
        (
            [
                Cells { origins: "30, 44", destinations: "1, 12", ..ROW },
                Cells { origins: "44, 45", destinations: "13, 12", ..dearer },
            ],
            "destination 12 from origin 44",
        ),
        (
            [
                Cells { destinations: "emergency", ..ROW },
                Cells { destinations: "Emergency", ..dearer },
            ],
            "destination emergency from any origin",
        ),
        (
            [
                Cells { effective: ["", "2026-11-02"], ..ROW },
                Cells { effective: ["2026-11-01T23:59:59Z", ""], ..dearer },
            ],
            "destination 1 from any origin",
        ),
    ];
    for (pair, what) in cases {
        let expected = format!(
            "error: rates/p.csv:2: gives two answers for {what}: p.csv:2 and p.csv:3 are in force at once on other terms\n\
             hint: end one with `Effective To`, or drop the prefix from one of the two lists\n"
        );
        assert_eq!(
            refusal(&[("deck.toml", TOML.as_bytes()), ("p.csv", rows(&pair).as_bytes())]),
            expected
        );
    }
    let [a, b] = [rows(&[ROW]), rows(&[Cells { destinations: "44", ..ROW }, dearer])];
    let message = refusal(&[
        ("deck.toml", TOML.as_bytes()),
        ("b.csv", b.as_bytes()),
        ("a.csv", a.as_bytes()),
    ]);
    let expected = "error: rates/a.csv:2: gives two answers for destination 1 from any origin: a.csv:2 and b.csv:3 are in force";
    assert!(message.starts_with(expected), "{message}");
}

#[test]
fn one_answer_is_taken() {
    let dearer = Cells { price: "0.02", ..ROW };
    let pairs = [
        [ROW, ROW],
        [ROW, Cells { service: "origination", ..dearer }],
        [ROW, Cells { origins: "44", ..dearer }],
        [Cells { origins: "44", ..ROW }, Cells { origins: "441", ..dearer }],
        [ROW, Cells { destinations: "12", ..dearer }],
        [
            Cells { effective: ["", "2026-11-01"], ..ROW },
            Cells { effective: ["2026-11-01", ""], ..dearer },
        ],
    ];
    for pair in pairs {
        let night = Night::new();
        night.file("rates/deck.toml", TOML);
        night.file("rates/p.csv", rows(&pair));
        night.trunkrate(&["rates", "check", "rates"]).ok();
    }
}

#[test]
fn a_row_that_is_not_understood_is_refused_with_its_line() {
    let price = |price| Cells { price, ..ROW };
    let destinations = |destinations| Cells { destinations, ..ROW };
    let origins = |origins| Cells { origins, ..ROW };
    let seconds = |seconds| Cells { seconds, ..ROW };
    let effective = |effective| Cells { effective, ..ROW };
    let cases = [
        (
            price(""),
            "Price / min: the price is missing; expected a plain decimal number such as 0.0100",
        ),
        (price("-0.01"), "Price / min: `-0.01` is negative; a price is zero or more"),
        (
            price("\"0,01\""),
            "Price / min: `0,01` is no price; expected a plain decimal number such as 0.0100",
        ),
        (
            price("1e-2"),
            "Price / min: `1e-2` is no price; expected a plain decimal number such as 0.0100",
        ),
        (price("0.00000000001"), "Price / min: `0.00000000001` has more than 10 decimals"),
        (price("100000000"), "Price / min: `100000000` is too large; a price is below 100000000"),
        (Cells { fee: "-1", ..ROW }, "Connection Fee: `-1` is negative; a price is zero or more"),
        (
            destinations(""),
            "Destination Prefixes: the list is empty; expected digits without +\nhint: write the prefixes of the numbers that the row prices, such as 4915, or the word emergency",
        ),
        (
            destinations("+44"),
            "Destination Prefixes: `+44` is no number prefix; expected 1 to 15 digits without +\nhint: write 44: prefixes are digits alone",
        ),
        (
            destinations("44, 4x"),
            "Destination Prefixes: `4x` is no number prefix; expected 1 to 15 digits without +\nhint: write the digits that the numbers start with, such as 4915",
        ),
        (
            destinations("44, , 45"),
            "Destination Prefixes: `` is no number prefix: the list has an empty item\nhint: write prefixes with one comma between, and none before the first or after the last",
        ),
        (
            destinations("ALL"),
            "Destination Prefixes: `ALL` is no number prefix; expected 1 to 15 digits without +\nhint: ALL stands alone in its list, and only among origins, where it means any; write the prefixes",
        ),
        (
            destinations("1234567890123456"),
            "Destination Prefixes: `1234567890123456` is no number prefix; expected 1 to 15 digits without +\nhint: write at most 15 digits: no number has more",
        ),
        (
            origins("GB"),
            "Origination Prefixes: `GB` is no number prefix; expected 1 to 15 digits without +\nhint: write the digits that the numbers start with, such as 4915",
        ),
        (
            origins("44, ALL"),
            "Origination Prefixes: `ALL` is no number prefix; expected 1 to 15 digits without +\nhint: ALL stands alone in its list, and only among origins, where it means any; write the prefixes",
        ),
        (seconds(["", "0", ""]), "an increment of 0 s would never end; expected 1 or more"),
        (seconds(["-6", "", ""]), "Initial Increment: `-6` is no whole number of seconds"),
        (seconds(["", "", "1.5"]), "Minimum: `1.5` is no whole number of seconds"),
        (seconds(["86401", "", ""]), "86401 s is longer than a day; expected at most 86400"),
        (seconds(["", "99999999999", ""]), "Increment: `99999999999` is too large"),
        (
            effective(["2026-02-30", ""]),
            "Effective From: `2026-02-30` is neither a date (2026-01-31) nor an instant with an offset",
        ),
        (
            effective(["", "01/02/2026"]),
            "Effective To: `01/02/2026` is neither a date (2026-01-31) nor an instant with an offset",
        ),
        (
            effective(["", "2026-01-01T00:00:00"]),
            "Effective To: `2026-01-01T00:00:00` is neither a date (2026-01-31) nor an instant with an offset",
        ),
        (
            effective(["2026-02-02", "2026-02-01"]),
            "Effective To is not after Effective From: the row would never be in force",
        ),
        (
            effective(["2026-02-02", "2026-02-02"]),
            "Effective To is not after Effective From: the row would never be in force",
        ),
        (
            Cells { service: "inbound", ..ROW },
            "Service: `inbound` is neither termination nor origination",
        ),
    ];
    for (row, expected) in cases {
        let file = rows(&[Cells { destinations: "44", ..ROW }, row]);
        let message = refusal(&[("deck.toml", TOML.as_bytes()), ("p.csv", file.as_bytes())]);
        assert_eq!(message, format!("error: rates/p.csv:3: {expected}\n"));
    }
    let file = format!("{PUBLISHED}\n{GOOD}, 44\n");
    let expected = "error: rates/p.csv:2: has 7 columns, expected 6\nhint: a list of prefixes with commas needs quotes\n";
    assert_eq!(refusal(&[("deck.toml", TOML.as_bytes()), ("p.csv", file.as_bytes())]), expected);
}

/// The CSV reader gives the place before the blank lines that it skips.
#[test]
fn a_row_after_a_blank_line_is_named_by_its_own_line() {
    let file = format!("{PUBLISHED}\n{GOOD}\n\n{}\n", GOOD.replace("0.0100", "-1"));
    let message = refusal(&[("deck.toml", TOML.as_bytes()), ("p.csv", file.as_bytes())]);
    assert_eq!(
        message,
        "error: rates/p.csv:4: Price / min: `-1` is negative; a price is zero or more\n"
    );
}

#[test]
fn a_file_that_is_not_understood_is_refused() {
    let columns = format!(
        "hint: expected {PUBLISHED} and, if wanted, \
         Service,Initial Increment,Increment,Minimum,Connection Fee,Effective From,Effective To\n"
    );
    let with_hint = |message: &str| format!("error: {message}\n{columns}");
    let good = format!("{PUBLISHED}\n{GOOD}\n");
    let latin = [good.as_bytes(), b"CI,C\xf4te,x,0.1,,225\n"].concat();
    let cases: [(Vec<u8>, String); 7] = [
        (format!("{PUBLISHED},Prize\n{GOOD},1\n").into(), with_hint("rates/p.csv:1: has an unknown column `Prize`")),
        (good.replace("Price / min,", "").into(), with_hint("rates/p.csv:1: has no column `Price / min`")),
        (good.replace(",Destination Prefixes", "").into(), with_hint("rates/p.csv:1: has no column `Destination Prefixes`")),
        (format!("{PUBLISHED},price/MIN\n{GOOD},1\n").into(), "error: rates/p.csv:1: has the column `price/MIN` twice\n".into()),
        (Vec::new(), with_hint("rates/p.csv: is empty")),
        (format!("{PUBLISHED}\n").into(), "error: rates: has no row\n".into()),
        (
            latin,
            "error: rates/p.csv:3: cannot be read: CSV parse error: record 2 (line 3, field: 1, byte: 108): \
             invalid utf-8: invalid UTF-8 in field 1 near byte index 1\n"
                .into(),
        ),
    ];
    for (file, expected) in &cases {
        assert_eq!(refusal(&[("deck.toml", TOML.as_bytes()), ("p.csv", file)]), *expected);
    }
    let missing = "error: rates/deck.toml: is missing: the currency of these prices is not said\n\
                   hint: write one with name = \"…\" and currency = \"USD\"\n";
    assert_eq!(refusal(&[("p.csv", good.as_bytes())]), missing);
    assert_eq!(refusal(&[("deck.toml", TOML.as_bytes())]), "error: rates: has no row\n");
    let nothing = "error: rates: has no deck: no CSV file in it, nor in the folders below\n\
                   hint: a deck is deck.toml and CSV files under the carrier's price list header\n";
    assert_eq!(refusal(&[("README.md", b"x")]), nothing);
}

#[test]
fn a_deck_toml_that_is_not_understood_is_refused() {
    let cases = [
        ("name = \"x\"\n", ":1: missing field `currency`"),
        ("currency = \"USX\"\n", ": `USX` is no currency of ISO 4217; expected a code such as USD"),
        (
            "currency = \"USD\"\nconnection_fee = 0.01\n",
            ":2: invalid type: floating point `0.01`, expected a string",
        ),
        (
            "currency = \"USD\"\nconnection_fee = 0\n",
            ":2: invalid type: integer `0`, expected a string",
        ),
        (
            "currency = \"USD\"\nconnection_fee = \"-1\"\n",
            ": connection_fee: `-1` is negative; a price is zero or more",
        ),
        (
            "currency = \"USD\"\n\nincrements = 6\n",
            ":3: unknown field `increments`, expected one of `name`, `currency`, `initial_increment`, `increment`, `minimum`, `connection_fee`",
        ),
        (
            "currency = \"USD\"\nincrement = 0\n",
            ": an increment of 0 s would never end; expected 1 or more",
        ),
        ("currency = \"USD\"\nminimum = -1\n", ":2: invalid value: integer `-1`, expected u32"),
        (
            "currency = \"USD\"\ninitial_increment = 1.5\n",
            ":2: invalid type: floating point `1.5`, expected u32",
        ),
        ("currency = \"USD\"\nincrement 60\n", ":2: key with no value, expected `=`"),
    ];
    let file = format!("{PUBLISHED}\n{GOOD}\n");
    for (toml, expected) in cases {
        let message = refusal(&[("deck.toml", toml.as_bytes()), ("p.csv", file.as_bytes())]);
        let first = message.lines().next().unwrap_or_default();
        assert_eq!(first, format!("error: rates/deck.toml{expected}"));
    }
    let bare = refusal(&[
        ("deck.toml", b"currency = \"USD\"\nconnection_fee = 0.01\n"),
        ("p.csv", file.as_bytes()),
    ]);
    assert!(
        bare.ends_with("hint: money is written as a string: connection_fee = \"0.01\"\n"),
        "{bare}"
    );
    let both = ["a/deck.toml", "b/deck.toml"].map(|name| (name, TOML.as_bytes()));
    let both =
        refusal(&[both[0], both[1], ("a/p.csv", file.as_bytes()), ("b/p.csv", file.as_bytes())]);
    assert!(
        both.starts_with("error: rates/b/deck.toml: has the name `test`, as the deck in `a` has\n"),
        "{both}"
    );
}

#[test]
fn an_account_list_that_is_not_understood_is_refused() {
    let cases = [
        (
            "account_sid,name,deck\nAC1,One,\nAC2,Two,wholesale\n",
            "accounts.csv:3: the account AC2 names the deck `wholesale`, which rates does not have\nhint: decks there: rates\n",
        ),
        (
            "account_sid,name\nAC1,One\nAC2,Two\nAC1,Again\n",
            "accounts.csv:4: lists the account AC1 twice, first in line 2\n",
        ),
        ("account_sid,name\n,Nobody\n", "accounts.csv:2: account_sid is empty\n"),
        (
            "name,deck\nOne,\n",
            "accounts.csv:1: has no column `account_sid`\nhint: expected account_sid,name,deck and what an invoice needs\n",
        ),
    ];
    for (accounts, expected) in cases {
        let night = Night::with_plain_deck();
        night.calls(&[]);
        night.file("accounts.csv", accounts);
        let done = night.trunkrate(&[
            "run",
            "--cdrs",
            "calls.csv",
            "--rates",
            "rates",
            "--accounts",
            "accounts.csv",
        ]);
        assert_eq!((done.code, done.stderr.as_str()), (1, format!("error: {expected}").as_str()));
        assert!(!night.path().join("ledger/runs").exists(), "nothing was booked");
    }
}

// ---- which row wins
// ---------------------------------------------------------------------------------------------

/// Asks a deck of these rows; the winner's line, or 0.
fn winner(night: &Night, question: &[&str]) -> u64 {
    let answer = night
        .trunkrate(&[&["rates", "lookup", "rates", "--format", "json"], question].concat())
        .json();
    let wins = |row: &&Value| row["wins"] == true;
    let rows = answer[0]["rows"].as_array().expect("rows");
    assert!(rows.iter().filter(wins).count() <= 1, "{answer:#}");
    rows.iter().find(wins).map_or(0, |row| row["deck_line"].as_u64().expect("a line"))
}

#[test]
fn the_origin_is_looked_at_first() {
    let night = Night::new();
    night.file("rates/deck.toml", TOML);
    let list = [
        ROW,                                                        // line 2
        Cells { destinations: "1202", origins: "44, 442", ..ROW },  // 3
        Cells { destinations: "1202", origins: "44207", ..ROW },    // 4
        Cells { destinations: "12, 13", origins: "ALL", ..ROW },    // 5
        Cells { destinations: "emergency", price: "0.75", ..ROW },  // 6
        Cells { destinations: "emergency", origins: "44", ..ROW },  // 7
        Cells { destinations: "911", ..ROW },                       // 8
        Cells { destinations: "1", service: "origination", ..ROW }, // 9
        Cells { destinations: "4", effective: ["2026-11-01", "2026-12-01T12:00:00+02:00"], ..ROW }, // 10
    ];
    night.file("rates/p.csv", rows(&list));
    let cases: [(&[&str], u64); 18] = [
        (&["+12025550101"], 5),
        (&["+12025550101", "--from", "+12125550100"], 5),
        (&["+12025550101", "--from", "+447700900123"], 3),
        (&["+12025550101", "--from", "+442079460103"], 4),
        (&["+12025550101", "--from", "+443000000000"], 3),
        (&["+13025550101"], 5),
        (&["+14155550100"], 2),
        (&["+5511955550100"], 0),
        (&["+12025550101", "--service", "origination"], 9),
        (&["911"], 6),
        (&["933"], 6),
        (&["911", "--from", "+447700900123"], 7),
        (&["911", "--service", "origination"], 0),
        (&["+911123456789"], 8),
        // From is inclusive, to is exclusive.
        (&["+442079460103", "--at", "2026-10-31T23:59:59.999999Z"], 0),
        (&["+442079460103", "--at", "2026-11-01"], 10),
        (&["+442079460103", "--at", "2026-12-01T09:59:59.999999Z"], 10),
        (&["+442079460103", "--at", "2026-12-01T10:00:00Z"], 0),
    ];
    for (question, line) in cases {
        assert_eq!(winner(&night, question), line, "{question:?}");
    }
}

/// The Belgian rows of the example deck: `32455` is only for callers from the EEA, `32` for all.
#[test]
fn lookups_name_the_winner_and_why_the_others_lost() {
    let rates = concat!(env!("CARGO_MANIFEST_DIR"), "/rates");
    let night = Night::new();
    let lookup = |question: &[&str]| {
        night
            .trunkrate(&[&["rates", "lookup", rates, "--at", "2026-11-20"], question].concat())
            .ok()
    };
    let questions: [(&str, &[&str]); 4] = [
        ("belgium_from_the_us", &["+32455501234", "--a", "+12025550101"]),
        ("belgium_from_the_eea", &["+32455501234", "--a", "+442079460103"]),
        ("no_row", &["+850212345678"]),
        ("origination", &["+14155550100", "--service", "origination", "--format", "json"]),
    ];
    insta::with_settings!({ snapshot_path => "snapshots/decks", prepend_module_to_snapshot => false, omit_expression => true }, {
        for (name, question) in questions {
            insta::assert_snapshot!(name, lookup(question));
        }
    });
}

#[test]
fn a_lookup_that_makes_no_sense_is_a_usage_error() {
    let night = Night::with_plain_deck();
    let cases: [(&[&str], &str); 4] = [
        (&["4155550100"], "4155550100: expected + and 7 to 15 digits, or 911"),
        (&["+14155550100", "--from", "anonymous"], "--a anonymous: expected + and 7 to 15 digits"),
        (
            &["+14155550100", "--service", "inbound"],
            "invalid value 'inbound' for '--service <SERVICE>'\n  \
             [possible values: termination, origination]",
        ),
        (
            &["+14155550100", "--at", "noon"],
            "--at noon: expected a date or an instant with an offset",
        ),
    ];
    for (question, expected) in cases {
        let done = night.trunkrate(&[&["rates", "lookup", "rates"], question].concat());
        let expected = format!("error: {expected}\n");
        assert!(done.code == 2 && done.stderr.starts_with(&expected), "{}", done.shown());
    }
}

// ---- through a run
// ----------------------------------------------------------------------------------------------

/// The legs of a ledger: billed seconds, price, fee, deck, line, currency, amount.
fn legs(night: &Night) -> Vec<String> {
    let export = night.trunkrate(&["export", "legs"]).ok();
    let mut reader = csv::Reader::from_reader(export.as_bytes());
    let columns = [
        "billed_seconds",
        "price_per_minute",
        "connection_fee",
        "deck",
        "deck_file",
        "deck_line",
        "currency",
        "amount",
    ];
    let shown = |row: std::collections::BTreeMap<String, String>| {
        columns.map(|name| row[name].clone()).join(" ")
    };
    reader.deserialize().map(|row| shown(row.expect("a row"))).collect()
}

/// 90/60: 91 s bill 150 s; 30/6: 91 s bill 96 s; 0/1 with a minimum of 100 s bill 100 s. A blank
/// cell is `deck.toml`'s.
#[test]
fn each_row_has_its_own_increments_and_fee() {
    let night = Night::new();
    night.file(
        "rates/deck.toml",
        format!("{TOML}initial_increment = 90\nconnection_fee = \"0.0002\"\n"),
    );
    let list = [
        ROW,
        Cells { destinations: "44", seconds: ["30", "6", ""], fee: "0", ..ROW },
        Cells { destinations: "49", seconds: ["0", "1", "100"], fee: "0.5", ..ROW },
    ];
    night.file("rates/p.csv", rows(&list));
    let call = |sid: &str, to: &str| {
        format!(
            "{sid},,AC1,,trunking-terminating,+12025550101,{to},2026-11-20T21:00:00Z,,91,completed"
        )
    };
    night.calls(&[
        &call("CA1", "+14155550100"),
        &call("CA2", "+442079460103"),
        &call("CA3", "+4930123456"),
    ]);
    night.run(&[]);
    // 0.0002 + 0.01 × 150 / 60 = 0.0252; 0.01 × 96 / 60 = 0.016; 0.5 + 0.01 × 100 / 60 = 0.5166666…
    let expected = [
        "150 0.0100 0.0002 test p.csv 2 USD 0.02520",
        "96 0.0100 0.0000 test p.csv 3 USD 0.01600",
        "100 0.0100 0.5000 test p.csv 4 USD 0.51667",
    ];
    assert_eq!(legs(&night), expected);
}

#[test]
fn an_emergency_call_is_priced_by_its_own_row() {
    let night = Night::new();
    night.file("rates/deck.toml", TOML);
    night.file(
        "rates/p.csv",
        rows(&[
            ROW,
            Cells { destinations: "911, 9", price: "9", ..ROW },
            Cells { destinations: "emergency", price: "0.75", ..ROW },
        ]),
    );
    let call = |sid: &str, to: &str| {
        format!(
            "{sid},,AC1,,trunking-terminating,+12025550101,{to},2026-11-20T21:00:00Z,,61,completed"
        )
    };
    night.calls(&[
        &call("CA1", "911"),
        &call("CA2", "tel:9-3-3"),
        &call("CA3", "sip:+911@x.pstn.twilio.com"),
    ]);
    night.run(&[]);
    assert_eq!(legs(&night), vec!["120 0.7500 0.0000 test p.csv 4 USD 1.50000"; 3]);
}

/// An account is priced by the deck that it names, by folder or by name; else by `default`.
#[test]
fn accounts_choose_their_decks() {
    let night = Night::new();
    for (folder, currency, price) in
        [("default", "USD", "0.01"), ("whole", "EUR", "0.02"), ("yen", "JPY", "3")]
    {
        night.file(
            &format!("rates/{folder}/deck.toml"),
            format!("name = \"{folder}-2026\"\ncurrency = \"{currency}\"\n"),
        );
        night.file(&format!("rates/{folder}/p.csv"), rows(&[Cells { price, ..ROW }]));
    }
    night.file(
        "accounts.csv",
        "account_sid,name,deck,city\nAC2,Two,whole,Bonn\nAC3,Three,yen-2026,Kobe\nAC4,Four,,Rome\n",
    );
    let call = |n: u32| {
        format!(
            "CA{n},,AC{n},,trunking-terminating,+12025550101,+14155550100,2026-11-20T21:00:00Z,,60,completed"
        )
    };
    let calls: Vec<String> = (1..=4).map(call).collect();
    night.calls(&calls.iter().map(String::as_str).collect::<Vec<_>>());
    let summary = night.run(&["--accounts", "accounts.csv"]);
    assert_eq!(
        summary["amount"],
        serde_json::json!({"EUR": "0.02000", "JPY": "3.00000", "USD": "0.02000"})
    );
    let expected = [
        "60 0.0100 0.0000 default-2026 default/p.csv 2 USD 0.01000",
        "60 0.0200 0.0000 whole-2026 whole/p.csv 2 EUR 0.02000",
        "60 3.0000 0.0000 yen-2026 yen/p.csv 2 JPY 3.00000",
        "60 0.0100 0.0000 default-2026 default/p.csv 2 USD 0.01000",
    ];
    assert_eq!(legs(&night), expected);
}

/// With several decks and none called `default`, an account that names none has no price.
#[test]
fn no_deck_is_guessed_for_an_account() {
    let night = Night::new();
    for folder in ["one", "two"] {
        night.file(&format!("rates/{folder}/deck.toml"), "currency = \"USD\"\n");
        night.file(&format!("rates/{folder}/p.csv"), rows(&[ROW]));
    }
    night.calls(&["CA1,,AC1,,trunking-terminating,+12025550101,+14155550100,2026-11-20T21:00:00Z,,60,completed"]);
    assert_eq!(night.run(&[])["suspended_by_reason"], serde_json::json!({"no-rate": 1}));
    let detail = night.trunkrate(&["suspense", "--format", "json"]).json()[0]["detail"].clone();
    assert_eq!(
        detail,
        "no deck prices this account: it names none, and there is no deck `default`"
    );
}

/// The example deck: termination to the US 0.0100, origination of a US number 0.0034, full minutes.
/// 300 s are 5 minutes, 370 s are 7.
#[test]
fn the_example_deck_gives_the_acceptance_numbers() {
    let rates = concat!(env!("CARGO_MANIFEST_DIR"), "/rates/default");
    let (a, b, c) = ("+12025550101", "+14155550102", "+13035550103");
    let cases = [
        ("trunking-terminating", "sip:bob@pbx.example.com", "0.12000"), // 5 × 0.0100 + 7 × 0.0100
        ("trunking-terminating", c, "0.19000"), // 5 × 0.0100 + 7 × 0.0100 + 7 × 0.0100
        ("trunking-originating", "sip:bob@pbx.example.com", "0.04080"), // 5 × 0.0034 + 7 × 0.0034
        ("trunking-originating", c, "0.11080"), // 5 × 0.0034 + 7 × 0.0034 + 7 × 0.0100
    ];
    for (direction, target, total) in cases {
        let night = Night::new();
        let parent = format!("CA1,,AC1,,{direction},{a},{b},2026-11-20T21:15:00Z,,300,completed");
        let child = format!("CA2,CA1,AC1,,,,{target},2026-11-20T21:20:00Z,,370,completed");
        night.calls(&[&parent, &child]);
        let summary = night
            .trunkrate(&["run", "--cdrs", "calls.csv", "--rates", rates, "--format", "json"])
            .json();
        assert_eq!(summary["amount"]["USD"], total, "{direction} {target}");
    }
}
