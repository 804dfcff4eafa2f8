//! The document of the API: `OpenAPI` 3.1, whose schemas are made from the types of its answers.

use super::types::{
    CallDetail, CallsAnswer, Invoices, LookupAnswer, ProblemDetail, Runs, SuspenseAnswer,
};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// A parameter: its name, and what it is.
type Parameter = (&'static str, &'static str);

const CALLS: [Parameter; 13] = [
    ("q", "A phrase: a number, an id, a customer, `29 Oct 3pm`"),
    ("number", "Any party: a number in any usual writing, its last or first digits, a SIP address"),
    ("a", "The caller, A"),
    ("b", "Who was called first, B"),
    ("account", "Only this customer: the id, the beginning of one, or the name"),
    ("status", "Only this status"),
    ("scenario", "Only this scenario"),
    ("around", "Around this time"),
    ("within", "So long before and after it: 90s, 30m, 2h, 1d"),
    ("from", "From this time, inclusive"),
    ("to", "To this time, exclusive"),
    ("limit", "So many families, from 1 to 60"),
    ("after", "The `next` of the page before"),
];

/// The document, as its text.
#[must_use]
pub fn document() -> String {
    let mut generator = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .into_generator();
    let mut paths = Map::new();
    let mut add = |path: &str, id: &str, summary: &str, parameters: Vec<Value>, schema: Value| {
        let operation = json!({
            "operationId": id,
            "summary": summary,
            "parameters": parameters,
            "responses": {
                "200": {
                    "description": "The answer",
                    "headers": { "ETag": {
                        "description": "Names the state of the ledger; `If-None-Match` asks by it",
                        "schema": { "type": "string" },
                    } },
                    "content": { "application/json": { "schema": schema } },
                },
                "304": { "description": "The state of the ledger is that of `If-None-Match`" },
                "default": {
                    "description": "A problem",
                    "content": { "application/problem+json": {
                        "schema": { "$ref": "#/components/schemas/ProblemDetail" },
                    } },
                },
            },
        });
        paths.insert(path.to_owned(), json!({ "get": operation }));
    };
    let query = |all: &[Parameter]| -> Vec<Value> {
        let one = |(name, what): &Parameter| {
            json!({
                "name": name, "in": "query", "description": what, "schema": { "type": "string" },
            })
        };
        all.iter().map(one).collect()
    };
    let sid = json!({
        "name": "sid", "in": "path", "required": true, "description": "The id of the call",
        "schema": { "type": "string" },
    });
    let after = ("after", "The `next` of the page before");
    let calls = of::<CallsAnswer>(&mut generator);
    add("/api/v1/calls", "findCalls", "Calls, the newest families first", query(&CALLS), calls);
    let detail = of::<CallDetail>(&mut generator);
    add(
        "/api/v1/calls/{sid}",
        "getCall",
        "One call, and how its price came about",
        vec![sid],
        detail,
    );
    let waits = query(&[
        ("cause", "Only this cause"),
        ("reason", "Only this reason"),
        ("account", "Only this customer, by its id"),
        after,
    ]);
    let suspense = of::<SuspenseAnswer>(&mut generator);
    add(
        "/api/v1/suspense",
        "getSuspense",
        "What waits, by cause and record by record",
        waits,
        suspense,
    );
    let issued = query(&[
        ("period", "Only this month, YYYY-MM"),
        ("account", "Only this customer, by its id"),
        after,
    ]);
    let invoices = of::<Invoices>(&mut generator);
    add("/api/v1/invoices", "getInvoices", "Invoices and credit notes", issued, invoices);
    let runs = of::<Runs>(&mut generator);
    add("/api/v1/runs", "getRuns", "Runs, the newest first", Vec::new(), runs);
    let mut asks = query(&[
        ("number", "The number: + and 7 to 15 digits, or 911"),
        ("from", "The origin"),
        ("service", "termination or origination"),
        ("at", "The time of the call; else now"),
    ]);
    asks[0]["required"] = json!(true);
    let lookup = of::<LookupAnswer>(&mut generator);
    add("/api/v1/rates/lookup", "lookUp", "What a number costs, and which rows lose", asks, lookup);
    let _ = of::<ProblemDetail>(&mut generator);
    let schemas = generator.take_definitions(true);
    let whole = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "trunkrate console",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Reads a ledger; changes nothing. Money is text: exact decimals.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{}, { "token": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    });
    serde_json::to_string_pretty(&whole).expect("texts as keys") + "\n"
}

/// A reference to the schema of a type.
fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}
