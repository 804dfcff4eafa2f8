//! Documents as CSV: for spreadsheets.
//!
//! The file of a document has one row per line, and its totals as rows of their own, distinguished
//! by `kind`:
//!
//! | kind | row | `amount` |
//! |---|---|---|
//! | `usage` | a line of usage | the sum of its legs |
//! | `item` | a monthly charge | quantity × unit price |
//! | `tax-group` | the lines of one tax, with `sum`, `rounding` and `taxable` | the tax on them |
//! | `sum`, `rounding`, `net`, `tax`, `total` | the totals | themselves |
//!
//! The rows `usage` and `item` add up to `sum`.
//!
//! **Invariant:** a spreadsheet runs no cell as a formula, whoever wrote its text ([`cell`]). A
//! decimal is the document's own text.

use super::FormatError;
use crate::document::{Document, Exact, ItemisedLeg};
use crate::text::cell;

/// The columns of a document, in their order.
pub const COLUMNS: [&str; 21] = [
    "document",
    "kind",
    "period",
    "scenario",
    "service",
    "description",
    "quantity",
    "unit_price",
    "price_per_minute",
    "connection_fee",
    "calls",
    "legs",
    "billed_seconds",
    "billed_minutes",
    "sum",
    "rounding",
    "taxable",
    "tax_category",
    "tax_rate",
    "amount",
    "currency",
];

/// The columns of an itemisation, in their order.
pub const CALL_COLUMNS: [&str; 10] = [
    "start",
    "call_sid",
    "from",
    "to",
    "scenario",
    "service",
    "description",
    "duration_seconds",
    "billed_seconds",
    "amount",
];

/// A document as CSV, with a header.
///
/// # Errors
/// [`FormatError::Document`] if the rows cannot be written.
pub fn document(document: &Document) -> Result<Vec<u8>, FormatError> {
    let name = document.number.as_deref().unwrap_or_default();
    let mut table = CsvTable::new(name, &COLUMNS)?;
    let mut row = |kind: &str, period: &str, cells: &[(&str, String)], amount: Exact| {
        let mut cells = cells.to_vec();
        let own = [
            ("document", name),
            ("kind", kind),
            ("period", period),
            ("currency", &document.currency),
        ];
        cells.extend(own.map(|(column, text)| (column, text.to_owned())));
        cells.push(("amount", amount.to_string()));
        table.row(&COLUMNS, &cells)
    };
    let month = document.period.month.as_str();
    for line in &document.usage {
        let cells = [
            ("scenario", line.scenario.clone()),
            ("service", line.service.clone()),
            ("description", line.description.clone()),
            ("price_per_minute", line.price_per_minute.to_string()),
            ("connection_fee", line.connection_fee.to_string()),
            ("calls", line.calls.to_string()),
            ("legs", line.legs.to_string()),
            ("billed_seconds", line.billed_seconds.to_string()),
            ("billed_minutes", line.billed_minutes.clone()),
            ("tax_category", line.tax_category.as_str().to_owned()),
            ("tax_rate", line.tax_rate.to_string()),
        ];
        row("usage", line.late.as_deref().unwrap_or(month), &cells, line.amount)?;
    }
    for item in &document.items {
        let cells = [
            ("description", item.description.clone()),
            ("quantity", item.quantity.to_string()),
            ("unit_price", item.unit_price.to_string()),
            ("tax_category", item.tax_category.as_str().to_owned()),
            ("tax_rate", item.tax_rate.to_string()),
        ];
        row("item", month, &cells, item.amount)?;
    }
    for group in &document.taxes {
        let cells = [
            ("description", group.reason.clone()),
            ("sum", group.sum.to_string()),
            ("rounding", group.rounding.to_string()),
            ("taxable", group.taxable.to_string()),
            ("tax_category", group.category.as_str().to_owned()),
            ("tax_rate", group.rate.to_string()),
        ];
        row("tax-group", month, &cells, group.tax)?;
    }
    let totals = &document.totals;
    for (kind, amount) in [
        ("sum", totals.sum),
        ("rounding", totals.rounding),
        ("net", totals.net),
        ("tax", totals.tax),
        ("total", totals.total),
    ] {
        row(kind, month, &[], amount)?;
    }
    table.done()
}

/// An itemisation as CSV, with a header.
///
/// # Errors
/// [`FormatError::Document`] if the rows cannot be written.
pub fn calls(legs: &[ItemisedLeg]) -> Result<Vec<u8>, FormatError> {
    let mut table = CsvTable::new("the calls", &CALL_COLUMNS)?;
    for leg in legs {
        let (duration, billed, amount) = (
            leg.duration_seconds.to_string(),
            leg.billed_seconds.to_string(),
            leg.amount.to_string(),
        );
        let texts = [
            &leg.start,
            &leg.call_sid,
            &leg.from,
            &leg.to,
            &leg.scenario,
            &leg.service,
            &leg.description,
        ];
        table.write(texts.into_iter().chain([&duration, &billed, &amount]).map(String::as_str))?;
    }
    table.done()
}

/// A table that is being written.
struct CsvTable {
    document: String,
    writer: ::csv::Writer<Vec<u8>>,
}

impl CsvTable {
    fn new(document: &str, columns: &[&str]) -> Result<Self, FormatError> {
        let mut table =
            Self { document: document.to_owned(), writer: ::csv::Writer::from_writer(Vec::new()) };
        table.write(columns.iter().copied())?;
        Ok(table)
    }

    /// Writes a row from cells named by their columns; all other cells are empty.
    fn row(&mut self, columns: &[&str], cells: &[(&str, String)]) -> Result<(), FormatError> {
        let of = |column: &&str| {
            cells.iter().find(|(name, _)| name == column).map_or("", |(_, text)| text.as_str())
        };
        self.write(columns.iter().map(of))
    }

    fn write<'a>(&mut self, cells: impl Iterator<Item = &'a str>) -> Result<(), FormatError> {
        for text in cells {
            let written = self.writer.write_field(cell(text).as_bytes());
            written.map_err(|e| failed(&self.document, &e.to_string()))?;
        }
        self.writer.write_record(None::<&[u8]>).map_err(|e| failed(&self.document, &e.to_string()))
    }

    fn done(self) -> Result<Vec<u8>, FormatError> {
        self.writer.into_inner().map_err(|e| failed(&self.document, &e.to_string()))
    }
}

fn failed(document: &str, problem: &str) -> FormatError {
    FormatError::Document {
        document: document.to_owned(),
        format: "CSV",
        problem: problem.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::build::samples;
    use rust_decimal::Decimal;
    use std::collections::HashMap;

    fn rows(bytes: &[u8]) -> Vec<HashMap<String, String>> {
        ::csv::Reader::from_reader(bytes).deserialize().map(|row| row.expect("a row")).collect()
    }

    #[test]
    fn rows_add_up_to_the_totals() {
        for (currency, lines) in [("EUR", 0), ("EUR", 3), ("KWD", 40), ("JPY", 7)] {
            let made = samples::invoice(currency, lines);
            let rows = rows(&document(&made).expect("a table"));
            let sum = |kinds: &[&str], column: &str| -> Decimal {
                let of_kind = rows.iter().filter(|row| kinds.contains(&row["kind"].as_str()));
                of_kind.map(|row| row[column].parse::<Decimal>().expect("a decimal")).sum()
            };
            assert_eq!(sum(&["usage", "item"], "amount"), made.totals.sum.0);
            assert_eq!(sum(&["tax-group"], "sum"), made.totals.sum.0);
            assert_eq!(sum(&["sum", "rounding"], "amount"), made.totals.net.0);
            assert_eq!(
                sum(&["net"], "amount") + sum(&["tax-group"], "amount"),
                made.totals.total.0
            );
            let total = rows.last().expect("a row");
            assert_eq!(
                (total["kind"].as_str(), total["amount"].clone()),
                ("total", made.totals.total.to_string())
            );
            assert!(
                rows.iter()
                    .all(|row| row["currency"] == currency && row["document"] == "INV-2026-000001")
            );
        }
    }

    #[test]
    fn a_row_of_each_kind() {
        let mut made = samples::invoice("EUR", 7);
        made.usage[0].description = "=HYPERLINK(\"http://evil\")".into();
        made.items[0].description = "+442079460110".into();
        let text = String::from_utf8(document(&made).expect("a table")).expect("UTF-8");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], COLUMNS.join(","));
        assert_eq!(
            lines[1],
            "INV-2026-000001,usage,2026-11,origination,origination,\"'=HYPERLINK(\"\"http://evil\"\")\",,,0.0026,0.0000,3,3,180,3,,,,standard,19,0.00780003,EUR"
        );
        assert!(lines[7].starts_with("INV-2026-000001,usage,2026-10,termination,"), "{}", lines[7]);
        assert_eq!(
            lines[8],
            "INV-2026-000001,item,2026-11,,,+442079460110,1,1.15,,,,,,,,,,standard,19,1.15,EUR"
        );
        assert_eq!(
            lines[10],
            "INV-2026-000001,tax-group,2026-11,,,,,,,,,,,,50.25920021,0.00079979,50.26,standard,19,9.55,EUR"
        );
        let kinds: Vec<_> = lines[11..].iter().filter_map(|line| line.split(',').nth(1)).collect();
        assert_eq!(kinds, ["sum", "rounding", "net", "tax", "total"]);
    }

    #[test]
    fn calls_are_rows() {
        let leg = ItemisedLeg {
            start: "2026-11-20T21:15:00Z".into(),
            call_sid: "CA1".into(),
            from: "@SUM(A1)".into(),
            to: "+442079460110".into(),
            scenario: "termination".into(),
            service: "termination".into(),
            description: "a, \"b\"".into(),
            duration_seconds: 61,
            billed_seconds: 120,
            amount: Exact(Decimal::new(2000, 5)),
        };
        let text = String::from_utf8(calls(&[leg]).expect("a table")).expect("UTF-8");
        let expected = "2026-11-20T21:15:00Z,CA1,'@SUM(A1),+442079460110,termination,termination,\"a, \"\"b\"\"\",61,120,0.02000";
        assert_eq!(text, format!("{}\n{expected}\n", CALL_COLUMNS.join(",")));
    }
}
