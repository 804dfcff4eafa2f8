//! One house style of flags, held over clap's own tree: a name means one thing in every command.

use clap::{Arg, Command};
use std::collections::{BTreeMap, BTreeSet};

/// The words that a value may have in a help text. `DIR> <NUMBER` are the two of `rates lookup`, of
/// which the first may be missing.
const VALUE_NAMES: [&str; 34] = [
    "AMOUNT",
    "CALL_SID",
    "CATEGORY",
    "CAUSE",
    "CODE",
    "DIR",
    "DIR> <NUMBER",
    "FILE",
    "FILE|SID",
    "FORMAT",
    "HEAD",
    "HOST",
    "ID",
    "N",
    "NAME",
    "NUMBER",
    "NUMBER|NAME|SID",
    "PATH",
    "REASON",
    "REFER_TO",
    "RUN",
    "SCENARIO",
    "SERVICE",
    "SHELL",
    "SID",
    "SIZE",
    "SPAN",
    "STATUS",
    "TEXT",
    "TIME",
    "WHAT",
    "YYYY-MM",
    "YYYY-MM-DD",
    "ZONE",
];

/// Flags whose helps or values differ from command to command, and why they may.
const DIFFER: [(&str, &str); 10] = [
    ("format", "what there is to print differs; its values are those of FORMATS"),
    ("out", "a folder for many files, a file for one"),
    ("reason", "`suspense --reason no-rate` asks by it; elsewhere it is why, and is kept"),
    ("from", "`calls` takes local times and words; exports are by UTC, as the months of bills are"),
    ("to", "as --from"),
    ("account", "finding takes a name or the beginning of an id; a bill wants the id"),
    ("calls", "`init` reads them, `rerate` lists them, `invoice credit` credits them"),
    ("a", "`calls` finds it by its last digits, too"),
    ("mask", "a report hides so many digits; the console four"),
    ("memory", "`plan` asks about a machine, all others about themselves"),
];

/// The sets of values that `--format` has.
const FORMATS: [&[&str]; 6] = [
    // A single thing.
    &["text", "json"],
    // A list.
    &["table", "csv", "json", "jsonl"],
    // For programs.
    &["csv", "jsonl", "parquet"],
    // A page.
    &["html", "json"],
    // Documents.
    &["text", "json", "csv", "html", "pdf", "ubl", "cii", "hledger", "beancount"],
    // A single thing, or sums.
    &["text", "json", "csv"],
];

/// Every command with its path, `trunkrate invoice list`; those that clap adds are left out.
fn commands() -> Vec<(String, Command)> {
    fn add(command: &Command, path: &str, found: &mut Vec<(String, Command)>) {
        let path = format!("{path} {}", command.get_name()).trim().to_owned();
        for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
            add(below, &path, found);
        }
        found.push((path, command.clone()));
    }
    let mut found = Vec::new();
    add(&trunkrate::cli::command(), "", &mut found);
    assert!(found.len() > 30, "the commands were found");
    found
}

fn own_args(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| !matches!(arg.get_id().as_str(), "help" | "version"))
}

/// What a flag is: its values' name, its help without the defaults in brackets, its values.
type Meaning = (Vec<String>, String, Vec<String>);

fn meaning(arg: &Arg) -> Meaning {
    let names = arg.get_value_names().unwrap_or_default();
    let takes_value = arg.get_action().takes_values();
    let names = names.iter().map(ToString::to_string).filter(|_| takes_value).collect();
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let help = help.split(" [").next().unwrap_or_default().trim().to_owned();
    let values = if takes_value { arg.get_possible_values() } else { Vec::new() };
    (names, help, values.iter().map(|value| value.get_name().to_owned()).collect())
}

#[test]
fn a_flag_means_one_thing_in_every_command() {
    let mut seen: BTreeMap<String, (Meaning, String)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (path, command) in commands() {
        for arg in own_args(&command) {
            let Some(flag) = arg.get_long() else { continue };
            if DIFFER.iter().any(|(name, _)| *name == flag) {
                continue;
            }
            let own = meaning(arg);
            let (first, place) =
                seen.entry(flag.to_owned()).or_insert_with(|| (own.clone(), path.clone()));
            if *first != own {
                wrong.push(format!("--{flag}: {place} {first:?}; {path} {own:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen.len() > 40, "the flags were found");
}

#[test]
fn the_flags_that_differ_do() {
    for (flag, why) in DIFFER {
        let meanings: BTreeSet<_> = commands()
            .iter()
            .flat_map(|(_, command)| {
                own_args(command).map(|arg| (arg.get_long(), meaning(arg))).collect::<Vec<_>>()
            })
            .filter(|(name, _)| *name == Some(flag))
            .map(|(_, meaning)| meaning)
            .collect();
        assert!(meanings.len() > 1, "--{flag} need not be listed: {why}");
    }
}

/// `--from` and `--to` are times; numbers are `--a`, `--b` and `--number`.
#[test]
fn times_and_numbers_have_flags_of_their_own() {
    for (path, command) in commands() {
        for arg in own_args(&command) {
            let (names, ..) = meaning(arg);
            match arg.get_long() {
                Some("from" | "to" | "at" | "around" | "now" | "start" | "end" | "answer") => {
                    assert_eq!(names, ["TIME"], "{path}");
                }
                Some("a" | "b" | "number") => assert_eq!(names, ["NUMBER"], "{path}"),
                Some(flag) => assert!(names != ["TIME"], "{path} --{flag}"),
                None => {}
            }
        }
    }
}

#[test]
fn formats_are_the_same_everywhere() {
    for (path, command) in commands() {
        for arg in own_args(&command).filter(|arg| arg.get_long() == Some("format")) {
            let (_, _, values) = meaning(arg);
            assert!(FORMATS.iter().any(|known| *known == values), "{path}: {values:?}");
            // CSV for people needs its other form beside it.
            let is_list = [1, 2, 5].iter().any(|at| values == FORMATS[*at]);
            let has_raw = own_args(&command).any(|arg| arg.get_long() == Some("raw"));
            assert_eq!(is_list, has_raw, "{path}: --raw is of CSV");
        }
    }
}

#[test]
fn everything_has_a_help_and_a_known_value() {
    let known = BTreeSet::from(VALUE_NAMES);
    let mut met = BTreeSet::new();
    let mut wrong = Vec::new();
    for (path, command) in commands() {
        if command.get_about().is_none_or(|about| about.to_string().trim().is_empty()) {
            wrong.push(format!("{path}: no about"));
        }
        for arg in own_args(&command) {
            let (names, help, _) = meaning(arg);
            if help.is_empty() {
                wrong.push(format!("{path} {}: no help", arg.get_id()));
            }
            if help.ends_with('.') {
                wrong.push(format!("{path} {}: a help ends without a point", arg.get_id()));
            }
            for name in names {
                if !known.contains(name.as_str()) {
                    wrong.push(format!("{path} {}: the value {name}", arg.get_id()));
                }
                met.insert(name);
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let unmet: Vec<&&str> = known.iter().filter(|name| !met.contains(**name)).collect();
    assert!(unmet.is_empty(), "no flag has these values: {unmet:?}");
}
