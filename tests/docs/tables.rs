//! Pages of the reference about files: what goes in, and what the ledger holds.

use super::reference::{escaped, meant, table};
use super::shapes::{rows_of, shape};
use super::{copy, demo};
use crate::support::{Night, call_file};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use trunkrate::columns::REQUIRED;
use trunkrate::inputs::accounts;
use trunkrate::invoicing::drafts;
use trunkrate::ledger::{Ledger, looks};
use trunkrate::ledger_columns::{Column, ColumnType, IGNORED, LEGS, LOG, PRICES, SUSPENSE};
use trunkrate::meanings;
use trunkrate::record::Field;

const CALLS: &str = "The field names of the carrier's Call resource, so that an export runs as it is. \
Names are matched without case, space and underscore (`ParentCallSid` is `parent_call_sid`); their order is free, and other \
columns are not read.\n\n\
Formats: CSV (`,` `;` tab or `|`, detected), JSON Lines (the carrier's bulk export), a JSON page `{\"calls\": [...]}` or a JSON \
array, Parquet; each also `.gz` or `.zst`. A path may be a file, a folder or a glob.\n\n";

const CALLS_AFTER: &str = "\n**A file without one of the columns that a file must have is refused**, since no bill from it \
could be right; each missing column is named, beside a column that resembles it. `--no-transfers` says that an export knows no \
transfers: then `parent_call_sid` may be absent.\n\n\
**Empty** are also `NULL`, `None`, `nan`, `N/A` and `\\N`, as the whole field.\n\n\
**Times** are ISO 8601 or RFC 2822, with an offset, `Z`, ` UTC` or ` GMT`; `T` or a blank between date and time; seconds may be \
missing. Without an offset they are of `input.timezone`.\n\n\
**Parties** are a number (`+` and 7 to 15 digits, not starting with 0), a SIP address, or unknown (`anonymous`, empty, anything \
else). A caller that a spreadsheet broke (`442079460110`, `4.42079E+11`) is no unknown one: it waits as \
[`invalid-number`](reasons.md#invalid-number), unless `policy.mangled_caller` is `unknown`.\n\n\
**The last line** of a plain file must have its end: it may have been cut, and waits as \
[`malformed-record`](reasons.md#malformed-record) (`input.final_newline = \"optional\"` takes it). In `.gz` and `.zst` the end is \
proved.\n\n\
**A page that names a next page** (`next_page_uri`) which is not among the files is a note on stderr, and `incomplete` in the JSON \
summary.\n";

/// The fields of calls.
pub fn calls() -> String {
    let rows: Vec<Vec<String>> = Field::ALL
        .into_iter()
        .map(|field| {
            let must = if REQUIRED.contains(&field) { "yes" } else { "" };
            let meaning = escaped(meanings::of_field(field));
            vec![format!("`{}`", field.as_str()), must.to_owned(), meaning]
        })
        .collect();
    format!(
        "{CALLS}{}{CALLS_AFTER}",
        table(&["column", "a file must have it", "what it holds"], &rows)
    )
}

/// The keys that a table of a TOML file may have, as the refusal of another one names them.
fn keys(said: &str) -> Vec<String> {
    let (_, list) = said.split_once("expected ").unwrap_or_else(|| panic!("no keys in {said}"));
    let line = list.lines().next().expect("a line");
    let found: Vec<String> = line.split('`').skip(1).step_by(2).map(ToString::to_string).collect();
    assert!(!found.is_empty(), "{said}");
    found
}

/// The columns of decks, and the keys of `deck.toml`.
pub fn decks() -> String {
    // The refusal of another column names those that there are.
    let asked = Night::with_plain_deck();
    asked.file("rates/prices.csv", "xyzzy\n");
    let said = asked.trunkrate(&["rates", "check", "rates"]).stderr;
    let (_, named) = said.split_once("expected ").expect("the columns are named");
    let (must, may) = named.split_once(" and, if wanted, ").expect("two lists of columns");
    let must = must.split(',').map(|name| (name, true));
    let may = may.lines().next().expect("a line").split(',').map(|name| (name, false));
    let columns: Vec<(&str, bool)> = must.chain(may).collect();
    let words = meant("deck columns", columns.iter().map(|(name, _)| *name));
    let rows: Vec<Vec<String>> = columns
        .iter()
        .zip(&words)
        .map(|((name, must), (_, what))| {
            vec![format!("`{name}`"), if *must { "yes" } else { "" }.to_owned(), escaped(what)]
        })
        .collect();
    let night = Night::with_plain_deck();
    night.file("rates/deck.toml", "currency = \"USD\"\nxyzzy = 1\n");
    let said = night.trunkrate(&["rates", "check", "rates"]).stderr;
    let keys = keys(&said);
    let words = meant("deck.toml", keys.iter().map(String::as_str));
    let own: Vec<Vec<String>> =
        words.iter().map(|(name, what)| vec![format!("`{name}`"), escaped(what)]).collect();
    format!(
        "A deck is a folder: one `deck.toml` and any number of CSV files beside it, under the header of \
         the carrier's published price list. How the rows are spread over the files does not matter. A \
         folder of such folders holds several decks; an account is priced by the one that `deck` in \
         `accounts.csv` names, else by `default`, or the only one.\n\n## Columns\n\n{}\n\
         A prefix is digits without `+`; a list is separated by a comma and a space. Any other column, \
         and any pair of rows that could give one call two prices, is refused, with both lines. A row \
         gets from `deck.toml` what it leaves out. How a row is chosen: \
         [Why the cents are exact](../explanation/cents.md).\n\n## deck.toml\n\n{}\n\
         `trunkrate rates check DIR` reads decks as a run does, `trunkrate rates lookup DIR NUMBER` shows \
         which row wins. To change a price: [Mend a wrong price](../howto/wrong-price.md).\n",
        table(&["column", "a file must have it", "what it holds"], &rows),
        table(&["key", "what it is"], &own)
    )
}

fn named(group: &str, names: &[&str], head: &str) -> String {
    let words = meant(group, names.iter().copied());
    let rows: Vec<Vec<String>> =
        words.iter().map(|(name, what)| vec![format!("`{name}`"), escaped(what)]).collect();
    table(&[head, "what it holds"], &rows)
}

/// The columns of the lists beside calls and decks.
pub fn lists() -> String {
    let trunks = ["sid", "domain_name", "transfer_mode", "transfer_caller_id"];
    format!(
        "All three are optional; `trunkrate.toml` names them below `[paths]`. A list that a run had and the \
         next one has not stops it.\n\n## accounts.csv\n\nWithout it every account is billed under its id, \
         by the default deck. An account that it lacks is billed too, and counted in a note \
         (`policy.unlisted_accounts = \"suspend\"`: its calls wait). Only `account_sid` must be there; \
         other columns are kept for your own use.\n\n{}\n\
         ## items.csv\n\nMonthly charges, beside calls; a `unit_price` below zero is goodwill. The last four \
         columns may be missing.\n\n{}\n\
         ## trunks.json\n\nThe carrier's trunk list as its API gives it: `{{\"trunks\": [...]}}`. Other \
         fields are not read. Without the file every `*.pstn.twilio.com` host is a termination domain, all \
         transfers are allowed, and the target is shown the transferee.\n\n{}",
        named("accounts.csv", accounts::column_names(), "column"),
        named("items.csv", drafts::item_columns(), "column"),
        named("trunks.json", &trunks, "field"),
    )
}

/// A line of a new `trunkrate.toml`: its table, key, value and words.
type Choice = (String, String, String, String);

/// The lines of the file that `init` writes.
fn choices() -> Vec<Choice> {
    let night = Night::new();
    night.bare("", &["init"], &[]).ok();
    let text = std::fs::read_to_string(night.path().join("trunkrate.toml")).expect("a project");
    let mut group = String::new();
    let mut found = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[') {
            name.split(']').next().expect("a name").clone_into(&mut group);
            continue;
        }
        let line = line.strip_prefix("# ").unwrap_or(line);
        let Some((key, rest)) = line.split_once(" = ") else { continue };
        let is_key = key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        if !is_key || group.is_empty() {
            continue;
        }
        let (value, about) = rest.split_once(" # ").unwrap_or((rest, ""));
        found.push((
            group.clone(),
            key.to_owned(),
            value.trim().to_owned(),
            about.trim().to_owned(),
        ));
    }
    found
}

/// The tables of `trunkrate.toml`, and what each is about.
const TABLES: [(&str, &str); 7] = [
    ("paths", "What is where, relative to the file. A flag beats it."),
    ("input", "How call files are read."),
    ("money", "The rounding of a leg."),
    ("policy", "What the carrier's page leaves open."),
    ("seller", "Who sells. Invoices need `name`, `address` and `country`."),
    ("invoice", "On which terms, and what an invoice shows."),
    ("status", "When `trunkrate status` finds something wrong."),
];

/// The settings of `trunkrate.toml`.
pub fn settings() -> String {
    let choices = choices();
    let mut text = "`trunkrate.toml` is the project: a command takes it from the folder that it is started in, or \
        from one above it; `--config` and `TRUNKRATE_CONFIG` name another. `trunkrate init` writes one in which \
        every choice has a line. A key that is not known is refused, with its line. What decides a charge is kept \
        in the manifest of every run.\n\nAlso in the environment: `TRUNKRATE_LEDGER`, another ledger; \
        `TRUNKRATE_PAGER`, the pager of long results; `POLARS_MAX_THREADS`, threads that write Parquet.\n"
        .to_owned();
    for (name, about) in TABLES {
        let night = Night::new();
        copy(&demo().join("demo"), night.path());
        night.file("other.toml", format!("[{name}]\nxyzzy = 1\n"));
        let asks: [&[&str]; 3] = [
            &[
                "run",
                "--config",
                "other.toml",
                "--ledger",
                "ledger",
                "--cdrs",
                "calls",
                "--rates",
                "rates",
            ],
            &[
                "invoice",
                "draft",
                "--period",
                "2026-11",
                "--config",
                "other.toml",
                "--ledger",
                "ledger",
            ],
            &["status", "--config", "other.toml", "--ledger", "ledger"],
        ];
        let said = asks
            .iter()
            .map(|ask| night.bare("", ask, &[]).stderr)
            .find(|said| said.contains("xyzzy") && said.contains("expected"));
        let keys = keys(&said.unwrap_or_else(|| panic!("[{name}]: no command refuses `xyzzy`")));
        let own: BTreeMap<&str, &Choice> = choices
            .iter()
            .filter(|(group, ..)| group == name)
            .map(|choice| (choice.1.as_str(), choice))
            .collect();
        let known: BTreeSet<&str> = keys.iter().map(String::as_str).collect();
        let gone: Vec<&&str> = own.keys().filter(|key| !known.contains(**key)).collect();
        assert!(gone.is_empty(), "`init` writes {gone:?}, which [{name}] refuses");
        let words = meant(&format!("settings {name}"), keys.iter().map(String::as_str));
        let rows: Vec<Vec<String>> = words
            .iter()
            .map(|(key, what)| {
                let value =
                    own.get(key).map_or(String::new(), |(_, _, value, _)| format!("`{value}`"));
                vec![format!("`{key}`"), value.replace("``", ""), escaped(what)]
            })
            .collect();
        let head = ["key", "as `init` writes it", "what it is"];
        write!(text, "\n## {name}\n\n{about}\n\n{}", table(&head, &rows)).expect("text is written");
    }
    text
}

fn kind(of: ColumnType) -> String {
    match of {
        ColumnType::Text => "text".to_owned(),
        ColumnType::Integer => "integer".to_owned(),
        ColumnType::Flag => "true or false".to_owned(),
        ColumnType::Instant => "instant".to_owned(),
        ColumnType::Decimal(places) => format!("decimal, {places} places"),
    }
}

fn columns(schema: &[Column], meanings: &[(&str, &str)]) -> String {
    let rows: Vec<Vec<String>> = schema
        .iter()
        .zip(meanings)
        .map(|((name, of), (_, what))| vec![format!("`{name}`"), kind(*of), escaped(what)])
        .collect();
    table(&["column", "type", "what it holds"], &rows)
}

/// The tables of calls in a ledger, and of exports.
pub fn stored() -> String {
    format!(
        "Parquet files of every run, and `trunkrate export`. Every column may be null, and an empty text is \
         null. In Parquet a text is UTF-8, an integer INT64, an instant microseconds since 1970 in UTC, a \
         decimal `DECIMAL(18, places)`. In CSV and JSON an instant is a text such as `2026-11-20T21:15:00Z`, \
         and a decimal a text; an export prints prices and amounts with the decimals that they need. \
         [Query the ledger](../howto/query.md) has examples.\n\n\
         ## Legs\n\n`runs/*/legs/date=YYYY-MM-DD/*.parquet`, `trunkrate export legs`. A row for each leg that \
         is billed, by the UTC day of the call's start, sorted by `start_time`, `call_sid`, `leg`. \
         `part-1.parquet` is there only in a run that takes a booked version back: its legs once more with \
         the opposite sign.\n\n{}\n\
         ## Calls\n\n`runs/*/calls/date=YYYY-MM-DD/*.parquet`, `trunkrate export calls`: the call log, rated \
         and free calls.\n\n{}\n\
         ## Suspense\n\n`runs/*/suspense/*.parquet` is all that waits after the run; `trunkrate export \
         suspense` has the first ten columns. `runs/*/closed/*.parquet` is what the run wrote off, with the \
         same columns.\n\n{}\n\
         ## Ignored\n\n`runs/*/ignored/*.parquet`, `trunkrate export ignored`: records that are no trunk's \
         calls, in the order in which they were read.\n\n{}\n\
         ## Late prices\n\n`runs/*/prices/date=YYYY-MM-DD/*.parquet`: prices of the carrier that came for calls \
         of earlier runs. Of several runs the later one wins.\n\n{}",
        columns(&LEGS, &meanings::LEG_MEANINGS),
        columns(&LOG, &meanings::LOG_MEANINGS),
        columns(&SUSPENSE, &meanings::SUSPENSE_MEANINGS),
        columns(&IGNORED, &meanings::IGNORED_MEANINGS),
        columns(&PRICES, &meanings::PRICE_MEANINGS),
    )
}

/// The JSON files below a folder whose names end so, read as one shape: an object, a list, or lines.
fn shape_of_files(folder: &std::path::Path, ending: &str, below: bool) -> super::shapes::JsonShape {
    let mut found = super::shapes::JsonShape::new();
    let mut folders = vec![folder.to_owned()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                if below {
                    folders.push(path);
                }
                continue;
            }
            if !path.to_string_lossy().ends_with(ending) {
                continue;
            }
            files += 1;
            let text = std::fs::read_to_string(&path).expect("a file");
            let values: Vec<serde_json::Value> = match serde_json::from_str(&text) {
                Ok(value) => vec![value],
                Err(_) => {
                    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
                }
            };
            for value in &values {
                // The elements of a list, or the object.
                let all = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
                for one in all {
                    shape(one, "", &mut found);
                }
            }
        }
    }
    assert!(files > 0, "{}: a file that ends with {ending}", folder.display());
    found
}

/// A ledger that holds every kind of file: the demo's, a run undone, a file refused.
fn full() -> Night {
    let night = Night::new();
    copy(&demo().join("demo"), night.path());
    night.bare("", &["verify"], &[]).ok();
    let credit = ["invoice", "credit", "BT-2026-000001", "--reason", "why", "--rebill"];
    for number in 1..=4 {
        let number = format!("BT-2026-00000{number}");
        let ask: Vec<&str> = credit
            .iter()
            .map(|word| if word.starts_with("BT") { number.as_str() } else { word })
            .collect();
        night.bare("", &[&ask[..], &["--date", "2026-12-02"]].concat(), &[]).ok();
    }
    // Another price: else the same run would come of it, and nothing would be done.
    let deck = night.path().join("rates/default/termination.csv");
    let rows = std::fs::read_to_string(&deck).expect("a deck");
    std::fs::write(&deck, rows.replace(",0.0100,", ",0.0080,")).expect("a deck is written");
    night.bare("", &["undo", "1", "--reason", "why", "--rerun", "calls"], &[]).ok();
    // Ids that are not the carrier's, prices that cannot be read, in another currency, a torn file.
    let odd = [
        "CALL-1,,AC1,,trunking-terminating,+12025550101,+14155550102,2026-11-21T01:00:00Z,,60,completed,free,USD",
        "call-2,,AC1,,trunking-terminating,+12025550101,+14155550102,2026-11-21T01:00:00Z,,60,completed,-1,EUR",
    ];
    night.file("more/odd.csv", call_file(&odd));
    night.file("more/torn.csv", "sid,from\nCA1,+1");
    let refused = ["run", "--cdrs", "calls", "more", "--set-aside", "refused"];
    let done = night.bare("", &refused, &[]);
    assert!(night.path().join("ledger/set-aside.json").exists(), "{}", done.shown());
    let look = looks::Look {
        at: "2026-12-01T10:00:00Z".to_owned(),
        from: "127.0.0.1".to_owned(),
        user: "who".to_owned(),
        host: "where".to_owned(),
        asked: "/calls?q=+13035550104".to_owned(),
        accounts: (0..30).map(|number| format!("AC{number}")).collect(),
        more_accounts: 0,
        shown: 30,
    };
    looks::append(&Ledger::at(&night.path().join("ledger")), &look).expect("a look is written");
    let close = ["suspense", "close", "--cause", "not-final", "--reason", "why"];
    night.bare("", &close, &[]).ok();
    night
}

/// A column of the catalog: its name, its type, whether it is part of the key.
type SqlColumn = (String, String, bool);

fn catalog(night: &Night) -> String {
    let path = night.path().join("ledger/catalog.sqlite");
    let catalog = rusqlite::Connection::open(path).expect("a catalog");
    let ask = "SELECT m.name, p.name, p.type, p.pk FROM sqlite_schema m, pragma_table_info(m.name) p \
               WHERE m.type = 'table' ORDER BY m.rowid, p.cid";
    let mut query = catalog.prepare(ask).expect("a query");
    let rows = query
        .query_map([], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?, row.get::<_, i64>(3)?))
        })
        .expect("rows");
    let mut tables: Vec<(String, Vec<SqlColumn>)> = Vec::new();
    for row in rows {
        let (name, column, of, key): (String, String, String, i64) = row.expect("a row");
        if tables.last().is_none_or(|(last, _)| *last != name) {
            tables.push((name.clone(), Vec::new()));
        }
        tables.last_mut().expect("a table").1.push((column, of.to_lowercase(), key > 0));
    }
    assert!(tables.len() > 10, "the tables were found");
    let mut text = String::new();
    for (name, columns) in tables {
        let words =
            meant(&format!("catalog {name}"), columns.iter().map(|(column, ..)| column.as_str()));
        let rows: Vec<Vec<String>> = columns
            .iter()
            .zip(&words)
            .map(|((column, of, key), (_, what))| {
                let key = if *key { ", key" } else { "" };
                vec![format!("`{column}`"), format!("{of}{key}"), escaped(what)]
            })
            .collect();
        write!(text, "\n### {name}\n\n{}", table(&["column", "type", "what it holds"], &rows))
            .expect("text is written");
    }
    text
}

/// Every other file of a ledger.
pub fn ledger() -> String {
    let night = full();
    let at = |name: &str| night.path().join("ledger").join(name);
    let section = |title: &str, about: &str, folder: &str, ending: &str, group: &str| {
        let below = ending == "manifest.json";
        let rows = rows_of(&shape_of_files(&at(folder), ending, below), group);
        format!("\n## {title}\n\n{about}\n\n{}", table(&["field", "type", "what it holds"], &rows))
    };
    let mut text = "A ledger is a folder of plain files. Times in JSON are texts, money in JSON is text, a hash \
        is BLAKE3 in 64 hex digits. How they are written: \
        [How the ledger is written](../explanation/ledger.md). The columns of Parquet files: \
        [Legs, log, suspense](tables.md).\n\n\
        `LEDGER/archive/HASH/` holds decks, `trunks.json`, `accounts.csv` and `items.csv` as they were used. \
        `runs/RUN/ids/` holds the ids of the run as three files of fixed width; `ARCHITECTURE.md` in the source \
        says which byte is what.\n"
        .to_owned();
    text += &section("Run", "`runs/RUN/manifest.json`.", "runs", "manifest.json", "manifest");
    text += &section(
        "Batch of invoices",
        "`invoices/BATCH/manifest.json`. Beside it `documents.jsonl`, a document a line: [Invoices as JSON](documents.md).",
        "invoices",
        "manifest.json",
        "batch",
    );
    text += &section(
        "Undone run",
        "`undone/NUMBER-RUN.json`; beside it the run as it was.",
        "undone",
        ".json",
        "undone",
    );
    text += &section(
        "Journal",
        "`journal.jsonl`: a line when a command begins and ends. No hash covers it.",
        "",
        "journal.jsonl",
        "journal",
    );
    text += &section(
        "Refused call files",
        "`set-aside.json`. No hash covers it.",
        "",
        "set-aside.json",
        "set-aside",
    );
    text += &section(
        "Looks",
        "`looks.jsonl`: a line when somebody looked at calls by the console. No hash covers it.",
        "",
        "looks.jsonl",
        "looks",
    );
    text += "\n## Catalog\n\n`catalog.sqlite`: an index over the manifests, which `verify` compares bit by bit. \
        Undone runs are in `undone` only. Open it read-only.\n";
    text += &catalog(&night);
    text
}
