//! Documents with more charges than a page layout can hold: a line for each tax group replaces
//! them.
//!
//! **Invariant:** in each tax group, the lines and the charges have the same sum.

use crate::document::{Document, Exact, ItemLine, TaxCategory};
use rust_decimal::Decimal;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The most itemised legs, and the most monthly charges, in a PDF. A layout holds the whole
/// document in memory, 50 KB a row; CSV, HTML and the e-invoice have them all.
pub const PRINTED: usize = 2_500;

/// The document; more than [`PRINTED`] charges are replaced by one per tax group.
pub fn document(document: &Document) -> Cow<'_, Document> {
    if document.items.len() <= PRINTED {
        return Cow::Borrowed(document);
    }
    let mut groups: BTreeMap<(TaxCategory, Decimal), (usize, Decimal)> = BTreeMap::new();
    for item in &document.items {
        let (count, sum) = groups.entry((item.tax_category, item.tax_rate.0)).or_default();
        *count += 1;
        *sum = sum.checked_add(item.amount.0).expect("the document's own sum of them fits");
    }
    let line = |((tax_category, rate), (count, sum)): (
        (TaxCategory, Decimal),
        (usize, Decimal),
    )| ItemLine {
        description: format!(
            "{count} charges, one by one in the CSV, the HTML and the e-invoice of this document"
        ),
        quantity: Exact(Decimal::ONE),
        unit_price: Exact(sum),
        amount: Exact(sum),
        tax_category,
        tax_rate: Exact(rate),
    };
    let items = groups.into_iter().map(line).collect();
    Cow::Owned(Document { items, ..document.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::build::samples;

    #[test]
    fn charges_are_summed_up_by_their_tax() {
        let mut many = samples::invoice("EUR", 3);
        let charge = |amount: &str, tax_rate: &str| ItemLine {
            description: "Number".to_owned(),
            quantity: Exact(Decimal::ONE),
            unit_price: Exact(amount.parse().unwrap()),
            amount: Exact(amount.parse().unwrap()),
            tax_category: TaxCategory::Standard,
            tax_rate: Exact(tax_rate.parse().unwrap()),
        };
        many.items = (0..PRINTED).map(|_| charge("1.15", "19")).collect();
        assert!(matches!(document(&many), Cow::Borrowed(_)), "so many are printed one by one");
        many.items.push(charge("0.333", "7"));
        let shown = document(&many);
        let lines: Vec<(String, String)> = shown
            .items
            .iter()
            .map(|item| (item.tax_rate.to_string(), item.amount.to_string()))
            .collect();
        // 2,500 × 1.15.
        assert_eq!(
            lines,
            [("7".to_owned(), "0.333".to_owned()), ("19".to_owned(), "2875.00".to_owned())]
        );
        assert!(shown.items[1].description.starts_with("2500 charges, one by one in the CSV"));
        assert_eq!(shown.totals, many.totals);
    }
}
