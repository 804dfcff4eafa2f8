//! Documents as JSON against the published schema, with a validator that is not ours.

use crate::documents::{self, HOSTILE, judge};
use serde_json::{Map, Value, json};
use std::path::Path;
use trunkrate::document::Document;
use trunkrate::render::json as format;

fn as_value(document: &Document) -> Value {
    serde_json::from_str(&format::document(document)).expect("JSON")
}

/// What is wrong with each document.
fn problems(documents: Map<String, Value>) -> Value {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/render/invoice.schema.json");
    let (good, found) = judge("schema.py", &[&schema], &Value::Object(documents).to_string());
    assert!(good);
    found
}

#[test]
fn documents_keep_the_schema() {
    let mut all = Map::new();
    for (name, document) in [
        ("month", documents::month()),
        ("empty", documents::invoice("EUR", 0)),
        ("yen", documents::invoice("JPY", 7)),
        ("dinar", documents::invoice("KWD", 7)),
        ("credit", documents::credit()),
        ("draft", documents::draft()),
        ("long", documents::long()),
    ] {
        all.insert(name.to_owned(), as_value(&document));
    }
    let names = all.len();
    let found = problems(all);
    let found = found.as_object().expect("by name");
    assert_eq!(found.len(), names);
    assert!(found.values().all(|problems| problems == &json!([])), "{found:#?}");
}

#[test]
fn what_breaks_the_schema_is_found() {
    let breaks: [(&str, Value); 14] = [
        ("/schema", json!("trunkrate-document/2")),
        ("/kind", json!("bill")),
        ("/number", json!(7)),
        ("/issue_date", json!("1 December 2026")),
        ("/due_date", json!("2026-13-01")),
        ("/period/month", json!("2026-11-01")),
        ("/currency", json!("euro")),
        ("/minor_unit_decimals", json!(-1)),
        ("/totals/total", json!(59.70)),
        ("/totals/net", json!("1e3")),
        ("/usage/0/amount", json!("1,50")),
        ("/usage/0/tax_category", json!("vat")),
        ("/buyer/party/address", json!("a text")),
        ("/days/0/date", Value::Null),
    ];
    let mut all = Map::new();
    for (place, value) in &breaks {
        let mut document = as_value(&documents::month());
        *document.pointer_mut(place).expect("a field") = value.clone();
        all.insert((*place).to_owned(), document);
    }
    let mut less = as_value(&documents::month());
    less["totals"].as_object_mut().expect("totals").remove("rounding");
    all.insert("less".into(), less);
    let mut more = as_value(&documents::month());
    more["paid"] = json!(true);
    all.insert("more".into(), more);
    let found = problems(all);
    for (name, problems) in found.as_object().expect("by name") {
        let place = name.trim_start_matches('/').split('/').next().expect("a first part");
        let named = problems[0].as_str().unwrap_or_default();
        assert!(named.contains(place) || ["less", "more"].contains(&place), "{name}: {problems}");
        assert_eq!(problems.as_array().map(Vec::len), Some(1), "{name}: {problems}");
    }
    assert_eq!(found.as_object().map(Map::len), Some(breaks.len() + 2));
}

#[test]
fn hostile_texts_are_only_texts() {
    for text in HOSTILE {
        let (document, replaced) = documents::with_texts(&documents::month(), |_| text.to_owned());
        assert!(replaced > 80);
        assert_eq!(
            serde_json::from_str::<Document>(&format::document(&document)).expect("a document"),
            document
        );
    }
}
