//! Fixed work for `instructions.py`, which counts the instructions of one part under callgrind.
//!
//! `instructions PART UNITS` does the part UNITS times over (blocks of CSV, thousands of legs)
//! inside a function named `counted`, and prints how many records or legs that were. All data is
//! invented from a fixed seed.

#![allow(clippy::disallowed_methods, reason = "the data are invented")]

use std::fmt::Write;
use std::hint::black_box;
use std::path::Path;
use trunkrate::call::Calls;
use trunkrate::deck::{Deck, Destination, Increments, NewRate, Prefix, Rate};
use trunkrate::inputs::calls_csv::{self, Header};
use trunkrate::intern::Interner;
use trunkrate::money::{LegRule, Price};
use trunkrate::party::{Number, Party};
use trunkrate::party_ref::PartyRef;
use trunkrate::policy::Policy;
use trunkrate::rating::{self, Parties};
use trunkrate::scenario::{Direction, Scenario, TransferScenario};
use trunkrate::status::Status;
use trunkrate::table::TargetKind;
use trunkrate::time;

const COLUMNS: &str = "sid,parent_call_sid,account_sid,trunk_sid,direction,from,to,\
                       start_time,end_time,duration,status,price,price_unit,refer_to";

/// Text that is parsed at a time, as in `ingest::reader`.
const BLOCK: usize = 1 << 20;

/// xorshift64: the same numbers on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }

    fn number(&mut self) -> u64 {
        10_000_000_000 + self.below(89_999_999_999)
    }

    fn sid(&mut self, letters: &str, text: &mut String) {
        let _ = write!(text, "{letters}{:016x}{:016x}", self.roll(), self.roll());
    }
}

/// A block of records in the shape of `generate.py`: one in six a child, 200 accounts, 400 trunks.
fn csv_block(dice: &mut Dice, quoted: bool) -> String {
    let same = |letters: &str, count: u64, dice: &mut Dice, text: &mut String| {
        let which = dice.below(count);
        Dice(which + 1).sid(letters, text);
    };
    let mut block = String::with_capacity(BLOCK);
    let mut line = String::new();
    while block.len() + 512 < BLOCK {
        line.clear();
        dice.sid("CA", &mut line);
        line.push(',');
        let child = dice.below(6) == 0;
        if child {
            dice.sid("CA", &mut line);
        }
        line.push(',');
        same("AC", 200, dice, &mut line);
        line.push(',');
        same("TK", 400, dice, &mut line);
        let direction =
            if dice.below(2) == 0 { "trunking-terminating" } else { "trunking-originating" };
        let start = 1_795_000_000 + i64::try_from(dice.below(43_200)).unwrap_or_default();
        let seconds = i64::try_from(dice.below(900)).unwrap_or_default();
        let instant = |at: i64| time::text(at * time::SECOND);
        let status = [
            "completed",
            "completed",
            "completed",
            "completed",
            "completed",
            "completed",
            "busy",
            "no-answer",
        ];
        let status = status[usize::try_from(dice.below(8)).unwrap_or_default()];
        let (start, end) = (instant(start), instant(start + seconds + 7));
        let (from, to) = (dice.number(), dice.number());
        let _ = write!(line, ",{direction},+{from},+{to},{start},{end},{seconds},{status},,USD,");
        match (child, dice.below(2)) {
            (false, _) => {}
            (true, 0) => {
                let _ = write!(line, "sip:{}@pbx{}.example.com", dice.number(), dice.below(300));
            }
            (true, _) => {
                let _ = write!(
                    line,
                    "<sip:+{}@trunk{}.pstn.twilio.com>",
                    dice.number(),
                    dice.below(400)
                );
            }
        }
        if quoted {
            let _ = write!(block, "\"{}\"", line.replace(',', "\",\""));
        } else {
            block.push_str(&line);
        }
        block.push('\n');
    }
    block
}

/// 4,000 termination prefixes for three groups of origins and any, and 200 origination prefixes.
fn deck(dice: &mut Dice) -> Deck {
    let row = |service: Direction, digits: &str, origins: &[&str], price: u64| NewRate {
        rate: Rate {
            service,
            price: Price::parse(&format!("0.{:04}", price + 1)).expect("a price"),
            fee: Price::parse("0").expect("a price"),
            increments: Increments { initial: 60, increment: 60, minimum: 0 },
            iso: "US".into(),
            country: "United States".into(),
            description: "a row".into(),
            effective: 0..i64::MAX,
            file: 0,
            line: 1,
        },
        destinations: vec![Destination::Prefix(Prefix::parse(digits).expect("a prefix"))],
        origins: origins.iter().map(|text| Prefix::parse(text).expect("a prefix")).collect(),
    };
    let mut rows = Vec::new();
    for first in 1..10 {
        rows.push(row(Direction::Origination, &first.to_string(), &[], 50));
        rows.push(row(Direction::Termination, &first.to_string(), &[], 100));
        for group in [&["1"] as &[&str], &["2", "3", "4"], &["33", "34", "49"]] {
            rows.push(row(Direction::Termination, &first.to_string(), group, dice.below(900)));
        }
    }
    for prefix in 100..4_000_u64 {
        for group in [&[] as &[&str], &["1"], &["44", "33", "49"]] {
            rows.push(row(Direction::Termination, &prefix.to_string(), group, dice.below(900)));
        }
    }
    Deck::build("bench".to_owned(), "USD".to_owned(), vec!["rates.csv".to_owned()], rows)
        .expect("a deck")
}

/// Everything between here and the end of this function is what callgrind counts.
#[inline(never)]
fn counted<T>(work: impl FnOnce() -> T) -> T {
    black_box(work())
}

/// Cuts, counts or parses blocks; gives the number of their records.
fn csv(part: &str, blocks: u64) -> u64 {
    let header = Header::parse(Path::new("bench.csv"), COLUMNS.as_bytes()).expect("a header");
    let mut dice = Dice(7);
    let texts: Vec<String> =
        (0..blocks).map(|_| csv_block(&mut dice, part == "parse-quoted")).collect();
    let policy = Policy::default();
    let each = |work: &mut dyn FnMut(&[u8])| {
        for text in &texts {
            work(black_box(text.as_bytes()));
        }
    };
    match part {
        "scan" => counted(|| {
            let columns = header.names.len();
            let end = |bytes: &[u8]| calls_csv::scan(bytes, b',', columns, true).end;
            each(&mut |bytes| assert_eq!(end(bytes), bytes.len()));
        }),
        "count" => counted(|| each(&mut |bytes| assert!(calls_csv::count(bytes, &[], b',') > 0))),
        _ => counted(|| {
            each(&mut |bytes| {
                drop::<Calls>(black_box(calls_csv::parse_block(bytes, &[], &header, &policy)));
            });
        }),
    }
    texts.iter().map(|text| calls_csv::count(text.as_bytes(), &[], b',')).sum()
}

/// Plans, prices and charges legs by the published table; gives their number.
fn legs(thousands: u64) -> u64 {
    let mut dice = Dice(7);
    let deck = deck(&mut dice);
    let mut texts = Interner::default();
    let sip = PartyRef::pack(&Party::of_root("sip:1000@pbx.example.com"), &mut texts);
    let number = |dice: &mut Dice| PartyRef::number(Number::from_value(dice.number()));
    let scenarios = [
        Scenario::Root(Direction::Termination),
        Scenario::Root(Direction::Origination),
        Scenario::Transfer(TransferScenario::of(Direction::Termination, TargetKind::Pstn)),
        Scenario::Transfer(TransferScenario::of(Direction::Origination, TargetKind::Sip)),
    ];
    let calls: Vec<(Scenario, Parties, u32)> = (0..thousands * 1000)
        .map(|at| {
            let scenario = scenarios[usize::try_from(at % 4).unwrap_or_default()];
            let c = match at % 4 {
                2 => Some(number(&mut dice)),
                3 => Some(sip),
                _ => None,
            };
            (
                scenario,
                Parties { a: number(&mut dice), b: number(&mut dice), c },
                u32::try_from(at % 900 + 1).unwrap_or(1),
            )
        })
        .collect();
    let withheld = Policy::default().withheld_numbers;
    counted(|| {
        let mut count = 0;
        for (scenario, parties, seconds) in black_box(&calls) {
            let (cells, cell_count) = rating::cells(*scenario);
            for cell in &cells[..cell_count] {
                let leg =
                    rating::plan(*cell, parties, &texts, &withheld).expect("a leg between numbers");
                let hit =
                    rating::find_rate(&deck, &leg, 1_795_000_000 * time::SECOND).expect("a row");
                assert!(rating::bills(Status::Completed, *seconds));
                black_box(
                    rating::charge(deck.rate(hit), *seconds, LegRule::default())
                        .expect("an amount"),
                );
                count += 1;
            }
        }
        count
    })
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let (Some(part), Some(Ok(units))) =
        (arguments.next(), arguments.next().map(|text| text.parse::<u64>()))
    else {
        println!("usage: instructions scan|count|parse|parse-quoted|legs UNITS");
        return;
    };
    println!("{}", if part == "legs" { legs(units) } else { csv(&part, units) });
}
