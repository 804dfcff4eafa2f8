//! The page of commands, from clap's own tree.

use super::pages::slug;
use super::reference::{escaped, table};
use clap::{Arg, Command};
use std::fmt::Write;

/// Paragraphs of a help text.
fn paragraphs(text: &str) -> String {
    let all: Vec<String> = text.split("\n\n").map(|part| escaped(part.trim())).collect();
    all.join("\n\n")
}

fn row(arg: &Arg) -> Vec<String> {
    let takes_value = arg.get_action().takes_values();
    let names: Vec<String> =
        arg.get_value_names().unwrap_or_default().iter().map(|name| format!("<{name}>")).collect();
    let flag = match (arg.get_long(), arg.get_short()) {
        (Some(long), Some(short)) => format!("-{short}, --{long}"),
        (Some(long), None) => format!("--{long}"),
        _ => String::new(),
    };
    let name = if takes_value { format!("{flag} {}", names.join(" ")) } else { flag };
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string);
    let mut help = escaped(&help.expect("every argument has a help"));
    let values: Vec<String> = if takes_value {
        arg.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect()
    } else {
        Vec::new()
    };
    if !values.is_empty() {
        write!(help, "; one of {}", values.join(", ")).expect("text is written");
    }
    let defaults: Vec<_> =
        arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if takes_value && !defaults.is_empty() {
        write!(help, " [default: `{}`]", defaults.join(", ")).expect("text is written");
    }
    vec![format!("`{}`", name.trim().replace('|', "\\|")), help]
}

fn arguments(command: &Command) -> String {
    let own = command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set() && !matches!(arg.get_id().as_str(), "help" | "version"));
    let rows: Vec<Vec<String>> = own.map(row).collect();
    if rows.is_empty() { String::new() } else { format!("\n{}", table(&["", "what it is"], &rows)) }
}

fn add(command: &Command, path: &str, text: &mut String) {
    for below in command.get_subcommands() {
        if below.is_hide_set() || below.get_name() == "help" {
            continue;
        }
        let path = format!("{path} {}", below.get_name()).trim().to_owned();
        let about = below.get_long_about().or(below.get_about()).map(ToString::to_string);
        let about = paragraphs(&about.expect("every command has a help"));
        let usage = below.clone().bin_name(format!("trunkrate {path}")).render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ");
        writeln!(text, "\n## trunkrate {path}\n\n{about}\n\n`{usage}`").expect("text is written");
        let aliases: Vec<&str> = below.get_visible_aliases().collect();
        if !aliases.is_empty() {
            writeln!(text, "\nThe same command: `{}`.", aliases.join("`, `"))
                .expect("text is written");
        }
        *text += &arguments(below);
        if let Some(after) = below.get_after_long_help() {
            let lines: Vec<String> = after
                .to_string()
                .lines()
                .filter(|line| *line != "Examples:")
                .map(|line| format!("{}\n", line.trim()))
                .collect();
            let mark = "<!-- run: with the examples of the help -->";
            writeln!(text, "\n{mark}\n\n```text\n{}```", lines.concat()).expect("text is written");
        }
        add(below, &path, text);
    }
}

/// Every command in a line: the first sentence of its help.
fn overview(command: &Command, path: &str) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for below in command.get_subcommands() {
        if below.is_hide_set() || below.get_name() == "help" {
            continue;
        }
        let path = format!("{path} {}", below.get_name()).trim().to_owned();
        let about = below.get_about().expect("every command has a help").to_string();
        let link = format!("[`{path}`](#{})", slug(&format!("trunkrate {path}")));
        rows.push(vec![link, escaped(&about)]);
        rows.extend(overview(below, &path));
    }
    rows
}

/// Every command with its flags.
pub fn commands() -> String {
    let command = trunkrate::cli::command();
    let about = command.get_long_about().expect("the program has a help").to_string();
    let mut text = format!("{}\n\n", paragraphs(&about));
    text += "`trunkrate help COMMAND` prints what stands here, `man trunkrate-COMMAND` too where the \
             package is installed. A list has `--format table|csv|json|jsonl`, a single thing \
             `text|json`. Results go to stdout, everything else to stderr. On a terminal a table \
             fits its width (names are cut, numbers are not, and columns that have no room are named \
             below it), and a long one goes to `TRUNKRATE_PAGER`, else `PAGER`, else `less`; a pipe or \
             a file gets all of it.\n\n## Flags of every command\n";
    text += &arguments(&command);
    text += "\n## All commands\n\n";
    text += &table(&["command", "what it does"], &overview(&command, ""));
    add(&command, "", &mut text);
    text
}

/// The exit codes, as the program's own help says them.
pub fn exit_codes() -> String {
    let about = trunkrate::cli::command().get_long_about().expect("a help").to_string();
    let (_, codes) = about.split_once("Exit codes: ").expect("the help says the exit codes");
    let codes = codes.split("\n\n").next().expect("a paragraph").replace('\n', " ");
    let rows: Vec<Vec<String>> = codes
        .trim_end_matches('.')
        .split("; ")
        .map(|code| {
            let (number, what) = code.split_once(' ').expect("a code and its words");
            vec![format!("`{number}`"), escaped(what)]
        })
        .collect();
    assert!(rows.len() >= 5, "{codes}");
    format!(
        "{}\nSuspended records are no failure: a run that books what can be booked ends with 0, \
         unless `--max-suspended` is given and exceeded by what is newly suspended. `trunkrate \
         status` ends with 1 if something is wrong with the nights, `trunkrate invoice check` if \
         something stands against issuing. `python -m trunkrate_spark` ends with 0, 1 or 2 in the \
         same sense. A command that a signal ends (Ctrl-C, `systemctl stop`) has booked nothing.\n",
        table(&["code", "what it means"], &rows)
    )
}
