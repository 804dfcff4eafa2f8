//! One grammar for decks: a deck that the rater reads, the second rater of the audit reads too, and
//! alike.
//!
//! # Why
//! A ledger is good only if both raters agree. If one reads a form that the other does not know
//! (`-0.0` as a price, a time without seconds), a good ledger cannot be proved. The README defines
//! the grammar; this test holds both to it.

use super::DeckRows;
use std::collections::BTreeMap;
use std::path::Path;
use trunkrate_audit::{SaidByRow, Tariff};
use trunkrate_kernel::deck::{Destination, NewRate};
use trunkrate_kernel::scenario::Direction;

fn of_rater(rate: &NewRate) -> SaidByRow {
    let NewRate { rate, destinations, origins } = rate;
    let destination = |destination: &Destination| match destination {
        Destination::Prefix(prefix) => prefix.as_str().to_owned(),
        Destination::Emergency => "emergency".to_owned(),
    };
    let seconds = [rate.increments.initial, rate.increments.increment, rate.increments.minimum];
    (
        rate.line.into(),
        rate.description.to_string(),
        rate.service == Direction::Termination,
        rate.price.units().into(),
        rate.fee.units().into(),
        seconds,
        destinations.iter().map(destination).collect(),
        origins.iter().map(|prefix| prefix.as_str().to_owned()).collect(),
        rate.effective.start,
        rate.effective.end,
    )
}

/// Cells that are valid in one column or another, in forms that people and programs write.
const CELLS: [&str; 48] = [
    "",
    " ",
    "0",
    "-0",
    "-0.0",
    "00.10",
    "0.0100",
    "1.",
    ".5",
    "+1",
    "-1",
    "1e3",
    "0.00000000001",
    "99999999",
    "100000000",
    "60",
    "061",
    "+60",
    "86400",
    "86401",
    "4294967296",
    "6.0",
    "1",
    "44",
    " 44 ",
    "\"1, 44,33\"",
    "\"1,,2\"",
    "ALL",
    "all",
    "emergency",
    "Emergency",
    "\"1,EMERGENCY\"",
    "004915",
    "+44",
    "termination",
    "Origination",
    "inbound",
    "2026-11-20",
    "2026-11-20T00:00Z",
    "2026-11-20 00:00:00.5+01:00",
    "2026-11-20 00:00 UTC",
    "Fri, 20 Nov 2026 00:00:00 GMT",
    "20261120T000000Z",
    "2026-02-30",
    "2026-11-20T24:00:00Z",
    "x\u{200b}",
    "a\"b",
    "\"a\"\"b\nc\"",
];
const TITLES: [&str; 13] = [
    "ISO",
    "Country",
    "Description",
    "Price / min",
    "origination_prefixes",
    "Destination Prefixes",
    "Service",
    "Initial Increment",
    "Increment",
    "Minimum",
    "Connection Fee",
    "EFFECTIVE FROM",
    "Effective To",
];

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 20_000, ..Default::default() })]

    /// One grammar for decks: a deck that the rater reads, the auditor reads alike.
    #[test]
    fn every_deck_that_the_rater_reads_the_auditor_reads_alike(
        rows in proptest::collection::vec(
            proptest::collection::vec((0..3_usize, proptest::sample::select(&CELLS[..])), 13),
            1..3,
        ),
        toml in (proptest::sample::select(&CELLS[..]), proptest::option::of(0..90_000_u32)),
        (mark, end, columns) in (
            proptest::bool::ANY,
            proptest::sample::select(&["\n", "\r\n", "\r", "\n\n"][..]),
            6..14_usize,
        ),
    ) {
        // Two cells in three are valid: a fully random row would hardly ever be read.
        let good = ["US", "United States", "a row", "0.01", "", "1", "", "", "", "", "", "", ""];
        let cells = |row: &Vec<(usize, &'static str)>| {
            let cell = |(at, (odd, cell)): (usize, &(usize, &'static str))| {
                if *odd == 0 { *cell } else { good[at] }
            };
            row.iter().enumerate().map(cell).take(columns).collect::<Vec<_>>().join(",")
        };
        let mut text = if mark { "\u{feff}".to_owned() } else { String::new() };
        let lines = [TITLES[..columns].join(",")].into_iter().chain(rows.iter().map(cells));
        text += &lines.collect::<Vec<_>>().join(end);
        let fee = toml.0.replace(['"', '\n'], "");
        let initial = toml.1.map(|seconds| format!("initial_increment = {seconds}\n"));
        let initial = initial.unwrap_or_default();
        let defaults = format!("name = 'n'\ncurrency = 'USD'\nconnection_fee = '{fee}'\n{initial}");
        let files: BTreeMap<String, Vec<u8>> = [
            ("deck.toml".to_owned(), defaults.into_bytes()),
            ("p.csv".to_owned(), text.clone().into_bytes()),
        ]
        .into();
        // The files as a run took them, and as they are read again for the audit.
        if let Ok(rater) = DeckRows::of_files(Path::new("rates"), "rates", &files) {
            let auditor = Tariff::load(&files, "rates", None, 5, "half-up");
            let failed = |problem| format!("{text}: {problem}");
            let auditor = auditor
                .map_err(|problem| proptest::test_runner::TestCaseError::fail(failed(problem)))?;
            let said: Vec<_> = rater.rows.iter().map(of_rater).collect();
            proptest::prop_assert_eq!(said, auditor.said_by_rows(), "{}", text);
        }
    }
}
