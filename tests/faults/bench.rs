//! The bench: three small nights, the steps that change a ledger, and what a ledger looks like
//! before and after each.

use super::strace::{Ended, ended};
use crate::import::night::{Style, Told, publish};
use crate::support::{Night, call_file};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Every class and every scenario, over two UTC dates.
const FIRST: [&str; 16] = [
    "T1,,AC1,TK1,trunking-terminating,+12025550101,+14155550102,2026-11-20T21:15:00Z,,300,completed",
    "T1S,T1,AC1,TK1,,,sip:agent@pbx.example.com,2026-11-20T21:20:00Z,,370,completed",
    "T2,,AC1,TK1,trunking-terminating,+12025550101,+14155550102,2026-11-20T21:15:00Z,,300,completed",
    "T2P,T2,AC1,TK1,,,+13035550103,2026-11-20T21:20:00Z,,370,completed",
    "O1,,AC1,TK1,trunking-originating,+12025550101,+14155550102,2026-11-20T21:15:00Z,,300,completed",
    "O1S,O1,AC1,TK1,,,sip:agent@pbx.example.com,2026-11-20T21:20:00Z,,370,completed",
    "O2,,AC1,TK1,trunking-originating,+12025550101,+14155550102,2026-11-20T23:55:00Z,,300,completed",
    "O2P,O2,AC1,TK1,,,+13035550103,2026-11-21T00:00:00Z,,370,completed",
    "FREE,O2,AC1,TK1,,,+13035550104,2026-11-21T00:00:00Z,,,no-answer",
    "LATE,P,AC1,TK1,,,+13035550103,2026-11-20T23:00:00Z,,60,completed",
    "OPEN,,AC2,TK1,trunking-terminating,+12025550101,+14155550102,2026-11-21T08:00:00Z,,,in-progress",
    "TWO,,AC2,TK1,trunking-terminating,+12025550101,+14155550102,2026-11-21T09:00:00Z,,61,completed",
    "TWO,,AC2,TK1,trunking-terminating,+12025550101,+14155550102,2026-11-21T09:00:00Z,,62,completed",
    "FAR,,AC2,TK1,trunking-terminating,+12025550101,+493012345678,2026-11-21T10:00:00Z,,60,completed",
    "APP,,AC2,,outbound-api,+12025550101,+14155550102,2026-11-21T11:00:00Z,,60,completed",
    "GONE,,AC2,TK9,trunking-terminating,+12025550101,+14155550102,2026-11-21T10:00:00Z,,60,completed",
];

/// The late parent, the late final record, a late price, a copy, and new calls.
const SECOND: [&str; 5] = [
    "P,,AC1,TK1,trunking-terminating,+12025550101,+14155550102,2026-11-20T22:50:00Z,,600,completed",
    "OPEN,,AC2,TK1,trunking-terminating,+12025550101,+14155550102,2026-11-21T08:00:00Z,,30,completed",
    "T1,,AC1,TK1,trunking-terminating,+12025550101,+14155550102,2026-11-20T21:15:00Z,,300,completed,-0.0500,USD",
    "T1S,T1,AC1,TK1,,,sip:agent@pbx.example.com,2026-11-20T21:20:00Z,,370,completed",
    "NEW,,AC2,TK1,trunking-terminating,+12025550101,+14155550102,2026-11-22T08:00:00Z,,30,completed",
];

const THIRD: [&str; 3] = [
    "O1,,AC1,TK1,trunking-originating,+12025550101,+14155550102,2026-11-20T21:15:00Z,,300,completed,-0.0170,USD",
    "APP2,,AC2,,outbound-api,+12025550101,+14155550102,2026-11-22T11:00:00Z,,60,completed",
    "END,,AC2,TK1,trunking-originating,+12025550101,+14155550102,2026-11-22T12:00:00Z,,30,completed",
];

/// Calls of the hour that the clock of Berlin shows twice.
const FOLD: [&str; 2] = [
    "FOLD,,AC1,TK1,trunking-terminating,+12025550101,+14155550102,2026-10-25T02:30:00,,60,completed",
    "DAY,,AC1,TK1,trunking-terminating,+12025550101,+14155550102,2026-10-25T12:30:00,,60,completed",
];

/// Another version of a call of the first night.
const OTHER: [&str; 1] = ["T2P,T2,AC1,TK1,,,+13035550103,2026-11-20T21:20:00Z,,371,completed"];

const DECK: &str = "US,United States,US,0.0100,,1,termination,,,,,,\nUS,United States,US in,0.0034,,1,origination,,,,,,\n";
const TRUNKS: &str = r#"{"trunks":[{"sid":"TK1","account_sid":"AC1","domain_name":"one.pstn.twilio.com","friendly_name":"one","secure":false,"transfer_mode":"enable-all","transfer_caller_id":"from-transferee","date_created":"2026-01-05T09:00:00Z","date_updated":"2026-11-02T09:00:00Z"}]}"#;
const ACCOUNTS: &str = "account_sid,name,deck,address,country,tax_id,email\nAC1,One,,\"1 Lane\",US,00-1,one@example.com\nAC2,Two,,\"2 Lane\",US,00-2,two@example.com\nAC3,Three,,\"3 Lane\",US,00-3,three@example.com\n";

/// Words of a command; `{first}` and `{last}` are the oldest run and the newest, `{night}` the
/// published night.
pub type Words = &'static [&'static str];

macro_rules! night {
    ($calls:literal $(, $more:literal)*) => {
        &[
            "run", "--cdrs", $calls, "--rates", "rates", "--trunks", "trunks.json", "--accounts", "accounts.csv", "--threads",
            "1" $(, $more)*
        ]
    };
}

pub const FIRST_NIGHT: Words = night!("first.csv");
pub const SECOND_NIGHT: Words = night!("second.csv");
pub const THIRD_NIGHT: Words = night!("third.csv", "--accept-changes");
pub const TOLD_NIGHT: Words =
    night!("first.csv", "--status-file", "status.json", "--metrics", "night.prom");
pub const EMPTY_NIGHT: Words = night!("empty.csv", "--accept-changes");
pub const LARGE_NIGHT: Words = night!("large.csv");
pub const CLOSE: Words = &["suspense", "close", "FAR", "--reason", "not ours"];
pub const RETRY: Words = &[
    "suspense",
    "retry",
    "--rates",
    "wider",
    "--trunks",
    "trunks.json",
    "--accounts",
    "accounts.csv",
];
pub const RESOLVE: Words =
    &["suspense", "resolve", "TWO", "--take", "1", "--reason", "the carrier says so"];
/// The same as [`CLOSE`] and more, by its cause.
const CLOSE_CAUSE: Words =
    &["suspense", "close", "--cause", "no-rate", "--account", "AC2", "--reason", "not ours"];
const RETRY_CAUSE: Words = &[
    "suspense",
    "retry",
    "--cause",
    "no-rate",
    "--rates",
    "wider",
    "--trunks",
    "trunks.json",
    "--accounts",
    "accounts.csv",
];
const FOLD_NIGHT: Words = night!("fold.csv", "--config", "berlin.toml");
const SET: Words =
    &["suspense", "set", "FOLD", "--start", "2026-10-25T01:30:00Z", "--reason", "by the switch"];
const OTHER_NIGHT: Words = night!("other.csv");
const RESOLVE_BOOKED: Words =
    &["suspense", "resolve", "T2P", "--take", "1", "--reason", "the carrier says so"];
pub const ISSUE: Words = &[
    "invoice",
    "issue",
    "--period",
    "2026-11",
    "--date",
    "2026-12-01",
    "--items",
    "items.csv",
    "--accounts",
    "accounts.csv",
    "--config",
    "seller.toml",
    "--accept",
    "waiting",
];
/// The late calls of the second night, in the series of another year.
const ISSUE_NEXT: Words = &[
    "invoice",
    "issue",
    "--period",
    "2026-12",
    "--date",
    "2027-01-02",
    "--accounts",
    "accounts.csv",
    "--config",
    "seller.toml",
    "--accept",
    "waiting",
];
pub const CREDIT: Words = &[
    "invoice",
    "credit",
    "INV-2026-000001",
    "--rebill",
    "--reason",
    "a wrong address",
    "--date",
    "2026-12-03",
];
const CREDIT_LINES: Words = &[
    "invoice",
    "credit",
    "INV-2026-000001",
    "--lines",
    "1",
    "--reason",
    "agreed with the customer",
    "--date",
    "2026-12-03",
];
/// The calls of the first night, by a deck of other prices.
const RERATE: Words = &[
    "rerate",
    "--period",
    "2026-11",
    "--rates",
    "dearer",
    "--accounts",
    "accounts.csv",
    "--book",
    "--reason",
    "the carrier's mended list",
];
pub const UNDO: Words = &["undo", "{last}", "--reason", "an old deck"];
pub const UNDO_ALL: Words = &["undo", "{first}", "--with-dependents", "--reason", "an old deck"];

/// Both nights, rated anew by another deck and booked as one.
pub const RERUN: Words = &[
    "undo",
    "{first}",
    "--with-dependents",
    "--reason",
    "an old deck",
    "--rerun",
    "first.csv",
    "second.csv",
    "--rates",
    "wider",
    "--trunks",
    "trunks.json",
    "--accounts",
    "accounts.csv",
    "--accept-changes",
];

/// The first night, as Spark published it.
const IMPORT: Words = &["ledger", "import", "{night}"];

/// A command that changes the ledger.
pub struct Step {
    pub name: &'static str,
    /// The commands before it.
    pub before: &'static [Words],
    pub words: Words,
    /// The command that does a part of it, if it has parts: a ledger may be left there too.
    pub part: Option<Words>,
    /// Whether runs died before it, and left what they had begun.
    pub littered: bool,
}

const fn step(name: &'static str, before: &'static [Words], words: Words) -> Step {
    Step { name, before, words, part: None, littered: false }
}

pub const STEPS: [Step; 20] = [
    step("the first run", &[], FIRST_NIGHT),
    step("the second run", &[FIRST_NIGHT], SECOND_NIGHT),
    step("ledger import", &[], IMPORT),
    step("suspense close", &[FIRST_NIGHT], CLOSE),
    step("suspense retry", &[FIRST_NIGHT], RETRY),
    step("suspense resolve", &[FIRST_NIGHT], RESOLVE),
    step("suspense close by cause", &[FIRST_NIGHT], CLOSE_CAUSE),
    step("suspense retry by cause", &[FIRST_NIGHT], RETRY_CAUSE),
    step("suspense set", &[FOLD_NIGHT], SET),
    step("suspense resolve over a booked version", &[FIRST_NIGHT, OTHER_NIGHT], RESOLVE_BOOKED),
    step("undo", &[FIRST_NIGHT, SECOND_NIGHT], UNDO),
    step("a second undo", &[FIRST_NIGHT, SECOND_NIGHT, UNDO], UNDO),
    Step {
        part: Some(UNDO),
        ..step("undo with dependents", &[FIRST_NIGHT, SECOND_NIGHT], UNDO_ALL)
    },
    step("undo with a rerun", &[FIRST_NIGHT, SECOND_NIGHT], RERUN),
    step("invoice issue", &[FIRST_NIGHT], ISSUE),
    step("invoice issue of late calls", &[FIRST_NIGHT, ISSUE, SECOND_NIGHT], ISSUE_NEXT),
    step("invoice credit", &[FIRST_NIGHT, ISSUE], CREDIT),
    step("invoice credit of lines", &[FIRST_NIGHT, ISSUE], CREDIT_LINES),
    step("rerate of a period", &[FIRST_NIGHT, ISSUE], RERATE),
    Step {
        littered: true,
        ..step("a run after dead ones", &[FIRST_NIGHT, SECOND_NIGHT], THIRD_NIGHT)
    },
];

/// What is read out of a ledger.
const OUTPUTS: [Words; 5] = [
    &["invoice", "list", "--format", "csv"],
    &["export", "legs", "--format", "csv"],
    &["export", "calls", "--format", "csv"],
    &["export", "suspense", "--format", "csv"],
    &["runs", "--format", "csv"],
];

/// Files below a ledger, with their bytes.
pub type Tree = BTreeMap<String, Vec<u8>>;

/// The inputs in a folder of their own; ledgers are made beside it.
pub struct Bench {
    inputs: Night,
    /// The first night as Spark publishes it, once it was asked for.
    published: OnceLock<String>,
}

/// A ledger in a folder of its own; gone when the test ends.
pub struct Desk {
    folder: tempfile::TempDir,
    /// The ledger's path below the folder.
    name: &'static str,
}

impl Desk {
    pub fn new() -> Self {
        Self::named("ledger")
    }

    /// In memory where that is possible: a thousand ledgers are made here, and no power is lost.
    pub fn named(name: &'static str) -> Self {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        Self { folder: folder.expect("a temporary folder"), name }
    }

    /// The folder around it.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().canonicalize().expect("the folder is there")
    }

    /// Where its ledger is, or will be.
    pub fn ledger(&self) -> PathBuf {
        self.folder().join(self.name)
    }

    /// The same ledger once more.
    pub fn copy(&self) -> Self {
        let copy = Self::named(self.name);
        if self.ledger().exists() {
            copy_folder(&self.ledger(), &copy.ledger());
        }
        copy
    }

    /// The names of its runs, oldest first.
    pub fn runs(&self) -> Vec<String> {
        let runs = std::fs::read_dir(self.ledger().join("runs")).into_iter().flatten();
        let mut runs: Vec<String> = runs
            .map(|run| run.expect("a run").file_name().to_string_lossy().into_owned())
            .collect();
        runs.sort();
        runs
    }

    /// Its files below some folders, with their bytes.
    pub fn files(&self, folders: &[&str]) -> Tree {
        let mut tree = Tree::new();
        for folder in folders {
            let path = self.ledger().join(folder);
            let found = if path.is_file() { vec![path] } else { files(&path) };
            for file in found {
                let name = file
                    .strip_prefix(self.ledger())
                    .expect("below the ledger")
                    .display()
                    .to_string();
                tree.insert(name, std::fs::read(&file).expect("a file"));
            }
        }
        tree
    }

    /// All that must be as it was left: every file, also of staging, and the catalog to the last
    /// bit.
    pub fn whole(&self) -> Tree {
        self.files(&[""])
    }

    /// The bytes of its catalog, if there is one.
    pub fn catalog(&self) -> Option<Vec<u8>> {
        std::fs::read(self.ledger().join("catalog.sqlite")).ok()
    }
}

impl Bench {
    pub fn new() -> Self {
        let inputs = Night::new();
        inputs.deck(DECK);
        inputs.file("wider/deck.toml", "name = \"wider\"\ncurrency = \"USD\"\n");
        let header = crate::support::DECK_HEADER;
        inputs.file(
            "wider/prices.csv",
            format!("{header}\n{DECK}DE,Germany,DE,0.0300,,49,termination,,,,,,\n"),
        );
        inputs.file("dearer/deck.toml", "name = \"dearer\"\ncurrency = \"USD\"\n");
        inputs.file("dearer/prices.csv", format!("{header}\n{}", DECK.replace("0.0100", "0.0120")));
        inputs.file("first.csv", format!("{}BROKEN,\"no end\n", call_file(&FIRST)));
        inputs.file("second.csv", call_file(&SECOND));
        inputs.file("third.csv", call_file(&THIRD));
        inputs.file("fold.csv", call_file(&FOLD));
        inputs.file("other.csv", call_file(&OTHER));
        inputs.file("berlin.toml", "[input]\ntimezone = \"Europe/Berlin\"\n");
        inputs.file("empty.csv", call_file(&[]));
        inputs.file("trunks.json", TRUNKS);
        inputs.file("accounts.csv", ACCOUNTS);
        inputs.file(
            "items.csv",
            "account_sid,description,quantity,unit_price,currency\nAC1,Number,1,1.15,USD\nAC3,Trunk,2,9.99,EUR\n",
        );
        inputs.file(
            "seller.toml",
            "[seller]\nname = \"Carrier\"\naddress = [\"1 Street\"]\ncountry = \"DE\"\n[invoice]\ntax_category = \"zero\"\n",
        );
        Self { inputs, published: OnceLock::new() }
    }

    /// Where the inputs are.
    pub fn inputs(&self) -> &Path {
        self.inputs.path()
    }

    /// The binary, to be run on a ledger, with no more threads than it needs: a fault is then met
    /// at the same call each time.
    pub fn command(&self, words: &[&str], desk: &Desk) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trunkrate"));
        let runs = desk.runs();
        command.args(words.iter().filter_map(|word| match *word {
            "{first}" => runs.first().map(String::as_str),
            "{last}" => runs.last().map(String::as_str),
            "{night}" => Some(self.published()),
            word => Some(word),
        }));
        command.arg("--ledger").arg(desk.ledger()).current_dir(self.inputs.path());
        command
            .env("POLARS_MAX_THREADS", "1")
            .env("RAYON_NUM_THREADS", "1")
            .env("RUST_BACKTRACE", "0");
        command
    }

    fn published(&self) -> &str {
        self.published.get_or_init(|| {
            let desk = self.after(&[FIRST_NIGHT]);
            let input = |name: &str| self.inputs().join(name);
            let told = Told {
                run: desk.ledger().join("runs").join(&desk.runs()[0]),
                calls: vec![input("first.csv")],
                rates: input("rates"),
                trunks: Some(input("trunks.json")),
                accounts: Some(input("accounts.csv")),
                config: None,
                previous: None,
                sequence: 1,
                style: Style::Plain,
            };
            publish(&told, &input("nights")).display().to_string()
        })
    }

    pub fn run(&self, words: &[&str], desk: &Desk) -> Ended {
        ended(&mut self.command(words, desk))
    }

    /// A ledger after some commands.
    #[track_caller]
    pub fn after(&self, steps: &[Words]) -> Desk {
        let desk = Desk::new();
        for words in steps {
            self.run(words, &desk).ok();
        }
        desk
    }

    /// What a ledger says of itself: every output, or what went wrong. No ledger yet is an empty
    /// one.
    pub fn outputs(&self, desk: &Desk) -> Result<Vec<String>, String> {
        let empty = Desk::new();
        let there = desk.ledger().join("runs").is_dir();
        std::fs::create_dir_all(empty.ledger().join("runs")).expect("a folder is made");
        let read = |words: &Words| {
            let ended = self.run(words, if there { desk } else { &empty });
            if ended.code == Some(0) {
                Ok(ended.stdout)
            } else {
                Err(format!("{}: {}", words.join(" "), ended.shown()))
            }
        };
        OUTPUTS.iter().map(read).collect()
    }
}

/// Writes a night whose files are larger than what goes through the system's cache: 150,000 calls
/// of a day.
pub fn large_night(bench: &Bench) {
    let row = |number: u32| {
        // Numbers that do not repeat.
        let to = 2_000_000 + u64::from(number) * 7_919_333 % 7_999_999;
        let (hour, minute, second) = (number / 3_600 % 24, number / 60 % 60, number % 60);
        format!(
            "CA{:032x},,AC1,TK1,trunking-terminating,+1202555{:04},+1415{to:07},2026-11-20T{hour:02}:{minute:02}:{second:02}Z,,{},completed",
            u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835),
            number % 10_000,
            number % 977 + 1
        )
    };
    let rows: Vec<String> = (0..150_000).map(row).collect();
    bench.inputs.file("large.csv", call_file(&rows.iter().map(String::as_str).collect::<Vec<_>>()));
}

/// All files below a folder; none if it is not there.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            // The journal has the clock in it, and is no part of the books.
            let is_journal = path.file_name().is_some_and(|name| name == "journal.jsonl");
            if path.is_dir() {
                folders.push(path);
            } else if !is_journal {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder is made");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("a file is copied");
        }
    }
}

/// The tables of a catalog.
pub fn tables(connection: &rusqlite::Connection) -> rusqlite::Result<Vec<String>> {
    let of = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
    connection.prepare(of)?.query_map([], |row| row.get(0))?.collect()
}
