//! Examples below the long help of commands, and in their man pages.
//!
//! **Invariant:** every example runs in the folder that `trunkrate demo` makes, and ends with exit
//! code 0 (`tests/docs.rs` runs them all).

use clap::Command;
use std::fmt::Write;

/// An example: what one wants, and the command for it.
type HelpExample = (&'static str, &'static str);

/// The examples of each command, by its path.
#[rustfmt::skip]
pub const EXAMPLES: &[(&str, &[HelpExample])] = &[
    ("run", &[
        ("Book the project's call files", "trunkrate run"),
        ("Book one file of another folder with the project's deck", "trunkrate run --cdrs calls/harbor.csv"),
        ("Leave a report and metrics, and set refused files aside", "trunkrate run --set-aside refused --report night.html --metrics night.prom"),
    ]),
    ("calls", &[
        ("The calls of a number, in any usual writing", "trunkrate calls \"(303) 555-0104\""),
        ("The calls of an account on one day", "trunkrate calls nordwind 2026-11-20"),
        ("Calls that cost most, as CSV", "trunkrate calls --min-amount 0.2 --format csv"),
    ]),
    ("explain", &[
        ("A call, to the cent", "trunkrate explain CA20261120000000000000000000000108"),
        ("The same as a page for the customer", "trunkrate explain CA20261120000000000000000000000108 --html call.html"),
    ]),
    ("rerate", &[
        ("A booked call beside what was booked", "trunkrate rerate CA20261120000000000000000000000108"),
        ("A call straight from a file, without a ledger", "trunkrate rerate CA20261120000000000000000000000108 --cdrs calls/harbor.csv --rates rates"),
    ]),
    ("invoice", &[
        ("What the month comes to, issuing nothing", "trunkrate invoice --period 2026-11 --out month"),
        ("What was issued", "trunkrate invoice list"),
        ("One invoice, line by line", "trunkrate invoice show BT-2026-000001"),
    ]),
    ("invoice issue", &[
        ("The month's invoices, though some calls wait", "trunkrate invoice issue --period 2026-11 --date 2026-12-01 --accept waiting"),
    ]),
    ("invoice credit", &[
        ("Take an invoice back, and bill its calls anew with the next", "trunkrate invoice credit BT-2026-000004 --reason \"wrong address\" --rebill --date 2026-12-02"),
    ]),
    ("suspense", &[
        ("What waits, and what to do about it", "trunkrate suspense"),
        ("One reason, call by call", "trunkrate suspense --reason parent-suspended --all"),
    ]),
    ("suspense close", &[
        ("What closing a cause would write off", "trunkrate suspense close --cause not-final --reason \"the carrier never ended it\" --dry-run"),
    ]),
    ("rates", &[
        ("Whether all decks are sound", "trunkrate rates check rates"),
        ("The price of a number, and why", "trunkrate rates lookup rates/default +32455123456 --a +13035550199 --at 2026-11-20"),
    ]),
    ("classify", &[
        ("What a Refer-To value asks for", "trunkrate classify \"sip:+13035550104@acme.pstn.twilio.com\""),
    ]),
    ("export", &[
        ("A day's legs as CSV", "trunkrate export legs --from 2026-11-20 --to 2026-11-21 --format csv --out legs.csv"),
        ("All that waits, as JSON Lines", "trunkrate export suspense --format jsonl"),
    ]),
    ("verify", &[
        ("Prove the whole ledger", "trunkrate verify"),
    ]),
    ("status", &[
        ("Whether all is well; a month old is well enough here", "trunkrate status --max-age 9999d"),
    ]),
    ("runs", &[
        ("What was booked, when and by whom", "trunkrate runs --journal"),
    ]),
    ("report", &[
        ("The last run, as one reads it in the morning", "trunkrate report --out report.html"),
    ]),
    ("plan", &[
        ("Whether one machine does it", "trunkrate plan --calls-per-night 50000000"),
    ]),
];

/// Puts the examples below the long help of their commands.
#[must_use]
pub fn with_examples(command: Command) -> Command {
    add(command, "")
}

fn add(command: Command, path: &str) -> Command {
    let names: Vec<String> =
        command.get_subcommands().map(|below| below.get_name().to_owned()).collect();
    // Clap puts a command that is changed at the end: all of them are, so their order stays.
    let command = names.iter().fold(command, |command, name| {
        let path = format!("{path} {name}");
        command.mut_subcommand(name, |below| add(below, path.trim_start()))
    });
    let Some((_, examples)) = EXAMPLES.iter().find(|(name, _)| *name == path) else {
        return command;
    };
    let mut text = "Examples:\n".to_owned();
    for (want, typed) in *examples {
        writeln!(text, "  # {want}\n  {typed}").expect("text is written");
    }
    command.after_long_help(text.trim_end().to_owned())
}
