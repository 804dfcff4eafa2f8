//! `rates check` and `rates lookup`.

use super::args::rates::{DeckCheckArgs, LookupArgs, RatesArgs, RatesCommand};
use super::args::{TableFormat, TextFormat};
use super::cells::Cells;
use super::clock;
use super::error::CliError;
use super::json;
use super::project::Project;
use super::term::{self, grouped};
use crate::deck::{Considered, Deck, Lost, Rated};
use crate::inputs::decks;
use crate::party::{Emergency, Number};
use crate::report::looked_up::why;
use crate::scenario::Direction;
use crate::time;
use serde_json::{Map, Value, json};
use std::path::Path;

/// Runs the subcommand.
pub fn run(args: &RatesArgs, project: &Project) -> Result<(), CliError> {
    match &args.command {
        RatesCommand::Check(args) => check(args, &project.rates(args.dir.as_deref())?),
        RatesCommand::Lookup(args) => lookup(args, project),
    }
}

/// The columns of `rates check`.
const CHECKED: [&str; 7] =
    ["folder", "name", "currency", "files", "rows", "termination_prefixes", "origination_prefixes"];

fn check(args: &DeckCheckArgs, dir: &Path) -> Result<(), CliError> {
    let decks = decks::load(dir)?;
    decks.notes(dir).for_each(|note| term::report("note", &note));
    let rows = decks.decks.iter().zip(&decks.folders).map(|(deck, folder)| {
        let prefixes = [Direction::Termination, Direction::Origination];
        let [termination, origination] = prefixes.map(|side| deck.prefix_count(side) as u64);
        let counts = [deck.files.len() as u64, deck.rates.len() as u64, termination, origination];
        ([folder, &deck.name, &deck.currency].map(String::clone), counts)
    });
    match args.format {
        TableFormat::Table => {
            let header = CHECKED.map(|name| name.replace('_', " "));
            let header = header.each_ref().map(String::as_str);
            let rows = rows.map(|(names, counts)| [&names[..], &counts.map(grouped)].concat());
            let table = term::Table::new(&header, &header[3..], rows).expendable(&["name"]);
            term::print(&table.to_string())?;
            term::print("good: every row is understood, and no call has two answers\n")?;
        }
        TableFormat::Csv => {
            let mut cells = Cells::new(std::io::stdout().lock(), args.cells, CHECKED)?;
            for (names, counts) in rows {
                cells.row(names.into_iter().chain(counts.map(|count| count.to_string())))?;
            }
            cells.finish()?;
        }
        TableFormat::Json | TableFormat::Jsonl => {
            let object = |(names, counts): ([String; 3], [u64; 4])| -> Map<String, Value> {
                let values = names.map(Value::from).into_iter().chain(counts.map(Value::from));
                CHECKED.iter().map(|name| (*name).to_owned()).zip(values).collect()
            };
            json::print_list(args.format, &rows.map(object).collect::<Vec<_>>())?;
        }
    }
    Ok(())
}

fn lookup(args: &LookupArgs, project: &Project) -> Result<(), CliError> {
    let (dir, asked) = match args.what.as_slice() {
        [asked] => (None, asked),
        [dir, asked] => (Some(Path::new(dir)), asked),
        _ => {
            return Err(CliError::usage("expected a deck's folder and a number, or a number")
                .hint("one number at a time"));
        }
    };
    let decks = decks::load(&project.rates(dir)?)?;
    let number = |text: &str| Number::parse(text.trim());
    let rated = match (number(asked), Emergency::parse(asked.trim())) {
        (Some(number), _) => Rated::Number(number),
        (None, Some(emergency)) => Rated::Emergency(emergency),
        (None, None) => {
            return Err(CliError::usage(format!("{asked}: expected + and 7 to 15 digits, or 911")));
        }
    };
    let origin = match &args.a {
        None => None,
        Some(text) => Some(number(text).ok_or_else(|| {
            CliError::usage(format!("--a {text}: expected + and 7 to 15 digits"))
        })?),
    };
    let service = Direction::from_service(&args.service).expect("clap takes no other word");
    let at = match &args.at {
        Some(text) => time::parse_date_or_instant(text).ok_or_else(|| {
            CliError::usage(format!("--at {text}: expected a date or an instant with an offset"))
        })?,
        None => clock::second(),
    };
    let found: Vec<_> =
        decks.decks.iter().map(|deck| (deck, deck.consider(service, rated, origin, at))).collect();
    match args.format {
        TextFormat::Json => {
            let list: Vec<_> =
                found.iter().map(|(deck, rows)| as_json(deck, rows, rated, origin)).collect();
            json::print(&list)?;
        }
        TextFormat::Text => {
            for (deck, rows) in &found {
                let from = origin
                    .map_or_else(|| "an unknown origin".to_owned(), |number| number.to_string());
                let title = format!(
                    "{}: {service} to {rated} from {from} at {}",
                    deck.name,
                    time::text(at)
                );
                term::print(&format!(
                    "{}\n{}",
                    term::heading(&title),
                    as_text(deck, rows, rated, origin)
                ))?;
            }
        }
    }
    Ok(())
}

fn as_text(deck: &Deck, rows: &[Considered], rated: Rated, origin: Option<Number>) -> String {
    if rows.is_empty() {
        return "no row has a prefix of it: a call would be suspended as no-rate\n".to_owned();
    }
    let lines = rows.iter().map(|row| {
        let rate = deck.rate(row.hit);
        let (destination, from) = row.hit.prefixes(rated, origin);
        let from = if row.lost == Some(Lost::Origin) {
            "-".to_owned()
        } else if from.is_empty() {
            "any".to_owned()
        } else {
            from
        };
        let block = rate.increments;
        vec![
            why(row).to_owned(),
            destination,
            from,
            format!("{} {}", rate.price, deck.currency),
            format!("{}/{} min {} s", block.initial, block.increment, block.minimum),
            rate.fee.to_string(),
            format!("{}:{}", deck.files[rate.file as usize], rate.line),
            rate.description.to_string(),
        ]
    });
    term::table(
        &["", "destination", "origin", "price / min", "increments", "fee", "row", "description"],
        &["price / min", "fee"],
        lines,
    )
}

fn as_json(
    deck: &Deck,
    rows: &[Considered],
    rated: Rated,
    origin: Option<Number>,
) -> serde_json::Value {
    let object = |row: &Considered| {
        let rate = deck.rate(row.hit);
        let (destination, from) = row.hit.prefixes(rated, origin);
        json!({
            "wins": row.lost.is_none(),
            "why": why(row),
            "destination_prefix": destination,
            "origin_prefix": from,
            "price_per_minute": rate.price.to_string(),
            "connection_fee": rate.fee.to_string(),
            "currency": deck.currency,
            "initial_increment": rate.increments.initial,
            "increment": rate.increments.increment,
            "minimum": rate.increments.minimum,
            "deck_file": deck.files[rate.file as usize],
            "deck_line": rate.line,
            "description": &*rate.description,
            "iso": &*rate.iso,
            "country": &*rate.country,
        })
    };
    let rows: Vec<Value> = rows.iter().map(object).collect();
    json!({"deck": deck.name, "rated_number": rated.to_string(), "rows": rows})
}
