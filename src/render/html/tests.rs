//! Tests of pages: their text, and the limits of a user's template.

use super::*;
use crate::document::Kind;
use crate::document::build::{credit_note, samples};

fn page(document: &Document) -> String {
    Pages::new(None).expect("templates").html(document, None).expect("a page")
}

/// The readable text of a page: no tags, no style.
fn read(html: &str) -> String {
    let body = html.split_once("</head>").expect("a head").1;
    let text: String =
        body.split('<').map(|part| part.split_once('>').map_or("", |(_, text)| text)).collect();
    text.replace("&nbsp;", " ")
}

/// A user's template folder.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    folder
}

#[test]
fn every_value_stands_on_the_page_as_the_document_has_it() {
    for (currency, lines) in [("EUR", 3), ("JPY", 12), ("KWD", 60)] {
        let mut document = samples::invoice(currency, lines);
        document.totals.total =
            "1234567.89".parse().map(crate::document::Exact).expect("a decimal");
        let text = read(&page(&document));
        let t = &document.totals;
        for amount in [t.usage, t.items, t.sum, t.rounding, t.net, t.tax, t.total] {
            assert!(text.contains(&amount.to_string()), "{amount}");
        }
        for line in &document.usage {
            let (minutes, price) = (&line.billed_minutes, line.price_per_minute);
            assert!(
                text.contains(&format!(
                    "{}{}{minutes}{price}{}\n",
                    line.description, line.calls, line.amount
                )),
                "{line:?}"
            );
        }
        for item in &document.items {
            assert!(text.contains(&format!(
                "{}{}{}{}\n",
                item.description, item.quantity, item.unit_price, item.amount
            )));
        }
        for expected in [
            "INV-2026-000001",
            "15 December 2026",
            "Nordwind Logistik GmbH",
            "DE02120300000000202051",
            "VAT 19 %",
        ] {
            assert!(text.contains(expected), "{expected}");
        }
    }
}

#[test]
fn late_lines_stand_under_their_month() {
    let text = read(&page(&samples::invoice("EUR", 9)));
    let late = text.find("Calls of an earlier period: 2026-10").expect("a heading");
    assert!(
        text.find("destination 8").expect("a line") < late
            && late < text.find("destination 6").expect("a late line")
    );
}

#[test]
fn kinds_say_what_they_are() {
    let invoice = samples::invoice("EUR", 3);
    let text = read(&page(&credit_note(
        &invoice,
        "CN-1".into(),
        "2026-12-03".into(),
        "The wrong buyer.".into(),
    )));
    for expected in [
        "Credit note CN-1",
        "Takes back invoice INV-2026-000001 of 1 December 2026, whole. Reason: The wrong buyer.",
        "Total credited",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    assert!(!text.contains("Payment") && !text.contains("DE0212"), "nothing is to be paid");
    let text = read(&page(&Document { kind: Kind::Draft, number: None, ..invoice.clone() }));
    assert!(
        text.contains("Draft – not an invoice")
            && text.contains("Would be due")
            && !text.contains("Amount due")
    );
    let text = read(&page(&Document { supplementary: true, ..invoice.clone() }));
    assert!(text.contains("Supplementary invoice INV-2026-000001") && text.contains("came late"));
    assert!(!read(&page(&invoice)).contains("came late"));
}

#[test]
fn a_page_is_one_file_that_loads_and_runs_nothing() {
    for lines in [0, 3, 60] {
        let html = page(&samples::invoice("EUR", lines));
        assert!(html.starts_with("<!doctype html>\n<html lang=\"en\">\n"), "{}", &html[..80]);
        assert!(
            html.contains(
                "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\""
            )
        );
        for absent in ["<script", "src=", "url(", "@import", "href=\"h", "javascript:"] {
            assert!(!html.contains(absent), "{absent}");
        }
        assert_eq!(html, page(&samples::invoice("EUR", lines)), "the same bytes");
    }
}

#[test]
fn charts_are_drawn_where_there_is_something_to_show() {
    let charts = |lines| page(&samples::invoice("EUR", lines)).matches("<figure").count();
    assert_eq!([charts(0), charts(1), charts(6), charts(7)], [0, 1, 1, 3]);
}

#[test]
fn a_users_template_replaces_one_by_its_name() {
    let document = samples::invoice("EUR", 3);
    let folder_of_page = folder(&[(
        "invoice.html",
        "<p>{{ document.number }} {{ document.totals.total|digits }}</p>",
    )]);
    let pages = Pages::new(Some(folder_of_page.path())).expect("templates");
    assert_eq!(pages.html(&document, None).expect("a page"), "<p>INV-2026-000001 59.70</p>");
    let folder_of_style = folder(&[("style.css", ":root { --accent: red }")]);
    let html = Pages::new(Some(folder_of_style.path()))
        .expect("templates")
        .html(&document, None)
        .expect("a page");
    assert!(
        html.contains("<style>\n:root { --accent: red }</style>") && html.contains("Nordwind"),
        "{html}"
    );
}

/// The first line of an error, and its hint.
fn refused(name: &str, text: &str) -> String {
    let folder = folder(&[(name, text)]);
    let error = Pages::new(Some(folder.path())).and_then(|pages| {
        pages.html(&samples::invoice("EUR", 3), None).map_err(|error| match error {
            FormatError::File(error) => error,
            FormatError::Document { .. } => panic!("{error}"),
        })
    });
    let error = error.expect_err("it is refused");
    assert!(error.hint.is_some());
    error.to_string().replace(&folder.path().display().to_string(), "FOLDER")
}

#[test]
fn a_broken_template_is_named_with_its_line() {
    for (text, expected) in [
        ("a\n{% if %}", "FOLDER/invoice.html:2: the template cannot be used: syntax error"),
        (
            "a\n\n{{ document.totl }}",
            "FOLDER/invoice.html:3: the template cannot be used: undefined value",
        ),
        ("{{ 1|money }}", "FOLDER/invoice.html:1: the template cannot be used: unknown filter"),
        (
            "{{ document.totals.total|digits",
            "FOLDER/invoice.html:1: the template cannot be used: syntax error",
        ),
    ] {
        let found = refused("invoice.html", text);
        assert!(found.starts_with(expected), "{found}");
    }
    let style = refused("style.css", "a {}\n</STYLE><script>");
    assert_eq!(
        style,
        "FOLDER/style.css:2: found `</style`; expected CSS only, which stands inside of a page"
    );
    let folder = folder(&[("Invoice.htm", "")]);
    let error = Pages::new(Some(folder.path())).expect_err("no template").to_string();
    assert!(
        error.ends_with("has no template; expected a folder with one of invoice.html, style.css"),
        "{error}"
    );
    assert!(
        Pages::new(Some(Path::new("/no/such/folder")))
            .expect_err("none")
            .to_string()
            .contains("is no folder")
    );
}

/// Nested loops are stopped, and an endless page is refused before it fills the memory.
#[test]
fn a_template_has_limits() {
    let endless = "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}";
    let folder = folder(&[(INVOICE, endless)]);
    let mut templates = environment(Some(folder.path())).expect("templates");
    templates.environment.set_fuel(Some(10_000));
    let error = templates.fill(INVOICE, ()).expect_err("a limit").to_string();
    assert!(
        error.contains("invoice.html:1: the template cannot be used: engine ran out of fuel"),
        "{error}"
    );
    let mut page = Page { bytes: Vec::new(), most: 4 };
    assert_eq!((page.write(b"abcd").expect("room"), page.write(b"e").is_err()), (4, true));
}

/// A link out of the folder would put a stranger's file on every document.
#[test]
fn a_template_that_is_a_link_out_of_its_folder_is_refused() {
    let (elsewhere, linked) = (folder(&[("secret", "key")]), folder(&[("own.html", "<p>own</p>")]));
    std::os::unix::fs::symlink(elsewhere.path().join("secret"), linked.path().join(INVOICE))
        .expect("a link");
    let error = environment(Some(linked.path())).expect_err("a link").to_string();
    assert!(error.contains("invoice.html: is a link out of the folder of templates"), "{error}");
    std::fs::remove_file(linked.path().join(INVOICE)).expect("it is removed");
    std::os::unix::fs::symlink("own.html", linked.path().join(INVOICE)).expect("a link");
    assert!(environment(Some(linked.path())).is_ok());
}

#[test]
fn nothing_in_a_template_turns_escaping_off() {
    let mut document = samples::invoice("EUR", 3);
    document.buyer.party.name = "<b>\u{202e}".into();
    document.notes = vec!["<i>".into()];
    let name = "document.buyer.party.name";
    for template in [
        format!("{{{{ {name} }}}}"),
        format!("{{{{ {name}|safe }}}}"),
        format!("{{{{ {name}|e }}}}"),
        format!("{{{{ {name}|escape|safe|upper }}}}"),
        format!("{{% autoescape false %}}{{{{ {name} }}}}{{% endautoescape %}}"),
        format!("{{% set x %}}{{{{ {name} }}}}{{% endset %}}{{{{ x }}}}"),
        format!("{{% macro m(x) %}}{{{{ x|safe }}}}{{% endmacro %}}{{{{ m({name}) }}}}"),
        format!("{{{{ ['<u>', {name}]|join('<s>') }}}}"),
        format!("{{{{ [{name}|date, {name}, {name}|blocks]|join }}}}"),
        format!("{{{{ {name}|date ~ {name} }}}}"),
        format!("{{{{ style|replace('color', {name}) }}}}"),
        "{{ document.notes }}{{ document }}".to_owned(),
        format!(
            "{{{{ {name}|digits }}}}{{{{ {name}|time }}}}{{{{ {name}|scenario }}}}{{{{ {name}|tax }}}}"
        ),
    ] {
        let folder = folder(&[("invoice.html", &template), ("style.css", "a{color:red}")]);
        let html = Pages::new(Some(folder.path()))
            .expect("templates")
            .html(&document, None)
            .expect("a page");
        assert!(
            !html.to_lowercase().contains("<b>") && !html.contains("<i>") && !html.contains("<s>"),
            "{template}: {html}"
        );
        assert!(html.contains("&lt;") && !html.contains('\u{202e}'), "{template}: {html}");
    }
}

#[test]
fn digits_are_set_apart_and_stay_what_they_are() {
    for (text, expected) in [
        ("0", "0"),
        ("999.99999", "999.99999"),
        ("-1234.5", "-1 234.5"),
        ("1234567.89", "1 234 567.89"),
        ("100000", "100 000"),
        ("a<b", "a&lt;b"),
        ("", ""),
        ("-", "-"),
    ] {
        let html = digits(text);
        assert_eq!(
            html.replace("<span class=\"gap\">", "").replace("</span>", " "),
            expected,
            "{html}"
        );
    }
    assert_eq!(blocks("DE0212"), "<span class=\"gap\">DE02</span>12");
    assert_eq!(blocks("DE02 1203"), "DE02 1203");
    assert_eq!(blocks(""), "");
}

#[test]
fn dates_are_words_and_what_is_none_stays() {
    assert_eq!(date("2026-12-01"), "<time datetime=\"2026-12-01\">1 December 2026</time>");
    assert_eq!(
        time_of("2026-11-20T21:15:00Z"),
        "<time datetime=\"2026-11-20T21:15:00Z\">2026-11-20 21:15:00</time>"
    );
    for none in ["", "2026-13-01", "2026-12", "soon", "2026-1-1-1-1", "\"><b>------"] {
        assert_eq!(date(none), charts::escaped(none));
        assert_eq!(time_of(none), charts::escaped(none));
    }
}
