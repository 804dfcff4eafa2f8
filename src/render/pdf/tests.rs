//! Tests of PDFs as other programs read them: poppler, and veraPDF (`make pdfa`).

use super::*;
use crate::document::build::{self, samples};
use crate::document::{Exact, Kind, TaxCategory};
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use rust_decimal::Decimal;
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

/// The output of a poppler program for a file.
fn poppler(program: &str, arguments: &[&str], pdf: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.pdf");
    std::fs::write(&file, pdf).unwrap();
    let mut command = Command::new(program);
    command.current_dir(folder.path()).args(arguments).arg(&file);
    if program == "pdftotext" {
        command.arg("-");
    }
    let output =
        command.output().unwrap_or_else(|e| panic!("{program}: {e}; install poppler-utils"));
    let saved = std::fs::read_to_string(folder.path().join("saved")).unwrap_or_default();
    saved + &String::from_utf8_lossy(&output.stdout)
}

/// A file's text without white space, since line breaks depend on the layout.
fn text(pdf: &[u8]) -> String {
    squeezed(&poppler("pdftotext", &["-raw", "-enc", "UTF-8"], pdf))
}

fn squeezed(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '\u{200b}')).collect()
}

fn has(pdf: &[u8], bytes: &str) -> bool {
    memchr::memmem::find(pdf, bytes.as_bytes()).is_some()
}

fn printer() -> Printer {
    Printer::new(None, None).unwrap()
}

#[test]
fn same_document_same_bytes_on_any_thread() {
    let printer = printer();
    let make = || {
        let of = |(_, document, legs): (_, Document, Option<Vec<ItemisedLeg>>)| {
            printer.pdf(&document, legs.as_deref(), Some("<a/>")).unwrap()
        };
        documents().into_iter().filter(|(name, ..)| *name != "large").map(of).collect::<Vec<_>>()
    };
    let first = make();
    let (second, third) = rayon::join(make, make);
    assert_eq!(first, second);
    assert_eq!(first, third);
    // Many at once: no thread may start another document while it waits for parts of its own.
    let same = (0..200)
        .into_par_iter()
        .map(|_| printer.pdf(&documents()[1].1, None, Some("<a/>")).unwrap());
    assert!(same.all(|pdf| pdf == first[1]));
    let with_another =
        Printer::new(None, None).unwrap().pdf(&documents()[0].1, None, Some("<a/>")).unwrap();
    assert_eq!(first[0], with_another);
}

#[test]
fn every_value_is_in_the_text_as_it_is_in_json() {
    let printer = printer();
    for (name, document, legs) in documents() {
        if name == "hostile" {
            continue;
        }
        let shown = text(&printer.pdf(&document, legs.as_deref(), None).unwrap());
        let json = serde_json::to_value(&document).unwrap();
        let mut found = 0;
        let mut look = |value: &Value| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            assert!(shown.contains(&squeezed(&value)), "{name}: {value}");
            found += 1;
        };
        json["totals"].as_object().unwrap().values().for_each(&mut look);
        for (list, fields) in [
            (
                "usage",
                [
                    "scenario_words",
                    "description",
                    "price_per_minute",
                    "calls",
                    "billed_minutes",
                    "amount",
                ]
                .as_slice(),
            ),
            ("items", &["description", "quantity", "unit_price", "amount"]),
            ("taxes", &["reason", "rate", "sum", "rounding", "taxable", "tax"]),
        ] {
            for line in json[list].as_array().unwrap() {
                for field in fields {
                    look(&line[field]);
                }
            }
        }
        for field in [
            "/number",
            "/issue_date",
            "/due_date",
            "/period/first_day",
            "/corrects/number",
            "/corrects/reason",
        ] {
            json.pointer(field).filter(|value| !value.is_null()).map(&mut look);
        }
        for leg in legs.iter().flatten() {
            look(&leg.call_sid.clone().into());
            look(&leg.amount.to_string().into());
        }
        assert!(found > 30, "{name}");
        assert!(shown.contains(&squeezed(document.title())), "{name}");
    }
}

#[test]
fn an_earlier_period_has_its_own_heading() {
    let shown = text(&printer().pdf(&rich(), None, None).unwrap());
    assert!(shown.contains("Callsofanearlierperiod:2026-10"), "{shown}");
    assert!(
        !text(&printer().pdf(&samples::invoice("EUR", 3), None, None).unwrap())
            .contains("earlierperiod")
    );
}

#[test]
fn pages_are_numbered_and_a_short_invoice_has_one() {
    let pages = |document: &Document| {
        let pdf = printer().pdf(document, None, None).unwrap();
        let info = poppler("pdfinfo", &[], &pdf);
        let field = |name: &str| {
            info.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned()
        };
        (field("Pages:"), field("Page size:"), text(&pdf))
    };
    let (count, size, shown) = pages(&samples::invoice("EUR", 3));
    assert_eq!((count.as_str(), size.contains("A4")), ("1", true), "{size}");
    assert!(shown.contains("Page1of1"));
    let (count, _, shown) = pages(&samples::invoice("EUR", 35));
    assert_eq!(count, "2");
    assert!(shown.contains("Page2of2"));
    assert_eq!(
        shown.matches("DestinationCallsMinutes").count(),
        2,
        "the head of the table is repeated"
    );
    let (_, size, _) = pages(&rich());
    assert!(size.contains("612 x 792 pts (letter)"), "{size}");
}

#[test]
fn a_draft_says_that_it_is_none() {
    let draft = Document { kind: Kind::Draft, number: None, ..samples::invoice("EUR", 3) };
    let shown = text(&printer().pdf(&draft, None, None).unwrap());
    assert!(shown.contains("Draft–notaninvoice") && shown.contains("DRAFT"), "{shown}");
    assert!(!shown.contains("Amountdue") && !shown.contains("Howtopay"), "{shown}");
}

#[test]
fn the_e_invoice_is_inside_and_named_in_the_metadata() {
    let xml = "<?xml version=\"1.0\"?><rsm:CrossIndustryInvoice>Größe</rsm:CrossIndustryInvoice>\n";
    let pdf = printer().pdf(&samples::invoice("EUR", 3), None, Some(xml)).unwrap();
    assert!(poppler("pdfdetach", &["-list"], &pdf).contains("factur-x.xml"));
    assert_eq!(poppler("pdfdetach", &["-save", "1", "-o", "saved"], &pdf), xml);
    assert!(has(&pdf, "/AFRelationship/Alternative") && has(&pdf, "/Subtype/text#2Fxml"));
    let metadata = poppler("pdfinfo", &["-meta"], &pdf);
    for part in [
        "<pdfaid:part>3</pdfaid:part>",
        "<fx:ConformanceLevel>EN 16931</fx:ConformanceLevel>",
        "<fx:DocumentFileName>factur-x.xml</fx:DocumentFileName>",
        "<dc:creator><rdf:Seq><rdf:li>Trunkline Carrier GmbH</rdf:li></rdf:Seq></dc:creator>",
        "<xmp:CreateDate>2026-12-01T00:00:00+00:00</xmp:CreateDate>",
        "<rdf:li xml:lang=\"x-default\">Invoice INV-2026-000001</rdf:li>",
    ] {
        assert!(metadata.contains(part), "{part} in {metadata}");
    }
    let without = printer().pdf(&samples::invoice("EUR", 3), None, None).unwrap();
    assert!(poppler("pdfdetach", &["-list"], &without).starts_with("0 embedded files"));
    assert!(!has(&without, "factur-x"));
}

#[test]
fn every_font_is_embedded() {
    let fonts = poppler("pdffonts", &[], &printer().pdf(&hostile(), None, None).unwrap());
    let rows: Vec<&str> = fonts.lines().skip(2).collect();
    assert_eq!(rows.len(), 2, "{fonts}");
    assert!(
        rows.iter().all(|row| row.contains("+Inter-") && row.contains(" yes yes yes ")),
        "{fonts}"
    );
}

/// Texts that are code in other languages.
const PAYLOADS: [&str; 14] = [
    "#import \"/etc/passwd\"",
    "#read(\"/etc/passwd\")",
    "#panic() #{ 1/0 } #pagebreak()",
    "$x^2$ *bold* _thin_ `raw` = head - list + enum / term: t",
    "<label> @ref [content] { code } \\ line // comment /* more */",
    "https://example.org/ javascript:alert(1) mailto:a@example.org",
    ") /S/JavaScript/JS(app.alert(1)) >> endobj endstream xref",
    "\"}, \"file\": {\"attached\": true",
    "\\u{41} \\n \\\" ' &amp; <b>&lt;</b> ]]> <![CDATA[",
    "-> <- => :-) ... -- --- 10x10 1/2 fi ffl ~ ''quoted''",
    "a\u{202e}b\u{0}c\u{feff}d\te\nf",
    "日本 شركة 📞 Ελλάς Việt",
    "e\u{301}\u{20dd}\u{1f468}\u{200d}\u{1f469} \u{e000}\u{ffff}",
    "=HYPERLINK(\"http://example.org\")",
];

/// The text that a payload must show, unchanged or as character codes.
fn expected(payload: &str) -> String {
    let shelf = Shelf::new(None, None).unwrap();
    let visible = crate::text::visible(payload);
    squeezed(
        &visible
            .chars()
            .map(|c| {
                if shelf.own_fonts_have(c) { c.to_string() } else { c.escape_unicode().to_string() }
            })
            .collect::<String>(),
    )
}

/// Replaces every free text of a value by another, chosen by its path.
fn replace(value: &mut Value, path: &str, with: &mut impl FnMut(&str) -> Option<String>) {
    match value {
        Value::String(text) => {
            if let Some(new) = with(path) {
                *text = new;
            }
        }
        Value::Array(values) => {
            (0..).zip(values).for_each(|(n, value)| replace(value, &format!("{path}/{n}"), with));
        }
        Value::Object(fields) => fields
            .iter_mut()
            .for_each(|(name, value)| replace(value, &format!("{path}/{name}"), with)),
        _ => {}
    }
}

#[test]
fn texts_of_strangers_are_shown_and_never_run() {
    let mut sample = build::credit_note(
        &samples::invoice("EUR", 3),
        "CN-1".into(),
        "2026-12-03".into(),
        "why".into(),
    );
    sample.notes = vec!["a note".into()];
    sample.buyer.order = "PO".into();
    sample.taxes[0].reason = "none".into();
    let json = serde_json::to_value(&sample).unwrap();
    let printer = printer();
    let mut fields = 0;
    for payload in PAYLOADS {
        let mut changed = json.clone();
        let mut of_payload = 0;
        replace(&mut changed, "", &mut |path| {
            // Only free texts: neither amounts nor fixed words.
            let mut one = json.clone();
            *one.pointer_mut(path).unwrap() = payload.into();
            let free = serde_json::from_value::<Document>(one).is_ok();
            of_payload += usize::from(free);
            (free && path != "/issue_date").then(|| payload.to_owned())
        });
        fields += of_payload;
        let document: Document = serde_json::from_value(changed).unwrap();
        let pdf = printer.pdf(&document, None, None).unwrap_or_else(|e| panic!("{payload}: {e}"));
        let shown = text(&pdf);
        let wanted = expected(payload);
        // Names, address, place and country, tax id, mail, numbers, dates, lines, items, notes …
        assert!(shown.matches(wanted.as_str()).count() >= 20, "{payload} as {wanted} in {shown}");
        for code in
            ["/Annots", "/S/JavaScript/JS", "/S/URI", "/OpenAction", "/Launch", "/EmbeddedFile"]
        {
            let inside = payload.contains(code) && has(&pdf, "/Title(");
            assert!(!has(&pdf, code) || inside, "{payload}: {code}");
        }
    }
    assert!(fields > PAYLOADS.len() * 30, "{fields}");
}

#[test]
fn each_text_alone_is_harmless() {
    let json = serde_json::to_value(hostile()).unwrap();
    let printer = printer();
    let mut paths = Vec::new();
    replace(&mut json.clone(), "", &mut |path| {
        paths.push(path.to_owned());
        None
    });
    for (number, path) in paths.iter().enumerate() {
        if path == "/issue_date" {
            continue;
        }
        let mut one = json.clone();
        *one.pointer_mut(path).unwrap() = PAYLOADS[number % PAYLOADS.len()].into();
        if let Ok(document) = serde_json::from_value::<Document>(one) {
            printer.pdf(&document, None, None).unwrap_or_else(|e| panic!("{path}: {e}"));
        }
    }
}

#[test]
fn what_stands_side_by_side_in_an_itemisation_belongs_together() {
    let mut rows = legs(40);
    for (number, payload) in PAYLOADS.iter().enumerate() {
        rows[number].description = payload.repeat(1 + number % 4);
        rows[number + 15].from = (*payload).to_owned();
        rows[number + 20].call_sid = (*payload).to_owned();
    }
    let printer = printer();
    let made = legs::itemised(&rows, &printer.shelf);
    let made = serde_json::to_value(&made).unwrap();
    let mut lines_of_all = 0;
    for block in made["blocks"].as_array().unwrap() {
        let columns: Vec<Vec<&str>> = block
            .as_array()
            .unwrap()
            .iter()
            .map(|column| column.as_str().unwrap().split('\n').collect())
            .collect();
        assert!(columns.iter().all(|lines| lines.len() == columns[0].len()), "{block}");
        for (lines, most) in columns.iter().zip(made["characters"].as_array().unwrap()) {
            let most = usize::try_from(most.as_u64().unwrap()).unwrap();
            assert!(lines.iter().all(|line| (1..=most).contains(&line.chars().count())), "{block}");
        }
        lines_of_all += columns[0].len();
    }
    assert!(lines_of_all > rows.len(), "some took several lines");
    let pdf = printer.pdf(&samples::invoice("EUR", 3), Some(&rows), None).unwrap();
    let fonts = poppler("pdffonts", &[], &pdf);
    assert_eq!(fonts.lines().filter(|row| row.contains(" yes yes yes ")).count(), 3, "{fonts}");
    // A leg's first line holds all of its other columns.
    let shown = poppler("pdftotext", &["-layout", "-enc", "UTF-8"], &pdf);
    let of_leg = shown.lines().find(|line| line.contains(&rows[39].call_sid)).unwrap();
    for part in [&rows[39].start, &rows[39].to, &rows[39].amount.to_string()] {
        assert!(of_leg.contains(part.as_str()), "{part} in {of_leg}");
    }
}

/// A folder with files in it.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

#[test]
fn a_template_of_the_user_replaces_ours() {
    let own = folder(&[
        (
            "invoice.typ",
            "#import \"words.typ\": hello\n#let data = json(\"invoice.json\")\n= #hello #data.document.totals.total",
        ),
        ("words.typ", "#let hello = \"To pay\""),
        (
            "logo.svg",
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\"><rect width=\"9\" height=\"9\"/></svg>",
        ),
    ]);
    let printer = Printer::new(Some(own.path()), None).unwrap();
    let pdf = printer.pdf(&samples::invoice("EUR", 3), None, Some("<a/>")).unwrap();
    assert_eq!(text(&pdf), "Topay59.70");
    assert!(
        poppler("pdfdetach", &["-list"], &pdf).contains("factur-x.xml"),
        "the e-invoice does not hang on the template"
    );
    // A logo alone leaves our template as it is.
    std::fs::remove_file(own.path().join("invoice.typ")).unwrap();
    let pdf = Printer::new(Some(own.path()), None)
        .unwrap()
        .pdf(&samples::invoice("EUR", 3), None, None)
        .unwrap();
    assert!(text(&pdf).contains("Amountdue"));
    assert_ne!(pdf, self::printer().pdf(&samples::invoice("EUR", 3), None, None).unwrap());
}

#[test]
fn a_template_reaches_nothing_outside() {
    for (template, line, problem) in [
        ("\n#read(\"/etc/hostname\")", 2, "file not found (searched at etc/hostname)"),
        ("#read(\"../invoice.typ\")", 1, "would escape the project root"),
        ("\n\n#import \"@preview/cetz:0.4.0\"", 3, "file not found"),
        ("#image(\"secret.png\")", 1, "file not found (searched at secret.png)"),
        ("#let x = \n", 1, "expected expression"),
        ("#read(\"factur-x.xml\")", 1, "file not found (searched at factur-x.xml)"),
    ] {
        let own = folder(&[("invoice.typ", template)]);
        let printer = Printer::new(Some(own.path()), None).unwrap();
        let error = printer.pdf(&samples::invoice("EUR", 3), None, None).unwrap_err();
        let FormatError::File(error) = error else { panic!("{template}: {error}") };
        assert_eq!(error.path, own.path().join("invoice.typ"));
        assert_eq!(error.line, Some(line), "{template}: {error}");
        assert!(error.problem.contains(problem), "{template}: {error}");
    }
    let own = folder(&[("invoice.typ", "#datetime.today().display()")]);
    let printer = Printer::new(Some(own.path()), None).unwrap();
    assert_eq!(
        text(&printer.pdf(&samples::invoice("EUR", 3), None, None).unwrap()),
        "2026-12-01",
        "the day of issue"
    );
}

#[test]
fn folders_that_cannot_be_used_are_refused() {
    let own = folder(&[("broken.ttf", "no font"), ("main.typ", "")]);
    let problem = |made: Result<Printer, FileError>| {
        made.err().map(|error| (error.path, error.problem)).unwrap()
    };
    assert_eq!(
        problem(Printer::new(None, Some(own.path()))),
        (own.path().join("broken.ttf"), "is no font; expected TrueType or OpenType".to_owned())
    );
    assert_eq!(problem(Printer::new(Some(own.path()), None)).0, own.path().join("main.typ"));
    assert_eq!(
        problem(Printer::new(Some(&own.path().join("none")), None)).0,
        own.path().join("none")
    );
}

#[test]
fn a_date_that_is_none_is_refused() {
    let made = Document { issue_date: "1 December".into(), ..samples::invoice("EUR", 3) };
    let error = printer().pdf(&made, None, None).unwrap_err().to_string();
    assert_eq!(error, "INV-2026-000001 as PDF: `issue_date` is `1 December`; expected YYYY-MM-DD");
}

/// `fonts-dejavu-core` has Arabic letters, and neither Chinese ones nor accents for them.
#[test]
fn a_font_of_the_user_shows_what_ours_lack() {
    let fonts = PathBuf::from("/usr/share/fonts/truetype/dejavu");
    let own = tempfile::tempdir().unwrap();
    std::fs::copy(fonts.join("DejaVuSans.ttf"), own.path().join("a.ttf"))
        .expect("fonts-dejavu-core is installed");
    let printer = Printer::new(None, Some(own.path())).unwrap();
    let mut made = samples::invoice("EUR", 3);
    made.buyer.party.name = "شركة 中 Nordwind".into();
    let pdf = printer.pdf(&made, None, None).unwrap();
    assert!(poppler("pdffonts", &[], &pdf).contains("DejaVuSans"));
    assert!(text(&pdf).contains("\\u{4e2d}") && !text(&pdf).contains("\\u{634}"));
    // Inter has the accent, DejaVu the letter.
    made.buyer.party.name = "ش\u{1dc4}\u{301}\u{346} \u{2801}\u{302}".into();
    printer.pdf(&made, None, None).unwrap();
}

/// Writes the data of a template and the resulting files to `target/samples`, for inspection and
/// for `make pdfa`.
#[test]
#[ignore = "writes files to look at"]
fn dump_pdf_samples() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/samples");
    std::fs::create_dir_all(&folder).unwrap();
    let printer = printer();
    for (name, document, itemised) in documents() {
        let data = view::json(&document, itemised.as_deref(), true, &printer.shelf, Shown::AnyFont)
            .unwrap();
        std::fs::write(folder.join(format!("{name}.json")), data).unwrap();
        let pdf = printer.pdf(&document, itemised.as_deref(), Some("<invoice/>")).unwrap();
        std::fs::write(folder.join(format!("{name}.pdf")), pdf).unwrap();
    }
}

/// The CPU time so far, in milliseconds, and the current memory of the process, in MiB.
fn spent() -> (u64, u64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
    (ticks * 10, kib / 1024)
}

/// At most 50 ms of CPU for an invoice of two pages in a batch, and memory that stays flat.
#[test]
#[ignore = "measures"]
fn speed_of_pdf() {
    let printer = printer();
    let different = |number: u32, lines: u32| {
        let mut made = samples::invoice("EUR", lines);
        made.number = Some(format!("INV-2026-{number:06}"));
        made.buyer.party.name = format!("Customer {number}");
        for line in &mut made.usage {
            line.description = format!("{} of {number}", line.description);
            line.billed_minutes = format!("{}.{number}", line.billed_minutes);
        }
        made
    };
    let mut report = Vec::new();
    let mut measure =
        |name: &str, count: u32, work: &(dyn Fn(u32) -> usize + Sync), threads: bool| {
            let (cpu, memory) = spent();
            let bytes: usize = if threads {
                (0..count).into_par_iter().map(work).sum()
            } else {
                (0..count).map(work).sum()
            };
            let (cpu_after, memory_after) = spent();
            let per = (cpu_after - cpu) * 10 / u64::from(count);
            report.push(format!(
                "{name}: {}.{} ms of CPU each, {} KiB each, memory {memory} -> {memory_after} MiB",
                per / 10,
                per % 10,
                bytes / count as usize / 1024
            ));
            per / 10
        };
    let pdf = |made: &Document, legs: Option<&[ItemisedLeg]>| {
        printer.pdf(made, legs, Some("<invoice/>")).unwrap().len()
    };
    measure("warm up", 10, &|n| pdf(&different(n, 35), None), false);
    let of_two_pages =
        measure("two pages, one after the other", 300, &|n| pdf(&different(n, 35), None), false);
    measure("two pages, on every core", 1000, &|n| pdf(&different(n, 35), None), true);
    measure(
        "two pages, on every core, again",
        1000,
        &|n| pdf(&different(n + 1000, 35), None),
        true,
    );
    measure("one page", 300, &|n| pdf(&different(n, 3), None), false);
    measure("3,000 lines", 2, &|n| pdf(&different(n, 3000), None), false);
    measure("20,000 legs", 1, &|n| pdf(&different(n, 35), Some(&legs(20_000))), false);
    measure("two pages after that", 100, &|n| pdf(&different(n, 35), None), false);
    assert!(of_two_pages <= 50, "{report:#?}");
    std::fs::write(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("target/samples/speed.txt"),
        report.join("\n"),
    )
    .unwrap();
}

/// Documents of every kind.
fn documents() -> Vec<(&'static str, Document, Option<Vec<ItemisedLeg>>)> {
    let eur = |lines| samples::invoice("EUR", lines);
    let draft = Document { kind: Kind::Draft, number: None, due_date: None, ..eur(3) };
    let reason = "Wrong price list for German mobile networks".to_owned();
    let credit = build::credit_note(&eur(3), "CN-2026-000001".into(), "2026-12-03".into(), reason);
    vec![
        ("three", eur(3), None),
        ("two-pages", eur(35), None),
        ("large", eur(3000), None),
        ("draft", draft, None),
        ("credit-note", credit, None),
        ("kwd", samples::invoice("KWD", 8), None),
        ("jpy", samples::invoice("JPY", 8), None),
        ("rich", rich(), None),
        ("hostile", hostile(), None),
        ("itemised", eur(9), Some(legs(500))),
    ]
}

/// Legs of an itemisation.
fn legs(count: u64) -> Vec<ItemisedLeg> {
    let leg = |number: u64| ItemisedLeg {
        start: format!(
            "2026-11-{:02}T{:02}:{:02}:{:02}Z",
            number % 30 + 1,
            number % 24,
            number % 60,
            number % 59
        ),
        call_sid: format!("CA{number:032x}"),
        from: format!("+4930{:07}***", number % 9_999_999),
        to: format!("+4420{:06}***", number % 999_999),
        scenario: ["termination", "origination-to-pstn"][usize::from(number.is_multiple_of(3))]
            .into(),
        service: "termination".into(),
        description: "Trunking termination minute - United Kingdom - Mobile - EE".into(),
        duration_seconds: i64::try_from(number % 600).unwrap(),
        billed_seconds: i64::try_from((number % 600).div_ceil(60) * 60).unwrap(),
        amount: Exact(Decimal::new(i64::try_from(number * 13).unwrap(), 5)),
    };
    (0..count).map(leg).collect()
}

/// A month of a large customer: 30 days, every scenario, fees, items of another tax, notes.
fn rich() -> Document {
    use crate::document::usage::{LineKey, Usage};
    use crate::money::{Amount, Price};
    let scenarios = [
        ("termination", "termination", 52),
        ("origination", "origination", 31),
        ("termination-to-sip", "termination", 9),
        ("termination-to-pstn", "termination", 14),
        ("origination-to-sip", "origination", 5),
        ("origination-to-pstn", "termination", 21),
        ("origination-to-pstn", "origination", 11),
    ];
    let places = [
        "United States",
        "Canada",
        "United Kingdom - Mobile - EE",
        "Germany - Mobile",
        "France",
        "India",
        "México",
    ];
    let mut usage = Usage::default();
    for (number, (scenario, service, weight)) in (0_i64..).zip(scenarios) {
        for (place, description) in
            (1_i64..).zip(places.iter().take(3 + usize::try_from(number).unwrap() % 4))
        {
            for day in 0..30_i64 {
                let key = LineKey {
                    late: (day > 27 && number == 1 && place == 1).then(|| "2026-10".to_owned()),
                    scenario: scenario.into(),
                    service: service.into(),
                    description: (*description).into(),
                    price: Price::from_units(
                        10_000_000_000 + place * 1_234_000_000 + number * 10_000_000,
                    ),
                    fee: if place == 2 { Price::from_units(5_000_000_000) } else { Price::ZERO },
                };
                let seconds = weight * (80 + day * 7 % 50) * 60 / place;
                let id = format!("CA{number:08}{place:08}{day:016}");
                let amount =
                    Amount::from_units(weight * (80 + (day * 7) % 50) * place * 13_000_000 / 10);
                usage
                    .add(
                        &id,
                        20_758 + day - if key.late.is_some() { 40 } else { 0 },
                        key,
                        seconds,
                        amount,
                    )
                    .unwrap();
            }
        }
    }
    let mut frame = samples::frame("USD");
    frame.seller.party.country = "US".into();
    frame.seller.party.name = "Trunkline Carrier, Inc.".into();
    frame.buyer.order = "PO-88213".into();
    frame.tax = build::Tax {
        category: TaxCategory::Standard,
        rate: Decimal::new(825, 2),
        reason: String::new(),
    };
    frame.notes = vec![
        "Prices are those of the rate deck of 2026-11-01.".into(),
        "Questions: billing@example.org".into(),
    ];
    let exempt = build::Tax {
        category: TaxCategory::ReverseCharge,
        rate: Decimal::ZERO,
        reason: "Reverse charge: Article 196 of Directive 2006/112/EC".into(),
    };
    let item = |description: &str, quantity, price, tax| build::Item {
        description: description.into(),
        quantity: Decimal::new(quantity, 0),
        unit_price: Decimal::new(price, 2),
        tax,
    };
    let items = [
        item("Number +442079460110", 1, 115, None),
        item("Trunk, 30 channels", 2, 2450, None),
        item("Emergency calling, per number", 14, 75, Some(exempt)),
    ];
    build::document(frame, &usage, &items).unwrap()
}

/// A document with hostile names.
fn hostile() -> Document {
    let mut made = samples::invoice("EUR", 3);
    made.buyer.party.name = "日本電信電話株式会社 / شركة الاتصالات 📞 Ελλάς Україна Việt Nam".into();
    made.seller.party.name =
        "#import \"/etc/passwd\" $x^2$ *bold* <label> @ref \\ // http://example.org/ ".repeat(2);
    made.buyer.party.address =
        vec!["W".repeat(300), "a\u{202e}b\u{0}c".into(), "e\u{301}\u{20dd}\u{200d}".into()];
    made.usage[0].description = "-> :-) ".repeat(40);
    made.usage[1].description = "X".repeat(400);
    made.items[0].description = "Ж".repeat(120);
    made
}
