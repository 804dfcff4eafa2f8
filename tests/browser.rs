//! Pages of documents in a browser: on screens, by a screen reader, on paper; and whatever a text
//! tries.
//!
//! `validators/browser.py` says what is looked at. It needs Chromium, poppler-utils and Python
//! packages: `make validators`.

use crate::documents::{self, HOSTILE, judge};
use serde_json::Value;
use std::path::Path;
use trunkrate::document::{Document, ItemisedLeg};
use trunkrate::render::html::Pages;
use trunkrate::render::{csv, json};
use trunkrate::text;

fn page(document: &Document, itemised: Option<&[ItemisedLeg]>) -> String {
    Pages::new(None).expect("templates").html(document, itemised).expect("a page")
}

/// Destinations and amounts, as rows of a page.
fn rows(document: &Document) -> Vec<[String; 2]> {
    document.usage.iter().map(|line| [line.description.clone(), line.amount.to_string()]).collect()
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("written");
}

/// All pages that people look at.
fn samples() -> Vec<(&'static str, Document, Option<Vec<ItemisedLeg>>)> {
    vec![
        ("month", documents::month(), None),
        ("short", documents::invoice("EUR", 3), None),
        ("empty", documents::invoice("EUR", 0), None),
        ("yen", documents::invoice("JPY", 12), None),
        ("dinar", documents::invoice("KWD", 12), None),
        ("credit", documents::credit(), None),
        ("draft", documents::draft(), None),
        ("sixty", documents::invoice("EUR", 60), None),
        ("long", documents::long(), None),
        ("calls", documents::invoice("EUR", 3), Some(documents::legs(120))),
        ("3000", documents::invoice("EUR", 3000), None),
    ]
}

/// Writes pages to `target/samples`, to look at: `cargo test --release -- --ignored dump_samples`.
#[test]
#[ignore = "for people"]
fn dump_samples() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/samples");
    std::fs::create_dir_all(&folder).expect("a folder");
    for (name, document, legs) in samples() {
        write(&folder, &format!("{name}.html"), &page(&document, legs.as_deref()));
    }
}

/// The CPU time of this thread, in milliseconds.
#[cfg(target_os = "linux")]
fn cpu_millis() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("a time");
    text.split(' ').next().and_then(|nanos| nanos.parse::<u64>().ok()).expect("nanoseconds")
        / 1_000_000
}

/// What 5,000 documents of 20 lines take:
/// `cargo test --release -- --ignored --nocapture five_thousand`.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "a measurement"]
fn five_thousand_documents_take_few_seconds() {
    let (document, pages) = (documents::invoice("EUR", 20), Pages::new(None).expect("templates"));
    let (mut times, mut bytes) = ([0; 3], [0; 3]);
    for (format, time) in times.iter_mut().enumerate() {
        let start = cpu_millis();
        for _ in 0..5000 {
            bytes[format] += match format {
                0 => pages.html(&document, None).expect("a page").len(),
                1 => csv::document(&document).expect("a table").len(),
                _ => json::document(&document).len(),
            };
        }
        *time = cpu_millis() - start;
    }
    println!(
        "5,000 documents of 20 lines: HTML, CSV, JSON take {times:?} ms of CPU and {bytes:?} bytes"
    );
    let (long, calls) = (documents::invoice("EUR", 3000), documents::legs(100_000));
    let start = cpu_millis();
    let size = pages.html(&long, Some(&calls)).expect("a page").len();
    println!(
        "one of 3,000 lines and 100,000 calls: {} ms of CPU, {size} bytes",
        cpu_millis() - start
    );
    assert!(times.iter().sum::<u64>() < 5000, "{times:?} ms");
}

#[test]
fn pages_are_good_on_screens_for_readers_and_on_paper() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut plan = Vec::new();
    for (name, document, legs) in samples() {
        let file = format!("{name}.html");
        write(folder.path(), &file, &page(&document, legs.as_deref()));
        // A row whose name takes several lines is none that is looked for line by line.
        let rows = if name == "long" { vec![] } else { rows(&document) };
        let one_sheet = ["short", "empty", "credit"].contains(&name);
        // What is read out of sixty lines is read out of three thousand.
        let only: &[&str] = if name == "3000" {
            &["markup", "screens", "paper"]
        } else {
            &["markup", "screens", "reader", "paper"]
        };
        plan.push(serde_json::json!({"file": file, "rows": rows, "one_sheet": one_sheet, "light": name == "3000", "only": only}));
    }
    write(folder.path(), "plan.json", &serde_json::json!({"pages": plan}).to_string());
    let (good, found) = judge("browser.py", &[folder.path()], "");
    assert!(good, "{found:#}");
    assert_eq!(found.as_object().expect("pages").len(), samples().len());
}

/// What the judge says of a page that is bad in every way that it looks for.
#[test]
fn a_bad_page_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = page(&documents::month(), None);
    let body = |added: &str| good.replace("</main>", &format!("{added}</main>"));
    let style = |added: &str| good.replace("</style>", &format!("{added}</style>"));
    let (before, after) = good.split_once("<desc id=\"by-day-text\">").expect("a chart");
    let untold = format!("{before}{}", after.split_once("</desc>").expect("its end").1);
    let full = page(&documents::invoice("EUR", 3), None)
        .replace("</style>", "@media print{.sheet{min-height:98vh}}</style>");
    let cases = [
        ("unclosed", "markup", body("<p></div>"), "markup, line"),
        ("script", "screens", body("<script>1</script>"), "console: "),
        (
            "image",
            "screens",
            body("<img src=\"https://evil.example/x.png\" alt=\"\">"),
            "evil.example",
        ),
        ("wide", "screens", body("<div style=\"width:2000px\">wide</div>"), "sticks out"),
        ("grey", "screens", style(".quiet{color:#bbb}"), "color-contrast"),
        (
            "bright",
            "screens",
            good.replace("prefers-color-scheme: dark", "prefers-color-scheme: none"),
            "dark is as light",
        ),
        (
            "unnamed",
            "reader",
            good.replace("<title id=\"by-day-title\">Usage by day</title>", ""),
            "without a name",
        ),
        ("untold", "reader", untold, "says nothing"),
        ("untabled", "reader", style("tr{display:none}"), "screen reader finds 0 of"),
        ("headless", "paper", style("thead{display:none!important}"), "no head"),
        ("cut", "paper", style("@media print{td.amount{display:none}}"), "is not whole"),
        ("gone", "paper", style("@media print{svg text{display:none}}"), "is cut"),
        (
            "night",
            "paper",
            good.replace("@media screen and (prefers", "@media (prefers"),
            "is dark",
        ),
        ("sheets", "paper", style("@media print{main{height:200vh}}"), "expected one"),
        ("full", "paper", full, "room to spare"),
    ];
    for (name, _, html, _) in &cases {
        assert_ne!(*html, good, "{name} is changed");
        write(folder.path(), &format!("{name}.html"), html);
    }
    let plan = |(name, only, ..): &(&str, &str, String, &str)| {
        let (rows, one_sheet) = (rows(&documents::month()), ["sheets", "full"].contains(name));
        serde_json::json!({"file": format!("{name}.html"), "rows": rows, "one_sheet": one_sheet, "only": [only]})
    };
    let pages: Vec<Value> = cases.iter().map(plan).collect();
    write(folder.path(), "plain.html", &good);
    write(folder.path(), "other.html", &body("<p title=\"\">more</p>"));
    let same = serde_json::json!({"file": "plain.html", "as": ["other.html"]});
    write(
        folder.path(),
        "plan.json",
        &serde_json::json!({"pages": pages, "same": same}).to_string(),
    );
    let (good, found) = judge("browser.py", &[folder.path()], "");
    assert!(!good);
    for (name, _, _, expected) in cases {
        let problems = found[format!("{name}.html")].to_string();
        assert!(problems.contains(expected), "{name}: expected `{expected}`, found {problems}");
    }
    assert!(
        found["other.html"].to_string().contains("an element is not that of the template"),
        "{found}"
    );
}

/// Every free text of a document, each by every hostile text: the page has the elements of the
/// template and no other.
#[test]
fn no_text_becomes_an_element() {
    let folder = tempfile::tempdir().expect("a folder");
    let credit = Document {
        supplementary: true,
        corrects: documents::credit().corrects,
        ..documents::month()
    };
    let with = |text: &str| {
        let (document, replaced) =
            documents::with_texts(&credit, |number| format!("{text} {number}"));
        assert!(replaced > 80, "{replaced} texts");
        let mut legs = documents::legs(3);
        for leg in &mut legs {
            for field in [
                &mut leg.start,
                &mut leg.from,
                &mut leg.to,
                &mut leg.scenario,
                &mut leg.service,
                &mut leg.description,
            ] {
                text.clone_into(field);
            }
        }
        page(&document, Some(&legs))
    };
    write(folder.path(), "plain.html", &with("plain text"));
    let mut names = Vec::new();
    let very_long = "long ".repeat(2000) + &"W".repeat(5000);
    for (number, text) in HOSTILE.iter().copied().chain([very_long.as_str()]).enumerate() {
        let (name, html) = (format!("hostile-{number:02}.html"), with(text));
        let hidden = |c: char| {
            (c.is_control() && c != '\n') || "\u{202e}\u{202c}\u{200b}\u{feff}\u{2028}".contains(c)
        };
        assert!(!html.contains(hidden), "{text:?} is shown, not obeyed");
        write(folder.path(), &name, &html);
        names.push(name);
    }
    write(
        folder.path(),
        "plan.json",
        &serde_json::json!({"same": {"file": "plain.html", "as": names}}).to_string(),
    );
    let (good, found) = judge("browser.py", &[folder.path()], "");
    assert!(good, "{found:#}");
    assert_eq!(found.as_object().expect("pages").len(), HOSTILE.len() + 1);
}

/// The same texts in CSV: no cell starts what a spreadsheet runs, and none hides anything.
#[test]
fn no_text_becomes_a_formula() {
    let formulas = [
        "=1+1",
        "+1+1",
        "-1+1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1",
        "＝1",
        "|calc",
        "%0A=1",
        "\u{feff}=1",
    ];
    for text in HOSTILE.into_iter().chain(formulas) {
        let (document, _) = documents::with_texts(&documents::month(), |_| text.to_owned());
        let mut legs = documents::legs(1);
        (legs[0].from, legs[0].description) = (text.to_owned(), text.to_owned());
        for bytes in
            [csv::document(&document).expect("a table"), csv::calls(&legs).expect("a table")]
        {
            let table = String::from_utf8(bytes).expect("UTF-8");
            assert!(table.contains(&text::cell(text).replace('"', "\"\"")), "{text:?} is shown");
            for cell in table.lines().flat_map(|line| line.split(',')) {
                let cell = cell.trim_matches('"');
                let number = cell
                    .strip_prefix(['-', '+'])
                    .is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
                assert!(
                    !cell.trim_start().starts_with(['=', '+', '-', '@', '＝', '|', '%']) || number,
                    "{cell:?} of {text:?}"
                );
                assert!(
                    !cell.contains(|c: char| c.is_control() || c == '\u{202e}' || c == '\u{feff}'),
                    "{cell:?}"
                );
            }
        }
    }
}
