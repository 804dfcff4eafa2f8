//! Laws: what holds for every night, whatever is in it.
//!
//! The numbers (I1, I3, …) are those of the list of revenue-assurance invariants. Nights come from
//! [`crate::oracle`] and go through the binary, so that reading, booking and exporting are held to
//! the laws too.

mod silence;

use crate::naive::{Record, billed_seconds, leg_amount};
use crate::oracle::{self, Night, consistent_night, fixed, naive_deck, night, one};
use crate::support::{Done, HEADER, Night as Folder};
use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use trunkrate::deck::{Increments, Rate};
use trunkrate::money::{LegRounding, LegRule, Price};
use trunkrate::party::Party;
use trunkrate::rating::charge;
use trunkrate::scenario::Direction;

// ---- a night on disk
// --------------------------------------------------------------------------------------------

/// A row of an export, by column.
type Row = BTreeMap<String, String>;

/// Writes deck, trunks and configuration of a night.
pub fn furnish(night: &Night) -> Folder {
    let folder = Folder::new();
    folder.file("rates/deck.toml", "name = \"test\"\ncurrency = \"USD\"\n");
    for (name, text) in &night.deck {
        folder.file(&format!("rates/{name}"), text);
    }
    let policy = &night.policy;
    let config = format!(
        "[money]\nleg_decimals = {}\nleg_rounding = \"{}\"\n[policy]\nchained_transfers = \"{}\"\nmax_call_seconds = {}\nparent_wait_days = {}\n",
        policy.leg_decimals,
        policy.leg_rounding,
        if policy.chained_to_root { "root" } else { "suspend" },
        policy.max_call_seconds,
        policy.parent_wait_days
    );
    folder.file("trunkrate.toml", config);
    if let Some(trunks) = &night.trunks {
        let list: Vec<Value> = trunks
            .iter()
            .map(|t| {
                let (mode, caller_id) = (&t.mode, &t.caller_id);
                serde_json::json!({"sid": t.sid, "domain_name": t.domain, "transfer_mode": mode, "transfer_caller_id": caller_id})
            })
            .collect();
        folder.file("trunks.json", serde_json::json!({ "trunks": list }).to_string());
    }
    folder
}

/// Records as a call file.
pub fn call_file(records: &[Record]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(HEADER.split(',')).expect("a header");
    for record in records {
        let cells = HEADER.split(',').map(|name| record.get(name).map_or("", String::as_str));
        writer.write_record(cells).expect("a record");
    }
    writer.into_inner().expect("a file")
}

/// Runs the binary over call files of a furnished folder.
pub fn rate(
    folder: &Folder,
    night: &Night,
    cdrs: &str,
    more: &[&str],
    env: &[(&str, &str)],
) -> Done {
    let mut args = vec!["run", "--cdrs", cdrs, "--rates", "rates", "--format", "json"];
    if night.trunks.is_some() {
        args.extend(["--trunks", "trunks.json"]);
    }
    args.extend(more);
    folder.trunkrate_env(&args, env)
}

/// A night that was rated from one file: the folder and the summary.
fn rated(night: &Night) -> (Folder, Value) {
    let folder = furnish(night);
    folder.file("calls.csv", call_file(&night.records));
    let summary = rate(&folder, night, "calls.csv", &[], &[]).json();
    (folder, summary)
}

fn export(folder: &Folder, what: &str) -> String {
    folder.trunkrate(&["export", what]).ok()
}

fn rows(folder: &Folder, what: &str) -> Vec<Row> {
    csv_rows(&export(folder, what))
}

fn csv_rows(text: &str) -> Vec<Row> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.deserialize().map(|row| row.expect("a row of CSV")).collect()
}

/// The rows without some columns, in an order of their own.
fn without(rows: &[Row], columns: &[&str]) -> BTreeSet<Vec<(String, String)>> {
    let kept = |row: &Row| {
        let cells = row.iter().filter(|(name, _)| !columns.contains(&name.as_str()));
        cells.map(|(name, cell)| (name.clone(), cell.clone())).collect::<Vec<_>>()
    };
    let set: BTreeSet<_> = rows.iter().map(kept).collect();
    assert_eq!(set.len(), rows.len(), "no row stands twice");
    set
}

fn money(text: &str) -> Decimal {
    Decimal::from_str_exact(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn count(summary: &Value, name: &str) -> u64 {
    summary[name].as_u64().unwrap_or_else(|| panic!("no {name} in {summary}"))
}

/// I1 and I3, in the run's own words.
#[track_caller]
fn assert_conserved(summary: &Value) {
    for of in [summary, &summary["seconds"]] {
        let ends =
            ["rated", "free", "duplicate", "ignored", "suspended"].map(|class| count(of, class));
        assert_eq!(count(of, "read") + count(of, "retried"), ends.iter().sum::<u64>(), "{summary}");
    }
    let reasons = summary["suspended_by_reason"].as_object().expect("reasons");
    assert_eq!(
        reasons.values().filter_map(Value::as_u64).sum::<u64>(),
        count(summary, "suspended")
    );
}

// ---- one run
// ----------------------------------------------------------------------------------------------------

/// Nights of some hundred records, the same every time.
pub fn some_nights(count: u8) -> impl Iterator<Item = Night> {
    let strategy = night(200..300_usize);
    (0..count).map(move |seed| one(&strategy, seed))
}

#[test]
fn i1_i3_every_record_and_every_second_ends_somewhere() {
    for night in some_nights(6) {
        let (folder, summary) = rated(&night);
        assert_conserved(&summary);
        assert_eq!(count(&summary, "read"), night.records.len() as u64);
        let calls = rows(&folder, "calls");
        for class in ["rated", "free"] {
            let of_class: Vec<_> = calls.iter().filter(|row| row["class"] == class).collect();
            let seconds: u64 = of_class
                .iter()
                .map(|row| row["duration_seconds"].parse::<u64>().expect("seconds"))
                .sum();
            assert_eq!(
                (of_class.len() as u64, seconds),
                (count(&summary, class), count(&summary["seconds"], class)),
                "{class}"
            );
        }
        assert_eq!(rows(&folder, "suspense").len() as u64, count(&summary, "suspended"));
        assert_eq!(folder.trunkrate(&["verify"]).code, 0);
    }
}

#[test]
fn i6_i8_i9_i10_the_legs_are_those_of_the_calls() {
    for night in some_nights(6) {
        let (folder, summary) = rated(&night);
        let (legs, calls) = (rows(&folder, "legs"), rows(&folder, "calls"));
        let rated = |row: &&Row| row["class"] == "rated";
        let expected: usize = calls
            .iter()
            .filter(rated)
            .map(|row| if row["scenario"].ends_with("-to-pstn") { 2 } else { 1 })
            .sum();
        assert_eq!((legs.len(), legs.len() as u64), (expected, count(&summary, "legs")));
        let by_sid: BTreeMap<&str, &Row> =
            calls.iter().map(|row| (row["call_sid"].as_str(), row)).collect();
        assert_eq!(by_sid.len(), calls.len(), "every call is logged once");
        let ids: BTreeSet<_> = legs.iter().map(|leg| (&leg["call_sid"], &leg["leg"])).collect();
        assert_eq!(ids.len(), legs.len(), "every leg is booked once");
        let mut sums: BTreeMap<&str, Decimal> = BTreeMap::new();
        for leg in &legs {
            let call = by_sid[leg["call_sid"].as_str()];
            for shared in [
                "parent_call_sid",
                "account_sid",
                "trunk_sid",
                "scenario",
                "start_time",
                "duration_seconds",
                "run_id",
            ] {
                assert_eq!(leg[shared], call[shared], "{shared} of {leg:?}");
            }
            assert_eq!((call["class"].as_str(), call["status"].as_str()), ("rated", "completed"));
            assert_ne!(leg["duration_seconds"], "0");
            assert!(
                !money(&leg["amount"]).is_sign_negative()
                    && !leg["billed_seconds"].starts_with('-'),
                "{leg:?}"
            );
            *sums.entry(&leg["call_sid"]).or_default() += money(&leg["amount"]);
        }
        for call in &calls {
            assert_eq!(
                sums.contains_key(call["call_sid"].as_str()),
                call["class"] == "rated",
                "{call:?}"
            );
            let sum = sums.get(call["call_sid"].as_str()).copied().unwrap_or_default();
            assert_eq!(money(&call["amount"]), sum, "{call:?}");
        }
        assert_eq!(
            sums.values().sum::<Decimal>(),
            summary["amount"]["USD"].as_str().map_or(Decimal::ZERO, money)
        );
    }
}

#[test]
fn i11_every_amount_can_be_worked_out_again_from_its_row() {
    for night in some_nights(6) {
        let (folder, _) = rated(&night);
        let deck = naive_deck(&night.deck);
        for leg in rows(&folder, "legs") {
            let row = deck.iter().find(|row| {
                row.file == leg["deck_file"] && row.line.to_string() == leg["deck_line"]
            });
            let row = row.unwrap_or_else(|| panic!("no such row: {leg:?}"));
            assert_eq!(
                (money(&leg["price_per_minute"]), money(&leg["connection_fee"])),
                (row.price, row.fee)
            );
            let billed = billed_seconds(
                leg["duration_seconds"].parse().expect("seconds"),
                row.minimum,
                row.initial,
                row.increment,
            );
            assert_eq!(leg["billed_seconds"], billed.to_string());
            let amount = leg_amount(
                row.fee,
                row.price,
                billed,
                night.policy.leg_decimals,
                &night.policy.leg_rounding,
            );
            assert_eq!(money(&leg["amount"]), amount, "{leg:?}");
        }
    }
}

#[test]
fn i12_i13_an_invoice_is_the_sum_of_its_legs() {
    let half_a_cent = money("0.005");
    for night in some_nights(6) {
        let (folder, summary) = rated(&night);
        let mut sums: BTreeMap<(String, String), Decimal> = BTreeMap::new();
        for leg in rows(&folder, "legs") {
            *sums
                .entry((leg["start_time"][..7].to_owned(), leg["account_sid"].clone()))
                .or_default() += money(&leg["amount"]);
        }
        let months: BTreeSet<&String> = sums.keys().map(|(month, _)| month).collect();
        let mut invoiced = Decimal::ZERO;
        for month in months {
            folder.trunkrate(&["invoice", "--period", month, "--out", month]).ok();
            let read = |name: &str| {
                std::fs::read_to_string(folder.path().join(month).join(name))
                    .expect("an invoice file")
            };
            let index: Value = serde_json::from_str(&read("index.json")).expect("JSON");
            let invoices = index["invoices"].as_array().expect("a list");
            assert_eq!(invoices.len(), sums.keys().filter(|(of, _)| of == month).count());
            for entry in invoices {
                let stem = entry["file"].as_str().expect("a file");
                let invoice: Value =
                    serde_json::from_str(&read(&format!("{stem}.json"))).expect("JSON");
                let field = |name: &str| money(invoice[name].as_str().expect("money"));
                let lines = invoice["lines"].as_array().expect("lines");
                let lines: Decimal =
                    lines.iter().map(|line| money(line["amount"].as_str().expect("money"))).sum();
                let account = invoice["account_sid"].as_str().expect("an account").to_owned();
                assert_eq!(
                    (lines, lines),
                    (field("sum"), sums[&(month.clone(), account)]),
                    "{invoice:#}"
                );
                assert_eq!(field("sum") + field("rounding"), field("total"));
                assert_eq!(field("total").scale(), 2);
                assert!(
                    field("rounding") > -half_a_cent && field("rounding") <= half_a_cent,
                    "half up: {invoice:#}"
                );
                // The CSV says the same: its lines, then sum, rounding, total.
                let table = csv_rows(&read(&format!("{stem}.csv")));
                let (printed, ends) = table.split_at(table.len() - 3);
                assert_eq!(
                    printed.iter().map(|line| money(&line["amount"])).sum::<Decimal>(),
                    lines
                );
                for (row, name) in ends.iter().zip(["sum", "rounding", "total"]) {
                    assert_eq!(
                        (row["scenario"].as_str(), money(&row["amount"])),
                        (name, field(name))
                    );
                }
                invoiced += field("sum");
            }
        }
        assert_eq!(invoiced, summary["amount"]["USD"].as_str().map_or(Decimal::ZERO, money));
    }
}

fn price() -> impl Strategy<Value = Price> {
    (0_i64..100_000_000_000).prop_map(Price::from_units)
}

proptest! {
    #![proptest_config(fixed(2000))]

    #[test]
    fn i16_more_seconds_or_a_higher_price_never_cost_less(
        prices in [price(), price()],
        fee in price(),
        durations in [1_u32..90_000, 1_u32..90_000],
        (initial, increment, minimum) in (0_u32..200, 1_u32..200, 0_u32..200),
        decimals in 0_u32..=8,
        rounding in prop::sample::select(vec![LegRounding::HalfUp, LegRounding::HalfEven, LegRounding::Up]),
    ) {
        let cost = |price: Price, seconds: u32| {
            let rate = Rate {
                service: Direction::Termination,
                price,
                fee,
                increments: Increments { initial, increment, minimum },
                iso: "".into(),
                country: "".into(),
                description: "".into(),
                effective: i64::MIN..i64::MAX,
                file: 0,
                line: 1,
            };
            charge(&rate, seconds, LegRule { decimals, rounding }).map(|charge| charge.amount)
        };
        let (low, high) = (prices[0].min(prices[1]), prices[0].max(prices[1]));
        let (short, long) = (durations[0].min(durations[1]), durations[0].max(durations[1]));
        prop_assert!(cost(low, short)? <= cost(low, long)?);
        prop_assert!(cost(low, short)? <= cost(high, short)?);
        prop_assert!(cost(low, short)? >= cost(Price::ZERO, short)?);
    }

    /// The ledger keeps the text of a party, and reads the party from it again for a child that
    /// comes later.
    #[test]
    fn the_text_of_a_party_reads_back_as_that_party(text in oracle::party()) {
        let party = Party::of_root(text.trim());
        let written = match &party {
            Party::Number(number) => number.to_string(),
            Party::Endpoint(text) | Party::Unknown(text) => text.clone().into_owned(),
        };
        prop_assert_eq!(Party::of_root(&written), party.clone());
    }
}

// ---- the same night in other ways
// --------------------------------------------------------------------------------

/// What waits, without where it stood: how often each row is there.
type Waiting = BTreeMap<Vec<(String, String)>, usize>;

/// What must not change: legs and calls, byte by byte; what waits, but for where it stood.
fn outputs(folder: &Folder) -> (String, String, Waiting) {
    let mut waiting = Waiting::new();
    for mut row in rows(folder, "suspense") {
        row.retain(|name, _| {
            ["call_sid", "parent_call_sid", "account_sid", "reason", "first_seen", "tries"]
                .contains(&name.as_str())
        });
        *waiting.entry(row.into_iter().collect()).or_default() += 1;
    }
    (export(folder, "legs"), export(folder, "calls"), waiting)
}

#[test]
fn i18_i20_threads_zone_and_language_change_nothing() {
    type Way = (&'static [&'static str], &'static [(&'static str, &'static str)]);
    let ways: [Way; 5] = [
        (&["--threads", "1"], &[]),
        (&["--threads", "8"], &[]),
        (&[], &[("TZ", "Asia/Kathmandu")]),
        (&[], &[("LANG", "tr_TR.UTF-8"), ("LC_ALL", "tr_TR.UTF-8")]),
        (&[], &[("LC_ALL", "C"), ("TZ", "America/St_Johns")]),
    ];
    for night in some_nights(2) {
        let (folder, _) = rated(&night);
        let expected = outputs(&folder);
        for (more, env) in ways {
            let folder = furnish(&night);
            folder.file("calls.csv", call_file(&night.records));
            rate(&folder, &night, "calls.csv", more, env).ok();
            assert_eq!(outputs(&folder), expected, "{more:?} {env:?}");
        }
    }
}

#[test]
fn i19_i21_rows_and_files_in_any_order_change_nothing() {
    for (seed, night) in (0..).zip(some_nights(3)) {
        let (folder, summary) = rated(&night);
        let expected = outputs(&folder);
        let shuffled = one(&Just(night.records.clone()).prop_shuffle(), seed);
        for (files, reverse) in [(1, false), (5, false), (5, true), (40, false)] {
            let folder = furnish(&night);
            let size = shuffled.len().div_ceil(files);
            for (number, part) in shuffled.chunks(size).enumerate() {
                let number = if reverse { 1000 - number } else { number };
                folder.file(&format!("calls/{}/part-{number:04}.csv", number % 3), call_file(part));
            }
            let again = rate(&folder, &night, "calls", &[], &[]).json();
            assert_eq!(again, summary, "the run's name, too");
            assert_eq!(outputs(&folder), expected, "{files} files");
        }
    }
}

#[test]
fn i21_one_night_or_the_same_records_in_three_nights() {
    let strategy = consistent_night(150..200_usize);
    for seed in 0..6 {
        let night = one(&strategy, seed);
        let (folder, _) = rated(&night);
        let expected = without(&rows(&folder, "legs"), &["run_id"]);
        let folder = furnish(&night);
        for (number, part) in night.records.chunks(night.records.len().div_ceil(3)).enumerate() {
            let name = format!("calls-{number}.csv");
            folder.file(&name, call_file(part));
            assert_conserved(&rate(&folder, &night, &name, &[], &[]).json());
        }
        assert_eq!(without(&rows(&folder, "legs"), &["run_id"]), expected, "seed {seed}");
        assert_eq!(folder.trunkrate(&["verify"]).code, 0);
    }
}

#[test]
fn i22_the_same_night_again_books_nothing() {
    for night in some_nights(4) {
        let (folder, first) = rated(&night);
        let before = (export(&folder, "legs"), export(&folder, "calls"));
        let again = rate(&folder, &night, "calls.csv", &[], &[]).json();
        assert_conserved(&again);
        let counts = ["read", "retried", "rated", "free", "legs"].map(|name| count(&again, name));
        assert_eq!(counts, [count(&first, "read"), count(&first, "suspended"), 0, 0, 0]);
        assert_eq!(again["suspended_by_reason"], first["suspended_by_reason"]);
        assert_eq!(again["ignored"], first["ignored"]);
        assert_eq!((export(&folder, "legs"), export(&folder, "calls")), before);
        assert_eq!(folder.trunkrate(&["verify"]).code, 0);
    }
}

#[test]
fn i23_other_ids_change_no_amount() {
    let relabel =
        |text: &str| if text.is_empty() { String::new() } else { format!("other-{text}") };
    for night in some_nights(3) {
        let (folder, _) = rated(&night);
        let expected = without(&rows(&folder, "legs"), &["run_id"]);
        let mut other = night.clone();
        for record in &mut other.records {
            for field in ["sid", "parent_call_sid", "account_sid"] {
                let text = relabel(&record[field]);
                record.insert(field.to_owned(), text);
            }
        }
        let (folder, _) = rated(&other);
        let mut legs = rows(&folder, "legs");
        for leg in &mut legs {
            for field in ["call_sid", "parent_call_sid", "account_sid"] {
                let text = leg[field].strip_prefix("other-").unwrap_or_default().to_owned();
                leg.insert(field.to_owned(), text);
            }
        }
        assert_eq!(without(&legs, &["run_id"]), expected);
    }
}

#[test]
fn i24_another_account_changes_nobody_elses_rows() {
    let stranger = |record: &Record| {
        let mut record = record.clone();
        for field in ["sid", "parent_call_sid", "account_sid"] {
            let text = if record[field].is_empty() {
                String::new()
            } else {
                format!("stranger-{}", record[field])
            };
            record.insert(field.to_owned(), text);
        }
        record
    };
    let nights: Vec<Night> = some_nights(4).collect();
    for pair in nights.windows(2) {
        let (folder, _) = rated(&pair[0]);
        let mut both = pair[0].clone();
        both.records.extend(pair[1].records.iter().map(stranger));
        let (with_stranger, _) = rated(&both);
        for what in ["legs", "calls"] {
            let mut others = rows(&with_stranger, what);
            others.retain(|row| !row["account_sid"].starts_with("stranger-"));
            assert_eq!(
                without(&others, &["run_id"]),
                without(&rows(&folder, what), &["run_id"]),
                "{what}"
            );
        }
    }
}

// ---- long chains and wide families
// -------------------------------------------------------------------------------

const MANY: usize = 100_000;

/// A call of a family that starts with `CA0`; its parent is another call, or nobody.
fn link(at: usize, parent: Option<usize>) -> String {
    match parent {
        None => format!(
            "CA{at},,AC1,,trunking-terminating,+12025550101,+12025550102,2026-11-20T21:00:00Z,,60,completed,,,,\n"
        ),
        Some(parent) => format!(
            "CA{at},CA{parent},AC1,,,,+12025550103,2026-11-20T21:00:00Z,,60,completed,,,,\n"
        ),
    }
}

fn rate_links(config: &str, links: impl Iterator<Item = String>) -> Value {
    let folder = Folder::with_plain_deck();
    folder.file("trunkrate.toml", config);
    folder.file("calls.csv", format!("{HEADER}\n{}", links.collect::<String>()));
    let summary = folder.run(&[]);
    assert_conserved(&summary);
    summary
}

#[test]
fn a_chain_of_100_000_calls_ends() {
    let chain = || (0..MANY).map(|at| link(at, at.checked_sub(1)));
    let many = MANY as u64;
    let summary = rate_links("", chain());
    assert_eq!([count(&summary, "rated"), count(&summary, "legs")], [2, 3]);
    assert_eq!(
        summary["suspended_by_reason"],
        serde_json::json!({"chained-transfer": 1, "parent-suspended": many - 3})
    );
    let root = "[policy]\nchained_transfers = \"root\"\n";
    for chain in [chain().collect::<Vec<_>>(), chain().rev().collect()] {
        let summary = rate_links(root, chain.into_iter());
        assert_eq!([count(&summary, "rated"), count(&summary, "legs")], [many, 2 * many - 1]);
    }
    // The same as a ring: every call is its own ancestor.
    let ring = MANY / 10;
    let summary = rate_links(root, (0..ring).map(|at| link(at, Some((at + 1) % ring))));
    assert_eq!(summary["suspended_by_reason"], serde_json::json!({"parent-cycle": ring}));
}

#[test]
fn a_family_of_100_000_children_ends() {
    let summary = rate_links("", (0..=MANY).map(|at| link(at, (at > 0).then_some(0))));
    assert_eq!(
        [count(&summary, "rated"), count(&summary, "legs")],
        [MANY as u64 + 1, 2 * MANY as u64 + 1]
    );
}

// ---- from night to night
// ----------------------------------------------------------------------------------------

const PARENT: &str =
    "CA1,,AC1,,trunking-terminating,+12025550101,+12025550102,2026-11-20T21:00:00Z,,300,completed";
const CHILD: &str = "CA2,CA1,AC1,,,,+12025550103,2026-11-20T21:05:00Z,,370,completed";

/// Rates several nights, one after the other, into one ledger.
fn nights(nights: &[&[&str]]) -> (Folder, Vec<Value>) {
    let folder = Folder::with_plain_deck();
    let rate = |rows: &&[&str]| {
        folder.calls(rows);
        let summary = folder.run(&[]);
        assert_conserved(&summary);
        summary
    };
    let summaries = nights.iter().map(rate).collect();
    folder.trunkrate(&["verify"]).ok();
    (folder, summaries)
}

/// Where the records of a run ended: `read+retried=rated,free,duplicate,ignored,suspended`, legs,
/// amount.
fn ends(summary: &Value) -> String {
    let [read, retried, rated, free, duplicate, ignored, suspended, legs] =
        ["read", "retried", "rated", "free", "duplicate", "ignored", "suspended", "legs"]
            .map(|name| count(summary, name));
    let amount = summary["amount"]["USD"].as_str().unwrap_or("-");
    let reasons: Vec<_> =
        summary["suspended_by_reason"].as_object().expect("reasons").keys().cloned().collect();
    format!(
        "{read}+{retried}={rated},{free},{duplicate},{ignored},{suspended} {legs} {amount} {}",
        reasons.join(" ")
    )
    .trim_end()
    .to_owned()
}

/// 300 s are 5 minutes at 0.0100; 370 s are 7 minutes, twice 0.0100.
#[test]
fn a_child_waits_for_its_parent() {
    let (folder, runs) = nights(&[&[CHILD], &[], &[PARENT], &[PARENT, CHILD]]);
    let expected = [
        "1+0=0,0,0,0,1 0 - parent-missing",
        "0+1=0,0,0,0,1 0 - parent-missing",
        "1+1=2,0,0,0,0 3 0.19000",
        "2+0=0,0,2,0,0 0 -",
    ];
    assert_eq!(runs.iter().map(ends).collect::<Vec<_>>(), expected);
    let legs = rows(&folder, "legs");
    assert_eq!(
        legs.iter().map(|leg| leg["leg_to"].as_str()).collect::<Vec<_>>(),
        ["+12025550102", "+12025550102", "+12025550103"]
    );
    assert_eq!(rows(&folder, "suspense").len(), 0);
}

#[test]
fn a_parent_is_remembered_for_its_child() {
    let (folder, runs) = nights(&[&[PARENT], &[CHILD]]);
    assert_eq!(
        runs.iter().map(ends).collect::<Vec<_>>(),
        ["1+0=1,0,0,0,0 1 0.05000", "1+0=1,0,0,0,0 2 0.14000"]
    );
    let (whole, _) = nights(&[&[CHILD, PARENT]]);
    assert_eq!(
        without(&rows(&folder, "legs"), &["run_id"]),
        without(&rows(&whole, "legs"), &["run_id"])
    );
    assert_eq!(
        without(&rows(&folder, "calls"), &["run_id"]),
        without(&rows(&whole, "calls"), &["run_id"])
    );
}

#[test]
fn a_final_record_replaces_one_that_was_not() {
    let ringing = PARENT.replace(",300,completed", ",,ringing");
    let talking = PARENT.replace(",300,completed", ",,in-progress");
    let (folder, runs) =
        nights(&[&[&ringing, CHILD], &[&talking], &[&talking], &[PARENT], &[&ringing]]);
    let waits = "not-final parent-suspended";
    let expected = [
        format!("2+0=0,0,0,0,2 0 - {waits}"),
        // Still not final: the newer version waits on, the older one is replaced.
        format!("1+2=0,0,1,0,2 0 - {waits}"),
        format!("1+2=0,0,1,0,2 0 - {waits}"),
        "1+2=2,0,1,0,0 3 0.19000".to_owned(),
        "1+0=0,0,1,0,0 0 -".to_owned(),
    ];
    assert_eq!(runs.iter().map(ends).collect::<Vec<_>>(), expected);
    assert_eq!(rows(&folder, "calls").len(), 2);
}

#[test]
fn a_late_price_fills_the_carriers_price() {
    let priced = format!("{PARENT},-0.0500");
    let dearer = format!("{PARENT},-0.0900");
    let (folder, runs) = nights(&[&[PARENT], &[&priced], &[PARENT], &[&dearer]]);
    let expected =
        ["1+0=1,0,0,0,0 1 0.05000", "1+0=0,0,1,0,0 0 -", "1+0=0,0,1,0,0 0 -", "1+0=0,0,1,0,0 0 -"];
    assert_eq!(runs.iter().map(ends).collect::<Vec<_>>(), expected);
    let calls = rows(&folder, "calls");
    assert_eq!(
        calls.iter().map(|row| money(&row["carrier_price"])).collect::<Vec<_>>(),
        [money("-0.09")],
        "of several prices the greatest charge is kept, in whatever order they come"
    );
    // In one night, whatever the order.
    for night in [[PARENT, &priced], [&priced, PARENT]] {
        let (folder, _) = nights(&[&night]);
        assert_eq!(money(&rows(&folder, "calls")[0]["carrier_price"]), money("-0.05"));
    }
}

#[test]
fn a_conflict_stays_one_when_a_version_comes_again() {
    let other = PARENT.replace(",300,", ",301,");
    let third = PARENT.replace(",300,", ",302,");
    let (_, runs) = nights(&[&[PARENT, &other], &[&other], &[PARENT, PARENT], &[&third]]);
    let expected = [
        "2+0=0,0,0,0,2 0 - conflicting-duplicate",
        "1+2=0,0,1,0,2 0 - conflicting-duplicate",
        "2+2=0,0,2,0,2 0 - conflicting-duplicate",
        // Another version, and final: it replaces what was suspended.
        "1+2=1,0,2,0,0 1 0.06000",
    ];
    assert_eq!(runs.iter().map(ends).collect::<Vec<_>>(), expected);
}

#[test]
fn another_version_of_a_booked_call_waits_as_a_conflict() {
    let other = PARENT.replace(",300,", ",301,");
    let (folder, runs) = nights(&[&[PARENT], &[&other, &other], &[PARENT], &[&other]]);
    let expected = [
        "1+0=1,0,0,0,0 1 0.05000",
        "2+0=0,0,1,0,1 0 - conflicting-duplicate",
        "1+1=0,0,1,0,1 0 - conflicting-duplicate",
        "1+1=0,0,1,0,1 0 - conflicting-duplicate",
    ];
    assert_eq!(runs.iter().map(ends).collect::<Vec<_>>(), expected);
    assert_eq!(rows(&folder, "legs").len(), 1);
}

#[test]
fn a_foreign_call_is_remembered_for_its_children() {
    let foreign = PARENT.replace("trunking-terminating", "outbound-api");
    let grandchild = CHILD.replace("CA2,CA1", "CA3,CA2");
    let (_, runs) =
        nights(&[&[&foreign], &[CHILD], &[&grandchild], &[&foreign, CHILD, &grandchild]]);
    let expected =
        ["1+0=0,0,0,1,0 0 -", "1+0=0,0,0,1,0 0 -", "1+0=0,0,0,1,0 0 -", "3+0=0,0,0,3,0 0 -"];
    assert_eq!(runs.iter().map(ends).collect::<Vec<_>>(), expected);
}

/// What waits is kept as it came: by whatever file it came, it can be read again and billed. The
/// child is the only record of `name`, and its last fields are empty.
#[track_caller]
fn assert_read_again(name: &str, text: &str) {
    let folder = Folder::with_plain_deck();
    folder.file(name, text);
    let first =
        folder.trunkrate(&["run", "--cdrs", name, "--rates", "rates", "--format", "json"]).json();
    assert_eq!(ends(&first), "1+0=0,0,0,0,1 0 - parent-missing", "{name}");
    let waiting = rows(&folder, "suspense");
    assert_eq!(
        (waiting[0]["call_sid"].as_str(), waiting[0]["account_sid"].as_str()),
        ("CA2", "AC1"),
        "{name}"
    );
    folder.calls(&[PARENT]);
    assert_eq!(ends(&folder.run(&[])), "1+1=2,0,0,0,0 3 0.19000", "{name}");
}

const CHILD_HEADER: &str = "sid,parent_call_sid,account_sid,direction,from,to,start_time,duration,status,trunk_sid,price,refer_to";
const CHILD_ROW: &str = "CA2,CA1,AC1,,,+12025550103,2026-11-20T21:05:00Z,370,completed,,,";

#[test]
fn a_record_that_waited_is_read_again_from_every_format() {
    let with = |delimiter: &str, end: &str| {
        format!("{CHILD_HEADER}{end}{CHILD_ROW}{end}").replace(',', delimiter)
    };
    let quoted = format!("{CHILD_ROW}\" \n\"").replace("AC1", "\"AC1\"");
    let json = r#"{"sid": "CA2", "parent_call_sid": "CA1", "account_sid": "AC1", "direction": "", "from": null, "to": "+12025550103", "start_time": "2026-11-20T21:05:00Z", "duration": "370", "status": "completed"}"#;
    assert_read_again("comma.csv", &with(",", "\n"));
    assert_read_again("crlf.csv", &with(",", "\r\n"));
    assert_read_again("cr.csv", &with(",", "\r"));
    assert_read_again("semicolon.csv", &with(";", "\n"));
    assert_read_again("pipe.csv", &with("|", "\n"));
    assert_read_again("line-end-in-quotes.csv", &format!("{CHILD_HEADER}\n{quoted}\n"));
    assert_read_again("lines.jsonl", &format!("{json}\n"));
    assert_read_again("page.json", &format!("{{\"calls\": [{json}]}}"));
}

/// The last fields are empty: the tabs at the line's end are fields, not white space.
#[test]
fn a_record_that_waited_is_read_again_from_tab_separated_values() {
    assert_read_again("tab.tsv", &format!("{CHILD_HEADER}\n{CHILD_ROW}\n").replace(',', "\t"));
}
