//! Every way in which calls may come gives the same bytes; files that are no whole call file are
//! refused; a record that cannot be read is kept whole and costs no other.
//!
//! One small night is written in every form, plain, as `.gz` and as `.zst`, and its `export legs`
//! and `export calls` are compared with those of the plain CSV. The Parquet forms are in
//! `fixtures/formats`.

use crate::support::{DECK_HEADER, Done, Night};
use serde_json::{Value, json};
use std::io::Write;
use std::path::PathBuf;
use std::sync::OnceLock;

/// The fields of [`ROWS`].
const COLUMNS: [&str; 15] = [
    "sid",
    "parent_call_sid",
    "account_sid",
    "trunk_sid",
    "direction",
    "from",
    "to",
    "start_time",
    "end_time",
    "duration",
    "status",
    "price",
    "price_unit",
    "refer_to",
    "answer_time",
];

const TERM: &str = "trunking-terminating";
const ORIG: &str = "trunking-originating";
/// Holds every delimiter, and quotes.
const REFER_TO: &str = r#""Desk 3, north; or \"south\" | west" <sip:+13035550103@mytrunk.pstn.twilio.com;transport=tls>"#;

/// Two families, one of them over midnight, with a call that is free, one that is ignored, and odd
/// ids.
#[rustfmt::skip]
const ROWS: [[&str; 15]; 7] = [
    ["CA00050000000000000000000000000001", "", "AC1", "TK1", TERM, "+12025550101", "+14155550102",
        "2026-11-20T21:15:00Z", "2026-11-20T21:20:05Z", "300", "completed", "-0.05000", "USD", "", "2026-11-20T21:15:05Z"],
    ["CA00050000000000000000000000000002", "CA00050000000000000000000000000001", "AC1", "TK1", TERM, "+14155550102", "+13035550103",
        "2026-11-20T21:20:00Z", "2026-11-20T21:26:10Z", "370", "completed", "", "", REFER_TO, ""],
    ["CA00050000000000000000000000000003", "", "AC2", "", ORIG, "anonymous", "sip:+14155550102@public-vip.ie1.twilio.com",
        "2026-11-20T23:59:30Z", "2026-11-21T00:01:30Z", "120", "completed", "", "", "", ""],
    ["CA00050000000000000000000000000004", "CA00050000000000000000000000000003", "AC2", "", ORIG, "anonymous", "sip:Agent@pbx.example.com",
        "2026-11-21T00:01:30Z", "2026-11-21T00:02:31Z", "61", "completed", "", "", "", ""],
    ["CA00050000000000000000000000000005", "CA00050000000000000000000000000003", "AC2", "", ORIG, "anonymous", "+13035550103",
        "2026-11-21T00:01:00Z", "", "", "busy", "", "", "", ""],
    ["odd id 6", "", "AC1", "TK1", "inbound", "+12025550101", "+14155550102", "2026-11-20T21:15:00Z", "", "10", "completed", "", "", "", ""],
    ["odd id 7", "", "AC1", "TK1", TERM, "+12025550101", "+14155550107", "2026-11-20T21:15:00Z", "", "1", "completed", "", "", "", ""],
];

/// By hand: 5 × 0.0100, 7 × (0.0100 + 0.0100), 2 × 0.0034, 2 × 0.0034, 1 × 0.0100.
const TOTAL: &str = "0.21360";

// ---- the same night in every form

/// `export legs` and `export calls` of what is in the ledger.
fn exports(night: &Night) -> [String; 2] {
    ["legs", "calls"].map(|what| night.trunkrate(&["export", what, "--format", "csv"]).ok())
}

/// Rates one file; what it exports.
fn rated(name: &str, bytes: &[u8], more: &[&str]) -> [String; 2] {
    let night = Night::with_plain_deck();
    night.file(name, bytes);
    night.file("utc.toml", "[input]\ntimezone = \"UTC\"\n");
    let args = [&["run", "--cdrs", name, "--rates", "rates", "--format", "json"], more].concat();
    let summary = night.trunkrate(&args).json();
    assert_eq!(summary["amount"], json!({ "USD": TOTAL }), "{name}: {summary}");
    exports(&night)
}

/// What the plain CSV exports.
fn reference() -> &'static [String; 2] {
    static REFERENCE: OnceLock<[String; 2]> = OnceLock::new();
    REFERENCE.get_or_init(|| rated("calls.csv", &plain_csv(), &[]))
}

/// Holds a form of the night against the reference: plain, as gzip and as zstd.
fn check_same(name: &str, bytes: &[u8]) {
    for (ending, packed) in [("", bytes.to_vec()), (".gz", gzip(bytes)), (".zst", zstd(bytes))] {
        let name = format!("{name}{ending}");
        assert_eq!(&rated(&name, &packed, &[]), reference(), "{name}");
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(bytes).expect("bytes are packed");
    writer.finish().expect("bytes are packed")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut writer = zstd::Encoder::new(Vec::new(), 3).expect("an encoder");
    writer.include_checksum(true).expect("a checksum");
    writer.write_all(bytes).expect("bytes are packed");
    writer.finish().expect("bytes are packed")
}

/// The name of a column in a header.
type Name = fn(&str) -> String;

/// How a CSV file is written.
struct CsvForm {
    delimiter: u8,
    line_end: csv::Terminator,
    quote: csv::QuoteStyle,
    name: Name,
    /// The columns' order.
    order: fn(usize) -> usize,
    /// A column that is none of a call's, and its content.
    other: Option<(&'static str, &'static str)>,
}

const PLAIN: CsvForm = CsvForm {
    delimiter: b',',
    line_end: csv::Terminator::Any(b'\n'),
    quote: csv::QuoteStyle::Necessary,
    name: str::to_owned,
    order: |place| place,
    other: None,
};

fn csv_file(form: &CsvForm) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new()
        .delimiter(form.delimiter)
        .terminator(form.line_end)
        .quote_style(form.quote)
        .from_writer(Vec::new());
    let mut write = |fields: [&str; 15], other: Option<&str>| {
        let ordered = (0..fields.len()).map(|place| fields[(form.order)(place)]);
        writer.write_record(other.into_iter().chain(ordered)).expect("a record is written");
    };
    let header = COLUMNS.map(form.name);
    write(header.each_ref().map(String::as_str), form.other.map(|(name, _)| name));
    for row in ROWS {
        write(row, form.other.map(|(_, content)| content));
    }
    writer.into_inner().expect("a file is written")
}

fn plain_csv() -> Vec<u8> {
    csv_file(&PLAIN)
}

/// `parent_call_sid` as `ParentCallSid`.
fn pascal(name: &str) -> String {
    name.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

#[test]
fn csv_with_every_delimiter() {
    for (name, delimiter) in [
        ("comma.csv", b','),
        ("semicolon.csv", b';'),
        ("tab.tsv", b'\t'),
        ("tab.csv", b'\t'),
        ("bar.psv", b'|'),
    ] {
        check_same(name, &csv_file(&CsvForm { delimiter, ..PLAIN }));
    }
}

#[test]
fn csv_with_other_line_ends_quotes_and_a_byte_order_mark() {
    check_same("crlf.csv", &csv_file(&CsvForm { line_end: csv::Terminator::CRLF, ..PLAIN }));
    check_same("quoted.csv", &csv_file(&CsvForm { quote: csv::QuoteStyle::Always, ..PLAIN }));
    check_same("bom.csv", &[b"\xef\xbb\xbf", plain_csv().as_slice()].concat());
    let quoted_header = csv_file(&CsvForm {
        quote: csv::QuoteStyle::Always,
        delimiter: b';',
        line_end: csv::Terminator::CRLF,
        ..PLAIN
    });
    check_same("excel.csv", &[b"\xef\xbb\xbf", quoted_header.as_slice()].concat());
    let text = String::from_utf8(plain_csv()).expect("UTF-8");
    // What is compressed proves its own end.
    assert_eq!(
        &rated("no_last_line_end.csv.zst", &zstd(text.trim_end().as_bytes()), &[]),
        reference()
    );
    check_same("blank_lines.csv", text.replace('\n', "\n\n").as_bytes());
}

#[test]
fn csv_with_columns_of_other_names_orders_and_contents() {
    let names: [(&str, Name); 5] = [
        ("pascal.csv", pascal),
        ("spaced.csv", |name| name.replace('_', " ")),
        ("title.csv", |name| name.split('_').map(pascal).collect::<Vec<_>>().join(" ")),
        ("upper.csv", str::to_uppercase),
        ("padded.csv", |name| format!(" {name} ")),
    ];
    for (file, name) in names {
        check_same(file, &csv_file(&CsvForm { name, ..PLAIN }));
    }
    check_same("reversed.csv", &csv_file(&CsvForm { order: |place| 14 - place, ..PLAIN }));
    check_same("turned.csv", &csv_file(&CsvForm { order: |place| (place + 7) % 15, ..PLAIN }));
    for (file, content) in [
        ("line_ends.csv", "two\nlines"),
        ("crlf_inside.csv", "two\r\nlines"),
        ("quotes.csv", "a \"b\", c"),
        ("delimiters.csv", ",;\t|"),
    ] {
        check_same(file, &csv_file(&CsvForm { other: Some(("caller_name", content)), ..PLAIN }));
    }
}

/// A row as a JSON object: `null` for what is empty, an object for what is none of a call's.
fn object(row: &[&str; 15], name: Name) -> Value {
    let value = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
    let mut object: serde_json::Map<_, _> =
        COLUMNS.iter().zip(row).map(|(column, text)| (name(column), value(text))).collect();
    object.insert(
        "subresource_uris".to_owned(),
        json!({ "recordings": ["x", { "sid": "not a call's" }] }),
    );
    Value::Object(object)
}

fn objects(name: Name) -> Vec<Value> {
    ROWS.iter().map(|row| object(row, name)).collect()
}

/// One object per line.
fn json_lines(name: Name) -> String {
    let lines: Vec<String> = objects(name).iter().map(Value::to_string).collect();
    lines.join("\n") + "\n"
}

#[test]
fn json_in_every_shape() {
    let calls = objects(str::to_owned);
    let page = json!({ "end": 6, "page": 0, "next_page_uri": null, "calls": calls });
    let lines = json_lines(str::to_owned);
    // A duration as a number, and a text with escapes.
    let numbers =
        lines.replace("\"duration\":\"300\"", "\"duration\":300").replace("+1202", "\\u002b1202");
    let forms = [
        ("lines.jsonl", lines.clone()),
        ("lines.ndjson", lines.clone()),
        ("lines.json", lines.clone()),
        ("crlf.jsonl", lines.replace('\n', "\r\n")),
        ("blank_lines.jsonl", lines.replace('\n', "\n\n")),
        ("no_last_line_end.jsonl", lines.trim_end().to_owned()),
        ("numbers.jsonl", numbers),
        ("names.jsonl", json_lines(pascal)),
        ("page.json", page.to_string()),
        ("pretty_page.json", serde_json::to_string_pretty(&page).expect("JSON")),
        ("array.json", Value::Array(calls.clone()).to_string()),
        ("pretty_array.json", serde_json::to_string_pretty(&calls).expect("JSON")),
        ("bom_page.json", format!("\u{feff}{page}\n")),
    ];
    for (name, text) in forms {
        check_same(name, text.as_bytes());
    }
}

/// The bytes of a Parquet fixture.
fn parquet(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/formats").join(name);
    std::fs::read(path).expect("the fixture is there")
}

#[test]
fn parquet_with_every_type_of_column() {
    for name in ["strings.parquet", "timestamps.parquet", "milliseconds.parquet"] {
        check_same(name, &parquet(name));
    }
}

#[test]
fn times_without_an_offset_are_in_the_configured_zone() {
    let config = ["--config", "utc.toml"];
    let local = String::from_utf8(plain_csv())
        .expect("UTF-8")
        .replace("0Z", "0")
        .replace("1Z", "1")
        .replace("5Z", "5");
    let expected = rated("calls.csv", &plain_csv(), &config);
    assert_eq!(rated("local.csv", local.as_bytes(), &config), expected);
    assert_eq!(rated("local_times.parquet", &parquet("local_times.parquet"), &config), expected);
}

#[test]
fn folders_and_globs_of_mixed_forms() {
    // The rows of the night, shared out to four forms; each form starts with the header it needs.
    let line = |place: usize| format!("{}\n", object(&ROWS[place], str::to_owned));
    let csv = String::from_utf8(plain_csv()).expect("UTF-8");
    let csv_rows = |rows: std::ops::Range<usize>| {
        let lines: Vec<&str> = csv.lines().collect();
        format!("{}\n{}\n", lines[0], lines[1..][rows].join("\n"))
    };
    let night = Night::with_plain_deck();
    night.file("calls/deeper/1.csv", csv_rows(4..7));
    night.file("calls/2.csv.zst", zstd(csv_rows(1..2).as_bytes()));
    night.file("calls/3.jsonl.gz", gzip(format!("{}{}", line(0), line(2)).as_bytes()));
    night.file("calls/4.json", json!({ "calls": [object(&ROWS[3], str::to_owned)] }).to_string());
    night.file("calls/_SUCCESS", "");
    for path in ["calls", "calls/**/*.*", "call[s]"] {
        let ledger = format!("ledger {}", path.replace(['/', '*'], "-"));
        night.trunkrate(&["run", "--cdrs", path, "--rates", "rates", "--ledger", &ledger]).ok();
        let exports = ["legs", "calls"].map(|what| {
            night.trunkrate(&["export", what, "--format", "csv", "--ledger", &ledger]).ok()
        });
        assert_eq!(&exports, reference(), "{path}");
    }
}

#[test]
fn a_file_without_calls_is_a_call_file() {
    let header = format!("{}\n", COLUMNS.join(","));
    for (name, text) in
        [("header.csv", header.as_str()), ("page.json", r#"{"calls": []}"#), ("array.json", "[]")]
    {
        let night = Night::with_plain_deck();
        night.file(name, text);
        let summary = night
            .trunkrate(&["run", "--cdrs", name, "--rates", "rates", "--format", "json"])
            .json();
        assert_eq!((&summary["read"], &summary["legs"]), (&json!(0), &json!(0)), "{name}");
    }
}

// ---- files that are refused

/// Runs a good file beside a bad one: exit code 1, the message names the bad one, and nothing is
/// booked.
fn check_refused(name: &str, bytes: &[u8]) {
    let night = Night::with_plain_deck();
    night.file("a_good.csv", plain_csv());
    night.file(name, bytes);
    check_nothing_booked(
        &night,
        &night.trunkrate(&["run", "--cdrs", "a_good.csv", "--cdrs", name, "--rates", "rates"]),
        name,
    );
}

fn check_nothing_booked(night: &Night, done: &Done, name: &str) {
    assert_eq!(done.code, 1, "{name}: {done:?}");
    assert_eq!(done.stdout, "", "{name}");
    assert!(done.stderr.contains(name), "the message names {name}: {}", done.stderr);
    let runs = std::fs::read_dir(night.path().join("ledger/runs")).map_or(0, Iterator::count);
    assert_eq!(runs, 0, "{name}: the ledger has no run");
}

/// Cuts of a file, near its ends and within.
fn cuts(bytes: &[u8]) -> [usize; 9] {
    let n = bytes.len();
    [1, 4, 10, n / 4, n / 2, 3 * n / 4, n - 8, n - 4, n - 1]
}

#[test]
fn gzip_that_is_truncated_or_corrupt() {
    for (name, text) in [
        ("calls.csv.gz", plain_csv()),
        ("calls.jsonl.gz", json_lines(str::to_owned).into_bytes()),
        ("x.parquet.gz", parquet("strings.parquet")),
    ] {
        let whole = gzip(&text);
        for cut in cuts(&whole) {
            check_refused(name, &whole[..cut]);
        }
        // The checksum, the length, and a byte of the content.
        for at in [whole.len() - 8, whole.len() - 1, whole.len() / 2] {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x20;
            check_refused(name, &bytes);
        }
        check_refused(name, &[whole.as_slice(), b"more"].concat());
    }
}

#[test]
fn zstd_that_is_truncated_or_corrupt() {
    for (name, text) in [
        ("calls.csv.zst", plain_csv()),
        ("calls.jsonl.zst", json_lines(str::to_owned).into_bytes()),
    ] {
        let whole = zstd(&text);
        for cut in cuts(&whole) {
            check_refused(name, &whole[..cut]);
        }
        for at in [whole.len() - 1, whole.len() / 2] {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x20;
            check_refused(name, &bytes);
        }
    }
}

#[test]
fn parquet_and_json_documents_that_are_truncated() {
    let table = parquet("strings.parquet");
    for cut in cuts(&table) {
        check_refused("calls.parquet", &table[..cut]);
    }
    let page = json!({ "calls": objects(str::to_owned) }).to_string();
    let array = Value::Array(objects(str::to_owned)).to_string();
    for text in [page, array] {
        for cut in cuts(text.as_bytes()) {
            check_refused("calls.json", &text.as_bytes()[..cut]);
        }
    }
}

#[test]
fn files_that_are_no_call_files() {
    let asterisk = concat!(
        r#""","2025550101","4155550102","from-trunk","""Desk"" <2025550101>","SIP/101-00000002","","Hangup","","2026-11-20 21:15:16","#,
        r#""2026-11-20 21:15:16","2026-11-20 21:15:27",10,10,"ANSWERED","DOCUMENTATION","1795209316.4","""#,
        "\n"
    );
    let trunks = r#"{"trunks":[{"sid":"TK1","domain_name":"mytrunk.pstn.twilio.com","transfer_mode":"enable-all"}]}"#;
    let garbage: Vec<u8> = (0..=255).cycle().take(5000).collect();
    let utf_16: Vec<u8> = String::from_utf8(plain_csv())
        .expect("UTF-8")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let deck = format!("{DECK_HEADER}\nUS,United States,US,0.0100,,1,,,,,,,\n");
    let files: [(&str, &[u8]); 14] = [
        ("empty.csv", b""),
        ("blank.jsonl", b" \r\n\n"),
        ("packed_empty.csv.gz", &gzip(b"")),
        ("packed_empty.csv.zst", &zstd(b"")),
        ("letter.csv", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog >>\nendobj\n"),
        ("error.csv", b"<!DOCTYPE html>\n<html><head><title>403 Forbidden</title></head></html>\n"),
        ("error.json", br#"{"code": 20003, "message": "Authenticate", "status": 401}"#),
        ("garbage.csv", &garbage),
        ("utf_16.csv", &utf_16),
        ("asterisk.csv", asterisk.as_bytes()),
        ("trunks.json", trunks.as_bytes()),
        ("deck.csv", deck.as_bytes()),
        ("twice.csv", b"sid,SID,account_sid,status\nCA1,CA1,AC1,completed\n"),
        ("none.parquet", b"PAR1PAR1"),
    ];
    for (name, bytes) in files {
        check_refused(name, bytes);
    }
}

#[test]
fn paths_that_lead_nowhere() {
    for path in ["missing.csv", "missing/*.csv", "*.parquet", "nothing_in_it"] {
        let night = Night::with_plain_deck();
        night.file("a_good.csv", plain_csv());
        std::fs::create_dir(night.path().join("nothing_in_it")).expect("a folder is made");
        check_nothing_booked(
            &night,
            &night.trunkrate(&["run", "--cdrs", "a_good.csv", "--cdrs", path, "--rates", "rates"]),
            path,
        );
    }
}

// ---- records that cannot be read

const SHORT_HEADER: &str =
    "sid,parent_call_sid,account_sid,direction,from,to,start_time,duration,status,refer_to";

/// A call of one minute: 0.0100.
fn call(sid: &str, from: &str) -> String {
    format!("{sid},,AC1,{TERM},{from},+14155550102,2026-11-20T21:15:00Z,60,completed,")
}

/// Puts bytes in the place of `@`.
fn with_bytes(text: &str, bytes: &[u8]) -> Vec<u8> {
    let (before, after) = text.split_once('@').expect("a place for them");
    [before.as_bytes(), bytes, after.as_bytes()].concat()
}

/// Rates a file of which all calls are good but for some malformed ones on these lines; what waits.
fn check_malformed(name: &str, bytes: &[u8], good: u64, lines: &[u64]) -> (Night, Vec<Value>) {
    let night = Night::with_plain_deck();
    night.file(name, bytes);
    let summary =
        night.trunkrate(&["run", "--cdrs", name, "--rates", "rates", "--format", "json"]).json();
    assert_eq!(summary["rated"], good, "{name}: the good calls are rated");
    assert_eq!(
        summary["suspended_by_reason"],
        json!({ "malformed-record": lines.len() }),
        "{name}"
    );
    let waiting = night.trunkrate(&["suspense", "--format", "json"]).json();
    let waiting = waiting.as_array().expect("a list").clone();
    let found: Vec<u64> =
        waiting.iter().map(|row| row["source_line"].as_u64().expect("a line")).collect();
    assert_eq!(found, lines, "{name}");
    assert!(waiting.iter().all(|row| row["source_file"] == name));
    (night, waiting)
}

#[test]
fn broken_csv_records_wait_whole_and_cost_no_other() {
    let good = |number: u32| call(&format!("CA{number}"), "+12025550101");
    let long = call("CA2", &"x".repeat(100_000));
    let broken = [
        ("too_few.csv", "CA2,,AC1".to_owned()),
        ("too_many.csv", format!("{},more", good(2))),
        ("unclosed_quote.csv", call("CA2", "\"+12025550101")),
        ("text_after_quote.csv", call("CA2", "\"+1202\"5550101")),
        ("nul.csv", call("CA2", "+1202\0")),
        ("long.csv", long),
    ];
    for (name, broken) in broken {
        let text =
            [SHORT_HEADER.to_owned(), good(1), broken.clone(), good(3), good(4)].join("\n") + "\n";
        let (_, waiting) = check_malformed(name, text.as_bytes(), 3, &[3]);
        assert_eq!(waiting[0]["record"], broken.as_str(), "{name}: the record as it came");
    }
}

#[test]
fn broken_json_lines_wait_whole_and_cost_no_other() {
    let good = |sid: &str| {
        let call = json!({ "sid": sid, "parent_call_sid": null, "account_sid": "AC1", "direction": TERM, "from": "+12025550101", "to": "+14155550102",
            "start_time": "2026-11-20T21:15:00Z", "duration": "60", "status": "completed" });
        call.to_string()
    };
    let broken = [
        ("cut.jsonl", good("CA2")[..60].to_owned()),
        ("two_in_a_line.jsonl", format!("{} {}", good("CA2"), good("CA5"))),
        ("comma.jsonl", format!("{},", good("CA2"))),
        ("array.jsonl", "[1, 2]".to_owned()),
        ("word.jsonl", "null".to_owned()),
        ("object_for_text.jsonl", good("CA2").replace("\"+14155550102\"", "{\"number\":1}")),
        ("twice.jsonl", good("CA2").replace("\"to\"", "\"To\":\"x\",\"to\"")),
        ("nul.jsonl", good("CA2").replace("+1202", "\\u0000")),
        ("long.jsonl", good("CA2").replace("+1202", &"x".repeat(100_000))),
    ];
    for (name, broken) in broken {
        let text = [good("CA1"), broken.clone(), good("CA3")].join("\n");
        let (_, waiting) = check_malformed(name, text.as_bytes(), 2, &[2]);
        assert_eq!(waiting[0]["record"], broken.as_str(), "{name}: the record as it came");
    }
}

#[test]
fn a_text_that_is_no_utf_8_is_malformed() {
    let text = [
        SHORT_HEADER,
        &call("CA1", "+12025550101"),
        &call("CA2", "caf@"),
        &call("CA3", "+12025550101"),
    ]
    .join("\n")
        + "\n";
    check_malformed("latin_1.csv", &with_bytes(&text, b"\xe9"), 2, &[3]);
}

/// Rows of Parquet have the limits of the other readers.
#[test]
fn broken_parquet_rows_wait_as_broken_lines_do() {
    // The second row has a NUL, the third a field of 100 KB.
    check_malformed("broken.parquet", &parquet("broken.parquet"), 2, &[2, 3]);
}

/// A text that is no UTF-8 is kept with its bad bytes replaced; that does not make it a call.
#[test]
fn what_is_malformed_stays_so_in_later_runs() {
    let csv = |broken: &str| format!("{SHORT_HEADER}\n{broken}\n");
    let object = json!({ "sid": "CA2", "parent_call_sid": null, "account_sid": "AC1", "direction": TERM, "from": "caf@", "to": "+14155550102",
        "start_time": "2026-11-20T21:15:00Z", "duration": "60", "status": "completed" });
    let files = [
        ("too_many.csv", csv(&format!("{},more", call("CA2", "+12025550101"))).into_bytes()),
        ("unclosed_quote.csv", csv(&call("CA2", "\"+12025550101")).into_bytes()),
        ("nul.csv", csv(&call("CA2", "+1202\0")).into_bytes()),
        ("long.csv", csv(&call("CA2", &"x".repeat(100_000))).into_bytes()),
        ("latin_1.csv", with_bytes(&csv(&call("CA2", "caf@")), b"\xe9")),
        (
            "latin_1.jsonl",
            [
                object
                    .to_string()
                    .replace("CA2", "CA8")
                    .replace("caf@", "x")
                    .replace("completed", "busy")
                    .as_bytes(),
                b"\n",
                &with_bytes(&object.to_string(), b"\xe9"),
            ]
            .concat(),
        ),
    ];
    for (name, bytes) in files {
        let (night, _) = check_malformed(name, &bytes, 0, &[2]);
        night.file("calls.csv", csv(&call("CA9", "+12025550101")));
        let later = night.run(&[]);
        assert_eq!(
            (&later["retried"], &later["rated"]),
            (&json!(1), &json!(1)),
            "{name}: only the new call is rated"
        );
        assert_eq!(later["suspended_by_reason"], json!({ "malformed-record": 1 }), "{name}");
    }
}

/// Empty columns at the end are columns too, also between tabs.
#[test]
fn a_record_that_waits_is_read_again_as_it_came() {
    // A child that comes a run before its parent; its last columns are empty.
    let child = format!("CA2,CA1,AC1,{TERM},,+13035550103,2026-11-20T21:16:00Z,60,completed,");
    for (name, delimiter) in [("a.csv", ","), ("b.csv", ";"), ("c.csv", "|"), ("d.tsv", "\t")] {
        let night = Night::with_plain_deck();
        let text = format!("{SHORT_HEADER}\n{child}\n").replace(',', delimiter);
        night.file(name, text);
        let summary = night
            .trunkrate(&["run", "--cdrs", name, "--rates", "rates", "--format", "json"])
            .json();
        assert_eq!(summary["suspended_by_reason"], json!({ "parent-missing": 1 }), "{name}");
        let waiting = night.trunkrate(&["suspense", "--format", "json"]).json();
        assert_eq!(waiting[0]["call_sid"], "CA2", "{name}");
        assert_eq!(
            waiting[0]["record"],
            child.replace(',', delimiter),
            "{name}: the record as it came"
        );
        night.file("calls.csv", format!("{SHORT_HEADER}\n{}\n", call("CA1", "+12025550101")));
        let later = night.run(&[]);
        assert_eq!(
            (&later["rated"], &later["suspended"]),
            (&json!(2), &json!(0)),
            "{name}: {later}"
        );
    }
}
