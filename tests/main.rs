//! All integration tests, in one binary: each binary would link polars again.
//!
//! | module | what it holds |
//! |---|---|
//! | `billing_table` | one snapshot per row of the published table, and every row at 0, 1, 59, 60, 61 s |
//! | `reasons` | one snapshot per reason, and their order |
//! | `formats` | every way in which calls may come, and files that are refused |
//! | `fixtures_night` | the hostile night of `fixtures/`, against totals computed elsewhere |
//! | `decks` | every refusal of a deck, and lookups |
//! | `laws` | properties: conservation, order, threads, splits, the same night twice |
//! | `memory` | in parts, on disk, in pieces: the same bytes |
//! | `oracle` | the kernel against the naive rater, on random nights |
//! | `doors` | what comes in wrongly is right, refused or said, in every format |
//! | `circles` | what a file or folder is built on is not built on it |
//! | `doors_side_files` | decks, accounts, items and trunks that come in wrongly |
//! | `invoices` | drafts, numbers, credit notes, charges, dates |
//! | `check` | what waits by cause, what stands against issuing, what becomes of a credited invoice's legs |
//! | `calls` | calls found by number, account, id and time; one of them explained |
//! | `commands` | wiring: stdout, stderr, exit codes, help |
//! | `flags` | one style of flags: a name means one thing in every command |
//! | `terminal` | tables that fit a terminal, the pager, completions, man pages |
//! | `house` | the core knows no file and no float, and no file is long |
//! | `nights` | many nights, in any order and overlap, come to the books of one run |
//! | `status` | a fortnight of nights at seven in the morning; the journal, metrics, refused files |
//! | `serve` | the console: its pages, its API, who may ask, hostile texts, slow and many clients, a real browser |
//! | `undo` | runs that are taken back, and what stands on them |
//! | `demo` | the sample night out of the binary |
//! | `rerun` | runs that are taken back and booked anew in their place, in one step |
//! | `walk` | from a line of an invoice to the line of a call file |
//! | `desk` | what people do about waiting records |
//! | `by_cause` | waiting records settled by their cause, account or time |
//! | `set_times` | times that the clock shows twice or never, set by hand |
//! | `families` | a call's family is whole over runs and days, and read from where it stands alone |
//! | `changes` | what changed since the last run: it stops the next one, and is kept if it is accepted |
//! | `catalog` | provenance by SQL, and a ledger that moved |
//! | `backup` | backups: what they hold, cost and refuse, and that nights may go on meanwhile |
//! | `years` | old runs stand in volumes, the catalog grows; file modes under any umask |
//! | `kept` | ledgers that earlier versions wrote, opened for ever |
//! | `faults` | a fault at every system call: whole or not at all, and the next run mends it |
//! | `fuzz` | files with a few bytes changed: every command ends soon, in bounded memory, by an exit code of its own |
//! | `import` | published nights imported: the CLI's own run to the byte, or refused |
//! | `rerated` | a period rated again by other decks: shown, booked, taken back, billed |
//! | `credits` | credit notes of a part of an invoice, never more than it; goodwill |
//! | `over_booked` | a waiting version in place of the booked one: legs taken back, one call, one price |
//! | `plan` | what a night takes: the arithmetic as it is shown |
//! | `tamper` | a bit, a file, a cell of the catalog changed: `verify` says where |
//! | `trusted` | a ledger knows its past, touches nothing of a stranger's, and is proved whatever its length |
//! | `naive` | a second rater, table-driven and slow, that shares no code with the first |
//! | `docs` | every block of README and `docs/` is run, every link followed; the reference is printed again |
//! | `regressions` | faults that were found once |
//! | `project` | the project's file stands for flags; `init` makes one and looks at what is in it |
//! | `random_documents` | documents at random add up in every format |
//! | `einvoice` | e-invoices against XSD and Schematron of EN 16931 |
//! | `journal` | journals against hledger and beancount |
//! | `report` | the report of a run: its numbers, each finding by a night of its own, hostile text |
//! | `findings` | what is odd about a run's calls, each by a night of its own; details and hints that fit |
//! | `browser` | pages of documents in a browser: on screens, by a screen reader, on paper, with hostile texts |
//! | `schema` | documents as JSON against the published schema, with a validator that is not ours |
//! | `documents` | documents for these tests |
//! | `support` | a folder, a night in it, and the binary |

#![allow(clippy::disallowed_methods, reason = "a test that gets a default fails")]

#[cfg(target_os = "linux")]
mod backup;
mod billing_table;
mod browser;
mod by_cause;
mod calls;
mod catalog;
mod changes;
mod check;
mod circles;
mod commands;
mod credits;
mod decks;
mod demo;
mod desk;
mod docs;
mod documents;
mod doors;
mod doors_side_files;
mod einvoice;
mod families;
#[cfg(target_os = "linux")]
mod faults;
mod findings;
mod fixtures_night;
mod flags;
mod formats;
#[cfg(target_os = "linux")]
mod fuzz;
mod house;
mod import;
mod invoices;
mod journal;
mod kept;
mod laws;
mod memory;
mod naive;
mod nights;
mod oracle;
mod over_booked;
mod plan;
mod project;
mod random_documents;
mod reasons;
mod regressions;
mod report;
mod rerated;
mod rerun;
mod schema;
#[cfg(target_os = "linux")]
mod serve;
mod set_times;
#[cfg(target_os = "linux")]
mod status;
#[cfg(target_os = "linux")]
mod status_doubts;
mod support;
#[cfg(target_os = "linux")]
mod tamper;
#[cfg(target_os = "linux")]
mod terminal;
mod trusted;
mod undo;
mod walk;
#[cfg(target_os = "linux")]
mod years;
