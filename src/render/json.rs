//! Documents as JSON, and the schema that they keep.
//!
//! The schema is generated from the types and published beside this file, as `invoice.schema.json`.
//! After an intended change of the types, run `UPDATE_SCHEMA=1 cargo test --release -- schema` and
//! read the difference. A change that breaks readers of the old layout needs a new number in
//! [`SCHEMA`].
//!
//! **Invariant:** a document's JSON conforms to the schema; every decimal is a string.

use crate::document::{Document, SCHEMA};
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

/// The schema's name.
pub const SCHEMA_ID: &str = "urn:trunkrate:document:1";
/// A date, as its pattern.
const DATE: &str = "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$";
/// A month, as its pattern.
const MONTH: &str = "^[0-9]{4}-(0[1-9]|1[0-2])$";

/// A document as JSON.
///
/// # Panics
/// Never: a document is texts, numbers and lists.
#[must_use]
pub fn document(document: &Document) -> String {
    let mut text = serde_json::to_string_pretty(document).expect("a document is plain data");
    text.push('\n');
    text
}

/// The schema of [`document`], by JSON Schema 2020-12.
///
/// # Panics
/// Never: a schema is plain data.
#[must_use]
pub fn schema() -> String {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut schema = generator.into_root_schema_for::<Document>().to_value();
    schema["$id"] = json!(SCHEMA_ID);
    // Constraints that the types cannot express, since their fields are strings.
    for (place, name, value) in [
        ("/properties/schema", "const", SCHEMA),
        ("/properties/issue_date", "pattern", DATE),
        ("/properties/due_date", "pattern", DATE),
        ("/properties/currency", "pattern", "^[A-Z]{3}$"),
        ("/$defs/Period/properties/month", "pattern", MONTH),
        ("/$defs/Period/properties/first_day", "pattern", DATE),
        ("/$defs/Period/properties/last_day", "pattern", DATE),
        ("/$defs/Corrected/properties/issue_date", "pattern", DATE),
        ("/$defs/DaySpend/properties/date", "pattern", DATE),
        ("/$defs/UsageLine/properties/late", "pattern", MONTH),
    ] {
        let place = schema
            .pointer_mut(place)
            .and_then(Value::as_object_mut)
            .expect("the types have the field");
        place.insert(name.to_owned(), json!(value));
    }
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is plain data");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::build::samples;
    use std::path::Path;

    #[test]
    fn the_published_schema_is_that_of_the_types() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/render/invoice.schema.json");
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(&path, schema()).expect("written");
        }
        let published = std::fs::read_to_string(&path).expect("a published schema");
        assert!(
            published == schema(),
            "run `UPDATE_SCHEMA=1 cargo test --release -- schema` and read the difference"
        );
    }

    #[test]
    fn a_document_reads_back() {
        let made = samples::invoice("EUR", 9);
        let text = document(&made);
        assert!(
            text.ends_with("}\n")
                && text.starts_with("{\n  \"schema\": \"trunkrate-document/1\",\n")
        );
        assert_eq!(serde_json::from_str::<Document>(&text).expect("a document"), made);
    }
}
