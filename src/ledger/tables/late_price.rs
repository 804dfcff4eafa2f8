//! Late prices, which came after their call was booked: a table of their own, merged into the log
//! when it is read.

use crate::ledger::error::{LedgerError, polars_error};
use crate::ledger::tables::columns;
use crate::ledger::tables::file;
use crate::ledger::tables::frame::{TextsBuilder, decimals, frame_of};
use crate::ledger::tables::stored::{Rows, text, units};
use crate::ledger::tables::typed::stored_row;
use crate::money::PRICE_DECIMALS;
use polars::prelude::*;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A price that came after its call was booked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LatePriceRow {
    /// The UTC day that its call started on.
    pub day: i32,
    /// The call.
    pub call_sid: String,
    /// In units of 10⁻¹⁰.
    pub price: i64,
}

/// Late prices of one day.
#[must_use]
pub fn table(rows: &[LatePriceRow]) -> DataFrame {
    let mut sids = TextsBuilder::new("call_sid", rows.len());
    for row in rows {
        sids.push_str(&row.call_sid);
    }
    let prices = rows.iter().map(|row| Some(row.price)).collect();
    frame_of(vec![sids.finish(), decimals("carrier_price", prices, PRICE_DECIMALS)])
}

stored_row! {
    /// A late price.
    struct StoredPrice<'a> of columns::PRICES {
        call_sid: &'a str,
        /// In units of 10⁻¹⁰; a charge is negative.
        carrier_price: i64,
    }
}

/// The late prices of a file, by call.
///
/// # Errors
/// If it cannot be read.
pub fn of_file(path: &Path) -> Result<Vec<(String, i64)>, LedgerError> {
    let mut prices = Vec::new();
    each_of_file(path, |sid, price| prices.push((sid.to_owned(), price)))?;
    Ok(prices)
}

/// Gives each late price of a file, with its call.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn each_of_file(
    path: &Path,
    mut then: impl FnMut(&str, i64),
) -> Result<(), LedgerError> {
    let frame = file::frame(path, StoredPrice::COLUMNS)?;
    let price_at = StoredPrice::reader(&Rows::new(path, 0, &frame))?;
    for row in 0..frame.height() {
        let late = price_at(row)?;
        then(late.call_sid, late.carrier_price);
    }
    Ok(())
}

/// The late prices of a day's calls; the later run wins.
pub(crate) fn of_files(paths: &[PathBuf]) -> Result<HashMap<String, i64>, LedgerError> {
    let mut prices = HashMap::new();
    for path in paths {
        prices.extend(of_file(path)?);
    }
    Ok(prices)
}

pub(crate) fn put_in(
    mut frame: DataFrame,
    prices: &HashMap<String, i64>,
) -> Result<DataFrame, LedgerError> {
    if prices.is_empty() {
        return Ok(frame);
    }
    let stored = units(&frame, "carrier_price");
    assert_eq!(stored.len(), frame.height(), "a price, or none, for each call");
    let late = |sid: Option<&str>| prices.get(sid?).copied().map(i128::from);
    let filled: Vec<Option<i128>> = text(&frame, "call_sid")
        .iter()
        .zip(stored)
        .map(|(sid, price)| late(sid).or(price))
        .collect();
    let scale = crate::money::PRICE_DECIMALS as usize;
    let column = Int128Chunked::new("carrier_price".into(), filled)
        .into_decimal_unchecked(crate::money::STORED_DIGITS as usize, scale);
    frame
        .replace("carrier_price", column.into_column())
        .map_err(polars_error(Path::new("calls")))?;
    Ok(frame)
}
